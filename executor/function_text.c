/* Functions of texts. Positions and lengths count UTF-8 characters. */
#include <ctype.h>
#include <string.h>

#include "executor/function.h"
#include "executor/text_out.h"
#include "executor/unicode.h"
#include "kernel/base/check.h"

enum { TEXT_SIZE_MAX = 256 << 20 };

static int64_t
character_count(const struct value *value)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < value->size; i++)
        count += (value->bytes[i] & 0xc0) != 0x80;
    return count;
}

/* The byte where character `index` (from 0) begins; the size past the end. */
static uint32_t
byte_of(const struct value *value, int64_t index)
{
    uint32_t at = 0;

    for (int64_t count = 0; at < value->size; at++) {
        if ((value->bytes[at] & 0xc0) != 0x80 && count++ == index)
            return at;
    }
    return at;
}

static struct value
slice(const struct value *value, uint32_t from, uint32_t to)
{
    return value_bytes(QTDB_TYPE_TEXT, value->bytes + from, to > from ? to - from : 0);
}

static enum status
take_text(const struct expr *expr, size_t size, struct eval *eval, uint8_t **out)
{
    if (size > TEXT_SIZE_MAX)
        return sql_error_set(eval->error, "54000", expr->location, "requested length too large");
    *out = arena_alloc(eval->arena, size + 1);
    return *out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
call_length(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, character_count(&arguments[0]));
    return STATUS_OK;
}

static enum status
call_octet_length(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, arguments[0].size);
    return STATUS_OK;
}

static enum status
call_case(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    const char *next = (const char *)arguments[0].bytes, *end = next + arguments[0].size;
    struct text_out text = {.arena = eval->arena};
    char kind = expr->function->name[0]; /* upper, lower, initcap */
    bool inside = false;                 /* A word. */

    while (next < end) {
        uint32_t c = unicode_next(&next, end);
        bool upper = kind == 'u' || (kind == 'i' && !inside);
        char bytes[4];
        size_t size = unicode_put(upper ? unicode_upper(c) : unicode_lower(c), bytes);

        inside = c >= 0x80 ? unicode_upper(c) != unicode_lower(c) : isalnum((int)c) != 0;
        text_out_put(&text, bytes, size);
    }
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

/* substr(text, from [, count]): positions from 1, before it they are counted and dropped. */
static enum status
call_substr(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    int64_t from = arguments[1].integer, end = INT64_MAX;

    if (expr->argument_count > 2) {
        if (arguments[2].integer < 0)
            return sql_error_set(eval->error, "22011", expr->location,
                                 "negative substring length not allowed");
        end = from + arguments[2].integer;
    }
    if (from < 1)
        from = 1;
    if (end < from)
        end = from;
    *out = slice(&arguments[0], byte_of(&arguments[0], from - 1), byte_of(&arguments[0], end - 1));
    return STATUS_OK;
}

/* left(text, n) and right(text, n): below 0 all but that many. */
static enum status
call_left_right(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    int64_t count = character_count(&arguments[0]), wanted = arguments[1].integer;

    (void)eval;
    if (wanted < 0)
        wanted = count + wanted > 0 ? count + wanted : 0;
    if (wanted > count)
        wanted = count;
    if (expr->function->name[0] == 'l')
        *out = slice(&arguments[0], 0, byte_of(&arguments[0], wanted));
    else
        *out = slice(&arguments[0], byte_of(&arguments[0], count - wanted), arguments[0].size);
    return STATUS_OK;
}

static uint32_t
character_size(const struct value *value, uint32_t at)
{
    uint32_t size = 1;

    while (at + size < value->size && (value->bytes[at + size] & 0xc0) == 0x80)
        size++;
    return size;
}

static bool
has_character(const struct value *set, const uint8_t *character, uint32_t size)
{
    for (uint32_t at = 0; at < set->size; at += character_size(set, at)) {
        if (character_size(set, at) == size && memcmp(set->bytes + at, character, size) == 0)
            return true;
    }
    return false;
}

/* btrim, ltrim, rtrim (text [, characters]). */
static enum status
call_trim(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    static const uint8_t blank[] = " ";
    struct value set = value_bytes(QTDB_TYPE_TEXT, blank, 1);
    uint32_t from = 0, to = arguments[0].size;
    char side = expr->function->name[0];

    (void)eval;
    if (expr->argument_count > 1)
        set = arguments[1];
    while (side != 'r' && from < to) {
        uint32_t size = character_size(&arguments[0], from);

        if (!has_character(&set, arguments[0].bytes + from, size))
            break;
        from += size;
    }
    while (side != 'l' && to > from) {
        uint32_t at = to - 1;

        while (at > from && (arguments[0].bytes[at] & 0xc0) == 0x80)
            at--;
        if (!has_character(&set, arguments[0].bytes + at, to - at))
            break;
        to = at;
    }
    *out = slice(&arguments[0], from, to);
    return STATUS_OK;
}

/* The byte where `part` begins at or after `from`; UINT32_MAX when nowhere. */
static uint32_t
find(const struct value *text, const struct value *part, uint32_t from)
{
    for (uint32_t at = from; part->size <= text->size && at <= text->size - part->size; at++) {
        if (part->size == 0 || memcmp(text->bytes + at, part->bytes, part->size) == 0)
            return at;
    }
    return UINT32_MAX;
}

static enum status
call_position(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    uint32_t at = find(&arguments[0], &arguments[1], 0);
    struct value before = slice(&arguments[0], 0, at == UINT32_MAX ? 0 : at);

    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, at == UINT32_MAX ? 0 : character_count(&before) + 1);
    return STATUS_OK;
}

