/*
 * Building the plan: the survey of the snapshot and what tables are made of. The replay of the log is
 * in legacy_replay.c.
 */
#include "tools/qtdb-migrate/legacy_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernel/base/check.h"
#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/legacy_rescue.h"

void
legacy_plan_init(struct legacy_plan *plan, struct memory *memory)
{
    *plan = (struct legacy_plan){.memory = memory};
    arena_init(&plan->arena, memory, MEMORY_OTHER);
    plan->notes_end = &plan->notes;
}

void
legacy_plan_deinit(struct legacy_plan *plan)
{
    for (struct plan_database *database = plan->databases; database; database = database->next) {
        for (struct plan_table *table = database->tables; table != NULL; table = table->next) {
            memory_free(plan->memory, MEMORY_OTHER, table->dead,
                        table->dead_capacity * sizeof(*table->dead));
            memory_free(plan->memory, MEMORY_OTHER, table->appended,
                        table->appended_capacity * sizeof(*table->appended));
        }
    }
    arena_deinit(&plan->arena);
}

struct plan_note *
legacy_plan_note(struct legacy_plan *plan, const char *kind, const struct legacy_text *name,
                 const char *words)
{
    if (plan->note_count++ >= PLAN_NOTES_MAX)
        return NULL;
    struct plan_note *note = arena_alloc(&plan->arena, sizeof(*note));
    bool failed_before = plan->notes_failed;

    plan->notes_failed = true;
    if (note == NULL)
        return NULL;
    *note = (struct plan_note){.kind = kind, .name = "", .words = ""};
    note->name = arena_copy_text(&plan->arena, name->bytes, name->size);
    note->words = arena_copy_text(&plan->arena, words, strlen(words));
    if (note->name == NULL || note->words == NULL)
        return NULL;
    plan->notes_failed = failed_before;
    *plan->notes_end = note;
    plan->notes_end = &note->next;
    return note;
}

struct plan_note *
legacy_plan_note_sql(struct legacy_plan *plan, const char *kind, const struct legacy_text *name,
                     const char *sql, const struct plan_database *database)
{
    struct plan_note *note = legacy_plan_note(plan, kind, name, sql);

    if (note != NULL) {
        note->sql = note->words;
        note->database = database;
    }
    return note;
}

void
legacy_plan_lost(struct legacy_plan *plan, const struct legacy_text *name, const char *words)
{
    plan->lost_count++;
    (void)legacy_plan_note(plan, "damage", name, words);
}

/* Copies into the plan. */

bool
plan__copy_text(struct legacy_plan *plan, const struct legacy_text *text, struct legacy_text *out)
{
    char *bytes = arena_copy_text(&plan->arena, text->size > 0 ? text->bytes : "", text->size);

    *out = (struct legacy_text){.bytes = bytes, .size = text->size};
    return bytes != NULL;
}

bool
plan__copy_column(struct legacy_plan *plan, const struct legacy_column *column,
                  struct legacy_column *out)
{
    *out = *column;
    if (!plan__copy_text(plan, &column->name, &out->name) ||
        !plan__copy_text(plan, &column->enum_name, &out->enum_name) ||
        !plan__copy_text(plan, &column->foreign_table, &out->foreign_table) ||
        !plan__copy_text(plan, &column->foreign_column, &out->foreign_column) ||
        !plan__copy_text(plan, &column->declared, &out->declared) ||
        !plan__copy_text(plan, &column->default_sql, &out->default_sql))
        return false;
    out->labels = arena_alloc(&plan->arena, (size_t)column->label_count * sizeof(*out->labels));
    for (uint64_t i = 0; out->labels != NULL && i < column->label_count; i++) {
        if (!plan__copy_text(plan, &column->labels[i], &out->labels[i]))
            return false;
    }
    return out->labels != NULL;
}

