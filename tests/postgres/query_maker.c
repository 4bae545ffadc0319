/*
 * Random queries (query_maker.h): typed expressions from tables of shapes, and a function a kind of query.
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

enum type {
    INT,
    NUM,
    TEXT,
    BOOL,
    DATE,
    STAMP,
    SPAN,
    INTS,
    JSON,
    REAL,
    MOOD,
    ZONED,
    HOUR,
    LONG,
    TEXTS,
    TYPE_COUNT
};

static const char letters[] = "INTBDSPAJFEZHLW";
static const char *const type_names[] = {"int",       "numeric",     "text",  "boolean", "date",
                                         "timestamp", "interval",    "int[]", "jsonb",   "float8",
                                         "mood",      "timestamptz", "time",  "bigint",  "text[]"};
/* Columns of every table, by type. */
static const char *const columns[] = {"i", "n", "s", "b", "d", "ts", "sp", "a",
                                      "j", "f", "m", "z", "h", "l",  "w"};

const char query_types_sql[] = "create type mood as enum ('sad', 'ok', 'happy', 'Zen')";

static void expression(struct query_text *out, enum type type, int depth, const char *alias);

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
literal(struct query_text *out, enum type type)
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

static const char *const int_shapes[] = {
    "(I + I)",
    "(I - I)",
    "(I * I)",
    "(I / I)",
    "(I % I)",
    "abs(I)",
    "length(T)",
    "coalesce(I, I)",
    "case when B then I else I end",
    "greatest(I, I)",
    "(D - D)",
    "array_length(A, 1)",
    "(A)[I]",
    "nullif(I, I)",
    "cardinality(A)",
    "(I & I)",
    "(I | I)",
    "(I # I)",
    "(~ I)",
    "(I << 2)",
    "(I >> 1)",
    "mod(I, 7)",
    "div(I, 3)::int",
    "gcd(I, I)",
    "lcm(I % 50, I % 50)",
    "strpos(T, T)",
    "position('a' in T)",
    "ascii(T)",
    "octet_length(T)",
    "bit_length(T)",
    "sign(N)::int",
    "array_position(A, I)",
    "array_ndims(A)",
    "array_upper(A, 1)",
    "array_lower(A, 1)",
    "case I when 1 then I when I then 2 end",
    "least(I, I, I)",
    "extract(day from D)::int",
    "extract(minute from H)::int",
    "jsonb_array_length('[1, 2]'::jsonb || J)",
    "width_bucket(N, -10, 10, 5)",
    "(select max(v) from unnest(A) v)",
    "cardinality(W)",
    "array_length(string_to_array(T, 'b'), 1)",
    "B::int",
    "num_nulls(I, T, B)",
    "num_nonnulls(N, D)",
    "(L % 1000)::int",
    "regexp_count(T, 'a|b')",
    "char_length(T)",
};
static const char *const num_shapes[] = {
    "(N + N)",
    "(N - N)",
    "(N * N)",
    "(N / N)",
    "(N % N)",
    "round(N, 1)",
    "floor(N)",
    "ceil(N)",
    "abs(N)",
    "least(N, N)",
    "I::numeric",
    "extract(year from S)",
    "extract(epoch from P)",
    "trunc(N)",
    "sign(N)",
    "extract(dow from D)",
    "extract(doy from D)",
    "extract(week from D)",
    "extract(isodow from S)",
    "extract(isoyear from D)",
    "extract(quarter from S)",
    "extract(epoch from S)",
    "extract(julian from D)",
    "extract(hour from Z)",
    "extract(second from H)",
    "extract(month from P)",
    "extract(decade from D)",
    "extract(century from S)",
    "extract(milliseconds from H)",
    "trunc(N, I % 4)",
    "round(N, I % 4)",
    "sqrt(abs(N))",
    "exp(N / 10)",
    "ln(abs(N) + 1)",
    "log(abs(N) + 1)",
    "power(abs(N) + 1, I % 4)",
    "mod(N, 7.5)",
    "div(N, 3)",
    "(- N)",
    "coalesce(N, I)",
    "case when B then N else I end",
    "L::numeric",
    "scale(N)::numeric",
    "N::numeric(6, 1)",
    "(N ^ 2)",
    "to_number('12.5', '99.9')",
    "nullif(N, N)",
    "greatest(N, I, L)",
    "min_scale(N)::numeric",
    "trim_scale(N)",
};
static const char *const text_shapes[] = {
    "(T || T)",
    "upper(T)",
    "lower(T)",
    "substr(T, I)",
    "left(T, I)",
    "replace(T, T, T)",
    "I::text",
    "N::text",
    "coalesce(T, T)",
    "btrim(T)",
    "regexp_replace(T, '[a-b]+', 'z')",
    "to_char(S, 'YYYY-MM-DD HH24:MI')",
    "(J ->> 'a')",
    "split_part(T, 'b', 1)",
    "array_to_string(A, ',')",
    "initcap(T)",
    "right(T, I)",
    "lpad(T, I % 9, 'xy')",
    "rpad(T, I % 9, '-')",
    "repeat(T, I % 4)",
    "reverse(T)",
    "ltrim(T, 'a ')",
    "rtrim(T, 'c ')",
    "translate(T, 'abc', 'xy')",
    "overlay(T placing 'ZZ' from 2 for 1)",
    "substring(T from 2 for 2)",
    "substring(T from 'b.?')",
    "md5(T)",
    "to_hex(abs(I))",
    "chr(65 + abs(I % 20))",
    "concat(T, I, B)",
    "concat_ws('-', T, N, T)",
    "quote_literal(T)",
    "quote_ident(T)",
    "quote_nullable(T)",
    "format('%s|%L|%5s', T, T, I)",
    "encode(convert_to(T, 'UTF8'), 'hex')",
    "D::text",
    "S::text",
    "P::text",
    "J::text",
    "A::text",
    "B::text",
    "F::text",
    "E::text",
    "H::text",
    "Z::text",
    "W::text",
    "to_char(D, 'Day, DD Mon YYYY')",
    "to_char(S, 'FMHH12:MI:SS am IYYY-IW')",
    "to_char(N, 'FM9990.00')",
    "to_char(I, '0000')",
    "to_char(P, 'DD HH24:MI')",
    "to_char(N, 'S999D9')",
    "jsonb_typeof(J)",
    "(J #>> '{a,b}')",
    "(J ->> 0)",
    "(W)[1]",
    "array_to_string(W, '+', '?')",
    "case when B then T else T end",
    "nullif(T, T)",
    "greatest(T, T)",
    "(select string_agg(v, '/' order by v) from unnest(W) v)",
    "regexp_replace(T, '(.)b', '\\1<\\1>', 'g')",
    "(regexp_match(T, 'a(.?)'))[1]",
    "regexp_substr(T, 'b.*')",
    "sha256(convert_to(T, 'UTF8'))::text",
    "left(T, 3)::varchar(2)",
    "T::varchar(3)",
    "split_part(T, 'a', -1)",
    "lower(T) || upper(T)",
    "pg_typeof(J)::text",
    "pg_typeof(N)::text",
    "jsonb_pretty(J)",
    "to_json(T)::text",
    "array_to_json(A)::text",
};
static const char *const bool_shapes[] = {
    "(I < I)",
    "(N >= N)",
    "(T = T)",
    "(B and B)",
    "(B or B)",
    "(not B)",
    "(T like 'a%')",
    "(I in (1, 2, I))",
    "(I between I and I)",
    "(D > D)",
    "(P < P)",
    "(I = any(A))",
    "(J @> J)",
    "(T ~ 'a.?c')",
    "(T is null)",
    "(I is distinct from I)",
    "(I > all(A))",
    "(T ilike '%B%')",
    "(T similar to '(a|b)%')",
    "(T not like '_b%')",
    "(T !~* '^A')",
    "(A @> A)",
    "(A <@ A)",
    "(A && A)",
    "(A = A)",
    "(A < A)",
    "(J ? 'a')",
    "(J <@ J)",
    "(J = J)",
    "(J < J)",
    "(B is true)",
    "(B is not false)",
    "(B is unknown)",
    "((I, N) < (I, N))",
    "((I, T) = (I, T))",
    "(I not in (3, I))",
    "(N between symmetric N and N)",
    "(S <= S)",
    "(Z > Z)",
    "(S < D)",
    "(H < H)",
    "(E > E)",
    "(E in ('sad', 'Zen'))",
    "(E = any(enum_range('ok'::mood, null)))",
    "(F <> F)",
    "(F < N)",
    "(L >= I)",
    "starts_with(T, 'a')",
    "((S, P) overlaps (S, P))",
    "(T is not distinct from T)",
    "(I not between I and 3)",
    "(W @> array['a'])",
    "(T = any(W))",
    "isfinite(S)",
    "(B = B)",
    "(T <= T)",
    "(exists (select 1 from unnest(A) v where v > I))",
    "(I in (select unnest(A)))",
    "(D = S)",
    "((I is null) = (N is null))",
    "(J @> '{\"a\": 1}')",
    "(T ~~ 'a\\_c')",
    "coalesce(B, B, false)",
    "(row(I, N) is null)",
    "(row(I, T) is distinct from row(I, T))",
};
static const char *const date_shapes[] = {
    "(D + I)",
    "(D - I)",
    "greatest(D, D)",
    "S::date",
    "coalesce(D, D)",
    "case when B then D else D end",
    "make_date(2020, 5, 17)",
    "nullif(D, D)",
    "(D + 1)",
    "least(D, D)",
    "Z::date",
    "to_date('2024-02-29', 'YYYY-MM-DD')",
    "date_trunc('week', S)::date",
    "(D + P)::date",
    "make_date(2000 + abs(I), 1 + abs(I % 12), 28)",
    "to_date('17 Mar 2021', 'DD Mon YYYY')",
};
static const char *const stamp_shapes[] = {
    "(S + P)",
    "(S - P)",
    "date_trunc('month', S)",
    "date_trunc('day', S)",
    "(D + P)",
    "D::timestamp",
    "greatest(S, S)",
    "coalesce(S, S)",
    "date_trunc('hour', S)",
    "(D + H)",
    "date_trunc('quarter', S)",
    "date_trunc('week', S)",
    "date_trunc('decade', S)",
    "date_bin('15 minutes', S, timestamp '2001-01-01')",
    "make_timestamp(2020, 2, 29, 1, 2, 3.5)",
    "Z::timestamp",
    "(Z at time zone 'UTC')",
    "case when B then S else S end",
    "nullif(S, S)",
    "to_timestamp('2021-03-04 05:06', 'YYYY-MM-DD HH24:MI')::timestamp",
    "S::timestamp(0)",
    "(D - P)",
    "(Z at time zone interval '2 hours')",
};
static const char *const span_shapes[] = {
    "(P + P)",
    "(P - P)",
    "(S - S)",
    "(P * I)",
    "age(S, S)",
    "justify_days(P)",
    "justify_hours(P)",
    "(- P)",
    "make_interval(I, I)",
    "coalesce(P, P)",
    "justify_interval(P)",
    "(P / 2)",
    "(P * 1.5)",
    "age(D, D)",
    "(H - H)",
    "H::interval",
    "make_interval(days => I, hours => I)",
    "date_trunc('hour', P)",
    "(Z - Z)",
    "greatest(P, P)",
    "make_interval(0, I, 1, I)",
};
static const char *const ints_shapes[] = {
    "(A || A)",
    "(A || I)",
    "array_append(A, I)",
    "array_remove(A, I)",
    "array[I, I]",
    "(A)[1:2]",
    "coalesce(A, A)",
    "array_replace(A, I, I)",
    "array_prepend(I, A)",
    "array_cat(A, A)",
    "(A)[2:]",
    "(I || A)",
    "trim_array((array[1, 2, 3] || A), 2)",
    "array_positions(A, I)",
    "array_fill(I, array[2])",
    "array(select v + 1 from unnest(A) v order by v)",
    "string_to_array('1,2', ',')::int[]",
    "case when B then A else A end",
    "array[[I, 1], [2, I]]",
};
static const char *const json_shapes[] = {
    "(J -> 'a')",
    "(J -> 0)",
    "to_jsonb(I)",
    "to_jsonb(T)",
    "jsonb_build_object('k', I, 'l', T)",
    "jsonb_build_array(N, B)",
    "to_jsonb(A)",
    "(J #> '{a,b}')",
    "coalesce(J, J)",
    "to_jsonb(D)",
    "(jsonb_build_array(I) || J)",
    "(J || jsonb_build_object('z', T))",
    "jsonb_set('{\"a\": 1}', '{b}', to_jsonb(I))",
    "jsonb_strip_nulls(jsonb_build_object('n', I, 't', T))",
    "('{\"a\": 1, \"b\": 2}'::jsonb - T)",
    "('[1, 2, 3]'::jsonb - (I % 5))",
    "('{\"a\": {\"b\": [1, 2]}}'::jsonb #- '{a,b,0}')",
    "jsonb_insert('[1, 2]', '{1}', to_jsonb(N))",
    "to_jsonb(S)",
    "to_jsonb(W)",
    "to_jsonb(E)",
    "to_jsonb(F)",
    "to_jsonb(B)",
    "jsonb_object(W || W)",
    "jsonb_extract_path(J, 'a', 'b')",
    "(select jsonb_agg(v order by v) from unnest(A) v)",
    "(select jsonb_object_agg('k' || v, v order by v) from unnest(A) v)",
    "json_build_object('x', D, 'y', N)::jsonb",
    "to_jsonb(L)",
    "to_jsonb(N)",
};
static const char *const real_shapes[] = {
    "(F + 1)",
    "(0 - F)",
    "abs(F)",
    "N::float8",
    "I::float8",
    "greatest(F, F)",
    "coalesce(F, F)",
    "round(N::float8)",
    "floor(N::float8)",
    "ceil(N::float8)",
    "trunc(N::float8)",
    "sqrt(abs(N::float8))",
    "cbrt(N::float8)",
    "degrees(N::float8)",
    "radians(N::float8)",
    "case when B then F else F end",
    "extract(epoch from S)::float8",
    "date_part('hour', S)",
    "date_part('day', P)",
    "pi()",
    "(N::float8 * 1.5)",
    "(N::float8 / 3)",
    "nullif(F, F)",
    "sign(N::float8)",
    "N::float4::float8",
    "sin(I::float8)",
    "exp(I::float8 / 10)",
};
static const char *const mood_shapes[] = {
    "greatest(E, E)",      "least(E, E)",  "coalesce(E, E)", "case when B then E else E end",
    "nullif(E, E)",        "enum_last(E)", "enum_first(E)",  "(enum_range(E))[1 + abs(I % 4)]",
    "('sa' || 'd')::mood",
};
static const char *const zoned_shapes[] = {
    "(Z + P)",
    "(Z - P)",
    "date_trunc('day', Z)",
    "S::timestamptz",
    "D::timestamptz",
    "greatest(Z, Z)",
    "(S at time zone 'UTC')",
    "(S at time zone interval '-3 hours')",
    "to_timestamp(I * 100000)",
    "coalesce(Z, Z)",
    "make_timestamptz(2020, 5, 6, 7, 8, 9.5)",
    "date_trunc('month', Z)",
    "(S at time zone '+02')",
};
static const char *const hour_shapes[] = {
    "(H + P)",
    "(H - P)",
    "S::time",
    "greatest(H, H)",
    "Z::time",
    "coalesce(H, H)",
    "make_time(1, 2, 3.5)",
    "P::time",
};
static const char *const long_shapes[] = {
    "(L + I)",  "(L - L)",          "(L * 3)",        "(L / 7)",        "(L % 11)",
    "abs(L)",   "I::bigint",        "greatest(L, I)", "coalesce(L, I)", "(L & 255)",
    "(L << 3)", "round(N)::bigint", "count_of(I)",
};
static const char *const texts_shapes[] = {
    "(W || W)",
    "(W || T)",
    "array_append(W, T)",
    "array_remove(W, 'a')",
    "string_to_array(T, 'b')",
    "array[T, T]",
    "(W)[1:2]",
    "coalesce(W, W)",
    "array_replace(W, 'a', T)",
    "regexp_split_to_array(T, 'b')",
    "regexp_match(T, '(a)(.)')",
    "A::text[]",
    "string_to_array(T, null)",
    "array(select v from unnest(W) v order by v desc nulls last)",
};

