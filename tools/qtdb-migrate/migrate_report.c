/*
 * The JSON report. Losses are written the moment they happen, so their number does not matter for
 * memory; when a table has to be loaded again, the file is cut back to where its losses began. The
 * rest follows at the end. Its members are in docs/man/qtdb-migrate.1.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/legacy_source.h"
#include "tools/qtdb-migrate/migrate.h"

/* Writes what the text buffer holds and empties it. */
static void
flush_text(struct migrate_report *report)
{
    if (report->text.size > 0)
        (void)fwrite(report->text.bytes, 1, report->text.size, report->file);
    text_buffer_reset(&report->text);
}

static void
add_string(struct text_buffer *text, const char *key, const char *value)
{
    text_buffer_print(text, "\"%s\": ", key);
    text_buffer_add_json(text, value, strlen(value));
}

static void
add_legacy(struct text_buffer *text, const struct legacy_source *legacy)
{
    if (legacy == NULL || legacy->form.generation == 0)
        return;
    text_buffer_print(text, ", \"generation\": \"%s\", \"shape\": \"%s\"",
                      legacy_generation_name(legacy->form.generation),
                      legacy->form.shape == LEGACY_INSTANCE ? "instance" : "database");
    if (!legacy->log_open)
        return;
    text_buffer_add_text(text, ", \"log\": {");
    add_string(text, "path", legacy->log_path);
    text_buffer_print(text,
                      ", \"files\": %u, \"records\": %llu, \"applied\": %llu, "
                      "\"torn_tails\": %u",
                      legacy->log.file_count, (unsigned long long)legacy->log.record_count,
                      (unsigned long long)legacy->log.after_count, legacy->log.torn_count);
    if (legacy->log.torn_count > 0) {
        text_buffer_add_text(text, ", ");
        add_string(text, "torn", legacy->log.torn);
    }
    text_buffer_add_char(text, '}');
}

static void
add_source(struct text_buffer *text, const struct source *source)
{
    text_buffer_add_char(text, '{');
    add_string(text, "path", source->path);
    text_buffer_add_text(text, ", ");
    add_string(text, "kind", source->kind->name);
    text_buffer_print(text, ", \"size\": %llu", (unsigned long long)source->size);
    if (source->kind == &source_legacy)
        add_legacy(text, source->state);
    if (source->remark[0] != '\0') {
        text_buffer_add_text(text, ", ");
        add_string(text, "remark", source->remark);
    }
    text_buffer_add_char(text, '}');
}

static void
add_sources(struct migration *migration)
{
    struct text_buffer *text = &migration->report.text;
    const struct source_list *list = &migration->sources;
    const char *separator = "\n  ";

    text_buffer_add_text(text, " \"sources\": [");
    for (uint32_t i = 0; i < list->count; i++) {
        text_buffer_add_text(text, separator);
        add_source(text, list->sources[i]);
        separator = ",\n  ";
    }
    text_buffer_print(text, "],\n \"files_left_alone\": %u,\n", list->ignored_count);
}

enum status
report_open(struct migration *migration)
{
    struct migrate_report *report = &migration->report;

    text_buffer_init(&report->text, migration->env.memory);
    report->path = migration->options.report;
    if (report->path == NULL)
        return STATUS_OK;
    report->file = fopen(report->path, "w");
    if (report->file == NULL)
        return migrate_fail(migration, STATUS_IO, "%s: %s", report->path, strerror(errno));
    text_buffer_add_text(&report->text, "{");
    add_string(&report->text, "program", migration->tool->name);
    text_buffer_add_text(&report->text, ",\n ");
    add_string(&report->text, "version", qtdb_version());
    text_buffer_add_text(&report->text, ",\n \"losses\": [");
    flush_text(report);
    return STATUS_OK;
}

/* Losses. */

void
report_begin_table(struct migration *migration)
{
    struct migrate_report *report = &migration->report;

    if (report->file == NULL)
        return;
    report->table_begin = ftell(report->file);
    report->any_before_table = report->any_loss;
}

void
report_forget_table(struct migration *migration)
{
    struct migrate_report *report = &migration->report;

    if (report->file == NULL)
        return;
    report->any_loss = report->any_before_table;
    if (fflush(report->file) != 0 || ftruncate(fileno(report->file), report->table_begin) != 0 ||
        fseek(report->file, report->table_begin, SEEK_SET) != 0)
        clearerr(report->file); /* The file then holds some losses twice. */
}

