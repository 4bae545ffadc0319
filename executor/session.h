/* Sessions and statements, inside: shared by session.c and statement.c. */
#ifndef EXECUTOR_SESSION_H
#define EXECUTOR_SESSION_H

#include "executor/exec.h"

struct qtdb_session {
    struct qtdb *db;
    struct memory *memory;
    struct qtdb_txn *txn; /* NULL outside a transaction block. */
    bool aborted;         /* The block failed: only ROLLBACK is taken. */
    _Atomic bool interrupted;
};

/** Turns what went wrong into the thread's qtdb_error; positions count characters of `sql`. */
enum qtdb_code session_report(enum status status, const struct sql_error *error, const char *sql);

/** BEGIN, COMMIT, ROLLBACK; sets the tag. */
MUST_CHECK enum status session_transaction(struct qtdb_session *session,
                                           enum ast_transaction_kind kind, const char **tag_out,
                                           struct sql_error *error);

#endif
