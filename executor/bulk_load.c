/*
 * Loads of the C interface (qtdb.h): a COPY FROM whose rows the client hands over as values. So a load has
 * a statement inside, which enters and leaves its transaction as others do.
 */
#include <string.h>

#include "executor/bulk.h"
#include "executor/session.h"
#include "executor/unicode.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

enum { ROWS_BETWEEN_LOOKS = 64 };

struct qtdb_load {
    struct qtdb_statement statement;
    struct ast_statement ast;
    struct ast_copy copy;
    struct arena arena;
    struct bulk bulk;
    bool failed;
};

/* Values. */

static bool
is_text(enum qtdb_type type)
{
    return type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR;
}

/* NUL is taken, as a parameter of an INSERT takes it. */
static bool
is_utf8(const char *bytes, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        at += unicode_valid_prefix(bytes + at, size - at);
        if (at < size && bytes[at] != '\0')
            return false;
    }
    return true;
}

static enum status
take_text(struct qtdb_load *load, const struct table_column *column, const struct qtdb_value *given,
          struct value *out)
{
    const struct sql_type *type = &column->type;
    struct sql_error *error = &load->statement.error;
    struct arena *arena = &load->bulk.change.arena;

    if (given->size >= UINT32_MAX)
        return sql_error_set(error, "54000", -1, "a value is too long");
    if (!is_utf8(given->bytes, given->size))
        return sql_error_set(error, "22021", -1, "invalid byte sequence for encoding \"UTF8\"");
    if (is_text(type->type))
        *out = value_bytes(type->type, given->bytes, given->size);
    else
        TRY(table_parse_value(column, given->bytes, given->size, arena, out, error));
    return type->precision < 0 ? STATUS_OK : value_cast(out, type, arena, out, error);
}

static enum status
take_value(struct qtdb_load *load, uint32_t index, const struct qtdb_value *given)
{
    const struct bulk_target *target = &load->bulk.target;
    uint32_t column = target->columns[index];
    const struct sql_type *type = &target->table->columns[column].type;
    struct value *out = &load->bulk.row[column];
    struct sql_error *error = &load->statement.error;
    struct value value;

    switch (given->type) {
    case QTDB_TYPE_NULL:
        *out = value_null(type->type);
        return STATUS_OK;
    case QTDB_TYPE_TEXT:
        return take_text(load, &target->table->columns[column], given, out);
    case QTDB_TYPE_INT8:
        value = value_integer(QTDB_TYPE_INT8, given->integer);
        break;
    case QTDB_TYPE_FLOAT8:
        value = value_real(QTDB_TYPE_FLOAT8, given->real);
        break;
    case QTDB_TYPE_BYTEA:
        if (given->size >= UINT32_MAX)
            return sql_error_set(error, "54000", -1, "a value is too long");
        value = value_bytes(QTDB_TYPE_BYTEA, given->bytes, given->size);
        break;
    default:
        return sql_error_set(error, "0A000", -1, "a load takes no values of type %s",
                             value_type_name(given->type));
    }
    if (value.type == type->type && type->precision < 0) {
        *out = value;
        return STATUS_OK;
    }
    if (!value_assigns(value.type, type->type))
        return sql_error_set(
            error, "42804", -1, "column \"%s\" is of type %s but the value is of type %s",
            target->names[index], value_type_name(type->type), value_type_name(value.type));
    return value_cast(&value, type, &load->bulk.change.arena, out, error);
}

static enum status
take_row(struct qtdb_load *load, const struct qtdb_value *values)
{
    struct value *row = NULL;

    bulk_next(&load->bulk);
    for (uint32_t i = 0; i < load->bulk.target.count; i++)
        TRY(take_value(load, i, &values[i]));
    TRY(bulk_make(&load->bulk, &row));
    return bulk_insert(&load->bulk, row);
}

enum qtdb_code
qtdb_load_rows(struct qtdb_load *load, const struct qtdb_value *values, size_t row_count,
               size_t *taken_out)
{
    struct qtdb_statement *statement = &load->statement;
    enum status status = STATUS_OK;
    size_t taken = 0;

    session_use_zone(statement->session);
    if (load->failed)
        status = sql_error_set(&statement->error, "25P02", -1,
                               "the load has failed: it takes nothing more and is to be discarded");
    for (; status == STATUS_OK && taken < row_count; taken += status == STATUS_OK) {
        if (load->bulk.count % ROWS_BETWEEN_LOOKS == 0)
            status = exec__check_interrupt(&statement->context);
        if (status == STATUS_OK)
            status = take_row(load, values + taken * load->bulk.target.count);
    }
    if (taken_out != NULL)
        *taken_out = taken;
    load->failed = load->failed || status != STATUS_OK;
    return status == STATUS_OK ? QTDB_OK : session_report(status, &statement->error, "");
}

uint32_t
qtdb_load_column_count(const struct qtdb_load *load)
{
    return load->bulk.target.count;
}

/* Its life. */

/* Leaves the transaction with what `status` says and frees the load. */
static enum qtdb_code
end(struct qtdb_load *load, enum status status)
{
    struct qtdb_session *session = load->statement.session;
    enum qtdb_code code = QTDB_OK;

    if (status == STATUS_OK)
        session_note_changes(session, load->bulk.target.table, load->bulk.count);
    bulk_close(&load->bulk);
    status = statement__leave(&load->statement, status);
    session_settle_changes(session, status == STATUS_OK);
    if (status != STATUS_OK)
        code = session_report(status, &load->statement.error, "");
    arena_deinit(&load->arena);
    if (session->load == load)
        session->load = NULL;
    memory_free(session->memory, MEMORY_SQL, load, sizeof(*load));
    return code;
}

static enum status
begin(struct qtdb_load *load)
{
    struct qtdb_statement *statement = &load->statement;
    struct bulk_target target;

    session_use_zone(statement->session);
    atomic_store(&statement->session->interrupted, false);
    TRY(statement__enter(statement));
    TRY(bulk_find(&statement->context, &load->copy, &load->arena, &target));
    return bulk_open(&load->bulk, &statement->context, &target, NULL, &load->arena);
}

enum qtdb_code
qtdb_load_begin(struct qtdb_session *session, const char *schema, const char *table,
                const char *const *columns, uint32_t column_count, struct qtdb_load **out)
{
    struct qtdb_load *load = memory_alloc(session->memory, MEMORY_SQL, sizeof(*load));

    if (load == NULL)
        return api_error(STATUS_NO_MEMORY);
    load->copy = (struct ast_copy){.table = {schema, table, -1},
                                   .from = true,
                                   .column_count = column_count,
                                   .columns = (const char **)(uintptr_t)columns};
    load->ast = (struct ast_statement){.kind = AST_COPY, .copy = &load->copy};
    load->statement.session = session;
    load->statement.ast = &load->ast;
    load->statement.error.location = -1;
    arena_init(&load->arena, session->memory, MEMORY_SQL);
    enum status status = begin(load);
    if (status != STATUS_OK)
        return end(load, status);
    session->load = load;
    *out = load;
    return QTDB_OK;
}

enum qtdb_code
qtdb_load_end(struct qtdb_load *load)
{
    enum status status = STATUS_OK;

    session_use_zone(load->statement.session);
    if (load->failed)
        status = sql_error_set(&load->statement.error, "25P02", -1, "the load has failed");
    if (status == STATUS_OK)
        status = bulk_end(&load->bulk);
    return end(load, status);
}

void
qtdb_load_discard(struct qtdb_load *load)
{
    if (load == NULL)
        return;
    load->statement.error = (struct sql_error){.location = -1};
    (void)end(load, STATUS_FAILED);
}
