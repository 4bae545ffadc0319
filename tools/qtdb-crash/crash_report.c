/* Counting and saying; see crash_report.h. */
#include "tools/qtdb-crash/crash_report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/tool.h"
#include "tools/qtdb-crash/crash_options.h"

enum { TOLD_MAX = 10, WRONG_MAX = 100, LINE_SIZE = 1024, REPLAY_SIZE = 480 };

static const uint64_t SECOND_NS = 1000000000;
static const uint64_t PROGRESS_NS = 500000000;

static const char *const json_names[] = {
#define JSON_NAME(name, json, words) [CRASH_COUNT_##name] = (json),
    CRASH_COUNTERS(JSON_NAME)
#undef JSON_NAME
};

static const char *const words[] = {
#define WORDS(name, json, words) [CRASH_COUNT_##name] = (words),
    CRASH_COUNTERS(WORDS)
#undef WORDS
};

static _Thread_local struct crash_place current_place;
static _Thread_local const char *current_mode;
static _Thread_local const char *current_detail;

const char *
crash_violation_name(enum crash_violation violation)
{
    static const char *const names[] = {
        [CRASH_OK] = "ok",           [CRASH_LOST] = "lost",     [CRASH_HOLE] = "hole",
        [CRASH_HALF] = "half",       [CRASH_SILENT] = "silent", [CRASH_REFUSED] = "refused",
        [CRASH_UNCLEAN] = "unclean", [CRASH_ORDER] = "order",   [CRASH_STATUS] = "status",
        [CRASH_LEAK] = "leak",       [CRASH_ABORT] = "abort",
    };

    return names[violation];
}

/* Processor time of all threads: what a rate is worth where others work too. */
static uint64_t
cpu_ns(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

bool
crash_report_init(struct crash_report *report, const char *mode,
                  const struct crash_options *options)
{
    memset(report, 0, sizeof(*report));
    report->mode = mode;
    report->options = options;
    report->begin_ns = tool_clock_ns();
    report->begin_cpu_ns = cpu_ns();
    report->is_terminal = isatty(STDERR_FILENO) != 0 && !options->quiet;
    if (!options->json)
        return true;
    report->json = options->json_path == NULL ? stdout : fopen(options->json_path, "ae");
    if (report->json == NULL)
        tool_error(&crash_tool, "cannot write %s", options->json_path);
    return report->json != NULL;
}

/* Text inside a JSON string. */
static void
json_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            fprintf(file, "\\%c", byte);
        else if (byte < ' ')
            fprintf(file, "\\u%04x", byte);
        else
            fputc(byte, file);
    }
}

static void
progress_clear(const struct crash_report *report)
{
    if (report->is_terminal)
        fputs("\r\033[K", stderr);
}

/* The command that does it again. */
static void
print_replay(const struct crash_report *report, const struct crash_place *place, char *out,
             size_t out_size)
{
    char where[CRASH_PLACE_TEXT_SIZE] = "";

    if (place != NULL)
        crash_place_print(place, where);
    if (place != NULL && place->fault[0] != '\0')
        (void)snprintf(out, out_size, "qtdb-crash faults --replay %s --fault %s", where,
                       place->fault);
    else if (place != NULL && place->id.workload == CRASH_ROWS)
        (void)snprintf(out, out_size, "qtdb-crash rows --replay %s", where);
    else if (place != NULL && (place->depth > 0 || strcmp(report->mode, "sim") == 0))
        (void)snprintf(out, out_size, "qtdb-crash sim --replay %s", where);
    else
        (void)snprintf(out, out_size, "qtdb-crash %s --seed %" PRIu64, report->mode,
                       report->options->seed);
}

static void
tell_wrong(struct crash_report *report, const struct crash_place *place,
           enum crash_violation violation, const char *text)
{
    char again[REPLAY_SIZE];

