/*
 * Goal: faults strike exactly the operation they are aimed at and do what io_sim.h says, and no refused
 * allocation leaves the disk wrong or leaks.
 * Method: each fault alone; every operation of a reference run failed once and for ever; every allocation of
 * the same run failed once and for ever; damage at rest looked at in each version of the bytes.
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
    cr_expect_eq(io_sim_open_count(io), 0);
    io_close_all(io);
    cr_expect_eq(memory_live_count(memory), 0);
    memory_delete(memory);
}

TestSuite(io_sim_fault, .init = open_disk, .fini = close_disk);

static void
fail_next(enum io_sim_fault fault)
{
    io_sim_fail_at(io, io_sim_op_count(io), fault, false);
}

static const char *
after(enum io_sim_crash_mode mode, const char *path)
{
    static char text[64];
    struct io *fork = sim_crash(io, mode, 0, 0);

    snprintf(text, sizeof(text), "%s", sim_text(fork, path));
    io_close_all(fork);
    return text;
}

Test(io_sim_fault, an_error_strikes_one_operation_and_does_nothing)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');
    uint8_t bytes[SECTOR] = {'b'};

    io_sim_fail_at(io, io_sim_op_count(io) + 1, IO_SIM_FAULT_EIO, false);
    ASSERT_OK(io_write(file, bytes, 1, 0, 0));
    cr_assert_not(io_sim_failed(io));
    ASSERT_STATUS(io_write(file, bytes, 1, SECTOR, 0), STATUS_IO);
    cr_assert(strstr(error_message(), "/a") != NULL);
    cr_assert(io_sim_failed(io));
    cr_assert_eq(io_sim_pending_count(io), 1);
    fail_next(IO_SIM_FAULT_EIO);
    ASSERT_STATUS(io_sync(file), STATUS_IO);
    cr_assert_eq(io_sim_pending_count(io), 1, "nothing done: still pending");
    ASSERT_OK(io_sync(file));
    cr_assert_eq(io_sim_pending_count(io), 0);
    io_close(file);
}

Test(io_sim_fault, a_fault_for_ever_strikes_every_later_operation)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');
    uint8_t byte;
    uint64_t size;

    io_sim_fail_at(io, io_sim_op_count(io) + 1, IO_SIM_FAULT_EIO, true);
    ASSERT_OK(io_read(file, &byte, 1, 0));
    for (int i = 0; i < 3; i++) {
        ASSERT_STATUS(io_read(file, &byte, 1, 0), STATUS_IO);
        ASSERT_STATUS(io_size(file, &size), STATUS_IO);
        ASSERT_STATUS(io_remove(io, "/a"), STATUS_IO);
    }
    io_sim_fail_at(io, 0, IO_SIM_FAULT_NONE, false);
    cr_assert_not(io_sim_failed(io));
    ASSERT_OK(io_read(file, &byte, 1, 0));
    io_close(file);
}

Test(io_sim_fault, a_full_disk_strikes_writes_and_allocations_as_full)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');
    uint8_t byte;

    io_sim_fail_at(io, 0, IO_SIM_FAULT_ENOSPC, true);
    ASSERT_STATUS(io_write(file, "b", 1, 0, 0), STATUS_FULL);
    ASSERT_STATUS(io_write(file, "b", 1, 0, IO_DURABLE), STATUS_FULL);
    ASSERT_STATUS(io_allocate(file, 0, 100), STATUS_FULL);
    ASSERT_STATUS(io_truncate(file, 0), STATUS_IO);
    ASSERT_STATUS(io_read(file, &byte, 1, 0), STATUS_IO);
    io_sim_fail_at(io, 0, IO_SIM_FAULT_NONE, false);
    cr_assert_str_eq(sim_text(io, "/a"), "a");
    io_close(file);
}

Test(io_sim_fault, a_short_write_stores_a_prefix_of_sectors)
{
    bool seen[5] = {false};

    for (int i = 0; i < 100; i++) {
        struct io_file *file = sim_durable_file(io, "/a", 1, 'a');
        static uint8_t bytes[4 * SECTOR];

        memset(bytes, 'b', sizeof(bytes));
        fail_next(IO_SIM_FAULT_SHORT);
        ASSERT_STATUS(io_write(file, bytes, sizeof(bytes), 0, IO_DURABLE), STATUS_IO);
        const char *text = sim_text(io, "/a");
        size_t stored = strspn(text, "b");

        cr_assert_lt(stored, 4);
        cr_assert_eq(strlen(text), stored == 0 ? 1 : stored);
        seen[stored] = true;
        cr_assert_str_eq(after(IO_SIM_CRASH_LOST, "/a"), "a", "and none of it is durable");
        io_close(file);
        ASSERT_OK(io_remove(io, "/a"));
        ASSERT_OK(io_sync_dir(io, "/"));
    }
    cr_assert(seen[0] && seen[1] && seen[2] && seen[3]);
    fail_next(IO_SIM_FAULT_SHORT);
    ASSERT_STATUS(io_make_dir(io, "/d"), STATUS_IO);
}

Test(io_sim_fault, a_late_sync_error_leaves_new_bytes_in_memory_and_old_ones_on_disk)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');

    sim_fill(file, 0, 3, 'b', 0);
    fail_next(IO_SIM_FAULT_LATE_SYNC);
    ASSERT_STATUS(io_sync(file), STATUS_IO);
    cr_assert_eq(io_sim_pending_count(io), 0, "clean, says the kernel");
    cr_assert_str_eq(sim_text(io, "/a"), "bbb");
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/a"), "aa", "and a retry believes it");
    sim_fill(file, 1, 1, 'c', 0);
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_LOST, "/a"), "ac");
    sim_fill(file, 2, 1, 'd', 0);
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_LOST, "/a"), "acd", "synced bytes bring the lost size");
    io_close(file);
}

Test(io_sim_fault, a_late_sync_error_strikes_durable_writes_and_directories_too)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');
    uint8_t bytes[SECTOR];

    memset(bytes, 'c', sizeof(bytes));
    sim_fill(file, 0, 1, 'b', 0);
    fail_next(IO_SIM_FAULT_LATE_SYNC);
    ASSERT_STATUS(io_write(file, bytes, SECTOR, SECTOR, IO_DURABLE), STATUS_IO);
    cr_assert_str_eq(sim_text(io, "/a"), "bc");
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/a"), "ba", "only the write's own bytes are gone");
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_LOST, "/a"), "ba");
    io_close(file);
    ASSERT_OK(io_rename(io, "/a", "/b"));
    fail_next(IO_SIM_FAULT_LATE_SYNC);
    ASSERT_STATUS(io_sync_dir(io, "/"), STATUS_IO);
    cr_assert(sim_exists(io, "/b"));
    ASSERT_OK(io_sync_dir(io, "/"));
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/b"), "-");
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/a"), "ba");
}

Test(io_sim_fault, bytes_lost_by_a_late_sync_error_stay_lost_after_a_kill)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');

    sim_fill(file, 0, 1, 'b', 0);
    fail_next(IO_SIM_FAULT_LATE_SYNC);
    ASSERT_STATUS(io_sync(file), STATUS_IO);
    io_close(file);
    struct io *killed = sim_crash(io, IO_SIM_CRASH_PROCESS, 0, 0);

    io_close_all(io);
    io = killed;
    file = sim_file(io, "/a");
    sim_fill(file, 1, 1, 'c', 0);
    cr_assert_str_eq(sim_text(io, "/a"), "bc");
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/a"), "ac");
    io_close(file);
}

Test(io_sim_fault, a_lost_write_reports_success_and_leaves_old_bytes)
{
    struct io_file *file = sim_durable_file(io, "/a", 2, 'a');

    fail_next(IO_SIM_FAULT_LOST);
    sim_fill(file, 1, 2, 'b', 0);
    cr_assert(io_sim_failed(io));
    cr_assert_str_eq(sim_text(io, "/a"), "aa.", "the size is metadata, and not lost");
    fail_next(IO_SIM_FAULT_LOST);
    sim_fill(file, 0, 1, 'b', IO_DURABLE);
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after(IO_SIM_CRASH_KEPT, "/a"), "aa.");
    io_close(file);
}

Test(io_sim_fault, a_misdirected_write_lands_one_block_further_on)
{
    struct io_file *file = sim_durable_file(io, "/a", 16, 'a');

    fail_next(IO_SIM_FAULT_MISDIRECTED);
    sim_fill(file, 1, 2, 'b', IO_DURABLE);
    cr_assert_str_eq(sim_text(io, "/a"), "aaaaaaaaabbaaaaa");
    cr_assert_str_eq(after(IO_SIM_CRASH_LOST, "/a"), "aaaaaaaaabbaaaaa");
    fail_next(IO_SIM_FAULT_MISDIRECTED);
    sim_fill(file, 15, 2, 'c', 0);
    cr_assert_str_eq(sim_text(io, "/a"), "aaaaaaaaabbaaaaa.......cc");
    io_close(file);
}

Test(io_sim_fault, a_fault_that_does_not_fit_the_operation_is_not_injected)
{
    struct io_file *file = sim_durable_file(io, "/a", 1, 'a');

    fail_next(IO_SIM_FAULT_LOST);
    ASSERT_OK(io_sync(file));
    fail_next(IO_SIM_FAULT_MISDIRECTED);
    ASSERT_OK(io_truncate(file, 0));
    fail_next(IO_SIM_FAULT_LATE_SYNC);
    ASSERT_OK(io_write(file, "b", 1, 0, 0));
    cr_assert_not(io_sim_failed(io));
    io_close(file);
}

Test(io_sim_fault, damage_at_rest_is_in_every_version)
{
    struct io_file *file = sim_durable_file(io, "/a", 4, 'a');
    uint8_t byte = 0;

    sim_fill(file, 1, 1, 'c', 0);
    ASSERT_OK(io_sim_flip_bit(io, "/a", (SECTOR + 7) * 8 + 3));
    ASSERT_OK(io_sim_overwrite(io, "/a", 3 * SECTOR, "xyz", 3));
    for (uint64_t mask = 0; mask < 2; mask++) {
        struct io *fork = sim_crash(io, IO_SIM_CRASH_MASK, mask, 0);

        ASSERT_OK(io_sim_peek(fork, "/a", SECTOR + 7, &byte, 1));
        cr_assert_eq(byte, (mask == 0 ? 'a' : 'c') ^ 8);
        ASSERT_OK(io_sim_peek(fork, "/a", 3 * SECTOR + 1, &byte, 1));
        cr_assert_eq(byte, 'y');
        io_close_all(fork);
    }
    ASSERT_OK(io_read(file, &byte, 1, SECTOR + 7));
    cr_assert_eq(byte, 'c' ^ 8);
    uint64_t hash = io_sim_image_hash(io);
    ASSERT_OK(io_sim_flip_bit(io, "/a", 0));
    cr_assert_neq(io_sim_image_hash(io), hash);
    ASSERT_OK(io_sim_flip_bit(io, "/a", 0));
    cr_assert_eq(io_sim_image_hash(io), hash);
    io_close(file);
}

Test(io_sim_fault, damage_past_the_end_is_refused)
{
    uint8_t bytes[8];

    io_close(sim_durable_file(io, "/a", 1, 'a'));
    ASSERT_OK(io_make_dir(io, "/d"));
    ASSERT_STATUS(io_sim_flip_bit(io, "/a", SECTOR * 8), STATUS_NOT_FOUND);
    ASSERT_OK(io_sim_flip_bit(io, "/a", SECTOR * 8 - 1));
    ASSERT_STATUS(io_sim_flip_bit(io, "/b", 0), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sim_flip_bit(io, "/d", 0), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sim_overwrite(io, "/a", SECTOR - 1, "ab", 2), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sim_peek(io, "/a", SECTOR - 7, bytes, 8), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sim_peek(io, "/a", UINT64_MAX, bytes, 8), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sim_bad_range(io, "/a", 0, SECTOR + 1), STATUS_NOT_FOUND);
}

Test(io_sim_fault, bad_ranges_cannot_be_read_here_or_in_a_fork)
{
    struct io_file *file = sim_durable_file(io, "/a", 4, 'a');
    uint8_t bytes[4 * SECTOR];
    struct io *fork;
    struct io_file *forked;

    ASSERT_OK(io_sim_bad_range(io, "/a", SECTOR, SECTOR));
    ASSERT_OK(io_sim_bad_range(io, "/a", 3 * SECTOR, 1));
    ASSERT_OK(io_read(file, bytes, SECTOR, 0));
    ASSERT_STATUS(io_read(file, bytes, SECTOR + 1, 0), STATUS_IO);
    cr_assert(strstr(error_message(), "/a") != NULL);
    ASSERT_OK(io_read(file, bytes, SECTOR, 2 * SECTOR));
    ASSERT_STATUS(io_read(file, bytes, 1, 3 * SECTOR), STATUS_IO);
    ASSERT_OK(io_sim_peek(io, "/a", 0, bytes, sizeof(bytes)));
    fork = sim_crash(io, IO_SIM_CRASH_LOST, 0, 0);
    forked = sim_file(fork, "/a");
    ASSERT_STATUS(io_read(forked, bytes, 1, SECTOR), STATUS_IO);
    io_close(forked);
    io_close_all(fork);
    ASSERT_OK(io_sim_bad_range(io, "/a", 0, 0));
    ASSERT_OK(io_read(file, bytes, sizeof(bytes), 0));
    io_close(file);
}

/* A run of all kinds of operations that goes on after failures; counts what failed. */
static uint32_t
run_queue(struct io *disk, struct io_file *file)
{
    static uint8_t bytes[3][BLOCK];
    struct io_queue *queue = NULL;
    struct io_request requests[3] = {
        {.op = IO_OP_WRITE, .file = file, .bytes = bytes[0], .size = BLOCK, .offset = 2 * BLOCK},
        {.op = IO_OP_READ, .file = file, .bytes = bytes[1], .size = 1, .offset = 0},
        {.op = IO_OP_SYNC, .file = file}};
    struct io_request *batch[3] = {&requests[0], &requests[1], &requests[2]};
    struct io_request *done[3];
    uint32_t count = 0;
    uint32_t failed = 0;

    if (io_queue_open(disk, 3, &queue) != STATUS_OK)
        return 1;
    ASSERT_OK(io_queue_submit(queue, batch, 3));
    ASSERT_OK(io_queue_reap(queue, 3, done, 3, &count));
    for (uint32_t i = 0; i < count; i++)
        failed += requests[i].status != STATUS_OK;
    io_queue_close(queue);
    return failed;
}

