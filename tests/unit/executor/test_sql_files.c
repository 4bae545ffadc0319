/*
 * Goal: every statement of our own files below tests/sql and of the sample of SQLite's corpus in
 * $QTDB_SHARED/sqllogictest gives the result that stands beside it.
 * Method: each file on a new database in a temporary file, read by tests/support/logictest.h; our own also with
 * ways to join forbidden. With
 * QTDB_SQL_FILES set to a list of files (blanks between) only those are run, and every fault is shown.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/qtdb.h"
#include "tests/support/logictest.h"

static uint64_t shown;

static void
complain(void *context, uint64_t line, const char *what)
{
    if (what != NULL && shown++ < 400)
        fprintf(stderr, "%s:%llu: %s\n", (const char *)context, (unsigned long long)line, what);
}

static char *
read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *text;

    cr_assert_not_null(file, "%s", name);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    rewind(file);
    text = calloc(1, (size_t)size + 1);
    cr_assert_not_null(text);
    cr_assert_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return text;
}

/* `setting` is run first; NULL: none. */
static struct logictest_result
run_file(const char *name, const char *setting)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true, .no_threads = true};
    const char *folder = getenv("TMPDIR");
    struct logictest_result result = {0, 0};
    struct qtdb_session *session = NULL;
    struct qtdb *db = NULL;
    char path[300];
    char *text = read_file(name);

    snprintf(path, sizeof(path), "%s/test_sql_files.%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    cr_assert_eq(qtdb_open(path, &options, &db), QTDB_OK, "%s", qtdb_error_last()->message);
    cr_assert_eq(qtdb_session_open(db, &session), QTDB_OK);
    if (setting != NULL)
        cr_assert_eq(qtdb_exec(session, setting, NULL, NULL), QTDB_OK);
    struct logictest_engine engine = logictest_qtdb(session);
    logictest_run(&engine, text, complain, (void *)(uintptr_t)name, &result);
    qtdb_session_close(session);
    cr_assert_eq(qtdb_close(db), QTDB_OK);
    unlink(path);
    free(text);
    return result;
}

static void
run_own_files(const char *setting)
{
    glob_t found;

    cr_assert_eq(glob("tests/sql/*.test", 0, NULL, &found), 0, "no file in tests/sql");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct logictest_result result = run_file(found.gl_pathv[i], setting);

        cr_expect_gt(result.passed, 0, "%s has no record", found.gl_pathv[i]);
        cr_expect_eq(result.failed, 0, "%s: %llu failed", found.gl_pathv[i],
                     (unsigned long long)result.failed);
    }
    globfree(&found);
}

Test(sql_files, own_files_give_what_stands_in_them)
{
    run_own_files(NULL);
}

/* Whichever way to join is forbidden, so that each is taken where it can be. */
Test(sql_files, own_files_give_the_same_by_merge_joins)
{
    run_own_files("set enable_hashjoin = off; set enable_nestloop = off");
}

Test(sql_files, own_files_give_the_same_by_hash_joins)
{
    run_own_files("set enable_mergejoin = off; set enable_nestloop = off");
}

Test(sql_files, own_files_give_the_same_by_nested_loops)
{
    run_own_files("set enable_hashjoin = off; set enable_mergejoin = off");
}

/*
 * What PostgreSQL 15 itself refuses in these files: + before a text (index/random), and statements of
 * other systems (triggers, REPLACE, REINDEX of a name that is not there) in the evidence files.
 */
static const struct {
    const char *name;
    uint64_t refused;
} sample[] = {
    {"select1.test", 0},
    {"select2.test", 0},
    {"select3.test", 0},
    {"random/select/slt_good_124.test", 0},
    {"random/aggregates/slt_good_129.test", 0},
    {"random/groupby/slt_good_13.test", 0},
    {"random/expr/slt_good_1.test", 0},
    {"index/between/10/slt_good_5.test", 0},
    {"index/in/10/slt_good_5.test", 0},
    {"index/orderby/10/slt_good_4.test", 0},
    {"index/view/10/slt_good_6.test", 0},
    {"index/commute/10/slt_good_10.test", 0},
    {"index/random/10/slt_good_5.test", 350},
};

Test(sql_files, shared_sample_gives_what_stands_in_it)
{
    const char *shared = getenv("QTDB_SHARED"), *folder = getenv("TMPDIR");
    char archive[300], command[800], name[400];

    snprintf(archive, sizeof(archive), "%s/sqllogictest/tests.tar.zst",
             shared != NULL ? shared : "");
    if (shared == NULL || access(archive, R_OK) != 0)
        cr_skip_test("QTDB_SHARED has no %s", archive);
    snprintf(command, sizeof(command), "mkdir -p '%s/sample' && tar -C '%s/sample' -xf '%s'",
             folder != NULL ? folder : "/tmp", folder != NULL ? folder : "/tmp", archive);
    if (system(command) != 0)
        cr_skip_test("tar cannot read %s", archive);
    shown = 400; /* Faults are counted, not listed. */
    for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++) {
        snprintf(name, sizeof(name), "%s/sample/%s", folder != NULL ? folder : "/tmp",
                 sample[i].name);
        struct logictest_result result = run_file(name, NULL);

        cr_expect_gt(result.passed, 0, "%s has no record", name);
        cr_expect_eq(result.failed, sample[i].refused, "%s: %llu failed", name,
                     (unsigned long long)result.failed);
    }
}

Test(sql_files, named_files_show_their_faults)
{
    const char *names = getenv("QTDB_SQL_FILES");

    if (names == NULL)
        cr_skip_test("QTDB_SQL_FILES names no files");
    char *list = strdup(names), *place = NULL;
    for (char *name = strtok_r(list, " ", &place); name != NULL;
         name = strtok_r(NULL, " ", &place)) {
        struct logictest_result result = run_file(name, NULL);

        fprintf(stderr, "%s: %llu passed, %llu failed\n", name, (unsigned long long)result.passed,
                (unsigned long long)result.failed);
    }
    free(list);
}
