/*
 * Enum types: their labels in order, and values of them.
 *
 * A value is 8 bytes of place, big-endian, so that bytes order as values do, and the label's text. Places
 * never change: a label that is added before another gets one between its neighbours. A type's number
 * (value_enum_id) never comes back. The catalog keeps each under its name (table.h, key 'e'):
 *   u8 format 1 | u32 number | varint label count | each: u64 place | text label
 * in order of place. Thread-safe: definitions are read within the transaction that uses them.
 */
#ifndef EXECUTOR_ENUMERATION_H
#define EXECUTOR_ENUMERATION_H

#include "executor/value.h"

struct ast_name;

enum {
    ENUMERATION_LABEL_MAX = 63, /* Bytes of a label. */
    ENUMERATION_LABELS_MAX = 10000,
    ENUMERATION_ID_MAX = (1 << 24) - 1,
};

struct enumeration_label {
    uint64_t place;
    const char *text;
};

struct enumeration {
    uint32_t id;
    const char *schema;
    const char *name;
    uint32_t count;
    struct enumeration_label *labels; /* By place, with room for one more. */
};

/** STATUS_NOT_FOUND without an error set when there is none. The name's schema NULL: "public". */
MUST_CHECK enum status enumeration_find(struct qtdb_txn *txn, const struct ast_name *name,
                                        struct arena *arena, struct enumeration **out,
                                        struct sql_error *error);
/** By the number of its type; XX001 when there is none. */
MUST_CHECK enum status enumeration_find_id(struct qtdb_txn *txn, uint32_t id, struct arena *arena,
                                           const struct enumeration **out, struct sql_error *error);
/** From bytes of the catalog: XX001 for anything that enumeration_store did not write. */
MUST_CHECK enum status enumeration_decode(const char *schema, const char *name,
                                          const uint8_t *bytes, size_t size, struct arena *arena,
                                          struct enumeration **out, struct sql_error *error);
/** Stores it under its name. */
MUST_CHECK enum status enumeration_store(struct qtdb_txn *txn, const struct enumeration *type,
                                         struct arena *arena, struct sql_error *error);

/** UINT32_MAX: none. */
uint32_t enumeration_label_find(const struct enumeration *type, const char *text, size_t size);
/** The value with a label. */
MUST_CHECK enum status enumeration_value(const struct enumeration *type, uint32_t label,
                                         struct arena *arena, struct value *out);
/** A text (a label), an array of texts, or values of the type whose labels have changed, as values of `to`,
 * which is the type or its array. 22P02 for what is no label. */
MUST_CHECK enum status enumeration_cast(const struct enumeration *type, const struct value *value,
                                        enum qtdb_type to, struct arena *arena, struct value *out,
                                        struct sql_error *error);
/** The same from a text in input syntax. */
MUST_CHECK enum status enumeration_parse(const struct enumeration *type, enum qtdb_type to,
                                         const char *text, size_t size, struct arena *arena,
                                         struct value *out, struct sql_error *error);

#endif
