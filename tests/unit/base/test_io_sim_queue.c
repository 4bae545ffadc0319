/*
 * Goal: queued requests of the simulated disk run in any order, are in flight until they are reaped, and
 * are covered by no sync before that.
 * Method: small queues over one file; what a crash may leave between submission and reaping is listed by
 * masks.
 */
#include "tests/unit/base/sim_help.h"

#include "kernel/base/random.h"

enum { DEPTH = 16 };

static struct memory *memory;
static struct io *io;
static struct io_file *file;
static struct io_queue *queue;
static uint8_t bytes[DEPTH][4 * SECTOR];
static struct io_request requests[DEPTH];

static void
open_disk(void)
{
    memory = memory_new();
    io = sim_new(memory, 1);
    file = sim_durable_file(io, "/a", 4, 'a');
    ASSERT_OK(io_queue_open(io, DEPTH, &queue));
}

static void
close_disk(void)
{
    io_queue_close(queue);
    io_close(file);
    cr_expect_eq(io_sim_open_count(io), 0);
    io_close_all(io);
    cr_expect_eq(memory_live_count(memory), 0);
    memory_delete(memory);
}

TestSuite(io_sim_queue, .init = open_disk, .fini = close_disk);

static void
submit(uint32_t slot)
{
    struct io_request *request = &requests[slot];

    request->status = STATUS_STOPPED;
    ASSERT_OK(io_queue_submit(queue, &request, 1));
}

static void
submit_write(uint32_t slot, uint32_t first, uint32_t count, int fill, uint32_t flags)
{
    memset(bytes[slot], fill, sizeof(bytes[slot]));
    requests[slot] = (struct io_request){.op = IO_OP_WRITE,
                                         .flags = flags,
                                         .file = file,
                                         .bytes = bytes[slot],
                                         .size = (size_t)count * SECTOR,
                                         .offset = (uint64_t)first * SECTOR};
    submit(slot);
}

static void
submit_read(uint32_t slot, uint64_t offset, size_t size)
{
    requests[slot] = (struct io_request){
        .op = IO_OP_READ, .file = file, .bytes = bytes[slot], .size = size, .offset = offset};
    submit(slot);
}

static void
submit_sync(uint32_t slot)
{
    requests[slot] = (struct io_request){.op = IO_OP_SYNC, .file = file};
    submit(slot);
}

static struct io_request *
reap_one(void)
{
    struct io_request *request = NULL;
    uint32_t count = 0;

    ASSERT_OK(io_queue_reap(queue, 1, &request, 1, &count));
    cr_assert_eq(count, 1);
    return request;
}

static const char *
after_mask(uint64_t mask)
{
    static char text[64];
    struct io *fork = sim_crash(io, IO_SIM_CRASH_MASK, mask, 0);

    snprintf(text, sizeof(text), "%s", sim_text(fork, "/a"));
    cr_assert_eq(io_sim_pending_count(fork), 0);
    io_close_all(fork);
    return text;
}

Test(io_sim_queue, a_write_in_flight_is_not_read_yet_but_may_survive)
{
    submit_write(0, 1, 2, 'b', 0);
    cr_assert_str_eq(sim_text(io, "/a"), "aaaa");
    cr_assert_eq(io_sim_pending_count(io), 2);
    cr_assert_str_eq(after_mask(0), "aaaa");
    cr_assert_str_eq(after_mask(1), "abaa");
    cr_assert_str_eq(after_mask(2), "aaba");
    cr_assert_eq(requests[0].status, STATUS_STOPPED, "the status is set when it is reaped");
    cr_assert_eq(reap_one(), &requests[0]);
    ASSERT_OK(requests[0].status);
    cr_assert_str_eq(sim_text(io, "/a"), "abba");
    cr_assert_eq(io_sim_pending_count(io), 2);
}

Test(io_sim_queue, a_write_in_flight_past_the_end_has_its_size)
{
    submit_write(0, 4, 1, 'b', 0);
    submit_write(1, 6, 1, 'c', 0);
    cr_assert_eq(io_sim_pending_count(io), 4);
    cr_assert_eq(sim_size(io, "/a"), 4 * SECTOR);
    cr_assert_str_eq(after_mask(15), "aaaab.c");
    cr_assert_str_eq(after_mask(3), "aaaab");
    cr_assert_str_eq(after_mask(12), "aaaa..c");
    cr_assert_str_eq(after_mask(11), "aaaab", "a lost size takes its bytes");
    (void)reap_one();
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "aaaab.c");
}

