/*
 * Goal: prove that a change set is all or nothing, that what it logs is what redo needs and no more than
 * it must, and that under the latch nothing waits, allocates or does I/O.
 * Method: single changes on the simulated disk, with the counters of disk, allocator and pager read
 * before and after; the log read back record by record; random changes compared with a model.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

static void
open_world(struct world *world, enum pager_policy policy)
{
    struct pager_options options = world_options(policy);

    world_init(world, 1, &options);
    world_open(world);
}

static void
close_world(struct world *world)
{
    world_verify(world);
    world_close(world);
    world_deinit(world);
}

static struct pager_statistics
statistics_of(const struct world *world)
{
    struct pager_statistics statistics;

    pager_get_statistics(world->pager, &statistics);
    return statistics;
}

static uint8_t
byte_of(struct world *world, uint32_t page_number, uint32_t offset)
{
    uint8_t page[PAGE_SIZE];

    WORLD_OK(world, pager_copy(world->pager, page_number, page));
    return page[offset];
}

/* Begins a change that misses nothing. */
static struct pager_change *
begin(struct world *world)
{
    struct pager_change *change;

    WORLD_OK(world, pager_change_begin(world->pager, &change));
    return change;
}

/* covers: P9 */
Test(change, abandoned_leaves_no_trace)
{
    struct world world;
    struct pager_change *change;
    uint32_t page, other;
    uint8_t *bytes;
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    other = world_allocate(&world, 2);
    csn = pager_csn(world.pager);
    change = begin(&world);
    WORLD_OK(&world, pager_change_edit(change, page, &bytes));
    memset(bytes + 100, 9, 100);
    WORLD_OK(&world, pager_change_free(change, other));
    pager_change_abandon(change);
    cr_assert_eq(pager_csn(world.pager), csn);
    cr_assert_eq(byte_of(&world, page, 100), 1);
    cr_assert_eq(byte_of(&world, other, 100), 2);
    close_world(&world);
}

Test(change, sees_its_own_edits_and_nobody_else_does_before_commit)
{
    struct world world;
    struct pager_change *change;
    const uint8_t *seen;
    uint8_t *bytes;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    change = begin(&world);
    WORLD_OK(&world, pager_change_edit(change, page, &bytes));
    bytes[100] = 77;
    WORLD_OK(&world, pager_change_read(change, page, &seen));
    cr_assert_eq(seen[100], 77);
    cr_assert_eq(byte_of(&world, page, 100), 1);
    pager_change_abandon(change);
    close_world(&world);
}

Test(change, that_alters_nothing_takes_no_csn)
{
    struct world world;
    struct pager_change *change;
    uint8_t *bytes;
    uint64_t csn = 0, before;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    before = pager_csn(world.pager);
    change = begin(&world);
    cr_assert_eq(pager_change_csn(change), before + 1);
    WORLD_OK(&world, pager_change_edit(change, page, &bytes));
    bytes[50] ^= 1;
    bytes[50] ^= 1;
    WORLD_OK(&world, pager_change_commit(change, &csn));
    cr_assert_eq(csn, before);
    cr_assert_eq(pager_csn(world.pager), before);
    close_world(&world);
}

/* The first bytes of the header are the pager's: what a caller leaves there is not published. */
Test(change, keeps_the_callers_hands_off_checksum_and_csn)
{
    struct world world;
    struct pager_change *change;
    uint8_t page[PAGE_SIZE];
    uint8_t *bytes;
    uint32_t number;
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    number = world_allocate(&world, 1);
    change = begin(&world);
    WORLD_OK(&world, pager_change_edit(change, number, &bytes));
    memset(bytes, 0xee, 24);
    bytes[2000] = 5;
    WORLD_OK(&world, pager_change_commit(change, &csn));
    WORLD_OK(&world, pager_copy(world.pager, number, page));
    cr_assert_eq(le64_get(page_header(page)->csn), csn);
    cr_assert_lt(le64_get(page_header(page)->csn_image), csn);
    cr_assert_eq(le64_get(page_header(page)->checksum),
                 page_checksum(page, pager_file_id(world.pager), number));
    world_deinit(&world);
}

