/* What a replay prints: operations, acknowledgements, and the engine's own lines. */
#ifndef TOOLS_QTDB_CRASH_CRASH_TRACE_H
#define TOOLS_QTDB_CRASH_CRASH_TRACE_H

#include "tools/qtdb-crash/crash_history.h"

/** Standard output line by line, and the engine's log on it. Before any thread runs. */
void crash_trace_lines(void);
/** A point of a history; `event` NULL: something was acknowledged. */
void crash_trace(const struct crash_history *history, const struct io_sim_event *event);
/** A point at some depth. */
void crash_trace_event(const struct io *io, uint32_t depth, uint64_t point,
                       const struct io_sim_event *event);

#endif
