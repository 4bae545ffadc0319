/*
 * Goal: training chooses by its rules and says why; correction is exact from anywhere; the same
 * directory gives the same router; refused memory leaves nothing.
 * Method: sets of known shape and the verdicts they must get; every guess for every key of small
 * directories; two trainings compared as bytes; each allocation refused once.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "learned/router.h"
#include "tests/support/leaf_sets.h"

enum { LEAVES = 40000, BYTES_MAX = 1 << 20 };

static uint64_t keys[LEAVES];
static struct memory *memory;
static struct leaf_directory directory;

static struct router *
train(enum leaf_set set, uint32_t count, struct router_options options)
{
    struct router *router;

    if (memory == NULL)
        memory = memory_new();
    if (options.row_count == 0)
        options.row_count = 254ULL * count;
    leaf_set_fill(set, 3, count, keys);
    leaf_set_directory(keys, count, 10, memory, &directory);
    cr_assert_eq(router_train(&directory, &options, memory, &router), STATUS_OK);
    return router;
}

static void
end(struct router *router)
{
    router_free(router);
    leaf_directory_deinit(&directory);
    memory_delete(memory);
    memory = NULL;
}

static struct router_verdict
verdict_of(enum leaf_set set, uint32_t count, struct router_options options)
{
    struct router *router = train(set, count, options);
    struct router_verdict verdict = *router_verdict(router);

    end(router);
    return verdict;
}

/* covers: L7 */
Test(router, builds_no_model_where_none_pays_and_says_so)
{
    struct router *router = train(LEAF_SET_DENSE, 40, (struct router_options){.row_count = 9999});

    cr_assert_eq(router_verdict(router)->kind, ROUTER_TREE);
    cr_assert_eq(router_verdict(router)->reason, ROUTER_REASON_FEW_ROWS);
    cr_assert_eq(router_find(router, &directory, 5), LEAF_NONE);
    cr_assert_eq(router_find_first(router, &directory, 0), LEAF_NONE);
    struct router_guess guess = router_predict(router, &directory, 5);
    cr_assert_eq(router_correct(&directory, &guess, 5), LEAF_NONE);
    cr_assert_eq(leaf_directory_append(&directory, UINT64_MAX, 1), STATUS_OK);
    cr_assert_eq(router_find(router, &directory, UINT64_MAX), LEAF_NONE);
    end(router);

    router = train(LEAF_SET_DENSE, 0, (struct router_options){.kind = ROUTER_RMI});
    cr_assert_eq(router_verdict(router)->reason, ROUTER_REASON_EMPTY);
    cr_assert_eq(router_find(router, &directory, 5), LEAF_NONE);
    end(router);

    struct router_verdict verdict =
        verdict_of(LEAF_SET_DENSE, 40, (struct router_options){.kind = ROUTER_TREE});
    cr_assert_eq(verdict.reason, ROUTER_REASON_ASKED);
}

/* covers: L7 */
Test(router, chooses_by_the_figures)
{
    static const struct router_options any = {.kind = ROUTER_AUTO};
    struct router_verdict verdict = verdict_of(LEAF_SET_DENSE, LEAVES, any);

    cr_assert_eq(verdict.kind, ROUTER_PLA);
    cr_assert_eq(verdict.model_count, 1);
    cr_assert_eq(verdict.reason, ROUTER_REASON_CHEAPEST);
    cr_assert_leq(verdict.error_max, 1);
    verdict = verdict_of(LEAF_SET_UNIFORM, LEAVES, any);
    cr_assert_eq(verdict.kind, ROUTER_RMI);
    cr_assert_eq(verdict.root, ROUTER_ROOT_LINEAR);
    cr_assert_eq(verdict_of(LEAF_SET_UNIFORM, 1000, any).kind, ROUTER_DIRECTORY);

    /* One far key must not spoil the rest. */
    verdict = verdict_of(LEAF_SET_ONE_OUTLIER, LEAVES, (struct router_options){.kind = ROUTER_RMI});
    cr_assert_eq(verdict.root, ROUTER_ROOT_LINEAR);
    cr_assert_leq(verdict.error_p99, 1);

    /* Nearly all models of the RMI are empty between two clusters. */
    verdict = verdict_of(LEAF_SET_TWO_CLUSTERS, LEAVES, any);
    cr_assert_neq(verdict.kind, ROUTER_TREE);
    cr_assert_leq(verdict.error_p99, ROUTER_ERROR_P99_MAX);

    /* Gaps that double: a logarithm, or pieces. */
    verdict = verdict_of(LEAF_SET_POWERS, LEAVES,
                         (struct router_options){.kind = ROUTER_RMI, .root = ROUTER_ROOT_NONE});
    cr_assert_eq(verdict.root, ROUTER_ROOT_LOG);

    /* A model of all keys alike errs by thousands; pieces do not. */
    verdict = verdict_of(LEAF_SET_ALL_EQUAL, LEAVES, (struct router_options){.kind = ROUTER_RMI});
    cr_assert_eq(verdict.error_p99, LEAVES - 1);
    verdict = verdict_of(LEAF_SET_ALL_EQUAL, LEAVES, any);
    cr_assert_neq(verdict.kind, ROUTER_RMI);
    cr_assert_leq(verdict.error_max, 3);
}

