/*
 * Loading, as migrate.h describes it. With --dry-run the same happens without a target: values are
 * converted and losses reported, keys are not looked at.
 *
 * This thread reads and converts; rows go into the target on another (load_queue.h), so the target may refuse a row
 * when this thread is at a later one. What that is to do, it does in the order of the rows all the same: before a
 * table is dropped, ended or, with --strict, refused for what this thread saw, the rows before are settled and judged.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/load_queue.h"
#include "tools/qtdb-migrate/migrate.h"

enum { ROWS_BETWEEN_LOOKS = 256 };

struct loader {
    struct migration *migration;
    struct migrate_table *table;
    struct arena arena;
    struct converted *row;
    uint32_t row_room;
    bool scouting; /* The table is gone; its rows are only looked at. */
    uint32_t again_count;
    struct load_queue *queue; /* NULL: no target. */
};

static bool
has_target(const struct loader *loader)
{
    return !loader->migration->options.dry_run;
}

static enum status judge(struct loader *loader, enum target_result result, uint64_t row);

/* Waits for the rows under way, and does what the target said of them. */
static enum status
settle(struct loader *loader)
{
    uint64_t row = 0;

    if (loader->queue == NULL)
        return STATUS_OK;
    enum target_result result = queue_settle(loader->queue, &row);
    return judge(loader, result, row);
}

static enum status
target_failed(struct loader *loader)
{
    return migrate_fail(loader->migration, STATUS_FAILED, "%s", loader->migration->target.fault);
}

/* The table does not take its rows as it is: drop it, go on looking, load it in the next pass. */
static enum status
start_scouting(struct loader *loader)
{
    struct migration *migration = loader->migration;

    if (!loader->scouting)
        TRY(settle(loader));
    if (loader->scouting)
        return STATUS_OK;
    loader->scouting = true;
    loader->again_count++;
    report_forget_table(migration);
    if (has_target(loader) && target_drop_table(&migration->target, loader->table) != STATUS_OK)
        return target_failed(loader);
    return STATUS_OK;
}

static enum status
refuse_if_strict(struct loader *loader, const char *column, uint64_t row, const char *what,
                 const char *value)
{
    struct migration *migration = loader->migration;
    const struct migrate_table *table = loader->table;

    if (!migration->options.strict)
        return STATUS_OK;
    TRY(settle(loader));
    return migrate_fail(migration, STATUS_INVALID, "--strict: %s.%s%s%s, row %llu: %s%s%s",
                        table->schema, table->name, column[0] != '\0' ? "." : "", column,
                        (unsigned long long)row, what, value[0] != '\0' ? ": " : "", value);
}

/* Values. */

static enum status
widen(struct loader *loader, uint32_t index, const struct legacy_value *value, uint64_t row)
{
    struct migrate_column *column = &loader->table->columns[index];
    char type[TARGET_TYPE_SIZE], what[TARGET_TYPE_SIZE + 32];
    size_t size = 0;
    const char *text = convert_text(value, &loader->arena, &size);

    if (text == NULL)
        return migrate_fail(loader->migration, STATUS_NO_MEMORY, "out of memory");
    if (!column->widened) {
        column->widened = true;
        column->widened_row = row;
        migrate_sample(text, size, column->widened_value);
    }
    (void)snprintf(what, sizeof(what), "does not fit %s", convert_type_name(&column->type, type));
    TRY(refuse_if_strict(loader, column->name, row, what, column->widened_value));
    column->type = convert_widen(&column->type, value, &loader->arena);
    return start_scouting(loader);
}

static enum status
note_loss(struct loader *loader, uint32_t index, const struct legacy_value *value, uint64_t row,
          const char *what)
{
    struct migrate_table *table = loader->table;
    char sample[MIGRATE_SAMPLE_SIZE];
    size_t size = 0;
    const char *text = convert_text(value, &loader->arena, &size);

    if (text == NULL)
        return migrate_fail(loader->migration, STATUS_NO_MEMORY, "out of memory");
    migrate_sample(text, size, sample);
    TRY(refuse_if_strict(loader, table->columns[index].name, row, what, sample));
    if (loader->scouting)
        return STATUS_OK;
    migrate_note_loss(table, index, what, row, text, size);
    report_loss(loader->migration, table, index, row, what, text, size);
    return STATUS_OK;
}

