/*
 * COPY FROM and TO. FROM makes a row of each record (column by column through the type's input, the rest
 * by default), and changes the table as INSERT does: rules, indexes, foreign keys at the end. TO runs a
 * query and writes its rows. A record that cannot be taken fails the statement, which says the record's
 * number, column and text.
 *
 * The data of a stream comes once, so under READ COMMITTED a row that was changed since the statement began is
 * a conflict (40001), where INSERT would run again.
 */
#include "executor/exec_copy.h"

#include <string.h>

#include "executor/change.h"
#include "executor/copy.h"
#include "executor/define.h"
#include "kernel/base/check.h"

/* Columns. */

struct copied {
    struct exec_context *context;
    const struct ast_copy *ast;
    struct arena *arena; /* Of the statement. */
    struct table *table; /* NULL: a query. */
    uint32_t count;
    uint32_t *columns; /* Of the table. */
    const char **names;
    struct copy_options options;
    struct copy_stream stream;
};

static enum status
open_table(struct copied *copied)
{
    struct exec_context *context = copied->context;
    const struct ast_name *name = &copied->ast->table;
    struct ast_name found;

    TRY(search_path_find(context->txn, context->path, name, "tw", &found, context->error));
    const char *schema = found.schema != NULL ? found.schema : "public";
    enum status status =
        catalog_has(context->txn, CATALOG_VIEW, schema, found.name, context->error);

    if (status == STATUS_OK)
        return sql_error_set(context->error, "42809", -1, "cannot copy %s view \"%s\"",
                             copied->ast->from ? "to" : "from", found.name);
    if (status != STATUS_NOT_FOUND)
        return status;
    return table_find(context->txn, &found, copied->arena, &copied->table, context->error);
}

static enum status
add_column(struct copied *copied, uint32_t column)
{
    struct sql_error *error = copied->context->error;
    const struct table_column *definition = &copied->table->columns[column];

    if (definition->generated == TABLE_STORED && copied->ast->column_count > 0)
        return sql_error_set(error, "42P10", -1,
                             "column \"%s\" is a generated column: it cannot be used in COPY",
                             definition->name);
    if (definition->generated == TABLE_STORED)
        return STATUS_OK;
    for (uint32_t i = 0; i < copied->count; i++) {
        if (copied->columns[i] == column)
            return sql_error_set(error, "42701", -1, "column \"%s\" specified more than once",
                                 definition->name);
    }
    copied->columns[copied->count] = column;
    copied->names[copied->count++] = definition->name;
    return STATUS_OK;
}

static enum status
find_columns(struct copied *copied)
{
    struct table *table = copied->table;
    const struct ast_copy *ast = copied->ast;

    CHECK(table != NULL);
    copied->columns = arena_alloc(copied->arena, table->column_count * sizeof(uint32_t));
    copied->names = arena_alloc(copied->arena, table->column_count * sizeof(const char *));
    if (copied->columns == NULL || copied->names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < table->column_count && ast->column_count == 0; i++)
        TRY(add_column(copied, i));
    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t column = table_column_find(table, ast->columns[i]);

        if (column == UINT32_MAX)
            return sql_error_set(copied->context->error, "42703", -1,
                                 "column \"%s\" of relation \"%s\" does not exist", ast->columns[i],
                                 table->name);
        TRY(add_column(copied, column));
    }
    return STATUS_OK;
}

/* FROM. */

struct loading {
    struct copied *copied;
    struct change change;
    struct table_rules rules;
    struct foreign_queue *queue;
    struct expr **defaults; /* One a column of the table; NULL: it is copied. */
    struct expr *where;     /* Over the row before its generated columns. */
    struct copy_reader reader;
    struct value *row;
    uint64_t count;
};

static bool
may_filter(void *context, const struct expr *expr)
{
    struct loading *loading = context;
    const struct table *table = loading->copied->table;
    struct sql_error *error = loading->copied->context->error;

    if (expr->kind == EXPR_SUBQUERY) {
        (void)sql_error_set(error, "0A000", expr->location,
                            "cannot use subquery in COPY FROM WHERE condition");
        return false;
    }
    if (expr->kind == EXPR_COLUMN && table->columns[expr->index].generated == TABLE_STORED) {
        (void)sql_error_set(error, "42P10", expr->location,
                            "generated columns are not supported in COPY FROM WHERE conditions: "
                            "column \"%s\" is a generated column",
                            table->columns[expr->index].name);
        return false;
    }
    return true;
}

