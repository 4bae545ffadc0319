/*
 * Keys and values of bench_keys.h. Everything is arithmetic on the row's number, so that making an
 * operation costs tens of nanoseconds and the cost is the same for every engine.
 */
#include <math.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_keys.h"

enum { FEISTEL_ROUNDS = 4 };

void
bench_keys_init(struct bench_keys *keys, uint64_t count)
{
    CHECK(count > 0 && count < UINT64_C(1) << 40);
    *keys = (struct bench_keys){.count = count, .step = (UINT64_C(1) << 62) / count};
}

void
bench_keys_deinit(struct bench_keys *keys, struct memory *memory)
{
    if (keys->list != NULL)
        memory_free(memory, MEMORY_OTHER, (void *)(uintptr_t)keys->list, keys->list_room);
    keys->list = NULL;
}

void
bench_keys_limit(struct bench_keys *keys, uint64_t count)
{
    if (keys->list == NULL)
        bench_keys_init(keys, count);
    else if (count < keys->count)
        keys->count = count;
}

static uint64_t
jitter(const struct bench_keys *keys, uint64_t id)
{
    return random_mix(id) % (keys->step / 4);
}

uint64_t
bench_keys_at(const struct bench_keys *keys, uint64_t id)
{
    uint64_t rank = id / 2;

    if (keys->list != NULL)
        return keys->list[rank];
    return rank * keys->step + (id & 1) * (keys->step / 4) + jitter(keys, id);
}

/* Between two keys of the list; some gap exists unless the list is one dense run. */
static uint64_t
absent_of_list(const struct bench_keys *keys, uint64_t rank, struct random *random)
{
    for (uint64_t i = rank; i + 1 < keys->count; i++) {
        uint64_t gap = keys->list[i + 1] - keys->list[i];

        if (gap > 1)
            return keys->list[i] + 1 + random_below(random, gap - 1);
    }
    return keys->list[keys->count - 1] + 1;
}

uint64_t
bench_keys_absent(const struct bench_keys *keys, uint64_t rank, struct random *random)
{
    if (keys->list != NULL)
        return absent_of_list(keys, rank, random);
    return rank * keys->step + keys->step / 2 + random_below(random, keys->step / 2);
}

static uint64_t
id_in_list(const struct bench_keys *keys, uint64_t key)
{
    uint64_t low = 0;
    uint64_t high = keys->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (keys->list[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < keys->count && keys->list[low] == key ? 2 * low : BENCH_NO_ID;
}

uint64_t
bench_keys_id(const struct bench_keys *keys, uint64_t key)
{
    if (keys->list != NULL)
        return id_in_list(keys, key);
    uint64_t rank = key / keys->step;
    if (rank >= keys->count)
        return BENCH_NO_ID;
    for (uint64_t id = 2 * rank; id < 2 * rank + 2; id++) {
        if (bench_keys_at(keys, id) == key)
            return id;
    }
    return BENCH_NO_ID;
}

/* Shuffles. */

void
bench_shuffle_init(struct bench_shuffle *shuffle, uint64_t count, uint64_t seed)
{
    uint32_t bits = 1;

    while (bits < 31 && (UINT64_C(1) << (2 * bits)) < count)
        bits++;
    *shuffle = (struct bench_shuffle){.count = count, .seed = seed, .half_bits = bits};
}

static uint64_t
feistel(const struct bench_shuffle *shuffle, uint64_t value)
{
    uint64_t mask = (UINT64_C(1) << shuffle->half_bits) - 1;
    uint64_t left = value >> shuffle->half_bits;
    uint64_t right = value & mask;

    for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
        uint64_t next = left ^ (random_mix(right + (round << 40) + shuffle->seed) & mask);

        left = right;
        right = next;
    }
    return left << shuffle->half_bits | right;
}

uint64_t
bench_shuffle_at(const struct bench_shuffle *shuffle, uint64_t index)
{
    uint64_t value = feistel(shuffle, index);

    while (value >= shuffle->count)
        value = feistel(shuffle, value);
    return value;
}

/* Zipf. */

void
bench_zipf_init(struct bench_zipf *zipf, uint64_t count, double theta)
{
    double zeta = 0;

    for (uint64_t i = 1; i <= count; i++)
        zeta += pow((double)i, -theta);
    double zeta_two = 1 + pow(2, -theta);
    *zipf = (struct bench_zipf){.count = count, .theta = theta, .zeta = zeta, .half = zeta_two};
    zipf->alpha = 1 / (1 - theta);
    zipf->eta = (1 - pow(2.0 / (double)count, 1 - theta)) / (1 - zeta_two / zeta);
}

uint64_t
bench_zipf_next(const struct bench_zipf *zipf, struct random *random)
{
    double uniform = (double)(random_u64(random) >> 11) * 0x1p-53;
    double scaled = uniform * zipf->zeta;

    if (scaled < 1)
        return 0;
    if (scaled < zipf->half)
        return zipf->count > 1 ? 1 : 0;
    uint64_t number =
        (uint64_t)((double)zipf->count * pow(zipf->eta * uniform - zipf->eta + 1, zipf->alpha));
    return number < zipf->count ? number : zipf->count - 1;
}

/* Values. */

void
bench_value_fill(uint64_t key, uint32_t version, void *out, size_t size)
{
    uint8_t *bytes = out;
    uint64_t word = random_mix(key) ^ version;
    size_t half = size / 2;
    size_t offset = 0;

    do {
        size_t part = size - offset < 8 ? size - offset : 8;

        memcpy(bytes + offset, &word, part);
        word = word * UINT64_C(0x9e3779b97f4a7c15) + version + 1;
        word ^= word >> 29;
        offset += part;
    } while (offset < half);
    if (offset < size)
        memset(bytes + offset, 'a' + (int)(version % 26), size - offset);
}

uint64_t
bench_value_sum(uint64_t key, const void *value, size_t size)
{
    const uint8_t *bytes = value;
    uint64_t sum = key ^ size;
    uint64_t word = 0;
    size_t offset = 0;

    for (; offset + 8 <= size; offset += 8) {
        memcpy(&word, bytes + offset, 8);
        sum = (sum << 7 | sum >> 57) + word;
    }
    word = 0;
    memcpy(&word, bytes + offset, size - offset);
    return (sum << 7 | sum >> 57) + word;
}

bool
bench_value_holds(uint64_t key, const void *value, size_t size, uint32_t *version_io)
{
    uint8_t expected[BENCH_VALUE_SIZE_MAX];
    uint64_t word = 0;

    if (size >= 8) {
        memcpy(&word, value, 8);
        word ^= random_mix(key);
        if (word == 0 || word > UINT32_MAX)
            return false;
        *version_io = (uint32_t)word;
    }
    if (size > sizeof(expected))
        return false;
    bench_value_fill(key, *version_io, expected, size);
    return memcmp(expected, value, size) == 0;
}
