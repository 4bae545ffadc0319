/*
 * Goal: prove that a page has one frame or none, that word and frame agree at all times, that only
 * clean pages nobody holds are evicted, and that no frame is lost or handed out twice.
 * Method: a pool without a file. Single steps of each function, then long random sequences of them
 * against a model, with every frame accounted for after each step. Threads: tests/thread/thread_pool.c.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "kernel/base/io_sim.h"
#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { FRAMES = 64, PAGES = 300 };

static uint64_t
word_of(const struct pager *pager, uint32_t page_number)
{
    return atomic_load(&pager->table.words[page_number]);
}

static uint32_t
frame_of(const struct pager *pager, uint32_t page_number)
{
    return (uint32_t)(word_of(pager, page_number) & WORD_FRAME_MASK);
}

static uint32_t
install(struct pager *pager, uint32_t page_number)
{
    uint32_t frame;

    MUST(pager__frame_take(pager, &frame));
    memset(pager__frame_bytes(pager, frame), (int)(page_number & 0xff), PAGE_SIZE);
    cr_assert(pager__install(pager, page_number, frame));
    return frame;
}

static uint32_t
fill(struct pager *pager)
{
    uint32_t page_number = 4, frame;

    while (pager->free_frames > FRAME_RESERVE) {
        frame = install(pager, page_number);
        pager->table.referenced[frame] = 0;
        page_number++;
    }
    return page_number;
}

/* The frames of the map's share are beside the pool's, stay when the pool is full of younger pages, and come
 * back when their pages go. covers: P18 */
Test(pool, map_frames_are_beside_the_pool_and_stay)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t count = pager->map_frames, first = PAGES, frame, page_number;

    cr_assert_eq(count, FRAMES * MAP_FRAMES_A_FRAME);
    for (uint32_t i = 0; i < count; i++) {
        MUST(pager__frame_take_map(pager, &frame));
        cr_assert(pager__install(pager, first + i, frame));
        pager->table.referenced[frame] = 0;
    }
    cr_assert_eq(pager__frame_take_map(pager, &frame), STATUS_MISSING);
    cr_assert_eq(pager->free_frames, FRAMES, "none of the pool's was taken");
    page_number = fill(pager);
    for (uint32_t i = 0; i < 3 * FRAMES; i++)
        pager->table.referenced[install(pager, page_number++)] = 0;
    for (uint32_t i = 0; i < count; i++)
        cr_assert_neq(frame_of(pager, first + i), WORD_FRAME_NONE, "map frame %u stays", i);
    cr_assert_eq(PAGER_GET(pager, evict_count), 3 * FRAMES);

    uint32_t free_before = pager->free_frames;
    struct pager_pin pin;

    pager__drop(pager, first);
    cr_assert_eq(pager->map_free, 1);
    cr_assert(pager__pin_resident(pager, first + 1, &pin));
    pager__drop(pager, first + 1);
    cr_assert_eq(pager->map_free, 1, "an orphan yet");
    pager_unpin(pager, &pin);
    cr_assert_eq(pager->map_free, 2);
    cr_assert_eq(pager->free_frames, free_before);
    MUST(pager__frame_take_map(pager, &frame));
    pager__frame_give(pager, frame);
    cr_assert_eq(pager->map_free, 2);
    pager_rig_pool_free(&rig, pager);
}

/* As many for any pool from a point on. covers: P18 */
Test(pool, map_frames_are_bounded)
{
    struct pager_rig rig;

    pager_rig_init(&rig, 1);
    struct pager *pager = memory_alloc(rig.memory, MEMORY_OTHER, sizeof(*pager));
    pager->env = rig.env;
    pager->options = rig.options;
    pager->options.pool_size = (uint64_t)64 << 20;
    MUST(pager__pool_open(pager));
    cr_assert_eq(pager->map_frames, MAP_FRAMES_MAX);
    pager_rig_pool_free(&rig, pager);
}

/* covers: P15 */
Test(pool, a_word_never_touched_is_absent)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    struct page_view view = {0};
    struct pager_pin pin;

    cr_assert_eq(word_of(pager, 4), 0);
    cr_assert_not(page_view_begin(pager_table(pager), 4, &view));
    cr_assert_not(pager__pin_resident(pager, 4, &pin));
    cr_assert_not(page_view_begin(pager_table(pager), pager->table.page_limit, &view),
                  "past the table");
    pager_rig_pool_free(&rig, pager);
}

