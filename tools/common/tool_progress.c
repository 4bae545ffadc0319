/* Progress, sizes and signals of tool.h. */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/tool.h"

enum { REDRAW_NS = 100 * 1000 * 1000 };

static volatile sig_atomic_t stop_flag;
static void (*volatile stop_call)(void *context);
static void *volatile stop_context;

static void
on_signal(int number)
{
    (void)number;
    stop_flag = 1;
    if (stop_call != NULL)
        stop_call(stop_context);
}

void
tool_catch_stop(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void
tool_on_stop(void (*call)(void *context), void *context)
{
    stop_call = NULL;
    stop_context = context;
    stop_call = call;
    tool_catch_stop();
}

bool
tool_stop_requested(void)
{
    return stop_flag != 0;
}

void
tool_stop_clear(void)
{
    stop_flag = 0;
}

uint64_t
tool_clock_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *
tool_format_size(uint64_t size, char out[TOOL_SIZE_TEXT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)size;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    int digits = unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    (void)snprintf(out, TOOL_SIZE_TEXT, "%.*f %s", digits, value, units[unit]);
    return out;
}

void
tool_progress_begin(struct tool_progress *progress, const char *what, const char *unit,
                    uint64_t total)
{
    *progress = (struct tool_progress){.what = what,
                                       .unit = unit,
                                       .total = total,
                                       .begin_ns = tool_clock_ns(),
                                       .on = isatty(STDERR_FILENO) != 0};
}

static void
draw(struct tool_progress *progress, uint64_t done, uint64_t now)
{
    double seconds = (double)(now - progress->begin_ns) / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    char amount[TOOL_SIZE_TEXT], speed[TOOL_SIZE_TEXT];

    if (strcmp(progress->unit, "B") == 0) {
        (void)tool_format_size(done, amount);
        (void)tool_format_size((uint64_t)rate, speed);
    } else {
        (void)snprintf(amount, sizeof(amount), "%llu %s", (unsigned long long)done, progress->unit);
        (void)snprintf(speed, sizeof(speed), "%.0f %s", rate, progress->unit);
    }
    (void)fprintf(stderr, "\r\033[K%s: %s, %s/s", progress->what, amount, speed);
    if (progress->total > 0 && rate > 0 && done <= progress->total)
        (void)fprintf(stderr, ", %.0f%%, %.0f s left",
                      100.0 * (double)done / (double)progress->total,
                      (double)(progress->total - done) / rate);
    progress->drawn = true;
}

void
tool_progress_at(struct tool_progress *progress, uint64_t done)
{
    if (!progress->on)
        return;
    uint64_t now = tool_clock_ns();
    if (now - progress->shown_ns < REDRAW_NS || now - progress->begin_ns < REDRAW_NS)
        return;
    progress->shown_ns = now;
    draw(progress, done, now);
}

void
tool_progress_end(struct tool_progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}
