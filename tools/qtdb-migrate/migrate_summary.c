/* What the terminal shows at the end: all that differs, in a line each, and where the rest is. */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/legacy_source.h"
#include "tools/qtdb-migrate/migrate.h"

enum { TABLES_SHOWN = 20, LINES_SHOWN = 20, SOURCES_SHOWN = 10, COLUMNS_SHOWN = 20 };

struct migrate_totals
migrate_total(const struct migration *migration)
{
    struct migrate_totals totals = {.table_count = 0};

    for (uint32_t i = 0; i < migration->table_count; i++) {
        const struct migrate_table *table = &migration->tables[i];

        if (table->plan->dropped)
            continue;
        totals.table_count++;
        totals.row_count += table->row_count;
        totals.loss_count += table->loss_count + table->long_count + table->short_count;
        totals.changed_count += migrate_table_is_changed(table);
        for (uint32_t k = 0; k < table->column_count; k++)
            totals.foreign_key_count += table->columns[k].legacy->has_foreign_key;
        const struct plan_sequence *sequence = table->plan->sequences;
        for (; sequence != NULL; sequence = sequence->following)
            totals.sequence_count++;
    }
    return totals;
}

static void
print_log(const struct legacy_source *legacy)
{
    const struct legacy_log *log = &legacy->log;

    if (!legacy->log_open)
        return;
    printf("log       %s: %llu record%s in %u file%s, %llu after the last checkpoint applied\n",
           legacy->log_path, (unsigned long long)log->record_count, tool_plural(log->record_count),
           log->file_count, tool_plural(log->file_count), (unsigned long long)log->after_count);
    if (log->torn_count > 0)
        printf("          %s: left out\n", log->torn);
    if (!log->has_checkpoint && log->first_sequence > 1)
        printf("          the log has no checkpoint and begins with record %llu: older records "
               "are missing\n",
               (unsigned long long)log->first_sequence);
}

static void
print_source(const struct source *source, const char *head)
{
    const struct legacy_source *legacy = source->kind == &source_legacy ? source->state : NULL;
    char size[TOOL_SIZE_TEXT];

    printf("%-10s%s: %s, ", head, source->path, tool_format_size(source->size, size));
    if (legacy != NULL)
        printf("generation %s, %s\n", legacy_generation_name(legacy->form.generation),
               legacy->form.shape == LEGACY_INSTANCE ? "a whole instance" : "one database");
    else
        printf("%s\n", source->kind->title);
    if (source->remark[0] != '\0')
        printf("          %s\n", source->remark);
    if (legacy != NULL)
        print_log(legacy);
}

static void
print_sources(const struct migration *migration)
{
    const struct source_list *list = &migration->sources;

    for (uint32_t i = 0; i < list->count && i < SOURCES_SHOWN; i++)
        print_source(list->sources[i], i == 0 ? "source" : "");
    if (list->count > SOURCES_SHOWN)
        printf("          and %u more\n", list->count - SOURCES_SHOWN);
    if (list->ignored_count > 0)
        printf("          %u file%s of the directory left alone: not of a kind that is known\n",
               list->ignored_count, tool_plural(list->ignored_count));
}

static void
print_table(const struct migration *migration, const struct migrate_table *table)
{
    printf("          %s.%s: %llu row%s%s\n", table->schema, table->name,
           (unsigned long long)table->row_count, tool_plural(table->row_count),
           table->left_out             ? ", left out: it has no columns"
           : migration->verified       ? ", verified"
           : migration->options.verify ? ""
                                       : ", not verified");
}

static void
print_target(const struct migration *migration, const struct migrate_totals *totals)
{
    char size[TOOL_SIZE_TEXT];
    uint64_t shown = 0;

    if (migration->options.dry_run)
        printf("dry run   nothing was written");
    else
        printf("target    %s: %s", migration->options.target,
               tool_format_size(migration->target_size, size));
    printf(", %llu table%s, %llu row%s\n", (unsigned long long)totals->table_count,
           tool_plural(totals->table_count), (unsigned long long)totals->row_count,
           tool_plural(totals->row_count));
    for (uint32_t i = 0; i < migration->table_count && shown < TABLES_SHOWN; i++) {
        if (migration->tables[i].plan->dropped)
            continue;
        print_table(migration, &migration->tables[i]);
        shown++;
    }
    if (shown < totals->table_count)
        printf("          and %llu more\n", (unsigned long long)(totals->table_count - shown));
}

/* Lines of losses and changes; counts what it would print past LINES_SHOWN. */
static bool
may_print(uint32_t *line, const char *head)
{
    if (++*line > LINES_SHOWN)
        return false;
    printf("%-10s", *line == 1 ? head : "");
    return true;
}

/* What was found out about columns that promised nothing. */
static void
print_types(const struct migrate_table *table, uint32_t *line)
{
    char type[TARGET_TYPE_SIZE];

    if (!table->widens || table->left_out || !may_print(line, "types"))
        return;
    printf("%s.%s: ", table->schema, table->name);
    for (uint32_t i = 0; i < table->column_count && i < COLUMNS_SHOWN; i++)
        printf("%s%s %s", i == 0 ? "" : ", ", table->columns[i].name,
               convert_type_name(&table->columns[i].type, type));
    if (table->column_count > COLUMNS_SHOWN)
        printf(" and %u more", table->column_count - COLUMNS_SHOWN);
    printf("\n");
}

