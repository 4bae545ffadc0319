/* The comparison with the model; see crash_verify.h. */
#include "tools/qtdb-crash/crash_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_history.h"

enum { READ_ONLY_POOL = 8 };

struct crash_expect
crash_expect_of(const struct crash_history *history)
{
    return (struct crash_expect){.model = &history->model,
                                 .id = history->id,
                                 .acknowledged = history->model.acknowledged,
                                 .may_be_absent = !history->created,
                                 .canary = history->session->options->canary};
}

enum crash_violation
crash_found_wrong(struct crash_found *found, enum crash_violation violation, const char *format,
                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(found->text, sizeof(found->text), format, arguments);
    va_end(arguments);
    return violation;
}

/* One comparison: the range of commits that all pages so far agree on. */
struct comparison {
    struct pager *pager;
    const struct crash_expect *expect;
    struct crash_found *found;
    uint64_t first;
    uint64_t last;
    uint32_t first_page; /* The pages that set the bounds. */
    uint32_t last_page;
    uint32_t count;                 /* Pages the handle or the model knows. */
    uint8_t used[CRASH_PAGE_LIMIT]; /* The handle says so. */
};

static enum crash_violation
page_refused(struct comparison *c, uint32_t number, enum status status)
{
    if (c->expect->may_refuse_page &&
        (status == STATUS_CORRUPT || status == STATUS_VERSION || status == STATUS_IO)) {
        c->found->refused_pages++;
        return CRASH_OK;
    }
    return crash_found_wrong(c->found, CRASH_REFUSED, "page %" PRIu32 ": %s: %.200s", number,
                             status_name(status), error_message());
}

/* Bounds from a page's content. */
static enum crash_violation
page_compare(struct comparison *c, uint32_t number, const uint8_t *bytes)
{
    const struct page_header *header = page_header_const(bytes);
    const struct crash_version *version;
    uint64_t hash = crash_page_hash(bytes, number);
    uint64_t last;

    if (c->expect->canary == CRASH_CANARY_SILENT && number == PAGE_CATALOG_ROOT)
        hash ^= 1;
    if (!crash_model_find(c->expect->model, number, hash, &version, &last))
        return crash_found_wrong(c->found, CRASH_SILENT,
                                 "page %" PRIu32 " holds what no commit wrote, CSN %" PRIu64,
                                 number, le64_get(header->csn));
    if (version->csn != 0 && le64_get(header->csn) != version->csn)
        return crash_found_wrong(c->found, CRASH_SILENT,
                                 "page %" PRIu32 " says CSN %" PRIu64
                                 ", its content is of %" PRIu64,
                                 number, le64_get(header->csn), version->csn);
    if (version->commit > c->first) {
        c->first = version->commit;
        c->first_page = number;
    }
    if (last < c->last) {
        c->last = last;
        c->last_page = number;
    }
    return CRASH_OK;
}

static enum crash_violation
page_look(struct comparison *c, uint32_t number)
{
    enum page_state state = PAGE_STATE_UNUSED;
    struct pager_pin pin;
    enum status status;

    if (number < pager_page_count(c->pager)) {
        status = pager_page_state(c->pager, number, &state);
        if (status != STATUS_OK) {
            c->used[number] = 1; /* Not known: refused. */
            return page_refused(c, number, status);
        }
    }
    c->used[number] = state == PAGE_STATE_USED || state == PAGE_STATE_FENCED;
    if (!c->used[number])
        return CRASH_OK;
    status = pager_pin(c->pager, number, &pin);
    if (status != STATUS_OK)
        return page_refused(c, number, status);
    enum crash_violation violation = page_compare(c, number, pin.bytes);

    pager_unpin(c->pager, &pin);
    return violation;
}

