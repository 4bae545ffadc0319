/*
 * Expressions of definitions as SQL text: what the catalog stores for DEFAULT, CHECK, generated columns
 * and indexes, read back by the parser. Columns are written by their last name, so that a renamed
 * table needs no new text.
 */
#ifndef EXECUTOR_AST_PRINT_H
#define EXECUTOR_AST_PRINT_H

#include "executor/ast.h"
#include "executor/parse.h"

/** 0A000 for what may not stand in a definition (queries, parameters, aggregates' clauses). */
MUST_CHECK enum status ast_print(const struct ast_expr *expr, struct arena *arena, const char **out,
                                 struct sql_error *error);
/** The expression of such a text. XX001 when it is none. */
MUST_CHECK enum status ast_read(const char *text, struct arena *arena, struct ast_expr **out,
                                struct sql_error *error);
bool ast_names_column(const struct ast_expr *expr, const char *name);
void ast_rename_column(struct ast_expr *expr, const char *from, const char *to);
/** Calls a function of one of these names (NULL ends the list). */
bool ast_calls(const struct ast_expr *expr, const char *const *names);

#endif
