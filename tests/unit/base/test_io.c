/*
 * Goal: what the door adds to every backend: misuse is stopped before it reaches one, a read past
 * the end is an error that names the file, queues never hold more than their depth and drain when
 * closed, and nothing leaks when a backend refuses.
 * Method: a backend made of a few lines, whose answers the test sets; misuse in a child.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/io.h"
#include "tests/unit/base/aborts.h"
#include "tests/unit/base/between.h"

enum { BUFFER_SIZE = 4 * IO_BLOCK_SIZE };

static struct {
    enum status open_status;
    size_t read_size;
    uint32_t write_flags;
    int calls;
    int queue_closed;
    struct io_request *held[8];
    uint32_t held_count;
} backend;

static struct memory *memory;
static struct io io;
static struct io_file one_file;
static struct io_queue one_queue;
static uint8_t buffer[BUFFER_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));

static enum status
backend_open(struct io *given, const char *path, uint32_t flags, struct io_file **out)
{
    (void)path;
    (void)flags;
    if (backend.open_status != STATUS_OK)
        return backend.open_status;
    one_file = (struct io_file){.io = given};
    *out = &one_file;
    return STATUS_OK;
}

static void
backend_close(struct io_file *file)
{
    cr_assert_eq(file, &one_file);
}

static enum status
backend_read(struct io_file *file, void *bytes, size_t size, uint64_t offset, size_t *read_out)
{
    (void)file;
    (void)bytes;
    (void)offset;
    backend.calls++;
    *read_out = size < backend.read_size ? size : backend.read_size;
    return STATUS_OK;
}

static enum status
backend_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset, uint32_t flags)
{
    (void)file;
    (void)bytes;
    (void)size;
    (void)offset;
    backend.calls++;
    backend.write_flags = flags;
    return STATUS_OK;
}

static enum status
backend_set_size(struct io_file *file, uint64_t size)
{
    (void)file;
    (void)size;
    backend.calls++;
    return STATUS_OK;
}

static enum status
backend_allocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    (void)file;
    (void)offset;
    (void)size;
    backend.calls++;
    return STATUS_OK;
}

static enum status
backend_queue_open(struct io *given, uint32_t depth, struct io_queue **out)
{
    (void)depth;
    one_queue = (struct io_queue){.io = given};
    *out = &one_queue;
    return STATUS_OK;
}

static void
backend_queue_close(struct io_queue *queue)
{
    cr_assert_eq(queue, &one_queue);
    backend.queue_closed++;
}

static enum status
backend_submit(struct io_queue *queue, struct io_request **requests, uint32_t count)
{
    (void)queue;
    for (uint32_t i = 0; i < count; i++)
        backend.held[backend.held_count++] = requests[i];
    return STATUS_OK;
}

static enum status
backend_reap(struct io_queue *queue, uint32_t min_count, struct io_request **out,
             uint32_t max_count, uint32_t *count_out)
{
    uint32_t count = 0;

    (void)queue;
    (void)max_count;
    while (count < min_count)
        out[count++] = backend.held[--backend.held_count];
    *count_out = count;
    return STATUS_OK;
}

static const struct io_backend functions = {
    .open = backend_open,
    .close = backend_close,
    .read = backend_read,
    .write = backend_write,
    .truncate = backend_set_size,
    .allocate = backend_allocate,
    .queue_open = backend_queue_open,
    .queue_close = backend_queue_close,
    .queue_submit = backend_submit,
    .queue_reap = backend_reap,
};

static void
open_io(void)
{
    memory = memory_new();
    io = (struct io){.backend = &functions, .memory = memory};
    backend.read_size = SIZE_MAX;
}

static void
close_io(void)
{
    memory_delete(memory);
}

#define IO_TEST(name) TEST_BETWEEN(open_io, close_io, io, name)

static struct io_file *
open_with(uint32_t flags)
{
    struct io_file *file = NULL;

    cr_assert_eq(io_open(&io, "/some/file", flags, &file), STATUS_OK);
    return file;
}

IO_TEST(a_file_knows_its_path)
{
    char path[] = "/some/file";
    struct io_file *file = NULL;

    cr_assert_eq(io_open(&io, path, 0, &file), STATUS_OK);
    path[1] = 'x';
    cr_assert_str_eq(file->path, "/some/file");
    io_close(file);
    io_close(NULL);
}

IO_TEST(a_refused_open_leaves_nothing)
{
    struct io_file *file = NULL;
    char path[IO_PATH_SIZE + 10];

    backend.open_status = STATUS_NOT_FOUND;
    cr_assert_eq(io_open(&io, "/x", 0, &file), STATUS_NOT_FOUND);
    memory_fail_at(memory, 0, false);
    cr_assert_eq(io_open(&io, "/x", 0, &file), STATUS_NO_MEMORY);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    cr_assert_eq(io_open(&io, path, 0, &file), STATUS_INVALID);
    cr_assert_null(file);
    cr_assert_eq(memory_live_count(memory), 0);
}

static void
open_wrongly(void *flags)
{
    open_with(*(uint32_t *)flags);
}

IO_TEST(contradictory_open_flags_are_misuse)
{
    static uint32_t bad[] = {IO_CREATE, IO_EXCLUSIVE, IO_WRITE | IO_EXCLUSIVE, 16};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(aborts(open_wrongly, &bad[i]), "flags %u", bad[i]);
}

IO_TEST(read_past_the_end_is_an_error_that_names_the_file)
{
    struct io_file *file = open_with(0);
    size_t size = 0;

    backend.read_size = 10;
    cr_assert_eq(io_read(file, buffer, 11, 5), STATUS_IO);
    cr_assert_not_null(strstr(error_message(), "/some/file"));
    cr_assert_not_null(strstr(error_message(), "11 bytes at offset 5"));
    cr_assert_not_null(strstr(error_message(), "after 10"));
    cr_assert_eq(io_read(file, buffer, 10, 5), STATUS_OK);
    cr_assert_eq(io_read_some(file, buffer, 11, 5, &size), STATUS_OK);
    cr_assert_eq(size, 10);
    io_close(file);
}

IO_TEST(write_flags_reach_the_backend)
{
    struct io_file *file = open_with(IO_WRITE);

    cr_assert_eq(io_write(file, buffer, 1, 0, IO_DURABLE), STATUS_OK);
    cr_assert_eq(backend.write_flags, IO_DURABLE);
    cr_assert_eq(io_write(file, buffer, 1, 0, 0), STATUS_OK);
    cr_assert_eq(backend.write_flags, 0);
    io_close(file);
}

/* One call of the door, to be stopped or let through. */
struct use {
    enum { READ, WRITE, TRUNCATE, ALLOCATE } what;
    size_t shift; /* Of the buffer. */
    size_t size;
    uint64_t offset;
    uint32_t flags;
};

