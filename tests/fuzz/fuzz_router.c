/*
 * Goal: no bytes make a directory or a router read outside of its arrays or find a wrong leaf.
 * Method: the first byte chooses directory or router, the second whether the checksum is made right
 * before decoding, so that what lies behind it is reached. The router is read for a fixed directory
 * whose checksum is put in, too; whatever is accepted is asked for every leaf.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/checksum.h"
#include "learned/learned_format.h"
#include "learned/router.h"
#include "tests/support/leaf_sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEAVES = 300 };

static void
seal(uint8_t *bytes, size_t size, uint32_t magic)
{
    if (size < sizeof(struct directory_header))
        return;
    le64 sum = le64_of(checksum64(bytes + 8, size - 8, magic));

    memcpy(bytes, &sum, sizeof(sum));
}

static void
try_directory(struct memory *memory, uint8_t *bytes, size_t size, int is_sealed)
{
    struct leaf_directory directory;

    if (is_sealed)
        seal(bytes, size, DIRECTORY_MAGIC);
    if (leaf_directory_decode(&directory, memory, bytes, size, 1) != STATUS_OK)
        return;
    for (uint32_t i = 1; i < leaf_directory_count(&directory); i++)
        if (directory.keys[i] < directory.keys[i - 1])
            abort();
    leaf_directory_deinit(&directory);
}

static void
ask_all(const struct router *router, const struct leaf_directory *directory)
{
    if (router_verdict(router)->kind == ROUTER_TREE)
        return;
    for (uint32_t i = 0; i < LEAVES; i++)
        for (uint64_t step = 0; step < 3; step++) {
            uint64_t key = directory->keys[i] + step - 1;

            if (router_find(router, directory, key) !=
                leaf_directory_search(directory, LEAVES, key))
                abort();
        }
}

static void
try_router(struct memory *memory, uint8_t *bytes, size_t size, int is_sealed)
{
    static uint64_t keys[LEAVES];
    struct leaf_directory directory;
    struct router *router;

    leaf_set_fill(LEAF_SET_STEPS, 1, LEAVES, keys);
    leaf_set_directory(keys, LEAVES, 0, memory, &directory);
    if (is_sealed && size >= sizeof(struct router_header)) {
        le64 sum = le64_of(checksum64(keys, sizeof(keys), LEAVES));

        memcpy(bytes + offsetof(struct router_header, directory_sum), &sum, sizeof(sum));
        seal(bytes, size, ROUTER_MAGIC);
    }
    if (router_decode(&directory, memory, bytes, size, &router) == STATUS_OK) {
        ask_all(router, &directory);
        router_free(router);
    }
    leaf_directory_deinit(&directory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct memory *memory = memory_new();
    uint8_t *bytes = malloc(size - 2);

    if (bytes == NULL || memory == NULL)
        abort();
    memcpy(bytes, data + 2, size - 2);
    if (data[0] % 2 == 0)
        try_directory(memory, bytes, size - 2, data[1] % 2);
    else
        try_router(memory, bytes, size - 2, data[1] % 2);
    free(bytes);
    memory_delete(memory);
    return 0;
}
