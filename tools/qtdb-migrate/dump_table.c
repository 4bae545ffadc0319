/*
 * CREATE TABLE in three dialects. A column is its name, the words of its type, and constraints in any
 * order; what is not understood of the constraints is passed over where it cannot change rows, and
 * noted where it means something (CHECK, foreign keys, generated columns).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/dump_source.h"

struct maker {
    struct source *source;
    struct dump *dump;
    struct dump_scan *scan;
    struct arena *arena;
    struct dump_table *table;
    uint32_t room;
    const char *counted; /* MySQL's column that counts by itself; NULL: none. */
};

static enum status
expected(struct maker *maker, const char *what)
{
    const struct dump_token *token = &maker->scan->token;

    (void)dump_fail(&maker->dump->reader, STATUS_CORRUPT, "%s is expected at '%.*s'", what,
                    (int)(token->size < 40 ? token->size : 40), token->text);
    return dump_failed(maker->source, STATUS_CORRUPT);
}

static bool
begins_constraint(const struct dump_scan *scan)
{
    static const char *const words[] = {
        "not",        "null",       "default", "primary",       "unique",         "check",
        "references", "constraint", "collate", "generated",     "auto_increment", "comment",
        "on",         "key",        "as",      "autoincrement", "virtual",        "stored",
        "invisible",  "visible",    "storage", "compression",
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (dump_is(scan, words[i]))
            return true;
    }
    return dump_is(scan, ",") || dump_is(scan, ")") || scan->token.kind == DUMP_END;
}

