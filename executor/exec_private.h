/* Running plans, inside: what exec*.c share. */
#ifndef EXECUTOR_EXEC_PRIVATE_H
#define EXECUTOR_EXEC_PRIVATE_H

#include "executor/exec.h"

/* The rows of one table under a filter and key bounds, in key order. */
struct exec__scan {
    const struct exec_context *context;
    const struct plan *plan;
    struct qtdb_cursor *cursor;
    bool started;
    bool has_end;
    uint8_t end[sizeof(uint64_t)]; /* Last key wanted, inclusive. */
};

MUST_CHECK enum status exec__scan_open(const struct exec_context *context, const struct plan *plan,
                                       struct exec__scan *out);
/** The next row's values copied into the arena, its key borrowed from the cursor until the next call.
 * STATUS_NOT_FOUND at the end. */
MUST_CHECK enum status exec__scan_next(struct exec__scan *scan, struct arena *arena,
                                       struct value *values, const void **key_out,
                                       size_t *key_size_out);
void exec__scan_close(struct exec__scan *scan);

MUST_CHECK enum status exec__check_memory(const struct exec_context *context,
                                          const struct arena *arena);
/** A value whose bytes are the arena's own. */
MUST_CHECK enum status exec__keep_value(const struct value *value, struct arena *arena,
                                        struct value *out);
/** Nulls equal each other, and sort as told. */
int exec__compare(const struct value *left, const struct value *right, bool nulls_first);

#endif
