/*
 * What a database holds besides rows, read through SQL: the statements that make everything anew, in their
 * order (pg_catalog.qtdb_definitions), the tables with their columns, and where the sequences stand. For
 * programs that write a database in another form. Everything lives in the caller's arena; one thread.
 *
 * A catalog is of one moment when its session is in a REPEATABLE READ transaction; sequences are beside all
 * transactions and may have gone on.
 */
#ifndef TOOLS_COMMON_SQL_CATALOG_H
#define TOOLS_COMMON_SQL_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/qtdb.h"
#include "tools/common/text_buffer.h"

struct sql_definition {
    const char *schema;
    const char *name;
    const char *kind; /* schema, sequence, table, index, foreign key, owner, view, comment. */
    const char *sql;  /* Without a semicolon at its end; a view's may be three statements. */
    struct sql_definition *next;
};

struct sql_column {
    const char *name;
    const char *type;        /* Its name without a length: "character varying". */
    const char *length;      /* Of texts, characters; NULL: none. */
    const char *precision;   /* Of numeric; NULL: none. */
    const char *scale;       /* Of numeric with a precision. */
    const char *default_sql; /* NULL: none, or generated. */
    bool not_null;
    bool identity;
    bool generated; /* Its values are computed, and stored. */
};

struct sql_sequence {
    const char *schema;
    const char *name;
    const char *next; /* The value that comes next; NULL: it is used up. */
    const char *end;  /* The last value it can give. */
    bool of_identity; /* It has no CREATE SEQUENCE of its own. */
    struct sql_sequence *following;
};

struct sql_table {
    const char *schema;
    const char *name;
    const char *definition; /* CREATE TABLE ... */
    uint32_t column_count;
    struct sql_column *columns;
    struct sql_table *next;
};

struct sql_catalog {
    struct arena *arena;
    struct sql_definition *definitions;
    struct sql_table *tables; /* As in the definitions. */
    struct sql_sequence *sequences;
    uint32_t table_count;
    char fault[512];
};

/** False: `fault` says why. */
bool sql_catalog_load(struct sql_catalog *catalog, struct qtdb_session *session,
                      struct arena *arena);

/** "schema"."name", appended. */
void sql_catalog_add_name(struct text_buffer *sql, const char *schema, const char *name);

#endif
