/*
 * Statements of an SQL dump, one after the other, and their tokens. Three dialects differ in quoting:
 *
 *   PostgreSQL  '...' without escapes, E'...' with, $tag$...$tag$, COPY data behind its statement
 *   MySQL       '...' and "..." with backslashes, `names`, # comments, DELIMITER
 *   SQLite      '...' without escapes, "names", [names], triggers with statements inside
 *
 * A statement is brought in whole without its comments, so its size is bounded. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_DUMP_READ_H
#define TOOLS_QTDB_MIGRATE_DUMP_READ_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/input.h"

enum { DUMP_STATEMENT_SIZE_MAX = 32 * 1024 * 1024 };

enum dump_dialect { DUMP_POSTGRES = 1, DUMP_MYSQL = 2, DUMP_SQLITE = 3 };

struct dump_reader {
    struct input *input; /* Borrowed. */
    enum dump_dialect dialect;
    struct text_buffer text; /* The statement without its end; or a line of COPY data. */
    char delimiter[8];       /* Of statements; MySQL's routines change it. */
    uint64_t line;           /* On which the statement begins, from 1. */
    uint64_t lines;
    uint64_t left_out_count; /* Conditional comments that make something. */
    char fault[320];
};

void dump_init(struct dump_reader *reader, struct input *input);
void dump_deinit(struct dump_reader *reader);
void dump_rewind(struct dump_reader *reader);
/** The next statement that is not empty. On failure `fault` says where and why. */
MUST_CHECK enum status dump_next(struct dump_reader *reader, bool *end_out);
/** To the first line of COPY data, behind its statement. */
void dump_copy_begin(struct dump_reader *reader);
/** The next line of COPY data, without its end; `*end_out` at the mark \. that ends it. */
MUST_CHECK enum status dump_copy_line(struct dump_reader *reader, bool *end_out);
__attribute__((format(printf, 3, 4))) enum status dump_fail(struct dump_reader *reader,
                                                            enum status status, const char *format,
                                                            ...);

enum dump_token_kind {
    DUMP_END = 0,
    DUMP_WORD = 1,   /* A keyword or a name without quotes. */
    DUMP_NAME = 2,   /* A name in quotes. */
    DUMP_STRING = 3, /* With its quotes; `prefix` is e, x, b, n or 0. */
    DUMP_DOLLAR = 4,
    DUMP_NUMBER = 5,
    DUMP_OTHER = 6, /* One character. */
};

struct dump_token {
    enum dump_token_kind kind;
    char prefix;
    const char *text; /* As it stands in the statement, quotes included, the prefix not. */
    size_t size;
};

struct dump_scan {
    enum dump_dialect dialect;
    const char *next;
    const char *end;
    struct dump_token token; /* The present one. */
};

/** Begins with the first token. */
void dump_scan_init(struct dump_scan *scan, enum dump_dialect dialect, const char *text,
                    size_t size);
void dump_scan_next(struct dump_scan *scan);
/** Whether the present token is this keyword or character. */
bool dump_is(const struct dump_scan *scan, const char *word);
/** The same, and goes on behind it. */
bool dump_take(struct dump_scan *scan, const char *word);
/** All of these words, divided by blanks, or none. */
bool dump_take_words(struct dump_scan *scan, const char *words);
/** A name, quotes taken off; PostgreSQL's plain ones become lower case. False: no name here. */
bool dump_take_name(struct dump_scan *scan, struct arena *arena, const char **out);
/** A string's content. NULL: no memory or a bad escape. */
const char *dump_string(const struct dump_scan *scan, struct arena *arena, size_t *size_out);
/** Over one thing: a token, or all between a pair of brackets. */
void dump_skip(struct dump_scan *scan);

#endif
