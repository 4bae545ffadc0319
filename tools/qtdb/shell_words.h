/*
 * Words of SQL on a terminal: what a word that has been begun may become, and the colours of a line. Pure,
 * but for the names, which are asked for in the open database.
 */
#ifndef TOOLS_QTDB_SHELL_WORDS_H
#define TOOLS_QTDB_SHELL_WORDS_H

#include "tools/qtdb/shell.h"

/**
 * What may follow `line`, of which `size` bytes are before the cursor: `insert` gets what is common to all
 * ways to go on, `list` the words, a space between two, when there are several and nothing to insert.
 */
void shell_complete(struct shell *shell, const char *line, size_t size, struct text_buffer *insert,
                    struct text_buffer *list);

/** Appends the line with colours: keywords, texts, numbers, comments. What it shows is the same. */
void shell_colour(const char *line, size_t size, struct text_buffer *out);

#endif
