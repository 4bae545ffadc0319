/*
 * The directory's arrays, and its bytes in a file.
 *
 * As bytes: a header with a checksum, then for each leaf two numbers of variable length: how far its
 * key lies above the one before (of which trailing zero bits common to all were cut), and its page
 * number less the one before less one, so that leaves loaded in order take one byte for that. Distances
 * cannot descend, so the order needs no further check; only their sum has to stay below 2^64.
 */
#include "learned/directory.h"

#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "learned/learned_format.h"

enum status
leaf_directory_init(struct leaf_directory *directory, struct memory *memory, uint32_t capacity)
{
    struct leaf_directory made = {.memory = memory, .capacity = capacity};

    if (capacity == 0 || capacity > LEAF_COUNT_MAX)
        return error_raise(STATUS_INVALID, "a directory has room for 1 to %u leaves, not %u",
                           LEAF_COUNT_MAX, capacity);
    made.keys = memory_alloc_aligned(memory, MEMORY_ROUTER, capacity * sizeof(uint64_t), 64);
    if (made.keys == NULL)
        return STATUS_NO_MEMORY;
    made.pages = memory_alloc(memory, MEMORY_ROUTER, capacity * sizeof(uint32_t));
    if (made.pages == NULL) {
        memory_free(memory, MEMORY_ROUTER, made.keys, capacity * sizeof(uint64_t));
        return STATUS_NO_MEMORY;
    }
    *directory = made;
    return STATUS_OK;
}

void
leaf_directory_deinit(struct leaf_directory *directory)
{
    if (directory->memory == NULL)
        return;
    memory_free(directory->memory, MEMORY_ROUTER, directory->keys,
                directory->capacity * sizeof(uint64_t));
    memory_free(directory->memory, MEMORY_ROUTER, directory->pages,
                directory->capacity * sizeof(uint32_t));
    *directory = (struct leaf_directory){0};
}

enum status
leaf_directory_append(struct leaf_directory *directory, uint64_t key, uint32_t page)
{
    uint32_t count = atomic_load_explicit(&directory->count, memory_order_relaxed);

    if (count == directory->capacity)
        return error_raise(STATUS_FULL, "the directory has room for %u leaves: build a new one",
                           count);
    if (count > 0 && key < directory->keys[count - 1])
        return error_raise(STATUS_INVALID, "leaf %u begins left of the one before it", count);
    directory->keys[count] = key;
    directory->pages[count] = page;
    atomic_store_explicit(&directory->count, count + 1, memory_order_release);
    return STATUS_OK;
}

uint32_t
leaf_directory_search(const struct leaf_directory *directory, uint32_t count, uint64_t key)
{
    uint32_t low = 0;

    CHECK(count <= directory->capacity);
    if (count == 0)
        return LEAF_NONE;
    while (count > 1) {
        uint32_t half = count / 2;

        low = directory->keys[low + half] <= key ? low + half : low;
        count -= half;
    }
    return low;
}

size_t
leaf_directory_size(const struct leaf_directory *directory)
{
    return (size_t)directory->capacity * (sizeof(uint64_t) + sizeof(uint32_t));
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Trailing zero bits that all keys have. */
static uint8_t
common_shift(const struct leaf_directory *directory, uint32_t count)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < count; i++)
        all |= directory->keys[i];
    return all == 0 ? 0 : (uint8_t)__builtin_ctzll(all);
}

static size_t
varint_size(uint64_t value)
{
    return value == 0 ? 1 : (size_t)(63 - __builtin_clzll(value)) / 7 + 1;
}

static uint64_t
key_distance(const struct leaf_directory *directory, uint32_t index, uint8_t shift)
{
    uint64_t before = index == 0 ? 0 : directory->keys[index - 1];

    return (directory->keys[index] - before) >> shift;
}

/* Page numbers mostly ascend by one: that is 0, and a small step either way a small number. */
static uint64_t
page_distance(const struct leaf_directory *directory, uint32_t index)
{
    int64_t before = index == 0 ? -1 : (int64_t)directory->pages[index - 1];
    int64_t distance = (int64_t)directory->pages[index] - before - 1;

    return distance < 0 ? 2 * (uint64_t)-distance - 1 : 2 * (uint64_t)distance;
}

