/*
 * What is pending: records in order of issue, and how syncs make them durable.
 *
 * A sync lays the file's records over its durable view in order and forgets them. A durable write
 * does so for its own bytes only, and must see to it that nothing older, kept by a crash later on,
 * undoes it: older records of the same sectors lose these sectors, older extensions that end at or
 * before it have become true, and if the file was cut short before it, everything up to the cut is
 * made durable first (the one inode has one size).
 *
 * Records in flight are left alone by both: nothing says when they reach the disk.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/io_sim_private.h"

struct sim_record *
io_sim__record_new(struct io_sim *sim, struct sim_inode *inode, enum sim_record_kind kind,
                   uint64_t op)
{
    struct sim_record *record = io_sim__pool_alloc(sim->family, sizeof(*record));

    if (record == NULL)
        return NULL;
    memset(record, 0, sizeof(*record));
    record->inode = inode;
    record->kind = (uint8_t)kind;
    record->op = op;
    return record;
}

void
io_sim__record_free(struct io_sim *sim, struct sim_record *record)
{
    struct sim_inode *dir = record->inode;
    struct sim_inode *target = NULL;

    if (record->kind == SIM_DATA)
        io_sim__chunk_unref(sim->family, record->data.chunk);
    if (record->kind == SIM_NAME) {
        io_sim__name_unref(sim->family, record->name.from);
        io_sim__name_unref(sim->family, record->name.to);
        target = record->name.target;
    }
    io_sim__pool_free(sim->family, record, sizeof(*record));
    if (target != NULL) {
        io_sim__inode_unref(sim, target);
        io_sim__inode_unref(sim, dir);
    }
}

uint32_t
io_sim__record_units(const struct sim_record *record)
{
    return record->kind == SIM_DATA ? (uint32_t)__builtin_popcount(record->mask) : 1;
}

void
io_sim__record_add(struct io_sim *sim, struct sim_record *record)
{
    struct sim_inode *inode = record->inode;

    record->seq = ++sim->seq;
    record->prev = sim->last;
    record->next = NULL;
    if (sim->last == NULL)
        sim->first = record;
    else
        sim->last->next = record;
    sim->last = record;
    record->inode_prev = inode->last;
    record->inode_next = NULL;
    if (inode->last == NULL)
        inode->first = record;
    else
        inode->last->inode_next = record;
    inode->last = record;
    inode->record_count++;
    inode->in_flight += (uint32_t)record->in_flight;
    sim->units += io_sim__record_units(record);
}

static void
record_unlink(struct io_sim *sim, struct sim_record *record)
{
    struct sim_inode *inode = record->inode;

    if (record->prev == NULL)
        sim->first = record->next;
    else
        record->prev->next = record->next;
    if (record->next == NULL)
        sim->last = record->prev;
    else
        record->next->prev = record->prev;
    if (record->inode_prev == NULL)
        inode->first = record->inode_next;
    else
        record->inode_prev->inode_next = record->inode_next;
    if (record->inode_next == NULL)
        inode->last = record->inode_prev;
    else
        record->inode_next->inode_prev = record->inode_prev;
}

void
io_sim__record_remove(struct io_sim *sim, struct sim_record *record)
{
    struct sim_inode *inode = record->inode;

    CHECK(sim->units >= io_sim__record_units(record));
    CHECK(inode->record_count > 0);
    record_unlink(sim, record);
    inode->record_count--;
    inode->in_flight -= (uint32_t)record->in_flight;
    sim->units -= io_sim__record_units(record);
    io_sim__record_free(sim, record);
}

/* A size in flight only ever extends: its write has not yet seen what others did to the size. */
static enum status
apply_size(struct io_sim *sim, const struct sim_record *record, struct sim_view **view)
{
    if (!record->in_flight) {
        TRY(io_sim__view_resize(sim->family, view, record->size.size));
        return io_sim__view_reserve(sim->family, view, record->size.reserve_first,
                                    record->size.reserve_last);
    }
    if (record->size.size <= (*view)->size)
        return STATUS_OK;
    TRY(io_sim__view_own(sim->family, view, 0));
    (*view)->size = record->size.size;
    return STATUS_OK;
}

