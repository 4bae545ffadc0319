/*
 * qtdb-bench: what a measurement is, and what its parts hand to each other.
 *
 * A case is a workload with its sizes. For every run number in turn, and in each for every engine in
 * turn (A B A B), a child process opens the engine's database, warms it, measures, checks what was
 * read against what was written, and closes. So each engine has its own counters in /proc, its own
 * memory and threads, and a crash of one is a failed run and no more. What a run found comes back
 * through memory that is shared with the parent.
 *
 * A store is one engine's files below --dir, with the version of every row that must be in them: the
 * model against which reads and the last scan of each run are checked.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_H
#define TOOLS_QTDB_BENCH_BENCH_H

#include "tools/common/tool.h"
#include "tools/qtdb-bench/bench_engine.h"
#include "tools/qtdb-bench/bench_keys.h"

enum { BENCH_ENGINES_MAX = 9, BENCH_RUNS_MAX = 1000, BENCH_THREADS_MAX = 256 };
enum { BENCH_MESSAGE_SIZE = 512, BENCH_PATH_SIZE = 4096, BENCH_SERIES_MAX = 64 };

struct bench_archive;
struct bench_budget;
struct bench_targets;
struct bench_workload;

struct bench_case {
    const struct bench_workload *workload;
    uint64_t rows;
    uint64_t value_size;
    uint64_t batch; /* Rows a transaction. */
    uint64_t threads;
    uint64_t seconds; /* At most, for one run. 0: until every row was had once. */
    uint64_t pool;    /* Bytes. */
    uint64_t runs;
    bool sync;
    bool writer;     /* One more thread writes all the while. */
    bool zipf;       /* Rows are chosen with skew 0.99, not uniformly. */
    bool own_device; /* On a device of its own: bench_options. */
    /* The device's own rate with so many reads under way is measured before and after each run of qtdb's
     * (bench_reads.h), of updates where it writes; 0: it is not. */
    uint64_t device_depth;
    /* Of `learned` only, else NULL. */
    const char *router;
    const char *key_set;
};

struct bench_options {
    const struct tool *tool;
    struct env env;
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    size_t engine_count;
    struct bench_case base; /* What the command line says. */
    bool batch_given;
    bool engines_given;
    uint64_t seed;
    const char *dir;
    const char *json;
    const char *report;
    const char *keys_path;
    const char *only;   /* Part of the names of rows of `trees` that are wanted; NULL: all. */
    const char *sets;   /* `learned`: more files of keys, by comma; NULL: none. */
    const char *save;   /* Where kept runs go; NULL: nothing is kept. */
    const char *resume; /* A kept run that is continued, or NULL. */
    int argc;           /* The words of the command line, for the run that is kept. */
    char **argv;
    struct bench_targets *targets; /* Gets what is held against a figure, or NULL. */
    uint64_t minutes;              /* Of a suite; 0: as it has it. */
    struct bench_budget
        *budget; /* The time of a suite (bench_budget.h), or NULL: as long as it takes. */
    struct bench_archive *archive; /* The run that is kept, or NULL. */
    struct bench_stores *stores;   /* Loaded ones that later cases read too; NULL: none are kept. */
    bool quick;
    bool own_device;        /* Nothing but the store is on the device of `dir`. */
    bool repeat;            /* Runs that others disturbed are done once more. */
    struct bench_keys keys; /* Of the file. */
};

/* Latencies: slots whose width is 1/32 of their power of two, so within 3% of the truth. */
enum { BENCH_LATENCY_SLOTS = 60 * 32 };
struct bench_latency {
    uint64_t count;
    uint64_t slots[BENCH_LATENCY_SLOTS];
};
void bench_latency_add(struct bench_latency *latency, uint64_t ns);
void bench_latency_merge(struct bench_latency *into, const struct bench_latency *from);
/** Nanoseconds below which `share` (0 to 1) of the values lie; 0 without values. */
uint64_t bench_latency_at(const struct bench_latency *latency, double share);

enum bench_state { BENCH_NONE = 0, BENCH_DONE = 1, BENCH_FAILED = 2, BENCH_SKIPPED = 3 };

struct bench_point {
    uint64_t rows;
    uint64_t user; /* Bytes of keys and values. */
    uint64_t write;
};

