/*
 * JSON texts: validation by RFC 8259 with a depth limit, trees, and the canonical text that jsonb is
 * kept in: keys in the order of their lengths, then bytes, the last of equal ones; numbers as numeric
 * prints them; a blank behind each colon and comma. Pure; memory from the caller's arena; thread-safe.
 */
#ifndef EXECUTOR_JSON_H
#define EXECUTOR_JSON_H

#include "executor/text_out.h"

enum { JSON_DEPTH_MAX = 1000 };

enum json_kind {
    JSON_NULL = 0, /* In jsonb's order but for the first. */
    JSON_STRING = 1,
    JSON_NUMBER = 2,
    JSON_FALSE = 3,
    JSON_TRUE = 4,
    JSON_ARRAY = 5,
    JSON_OBJECT = 6,
};

struct json_node {
    enum json_kind kind;
    const char *raw; /* As written. */
    size_t raw_size;
    const char *text; /* Of a string, without escapes. */
    size_t size;
    const char *key; /* As member of an object. */
    size_t key_size;
    uint32_t count;
    struct json_node *first; /* Members in order. */
    struct json_node *last;
    struct json_node *next;
};

/** 22P02 with the offset in the message when the text is not one JSON value. */
MUST_CHECK enum status json_validate(const char *text, size_t size, struct sql_error *error);
/** Validates and reads. 22P05 for a \u escape that has no character. */
MUST_CHECK enum status json_tree(const char *text, size_t size, struct arena *arena,
                                 struct json_node **out, struct sql_error *error);
/** Members of objects in canonical order without duplicates. */
MUST_CHECK enum status json_canonical(struct json_node *node, struct arena *arena);
/** The canonical text of a canonical tree. `indent` below 0: on one line. */
void json_put(struct text_out *out, const struct json_node *node, int indent);
/** A string with quotes and escapes. */
void json_put_string(struct text_out *out, const char *text, size_t size);
/** A text as the canonical value of type jsonb. */
MUST_CHECK enum status json_parse_canonical(const char *text, size_t size, struct arena *arena,
                                            struct value *out, struct sql_error *error);
/** The member with the key, the last of equal ones; NULL: none. */
struct json_node *json_member(const struct json_node *object, const char *key, size_t size);
/** The element; below 0 from the end; NULL: none. */
struct json_node *json_element(const struct json_node *array, int64_t index);

/** Canonical texts. jsonb's order: object, array, boolean, number, string, null; sizes first. */
int json_compare(const struct value *left, const struct value *right);
uint64_t json_hash(const struct value *value);

#endif
