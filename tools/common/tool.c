/* See tool.h. Options are handed to getopt_long as a table made from the program's own. */
#include "tools/common/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { OPTIONS_MAX = 40, KEY_FIRST = 1000, KEY_HELP = 998, KEY_VERSION = 999 };

struct table {
    struct option entries[OPTIONS_MAX + 3];
    char letters[3 + 2 * OPTIONS_MAX];
};

static bool
takes_argument(const struct tool_option *option)
{
    return option->kind == TOOL_TEXT || option->kind == TOOL_NUMBER || option->kind == TOOL_EACH;
}

static void
fill_table(struct table *table, const struct tool_option *options, size_t count)
{
    size_t letters = 0;

    *table = (struct table){.letters = ""};
    table->letters[letters++] = ':';
    for (size_t i = 0; i < count; i++) {
        table->entries[i] = (struct option){
            options[i].name, takes_argument(&options[i]) ? required_argument : no_argument, NULL,
            KEY_FIRST + (int)i};
        if (options[i].letter == 0)
            continue;
        table->letters[letters++] = options[i].letter;
        if (takes_argument(&options[i]))
            table->letters[letters++] = ':';
    }
    table->entries[count] = (struct option){"help", no_argument, NULL, KEY_HELP};
    table->entries[count + 1] = (struct option){"version", no_argument, NULL, KEY_VERSION};
}

static const struct tool_option *
find_option(const struct tool_option *options, size_t count, int key)
{
    for (size_t i = 0; i < count; i++) {
        if (key == KEY_FIRST + (int)i || (options[i].letter != 0 && key == options[i].letter))
            return &options[i];
    }
    return NULL;
}

static bool
take_number(const struct tool *tool, const struct tool_option *option, const char *text)
{
    char *end = NULL;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value > option->most) {
        (void)tool_usage_error(tool, "--%s takes a number up to %llu, not '%s'", option->name,
                               (unsigned long long)option->most, text);
        return false;
    }
    *(uint64_t *)option->value = value;
    return true;
}

static bool
take_each(const struct tool *tool, const struct tool_option *option, const char *text)
{
    struct tool_list *list = option->value;

    if (list->count == TOOL_LIST_MAX) {
        (void)tool_usage_error(tool, "--%s is given more than %d times", option->name,
                               TOOL_LIST_MAX);
        return false;
    }
    list->items[list->count].name = option->name;
    list->items[list->count].text = text;
    list->count++;
    return true;
}

static bool
take_option(const struct tool *tool, const struct tool_option *option, const char *text)
{
    switch (option->kind) {
    case TOOL_FLAG:
        *(bool *)option->value = true;
        return true;
    case TOOL_FLAG_OFF:
        *(bool *)option->value = false;
        return true;
    case TOOL_TEXT:
        *(const char **)option->value = text;
        return true;
    case TOOL_NUMBER:
        return take_number(tool, option, text);
    case TOOL_EACH:
        return take_each(tool, option, text);
    }
    return false;
}

enum tool_command
tool_parse(const struct tool *tool, int argc, char **argv, const struct tool_option *options,
           size_t option_count, int *first_out)
{
    struct table table;
    int key;

    CHECK(option_count <= OPTIONS_MAX);
    fill_table(&table, options, option_count);
    opterr = 0;
    optind = 0; /* Starts over, in GNU's getopt. */
    while ((key = getopt_long(argc, argv, table.letters, table.entries, NULL)) != -1) {
        const struct tool_option *option = find_option(options, option_count, key);

        if (key == KEY_HELP || key == KEY_VERSION) {
            if (key == KEY_HELP)
                (void)fputs(tool->help, stdout);
            else
                (void)printf("%s %s\n", tool->name, qtdb_version());
            return TOOL_ANSWERED;
        }
        if (key == ':')
            (void)tool_usage_error(tool, "%s needs an argument", argv[optind - 1]);
        else if (option == NULL)
            (void)tool_usage_error(tool, "there is no option %s", argv[optind - 1]);
        if (option == NULL || !take_option(tool, option, optarg))
            return TOOL_WRONG;
    }
    *first_out = optind;
    return TOOL_RUN;
}

bool
tool_has_colour(FILE *file)
{
    const char *none = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return isatty(fileno(file)) && (none == NULL || none[0] == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

static void
complain(const struct tool *tool, const char *format, va_list arguments)
{
    bool colour = tool_has_colour(stderr);

    (void)fflush(stdout);
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
    (void)fprintf(stderr, "%s%s:%s ", colour ? "\033[31m" : "", tool->name,
                  colour ? "\033[0m" : "");
    (void)vfprintf(stderr, format, arguments);
}

void
tool_error(const struct tool *tool, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(tool, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int
tool_usage_error(const struct tool *tool, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(tool, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "; %s --help tells more\n", tool->name);
    return TOOL_USAGE;
}

bool
tool_env_open(const struct tool *tool, struct env *out)
{
    struct env env = {.memory = memory_new()};

    if (env.memory == NULL) {
        tool_error(tool, "no memory");
        return false;
    }
    if (io_posix_open(env.memory, false, &env.io) != STATUS_OK) {
        tool_error(tool, "%s", error_message());
        memory_delete(env.memory);
        return false;
    }
    *out = env;
    return true;
}

void
tool_env_close(struct env *env)
{
    io_close_all(env->io);
    memory_delete(env->memory);
    *env = (struct env){.memory = NULL};
}
