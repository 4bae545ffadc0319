/*
 * Tree pages on disk. Little-endian; free space is zero.
 *
 *   variable node: leaves (level 0, PAGE_TYPE_LEAF_VAR), inner pages (level > 0, PAGE_TYPE_INNER_VAR)
 *
 *   OFFSET  SIZE  FIELD
 *        0    48  page         page header
 *       48     2  count        slots
 *       50     2  heap_offset  first byte of the heap
 *       52     2  dead_size    bytes in the heap that belong to no cell
 *       54     2  prefix_size  leading bytes that all keys share and cells leave out
 *       56     2  low_size     low fence; 0: the tree's left edge
 *       58     2  high_size    high fence; 0: the tree's right edge
 *       60     4  link         leaf: page of the next leaf or PAGE_NONE; inner: child left of slot 0
 *       64     8  reserved     0
 *       72    16  block        slots of each block
 *       88    64  hint[16]     heads of block i are not above hint[i] and not below hint[i - 1]
 *      152   8*n  slot[count]
 *                 gap, zero
 *                 heap: cells, in any order, and dead bytes
 *                 high fence, low fence; the low fence ends with the page
 *
 *   slot
 *        0     2  offset       of the cell in the page
 *        2     2  key_size     without the prefix
 *        4     4  head         the first four bytes of the key after the prefix, zero-filled, as a
 *                              big-endian number: heads compare like keys
 *   cell
 *        0     2  value        bits 0-14 size of the value; bit 15: it is an overflow reference
 *        2     -  the key's bytes after prefix and head
 *        -     -  value; in inner pages 4 bytes, the child right of the key
 *
 *   integer node: leaves (PAGE_TYPE_LEAF_INT) and inner pages (PAGE_TYPE_INNER_INT), keys of 8 bytes
 *
 *   OFFSET  SIZE  FIELD
 *        0    48  page         page header
 *       48     2  count        rows
 *       50     2  capacity     rows that the arrays have room for
 *       52     2  value_size   fixed form: of every value; slotted form: 0
 *       54     2  heap_offset  slotted form: first byte of the heap; fixed form: 0
 *       56     2  dead_size    slotted form: bytes in the heap that belong to no row; fixed form: 0
 *       58     1  fences       bit 0: there is a low fence; bit 1: there is a high fence
 *       59     1  form         enum node_int_form
 *       60     4  link         as above
 *       64     8  low          low fence, big-endian like keys in the interface; 0 without one
 *       72     8  high         high fence; 0 without one
 *       80    16  block        rows of each block
 *       96    32  reserved     0
 *      128   128  hint[16]     keys of block i are above hint[i - 1] and not above hint[i]
 *      256   8*c  key[capacity], little-endian numbers
 *             -  fixed form: value[capacity]; slotted form: slot[capacity], gap (zero), heap to the
 *                end of the page
 *
 *   integer slot
 *        0     2  offset       of the value in the page
 *        2     2  value        bits 0-14 size of the value; bit 15: it is an overflow reference
 *
 * The fixed form is for rows whose values are all of one size and none an overflow reference; its
 * capacity is the largest that fits. Inner pages have it with values of 4 bytes, the child right of
 * the key. Entries of the arrays past count hold anything: they are what a removal left.
 *
 * In both kinds the rows in their order are cut into 16 blocks of any sizes. Hints are bounds, not
 * copies of keys: an insert or removal changes one byte of `block` and no hint, so the log gets next
 * to nothing. Hints that bound no block, and the last one, are the highest number that there is.
 *
 *   overflow page (PAGE_TYPE_OVERFLOW, level 0): data of one value, or a list of its data pages
 *        0    48  page
 *       48     8  stamp        CSN of the commit that wrote the value
 *       56     4  index        data: place in the value from 0; list: the same with bit 31 set
 *       60     4  size         data: bytes here; list: page numbers here
 *       64  4032  data; or: 4 bytes next list page or PAGE_NONE, then 4 bytes a page number
 *
 *   overflow reference, the value in a cell with bit 15 set
 *        0     4  size         of the value
 *        4     4  packed       bytes in the data pages when they are one zstd frame; 0: not compressed
 *        8     8  stamp
 *       16   4*n  page         data pages when they are at most 8; else the first list
 *
 *   value reference, another form of it: the value is a tree of its own (tree_value.c)
 *        0     4  size         of the value, more than 8 data pages hold
 *        4     4  packed       0
 *        8     8  stamp        0
 *       16     4  root         of a tree of integer keys: number of the chunk from 0 -> its bytes
 *       20     4  tree_id
 *
 * An overflow reference of more than 8 data pages has one page number, so that the two forms differ in
 * their length.
 *
 * A variable node is valid if and only if (1) type and level agree, reserved bytes are zero; (2) slots, heap
 * and fences lie in this order without overlapping; (3) low < high (where there are both), and the
 * prefix is a prefix of both; (4) cells lie in the heap, apart from each other, and their sizes and
 * dead_size add up to the heap; (5) heads are those of the keys, keys rise strictly and lie in
 * [low, high), in inner pages above low; (6) the gap is zero; (7) the blocks' slots add up to count,
 * hints do not fall, and every head is in a block that they allow. Dead bytes hold anything: zeroing
 * them would be logged.
 *
 * An integer node is valid if and only if (1) as above; (2) form and capacity fit, and the arrays and
 * the heap lie in this order in the page; (3) low < high where there are both; (4) values lie in the
 * heap, apart from each other, and their sizes and dead_size add up to it; (5) keys rise strictly and
 * lie in [low, high), in inner pages above low; (6) the gap is zero; (7) the blocks' rows add up to
 * count, hints do not fall, and every key is in the block that they say.
 */
