/*
 * From SQL text to syntax trees: libpg_query's raw parser (PostgreSQL 15's grammar), then a
 * conversion into ast.h with a depth limit.
 *
 * Thread-safe. Errors: STATUS_INVALID with a struct sql_error; STATUS_NO_MEMORY.
 */
#ifndef EXECUTOR_PARSE_H
#define EXECUTOR_PARSE_H

#include "executor/ast.h"
#include "kernel/base/memory.h"

enum { PARSE_DEPTH_MAX = 1000 };

/* What went wrong in a text: SQLSTATE, message, and the byte offset (-1: none). */
struct sql_error {
    char sqlstate[6];
    char message[400];
    int32_t location;
};

/** Sets all fields; the format is cut at the message's size. Returns STATUS_INVALID. */
__attribute__((format(printf, 4, 5))) enum status sql_error_set(struct sql_error *error,
                                                                const char *sqlstate,
                                                                int32_t location,
                                                                const char *format, ...);

/**
 * Parses every statement of `sql` (NUL-terminated) into the arena. An empty text gives none.
 */
MUST_CHECK enum status sql_parse(const char *sql, struct arena *arena,
                                 struct ast_statement **statements_out, uint32_t *count_out,
                                 struct sql_error *error);

/** True for a word that is no name without quotes everywhere. */
bool parse_is_keyword(const char *word, size_t size);

#endif