/* A write that is done stands for whole sectors, as the page cache writes them; one in flight only
 * for its own bytes. */
enum status
io_sim__record_apply(struct io_sim *sim, const struct sim_record *record, uint32_t mask,
                     struct sim_view **view)
{
    size_t from = record->in_flight ? record->from : 0;
    size_t to = record->in_flight ? record->to : SIM_CHUNK_SIZE;

    CHECK(record->kind != SIM_NAME);
    if (record->kind == SIM_SIZE)
        return apply_size(sim, record, view);
    return io_sim__view_lay(sim->family, view, record->data.index, record->data.chunk, mask, from,
                            to);
}

/* True when durable will equal current after a sync up to `seq`, so that chunks can be shared. What is
 * in flight is in neither. */
static bool
sync_is_whole(const struct sim_inode *inode, uint64_t seq)
{
    return !inode->diverged && inode->last != NULL && inode->last->seq <= seq &&
           inode->current != NULL;
}

static enum status
sync_record(struct io_sim *sim, const struct sim_record *record, bool whole)
{
    struct sim_inode *inode = record->inode;
    struct sim_view **durable = &inode->durable;

    if (record->kind == SIM_SIZE || !whole)
        return io_sim__record_apply(sim, record, record->mask, durable);
    TRY(io_sim__view_own(sim->family, durable, record->data.index + 1));
    io_sim__view_put(sim->family, *durable, record->data.index,
                     io_sim__chunk_ref(io_sim__view_chunk(inode->current, record->data.index)));
    return STATUS_OK;
}

/* After a late sync error a size may have been lost whose bytes are synced now: they bring it. */
static enum status
sync_size_reached(struct io_sim *sim, struct sim_inode *inode, uint64_t end)
{
    uint64_t size = inode->current == NULL ? 0 : inode->current->size;

    if (end < size)
        size = end;
    if (inode->durable->size >= size)
        return STATUS_OK;
    return io_sim__view_resize(sim->family, &inode->durable, size);
}

enum status
io_sim__file_sync(struct io_sim *sim, struct sim_inode *inode, uint64_t seq)
{
    bool whole = sync_is_whole(inode, seq);
    struct sim_record *next;
    uint64_t end = 0;
    bool uncut_before = inode->uncut;

    inode->uncut = true;
    for (struct sim_record *record = inode->first; record != NULL && record->seq <= seq;
         record = next) {
        next = record->inode_next;
        if (record->in_flight)
            continue;
        TRY(sync_record(sim, record, whole));
        if (record->kind == SIM_SIZE)
            end = 0;
        else if (end < record->data.index * SIM_CHUNK_SIZE + record->to)
            end = record->data.index * SIM_CHUNK_SIZE + record->to;
        io_sim__record_remove(sim, record);
    }
    TRY(sync_size_reached(sim, inode, end));
    inode->uncut = uncut_before && !whole;
    return STATUS_OK;
}

uint32_t
io_sim__span_mask(const struct sim_span *span, uint64_t index)
{
    uint64_t start = index * SIM_CHUNK_SIZE;
    uint64_t from = span->offset > start ? span->offset - start : 0;
    uint64_t end = span->offset + span->size;
    uint64_t to = end > start ? end - start : 0;

    if (to > SIM_CHUNK_SIZE)
        to = SIM_CHUNK_SIZE;
    if (from >= to)
        return 0;
    uint32_t first = (uint32_t)(from / IO_SECTOR_SIZE);
    uint32_t last = (uint32_t)((to + IO_SECTOR_SIZE - 1) / IO_SECTOR_SIZE);

    return (1u << last) - (1u << first);
}

