/* A text that grows in an arena, with names and literals as SQL writes them. The first failure (no
 * memory) sticks in `status`. */
#ifndef EXECUTOR_SQL_TEXT_H
#define EXECUTOR_SQL_TEXT_H

#include "executor/parse.h"

struct sql_text {
    struct arena *arena;
    enum status status;
    char *bytes; /* NUL-terminated once something was added. */
    size_t size;
    size_t capacity;
};

void sql_text_init(struct sql_text *text, struct arena *arena);
void sql_text_add(struct sql_text *text, const char *more);
__attribute__((format(printf, 2, 3))) void sql_text_print(struct sql_text *text, const char *format,
                                                          ...);
/** In quotes where SQL would read it as something else. */
void sql_text_add_name(struct sql_text *text, const char *name);
void sql_text_add_literal(struct sql_text *text, const char *literal);

#endif
