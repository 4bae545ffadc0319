/* What the terminal shows at the end: all that differs, in a line each, and where the rest is. */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/legacy_source.h"
#include "tools/qtdb-migrate/migrate.h"

enum {
    TABLES_SHOWN = 20,
    LINES_SHOWN = 20,
    SOURCES_SHOWN = 10,
    COLUMNS_SHOWN = 20,
    KINDS_SHOWN = 16
};

static void
add_notes(const struct legacy_plan *plan, struct migrate_totals *totals)
{
    uint64_t carried = 0;

    for (const struct plan_note *note = plan->notes; note != NULL; note = note->next) {
        carried += note->carried;
        totals->foreign_key_count += !note->carried && strcmp(note->kind, "foreign key") == 0;
        totals->sequence_count += !note->carried && strcmp(note->kind, "sequence position") == 0;
    }
    totals->carried_count += carried;
    totals->left_count += plan->note_count - carried;
}

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
    }
    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const struct source *source = migration->sources.sources[i];

        if (source->plan != NULL)
            add_notes(source->plan, &totals);
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

/* Kinds of what was (not) carried over, each with its number. */
struct kind_counts {
    uint32_t count;
    const char *kinds[KINDS_SHOWN];
    uint64_t counts[KINDS_SHOWN];
};

static void
count_kinds(const struct migration *migration, bool carried, struct kind_counts *out)
{
    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const struct plan_note *note = migration->sources.sources[i]->plan->notes;

        for (; note != NULL; note = note->next) {
            uint32_t at = 0;

            while (at < out->count && strcmp(out->kinds[at], note->kind) != 0)
                at++;
            if (note->carried != carried || at == KINDS_SHOWN || strcmp(note->kind, "damage") == 0)
                continue;
            out->kinds[at] = note->kind;
            out->counts[at]++;
            out->count += at == out->count;
        }
    }
}

/* One index, two indexes, two identities, two views. */
static void
print_kind(const char *kind, uint64_t count)
{
    size_t size = strlen(kind);
    const char *last = kind + size - 1;

    if (count == 1 || size < 2)
        printf("%llu %s", (unsigned long long)count, kind);
    else if (*last == 'y')
        printf("%llu %.*sies", (unsigned long long)count, (int)(size - 1), kind);
    else
        printf("%llu %s%s", (unsigned long long)count, kind, *last == 'x' ? "es" : "s");
}

static void
print_kinds(const struct migration *migration, bool carried, const char *head, const char *tail)
{
    struct kind_counts counts = {.count = 0};

    count_kinds(migration, carried, &counts);
    for (uint32_t i = 0; i < counts.count; i++) {
        printf("%-*s", i == 0 ? 10 : 2, i == 0 ? head : ",");
        print_kind(counts.kinds[i], counts.counts[i]);
    }
    if (counts.count > 0)
        printf("%s\n", tail);
}

/* By name, what was tried and refused. */
static void
print_refused(const struct migration *migration)
{
    uint32_t line = 0;

    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const struct plan_note *note = migration->sources.sources[i]->plan->notes;

        for (; note != NULL; note = note->next) {
            if (note->tried && !note->carried && may_print(&line, "refused"))
                printf("%s %s: %s\n", note->kind, note->name, note->why != NULL ? note->why : "");
        }
    }
    if (line > LINES_SHOWN)
        printf("          and %u more\n", line - LINES_SHOWN);
}

static void
print_damage(const struct migration *migration)
{
    uint32_t line = 0;

    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const struct plan_note *note = migration->sources.sources[i]->plan->notes;

        for (; note != NULL; note = note->next) {
            if (strcmp(note->kind, "damage") == 0 && may_print(&line, "damage"))
                printf("%s%s%s\n", note->name, note->name[0] != '\0' ? ": " : "", note->words);
        }
    }
    if (line > LINES_SHOWN)
        printf("          and %u more\n", line - LINES_SHOWN);
    if (migration->lost_count > 0)
        printf("rescued   all rows that could be read; %llu place%s could not\n",
               (unsigned long long)migration->lost_count, tool_plural(migration->lost_count));
}

void
migrate_print_summary(struct migration *migration)
{
    struct migrate_totals totals = migrate_total(migration);
    double seconds = (double)(tool_clock_ns() - migration->begin_ns) / 1e9;

    print_sources(migration);
    print_target(migration, &totals);
    if (migration->resume.going_on)
        printf("resumed   %u table%s of an interrupted run taken over\n",
               migration->resume.table_count, tool_plural(migration->resume.table_count));
    print_each(migration, print_types);
    print_each(migration, print_losses);
    print_each(migration, print_changes);
    print_kinds(migration, true, "also", " carried over");
    print_kinds(migration, false, "left out",
                migration->options.report == NULL
                    ? ": not carried over; --report FILE.json lists them"
                    : ": not carried over");
    print_refused(migration);
    print_damage(migration);
    if (migration->options.report != NULL)
        printf("report    %s\n", migration->options.report);
    printf("done      %.2f s, %u %s over the source%s\n", seconds, migration->pass_count,
           migration->pass_count == 1 ? "pass" : "passes",
           migration->verified ? ", every table verified by count and checksum" : "");
}