static uint32_t
run_forks(struct io *disk)
{
    uint32_t failed = 0;

    for (uint64_t mode = IO_SIM_CRASH_LOST; mode <= IO_SIM_CRASH_PROCESS; mode++) {
        struct io_sim_crash crash = {.mode = (enum io_sim_crash_mode)mode, .index = 5, .seed = 3};
        struct io *fork = NULL;
        enum status status = io_sim_fork(disk, &crash, memory, &fork);

        if (status == STATUS_OK)
            io_close_all(fork);
        else
            cr_assert_eq(status, STATUS_NO_MEMORY);
        failed += status != STATUS_OK;
    }
    return failed;
}

static void
note_name(void *context, const char *name, bool is_directory)
{
    (void)name;
    *(bool *)context |= is_directory;
}

static uint32_t
run(struct io *disk)
{
    static uint8_t bytes[3 * BLOCK];
    struct io_file *file = NULL;
    char path[IO_PATH_SIZE];
    uint64_t value = 0;
    uint32_t failed = 0;
    bool listed = false;

#define COUNT(call) failed += (call) != STATUS_OK
    COUNT(io_make_dir(disk, "/d"));
    COUNT(io_sync_dir(disk, "/"));
    COUNT(io_real_path(disk, "/d/a", path, sizeof(path)));
    COUNT(io_open(disk, "/d/a", IO_WRITE | IO_CREATE, &file));
    if (file == NULL && io_open(disk, "/d/a", IO_WRITE | IO_CREATE, &file) != STATUS_OK)
        return failed + 1;
    COUNT(io_lock(file, IO_LOCK_EXCLUSIVE, &value));
    COUNT(io_allocate(file, 0, 4 * BLOCK));
    memset(bytes, 'a', sizeof(bytes));
    COUNT(io_write(file, bytes, sizeof(bytes), 100, 0));
    COUNT(io_write(file, bytes, 700, 0, IO_DURABLE));
    failed += run_forks(disk);
    COUNT(io_sync(file));
    COUNT(io_sync_dir(disk, "/d"));
    failed += run_queue(disk, file);
    COUNT(io_truncate(file, 5000));
    COUNT(io_write(file, bytes, 1, 100000, IO_DURABLE));
    COUNT(io_size(file, &value));
    COUNT(io_read(file, bytes, 700, 0));
    COUNT(io_sim_flip_bit(disk, "/d/a", 5));
    COUNT(io_sim_bad_range(disk, "/d/a", 4096, 1));
    COUNT(io_rename(disk, "/d/a", "/d/b"));
    COUNT(io_rename(disk, "/d/b", "/c"));
    COUNT(io_list(disk, "/", note_name, &listed));
    failed += run_forks(disk);
    io_close(file);
    COUNT(io_remove(disk, "/c"));
    COUNT(io_remove_dir(disk, "/d"));
    COUNT(io_sync_dir(disk, "/"));
    COUNT(io_sync_dir(disk, "/"));
#undef COUNT
    return failed;
}

