/* What the parts of the operating system's backend share: io_posix*.c and io_uring.c. */
#ifndef KERNEL_BASE_IO_POSIX_PRIVATE_H
#define KERNEL_BASE_IO_POSIX_PRIVATE_H

#include <stdatomic.h>

#include "kernel/base/io.h"

struct io_posix {
    struct io base;
    bool use_uring;              /* Fixed at open. */
    _Atomic bool uring_reported; /* Its absence is logged once. */
};

struct io_posix_file {
    struct io_file base;
    int descriptor;             /* Fixed at open. */
    bool writable;              /* Fixed at open. */
    _Atomic bool dsync_refused; /* Durable writes go as a write and a sync. */
};

static inline struct io_posix_file *
io_posix__file(struct io_file *file)
{
    return (struct io_posix_file *)file;
}

/* The status that fits an errno value. */
enum status io_posix__status(int error);

/* Raises "cannot ACTION PATH: reason". */
MUST_CHECK enum status io_posix__raise(int error, const char *action, const char *path);

MUST_CHECK enum status io_posix__read(struct io_file *file, void *bytes, size_t size,
                                      uint64_t offset, size_t *read_out);
MUST_CHECK enum status io_posix__write(struct io_file *file, const void *bytes, size_t size,
                                       uint64_t offset, uint32_t flags);
MUST_CHECK enum status io_posix__sync(struct io_file *file);
/* The way of io_allocate where the file system has none: zeros from the file's end on. */
MUST_CHECK enum status io_posix__allocate_by_writing(struct io_file *file, uint64_t offset,
                                                     uint64_t size);

/* Names: io_posix_names.c. */
MUST_CHECK enum status io_posix__rename(struct io *io, const char *from, const char *to);
MUST_CHECK enum status io_posix__remove(struct io *io, const char *path);
MUST_CHECK enum status io_posix__make_dir(struct io *io, const char *path);
MUST_CHECK enum status io_posix__remove_dir(struct io *io, const char *path);
MUST_CHECK enum status io_posix__sync_dir(struct io *io, const char *path);
MUST_CHECK enum status io_posix__list(struct io *io, const char *path, io_list_fn each,
                                      void *context);
MUST_CHECK enum status io_posix__real_path(struct io *io, const char *path, char *out,
                                           size_t out_size);

/* Queues: io_posix_queue.c does each operation at once, io_uring.c hands it to the kernel. */
struct io_queue_backend {
    void (*close)(struct io_queue *queue);
    enum status (*submit)(struct io_queue *queue, struct io_request **requests, uint32_t count);
    enum status (*reap)(struct io_queue *queue, uint32_t min_count, struct io_request **out,
                        uint32_t max_count, uint32_t *count_out);
};

struct io_posix_queue {
    struct io_queue base;
    const struct io_queue_backend *backend;
};

/* Does the operation and sets the request's status. */
void io_posix__perform(struct io_request *request);
MUST_CHECK enum status io_posix__queue_open(struct io *io, uint32_t depth, struct io_queue **out);
/* STATUS_NOT_FOUND where the kernel has no io_uring for us. */
MUST_CHECK enum status io_uring__queue_open(struct io *io, uint32_t depth, struct io_queue **out);

#endif
