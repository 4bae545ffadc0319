/* Shared by migrate_target.c, migrate_rows.c and migrate_insert.c. */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_PRIVATE_H

#include "tools/qtdb-migrate/migrate_target.h"

/** Takes the thread's qtdb error over; always STATUS_FAILED. */
enum status target__fail(struct migrate_target *target, const char *what);
/** Prepares what stands in target->sql. */
MUST_CHECK enum status target__prepare(struct migrate_target *target, const char *what,
                                       struct qtdb_statement **out);
MUST_CHECK enum target_result target__run_word(struct migrate_target *target, const char *word);
/** The rows that follow are the table's. */
void target__begin_rows(struct migrate_target *target, const struct migrate_table *table);
/** Discards the load that is open. */
void target__forget_rows(struct migrate_target *target);

#endif
