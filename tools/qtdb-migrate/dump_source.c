/*
 * SQL dumps as pg_dump (plain), mysqldump and sqlite3's .dump write them. Nothing is executed: the
 * definitions are read for tables and columns, INSERT and COPY for rows, and everything else is tried
 * on the target or noted.
 *
 * Rows are handed out table by table. A dump whose tables take turns is read as often as needed: each
 * reading hands out the first tables that it meets, and waits with a table for its last statement,
 * which the survey counted.
 */
#include "tools/qtdb-migrate/dump_source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum status
dump_failed(struct source *source, enum status status)
{
    struct dump *dump = source->state;

    return source_fail(source, status, "%s: %s", source->path, dump->reader.fault);
}

enum status
dump_no_memory(struct source *source)
{
    return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
}

bool
dump_take_table(struct dump *dump, struct dump_scan *scan, struct arena *arena,
                const char **schema_out, const char **name_out)
{
    const char *first = NULL;

    if (!dump_take_name(scan, arena, &first))
        return false;
    *schema_out = dump->schema;
    *name_out = first;
    if (!dump_take(scan, "."))
        return true;
    *schema_out = first;
    return dump_take_name(scan, arena, name_out);
}

struct dump_table *
dump_find(struct dump *dump, const char *schema, const char *name)
{
    bool folds = dump->reader.dialect == DUMP_SQLITE;

    for (struct dump_table *table = dump->tables; table != NULL; table = table->next) {
        if (strcmp(table->schema, schema) == 0 &&
            (folds ? strcasecmp(table->name, name) : strcmp(table->name, name)) == 0)
            return table;
    }
    return NULL;
}

static enum status
open_dump(struct source *source)
{
    struct dump *dump = arena_alloc(&source->plan->arena, sizeof(*dump));

    if (dump == NULL)
        return dump_no_memory(source);
    *dump = (struct dump){.schema = "public"};
    dump->tables_end = &dump->tables;
    source->state = dump;
    enum status status = input_open(&source->env, source->path, &dump->input);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s: %s", source->path, dump->input.fault);
    source->size = dump->input.size;
    if (input_peek(&dump->input) == 'P' && dump->input.used > 5 &&
        memcmp(dump->input.bytes, "PGDMP", 5) == 0)
        return source_fail(
            source, STATUS_INVALID,
            "%s: pg_dump's custom format; pg_restore -f FILE.sql makes a plain dump of it",
            source->path);
    dump_init(&dump->reader, &dump->input);
    dump->reader_open = true;
    return dump_survey(source);
}

static void
close_dump(struct source *source)
{
    struct dump *dump = source->state;

    if (dump == NULL)
        return;
    if (dump->reader_open)
        dump_deinit(&dump->reader);
    input_close(&dump->input);
    source->state = NULL;
}

/* Rows. */

struct rows {
    struct source *source;
    struct dump *dump;
    const struct source_visitor *visitor;
    struct dump_table *table; /* Being handed out; NULL: none. */
    bool again;               /* Some table has to wait for another reading. */
    struct arena names;       /* Of a statement. */
    struct arena arena;       /* Of a row. */
    struct arena head;        /* Of a table. */
    struct legacy_value *values;
    const struct legacy_value **row;
    uint32_t *places; /* By position in the statement: the column, or UINT32_MAX. */
    uint32_t place_count;
};

static enum status
begin_table(struct rows *rows, struct dump_table *table)
{
    const struct source_visitor *visitor = rows->visitor;
    size_t count = table->column_count;

    rows->table = table;
    table->row_index = 0;
    table->left_count = table->statement_count;
    arena_reset(&rows->head);
    rows->values = arena_alloc(&rows->head, count * sizeof(*rows->values));
    rows->row = arena_alloc(&rows->head, count * sizeof(*rows->row));
    rows->places = arena_alloc(&rows->head, DUMP_COLUMNS_MAX * sizeof(*rows->places));
    if (rows->values == NULL || rows->row == NULL || rows->places == NULL)
        return dump_no_memory(rows->source);
    return visitor->table != NULL ? visitor->table(visitor->context, table->plan) : STATUS_OK;
}

static enum status
end_table(struct rows *rows)
{
    const struct source_visitor *visitor = rows->visitor;
    struct dump_table *table = rows->table;

    rows->table = NULL;
    table->delivered = true;
    return visitor->table_end != NULL ? visitor->table_end(visitor->context, table->plan)
                                      : STATUS_OK;
}