static enum status
bind_filter(struct loading *loading, struct bind *bind)
{
    const struct ast_expr *ast = loading->copied->ast->where;

    if (ast == NULL)
        return STATUS_OK;
    TRY(rules_bind_one(bind, loading->copied->table, ast, "COPY FROM WHERE conditions", NULL,
                       &loading->where));
    if (loading->where->type.type != QTDB_TYPE_BOOL)
        return sql_error_set(bind->error, "42804", ast->location,
                             "argument of WHERE must be type boolean, not type %s",
                             value_type_name(loading->where->type.type));
    return expr_visit(loading->where, may_filter, loading) ? STATUS_OK : STATUS_INVALID;
}

static enum status
bind_loading(struct loading *loading)
{
    struct copied *copied = loading->copied;
    struct table *table = copied->table;
    struct bind bind = define_bind(copied->context, copied->arena);

    loading->defaults = arena_alloc(copied->arena, table->column_count * sizeof(struct expr *));
    loading->row = arena_alloc(copied->arena, table->column_count * sizeof(struct value));
    if (loading->defaults == NULL || loading->row == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < copied->count; i++)
        loading->row[copied->columns[i]].type = QTDB_TYPE_BOOL; /* Marks it. */
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (loading->row[i].type != QTDB_TYPE_BOOL)
            TRY(rules_default(&bind, table, i, &loading->defaults[i]));
    }
    TRY(rules_bind(&bind, table, &loading->rules));
    return bind_filter(loading, &bind);
}

static void
place(struct loading *loading, const char *column, const struct copy_field *field)
{
    copy_reader_context(&loading->reader, loading->copied->table->name, column, field,
                        loading->copied->context->error);
}

/* One value by its type's input, or null as the options have it. */
static enum status
read_value(struct loading *loading, uint32_t index)
{
    const struct copied *copied = loading->copied;
    const struct copy_options *options = &copied->options;
    uint32_t column = copied->columns[index];
    const struct table_column *definition = &copied->table->columns[column];
    struct copy_field field = loading->reader.fields[index];

    if (field.null && options->force_not_null != NULL && options->force_not_null[index])
        field = (struct copy_field){.bytes = options->null, .size = options->null_size};
    else if (!field.null && options->force_null != NULL && options->force_null[index])
        field.null =
            field.size == options->null_size && memcmp(field.bytes, options->null, field.size) == 0;
    loading->row[column] = value_null(definition->type.type);
    if (field.null)
        return STATUS_OK;
    struct value *value = &loading->row[column];
    struct arena *arena = &loading->change.arena;
    enum status status = table_parse_value(definition, field.bytes, field.size, arena, value,
                                           copied->context->error);
    if (status == STATUS_OK && definition->type.precision >= 0)
        status = value_cast(value, &definition->type, arena, value, copied->context->error);
    if (status == STATUS_INVALID)
        place(loading, definition->name, &field);
    return status;
}

static enum status
check_width(struct loading *loading)
{
    const struct copied *copied = loading->copied;
    uint32_t found = loading->reader.field_count;

    if (copied->count == 0 && loading->reader.line_size == 0)
        return STATUS_OK;
    if (found > copied->count)
        return sql_error_set(copied->context->error, "22P04", -1,
                             "extra data after last expected column");
    if (found < copied->count)
        return sql_error_set(copied->context->error, "22P04", -1, "missing data for column \"%s\"",
                             copied->names[found]);
    return STATUS_OK;
}

static struct eval
eval_of(struct loading *loading)
{
    const struct exec_context *context = loading->copied->context;

    return (struct eval){.arena = &loading->change.arena,
                         .error = context->error,
                         .slots = context->slots,
                         .context = context};
}

/* `*out` NULL: the condition leaves it out. */
static enum status
make_row(struct loading *loading, struct value **out)
{
    struct eval eval = eval_of(loading);
    bool wanted = true;

    for (uint32_t i = 0; i < loading->copied->table->column_count; i++) {
        if (loading->defaults[i] != NULL)
            TRY(expr_eval(loading->defaults[i], NULL, &eval, &loading->row[i]));
    }
    if (loading->where != NULL)
        TRY(expr_is_true(loading->where, loading->row, &eval, &wanted));
    *out = NULL;
    return wanted ? change_prepare(&loading->change, loading->row, out) : STATUS_OK;
}

