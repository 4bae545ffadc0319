/* JSON as a tree, for tests that compare with stored results. Whole documents, trusted input. */
#ifndef TESTS_SUPPORT_JSON_TREE_H
#define TESTS_SUPPORT_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    enum json_kind kind;
    char *key;  /* In an object. */
    char *text; /* STRING: decoded; NUMBER and BOOL: as written. NUL-terminated. */
    size_t size;
    size_t count; /* Of children. */
    struct json_node *first;
    struct json_node *next;
};

/** NULL when the file is not there; aborts when it is not JSON. */
struct json_node *json_tree_read(const char *path);
void json_tree_free(struct json_node *node);
/** A member of an object, NULL when absent. */
const struct json_node *json_node_member(const struct json_node *object, const char *key);
/** Member or item number `index` (they are in the document's order). */
const struct json_node *json_item(const struct json_node *array, size_t index);
bool json_is(const struct json_node *node, const char *text);
bool json_is_true(const struct json_node *node);

#endif
