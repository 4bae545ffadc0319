/*
 * The first reading of a dump: which tables there are, with what keys, which statements hold rows of
 * which, and what else the dump makes. Statements that change rows in other ways than INSERT and COPY
 * are refused, for the tables would come out wrong; definitions are tried on the target later.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/dump_source.h"
#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/sqlite_source.h"

/* Statements that mean nothing for what is carried over. */
static const char *const ignored[] = {
    "set",
    "begin",
    "commit",
    "pragma",
    "start",
    "lock",
    "unlock",
    "analyze",
    "vacuum",
    "rollback",
    "end",
    "use",
    "drop table if exists",
    "drop view if exists",
    "create database",
    "select pg_catalog.set_config",
    "alter database",
};

/* What is noted, by its first words; with SQL where it is tried. */
static const struct {
    const char *words;
    const char *kind;
    bool tried;
} definitions[] = {
    {"create unique index", "index", true},
    {"create index", "index", true},
    {"create view", "view", true},
    {"create or replace view", "view", true},
    {"create materialized view", "view", true},
    {"create type", "type", true},
    {"create domain", "type", true},
    {"create sequence", "sequence", true},
    {"alter sequence", "sequence", true},
    {"create function", "function", true},
    {"create procedure", "function", true},
    {"create trigger", "trigger", false},
    {"create extension", "extension", false},
    {"create policy", "policy", false},
    {"create rule", "rule", false},
    {"create virtual table", "virtual table", false},
    {"create event", "event", false},
    {"comment", "comment", false},
    {"grant", "grant", false},
    {"revoke", "grant", false},
    {"alter default", "grant", false},
    {"create", "definition", true},
    {"alter", "definition", true},
};

static bool
take_dotted(struct dump_scan *scan, const char *words)
{
    struct dump_scan before = *scan;
    char copy[64];

    /* A dot is a token of its own. */
    (void)snprintf(copy, sizeof(copy), "%s", words);
    char *dot = strchr(copy, '.');
    if (dot == NULL)
        return dump_take_words(scan, words);
    *dot = '\0';
    if (dump_take_words(scan, copy) && dump_take(scan, ".") && dump_take_words(scan, dot + 1))
        return true;
    *scan = before;
    return false;
}

static enum status
add_note(struct source *source, const char *kind, const char *name, bool tried)
{
    struct dump *dump = source->state;
    struct legacy_text text = {name, strlen(name)};
    const char *sql = dump->reader.text.bytes;

    if (tried)
        (void)legacy_plan_note_sql(source->plan, kind, &text, sql, NULL);
    else
        (void)legacy_plan_note(source->plan, kind, &text, sql);
    return STATUS_OK;
}

/* The last name before what a definition is about, for people. */
static const char *
name_of(struct dump_scan *scan, struct arena *arena, char out[128])
{
    const char *name = "";
    struct dump_scan at = *scan;

    (void)dump_take_words(&at, "if not exists");
    (void)dump_take(&at, "only");
    if (!dump_take_name(&at, arena, &name))
        name = "";
    (void)snprintf(out, 128, "%.120s", name);
    if (dump_take(&at, ".") && dump_take_name(&at, arena, &name))
        (void)snprintf(out, 128, "%.120s", name);
    return out;
}

/* ALTER TABLE of what this file itself keeps: keys and uniques of one column. */
static bool
take_alter_key(struct dump *dump, struct dump_scan *scan, struct arena *arena)
{
    const char *schema = NULL, *name = NULL, *column = NULL;
    struct dump_table *table;
    uint32_t count = 0;

    (void)dump_take(scan, "only");
    if (!dump_take_table(dump, scan, arena, &schema, &name) || !dump_take(scan, "add"))
        return false;
    if (dump_take(scan, "constraint") && !dump_take_name(scan, arena, &column))
        return false;
    bool is_key = dump_take_words(scan, "primary key");
    table = dump_find(dump, schema, name);
    if (table == NULL || (!is_key && !dump_take(scan, "unique")) || !dump_take(scan, "("))
        return false;
    struct dump_scan before = *scan;
    for (int round = 0; round < 2; round++) {
        *scan = before;
        count = 0;
        do {
            struct legacy_column *found = NULL;

            if (!dump_take_name(scan, arena, &column))
                return false;
            for (uint32_t i = 0; i < table->column_count; i++) {
                if (strcmp(table->columns[i].name.bytes, column) == 0)
                    found = &table->columns[i];
            }
            count++;
            if (found == NULL)
                return false;
            if (round == 0)
                continue;
            found->primary_key = found->primary_key || is_key;
            found->key_position = is_key ? count : found->key_position;
            found->unique = found->unique || !is_key;
        } while (dump_take(scan, ","));
        if (!is_key && count > 1)
            return false;
    }
    return true;
}