static void
use_file(void *argument)
{
    const struct use *use = argument;
    size_t read_size = 0;
    enum status status = STATUS_OK;

    if (use->what == READ)
        status = io_read_some(&one_file, buffer + use->shift, use->size, use->offset, &read_size);
    else if (use->what == WRITE)
        status = io_write(&one_file, buffer + use->shift, use->size, use->offset, use->flags);
    else if (use->what == TRUNCATE)
        status = io_truncate(&one_file, use->offset);
    else
        status = io_allocate(&one_file, use->offset, use->size);
    cr_assert_eq(status, STATUS_OK);
}

/* covers: F15 */
IO_TEST(misaligned_use_of_a_direct_file_is_misuse_even_if_buffered)
{
    static struct use bad[] = {
        {READ, 512, 4096, 0, 0},   {READ, 0, 512, 0, 0},      {READ, 0, 4096, 512, 0},
        {WRITE, 512, 4096, 0, 0},  {WRITE, 0, 512, 0, 0},     {WRITE, 0, 4096, 512, 0},
        {TRUNCATE, 0, 0, 4095, 0}, {ALLOCATE, 0, 4095, 0, 0}, {ALLOCATE, 0, 4096, 1, 0},
    };
    struct io_file *file = open_with(IO_WRITE | IO_DIRECT);

    cr_assert_not(io_is_direct(file)); /* The backend did not grant it. */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(aborts(use_file, &bad[i]), "case %zu", i);
    io_close(file);
}

IO_TEST(any_alignment_is_fine_for_other_files)
{
    static struct use good[] = {
        {READ, 1, 3, 5, 0}, {WRITE, 1, 3, 5, 0}, {TRUNCATE, 0, 0, 7, 0}, {ALLOCATE, 0, 3, 1, 0}};
    struct io_file *file = open_with(IO_WRITE);

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        use_file(&good[i]);
    cr_assert_eq(backend.calls, 4);
    io_close(file);
}