/* covers: L7 */
Test(router, says_why_a_model_was_refused)
{
    struct router_verdict verdict =
        verdict_of(LEAF_SET_TWO_CLUSTERS, 300, (struct router_options){.kind = ROUTER_AUTO});
    char text[600];

    cr_assert_eq(verdict.reason, ROUTER_REASON_SPARSE);
    cr_assert_neq(verdict.kind, ROUTER_RMI);
    cr_assert_eq(
        verdict_of(LEAF_SET_ENDS, LEAVES, (struct router_options){.kind = ROUTER_AUTO}).reason,
        ROUTER_REASON_ERROR);
    router_verdict_print(&verdict, text, sizeof(text));
    cr_assert(strstr(text, "empty") != NULL && strstr(text, "error_p50=") != NULL);
    for (int reason = 0; reason <= ROUTER_REASON_COUNT; reason++)
        cr_assert(strlen(router_reason_text((enum router_reason)reason)) > 0);
    cr_assert_str_eq(router_kind_name(ROUTER_PLA), "pla");
    cr_assert_str_eq(router_root_name(ROUTER_ROOT_QUANTILE), "quantile");
}

/* covers: L2 */
Test(router, corrects_any_guess)
{
    static const uint32_t counts[] = {1, 2, 7, 8, 9, 40, 100};

    for (int set = 0; set < LEAF_SET_COUNT; set++)
        for (uint32_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            uint32_t count = counts[c];
            struct router *router = train((enum leaf_set)set, count, (struct router_options){0});

            for (uint32_t i = 0; i < 3 * count; i++)
                for (uint32_t position = 0; position < count + 2; position++) {
                    uint64_t key = keys[i / 3] + i % 3 - 1;
                    struct router_guess guess = {.position = position, .high = 1};

                    cr_assert_eq(router_correct(&directory, &guess, key),
                                 leaf_directory_search(&directory, count, key),
                                 "%s: leaf %u of %u from %u", leaf_set_name((enum leaf_set)set),
                                 i / 3, count, position);
                }
            end(router);
        }
}

/* covers: L4 */
Test(router, is_the_same_for_the_same_directory)
{
    static uint8_t first[BYTES_MAX];
    static uint8_t second[BYTES_MAX];

    for (int set = 0; set < LEAF_SET_COUNT; set++)
        for (int kind = ROUTER_AUTO; kind < ROUTER_KIND_COUNT; kind++) {
            struct router_options options = {.kind = (enum router_kind)kind};
            struct router *router = train((enum leaf_set)set, LEAVES, options);
            size_t size = router_encode(router, &directory, first, sizeof(first));

            cr_assert_leq(size, sizeof(first));
            end(router);
            router = train((enum leaf_set)set, LEAVES, options);
            cr_assert_eq(router_encode(router, &directory, second, sizeof(second)), size);
            cr_assert_arr_eq(first, second, size);
            end(router);
        }
}

Test(router, refuses_options_out_of_range)
{
    static const struct router_options wrong[] = {
        {.kind = (enum router_kind)5}, {.kind = (enum router_kind) - 1},
        {.root = (enum router_root)5}, {.model_leaves = 65},
        {.piece_error = 65},
    };
    struct router *router = train(LEAF_SET_DENSE, 10, (struct router_options){0});
    struct router *other;

    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(router_train(&directory, &wrong[i], memory, &other), STATUS_INVALID);
    router_prefetch(router, 5);
    end(router);
}

/* covers: L6 */
Test(router, leaves_nothing_when_memory_is_refused)
{
    for (int kind = ROUTER_AUTO; kind < ROUTER_KIND_COUNT; kind++)
        for (int root = 0; root < ROUTER_ROOT_COUNT; root++) {
            struct router_options options = {
                .kind = (enum router_kind)kind, .root = (enum router_root)root, .row_count = 1e6};
            struct router *router = train(LEAF_SET_UNIFORM, LEAVES, options);
            struct router *other;
            enum status status = STATUS_NO_MEMORY;
            uint64_t live = memory_live_count(memory);
            uint64_t used = memory_used(memory, MEMORY_ROUTER);

            for (uint64_t index = 0; status != STATUS_OK; index++) {
                memory_fail_at(memory, index, false);
                status = router_train(&directory, &options, memory, &other);
                cr_assert_eq(status, memory_failed(memory) ? STATUS_NO_MEMORY : STATUS_OK);
                memory_fail_at(memory, UINT64_MAX, false);
                if (status != STATUS_OK) {
                    cr_assert_eq(memory_live_count(memory), live);
                    cr_assert_eq(memory_used(memory, MEMORY_ROUTER), used);
                }
            }
            cr_assert_eq(memory_used(memory, MEMORY_ROUTER) - used, router_verdict(other)->size,
                         "the verdict's size is what is allocated");
            router_free(other);
            end(router);
        }
}
