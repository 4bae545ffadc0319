/* Short words for tests of the simulated disk: each call must work, or the test fails where it is. */
#ifndef TESTS_UNIT_BASE_SIM_HELP_H
#define TESTS_UNIT_BASE_SIM_HELP_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/io_sim.h"

#define ASSERT_OK(call)                                                            \
    do {                                                                           \
        enum status help_status_ = (call);                                         \
        cr_assert_eq(help_status_, STATUS_OK, "%s: %s", status_name(help_status_), \
                     error_message());                                             \
    } while (0)

#define ASSERT_STATUS(call, expected)                                                           \
    do {                                                                                        \
        enum status help_status_ = (call);                                                      \
        cr_assert_eq(help_status_, expected, "%s instead of %s: %s", status_name(help_status_), \
                     status_name(expected), error_message());                                   \
    } while (0)

enum { SECTOR = IO_SECTOR_SIZE, BLOCK = IO_BLOCK_SIZE };

/* Appends to a text of bounded size. */
static inline void
sim_append(char *text, size_t text_size, const char *more)
{
    size_t used = strlen(text);

    cr_assert_lt(used + strlen(more), text_size);
    snprintf(text + used, text_size - used, "%s", more);
}

static inline struct io *
sim_new(struct memory *memory, uint64_t seed)
{
    struct io_sim_options options = {.seed = seed};
    struct io *io = NULL;

    ASSERT_OK(io_sim_open(memory, &options, &io));
    return io;
}

static inline struct io_file *
sim_file(struct io *io, const char *path)
{
    struct io_file *file = NULL;

    ASSERT_OK(io_open(io, path, IO_WRITE | IO_CREATE, &file));
    return file;
}

/* A file whose name is durable and that holds `sectors` durable sectors of `fill`. */
static inline struct io_file *
sim_durable_file(struct io *io, const char *path, uint32_t sectors, int fill)
{
    struct io_file *file = sim_file(io, path);
    static uint8_t bytes[64 * SECTOR];

    cr_assert_leq(sectors, 64);
    memset(bytes, fill, sectors * SECTOR);
    if (sectors > 0)
        ASSERT_OK(io_write(file, bytes, sectors * SECTOR, 0, 0));
    ASSERT_OK(io_sync(file));
    ASSERT_OK(io_sync_dir(io, "/"));
    return file;
}

/* Writes `count` sectors of `fill` from sector `first`. */
static inline void
sim_fill(struct io_file *file, uint32_t first, uint32_t count, int fill, uint32_t flags)
{
    static uint8_t bytes[64 * SECTOR];

    cr_assert_leq(count, 64);
    memset(bytes, fill, count * SECTOR);
    ASSERT_OK(io_write(file, bytes, count * SECTOR, (uint64_t)first * SECTOR, flags));
}

static inline struct io *
sim_crash(struct io *io, enum io_sim_crash_mode mode, uint64_t index, uint64_t seed)
{
    struct io_sim_crash crash = {.mode = mode, .index = index, .seed = seed};
    struct io *fork = NULL;

    ASSERT_OK(io_sim_fork(io, &crash, io->memory, &fork));
    return fork;
}

static inline bool
sim_exists(struct io *io, const char *path)
{
    struct io_file *file = NULL;
    enum status status = io_open(io, path, 0, &file);

    cr_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    io_close(file);
    return status == STATUS_OK;
}

/* The file's size; UINT64_MAX when there is none. */
static inline uint64_t
sim_size(struct io *io, const char *path)
{
    struct io_file *file = NULL;
    uint64_t size = 0;

    if (io_open(io, path, 0, &file) != STATUS_OK)
        return UINT64_MAX;
    ASSERT_OK(io_size(file, &size));
    io_close(file);
    return size;
}

/* The one byte that sector `index` of the file is filled with; -1 when it is mixed, -2 when absent. */
static inline int
sim_sector(struct io *io, const char *path, uint32_t index)
{
    uint8_t bytes[SECTOR];

    if (io_sim_peek(io, path, (uint64_t)index * SECTOR, bytes, SECTOR) != STATUS_OK)
        return -2;
    for (uint32_t i = 1; i < SECTOR; i++) {
        if (bytes[i] != bytes[0])
            return -1;
    }
    return bytes[0];
}

/* One letter a sector, "?" mixed: what the file holds at a glance; "-" when there is none. */
static inline const char *
sim_text(struct io *io, const char *path)
{
    static char text[128];
    uint64_t size = sim_size(io, path);
    uint32_t count = 0;

    if (size == UINT64_MAX)
        return "-";
    for (; count < size / SECTOR && count < sizeof(text) - 1; count++) {
        int fill = sim_sector(io, path, count);

        text[count] = (char)(fill < 0 ? '?' : fill == 0 ? '.' : fill);
    }
    text[count] = '\0';
    return text;
}

#endif
