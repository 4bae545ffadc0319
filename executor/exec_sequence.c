/* CREATE SEQUENCE, ALTER SEQUENCE and COMMENT (define.h). */
#include <string.h>

#include "executor/define.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

/* OWNED BY table.column: a mutual note; NONE takes it away. */
static enum status
set_owner(struct exec_context *context, const struct ast_sequence_option *option,
          const struct ast_name *name, struct sequence_definition *io, struct arena *arena)
{
    struct ast_name place = {.schema = name->schema, .location = -1};
    struct define define = {.context = context, .arena = arena};
    uint32_t column = 0;

    if (io->owner_table != NULL) {
        place.name = io->owner_table;
        TRY(define_open(context, &place, arena, &define.table));
        column = table_column_find(define.table, io->owner_column);
        if (column != UINT32_MAX) {
            if (define.table->columns[column].generated >= TABLE_IDENTITY_DEFAULT)
                return sql_error_set(context->error, "0A000", -1,
                                     "cannot change ownership of identity sequence");
            define.table->columns[column].sequence = NULL;
            TRY(table_replace(context->txn, define.table, arena, context->error));
        }
    }
    io->owner_table = io->owner_column = NULL;
    if (option->name_count < 2) {
        if (strcmp(option->names[0], "none") == 0)
            return STATUS_OK;
        return sql_error_set(context->error, "42601", option->location, "invalid OWNED BY option");
    }
    place.name = option->names[option->name_count - 2];
    place.schema = option->name_count > 2 ? option->names[option->name_count - 3] : NULL;
    TRY(define_open(context, &place, arena, &define.table));
    if (strcmp(define.table->schema, name->schema != NULL ? name->schema : "public") != 0)
        return sql_error_set(context->error, "55000", option->location,
                             "sequence must be in same schema as table it is linked to");
    TRY(define_find_column(&define, option->names[option->name_count - 1], &column));
    struct table_column *target = &define.table->columns[column];
    if (target->sequence != NULL && strcmp(target->sequence, name->name) != 0)
        return sql_error_set(context->error, "0A000", option->location,
                             "a column that owns two sequences is not supported");
    target->sequence = name->name;
    io->owner_table = define.table->name;
    io->owner_column = target->name;
    return table_replace(context->txn, define.table, arena, context->error);
}

static const struct ast_sequence_option *
find_option(const struct ast_sequence *ast, enum ast_sequence_option_kind kind)
{
    for (uint32_t i = 0; i < ast->option_count; i++) {
        if (ast->options[i].kind == kind)
            return &ast->options[i];
    }
    return NULL;
}

enum status
exec__create_sequence(struct exec_context *context, const struct ast_sequence *ast,
                      struct arena *arena)
{
    const struct ast_sequence_option *owner = find_option(ast, AST_SEQUENCE_OWNED);
    struct sequence_definition definition = {.increment = 1};
    struct ast_name name;

    TRY(search_path_new(context->txn, context->path, &ast->name, &name, context->error));
    if (ast->missing_ok) {
        enum status status =
            catalog_has(context->txn, CATALOG_SEQUENCE, name.schema, name.name, context->error);

        if (status != STATUS_NOT_FOUND)
            return status;
    }
    TRY(sequence_define(QTDB_TYPE_INT8, ast->options, ast->option_count, &definition, true,
                        context->error));
    TRY(sequence_create(context->txn, context->db, &name, &definition, context->error));
    if (owner == NULL)
        return STATUS_OK;
    TRY(set_owner(context, owner, &name, &definition, arena));
    return sequence_store(context->txn, &name, &definition, true, context->error);
}

/* `next` is what the sequence as it was would have given: the new step starts from the value before. */
static enum status
go_on(struct exec_context *context, const char *name, const struct sequence_definition *before,
      struct sequence_definition *io, int64_t next)
{
    int64_t value = 0;

    if (next != before->start && (__builtin_sub_overflow(next, before->increment, &next) ||
                                  __builtin_add_overflow(next, io->increment, &next)))
        next = io->increment > 0 ? INT64_MAX : INT64_MIN;
    if (next >= io->min && next <= io->max)
        return sequence_restart(context->txn, context->db, io, next, context->error);
    /* Past the end, as the next call is to find. */
    TRY(sequence_restart(context->txn, context->db, io, io->increment > 0 ? io->max : io->min,
                         context->error));
    return sequence_next(context->db, name, io, &value, context->error);
}

