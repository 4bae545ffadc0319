/* See input.h. */
#include "tools/qtdb-migrate/input.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/compress.h"
#include "kernel/base/error.h"

static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

static enum status
fail(struct input *input, enum status status, const char *words)
{
    input->status = status;
    (void)snprintf(input->fault, sizeof(input->fault), "%s", words);
    return status;
}

static enum status
allocate(struct input *input)
{
    input->bytes = memory_alloc(input->env.memory, MEMORY_OTHER, INPUT_BUFFER_SIZE);
    return input->bytes != NULL ? STATUS_OK : fail(input, STATUS_NO_MEMORY, "out of memory");
}

/* A file too short for the four bytes is a plain one. */
static enum status
find_form(struct input *input)
{
    unsigned char head[sizeof(zstd_magic)];
    size_t size = 0;

    if (io_size(input->file, &input->size) != STATUS_OK ||
        io_read_some(input->file, head, sizeof(head), 0, &size) != STATUS_OK)
        return fail(input, STATUS_IO, error_message());
    if (size < sizeof(head) || memcmp(head, zstd_magic, sizeof(head)) != 0)
        return STATUS_OK;
    input->packed = memory_alloc(input->env.memory, MEMORY_OTHER, INPUT_BUFFER_SIZE);
    if (input->packed == NULL || decompress_new(input->env.memory, &input->decompress) != STATUS_OK)
        return fail(input, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

enum status
input_open(const struct env *env, const char *path, struct input *out)
{
    *out = (struct input){.env = *env};
    enum status status = io_open(env->io, path, 0, &out->file);
    if (status != STATUS_OK)
        return fail(out, status, error_message());
    TRY(allocate(out));
    TRY(find_form(out));
    input_rewind(out);
    return STATUS_OK;
}

void
input_close(struct input *input)
{
    decompress_free(input->decompress);
    if (input->packed != NULL)
        memory_free(input->env.memory, MEMORY_OTHER, input->packed, INPUT_BUFFER_SIZE);
    if (input->bytes != NULL)
        memory_free(input->env.memory, MEMORY_OTHER, input->bytes, INPUT_BUFFER_SIZE);
    io_close(input->file);
    *input = (struct input){.size = 0};
}

void
input_rewind(struct input *input)
{
    input->offset = 0;
    input->content = 0;
    input->used = 0;
    input->next = 0;
    input->packed_used = 0;
    input->packed_next = 0;
    input->frame_ended = true;
    input->status = STATUS_OK;
    input->fault[0] = '\0';
    if (input->decompress != NULL)
        decompress_reset(input->decompress);
}

/* Reads the file on into `out`; 0 at its end and after a failure. */
static size_t
read_on(struct input *input, char *out)
{
    size_t size = 0;

    if (io_read_some(input->file, out, INPUT_BUFFER_SIZE, input->offset, &size) != STATUS_OK) {
        (void)fail(input, STATUS_IO, error_message());
        return 0;
    }
    input->offset += size;
    return size;
}

static void
unpack(struct input *input)
{
    struct decompress_piece piece;

    do {
        if (input->packed_next == input->packed_used) {
            input->packed_next = 0;
            input->packed_used = read_on(input, input->packed);
        }
        piece = (struct decompress_piece){
            .in = input->packed + input->packed_next,
            .in_size = input->packed_used - input->packed_next,
            .out = input->bytes,
            .out_size = INPUT_BUFFER_SIZE,
        };
        if (input->status != STATUS_OK || (piece.in_size == 0 && input->frame_ended))
            return;
        enum status status = decompress_step(input->decompress, &piece);
        input->packed_next += piece.in_used;
        input->used = piece.out_used;
        input->frame_ended = piece.whole;
        if (status != STATUS_OK) {
            (void)fail(input, status,
                       status == STATUS_FULL ? "the zstd frame wants more than 32 MiB of memory"
                                             : "the zstd frame is damaged");
            return;
        }
        if (piece.in_size == 0 && piece.out_used == 0) {
            (void)fail(input, STATUS_CORRUPT, "the zstd frame is cut off");
            return;
        }
    } while (input->used == 0);
}

bool
input_fill(struct input *input)
{
    input->content += input->used;
    input->used = 0;
    input->next = 0;
    if (input->status != STATUS_OK)
        return false;
    if (input->decompress != NULL)
        unpack(input);
    else
        input->used = read_on(input, input->bytes);
    if (input->status != STATUS_OK)
        input->used = 0;
    return input->used > 0;
}
