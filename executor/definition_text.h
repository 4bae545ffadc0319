/* Definitions of the catalog as the statements that make them. Texts are appended; `text->status` tells
 * of failures. */
#ifndef EXECUTOR_DEFINITION_TEXT_H
#define EXECUTOR_DEFINITION_TEXT_H

#include "executor/enumeration.h"
#include "executor/sql_sequence.h"
#include "executor/sql_text.h"
#include "executor/table.h"

/** schema.name */
void definition_name(struct sql_text *text, const char *schema, const char *name);
/** A column's type with its modifiers; an enum by schema and name. */
void definition_column_type(struct sql_text *text, const struct table_column *column);
/** CREATE TYPE ... AS ENUM. */
void definition_enum(struct sql_text *text, const struct enumeration *type);
/** A column's DEFAULT or what generates it, without the word; false: it has neither. */
bool definition_default(struct sql_text *text, const struct table *table, uint32_t column);
/** CREATE TABLE without foreign keys. */
void definition_table(struct sql_text *text, const struct table *table);
/** CREATE INDEX of one that is no constraint. */
void definition_index(struct sql_text *text, const struct table *table, uint32_t index);
/** FOREIGN KEY ... REFERENCES ... */
void definition_foreign(struct sql_text *text, const struct table *table,
                        const struct table_foreign *foreign);
void definition_sequence(struct sql_text *text, const char *schema, const char *name,
                         const struct sequence_definition *sequence);

#endif
