/*
 * One row. Nearly every row lies whole in the stream's buffer: then it is parsed where it lies, with one
 * bound that every read is held against, and its bytes are copied once; the texts' terminators go over bytes of the
 * copy that have been parsed. A row that passes the buffer's end, or has anything wrong with it, is read
 * piece by piece, which fills the buffer and says what is wrong and where.
 */
#include "tools/qtdb-migrate/legacy_read_private.h"

#include <string.h>

bool
legacy__no_memory(struct legacy_stream *stream)
{
    (void)legacy_stream_fail(stream, legacy_stream_offset(stream), "out of memory");
    stream->fault.status = STATUS_NO_MEMORY;
    return false;
}

bool
legacy__variant(struct legacy_stream *stream, uint32_t last, const char *what, uint32_t *out)
{
    uint64_t offset = legacy_stream_offset(stream);
    uint32_t tag = 0;

    if (!legacy_stream_u32(stream, &tag))
        return false;
    if (tag > last)
        return legacy_stream_fail(stream, offset, "%s has tag %u, the last is %u", what, tag, last);
    *out = tag;
    return true;
}

/* Piece by piece. */

static bool
read_integer(struct legacy_stream *stream, struct legacy_value *out)
{
    uint64_t wide = 0;
    uint16_t narrow = 0;
    bool flag = false;
    bool ok;

    if (out->tag == LEGACY_SMALLINT) {
        ok = legacy_stream_u16(stream, &narrow);
        out->integer = (int16_t)narrow;
    } else if (out->tag == LEGACY_INTEGER) {
        ok = legacy_stream_u64(stream, &wide);
        out->integer = (int64_t)wide;
    } else {
        ok = legacy_stream_bool(stream, &flag);
        out->integer = flag;
    }
    return ok;
}

static bool
read_uuid(struct legacy_stream *stream, struct arena *arena, struct legacy_value *out)
{
    uint64_t offset = legacy_stream_offset(stream);
    uint64_t size = 0;

    if (!legacy_stream_u64(stream, &size))
        return false;
    if (size != 16)
        return legacy_stream_fail(stream, offset, "a uuid has %llu bytes, not 16",
                                  (unsigned long long)size);
    return legacy_stream_bytes(stream, arena, size, &out->text);
}

static bool
read_value(struct legacy_stream *stream, struct arena *arena, struct legacy_value *out)
{
    uint32_t tag = 0;
    uint64_t word = 0;

    if (!legacy__variant(stream, LEGACY_ENUM, "a value", &tag))
        return false;
    *out = (struct legacy_value){.tag = (enum legacy_tag)tag};
    switch (out->tag) {
    case LEGACY_NULL:
        return true;
    case LEGACY_SMALLINT:
    case LEGACY_INTEGER:
    case LEGACY_BOOLEAN:
        return read_integer(stream, out);
    case LEGACY_REAL:
        if (!legacy_stream_u64(stream, &word))
            return false;
        memcpy(&out->real, &word, sizeof(out->real));
        return true;
    case LEGACY_UUID:
        return read_uuid(stream, arena, out);
    case LEGACY_BYTES:
        return legacy_stream_u64(stream, &word) &&
               legacy_stream_bytes(stream, arena, word, &out->text);
    case LEGACY_ENUM:
        return legacy_stream_text(stream, arena, &out->type_name) &&
               legacy_stream_text(stream, arena, &out->text);
    default:
        return legacy_stream_text(stream, arena, &out->text);
    }
}

static bool
read_piecewise(struct legacy_stream *stream, struct arena *arena, struct legacy_row *out)
{
    uint64_t count = 0, xmin = 0, xmax = 0;
    bool dead = false;

    if (!legacy_stream_count(stream, sizeof(uint32_t), "values", &count))
        return false;
    if (count > LEGACY_TEXT_SIZE_MAX / sizeof(struct legacy_value))
        return legacy_stream_fail(stream, legacy_stream_offset(stream), "a row of %llu values",
                                  (unsigned long long)count);
    struct legacy_value *values = arena_alloc(arena, (size_t)count * sizeof(*values));
    if (values == NULL)
        return legacy__no_memory(stream);
    for (uint64_t i = 0; i < count; i++) {
        if (!read_value(stream, arena, &values[i]))
            return false;
    }
    if (!legacy_stream_u64(stream, &xmin) || !legacy_stream_bool(stream, &dead))
        return false;
    if (dead && !legacy_stream_u64(stream, &xmax))
        return false;
    *out = (struct legacy_row){.value_count = count, .values = values, .live = !dead};
    return true;
}

