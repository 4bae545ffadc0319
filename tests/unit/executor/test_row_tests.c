/*
 * Goal: a row test holds exactly where evaluating its condition gives true, for each kind and operator, with
 * nulls, long numbers and blanks at the ends of texts; what is no test is left to evaluation.
 * Method: every value of a small set of each type against every other, compared with expr_is_true.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "executor/row_test.h"

static struct memory *memory;
static struct arena arena;
static struct sql_error error;

static void
setup(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
}

static void
teardown(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(row_tests, .init = setup, .fini = teardown);

enum { VALUES_MAX = 16 };

/* Values of one type; a NULL text ends them, and stands for null. */
static uint32_t
parse_all(enum qtdb_type type, const char *const *texts, struct value *out)
{
    const struct sql_type wanted = {type, -1, -1};
    uint32_t count = 0;

    for (; texts[count] != NULL; count++)
        cr_assert_eq(
            value_parse(&wanted, texts[count], strlen(texts[count]), &arena, &out[count], &error),
            STATUS_OK, "%s", texts[count]);
    out[count] = value_null(type);
    return count + 1;
}

/* How often the condition holds for a row of these two values, as a test and evaluated. */
static uint32_t
ask(const struct expr *expr, const struct value *left, const struct value *right)
{
    struct row_test test;
    struct value row[] = {*left, *right};
    struct eval eval = {.arena = &arena, .error = &error};
    bool holds = false;

    cr_assert(row_test_init(&test, expr));
    cr_assert_eq(expr_is_true(expr, row, &eval, &holds), STATUS_OK);
    cr_assert_eq(row_test_holds(&test, row), holds, "kind %d operator %d", expr->kind,
                 expr->operator_kind);
    return holds;
}

/* All comparisons of all pairs; `columns`: of two columns, else with a constant. */
static uint32_t
compare_all(enum qtdb_type type, const char *const *texts, bool columns)
{
    struct value values[VALUES_MAX];
    uint32_t count = parse_all(type, texts, values), holding = 0;

    for (uint32_t i = 0; i < count * count; i++) {
        const struct value *left = &values[i / count], *right = &values[i % count];
        struct expr column = {.kind = EXPR_COLUMN, .type = {type, -1, -1}, .index = 0};
        struct expr other = {.kind = EXPR_COLUMN, .type = {type, -1, -1}, .index = 1};
        struct expr constant = {.kind = EXPR_CONSTANT, .type = {type, -1, -1}, .constant = *right};
        struct expr *arguments[] = {&column, columns ? &other : &constant};
        struct expr compare = {.kind = EXPR_COMPARE, .argument_count = 2, .arguments = arguments};
        struct row_test test;

        for (unsigned each = EXPR_EQUAL; each <= EXPR_GREATER_EQUAL; each++) {
            compare.operator_kind = each;
            if (columns || row_test_init(&test, &compare))
                holding += ask(&compare, left, right);
        }
    }
    return holding;
}

static const char *const integers[] = {"-9223372036854775808", "-1", "0", "1", "7",
                                       "9223372036854775807",  NULL};
static const char *const numbers[] = {"0",
                                      "0.00",
                                      "-1.5",
                                      "1.5",
                                      "1.50",
                                      "12345678.9",
                                      "-0.0001",
                                      "123456789012345678901234567890",
                                      "0.00000000000000000001",
                                      "NaN",
                                      NULL};
static const char *const words[] = {"", " ", "a", "a ", "ab", "b", "A%", NULL};

Test(row_tests, compare_as_evaluation_does)
{
    cr_assert_gt(compare_all(QTDB_TYPE_INT8, integers, false), 50);
    cr_assert_gt(compare_all(QTDB_TYPE_INT8, integers, true), 50);
    cr_assert_gt(compare_all(QTDB_TYPE_NUMERIC, numbers, false), 100);
    cr_assert_gt(compare_all(QTDB_TYPE_TEXT, words, false), 50);
    cr_assert_gt(compare_all(QTDB_TYPE_CHAR, words, false), 50);
}

/* IN of all values but nulls, from one to all of them; LIKE each as a pattern. */
static uint32_t
find_all(enum qtdb_type type, const char *const *texts, enum expr_kind kind)
{
    struct value values[VALUES_MAX];
    struct expr column = {.kind = EXPR_COLUMN, .type = {type, -1, -1}, .index = 0};
    struct expr constants[VALUES_MAX], *arguments[VALUES_MAX + 1] = {&column};
    uint32_t count = parse_all(type, texts, values), holding = 0;

    for (uint32_t i = 0; i + 1 < count; i++) {
        constants[i] =
            (struct expr){.kind = EXPR_CONSTANT, .type = {type, -1, -1}, .constant = values[i]};
        arguments[kind == EXPR_LIKE ? 1 : i + 1] = &constants[i];
        struct expr expr = {
            .kind = kind, .argument_count = kind == EXPR_LIKE ? 2 : i + 2, .arguments = arguments};

        for (uint32_t k = 0; k < count; k++) {
            expr.negated = false;
            holding += ask(&expr, &values[k], &values[k]);
            expr.negated = kind == EXPR_LIKE;
            holding += ask(&expr, &values[k], &values[k]);
        }
    }
    return holding;
}

Test(row_tests, find_among_constants_and_match_patterns)
{
    cr_assert_gt(find_all(QTDB_TYPE_INT8, integers, EXPR_IN), 20);
    cr_assert_gt(find_all(QTDB_TYPE_TEXT, words, EXPR_IN), 20);
    cr_assert_gt(find_all(QTDB_TYPE_CHAR, words, EXPR_IN), 20);
    cr_assert_gt(find_all(QTDB_TYPE_TEXT, words, EXPR_LIKE), 40);
}

static bool
is_test(const struct expr *expr)
{
    struct row_test test;

    return row_test_init(&test, expr);
}

Test(row_tests, leave_the_rest_to_evaluation)
{
    struct expr number = {.kind = EXPR_COLUMN, .type = {QTDB_TYPE_FLOAT8, -1, -1}};
    struct expr integer = {.kind = EXPR_COLUMN, .type = {QTDB_TYPE_INT4, -1, -1}};
    struct expr real = {.kind = EXPR_CONSTANT, .constant = value_real(QTDB_TYPE_FLOAT8, 1)};
    struct expr one = {.kind = EXPR_CONSTANT, .constant = value_integer(QTDB_TYPE_INT4, 1)};
    struct expr null = {.kind = EXPR_CONSTANT, .constant = value_null(QTDB_TYPE_INT4)};
    struct expr *floats[] = {&number, &real}, *nulls[] = {&integer, &null, &one};
    struct expr *turned[] = {&one, &integer}, *good[] = {&integer, &one};
    struct expr expr = {.kind = EXPR_COMPARE, .operator_kind = EXPR_EQUAL, .argument_count = 2};

    expr.arguments = good;
    cr_assert(is_test(&expr));
    expr.negated = true;
    cr_assert(!is_test(&expr));
    expr.negated = false;
    expr.arguments = floats;
    cr_assert(!is_test(&expr));
    expr.arguments = turned;
    cr_assert(!is_test(&expr));
    expr.arguments = nulls;
    cr_assert(!is_test(&expr));
    expr.kind = EXPR_IN;
    expr.argument_count = 3;
    cr_assert(!is_test(&expr));
    expr.arguments = good;
    expr.argument_count = 2;
    cr_assert(is_test(&expr));
    expr.negated = true;
    cr_assert(!is_test(&expr));
}
