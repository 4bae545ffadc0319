/*
 * Goal: a failed CHECK stops the process and says where; a true one does nothing.
 * Method: expected signals; the line is caught through the log sink and standard error.
 */
#include <criterion/criterion.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/log_sink.h"

Test(check, true_conditions_pass)
{
    int evaluated = 0;

    CHECK(++evaluated == 1);
    cr_assert_eq(evaluated, 1);
}

/* covers: F2 */
Test(check, a_false_condition_aborts, .signal = SIGABRT)
{
    CHECK(1 == 2);
}

static void
write_to_pipe(void *context, enum log_level level, const char *line)
{
    ssize_t written = write(*(int *)context, line, strlen(line));

    (void)written;
    CHECK(level == LOG_ERROR);
    CHECK(strstr(line, "never") != NULL); /* Fails: a check inside the sink must not loop. */
}

/* Runs a failing check in a child; gives what it wrote to its standard error and to its sink. */
static void
child_output(char *error_text, char *sink_text, size_t size)
{
    int error_pipe[2];
    int sink_pipe[2];
    int status = 0;

    cr_assert(pipe(error_pipe) == 0 && pipe(sink_pipe) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(error_pipe[1], STDERR_FILENO);
        log_sink_set(write_to_pipe, &sink_pipe[1], LOG_ERROR);
        CHECK(sizeof(int) == 3);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(error_pipe[1]);
    close(sink_pipe[1]);
    ssize_t error_size = read(error_pipe[0], error_text, size - 1);
    ssize_t sink_size = read(sink_pipe[0], sink_text, size - 1);
    cr_assert(error_size > 0 && sink_size > 0);
    error_text[error_size] = '\0';
    sink_text[sink_size] = '\0';
}

Test(check, says_where_and_what_once_to_each)
{
    char error_text[4096];
    char sink_text[4096];

    child_output(error_text, sink_text, sizeof(error_text));
    cr_assert_not_null(strstr(error_text, "test_check.c:"));
    cr_assert_not_null(strstr(error_text, "sizeof(int) == 3"));
    cr_assert_not_null(strstr(sink_text, "sizeof(int) == 3"));
    cr_assert_null(strstr(sink_text, "never"));
}

#ifndef QTDB_DEBUG

Test(check, dcheck_costs_nothing_in_ordinary_builds)
{
    int evaluated = 0;

    DCHECK(++evaluated == 2);
    cr_assert_eq(evaluated, 0);
}

#else

Test(check, dcheck_is_a_check_in_debug_builds, .signal = SIGABRT)
{
    DCHECK(1 == 2);
}

#endif