/* covers: P15 */
Test(pool, an_installed_page_is_found_by_view_and_pin)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t frame = install(pager, 9);
    struct page_view view = {0};
    struct pager_pin pin;

    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    cr_assert_eq(view_u64(&view, 8), 0x0909090909090909);
    cr_assert(page_view_end(&view));
    cr_assert(pager__pin_resident(pager, 9, &pin));
    cr_assert_eq(pin.frame, frame);
    cr_assert_eq(pin.bytes, view.bytes);
    cr_assert_eq(pager->frame[frame].page_number, 9);
    pager_unpin(pager, &pin);
    cr_assert_eq(pager->frame[frame].pins, 0);
    pager_rig_pool_free(&rig, pager);
}

/* covers: P15 */
Test(pool, a_second_frame_for_a_page_is_given_back)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t first = install(pager, 9), second;
    uint32_t free_before;

    MUST(pager__frame_take(pager, &second));
    free_before = pager->free_frames;
    cr_assert_not(pager__install(pager, 9, second));
    cr_assert_eq(frame_of(pager, 9), first);
    cr_assert_eq(pager->free_frames, free_before + 1);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, frames_are_handed_out_once_and_the_reserve_is_kept)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    bool seen[FRAMES + 1] = {false};
    uint32_t frame, count = 0;

    while (pager__frame_take(pager, &frame) == STATUS_OK) {
        cr_assert(frame >= 1 && frame <= FRAMES && !seen[frame]);
        seen[frame] = true;
        count++;
    }
    cr_assert_eq(count, FRAMES - FRAME_RESERVE);
    while (pager__frame_take_reserve(pager, &frame) == STATUS_OK) {
        cr_assert(frame >= 1 && frame <= FRAMES && !seen[frame]);
        seen[frame] = true;
        count++;
    }
    cr_assert_eq(count, FRAMES, "the reserve can be used up");
    pager_rig_pool_free(&rig, pager);
}

