/*
 * Goal: prove that the reader of page folders takes any bytes: a fault with its page or rows, never a crash or
 * a leak, memory that is bounded, two readings that agree, and conversions that hold each value.
 * Method: the first byte says whether the source is a folder of tables or one table, and whether it is a
 * rescue; then come up to four pages, each a byte for its table and its number, two for its size, and its bytes. What a page is
 * short of the size that its count of slots asks for are zeros, so that short inputs make whole pages. They
 * lie on a simulated disk.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fuzz_read.h"
#include "tools/qtdb-migrate/pages_private.h"

enum { PAGES = 4, SLOTS_FILLED = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The size of a page with the slots it says it has, if they are few; else the size it has. */
static size_t
whole_size(const uint8_t *bytes, size_t size)
{
    uint64_t slots = 0;

    if (size < PAGE_HEAD)
        return size;
    memcpy(&slots, bytes + PAGE_HEAD - sizeof(slots), sizeof(slots));
    if (slots > SLOTS_FILLED)
        return size;
    size_t whole = PAGE_HEAD + (size_t)slots * SLOT_SIZE + sizeof(slots) + PAGE_DATA;
    return whole > size ? whole : size;
}

static void
write_page(struct io *io, unsigned place, const uint8_t *bytes, size_t size)
{
    size_t whole = whole_size(bytes, size);
    uint8_t *page = calloc(1, whole + 1);
    char path[64];

    fuzz_require(page != NULL);
    if (size > 0)
        memcpy(page, bytes, size);
    (void)snprintf(path, sizeof(path), "/pages/table_%u/page_%08u.dat", 1 + place % 2,
                   place / 2 % 4);
    fuzz_write(io, path, page, whole);
    free(page);
}

static void
write_pages(struct io *io, const uint8_t *data, size_t size)
{
    for (int i = 0; i < PAGES && size >= 3; i++) {
        size_t claimed = (size_t)(data[1] | data[2] << 8);
        size_t taken = claimed < size - 3 ? claimed : size - 3;

        write_page(io, data[0], data + 3, taken);
        data += 3 + taken;
        size -= 3 + taken;
    }
}

static void
run(const struct env *env, const uint8_t *data, size_t size)
{
    fuzz_require(io_make_dir(env->io, "/pages") == STATUS_OK);
    fuzz_require(io_make_dir(env->io, "/pages/table_1") == STATUS_OK);
    fuzz_require(io_make_dir(env->io, "/pages/table_2") == STATUS_OK);
    write_pages(env->io, data + 1, size - 1);
    fuzz_source(env, &source_pages, (data[0] & 1) != 0 ? "/pages/table_1" : "/pages",
                (data[0] & 2) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_on_disk(run, data, size);
    return 0;
}