/* Every page agrees on [first, last], or two of them do not. */
static enum crash_violation
bounds_judge(struct comparison *c)
{
    if (c->expect->canary == CRASH_CANARY_HALF && c->first > 0)
        c->last = c->first - 1;
    if (c->first <= c->last)
        return CRASH_OK;
    enum crash_violation violation = c->first == c->last + 1 ? CRASH_HALF : CRASH_HOLE;

    return crash_found_wrong(c->found, violation,
                             "page %" PRIu32 " is of commit %" PRIu64 " or later, page %" PRIu32
                             " of %" PRIu64 " or earlier",
                             c->first_page, c->first, c->last_page, c->last);
}

/* At this commit, the pages that the handle does not call used are not. */
static bool
unused_agree(const struct comparison *c, uint64_t commit, uint32_t *page_out)
{
    for (uint32_t number = 0; number < c->count; number++) {
        const struct crash_version *version = crash_model_at(c->expect->model, number, commit);

        if (version == NULL || !version->used || c->used[number] != 0)
            continue;
        *page_out = number;
        return false;
    }
    return true;
}

/* The commit that the log ended with, as the handle says; all pages have to agree with it. */
static enum crash_violation
commit_judge(struct comparison *c)
{
    uint64_t acknowledged = c->expect->acknowledged;
    uint64_t commit = c->found->commit;
    uint32_t number = 0;

    if (c->expect->canary == CRASH_CANARY_LOST)
        acknowledged = c->expect->model->commit_count + 1;
    if (commit < acknowledged)
        return crash_found_wrong(c->found, CRASH_LOST,
                                 "commit %" PRIu64 " is the last one, %" PRIu64 " was acknowledged",
                                 commit, acknowledged);
    if (commit > c->last)
        return crash_found_wrong(c->found, CRASH_HALF,
                                 "page %" PRIu32 " is of commit %" PRIu64
                                 " or earlier, the log ends with %" PRIu64,
                                 c->last_page, c->last, commit);
    if (commit < c->first)
        return crash_found_wrong(c->found, CRASH_HOLE,
                                 "page %" PRIu32 " is of commit %" PRIu64
                                 " or later, the log ends with %" PRIu64,
                                 c->first_page, c->first, commit);
    if (!unused_agree(c, commit, &number))
        return crash_found_wrong(c->found, CRASH_HALF,
                                 "page %" PRIu32 " is not in use, at commit %" PRIu64 " it is",
                                 number, commit);
    return CRASH_OK;
}

struct findings {
    struct crash_found *found;
    uint32_t count;
};

static void
note_finding(void *context, const struct pager_finding *finding)
{
    struct findings *findings = context;

    if (findings->count++ == 0)
        (void)crash_found_wrong(findings->found, CRASH_UNCLEAN,
                                "pager_check: page %" PRIu32 ": %s: %s", finding->page_number,
                                status_name(finding->status), finding->reason);
}

/* Every page against its witness, and the map's count of pages in use against what was read. */
static enum crash_violation
check(struct comparison *c)
{
    struct findings findings = {.found = c->found};
    struct pager_check_result result = {0};
    enum status status = pager_check(c->pager, note_finding, &findings, &result);
    uint64_t used = c->expect->canary == CRASH_CANARY_UNCLEAN ? 1 : 0;

    if (status == STATUS_CORRUPT && c->expect->may_refuse_page)
        return CRASH_OK;
    if (status != STATUS_OK)
        return crash_found_wrong(c->found, CRASH_UNCLEAN, "pager_check: %s: %.200s",
                                 status_name(status), error_message());
    if (findings.count > 0)
        return c->expect->may_refuse_page ? CRASH_OK : CRASH_UNCLEAN;
    for (uint32_t number = 0; number < c->count; number++)
        used += c->used[number];
    if (result.used_count != used && c->found->refused_pages == 0)
        return crash_found_wrong(c->found, CRASH_UNCLEAN,
                                 "pager_check counts %" PRIu64 " pages in use, %" PRIu64 " are",
                                 result.used_count, used);
    return CRASH_OK;
}

