/*
 * Nodes: each has a class, a state and inputs. A node resets its batch's arena at the start of a call,
 * so that rows live until the caller asks for more.
 */
#include "executor/exec.h"

#include <string.h>

#include "executor/change_run.h"
#include "executor/exec_private.h"
#include "kernel/base/check.h"
#include "kernel/base/io.h"
#include "kernel/database.h"

static const struct exec__class *const classes[PLAN_KIND_COUNT] = {
    [PLAN_RESULT] = &exec__result_class,
    [PLAN_VALUES] = &exec__values_class,
    [PLAN_SCAN] = &exec__scan_class,
    [PLAN_FILTER] = &exec__filter_class,
    [PLAN_PROJECT] = &exec__project_class,
    [PLAN_LOOP_JOIN] = &exec__loop_join_class,
    [PLAN_HASH_JOIN] = &exec__hash_join_class,
    [PLAN_AGGREGATE] = &exec__aggregate_class,
    [PLAN_SORT] = &exec__sort_class,
    [PLAN_DISTINCT] = &exec__distinct_class,
    [PLAN_LIMIT] = &exec__limit_class,
    [PLAN_SET] = &exec__set_class,
    [PLAN_RECURSIVE] = &exec__recursive_class,
    [PLAN_WORK] = &exec__work_class,
    [PLAN_SERIES] = &exec__series_class,
    [PLAN_WINDOW] = &exec__window_class,
    [PLAN_GROUP] = &exec__group_class,
    [PLAN_SHARED] = &exec__shared_class,
    [PLAN_LOCK] = &exec__lock_class,
    [PLAN_ZIP] = &exec__zip_class,
    [PLAN_MERGE_JOIN] = &exec__merge_join_class,
};

/* What nodes share. */

struct eval
exec__eval(struct exec *exec)
{
    struct exec_context *context = exec->context;

    return (struct eval){.arena = &exec->batch.arena,
                         .error = context->error,
                         .parameters = context->parameters,
                         .parameter_count = context->parameter_count,
                         .slots = context->slots,
                         .context = context};
}

struct value *
exec__row(const struct batch *batch, uint32_t index)
{
    return batch->values + (size_t)index * batch->width;
}

struct value *
exec__new_row(struct exec *exec)
{
    CHECK(exec->batch.count < exec->capacity);
    return exec__row(&exec->batch, exec->batch.count++);
}

void
exec__give_pair(struct exec *exec, const struct value *left, const struct value *right)
{
    uint32_t left_width = exec->plan->input->width, right_width = exec->plan->right->width;
    struct value *row = exec__new_row(exec);

    for (uint32_t i = 0; i < left_width; i++)
        row[i] = left == NULL ? value_null(QTDB_TYPE_NULL) : left[i];
    for (uint32_t i = 0; i < right_width && exec__shows_right(exec->plan); i++)
        row[left_width + i] = right == NULL ? value_null(QTDB_TYPE_NULL) : right[i];
}

bool
exec__is_full(const struct exec *exec)
{
    return exec->batch.count == exec->capacity || exec->batch.count >= exec->goal;
}

static enum status
charge(struct exec_context *context, size_t size, size_t *charged)
{
    size_t limit = context->memory_limit > 0 ? context->memory_limit : EXEC_MEMORY_MAX;

    context->held_size += size - *charged;
    *charged = size;
    if (context->held_size <= limit)
        return STATUS_OK;
    return sql_error_set(context->error, "53200", -1,
                         "the statement needs more than %zu MiB of memory", limit >> 20);
}

enum status
exec__charge_arena(struct exec_context *context, const struct arena *arena, size_t *charged)
{
    return charge(context, arena->total_size, charged);
}

enum status
exec__charge(struct exec *exec)
{
    size_t size = exec->held.total_size + exec->extra_size;

    if (exec->measure != NULL && size > exec->measure->held_size_max)
        exec->measure->held_size_max = size;
    return charge(exec->context, size, &exec->charged);
}

void
exec__release(struct exec *exec)
{
    arena_reset(&exec->held);
    exec->context->held_size -= exec->charged;
    exec->charged = 0;
    exec->holds = false;
}

enum status
exec__timed_out(const struct exec_context *context)
{
    (void)sql_error_set(context->error, "57014", -1,
                        "canceling statement due to statement timeout");
    return STATUS_STOPPED;
}

/* Others are asked at every 64th look, which is soon enough. */
enum status
exec__check_interrupt(const struct exec_context *context)
{
    struct exec_progress *progress = context->progress;
    bool interrupted = context->interrupted != NULL &&
                       atomic_load_explicit(context->interrupted, memory_order_relaxed);

    if (!interrupted && progress != NULL && ++progress->check_count % 64 == 0) {
        if (context->deadline_ns != 0 && io_clock_ns(context->io) >= context->deadline_ns)
            return exec__timed_out(context);
        interrupted =
            progress->call != NULL && !progress->call(progress->context, progress->row_count);
    }
    if (!interrupted)
        return STATUS_OK;
    (void)sql_error_set(context->error, "57014", -1, "canceling statement due to user request");
    return STATUS_STOPPED;
}

