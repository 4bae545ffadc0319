/*
 * Runs of a scan for many rows of another side: an index join asks its inner side for a key of each outer row.
 * The keys of many runs are given to one batch of look-ups, which overlaps their waiting for memory and disk:
 *
 *   whole row keys        the batch finds the rows;
 *   the start of keys     it brings the leaves in that the cursor will look into, and finds nothing, or not all;
 *   keys of an index      the same in the index; then the entries of all runs are gathered, and a second batch
 *                         finds their rows.
 *
 * The runs come in the order they were added, each once. A run whose entries have no room beside those of the
 * runs before it is not primed, nor are those behind it.
 */
#include "executor/exec_scan.h"
#include "kernel/base/check.h"

struct scan_prime {
    uint32_t count;                     /* Runs. */
    uint32_t present;                   /* The run of now. */
    uint32_t starts[SCAN_LOOK_MAX + 1]; /* In the gathered look-ups: of each run, and the end. */
};

/* A value that can be told at any time, without an error. */
static bool
is_plain(const struct expr *expr)
{
    while (expr->kind == EXPR_CAST && expr->type.precision < 0 &&
           (expr->type.type == expr->arguments[0]->type.type ||
            plan_keeps_key(expr->arguments[0]->type.type, expr->type.type)))
        expr = expr->arguments[0];
    return expr->kind == EXPR_SLOT || expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
}

bool
exec__scan_primes(const struct plan *plan)
{
    const struct plan_path *path = &plan->path;
    bool primes = plan->kind == PLAN_SCAN && path->equal_count > 0 && path->in_count == 0 &&
                  (path->low == NULL || is_plain(path->low)) &&
                  (path->high == NULL || is_plain(path->high));

    for (uint32_t i = 0; primes && i < path->equal_count; i++)
        primes = (path->nulls >> i & 1) != 0 || is_plain(path->equals[i]);
    return primes;
}

/* The batch gives the rows themselves. */
static bool
finds_rows(const struct plan *plan)
{
    return plan->path.index == UINT32_MAX && plan->path.is_point;
}

static bool
gathers_entries(const struct plan *plan)
{
    return plan->path.index != UINT32_MAX && !plan->path.alone;
}

static enum status
begin_runs(struct exec *exec, uint32_t wanted)
{
    const struct scan *scan = exec->state;

    scan->prime->count = 0;
    scan->prime->starts[0] = 0;
    return scan__look_begin(exec, wanted);
}

enum status
exec__prime_begin(struct exec *exec, uint32_t wanted)
{
    struct scan *scan = exec->state;

    if (scan->prime == NULL) {
        scan->prime = memory_alloc(exec->context->memory, MEMORY_SQL, sizeof(*scan->prime));
        if (scan->prime == NULL)
            return STATUS_NO_MEMORY;
    }
    return begin_runs(exec, wanted);
}

void
scan__prime_free(struct exec *exec)
{
    struct scan *scan = exec->state;

    if (scan->prime != NULL)
        memory_free(exec->context->memory, MEMORY_SQL, scan->prime, sizeof(*scan->prime));
    scan->prime = NULL;
}

static void
end_run(struct scan *scan)
{
    struct scan_prime *prime = scan->prime;

    prime->count++;
    prime->starts[prime->count] = scan__look_count(scan);
}

enum status
exec__prime_add(struct exec *exec, bool *out)
{
    struct scan *scan = exec->state;

    *out = scan__look_has_room(scan);
    if (!*out)
        return STATUS_OK;
    scan->started = false;
    exec->done = false;
    TRY(scan__next_range(exec, scan));
    if (!exec->done)
        scan__look_add(scan, scan->begin.bytes, scan->begin.size);
    end_run(scan);
    return STATUS_OK;
}

enum status
exec__prime_look_up(struct exec *exec, bool *gathers_out)
{
    struct scan *scan = exec->state;
    uint32_t count = scan->prime->count;

    *gathers_out = gathers_entries(exec->plan);
    TRY(scan__look_fetch(exec, finds_rows(exec->plan)));
    return *gathers_out ? begin_runs(exec, count > 0 ? SCAN_LOOK_MAX : 1) : STATUS_OK;
}

enum status
exec__prime_gather(struct exec *exec, bool *out)
{
    struct scan *scan = exec->state;
    enum status status = STATUS_OK;

    scan->started = scan->in_range = false;
    exec->done = false;
    TRY(scan__next_range(exec, scan));
    while (!exec->done && status == STATUS_OK) {
        *out = scan__look_has_room(scan);
        if (!*out) {
            scan__look_cut(scan, scan->prime->starts[scan->prime->count]);
            return STATUS_OK;
        }
        status = scan__gather_one(exec, scan);
    }
    *out = true;
    if (status != STATUS_NOT_FOUND)
        TRY(status);
    end_run(scan);
    return STATUS_OK;
}

enum status
exec__prime_end(struct exec *exec)
{
    return gathers_entries(exec->plan) ? scan__look_fetch(exec, true) : STATUS_OK;
}

void
exec__prime_use(struct exec *exec, uint32_t index)
{
    struct scan *scan = exec->state;

    CHECK(index < scan->prime->count);
    scan->prime->present = index;
    scan->is_primed = finds_rows(exec->plan) || gathers_entries(exec->plan);
}

enum status
scan__take_primed(struct exec *exec)
{
    struct scan *scan = exec->state;
    const struct scan_prime *prime = scan->prime;

    exec->done = true;
    return scan__look_give(exec, prime->starts[prime->present], prime->starts[prime->present + 1],
                           finds_rows(exec->plan));
}
