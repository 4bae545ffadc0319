/*
 * Random queries (query_maker.h): typed expressions from tables of shapes (query_shapes.h), and a function a kind of query.
 *
 * Shapes have capital letters for operands, by type. Operands that could make a result large or slow are
 * taken modulo something. Aggregates and windows whose result depends on the order of rows get one that is
 * total: by the value itself, or by the key of t0.
 */
#include "tests/postgres/query_maker.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tests/postgres/query_shapes.h"

static uint64_t state;

void
query_seed(uint64_t seed)
{
    state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

uint32_t
query_draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % below);
}

void
query_put(struct query_text *out, const char *format, ...)
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

/* Types. */

static const char letters[] = "INTBDSPAJFEZHLW";
static const char *const type_names[] = {"int",       "numeric",     "text",  "boolean", "date",
                                         "timestamp", "interval",    "int[]", "jsonb",   "float8",
                                         "mood",      "timestamptz", "time",  "bigint",  "text[]"};
/* Columns of every table, by type. */
static const char *const columns[] = {"i", "n", "s", "b", "d", "ts", "sp", "a",
                                      "j", "f", "m", "z", "h", "l",  "w"};

const char query_types_sql[] = "create type mood as enum ('sad', 'ok', 'happy', 'Zen')";

static void expression(struct query_text *out, enum query_type type, int depth, const char *alias);

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
static const char *const reals[] = {"0",    "1.5", "-2.25", "1e10",  "0.1",
                                    "1e-7", "NaN", "7.25",  "1e300", "Infinity"};
static const char *const moods[] = {"sad", "ok", "happy", "Zen"};
static const char *const lists[] = {"{}", "{a,ab}", "{Abc,NULL}", "{10}", "{a,b,c}"};

static void
put_stamp(struct query_text *out, const char *type)
{
    uint32_t year = query_draw(30), month = query_draw(12) + 1, day = query_draw(28) + 1;

    query_put(out, "%s '20%02u-%02u-%02u %02u:%02u:%02u'", type, year, month, day, query_draw(24),
              query_draw(60), query_draw(3) == 0 ? query_draw(60) : 0);
}

static void
literal(struct query_text *out, enum query_type type)
{
    if (query_draw(12) == 0) {
        query_put(out, "null::%s", type_names[type]);
        return;
    }
    switch (type) {
    case INT:
        query_put(out, "%d", (int)query_draw(21) - 10);
        return;
    case LONG:
        query_put(out, "%d%s::bigint", (int)query_draw(2001) - 1000,
                  query_draw(4) == 0 ? "000000" : "");
        return;
    case NUM:
        query_put(out, "%d.%02u", (int)query_draw(41) - 20, query_draw(100));
        return;
    case REAL:
        query_put(out, "'%s'::float8", reals[query_draw(10)]);
        return;
    case TEXT:
        query_put(out, "'%s'::text", words[query_draw(10)]);
        return;
    case TEXTS:
        query_put(out, "'%s'::text[]", lists[query_draw(5)]);
        return;
    case MOOD:
        query_put(out, "'%s'::mood", moods[query_draw(4)]);
        return;
    case BOOL:
        query_put(out, "%s", query_draw(2) == 0 ? "true" : "false");
        return;
    case DATE:
        query_put(out, "date '20%02u-%02u-%02u'", query_draw(30), query_draw(12) + 1,
                  query_draw(28) + 1);
        return;
    case STAMP:
        put_stamp(out, "timestamp");
        return;
    case ZONED:
        put_stamp(out, "timestamptz");
        return;
    case HOUR:
        query_put(out, "time '%02u:%02u:%02u'", query_draw(24), query_draw(60), query_draw(60));
        return;
    case SPAN:
        query_put(out, "interval '%s'", spans[query_draw(5)]);
        return;
    case INTS:
        query_put(out, "array[%u,%u,%u]", query_draw(5), query_draw(5), query_draw(5));
        return;
    default:
        query_put(out, "'%s'::jsonb", documents[query_draw(7)]);
        return;
    }
}

/* Expressions. */

/* A letter that stands alone is an operand, outside quotes. */
static void
fill(struct query_text *out, const char *shape, int depth, const char *alias)
{
    bool quoted = false;

    for (const char *at = shape; *at != '\0'; at++) {
        const char *letter = strchr(letters, *at);

        quoted = quoted != (*at == '\'');
        if (letter != NULL && !quoted)
            expression(out, (enum query_type)(letter - letters), depth, alias);
        else
            query_put(out, "%c", *at);
    }
}