IO_TEST(ranges_past_the_largest_file_are_misuse)
{
    static struct use bad[] = {
        {READ, 0, 2, INT64_MAX - 1, 0},
        {WRITE, 0, 1, UINT64_MAX, 0},
        {READ, 0, SIZE_MAX, 0, 0},
        {TRUNCATE, 0, 0, (uint64_t)INT64_MAX + 1, 0},
        {ALLOCATE, 0, 1, INT64_MAX, 0},
        {ALLOCATE, 0, 0, 0, 0},
        {WRITE, 0, 1, 0, 2},
    };
    struct io_file *file = open_with(IO_WRITE);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(aborts(use_file, &bad[i]), "case %zu", i);
    io_close(file);
}

static struct io_queue *
queue_of(uint32_t depth)
{
    struct io_queue *queue = NULL;

    cr_assert_eq(io_queue_open(&io, depth, &queue), STATUS_OK);
    return queue;
}

static struct io_request requests[4];
static struct io_request *pointers[4] = {&requests[0], &requests[1], &requests[2], &requests[3]};

static void
prepare_requests(struct io_file *file)
{
    for (size_t i = 0; i < 4; i++) {
        requests[i] = (struct io_request){
            .op = IO_OP_READ, .file = file, .bytes = buffer, .size = IO_BLOCK_SIZE};
    }
}

static void
submit_count(void *count)
{
    cr_assert_eq(io_queue_submit(&one_queue, pointers, *(uint32_t *)count), STATUS_OK);
}

static void
reap_three(void *unused)
{
    struct io_request *out[4];
    uint32_t count = 0;

    (void)unused;
    cr_assert_eq(io_queue_reap(&one_queue, 3, out, 4, &count), STATUS_OK);
}

/* covers: F16 */
IO_TEST(a_queue_never_holds_more_than_its_depth)
{
    static uint32_t two = 2;
    static uint32_t four = 4;
    struct io_file *file = open_with(0);
    struct io_queue *queue = queue_of(3);
    struct io_request *out[4];
    uint32_t count = 9;

    prepare_requests(file);
    cr_assert(aborts(submit_count, &four));
    submit_count(&two);
    cr_assert(aborts(submit_count, &two));
    cr_assert(aborts(reap_three, NULL));
    cr_assert_eq(io_queue_reap(queue, 0, out, 4, &count), STATUS_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(io_queue_reap(queue, 1, out, 4, &count), STATUS_OK);
    cr_assert(count == 1 && queue->in_flight == 1);
    submit_count(&two);
    cr_assert_eq(queue->in_flight, 3);
    io_queue_close(queue);
    io_close(file);
}

IO_TEST(closing_a_queue_drains_it)
{
    static uint32_t two = 2;
    struct io_file *file = open_with(0);
    struct io_queue *queue = queue_of(2);

    prepare_requests(file);
    submit_count(&two);
    io_queue_close(queue);
    cr_assert(backend.held_count == 0 && backend.queue_closed == 1);
    io_queue_close(NULL);
    io_close(file);
}

static void
submit_one(void *request)
{
    struct io_request *pointer = request;

    cr_assert_eq(io_queue_submit(&one_queue, &pointer, 1), STATUS_OK);
}

IO_TEST(odd_requests_are_misuse)
{
    static struct io other;
    static struct io_file foreign = {.io = &other};
    struct io_file *file = open_with(IO_DIRECT);
    struct io_queue *queue = queue_of(2);
    struct io_request bad[] = {
        {.op = IO_OP_READ, .file = NULL, .bytes = buffer, .size = 4096},
        {.op = IO_OP_SYNC, .file = NULL},
        {.op = IO_OP_SYNC, .file = &foreign},
        {.op = IO_OP_READ, .file = &foreign, .bytes = buffer, .size = 4096},
        {.op = IO_OP_READ, .file = file, .bytes = buffer, .size = 100},
        {.op = IO_OP_WRITE, .file = file, .bytes = buffer + 1, .size = 4096},
        {.op = IO_OP_WRITE, .file = file, .bytes = NULL, .size = 4096},
        {.op = (enum io_op)0, .file = file, .bytes = buffer, .size = 4096},
        {.op = (enum io_op)4, .file = file, .bytes = buffer, .size = 4096},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(aborts(submit_one, &bad[i]), "case %zu", i);
    io_queue_close(queue);
    io_close(file);
}

static void
open_queue_of(void *depth)
{
    queue_of(*(uint32_t *)depth);
}

IO_TEST(depths_are_bounded)
{
    static uint32_t bad[] = {0, 4097};

    cr_assert(aborts(open_queue_of, &bad[0]));
    cr_assert(aborts(open_queue_of, &bad[1]));
    io_queue_close(queue_of(1));
    io_queue_close(queue_of(4096));
    io_close_all(NULL);
}
