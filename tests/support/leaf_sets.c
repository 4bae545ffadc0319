/*
 * Shapes of key sets; each is drawn in any order and sorted.
 */
#include "tests/support/leaf_sets.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/compress.h"
#include "kernel/base/random.h"

enum { ROWS_A_LEAF = 254 };

const char *
leaf_set_name(enum leaf_set set)
{
    static const char *const name[LEAF_SET_COUNT] = {
        "dense", "uniform", "all_equal", "two_clusters", "one_outlier", "many_outliers", "2_53",
        "2_64",  "ends",    "powers",    "squares",      "steps",       "duplicates",
    };

    return name[set];
}

static int
compare_keys(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

static uint64_t
draw(enum leaf_set set, struct random *random, uint64_t i, uint32_t count)
{
    switch (set) {
    case LEAF_SET_DENSE:
        return i * ROWS_A_LEAF;
    case LEAF_SET_UNIFORM:
        return random_u64(random);
    case LEAF_SET_ALL_EQUAL:
        return 42;
    case LEAF_SET_TWO_CLUSTERS:
        return i < count / 2 ? i * 3 : UINT64_MAX - i * 3;
    case LEAF_SET_ONE_OUTLIER:
        return i + 1 == count ? UINT64_MAX : i * ROWS_A_LEAF;
    case LEAF_SET_MANY_OUTLIERS:
        return i % 100 != 0 ? (UINT64_C(1) << 40) + i * ROWS_A_LEAF
                            : (i % 200 == 0 ? i : UINT64_MAX / 2 + random_u64(random) / 2);
    case LEAF_SET_2_53:
        return (UINT64_C(1) << 53) - count / 2 + i;
    case LEAF_SET_2_64:
        return UINT64_MAX - i;
    case LEAF_SET_ENDS:
        return i % 2 == 0 ? 0 : UINT64_MAX;
    case LEAF_SET_POWERS:
        return (UINT64_C(1) << (i * 63 / count)) + i;
    case LEAF_SET_SQUARES:
        return i * i * 17;
    case LEAF_SET_STEPS:
        return ((random_u64(random) % 5) << 60) + ((random_u64(random) % 7) << 35) +
               random_u64(random) % 100000;
    default:
        return random_below(random, count / 9 + 1) * 1000;
    }
}

void
leaf_set_fill(enum leaf_set set, uint64_t seed, uint32_t count, uint64_t *keys)
{
    struct random random;

    random_init(&random, seed);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = draw(set, &random, i, count);
    qsort(keys, count, sizeof(keys[0]), compare_keys);
}

void
leaf_set_directory(const uint64_t *keys, uint32_t count, uint32_t spare, struct memory *memory,
                   struct leaf_directory *out)
{
    uint32_t capacity = count + spare > 0 ? count + spare : 1;
    enum status status = leaf_directory_init(out, memory, capacity);

    CHECK(status == STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        status = leaf_directory_append(out, keys[i], i + 7);
        CHECK(status == STATUS_OK);
    }
}

static uint8_t *
read_file(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    long size;

    if (file == NULL)
        return NULL;
    CHECK(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    CHECK(size >= 0);
    rewind(file);
    uint8_t *bytes = malloc((size_t)size + 1);
    CHECK(bytes != NULL);
    *size_out = fread(bytes, 1, (size_t)size, file);
    CHECK(*size_out == (size_t)size);
    (void)fclose(file);
    return bytes;
}

uint64_t *
leaf_set_load(const char *name, struct memory *memory, size_t *count_out)
{
    const char *shared = getenv("QTDB_SHARED");
    char path[4096];
    size_t size;
    size_t room = 16 << 20;
    struct decompress *stream;

    (void)snprintf(path, sizeof(path), "%s/keys/%s.u64.zst", shared == NULL ? "../shared" : shared,
                   name);
    uint8_t *packed = read_file(path, &size);
    if (packed == NULL)
        return NULL;
    uint8_t *keys = malloc(room);
    enum status status = decompress_new(memory, &stream);

    CHECK(keys != NULL && status == STATUS_OK);
    struct decompress_piece piece = {0};
    size_t in_used = 0;
    size_t out_used = 0;

    while (in_used < size || !piece.whole) {
        piece = (struct decompress_piece){
            .in = packed + in_used,
            .in_size = size - in_used,
            .out = keys + out_used,
            .out_size = room - out_used,
        };
        status = decompress_step(stream, &piece);
        CHECK(status == STATUS_OK);
        CHECK(piece.in_used > 0 || piece.out_used > 0);
        in_used += piece.in_used;
        out_used += piece.out_used;
    }
    CHECK(out_used % 8 == 0);
    decompress_free(stream);
    free(packed);
    *count_out = out_used / 8;
    return (uint64_t *)(void *)keys;
}
