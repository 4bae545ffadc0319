/*
 * Where log lines go. The library never prints: it hands lines to one callback that the program
 * sets once at start. Lines are `level area: message key=value ...`, written once, where a fact is
 * first seen.
 */
#ifndef KERNEL_BASE_LOG_SINK_H
#define KERNEL_BASE_LOG_SINK_H

enum log_level { LOG_ERROR = 1, LOG_WARN = 2, LOG_INFO = 3, LOG_DEBUG = 4 };

typedef void (*log_sink_fn)(void *context, enum log_level level, const char *line);

/** Sets the sink (NULL: drop) and the most verbose level handed on. Call before any thread runs. */
void log_sink_set(log_sink_fn sink, void *context, enum log_level level);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#endif
