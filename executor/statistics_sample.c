/*
 * Making statistics: the rows looked at, and what is told from them.
 *
 * A table of up to SAMPLE_ROWS rows is read whole. Of a larger one a row is taken near each of SAMPLE_ROWS
 * places spread evenly over its tree, so the time does not grow with the table; the places are drawn with
 * a fixed seed, so that the same rows give the same statistics. Of values longer than
 * STATISTICS_VALUE_MAX only their size is kept.
 *
 * Different values are estimated from those in the sample by Haas and Stokes' Duj1 (IBM RJ 10025), as
 * PostgreSQL does: n d / (n - f1 + f1 n / N) of n sampled of N rows, d different values, f1 of them seen
 * once. A value is common when it comes a quarter more often than the average; the bounds divide the
 * others into parts of as many rows each.
 */
#include <math.h>
#include <string.h>

#include "executor/exec_private.h"
#include "executor/statistics.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "kernel/database.h"

enum { SAMPLE_ROWS = 15000, SAMPLE_VALUES = 300000, GUESSES = 32, SKIP_MAX = 32, PLACES = 32 };

struct sample {
    struct exec_context *context;
    const struct table *table;
    const bool *wanted;
    struct qtdb_tree *tree;
    double rows;   /* Of the table. */
    bool is_whole; /* All of them were read. */
    uint32_t most; /* Rows to take. */
    struct value *row;
    struct exec_rows taken;
    size_t charged;
    struct arena scratch;
    struct random random;
    uint8_t last[QTDB_KEY_SIZE_MAX]; /* Key of the last row taken. */
    size_t last_size;
};

/* Rows. */

static double
guess_rows(const struct sample *sample)
{
    uint8_t low[QTDB_KEY_SIZE_MAX];
    double sum = 0;

    for (uint32_t i = 0; i < GUESSES; i++) {
        size_t low_size = 0;
        double rows = 0;

        if (database_sample(sample->context->txn, sample->tree, (i + 0.5) / GUESSES, &rows, low,
                            &low_size) == STATUS_OK)
            sum += rows;
        else
            error_clear();
    }
    return sum / GUESSES;
}

static enum status
take_row(struct sample *sample, const void *bytes, size_t size)
{
    const struct table *table = sample->table;

    TRY(exec__check_interrupt(sample->context));
    arena_reset(&sample->scratch);
    TRY(table_decode_row(table, bytes, size, &sample->scratch, sample->row,
                         sample->context->error));
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct value *value = &sample->row[i];

        if (sample->wanted != NULL && !sample->wanted[i])
            *value = value_null(value->type);
        else if (!value->null && value_type_is_bytes(value->type) &&
                 value->size > STATISTICS_VALUE_MAX)
            *value = value_integer(QTDB_TYPE_NULL, value->size);
    }
    TRY(exec__rows_add(&sample->taken, sample->row));
    return exec__charge_arena(sample->context, &sample->taken.arena, &sample->charged);
}

static enum status
read_all(struct sample *sample, struct qtdb_cursor *cursor)
{
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key, *value;
        size_t key_size, value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        TRY(take_row(sample, value, value_size));
    }
    return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, sample->context->error);
}

/* A row `skip` behind the place; none when it is not behind the one before. */
static enum status
read_near(struct sample *sample, struct qtdb_cursor *cursor, double share, uint64_t skip)
{
    uint8_t low[QTDB_KEY_SIZE_MAX];
    const void *key, *value;
    size_t low_size = 0, key_size, value_size;
    double rows = 0;

    if (database_sample(sample->context->txn, sample->tree, share, &rows, low, &low_size) !=
        STATUS_OK) {
        error_clear();
        return STATUS_OK;
    }
    enum qtdb_code code = qtdb_cursor_seek(cursor, low, low_size);
    while (code == QTDB_OK && skip-- > 0)
        code = qtdb_cursor_next(cursor);
    if (code == QTDB_NOT_FOUND)
        return STATUS_OK;
    TRY(sql_from_code(code, sample->context->error));
    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    size_t least = key_size < sample->last_size ? key_size : sample->last_size;
    int order = memcmp(key, sample->last, least);
    if (order < 0 || (order == 0 && key_size <= sample->last_size))
        return STATUS_OK;
    memcpy(sample->last, key, key_size);
    sample->last_size = key_size;
    return take_row(sample, value, value_size);
}

/* In steps: the leaves of a step are brought in together, for those of a table that was just loaded are not in
 * memory. */
