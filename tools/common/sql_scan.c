/*
 * See sql_scan.h. One function a state; each takes one byte and says what to remember of it:
 * `last` is the byte before, or NUL when that byte ended a mark of two and cannot begin another.
 */
#include "tools/common/sql_scan.h"

#include <ctype.h>

enum state {
    PLAIN = 0,
    TEXT = 1,
    NAME = 2,
    TAG = 3, /* Between the dollars of an opening $tag$. */
    DOLLAR = 4,
    LINE_COMMENT = 5,
    BLOCK_COMMENT = 6,
};

enum taken { TAKEN = 0, TAKEN_MARK = 1, TAKEN_END = 2 };

void
sql_scan_init(struct sql_scan *scan)
{
    *scan = (struct sql_scan){.state = PLAIN, .blank = true};
}

bool
sql_scan_is_blank(const struct sql_scan *scan)
{
    return scan->blank && (scan->state == PLAIN || scan->state == LINE_COMMENT);
}

static bool
is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80) != 0;
}

static enum taken
open_text(struct sql_scan *scan)
{
    scan->state = TEXT;
    if (scan->last != '\'') /* Else a doubled quote: the same text goes on. */
        scan->escapes = (scan->last == 'e' || scan->last == 'E') && !is_name_byte(scan->earlier);
    return TAKEN_MARK;
}

static enum taken
take_plain(struct sql_scan *scan, char c)
{
    if (c == ';')
        return TAKEN_END;
    if (c == '\'')
        return open_text(scan);
    if (c == '"') {
        scan->state = NAME;
    } else if (c == '$' && !is_name_byte(scan->last)) {
        scan->state = TAG;
        scan->tag[0] = '$';
        scan->tag_size = 1;
    } else if (c == '-' && scan->last == '-') {
        scan->state = LINE_COMMENT;
    } else if (c == '*' && scan->last == '/') {
        scan->state = BLOCK_COMMENT;
        scan->depth = 1;
        return TAKEN_MARK;
    }
    return TAKEN;
}

static enum taken
take_text(struct sql_scan *scan, char c)
{
    if (scan->escapes && scan->last == '\\')
        return TAKEN_MARK;
    if (c == '\'')
        scan->state = PLAIN;
    return TAKEN;
}

/* $1 is a parameter; $$ and $word$ open a text. */
static enum taken
take_tag(struct sql_scan *scan, char c)
{
    bool fits = scan->tag_size < SQL_SCAN_TAG_SIZE;
    bool digit_first = scan->tag_size == 1 && isdigit((unsigned char)c);

    if (fits && (c == '$' || (is_name_byte(c) && !digit_first))) {
        scan->tag[scan->tag_size++] = c;
        scan->tag_match = 0;
        scan->state = c == '$' ? DOLLAR : TAG;
        return TAKEN;
    }
    scan->state = PLAIN;
    return take_plain(scan, c);
}

static enum taken
take_dollar(struct sql_scan *scan, char c)
{
    if (c == scan->tag[scan->tag_match])
        scan->tag_match++;
    else
        scan->tag_match = c == '$' ? 1 : 0;
    if (scan->tag_match == scan->tag_size)
        scan->state = PLAIN;
    return TAKEN;
}

static enum taken
take_comment(struct sql_scan *scan, char c)
{
    if (scan->last == '*' && c == '/')
        scan->depth--;
    else if (scan->last == '/' && c == '*')
        scan->depth++;
    else
        return TAKEN;
    if (scan->depth == 0)
        scan->state = PLAIN;
    return TAKEN_MARK;
}

static enum taken
take(struct sql_scan *scan, char c)
{
    switch ((enum state)scan->state) {
    case PLAIN:
        return take_plain(scan, c);
    case TEXT:
        return take_text(scan, c);
    case NAME:
        scan->state = c == '"' ? PLAIN : NAME;
        return TAKEN;
    case TAG:
        return take_tag(scan, c);
    case DOLLAR:
        return take_dollar(scan, c);
    case LINE_COMMENT:
        scan->state = c == '\n' ? PLAIN : LINE_COMMENT;
        return TAKEN;
    case BLOCK_COMMENT:
        return take_comment(scan, c);
    }
    return TAKEN;
}

/* White space and comments, or what may become the mark of one. */
static bool
is_blank_byte(const struct sql_scan *scan, int before, char c)
{
    return before == LINE_COMMENT || before == BLOCK_COMMENT || scan->state == LINE_COMMENT ||
           scan->state == BLOCK_COMMENT || isspace((unsigned char)c) || c == '-' || c == '/';
}

size_t
sql_scan_feed(struct sql_scan *scan, const char *bytes, size_t size, bool *ended_out)
{
    for (size_t i = 0; i < size; i++) {
        int before = scan->state;
        enum taken taken = take(scan, bytes[i]);

        if (taken == TAKEN_END) {
            sql_scan_init(scan);
            *ended_out = true;
            return i + 1;
        }
        scan->blank = scan->blank && is_blank_byte(scan, before, bytes[i]);
        scan->earlier = scan->last;
        scan->last = bytes[i];
        if (taken == TAKEN_MARK)
            scan->last = '\0';
    }
    *ended_out = false;
    return size;
}
