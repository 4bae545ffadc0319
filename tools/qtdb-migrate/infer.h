/*
 * What type a column of texts has, found from all of its values. Only forms that the type gives back
 * are taken for it: 007 and +5 stay texts, 1.50 is a numeric that keeps its scale, and a column is what
 * every one of its values is. Pure.
 */
#ifndef TOOLS_QTDB_MIGRATE_INFER_H
#define TOOLS_QTDB_MIGRATE_INFER_H

#include "tools/qtdb-migrate/legacy_read.h"

struct infer {
    uint64_t value_count;
    uint64_t null_count;
    uint32_t possible; /* Bits of enum infer_form. */
};

enum infer_form {
    INFER_INTEGER = 1,
    INFER_NUMERIC = 2,
    INFER_REAL = 4,
    INFER_BOOLEAN = 8,
    INFER_DATE = 16,
    INFER_TIMESTAMP = 32,
    INFER_TIMESTAMPTZ = 64,
    INFER_UUID = 128,
    INFER_ALL = 255,
};

/** Every form that the text has; it is NUL-terminated besides its size. */
uint32_t infer_forms(const char *text, size_t size);
void infer_init(struct infer *infer);
void infer_value(struct infer *infer, const char *text, size_t size);
/** TEXT where there is no value. */
enum legacy_column_kind infer_kind(const struct infer *infer);

#endif