    print_replay(report, place, again, sizeof(again));
    progress_clear(report);
    tool_error(&crash_tool, "%s: %s\n  replay: %s", crash_violation_name(violation), text, again);
    if (report->json == NULL)
        return;
    fprintf(report->json, "{\"mode\":\"%s\",\"violation\":\"%s\",\"text\":\"", report->mode,
            crash_violation_name(violation));
    json_text(report->json, text);
    fprintf(report->json, "\",\"replay\":\"%s\"}\n", again);
    fflush(report->json);
}

void
crash_report_wrong(struct crash_report *report, const struct crash_place *place,
                   enum crash_violation violation, const char *text)
{
    uint64_t before = atomic_fetch_add(&report->violation_count, 1);

    atomic_fetch_add(&report->violations[violation], 1);
    latch_lock(&report->latch);
    if (report->first_violation == CRASH_OK) {
        report->first_violation = violation;
        if (place != NULL)
            report->first_place = *place;
    }
    if (report->told_count < TOLD_MAX && !report->options->quiet) {
        report->told_count++;
        tell_wrong(report, place, violation, text);
    }
    latch_unlock(&report->latch);
    if (before + 1 >= WRONG_MAX || report->options->first_only)
        atomic_store(&report->stopped, true);
}

static uint64_t
wrong_count(struct crash_report *report)
{
    return atomic_load(&report->violation_count);
}

/* A rate a minute. */
static uint64_t
a_minute(uint64_t count, uint64_t ns)
{
    double minutes = (double)ns / (60.0 * (double)SECOND_NS);

    return minutes <= 0 ? 0 : (uint64_t)((double)count / minutes);
}

static void
progress(struct crash_report *report, uint64_t now)
{
    uint64_t unique = crash_counted(report, CRASH_COUNT_UNIQUE);
    uint64_t elapsed = now - report->begin_ns;

    fprintf(stderr,
            "\r\033[K%s: %" PRIu64 " s, %" PRIu64 " states (%" PRIu64 " a minute), %" PRIu64
            " samples, %" PRIu64 " runs, %" PRIu64 " wrong",
            report->mode, elapsed / SECOND_NS, unique, a_minute(unique, elapsed),
            crash_counted(report, CRASH_COUNT_SAMPLES), crash_counted(report, CRASH_COUNT_RUNS),
            wrong_count(report));
    fflush(stderr);
}

bool
crash_report_done(struct crash_report *report)
{
    const struct crash_options *options = report->options;
    uint64_t now;

    if (atomic_load_explicit(&report->stopped, memory_order_relaxed))
        return true;
    if (options->states > 0 && crash_counted(report, CRASH_COUNT_UNIQUE) >= options->states) {
        atomic_store(&report->stopped, true);
        return true;
    }
    now = tool_clock_ns();
    if (options->seconds > 0 && now - report->begin_ns >= options->seconds * SECOND_NS) {
        atomic_store(&report->stopped, true);
        return true;
    }
    if (report->is_terminal && latch_try_lock(&report->latch)) {
        if (now - report->progress_ns >= PROGRESS_NS) {
            report->progress_ns = now;
            progress(report, now);
        }
        latch_unlock(&report->latch);
    }
    return false;
}

void
crash_report_line(struct crash_report *report, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    latch_lock(&report->latch);
    progress_clear(report);
    if (report->json != stdout && !report->options->quiet)
        printf("%s\n", line);
    if (report->json != NULL) {
        fprintf(report->json, "{\"mode\":\"%s\",\"line\":\"", report->mode);
        json_text(report->json, line);
        fputs("\"}\n", report->json);
    }
    latch_unlock(&report->latch);
}

