/*
 * A whole database as SQL that makes it anew, in qtdb and in psql: the shell's .dump and
 * qtdb-migrate --to sql. One implementation, one format:
 *
 *    SET ...; BEGIN;
 *    schemas, sequences, tables        as qtdb_definitions has them
 *    INSERTs of up to 500 rows or 64 KiB, table by table, in the order of their keys
 *    indexes, foreign keys, owners of sequences, views, comments
 *    SELECT pg_catalog.setval(...) for each sequence; COMMIT;
 *
 * Values are literals in their type's text form, so that nothing depends on how a number is read. All is
 * one transaction of the reader; what is written is one moment of the database, sequences apart. Memory is
 * the catalog and one statement. One thread.
 */
#ifndef TOOLS_COMMON_SQL_DUMP_H
#define TOOLS_COMMON_SQL_DUMP_H

#include <stdio.h>

#include "tools/common/sql_catalog.h"

struct sql_dump {
    struct qtdb_session *session; /* In a REPEATABLE READ transaction, if one moment is wanted. */
    struct memory *memory;
    FILE *file;
    /* Of each row that was written, before the next; NULL: nobody. False stops. */
    bool (*row)(void *context, const struct sql_table *table, struct qtdb_statement *row);
    void *context;
    uint64_t row_count;
    bool stopped;
    char fault[512];
};

/** Writes `catalog`, which is of the same session, and all rows. False: `fault`, or `stopped`. Does not
 * flush the file. */
bool sql_dump_write(struct sql_dump *dump, const struct sql_catalog *catalog);

/** SELECT of all columns of a table in their order, appended. */
void sql_dump_add_select(struct text_buffer *sql, const struct sql_table *table);

#endif
