/*
 * Schemas of temporary tables, one a session: pg_temp_INSTANCE_NUMBER, where the instance is this opening of the
 * file. A session drops its own when it closes; what a crash leaves behind is dropped when the first temporary
 * table is made after the file was opened again.
 */
#ifndef EXECUTOR_TEMPORARY_H
#define EXECUTOR_TEMPORARY_H

#include "executor/exec.h"

enum { TEMPORARY_NAME_SIZE = 48 };

/** A name that no other session has. */
void temporary_name(struct qtdb *db, struct io *io, char out[TEMPORARY_NAME_SIZE]);
/** Makes the schema that the context's path names, unless it is there. The catalog is locked. */
MUST_CHECK enum status temporary_make_schema(struct exec_context *context, struct arena *arena);
/** Takes all rows of a table. */
MUST_CHECK enum status temporary_delete_rows(const struct exec_context *context,
                                             const struct ast_name *table, struct arena *arena);

#endif
