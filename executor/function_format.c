/*
 * to_char of timestamps, dates, intervals and numbers, to_date, to_timestamp, to_number: the patterns of
 * everyday use. A letter group that is no pattern is copied, as PostgreSQL does.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/datetime.h"
#include "executor/function.h"
#include "executor/interval.h"
#include "executor/numeric.h"
#include "executor/text_out.h"
#include "executor/zone.h"
#include "kernel/base/check.h"

static const int64_t DAY_US = INT64_C(86400000000);

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

/* Longer ones before those they begin with. Case tells that of names. */
static const char *const patterns[] = {
    "HH24",  "HH12",  "HH",    "MI",  "SSSS", "SS",  "MS", "US",  "YYYY", "YYY", "YY", "Y",
    "Month", "MONTH", "month", "Mon", "MON",  "mon", "MM", "Day", "DAY",  "day", "Dy", "DY",
    "dy",    "DDD",   "DD",    "D",   "IYYY", "ID",  "IW", "WW",  "W",    "Q",   "CC", "AM",
    "PM",    "am",    "pm",    "TZH", "TZM",  "TZ",  "tz", "OF",  "J",
};
enum { PATTERN_COUNT = sizeof(patterns) / sizeof(patterns[0]) };

/* The pattern that stands at the text, without regard to case where it does not matter; NULL: none. */
static const char *
find_pattern(const char *text, size_t left)
{
    for (size_t i = 0; i < PATTERN_COUNT; i++) {
        size_t size = strlen(patterns[i]);
        bool names =
            strpbrk(patterns[i], "onay") != NULL || strncasecmp(patterns[i], "dy", 2) == 0 ||
            strncasecmp(patterns[i], "mon", 3) == 0 || strncasecmp(patterns[i], "day", 3) == 0 ||
            strncasecmp(patterns[i], "tz", 3) == 0 || patterns[i][size - 1] == 'M';
        bool exact = names && size > 1 && strcmp(patterns[i], "MM") != 0;

        if (size <= left && (exact ? memcmp(patterns[i], text, size) == 0
                                   : strncasecmp(patterns[i], text, size) == 0))
            return patterns[i];
    }
    return NULL;
}

struct clock {
    int64_t year, month, day, hour, minute, second, microsecond, day_number;
    struct zone_clock zone; /* Its word "": there is none. */
};

static struct clock
clock_of(int64_t moment)
{
    struct clock clock = {.year = 0};
    int64_t time = (moment % DAY_US + DAY_US) % DAY_US;

    clock.day_number = (moment - time) / DAY_US;
    datetime_civil(clock.day_number, &clock.year, &clock.month, &clock.day);
    clock.hour = time / INT64_C(3600000000);
    clock.minute = time / 60000000 % 60;
    clock.second = time / 1000000 % 60;
    clock.microsecond = time % 1000000;
    return clock;
}

static void
put_name(struct text_out *out, const char *name, const char *pattern, bool shorten, bool fill)
{
    char text[12];
    size_t size = strlen(name);

    snprintf(text, sizeof(text), "%-9s", name);
    for (char *c = text; *c != '\0'; c++) {
        if (isupper((unsigned char)pattern[1]))
            *c = (char)toupper((unsigned char)*c);
        else if (islower((unsigned char)pattern[0]))
            *c = (char)tolower((unsigned char)*c);
    }
    text_out_put(out, text, shorten ? 3 : fill ? 9 : size);
}

static void
put_number(struct text_out *out, int64_t number, int width, bool fill, bool *number_out)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%0*lld", fill ? width : 1, (long long)number);

    text_out_put(out, text, (size_t)size);
    *number_out = true;
}

static int64_t
iso_monday(int64_t year)
{
    int64_t fourth = datetime_days(year, 1, 4);

    return fourth - ((fourth + 5) % 7 + 7) % 7;
}

static int64_t
iso_year_of(const struct clock *clock)
{
    if (clock->day_number < iso_monday(clock->year))
        return clock->year - 1;
    return clock->day_number >= iso_monday(clock->year + 1) ? clock->year + 1 : clock->year;
}

