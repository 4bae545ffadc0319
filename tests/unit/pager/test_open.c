/*
 * Goal: prove that a file is opened when it is ours and whole, refused with a message that says what to do
 * when it is not, and that a clean close leaves everything in the one file.
 * Method: files damaged, cut, replaced and locked on the simulated disk; crashes at every operation of
 * creation, of the first change and of a clean close.
 */
#include <criterion/criterion.h>

#include "pager/open_private.h"
#include "tests/support/pager_world.h"

static void
init_world(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 6, &options);
}

/* A closed file with some pages. */
static void
make_file(struct world *world)
{
    init_world(world);
    world_open(world);
    for (int count = 0; count < 30; count++)
        (void)world_allocate(world, (uint8_t)count);
    world_close(world);
}

/* A crash: the handle is gone, the file says needs-log. */
static void
make_unclean(struct world *world)
{
    make_file(world);
    world_open(world);
    (void)world_allocate(world, 77);
    WORLD_OK(world, world_flush(world));
    pager_abandon(world->pager);
    world->pager = NULL;
}

static bool
exists(struct world *world, const char *path)
{
    struct io_file *file;

    if (io_open(world->io, path, 0, &file) != STATUS_OK)
        return false;
    io_close(file);
    return true;
}

static void
count_name(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    ++*(int *)context;
}

static int
count_names(struct world *world)
{
    int count = 0;

    WORLD_OK(world, io_list(world->io, WORLD_DIR, count_name, &count));
    return count;
}

static void
overwrite(struct world *world, uint64_t offset, const void *bytes, size_t size)
{
    WORLD_OK(world, io_sim_overwrite(world->io, WORLD_PATH, offset, bytes, size));
}

static void
truncate_file(struct world *world, uint64_t size)
{
    struct io_file *file;

    WORLD_OK(world, io_open(world->io, WORLD_PATH, IO_WRITE, &file));
    WORLD_OK(world, io_truncate(file, size));
    io_close(file);
}

/* Refused with this status and a message that holds `text` and the path. */
static void
expect_refusal(struct world *world, enum status status, const char *text)
{
    enum status found = world_try_open(world);

    cr_assert_eq(found, status, "%s: %s", status_name(found), error_message());
    cr_assert_not_null(strstr(error_message(), text), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), WORLD_PATH), "%s", error_message());
    cr_assert_null(world->pager);
    cr_assert_eq(io_sim_open_count(world->io), 0u);
    cr_assert_eq(memory_live_count(world->memory), 0u);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

Test(open, refuses_a_missing_file_unless_it_may_be_created)
{
    struct world world;

    init_world(&world);
    world.options.create = false;
    expect_refusal(&world, STATUS_NOT_FOUND, "create");
    world_deinit(&world);
}

Test(open, refuses_an_empty_file)
{
    struct world world;

    make_file(&world);
    truncate_file(&world, 0);
    expect_refusal(&world, STATUS_INVALID, "is empty");
    world_deinit(&world);
}

Test(open, refuses_a_file_that_is_cut_off)
{
    struct world world;

    make_file(&world);
    truncate_file(&world, 20 * PAGE_SIZE);
    expect_refusal(&world, STATUS_CORRUPT, "20 pages of 35");
    truncate_file(&world, 5000);
    expect_refusal(&world, STATUS_CORRUPT, "backup");
    world_deinit(&world);
}

Test(open, refuses_a_file_of_another_kind)
{
    uint8_t bytes[3 * PAGE_SIZE];
    struct world world;

    make_file(&world);
    memset(bytes, 'x', sizeof(bytes));
    overwrite(&world, 0, bytes, sizeof(bytes));
    expect_refusal(&world, STATUS_INVALID, "not a qtdb");
    world_deinit(&world);
}

Test(open, takes_one_damaged_slot_and_refuses_two)
{
    struct world world;
    uint8_t zeros[PAGE_SIZE] = {0};

    make_file(&world);
    overwrite(&world, 0, zeros, sizeof(zeros));
    world_open(&world);
    world_verify(&world);
    (void)world_allocate(&world, 1);
    world_close(&world);
    overwrite(&world, PAGE_SIZE, zeros, sizeof(zeros));
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    overwrite(&world, 0, zeros, sizeof(zeros));
    overwrite(&world, PAGE_SIZE, zeros, sizeof(zeros));
    expect_refusal(&world, STATUS_CORRUPT, "slot");
    world_deinit(&world);
}

