/*
 * The two meta slots in the file (bytes: pager_format.h; encoding: meta.c).
 *
 * Reading takes the valid slot with the higher sequence. One slot may be torn or rotten; both are
 * then written again at the next checkpoint. A slot of a newer version refuses the file, even beside
 * one of ours: a newer program has written to it.
 *
 * Writing goes to one slot after the other, each durable before the next is touched, and starts with
 * the one that was not read or written last: at every moment at least one slot on the disk is valid,
 * even when the other one was damaged before. Until both are written the log is kept for the older.
 */
#include <inttypes.h>

#include "pager/pager_private.h"

#define CLOSING_HINT "restore it from a backup, or open it for rescue"

/* What was found in one slot. */
struct slot_found {
    enum status status;
    const char *reason;
    struct meta meta;
};

static enum status
read_slot(struct pager *pager, uint32_t slot, uint64_t file_size, struct slot_found *out)
{
    _Alignas(IO_BLOCK_SIZE) struct meta_slot bytes;
    uint64_t offset = (uint64_t)slot * PAGE_SIZE;
    enum status status;

    out->status = STATUS_CORRUPT;
    out->reason = "it is cut off";
    out->meta.sequence = 0;
    if (offset + PAGE_SIZE > file_size)
        return STATUS_OK;
    status = io_read(pager->file, &bytes, sizeof(bytes), offset);
    if (status == STATUS_IO) {
        out->status = STATUS_IO;
        out->reason = "it cannot be read from the disk";
        return STATUS_OK;
    }
    TRY(status);
    if (bytes_are_zero(&bytes, sizeof(bytes)))
        out->reason = "it was never written";
    else
        out->status = meta_decode(&bytes, slot, &out->meta, &out->reason);
    return STATUS_OK;
}

static enum status
refuse_slots(const struct pager *pager, const struct slot_found found[META_SLOT_COUNT])
{
    if (found[0].status == STATUS_INVALID && found[1].status == STATUS_INVALID)
        return error_raise(STATUS_INVALID, "%s: not a qtdb database: %s", pager->path,
                           found[0].reason);
    if (found[0].status == STATUS_IO && found[1].status == STATUS_IO)
        return error_raise(STATUS_IO, "%s: neither meta slot can be read from the disk",
                           pager->path);
    return error_raise(STATUS_CORRUPT,
                       "%s: neither meta slot is valid (0: %s; 1: %s); " CLOSING_HINT, pager->path,
                       found[0].reason, found[1].reason);
}

/* Both slots against each other. */
static enum status
check_pair(const struct pager *pager, const struct slot_found found[META_SLOT_COUNT])
{
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++)
        if (found[slot].status == STATUS_VERSION)
            return error_raise(STATUS_VERSION,
                               "%s: the file was written by a newer version of qtdb than this one "
                               "(format %d); use that",
                               pager->path, PAGER_FORMAT_VERSION);
    if (found[0].status != STATUS_OK && found[1].status != STATUS_OK)
        return refuse_slots(pager, found);
    if (found[0].status == STATUS_OK && found[1].status == STATUS_OK &&
        found[0].meta.file_id != found[1].meta.file_id)
        return error_raise(STATUS_CORRUPT,
                           "%s: the meta slots belong to different files (%016" PRIx64
                           " and %016" PRIx64 "); " CLOSING_HINT,
                           pager->path, found[0].meta.file_id, found[1].meta.file_id);
    return STATUS_OK;
}

enum status
pager__meta_read(struct pager *pager, struct meta *out)
{
    struct slot_found found[META_SLOT_COUNT];
    uint64_t size = 0;

    TRY(io_size(pager->file, &size));
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++)
        TRY(read_slot(pager, slot, size, &found[slot]));
    TRY(check_pair(pager, found));
    uint32_t newest = found[0].status == STATUS_OK ? 0 : 1;
    if (found[1].status == STATUS_OK && found[1].meta.sequence > found[newest].meta.sequence)
        newest = 1;
    uint32_t other = 1 - newest;
    if (found[other].status != STATUS_OK)
        log_line(LOG_WARN, "pager: meta slot refused path=%s slot=%" PRIu32 " reason=\"%s\"",
                 pager->path, other, found[other].reason);
    pager->meta_slot = newest;
    pager->meta_sequence = found[newest].meta.sequence;
    *out = found[newest].meta;
    return STATUS_OK;
}

/* Writing. */

static void
meta_fill(struct pager *pager, enum meta_state state, struct meta *out)
{
    bool clean = state == META_CLEAN;

    memset(out, 0, sizeof(*out));
    out->file_id = pager->file_id;
    out->state = state;
    out->log_id = clean ? 0 : pager->log_id;
    out->redo_lsn = clean ? 0 : pager->redo.lsn;
    out->redo_chain = clean ? 0 : pager->redo.chain;
    out->redo_csn = clean ? atomic_load(&pager->csn_last) : pager->redo.csn;
    out->page_count = clean ? atomic_load(&pager->page_count) : pager->redo_page_count;
    out->segment_size = pager->options.segment_size;
    out->created_ms = pager->created_ms;
    /* The witnesses are of now, the page count of R: pages past it come with their records. */
    out->map_count = pager->map_count;
    for (uint32_t index = 0; index < pager->map_count; index++)
        out->map_csn[index] = pager->meta_map_csn[index];
}

static enum status
write_slot(struct pager *pager, struct meta *meta, uint32_t slot)
{
    _Alignas(IO_BLOCK_SIZE) struct meta_slot bytes;

    if (BUG(META_ONE_SLOT))
        slot = 0;
    meta->sequence = pager->meta_sequence + 1;
    meta_encode(meta, slot, &bytes);
    TRY(io_write(pager->file, &bytes, sizeof(bytes), (uint64_t)slot * PAGE_SIZE, IO_DURABLE));
    PAGER_COUNT(pager, meta_write_count, 1);
    pager->meta_sequence = meta->sequence;
    pager->meta_slot = slot;
    return STATUS_OK;
}

enum status
pager__meta_write(struct pager *pager, enum meta_state state)
{
    struct meta meta;
    uint32_t first = 1 - pager->meta_slot;
    enum status status;

    CHECK(latch_is_held(&pager->flush_latch));
    CHECK(!pager->read_only && pager->meta_slot < META_SLOT_COUNT);
    latch_lock(&pager->commit_latch);
    meta_fill(pager, state, &meta);
    latch_unlock(&pager->commit_latch);
    status = write_slot(pager, &meta, first);
    if (status == STATUS_OK)
        status = write_slot(pager, &meta, 1 - first);
    if (status != STATUS_OK)
        return pager__fail(pager, status, "writing the meta slots");
    return STATUS_OK;
}
