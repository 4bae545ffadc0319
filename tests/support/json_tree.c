#include "tests/support/json_tree.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at;
};

static struct json_node *parse_value(struct parser *parser);

static void
skip_space(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

static void
expect(struct parser *parser, char wanted)
{
    if (*parser->at != wanted) {
        fprintf(stderr, "json: '%c' expected before: %.40s\n", wanted, parser->at);
        abort();
    }
    parser->at++;
}

static char *
put_code_point(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

static char *
parse_string(struct parser *parser, size_t *size_out)
{
    char *text = malloc(strlen(parser->at) + 1);
    char *out = text;

    expect(parser, '"');
    while (*parser->at != '"') {
        if (*parser->at != '\\') {
            *out++ = *parser->at++;
            continue;
        }
        char kind = parser->at[1];
        parser->at += 2;
        if (kind == 'u') {
            char digits[5] = {parser->at[0], parser->at[1], parser->at[2], parser->at[3], 0};

            out = put_code_point(out, (unsigned)strtoul(digits, NULL, 16));
            parser->at += 4;
        } else {
            *out++ = kind == 'n' ? '\n' : kind == 't' ? '\t' : kind == 'r' ? '\r' : kind;
        }
    }
    parser->at++;
    *out = '\0';
    *size_out = (size_t)(out - text);
    return text;
}

static void
parse_children(struct parser *parser, struct json_node *node, char end)
{
    struct json_node **link = &node->first;

    parser->at++;
    for (skip_space(parser); *parser->at != end; skip_space(parser)) {
        char *key = NULL;
        size_t size;

        if (node->count > 0)
            expect(parser, ',');
        skip_space(parser);
        if (end == '}') {
            key = parse_string(parser, &size);
            skip_space(parser);
            expect(parser, ':');
        }
        *link = parse_value(parser);
        (*link)->key = key;
        link = &(*link)->next;
        node->count++;
    }
    parser->at++;
}

static void
parse_word(struct parser *parser, struct json_node *node)
{
    size_t size = strcspn(parser->at, ",]} \t\r\n");

    node->text = strndup(parser->at, size);
    node->size = size;
    node->kind = strcmp(node->text, "null") == 0 ? JSON_NULL
                 : strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0
                     ? JSON_BOOL
                     : JSON_NUMBER;
    parser->at += size;
}

static struct json_node *
parse_value(struct parser *parser)
{
    struct json_node *node = calloc(1, sizeof(*node));

    skip_space(parser);
    switch (*parser->at) {
    case '{':
        node->kind = JSON_OBJECT;
        parse_children(parser, node, '}');
        break;
    case '[':
        node->kind = JSON_ARRAY;
        parse_children(parser, node, ']');
        break;
    case '"':
        node->kind = JSON_STRING;
        node->text = parse_string(parser, &node->size);
        break;
    default:
        parse_word(parser, node);
        break;
    }
    return node;
}

struct json_node *
json_tree_read(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, size + 1);
    if (fread(text, 1, size, file) != size)
        abort();
    fclose(file);
    struct parser parser = {text};
    struct json_node *node = parse_value(&parser);
    free(text);
    return node;
}

void
json_tree_free(struct json_node *node)
{
    while (node != NULL) {
        struct json_node *next = node->next;

        json_tree_free(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

const struct json_node *
json_node_member(const struct json_node *object, const char *key)
{
    const struct json_node *node = object == NULL ? NULL : object->first;

    while (node != NULL && (node->key == NULL || strcmp(node->key, key) != 0))
        node = node->next;
    return node;
}

const struct json_node *
json_item(const struct json_node *array, size_t index)
{
    const struct json_node *node = array == NULL ? NULL : array->first;

    while (node != NULL && index-- > 0)
        node = node->next;
    return node;
}

bool
json_is(const struct json_node *node, const char *text)
{
    return node != NULL && node->text != NULL && strcmp(node->text, text) == 0;
}

bool
json_is_true(const struct json_node *node)
{
    return node != NULL && node->kind == JSON_BOOL && node->text[0] == 't';
}
