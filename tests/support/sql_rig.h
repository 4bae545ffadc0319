/*
 * A database on a simulated disk with one session, as most unit tests of SQL want it. Each test is a process of
 * its own, so both have names without a prefix, as the short words that ask the session do:
 *
 *     TestSuite(name, .init = sql_rig_open, .fini = sql_rig_close);
 */
#ifndef TESTS_SUPPORT_SQL_RIG_H
#define TESTS_SUPPORT_SQL_RIG_H

#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

extern struct db_rig rig;
extern struct qtdb_session *session;

void sql_rig_open(void);
/** Nothing may be left of session and database (db_rig_deinit). */
void sql_rig_close(void);

static inline const char *
rows_of(const char *sql)
{
    return sql_rows(session, sql);
}

static inline void
expect(const char *sql, const char *rows)
{
    sql_expect(session, sql, rows);
}

#endif