bool
plan__text_equals(const struct legacy_text *left, const struct legacy_text *right)
{
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

/* Tables. */

/* Makes a version of the columns as they stand. */
bool
plan__version_add(struct legacy_plan *plan, struct plan_table *table)
{
    size_t count = table->version_count;
    struct plan_version *versions =
        arena_alloc(&plan->arena, (count + 1) * sizeof(*table->versions));

    if (versions == NULL)
        return false;
    if (count > 0)
        memcpy(versions, table->versions, count * sizeof(*versions));
    versions[count].count = table->column_count;
    versions[count].ids = arena_alloc(&plan->arena, table->column_count * sizeof(uint32_t));
    if (versions[count].ids == NULL)
        return false;
    for (uint32_t i = 0; i < table->column_count; i++)
        versions[count].ids[i] = table->columns[i].id;
    table->versions = versions;
    table->version_count++;
    return true;
}

struct plan_table *
plan__table_add(struct legacy_plan *plan, struct plan_database *database,
                const struct legacy_table *head)
{
    struct plan_table *table = arena_alloc(&plan->arena, sizeof(*table));
    size_t count = (size_t)head->column_count;

    if (table == NULL || !plan__copy_text(plan, &head->name, &table->name))
        return NULL;
    table->columns = arena_alloc(&plan->arena, count * sizeof(*table->columns));
    if (table->columns == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!plan__copy_column(plan, &head->columns[i], &table->columns[i].column))
            return NULL;
        table->columns[i].id = (uint32_t)i;
    }
    table->column_count = (uint32_t)count;
    table->next_id = (uint32_t)count;
    table->database = database;
    table->ordinal = PLAN_NO_ORDINAL;
    table->damaged_at = UINT64_MAX;
    if (!plan__version_add(plan, table))
        return NULL;
    *database->tables_end = table;
    database->tables_end = &table->next;
    plan->table_count++;
    table->number = plan->number_count++;
    return table;
}

bool
plan__sequence_set(struct legacy_plan *plan, struct plan_table *table,
                   const struct legacy_text *name, int64_t next, bool only_raise)
{
    struct plan_sequence *sequence = table->sequences;

    while (sequence != NULL && !plan__text_equals(&sequence->name, name))
        sequence = sequence->following;
    if (sequence == NULL) {
        sequence = arena_alloc(&plan->arena, sizeof(*sequence));
        if (sequence == NULL || !plan__copy_text(plan, name, &sequence->name))
            return false;
        *sequence = (struct plan_sequence){
            .name = sequence->name, .next = next, .following = table->sequences};
        table->sequences = sequence;
    }
    if (!only_raise || next > sequence->next)
        sequence->next = next;
    return true;
}

/* Survey. */

static enum status
too_many(struct legacy_plan *plan)
{
    (void)snprintf(plan->fault, sizeof(plan->fault), "more than %d databases and tables",
                   PLAN_TABLES_MAX);
    return STATUS_FULL;
}

struct survey {
    struct legacy_plan *plan;
    struct plan_database *database;
    struct plan_database **databases_end;
    struct plan_table *table;
    int64_t ordinal;
};

static enum status
survey_database(void *context, const struct legacy_text *name)
{
    struct survey *survey = context;
    struct plan_database *database = arena_alloc(&survey->plan->arena, sizeof(*database));

    if (survey->plan->database_count >= PLAN_TABLES_MAX)
        return too_many(survey->plan);
    if (database == NULL || !plan__copy_text(survey->plan, name, &database->name))
        return STATUS_NO_MEMORY;
    database->tables_end = &database->tables;
    *survey->databases_end = database;
    survey->databases_end = &database->next;
    survey->plan->database_count++;
    survey->database = database;
    return STATUS_OK;
}

static enum status
survey_table(void *context, const struct legacy_table *head)
{
    struct survey *survey = context;

    if (survey->plan->table_count >= PLAN_TABLES_MAX)
        return too_many(survey->plan);
    survey->table = plan__table_add(survey->plan, survey->database, head);
    if (survey->table == NULL)
        return STATUS_NO_MEMORY;
    survey->table->ordinal = survey->ordinal++;
    survey->table->snapshot_rows = head->row_count;
    return STATUS_OK;
}

static enum status
survey_sequence(void *context, const struct legacy_text *name, int64_t next)
{
    struct survey *survey = context;

    return plan__sequence_set(survey->plan, survey->table, name, next, false) ? STATUS_OK
                                                                              : STATUS_NO_MEMORY;
}