static enum status
read_some(struct sample *sample, struct qtdb_cursor *cursor)
{
    double shares[PLACES];
    uint64_t skips[PLACES];

    random_init(&sample->random, sample->table->id);
    for (uint32_t first = 0, count; first < sample->most; first += count) {
        count = sample->most - first < PLACES ? sample->most - first : PLACES;
        for (uint32_t i = 0; i < count; i++) {
            double within = (double)random_below(&sample->random, 1000) / 1000;

            shares[i] = (first + i + within) / sample->most;
            skips[i] = random_below(&sample->random, SKIP_MAX);
        }
        database_sample_fetch(sample->context->txn, sample->tree, shares, count);
        for (uint32_t i = 0; i < count; i++)
            TRY(read_near(sample, cursor, shares[i], skips[i]));
    }
    return STATUS_OK;
}

static enum status
take_rows(struct sample *sample)
{
    struct exec_context *context = sample->context;
    const struct table *table = sample->table;
    struct qtdb_cursor *cursor = NULL;
    enum status status;

    sample->most = SAMPLE_VALUES / (table->column_count + 1);
    sample->most = sample->most > SAMPLE_ROWS ? SAMPLE_ROWS : sample->most;
    sample->row = arena_alloc(&sample->taken.arena, table->column_count * sizeof(*sample->row));
    if (sample->row == NULL)
        return STATUS_NO_MEMORY;
    sample->taken.width = table->column_count;
    TRY(table_tree(context->txn, table, UINT32_MAX, &sample->tree, context->error));
    TRY(sql_from_code(qtdb_cursor_open(context->txn, sample->tree, &cursor), context->error));
    sample->rows = guess_rows(sample);
    sample->is_whole = sample->rows <= sample->most;
    status = sample->is_whole ? read_all(sample, cursor) : read_some(sample, cursor);
    qtdb_cursor_close(cursor);
    if (sample->is_whole)
        sample->rows = (double)sample->taken.count;
    return status;
}

/* Columns. */

/* Values of one column that are neither null nor too long, sorted. */
struct column {
    struct value **values;
    uint32_t count;
    uint32_t null_count;
    double size_sum; /* Of all that are not null. */
    uint32_t other_count;
    struct value **others; /* Values that are not common. */
};

/* A run of equal values. */
struct run {
    uint32_t first;
    uint32_t count;
};

static enum status
gather(struct sample *sample, uint32_t index, struct column *out)
{
    static const struct plan_sort_key key = {.column = 0};
    size_t count = sample->taken.count;
    struct value **scratch;

    *out = (struct column){.values = arena_alloc(&sample->scratch, count * sizeof(struct value *)),
                           .others = arena_alloc(&sample->scratch, count * sizeof(struct value *))};
    scratch = arena_alloc(&sample->scratch, count * sizeof(struct value *));
    if (out->values == NULL || out->others == NULL || scratch == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct value *value = &sample->taken.rows[i][index];
        bool is_long = value->type == QTDB_TYPE_NULL && !value->null;

        if (value->null) {
            out->null_count++;
            continue;
        }
        out->size_sum += is_long                            ? (double)value->integer
                         : value_type_is_bytes(value->type) ? value->size
                                                            : 8;
        if (!is_long)
            out->values[out->count++] = value;
    }
    exec__sort_rows(&out->values, out->count, &key, 1, scratch);
    return STATUS_OK;
}

/* Keeps the STATISTICS_COMMON_MAX longest, the longest first. */
static void
note_run(struct run *runs, uint32_t *count, struct run run)
{
    uint32_t at = *count;

    if (at == STATISTICS_COMMON_MAX && runs[at - 1].count >= run.count)
        return;
    at = at == STATISTICS_COMMON_MAX ? at - 1 : at;
    *count = at + 1;
    for (; at > 0 && runs[at - 1].count < run.count; at--)
        runs[at] = runs[at - 1];
    runs[at] = run;
}

struct runs {
    uint32_t distinct; /* Values in the sample, */
    uint32_t once;     /* and those of them that come once. */
    uint32_t count;
    struct run longest[STATISTICS_COMMON_MAX];
};

static void
find_runs(const struct column *column, struct runs *out)
{
    *out = (struct runs){.count = 0};
    for (uint32_t i = 0, end; i < column->count; i = end) {
        for (end = i + 1;
             end < column->count && value_compare(column->values[i], column->values[end]) == 0;)
            end++;
        out->distinct++;
        out->once += end == i + 1;
        note_run(out->longest, &out->count, (struct run){i, end - i});
    }
}

