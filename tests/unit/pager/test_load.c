/*
 * Goal: prove that a page is handed out only as it was last flushed: anything else on the disk is
 * repaired from the log or refused, with a message that names the page, and hurts nobody else.
 * Method: a small file on the simulated disk, closed cleanly so that no log can help. Bytes are
 * changed behind the pager's back in every way a disk does it: rot, zeros, another page's bytes, an
 * older or newer version, unreadable sectors, in data pages and in each level of the map. Then the
 * same with a log that holds the page's image.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { PAGES = 20, FIRST = PAGE_CATALOG_ROOT + 1, VICTIM = FIRST + 7, VALUE = 1000 };

/* A file of PAGES pages with values VALUE + i, closed. */
static void
build(struct pager_rig *rig)
{
    pager_rig_init(rig, 1);
    pager_rig_open(rig);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_allocate(rig, VALUE + i), FIRST + i);
    pager_rig_close(rig);
}

static void
page_peek(struct pager_rig *rig, uint32_t page_number, void *out)
{
    MUST(io_sim_peek(rig->io, RIG_PATH, (uint64_t)page_number * PAGE_SIZE, out, PAGE_SIZE));
}

static void
page_poke(struct pager_rig *rig, uint32_t page_number, const void *bytes)
{
    MUST(io_sim_overwrite(rig->io, RIG_PATH, (uint64_t)page_number * PAGE_SIZE, bytes, PAGE_SIZE));
}

static void
flip(struct pager_rig *rig, uint32_t page_number, uint32_t bit)
{
    MUST(io_sim_flip_bit(rig->io, RIG_PATH, (uint64_t)page_number * PAGE_SIZE * 8 + bit));
}

static uint32_t
frame_of(const struct pager *pager, uint32_t page_number)
{
    return (uint32_t)(atomic_load(&pager->table.words[page_number]) & WORD_FRAME_MASK);
}

static uint32_t
pinned_count(const struct pager *pager)
{
    uint32_t count = 0;

    for (uint32_t frame = 1; frame < pager__frame_end(pager); frame++)
        count += pager->frame[frame].pins != 0;
    return count;
}

/* Pinning `page_number` is refused with `status`, naming `named` and saying `text`. */
static void
expect_refused_at(struct pager_rig *rig, uint32_t page_number, enum status status, uint32_t named,
                  const char *text)
{
    uint32_t free_before = rig->pager->free_frames;
    struct pager_pin pin;
    char name[32];

    snprintf(name, sizeof(name), "page %u", named);
    cr_assert_eq(pager_pin(rig->pager, page_number, &pin), status, "%s", error_message());
    cr_assert_not_null(strstr(error_message(), name), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), RIG_PATH), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), text), "%s", error_message());
    uint64_t word = atomic_load(&rig->pager->table.words[named]);
    cr_assert_eq(word & (WORD_VERSION_ONE - 1), 0, "absent, not locked, nobody waits");
    cr_assert_eq(pinned_count(rig->pager), 0);
    cr_assert_leq(free_before - rig->pager->free_frames, 2, "but its map pages may be");
}

static void
expect_refused(struct pager_rig *rig, uint32_t page_number, const char *text)
{
    expect_refused_at(rig, page_number, STATUS_CORRUPT, page_number, text);
}

static void
expect_others(struct pager_rig *rig, uint32_t but)
{
    for (uint32_t i = 0; i < PAGES; i++)
        if (FIRST + i != but)
            cr_assert_eq(pager_rig_get(rig, FIRST + i), VALUE + i);
}

/* Pages of several groups of the map, many times what the pool holds: each is one read whenever it is wanted, and
 * the map pages are read once. covers: P18 */
