/*
 * The one door to the outside: files, directories, locks, clock and random bytes. The engine sees
 * only this header; behind it stand the operating system (io_posix.c, with io_uring where found,
 * io_uring.c) and the simulated disk (io_sim.h). Everything a power cut, a full disk or a bad sector
 * can do to the engine comes through here.
 *
 * Promises every backend keeps:
 *  - io_write is complete or an error; a short write is continued or reported, never hidden.
 *  - Bytes are durable after io_sync returned OK, or when the write carried IO_DURABLE and returned
 *    OK, provided their file's name is durable: a created, renamed or removed name is durable after
 *    io_sync_dir of its directory.
 *  - After a failed sync nothing is promised, ever again, of that file's unsynced bytes.
 *  - Offsets, sizes and buffers of files opened with IO_DIRECT are multiples of 4096 (CHECKed).
 *
 * Functions that take a path name it in the message they raise. All are thread-safe except that a
 * queue belongs to one thread at a time.
 */
#ifndef KERNEL_BASE_IO_H
#define KERNEL_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

enum { IO_BLOCK_SIZE = 4096, IO_SECTOR_SIZE = 512, IO_PATH_SIZE = 4096 };

enum io_open_flags {
    IO_WRITE = 1,     /* Else read only. */
    IO_CREATE = 2,    /* Create when absent. */
    IO_EXCLUSIVE = 4, /* With IO_CREATE: STATUS_EXISTS when present. */
    IO_DIRECT = 8, /* Bypass the page cache where the file system allows it (see io_is_direct). */
};

enum io_write_flags { IO_DURABLE = 1 /* As if followed by io_sync for these bytes. */ };

enum io_lock_mode { IO_LOCK_SHARED = 1, IO_LOCK_EXCLUSIVE = 2 };

enum io_op { IO_OP_READ = 1, IO_OP_WRITE = 2, IO_OP_SYNC = 3 };

struct io_file;
struct io_queue;

/* One batched operation; owned by the caller until reaped. */
struct io_request {
    enum io_op op;
    uint32_t flags; /* enum io_write_flags */
    struct io_file *file;
    void *bytes;
    size_t size;
    uint64_t offset;
    enum status status; /* Set when reaped. A read past the end of the file is STATUS_IO. */
    void *context;      /* The caller's. */
};

typedef void (*io_list_fn)(void *context, const char *name, bool is_directory);

/* A backend. `struct io` is its first member. */
struct io {
    const struct io_backend *backend;
    struct memory *memory;
};

struct io_backend {
    enum status (*open)(struct io *io, const char *path, uint32_t flags, struct io_file **out);
    void (*close)(struct io_file *file);
    enum status (*read)(struct io_file *file, void *bytes, size_t size, uint64_t offset,
                        size_t *read_out);
    enum status (*write)(struct io_file *file, const void *bytes, size_t size, uint64_t offset,
                         uint32_t flags);
    enum status (*sync)(struct io_file *file);
    enum status (*size)(struct io_file *file, uint64_t *out);
    enum status (*truncate)(struct io_file *file, uint64_t size);
    enum status (*allocate)(struct io_file *file, uint64_t offset, uint64_t size);
    enum status (*lock)(struct io_file *file, enum io_lock_mode mode, uint64_t *holder_pid_out);
    enum status (*rename)(struct io *io, const char *from, const char *to);
    enum status (*remove)(struct io *io, const char *path);
    enum status (*make_dir)(struct io *io, const char *path);
    enum status (*remove_dir)(struct io *io, const char *path);
    enum status (*sync_dir)(struct io *io, const char *path);
    enum status (*list)(struct io *io, const char *path, io_list_fn each, void *context);
    enum status (*real_path)(struct io *io, const char *path, char *out, size_t out_size);
    enum status (*queue_open)(struct io *io, uint32_t depth, struct io_queue **out);
    void (*queue_close)(struct io_queue *queue);
    enum status (*queue_submit)(struct io_queue *queue, struct io_request **requests,
                                uint32_t count);
    enum status (*queue_reap)(struct io_queue *queue, uint32_t min_count, struct io_request **out,
                              uint32_t max_count, uint32_t *count_out);
    uint64_t (*clock_ns)(struct io *io);
    uint64_t (*time_ns)(struct io *io);
    void (*random)(struct io *io, void *out, size_t size);
    void (*close_io)(struct io *io);
};

