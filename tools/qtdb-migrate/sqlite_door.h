/*
 * libsqlite3 behind one door: what qtdb-migrate needs of it. peer_sqlite3.c alone sees its header and is
 * left out of the build where that is not installed; users then find sqlite_door_get to be NULL (they
 * declare it weak). Faults are texts in the caller's buffer. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_SQLITE_DOOR_H
#define TOOLS_QTDB_MIGRATE_SQLITE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SQLITE_FAULT_SIZE = 400 };

enum sqlite_class {
    SQLITE_CLASS_INTEGER = 1,
    SQLITE_CLASS_REAL = 2,
    SQLITE_CLASS_TEXT = 4,
    SQLITE_CLASS_BLOB = 8,
    SQLITE_CLASS_NULL = 16,
};

enum sqlite_step { SQLITE_STEP_ROW = 1, SQLITE_STEP_DONE = 2, SQLITE_STEP_FAILED = 3 };

struct sqlite_file;
struct sqlite_query;

struct sqlite_door {
    /* Reading never changes the file; what lies in its journal is read with it. */
    struct sqlite_file *(*open)(const char *path, bool create, char fault[SQLITE_FAULT_SIZE]);
    void (*close)(struct sqlite_file *file); /* NULL is fine; queries must be gone. */
    /* Runs all statements of a text. */
    bool (*exec)(struct sqlite_file *file, const char *sql, char fault[SQLITE_FAULT_SIZE]);
    struct sqlite_query *(*prepare)(struct sqlite_file *file, const char *sql,
                                    char fault[SQLITE_FAULT_SIZE]);
    void (*finalize)(struct sqlite_query *query); /* NULL is fine. */
    enum sqlite_step (*step)(struct sqlite_query *query, char fault[SQLITE_FAULT_SIZE]);
    void (*reset)(struct sqlite_query *query);
    /* Columns count from 0; texts are UTF-8, NUL-terminated, and live until the next step. */
    enum sqlite_class (*column_class)(struct sqlite_query *query, int column);
    int64_t (*column_i64)(struct sqlite_query *query, int column);
    double (*column_f64)(struct sqlite_query *query, int column);
    const char *(*column_text)(struct sqlite_query *query, int column, size_t *size_out);
    const void *(*column_blob)(struct sqlite_query *query, int column, size_t *size_out);
    /* Parameters count from 1; bytes are copied. */
    bool (*bind_null)(struct sqlite_query *query, int index);
    bool (*bind_i64)(struct sqlite_query *query, int index, int64_t value);
    bool (*bind_f64)(struct sqlite_query *query, int index, double value);
    bool (*bind_text)(struct sqlite_query *query, int index, const char *text, size_t size);
    bool (*bind_blob)(struct sqlite_query *query, int index, const void *bytes, size_t size);
};

const struct sqlite_door *sqlite_door_get(void);

#endif