static enum status
take_alter_table(struct source *source, struct dump_scan *scan)
{
    struct dump *dump = source->state;
    struct arena *arena = &source->plan->arena;
    char name[128];
    struct dump_scan begin = *scan;
    const char *sql = dump->reader.text.bytes;

    if (take_alter_key(dump, scan, arena))
        return STATUS_OK;
    (void)name_of(&begin, arena, name);
    if (strcasestr(sql, " OWNER TO ") != NULL)
        return add_note(source, "owner", name, false);
    if (strcasestr(sql, "FOREIGN KEY") != NULL)
        return add_note(source, "foreign key", name, true);
    if (strcasestr(sql, "nextval(") != NULL || strcasestr(sql, "IDENTITY") != NULL)
        return add_note(source, "default", name, true);
    return add_note(source,
                    strcasestr(sql, " UNIQUE ") != NULL ? "unique constraint" : "definition", name,
                    true);
}

/* Rows. */

/* What SQLite's columns hold; their declarations promise nothing. */
static void
note_class(struct dump_table *table, uint32_t column, const struct legacy_value *value)
{
    switch (value->tag) {
    case LEGACY_NULL:
        return;
    case LEGACY_INTEGER:
        table->classes[column] |= SQLITE_CLASS_INTEGER;
        if (value->integer != 0 && value->integer != 1)
            table->only_bits[column] = false;
        return;
    case LEGACY_REAL:
        table->classes[column] |= SQLITE_CLASS_REAL;
        return;
    case LEGACY_BYTES:
        table->classes[column] |= SQLITE_CLASS_BLOB;
        return;
    default:
        table->classes[column] |= SQLITE_CLASS_TEXT;
        return;
    }
}

/* INSERT INTO sqlite_sequence VALUES('t', 5) */
static enum status
take_sequence(struct source *source, struct dump_scan *scan, struct arena *arena)
{
    struct legacy_value name, last;

    if (!dump_take(scan, "("))
        return STATUS_OK;
    TRY(dump_take_value(source, scan, arena, &name));
    if (!dump_take(scan, ","))
        return STATUS_OK;
    TRY(dump_take_value(source, scan, arena, &last));
    char words[96];
    (void)snprintf(words, sizeof(words), "its last value was %lld", (long long)last.integer);
    if (name.tag == LEGACY_TEXT)
        (void)legacy_plan_note(source->plan, "sequence position", &name.text, words);
    return STATUS_OK;
}

static enum status
look_at_values(struct source *source, struct dump_scan *scan, struct arena *arena,
               struct dump_table *table)
{
    while (dump_take(scan, "(")) {
        uint32_t column = 0;

        arena_reset(arena);
        do {
            struct legacy_value value;

            TRY(dump_take_value(source, scan, arena, &value));
            if (column < table->column_count)
                note_class(table, column++, &value);
        } while (dump_take(scan, ","));
        if (!dump_take(scan, ")"))
            break;
        (void)dump_take(scan, ",");
    }
    return STATUS_OK;
}

