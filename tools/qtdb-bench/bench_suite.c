/*
 * Suite and smoke: every workload after the other; the suite also the tables of targets, write amplification,
 * sizes and routers, within 10 minutes (--quick), 100 or --minutes (bench_budget.h). What the journal of a continued
 * run has is not measured again (bench_journal.h), so all tables are printed whole whatever interrupted the measuring.
 *
 * Steps stand so that what was loaded serves as many as can be: workloads that only read come first, then the targets,
 * of which many are the same cases, and then the other workloads, of which most were measured for a target by then.
 */
#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_budget.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_targets.h"

void
bench_command_smoke(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options few = *options;

    few.base.rows = 500;
    few.base.runs = 1;
    few.base.seconds = 0;
    few.repeat = false;
    few.base.pool = 16 << 20;
    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        struct bench_case sizes = bench_case_of(&few, bench_workload_at(i));

        if (!bench_case_run(&few, &sizes, results))
            return;
        bench_case_print(&few, results, &sizes);
    }
}

enum { STEPS_MAX = 64, QUICK_MINUTES = 10, FULL_MINUTES = 100, SIZES_ROWS = 100 };

/* `learned`, by rows: the share of it that is left without peers, and the fewest that it makes sense with. */
#define LEARNED_SECONDS 20.0
#define LEARNED_ROW_SECONDS 2.5e-4
#define LEARNED_OWN 0.6
enum { LEARNED_ROWS_LEAST = 10000 };

typedef void (*step_fn)(const struct bench_options *options, struct bench_results *results);

struct step {
    const char *name;
    const struct bench_workload *workload; /* Or NULL and `run`. */
    step_fn run;
    bool whole;  /* Not made of cases: noted when it is done, and its output kept. */
    size_t part; /* Of the budget, where it is whole. */
};

struct plan {
    struct step steps[STEPS_MAX];
    size_t count;
    struct bench_budget budget;
};

static struct step *
add_step(struct plan *plan, const char *name)
{
    CHECK(plan->count < STEPS_MAX);
    plan->steps[plan->count] = (struct step){.name = name};
    return &plan->steps[plan->count++];
}

/* `sizes` goes as far as a hundred times the rows: to 10 GB in the full suite, to 100 MB in the quick one. */
static struct bench_options
options_of_sizes(const struct bench_options *options)
{
    struct bench_options own = *options;

    own.base.rows *= SIZES_ROWS;
    own.engines_given = false;
    return own;
}

static void
run_sizes(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = options_of_sizes(options);

    bench_command_sizes(&own, results);
}

/* The predecessor's way has its own rows among the targets, with as many rows as it can take. */
static struct bench_options
options_of_suite(const struct bench_options *options)
{
    struct bench_options own = *options;

    for (size_t i = 0; i < own.engine_count && !own.engines_given && !own.quick; i++) {
        if ((own.engines[i]->flags & BENCH_UNORDERED) != 0)
            own.engines[i--] = own.engines[--own.engine_count];
    }
    if (own.quick) {
        own.base.rows = own.base.rows < 20000 ? own.base.rows : 20000;
        own.base.seconds = own.base.seconds < 1 ? own.base.seconds : 1;
        own.base.runs = 1;
    }
    return own;
}

static bool
only_reads(const struct bench_workload *workload)
{
    return workload->needs == BENCH_LOADED && !workload->writes && !workload->killed &&
           !workload->sql;
}

static void
add_workloads(const struct bench_options *options, struct plan *plan, bool reading)
{
    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        const struct bench_workload *workload = bench_workload_at(i);
        struct bench_case sizes = bench_case_of(options, workload);

        if (only_reads(workload) != reading)
            continue;
        add_step(plan, workload->name)->workload = workload;
        bench_budget_add(&plan->budget, options, &sizes);
    }
}

