/*
 * Goal: copies of the simulated disk share what is equal, and yet are disks of their own.
 * Method: originals and copies are changed after the fork and looked at again; images built in different
 * ways are hashed.
 */
#include "tests/unit/base/sim_help.h"

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

TestSuite(io_sim_fork, .init = open_disk, .fini = close_disk);

Test(io_sim_fork, a_fork_and_its_original_do_not_see_each_other)
{
    struct io_file *file = sim_durable_file(io, "/a", 16, 'a');
    struct io *fork = sim_crash(io, IO_SIM_CRASH_KEPT, 0, 0);
    struct io *fork_of_fork = NULL;
    struct io_file *forked = sim_file(fork, "/a");

    sim_fill(file, 0, 1, 'b', 0);
    sim_fill(forked, 1, 1, 'c', 0);
    ASSERT_OK(io_truncate(forked, 12 * SECTOR));
    ASSERT_OK(io_sync(forked));
    ASSERT_OK(io_remove(io, "/a"));
    fork_of_fork = sim_crash(fork, IO_SIM_CRASH_LOST, 0, 0);
    cr_assert_str_eq(sim_text(fork, "/a"), "acaaaaaaaaaa");
    cr_assert_str_eq(sim_text(fork_of_fork, "/a"), "acaaaaaaaaaa");
    cr_assert_not(sim_exists(io, "/a"));
    io_close(forked);
    io_close_all(fork);
    cr_assert_str_eq(sim_text(fork_of_fork, "/a"), "acaaaaaaaaaa");
    uint8_t byte = 0;
    ASSERT_OK(io_read(file, &byte, 1, 0));
    cr_assert_eq(byte, 'b');
    io_close(file);
    io_close_all(fork_of_fork);
}

Test(io_sim_fork, a_fork_outlives_its_original)
{
    struct io *first = sim_new(memory, 3);
    struct io *fork;

    io_close(sim_durable_file(first, "/a", 9, 'a'));
    fork = sim_crash(first, IO_SIM_CRASH_LOST, 0, 0);
    io_close_all(first);
    cr_assert_str_eq(sim_text(fork, "/a"), "aaaaaaaaa");
    io_close(sim_durable_file(fork, "/b", 9, 'b'));
    cr_assert_str_eq(sim_text(fork, "/b"), "bbbbbbbbb");
    io_close_all(fork);
}

Test(io_sim_fork, a_fork_starts_anew_but_never_repeats_its_random_bytes)
{
    struct io_sim_options options = {.seed = 9, .direct_refused = true, .disk_size = 3 * BLOCK};
    struct io *first = NULL;
    struct io_file *file = NULL;
    uint64_t before = 0;
    uint64_t same = 0;
    uint64_t next = 0;
    uint64_t holder = 0;

    ASSERT_OK(io_sim_open(memory, &options, &first));
    io_random(first, &before, sizeof(before));
    ASSERT_OK(io_open(first, "/a", IO_WRITE | IO_CREATE | IO_DIRECT, &file));
    ASSERT_OK(io_allocate(file, 0, 2 * BLOCK));
    ASSERT_OK(io_lock(file, IO_LOCK_EXCLUSIVE, &holder));
    ASSERT_OK(io_sync(file));
    ASSERT_OK(io_sync_dir(first, "/"));
    uint64_t time = io_time_ns(first);
    struct io *fork = sim_crash(first, IO_SIM_CRASH_LOST, 0, 0);

    cr_assert_eq(io_sim_op_count(fork), 0);
    cr_assert_eq(io_sim_open_count(fork), 0);
    cr_assert_eq(io_time_ns(fork), time);
    io_random(fork, &same, sizeof(same));
    io_random(first, &next, sizeof(next));
    cr_assert_eq(same, next, "the stream goes on");
    cr_assert_neq(same, before);
    io_close(file);
    ASSERT_OK(io_open(fork, "/a", IO_WRITE | IO_DIRECT, &file));
    cr_assert_not(io_is_direct(file));
    ASSERT_OK(io_lock(file, IO_LOCK_EXCLUSIVE, &holder));
    ASSERT_OK(io_allocate(file, 0, 3 * BLOCK));
    ASSERT_STATUS(io_allocate(file, 0, 4 * BLOCK), STATUS_FULL);
    io_close(file);
    io_close_all(fork);
    io_close_all(first);
}

/* Something pending of each kind. */
static void
make_pending(void)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');

    io_close(sim_file(io, "/b"));
    sim_fill(file, 0, 9, 'b', 0);
    ASSERT_OK(io_truncate(file, 700));
    sim_fill(file, 1, 2, 'c', 0);
    ASSERT_OK(io_rename(io, "/a", "/c"));
    io_close(file);
}

Test(io_sim_fork, the_same_seed_gives_the_same_image)
{
    make_pending();
    for (uint64_t mode = IO_SIM_CRASH_LOST; mode <= IO_SIM_CRASH_PROCESS; mode++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct io *a = sim_crash(io, (enum io_sim_crash_mode)mode, 3, seed);
            struct io *b = sim_crash(io, (enum io_sim_crash_mode)mode, 3, seed);

            cr_assert_eq(io_sim_image_hash(a), io_sim_image_hash(b));
            io_close_all(a);
            io_close_all(b);
        }
    }
}

