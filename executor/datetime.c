/*
 * Calendar arithmetic by Hinnant's days_from_civil ("chrono-Compatible Low-Level Date Algorithms"):
 * years begin in March, eras have 400 years. Range: 4713 BC to 294276 AD, as PostgreSQL's timestamps.
 */
#include "executor/datetime.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "executor/zone.h"
#include "kernel/base/check.h"

static const int64_t DAY_US = INT64_C(86400000000);

enum { YEAR_MIN = -4712, YEAR_MAX = 294276, EPOCH_DAYS = 10957 /* 1970 to 2000 */ };

int64_t
datetime_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468 - EPOCH_DAYS;
}

void
datetime_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t z = days + EPOCH_DAYS + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* A text read forward. */
struct scan {
    const char *next;
    const char *end;
};

static bool
take_char(struct scan *scan, char wanted)
{
    if (scan->next == scan->end || *scan->next != wanted)
        return false;
    scan->next++;
    return true;
}

/* Between `least` and `most` decimal digits. */
static bool
take_number(struct scan *scan, int least, int most, int64_t *out)
{
    int64_t value = 0;
    int count = 0;

    while (count < most && scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9') {
        value = value * 10 + (*scan->next++ - '0');
        count++;
    }
    *out = value;
    return count >= least;
}

int64_t
datetime_month_days(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    CHECK(month >= 1 && month <= 12);
    return days[month - 1] + (leap && month == 2);
}

struct date {
    int64_t year, month, day;
};

/* The length of the word here. */
static size_t
word_size(const struct scan *scan)
{
    size_t size = 0;

    while (scan->next + size < scan->end && isalpha((unsigned char)scan->next[size]))
        size++;
    return size;
}

/* A month's name, or its first three letters; 0: none. */
static int64_t
take_month(struct scan *scan)
{
    static const char *const months[] = {"january",   "february", "march",    "april",
                                         "may",       "june",     "july",     "august",
                                         "september", "october",  "november", "december"};
    size_t size = word_size(scan);

    for (int64_t i = 0; i < 12; i++) {
        const char *name = months[i];
        bool sept = i == 8 && size == 4;

        if ((size == 3 || sept || size == strlen(name)) &&
            strncasecmp(name, scan->next, size) == 0) {
            scan->next += size;
            return i + 1;
        }
    }
    return 0;
}

/* What stands between the parts of a date with a month's name. */
static void
skip_between(struct scan *scan)
{
    while (scan->next < scan->end &&
           (*scan->next == ' ' || *scan->next == ',' || *scan->next == '-'))
        scan->next++;
}

/* Two digits are a year from 1970 to 2069. */
static bool
take_year(struct scan *scan, int64_t *out)
{
    const char *from = scan->next;

    if (!take_number(scan, 2, 6, out))
        return false;
    if (scan->next - from == 2)
        *out += *out < 70 ? 2000 : 1900;
    return true;
}

/* January 5, 2024; 5 Jan 2024; 2024-Jan-05. */
static bool
take_named_date(struct scan *scan, struct date *out)
{
    int64_t first = 0;
    const char *from = scan->next;
    bool number = take_number(scan, 1, 6, &first);
    bool year_first = scan->next - from > 2;

    skip_between(scan);
    out->month = take_month(scan);
    if (out->month == 0)
        return false;
    skip_between(scan);
    if (number && !year_first) {
        out->day = first;
        return take_year(scan, &out->year);
    }
    if (!take_number(scan, 1, 2, &out->day))
        return false;
    if (year_first) {
        out->year = first;
        return true;
    }
    skip_between(scan);
    return take_year(scan, &out->year);
}

/* 20240105; 1/5/2024, the month first; 2024/1/5. */
static bool
take_plain_date(struct scan *scan, struct date *out)
{
    const char *from = scan->next;
    int64_t first = 0;

    if (!take_number(scan, 1, 8, &first))
        return false;
    if (scan->next - from == 8) {
        *out = (struct date){first / 10000, first / 100 % 100, first % 100};
        return true;
    }
    if (!take_char(scan, '/'))
        return false;
    if (scan->next - from > 3) {
        out->year = first;
        return take_number(scan, 1, 2, &out->month) && take_char(scan, '/') &&
               take_number(scan, 1, 2, &out->day);
    }
    out->month = first;
    return take_number(scan, 1, 2, &out->day) && take_char(scan, '/') &&
           take_year(scan, &out->year);
}

/* As PostgreSQL writes dates. */
static bool
take_iso_date(struct scan *scan, struct date *out)
{
    bool negative = take_char(scan, '-');

    if (!negative)
        (void)take_char(scan, '+');
    if (!take_number(scan, 4, 6, &out->year) || !take_char(scan, '-') ||
        !take_number(scan, 1, 2, &out->month) || !take_char(scan, '-') ||
        !take_number(scan, 1, 2, &out->day))
        return false;
    out->year = negative ? -out->year : out->year;
    return true;
}

static bool
take_date(struct scan *scan, struct date *out)
{
    const char *from = scan->next;

    if (take_iso_date(scan, out))
        return true;
    scan->next = from;
    if (take_plain_date(scan, out))
        return true;
    scan->next = from;
    return take_named_date(scan, out);
}

