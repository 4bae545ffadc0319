/*
 * File operations of the simulated disk, run with the latch held: read, write, truncate, allocate
 * and sync. Each prepares records and chunks first, which may fail, and then makes them count.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

/* Records of one operation, linked by inode_next until they are added. */
struct batch {
    struct sim_record *first;
    struct sim_record *last;
};

static void
batch_push(struct batch *batch, struct sim_record *record)
{
    record->inode_next = NULL;
    if (batch->last == NULL)
        batch->first = record;
    else
        batch->last->inode_next = record;
    batch->last = record;
}

static void
batch_free(struct io_sim *sim, struct batch *batch)
{
    while (batch->first != NULL) {
        struct sim_record *record = batch->first;

        batch->first = record->inode_next;
        io_sim__record_free(sim, record);
    }
}

static uint64_t
span_end(const struct sim_span *span)
{
    uint64_t end = span->size > 0 ? span->offset + span->size : 0;

    return end > span->size_min ? end : span->size_min;
}

static enum status
prepare_data(struct io_sim *sim, struct sim_inode *inode, uint64_t op, const struct sim_span *span,
             bool in_flight, struct batch *batch)
{
    uint64_t end = span->offset + span->size;

    for (uint64_t at = span->offset; at < end;) {
        uint64_t index = at / SIM_CHUNK_SIZE;
        size_t from = at % SIM_CHUNK_SIZE;
        size_t to = end - index * SIM_CHUNK_SIZE < SIM_CHUNK_SIZE
                        ? (size_t)(end - index * SIM_CHUNK_SIZE)
                        : SIM_CHUNK_SIZE;
        const struct sim_chunk *base = in_flight ? NULL : io_sim__view_chunk(inode->current, index);
        struct sim_record *record = io_sim__record_new(sim, inode, SIM_DATA, op);

        if (record == NULL)
            return STATUS_NO_MEMORY;
        batch_push(batch, record);
        record->data.index = index;
        record->in_flight = in_flight;
        record->mask = (uint8_t)io_sim__span_mask(span, index);
        record->from = (uint16_t)from;
        record->to = (uint16_t)to;
        record->data.chunk =
            io_sim__chunk_make(sim->family, base, from, to, span->bytes + (at - span->offset));
        if (record->data.chunk == NULL)
            return STATUS_NO_MEMORY;
        at += to - from;
    }
    return STATUS_OK;
}

static enum status
prepare_size(struct io_sim *sim, struct sim_inode *inode, uint64_t op, uint64_t size,
             bool in_flight, struct batch *batch)
{
    struct sim_record *record = io_sim__record_new(sim, inode, SIM_SIZE, op);

    if (record == NULL)
        return STATUS_NO_MEMORY;
    batch_push(batch, record);
    record->in_flight = in_flight;
    record->size.size = size;
    record->size.size_before = inode->current->size;
    return STATUS_OK;
}

/* A size comes before its data, so that a prefix of the issue order exposes bytes never written; with
 * `size_with_data` it comes after. */
static enum status
prepare(struct io_sim *sim, struct sim_inode *inode, uint64_t op, const struct sim_span *span,
        bool in_flight, struct batch *batch)
{
    uint64_t end = span_end(span);
    bool grows = end > inode->current->size;

    if (grows && !sim->size_with_data)
        TRY(prepare_size(sim, inode, op, end, in_flight, batch));
    TRY(prepare_data(sim, inode, op, span, in_flight, batch));
    if (grows && sim->size_with_data)
        TRY(prepare_size(sim, inode, op, end, in_flight, batch));
    return STATUS_OK;
}

/* Holes among chunks [first, last) of the current view: the space that filling them takes. */
static uint64_t
hole_count(const struct sim_inode *inode, uint64_t first, uint64_t last)
{
    uint64_t count = 0;

    for (uint64_t index = first; index < last; index++)
        count += (uint64_t)(io_sim__view_chunk(inode->current, index) == NULL);
    return count;
}

static enum status
space_validate(const struct io_sim *sim, const struct sim_op *op, uint64_t more)
{
    uint64_t used = (sim->used + more) * SIM_CHUNK_SIZE;

    if (more == 0 || sim->disk_size == 0 || used <= sim->disk_size)
        return STATUS_OK;
    return error_raise(STATUS_FULL, "%.400s: no space: the simulated disk holds %" PRIu64 " bytes",
                       op->event.path, sim->disk_size);
}

static void
batch_commit(struct io_sim *sim, struct sim_inode *inode, struct batch *batch)
{
    struct sim_record *next;

    for (struct sim_record *record = batch->first; record != NULL; record = next) {
        next = record->inode_next;
        if (record->kind == SIM_DATA && !record->in_flight)
            io_sim__view_put(sim->family, inode->current, record->data.index,
                             io_sim__chunk_ref(record->data.chunk));
        if (record->kind == SIM_SIZE && !record->in_flight)
            inode->current->size = record->size.size;
        io_sim__record_add(sim, record);
    }
}

static enum status
store(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode,
      const struct sim_span *span)
{
    struct batch batch = {0};
    uint64_t first = span->offset / SIM_CHUNK_SIZE;
    uint64_t last = (span->offset + span->size + SIM_CHUNK_SIZE - 1) / SIM_CHUNK_SIZE;
    uint64_t more = span->size == 0 ? 0 : hole_count(inode, first, last);
    enum status status = STATUS_OK;

    TRY(space_validate(sim, op, more));
    TRY_OUT(io_sim__view_own(sim->family, &inode->current, span->size == 0 ? 0 : last));
    TRY_OUT(prepare(sim, inode, op->event.index, span, false, &batch));
    /* From here on nothing may fail. */
    batch_commit(sim, inode, &batch);
    sim->used += more;
    io_sim__file_write_back(sim, inode);
    return STATUS_OK;
out:
    batch_free(sim, &batch);
    return status;
}

