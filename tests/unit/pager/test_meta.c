/*
 * Goal: prove that a meta slot gives back what was put in, and that damage, another slot, a foreign
 * file and a newer version are told apart.
 * Method: encode, change one thing at a time (each bit; each field under a checksum that holds) and
 * decode. Values that could not be read back must stop the writer.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "kernel/base/checksum.h"
#include "pager/page.h"

static struct meta
meta_sample(void)
{
    struct meta meta = {.file_id = 0x1122334455667788,
                        .sequence = 41,
                        .state = META_NEEDS_LOG,
                        .log_id = 77,
                        .redo_lsn = 0x4000,
                        .redo_chain = 0xdeadbeef,
                        .redo_csn = 1000,
                        .page_count = 5000,
                        .segment_size = 16 << 20,
                        .created_ms = 1700000000000,
                        .map_count = 3,
                        .map_csn = {900, 950, 999}};

    return meta;
}

static void
checksum_fix(struct meta_slot *slot_bytes, uint32_t slot)
{
    const uint8_t *bytes = (const uint8_t *)slot_bytes;

    slot_bytes->checksum =
        le64_of(checksum64(bytes + 8, PAGE_SIZE - 8, checksum_seed(META_SEED, slot)));
}

/* Decodes slot 0; on refusal the out parameter must be as it was and a reason be given. */
static enum status
decode(const struct meta_slot *slot_bytes)
{
    struct meta out;
    struct meta untouched;
    const char *reason = NULL;
    enum status status;

    memset(&out, 0x77, sizeof(out));
    memset(&untouched, 0x77, sizeof(untouched));
    status = meta_decode(slot_bytes, 0, &out, &reason);
    if (status != STATUS_OK) {
        cr_assert_eq(memcmp(&out, &untouched, sizeof(out)), 0);
        cr_assert(reason != NULL);
    }
    return status;
}

static void
assert_equal(const struct meta *a, const struct meta *b)
{
    cr_assert_eq(a->file_id, b->file_id);
    cr_assert_eq(a->sequence, b->sequence);
    cr_assert_eq(a->state, b->state);
    cr_assert_eq(a->log_id, b->log_id);
    cr_assert_eq(a->redo_lsn, b->redo_lsn);
    cr_assert_eq(a->redo_chain, b->redo_chain);
    cr_assert_eq(a->redo_csn, b->redo_csn);
    cr_assert_eq(a->page_count, b->page_count);
    cr_assert_eq(a->segment_size, b->segment_size);
    cr_assert_eq(a->created_ms, b->created_ms);
    cr_assert_eq(a->map_count, b->map_count);
    cr_assert_eq(memcmp(a->map_csn, b->map_csn, sizeof(a->map_csn)), 0);
}

Test(meta, decodes_what_was_encoded_in_either_slot)
{
    struct meta meta = meta_sample();

    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        struct meta_slot slot_bytes;
        struct meta found;
        const char *reason = NULL;

        meta_encode(&meta, slot, &slot_bytes);
        cr_assert_eq(meta_decode(&slot_bytes, slot, &found, &reason), STATUS_OK);
        assert_equal(&meta, &found);
    }
}

Test(meta, decodes_the_largest_and_the_smallest_values)
{
    struct meta meta = {.file_id = 1, .state = META_CLEAN, .page_count = PAGE_COUNT_MIN};
    struct meta_slot slot_bytes;
    struct meta found;
    const char *reason = NULL;

    meta_encode(&meta, 0, &slot_bytes);
    cr_assert_eq(meta_decode(&slot_bytes, 0, &found, &reason), STATUS_OK);
    assert_equal(&meta, &found);
    memset(&meta, 0xff, sizeof(meta));
    meta.state = META_NEEDS_LOG;
    meta.page_count = PAGE_COUNT_MAX;
    meta.map_count = META_MAP_COUNT;
    meta_encode(&meta, 1, &slot_bytes);
    cr_assert_eq(meta_decode(&slot_bytes, 1, &found, &reason), STATUS_OK);
    assert_equal(&meta, &found);
}

