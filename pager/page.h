/*
 * Pure functions on the bytes of one page: sealing, validation, and the page map's arithmetic.
 * Nothing here allocates, does I/O or keeps state; all of it is thread-safe.
 */
#ifndef PAGER_PAGE_H
#define PAGER_PAGE_H

#include <stdbool.h>

#include "kernel/base/status.h"
#include "pager/pager_format.h"

static inline struct page_header *
page_header(void *page)
{
    return (struct page_header *)page;
}

static inline const struct page_header *
page_header_const(const void *page)
{
    return (const struct page_header *)page;
}

/** Zeroes the page and fills its header; csn 0. */
void page_init(void *page, uint32_t page_number, uint32_t tree_id, enum page_type type,
               uint8_t level);

/** The checksum the page should carry. */
uint64_t page_checksum(const void *page, uint64_t file_id, uint32_t page_number);

/** Stores the checksum: the page may be written. */
void page_seal(void *page, uint64_t file_id);

/**
 * Points (1) to (3) of the validity rule in pager_format.h. On STATUS_CORRUPT `*reason_out` is a
 * static text; raises no message (the caller knows the file). STATUS_VERSION for a newer version.
 */
MUST_CHECK enum status page_validate(const void *page, uint64_t file_id, uint32_t page_number,
                                     const char **reason_out);

/* Where the map keeps what it knows of a page. */
bool page_is_map(uint32_t page_number);
/** The level-0 map page that describes `page_number`, which is not itself a level-0 map page. */
uint32_t map_page_of(uint32_t page_number);
/** The entry of `page_number` there. */
uint32_t map_index_of(uint32_t page_number);
bool page_is_map_level0(uint32_t page_number);
bool page_is_map_level1(uint32_t page_number);
/** The level-1 map page and entry for a level-0 map page. */
uint32_t map_level1_page_of(uint32_t map_page_number);
uint32_t map_level1_index_of(uint32_t map_page_number);
/** Which entry of meta_slot.map_csn belongs to a level-1 map page. */
uint32_t map_meta_index_of(uint32_t map_level1_page_number);

struct map_entry {
    enum page_state state;
    uint64_t csn;
};
struct map_entry map_entry_get(const void *map_page, uint32_t index);
void map_entry_set(void *map_page, uint32_t index, struct map_entry entry);

/* Meta slots. */
struct meta {
    uint64_t file_id;
    uint64_t sequence;
    enum meta_state state;
    uint64_t log_id;
    uint64_t redo_lsn;
    uint64_t redo_chain;
    uint64_t redo_csn;
    uint64_t page_count;
    uint64_t segment_size;
    uint64_t created_ms;
    uint32_t map_count;
    uint64_t map_csn[META_MAP_COUNT];
};
void meta_encode(const struct meta *meta, uint32_t slot, struct meta_slot *out);
/** STATUS_CORRUPT, STATUS_VERSION (newer), STATUS_INVALID (not a qtdb file); static reason. */
MUST_CHECK enum status meta_decode(const struct meta_slot *slot_bytes, uint32_t slot,
                                   struct meta *out, const char **reason_out);

#endif
