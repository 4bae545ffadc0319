/*
 * Forged frames. Each check of a frame alone has to reject a frame that is right in everything else; a
 * crash leaves such frames so seldom that no number of crash states shows that the check is there.
 * So one is made: the next frame of a quiet log, with a commit that rewrites a page. Right in all
 * fields it is taken, which shows that the forger knows the format; with one field wrong it is not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "pager/page.h"
#include "pager/page_delta.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_damage.h"
#include "tools/qtdb-crash/crash_report.h"

enum forgery {
    FORGE_NOTHING = 0, /* The control. */
    FORGE_EPOCH = 1,
    FORGE_CHAIN = 2,
    FORGE_LSN = 3,
    FORGE_CSN = 4,
    FORGE_PAYLOAD_CHECKSUM = 5,
    FORGE_HEADER_CHECKSUM = 6,
    FORGE_MAGIC = 7,
    FORGE_VERSION = 8,
    FORGE_HALF_COMMIT = 9,
    FORGE_LAST = 9,
};

static const char *const names[] = {
    [FORGE_NOTHING] = "nothing",
    [FORGE_EPOCH] = "epoch",
    [FORGE_CHAIN] = "chain",
    [FORGE_LSN] = "LSN",
    [FORGE_CSN] = "CSN",
    [FORGE_PAYLOAD_CHECKSUM] = "payload checksum",
    [FORGE_HEADER_CHECKSUM] = "header checksum",
    [FORGE_MAGIC] = "magic",
    [FORGE_VERSION] = "version",
    [FORGE_HALF_COMMIT] = "last part",
};

/* The log's last frame. */
struct tail {
    struct wal_frame_header header;
    uint64_t end_lsn; /* 0: none found. */
    const char *path;
    const char *last_path;
};

static void
note_frame(void *context, const struct wal_frame_view *view)
{
    struct tail *tail = context;
    uint64_t size = sizeof(view->header) + le32_get(view->header.payload_size);

    if (view->status != STATUS_OK || view->lsn < tail->end_lsn)
        return;
    tail->header = view->header;
    tail->end_lsn = view->lsn + (size + WAL_BLOCK_SIZE - 1) / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
    tail->last_path = tail->path;
}

static void
find_tail(struct crash_session *session, const struct crash_rest *rest, struct tail *out)
{
    struct io *copy = crash_rest_copy(session, rest);
    struct env env = {.memory = session->engine[1], .io = copy};

    *out = (struct tail){.end_lsn = 0};
    for (uint32_t index = 1; index < rest->file_count; index++) {
        out->path = rest->files[index].path;
        if (strstr(out->path, ".seg") != NULL &&
            wal_dump_segment(&env, out->path, note_frame, out) != STATUS_OK)
            continue;
    }
    io_close_all(copy);
}

/* The record of a page that nobody wrote. */
static size_t
make_record(const struct crash_rest *rest, uint64_t csn, uint8_t *out, size_t out_size)
{
    struct byte_writer writer = byte_writer_init(out, out_size);
    uint32_t number = crash_model_used(&rest->model, 1);
    uint8_t body[PAGE_DELTA_SIZE_MAX];
    uint8_t page[PAGE_SIZE];

    page_init(page, number, 7, PAGE_TYPE_TEST, 0);
    memset(page + PAGE_HEADER_SIZE, 0x5a, 100);
    page_header(page)->csn = le64_of(csn);
    page_header(page)->csn_image = le64_of(csn);
    size_t size = page_delta_encode_image(page, page_checksum(page, rest->file_id, number), NULL,
                                          body, sizeof(body));

    wal_record_put(&writer, WAL_RECORD_IMAGE, number, body, size);
    CHECK(!writer.overflow && size > 0);
    return writer.offset;
}

/* One commit part with that record; its size. */
static size_t
make_payload(const struct crash_rest *rest, uint64_t csn, enum forgery forgery, uint8_t *out,
             size_t out_size)
{
    struct byte_writer writer = byte_writer_init(out, out_size);
    uint8_t records[2 * PAGE_DELTA_SIZE_MAX];
    size_t size = make_record(rest, csn, records, sizeof(records));
    uint8_t flags = WAL_PART_FIRST | WAL_PART_LAST;

    if (forgery == FORGE_HALF_COMMIT)
        flags = WAL_PART_FIRST;
    byte_writer_put_varint(&writer, 0);
    byte_writer_put_u8(&writer, flags);
    byte_writer_put_varint(&writer, 1735689600000);
    byte_writer_put_varint(&writer, size);
    byte_writer_put(&writer, records, size);
    CHECK(!writer.overflow);
    return writer.offset;
}

