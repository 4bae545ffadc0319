/*
 * Tables and rows of the target, all through SQL. Rows go in by one prepared INSERT a table, in
 * transactions of ROWS_A_COMMIT rows or SIZE_A_COMMIT bytes.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate_target_private.h"

enum { ROWS_A_COMMIT = 5000, SIZE_A_COMMIT = 8 * 1024 * 1024 };

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

static enum status
prepare(struct migrate_target *target, const char *what, struct qtdb_statement **out)
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
    text_buffer_reset(&target->sql);
    migrate_sql_insert(table, &target->sql);
    return prepare(target, table->name, &target->insert);
}

static void
forget_transaction(struct migrate_target *target)
{
    target->in_transaction = false;
    target->pending_rows = 0;
    target->pending_size = 0;
}

enum status
target_drop_table(struct migrate_target *target, const struct migrate_table *table)
{
    qtdb_finalize(target->insert);
    target->insert = NULL;
    text_buffer_reset(&target->sql);
    if (target->in_transaction)
        text_buffer_add_text(&target->sql, "ROLLBACK; ");
    forget_transaction(target);
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

/* Inserting. */

static enum qtdb_code
bind_value(struct qtdb_statement *statement, uint32_t index, const struct converted *value)
{
    switch (value->form) {
    case CONVERT_INTEGER:
        return qtdb_bind_i64(statement, index, value->integer);
    case CONVERT_REAL:
        return qtdb_bind_f64(statement, index, value->real);
    case CONVERT_TEXT:
        return qtdb_bind_text(statement, index, value->bytes, value->size);
    case CONVERT_BYTES:
        return qtdb_bind_bytes(statement, index, value->bytes, value->size);
    case CONVERT_NULL:
        break;
    }
    return qtdb_bind_null(statement, index);
}

static enum target_result
refused(struct migrate_target *target, const struct migrate_table *table)
{
    const char *state = qtdb_error_last()->sqlstate;
    bool constraint = strcmp(state, "23505") == 0 || strcmp(state, "54000") == 0;

    if (!constraint) {
        (void)target__fail(target, table->name);
        return TARGET_FAILED;
    }
    /* Its message is looked at for the constraint's name, so it stands alone. */
    (void)snprintf(target->sqlstate, sizeof(target->sqlstate), "%s", state);
    (void)snprintf(target->fault, sizeof(target->fault), "%s", qtdb_error_last()->message);
    return TARGET_BROKEN_CONSTRAINT;
}

static enum target_result
run_word(struct migrate_target *target, const char *word)
{
    if (qtdb_exec(target->session, word, NULL, NULL) == QTDB_OK)
        return TARGET_OK;
    (void)target__fail(target, word);
    return TARGET_FAILED;
}

static enum target_result
commit_pending(struct migrate_target *target)
{
    bool open = target->in_transaction;

    forget_transaction(target);
    return open ? run_word(target, "COMMIT") : TARGET_OK;
}

enum target_result
target_insert(struct migrate_target *target, const struct migrate_table *table,
              const struct converted *row)
{
    enum target_result result;

    CHECK(target->insert != NULL);
    if (!target->in_transaction) {
        result = run_word(target, "BEGIN");
        if (result != TARGET_OK)
            return result;
        target->in_transaction = true;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (bind_value(target->insert, i + 1, &row[i]) != QTDB_OK)
            return refused(target, table);
        target->pending_size += row[i].size + 8;
    }
    if (qtdb_step(target->insert) != QTDB_DONE)
        return refused(target, table);
    qtdb_reset(target->insert);
    if (++target->pending_rows < ROWS_A_COMMIT && target->pending_size < SIZE_A_COMMIT)
        return TARGET_OK;
    return commit_pending(target);
}

enum target_result
target_end_table(struct migrate_target *target)
{
    qtdb_finalize(target->insert);
    target->insert = NULL;
    return commit_pending(target);
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
    if (run_word(target, "BEGIN") != TARGET_OK)
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
    TRY(prepare(target, table->name, &select));
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
