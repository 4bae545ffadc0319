/*
 * Goal: every statement of our own files below tests/sql and of the sample of SQLite's corpus in
 * $QTDB_SHARED/sqllogictest gives the result that stands beside it.
 * Method: each file on a new database in a temporary file, read by tests/support/logictest.h. With
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
    if (shown++ < 400)
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

static struct logictest_result
run_file(const char *name)
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
    logictest_run(session, text, complain, (void *)(uintptr_t)name, &result);
    qtdb_session_close(session);
    cr_assert_eq(qtdb_close(db), QTDB_OK);
    unlink(path);
    free(text);
    return result;
}

Test(sql_files, own_files_give_what_stands_in_them)
{
    glob_t found;

    cr_assert_eq(glob("tests/sql/*.test", 0, NULL, &found), 0, "no file in tests/sql");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct logictest_result result = run_file(found.gl_pathv[i]);

        cr_expect_gt(result.passed, 0, "%s has no record", found.gl_pathv[i]);
        cr_expect_eq(result.failed, 0, "%s: %llu failed", found.gl_pathv[i],
                     (unsigned long long)result.failed);
    }
    globfree(&found);
}

Test(sql_files, named_files_show_their_faults)
{
    const char *names = getenv("QTDB_SQL_FILES");

    if (names == NULL)
        cr_skip_test("QTDB_SQL_FILES names no files");
    char *list = strdup(names), *place = NULL;
    for (char *name = strtok_r(list, " ", &place); name != NULL;
         name = strtok_r(NULL, " ", &place)) {
        struct logictest_result result = run_file(name);

        fprintf(stderr, "%s: %llu passed, %llu failed\n", name, (unsigned long long)result.passed,
                (unsigned long long)result.failed);
    }
    free(list);
}