static enum status
call_replace(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const struct value *text = &arguments[0], *old = &arguments[1], *new_part = &arguments[2];
    uint32_t count = 0, from = 0, used = 0;
    uint8_t *bytes = NULL;

    *out = *text;
    for (uint32_t at = find(text, old, 0); old->size > 0 && at != UINT32_MAX;
         at = find(text, old, at + old->size))
        count++;
    if (count == 0)
        return STATUS_OK;
    size_t size = text->size - (size_t)count * old->size + (size_t)count * new_part->size;
    TRY(take_text(expr, size, eval, &bytes));
    CHECK(bytes != NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = find(text, old, from);

        memcpy(bytes + used, text->bytes + from, at - from);
        used += at - from;
        if (new_part->size > 0)
            memcpy(bytes + used, new_part->bytes, new_part->size);
        used += new_part->size;
        from = at + old->size;
    }
    memcpy(bytes + used, text->bytes + from, text->size - from);
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, size);
    return STATUS_OK;
}

static enum status
call_repeat(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    uint64_t count = arguments[1].integer > 0 ? (uint64_t)arguments[1].integer : 0;
    uint8_t *bytes = NULL;

    TRY(take_text(expr, count * arguments[0].size, eval, &bytes));
    CHECK(bytes != NULL);
    for (uint64_t i = 0; i < count && arguments[0].size > 0; i++)
        memcpy(bytes + i * arguments[0].size, arguments[0].bytes, arguments[0].size);
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, count * arguments[0].size);
    return STATUS_OK;
}

static enum status
call_reverse(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    uint8_t *bytes = NULL;

    TRY(take_text(expr, arguments[0].size, eval, &bytes));
    CHECK(bytes != NULL);
    for (uint32_t at = 0; at < arguments[0].size;) {
        uint32_t size = character_size(&arguments[0], at);

        memcpy(bytes + arguments[0].size - at - size, arguments[0].bytes + at, size);
        at += size;
    }
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, arguments[0].size);
    return STATUS_OK;
}

/* lpad, rpad (text, length [, fill]); longer texts are cut. */
static enum status
call_pad(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    static const uint8_t blank[] = " ";
    struct value fill = value_bytes(QTDB_TYPE_TEXT, blank, 1);
    int64_t count = character_count(&arguments[0]), wanted = arguments[1].integer;
    bool left = expr->function->name[0] == 'l';
    uint8_t *bytes = NULL;
    uint32_t used = 0;

    if (expr->argument_count > 2)
        fill = arguments[2];
    if (wanted <= count || fill.size == 0) {
        *out = slice(&arguments[0], 0, byte_of(&arguments[0], wanted > 0 ? wanted : 0));
        return STATUS_OK;
    }
    TRY(take_text(expr, arguments[0].size + 4 * (size_t)(wanted - count), eval, &bytes));
    CHECK(bytes != NULL);
    if (!left && arguments[0].size > 0)
        memcpy(bytes, arguments[0].bytes, arguments[0].size);
    used = left ? 0 : arguments[0].size;
    for (uint32_t at = 0; count < wanted; count++) {
        uint32_t size = character_size(&fill, at);

        memcpy(bytes + used, fill.bytes + at, size);
        used += size;
        at = at + size == fill.size ? 0 : at + size;
    }
    if (left && arguments[0].size > 0)
        memcpy(bytes + used, arguments[0].bytes, arguments[0].size);
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, used + (left ? arguments[0].size : 0));
    return STATUS_OK;
}