/* "varying(10) unsigned" and the like, as one text in the plan. */
static enum status
take_type_words(struct maker *maker, struct legacy_text *out)
{
    struct dump_scan *scan = maker->scan;
    const char *begin = scan->token.text, *end = begin;

    while (!begins_constraint(scan)) {
        dump_skip(scan);
        end = scan->token.kind == DUMP_END ? scan->end : scan->token.text;
    }
    while (end > begin && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t'))
        end--;
    out->size = (size_t)(end - begin);
    out->bytes = arena_copy_text(maker->arena, begin, out->size);
    return out->bytes != NULL ? STATUS_OK : dump_no_memory(maker->source);
}

/* Notes. */

static enum status
note(struct maker *maker, const char *kind, const char *column, const char *words)
{
    char name[200];
    int size = snprintf(name, sizeof(name), "%.90s%s%.90s", maker->table->name,
                        column[0] != '\0' ? "." : "", column);

    (void)legacy_plan_note(maker->source->plan, kind, &(struct legacy_text){name, (size_t)size},
                           words);
    return STATUS_OK;
}

/* The same with what stands from `begin` to the present token. */
static enum status
note_span(struct maker *maker, const char *kind, const char *column, const char *begin)
{
    const char *words =
        arena_copy_text(maker->arena, begin, (size_t)(maker->scan->token.text - begin));

    return words != NULL ? note(maker, kind, column, words) : dump_no_memory(maker->source);
}

/* SQL to be tried once the rows are in: `before` and the table, and what was put together in `after`. */
static enum status
note_tried(struct maker *maker, const char *kind, const char *column, const char *before,
           struct text_buffer *after)
{
    struct text_buffer sql;
    char name[200];
    int size = snprintf(name, sizeof(name), "%.90s%s%.90s", maker->table->name,
                        column[0] != '\0' ? "." : "", column);

    for (size_t i = 0; maker->scan->dialect == DUMP_MYSQL && i < after->size; i++) {
        if (after->bytes[i] == '`')
            after->bytes[i] = '"';
    }
    text_buffer_init(&sql, maker->source->env.memory);
    text_buffer_add_text(&sql, before);
    text_buffer_add_identifier(&sql, maker->table->schema);
    text_buffer_add_char(&sql, '.');
    text_buffer_add_identifier(&sql, maker->table->name);
    text_buffer_add(&sql, after->bytes, after->size);
    bool ok = !sql.failed && !after->failed;
    if (ok)
        (void)legacy_plan_note_sql(maker->source->plan, kind,
                                   &(struct legacy_text){name, (size_t)size}, sql.bytes, NULL);
    text_buffer_deinit(&sql);
    text_buffer_deinit(after);
    return ok ? STATUS_OK : dump_no_memory(maker->source);
}

/* `head`, and what stands from `begin` to the present token, put behind the table's name. */
static enum status
note_words(struct maker *maker, const char *kind, const char *column, const char *before,
           const char *head, const char *begin)
{
    struct text_buffer after;

    text_buffer_init(&after, maker->source->env.memory);
    text_buffer_add_text(&after, head);
    text_buffer_add(&after, begin, (size_t)(maker->scan->token.text - begin));
    return note_tried(maker, kind, column, before, &after);
}

/* The words of a constraint. */
static enum status
note_constraint(struct maker *maker, const char *kind, const char *column, const char *begin)
{
    struct text_buffer after;

    text_buffer_init(&after, maker->source->env.memory);
    text_buffer_add_text(&after, " ADD ");
    if (column[0] != '\0' && strcmp(kind, "foreign key") == 0) {
        text_buffer_add_text(&after, "FOREIGN KEY (");
        text_buffer_add_identifier(&after, column);
        text_buffer_add_text(&after, ") ");
    }
    text_buffer_add(&after, begin, (size_t)(maker->scan->token.text - begin));
    return note_tried(maker, kind, column, "ALTER TABLE ", &after);
}

/* A type that the dump has made, an enum: the column arrives as text and then becomes one, if it can. */
static enum status
note_type(struct maker *maker, const char *column, const struct legacy_column *made)
{
    struct text_buffer sql;
    char name[200];
    int size = snprintf(name, sizeof(name), "%.90s.%.90s", maker->table->name, column);

    text_buffer_init(&sql, maker->source->env.memory);
    text_buffer_add_text(&sql, "ALTER TABLE ");
    text_buffer_add_identifier(&sql, maker->table->schema);
    text_buffer_add_char(&sql, '.');
    text_buffer_add_identifier(&sql, maker->table->name);
    text_buffer_add_text(&sql, " ALTER COLUMN ");
    text_buffer_add_identifier(&sql, column);
    text_buffer_add_text(&sql, " TYPE ");
    text_buffer_add_text(&sql, made->declared.bytes);
    text_buffer_add_text(&sql, " USING ");
    text_buffer_add_identifier(&sql, column);
    text_buffer_add_text(&sql, "::");
    text_buffer_add_text(&sql, made->declared.bytes);
    bool ok = !sql.failed;
    if (ok)
        (void)legacy_plan_note_sql(maker->source->plan, "column type",
                                   &(struct legacy_text){name, (size_t)size}, sql.bytes, NULL);
    text_buffer_deinit(&sql);
    return ok ? STATUS_OK : dump_no_memory(maker->source);
}

/* Columns. */

/* A default that is an expression goes to where the next constraint begins. */
static enum status
take_default(struct maker *maker, struct legacy_column *column)
{
    struct dump_scan *scan = maker->scan;
    const char *begin = scan->token.text;

    do {
        dump_skip(scan);
    } while (!begins_constraint(scan));
    size_t size = (size_t)(scan->token.text - begin);
    while (size > 0 && (begin[size - 1] == ' ' || begin[size - 1] == '\n'))
        size--;
    if (size == 4 && strncasecmp(begin, "NULL", 4) == 0)
        return STATUS_OK;
    column->default_sql.size = size;
    column->default_sql.bytes = arena_copy_text(maker->arena, begin, size);
    return column->default_sql.bytes != NULL ? STATUS_OK : dump_no_memory(maker->source);
}

static void
pass_reference(struct dump_scan *scan)
{
    (void)dump_take(scan, "references");
    while (!dump_is(scan, ",") && !dump_is(scan, ")") && scan->token.kind != DUMP_END &&
           (!begins_constraint(scan) || dump_is(scan, "on") || dump_is(scan, "not") ||
            dump_is(scan, "null") || dump_is(scan, "default"))) {
        /* ON DELETE SET NULL belongs to it, a NOT NULL behind it does not. */
        if (dump_is(scan, "not") && !dump_take_words(scan, "not deferrable"))
            return;
        if (dump_is(scan, "null") || dump_is(scan, "default"))
            return;
        if (dump_take_words(scan, "set null") || dump_take_words(scan, "set default"))
            continue;
        dump_skip(scan);
    }
}

static enum status
take_constraint(struct maker *maker, struct legacy_column *column, bool *generated)
{
    struct dump_scan *scan = maker->scan;
    const char *begin = scan->token.text;

    if (dump_take_words(scan, "not null"))
        column->nullable = false;
    else if (dump_take(scan, "default"))
        return take_default(maker, column);
    else if (dump_take_words(scan, "primary key"))
        column->primary_key = true;
    else if (dump_take(scan, "unique"))
        column->unique = true;
    else if (dump_is(scan, "references")) {
        pass_reference(scan);
        return note_constraint(maker, "foreign key", column->name.bytes, begin);
    } else if (dump_take(scan, "check")) {
        dump_skip(scan);
        return note_constraint(maker, "check constraint", column->name.bytes, begin);
    } else if (dump_take_words(scan, "generated always as identity") ||
               dump_take_words(scan, "generated by default as identity"))
        return note(maker, "identity", column->name.bytes, "the column counted by itself");
    else if (dump_take_words(scan, "generated always as") || dump_take(scan, "as"))
        *generated = true;
    else if (dump_take(scan, "auto_increment"))
        maker->counted = column->name.bytes;
    else if (dump_take(scan, "constraint") || dump_take(scan, "collate") ||
             dump_take(scan, "comment") || dump_take_words(scan, "on update"))
        dump_skip(scan);
    else
        dump_skip(scan);
    return STATUS_OK;
}

static struct legacy_column *
add_column(struct maker *maker)
{
    struct dump_table *table = maker->table;

    if (table->column_count == DUMP_COLUMNS_MAX)
        return NULL;
    if (table->column_count == maker->room) {
        uint32_t room = maker->room * 2 + 16;
        struct legacy_column *grown = arena_alloc(maker->arena, room * sizeof(*grown));

        if (grown == NULL)
            return NULL;
        if (table->column_count > 0)
            memcpy(grown, table->columns, table->column_count * sizeof(*grown));
        table->columns = grown;
        maker->room = room;
    }
    return &table->columns[table->column_count++];
}

static enum status
take_column(struct maker *maker)
{
    struct dump_scan *scan = maker->scan;
    struct legacy_column *column = add_column(maker);
    const char *name = NULL;
    bool generated = false;

    if (column == NULL)
        return dump_no_memory(maker->source);
    *column = (struct legacy_column){.nullable = true};
    if (!dump_take_name(scan, maker->arena, &name))
        return expected(maker, "a column's name");
    column->name = (struct legacy_text){name, strlen(name)};
    TRY(take_type_words(maker, &column->declared));
    bool known = dump_find_type(scan->dialect, column);
    if (scan->dialect == DUMP_SQLITE)
        column->precision = 0; /* It is not enforced there. */
    while (!dump_is(scan, ",") && !dump_is(scan, ")") && scan->token.kind != DUMP_END)
        TRY(take_constraint(maker, column, &generated));
    if (generated) {
        maker->table->column_count--;
        return note(maker, "generated column", name, "dumps hold no values of it; it is left out");
    }
    if (!known && scan->dialect == DUMP_POSTGRES)
        return note_type(maker, name, column);
    if (!known && scan->dialect != DUMP_SQLITE)
        return note(maker, "column type", name, column->declared.bytes);
    return STATUS_OK;
}

/* Table constraints. */

static struct legacy_column *
find_column(struct dump_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name.bytes, name) == 0)
            return &table->columns[i];
    }
    return NULL;
}

