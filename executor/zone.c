/*
 * What a zone says of moments (zone.h), and the thread's zone. A moment is looked for among the zone's times, or
 * reckoned by its rule from the last of them on. A local time is resolved as PostgreSQL does it: with the first
 * change after the day before, the time fits what was before that change, or what was after it, or both, or
 * neither.
 */
#include "executor/zone_private.h"

static const int64_t SECOND_US = 1000000;
static const int64_t EPOCH_SECONDS = INT64_C(946684800); /* 1970 to 2000 */
enum { DAY_SECONDS = 86400 };

static _Thread_local const struct zone *session_zone;

const struct zone *
zone_session(void)
{
    return session_zone != NULL ? session_zone : zone_utc();
}

const struct zone *
zone_enter(const struct zone *zone)
{
    const struct zone *before = session_zone;

    session_zone = zone;
    return before;
}

const char *
zone_name(const struct zone *zone)
{
    return zone->name;
}

/* How many of the times are not after `seconds`. */
static uint32_t
times_until(const struct zone *zone, int64_t seconds)
{
    uint32_t low = 0, high = zone->time_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (zone->times[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct zone_type *
type_at(const struct zone *zone, int64_t seconds)
{
    uint32_t count = times_until(zone, seconds);

    if (zone->has_rule && count == zone->time_count)
        return zone__rule_at(&zone->rule, seconds);
    return &zone->kinds[count == 0 ? 0 : zone->types[count - 1]];
}

/* The next change after `seconds`; false: there is none. */
static bool
next_change(const struct zone *zone, int64_t seconds, struct zone_boundary *out)
{
    uint32_t count = times_until(zone, seconds);

    if (count == zone->time_count)
        return zone->has_rule && zone__rule_next(&zone->rule, seconds, out);
    out->time = zone->times[count];
    out->before = *type_at(zone, out->time - 1);
    out->after = *type_at(zone, out->time);
    return true;
}

/* Downwards, for moments before 2000. */
static int64_t
seconds_of(int64_t moment)
{
    return moment / SECOND_US - (moment % SECOND_US < 0) + EPOCH_SECONDS;
}

static struct zone_clock
clock_of(const struct zone_type *type)
{
    return (struct zone_clock){type->offset, type->summer, type->word};
}

struct zone_clock
zone_at(const struct zone *zone, int64_t moment)
{
    return clock_of(type_at(zone, seconds_of(moment)));
}

struct zone_clock
zone_of_local(const struct zone *zone, int64_t local)
{
    int64_t seconds = seconds_of(local);
    struct zone_boundary change;

    if (!next_change(zone, seconds - DAY_SECONDS, &change))
        return clock_of(type_at(zone, seconds - DAY_SECONDS));
    int64_t before = seconds - change.before.offset, after = seconds - change.after.offset;
    bool early = before < change.time && after < change.time;
    bool late = before > change.time && after >= change.time;
    /* Left out when clocks went forward: as before; there twice when they went back: as after. */
    bool is_before = early || (!late && before > after);
    return clock_of(type_at(zone, is_before ? change.time - 1 : change.time));
}

int64_t
zone_to_local(const struct zone *zone, int64_t moment)
{
    return moment + zone_at(zone, moment).offset * SECOND_US;
}

int64_t
zone_to_moment(const struct zone *zone, int64_t local)
{
    return local - zone_of_local(zone, local).offset * SECOND_US;
}