#define SHAPES(table)                           \
    {                                           \
        table, sizeof(table) / sizeof(table[0]) \
    }
static const struct {
    const char *const *shapes;
    size_t count;
} shapes[TYPE_COUNT] = {
    SHAPES(int_shapes),  SHAPES(num_shapes),   SHAPES(text_shapes),  SHAPES(bool_shapes),
    SHAPES(date_shapes), SHAPES(stamp_shapes), SHAPES(span_shapes),  SHAPES(ints_shapes),
    SHAPES(json_shapes), SHAPES(real_shapes),  SHAPES(mood_shapes),  SHAPES(zoned_shapes),
    SHAPES(hour_shapes), SHAPES(long_shapes),  SHAPES(texts_shapes),
};

/* A letter that stands alone is an operand, outside quotes. */
static void
fill(struct query_text *out, const char *shape, int depth, const char *alias)
{
    bool quoted = false;

    for (const char *at = shape; *at != '\0'; at++) {
        const char *letter = strchr(letters, *at);

        quoted = quoted != (*at == '\'');
        if (letter != NULL && !quoted)
            expression(out, (enum type)(letter - letters), depth, alias);
        else
            query_put(out, "%c", *at);
    }
}

static void
expression(struct query_text *out, enum type type, int depth, const char *alias)
{
    if (depth > 0 && query_draw(4) != 0) {
        fill(out, shapes[type].shapes[query_draw((uint32_t)shapes[type].count)], depth - 1, alias);
        return;
    }
    if (query_draw(3) == 0)
        literal(out, type);
    else
        query_put(out, "%s.%s", alias, columns[type]);
}

