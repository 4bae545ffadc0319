/*
 * A connection to the PostgreSQL that scripts/with-postgres started, for tests that compare. One
 * thread at a time. Whatever goes wrong with the connection itself ends the program.
 */
#ifndef TESTS_POSTGRES_POSTGRES_H
#define TESTS_POSTGRES_POSTGRES_H

#include "tests/support/logictest.h"

struct postgres;

/** By PGHOST and its kin. NULL, with the reason on stderr, when nothing answers. */
struct postgres *postgres_open(void);
void postgres_close(struct postgres *postgres);
/** Rolls back, drops what is in schema public, and begins anew. */
void postgres_clear(struct postgres *postgres);
struct logictest_engine postgres_engine(struct postgres *postgres);

#endif
