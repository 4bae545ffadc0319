/*
 * The simulated disk as a backend of io.h: opening and closing, files and locks, time and random
 * bytes. See io_sim.h for the model and io_sim_private.h for how it is kept.
 *
 * An operation is: op_begin (counted, shown to the watcher, latch taken), one *_run function under
 * the latch, op_end (latch released, shown again).
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

/* The wall clock starts at 2025-01-01 00:00:00 UTC. */
static const uint64_t TIME_START_NS = UINT64_C(1735689600) * 1000000000;
/* Separates the stream of completions from that of io_random. */
static const uint64_t ORDER_SEED = UINT64_C(0x6f726465725f7273);

static struct sim_file *
file_of(struct io_file *file)
{
    return (struct sim_file *)(void *)file;
}

/* An operation on an open file. */
static struct sim_op
file_op(const struct sim_file *file, enum io_sim_op kind)
{
    return (struct sim_op){.event = {.op = kind, .path = file->path->text}};
}

static enum status
file_new(struct io_sim *sim, const char *path, uint32_t flags, struct sim_file **out)
{
    struct sim_file *file = io_sim__pool_alloc(sim->family, sizeof(*file));

    if (file == NULL)
        return STATUS_NO_MEMORY;
    memset(file, 0, sizeof(*file));
    file->path = io_sim__name_new(sim->family, path, strlen(path));
    if (file->path == NULL) {
        io_sim__pool_free(sim->family, file, sizeof(*file));
        return STATUS_NO_MEMORY;
    }
    file->file.io = &sim->io;
    file->file.direct = (flags & IO_DIRECT) != 0 && !sim->direct_refused;
    file->flags = flags;
    *out = file;
    return STATUS_OK;
}

static void
file_free(struct io_sim *sim, struct sim_file *file)
{
    io_sim__name_unref(sim->family, file->path);
    io_sim__pool_free(sim->family, file, sizeof(*file));
}

/* Finds or creates what the path names. */
static enum status
open_inode(struct io_sim *sim, struct sim_op *op, uint32_t flags, struct sim_inode **out)
{
    struct sim_inode *dir;
    const char *last;

    TRY(io_sim__path_parent(sim, op->event.path, &dir, &last));
    const struct sim_entry *entry = io_sim__table_find(&sim->current, dir, last, strlen(last));

    if (last[0] == '\0' || (entry != NULL && entry->inode->is_dir))
        return error_raise(STATUS_IO, "%.400s: is a directory", op->event.path);
    if (entry != NULL && (flags & IO_EXCLUSIVE) != 0)
        return error_raise(STATUS_EXISTS, "%.400s: exists already", op->event.path);
    if (entry != NULL) {
        *out = entry->inode;
        return STATUS_OK;
    }
    if ((flags & IO_CREATE) == 0)
        return error_raise(STATUS_NOT_FOUND, "%.400s: no such file or directory", op->event.path);
    return io_sim__create(sim, op, dir, last, out);
}

static enum status
open_run(struct io_sim *sim, struct sim_op *op, uint32_t flags, struct sim_file **out)
{
    struct sim_file *file = NULL;
    struct sim_inode *inode = NULL;

    TRY(io_sim__op_fault(op));
    TRY(file_new(sim, op->event.path, flags, &file));
    enum status status = open_inode(sim, op, flags, &inode);

    if (status != STATUS_OK) {
        file_free(sim, file);
        return status;
    }
    CHECK(inode != NULL);
    file->inode = inode;
    io_sim__inode_ref(inode);
    inode->handles++;
    file->pid = SIM_PID_FIRST + sim->pid_next++;
    file->next = sim->files;
    if (file->next != NULL)
        file->next->prev = file;
    sim->files = file;
    sim->file_count++;
    *out = file;
    return STATUS_OK;
}

static enum status
sim_open(struct io *io, const char *path, uint32_t flags, struct io_file **out)
{
    struct io_sim *sim = io_sim__of(io);
    char normal[IO_PATH_SIZE];
    struct sim_file *file = NULL;
    struct sim_op op = {.event = {.op = IO_SIM_OPEN, .path = normal, .flags = flags}};

    TRY(io_sim__path_normal(path, normal, sizeof(normal)));
    io_sim__op_begin(sim, &op);
    TRY(io_sim__op_end(sim, &op, open_run(sim, &op, flags, &file)));
    *out = &file->file;
    return STATUS_OK;
}

