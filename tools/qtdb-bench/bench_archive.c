/* Keeping runs: bench_archive.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_report.h"
#include "tools/qtdb-bench/bench_targets.h"

static bool
write_file(const struct bench_archive *archive, const struct bench_options *options,
           const char *name, const struct text_buffer *text)
{
    char path[BENCH_PATH_SIZE + 32];

    (void)snprintf(path, sizeof(path), "%s/%s", archive->dir, name);
    return bench_write_file(options, path, text);
}

static void
add_config(struct text_buffer *text, const struct bench_options *options, const char *command)
{
    const struct bench_case *base = &options->base;

    text_buffer_print(text,
                      "{\"workload\":\"%s\",\"rows\":%" PRIu64 ",\"value_size\":%" PRIu64
                      ",\"batch\":%" PRIu64 ",\"threads\":%" PRIu64 ",\"seconds\":%" PRIu64
                      ",\"pool\":%" PRIu64 ",\"runs\":%" PRIu64
                      ",\"durability\":\"%s\",\"seed\":%" PRIu64 ",\"quick\":%s,\"keys\":",
                      command, base->rows, base->value_size, base->batch, base->threads,
                      base->seconds, base->pool, base->runs, base->sync ? "sync" : "async",
                      options->seed, options->quick ? "true" : "false");
    if (options->keys_path == NULL)
        text_buffer_add_text(text, "null");
    else
        text_buffer_add_json(text, options->keys_path, strlen(options->keys_path));
    text_buffer_add_text(text, ",\"engines\":[");
    for (size_t i = 0; i < options->engine_count; i++)
        text_buffer_print(text, "%s\"%s\"", i > 0 ? "," : "", options->engines[i]->name);
    text_buffer_add_text(text, "]}\n");
}

/* A word of the command line may hold anything but a newline. */
static bool
write_arguments(const struct bench_archive *archive, const struct bench_options *options)
{
    struct text_buffer text;

    text_buffer_init(&text, options->env.memory);
    for (int i = 1; i < options->argc; i++)
        text_buffer_print(&text, "%s\n", options->argv[i]);
    bool ok = write_file(archive, options, "arguments", &text);
    text_buffer_deinit(&text);
    return ok;
}

static bool
write_first_files(const struct bench_archive *archive, const struct bench_options *options,
                  const struct bench_machine *machine, const char *command)
{
    struct bench_results none = {.memory = options->env.memory};
    struct text_buffer text;

    text_buffer_init(&text, options->env.memory);
    add_config(&text, options, command);
    bool ok = write_file(archive, options, "run_config.json", &text);
    text_buffer_reset(&text);
    bench_json_add(&text, options, machine, &none);
    ok = ok && write_file(archive, options, "system_info.json", &text);
    text_buffer_deinit(&text);
    return ok && write_arguments(archive, options);
}

static bool
name_dir(struct bench_archive *archive, const struct bench_options *options, const char *command)
{
    time_t now = (time_t)(io_time_ns(options->env.io) / 1000000000u);
    struct tm parts;
    char stamp[32];

    (void)gmtime_r(&now, &parts);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d_%H%M%S", &parts);
    return snprintf(archive->dir, sizeof(archive->dir), "%s/%s_%s", options->save, command, stamp) <
           (int)sizeof(archive->dir);
}

bool
bench_archive_begin(struct bench_archive *archive, const struct bench_options *options,
                    const struct bench_machine *machine, const char *command)
{
    bool resume = options->resume != NULL;
    char path[BENCH_PATH_SIZE + 32], commit[BENCH_COMMIT_SIZE];

    *archive = (struct bench_archive){.log = NULL};
    if (resume)
        (void)snprintf(archive->dir, sizeof(archive->dir), "%s", options->resume);
    else if (!name_dir(archive, options, command) || bench_dir_make(archive->dir) != STATUS_OK) {
        tool_error(options->tool, "%s: %s", options->save, error_message());
        return false;
    }
    if (!resume && !write_first_files(archive, options, machine, command))
        return false;
    bench_commit_read(commit, sizeof(commit));
    (void)snprintf(path, sizeof(path), "%s/journal", archive->dir);
    if (bench_journal_open(&archive->journal, options->env.memory, path, commit, resume) !=
        STATUS_OK) {
        tool_error(options->tool, "%s", error_message());
        return false;
    }
    (void)snprintf(path, sizeof(path), "%s/run.log", archive->dir);
    archive->log = fopen(path, "ab");
    if (archive->log == NULL) {
        tool_error(options->tool, "%s: %s", path, strerror(errno));
        (void)bench_journal_close(&archive->journal);
    }
    return archive->log != NULL;
}

