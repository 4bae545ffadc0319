/* The simple query protocol through libpq: texts out, as psql shows them (postgres.h). */
#include "tests/postgres/postgres.h"

#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"

enum { WIDTH_MAX = 1700, TYPE_BOOL = 16 };

struct postgres {
    PGconn *connection;
};

static void
ignore(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

struct postgres *
postgres_open(void)
{
    struct postgres *postgres = calloc(1, sizeof(*postgres));

    CHECK(postgres != NULL);
    postgres->connection = PQconnectdb("");
    if (PQstatus(postgres->connection) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(postgres->connection));
        postgres_close(postgres);
        return NULL;
    }
    PQsetNoticeReceiver(postgres->connection, ignore, NULL);
    return postgres;
}

void
postgres_close(struct postgres *postgres)
{
    if (postgres == NULL)
        return;
    PQfinish(postgres->connection);
    free(postgres);
}

static bool
judge(const struct postgres *postgres, PGresult *result, char fault[LOGICTEST_FAULT_SIZE])
{
    ExecStatusType status = PQresultStatus(result);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (PQstatus(postgres->connection) != CONNECTION_OK) {
        fprintf(stderr, "lost PostgreSQL: %s", PQerrorMessage(postgres->connection));
        exit(1);
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return true;
    snprintf(fault, LOGICTEST_FAULT_SIZE, "%s %s", state != NULL ? state : "?????",
             message != NULL ? message : "");
    return false;
}

static bool
execute(void *context, const char *sql, char fault[LOGICTEST_FAULT_SIZE])
{
    struct postgres *postgres = context;
    PGresult *result = PQexec(postgres->connection, sql);
    bool ok = judge(postgres, result, fault);

    PQclear(result);
    return ok;
}

static bool
query(void *context, const char *sql, logictest_row *row, void *rows,
      char fault[LOGICTEST_FAULT_SIZE])
{
    static const char *texts[WIDTH_MAX];
    static bool truths[WIDTH_MAX];
    struct postgres *postgres = context;
    PGresult *result = PQexec(postgres->connection, sql);
    bool ok = judge(postgres, result, fault);
    int width = ok ? PQnfields(result) : 0;

    CHECK(width <= WIDTH_MAX);
    for (int i = 0; ok && i < PQntuples(result); i++) {
        for (int k = 0; k < width; k++) {
            texts[k] = PQgetisnull(result, i, k) ? NULL : PQgetvalue(result, i, k);
            truths[k] = PQftype(result, k) == TYPE_BOOL;
        }
        row(rows, (uint32_t)width, texts, truths);
    }
    PQclear(result);
    return ok;
}

void
postgres_clear(struct postgres *postgres)
{
    char fault[LOGICTEST_FAULT_SIZE];

    (void)execute(postgres, "rollback", fault);
    if (execute(postgres, "drop schema public cascade; create schema public", fault))
        return;
    fprintf(stderr, "schema public is not cleared: %s\n", fault);
    exit(1);
}

struct logictest_engine
postgres_engine(struct postgres *postgres)
{
    return (struct logictest_engine){postgres, execute, query};
}