/* A list of columns in brackets: the key, or a unique of one column; false: something else. */
static bool
take_key(struct maker *maker, bool is_key)
{
    struct dump_scan *scan = maker->scan;
    struct dump_scan before = *scan;
    struct legacy_column *columns[64];
    uint32_t count = 0;
    const char *name = NULL;

    if (!dump_take(scan, "("))
        return false;
    do {
        if (count == 64 || !dump_take_name(scan, maker->arena, &name))
            break;
        columns[count] = find_column(maker->table, name);
        if (columns[count++] == NULL)
            break;
    } while (dump_take(scan, ","));
    if (count == 0 || columns[count - 1] == NULL || !dump_take(scan, ")") ||
        (!is_key && count > 1)) {
        *scan = before;
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        columns[i]->primary_key = columns[i]->primary_key || is_key;
        columns[i]->unique = columns[i]->unique || !is_key;
        if (is_key)
            columns[i]->key_position = i + 1;
    }
    return true;
}

static void
pass_definition(struct dump_scan *scan)
{
    while (!dump_is(scan, ",") && !dump_is(scan, ")") && scan->token.kind != DUMP_END)
        dump_skip(scan);
}

/* A list of columns in brackets, to be tried; what follows it, as USING BTREE, goes. */
static enum status
take_list(struct maker *maker, const char *kind, const char *name, const char *before,
          const char *head, const char *begin)
{
    dump_skip(maker->scan);
    enum status status = note_words(maker, kind, name, before, head, begin);
    pass_definition(maker->scan);
    return status;
}

