/*
 * The catalog: the tree with root page 4 and tree id 1. Its rows, by the first byte of the key:
 *
 *   key                       value
 *   1                         le32: the next tree id to hand out
 *   2, name (1 to 255 bytes)  catalog_record of a tree
 *   3, tree id (big-endian)   catalog_record of a dropped tree, or of a large value that no row names,
 *                             whose pages are not all free yet
 *   4, name (1 to 255 bytes)  le64: the first number of a sequence that was never handed out
 *   5                         le64: saved routers of this CSN and later are right if the file is clean
 *   5, tree id (big-endian)   router_record of the tree, then a directory and a router as
 *                             learned/learned_format.h has them
 *
 *   router_record
 *   OFFSET  SIZE  FIELD
 *        0     8  csn             of the commit that saved it
 *        8     8  row_count       estimated
 *       16     4  directory_size  bytes
 *       20     4  router_size     bytes
 *   6, tree id (big-endian)   catalog_undo: a big commit that writes to the tree is under way, or was
 *                             when the last handle ended: it has to be undone
 *
 *   catalog_record
 *   OFFSET  SIZE  FIELD
 *        0     4  root        page number
 *        4     4  tree_id
 *        8     1  version     CATALOG_VERSION
 *        9     1  kind        enum qtdb_key_kind
 *       10     1  router      enum qtdb_router
 *       11     1  flags       enum catalog_flags
 *       12     4  reserved    0
 *       16     8  csn_dropped of a dropped tree, else 0; all bits set: of a large value being written
 *                             by a transaction, which dies with the process
 *
 * A record is valid if and only if (1) it has 24 bytes, (2) version, kind, router and flags are known,
 * (3) reserved bytes are zero, (4) root lies past the catalog's and tree_id past the reserved ones.
 *
 *   catalog_undo
 *   OFFSET  SIZE  FIELD
 *        0     4  root        of the tree that is written to
 *        4     4  tree_id     of it, as in the key
 *        8     4  undo_root   of the tree that holds its rows before
 *       12     4  undo_id     tree id of that
 *       16     1  version     CATALOG_VERSION
 *       17     1  kind        enum qtdb_key_kind, of both
 *       18     6  reserved    0
 *       24     8  csn         no page of the tree was changed by the big commit before this one
 *
 * It is valid if and only if (1) it has 32 bytes, (2) version and kind are known, reserved bytes zero,
 * (3) root and tree_id are the catalog's or lie past it, those of the undo tree lie past it, (4) csn is
 * not 0 and not past the log's end.
 *
 * A row of an undo tree has a key of the tree that is written to. Its value is one byte enum undo_row,
 * and behind it, with UNDO_ROW_WAS, the row's value before the commit; with UNDO_ROW_WAS_LARGE an
 * undo_value, which names it.
 *
 *   undo_value
 *   OFFSET  SIZE  FIELD
 *        0     8  size
 *        8     4  root
 *       12     4  tree_id
 */
#ifndef KERNEL_CATALOG_FORMAT_H
#define KERNEL_CATALOG_FORMAT_H

#include "kernel/base/bytes.h"

enum {
    CATALOG_VERSION = 1,
    CATALOG_TREE_ID = 1,
    CATALOG_TREE_ID_FIRST = 16, /* Ids below are the engine's own. */
};

enum catalog_key {
    CATALOG_KEY_NEXT = 1,
    CATALOG_KEY_NAME = 2,
    CATALOG_KEY_DROPPED = 3,
    CATALOG_KEY_SEQUENCE = 4,
    CATALOG_KEY_ROUTER = 5,
    CATALOG_KEY_UNDO = 6,
};

enum undo_row {
    UNDO_ROW_WAS = 1, /* The row was there. */
    UNDO_ROW_WAS_NOT = 2,
    UNDO_ROW_WAS_LARGE = 3, /* It was, and its value is a tree of its own. */
};

enum catalog_flags { CATALOG_FLAG_NO_COMPRESSION = 1 };

struct catalog_record {
    le32 root;
    le32 tree_id;
    uint8_t version;
    uint8_t kind;
    uint8_t router;
    uint8_t flags;
    uint8_t reserved[4];
    le64 csn_dropped;
};
static_assert(sizeof(struct catalog_record) == 24, "on-disk size");
static_assert(offsetof(struct catalog_record, version) == 8, "on-disk offset");
static_assert(offsetof(struct catalog_record, csn_dropped) == 16, "on-disk offset");

struct router_record {
    le64 csn;
    le64 row_count;
    le32 directory_size;
    le32 router_size;
};
static_assert(sizeof(struct router_record) == 24, "on-disk size");
static_assert(offsetof(struct router_record, directory_size) == 16, "on-disk offset");

struct catalog_undo {
    le32 root;
    le32 tree_id;
    le32 undo_root;
    le32 undo_id;
    uint8_t version;
    uint8_t kind;
    uint8_t reserved[6];
    le64 csn;
};
static_assert(sizeof(struct catalog_undo) == 32, "on-disk size");
static_assert(offsetof(struct catalog_undo, csn) == 24, "on-disk offset");

struct undo_value {
    le64 size;
    le32 root;
    le32 tree_id;
};
static_assert(sizeof(struct undo_value) == 16, "on-disk size");

#endif
