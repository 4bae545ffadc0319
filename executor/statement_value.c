/* What goes into a statement and comes out: parameters and columns. */
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

enum { PARAMETERS_MAX = 65535 };

/* Parameters. */

/* Room for bytes is taken in steps, so that one size of value after the other fits where the last was. */
static size_t
room_of(size_t size)
{
    return (size | 63) + 1;
}

static bool
has_room(const struct value *value)
{
    return !value->null && (value->type == QTDB_TYPE_NULL || value_type_is_bytes(value->type));
}

static void
free_bytes(struct memory *memory, const struct value *value)
{
    if (has_room(value))
        memory_free(memory, MEMORY_SQL, (void *)(uintptr_t)value->bytes, room_of(value->size));
}

void
statement__free_parameters(struct qtdb_statement *statement)
{
    struct memory *memory = statement->session->memory;

    for (uint32_t i = 0; i < statement->parameter_count; i++)
        free_bytes(memory, &statement->parameters[i]);
    memory_free(memory, MEMORY_SQL, statement->parameters,
                statement->parameter_count * sizeof(struct value));
    statement->parameters = NULL;
    statement->parameter_count = 0;
}

/* The place of the parameter; what is there is the caller's to free. */
static enum qtdb_code
place_at(struct qtdb_statement *statement, uint32_t index, struct value **out)
{
    struct memory *memory = statement->session->memory;

    if (index == 0 || index > PARAMETERS_MAX || statement->phase == STATEMENT_ROWS)
        return api_error_set(QTDB_INVALID, "42P02", 0, false,
                             statement->phase == STATEMENT_ROWS
                                 ? "reset the statement before binding $%u"
                                 : "there is no parameter $%u",
                             index);
    if (index > statement->parameter_count) {
        size_t old_size = statement->parameter_count * sizeof(struct value);
        struct value *grown = statement->parameters == NULL
                                  ? memory_alloc(memory, MEMORY_SQL, index * sizeof(struct value))
                                  : memory_resize(memory, MEMORY_SQL, statement->parameters,
                                                  old_size, index * sizeof(struct value));
        if (grown == NULL)
            return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
        for (uint32_t i = statement->parameter_count; i < index; i++)
            grown[i] = value_null(QTDB_TYPE_NULL);
        statement->parameters = grown;
        statement->parameter_count = index;
    }
    if (statement->phase != STATEMENT_READY)
        qtdb_reset(statement);
    *out = &statement->parameters[index - 1];
    return QTDB_OK;
}

static enum qtdb_code
parameter_at(struct qtdb_statement *statement, uint32_t index, struct value **out)
{
    struct value *value = NULL;
    enum qtdb_code code = place_at(statement, index, &value);

    if (code != QTDB_OK)
        return code;
    CHECK(value != NULL);
    free_bytes(statement->session->memory, value);
    /* A null keeps the type of the value before it, so that the plan stays. */
    *value = value_null(value->type);
    *out = value;
    return QTDB_OK;
}

enum qtdb_code
qtdb_bind_null(struct qtdb_statement *statement, uint32_t index)
{
    struct value *value = NULL;

    return parameter_at(statement, index, &value);
}

enum qtdb_code
qtdb_bind_i64(struct qtdb_statement *statement, uint32_t index, int64_t integer)
{
    struct value *value = NULL;
    enum qtdb_code code = parameter_at(statement, index, &value);

    if (code == QTDB_OK)
        *value = value_integer(QTDB_TYPE_INT8, integer);
    return code;
}

enum qtdb_code
qtdb_bind_f64(struct qtdb_statement *statement, uint32_t index, double real)
{
    struct value *value = NULL;
    enum qtdb_code code = parameter_at(statement, index, &value);

    if (code == QTDB_OK)
        *value = value_real(QTDB_TYPE_FLOAT8, real);
    return code;
}

static enum qtdb_code
bind_copy(struct qtdb_statement *statement, uint32_t index, enum qtdb_type type, const void *bytes,
          size_t size)
{
    struct memory *memory = statement->session->memory;
    struct value *value = NULL;

    if (size >= UINT32_MAX - 64)
        return api_error_set(QTDB_INVALID, "54000", 0, false, "a parameter is too long");
    enum qtdb_code code = place_at(statement, index, &value);
    if (code != QTDB_OK)
        return code;
    CHECK(value != NULL);
    uint8_t *copy = has_room(value) && room_of(value->size) == room_of(size)
                        ? (uint8_t *)(uintptr_t)value->bytes
                        : NULL;
    if (copy == NULL) {
        free_bytes(memory, value);
        *value = value_null(value->type);
        copy = memory_alloc(memory, MEMORY_SQL, room_of(size));
        if (copy == NULL)
            return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
    }
    if (size > 0)
        memcpy(copy, bytes, size);
    *value = value_bytes(type, copy, size);
    return QTDB_OK;
}

