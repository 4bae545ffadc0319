/*
 * A segment file as it stands, for tools: every block that begins like a frame, with the first reason
 * why it does not count, if any. Nothing is taken from other segments, so the chain and the CSN of the
 * first frame are compared with the segment's own header. Behind a frame that does not count, the next
 * one that stands at its own position is taken at its word, so that what a rotten frame hides is
 * shown.
 */
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "wal/wal_private.h"

struct dump {
    struct wal__stream stream;
    struct wal__cursor cursor;
    bool is_lost; /* The last frame does not count: the cursor stands nowhere. */
    uint64_t epoch;
    uint64_t size; /* Of the segment. */
    uint64_t lsn;  /* Of the segment's first byte. */
};

static enum status
take_header(struct dump *dump, const char *path)
{
    const struct wal_segment_header *header;
    const uint8_t *bytes = NULL;

    TRY(wal__stream_get(&dump->stream, 0, sizeof(*header), &bytes));
    header = (const struct wal_segment_header *)bytes;
    enum status status = header == NULL ? STATUS_CORRUPT : wal__segment_header_check(header);
    if (status != STATUS_OK)
        return error_raise(status, "%s has no valid log segment header that this build reads",
                           path);
    dump->epoch = le64_get(header->epoch);
    dump->size = le64_get(header->segment_size);
    dump->lsn = le64_get(header->segment_number) * dump->size;
    dump->cursor.at.lsn = dump->lsn + WAL_FRAMES_OFFSET;
    dump->cursor.at.chain = le64_get(header->prev_chain);
    dump->cursor.at.csn = le64_get(header->prev_csn);
    return STATUS_OK;
}

/* Takes the frame at its word where there is no better one. */
static void
find_place(struct dump *dump, uint64_t offset, const struct wal_frame_view *view)
{
    struct byte_reader reader =
        byte_reader_init(view->payload, le32_get(view->header.payload_size));
    struct wal__part part = {.flags = WAL_PART_FIRST};

    if (dump->is_lost && le64_get(view->header.lsn) == view->lsn) {
        dump->cursor.at.lsn = view->lsn;
        dump->cursor.at.chain = le64_get(view->header.chain);
        dump->cursor.at.csn = le64_get(view->header.first_csn) - 1;
    }
    /* What came before the segment's first frame may have ended in the middle of a commit. */
    if ((dump->is_lost || offset == WAL_FRAMES_OFFSET) &&
        wal__part_get(&reader, le64_get(view->header.first_csn), &part))
        dump->cursor.in_commit = (part.flags & WAL_PART_FIRST) == 0;
}

/* A frame whose header is sound. */
static enum status
check_frame(struct dump *dump, uint64_t offset, struct wal_frame_view *view)
{
    const uint8_t *bytes = NULL;
    size_t size = sizeof(view->header) + le32_get(view->header.payload_size);

    CHECK(dump->epoch != 0 && offset % WAL_BLOCK_SIZE == 0);
    TRY(wal__stream_get(&dump->stream, offset, size, &bytes));
    view->reason = "segment file cut short";
    if (bytes == NULL)
        return STATUS_OK;
    view->payload = bytes + sizeof(view->header);
    view->reason = wal__frame_payload_check(&view->header, view->payload);
    if (view->reason != NULL)
        return STATUS_OK;
    find_place(dump, offset, view);
    view->reason =
        wal__frame_place_check(&view->header, &dump->cursor, dump->epoch, dump->size - offset);
    if (view->reason == NULL)
        view->reason = wal__frame_parts_check(&view->header, view->payload, &dump->cursor);
    return STATUS_OK;
}

static enum status
dump_block(struct dump *dump, uint64_t *offset,
           void (*each)(void *context, const struct wal_frame_view *), void *context)
{
    struct wal_frame_view view = {.lsn = dump->lsn + *offset};
    const uint8_t *bytes = NULL;

    CHECK(*offset >= WAL_FRAMES_OFFSET && *offset < dump->size);
    TRY(wal__stream_get(&dump->stream, *offset, sizeof(view.header), &bytes));
    *offset += WAL_BLOCK_SIZE;
    if (bytes == NULL)
        return STATUS_OK;
    view.header = *(const struct wal_frame_header *)bytes;
    if (le32_get(view.header.magic) != WAL_FRAME_MAGIC)
        return STATUS_OK;
    view.reason = wal__frame_header_check(&view.header);
    if (view.reason == NULL)
        TRY(check_frame(dump, *offset - WAL_BLOCK_SIZE, &view));
    view.status = view.reason == NULL ? STATUS_OK : STATUS_CORRUPT;
    dump->is_lost = view.reason != NULL;
    if (view.reason == NULL)
        *offset = dump->cursor.at.lsn - dump->lsn;
    else
        view.payload = NULL;
    each(context, &view);
    return STATUS_OK;
}

enum status
wal_dump_segment(const struct env *env, const char *path,
                 void (*each)(void *context, const struct wal_frame_view *), void *context)
{
    struct dump dump = {0};
    enum status status;

    CHECK(each != NULL);
    TRY_OUT(wal__stream_init(&dump.stream, env, WAL_SEGMENT_SIZE_MAX));
    TRY_OUT(wal__stream_open(&dump.stream, path));
    TRY_OUT(take_header(&dump, path));
    for (uint64_t offset = WAL_FRAMES_OFFSET; offset < dump.size;)
        TRY_OUT(dump_block(&dump, &offset, each, context));
out:
    wal__stream_deinit(&dump.stream);
    return status;
}
