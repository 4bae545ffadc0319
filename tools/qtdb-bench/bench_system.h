/*
 * What the machine says: counters of this process, of the disk below a directory, of all processors,
 * and how fast the disk acknowledges. Figures that cannot be read are 0 and said to be unknown.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_SYSTEM_H
#define TOOLS_QTDB_BENCH_BENCH_SYSTEM_H

#include "tools/qtdb-bench/bench.h"

struct bench_counters {
    uint64_t time_ns;
    double own_cpu;     /* Seconds of children that ended. */
    double all_cpu;     /* Seconds of everybody. */
    uint64_t disk_size; /* Bytes written to the device of the directory. */
};

void bench_counters_read(const char *dir, struct bench_counters *out);
/** What others did between the two; sets the outcome's noise and whether it was disturbed. With
 * `own_device` nobody else writes there: the device's bytes are the run's. */
void bench_counters_judge(const struct bench_counters *before, const struct bench_counters *after,
                          bool own_device, struct bench_outcome *outcome);

/** Bytes this process passed to write and caused to be written so far. */
void bench_process_written(uint64_t *write_out, uint64_t *process_out);
/** Bytes taken by all files below `dir`. */
uint64_t bench_dir_size(const char *dir);
/** The path of the largest file below `dir`; STATUS_NOT_FOUND: there is none. */
MUST_CHECK enum status bench_dir_largest(const char *dir, char *out, size_t size);
/** Bytes that are left where `dir` is; UINT64_MAX: not known. */
uint64_t bench_dir_room(const char *dir);
MUST_CHECK enum status bench_dir_make(const char *dir);
/** Removes what lies below `dir` and the directory. */
MUST_CHECK enum status bench_dir_remove(const char *dir);
/** Drops what the page cache holds of the files below `dir`, as far as the system lets us. */
void bench_dir_forget(const char *dir);

/** Everything written to the file system of `dir` goes to its device. */
void bench_dir_flush(const char *dir);

struct bench_machine {
    char host[256];
    char cpu[128];
    uint32_t cpu_count;
    uint64_t memory_size;
    uint64_t memory_limit; /* Of the control group this runs in; 0: none, or not known. */
    char kernel[256];
    char file_system[64];
    double durable_us; /* Median of a 4 KiB write with O_DIRECT and O_DSYNC into written blocks. */
    double append_us;  /* Median of a 4 KiB append with fdatasync. */
};
void bench_machine_read(const char *dir, struct bench_machine *out);
/** Version and commit of the sources, "unknown" where git is not there. */
void bench_commit_read(char *out, size_t size);

#endif