#ifndef BTREE_NODE_FORMAT_H
#define BTREE_NODE_FORMAT_H

#include "pager/pager_format.h"

enum {
    NODE_HEADER_SIZE = 152,
    NODE_BLOCK_COUNT = 16,
    NODE_BLOCK_MAX = 255,
    NODE_SLOT_SIZE = 8,
    NODE_CELL_HEADER_SIZE = 2,
    NODE_HEAD_SIZE = 4,
    NODE_CHILD_SIZE = 4,
    NODE_SLOT_MAX = (PAGE_SIZE - NODE_HEADER_SIZE) / NODE_SLOT_SIZE,
    NODE_VALUE_OVERFLOW = 0x8000,
    NODE_VALUE_SIZE_MASK = 0x7fff,

    NODE_INT_KEY_SIZE = 8,
    NODE_INT_HEADER_SIZE = 256,
    NODE_INT_SLOT_SIZE = 4,
    NODE_INT_HAS_LOW = 1,
    NODE_INT_HAS_HIGH = 2,

    OVERFLOW_HEADER_SIZE = 64,
    OVERFLOW_DATA_SIZE = PAGE_SIZE - OVERFLOW_HEADER_SIZE,
    OVERFLOW_LIST_MAX = (OVERFLOW_DATA_SIZE - 4) / 4, /* 1007 */
    OVERFLOW_DIRECT_MAX = 8,
    OVERFLOW_REF_HEADER_SIZE = 16,
    OVERFLOW_REF_SIZE_MAX = OVERFLOW_REF_HEADER_SIZE + 4 * OVERFLOW_DIRECT_MAX,
    VALUE_REF_SIZE = OVERFLOW_REF_HEADER_SIZE + 8,
};

#define OVERFLOW_INDEX_LIST 0x80000000u

struct node_slot {
    le16 offset;
    le16 key_size;
    le32 head;
};
static_assert(sizeof(struct node_slot) == NODE_SLOT_SIZE, "on-disk size");
static_assert(offsetof(struct node_slot, head) == 4, "on-disk offset");

