/*
 * Repairing one page from the log, while the handle works: the newest image that the log holds of
 * it, and every record after that.
 *
 * The page was read from disk and refused; its reader holds the claim on it, so nobody changes it,
 * and all its records up to its last flush are durable. The log is read from its oldest kept frame
 * to its durable end. FREE and RESET end what was before them. The caller verifies the outcome
 * against the page's witness: a page whose last change lies before the oldest frame, or that was
 * written directly, comes out as "not found" or fails there.
 *
 * While the log is read, no checkpoint may give segments back: log_read_latch.
 */
#include "pager/pager_private.h"

struct repair {
    struct pager *pager;
    uint32_t page_number;
    uint8_t *page;
    struct compress *compress;
    bool has_base;
};

static enum status
apply_image(struct repair *repair, const struct wal_record *record)
{
    if (repair->compress == NULL && page_delta_is_compressed(record->body, record->size))
        TRY(compress_new(repair->pager->env.memory, &repair->compress));
    repair->has_base = true;
    return page_delta_apply_image(repair->page, record->csn, record->body, record->size,
                                  repair->compress);
}

static enum status
apply(struct repair *repair, const struct wal_record *record)
{
    if (record->page_number != repair->page_number)
        return STATUS_OK;
    switch (record->type) {
    case WAL_RECORD_IMAGE:
        return apply_image(repair, record);
    case WAL_RECORD_RANGES:
        if (!repair->has_base)
            return STATUS_OK;
        return page_delta_apply_ranges(repair->page, record->csn, record->body, record->size);
    case WAL_RECORD_FREE:
    case WAL_RECORD_RESET:
        repair->has_base = false;
        return STATUS_OK;
    case WAL_RECORD_SIZE:
    case WAL_RECORD_NOTE:
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status
read_log(struct repair *repair)
{
    struct wal_reader *reader;
    struct wal_record record;
    enum status status;

    TRY(wal_reader_open(repair->pager->wal, &reader));
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
        TRY_OUT(apply(repair, &record));
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
out:
    wal_reader_close(reader);
    return status;
}

enum status
pager__repair(struct pager *pager, uint32_t page_number, void *page)
{
    struct repair repair = {.pager = pager, .page_number = page_number, .page = page};
    enum status status;

    CHECK(pager->wal != NULL && page_number >= MAP_FIRST_PAGE);
    latch_lock(&pager->log_read_latch);
    status = read_log(&repair);
    latch_unlock(&pager->log_read_latch);
    compress_free(repair.compress);
    TRY(status);
    return repair.has_base ? STATUS_OK : STATUS_NOT_FOUND;
}
