/*
 * SQL values: what a column holds and an expression gives. Pure functions; memory from the caller's
 * arena; thread-safe.
 *
 * In memory: numbers, dates (days since 2000-01-01), times (microseconds since midnight) and
 * timestamps (microseconds since 2000-01-01) are integers; floats are doubles; everything else is
 * bytes: text of any kind and json as UTF-8, uuid as 16 bytes, numeric as in numeric.h, interval as in
 * interval.h, arrays as in array.h. jsonb is kept in its canonical text (json.h). Text compares by bytes
 * (collation C).
 */
#ifndef EXECUTOR_VALUE_H
#define EXECUTOR_VALUE_H

#include "executor/parse.h"
#include "kernel/base/check.h"
#include "kernel/qtdb.h"

struct value {
    enum qtdb_type type;
    bool null;
    uint32_t size; /* Of bytes. */
    union {
        int64_t integer;
        double real;
        const uint8_t *bytes;
    };
};

/* A column's type with its modifiers. */
struct sql_type {
    enum qtdb_type type;
    int32_t precision; /* numeric(p, s), varchar(n), char(n): p or n; interval: fields; time and
                          timestamps: digits of a second; -1: none. */
    int32_t scale;     /* Of interval: digits of a second; -1: all. */
};

/* An array's type is its elements' type with this bit set; qtdb.h shows it as QTDB_TYPE_ARRAY. */
enum { VALUE_ARRAY = 64 };
static inline bool
value_is_array(enum qtdb_type type)
{
    return ((unsigned)type & VALUE_ARRAY) != 0;
}
static inline enum qtdb_type
value_array_of(enum qtdb_type element)
{
    return (enum qtdb_type)((unsigned)element | VALUE_ARRAY);
}
static inline enum qtdb_type
value_element(enum qtdb_type array)
{
    return (enum qtdb_type)((unsigned)array & ~(unsigned)VALUE_ARRAY);
}
/* An enum's type has the number of its definition above the low byte; its values are bytes as enumeration.h
 * has them, VALUE_ENUM_HEAD of them before the label. */
enum { VALUE_ENUM_SHIFT = 8, VALUE_ENUM_HEAD = 8 };
static inline bool
value_is_enum(enum qtdb_type type)
{
    return ((unsigned)type & 0xffu) == (unsigned)QTDB_TYPE_ENUM;
}
static inline enum qtdb_type
value_enum_of(uint32_t id)
{
    return (enum qtdb_type)((unsigned)QTDB_TYPE_ENUM | id << VALUE_ENUM_SHIFT);
}
static inline uint32_t
value_enum_id(enum qtdb_type type)
{
    return (unsigned)type >> VALUE_ENUM_SHIFT;
}

/** True for the number of a type that a column may have. */
bool value_type_exists(uint32_t type);

static inline bool
value_type_is_bytes(enum qtdb_type type)
{
    const uint64_t bytes = UINT64_C(1) << QTDB_TYPE_NUMERIC | UINT64_C(1) << QTDB_TYPE_TEXT |
                           UINT64_C(1) << QTDB_TYPE_VARCHAR | UINT64_C(1) << QTDB_TYPE_CHAR |
                           UINT64_C(1) << QTDB_TYPE_BYTEA | UINT64_C(1) << QTDB_TYPE_UUID |
                           UINT64_C(1) << QTDB_TYPE_JSON | UINT64_C(1) << QTDB_TYPE_JSONB |
                           UINT64_C(1) << QTDB_TYPE_INTERVAL | UINT64_C(1) << QTDB_TYPE_ENUM;

    return (unsigned)type >= VALUE_ARRAY || (bytes >> type & 1) != 0;
}
/** Kept as integers that order as the values do. */
static inline bool
value_type_is_integer(enum qtdb_type type)
{
    const uint64_t integers = UINT64_C(1) << QTDB_TYPE_INT2 | UINT64_C(1) << QTDB_TYPE_INT4 |
                              UINT64_C(1) << QTDB_TYPE_INT8 | UINT64_C(1) << QTDB_TYPE_DATE |
                              UINT64_C(1) << QTDB_TYPE_TIME | UINT64_C(1) << QTDB_TYPE_TIMESTAMP |
                              UINT64_C(1) << QTDB_TYPE_TIMESTAMPTZ | UINT64_C(1) << QTDB_TYPE_BOOL;

    return (unsigned)type < VALUE_ARRAY && (integers >> type & 1) != 0;
}
/** PostgreSQL's name, as in error messages: "integer", "timestamp with time zone". */
const char *value_type_name(enum qtdb_type type);
/** The grammar name of a type that is no array and no enum, such as "int4". */
const char *value_type_short_name(enum qtdb_type type);
/** From a grammar name such as "int4" or "varchar"; QTDB_TYPE_NULL when there is none. */
enum qtdb_type value_type_find(const char *name);

static inline struct value
value_null(enum qtdb_type type)
{
    return (struct value){.type = type, .null = true};
}
static inline struct value
value_integer(enum qtdb_type type, int64_t integer)
{
    return (struct value){.type = type, .integer = integer};
}
static inline struct value
value_real(enum qtdb_type type, double real)
{
    return (struct value){.type = type, .real = real};
}
static inline struct value
value_bytes(enum qtdb_type type, const void *bytes, size_t size)
{
    CHECK(size <= UINT32_MAX);
    return (struct value){.type = type, .size = (uint32_t)size, .bytes = bytes};
}

/** From PostgreSQL's input syntax. 22P02 and the like on refusal; location is left -1. */
MUST_CHECK enum status value_parse(const struct sql_type *type, const char *text, size_t size,
                                   struct arena *arena, struct value *out, struct sql_error *error);

/** PostgreSQL's output syntax, NUL-terminated in the arena; NULL when there is no memory. */
const char *value_print(const struct value *value, struct arena *arena, size_t *size_out);

/** Both not null and of the same type: below 0, 0, above 0. NaN is above every number. */
int value_compare(const struct value *left, const struct value *right);

/** Of a number, and what value_hash gives for values kept as integers (MurmurHash3's finaliser). */
static inline uint64_t
value_hash_word(uint64_t word)
{
    word ^= word >> 33;
    word *= 0xff51afd7ed558ccdu;
    word ^= word >> 33;
    word *= 0xc4ceb9fe1a85ec53u;
    return word ^ word >> 33;
}
/** Equal for values that value_compare calls equal, and for nulls. */
uint64_t value_hash(const struct value *value);

/** True when value_cast can succeed. QTDB_TYPE_NULL, an untyped literal, casts to everything. */
bool value_can_cast(enum qtdb_type from, enum qtdb_type to);
/** True when a column of type `to` may be given such a value without an explicit cast. */
bool value_assigns(enum qtdb_type from, enum qtdb_type to);
/** time and the timestamps, whose modifier is digits of a second. */
bool value_has_seconds(enum qtdb_type type);

/** A value of the wanted type (with its modifiers applied), as an assignment cast would give it. */
MUST_CHECK enum status value_cast(const struct value *value, const struct sql_type *type,
                                  struct arena *arena, struct value *out, struct sql_error *error);

/** The same, as CAST does: texts past a varchar's or char's length are cut. */
MUST_CHECK enum status value_cast_explicit(const struct value *value, const struct sql_type *type,
                                           struct arena *arena, struct value *out,
                                           struct sql_error *error);

#endif
