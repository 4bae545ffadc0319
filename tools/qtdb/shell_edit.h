/* Line editing, history and completion on a terminal, by libedit. One at a time. */
#ifndef TOOLS_QTDB_SHELL_EDIT_H
#define TOOLS_QTDB_SHELL_EDIT_H

#include <stdbool.h>

#include "tools/common/text_buffer.h"

struct shell_edit;

struct shell_edit_options {
    const char *name; /* The history is kept in ~/.NAME_history. */
    struct memory *memory;
    /* What the key Tab brings: text to insert, or ways to go on, divided by spaces. */
    void (*complete)(void *context, const char *line, size_t size, struct text_buffer *insert,
                     struct text_buffer *list);
    void *context;
    /* How a line looks once it is entered; NULL: as it was typed. */
    void (*colour)(const char *line, size_t size, struct text_buffer *out);
};

/** Copies the options. False where the terminal cannot be used so. */
bool shell_edit_open(const struct shell_edit_options *options, struct shell_edit **out);
/** Saves the history. NULL is fine. */
void shell_edit_close(struct shell_edit *edit);
/** With its line end; NULL at the end of the input and after an interrupt. */
const char *shell_edit_line(struct shell_edit *edit, const char *prompt);

#endif
