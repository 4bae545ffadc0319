/*
 * All live rows of a source, table by table: those of the snapshot that neither it nor the log marked
 * dead, in its order, then the table's rows in the log; after them the tables that the log made.
 *
 * A row's values are laid out as the table's columns stand after the log: `places` holds, for each
 * column, where its value is in rows of one version, or NOWHERE.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/legacy_rescue.h"
#include "tools/qtdb-migrate/legacy_source.h"

enum { NOWHERE = -1 };

static const struct legacy_value null_value = {.tag = LEGACY_NULL};

struct rows {
    struct legacy_source *source;
    const struct source_visitor *visitor;
    struct arena head;              /* A table's. */
    struct arena item;              /* A row of the log. */
    struct plan_database *database; /* Where the next table of the snapshot is to be found. */
    struct plan_table *table;       /* NULL: rows are passed over. */
    struct plan_table *cursor;
    uint64_t next_dead;
    uint32_t places_version; /* Of which `places` is; UINT32_MAX: of none. */
    int64_t *places;
    const struct legacy_value **values;
};

static void
lay_out(struct rows *rows, uint32_t version)
{
    const struct plan_table *table = rows->table;
    const struct plan_version *from = &table->versions[version];

    if (rows->places_version == version)
        return;
    rows->places_version = version;
    for (uint32_t i = 0; i < table->column_count; i++) {
        rows->places[i] = NOWHERE;
        for (uint32_t j = 0; j < from->count; j++) {
            if (from->ids[j] == table->columns[i].id)
                rows->places[i] = j;
        }
    }
}

static enum status
hand_out(struct rows *rows, const struct legacy_row *row, uint64_t index, uint32_t version)
{
    const struct plan_table *table = rows->table;
    uint32_t width = table->versions[version].count;
    struct source_row out = {.values = rows->values,
                             .index = index,
                             .offset = legacy_stream_offset(&rows->source->stream)};

    if (rows->visitor->row == NULL)
        return STATUS_OK;
    lay_out(rows, version);
    if (row->value_count < width) {
        out.missing_count = width - (uint32_t)row->value_count;
    } else {
        out.extra_count = (uint32_t)(row->value_count - width);
        out.extras = row->values + width;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        int64_t place = rows->places[i];

        rows->values[i] = place == NOWHERE || (uint64_t)place >= row->value_count
                              ? &null_value
                              : &row->values[place];
    }
    return rows->visitor->row(rows->visitor->context, rows->table, &out);
}

/* Begin and end of a table, wherever its rows are. */

static enum status
begin(struct rows *rows, struct plan_table *table)
{
    const struct source_visitor *visitor = rows->visitor;

    rows->table = NULL;
    if (table == NULL || table->dropped ||
        (visitor->wants != NULL && !visitor->wants(visitor->context, table)))
        return STATUS_OK;
    rows->table = table;
    rows->next_dead = 0;
    rows->places_version = UINT32_MAX;
    arena_reset(&rows->head);
    rows->places = arena_alloc(&rows->head, table->column_count * sizeof(*rows->places));
    rows->values = arena_alloc(&rows->head, table->column_count * sizeof(*rows->values));
    if (rows->places == NULL || rows->values == NULL)
        return STATUS_NO_MEMORY;
    return visitor->table != NULL ? visitor->table(visitor->context, table) : STATUS_OK;
}

static enum status
read_appended(struct rows *rows)
{
    struct plan_table *table = rows->table;

    for (uint64_t i = 0; i < table->appended_count; i++) {
        const struct plan_appended *appended = &table->appended[i];
        struct legacy_row row;

        if (!appended->live)
            continue;
        arena_reset(&rows->item);
        TRY(legacy_log_row(&rows->source->log, appended->file, appended->offset, &rows->item,
                           &row));
        TRY(hand_out(rows, &row, table->snapshot_rows + i, appended->version));
    }
    return STATUS_OK;
}

