/*
 * Files of statements and expected results in the format of sqllogictest, read with the engine label
 * `postgresql`.
 *
 *   statement ok|error [SQLSTATE]     query TYPES [nosort|rowsort|valuesort] [label]
 *   SQL                               SQL
 *                                     ----
 *                                     values, one a line, or `N values hashing to MD5`
 *
 * before a record: `skipif LABEL`, `onlyif LABEL`; `halt` ends the file.
 */
#ifndef TESTS_SUPPORT_LOGICTEST_H
#define TESTS_SUPPORT_LOGICTEST_H

#include "kernel/qtdb.h"

struct logictest_result {
    uint64_t passed;
    uint64_t failed;
};

/** Runs all records of `text` (changed while it is read); `complain` gets the line and what is wrong. */
void logictest_run(struct qtdb_session *session, char *text,
                   void (*complain)(void *context, uint64_t line, const char *what), void *context,
                   struct logictest_result *result);

#endif
