/*
 * The parts of a definition as the database writes it: names, words, texts, numbers, signs. Pure; a text that
 * ends early ends the parts.
 */
#ifndef TOOLS_QTDB_MIGRATE_BACK_TOKEN_H
#define TOOLS_QTDB_MIGRATE_BACK_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/base/memory.h"

struct back_token {
    const char *begin; /* NULL: the end. */
    size_t size;
    bool is_name; /* In quotes or a plain word. */
};

/** The next part; moves `*at` behind it. */
struct back_token back_next_token(const char **at);
/** The name without its quotes; NULL: no memory. */
const char *back_token_name(struct arena *arena, const struct back_token *token);
bool back_token_is(const struct back_token *token, const char *word);

#endif
