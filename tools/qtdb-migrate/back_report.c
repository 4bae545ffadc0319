/* What the way back tells: a summary for the terminal and the JSON report (docs/man/qtdb-migrate.1). */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/back.h"

enum { LINES_SHOWN = 20 };

static void
add_string(struct text_buffer *text, const char *key, const char *value)
{
    text_buffer_print(text, "\"%s\": ", key);
    text_buffer_add_json(text, value, strlen(value));
}

static void
add_losses(struct back *back, struct text_buffer *text)
{
    text_buffer_add_text(text, " \"losses\": [");
    for (const struct back_loss *loss = back->losses; loss != NULL; loss = loss->next) {
        text_buffer_add_text(text, loss == back->losses ? "\n  {" : ",\n  {");
        add_string(text, "schema", loss->table->schema);
        text_buffer_add_text(text, ", ");
        add_string(text, "table", loss->table->name);
        text_buffer_add_text(text, ", ");
        add_string(text, "column", loss->column);
        text_buffer_print(text, ", \"values\": %llu, \"row\": %llu, ",
                          (unsigned long long)loss->count, (unsigned long long)loss->first_row);
        add_string(text, "value", loss->first_value);
        text_buffer_add_text(text, ", ");
        add_string(text, "what", loss->what);
        text_buffer_add_char(text, '}');
    }
    text_buffer_add_text(text, "],\n");
}

static void
add_sum(struct text_buffer *text, const char *key, const struct migrate_sum *sum)
{
    text_buffer_print(text, ", \"%s\": {\"rows\": %llu, \"xxh3_128\": \"%016llx%016llx\"}", key,
                      (unsigned long long)sum->row_count, (unsigned long long)sum->high,
                      (unsigned long long)sum->low);
}

static void
add_tables(struct back *back, struct text_buffer *text)
{
    text_buffer_add_text(text, " \"tables\": [");
    for (uint32_t i = 0; back->tables != NULL && i < back->catalog.table_count; i++) {
        const struct back_table *table = &back->tables[i];

        text_buffer_add_text(text, i == 0 ? "\n  {" : ",\n  {");
        add_string(text, "schema", table->table->schema);
        text_buffer_add_text(text, ", ");
        add_string(text, "name", table->table->name);
        text_buffer_add_text(text, ", ");
        add_string(text, "target", table->target);
        text_buffer_print(text, ", \"rows\": %llu",
                          (unsigned long long)table->source_sum.row_count);
        if (back->verified) {
            add_sum(text, "source_sum", &table->source_sum);
            add_sum(text, "target_sum", &table->target_sum);
        }
        text_buffer_add_char(text, '}');
    }
    text_buffer_add_text(text, "],\n");
}

static void
add_notes(struct back *back, struct text_buffer *text)
{
    text_buffer_add_text(text, " \"not_carried_over\": [");
    for (const struct back_note *note = back->notes; note != NULL; note = note->next) {
        text_buffer_add_text(text, note == back->notes ? "\n  {" : ",\n  {");
        add_string(text, "kind", note->kind);
        text_buffer_add_text(text, ", ");
        add_string(text, "name", note->name);
        text_buffer_add_text(text, ", ");
        add_string(text, "why", note->why);
        text_buffer_add_char(text, '}');
    }
    text_buffer_add_text(text, "],\n");
}

bool
back_write_report(struct back *back)
{
    struct text_buffer text;

    if (back->options.report == NULL)
        return true;
    text_buffer_init(&text, back->env.memory);
    text_buffer_add_char(&text, '{');
    add_string(&text, "program", back->tool->name);
    text_buffer_add_text(&text, ",\n ");
    add_string(&text, "version", qtdb_version());
    text_buffer_add_text(&text, ",\n ");
    add_string(&text, "source", back->options.source);
    text_buffer_add_text(&text, ",\n ");
    add_string(&text, "to", back->form->name);
    text_buffer_add_text(&text, ",\n ");
    add_string(&text, "target", back->options.out);
    text_buffer_add_text(&text, ",\n");
    add_losses(back, &text);
    add_tables(back, &text);
    add_notes(back, &text);
    if (back->fault[0] != '\0') {
        text_buffer_add_char(&text, ' ');
        add_string(&text, "error", back->fault);
        text_buffer_add_text(&text, ",\n");
    }
    text_buffer_print(&text, " \"verified\": %s,\n \"seconds\": %.3f,\n \"ok\": %s}\n",
                      back->verified ? "true" : "false",
                      (double)(tool_clock_ns() - back->begin_ns) / 1e9,
                      back->fault[0] == '\0' ? "true" : "false");
    FILE *file = text.failed ? NULL : fopen(back->options.report, "w");
    bool ok = file != NULL && fwrite(text.bytes, 1, text.size, file) == text.size;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    text_buffer_deinit(&text);
    return ok;
}

void
back_print_summary(struct back *back)
{
    const struct back_note *note = back->notes;
    const struct back_loss *loss = back->losses;
    uint32_t shown = 0;

    printf("%s -> %s (%s): %u table%s, %llu row%s\n", back->options.source, back->options.out,
           back->form->name, back->catalog.table_count, tool_plural(back->catalog.table_count),
           (unsigned long long)back->row_count, tool_plural(back->row_count));
    for (; loss != NULL && shown < LINES_SHOWN; loss = loss->next, shown++)
        printf("  lost: %s.%s.%s: %llu value%s: %s, first in row %llu: %s\n", loss->table->schema,
               loss->table->name, loss->column, (unsigned long long)loss->count,
               tool_plural(loss->count), loss->what, (unsigned long long)loss->first_row,
               loss->first_value);
    for (shown = 0; note != NULL && shown < LINES_SHOWN; note = note->next, shown++)
        printf("  not carried over: %s %s: %s\n", note->kind, note->name, note->why);
    if (note != NULL)
        printf("  and %u more; --report FILE.json has all\n", back->note_count - shown);
    printf("%s\n", back->verified ? "every table verified" : "not verified");
}