static enum status
survey_enum(void *context, const struct legacy_text *name, const struct legacy_text *labels,
            uint64_t label_count)
{
    struct survey *survey = context;
    struct text_buffer sql;

    text_buffer_init(&sql, survey->plan->memory);
    text_buffer_add_text(&sql, "CREATE TYPE ");
    text_buffer_add_identifier(&sql, survey->database->name.bytes);
    text_buffer_add_char(&sql, '.');
    text_buffer_add_identifier(&sql, name->bytes);
    text_buffer_add_text(&sql, " AS ENUM (");
    for (uint64_t i = 0; i < label_count; i++) {
        if (i > 0)
            text_buffer_add_text(&sql, ", ");
        text_buffer_add_literal(&sql, labels[i].bytes, labels[i].size);
    }
    text_buffer_add_char(&sql, ')');
    bool ok = !sql.failed;
    if (ok)
        (void)legacy_plan_note_sql(survey->plan, "enum", name, sql.bytes, survey->database);
    text_buffer_deinit(&sql);
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool
begins_with_create(const char *sql)
{
    while (*sql == ' ' || *sql == '\n' || *sql == '\t')
        sql++;
    return strncasecmp(sql, "CREATE", 6) == 0;
}

static enum status
survey_view(void *context, const struct legacy_text *name, const struct legacy_text *body)
{
    struct survey *survey = context;
    struct text_buffer sql;

    text_buffer_init(&sql, survey->plan->memory);
    if (!begins_with_create(body->bytes)) {
        text_buffer_add_text(&sql, "CREATE VIEW ");
        text_buffer_add_identifier(&sql, name->bytes);
        text_buffer_add_text(&sql, " AS ");
    }
    text_buffer_add(&sql, body->bytes, body->size);
    bool ok = !sql.failed;
    if (ok)
        (void)legacy_plan_note_sql(survey->plan, "view", name, sql.bytes, survey->database);
    text_buffer_deinit(&sql);
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status
survey_user(void *context, const struct legacy_user *user)
{
    struct survey *survey = context;
    char words[128];

    (void)snprintf(words, sizeof(words), "user%s%s%s", user->is_superuser ? ", superuser" : "",
                   user->can_create_db ? ", may create databases" : "",
                   user->can_create_user ? ", may create users" : "");
    (void)legacy_plan_note(survey->plan, "user", &user->name, words);
    return STATUS_OK;
}

static enum status
survey_grant(void *context, const char *words)
{
    struct survey *survey = context;
    struct legacy_text none = {.bytes = "", .size = 0};

    (void)legacy_plan_note(survey->plan, "grant", &none, words);
    return STATUS_OK;
}

static enum status
survey_damage(void *context, uint64_t row_index, const char *words)
{
    struct survey *survey = context;
    struct plan_table *table = survey->table;
    struct legacy_text none = {.bytes = "", .size = 0};

    if (table != NULL && row_index < table->damaged_at)
        table->damaged_at = row_index;
    legacy_plan_lost(survey->plan, table != NULL ? &table->name : &none, words);
    return STATUS_OK;
}

enum status
legacy_plan_survey(struct legacy_plan *plan, struct legacy_stream *stream,
                   const struct legacy_form *form)
{
    struct survey survey = {.plan = plan, .databases_end = &plan->databases};
    const struct legacy_visitor visitor = {
        .context = &survey,
        .database = survey_database,
        .table = survey_table,
        .sequence = survey_sequence,
        .enum_type = survey_enum,
        .view = survey_view,
        .user = survey_user,
        .grant = survey_grant,
        .damage = survey_damage,
    };

    CHECK(plan->databases == NULL);
    return plan->rescue ? legacy_rescue(stream, form, &visitor)
                        : legacy_read(stream, form, &visitor);
}

/* Sealing. */

static int
compare_indexes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void
legacy_plan_seal(struct legacy_plan *plan)
{
    for (struct plan_database *database = plan->databases; database; database = database->next) {
        for (struct plan_table *table = database->tables; table != NULL; table = table->next) {
            if (table->dead_count > 1)
                qsort(table->dead, table->dead_count, sizeof(*table->dead), compare_indexes);
        }
    }
}