/* A null where the definition has none: the definition gives way. */
static enum status
take_null(struct loader *loader, uint32_t index, uint64_t row)
{
    static const char why[] = "it holds nulls";
    struct migrate_table *table = loader->table;
    struct migrate_column *column = &table->columns[index];
    bool in_key = table->has_key && column->legacy->primary_key;

    if (!column->not_null && !in_key)
        return STATUS_OK;
    TRY(refuse_if_strict(loader, column->name, row, "null in a column that forbids it", ""));
    column->not_null = false;
    column->not_null_left_out = why;
    if (in_key) {
        table->has_key = false;
        table->key_left_out = why;
    }
    return start_scouting(loader);
}

static enum status
convert_column(struct loader *loader, const struct source_row *row, uint32_t index)
{
    struct migrate_column *column = &loader->table->columns[index];
    const struct legacy_value *value = row->values[index];
    struct converted *out = &loader->row[index];
    enum convert_result result = convert_value(&column->type, value, &loader->arena, out);
    /* A text column takes everything, so this ends there. */
    bool avoidable = loader->table->widens && out->loss != value->loss;

    if (result == CONVERT_MISFIT || (result == CONVERT_OK && avoidable)) {
        TRY(widen(loader, index, value, row->index));
        result = convert_value(&column->type, value, &loader->arena, out);
        CHECK(result != CONVERT_MISFIT);
    }
    if (result == CONVERT_NO_MEMORY)
        return migrate_fail(loader->migration, STATUS_NO_MEMORY, "out of memory");
    if (out->form == CONVERT_NULL)
        return take_null(loader, index, row->index);
    if (out->loss != NULL)
        return note_loss(loader, index, value, row->index, out->loss);
    return STATUS_OK;
}

/* Rows. */

/* `row` is the last one that was given. */
static enum status
judge(struct loader *loader, enum target_result result, uint64_t row)
{
    struct migration *migration = loader->migration;
    struct migrate_target *target = &migration->target;

    if (result == TARGET_OK)
        return STATUS_OK;
    if (result == TARGET_BROKEN_CONSTRAINT) {
        TRY(refuse_if_strict(loader, "", row, target->fault, ""));
        if (migrate_leave_out(loader->table, target->sqlstate, target->fault))
            return start_scouting(loader);
    }
    return migrate_fail(migration, STATUS_FAILED, "%s.%s, row %llu: %s", loader->table->schema,
                        loader->table->name, (unsigned long long)row, target->fault);
}

/* Values past the columns have no place; the report holds them. */
static enum status
report_extras(struct loader *loader, const struct source_row *row)
{
    for (uint32_t i = 0; i < row->extra_count; i++) {
        size_t size = 0;
        const char *text = convert_text(&row->extras[i], &loader->arena, &size);

        if (text == NULL)
            return migrate_fail(loader->migration, STATUS_NO_MEMORY, "out of memory");
        report_loss(loader->migration, loader->table, UINT32_MAX, row->index,
                    "a value past the last column", text, size);
    }
    return STATUS_OK;
}

/* Rows with more or fewer values than columns. */
static enum status
note_shape(struct loader *loader, const struct source_row *row)
{
    struct migrate_table *table = loader->table;
    bool is_long = row->extra_count > 0;

    if (row->missing_count == 0 && !is_long)
        return STATUS_OK;
    TRY(refuse_if_strict(loader, "", row->index,
                         is_long ? "the row has more values than columns"
                                 : "the row has fewer values than columns",
                         ""));
    if (loader->scouting)
        return STATUS_OK;
    table->long_count += is_long;
    table->short_count += !is_long;
    if (is_long)
        return report_extras(loader, row);
    report_loss(loader->migration, table, UINT32_MAX, row->index,
                "the row has fewer values than columns; nulls stand in", NULL, 0);
    return STATUS_OK;
}

static bool
on_wants(void *context, struct plan_table *plan)
{
    struct loader *loader = context;
    const struct migrate_table *table = migrate_table_of(loader->migration, plan);

    return !table->loaded && !table->left_out && !plan->dropped;
}

