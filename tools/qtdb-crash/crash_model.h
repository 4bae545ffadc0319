/*
 * The model: what a page store should hold, kept beside the one under test. A page's content is known
 * by hash, at every commit. Commits are numbered from 1; commit 0 is the new file. A model is used by
 * one thread.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_MODEL_H
#define TOOLS_QTDB_CRASH_CRASH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/base/memory.h"

enum { CRASH_STAGE_MAX = 64 };

/* A page from one commit on, until its next version. */
struct crash_version {
    uint64_t commit;
    uint64_t csn;  /* The page's header must carry it; 0: not known (adopted, initial). */
    uint64_t hash; /* crash_page_hash */
    bool used;
};

struct crash_page {
    struct crash_version *versions; /* Oldest first. */
    uint32_t count;
    uint32_t capacity;
};

struct crash_staged {
    uint32_t page_number;
    uint64_t hash;
    bool used;
    bool has_csn;
};

struct crash_model {
    struct memory *memory;
    struct crash_page *pages;
    uint32_t page_capacity;
    uint32_t page_count; /* Pages from here on were never used. */
    uint64_t *csns;      /* Of each commit; csns[0] is 0. */
    uint64_t commit_capacity;
    uint64_t commit_count; /* The last commit's number. */
    uint64_t acknowledged; /* The last commit that was called durable. */
    struct crash_staged staged[CRASH_STAGE_MAX];
    uint32_t staged_count;
};

/** The content of a page: all but the bytes that are the pager's own. */
uint64_t crash_page_hash(const uint8_t *page, uint32_t page_number);

void crash_model_init(struct crash_model *model, struct memory *memory);
void crash_model_deinit(struct crash_model *model);

/** What the next commit does to a page; the last word on a page counts. */
void crash_model_stage(struct crash_model *model, uint32_t page_number, uint64_t hash, bool used,
                       bool has_csn);
/** What was staged is now commit number commit_count + 1. */
void crash_model_commit(struct crash_model *model, uint64_t csn);
/** The last commit did not happen. */
void crash_model_uncommit(struct crash_model *model);
/** What was staged belongs to the new file: commit 0. */
void crash_model_base(struct crash_model *model);
/** Everything up to `csn` was called durable. */
void crash_model_acknowledge(struct crash_model *model, uint64_t csn);
/** After a crash that `commit` survived and nothing after it. */
void crash_model_rollback(struct crash_model *model, uint64_t commit);

/** The last commit whose CSN is not above `csn`. */
uint64_t crash_model_commit_of(const struct crash_model *model, uint64_t csn);
/** The page's version at a commit; NULL: never used up to then. */
const struct crash_version *crash_model_at(const struct crash_model *model, uint32_t page_number,
                                           uint64_t commit);
/** Commits [first, last] at which the page is in use with this content; false: none. */
bool crash_model_find(const struct crash_model *model, uint32_t page_number, uint64_t hash,
                      const struct crash_version **version_out, uint64_t *last_out);
bool crash_model_is_used(const struct crash_model *model, uint32_t page_number);
/** Pages in use now. */
uint32_t crash_model_used_count(const struct crash_model *model);
/** The `index`th page in use now, by number; PAGE_NONE when there are fewer. */
uint32_t crash_model_used(const struct crash_model *model, uint32_t index);

#endif
