/*
 * What rows cost as bytes: encoding and decoding whole rows, a short one of integers and a longer one of mixed
 * types with a null, and encoding keys.
 *
 * The rows stay in cache and differ from call to call; the clock is the thread's own processor time: the
 * median of 15 rounds. What is decoded is compared with what was encoded before the clock starts, and a sum
 * of it afterwards; a wrong one ends the program with 1.
 *
 *   bench_row [--smoke]     --smoke: few repetitions, for a test that it runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "executor/row.h"
#include "kernel/base/random.h"

enum { ROUND_COUNT = 15, ROWS = 64, COLUMNS_MAX = 10, ROOM = 512 };

struct shape {
    const char *name;
    uint32_t count;
    struct sql_type types[COLUMNS_MAX];
};

struct rows {
    const struct shape *shape;
    struct value values[ROWS][COLUMNS_MAX];
    uint8_t texts[ROWS][64];
    uint8_t bytes[ROWS][ROOM];
    size_t sizes[ROWS];
    uint64_t sum; /* Of all integers and sizes of a row, over the rows. */
};

typedef bool (*step_fn)(struct rows *rows, uint32_t row, uint64_t *sum);

static double
now_ns(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int
compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

static uint64_t
sum_of(const struct value *values, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (values[i].null)
            continue;
        sum += values[i].type == QTDB_TYPE_TEXT ? values[i].size : (uint64_t)values[i].integer;
    }
    return sum;
}

static void
must(bool right, const char *what)
{
    if (right)
        return;
    printf("%s: wrong result\n", what);
    exit(1);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static bool
step_encode(struct rows *rows, uint32_t row, uint64_t *sum)
{
    uint8_t bytes[ROOM];
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
    bool ok = row_encode(rows->values[row], rows->shape->count, &writer);

    *sum += writer.offset;
    return ok;
}

static bool
step_decode(struct rows *rows, uint32_t row, uint64_t *sum)
{
    struct value values[COLUMNS_MAX];
    uint32_t count = 0;
    enum status status = row_decode(rows->bytes[row], rows->sizes[row], rows->shape->types,
                                    rows->shape->count, values, &count);

    *sum += sum_of(values, rows->shape->count);
    return status == STATUS_OK && count == rows->shape->count;
}

static bool
step_key(struct rows *rows, uint32_t row, uint64_t *sum)
{
    uint8_t bytes[ROOM];
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
    bool ok =
        key_encode(&rows->values[row][0], &writer) && key_encode(&rows->values[row][2], &writer);

    *sum += writer.offset;
    return ok;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void
make_rows(struct rows *rows, const struct shape *shape)
{
    struct random random;

    random_init(&random, 5);
    *rows = (struct rows){.shape = shape};
    for (uint32_t row = 0; row < ROWS; row++) {
        struct byte_writer writer = byte_writer_init(rows->bytes[row], ROOM);

        for (uint32_t i = 0; i < shape->count; i++) {
            enum qtdb_type type = shape->types[i].type;
            struct value *value = &rows->values[row][i];

            *value = value_integer(type, (int64_t)random_below(&random, 100000));
            if (type == QTDB_TYPE_TEXT) {
                random_bytes(&random, rows->texts[row], sizeof(rows->texts[row]));
                *value = value_bytes(type, rows->texts[row], 8 + random_below(&random, 40));
            } else if (type == QTDB_TYPE_BOOL) {
                value->integer &= 1;
            } else if (type == QTDB_TYPE_FLOAT8) {
                *value = value_real(type, (double)value->integer);
            }
        }
        rows->values[row][shape->count - 1].null = row % 4 == 0;
        must(row_encode(rows->values[row], shape->count, &writer), "row_encode");
        rows->sizes[row] = writer.offset;
        rows->sum += sum_of(rows->values[row], shape->count);
    }
}

/* Every column as it was encoded. */
static void
check_rows(const struct rows *rows)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        struct value values[COLUMNS_MAX];
        uint32_t count = 0;

        must(row_decode(rows->bytes[row], rows->sizes[row], rows->shape->types, rows->shape->count,
                        values, &count) == STATUS_OK &&
                 count == rows->shape->count,
             "row_decode");
        for (uint32_t i = 0; i < count; i++) {
            const struct value *wanted = &rows->values[row][i];
            bool same = wanted->null ? values[i].null : !values[i].null;

            if (same && !wanted->null && wanted->type == QTDB_TYPE_TEXT)
                same = values[i].size == wanted->size &&
                       memcmp(values[i].bytes, wanted->bytes, wanted->size) == 0;
            else if (same && !wanted->null)
                same = values[i].integer == wanted->integer;
            must(same, "row_decode");
        }
    }
}

static void
run(struct rows *rows, const char *name, step_fn step, uint32_t repeat_count, uint64_t wanted)
{
    double ns[ROUND_COUNT];
    size_t size = 0;

    for (uint32_t row = 0; row < ROWS; row++)
        size += rows->sizes[row];
    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        uint64_t sum = 0;
        double begin = now_ns();

        for (uint32_t index = 0; index < repeat_count * ROWS; index++)
            must(step(rows, index % ROWS, &sum), name);
        ns[round] = (now_ns() - begin) / (repeat_count * ROWS);
        must(wanted == 0 || sum == wanted * repeat_count, name);
    }
    qsort(ns, ROUND_COUNT, sizeof(ns[0]), compare_doubles);
    printf("%-12s %-24s %9.1f ns %6zu bytes\n", name, rows->shape->name, ns[ROUND_COUNT / 2],
           size / ROWS);
}

int
main(int argc, char **argv)
{
#define COLUMN(type)             \
    {                            \
        QTDB_TYPE_##type, -1, -1 \
    }
    static const struct shape shapes[] = {
        {"4 integers", 4, {COLUMN(INT8), COLUMN(INT8), COLUMN(INT4), COLUMN(INT4)}},
        {"10 columns of all kinds",
         10,
         {COLUMN(INT8), COLUMN(TEXT), COLUMN(INT4), COLUMN(BOOL), COLUMN(FLOAT8), COLUMN(DATE),
          COLUMN(TIMESTAMP), COLUMN(INT2), COLUMN(INT8), COLUMN(INT4)}},
    };
    static struct rows rows;
    uint32_t repeat_count = argc > 1 && strcmp(argv[1], "--smoke") == 0 ? 1 : 2000;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        uint64_t size = 0;

        make_rows(&rows, &shapes[i]);
        check_rows(&rows);
        for (uint32_t row = 0; row < ROWS; row++)
            size += rows.sizes[row];
        run(&rows, "encode", step_encode, repeat_count, size);
        run(&rows, "decode", step_decode, repeat_count, rows.sum);
        run(&rows, "two keys", step_key, repeat_count, 0);
    }
    return 0;
}