static void
make_plan(const struct bench_options *options, struct plan *plan)
{
    struct bench_options far = options_of_sizes(options);
    double learned = LEARNED_SECONDS + LEARNED_ROW_SECONDS * (double)options->base.rows;

    *plan = (struct plan){.count = 0};
    add_workloads(options, plan, true);
    add_step(plan, "targets")->run = bench_command_targets;
    bench_targets_plan(options, &plan->budget);
    add_workloads(options, plan, false);
    add_step(plan, "wa")->run = bench_command_wa;
    bench_wa_plan(options, &plan->budget);
    add_step(plan, "sizes")->run = run_sizes;
    bench_sizes_plan(&far, &plan->budget);
    struct step *step = add_step(plan, "learned");
    step->run = bench_command_learned;
    step->whole = true;
    step->part = bench_budget_add_part(&plan->budget, learned, LEARNED_OWN * learned);
}

static void
run_cases(const struct bench_options *options, const struct step *step,
          struct bench_results *results)
{
    if (step->workload == NULL) {
        step->run(options, results);
        return;
    }
    struct bench_case sizes = bench_case_of(options, step->workload);
    (void)bench_case_run(options, &sizes, results);
    bench_case_print(options, results, &sizes);
}

/* What such a step can do in the time that is there: its peers, its rows and its runs are not cases. False: nothing. */
static bool
fit_whole(struct bench_options *options, const struct step *step)
{
    double times = bench_budget_enter_part(options->budget, step->part);

    if (times <= 0)
        printf("%s: left out, the suite's time is over: --resume measures it\n", step->name);
    options->base.runs = times < 2 ? 1 : options->base.runs;
    if (times >= 1 || times <= 0)
        return times > 0;
    if (!options->engines_given) {
        printf("%s: peers are left out, the suite's time is over\n", step->name);
        options->engine_count = 1;
        options->engines[0] = &bench_qtdb;
    }
    if (times >= LEARNED_OWN)
        return true;
    options->base.rows /= 10;
    if (options->base.rows < LEARNED_ROWS_LEAST)
        options->base.rows = LEARNED_ROWS_LEAST;
    printf("%s: with %llu rows, the suite's time is over\n", step->name,
           (unsigned long long)options->base.rows);
    return true;
}

/* What a whole step prints is kept in NAME.txt and what it came to in NAME.targets, from where a continued suite has
 * both. */
static void
run_whole(const struct bench_options *options, const struct step *step,
          struct bench_results *results)
{
    char path[BENCH_PATH_SIZE + 64], targets[BENCH_PATH_SIZE + 64];
    const char *dir = options->archive->dir;

    (void)snprintf(path, sizeof(path), "%s/%s.txt", dir, step->name);
    (void)snprintf(targets, sizeof(targets), "%s/%s.targets", dir, step->name);
    if (!bench_journal_has_step(&options->archive->journal, step->name)) {
        struct bench_options own = *options;
        size_t from = options->targets->count;
        uint64_t begin = tool_clock_ns();
        int old = bench_output_to(path);

        bool fits = fit_whole(&own, step);
        if (fits)
            step->run(&own, results);
        bench_output_back(old);
        bool ok = bench_targets_write(options, options->targets, from, targets);
        if (fits && ok && !tool_stop_requested())
            bench_journal_note_step(&options->archive->journal, step->name,
                                    (tool_clock_ns() - begin) / 1000000000u);
    } else {
        bench_targets_read(options->targets, targets);
    }
    bench_print_file(path);
}

static double
budget_of(const struct bench_options *options)
{
    uint64_t minutes = options->quick ? QUICK_MINUTES : FULL_MINUTES;

    return 60 * (double)(options->minutes > 0 ? options->minutes : minutes);
}

void
bench_command_suite(const struct bench_options *options, struct bench_results *results)
{
    static struct plan plan;
    struct bench_options own = options_of_suite(options);
    struct bench_plan_time time;
    double budget = budget_of(options);

    /* Cases know by it that they are of a suite. */
    own.budget = &plan.budget;
    make_plan(&own, &plan);
    bench_budget_skip(&plan.budget, &own.archive->journal.before);
    bench_plan_begin(&time, "suite", plan.count, bench_budget_all(&plan.budget), budget);
    time.budget = &plan.budget;
    bench_budget_begin(&plan.budget, budget);
    for (size_t i = 0; i < plan.count && !tool_stop_requested(); i++) {
        const struct step *step = &plan.steps[i];

        bench_plan_step(&time, i, plan.count, step->name);
        if (step->whole)
            run_whole(&own, step, results);
        else
            run_cases(&own, step, results);
    }
}
