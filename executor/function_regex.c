/* Functions and operators of regular expressions (regex.h). An expression is compiled where it is used. */
#include <string.h>

#include "executor/array.h"
#include "executor/function.h"
#include "executor/regex.h"
#include "executor/text_out.h"
#include "kernel/base/check.h"

struct search {
    struct regex *regex;
    const struct value *text;
    struct eval *eval;
    struct regex_match match;
    size_t next;
    bool global;
};

static enum status
located(enum status status, const struct expr *expr, struct eval *eval)
{
    if (status == STATUS_INVALID && eval->error->location < 0)
        eval->error->location = expr->location;
    return status;
}

static const struct value no_flags = {.type = QTDB_TYPE_TEXT, .bytes = (const uint8_t *)""};

/* The flags given as the argument of this number, or none. */
static const struct value *
flags_of(const struct expr *expr, const struct value *arguments, uint32_t number)
{
    return expr->argument_count > number ? &arguments[number] : &no_flags;
}

/* Flags: i, g and those that change nothing here. */
static enum status
open_search(const struct expr *expr, const struct value *text, const struct value *pattern,
            const struct value *flags, struct eval *eval, struct search *out)
{
    bool insensitive = false;

    *out = (struct search){.text = text, .eval = eval};
    for (uint32_t i = 0; i < flags->size; i++) {
        char flag = (char)flags->bytes[i];

        if (flag == 'i')
            insensitive = true;
        else if (flag == 'g')
            out->global = true;
        else if (flag == 'c')
            insensitive = false;
        else if (flag != 's' && flag != 't' && flag != 'e')
            return sql_error_set(eval->error, "22023", expr->location,
                                 "invalid regular expression option: \"%c\"", flag);
    }
    return located(regex_compile((const char *)pattern->bytes, pattern->size, insensitive,
                                 eval->arena, &out->regex, eval->error),
                   expr, eval);
}

