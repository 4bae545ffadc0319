/*
 * The database file on disk: pages of 4,096 bytes. Everything is little-endian.
 *
 *   page 0, 1   meta slots
 *   page 2      first map page (level 0, index 0); level-0 map page k lies at 2 + k * 507 and
 *               describes the 506 pages after it
 *   page 3      first map page of level 1 (index 0); level-1 map page j lies at
 *               3 + j * 506 * 507 and describes the level-0 map pages j * 506 ... j * 506 + 505
 *   page 4      first page for trees: the catalog's root, never moved, never freed
 *
 *   page_header, first bytes of every page but the meta slots
 *   OFFSET  SIZE  FIELD
 *        0     8  checksum     XXH3-64 of bytes [8, 4096), seeded with file id and page number
 *        8     8  csn          commit that last changed the page
 *       16     8  csn_image    commit that last logged the page's image (0: none)
 *       24     4  page_number  own
 *       28     4  tree_id      owner; never reused; 0 for map pages
 *       32     1  type         enum page_type
 *       33     1  level        0 for leaves and level-0 map pages
 *       34     1  flags        enum page_flags
 *       35     1  version      PAGE_FORMAT_VERSION
 *       36    12  reserved     0
 *
 *   map page: header, then 506 entries of 8 bytes: bits 0-7 enum page_state, bits 8-63 a CSN:
 *             of the last flush when the page is in use (0: never flushed), of the free when free.
 *             Level 1 entries hold the CSN of the last flush of a level-0 map page. The last flush of
 *             level-1 map pages stands in the meta slots.
 *
 *   meta slot (pages 0 and 1)
 *        0     8  checksum       XXH3-64 of bytes [8, 4096), seeded with META_SEED and slot number
 *        8     8  magic          "QTDBFILE"
 *       16     4  version        PAGER_FORMAT_VERSION
 *       20     4  page_size      4096
 *       24     8  file_id        random, never 0
 *       32     8  sequence       counts meta writes; the valid slot with the higher one counts
 *       40     4  state          enum meta_state
 *       44     4  slot           0 or 1
 *       48     8  log_id         0 when clean
 *       56     8  redo_lsn       R, when META_NEEDS_LOG
 *       64     8  redo_chain
 *       72     8  redo_csn       highest CSN before R; when clean: highest CSN of all
 *       80     8  page_count     at R
 *       88     8  segment_size   of the log
 *       96     4  reserved_size  bytes reserved at each page's end (0)
 *      100     4  map_count      level-1 map pages in use
 *      104     8  created_ms     milliseconds since 1970
 *      112   144  reserved       0
 *      256  3840  map_csn[480]   CSN of the last flush of each level-1 map page
 *
 * A page read from disk is valid if and only if (1) its checksum holds, which makes it a page of this
 * file at this place, (2) page_number is its own, (3) version and flags are known, type is in range,
 * reserved bytes are zero, in a map page the state of every entry is known, (4) its csn is what the
 * map names for its last flush (P3).
 */
#ifndef PAGER_PAGER_FORMAT_H
#define PAGER_PAGER_FORMAT_H

#include "kernel/base/bytes.h"

enum {
    PAGER_FORMAT_VERSION = 1,
    PAGE_FORMAT_VERSION = 1,
    PAGE_SIZE = 4096,
    PAGE_HEADER_SIZE = 48,
    PAGE_BODY_SIZE = PAGE_SIZE - PAGE_HEADER_SIZE,
    MAP_ENTRY_COUNT = PAGE_BODY_SIZE / 8, /* 506 */
    MAP_GROUP_SIZE = MAP_ENTRY_COUNT + 1, /* pages per level-0 map page with itself */
    MAP_FIRST_PAGE = 2,
    MAP_LEVEL1_FIRST_PAGE = 3,
    PAGE_CATALOG_ROOT = 4,
    PAGE_COUNT_MIN = 5,
    META_SLOT_COUNT = 2,
    META_MAP_COUNT = 480,
};

#define PAGE_COUNT_MAX ((uint64_t)META_MAP_COUNT * MAP_ENTRY_COUNT * MAP_GROUP_SIZE) /* 469 GiB */
#define PAGE_NONE UINT32_MAX

#define META_MAGIC 0x454c494642445451ull /* "QTDBFILE" */
#define META_SEED 0x6d657461736c6f74ull

enum page_type {
    PAGE_TYPE_NONE = 0, /* Only the catalog's root, until the catalog is made. */
    PAGE_TYPE_MAP = 1,
    PAGE_TYPE_LEAF_INT = 2,
    PAGE_TYPE_LEAF_VAR = 3,
    PAGE_TYPE_INNER_VAR = 4,
    PAGE_TYPE_OVERFLOW = 5,
    PAGE_TYPE_INNER_INT = 6,
    PAGE_TYPE_ROUTER = 7,
    PAGE_TYPE_TEST = 8, /* The page store's own tests and benchmarks. */
    PAGE_TYPE_LAST = 8,
};

enum page_flags {
    PAGE_FLAG_DIRECT = 1, /* Written directly (L4): csn is a lower bound of when it appeared. */
};

enum page_state {
    PAGE_STATE_UNUSED = 0, /* Never handed out. */
    PAGE_STATE_USED = 1,
    PAGE_STATE_FREE = 2,
    PAGE_STATE_MAP = 3,
    PAGE_STATE_FENCED = 4, /* In use, content lost; reads are refused. */
};

enum meta_state { META_CLEAN = 1, META_NEEDS_LOG = 2 };

struct page_header {
    le64 checksum;
    le64 csn;
    le64 csn_image;
    le32 page_number;
    le32 tree_id;
    uint8_t type;
    uint8_t level;
    uint8_t flags;
    uint8_t version;
    uint8_t reserved[12];
};
static_assert(sizeof(struct page_header) == PAGE_HEADER_SIZE, "on-disk size");
static_assert(offsetof(struct page_header, csn) == 8, "on-disk offset");
static_assert(offsetof(struct page_header, page_number) == 24, "on-disk offset");
static_assert(offsetof(struct page_header, type) == 32, "on-disk offset");
static_assert(_Alignof(struct page_header) == 1, "may be laid over any byte");

struct map_page {
    struct page_header header;
    le64 entry[MAP_ENTRY_COUNT];
};
static_assert(sizeof(struct map_page) == PAGE_SIZE, "on-disk size");

struct meta_slot {
    le64 checksum;
    le64 magic;
    le32 version;
    le32 page_size;
    le64 file_id;
    le64 sequence;
    le32 state;
    le32 slot;
    le64 log_id;
    le64 redo_lsn;
    le64 redo_chain;
    le64 redo_csn;
    le64 page_count;
    le64 segment_size;
    le32 reserved_size;
    le32 map_count;
    le64 created_ms;
    uint8_t reserved[144];
    le64 map_csn[META_MAP_COUNT];
};
static_assert(sizeof(struct meta_slot) == PAGE_SIZE, "on-disk size");
static_assert(offsetof(struct meta_slot, redo_lsn) == 56, "on-disk offset");
static_assert(offsetof(struct meta_slot, map_csn) == 256, "on-disk offset");

#endif
