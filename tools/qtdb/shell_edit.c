/* The only file that knows libedit; see shell_edit.h. */
#include "tools/qtdb/shell_edit.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_MAX = 1000, PATH_SIZE = 4096 };

struct shell_edit {
    struct memory *memory;
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
shell_edit_open(const char *name, struct memory *memory, struct shell_edit **out)
{
    struct shell_edit *edit = memory_alloc(memory, MEMORY_OTHER, sizeof(*edit));

    if (edit == NULL)
        return false;
    edit->memory = memory;
    edit->line = el_init(name, stdin, stdout, stderr);
    if (edit->line == NULL) {
        memory_free(memory, MEMORY_OTHER, edit, sizeof(*edit));
        return false;
    }
    edit->history = history_init();
    (void)el_set(edit->line, EL_CLIENTDATA, edit);
    (void)el_set(edit->line, EL_PROMPT, show_prompt);
    (void)el_set(edit->line, EL_EDITOR, "emacs");
    (void)el_set(edit->line, EL_GETCFN, read_character);
    load_history(edit, name);
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
    memory_free(edit->memory, MEMORY_OTHER, edit, sizeof(*edit));
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
    return line;
}
