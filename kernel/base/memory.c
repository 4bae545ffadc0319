/*
 * The counted allocator: the only file that calls malloc or mmap.
 *
 * Counters are kept a part, each part on its own cache line, so that a take costs two relaxed
 * additions to a line that mostly belongs to one thread. Totals are sums over parts; they are exact
 * when no other thread allocates, which is when tests and close look at them.
 *
 * Injected failures: while armed, allocations draw consecutive numbers and the chosen one (or all
 * from it on) is refused as if the system had refused it. Unarmed, that costs one load.
 *
 * Debug builds put a trailer behind each allocation that holds its size and address, mixed: a free
 * with another size, a second free and a write past the end fail a CHECK. It sits behind the bytes,
 * so alignment is not disturbed. Release builds keep no trace of an allocation.
 */
#include "kernel/base/memory.h"

#include <assert.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { HUGE_PAGE_SIZE = 2 << 20, CACHE_LINE_SIZE = 64 };

/* In debug builds what is not zeroed holds a byte that shows. */
#ifdef QTDB_DEBUG
enum { TRAILER_SIZE = 16, RAW_FILLED = 1, RAW_BYTE = 0xa5 };
#else
enum { TRAILER_SIZE = 0, RAW_FILLED = 0, RAW_BYTE = 0 };
#endif

/* Past this no request is honest, and size arithmetic below cannot wrap. */
static const size_t SIZE_LIMIT = SIZE_MAX / 4;

struct part_counters {
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t size;
    _Atomic uint64_t asked_count;
    _Atomic uint64_t live_count;
};

struct memory {
    struct part_counters part[MEMORY_PART_COUNT];

    /* Injected failures; set by memory_fail_at. */
    _Alignas(CACHE_LINE_SIZE) _Atomic bool fail_armed;
    _Atomic bool fail_for_ever;
    _Atomic bool fail_happened;
    _Atomic uint64_t fail_index;
    _Atomic uint64_t fail_next;
};

static const char *const part_names[] = {
    [MEMORY_OTHER] = "other", [MEMORY_POOL] = "pool",         [MEMORY_PAGE_TABLE] = "page table",
    [MEMORY_LOG] = "log",     [MEMORY_VERSIONS] = "versions", [MEMORY_WRITE_SET] = "write set",
    [MEMORY_LOCKS] = "locks", [MEMORY_ROUTER] = "router",     [MEMORY_SQL] = "sql",
};
static_assert(sizeof(part_names) / sizeof(part_names[0]) == MEMORY_PART_COUNT, "one name a part");

static void
add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static void
subtract(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t before = atomic_fetch_sub_explicit(counter, amount, memory_order_relaxed);

    CHECK(before >= amount);
}

static uint64_t
load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct part_counters *
counters_of(struct memory *memory, enum memory_part part)
{
    CHECK(memory != NULL);
    CHECK((size_t)part < MEMORY_PART_COUNT);
    return &memory->part[part];
}

static void
count_take(struct part_counters *counters, size_t size)
{
    add(&counters->size, size);
    add(&counters->live_count, 1);
}

static void
count_give_back(struct part_counters *counters, size_t size)
{
    subtract(&counters->size, size);
    subtract(&counters->live_count, 1);
}

static bool
failure_is_due(struct memory *memory)
{
    if (!atomic_load_explicit(&memory->fail_armed, memory_order_acquire))
        return false;
    uint64_t number = atomic_fetch_add(&memory->fail_next, 1);
    uint64_t index = load(&memory->fail_index);
    bool for_ever = atomic_load(&memory->fail_for_ever);

    if (number != index && !(for_ever && number > index))
        return false;
    atomic_store(&memory->fail_happened, true);
    return true;
}

/* Counts the request. True when it must be refused before the system is asked. */
static bool
is_refused(struct memory *memory, struct part_counters *counters, size_t size)
{
    CHECK(size > 0);
    add(&counters->asked_count, 1);
    return failure_is_due(memory) || size > SIZE_LIMIT;
}

static enum status
raise_no_memory(enum memory_part part, size_t size)
{
    return error_raise(STATUS_NO_MEMORY, "out of memory: %zu bytes for %s were refused", size,
                       part_names[part]);
}