/* Fields of days, weeks and years. */
static void
put_day_field(struct text_out *out, const char *pattern, const struct clock *clock, bool fill,
              bool *number)
{
    int64_t weekday = ((clock->day_number + 6) % 7 + 7) % 7;
    int64_t in_year = clock->day_number - datetime_days(clock->year, 1, 1) + 1;
    int64_t shown = clock->year > 0 ? clock->year : 1 - clock->year;

    if (strcmp(pattern, "YYYY") == 0)
        put_number(out, shown, 4, fill, number);
    else if (strcmp(pattern, "YYY") == 0)
        put_number(out, shown % 1000, 3, fill, number);
    else if (strcmp(pattern, "YY") == 0)
        put_number(out, shown % 100, 2, fill, number);
    else if (strcmp(pattern, "Y") == 0)
        put_number(out, shown % 10, 1, fill, number);
    else if (strcmp(pattern, "CC") == 0)
        put_number(out, (shown + 99) / 100, 2, fill, number);
    else if (strcmp(pattern, "Q") == 0)
        put_number(out, (clock->month - 1) / 3 + 1, 1, fill, number);
    else if (strcmp(pattern, "DDD") == 0)
        put_number(out, in_year, 3, fill, number);
    else if (strcmp(pattern, "D") == 0)
        put_number(out, weekday + 1, 1, fill, number);
    else if (strcmp(pattern, "ID") == 0)
        put_number(out, weekday == 0 ? 7 : weekday, 1, fill, number);
    else if (strcmp(pattern, "WW") == 0)
        put_number(out, (in_year - 1) / 7 + 1, 2, fill, number);
    else if (strcmp(pattern, "W") == 0)
        put_number(out, (clock->day - 1) / 7 + 1, 1, fill, number);
    else if (strcmp(pattern, "IYYY") == 0)
        put_number(out, iso_year_of(clock), 4, fill, number);
    else if (strcmp(pattern, "IW") == 0)
        put_number(out, (clock->day_number - iso_monday(iso_year_of(clock))) / 7 + 1, 2, fill,
                   number);
    else if (strcmp(pattern, "J") == 0)
        put_number(out, clock->day_number + 2451545, 1, fill, number);
    else
        put_name(out, days[weekday], pattern, strlen(pattern) == 2, fill);
}

static void
put_month_name(struct text_out *out, const char *pattern, const struct clock *clock, bool fill)
{
    CHECK(clock->month >= 1 && clock->month <= 12);
    put_name(out, months[clock->month - 1], pattern, strlen(pattern) == 3, fill);
}

