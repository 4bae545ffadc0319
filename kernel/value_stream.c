/*
 * Values read and written a piece at a time.
 *
 * A reader holds what it needs to find the value as the transaction saw it when it was opened: the
 * reference of a large one, and the chunk read last, or a copy of one that is not large. The large
 * value's tree stays as long as the snapshot does, so a new snapshot (qtdb_refresh) ends the reader.
 *
 * A writer gathers up to large_min bytes; a value that ends before becomes an ordinary write. With more
 * the value goes to the file as it comes (large_value.c), through one chunk's worth of memory and a batch.
 * Only qtdb_value_finish makes it the row's.
 *
 * Both end with their transaction; their handles then only know how to be closed.
 */
#include "kernel/kernel_private.h"

/* What both have in common; first in them. */
struct value_stream {
    struct value_stream *next;
    struct value_stream *previous;
    struct qtdb_txn *txn; /* NULL: it has ended. */
    struct memory *memory;
};

struct qtdb_value_reader {
    struct value_stream stream;
    uint64_t snapshot;
    bool is_large;
    struct btree_value value;
    uint64_t size;
    uint8_t *bytes; /* The whole value, or a chunk. */
    size_t bytes_size;
    uint64_t chunk; /* Number of the one in `bytes`; UINT64_MAX: none. */
};

struct qtdb_value_writer {
    struct value_stream stream;
    struct txn_tree *tree;
    enum qtdb_put_mode mode;
    bool is_large;
    enum status failed; /* Not STATUS_OK: it cannot be finished any more. */
    struct value_write write;
    uint64_t size;
    uint8_t *bytes; /* Gathered: the value so far, or a part of a chunk. large_min bytes. */
    size_t bytes_size;
    size_t bytes_used;
    size_t key_size;
    uint8_t key[QTDB_KEY_SIZE_MAX];
};

/* ---- With the transaction ----------------------------------------------------------------------- */

static void
attach(struct value_stream *stream, struct qtdb_txn *txn)
{
    stream->txn = txn;
    stream->memory = txn->db->env.memory;
    stream->previous = NULL;
    stream->next = txn->value_streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    txn->value_streams = stream;
}

static void
detach(struct value_stream *stream)
{
    if (stream->txn == NULL)
        return;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        stream->txn->value_streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    stream->txn = NULL;
}

void
value_stream__detach_all(struct qtdb_txn *txn)
{
    while (txn->value_streams != NULL)
        detach(txn->value_streams);
}

static enum status
refuse_ended(void)
{
    return error_raise(STATUS_INVALID, "the transaction of this value has ended");
}

/* ---- Reading ------------------------------------------------------------------------------------ */

static enum status
copy_small(struct qtdb_value_reader *reader, struct txn_tree *tree, const void *key,
           size_t key_size)
{
    struct qtdb_txn *txn = reader->stream.txn;
    uint8_t nothing;
    size_t size = 0;
    enum status status = access__get(txn, tree, key, key_size, &nothing, &size);

    if (status == STATUS_OK)
        return STATUS_OK; /* An empty one. */
    if (status != STATUS_FULL)
        return status;
    error_clear();
    reader->bytes = memory_alloc(reader->stream.memory, MEMORY_OTHER, size);
    if (reader->bytes == NULL)
        return STATUS_NO_MEMORY;
    reader->bytes_size = size;
    reader->size = size;
    return access__get(txn, tree, key, key_size, reader->bytes, &size);
}

static enum status
open_reader(struct qtdb_value_reader *reader, struct txn_tree *tree, const void *key,
            size_t key_size)
{
    TRY(value__find(reader->stream.txn, tree, key, key_size, &reader->value, &reader->is_large));
    if (!reader->is_large)
        return copy_small(reader, tree, key, key_size);
    reader->size = reader->value.size;
    reader->chunk = UINT64_MAX;
    reader->bytes = memory_alloc(reader->stream.memory, MEMORY_OTHER, BTREE_CHUNK_SIZE);
    if (reader->bytes == NULL)
        return STATUS_NO_MEMORY;
    reader->bytes_size = BTREE_CHUNK_SIZE;
    return STATUS_OK;
}

