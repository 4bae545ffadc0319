/*
 * qtdb-bench: the command line. Everything measured is in bench_case.c and what it calls; here options
 * are read and bounded, engines that are not in the build are named, and results are written.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_report.h"
#include "tools/qtdb-bench/bench_targets.h"

static const struct tool tool = {
    .name = "qtdb-bench",
    .help =
        "usage: qtdb-bench [options] WORKLOAD\n"
        "       qtdb-bench results list DIR | show RUN | compare RUN RUN\n"
        "\n"
        "Measures qtdb and the databases it is compared with: the same keys, durability, cache "
        "and\n"
        "batch, engines in turns, medians with least and most, every answer verified.\n"
        "\n"
        "Workloads:\n"
        "  load insert update delete get absent batchget get-writer range scan ycsb-a .. ycsb-f\n"
        "  append cold cold-batch mixed hits recovery open sql-get sql-insert sql-query\n"
        "  wa       write amplification at three levels\n"
        "  sizes    get and update over 10 MB to 10 GB of data, as far as --rows goes\n"
        "  trees    the table of trees and transactions, with what it is held against\n"
        "  targets  the same with the rows of SQL, of other programs of ours and of learned\n"
        "  suite    all of these within 100 minutes (--quick: few rows, one run, 10 minutes); "
        "kept\n"
        "           below --dir/runs, continued by --resume after whatever ended it\n"
        "  learned  routers of leaves against the tree, a textbook tree and the peers\n"
        "\n"
        "  --engine LIST      of qtdb,lmdb,sqlite,rocksdb,leveldb,bdb,legacy,legacy-memory,\n"
        "                     legacy-copy (default: all but the last two that are in this build)\n"
        "  --rows N           rows in the database (default 100000)\n"
        "  --value-size B     bytes of a value (default 100, at most 65536)\n"
        "  --batch N          rows a transaction (default: as the workload has it)\n"
        "  --threads N        clients (default 1, at most 256)\n"
        "  --seconds S        longest time of one run (default 5, suite 2; 0: no limit)\n"
        "  --pool SIZE        cache of each engine, such as 64M or 1G (default 256M)\n"
        "  --durability D     sync (default) or async\n"
        "  --runs N           runs of each engine (default 3)\n"
        "  --seed S           of all that is random (default 1)\n"
        "  --keys FILE        sorted unique little-endian 64-bit keys, plain or zstd\n"
        "  --sets LIST        learned: more such files, by comma, for the worst of all sets\n"
        "  --dir DIR          where all files go (default build/bench)\n"
        "  --json FILE        replaces FILE with one JSON object a line\n"
        "  --report DIR       report.html with charts and report.md, in DIR\n"
        "  --save-results DIR keeps the run in a directory of its own below DIR\n"
        "  --resume RUN       goes on with a kept run: what it has is not measured again\n"
        "  --only TEXT        trees, targets, results list: only rows or runs with TEXT in their "
        "name\n"
        "  --quick            suite: at most 20000 rows, one run of a second\n"
        "  --minutes N        suite: N minutes in place of 100 or 10\n"
        "  --smoke            every workload once with few rows\n"
        "  -h, --help         this text\n"
        "      --version      the version\n"
        "\n"
        "Exit status: 0 measured, 1 a run failed or an answer was wrong, 2 the command line is\n"
        "wrong.\n",
};

/* A suite has many cases: more of them are worth more than longer ones. */
enum { ROWS = 100000, ROWS_OF_SUITE = 1000000, SECONDS = 5, SECONDS_OF_SUITE = 2, WORDS_MAX = 256 };
#define NOT_GIVEN UINT64_MAX

struct texts {
    const char *engines;
    const char *pool;
    const char *durability;
    bool smoke;
    uint64_t batch;
};

/* "64M": a number with K, M, G or T, powers of 1024. */
static bool
parse_size(const char *text, uint64_t *out)
{
    static const char letters[] = "KMGT";
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || text[0] == '-')
        return false;
    const char *letter = *end == '\0' ? NULL : strchr(letters, *end);
    if (*end != '\0' && (letter == NULL || end[1] != '\0'))
        return false;
    unsigned shift = letter == NULL ? 0 : 10 * (unsigned)(letter - letters + 1);
    if (value > (UINT64_C(1) << 50) >> shift)
        return false;
    *out = value << shift;
    return true;
}

static int
add_engine(struct bench_options *options, const char *name, bool asked)
{
    const struct bench_engine *engine = bench_engine_find(name);
    bool known = false;

    for (size_t i = 0; bench_engine_name(i) != NULL; i++)
        known = known || strcmp(bench_engine_name(i), name) == 0;
    if (!known)
        return tool_usage_error(&tool, "there is no engine '%s'", name);
    if (engine == NULL) {
        (void)fprintf(stderr,
                      "%s: %s is not in this build (make deps-bench installs it): skipped\n",
                      tool.name, name);
        return TOOL_OK;
    }
    for (size_t i = 0; i < options->engine_count; i++) {
        if (options->engines[i] == engine)
            return asked ? tool_usage_error(&tool, "engine '%s' twice", name) : TOOL_OK;
    }
    options->engines[options->engine_count++] = engine;
    return TOOL_OK;
}