/* True when the definition was one of the table, not of a column. */
static enum status
take_table_constraint(struct maker *maker, bool *was_out)
{
    struct dump_scan *scan = maker->scan;
    bool mysql = scan->dialect == DUMP_MYSQL;
    const char *begin, *name = NULL;

    *was_out = true;
    if (dump_take(scan, "constraint") && !dump_is(scan, "primary") && !dump_is(scan, "unique") &&
        !dump_is(scan, "foreign") && !dump_is(scan, "check"))
        (void)dump_take_name(scan, maker->arena, &name);
    begin = scan->token.text;
    if (dump_take_words(scan, "primary key")) {
        if (!take_key(maker, true)) {
            pass_definition(scan);
            return note_constraint(maker, "primary key", "", begin);
        }
    } else if (dump_take(scan, "unique")) {
        if (mysql && (dump_take(scan, "key") || dump_take(scan, "index") || true) &&
            !dump_is(scan, "("))
            (void)dump_take_name(scan, maker->arena, &name);
        begin = scan->token.text;
        if (!take_key(maker, false))
            return take_list(maker, "unique constraint", name != NULL ? name : "", "ALTER TABLE ",
                             " ADD UNIQUE ", begin);
    } else if (dump_is(scan, "foreign") || dump_is(scan, "check") || dump_is(scan, "exclude")) {
        const char *kind = dump_is(scan, "foreign") ? "foreign key" : "check constraint";

        pass_definition(scan);
        return note_constraint(maker, kind, "", begin);
    } else if (mysql &&
               (dump_take_words(scan, "fulltext key") || dump_take_words(scan, "spatial key"))) {
        if (!dump_take_name(scan, maker->arena, &name))
            return expected(maker, "an index's name");
        begin = scan->token.text;
        pass_definition(scan);
        return note_span(maker, "index", name, begin);
    } else if (mysql && (dump_take(scan, "key") || dump_take(scan, "index"))) {
        if (!dump_take_name(scan, maker->arena, &name))
            return expected(maker, "an index's name");
        /* Its name is the table's alone there, and the schema's here: a new one is made. */
        return take_list(maker, "index", name, "CREATE INDEX ON ", " ", scan->token.text);
    } else {
        *was_out = false;
        return STATUS_OK;
    }
    pass_definition(scan);
    return STATUS_OK;
}

