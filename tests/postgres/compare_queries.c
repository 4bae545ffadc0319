/*
 * Goal: what qtdb answers to any query, PostgreSQL 15 answers.
 * Method: random small tables with nulls, the same on both; random queries over them (query_maker.h). Rows are compared as sorted texts, errors by SQLSTATE. Two oracles beside:
 * the three parts of a condition (true, false, unknown) make up the whole (TLP), and a condition counts
 * the same as a filter and as a value (NoREC). Differences that a rule in the given file names are
 * counted, others are shown and fail the run. The seed is printed; each round has its own.
 *
 *   compare_queries RULES COUNT [SEED [SETTING]]
 *
 * SETTING is a statement that qtdb runs first in each round, such as SET enable_hashjoin = off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "tests/postgres/postgres.h"
#include "tests/postgres/query_maker.h"

enum { ROWS_MAX = 20000, QUERIES_A_ROUND = 50, RULES_MAX = 20, SHOWN_MAX = 60 };

/* Answers. */

struct answer {
    bool ok;
    char fault[LOGICTEST_FAULT_SIZE];
    char **rows;
    size_t count;
};

static void
take_row(void *context, uint32_t width, const char *const *texts, const bool *truths)
{
    struct answer *answer = context;
    struct query_text row = {.size = 0};

    (void)truths;
    for (uint32_t i = 0; i < width; i++)
        query_put(&row, "|%s", texts[i] != NULL ? texts[i] : "NULL");
    if (answer->count < ROWS_MAX)
        answer->rows[answer->count++] = strdup(row.bytes);
}