static enum status
load_record(struct loading *loading)
{
    struct value *row = NULL;
    enum status status;

    arena_reset(&loading->change.arena);
    status = check_width(loading);
    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    TRY(status);
    for (uint32_t i = 0; i < loading->copied->count; i++)
        TRY(read_value(loading, i));
    status = make_row(loading, &row);
    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    TRY(status);
    if (row == NULL)
        return STATUS_OK;
    loading->count++;
    loading->reader.line_valid = false; /* What fails from here on names the line alone. */
    status = change_insert(&loading->change, row);
    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    return status;
}

/* MATCH: each field is the column's name. */
static enum status
check_header(struct loading *loading)
{
    const struct copied *copied = loading->copied;
    const struct copy_reader *reader = &loading->reader;
    struct sql_error *error = copied->context->error;

    if (copied->options.header != COPY_HEADER_MATCH)
        return STATUS_OK;
    if (reader->field_count != copied->count)
        return sql_error_set(error, "22P04", -1,
                             "wrong number of fields in header line: got %u, expected %u",
                             reader->field_count, copied->count);
    for (uint32_t i = 0; i < copied->count; i++) {
        const struct copy_field *field = &reader->fields[i];
        const char *name = copied->names[i];

        if (field->null)
            return sql_error_set(error, "22P04", -1,
                                 "column name mismatch in header line field %u: got null value "
                                 "(\"%s\"), expected \"%s\"",
                                 i + 1, copied->options.null, name);
        if (field->size != strlen(name) || memcmp(field->bytes, name, field->size) != 0)
            return sql_error_set(error, "22P04", -1,
                                 "column name mismatch in header line field %u: got \"%.*s\", "
                                 "expected \"%s\"",
                                 i + 1, (int)(field->size < 64 ? field->size : 64), field->bytes,
                                 name);
    }
    return STATUS_OK;
}

static enum status
next_record(struct loading *loading, bool *more)
{
    enum status status = copy_reader_next(&loading->reader, more);

    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    return status;
}

static enum status
load(struct loading *loading)
{
    bool more = true, header = loading->copied->options.header != COPY_HEADER_NONE;

    for (;;) {
        TRY(exec__check_interrupt(loading->copied->context));
        TRY(next_record(loading, &more));
        if (!more)
            return STATUS_OK;
        if (!header) {
            TRY(load_record(loading));
            continue;
        }
        header = false;
        enum status status = check_header(loading);
        if (status == STATUS_INVALID)
            place(loading, NULL, NULL);
        TRY(status);
    }
}

static enum status
load_table(struct loading *loading, const struct qtdb_copy *client)
{
    struct copied *copied = loading->copied;
    struct exec_context *context = copied->context;
    struct table *table = copied->table;

    TRY(catalog_lock(context->txn, table->schema, table->name, QTDB_LOCK_SHARED, context->error));
    TRY(bind_loading(loading));
    if (table->foreign_count + table->reference_count > 0) {
        loading->queue = foreign_queue_new(context);
        if (loading->queue == NULL)
            return STATUS_NO_MEMORY;
    }
    TRY(change_open(&loading->change, context, &loading->rules, loading->queue));
    TRY(copy_stream_open(&copied->stream, context->io, context->memory, copied->ast->file, true,
                         client, context->error));
    copy_reader_init(&loading->reader, &copied->options, &copied->stream);
    TRY(load(loading));
    return loading->queue != NULL ? foreign_run(loading->queue) : STATUS_OK;
}

static enum status
copy_from(struct copied *copied, const struct qtdb_copy *client, uint64_t *row_count)
{
    struct loading loading = {.copied = copied};
    enum status status = load_table(&loading, client);

    copy_reader_deinit(&loading.reader);
    change_close(&loading.change);
    foreign_queue_free(loading.queue);
    *row_count = loading.count;
    return status;
}

/* TO. */

/* SELECT of the columns. */
static enum status
select_columns(struct copied *copied, struct ast_select **out)
{
    struct arena *arena = copied->arena;
    struct ast_select *select = arena_alloc(arena, sizeof(*select));
    struct ast_from *from = arena_alloc(arena, sizeof(*from));
    struct ast_target *targets = arena_alloc(arena, copied->count * sizeof(*targets));
    struct ast_expr *exprs = arena_alloc(arena, copied->count * sizeof(*exprs));

    *out = select;
    if (select == NULL || from == NULL || targets == NULL || exprs == NULL)
        return STATUS_NO_MEMORY;
    select->from = arena_alloc(arena, sizeof(struct ast_from *));
    if (select->from == NULL)
        return STATUS_NO_MEMORY;
    from->kind = AST_FROM_TABLE;
    from->table = (struct ast_name){copied->table->schema, copied->table->name, -1};
    select->from[select->from_count++] = from;
    for (uint32_t i = 0; i < copied->count; i++) {
        exprs[i] = (struct ast_expr){
            .kind = AST_COLUMN, .location = -1, .name_count = 1, .names = &copied->names[i]};
        targets[i] = (struct ast_target){.expr = &exprs[i], .location = -1};
    }
    select->targets = targets;
    select->target_count = copied->count;
    return STATUS_OK;
}