void
report_loss(struct migration *migration, const struct migrate_table *table, uint32_t column,
            uint64_t row, const char *what, const char *value, size_t value_size)
{
    struct migrate_report *report = &migration->report;
    struct text_buffer *text = &report->text;

    if (report->file == NULL)
        return;
    text_buffer_add_text(text, report->any_loss ? ",\n  {" : "\n  {");
    report->any_loss = true;
    add_string(text, "schema", table->schema);
    text_buffer_add_text(text, ", ");
    add_string(text, "table", table->name);
    text_buffer_print(text, ", \"row\": %llu, ", (unsigned long long)row);
    if (column != UINT32_MAX) {
        add_string(text, "column", table->columns[column].name);
        text_buffer_add_text(text, ", ");
    }
    if (value != NULL) {
        text_buffer_add_text(text, "\"value\": ");
        text_buffer_add_json(text, value, value_size);
        text_buffer_add_text(text, ", ");
    }
    add_string(text, "what", what);
    text_buffer_add_char(text, '}');
    flush_text(report);
}

/* Tables. */

static void
add_column(struct text_buffer *text, const struct migrate_column *column)
{
    char legacy[TARGET_TYPE_SIZE], type[TARGET_TYPE_SIZE];

    add_string(text, "name", column->name);
    text_buffer_add_text(text, ", ");
    add_string(text, "legacy_type", convert_legacy_name(column->legacy, legacy));
    text_buffer_add_text(text, ", ");
    add_string(text, "type", convert_type_name(&column->type, type));
    if (column->widened) {
        text_buffer_print(text, ", \"widened_for\": {\"row\": %llu, \"value\": ",
                          (unsigned long long)column->widened_row);
        text_buffer_add_json(text, column->widened_value, strlen(column->widened_value));
        text_buffer_add_char(text, '}');
    }
    if (column->not_null_left_out != NULL) {
        text_buffer_add_text(text, ", ");
        add_string(text, "not_null_left_out", column->not_null_left_out);
    }
    if (column->unique_left_out != NULL) {
        text_buffer_add_text(text, ", ");
        add_string(text, "unique_left_out", column->unique_left_out);
    }
    if (column->foreign_key != NULL && !column->foreign_key->carried) {
        text_buffer_add_text(text, ", \"foreign_key_left_out\": {");
        add_string(text, "table", column->legacy->foreign_table.bytes);
        text_buffer_add_text(text, ", ");
        add_string(text, "column", column->legacy->foreign_column.bytes);
        text_buffer_add_char(text, '}');
    }
}

static void
add_sum(struct text_buffer *text, const char *key, const struct migrate_sum *sum)
{
    text_buffer_print(text, ", \"%s\": {\"rows\": %llu, \"xxh3_128\": \"%016llx%016llx\"}", key,
                      (unsigned long long)sum->row_count, (unsigned long long)sum->high,
                      (unsigned long long)sum->low);
}

static void
add_sequences(struct text_buffer *text, const struct plan_table *plan)
{
    const char *separator = "";

    text_buffer_add_text(text, ", \"sequences_left_out\": [");
    for (const struct plan_sequence *one = plan->sequences; one != NULL; one = one->following) {
        if (one->note == NULL || one->note->carried)
            continue;
        text_buffer_add_text(text, separator);
        text_buffer_add_char(text, '{');
        add_string(text, "column", one->name.bytes);
        text_buffer_print(text, ", \"next\": %lld}", (long long)one->next);
        separator = ", ";
    }
    text_buffer_add_char(text, ']');
}

static void
add_table(struct migration *migration, const struct migrate_table *table)
{
    struct text_buffer *text = &migration->report.text;

    text_buffer_add_text(text, "{");
    add_string(text, "schema", table->schema);
    text_buffer_add_text(text, ", ");
    add_string(text, "name", table->name);
    text_buffer_print(text, ", \"loaded\": %s, \"rows\": %llu, \"losses\": %llu",
                      table->loaded && !migration->options.dry_run ? "true" : "false",
                      (unsigned long long)table->row_count, (unsigned long long)table->loss_count);
    text_buffer_print(text, ", \"rows_too_short\": %llu, \"rows_too_long\": %llu",
                      (unsigned long long)table->short_count,
                      (unsigned long long)table->long_count);
    if (table->left_out) {
        text_buffer_add_text(text, ", ");
        add_string(text, "left_out", "it has no columns");
    }
    if (table->key_left_out != NULL) {
        text_buffer_add_text(text, ", ");
        add_string(text, "primary_key_left_out", table->key_left_out);
    }
    if (migration->verified) {
        add_sum(text, "source_sum", &table->source_sum);
        add_sum(text, "target_sum", &table->target_sum);
    }
    if (table->plan->sequences != NULL)
        add_sequences(text, table->plan);
    text_buffer_add_text(text, ",\n   \"columns\": [");
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(text, i == 0 ? "\n    {" : ",\n    {");
        add_column(text, &table->columns[i]);
        text_buffer_add_char(text, '}');
    }
    text_buffer_add_text(text, "]}");
    flush_text(&migration->report);
}

