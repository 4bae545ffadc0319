/* Line editing and history on a terminal, by libedit. One at a time. */
#ifndef TOOLS_QTDB_SHELL_EDIT_H
#define TOOLS_QTDB_SHELL_EDIT_H

#include <stdbool.h>

#include "kernel/base/memory.h"

struct shell_edit;

/** The history is kept in ~/.NAME_history. False where the terminal cannot be used so. */
bool shell_edit_open(const char *name, struct memory *memory, struct shell_edit **out);
/** Saves the history. NULL is fine. */
void shell_edit_close(struct shell_edit *edit);
/** With its line end; NULL at the end of the input and after an interrupt. */
const char *shell_edit_line(struct shell_edit *edit, const char *prompt);

#endif