static void
print_column_losses(const struct migrate_table *table, const struct migrate_column *column,
                    uint32_t *line)
{
    for (int i = 0; i < MIGRATE_LOSSES_MAX && column->losses[i].what != NULL; i++) {
        const struct migrate_loss *loss = &column->losses[i];

        if (may_print(line, "lost"))
            printf("%s.%s.%s: %llu value%s: %s (first in row %llu: %s)\n", table->schema,
                   table->name, column->name, (unsigned long long)loss->count,
                   tool_plural(loss->count), loss->what, (unsigned long long)loss->first_row,
                   loss->first_value);
    }
}

static void
print_losses(const struct migrate_table *table, uint32_t *line)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        print_column_losses(table, &table->columns[i], line);
    if (table->long_count > 0 && may_print(line, "lost"))
        printf("%s.%s: %llu row%s had values past the last column\n", table->schema, table->name,
               (unsigned long long)table->long_count, tool_plural(table->long_count));
    if (table->short_count > 0 && may_print(line, "lost"))
        printf("%s.%s: %llu row%s had fewer values than columns; nulls stand in\n", table->schema,
               table->name, (unsigned long long)table->short_count,
               tool_plural(table->short_count));
}

static void
print_changed_column(const struct migrate_table *table, const struct migrate_column *column,
                     uint32_t *line)
{
    char wanted[TARGET_TYPE_SIZE], type[TARGET_TYPE_SIZE];

    if (column->widened && may_print(line, "changed"))
        printf("%s.%s.%s: %s became %s, for row %llu holds %s\n", table->schema, table->name,
               column->name, convert_type_name(&column->wanted, wanted),
               convert_type_name(&column->type, type), (unsigned long long)column->widened_row,
               column->widened_value);
    if (column->not_null_left_out != NULL && may_print(line, "changed"))
        printf("%s.%s.%s: NOT NULL left out: %s\n", table->schema, table->name, column->name,
               column->not_null_left_out);
    if (column->unique_left_out != NULL && may_print(line, "changed"))
        printf("%s.%s.%s: UNIQUE left out: %s\n", table->schema, table->name, column->name,
               column->unique_left_out);
}

static void
print_changes(const struct migrate_table *table, uint32_t *line)
{
    if (table->key_left_out != NULL && may_print(line, "changed"))
        printf("%s.%s: PRIMARY KEY left out: %s\n", table->schema, table->name,
               table->key_left_out);
    for (uint32_t i = 0; i < table->column_count; i++)
        print_changed_column(table, &table->columns[i], line);
}

static void
print_each(const struct migration *migration,
           void (*print)(const struct migrate_table *table, uint32_t *line))
{
    uint32_t line = 0;

    for (uint32_t i = 0; i < migration->table_count; i++) {
        if (!migration->tables[i].plan->dropped)
            print(&migration->tables[i], &line);
    }
    if (line > LINES_SHOWN)
        printf("          and %u more lines; --report FILE.json has all\n", line - LINES_SHOWN);
}

static uint64_t
count_notes(const struct migration *migration, const char *kind)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const struct plan_note *note = migration->sources.sources[i]->plan->notes;

        for (; note != NULL; note = note->next)
            count += strcmp(note->kind, kind) == 0;
    }
    return count;
}

static void
print_count(uint64_t count, const char *what, bool *any)
{
    if (count == 0)
        return;
    printf("%s%llu %s%s", *any ? ", " : "not yet   ", (unsigned long long)count, what,
           tool_plural(count));
    *any = true;
}

static void
print_not_carried_over(const struct migration *migration, const struct migrate_totals *totals)
{
    bool any = false;

    print_count(count_notes(migration, "enum"), "enum", &any);
    print_count(count_notes(migration, "view"), "view", &any);
    print_count(count_notes(migration, "user"), "user", &any);
    print_count(count_notes(migration, "grant"), "grant", &any);
    print_count(totals->foreign_key_count, "foreign key", &any);
    print_count(totals->sequence_count, "sequence position", &any);
    if (any)
        printf(": not carried over yet%s\n",
               migration->options.report == NULL ? "; --report FILE.json lists them" : "");
}

void
migrate_print_summary(struct migration *migration)
{
    struct migrate_totals totals = migrate_total(migration);
    double seconds = (double)(tool_clock_ns() - migration->begin_ns) / 1e9;

    print_sources(migration);
    print_target(migration, &totals);
    print_each(migration, print_types);
    print_each(migration, print_losses);
    print_each(migration, print_changes);
    print_not_carried_over(migration, &totals);
    if (migration->options.report != NULL)
        printf("report    %s\n", migration->options.report);
    printf("done      %.2f s, %u %s over the source%s\n", seconds, migration->pass_count,
           migration->pass_count == 1 ? "pass" : "passes",
           migration->verified ? ", every table verified by count and checksum" : "");
}
