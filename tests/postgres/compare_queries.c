/*
 * Goal: what qtdb answers to any query, PostgreSQL 15 answers.
 * Method: random small tables with nulls, the same on both; random queries over them (typed expressions,
 * joins, groups, sets, limits). Rows are compared as sorted texts, errors by SQLSTATE. Two oracles beside:
 * the three parts of a condition (true, false, unknown) make up the whole (TLP), and a condition counts
 * the same as a filter and as a value (NoREC). Differences that a rule in the given file names are
 * counted, others are shown and fail the run. The seed is printed; each round has its own.
 *
 *   compare_queries RULES COUNT [SEED]
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "tests/postgres/postgres.h"

enum { TEXT_MAX = 16384, ROWS_MAX = 20000, QUERIES_A_ROUND = 50, RULES_MAX = 20, SHOWN_MAX = 60 };

/* Text and chance. */

struct text {
    char bytes[TEXT_MAX];
    size_t size;
};

static uint64_t state;

static uint32_t
draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % below);
}

__attribute__((format(printf, 2, 3))) static void
put(struct text *out, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(out->bytes + out->size, sizeof(out->bytes) - out->size, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    out->size += (size_t)size;
    if (out->size >= sizeof(out->bytes))
        out->size = sizeof(out->bytes) - 1;
}

/* Typed expressions. */

enum type { INT, NUM, TEXT, BOOL, DATE, STAMP, SPAN, INTS, JSON, TYPE_COUNT };

static const char *const type_names[] = {"int",       "numeric",  "text",  "boolean", "date",
                                         "timestamp", "interval", "int[]", "jsonb"};
/* Columns of every table, by type. */
static const char *const columns[] = {"i", "n", "s", "b", "d", "ts", "sp", "a", "j"};

static void expression(struct text *out, enum type type, int depth, const char *alias);

static void
literal(struct text *out, enum type type)
{
    static const char *const words[] = {"",    "a",   "ab",   "Abc", "b%c",
                                        "a_c", "xyz", "  q ", "10",  "\303\251"};
    static const char *const spans[] = {"1 day", "2 hours", "1 mon -3 days", "-5 min",
                                        "1 year 00:00:01.5"};
    static const char *const documents[] = {"{\"a\": 1, \"b\": [1, 2]}",
                                            "[1, \"x\", null]",
                                            "\"a\"",
                                            "{\"a\": {\"b\": 1.50}}",
                                            "null",
                                            "{}",
                                            "12"};

    if (draw(12) == 0) {
        put(out, "null::%s", type_names[type]);
        return;
    }
    switch (type) {
    case INT:
        put(out, "%d", (int)draw(21) - 10);
        return;
    case NUM:
        put(out, "%d.%02u", (int)draw(41) - 20, draw(100));
        return;
    case TEXT:
        put(out, "'%s'::text", words[draw(10)]);
        return;
    case BOOL:
        put(out, "%s", draw(2) == 0 ? "true" : "false");
        return;
    case DATE:
        put(out, "date '20%02u-%02u-%02u'", draw(30), draw(12) + 1, draw(28) + 1);
        return;
    case STAMP:
        put(out, "timestamp '20%02u-%02u-%02u %02u:%02u:00'", draw(30), draw(12) + 1, draw(28) + 1,
            draw(24), draw(60));
        return;
    case SPAN:
        put(out, "interval '%s'", spans[draw(5)]);
        return;
    case INTS:
        put(out, "array[%u,%u,%u]", draw(5), draw(5), draw(5));
        return;
    default:
        put(out, "'%s'::jsonb", documents[draw(7)]);
        return;
    }
}

/* Shapes of each type: capital letters stand for operands, by the order of enum type: I N T B D S P A J. */
static const char *const shapes[TYPE_COUNT][16] = {
    [INT] = {"(I + I)", "(I - I)", "(I * I)", "(I / I)", "(I % I)", "abs(I)", "length(T)",
             "coalesce(I, I)", "case when B then I else I end", "greatest(I, I)", "(D - D)",
             "array_length(A, 1)", "(A)[I]", "nullif(I, I)", "cardinality(A)", "(I & I)"},
    [NUM] = {"(N + N)", "(N - N)", "(N * N)", "(N / N)", "(N % N)", "round(N, 1)", "floor(N)",
             "ceil(N)", "abs(N)", "least(N, N)", "I::numeric", "extract(year from S)",
             "extract(epoch from P)", "trunc(N)", "sign(N)", "extract(dow from D)"},
    [TEXT] = {"(T || T)", "upper(T)", "lower(T)", "substr(T, I)", "left(T, I)", "replace(T, T, T)",
              "I::text", "N::text", "coalesce(T, T)", "btrim(T)",
              "regexp_replace(T, '[a-b]+', 'z')", "to_char(S, 'YYYY-MM-DD HH24:MI')", "(J ->> 'a')",
              "split_part(T, 'b', 1)", "array_to_string(A, ',')", "initcap(T)"},
    [BOOL] = {"(I < I)", "(N >= N)", "(T = T)", "(B and B)", "(B or B)", "(not B)", "(T like 'a%')",
              "(I in (1, 2, I))", "(I between I and I)", "(D > D)", "(P < P)", "(I = any(A))",
              "(J @> J)", "(T ~ 'a.?c')", "(T is null)", "(I is distinct from I)"},
    [DATE] = {"(D + I)", "(D - I)", "greatest(D, D)", "S::date", "coalesce(D, D)",
              "case when B then D else D end", "make_date(2020, 5, 17)", "nullif(D, D)", "(D + 1)",
              "least(D, D)", "D", "D", "D", "D", "D", "D"},
    [STAMP] = {"(S + P)", "(S - P)", "date_trunc('month', S)", "date_trunc('day', S)", "(D + P)",
               "D::timestamp", "greatest(S, S)", "coalesce(S, S)", "date_trunc('hour', S)",
               "(S - P)", "S", "S", "S", "S", "S", "S"},
    [SPAN] = {"(P + P)", "(P - P)", "(S - S)", "(P * I)", "age(S, S)", "justify_days(P)",
              "justify_hours(P)", "(- P)", "make_interval(I, I)", "coalesce(P, P)", "P", "P", "P",
              "P", "P", "P"},
    [INTS] = {"(A || A)", "(A || I)", "array_append(A, I)", "array_remove(A, I)", "array[I, I]",
              "(A)[1:2]", "coalesce(A, A)", "array_replace(A, I, I)", "array_prepend(I, A)", "A",
              "A", "A", "A", "A", "A", "A"},
    [JSON] = {"(J -> 'a')", "(J -> 0)", "to_jsonb(I)", "to_jsonb(T)",
              "jsonb_build_object('k', I, 'l', T)", "jsonb_build_array(N, B)", "to_jsonb(A)",
              "(J #> '{a,b}')", "coalesce(J, J)", "to_jsonb(D)", "J", "J", "J", "J", "J", "J"},
};

static void
expression(struct text *out, enum type type, int depth, const char *alias)
{
    static const char letters[] = "INTBDSPAJ";

    if (depth <= 0 || draw(4) == 0) {
        if (draw(3) == 0)
            literal(out, type);
        else
            put(out, "%s.%s", alias, columns[type]);
        return;
    }
    bool quoted = false;
    for (const char *at = shapes[type][draw(16)]; *at != '\0'; at++) {
        const char *letter = strchr(letters, *at);

        quoted = quoted != (*at == '\'');
        if (letter != NULL && !quoted)
            expression(out, (enum type)(letter - letters), depth - 1, alias);
        else
            put(out, "%c", *at);
    }
}

/* Queries. */

static void
query_plain(struct text *out)
{
    bool join = draw(3) == 0;
    uint32_t targets = draw(3) + 1;

    put(out, "select ");
    for (uint32_t i = 0; i < targets; i++) {
        put(out, "%s", i > 0 ? ", " : "");
        expression(out, (enum type)draw(TYPE_COUNT), 3, join && draw(2) == 0 ? "y" : "x");
    }
    put(out, " from t%u x", draw(3));
    if (join) {
        static const char *const kinds[] = {"join", "left join", "right join", "full join"};

        put(out, " %s t%u y on x.%s = y.%s", kinds[draw(4)], draw(3), "i", "i");
    }
    if (draw(2) == 0) {
        put(out, " where ");
        expression(out, BOOL, 3, "x");
    }
}

static void
query_group(struct text *out)
{
    static const char *const aggregates[] = {
        "count(*)",
        "count(I)",
        "sum(I)",
        "avg(N)",
        "min(T)",
        "max(D)",
        "sum(N)",
        "min(S)",
        "bool_and(B)",
        "bool_or(B)",
        "count(distinct I)",
        "max(P)",
        "stddev(N)",
        "sum(P)",
        "array_agg(x.i order by x.i)",
        "string_agg(x.s, ',' order by x.s)",
        "var_pop(I)",
        "bit_or(I)",
    };
    static const char letters[] = "INTBDSPAJ";
    enum type type = (enum type)draw(JSON);

    put(out, "select ");
    struct text key = {.size = 0};
    expression(&key, type, 1, "x");
    put(out, "%s as k, ", key.bytes);
    for (const char *at = aggregates[draw(18)]; *at != '\0'; at++) {
        const char *letter = strchr(letters, *at);

        if (letter != NULL && at[1] == ')')
            expression(out, (enum type)(letter - letters), 1, "x");
        else if (letter != NULL)
            put(out, "x.%s", columns[letter - letters]);
        else
            put(out, "%c", *at);
    }
    put(out, " from t%u x group by 1", draw(3));
    if (draw(3) == 0)
        put(out, " having count(*) > 1");
}

static void
query_set(struct text *out)
{
    static const char *const kinds[] = {"union", "union all", "intersect", "except"};
    enum type type = (enum type)draw(TYPE_COUNT);

    put(out, "select ");
    expression(out, type, 2, "x");
    put(out, " from t%u x %s select ", draw(3), kinds[draw(4)]);
    expression(out, type, 2, "x");
    put(out, " from t%u x", draw(3));
}

static void
query_nested(struct text *out)
{
    put(out, "select x.i, ");
    expression(out, (enum type)draw(TYPE_COUNT), 2, "x");
    put(out, " from t%u x where ", draw(3));
    switch (draw(3)) {
    case 0:
        put(out, "exists (select 1 from t%u y where y.i = x.i and ", draw(3));
        expression(out, BOOL, 2, "y");
        put(out, ")");
        return;
    case 1:
        put(out, "x.i %sin (select y.i from t%u y where ", draw(2) == 0 ? "not " : "", draw(3));
        expression(out, BOOL, 2, "y");
        put(out, ")");
        return;
    default:
        put(out, "(select count(*) from t%u y where y.i < x.i) > %u", draw(3), draw(4));
        return;
    }
}

static void
make_query(struct text *out)
{
    uint32_t kind = draw(8);

    out->size = 0;
    if (kind < 4)
        query_plain(out);
    else if (kind < 6)
        query_group(out);
    else if (kind < 7)
        query_set(out);
    else
        query_nested(out);
}

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
    struct text row = {.size = 0};

    (void)truths;
    for (uint32_t i = 0; i < width; i++)
        put(&row, "|%s", texts[i] != NULL ? texts[i] : "NULL");
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
    struct text condition = {.size = 0}, sql;
    uint32_t table = draw(3);
    long parts[3], whole, as_value;

    expression(&condition, BOOL, 3, "x");
    for (int i = 0; i < 3; i++) {
        sql.size = 0;
        put(&sql, "select count(*) from t%u x ", table);
        put(&sql,
            i == 0   ? "where %s"
            : i == 1 ? "where not (%s)"
                     : "where (%s) is null",
            condition.bytes);
        parts[i] = ask_count(run, sql.bytes);
    }
    sql.size = 0;
    put(&sql, "select count(*) from t%u x", table);
    whole = ask_count(run, sql.bytes);
    sql.size = 0;
    put(&sql, "select coalesce(sum(case when %s then 1 else 0 end), 0) from t%u x", condition.bytes,
        table);
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
    struct text sql;

    for (uint32_t table = 0; table < 3; table++) {
        uint32_t rows = draw(12);

        sql.size = 0;
        put(&sql,
            "create table t%u (%s i int, n numeric, s text, b boolean, d date, ts timestamp, sp "
            "interval, a int[], j jsonb)",
            table, table == 0 ? "id int primary key," : "");
        CHECK(run->theirs.execute(run->theirs.context, sql.bytes, fault));
        if (!run->ours.execute(run->ours.context, sql.bytes, fault))
            abort();
        for (uint32_t i = 0; i < rows; i++) {
            sql.size = 0;
            put(&sql, "insert into t%u values (", table);
            if (table == 0)
                put(&sql, "%u, ", i);
            for (int type = 0; type < TYPE_COUNT; type++) {
                put(&sql, "%s", type > 0 ? ", " : "");
                literal(&sql, (enum type)type);
            }
            put(&sql, ")");
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
    struct text sql;
    char path[300];

    snprintf(path, sizeof(path), "%s/compare_queries.%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    CHECK(qtdb_open(path, &options, &db) == QTDB_OK);
    CHECK(qtdb_session_open(db, &session) == QTDB_OK);
    postgres_clear(postgres);
    run->ours = logictest_qtdb(session);
    make_tables(run);
    for (int i = 0; i < QUERIES_A_ROUND && run->count < limit; i++) {
        if (draw(8) == 0) {
            oracles(run);
            continue;
        }
        make_query(&sql);
        both(run, sql.bytes);
    }
    qtdb_session_close(session);
    CHECK(qtdb_close(db) == QTDB_OK);
    unlink(path);
}

int
main(int argc, char **argv)
{
    struct run run = {.count = 0};
    uint64_t limit = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;

    if (argc < 3) {
        fprintf(stderr, "usage: compare_queries RULES COUNT [SEED]\n");
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
        state = (seed + round) * UINT64_C(0x9e3779b97f4a7c15) | 1;
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
