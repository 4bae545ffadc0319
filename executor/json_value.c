/*
 * Trees of JSON, their canonical text, and comparison of canonical texts (json.h). Reading recurses; the
 * validator bounded the depth before. Comparison walks both texts at once, without trees, because it is
 * called where there is no memory to take.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/json.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

/* Reading a text that is valid. */

struct json_reader {
    const char *next;
    const char *end;
    struct arena *arena;
    struct sql_error *error;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_space(struct json_reader *reader)
{
    while (reader->next < reader->end && is_space(*reader->next))
        reader->next++;
}

static uint32_t
hex4(const char *text)
{
    uint32_t word = 0;

    for (int i = 0; i < 4; i++) {
        char c = text[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 32) - 'a' + 10);

        word = word << 4 | digit;
    }
    return word;
}

static size_t
put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Behind `\u`; surrogates come in pairs, and 0 has no place in a text. */
static enum status
take_unicode(struct json_reader *reader, char *out, size_t *size)
{
    uint32_t c = hex4(reader->next);

    reader->next += 4;
    if (c >= 0xd800 && c < 0xdc00 && reader->end - reader->next >= 6 && reader->next[0] == '\\' &&
        reader->next[1] == 'u') {
        uint32_t low = hex4(reader->next + 2);

        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            reader->next += 6;
        }
    }
    if (c == 0)
        return sql_error_set(reader->error, "22P05", -1, "unsupported Unicode escape sequence");
    if (c >= 0xd800 && c < 0xe000)
        return sql_error_set(reader->error, "22P02", -1, "invalid input syntax for type json");
    *size += put_utf8(out + *size, c);
    return STATUS_OK;
}

/* From the opening quote to behind the closing one. */
static enum status
take_string(struct json_reader *reader, const char **text_out, size_t *size_out)
{
    static const char letters[] = "bfnrt", codes[] = "\b\f\n\r\t";
    const char *close = ++reader->next;
    size_t size = 0;

    while (*close != '"')
        close += *close == '\\' ? 2 : 1;
    char *text = arena_alloc(reader->arena, (size_t)(close - reader->next) + 1);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    while (reader->next < close) {
        char c = *reader->next++;

        if (c != '\\') {
            text[size++] = c;
            continue;
        }
        c = *reader->next++;
        if (c == 'u') {
            TRY(take_unicode(reader, text, &size));
            continue;
        }
        const char *letter = strchr(letters, c);
        text[size++] = (char)(letter != NULL ? codes[letter - letters] : c);
    }
    text[size] = '\0';
    reader->next = close + 1;
    *text_out = text;
    *size_out = size;
    return STATUS_OK;
}

static void
add_member(struct json_node *node, struct json_node *member)
{
    if (node->last == NULL)
        node->first = member;
    else
        node->last->next = member;
    node->last = member;
    node->count++;
}

static enum status take_value(struct json_reader *reader, struct json_node *out);

static enum status
take_members(struct json_reader *reader, struct json_node *node)
{
    reader->next++;
    for (skip_space(reader); *reader->next != ']' && *reader->next != '}'; skip_space(reader)) {
        struct json_node *member = arena_alloc(reader->arena, sizeof(*member));

        if (member == NULL)
            return STATUS_NO_MEMORY;
        *member = (struct json_node){.kind = JSON_NULL};
        if (*reader->next == ',') {
            reader->next++;
            skip_space(reader);
        }
        if (node->kind == JSON_OBJECT) {
            TRY(take_string(reader, &member->key, &member->key_size));
            skip_space(reader);
            reader->next++; /* The colon. */
            skip_space(reader);
        }
        TRY(take_value(reader, member));
        add_member(node, member);
    }
    reader->next++;
    return STATUS_OK;
}

