/*
 * results list, show and compare: the kept runs of bench_archive.h, read again.
 *
 * compare takes every figure that both runs have, by everything before its "metric", and says how much
 * it changed and whether that is outside the noise: the ranges of the two (least to most) do not
 * overlap. Disturbed runs count only where there are no others. With one run each there is no range, and it says so. Files are read as lines of this program's
 * own form; a line of another form is passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-bench/bench_archive.h"

enum { LINE_SIZE = 4096, KEY_SIZE = 256, METRIC_SIZE = 32, FIGURES_MAX = 1 << 16 };
enum { RUNS_MAX = 4096, NAME_SIZE = 256 };

struct figure {
    char key[KEY_SIZE]; /* Engine, workload and sizes, as in the file. */
    char metric[METRIC_SIZE];
    double value;
    double pool;
    bool disturbed;
};

struct figures {
    struct figure *list;
    size_t count;
};

static int
compare_figures(const void *a, const void *b)
{
    const struct figure *first = a;
    const struct figure *second = b;
    int order = strcmp(first->key, second->key);

    if (order == 0)
        order = strcmp(first->metric, second->metric);
    if (order == 0)
        order = (first->pool > second->pool) - (first->pool < second->pool);
    if (order == 0)
        order = first->disturbed - second->disturbed;
    return order != 0 ? order : (first->value > second->value) - (first->value < second->value);
}

static bool
same_figure(const struct figure *a, const struct figure *b)
{
    return strcmp(a->key, b->key) == 0 && strcmp(a->metric, b->metric) == 0 &&
           (a->pool > b->pool) == (a->pool < b->pool);
}

static bool
parse_line(const char *line, struct figure *out)
{
    const char *metric = strstr(line, ",\"metric\":\"");
    const char *value = strstr(line, "\",\"value\":");
    const char *pool = strstr(line, ",\"pool\":");

    if (strncmp(line, "{\"engine\":", 10) != 0 || metric == NULL || value == NULL || pool == NULL)
        return false;
    const char *name = metric + strlen(",\"metric\":\"");
    if (value < name || (size_t)(value - name) >= METRIC_SIZE ||
        (size_t)(metric - line) >= KEY_SIZE)
        return false;
    (void)snprintf(out->key, sizeof(out->key), "%.*s", (int)(metric - line), line);
    (void)snprintf(out->metric, sizeof(out->metric), "%.*s", (int)(value - name), name);
    const char *more = strstr(pool, ",\"zipf\":");
    const char *disturbed = strstr(pool, ",\"disturbed\":");

    out->disturbed = disturbed != NULL && strncmp(disturbed, ",\"disturbed\":true", 17) == 0;
    /* What else tells cases apart: skew, device, router. */
    if (more != NULL && disturbed != NULL && more < disturbed) {
        size_t used = strlen(out->key);
        const char *rest = strchr(disturbed + 1, ',');

        (void)snprintf(out->key + used, sizeof(out->key) - used, "%.*s%.*s",
                       (int)(disturbed - more), more, rest != NULL ? (int)strcspn(rest, "}") : 0,
                       rest != NULL ? rest : "");
    }
    out->value = strtod(value + strlen("\",\"value\":"), NULL);
    out->pool = strtod(pool + strlen(",\"pool\":"), NULL);
    return true;
}

static int
read_figures(const struct bench_options *options, const char *run, struct figures *out)
{
    char path[BENCH_PATH_SIZE], line[LINE_SIZE];

    out->count = 0;
    (void)snprintf(path, sizeof(path), "%s/raw_results.jsonl", run);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        tool_error(options->tool, "%s: %s", path, strerror(errno));
        return TOOL_USAGE;
    }
    out->list = memory_alloc(options->env.memory, MEMORY_OTHER, FIGURES_MAX * sizeof(*out->list));
    while (out->list != NULL && out->count < FIGURES_MAX && fgets(line, sizeof(line), file) != NULL)
        out->count += parse_line(line, &out->list[out->count]);
    (void)fclose(file);
    if (out->list == NULL) {
        tool_error(options->tool, "no memory");
        return TOOL_FAILED;
    }
    qsort(out->list, out->count, sizeof(out->list[0]), compare_figures);
    return TOOL_OK;
}

static void
free_figures(const struct bench_options *options, struct figures *figures)
{
    memory_free(options->env.memory, MEMORY_OTHER, figures->list,
                FIGURES_MAX * sizeof(*figures->list));
}

/* Equal figures stand together, undisturbed ones first, each by value: the group at `at`, without disturbed
 * ones where there are others. */