/* covers: P9 */
Test(change, does_no_io_and_allocates_nothing_under_the_latch)
{
    struct world world;
    struct pager_change *change;
    uint64_t ops, allocations, csn;
    uint32_t pages[4];
    uint8_t *bytes;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int index = 0; index < 4; index++)
        pages[index] = world_allocate(&world, (uint8_t)index);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    change = begin(&world);
    ops = io_sim_op_count(world.io);
    allocations = memory_alloc_count(world.memory);
    for (int index = 0; index < 4; index++) {
        WORLD_OK(&world, pager_change_edit(change, pages[index], &bytes));
        bytes[3000] = (uint8_t)(100 + index);
    }
    WORLD_OK(&world, pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &pages[0], &bytes));
    memset(bytes + PAGE_HEADER_SIZE, 'z', PAGE_BODY_SIZE);
    WORLD_OK(&world, pager_change_free(change, pages[3]));
    WORLD_OK(&world, pager_change_commit(change, &csn));
    cr_assert_eq(io_sim_op_count(world.io), ops);
    cr_assert_eq(memory_alloc_count(world.memory), allocations);
    world_deinit(&world);
}

Test(change, first_of_an_interval_logs_an_image_and_later_ones_ranges)
{
    struct world world;
    struct pager_statistics before, after;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    for (int interval = 0; interval < 3; interval++) {
        WORLD_OK(&world, pager_checkpoint(world.pager));
        before = statistics_of(&world);
        world_fill(&world, page, 500, (uint8_t)(10 + interval), 20);
        after = statistics_of(&world);
        cr_assert_eq(after.image_count, before.image_count + 1);
        world_fill(&world, page, 600, (uint8_t)(10 + interval), 20);
        cr_assert_eq(statistics_of(&world).image_count, after.image_count);
        cr_assert_eq(statistics_of(&world).range_count, after.range_count + 1);
    }
    close_world(&world);
}

/* The images of an earlier log are gone with it. covers: P10 */
Test(change, first_after_a_clean_close_logs_an_image)
{
    struct world world;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    world_fill(&world, page, 500, 2, 20);
    world_close(&world);
    world_open(&world);
    world_fill(&world, PAGE_CATALOG_ROOT, 500, 2, 20);
    uint64_t images = statistics_of(&world).image_count;
    world_fill(&world, page, 500, 3, 20);
    cr_assert_eq(statistics_of(&world).image_count, images + 1);
    close_world(&world);
}

Test(change, of_a_page_in_place_logs_only_ranges_under_policy_range)
{
    struct world world;
    struct pager_statistics before, after;
    uint32_t page;

    open_world(&world, PAGER_POLICY_RANGE);
    page = world_allocate(&world, 1);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    before = statistics_of(&world);
    world_fill(&world, page, 500, 3, 20);
    after = statistics_of(&world);
    cr_assert_eq(after.image_count, before.image_count);
    cr_assert_leq(after.range_size - before.range_size, 40u);
    close_world(&world);
}

Test(change, logs_an_image_where_ranges_would_be_larger)
{
    struct world world;
    struct pager_statistics before, after;
    uint32_t page;

    open_world(&world, PAGER_POLICY_RANGE);
    page = world_allocate(&world, 1);
    before = statistics_of(&world);
    world_fill(&world, page, PAGE_HEADER_SIZE, 9, PAGE_BODY_SIZE);
    after = statistics_of(&world);
    cr_assert_eq(after.image_count, before.image_count + 1);
    cr_assert_lt(after.image_size - before.image_size, 128u, "equal bytes are a small image");
    close_world(&world);
}

Test(change, that_empties_a_page_logs_little)
{
    struct world world;
    struct pager_statistics before, after;
    uint32_t page;

    open_world(&world, PAGER_POLICY_RANGE);
    page = world_allocate(&world, 1);
    before = statistics_of(&world);
    world_fill(&world, page, PAGE_HEADER_SIZE, 0, PAGE_BODY_SIZE);
    after = statistics_of(&world);
    cr_assert_eq(after.image_count, before.image_count);
    cr_assert_leq(after.range_size - before.range_size, 16u);
    close_world(&world);
}

