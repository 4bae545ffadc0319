/*
 * What goes wrong on purpose: faults by operation number, the watcher's view of each operation, and
 * damage at rest.
 *
 * An operation is counted and shown to the watcher before anything else, without the latch, so that
 * the watcher may take a fork. The message of a failed operation is kept across the watcher's call,
 * because the watcher may run an engine of its own on the same thread.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

/* Can this operation suffer the fault at all? Errors fit every operation. */
static bool
fault_fits(enum io_sim_fault fault, const struct io_sim_event *event)
{
    bool is_write = event->op == IO_SIM_WRITE;
    bool is_sync = event->op == IO_SIM_SYNC || event->op == IO_SIM_SYNC_DIR;

    switch (fault) {
    case IO_SIM_FAULT_EIO:
    case IO_SIM_FAULT_ENOSPC:
    case IO_SIM_FAULT_SHORT:
        return true;
    case IO_SIM_FAULT_LATE_SYNC:
        return is_sync || (is_write && (event->flags & IO_DURABLE) != 0);
    case IO_SIM_FAULT_LOST:
    case IO_SIM_FAULT_MISDIRECTED:
        return is_write;
    case IO_SIM_FAULT_NONE:
        break;
    }
    return false;
}

/* The watcher and its context, read together: another thread may set them beside an operation. */
struct watcher {
    void (*watch)(void *context, const struct io_sim_event *event);
    void *context;
};

static struct watcher
unlock_to_show(struct io_sim *sim)
{
    struct watcher watcher = {.watch = sim->watch, .context = sim->watch_context};

    latch_unlock(&sim->latch);
    return watcher;
}

void
io_sim__op_begin(struct io_sim *sim, struct sim_op *op)
{
    latch_lock(&sim->latch);
    uint64_t index = sim->op_count++;
    bool is_due = index == sim->fault_index || (sim->fault_for_ever && index > sim->fault_index);

    op->event.index = index;
    op->fault = IO_SIM_FAULT_NONE;
    if (is_due && fault_fits(sim->fault, &op->event)) {
        op->fault = sim->fault;
        sim->fault_injected = true;
    }
    if (sim->watch == NULL)
        return;
    struct watcher watcher = unlock_to_show(sim);

    watcher.watch(watcher.context, &op->event);
    latch_lock(&sim->latch);
}

void
io_sim__op_in_flight(struct io_sim *sim, struct sim_op *op)
{
    if (sim->watch == NULL || op->event.in_flight)
        return;
    op->event.in_flight = true;
    struct watcher watcher = unlock_to_show(sim);

    watcher.watch(watcher.context, &op->event);
    latch_lock(&sim->latch);
    op->event.in_flight = false;
}

enum status
io_sim__op_end(struct io_sim *sim, struct sim_op *op, enum status status)
{
    char message[ERROR_MESSAGE_SIZE];
    struct watcher watcher = unlock_to_show(sim);

    if (watcher.watch == NULL)
        return status;
    op->event.in_flight = false;
    op->event.done = true;
    op->event.status = status;
    memcpy(message, error_message(), sizeof(message));
    watcher.watch(watcher.context, &op->event);
    return status == STATUS_OK ? STATUS_OK : error_raise(status, "%s", message);
}

enum status
io_sim__op_fault(const struct sim_op *op)
{
    bool is_write = op->event.op == IO_SIM_WRITE;
    bool is_full =
        op->fault == IO_SIM_FAULT_ENOSPC && (is_write || op->event.op == IO_SIM_ALLOCATE);

    if (is_full)
        return error_raise(STATUS_FULL, "%.400s: injected full disk at operation %" PRIu64,
                           op->event.path, op->event.index);
    if (op->fault == IO_SIM_FAULT_EIO || op->fault == IO_SIM_FAULT_ENOSPC ||
        (op->fault == IO_SIM_FAULT_SHORT && !is_write))
        return error_raise(STATUS_IO, "%.400s: injected I/O error at operation %" PRIu64,
                           op->event.path, op->event.index);
    return STATUS_OK;
}

void
io_sim_fail_at(struct io *io, uint64_t index, enum io_sim_fault fault, bool for_ever)
{
    struct io_sim *sim = io_sim__of(io);

    latch_lock(&sim->latch);
    sim->fault = fault;
    sim->fault_index = index;
    sim->fault_for_ever = for_ever;
    sim->fault_injected = false;
    latch_unlock(&sim->latch);
}

/* Finds the file and checks that [offset, offset + size) lies in it. */
static enum status
find_range(struct io_sim *sim, const char *path, uint64_t offset, uint64_t size,
           struct sim_inode **out)
{
    char normal[IO_PATH_SIZE];
    struct sim_inode *inode;

    TRY(io_sim__path_normal(path, normal, sizeof(normal)));
    TRY(io_sim__path_inode(sim, normal, &inode));
    if (inode->is_dir || size > inode->current->size || offset > inode->current->size - size)
        return error_raise(STATUS_NOT_FOUND,
                           "%.400s: bytes at offset %" PRIu64 ", size %" PRIu64
                           ", are not in the file",
                           normal, offset, size);
    *out = inode;
    return STATUS_OK;
}

/* Bytes that take the place of, or are flipped in, one part of a chunk. */
struct damage {
    const uint8_t *bytes;
    uint64_t offset;
    uint64_t end;
    bool flip;
};

