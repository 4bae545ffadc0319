/* See pager_world.h. */
#include "tests/support/pager_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/checksum.h"

enum { TOUCHED_MAX = 64, DIRECT_MAX = 8, RETRY_MAX = 200 };

void
world_fail(const struct world *world, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "world failed: seed=%llu step=%llu: ", (unsigned long long)world->seed,
            (unsigned long long)world->step_count);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    abort();
}

/* ---- Model ----------------------------------------------------------------------------------- */

/* What a page means: its bytes from the tree id on, without the pager's own flags. */
static uint64_t
page_hash(const uint8_t *page)
{
    uint8_t copy[PAGE_SIZE];
    uint64_t hash;

    memcpy(copy, page, sizeof(copy));
    page_header(copy)->flags = 0;
    hash = checksum64(copy + PAGE_DELTA_FIRST_BYTE, PAGE_SIZE - PAGE_DELTA_FIRST_BYTE, 1);
    return hash == 0 ? 1 : hash;
}

static void
snapshot_push(struct world *world, uint64_t csn, const uint64_t *hashes)
{
    struct world_snapshot *snapshot;

    if (world->snapshot_count == world->snapshot_capacity) {
        world->snapshot_capacity = 2 * world->snapshot_capacity + 16;
        world->snapshots =
            realloc(world->snapshots, world->snapshot_capacity * sizeof(*world->snapshots));
    }
    snapshot = &world->snapshots[world->snapshot_count++];
    snapshot->csn = csn;
    snapshot->hashes = malloc(WORLD_PAGES * sizeof(*hashes));
    memcpy(snapshot->hashes, hashes, WORLD_PAGES * sizeof(*hashes));
}

static void
snapshot_pop(struct world *world)
{
    free(world->snapshots[--world->snapshot_count].hashes);
}

static const struct world_snapshot *
snapshot_at(const struct world *world, uint64_t csn)
{
    for (uint32_t index = world->snapshot_count; index > 0; index--) {
        if (world->snapshots[index - 1].csn <= csn)
            return &world->snapshots[index - 1];
    }
    world_fail(world, "no state for CSN %llu", (unsigned long long)csn);
}

/* A page in use, or PAGE_NONE. Never the catalog's root. */
static uint32_t
pick_page(struct world *world)
{
    uint32_t start = (uint32_t)random_below(&world->random, WORLD_PAGES);

    for (uint32_t step = 0; step < WORLD_PAGES; step++) {
        uint32_t number = (start + step) % WORLD_PAGES;
        if (world->hashes[number] != 0 && number != PAGE_CATALOG_ROOT)
            return number;
    }
    return PAGE_NONE;
}

