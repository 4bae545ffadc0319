/*
 * Goal: the rig's model and its account of order are right, for all else rests on them.
 * Method: small sequences with known outcomes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-crash/crash_model.h"
#include "tools/qtdb-crash/crash_order.h"
#include "tools/qtdb-crash/crash_set.h"

static struct memory *memory;
static struct crash_model model;

static void
setup(void)
{
    memory = memory_new();
    crash_model_init(&model, memory);
}

static void
teardown(void)
{
    crash_model_deinit(&model);
    memory_delete(memory);
}

TestSuite(store_model, .init = setup, .fini = teardown);

static void
commit(uint64_t csn, uint32_t page, uint64_t hash, bool used)
{
    crash_model_stage(&model, page, hash, used, true);
    crash_model_commit(&model, csn);
}

Test(store_model, knows_each_page_at_each_commit)
{
    commit(3, 5, 100, true);
    commit(7, 6, 200, true);
    commit(8, 5, 101, true);
    commit(9, 5, 0, false);
    cr_assert_null(crash_model_at(&model, 5, 0));
    cr_assert_eq(crash_model_at(&model, 5, 2)->hash, 100);
    cr_assert_eq(crash_model_at(&model, 5, 3)->hash, 101);
    cr_assert_not(crash_model_at(&model, 5, 4)->used);
    cr_assert_eq(crash_model_used_count(&model), 1);
    cr_assert_eq(crash_model_used(&model, 0), 6);
    cr_assert_eq(crash_model_used(&model, 1), PAGE_NONE);
}

Test(store_model, says_when_a_content_was_there)
{
    const struct crash_version *version;
    uint64_t last;

    commit(3, 5, 100, true);
    commit(7, 6, 200, true);
    commit(8, 5, 101, true);
    cr_assert(crash_model_find(&model, 5, 100, &version, &last));
    cr_assert_eq(version->commit, 1);
    cr_assert_eq(last, 2);
    cr_assert(crash_model_find(&model, 5, 101, &version, &last));
    cr_assert_eq(last, 3);
    cr_assert_not(crash_model_find(&model, 5, 102, &version, &last));
    cr_assert_not(crash_model_find(&model, 99, 100, &version, &last));
}

Test(store_model, acknowledges_up_to_a_csn)
{
    commit(3, 5, 100, true);
    commit(7, 5, 101, true);
    crash_model_acknowledge(&model, 6);
    cr_assert_eq(model.acknowledged, 1);
    crash_model_acknowledge(&model, 3);
    cr_assert_eq(model.acknowledged, 1);
    crash_model_acknowledge(&model, 7);
    cr_assert_eq(model.acknowledged, 2);
    cr_assert_eq(crash_model_commit_of(&model, 6), 1);
    cr_assert_eq(crash_model_commit_of(&model, 2), 0);
}

Test(store_model, goes_back_after_a_crash)
{
    commit(3, 5, 100, true);
    commit(7, 5, 101, true);
    crash_model_rollback(&model, 1);
    cr_assert_eq(model.commit_count, 1);
    cr_assert_eq(crash_model_at(&model, 5, UINT64_MAX)->hash, 100);
    commit(6, 5, 102, true);
    crash_model_uncommit(&model);
    cr_assert_eq(crash_model_at(&model, 5, UINT64_MAX)->hash, 100);
}

Test(store_model, a_set_knows_what_it_has_seen)
{
    struct crash_set *set = crash_set_new(memory);

    for (uint64_t value = 0; value < 200000; value++)
        cr_assert(crash_set_add(set, value * UINT64_C(0x9e3779b97f4a7c15)));
    for (uint64_t value = 0; value < 200000; value++)
        cr_assert_not(crash_set_add(set, value * UINT64_C(0x9e3779b97f4a7c15)));
    cr_assert_eq(crash_set_count(set), 200000);
    crash_set_delete(set);
}

/* The account of order: events as the disk would show them. */

static char broken[ORDER_TEXT_SIZE];

static void
note_broken(void *context, const char *text)
{
    (void)context;
    (void)snprintf(broken, sizeof(broken), "%s", text);
}

