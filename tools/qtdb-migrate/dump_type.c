/* Names of types in three dialects, by their first word, and what the words behind it change. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/dump_source.h"

struct type_name {
    const char *name;
    enum legacy_column_kind kind;
    enum legacy_column_kind unsigned_kind;
};

static const struct type_name types[] = {
    {"smallint", LEGACY_COLUMN_SMALLINT, LEGACY_COLUMN_INT4},
    {"int2", LEGACY_COLUMN_SMALLINT, LEGACY_COLUMN_INT4},
    {"tinyint", LEGACY_COLUMN_SMALLINT, LEGACY_COLUMN_SMALLINT},
    {"year", LEGACY_COLUMN_SMALLINT, LEGACY_COLUMN_SMALLINT},
    {"mediumint", LEGACY_COLUMN_INT4, LEGACY_COLUMN_INT4},
    {"integer", LEGACY_COLUMN_INT4, LEGACY_COLUMN_INTEGER},
    {"int", LEGACY_COLUMN_INT4, LEGACY_COLUMN_INTEGER},
    {"int4", LEGACY_COLUMN_INT4, LEGACY_COLUMN_INTEGER},
    {"serial", LEGACY_COLUMN_INT4, LEGACY_COLUMN_INT4},
    {"bigint", LEGACY_COLUMN_INTEGER, LEGACY_COLUMN_NUMERIC},
    {"int8", LEGACY_COLUMN_INTEGER, LEGACY_COLUMN_NUMERIC},
    {"bigserial", LEGACY_COLUMN_INTEGER, LEGACY_COLUMN_INTEGER},
    {"float4", LEGACY_COLUMN_FLOAT4, LEGACY_COLUMN_FLOAT4},
    {"double", LEGACY_COLUMN_REAL, LEGACY_COLUMN_REAL},
    {"float8", LEGACY_COLUMN_REAL, LEGACY_COLUMN_REAL},
    {"numeric", LEGACY_COLUMN_NUMERIC, LEGACY_COLUMN_NUMERIC},
    {"decimal", LEGACY_COLUMN_NUMERIC, LEGACY_COLUMN_NUMERIC},
    {"text", LEGACY_COLUMN_TEXT, LEGACY_COLUMN_TEXT},
    {"tinytext", LEGACY_COLUMN_TEXT, LEGACY_COLUMN_TEXT},
    {"mediumtext", LEGACY_COLUMN_TEXT, LEGACY_COLUMN_TEXT},
    {"longtext", LEGACY_COLUMN_TEXT, LEGACY_COLUMN_TEXT},
    {"varchar", LEGACY_COLUMN_VARCHAR, LEGACY_COLUMN_VARCHAR},
    {"char", LEGACY_COLUMN_CHAR, LEGACY_COLUMN_CHAR},
    {"character", LEGACY_COLUMN_CHAR, LEGACY_COLUMN_CHAR},
    {"bpchar", LEGACY_COLUMN_CHAR, LEGACY_COLUMN_CHAR},
    {"boolean", LEGACY_COLUMN_BOOLEAN, LEGACY_COLUMN_BOOLEAN},
    {"bool", LEGACY_COLUMN_BOOLEAN, LEGACY_COLUMN_BOOLEAN},
    {"date", LEGACY_COLUMN_DATE, LEGACY_COLUMN_DATE},
    {"datetime", LEGACY_COLUMN_TIMESTAMP, LEGACY_COLUMN_TIMESTAMP},
    {"timestamp", LEGACY_COLUMN_TIMESTAMP, LEGACY_COLUMN_TIMESTAMP},
    {"timestamptz", LEGACY_COLUMN_TIMESTAMPTZ, LEGACY_COLUMN_TIMESTAMPTZ},
    {"time", LEGACY_COLUMN_TIME, LEGACY_COLUMN_TIME},
    {"uuid", LEGACY_COLUMN_UUID, LEGACY_COLUMN_UUID},
    {"json", LEGACY_COLUMN_JSON, LEGACY_COLUMN_JSON},
    {"jsonb", LEGACY_COLUMN_JSONB, LEGACY_COLUMN_JSONB},
    {"bytea", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"blob", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"tinyblob", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"mediumblob", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"longblob", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"binary", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
    {"varbinary", LEGACY_COLUMN_BYTEA, LEGACY_COLUMN_BYTEA},
};

static void
take_numbers(const char *type, struct legacy_column *column)
{
    const char *open = strchr(type, '(');
    unsigned long first = open != NULL ? strtoul(open + 1, NULL, 10) : 0;
    const char *comma = open != NULL ? strchr(open, ',') : NULL;
    unsigned long second = comma != NULL ? strtoul(comma + 1, NULL, 10) : 0;

    column->size = first;
    if (first <= 255 && second <= 255) {
        column->precision = (uint8_t)first;
        column->scale = (uint8_t)second;
    }
}

static bool
is_word_of(const char *type, const char *word)
{
    const char *at = strcasestr(type, word);

    return at != NULL && (at == type || at[-1] == ' ' || at[-1] == ')');
}

/* Words past the first that change what the type is. */
static enum legacy_column_kind
refine(enum dump_dialect dialect, const char *type, enum legacy_column_kind kind)
{
    if (kind == LEGACY_COLUMN_CHAR && is_word_of(type, "varying"))
        return LEGACY_COLUMN_VARCHAR;
    if (kind == LEGACY_COLUMN_TIMESTAMP && is_word_of(type, "with time zone"))
        return LEGACY_COLUMN_TIMESTAMPTZ;
    /* mysqldump writes its timestamps in UTC. */
    if (dialect == DUMP_MYSQL && strncasecmp(type, "timestamp", 9) == 0)
        return LEGACY_COLUMN_TIMESTAMPTZ;
    if (kind == LEGACY_COLUMN_TIME && is_word_of(type, "with time zone"))
        return LEGACY_COLUMN_TEXT;
    return kind;
}

bool
dump_find_type(enum dump_dialect dialect, struct legacy_column *column)
{
    const char *type = column->declared.bytes;
    size_t size = strcspn(type, " (\n\t");

    column->kind = LEGACY_COLUMN_TEXT;
    if (strchr(type, '[') != NULL)
        return false;
    take_numbers(type, column);
    if (size == 4 && strncasecmp(type, "real", 4) == 0) {
        column->kind = dialect == DUMP_POSTGRES ? LEGACY_COLUMN_FLOAT4 : LEGACY_COLUMN_REAL;
        return true;
    }
    if (size == 5 && strncasecmp(type, "float", 5) == 0) {
        column->kind = dialect == DUMP_MYSQL ? LEGACY_COLUMN_FLOAT4 : LEGACY_COLUMN_REAL;
        return true;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].name) != size || strncasecmp(types[i].name, type, size) != 0)
            continue;
        column->kind = is_word_of(type, "unsigned") ? types[i].unsigned_kind : types[i].kind;
        column->kind = refine(dialect, type, column->kind);
        if (column->kind == LEGACY_COLUMN_NUMERIC && types[i].kind == LEGACY_COLUMN_INTEGER)
            column->precision = 20;
        if (column->kind == LEGACY_COLUMN_CHAR && column->size == 0)
            column->size = 1;
        return true;
    }
    return false;
}