Test(io_sim_queue, no_sync_covers_a_write_in_flight)
{
    submit_write(0, 0, 1, 'b', 0);
    ASSERT_OK(io_sync(file));
    cr_assert_eq(io_sim_pending_count(io), 1);
    cr_assert_str_eq(after_mask(0), "aaaa");
    (void)reap_one();
    cr_assert_str_eq(after_mask(0), "aaaa", "reaped, but not synced since");
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after_mask(0), "baaa");
}

Test(io_sim_queue, a_queued_sync_covers_what_was_reaped_when_it_was_submitted)
{
    submit_write(0, 0, 1, 'b', 0);
    (void)reap_one();
    submit_sync(1);
    sim_fill(file, 1, 1, 'c', 0);
    cr_assert_eq(io_sim_pending_count(io), 2, "a sync does nothing before it is reaped");
    cr_assert_eq(reap_one(), &requests[1]);
    ASSERT_OK(requests[1].status);
    cr_assert_eq(io_sim_pending_count(io), 1);
    cr_assert_str_eq(after_mask(0), "baaa");
    cr_assert_str_eq(after_mask(1), "bcaa");
}

Test(io_sim_queue, a_write_and_a_sync_submitted_together_prove_nothing)
{
    for (int i = 0; i < 50; i++) {
        submit_write(0, 0, 1, 'b' + i % 20, 0);
        submit_sync(1);
        (void)reap_one();
        (void)reap_one();
        cr_assert_eq(io_sim_pending_count(io), 1,
                     "the sync was issued before the write was reaped");
        ASSERT_OK(io_sync(file));
    }
}

Test(io_sim_queue, a_write_in_flight_may_land_after_a_later_one_was_synced)
{
    submit_write(0, 0, 1, 'b', 0);
    sim_fill(file, 0, 1, 'c', IO_DURABLE);
    cr_assert_str_eq(after_mask(0), "caaa");
    cr_assert_str_eq(after_mask(1), "baaa");
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "baaa");
}

Test(io_sim_queue, a_size_in_flight_only_ever_extends)
{
    submit_write(0, 4, 1, 'b', 0);
    sim_fill(file, 4, 3, 'c', IO_DURABLE);
    cr_assert_eq(io_sim_pending_count(io), 2);
    cr_assert_str_eq(after_mask(1), "aaaaccc");
    cr_assert_str_eq(after_mask(3), "aaaabcc");
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "aaaabcc");
}

Test(io_sim_queue, a_late_sync_error_does_not_take_a_write_in_flight)
{
    submit_write(0, 0, 1, 'b', 0);
    sim_fill(file, 1, 1, 'c', 0);
    io_sim_fail_at(io, io_sim_op_count(io), IO_SIM_FAULT_LATE_SYNC, false);
    ASSERT_STATUS(io_sync(file), STATUS_IO);
    cr_assert_eq(io_sim_pending_count(io), 1);
    cr_assert_str_eq(after_mask(1), "baaa");
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "bcaa");
}

Test(io_sim_queue, a_write_in_flight_touches_its_own_bytes_only)
{
    uint8_t sector[SECTOR];

    requests[0] = (struct io_request){
        .op = IO_OP_WRITE, .file = file, .bytes = bytes[0], .size = 100, .offset = 100};
    memset(bytes[0], 'b', 100);
    submit(0);
    sim_fill(file, 0, 1, 'c', IO_DURABLE);
    struct io *fork = sim_crash(io, IO_SIM_CRASH_KEPT, 0, 0);

    ASSERT_OK(io_sim_peek(fork, "/a", 0, sector, SECTOR));
    cr_assert(sector[99] == 'c' && sector[100] == 'b' && sector[199] == 'b' && sector[200] == 'c');
    io_close_all(fork);
    (void)reap_one();
}