/* A backend's file and queue begin with these. It sets `io` and `direct`; io.c sets the rest. */
struct io_file {
    struct io *io;
    bool direct;  /* O_DIRECT is in force; may fall to false when the first I/O refuses it. */
    bool aligned; /* Opened with IO_DIRECT, granted or not: alignment is checked. */
    char *path;   /* As opened, for messages. */
};
struct io_queue {
    struct io *io;
    uint32_t depth;
    uint32_t in_flight;
};

/** The operating system. `use_uring` false forces pread and pwrite (also chosen where absent). */
MUST_CHECK enum status io_posix_open(struct memory *memory, bool use_uring, struct io **out);
void io_close_all(struct io *io);

/** STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_IO, STATUS_NO_MEMORY, STATUS_FULL, STATUS_READONLY. */
MUST_CHECK enum status io_open(struct io *io, const char *path, uint32_t flags,
                               struct io_file **out);
/** NULL is fine. Unsynced bytes stay unsynced. */
void io_close(struct io_file *file);
/** False where IO_DIRECT was refused and buffered I/O is used: same answers. */
bool io_is_direct(const struct io_file *file);

/** Reads exactly `size` bytes; STATUS_IO at the end of the file. */
MUST_CHECK enum status io_read(struct io_file *file, void *bytes, size_t size, uint64_t offset);
/** Reads what is there, up to `size`; `*read_out` < `size` only at the end of the file. */
MUST_CHECK enum status io_read_some(struct io_file *file, void *bytes, size_t size, uint64_t offset,
                                    size_t *read_out);
MUST_CHECK enum status io_write(struct io_file *file, const void *bytes, size_t size,
                                uint64_t offset, uint32_t flags);
MUST_CHECK enum status io_sync(struct io_file *file);
MUST_CHECK enum status io_size(struct io_file *file, uint64_t *out);
MUST_CHECK enum status io_truncate(struct io_file *file, uint64_t size);
/** Reserves space and extends the size to cover the range; STATUS_FULL when there is none. */
MUST_CHECK enum status io_allocate(struct io_file *file, uint64_t offset, uint64_t size);
/** Never blocks. STATUS_BUSY with the holder's pid (0 unknown). Released by io_close. */
MUST_CHECK enum status io_lock(struct io_file *file, enum io_lock_mode mode,
                               uint64_t *holder_pid_out);

MUST_CHECK enum status io_rename(struct io *io, const char *from, const char *to);
MUST_CHECK enum status io_remove(struct io *io, const char *path);
MUST_CHECK enum status io_make_dir(struct io *io, const char *path);
MUST_CHECK enum status io_remove_dir(struct io *io, const char *path);
/** Makes names created, renamed or removed in the directory durable. */
MUST_CHECK enum status io_sync_dir(struct io *io, const char *path);
/** Order is unspecified; "." and ".." are left out. STATUS_NOT_FOUND when there is no such directory. */
MUST_CHECK enum status io_list(struct io *io, const char *path, io_list_fn each, void *context);
/** Absolute, links resolved; the last component need not exist. */
MUST_CHECK enum status io_real_path(struct io *io, const char *path, char *out, size_t out_size);

/** A queue of `depth` (1 to 4096) operations in flight. */
MUST_CHECK enum status io_queue_open(struct io *io, uint32_t depth, struct io_queue **out);
/** Waits for what is in flight. NULL is fine. */
void io_queue_close(struct io_queue *queue);
/**
 * Starts all or none. More than the depth in flight is the caller's mistake (CHECK). Requests run in
 * any order and side by side: ordering is by waiting. IO_OP_SYNC covers writes reaped before it.
 */
MUST_CHECK enum status io_queue_submit(struct io_queue *queue, struct io_request **requests,
                                       uint32_t count);
/** Waits until `min_count` are done (0: only polls); each request's status is its own. */
MUST_CHECK enum status io_queue_reap(struct io_queue *queue, uint32_t min_count,
                                     struct io_request **out, uint32_t max_count,
                                     uint32_t *count_out);

uint64_t io_clock_ns(struct io *io); /* Monotonic. */
uint64_t io_time_ns(struct io *io);  /* Since 1970, UTC; may jump. */
void io_random(struct io *io, void *out, size_t size);

#endif
