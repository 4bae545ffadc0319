/* See text_buffer.h. */
#include "tools/common/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
text_buffer_init(struct text_buffer *text, struct memory *memory)
{
    *text = (struct text_buffer){.memory = memory};
}

void
text_buffer_deinit(struct text_buffer *text)
{
    memory_free(text->memory, MEMORY_OTHER, text->bytes, text->capacity);
    *text = (struct text_buffer){.memory = text->memory};
}

void
text_buffer_reset(struct text_buffer *text)
{
    text->size = 0;
    text->failed = false;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

/* Room for `size` more bytes and the NUL. */
static bool
reserve(struct text_buffer *text, size_t size)
{
    if (text->failed)
        return false;
    if (size < text->capacity - text->size && text->capacity > 0)
        return true;
    size_t capacity = text->capacity < 256 ? 256 : text->capacity;
    while (capacity - text->size <= size && capacity < SIZE_MAX / 4)
        capacity *= 2;
    char *bytes = memory_resize(text->memory, MEMORY_OTHER, text->bytes, text->capacity, capacity);
    if (bytes == NULL || capacity - text->size <= size) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void
text_buffer_add(struct text_buffer *text, const void *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void
text_buffer_add_text(struct text_buffer *text, const char *bytes)
{
    text_buffer_add(text, bytes, strlen(bytes));
}

void
text_buffer_add_char(struct text_buffer *text, char one)
{
    text_buffer_add(text, &one, 1);
}

void
text_buffer_print(struct text_buffer *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !reserve(text, (size_t)size))
        return;
    va_start(arguments, format);
    (void)vsnprintf(text->bytes + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
}

size_t
text_utf8_sequence(const char *bytes, size_t left)
{
    const unsigned char *at = (const unsigned char *)bytes;
    unsigned char low = 0x80, high = 0xbf;

    if (left == 0 || at[0] < 0x80)
        return left == 0 ? 0 : 1;
    size_t size = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < size)
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

/* One character below 0x80 inside a JSON string. */
static void
add_json_ascii(struct text_buffer *text, char one)
{
    static const char escapes[] = "\"\"\\\\\nn\rr\tt\bb\ff";

    for (size_t i = 0; i + 1 < sizeof(escapes); i += 2) {
        if (one == escapes[i]) {
            text_buffer_add_char(text, '\\');
            text_buffer_add_char(text, escapes[i + 1]);
            return;
        }
    }
    if ((unsigned char)one < 0x20 || one == 0x7f)
        text_buffer_print(text, "\\u%04x", (unsigned)one);
    else
        text_buffer_add_char(text, one);
}

void
text_buffer_add_json(struct text_buffer *text, const char *bytes, size_t size)
{
    text_buffer_add_char(text, '"');
    for (size_t at = 0; at < size;) {
        size_t length = text_utf8_sequence(bytes + at, size - at);

        if (length == 1)
            add_json_ascii(text, bytes[at]);
        else if (length == 0)
            text_buffer_add_text(text, "\\ufffd");
        else
            text_buffer_add(text, bytes + at, length);
        at += length == 0 ? 1 : length;
    }
    text_buffer_add_char(text, '"');
}

static void
add_quoted(struct text_buffer *text, char quote, const char *bytes, size_t size)
{
    text_buffer_add_char(text, quote);
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == quote)
            text_buffer_add_char(text, quote);
        text_buffer_add_char(text, bytes[i]);
    }
    text_buffer_add_char(text, quote);
}

void
text_buffer_add_identifier(struct text_buffer *text, const char *name)
{
    add_quoted(text, '"', name, strlen(name));
}

void
text_buffer_add_literal(struct text_buffer *text, const char *bytes, size_t size)
{
    add_quoted(text, '\'', bytes, size);
}

void
text_buffer_add_file_name(struct text_buffer *text, const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte < 0x20 || byte == 0x7f || strchr("/\\%.:*?\"<>|", byte) != NULL)
            text_buffer_print(text, "%%%02X", byte);
        else
            text_buffer_add_char(text, *at);
    }
}
