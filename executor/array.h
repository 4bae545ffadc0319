/*
 * Arrays as values: an array's type is its elements' with VALUE_ARRAY set, its bytes
 *
 *   le32 dimension count (0 to 6) | le32 element count | per dimension le32 length, le32 lower bound |
 *   elements in row-major order: le32 size, bytes; a null has size UINT32_MAX and no bytes
 *
 * Numbers, dates and booleans are elements of 8 bytes. Pure functions; memory from the caller's arena;
 * thread-safe. Bytes from disk go through array_is_valid first.
 */
#ifndef EXECUTOR_ARRAY_H
#define EXECUTOR_ARRAY_H

#include "executor/value.h"

enum { ARRAY_DIMENSIONS_MAX = 6, ARRAY_ELEMENTS_MAX = 1 << 27 };

/* Read forward by array_next. */
struct array {
    enum qtdb_type element;
    uint32_t dimension_count; /* 0: no elements. */
    uint32_t count;
    int32_t lengths[ARRAY_DIMENSIONS_MAX];
    int32_t lowers[ARRAY_DIMENSIONS_MAX];
    const uint8_t *next;
    const uint8_t *end;
};

bool array_is_valid(enum qtdb_type element, const uint8_t *bytes, size_t size);
struct array array_open(const struct value *value);
/** At most `count` times. Borrows from the array's bytes. */
struct value array_next(struct array *array);
/** All elements, in order; NULL when there is no memory. */
MUST_CHECK enum status array_values(const struct array *array, struct arena *arena,
                                    struct value **out);

/** Of values of one type; `shape` gives dimensions and bounds, NULL: one dimension from 1. */
MUST_CHECK enum status array_make(enum qtdb_type element, const struct value *values,
                                  uint32_t count, const struct array *shape, struct arena *arena,
                                  struct value *out);

/** `{1,2,NULL}`, nested, with optional bounds. 22P02 on refusal. */
MUST_CHECK enum status array_parse(const struct sql_type *type, const char *text, size_t size,
                                   struct arena *arena, struct value *out, struct sql_error *error);
const char *array_print(const struct value *value, struct arena *arena, size_t *size_out);
/** Every element cast to the (element) type with its modifiers. */
MUST_CHECK enum status array_cast(const struct value *value, const struct sql_type *type,
                                  struct arena *arena, struct value *out, struct sql_error *error);

/** By elements, then by shape, as PostgreSQL. */
int array_compare(const struct value *left, const struct value *right);
uint64_t array_hash(const struct value *value);

#endif
