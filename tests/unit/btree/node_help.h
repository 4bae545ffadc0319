/* A model of one node, a sorted list of entries, and the comparison of a page with it. */
#ifndef TESTS_UNIT_BTREE_NODE_HELP_H
#define TESTS_UNIT_BTREE_NODE_HELP_H

#include "btree/node.h"
#include "kernel/base/random.h"

enum { MODEL_MAX = 512, MODEL_VALUE_MAX = 1024 };

struct model_entry {
    uint8_t key[NODE_KEY_SIZE_MAX];
    size_t key_size;
    uint8_t value[MODEL_VALUE_MAX];
    size_t value_size;
    bool is_overflow;
};

struct model {
    uint32_t count;
    struct model_entry entry[MODEL_MAX];
};

enum key_shape {
    KEYS_SHORT,   /* 1 to 6 bytes of a small alphabet, zeros included */
    KEYS_NUMBERS, /* 8 bytes, big-endian, close together */
    KEYS_LONG,    /* up to the limit, most of it in common */
    KEYS_MIXED,
    KEY_SHAPE_COUNT,
};

/** A page aligned as frames are. */
struct test_page {
    _Alignas(8) uint8_t bytes[PAGE_SIZE];
};

struct node_entry model_draw(struct random *random, enum key_shape shape, struct model_entry *out);
/** Where the key is or would be. */
uint32_t model_find(const struct model *model, const uint8_t *key, size_t key_size, bool *equal);
void model_insert(struct model *model, uint32_t index, const struct model_entry *entry);
void model_remove(struct model *model, uint32_t index);
struct node_entry model_node_entry(const struct model_entry *entry);

/** Asserts that the page is valid and holds exactly the model's entries [from, to). */
void model_compare(const struct model *model, uint32_t from, uint32_t to, const void *page,
                   const char *where);

int bytes_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

/** The page's node; asserts that it loads. */
struct node node_of(const void *page);

#endif
