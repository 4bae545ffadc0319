/*
 * PostgreSQL's advanced regular expressions: branches, groups, greedy and lazy repeats, bounds, classes,
 * \d \w \s \m \M \y \A \Z, back references, look-ahead; the longest match from the first place where one
 * begins (the shortest where the first repeat is lazy). Not built: collating elements, embedded options but
 * a leading (?i), (?s), (?n), ***=.
 *
 * Matching steps through all states at once, so that its time is the text's length times the
 * expression's size; only back references backtrack, under a limit of steps. Memory from the caller's
 * arena; a compiled expression is immutable.
 */
#ifndef EXECUTOR_REGEX_H
#define EXECUTOR_REGEX_H

#include "executor/value.h"

enum { REGEX_GROUPS_MAX = 32 };

struct regex;

struct regex_match {
    size_t from[REGEX_GROUPS_MAX]; /* Bytes; 0 is the whole. SIZE_MAX: did not take part. */
    size_t to[REGEX_GROUPS_MAX];
};

/** 2201B when it is not well-formed, 54001 when it nests too deep or is too large. */
MUST_CHECK enum status regex_compile(const char *pattern, size_t size, bool insensitive,
                                     struct arena *arena, struct regex **out,
                                     struct sql_error *error);
/** Groups with parentheses that capture. */
uint32_t regex_group_count(const struct regex *regex);
/** The first match that begins at or after `from`. STATUS_NOT_FOUND: none. */
MUST_CHECK enum status regex_search(const struct regex *regex, const char *text, size_t size,
                                    size_t from, struct arena *arena, struct regex_match *out,
                                    struct sql_error *error);

#endif
