/* Tables of the target and everything else that is done there, all through SQL. Rows: migrate_insert.c. */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate_target_private.h"

static enum status
run(struct migrate_target *target, const char *what)
{
    if (target->sql.failed) {
        (void)snprintf(target->fault, sizeof(target->fault), "%s: no memory", what);
        return STATUS_NO_MEMORY;
    }
    if (qtdb_exec(target->session, target->sql.bytes, NULL, NULL) != QTDB_OK)
        return target__fail(target, what);
    return STATUS_OK;
}

enum status
target__prepare(struct migrate_target *target, const char *what, struct qtdb_statement **out)
{
    if (target->sql.failed) {
        (void)snprintf(target->fault, sizeof(target->fault), "%s: no memory", what);
        return STATUS_NO_MEMORY;
    }
    if (qtdb_prepare(target->session, target->sql.bytes, out, NULL) != QTDB_OK)
        return target__fail(target, what);
    return STATUS_OK;
}

enum status
target_create_schema(struct migrate_target *target, const char *name)
{
    text_buffer_reset(&target->sql);
    text_buffer_add_text(&target->sql, "CREATE SCHEMA IF NOT EXISTS ");
    text_buffer_add_identifier(&target->sql, name);
    return run(target, name);
}

static enum status
create(struct migrate_target *target, const struct migrate_table *table)
{
    text_buffer_reset(&target->sql);
    migrate_sql_create(table, &target->sql);
    return run(target, table->name);
}

enum status
target_create_table(struct migrate_target *target, struct migrate_table *table)
{
    enum status status = create(target, table);

    /* A default that the target does not know must not keep the rows out. */
    if (status != STATUS_OK && migrate_has_defaults(table) && !table->defaults_left_out) {
        table->defaults_left_out = true;
        status = create(target, table);
    }
    TRY(status);
    target__begin_rows(target, table);
    return STATUS_OK;
}

enum status
target_drop_table(struct migrate_target *target, const struct migrate_table *table)
{
    target__forget_rows(target);
    text_buffer_reset(&target->sql);
    text_buffer_add_text(&target->sql, "DROP TABLE ");
    migrate_sql_name(table, &target->sql);
    return run(target, table->name);
}

enum status
target_clear_table(struct migrate_target *target, const struct migrate_table *table)
{
    text_buffer_reset(&target->sql);
    text_buffer_add_text(&target->sql, "DROP TABLE IF EXISTS ");
    migrate_sql_name(table, &target->sql);
    return run(target, table->name);
}

/* Everything else. */

/* One statement; what follows it in the text is refused, for the text comes from a source. */
static enum qtdb_code
run_one(struct migrate_target *target, const char *sql)
{
    struct qtdb_statement *statement = NULL;
    const char *rest = NULL;
    enum qtdb_code code = qtdb_prepare(target->session, sql, &statement, &rest);

    if (code != QTDB_OK)
        return code;
    if (statement == NULL || rest[strspn(rest, " \t\r\n;")] != '\0') {
        qtdb_finalize(statement);
        (void)snprintf(target->fault, sizeof(target->fault), "not exactly one statement");
        return QTDB_INVALID;
    }
    do {
        code = qtdb_step(statement);
    } while (code == QTDB_ROW);
    if (code != QTDB_DONE)
        (void)target__fail(target, "refused");
    qtdb_finalize(statement);
    return code == QTDB_DONE ? QTDB_OK : code;
}