static void
add_tables(struct migration *migration)
{
    const char *separator = "\n  ";

    text_buffer_add_text(&migration->report.text, " \"tables\": [");
    for (uint32_t i = 0; i < migration->table_count; i++) {
        if (migration->tables[i].plan->dropped)
            continue;
        text_buffer_add_text(&migration->report.text, separator);
        add_table(migration, &migration->tables[i]);
        separator = ",\n  ";
    }
    text_buffer_add_text(&migration->report.text, "],\n");
}

/* The rest. */

static void
add_notes_of(struct migration *migration, const struct plan_note *note, bool carried, bool *any)
{
    struct text_buffer *text = &migration->report.text;

    for (; note != NULL; note = note->next) {
        if (note->carried != carried)
            continue;
        text_buffer_add_text(text, *any ? ",\n  {" : "\n  {");
        add_string(text, "kind", note->kind);
        text_buffer_add_text(text, ", ");
        add_string(text, "name", note->name);
        text_buffer_add_text(text, ", ");
        add_string(text, note->sql != NULL ? "sql" : "words", note->words);
        if (note->why != NULL) {
            text_buffer_add_text(text, ", ");
            add_string(text, "why", note->why);
        }
        text_buffer_add_char(text, '}');
        *any = true;
        flush_text(&migration->report);
    }
}

static void
add_notes(struct migration *migration, const char *key, bool carried)
{
    const struct source_list *list = &migration->sources;
    bool any = false;

    text_buffer_print(&migration->report.text, " \"%s\": [", key);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->sources[i]->plan != NULL)
            add_notes_of(migration, list->sources[i]->plan->notes, carried, &any);
    }
    text_buffer_add_text(&migration->report.text, "],\n");
}

static void
add_end(struct migration *migration)
{
    struct text_buffer *text = &migration->report.text;
    struct migrate_totals totals = migrate_total(migration);

    if (migration->options.target != NULL) {
        text_buffer_add_text(text, " \"target\": {");
        add_string(text, "path", migration->options.target);
        text_buffer_print(text, ", \"size\": %llu},\n", (unsigned long long)migration->target_size);
    }
    text_buffer_print(
        text,
        " \"totals\": {\"tables\": %llu, \"rows\": %llu, \"losses\": %llu, "
        "\"changed_tables\": %llu, \"foreign_keys_left_out\": %llu, "
        "\"sequences_left_out\": %llu, \"carried_over\": %llu, \"not_carried_over\": %llu},\n",
        (unsigned long long)totals.table_count, (unsigned long long)totals.row_count,
        (unsigned long long)totals.loss_count, (unsigned long long)totals.changed_count,
        (unsigned long long)totals.foreign_key_count, (unsigned long long)totals.sequence_count,
        (unsigned long long)totals.carried_count, (unsigned long long)totals.left_count);
    text_buffer_print(text, " \"tables_of_an_interrupted_run\": %u,\n",
                      migration->resume.table_count);
    text_buffer_print(text, " \"dry_run\": %s, \"verified\": %s, \"passes\": %u,\n",
                      migration->options.dry_run ? "true" : "false",
                      migration->verified ? "true" : "false", migration->pass_count);
    if (migration->options.from.rescue)
        text_buffer_print(text, " \"damaged_places\": %llu,\n",
                          (unsigned long long)migration->lost_count);
    text_buffer_print(text, " \"seconds\": %.3f,\n",
                      (double)(tool_clock_ns() - migration->begin_ns) / 1e9);
    if (migration->fault[0] != '\0') {
        text_buffer_add_char(text, ' ');
        add_string(text, "error", migration->fault);
        text_buffer_add_text(text, ",\n");
    }
    text_buffer_print(text, " \"ok\": %s}\n", migration->fault[0] == '\0' ? "true" : "false");
}

bool
report_close(struct migration *migration)
{
    struct migrate_report *report = &migration->report;
    bool ok = true;

    if (report->file != NULL) {
        text_buffer_add_text(&report->text, report->any_loss ? "\n ],\n" : "],\n");
        add_sources(migration);
        add_tables(migration);
        add_notes(migration, "carried_over", true);
        add_notes(migration, "not_carried_over", false);
        add_end(migration);
        ok = !report->text.failed;
        flush_text(report);
        ok = ferror(report->file) == 0 && ok;
        ok = fclose(report->file) == 0 && ok;
        report->file = NULL;
    }
    text_buffer_deinit(&report->text);
    return ok;
}
