/* Statements and the text of their rows, for tests; what must succeed and does not stops the test. */
#ifndef TESTS_SUPPORT_SQL_ROWS_H
#define TESTS_SUPPORT_SQL_ROWS_H

#include "kernel/qtdb.h"

/** The rows of all statements in `sql`: a line a row, values with | between them, NULL for nulls. In a
 * buffer that the next call uses again; of one thread. */
const char *sql_rows(struct qtdb_session *session, const char *sql);
/** sql_rows gives exactly `rows`. */
void sql_expect(struct qtdb_session *session, const char *sql, const char *rows);
/** The statement fails with this SQLSTATE; qtdb_error_last tells the rest. */
void sql_refuse(struct qtdb_session *session, const char *sql, const char *sqlstate);

#endif