enum status
io_sim__write_begin(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode,
                    const struct sim_span *span)
{
    struct batch batch = {0};
    enum status status = prepare(sim, inode, op->event.index, span, true, &batch);

    if (status != STATUS_OK) {
        batch_free(sim, &batch);
        return status;
    }
    batch_commit(sim, inode, &batch);
    return STATUS_OK;
}

void
io_sim__write_end(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode)
{
    struct sim_record *next;

    for (struct sim_record *record = inode->first; record != NULL; record = next) {
        next = record->inode_next;
        if (record->in_flight && record->op == op->event.index)
            io_sim__record_remove(sim, record);
    }
}

static enum status
raise_injected(const struct sim_op *op, enum status status, const char *what)
{
    return error_raise(status, "%.400s: injected %s at operation %" PRIu64, op->event.path, what,
                       op->event.index);
}

enum status
io_sim__span_of(struct io_sim *sim, const struct sim_op *op, struct sim_span *out)
{
    const struct io_sim_event *event = &op->event;
    uint64_t head = event->offset % IO_SECTOR_SIZE;
    uint64_t sectors = (head + event->size + IO_SECTOR_SIZE - 1) / IO_SECTOR_SIZE;
    uint64_t stored;

    *out = (struct sim_span){
        .bytes = event->bytes, .size = (size_t)event->size, .offset = event->offset};
    if (event->size == 0)
        return STATUS_OK;
    switch (op->fault) {
    case IO_SIM_FAULT_SHORT:
        stored = random_below(&sim->random_order, sectors) * IO_SECTOR_SIZE;
        out->size = stored > head ? (size_t)(stored - head) : 0;
        return STATUS_IO;
    case IO_SIM_FAULT_LOST:
        out->size_min = event->offset + event->size;
        out->size = 0;
        return STATUS_OK;
    case IO_SIM_FAULT_MISDIRECTED:
        out->size_min = event->offset + event->size;
        out->offset += IO_BLOCK_SIZE;
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

enum status
io_sim__write_run(struct io_sim *sim, struct sim_op *op, struct sim_inode *inode,
                  const struct sim_span *span, enum status reported)
{
    TRY(store(sim, op, inode, span));
    if (reported != STATUS_OK)
        return raise_injected(op, reported, "short write");
    if ((op->event.flags & IO_DURABLE) == 0)
        return STATUS_OK;
    io_sim__op_in_flight(sim, op);
    if (op->fault != IO_SIM_FAULT_LATE_SYNC)
        return io_sim__file_sync_span(sim, inode, op->event.index, span);
    io_sim__file_drop(sim, inode, op->event.index);
    return raise_injected(op, STATUS_IO, "late sync error");
}

enum status
io_sim__sync_run(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode, uint64_t seq)
{
    if (op->fault != IO_SIM_FAULT_LATE_SYNC)
        return io_sim__file_sync(sim, inode, seq);
    io_sim__file_sync_lost(sim, inode, seq);
    return raise_injected(op, STATUS_IO, "late sync error");
}

enum status
io_sim__read_run(const struct sim_op *op, struct sim_inode *inode, void *bytes, size_t *read_out)
{
    uint64_t offset = op->event.offset;
    uint64_t size = op->event.size;
    uint64_t left = offset < inode->current->size ? inode->current->size - offset : 0;

    if (size > left)
        size = left;
    for (const struct sim_range *range = inode->bad; range != NULL; range = range->next) {
        if (range->offset < offset + size && offset < range->offset + range->size)
            return error_raise(STATUS_IO,
                               "%.400s: unreadable bytes at offset %" PRIu64 ", size %" PRIu64,
                               op->event.path, range->offset, range->size);
    }
    io_sim__view_read(inode->current, offset, bytes, (size_t)size);
    *read_out = (size_t)size;
    return STATUS_OK;
}

enum status
io_sim__truncate_run(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode)
{
    struct batch batch = {0};
    uint64_t size = op->event.size;
    uint64_t before = inode->current->allocated;
    enum status status = STATUS_OK;

    if (size == inode->current->size)
        return STATUS_OK;
    TRY(prepare_size(sim, inode, op->event.index, size, false, &batch));
    TRY_OUT(io_sim__view_resize(sim->family, &inode->current, size));
    /* From here on nothing may fail. */
    sim->used -= before - inode->current->allocated;
    io_sim__record_add(sim, batch.first);
    return STATUS_OK;
out:
    batch_free(sim, &batch);
    return status;
}

enum status
io_sim__allocate_run(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode)
{
    struct batch batch = {0};
    uint64_t first = op->event.offset / SIM_CHUNK_SIZE;
    uint64_t end = op->event.offset + op->event.size;
    uint64_t last = (end + SIM_CHUNK_SIZE - 1) / SIM_CHUNK_SIZE;
    uint64_t more = hole_count(inode, first, last);
    enum status status = STATUS_OK;

    if (end < inode->current->size)
        end = inode->current->size;
    if (more == 0 && end == inode->current->size)
        return STATUS_OK;
    TRY(space_validate(sim, op, more));
    TRY(prepare_size(sim, inode, op->event.index, end, false, &batch));
    batch.first->size.reserve_first = first;
    batch.first->size.reserve_last = last;
    TRY_OUT(io_sim__view_reserve(sim->family, &inode->current, first, last));
    /* From here on nothing may fail. */
    inode->current->size = end;
    sim->used += more;
    io_sim__record_add(sim, batch.first);
    return STATUS_OK;
out:
    batch_free(sim, &batch);
    return status;
}