enum status
exec__alter_sequence(struct exec_context *context, const struct ast_sequence *ast,
                     struct arena *arena)
{
    const struct ast_sequence_option *owner = find_option(ast, AST_SEQUENCE_OWNED);
    const struct ast_sequence_option *restart = find_option(ast, AST_SEQUENCE_RESTART);
    struct sequence_definition definition, before;
    struct ast_name name;
    int64_t next = 0;

    TRY(search_path_find(context->txn, context->path, &ast->name, "q", &name, context->error));
    enum status status = sequence_find(context->txn, &name, arena, &definition, context->error);
    if (status == STATUS_INVALID && ast->missing_ok &&
        strcmp(context->error->sqlstate, "42P01") == 0)
        return STATUS_OK;
    TRY(status);
    before = definition;
    TRY(sequence_define(definition.type, ast->options, ast->option_count, &definition, false,
                        context->error));
    /* Other bounds or another step: the counter counts anew, from where the values are. */
    if (restart != NULL) {
        TRY(sequence_restart(context->txn, context->db, &definition,
                             restart->none ? definition.start : restart->integer, context->error));
    } else if (before.min != definition.min || before.max != definition.max ||
               before.increment != definition.increment) {
        TRY(sequence_next(context->db, name.name, &before, &next, context->error));
        TRY(go_on(context, name.name, &before, &definition, next));
    }
    if (owner != NULL)
        TRY(set_owner(context, owner, &name, &definition, arena));
    return sequence_store(context->txn, &name, &definition, true, context->error);
}

/* COMMENT: a table's and a column's are in the definition, others have an entry of their own. */

static enum status
comment_other(struct exec_context *context, const struct ast_comment *ast, struct arena *arena)
{
    static const char letters[] = {
        [AST_DROP_SCHEMA] = 's',   [AST_DROP_INDEX] = 'i', [AST_DROP_VIEW] = 'w',
        [AST_DROP_SEQUENCE] = 'q', [AST_DROP_TYPE] = 'e',
    };
    char kinds[2] = {letters[ast->kind], '\0'};
    struct ast_name name = ast->name;
    enum status status;

    if (ast->kind == AST_DROP_SCHEMA) {
        status = schema_find(context->txn, name.name, context->error);
        name.schema = name.name;
    } else {
        TRY(search_path_find(context->txn, context->path, &ast->name, kinds, &name,
                             context->error));
        status =
            catalog_has(context->txn, (enum catalog_kind)kinds[0],
                        name.schema != NULL ? name.schema : "public", name.name, context->error);
    }
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(context->error,
                             ast->kind == AST_DROP_SCHEMA ? "3F000"
                             : ast->kind == AST_DROP_TYPE ? "42704"
                                                          : "42P01",
                             -1, "%s \"%s\" does not exist",
                             ast->kind == AST_DROP_SCHEMA ? "schema"
                             : ast->kind == AST_DROP_TYPE ? "type"
                                                          : "relation",
                             ast->name.name);
    TRY(status);
    size_t size = strlen(name.name);
    char *key = arena_alloc(arena, size + 2);
    if (key == NULL)
        return STATUS_NO_MEMORY;
    key[0] = kinds[0];
    memcpy(key + 1, name.name, size + 1);
    name.name = key;
    if (ast->text != NULL)
        return catalog_put(context->txn, CATALOG_COMMENT, &name, ast->text, true, context->error);
    status = catalog_remove(context->txn, CATALOG_COMMENT,
                            name.schema != NULL ? name.schema : "public", key, context->error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status
exec__comment(struct exec_context *context, const struct ast_comment *ast, struct arena *arena)
{
    struct define define = {.context = context, .arena = arena};
    uint32_t column = 0;

    if (!ast->column && ast->kind != AST_DROP_TABLE)
        return comment_other(context, ast, arena);
    TRY(define_open(context, &ast->name, arena, &define.table));
    if (ast->column) {
        TRY(define_find_column(&define, ast->part, &column));
        define.table->columns[column].comment = ast->text;
    } else {
        define.table->comment = ast->text;
    }
    return table_replace(context->txn, define.table, arena, context->error);
}
