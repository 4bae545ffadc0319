/*
 * Goal: a database that another process has open is refused with that process's pid; after the other
 * was killed by SIGKILL it opens, recovers, and has every commit that was acknowledged.
 * Method: a child process opens a file of the operating system, commits row after row and tells each
 * acknowledged one through a pipe; the parent tries to open it meanwhile, kills the child, and looks.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/qtdb.h"
#include "tests/support/db_rig.h"

static const char *
path_of(void)
{
    static char path[4096];
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof(path), "%s/process-%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    return path;
}

static struct qtdb *
open_file(const char *path)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true};
    struct qtdb *db;

    DB(qtdb_open(path, &options, &db));
    return db;
}

/* The child: commits numbers from `first` on until it is killed. */
_Noreturn static void
commit_for_ever(const char *path, uint32_t first, int pipe)
{
    struct qtdb *db = open_file(path);
    struct qtdb_tree *tree = db_tree(db, "t");

    for (uint32_t number = first;; number++) {
        struct qtdb_txn *txn = db_begin(db);

        DB(qtdb_put(txn, tree, &number, sizeof(number), &number, sizeof(number), QTDB_PUT_INSERT));
        DB(qtdb_commit(txn));
        if (write(pipe, &number, sizeof(number)) != (ssize_t)sizeof(number))
            abort();
    }
}

/* Every number up to `last` is there; returns how many there are. */
static uint32_t
verify(const char *path, uint32_t last)
{
    struct qtdb *db = open_file(path);
    struct qtdb_tree *tree = db_tree(db, "t");
    struct qtdb_txn *txn = db_begin_read(db);
    uint32_t number = 0;

    for (;; number++) {
        uint32_t value = 0;
        size_t size = sizeof(value);
        enum qtdb_code code = qtdb_get(txn, tree, &number, sizeof(number), &value, &size);

        if (code == QTDB_NOT_FOUND)
            break;
        DB(code);
        cr_assert_eq(value, number);
    }
    cr_assert_gt(number, last, "an acknowledged commit is gone");
    qtdb_rollback(txn);
    db_check(db);
    DB(qtdb_close(db));
    return number;
}

static void
expect_busy(const char *path, pid_t holder)
{
    struct qtdb_options options = {.size = sizeof(options)};
    struct qtdb *db = NULL;
    char pid[32];

    DB_REFUSED(qtdb_open(path, &options, &db), QTDB_BUSY);
    snprintf(pid, sizeof(pid), "pid %d", (int)holder);
    cr_assert_not_null(strstr(qtdb_error_last()->message, pid), "%s", qtdb_error_last()->message);
}

/* covers: T5 */
Test(process, a_second_process_learns_the_holder_and_recovers_after_it_was_killed)
{
    const char *path = path_of();
    uint32_t count = 0;

    for (uint32_t round = 0; round < 5; round++) {
        uint32_t last = 0;
        int pipes[2];

        cr_assert_eq(pipe(pipes), 0);
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
            close(pipes[0]);
            commit_for_ever(path, count, pipes[1]);
        }
        close(pipes[1]);
        for (uint32_t i = 0; i < 20 + 37 * round; i++)
            cr_assert_eq(read(pipes[0], &last, sizeof(last)), (ssize_t)sizeof(last));
        expect_busy(path, child);
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        /* What it acknowledged before it died, it had said. */
        while (read(pipes[0], &last, sizeof(last)) == (ssize_t)sizeof(last))
            continue;
        close(pipes[0]);
        count = verify(path, last);
    }
    remove(path);
}