Test(pool, the_reserve_is_filled_before_anybody_else_gets_a_frame)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t frame;

    (void)fill(pager);
    for (int i = 0; i < 3; i++)
        MUST(pager__frame_take_reserve(pager, &frame));
    cr_assert_eq(pager->free_frames, FRAME_RESERVE - 3);
    MUST(pager__frame_take(pager, &frame));
    cr_assert_eq(pager->free_frames, FRAME_RESERVE);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, evicts_no_page_that_is_pinned_dirty_or_being_flushed)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t end = fill(pager), frame;
    struct pager_pin pin;

    cr_assert(pager__pin_resident(pager, 4, &pin));
    pager->frame[frame_of(pager, 5)].csn_dirty = 7;
    pager->frame[frame_of(pager, 6)].csn_flushing = 7;
    for (uint32_t page_number = 7; page_number < end; page_number++)
        MUST(pager__frame_take(pager, &frame));
    for (uint32_t page_number = 4; page_number < end; page_number++)
        cr_assert_eq(frame_of(pager, page_number) != 0, page_number < 7, "page %u", page_number);
    cr_assert_eq(pager__frame_take(pager, &frame), STATUS_MISSING);
    uint32_t pinned = pin.frame;
    pager_unpin(pager, &pin);
    MUST(pager__frame_take(pager, &frame));
    cr_assert_eq(frame, pinned);
    cr_assert_eq(frame_of(pager, 4), 0);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_view_ends_false_when_the_page_was_published_dropped_or_evicted)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    struct page_view view = {0};

    (void)install(pager, 9);
    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    uint32_t frame = (uint32_t)(pager__word_lock(pager, 9) & WORD_FRAME_MASK);
    cr_assert_not(page_view_end(&view), "the writer is at it");
    pager__word_unlock(pager, 9, frame, false);
    cr_assert_not(page_view_end(&view), "the writer was there");

    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    pager__drop(pager, 9);
    cr_assert_not(page_view_end(&view));
    (void)install(pager, 9);
    cr_assert_not(page_view_end(&view), "it came back, perhaps with other bytes");
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_view_ends_false_when_the_page_went_and_came_back_to_the_same_frame)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    struct page_view view = {0};
    uint32_t frame;

    (void)fill(pager);
    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    do
        MUST(pager__frame_take(pager, &frame));
    while (frame_of(pager, 9) != 0);
    cr_assert_eq(view.bytes, pager__frame_bytes(pager, frame));
    cr_assert(pager__install(pager, 9, frame));
    cr_assert_not(page_view_end(&view));
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_view_rejects_what_was_read_half_before_and_half_after_a_publication)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t frame = install(pager, 9);
    struct page_view view = {0};

    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    uint64_t first = view_u64(&view, 0);
    (void)pager__word_lock(pager, 9);
    memset(pager__frame_bytes(pager, frame), 0x77, PAGE_SIZE);
    pager__word_unlock(pager, 9, frame, false);
    cr_assert_neq(view_u64(&view, PAGE_SIZE - 8), first, "torn");
    cr_assert_not(page_view_end(&view));
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_view_outlives_a_lock_that_changed_nothing)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    struct page_view view = {0}, locked = {0};
    uint64_t word;

    (void)install(pager, 9);
    cr_assert(page_view_begin(pager_table(pager), 9, &view));
    word = pager__word_lock(pager, 9);
    cr_assert_not(page_view_begin(pager_table(pager), 9, &locked));
    pager__word_unlock_unchanged(pager, 9, word);
    cr_assert(page_view_end(&view));
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_frame_dropped_while_pinned_is_freed_by_the_last_unpin)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t frame = install(pager, 9), free_before;
    struct pager_pin one, two;

    cr_assert(pager__pin_resident(pager, 9, &one));
    cr_assert(pager__pin_resident(pager, 9, &two));
    pager->frame[frame].csn_dirty = 3;
    free_before = pager->free_frames;
    pager__drop(pager, 9);
    cr_assert_eq(frame_of(pager, 9), 0);
    cr_assert_eq(pager->frame[frame].csn_dirty, 0, "its changes are lost with it");
    cr_assert_eq(one.bytes[100], 9, "the bytes stay for who holds them");
    pager_unpin(pager, &one);
    cr_assert_eq(pager->free_frames, free_before);
    pager_unpin(pager, &two);
    cr_assert_eq(pager->free_frames, free_before + 1);
    cr_assert_eq(pager->frame[frame].pins, 0);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_claim_is_one_threads_and_ends_with_the_page_or_without)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint64_t claimed = pager__word_claim(pager, 9);
    struct pager_pin pin;
    uint32_t frame;

    cr_assert_neq(claimed, 0);
    cr_assert_eq(pager__word_claim(pager, 9), 0, "somebody has it");
    cr_assert_not(pager__pin_resident(pager, 9, &pin), "not there yet");
    cr_assert(pager__word_settle(pager, 9, claimed, WORD_FRAME_NONE));
    claimed = pager__word_claim(pager, 9);
    cr_assert_neq(claimed, 0, "free again");
    MUST(pager__frame_take(pager, &frame));
    cr_assert(pager__word_settle(pager, 9, claimed, frame));
    cr_assert_eq(pager->frame[frame].pins, 1, "for who brought it in");
    cr_assert_eq(pager__word_claim(pager, 9), 0, "it is there");
    pager__frame_unpin(pager, frame);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, a_claim_is_taken_away_by_drop_and_install)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint64_t claimed = pager__word_claim(pager, 9), second;
    uint32_t frame;

    pager__drop(pager, 9);
    cr_assert_not(pager__word_settle(pager, 9, claimed, WORD_FRAME_NONE));
    second = pager__word_claim(pager, 9);
    cr_assert_neq(second, 0);
    cr_assert_not(pager__word_settle(pager, 9, claimed, WORD_FRAME_NONE), "not with the old one");
    frame = install(pager, 9);
    cr_assert_not(pager__word_settle(pager, 9, second, WORD_FRAME_NONE));
    cr_assert_eq(frame_of(pager, 9), frame);
    pager_rig_pool_free(&rig, pager);
}

Test(pool, unlocking_what_is_not_locked_stops_the_process, .signal = SIGABRT)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);

    pager__word_unlock(pager, 9, WORD_FRAME_NONE, false);
}

Test(pool, one_unpin_too_many_stops_the_process, .signal = SIGABRT)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);

    pager__frame_unpin(pager, install(pager, 9));
}

/* Opening fails at each allocation in turn: the right status, nothing left. */
Test(pool, an_open_that_gets_no_memory_leaves_nothing)
{
    struct pager_rig rig;
    uint64_t index = 0;
    bool done = false;

    pager_rig_init(&rig, 1);
    struct pager *pager = memory_alloc(rig.memory, MEMORY_OTHER, sizeof(*pager));
    uint64_t live = memory_live_count(rig.memory);
    pager->env = rig.env;
    pager->options = rig.options;
    for (; !done; index++) {
        memory_fail_at(rig.memory, index, false);
        enum status status = pager__pool_open(pager);
        done = status == STATUS_OK;
        cr_assert(done || status == STATUS_NO_MEMORY);
        cr_assert_eq(done, !memory_failed(rig.memory));
        if (!done)
            cr_assert_eq(memory_live_count(rig.memory), live);
    }
    cr_assert_geq(index, 8);
    memory_fail_at(rig.memory, UINT64_MAX, false);
    pager_rig_pool_free(&rig, pager);
}

