/*
 * Goal: a router is trained anew when the rule says so, not before.
 * Method: counters brought to each bound and one past it.
 */
#include <criterion/criterion.h>

#include "learned/router_health.h"

static struct router_health health;

/* covers: L9 */
Test(router_health, two_percent_of_new_or_removed_leaves)
{
    router_health_init(&health, 1000);
    cr_assert_eq(router_health_new_share(&health), 0.0);
    for (int i = 0; i < 10; i++) {
        router_health_split(&health);
        router_health_removed(&health);
    }
    cr_assert_eq(router_health_judge(&health), ROUTER_KEEP);
    cr_assert_float_eq(router_health_new_share(&health), 10.0 / 1010, 1e-9);
    router_health_split(&health);
    cr_assert_eq(router_health_judge(&health), ROUTER_REBUILD_LEAVES);
}

/* covers: L9 */
Test(router_health, five_hops_or_fallbacks_in_a_hundred_look_ups)
{
    struct router_tally tally = {.lookup_count = 999, .hop_count = 40, .fallback_count = 10};

    router_health_init(&health, 1000);
    cr_assert_eq(router_health_hops(&health), 0.0);
    router_health_add(&health, &tally);
    cr_assert_eq(tally.lookup_count + tally.hop_count + tally.fallback_count, 0);
    cr_assert_eq(router_health_judge(&health), ROUTER_KEEP, "too few look-ups to tell");
    tally.lookup_count = 1;
    router_health_add(&health, &tally);
    cr_assert_eq(router_health_judge(&health), ROUTER_KEEP);
    cr_assert_float_eq(router_health_hops(&health), 0.04, 1e-9);
    tally.fallback_count = 1;
    router_health_add(&health, &tally);
    cr_assert_eq(router_health_judge(&health), ROUTER_REBUILD_HOPS);
}

/* covers: L9 */
Test(router_health, an_eighth_appended)
{
    router_health_init(&health, 800);
    for (int i = 0; i < 100; i++)
        router_health_appended(&health);
    cr_assert_eq(router_health_judge(&health), ROUTER_KEEP);
    router_health_appended(&health);
    cr_assert_eq(router_health_judge(&health), ROUTER_REBUILD_APPENDED);
}
