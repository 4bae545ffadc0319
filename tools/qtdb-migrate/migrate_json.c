/*
 * One pass with a stack of one byte a level: '{' or '['. `want_value` says whether a value must come
 * next; otherwise it is a comma or the end of the container.
 */
#include "tools/qtdb-migrate/migrate_json.h"

#include <string.h>

struct scan {
    const char *text;
    size_t size;
    size_t at;
    size_t depth;
    char open[MIGRATE_JSON_DEPTH_MAX];
};

static char
peek(const struct scan *scan)
{
    if (scan->at < scan->size)
        return scan->text[scan->at];
    return '\0';
}

static bool
take(struct scan *scan, char wanted)
{
    if (scan->at >= scan->size || scan->text[scan->at] != wanted)
        return false;
    scan->at++;
    return true;
}

static void
skip_space(struct scan *scan)
{
    while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\n' || peek(scan) == '\r')
        scan->at++;
}

static bool
take_escape(struct scan *scan)
{
    char kind = peek(scan);

    scan->at++;
    if (kind != 'u')
        return kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL;
    for (int i = 0; i < 4; i++) {
        char digit = peek(scan);

        if (digit == '\0' || strchr("0123456789abcdefABCDEF", digit) == NULL)
            return false;
        scan->at++;
    }
    return true;
}

static bool
take_string(struct scan *scan)
{
    if (!take(scan, '"'))
        return false;
    while (scan->at < scan->size) {
        unsigned char one = (unsigned char)scan->text[scan->at++];

        if (one == '"')
            return true;
        if (one < 0x20 || (one == '\\' && !take_escape(scan)))
            return false;
    }
    return false;
}

static size_t
take_digits(struct scan *scan)
{
    size_t begin = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at - begin;
}

static bool
take_number(struct scan *scan)
{
    (void)take(scan, '-');
    if (!take(scan, '0') && take_digits(scan) == 0)
        return false;
    if (take(scan, '.') && take_digits(scan) == 0)
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            (void)take(scan, '-');
        return take_digits(scan) > 0;
    }
    return true;
}

static bool
take_word(struct scan *scan, const char *word)
{
    size_t size = strlen(word);

    if (scan->size - scan->at < size || memcmp(scan->text + scan->at, word, size) != 0)
        return false;
    scan->at += size;
    return true;
}

static bool
take_scalar(struct scan *scan)
{
    switch (peek(scan)) {
    case '"':
        return take_string(scan);
    case 't':
        return take_word(scan, "true");
    case 'f':
        return take_word(scan, "false");
    case 'n':
        return take_word(scan, "null");
    default:
        return take_number(scan);
    }
}

/* A key and its colon, when the innermost container is an object. */
static bool
take_key(struct scan *scan)
{
    if (scan->depth == 0 || scan->open[scan->depth - 1] == '[')
        return true;
    skip_space(scan);
    if (!take_string(scan))
        return false;
    skip_space(scan);
    return take(scan, ':');
}

/* Opens containers until a scalar or an empty container has been taken. */
static bool
take_value(struct scan *scan)
{
    for (;;) {
        skip_space(scan);
        char one = peek(scan);
        if (one != '{' && one != '[')
            return take_scalar(scan);
        if (scan->depth == MIGRATE_JSON_DEPTH_MAX)
            return false;
        scan->open[scan->depth++] = one;
        scan->at++;
        skip_space(scan);
        if (peek(scan) == (one == '{' ? '}' : ']'))
            return true;
        if (!take_key(scan))
            return false;
    }
}

bool
migrate_json_is_valid(const char *text, size_t size)
{
    struct scan scan = {.text = text, .size = size};

    if (!take_value(&scan))
        return false;
    for (skip_space(&scan); scan.depth > 0; skip_space(&scan)) {
        if (take(&scan, scan.open[scan.depth - 1] == '{' ? '}' : ']')) {
            scan.depth--;
            continue;
        }
        if (!take(&scan, ',') || !take_key(&scan) || !take_value(&scan))
            return false;
    }
    return scan.at == scan.size;
}