static void
show(struct crash_order *order, struct io_sim_event event, uint64_t claimed)
{
    event.done = false;
    crash_order_event(order, &event, claimed);
    event.done = true;
    crash_order_event(order, &event, claimed);
}

/* A segment header that continues nothing, then one frame with commits up to `csn`. */
static void
show_frame(struct crash_order *order, uint64_t csn, uint32_t flags)
{
    static uint8_t block[WAL_BLOCK_SIZE];
    struct wal_frame_header *frame = (struct wal_frame_header *)block;
    struct wal_segment_header *header = (struct wal_segment_header *)block;
    const char *path = CRASH_LOG_DIR "/0000000000000001.seg";

    memset(block, 0, sizeof(block));
    header->magic = le64_of(WAL_SEGMENT_MAGIC);
    header->epoch = le64_of(9);
    header->prev_csn = le64_of(1);
    show(order,
         (struct io_sim_event){.op = IO_SIM_WRITE,
                               .path = path,
                               .bytes = block,
                               .size = WAL_BLOCK_SIZE,
                               .flags = IO_DURABLE},
         0);
    memset(block, 0, sizeof(block));
    frame->magic = le32_of(WAL_FRAME_MAGIC);
    frame->lsn = le64_of(CRASH_SEGMENT_SIZE + WAL_FRAMES_OFFSET);
    frame->payload_size = le32_of(10);
    frame->commit_count = le32_of(1);
    frame->first_csn = le64_of(csn);
    show(order,
         (struct io_sim_event){.op = IO_SIM_WRITE,
                               .path = path,
                               .bytes = block,
                               .size = WAL_BLOCK_SIZE,
                               .offset = WAL_FRAMES_OFFSET,
                               .flags = flags},
         0);
}

static void
show_page(struct crash_order *order, uint64_t csn)
{
    static uint8_t page[PAGE_SIZE];

    ((struct page_header *)page)->csn = le64_of(csn);
    show(order,
         (struct io_sim_event){.op = IO_SIM_WRITE,
                               .path = CRASH_FILE,
                               .bytes = page,
                               .size = PAGE_SIZE,
                               .offset = 5 * PAGE_SIZE},
         0);
}

static struct crash_order *
order_new(void)
{
    struct io_sim_options options = {.seed = 1};
    struct crash_order *order = memory_alloc(memory, MEMORY_OTHER, sizeof(*order));
    struct io *io;

    cr_assert_eq(io_sim_open(memory, &options, &io), STATUS_OK);
    crash_order_init(order, memory, note_broken, NULL);
    crash_order_begin(order, io);
    return order;
}

static void
order_delete(struct crash_order *order)
{
    io_close_all(order->io);
    crash_order_deinit(order);
    memory_free(memory, MEMORY_OTHER, order, sizeof(*order));
}

Test(store_model, a_page_after_its_log_is_in_order)
{
    struct crash_order *order = order_new();

    show_frame(order, 2, IO_DURABLE);
    show_page(order, 2);
    cr_assert_str_empty(broken);
    order_delete(order);
}

Test(store_model, a_page_before_its_log_breaks_the_order)
{
    struct crash_order *order = order_new();

    show_frame(order, 2, 0);
    show_page(order, 2);
    cr_assert(strstr(broken, "O1") != NULL);
    order_delete(order);
}

Test(store_model, a_frame_over_a_frame_breaks_the_order)
{
    struct crash_order *order = order_new();

    show_frame(order, 2, IO_DURABLE);
    show_frame(order, 3, IO_DURABLE);
    cr_assert(strstr(broken, "O2") != NULL);
    order_delete(order);
}

Test(store_model, a_claim_before_the_sync_breaks_the_order)
{
    struct crash_order *order = order_new();

    show_frame(order, 2, 0);
    show(order, (struct io_sim_event){.op = IO_SIM_SYNC, .path = CRASH_FILE}, 2);
    cr_assert(strstr(broken, "O5") != NULL);
    order_delete(order);
}