static enum status
take_value(struct json_reader *reader, struct json_node *out)
{
    char c = *reader->next;
    enum status status = STATUS_OK;

    out->raw = reader->next;
    if (c == '{' || c == '[') {
        out->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        status = take_members(reader, out);
    } else if (c == '"') {
        out->kind = JSON_STRING;
        status = take_string(reader, &out->text, &out->size);
    } else {
        out->kind = c == 't'   ? JSON_TRUE
                    : c == 'f' ? JSON_FALSE
                    : c == 'n' ? JSON_NULL
                               : JSON_NUMBER;
        while (reader->next < reader->end && strchr(",]}", *reader->next) == NULL &&
               !is_space(*reader->next))
            reader->next++;
    }
    out->raw_size = (size_t)(reader->next - out->raw);
    return status;
}

enum status
json_tree(const char *text, size_t size, struct arena *arena, struct json_node **out,
          struct sql_error *error)
{
    struct json_reader reader = {.arena = arena, .error = error};
    struct json_node *node = arena_alloc(arena, sizeof(*node));
    const char *copy = arena_copy_text(arena, text, size);

    if (node == NULL || copy == NULL)
        return STATUS_NO_MEMORY;
    TRY(json_validate(text, size, error));
    reader.next = copy;
    reader.end = copy + size;
    *node = (struct json_node){.kind = JSON_NULL};
    skip_space(&reader);
    TRY(take_value(&reader, node));
    *out = node;
    return STATUS_OK;
}

/* The canonical form. */

static int
compare_keys(const struct json_node *left, const struct json_node *right)
{
    if (left->key_size != right->key_size)
        return left->key_size > right->key_size ? 1 : -1;
    return memcmp(left->key, right->key, left->key_size);
}

struct placed_member {
    struct json_node *node;
    uint32_t place;
};

/* By key; of equal ones the last comes first. */
static int
compare_members(const void *left, const void *right)
{
    const struct placed_member *a = left, *b = right;
    int order = compare_keys(a->node, b->node);

    return order != 0 ? order : (a->place < b->place) - (a->place > b->place);
}

static enum status
sort_members(struct json_node *node, struct arena *arena)
{
    struct placed_member *members = arena_alloc(arena, (node->count + 1) * sizeof(*members));
    uint32_t count = 0;

    if (members == NULL)
        return STATUS_NO_MEMORY;
    for (struct json_node *member = node->first; member != NULL; member = member->next) {
        members[count] = (struct placed_member){member, count};
        count++;
    }
    if (count > 1)
        qsort(members, count, sizeof(*members), compare_members);
    node->first = node->last = NULL;
    node->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        members[i].node->next = NULL;
        if (node->last == NULL || compare_keys(node->last, members[i].node) != 0)
            add_member(node, members[i].node);
    }
    return STATUS_OK;
}

enum status
json_canonical(struct json_node *node, struct arena *arena)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (node->kind == JSON_NUMBER) {
        enum status status = numeric_parse(node->raw, node->raw_size, arena, &bytes, &size);

        if (status == STATUS_OK)
            node->raw = numeric_print(bytes, size, arena, &node->raw_size);
        else if (status == STATUS_NO_MEMORY)
            return status; /* A number past numeric's range stays as it is. */
        return node->raw == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    for (struct json_node *member = node->first; member != NULL; member = member->next)
        TRY(json_canonical(member, arena));
    return node->kind == JSON_OBJECT ? sort_members(node, arena) : STATUS_OK;
}

void
json_put_string(struct text_out *out, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef", codes[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    size_t from = 0;

    text_out_put(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *code = c == 0 ? NULL : strchr(codes, c);

        if (code == NULL && c >= 0x20)
            continue;
        text_out_put(out, text + from, i - from);
        from = i + 1;
        if (code != NULL) {
            char escape[2] = {'\\', letters[code - codes]};
            text_out_put(out, escape, 2);
        } else {
            char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            text_out_put(out, escape, 6);
        }
    }
    text_out_put(out, text + from, size - from);
    text_out_put(out, "\"", 1);
}

