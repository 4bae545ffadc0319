/*
 * zstd behind one door: the only file that sees zstd.h.
 *
 * Both contexts take their memory from struct memory through zstd's custom allocator, so it is
 * counted and can be refused. zstd frees without a size; a header of 16 bytes before each piece
 * remembers it. Each context is made at its first use, for most users need only one of the two.
 * Compression takes its tables at the first use of a level and size, too; a refusal there is
 * "would not fit": the caller stores the bytes as they are.
 */
#include "kernel/base/compress.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

struct compress {
    struct memory *memory;
    ZSTD_CCtx *encoder; /* NULL until the first compress_encode. */
    ZSTD_DCtx *decoder; /* NULL until the first compress_decode. */
};

struct piece {
    size_t size; /* Of the whole piece, this header included. */
    size_t unused;
};
static_assert(sizeof(struct piece) % 16 == 0, "bytes behind the header are aligned");

static void *
piece_alloc(void *opaque, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct piece))
        return NULL;
    struct piece *piece = memory_alloc(opaque, MEMORY_OTHER, size + sizeof(*piece));

    if (piece == NULL)
        return NULL;
    piece->size = size + sizeof(*piece);
    return piece + 1;
}

static void
piece_free(void *opaque, void *address)
{
    if (address == NULL)
        return;
    struct piece *piece = (struct piece *)address - 1;

    memory_free(opaque, MEMORY_OTHER, piece, piece->size);
}

static ZSTD_customMem
allocator_of(struct memory *memory)
{
    return (ZSTD_customMem){piece_alloc, piece_free, memory};
}

enum status
compress_new(struct memory *memory, struct compress **out)
{
    struct compress *compress = memory_alloc(memory, MEMORY_OTHER, sizeof(*compress));

    if (compress == NULL)
        return STATUS_NO_MEMORY;
    compress->memory = memory;
    *out = compress;
    return STATUS_OK;
}

void
compress_free(struct compress *compress)
{
    if (compress == NULL)
        return;
    ZSTD_freeCCtx(compress->encoder);
    ZSTD_freeDCtx(compress->decoder);
    memory_free(compress->memory, MEMORY_OTHER, compress, sizeof(*compress));
}

size_t
compress_bound(size_t size)
{
    return ZSTD_compressBound(size);
}

size_t
compress_encode(struct compress *compress, const void *bytes, size_t size, void *out,
                size_t out_size, int level)
{
    if (compress->encoder == NULL)
        compress->encoder = ZSTD_createCCtx_advanced(allocator_of(compress->memory));
    if (compress->encoder == NULL)
        return 0;
    size_t result = ZSTD_compressCCtx(compress->encoder, out, out_size, bytes, size, level);

    if (!ZSTD_isError(result)) {
        CHECK(result <= out_size);
        return result;
    }
    ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    CHECK(code == ZSTD_error_dstSize_tooSmall || code == ZSTD_error_memory_allocation);
    return 0;
}

enum status
compress_decode(struct compress *compress, const void *bytes, size_t size, void *out,
                size_t out_size)
{
    if (compress->decoder == NULL)
        compress->decoder = ZSTD_createDCtx_advanced(allocator_of(compress->memory));
    if (compress->decoder == NULL)
        return STATUS_NO_MEMORY;
    size_t result = ZSTD_decompressDCtx(compress->decoder, out, out_size, bytes, size);

    if (ZSTD_isError(result) || result != out_size)
        return STATUS_CORRUPT;
    return STATUS_OK;
}

/* Streams. */

enum { WINDOW_LOG_MAX = 25 /* 32 MiB; every level of zstd but --ultra and --long stays below. */ };

struct decompress {
    struct memory *memory;
    ZSTD_DCtx *decoder;
};

enum status
decompress_new(struct memory *memory, struct decompress **out)
{
    struct decompress *stream = memory_alloc(memory, MEMORY_OTHER, sizeof(*stream));

    if (stream == NULL)
        return STATUS_NO_MEMORY;
    stream->memory = memory;
    stream->decoder = ZSTD_createDCtx_advanced(allocator_of(memory));
    if (stream->decoder == NULL) {
        decompress_free(stream);
        return STATUS_NO_MEMORY;
    }
    size_t result = ZSTD_DCtx_setParameter(stream->decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    CHECK(!ZSTD_isError(result));
    *out = stream;
    return STATUS_OK;
}

void
decompress_free(struct decompress *stream)
{
    if (stream == NULL)
        return;
    ZSTD_freeDCtx(stream->decoder);
    memory_free(stream->memory, MEMORY_OTHER, stream, sizeof(*stream));
}

void
decompress_reset(struct decompress *stream)
{
    size_t result = ZSTD_DCtx_reset(stream->decoder, ZSTD_reset_session_only);

    CHECK(!ZSTD_isError(result));
}

enum status
decompress_step(struct decompress *stream, struct decompress_piece *piece)
{
    ZSTD_inBuffer in = {piece->in, piece->in_size, 0};
    ZSTD_outBuffer out = {piece->out, piece->out_size, 0};
    size_t result = ZSTD_decompressStream(stream->decoder, &out, &in);

    piece->in_used = in.pos;
    piece->out_used = out.pos;
    piece->whole = result == 0;
    if (!ZSTD_isError(result))
        return STATUS_OK;
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return STATUS_NO_MEMORY;
    case ZSTD_error_frameParameter_windowTooLarge:
        return STATUS_FULL;
    default:
        return STATUS_CORRUPT;
    }
}