static void
sim_close(struct io_file *io_file)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);

    latch_lock(&sim->latch);
    CHECK(file->in_flight == 0);
    if (file->prev == NULL)
        sim->files = file->next;
    else
        file->prev->next = file->next;
    if (file->next != NULL)
        file->next->prev = file->prev;
    sim->file_count--;
    sim->lock_count -= (uint64_t)(file->lock != 0);
    file->inode->handles--;
    io_sim__inode_forget(sim, file->inode);
    io_sim__inode_unref(sim, file->inode);
    file_free(sim, file);
    latch_unlock(&sim->latch);
}

static enum status
sim_read(struct io_file *io_file, void *bytes, size_t size, uint64_t offset, size_t *read_out)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_READ);

    op.event.size = size;
    op.event.offset = offset;
    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK)
        status = io_sim__read_run(&op, file->inode, bytes, read_out);
    return io_sim__op_end(sim, &op, status);
}

static enum status
write_run(struct io_sim *sim, struct sim_op *op, struct sim_inode *inode)
{
    struct sim_span span;

    TRY(io_sim__op_fault(op));
    enum status reported = io_sim__span_of(sim, op, &span);

    return io_sim__write_run(sim, op, inode, &span, reported);
}

static enum status
sim_write(struct io_file *io_file, const void *bytes, size_t size, uint64_t offset, uint32_t flags)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_WRITE);

    CHECK((file->flags & IO_WRITE) != 0);
    op.event.bytes = bytes;
    op.event.size = size;
    op.event.offset = offset;
    op.event.flags = flags;
    io_sim__op_begin(sim, &op);
    return io_sim__op_end(sim, &op, write_run(sim, &op, file->inode));
}

static enum status
sim_sync(struct io_file *io_file)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_SYNC);

    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK)
        status = io_sim__sync_run(sim, &op, file->inode, sim->seq);
    return io_sim__op_end(sim, &op, status);
}

static enum status
sim_size(struct io_file *io_file, uint64_t *out)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_SIZE);

    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK)
        *out = file->inode->current->size;
    return io_sim__op_end(sim, &op, status);
}

static enum status
sim_truncate(struct io_file *io_file, uint64_t size)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_TRUNCATE);

    CHECK((file->flags & IO_WRITE) != 0);
    op.event.size = size;
    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK)
        status = io_sim__truncate_run(sim, &op, file->inode);
    return io_sim__op_end(sim, &op, status);
}

static enum status
sim_allocate(struct io_file *io_file, uint64_t offset, uint64_t size)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_ALLOCATE);

    CHECK((file->flags & IO_WRITE) != 0);
    op.event.offset = offset;
    op.event.size = size;
    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK)
        status = io_sim__allocate_run(sim, &op, file->inode);
    return io_sim__op_end(sim, &op, status);
}

/* Two opens of one file conflict as two processes do. */
static enum status
lock_run(struct io_sim *sim, const struct sim_op *op, struct sim_file *file, enum io_lock_mode mode,
         uint64_t *holder_pid_out)
{
    TRY(io_sim__op_fault(op));
    for (const struct sim_file *other = sim->files; other != NULL; other = other->next) {
        if (other == file || other->inode != file->inode || other->lock == 0)
            continue;
        if (mode == IO_LOCK_SHARED && other->lock == IO_LOCK_SHARED)
            continue;
        *holder_pid_out = other->pid;
        return error_raise(STATUS_BUSY, "%.400s: locked by process %" PRIu64, op->event.path,
                           other->pid);
    }
    sim->lock_count += (uint64_t)(file->lock == 0);
    file->lock = mode;
    return STATUS_OK;
}

static enum status
sim_lock(struct io_file *io_file, enum io_lock_mode mode, uint64_t *holder_pid_out)
{
    struct io_sim *sim = io_sim__of(io_file->io);
    struct sim_file *file = file_of(io_file);
    struct sim_op op = file_op(file, IO_SIM_LOCK);

    op.event.flags = mode;
    io_sim__op_begin(sim, &op);
    return io_sim__op_end(sim, &op, lock_run(sim, &op, file, mode, holder_pid_out));
}

static uint64_t
sim_clock_ns(struct io *io)
{
    return io_sim_op_count(io) * SIM_TICK_NS;
}

static uint64_t
sim_time_ns(struct io *io)
{
    return io_sim__of(io)->time_base_ns + sim_clock_ns(io);
}

static void
sim_random(struct io *io, void *out, size_t size)
{
    struct io_sim *sim = io_sim__of(io);

    latch_lock(&sim->latch);
    random_bytes(&sim->random, out, size);
    latch_unlock(&sim->latch);
}