static enum status
take_rows(struct source *source, struct dump_scan *scan, struct arena *arena,
          const struct dump_target *target, bool is_copy)
{
    struct dump *dump = source->state;
    struct dump_table *table = dump_find(dump, target->schema, target->name);
    bool sqlite = dump->reader.dialect == DUMP_SQLITE;
    bool end = false;

    if (sqlite && strcmp(target->name, "sqlite_sequence") == 0)
        return take_sequence(source, scan, arena);
    if (sqlite && strncmp(target->name, "sqlite_", 7) == 0)
        return add_note(source, "virtual table", target->name, false);
    if (table == NULL) {
        (void)dump_fail(&dump->reader, STATUS_INVALID,
                        "rows of %.80s.%.80s, but the dump makes no such table", target->schema,
                        target->name);
        return dump_failed(source, STATUS_INVALID);
    }
    table->statement_count++;
    while (is_copy && !end) {
        enum status status = dump_copy_line(&dump->reader, &end);

        if (status != STATUS_OK)
            return dump_failed(source, status);
    }
    /* Of the listed columns only whole rows are looked at; SQLite lists none. */
    return sqlite && target->column_count == 0 ? look_at_values(source, scan, arena, table)
                                               : STATUS_OK;
}

/* Statements. */

static enum status
refuse_statement(struct source *source)
{
    struct dump *dump = source->state;
    char head[48];

    (void)snprintf(head, sizeof(head), "%s", dump->reader.text.bytes);
    (void)dump_fail(&dump->reader, STATUS_INVALID,
                    "only what dump programs write is supported, not: %s", head);
    return dump_failed(source, STATUS_INVALID);
}

static enum status
take_schema(struct source *source, struct dump_scan *scan)
{
    const char *name = NULL;

    (void)dump_take_words(scan, "if not exists");
    if (!dump_take_name(scan, &source->plan->arena, &name))
        return refuse_statement(source);
    return source_database(source, name, strlen(name)) != NULL ? STATUS_OK : dump_no_memory(source);
}

static enum status
take_definition(struct source *source, struct dump_scan *scan)
{
    char name[128];

    if (dump_take_words(scan, "create table") || dump_take_words(scan, "create unlogged table"))
        return dump_create_table(source, scan);
    if (dump_take_words(scan, "create schema"))
        return take_schema(source, scan);
    if (dump_take_words(scan, "alter table"))
        return take_alter_table(source, scan);
    if (take_dotted(scan, "select pg_catalog.setval")) {
        size_t size = 0;
        const char *sequence = "";

        if (dump_take(scan, "(") && scan->token.kind == DUMP_STRING)
            sequence = dump_string(scan, &source->plan->arena, &size);
        return sequence != NULL ? add_note(source, "sequence position", sequence, true)
                                : dump_no_memory(source);
    }
    if (dump_take_words(scan, "delete from sqlite_sequence"))
        return STATUS_OK;
    if (strcasestr(((struct dump *)source->state)->reader.text.bytes, " OWNER TO ") != NULL)
        return add_note(source, "owner", "", false);
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        if (!dump_take_words(scan, definitions[i].words))
            continue;
        return add_note(source, definitions[i].kind, name_of(scan, &source->plan->arena, name),
                        definitions[i].tried);
    }
    return refuse_statement(source);
}

static enum status
take_insert(struct dump *dump, struct dump_scan *scan, struct arena *arena,
            struct dump_target *target)
{
    if (!dump_take_table(dump, scan, arena, &target->schema, &target->name))
        return STATUS_CORRUPT;
    if (!dump_take(scan, "("))
        return STATUS_OK;
    target->columns = arena_alloc(arena, DUMP_COLUMNS_MAX * sizeof(*target->columns));
    if (target->columns == NULL)
        return STATUS_NO_MEMORY;
    do {
        if (target->column_count == DUMP_COLUMNS_MAX ||
            !dump_take_name(scan, arena, &target->columns[target->column_count]))
            return STATUS_CORRUPT;
        target->column_count++;
    } while (dump_take(scan, ","));
    return dump_take(scan, ")") ? STATUS_OK : STATUS_CORRUPT;
}

enum status
dump_classify(struct source *source, struct dump_scan *scan, struct arena *arena,
              struct dump_target *target, enum dump_statement *out)
{
    struct dump *dump = source->state;
    enum status status = STATUS_OK;

    *target = (struct dump_target){.column_count = 0};
    *out = DUMP_DEFINITION;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        struct dump_scan before = *scan;