static enum status
take_definitions(struct maker *maker)
{
    struct dump_scan *scan = maker->scan;

    if (!dump_take(scan, "("))
        return expected(maker, "an opening bracket");
    while (!dump_is(scan, ")")) {
        bool was = false;

        TRY(take_table_constraint(maker, &was));
        if (!was)
            TRY(take_column(maker));
        if (!dump_take(scan, ",") && !dump_is(scan, ")"))
            return expected(maker, "a comma or a closing bracket");
    }
    return STATUS_OK;
}

/* A dump without the position, which people take out: behind the largest value, as MySQL itself does. */
static enum status
note_behind_largest(struct maker *maker)
{
    struct text_buffer table, before, after;

    text_buffer_init(&table, maker->source->env.memory);
    text_buffer_init(&before, maker->source->env.memory);
    text_buffer_init(&after, maker->source->env.memory);
    text_buffer_add_identifier(&table, maker->table->schema);
    text_buffer_add_char(&table, '.');
    text_buffer_add_identifier(&table, maker->table->name);
    text_buffer_add_text(&before, "SELECT setval(pg_get_serial_sequence(");
    text_buffer_add_literal(&before, table.bytes, table.size);
    text_buffer_add_text(&before, ", ");
    text_buffer_add_literal(&before, maker->counted, strlen(maker->counted));
    text_buffer_add_text(&before, "), max(");
    text_buffer_add_identifier(&before, maker->counted);
    text_buffer_add_text(&before, ")) FROM ");
    after.failed = table.failed || before.failed;
    enum status status = note_tried(maker, "sequence position", maker->counted,
                                    after.failed ? "" : before.bytes, &after);
    text_buffer_deinit(&before);
    text_buffer_deinit(&table);
    return status;
}

/* MySQL tells where a column goes on counting among what follows the definitions. */
static enum status
take_position(struct maker *maker)
{
    struct dump_scan *scan = maker->scan;
    struct text_buffer after;

    text_buffer_init(&after, maker->source->env.memory);
    text_buffer_add_text(&after, " ALTER COLUMN ");
    text_buffer_add_identifier(&after, maker->counted);
    text_buffer_add_text(&after, " ADD GENERATED BY DEFAULT AS IDENTITY");
    while (scan->token.kind != DUMP_END && !dump_is(scan, "auto_increment"))
        dump_scan_next(scan);
    if (dump_take(scan, "auto_increment") && dump_take(scan, "=") &&
        scan->token.kind == DUMP_NUMBER) {
        text_buffer_print(&after, " (START WITH %.*s)", (int)scan->token.size, scan->token.text);
        return note_tried(maker, "sequence position", maker->counted, "ALTER TABLE ", &after);
    }
    TRY(note_tried(maker, "identity", maker->counted, "ALTER TABLE ", &after));
    return note_behind_largest(maker);
}

enum status
dump_create_table(struct source *source, struct dump_scan *scan)
{
    struct maker maker = {
        .source = source, .dump = source->state, .scan = scan, .arena = &source->plan->arena};
    struct dump_table *table = arena_alloc(maker.arena, sizeof(*table));

    if (table == NULL)
        return dump_no_memory(source);
    maker.table = table;
    (void)dump_take_words(scan, "if not exists");
    if (!dump_take_table(maker.dump, scan, maker.arena, &table->schema, &table->name))
        return expected(&maker, "a table's name");
    if (dump_find(maker.dump, table->schema, table->name) != NULL) {
        (void)dump_fail(&maker.dump->reader, STATUS_INVALID, "the table %.80s.%.80s is made twice",
                        table->schema, table->name);
        return dump_failed(source, STATUS_INVALID);
    }
    TRY(take_definitions(&maker));
    if (maker.counted != NULL)
        TRY(take_position(&maker));
    table->classes = arena_alloc(maker.arena, table->column_count * sizeof(uint32_t));
    table->only_bits = arena_alloc(maker.arena, table->column_count * sizeof(bool));
    if (table->classes == NULL || table->only_bits == NULL)
        return dump_no_memory(source);
    memset(table->only_bits, true, table->column_count * sizeof(bool));
    *maker.dump->tables_end = table;
    maker.dump->tables_end = &table->next;
    return STATUS_OK;
}