Test(meta, refuses_every_flipped_bit)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;
    uint8_t *bytes = (uint8_t *)&slot_bytes;
    size_t magic = offsetof(struct meta_slot, magic);

    meta_encode(&meta, 0, &slot_bytes);
    for (uint32_t bit = 0; bit < PAGE_SIZE * 8; bit++) {
        bool in_magic = bit / 8 >= magic && bit / 8 < magic + 8;

        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(decode(&slot_bytes), in_magic ? STATUS_INVALID : STATUS_CORRUPT, "bit %u",
                     bit);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(decode(&slot_bytes), STATUS_OK);
}

Test(meta, refuses_the_other_slot)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;

    meta_encode(&meta, 1, &slot_bytes);
    cr_assert_eq(decode(&slot_bytes), STATUS_CORRUPT);
    checksum_fix(&slot_bytes, 0);
    cr_assert_eq(decode(&slot_bytes), STATUS_CORRUPT, "the number itself is looked at");
}

Test(meta, tells_a_foreign_file_and_a_newer_version_from_damage)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;

    memset(&slot_bytes, 0, sizeof(slot_bytes));
    cr_assert_eq(decode(&slot_bytes), STATUS_INVALID);
    memcpy(&slot_bytes, "SQLite format 3", 16);
    cr_assert_eq(decode(&slot_bytes), STATUS_INVALID);
    meta_encode(&meta, 0, &slot_bytes);
    slot_bytes.version = le32_of(PAGER_FORMAT_VERSION + 1);
    cr_assert_eq(decode(&slot_bytes), STATUS_CORRUPT);
    checksum_fix(&slot_bytes, 0);
    cr_assert_eq(decode(&slot_bytes), STATUS_VERSION);
}

/* Each member is set to a value out of range under a checksum that holds. */
#define REFUSES(member, value)                                      \
    do {                                                            \
        struct meta_slot slot_bytes;                                \
        meta_encode(&meta, 0, &slot_bytes);                         \
        slot_bytes.member = (value);                                \
        checksum_fix(&slot_bytes, 0);                               \
        cr_assert_eq(decode(&slot_bytes), STATUS_CORRUPT, #member); \
    } while (0)

Test(meta, refuses_values_out_of_range_under_a_checksum_that_holds)
{
    struct meta meta = meta_sample();

    REFUSES(version, le32_of(0));
    REFUSES(page_size, le32_of(8192));
    REFUSES(file_id, le64_of(0));
    REFUSES(state, le32_of(0));
    REFUSES(state, le32_of(META_NEEDS_LOG + 1));
    REFUSES(state, le32_of(META_CLEAN)); /* With a log id. */
    REFUSES(log_id, le64_of(0));         /* With the state needs-log. */
    REFUSES(slot, le32_of(1));
    REFUSES(page_count, le64_of(PAGE_COUNT_MIN - 1));
    REFUSES(page_count, le64_of(PAGE_COUNT_MAX + 1));
    REFUSES(reserved_size, le32_of(1));
    REFUSES(map_count, le32_of(META_MAP_COUNT + 1));
    REFUSES(map_count, le32_of(2)); /* Fewer than have a CSN. */
    REFUSES(map_csn[META_MAP_COUNT - 1], le64_of(1));
    for (size_t index = 0; index < sizeof(((struct meta_slot *)NULL)->reserved); index++)
        REFUSES(reserved[index], 1);
}

Test(meta, stops_on_values_that_could_not_be_read_back, .signal = SIGABRT)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;

    meta.state = META_CLEAN;
    meta_encode(&meta, 0, &slot_bytes);
}

Test(meta, stops_on_a_third_slot_in_encode, .signal = SIGABRT)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;

    meta_encode(&meta, META_SLOT_COUNT, &slot_bytes);
}

Test(meta, stops_on_a_third_slot_in_decode, .signal = SIGABRT)
{
    struct meta meta = meta_sample();
    struct meta_slot slot_bytes;
    const char *reason = NULL;

    meta_encode(&meta, 0, &slot_bytes);
    (void)!meta_decode(&slot_bytes, META_SLOT_COUNT, &meta, &reason);
}
