/*
 * Memory of a simulated disk and its copies. A crash rig makes and drops a disk every few
 * microseconds, so chunks, views, records and names come from free lists that the whole family
 * shares; the lists are filled by slabs from `struct memory` and emptied when the last disk closes.
 * A leaked object cannot show in memory_live_count then, so the pool counts objects itself and
 * CHECKs that none is left.
 *
 * Classes are powers of two from 64 bytes to 64 KB, and one for chunks, whose 4,096 bytes and header
 * would waste half of the next power. What is larger goes straight to `struct memory`.
 */
#include <assert.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(pointer, size) ASAN_POISON_MEMORY_REGION(pointer, size)
#define UNPOISON(pointer, size) ASAN_UNPOISON_MEMORY_REGION(pointer, size)
#else
#define POISON(pointer, size) ((void)(pointer), (void)(size))
#define UNPOISON(pointer, size) ((void)(pointer), (void)(size))
#endif

enum {
    CLASS_CHUNK = 0,
    CLASS_NONE = SIM_POOL_CLASSES,
    SMALLEST_SIZE = 64,
    LARGEST_SIZE = 65536,
    SLAB_HEADER_SIZE = 64,
    SLAB_OBJECTS_MAX = 32,
    SLAB_SIZE_MAX = 256 * 1024,
};
static_assert(SMALLEST_SIZE << (SIM_POOL_CLASSES - 2) == LARGEST_SIZE, "classes cover the sizes");
static_assert(sizeof(struct sim_chunk) % 64 == 0, "chunks follow each other in a slab");

static uint32_t
class_of(size_t size)
{
    uint32_t class = 1;

    if (size == sizeof(struct sim_chunk))
        return CLASS_CHUNK;
    if (size > LARGEST_SIZE)
        return CLASS_NONE;
    while ((size_t)SMALLEST_SIZE << (class - 1) < size)
        class ++;
    return class;
}

static size_t
class_size(uint32_t class)
{
    return class == CLASS_CHUNK ? sizeof(struct sim_chunk) : (size_t)SMALLEST_SIZE << (class - 1);
}

/* Fills the class's empty free list. */
static bool
slab_add(struct sim_family *family, uint32_t class)
{
    size_t size = class_size(class);
    size_t count = SLAB_SIZE_MAX / size;

    if (count > SLAB_OBJECTS_MAX)
        count = SLAB_OBJECTS_MAX;
    size_t slab_size = SLAB_HEADER_SIZE + count * size;
    struct sim_slab *slab =
        memory_alloc_aligned(family->memory, MEMORY_OTHER, slab_size, SLAB_HEADER_SIZE);

    if (slab == NULL)
        return false;
    slab->size = slab_size;
    slab->next = family->slabs;
    family->slabs = slab;
    for (size_t index = count; index > 0; index--) {
        uint8_t *bytes = (uint8_t *)(void *)slab + SLAB_HEADER_SIZE + (index - 1) * size;
        struct sim_free *object = (struct sim_free *)(void *)bytes;

        object->next = family->free[class];
        family->free[class] = object;
        POISON(bytes + sizeof(*object), size - sizeof(*object));
    }
    return true;
}

enum status
io_sim__family_new(struct memory *memory, struct sim_family **out)
{
    struct sim_family *family =
        memory_alloc_aligned(memory, MEMORY_OTHER, sizeof(*family), _Alignof(struct sim_family));

    if (family == NULL)
        return STATUS_NO_MEMORY;
    family->memory = memory;
    family->zero.shared_zero = true;
    atomic_store(&family->zero.hash, 1);
    *out = family;
    return STATUS_OK;
}

void
io_sim__family_join(struct sim_family *family)
{
    latch_lock(&family->latch);
    family->disk_count++;
    latch_unlock(&family->latch);
}

void
io_sim__family_leave(struct sim_family *family)
{
    latch_lock(&family->latch);
    CHECK(family->disk_count > 0);
    bool last = --family->disk_count == 0;
    latch_unlock(&family->latch);

    if (!last)
        return;
    CHECK(family->live_count == 0);
    while (family->slabs != NULL) {
        struct sim_slab *slab = family->slabs;

        family->slabs = slab->next;
        UNPOISON(slab, slab->size);
        memory_free(family->memory, MEMORY_OTHER, slab, slab->size);
    }
    memory_free(family->memory, MEMORY_OTHER, family, sizeof(*family));
}

static bool
is_refused(struct sim_family *family)
{
    uint64_t number = family->alloc_count++;

    if (number < family->refuse_from || number >= family->refuse_to)
        return false;
    return error_raise(STATUS_NO_MEMORY, "simulated disk: allocation refused") != STATUS_OK;
}

void *
io_sim__pool_alloc(struct sim_family *family, size_t size)
{
    uint32_t class = class_of(size);
    void *result = NULL;

    latch_lock(&family->latch);
    if (is_refused(family)) {
        result = NULL;
    } else if (class == CLASS_NONE) {
        result = memory_alloc_aligned(family->memory, MEMORY_OTHER, size, SLAB_HEADER_SIZE);
    } else if (family->free[class] != NULL || slab_add(family, class)) {
        result = family->free[class];
        family->free[class] = family->free[class]->next;
        UNPOISON(result, class_size(class));
    }
    if (result != NULL)
        family->live_count++;
    latch_unlock(&family->latch);
    return result;
}

void
io_sim__pool_free(struct sim_family *family, void *pointer, size_t size)
{
    uint32_t class = class_of(size);
    struct sim_free *object = pointer;

    if (pointer == NULL)
        return;
    latch_lock(&family->latch);
    CHECK(family->live_count > 0);
    family->live_count--;
    if (class == CLASS_NONE) {
        memory_free(family->memory, MEMORY_OTHER, pointer, size);
    } else {
        object->next = family->free[class];
        family->free[class] = object;
        POISON((uint8_t *)pointer + sizeof(*object), class_size(class) - sizeof(*object));
    }
    latch_unlock(&family->latch);
}

struct sim_name *
io_sim__name_new(struct sim_family *family, const char *text, size_t size)
{
    struct sim_name *name = io_sim__pool_alloc(family, sizeof(*name) + size + 1);

    if (name == NULL)
        return NULL;
    CHECK(size <= IO_PATH_SIZE);
    atomic_init(&name->refs, 1);
    name->size = (uint32_t)size;
    name->hash = checksum64(text, size, 0);
    memcpy(name->text, text, size);
    name->text[size] = '\0';
    return name;
}

struct sim_name *
io_sim__name_ref(struct sim_name *name)
{
    atomic_fetch_add_explicit(&name->refs, 1, memory_order_relaxed);
    return name;
}

void
io_sim__name_unref(struct sim_family *family, struct sim_name *name)
{
    if (name != NULL && atomic_fetch_sub_explicit(&name->refs, 1, memory_order_acq_rel) == 1)
        io_sim__pool_free(family, name, sizeof(*name) + name->size + 1);
}

bool
io_sim__name_is(const struct sim_name *name, const struct sim_name *other)
{
    return name->hash == other->hash && name->size == other->size &&
           memcmp(name->text, other->text, name->size) == 0;
}
