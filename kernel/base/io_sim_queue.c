/*
 * Queues of the simulated disk. A request is counted, and its fault decided, when it is submitted;
 * it takes effect when it is reaped, in an order drawn from the disk's seed. In between a write is
 * in flight: its sectors are pending, reads do not see it, and no sync covers it. A sync covers
 * what had been reaped when it was submitted.
 *
 * Bytes are read from the caller's buffer once more when the write takes effect, so a caller that
 * changes a buffer too early corrupts its file here as it would on a real disk.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

struct slot {
    struct io_request *request;
    struct sim_op op;
    struct sim_span span;
    enum status reported; /* What a write will say, or why the request never started. */
    bool started;
    uint64_t seq; /* Sync: what it covers. */
};

struct sim_queue {
    struct io_queue queue;
    uint32_t depth;
    uint32_t count;
    struct slot slots[]; /* The first `count` are in flight. */
};

static struct sim_queue *
queue_of(struct io_queue *queue)
{
    return (struct sim_queue *)(void *)queue;
}

static struct sim_file *
file_of(const struct io_request *request)
{
    return (struct sim_file *)(void *)request->file;
}

static size_t
queue_size(uint32_t depth)
{
    return sizeof(struct sim_queue) + depth * sizeof(struct slot);
}

enum status
io_sim__queue_open(struct io *io, uint32_t depth, struct io_queue **out)
{
    struct io_sim *sim = io_sim__of(io);
    struct sim_queue *queue = NULL;
    struct sim_op op = {.event = {.op = IO_SIM_QUEUE_OPEN, .path = "queue", .size = depth}};

    io_sim__op_begin(sim, &op);
    enum status status = io_sim__op_fault(&op);

    if (status == STATUS_OK) {
        queue = io_sim__pool_alloc(sim->family, queue_size(depth));
        if (queue == NULL) {
            status = STATUS_NO_MEMORY;
        } else {
            *queue = (struct sim_queue){.queue = {.io = io}, .depth = depth};
            sim->queue_count++;
        }
    }
    TRY(io_sim__op_end(sim, &op, status));
    *out = &queue->queue;
    return STATUS_OK;
}

void
io_sim__queue_close(struct io_queue *io_queue)
{
    struct sim_queue *queue = queue_of(io_queue);
    struct io_sim *sim = io_sim__of(io_queue->io);

    CHECK(queue->count == 0);
    latch_lock(&sim->latch);
    sim->queue_count--;
    io_sim__pool_free(sim->family, queue, queue_size(queue->depth));
    latch_unlock(&sim->latch);
}

static void
slot_init(struct slot *slot, struct io_request *request)
{
    static const enum io_sim_op ops[] = {
        [IO_OP_READ] = IO_SIM_READ, [IO_OP_WRITE] = IO_SIM_WRITE, [IO_OP_SYNC] = IO_SIM_SYNC};
    const struct sim_file *file = file_of(request);

    CHECK(request->op >= IO_OP_READ && request->op <= IO_OP_SYNC);
    CHECK(request->op != IO_OP_WRITE || (file->flags & IO_WRITE) != 0);
    *slot = (struct slot){.request = request};
    slot->op.event = (struct io_sim_event){.op = ops[request->op], .path = file->path->text};
    if (request->op == IO_OP_SYNC)
        return;
    slot->op.event.bytes = request->op == IO_OP_WRITE ? request->bytes : NULL;
    slot->op.event.offset = request->offset;
    slot->op.event.size = request->size;
    slot->op.event.flags = request->op == IO_OP_WRITE ? request->flags : 0;
}

/* A request that cannot start says so when it is reaped, so that all of a batch always start. */
static enum status
slot_start(struct io_sim *sim, struct slot *slot)
{
    struct sim_file *file = file_of(slot->request);

    file->in_flight++;
    slot->seq = sim->seq;
    TRY(io_sim__op_fault(&slot->op));
    if (slot->request->op != IO_OP_WRITE) {
        slot->started = true;
        return STATUS_OK;
    }
    enum status reported = io_sim__span_of(sim, &slot->op, &slot->span);

    TRY(io_sim__write_begin(sim, &slot->op, file->inode, &slot->span));
    slot->started = true;
    return reported;
}

enum status
io_sim__queue_submit(struct io_queue *io_queue, struct io_request **requests, uint32_t count)
{
    struct sim_queue *queue = queue_of(io_queue);
    struct io_sim *sim = io_sim__of(io_queue->io);

    CHECK(count <= queue->depth - queue->count);
    for (uint32_t index = 0; index < count; index++) {
        struct slot *slot = &queue->slots[queue->count++];

        slot_init(slot, requests[index]);
        io_sim__op_begin(sim, &slot->op);
        slot->reported = slot_start(sim, slot);
        slot->op.event.in_flight = true;
        latch_unlock(&sim->latch);
    }
    return STATUS_OK;
}

static enum status
read_whole(const struct slot *slot, struct sim_inode *inode)
{
    size_t size = 0;

    TRY(io_sim__read_run(&slot->op, inode, slot->request->bytes, &size));
    if (size == slot->request->size)
        return STATUS_OK;
    return error_raise(STATUS_IO, "%.400s: reading %zu bytes at offset %" PRIu64 ": it ends there",
                       slot->op.event.path, slot->request->size, slot->request->offset);
}

static enum status
slot_run(struct io_sim *sim, struct slot *slot)
{
    struct sim_file *file = file_of(slot->request);

    file->in_flight--;
    if (!slot->started)
        return error_raise(slot->reported, "%.400s: a queued request failed at operation %" PRIu64,
                           slot->op.event.path, slot->op.event.index);
    switch (slot->request->op) {
    case IO_OP_READ:
        return read_whole(slot, file->inode);
    case IO_OP_SYNC:
        return io_sim__sync_run(sim, &slot->op, file->inode, slot->seq);
    case IO_OP_WRITE:
        break;
    }
    io_sim__write_end(sim, &slot->op, file->inode);
    return io_sim__write_run(sim, &slot->op, file->inode, &slot->span, slot->reported);
}

enum status
io_sim__queue_reap(struct io_queue *io_queue, uint32_t min_count, struct io_request **out,
                   uint32_t max_count, uint32_t *count_out)
{
    struct sim_queue *queue = queue_of(io_queue);
    struct io_sim *sim = io_sim__of(io_queue->io);
    uint32_t most = max_count < queue->count ? max_count : queue->count;

    CHECK(min_count <= most);
    latch_lock(&sim->latch);
    uint32_t count = min_count + (uint32_t)random_below(&sim->random_order, most - min_count + 1);
    latch_unlock(&sim->latch);

    for (uint32_t index = 0; index < count; index++) {
        latch_lock(&sim->latch);
        uint32_t choice = (uint32_t)random_below(&sim->random_order, queue->count);
        struct slot slot = queue->slots[choice];

        /* The others keep their order of submission. */
        memmove(&queue->slots[choice], &queue->slots[choice + 1],
                (queue->count - choice - 1) * sizeof(slot));
        queue->count--;
        slot.request->status = io_sim__op_end(sim, &slot.op, slot_run(sim, &slot));
        out[index] = slot.request;
    }
    *count_out = count;
    return STATUS_OK;
}
