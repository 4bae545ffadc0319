/*
 * A migration as a whole: options, source, target, tables, and the steps that share them.
 *
 *    open sources -> load (in passes) -> carry over what is no row -> reopen target -> verify -> publish -> summary and report
 *
 * Loading goes through the sources once; where a table meets a value that its type does not hold or
 * rows that break a constraint, the table is dropped, its definition changed, and the rest of its rows
 * only looked at, so that all such places are known; a further pass then loads it again. Tables
 * that went well are not touched by further passes. Each pass changes at least one definition, and
 * definitions only become wider, so the passes end.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_H

#include "tools/common/tool.h"
#include "tools/qtdb-migrate/migrate_target.h"
#include "tools/qtdb-migrate/source.h"

struct migrate_options {
    char **paths; /* Of the sources. */
    int path_count;
    const char *target; /* NULL with dry_run. */
    const char *report; /* NULL: none. */
    const char *layout; /* "schemas", "files". */
    const char *to;     /* The way back (back.h); NULL: the way here. */
    struct source_options from;
    const char *only_schema; /* Everything else is passed over; NULL: nothing is. */
    bool strict;
    bool dry_run;
    bool verify;
    bool quiet;
    bool resume; /* Leave what is done on an interrupt, and go on with what is there. */
};

/* What an interrupted run left; see migrate_resume.c. */
struct migrate_resume {
    char path[IO_PATH_SIZE + 32];
    FILE *file; /* NULL: nothing is written down. */
    uint64_t identity;
    bool going_on;
    uint32_t table_count; /* Tables that were there already. */
};

/* The JSON report, written as things happen; see migrate_report.c. */
struct migrate_report {
    FILE *file; /* NULL: no report. */
    const char *path;
    long table_begin; /* Where the present table's losses begin. */
    bool any_loss;
    bool any_before_table;
    struct text_buffer text;
};

struct migration {
    const struct tool *tool;
    struct env env;
    struct migrate_options options;
    struct source_list sources;
    uint64_t source_size; /* Of all sources, bytes. */
    struct migrate_target target;
    struct migrate_report report;
    struct migrate_resume resume;
    struct tool_progress progress;
    struct source *reading; /* The source that migrate_read is at. */
    uint64_t read_before;   /* Bytes of the sources before it. */
    struct arena arena;
    uint32_t table_count;
    struct migrate_table *tables; /* By the number in the plan. */
    uint32_t pass_count;
    uint64_t lost_count; /* Of a rescue: places that could not be read. */
    bool verified;
    uint64_t begin_ns;
    uint64_t target_size; /* Bytes of the file. */
    char fault[1024];     /* Why it failed; empty: it did not. */
};

/** The whole work. False: `fault` says why, and nothing is left of the target. */
bool migrate_run(struct migration *migration);

/** The same with --layout files: a file for each schema of the sources, in the directory `target`. */
bool migrate_run_files(struct migration *migration);
/** The schemas that the sources' databases become, each once; memory from `arena`. False: `fault`. */
bool migrate_list_schemas(struct migration *migration, struct arena *arena,
                          const char *const **names_out, uint32_t *count_out);

/** Goes through the rows of all sources; what a visitor sets as `fault` goes before the source's. */
MUST_CHECK enum status migrate_read(struct migration *migration, const char *what,
                                    const struct source_visitor *visitor);

/* Steps; on failure each sets `fault`. */
MUST_CHECK enum status migrate_load(struct migration *migration);
/** Everything but rows: tries it on the target, notes what was refused. */
MUST_CHECK enum status migrate_carry_over(struct migration *migration);
MUST_CHECK enum status migrate_verify(struct migration *migration);
__attribute__((format(printf, 3, 4))) enum status migrate_fail(struct migration *migration,
                                                               enum status status,
                                                               const char *format, ...);
/** STATUS_STOPPED, with `fault`, after an interrupt. */
MUST_CHECK enum status migrate_check_stop(struct migration *migration);

static inline struct migrate_table *
migrate_table_of(struct migration *migration, const struct plan_table *plan)
{
    return &migration->tables[plan->number];
}

/* Resuming. */
struct stat;
/** Takes over which tables are there; after the tables are known and before the target is opened. */
void resume_find(struct migration *migration, const struct stat *before);
/** Begins to write down what is done. */
MUST_CHECK enum status resume_begin(struct migration *migration);
void resume_note_table(struct migration *migration, const struct migrate_table *table);
void resume_note_extras(struct migration *migration);
void resume_end(struct migration *migration, bool keep);

/* Report. */
MUST_CHECK enum status report_open(struct migration *migration);
/** A table's losses begin; report_forget_table takes them back. */
void report_begin_table(struct migration *migration);
void report_forget_table(struct migration *migration);
/** `column` UINT32_MAX: no column; `value` NULL: no value. */
void report_loss(struct migration *migration, const struct migrate_table *table, uint32_t column,
                 uint64_t row, const char *what, const char *value, size_t value_size);
/** Everything else, and the end. False: the report could not be written. */
bool report_close(struct migration *migration);

/** What a person wants to know, on standard output. */
void migrate_print_summary(struct migration *migration);

/* Sums over tables, for report and summary. */
struct migrate_totals {
    uint64_t table_count;
    uint64_t row_count;
    uint64_t loss_count;
    uint64_t changed_count;     /* Tables whose definition gave way. */
    uint64_t foreign_key_count; /* Not carried over. */
    uint64_t sequence_count;    /* Not carried over. */
    uint64_t left_count;        /* All that was not carried over, both of these too. */
    uint64_t carried_count;
};
struct migrate_totals migrate_total(const struct migration *migration);

#endif
