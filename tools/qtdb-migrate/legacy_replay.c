/*
 * The log applied to a plan. A record names a table but no database: it belongs where exactly one
 * database has that table (a create table: where there is exactly one database), or to the database
 * that the user named. Row indexes count dead rows: those of the snapshot first, then the log's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/legacy_plan_private.h"

struct replay {
    struct legacy_plan *plan;
    const char *database;     /* As the user named it; NULL. */
    struct plan_table *table; /* Of the create table record whose rows follow. */
};

__attribute__((format(printf, 3, 4))) static enum status
refuse(struct replay *replay, enum status status, const char *format, ...)
{
    va_list arguments;

    CHECK(status != STATUS_OK);
    va_start(arguments, format);
    (void)vsnprintf(replay->plan->fault, sizeof(replay->plan->fault), format, arguments);
    va_end(arguments);
    return status;
}

/* Which table, which database. */

static struct plan_table *
table_in(const struct plan_database *database, const struct legacy_text *name)
{
    struct plan_table *table = database->tables;

    while (table != NULL && (table->dropped || !plan__text_equals(&table->name, name)))
        table = table->next;
    return table;
}

static enum status
find_database(struct replay *replay, const struct legacy_record *record, struct plan_database **out)
{
    struct plan_database *found = NULL;
    struct legacy_plan *plan = replay->plan;

    for (struct plan_database *database = plan->databases; database; database = database->next) {
        if (replay->database == NULL || strcmp(replay->database, database->name.bytes) == 0)
            found = database;
    }
    if (found == NULL && replay->database != NULL)
        return refuse(replay, STATUS_INVALID, "there is no database '%s' for the log to go to",
                      replay->database);
    if (found == NULL || (plan->database_count > 1 && replay->database == NULL))
        return refuse(replay, STATUS_INVALID,
                      "the log makes a table '%.100s' and does not say in which of %u databases; "
                      "name it with --log-database NAME, or leave the log out with --no-log",
                      record->table.bytes, plan->database_count);
    CHECK(found != NULL);
    *out = found;
    return STATUS_OK;
}

static enum status
find_table(struct replay *replay, const struct legacy_record *record, struct plan_table **out)
{
    uint32_t count = 0;
    struct plan_table *found = NULL;
    struct plan_database *database = replay->plan->databases;

    for (; database != NULL; database = database->next) {
        if (replay->database != NULL && strcmp(replay->database, database->name.bytes) != 0)
            continue;
        struct plan_table *table = table_in(database, &record->table);
        found = table != NULL ? table : found;
        count += table != NULL;
    }
    if (count > 1)
        return refuse(replay, STATUS_INVALID,
                      "the log changes a table '%.100s' and %u databases have one; name the right "
                      "one with --log-database NAME, or leave the log out with --no-log",
                      record->table.bytes, count);
    if (count == 0)
        return refuse(replay, STATUS_CORRUPT,
                      "log record %llu changes a table '%.100s' that %s; --no-log leaves the log "
                      "out",
                      (unsigned long long)record->sequence, record->table.bytes,
                      replay->database != NULL ? "this database lacks" : "no database has");
    CHECK(found != NULL);
    *out = found;
    return STATUS_OK;
}

/* Rows. */

