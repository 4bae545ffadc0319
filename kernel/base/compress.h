/*
 * zstd behind one door. A codec owns the contexts, one codec a thread at a time.
 * Decompression is for hostile bytes: it never writes past the size given and says so.
 */
#ifndef KERNEL_BASE_COMPRESS_H
#define KERNEL_BASE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

struct compress;

MUST_CHECK enum status compress_new(struct memory *memory, struct compress **out);
void compress_free(struct compress *compress);

/** Largest output for `size` input bytes. */
size_t compress_bound(size_t size);

/** Size written to `out`, or 0 when the result would not fit `out_size`, or memory (not an error). */
size_t compress_encode(struct compress *compress, const void *bytes, size_t size, void *out,
                       size_t out_size, int level);

/** STATUS_CORRUPT unless exactly `out_size` bytes come out: raises no message (callers know where).
 * STATUS_NO_MEMORY, at the first use only. */
MUST_CHECK enum status compress_decode(struct compress *compress, const void *bytes, size_t size,
                                       void *out, size_t out_size);

/* A file of zstd frames, decompressed piece by piece. One thread. */
struct decompress;

MUST_CHECK enum status decompress_new(struct memory *memory, struct decompress **out);
/** NULL is fine. */
void decompress_free(struct decompress *stream);
/** Back to the beginning of a file. */
void decompress_reset(struct decompress *stream);

struct decompress_piece {
    const void *in;
    size_t in_size; /* Bytes. */
    size_t in_used; /* Set: how many of them were taken. */
    void *out;
    size_t out_size;
    size_t out_used; /* Set: how many were written. */
    bool whole;      /* Set: a frame ended here, so the file may. */
};

/** STATUS_CORRUPT; STATUS_FULL for a frame that asks for more than 32 MiB of window; STATUS_NO_MEMORY.
 * Raises no message (callers know where). */
MUST_CHECK enum status decompress_step(struct decompress *stream, struct decompress_piece *piece);

#endif