/* ---- Resting --------------------------------------------------------------------------------- */

/* Fills `size` bytes from 200 on of a page of a change, and rests. */
static void
fill_and_rest(struct world *world, struct pager_change *change, uint32_t page_number, int value,
              size_t size)
{
    uint8_t *bytes;

    WORLD_OK(world, pager_change_edit(change, page_number, &bytes));
    memset(bytes + 200, value, size);
    pager_change_rest(change);
}

/* As after a kill: what is durable is redone from the log. */
static void
kill_and_recover(struct world *world, uint64_t csn)
{
    WORLD_OK(world, pager_flush(world->pager, csn));
    pager_abandon(world->pager);
    world_forget(world);
    world_open(world);
    cr_assert_geq(pager_csn(world->pager), csn);
}

enum { REST_PAGES = 6 };

static void
allocate_pages(struct world *world, uint32_t pages[REST_PAGES])
{
    for (uint32_t i = 0; i < REST_PAGES; i++)
        pages[i] = world_allocate(world, 1);
}

/* covers: P4 */
Test(change, encodes_leaves_early_and_again_when_the_caller_comes_back)
{
    struct world world;
    struct pager_change *change;
    uint32_t pages[REST_PAGES];
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    allocate_pages(&world, pages);
    change = begin(&world);
    for (uint32_t i = 0; i < REST_PAGES; i++)
        fill_and_rest(&world, change, pages[i], 20 + (int)i, 100);
    size_t size = change->records_size;

    cr_assert_gt(size, 0, "encoded before the commit");
    cr_assert(!pager__change_find(change, pages[REST_PAGES - 1])->is_logged, "not the last one");
    fill_and_rest(&world, change, pages[1], 40,
                  50); /* One in the middle, larger than before; ... */
    fill_and_rest(&world, change, pages[REST_PAGES - 2], 41,
                  300); /* ... the last one encoded; ... */
    fill_and_rest(&world, change, pages[REST_PAGES - 1], 42, 10); /* ... and one that is not. */
    cr_assert_lt(change->records_size, size, "their records were taken out");
    WORLD_OK(&world, pager_change_commit(change, &csn));
    kill_and_recover(&world, csn);
    cr_assert_eq(byte_of(&world, pages[0], 200), 20);
    cr_assert_eq(byte_of(&world, pages[1], 200), 40);
    cr_assert_eq(byte_of(&world, pages[1], 250), 21);
    cr_assert_eq(byte_of(&world, pages[2], 299), 22);
    cr_assert_eq(byte_of(&world, pages[REST_PAGES - 2], 499), 41);
    cr_assert_eq(byte_of(&world, pages[REST_PAGES - 1], 200), 42);
    cr_assert_eq(byte_of(&world, pages[REST_PAGES - 1], 210), 25);
    world_deinit(&world);
}

Test(change, frees_a_page_that_was_encoded_early)
{
    struct world world;
    struct pager_change *change;
    uint32_t pages[REST_PAGES];
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    allocate_pages(&world, pages);
    change = begin(&world);
    for (uint32_t i = 0; i < REST_PAGES; i++)
        fill_and_rest(&world, change, pages[i], 20 + (int)i, 100);
    WORLD_OK(&world, pager_change_free(change, pages[2]));
    WORLD_OK(&world, pager_change_free(change, pages[REST_PAGES - 1])); /* Rested, not encoded. */
    WORLD_OK(&world, pager_change_commit(change, &csn));
    cr_assert_eq(byte_of(&world, pages[3], 200), 23);
    kill_and_recover(&world, csn);
    cr_assert_eq(byte_of(&world, pages[3], 200), 23);
    world_deinit(&world);
}

