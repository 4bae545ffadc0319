/*
 * Spilling: rows that do not fit in memory go to a temporary file of the node and are read back in the
 * order they were written.
 *
 * A file has any number of streams, each a chain of blocks; a block names the next one before that is
 * written. Its checksum covers its place, so what comes back damaged or from elsewhere is refused
 * (XX001). The file has no name once it is open: it is gone with its handle, whatever happens.
 *
 *   OFFSET  SIZE  FIELD of a block
 *        0     8  checksum   of bytes [8, EXEC__BLOCK_SIZE), seeded with the block's offset
 *        8     8  next       offset of the stream's next block
 *       16        bytes of rows: for each value u8 type, high bit set for null | 8 bytes, or u32 size and
 *                 bytes
 *
 * Errors: those of I/O (a full disk is 53100). Not thread-safe: one node's.
 */
#ifndef EXECUTOR_EXEC_SPILL_H
#define EXECUTOR_EXEC_SPILL_H

#include "executor/exec_private.h"

enum { EXEC__BLOCK_SIZE = 32 * 1024, EXEC__BLOCK_HEADER = 16 };

struct exec__spill {
    struct exec_context *context;
    struct exec_measure *measure; /* NULL: none. */
    struct io_file *file;         /* NULL: nothing was written. */
    uint64_t end;                 /* Bytes handed out. */
};

/* Rows written; more can be added until it is finished. */
struct exec__stream {
    struct exec__spill *spill;
    uint32_t width;
    uint64_t row_count;
    uint64_t first; /* Offset of its first block. */
    uint64_t block_offset;
    uint8_t *block; /* Being filled; NULL: not begun, or finished. */
    size_t used;
};

struct exec__reader {
    const struct exec__stream *stream;
    uint64_t left; /* Rows. */
    uint64_t next_block;
    uint8_t *block;
    size_t used;
};

/** Holds nothing yet. */
void exec__spill_init(struct exec__spill *spill, struct exec *exec);
/** Lets the file go. Streams and readers of it are ended by their owners. */
void exec__spill_deinit(struct exec__spill *spill);

void exec__stream_init(struct exec__stream *stream, struct exec__spill *spill, uint32_t width);
MUST_CHECK enum status exec__stream_add(struct exec__stream *stream, const struct value *row);
/** Writes what is left; then it can be read. */
MUST_CHECK enum status exec__stream_finish(struct exec__stream *stream);
/** Frees the block. Fine at any time. */
void exec__stream_deinit(struct exec__stream *stream);

/** At the first row of a finished stream. */
MUST_CHECK enum status exec__reader_init(struct exec__reader *reader,
                                         const struct exec__stream *stream);
/** The next row, its bytes in the arena; false in *out at the end. */
MUST_CHECK enum status exec__reader_next(struct exec__reader *reader, struct arena *arena,
                                         struct value *row, bool *out);
void exec__reader_deinit(struct exec__reader *reader);

/** Bytes that one node may hold before it spills. */
size_t exec__work_limit(const struct exec_context *context);

#endif
