/*
 * See sqlite_door.h. A file is opened by URI: immutable where no journal lies beside it, so that SQLite
 * makes none and takes no lock; where there is one it has to be read too, and SQLite locks the file.
 * Schemas are not trusted, no value of a source may be longer than 32 MB, and cells are checked as pages are read.
 */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/qtdb-migrate/sqlite_door.h"

enum { VALUE_SIZE_MAX = 32 * 1024 * 1024, URI_SIZE = 3 * 4096 + 64, BUSY_MS = 2000 };

static sqlite3 *
db_of(struct sqlite_file *file)
{
    return (sqlite3 *)(void *)file;
}

static sqlite3_stmt *
statement_of(struct sqlite_query *query)
{
    return (sqlite3_stmt *)(void *)query;
}

static void
explain(sqlite3 *db, char fault[SQLITE_FAULT_SIZE])
{
    (void)snprintf(fault, SQLITE_FAULT_SIZE, "SQLite: %s",
                   db != NULL ? sqlite3_errmsg(db) : "out of memory");
}

static bool
has_journal(const char *path)
{
    static const char *const ends[] = {"-wal", "-journal"};
    char name[4096 + 16];
    struct stat info;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%.4096s%s", path, ends[i]);
        if (stat(name, &info) == 0 && info.st_size > 0)
            return true;
    }
    return false;
}

static void
make_uri(const char *path, bool create, char out[URI_SIZE])
{
    size_t used = (size_t)snprintf(out, URI_SIZE, "file:");

    for (const char *at = path; *at != '\0' && used + 64 < URI_SIZE; at++) {
        if (strchr("?#%", *at) != NULL)
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned)*at);
        else
            out[used++] = *at;
    }
    (void)snprintf(out + used, URI_SIZE - used, "?mode=%s",
                   create              ? "rwc"
                   : has_journal(path) ? "ro"
                                       : "ro&immutable=1");
}

static struct sqlite_file *
open_file(const char *path, bool create, char fault[SQLITE_FAULT_SIZE])
{
    char *uri = malloc(URI_SIZE);
    sqlite3 *db = NULL;
    /* One thread a file: its own locks would cost a tenth of the reading. */
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                (create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    int code = SQLITE_NOMEM;

    if (uri != NULL) {
        make_uri(path, create, uri);
        code = sqlite3_open_v2(uri, &db, flags, NULL);
    }
    free(uri);
    if (code == SQLITE_OK) {
        if (!create)
            (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_SIZE_MAX);
        (void)sqlite3_busy_timeout(db, BUSY_MS);
        code = sqlite3_exec(db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", NULL,
                            NULL, NULL);
    }
    if (code == SQLITE_OK)
        return (struct sqlite_file *)(void *)db;
    explain(db, fault);
    (void)sqlite3_close(db);
    return NULL;
}

static void
close_file(struct sqlite_file *file)
{
    (void)sqlite3_close(db_of(file));
}

static bool
exec(struct sqlite_file *file, const char *sql, char fault[SQLITE_FAULT_SIZE])
{
    if (sqlite3_exec(db_of(file), sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    explain(db_of(file), fault);
    return false;
}

static struct sqlite_query *
prepare(struct sqlite_file *file, const char *sql, char fault[SQLITE_FAULT_SIZE])
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db_of(file), sql, -1, &statement, NULL) == SQLITE_OK)
        return (struct sqlite_query *)(void *)statement;
    explain(db_of(file), fault);
    return NULL;
}

static void
finalize(struct sqlite_query *query)
{
    (void)sqlite3_finalize(statement_of(query));
}

static enum sqlite_step
step(struct sqlite_query *query, char fault[SQLITE_FAULT_SIZE])
{
    switch (sqlite3_step(statement_of(query))) {
    case SQLITE_ROW:
        return SQLITE_STEP_ROW;
    case SQLITE_DONE:
        return SQLITE_STEP_DONE;
    default:
        explain(sqlite3_db_handle(statement_of(query)), fault);
        return SQLITE_STEP_FAILED;
    }
}

static void
reset(struct sqlite_query *query)
{
    (void)sqlite3_reset(statement_of(query));
}

static enum sqlite_class
column_class(struct sqlite_query *query, int column)
{
    switch (sqlite3_column_type(statement_of(query), column)) {
    case SQLITE_INTEGER:
        return SQLITE_CLASS_INTEGER;
    case SQLITE_FLOAT:
        return SQLITE_CLASS_REAL;
    case SQLITE_TEXT:
        return SQLITE_CLASS_TEXT;
    case SQLITE_BLOB:
        return SQLITE_CLASS_BLOB;
    default:
        return SQLITE_CLASS_NULL;
    }
}

static int64_t
column_i64(struct sqlite_query *query, int column)
{
    return sqlite3_column_int64(statement_of(query), column);
}

static double
column_f64(struct sqlite_query *query, int column)
{
    return sqlite3_column_double(statement_of(query), column);
}

static const char *
column_text(struct sqlite_query *query, int column, size_t *size_out)
{
    const unsigned char *text = sqlite3_column_text(statement_of(query), column);

    *size_out = (size_t)sqlite3_column_bytes(statement_of(query), column);
    return (const char *)text;
}

static const void *
column_blob(struct sqlite_query *query, int column, size_t *size_out)
{
    const void *bytes = sqlite3_column_blob(statement_of(query), column);

    *size_out = (size_t)sqlite3_column_bytes(statement_of(query), column);
    return bytes != NULL ? bytes : ""; /* A BLOB of no bytes. */
}

static bool
bind_null(struct sqlite_query *query, int index)
{
    return sqlite3_bind_null(statement_of(query), index) == SQLITE_OK;
}

static bool
bind_i64(struct sqlite_query *query, int index, int64_t value)
{
    return sqlite3_bind_int64(statement_of(query), index, value) == SQLITE_OK;
}

static bool
bind_f64(struct sqlite_query *query, int index, double value)
{
    return sqlite3_bind_double(statement_of(query), index, value) == SQLITE_OK;
}

static bool
bind_text(struct sqlite_query *query, int index, const char *text, size_t size)
{
    return size <= INT_MAX && sqlite3_bind_text(statement_of(query), index, text, (int)size,
                                                SQLITE_TRANSIENT) == SQLITE_OK;
}

static bool
bind_blob(struct sqlite_query *query, int index, const void *bytes, size_t size)
{
    return size <= INT_MAX && sqlite3_bind_blob(statement_of(query), index, bytes, (int)size,
                                                SQLITE_TRANSIENT) == SQLITE_OK;
}

const struct sqlite_door *
sqlite_door_get(void)
{
    static const struct sqlite_door door = {
        .open = open_file,
        .close = close_file,
        .exec = exec,
        .prepare = prepare,
        .finalize = finalize,
        .step = step,
        .reset = reset,
        .column_class = column_class,
        .column_i64 = column_i64,
        .column_f64 = column_f64,
        .column_text = column_text,
        .column_blob = column_blob,
        .bind_null = bind_null,
        .bind_i64 = bind_i64,
        .bind_f64 = bind_f64,
        .bind_text = bind_text,
        .bind_blob = bind_blob,
    };

    return &door;
}
