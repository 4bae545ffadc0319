/*
 * Arrays: bytes, text, comparison (array.h). Text is read with a counter of depth instead of recursion:
 * each level's length is fixed when its first list closes, and every later list has to have it.
 */
#include "executor/array.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/numeric.h"
#include "executor/text_out.h"
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

/* Bytes. */

static uint32_t
get_u32(const uint8_t *bytes)
{
    le32 word;

    memcpy(word.byte, bytes, sizeof(word));
    return le32_get(word);
}

static void
put_u32(uint8_t *bytes, uint32_t word)
{
    le32 stored = le32_of(word);

    memcpy(bytes, stored.byte, sizeof(stored));
}

static bool
element_is_valid(enum qtdb_type element, const uint8_t *bytes, uint32_t size)
{
    if (!value_type_is_bytes(element))
        return size == 8;
    if (element == QTDB_TYPE_NUMERIC)
        return numeric_is_valid(bytes, size);
    if (element == QTDB_TYPE_UUID || element == QTDB_TYPE_INTERVAL)
        return size == 16;
    return !value_is_enum(element) || size >= VALUE_ENUM_HEAD;
}

bool
array_is_valid(enum qtdb_type element, const uint8_t *bytes, size_t size)
{
    uint64_t expected = 1;

    if (size < 8)
        return false;
    uint32_t dimensions = get_u32(bytes), count = get_u32(bytes + 4);
    if (dimensions > ARRAY_DIMENSIONS_MAX || (dimensions == 0) != (count == 0) ||
        count > ARRAY_ELEMENTS_MAX || size < 8 + 8 * (size_t)dimensions)
        return false;
    for (uint32_t i = 0; i < dimensions; i++) {
        uint32_t length = get_u32(bytes + 8 + 8 * (size_t)i);

        if (length == 0 || length > ARRAY_ELEMENTS_MAX || expected > ARRAY_ELEMENTS_MAX)
            return false;
        expected *= length;
    }
    if (dimensions > 0 && expected != count)
        return false;
    size_t at = 8 + 8 * (size_t)dimensions;
    for (uint32_t i = 0; i < count; i++) {
        if (size - at < 4)
            return false;
        uint32_t element_size = get_u32(bytes + at);
        at += 4;
        if (element_size == UINT32_MAX)
            continue;
        if (element_size > size - at || !element_is_valid(element, bytes + at, element_size))
            return false;
        at += element_size;
    }
    return at == size;
}

struct array
array_open(const struct value *value)
{
    struct array array = {.element = value_element(value->type)};

    CHECK(!value->null && value_is_array(value->type) && value->size >= 8);
    array.dimension_count = get_u32(value->bytes);
    array.count = get_u32(value->bytes + 4);
    CHECK(array.dimension_count <= ARRAY_DIMENSIONS_MAX);
    for (uint32_t i = 0; i < array.dimension_count; i++) {
        array.lengths[i] = (int32_t)get_u32(value->bytes + 8 + 8 * (size_t)i);
        array.lowers[i] = (int32_t)get_u32(value->bytes + 12 + 8 * (size_t)i);
    }
    array.next = value->bytes + 8 + 8 * (size_t)array.dimension_count;
    array.end = value->bytes + value->size;
    return array;
}

struct value
array_next(struct array *array)
{
    struct value value;

    CHECK(array->end - array->next >= 4);
    uint32_t size = get_u32(array->next);
    array->next += 4;
    if (size == UINT32_MAX)
        return value_null(array->element);
    CHECK((size_t)(array->end - array->next) >= size);
    if (value_type_is_bytes(array->element)) {
        value = value_bytes(array->element, array->next, size);
    } else {
        CHECK(size == 8);
        value = value_integer(array->element, 0);
        memcpy(&value.integer, array->next, sizeof(value.integer));
    }
    array->next += size;
    return value;
}

enum status
array_values(const struct array *array, struct arena *arena, struct value **out)
{
    struct array reader = *array;
    struct value *values = arena_alloc(arena, (array->count + 1) * sizeof(*values));

    if (values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < array->count; i++)
        values[i] = array_next(&reader);
    *out = values;
    return STATUS_OK;
}