/* Rows that lie in the buffer. */

struct window {
    const uint8_t *next;
    const uint8_t *end;
};

static inline bool
window_take(struct window *window, void *out, size_t size)
{
    if ((size_t)(window->end - window->next) < size)
        return false;
    memcpy(out, window->next, size);
    window->next += size;
    return true;
}

/* `*out` points into the buffer. */
static inline bool
window_text(struct window *window, bool is_utf8, struct legacy_text *out)
{
    uint64_t size = 0;

    if (!window_take(window, &size, sizeof(size)) ||
        size > (uint64_t)(window->end - window->next) ||
        (is_utf8 && !legacy_utf8_is_valid(window->next, (size_t)size)))
        return false;
    *out = (struct legacy_text){.bytes = (const char *)window->next, .size = (size_t)size};
    window->next += size;
    return true;
}

static inline bool
window_bool(struct window *window, bool *out)
{
    uint8_t byte = 0;

    if (!window_take(window, &byte, sizeof(byte)) || byte > 1)
        return false;
    *out = byte == 1;
    return true;
}

static bool
window_value(struct window *window, struct legacy_value *out)
{
    uint32_t tag = 0;
    int16_t narrow = 0;
    bool flag = false;

    if (!window_take(window, &tag, sizeof(tag)) || tag > LEGACY_ENUM)
        return false;
    *out = (struct legacy_value){.tag = (enum legacy_tag)tag};
    switch (out->tag) {
    case LEGACY_NULL:
        return true;
    case LEGACY_SMALLINT:
        if (!window_take(window, &narrow, sizeof(narrow)))
            return false;
        out->integer = narrow;
        return true;
    case LEGACY_INTEGER:
        return window_take(window, &out->integer, sizeof(out->integer));
    case LEGACY_REAL:
        return window_take(window, &out->real, sizeof(out->real));
    case LEGACY_BOOLEAN:
        if (!window_bool(window, &flag))
            return false;
        out->integer = flag;
        return true;
    case LEGACY_UUID:
        return window_text(window, false, &out->text) && out->text.size == 16;
    case LEGACY_BYTES:
        return window_text(window, false, &out->text);
    case LEGACY_ENUM:
        return window_text(window, true, &out->type_name) && window_text(window, true, &out->text);
    default:
        return window_text(window, true, &out->text);
    }
}

static void
move_text(struct legacy_text *text, const uint8_t *from, char *to)
{
    if (text->bytes == NULL)
        return;
    char *bytes = to + ((const uint8_t *)text->bytes - from);

    bytes[text->size] = '\0';
    text->bytes = bytes;
}

/* False: the other way has to be gone; nothing was taken. */
static bool
read_whole(struct legacy_stream *stream, struct arena *arena, struct legacy_row *out)
{
    uint64_t left = legacy_stream_left(stream), count = 0, ignored = 0;
    size_t buffered = stream->used - stream->next;
    const uint8_t *begin = stream->buffer + stream->next;
    struct window window = {begin, begin + (buffered < left ? buffered : (size_t)left)};
    bool dead = false;

    if (stream->fault.set || !window_take(&window, &count, sizeof(count)) ||
        count > (uint64_t)(window.end - window.next) / sizeof(uint32_t))
        return false;
    struct legacy_value *values = arena_alloc(arena, (size_t)count * sizeof(*values));
    if (values == NULL)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!window_value(&window, &values[i]))
            return false;
    }
    if (!window_take(&window, &ignored, sizeof(ignored)) || !window_bool(&window, &dead) ||
        (dead && !window_take(&window, &ignored, sizeof(ignored))))
        return false;
    size_t size = (size_t)(window.next - begin);
    char *copy = arena_alloc(arena, size);
    if (copy == NULL)
        return false;
    memcpy(copy, begin, size);
    for (uint64_t i = 0; i < count; i++) {
        move_text(&values[i].type_name, begin, copy);
        move_text(&values[i].text, begin, copy);
    }
    stream->next += size;
    *out = (struct legacy_row){.value_count = count, .values = values, .live = !dead};
    return true;
}

bool
legacy_read_row(struct legacy_stream *stream, struct arena *arena, struct legacy_row *out)
{
    return read_whole(stream, arena, out) || read_piecewise(stream, arena, out);
}
