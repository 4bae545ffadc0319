/* Types of migrate_convert.h: what a legacy column asks for, names, and what is wider than what. */
#include <stdio.h>

#include "tools/qtdb-migrate/migrate_convert.h"

enum { CHARACTERS_MAX = 10485760 /* PostgreSQL's limit of varchar(n) and char(n). */ };

static struct target_type
plain(enum qtdb_type type)
{
    return (struct target_type){.type = type, .precision = -1, .scale = -1};
}

static struct target_type
sized(enum qtdb_type type, uint64_t size)
{
    struct target_type result = plain(type);

    if (size == 0 || size > CHARACTERS_MAX)
        return plain(QTDB_TYPE_TEXT);
    result.size = (uint32_t)size;
    return result;
}

static struct target_type
numeric(uint8_t precision, uint8_t scale)
{
    struct target_type result = plain(QTDB_TYPE_NUMERIC);

    if (precision > 0 && scale <= precision) {
        result.precision = precision;
        result.scale = scale;
    }
    return result;
}

struct target_type
convert_type_of(const struct legacy_column *column)
{
    static const enum qtdb_type types[] = {
        [LEGACY_COLUMN_SMALLINT] = QTDB_TYPE_INT2,
        [LEGACY_COLUMN_INTEGER] = QTDB_TYPE_INT8, /* It held 64 bits, and BIGINT was it too. */
        [LEGACY_COLUMN_REAL] = QTDB_TYPE_FLOAT8,
        [LEGACY_COLUMN_SERIAL] = QTDB_TYPE_INT8,
        [LEGACY_COLUMN_BIGSERIAL] = QTDB_TYPE_INT8,
        [LEGACY_COLUMN_TEXT] = QTDB_TYPE_TEXT,
        [LEGACY_COLUMN_BOOLEAN] = QTDB_TYPE_BOOL,
        [LEGACY_COLUMN_DATE] = QTDB_TYPE_DATE,
        [LEGACY_COLUMN_TIMESTAMP] = QTDB_TYPE_TIMESTAMP,
        [LEGACY_COLUMN_TIMESTAMPTZ] = QTDB_TYPE_TIMESTAMPTZ,
        [LEGACY_COLUMN_UUID] = QTDB_TYPE_UUID,
        [LEGACY_COLUMN_JSON] = QTDB_TYPE_JSON,
        [LEGACY_COLUMN_JSONB] = QTDB_TYPE_JSONB,
        [LEGACY_COLUMN_BYTEA] = QTDB_TYPE_BYTEA,
        [LEGACY_COLUMN_ENUM] = QTDB_TYPE_TEXT,
        [LEGACY_COLUMN_INT4] = QTDB_TYPE_INT4,
        [LEGACY_COLUMN_FLOAT4] = QTDB_TYPE_FLOAT4,
        [LEGACY_COLUMN_TIME] = QTDB_TYPE_TIME,
    };

    switch (column->kind) {
    case LEGACY_COLUMN_NUMERIC:
        return numeric(column->precision, column->scale);
    case LEGACY_COLUMN_VARCHAR:
        return sized(QTDB_TYPE_VARCHAR, column->size);
    case LEGACY_COLUMN_CHAR:
        return sized(QTDB_TYPE_CHAR, column->size);
    default:
        return plain(types[column->kind]);
    }
}

const char *
convert_type_name(const struct target_type *type, char out[TARGET_TYPE_SIZE])
{
    static const char *const names[] = {
        [QTDB_TYPE_BOOL] = "boolean",        [QTDB_TYPE_INT2] = "smallint",
        [QTDB_TYPE_INT8] = "bigint",         [QTDB_TYPE_FLOAT8] = "double precision",
        [QTDB_TYPE_NUMERIC] = "numeric",     [QTDB_TYPE_TEXT] = "text",
        [QTDB_TYPE_VARCHAR] = "varchar",     [QTDB_TYPE_CHAR] = "char",
        [QTDB_TYPE_BYTEA] = "bytea",         [QTDB_TYPE_DATE] = "date",
        [QTDB_TYPE_TIMESTAMP] = "timestamp", [QTDB_TYPE_TIMESTAMPTZ] = "timestamptz",
        [QTDB_TYPE_UUID] = "uuid",           [QTDB_TYPE_JSON] = "json",
        [QTDB_TYPE_JSONB] = "jsonb",         [QTDB_TYPE_INT4] = "integer",
        [QTDB_TYPE_FLOAT4] = "real",         [QTDB_TYPE_TIME] = "time",
    };

    if (type->type == QTDB_TYPE_NUMERIC && type->precision >= 0)
        (void)snprintf(out, TARGET_TYPE_SIZE, "numeric(%d,%d)", type->precision, type->scale);
    else if (type->type == QTDB_TYPE_VARCHAR || type->type == QTDB_TYPE_CHAR)
        (void)snprintf(out, TARGET_TYPE_SIZE, "%s(%u)", names[type->type], type->size);
    else
        (void)snprintf(out, TARGET_TYPE_SIZE, "%s", names[type->type]);
    return out;
}

const char *
convert_legacy_name(const struct legacy_column *column, char out[TARGET_TYPE_SIZE])
{
    static const char *const names[] = {
        "SMALLINT", "INTEGER", "REAL",    "NUMERIC", "SERIAL",    "BIGSERIAL",   "TEXT",
        "VARCHAR",  "CHAR",    "BOOLEAN", "DATE",    "TIMESTAMP", "TIMESTAMPTZ", "UUID",
        "JSON",     "JSONB",   "BYTEA",   "ENUM",    "INT4",      "FLOAT4",      "TIME",
    };

    if (column->declared.size > 0)
        (void)snprintf(out, TARGET_TYPE_SIZE, "%.60s", column->declared.bytes);
    else if (column->kind == LEGACY_COLUMN_NUMERIC)
        (void)snprintf(out, TARGET_TYPE_SIZE, "NUMERIC(%u,%u)", column->precision, column->scale);
    else if (column->kind == LEGACY_COLUMN_VARCHAR || column->kind == LEGACY_COLUMN_CHAR)
        (void)snprintf(out, TARGET_TYPE_SIZE, "%s(%llu)", names[column->kind],
                       (unsigned long long)column->size);
    else if (column->kind == LEGACY_COLUMN_ENUM)
        (void)snprintf(out, TARGET_TYPE_SIZE, "ENUM %.40s", column->enum_name.bytes);
    else
        (void)snprintf(out, TARGET_TYPE_SIZE, "%s", names[column->kind]);
    return out;
}

static bool
holds(const struct target_type *type, const struct legacy_value *value, struct arena *arena)
{
    struct converted converted;

    return convert_value(type, value, arena, &converted) == CONVERT_OK &&
           converted.loss == value->loss;
}

struct target_type
convert_widen(const struct target_type *type, const struct legacy_value *value, struct arena *arena)
{
    static const enum qtdb_type numbers[] = {QTDB_TYPE_INT8, QTDB_TYPE_NUMERIC};
    bool is_small = type->type == QTDB_TYPE_INT2 || type->type == QTDB_TYPE_INT4;
    bool is_number = is_small || type->type == QTDB_TYPE_INT8 || type->type == QTDB_TYPE_FLOAT8 ||
                     type->type == QTDB_TYPE_FLOAT4 ||
                     (type->type == QTDB_TYPE_NUMERIC && type->precision >= 0);
    size_t first = is_small ? 0 : is_number ? 1 : 2;

    for (size_t i = first; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct target_type wider = plain(numbers[i]);

        if (holds(&wider, value, arena))
            return wider;
    }
    return plain(QTDB_TYPE_TEXT);
}