Test(io_sim_queue, a_durable_write_is_durable_once_reaped)
{
    submit_write(0, 0, 2, 'b', IO_DURABLE);
    cr_assert_eq(io_sim_pending_count(io), 2);
    cr_assert_str_eq(after_mask(1), "baaa");
    (void)reap_one();
    ASSERT_OK(requests[0].status);
    cr_assert_eq(io_sim_pending_count(io), 0);
    cr_assert_str_eq(after_mask(0), "bbaa");
}

Test(io_sim_queue, bytes_are_those_of_the_buffer_when_it_is_reaped)
{
    submit_write(0, 0, 1, 'b', 0);
    memset(bytes[0], 'c', SECTOR);
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "caaa");
}

Test(io_sim_queue, reads_give_bytes_or_say_that_the_file_ends)
{
    submit_read(0, 0, 3 * SECTOR);
    submit_read(1, SECTOR, 4 * SECTOR);
    (void)reap_one();
    (void)reap_one();
    ASSERT_OK(requests[0].status);
    cr_assert_eq(bytes[0][3 * SECTOR - 1], 'a');
    cr_assert_eq(requests[1].status, STATUS_IO);
}

/* The order in which eight writes come back, as digits: how many, then which. */
static uint64_t
order_of(uint64_t seed, bool *in_order)
{
    struct io *disk = sim_new(memory, seed);
    struct io_file *other = sim_file(disk, "/a");
    struct io_queue *other_queue = NULL;
    struct io_request *batch[8];
    struct io_request *done[8];
    uint64_t order = 0;
    uint32_t left = 8;

    ASSERT_OK(io_queue_open(disk, 8, &other_queue));
    for (uint32_t i = 0; i < 8; i++) {
        requests[i] = (struct io_request){
            .op = IO_OP_WRITE, .file = other, .bytes = bytes[i], .size = SECTOR};
        batch[i] = &requests[i];
    }
    ASSERT_OK(io_queue_submit(other_queue, batch, 8));
    while (left > 0) {
        uint32_t count = 0;

        ASSERT_OK(io_queue_reap(other_queue, left < 2 ? left : 2, done, 8, &count));
        left -= count;
        order = order * 10 + count;
        for (uint32_t i = 0; i < count; i++) {
            order = order * 10 + (uint64_t)(done[i] - requests);
            *in_order &= i == 0 || done[i] > done[i - 1];
        }
    }
    io_queue_close(other_queue);
    io_close(other);
    io_close_all(disk);
    return order;
}

Test(io_sim_queue, completions_come_in_an_order_drawn_from_the_seed)
{
    bool differs = false;
    bool in_order = true;

    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t order = order_of(seed, &in_order);

        cr_assert_eq(order, order_of(seed, &in_order));
        differs |= order != order_of(seed + 1, &in_order);
    }
    cr_assert(differs);
    cr_assert_not(in_order);
}

Test(io_sim_queue, a_queue_that_is_closed_finishes_what_is_in_flight)
{
    struct io_queue *other = NULL;
    struct io_request *request = &requests[0];

    ASSERT_OK(io_queue_open(io, 1, &other));
    memset(bytes[0], 'b', SECTOR);
    requests[0] = (struct io_request){
        .op = IO_OP_WRITE, .file = file, .bytes = bytes[0], .size = SECTOR, .offset = 0};
    ASSERT_OK(io_queue_submit(other, &request, 1));
    cr_assert_eq(io_sim_open_count(io), 3, "a file and two queues");
    io_queue_close(other);
    ASSERT_OK(requests[0].status);
    cr_assert_str_eq(sim_text(io, "/a"), "baaa");
}

Test(io_sim_queue, each_request_is_one_operation_and_fails_by_its_own_number)
{
    uint64_t start = io_sim_op_count(io);

    io_sim_fail_at(io, start + 1, IO_SIM_FAULT_EIO, false);
    for (uint32_t i = 0; i < 3; i++)
        submit_write(i, i, 1, 'b', 0);
    cr_assert_eq(io_sim_op_count(io), start + 3);
    cr_assert(io_sim_failed(io));
    cr_assert_eq(io_sim_pending_count(io), 2, "the failed one is not in flight");
    for (uint32_t i = 0; i < 3; i++)
        (void)reap_one();
    ASSERT_OK(requests[0].status);
    cr_assert_eq(requests[1].status, STATUS_IO);
    ASSERT_OK(requests[2].status);
    cr_assert_str_eq(sim_text(io, "/a"), "baba");
}