/* A text is an untyped literal: it takes the type of what it stands beside. */
enum qtdb_code
qtdb_bind_text(struct qtdb_statement *statement, uint32_t index, const char *text, size_t size)
{
    return bind_copy(statement, index, QTDB_TYPE_NULL, text, size);
}

enum qtdb_code
qtdb_bind_bytes(struct qtdb_statement *statement, uint32_t index, const void *bytes, size_t size)
{
    return bind_copy(statement, index, QTDB_TYPE_BYTEA, bytes, size);
}

enum qtdb_code
statement__bind_value(struct qtdb_statement *statement, uint32_t index, const struct value *value)
{
    struct value *place = NULL;
    enum qtdb_code code;

    if (!value->null && (value->type == QTDB_TYPE_NULL || value_type_is_bytes(value->type)))
        return bind_copy(statement, index, value->type, value->bytes, value->size);
    code = parameter_at(statement, index, &place);
    if (code == QTDB_OK && place != NULL)
        *place = *value;
    return code;
}

/* Results: EXECUTE's are those of the statement it runs. */

uint32_t
qtdb_column_count(struct qtdb_statement *statement)
{
    statement = statement__target(statement);
    return statement != NULL && statement__prepare_rows(statement) ? statement->visible : 0;
}

const char *
qtdb_column_name(struct qtdb_statement *statement, uint32_t column)
{
    CHECK(column < qtdb_column_count(statement));
    statement = statement__target(statement);
    if (statement->ast->kind == AST_EXPLAIN)
        return "QUERY PLAN";
    return statement__columns(statement)[column].name;
}

enum qtdb_type
qtdb_column_type(struct qtdb_statement *statement, uint32_t column)
{
    CHECK(column < qtdb_column_count(statement));
    statement = statement__target(statement);
    if (statement->ast->kind == AST_EXPLAIN)
        return QTDB_TYPE_TEXT;
    enum qtdb_type type = statement__columns(statement)[column].type.type;
    return value_is_array(type) ? QTDB_TYPE_ARRAY : value_is_enum(type) ? QTDB_TYPE_ENUM : type;
}

static struct value
value_at(const struct qtdb_statement *statement, uint32_t column)
{
    if (statement->inner != NULL)
        statement = statement->inner;
    CHECK(statement->phase == STATEMENT_ROWS && column < statement->visible);
    if (statement->ast->kind == AST_EXPLAIN)
        return value_bytes(QTDB_TYPE_TEXT, statement->lines->text, strlen(statement->lines->text));
    return statement->row_values[column];
}

bool
qtdb_column_is_null(struct qtdb_statement *statement, uint32_t column)
{
    return value_at(statement, column).null;
}

static bool
cast_column(struct qtdb_statement *statement, uint32_t column, enum qtdb_type type,
            struct value *out)
{
    struct sql_type wanted = {type, -1, -1};
    struct value value = value_at(statement, column);
    struct sql_error ignored;

    return !value.null && value_cast(&value, &wanted, &statement->row, out, &ignored) == STATUS_OK;
}

int64_t
qtdb_column_i64(struct qtdb_statement *statement, uint32_t column)
{
    struct value value;

    return cast_column(statement, column, QTDB_TYPE_INT8, &value) ? value.integer : 0;
}

double
qtdb_column_f64(struct qtdb_statement *statement, uint32_t column)
{
    struct value value;

    return cast_column(statement, column, QTDB_TYPE_FLOAT8, &value) ? value.real : 0;
}

const char *
qtdb_column_text(struct qtdb_statement *statement, uint32_t column, size_t *size_out)
{
    struct value value = value_at(statement, column);
    size_t size = 0;

    if (value.null)
        return NULL;
    session_use_zone(statement->session);
    const char *text = value_print(&value, &statement->row, &size);
    if (text != NULL && size_out != NULL)
        *size_out = size;
    return text;
}

const void *
qtdb_column_bytes(struct qtdb_statement *statement, uint32_t column, size_t *size_out)
{
    struct value value = value_at(statement, column);

    if (value.null || value.type != QTDB_TYPE_BYTEA)
        return qtdb_column_text(statement, column, size_out);
    *size_out = value.size;
    return value.size > 0 ? (const void *)value.bytes : "";
}

/* Put into words when somebody asks. */
void
statement__set_tag(struct qtdb_statement *statement, const char *words, uint64_t count)
{
    statement->tag = words;
    statement->tag_count = count;
    statement->tag_counts = true;
}

uint64_t
qtdb_row_count(struct qtdb_statement *statement)
{
    return statement->inner != NULL ? statement->inner->row_count : statement->row_count;
}

const char *
qtdb_command_tag(struct qtdb_statement *statement)
{
    if (statement->inner != NULL)
        statement = statement->inner;
    if (statement->tag == NULL)
        return "";
    if (!statement->tag_counts)
        return statement->tag;
    (void)snprintf(statement->tag_text, sizeof(statement->tag_text), "%s %llu", statement->tag,
                   (unsigned long long)statement->tag_count);
    return statement->tag_text;
}
