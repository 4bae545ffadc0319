/*
 * Goal: a crash leaves every state that the promises of io.h allow, and no other.
 * Method: small sets of pending things whose allowed states are written down by hand and compared with
 * what all masks give; each crash mode against its definition; what is durable against everything.
 */
#include "tests/unit/base/sim_help.h"

#include "kernel/base/io_sim_private.h"

static struct memory *memory;
static struct io *io;

static void
open_disk(void)
{
    memory = memory_new();
    io = sim_new(memory, 1);
}

static void
close_disk(void)
{
    io_close_all(io);
    cr_expect_eq(memory_live_count(memory), 0);
    memory_delete(memory);
}

TestSuite(io_sim_crash, .init = open_disk, .fini = close_disk);

/* The text of one file, or of two as "a|b", after a crash. */
static const char *
after(struct io *disk, enum io_sim_crash_mode mode, uint64_t index, uint64_t seed, const char *path,
      const char *path_too)
{
    static char text[256];
    struct io *fork = sim_crash(disk, mode, index, seed);

    snprintf(text, sizeof(text), "%s", sim_text(fork, path));
    if (path_too != NULL)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "|%s", sim_text(fork, path_too));
    cr_assert_eq(io_sim_pending_count(fork), 0);
    io_close_all(fork);
    return text;
}

/* True if `text` is one of the words of `list`, which are separated by blanks. */
static bool
is_listed(const char *list, const char *text)
{
    size_t size = strlen(text);

    for (const char *word = list; *word != '\0'; word += strcspn(word, " ")) {
        word += strspn(word, " ");
        if (strcspn(word, " ") == size && memcmp(word, text, size) == 0)
            return true;
    }
    return false;
}

/* Adds the text to the list of words if it is not there. */
static void
list_add(char *list, size_t list_size, const char *text)
{
    if (is_listed(list, text))
        return;
    sim_append(list, list_size, text);
    sim_append(list, list_size, " ");
}

/* Every word of `list` is in `other`. */
static void
assert_within(const char *list, const char *other, const char *what)
{
    char word[256];

    while (list[strspn(list, " ")] != '\0') {
        list += strspn(list, " ");
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(list, " "), list);
        cr_assert(is_listed(other, word), "%s %s: %s", word, what, other);
        list += strlen(word);
    }
}

static void
assert_same_lists(const char *found, const char *allowed)
{
    assert_within(found, allowed, "is not allowed");
    assert_within(allowed, found, "did not come");
}

/* Every mask of the pending units gives one of the allowed states, and each allowed state comes. */
static void
assert_masks_give(const char *path, const char *path_too, uint64_t units, const char *allowed)
{
    static char found[8192];

    found[0] = '\0';
    cr_assert_eq(io_sim_pending_count(io), units);
    for (uint64_t mask = 0; mask < UINT64_C(1) << units; mask++)
        list_add(found, sizeof(found), after(io, IO_SIM_CRASH_MASK, mask, 0, path, path_too));
    assert_same_lists(found, allowed);
}

Test(io_sim_crash, what_was_synced_survives_everything)
{
    struct io_file *file = sim_durable_file(io, "/a", 4, 'a');

    for (uint64_t mode = IO_SIM_CRASH_LOST; mode <= IO_SIM_CRASH_PROCESS; mode++)
        cr_assert_str_eq(after(io, (enum io_sim_crash_mode)mode, 1, 2, "/a", NULL), "aaaa");
    cr_assert_eq(io_sim_pending_count(io), 0);
    io_close(file);
}

Test(io_sim_crash, each_unsynced_sector_is_kept_or_lost_on_its_own)
{
    struct io_file *file = sim_durable_file(io, "/a", 3, 'a');

    sim_fill(file, 0, 3, 'b', 0);
    assert_masks_give("/a", NULL, 3, "aaa aab aba abb baa bab bba bbb");
    io_close(file);
}

