/*
 * Objects of a JSON text, one after the other: JSON lines, objects that merely follow each other, or the
 * elements of one array. Each is brought in whole, checked, and split into its members. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_JSON_READ_H
#define TOOLS_QTDB_MIGRATE_JSON_READ_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/input.h"

enum { JSON_VALUE_SIZE_MAX = 32 * 1024 * 1024 };

enum json_form {
    JSON_NULL = 1,
    JSON_BOOLEAN = 2,
    JSON_NUMBER = 4,
    JSON_STRING = 8,
    JSON_NESTED = 16, /* An object or an array. */
};

struct json_member {
    const char *name; /* Without escapes; NUL-terminated besides its size. */
    size_t name_size;
    enum json_form form;
    const char *text; /* The value as it stands, blanks around it left out. */
    size_t size;
};

struct json_reader {
    struct input *input; /* Borrowed. */
    struct text_buffer text;
    struct arena arena; /* Of the present object. */
    uint64_t line;      /* On which the object begins, from 1. */
    uint64_t lines;
    uint32_t count;
    uint32_t room;
    struct json_member *members;
    bool begun;
    bool in_array;
    bool array_ended;
    char fault[320];
};

void json_init(struct json_reader *reader, struct input *input);
void json_deinit(struct json_reader *reader);
void json_rewind(struct json_reader *reader);
/** The next object's members; `*end_out` where there is none. On failure `fault` says where and why. */
MUST_CHECK enum status json_next(struct json_reader *reader, bool *end_out);

/**
 * A string's content: `text` with its quotes, valid. Lone surrogates become U+FFFD, and `*lost_out` is
 * set. NULL: no memory.
 */
const char *json_unescape(const char *text, size_t size, struct arena *arena, size_t *size_out,
                          bool *lost_out);

#endif
