/*
 * Goal: the checksums are XXH3's on every machine, and see each changed bit.
 * Method: values of the reference implementation, written down; bit flips over a page.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "kernel/base/checksum.h"

static void
fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 131 + 7);
}

/* covers: F7 */
Test(checksum, values_are_those_on_disk)
{
    uint8_t bytes[4096];

    fill(bytes, sizeof(bytes));
    cr_assert_eq(checksum64(NULL, 0, 0), 0x2d06800538d394c2U);
    cr_assert_eq(checksum64(bytes, 4088, 0), 0x26a4f7bba45ffc62U);
    cr_assert_eq(checksum64(bytes, 4088, 42), 0x67e0cc3eeb949934U);
    cr_assert_eq(checksum64(bytes, 17, 42), 0x75bb843c3df21312U);
    cr_assert_eq(checksum64(bytes, 241, 42), 0xf10c69779cba8524U);
    struct checksum128 wide = checksum128(bytes, 4096, 42);
    cr_assert(wide.low == 0x3a984cb5a6913189U && wide.high == 0x4c3c849f2c67f3a5U);
    wide = checksum128(NULL, 0, 0);
    cr_assert(wide.low == 0x6001c324468d497fU && wide.high == 0x99aa06d3014798d8U);
}

Test(checksum, each_flipped_bit_shows)
{
    uint8_t bytes[4096];
    uint64_t before;

    fill(bytes, sizeof(bytes));
    before = checksum64(bytes, sizeof(bytes), 1);
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        cr_assert_neq(checksum64(bytes, sizeof(bytes), 1), before, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    cr_assert_eq(checksum64(bytes, sizeof(bytes), 1), before);
}

Test(checksum, the_seed_makes_another_checksum)
{
    uint8_t bytes[64] = {0};

    cr_assert_neq(checksum64(bytes, sizeof(bytes), 1), checksum64(bytes, sizeof(bytes), 2));
    cr_assert_neq(checksum128(bytes, sizeof(bytes), 1).low,
                  checksum128(bytes, sizeof(bytes), 2).low);
}

Test(checksum, alignment_does_not_matter)
{
    uint8_t bytes[4096 + 64];

    for (size_t shift = 0; shift < 64; shift++) {
        fill(bytes + shift, 4096);
        cr_assert_eq(checksum64(bytes + shift, 4088, 42), 0x67e0cc3eeb949934U);
    }
}

Test(checksum, seeds_are_those_on_disk)
{
    cr_assert_eq(checksum_seed(0, 0), 0x48218226ff3cd4bfU);
    cr_assert_eq(checksum_seed(1, 2), 0xf2826f98653e9e57U);
    cr_assert_eq(checksum_seed(2, 1), 0x081a5c1377856b73U);
}

Test(checksum, seeds_tell_pages_and_files_apart)
{
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert_neq(checksum_seed(7, i), checksum_seed(7, i + 1));
        cr_assert_neq(checksum_seed(i, 7), checksum_seed(i + 1, 7));
        cr_assert(i == 7 || checksum_seed(i, 7) != checksum_seed(7, i));
    }
}
