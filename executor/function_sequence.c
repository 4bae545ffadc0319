/*
 * nextval, currval, setval, lastval, pg_get_serial_sequence and qtdb_sequence_next_value. A session remembers
 * the definitions by the text they are called by, while the catalog's version and the search path stay, and
 * the last value of each sequence.
 */
#include <string.h>

#include "executor/exec.h"
#include "executor/function.h"
#include "executor/sql_sequence.h"
#include "executor/sql_text.h"
#include "kernel/base/check.h"

struct known {
    struct known *next;
    uint64_t version;
    uint64_t path_epoch;
    struct sequence_definition definition;
    size_t size; /* Of this with its text. */
    char text[];
};

struct last {
    struct last *next;
    uint32_t id;
    int64_t value;
};

struct sequence_memory {
    struct memory *memory;
    struct known *known;
    uint32_t known_count;
    struct last *lasts;
    struct last *latest; /* For lastval. */
};

enum { KNOWN_MAX = 64 };

struct sequence_memory *
sequence_memory_new(struct memory *memory)
{
    struct sequence_memory *sequences = memory_alloc(memory, MEMORY_SQL, sizeof(*sequences));

    if (sequences != NULL)
        sequences->memory = memory;
    return sequences;
}

static void
forget_known(struct sequence_memory *sequences)
{
    while (sequences->known != NULL) {
        struct known *known = sequences->known;

        sequences->known = known->next;
        memory_free(sequences->memory, MEMORY_SQL, known, known->size);
    }
    sequences->known_count = 0;
}

void
sequence_memory_forget(struct sequence_memory *sequences)
{
    forget_known(sequences);
    while (sequences->lasts != NULL) {
        struct last *last = sequences->lasts;

        sequences->lasts = last->next;
        memory_free(sequences->memory, MEMORY_SQL, last, sizeof(*last));
    }
    sequences->latest = NULL;
}

void
sequence_memory_free(struct sequence_memory *sequences)
{
    if (sequences == NULL)
        return;
    sequence_memory_forget(sequences);
    memory_free(sequences->memory, MEMORY_SQL, sequences, sizeof(*sequences));
}

/* Looking up. */

static enum status
look_up(const struct exec_context *context, const struct value *text, struct eval *eval,
        struct sequence_definition *out)
{
    struct ast_name name, found;

    TRY(search_path_parse((const char *)text->bytes, text->size, eval->arena, &name, eval->error));
    TRY(search_path_find(context->txn, context->path, &name, "q", &found, eval->error));
    enum status status = sequence_find(context->txn, &found, eval->arena, out, eval->error);
    struct sql_error ignored = {.location = -1};
    if (status == STATUS_INVALID &&
        catalog_has(context->txn, CATALOG_TABLE, found.schema != NULL ? found.schema : "public",
                    found.name, &ignored) == STATUS_OK)
        return sql_error_set(eval->error, "42809", -1, "\"%s\" is not a sequence", found.name);
    return status;
}

static void
remember(const struct exec_context *context, const struct value *text,
         const struct sequence_definition *definition)
{
    struct sequence_memory *sequences = context->sequences;
    size_t size = sizeof(struct known) + text->size + 1;
    struct known *known;

    if (context->catalog_version == 0)
        return;
    if (sequences->known_count == KNOWN_MAX)
        forget_known(sequences);
    known = memory_alloc(sequences->memory, MEMORY_SQL, size);
    if (known == NULL)
        return; /* It is looked up again next time. */
    known->version = context->catalog_version;
    known->path_epoch = context->path_epoch;
    known->definition = *definition;
    known->definition.owner_table = known->definition.owner_column = NULL;
    known->size = size;
    memcpy(known->text, text->bytes, text->size);
    known->next = sequences->known;
    sequences->known = known;
    sequences->known_count++;
}

static enum status
find(const struct value *text, struct eval *eval, struct sequence_definition *out)
{
    const struct exec_context *context = eval->context;

    if (context == NULL || context->sequences == NULL)
        return sql_error_set(eval->error, "0A000", -1, "a sequence cannot be used here");
    for (struct known *known = context->sequences->known; known != NULL; known = known->next) {
        if (known->version == context->catalog_version &&
            known->path_epoch == context->path_epoch && strlen(known->text) == text->size &&
            memcmp(known->text, text->bytes, text->size) == 0) {
            *out = known->definition;
            return STATUS_OK;
        }
    }
    TRY(look_up(context, text, eval, out));
    remember(context, text, out);
    return STATUS_OK;
}

static enum status
note_last(const struct exec_context *context, uint32_t id, int64_t value)
{
    struct sequence_memory *sequences = context->sequences;
    struct last *last = sequences->lasts;

    while (last != NULL && last->id != id)
        last = last->next;
    if (last == NULL) {
        last = memory_alloc(sequences->memory, MEMORY_SQL, sizeof(*last));
        if (last == NULL)
            return STATUS_NO_MEMORY;
        last->id = id;
        last->next = sequences->lasts;
        sequences->lasts = last;
    }
    last->value = value;
    sequences->latest = last;
    return STATUS_OK;
}

