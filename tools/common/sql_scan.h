/*
 * Where statements end: after a semicolon that stands outside of texts, names in quotes, dollar
 * quotes and comments. Keeps its state between pieces, so that each byte is looked at once. Pure.
 */
#ifndef TOOLS_COMMON_SQL_SCAN_H
#define TOOLS_COMMON_SQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SQL_SCAN_TAG_SIZE = 64 };

struct sql_scan {
    int state;                   /* 0 at the start of a statement; others are sql_scan.c's. */
    bool blank;                  /* Nothing but white space and comments so far. */
    uint32_t depth;              /* Of nested comments. */
    bool escapes;                /* In a text: a backslash takes the next byte (E'...'). */
    char last, earlier;          /* The two bytes before. */
    char tag[SQL_SCAN_TAG_SIZE]; /* $tag$, while inside. */
    size_t tag_size;
    size_t tag_match;
};

void sql_scan_init(struct sql_scan *scan);
/**
 * Takes bytes up to and with the next end of a statement; `*ended_out` tells whether there was one,
 * and then the scan is as new. Returns how many bytes were taken.
 */
size_t sql_scan_feed(struct sql_scan *scan, const char *bytes, size_t size, bool *ended_out);
/** True between statements: a command may come. */
bool sql_scan_is_blank(const struct sql_scan *scan);

#endif
