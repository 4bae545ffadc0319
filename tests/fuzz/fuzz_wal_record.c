/*
 * Goal: prove that decoding commit parts and records reads nothing but its bytes, and accepts only what
 * the encoder would have written.
 * Method: the input as a frame's payload: parts, and in them records. Whatever is accepted is encoded
 * again: the same bytes.
 */

#include <stdint.h>
#include <stdlib.h>

#include "wal/wal_private.h"

enum { OUT_SIZE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static void
take_records(const uint8_t *bytes, size_t size)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    struct wal_record record = {0};
    uint8_t out[OUT_SIZE];

    for (;;) {
        size_t before = reader.offset;
        uint64_t whole = wal__record_size(bytes + before, size - before);

        if (!wal_record_get(&reader, &record)) {
            require(reader.offset == before);
            require(whole == 0 || whole > size - before);
            return;
        }
        require(whole == reader.offset - before);
        require(record.body >= bytes && record.body + record.size == bytes + reader.offset);
        struct byte_writer writer = byte_writer_init(out, sizeof(out));
        wal_record_put(&writer, record.type, record.page_number, record.body, record.size);
        require(writer.overflow ||
                (writer.offset == whole && memcmp(out, bytes + before, writer.offset) == 0));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct byte_reader reader = byte_reader_init(data, size);
    struct wal__part part;
    uint8_t out[OUT_SIZE];

    take_records(data, size);
    for (;;) {
        size_t before = reader.offset;

        if (!wal__part_get(&reader, 1000, &part)) {
            require(reader.offset == before);
            return 0;
        }
        require(part.csn >= 1000 && (part.flags & ~7) == 0);
        require(part.bytes + part.size == data + reader.offset);
        take_records(part.bytes, part.size);
        struct byte_writer writer = byte_writer_init(out, sizeof(out));
        wal__part_put(&writer, &part, 1000);
        require(writer.overflow || (writer.offset == reader.offset - before &&
                                    memcmp(out, data + before, writer.offset) == 0));
        require(wal__part_size(&part, 1000, part.size) == reader.offset - before);
    }
}
