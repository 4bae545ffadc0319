/* Change sets; see crash_change.h. */
#include "tools/qtdb-crash/crash_change.h"

#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_model.h"

enum {
    TRY_MAX = 1000,
    STAMP_SIZE = 8,
    RANGE_COUNT_MAX = 3,
    RANGE_SIZE_MAX = 64,
    MOVE_SIZE_MAX = 900,
    TREE_ID = 7,
};

void
crash_change_add(struct crash_change *change, enum crash_action_kind kind, uint32_t page_number,
                 uint64_t seed)
{
    CHECK(change->count < CRASH_ACTION_MAX);
    change->actions[change->count++] =
        (struct crash_action){.kind = kind, .page_number = page_number, .seed = seed};
}

static uint32_t
place(struct random *random, size_t size)
{
    return PAGE_HEADER_SIZE +
           (uint32_t)random_below(random, PAGE_SIZE - PAGE_HEADER_SIZE - size + 1);
}

/* No two changes leave the same bytes: eight of them are drawn anew. */
static void
stamp(struct random *random, uint8_t *page)
{
    random_bytes(random, page + place(random, STAMP_SIZE), STAMP_SIZE);
}

static void
edit(struct random *random, uint8_t *page)
{
    uint64_t count = random_below(random, RANGE_COUNT_MAX + 1);

    for (uint64_t index = 0; index < count; index++) {
        size_t size = 1 + random_below(random, RANGE_SIZE_MAX);
        uint32_t at =
            random_chance(random, 1, 8) ? (uint32_t)(PAGE_SIZE - size) : place(random, size);

        random_bytes(random, page + at, size);
    }
    stamp(random, page);
}

static void
rewrite(struct random *random, uint8_t *page)
{
    size_t size =
        16 + random_below(random, random_chance(random, 1, 3) ? PAGE_BODY_SIZE - 16 : 600);
    uint32_t at = place(random, size);

    if (random_chance(random, 1, 3))
        memset(page + PAGE_HEADER_SIZE, 0, PAGE_BODY_SIZE);
    random_bytes(random, page + at, size);
    stamp(random, page);
}

/* Bytes shift as when a row is inserted or removed. */
static void
move(struct random *random, struct pager_change *change, uint32_t page_number, uint8_t *page)
{
    uint32_t size = 1 + (uint32_t)random_below(random, MOVE_SIZE_MAX);
    uint32_t from = place(random, size);
    uint32_t to = place(random, size);

    memmove(page + to, page + from, size);
    if (random_chance(random, 3, 4))
        pager_change_move(change, page_number, from, to, size);
    stamp(random, page);
}

void
crash_page_fill(uint8_t *page, uint64_t seed)
{
    struct random random;

    random_init(&random, seed);
    rewrite(&random, page);
}

static enum status
action_edit(struct pager_change *change, const struct crash_action *action)
{
    struct random random;
    uint8_t *page;

    random_init(&random, action->seed);
    TRY(pager_change_edit(change, action->page_number, &page));
    if (action->kind == CRASH_EDIT)
        edit(&random, page);
    else if (action->kind == CRASH_MOVE)
        move(&random, change, action->page_number, page);
    else
        rewrite(&random, page);
    return STATUS_OK;
}

static enum status
action_apply(struct pager_change *change, struct crash_action *action)
{
    uint8_t *page;

    switch (action->kind) {
    case CRASH_EDIT:
    case CRASH_MOVE:
    case CRASH_REWRITE:
        return action_edit(change, action);
    case CRASH_ALLOCATE:
        TRY(pager_change_allocate(change, TREE_ID, PAGE_TYPE_TEST, 0, &action->page_number, &page));
        crash_page_fill(page, action->seed);
        return STATUS_OK;
    case CRASH_FREE:
        return pager_change_free(change, action->page_number);
    case CRASH_ADOPT:
        return pager_change_adopt(change, action->page_number);
    case CRASH_NOTE:
        return pager_change_note(change, &action->seed, sizeof(action->seed));
    }
    return STATUS_INVALID;
}

/* What each page touched holds now, after all actions. */
static enum status
take_hashes(struct pager_change *change, struct crash_change *plan)
{
    for (uint32_t index = 0; index < plan->count; index++) {
        struct crash_action *action = &plan->actions[index];
        const uint8_t *page;

        if (action->kind >= CRASH_FREE)
            continue;
        TRY(pager_change_read(change, action->page_number, &page));
        action->hash = crash_page_hash(page, action->page_number);
    }
    return STATUS_OK;
}

static enum status
change_try(struct pager *pager, struct crash_change *plan, uint64_t *csn_out)
{
    struct pager_change *change;
    enum status status = STATUS_OK;

    TRY(pager_change_begin(pager, &change));
    for (uint32_t index = 0; index < plan->count && status == STATUS_OK; index++) {
        status = action_apply(change, &plan->actions[index]);
        if (plan->actions[index].seed % 2 == 0)
            pager_change_rest(change); /* Finished leaves are encoded early. */
    }
    if (status == STATUS_OK)
        status = take_hashes(change, plan);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    if (plan->prepared != NULL)
        plan->prepared(plan->context, plan, pager_change_csn(change));
    status = pager_change_commit(change, csn_out);
    if (status != STATUS_OK && plan->prepared != NULL)
        plan->undone(plan->context);
    return status;
}

enum status
crash_change_run(struct pager *pager, struct crash_change *change, uint64_t *csn_out)
{
    for (uint32_t tries = 0; tries < TRY_MAX; tries++) {
        enum status status = change_try(pager, change, csn_out);

        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(pager));
    }
    return error_raise(STATUS_STOPPED,
                       "a change of %u actions still misses something after %d tries",
                       change->count, TRY_MAX);
}
