/* COPY: rows from and to files and the client's bytes. */
#ifndef EXECUTOR_EXEC_COPY_H
#define EXECUTOR_EXEC_COPY_H

#include "executor/ast_define.h"
#include "executor/exec.h"

/** Runs it to its end. `client` may be NULL: then only files serve. Memory of `arena` is the statement's. */
MUST_CHECK enum status exec_copy(struct exec_context *context, const struct ast_copy *ast,
                                 const struct qtdb_copy *client, struct arena *arena,
                                 const struct table **table_out, uint64_t *row_count);

#endif
