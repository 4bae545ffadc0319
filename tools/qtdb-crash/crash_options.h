/* The command line. */
#ifndef TOOLS_QTDB_CRASH_CRASH_OPTIONS_H
#define TOOLS_QTDB_CRASH_CRASH_OPTIONS_H

#include "tools/qtdb-crash/crash.h"

enum crash_command { CRASH_COMMAND_RUN = 0, CRASH_COMMAND_DONE = 1, CRASH_COMMAND_WRONG = 2 };

/** Fills options and mode, or has answered (--help, --version), or has complained (exit status 2). */
enum crash_command crash_options_parse(int argc, char **argv, struct crash_options *out,
                                       const char **mode_out);
/** Defaults: seed 1, all workloads, both policies, as many threads as processors. */
void crash_options_default(struct crash_options *options);

#endif