/* concat(...): nulls are passed over. */
static enum status
call_concat(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct value texts[FUNCTION_CALL_ARGUMENTS_MAX];
    size_t size = 0, used = 0;
    uint8_t *bytes = NULL;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        size_t text_size = 0;
        const char *text =
            arguments[i].null ? "" : value_print(&arguments[i], eval->arena, &text_size);

        if (text == NULL)
            return STATUS_NO_MEMORY;
        texts[i] = value_bytes(QTDB_TYPE_TEXT, text, text_size);
        size += text_size;
    }
    TRY(take_text(expr, size, eval, &bytes));
    CHECK(bytes != NULL);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (texts[i].size > 0)
            memcpy(bytes + used, texts[i].bytes, texts[i].size);
        used += texts[i].size;
    }
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, size);
    return STATUS_OK;
}

/* split_part(text, between, n): from the end when n is below 0. */
static enum status
call_split_part(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    const struct value *text = &arguments[0], *between = &arguments[1];
    int64_t wanted = arguments[2].integer, parts = 1;
    uint32_t from = 0;

    if (wanted == 0)
        return sql_error_set(eval->error, "22023", expr->location,
                             "field position must not be zero");
    if (between->size == 0) {
        *out = wanted == 1 || wanted == -1 ? *text : slice(text, 0, 0);
        return STATUS_OK;
    }
    for (uint32_t at = find(text, between, 0); at != UINT32_MAX;
         at = find(text, between, at + between->size))
        parts++;
    if (wanted < 0)
        wanted = parts + wanted + 1;
    if (wanted < 1 || wanted > parts) {
        *out = slice(text, 0, 0);
        return STATUS_OK;
    }
    for (int64_t i = 1; i < wanted; i++)
        from = find(text, between, from) + between->size;
    uint32_t to = find(text, between, from);
    *out = slice(text, from, to == UINT32_MAX ? text->size : to);
    return STATUS_OK;
}

static enum status
call_starts_with(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    (void)expr, (void)eval;
    bool starts = arguments[1].size <= arguments[0].size &&
                  (arguments[1].size == 0 ||
                   memcmp(arguments[0].bytes, arguments[1].bytes, arguments[1].size) == 0);
    *out = value_integer(QTDB_TYPE_BOOL, starts);
    return STATUS_OK;
}

const struct function function_text_table[] = {
    {"length", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT4, false, false, call_length},
    {"char_length", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT4, false, false, call_length},
    {"character_length", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT4, false, false, call_length},
    {"octet_length", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_INT4, false, false, call_octet_length},
    {"octet_length", 1, 1, {QTDB_TYPE_BYTEA}, QTDB_TYPE_INT4, false, false, call_octet_length},
    {"lower", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_case},
    {"upper", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_case},
    {"initcap", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_case},
    {"substr",
     2,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT4, QTDB_TYPE_INT4},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_substr},
    {"substring",
     2,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT4, QTDB_TYPE_INT4},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_substr},
    {"left", 2, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_INT4}, QTDB_TYPE_TEXT, false, false, call_left_right},
    {"right",
     2,
     2,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT4},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_left_right},
    {"btrim", 1, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_trim},
    {"ltrim", 1, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_trim},
    {"rtrim", 1, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_trim},
    {"strpos", 2, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT}, QTDB_TYPE_INT4, false, false, call_position},
    {"position",
     2,
     2,
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT},
     QTDB_TYPE_INT4,
     false,
     false,
     call_position},
    {"replace",
     3,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT, QTDB_TYPE_TEXT},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_replace},
    {"repeat", 2, 2, {QTDB_TYPE_TEXT, QTDB_TYPE_INT4}, QTDB_TYPE_TEXT, false, false, call_repeat},
    {"reverse", 1, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_TEXT, false, false, call_reverse},
    {"lpad",
     2,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT4, QTDB_TYPE_TEXT},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_pad},
    {"rpad",
     2,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_INT4, QTDB_TYPE_TEXT},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_pad},
    {"concat", 1, 1, {QTDB_TYPE_NULL}, QTDB_TYPE_TEXT, true, true, call_concat},
    {"split_part",
     3,
     3,
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT, QTDB_TYPE_INT4},
     QTDB_TYPE_TEXT,
     false,
     false,
     call_split_part},
    {"starts_with",
     2,
     2,
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT},
     QTDB_TYPE_BOOL,
     false,
     false,
     call_starts_with},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