static void
put_break(struct text_out *out, int indent)
{
    static const char blanks[] = "                                ";

    if (indent < 0)
        return;
    text_out_put(out, "\n", 1);
    for (int left = 4 * indent; left > 0; left -= 32)
        text_out_put(out, blanks, (size_t)(left < 32 ? left : 32));
}

void
json_put(struct text_out *out, const struct json_node *node, int indent)
{
    int inner = indent < 0 ? -1 : indent + 1;

    if (node->kind == JSON_STRING) {
        json_put_string(out, node->text, node->size);
        return;
    }
    if (node->kind < JSON_ARRAY) {
        text_out_put(out, node->raw, node->raw_size);
        return;
    }
    text_out_put(out, node->kind == JSON_OBJECT ? "{" : "[", 1);
    for (const struct json_node *member = node->first; member != NULL; member = member->next) {
        if (member != node->first)
            text_out_puts(out, indent < 0 ? ", " : ",");
        put_break(out, inner);
        if (node->kind == JSON_OBJECT) {
            json_put_string(out, member->key, member->key_size);
            text_out_put(out, ": ", 2);
        }
        json_put(out, member, inner);
    }
    put_break(out, indent);
    text_out_put(out, node->kind == JSON_OBJECT ? "}" : "]", 1);
}

enum status
json_parse_canonical(const char *text, size_t size, struct arena *arena, struct value *out,
                     struct sql_error *error)
{
    struct text_out canonical = {.arena = arena};
    struct json_node *node = NULL;

    TRY(json_tree(text, size, arena, &node, error));
    TRY(json_canonical(node, arena));
    json_put(&canonical, node, -1);
    return text_out_value(&canonical, QTDB_TYPE_JSONB, out);
}

struct json_node *
json_member(const struct json_node *object, const char *key, size_t size)
{
    struct json_node *found = NULL;

    for (struct json_node *member = object->first; member != NULL; member = member->next) {
        if (member->key_size == size && (size == 0 || memcmp(member->key, key, size) == 0))
            found = member;
    }
    return found;
}

struct json_node *
json_element(const struct json_node *array, int64_t index)
{
    struct json_node *member = array->first;

    if (index < 0)
        index += array->count;
    if (index < 0 || index >= array->count)
        return NULL;
    while (index-- > 0)
        member = member->next;
    return member;
}

/* Comparing canonical texts. */

