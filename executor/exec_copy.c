/*
 * COPY FROM and TO. FROM makes a row of each record, column by column through the type's input, and gives it to
 * bulk_rows.c. TO runs a
 * query and writes its rows. A record that cannot be taken fails the statement, which says the record's
 * number, column and text.
 *
 * The data of a stream comes once, so under READ COMMITTED a row that was changed since the statement began is
 * a conflict (40001), where INSERT would run again.
 */
#include "executor/exec_copy.h"

#include <string.h>

#include "executor/bulk.h"
#include "executor/copy.h"
#include "executor/define.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

struct copied {
    struct exec_context *context;
    const struct ast_copy *ast;
    struct arena *arena;       /* Of the statement. */
    struct bulk_target target; /* Without a table: the columns of a query. */
    struct copy_options options;
    struct copy_stream stream;
};

/* FROM. */

struct loading {
    struct copied *copied;
    struct bulk bulk;
    struct copy_reader reader;
};

static void
place(struct loading *loading, const char *column, const struct copy_field *field)
{
    copy_reader_context(&loading->reader, loading->copied->target.table->name, column, field,
                        loading->copied->context->error);
}

/* One value by its type's input, or null as the options have it. */
static enum status
read_value(struct loading *loading, uint32_t index)
{
    const struct copied *copied = loading->copied;
    const struct copy_options *options = &copied->options;
    uint32_t column = copied->target.columns[index];
    const struct table_column *definition = &copied->target.table->columns[column];
    struct copy_field field = loading->reader.fields[index];

    if (field.null && options->force_not_null != NULL && options->force_not_null[index])
        field = (struct copy_field){.bytes = options->null, .size = options->null_size};
    else if (!field.null && options->force_null != NULL && options->force_null[index])
        field.null =
            field.size == options->null_size && memcmp(field.bytes, options->null, field.size) == 0;
    loading->bulk.row[column] = value_null(definition->type.type);
    if (field.null)
        return STATUS_OK;
    struct value *value = &loading->bulk.row[column];
    struct arena *arena = &loading->bulk.change.arena;
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

    if (copied->target.count == 0 && loading->reader.line_size == 0)
        return STATUS_OK;
    if (found > copied->target.count)
        return sql_error_set(copied->context->error, "22P04", -1,
                             "extra data after last expected column");
    if (found < copied->target.count)
        return sql_error_set(copied->context->error, "22P04", -1, "missing data for column \"%s\"",
                             copied->target.names[found]);
    return STATUS_OK;
}