static uint32_t
used_count(const struct world *world)
{
    uint32_t count = 0;

    for (uint32_t number = 0; number < WORLD_PAGES; number++)
        count += world->hashes[number] != 0;
    return count;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct pager_options
world_options(enum pager_policy policy)
{
    return (struct pager_options){
        .create = true,
        .policy = policy,
        .pool_size = 64 * PAGE_SIZE,
        .log_limit = 512 * 1024,
        .segment_size = 64 * 1024,
        .log_buffer_count = 2,
        .log_frame_size = 16 * 1024,
        .page_limit = WORLD_PAGES,
        .grow_count = 16,
        .change_limit = 24,
        .flush_depth = 8,
        .file_id = 0x77,
        .owner_pid = 1,
    };
}

void
world_init(struct world *world, uint64_t seed, const struct pager_options *options)
{
    struct io_sim_options sim = {.seed = seed};

    memset(world, 0, sizeof(*world));
    world->seed = seed;
    random_init(&world->random, seed);
    world->memory = memory_new();
    world->disk_memory = memory_new();
    WORLD_OK(world, io_sim_open(world->disk_memory, &sim, &world->io));
    WORLD_OK(world, io_make_dir(world->io, WORLD_DIR));
    WORLD_OK(world, io_sync_dir(world->io, "/"));
    world->env = (struct env){world->memory, world->io};
    world->options = *options;
    world->hashes = calloc(WORLD_PAGES, sizeof(*world->hashes));
}

void
world_forget(struct world *world)
{
    while (world->snapshot_count > 0)
        snapshot_pop(world);
    memset(world->hashes, 0, WORLD_PAGES * sizeof(*world->hashes));
    world->csn_acked = 0;
}

void
world_deinit(struct world *world)
{
    world_forget(world);
    free(world->snapshots);
    free(world->hashes);
    pager_abandon(world->pager);
    if (io_sim_open_count(world->io) != 0)
        world_fail(world, "files are left open");
    io_close_all(world->io);
    if (memory_live_count(world->memory) != 0)
        world_fail(world, "memory is left: %llu",
                   (unsigned long long)memory_live_count(world->memory));
    memory_delete(world->memory);
    if (!world->is_branch)
        memory_delete(world->disk_memory);
}

void
world_branch(const struct world *world, struct io *io, struct world *out)
{
    *out = *world;
    out->io = io;
    out->memory = memory_new();
    out->env = (struct env){out->memory, io};
    out->pager = NULL;
    out->is_branch = true;
    out->snapshots = NULL;
    out->snapshot_count = out->snapshot_capacity = 0;
    out->hashes = malloc(WORLD_PAGES * sizeof(*out->hashes));
    memcpy(out->hashes, world->hashes, WORLD_PAGES * sizeof(*out->hashes));
    for (uint32_t index = 0; index < world->snapshot_count; index++)
        snapshot_push(out, world->snapshots[index].csn, world->snapshots[index].hashes);
}

/* A file just made: one page in use. */
static enum status
take_first_state(struct world *world)
{
    uint8_t page[PAGE_SIZE];

    TRY(pager_copy(world->pager, PAGE_CATALOG_ROOT, page));
    world->hashes[PAGE_CATALOG_ROOT] = page_hash(page);
    snapshot_push(world, 0, world->hashes);
    return STATUS_OK;
}

enum status
world_try_open(struct world *world)
{
    const struct world_snapshot *snapshot;
    struct pager_statistics statistics;
    enum status status = pager_open(&world->env, WORLD_PATH, &world->options, &world->pager);

    if (status != STATUS_OK)
        return status;
    if (world->snapshot_count == 0)
        TRY(take_first_state(world));
    pager_get_statistics(world->pager, &statistics);
    if (statistics.csn_opened < world->csn_acked)
        world_fail(world, "acknowledged CSN %llu, found %llu", (unsigned long long)world->csn_acked,
                   (unsigned long long)statistics.csn_opened);
    snapshot = snapshot_at(world, statistics.csn_opened);
    memcpy(world->hashes, snapshot->hashes, WORLD_PAGES * sizeof(*world->hashes));
    while (world->snapshots[world->snapshot_count - 1].csn > snapshot->csn)
        snapshot_pop(world);
    return STATUS_OK;
}

void
world_open(struct world *world)
{
    WORLD_OK(world, world_try_open(world));
}

enum status
world_try_close(struct world *world)
{
    struct pager *pager = world->pager;

    world->pager = NULL;
    TRY(pager_close(pager));
    world->csn_acked = world->snapshots[world->snapshot_count - 1].csn;
    return STATUS_OK;
}

void
world_close(struct world *world)
{
    WORLD_OK(world, world_try_close(world));
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* Pages one change has in hand. */
struct touched {
    uint32_t page_number;
    const uint8_t *bytes; /* NULL: freed. */
};

struct touched_list {
    struct touched pages[TOUCHED_MAX];
    uint32_t count;
};

static struct touched *
touched_find(struct touched_list *list, uint32_t page_number)
{
    for (uint32_t index = 0; index < list->count; index++) {
        if (list->pages[index].page_number == page_number)
            return &list->pages[index];
    }
    return NULL;
}

static void
touched_add(struct touched_list *list, uint32_t page_number, const uint8_t *bytes)
{
    struct touched *touched = touched_find(list, page_number);

    if (touched == NULL)
        touched = &list->pages[list->count++];
    *touched = (struct touched){page_number, bytes};
}

static void
edit_bytes(struct world *world, struct pager_change *change, uint32_t page_number, uint8_t *page)
{
    struct random *random = &world->random;
    uint32_t size = 1 + (uint32_t)random_below(random, random_chance(random, 1, 8) ? 2000 : 60);
    uint32_t at = PAGE_HEADER_SIZE + (uint32_t)random_below(random, PAGE_BODY_SIZE - size);
    uint32_t to = PAGE_HEADER_SIZE + (uint32_t)random_below(random, PAGE_BODY_SIZE - size);

    switch (random_below(random, 4)) {
    case 0:
        memmove(page + to, page + at, size);
        pager_change_move(change, page_number, at, to, size);
        break;
    case 1:
        memset(page + at, (int)random_below(random, 3), size);
        break;
    default:
        random_bytes(random, page + at, size);
    }
}

static enum status
act_allocate(struct world *world, struct pager_change *change, struct touched_list *list)
{
    uint8_t level = (uint8_t)random_below(&world->random, 3);
    uint32_t number;
    uint8_t *page;

    TRY(pager_change_allocate(change, 9, PAGE_TYPE_TEST, level, &number, &page));
    if (number >= WORLD_PAGES || world->hashes[number] != 0)
        world_fail(world, "page %u was given out though it is in use", number);
    random_bytes(&world->random, page + PAGE_HEADER_SIZE,
                 random_below(&world->random, PAGE_BODY_SIZE));
    touched_add(list, number, page);
    return STATUS_OK;
}

static enum status
act_edit(struct world *world, struct pager_change *change, struct touched_list *list)
{
    uint32_t number = pick_page(world);
    struct touched *touched = touched_find(list, number);
    uint8_t *page;

    if (number == PAGE_NONE || (touched != NULL && touched->bytes == NULL))
        return STATUS_OK;
    TRY(pager_change_edit(change, number, &page));
    for (uint64_t count = 1 + random_below(&world->random, 3); count > 0; count--)
        edit_bytes(world, change, number, page);
    touched_add(list, number, page);
    return STATUS_OK;
}

static enum status
act_free(struct world *world, struct pager_change *change, struct touched_list *list)
{
    uint32_t number = pick_page(world);
    struct touched *touched = touched_find(list, number);

    if (number == PAGE_NONE || (touched != NULL && touched->bytes == NULL))
        return STATUS_OK;
    TRY(pager_change_free(change, number));
    touched_add(list, number, NULL);
    return STATUS_OK;
}

static enum status
act(struct world *world, struct pager_change *change, struct touched_list *list)
{
    uint32_t used = used_count(world);
    uint64_t choice = random_below(&world->random, 100);
    const char note[] = "note";

    if (choice % 2 == 0)
        pager_change_rest(change); /* No action writes through pointers of one before. */
    if (used < 20 || (choice < 25 && used < WORLD_PAGES / 2))
        return act_allocate(world, change, list);
    if (choice < 40)
        return act_free(world, change, list);
    if (choice < 43)
        return pager_change_note(change, note, sizeof(note));
    return act_edit(world, change, list);
}

/* Applies what the change did to a copy of the model. */
static void
apply_touched(struct world *world, const struct touched_list *list, uint64_t *hashes)
{
    memcpy(hashes, world->hashes, WORLD_PAGES * sizeof(*hashes));
    for (uint32_t index = 0; index < list->count; index++) {
        const struct touched *touched = &list->pages[index];
        hashes[touched->page_number] = touched->bytes == NULL ? 0 : page_hash(touched->bytes);
    }
}

/* The state is in the model before the commit, for crashes inside it. */
static enum status
commit(struct world *world, struct pager_change *change, const struct touched_list *list)
{
    uint64_t hashes[WORLD_PAGES];
    uint64_t csn = 0;
    enum status status;

    apply_touched(world, list, hashes);
    snapshot_push(world, pager_change_csn(change), hashes);
    status = pager_change_commit(change, &csn);
    if (status != STATUS_OK || csn != world->snapshots[world->snapshot_count - 1].csn) {
        if (status == STATUS_OK && memcmp(hashes, world->hashes, sizeof(hashes)) != 0)
            world_fail(world, "a change took no CSN");
        snapshot_pop(world);
        return status;
    }
    memcpy(world->hashes, hashes, sizeof(hashes));
    return STATUS_OK;
}

static enum status
change_once(struct world *world, uint32_t actions)
{
    struct touched_list list = {.count = 0};
    struct pager_change *change;

    TRY(pager_change_begin(world->pager, &change));
    for (uint32_t index = 0; index < actions; index++) {
        enum status status = act(world, change, &list);
        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
    }
    if (random_chance(&world->random, 1, 20)) {
        pager_change_abandon(change);
        return STATUS_OK;
    }
    return commit(world, change, &list);
}

enum status
world_change(struct world *world, uint32_t actions)
{
    struct random random = world->random;
    enum status status;

    for (uint32_t tries = 0; tries < RETRY_MAX; tries++) {
        world->random = random;
        status = change_once(world, actions);
        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(world->pager));
    }
    world_fail(world, "a change is missing something for ever");
}

enum status
world_flush(struct world *world)
{
    uint64_t csn = pager_csn(world->pager);

    TRY(pager_flush(world->pager, csn));
    world->csn_acked = csn;
    return STATUS_OK;
}

/* ---- Direct writes --------------------------------------------------------------------------- */

static enum status
adopt_once(struct world *world, const struct touched_list *list)
{
    struct pager_change *change;

    TRY(pager_change_begin(world->pager, &change));
    for (uint32_t index = 0; index < list->count; index++) {
        enum status status = pager_change_adopt(change, list->pages[index].page_number);
        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
    }
    return commit(world, change, list);
}

static enum status
adopt_all(struct world *world, const struct touched_list *list)
{
    enum status status;

    while ((status = adopt_once(world, list)) == STATUS_MISSING)
        TRY(pager_change_resolve(world->pager));
    return status;
}

enum status
world_direct(struct world *world, uint32_t count)
{
    uint8_t pages[DIRECT_MAX][PAGE_SIZE];
    void *pointers[DIRECT_MAX];
    uint32_t numbers[DIRECT_MAX];
    struct touched_list list = {.count = 0};
    enum status status;

    TRY(pager_direct_reserve(world->pager, count, numbers));
    for (uint32_t index = 0; index < count; index++) {
        if (numbers[index] >= WORLD_PAGES || world->hashes[numbers[index]] != 0)
            world_fail(world, "page %u was reserved though it is in use", numbers[index]);
        page_init(pages[index], numbers[index], 5, PAGE_TYPE_TEST, 0);
        random_bytes(&world->random, pages[index] + PAGE_HEADER_SIZE, 2000);
        pointers[index] = pages[index];
        touched_add(&list, numbers[index], pages[index]);
    }
    status = pager_direct_write(world->pager, count, numbers, pointers);
    if (status == STATUS_OK && random_chance(&world->random, 4, 5)) {
        status = adopt_all(world, &list);
        if (status == STATUS_OK)
            return STATUS_OK;
    }
    pager_direct_release(world->pager, count, numbers);
    return status;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static enum status
step_shrink(struct world *world)
{
    uint32_t page_count;

    return pager_shrink(world->pager, &page_count);
}

static enum status
step_check_page(struct world *world)
{
    uint32_t number = pick_page(world);
    uint8_t page[PAGE_SIZE];

    if (number == PAGE_NONE)
        return STATUS_OK;
    TRY(pager_copy(world->pager, number, page));
    if (page_hash(page) != world->hashes[number])
        world_fail(world, "page %u is not what was committed", number);
    return STATUS_OK;
}

enum status
world_step(struct world *world)
{
    struct random *random = &world->random;
    uint64_t choice = random_below(random, 100);
    bool more;

    world->step_count++;
    if (choice < 70)
        return world_change(world, 1 + (uint32_t)random_below(random, 6));
    if (choice < 80)
        return world_flush(world);
    if (choice < 84)
        return pager_work(world->pager, &more);
    if (choice < 86)
        return pager_checkpoint(world->pager);
    if (choice < 88)
        return step_shrink(world);
    if (choice < 92 && world->direct)
        return world_direct(world, 1 + (uint32_t)random_below(random, DIRECT_MAX));
    if (choice == 99 && random_chance(random, 1, 4)) {
        TRY(world_try_close(world));
        return world_try_open(world);
    }
    return step_check_page(world);
}

/* ---- Verification ---------------------------------------------------------------------------- */

static void
report_finding(void *context, const struct pager_finding *finding)
{
    fprintf(stderr, "finding: page %u %s: %s\n", finding->page_number, status_name(finding->status),
            finding->reason);
    *(uint32_t *)context = finding->page_number;
}

static void
verify_page(struct world *world, uint32_t number)
{
    enum page_state state = PAGE_STATE_UNUSED;
    uint8_t page[PAGE_SIZE];

    if (world->hashes[number] != 0) {
        WORLD_OK(world, pager_copy(world->pager, number, page));
        if (page_hash(page) != world->hashes[number])
            world_fail(world, "page %u is not as at CSN %llu", number,
                       (unsigned long long)pager_csn(world->pager));
    } else if (number >= PAGE_CATALOG_ROOT && number < pager_page_count(world->pager)) {
        WORLD_OK(world, pager_page_state(world->pager, number, &state));
        if (state == PAGE_STATE_USED)
            world_fail(world, "page %u is in use and should be free", number);
    }
}

void
world_verify(struct world *world)
{
    struct pager_check_result result;
    uint32_t page_number = 0;

    for (uint32_t number = 0; number < WORLD_PAGES; number++)
        verify_page(world, number);
    WORLD_OK(world, pager_check(world->pager, report_finding, &page_number, &result));
    if (result.finding_count != 0)
        world_fail(world, "%llu findings, the last at page %u",
                   (unsigned long long)result.finding_count, page_number);
    if (result.used_count != used_count(world))
        world_fail(world, "%llu pages in use, expected %u", (unsigned long long)result.used_count,
                   used_count(world));
}

static void
open_verify_work(struct world *branch, uint32_t steps)
{
    world_open(branch);
    world_verify(branch);
    for (uint32_t step = 0; step < steps; step++)
        WORLD_OK(branch, world_step(branch));
    if (branch->pager == NULL)
        return;
    world_verify(branch);
    world_close(branch);
    world_open(branch);
    world_verify(branch);
    world_close(branch);
}

void
world_crash(const struct world *world, const struct io_sim_crash *crash, uint32_t steps)
{
    struct world branch;
    struct io *io;

    WORLD_OK(world, io_sim_fork(world->io, crash, world->disk_memory, &io));
    world_branch(world, io, &branch);
    open_verify_work(&branch, steps);
    world_deinit(&branch);
}

/* Forks once, before operation number `at`. */
struct watched_crash {
    struct io *disk;
    struct io_sim_crash crash;
    struct memory *memory;
    uint64_t at;
    struct io *io;
};

static void
watch(void *context, const struct io_sim_event *event)
{
    struct watched_crash *crash = context;

    if (event->done || event->index < crash->at || crash->io != NULL)
        return;
    if (io_sim_fork(crash->disk, &crash->crash, crash->memory, &crash->io) != STATUS_OK)
        abort();
}

enum status
world_crash_inside(struct world *world, const struct io_sim_crash *crash, uint32_t steps)
{
    struct watched_crash inside = {
        .disk = world->io, .crash = *crash, .memory = world->disk_memory};
    uint64_t csn_acked = world->csn_acked;
    struct world branch;
    enum status status;

    inside.at = io_sim_op_count(world->io) + random_below(&world->random, 30);
    io_sim_watch(world->io, watch, &inside);
    status = world_step(world);
    io_sim_watch(world->io, NULL, NULL);
    if (inside.io != NULL) {
        world_branch(world, inside.io, &branch);
        branch.csn_acked = csn_acked;
        open_verify_work(&branch, steps);
        world_deinit(&branch);
    }
    return status;
}

void
world_crash_twice(const struct world *world, const struct io_sim_crash *crash)
{
    struct watched_crash second = {.crash = *crash, .memory = world->disk_memory};
    struct world branch;
    struct world inner;
    struct io *io;

    WORLD_OK(world, io_sim_fork(world->io, crash, world->disk_memory, &io));
    world_branch(world, io, &branch);
    second.disk = io;
    second.at = random_below(&branch.random, 60);
    second.crash.seed = random_u64(&branch.random);
    io_sim_watch(io, watch, &second);
    world_open(&branch);
    io_sim_watch(io, NULL, NULL);
    world_verify(&branch);
    if (second.io != NULL) {
        world_branch(&branch, second.io, &inner);
        open_verify_work(&inner, 5);
        world_deinit(&inner);
    }
    world_deinit(&branch);
}

/* ---- Single changes -------------------------------------------------------------------------- */

enum single { SINGLE_ALLOCATE, SINGLE_FILL, SINGLE_FREE };

struct single_change {
    enum single what;
    uint32_t page_number;
    uint32_t offset;
    uint32_t size;
    uint8_t fill;
};

static enum status
single_act(struct world *world, struct pager_change *change, struct single_change *single,
           struct touched_list *list)
{
    uint8_t *page = NULL;

    (void)world;
    if (single->what == SINGLE_FREE) {
        TRY(pager_change_free(change, single->page_number));
    } else if (single->what == SINGLE_ALLOCATE) {
        TRY(pager_change_allocate(change, 9, PAGE_TYPE_TEST, 0, &single->page_number, &page));
    } else {
        TRY(pager_change_edit(change, single->page_number, &page));
    }
    if (page != NULL)
        memset(page + single->offset, single->fill, single->size);
    touched_add(list, single->page_number, page);
    return STATUS_OK;
}

static enum status
single_once(struct world *world, struct single_change *single)
{
    struct touched_list list = {.count = 0};
    struct pager_change *change;
    enum status status;

    TRY(pager_change_begin(world->pager, &change));
    status = single_act(world, change, single, &list);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    return commit(world, change, &list);
}

static void
single_run(struct world *world, struct single_change *single)
{
    enum status status;

    while ((status = single_once(world, single)) == STATUS_MISSING)
        WORLD_OK(world, pager_change_resolve(world->pager));
    WORLD_OK(world, status);
}

uint32_t
world_allocate(struct world *world, uint8_t fill)
{
    struct single_change single = {
        .what = SINGLE_ALLOCATE, .offset = PAGE_HEADER_SIZE, .size = PAGE_BODY_SIZE, .fill = fill};

    single_run(world, &single);
    return single.page_number;
}

void
world_fill(struct world *world, uint32_t page_number, uint32_t offset, uint8_t fill, uint32_t size)
{
    struct single_change single = {.what = SINGLE_FILL,
                                   .page_number = page_number,
                                   .offset = offset,
                                   .size = size,
                                   .fill = fill};

    single_run(world, &single);
}

void
world_free(struct world *world, uint32_t page_number)
{
    struct single_change single = {.what = SINGLE_FREE, .page_number = page_number};

    single_run(world, &single);
}