static bool
is_wanted(const struct rows *rows, struct dump_table *table)
{
    return rows->visitor->wants == NULL ||
           rows->visitor->wants(rows->visitor->context, table->plan);
}

/* Where the statement's values go. */
static enum status
lay_out(struct rows *rows, const struct dump_target *target)
{
    const struct dump_table *table = rows->table;

    rows->place_count = target->column_count > 0 ? target->column_count : table->column_count;
    for (uint32_t i = 0; i < rows->place_count; i++) {
        rows->places[i] = target->column_count > 0 ? UINT32_MAX : i;
        for (uint32_t k = 0; target->column_count > 0 && k < table->column_count; k++) {
            if (strcasecmp(table->columns[k].name.bytes, target->columns[i]) == 0)
                rows->places[i] = k;
        }
        if (rows->places[i] == UINT32_MAX) {
            (void)dump_fail(&rows->dump->reader, STATUS_CORRUPT, "%.80s has no column %.80s",
                            table->name, target->columns[i]);
            return dump_failed(rows->source, STATUS_CORRUPT);
        }
    }
    return STATUS_OK;
}

static void
begin_row(struct rows *rows)
{
    arena_reset(&rows->arena);
    for (uint32_t i = 0; i < rows->table->column_count; i++) {
        rows->values[i] = (struct legacy_value){.tag = LEGACY_NULL};
        rows->row[i] = &rows->values[i];
    }
}

static enum status
wrong_count(struct rows *rows)
{
    (void)dump_fail(&rows->dump->reader, STATUS_CORRUPT, "a row of %.80s has not %u values",
                    rows->table->name, rows->place_count);
    return dump_failed(rows->source, STATUS_CORRUPT);
}

static enum status
put_value(struct rows *rows, uint32_t at, struct legacy_value *value)
{
    if (at >= rows->place_count)
        return wrong_count(rows);
    uint32_t column = rows->places[at];
    TRY(dump_fit_value(rows->source, &rows->table->columns[column], &rows->arena, value));
    rows->values[column] = *value;
    return STATUS_OK;
}

static enum status
end_row(struct rows *rows, uint32_t count)
{
    struct source_row row = {.values = rows->row,
                             .index = rows->table->row_index++,
                             .missing_count = rows->table->column_count - rows->place_count,
                             .offset = rows->dump->input.offset};

    if (count != rows->place_count)
        return wrong_count(rows);
    return rows->visitor->row != NULL
               ? rows->visitor->row(rows->visitor->context, rows->table->plan, &row)
               : STATUS_OK;
}

static enum status
read_insert(struct rows *rows, struct dump_scan *scan)
{
    while (dump_take(scan, "(")) {
        uint32_t count = 0;

        begin_row(rows);
        do {
            struct legacy_value value;

            TRY(dump_take_value(rows->source, scan, &rows->arena, &value));
            TRY(put_value(rows, count++, &value));
        } while (dump_take(scan, ","));
        if (!dump_take(scan, ")"))
            break;
        TRY(end_row(rows, count));
        if (!dump_take(scan, ",") && scan->token.kind == DUMP_END)
            return STATUS_OK;
    }
    (void)dump_fail(&rows->dump->reader, STATUS_INVALID,
                    "INSERT does not go on with rows at '%.20s'", scan->token.text);
    return dump_failed(rows->source, STATUS_INVALID);
}

/* One field of COPY's text form, escapes taken away. False: no memory. */
static bool
take_copy_field(struct arena *arena, const char *text, size_t size, struct legacy_value *out)
{
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    char *copy;
    size_t used = 0;

    *out = (struct legacy_value){.tag = LEGACY_NULL};
    if (size == 2 && text[0] == '\\' && text[1] == 'N')
        return true;
    copy = arena_alloc(arena, size + 1);
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\' && i + 1 < size) {
            const char *found = strchr(from, text[++i]);

            const char *meant = found != NULL && text[i] != '\0' ? &to[found - from] : &text[i];

            copy[used++] = *meant;
        } else {
            copy[used++] = text[i];
        }
    }
    *out = (struct legacy_value){.tag = LEGACY_TEXT, .text = {copy, used}};
    return true;
}