/* Fields that the checksums cover. */
static void
set_fields(const struct tail *tail, enum forgery forgery, uint64_t csn, size_t payload_size,
           struct wal_frame_header *header)
{
    bool version = forgery == FORGE_VERSION;

    header->magic = le32_of(forgery == FORGE_MAGIC ? 0x4d524650u : WAL_FRAME_MAGIC);
    header->version = le16_of(version ? WAL_FORMAT_VERSION + 1 : WAL_FORMAT_VERSION);
    header->lsn = le64_of(tail->end_lsn + (forgery == FORGE_LSN ? WAL_BLOCK_SIZE : 0));
    header->epoch = le64_of(le64_get(tail->header.epoch) ^ (forgery == FORGE_EPOCH ? 1 : 0));
    header->payload_size = le32_of((uint32_t)payload_size);
    header->commit_count = le32_of(forgery == FORGE_HALF_COMMIT ? 0 : 1);
    header->first_csn = le64_of(csn);
    header->csn_durable = le64_of(le64_get(tail->header.csn_durable));
    header->chain =
        le64_of(le64_get(tail->header.header_checksum) ^ (forgery == FORGE_CHAIN ? 1 : 0));
}

static void
make_frame(const struct crash_rest *rest, const struct tail *tail, enum forgery forgery,
           uint8_t block[2 * WAL_BLOCK_SIZE])
{
    struct wal_frame_header *header = (struct wal_frame_header *)block;
    uint8_t *payload = block + sizeof(*header);
    uint64_t csn = le64_get(tail->header.first_csn) + le32_get(tail->header.commit_count) +
                   (forgery == FORGE_CSN ? 1 : 0);
    size_t size = make_payload(rest, csn, forgery, payload, WAL_BLOCK_SIZE);

    set_fields(tail, forgery, csn, size, header);
    uint64_t seed = checksum_seed(le64_get(header->epoch), le64_get(header->lsn));
    uint64_t checksum = checksum64(payload, size, seed);

    header->payload_checksum = le64_of(checksum ^ (forgery == FORGE_PAYLOAD_CHECKSUM ? 1 : 0));
    checksum =
        checksum64(header, offsetof(struct wal_frame_header, header_checksum), WAL_SEED_FRAME);
    header->header_checksum = le64_of(checksum ^ (forgery == FORGE_HEADER_CHECKSUM ? 1 : 0));
}

static void
judge(struct crash_session *session, const struct crash_rest *rest, enum forgery forgery,
      struct io *copy)
{
    struct crash_place place = {.id = rest->id};
    struct crash_found found;
    char text[CRASH_FOUND_TEXT_SIZE + 64];
    enum crash_violation violation = crash_rest_judge(session, rest, copy, &found);

    crash_count(session->report, CRASH_COUNT_SAMPLES, 1);
    if (forgery == FORGE_NOTHING && violation != CRASH_SILENT) {
        crash_report_wrong(session->report, &place, CRASH_STATUS,
                           "a forged frame without fault is not taken: the forger is blind");
    } else if (forgery != FORGE_NOTHING && violation != CRASH_OK) {
        (void)snprintf(text, sizeof(text), "forged %s: %s", names[forgery], found.text);
        crash_report_wrong(session->report, &place, violation, text);
    }
}

void
crash_forge(struct crash_session *session, const struct crash_rest *rest)
{
    uint8_t block[2 * WAL_BLOCK_SIZE];
    struct tail tail;

    find_tail(session, rest, &tail);
    /* A tail at the very end of its segment has no room behind it. */
    if (tail.end_lsn == 0 || tail.end_lsn % CRASH_SEGMENT_SIZE == 0)
        return;
    for (int forgery = FORGE_NOTHING; forgery <= FORGE_LAST; forgery++) {
        struct io *copy = crash_rest_copy(session, rest);

        memset(block, 0, sizeof(block));
        make_frame(rest, &tail, (enum forgery)forgery, block);
        CHECK(io_sim_overwrite(copy, tail.last_path, tail.end_lsn % CRASH_SEGMENT_SIZE, block,
                               WAL_BLOCK_SIZE) == STATUS_OK);
        judge(session, rest, (enum forgery)forgery, copy);
    }
}