/* Calls. */

static const char *
text_of(const struct value *value, struct arena *arena)
{
    return arena_copy_text(arena, (const char *)value->bytes, value->size);
}

static enum status
call_nextval(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    struct sequence_definition definition;
    int64_t value = 0;

    (void)expr;
    TRY(find(&arguments[0], eval, &definition));
    const char *name = text_of(&arguments[0], eval->arena);
    if (name == NULL)
        return STATUS_NO_MEMORY;
    TRY(sequence_next(eval->context->db, name, &definition, &value, eval->error));
    TRY(note_last(eval->context, definition.id, value));
    *out = value_integer(QTDB_TYPE_INT8, value);
    return STATUS_OK;
}

static enum status
call_currval(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    struct sequence_definition definition;

    (void)expr;
    TRY(find(&arguments[0], eval, &definition));
    for (struct last *last = eval->context->sequences->lasts; last != NULL; last = last->next) {
        if (last->id == definition.id) {
            *out = value_integer(QTDB_TYPE_INT8, last->value);
            return STATUS_OK;
        }
    }
    const char *name = text_of(&arguments[0], eval->arena);
    if (name == NULL)
        return STATUS_NO_MEMORY;
    return sql_error_set(eval->error, "55000", -1,
                         "currval of sequence \"%s\" is not yet defined in this session", name);
}

static enum status
call_lastval(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    (void)expr;
    (void)arguments;
    if (eval->context == NULL || eval->context->sequences == NULL ||
        eval->context->sequences->latest == NULL)
        return sql_error_set(eval->error, "55000", -1,
                             "lastval is not yet defined in this session");
    *out = value_integer(QTDB_TYPE_INT8, eval->context->sequences->latest->value);
    return STATUS_OK;
}

static enum status
call_setval(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    bool called = expr->argument_count < 3 || arguments[2].integer != 0;
    struct sequence_definition definition = {.id = 0};
    int64_t value = arguments[1].integer;

    TRY(find(&arguments[0], eval, &definition));
    const char *name = text_of(&arguments[0], eval->arena);
    if (name == NULL)
        return STATUS_NO_MEMORY;
    TRY(sequence_set(eval->context->db, name, &definition, value, called, eval->error));
    if (called)
        TRY(note_last(eval->context, definition.id, value));
    *out = value_integer(QTDB_TYPE_INT8, value);
    return STATUS_OK;
}

/* Not PostgreSQL's: where a sequence stands, for dumps. Null past its end. */
static enum status
call_next_value(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct sequence_definition definition;
    int64_t value = 0;
    bool some = false;

    (void)expr;
    TRY(find(&arguments[0], eval, &definition));
    TRY(sequence_look(eval->context->db, &definition, &value, &some, eval->error));
    *out = some ? value_integer(QTDB_TYPE_INT8, value) : value_null(QTDB_TYPE_INT8);
    return STATUS_OK;
}

static enum status
call_serial_sequence(const struct expr *expr, const struct value *arguments, struct eval *eval,
                     struct value *out)
{
    const struct exec_context *context = eval->context;
    struct ast_name name, found;
    struct table *table = NULL;

    (void)expr;
    if (context == NULL)
        return sql_error_set(eval->error, "0A000", -1, "a sequence cannot be used here");
    TRY(search_path_parse((const char *)arguments[0].bytes, arguments[0].size, eval->arena, &name,
                          eval->error));
    TRY(search_path_find(context->txn, context->path, &name, "t", &found, eval->error));
    TRY(table_find(context->txn, &found, eval->arena, &table, eval->error));
    const char *column = text_of(&arguments[1], eval->arena);
    if (column == NULL)
        return STATUS_NO_MEMORY;
    uint32_t index = table_column_find(table, column);
    if (index == UINT32_MAX)
        return sql_error_set(eval->error, "42703", -1,
                             "column \"%s\" of relation \"%s\" does not exist", column,
                             table->name);
    *out = value_null(QTDB_TYPE_TEXT);
    if (table->columns[index].sequence == NULL)
        return STATUS_OK;
    struct sql_text text;
    sql_text_init(&text, eval->arena);
    sql_text_add_name(&text, table->schema);
    sql_text_add(&text, ".");
    sql_text_add_name(&text, table->columns[index].sequence);
    TRY(text.status);
    *out = value_bytes(QTDB_TYPE_TEXT, text.bytes, text.size);
    return STATUS_OK;
}

const struct function function_sequence_table[] = {
    {"nextval", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT8, false, false, call_nextval},
    {"currval", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT8, false, false, call_currval},
    {"lastval", 0, 0, {0}, QTDB_TYPE_INT8, false, false, call_lastval},
    {"setval",
     2,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT8, QTDB_TYPE_BOOL},
     QTDB_TYPE_INT8,
     false,
     false,
     call_setval},
    {"qtdb_sequence_next_value",
     1,
     1,
     {QTDB_TYPE_TEXT},
     QTDB_TYPE_INT8,
     false,
     false,
     call_next_value},
    {"pg_get_serial_sequence",
     2,
     2,
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_serial_sequence},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
