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

enum { LOGICTEST_FAULT_SIZE = 700 };

struct logictest_result {
    uint64_t passed;
    uint64_t failed;
};

/* One row of a query; texts are NULL for null, `truths` says which columns are boolean. */
typedef void logictest_row(void *rows, uint32_t width, const char *const *texts,
                           const bool *truths);

/* The database under test. Both give false with "SQLSTATE message" in `fault`. */
struct logictest_engine {
    void *context;
    bool (*execute)(void *context, const char *sql, char fault[LOGICTEST_FAULT_SIZE]);
    bool (*query)(void *context, const char *sql, logictest_row *row, void *rows,
                  char fault[LOGICTEST_FAULT_SIZE]);
};

/** The engine that runs everything in this session. */
struct logictest_engine logictest_qtdb(struct qtdb_session *session);

/** Runs all records of `text` (changed while it is read); `judge` gets the line of each and what is
 * wrong, NULL for nothing. */
void logictest_run(const struct logictest_engine *engine, char *text,
                   void (*judge)(void *context, uint64_t line, const char *fault), void *context,
                   struct logictest_result *result);

#endif
