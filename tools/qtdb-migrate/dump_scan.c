/* Tokens of a statement; see dump_read.h. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/dump_read.h"

enum { DEPTH_MAX = 1000 };

static bool
is_word_byte(char byte)
{
    return byte == '_' || byte == '$' || isalnum((unsigned char)byte) || (byte & 0x80) != 0;
}

static char
closing(char quote)
{
    if (quote == '[')
        return ']';
    return quote;
}

/* Behind the closing quote; doubled ones and, with `escapes`, those behind a backslash are content. */
static const char *
end_of_quoted(const char *at, const char *end, char quote, bool escapes)
{
    for (at++; at < end; at++) {
        if (escapes && *at == '\\') {
            at++;
        } else if (*at == quote) {
            if (quote == ']' || at + 1 == end || at[1] != quote)
                return at + 1;
            at++;
        }
    }
    return end;
}

static void
scan_quoted(struct dump_scan *scan, const char *at, char prefix)
{
    bool mysql = scan->dialect == DUMP_MYSQL;
    char quote = closing(*at);
    bool is_string = quote == '\'' || (quote == '"' && mysql);
    bool escapes = is_string && (mysql || prefix == 'e');

    scan->next = end_of_quoted(at, scan->end, quote, escapes);
    scan->token = (struct dump_token){.kind = is_string ? DUMP_STRING : DUMP_NAME,
                                      .prefix = prefix,
                                      .text = at,
                                      .size = (size_t)(scan->next - at)};
}

static bool
scan_dollars(struct dump_scan *scan, const char *at)
{
    const char *tag_end = at + 1;

    while (tag_end < scan->end && *tag_end != '$' && is_word_byte(*tag_end))
        tag_end++;
    if (scan->dialect != DUMP_POSTGRES || tag_end == scan->end || *tag_end != '$')
        return false;
    size_t tag = (size_t)(tag_end + 1 - at);
    const char *close = memmem(at + tag, (size_t)(scan->end - at) - tag, at, tag);
    scan->next = close != NULL ? close + tag : scan->end;
    scan->token =
        (struct dump_token){.kind = DUMP_DOLLAR, .text = at, .size = (size_t)(scan->next - at)};
    return true;
}

static void
scan_number(struct dump_scan *scan, const char *at)
{
    const char *end = at;
    bool hex = scan->end - at > 2 && at[0] == '0' && (at[1] | 32) == 'x';

    for (end += hex ? 2 : 0; end < scan->end; end++) {
        bool sign = (*end == '+' || *end == '-') && end > at && (end[-1] | 32) == 'e' && !hex;

        if (!isalnum((unsigned char)*end) && *end != '.' && !sign)
            break;
    }
    scan->next = end;
    scan->token = (struct dump_token){.kind = DUMP_NUMBER, .text = at, .size = (size_t)(end - at)};
}

void
dump_scan_next(struct dump_scan *scan)
{
    const char *at = scan->next, *end;

    while (at < scan->end && isspace((unsigned char)*at))
        at++;
    scan->token = (struct dump_token){.kind = DUMP_END, .text = at};
    scan->next = at;
    if (at == scan->end)
        return;
    if (*at == '\'' || *at == '"' || *at == '`' || (*at == '[' && scan->dialect == DUMP_SQLITE)) {
        scan_quoted(scan, at, 0);
        return;
    }
    if (at + 1 < scan->end && at[1] == '\'' && strchr("eExXbBnN", *at) != NULL) {
        scan_quoted(scan, at + 1, (char)(*at | 32));
        return;
    }
    if (*at == '$' && scan_dollars(scan, at))
        return;
    if (isdigit((unsigned char)*at) ||
        (*at == '.' && at + 1 < scan->end && isdigit((unsigned char)at[1]))) {
        scan_number(scan, at);
        return;
    }
    for (end = at; end < scan->end && is_word_byte(*end);)
        end++;
    bool is_word = end > at;
    scan->next = is_word ? end : at + 1;
    scan->token = (struct dump_token){
        .kind = is_word ? DUMP_WORD : DUMP_OTHER, .text = at, .size = (size_t)(scan->next - at)};
}

void
dump_scan_init(struct dump_scan *scan, enum dump_dialect dialect, const char *text, size_t size)
{
    *scan = (struct dump_scan){.dialect = dialect, .next = text, .end = text + size};
    dump_scan_next(scan);
}

