/*
 * Targets: what a command found of each row that it holds a figure against, for the tables at its end: on standard
 * output, in the report, in summary.json and as targets.md of a kept run. Those that are missed stand in the same
 * type as those that are met.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_TARGETS_H
#define TOOLS_QTDB_BENCH_BENCH_TARGETS_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench.h"

enum bench_target_state {
    BENCH_TARGET_OPEN = 0, /* Not measured here. */
    BENCH_TARGET_MET = 1,
    BENCH_TARGET_MISSED = 2, /* A row of several verdicts is missed when one is. */
};

enum { BENCH_TARGETS_MAX = 160 };

struct bench_target {
    enum bench_target_state state;
    char name[160];
    char figure[64]; /* qtdb's; "-": none. */
    char line[768];  /* What it is held against, and what it came to. */
};

struct bench_targets {
    size_t count;
    struct bench_target list[BENCH_TARGETS_MAX];
};

/** "met", "NOT met", "not measured". */
const char *bench_target_word(enum bench_target_state state);
/** Adds a row; what is too long is cut, `line` at its first newline too. NULL `targets`: nothing is kept. */
void bench_targets_add(struct bench_targets *targets, const char *name, const char *figure,
                       const char *line, enum bench_target_state state);

/** A heading with the counts and a table, or nothing where there is no row. */
void bench_targets_markdown(struct text_buffer *text, const struct bench_targets *targets);
void bench_targets_html(struct text_buffer *text, const struct bench_targets *targets);
/** An object a line: target, figure, verdict, against. */
void bench_targets_json(struct text_buffer *text, const struct bench_targets *targets);
/** The counts and a line for each row on standard output. */
void bench_targets_print(const struct bench_targets *targets);

/** The rows from `from` on as a file from which bench_targets_read adds them again; false: it was said. */
bool bench_targets_write(const struct bench_options *options, const struct bench_targets *targets,
                         size_t from, const char *path);
void bench_targets_read(struct bench_targets *targets, const char *path);

#endif