Test(io_sim_crash, a_sector_may_hold_any_version_since_the_last_sync)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');

    sim_fill(file, 0, 1, 'x', 0);
    ASSERT_OK(io_sync(file));
    sim_fill(file, 0, 2, 'b', 0);
    sim_fill(file, 1, 1, 'c', 0);
    sim_fill(file, 0, 2, 'd', 0);
    assert_masks_give("/a", NULL, 5, "xa xb xc xd ba bb bc bd da db dc dd");
    io_close(file);
}

Test(io_sim_crash, a_lost_size_takes_the_bytes_past_it_and_a_lost_sector_leaves_zeros)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');

    sim_fill(file, 1, 1, 'b', 0);
    sim_fill(file, 2, 1, 'c', 0);
    /* Either size may survive; the file never ends in between. */
    assert_masks_give("/a", NULL, 4, "a a. ab a.. ab. a.c abc");
    io_close(file);
}

Test(io_sim_crash, a_truncation_is_kept_or_lost)
{
    struct io_file *file = sim_durable_file(io, "/a", 3, 'a');

    ASSERT_OK(io_truncate(file, SECTOR));
    assert_masks_give("/a", NULL, 1, "a aaa");
    ASSERT_OK(io_truncate(file, 2 * SECTOR));
    /* The growth without the cut shows bytes that had been cut off. */
    assert_masks_give("/a", NULL, 2, "a aaa aa a.");
    ASSERT_OK(io_sync(file));
    assert_masks_give("/a", NULL, 0, "a.");
    io_close(file);
}

Test(io_sim_crash, an_allocation_is_a_size)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');

    ASSERT_OK(io_allocate(file, 0, 3 * SECTOR));
    assert_masks_give("/a", NULL, 1, "a a..");
    ASSERT_OK(io_sync(file));
    assert_masks_give("/a", NULL, 0, "a..");
    io_close(file);
}

Test(io_sim_crash, bytes_inside_a_sector_go_with_it)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');
    struct io *fork;

    ASSERT_OK(io_write(file, "b", 1, 5, 0));
    ASSERT_OK(io_write(file, "c", 1, 9, 0));
    cr_assert_eq(io_sim_pending_count(io), 2);
    for (uint64_t mask = 0; mask < 4; mask++) {
        uint8_t bytes[SECTOR];

        fork = sim_crash(io, IO_SIM_CRASH_MASK, mask, 0);
        ASSERT_OK(io_sim_peek(fork, "/a", 0, bytes, SECTOR));
        cr_assert_eq(bytes[5], mask == 0 ? 'a' : 'b', "the sector is written whole");
        cr_assert_eq(bytes[9], (mask & 2) != 0 ? 'c' : 'a');
        io_close_all(fork);
    }
    io_close(file);
}

Test(io_sim_crash, a_durable_write_survives_with_the_size_it_needs)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');

    sim_fill(file, 0, 3, 'b', 0);
    sim_fill(file, 1, 1, 'c', IO_DURABLE);
    /* The older version of sector 1 and sizes up to its end are out of the question now. */
    assert_masks_give("/a", NULL, 3, "ac bc ac. bc. acb bcb");
    io_close(file);
}

Test(io_sim_crash, a_durable_write_makes_nothing_else_durable)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');
    struct io_file *other = sim_durable_file(io, "/b", 1, 'a');

    sim_fill(file, 0, 1, 'b', 0);
    sim_fill(other, 0, 1, 'b', 0);
    sim_fill(file, 1, 1, 'c', IO_DURABLE);
    assert_masks_give("/a", "/b", 2, "ac|a ac|b bc|a bc|b");
    io_close(file);
    io_close(other);
}

