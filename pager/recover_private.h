/*
 * What recover.c (the sequence), redo.c (records onto pages) and redo_table.c (the pages met) share.
 */
#ifndef PAGER_RECOVER_PRIVATE_H
#define PAGER_RECOVER_PRIVATE_H

#include "pager/pager_private.h"

/* A page that some record since R names. In the pool, its word says where. */
struct redo_page {
    uint32_t page_number;
    bool base_is_image; /* Its last base is a logged image: the disk has no part in it. */
    bool unreadable;    /* The disk refused to read its base; that may pass. */
};

struct redo_table {
    struct redo_page *pages;
    uint32_t used;
    uint32_t capacity;
    uint32_t *slots;     /* Index into pages, by hash; UINT32_MAX: empty. */
    uint32_t slot_count; /* A power of two, twice the capacity. */
};

/** The page's entry, NULL if there is none. */
struct redo_page *redo__find(const struct redo_table *table, uint32_t page_number);
/** The page's entry, made if there is none. */
MUST_CHECK enum status redo__add(struct pager *pager, struct redo_table *table,
                                 uint32_t page_number, struct redo_page **out);
/** In page order; the table can be walked then, not searched. */
void redo__sort(struct redo_table *table);
void redo__table_deinit(struct pager *pager, struct redo_table *table);

struct redo {
    struct pager *pager;
    struct redo_table pages; /* Pass B: those of this round, in page order. */
    uint32_t page_count;     /* Of the file, at the log's end. */
    uint32_t record_floor;   /* One past the highest page any record names. */
    uint32_t first;          /* This round's pages by number. */
    uint32_t last;
    _Atomic uint32_t frames_left; /* That this round may still take. */
    _Atomic bool overflow;        /* They did not suffice. */
    _Atomic bool stop;            /* A thread gave up. */
    uint64_t record_count;
    uint64_t applied_count;
    uint64_t redone_count; /* Pages. */
    uint32_t round_count;
    struct redo_table damaged; /* What came out of them is not what was logged. */
    uint64_t log_size;         /* For progress: of all passes. */
    uint64_t log_before;       /* Of the passes done. */
    uint64_t progress_next;
};

/** Only reads: which pages have records, and the final page count. For a pool that does not hold all. */
MUST_CHECK enum status redo__survey(struct redo *redo, struct redo_table *out);
/**
 * Applies the records of pages `first` to `last`: `pages` lists those that are in the pool then, dirty
 * and below the final page count. On any other status they are out of the pool again; STATUS_FULL with
 * `overflow`: they are more than `frames_left`.
 */
MUST_CHECK enum status redo__run(struct redo *redo, uint32_t threads);
/** Checks each page against its last record; damaged ones leave the pool. */
MUST_CHECK enum status redo__check(struct redo *redo);

#endif
