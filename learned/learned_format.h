/*
 * A directory and a router as bytes. Derived data: whoever cannot read it builds it anew from the tree.
 *
 * Directory: header, then for each leaf two varints (LEB128): distance of its key from the key before,
 * shifted right by `shift`; page number less the one before less one, zigzag. The first leaf follows
 * key 0 and page -1. A directory is valid if and only if (1) magic, version and checksum are right, (2)
 * the bytes are exactly leaf_count pairs, (3) no sum passes 64 bits for keys or 32 bits for pages.
 *
 * Router: header, then cell_count + 1 cells (le32) if there are any, then model_count + 1 models (le32
 * base, le32 slope as IEEE bits) if there are any. Valid if and only if (1) magic, version and checksum
 * are right, (2) kind, root and reason are known, a root stands with an RMI only, cells with a quantile
 * root only, models with RMI and PLA only, (3) the sizes add up to the bytes, (4) cells and bases do not
 * descend, cells stay within models and bases within leaves, (5) slopes and scale are finite and not
 * negative, low is not above high, (6) directory_sum is that of the directory it is read for.
 */
#ifndef LEARNED_LEARNED_FORMAT_H
#define LEARNED_LEARNED_FORMAT_H

#include "kernel/base/bytes.h"

#define DIRECTORY_MAGIC UINT32_C(0x44465451) /* "QTFD" */
#define DIRECTORY_VERSION 1
#define ROUTER_MAGIC UINT32_C(0x52465451) /* "QTFR" */
#define ROUTER_VERSION 1

/*
 *   OFFSET  SIZE  FIELD
 *        0     8  checksum    XXH3-64 of all bytes behind it, seeded with the magic
 *        8     4  magic
 *       12     2  version
 *       14     1  shift       zero bits cut from the end of every key, 0 to 63
 *       15     1  zero
 *       16     4  leaf_count
 *       20     4  zero
 */
struct directory_header {
    le64 checksum;
    le32 magic;
    le16 version;
    uint8_t shift;
    uint8_t zero_byte;
    le32 leaf_count;
    uint8_t zero[4];
};
static_assert(sizeof(struct directory_header) == 24, "format");
static_assert(offsetof(struct directory_header, leaf_count) == 16, "format");
static_assert(_Alignof(struct directory_header) == 1, "may be laid over any byte");

/*
 *   OFFSET  SIZE  FIELD
 *        0     8  checksum       XXH3-64 of all bytes behind it, seeded with the magic
 *        8     4  magic
 *       12     2  version
 *       14     1  kind           enum router_kind
 *       15     1  root           enum router_root
 *       16     4  leaf_count     trained on
 *       20     4  model_count
 *       24     4  cell_count     of the quantile root
 *       28     1  reason         enum router_reason
 *       29     3  zero
 *       32     8  low            of the trimmed range
 *       40     8  high
 *       48     8  scale          IEEE bits
 *       56     8  directory_sum  XXH3-64 of the leaf_count keys, seeded with their count
 */
struct router_header {
    le64 checksum;
    le32 magic;
    le16 version;
    uint8_t kind;
    uint8_t root;
    le32 leaf_count;
    le32 model_count;
    le32 cell_count;
    uint8_t reason;
    uint8_t zero[3];
    le64 low;
    le64 high;
    le64 scale;
    le64 directory_sum;
};
static_assert(sizeof(struct router_header) == 64, "format");
static_assert(offsetof(struct router_header, low) == 32, "format");
static_assert(_Alignof(struct router_header) == 1, "may be laid over any byte");

#endif