Test(io_sim_queue, every_fault_fits_a_queued_request)
{
    submit_write(0, 0, 1, 'b', 0);
    (void)reap_one();
    io_sim_fail_at(io, io_sim_op_count(io), IO_SIM_FAULT_LATE_SYNC, false);
    submit_sync(1);
    (void)reap_one();
    cr_assert_eq(requests[1].status, STATUS_IO);
    cr_assert_str_eq(sim_text(io, "/a"), "baaa");
    cr_assert_str_eq(after_mask(~UINT64_C(0)), "aaaa");

    io_sim_fail_at(io, io_sim_op_count(io), IO_SIM_FAULT_LOST, false);
    submit_write(0, 1, 1, 'c', 0);
    (void)reap_one();
    ASSERT_OK(requests[0].status);
    cr_assert_str_eq(sim_text(io, "/a"), "baaa");

    io_sim_fail_at(io, io_sim_op_count(io), IO_SIM_FAULT_SHORT, false);
    submit_write(0, 0, 4, 'd', 0);
    uint64_t pending = io_sim_pending_count(io);
    (void)reap_one();
    cr_assert_eq(requests[0].status, STATUS_IO);
    cr_assert_eq(io_sim_pending_count(io), pending, "the sectors in flight are those it stores");

    io_sim_fail_at(io, io_sim_op_count(io), IO_SIM_FAULT_ENOSPC, true);
    submit_write(0, 0, 1, 'e', 0);
    submit_sync(1);
    submit_read(2, 0, 1);
    (void)reap_one();
    (void)reap_one();
    (void)reap_one();
    cr_assert_eq(requests[0].status, STATUS_FULL);
    cr_assert_eq(requests[1].status, STATUS_IO);
    cr_assert_eq(requests[2].status, STATUS_IO);
    io_sim_fail_at(io, 0, IO_SIM_FAULT_NONE, false);
}

Test(io_sim_queue, a_kill_carries_out_a_write_in_flight_in_part_or_not_at_all)
{
    bool seen[3] = {false};

    submit_write(0, 1, 2, 'b', 0);
    submit_write(1, 4, 1, 'c', 0);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct io *killed = sim_crash(io, IO_SIM_CRASH_PROCESS, 0, seed);
        struct io *kept = sim_crash(killed, IO_SIM_CRASH_KEPT, 0, 0);
        struct io *lost = sim_crash(killed, IO_SIM_CRASH_LOST, 0, 0);
        const char *text = sim_text(killed, "/a");

        seen[text[1] == text[2] ? text[1] == 'b' : 2] = true;
        cr_assert_eq(io_sim_image_hash(kept), io_sim_image_hash(killed));
        cr_assert_str_eq(sim_text(lost, "/a"), "aaaa");
        io_close_all(killed);
        io_close_all(kept);
        io_close_all(lost);
    }
    cr_assert(seen[0] && seen[1] && seen[2]);
    (void)reap_one();
    (void)reap_one();
}

Test(io_sim_queue, a_truncation_does_not_cut_a_write_in_flight)
{
    submit_write(0, 2, 2, 'b', 0);
    ASSERT_OK(io_truncate(file, 0));
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after_mask(0), "");
    cr_assert_str_eq(after_mask(3), "", "no size reaches the bytes");
    (void)reap_one();
    cr_assert_str_eq(sim_text(io, "/a"), "..bb");
    ASSERT_OK(io_sync(file));
    cr_assert_str_eq(after_mask(0), "..bb");
}

/*
 * The promises for one file of whole sectors, each filled with the number of its write. A crash may
 * leave the newest synced write of a sector, any later one, or one in flight.
 */
enum { PROMISE_SECTORS = 6, WRITES_MAX = 250, STEPS = 150 };

struct promise {
    struct random random;
    uint32_t first[WRITES_MAX];
    uint32_t count[WRITES_MAX];
    uint64_t done[WRITES_MAX]; /* When it was reaped; 0: never, UINT64_MAX: in flight. */
    uint64_t now;
    uint32_t writes;
    uint64_t synced;             /* What was done by then is durable. */
    uint64_t sync_issued[DEPTH]; /* By slot. */
    int write_of[DEPTH];
    bool busy[DEPTH];
};