/* Shares of page requests that were answered from the pool; 0: not measured. */
struct bench_hits {
    double leaves; /* Of the leaves that gets asked for, as they are found by default. */
    double routed; /* Share of these gets that a router answered. */
    double fixed;  /* The same, were the pages asked for most often always there, */
    double future; /* and by the choice that knows the future. */
    double pages;  /* Of all pages from the root to the leaf, gets going down the tree. */
    uint32_t depth;
};

/* What one run found; lies in memory shared by parent and child. */
struct bench_outcome {
    enum bench_state state;
    char message[BENCH_MESSAGE_SIZE];
    double seconds;      /* Of the measured part. */
    double load_seconds; /* What making the files ready took, on the clock, */
    double
        took_seconds; /* and the whole run: that, opening, warming, measuring, settling, checking. */
    uint64_t operations; /* Transactions where it writes, else reads. */
    uint64_t rows;
    uint64_t user_size; /* Bytes of keys and values that were written. */
    uint64_t conflicts; /* Transactions run again. */
    double
        settle_seconds; /* From the end of the measured part until all of it is where it belongs. */
    double device_rate; /* Blocks a second, the better of before and after; 0: not measured. */
    uint64_t cpu_ns;    /* Processor time of the clients; less disturbed than the clock. */
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t writer_rows;  /* By the thread beside. */
    uint64_t write_size;   /* Bytes passed to write by this process, from /proc. */
    uint64_t process_size; /* Bytes this process caused to be written, from /proc. */
    uint64_t device_size;  /* Bytes at the device; 0: not measured. */
    uint64_t device_base;  /* The device's counter where measuring began; 0: where the run did. */
    uint64_t file_size;    /* Of all files after the run. */
    uint64_t live_size;    /* Bytes of live keys and values. */
    struct bench_written written;
    struct bench_hits hits; /* `hits` only. */
    bool has_written;
    bool stopped;   /* By the user. */
    bool disturbed; /* By other processes; see noise. */
    double others_cpu;
    double others_disk; /* Bytes a second. */
    uint32_t point_count;
    struct bench_point points[BENCH_SERIES_MAX];
};

struct bench_store {
    const struct bench_engine *engine;
    char dir[BENCH_PATH_SIZE];
    bool loaded;                       /* The files hold what `versions` says, */
    const struct bench_engine *loader; /* and this wrote them: the engine itself or its SQL. */
    uint64_t rows;
    uint64_t value_size;
    uint32_t *versions; /* By id; 0: absent. Shared with the children. */
};

/*
 * Stores that outlive their case: rows are loaded once for all cases that only read them. A case that writes
 * leaves none, so that each is measured on files as loading made them.
 */
struct bench_stores {
    struct bench_store list[BENCH_ENGINES_MAX];
    size_t count;
};

/* Everything a child knows. */
struct bench_run {
    const struct bench_options *options;
    const struct bench_case *sizes;
    const struct bench_engine *engine;
    struct bench_store *store;
    struct bench_outcome *outcome;
    struct bench_keys keys;
    struct memory *memory;
    struct bench_db *db;
    struct bench_written base; /* The engine's counters where measuring began. */
    uint64_t seed;
    uint64_t number; /* Of the run, from 0. */
};

enum bench_needs {
    BENCH_EMPTY = 0,  /* Each run starts without any file. */
    BENCH_LOADED = 1, /* Each run starts with all rows in place. */
};

struct bench_workload {
    const char *name;
    const char *what; /* A line for --help. */
    enum bench_needs needs;
    bool writes;
    bool beside;     /* Writes only where the case has a writer beside. */
    bool extras;     /* Also inserts extra rows: the store is loaded anew afterwards. */
    bool ordered;    /* Needs an engine that keeps order. */
    bool sql;        /* Through the engine's SQL. */
    bool small_pool; /* The pool is a tenth of the data at most. */
    bool cold;       /* The page cache is emptied before. */
    bool killed;     /* A process that writes is killed: durable commits only. */
    bool counted;    /* Needs an engine that counts its page requests. */
    uint64_t batch;  /* When --batch is not given. */
    uint64_t depth;  /* Of the device's rate beside it: bench_case.device_depth. */
    /** Opens, measures and closes for itself when set; else `measure` is called with an open database. */
    enum status (*whole)(struct bench_run *run);
    enum status (*measure)(struct bench_run *run);
};