/* The number of the last record before operation `op` that cut the file to at most `end`; 0: none. */
static uint64_t
last_cut(const struct sim_inode *inode, uint64_t op, uint64_t end)
{
    uint64_t seq = 0;

    for (const struct sim_record *record = inode->first; record != NULL && record->op != op;
         record = record->inode_next) {
        if (record->kind == SIM_SIZE && !record->in_flight && record->size.size <= end &&
            record->size.size < record->size.size_before)
            seq = record->seq;
    }
    return seq;
}

/* Takes the span's sectors, and sizes that it made true, out of a record that is older than it. */
static void
supersede(struct io_sim *sim, struct sim_record *record, const struct sim_span *span, uint64_t end)
{
    uint32_t mask = record->kind == SIM_DATA ? io_sim__span_mask(span, record->data.index) : 0;

    if (record->in_flight)
        return;
    sim->units -= (uint32_t)__builtin_popcount(record->mask & mask);
    record->mask = (uint8_t)(record->mask & ~mask);
    if (record->kind == SIM_DATA ? record->mask == 0 : record->size.size <= end)
        io_sim__record_remove(sim, record);
}

/* The last sector is written whole, with what lies between the span's end and the file's. */
static uint64_t
whole_sectors(const struct sim_inode *inode, uint64_t end)
{
    uint64_t rounded = (end + IO_SECTOR_SIZE - 1) / IO_SECTOR_SIZE * IO_SECTOR_SIZE;

    return rounded < inode->current->size ? rounded : inode->current->size;
}

enum status
io_sim__file_sync_span(struct io_sim *sim, struct sim_inode *inode, uint64_t op,
                       const struct sim_span *span)
{
    uint64_t end = span->size > 0 ? span->offset + span->size : 0;
    struct sim_record *record;
    struct sim_record *next;
    uint64_t own = 0;

    if (end < span->size_min)
        end = span->size_min;
    end = whole_sectors(inode, end);
    uint64_t cut = last_cut(inode, op, end);

    if (sim->size_with_data && end > inode->durable->size)
        cut = inode->last == NULL ? 0 : inode->last->seq;
    if (cut > 0)
        TRY(io_sim__file_sync(sim, inode, cut));
    bool uncut_before = inode->uncut;

    inode->uncut = true;
    for (record = inode->first; record != NULL; record = record->inode_next) {
        if (record->op != op)
            continue;
        own = record->seq;
        if (record->kind == SIM_DATA)
            TRY(io_sim__record_apply(sim, record, record->mask, &inode->durable));
    }
    if (inode->durable->size < end)
        TRY(io_sim__view_resize(sim->family, &inode->durable, end));
    inode->uncut = uncut_before;
    /* From here on nothing may fail. */
    for (record = inode->first; record != NULL && record->seq <= own; record = next) {
        next = record->inode_next;
        supersede(sim, record, span, end);
    }
    return STATUS_OK;
}

void
io_sim__file_sync_lost(struct io_sim *sim, struct sim_inode *inode, uint64_t seq)
{
    struct sim_record *next;

    for (struct sim_record *record = inode->first; record != NULL && record->seq <= seq;
         record = next) {
        next = record->inode_next;
        if (!record->in_flight)
            io_sim__record_remove(sim, record);
    }
    inode->diverged = true;
}

void
io_sim__file_drop(struct io_sim *sim, struct sim_inode *inode, uint64_t op)
{
    struct sim_record *next;

    for (struct sim_record *record = inode->first; record != NULL; record = next) {
        next = record->inode_next;
        if (record->op == op)
            io_sim__record_remove(sim, record);
    }
    inode->diverged = true;
}

void
io_sim__file_write_back(struct io_sim *sim, struct sim_inode *inode)
{
    while (inode->record_count - inode->in_flight > SIM_RECORDS_MAX) {
        const struct sim_record *record = inode->first;

        while (record->in_flight)
            record = record->inode_next;
        while (record->inode_next != NULL && record->inode_next->op == record->op)
            record = record->inode_next;
        if (io_sim__file_sync(sim, inode, record->seq) != STATUS_OK)
            return;
    }
}