static void
expression(struct query_text *out, enum query_type type, int depth, const char *alias)
{
    if (depth > 0 && query_draw(4) != 0) {
        fill(out, query_shapes[type].shapes[query_draw((uint32_t)query_shapes[type].count)],
             depth - 1, alias);
        return;
    }
    if (query_draw(3) == 0)
        literal(out, type);
    else
        query_put(out, "%s.%s", alias, columns[type]);
}

/* Where one of equal values stays, or comes first, it has to look the same: 1.5 and 1.50 are equal, 1 day and
 * 24:00, {"a": 1} and {"a": 1.0}. */
static void
put_key(struct query_text *out, enum query_type type, int depth, const char *alias)
{
    query_put(out, type == NUM ? "trim_scale(" : type == SPAN ? "justify_interval(" : "(");
    expression(out, type, depth, alias);
    query_put(out, type == JSON ? ")::text || '.'" : ")");
}

static enum query_type
any_type(void)
{
    return (enum query_type)query_draw(TYPE_COUNT);
}

/* Queries. */

static const char *const join_kinds[] = {"join", "left join", "right join", "full join"};

/* Equal by one column, so that any join can be made of it. */
static void
put_join(struct query_text *out, const char *alias)
{
    static const enum query_type keys[] = {INT, TEXT, DATE, MOOD, BOOL, NUM};
    enum query_type key = keys[query_draw(query_draw(2) == 0 ? 1 : 6)];

    query_put(out, " %s t%u %s on x.%s = %s.%s", join_kinds[query_draw(4)], query_draw(3), alias,
              columns[key], alias, columns[key]);
}

static void
put_where(struct query_text *out, uint32_t one_in, const char *alias)
{
    if (query_draw(one_in) != 0)
        return;
    query_put(out, " where ");
    expression(out, BOOL, 3, alias);
}

/* A LIMIT needs an order over all that is shown. */
static void
put_order(struct query_text *out, uint32_t targets)
{
    query_put(out, " order by ");
    for (uint32_t i = 1; i <= targets; i++)
        query_put(out, "%s%u%s%s", i > 1 ? ", " : "", i, query_draw(3) == 0 ? " desc" : "",
                  query_draw(4) == 0   ? " nulls first"
                  : query_draw(4) == 0 ? " nulls last"
                                       : "");
    if (query_draw(2) == 0)
        query_put(out, " limit %u offset %u", query_draw(6) + 1, query_draw(4));
    else
        query_put(out, " offset %u fetch first %u rows only", query_draw(3), query_draw(5) + 1);
}

static void
query_plain(struct query_text *out)
{
    bool join = query_draw(3) == 0, third = join && query_draw(3) == 0;
    uint32_t targets = query_draw(3) + 1;

    bool distinct = query_draw(6) == 0, ordered = query_draw(4) == 0;

    query_put(out, "select %s", distinct ? "distinct " : "");
    for (uint32_t i = 0; i < targets; i++) {
        const char *alias = !join || query_draw(2) == 0   ? "x"
                            : third && query_draw(2) == 0 ? "q"
                                                          : "y";

        query_put(out, "%s", i > 0 ? ", " : "");
        if (distinct || ordered)
            put_key(out, any_type(), 3, alias);
        else
            expression(out, any_type(), 3, alias);
    }
    query_put(out, " from t%u x", query_draw(3));
    if (join)
        put_join(out, "y");
    if (third)
        put_join(out, "q");
    put_where(out, 2, "x");
    if (ordered)
        put_order(out, targets);
}

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
    "bit_and(I)",
    "sum(distinct N)",
    "avg(I)",
    "min(E)",
    "max(F)",
    "sum(L)",
    "avg(P)",
    "count(distinct T)",
    "every(B)",
    "max(Z)",
    "min(H)",
    "min(A)",
    "jsonb_agg(x.i order by x.i)",
    "json_agg(x.s order by x.s)::text",
    "string_agg(distinct x.s, '-' order by x.s)",
    "array_agg(x.m order by x.m desc)",
    "array_agg(distinct x.d order by x.d)",
    "percentile_disc(0.5) within group (order by x.n)",
    "percentile_cont(0.25) within group (order by x.i)",
    "mode() within group (order by x.s)",
    "count(*) filter (where B)",
    "sum(I) filter (where B)",
    "stddev_pop(I)",
    "variance(N)",
    "max(W)",
    "jsonb_object_agg(coalesce(x.s, 'none'), x.i order by x.s, x.i)",
};
enum { AGGREGATE_COUNT = sizeof(aggregates) / sizeof(aggregates[0]) };