Test(io_sim_fork, the_hash_is_of_names_sizes_and_bytes_alone)
{
    struct io *other = sim_new(memory, 77);
    struct io_file *a = sim_file(io, "/a");
    struct io_file *b = sim_file(other, "/b");
    uint64_t hash;

    cr_assert_neq(io_sim_image_hash(io), io_sim_image_hash(other));
    sim_fill(a, 0, 40, 'a', 0);
    ASSERT_OK(io_truncate(a, 0));
    sim_fill(a, 30, 1, 'z', 0);
    io_close(sim_file(io, "/c"));
    ASSERT_OK(io_make_dir(io, "/d"));
    io_close(sim_file(io, "/d/e"));
    hash = io_sim_image_hash(io);

    ASSERT_OK(io_make_dir(other, "/d"));
    ASSERT_OK(io_allocate(b, 0, 31 * SECTOR));
    sim_fill(b, 0, 31, 0, 0);
    sim_fill(b, 30, 1, 'z', 0);
    io_close(sim_file(other, "/c"));
    ASSERT_OK(io_rename(other, "/b", "/a"));
    cr_assert_neq(io_sim_image_hash(other), hash);
    io_close(sim_file(other, "/d/e"));
    cr_assert_eq(io_sim_image_hash(other), hash);

    ASSERT_OK(io_write(b, "y", 1, 31 * SECTOR - 1, 0));
    cr_assert_neq(io_sim_image_hash(other), hash, "a byte");
    ASSERT_OK(io_write(b, "z", 1, 31 * SECTOR - 1, 0));
    cr_assert_eq(io_sim_image_hash(other), hash);
    ASSERT_OK(io_truncate(b, 31 * SECTOR + 1));
    cr_assert_neq(io_sim_image_hash(other), hash, "a size");
    ASSERT_OK(io_truncate(b, 31 * SECTOR));
    ASSERT_OK(io_rename(other, "/d/e", "/d/f"));
    cr_assert_neq(io_sim_image_hash(other), hash, "a name");
    ASSERT_OK(io_rename(other, "/d/f", "/e"));
    cr_assert_neq(io_sim_image_hash(other), hash, "a place");
    io_close(a);
    io_close(b);
    io_close_all(other);
}

Test(io_sim_fork, what_was_leaked_in_a_fork_shows_in_its_memory)
{
    struct memory *other = memory_new();
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct io *fork = NULL;

    ASSERT_OK(io_sim_fork(io, &crash, other, &fork));
    cr_assert_eq(memory_live_count(other), 1);
    io_close(sim_durable_file(fork, "/a", 9, 'a'));
    io_close_all(fork);
    cr_assert_eq(memory_live_count(other), 0);
    memory_delete(other);
}

Test(io_sim_fork, the_hash_tells_blocks_that_changed_places)
{
    struct io_file *file = sim_file(io, "/a");
    uint64_t hash;

    sim_fill(file, 0, 8, 'a', 0);
    sim_fill(file, 8, 8, 'b', 0);
    hash = io_sim_image_hash(io);
    sim_fill(file, 0, 8, 'b', 0);
    sim_fill(file, 8, 8, 'a', 0);
    cr_assert_neq(io_sim_image_hash(io), hash);
    io_close(file);
}

Test(io_sim_fork, copies_that_are_dropped_leave_their_memory_to_the_next)
{
    uint64_t used = 0;

    make_pending();
    for (uint64_t i = 0; i < 300; i++) {
        struct io *fork = sim_crash(io, IO_SIM_CRASH_GARBAGE, 0, 1);

        io_close(sim_durable_file(fork, "/d", 20, 'd'));
        io_close_all(fork);
        if (i == 0)
            used = memory_used(memory, MEMORY_OTHER);
    }
    cr_assert_eq(memory_used(memory, MEMORY_OTHER), used);
}

struct forker {
    struct io *io;
    uint32_t count;
};

static void
fork_at_event(void *context, const struct io_sim_event *event)
{
    struct forker *forker = context;
    struct io *fork = sim_crash(forker->io, IO_SIM_CRASH_KEPT, 0, 0);
    struct io *torn = sim_crash(forker->io, IO_SIM_CRASH_MASK, 1, 0);

    if (event->op == IO_SIM_WRITE) {
        cr_assert_str_eq(sim_text(fork, "/a"), event->done || event->in_flight ? "bb" : "aa");
        cr_assert_str_eq(sim_text(torn, "/a"), event->in_flight ? "ba" : event->done ? "bb" : "aa");
        forker->count++;
    }
    io_close_all(fork);
    io_close_all(torn);
}

Test(io_sim_fork, a_watcher_forks_before_a_durable_write_within_it_and_after_it)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');
    struct forker forker = {.io = io};

    io_sim_watch(io, fork_at_event, &forker);
    sim_fill(file, 0, 2, 'b', IO_DURABLE);
    io_sim_watch(io, NULL, NULL);
    cr_assert_eq(forker.count, 3);
    io_close(file);
}
