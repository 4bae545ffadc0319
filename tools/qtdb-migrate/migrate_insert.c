/*
 * Rows into the target, by loads (qtdb_load_begin): each row is judged as it goes in; load_queue.c hands them over. A load is a transaction;
 * it ends after SIZE_A_LOAD bytes, well inside what a transaction holds in memory, because a long
 * transaction goes to the file sorted and as whole pages.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate_target_private.h"

/* What a row takes in a transaction beside its texts, about: its entry, and 2 bytes a value. A transaction may hold 64 MB. */
enum { SIZE_A_LOAD = 51 * 1024 * 1024, ROW_SIZE = 112, VALUE_SIZE = 2 };

void
target__begin_rows(struct migrate_target *target, const struct migrate_table *table)
{
    CHECK(target->load == NULL);
    target->columns = table->column_count;
}

void
target__forget_rows(struct migrate_target *target)
{
    qtdb_load_discard(target->load);
    target->load = NULL;
    target->load_size = 0;
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
begin_load(struct migrate_target *target, const struct migrate_table *table)
{
    if (target->load != NULL)
        return TARGET_OK;
    target->load_size = 0;
    if (qtdb_load_begin(target->session, table->schema, table->name, NULL, 0, &target->load) !=
        QTDB_OK)
        return refused(target, table);
    CHECK(qtdb_load_column_count(target->load) == target->columns);
    return TARGET_OK;
}

static enum target_result
end_load(struct migrate_target *target, const struct migrate_table *table)
{
    struct qtdb_load *load = target->load;

    target->load = NULL;
    return load == NULL || qtdb_load_end(load) == QTDB_OK ? TARGET_OK : refused(target, table);
}

/* What the rows take in a transaction, about. */
static uint64_t
size_of(const struct qtdb_value *values, size_t count)
{
    uint64_t size = VALUE_SIZE * count;

    for (size_t i = 0; i < count; i++)
        size += values[i].size;
    return size;
}

enum target_result
target_insert(struct migrate_target *target, const struct migrate_table *table,
              const struct qtdb_value *values, uint32_t row_count, uint32_t *taken_out)
{
    size_t taken = 0;

    CHECK(target->columns == table->column_count && row_count > 0);
    *taken_out = 0;
    enum target_result result = begin_load(target, table);
    if (result != TARGET_OK)
        return result;
    target->load_size +=
        ROW_SIZE * (uint64_t)row_count + size_of(values, (size_t)row_count * target->columns);
    enum qtdb_code code = qtdb_load_rows(target->load, values, row_count, &taken);
    *taken_out = (uint32_t)taken;
    if (code != QTDB_OK)
        return refused(target, table);
    return target->load_size < SIZE_A_LOAD ? TARGET_OK : end_load(target, table);
}

enum target_result
target_end_table(struct migrate_target *target, const struct migrate_table *table)
{
    enum target_result result = end_load(target, table);

    if (result == TARGET_OK)
        target__forget_rows(target);
    return result;
}