/* The random run: what the model knows of each page. */
struct model {
    struct pager *pager;
    struct random random;
    bool resident[PAGES];
    struct pager_pin pins[FRAMES];
    uint32_t pin_count;
    uint32_t taken[FRAMES]; /* Frames in our hands. */
    uint32_t taken_count;
};

/* P15, and each frame is in exactly one place. */
static void
check_frames(const struct model *model)
{
    const struct pager *pager = model->pager;
    uint32_t owners[FRAMES + 1] = {0}, orphans = 0, resident = 0;

    for (uint32_t page_number = 4; page_number < PAGES; page_number++) {
        uint32_t frame = frame_of(pager, page_number);
        if (frame == 0)
            continue;
        cr_assert_eq(pager->frame[frame].page_number, page_number);
        cr_assert_eq(owners[frame]++, 0, "two pages in frame %u", frame);
        resident++;
    }
    for (uint32_t frame = 1; frame < pager__frame_end(pager); frame++) {
        cr_assert(owners[frame] == 1 || pager->frame[frame].page_number == PAGE_NONE);
        orphans += (pager->frame[frame].pins & FRAME_ORPHAN) != 0;
    }
    cr_assert_eq(resident + orphans + model->taken_count + pager->free_frames, FRAMES);
}

static void
model_pin(struct model *model, uint32_t page_number)
{
    struct pager_pin *pin = &model->pins[model->pin_count];
    bool there = frame_of(model->pager, page_number) != 0;

    if (model->pin_count == FRAMES)
        return;
    cr_assert_eq(pager__pin_resident(model->pager, page_number, pin), there);
    if (!there)
        return;
    cr_assert_eq(pin->bytes[0], (uint8_t)page_number, "another page's bytes");
    model->pin_count++;
}

static void
model_unpin(struct model *model)
{
    uint32_t index;

    if (model->pin_count == 0)
        return;
    index = (uint32_t)random_below(&model->random, model->pin_count);
    cr_assert_eq(model->pins[index].bytes[0], (uint8_t)model->pins[index].page_number);
    pager_unpin(model->pager, &model->pins[index]);
    model->pins[index] = model->pins[--model->pin_count];
}

static void
model_take(struct model *model)
{
    bool reserve = random_chance(&model->random, 1, 8);
    uint32_t frame;

    if (model->taken_count == FRAMES)
        return;
    enum status status = reserve ? pager__frame_take_reserve(model->pager, &frame)
                                 : pager__frame_take(model->pager, &frame);
    if (status == STATUS_OK)
        model->taken[model->taken_count++] = frame;
}

static void
model_put(struct model *model, uint32_t page_number)
{
    uint32_t frame;

    if (model->taken_count == 0)
        return;
    frame = model->taken[--model->taken_count];
    memset(pager__frame_bytes(model->pager, frame), (int)(page_number & 0xff), PAGE_SIZE);
    bool absent = frame_of(model->pager, page_number) == 0;
    cr_assert_eq(pager__install(model->pager, page_number, frame), absent);
}

static void
model_step(struct model *model)
{
    struct pager *pager = model->pager;
    uint32_t page_number = 4 + (uint32_t)random_below(&model->random, PAGES - 4);
    uint32_t frame = frame_of(pager, page_number);

    switch (random_below(&model->random, 8)) {
    case 0:
    case 1:
        model_pin(model, page_number);
        break;
    case 2:
    case 3:
        model_unpin(model);
        break;
    case 4:
        model_take(model);
        break;
    case 5:
        model_put(model, page_number);
        break;
    case 6:
        pager__drop(pager, page_number);
        break;
    default:
        if (frame != 0)
            pager->frame[frame].csn_dirty = random_below(&model->random, 2);
        break;
    }
}

/* covers: P15 */
Test(pool, any_sequence_accounts_for_every_frame)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct pager_rig rig;
        struct model model = {.pager = pager_rig_pool_new(&rig, FRAMES)};

        random_init(&model.random, seed);
        for (int step = 0; step < 3000; step++) {
            model_step(&model);
            check_frames(&model);
        }
        while (model.pin_count > 0)
            model_unpin(&model);
        check_frames(&model);
        pager_rig_pool_free(&rig, model.pager);
    }
}