static enum status
on_table(void *context, struct plan_table *plan)
{
    struct loader *loader = context;
    struct migration *migration = loader->migration;
    struct migrate_table *table = migrate_table_of(migration, plan);
    size_t old_size = loader->row_room * sizeof(*loader->row);

    loader->table = table;
    loader->scouting = false;
    migrate_table_forget(table);
    if (table->column_count > loader->row_room) {
        struct converted *grown =
            memory_resize(migration->env.memory, MEMORY_OTHER, loader->row, old_size,
                          table->column_count * sizeof(*loader->row));

        if (grown == NULL)
            return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
        loader->row = grown;
        loader->row_room = table->column_count;
    }
    report_begin_table(migration);
    if (migration->resume.going_on && target_clear_table(&migration->target, table) != STATUS_OK)
        return target_failed(loader);
    if (!has_target(loader))
        return STATUS_OK;
    if (target_create_table(&migration->target, table) != STATUS_OK)
        return target_failed(loader);
    queue_table(loader->queue, table);
    return STATUS_OK;
}

static enum status
on_row(void *context, struct plan_table *plan, const struct source_row *row)
{
    struct loader *loader = context;
    struct migration *migration = loader->migration;
    struct migrate_table *table = loader->table;

    (void)plan;
    if (table->row_count++ % ROWS_BETWEEN_LOOKS == 0) {
        TRY(migrate_check_stop(migration));
        tool_progress_at(&migration->progress, migration->read_before + row->offset);
    }
    arena_reset(&loader->arena);
    TRY(note_shape(loader, row));
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(convert_column(loader, row, i));
    if (loader->scouting || !has_target(loader))
        return STATUS_OK;
    uint64_t refused = 0;
    enum target_result result = queue_add(loader->queue, loader->row, row->index, &refused);
    return judge(loader, result, refused);
}

static enum status
on_table_end(void *context, struct plan_table *plan)
{
    struct loader *loader = context;
    enum target_result result = TARGET_OK;

    (void)plan;
    if (!loader->scouting)
        TRY(settle(loader));
    if (loader->scouting)
        return STATUS_OK;
    if (has_target(loader))
        result = target_end_table(&loader->migration->target, loader->table);
    TRY(judge(loader, result, loader->table->row_count));
    if (loader->scouting)
        return STATUS_OK;
    loader->table->loaded = true;
    resume_note_table(loader->migration, loader->table);
    return STATUS_OK;
}

static enum status
one_pass(struct loader *loader)
{
    struct migration *migration = loader->migration;
    const struct source_visitor visitor = {
        .context = loader,
        .wants = on_wants,
        .table = on_table,
        .row = on_row,
        .table_end = on_table_end,
    };

    loader->again_count = 0;
    migration->pass_count++;
    return migrate_read(migration, migration->options.dry_run ? "reading" : "loading", &visitor);
}

static enum status
create_schemas(struct migration *migration, const struct plan_database *database)
{
    char name[MIGRATE_NAME_SIZE];

    for (; database != NULL; database = database->next) {
        (void)migrate_name(&database->name, name);
        const char *only = migration->options.only_schema;
        if (only != NULL && strcmp(only, name) != 0)
            continue;
        if (target_create_schema(&migration->target, name) != STATUS_OK)
            return migrate_fail(migration, STATUS_FAILED, "%s", migration->target.fault);
    }
    return STATUS_OK;
}

static enum status
open_queue(struct loader *loader)
{
    struct migration *migration = loader->migration;
    enum status status = queue_open(&migration->env, &migration->target, &loader->queue);

    if (status == STATUS_OK)
        return STATUS_OK;
    return migrate_fail(migration, status, "%s",
                        status == STATUS_NO_MEMORY ? "out of memory"
                                                   : "a thread for the loading was refused");
}

enum status
migrate_load(struct migration *migration)
{
    struct loader loader = {.migration = migration};
    enum status status = STATUS_OK;

    arena_init(&loader.arena, migration->env.memory, MEMORY_OTHER);
    if (has_target(&loader))
        TRY_OUT(open_queue(&loader));
    for (uint32_t i = 0; has_target(&loader) && i < migration->sources.count; i++)
        TRY_OUT(create_schemas(migration, migration->sources.sources[i]->plan->databases));
    do {
        TRY_OUT(one_pass(&loader));
    } while (loader.again_count > 0);
out:
    queue_close(loader.queue);
    memory_free(migration->env.memory, MEMORY_OTHER, loader.row,
                loader.row_room * sizeof(*loader.row));
    arena_deinit(&loader.arena);
    return status;
}