static enum status
value_open(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
           struct qtdb_value_reader **out)
{
    struct qtdb_value_reader *reader;
    struct txn_tree *known;

    TRY(txn__tree(txn, tree, &known));
    TRY(access__refuse_key(tree, key_size));
    reader = memory_alloc(txn->db->env.memory, MEMORY_OTHER, sizeof(*reader));
    if (reader == NULL)
        return STATUS_NO_MEMORY;
    attach(&reader->stream, txn);
    reader->snapshot = txn->snapshot;
    enum status status = open_reader(reader, known, key, key_size);

    if (status == STATUS_OK)
        *out = reader;
    else
        qtdb_value_close(reader);
    return status;
}

enum qtdb_code
qtdb_value_open(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
                struct qtdb_value_reader **out)
{
    return api_error(value_open(txn, tree, key, key_size, out));
}

uint64_t
qtdb_value_size(const struct qtdb_value_reader *reader)
{
    return reader->size;
}

/* The part of the value that `offset` lies in: where it begins in `bytes`, and how much there is. */
static enum status
part_at(struct qtdb_value_reader *reader, uint64_t offset, const uint8_t **out, size_t *size_out)
{
    uint64_t chunk = offset / BTREE_CHUNK_SIZE;
    size_t size = 0;

    if (!reader->is_large) {
        *out = reader->bytes + offset;
        *size_out = reader->size - offset;
        return STATUS_OK;
    }
    if (reader->chunk != chunk) {
        reader->chunk = UINT64_MAX;
        TRY(btree_value_read_chunk(reader->stream.txn->db->pager, &reader->value, chunk,
                                   reader->bytes, &size));
        reader->chunk = chunk;
    }
    uint64_t left = reader->size - offset;
    size_t skip = offset % BTREE_CHUNK_SIZE;

    *out = reader->bytes + skip;
    *size_out = left < BTREE_CHUNK_SIZE - skip ? (size_t)left : BTREE_CHUNK_SIZE - skip;
    return STATUS_OK;
}

static enum status
value_read(struct qtdb_value_reader *reader, uint64_t offset, uint8_t *buffer, size_t size,
           size_t *size_out)
{
    struct qtdb_txn *txn = reader->stream.txn;
    size_t done = 0;

    if (txn == NULL)
        return refuse_ended();
    if (txn->snapshot != reader->snapshot)
        return error_raise(STATUS_INVALID, "the value was opened in an earlier statement: open it "
                                           "again");
    while (done < size && offset + done < reader->size) {
        const uint8_t *part = NULL;
        size_t part_size = 0;

        TRY(part_at(reader, offset + done, &part, &part_size));
        if (part_size > size - done)
            part_size = size - done;
        memcpy(buffer + done, part, part_size);
        done += part_size;
    }
    *size_out = done;
    return STATUS_OK;
}

enum qtdb_code
qtdb_value_read(struct qtdb_value_reader *reader, uint64_t offset, void *buffer, size_t size,
                size_t *size_out)
{
    return api_error(value_read(reader, offset, buffer, size, size_out));
}