static int
choose_engines(struct bench_options *options, const char *list)
{
    char name[64];

    options->engines_given = list != NULL;
    if (list == NULL) {
        for (size_t i = 0; bench_engine_name(i) != NULL; i++) {
            const struct bench_engine *engine = bench_engine_find(bench_engine_name(i));

            if (engine == NULL || (engine->flags & BENCH_VOLATILE) == 0)
                (void)add_engine(options, bench_engine_name(i), false);
        }
        return TOOL_OK;
    }
    while (*list != '\0') {
        size_t size = strcspn(list, ",");

        (void)snprintf(name, sizeof(name), "%.*s", (int)(size < 63 ? size : 63), list);
        int result = add_engine(options, name, true);
        if (result != TOOL_OK)
            return result;
        list += size + (list[size] == ',');
    }
    if (options->engine_count == 0)
        return tool_usage_error(&tool, "--engine names none that is in this build");
    return TOOL_OK;
}

static int
check_options(struct bench_options *options, const struct texts *texts)
{
    struct bench_case *base = &options->base;

    if (base->rows == 0 || base->runs == 0 || base->threads == 0)
        return tool_usage_error(&tool, "--rows, --runs and --threads are at least 1");
    if (!parse_size(texts->pool, &base->pool) || base->pool < 1 << 20)
        return tool_usage_error(&tool, "--pool '%s' is not a size of at least 1M", texts->pool);
    if (strcmp(texts->durability, "sync") != 0 && strcmp(texts->durability, "async") != 0)
        return tool_usage_error(&tool, "--durability is sync or async");
    base->sync = strcmp(texts->durability, "sync") == 0;
    base->batch = texts->batch;
    options->batch_given = texts->batch > 0;
    if (options->keys_path != NULL &&
        bench_keys_read(&options->keys, options->env.memory, options->keys_path) != STATUS_OK)
        return tool_usage_error(&tool, "%s", error_message());
    if (options->keys_path == NULL)
        bench_keys_init(&options->keys, base->rows);
    if (bench_dir_make(options->dir) != STATUS_OK)
        return tool_usage_error(&tool, "%s", error_message());
    return choose_engines(options, texts->engines);
}

static bool
any_failed(const struct bench_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        if (results->list[i].outcome.state == BENCH_FAILED)
            return true;
    }
    return results->count == 0;
}

static int
finish(struct bench_options *options, const struct bench_machine *machine,
       const struct bench_results *results)
{
    struct text_buffer text;
    bool ok = true;

    if (options->targets->count > 0)
        bench_targets_print(options->targets);
    if (options->json != NULL) {
        text_buffer_init(&text, options->env.memory);
        bench_json_add(&text, options, machine, results);
        ok = bench_write_file(options, options->json, &text);
        text_buffer_deinit(&text);
    }
    if (options->report != NULL)
        ok = bench_report_write(options, machine, results, options->report) && ok;
    if (tool_stop_requested())
        printf("stopped: what was measured until then is above\n");
    return ok && !any_failed(results) && !tool_stop_requested() ? TOOL_OK : TOOL_FAILED;
}

static const struct command {
    const char *name;
    void (*run)(const struct bench_options *options, struct bench_results *results);
} commands[] = {
    {"learned", bench_command_learned}, {"sizes", bench_command_sizes},
    {"smoke", bench_command_smoke},     {"suite", bench_command_suite},
    {"targets", bench_command_targets}, {"trees", bench_command_trees},
    {"wa", bench_command_wa},
};

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int
run(struct bench_options *options, const char *command)
{
    struct bench_results results = {.memory = options->env.memory};
    const struct bench_workload *workload = bench_workload_find(command);
    static struct bench_archive archive;
    static struct bench_stores stores;
    static struct bench_targets targets;
    static char runs[BENCH_PATH_SIZE];
    struct bench_machine machine;

    bench_machine_read(options->dir, &machine);
    bench_print_head(options, &machine);
    if (strcmp(command, "suite") == 0 && options->save == NULL) {
        (void)snprintf(runs, sizeof(runs), "%.*s/runs", BENCH_PATH_SIZE - 16, options->dir);
        options->save = runs;
    }
    if (options->save != NULL || options->resume != NULL) {
        if (!bench_archive_begin(&archive, options, &machine, command))
            return TOOL_USAGE;
        options->archive = &archive;
    }
    tool_catch_stop();
    options->stores = &stores;
    options->targets = &targets;
    if (workload != NULL) {
        struct bench_case sizes = bench_case_of(options, workload);

        (void)bench_case_run(options, &sizes, &results);
        bench_case_print(options, &results, &sizes);
    } else {
        find_command(command)->run(options, &results);
    }
    bench_stores_close(&stores);
    int result = finish(options, &machine, &results);
    if (options->archive != NULL && !bench_archive_end(&archive, options, &machine, &results))
        result = TOOL_FAILED;
    bench_results_free(&results);
    return result;
}

static int start(struct bench_options *options, int argc, char **argv);

