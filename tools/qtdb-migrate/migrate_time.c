/* See migrate_time.h. */
#include "tools/qtdb-migrate/migrate_time.h"

#include <stdio.h>
#include <string.h>

/* What timestamps of the target can hold; PostgreSQL's dates go further. */
enum { YEAR_MIN = -4712, YEAR_MAX = 294276 };

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

static int
days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (leap && month == 2);
}

static bool
take_date(struct scan *scan, struct moment *out)
{
    int64_t month = 0, day = 0;
    bool negative = take(scan, '-');

    if (!negative)
        (void)take(scan, '+');
    if (!take_number(scan, 4, 6, &out->year) || !take(scan, '-') ||
        !take_number(scan, 2, 2, &month) || !take(scan, '-') || !take_number(scan, 2, 2, &day))
        return false;
    out->year = negative ? -out->year : out->year;
    if (out->year < YEAR_MIN || out->year > YEAR_MAX || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(out->year, (int)month))
        return false;
    out->month = (int)month;
    out->day = (int)day;
    return true;
}

static bool
take_fraction(struct scan *scan, struct moment *out)
{
    int digits = 0;

    while (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9' && digits < 9) {
        out->nanosecond = out->nanosecond * 10 + (*scan->next++ - '0');
        digits++;
    }
    for (int i = digits; i < 9; i++)
        out->nanosecond *= 10;
    return digits > 0;
}

static bool
take_time(struct scan *scan, struct moment *out)
{
    int64_t hour = 0, minute = 0, second = 0;

    if (!take_number(scan, 2, 2, &hour) || !take(scan, ':') || !take_number(scan, 2, 2, &minute) ||
        !take(scan, ':') || !take_number(scan, 2, 2, &second) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    out->hour = (int)hour;
    out->minute = (int)minute;
    out->second = (int)second;
    out->has_time = true;
    return !take(scan, '.') || take_fraction(scan, out);
}

/* Moves by a number of seconds less than a day either way. */
static void
shift(struct moment *moment, int64_t seconds)
{
    int64_t time = moment->hour * 3600 + moment->minute * 60 + moment->second + seconds;

    if (time < 0) {
        time += 86400;
        if (--moment->day == 0) {
            moment->year -= moment->month == 1;
            moment->month = moment->month == 1 ? 12 : moment->month - 1;
            moment->day = days_in_month(moment->year, moment->month);
        }
    } else if (time >= 86400) {
        time -= 86400;
        if (++moment->day > days_in_month(moment->year, moment->month)) {
            moment->day = 1;
            moment->year += moment->month == 12;
            moment->month = moment->month == 12 ? 1 : moment->month + 1;
        }
    }
    moment->hour = (int)(time / 3600);
    moment->minute = (int)(time / 60 % 60);
    moment->second = (int)(time % 60);
}

/* Nothing, Z, or an offset, which is taken off. */
static bool
take_zone(struct scan *scan, struct moment *moment)
{
    int64_t hours = 0, minutes = 0, seconds = 0;
    bool east = take(scan, '+');

    moment->has_zone = east || take(scan, '-');
    if (!moment->has_zone) {
        moment->has_zone = take(scan, 'Z');
        return true;
    }
    if (!take_number(scan, 2, 2, &hours) || hours > 15)
        return false;
    if (take(scan, ':') && (!take_number(scan, 2, 2, &minutes) || minutes > 59))
        return false;
    if (take(scan, ':') && (!take_number(scan, 2, 2, &seconds) || seconds > 59))
        return false;
    int64_t offset = hours * 3600 + minutes * 60 + seconds;
    shift(moment, east ? -offset : offset);
    return true;
}

/* PostgreSQL's mark of years before 1. */
static void
take_era(struct scan *scan, struct moment *moment)
{
    if (scan->end - scan->next != 3 || moment->year <= 0 || !take(scan, ' '))
        return;
    if (take(scan, 'B') && take(scan, 'C'))
        moment->year = 1 - moment->year;
}

bool
moment_parse_time(const char *text, size_t size, struct moment *out)
{
    struct scan scan = {text, text + size};
    struct moment moment = {.year = 0};

    if (!take_time(&scan, &moment) || scan.next != scan.end)
        return false;
    *out = moment;
    return true;
}

bool
moment_parse(const char *text, size_t size, struct moment *out)
{
    struct scan scan = {text, text + size};
    struct moment moment = {.year = 0};

    if (!take_date(&scan, &moment))
        return false;
    bool era_follows = scan.end - scan.next == 3 && scan.end[-1] == 'C';
    if (scan.next < scan.end && !era_follows) {
        if (!take(&scan, 'T') && !take(&scan, ' '))
            return false;
        if (!take_time(&scan, &moment))
            return false;
        if (!take_zone(&scan, &moment))
            return false;
    }
    take_era(&scan, &moment);
    if (scan.next != scan.end)
        return false;
    *out = moment;
    return true;
}

static long long
shown_year(const struct moment *moment)
{
    return moment->year > 0 ? moment->year : 1 - moment->year;
}

static char *
put_two(char *out, int value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

/* Ends with NUL. */
static char *
put_word(char *out, const char *word)
{
    size_t size = strlen(word);

    memcpy(out, word, size + 1);
    return out + size;
}

static char *
put_date(char *out, const struct moment *moment)
{
    long long year = shown_year(moment);

    if (year > 9999)
        out += snprintf(out, 24, "%lld", year);
    else
        out = put_two(put_two(out, (int)(year / 100)), (int)(year % 100));
    *out++ = '-';
    out = put_two(out, moment->month);
    *out++ = '-';
    return put_two(out, moment->day);
}

/* With microseconds where there are any. */
static char *
put_time(char *out, const struct moment *moment)
{
    int fraction = moment->nanosecond / 1000;

    out = put_two(out, moment->hour);
    *out++ = ':';
    out = put_two(out, moment->minute);
    *out++ = ':';
    out = put_two(out, moment->second);
    if (fraction == 0)
        return out;
    *out++ = '.';
    out = put_two(put_two(put_two(out, fraction / 10000), fraction / 100 % 100), fraction % 100);
    while (out[-1] == '0')
        out--;
    return out;
}

size_t
moment_print_date(const struct moment *moment, char out[MIGRATE_TIME_SIZE])
{
    return (size_t)(put_word(put_date(out, moment), moment->year > 0 ? "" : " BC") - out);
}

size_t
moment_print_time(const struct moment *moment, char out[MIGRATE_TIME_SIZE])
{
    return (size_t)(put_word(put_time(out, moment), "") - out);
}

size_t
moment_print_timestamp(const struct moment *moment, bool with_zone, char out[MIGRATE_TIME_SIZE])
{
    char *end = put_date(out, moment);

    *end++ = ' ';
    end = put_word(put_time(end, moment), with_zone ? "+00" : "");
    return (size_t)(put_word(end, moment->year > 0 ? "" : " BC") - out);
}
