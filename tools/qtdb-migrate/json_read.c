/*
 * See json_read.h. The end of a value is found by counting brackets outside strings, which needs no
 * recursion; whether it is JSON is asked afterwards (migrate_json.h).
 */
#include "tools/qtdb-migrate/json_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/migrate_json.h"

enum { MEMBERS_MAX = 100000 };

void
json_init(struct json_reader *reader, struct input *input)
{
    *reader = (struct json_reader){.input = input};
    text_buffer_init(&reader->text, input->env.memory);
    arena_init(&reader->arena, input->env.memory, MEMORY_OTHER);
}

void
json_deinit(struct json_reader *reader)
{
    text_buffer_deinit(&reader->text);
    arena_deinit(&reader->arena);
    memory_free(reader->input->env.memory, MEMORY_OTHER, reader->members,
                reader->room * sizeof(*reader->members));
    reader->members = NULL;
    reader->room = 0;
}

void
json_rewind(struct json_reader *reader)
{
    input_rewind(reader->input);
    reader->lines = 0;
    reader->begun = false;
    reader->in_array = false;
    reader->array_ended = false;
}

__attribute__((format(printf, 3, 4))) static enum status
fail(struct json_reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(reader->fault, sizeof(reader->fault),
                        "line %llu: ", (unsigned long long)reader->line);

    va_start(arguments, format);
    (void)vsnprintf(reader->fault + size, sizeof(reader->fault) - (size_t)size, format, arguments);
    va_end(arguments);
    return status;
}

/* Bringing one object in. */

static int
skip_blanks(struct json_reader *reader)
{
    int byte;

    while ((byte = input_peek(reader->input)) == ' ' || byte == '\t' || byte == '\n' ||
           byte == '\r') {
        reader->lines += byte == '\n';
        reader->input->next++;
    }
    reader->line = reader->lines + 1;
    return byte;
}

/* What stands before the first value, and whether all of it is one array. */
static void
begin(struct json_reader *reader)
{
    struct input *input = reader->input;

    reader->begun = true;
    if (input_peek(input) != INPUT_END && input->used >= 3 &&
        memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0)
        input->next = 3;
    reader->in_array = skip_blanks(reader) == '[';
    input->next += reader->in_array;
}

/* To the next object's brace, past what divides objects. */
static enum status
find_object(struct json_reader *reader, bool *end_out)
{
    bool first = !reader->begun;
    int byte;

    if (first)
        begin(reader);
    byte = skip_blanks(reader);
    if (reader->in_array && byte == ']') {
        reader->array_ended = true;
        reader->in_array = false;
        reader->input->next++;
        byte = skip_blanks(reader);
    } else if (reader->in_array && !first) {
        if (byte != ',')
            return fail(reader, STATUS_CORRUPT, "a comma or the end of the array is missing");
        reader->input->next++;
        byte = skip_blanks(reader);
    }
    *end_out = byte == INPUT_END && !reader->in_array;
    if (reader->input->status != STATUS_OK)
        return fail(reader, reader->input->status, "%s", reader->input->fault);
    if (*end_out)
        return STATUS_OK;
    if (reader->array_ended)
        return fail(reader, STATUS_CORRUPT, "something stands behind the array");
    if (byte != '{')
        return fail(reader, STATUS_CORRUPT, "not an object; each row must be one");
    return STATUS_OK;
}

struct extent {
    uint64_t depth;
    bool in_string;
    bool escaped;
};

/* Goes on over a piece; true once the value has ended before `*at`. */
static bool
pass_over(struct extent *extent, const char *bytes, size_t size, size_t *at)
{
    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];

        if (extent->in_string) {
            if (extent->escaped)
                extent->escaped = false;
            else if (byte == '\\')
                extent->escaped = true;
            else if (byte == '"')
                extent->in_string = false;
            continue;
        }
        if (byte == '"')
            extent->in_string = true;
        else if (byte == '{' || byte == '[')
            extent->depth++;
        else if ((byte == '}' || byte == ']') && --extent->depth == 0) {
            *at = i + 1;
            return true;
        }
    }
    *at = size;
    return false;
}

static enum status
take_object(struct json_reader *reader)
{
    struct input *input = reader->input;
    struct extent extent = {.depth = 0};
    bool ended = false;

    text_buffer_reset(&reader->text);
    while (!ended && input_peek(input) != INPUT_END) {
        const char *begin_at = input->bytes + input->next;
        size_t size = 0;

        ended = pass_over(&extent, begin_at, input->used - input->next, &size);
        for (size_t i = 0; i < size; i++)
            reader->lines += begin_at[i] == '\n';
        text_buffer_add(&reader->text, begin_at, size);
        input->next += size;
        if (reader->text.size > JSON_VALUE_SIZE_MAX)
            return fail(reader, STATUS_FULL, "an object of more than %d MB",
                        JSON_VALUE_SIZE_MAX / 1024 / 1024);
    }
    if (input->status != STATUS_OK)
        return fail(reader, input->status, "%s", input->fault);
    if (reader->text.failed)
        return fail(reader, STATUS_NO_MEMORY, "out of memory");
    if (!ended)
        return fail(reader, STATUS_CORRUPT, "the object has no end");
    return STATUS_OK;
}