bool
dump_is(const struct dump_scan *scan, const char *word)
{
    const struct dump_token *token = &scan->token;

    return (token->kind == DUMP_WORD || token->kind == DUMP_OTHER) && token->size == strlen(word) &&
           strncasecmp(token->text, word, token->size) == 0;
}

bool
dump_take(struct dump_scan *scan, const char *word)
{
    bool is = dump_is(scan, word);

    if (is)
        dump_scan_next(scan);
    return is;
}

bool
dump_take_words(struct dump_scan *scan, const char *words)
{
    struct dump_scan before = *scan;
    char word[32];

    while (*words != '\0') {
        size_t size = strcspn(words, " ");

        if (size >= sizeof(word))
            return false;
        memcpy(word, words, size);
        word[size] = '\0';
        words += size + (words[size] == ' ');
        if (!dump_take(scan, word)) {
            *scan = before;
            return false;
        }
    }
    return true;
}

/* Without the quotes around it, doubled ones single. */
static char *
unquote(const struct dump_token *token, struct arena *arena, size_t *size_out)
{
    char *out = arena_alloc(arena, token->size + 1);
    char quote = closing(token->text[0]);
    size_t used = 0;

    for (size_t i = 1; out != NULL && i + 1 < token->size; i++) {
        out[used++] = token->text[i];
        i += token->text[i] == quote && quote != ']';
    }
    *size_out = used;
    return out;
}

bool
dump_take_name(struct dump_scan *scan, struct arena *arena, const char **out)
{
    const struct dump_token *token = &scan->token;
    /* MySQL and SQLite take a string for a name in some places. */
    bool quoted = token->kind == DUMP_NAME || (token->kind == DUMP_STRING && token->prefix == 0);
    size_t size = 0;

    if (!quoted && token->kind != DUMP_WORD)
        return false;
    char *name =
        quoted ? unquote(token, arena, &size) : arena_copy_text(arena, token->text, token->size);
    if (name == NULL)
        return false;
    for (char *at = name; !quoted && scan->dialect == DUMP_POSTGRES && *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    *out = name;
    dump_scan_next(scan);
    return true;
}

/* MySQL's and E'' escapes; octal and hexadecimal ones are PostgreSQL's. */
static size_t
unescape(const struct dump_scan *scan, const char *at, const char *end, char *out, size_t *used)
{
    static const char from[] = "bfnrtv0Z", to[] = "\b\f\n\r\t\v\0\032";
    bool mysql = scan->dialect == DUMP_MYSQL;
    const char *found = *at != '\0' ? strchr(from, *at) : NULL;

    if (mysql || !(isdigit((unsigned char)*at) || *at == 'x' || *at == 'u' || *at == 'U')) {
        bool is = found != NULL && (mysql ? *at != 'f' && *at != 'v' : *at != '0' && *at != 'Z');

        const char *meant = is ? &to[found - from] : at;
        out[(*used)++] = *meant;
        return 1;
    }
    if (*at == 'u' || *at == 'U')
        return 0;
    size_t size = *at == 'x' ? 1 : 0, most = size + (*at == 'x' ? 2 : 3);
    unsigned value = 0;
    while (size < most && at + size < end && isxdigit((unsigned char)at[size])) {
        char digit = at[size++];

        value = value * (*at == 'x' ? 16 : 8) +
                (unsigned)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    out[(*used)++] = (char)value;
    return size;
}

const char *
dump_string(const struct dump_scan *scan, struct arena *arena, size_t *size_out)
{
    const struct dump_token *token = &scan->token;
    bool escapes = scan->dialect == DUMP_MYSQL || token->prefix == 'e';
    const char *end = token->text + token->size - 1;
    char *out;
    size_t used = 0;

    if (token->size < 2)
        return NULL;
    if (!escapes)
        return unquote(token, arena, size_out);
    out = arena_alloc(arena, token->size + 1);
    for (const char *at = token->text + 1; out != NULL && at < end; at++) {
        if (*at == '\\' && at + 1 < end) {
            size_t size = unescape(scan, at + 1, end, out, &used);

            if (size == 0)
                return NULL;
            at += size;
            continue;
        }
        out[used++] = *at;
        at += *at == token->text[0];
    }
    *size_out = used;
    return out;
}

void
dump_skip(struct dump_scan *scan)
{
    uint32_t depth = 0;

    do {
        if (dump_is(scan, "("))
            depth++;
        else if (dump_is(scan, ")"))
            depth--;
        dump_scan_next(scan);
    } while (depth > 0 && depth < DEPTH_MAX && scan->token.kind != DUMP_END);
}