enum crash_violation
crash_verify_pager(struct pager *pager, const struct crash_expect *expect, struct crash_found *out)
{
    struct comparison c = {
        .pager = pager, .expect = expect, .found = out, .last = expect->model->commit_count};
    struct pager_statistics statistics;
    enum crash_violation violation;

    *out = (struct crash_found){.absent = false};
    pager_get_statistics(pager, &statistics);
    out->commit = crash_model_commit_of(expect->model, statistics.csn_opened);
    c.count = pager_page_count(pager);
    if (c.count < expect->model->page_count)
        c.count = expect->model->page_count;
    CHECK(c.count <= CRASH_PAGE_LIMIT);
    for (uint32_t number = META_SLOT_COUNT; number < c.count; number++) {
        if (page_is_map(number))
            continue;
        violation = page_look(&c, number);
        if (violation != CRASH_OK)
            return violation;
    }
    violation = bounds_judge(&c);
    if (violation == CRASH_OK)
        violation = commit_judge(&c);
    if (violation == CRASH_OK)
        violation = check(&c);
    pager_get_statistics(pager, &statistics);
    out->repaired = statistics.repair_count;
    return violation;
}

enum crash_violation
crash_verify_closed(struct io *io, struct memory *engine, struct crash_found *out)
{
    uint64_t open_count = io_sim_open_count(io);
    uint64_t live_count = memory_live_count(engine);

    if (open_count == 0 && live_count == 0)
        return CRASH_OK;
    return crash_found_wrong(out, CRASH_LEAK,
                             "left: %" PRIu64 " files, queues or locks, %" PRIu64 " allocations",
                             open_count, live_count);
}

/* The file could not be opened: may that be? */
static enum crash_violation
open_refused(const struct crash_expect *expect, enum status status, struct crash_found *out)
{
    if (status == STATUS_NOT_FOUND && expect->may_be_absent) {
        out->absent = true;
        return CRASH_OK;
    }
    if (expect->may_refuse_file &&
        (status == STATUS_CORRUPT || status == STATUS_VERSION || status == STATUS_INVALID ||
         status == STATUS_IO || status == STATUS_NOT_FOUND)) {
        out->refused = true;
        return CRASH_OK;
    }
    return crash_found_wrong(out, CRASH_REFUSED, "open: %s: %.240s", status_name(status),
                             error_message());
}

enum crash_violation
crash_verify_disk(struct io *io, struct memory *engine, const struct crash_expect *expect,
                  bool read_only, struct crash_found *out, struct pager **pager_out)
{
    struct env env = {.memory = engine, .io = io};
    struct pager_options options = crash_pager_options(&expect->id);
    enum crash_violation violation;
    enum crash_violation closed;
    struct pager *pager = NULL;
    bool full = false;

    *out = (struct crash_found){.absent = false};
    options.read_only = read_only;
    if (read_only)
        options.pool_size *= READ_ONLY_POOL; /* Holds all that is recovered. */
    enum status status = pager_open(&env, CRASH_FILE, &options, &pager);

    if (status == STATUS_FULL && expect->id.workload == CRASH_FULL && !read_only) {
        /* A full disk may refuse the open; with space freed it has to succeed. */
        io_sim_set_disk_size(io, 0);
        status = pager_open(&env, CRASH_FILE, &options, &pager);
        full = true;
    }
    if (status != STATUS_OK) {
        violation = open_refused(expect, status, out);
    } else {
        violation = crash_verify_pager(pager, expect, out);
        out->full = full;
        if (violation == CRASH_OK && pager_out != NULL) {
            *pager_out = pager;
            return CRASH_OK;
        }
    }
    pager_abandon(pager);
    if (violation != CRASH_OK)
        return violation;
    closed = crash_verify_closed(io, engine, out);
    return closed;
}

static void
note_name(void *context, const char *name, bool is_directory)
{
    (void)context;
    (void)name;
    (void)is_directory;
}

bool
crash_log_exists(struct io *io)
{
    return io_list(io, CRASH_LOG_DIR, note_name, NULL) != STATUS_NOT_FOUND;
}
