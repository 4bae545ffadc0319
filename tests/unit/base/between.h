/*
 * A test between a set-up and a tear-down that count: Criterion 2.4.1 lets a test pass whose `.fini`
 * fails or crashes, so what a tear-down finds (a leak) has to be found inside the test.
 */
#ifndef TESTS_UNIT_BASE_BETWEEN_H
#define TESTS_UNIT_BASE_BETWEEN_H

#include <criterion/criterion.h>

#define TEST_BETWEEN(set_up, tear_down, suite, name) \
    static void suite##_##name##_body(void);         \
    Test(suite, name)                                \
    {                                                \
        set_up();                                    \
        suite##_##name##_body();                     \
        tear_down();                                 \
    }                                                \
    static void suite##_##name##_body(void)

#endif