        if (take_dotted(scan, ignored[i])) {
            *scan = before;
            *out = DUMP_IGNORED;
            return STATUS_OK;
        }
    }
    if (dump_take_words(scan, "insert into") || dump_take_words(scan, "insert ignore into") ||
        dump_take_words(scan, "replace into")) {
        *out = DUMP_INSERT;
        status = take_insert(dump, scan, arena, target);
        (void)dump_take_words(scan, "overriding system value");
        if (status == STATUS_OK && !dump_take(scan, "values"))
            status = STATUS_CORRUPT;
    } else if (dump_take(scan, "copy")) {
        *out = DUMP_COPY;
        status = take_insert(dump, scan, arena, target);
        if (status == STATUS_OK &&
            (!dump_take_words(scan, "from stdin") || scan->token.kind != DUMP_END))
            status = STATUS_CORRUPT;
        if (status == STATUS_OK)
            dump_copy_begin(&dump->reader);
    }
    if (status == STATUS_NO_MEMORY)
        return dump_no_memory(source);
    return status == STATUS_OK ? STATUS_OK : refuse_statement(source);
}

static enum status
take_statement(struct source *source, struct arena *arena)
{
    struct dump *dump = source->state;
    struct dump_target target;
    enum dump_statement what;
    struct dump_scan scan;

    arena_reset(arena);
    dump_scan_init(&scan, dump->reader.dialect, dump->reader.text.bytes, dump->reader.text.size);
    TRY(dump_classify(source, &scan, arena, &target, &what));
    switch (what) {
    case DUMP_IGNORED:
        return STATUS_OK;
    case DUMP_INSERT:
    case DUMP_COPY: {
        struct arena values;

        /* What `target` points to has to outlive the rows. */
        arena_init(&values, source->env.memory, MEMORY_OTHER);
        enum status status = take_rows(source, &scan, &values, &target, what == DUMP_COPY);
        arena_deinit(&values);
        return status;
    }
    case DUMP_DEFINITION:
        break;
    }
    return take_definition(source, &scan);
}

static enum status
add_tables(struct source *source)
{
    struct dump *dump = source->state;
    bool sqlite = dump->reader.dialect == DUMP_SQLITE;

    for (struct dump_table *table = dump->tables; table != NULL; table = table->next) {
        struct plan_database *database =
            source_database(source, table->schema, strlen(table->schema));

        for (uint32_t i = 0; sqlite && i < table->column_count; i++)
            table->columns[i].kind = sqlite_column_kind(table->columns[i].declared.bytes,
                                                        table->classes[i], table->only_bits[i]);
        struct legacy_table head = {.name = {table->name, strlen(table->name)},
                                    .column_count = table->column_count,
                                    .columns = table->columns};
        if (database != NULL)
            table->plan = source_add_table(source, database, &head);
        if (table->plan == NULL)
            return dump_no_memory(source);
    }
    return STATUS_OK;
}

enum status
dump_survey(struct source *source)
{
    static const char *const names[] = {"", "pg_dump", "mysqldump", "sqlite3 .dump"};
    struct dump *dump = source->state;
    struct arena arena;
    enum status status = STATUS_OK;
    bool end = false;

    arena_init(&arena, source->env.memory, MEMORY_OTHER);
    while (status == STATUS_OK) {
        status = dump_next(&dump->reader, &end);
        if (status != STATUS_OK)
            status = dump_failed(source, status);
        else if (end)
            break;
        else
            status = take_statement(source, &arena);
    }
    arena_deinit(&arena);
    TRY(status);
    (void)snprintf(source->remark, sizeof(source->remark), "read as what %s writes",
                   names[dump->reader.dialect]);
    if (dump->reader.left_out_count > 0)
        (void)snprintf(source->remark, sizeof(source->remark),
                       "read as what %s writes; %llu definitions in conditional comments left out",
                       names[dump->reader.dialect],
                       (unsigned long long)dump->reader.left_out_count);
    if (dump->tables == NULL)
        return source_fail(source, STATUS_CORRUPT, "%s: it makes no table", source->path);
    return add_tables(source);
}