Test(io_sim_crash, a_durable_write_after_a_cut_is_not_undone_by_it)
{
    struct io_file *file = sim_durable_file(io, "/a", 3, 'a');

    ASSERT_OK(io_truncate(file, 0));
    sim_fill(file, 0, 1, 'b', IO_DURABLE);
    assert_masks_give("/a", NULL, 0, "b");
    ASSERT_OK(io_truncate(file, 3 * SECTOR));
    ASSERT_OK(io_truncate(file, 2 * SECTOR));
    sim_fill(file, 0, 1, 'c', IO_DURABLE);
    assert_masks_give("/a", NULL, 2, "c c.. c.");
    io_close(file);
}

Test(io_sim_crash, a_sync_is_of_one_file)
{
    struct io_file *a = sim_durable_file(io, "/a", 1, 'a');
    struct io_file *b = sim_durable_file(io, "/b", 1, 'a');

    sim_fill(a, 0, 1, 'b', 0);
    sim_fill(b, 0, 1, 'b', 0);
    ASSERT_OK(io_sync(a));
    assert_masks_give("/a", "/b", 1, "b|a b|b");
    io_close(a);
    io_close(b);
}

Test(io_sim_crash, a_lost_directory_sync_loses_the_name)
{
    struct io_file *file = sim_file(io, "/a");

    sim_fill(file, 0, 1, 'a', IO_DURABLE);
    ASSERT_OK(io_sync(file));
    assert_masks_give("/a", NULL, 1, "- a");
    ASSERT_OK(io_sync_dir(io, "/"));
    assert_masks_give("/a", NULL, 0, "a");
    io_close(file);
}

Test(io_sim_crash, a_removed_file_comes_back_with_what_was_durable)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');

    sim_fill(file, 0, 1, 'b', 0);
    io_close(file);
    ASSERT_OK(io_remove(io, "/a"));
    assert_masks_give("/a", NULL, 2, "- a b");
    ASSERT_OK(io_sync_dir(io, "/"));
    assert_masks_give("/a", NULL, 0, "-");
}

Test(io_sim_crash, a_file_made_anew_under_a_removed_name_is_another_file)
{
    io_close(sim_durable_file(io, "/a", 2, 'a'));
    ASSERT_OK(io_remove(io, "/a"));
    struct io_file *file = sim_file(io, "/a");

    sim_fill(file, 0, 1, 'b', IO_DURABLE);
    assert_masks_give("/a", NULL, 2, "- aa b");
    io_close(file);
}

Test(io_sim_crash, a_rename_is_kept_or_lost_as_one)
{
    io_close(sim_durable_file(io, "/a", 1, 'a'));
    io_close(sim_durable_file(io, "/b", 1, 'b'));
    ASSERT_OK(io_rename(io, "/a", "/b"));
    assert_masks_give("/a", "/b", 1, "a|b -|a");
    ASSERT_OK(io_sync_dir(io, "/"));
    assert_masks_give("/a", "/b", 0, "-|a");
}

Test(io_sim_crash, a_file_renamed_twice_never_has_two_names)
{
    io_close(sim_durable_file(io, "/a", 1, 'a'));
    ASSERT_OK(io_rename(io, "/a", "/b"));
    ASSERT_OK(io_rename(io, "/b", "/c"));
    assert_masks_give("/a", "/b", 2, "a|- -|a -|-");
    assert_masks_give("/a", "/c", 2, "a|- -|- -|a");
}

Test(io_sim_crash, a_move_between_directories_has_two_halves)
{
    ASSERT_OK(io_make_dir(io, "/d"));
    io_close(sim_durable_file(io, "/a", 1, 'a'));
    ASSERT_OK(io_rename(io, "/a", "/d/b"));
    assert_masks_give("/a", "/d/b", 2, "a|- a|a -|a -|-");
    ASSERT_OK(io_sync_dir(io, "/d"));
    assert_masks_give("/a", "/d/b", 1, "a|a -|a");
    ASSERT_OK(io_sync_dir(io, "/"));
    assert_masks_give("/a", "/d/b", 0, "-|a");
}

