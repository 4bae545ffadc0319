/*
 * Help for the tests of the log: commits whose bytes follow from their CSN and a generation, so that
 * whatever is read back can be checked without a copy, and a stale commit is never taken for its
 * successor of the same CSN; and a disk, simulated or real, with a log on it.
 */
#ifndef TESTS_UNIT_WAL_WAL_HELP_H
#define TESTS_UNIT_WAL_WAL_HELP_H

#include "kernel/base/io_sim.h"
#include "wal/wal_private.h"

enum {
    HELP_CSN_MAX = 4096,
    HELP_COMMIT_SIZE_MAX = 512 * 1024,
    HELP_SEGMENT_SIZE = WAL_SEGMENT_SIZE_MIN,
};

#define HELP_FILE_ID 0x1111222233334444ull
#define HELP_LOG_ID 0x5555666677778888ull
#define HELP_DIR "/db-wal"

/* What was written: which generation of each CSN, and how large. */
struct help_history {
    uint64_t appended; /* Highest CSN handed to wal_append. */
    uint64_t acked;    /* Highest CSN that wal_flush called durable. */
    uint16_t generation[HELP_CSN_MAX];
    uint32_t size[HELP_CSN_MAX];
};

struct help_log {
    struct memory *memory; /* The log's. */
    struct memory
        *disk_memory; /* The disk's, so that it is not hit when the log's is made to fail. */
    struct io *io;
    struct env env;
    const char *dir;
    struct wal_options options;
    struct wal *wal;
    struct wal_position start; /* What the older meta slot would name; the log is kept from here. */
    struct wal_position newer; /* What the newer one would name. */
    uint16_t generation;
    struct help_history history;
    uint8_t *scratch; /* HELP_COMMIT_SIZE_MAX bytes */
};

/** A simulated disk with an empty directory; the memory is the log's own. */
void help_init_sim(struct help_log *log, const struct io_sim_options *options);
/** A copy that stands on another disk, which it owns from now on. No log is open on it. */
void help_init_fork(struct help_log *log, const struct help_log *from, struct io *io);
/** A directory of its own below $TMPDIR on the system's disk. */
void help_init_posix(struct help_log *log, bool use_uring);
/** Closes what is open; CHECKs that nothing leaks. */
void help_deinit(struct help_log *log);

/** wal_create with the options set; the start is remembered. Aborts unless it works. */
void help_create(struct help_log *log);
/** wal_open from the start remembered; no wal_start. */
enum status help_open(struct help_log *log);
/** open, verify, start; aborts unless it works. */
void help_reopen(struct help_log *log);
void help_close(struct help_log *log);

/** Encodes the commit of this CSN and generation: `size` bytes of records or a few more. */
size_t help_commit_bytes(uint8_t *out, uint64_t csn, uint16_t generation, uint32_t size);
/** Appends a commit of `size` bytes, with room made; the status of reserving or making room. */
enum status help_try_append(struct help_log *log, uint32_t size, bool emergency);
void help_append(struct help_log *log, uint32_t size);
enum status help_try_flush(struct help_log *log, uint64_t csn);
void help_flush(struct help_log *log);
/** append and flush */
void help_commit(struct help_log *log, uint32_t size);
/** Marks, flushes, makes the mark the newer position and the newer one the start, releases what lies
 * before that. */
enum status help_try_checkpoint(struct help_log *log);

/** Reads the opened log and compares with the history: consecutive CSNs from the start to the end
 * found, each byte as written, nothing acknowledged missing, nothing that was never appended. NULL, or
 * what is wrong (static text). */
const char *help_verify(struct help_log *log);
/** After a verified open: what was not found never was. */
void help_adopt_end(struct help_log *log);

/* Frames of a segment as they stand on disk. */
struct help_frames {
    uint64_t count; /* Of valid ones. */
    uint64_t invalid_count;
    uint64_t lsn[256];
    struct wal_frame_header header[256];
};
struct help_frames help_list_frames(const struct help_log *log, uint64_t number);
/** Reads or overwrites bytes of the log at a position, at rest. */
void help_peek(const struct help_log *log, uint64_t lsn, void *bytes, size_t size);
void help_poke(const struct help_log *log, uint64_t lsn, const void *bytes, size_t size);
/** Flips a bit in the middle of the payload of the frame at `lsn`. */
void help_rot(const struct help_log *log, uint64_t lsn);
/** Makes the whole frame zeros, as if it had never been written. */
void help_lose(const struct help_log *log, uint64_t lsn);

/** Path of segment `number`. */
const char *help_path(const struct help_log *log, uint64_t number);
/** Aborts with a message. */
__attribute__((noreturn, format(printf, 1, 2))) void help_fail(const char *format, ...);

#endif