Test(change, abandoned_after_early_encoding_leaves_no_trace)
{
    struct world world;
    struct pager_change *change;
    uint32_t pages[REST_PAGES];
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    allocate_pages(&world, pages);
    csn = pager_csn(world.pager);
    change = begin(&world);
    for (uint32_t i = 0; i < REST_PAGES; i++)
        fill_and_rest(&world, change, pages[i], 20, 100);
    pager_change_abandon(change);
    cr_assert_eq(pager_csn(world.pager), csn);
    cr_assert_eq(byte_of(&world, pages[0], 200), 1);
    change = begin(&world);
    fill_and_rest(&world, change, pages[0], 1, 100); /* As it was. */
    fill_and_rest(&world, change, pages[1], 1, 100);
    WORLD_OK(&world, pager_change_commit(change, &csn));
    cr_assert_eq(csn, pager_csn(world.pager), "no change, no CSN");
    world_deinit(&world);
}

/* More records than the first buffers hold: the change is repeated with larger ones. */
Test(change, grows_its_buffers_for_early_records)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct world world;
    struct random random;
    uint32_t pages[20];
    enum status status;

    options.log_buffer_count = 16;
    world_init(&world, 1, &options);
    world_open(&world);
    for (uint32_t i = 0; i < 20; i++)
        pages[i] = world_allocate(&world, 1);
    do {
        struct pager_change *change = begin(&world);
        uint64_t csn;

        random_init(&random, 3);
        status = STATUS_OK;
        for (uint32_t i = 0; i < 20 && status == STATUS_OK; i++) {
            uint8_t *bytes;

            status = pager_change_edit(change, pages[i], &bytes);
            if (status == STATUS_OK)
                random_bytes(&random, bytes + 100, 3900);
            pager_change_rest(change);
        }
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(&world, pager_change_resolve(world.pager));
    } while (status == STATUS_MISSING);
    WORLD_OK(&world, status);
    random_init(&random, 3);
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t wanted[3900];

        random_bytes(&random, wanted, sizeof(wanted));
        cr_assert_eq(byte_of(&world, pages[i], 100), wanted[0]);
        cr_assert_eq(byte_of(&world, pages[i], 3999), wanted[3899]);
    }
    world_deinit(&world);
}

/* Moves 2,000 random bytes by 16 and returns how many bytes of ranges that logged. */
static uint64_t
log_size_of_a_move(struct world *world, uint32_t page_number, uint64_t *image_count_out)
{
    struct pager_statistics before = statistics_of(world), after;
    struct pager_change *change = begin(world);
    uint8_t *bytes;
    uint64_t csn;

    WORLD_OK(world, pager_change_edit(change, page_number, &bytes));
    memmove(bytes + 1016, bytes + 1000, 2000);
    pager_change_move(change, page_number, 1000, 1016, 2000);
    WORLD_OK(world, pager_change_commit(change, &csn));
    after = statistics_of(world);
    *image_count_out = after.image_count - before.image_count;
    return after.range_size - before.range_size;
}

/* covers: P10 */
Test(change, logs_moves_only_after_an_image_of_the_interval)
{
    struct world world;
    struct pager_change *change;
    uint64_t images, csn;
    uint32_t page;
    uint8_t *bytes;

    open_world(&world, PAGER_POLICY_RANGE);
    page = world_allocate(&world, 1);
    change = begin(&world);
    WORLD_OK(&world, pager_change_edit(change, page, &bytes));
    random_bytes(&world.random, bytes + 1000, 2100);
    WORLD_OK(&world, pager_change_commit(change, &csn));
    cr_assert_lt(log_size_of_a_move(&world, page, &images), 100u, "its image is in the interval");
    cr_assert_eq(images, 0u);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    cr_assert_gt(log_size_of_a_move(&world, page, &images), 1900u,
                 "no image: the bytes themselves");
    cr_assert_eq(images, 0u);
    world_deinit(&world);
}

/* A page that is dirty at the checkpoint's mark belongs to it, even when it is changed again before it
 * is flushed: its oldest change decides. covers: P7 */