Test(io_sim_crash, a_directory_whose_name_is_lost_takes_its_files)
{
    ASSERT_OK(io_make_dir(io, "/d"));
    struct io_file *file = sim_file(io, "/d/a");

    sim_fill(file, 0, 1, 'a', IO_DURABLE);
    ASSERT_OK(io_sync_dir(io, "/d"));
    assert_masks_give("/d/a", NULL, 1, "- a");
    struct io *empty = sim_new(memory, 1);
    struct io *fork = sim_crash(io, IO_SIM_CRASH_LOST, 0, 0);

    cr_assert_eq(io_sim_image_hash(fork), io_sim_image_hash(empty));
    io_close_all(fork);
    io_close_all(empty);
    ASSERT_OK(io_sync_dir(io, "/"));
    assert_masks_give("/d/a", NULL, 0, "a");
    io_close(file);
}

Test(io_sim_crash, a_directory_removed_for_good_leaves_nothing_pending)
{
    ASSERT_OK(io_make_dir(io, "/d"));
    ASSERT_OK(io_make_dir(io, "/d/e"));
    struct io_file *file = sim_file(io, "/d/e/a");

    sim_fill(file, 0, 3, 'a', 0);
    ASSERT_OK(io_sync_dir(io, "/d/e"));
    ASSERT_OK(io_sync_dir(io, "/d"));
    ASSERT_OK(io_sync_dir(io, "/"));
    io_close(file);
    ASSERT_OK(io_remove(io, "/d/e/a"));
    ASSERT_OK(io_remove_dir(io, "/d/e"));
    ASSERT_OK(io_remove_dir(io, "/d"));
    cr_assert_eq(io_sim_pending_count(io), 4 + 3, "four of the file, three names");
    ASSERT_OK(io_sync_dir(io, "/"));
    cr_assert_eq(io_sim_pending_count(io), 0);
}

/* Two files with pending sectors, sizes and names, in a known order of issue. */
static uint64_t
make_mixture(void)
{
    struct io_file *a = sim_durable_file(io, "/a", 2, 'a');
    struct io_file *b = sim_file(io, "/b"); /* name */

    sim_fill(a, 0, 2, 'b', 0); /* two sectors */
    sim_fill(b, 0, 1, 'x', 0); /* size, sector */
    sim_fill(a, 1, 2, 'c', 0); /* size, two sectors */
    io_close(a);
    io_close(b);
    return 8;
}

Test(io_sim_crash, prefixes_follow_the_order_of_issue)
{
    static const char *const expected[] = {"aa|-", "aa|",   "ba|",   "bb|",  "bb|.",
                                           "bb|x", "bb.|x", "bc.|x", "bcc|x"};
    uint64_t units = make_mixture();

    cr_assert_eq(io_sim_pending_count(io), units);
    for (uint64_t i = 0; i <= units; i++)
        cr_assert_str_eq(after(io, IO_SIM_CRASH_PREFIX, i, 0, "/a", "/b"), expected[i], "prefix %d",
                         (int)i);
    cr_assert_str_eq(after(io, IO_SIM_CRASH_PREFIX, 99, 0, "/a", "/b"), "bcc|x");
}

Test(io_sim_crash, every_mode_is_a_mask)
{
    uint64_t units = make_mixture();
    uint64_t all = (UINT64_C(1) << units) - 1;
    char text[256];

#define ASSERT_IS_MASK(mode, index, mask)                                          \
    do {                                                                           \
        snprintf(text, sizeof(text), "%s", after(io, mode, index, 0, "/a", "/b")); \
        cr_assert_str_eq(after(io, IO_SIM_CRASH_MASK, mask, 0, "/a", "/b"), text); \
    } while (0)
    ASSERT_IS_MASK(IO_SIM_CRASH_LOST, 0, 0);
    ASSERT_IS_MASK(IO_SIM_CRASH_KEPT, 0, all);
    for (uint64_t i = 0; i <= units; i++) {
        ASSERT_IS_MASK(IO_SIM_CRASH_PREFIX, i, (UINT64_C(1) << i) - 1);
        ASSERT_IS_MASK(IO_SIM_CRASH_DROP_ONE, i, all & ~(UINT64_C(1) << i));
        ASSERT_IS_MASK(IO_SIM_CRASH_KEEP_ONE, i, all & (UINT64_C(1) << i));
    }
#undef ASSERT_IS_MASK
}

