/*
 * Shared by pages_source.c (folders, names, tables) and pages_read.c (a page's bytes).
 *
 *   OFFSET  SIZE  FIELD
 *        0     4  table id
 *        4     4  page number
 *        8     2  free space
 *       10     2  slot count
 *       12     4  lower, upper
 *       16     4  checksum, always 0
 *       20     8  slot count again, n
 *       28    5n  slots: offset in the data u16, length u16, used u8
 *  28 + 5n     8  8192
 *  36 + 5n  8192  data
 */
#ifndef TOOLS_QTDB_MIGRATE_PAGES_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_PAGES_PRIVATE_H

#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/source.h"

enum {
    PAGE_DATA = 8192,
    PAGE_HEAD = 28,
    SLOT_SIZE = 5,
    PAGES_MAX = 16 * 1024 * 1024, /* Of one table. */
    COLUMNS_MAX = 1600,
};

struct page_table {
    uint32_t id;
    uint32_t page_count;
    uint32_t page_room;
    uint32_t *pages; /* Their numbers, sorted. */
    struct plan_table *plan;
    uint64_t row_count;
    struct page_table *next;
};

struct pages {
    bool single; /* The source is one table's folder. */
    struct page_table *tables;
    uint32_t *tags; /* Of the survey, by column: which tags its values have. */
    uint32_t width; /* Values of the longest row. */
    bool telling;   /* The survey: damage is noted. */
};

/* What reading a table hands out. */
struct page_visitor {
    void *context;
    enum status (*row)(void *context, const struct legacy_row *row);
};

/** The folder of a table's pages. */
MUST_CHECK enum status pages__folder(struct source *source, const struct page_table *table,
                                     char out[IO_PATH_SIZE]);
/** All live rows of a table, page by page. */
MUST_CHECK enum status pages__read(struct source *source, const struct page_table *table,
                                   const struct page_visitor *visitor);

#endif
