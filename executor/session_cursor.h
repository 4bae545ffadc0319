/*
 * Cursors of SQL. DECLARE runs its query to the end and keeps the rows, so that a cursor shows what its query saw and
 * moves both ways: in memory up to the work limit, the rest in a temporary file, which is read forward, so that going
 * back there begins it anew. A cursor ends with the block that declared it, or WITH HOLD with the session.
 * One thread at a time.
 */
#ifndef EXECUTOR_SESSION_CURSOR_H
#define EXECUTOR_SESSION_CURSOR_H

#include "executor/exec_spill.h"
#include "executor/rel.h"

struct qtdb_session;

struct session_cursor {
    struct session_cursor *next;
    struct memory *memory;
    struct arena arena; /* Name and columns. */
    const char *name;
    uint64_t serial; /* Of the session's cursors. */
    bool forward_only;
    bool hold;
    bool fresh;  /* Declared in the block that is open. */
    bool failed; /* A FETCH did: it gives nothing more. */
    uint32_t column_count;
    struct rel_column *columns;
    struct exec_rows rows;       /* The first ones; */
    bool has_rest;               /* and those behind them. */
    struct exec_context context; /* What the file asks for. */
    struct exec__spill spill;
    struct exec__stream rest;
    struct exec__reader reader;
    bool reads;          /* The reader is begun, */
    uint64_t read_count; /* and has given so many. */
    uint64_t count;      /* All rows. */
    uint64_t position;   /* 0: before the first; count + 1: behind the last. */
};

/** Without rows, and in no list. `context` gives memory, limits and database. NULL: no memory. */
struct session_cursor *cursor_new(const struct exec_context *context, const char *name,
                                  const struct rel_column *columns, uint32_t column_count);
MUST_CHECK enum status cursor_add(struct session_cursor *cursor, const struct value *row,
                                  struct sql_error *error);
/** No more rows come. */
MUST_CHECK enum status cursor_finish(struct session_cursor *cursor, struct sql_error *error);
/** The row of this number, from 1, bytes in the arena. */
MUST_CHECK enum status cursor_read(struct session_cursor *cursor, uint64_t number,
                                   struct arena *arena, struct value **out,
                                   struct sql_error *error);
/** NULL is fine. */
void cursor_free(struct session_cursor *cursor);

/** NULL: there is none. */
struct session_cursor *session_cursor_find(const struct qtdb_session *session, const char *name);
/** NULL: all of them. */
void session_cursor_close(struct qtdb_session *session, const char *name);
/** A block has ended: its own go, but those WITH HOLD of a committed one. */
void session_cursor_end(struct qtdb_session *session, bool committed);
/** ROLLBACK TO: those declared since this serial go. */
void session_cursor_undo(struct qtdb_session *session, uint64_t serial);

#endif
