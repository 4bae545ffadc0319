/*
 * Goal: sorts, groups and joins that do not fit in their memory limit give the same rows through
 * temporary files, stay near the limit, leave no file behind, and fail cleanly when memory or the disk
 * does.
 * Method: a database on a simulated disk. Each query runs with the limit far above and far below what
 * it needs, and its rows are compared by a checksum over their order; then with every allocation and
 * every I/O refused in turn.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "kernel/base/checksum.h"
#include "tests/support/db_rig.h"

enum { SMALL_LIMIT = 64 * 1024, ROWS = 6000 };

static struct db_rig rig;
static struct qtdb_session *session;

struct answer {
    uint64_t checksum;
    uint64_t count;
    char first[200];
};

static void
run(const char *sql)
{
    cr_assert_eq(qtdb_exec(session, sql, NULL, NULL), QTDB_OK, "%s: %s", sql,
                 qtdb_error_last()->message);
}

static void
setup(void)
{
    char sql[400];

    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    run("create table t (id int primary key, k int, n numeric, s text, f float8)");
    for (int first = 1; first < ROWS; first += 1000) {
        snprintf(
            sql, sizeof(sql),
            "insert into t select g, (g * 7919) %% 1000, ((g * 10473) %% 10007) / 7.0, case "
            "when g %% 11 = 0 then null else 'text ' || (g * 31) %% 5003 end, (g %% 100) * 0.5 "
            "from generate_series(%d, %d) g",
            first, first + 999);
        run(sql);
    }
    cr_assert_eq(qtdb_checkpoint(rig.db), QTDB_OK);
}

static void
teardown(void)
{
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}

TestSuite(sql_spill, .init = setup, .fini = teardown);

static bool
add_row(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct answer *answer = context;

    (void)names;
    for (uint32_t i = 0; i < count; i++) {
        const char *text = values[i] != NULL ? values[i] : "NULL";

        answer->checksum = checksum64(text, strlen(text) + 1, answer->checksum);
        if (answer->count == 0)
            snprintf(answer->first + strlen(answer->first),
                     sizeof(answer->first) - strlen(answer->first), "%s|", text);
    }
    answer->count++;
    return true;
}

static struct answer
answer_of(const char *sql, size_t limit)
{
    struct answer answer = {.count = 0};

    session_set_work_limit(session, limit);
    cr_assert_eq(qtdb_exec(session, sql, add_row, &answer), QTDB_OK, "%s: %s", sql,
                 qtdb_error_last()->message);
    session_set_work_limit(session, 0);
    return answer;
}

static bool
find_line(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    uint64_t *disk = context;
    const char *place = count == 1 ? strstr(values[0], "Disk: ") : NULL;
    unsigned long long size = 0;

    (void)names;
    if (place != NULL && sscanf(place, "Disk: %llukB", &size) == 1)
        *disk += size;
    return true;
}

/* Kilobytes that EXPLAIN ANALYZE says were written to temporary files. */
static uint64_t
spilled(const char *sql, size_t limit)
{
    char text[1000];
    uint64_t disk = 0;

    snprintf(text, sizeof(text), "explain (analyze, timing off) %s", sql);
    session_set_work_limit(session, limit);
    cr_assert_eq(qtdb_exec(session, text, find_line, &disk), QTDB_OK, "%s: %s", text,
                 qtdb_error_last()->message);
    session_set_work_limit(session, 0);
    return disk;
}

static bool
find_merge(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    static bool is_merge;
    unsigned long long size = 0;
    const char *place = strstr(values[0], "Disk: ");

    (void)count;
    (void)names;
    if (strstr(values[0], "(actual") != NULL)
        is_merge = strstr(values[0], "Merge ") != NULL;
    if (is_merge && place != NULL && sscanf(place, "Disk: %llukB", &size) == 1)
        *(uint64_t *)context += size;
    return true;
}