static enum status
finish(struct rows *rows)
{
    const struct source_visitor *visitor = rows->visitor;

    if (rows->table == NULL)
        return STATUS_OK;
    TRY(read_appended(rows));
    if (visitor->table_end != NULL)
        TRY(visitor->table_end(visitor->context, rows->table));
    rows->table = NULL;
    return STATUS_OK;
}

/* The snapshot's visitor. */

/* Since the survey. */
static enum status
changed(struct rows *rows)
{
    (void)snprintf(rows->source->fault, sizeof(rows->source->fault),
                   "%.400s: the file changed while it was read", rows->source->path);
    return STATUS_CORRUPT;
}

static enum status
on_database(void *context, const struct legacy_text *name)
{
    struct rows *rows = context;

    (void)name;
    rows->database = rows->database == NULL ? rows->source->plan.databases : rows->database->next;
    if (rows->database == NULL)
        return changed(rows);
    rows->cursor = rows->database->tables;
    return STATUS_OK;
}

static enum status
on_table(void *context, const struct legacy_table *table)
{
    struct rows *rows = context;
    struct plan_table *found = rows->cursor;

    (void)table;
    if (found == NULL || found->ordinal == PLAN_NO_ORDINAL)
        return changed(rows);
    rows->cursor = found->next;
    return begin(rows, found);
}

static enum status
on_row(void *context, const struct legacy_row *row)
{
    struct rows *rows = context;
    const struct plan_table *table = rows->table;

    if (table == NULL || !row->live)
        return STATUS_OK;
    while (rows->next_dead < table->dead_count && table->dead[rows->next_dead] < row->index)
        rows->next_dead++;
    if (rows->next_dead < table->dead_count && table->dead[rows->next_dead] == row->index)
        return STATUS_OK;
    return hand_out(rows, row, row->index, 0);
}

static enum status
on_table_end(void *context)
{
    return finish(context);
}

static enum status
read_made_by_log(struct rows *rows)
{
    struct plan_database *database = rows->source->plan.databases;

    for (; database != NULL; database = database->next) {
        for (struct plan_table *table = database->tables; table != NULL; table = table->next) {
            if (table->ordinal != PLAN_NO_ORDINAL)
                continue;
            TRY(begin(rows, table));
            TRY(finish(rows));
        }
    }
    return STATUS_OK;
}

static enum status
explain(struct legacy_source *source, enum status status)
{
    const struct legacy_fault *fault = &source->stream.fault;

    if (source->fault[0] != '\0')
        return status;
    if (fault->set)
        (void)snprintf(source->fault, sizeof(source->fault), "%.400s: byte %llu: %s", source->path,
                       (unsigned long long)fault->offset, fault->message);
    else if (source->log_open && source->log.fault[0] != '\0')
        (void)snprintf(source->fault, sizeof(source->fault), "%s", source->log.fault);
    else if (status == STATUS_NO_MEMORY)
        (void)snprintf(source->fault, sizeof(source->fault), "%.400s: out of memory", source->path);
    return status;
}

enum status
legacy_source_read(struct legacy_source *source, const struct source_visitor *visitor)
{
    struct rows rows = {.source = source, .visitor = visitor};
    const struct legacy_visitor snapshot = {
        .context = &rows,
        .database = on_database,
        .table = on_table,
        .row = on_row,
        .table_end = on_table_end,
    };

    arena_init(&rows.head, source->env.memory, MEMORY_OTHER);
    arena_init(&rows.item, source->env.memory, MEMORY_OTHER);
    enum status status = source->plan.rescue
                             ? legacy_rescue(&source->stream, &source->form, &snapshot)
                             : legacy_read(&source->stream, &source->form, &snapshot);
    if (status == STATUS_OK)
        status = read_made_by_log(&rows);
    arena_deinit(&rows.item);
    arena_deinit(&rows.head);
    return status == STATUS_OK ? STATUS_OK : explain(source, status);
}
