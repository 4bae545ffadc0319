/*
 * What the pure functions on a page cost: sealing, comparing, encoding and applying records.
 *
 * Each case runs on pages that stay in cache, and the clock is the thread's own processor time: the
 * median of 15 rounds. A case's result is checked before it is timed; a wrong one ends the program
 * with 1.
 *
 *   bench_page [--smoke]     --smoke: few repetitions, for a test that it runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/base/memory.h"
#include "kernel/base/random.h"
#include "pager/page.h"
#include "pager/page_delta.h"

enum { ROUND_COUNT = 15, FILE_ID = 1, PAGE_NUMBER = 7, CSN = 9, MOVE_MAX = 2 };

struct bench {
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t target[PAGE_SIZE];
    uint8_t body[PAGE_DELTA_SIZE_MAX];
    size_t body_size;
    struct page_move moves[MOVE_MAX];
    uint32_t move_count;
    struct compress *compress; /* NULL: images are not compressed. */
    struct compress *codec;
    uint32_t repeat_count;
};

typedef bool (*step_fn)(struct bench *bench);

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

/* Prints the median of the rounds; ends the program when a step says that its result is wrong. */
static void
run(struct bench *bench, const char *name, step_fn step)
{
    double ns[ROUND_COUNT];

    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        double begin = now_ns();

        for (uint32_t index = 0; index < bench->repeat_count; index++) {
            if (!step(bench)) {
                printf("%s: wrong result\n", name);
                exit(1);
            }
        }
        ns[round] = (now_ns() - begin) / bench->repeat_count;
    }
    qsort(ns, ROUND_COUNT, sizeof(ns[0]), compare_doubles);
    printf("%-40s %9.1f ns %6zu bytes\n", name, ns[ROUND_COUNT / 2], bench->body_size);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static bool
step_seal(struct bench *bench)
{
    page_seal(bench->after, FILE_ID);
    return true;
}

static bool
step_validate(struct bench *bench)
{
    const char *reason;

    return page_validate(bench->after, FILE_ID, PAGE_NUMBER, &reason) == STATUS_OK;
}

static bool
step_compare(struct bench *bench)
{
    return page_delta_is_empty(bench->before, bench->after);
}

static bool
step_encode_ranges(struct bench *bench)
{
    bench->body_size =
        page_delta_encode_ranges(bench->before, bench->after, bench->moves, bench->move_count, 1,
                                 bench->body, sizeof(bench->body));
    return bench->body_size > 0;
}

static bool
step_encode_image(struct bench *bench)
{
    bench->body_size =
        page_delta_encode_image(bench->after, 1, bench->compress, bench->body, sizeof(bench->body));
    return bench->body_size > 0;
}

static bool
step_apply_ranges(struct bench *bench)
{
    return page_delta_apply_ranges(bench->target, CSN, bench->body, bench->body_size) == STATUS_OK;
}

static bool
step_apply_image(struct bench *bench)
{
    return page_delta_apply_image(bench->target, CSN, bench->body, bench->body_size,
                                  bench->codec) == STATUS_OK;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

/* Whether applying the body turns before into after. */
static void
require_body(struct bench *bench, const char *name, step_fn encode, step_fn apply)
{
    memcpy(bench->target, bench->before, PAGE_SIZE);
    if (!encode(bench) || !apply(bench) || !page_delta_is_empty(bench->target, bench->after)) {
        printf("%s: wrong result\n", name);
        exit(1);
    }
}

static void
run_ranges(struct bench *bench, const char *name)
{
    char text[64];

    require_body(bench, name, step_encode_ranges, step_apply_ranges);
    (void)snprintf(text, sizeof(text), "encode ranges, %s", name);
    run(bench, text, step_encode_ranges);
    (void)snprintf(text, sizeof(text), "apply ranges, %s", name);
    run(bench, text, step_apply_ranges);
}

static void
run_image(struct bench *bench, const char *name)
{
    char text[64];

    for (uint32_t packed = 0; packed < 2; packed++) {
        const char *how = packed ? ", zstd" : "";

        bench->compress = packed ? bench->codec : NULL;
        require_body(bench, name, step_encode_image, step_apply_image);
        (void)snprintf(text, sizeof(text), "encode image, %s%s", name, how);
        run(bench, text, step_encode_image);
        (void)snprintf(text, sizeof(text), "apply image, %s%s", name, how);
        run(bench, text, step_apply_image);
    }
}

/* Two arrays of 8-byte numbers, as a leaf of an integer tree has them: `count` keys and values. */
static void
fill_leaf(uint8_t *page, uint64_t count)
{
    page_init(page, PAGE_NUMBER, 1, PAGE_TYPE_TEST, 0);
    for (uint64_t index = 0; index < count; index++) {
        le64 key = le64_of(1000000 + index * 3);
        le64 value = le64_of(random_mix(index));

        memcpy(page + 64 + index * 8, &key, sizeof(key));
        memcpy(page + 2080 + index * 8, &value, sizeof(value));
    }
}

static void
run_range_cases(struct bench *bench, struct random *random)
{
    page_init(bench->before, PAGE_NUMBER, 1, PAGE_TYPE_TEST, 0);
    random_bytes(random, bench->before + PAGE_HEADER_SIZE, PAGE_BODY_SIZE);
    memcpy(bench->after, bench->before, PAGE_SIZE);
    run(bench, "seal", step_seal);
    run(bench, "validate", step_validate);
    run(bench, "compare equal pages", step_compare);
    run_ranges(bench, "nothing");
    random_bytes(random, bench->after + 2000, 100);
    run_ranges(bench, "100 bytes");
    random_bytes(random, bench->after + PAGE_HEADER_SIZE, PAGE_BODY_SIZE);
    run_ranges(bench, "whole page");
}

static void
run_insert_case(struct bench *bench)
{
    fill_leaf(bench->before, 240);
    memcpy(bench->after, bench->before, PAGE_SIZE);
    bench->moves[0] = (struct page_move){1024, 1032, 960};
    bench->moves[1] = (struct page_move){3040, 3048, 960};
    for (uint32_t index = 0; index < 2; index++) {
        struct page_move move = bench->moves[index];

        memmove(bench->after + move.to, bench->after + move.from, move.size);
        memset(bench->after + move.from, 0x5a, 8);
    }
    run_ranges(bench, "insert");
    bench->move_count = 2;
    run_ranges(bench, "insert, 2 moves");
    bench->move_count = 0;
}

static void
run_image_cases(struct bench *bench, struct random *random)
{
    memset(bench->before, 0, PAGE_SIZE);
    fill_leaf(bench->after, 170);
    run_image(bench, "leaf, 2/3 full");
    random_bytes(random, bench->after + PAGE_HEADER_SIZE, PAGE_BODY_SIZE);
    run_image(bench, "random");
}

int
main(int argc, char **argv)
{
    static struct bench bench;
    struct memory *memory = memory_new();
    struct random random;

    if (memory == NULL || compress_new(memory, &bench.codec) != STATUS_OK)
        return 1;
    bench.repeat_count = argc > 1 && strcmp(argv[1], "--smoke") == 0 ? 10 : 20000;
    random_init(&random, 1);
    run_range_cases(&bench, &random);
    run_insert_case(&bench);
    run_image_cases(&bench, &random);
    compress_free(bench.codec);
    memory_delete(memory);
    return 0;
}