Test(open, refuses_settings_that_make_no_sense)
{
    const struct pager_options good = world_options(PAGER_POLICY_IMAGE);
    struct pager_options bad[] = {good, good, good, good, good, good, good, good, good, good};
    struct world world;

    bad[0].pool_size = 63 * PAGE_SIZE;
    bad[1].segment_size = 1000;
    bad[2].log_limit = 3 * good.segment_size;
    bad[3].policy = (enum pager_policy)9;
    bad[4].page_limit = 3;
    bad[5].recovery_threads = 1000;
    bad[6].read_only = true;
    bad[7].log_frame_size = 100;
    bad[8].log_buffer_count = 1;
    bad[9].flush_depth = 100000;
    init_world(&world);
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        world.options = bad[index];
        cr_assert_eq(world_try_open(&world), STATUS_INVALID, "number %zu", index);
    }
    cr_assert_eq(count_names(&world), 0);
    world_deinit(&world);
}

Test(open, refuses_a_path_that_is_too_long)
{
    char path[IO_PATH_SIZE + 10];
    struct world world;
    struct pager *pager;

    init_world(&world);
    memset(path, 'a', sizeof(path));
    memcpy(path, "/w/", 3);
    path[IO_PATH_SIZE - 2] = 0;
    cr_assert_neq(pager_open(&world.env, path, &world.options, &pager), STATUS_OK);
    world_deinit(&world);
}

/* ---- Locks ----------------------------------------------------------------------------------- */

Test(open, names_the_pid_of_another_holder)
{
    struct world world;
    struct pager *second;

    make_file(&world);
    world.options.owner_pid = 4711;
    world_open(&world);
    (void)world_allocate(&world, 1);
    cr_assert_eq(pager_open(&world.env, WORLD_PATH, &world.options, &second), STATUS_BUSY);
    cr_assert_not_null(strstr(error_message(), "pid"), "%s", error_message());
    world_close(&world);
    world_deinit(&world);
}

Test(open, lets_readers_of_a_clean_file_share_it_and_keeps_a_writer_out)
{
    struct world world;
    struct pager_options writer;
    struct pager *second, *third;

    make_file(&world);
    world.options.create = false;
    writer = world.options;
    world.options.read_only = true;
    world_open(&world);
    WORLD_OK(&world, pager_open(&world.env, WORLD_PATH, &world.options, &second));
    cr_assert_eq(pager_open(&world.env, WORLD_PATH, &writer, &third), STATUS_BUSY);
    WORLD_OK(&world, pager_close(second));
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* ---- Creation -------------------------------------------------------------------------------- */

static void
fork_before(void *context, const struct io_sim_event *event)
{
    struct io **forks = context;
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_RANDOM, .seed = event->index};
    struct world *world = (struct world *)(void *)forks[0];

    if (!event->done && event->index < 60 && forks[1 + event->index] == NULL)
        WORLD_OK(world,
                 io_sim_fork(world->io, &crash, world->disk_memory, &forks[1 + event->index]));
}

/* Runs `act` with the disk forked before each operation; `check` looks at each. */
static void
crash_at_each_operation(struct world *world, void (*act)(struct world *),
                        void (*check)(struct world *))
{
    struct io *forks[61] = {(struct io *)(void *)world};
    uint64_t csn_acked = world->csn_acked;
    int count = 0;

    io_sim_watch(world->io, fork_before, forks);
    act(world);
    io_sim_watch(world->io, NULL, NULL);
    for (int index = 1; index <= 60; index++) {
        struct world branch;
        if (forks[index] == NULL)
            continue;
        count++;
        world_branch(world, forks[index], &branch);
        branch.csn_acked = csn_acked;
        check(&branch);
        world_deinit(&branch);
    }
    cr_assert_gt(count, 3);
}

static void
open_and_close(struct world *world)
{
    world_open(world);
    world_close(world);
}

/* The file is absent or whole; either way it can be created or opened now. */
static void
check_created(struct world *world)
{
    struct pager *pager;

    world->options.create = false;
    enum status status = pager_open(&world->env, WORLD_PATH, &world->options, &pager);
    cr_assert(status == STATUS_OK || status == STATUS_NOT_FOUND, "%s: %s", status_name(status),
              error_message());
    if (status == STATUS_OK)
        WORLD_OK(world, pager_close(pager));
    world->options.create = true;
    world_open(world);
    world_verify(world);
    (void)world_allocate(world, 1);
    world_close(world);
}

Test(open, creates_a_whole_file_or_none)
{
    struct world world;

    init_world(&world);
    crash_at_each_operation(&world, open_and_close, check_created);
    cr_assert_eq(count_names(&world), 1);
    world_deinit(&world);
}

