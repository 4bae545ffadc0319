/*
 * The simulated disk: a file system in memory that remembers what is durable and what is only
 * written, can stop at any moment, and can settle a power cut into any state the promises of io.h
 * allow. It runs the ordinary engine code; nothing in the engine knows of it.
 *
 * Model. A file is a list of 512-byte sectors in a durable and in a current version; each write
 * since the file's last completed sync is pending. Names (create, rename, remove, directories) are
 * pending until their directory is synced; sizes (extension, truncation, allocation) until the file
 * is synced. A crash settles each pending sector of each pending write on its own: kept, lost, torn
 * (an earlier pending version of the sector), or garbage; each pending name and size operation is
 * kept or lost (a lost size makes the bytes past it vanish; a kept size with lost data reads zeros
 * or garbage). A sync makes durable exactly the writes completed before it was issued. Sectors of
 * 512 bytes are atomic except where `garbage` is chosen. A write that is done stands for whole
 * sectors, as a page cache writes them. A file with more than 8,192 pending blocks has its oldest
 * written back, as a kernel does, so that what is pending stays bounded.
 *
 * Determinism. All choices come from the seeds given; a run with the same seed and the same calls is
 * byte-identical. Time advances by 1,000 ns an operation. Queue completions come in seeded order.
 *
 * Copies (io_sim_fork) share sectors copy-on-write, so that thousands of crash states of one moment
 * cost little. A simulated disk is guarded by one lock and may be used from threads; forks are then
 * taken between operations.
 */
#ifndef KERNEL_BASE_IO_SIM_H
#define KERNEL_BASE_IO_SIM_H

#include "kernel/base/io.h"

struct io_sim_options {
    uint64_t seed;
    uint64_t disk_size;  /* Bytes that allocation may take before STATUS_FULL; 0: no bound. */
    bool direct_refused; /* IO_DIRECT is not granted, as on tmpfs. */
    bool size_with_data; /* ext4-like: a size never becomes durable before the data it covers. */
};

MUST_CHECK enum status io_sim_open(struct memory *memory, const struct io_sim_options *options,
                                   struct io **out);

/* What an operation is, for faults and for the watcher. */
enum io_sim_op {
    IO_SIM_OPEN = 1,
    IO_SIM_READ = 2,
    IO_SIM_WRITE = 3,
    IO_SIM_SYNC = 4,
    IO_SIM_SIZE = 5,
    IO_SIM_TRUNCATE = 6,
    IO_SIM_ALLOCATE = 7,
    IO_SIM_LOCK = 8,
    IO_SIM_RENAME = 9,
    IO_SIM_REMOVE = 10,
    IO_SIM_MAKE_DIR = 11,
    IO_SIM_REMOVE_DIR = 12,
    IO_SIM_SYNC_DIR = 13,
    IO_SIM_LIST = 14,
    IO_SIM_REAL_PATH = 15,
    IO_SIM_QUEUE_OPEN = 16,
};

struct io_sim_event {
    uint64_t index; /* Counts all operations of this disk from 0. */
    enum io_sim_op op;
    const char *path;
    const char *path_to; /* Rename. */
    const void *bytes;   /* Write. */
    uint64_t offset;
    uint64_t size;
    uint32_t flags;
    bool done;      /* False before the operation takes effect, true after it (with status). */
    bool in_flight; /* With `done` false: a durable write between its halves (see io_sim_watch). */
    enum status status;
};

/**
 * Calls `watch` before and after each operation. The watcher may fork the disk (before it: the
 * operation is not part of the state; for a write in flight, fork with the event not done treats it
 * as absent, while pending writes include all submitted ones). It must not do I/O on this disk.
 *
 * An IO_DURABLE write is shown a third time in between, with `in_flight` set: its sectors are pending,
 * so that a fork may tear them, and become durable afterwards. A queued request is shown as not done
 * when it is submitted and as done when it is reaped. Paths are absolute and normal.
 *
 * Thread-safe; it is called in the thread of each operation, several at once where several threads use
 * the disk, and by an operation under way once more after it was taken away: `context` outlives those.
 */
void io_sim_watch(struct io *io, void (*watch)(void *context, const struct io_sim_event *event),
                  void *context);