/* The newest write of the sector that was done by `time`; 0: none. */
static int
newest(const struct promise *promise, uint32_t sector, uint64_t time)
{
    int found = 0;

    for (uint32_t i = 1; i < promise->writes; i++) {
        if (sector >= promise->first[i] && sector - promise->first[i] < promise->count[i] &&
            promise->done[i] != 0 && promise->done[i] <= time &&
            (found == 0 || promise->done[i] > promise->done[found]))
            found = (int)i;
    }
    return found;
}

static bool
promise_allows(const struct promise *promise, uint32_t sector, int fill)
{
    int durable = newest(promise, sector, promise->synced);

    if (fill == durable)
        return true;
    if (fill <= 0 || (uint32_t)fill >= promise->writes || sector < promise->first[fill] ||
        sector - promise->first[fill] >= promise->count[fill])
        return false;
    return promise->done[fill] > promise->synced;
}

static void
promise_submit(struct promise *promise, uint32_t slot)
{
    uint32_t number = promise->writes;

    promise->busy[slot] = true;
    promise->write_of[slot] = 0;
    promise->sync_issued[slot] = promise->now;
    if (random_chance(&promise->random, 1, 4)) {
        submit_sync(slot);
        return;
    }
    promise->writes++;
    promise->write_of[slot] = (int)number;
    promise->first[number] = (uint32_t)random_below(&promise->random, PROMISE_SECTORS - 1);
    promise->count[number] = 1 + (uint32_t)random_below(&promise->random, 2);
    promise->done[number] = UINT64_MAX;
    submit_write(slot, promise->first[number], promise->count[number], (int)number, 0);
}

static void
promise_reap(struct promise *promise)
{
    uint32_t slot = (uint32_t)(reap_one() - requests);

    ASSERT_OK(requests[slot].status);
    promise->busy[slot] = false;
    promise->now++;
    if (promise->write_of[slot] != 0)
        promise->done[promise->write_of[slot]] = promise->now;
    else if (promise->synced < promise->sync_issued[slot])
        promise->synced = promise->sync_issued[slot];
}

static void
promise_check(struct promise *promise)
{
    for (uint64_t mode = IO_SIM_CRASH_LOST; mode <= IO_SIM_CRASH_RANDOM; mode++) {
        uint64_t word = random_u64(&promise->random);
        uint64_t index = mode == IO_SIM_CRASH_MASK ? word : word % 20;
        struct io *fork = sim_crash(io, (enum io_sim_crash_mode)mode, index, word);

        for (uint32_t sector = 0; sector < PROMISE_SECTORS; sector++) {
            int fill = sim_sector(fork, "/a", sector);

            cr_assert(promise_allows(promise, sector, fill), "sector %u: %d", sector, fill);
            if (mode == IO_SIM_CRASH_LOST)
                cr_assert_eq(fill, newest(promise, sector, promise->synced));
        }
        io_close_all(fork);
    }
    for (uint32_t sector = 0; sector < PROMISE_SECTORS; sector++)
        cr_assert_eq(sim_sector(io, "/a", sector), newest(promise, sector, promise->now));
}

Test(io_sim_queue, random_queues_keep_every_promise)
{
    static struct promise promise;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        printf("%s%d", seed == 1 ? "seed " : " ", (int)seed);
        fflush(stdout);
        memset(&promise, 0, sizeof(promise));
        random_init(&promise.random, seed);
        promise.writes = 1;
        sim_fill(file, 0, PROMISE_SECTORS, 0, 0);
        ASSERT_OK(io_sync(file));
        for (int step = 0; step < STEPS; step++) {
            uint32_t slot = (uint32_t)random_below(&promise.random, 4);

            if (!promise.busy[slot])
                promise_submit(&promise, slot);
            else
                promise_reap(&promise);
            promise_check(&promise);
        }
        while (promise.busy[0] || promise.busy[1] || promise.busy[2] || promise.busy[3])
            promise_reap(&promise);
    }
    printf("\n");
}
