/*
 * POSIX TZ strings, as they stand at the end of TZif files and where a zone's name may:
 *
 *     std offset [dst [offset] [, start [/time], end [/time]]]
 *
 * Offsets count west of Greenwich; a name is letters, or anything between < and >. Times may be from -167 to 167 hours
 * (RFC 8536). The changes of a year are reckoned when they are asked for.
 */
#include <ctype.h>
#include <string.h>

#include "executor/datetime.h"
#include "executor/zone_private.h"

enum { DAY_SECONDS = 86400, EPOCH_DAYS = 10957 /* 1970 to 2000 */, HOURS_MAX = 167 };

struct scan {
    const char *next;
    const char *end;
};

static bool
take(struct scan *scan, char wanted)
{
    if (scan->next == scan->end || *scan->next != wanted)
        return false;
    scan->next++;
    return true;
}

static bool
take_number(struct scan *scan, int32_t least, int32_t most, int32_t *out)
{
    int32_t value = 0;
    const char *from = scan->next;

    while (scan->next < scan->end && isdigit((unsigned char)*scan->next) && value <= most)
        value = value * 10 + (*scan->next++ - '0');
    *out = value;
    return scan->next > from && value >= least && value <= most;
}

static bool
take_word(struct scan *scan, char out[ZONE_WORD_SIZE])
{
    const char *from = scan->next;
    bool quoted = take(scan, '<');

    from += quoted;
    while (scan->next < scan->end &&
           (quoted ? *scan->next != '>' : isalpha((unsigned char)*scan->next) != 0))
        scan->next++;
    size_t size = (size_t)(scan->next - from);
    if (size >= ZONE_WORD_SIZE || memchr(from, '\0', size) != NULL || (quoted && !take(scan, '>')))
        return false;
    memcpy(out, from, size);
    out[size] = '\0';
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool
take_seconds(struct scan *scan, int32_t hours_max, int32_t *out)
{
    bool negative = take(scan, '-');
    int32_t hours, minutes = 0, seconds = 0;

    if (!negative)
        (void)take(scan, '+');
    if (!take_number(scan, 0, hours_max, &hours))
        return false;
    if (take(scan, ':')) {
        if (!take_number(scan, 0, 59, &minutes))
            return false;
        if (take(scan, ':') && !take_number(scan, 0, 59, &seconds))
            return false;
    }
    *out = ((hours * 60 + minutes) * 60 + seconds) * (negative ? -1 : 1);
    return true;
}

static bool
take_change(struct scan *scan, struct zone_change *out)
{
    out->seconds = 7200;
    if (take(scan, 'J')) {
        out->kind = ZONE_JULIAN;
        if (!take_number(scan, 1, 365, &out->day))
            return false;
    } else if (take(scan, 'M')) {
        out->kind = ZONE_WEEKDAY;
        if (!take_number(scan, 1, 12, &out->month) || !take(scan, '.') ||
            !take_number(scan, 1, 5, &out->week) || !take(scan, '.') ||
            !take_number(scan, 0, 6, &out->day))
            return false;
    } else {
        out->kind = ZONE_DAY;
        if (!take_number(scan, 0, 365, &out->day))
            return false;
    }
    return !take(scan, '/') || take_seconds(scan, HOURS_MAX, &out->seconds);
}

bool
zone__rule_parse(const char *text, size_t size, struct zone_rule *out)
{
    static const char usual[] = ",M3.2.0,M11.1.0";
    struct scan scan = {text, text + size};

    memset(out, 0, sizeof(*out));
    if (!take_word(&scan, out->standard.word) || !take_seconds(&scan, 24, &out->standard.offset))
        return false;
    out->standard.offset = -out->standard.offset;
    if (scan.next == scan.end)
        return true;
    out->changes = out->summer.summer = true;
    if (!take_word(&scan, out->summer.word) || out->summer.word[0] == '\0')
        return false;
    out->summer.offset = out->standard.offset + 3600;
    if (scan.next < scan.end && *scan.next != ',') {
        if (!take_seconds(&scan, 24, &out->summer.offset))
            return false;
        out->summer.offset = -out->summer.offset;
    }
    if (scan.next == scan.end)
        scan = (struct scan){usual, usual + sizeof(usual) - 1};
    return take(&scan, ',') && take_change(&scan, &out->to_summer) && take(&scan, ',') &&
           take_change(&scan, &out->to_standard) && scan.next == scan.end;
}

/* Local seconds since 1970 of a year's change. */
static int64_t
change_in(const struct zone_change *change, int64_t year)
{
    int64_t first = datetime_days(year, 1, 1) + EPOCH_DAYS;
    bool leap = datetime_month_days(year, 2) == 29;

    if (change->kind == ZONE_JULIAN)
        first += change->day - 1 + (leap && change->day >= 60);
    else if (change->kind == ZONE_DAY)
        first += change->day;
    else {
        int64_t month = datetime_days(year, change->month, 1) + EPOCH_DAYS;
        int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday. */
        int64_t day = (change->day - weekday + 7) % 7 + 7 * (int64_t)(change->week - 1);

        while (day >= datetime_month_days(year, change->month))
            day -= 7;
        first = month + day;
    }
    return first * DAY_SECONDS + change->seconds;
}

static int64_t
year_of(int64_t seconds)
{
    int64_t year, month, day;
    int64_t days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);

    datetime_civil(days - EPOCH_DAYS, &year, &month, &day);
    return year;
}

/* The last change that is not after `seconds` (`next` false), or the first one after it. */
static bool
find_change(const struct zone_rule *rule, int64_t seconds, bool next, int64_t *time_out,
            bool *summer_out)
{
    int64_t year = year_of(seconds);
    bool found = false;

    for (int64_t at = year - 2; at <= year + 2; at++) {
        for (uint32_t k = 0; k < 2; k++) {
            bool summer = k == 0;
            int64_t time = change_in(summer ? &rule->to_summer : &rule->to_standard, at) -
                           (summer ? rule->standard.offset : rule->summer.offset);
            bool fits = next ? time > seconds : time <= seconds;

            /* Of two at once, as where summer lasts all year, the one to summer counts. */
            if (!fits || (found && (next ? time > *time_out : time < *time_out)) ||
                (found && time == *time_out && !summer))
                continue;
            *time_out = time;
            *summer_out = summer;
            found = true;
        }
    }
    return found;
}

const struct zone_type *
zone__rule_at(const struct zone_rule *rule, int64_t seconds)
{
    int64_t time = 0;
    bool summer = false;

    if (rule->changes)
        (void)find_change(rule, seconds, false, &time, &summer);
    return summer ? &rule->summer : &rule->standard;
}

bool
zone__rule_next(const struct zone_rule *rule, int64_t seconds, struct zone_boundary *out)
{
    int64_t time = 0;
    bool summer = false;

    if (!rule->changes || !find_change(rule, seconds, true, &time, &summer))
        return false;
    out->time = time;
    out->before = *zone__rule_at(rule, time - 1);
    out->after = summer ? rule->summer : rule->standard;
    return true;
}
