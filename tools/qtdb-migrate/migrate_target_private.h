/* Shared by migrate_target.c and migrate_rows.c. */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_PRIVATE_H

#include "tools/qtdb-migrate/migrate_target.h"

/** Takes the thread's qtdb error over; always STATUS_FAILED. */
enum status target__fail(struct migrate_target *target, const char *what);

#endif