enum status
exec__fill_slots(struct exec *exec, const struct plan_slots *slots, const struct value *row,
                 struct arena *arena)
{
    struct eval eval = exec__eval(exec);

    eval.arena = arena;
    for (uint32_t i = 0; i < slots->count; i++)
        TRY(expr_eval(slots->sources[i], row, &eval, &exec->context->slots[slots->slots[i]]));
    return STATUS_OK;
}

/* Contexts. */

enum status
exec_context_open(struct exec_context *context, const struct planned *planned)
{
    uint32_t work_count = planned->bound->work_count;

    context->planned = planned;
    context->held_size = 0;
    context->slots = NULL;
    context->subplans = NULL;
    context->works = NULL;
    context->shared = NULL;
    context->parts = NULL;
    if (planned->slot_count > 0) {
        context->slots = memory_alloc(context->memory, MEMORY_SQL,
                                      planned->slot_count * sizeof(*context->slots));
        if (context->slots == NULL)
            return STATUS_NO_MEMORY;
    }
    if (work_count > 0) {
        context->works =
            memory_alloc(context->memory, MEMORY_SQL, work_count * sizeof(*context->works));
        if (context->works == NULL)
            return STATUS_NO_MEMORY;
    }
    TRY(exec__open_shared(context));
    TRY(exec__open_subplans(context));
    return exec__open_parts(context);
}

void
exec_context_close(struct exec_context *context)
{
    if (context->planned == NULL)
        return;
    exec__close_parts(context);
    exec__close_subplans(context);
    exec__close_shared(context);
    memory_free(context->memory, MEMORY_SQL, context->slots,
                context->planned->slot_count * sizeof(*context->slots));
    memory_free(context->memory, MEMORY_SQL, context->works,
                context->planned->bound->work_count * sizeof(*context->works));
    context->slots = NULL;
    context->works = NULL;
    context->planned = NULL;
}

/* Life. */

/* A look-up of one row needs no room for 256. */
static uint32_t
capacity_of(const struct plan *plan)
{
    switch (plan->kind) {
    case PLAN_RESULT:
        return 1;
    case PLAN_VALUES:
        return plan->row_count < EXEC_BATCH_ROWS ? plan->row_count : EXEC_BATCH_ROWS;
    case PLAN_SCAN: {
        uint32_t rows = plan->path.in_count > 0 ? plan->path.in_count : 1;

        return plan->path.is_point && rows < EXEC_BATCH_ROWS ? rows : EXEC_BATCH_ROWS;
    }
    case PLAN_FILTER:
    case PLAN_PROJECT:
    case PLAN_LIMIT:
        return capacity_of(plan->input);
    case PLAN_AGGREGATE:
        return plan->group_count == 0 && plan->set_count == 0 ? 1 : EXEC_BATCH_ROWS;
    default:
        return EXEC_BATCH_ROWS;
    }
}

static size_t
batch_size(const struct exec *exec)
{
    return (size_t)exec->capacity * (exec->batch.width + 1) * sizeof(struct value);
}

static enum status
next_batch(struct exec *exec)
{
    while (!exec->done && exec->batch.count == 0)
        TRY(exec->class->next(exec));
    return STATUS_OK;
}

/* Unknown, so 0, inside a transaction block: it was begun without statistics. */
static uint64_t
page_reads(const struct exec_context *context)
{
    struct qtdb_txn_statistics statistics = {.size = sizeof(statistics)};

    return qtdb_txn_get_statistics(context->txn, &statistics) == QTDB_OK
               ? statistics.page_read_count
               : 0;
}

/* Reading the clock and the counters costs, so only EXPLAIN ANALYZE does. */
static enum status
next_measured(struct exec *exec)
{
    struct exec_context *context = exec->context;
    struct exec_measure *measure = exec->measure;
    uint64_t reads = page_reads(context);
    struct io *io = database_io(context->db);
    uint64_t begin_ns = context->measures_time ? io_clock_ns(io) : 0;

    if (!exec->started)
        measure->loop_count++;
    TRY(next_batch(exec));
    uint64_t time_ns = context->measures_time ? io_clock_ns(io) - begin_ns : 0;
    measure->time_ns += time_ns;
    measure->startup_ns += exec->started ? 0 : time_ns;
    measure->row_count += exec->batch.count;
    measure->page_read_count += page_reads(context) - reads;
    exec->started = true;
    return STATUS_OK;
}