static void
query_group(struct query_text *out)
{
    static const char *const sets[] = {"group by rollup (1, 2)", "group by cube (1, 2)",
                                       "group by grouping sets ((1), (2), ())", "group by 1, 2"};
    bool second = query_draw(4) == 0;

    enum query_type type = any_type();

    query_put(out, "select ");
    put_key(out, type, 1, "x");
    query_put(out, " as k, ");
    if (second) { /* Of another type: PostgreSQL takes equal keys of two positions for one. */
        put_key(out, (enum query_type)((type + 1 + query_draw(TYPE_COUNT - 1)) % TYPE_COUNT), 1,
                "x");
        query_put(out, " as k2, ");
    }
    uint32_t count = query_draw(2) + 1;
    for (uint32_t i = 0; i < count; i++) {
        query_put(out, "%s", i > 0 ? ", " : "");
        fill(out, aggregates[query_draw(AGGREGATE_COUNT)], 1, "x");
    }
    query_put(out, " from t%u x", query_draw(3));
    put_where(out, 4, "x");
    query_put(out, " %s", second ? sets[query_draw(4)] : "group by 1");
    if (query_draw(3) == 0)
        query_put(out, " having count(*) > 1");
}

/* One row over all. */
static void
query_total(struct query_text *out)
{
    query_put(out, "select ");
    for (uint32_t i = 0; i < 3; i++) {
        query_put(out, "%s", i > 0 ? ", " : "");
        fill(out, aggregates[query_draw(AGGREGATE_COUNT)], 1, "x");
    }
    query_put(out, " from t%u x", query_draw(3));
    put_where(out, 2, "x");
}

/* Frames of rows need the key of t0 as order; peers of RANGE and GROUPS do not. */
static void
query_window(struct query_text *out)
{
    static const char *const calls[] = {
        "row_number()",    "rank()",
        "dense_rank()",    "percent_rank()",
        "cume_dist()",     "ntile(3)",
        "lag(I)",          "lead(T, 2, 'none')",
        "first_value(T)",  "last_value(N)",
        "nth_value(D, 2)", "sum(I)",
        "count(*)",        "avg(N)",
        "min(T)",          "max(D)",
        "array_agg(I)",    "string_agg(T, ',')",
        "bool_or(B)",      "lag(N, 1, 0)",
        "sum(N)",          "count(T)",
        "max(P)",          "min(E)",
        "jsonb_agg(I)",    "sum(I) filter (where B)",
    };
    static const char *const frames[] = {
        "",
        "rows between unbounded preceding and current row",
        "rows between 1 preceding and 1 following",
        "rows between 2 following and 3 following",
        "rows 2 preceding",
        "groups between 1 preceding and current row",
        "range between unbounded preceding and unbounded following",
        "rows between unbounded preceding and unbounded following exclude current row",
        "groups between unbounded preceding and current row exclude ties",
        "range between 2 preceding and 2 following",
        "rows between current row and unbounded following exclude group",
    };
    static const char *const peers[] = {"rank()",   "dense_rank()", "count(*)", "sum(x.i)",
                                        "max(x.s)", "cume_dist()",  "min(x.d)", "avg(x.n)"};

    if (query_draw(3) == 0) {
        enum query_type key = any_type();

        query_put(out, "select x.i, x.s, %s over (", peers[query_draw(8)]);
        if (query_draw(2) == 0)
            query_put(out, "partition by x.%s ", columns[any_type()]);
        query_put(out, "order by ");
        expression(out, key, 1, "x");
        query_put(out, "%s) from t%u x", query_draw(2) == 0 ? " desc" : "", query_draw(3));
        put_where(out, 3, "x");
        return;
    }
    query_put(out, "select x.id, ");
    fill(out, calls[query_draw(26)], 1, "x");
    query_put(out, " over w from t0 x");
    put_where(out, 3, "x");
    query_put(out, " window w as (");
    if (query_draw(2) == 0) {
        query_put(out, "partition by ");
        expression(out, any_type(), 1, "x");
    }
    query_put(out, " order by x.id%s %s)", query_draw(3) == 0 ? " desc" : "",
              frames[query_draw(11)]);
}

static void
query_set(struct query_text *out)
{
    static const char *const kinds[] = {"union",         "union all",  "intersect",
                                        "intersect all", "except all", "except"};
    enum query_type type = any_type();

    query_put(out, "select ");
    put_key(out, type, 2, "x");
    query_put(out, " from t%u x %s select ", query_draw(3), kinds[query_draw(6)]);
    put_key(out, type, 2, "x");
    query_put(out, " from t%u x", query_draw(3));
    if (query_draw(3) == 0)
        put_order(out, 1);
}