static enum status
write_row(struct copied *copied, const struct value *row, struct arena *arena)
{
    arena_reset(arena);
    for (uint32_t i = 0; i < copied->count; i++) {
        size_t size = 0;
        const char *text = row[i].null ? NULL : value_print(&row[i], arena, &size);

        if (text == NULL && !row[i].null)
            return STATUS_NO_MEMORY;
        TRY(copy_write_field(&copied->stream, &copied->options, i, copied->count == 1, text, size));
    }
    return copy_stream_write(&copied->stream, "\n", 1);
}

static enum status
write_header(struct copied *copied)
{
    for (uint32_t i = 0; i < copied->count; i++)
        TRY(copy_write_name(&copied->stream, &copied->options, i, copied->count == 1,
                            copied->names[i]));
    return copy_stream_write(&copied->stream, "\n", 1);
}

static enum status
write_rows(struct copied *copied, struct exec_context *context, struct planned *planned,
           uint64_t *row_count)
{
    enum status status = STATUS_OK;
    const struct batch *batch = NULL;
    struct exec *exec = NULL;
    struct arena line;

    arena_init(&line, context->memory, MEMORY_SQL);
    TRY_OUT(exec_context_open(context, planned));
    TRY_OUT(exec_open(context, planned->root, &exec));
    if (copied->options.header != COPY_HEADER_NONE)
        TRY_OUT(write_header(copied));
    do {
        TRY_OUT(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY_OUT(write_row(copied, exec__row(batch, i), &line));
        *row_count += batch->count;
    } while (batch->count > 0);
    TRY_OUT(copy_stream_flush(&copied->stream));
out:
    exec_close(exec);
    arena_deinit(&line);
    return status;
}

static enum status
copy_to(struct copied *copied, const struct qtdb_copy *client, uint64_t *row_count)
{
    const struct ast_copy *ast = copied->ast;
    struct bind bind = define_bind(copied->context, copied->arena);
    struct plan_context planning = {copied->context->txn, copied->arena, copied->context->error};
    struct ast_statement statement = {.kind = AST_SELECT, .select = ast->query};
    struct exec_context context = *copied->context;
    struct planned *planned = NULL;
    struct bound *bound = NULL;

    if (copied->table != NULL)
        TRY(select_columns(copied, &statement.select));
    TRY(bind_statement(&bind, &statement, &bound));
    TRY(plan_statement(&planning, bound, &planned));
    if (copied->table == NULL) {
        copied->count = bound->column_count;
        copied->names = arena_alloc(copied->arena, copied->count * sizeof(const char *));
        if (copied->names == NULL)
            return STATUS_NO_MEMORY;
        for (uint32_t i = 0; i < copied->count; i++)
            copied->names[i] = bound->columns[i].name;
    }
    TRY(copy_options_read(ast, copied->count, copied->names, copied->arena, &copied->options,
                          context.error));
    TRY(copy_stream_open(&copied->stream, context.io, context.memory, ast->file, false, client,
                         context.error));
    enum status status = write_rows(copied, &context, planned, row_count);
    exec_context_close(&context);
    return status;
}

enum status
exec_copy(struct exec_context *context, const struct ast_copy *ast, const struct qtdb_copy *client,
          struct arena *arena, uint64_t *row_count)
{
    struct copied copied = {.context = context, .ast = ast, .arena = arena};
    enum status status = STATUS_OK;

    *row_count = 0;
    if (ast->query == NULL) {
        TRY(open_table(&copied));
        TRY(find_columns(&copied));
    }
    if (ast->from) {
        TRY(copy_options_read(ast, copied.count, copied.names, arena, &copied.options,
                              context->error));
        status = copy_from(&copied, client, row_count);
    } else {
        status = copy_to(&copied, client, row_count);
    }
    copy_stream_close(&copied.stream);
    return status;
}