static struct bench_median
group(const struct figures *figures, size_t at, size_t *end_out)
{
    size_t end = at, quiet;

    while (end < figures->count && same_figure(&figures->list[at], &figures->list[end]))
        end++;
    *end_out = end;
    for (quiet = at; quiet < end && !figures->list[quiet].disturbed;)
        quiet++;
    end = quiet > at ? quiet : end;
    size_t middle = at + (end - at) / 2;
    double value = figures->list[middle].value;
    if ((end - at) % 2 == 0)
        value = (value + figures->list[middle - 1].value) / 2;
    return (struct bench_median){.value = value,
                                 .least = figures->list[at].value,
                                 .most = figures->list[end - 1].value,
                                 .count = end - at};
}

static size_t
find(const struct figures *figures, const struct figure *wanted)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (same_figure(&figures->list[i], wanted))
            return i;
    }
    return figures->count;
}

/* Rates and shares of hits are the better the higher they are, all others the lower. */
static bool
more_is_better(const char *metric)
{
    return strstr(metric, "_per_s") != NULL || strstr(metric, "hit_rate") != NULL;
}

static const char *
judge(const char *metric, const struct bench_median *a, const struct bench_median *b)
{
    if (a->count < 2 || b->count < 2)
        return "one run: no noise known";
    if (b->least <= a->most && b->most >= a->least)
        return "within the noise";
    return (b->value > a->value) == more_is_better(metric) ? "OUTSIDE the noise: better"
                                                           : "OUTSIDE the noise: WORSE";
}

static void
print_pair(const struct figure *figure, const struct bench_median *a, const struct bench_median *b)
{
    char before[BENCH_NUMBER_SIZE], after[BENCH_NUMBER_SIZE];

    printf("%s  %s: %s -> %s (%+.1f%%), %s\n", figure->key + 1, figure->metric,
           bench_format_number(a->value, before), bench_format_number(b->value, after),
           100 * (b->value / a->value - 1), judge(figure->metric, a, b));
}

static int
compare_runs(const struct bench_options *options, const char *first, const char *second)
{
    struct figures a = {.list = NULL}, b = {.list = NULL};
    size_t end, other_end, shared = 0;
    int result = read_figures(options, first, &a);

    if (result == TOOL_OK)
        result = read_figures(options, second, &b);
    for (size_t at = 0; result == TOOL_OK && at < a.count; at = end) {
        struct bench_median before = group(&a, at, &end);
        size_t place = find(&b, &a.list[at]);

        if (place == b.count)
            continue;
        struct bench_median after = group(&b, place, &other_end);
        print_pair(&a.list[at], &before, &after);
        shared++;
    }
    if (result == TOOL_OK && shared == 0) {
        printf("the two runs have no figure in common\n");
        result = TOOL_FAILED;
    }
    free_figures(options, &a);
    free_figures(options, &b);
    return result;
}

/* Copies a file of the run to standard output; false when there is none. */
static bool
show_file(const char *run, const char *name)
{
    char path[BENCH_PATH_SIZE], line[LINE_SIZE];

    (void)snprintf(path, sizeof(path), "%s/%s", run, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL)
        (void)fputs(line, stdout);
    (void)fclose(file);
    return true;
}

static int
show_run(const struct bench_options *options, const char *run)
{
    if (!show_file(run, "run_config.json")) {
        tool_error(options->tool, "%s is no kept run: run_config.json: %s", run, strerror(errno));
        return TOOL_USAGE;
    }
    if (!show_file(run, "report.md")) {
        printf("the run did not end; its log:\n");
        (void)show_file(run, "run.log");
    }
    return TOOL_OK;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int
list_runs(const struct bench_options *options, const char *dir)
{
    static char names[RUNS_MAX][NAME_SIZE];
    const struct dirent *entry;
    size_t count = 0;
    DIR *handle = opendir(dir);

    if (handle == NULL) {
        tool_error(options->tool, "%s: %s", dir, strerror(errno));
        return TOOL_USAGE;
    }
    while (count < RUNS_MAX && (entry = readdir(handle)) != NULL) {
        if (entry->d_name[0] != '.' &&
            (options->only == NULL || strstr(entry->d_name, options->only) != NULL))
            (void)snprintf(names[count++], NAME_SIZE, "%s", entry->d_name);
    }
    (void)closedir(handle);
    qsort(names, count, NAME_SIZE, compare_names);
    for (size_t i = 0; i < count; i++) {
        char path[BENCH_PATH_SIZE];

        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path))
            continue;
        printf("%s  ", names[i]);
        if (!show_file(path, "run_config.json"))
            printf("no kept run\n");
    }
    return TOOL_OK;
}

int
bench_archive_command(const struct bench_options *options, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "list") == 0)
        return list_runs(options, argv[1]);
    if (argc == 2 && strcmp(argv[0], "show") == 0)
        return show_run(options, argv[1]);
    if (argc == 3 && strcmp(argv[0], "compare") == 0)
        return compare_runs(options, argv[1], argv[2]);
    return tool_usage_error(options->tool,
                            "results list DIR, results show RUN or results compare RUN RUN");
}
