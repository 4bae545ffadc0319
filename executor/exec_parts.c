/*
 * Changes in WITH: parts of one statement, all of which see the tables as they were before it.
 *
 * So nothing is written before all has been read. A part's rows are collected when somebody first asks
 * for what its RETURNING gives, which is evaluated then; parts that nobody asks for are collected when
 * the main statement has read what it reads, the last first. Then all write: the parts that were read in
 * the order in which they were collected, the main statement, the others; foreign keys have their say at
 * the end. A row belongs to the first part that wants to change it; another's change of it does not
 * take place, as in PostgreSQL.
 *
 * What ON CONFLICT does depends on what was written before. If such a part has RETURNING, it
 * writes, behind the parts before it, and all of that is rolled back to a savepoint; when its turn comes
 * it finds the same tables and does the same.
 */
#include <string.h>

#include "executor/change_run.h"
#include "kernel/base/check.h"

enum part_state { PART_NEW = 0, PART_COLLECTING = 1, PART_COLLECTED = 2 };

struct part {
    enum part_state state;
    struct exec_change *run;
    struct exec_rows rows;     /* Collected. */
    struct exec_rows returned; /* What RETURNING gives. */
};

struct exec__parts {
    uint32_t count;
    uint32_t order_count; /* Collected so far, */
    uint32_t *order;      /* in this order. */
    uint32_t read_count;  /* Of those, what was asked for before the main statement writes. */
    bool taken_open;
    struct exec__table taken; /* Rows that are changed: schema and name of the table, key. */
    struct arena arena;
    struct written written;
    struct part *parts;
};

/* Life. */

static size_t
parts_size(uint32_t count)
{
    return sizeof(struct exec__parts) + count * (sizeof(struct part) + sizeof(uint32_t));
}

enum status
exec__open_parts(struct exec_context *context)
{
    uint32_t count = context->planned->part_count;

    if (count == 0)
        return STATUS_OK;
    struct exec__parts *parts = memory_alloc(context->memory, MEMORY_SQL, parts_size(count));
    if (parts == NULL)
        return STATUS_NO_MEMORY;
    parts->count = count;
    parts->parts = (struct part *)(parts + 1);
    parts->order = (uint32_t *)(parts->parts + count);
    arena_init(&parts->arena, context->memory, MEMORY_SQL);
    exec__table_init(&parts->taken, &parts->arena, 3);
    written_init(&parts->written, context->memory);
    for (uint32_t i = 0; i < count; i++) {
        arena_init(&parts->parts[i].rows.arena, context->memory, MEMORY_SQL);
        arena_init(&parts->parts[i].returned.arena, context->memory, MEMORY_SQL);
    }
    context->parts = parts;
    return STATUS_OK;
}

void
exec__close_parts(struct exec_context *context)
{
    struct exec__parts *parts = context->parts;

    if (parts == NULL)
        return;
    for (uint32_t i = 0; i < parts->count; i++) {
        exec_change_close(parts->parts[i].run);
        arena_deinit(&parts->parts[i].rows.arena);
        arena_deinit(&parts->parts[i].returned.arena);
    }
    arena_deinit(&parts->arena);
    written_deinit(&parts->written);
    memory_free(context->memory, MEMORY_SQL, parts, parts_size(parts->count));
    context->parts = NULL;
}

uint64_t
exec_part_count(const struct exec_context *context, uint32_t part)
{
    const struct exec_change *run = context->parts->parts[part].run;

    return run == NULL ? 0 : run->count;
}

enum status
exec__parts_take(struct exec_context *context, const struct table *table, const struct value *key,
                 bool *is_first_out)
{
    struct exec__parts *parts = context->parts;
    struct exec__entry *entry = NULL;
    struct value keys[3];

    *is_first_out = true;
    if (parts == NULL)
        return STATUS_OK;
    keys[0] = value_bytes(QTDB_TYPE_TEXT, table->schema, strlen(table->schema));
    keys[1] = value_bytes(QTDB_TYPE_TEXT, table->name, strlen(table->name));
    keys[2] = *key;
    TRY(exec__table_get(&parts->taken, keys, &entry, is_first_out));
    return change_check_memory(context, &parts->arena);
}