/* The same of its merge joins alone. */
static uint64_t
spilled_by_merge(const char *sql, size_t limit)
{
    char text[1000];
    uint64_t disk = 0;

    snprintf(text, sizeof(text), "explain (analyze, timing off) %s", sql);
    session_set_work_limit(session, limit);
    cr_assert_eq(qtdb_exec(session, text, find_merge, &disk), QTDB_OK, "%s: %s", text,
                 qtdb_error_last()->message);
    session_set_work_limit(session, 0);
    return disk;
}

/* Sorted, so that the order of groups and pairs does not show. */
static const char *const queries[] = {
    "select * from t order by s, id desc",
    "select id, s from t order by n desc nulls last, f, id",
    "select s from t order by s nulls first",
    "select * from (select s, count(*) c, sum(n) v, min(f) m from t group by s) g order by s, c",
    "select * from (select k, s, count(*) c, grouping(k) x, grouping(s) y, string_agg(s, ',' order "
    "by id) w from t group by grouping sets ((k, s), (k), ())) g order by k, s, x, y",
    "select a.id, b.id, b.s from t a join t b on a.k = b.k and a.f = b.f order by a.id, b.id",
    "select a.id, b.id from t a left join (select id, s from t where f > 10) b on a.s = b.s and "
    "a.id < b.id order by 1, 2",
    "select a.id, b.id from (select id, s from t where k < 700) a full join (select id, s from t "
    "where k > 300) b on a.s = b.s and a.id % 2 = b.id % 2 order by 1, 2",
    "select count(*) from (select id, rank() over (order by s) r from t) w where r > 100",
    "with w as (select id, s, n from t where k < 900) select a.id, a.s, b.n from w a, w b where "
    "a.id = b.id order by a.id",
};

/* covers: E7 */
Test(sql_spill, rows_are_the_same_with_and_without_files)
{
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct answer large = answer_of(queries[i], 0), small = answer_of(queries[i], SMALL_LIMIT);

        cr_assert_gt(large.count, 0, "%s", queries[i]);
        cr_assert_eq(small.count, large.count, "%s: %llu rows, not %llu", queries[i],
                     (unsigned long long)small.count, (unsigned long long)large.count);
        cr_assert_str_eq(small.first, large.first, "%s", queries[i]);
        cr_assert_eq(small.checksum, large.checksum, "%s", queries[i]);
        cr_assert_eq(spilled(queries[i], 0), 0, "%s", queries[i]);
        cr_assert_gt(spilled(queries[i], SMALL_LIMIT), 0, "%s", queries[i]);
    }
}

/* One key for all rows, so that a group of right rows is gone over again for each left one; then with pairs that do
 * not meet, which FULL has to remember of each. */
static const char *const merged[] = {
    "select sum(a.id), sum(length(b.s)), count(*) from (select id, id - id x from t where id <= "
    "30) a left join "
    "(select id - id y, s from t) b on x = y",
    "select a.id, b.id, b.s from (select id, k % 3 x from t where id % 100 = 0) a left join "
    "(select k % 3 y, id, s "
    "from t where k < 900) b on x = y and a.id - b.id = 0 order by 1, 2",
    "select a.id, b.id, b.s from (select id, k % 3 x from t where id % 200 = 0) a full join "
    "(select k % 3 y, id, s "
    "from t where k < 900) b on x = y and a.id - b.id * 3 = 0 order by 1, 2",
    "select a.id from (select id, k % 2 x from t where id % 50 = 0) a where exists (select 1 from "
    "(select k % 2 y, id, "
    "s from t) b where x = y and b.id - a.id = 5900 and b.s > '') order by 1",
    "select a.id from (select id, k % 2 x from t where id % 50 = 0) a where not exists (select 1 "
    "from (select k % 2 y, "
    "id, s from t) b where x = y and b.id - a.id = 2000 and b.s > '') order by 1",
    "select g, (select count(b.s) from (select id - id x from t where id < g) a left join (select "
    "id - id y, s from t) "
    "b on x = y) from generate_series(1, 3) g",
};

