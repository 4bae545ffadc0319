/* Functions and operators of json and jsonb. A json keeps its text; a jsonb is canonical (json.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/array.h"
#include "executor/datetime.h"
#include "executor/function.h"
#include "executor/json.h"
#include "kernel/base/check.h"

static enum status
open_tree(const struct value *value, struct eval *eval, struct json_node **out)
{
    return json_tree((const char *)value->bytes, value->size, eval->arena, out, eval->error);
}

/* A part of a document: json keeps its text. */
static enum status
give_node(const struct json_node *node, enum qtdb_type type, struct eval *eval, struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    if (node == NULL) {
        *out = value_null(type);
        return STATUS_OK;
    }
    if (type == QTDB_TYPE_TEXT && node->kind == JSON_NULL) {
        *out = value_null(type);
        return STATUS_OK;
    }
    if (type == QTDB_TYPE_TEXT && node->kind == JSON_STRING)
        text_out_put(&text, node->text, node->size);
    else if (type == QTDB_TYPE_JSONB)
        json_put(&text, node, -1);
    else
        text_out_put(&text, node->raw, node->raw_size);
    return text_out_value(&text, type, out);
}

/* Paths. */

static bool
path_index(const struct value *step, int64_t *out)
{
    char text[24], *end = NULL;

    if (step->size == 0 || step->size >= sizeof(text))
        return false;
    memcpy(text, step->bytes, step->size);
    text[step->size] = '\0';
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

static struct json_node *
take_step(const struct json_node *node, const struct value *step)
{
    int64_t index = 0;

    if (node->kind == JSON_OBJECT)
        return json_member(node, (const char *)step->bytes, step->size);
    if (node->kind == JSON_ARRAY && path_index(step, &index))
        return json_element(node, index);
    return NULL;
}

/* -> and ->>, with a key or an index. */
static enum status
call_get(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct json_node *node = NULL, *found = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    if (arguments[1].type == QTDB_TYPE_TEXT) {
        if (node->kind == JSON_OBJECT)
            found = json_member(node, (const char *)arguments[1].bytes, arguments[1].size);
    } else if (node->kind == JSON_ARRAY) {
        found = json_element(node, arguments[1].integer);
    } else if (node->kind != JSON_OBJECT && arguments[0].type == QTDB_TYPE_JSONB &&
               (arguments[1].integer == 0 || arguments[1].integer == -1)) {
        found = node; /* A bare scalar is an array of itself. */
    }
    return give_node(found, expr->type.type, eval, out);
}

/* #> and #>>, with a path in an array. */
static enum status
call_path(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    struct array path = array_open(&arguments[1]);
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    for (uint32_t i = path.count; i > 0 && node != NULL; i--) {
        struct value step = array_next(&path);

        node = step.null ? NULL : take_step(node, &step);
    }
    return give_node(node, expr->type.type, eval, out);
}

/* The same with a step an argument. */
static enum status
call_path_steps(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    for (uint32_t i = 1; i < expr->argument_count && node != NULL; i++)
        node = take_step(node, &arguments[i]);
    return give_node(node, expr->type.type, eval, out);
}

/* SQLite's json_extract(document, '$.key[0]'): a text without quotes, as ->>. */
static enum status
call_extract(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const char *path = (const char *)arguments[1].bytes, *end = path + arguments[1].size;
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    if (path == end || *path++ != '$')
        return sql_error_set(eval->error, "22023", expr->location,
                             "a JSON path begins with $, as in '$.key[0]'");
    while (path < end && node != NULL) {
        bool index = *path == '[', quoted = false;
        char stop = index ? ']' : '.';

        if (*path != '.' && *path != '[')
            return sql_error_set(eval->error, "22023", expr->location,
                                 "a JSON path has the form $.key[0]");
        path++;
        if (!index && path < end && *path == '"') {
            quoted = true;
            stop = '"';
            path++;
        }
        const char *from = path;
        while (path < end && *path != stop && (index || quoted || *path != '['))
            path++;
        struct value step = value_bytes(QTDB_TYPE_TEXT, from, (size_t)(path - from));
        node = (node->kind == JSON_ARRAY) == index ? take_step(node, &step) : NULL;
        if ((index || quoted) && path < end)
            path++;
    }
    return give_node(node, QTDB_TYPE_TEXT, eval, out);
}

/* Containment. */

static bool
same_node(const struct json_node *left, const struct json_node *right)
{
    struct value a = value_bytes(QTDB_TYPE_JSONB, left->raw, left->raw_size);
    struct value b = value_bytes(QTDB_TYPE_JSONB, right->raw, right->raw_size);

    return left->kind == right->kind && json_compare(&a, &b) == 0;
}

static bool
contains(const struct json_node *left, const struct json_node *right)
{
    if (left->kind != right->kind)
        return false;
    if (left->kind < JSON_ARRAY)
        return same_node(left, right);
    for (const struct json_node *wanted = right->first; wanted != NULL; wanted = wanted->next) {
        bool found = false;

        if (left->kind == JSON_OBJECT) {
            const struct json_node *member = json_member(left, wanted->key, wanted->key_size);

            found = member != NULL && contains(member, wanted);
        }
        for (const struct json_node *member = left->first;
             left->kind == JSON_ARRAY && member != NULL && !found; member = member->next)
            found = contains(member, wanted);
        if (!found)
            return false;
    }
    return true;
}

static enum status
call_contains(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    struct json_node *left = NULL, *right = NULL;
    bool swap = expr->function->name[0] == '<';

    TRY(open_tree(&arguments[swap ? 1 : 0], eval, &left));
    TRY(open_tree(&arguments[swap ? 0 : 1], eval, &right));
    bool holds = contains(left, right);
    /* An array contains a bare scalar. */
    for (const struct json_node *member = left->first;
         left->kind == JSON_ARRAY && right->kind < JSON_ARRAY && member != NULL && !holds;
         member = member->next)
        holds = same_node(member, right);
    *out = value_integer(QTDB_TYPE_BOOL, holds);
    return STATUS_OK;
}

static bool
has_key(const struct json_node *node, const struct value *key)
{
    const struct json_node *member = node->first;

    if (node->kind == JSON_OBJECT)
        return json_member(node, (const char *)key->bytes, key->size) != NULL;
    if (node->kind == JSON_STRING)
        return node->size == key->size && memcmp(node->text, key->bytes, key->size) == 0;
    for (; node->kind == JSON_ARRAY && member != NULL; member = member->next) {
        if (member->kind == JSON_STRING && member->size == key->size &&
            memcmp(member->text, key->bytes, key->size) == 0)
            return true;
    }
    return false;
}

/* ?, ?|, ?& */
static enum status
call_has(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    char kind = expr->function->name[1];
    struct json_node *node = NULL;
    bool holds = kind == '&';

    TRY(open_tree(&arguments[0], eval, &node));
    if (kind == '\0') {
        *out = value_integer(QTDB_TYPE_BOOL, has_key(node, &arguments[1]));
        return STATUS_OK;
    }
    struct array keys = array_open(&arguments[1]);
    for (uint32_t i = keys.count; i > 0; i--) {
        struct value key = array_next(&keys);
        bool has = !key.null && has_key(node, &key);

        if (!key.null && has != holds) {
            holds = has;
            break;
        }
    }
    *out = value_integer(QTDB_TYPE_BOOL, holds);
    return STATUS_OK;
}

/* Changing: members are relinked, and the result printed anew. */

static void
append(struct json_node *node, struct json_node *member)
{
    member->next = NULL;
    if (node->last == NULL)
        node->first = member;
    else
        node->last->next = member;
    node->last = member;
    node->count++;
}

static void
remove_member(struct json_node *node, const struct json_node *gone)
{
    struct json_node *member = node->first;

    node->first = node->last = NULL;
    node->count = 0;
    while (member != NULL) {
        struct json_node *next = member->next;

        if (member != gone)
            append(node, member);
        member = next;
    }
}

static enum status
give_changed(struct json_node *node, struct eval *eval, struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    TRY(json_canonical(node, eval->arena));
    json_put(&text, node, -1);
    return text_out_value(&text, QTDB_TYPE_JSONB, out);
}

static struct json_node *
new_container(enum json_kind kind, struct eval *eval)
{
    struct json_node *node = arena_alloc(eval->arena, sizeof(*node));

    if (node != NULL)
        *node = (struct json_node){.kind = kind};
    return node;
}

/* jsonb || jsonb */
static enum status
call_join(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    struct json_node *sides[2] = {NULL, NULL};

    (void)expr;
    for (int i = 0; i < 2; i++)
        TRY(open_tree(&arguments[i], eval, &sides[i]));
    bool objects = sides[0]->kind == JSON_OBJECT && sides[1]->kind == JSON_OBJECT;
    struct json_node *joined = new_container(objects ? JSON_OBJECT : JSON_ARRAY, eval);
    if (joined == NULL)
        return STATUS_NO_MEMORY;
    for (int i = 0; i < 2; i++) {
        struct json_node *member = sides[i]->first;

        if (!objects && sides[i]->kind != JSON_ARRAY) {
            append(joined, sides[i]);
            continue;
        }
        while (member != NULL) {
            struct json_node *next = member->next;

            /* A later key wins because what is equal is sorted by place: drop the earlier here. */
            if (objects && i == 1) {
                struct json_node *old = json_member(joined, member->key, member->key_size);

                if (old != NULL)
                    remove_member(joined, old);
            }
            append(joined, member);
            member = next;
        }
    }
    return give_changed(joined, eval, out);
}

/* jsonb - key, - index, - keys; #- path is below. */
static enum status
call_minus(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    if (node->kind < JSON_ARRAY)
        return sql_error_set(eval->error, "22023", expr->location, "cannot delete from scalar");
    if (arguments[1].type == QTDB_TYPE_INT4) {
        if (node->kind == JSON_OBJECT)
            return sql_error_set(eval->error, "22023", expr->location,
                                 "cannot delete from object using integer index");
        remove_member(node, json_element(node, arguments[1].integer));
        return give_changed(node, eval, out);
    }
    struct array keys = {.count = 1};
    if (value_is_array(arguments[1].type))
        keys = array_open(&arguments[1]);
    for (uint32_t i = keys.count; i > 0; i--) {
        struct value key = value_is_array(arguments[1].type) ? array_next(&keys) : arguments[1];
        struct json_node *member = node->first;

        if (key.null)
            continue;
        while (member != NULL) {
            struct json_node *next = member->next;
            const char *name = node->kind == JSON_OBJECT ? member->key : member->text;
            size_t size = node->kind == JSON_OBJECT ? member->key_size : member->size;

            if ((node->kind == JSON_OBJECT || member->kind == JSON_STRING) && size == key.size &&
                memcmp(name, key.bytes, size) == 0)
                remove_member(node, member);
            member = next;
        }
    }
    return give_changed(node, eval, out);
}

/* The container that holds the path's last step, and the step; NULL: there is none. */
static struct json_node *
parent_of(struct json_node *node, struct array *path, struct value *last)
{
    for (uint32_t i = path->count; i > 0; i--) {
        *last = array_next(path);
        if (last->null || node == NULL || node->kind < JSON_ARRAY)
            return NULL;
        if (i > 1)
            node = take_step(node, last);
    }
    return node;
}

static enum status
call_minus_path(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct array path = array_open(&arguments[1]);
    struct json_node *node = NULL, *parent;
    struct value last = value_null(QTDB_TYPE_TEXT);

    TRY(open_tree(&arguments[0], eval, &node));
    if (node->kind < JSON_ARRAY)
        return sql_error_set(eval->error, "22023", expr->location, "cannot delete path in scalar");
    parent = path.count == 0 ? NULL : parent_of(node, &path, &last);
    if (parent != NULL)
        remove_member(parent, take_step(parent, &last));
    return give_changed(node, eval, out);
}

static void
replace_node(struct json_node *place, const struct json_node *with)
{
    struct json_node kept = *place;

    *place = *with;
    place->key = kept.key;
    place->key_size = kept.key_size;
    place->next = kept.next;
}

/* jsonb_set(document, path, value [, create]). */
static enum status
call_set(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct array path = array_open(&arguments[1]);
    struct json_node *node = NULL, *with = NULL, *parent;
    struct value last = value_null(QTDB_TYPE_TEXT);
    bool create = expr->argument_count < 4 || arguments[3].integer != 0;

    TRY(open_tree(&arguments[0], eval, &node));
    TRY(open_tree(&arguments[2], eval, &with));
    if (node->kind < JSON_ARRAY)
        return sql_error_set(eval->error, "22023", expr->location, "cannot set path in scalar");
    parent = path.count == 0 ? NULL : parent_of(node, &path, &last);
    struct json_node *place = parent == NULL ? NULL : take_step(parent, &last);
    int64_t index = 0;
    if (parent != NULL && parent->kind == JSON_ARRAY && !path_index(&last, &index))
        return sql_error_set(eval->error, "22P02", expr->location,
                             "path element at position %u is not an integer: \"%.*s\"", path.count,
                             (int)last.size, (const char *)last.bytes);
    if (place != NULL) {
        replace_node(place, with);
    } else if (parent != NULL && create) {
        with->key = (const char *)last.bytes;
        with->key_size = last.size;
        append(parent, with);
        if (parent->kind == JSON_ARRAY && index < 0) { /* In front. */
            remove_member(parent, with);
            with->next = parent->first;
            parent->first = with;
            parent->last = parent->last == NULL ? with : parent->last;
            parent->count++;
        }
    }
    return give_changed(node, eval, out);
}

/* jsonb_insert(document, path, value [, after]): into an array beside the element, into an object a key
 * that is not there. */
static enum status
call_insert(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct array path = array_open(&arguments[1]);
    struct json_node *node = NULL, *with = NULL, *parent, *before = NULL;
    struct value last = value_null(QTDB_TYPE_TEXT);
    bool after = expr->argument_count > 3 && arguments[3].integer != 0;
    int64_t index = 0;

    TRY(open_tree(&arguments[0], eval, &node));
    TRY(open_tree(&arguments[2], eval, &with));
    if (node->kind < JSON_ARRAY)
        return sql_error_set(eval->error, "22023", expr->location, "cannot set path in scalar");
    parent = path.count == 0 ? NULL : parent_of(node, &path, &last);
    if (parent == NULL)
        return give_changed(node, eval, out);
    if (parent->kind == JSON_OBJECT) {
        if (take_step(parent, &last) != NULL)
            return sql_error_set(eval->error, "22023", expr->location,
                                 "cannot replace existing key");
        with->key = (const char *)last.bytes;
        with->key_size = last.size;
        append(parent, with);
        return give_changed(node, eval, out);
    }
    if (!path_index(&last, &index))
        return sql_error_set(eval->error, "22P02", expr->location,
                             "path element at position %u is not an integer: \"%.*s\"", path.count,
                             (int)last.size, (const char *)last.bytes);
    int64_t count = parent->count;
    bool in_front = index < -count;
    index = index < 0 ? index + count : index;
    index = in_front ? 0 : index >= count ? count : index + after;
    for (int64_t i = 0; i < index; i++)
        before = before == NULL ? parent->first : before->next;
    with->next = before == NULL ? parent->first : before->next;
    if (before == NULL)
        parent->first = with;
    else
        before->next = with;
    if (with->next == NULL)
        parent->last = with;
    parent->count++;
    return give_changed(node, eval, out);
}

/* Making. */

/* Lists inside lists, a counter a dimension instead of recursion. */
static enum status
put_array(const struct value *value, struct text_out *text, struct eval *eval)
{
    struct array array = array_open(value);
    int32_t at[ARRAY_DIMENSIONS_MAX] = {0};

    if (array.count == 0)
        text_out_puts(text, "[]");
    for (uint32_t i = 0; i < array.count; i++) {
        struct value element = array_next(&array);
        uint32_t level = array.dimension_count;

        text_out_puts(text, i > 0 ? "," : "");
        for (; level > 0 && at[level - 1] == 0; level--)
            text_out_put(text, "[", 1);
        TRY(json_put_value(&element, text, eval)); /* Elements are no arrays. */
        for (level = array.dimension_count; level > 0; level--) {
            if (++at[level - 1] < array.lengths[level - 1])
                break;
            at[level - 1] = 0;
            text_out_put(text, "]", 1);
        }
    }
    return STATUS_OK;
}

enum status
json_put_value(const struct value *value, struct text_out *text, struct eval *eval)
{
    size_t size = 0;

    if (value->null) {
        text_out_puts(text, "null");
        return STATUS_OK;
    }
    if (value_is_array(value->type))
        return put_array(value, text, eval);
    const char *printed = value_print(value, eval->arena, &size);
    if (printed == NULL)
        return STATUS_NO_MEMORY;
    switch (value->type) {
    case QTDB_TYPE_BOOL:
        text_out_puts(text, value->integer != 0 ? "true" : "false");
        return STATUS_OK;
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
    case QTDB_TYPE_NUMERIC:
        if (strpbrk(printed, "NI") != NULL) /* NaN and Infinity are no JSON numbers. */
            json_put_string(text, printed, size);
        else
            text_out_put(text, printed, size);
        return STATUS_OK;
    case QTDB_TYPE_JSON:
    case QTDB_TYPE_JSONB:
        text_out_put(text, printed, size);
        return STATUS_OK;
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ: {
        char stamp[DATETIME_TEXT_SIZE + 8];
        size_t used = strcspn(printed, " ");
        const char *clock = printed[used] == ' ' ? printed + used + 1 : "";
        size_t shown = strcspn(clock, " ");
        const char *zone = strpbrk(clock, "+-");
        /* An offset has its minutes; BC stands last. */
        bool short_zone = zone != NULL && memchr(zone, ':', shown - (size_t)(zone - clock)) == NULL;

        int kept = snprintf(stamp, sizeof(stamp), "%.*s%s%.*s%s%s", (int)used, printed,
                            clock[0] != '\0' ? "T" : "", (int)shown, clock, short_zone ? ":00" : "",
                            clock + shown);
        json_put_string(text, stamp, (size_t)kept);
        return STATUS_OK;
    }
    default:
        json_put_string(text, printed, size);
        return STATUS_OK;
    }
}

/* The text as json, or made canonical. */
static enum status
finish(struct text_out *text, enum qtdb_type type, struct eval *eval, struct value *out)
{
    TRY(text_out_value(text, type, out));
    if (type == QTDB_TYPE_JSON)
        return STATUS_OK;
    return json_parse_canonical(text->bytes, text->size, eval->arena, out, eval->error);
}

static enum status
call_to_json(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    TRY(json_put_value(&arguments[0], &text, eval));
    return finish(&text, expr->type.type, eval, out);
}

static enum status
call_build_array(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    text_out_put(&text, "[", 1);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        text_out_puts(&text, i > 0 ? ", " : "");
        TRY(json_put_value(&arguments[i], &text, eval));
    }
    text_out_put(&text, "]", 1);
    return finish(&text, expr->type.type, eval, out);
}

