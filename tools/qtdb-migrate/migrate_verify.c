/*
 * Verification: the source is read and converted once more, the target is read back through SQL, and
 * for each table the row counts and the sums have to be equal. The conversions are those of the
 * loading, so this proves the way into the file and out of it, not the conversions themselves; those
 * have tests of their own.
 *
 * The two sides are summed at the same time: a thread reads the target, in a session of its own, and writes nothing
 * but the tables' target_sum and struct target_reading; nobody else looks at those before it has ended.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate.h"

enum { ROWS_BETWEEN_LOOKS = 256, POLL_NS = 5 * 1000 * 1000 };

struct verifier {
    struct migration *migration;
    struct arena arena;
    struct text_buffer row;
    uint64_t row_count;
    struct migrate_target side; /* A session beside the thread's, for normalising. */
};

/* What the thread has. */
struct target_reading {
    struct migrate_target *target;
    struct migrate_table *tables;
    uint32_t table_count;
    enum status status; /* When it has ended; the target's fault tells. */
    _Atomic uint32_t at;
    _Atomic bool ended;
};

/* As PostgreSQL writes bytea. */
static void
add_hex(struct text_buffer *row, const struct converted *value, struct arena *arena)
{
    struct legacy_value bytes = {.tag = LEGACY_BYTES, .text = {value->bytes, value->size}};
    size_t size = 0;
    const char *text = convert_text(&bytes, arena, &size);

    if (text == NULL)
        row->failed = true;
    else
        migrate_sum_bytes(row, text, size);
}

static enum status
add_value(struct verifier *verifier, const struct migrate_column *column,
          const struct converted *value)
{
    struct migration *migration = verifier->migration;
    const char *text = value->bytes;
    size_t size = value->size;

    switch (value->form) {
    case CONVERT_NULL:
        migrate_sum_null(&verifier->row);
        break;
    case CONVERT_INTEGER:
        migrate_sum_integer(&verifier->row, value->integer);
        break;
    case CONVERT_REAL:
        migrate_sum_real(&verifier->row, value->real);
        break;
    case CONVERT_BYTES:
        add_hex(&verifier->row, value, &verifier->arena);
        break;
    case CONVERT_TEXT:
        if (column->type.type == QTDB_TYPE_JSONB &&
            target_normalise(&verifier->side, value->bytes, value->size, &text, &size) != STATUS_OK)
            return migrate_fail(migration, STATUS_FAILED, "%s", verifier->side.fault);
        migrate_sum_bytes(&verifier->row, text, size);
        break;
    }
    return STATUS_OK;
}

static bool
on_wants(void *context, struct plan_table *plan)
{
    struct verifier *verifier = context;

    return migrate_table_of(verifier->migration, plan)->loaded;
}

static enum status
on_row(void *context, struct plan_table *plan, const struct source_row *row)
{
    struct verifier *verifier = context;
    struct migration *migration = verifier->migration;
    struct migrate_table *table = migrate_table_of(migration, plan);

    if (verifier->row_count++ % ROWS_BETWEEN_LOOKS == 0) {
        TRY(migrate_check_stop(migration));
        tool_progress_at(&migration->progress, migration->read_before + row->offset);
    }
    arena_reset(&verifier->arena);
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct converted value;

        if (convert_value(&table->columns[i].type, row->values[i], &verifier->arena, &value) !=
            CONVERT_OK)
            return migrate_fail(migration, STATUS_CORRUPT, "%s: changed while it was read",
                                migration->reading->path);
        TRY(add_value(verifier, &table->columns[i], &value));
    }
    if (!migrate_sum_row(&table->source_sum, &verifier->row))
        return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

static enum status
sum_source(struct migration *migration)
{
    struct verifier verifier = {.migration = migration};
    const struct source_visitor visitor = {.context = &verifier, .wants = on_wants, .row = on_row};

    if (target_beside(&migration->target, &verifier.side) != STATUS_OK)
        return migrate_fail(migration, STATUS_FAILED, "%s", verifier.side.fault);
    arena_init(&verifier.arena, migration->env.memory, MEMORY_OTHER);
    text_buffer_init(&verifier.row, migration->env.memory);
    enum status status = migrate_read(migration, "reading the source again", &visitor);
    text_buffer_deinit(&verifier.row);
    arena_deinit(&verifier.arena);
    target_beside_close(&verifier.side);
    return status;
}

/* The thread. */
static void *
sum_target(void *context)
{
    struct target_reading *reading = context;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < reading->table_count; i++) {
        struct migrate_table *table = &reading->tables[i];

        atomic_store(&reading->at, i);
        if (table->loaded)
            status = target_sum(reading->target, table, &table->target_sum);
    }
    reading->status = status;
    atomic_store(&reading->ended, true);
    return NULL;
}

/* Waits for the thread; ends its query soon where the work has failed or is to stop. */
static enum status
await_target(struct migration *migration, struct target_reading *reading, pthread_t thread,
             enum status status)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};

    tool_progress_begin(&migration->progress, "reading the target", "tables",
                        migration->table_count);
    while (!atomic_load(&reading->ended)) {
        if (status == STATUS_OK)
            status = migrate_check_stop(migration);
        if (status != STATUS_OK)
            qtdb_interrupt(migration->target.session);
        tool_progress_at(&migration->progress, atomic_load(&reading->at));
        (void)nanosleep(&pause, NULL);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    tool_progress_end(&migration->progress);
    if (status == STATUS_OK && reading->status != STATUS_OK)
        status = migrate_fail(migration, STATUS_FAILED, "%s", migration->target.fault);
    return status;
}

static enum status
compare(struct migration *migration, const struct migrate_table *table)
{
    if (migrate_sum_equals(&table->source_sum, &table->target_sum))
        return STATUS_OK;
    return migrate_fail(
        migration, STATUS_CORRUPT,
        "%s.%s: verification failed: %llu rows and sum %016llx%016llx in the "
        "source, %llu rows and sum %016llx%016llx in the target",
        table->schema, table->name, (unsigned long long)table->source_sum.row_count,
        (unsigned long long)table->source_sum.high, (unsigned long long)table->source_sum.low,
        (unsigned long long)table->target_sum.row_count, (unsigned long long)table->target_sum.high,
        (unsigned long long)table->target_sum.low);
}

enum status
migrate_verify(struct migration *migration)
{
    struct target_reading reading = {.target = &migration->target,
                                     .tables = migration->tables,
                                     .table_count = migration->table_count};
    pthread_t thread;

    if (pthread_create(&thread, NULL, sum_target, &reading) != 0)
        return migrate_fail(migration, STATUS_FAILED, "a thread for the verification was refused");
    TRY(await_target(migration, &reading, thread, sum_source(migration)));
    for (uint32_t i = 0; i < migration->table_count; i++) {
        if (migration->tables[i].loaded)
            TRY(compare(migration, &migration->tables[i]));
    }
    migration->verified = true;
    return STATUS_OK;
}