/* PostgreSQL writes " BC" last, behind the time. */
static void
take_bc(struct scan *scan, struct date *date)
{
    if (scan->end - scan->next < 3 || scan->next[0] != ' ' || scan->next[1] != 'B' ||
        scan->next[2] != 'C')
        return;
    scan->next += 3;
    date->year = 1 - date->year;
}

static bool
days_of(const struct date *date, int64_t *days_out)
{
    if (date->year < YEAR_MIN || date->year > YEAR_MAX || date->month < 1 || date->month > 12 ||
        date->day < 1 || date->day > datetime_month_days(date->year, date->month))
        return false;
    *days_out = datetime_days(date->year, date->month, date->day);
    return true;
}

static bool
take_fraction(struct scan *scan, int64_t *microseconds_out)
{
    int64_t value = 0;
    int count = 0;

    while (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9') {
        if (count < 6)
            value = value * 10 + (*scan->next - '0');
        else if (count == 6)
            value += *scan->next >= '5'; /* Rounded to microseconds. */
        scan->next++;
        count++;
    }
    for (int i = count; i < 6; i++)
        value *= 10;
    *microseconds_out = value;
    return count > 0;
}

/* AM or PM, if it stands here. */
static bool
take_half(struct scan *scan, int64_t *hour)
{
    const struct scan before = *scan;

    (void)take_char(scan, ' ');
    bool some = word_size(scan) == 2 && (scan->next[1] | 32) == 'm';
    bool late = some && (scan->next[0] | 32) == 'p';
    if (!some || (!late && (scan->next[0] | 32) != 'a')) {
        *scan = before;
        return true;
    }
    scan->next += 2;
    if (*hour > 12)
        return false;
    *hour = *hour % 12 + (late ? 12 : 0);
    return true;
}

static bool
take_time(struct scan *scan, int64_t *microseconds_out)
{
    int64_t hour, minute, second = 0, fraction = 0;

    if (!take_number(scan, 1, 2, &hour) || !take_char(scan, ':') ||
        !take_number(scan, 2, 2, &minute))
        return false;
    if (take_char(scan, ':') && !take_number(scan, 2, 2, &second))
        return false;
    if (take_char(scan, '.') && !take_fraction(scan, &fraction))
        return false;
    if (!take_half(scan, &hour))
        return false;
    if (hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute | second) != 0))
        return false;
    *microseconds_out = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

/* What a text says of its zone. */
struct zone_given {
    const struct zone *zone; /* NULL: */
    int32_t offset;
};

