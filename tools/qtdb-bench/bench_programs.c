/* Other programs of ours, run in a directory's neighbourhood: bench_programs.h. */
#include "tools/qtdb-bench/bench_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WORDS_MAX = 16, ARGUMENTS_SIZE = 256, LINE_SIZE = 1024, POLL_MS = 200, GENTLE_POLLS = 5 };

/* Beside this program, else in ../bench of it; false: in neither. */
static bool
find(const char *program, char *out, size_t size, bool *beside_out)
{
    static const char *const places[] = {"", "../bench/"};
    char self[BENCH_PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length <= 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *beside_out = i == 0;
        if (snprintf(out, size, "%s%s%s", self, places[i], program) < (int)size &&
            access(out, X_OK) == 0)
            return true;
    }
    return false;
}

/* Both outputs into one pipe; -1: `text` says why not. */
static int
start(char *const *words, pid_t *pid_out, char *text, size_t text_size)
{
    posix_spawn_file_actions_t actions;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0) {
        (void)snprintf(text, text_size, "%s", strerror(errno));
        return -1;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    int code = posix_spawn(pid_out, words[0], &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    if (code == 0)
        return ends[0];
    (void)close(ends[0]);
    (void)snprintf(text, text_size, "%s", strerror(code));
    return -1;
}

/* Until there is output. A stop that only this process was told of ends the other too, gently at first. */
static void
await_output(FILE *output, pid_t pid)
{
    struct pollfd poller = {.fd = fileno(output), .events = POLLIN};
    uint32_t waited = 0;

    while (poll(&poller, 1, POLL_MS) == 0) {
        if (!tool_stop_requested())
            continue;
        (void)kill(pid, waited++ < GENTLE_POLLS ? SIGINT : SIGKILL);
    }
}

/* The line that is wanted, without its newline; true: it has what stands before the figure. */
static bool
read_output(FILE *output, pid_t pid, const char *before, double *value_out, char *text,
            size_t text_size)
{
    char line[LINE_SIZE];
    bool found = false;

    (void)setvbuf(output, NULL, _IONBF, 0); /* What is read is all that poll knows of. */
    for (;;) {
        await_output(output, pid);
        if (fgets(line, sizeof(line), output) == NULL)
            break;
        const char *at = before != NULL ? strstr(line, before) : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || found)
            continue;
        (void)snprintf(text, text_size, "%s", line);
        if (at == NULL)
            continue;
        found = true;
        *value_out = strtod(at + strlen(before), NULL);
    }
    return found;
}

static size_t
split(char *arguments, char **words, size_t count)
{
    char *rest = NULL;

    for (char *word = strtok_r(arguments, " ", &rest); word != NULL && count < WORDS_MAX - 3;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return count;
}

static bool
ended_well(pid_t pid)
{
    int state = 0;

    while (waitpid(pid, &state, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

bool
bench_program_run(const struct bench_options *options, const char *program, const char *arguments,
                  const char *before, double *value_out, bool *ended_well_out, char *text,
                  size_t text_size)
{
    char path[BENCH_PATH_SIZE + 64], own[ARGUMENTS_SIZE], dir[BENCH_PATH_SIZE];
    char dir_option[] = "--dir";
    char *words[WORDS_MAX] = {path};
    bool beside = true;
    pid_t pid = 0;

    if (!find(program, path, sizeof(path), &beside)) {
        (void)snprintf(text, text_size, "it is not built");
        return false;
    }
    (void)snprintf(own, sizeof(own), "%s", arguments);
    size_t count = split(own, words, 1);
    if (!beside) {
        (void)snprintf(dir, sizeof(dir), "%s", options->dir);
        words[count++] = dir_option;
        words[count++] = dir;
    }
    (void)fflush(NULL);
    int output = start(words, &pid, text, text_size);
    if (output < 0)
        return false;
    FILE *file = fdopen(output, "r");
    bool found = false;
    text[0] = '\0';
    if (file != NULL) {
        found = read_output(file, pid, before, value_out, text, text_size);
        (void)fclose(file);
    } else {
        (void)close(output);
    }
    *ended_well_out = ended_well(pid);
    if (tool_stop_requested()) {
        (void)snprintf(text, text_size, "stopped");
        return false;
    }
    if (before != NULL && !found && text[0] == '\0')
        (void)snprintf(text, text_size, "it printed nothing");
    return before == NULL || found;
}