static enum status
load_record(struct loading *loading)
{
    struct value *row = NULL;
    enum status status;

    bulk_next(&loading->bulk);
    status = check_width(loading);
    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    TRY(status);
    for (uint32_t i = 0; i < loading->copied->target.count; i++)
        TRY(read_value(loading, i));
    status = bulk_make(&loading->bulk, &row);
    if (status == STATUS_INVALID)
        place(loading, NULL, NULL);
    TRY(status);
    if (row == NULL)
        return STATUS_OK;
    loading->reader.line_valid = false; /* What fails from here on names the line alone. */
    status = bulk_insert(&loading->bulk, row);
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
    if (reader->field_count != copied->target.count)
        return sql_error_set(error, "22P04", -1,
                             "wrong number of fields in header line: got %u, expected %u",
                             reader->field_count, copied->target.count);
    for (uint32_t i = 0; i < copied->target.count; i++) {
        const struct copy_field *field = &reader->fields[i];
        const char *name = copied->target.names[i];

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

    TRY(bulk_open(&loading->bulk, context, &copied->target, copied->ast->where, copied->arena));
    TRY(copy_stream_open(&copied->stream, context->io, context->memory, copied->ast->file, true,
                         client, context->error));
    copy_reader_init(&loading->reader, &copied->options, &copied->stream);
    TRY(load(loading));
    return bulk_end(&loading->bulk);
}

static enum status
copy_from(struct copied *copied, const struct qtdb_copy *client, uint64_t *row_count)
{
    struct loading loading = {.copied = copied};
    enum status status = load_table(&loading, client);

    copy_reader_deinit(&loading.reader);
    bulk_close(&loading.bulk);
    *row_count = loading.bulk.count;
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
    struct ast_target *targets = arena_alloc(arena, copied->target.count * sizeof(*targets));
    struct ast_expr *exprs = arena_alloc(arena, copied->target.count * sizeof(*exprs));

    *out = select;
    if (select == NULL || from == NULL || targets == NULL || exprs == NULL)
        return STATUS_NO_MEMORY;
    select->from = arena_alloc(arena, sizeof(struct ast_from *));
    if (select->from == NULL)
        return STATUS_NO_MEMORY;
    from->kind = AST_FROM_TABLE;
    from->table = (struct ast_name){copied->target.table->schema, copied->target.table->name, -1};
    select->from[select->from_count++] = from;
    for (uint32_t i = 0; i < copied->target.count; i++) {
        exprs[i] = (struct ast_expr){
            .kind = AST_COLUMN, .location = -1, .name_count = 1, .names = &copied->target.names[i]};
        targets[i] = (struct ast_target){.expr = &exprs[i], .location = -1};
    }
    select->targets = targets;
    select->target_count = copied->target.count;
    return STATUS_OK;
}

static enum status
write_row(struct copied *copied, const struct value *row, struct arena *arena)
{
    arena_reset(arena);
    for (uint32_t i = 0; i < copied->target.count; i++) {
        size_t size = 0;
        const char *text = row[i].null ? NULL : value_print(&row[i], arena, &size);

        if (text == NULL && !row[i].null)
            return STATUS_NO_MEMORY;
        TRY(copy_write_field(&copied->stream, &copied->options, i, copied->target.count == 1, text,
                             size));
    }
    return copy_stream_write(&copied->stream, "\n", 1);
}

static enum status
write_header(struct copied *copied)
{
    for (uint32_t i = 0; i < copied->target.count; i++)
        TRY(copy_write_name(&copied->stream, &copied->options, i, copied->target.count == 1,
                            copied->target.names[i]));
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
    struct plan_context planning = {.txn = copied->context->txn,
                                    .arena = copied->arena,
                                    .error = copied->context->error,
                                    .notes = database_notes(copied->context->db),
                                    .stale = copied->context->stale};
    struct ast_statement statement = {.kind = AST_SELECT, .select = ast->query};
    struct exec_context context = *copied->context;
    struct planned *planned = NULL;
    struct bound *bound = NULL;

    if (copied->target.table != NULL)
        TRY(select_columns(copied, &statement.select));
    TRY(bind_statement(&bind, &statement, &bound));
    TRY(plan_statement(&planning, bound, &planned));
    if (planning.stale != NULL && planning.stale->count > 0)
        return STATUS_MISSING;
    if (copied->target.table == NULL) {
        copied->target.count = bound->column_count;
        copied->target.names =
            arena_alloc(copied->arena, copied->target.count * sizeof(const char *));
        if (copied->target.names == NULL)
            return STATUS_NO_MEMORY;
        for (uint32_t i = 0; i < copied->target.count; i++)
            copied->target.names[i] = bound->columns[i].name;
    }
    TRY(copy_options_read(ast, copied->target.count, copied->target.names, copied->arena,
                          &copied->options, context.error));
    TRY(copy_stream_open(&copied->stream, context.io, context.memory, ast->file, false, client,
                         context.error));
    enum status status = write_rows(copied, &context, planned, row_count);
    exec_context_close(&context);
    return status;
}

enum status
exec_copy(struct exec_context *context, const struct ast_copy *ast, const struct qtdb_copy *client,
          struct arena *arena, const struct table **table_out, uint64_t *row_count)
{
    struct copied copied = {.context = context, .ast = ast, .arena = arena};
    enum status status = STATUS_OK;

    *row_count = 0;
    if (ast->query == NULL)
        TRY(bulk_find(context, ast, arena, &copied.target));
    if (ast->from) {
        TRY(copy_options_read(ast, copied.target.count, copied.target.names, arena, &copied.options,
                              context->error));
        status = copy_from(&copied, client, row_count);
    } else {
        status = copy_to(&copied, client, row_count);
    }
    copy_stream_close(&copied.stream);
    *table_out = ast->from ? copied.target.table : NULL;
    return status;
}