Test(load, a_page_read_is_one_read_with_the_smallest_pool)
{
    enum { GROUPS = 4, COUNT = GROUPS * MAP_GROUP_SIZE, ROUNDS = 3 };
    struct pager_statistics before, after;
    struct pager_rig rig;
    uint32_t last = 0;

    pager_rig_init(&rig, 1);
    pager_rig_open(&rig);
    while (last < COUNT)
        last = pager_rig_allocate(&rig, VALUE);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    pager_get_statistics(rig.pager, &before);
    uint32_t reads = 0;

    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t page = FIRST; page <= last; page++)
            if (!page_is_map(page)) {
                cr_assert_eq(pager_rig_get(&rig, page), VALUE);
                reads++;
            }
    pager_get_statistics(rig.pager, &after);
    cr_assert_eq(after.map_read_count - before.map_read_count, GROUPS + 1);
    cr_assert_eq(after.page_read_count - before.page_read_count, reads + GROUPS + 1);
    cr_assert_eq(after.inner_read_count, before.inner_read_count, "they are leaves");
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P3, P5 */
Test(load, a_page_comes_in_as_it_was_flushed_and_is_read_once)
{
    struct pager_statistics statistics;
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    for (int round = 0; round < 2; round++)
        expect_others(&rig, 0);
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.page_read_count, PAGES + 2, "each once, and two map pages");
    cr_assert_eq(statistics.page_write_count, 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P5 */
Test(load, refuses_rot_zeros_and_another_pages_bytes)
{
    uint8_t good[PAGE_SIZE], bytes[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    page_peek(&rig, VICTIM, good);
    pager_rig_open(&rig);

    flip(&rig, VICTIM, 12345);
    expect_refused(&rig, VICTIM, "checksum");
    memset(bytes, 0, sizeof(bytes));
    page_poke(&rig, VICTIM, bytes);
    expect_refused(&rig, VICTIM, "zeros");
    page_peek(&rig, VICTIM + 1, bytes);
    page_poke(&rig, VICTIM, bytes);
    expect_refused(&rig, VICTIM, "misdirected");
    expect_others(&rig, VICTIM);

    page_poke(&rig, VICTIM, good);
    cr_assert_eq(pager_rig_get(&rig, VICTIM), VALUE + VICTIM - FIRST, "well again");
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P3 */
Test(load, refuses_a_page_whose_last_write_was_lost)
{
    uint8_t old[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    page_peek(&rig, VICTIM, old);
    pager_rig_open(&rig);
    pager_rig_set(&rig, VICTIM, 5);
    pager_rig_close(&rig);
    page_poke(&rig, VICTIM, old);
    pager_rig_open(&rig);
    expect_refused(&rig, VICTIM, "older");
    expect_others(&rig, VICTIM);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P3 */
Test(load, refuses_a_page_newer_than_its_witness)
{
    uint8_t old[4][PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    for (uint32_t i = 0; i < 4; i++)
        page_peek(&rig, i, old[i]);
    pager_rig_open(&rig);
    pager_rig_set(&rig, VICTIM, 5);
    pager_rig_close(&rig);
    for (uint32_t i = 0; i < 4; i++)
        page_poke(&rig, i, old[i]); /* Meta slots and map as they were: consistent, but old. */
    pager_rig_open(&rig);
    expect_refused(&rig, VICTIM, "newer");
    expect_others(&rig, VICTIM);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P3, P5 */
Test(load, refuses_what_a_damaged_map_page_names_and_says_which)
{
    uint8_t old[PAGE_SIZE], good[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    for (uint32_t map = MAP_FIRST_PAGE; map <= MAP_LEVEL1_FIRST_PAGE; map++) {
        page_peek(&rig, map, old);
        pager_rig_open(&rig);
        pager_rig_set(&rig, VICTIM, VALUE + VICTIM - FIRST + map);
        pager_rig_set(&rig, VICTIM, VALUE + VICTIM - FIRST);
        pager_rig_close(&rig);
        page_peek(&rig, map, good);

        flip(&rig, map, 8000);
        pager_rig_open(&rig);
        expect_refused_at(&rig, VICTIM, STATUS_CORRUPT, map, "checksum");
        page_poke(&rig, map, old);
        expect_refused_at(&rig, VICTIM, STATUS_CORRUPT, map, "older");
        page_poke(&rig, map, good);
        expect_others(&rig, 0);
        pager_rig_close(&rig);
    }
    pager_rig_deinit(&rig);
}

/* covers: P5 */
Test(load, refuses_an_unreadable_page_until_it_can_be_read)
{
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    MUST(io_sim_bad_range(rig.io, RIG_PATH, VICTIM * PAGE_SIZE + 512, 512));
    expect_refused_at(&rig, VICTIM, STATUS_IO, VICTIM, "cannot be read");
    expect_others(&rig, VICTIM);
    MUST(io_sim_bad_range(rig.io, RIG_PATH, 0, 0));
    expect_others(&rig, 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(load, refuses_numbers_that_name_no_page)
{
    struct pager_rig rig;
    struct pager_pin pin;

    build(&rig);
    pager_rig_open(&rig);
    uint32_t page_count = pager_page_count(rig.pager);
    uint32_t numbers[] = {0, 1, page_count, page_count + 1, 1 << 20, PAGE_NONE};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        cr_assert_eq(pager_pin(rig.pager, numbers[i], &pin), STATUS_CORRUPT, "%u", numbers[i]);
        cr_assert_not_null(strstr(error_message(), "there is no page"));
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P5 */
Test(load, refuses_free_and_unused_pages)
{
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    pager_rig_free(&rig, VICTIM);
    cr_assert_eq(frame_of(rig.pager, VICTIM), 0);
    uint64_t before = io_sim_op_count(rig.io);
    expect_refused(&rig, VICTIM, "free");
    cr_assert_eq(io_sim_op_count(rig.io), before, "the map is enough to know");
    expect_others(&rig, VICTIM);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    expect_refused(&rig, VICTIM, "free");
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* The map says something else of the page. */
static enum status
set_entry_once(struct pager_rig *rig, uint32_t page_number, struct map_entry entry)
{
    struct pager_change *change;
    uint8_t *map;
    uint64_t csn;

    TRY(pager_change_begin(rig->pager, &change));
    enum status status = pager_change_edit(change, map_page_of(page_number), &map);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    map_entry_set(map, map_index_of(page_number), entry);
    return pager_change_commit(change, &csn);
}

static void
set_entry(struct pager_rig *rig, uint32_t page_number, struct map_entry entry)
{
    enum status status;

    while ((status = set_entry_once(rig, page_number, entry)) == STATUS_MISSING)
        MUST(pager_change_resolve(rig->pager));
    MUST(status);
}

/* The CSN stays. */
static void
set_state(struct pager_rig *rig, uint32_t page_number, enum page_state state)
{
    uint8_t map[PAGE_SIZE];

    MUST(pager_copy(rig->pager, map_page_of(page_number), map));
    struct map_entry entry = map_entry_get(map, map_index_of(page_number));
    entry.state = state;
    set_entry(rig, page_number, entry);
}

Test(load, refuses_a_fenced_page_and_one_never_handed_out)
{
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    (void)pager_rig_get(&rig, VICTIM);
    pager__drop(rig.pager, VICTIM);
    set_state(&rig, VICTIM, PAGE_STATE_FENCED);
    expect_refused(&rig, VICTIM, "fenced");
    set_state(&rig, VICTIM, PAGE_STATE_UNUSED);
    expect_refused(&rig, VICTIM, "never handed out");
    set_state(&rig, VICTIM, PAGE_STATE_MAP);
    expect_refused(&rig, VICTIM, "takes it for a map page");
    set_state(&rig, VICTIM, PAGE_STATE_USED);
    expect_others(&rig, 0);
    pager_rig_kill(&rig);
    pager_rig_deinit(&rig);
}

/* Every flipped bit of every page is refused, or read back as it was after it is flipped back. */
/* covers: P5 */
Test(load, refuses_any_flipped_bit)
{
    struct random random;
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    random_init(&random, 7);
    for (int round = 0; round < 2000; round++) {
        uint32_t page_number = FIRST + (uint32_t)random_below(&random, PAGES);
        uint32_t bit = (uint32_t)random_below(&random, PAGE_SIZE * 8);

        if (frame_of(rig.pager, page_number) != 0)
            pager__drop(rig.pager, page_number);
        flip(&rig, page_number, bit);
        expect_refused(&rig, page_number, "");
        flip(&rig, page_number, bit);
        cr_assert_eq(pager_rig_get(&rig, page_number), VALUE + page_number - FIRST);
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* With a log. */

/* A page changed since R, flushed, absent: the log holds its image. */
static void
build_with_log(struct pager_rig *rig)
{
    build(rig);
    pager_rig_open(rig);
    pager_rig_set(rig, VICTIM, 77);
    pager_rig_set(rig, VICTIM, 78);
    pager_rig_evict(rig, VICTIM);
    cr_assert_eq(frame_of(rig->pager, VICTIM), 0);
}

/* covers: P5 */
Test(load, repairs_a_damaged_page_from_the_log_and_takes_it_for_dirty)
{
    struct pager_statistics statistics;
    uint8_t bytes[PAGE_SIZE];
    struct pager_rig rig;
    const char *reason;

    build_with_log(&rig);
    flip(&rig, VICTIM, 20000);
    cr_assert_eq(pager_rig_get(&rig, VICTIM), 78);
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.repair_count, 1);
    cr_assert_neq(rig.pager->frame[frame_of(rig.pager, VICTIM)].csn_dirty, 0);
    pager_rig_close(&rig);
    page_peek(&rig, VICTIM, bytes);
    MUST(page_validate(bytes, rig.options.file_id, VICTIM, &reason));
    pager_rig_open(&rig);
    cr_assert_eq(pager_rig_get(&rig, VICTIM), 78);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P3, P5 */
Test(load, repairs_stale_and_unreadable_pages_too)
{
    uint8_t old[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    page_peek(&rig, VICTIM, old);
    pager_rig_open(&rig);
    pager_rig_set(&rig, VICTIM, 78);
    pager_rig_evict(&rig, VICTIM);
    page_poke(&rig, VICTIM, old);
    cr_assert_eq(pager_rig_get(&rig, VICTIM), 78, "its last write had been lost");
    pager_rig_evict(&rig, VICTIM);
    MUST(io_sim_bad_range(rig.io, RIG_PATH, VICTIM * PAGE_SIZE, PAGE_SIZE));
    cr_assert_eq(pager_rig_get(&rig, VICTIM), 78, "its sectors are gone");
    MUST(io_sim_bad_range(rig.io, RIG_PATH, 0, 0));
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* The log gives a sound page, but not the one that was flushed last. */
/* covers: P3 */
Test(load, refuses_a_repair_that_does_not_arrive_at_the_witness)
{
    struct pager_rig rig;

    build_with_log(&rig);
    set_entry(&rig, VICTIM, (struct map_entry){.state = PAGE_STATE_USED, .csn = 100000});
    flip(&rig, VICTIM, 20000);
    expect_refused(&rig, VICTIM, "expected 100000");
    pager_rig_kill(&rig);
    pager_rig_deinit(&rig);
}

Test(load, refuses_a_page_the_log_knows_nothing_of)
{
    struct pager_rig rig;

    build_with_log(&rig);
    flip(&rig, VICTIM + 1, 20000);
    expect_refused(&rig, VICTIM + 1, "checksum");
    cr_assert_eq(pager_rig_get(&rig, VICTIM), 78);
    pager_rig_kill(&rig);
    pager_rig_deinit(&rig);
}

/* Pools that are full. */

Test(load, says_so_when_every_frame_is_pinned)
{
    struct pager_pin pins[64];
    struct pager_rig rig;
    uint32_t count = 0;
    enum status status;

    pager_rig_init(&rig, 1);
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < 100; i++)
        (void)pager_rig_allocate(&rig, i);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    while ((status = pager_pin(rig.pager, FIRST + count, &pins[count])) == STATUS_OK)
        count++;
    cr_assert_eq(status, STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), "pinned"), "%s", error_message());
    cr_assert_eq(count, 64 - FRAME_RESERVE, "all but the reserve; the map has its own");
    pager_unpin(rig.pager, &pins[0]);
    MUST(pager_pin(rig.pager, FIRST + count, &pins[0]));
    for (uint32_t i = 0; i < count; i++)
        pager_unpin(rig.pager, &pins[i]);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(load, makes_room_in_a_pool_full_of_dirty_pages)
{
    uint32_t numbers[300];
    struct pager_rig rig;

    pager_rig_init(&rig, 1);
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < 300; i++)
        numbers[i] = pager_rig_allocate(&rig, i);
    for (uint32_t i = 0; i < 300; i++)
        cr_assert_eq(pager_rig_get(&rig, numbers[i]), i);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Copies. */

Test(load, copies_pages_resident_or_not_and_refuses_as_a_pin_does)
{
    uint8_t copy[PAGE_SIZE], bytes[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig);
    pager_rig_open(&rig);
    page_peek(&rig, VICTIM, bytes);
    for (int round = 0; round < 2; round++) {
        memset(copy, 0xee, sizeof(copy));
        MUST(pager_copy(rig.pager, VICTIM, copy));
        cr_assert_arr_eq(copy, bytes, PAGE_SIZE);
    }
    flip(&rig, VICTIM + 1, 5);
    cr_assert_eq(pager_copy(rig.pager, VICTIM + 1, copy), STATUS_CORRUPT);
    cr_assert_eq(pinned_count(rig.pager), 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Raw loads, for recovery. */

Test(load, a_raw_load_gives_what_the_disk_has)
{
    uint8_t bytes[PAGE_SIZE];
    struct pager_rig rig;
    struct pager_pin pin;
    bool unreadable = true;

    build(&rig);
    pager_rig_open(&rig);
    flip(&rig, VICTIM, 999);
    page_peek(&rig, VICTIM, bytes);
    MUST(pager__load_raw(rig.pager, VICTIM, &pin, &unreadable));
    cr_assert_not(unreadable);
    cr_assert_arr_eq(pin.bytes, bytes, PAGE_SIZE);
    pager_unpin(rig.pager, &pin);

    memset(bytes, 0, sizeof(bytes));
    MUST(io_sim_bad_range(rig.io, RIG_PATH, (VICTIM + 1) * PAGE_SIZE, 512));
    pager__drop(rig.pager, VICTIM); /* Its frame, with its bytes, is the next one taken. */
    MUST(pager__load_raw(rig.pager, VICTIM + 1, &pin, &unreadable));
    cr_assert(unreadable);
    cr_assert_arr_eq(pin.bytes, bytes, PAGE_SIZE);
    pager_unpin(rig.pager, &pin);
    MUST(pager__load_raw(rig.pager, 1 << 16, &pin, &unreadable));
    cr_assert_not(unreadable, "past the end of the file there are zeros");
    cr_assert_arr_eq(pin.bytes, bytes, PAGE_SIZE);
    pager_unpin(rig.pager, &pin);
    cr_assert_eq(pinned_count(rig.pager), 0);
    pager_rig_kill(&rig);
    pager_rig_deinit(&rig);
}

/* Each operation on the way of a cold pin fails once: refused or done, and fine the next time. */
Test(load, survives_each_failing_read_and_allocation)
{
    struct pager_rig rig;
    struct pager_pin pin;

    build(&rig);
    for (uint64_t index = 0; index < 5; index++) {
        pager_rig_open(&rig);
        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, IO_SIM_FAULT_EIO, false);
        enum status status = pager_pin(rig.pager, VICTIM, &pin);
        cr_assert_eq(status, index < 3 ? STATUS_IO : STATUS_OK, "at %d", (int)index);
        if (status == STATUS_OK)
            pager_unpin(rig.pager, &pin);
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        cr_assert_eq(pinned_count(rig.pager), 0);
        expect_others(&rig, 0);
        pager_rig_close(&rig);
    }
    pager_rig_deinit(&rig);
}
