/* The model; see crash_model.h. */
#include "tools/qtdb-crash/crash_model.h"

#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash.h"

/* The flags are the pager's: PAGE_FLAG_DIRECT comes and goes. */
uint64_t
crash_page_hash(const uint8_t *page, uint32_t page_number)
{
    const struct page_header *header = page_header_const(page);
    uint64_t seed = checksum_seed((uint64_t)page_number << 32 | le32_get(header->page_number),
                                  (uint64_t)le32_get(header->tree_id) << 16 |
                                      (uint64_t)header->type << 8 | header->level);

    return checksum64(page + offsetof(struct page_header, version),
                      PAGE_SIZE - offsetof(struct page_header, version), seed);
}

void
crash_model_init(struct crash_model *model, struct memory *memory)
{
    *model = (struct crash_model){.memory = memory, .commit_capacity = 64, .page_capacity = 64};
    model->csns = crash_alloc(memory, model->commit_capacity * sizeof(uint64_t));
    model->pages = crash_alloc(memory, model->page_capacity * sizeof(struct crash_page));
}

void
crash_model_deinit(struct crash_model *model)
{
    for (uint32_t number = 0; number < model->page_capacity; number++) {
        struct crash_page *page = &model->pages[number];

        crash_free(model->memory, page->versions, page->capacity * sizeof(struct crash_version));
    }
    crash_free(model->memory, model->pages, model->page_capacity * sizeof(struct crash_page));
    crash_free(model->memory, model->csns, model->commit_capacity * sizeof(uint64_t));
}

static struct crash_page *
page_of(struct crash_model *model, uint32_t page_number)
{
    CHECK(page_number < CRASH_PAGE_LIMIT);
    if (page_number >= model->page_capacity) {
        uint32_t capacity = model->page_capacity;

        while (capacity <= page_number)
            capacity *= 2;
        model->pages =
            crash_resize(model->memory, model->pages, model->page_capacity * sizeof(*model->pages),
                         capacity * sizeof(*model->pages));
        model->page_capacity = capacity;
    }
    if (page_number >= model->page_count)
        model->page_count = page_number + 1;
    return &model->pages[page_number];
}

static void
version_add(struct crash_model *model, uint32_t page_number, struct crash_version version)
{
    struct crash_page *page = page_of(model, page_number);

    if (page->count == page->capacity) {
        uint32_t capacity = page->capacity == 0 ? 8 : page->capacity * 2;

        page->versions = crash_resize(model->memory, page->versions,
                                      page->capacity * sizeof(version), capacity * sizeof(version));
        page->capacity = capacity;
    }
    page->versions[page->count++] = version;
}

void
crash_model_stage(struct crash_model *model, uint32_t page_number, uint64_t hash, bool used,
                  bool has_csn)
{
    uint32_t at = 0;

    while (at < model->staged_count && model->staged[at].page_number != page_number)
        at++;
    CHECK(at < CRASH_STAGE_MAX);
    model->staged[at] = (struct crash_staged){
        .page_number = page_number, .hash = hash, .used = used, .has_csn = has_csn};
    if (at == model->staged_count)
        model->staged_count++;
}

static void
staged_apply(struct crash_model *model, uint64_t commit, uint64_t csn)
{
    for (uint32_t at = 0; at < model->staged_count; at++) {
        const struct crash_staged *staged = &model->staged[at];

        version_add(model, staged->page_number,
                    (struct crash_version){.commit = commit,
                                           .csn = staged->has_csn ? csn : 0,
                                           .hash = staged->hash,
                                           .used = staged->used});
    }
    model->staged_count = 0;
}

void
crash_model_commit(struct crash_model *model, uint64_t csn)
{
    uint64_t commit = model->commit_count + 1;

    CHECK(csn > model->csns[model->commit_count]);
    if (commit == model->commit_capacity) {
        model->csns = crash_resize(model->memory, model->csns, commit * sizeof(uint64_t),
                                   commit * 2 * sizeof(uint64_t));
        model->commit_capacity = commit * 2;
    }
    model->csns[commit] = csn;
    model->commit_count = commit;
    staged_apply(model, commit, csn);
}

void
crash_model_base(struct crash_model *model)
{
    CHECK(model->commit_count == 0);
    staged_apply(model, 0, 0);
}

void
crash_model_acknowledge(struct crash_model *model, uint64_t csn)
{
    while (model->acknowledged < model->commit_count && model->csns[model->acknowledged + 1] <= csn)
        model->acknowledged++;
}

static void
forget_after(struct crash_model *model, uint64_t commit)
{
    for (uint32_t number = 0; number < model->page_count; number++) {
        struct crash_page *page = &model->pages[number];

        while (page->count > 0 && page->versions[page->count - 1].commit > commit)
            page->count--;
    }
    model->commit_count = commit;
}

void
crash_model_uncommit(struct crash_model *model)
{
    CHECK(model->acknowledged < model->commit_count);
    forget_after(model, model->commit_count - 1);
}

void
crash_model_rollback(struct crash_model *model, uint64_t commit)
{
    CHECK(commit >= model->acknowledged && commit <= model->commit_count);
    forget_after(model, commit);
    model->acknowledged = commit;
}

uint64_t
crash_model_commit_of(const struct crash_model *model, uint64_t csn)
{
    uint64_t commit = model->commit_count;

    while (commit > 0 && model->csns[commit] > csn)
        commit--;
    return commit;
}

const struct crash_version *
crash_model_at(const struct crash_model *model, uint32_t page_number, uint64_t commit)
{
    if (page_number >= model->page_count)
        return NULL;
    const struct crash_page *page = &model->pages[page_number];

    for (uint32_t at = page->count; at-- > 0;) {
        if (page->versions[at].commit <= commit)
            return &page->versions[at];
    }
    return NULL;
}

bool
crash_model_find(const struct crash_model *model, uint32_t page_number, uint64_t hash,
                 const struct crash_version **version_out, uint64_t *last_out)
{
    if (page_number >= model->page_count)
        return false;
    const struct crash_page *page = &model->pages[page_number];

    for (uint32_t at = page->count; at-- > 0;) {
        if (page->versions[at].hash != hash || !page->versions[at].used)
            continue;
        *version_out = &page->versions[at];
        *last_out = at + 1 == page->count ? model->commit_count : page->versions[at + 1].commit - 1;
        return true;
    }
    return false;
}

bool
crash_model_is_used(const struct crash_model *model, uint32_t page_number)
{
    const struct crash_version *version = crash_model_at(model, page_number, UINT64_MAX);

    return version != NULL && version->used;
}

uint32_t
crash_model_used_count(const struct crash_model *model)
{
    uint32_t count = 0;

    for (uint32_t number = 0; number < model->page_count; number++)
        count += (uint32_t)crash_model_is_used(model, number);
    return count;
}

uint32_t
crash_model_used(const struct crash_model *model, uint32_t index)
{
    for (uint32_t number = 0; number < model->page_count; number++) {
        if (crash_model_is_used(model, number) && index-- == 0)
            return number;
    }
    return PAGE_NONE;
}
