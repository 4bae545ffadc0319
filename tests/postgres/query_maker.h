/*
 * Random tables and queries over them for compare_queries: the same seed makes the same texts. Queries are
 * such that their rows, as a set, do not depend on the order in which a database reads. One thread.
 */
#ifndef TESTS_POSTGRES_QUERY_MAKER_H
#define TESTS_POSTGRES_QUERY_MAKER_H

#include <stddef.h>
#include <stdint.h>

enum { QUERY_TEXT_MAX = 32768, QUERY_TABLES = 3 };

struct query_text {
    char bytes[QUERY_TEXT_MAX];
    size_t size;
};

/** What is drawn from here on follows from the seed. */
void query_seed(uint64_t seed);
/** Below `below`. */
uint32_t query_draw(uint32_t below);
__attribute__((format(printf, 2, 3))) void query_put(struct query_text *out, const char *format,
                                                     ...);

/** Types that the tables need, once a database. */
extern const char query_types_sql[];
/** CREATE TABLE t0, t1 or t2; t0 has a primary key `id`. */
void query_make_table(struct query_text *out, uint32_t table);
/** An INSERT of row `row`. */
void query_make_row(struct query_text *out, uint32_t table, uint32_t row);
/** A query. */
void query_make(struct query_text *out);
/** A boolean expression over the table called x. */
void query_make_condition(struct query_text *out);

#endif