enum status
array_make(enum qtdb_type element, const struct value *values, uint32_t count,
           const struct array *shape, struct arena *arena, struct value *out)
{
    struct array line = {.dimension_count = 1, .lengths = {(int32_t)count}, .lowers = {1}};
    uint32_t dimensions = count == 0 ? 0 : shape != NULL ? shape->dimension_count : 1;
    bool bytes = value_type_is_bytes(element);
    size_t size = 8 + 8 * (size_t)dimensions, at;

    CHECK(count <= ARRAY_ELEMENTS_MAX);
    if (shape == NULL)
        shape = &line;
    for (uint32_t i = 0; i < count; i++)
        size += 4 + (values[i].null ? 0 : bytes ? values[i].size : 8);
    if (size > UINT32_MAX / 4)
        return STATUS_NO_MEMORY;
    uint8_t *stored = arena_alloc(arena, size);
    if (stored == NULL)
        return STATUS_NO_MEMORY;
    put_u32(stored, dimensions);
    put_u32(stored + 4, count);
    for (uint32_t i = 0; i < dimensions; i++) {
        put_u32(stored + 8 + 8 * (size_t)i, (uint32_t)shape->lengths[i]);
        put_u32(stored + 12 + 8 * (size_t)i, (uint32_t)shape->lowers[i]);
    }
    at = 8 + 8 * (size_t)dimensions;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t element_size = bytes ? values[i].size : 8;

        put_u32(stored + at, values[i].null ? UINT32_MAX : element_size);
        at += 4;
        if (values[i].null || element_size == 0)
            continue;
        memcpy(stored + at, bytes ? values[i].bytes : (const void *)&values[i].integer,
               element_size);
        at += element_size;
    }
    *out = value_bytes(value_array_of(element), stored, size);
    return STATUS_OK;
}

/* Reading text. */

struct array_text {
    const char *next;
    const char *end;
    struct sql_type element;
    struct arena *arena;
    struct sql_error *error;
    struct value *values;
    uint32_t count;
    uint32_t capacity;
    uint32_t depth;   /* Of the list being read. */
    uint32_t deepest; /* Where elements stand; 0: not seen. */
    int32_t lengths[ARRAY_DIMENSIONS_MAX];
    int32_t counts[ARRAY_DIMENSIONS_MAX];
};

static void
skip_blanks(struct array_text *text)
{
    while (text->next < text->end && isspace((unsigned char)*text->next))
        text->next++;
}

static enum status
add_element(struct array_text *text, struct value value)
{
    if (text->count == text->capacity) {
        uint32_t capacity = text->capacity == 0 ? 16 : 2 * text->capacity;
        struct value *grown = arena_alloc(text->arena, capacity * sizeof(*grown));

        if (grown == NULL || capacity > ARRAY_ELEMENTS_MAX)
            return STATUS_NO_MEMORY;
        if (text->count > 0)
            memcpy(grown, text->values, text->count * sizeof(*grown));
        text->values = grown;
        text->capacity = capacity;
    }
    text->values[text->count++] = value;
    text->counts[text->depth - 1]++;
    return STATUS_OK;
}

/* One element up to `,` or `}`; false in *ok when it is not well-formed. */
static enum status
take_element(struct array_text *text, bool *ok)
{
    char *word = arena_alloc(text->arena, (size_t)(text->end - text->next) + 1);
    size_t size = 0, kept = 0; /* `kept`: blanks at the end past it are cut. */
    bool quoted = false, open = false;
    struct value value = value_null(text->element.type);

    if (word == NULL)
        return STATUS_NO_MEMORY;
    *ok = false;
    for (; text->next < text->end; text->next++) {
        char c = *text->next;

        if (!open && (c == ',' || c == '}'))
            break;
        if (!open && c == '{')
            return STATUS_OK;
        if (c == '"') {
            if (!open && size > 0)
                return STATUS_OK;
            quoted = true;
            open = !open;
            kept = size;
            continue;
        }
        if (!open && quoted && !isspace((unsigned char)c))
            return STATUS_OK;
        if (c == '\\') {
            if (++text->next == text->end)
                return STATUS_OK;
            c = *text->next;
            word[size++] = c;
            kept = size;
            continue;
        }
        if (!open && quoted)
            continue;
        word[size++] = c;
        if (open || !isspace((unsigned char)c))
            kept = size;
    }
    word[kept] = '\0';
    *ok = !open && text->next < text->end && (quoted || kept > 0);
    if (!*ok)
        return STATUS_OK;
    if (quoted || kept != 4 || strncasecmp(word, "null", 4) != 0)
        TRY(value_parse(&text->element, word, kept, text->arena, &value, text->error));
    return add_element(text, value);
}

