/* Bytes of COPY: through a buffer from and to a file or the client's functions. */
#include <string.h>

#include "executor/copy.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"

static enum status
file_failed(struct copy_stream *stream, enum status status)
{
    if (status == STATUS_NO_MEMORY)
        return status;
    return sql_error_set(stream->error, status == STATUS_FULL ? "53100" : "58030", -1, "COPY: %s",
                         error_message());
}

static enum status
open_failed(struct copy_stream *stream, enum status status, const char *path, bool from)
{
    if (status == STATUS_NO_MEMORY)
        return status;
    return sql_error_set(stream->error, status == STATUS_NOT_FOUND ? "58P01" : "58030", -1,
                         "could not open file \"%s\" for %s: %s", path,
                         from ? "reading" : "writing", error_message());
}

enum status
copy_stream_open(struct copy_stream *stream, struct io *io, struct memory *memory, const char *path,
                 bool from, const struct qtdb_copy *client, struct sql_error *error)
{
    *stream = (struct copy_stream){.memory = memory, .error = error};
    if (path == NULL && (client == NULL || (from ? client->read == NULL : client->write == NULL)))
        return sql_error_set(error, "55000", -1,
                             "COPY %s needs a function that %s: set one with "
                             "qtdb_session_set_copy, or name a file",
                             from ? "FROM STDIN" : "TO STDOUT",
                             from ? "gives bytes" : "takes bytes");
    stream->buffer = memory_alloc(memory, MEMORY_SQL, COPY_BUFFER_SIZE);
    if (stream->buffer == NULL)
        return STATUS_NO_MEMORY;
    if (path == NULL) {
        stream->client = client;
        return STATUS_OK;
    }
    enum status status = io_open(io, path, from ? 0 : IO_WRITE | IO_CREATE, &stream->file);
    if (status != STATUS_OK)
        return open_failed(stream, status, path, from);
    if (from)
        return STATUS_OK;
    status = io_truncate(stream->file, 0);
    return status == STATUS_OK ? STATUS_OK : file_failed(stream, status);
}

void
copy_stream_close(struct copy_stream *stream)
{
    if (stream->memory == NULL)
        return;
    io_close(stream->file);
    memory_free(stream->memory, MEMORY_SQL, stream->buffer, COPY_BUFFER_SIZE);
    *stream = (struct copy_stream){.memory = NULL};
}

static enum status
read_some(struct copy_stream *stream, size_t *size_out)
{
    uint8_t *to = stream->buffer + stream->size;
    size_t room = COPY_BUFFER_SIZE - stream->size;

    *size_out = 0;
    if (stream->client == NULL) {
        enum status status = io_read_some(stream->file, to, room, stream->offset, size_out);

        stream->offset += *size_out;
        return status == STATUS_OK ? STATUS_OK : file_failed(stream, status);
    }
    if (!stream->client->read(stream->client->context, to, room, size_out)) {
        (void)sql_error_set(stream->error, "57014", -1,
                            "COPY from stdin failed: stopped by the caller");
        return STATUS_STOPPED;
    }
    CHECK(*size_out <= room);
    return STATUS_OK;
}

enum status
copy_stream_fill(struct copy_stream *stream, size_t least)
{
    CHECK(least < COPY_BUFFER_SIZE);
    if (stream->at > 0 && stream->size - stream->at < least && !stream->ended) {
        memmove(stream->buffer, stream->buffer + stream->at, stream->size - stream->at);
        stream->size -= stream->at;
        stream->at = 0;
    }
    while (stream->size - stream->at < least && !stream->ended) {
        size_t size = 0;

        TRY(read_some(stream, &size));
        stream->size += size;
        stream->ended = size == 0;
    }
    return STATUS_OK;
}

enum status
copy_stream_flush(struct copy_stream *stream)
{
    size_t size = stream->size;

    stream->size = 0;
    if (size == 0)
        return STATUS_OK;
    if (stream->client != NULL) {
        if (stream->client->write(stream->client->context, stream->buffer, size))
            return STATUS_OK;
        (void)sql_error_set(stream->error, "57014", -1,
                            "COPY to stdout failed: stopped by the caller");
        return STATUS_STOPPED;
    }
    enum status status = io_write(stream->file, stream->buffer, size, stream->offset, 0);
    stream->offset += size;
    return status == STATUS_OK ? STATUS_OK : file_failed(stream, status);
}

enum status
copy_stream_write(struct copy_stream *stream, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size > 0) {
        size_t room = COPY_BUFFER_SIZE - stream->size;
        size_t part = size < room ? size : room;

        memcpy(stream->buffer + stream->size, from, part);
        stream->size += part;
        from += part;
        size -= part;
        if (stream->size == COPY_BUFFER_SIZE)
            TRY(copy_stream_flush(stream));
    }
    return STATUS_OK;
}