Test(change, of_a_page_that_a_checkpoint_waits_for_does_not_take_it_out)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct world world;
    uint32_t page;
    bool more = true;

    open_world(&world, PAGER_POLICY_RANGE);
    page = world_allocate(&world, 1);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    world_fill(&world, page, 500, 0x11, 20);
    world.pager->checkpoint_asked = true;
    WORLD_OK(&world, pager__checkpoint_step(world.pager, &more)); /* The mark. */
    world_fill(&world, page, 2500, 0x22, 20);
    while (more && world.pager->checkpoint_state != CHECKPOINT_IDLE)
        WORLD_OK(&world, pager__checkpoint_step(world.pager, &more));
    cr_assert_eq(statistics_of(&world).checkpoint_count, 2u);
    WORLD_OK(&world, world_flush(&world));
    world_crash(&world, &crash, 0);
    close_world(&world);
}

/* Evicts the page by bringing in many others. */
static void
evict(struct world *world, uint32_t page_number)
{
    uint8_t page[PAGE_SIZE];

    WORLD_OK(world, pager_checkpoint(world->pager));
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t number = PAGE_CATALOG_ROOT; number < pager_page_count(world->pager); number++)
            if (number != page_number)
                WORLD_OK(world, pager_copy(world->pager, number, page));
    }
}

Test(change, names_what_is_missing_and_resolve_brings_it_in)
{
    struct world world;
    struct pager_change *change;
    const uint8_t *seen;
    uint32_t first;
    uint8_t *bytes;
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    first = world_allocate(&world, 1);
    for (int index = 0; index < 150; index++)
        (void)world_allocate(&world, 2);
    evict(&world, first);
    change = begin(&world);
    cr_assert_eq(pager_change_edit(change, first, &bytes), STATUS_MISSING);
    cr_assert_eq(pager_change_commit(change, &csn), STATUS_MISSING, "nor can it be committed");
    change = begin(&world);
    cr_assert_eq(pager_change_read(change, first, &seen), STATUS_MISSING);
    cr_assert_eq(pager_change_commit(change, &csn), STATUS_MISSING, "even if it only read");
    WORLD_OK(&world, pager_change_resolve(world.pager));
    WORLD_OK(&world, pager_change_resolve(world.pager));
    change = begin(&world);
    WORLD_OK(&world, pager_change_edit(change, first, &bytes));
    cr_assert_eq(bytes[100], 1);
    pager_change_abandon(change);
    close_world(&world);
}

Test(change, beyond_its_limit_is_refused_whole)
{
    struct world world;
    struct pager_change *change;
    uint32_t pages[30], count = 0;
    enum status status = STATUS_OK;
    uint64_t csn;
    uint8_t *bytes;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (count = 0; count < 30; count++)
        pages[count] = world_allocate(&world, 1);
    csn = pager_csn(world.pager);
    change = begin(&world);
    for (count = 0; count < 30 && status == STATUS_OK; count++) {
        status = pager_change_edit(change, pages[count], &bytes);
        if (status == STATUS_MISSING) {
            pager_change_abandon(change);
            WORLD_OK(&world, pager_change_resolve(world.pager));
            change = begin(&world);
            count = UINT32_MAX;
            status = STATUS_OK;
        } else if (status == STATUS_OK) {
            bytes[100] = 9;
        }
    }
    cr_assert_eq(status, STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), "24 pages"));
    cr_assert_eq(pager_change_commit(change, &csn), STATUS_FULL, "half of a change is no change");
    cr_assert_eq(byte_of(&world, pages[0], 100), 1);
    close_world(&world);
}

Test(change, refuses_pages_that_the_file_does_not_have)
{
    struct world world;
    struct pager_change *change;
    const uint8_t *seen;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 1);
    change = begin(&world);
    cr_assert_eq(pager_change_read(change, 1, &seen), STATUS_CORRUPT);
    cr_assert_eq(pager_change_read(change, 100000, &seen), STATUS_CORRUPT);
    WORLD_OK(&world, pager_change_free(change, page));
    cr_assert_eq(pager_change_read(change, page, &seen), STATUS_CORRUPT);
    pager_change_abandon(change);
    close_world(&world);
}

/* Reads the log for the note of commit `csn`. */
static bool
log_has_note(struct world *world, uint64_t csn, const char *text)
{
    struct wal_reader *reader;
    struct wal_record record;
    bool found = false;

    WORLD_OK(world, wal_reader_open(world->pager->wal, &reader));
    while (wal_reader_next(reader, &record) == STATUS_OK) {
        if (record.type == WAL_RECORD_NOTE && record.csn == csn && record.size == strlen(text) &&
            memcmp(record.body, text, record.size) == 0)
            found = true;
    }
    wal_reader_close(reader);
    return found;
}