/* covers: E7 */
Test(sql_spill, groups_of_a_merge_join_spill)
{
    run("set enable_nestloop = off");
    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++) {
        run("reset enable_hashjoin");
        struct answer hashed = answer_of(merged[i], 0);
        run("set enable_hashjoin = off");
        struct answer large = answer_of(merged[i], 0), small = answer_of(merged[i], SMALL_LIMIT);

        cr_assert_gt(large.count, 0, "%s", merged[i]);
        cr_assert_eq(large.checksum, hashed.checksum, "%s: %s, not %s", merged[i], large.first,
                     hashed.first);
        cr_assert_eq(small.checksum, large.checksum, "%s: %s, not %s", merged[i], small.first,
                     large.first);
        cr_assert_gt(spilled_by_merge(merged[i], SMALL_LIMIT), 0, "%s", merged[i]);
        cr_assert_eq(spilled_by_merge(merged[i], 0), 0, "%s", merged[i]);
    }
}

/* SET work_mem is the same limit, and is taken back by COMMIT after SET LOCAL, ROLLBACK and RESET. */
Test(sql_spill, work_mem_is_what_a_sort_holds)
{
    static const struct {
        const char *sql;
        bool spills;
    } steps[] = {
        {"set work_mem = 64", true},
        {"begin; set local work_mem = '1GB'", false},
        {"commit", true},
        {"begin; set work_mem to '64MB'", false},
        {"rollback", true},
        {"reset work_mem", false},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        cr_assert_eq(qtdb_exec(session, steps[i].sql, NULL, NULL), QTDB_OK);
        cr_assert_eq(spilled(queries[0], 0) > 0, steps[i].spills, "%s", steps[i].sql);
    }
}

/* More runs than are merged at once, so that merged runs are merged again. */
Test(sql_spill, many_runs_are_merged_in_levels)
{
    const char *sql =
        "select id, k from (select a.id, b.k from t a, (select k from t where id <= 40) "
        "b) c order by k desc, id";
    struct answer large = answer_of(sql, 0), small = answer_of(sql, 48 * 1024);

    cr_assert_eq(large.count, 40 * ROWS);
    cr_assert_eq(small.checksum, large.checksum);
}

/* A subquery that is run again for each row reads its runs, groups and partitions from the start. */
Test(sql_spill, rescans_begin_anew)
{
    static const char *const rescanned[] = {
        "select g, (select max(x) from (select s x from t where id % 10 = g order by s, n) y) from "
        "generate_series(0, 4) g",
        "select g, x from generate_series(1, 3) g, lateral (select s x from t where id > g order "
        "by s "
        "desc nulls last offset 3000 limit 2) y order by g, x",
        "select g, (select count(*) from (select s, count(*) from t where id > g group by s) y) "
        "from generate_series(1, 3) g",
        "select g, (select count(*) from t a join t b on a.s = b.s where a.id > g) from "
        "generate_series(1, 3) g",
        "with w as (select id, s from t) select g, (select count(*) from w where w.id % g = 1), "
        "(select s from w offset 5000 limit 1) from generate_series(2, 5) g",
        "select g, y.k from generate_series(1, 2) g join lateral (select k from t order by k, id) "
        "y "
        "on y.k = g order by 1, 2",
    };

    for (size_t i = 0; i < sizeof(rescanned) / sizeof(rescanned[0]); i++) {
        struct answer large = answer_of(rescanned[i], 0);
        struct answer small = answer_of(rescanned[i], SMALL_LIMIT);

        cr_assert_eq(small.count, large.count, "%s", rescanned[i]);
        cr_assert_eq(small.checksum, large.checksum, "%s: %s, not %s", rescanned[i], small.first,
                     large.first);
    }
}

Test(sql_spill, first_rows_need_no_file)
{
    struct answer all = answer_of("select id, s from t order by s, id limit 5", 0);
    struct answer small = answer_of("select id, s from t order by s, id limit 5", SMALL_LIMIT);

    cr_assert_eq(all.checksum, small.checksum);
    cr_assert_eq(spilled("select id from t order by s, id limit 5", SMALL_LIMIT), 0);
    all = answer_of(
        "select id from (select id, s from t order by s, id offset 0) x limit 7 offset 50", 0);
    small = answer_of("select id from t order by s, id limit 7 offset 50", SMALL_LIMIT);
    cr_assert_eq(all.checksum, small.checksum);
}