enum status
exec_next(struct exec *exec, const struct batch **out)
{
    TRY(exec__check_interrupt(exec->context));
    arena_reset(&exec->batch.arena);
    exec->batch.count = 0;
    TRY(exec->measure == NULL ? next_batch(exec) : next_measured(exec));
    *out = &exec->batch;
    return STATUS_OK;
}

void
exec_rescan(struct exec *exec)
{
    if (exec == NULL)
        return;
    if (exec->class->rescan != NULL)
        exec->class->rescan(exec);
    if (exec->plan->reads_slots)
        exec__release(exec);
    exec->done = exec->started = false;
    exec_rescan(exec->input);
    exec_rescan(exec->right);
}

void
exec_close(struct exec *exec)
{
    while (exec != NULL) {
        struct exec *input = exec->input;
        struct memory *memory = exec->context->memory;

        exec_close(exec->right);
        if (exec->class->close != NULL && exec->state != NULL)
            exec->class->close(exec);
        exec->context->held_size -= exec->charged;
        if (exec->state != NULL)
            memory_free(memory, MEMORY_SQL, exec->state, exec->class->state_size);
        memory_free(memory, MEMORY_SQL, exec->batch.values, batch_size(exec));
        arena_deinit(&exec->batch.arena);
        arena_deinit(&exec->held);
        memory_free(memory, MEMORY_SQL, exec, sizeof(*exec));
        exec = input;
    }
}

/* Runs that are kept. */

/* Bytes of batches that a statement may hold between its runs. */
enum { KEPT_SIZE_MAX = 64 * 1024 };

/* Nodes that a rescan brings wholly back to their beginning, and that hold little. */
static bool
is_keepable(enum plan_kind kind)
{
    return kind == PLAN_SCAN || kind == PLAN_FILTER || kind == PLAN_PROJECT || kind == PLAN_LIMIT ||
           kind == PLAN_RESULT || kind == PLAN_VALUES;
}

bool
exec_is_keepable(const struct planned *planned)
{
    size_t size = 0;

    if (planned->subplan_count > 0 || planned->bound->work_count > 0 || planned->part_count > 0)
        return false;
    for (const struct plan *plan = planned->root; plan != NULL; plan = plan->input) {
        if (!is_keepable(plan->kind) || plan->right != NULL)
            return false;
        size += capacity_of(plan) * ((size_t)plan->width + 1) * sizeof(struct value);
    }
    return size <= KEPT_SIZE_MAX;
}

void
exec_park(struct exec *exec)
{
    for (; exec != NULL; exec = exec->input) {
        CHECK(exec->right == NULL && exec->measure == NULL);
        if (exec->class->park != NULL)
            exec->class->park(exec);
        exec__release(exec);
        arena_reset(&exec->batch.arena);
        exec->batch.count = 0;
    }
}

void
exec_resume(struct exec *exec)
{
    for (struct exec *each = exec; each != NULL; each = each->input)
        each->goal = UINT64_MAX;
    exec_rescan(exec);
}

static enum status
open_parts(struct exec *exec)
{
    struct memory *memory = exec->context->memory;

    exec->batch.values = memory_alloc(memory, MEMORY_SQL, batch_size(exec));
    if (exec->batch.values == NULL)
        return STATUS_NO_MEMORY;
    if (exec->class->state_size > 0) {
        exec->state = memory_alloc(memory, MEMORY_SQL, exec->class->state_size);
        if (exec->state == NULL)
            return STATUS_NO_MEMORY;
    }
    if (exec->plan->input != NULL)
        TRY(exec_open(exec->context, exec->plan->input, &exec->input));
    if (exec->plan->right != NULL)
        TRY(exec_open(exec->context, exec->plan->right, &exec->right));
    return exec->class->open == NULL ? STATUS_OK : exec->class->open(exec);
}

enum status
exec_open(struct exec_context *context, const struct plan *plan, struct exec **out)
{
    struct exec *exec = memory_alloc(context->memory, MEMORY_SQL, sizeof(*exec));

    if (exec == NULL)
        return STATUS_NO_MEMORY;
    CHECK(plan->kind < PLAN_KIND_COUNT && classes[plan->kind] != NULL);
    exec->class = classes[plan->kind];
    exec->context = context;
    exec->plan = plan;
    exec->measure = context->measures == NULL ? NULL : &context->measures[plan->id];
    exec->batch.width = plan->width;
    exec->capacity = capacity_of(plan);
    exec->goal = UINT64_MAX;
    if (exec->capacity == 0)
        exec->capacity = 1; /* VALUES without rows. */
    arena_init(&exec->batch.arena, context->memory, MEMORY_SQL);
    arena_init(&exec->held, context->memory, MEMORY_SQL);
    enum status status = open_parts(exec);
    if (status == STATUS_OK)
        *out = exec;
    else
        exec_close(exec);
    return status;
}
