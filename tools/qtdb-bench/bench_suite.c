/*
 * Suite and smoke: every workload after the other; the suite then the tables of targets, write amplification,
 * sizes and routers, by a plan of 10 minutes (--quick) or 100. What the journal of a continued run has is not
 * measured again (bench_journal.h), so all tables are printed whole whatever interrupted the measuring.
 */
#include <inttypes.h>

#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_command.h"
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
 * The plan. A step's share of the time is what it costs by estimate: a run of one engine takes its --seconds and
 * about one more to load, warm and check. Past its share a step makes no second run of what has one; past
 * the whole time peers are left out, which is said, and --resume measures them.
 */
enum { STEPS_MAX = 64, QUICK_SECONDS = 600, FULL_SECONDS = 6000 };

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
    double done;    /* The same of steps that were measured now, */
    double spent;   /* and what they took. */
    uint64_t begin_ns;
    uint64_t budget_ns;
};

static void
add_step(struct plan *plan, const struct step *step)
{
    CHECK(plan->count < STEPS_MAX);
    plan->steps[plan->count++] = *step;
    plan->seconds += step->seconds;
}

static void
make_plan(const struct bench_options *options, struct plan *plan)
{
    double run = (double)options->base.seconds + (options->quick ? 0.4 : 1);
    double all = run * (double)options->base.runs * (double)options->engine_count;

    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        const struct bench_workload *workload = bench_workload_at(i);
        bool few = workload->sql || workload->counted;

        add_step(plan, &(struct step){.name = workload->name,
                                      .workload = workload,
                                      .seconds = few ? 2 * run * (double)options->base.runs : all});
    }
    add_step(plan,
             &(struct step){.name = "targets", .run = bench_command_targets, .seconds = 30 * all});
    add_step(plan, &(struct step){.name = "wa", .run = bench_command_wa, .seconds = 10 * all});
    add_step(plan, &(struct step){.name = "sizes",
                                  .run = bench_command_sizes,
                                  .seconds = options->quick ? 10 : 900});
    add_step(plan, &(struct step){.name = "learned",
                                  .run = bench_command_learned,
                                  .whole = true,
                                  .seconds = options->quick ? 30 : 300});
    plan->begin_ns = tool_clock_ns();
    plan->budget_ns = (uint64_t)(options->quick ? QUICK_SECONDS : FULL_SECONDS) * 1000000000u;
}

static void
say_step(const struct plan *plan, size_t index, double before)
{
    double gone = (double)(tool_clock_ns() - plan->begin_ns) / 1e9;
    double speed = plan->done > 0 ? plan->spent / plan->done : 1;
    double left = (plan->seconds - before) * speed;
    double allowed = (double)plan->budget_ns / 1e9 - gone;

    left = left > allowed && allowed > 0 ? allowed : left;

    (void)fprintf(stderr, "suite: %zu of %zu, %s; %.1f min gone, about %.0f left\n", index + 1,
                  plan->count, plan->steps[index].name, gone / 60, left / 60);
}

/* A step that the journal had says nothing of this machine's speed. */
static void
note_time(struct plan *plan, const struct step *step, double seconds)
{
    if (seconds * 100 < step->seconds)
        return;
    plan->done += step->seconds;
    plan->spent += seconds;
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

void
bench_command_suite(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = *options;
    struct text_buffer targets;
    struct plan plan = {.count = 0};
    double before = 0;

    if (own.quick) {
        own.base.rows = own.base.rows < 20000 ? own.base.rows : 20000;
        own.base.seconds = own.base.seconds < 1 ? own.base.seconds : 1;
        own.base.runs = 1;
    }
    make_plan(&own, &plan);
    own.end_ns = plan.begin_ns + plan.budget_ns;
    text_buffer_init(&targets, own.env.memory);
    text_buffer_add_text(&targets, "| what | qtdb | |\n|---|---|---|\n");
    own.targets = &targets;
    for (size_t i = 0; i < plan.count && !tool_stop_requested(); i++) {
        const struct step *step = &plan.steps[i];

        say_step(&plan, i, before);
        before += step->seconds;
        own.deadline_ns =
            plan.begin_ns + (uint64_t)((double)plan.budget_ns * before / plan.seconds);
        uint64_t begin = tool_clock_ns();
        if (step->whole && own.archive != NULL)
            run_whole(&own, step, results);
        else
            run_cases(&own, step, results);
        note_time(&plan, step, (double)(tool_clock_ns() - begin) / 1e9);
    }
    write_targets(&own, &targets);
    text_buffer_deinit(&targets);
}
