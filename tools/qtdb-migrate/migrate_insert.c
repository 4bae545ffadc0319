/*
 * Rows into the target, through SQL. They are held until one INSERT has all it takes (ROWS_A_STATEMENT, fewer
 * where a row has many columns), for what a statement costs is more than what a row costs; and they are
 * committed ROWS_A_COMMIT rows or SIZE_A_COMMIT bytes at a time. The last rows of a table get a statement
 * of their own.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate_target_private.h"

enum {
    ROWS_A_STATEMENT = 64,
    PARAMETERS_MAX = 4096,
    HELD_MAX = 1024 * 1024, /* Bytes of rows that are held. */
    ROWS_A_COMMIT = 1024 * 1024,
    SIZE_A_COMMIT = 40 * 1024 * 1024,
};

static uint32_t
rows_a_statement(const struct migrate_target *target, const struct migrate_table *table)
{
    uint32_t most = table->column_count == 0 ? 1 : PARAMETERS_MAX / table->column_count;

    if (target->one_by_one || most < 1)
        return 1;
    return most < ROWS_A_STATEMENT ? most : (uint32_t)ROWS_A_STATEMENT;
}

static enum status
prepare_rows(struct migrate_target *target, const struct migrate_table *table, uint32_t count,
             struct qtdb_statement **out)
{
    text_buffer_reset(&target->sql);
    migrate_sql_insert(table, count, &target->sql);
    return target__prepare(target, table->name, out);
}

enum status
target__begin_rows(struct migrate_target *target, const struct migrate_table *table)
{
    CHECK(target->insert == NULL && target->rows == NULL);
    target->rows_max = rows_a_statement(target, table);
    arena_init(&target->held, target->env.memory, MEMORY_OTHER);
    target->rows =
        memory_alloc(target->env.memory, MEMORY_OTHER,
                     (size_t)target->rows_max * table->column_count * sizeof(*target->rows));
    target->columns = table->column_count;
    if (target->rows == NULL) {
        (void)snprintf(target->fault, sizeof(target->fault), "%s: no memory", table->name);
        return STATUS_NO_MEMORY;
    }
    return prepare_rows(target, table, target->rows_max, &target->insert);
}

static void
forget_transaction(struct migrate_target *target)
{
    target->in_transaction = false;
    target->pending_rows = 0;
    target->pending_size = 0;
}

void
target__forget_rows(struct migrate_target *target)
{
    qtdb_finalize(target->insert);
    target->insert = NULL;
    if (target->rows != NULL) {
        memory_free(target->env.memory, MEMORY_OTHER, target->rows,
                    (size_t)target->rows_max * target->columns * sizeof(*target->rows));
        arena_deinit(&target->held);
    }
    target->rows = NULL;
    target->row_count = 0;
    forget_transaction(target);
}

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

enum target_result
target__run_word(struct migrate_target *target, const char *word)
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
    return open ? target__run_word(target, "COMMIT") : TARGET_OK;
}

static enum target_result
run_rows(struct migrate_target *target, const struct migrate_table *table,
         struct qtdb_statement *statement)
{
    uint32_t count = target->row_count * target->columns;

    for (uint32_t i = 0; i < count; i++)
        if (bind_value(statement, i + 1, &target->rows[i]) != QTDB_OK)
            return refused(target, table);
    return qtdb_step(statement) == QTDB_DONE ? TARGET_OK : refused(target, table);
}

/* The rows that are held go into the table. */
static enum target_result
flush(struct migrate_target *target, const struct migrate_table *table)
{
    struct qtdb_statement *statement = target->insert;
    enum target_result result = TARGET_OK;

    if (target->row_count == 0)
        return TARGET_OK;
    if (!target->in_transaction) {
        result = target__run_word(target, "BEGIN");
        if (result != TARGET_OK)
            return result;
        target->in_transaction = true;
    }
    if (target->row_count < target->rows_max &&
        prepare_rows(target, table, target->row_count, &statement) != STATUS_OK)
        return TARGET_FAILED;
    result = run_rows(target, table, statement);
    if (statement != target->insert)
        qtdb_finalize(statement);
    else
        qtdb_reset(statement);
    target->pending_rows += target->row_count;
    target->row_count = 0;
    arena_reset(&target->held);
    return result;
}

/* Keeps the row, whose bytes are the caller's until it returns. */
static bool
hold(struct migrate_target *target, const struct converted *row)
{
    struct converted *out = &target->rows[(size_t)target->row_count * target->columns];

    for (uint32_t i = 0; i < target->columns; i++) {
        bool has_bytes = row[i].form == CONVERT_TEXT || row[i].form == CONVERT_BYTES;

        out[i] = row[i];
        target->pending_size += row[i].size + 8;
        if (!has_bytes || row[i].size == 0)
            continue;
        uint8_t *copy = arena_alloc(&target->held, row[i].size);

        if (copy == NULL)
            return false;
        memcpy(copy, row[i].bytes, row[i].size);
        out[i].bytes = (const char *)copy;
    }
    target->row_count++;
    return true;
}

enum target_result
target_insert(struct migrate_target *target, const struct migrate_table *table,
              const struct converted *row)
{
    CHECK(target->insert != NULL && target->columns == table->column_count);
    if (!hold(target, row)) {
        (void)snprintf(target->fault, sizeof(target->fault), "%s: no memory", table->name);
        return TARGET_FAILED;
    }
    if (target->row_count < target->rows_max && target->held.total_size < HELD_MAX)
        return TARGET_OK;
    enum target_result result = flush(target, table);

    if (result != TARGET_OK ||
        (target->pending_rows < ROWS_A_COMMIT && target->pending_size < SIZE_A_COMMIT))
        return result;
    return commit_pending(target);
}

enum target_result
target_end_table(struct migrate_target *target, const struct migrate_table *table)
{
    enum target_result result = flush(target, table);

    if (result != TARGET_OK)
        return result;
    result = commit_pending(target);
    target__forget_rows(target);
    return result;
}