Test(open, returns_when_the_new_file_is_durable)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct world world, branch;
    struct io *io;

    init_world(&world);
    world_open(&world);
    WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
    world_branch(&world, io, &branch);
    branch.options.create = false;
    world_open(&branch);
    world_verify(&branch);
    world_close(&branch);
    world_deinit(&branch);
    world_deinit(&world);
}

/* Another process was faster: its file stays. */
Test(open, that_would_create_leaves_a_file_that_has_appeared)
{
    struct world world;
    uint64_t hash;

    make_file(&world);
    hash = io_sim_image_hash(world.io);
    world_open(&world);
    WORLD_OK(&world, pager__create(world.pager));
    world_close(&world);
    cr_assert_eq(io_sim_image_hash(world.io), hash);
    world_deinit(&world);
}

Test(open, of_an_existing_file_never_creates_one_over_it)
{
    struct world world;
    uint64_t file_id;

    make_file(&world);
    world.options.file_id = 0x88;
    world_open(&world);
    file_id = pager_file_id(world.pager);
    cr_assert_eq(file_id, 0x77u);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(open, draws_a_file_id_where_none_is_given)
{
    struct world world;

    init_world(&world);
    world.options.file_id = 0;
    world_open(&world);
    cr_assert_neq(pager_file_id(world.pager), 0u);
    world_close(&world);
    world_deinit(&world);
}

/* ---- Clean and needs-log --------------------------------------------------------------------- */

/* covers: P16 */
Test(close, leaves_one_file_that_holds_everything)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct world world;
    struct io *io;

    init_world(&world);
    world_open(&world);
    for (int step = 0; step < 150; step++)
        WORLD_OK(&world, world_step(&world));
    world_close(&world);
    cr_assert_eq(count_names(&world), 1, "the log is gone");
    WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
    cr_assert_eq(io_sim_open_count(world.io), 0u);
    struct world branch;
    world_branch(&world, io, &branch);
    world_open(&branch);
    cr_assert_null(branch.pager->wal, "a clean file needs no log to be read");
    world_verify(&branch); /* Every page against its witness. */
    world_close(&branch);
    world_deinit(&branch);
    world_deinit(&world);
}

static void
close_only(struct world *world)
{
    world_close(world);
}

static void
check_opens(struct world *world)
{
    world_open(world);
    world_verify(world);
    (void)world_allocate(world, 3);
    world_close(world);
    cr_assert_eq(count_names(world), 1);
}

/* covers: P16, P8 */
Test(close, survives_a_crash_at_any_operation)
{
    struct world world;
    struct world fresh;
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    struct io *io;

    init_world(&world);
    world_open(&world);
    for (int count = 0; count < 15; count++)
        (void)world_allocate(&world, (uint8_t)count);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
    world_branch(&world, io, &fresh); /* Its operations count from 0. */
    world_open(&fresh);
    crash_at_each_operation(&fresh, close_only, check_opens);
    world_deinit(&fresh);
    world_deinit(&world);
}

/* Both slots on the disk as a crash now would leave them. */
static bool
slots_need_log(struct world *world)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct meta_slot slot;
    struct meta meta;
    const char *reason;
    bool both = true;
    struct io *io;

    WORLD_OK(world, io_sim_fork(world->io, &crash, world->disk_memory, &io));
    for (uint32_t index = 0; index < META_SLOT_COUNT; index++) {
        WORLD_OK(world, io_sim_peek(io, WORLD_PATH, index * PAGE_SIZE, &slot, sizeof(slot)));
        WORLD_OK(world, meta_decode(&slot, index, &meta, &reason));
        both = both && meta.state == META_NEEDS_LOG;
    }
    io_close_all(io);
    return both;
}

struct order {
    struct world *world;
    bool checked_log;
    bool checked_page;
};

static void
watch_order(void *context, const struct io_sim_event *event)
{
    struct order *order = context;

    if (event->done || event->op != IO_SIM_WRITE)
        return;
    bool is_log = strstr(event->path, ".seg") != NULL && event->offset >= WAL_FRAMES_OFFSET &&
                  !bytes_are_zero(event->bytes, event->size);
    bool is_page =
        strcmp(event->path, WORLD_PATH) == 0 && event->offset >= META_SLOT_COUNT * PAGE_SIZE;
    if (!is_log && !is_page)
        return;
    cr_assert(slots_need_log(order->world), "a write to %s before needs-log", event->path);
    order->checked_log |= is_log;
    order->checked_page |= is_page;
}