static void
query_nested(struct query_text *out)
{
    query_put(out, "select x.i, ");
    expression(out, any_type(), 2, "x");
    query_put(out, " from t%u x where ", query_draw(3));
    switch (query_draw(5)) {
    case 0:
        query_put(out, "%sexists (select 1 from t%u y where y.i = x.i and ",
                  query_draw(2) == 0 ? "not " : "", query_draw(3));
        expression(out, BOOL, 2, "y");
        query_put(out, ")");
        return;
    case 1:
        query_put(out, "x.i %sin (select y.i from t%u y where ", query_draw(2) == 0 ? "not " : "",
                  query_draw(3));
        expression(out, BOOL, 2, "y");
        query_put(out, ")");
        return;
    case 2:
        query_put(out, "x.n %s %s (select y.n from t%u y where ",
                  query_draw(2) == 0 ? ">" : "<=", query_draw(2) == 0 ? "all" : "any",
                  query_draw(3));
        expression(out, BOOL, 2, "y");
        query_put(out, ")");
        return;
    case 3:
        query_put(out, "(x.i, x.s) in (select y.i, y.s from t%u y)", query_draw(3));
        return;
    default:
        query_put(out, "(select count(*) from t%u y where y.i < x.i) > %u", query_draw(3),
                  query_draw(4));
        return;
    }
}

/* Subqueries in FROM, WITH, LATERAL, VALUES, series. */
static void
query_from(struct query_text *out)
{
    enum query_type type = any_type();

    switch (query_draw(7)) {
    case 0:
        query_put(out, "with c as (select x.i as k, ");
        expression(out, type, 2, "x");
        query_put(out, " as v from t%u x) select c.k, c.v, x.s from c join t%u x on x.i = c.k",
                  query_draw(3), query_draw(3));
        return;
    case 1:
        query_put(out, "select x.i, y.v from t%u x %s join lateral (select ", query_draw(3),
                  query_draw(2) == 0 ? "left" : "inner");
        expression(out, type, 2, "x");
        query_put(out, " as v from t%u q where q.i = x.i) y on true", query_draw(3));
        return;
    case 2:
        query_put(out, "select x.i, u from t%u x, unnest(x.%s) u", query_draw(3),
                  query_draw(2) == 0 ? "a" : "w");
        put_where(out, 2, "x");
        return;
    case 3:
        query_put(out, "select g, x.s from generate_series(%u, %u%s) g left join t%u x on x.i = g",
                  query_draw(3), query_draw(6), query_draw(3) == 0 ? ", 2" : "", query_draw(3));
        return;
    case 4:
        query_put(out,
                  "select g::date, count(x.d) from generate_series(timestamp '2001-01-30', "
                  "timestamp '2001-06-30', interval '1 month') g left join t%u x on x.d < g "
                  "group by 1",
                  query_draw(3));
        return;
    case 5:
        query_put(out, "select v.a, v.b, x.%s from (values (", columns[any_type()]);
        literal(out, INT);
        query_put(out, ", ");
        literal(out, type);
        query_put(out, "), (2, null)) v (a, b) left join t%u x on x.i = v.a", query_draw(3));
        return;
    default:
        query_put(out,
                  "with recursive r (k, d) as (select x.i, 0 from t%u x where x.i > 0 union "
                  "select k - 1, d + 1 from r where k > 0 and d < %u) select * from r",
                  query_draw(3), query_draw(5));
        return;
    }
}

void
query_make(struct query_text *out)
{
    uint32_t kind = query_draw(12);

    out->size = 0;
    if (kind < 4)
        query_plain(out);
    else if (kind < 6)
        query_group(out);
    else if (kind < 7)
        query_set(out);
    else if (kind < 8)
        query_nested(out);
    else if (kind < 10)
        query_window(out);
    else if (kind < 11)
        query_from(out);
    else
        query_total(out);
}

void
query_make_condition(struct query_text *out)
{
    out->size = 0;
    expression(out, BOOL, 3, "x");
}

/* Tables. */

void
query_make_table(struct query_text *out, uint32_t table)
{
    out->size = 0;
    query_put(out, "create table t%u (%s", table, table == 0 ? "id int primary key, " : "");
    for (int type = 0; type < TYPE_COUNT; type++)
        query_put(out, "%s%s %s", type > 0 ? ", " : "", columns[type], type_names[type]);
    query_put(out, ")");
}

void
query_make_row(struct query_text *out, uint32_t table, uint32_t row)
{
    out->size = 0;
    query_put(out, "insert into t%u values (", table);
    if (table == 0)
        query_put(out, "%u, ", row);
    for (int type = 0; type < TYPE_COUNT; type++) {
        query_put(out, "%s", type > 0 ? ", " : "");
        literal(out, (enum query_type)type);
    }
    query_put(out, ")");
}
