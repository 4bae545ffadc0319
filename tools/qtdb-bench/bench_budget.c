/* The time of a suite: bench_budget.h. */
#include "tools/qtdb-bench/bench_budget.h"

#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_plan.h"

/* What the pace is before anything was measured weighs as much as so many seconds of it. */
#define PRIOR_SECONDS 20.0
/* For what is not in the estimates: reports, tables, devices made; and for estimates that are too low at the end. */
#define RESERVE_SHARE 0.04
#define OWN_RESERVE 1.25

static struct bench_budget_item *
find(struct bench_budget *budget, const struct bench_case *sizes)
{
    for (size_t i = 0; i < budget->count; i++) {
        struct bench_budget_item *item = &budget->items[i];

        if (item->sizes.workload != NULL && bench_case_same(&item->sizes, sizes))
            return item;
    }
    return NULL;
}

/* The files that the case finds are those that it wants. */
static bool
is_kept(const struct bench_budget *budget, const struct bench_case *sizes)
{
    const struct bench_case *kept = &budget->kept;

    return kept->workload != NULL && !sizes->own_device && kept->rows == sizes->rows &&
           kept->value_size == sizes->value_size && kept->workload->sql == sizes->workload->sql;
}

static void
keep(struct bench_budget *budget, const struct bench_case *sizes)
{
    const struct bench_workload *workload = sizes->workload;

    if (sizes->own_device)
        return;
    budget->kept = *sizes;
    if (workload->needs != BENCH_LOADED || bench_case_writes(sizes) || workload->killed)
        budget->kept.workload = NULL;
}

void
bench_budget_add(struct bench_budget *budget, const struct bench_options *options,
                 const struct bench_case *sizes)
{
    struct bench_options own = *options;
    struct bench_case once = *sizes;
    bool loaded = is_kept(budget, sizes);

    if (find(budget, sizes) != NULL)
        return;
    CHECK(budget->count < BENCH_BUDGET_MAX);
    struct bench_budget_item *item = &budget->items[budget->count++];
    own.engine_count = 1;
    own.engines[0] = &bench_qtdb;
    once.runs = 1;
    *item =
        (struct bench_budget_item){.sizes = *sizes, .engines = bench_case_engines(options, sizes)};
    item->first = bench_case_seconds(options, &once, loaded);
    item->own = bench_case_seconds(&own, &once, loaded);
    item->further = bench_case_seconds(options, sizes, loaded) - item->first;
    keep(budget, sizes);
}

size_t
bench_budget_add_part(struct bench_budget *budget, double first, double own)
{
    CHECK(budget->count < BENCH_BUDGET_MAX);
    budget->items[budget->count] = (struct bench_budget_item){.first = first, .own = own};
    return budget->count++;
}

double
bench_budget_all(const struct bench_budget *budget)
{
    double seconds = 0;

    for (size_t i = 0; i < budget->count; i++)
        seconds += budget->items[i].first + budget->items[i].further;
    return seconds;
}

/* Seconds on the clock for one by estimate. */
static double
pace_of(const struct bench_budget *budget, const struct bench_case *sizes)
{
    if (sizes->workload == NULL)
        return 1;
    const struct bench_pace *pace = &budget->paces[bench_case_writes(sizes)];

    return (pace->took + PRIOR_SECONDS) / (pace->estimated + PRIOR_SECONDS);
}

struct left {
    double first;
    double own;
    double further;
};

static struct left
left_of(const struct bench_budget *budget)
{
    struct left left = {0};

    for (size_t i = 0; i < budget->count; i++) {
        const struct bench_budget_item *item = &budget->items[i];
        double pace = pace_of(budget, &item->sizes);

        if (item->over)
            continue;
        left.first += pace * item->first;
        left.own += pace * item->own;
        left.further += pace * item->further;
    }
    return left;
}

double
bench_budget_left(const struct bench_budget *budget)
{
    return left_of(budget).first;
}

void
bench_budget_skip(struct bench_budget *budget, const struct bench_results *measured)
{
    for (size_t i = 0; i < budget->count; i++) {
        struct bench_budget_item *item = &budget->items[i];
        uint32_t count = 0;

        for (size_t k = 0; k < measured->count && item->sizes.workload != NULL; k++)
            count += measured->list[k].run == 0 &&
                     bench_case_same(&measured->list[k].sizes, &item->sizes);
        item->over = item->sizes.workload != NULL && count >= item->engines;
    }
}

void
bench_budget_begin(struct bench_budget *budget, double seconds)
{
    budget->begin_ns = tool_clock_ns();
    budget->end_ns = budget->begin_ns + (uint64_t)(seconds * 1e9);
    budget->further_until_ns = budget->end_ns;
    budget->peers_until_ns = budget->end_ns;
}

static uint64_t
after(uint64_t now, double seconds)
{
    return seconds > 0 ? now + (uint64_t)(seconds * 1e9) : now;
}

void
bench_budget_enter(struct bench_budget *budget, const struct bench_case *sizes)
{
    if (budget == NULL)
        return;
    struct bench_budget_item *item = find(budget, sizes);
    uint64_t now = tool_clock_ns();
    double time = ((double)budget->end_ns - (double)now) / 1e9 -
                  RESERVE_SHARE * (double)(budget->end_ns - budget->begin_ns) / 1e9;
    struct left own = {0};

    if (item != NULL && !item->over) {
        double pace = pace_of(budget, sizes);

        own = (struct left){pace * item->first, pace * item->own, pace * item->further};
        item->over = true;
    }
    struct left left = left_of(budget);
    double spare = time - own.first - left.first;
    double share = own.further > 0 ? own.further / (own.further + left.further) : 0;

    budget->further_until_ns = after(now, spare > 0 ? own.first + spare * share : 0);
    budget->peers_until_ns = after(now, time - OWN_RESERVE * (left.own + own.own));
}

double
bench_budget_enter_part(struct bench_budget *budget, size_t index)
{
    struct bench_budget_item *item = &budget->items[index];

    CHECK(index < budget->count && item->sizes.workload == NULL);
    item->over = true;
    double time = ((double)budget->end_ns - (double)tool_clock_ns()) / 1e9 - left_of(budget).first;

    return item->first > 0 ? time / item->first : 0;
}

void
bench_budget_note(struct bench_budget *budget, const struct bench_case *sizes, bool loaded,
                  double seconds)
{
    if (budget == NULL)
        return;
    struct bench_pace *pace = &budget->paces[bench_case_writes(sizes)];

    pace->estimated += bench_run_seconds(sizes, loaded);
    pace->took += seconds;
}