/* covers: P8 */
Test(open, marks_both_slots_needs_log_before_the_first_log_or_page_write)
{
    struct world world;
    struct order order = {.world = &world};

    make_file(&world);
    world_open(&world);
    io_sim_watch(world.io, watch_order, &order);
    (void)world_allocate(&world, 1);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager_checkpoint(world.pager));
    io_sim_watch(world.io, NULL, NULL);
    cr_assert(order.checked_log && order.checked_page);
    world_close(&world);
    world_deinit(&world);
}

static void
first_change(struct world *world)
{
    (void)world_allocate(world, 1);
    WORLD_OK(world, pager_flush(world->pager, pager_csn(world->pager)));
}

/* covers: P8 */
Test(open, survives_a_crash_at_any_operation_of_the_first_change)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    struct world world, fresh;
    struct io *io;

    make_file(&world);
    WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
    world_branch(&world, io, &fresh);
    world_open(&fresh);
    crash_at_each_operation(&fresh, first_change, check_opens);
    world_close(&fresh);
    world_deinit(&fresh);
    world_deinit(&world);
}

Test(open, that_changes_nothing_writes_nothing)
{
    struct world world;
    uint64_t hash;

    make_file(&world);
    hash = io_sim_image_hash(world.io);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    cr_assert_eq(io_sim_image_hash(world.io), hash);
    world_deinit(&world);
}

Test(open, removes_what_a_crash_left_of_the_log_of_a_clean_file)
{
    struct world world;
    struct io_file *file;

    make_file(&world);
    WORLD_OK(&world, io_make_dir(world.io, WORLD_LOG));
    WORLD_OK(&world, io_open(world.io, WORLD_LOG "/owner", IO_WRITE | IO_CREATE, &file));
    io_close(file);
    WORLD_OK(&world,
             io_open(world.io, WORLD_LOG "/0000000000000001.seg", IO_WRITE | IO_CREATE, &file));
    io_close(file);
    world_open(&world);
    cr_assert_eq(count_names(&world), 1);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(open, refuses_a_needs_log_file_without_its_log)
{
    struct world world;

    make_unclean(&world);
    WORLD_OK(&world, io_rename(world.io, WORLD_LOG, WORLD_DIR "/elsewhere"));
    expect_refusal(&world, STATUS_CORRUPT, "rescue");
    cr_assert_not_null(strstr(error_message(), WORLD_LOG));
    world.options.create = false;
    world.options.read_only = true;
    expect_refusal(&world, STATUS_CORRUPT, "rescue");
    world.options = world_options(PAGER_POLICY_IMAGE);
    WORLD_OK(&world, io_rename(world.io, WORLD_DIR "/elsewhere", WORLD_LOG));
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(open, refuses_the_log_of_another_file)
{
    struct world world;

    make_unclean(&world);
    WORLD_OK(&world, io_rename(world.io, WORLD_LOG, WORLD_DIR "/mine"));
    WORLD_OK(&world, io_rename(world.io, WORLD_PATH, WORLD_DIR "/my.qtdb"));
    /* Another database under the same name, crashed as well; then its log beside our file. */
    world.options.file_id = 0x99;
    world_forget(&world);
    world_open(&world);
    (void)world_allocate(&world, 1);
    WORLD_OK(&world, world_flush(&world));
    pager_abandon(world.pager);
    world.pager = NULL;
    WORLD_OK(&world, io_rename(world.io, WORLD_DIR "/my.qtdb", WORLD_PATH));
    world.csn_acked = 0;
    enum status status = world_try_open(&world);
    cr_assert_eq(status, STATUS_CORRUPT, "%s", error_message());
    world_deinit(&world);
}

Test(open, read_only_recovers_in_memory_and_writes_nothing)
{
    struct world world;
    uint64_t hash;

    make_unclean(&world);
    hash = io_sim_image_hash(world.io);
    world.options.create = false;
    world.options.read_only = true;
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    cr_assert_eq(io_sim_image_hash(world.io), hash);
    cr_assert(exists(&world, WORLD_LOG "/0000000000000001.seg"));
    world_deinit(&world);
}

Test(open, works_where_direct_io_is_refused)
{
    struct io_sim_options sim = {.seed = 1, .direct_refused = true};
    struct world world;

    init_world(&world);
    io_close_all(world.io);
    WORLD_OK(&world, io_sim_open(world.disk_memory, &sim, &world.io));
    WORLD_OK(&world, io_make_dir(world.io, WORLD_DIR));
    world.env.io = world.io;
    world_open(&world);
    for (int step = 0; step < 100; step++)
        WORLD_OK(&world, world_step(&world));
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(close, of_nothing_is_fine)
{
    cr_assert_eq(pager_close(NULL), STATUS_OK);
    pager_abandon(NULL);
}
