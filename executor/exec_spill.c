/* Temporary files and streams of rows in them; the format is in the header. */
#include "executor/exec_spill.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/io.h"
#include "kernel/database.h"

enum { VALUE_IS_NULL = 0x80 };

size_t
exec__work_limit(const struct exec_context *context)
{
    size_t all = context->memory_limit > 0 ? context->memory_limit : EXEC_MEMORY_MAX;
    size_t work = context->work_limit > 0 ? context->work_limit : EXEC_WORK_DEFAULT;

    return work < all / 2 ? work : all / 2;
}

/* Files. */

void
exec__spill_init(struct exec__spill *spill, struct exec *exec)
{
    *spill = (struct exec__spill){.context = exec->context, .measure = exec->measure};
}

void
exec__spill_deinit(struct exec__spill *spill)
{
    io_close(spill->file);
    spill->file = NULL;
    spill->end = 0;
}

static enum status
failed(const struct exec__spill *spill, enum status status)
{
    if (status == STATUS_FULL)
        return sql_error_set(spill->context->error, "53100", -1,
                             "no space for a temporary file: %s", error_message());
    if (status != STATUS_CORRUPT && status != STATUS_NO_MEMORY)
        return sql_error_set(spill->context->error, "58030", -1, "temporary file: %s",
                             error_message());
    return status;
}

/* The name is beside the database's and goes as soon as the file is open. */
static enum status
open_file(struct exec__spill *spill)
{
    struct io *io = database_io(spill->context->db);
    char path[IO_PATH_SIZE];
    uint64_t number = 0;

    io_random(io, &number, sizeof(number));
    int size = snprintf(path, sizeof(path), "%s.temp-%016llx", database_path(spill->context->db),
                        (unsigned long long)number);
    if (size < 0 || (size_t)size >= sizeof(path))
        return sql_error_set(spill->context->error, "58030", -1,
                             "the path of the database is too long for a temporary file beside it");
    enum status status = io_open(io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &spill->file);
    if (status != STATUS_OK)
        return failed(spill, status);
    status = io_remove(io, path);
    if (status == STATUS_OK)
        return STATUS_OK;
    status = failed(spill, status);
    if (io_remove(io, path) == STATUS_OK)
        return status; /* The second attempt took it away; the file is not used. */
    return status;
}

static uint64_t
take_block(struct exec__spill *spill)
{
    uint64_t offset = spill->end;

    spill->end += EXEC__BLOCK_SIZE;
    return offset;
}

static struct memory *
memory_of(const struct exec__spill *spill)
{
    return spill->context->memory;
}

/* Writing. */

void
exec__stream_init(struct exec__stream *stream, struct exec__spill *spill, uint32_t width)
{
    *stream = (struct exec__stream){.spill = spill, .width = width};
}

void
exec__stream_deinit(struct exec__stream *stream)
{
    if (stream->block != NULL)
        memory_free(memory_of(stream->spill), MEMORY_SQL, stream->block, EXEC__BLOCK_SIZE);
    stream->block = NULL;
}

static enum status
begin(struct exec__stream *stream)
{
    struct exec__spill *spill = stream->spill;

    CHECK(stream->row_count == 0);
    if (spill->file == NULL)
        TRY(open_file(spill));
    stream->block = memory_alloc(memory_of(spill), MEMORY_SQL, EXEC__BLOCK_SIZE);
    if (stream->block == NULL)
        return STATUS_NO_MEMORY;
    stream->first = stream->block_offset = take_block(spill);
    stream->used = EXEC__BLOCK_HEADER;
    return STATUS_OK;
}

static enum status
write_block(struct exec__stream *stream)
{
    struct exec__spill *spill = stream->spill;
    uint64_t next = take_block(spill);
    uint8_t *block = stream->block;

    memset(block + stream->used, 0, EXEC__BLOCK_SIZE - stream->used);
    memcpy(block + 8, &next, sizeof(next));
    uint64_t checksum = checksum64(block + 8, EXEC__BLOCK_SIZE - 8, stream->block_offset);
    memcpy(block, &checksum, sizeof(checksum));
    enum status status = io_write(spill->file, block, EXEC__BLOCK_SIZE, stream->block_offset, 0);
    if (status != STATUS_OK)
        return failed(spill, status);
    if (spill->measure != NULL)
        spill->measure->spill_size += EXEC__BLOCK_SIZE;
    stream->block_offset = next;
    stream->used = EXEC__BLOCK_HEADER;
    return STATUS_OK;
}

static enum status
put(struct exec__stream *stream, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size > 0) {
        size_t room = EXEC__BLOCK_SIZE - stream->used;
        size_t part = size < room ? size : room;

        memcpy(stream->block + stream->used, from, part);
        stream->used += part;
        from += part;
        size -= part;
        if (stream->used == EXEC__BLOCK_SIZE)
            TRY(write_block(stream));
    }
    return STATUS_OK;
}