static bool
grow(struct legacy_plan *plan, void **array, uint64_t count, uint64_t *capacity, size_t item)
{
    if (count < *capacity)
        return true;
    uint64_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown =
        memory_resize(plan->memory, MEMORY_OTHER, *array, *capacity * item, wanted * item);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static enum status
append_row(struct replay *replay, struct plan_table *table, uint32_t version, uint32_t file,
           uint64_t offset, bool live)
{
    void *array = table->appended;

    if (!grow(replay->plan, &array, table->appended_count, &table->appended_capacity,
              sizeof(*table->appended)))
        return STATUS_NO_MEMORY;
    table->appended = array;
    table->appended[table->appended_count++] =
        (struct plan_appended){.file = file, .offset = offset, .version = version, .live = live};
    return STATUS_OK;
}

/* In a rescue what cannot be done is noted, and the replay goes on. */
static enum status
give_up(struct replay *replay, const struct legacy_record *record, enum status status)
{
    struct legacy_plan *plan = replay->plan;

    if (!plan->rescue || status != STATUS_CORRUPT || plan->fault[0] == '\0')
        return status;
    legacy_plan_lost(plan, &record->table, plan->fault);
    plan->fault[0] = '\0';
    return STATUS_OK;
}

static enum status
kill_row(struct replay *replay, const struct legacy_record *record, struct plan_table *table)
{
    uint64_t index = record->row_index;
    uint64_t count = table->snapshot_rows + table->appended_count;
    void *array = table->dead;

    if (index >= count)
        return refuse(replay, STATUS_CORRUPT,
                      "log record %llu changes row %llu of table '%.100s', which has %llu; "
                      "--no-log leaves the log out",
                      (unsigned long long)record->sequence, (unsigned long long)index,
                      table->name.bytes, (unsigned long long)count);
    if (index >= table->snapshot_rows) {
        table->appended[index - table->snapshot_rows].live = false;
        return STATUS_OK;
    }
    if (index >= table->damaged_at)
        return refuse(replay, STATUS_CORRUPT,
                      "log record %llu changes row %llu of table '%.100s', which stands behind "
                      "damage and cannot be told; its old version stays",
                      (unsigned long long)record->sequence, (unsigned long long)index,
                      table->name.bytes);
    if (!grow(replay->plan, &array, table->dead_count, &table->dead_capacity, sizeof(*table->dead)))
        return STATUS_NO_MEMORY;
    table->dead = array;
    table->dead[table->dead_count++] = index;
    return STATUS_OK;
}

/* Sequences go past every serial value that the log inserted. */
static enum status
raise_sequences(struct replay *replay, struct plan_table *table, const struct legacy_row *row)
{
    for (uint32_t i = 0; i < table->column_count && i < row->value_count; i++) {
        const struct legacy_column *column = &table->columns[i].column;
        const struct legacy_value *value = &row->values[i];

        if ((column->kind != LEGACY_COLUMN_SERIAL && column->kind != LEGACY_COLUMN_BIGSERIAL) ||
            (value->tag != LEGACY_SMALLINT && value->tag != LEGACY_INTEGER) ||
            value->integer == INT64_MAX)
            continue;
        if (!plan__sequence_set(replay->plan, table, &column->name, value->integer + 1, true))
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status
add_logged_row(struct replay *replay, struct plan_table *table, const struct legacy_record *record)
{
    TRY(append_row(replay, table, table->version_count - 1, record->file, record->row_offset,
                   record->row.live));
    return raise_sequences(replay, table, &record->row);
}

/* Columns and tables. */

static enum status
find_column(struct replay *replay, const struct legacy_record *record,
            const struct plan_table *table, uint32_t *out)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (plan__text_equals(&table->columns[i].column.name, &record->old_name)) {
            *out = i;
            return STATUS_OK;
        }
    }
    return refuse(replay, STATUS_CORRUPT,
                  "log record %llu changes column '%.100s' of table '%.100s', which has none of "
                  "that name; --no-log leaves the log out",
                  (unsigned long long)record->sequence, record->old_name.bytes, table->name.bytes);
}

static enum status
add_column(struct replay *replay, struct plan_table *table, const struct legacy_column *column)
{
    struct legacy_plan *plan = replay->plan;
    size_t count = table->column_count;
    struct plan_column *columns = arena_alloc(&plan->arena, (count + 1) * sizeof(*columns));

    if (columns == NULL)
        return STATUS_NO_MEMORY;
    if (count > 0)
        memcpy(columns, table->columns, count * sizeof(*columns));
    if (!plan__copy_column(plan, column, &columns[count].column))
        return STATUS_NO_MEMORY;
    columns[count].id = table->next_id++;
    table->columns = columns;
    table->column_count++;
    return plan__version_add(plan, table) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status
drop_column(struct replay *replay, struct plan_table *table, uint32_t column)
{
    struct plan_sequence **link = &table->sequences;

    while (*link != NULL && !plan__text_equals(&(*link)->name, &table->columns[column].column.name))
        link = &(*link)->following;
    if (*link != NULL)
        *link = (*link)->following;
    table->column_count--;
    memmove(&table->columns[column], &table->columns[column + 1],
            (table->column_count - column) * sizeof(*table->columns));
    return plan__version_add(replay->plan, table) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status
rename_column(struct replay *replay, struct plan_table *table, uint32_t column,
              const struct legacy_text *name)
{
    struct legacy_text *old_name = &table->columns[column].column.name;
    struct legacy_text new_name;

    if (!plan__copy_text(replay->plan, name, &new_name))
        return STATUS_NO_MEMORY;
    for (struct plan_sequence *one = table->sequences; one != NULL; one = one->following) {
        if (plan__text_equals(&one->name, old_name))
            one->name = new_name;
    }
    *old_name = new_name;
    return STATUS_OK;
}

static enum status
create_table(struct replay *replay, const struct legacy_record *record)
{
    struct plan_database *database = NULL;
    struct legacy_table head = record->created;

    TRY(find_database(replay, record, &database));
    CHECK(database != NULL);
    head.name = record->table;
    if (table_in(database, &record->table) != NULL)
        return refuse(replay, STATUS_CORRUPT,
                      "log record %llu makes a table '%.100s' that exists; --no-log leaves the "
                      "log out",
                      (unsigned long long)record->sequence, record->table.bytes);
    replay->table = plan__table_add(replay->plan, database, &head);
    return replay->table != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Visitor. */

static enum status
apply_to_columns(struct replay *replay, struct plan_table *table,
                 const struct legacy_record *record)
{
    uint32_t column = 0;

    if (record->operation == LEGACY_ADD_COLUMN)
        return add_column(replay, table, &record->column);
    TRY(find_column(replay, record, table, &column));
    if (record->operation == LEGACY_DROP_COLUMN)
        return drop_column(replay, table, column);
    return rename_column(replay, table, column, &record->new_name);
}

static enum status
apply(struct replay *replay, const struct legacy_record *record)
{
    struct plan_table *table = NULL;

    replay->table = NULL;
    if (record->operation == LEGACY_CREATE_TABLE)
        return create_table(replay, record);
    CHECK(record->operation != LEGACY_CHECKPOINT);
    TRY(find_table(replay, record, &table));
    CHECK(table != NULL);
    switch (record->operation) {
    case LEGACY_DROP_TABLE:
        table->dropped = true;
        replay->plan->table_count--;
        return STATUS_OK;
    case LEGACY_INSERT:
        return add_logged_row(replay, table, record);
    case LEGACY_UPDATE:
        TRY(give_up(replay, record, kill_row(replay, record, table)));
        return add_logged_row(replay, table, record);
    case LEGACY_DELETE:
        return kill_row(replay, record, table);
    case LEGACY_RENAME_TABLE:
        return plan__copy_text(replay->plan, &record->new_name, &table->name) ? STATUS_OK
                                                                              : STATUS_NO_MEMORY;
    default:
        return apply_to_columns(replay, table, record);
    }
}

static enum status
apply_record(void *context, const struct legacy_record *record)
{
    struct replay *replay = context;

    return give_up(replay, record, apply(replay, record));
}

static enum status
apply_created_row(void *context, const struct legacy_record *record, const struct legacy_row *row,
                  uint64_t row_offset)
{
    struct replay *replay = context;

    if (replay->table == NULL)
        return STATUS_OK; /* It could not be made, in a rescue. */
    TRY(append_row(replay, replay->table, 0, record->file, row_offset, row->live));
    return raise_sequences(replay, replay->table, row);
}

static enum status
apply_created_sequence(void *context, const struct legacy_record *record,
                       const struct legacy_text *name, int64_t next)
{
    struct replay *replay = context;

    (void)record;
    if (replay->table == NULL)
        return STATUS_OK;
    return plan__sequence_set(replay->plan, replay->table, name, next, true) ? STATUS_OK
                                                                             : STATUS_NO_MEMORY;
}

enum status
legacy_plan_replay(struct legacy_plan *plan, struct legacy_log *log, const char *database)
{
    struct replay replay = {.plan = plan, .database = database};
    const struct legacy_log_visitor visitor = {
        .context = &replay,
        .record = apply_record,
        .created_row = apply_created_row,
        .created_sequence = apply_created_sequence,
    };

    return legacy_log_each(log, &visitor);
}