void
bench_archive_note(const struct bench_options *options, const struct bench_result *result)
{
    const struct bench_outcome *outcome = &result->outcome;
    char name[512];

    if (options->archive == NULL)
        return;
    bench_journal_note(&options->archive->journal, result);
    bench_case_name(&result->sizes, name, sizeof(name));
    (void)fprintf(options->archive->log, "%s run %" PRIu64 " %s: ", result->engine->name,
                  result->run + 1, name);
    if (outcome->state == BENCH_DONE)
        (void)fprintf(
            options->archive->log,
            "%" PRIu64 " operations, %" PRIu64
            " rows in %.3f s (of %.1f s, %.1f of them loading), others %.2f processors and "
            "%.1f MB/s%s%s\n",
            outcome->operations, outcome->rows, outcome->seconds, outcome->took_seconds,
            outcome->load_seconds, outcome->others_cpu, outcome->others_disk / 1e6,
            outcome->disturbed ? ", disturbed" : "",
            outcome->stopped ? ", stopped: does not count" : "");
    else
        (void)fprintf(options->archive->log, "%s: %s\n",
                      outcome->state == BENCH_SKIPPED ? "skipped" : "FAILED", outcome->message);
    (void)fflush(options->archive->log);
}

static void
add_summary(struct text_buffer *text, const struct bench_options *options,
            const struct bench_results *results, const struct bench_case *sizes)
{
    for (size_t i = 0; i < options->engine_count; i++) {
        for (int metric = 0; metric < BENCH_METRICS; metric++) {
            struct bench_median figure =
                bench_median_of(results, sizes, options->engines[i], (enum bench_metric)metric);

            if (figure.count == 0)
                continue;
            text_buffer_print(
                text,
                "{\"engine\":\"%s\",\"workload\":\"%s\",\"rows\":%" PRIu64
                ",\"value_size\":%" PRIu64 ",\"batch\":%" PRIu64 ",\"threads\":%" PRIu64
                ",\"metric\":\"%s\",\"median\":%.6g,\"least\":%.6g,\"most\":%.6g,"
                "\"runs\":%zu}\n",
                options->engines[i]->name, sizes->workload->name, sizes->rows, sizes->value_size,
                sizes->batch, sizes->threads, bench_metric_name((enum bench_metric)metric),
                figure.value, figure.least, figure.most, figure.count);
        }
    }
}

bool
bench_archive_end(struct bench_archive *archive, const struct bench_options *options,
                  const struct bench_machine *machine, const struct bench_results *results)
{
    const struct bench_result *result;
    struct text_buffer text;
    size_t index = 0;

    text_buffer_init(&text, options->env.memory);
    bench_json_add(&text, options, machine, results);
    bool ok = write_file(archive, options, "raw_results.jsonl", &text);
    text_buffer_reset(&text);
    while ((result = bench_report_next(results, &index)) != NULL)
        add_summary(&text, options, results, &result->sizes);
    bench_targets_json(&text, options->targets);
    ok = write_file(archive, options, "summary.json", &text) && ok;
    text_buffer_reset(&text);
    bench_targets_markdown(&text, options->targets);
    ok = (options->targets->count == 0 || write_file(archive, options, "targets.md", &text)) && ok;
    text_buffer_deinit(&text);
    ok = bench_report_write(options, machine, results, archive->dir) && ok;
    ok = fclose(archive->log) == 0 && ok;
    ok = bench_journal_close(&archive->journal) && ok;
    printf("kept in %s\n", archive->dir);
    if (tool_stop_requested())
        printf("what is missing is measured by: %s --resume %s\n", options->tool->name,
               archive->dir);
    return ok;
}

int
bench_output_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    (void)fflush(stdout);
    int old = fd < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (old >= 0 && dup2(fd, STDOUT_FILENO) < 0) {
        (void)close(old);
        old = -1;
    }
    if (fd >= 0)
        (void)close(fd);
    return old;
}

void
bench_output_back(int old)
{
    (void)fflush(stdout);
    if (old < 0)
        return;
    (void)dup2(old, STDOUT_FILENO);
    (void)close(old);
}

void
bench_print_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char line[4096];

    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL)
        (void)fputs(line, stdout);
    (void)fclose(file);
}
