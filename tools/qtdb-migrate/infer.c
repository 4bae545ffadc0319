/* See infer.h. */
#include "tools/qtdb-migrate/infer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/migrate_time.h"

enum { NUMBER_SIZE_MAX = 400, UUID_SIZE = 36 };

static size_t
digits_at(const char *text, size_t size, size_t at)
{
    size_t count = 0;

    while (at + count < size && text[at + count] >= '0' && text[at + count] <= '9')
        count++;
    return count;
}

static bool
fits_integer(const char *text, size_t size)
{
    char copy[24];

    if (size <= 18)
        return true;
    if (size >= sizeof(copy))
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    errno = 0;
    (void)strtoll(copy, NULL, 10);
    return errno == 0;
}

static bool
is_finite(const char *text, size_t size)
{
    char copy[NUMBER_SIZE_MAX + 1];

    if (size > NUMBER_SIZE_MAX)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return isfinite(strtod(copy, NULL)) != 0;
}

/* -0 would lose its sign as a number, and 007 its zeros. */
static uint32_t
number_forms(const char *text, size_t size)
{
    size_t at = text[0] == '-';
    size_t whole = digits_at(text, size, at), fraction = 0;
    bool all_zero = strspn(text, "-0.") >= size;

    if (whole == 0 || (whole > 1 && text[at] == '0') || (at == 1 && all_zero))
        return 0;
    at += whole;
    if (at == size)
        return INFER_NUMERIC | INFER_REAL | (fits_integer(text, size) ? INFER_INTEGER : 0);
    if (text[at] == '.') {
        fraction = digits_at(text, size, at + 1);
        if (fraction == 0)
            return 0;
        at += 1 + fraction;
        if (at == size)
            return INFER_NUMERIC | INFER_REAL;
    }
    if (text[at] != 'e' && text[at] != 'E')
        return 0;
    at++;
    at += at < size && (text[at] == '-' || text[at] == '+');
    size_t exponent = digits_at(text, size, at);
    return exponent > 0 && at + exponent == size && is_finite(text, size) ? INFER_REAL : 0;
}

static uint32_t
moment_forms(const char *text, size_t size)
{
    struct moment moment;

    if (size < 10 || text[0] == '+' || !moment_parse(text, size, &moment) ||
        moment.nanosecond % 1000 != 0)
        return 0;
    if (moment.has_zone)
        return INFER_TIMESTAMPTZ;
    return moment.has_time ? INFER_TIMESTAMP : INFER_DATE;
}

static uint32_t
word_forms(const char *text, size_t size)
{
    static const char *const words[] = {"true", "false", "t", "f"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == size && strncasecmp(words[i], text, size) == 0)
            return INFER_BOOLEAN;
    }
    if (size != UUID_SIZE)
        return 0;
    for (size_t i = 0; i < size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
            return 0;
    }
    return INFER_UUID;
}

uint32_t
infer_forms(const char *text, size_t size)
{
    uint32_t forms;

    if (size == 0)
        return 0;
    if ((text[0] >= '0' && text[0] <= '9') || text[0] == '-') {
        forms = size <= NUMBER_SIZE_MAX ? number_forms(text, size) : 0;
        if (forms != 0)
            return forms;
        forms = moment_forms(text, size);
        if (forms != 0)
            return forms;
    }
    return word_forms(text, size);
}

void
infer_init(struct infer *infer)
{
    *infer = (struct infer){.possible = INFER_ALL};
}

void
infer_value(struct infer *infer, const char *text, size_t size)
{
    infer->value_count++;
    if (infer->possible != 0)
        infer->possible &= infer_forms(text, size);
}

enum legacy_column_kind
infer_kind(const struct infer *infer)
{
    static const struct {
        uint32_t form;
        enum legacy_column_kind kind;
    } kinds[] = {
        {INFER_INTEGER, LEGACY_COLUMN_INTEGER},
        {INFER_NUMERIC, LEGACY_COLUMN_NUMERIC},
        {INFER_REAL, LEGACY_COLUMN_REAL},
        {INFER_BOOLEAN, LEGACY_COLUMN_BOOLEAN},
        {INFER_DATE, LEGACY_COLUMN_DATE},
        {INFER_TIMESTAMP, LEGACY_COLUMN_TIMESTAMP},
        {INFER_TIMESTAMPTZ, LEGACY_COLUMN_TIMESTAMPTZ},
        {INFER_UUID, LEGACY_COLUMN_UUID},
    };

    for (size_t i = 0; infer->value_count > 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (infer->possible & kinds[i].form)
            return kinds[i].kind;
    }
    return LEGACY_COLUMN_TEXT;
}
