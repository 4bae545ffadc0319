/*
 * One change set: a short list of actions whose outcome follows from their seeds, so that it can be
 * tried again whole as often as the pager asks, and what each page should hold afterwards.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_CHANGE_H
#define TOOLS_QTDB_CRASH_CRASH_CHANGE_H

#include "tools/qtdb-crash/crash.h"

enum { CRASH_ACTION_MAX = 14 };

enum crash_action_kind {
    CRASH_EDIT = 1,     /* A few bytes here and there. */
    CRASH_MOVE = 2,     /* Bytes moved inside the page, said as a hint or not. */
    CRASH_REWRITE = 3,  /* Most of the page. */
    CRASH_ALLOCATE = 4, /* A new page. */
    CRASH_FREE = 5,
    CRASH_ADOPT = 6, /* A page written directly. */
    CRASH_NOTE = 7,
};

struct crash_action {
    enum crash_action_kind kind;
    uint32_t page_number; /* Set by the run for CRASH_ALLOCATE. */
    uint64_t seed;
    uint64_t hash; /* Of the page afterwards; the caller's for CRASH_ADOPT. */
};

/* A commit may do I/O after it is appended, so a model has to know of it before: `prepared` is called
 * when all actions are done, right before the commit, and `undone` when there is none after all. */
struct crash_change {
    void (*prepared)(void *context, const struct crash_change *change, uint64_t csn); /* Or NULL. */
    void (*undone)(void *context);
    void *context;
    struct crash_action actions[CRASH_ACTION_MAX];
    uint32_t count;
};

void crash_change_add(struct crash_change *change, enum crash_action_kind kind,
                      uint32_t page_number, uint64_t seed);

/** Carries the change out, resolving what is missing as often as it takes. On STATUS_OK the actions
 * hold page numbers and hashes, and `*csn_out` the commit; on any other status nothing happened. */
MUST_CHECK enum status crash_change_run(struct pager *pager, struct crash_change *change,
                                        uint64_t *csn_out);

/** Page bytes that follow from the seed, for a page made by page_init. */
void crash_page_fill(uint8_t *page, uint64_t seed);

#endif
