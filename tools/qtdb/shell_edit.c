/* The only file that knows libedit; see shell_edit.h. */
#include "tools/qtdb/shell_edit.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "tools/qtdb/shell_output.h"

enum { HISTORY_MAX = 1000, PATH_SIZE = 4096 };

struct shell_edit {
    struct shell_edit_options options;
    EditLine *line;
    History *history;
    HistEvent event;
    char prompt[32];
    char path[PATH_SIZE]; /* Empty: no home, no history. */
};

static char *
show_prompt(EditLine *line)
{
    struct shell_edit *edit = NULL;

    (void)el_get(line, EL_CLIENTDATA, &edit);
    return edit->prompt;
}

/* libedit's own function takes up reading again after a signal; here an interrupt ends the line. */
static int
read_character(EditLine *line, wchar_t *out)
{
    mbstate_t state = {0};

    (void)line;
    for (;;) {
        char byte = 0;
        ssize_t got = read(STDIN_FILENO, &byte, 1);

        if (got <= 0)
            return (int)got;
        size_t size = mbrtowc(out, &byte, 1, &state);
        if (size == (size_t)-1) {
            *out = L'?';
            return 1;
        }
        if (size != (size_t)-2)
            return 1;
    }
}

/* The key Tab. */
static unsigned char
complete(EditLine *line, int key)
{
    struct shell_edit *edit = NULL;
    const LineInfo *info = el_line(line);
    struct text_buffer before, insert, list;
    unsigned char answer = CC_ERROR;

    (void)key;
    (void)el_get(line, EL_CLIENTDATA, &edit);
    text_buffer_init(&before, edit->options.memory);
    text_buffer_init(&insert, edit->options.memory);
    text_buffer_init(&list, edit->options.memory);
    text_buffer_add(&before, info->buffer, (size_t)(info->cursor - info->buffer));
    if (!before.failed)
        edit->options.complete(edit->options.context, before.bytes, before.size, &insert, &list);
    if (insert.size > 0 && !insert.failed && el_insertstr(line, insert.bytes) == 0) {
        answer = CC_REFRESH;
    } else if (list.size > 0 && !list.failed) {
        printf("\n%s\n", list.bytes);
        answer = CC_REDISPLAY;
    }
    text_buffer_deinit(&before);
    text_buffer_deinit(&insert);
    text_buffer_deinit(&list);
    return answer;
}

/* libedit shows lines as they are, so an entered one is drawn over, where it stands on rows of its own. */
static void
draw_again(struct shell_edit *edit, const char *line)
{
    size_t size = strcspn(line, "\n");
    size_t width = strlen(edit->prompt) + output_width(line, size);
    struct winsize window = {.ws_col = 0};
    struct text_buffer text;

    if (edit->options.colour == NULL || memchr(line, '\t', size) != NULL ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
        width % window.ws_col == 0)
        return;
    text_buffer_init(&text, edit->options.memory);
    edit->options.colour(line, size, &text);
    if (!text.failed && text.size > 0)
        printf("\033[%zuA\r%s%s\033[K\n", width / window.ws_col + 1, edit->prompt, text.bytes);
    (void)fflush(stdout);
    text_buffer_deinit(&text);
}

static void
load_history(struct shell_edit *edit, const char *name)
{
    const char *home = getenv("HOME");

    if (edit->history == NULL)
        return;
    (void)history(edit->history, &edit->event, H_SETSIZE, HISTORY_MAX);
    (void)history(edit->history, &edit->event, H_SETUNIQUE, 1);
    (void)el_set(edit->line, EL_HIST, history, edit->history);
    if (home == NULL ||
        snprintf(edit->path, sizeof(edit->path), "%s/.%s_history", home, name) >= PATH_SIZE)
        edit->path[0] = '\0';
    else
        (void)history(edit->history, &edit->event, H_LOAD, edit->path);
}

bool
shell_edit_open(const struct shell_edit_options *options, struct shell_edit **out)
{
    struct memory *memory = options->memory;
    struct shell_edit *edit = memory_alloc(memory, MEMORY_OTHER, sizeof(*edit));

    if (edit == NULL)
        return false;
    edit->options = *options;
    edit->line = el_init(options->name, stdin, stdout, stderr);
    if (edit->line == NULL) {
        memory_free(memory, MEMORY_OTHER, edit, sizeof(*edit));
        return false;
    }
    edit->history = history_init();
    (void)el_set(edit->line, EL_CLIENTDATA, edit);
    (void)el_set(edit->line, EL_PROMPT, show_prompt);
    (void)el_set(edit->line, EL_EDITOR, "emacs");
    (void)el_set(edit->line, EL_GETCFN, read_character);
    (void)el_wset(edit->line, EL_ADDFN, L"complete", L"go on with a word", complete);
    (void)el_set(edit->line, EL_BIND, "^I", "complete", NULL);
    load_history(edit, options->name);
    (void)el_source(edit->line, NULL);
    *out = edit;
    return true;
}

void
shell_edit_close(struct shell_edit *edit)
{
    if (edit == NULL)
        return;
    if (edit->history != NULL) {
        if (edit->path[0] != '\0')
            (void)history(edit->history, &edit->event, H_SAVE, edit->path);
        history_end(edit->history);
    }
    el_end(edit->line);
    memory_free(edit->options.memory, MEMORY_OTHER, edit, sizeof(*edit));
}

const char *
shell_edit_line(struct shell_edit *edit, const char *prompt)
{
    int size = 0;

    (void)snprintf(edit->prompt, sizeof(edit->prompt), "%s", prompt);
    const char *line = el_gets(edit->line, &size);
    if (line == NULL || size <= 0)
        return NULL;
    if (edit->history != NULL && strspn(line, " \t\r\n") < strlen(line))
        (void)history(edit->history, &edit->event, H_ENTER, line);
    draw_again(edit, line);
    return line;
}
