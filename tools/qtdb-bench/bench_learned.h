/* learned: what its files share. */
#ifndef TOOLS_QTDB_BENCH_BENCH_LEARNED_H
#define TOOLS_QTDB_BENCH_BENCH_LEARNED_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench.h"
#include "tools/qtdb-bench/bench_targets.h"

enum { LEARNED_SUBJECTS_MAX = 16, LEARNED_SIZES_MAX = 4, LEARNED_SETS_MAX = 16 };
enum { LEARNED_ROUND = 100000, LEARNED_ROUNDS_A_RUN = 4, LEARNED_ROUTERS = 5 };
enum { LEARNED_LINES_MAX = 24, LEARNED_TEXT_SIZE = 200 };

enum learned_variant {
    LEARNED_GET = 0,
    LEARNED_CHAIN = 1,
    LEARNED_ABSENT = 2,
    LEARNED_BATCH = 3,
    LEARNED_RANGE = 4,
    LEARNED_MIXED = 5,
    LEARNED_COLD = 6,
    LEARNED_VARIANTS = 7,
};

/* What is measured: one way for a look-up to go. */
struct learned_subject {
    const struct bench_engine *engine;
    const char *router; /* Also the name of the line; of qtdb what `route` takes. */
    struct bench_db *db;
    struct bench_session *session;
    struct bench_routing routing; /* Of qtdb, after the last round. */
};

/* Pages read a cold look-up. */
struct learned_reads {
    double all;
    double inner;
    double map;
};

/* What one number of rows gave beside the results; by router where there are several. */
struct learned_size {
    uint64_t rows;
    double load_rate; /* Rows a second of qtdb's load, its checkpoint included. */
    struct bench_routing routing[LEARNED_ROUTERS];
    struct learned_reads reads[LEARNED_ROUTERS]; /* all < 0: not measured. */
};

/* Tree against what the engine chooses, on one set of keys. */
struct learned_set {
    char name[64];
    uint64_t rows;
    double tree_ns;
    double chosen_ns;
    char kind[16]; /* What it chose. */
};

struct learned {
    const struct bench_options *options;
    struct bench_results *results;
    struct bench_case sizes;
    const struct bench_keys *keys;
    struct bench_config config;
    struct random random;
    char dir[BENCH_PATH_SIZE];
    uint64_t probes[LEARNED_ROUND];
    bool there[LEARNED_ROUND];
    uint64_t extras; /* New rows inserted by `mixed`. */
    size_t count;
    struct learned_subject subjects[LEARNED_SUBJECTS_MAX];
    volatile uint64_t no_bits; /* 0, which the compiler may not know: makes a dependency. */

    /* What the tables say beside the results. */
    struct learned_size size[LEARNED_SIZES_MAX]; /* One more than are measured: of the sets. */
    size_t size_count;
    struct learned_set set[LEARNED_SETS_MAX];
    size_t set_count;
    struct bench_results set_results; /* Of the sets, until the tables are made. */
    uint64_t found_count;  /* Look-ups of rows that were there: all of them were found. */
    uint64_t absent_count; /* And of others, which were not. */
    bool is_wrong;         /* An answer was not right, and ended the command. */
    /* What a tree of 9,000 rows says of its router; empty: not asked. */
    char small[LEARNED_TEXT_SIZE];
};

/* ---- bench_learned.c: databases, sizes ----------------------------------------------------------- */

/** Loads, closes and opens what is to be measured: qtdb's ways by name, then (`others`) the rest. */
MUST_CHECK enum status learned_prepare(struct learned *learned, const char *const *routers,
                                       size_t router_count, bool others);
void learned_close(struct learned *learned);
/** Rows, key set and sizes of what is prepared next. */
void learned_use(struct learned *learned, const struct bench_keys *keys, uint64_t rows);
/** Bytes of pool for the look-ups that are cold: a thousandth of the rows, 64 pages at least. */
uint64_t learned_cold_pool(uint64_t rows);
/** ns a look-up, the least of all runs; 0: not measured. */
double learned_ns(const struct bench_results *results, const char *workload, const char *router,
                  uint64_t rows);
const char *learned_variant_name(int variant);
const char *learned_router_name(size_t index); /* NULL past the end. */

/** The name of a set of keys: its file's without folder and what follows the first dot. */
void learned_name_of(const char *path, char *out, size_t size);

/* ---- bench_learned_rounds.c: what a turn does ---------------------------------------------------- */

/** All subjects in turns, `rounds` times; adds to the results. */
MUST_CHECK enum status learned_run(struct learned *learned, enum learned_variant variant,
                                   uint64_t rounds);
/** What was to be measured last has failed with the message raised. */
void learned_note_failure(struct learned *learned);
uint64_t learned_value_of(uint64_t key);

/* ---- bench_learned_sets.c: hostile sets, and a small tree ---------------------------------------- */

/** The choice of the engine against the tree on sets made to mislead models, and on those of --sets; then a
 * tree that is too small for a router. False: it failed and said so. */
bool learned_run_sets(struct learned *learned);
/** The same, of the set that has just been measured. */
void learned_note_set(struct learned *learned);

/* ---- bench_learned_table.c: what it must show, and what others said ------------------------------ */

struct learned_line {
    char measure[LEARNED_TEXT_SIZE];
    char least[48];
    char aim[48];
    char figure[LEARNED_TEXT_SIZE];
    enum bench_target_state state;
};

/** The lines of the table of targets; returns how many, at most LEARNED_LINES_MAX. */
size_t learned_lines(const struct learned *learned, struct learned_line *out);

/* What the predecessor claimed, beside ours from this run. */
struct learned_claim {
    const char *what;
    const char *claim;
    const char *against;
    char ours[2 * LEARNED_TEXT_SIZE];
};
enum { LEARNED_CLAIMS = 5 };
void learned_claims(const struct learned *learned, struct learned_claim out[LEARNED_CLAIMS]);
/** Both on standard output. */
void learned_print_targets(const struct learned *learned);

/* ---- bench_learned_report.c ----------------------------------------------------------------------- */

/** The page with tables and plots of models over the key set: `report_dir`/learned.html. */
MUST_CHECK bool learned_report_write(const struct learned *learned, const struct bench_keys *keys,
                                     const char *key_set);

#endif
