/* Shared by the survey (legacy_plan.c) and the replay (legacy_replay.c). False: no memory. */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_PLAN_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_LEGACY_PLAN_PRIVATE_H

#include "tools/qtdb-migrate/legacy_plan.h"

bool plan__copy_text(struct legacy_plan *plan, const struct legacy_text *text,
                     struct legacy_text *out);
bool plan__copy_column(struct legacy_plan *plan, const struct legacy_column *column,
                       struct legacy_column *out);
bool plan__text_equals(const struct legacy_text *left, const struct legacy_text *right);
bool plan__version_add(struct legacy_plan *plan, struct plan_table *table);
struct plan_table *plan__table_add(struct legacy_plan *plan, struct plan_database *database,
                                   const struct legacy_table *head);
bool plan__sequence_set(struct legacy_plan *plan, struct plan_table *table,
                        const struct legacy_text *name, int64_t next, bool only_raise);

#endif
