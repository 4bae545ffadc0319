/*
 * Help for the tests of nodes: drawing keys of several shapes, a model, and comparing a page with it
 * through every reading function.
 */
#include "tests/unit/btree/node_help.h"

#include <criterion/criterion.h>

int
bytes_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order != 0 ? order : a_size < b_size ? -1 : a_size > b_size;
}

struct node
node_of(const void *page)
{
    struct node node;

    cr_assert(node_load_page(page, &node));
    return node;
}

static void
draw_key(struct random *random, enum key_shape shape, struct model_entry *out)
{
    if (shape == KEYS_MIXED)
        shape = (enum key_shape)random_below(random, KEYS_MIXED);
    if (shape == KEYS_NUMBERS) {
        uint64_t number = __builtin_bswap64(1000000 + random_below(random, 2000));

        memcpy(out->key, &number, 8);
        out->key_size = 8;
        return;
    }
    size_t common = 0;

    if (shape == KEYS_LONG) {
        common = random_chance(random, 1, 2) ? 900 : random_below(random, 1000);
        memset(out->key, 'p', common);
    }
    out->key_size = common + 1 + random_below(random, 6);
    for (size_t i = common; i < out->key_size; i++)
        out->key[i] = (uint8_t)random_below(random, 4);
}

struct node_entry
model_draw(struct random *random, enum key_shape shape, struct model_entry *out)
{
    size_t room;

    draw_key(random, shape, out);
    room = NODE_ENTRY_SIZE_MAX - out->key_size;
    out->value_size = random_below(random, random_chance(random, 1, 20) ? MODEL_VALUE_MAX : 40);
    if (out->value_size > room)
        out->value_size = room;
    out->is_overflow = false;
    if (random_chance(random, 1, 30)) {
        out->is_overflow = true;
        out->value_size = OVERFLOW_REF_HEADER_SIZE + 4;
    }
    random_bytes(random, out->value, out->value_size);
    return model_node_entry(out);
}

struct node_entry
model_node_entry(const struct model_entry *entry)
{
    return (struct node_entry){
        .key = entry->key,
        .key_size = entry->key_size,
        .value = entry->value,
        .value_size = entry->value_size,
        .is_overflow = entry->is_overflow,
    };
}

uint32_t
model_find(const struct model *model, const uint8_t *key, size_t key_size, bool *equal)
{
    uint32_t index = 0;

    *equal = false;
    for (; index < model->count; index++) {
        const struct model_entry *entry = &model->entry[index];
        int order = bytes_compare(entry->key, entry->key_size, key, key_size);

        *equal = order == 0;
        if (order >= 0)
            break;
    }
    return index;
}

void
model_insert(struct model *model, uint32_t index, const struct model_entry *entry)
{
    cr_assert_lt(model->count, MODEL_MAX);
    memmove(&model->entry[index + 1], &model->entry[index],
            (model->count - index) * sizeof(*entry));
    model->entry[index] = *entry;
    model->count++;
}

void
model_remove(struct model *model, uint32_t index)
{
    memmove(&model->entry[index], &model->entry[index + 1],
            (model->count - index - 1) * sizeof(model->entry[0]));
    model->count--;
}

static void
compare_entry(const struct node *node, uint32_t index, const struct model_entry *entry,
              const char *where)
{
    uint8_t key[NODE_KEY_SIZE_MAX];
    struct node_row row;
    uint32_t found;
    size_t key_size;
    bool equal;

    cr_assert(node_search(node, entry->key, entry->key_size, &found, &equal));
    cr_assert(equal && found == index, "%s: entry %u is found at %u", where, index, found);
    cr_assert(node_row_at(node, index, &row));
    cr_assert(node_row_key(node, &row, key, &key_size));
    cr_assert_eq(bytes_compare(key, key_size, entry->key, entry->key_size), 0,
                 "%s: key of entry %u", where, index);
    cr_assert(row.value_size == entry->value_size && row.is_overflow == entry->is_overflow);
    cr_assert_eq(memcmp(row.value, entry->value, row.value_size), 0, "%s: value of entry %u", where,
                 index);
}

void
model_compare(const struct model *model, uint32_t from, uint32_t to, const void *page,
              const char *where)
{
    struct node node = node_of(page);
    const char *reason = "none";

    cr_assert_eq(node_validate(page, &reason), STATUS_OK, "%s: %s", where, reason);
    cr_assert_eq(node.count, to - from, "%s: %u entries instead of %u", where, node.count,
                 to - from);
    for (uint32_t i = from; i < to; i++)
        compare_entry(&node, i - from, &model->entry[i], where);
}
