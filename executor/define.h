/*
 * Making and changing definitions: what CREATE TABLE, ALTER TABLE and their kin share.
 *
 * Definitions change one transaction after the other: each statement first takes the catalog's lock,
 * then those of the tables it changes, which wait for the transactions that change their rows; then
 * the snapshot is renewed, so that what those wrote is seen.
 */
#ifndef EXECUTOR_DEFINE_H
#define EXECUTOR_DEFINE_H

#include "executor/ast_define.h"
#include "executor/change.h"
#include "executor/search_path.h"

struct define {
    struct exec_context *context;
    struct arena *arena;
    struct table *table;
};

struct bind define_bind(const struct exec_context *context, struct arena *arena);

/* define_column.c */
/** Appends a column with its NOT NULL, DEFAULT, identity and serial; other constraints are left. */
MUST_CHECK enum status define_column(struct define *define, const struct ast_column_definition *ast,
                                     uint32_t *out);
/** What can only be bound when all columns are there: DEFAULT and GENERATED expressions. */
MUST_CHECK enum status define_column_exprs(struct define *define,
                                           const struct ast_column_definition *ast,
                                           uint32_t column);
/** `ast` NULL: taken away. */
MUST_CHECK enum status define_default(struct define *define, uint32_t column,
                                      const struct ast_expr *ast);
MUST_CHECK enum status define_identity(struct define *define, uint32_t column,
                                       const struct ast_constraint *ast);
/** nextval('schema.sequence') */
MUST_CHECK enum status define_serial_text(struct arena *arena, const char *schema,
                                          const char *sequence, const char **expr_out);
/** 42703 when there is none. */
MUST_CHECK enum status define_find_column(const struct define *define, const char *name,
                                          uint32_t *out);

/* define_like.c */
/** CREATE TABLE with the columns and constraints of LIKE among its own, and the indexes that come after
 * it; `*out` is `ast` itself where there is no LIKE. */
MUST_CHECK enum status define_like(const struct exec_context *context,
                                   const struct ast_create_table *ast, struct arena *arena,
                                   const struct ast_create_table **out,
                                   struct ast_create_index ***indexes_out, uint32_t *count_out);

/* define_constraint.c: `column` UINT32_MAX: a constraint of the table. */
MUST_CHECK enum status define_constraint(struct define *define, const struct ast_constraint *ast,
                                         uint32_t column);
/** The table referred to knows of its foreign key from here on. */
MUST_CHECK enum status define_link(struct define *define, const struct table_foreign *foreign);
/** Takes the table off the list of the table it refers to, unless another key still does. */
MUST_CHECK enum status define_unlink(struct define *define, const struct table *child,
                                     const char *schema, const char *table);
/** Drops the foreign keys of `child` that refer to a table. */
MUST_CHECK enum status define_drop_foreigns(struct define *define, const char *child_schema,
                                            const char *child, const char *schema,
                                            const char *table);
bool define_is_name(const struct table *table, const char *schema, const char *name);

/* define_rows.c: rows that are there. */
/** Each row holds to the check, or to NOT NULL of the column (`check` UINT32_MAX). */
MUST_CHECK enum status define_validate(struct define *define, uint32_t check, uint32_t column);
/** Writes every row anew: column i of `to` is exprs[i] over the row of `from`. */
MUST_CHECK enum status define_rewrite(struct define *define, const struct table *from,
                                      struct table *to, struct expr *const *exprs);
MUST_CHECK enum status define_is_empty(struct define *define, const struct table *table, bool *out);

/* exec_drop.c */
MUST_CHECK enum status exec__drop(struct exec_context *context, const struct ast_drop *ast,
                                  struct arena *arena);
MUST_CHECK enum status exec__truncate(struct exec_context *context, const struct ast_truncate *ast,
                                      struct arena *arena);
/** Drops the sequences a table owns; `column` UINT32_MAX: of all its columns. */
MUST_CHECK enum status define_drop_sequences(struct define *define, uint32_t column);

/* exec_sequence.c */
MUST_CHECK enum status exec__alter_database(struct exec_context *context,
                                            const struct ast_set *ast);
MUST_CHECK enum status exec__comment(struct exec_context *context, const struct ast_comment *ast,
                                     struct arena *arena);

/* exec_enum.c */
MUST_CHECK enum status exec__create_enum(struct exec_context *context, const struct ast_enum *ast,
                                         struct arena *arena);
MUST_CHECK enum status exec__alter_enum(struct exec_context *context, const struct ast_enum *ast,
                                        struct arena *arena);
/** To another schema or name, NULL: its own. */
MUST_CHECK enum status exec__move_enum(struct exec_context *context, const struct ast_name *name,
                                       const char *schema, const char *to, struct arena *arena);
/** STATUS_NOT_FOUND without an error set when there is none; 2BP01 while a table has columns of it. */
MUST_CHECK enum status exec__drop_enum(struct exec_context *context, const struct ast_name *name,
                                       bool cascade, struct arena *arena);

/* exec_alter.c, exec_rename.c, exec_sequence.c */
MUST_CHECK enum status exec__alter_table(struct exec_context *context,
                                         const struct ast_alter_table *ast, struct arena *arena);
MUST_CHECK enum status exec__rename(struct exec_context *context, const struct ast_rename *ast,
                                    bool schema, struct arena *arena);
MUST_CHECK enum status exec__create_sequence(struct exec_context *context,
                                             const struct ast_sequence *ast, struct arena *arena);
MUST_CHECK enum status exec__alter_sequence(struct exec_context *context,
                                            const struct ast_sequence *ast, struct arena *arena);

/** Finds a table to be changed and locks it against changes of its rows. */
MUST_CHECK enum status define_open(struct exec_context *context, const struct ast_name *name,
                                   struct arena *arena, struct table **out);

/* exec_index.c */
MUST_CHECK enum status exec__fill_index(const struct exec_context *context,
                                        const struct table *table, uint32_t position);

#endif