static enum status
call_build_object(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    if (expr->argument_count % 2 != 0)
        return sql_error_set(eval->error, "22023", expr->location,
                             "argument list must have even number of elements");
    text_out_put(&text, "{", 1);
    for (uint32_t i = 0; i < expr->argument_count; i += 2) {
        size_t size = 0;

        if (arguments[i].null)
            return sql_error_set(eval->error, "22023", expr->location, "argument %u cannot be null",
                                 i + 1);
        const char *key = value_print(&arguments[i], eval->arena, &size);
        if (key == NULL)
            return STATUS_NO_MEMORY;
        text_out_puts(&text, i > 0 ? ", " : "");
        json_put_string(&text, key, size);
        text_out_puts(&text, " : ");
        TRY(json_put_value(&arguments[i + 1], &text, eval));
    }
    text_out_put(&text, "}", 1);
    return finish(&text, expr->type.type, eval, out);
}

/* Names and values of a row in turns; of a row that an outer join may have made (`negated`) null when all its
 * values are. */
static enum status
call_row(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct text_out text = {.arena = eval->arena};
    bool empty = expr->negated;

    text_out_put(&text, "{", 1);
    for (uint32_t i = 0; i < expr->argument_count; i += 2) {
        text_out_puts(&text, i > 0 ? "," : "");
        json_put_string(&text, (const char *)arguments[i].bytes, arguments[i].size);
        text_out_put(&text, ":", 1);
        TRY(json_put_value(&arguments[i + 1], &text, eval));
        empty = empty && arguments[i + 1].null;
    }
    text_out_put(&text, "}", 1);
    TRY(finish(&text, QTDB_TYPE_JSON, eval, out));
    if (empty)
        *out = value_null(QTDB_TYPE_JSON);
    return STATUS_OK;
}

