/*
 * Goal: seeds give the published sequence, for ever; bounded numbers are bounded and fair.
 * Method: the reference implementation's numbers; counts far outside chance fail.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "kernel/base/random.h"

/* covers: F8 */
Test(random, follows_the_reference_sequence)
{
    /* xoshiro256** from state {1, 2, 3, 4}: the first numbers of the authors' C code. */
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct random random = {.state = {1, 2, 3, 4}};

    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(random_u64(&random), expected[i]);
}

Test(random, is_seeded_by_splitmix64)
{
    struct random random;

    random_init(&random, 1234567);
    cr_assert_eq(random.state[0], 6457827717110365317U);
    cr_assert_eq(random.state[1], 3203168211198807973U);
    cr_assert_eq(random.state[2], 9817491932198370423U);
    cr_assert_eq(random.state[3], 4593380528125082431U);
}

Test(random, same_seed_same_run)
{
    struct random a;
    struct random b;
    struct random c;

    random_init(&a, 0);
    random_init(&b, 0);
    random_init(&c, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t value = random_u64(&a);

        cr_assert_eq(value, random_u64(&b));
        cr_assert_neq(value, random_u64(&c));
    }
}

Test(random, below_stays_below_and_is_fair)
{
    struct random random;
    uint32_t count[10] = {0};

    random_init(&random, 5);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = random_below(&random, 10);

        cr_assert_lt(value, 10);
        count[value]++;
    }
    for (int i = 0; i < 10; i++)
        cr_assert(count[i] > 9500 && count[i] < 10500, "%d: %u", i, count[i]);
    cr_assert_eq(random_below(&random, 1), 0);
}

/* With a bound of 3/4 of the range a plain multiplication makes every third value twice as likely. */
Test(random, below_is_fair_for_large_bounds)
{
    struct random random;
    uint64_t bound = (uint64_t)3 << 62;
    uint32_t low = 0;

    random_init(&random, 6);
    for (int i = 0; i < 100000; i++)
        low += random_below(&random, bound) % 3 == 0;
    cr_assert(low > 32500 && low < 34200, "%u", low);
}

Test(random, chance_is_the_fraction_asked_for)
{
    struct random random;
    uint32_t count = 0;

    random_init(&random, 7);
    for (int i = 0; i < 100000; i++) {
        count += random_chance(&random, 1, 4);
        cr_assert(random_chance(&random, 3, 3));
        cr_assert_not(random_chance(&random, 0, 3));
    }
    cr_assert(count > 24000 && count < 26000, "%u", count);
}

Test(random, bytes_fill_exactly)
{
    for (size_t size = 0; size < 40; size++) {
        struct random random;
        uint8_t bytes[41] = {0};
        bool last_differs = size == 0;

        random_init(&random, size);
        for (int i = 0; i < 20; i++) {
            random_bytes(&random, bytes, size);
            last_differs = last_differs || bytes[size - 1] != 0;
        }
        cr_assert(last_differs && bytes[size] == 0);
    }
}

/* Each step of random_mix undone, last first. */
static uint64_t
unmix(uint64_t value)
{
    value ^= value >> 31 ^ value >> 62;
    value *= 0x319642b2d24d8ec3;
    value ^= value >> 27 ^ value >> 54;
    value *= 0x96de1b173f119089;
    return value ^ value >> 30 ^ value >> 60;
}

Test(random, mix_is_a_bijection)
{
    struct random random;

    random_init(&random, 8);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_u64(&random);

        cr_assert_eq(unmix(random_mix(value)), value);
    }
    cr_assert_eq(random_mix(0x9e3779b97f4a7c15), 0xe220a8397b1dcdafU);
}
