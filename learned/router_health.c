/*
 * The counters of a router in use. All relaxed: they are statistics, and nothing is ordered by them.
 */
#include "learned/router_health.h"

static uint64_t
value_of(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
add_to(_Atomic uint64_t *counter, uint64_t value)
{
    if (value > 0)
        (void)atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

void
router_health_init(struct router_health *health, uint32_t trained_count)
{
    health->trained_count = trained_count;
    atomic_init(&health->lookup_count, 0);
    atomic_init(&health->hop_count, 0);
    atomic_init(&health->fallback_count, 0);
    atomic_init(&health->split_count, 0);
    atomic_init(&health->removed_count, 0);
    atomic_init(&health->appended_count, 0);
}

void
router_health_add(struct router_health *health, struct router_tally *tally)
{
    add_to(&health->lookup_count, tally->lookup_count);
    add_to(&health->hop_count, tally->hop_count);
    add_to(&health->fallback_count, tally->fallback_count);
    *tally = (struct router_tally){0};
}

void
router_health_split(struct router_health *health)
{
    add_to(&health->split_count, 1);
}

void
router_health_removed(struct router_health *health)
{
    add_to(&health->removed_count, 1);
}

void
router_health_appended(struct router_health *health)
{
    add_to(&health->appended_count, 1);
}

enum router_rebuild
router_health_judge(const struct router_health *health)
{
    uint64_t changed_count = value_of(&health->split_count) + value_of(&health->removed_count);
    uint64_t appended_count = value_of(&health->appended_count);
    uint64_t leaf_count = health->trained_count + appended_count;
    uint64_t lookup_count = value_of(&health->lookup_count);
    uint64_t miss_count = value_of(&health->hop_count) + value_of(&health->fallback_count);

    if (changed_count * 100 > leaf_count * ROUTER_HEALTH_NEW_PERCENT_MAX)
        return ROUTER_REBUILD_LEAVES;
    if (lookup_count >= ROUTER_HEALTH_LOOKUP_MIN &&
        miss_count * 100 > lookup_count * ROUTER_HEALTH_HOP_PERCENT_MAX)
        return ROUTER_REBUILD_HOPS;
    if (appended_count * ROUTER_HEALTH_APPENDED_SHARE > health->trained_count)
        return ROUTER_REBUILD_APPENDED;
    return ROUTER_KEEP;
}

double
router_health_new_share(const struct router_health *health)
{
    double split_count = (double)value_of(&health->split_count);
    double known_count = (double)(health->trained_count + value_of(&health->appended_count));

    return split_count == 0.0 ? 0.0 : split_count / (known_count + split_count);
}

double
router_health_hops(const struct router_health *health)
{
    uint64_t lookup_count = value_of(&health->lookup_count);

    return lookup_count == 0 ? 0.0 : (double)value_of(&health->hop_count) / (double)lookup_count;
}