static void
put_zone(struct text_out *out, const char *pattern, const struct zone_clock *zone)
{
    char text[ZONE_WORD_SIZE];
    int32_t minutes = zone->offset / 60;

    if (strcmp(pattern, "TZH") == 0)
        (void)snprintf(text, sizeof(text), "%c%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60);
    else if (strcmp(pattern, "TZM") == 0)
        (void)snprintf(text, sizeof(text), "%02d", abs(minutes) % 60);
    else if (strcmp(pattern, "OF") == 0)
        (void)datetime_print_offset(minutes * 60, text);
    else
        (void)snprintf(text, sizeof(text), "%s", zone->word);
    for (char *at = text; pattern[0] == 't' && *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    text_out_puts(out, text);
}

static void
put_field(struct text_out *out, const char *pattern, const struct clock *clock, bool fill,
          bool *number)
{
    int64_t twelve = clock->hour % 12 == 0 ? 12 : clock->hour % 12;

    if (strcmp(pattern, "HH24") == 0)
        put_number(out, clock->hour, 2 + (clock->hour < 0), fill, number);
    else if (pattern[0] == 'H')
        put_number(out, twelve, 2 + (twelve < 0), fill, number);
    else if (strcmp(pattern, "MI") == 0)
        put_number(out, clock->minute, 2 + (clock->minute < 0), fill, number);
    else if (strcmp(pattern, "SSSS") == 0)
        put_number(out, (clock->hour * 60 + clock->minute) * 60 + clock->second, 1, fill, number);
    else if (strcmp(pattern, "SS") == 0)
        put_number(out, clock->second, 2 + (clock->second < 0), fill, number);
    else if (strcmp(pattern, "MS") == 0)
        put_number(out, clock->microsecond / 1000, 3, true, number);
    else if (strcmp(pattern, "US") == 0)
        put_number(out, clock->microsecond, 6, true, number);
    else if (strcmp(pattern, "MM") == 0)
        put_number(out, clock->month, 2 + (clock->month < 0), fill, number);
    else if (strcmp(pattern, "DD") == 0)
        put_number(out, clock->day, 2, fill, number);
    else if (strcasecmp(pattern, "am") == 0 || strcasecmp(pattern, "pm") == 0)
        text_out_puts(out, islower((unsigned char)pattern[0]) ? (clock->hour < 12 ? "am" : "pm")
                           : clock->hour < 12                 ? "AM"
                                                              : "PM");
    else if (strncasecmp(pattern, "TZ", 2) == 0 || strcmp(pattern, "OF") == 0)
        put_zone(out, pattern, &clock->zone);
    else if (strncasecmp(pattern, "mon", 3) == 0)
        put_month_name(out, pattern, clock, fill);
    else
        put_day_field(out, pattern, clock, fill, number);
}

static void
put_ordinal(struct text_out *out, bool upper)
{
    int last = out->size > 0 ? out->bytes[out->size - 1] - '0' : 0;
    bool teen = out->size > 1 && out->bytes[out->size - 2] == '1';
    static const char *const endings[2][4] = {{"th", "st", "nd", "rd"}, {"TH", "ST", "ND", "RD"}};

    text_out_puts(out, endings[upper][teen || last > 3 || last < 1 ? 0 : last]);
}

/* Names and numbers of days of the week and names of months and zones belong to dates only. */
static bool
is_of_dates(const char *pattern)
{
    static const char *const dates[] = {"mon", "month", "day", "dy", "d", "id", "tz", "of"};

    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        if (strcasecmp(pattern, dates[i]) == 0)
            return true;
    }
    return false;
}

static enum status
call_char_stamp(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    const char *at = (const char *)arguments[1].bytes, *end = at + arguments[1].size;
    bool number = false;
    struct text_out text = {.arena = eval->arena};
    struct clock clock;

    if (arguments[0].type == QTDB_TYPE_INTERVAL) {
        struct interval interval = interval_get(&arguments[0]);

        int64_t time = interval.microseconds;

        clock = (struct clock){.hour = time / INT64_C(3600000000),
                               .minute = time / 60000000 % 60,
                               .second = time / 1000000 % 60,
                               .microsecond = time % 1000000};
        clock.year = interval.months / 12;
        clock.month = interval.months % 12;
        clock.day = interval.days;
        clock.zone.word = "";
    } else {
        bool zone = arguments[0].type == QTDB_TYPE_TIMESTAMPTZ;
        struct zone_clock here = {0, false, ""};

        if (zone)
            here = zone_at(zone_session(), arguments[0].integer);
        clock = clock_of(arguments[0].integer + here.offset * INT64_C(1000000));
        clock.zone = here;
    }
    while (at < end) {
        bool fill = true;

        if (*at == '"') {
            const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));

            close = close == NULL ? end : close;
            text_out_put(&text, at + 1, (size_t)(close - at - 1));
            at = close < end ? close + 1 : end;
            continue;
        }
        if (end - at > 2 && strncasecmp(at, "FM", 2) == 0) {
            fill = false;
            at += 2;
        }
        const char *pattern = find_pattern(at, (size_t)(end - at));
        if (pattern == NULL) {
            text_out_put(&text, at++, 1);
            continue;
        }
        if (arguments[0].type == QTDB_TYPE_INTERVAL && is_of_dates(pattern))
            return sql_error_set(eval->error, "22007", expr->location,
                                 "invalid format specification for an interval value");
        at += strlen(pattern);
        number = false;
        put_field(&text, pattern, &clock, fill, &number);
        if (number && end - at >= 2 && strncasecmp(at, "th", 2) == 0) {
            put_ordinal(&text, *at == 'T');
            at += 2;
        }
    }
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

/* Reading. */

struct take {
    const char *next;
    const char *end;
};

static bool
take_number(struct take *take, int most, int64_t *out)
{
    int count = 0;
    int64_t number = 0;

    while (take->next < take->end && *take->next == ' ')
        take->next++;
    for (; count < most && take->next < take->end && isdigit((unsigned char)*take->next); count++)
        number = number * 10 + (*take->next++ - '0');
    *out = number;
    return count > 0;
}

static bool
take_name(struct take *take, const char *const *names, int count, bool shorten, int64_t *out)
{
    for (int i = 0; i < count; i++) {
        size_t size = shorten ? 3 : strlen(names[i]);

        if ((size_t)(take->end - take->next) >= size &&
            strncasecmp(take->next, names[i], size) == 0) {
            take->next += size;
            *out = i + 1;
            return true;
        }
    }
    return false;
}

struct read_clock {
    struct clock clock;
    bool twelve, afternoon;
};

