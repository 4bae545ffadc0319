/* Texts of SQL (sql_text.h). */
#include "executor/sql_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
sql_text_init(struct sql_text *text, struct arena *arena)
{
    *text = (struct sql_text){.arena = arena, .status = STATUS_OK};
    sql_text_add(text, "");
}

static void
add_bytes(struct sql_text *text, const char *more, size_t size)
{
    if (text->status != STATUS_OK)
        return;
    if (text->size + size + 1 > text->capacity) {
        size_t capacity = 2 * (text->size + size) + 64;
        char *grown = arena_alloc(text->arena, capacity);

        if (grown == NULL) {
            text->status = STATUS_NO_MEMORY;
            return;
        }
        if (text->size > 0)
            memcpy(grown, text->bytes, text->size);
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->size, more, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void
sql_text_add(struct sql_text *text, const char *more)
{
    add_bytes(text, more, strlen(more));
}

void
sql_text_print(struct sql_text *text, const char *format, ...)
{
    char line[600];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    add_bytes(text, line, size < (int)sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

static void
add_quoted(struct sql_text *text, const char *name, char quote)
{
    add_bytes(text, &quote, 1);
    for (; *name != '\0'; name++) {
        if (*name == quote)
            add_bytes(text, &quote, 1);
        add_bytes(text, name, 1);
    }
    add_bytes(text, &quote, 1);
}

/* Words that the grammar does not take as a name of everything, in order. */
static const char *const reserved[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
};

static bool
is_plain(const char *name)
{
    bool plain = (*name >= 'a' && *name <= 'z') || *name == '_';

    for (const char *at = name; plain && *at != '\0'; at++)
        plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]) && plain; i++)
        plain = strcmp(reserved[i], name) != 0;
    return plain;
}

void
sql_text_add_name(struct sql_text *text, const char *name)
{
    if (is_plain(name))
        sql_text_add(text, name);
    else
        add_quoted(text, name, '"');
}

void
sql_text_add_literal(struct sql_text *text, const char *literal)
{
    add_quoted(text, literal, '\'');
}
