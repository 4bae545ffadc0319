/*
 * Bytes of a text source, read forward: a file as it is, or a file of zstd frames, told by its first
 * four bytes. One buffer, whatever the file's size; a rewind starts again. The first failure sticks:
 * the input is then at its end and `fault` says why. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_INPUT_H
#define TOOLS_QTDB_MIGRATE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/env.h"

enum { INPUT_BUFFER_SIZE = 256 * 1024, INPUT_END = -1 };

struct decompress;

struct input {
    struct env env;
    struct io_file *file;
    uint64_t size;    /* Of the file, bytes. */
    uint64_t offset;  /* Bytes of the file taken so far; a compressed file's own. */
    uint64_t content; /* Content bytes before `bytes`. */
    char *bytes;
    size_t used;
    size_t next;
    struct decompress *decompress; /* NULL: not compressed. */
    char *packed;                  /* Bytes of the file that are to be decompressed. */
    size_t packed_used;
    size_t packed_next;
    bool frame_ended;
    enum status status; /* STATUS_OK until something fails. */
    char fault[256];
};

/** On failure `fault` says why; input_close is needed all the same. */
MUST_CHECK enum status input_open(const struct env *env, const char *path, struct input *out);
void input_close(struct input *input);
/** Back to the first byte; forgets a failure. */
void input_rewind(struct input *input);
/** Brings more bytes in once all are taken. False at the end and after a failure. */
bool input_fill(struct input *input);

/** The next byte without taking it, or INPUT_END. */
static inline int
input_peek(struct input *input)
{
    if (input->next == input->used && !input_fill(input))
        return INPUT_END;
    return (unsigned char)input->bytes[input->next];
}

static inline int
input_take(struct input *input)
{
    int byte = input_peek(input);

    input->next += byte != INPUT_END;
    return byte;
}

/** Content bytes taken so far. */
static inline uint64_t
input_place(const struct input *input)
{
    return input->content + input->next;
}

#endif