static void
set_defaults(struct bench_options *options)
{
    struct env env = options->env;
    const char *resume = options->resume;

    *options = (struct bench_options){
        .tool = &tool,
        .env = env,
        .base =
            {.rows = NOT_GIVEN, .value_size = 100, .threads = 1, .seconds = NOT_GIVEN, .runs = 3},
        .seed = 1,
        .dir = "build/bench",
        .resume = resume,
        .repeat = true,
    };
}

/* Begins with the command line of the run that is continued. */
static int
resume_run(struct bench_options *options, int word_count, char *program)
{
    static char text[1 << 16], path[BENCH_PATH_SIZE];
    static char *words[WORDS_MAX];
    size_t size = 0;
    int count = 0;

    if (word_count != 0)
        return tool_usage_error(&tool,
                                "--resume RUN stands alone: the run knows its own command line");
    (void)snprintf(path, sizeof(path), "%.*s/arguments", BENCH_PATH_SIZE - 16, options->resume);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return tool_usage_error(&tool, "%s is no run that can be continued: %s: %s",
                                options->resume, path, strerror(errno));
    size = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    words[count++] = program;
    for (char *word = text; *word != '\0' && count < WORDS_MAX - 1;) {
        char *end = strchr(word, '\n');

        if (end == NULL)
            break;
        *end = '\0';
        words[count++] = word;
        word = end + 1;
    }
    set_defaults(options);
    options->argc = count;
    options->argv = words;
    return start(options, count, words);
}

static int
start(struct bench_options *options, int argc, char **argv)
{
    struct texts texts = {.pool = "256M", .durability = "sync"};
    const struct tool_option table[] = {
        {"engine", 0, TOOL_TEXT, &texts.engines, 0},
        {"rows", 0, TOOL_NUMBER, &options->base.rows, UINT64_C(1) << 32},
        {"value-size", 0, TOOL_NUMBER, &options->base.value_size, BENCH_VALUE_SIZE_MAX},
        {"batch", 0, TOOL_NUMBER, &texts.batch, 1 << 24},
        {"threads", 0, TOOL_NUMBER, &options->base.threads, BENCH_THREADS_MAX},
        {"seconds", 0, TOOL_NUMBER, &options->base.seconds, 86400},
        {"pool", 0, TOOL_TEXT, &texts.pool, 0},
        {"durability", 0, TOOL_TEXT, &texts.durability, 0},
        {"runs", 0, TOOL_NUMBER, &options->base.runs, BENCH_RUNS_MAX},
        {"seed", 0, TOOL_NUMBER, &options->seed, UINT64_MAX},
        {"keys", 0, TOOL_TEXT, &options->keys_path, 0},
        {"only", 0, TOOL_TEXT, &options->only, 0},
        {"sets", 0, TOOL_TEXT, &options->sets, 0},
        {"dir", 0, TOOL_TEXT, &options->dir, 0},
        {"json", 0, TOOL_TEXT, &options->json, 0},
        {"report", 0, TOOL_TEXT, &options->report, 0},
        {"save-results", 0, TOOL_TEXT, &options->save, 0},
        {"resume", 0, TOOL_TEXT, &options->resume, 0},
        {"smoke", 0, TOOL_FLAG, &texts.smoke, 0},
        {"quick", 0, TOOL_FLAG, &options->quick, 0},
        {"minutes", 0, TOOL_NUMBER, &options->minutes, 1440},
    };
    int first = 0;
    enum tool_command command =
        tool_parse(&tool, argc, argv, table, sizeof(table) / sizeof(table[0]), &first);

    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (argc - first > 1 && strcmp(argv[first], "results") == 0)
        return bench_archive_command(options, argc - first - 1, argv + first + 1);
    if (options->resume != NULL && options->argc == 0)
        return resume_run(options, argc - first, argv[0]);
    if (options->argc == 0) {
        options->argc = argc;
        options->argv = argv;
    }
    const char *name = texts.smoke && argc == first ? "smoke" : argv[first];
    if (argc - first != (texts.smoke ? 0 : 1))
        return tool_usage_error(&tool, "one WORKLOAD is wanted");
    if (bench_workload_find(name) == NULL && find_command(name) == NULL)
        return tool_usage_error(&tool, "there is no workload '%s'", name);
    if (options->base.rows == NOT_GIVEN)
        options->base.rows = strcmp(name, "suite") == 0 && !options->quick ? ROWS_OF_SUITE : ROWS;
    if (options->base.seconds == NOT_GIVEN)
        options->base.seconds = strcmp(name, "suite") == 0 ? SECONDS_OF_SUITE : SECONDS;
    int result = check_options(options, &texts);
    return result == TOOL_OK ? run(options, name) : result;
}

int
main(int argc, char **argv)
{
    struct bench_options options = {.tool = &tool};

    if (!tool_env_open(&tool, &options.env))
        return TOOL_FAILED;
    /* A file at the process's limit is an error of its write, as a full disk is, in every engine's process too. */
    (void)signal(SIGXFSZ, SIG_IGN);
    set_defaults(&options);
    int result = start(&options, argc, argv);
    bench_keys_deinit(&options.keys, options.env.memory);
    tool_env_close(&options.env);
    return result;
}
