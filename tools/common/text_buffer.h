/*
 * A text that grows. The first refusal of memory sticks: appending then does nothing, and the owner
 * asks once at the end (`failed`). Always NUL-terminated after the first append. Not thread-safe.
 */
#ifndef TOOLS_COMMON_TEXT_BUFFER_H
#define TOOLS_COMMON_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"

struct text_buffer {
    struct memory *memory;
    char *bytes;
    size_t size; /* Without the NUL. */
    size_t capacity;
    bool failed;
};

void text_buffer_init(struct text_buffer *text, struct memory *memory);
void text_buffer_deinit(struct text_buffer *text);
/** Empty again; keeps the memory. */
void text_buffer_reset(struct text_buffer *text);
void text_buffer_add(struct text_buffer *text, const void *bytes, size_t size);
void text_buffer_add_text(struct text_buffer *text, const char *bytes);
void text_buffer_add_char(struct text_buffer *text, char one);
__attribute__((format(printf, 2, 3))) void text_buffer_print(struct text_buffer *text,
                                                             const char *format, ...);
/** As a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_buffer_add_json(struct text_buffer *text, const char *bytes, size_t size);
/** An SQL identifier in quotes, or a literal in quotes. */
void text_buffer_add_identifier(struct text_buffer *text, const char *name);
void text_buffer_add_literal(struct text_buffer *text, const char *bytes, size_t size);

/** A name as part of a file's name: bytes that mean something to file systems, dots too, as %XX. */
void text_buffer_add_file_name(struct text_buffer *text, const char *name);

/** Length of the well-formed UTF-8 sequence at `bytes`, 0 when there is none (or nothing left). */
size_t text_utf8_sequence(const char *bytes, size_t left);

#endif