void
io_sim__disk_free(struct io_sim *sim)
{
    struct sim_family *family = sim->family;
    struct memory *memory = sim->io.memory;

    io_sim__table_deinit(sim, &sim->current);
    io_sim__table_deinit(sim, &sim->durable);
    while (sim->first != NULL)
        io_sim__record_remove(sim, sim->first);
    io_sim__inodes_free(sim);
    memory_free(memory, MEMORY_OTHER, sim, sizeof(*sim));
    io_sim__family_leave(family);
}

static void
sim_close_io(struct io *io)
{
    CHECK(io_sim_open_count(io) == 0);
    DCHECK(io_sim__invariants_hold(io_sim__of(io)));
    io_sim__disk_free(io_sim__of(io));
}

static const struct io_backend backend = {
    .open = sim_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .size = sim_size,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .lock = sim_lock,
    .rename = io_sim__rename,
    .remove = io_sim__remove,
    .make_dir = io_sim__make_dir,
    .remove_dir = io_sim__remove_dir,
    .sync_dir = io_sim__sync_dir,
    .list = io_sim__list,
    .real_path = io_sim__real_path,
    .queue_open = io_sim__queue_open,
    .queue_close = io_sim__queue_close,
    .queue_submit = io_sim__queue_submit,
    .queue_reap = io_sim__queue_reap,
    .clock_ns = sim_clock_ns,
    .time_ns = sim_time_ns,
    .random = sim_random,
    .close_io = sim_close_io,
};

enum status
io_sim__disk_new(struct memory *memory, struct sim_family *family, struct io_sim **out)
{
    struct io_sim *sim = memory_alloc(memory, MEMORY_OTHER, sizeof(*sim));

    if (sim == NULL)
        return STATUS_NO_MEMORY;
    sim->io.backend = &backend;
    sim->io.memory = memory;
    sim->family = family;
    sim->time_base_ns = TIME_START_NS;
    sim->root = io_sim__inode_add(sim, true);
    if (sim->root == NULL) {
        memory_free(memory, MEMORY_OTHER, sim, sizeof(*sim));
        return STATUS_NO_MEMORY;
    }
    io_sim__inode_ref(sim->root);
    sim->root->links = 1;
    io_sim__family_join(family);
    *out = sim;
    return STATUS_OK;
}

enum status
io_sim_open(struct memory *memory, const struct io_sim_options *options, struct io **out)
{
    struct sim_family *family;
    struct io_sim *sim;

    TRY(io_sim__family_new(memory, &family));
    io_sim__family_join(family);
    enum status status = io_sim__disk_new(memory, family, &sim);

    if (status == STATUS_OK) {
        sim->direct_refused = options->direct_refused;
        sim->size_with_data = options->size_with_data;
        sim->disk_size = options->disk_size;
        random_init(&sim->random, options->seed);
        random_init(&sim->random_order, options->seed ^ ORDER_SEED);
        *out = &sim->io;
    }
    io_sim__family_leave(family);
    return status;
}

void
io_sim_watch(struct io *io, void (*watch)(void *context, const struct io_sim_event *event),
             void *context)
{
    struct io_sim *sim = io_sim__of(io);

    latch_lock(&sim->latch);
    sim->watch = watch;
    sim->watch_context = context;
    latch_unlock(&sim->latch);
}

/* Looking takes the latch, which changes nothing that a caller can see. */
static struct io_sim *
look(const struct io *io)
{
    struct io_sim *sim = (struct io_sim *)(uintptr_t)io;

    latch_lock(&sim->latch);
    return sim;
}

bool
io_sim_failed(const struct io *io)
{
    struct io_sim *sim = look(io);
    bool result = sim->fault_injected;

    latch_unlock(&sim->latch);
    return result;
}

uint64_t
io_sim_op_count(const struct io *io)
{
    struct io_sim *sim = look(io);
    uint64_t result = sim->op_count;

    latch_unlock(&sim->latch);
    return result;
}

void
io_sim_set_disk_size(struct io *io, uint64_t size)
{
    struct io_sim *sim = io_sim__of(io);

    latch_lock(&sim->latch);
    sim->disk_size = size;
    latch_unlock(&sim->latch);
}

uint64_t
io_sim_open_count(const struct io *io)
{
    struct io_sim *sim = look(io);
    uint64_t result = sim->file_count + sim->queue_count + sim->lock_count;

    latch_unlock(&sim->latch);
    return result;
}

uint64_t
io_sim_pending_count(const struct io *io)
{
    struct io_sim *sim = look(io);
    uint64_t result = sim->units;

    latch_unlock(&sim->latch);
    return result;
}