static enum type
any_type(void)
{
    return (enum type)query_draw(TYPE_COUNT);
}

/* Queries. */

static const char *const join_kinds[] = {"join", "left join", "right join", "full join"};

/* Equal by one column, so that any join can be made of it. */
static void
put_join(struct query_text *out, const char *alias)
{
    static const enum type keys[] = {INT, TEXT, DATE, MOOD, BOOL, NUM};
    enum type key = keys[query_draw(query_draw(2) == 0 ? 1 : 6)];

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
        query_put(out, " limit %u offset %u", query_draw(6), query_draw(4));
    else
        query_put(out, " offset %u fetch first %u rows only", query_draw(3), query_draw(5));
}

static void
query_plain(struct query_text *out)
{
    bool join = query_draw(3) == 0, third = join && query_draw(3) == 0;
    uint32_t targets = query_draw(3) + 1;

    query_put(out, "select %s", query_draw(6) == 0 ? "distinct " : "");
    for (uint32_t i = 0; i < targets; i++) {
        query_put(out, "%s", i > 0 ? ", " : "");
        expression(out, any_type(), 3,
                   !join || query_draw(2) == 0   ? "x"
                   : third && query_draw(2) == 0 ? "q"
                                                 : "y");
    }
    query_put(out, " from t%u x", query_draw(3));
    if (join)
        put_join(out, "y");
    if (third)
        put_join(out, "q");
    put_where(out, 2, "x");
    if (query_draw(4) == 0)
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

    query_put(out, "select ");
    expression(out, any_type(), 1, "x");
    query_put(out, " as k, ");
    if (second) {
        expression(out, any_type(), 1, "x");
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
        enum type key = any_type();

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
    enum type type = any_type();

    query_put(out, "select ");
    expression(out, type, 2, "x");
    query_put(out, " from t%u x %s select ", query_draw(3), kinds[query_draw(6)]);
    expression(out, type, 2, "x");
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
    enum type type = any_type();

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
        literal(out, (enum type)type);
    }
    query_put(out, ")");
}