static void
summary_text(struct crash_report *report, uint64_t elapsed)
{
    uint64_t unique = crash_counted(report, CRASH_COUNT_UNIQUE);

    printf("qtdb-crash %s, seed %" PRIu64 ", %" PRIu64 ".%" PRIu64 " s\n", report->mode,
           report->options->seed, elapsed / SECOND_NS, elapsed % SECOND_NS / (SECOND_NS / 10));
    for (int index = 0; index < CRASH_COUNTER_COUNT; index++) {
        uint64_t count = crash_counted(report, (enum crash_counter)index);

        if (count > 0)
            printf("  %-34s %14" PRIu64 "\n", words[index], count);
    }
    if (unique > 0)
        printf("  %-34s %14" PRIu64 "\n  %-34s %14" PRIu64 "\n", "unique states a minute",
               a_minute(unique, elapsed), "unique states a processor minute",
               a_minute(unique, cpu_ns() - report->begin_cpu_ns));
    for (int index = 1; index < CRASH_VIOLATION_COUNT; index++)
        printf("  %-34s %14" PRIu64 "\n", crash_violation_name((enum crash_violation)index),
               atomic_load(&report->violations[index]));
    printf("%s\n", wrong_count(report) == 0 ? "nothing wrong" : "WRONG");
}

static void
summary_json(struct crash_report *report, uint64_t elapsed)
{
    FILE *file = report->json;

    fprintf(file, "{\"mode\":\"%s\",\"seed\":%" PRIu64 ",\"seconds\":%.3f,\"threads\":%" PRIu64,
            report->mode, report->options->seed, (double)elapsed / (double)SECOND_NS,
            report->options->threads);
    for (int index = 0; index < CRASH_COUNTER_COUNT; index++)
        fprintf(file, ",\"%s\":%" PRIu64, json_names[index],
                crash_counted(report, (enum crash_counter)index));
    fprintf(file, ",\"states_a_minute\":%" PRIu64,
            a_minute(crash_counted(report, CRASH_COUNT_UNIQUE), elapsed));
    fprintf(file, ",\"states_a_processor_minute\":%" PRIu64,
            a_minute(crash_counted(report, CRASH_COUNT_UNIQUE), cpu_ns() - report->begin_cpu_ns));
    for (int index = 1; index < CRASH_VIOLATION_COUNT; index++)
        fprintf(file, ",\"%s\":%" PRIu64, crash_violation_name((enum crash_violation)index),
                atomic_load(&report->violations[index]));
    fprintf(file, ",\"verdict\":\"%s\"}\n", wrong_count(report) == 0 ? "ok" : "wrong");
}

bool
crash_report_end(struct crash_report *report)
{
    uint64_t elapsed = tool_clock_ns() - report->begin_ns;

    progress_clear(report);
    if (report->json != stdout && !report->options->quiet)
        summary_text(report, elapsed);
    if (report->json != NULL) {
        summary_json(report, elapsed);
        if (report->json != stdout)
            fclose(report->json);
        else
            fflush(stdout);
        report->json = NULL;
    }
    return wrong_count(report) == 0;
}

void
crash_report_at(const struct crash_report *report, const struct crash_place *place,
                const char *detail)
{
    current_detail = detail;
    current_mode = report->mode;
    current_place = *place;
}

/* Formatting in a handler is not strictly allowed; the process is lost anyway, the place is not. */
static void
on_signal(int number)
{
    char where[CRASH_PLACE_TEXT_SIZE] = "";
    char line[REPLAY_SIZE + 128];
    int size;

    crash_place_print(&current_place, where);
    if (current_mode == NULL) /* A thread, or a mode, that has no places. */
        size = snprintf(line, sizeof(line), "qtdb-crash: abort: signal %d\n", number);
    else
        size =
            snprintf(line, sizeof(line),
                     "qtdb-crash: abort: signal %d in %s %s\n  replay: qtdb-crash %s --replay %s\n",
                     number, current_mode, current_detail == NULL ? "" : current_detail,
                     current_place.id.workload == CRASH_ROWS ? "rows" : "sim", where);
    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
        _exit(TOOL_USAGE);
    _exit(TOOL_FAILED);
}

void
crash_report_catch_signals(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t index = 0; index < sizeof(signals) / sizeof(signals[0]); index++) {
        struct sigaction action = {.sa_handler = on_signal};

        CHECK(sigaction(signals[index], &action, NULL) == 0);
    }
}