/* A pattern's part of the text. */
static bool
take_field(struct take *take, const char *pattern, struct read_clock *out)
{
    struct clock *clock = &out->clock;
    int64_t ignored = 0;

    if (strcmp(pattern, "YYYY") == 0)
        return take_number(take, 4, &clock->year);
    if (strcmp(pattern, "YY") == 0) {
        bool ok = take_number(take, 2, &clock->year);

        clock->year += clock->year < 70 ? 2000 : 1900;
        return ok;
    }
    if (strcmp(pattern, "MM") == 0)
        return take_number(take, 2, &clock->month);
    if (strcmp(pattern, "DD") == 0)
        return take_number(take, 2, &clock->day);
    if (pattern[0] == 'H') {
        out->twelve = strcmp(pattern, "HH24") != 0;
        return take_number(take, 2, &clock->hour);
    }
    if (strcmp(pattern, "MI") == 0)
        return take_number(take, 2, &clock->minute);
    if (strcmp(pattern, "SS") == 0)
        return take_number(take, 2, &clock->second);
    if (strcmp(pattern, "MS") == 0 || strcmp(pattern, "US") == 0) {
        const char *from = take->next;
        bool ok = take_number(take, pattern[0] == 'M' ? 3 : 6, &clock->microsecond);

        for (long count = take->next - from; count < 6; count++)
            clock->microsecond *= 10;
        return ok;
    }
    if (strcasecmp(pattern, "am") == 0 || strcasecmp(pattern, "pm") == 0) {
        static const char *const halves[] = {"AM ", "PM "};
        bool pm = take->next < take->end && (*take->next | 32) == 'p';

        (void)halves;
        out->afternoon = pm;
        if (take->end - take->next < 2)
            return false;
        take->next += 2;
        return true;
    }
    if (strncasecmp(pattern, "mon", 3) == 0)
        return take_name(take, months, 12, strlen(pattern) == 3, &clock->month);
    if (strcasecmp(pattern, "day") == 0 || strcasecmp(pattern, "dy") == 0)
        return take_name(take, days, 7, strlen(pattern) == 2, &ignored);
    return false;
}

static enum status
refuse_text(const struct expr *expr, const struct value *text, const char *pattern,
            struct eval *eval)
{
    return sql_error_set(eval->error, "22007", expr->location, "invalid value \"%.*s\" for \"%s\"",
                         (int)(text->size < 60 ? text->size : 60), (const char *)text->bytes,
                         pattern);
}

/* to_date(text, pattern), to_timestamp(text, pattern). */
static enum status
call_read_stamp(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    const char *at = (const char *)arguments[1].bytes, *end = at + arguments[1].size;
    struct take take = {(const char *)arguments[0].bytes, NULL};
    struct read_clock read = {.clock = {.year = 1, .month = 1, .day = 1}};
    struct clock *clock = &read.clock;

    take.end = take.next + arguments[0].size;
    while (at < end && take.next < take.end) {
        if (end - at > 2 && strncasecmp(at, "FM", 2) == 0)
            at += 2;
        const char *pattern = find_pattern(at, (size_t)(end - at));
        if (pattern == NULL) {
            at++;
            if (!isalnum((unsigned char)*take.next))
                take.next++;
            continue;
        }
        at += strlen(pattern);
        if (!take_field(&take, pattern, &read))
            return refuse_text(expr, &arguments[0], pattern, eval);
    }
    if (read.twelve)
        clock->hour = clock->hour % 12 + (read.afternoon ? 12 : 0);
    if (clock->month < 1 || clock->month > 12 || clock->day < 1 || clock->year < 1 ||
        clock->day > datetime_month_days(clock->year, clock->month) || clock->hour > 23 ||
        clock->minute > 59 || clock->second > 59)
        return sql_error_set(eval->error, "22008", expr->location,
                             "date/time field value out of range: \"%.*s\"",
                             (int)(arguments[0].size < 60 ? arguments[0].size : 60),
                             (const char *)arguments[0].bytes);
    int64_t day = datetime_days(clock->year, clock->month, clock->day);
    int64_t seconds = (clock->hour * 60 + clock->minute) * 60 + clock->second;
    int64_t local = day * DAY_US + seconds * 1000000 + clock->microsecond;
    *out = value_integer(expr->type.type, expr->type.type == QTDB_TYPE_DATE
                                              ? day
                                              : zone_to_moment(zone_session(), local));
    return STATUS_OK;
}