size_t
leaf_directory_encode(const struct leaf_directory *directory, void *out, size_t size)
{
    uint32_t count = leaf_directory_count(directory);
    uint8_t shift = common_shift(directory, count);
    size_t needed = sizeof(struct directory_header);

    for (uint32_t i = 0; i < count; i++)
        needed += varint_size(key_distance(directory, i, shift)) +
                  varint_size(page_distance(directory, i));
    if (size < needed)
        return needed;

    struct directory_header *header = out;
    struct byte_writer writer = byte_writer_init(header + 1, needed - sizeof(*header));

    for (uint32_t i = 0; i < count; i++) {
        byte_writer_put_varint(&writer, key_distance(directory, i, shift));
        byte_writer_put_varint(&writer, page_distance(directory, i));
    }
    CHECK(!writer.overflow && writer.offset == needed - sizeof(*header));
    *header = (struct directory_header){
        .magic = le32_of(DIRECTORY_MAGIC),
        .version = le16_of(DIRECTORY_VERSION),
        .shift = shift,
        .leaf_count = le32_of(count),
    };
    header->checksum =
        le64_of(checksum64((uint8_t *)out + sizeof(le64), needed - sizeof(le64), DIRECTORY_MAGIC));
    return needed;
}

static enum status
corrupt(const char *what)
{
    return error_raise(STATUS_CORRUPT, "saved directory of leaves: %s; it is built anew", what);
}

static enum status
header_validate(const struct directory_header *header, size_t size)
{
    if (size < sizeof(*header))
        return corrupt("shorter than its header");
    if (le32_get(header->magic) != DIRECTORY_MAGIC)
        return corrupt("not a directory");
    if (le16_get(header->version) != DIRECTORY_VERSION)
        return error_raise(STATUS_VERSION, "saved directory of leaves: version %u, not %u",
                           le16_get(header->version), DIRECTORY_VERSION);
    if (le64_get(header->checksum) !=
        checksum64((const uint8_t *)header + sizeof(le64), size - sizeof(le64), DIRECTORY_MAGIC))
        return corrupt("checksum");
    if (header->shift > 63 || header->zero_byte != 0 ||
        !bytes_are_zero(header->zero, sizeof(header->zero)))
        return corrupt("header");
    /* Two bytes a leaf at least. */
    if (le32_get(header->leaf_count) > (size - sizeof(*header)) / 2)
        return corrupt("more leaves than bytes");
    return STATUS_OK;
}

/* One leaf behind those read so far. */
static bool
read_leaf(struct byte_reader *reader, uint8_t shift, uint64_t *key, int64_t *page)
{
    uint64_t key_step;
    uint64_t page_step;

    if (!byte_reader_get_varint(reader, &key_step) || !byte_reader_get_varint(reader, &page_step))
        return false;
    if (key_step > (UINT64_MAX - *key) >> shift || page_step > UINT64_C(1) << 34)
        return false;
    *key += key_step << shift;
    *page += 1 + (page_step % 2 == 0 ? (int64_t)(page_step / 2) : -(int64_t)(page_step / 2) - 1);
    return *page >= 0 && *page <= (int64_t)UINT32_MAX;
}

enum status
leaf_directory_decode(struct leaf_directory *directory, struct memory *memory, const void *bytes,
                      size_t size, uint32_t spare)
{
    const struct directory_header *header = bytes;
    struct leaf_directory made = {0};
    uint64_t key = 0;
    int64_t page = -1;

    TRY(header_validate(header, size));
    uint32_t count = le32_get(header->leaf_count);
    if (count > LEAF_COUNT_MAX || spare > LEAF_COUNT_MAX - count)
        return error_raise(STATUS_INVALID, "a directory of %u leaves and room for %u more", count,
                           spare);
    TRY(leaf_directory_init(&made, memory, count + spare > 0 ? count + spare : 1));

    CHECK(made.keys != NULL && made.pages != NULL);
    struct byte_reader reader = byte_reader_init(header + 1, size - sizeof(*header));
    bool is_read = true;

    for (uint32_t i = 0; i < count && is_read; i++) {
        is_read = read_leaf(&reader, header->shift, &key, &page);
        made.keys[i] = key;
        made.pages[i] = (uint32_t)page;
    }
    if (!is_read || byte_reader_left(&reader) != 0) {
        leaf_directory_deinit(&made);
        return corrupt(is_read ? "bytes behind the last leaf" : "a leaf out of order or cut");
    }
    atomic_store_explicit(&made.count, count, memory_order_relaxed);
    *directory = made;
    return STATUS_OK;
}
