/*
 * What becomes of a legacy table: its names, types and constraints in the target, what had to give
 * way, what was lost, and the sums of both sides.
 *
 * The predecessor enforced little. A constraint that the rows break is left out of the target rather
 * than a row, a type that a value does not fit is widened, and both are reported.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_TABLE_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_TABLE_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/legacy_plan.h"
#include "tools/qtdb-migrate/migrate_convert.h"
#include "tools/qtdb-migrate/migrate_sum.h"

enum { MIGRATE_NAME_SIZE = 64, MIGRATE_LOSSES_MAX = 4, MIGRATE_SAMPLE_SIZE = 80 };

/* One kind of loss in one column. */
struct migrate_loss {
    const char *what; /* NULL: none. */
    uint64_t count;
    uint64_t first_row;
    char first_value[MIGRATE_SAMPLE_SIZE];
};

struct migrate_column {
    const struct legacy_column *legacy;
    char name[MIGRATE_NAME_SIZE];
    struct target_type wanted; /* What the legacy column asks for. */
    struct target_type type;   /* What it gets. */
    bool widened;
    uint64_t widened_row; /* Of the first value that did not fit. */
    char widened_value[MIGRATE_SAMPLE_SIZE];
    bool not_null;
    bool unique;
    const struct plan_note *foreign_key; /* How it was tried; NULL: none, or not yet. */
    const char *not_null_left_out;       /* Why; NULL: it was not. */
    const char *unique_left_out;
    struct migrate_loss losses[MIGRATE_LOSSES_MAX];
};

struct migrate_table {
    struct plan_table *plan;
    bool widens; /* See struct source_kind. */
    char schema[MIGRATE_NAME_SIZE];
    char name[MIGRATE_NAME_SIZE];
    uint32_t column_count;
    struct migrate_column *columns;
    bool has_key;
    bool defaults_left_out;   /* Of the definition; they are tried once the rows are in. */
    const char *key_left_out; /* Why; NULL: it was not, or there was none. */
    bool loaded;
    bool left_out;        /* It has no columns, which the target cannot have. */
    uint64_t row_count;   /* Live rows read. */
    uint64_t short_count; /* Rows with fewer values than columns. */
    uint64_t long_count;  /* Rows with more. */
    uint64_t loss_count;
    struct migrate_sum source_sum;
    struct migrate_sum target_sum;
};

/** Fills a table from its plan. False: no memory. */
bool migrate_table_init(struct migrate_table *table, struct plan_table *plan, struct arena *arena);
/** The name that a legacy name becomes: not empty, at most 63 bytes, no NUL. True when it differs. */
bool migrate_name(const struct legacy_text *legacy, char out[MIGRATE_NAME_SIZE]);

/* SQL, appended. */
void migrate_sql_name(const struct migrate_table *table, struct text_buffer *sql);
void migrate_sql_create(const struct migrate_table *table, struct text_buffer *sql);
void migrate_sql_select(const struct migrate_table *table, struct text_buffer *sql);

/** Counts a loss and keeps the first of its kind. */
void migrate_note_loss(struct migrate_table *table, uint32_t column, const char *what, uint64_t row,
                       const char *value, size_t value_size);
/** Leaves the constraint that the message names out of the table; false when none is named. */
bool migrate_leave_out(struct migrate_table *table, const char *sqlstate, const char *message);
bool migrate_has_defaults(const struct migrate_table *table);
/** True when any constraint or type gave way. */
bool migrate_table_is_changed(const struct migrate_table *table);
/** Forgets what the loading counted, for another try. */
void migrate_table_forget(struct migrate_table *table);

/** At most MIGRATE_SAMPLE_SIZE - 1 bytes of a value, whole characters, "..." where cut. */
void migrate_sample(const char *value, size_t size, char out[MIGRATE_SAMPLE_SIZE]);

#endif