/* Numbers. */

struct number_format {
    int before, after; /* Digits. */
    int first_zero;    /* Digits from here on are shown even when leading; before: none. */
    bool point, fill, sign_first, sign_anchored, minus_last;
};

static struct number_format
read_format(const char *at, const char *end)
{
    struct number_format format = {0, 0, 1000, false, true, false, false, false};

    for (; at < end; at++) {
        if (end - at >= 2 && strncasecmp(at, "FM", 2) == 0) {
            format.fill = false;
            at++;
        } else if (end - at >= 2 && strncasecmp(at, "MI", 2) == 0) {
            format.minus_last = true;
            at++;
        } else if (*at == 'S' || *at == 's') {
            /* In front of the digits it stands before the first one that is shown. */
            format.sign_anchored = format.before == 0 && !format.point;
            format.sign_first = !format.sign_anchored;
        } else if (*at == '.' || *at == 'D' || *at == 'd') {
            format.point = true;
        } else if (*at == '9' || *at == '0') {
            if (*at == '0' && !format.point && format.before < format.first_zero)
                format.first_zero = format.before;
            format.before += !format.point;
            format.after += format.point;
        }
    }
    return format;
}

/* A number on its way into a format. */
struct number_out {
    struct number_format format;
    struct text_out text;
    const char *digits; /* Without sign. */
    const char *point;  /* In them; NULL: none. */
    int whole;          /* Digits before the point; 0 for a bare zero. */
    int place, decimal; /* Reached in the format. */
    bool negative, overflow, started, sign_put;
};

/* A 9 or 0 before the point: a blank, the sign once digits come, or a digit. */
static void
put_whole_digit(struct number_out *out)
{
    bool fill = out->format.fill;
    int left = out->format.before - out->place++;
    bool shown = left <= out->whole || out->place > out->format.first_zero ||
                 (left == 1 && out->whole == 0 && !out->format.point);

    if (!shown && left == 1 && fill)
        text_out_puts(&out->text, " ");
    if (!out->sign_put && (shown || left == 1)) {
        text_out_puts(&out->text, out->negative               ? "-"
                                  : out->format.sign_anchored ? "+"
                                  : fill                      ? " "
                                                              : "");
        out->sign_put = true;
    }
    if (!shown) {
        text_out_puts(&out->text, fill && left > 1 ? " " : "");
        return;
    }
    out->started = true;
    char c = '0';
    if (left <= out->whole)
        c = out->digits[out->whole - left];
    c = (char)(out->overflow ? '#' : c);
    text_out_put(&out->text, &c, 1);
}

/* One behind the point; `rest` is the format from here on. With FM, zeros at the end are shown by 0 alone. */
static void
put_decimal_digit(struct number_out *out, const char *rest, size_t rest_size)
{
    const char *digits = out->point + 1 + out->decimal++;
    bool zeros = strspn(digits, "0") == strlen(digits);

    if (out->format.fill || !zeros || memchr(rest, '0', rest_size) != NULL)
        text_out_put(&out->text, out->overflow ? "#" : digits, 1);
}

static void
put_format(struct number_out *out, const char *at, const char *end)
{
    bool after = false, fill = out->format.fill;

    for (; at < end; at++) {
        bool digit = *at == '9' || *at == '0';

        if (end - at >= 2 && strncasecmp(at, "FM", 2) == 0) {
            at++;
        } else if (end - at >= 2 && strncasecmp(at, "MI", 2) == 0) {
            text_out_puts(&out->text, out->negative ? "-" : fill ? " " : "");
            at++;
        } else if (*at == 'S' || *at == 's') {
            if (!out->format.sign_anchored)
                text_out_puts(&out->text, out->negative ? "-" : "+");
        } else if (*at == '.' || *at == 'D' || *at == 'd') {
            after = true;
            text_out_puts(&out->text, ".");
        } else if (*at == ',' || *at == 'G' || *at == 'g') {
            text_out_puts(&out->text, out->started ? "," : fill ? " " : "");
        } else if (digit && !after) {
            put_whole_digit(out);
        } else if (digit && out->point != NULL && out->decimal < out->format.after) {
            put_decimal_digit(out, at, (size_t)(end - at));
        } else if (*at == '"') {
            for (at++; at < end && *at != '"'; at++)
                text_out_put(&out->text, at, 1);
        } else {
            text_out_put(&out->text, at, 1);
        }
    }
}