static enum json_kind
kind_at(const char *text)
{
    switch (*text) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* Behind the scalar. */
static const char *
scalar_end(const char *text, const char *end)
{
    if (*text == '"') {
        for (text++; text < end && *text != '"'; text++)
            text += *text == '\\';
        return text < end ? text + 1 : end;
    }
    while (text < end && strchr(",]}", *text) == NULL)
        text++;
    return text;
}

/* Members of the container that begins here. */
static uint32_t
member_count(const char *text, const char *end)
{
    uint32_t depth = 0, count = 0;
    bool any = false;

    while (text < end) {
        char c = *text;

        if (c == '{' || c == '[') {
            any = any || depth > 0;
            depth++;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                break;
        } else if (c == ',' && depth == 1) {
            count++;
        } else if (c != ' ' && c != ':' && c != ',') {
            any = true;
            text = scalar_end(text, end);
            continue;
        }
        text++;
    }
    return any ? count + 1 : 0;
}

/* Without sign: by length before the point, then digit by digit. */
static int
compare_magnitudes(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const char *a_point = memchr(a, '.', a_size), *b_point = memchr(b, '.', b_size);
    size_t a_whole = a_point != NULL ? (size_t)(a_point - a) : a_size;
    size_t b_whole = b_point != NULL ? (size_t)(b_point - b) : b_size;

    if (a_whole != b_whole)
        return a_whole > b_whole ? 1 : -1;
    for (size_t i = 0; i < a_size || i < b_size; i++) {
        char x = (char)(i < a_size ? a[i] : i == a_whole ? '.' : '0');
        char y = (char)(i < b_size ? b[i] : i == b_whole ? '.' : '0');

        if (x != y)
            return x > y ? 1 : -1;
    }
    return 0;
}

/* The next byte of a canonical string, its escapes undone; -1 at its end. */
static int
string_byte(const char **at, const char *end)
{
    static const char codes[] = "bfnrt\"\\", bytes[] = "\b\f\n\r\t\"\\";

    if (*at >= end)
        return -1;
    char c = *(*at)++;
    if (c != '\\' || *at >= end)
        return (unsigned char)c;
    c = *(*at)++;
    const char *code = strchr(codes, c);
    if (c != 'u' && c != '\0' && code != NULL)
        return (unsigned char)bytes[code - codes];
    int byte = 0; /* \u00xx: control characters alone are written so. */
    for (int i = 0; i < 4 && *at < end; i++, (*at)++) {
        char digit = **at;

        byte = byte * 16 + (digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    return byte & 0xff;
}

/* Both with their quotes. */
static int
compare_strings(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const char *a_end = a + a_size - 1, *b_end = b + b_size - 1;
    int x, y;

    a++;
    b++;
    do {
        x = string_byte(&a, a_end);
        y = string_byte(&b, b_end);
    } while (x == y && x >= 0);
    return (x > y) - (x < y);
}

static int
compare_scalars(enum json_kind kind, const char *a, size_t a_size, const char *b, size_t b_size)
{
    if (kind == JSON_NUMBER) {
        bool a_negative = *a == '-', b_negative = *b == '-';

        if (a_negative != b_negative)
            return a_negative ? -1 : 1;
        int order = compare_magnitudes(a + a_negative, a_size - a_negative, b + b_negative,
                                       b_size - b_negative);
        return a_negative ? -order : order;
    }
    if (kind == JSON_STRING && a_size >= 2 && b_size >= 2)
        return compare_strings(a, a_size, b, b_size);
    size_t least = a_size < b_size ? a_size : b_size;
    int order = memcmp(a, b, least);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

int
json_compare(const struct value *left, const struct value *right)
{
    const char *a = (const char *)left->bytes, *a_end = a + left->size;
    const char *b = (const char *)right->bytes, *b_end = b + right->size;

    /* PostgreSQL's quirk: an array without elements is below everything, as long as nothing is around it. */
    bool a_empty = left->size == 2 && a[0] == '[', b_empty = right->size == 2 && b[0] == '[';
    if (a_empty != b_empty && kind_at(a_empty ? b : a) < JSON_ARRAY)
        return a_empty ? -1 : 1;
    while (a < a_end && b < b_end) {
        if (strchr(" :,]}", *a) != NULL) {
            DCHECK(*a == *b);
            a++;
            b++;
            continue;
        }
        enum json_kind kind = kind_at(a), other = kind_at(b);
        if (kind != other)
            return kind > other ? 1 : -1;
        if (kind >= JSON_ARRAY) {
            uint32_t count = member_count(a, a_end), other_count = member_count(b, b_end);

            if (count != other_count)
                return count > other_count ? 1 : -1;
            a++;
            b++;
            continue;
        }
        const char *a_next = scalar_end(a, a_end), *b_next = scalar_end(b, b_end);
        int order = compare_scalars(kind, a, (size_t)(a_next - a), b, (size_t)(b_next - b));
        if (order != 0)
            return order;
        a = a_next;
        b = b_next;
    }
    return 0;
}

/* Zeros behind the point do not count. */
uint64_t
json_hash(const struct value *value)
{
    const char *text = (const char *)value->bytes, *end = text + value->size;
    uint64_t hash = 0xcbf29ce484222325u;

    while (text < end) {
        const char *next = strchr(" :,]}[{", *text) != NULL ? text + 1 : scalar_end(text, end);
        const char *last = next;

        if (kind_at(text) == JSON_NUMBER && memchr(text, '.', (size_t)(next - text)) != NULL) {
            while (last[-1] == '0')
                last--;
            last -= last[-1] == '.';
        }
        for (; text < last; text++)
            hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
        text = next;
    }
    return hash ^ hash >> 29;
}