Test(change, hands_notes_to_the_log_with_their_commit)
{
    struct world world;
    struct pager_change *change;
    uint64_t csn;

    open_world(&world, PAGER_POLICY_IMAGE);
    (void)world_allocate(&world, 1);
    change = begin(&world);
    WORLD_OK(&world, pager_change_note(change, "hello", 5));
    WORLD_OK(&world, pager_change_commit(change, &csn));
    WORLD_OK(&world, pager_flush(world.pager, csn));
    cr_assert(log_has_note(&world, csn, "hello"));
    cr_assert_not(log_has_note(&world, csn - 1, "hello"));
    close_world(&world);
}

/* A note larger than the record buffer asks for room first. */
Test(change, takes_notes_of_any_size_that_the_log_takes)
{
    struct world world;
    struct pager_change *change;
    enum status status = STATUS_MISSING;
    uint8_t *note = calloc(1, 200000);
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    uint64_t csn;

    options.log_buffer_count = 32;
    world_init(&world, 1, &options);
    world_open(&world);
    for (int tries = 0; tries < 10 && status == STATUS_MISSING; tries++) {
        change = begin(&world);
        status = pager_change_note(change, note, 200000);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(&world, pager_change_resolve(world.pager));
    }
    cr_assert_eq(status, STATUS_OK);
    free(note);
    close_world(&world);
}

Test(change, is_refused_by_a_read_only_handle)
{
    struct world world;
    struct pager_change *change;

    open_world(&world, PAGER_POLICY_IMAGE);
    world_close(&world);
    world.options.create = false;
    world.options.read_only = true;
    world_open(&world);
    cr_assert_eq(pager_change_begin(world.pager, &change), STATUS_READONLY);
    world_close(&world);
    world_deinit(&world);
}

Test(change, is_refused_after_the_log_failed_and_reads_go_on)
{
    struct world world;
    struct pager_change *change;
    uint32_t page;

    open_world(&world, PAGER_POLICY_IMAGE);
    page = world_allocate(&world, 7);
    io_sim_fail_at(world.io, io_sim_op_count(world.io), IO_SIM_FAULT_EIO, true);
    cr_assert_neq(pager_flush(world.pager, pager_csn(world.pager)), STATUS_OK);
    cr_assert(pager_is_failed(world.pager));
    cr_assert_eq(pager_change_begin(world.pager, &change), STATUS_FAILED);
    cr_assert_eq(byte_of(&world, page, 100), 7);
    io_sim_fail_at(world.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
    cr_assert_eq(world_try_close(&world), STATUS_FAILED);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* covers: P2 */
Test(change, every_published_page_is_sealed)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    const char *reason;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int step = 0; step < 200; step++)
        WORLD_OK(&world, world_step(&world));
    for (uint32_t number = MAP_FIRST_PAGE; number < pager_page_count(world.pager); number++) {
        if (world.hashes[number] == 0 && !page_is_map(number))
            continue;
        WORLD_OK(&world, pager_copy(world.pager, number, page));
        cr_assert_eq(page_validate(page, pager_file_id(world.pager), number, &reason), STATUS_OK,
                     "page %u: %s", number, reason);
    }
    close_world(&world);
}

/* Whatever was changed must come back from the log alone. covers: P4 */
Test(change, records_cover_every_byte_that_changed)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct pager_options options =
            world_options(seed % 2 == 0 ? PAGER_POLICY_IMAGE : PAGER_POLICY_RANGE);
        struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
        struct world world;

        world_init(&world, seed, &options);
        world_open(&world);
        for (int step = 0; step < 60; step++) {
            WORLD_OK(&world, world_change(&world, 4));
            WORLD_OK(&world, world_flush(&world));
            if (step % 10 == 9)
                world_crash(&world, &crash, 0);
        }
        close_world(&world);
    }
}