enum io_sim_fault {
    IO_SIM_FAULT_NONE = 0,
    IO_SIM_FAULT_EIO = 1,        /* STATUS_IO, nothing done. */
    IO_SIM_FAULT_ENOSPC = 2,     /* STATUS_FULL for writes and allocation, else as EIO. */
    IO_SIM_FAULT_SHORT = 3,      /* A write stores only a prefix of sectors, then STATUS_IO. */
    IO_SIM_FAULT_LATE_SYNC = 4,  /* A sync fails and the file's pending writes become clean but
                                    lost: reads give the new bytes, a crash gives the old ones. */
    IO_SIM_FAULT_LOST = 5,       /* A write reports success and never reaches the disk. */
    IO_SIM_FAULT_MISDIRECTED = 6 /* A write lands IO_BLOCK_SIZE bytes further on. */
};

/**
 * Operation number `index` (counted as in io_sim_event) fails, and all later ones if `for_ever`. The
 * first three fit every operation (a short write of anything else is an EIO); LATE_SYNC fits syncs of
 * files and directories and IO_DURABLE writes, LOST and MISDIRECTED fit writes: aimed at anything else
 * they do nothing and io_sim_failed stays false.
 */
void io_sim_fail_at(struct io *io, uint64_t index, enum io_sim_fault fault, bool for_ever);
/** True once the fault was injected. */
bool io_sim_failed(const struct io *io);
uint64_t io_sim_op_count(const struct io *io);
/** Changes the disk's size bound (space freed, disk grown). */
void io_sim_set_disk_size(struct io *io, uint64_t size);
/** Files, queues and locks still open: 0 after a clean close. */
uint64_t io_sim_open_count(const struct io *io);

enum io_sim_crash_mode {
    IO_SIM_CRASH_LOST = 1,     /* Nothing pending survives. */
    IO_SIM_CRASH_KEPT = 2,     /* Everything pending survives. */
    IO_SIM_CRASH_PREFIX = 3,   /* The first `index` pending units, in order of issue. */
    IO_SIM_CRASH_DROP_ONE = 4, /* All but unit `index`. */
    IO_SIM_CRASH_KEEP_ONE = 5, /* Only unit `index`. */
    IO_SIM_CRASH_MASK = 6,     /* Units whose bit is set in `index` (up to 64 units). */
    IO_SIM_CRASH_RANDOM = 7,   /* Each unit on its own by `seed`; writes torn at sectors. */
    IO_SIM_CRASH_GARBAGE = 8,  /* As RANDOM, and some pending sectors hold random bytes. */
    IO_SIM_CRASH_PROCESS = 9,  /* A kill, not a power cut: everything written is there. */
};

struct io_sim_crash {
    enum io_sim_crash_mode mode;
    uint64_t index;
    uint64_t seed;
};

/** Pending units now: a unit is one pending 512-byte sector of one write, one size or one name. */
uint64_t io_sim_pending_count(const struct io *io);

/**
 * The disk as a crash at this moment could leave it: a new simulated disk with nothing pending (but
 * see IO_SIM_CRASH_PROCESS), no files open, no locks, no faults, operation count 0. The original is
 * untouched. Clock of day and random bytes go on where the original stood. Shared sectors live in the
 * memory of the first disk, which outlives all copies; the copy's own part is in `memory`.
 */
MUST_CHECK enum status io_sim_fork(struct io *io, const struct io_sim_crash *crash,
                                   struct memory *memory, struct io **out);

/** From XXH3-64 of all names, sizes and bytes, as reads see them. Equal images, equal hash. */
uint64_t io_sim_image_hash(const struct io *io);

/* Damage at rest, both versions of the bytes; STATUS_NOT_FOUND past the file's end. */
MUST_CHECK enum status io_sim_flip_bit(struct io *io, const char *path, uint64_t bit_offset);
MUST_CHECK enum status io_sim_overwrite(struct io *io, const char *path, uint64_t offset,
                                        const void *bytes, size_t size);
/** Reads of the range fail with STATUS_IO from now on (`size` 0: clears all bad ranges). */
MUST_CHECK enum status io_sim_bad_range(struct io *io, const char *path, uint64_t offset,
                                        uint64_t size);
/** Copies bytes out without counting as an operation; for oracles. */
MUST_CHECK enum status io_sim_peek(struct io *io, const char *path, uint64_t offset, void *bytes,
                                   size_t size);

#endif
