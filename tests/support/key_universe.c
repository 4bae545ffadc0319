/*
 * Keys and values from numbers. The order is found by sorting once; equal keys cannot arise, which the
 * sort asserts.
 */
#include "tests/support/key_universe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"

static const struct universe *sorting;

static size_t
text_key(uint32_t number, uint8_t *out)
{
    static const char *const beginnings[] = {"", "a", "user/", "user/profile/",
                                             "user/profile/\xff"};
    const char *beginning = beginnings[random_mix(number) % 5];
    size_t size = strlen(beginning);
    char digits[16];
    int length = snprintf(digits, sizeof(digits), "%u", number);

    memcpy(out, beginning, size);
    memcpy(out + size, digits, (size_t)length);
    size += (size_t)length;
    for (uint64_t i = random_mix(number + 7) % 12; i > 0; i--)
        out[size++] = (uint8_t)(random_mix(number + i) % 3);
    return size;
}

size_t
universe_key(const struct universe *universe, uint32_t number, uint8_t *out)
{
    uint64_t wide = universe->shape == UNIVERSE_INT ? random_mix(number) : number;
    uint64_t swapped = __builtin_bswap64(wide);

    if (universe->shape == UNIVERSE_INT || universe->shape == UNIVERSE_DENSE) {
        memcpy(out, &swapped, 8);
        return 8;
    }
    if (universe->shape == UNIVERSE_TEXT)
        return text_key(number, out);
    size_t common = number % 3 == 0 ? 1000 : number % 3 == 1 ? 300 : 1;

    memset(out, 'p', common);
    swapped = __builtin_bswap64((uint64_t)number);
    memcpy(out + common, &swapped, 8);
    memset(out + common + 8, 't', number % 16);
    return common + 8 + number % 16;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint8_t keys[2][1024] = {{0}};
    uint32_t numbers[2];
    size_t sizes[2];

    memcpy(&numbers[0], a, 4);
    memcpy(&numbers[1], b, 4);
    for (int i = 0; i < 2; i++)
        sizes[i] = universe_key(sorting, numbers[i], keys[i]);
    int order = memcmp(keys[0], keys[1], sizes[0] < sizes[1] ? sizes[0] : sizes[1]);

    if (order == 0)
        order = sizes[0] < sizes[1] ? -1 : sizes[0] > sizes[1];
    if (order == 0 && numbers[0] != numbers[1])
        abort();
    return order;
}

void
universe_init(struct universe *universe, enum universe_shape shape, uint32_t count)
{
    universe->shape = shape;
    universe->count = count;
    universe->order = calloc(count, sizeof(uint32_t));
    universe->rank = calloc(count, sizeof(uint32_t));
    if (universe->order == NULL || universe->rank == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++)
        universe->order[i] = i;
    sorting = universe;
    qsort(universe->order, count, sizeof(uint32_t), compare_numbers);
    for (uint32_t i = 0; i < count; i++)
        universe->rank[universe->order[i]] = i;
}

void
universe_deinit(struct universe *universe)
{
    free(universe->order);
    free(universe->rank);
}

size_t
universe_value(uint32_t seed, uint8_t *out)
{
    uint64_t kind = random_mix(seed) % 100;
    uint64_t draw = random_mix(seed + 99);
    size_t size = kind < 80   ? draw % 60
                  : kind < 97 ? draw % 1500
                  : kind < 99 ? draw % 9000
                              : draw % 50000;

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(seed + i * 7);
    return size;
}
