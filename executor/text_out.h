/*
 * A text that grows in an arena. A failed allocation sticks and shows at the end. Not thread-safe.
 */
#ifndef EXECUTOR_TEXT_OUT_H
#define EXECUTOR_TEXT_OUT_H

#include "executor/value.h"

struct text_out {
    char *bytes; /* NUL-terminated once anything was put. */
    size_t size;
    size_t capacity;
    struct arena *arena;
    bool failed;
};

void text_out_put(struct text_out *out, const void *bytes, size_t size);
void text_out_puts(struct text_out *out, const char *text);
/** The text as a value; STATUS_NO_MEMORY when something failed. */
MUST_CHECK enum status text_out_value(struct text_out *out, enum qtdb_type type,
                                      struct value *value_out);

#endif