static int
compare_rows(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void
ask(const struct logictest_engine *engine, const char *sql, struct answer *out)
{
    for (size_t i = 0; i < out->count; i++)
        free(out->rows[i]);
    out->count = 0;
    out->fault[0] = '\0';
    out->ok = engine->query(engine->context, sql, take_row, out, out->fault);
    qsort(out->rows, out->count, sizeof(char *), compare_rows);
}

/* Rules: `fault of PostgreSQL => fault of ours # behaviour`, each a prefix, `ok` for rows. */

struct rule {
    char theirs[100], ours[100];
    uint64_t used;
};
static struct rule rules[RULES_MAX];
static size_t rule_count;

static void
read_rules(const char *name)
{
    FILE *file = fopen(name, "r");
    char line[400];

    CHECK(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct rule rule = {.used = 0};

        if (line[0] == '#' || line[0] == '\n')
            continue;
        CHECK(rule_count < RULES_MAX);
        CHECK(sscanf(line, "%99[^=] => %99[^#\n]", rule.theirs, rule.ours) == 2);
        for (char *end = rule.theirs + strlen(rule.theirs); end > rule.theirs && end[-1] == ' ';)
            *--end = '\0';
        for (char *end = rule.ours + strlen(rule.ours); end > rule.ours && end[-1] == ' ';)
            *--end = '\0';
        rules[rule_count++] = rule;
    }
    fclose(file);
}

static bool
is_named(const struct answer *theirs, const struct answer *ours)
{
    for (size_t i = 0; i < rule_count; i++) {
        const char *a = theirs->ok ? "ok" : theirs->fault, *b = ours->ok ? "ok" : ours->fault;

        if (theirs->ok && ours->ok)
            return false;
        if (strncmp(a, rules[i].theirs, strlen(rules[i].theirs)) == 0 &&
            strncmp(b, rules[i].ours, strlen(rules[i].ours)) == 0) {
            rules[i].used++;
            return true;
        }
    }
    return false;
}

static bool
same(const struct answer *theirs, const struct answer *ours)
{
    if (theirs->ok != ours->ok)
        return false;
    if (!theirs->ok)
        return strncmp(theirs->fault, ours->fault, 5) == 0;
    if (theirs->count != ours->count)
        return false;
    for (size_t i = 0; i < theirs->count; i++) {
        if (strcmp(theirs->rows[i], ours->rows[i]) != 0)
            return false;
    }
    return true;
}

/* A run. */

struct run {
    const char *setting; /* NULL: none. */
    struct logictest_engine ours, theirs;
    struct answer our_answer, their_answer;
    uint64_t count, wrong, named, refused;
};

static const char *
first_difference(const struct answer *one, const struct answer *other)
{
    if (!one->ok)
        return one->fault;
    for (size_t i = 0; i < one->count; i++) {
        if (i >= other->count || strcmp(one->rows[i], other->rows[i]) != 0)
            return one->rows[i];
    }
    return "(no more rows)";
}

static void
both(struct run *run, const char *sql)
{
    ask(&run->theirs, sql, &run->their_answer);
    ask(&run->ours, sql, &run->our_answer);
    run->count++;
    run->refused += !run->their_answer.ok;
    if (same(&run->their_answer, &run->our_answer))
        return;
    if (is_named(&run->their_answer, &run->our_answer)) {
        run->named++;
        return;
    }
    if (run->wrong++ < SHOWN_MAX)
        fprintf(stderr, "%s;\n  PostgreSQL: %s\n  qtdb:       %s\n", sql,
                first_difference(&run->their_answer, &run->our_answer),
                first_difference(&run->our_answer, &run->their_answer));
}

static long
ask_count(struct run *run, const char *sql)
{
    ask(&run->ours, sql, &run->our_answer);
    if (!run->our_answer.ok || run->our_answer.count != 1)
        return -1;
    return strtol(run->our_answer.rows[0] + 1, NULL, 10);
}

/* TLP and NoREC over one condition, of ours alone. */
static void
oracles(struct run *run)
{
    struct query_text condition, sql;
    uint32_t table = query_draw(3);
    long parts[3], whole, as_value;

    query_make_condition(&condition);
    for (int i = 0; i < 3; i++) {
        sql.size = 0;
        query_put(&sql, "select count(*) from t%u x ", table);
        query_put(&sql,
                  i == 0   ? "where %s"
                  : i == 1 ? "where not (%s)"
                           : "where (%s) is null",
                  condition.bytes);
        parts[i] = ask_count(run, sql.bytes);
    }
    sql.size = 0;
    query_put(&sql, "select count(*) from t%u x", table);
    whole = ask_count(run, sql.bytes);
    sql.size = 0;
    query_put(&sql, "select coalesce(sum(case when %s then 1 else 0 end), 0) from t%u x",
              condition.bytes, table);
    as_value = ask_count(run, sql.bytes);
    run->count++;
    bool failed = parts[0] < 0 || parts[1] < 0 || parts[2] < 0 || as_value < 0;
    if (failed || (parts[0] + parts[1] + parts[2] == whole && parts[0] == as_value))
        return;
    run->wrong++;
    fprintf(stderr, "oracle: %ld + %ld + %ld of %ld, as a value %ld: %s\n", parts[0], parts[1],
            parts[2], whole, as_value, condition.bytes);
}

static void
make_tables(struct run *run)
{
    char fault[LOGICTEST_FAULT_SIZE];
    struct query_text sql;

    CHECK(run->theirs.execute(run->theirs.context, query_types_sql, fault));
    if (!run->ours.execute(run->ours.context, query_types_sql, fault))
        abort();
    for (uint32_t table = 0; table < QUERY_TABLES; table++) {
        uint32_t rows = query_draw(12);

        query_make_table(&sql, table);
        CHECK(run->theirs.execute(run->theirs.context, sql.bytes, fault));
        if (!run->ours.execute(run->ours.context, sql.bytes, fault))
            abort();
        for (uint32_t i = 0; i < rows; i++) {
            query_make_row(&sql, table, i);
            bool theirs = run->theirs.execute(run->theirs.context, sql.bytes, fault);
            CHECK(theirs == run->ours.execute(run->ours.context, sql.bytes, fault));
        }
    }
}

static void
run_round(struct run *run, struct postgres *postgres, uint64_t limit)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true, .no_threads = true};
    const char *folder = getenv("TMPDIR");
    struct qtdb_session *session = NULL;
    struct qtdb *db = NULL;
    struct query_text sql;
    char path[300];

    snprintf(path, sizeof(path), "%s/compare_queries.%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    CHECK(qtdb_open(path, &options, &db) == QTDB_OK);
    CHECK(qtdb_session_open(db, &session) == QTDB_OK);
    postgres_clear(postgres);
    if (run->setting != NULL)
        CHECK(qtdb_exec(session, run->setting, NULL, NULL) == QTDB_OK);
    run->ours = logictest_qtdb(session);
    make_tables(run);
    for (int i = 0; i < QUERIES_A_ROUND && run->count < limit; i++) {
        if (query_draw(8) == 0) {
            oracles(run);
            continue;
        }
        query_make(&sql);
        both(run, sql.bytes);
    }
    qtdb_session_close(session);
    CHECK(qtdb_close(db) == QTDB_OK);
    unlink(path);
}

int
main(int argc, char **argv)
{
    struct run run = {.setting = argc > 4 ? argv[4] : NULL};
    uint64_t limit = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;

    if (argc < 3) {
        fprintf(stderr, "usage: compare_queries RULES COUNT [SEED [SETTING]]\n");
        return 2;
    }
    read_rules(argv[1]);
    struct postgres *postgres = postgres_open();
    if (postgres == NULL)
        return 1;
    run.theirs = postgres_engine(postgres);
    run.our_answer.rows = calloc(ROWS_MAX, sizeof(char *));
    run.their_answer.rows = calloc(ROWS_MAX, sizeof(char *));
    CHECK(run.our_answer.rows != NULL && run.their_answer.rows != NULL);
    for (uint64_t round = 0; run.count < limit; round++) {
        query_seed(seed + round);
        run_round(&run, postgres, limit);
    }
    postgres_close(postgres);
    printf("seed %" PRIu64 ": %" PRIu64 " queries, %" PRIu64 " that PostgreSQL refuses, %" PRIu64
           " differ by a rule, %" PRIu64 " differ\n",
           seed, run.count, run.refused, run.named, run.wrong);
    for (size_t i = 0; i < rule_count; i++)
        printf("rule %s => %s: %" PRIu64 "\n", rules[i].theirs, rules[i].ours, rules[i].used);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", run.count - run.wrong, run.wrong);
    return run.wrong == 0 ? 0 : 1;
}