static void
damage_bytes(uint8_t *chunk, uint64_t chunk_offset, const struct damage *damage)
{
    for (size_t index = 0; index < SIM_CHUNK_SIZE; index++) {
        uint64_t at = chunk_offset + index;

        if (at < damage->offset || at >= damage->end)
            continue;
        uint8_t byte = damage->bytes[at - damage->offset];

        chunk[index] = damage->flip ? (uint8_t)(chunk[index] ^ byte) : byte;
    }
}

/* A damaged copy of the chunk. NULL on refusal. */
static struct sim_chunk *
damage_chunk(struct io_sim *sim, const struct sim_chunk *chunk, uint64_t index,
             const struct damage *damage)
{
    uint8_t bytes[SIM_CHUNK_SIZE];

    memcpy(bytes, chunk == NULL ? sim->family->zero.bytes : chunk->bytes, sizeof(bytes));
    damage_bytes(bytes, index * SIM_CHUNK_SIZE, damage);
    return io_sim__chunk_make(sim->family, NULL, 0, SIM_CHUNK_SIZE, bytes);
}

/* A version that has no such bytes (a durable file may be shorter) is left as it is. */
static enum status
damage_view(struct io_sim *sim, struct sim_view **view, uint64_t index, const struct damage *damage)
{
    struct damage part = *damage;

    if (part.end > (*view)->size)
        part.end = (*view)->size;
    if (part.end <= index * SIM_CHUNK_SIZE)
        return STATUS_OK;
    TRY(io_sim__view_own(sim->family, view, index + 1));
    struct sim_chunk *chunk = damage_chunk(sim, io_sim__view_chunk(*view, index), index, &part);

    if (chunk == NULL)
        return STATUS_NO_MEMORY;
    io_sim__view_put(sim->family, *view, index, chunk);
    return STATUS_OK;
}

/* Every version of the bytes: current, durable and pending. */
static enum status
damage_file(struct io_sim *sim, struct sim_inode *inode, const struct damage *damage)
{
    uint64_t first = damage->offset / SIM_CHUNK_SIZE;
    uint64_t last = (damage->end - 1) / SIM_CHUNK_SIZE;
    uint64_t before = inode->current->allocated;

    for (uint64_t index = first; index <= last; index++) {
        TRY(damage_view(sim, &inode->current, index, damage));
        TRY(damage_view(sim, &inode->durable, index, damage));
    }
    sim->used += inode->current->allocated - before;
    for (struct sim_record *record = inode->first; record != NULL; record = record->inode_next) {
        if (record->kind != SIM_DATA || record->data.index < first || record->data.index > last)
            continue;
        struct sim_chunk *chunk = damage_chunk(sim, record->data.chunk, record->data.index, damage);

        if (chunk == NULL)
            return STATUS_NO_MEMORY;
        io_sim__chunk_unref(sim->family, record->data.chunk);
        record->data.chunk = chunk;
    }
    return STATUS_OK;
}

static enum status
damage_path(struct io *io, const char *path, const struct damage *damage)
{
    struct io_sim *sim = io_sim__of(io);
    struct sim_inode *inode = NULL;
    enum status status;

    latch_lock(&sim->latch);
    TRY_OUT(find_range(sim, path, damage->offset, damage->end - damage->offset, &inode));
    CHECK(inode != NULL);
    TRY_OUT(damage_file(sim, inode, damage));
out:
    latch_unlock(&sim->latch);
    return status;
}

enum status
io_sim_flip_bit(struct io *io, const char *path, uint64_t bit_offset)
{
    uint8_t byte = (uint8_t)(1u << bit_offset % 8);
    struct damage damage = {
        .bytes = &byte, .offset = bit_offset / 8, .end = bit_offset / 8 + 1, .flip = true};

    return damage_path(io, path, &damage);
}

enum status
io_sim_overwrite(struct io *io, const char *path, uint64_t offset, const void *bytes, size_t size)
{
    struct damage damage = {.bytes = bytes, .offset = offset, .end = offset + size};

    if (size == 0)
        return STATUS_OK;
    return damage_path(io, path, &damage);
}

static void
bad_clear(struct io_sim *sim, struct sim_inode *inode)
{
    while (inode->bad != NULL) {
        struct sim_range *range = inode->bad;

        inode->bad = range->next;
        io_sim__pool_free(sim->family, range, sizeof(*range));
    }
}

enum status
io_sim_bad_range(struct io *io, const char *path, uint64_t offset, uint64_t size)
{
    struct io_sim *sim = io_sim__of(io);
    struct sim_inode *inode = NULL;
    enum status status;

    latch_lock(&sim->latch);
    TRY_OUT(find_range(sim, path, size == 0 ? 0 : offset, size, &inode));
    CHECK(inode != NULL);
    if (size == 0) {
        bad_clear(sim, inode);
        goto out;
    }
    struct sim_range *range = io_sim__pool_alloc(sim->family, sizeof(*range));

    if (range == NULL) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    *range = (struct sim_range){.next = inode->bad, .offset = offset, .size = size};
    inode->bad = range;
out:
    latch_unlock(&sim->latch);
    return status;
}

enum status
io_sim_peek(struct io *io, const char *path, uint64_t offset, void *bytes, size_t size)
{
    struct io_sim *sim = io_sim__of(io);
    struct sim_inode *inode = NULL;
    enum status status;

    latch_lock(&sim->latch);
    TRY_OUT(find_range(sim, path, offset, size, &inode));
    CHECK(inode != NULL);
    io_sim__view_read(inode->current, offset, bytes, size);
out:
    latch_unlock(&sim->latch);
    return status;
}