static bool
open_list(struct array_text *text)
{
    if (text->depth == ARRAY_DIMENSIONS_MAX || (text->deepest != 0 && text->depth == text->deepest))
        return false;
    if (text->depth > 0)
        text->counts[text->depth - 1]++;
    text->counts[text->depth++] = 0;
    text->next++;
    return true;
}

static bool
close_list(struct array_text *text)
{
    uint32_t level = text->depth - 1;

    if (text->lengths[level] < 0)
        text->lengths[level] = text->counts[level];
    if (text->lengths[level] != text->counts[level])
        return false;
    text->depth--;
    text->next++;
    return true;
}

/* The lists, from `{` on. */
static enum status
take_lists(struct array_text *text, bool *ok)
{
    bool wants = true; /* A list or an element has to come; false: `,` or `}`. */
    bool fresh = false;

    *ok = false;
    do {
        skip_blanks(text);
        if (text->next == text->end)
            return STATUS_OK;
        char c = *text->next;
        if (wants && c == '{') {
            if (!open_list(text))
                return STATUS_OK;
            fresh = true;
        } else if (c == '}' && text->depth > 0 && (!wants || fresh)) {
            if (!close_list(text))
                return STATUS_OK;
            wants = fresh = false;
        } else if (c == ',' && !wants) {
            text->next++;
            wants = true;
            fresh = false;
        } else if (wants && text->depth > 0 &&
                   (text->deepest == 0 || text->deepest == text->depth)) {
            text->deepest = text->depth;
            TRY(take_element(text, ok));
            if (!*ok)
                return STATUS_OK;
            wants = fresh = *ok = false;
        } else {
            return STATUS_OK;
        }
    } while (text->depth > 0);
    skip_blanks(text);
    *ok = text->next == text->end && (text->deepest > 0 || text->count == 0);
    return STATUS_OK;
}

/* `[1:2][0:3]=` before the lists. */
static bool
take_bounds(struct array_text *text, struct array *shape)
{
    while (text->next < text->end && *text->next == '[') {
        char *end = NULL;
        long low = 1, high = strtol(text->next + 1, &end, 10);

        if (shape->dimension_count == ARRAY_DIMENSIONS_MAX || end == text->next + 1)
            return false;
        if (*end == ':') {
            const char *from = end + 1;

            low = high;
            high = strtol(from, &end, 10);
            if (end == from)
                return false;
        }
        if (*end != ']' || end >= text->end || low < INT32_MIN || high > INT32_MAX - 1 ||
            high < low || high - low >= ARRAY_ELEMENTS_MAX)
            return false;
        shape->lowers[shape->dimension_count] = (int32_t)low;
        shape->lengths[shape->dimension_count++] = (int32_t)(high - low + 1);
        text->next = end + 1;
        skip_blanks(text);
    }
    if (shape->dimension_count == 0)
        return true;
    if (text->next == text->end || *text->next != '=')
        return false;
    text->next++;
    return true;
}

static enum status
malformed(const char *text, size_t size, struct sql_error *error)
{
    return sql_error_set(error, "22P02", -1, "malformed array literal: \"%.*s\"",
                         (int)(size < 100 ? size : 100), text);
}

enum status
array_parse(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
            struct value *out, struct sql_error *error)
{
    struct array shape = {.dimension_count = 0}, given = shape;
    const char *copy = arena_copy_text(arena, text, size); /* strtol stops at its NUL. */
    bool ok = false;

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    struct array_text reader = {.next = copy, .end = copy + size, .arena = arena, .error = error};
    reader.element = (struct sql_type){value_element(type->type), -1, -1};
    memset(reader.lengths, 0xff, sizeof(reader.lengths));
    skip_blanks(&reader);
    if (!take_bounds(&reader, &given))
        return malformed(text, size, error);
    TRY(take_lists(&reader, &ok));
    if (!ok)
        return malformed(text, size, error);
    shape.dimension_count = reader.deepest;
    for (uint32_t i = 0; i < reader.deepest; i++) {
        shape.lengths[i] = reader.lengths[i];
        shape.lowers[i] = given.dimension_count > 0 ? given.lowers[i] : 1;
        if (given.dimension_count > 0 && (given.dimension_count != shape.dimension_count ||
                                          given.lengths[i] != shape.lengths[i]))
            return malformed(text, size, error);
    }
    return array_make(reader.element.type, reader.values, reader.count, &shape, arena, out);
}

