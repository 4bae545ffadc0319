/*
 * Suite and smoke: every workload after the other; the suite then the tables of targets, write amplification,
 * sizes and routers, by a plan of 10 minutes (--quick) or 100. What the journal of a continued run has is not
 * measured again (bench_journal.h), so all tables are printed whole whatever interrupted the measuring.
 */
#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"

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

/*
 * The plan. A step's share of the time is what it costs by estimate (bench_plan.h). Past its share a step makes no
 * second run of what has one; when nearly the whole time is over peers are left out, which is said, and --resume
 * measures them: the rest of the time is for qtdb's own figures.
 */
enum { STEPS_MAX = 64, QUICK_MINUTES = 10, FULL_MINUTES = 100, SIZES_ROWS = 100 };
#define PEERS_SHARE 0.85 /* Of the time. */

typedef void (*step_fn)(const struct bench_options *options, struct bench_results *results);

struct step {
    const char *name;
    const struct bench_workload *workload; /* Or NULL and `run`. */
    step_fn run;
    bool whole; /* Not made of cases: noted when it is done, and its output kept. */
    double seconds;
};

struct plan {
    struct step steps[STEPS_MAX];
    size_t count;
    double seconds; /* By estimate, of all. */
};

static void
add_step(struct plan *plan, const struct step *step)
{
    CHECK(plan->count < STEPS_MAX);
    plan->steps[plan->count++] = *step;
    plan->seconds += step->seconds;
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

/* Its peers are no cases that could be left out one by one. */
static void
run_learned(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = *options;

    if (own.end_ns != 0 && tool_clock_ns() > own.end_ns) {
        printf("learned: peers are left out, the suite's time is over\n");
        own.engine_count = 1;
        own.engines[0] = &bench_qtdb;
    }
    bench_command_learned(&own, results);
}

static void
make_plan(const struct bench_options *options, struct plan *plan)
{
    struct bench_options far = options_of_sizes(options);
    bool loaded = false;

    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        const struct bench_workload *workload = bench_workload_at(i);
        struct bench_case sizes = bench_case_of(options, workload);

        add_step(plan, &(struct step){.name = workload->name,
                                      .workload = workload,
                                      .seconds = bench_case_seconds(options, &sizes,
                                                                    loaded && !workload->sql)});
        loaded = workload->needs == BENCH_LOADED && !workload->writes && !workload->killed;
    }
    add_step(plan, &(struct step){.name = "targets",
                                  .run = bench_command_targets,
                                  .seconds = bench_targets_seconds(options)});
    add_step(plan, &(struct step){.name = "wa",
                                  .run = bench_command_wa,
                                  .seconds = bench_wa_seconds(options)});
    add_step(plan, &(struct step){
                       .name = "sizes", .run = run_sizes, .seconds = bench_sizes_seconds(&far)});
    add_step(plan, &(struct step){.name = "learned",
                                  .run = run_learned,
                                  .whole = true,
                                  .seconds = 20 + 3e-4 * (double)options->base.rows});
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

/* What a whole step prints is kept in NAME.txt, from where a continued suite has it. */
static void
run_whole(const struct bench_options *options, const struct step *step,
          struct bench_results *results)
{
    char path[BENCH_PATH_SIZE + 64];

    (void)snprintf(path, sizeof(path), "%s/%s.txt", options->archive->dir, step->name);
    if (!bench_journal_has_step(&options->archive->journal, step->name)) {
        uint64_t begin = tool_clock_ns();
        int old = bench_output_to(path);

        step->run(options, results);
        bench_output_back(old);
        if (!tool_stop_requested())
            bench_journal_note_step(&options->archive->journal, step->name,
                                    (tool_clock_ns() - begin) / 1000000000u);
    }
    bench_print_file(path);
}

static void
write_targets(const struct bench_options *options, const struct text_buffer *text)
{
    char path[BENCH_PATH_SIZE + 64];

    if (options->archive == NULL)
        return;
    (void)snprintf(path, sizeof(path), "%s/targets.md", options->archive->dir);
    (void)bench_write_file(options, path, text);
}

static double
budget_of(const struct bench_options *options)
{
    uint64_t minutes = options->quick ? QUICK_MINUTES : FULL_MINUTES;

    return 60 * (double)(options->minutes > 0 ? options->minutes : minutes);
}

static void
run_step(const struct bench_options *options, const struct step *step,
         struct bench_results *results)
{
    if (step->whole && options->archive != NULL)
        run_whole(options, step, results);
    else
        run_cases(options, step, results);
}

void
bench_command_suite(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = *options;
    struct text_buffer targets;
    struct bench_plan_time time;
    struct plan plan = {.count = 0};
    double budget = budget_of(options);

    if (own.quick) {
        own.base.rows = own.base.rows < 20000 ? own.base.rows : 20000;
        own.base.seconds = own.base.seconds < 1 ? own.base.seconds : 1;
        own.base.runs = 1;
    }
    make_plan(&own, &plan);
    bench_plan_begin(&time, "suite", plan.count, plan.seconds, budget);
    own.end_ns = time.begin_ns + (uint64_t)(budget * PEERS_SHARE * 1e9);
    text_buffer_init(&targets, own.env.memory);
    text_buffer_add_text(&targets, "| what | qtdb | |\n|---|---|---|\n");
    own.targets = &targets;
    for (size_t i = 0; i < plan.count && !tool_stop_requested(); i++) {
        const struct step *step = &plan.steps[i];
        double share = plan.seconds > 0 ? (time.before + step->seconds) / plan.seconds : 1;
        uint64_t begin = tool_clock_ns();

        bench_plan_step(&time, i, plan.count, step->name);
        own.deadline_ns = time.begin_ns + (uint64_t)(budget * PEERS_SHARE * share * 1e9);
        run_step(&own, step, results);
        bench_plan_done(&time, step->seconds, begin);
    }
    write_targets(&own, &targets);
    text_buffer_deinit(&targets);
}
