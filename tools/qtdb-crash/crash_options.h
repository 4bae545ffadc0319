/* The command line. */
#ifndef TOOLS_QTDB_CRASH_CRASH_OPTIONS_H
#define TOOLS_QTDB_CRASH_CRASH_OPTIONS_H

#include "tools/common/tool.h"
#include "tools/qtdb-crash/crash.h"

extern const struct tool crash_tool;

/** Fills options and mode, or has answered (--help, --version), or has complained. */
enum tool_command crash_options_parse(int argc, char **argv, struct crash_options *out,
                                      const char **mode_out);
/** Defaults: seed 1, all workloads, both policies, as many threads as processors. */
void crash_options_default(struct crash_options *options);

#endif
