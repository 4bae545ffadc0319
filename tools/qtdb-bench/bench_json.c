/*
 * JSON, one object a line: the first says on what it was measured, each other one metric of one run.
 * The files are written beside their name and renamed, so that an old result is never half replaced.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "tools/qtdb-bench/bench_print.h"

static void
add_text(struct text_buffer *text, const char *name, const char *value)
{
    text_buffer_print(text, "\"%s\":", name);
    text_buffer_add_json(text, value, strlen(value));
}

static void
add_machine(struct text_buffer *text, const struct bench_options *options,
            const struct bench_machine *machine)
{
    char commit[64];

    bench_commit_read(commit, sizeof(commit));
    text_buffer_add_text(text, "{");
    add_text(text, "machine", machine->host);
    text_buffer_add_text(text, ",");
    add_text(text, "cpu", machine->cpu);
    text_buffer_print(text, ",\"cpus\":%u,\"memory\":%" PRIu64 ",\"memory_limit\":%" PRIu64 ",",
                      machine->cpu_count, machine->memory_size, machine->memory_limit);
    add_text(text, "kernel", machine->kernel);
    text_buffer_add_text(text, ",");
    add_text(text, "file_system", machine->file_system);
    text_buffer_print(text, ",\"durable_write_us\":%.1f,\"append_fdatasync_us\":%.1f,",
                      machine->durable_us, machine->append_us);
    add_text(text, "commit", commit);
    text_buffer_print(text, ",\"seed\":%" PRIu64 ",\"versions\":{", options->seed);
    for (size_t i = 0; i < options->engine_count; i++) {
        if (i > 0)
            text_buffer_add_text(text, ",");
        add_text(text, options->engines[i]->name, options->engines[i]->version());
    }
    text_buffer_add_text(text, "},\"settings\":{");
    for (size_t i = 0; i < options->engine_count; i++) {
        if (i > 0)
            text_buffer_add_text(text, ",");
        add_text(text, options->engines[i]->name, options->engines[i]->settings);
    }
    text_buffer_add_text(text, "}}\n");
}

static void
add_result(struct text_buffer *text, const struct bench_result *result)
{
    const struct bench_case *sizes = &result->sizes;
    double value;

    for (int metric = 0; metric < BENCH_METRICS; metric++) {
        if (!bench_metric_of(result, (enum bench_metric)metric, &value))
            continue;
        text_buffer_print(
            text,
            "{\"engine\":\"%s\",\"workload\":\"%s\",\"rows\":%" PRIu64 ",\"value_size\":%" PRIu64
            ",\"batch\":%" PRIu64 ",\"threads\":%" PRIu64
            ",\"durability\":\"%s\",\"metric\":\"%s\",\"value\":%.6g,\"run\":%" PRIu64
            ",\"pool\":%" PRIu64 ",\"zipf\":%s,\"own_device\":%s,\"disturbed\":%s",
            result->engine->name, sizes->workload->name, sizes->rows, sizes->value_size,
            sizes->batch, sizes->threads, sizes->sync ? "sync" : "async",
            bench_metric_name((enum bench_metric)metric), value, result->run + 1, sizes->pool,
            sizes->zipf ? "true" : "false", sizes->own_device ? "true" : "false",
            result->outcome.disturbed ? "true" : "false");
        if (sizes->router != NULL) {
            text_buffer_add_text(text, ",");
            add_text(text, "router", sizes->router);
            text_buffer_add_text(text, ",");
            add_text(text, "keys", sizes->key_set);
        }
        text_buffer_add_text(text, "}\n");
    }
}

void
bench_json_add(struct text_buffer *text, const struct bench_options *options,
               const struct bench_machine *machine, const struct bench_results *results)
{
    add_machine(text, options, machine);
    for (size_t i = 0; i < results->count; i++)
        add_result(text, &results->list[i]);
}

bool
bench_write_file(const struct bench_options *options, const char *path,
                 const struct text_buffer *text)
{
    char fresh[BENCH_PATH_SIZE + 8];
    bool ok = !text->failed;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *file = ok ? fopen(fresh, "wb") : NULL;
    ok = file != NULL && fwrite(text->bytes, 1, text->size, file) == text->size;
    ok = file != NULL && fclose(file) == 0 && ok;
    ok = ok && rename(fresh, path) == 0;
    if (!ok) {
        tool_error(options->tool, "%s cannot be written: %s", path, strerror(errno));
        (void)unlink(fresh);
    }
    return ok;
}

void
bench_print_head(const struct bench_options *options, const struct bench_machine *machine)
{
    char memory[TOOL_SIZE_TEXT], limit[TOOL_SIZE_TEXT] = "none is set";

    if (machine->memory_limit > 0)
        (void)tool_format_size(machine->memory_limit, limit);
    printf("%s, %u x %s, %s, %s on %s\n", machine->host, machine->cpu_count, machine->cpu,
           tool_format_size(machine->memory_size, memory), machine->file_system, machine->kernel);
    printf("limit of memory, page cache included: %s; --pool bounds the engines' own caches only\n",
           limit);
    printf(
        "a durable 4 KiB write takes %.0f us (O_DSYNC, written blocks), an append with fdatasync "
        "%.0f us\n",
        machine->durable_us, machine->append_us);
    for (size_t i = 0; i < options->engine_count; i++)
        printf("%-14s %s: %s\n", options->engines[i]->name, options->engines[i]->version(),
               options->engines[i]->settings);
    printf("reads are warmed by one scan of all rows; every value read is compared with what was "
           "written;\nafter each run that writes all rows are read and compared\n\n");
    (void)fflush(stdout);
}