static bool
updates_on_conflict(const struct planned *planned)
{
    return planned->bound->conflict != NULL && planned->bound->conflict->update;
}

struct written *
exec__parts_written(struct exec_context *context)
{
    const struct planned *planned = context->planned;
    bool asks = updates_on_conflict(planned);

    for (uint32_t i = 0; i < planned->part_count; i++)
        asks = asks || updates_on_conflict(planned->parts[i]);
    return asks && context->parts != NULL ? &context->parts->written : NULL;
}

/* Collecting. */

/* Writes what was collected, first to last; [from, to) of the order. */
static enum status
write_parts(struct exec__parts *parts, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct part *part = &parts->parts[parts->order[i]];

        TRY(exec__change_write(part->run, &part->rows));
    }
    return STATUS_OK;
}

/* Foreign keys hear nothing of what is rolled back. */
static void
set_queues(struct exec__parts *parts, bool on)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        struct exec_change *run = parts->parts[i].run;

        if (run == NULL)
            continue;
        run->change.queue = on ? run->queue : NULL;
        run->change.next_row = 0;
    }
}

/* RETURNING of a part with ON CONFLICT, from a trial that leaves nothing behind. */
static enum status
try_part(struct exec_context *context, struct part *part)
{
    struct exec__parts *parts = context->parts;
    uint64_t mark = 0;

    TRY(sql_from_code(qtdb_savepoint(context->txn, &mark), context->error));
    set_queues(parts, false);
    TRY(write_parts(parts, 0, parts->order_count));
    TRY(exec__change_write(part->run, &part->rows));
    TRY(sql_from_code(qtdb_rollback_to(context->txn, mark), context->error));
    set_queues(parts, true);
    written_clear(&parts->written);
    part->run->noted = true;
    return STATUS_OK;
}

static enum status
collect_part(struct exec_context *context, uint32_t index)
{
    struct exec__parts *parts = context->parts;
    struct part *part = &parts->parts[index];
    const struct planned *planned = context->planned->parts[index];

    CHECK(part->state == PART_NEW);
    part->state = PART_COLLECTING;
    TRY(exec__change_open(context, planned, &part->returned, &part->run));
    part->rows.width = planned->root->width;
    TRY(exec__change_collect(part->run, &part->rows));
    if (planned->bound->conflict == NULL)
        TRY(exec__change_note(part->run, &part->rows));
    else if (planned->bound->returning_count > 0)
        TRY(try_part(context, part));
    part->state = PART_COLLECTED;
    parts->order[parts->order_count++] = index;
    return STATUS_OK;
}

enum status
exec__part_rows(struct exec_context *context, uint32_t part, const struct exec_rows **out)
{
    if (context->parts->parts[part].state == PART_NEW)
        TRY(collect_part(context, part));
    CHECK(context->parts->parts[part].state == PART_COLLECTED);
    *out = &context->parts->parts[part].returned;
    return STATUS_OK;
}

/* Writing. */

enum status
exec__parts_before(struct exec_context *context)
{
    struct exec__parts *parts = context->parts;

    if (parts == NULL)
        return STATUS_OK;
    parts->read_count = parts->order_count;
    for (uint32_t i = parts->count; i-- > 0;) {
        if (parts->parts[i].state == PART_NEW)
            TRY(collect_part(context, i));
    }
    return write_parts(parts, 0, parts->read_count);
}

enum status
exec__parts_after(struct exec_context *context)
{
    struct exec__parts *parts = context->parts;

    if (parts == NULL)
        return STATUS_OK;
    TRY(write_parts(parts, parts->read_count, parts->order_count));
    for (uint32_t i = 0; i < parts->order_count; i++) {
        struct exec_change *run = parts->parts[parts->order[i]].run;

        if (run->queue != NULL)
            TRY(foreign_run(run->queue));
    }
    return STATUS_OK;
}

enum status
exec_finish_parts(struct exec_context *context)
{
    TRY(exec__parts_before(context));
    return exec__parts_after(context);
}