static void *
refuse(enum memory_part part, size_t size)
{
    enum status status = raise_no_memory(part, size);

    CHECK(status == STATUS_NO_MEMORY);
    return NULL;
}

static void
trailer_make(const void *pointer, size_t size, uint64_t trailer[2])
{
    trailer[0] = (uint64_t)size ^ 0x5174646254726169;
    trailer[1] = (uint64_t)(uintptr_t)pointer ^ 0x6c65724d656d6f72;
}

static void
trailer_put(void *pointer, size_t size)
{
    uint64_t trailer[2];

    if (TRAILER_SIZE == 0)
        return;
    trailer_make(pointer, size, trailer);
    memcpy((char *)pointer + size, trailer, TRAILER_SIZE);
}

/* Takes the trailer away as well, so that a second free of the same bytes fails. */
static void
trailer_check(void *pointer, size_t size)
{
    uint64_t trailer[2];

    if (TRAILER_SIZE == 0)
        return;
    CHECK(malloc_usable_size(pointer) >= size + TRAILER_SIZE);
    trailer_make(pointer, size, trailer);
    CHECK(memcmp((char *)pointer + size, trailer, TRAILER_SIZE) == 0);
    memset((char *)pointer + size, 0, TRAILER_SIZE);
}

struct memory *
memory_new(void)
{
    void *memory = NULL;

    if (posix_memalign(&memory, CACHE_LINE_SIZE, sizeof(struct memory)) != 0)
        return NULL;
    memset(memory, 0, sizeof(struct memory));
    return memory;
}

void
memory_delete(struct memory *memory)
{
    if (memory == NULL)
        return;
    /* Bytes, not pieces: this also sees a free with a wrong size. */
    for (size_t i = 0; i < MEMORY_PART_COUNT; i++)
        CHECK(load(&memory->part[i].size) == 0);
    free(memory);
}

void *
memory_alloc(struct memory *memory, enum memory_part part, size_t size)
{
    struct part_counters *counters = counters_of(memory, part);

    if (is_refused(memory, counters, size))
        return refuse(part, size);
    void *pointer = calloc(1, size + TRAILER_SIZE);
    if (pointer == NULL)
        return refuse(part, size);
    trailer_put(pointer, size);
    count_take(counters, size);
    return pointer;
}

void *
memory_alloc_raw(struct memory *memory, enum memory_part part, size_t size)
{
    struct part_counters *counters = counters_of(memory, part);

    if (is_refused(memory, counters, size))
        return refuse(part, size);
    void *pointer = malloc(size + TRAILER_SIZE);
    if (pointer == NULL)
        return refuse(part, size);
    if (RAW_FILLED)
        memset(pointer, RAW_BYTE, size);
    trailer_put(pointer, size);
    count_take(counters, size);
    return pointer;
}

void *
memory_alloc_aligned(struct memory *memory, enum memory_part part, size_t size, size_t alignment)
{
    struct part_counters *counters = counters_of(memory, part);
    void *pointer = NULL;

    CHECK(alignment > 0 && alignment <= HUGE_PAGE_SIZE && (alignment & (alignment - 1)) == 0);
    if (alignment < 16)
        alignment = 16;
    if (is_refused(memory, counters, size))
        return refuse(part, size);
    if (posix_memalign(&pointer, alignment, size + TRAILER_SIZE) != 0)
        return refuse(part, size);
    memset(pointer, 0, size);
    trailer_put(pointer, size);
    count_take(counters, size);
    return pointer;
}

void *
memory_resize(struct memory *memory, enum memory_part part, void *pointer, size_t old_size,
              size_t new_size)
{
    struct part_counters *counters = counters_of(memory, part);

    if (pointer == NULL) {
        CHECK(old_size == 0);
        return memory_alloc(memory, part, new_size);
    }
    CHECK(old_size > 0);
    if (is_refused(memory, counters, new_size))
        return refuse(part, new_size);
    trailer_check(pointer, old_size);
    void *moved = realloc(pointer, new_size + TRAILER_SIZE);
    if (moved == NULL) {
        trailer_put(pointer, old_size);
        return refuse(part, new_size);
    }
    if (new_size > old_size)
        memset((char *)moved + old_size, 0, new_size - old_size);
    trailer_put(moved, new_size);
    count_give_back(counters, old_size);
    count_take(counters, new_size);
    return moved;
}

