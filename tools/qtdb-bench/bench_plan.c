/*
 * The estimates of bench_plan.h, from what this program's own tables took: seconds a row and engine, the mean of
 * the engines, of which the slowest takes about four times the fastest.
 */
#include "tools/qtdb-bench/bench_plan.h"

#include "tools/qtdb-bench/bench_budget.h"

#include <stdio.h>

#define OPEN_SECONDS 0.15     /* A process, its files made, opened and closed. */
#define LOAD_SECONDS 1.5e-6   /* A row loaded in order, large transactions. */
#define CHECK_SECONDS 0.4e-6  /* A row read and compared. */
#define PLAN_SECONDS 0.1e-6   /* A row of the plan of reads made, and summed afterwards. */
#define WRITE_SECONDS 8e-6    /* A random row written, */
#define COMMIT_SECONDS 400e-6 /* and a durable transaction. */
#define DEVICE_SECONDS 2.0    /* The device's own rate, before and after a run of qtdb's. */
#define REWRITE_ROWS \
    100000 /* More than so many are not given to an engine that rewrites its file. */

/* The part between opening and checking. */
static double
measured_seconds(const struct bench_case *sizes)
{
    const struct bench_workload *workload = sizes->workload;
    double rows = (double)sizes->rows;
    double clients = sizes->threads > 4 ? 4 : (double)sizes->threads;
    double limit = (double)sizes->seconds;
    double seconds = limit;

    if (workload->writes && !sizes->writer) {
        bool ordered = workload->batch == 10000;

        seconds = rows * (ordered ? LOAD_SECONDS : WRITE_SECONDS);
        if (sizes->sync)
            seconds += rows / (double)sizes->batch * COMMIT_SECONDS / clients;
        if (limit > 0 && seconds > limit)
            seconds = limit;
        /* What the workload wrote is settled, then read again. */
        seconds += rows * CHECK_SECONDS;
    }
    return seconds + (workload->writes ? 0 : rows * PLAN_SECONDS);
}

static bool
takes_part(const struct bench_engine *engine, const struct bench_case *sizes)
{
    const struct bench_workload *workload = sizes->workload;

    if ((workload->sql && engine->sql == NULL) || (workload->counted && engine->route == NULL))
        return false;
    return (engine->flags & BENCH_REWRITES) == 0 || !workload->writes || sizes->rows < REWRITE_ROWS;
}

static double
load_seconds(const struct bench_case *sizes)
{
    return sizes->workload->needs == BENCH_LOADED
               ? OPEN_SECONDS + (double)sizes->rows * LOAD_SECONDS
               : 0;
}

double
bench_run_seconds(const struct bench_case *sizes, bool loading)
{
    double run = OPEN_SECONDS + measured_seconds(sizes);

    if (sizes->workload->needs == BENCH_LOADED && !sizes->workload->cold)
        run += (double)sizes->rows * CHECK_SECONDS;
    return run + (loading ? load_seconds(sizes) : 0);
}

uint32_t
bench_case_engines(const struct bench_options *options, const struct bench_case *sizes)
{
    uint32_t engines = 0;

    for (size_t i = 0; i < options->engine_count; i++)
        engines += takes_part(options->engines[i], sizes);
    return engines;
}

double
bench_case_seconds(const struct bench_options *options, const struct bench_case *sizes, bool loaded)
{
    double seconds = bench_run_seconds(sizes, !loaded) +
                     (double)(sizes->runs - 1) * bench_run_seconds(sizes, false);

    return bench_case_engines(options, sizes) * seconds +
           (double)sizes->runs * (sizes->device_depth > 0 ? DEVICE_SECONDS : 0);
}

void
bench_plan_begin(struct bench_plan_time *plan, const char *what, size_t steps, double seconds,
                 double allowed)
{
    *plan = (struct bench_plan_time){
        .what = what, .begin_ns = tool_clock_ns(), .seconds = seconds, .allowed = allowed};
    (void)fprintf(stderr, "%s: %zu step%s, about %.1f minutes by estimate", what, steps,
                  tool_plural(steps), seconds / 60);
    if (allowed > 0)
        (void)fprintf(stderr, ", at most %.0f%s", allowed / 60,
                      seconds > allowed ? ": further runs of cases are left out first" : "");
    (void)fprintf(stderr, "\n");
}

void
bench_plan_step(const struct bench_plan_time *plan, size_t index, size_t count, const char *name)
{
    double gone = (double)(tool_clock_ns() - plan->begin_ns) / 1e9;
    double speed = plan->done > 0 ? plan->spent / plan->done : 1;
    double left = plan->budget != NULL ? bench_budget_left(plan->budget)
                                       : (plan->seconds - plan->before) * speed;
    double allowed = plan->allowed > gone ? plan->allowed - gone : 0;

    if (plan->allowed > 0 && left > allowed)
        left = allowed;
    (void)fprintf(stderr, "%s: %zu of %zu, %s; %.1f min gone, about %.0f left\n", plan->what,
                  index + 1, count, name, gone / 60, left / 60);
}

void
bench_plan_done(struct bench_plan_time *plan, double seconds, uint64_t begin_ns)
{
    double took = (double)(tool_clock_ns() - begin_ns) / 1e9;

    plan->before += seconds;
    /* A step that the journal had says nothing of this machine's speed. */
    if (took * 100 < seconds)
        return;
    plan->done += seconds;
    plan->spent += took;
}