struct node_header {
    struct page_header page;
    le16 count;
    le16 heap_offset;
    le16 dead_size;
    le16 prefix_size;
    le16 low_size;
    le16 high_size;
    le32 link;
    uint8_t reserved[8];
    uint8_t block[NODE_BLOCK_COUNT];
    le32 hint[NODE_BLOCK_COUNT];
};
static_assert(sizeof(struct node_header) == NODE_HEADER_SIZE, "on-disk size");
static_assert(offsetof(struct node_header, count) == 48, "on-disk offset");
static_assert(offsetof(struct node_header, heap_offset) == 50, "on-disk offset");
static_assert(offsetof(struct node_header, dead_size) == 52, "on-disk offset");
static_assert(offsetof(struct node_header, prefix_size) == 54, "on-disk offset");
static_assert(offsetof(struct node_header, low_size) == 56, "on-disk offset");
static_assert(offsetof(struct node_header, high_size) == 58, "on-disk offset");
static_assert(offsetof(struct node_header, link) == 60, "on-disk offset");
static_assert(offsetof(struct node_header, block) == 72, "on-disk offset");
static_assert(offsetof(struct node_header, hint) == 88, "on-disk offset");
static_assert(_Alignof(struct node_header) == 1, "may be laid over any byte");
static_assert(NODE_HEADER_SIZE % 8 == 0, "slots are loaded by one aligned load");

enum node_int_form { NODE_INT_FIXED = 1, NODE_INT_SLOTTED = 2 };

struct node_int_header {
    struct page_header page;
    le16 count;
    le16 capacity;
    le16 value_size;
    le16 heap_offset;
    le16 dead_size;
    uint8_t fences;
    uint8_t form;
    le32 link;
    uint8_t low[NODE_INT_KEY_SIZE];
    uint8_t high[NODE_INT_KEY_SIZE];
    uint8_t block[NODE_BLOCK_COUNT];
    uint8_t reserved[32];
    le64 hint[NODE_BLOCK_COUNT];
};
static_assert(sizeof(struct node_int_header) == NODE_INT_HEADER_SIZE, "on-disk size");
static_assert(offsetof(struct node_int_header, count) == 48, "on-disk offset");
static_assert(offsetof(struct node_int_header, fences) == 58, "on-disk offset");
static_assert(offsetof(struct node_int_header, form) == 59, "on-disk offset");
static_assert(offsetof(struct node_int_header, link) == offsetof(struct node_header, link),
              "one place for both kinds");
static_assert(offsetof(struct node_int_header, count) == offsetof(struct node_header, count),
              "one place for both kinds");
static_assert(offsetof(struct node_int_header, low) == 64, "on-disk offset");
static_assert(offsetof(struct node_int_header, block) == 80, "on-disk offset");
static_assert(offsetof(struct node_int_header, hint) == 128, "on-disk offset");
static_assert(_Alignof(struct node_int_header) == 1, "may be laid over any byte");

struct node_int_slot {
    le16 offset;
    le16 value;
};
static_assert(sizeof(struct node_int_slot) == NODE_INT_SLOT_SIZE, "on-disk size");

struct overflow_page {
    struct page_header page;
    le64 stamp;
    le32 index;
    le32 size;
    uint8_t data[OVERFLOW_DATA_SIZE];
};
static_assert(sizeof(struct overflow_page) == PAGE_SIZE, "on-disk size");
static_assert(offsetof(struct overflow_page, stamp) == 48, "on-disk offset");
static_assert(offsetof(struct overflow_page, data) == OVERFLOW_HEADER_SIZE, "on-disk offset");

struct overflow_list {
    le32 next;
    le32 page[OVERFLOW_LIST_MAX];
};
static_assert(sizeof(struct overflow_list) <= OVERFLOW_DATA_SIZE, "fits a page");

struct overflow_ref {
    le32 size;
    le32 packed;
    le64 stamp;
    le32 page[OVERFLOW_DIRECT_MAX];
};
static_assert(sizeof(struct overflow_ref) == OVERFLOW_REF_SIZE_MAX, "on-disk size");

#endif
