/* Running ANALYZE. */
#ifndef EXECUTOR_EXEC_ANALYZE_H
#define EXECUTOR_EXEC_ANALYZE_H

#include "executor/ast_define.h"
#include "executor/exec.h"

/** 42P01, 42703 and 42701 as in PostgreSQL. */
MUST_CHECK enum status exec_analyze(struct exec_context *context, const struct ast_analyze *ast,
                                    struct arena *arena);
/** One table by its schema and name. Without `wait` STATUS_CONFLICT while another does the same. */
MUST_CHECK enum status exec_analyze_table(struct exec_context *context,
                                          const struct ast_analyze_table *ast, bool wait,
                                          struct arena *arena);

#endif
