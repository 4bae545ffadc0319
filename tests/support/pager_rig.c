/* See pager_rig.h. */
#include "tests/support/pager_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "pager/pager_private.h"

void
rig_must(enum status status, const char *what, const char *file, int line)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, what, status_name(status), error_message());
    abort();
}

void
pager_rig_init(struct pager_rig *rig, uint64_t seed)
{
    struct io_sim_options options = {.seed = seed};

    *rig = (struct pager_rig){.memory = memory_new(), .disk_memory = memory_new()};
    CHECK(rig->memory != NULL && rig->disk_memory != NULL);
    MUST(io_sim_open(rig->disk_memory, &options, &rig->io));
    rig->env = (struct env){.memory = rig->memory, .io = rig->io};
    rig->options = (struct pager_options){
        .create = true,
        .pool_size = 64 * PAGE_SIZE,
        .log_limit = 1 << 20,
        .segment_size = 64 << 10,
        .page_limit = 1 << 20,
        .file_id = 0x5eed0000 + seed,
    };
}

void
pager_rig_open(struct pager_rig *rig)
{
    CHECK(rig->pager == NULL);
    MUST(pager_open(&rig->env, RIG_PATH, &rig->options, &rig->pager));
}

struct pager *
pager_rig_pool_new(struct pager_rig *rig, uint32_t frames)
{
    pager_rig_init(rig, 1);
    struct pager *pager = memory_alloc(rig->memory, MEMORY_OTHER, sizeof(*pager));

    CHECK(pager != NULL);
    pager->env = rig->env;
    pager->options = rig->options;
    pager->options.pool_size = (uint64_t)frames * PAGE_SIZE;
    MUST(pager__pool_open(pager));
    CHECK(atomic_load(&pager->pool_frames) == frames);
    CHECK(pager->table.frame_count - 1 == frames + pager->map_frames);
    return pager;
}

void
pager_rig_pool_free(struct pager_rig *rig, struct pager *pager)
{
    pager__pool_close(pager);
    memory_free(rig->memory, MEMORY_OTHER, pager, sizeof(*pager));
    pager_rig_deinit(rig);
}

void
pager_rig_close(struct pager_rig *rig)
{
    MUST(pager_close(rig->pager));
    rig->pager = NULL;
    CHECK(io_sim_open_count(rig->io) == 0);
}

void
pager_rig_kill(struct pager_rig *rig)
{
    pager_abandon(rig->pager);
    rig->pager = NULL;
    CHECK(io_sim_open_count(rig->io) == 0);
}

void
pager_rig_deinit(struct pager_rig *rig)
{
    CHECK(rig->pager == NULL);
    io_close_all(rig->io);
    memory_delete(rig->disk_memory);
    memory_delete(rig->memory);
}

/* One page allocated (page 0) or edited, in one change. */
static enum status
put(struct pager_rig *rig, uint32_t *page_number, uint64_t value, uint64_t *csn_out)
{
    struct pager_change *change;
    uint8_t *bytes;
    enum status status;

    TRY(pager_change_begin(rig->pager, &change));
    if (*page_number == 0)
        status = pager_change_allocate(change, RIG_TREE_ID, PAGE_TYPE_TEST, 0, page_number, &bytes);
    else
        status = pager_change_edit(change, *page_number, &bytes);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    memcpy(bytes + RIG_VALUE_OFFSET, &value, sizeof(value));
    return pager_change_commit(change, csn_out);
}

static enum status
put_resolved(struct pager_rig *rig, uint32_t *page_number, uint64_t value, uint64_t *csn_out)
{
    uint32_t wanted = *page_number;
    enum status status;

    while ((status = put(rig, page_number, value, csn_out)) == STATUS_MISSING) {
        *page_number = wanted;
        TRY(pager_change_resolve(rig->pager));
    }
    return status;
}

enum status
pager_rig_try_allocate(struct pager_rig *rig, uint64_t value, uint32_t *page_out)
{
    uint64_t csn;

    *page_out = 0;
    return put_resolved(rig, page_out, value, &csn);
}

uint32_t
pager_rig_allocate(struct pager_rig *rig, uint64_t value)
{
    uint32_t page_number;

    MUST(pager_rig_try_allocate(rig, value, &page_number));
    return page_number;
}

enum status
pager_rig_try_set(struct pager_rig *rig, uint32_t page_number, uint64_t value)
{
    uint64_t csn;

    return put_resolved(rig, &page_number, value, &csn);
}

uint64_t
pager_rig_set(struct pager_rig *rig, uint32_t page_number, uint64_t value)
{
    uint64_t csn;

    MUST(put_resolved(rig, &page_number, value, &csn));
    return csn;
}

static enum status
free_once(struct pager_rig *rig, uint32_t page_number)
{
    struct pager_change *change;
    enum status status;
    uint64_t csn;

    TRY(pager_change_begin(rig->pager, &change));
    status = pager_change_free(change, page_number);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    return pager_change_commit(change, &csn);
}

void
pager_rig_free(struct pager_rig *rig, uint32_t page_number)
{
    enum status status;

    while ((status = free_once(rig, page_number)) == STATUS_MISSING)
        MUST(pager_change_resolve(rig->pager));
    MUST(status);
}

uint64_t
pager_rig_get(struct pager_rig *rig, uint32_t page_number)
{
    struct pager_pin pin;
    uint64_t value;

    MUST(pager_pin(rig->pager, page_number, &pin));
    memcpy(&value, pin.bytes + RIG_VALUE_OFFSET, sizeof(value));
    pager_unpin(rig->pager, &pin);
    return value;
}

static bool
is_dirty(struct pager *pager, uint32_t page_number)
{
    uint64_t word = atomic_load(&pager->table.words[page_number]);
    const struct frame *frame = &pager->frame[word & WORD_FRAME_MASK];

    return (word & WORD_FRAME_MASK) != 0 && (frame->csn_dirty != 0 || frame->csn_flushing != 0);
}

void
pager_rig_evict(struct pager_rig *rig, uint32_t page_number)
{
    struct pager *pager = rig->pager;

    latch_lock(&pager->flush_latch);
    while (is_dirty(pager, page_number)) {
        MUST(pager__flush_pages(pager, &page_number, 1));
        MUST(pager__flush_finish(pager));
    }
    latch_unlock(&pager->flush_latch);
    pager__drop(pager, page_number);
}