static enum status
put_value(struct exec__stream *stream, const struct value *value)
{
    uint8_t head[1 + sizeof(uint64_t)] = {(uint8_t)value->type};

    CHECK(head[0] < VALUE_IS_NULL);
    if (value->null)
        head[0] |= VALUE_IS_NULL;
    if (value_is_enum(value_element(value->type))) {
        uint32_t id = value_enum_id(value->type);

        TRY(put(stream, head, 1));
        TRY(put(stream, (const uint8_t *)&id, sizeof(id)));
        if (value->null)
            return STATUS_OK;
        TRY(put(stream, (const uint8_t *)&value->size, sizeof(value->size)));
        return put(stream, value->bytes, value->size);
    }
    if (value->null)
        return put(stream, head, 1);
    if (!value_type_is_bytes(value->type)) {
        memcpy(head + 1, &value->integer, sizeof(value->integer));
        return put(stream, head, sizeof(head));
    }
    memcpy(head + 1, &value->size, sizeof(value->size));
    TRY(put(stream, head, 1 + sizeof(value->size)));
    return put(stream, value->bytes, value->size);
}

enum status
exec__stream_add(struct exec__stream *stream, const struct value *row)
{
    if (stream->block == NULL)
        TRY(begin(stream));
    for (uint32_t i = 0; i < stream->width; i++)
        TRY(put_value(stream, &row[i]));
    stream->row_count++;
    return STATUS_OK;
}

enum status
exec__stream_finish(struct exec__stream *stream)
{
    enum status status = STATUS_OK;

    if (stream->block != NULL)
        status = write_block(stream);
    exec__stream_deinit(stream);
    return status;
}

/* Reading. */

enum status
exec__reader_init(struct exec__reader *reader, const struct exec__stream *stream)
{
    CHECK(stream->block == NULL);
    *reader = (struct exec__reader){.stream = stream,
                                    .left = stream->row_count,
                                    .next_block = stream->first,
                                    .used = EXEC__BLOCK_SIZE};
    if (reader->left == 0)
        return STATUS_OK;
    reader->block = memory_alloc(memory_of(stream->spill), MEMORY_SQL, EXEC__BLOCK_SIZE);
    return reader->block == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

void
exec__reader_deinit(struct exec__reader *reader)
{
    if (reader->block != NULL)
        memory_free(memory_of(reader->stream->spill), MEMORY_SQL, reader->block, EXEC__BLOCK_SIZE);
    reader->block = NULL;
}

static enum status
damaged(const struct exec__spill *spill)
{
    return sql_error_set(spill->context->error, "XX001", -1,
                         "a temporary file came back damaged: run the statement again");
}

static enum status
read_block(struct exec__reader *reader)
{
    const struct exec__spill *spill = reader->stream->spill;
    uint64_t checksum = 0, offset = reader->next_block;

    if (offset % EXEC__BLOCK_SIZE != 0 || offset >= spill->end)
        return damaged(spill);
    enum status status = io_read(spill->file, reader->block, EXEC__BLOCK_SIZE, offset);
    if (status != STATUS_OK)
        return failed(spill, status);
    memcpy(&checksum, reader->block, sizeof(checksum));
    memcpy(&reader->next_block, reader->block + 8, sizeof(reader->next_block));
    reader->used = EXEC__BLOCK_HEADER;
    return checksum == checksum64(reader->block + 8, EXEC__BLOCK_SIZE - 8, offset) ? STATUS_OK
                                                                                   : damaged(spill);
}

static enum status
get(struct exec__reader *reader, void *bytes, size_t size)
{
    uint8_t *to = bytes;

    while (size > 0) {
        if (reader->used == EXEC__BLOCK_SIZE)
            TRY(read_block(reader));
        size_t room = EXEC__BLOCK_SIZE - reader->used;
        size_t part = size < room ? size : room;

        memcpy(to, reader->block + reader->used, part);
        reader->used += part;
        to += part;
        size -= part;
    }
    return STATUS_OK;
}

static enum status
get_value(struct exec__reader *reader, struct arena *arena, struct value *out)
{
    uint8_t head = 0, *bytes;
    uint32_t id = 0;

    TRY(get(reader, &head, 1));
    *out = value_null((enum qtdb_type)(head & ~VALUE_IS_NULL));
    if (value_is_enum(value_element(out->type))) {
        TRY(get(reader, &id, sizeof(id)));
        out->type = (enum qtdb_type)((unsigned)out->type | id << VALUE_ENUM_SHIFT);
    }
    if ((head & VALUE_IS_NULL) != 0)
        return STATUS_OK;
    out->null = false;
    if (!value_type_is_bytes(out->type))
        return get(reader, &out->integer, sizeof(out->integer));
    TRY(get(reader, &out->size, sizeof(out->size)));
    bytes = arena_alloc(arena, (size_t)out->size + 1);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    out->bytes = bytes;
    return get(reader, bytes, out->size);
}

enum status
exec__reader_next(struct exec__reader *reader, struct arena *arena, struct value *row, bool *out)
{
    *out = reader->left > 0;
    if (!*out)
        return STATUS_OK;
    reader->left--;
    for (uint32_t i = 0; i < reader->stream->width; i++)
        TRY(get_value(reader, arena, &row[i]));
    return STATUS_OK;
}
