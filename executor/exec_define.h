/* Running definitions: CREATE, ALTER, DROP, TRUNCATE, COMMENT. */
#ifndef EXECUTOR_EXEC_DEFINE_H
#define EXECUTOR_EXEC_DEFINE_H

#include "executor/exec.h"

/* A definition that waits for others' tries this often for a snapshot as new as its lock. */
enum { LOCK_ATTEMPTS_MAX = 1000 };

struct define_result {
    const char *tag; /* Of the command. */
    bool counts;     /* The tag goes on with the number of rows. */
    bool made;       /* CREATE TABLE: there was none before. */
    uint64_t row_count;
};

/** True for what makes something in the session's temporary schema, whose name the context's path has then. */
bool exec_makes_temporary(const struct ast_statement *statement);
/** True for what exec_define runs. */
bool exec_is_definition(enum ast_statement_kind kind);
/** `sql` is the text that the statement's location counts in. */
MUST_CHECK enum status exec_define(struct exec_context *context, const char *sql,
                                   const struct ast_statement *statement, struct arena *arena,
                                   struct define_result *result);

#endif