static enum status
take_copy_row(struct rows *rows)
{
    const struct text_buffer *line = &rows->dump->reader.text;
    const char *at = line->bytes, *end = line->bytes + line->size;
    uint32_t count = 0;

    begin_row(rows);
    while (rows->place_count > 0) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        size_t size = (size_t)((tab != NULL ? tab : end) - at);
        struct legacy_value value;

        if (!take_copy_field(&rows->arena, at, size, &value))
            return dump_no_memory(rows->source);
        TRY(put_value(rows, count++, &value));
        if (tab == NULL)
            break;
        at = tab + 1;
    }
    return end_row(rows, count);
}

static enum status
read_copy(struct rows *rows, bool pass_over)
{
    bool end = false;

    for (;;) {
        enum status status = dump_copy_line(&rows->dump->reader, &end);

        if (status != STATUS_OK)
            return dump_failed(rows->source, status);
        if (end)
            return STATUS_OK;
        if (!pass_over)
            TRY(take_copy_row(rows));
    }
}

static enum status
read_rows(struct rows *rows, struct dump_scan *scan, const struct dump_target *target, bool is_copy)
{
    struct dump_table *table = dump_find(rows->dump, target->schema, target->name);
    bool pass_over = table == NULL || table->delivered || !is_wanted(rows, table);

    if (!pass_over && rows->table != table && (rows->table != NULL || table->passed_over)) {
        rows->again = true;
        table->passed_over = true;
        pass_over = true;
    }
    if (pass_over)
        return is_copy ? read_copy(rows, true) : STATUS_OK;
    if (rows->table == NULL)
        TRY(begin_table(rows, table));
    TRY(lay_out(rows, target));
    TRY(is_copy ? read_copy(rows, false) : read_insert(rows, scan));
    return --table->left_count == 0 ? end_table(rows) : STATUS_OK;
}

static enum status
read_statement(struct rows *rows)
{
    struct dump *dump = rows->dump;
    struct dump_target target;
    enum dump_statement what;
    struct dump_scan scan;

    arena_reset(&rows->names);
    dump_scan_init(&scan, dump->reader.dialect, dump->reader.text.bytes, dump->reader.text.size);
    TRY(dump_classify(rows->source, &scan, &rows->names, &target, &what));
    if (what == DUMP_INSERT || what == DUMP_COPY)
        return read_rows(rows, &scan, &target, what == DUMP_COPY);
    return STATUS_OK;
}

static enum status
read_once(struct rows *rows)
{
    bool end = false;

    rows->again = false;
    for (struct dump_table *table = rows->dump->tables; table != NULL; table = table->next)
        table->passed_over = false;
    dump_rewind(&rows->dump->reader);
    for (;;) {
        enum status status = dump_next(&rows->dump->reader, &end);

        if (status != STATUS_OK)
            return dump_failed(rows->source, status);
        if (end)
            return STATUS_OK;
        TRY(read_statement(rows));
    }
}

/* Tables that no statement fills. */
static enum status
read_empty(struct rows *rows)
{
    for (struct dump_table *table = rows->dump->tables; table != NULL; table = table->next) {
        if (table->statement_count > 0 || table->delivered || !is_wanted(rows, table))
            continue;
        TRY(begin_table(rows, table));
        TRY(end_table(rows));
    }
    return STATUS_OK;
}

static enum status
read_dump(struct source *source, const struct source_visitor *visitor)
{
    struct rows rows = {.source = source, .dump = source->state, .visitor = visitor};
    enum status status = STATUS_OK;

    for (struct dump_table *table = rows.dump->tables; table != NULL; table = table->next)
        table->delivered = false;
    arena_init(&rows.names, source->env.memory, MEMORY_OTHER);
    arena_init(&rows.arena, source->env.memory, MEMORY_OTHER);
    arena_init(&rows.head, source->env.memory, MEMORY_OTHER);
    do {
        status = read_once(&rows);
    } while (status == STATUS_OK && rows.again);
    if (status == STATUS_OK)
        status = read_empty(&rows);
    arena_deinit(&rows.head);
    arena_deinit(&rows.arena);
    arena_deinit(&rows.names);
    return status;
}

const struct source_kind source_sql = {
    .name = "sql",
    .title = "SQL dump",
    .widens = true,
    .open = open_dump,
    .close = close_dump,
    .read = read_dump,
};
