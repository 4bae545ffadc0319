/*
 * Handing out records, one at a time, from the oldest position kept to the end: the one that wal_open
 * found, or once the log is started the durable end at the time the reader was opened. Bodies point
 * into the window of the walk; only a record that straddles two parts is put together in a buffer
 * of its own, which grows by bytes that are really there and is never larger than one record.
 *
 * Every frame is checked again: the file may have changed since, and a second read is not the first.
 * The list of segments is looked at under the latch, because it grows meanwhile; those that the
 * reader has before it stay, because nobody may release while a reader is open.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "wal/wal_private.h"

struct wal_reader {
    struct wal *wal;
    struct wal__walk walk;
    struct wal_position end;
    struct byte_reader parts;   /* Rest of the frame. */
    struct byte_reader records; /* Rest of the part. */
    struct wal__part part;
    uint64_t part_first_csn;
    uint64_t frame_lsn;
    uint64_t time_ms; /* Of the part's commit. */
    uint64_t size_read;
    uint8_t *carry; /* The beginning of a record that goes on in the next part. */
    size_t carry_size;
    size_t carry_capacity;
};

/* The segment after `segment`, or the start's when NULL, and where its frames end for this reader. */
static struct wal__segment *
segment_after(struct wal_reader *reader, const struct wal__segment *segment, uint64_t *end_out)
{
    struct wal *wal = reader->wal;
    struct wal__segment *next;

    latch_lock(&wal->latch);
    next = segment == NULL ? wal->kept.first : segment->next;
    while (next != NULL && segment == NULL &&
           next->number != wal__number_of(wal, reader->walk.cursor.at.lsn))
        next = next->next;
    CHECK(next != NULL && next->epoch != 0);
    CHECK(next->number <= wal__number_of(wal, reader->end.lsn));
    bool is_end = next->number == wal__number_of(wal, reader->end.lsn);
    *end_out = is_end ? reader->end.lsn : next->end_lsn;
    latch_unlock(&wal->latch);
    return next;
}

static void
set_bounds(struct wal_reader *reader)
{
    struct wal *wal = reader->wal;

    latch_lock(&wal->latch);
    reader->walk.cursor.at = wal->released;
    reader->end = wal->scan.end;
    if (wal->started) {
        reader->end.lsn = wal->lsn_durable;
        reader->end.csn = atomic_load(&wal->csn_durable);
    }
    latch_unlock(&wal->latch);
    CHECK(reader->walk.cursor.at.lsn <= reader->end.lsn);
    CHECK(reader->walk.cursor.at.csn <= reader->end.csn);
}

enum status
wal_reader_open(struct wal *wal, struct wal_reader **out)
{
    struct wal_reader *reader = memory_alloc(wal->env.memory, MEMORY_LOG, sizeof(*reader));
    struct wal__segment *segment;
    uint64_t end_lsn = 0;
    enum status status;

    if (reader == NULL)
        return STATUS_NO_MEMORY;
    reader->wal = wal;
    TRY_OUT(wal__walk_init(&reader->walk, wal));
    set_bounds(reader);
    segment = segment_after(reader, NULL, &end_lsn);
    TRY_OUT(wal__walk_enter(&reader->walk, segment, end_lsn));
    *out = reader;
    return STATUS_OK;
out:
    wal_reader_close(reader);
    return status;
}

static enum status
raise_changed(const struct wal_reader *reader, const char *reason)
{
    struct wal__path path = wal__path_of(reader->wal->dir, reader->walk.segment->number);

    return error_raise(STATUS_CORRUPT,
                       "log segment %s, LSN %" PRIu64 ", CSN %" PRIu64
                       ": %s (it was valid when the log was opened): check the disk, open again",
                       path.text, reader->walk.cursor.at.lsn, reader->walk.cursor.at.csn + 1,
                       reason);
}

/* STATUS_NOT_FOUND at the end of the log. */
static enum status
next_frame(struct wal_reader *reader)
{
    struct wal__walk *walk = &reader->walk;
    const char *reason = NULL;

    CHECK(byte_reader_left(&reader->parts) == 0);
    while (walk->cursor.at.lsn == walk->end_lsn) {
        uint64_t end_lsn = 0;

        if (walk->cursor.at.lsn == reader->end.lsn)
            return STATUS_NOT_FOUND;
        struct wal__segment *next = segment_after(reader, walk->segment, &end_lsn);
        walk->cursor.at.lsn = wal__first_lsn(reader->wal, next->number);
        TRY(wal__walk_enter(walk, next, end_lsn));
    }
    reader->frame_lsn = walk->cursor.at.lsn;
    TRY(wal__walk_frame(walk, &reason));
    if (reason != NULL)
        return raise_changed(reader, reason);
    reader->parts = byte_reader_init(walk->payload, le32_get(walk->header.payload_size));
    reader->part_first_csn = le64_get(walk->header.first_csn);
    reader->size_read += wal__frame_size(le32_get(walk->header.payload_size));
    return STATUS_OK;
}