Test(io_sim_crash, random_reaches_every_state_that_masks_give_and_no_other)
{
    static char allowed[8192];
    static char found[8192];
    uint64_t units = make_mixture();

    for (uint64_t mask = 0; mask < UINT64_C(1) << units; mask++)
        list_add(allowed, sizeof(allowed), after(io, IO_SIM_CRASH_MASK, mask, 0, "/a", "/b"));
    for (uint64_t seed = 0; seed < 20000; seed++)
        list_add(found, sizeof(found), after(io, IO_SIM_CRASH_RANDOM, 0, seed, "/a", "/b"));
    assert_same_lists(found, allowed);
}

Test(io_sim_crash, garbage_is_only_where_something_was_pending)
{
    struct io_file *file = sim_durable_file(io, "/a", 6, 'a');
    bool seen[3] = {false};

    sim_fill(file, 2, 2, 'b', 0);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct io *fork = sim_crash(io, IO_SIM_CRASH_GARBAGE, 0, seed);

        for (uint32_t sector = 0; sector < 6; sector++) {
            int fill = sim_sector(fork, "/a", sector);

            if (sector != 2 && sector != 3)
                cr_assert_eq(fill, 'a', "seed %d sector %u", (int)seed, sector);
            else
                seen[fill == -1 ? 0 : fill == 'a' ? 1 : 2] = true;
        }
        io_close_all(fork);
    }
    cr_assert(seen[0] && seen[1] && seen[2], "garbage, lost and kept all come");
    io_close(file);
}

Test(io_sim_crash, a_killed_process_leaves_what_it_wrote_and_what_is_pending)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');
    struct io *killed;
    struct io *dead;

    sim_fill(file, 1, 2, 'b', 0);
    io_close(sim_file(io, "/b"));
    killed = sim_crash(io, IO_SIM_CRASH_PROCESS, 0, 7);
    cr_assert_str_eq(sim_text(killed, "/a"), "abb");
    cr_assert(sim_exists(killed, "/b"));
    cr_assert_eq(io_sim_image_hash(killed), io_sim_image_hash(io));
    cr_assert_eq(io_sim_pending_count(killed), io_sim_pending_count(io));
    dead = sim_crash(killed, IO_SIM_CRASH_LOST, 0, 0);
    cr_assert_str_eq(sim_text(dead, "/a"), "aa", "a power cut may follow the kill");
    cr_assert_not(sim_exists(dead, "/b"));
    io_close_all(dead);
    io_close(file);
    file = sim_file(killed, "/a");
    ASSERT_OK(io_sync(file));
    ASSERT_OK(io_sync_dir(killed, "/"));
    dead = sim_crash(killed, IO_SIM_CRASH_LOST, 0, 0);
    cr_assert_str_eq(sim_text(dead, "/a"), "abb");
    cr_assert(sim_exists(dead, "/b"));
    io_close(file);
    io_close_all(dead);
    io_close_all(killed);
}

Test(io_sim_crash, what_is_pending_is_bounded_by_writing_back_the_oldest)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 0);
    uint32_t count = SIM_RECORDS_MAX + 100;

    sim_fill(file, 1, 1, 'x', 0);
    for (uint32_t i = 1; i < count; i++)
        ASSERT_OK(io_write(file, &i, sizeof(i), 0, 0));
    cr_assert_eq(io_sim_pending_count(io), SIM_RECORDS_MAX);
    struct io *fork = sim_crash(io, IO_SIM_CRASH_LOST, 0, 0);
    uint32_t value = 0;

    ASSERT_OK(io_sim_peek(fork, "/a", 0, &value, sizeof(value)));
    cr_assert_eq(value, 99, "the oldest hundred writes are durable");
    cr_assert_eq(sim_sector(fork, "/a", 1), 'x');
    io_close_all(fork);
    io_close(file);
}

