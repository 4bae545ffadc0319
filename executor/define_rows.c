/* Rows that are there when a definition changes: checked, or written anew (define.h). */
#include <string.h>

#include "executor/define.h"
#include "kernel/base/check.h"

typedef enum status row_fn(void *state, struct define *define, struct eval *eval,
                           const struct value *row);

static enum status
walk(struct define *define, const struct table *table, struct qtdb_cursor *cursor, row_fn *each,
     void *state)
{
    struct exec_context *context = define->context;
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    enum status status = STATUS_OK;
    struct arena arena;

    arena_init(&arena, context->memory, MEMORY_SQL);
    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        struct eval eval = {.arena = &arena, .error = context->error, .context = context};
        const void *key, *bytes;
        size_t key_size, size;

        arena_reset(&arena);
        struct value *row = arena_alloc(&arena, (table->column_count + 1) * sizeof(*row));
        if (row == NULL)
            TRY_OUT(STATUS_NO_MEMORY);
        qtdb_cursor_row(cursor, &key, &key_size, &bytes, &size);
        TRY_OUT(table_decode_row(table, bytes, size, &arena, row, context->error));
        TRY_OUT(each(state, define, &eval, row));
        TRY_OUT(exec__check_interrupt(context));
    }
    if (code != QTDB_NOT_FOUND)
        status = sql_from_code(code, context->error);
out:
    arena_deinit(&arena);
    return status;
}

static enum status
each_row(struct define *define, const struct table *table, row_fn *each, void *state)
{
    struct exec_context *context = define->context;
    struct qtdb_cursor *cursor = NULL;
    struct qtdb_tree *tree = NULL;

    TRY(table_tree(context->txn, table, UINT32_MAX, &tree, context->error));
    TRY(sql_from_code(qtdb_cursor_open(context->txn, tree, &cursor), context->error));
    enum status status = walk(define, table, cursor, each, state);
    qtdb_cursor_close(cursor);
    return status;
}

enum status
define_is_empty(struct define *define, const struct table *table, bool *out)
{
    struct exec_context *context = define->context;
    struct qtdb_cursor *cursor = NULL;
    struct qtdb_tree *tree = NULL;

    TRY(table_tree(context->txn, table, UINT32_MAX, &tree, context->error));
    TRY(sql_from_code(qtdb_cursor_open(context->txn, tree, &cursor), context->error));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    qtdb_cursor_close(cursor);
    *out = code == QTDB_NOT_FOUND;
    return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, context->error);
}

/* Checking. */

struct validation {
    const struct table_rules *rules;
    uint32_t check;
    uint32_t column;
};

static enum status
refuse_null(const struct define *define, const struct table *table, uint32_t column)
{
    return sql_error_set(define->context->error, "23502", -1,
                         "column \"%s\" of relation \"%s\" contains null values",
                         table->columns[column].name, table->name);
}

static enum status
validate_row(void *state, struct define *define, struct eval *eval, const struct value *row)
{
    const struct validation *validation = state;
    const struct table *table = validation->rules->table;
    struct value holds;

    if (validation->check == UINT32_MAX)
        return row[validation->column].null ? refuse_null(define, table, validation->column)
                                            : STATUS_OK;
    TRY(expr_eval(validation->rules->checks[validation->check], row, eval, &holds));
    if (holds.null || holds.integer != 0)
        return STATUS_OK;
    return sql_error_set(eval->error, "23514", -1,
                         "check constraint \"%s\" of relation \"%s\" is violated by some row",
                         table->checks[validation->check].name, table->name);
}

enum status
define_validate(struct define *define, uint32_t check, uint32_t column)
{
    struct bind bind = define_bind(define->context, define->arena);
    struct validation validation = {.check = check, .column = column};
    struct table_rules rules;

    TRY(rules_bind(&bind, define->table, &rules));
    validation.rules = &rules;
    return each_row(define, define->table, validate_row, &validation);
}

/* Writing anew. */

struct rewriting {
    struct change change;
    const struct table *to;
    struct expr *const *exprs;
};

static enum status
rewrite_row(void *state, struct define *define, struct eval *eval, const struct value *row)
{
    struct rewriting *rewriting = state;
    const struct table *to = rewriting->to;
    struct value *changed = arena_alloc(eval->arena, (to->column_count + 1) * sizeof(*changed));
    struct value *prepared = NULL;

    if (changed == NULL)
        return STATUS_NO_MEMORY;
    arena_reset(&rewriting->change.arena);
    for (uint32_t i = 0; i < to->column_count; i++) {
        changed[i] = value_null(to->types[i].type);
        if (rewriting->exprs[i] != NULL)
            TRY(expr_eval(rewriting->exprs[i], row, eval, &changed[i]));
        if (changed[i].null && to->columns[i].not_null && to->columns[i].generated != TABLE_STORED)
            return refuse_null(define, to, i);
    }
    TRY(change_prepare(&rewriting->change, changed, &prepared));
    return change_insert(&rewriting->change, prepared);
}

enum status
define_rewrite(struct define *define, const struct table *from, struct table *to,
               struct expr *const *exprs)
{
    struct exec_context *context = define->context;
    struct bind bind = define_bind(context, define->arena);
    struct rewriting *rewriting = arena_alloc(define->arena, sizeof(*rewriting));
    enum status status = STATUS_OK;
    struct table_rules rules;

    if (rewriting == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < to->column_count; i++) {
        to->columns[i].slot = i;
        to->columns[i].missing = NULL;
    }
    to->slot_count = to->column_count;
    TRY(table_settle(to, define->arena));
    TRY(rules_bind(&bind, to, &rules));
    TRY(table_renew(context->txn, to, context->error));
    rewriting->to = to;
    rewriting->exprs = exprs;
    TRY_OUT(change_open(&rewriting->change, context, &rules, NULL));
    TRY_OUT(each_row(define, from, rewrite_row, rewriting));
    TRY_OUT(table_drop_trees(context->txn, from, context->error));
    status = table_replace(context->txn, to, define->arena, context->error);
out:
    change_close(&rewriting->change);
    return status;
}