enum target_result
target_try(struct migrate_target *target, const char *sql, const char *schema)
{
    enum qtdb_code code = QTDB_OK;

    target->fault[0] = '\0';
    target->sqlstate[0] = '\0';
    if (target__run_word(target, "BEGIN") != TARGET_OK)
        return TARGET_FAILED;
    if (schema[0] != '\0') {
        text_buffer_reset(&target->sql);
        text_buffer_add_text(&target->sql, "SET LOCAL search_path TO ");
        text_buffer_add_identifier(&target->sql, schema);
        text_buffer_add_text(&target->sql, ", public");
        code = target->sql.failed ? QTDB_NO_MEMORY : run_one(target, target->sql.bytes);
    }
    if (code == QTDB_OK)
        code = run_one(target, sql);
    if (code == QTDB_OK && qtdb_exec(target->session, "COMMIT", NULL, NULL) == QTDB_OK)
        return TARGET_OK;
    if (target->fault[0] == '\0') {
        const struct qtdb_error *error = qtdb_error_last();

        (void)snprintf(target->sqlstate, sizeof(target->sqlstate), "%s", error->sqlstate);
        (void)snprintf(target->fault, sizeof(target->fault), "%s", error->message);
    }
    /* After a COMMIT that failed there is nothing to roll back. */
    enum qtdb_code back = qtdb_exec(target->session, "ROLLBACK", NULL, NULL);
    (void)back;
    return code == QTDB_NO_MEMORY || code == QTDB_IO || code == QTDB_FAILED
               ? TARGET_FAILED
               : TARGET_BROKEN_CONSTRAINT;
}

/* Reading back. */

static bool
sum_value(struct qtdb_statement *select, uint32_t index, const struct migrate_column *column,
          struct text_buffer *row)
{
    size_t size = 0;

    if (qtdb_column_is_null(select, index)) {
        migrate_sum_null(row);
        return true;
    }
    switch (column->type.type) {
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
        migrate_sum_integer(row, qtdb_column_i64(select, index));
        return true;
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        migrate_sum_real(row, qtdb_column_f64(select, index));
        return true;
    default:
        break;
    }
    const char *text = qtdb_column_text(select, index, &size);
    if (text == NULL)
        return false;
    migrate_sum_bytes(row, text, size);
    return true;
}

static enum status
sum_rows(struct migrate_target *target, const struct migrate_table *table,
         struct qtdb_statement *select, struct migrate_sum *out)
{
    struct text_buffer row;
    enum qtdb_code code;
    bool ok = true;

    text_buffer_init(&row, target->env.memory);
    for (code = qtdb_step(select); ok && code == QTDB_ROW; code = qtdb_step(select)) {
        for (uint32_t i = 0; ok && i < table->column_count; i++)
            ok = sum_value(select, i, &table->columns[i], &row);
        ok = ok && migrate_sum_row(out, &row);
    }
    text_buffer_deinit(&row);
    if (!ok) {
        (void)snprintf(target->fault, sizeof(target->fault), "%s: no memory", table->name);
        return STATUS_NO_MEMORY;
    }
    return code == QTDB_DONE ? STATUS_OK : target__fail(target, table->name);
}

enum status
target_sum(struct migrate_target *target, const struct migrate_table *table,
           struct migrate_sum *out)
{
    struct qtdb_statement *select = NULL;

    *out = (struct migrate_sum){.row_count = 0};
    text_buffer_reset(&target->sql);
    migrate_sql_select(table, &target->sql);
    TRY(target__prepare(target, table->name, &select));
    enum status status = sum_rows(target, table, select, out);
    qtdb_finalize(select);
    return status;
}

enum status
target_normalise(struct migrate_target *target, const char *text, size_t size, const char **out,
                 size_t *size_out)
{
    static const char sql[] = "SELECT $1::jsonb";

    if (target->normalise == NULL &&
        qtdb_prepare(target->session, sql, &target->normalise, NULL) != QTDB_OK)
        return target__fail(target, sql);
    qtdb_reset(target->normalise);
    if (qtdb_bind_text(target->normalise, 1, text, size) != QTDB_OK ||
        qtdb_step(target->normalise) != QTDB_ROW)
        return target__fail(target, sql);
    *out = qtdb_column_text(target->normalise, 0, size_out);
    return *out != NULL ? STATUS_OK : target__fail(target, sql);
}