/* Splitting; the text is known to be a valid object. */

static size_t
skip_space(const char *text, size_t at)
{
    while (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')
        at++;
    return at;
}

/* Behind the value that begins at `at`. */
static size_t
end_of_value(const struct json_reader *reader, size_t at)
{
    const char *text = reader->text.bytes;
    struct extent extent = {.depth = 0};

    if (text[at] == '{' || text[at] == '[') {
        size_t size = 0;

        (void)pass_over(&extent, text + at, reader->text.size - at, &size);
        return at + size;
    }
    if (text[at] != '"')
        return at + strcspn(text + at, " \t\r\n,]}");
    for (at++; text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

static enum json_form
form_of(char first)
{
    switch (first) {
    case 'n':
        return JSON_NULL;
    case 't':
    case 'f':
        return JSON_BOOLEAN;
    case '"':
        return JSON_STRING;
    case '{':
    case '[':
        return JSON_NESTED;
    default:
        return JSON_NUMBER;
    }
}

static struct json_member *
add_member(struct json_reader *reader)
{
    if (reader->count == reader->room) {
        uint32_t room = reader->room * 2 + 16;
        struct json_member *grown =
            room > MEMBERS_MAX
                ? NULL
                : memory_resize(reader->input->env.memory, MEMORY_OTHER, reader->members,
                                reader->room * sizeof(*grown), room * sizeof(*grown));

        if (grown == NULL)
            return NULL;
        reader->members = grown;
        reader->room = room;
    }
    return &reader->members[reader->count++];
}

static enum status
split(struct json_reader *reader)
{
    const char *text = reader->text.bytes;
    size_t at = skip_space(text, 1);
    bool lost = false;

    arena_reset(&reader->arena);
    reader->count = 0;
    while (text[at] != '}') {
        struct json_member *member = add_member(reader);
        size_t end = end_of_value(reader, at);

        if (member == NULL)
            return fail(reader, STATUS_FULL, "an object of too many members, or no memory");
        member->name =
            json_unescape(text + at, end - at, &reader->arena, &member->name_size, &lost);
        if (member->name == NULL)
            return fail(reader, STATUS_NO_MEMORY, "out of memory");
        at = skip_space(text, skip_space(text, end) + 1); /* Past the colon. */
        end = end_of_value(reader, at);
        member->form = form_of(text[at]);
        member->text = text + at;
        member->size = end - at;
        at = skip_space(text, end);
        if (text[at] == ',')
            at = skip_space(text, at + 1);
    }
    return STATUS_OK;
}

enum status
json_next(struct json_reader *reader, bool *end_out)
{
    TRY(find_object(reader, end_out));
    if (*end_out)
        return STATUS_OK;
    TRY(take_object(reader));
    if (memchr(reader->text.bytes, 0, reader->text.size) != NULL ||
        !migrate_json_is_valid(reader->text.bytes, reader->text.size))
        return fail(reader, STATUS_CORRUPT, "not valid JSON");
    return split(reader);
}

/* Strings. */

static uint32_t
hex4(const char *text)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char digit = text[i];

        value = value << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    return value;
}

static size_t
put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* The code point of a \u escape (or of a pair) at `at`, which moves behind it. */
static uint32_t
take_point(const char *text, size_t end, size_t *at, bool *lost_out)
{
    uint32_t high = hex4(text + *at + 2);

    *at += 6;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high < 0xdc00 && *at + 6 <= end && text[*at] == '\\' && text[*at + 1] == 'u') {
        uint32_t low = hex4(text + *at + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 6;
            return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    *lost_out = true;
    return 0xfffd;
}

const char *
json_unescape(const char *text, size_t size, struct arena *arena, size_t *size_out, bool *lost_out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char *out = arena_alloc(arena, size + 1);
    size_t end = size - 1, used = 0;

    if (out == NULL)
        return NULL;
    for (size_t at = 1; at < end;) {
        if (text[at] != '\\') {
            out[used++] = text[at++];
        } else if (text[at + 1] == 'u') {
            used += put_utf8(out + used, take_point(text, end, &at, lost_out));
        } else {
            const char *found = strchr(from, text[at + 1]);

            out[used++] = *(found != NULL ? &to[found - from] : &text[at + 1]);
            at += 2;
        }
    }
    out[used] = '\0';
    *size_out = used;
    return out;
}
