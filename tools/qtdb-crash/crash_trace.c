/* The trace of a replay; see crash_trace.h. */
#include "tools/qtdb-crash/crash_trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernel/base/log_sink.h"

static void
print_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    printf("       %s\n", line);
}

void
crash_trace_lines(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    log_sink_set(print_line, NULL, LOG_DEBUG);
}

void
crash_trace_event(const struct io *io, uint32_t depth, uint64_t point,
                  const struct io_sim_event *event)
{
    static const char *const names[] = {
        [IO_SIM_OPEN] = "open",
        [IO_SIM_WRITE] = "write",
        [IO_SIM_SYNC] = "sync",
        [IO_SIM_TRUNCATE] = "truncate",
        [IO_SIM_ALLOCATE] = "allocate",
        [IO_SIM_RENAME] = "rename",
        [IO_SIM_REMOVE] = "remove",
        [IO_SIM_MAKE_DIR] = "make_dir",
        [IO_SIM_REMOVE_DIR] = "remove_dir",
        [IO_SIM_SYNC_DIR] = "sync_dir",
    };
    bool durable = event->op == IO_SIM_WRITE && (event->flags & IO_DURABLE) != 0;

    printf("%*s%6" PRIu64 " %s%s %s %s offset %" PRIu64 " size %" PRIu64 ", %" PRIu64
           " pending%s%s\n",
           (int)depth * 4, "", point, names[event->op], durable ? " durable" : "", event->path,
           event->done        ? "done"
           : event->in_flight ? "in flight"
                              : "begin",
           event->offset, event->size, io_sim_pending_count(io),
           event->status == STATUS_OK ? "" : ", ",
           event->status == STATUS_OK ? "" : status_name(event->status));
}

void
crash_trace(const struct crash_history *history, const struct io_sim_event *event)
{
    const struct crash_model *model = &history->model;

    if (event != NULL) {
        crash_trace_event(history->io, 0, history->point, event);
        return;
    }
    printf("%6" PRIu64 " acknowledged commit %" PRIu64 " of %" PRIu64 ", CSN %" PRIu64 "\n",
           history->point, model->acknowledged, model->commit_count,
           model->csns[model->acknowledged]);
}