void
memory_free(struct memory *memory, enum memory_part part, void *pointer, size_t size)
{
    struct part_counters *counters = counters_of(memory, part);

    if (pointer == NULL)
        return;
    CHECK(size > 0);
    trailer_check(pointer, size);
    count_give_back(counters, size);
    free(pointer);
}

static size_t
round_up(size_t size, size_t unit)
{
    return (size + unit - 1) & ~(unit - 1);
}

static size_t
system_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *
map_anonymous(size_t size)
{
    void *pointer = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pointer == MAP_FAILED ? NULL : pointer;
}

/* Huge pages need their alignment: maps more than is asked for and gives the ends back. */
static void *
map_huge(size_t size)
{
    size_t whole_size = size + HUGE_PAGE_SIZE;
    char *whole = map_anonymous(whole_size);

    if (whole == NULL)
        return NULL;
    size_t lead = round_up((uintptr_t)whole, HUGE_PAGE_SIZE) - (uintptr_t)whole;
    size_t rest = whole_size - lead - size;
    CHECK(lead == 0 || munmap(whole, lead) == 0);
    CHECK(rest == 0 || munmap(whole + lead + size, rest) == 0);
    /* A wish: where it is refused, ordinary pages do the same. */
    int refused = madvise(whole + lead, size, MADV_HUGEPAGE);
    (void)refused;
    return whole + lead;
}

/* Where the system gives huge pages unasked, one touched byte of a sparse table would cost 2 MB. */
static void *
map_small(size_t size)
{
    void *pointer = map_anonymous(size);

    if (pointer != NULL && size >= HUGE_PAGE_SIZE) {
        int refused = madvise(pointer, size, MADV_NOHUGEPAGE);
        (void)refused;
    }
    return pointer;
}

enum status
memory_map(struct memory *memory, enum memory_part part, size_t size, bool huge, void **out)
{
    struct part_counters *counters = counters_of(memory, part);

    if (is_refused(memory, counters, size))
        return raise_no_memory(part, size);
    size_t mapped_size = round_up(size, system_page_size());
    void *pointer = huge && size >= HUGE_PAGE_SIZE ? map_huge(mapped_size) : map_small(mapped_size);
    if (pointer == NULL)
        return raise_no_memory(part, size);
    count_take(counters, size);
    *out = pointer;
    return STATUS_OK;
}

void
memory_unmap(struct memory *memory, enum memory_part part, void *pointer, size_t size)
{
    struct part_counters *counters = counters_of(memory, part);

    if (pointer == NULL)
        return;
    CHECK(size > 0);
    count_give_back(counters, size);
    CHECK(munmap(pointer, round_up(size, system_page_size())) == 0);
}

void
memory_map_discard(void *pointer, size_t size)
{
    size_t page_size = system_page_size();

    CHECK((uintptr_t)pointer % page_size == 0 && size % page_size == 0);
    CHECK(size == 0 || madvise(pointer, size, MADV_DONTNEED) == 0);
}

uint64_t
memory_used(const struct memory *memory, enum memory_part part)
{
    CHECK((size_t)part < MEMORY_PART_COUNT);
    return load(&memory->part[part].size);
}

uint64_t
memory_alloc_count(const struct memory *memory)
{
    uint64_t count = 0;

    for (size_t i = 0; i < MEMORY_PART_COUNT; i++)
        count += load(&memory->part[i].asked_count);
    return count;
}

uint64_t
memory_live_count(const struct memory *memory)
{
    uint64_t count = 0;

    for (size_t i = 0; i < MEMORY_PART_COUNT; i++)
        count += load(&memory->part[i].live_count);
    return count;
}

void
memory_fail_at(struct memory *memory, uint64_t index, bool for_ever)
{
    atomic_store(&memory->fail_armed, false);
    atomic_store(&memory->fail_index, index);
    atomic_store(&memory->fail_for_ever, for_ever);
    atomic_store(&memory->fail_next, 0);
    atomic_store(&memory->fail_happened, false);
    atomic_store_explicit(&memory->fail_armed, index != UINT64_MAX, memory_order_release);
}

bool
memory_failed(const struct memory *memory)
{
    return atomic_load(&memory->fail_happened);
}
