/*
 * From a legacy value, by its tag, to what a column of the target takes. Pure; memory from the
 * caller's arena.
 *
 * Three outcomes:
 *  - the value is held as it is, whatever its tag was (5 tagged smallint in NUMERIC(10,2) is 5.00);
 *  - it fits after something was lost that PostgreSQL's own assignment would lose too: digits past
 *    the scale or past microseconds, a fraction in an integer column. `loss` says what;
 *  - it does not fit the type at all (a misfit): convert_widen gives the next type that holds it, and
 *    the whole column takes that type. So no value is given up.
 *
 * What comes out is both what is bound to the INSERT and what the target must give back, so that the
 * two sides can be compared.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_CONVERT_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_CONVERT_H

#include "kernel/qtdb.h"
#include "tools/qtdb-migrate/legacy_read.h"

enum { TARGET_TYPE_SIZE = 64 };

struct target_type {
    enum qtdb_type type;
    int32_t precision; /* NUMERIC: -1 none. */
    int32_t scale;
    uint32_t size; /* VARCHAR, CHAR: characters. */
};

enum convert_result { CONVERT_OK = 0, CONVERT_MISFIT = 1, CONVERT_NO_MEMORY = 2 };

enum convert_form {
    CONVERT_NULL = 0,
    CONVERT_INTEGER = 1,
    CONVERT_REAL = 2,
    CONVERT_TEXT = 3,  /* In the type's input and output syntax. */
    CONVERT_BYTES = 4, /* bytea. */
};

struct converted {
    enum convert_form form;
    int64_t integer;
    double real;
    const char *bytes;
    size_t size;
    const char *loss; /* NULL: nothing was lost. */
};

/** The type that a legacy column asks for. */
struct target_type convert_type_of(const struct legacy_column *column);
/** As CREATE TABLE writes it; returns `out`. */
const char *convert_type_name(const struct target_type *type, char out[TARGET_TYPE_SIZE]);
/** The legacy column's own type in words; returns `out`. */
const char *convert_legacy_name(const struct legacy_column *column, char out[TARGET_TYPE_SIZE]);

enum convert_result convert_value(const struct target_type *type, const struct legacy_value *value,
                                  struct arena *arena, struct converted *out);
/** The narrowest type after `type` that holds the misfit. */
struct target_type convert_widen(const struct target_type *type, const struct legacy_value *value,
                                 struct arena *arena);
/** The value as a text column would hold it, for messages and reports; NULL: no memory. */
const char *convert_text(const struct legacy_value *value, struct arena *arena, size_t *size_out);

#endif
