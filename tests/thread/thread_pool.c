/*
 * Goal: with readers, writers, a flusher and pages that come, go and change their frames, every read
 * sees one published state of its page, under the thread sanitizer without a race, and in the ordinary
 * build although readers take no lock.
 * Method: pages in which one number is repeated from end to end. Readers compare two places of a page
 * through a view, a pin or a copy; what a view rejects may be torn, what it accepts may not. The pool
 * is much smaller than the file, so that pages are evicted and read back all the time. Some pages are
 * freed and made again. In the ordinary build the views that were torn and rejected are counted: the
 * test shows that it can see them.
 */
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum {
    PAGES = 200,
    HOT = 4, /* Pages that are changed most of the time. */
    READERS = 3,
    WRITERS = 2,
#ifdef QTDB_TSAN
    COMMITS = 1500,
#else
    COMMITS = 30000,
#endif
    FIRST_PLACE = 64,
    LAST_PLACE = PAGE_SIZE - 8,
};

static struct pager_rig rig;
static _Atomic uint32_t numbers[PAGES]; /* 0: freed at the moment. */
static _Atomic bool stop;
static _Atomic uint64_t read_count, rejected_count, torn_count;

static uint32_t
choose(struct random *random)
{
    return (uint32_t)random_below(random, random_chance(random, 3, 4) ? HOT : PAGES);
}

/* Through a view, without a lock. */
static bool
read_view(uint32_t page_number)
{
    struct page_view view;

    if (!page_view_begin(pager_table(rig.pager), page_number, &view))
        return false;
    uint64_t first = view_u64(&view, FIRST_PLACE);
    uint64_t last = view_u64(&view, LAST_PLACE);
    uint32_t own = view_u32(&view, offsetof(struct page_header, page_number));
    if (!page_view_end(&view)) {
        atomic_fetch_add(&rejected_count, 1);
        atomic_fetch_add(&torn_count, first != last);
        return true;
    }
    CHECK(first == last);
    CHECK(own == page_number);
    return true;
}

static void
check_copy(const uint8_t *page, uint32_t page_number)
{
    const char *reason;

    CHECK(page_validate(page, pager_file_id(rig.pager), page_number, &reason) == STATUS_OK);
    CHECK(memcmp(page + FIRST_PLACE, page + LAST_PLACE, 8) == 0);
}

/* A freed page is refused, and so is one that was freed between our look and the pin. */
static void
read_page(uint32_t page_number, uint64_t how)
{
    uint8_t page[PAGE_SIZE];
    struct pager_pin pin;
    enum status status;

    if (how < 6 && read_view(page_number))
        return;
    if (how == 6) {
        status = pager_copy(rig.pager, page_number, page);
        if (status == STATUS_OK)
            check_copy(page, page_number);
    } else {
        status = pager_pin(rig.pager, page_number, &pin);
        if (status == STATUS_OK) {
            (void)read_view(page_number);
            pager_unpin(rig.pager, &pin);
        }
    }
    CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
}

static void *
reader_run(void *argument)
{
    uint32_t list[8];
    struct random random;

    random_init(&random, (uint64_t)(uintptr_t)argument);
    while (!atomic_load(&stop)) {
        uint32_t page_number = atomic_load(&numbers[choose(&random)]);
        uint64_t how = random_below(&random, 8);

        if (page_number == 0)
            continue;
        read_page(page_number, how);
        atomic_fetch_add(&read_count, 1);
        if (!random_chance(&random, 1, 64))
            continue;
        for (uint32_t i = 0; i < 8; i++)
            list[i] = atomic_load(&numbers[random_below(&random, PAGES)]);
        pager_prefetch(rig.pager, list, 8);
    }
    return NULL;
}

static void *
flusher_run(void *argument)
{
    bool more;

    (void)argument;
    while (!atomic_load(&stop)) {
        MUST(pager_work(rig.pager, &more));
        if (!more)
            MUST(pager__flush_some(rig.pager));
        pager_wait_for_work(rig.pager, 50000);
    }
    return NULL;
}

/* One page, made, changed or freed. */
static enum status
commit_once(uint32_t index, uint64_t value, bool frees)
{
    uint32_t page_number = atomic_load(&numbers[index]);
    struct pager_change *change;
    enum status status;
    uint8_t *page;
    uint64_t csn;

    TRY(pager_change_begin(rig.pager, &change));
    if (frees)
        status = pager_change_free(change, page_number);
    else if (page_number != 0)
        status = pager_change_edit(change, page_number, &page);
    else
        status = pager_change_allocate(change, RIG_TREE_ID, PAGE_TYPE_TEST, 0, &page_number, &page);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    for (uint32_t at = FIRST_PLACE; !frees && at < PAGE_SIZE; at += 8)
        memcpy(page + at, &value, 8);
    TRY(pager_change_commit(change, &csn));
    atomic_store(&numbers[index], frees ? 0 : page_number);
    return STATUS_OK;
}

static void
commit(uint32_t index, uint64_t value, bool frees)
{
    enum status status;

    while ((status = commit_once(index, value, frees)) == STATUS_MISSING)
        MUST(pager_change_resolve(rig.pager));
    MUST(status);
}

/* Each writer has every other page to itself. */
static void *
writer_run(void *argument)
{
    uint32_t own = (uint32_t)(uintptr_t)argument;
    struct random random;

    random_init(&random, own);
    for (uint64_t i = 0; i < COMMITS; i++) {
        uint32_t index = choose(&random) / WRITERS * WRITERS + own;
        bool frees =
            index >= HOT && atomic_load(&numbers[index]) != 0 && random_chance(&random, 1, 10);

        commit(index, i * WRITERS + own, frees);
    }
    return NULL;
}

int
main(void)
{
    pthread_t readers[READERS], writers[WRITERS], flusher;

    pager_rig_init(&rig, 1);
    rig.options.background = true;
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++)
        commit(i, i, false);
    for (uintptr_t i = 0; i < READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, reader_run, (void *)(i + 1)) == 0);
    CHECK(pthread_create(&flusher, NULL, flusher_run, NULL) == 0);
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&writers[i], NULL, writer_run, (void *)i) == 0);
    for (uint32_t i = 0; i < WRITERS; i++)
        CHECK(pthread_join(writers[i], NULL) == 0);
    atomic_store(&stop, true);
    pager_wake(rig.pager);
    for (uint32_t i = 0; i < READERS; i++)
        CHECK(pthread_join(readers[i], NULL) == 0);
    CHECK(pthread_join(flusher, NULL) == 0);

    struct pager_statistics statistics;
    pager_get_statistics(rig.pager, &statistics);
    CHECK(statistics.evict_count > 0 && statistics.page_write_count > 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
    printf("%llu reads, %llu views rejected, %llu of them torn, %llu evictions\n",
           (unsigned long long)read_count, (unsigned long long)rejected_count,
           (unsigned long long)torn_count, (unsigned long long)statistics.evict_count);
    return 0;
}
