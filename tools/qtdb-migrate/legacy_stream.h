/*
 * Bytes of a legacy file, read forward through one buffer, never trusted: every read is bounded by
 * what is left of the file, every length by the bytes that could back it, every text by UTF-8. The
 * first fault sticks, with its offset and what was wrong; all later reads fail.
 *
 * One stream belongs to one thread. Texts are copied into an arena that the caller resets.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_STREAM_H
#define TOOLS_QTDB_MIGRATE_LEGACY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/env.h"

enum {
    LEGACY_BUFFER_SIZE = 1024 * 1024,
    LEGACY_TEXT_SIZE_MAX = 32 * 1024 * 1024, /* One text or byte string. */
    LEGACY_KNOWN_MAX = 64,
    LEGACY_KNOWN_ROWS_MIN = 1024,
};

struct legacy_text {
    const char *bytes; /* NUL-terminated besides its size. */
    size_t size;
};

struct legacy_fault {
    bool set;
    enum status status;
    uint64_t offset; /* In the file. */
    char message[160];
};

/* A table's rows that were read to their end without a fault (legacy_read.c). */
struct legacy_known {
    uint64_t begin; /* File offsets. */
    uint64_t count;
    uint64_t end;
};

struct legacy_stream {
    struct env env;
    struct io_file *file;
    uint64_t size; /* Of the file, bytes; or where a caller cut it. */
    uint64_t base; /* File offset of buffer[0]. */
    uint8_t *buffer;
    size_t used;
    size_t next;
    struct legacy_fault fault;
    struct legacy_known known[LEGACY_KNOWN_MAX];
    uint32_t known_count;
};

MUST_CHECK enum status legacy_stream_open(const struct env *env, const char *path,
                                          struct legacy_stream *out);
void legacy_stream_close(struct legacy_stream *stream);
/** Back to `offset`; forgets the fault. */
void legacy_stream_seek(struct legacy_stream *stream, uint64_t offset);

uint64_t legacy_stream_offset(const struct legacy_stream *stream);
uint64_t legacy_stream_left(const struct legacy_stream *stream);

/** Records the first fault at `offset`; always false. */
__attribute__((format(printf, 3, 4))) bool legacy_stream_fail(struct legacy_stream *stream,
                                                              uint64_t offset, const char *format,
                                                              ...);

bool legacy_stream_u8(struct legacy_stream *stream, uint8_t *out);
bool legacy_stream_u16(struct legacy_stream *stream, uint16_t *out);
bool legacy_stream_u32(struct legacy_stream *stream, uint32_t *out);
bool legacy_stream_u64(struct legacy_stream *stream, uint64_t *out);
/** 0 or 1; anything else is a fault. */
bool legacy_stream_bool(struct legacy_stream *stream, bool *out);
/** A count of items that take at least `item_size` bytes each. */
bool legacy_stream_count(struct legacy_stream *stream, size_t item_size, const char *what,
                         uint64_t *out);
/** A length and as many bytes of valid UTF-8, copied. */
bool legacy_stream_text(struct legacy_stream *stream, struct arena *arena, struct legacy_text *out);
/** `size` bytes as they are, copied. */
bool legacy_stream_bytes(struct legacy_stream *stream, struct arena *arena, uint64_t size,
                         struct legacy_text *out);

/** True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool legacy_utf8_is_valid(const void *bytes, size_t size);

#endif