/* The next part of a commit that counts: the last frame may hold the beginning of one that does not. */
static enum status
next_part(struct wal_reader *reader)
{
    CHECK(byte_reader_left(&reader->records) == 0);
    do {
        while (byte_reader_left(&reader->parts) == 0)
            TRY(next_frame(reader));
        /* It decoded in wal__frame_parts_check. */
        if (!wal__part_get(&reader->parts, reader->part_first_csn, &reader->part))
            return raise_changed(reader, "commit part does not decode");
    } while (reader->part.csn > reader->end.csn); /* W7 */
    if ((reader->part.flags & WAL_PART_FIRST) != 0)
        reader->time_ms = reader->part.time_ms;
    reader->records = byte_reader_init(reader->part.bytes, reader->part.size);
    return STATUS_OK;
}

/* Moves up to `size` bytes of the part into the carry. */
static enum status
carry_bytes(struct wal_reader *reader, uint64_t size)
{
    size_t left = byte_reader_left(&reader->records);
    size_t count = size < left ? (size_t)size : left;
    const uint8_t *bytes = NULL;

    if (reader->carry_size + count > reader->carry_capacity) {
        size_t capacity = (reader->carry_size + count) * 2;
        uint8_t *carry = memory_resize(reader->wal->env.memory, MEMORY_LOG, reader->carry,
                                       reader->carry_capacity, capacity);

        if (carry == NULL)
            return STATUS_NO_MEMORY;
        reader->carry = carry;
        reader->carry_capacity = capacity;
    }
    if (!byte_reader_skip(&reader->records, count, &bytes))
        return raise_changed(reader, "commit part does not decode");
    CHECK(reader->carry_size + count <= reader->carry_capacity);
    memcpy(reader->carry + reader->carry_size, bytes, count);
    reader->carry_size += count;
    return STATUS_OK;
}

/* Puts a record together that the part's end has cut; `*done_out` false asks for the next part. */
static enum status
complete_carry(struct wal_reader *reader, struct wal_record *out, bool *done_out)
{
    uint64_t size = wal__record_size(reader->carry, reader->carry_size);

    CHECK(reader->carry_size > 0 && reader->carry_size <= reader->carry_capacity);
    *done_out = false;
    while (size == 0 && byte_reader_left(&reader->records) > 0 &&
           reader->carry_size < WAL_RECORD_OVERHEAD_MAX) {
        TRY(carry_bytes(reader, 1));
        size = wal__record_size(reader->carry, reader->carry_size);
    }
    if (size == 0 && reader->carry_size >= WAL_RECORD_OVERHEAD_MAX)
        return raise_changed(reader, "record does not decode");
    if (size > reader->carry_size)
        TRY(carry_bytes(reader, size - reader->carry_size));
    if (size == 0 || reader->carry_size < size)
        return STATUS_OK;

    struct byte_reader whole = byte_reader_init(reader->carry, reader->carry_size);
    if (!wal_record_get(&whole, out))
        return raise_changed(reader, "record does not decode");
    reader->carry_size = 0;
    *done_out = true;
    return STATUS_OK;
}

/* The part ends in the middle of a record. */
static enum status
carry_rest(struct wal_reader *reader)
{
    size_t left = byte_reader_left(&reader->records);
    const uint8_t *bytes = reader->records.data + reader->records.offset;

    if (left == 0)
        return STATUS_OK;
    CHECK(reader->carry_size == 0);
    if (left >= WAL_RECORD_OVERHEAD_MAX && wal__record_size(bytes, left) == 0)
        return raise_changed(reader, "record does not decode");
    return carry_bytes(reader, left);
}

/* One record from the part at hand; `*done_out` false when it holds no whole one. */
static enum status
take_record(struct wal_reader *reader, struct wal_record *out, bool *done_out)
{
    bool is_last = (reader->part.flags & WAL_PART_LAST) != 0;

    *done_out = false;
    if (reader->carry_size > 0)
        TRY(complete_carry(reader, out, done_out));
    else if (byte_reader_left(&reader->records) > 0)
        *done_out = wal_record_get(&reader->records, out);
    if (*done_out)
        return STATUS_OK;
    if (is_last && reader->carry_size + byte_reader_left(&reader->records) > 0)
        return raise_changed(reader, "record does not decode");
    return carry_rest(reader);
}

enum status
wal_reader_next(struct wal_reader *reader, struct wal_record *out)
{
    struct wal_record record = {0};
    bool done = false;

    while (!done) {
        if (byte_reader_left(&reader->records) == 0)
            TRY(next_part(reader));
        TRY(take_record(reader, &record, &done));
    }
    record.commit_flags = reader->part.flags & WAL_PART_SYSTEM;
    record.commit_last =
        (reader->part.flags & WAL_PART_LAST) != 0 && byte_reader_left(&reader->records) == 0;
    record.csn = reader->part.csn;
    record.time_ms = reader->time_ms;
    record.lsn = reader->frame_lsn;
    *out = record;
    return STATUS_OK;
}

uint64_t
wal_reader_offset(const struct wal_reader *reader)
{
    return reader->size_read;
}

void
wal_reader_close(struct wal_reader *reader)
{
    if (reader == NULL)
        return;
    struct memory *memory = reader->wal->env.memory;

    wal__walk_deinit(&reader->walk);
    memory_free(memory, MEMORY_LOG, reader->carry, reader->carry_capacity);
    memory_free(memory, MEMORY_LOG, reader, sizeof(*reader));
}