/* Writing text. */

static bool
needs_quotes(const char *text, size_t size)
{
    if (size == 0 || (size == 4 && strncasecmp(text, "null", 4) == 0))
        return true;
    for (size_t i = 0; i < size; i++) {
        if (strchr("{}\",\\", text[i]) != NULL || isspace((unsigned char)text[i]))
            return true;
    }
    return false;
}

static void
emit_element(struct text_out *out, const struct value *value)
{
    size_t size = 0;
    const char *text = value->null ? "NULL" : value_print(value, out->arena, &size);

    if (text == NULL) {
        out->failed = true;
        return;
    }
    if (value->null || !needs_quotes(text, size)) {
        text_out_put(out, text, value->null ? 4 : size);
        return;
    }
    text_out_put(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            text_out_put(out, "\\", 1);
        text_out_put(out, text + i, 1);
    }
    text_out_put(out, "\"", 1);
}

static void
emit_bounds(struct text_out *out, const struct array *array)
{
    bool usual = true;

    for (uint32_t i = 0; i < array->dimension_count; i++)
        usual = usual && array->lowers[i] == 1;
    for (uint32_t i = 0; !usual && i < array->dimension_count; i++) {
        char text[40];
        int size = snprintf(text, sizeof(text), "[%d:%d]", array->lowers[i],
                            array->lowers[i] + array->lengths[i] - 1);

        text_out_put(out, text, (size_t)size);
    }
    if (!usual)
        text_out_put(out, "=", 1);
}

const char *
array_print(const struct value *value, struct arena *arena, size_t *size_out)
{
    struct array array = array_open(value);
    struct text_out out = {.arena = arena};
    int32_t at[ARRAY_DIMENSIONS_MAX] = {0};

    emit_bounds(&out, &array);
    if (array.count == 0)
        text_out_put(&out, "{}", 2);
    for (uint32_t i = 0; i < array.count; i++) {
        uint32_t level = array.dimension_count;
        struct value element = array_next(&array);

        while (level > 0 && at[level - 1] == 0) /* Lists that begin here. */
            level--;
        for (uint32_t k = level; k < array.dimension_count; k++)
            text_out_put(&out, "{", 1);
        emit_element(&out, &element);
        level = array.dimension_count;
        while (level > 0 && ++at[level - 1] == array.lengths[level - 1]) {
            at[--level] = 0;
            text_out_put(&out, "}", 1);
        }
        if (level > 0)
            text_out_put(&out, ",", 1);
    }
    *size_out = out.size;
    return out.failed ? NULL : out.bytes;
}

enum status
array_cast(const struct value *value, const struct sql_type *type, struct arena *arena,
           struct value *out, struct sql_error *error)
{
    struct array array = array_open(value);
    struct value *values = NULL;

    TRY(array_values(&array, arena, &values));
    for (uint32_t i = 0; i < array.count; i++)
        TRY(value_cast(&values[i], type, arena, &values[i], error));
    return array_make(type->type, values, array.count, &array, arena, out);
}

/* Comparing. */

int
array_compare(const struct value *left, const struct value *right)
{
    struct array a = array_open(left), b = array_open(right);
    int order = 0;

    for (uint32_t i = 0; i < a.count && i < b.count; i++) {
        struct value x = array_next(&a), y = array_next(&b);

        if (x.null || y.null)
            order = (int)x.null - (int)y.null; /* Nulls are equal and last. */
        else
            order = value_compare(&x, &y);
        if (order != 0)
            return order;
    }
    if (a.count != b.count)
        return a.count > b.count ? 1 : -1;
    if (a.dimension_count != b.dimension_count)
        return a.dimension_count > b.dimension_count ? 1 : -1;
    for (uint32_t i = 0; i < a.dimension_count && order == 0; i++) {
        order = (a.lengths[i] > b.lengths[i]) - (a.lengths[i] < b.lengths[i]);
        if (order == 0)
            order = (a.lowers[i] > b.lowers[i]) - (a.lowers[i] < b.lowers[i]);
    }
    return order;
}

uint64_t
array_hash(const struct value *value)
{
    struct array array = array_open(value);
    uint64_t hash = array.count;

    for (uint32_t i = 0; i < array.count; i++) {
        struct value element = array_next(&array);

        hash = hash * 31 + value_hash(&element);
    }
    return hash;
}
