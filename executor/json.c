/*
 * A validator without recursion: one bit a level says whether it is an object or an array, and a
 * state says what may come next.
 */
#include "executor/json.h"

#include <string.h>

enum expects {
    EXPECT_VALUE,        /* A value. */
    EXPECT_VALUE_OR_END, /* After '['. */
    EXPECT_KEY,          /* After ',' in an object. */
    EXPECT_KEY_OR_END,   /* After '{'. */
    EXPECT_COLON,
    EXPECT_COMMA_OR_END, /* After a value inside a container. */
    EXPECT_NOTHING,      /* After the outermost value. */
};

struct json_scan {
    const char *text;
    size_t size;
    size_t next;
    uint32_t depth;
    uint8_t is_object[JSON_DEPTH_MAX / 8 + 1];
};

static void
skip_space(struct json_scan *scan)
{
    while (scan->next < scan->size && strchr(" \t\n\r", scan->text[scan->next]) != NULL &&
           scan->text[scan->next] != '\0')
        scan->next++;
}

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool
take_escape(struct json_scan *scan)
{
    if (scan->next == scan->size)
        return false;
    char c = scan->text[scan->next++];
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    if (scan->size - scan->next < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        if (!is_hex(scan->text[scan->next++]))
            return false;
    }
    return true;
}

/* The opening quote has been taken. */
static bool
take_string(struct json_scan *scan)
{
    while (scan->next < scan->size) {
        char c = scan->text[scan->next++];

        if (c == '"')
            return true;
        if ((unsigned char)c < 0x20 || (c == '\\' && !take_escape(scan)))
            return false;
    }
    return false;
}

static size_t
take_digits(struct json_scan *scan)
{
    size_t first = scan->next;

    while (scan->next < scan->size && scan->text[scan->next] >= '0' &&
           scan->text[scan->next] <= '9')
        scan->next++;
    return scan->next - first;
}

static bool
take_if(struct json_scan *scan, char wanted)
{
    if (scan->next == scan->size || scan->text[scan->next] != wanted)
        return false;
    scan->next++;
    return true;
}

static bool
take_number(struct json_scan *scan)
{
    (void)take_if(scan, '-');
    bool zero = scan->next < scan->size && scan->text[scan->next] == '0';
    size_t digits = take_digits(scan);
    if (digits == 0 || (zero && digits > 1))
        return false;
    if (take_if(scan, '.') && take_digits(scan) == 0)
        return false;
    if (take_if(scan, 'e') || take_if(scan, 'E')) {
        if (!take_if(scan, '+'))
            (void)take_if(scan, '-');
        return take_digits(scan) > 0;
    }
    return true;
}

static bool
take_word(struct json_scan *scan, const char *word)
{
    size_t size = strlen(word);

    if (scan->size - scan->next < size || memcmp(scan->text + scan->next, word, size) != 0)
        return false;
    scan->next += size;
    return true;
}

static bool
inside_object(const struct json_scan *scan)
{
    uint32_t level = scan->depth - 1;

    return (scan->is_object[level / 8] >> (level % 8) & 1) != 0;
}

static bool
open_container(struct json_scan *scan, bool object)
{
    uint32_t level = scan->depth;
    uint8_t bit = (uint8_t)(1u << (level % 8));

    if (level == JSON_DEPTH_MAX)
        return false;
    scan->is_object[level / 8] =
        (uint8_t)((scan->is_object[level / 8] & ~bit) | (object ? bit : 0));
    scan->depth++;
    return true;
}

/* A scalar or the opening of a container. */
static bool
take_value(struct json_scan *scan, enum expects *expects)
{
    char c = scan->text[scan->next];
    enum expects after = scan->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;

    if (c == '{' || c == '[') {
        scan->next++;
        *expects = c == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
        return open_container(scan, c == '{');
    }
    *expects = after;
    if (c == '"') {
        scan->next++;
        return take_string(scan);
    }
    if (c == 't')
        return take_word(scan, "true");
    if (c == 'f')
        return take_word(scan, "false");
    if (c == 'n')
        return take_word(scan, "null");
    return take_number(scan);
}

static bool
take_end_or_comma(struct json_scan *scan, enum expects *expects)
{
    char c = scan->text[scan->next++];

    if (c == ',' && *expects == EXPECT_COMMA_OR_END) {
        *expects = inside_object(scan) ? EXPECT_KEY : EXPECT_VALUE;
        return true;
    }
    if (c != (inside_object(scan) ? '}' : ']'))
        return false;
    scan->depth--;
    *expects = scan->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
    return true;
}

static bool
take_token(struct json_scan *scan, enum expects *expects)
{
    char c = scan->text[scan->next];

    switch (*expects) {
    case EXPECT_VALUE:
        return take_value(scan, expects);
    case EXPECT_VALUE_OR_END:
        return c == ']' ? take_end_or_comma(scan, expects) : take_value(scan, expects);
    case EXPECT_KEY_OR_END:
        if (c == '}')
            return take_end_or_comma(scan, expects);
        /* fall through */
    case EXPECT_KEY:
        *expects = EXPECT_COLON;
        return take_if(scan, '"') && take_string(scan);
    case EXPECT_COLON:
        *expects = EXPECT_VALUE;
        return take_if(scan, ':');
    case EXPECT_COMMA_OR_END:
        return take_end_or_comma(scan, expects);
    default:
        return false;
    }
}

enum status
json_validate(const char *text, size_t size, struct sql_error *error)
{
    struct json_scan scan = {.text = text, .size = size};
    enum expects expects = EXPECT_VALUE;

    for (skip_space(&scan); scan.next < size; skip_space(&scan)) {
        size_t start = scan.next;

        if (!take_token(&scan, &expects))
            return sql_error_set(error, "22P02", -1,
                                 "invalid input syntax for type json: token at offset %zu", start);
    }
    if (expects != EXPECT_NOTHING)
        return sql_error_set(error, "22P02", -1,
                             "invalid input syntax for type json: the input ended unexpectedly");
    return STATUS_OK;
}