/** The case changes rows. */
static inline bool
bench_case_writes(const struct bench_case *sizes)
{
    return sizes->workload->writes && (!sizes->workload->beside || sizes->writer);
}

/** NULL when there is none of that name. */
const struct bench_workload *bench_workload_find(const char *name);
const struct bench_workload *bench_workload_at(size_t index);

/* Children. */

/** Runs the case once for one engine in a child, loading the store first where needed. */
void bench_run_once(const struct bench_options *options, const struct bench_case *sizes,
                    struct bench_store *store, uint64_t number, struct bench_outcome *out);
MUST_CHECK enum status bench_store_open(const struct bench_options *options,
                                        const struct bench_engine *engine, const char *dir,
                                        struct bench_store *out);
/** The files are those that the case wants: it loads nothing. */
bool bench_store_fits(const struct bench_store *store, const struct bench_case *sizes);
/** Removes the files; the store may be loaded again. */
void bench_store_empty(struct bench_store *store);
void bench_store_close(struct bench_store *store);
/** Removes all files of stores that were kept. */
void bench_stores_close(struct bench_stores *stores);
MUST_CHECK enum status bench_db_open(struct bench_run *run, bool loading);
/** From here on what is written counts. */
void bench_measure_begin(struct bench_run *run);
/** Every row of the store is there, with its version, and no other. */
MUST_CHECK enum status bench_verify(struct bench_run *run);

/* Results. */

struct bench_result {
    const struct bench_engine *engine;
    struct bench_case sizes;
    uint64_t run;
    struct bench_outcome outcome;
};

struct bench_results {
    struct memory *memory;
    struct bench_result *list;
    size_t count;
    size_t room;
};

struct bench_median {
    double value;
    double least;
    double most;
    size_t count; /* Of runs; 0: no figure. */
};

enum bench_metric {
    BENCH_OPS_PER_S,
    BENCH_ROWS_PER_S,
    BENCH_P50_NS,
    BENCH_P99_NS,
    BENCH_WA_WRITE,
    BENCH_WA_PROCESS,
    BENCH_WA_DEVICE,
    BENCH_SPACE_AMP,
    BENCH_BYTES_PER_KEY,
    BENCH_SECONDS,
    BENCH_HIT_RATE,
    BENCH_CPU_NS_PER_ROW,
    BENCH_PAGE_READS_PER_ROW, /* `learned` only. */
    BENCH_PAGE_HIT_RATE,      /* `hits` only, with the next two. */
    BENCH_HIT_RATE_FIXED,
    BENCH_HIT_RATE_FUTURE,
    BENCH_DEVICE_PER_S, /* The device's own rate beside the run. */
    BENCH_DEVICE_SHARE, /* Rows a second, until they are where they belong, of that rate. */
    BENCH_METRICS,
};
const char *bench_metric_name(enum bench_metric metric);
/** False when the run has no such figure. */
bool bench_metric_of(const struct bench_result *result, enum bench_metric metric, double *out);
bool bench_case_same(const struct bench_case *a, const struct bench_case *b);
/** Over the runs of that case and engine, undisturbed ones where there are any. */
struct bench_median bench_median_of(const struct bench_results *results,
                                    const struct bench_case *sizes,
                                    const struct bench_engine *engine, enum bench_metric metric);
/** The same by a figure of the caller's own; false: the run has none. */
struct bench_median bench_median_by(
    const struct bench_results *results, const struct bench_case *sizes,
    const struct bench_engine *engine,
    bool (*figure)(const struct bench_result *result, int which, double *out), int which);
/** The result of that run of that case, or NULL. */
const struct bench_result *bench_results_find(const struct bench_results *results,
                                              const struct bench_case *sizes,
                                              const struct bench_engine *engine, uint64_t run);
void bench_results_add(struct bench_results *results, const struct bench_result *result);
void bench_results_free(struct bench_results *results);

/** Runs one case for all engines that can, interleaved. False: stopped by the user. */
bool bench_case_run(const struct bench_options *options, const struct bench_case *sizes,
                    struct bench_results *results);
/** The case of that workload with what the command line says. */
struct bench_case bench_case_of(const struct bench_options *options,
                                const struct bench_workload *workload);
/** One table of the case's figures on standard output. */
void bench_case_print(const struct bench_options *options, const struct bench_results *results,
                      const struct bench_case *sizes);

#endif