/* The next match; an empty one moves on by a character. */
static enum status
next_match(struct search *search, bool *found)
{
    const struct value *text = search->text;

    *found = false;
    if (search->next > text->size)
        return STATUS_OK;
    enum status status =
        regex_search(search->regex, (const char *)text->bytes, text->size, search->next,
                     search->eval->arena, &search->match, search->eval->error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    *found = true;
    search->next = search->match.to[0];
    if (search->match.to[0] == search->match.from[0]) {
        search->next++;
        while (search->next < text->size && (text->bytes[search->next] & 0xc0) == 0x80)
            search->next++;
    }
    return STATUS_OK;
}

static struct value
group(const struct search *search, uint32_t index)
{
    size_t from = search->match.from[index], to = search->match.to[index];

    if (from == SIZE_MAX || to == SIZE_MAX)
        return value_null(QTDB_TYPE_TEXT);
    return value_bytes(QTDB_TYPE_TEXT, search->text->bytes + from, to - from);
}

/* ~, ~*, !~, !~* and regexp_like. */
static enum status
call_matches(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    static const struct value fold = {
        .type = QTDB_TYPE_TEXT, .size = 1, .bytes = (const uint8_t *)"i"};
    const char *name = expr->function->name;
    const struct value *flags = flags_of(expr, arguments, 2);
    struct search search;
    bool found = false;

    if (name[strlen(name) - 1] == '*')
        flags = &fold;
    TRY(open_search(expr, &arguments[0], &arguments[1], flags, eval, &search));
    TRY(located(next_match(&search, &found), expr, eval));
    *out = value_integer(QTDB_TYPE_BOOL, found != (name[0] == '!'));
    return STATUS_OK;
}

/* \1 to \9, \& and \\ in what is put in. */
static void
put_replacement(struct text_out *out, const struct search *search, const struct value *with)
{
    for (uint32_t i = 0; i < with->size; i++) {
        char c = (char)with->bytes[i];

        if (c != '\\' || i + 1 == with->size) {
            text_out_put(out, &c, 1);
            continue;
        }
        c = (char)with->bytes[++i];
        if ((c >= '1' && c <= '9') || c == '&') {
            struct value part = group(search, c == '&' ? 0 : (uint32_t)(c - '0'));

            if (!part.null)
                text_out_put(out, part.bytes, part.size);
        } else {
            text_out_put(out, &c, 1);
        }
    }
}

/* regexp_replace(text, pattern, with [, flags]): the first match, all with the flag g. */
static enum status
call_replace(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const struct value *text = &arguments[0];
    struct text_out result = {.arena = eval->arena};
    struct search search;
    size_t copied = 0;
    bool found = false;

    TRY(open_search(expr, text, &arguments[1], flags_of(expr, arguments, 3), eval, &search));
    do {
        TRY(located(next_match(&search, &found), expr, eval));
        if (!found)
            break;
        text_out_put(&result, text->bytes + copied, search.match.from[0] - copied);
        put_replacement(&result, &search, &arguments[2]);
        copied = search.match.to[0];
    } while (search.global);
    text_out_put(&result, text->bytes + copied, text->size - copied);
    return text_out_value(&result, QTDB_TYPE_TEXT, out);
}

/* substring(text from pattern) and regexp_substr: the first group, or all of it. */
static enum status
call_substring(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    struct search search;
    bool found = false;

    TRY(open_search(expr, &arguments[0], &arguments[1], &no_flags, eval, &search));
    TRY(located(next_match(&search, &found), expr, eval));
    bool grouped = regex_group_count(search.regex) > 0 && expr->function->name[0] == 's';
    *out = found ? group(&search, grouped ? 1 : 0) : value_null(QTDB_TYPE_TEXT);
    return STATUS_OK;
}

static enum status
call_count(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct search search;
    int64_t count = 0;
    bool found = false;

    TRY(open_search(expr, &arguments[0], &arguments[1], &no_flags, eval, &search));
    do {
        TRY(located(next_match(&search, &found), expr, eval));
        count += found;
    } while (found);
    *out = value_integer(QTDB_TYPE_INT4, count);
    return STATUS_OK;
}

/* The groups of a match, or the whole where there are none. */
static enum status
match_array(const struct search *search, struct eval *eval, struct value *out)
{
    uint32_t count = regex_group_count(search->regex);
    struct value values[REGEX_GROUPS_MAX];

    values[0] = group(search, 0);
    for (uint32_t i = 0; i < count; i++)
        values[i] = group(search, i + 1);
    return array_make(QTDB_TYPE_TEXT, values, count > 0 ? count : 1, NULL, eval->arena, out);
}

static enum status
call_match(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct search search;
    bool found = false;

    TRY(open_search(expr, &arguments[0], &arguments[1], flags_of(expr, arguments, 2), eval,
                    &search));
    if (search.global)
        return sql_error_set(eval->error, "22023", expr->location,
                             "regexp_match() does not support the \"global\" option");
    TRY(located(next_match(&search, &found), expr, eval));
    *out = value_null(expr->type.type);
    return found ? match_array(&search, eval, out) : STATUS_OK;
}

/* All matches as rows: arrays, kept as bytes (bind_set_function.c). */
static enum status
call_match_rows(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct value *rows = arena_alloc(eval->arena, ((size_t)arguments[0].size + 2) * sizeof(*rows));
    struct search search;
    uint32_t count = 0;
    bool found = false;

    if (rows == NULL)
        return STATUS_NO_MEMORY;
    TRY(open_search(expr, &arguments[0], &arguments[1], flags_of(expr, arguments, 2), eval,
                    &search));
    do {
        TRY(located(next_match(&search, &found), expr, eval));
        if (!found)
            break;
        TRY(match_array(&search, eval, &rows[count]));
        rows[count++].type = QTDB_TYPE_BYTEA;
    } while (search.global);
    return array_make(QTDB_TYPE_BYTEA, rows, count, NULL, eval->arena, out);
}

/* The pieces between matches. Empty matches split between characters, not at the ends. */
static enum status
call_split(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    const struct value *text = &arguments[0];
    struct value *pieces = arena_alloc(eval->arena, ((size_t)text->size + 2) * sizeof(*pieces));
    struct search search;
    uint32_t count = 0;
    size_t from = 0;
    bool found = false;

    if (pieces == NULL)
        return STATUS_NO_MEMORY;
    TRY(open_search(expr, text, &arguments[1], flags_of(expr, arguments, 2), eval, &search));
    do {
        TRY(located(next_match(&search, &found), expr, eval));
        if (!found)
            break;
        size_t at = search.match.from[0], to = search.match.to[0];
        if (to == at && (at == 0 || at >= text->size || at == from))
            continue;
        pieces[count++] = value_bytes(QTDB_TYPE_TEXT, text->bytes + from, at - from);
        from = to;
    } while (true);
    pieces[count++] = value_bytes(QTDB_TYPE_TEXT, text->bytes + from, text->size - from);
    return array_make(QTDB_TYPE_TEXT, pieces, count, NULL, eval->arena, out);
}

/* SIMILAR TO's pattern as a regular expression that takes the whole text. */
static enum status
call_similar(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const struct value *pattern = &arguments[0];
    char escape = '\\';
    struct text_out text = {.arena = eval->arena};
    bool bracket = false;

    if (expr->argument_count > 1 && arguments[1].size > 1)
        return sql_error_set(eval->error, "22019", expr->location, "invalid escape string");
    if (expr->argument_count > 1)
        escape = (char)(arguments[1].size == 0 ? '\0' : arguments[1].bytes[0]);
    text_out_puts(&text, "^(?:");
    for (uint32_t i = 0; i < pattern->size; i++) {
        char c = (char)pattern->bytes[i];

        if (c == escape && escape != '\0' && i + 1 < pattern->size) {
            text_out_put(&text, "\\", 1);
            text_out_put(&text, pattern->bytes + ++i, 1);
        } else if (bracket) {
            text_out_puts(&text, c == '\\' ? "\\" : "");
            text_out_put(&text, &c, 1);
            bracket = c != ']';
        } else if (c == '%' || c == '_') {
            text_out_puts(&text, c == '%' ? ".*" : ".");
        } else if (c == '(') {
            text_out_puts(&text, "(?:");
        } else {
            if (strchr("\\.^$", c) != NULL)
                text_out_put(&text, "\\", 1);
            text_out_put(&text, &c, 1);
            bracket = c == '[';
        }
    }
    text_out_puts(&text, ")$");
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

/* LIKE ... ESCAPE: the pattern with backslashes as escapes. */
static enum status
call_like_escape(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    const struct value *pattern = &arguments[0], *escape = &arguments[1];
    struct text_out text = {.arena = eval->arena};

    if (escape->size > 1 && (escape->bytes[0] & 0x80) == 0)
        return sql_error_set(eval->error, "22025", expr->location, "invalid escape string");
    for (uint32_t i = 0; i < pattern->size; i++) {
        bool escaped = escape->size > 0 && i + escape->size <= pattern->size &&
                       memcmp(pattern->bytes + i, escape->bytes, escape->size) == 0;

        if (escaped) {
            i += escape->size;
            text_out_put(&text, "\\", 1);
            if (i < pattern->size)
                text_out_put(&text, pattern->bytes + i, 1);
        } else {
            text_out_puts(&text, pattern->bytes[i] == '\\' ? "\\" : "");
            text_out_put(&text, pattern->bytes + i, 1);
        }
    }
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

#define TEXT QTDB_TYPE_TEXT
#define TEXTS ((enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY))
#define BYTES ((enum qtdb_type)(QTDB_TYPE_BYTEA | VALUE_ARRAY))
#define BOOL QTDB_TYPE_BOOL

const struct function function_regex_table[] = {
    {"~", 2, 2, {TEXT, TEXT}, BOOL, false, false, call_matches},
    {"~*", 2, 2, {TEXT, TEXT}, BOOL, false, false, call_matches},
    {"!~", 2, 2, {TEXT, TEXT}, BOOL, false, false, call_matches},
    {"!~*", 2, 2, {TEXT, TEXT}, BOOL, false, false, call_matches},
    {"regexp_like", 2, 3, {TEXT, TEXT, TEXT}, BOOL, false, false, call_matches},
    {"regexp_replace", 3, 4, {TEXT, TEXT, TEXT, TEXT}, TEXT, false, false, call_replace},
    {"regexp_match", 2, 3, {TEXT, TEXT, TEXT}, TEXTS, false, false, call_match},
    {"set regexp_matches", 2, 3, {TEXT, TEXT, TEXT}, BYTES, false, false, call_match_rows},
    {"regexp_split_to_array", 2, 3, {TEXT, TEXT, TEXT}, TEXTS, false, false, call_split},
    {"regexp_count", 2, 2, {TEXT, TEXT}, QTDB_TYPE_INT4, false, false, call_count},
    {"regexp_substr", 2, 2, {TEXT, TEXT}, TEXT, false, false, call_substring},
    {"substring", 2, 2, {TEXT, TEXT}, TEXT, false, false, call_substring},
    {"like_escape", 2, 2, {TEXT, TEXT}, TEXT, false, false, call_like_escape},
    {"similar_to_escape", 1, 2, {TEXT, TEXT}, TEXT, false, false, call_similar},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