/* Appends, overwrites if asked for, and syncs. Bytes that were never written would be zero; a sector
 * written once is not garbage either, because the size that shows it did not survive. */
static void
append_at_random(struct io *disk, uint64_t seed, bool overwrites)
{
    struct io_file *file = sim_file(disk, "/a");
    struct random random;
    uint32_t sectors = 1;

    random_init(&random, seed);
    sim_fill(file, 0, 1, 'a', IO_DURABLE);
    ASSERT_OK(io_sync_dir(disk, "/"));
    for (int i = 0; i < 40; i++) {
        uint32_t count = 1 + (uint32_t)random_below(&random, 3);
        uint32_t first = overwrites ? (uint32_t)random_below(&random, sectors + 1) : sectors;
        bool durable = random_chance(&random, 1, 8);

        sim_fill(file, first, count, 'b' + i % 20, durable ? IO_DURABLE : 0);
        if (first + count > sectors)
            sectors = first + count;
        if (random_chance(&random, 1, 10))
            ASSERT_OK(io_sync(file));
        uint64_t synced = strlen(after(disk, IO_SIM_CRASH_LOST, 0, 0, "/a", NULL));

        for (uint64_t crash = 0; crash < 10; crash++) {
            enum io_sim_crash_mode mode = crash < 5 ? IO_SIM_CRASH_RANDOM : IO_SIM_CRASH_GARBAGE;
            const char *text = after(disk, mode, 0, seed + crash, "/a", NULL);

            cr_assert_null(strchr(text, '.'), "seed %d: %s", (int)seed, text);
            cr_assert(overwrites || strchr(text + synced, '?') == NULL, "seed %d: %s", (int)seed,
                      text);
        }
    }
    io_close(file);
}

Test(io_sim_crash, sizes_that_go_with_their_data_never_show_bytes_never_written)
{
    struct io_sim_options options = {.size_with_data = true};

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct io *disk = NULL;

        ASSERT_OK(io_sim_open(memory, &options, &disk));
        append_at_random(disk, seed, seed % 2 == 0);
        io_close_all(disk);
    }
}

/* Over many crashes: does the file ever show a zero sector before its end? */
static bool
shows_zeros(struct io *disk)
{
    bool result = false;

    for (uint64_t seed = 0; seed < 500; seed++) {
        const char *text = after(disk, IO_SIM_CRASH_RANDOM, 0, seed, "/a", NULL);

        cr_assert(text[0] == 'a' && text[1] == 'a');
        result |= strchr(text, '.') != NULL;
    }
    return result;
}

Test(io_sim_crash, a_size_may_come_before_its_data_but_not_when_they_go_together)
{
    struct io_sim_options options = {.size_with_data = true};
    struct io *ordered = NULL;
    struct io_file *file;

    for (int together = 0; together <= 1; together++) {
        ASSERT_OK(io_sim_open(memory, &options, &ordered));
        struct io *disk = together != 0 ? ordered : io;

        file = sim_durable_file(disk, "/a", 2, 'a');
        sim_fill(file, 2, 10, 'b', 0);
        sim_fill(file, 1, 1, 'a', 0);
        sim_fill(file, 12, 2, 'c', 0);
        cr_assert_eq(io_sim_pending_count(disk), 15);
        cr_assert_eq(shows_zeros(disk), together == 0);
        sim_fill(file, 16, 1, 'd', IO_DURABLE);
        cr_assert_eq(strlen(after(disk, IO_SIM_CRASH_LOST, 0, 0, "/a", NULL)), 17);
        io_close(file);
        io_close_all(ordered);
    }
}