/* Outside quotes. */
static bool
has_unbuilt(const char *at, const char *end)
{
    static const char *const unbuilt[] = {"PR", "RN", "SG", "PL", "TH", "V", "EEEE"};
    bool quoted = false;

    for (; at < end; at++) {
        quoted = quoted != (*at == '"');
        for (size_t i = 0; i < sizeof(unbuilt) / sizeof(unbuilt[0]) && !quoted; i++) {
            size_t size = strlen(unbuilt[i]);

            if ((size_t)(end - at) >= size && strncasecmp(at, unbuilt[i], size) == 0)
                return true;
        }
    }
    return false;
}

/* to_char(number, pattern): 9, 0, point, comma, S, MI, FM, and what else stands there. */
static enum status
call_char_number(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    const char *pattern = (const char *)arguments[1].bytes;
    const uint8_t *bytes = NULL;
    uint32_t bytes_size = 0;
    size_t size = 0;
    struct value number;
    struct number_out state = {.text = {.arena = eval->arena}};

    if (has_unbuilt(pattern, pattern + arguments[1].size))
        return sql_error_set(eval->error, "0A000", expr->location,
                             "PR, RN, SG, PL, TH, V and EEEE in a number format are not supported "
                             "yet");
    state.format = read_format(pattern, pattern + arguments[1].size);
    if (state.format.before + state.format.after > 100)
        return sql_error_set(eval->error, "22023", expr->location, "a number format is too long");
    TRY(value_cast(&arguments[0], &numeric, eval->arena, &number, eval->error));
    TRY(numeric_round(number.bytes, number.size, 0, state.format.after, eval->arena, &bytes,
                      &bytes_size));
    state.digits = numeric_print(bytes, bytes_size, eval->arena, &size);
    if (state.digits == NULL)
        return STATUS_NO_MEMORY;
    state.negative = state.digits[0] == '-';
    state.digits += state.negative;
    state.point = strchr(state.digits, '.');
    state.whole =
        (int)(state.point != NULL ? (size_t)(state.point - state.digits) : strlen(state.digits));
    if (state.whole == 1 && state.digits[0] == '0')
        state.whole = 0; /* Shown by 0 alone, or a single 9 without fraction. */
    state.overflow = state.whole > state.format.before;
    state.sign_put = state.format.sign_first || state.format.minus_last;
    put_format(&state, pattern, pattern + arguments[1].size);
    return text_out_value(&state.text, QTDB_TYPE_TEXT, out);
}

/* to_number(text, pattern): digits, sign and point; the rest is passed over. */
static enum status
call_to_number(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct text_out text = {.arena = eval->arena};
    bool negative = false;

    for (uint32_t i = 0; i < arguments[0].size; i++) {
        char c = (char)arguments[0].bytes[i];

        if (isdigit((unsigned char)c) || c == '.')
            text_out_put(&text, &c, 1);
        negative = negative || c == '-';
    }
    if (text.size == 0)
        return sql_error_set(eval->error, "22P02", expr->location,
                             "invalid input syntax for type numeric: \" \"");
    TRY(value_parse(&numeric, text.bytes, text.size, eval->arena, out, eval->error));
    return negative ? expr_negate(expr, out, eval, out) : STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT
#define TWO(name, left, result, call)                        \
    {                                                        \
        name, 2, 2, {left, TEXT}, result, false, false, call \
    }

const struct function function_format_table[] = {
    TWO("to_char", QTDB_TYPE_TIMESTAMPTZ, TEXT, call_char_stamp),
    TWO("to_char", QTDB_TYPE_TIMESTAMP, TEXT, call_char_stamp),
    TWO("to_char", QTDB_TYPE_INTERVAL, TEXT, call_char_stamp),
    TWO("to_char", QTDB_TYPE_INT4, TEXT, call_char_number),
    TWO("to_char", QTDB_TYPE_INT8, TEXT, call_char_number),
    TWO("to_char", QTDB_TYPE_NUMERIC, TEXT, call_char_number),
    TWO("to_char", QTDB_TYPE_FLOAT8, TEXT, call_char_number),
    TWO("to_date", TEXT, QTDB_TYPE_DATE, call_read_stamp),
    TWO("to_timestamp", TEXT, QTDB_TYPE_TIMESTAMPTZ, call_read_stamp),
    TWO("to_number", TEXT, QTDB_TYPE_NUMERIC, call_to_number),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