static void
list_name(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    if (strstr(name, ".temp-") != NULL)
        ++*(uint64_t *)context;
}

static void
no_file_is_left(void)
{
    uint64_t count = 0;

    cr_assert_eq(io_list(rig.io, "/", list_name, &count), STATUS_OK);
    cr_assert_eq(count, 0);
}

static const char *const faulty[] = {
    /* A merge join, whose group goes to a file. */
    ("select sum(b.id), count(*) from (select id, k % 2 x, s from t where id <= 300) a full join "
     "(select k % 2 y, "
     "id, s from t where id <= 2400) b on x = y and a.id > b.id"),
    "select id from t where id <= 1200 order by s, id",
    "select s, sum(n) from t where id <= 1200 group by s",
    "select count(*) from t a full join t b on a.s = b.s and a.id = b.id where a.id <= 1200",
    ("with w as (select s, n, k from t where id <= 3600) select count(*), (select max(s) from w) "
     "from w"),
};

static void
choose_join(size_t query)
{
    run(query == 0 ? "set enable_hashjoin = off" : "set enable_hashjoin = on");
}

/* covers: E4 */
Test(sql_spill, survives_every_refused_allocation)
{
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        choose_join(i);
        struct answer whole = answer_of(faulty[i], SMALL_LIMIT);
        bool failed = true;

        session_set_work_limit(session, SMALL_LIMIT);
        for (uint64_t index = 0; failed; index += 1 + index / 12) {
            struct answer answer = {.count = 0};

            memory_fail_at(rig.memory, index, false);
            enum qtdb_code code = qtdb_exec(session, faulty[i], add_row, &answer);
            failed = memory_failed(rig.memory);
            memory_fail_at(rig.memory, UINT64_MAX, false);
            cr_assert(code == QTDB_NO_MEMORY || code == QTDB_OK, "%s at %llu: %s", faulty[i],
                      (unsigned long long)index, qtdb_error_last()->message);
            cr_assert(code != QTDB_OK || answer.checksum == whole.checksum);
        }
        no_file_is_left();
    }
}

/* Writes that are lost or go astray are found when they are read back. */
Test(sql_spill, survives_every_fault_of_the_disk)
{
    static const enum io_sim_fault faults[] = {IO_SIM_FAULT_EIO, IO_SIM_FAULT_ENOSPC,
                                               IO_SIM_FAULT_SHORT, IO_SIM_FAULT_LOST,
                                               IO_SIM_FAULT_MISDIRECTED};

    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        choose_join(i);
        struct answer whole = answer_of(faulty[i], SMALL_LIMIT);
        uint64_t refused = 0, begin = io_sim_op_count(rig.io);

        session_set_work_limit(session, SMALL_LIMIT);
        cr_assert_eq(qtdb_exec(session, faulty[i], NULL, NULL), QTDB_OK);
        uint64_t count = io_sim_op_count(rig.io) - begin;
        for (uint64_t index = 0; index < count; index += 1 + index / 12) {
            struct answer answer = {.count = 0};

            io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, faults[index % 5], false);
            enum qtdb_code code = qtdb_exec(session, faulty[i], add_row, &answer);
            bool failed = io_sim_failed(rig.io);
            io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
            cr_assert(code == QTDB_OK || (failed && qtdb_error_last()->message[0] != '\0'),
                      "%s at %llu: %s", faulty[i], (unsigned long long)index,
                      qtdb_error_last()->message);
            cr_assert(code != QTDB_OK || answer.checksum == whole.checksum);
            refused += code != QTDB_OK;
        }
        cr_assert_gt(refused, 3, "%s: %llu of %llu", faulty[i], (unsigned long long)refused,
                     (unsigned long long)count);
        no_file_is_left();
        session_set_work_limit(session, SMALL_LIMIT);
        cr_assert_eq(answer_of(faulty[i], SMALL_LIMIT).checksum, whole.checksum);
    }
}