Test(io_sim_fault, every_operation_can_fail_once_and_for_ever)
{
    struct io *clean = sim_new(memory, 1);
    uint32_t usual = run(clean);

    cr_assert_eq(usual, 0);
    uint64_t count = io_sim_op_count(clean);

    io_close_all(clean);
    cr_assert_gt(count, 20);
    for (uint32_t for_ever = 0; for_ever <= 1; for_ever++) {
        for (uint64_t i = 0; i < count; i++) {
            struct io *disk = sim_new(memory, 1);

            io_sim_fail_at(disk, i, IO_SIM_FAULT_EIO, for_ever != 0);
            cr_assert_gt(run(disk), usual, "operation %d", (int)i);
            cr_assert(io_sim_failed(disk));
            cr_assert_eq(io_sim_open_count(disk), 0);
            io_close_all(disk);
        }
    }
}

static void
refuse(struct io *disk, uint64_t index, bool for_ever)
{
    struct sim_family *family = io_sim__of(disk)->family;

    family->refuse_from = family->alloc_count + index;
    family->refuse_to = for_ever ? UINT64_MAX : family->refuse_from + 1;
}

/* True when the refusal came. */
static bool
run_without_object(uint64_t index, bool for_ever, uint32_t usual)
{
    struct io *disk = sim_new(memory, 1);
    struct sim_family *family = io_sim__of(disk)->family;

    refuse(disk, index, for_ever);
    uint32_t failed = run(disk);
    bool came = family->alloc_count > family->refuse_from;

    family->refuse_to = 0;
    cr_assert(io_sim__invariants_hold(io_sim__of(disk)));
    cr_assert_eq(io_sim_open_count(disk), 0);
    /* A sync that could not finish and a write-back that was put off are no failures. */
    cr_assert(!came || failed > usual || !for_ever, "object %d", (int)index);
    /* Whatever failed, the disk is sound: all of it can be forked, hashed, synced and left. */
    cr_assert_eq(run_forks(disk), 0);
    (void)run(disk);
    cr_assert_eq(run(disk), usual, "object %d", (int)index);
    cr_assert_eq(io_sim_pending_count(disk), 0);
    io_close_all(disk);
    return came;
}

Test(io_sim_fault, every_object_can_be_refused_once_and_for_ever)
{
    struct io *clean = sim_new(memory, 1);
    uint32_t usual = run(clean);

    cr_assert_eq(usual, 0);

    io_close_all(clean);
    for (uint32_t for_ever = 0; for_ever <= 1; for_ever++) {
        uint64_t index = 0;

        while (run_without_object(index, for_ever != 0, usual))
            index++;
        cr_assert_gt(index, 150, "%d objects", (int)index);
    }
}

/* The pool asks for memory in slabs; a fork's own allocation comes from the memory it is given. */
Test(io_sim_fault, every_slab_can_be_refused)
{
    struct io_sim_options options = {.seed = 1};
    uint64_t live = memory_live_count(memory);
    bool failed = true;

    for (uint64_t index = 0; failed; index++) {
        struct io *disk = NULL;

        memory_fail_at(memory, index, true);
        if (io_sim_open(memory, &options, &disk) == STATUS_OK) {
            (void)run(disk);
            io_close_all(disk);
        }
        failed = memory_failed(memory);
        memory_fail_at(memory, UINT64_MAX, false);
        cr_assert_eq(memory_live_count(memory), live, "allocation %d", (int)index);
        cr_assert(failed || index > 10);
    }
}