void
qtdb_value_close(struct qtdb_value_reader *reader)
{
    if (reader == NULL)
        return;
    struct memory *memory = reader->stream.memory;

    detach(&reader->stream);
    memory_free(memory, MEMORY_OTHER, reader->bytes, reader->bytes_size);
    memory_free(memory, MEMORY_OTHER, reader, sizeof(*reader));
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static enum status
value_create(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
             enum qtdb_put_mode mode, struct qtdb_value_writer **out)
{
    struct qtdb_value_writer *writer;
    struct txn_tree *known;
    struct memory *memory;

    TRY(access__may_put(txn, tree, key, key_size, mode, &known));
    memory = txn->db->env.memory;
    writer = memory_alloc(memory, MEMORY_WRITE_SET, sizeof(*writer));
    if (writer == NULL)
        return STATUS_NO_MEMORY;
    writer->bytes_size = txn->db->large_min;
    writer->bytes = memory_alloc(memory, MEMORY_WRITE_SET, writer->bytes_size);
    if (writer->bytes == NULL) {
        memory_free(memory, MEMORY_WRITE_SET, writer, sizeof(*writer));
        return STATUS_NO_MEMORY;
    }
    attach(&writer->stream, txn);
    writer->tree = known;
    writer->mode = mode;
    writer->key_size = key_size;
    memcpy(writer->key, key, key_size);
    *out = writer;
    return STATUS_OK;
}

enum qtdb_code
qtdb_value_create(struct qtdb_txn *txn, struct qtdb_tree *tree, const void *key, size_t key_size,
                  enum qtdb_put_mode mode, struct qtdb_value_writer **out)
{
    return api_error(value_create(txn, tree, key, key_size, mode, out));
}

/* Hands whole chunks on; what is left moves to the front. */
static enum status
pass_chunks(struct qtdb_value_writer *writer)
{
    size_t done = 0;

    for (; writer->bytes_used - done >= BTREE_CHUNK_SIZE; done += BTREE_CHUNK_SIZE)
        TRY(value_write__chunk(&writer->write, writer->bytes + done, BTREE_CHUNK_SIZE));
    writer->bytes_used -= done;
    memmove(writer->bytes, writer->bytes + done, writer->bytes_used);
    return STATUS_OK;
}

static enum status
gather(struct qtdb_value_writer *writer, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t room = writer->bytes_size - writer->bytes_used;
        size_t part = size < room ? size : room;

        if (room == 0) {
            if (!writer->is_large)
                TRY(value_write__begin(&writer->write, writer->stream.txn, writer->tree->tree));
            writer->is_large = true;
            TRY(pass_chunks(writer));
            continue;
        }
        memcpy(writer->bytes + writer->bytes_used, bytes, part);
        writer->bytes_used += part;
        bytes += part;
        size -= part;
    }
    return STATUS_OK;
}

static enum status
writer_usable(const struct qtdb_value_writer *writer)
{
    if (writer->stream.txn == NULL)
        return refuse_ended();
    if (writer->failed != STATUS_OK)
        return error_raise(STATUS_INVALID,
                           "writing this value has failed or is finished: close it");
    return STATUS_OK;
}

static enum status
value_write(struct qtdb_value_writer *writer, const void *bytes, size_t size)
{
    TRY(writer_usable(writer));
    if (size > QTDB_VALUE_SIZE_MAX - writer->size)
        writer->failed = value__refuse_size(writer->size + size);
    else
        writer->failed = gather(writer, bytes, size);
    TRY(writer->failed);
    writer->size += size;
    return STATUS_OK;
}

enum qtdb_code
qtdb_value_write(struct qtdb_value_writer *writer, const void *bytes, size_t size)
{
    return api_error(value_write(writer, bytes, size));
}

static enum status
finish(struct qtdb_value_writer *writer)
{
    struct qtdb_txn *txn = writer->stream.txn;
    struct txn_tree *known;

    TRY(access__may_put(txn, writer->tree->tree, writer->key, writer->key_size, writer->mode,
                        &known));
    txn->user_size += writer->key_size + writer->size;
    if (!writer->is_large)
        return write_set__put(txn, known, writer->key, writer->key_size, writer->bytes,
                              writer->bytes_used, WRITE_PUT);
    TRY(pass_chunks(writer));
    if (writer->bytes_used > 0)
        TRY(value_write__chunk(&writer->write, writer->bytes, writer->bytes_used));
    TRY(value_write__finish(&writer->write));
    return write_set__put(txn, known, writer->key, writer->key_size, &writer->write.value,
                          sizeof(writer->write.value), WRITE_LARGE);
}

enum qtdb_code
qtdb_value_finish(struct qtdb_value_writer *writer)
{
    enum status status = writer_usable(writer);

    if (status != STATUS_OK)
        return api_error(status);
    status = finish(writer);
    writer->failed = status != STATUS_OK ? status : STATUS_INVALID;
    return api_error(status);
}

void
qtdb_value_discard(struct qtdb_value_writer *writer)
{
    if (writer == NULL)
        return;
    struct memory *memory = writer->stream.memory;

    detach(&writer->stream);
    value_write__end(&writer->write);
    memory_free(memory, MEMORY_WRITE_SET, writer->bytes, writer->bytes_size);
    memory_free(memory, MEMORY_WRITE_SET, writer, sizeof(*writer));
}