const struct function function_json_row = {"row",          0,    1,    {FUNCTION_ANY},
                                           QTDB_TYPE_JSON, true, true, call_row};
const struct function function_json_of_row = {"row_to_json",  0,    1,    {FUNCTION_ANY},
                                              QTDB_TYPE_JSON, true, true, call_row};

/* About a document. */

static enum status
call_typeof(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    static const char *const names[] = {"null",    "string", "number", "boolean",
                                        "boolean", "array",  "object"};
    struct json_node *node = NULL;

    (void)expr;
    TRY(open_tree(&arguments[0], eval, &node));
    *out = value_bytes(QTDB_TYPE_TEXT, names[node->kind], strlen(names[node->kind]));
    return STATUS_OK;
}

static enum status
call_array_length(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    if (node->kind != JSON_ARRAY)
        return sql_error_set(eval->error, "22023", expr->location,
                             "cannot get array length of a %s",
                             node->kind == JSON_OBJECT ? "non-array" : "scalar");
    *out = value_integer(QTDB_TYPE_INT4, node->count);
    return STATUS_OK;
}

static enum status
call_pretty(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct text_out text = {.arena = eval->arena};
    struct json_node *node = NULL;

    (void)expr;
    TRY(open_tree(&arguments[0], eval, &node));
    json_put(&text, node, 0);
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

static void
strip_nulls(struct json_node *node)
{
    struct json_node *member = node->first;

    while (member != NULL) {
        struct json_node *next = member->next;

        strip_nulls(member);
        if (node->kind == JSON_OBJECT && member->kind == JSON_NULL)
            remove_member(node, member);
        member = next;
    }
}

static enum status
call_strip_nulls(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    struct json_node *node = NULL;

    (void)expr;
    TRY(open_tree(&arguments[0], eval, &node));
    strip_nulls(node);
    return give_changed(node, eval, out);
}

/* Sets, as arrays whose elements are the rows (rel.h: REL_SERIES). */

static enum status
give_set(const struct expr *expr, struct json_node *node, enum json_kind wanted, const char *what,
         bool keys, bool values, struct eval *eval, struct value *out)
{
    enum qtdb_type element = value_element(expr->type.type);
    struct value *rows = arena_alloc(eval->arena, (2 * (size_t)node->count + 1) * sizeof(*rows));
    uint32_t count = 0;

    if (rows == NULL)
        return STATUS_NO_MEMORY;
    if (node->kind != wanted)
        return sql_error_set(eval->error, "22023", expr->location, "cannot %s", what);
    for (const struct json_node *member = node->first; member != NULL; member = member->next) {
        if (keys)
            rows[count++] = value_bytes(element, member->key, member->key_size);
        if (values)
            TRY(give_node(member, element, eval, &rows[count++]));
    }
    return array_make(element, rows, count, NULL, eval->arena, out);
}

static enum status
call_keys(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    return give_set(expr, node, JSON_OBJECT, "call jsonb_object_keys on an array", true, false,
                    eval, out);
}

static enum status
call_elements(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    return give_set(expr, node, JSON_ARRAY,
                    node->kind == JSON_OBJECT ? "extract elements from an object"
                                              : "extract elements from a scalar",
                    false, true, eval, out);
}

/* Key and value in turns. */
static enum status
call_each(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    struct json_node *node = NULL;

    TRY(open_tree(&arguments[0], eval, &node));
    return give_set(expr, node, JSON_OBJECT, "call jsonb_each on a non-object", true, true, eval,
                    out);
}

#define JSON QTDB_TYPE_JSON
#define JSONB QTDB_TYPE_JSONB
#define TEXT QTDB_TYPE_TEXT
#define INT4 QTDB_TYPE_INT4
#define BOOL QTDB_TYPE_BOOL
#define TEXTS ((enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY))
#define JSONS ((enum qtdb_type)(QTDB_TYPE_JSON | VALUE_ARRAY))
#define JSONBS ((enum qtdb_type)(QTDB_TYPE_JSONB | VALUE_ARRAY))

#define TWO(name, left, right, result, call)                  \
    {                                                         \
        name, 2, 2, {left, right}, result, false, false, call \
    }
#define ONE(name, type, result, call)                  \
    {                                                  \
        name, 1, 1, {type}, result, false, false, call \
    }

const struct function function_json_table[] = {
    TWO("->", JSONB, TEXT, JSONB, call_get),
    TWO("->", JSONB, INT4, JSONB, call_get),
    TWO("->", JSON, TEXT, JSON, call_get),
    TWO("->", JSON, INT4, JSON, call_get),
    TWO("->>", JSONB, TEXT, TEXT, call_get),
    TWO("->>", JSONB, INT4, TEXT, call_get),
    TWO("->>", JSON, TEXT, TEXT, call_get),
    TWO("->>", JSON, INT4, TEXT, call_get),
    TWO("#>", JSONB, TEXTS, JSONB, call_path),
    TWO("#>", JSON, TEXTS, JSON, call_path),
    TWO("#>>", JSONB, TEXTS, TEXT, call_path),
    TWO("#>>", JSON, TEXTS, TEXT, call_path),
    {"[]", 2, 2, {JSONB, TEXT}, JSONB, false, true, call_path_steps},
    {"jsonb_extract_path", 2, 2, {JSONB, TEXT}, JSONB, false, true, call_path_steps},
    {"jsonb_extract_path_text", 2, 2, {JSONB, TEXT}, TEXT, false, true, call_path_steps},
    {"json_extract_path", 2, 2, {JSON, TEXT}, JSON, false, true, call_path_steps},
    {"json_extract_path_text", 2, 2, {JSON, TEXT}, TEXT, false, true, call_path_steps},
    TWO("json_extract", JSONB, TEXT, TEXT, call_extract),
    TWO("json_extract", JSON, TEXT, TEXT, call_extract),
    TWO("json_extract", TEXT, TEXT, TEXT, call_extract),
    TWO("@>", JSONB, JSONB, BOOL, call_contains),
    TWO("<@", JSONB, JSONB, BOOL, call_contains),
    TWO("?", JSONB, TEXT, BOOL, call_has),
    TWO("?|", JSONB, TEXTS, BOOL, call_has),
    TWO("?&", JSONB, TEXTS, BOOL, call_has),
    TWO("||", JSONB, JSONB, JSONB, call_join),
    TWO("-", JSONB, TEXT, JSONB, call_minus),
    TWO("-", JSONB, INT4, JSONB, call_minus),
    TWO("-", JSONB, TEXTS, JSONB, call_minus),
    TWO("#-", JSONB, TEXTS, JSONB, call_minus_path),
    {"jsonb_set", 3, 4, {JSONB, TEXTS, JSONB, BOOL}, JSONB, false, false, call_set},
    {"jsonb_insert", 3, 4, {JSONB, TEXTS, JSONB, BOOL}, JSONB, false, false, call_insert},
    {"to_jsonb", 1, 1, {FUNCTION_ANY}, JSONB, false, false, call_to_json},
    {"to_json", 1, 1, {FUNCTION_ANY}, JSON, false, false, call_to_json},
    {"array_to_json", 1, 1, {FUNCTION_ANY_ARRAY}, JSON, false, false, call_to_json},
    {"jsonb_build_array", 0, 1, {FUNCTION_ANY}, JSONB, true, true, call_build_array},
    {"json_build_array", 0, 1, {FUNCTION_ANY}, JSON, true, true, call_build_array},
    {"jsonb_build_object", 0, 1, {FUNCTION_ANY}, JSONB, true, true, call_build_object},
    {"json_build_object", 0, 1, {FUNCTION_ANY}, JSON, true, true, call_build_object},
    ONE("jsonb_typeof", JSONB, TEXT, call_typeof),
    ONE("json_typeof", JSON, TEXT, call_typeof),
    ONE("jsonb_array_length", JSONB, INT4, call_array_length),
    ONE("json_array_length", JSON, INT4, call_array_length),
    ONE("jsonb_pretty", JSONB, TEXT, call_pretty),
    ONE("jsonb_strip_nulls", JSONB, JSONB, call_strip_nulls),
    ONE("set jsonb_object_keys", JSONB, TEXTS, call_keys),
    ONE("set json_object_keys", JSON, TEXTS, call_keys),
    ONE("set jsonb_array_elements", JSONB, JSONBS, call_elements),
    ONE("set json_array_elements", JSON, JSONS, call_elements),
    ONE("set jsonb_array_elements_text", JSONB, TEXTS, call_elements),
    ONE("set json_array_elements_text", JSON, TEXTS, call_elements),
    ONE("set jsonb_each", JSONB, JSONBS, call_each),
    ONE("set json_each", JSON, JSONS, call_each),
    ONE("set jsonb_each_text", JSONB, TEXTS, call_each),
    ONE("set json_each_text", JSON, TEXTS, call_each),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