/* +2, +05:30, +0530, +05:30:15. */
static bool
take_offset(struct scan *scan, int32_t *seconds_out)
{
    int64_t hours, minutes = 0, seconds = 0;
    bool west = take_char(scan, '-');

    if (!west && !take_char(scan, '+'))
        return false;
    if (!take_number(scan, 1, 2, &hours))
        return false;
    bool colon = take_char(scan, ':');
    bool more = colon || (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9');
    if (more && !take_number(scan, 2, 2, &minutes))
        return false;
    if (colon && take_char(scan, ':') && !take_number(scan, 2, 2, &seconds))
        return false;
    if (hours > 15 || minutes > 59 || seconds > 59)
        return false;
    *seconds_out = (int32_t)((hours * 60 + minutes) * 60 + seconds) * (west ? -1 : 1);
    return true;
}

/* PostgreSQL names the zone as it has read it, in lower case. */
static void
refuse_zone(const char *name, size_t size, struct sql_error *error)
{
    char shown[100];

    if (error->sqlstate[0] != '\0')
        return;
    size = size < sizeof(shown) ? size : sizeof(shown) - 1;
    for (size_t i = 0; i < size; i++)
        shown[i] = (char)tolower((unsigned char)name[i]);
    (void)sql_error_set(error, "22023", -1, "time zone \"%.*s\" not recognized", (int)size, shown);
}

/* A word alone is an abbreviation first; with more than letters it is a zone's name, or a POSIX string. */
static bool
take_zone_name(struct scan *scan, struct zone_given *out, struct sql_error *error)
{
    const char *name = scan->next, *zone = NULL;
    enum status status = STATUS_OK;
    size_t letters = word_size(scan), size = letters;

    while (name + size < scan->end && (isalnum((unsigned char)name[size]) ||
                                       (name[size] != '\0' && strchr("/_+-:", name[size]) != NULL)))
        size++;
    if (letters == 0)
        return false;
    if (size == letters && zone_abbreviation(name, size, &out->offset, &zone)) {
        scan->next += size;
        return zone == NULL || zone_get(zone, strlen(zone), &out->zone, error) == STATUS_OK;
    }
    out->zone = zone_find(name, size, error, &status);
    if (out->zone == NULL && size > letters)
        refuse_zone(name, size, error);
    scan->next += size;
    return out->zone != NULL;
}

static bool
take_zone(struct scan *scan, struct zone_given *out, struct sql_error *error)
{
    *out = (struct zone_given){NULL, 0};
    if (scan->next < scan->end && (*scan->next == '+' || *scan->next == '-'))
        return take_offset(scan, &out->offset);
    return take_zone_name(scan, out, error);
}

bool
datetime_parse_date(const char *text, size_t size, int64_t *days_out, struct sql_error *error)
{
    struct scan scan = {text, text + size};
    struct date date;

    if (!take_date(&scan, &date))
        return false;
    take_bc(&scan, &date);
    if (scan.next == scan.end)
        return days_of(&date, days_out);
    /* A time behind it is checked, and means nothing. */
    return datetime_parse_timestamp(text, size, false, days_out, error) && days_of(&date, days_out);
}

bool
datetime_parse_time(const char *text, size_t size, int64_t *microseconds_out)
{
    struct scan scan = {text, text + size};

    return take_time(&scan, microseconds_out) && scan.next == scan.end;
}

bool
datetime_parse_timestamp(const char *text, size_t size, bool with_zone, int64_t *microseconds_out,
                         struct sql_error *error)
{
    struct scan scan = {text, text + size};
    struct date date;
    struct zone_given zone = {zone_session(), 0};
    int64_t days, time = 0;

    if (!take_date(&scan, &date))
        return false;
    take_bc(&scan, &date);
    /* The time may be left out before a zone. */
    const struct scan before_time = scan;
    if ((take_char(&scan, ' ') || take_char(&scan, 'T')) && !take_time(&scan, &time))
        scan = before_time;
    take_bc(&scan, &date);
    (void)take_char(&scan, ' ');
    /* PostgreSQL checks a zone in a timestamp without one, and ignores it. */
    if (scan.next < scan.end && !take_zone(&scan, &zone, error))
        return false;
    take_bc(&scan, &date);
    if (scan.next != scan.end || !days_of(&date, &days))
        return false;
    int64_t local = days * DAY_US + time;
    if (!with_zone)
        *microseconds_out = local;
    else if (zone.zone != NULL)
        *microseconds_out = zone_to_moment(zone.zone, local);
    else
        *microseconds_out = local - zone.offset * INT64_C(1000000);
    return true;
}

static char *
put_two(char *out, int64_t value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

size_t
datetime_print_date(int64_t days, char *out)
{
    int64_t year, month, day;
    char *end = out;

    datetime_civil(days, &year, &month, &day);
    if (year < 1 || year > 9999)
        return (size_t)snprintf(out, DATETIME_TEXT_SIZE, "%04lld-%02lld-%02lld%s",
                                (long long)(year > 0 ? year : 1 - year), (long long)month,
                                (long long)day, year > 0 ? "" : " BC");
    end = put_two(put_two(end, year / 100), year % 100);
    *end++ = '-';
    end = put_two(end, month);
    *end++ = '-';
    end = put_two(end, day);
    *end = '\0';
    return (size_t)(end - out);
}

size_t
datetime_print_time(int64_t microseconds, char *out)
{
    int64_t seconds = microseconds / 1000000;
    int64_t fraction = microseconds % 1000000;
    char *end = out;

    CHECK(microseconds >= 0);
    if (seconds < 100 * 3600)
        end = put_two(end, seconds / 3600);
    else
        end += snprintf(out, DATETIME_TEXT_SIZE / 2, "%lld", (long long)(seconds / 3600));
    *end++ = ':';
    end = put_two(end, seconds / 60 % 60);
    *end++ = ':';
    end = put_two(end, seconds % 60);
    if (fraction != 0) {
        *end++ = '.';
        end =
            put_two(put_two(put_two(end, fraction / 10000), fraction / 100 % 100), fraction % 100);
        while (end[-1] == '0')
            end--;
    }
    *end = '\0';
    return (size_t)(end - out);
}

size_t
datetime_print_offset(int32_t seconds, char *out)
{
    int32_t left = seconds < 0 ? -seconds : seconds;
    char *end = out;

    *end++ = seconds < 0 ? '-' : '+';
    end = put_two(end, left / 3600);
    if (left % 3600 != 0) {
        *end++ = ':';
        end = put_two(end, left / 60 % 60);
    }
    if (left % 60 != 0) {
        *end++ = ':';
        end = put_two(end, left % 60);
    }
    *end = '\0';
    return (size_t)(end - out);
}

size_t
datetime_print_timestamp(int64_t microseconds, bool with_zone, char *out)
{
    char date[DATETIME_TEXT_SIZE], clock[DATETIME_TEXT_SIZE], zone[16] = "";

    if (with_zone) {
        int32_t offset = zone_at(zone_session(), microseconds).offset;

        microseconds += offset * INT64_C(1000000);
        (void)datetime_print_offset(offset, zone);
    }
    int64_t time = microseconds % DAY_US;
    time += time < 0 ? DAY_US : 0;
    size_t date_size = datetime_print_date((microseconds - time) / DAY_US, date);
    bool bc = date_size > 3 && date[date_size - 1] == 'C';
    (void)datetime_print_time(time, clock);
    if (bc)
        date[date_size - 3] = '\0';
    return (size_t)snprintf(out, DATETIME_TEXT_SIZE, "%.20s %.16s%s%s", date, clock, zone,
                            bc ? " BC" : "");
}