static double
distinct_of(const struct sample *sample, const struct column *column, const struct runs *runs)
{
    double taken = column->count, seen = runs->distinct, once = runs->once;
    double share = (double)column->count / (double)sample->taken.count;
    double rows = sample->rows * share, distinct = seen;

    if (!sample->is_whole && taken > 0)
        distinct = once == taken ? rows : taken * seen / (taken - once + once * taken / rows);
    distinct = distinct > rows ? rows : distinct < seen ? seen : distinct;
    return distinct > 0.1 * sample->rows ? -distinct / sample->rows : distinct;
}

/* Those that come clearly more often than the average; all, when they are all there are. */
static void
choose_common(const struct sample *sample, const struct column *column, struct runs *runs)
{
    double least = runs->distinct == 0 ? 0 : 1.25 * column->count / runs->distinct;
    bool all = runs->count == runs->distinct && (sample->is_whole || runs->once == 0);

    while (
        !all && runs->count > 0 &&
        (runs->longest[runs->count - 1].count < 2 || runs->longest[runs->count - 1].count < least))
        runs->count--;
}

static void
leave_common(const struct runs *runs, struct column *column)
{
    for (uint32_t i = 0; i < column->count;) {
        uint32_t k = 0;

        while (k < runs->count && runs->longest[k].first != i)
            k++;
        if (k < runs->count)
            i += runs->longest[k].count;
        else
            column->others[column->other_count++] = column->values[i++];
    }
}

static enum status
describe(struct sample *sample, const struct column *column, const struct runs *runs,
         struct statistics *out)
{
    double taken = (double)sample->taken.count, not_null = taken - column->null_count;
    struct arena *arena = &sample->scratch;

    *out = (struct statistics){.null_share = column->null_count / taken,
                               .distinct = distinct_of(sample, column, runs),
                               .width = not_null > 0 ? column->size_sum / not_null : 0,
                               .common_count = runs->count};
    out->common_shares = arena_alloc(arena, runs->count * sizeof(double));
    out->values =
        arena_alloc(arena, (STATISTICS_COMMON_MAX + STATISTICS_BOUNDS_MAX) * sizeof(struct value));
    if (out->common_shares == NULL || out->values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < runs->count; i++) {
        out->common_shares[i] = runs->longest[i].count / taken;
        out->values[i] = *column->values[runs->longest[i].first];
    }
    return STATUS_OK;
}

static void
add_bounds(struct column *column, struct statistics *out)
{
    uint32_t count = column->other_count;

    if (count < 2)
        return;
    out->bound_count = count < STATISTICS_BOUNDS_MAX ? count : STATISTICS_BOUNDS_MAX;
    for (uint32_t i = 0; i < out->bound_count; i++)
        out->values[out->common_count + i] =
            *column->others[(uint64_t)i * (count - 1) / (out->bound_count - 1)];
}

static enum status
make_column(struct sample *sample, uint32_t index)
{
    struct exec_context *context = sample->context;
    struct statistics statistics;
    struct runs runs;
    struct column column;

    arena_reset(&sample->scratch);
    TRY(gather(sample, index, &column));
    find_runs(&column, &runs);
    choose_common(sample, &column, &runs);
    TRY(describe(sample, &column, &runs, &statistics));
    leave_common(&runs, &column);
    add_bounds(&column, &statistics);
    return statistics_put(context->txn, sample->table, index, &statistics, &sample->scratch,
                          context->error);
}

static enum status
make_all(struct sample *sample)
{
    struct exec_context *context = sample->context;

    TRY(take_rows(sample));
    /* Nothing is known of no rows: what was known before may hold again. */
    for (uint32_t i = 0; i < sample->table->column_count && sample->taken.count > 0; i++) {
        if (sample->wanted == NULL || sample->wanted[i])
            TRY(make_column(sample, i));
    }
    return statistics_put_rows(context->txn, sample->table, sample->rows, context->error);
}

enum status
statistics_make(struct exec_context *context, const struct table *table, const bool *wanted)
{
    struct sample sample = {.context = context, .table = table, .wanted = wanted};

    arena_init(&sample.taken.arena, context->memory, MEMORY_SQL);
    arena_init(&sample.scratch, context->memory, MEMORY_SQL);
    enum status status = make_all(&sample);
    context->held_size -= sample.charged;
    arena_deinit(&sample.scratch);
    arena_deinit(&sample.taken.arena);
    if (status != STATUS_OK)
        return status;
    struct database_notes *notes = database_notes(context->db);
    atomic_store(&notes->rows[table->id % DATABASE_NOTES], (uint64_t)sample.rows);
    atomic_store(&notes->changed[table->id % DATABASE_NOTES], 0);
    return STATUS_OK;
}
