/* EXPLAIN, inside: what the text (exec_explain.c) and JSON (exec_explain_json.c) share. */
#ifndef EXECUTOR_EXEC_EXPLAIN_H
#define EXECUTOR_EXEC_EXPLAIN_H

#include "executor/exec.h"

struct explain {
    const struct exec_explanation *what;
    struct arena *arena;
    enum status (*line)(void *context, const char *text);
    void *context;
};

/** "Index Scan using i on t": the node without its figures. */
void explain__describe(const struct plan *plan, char *out, size_t room);
/** What a merge join goes by, as PostgreSQL writes it: tables by their names, "?column?" for what is no column
 * of a table. */
void explain__merge_condition(const struct plan *plan, char *out, size_t room);
/** Bytes of a row, roughly. */
uint32_t explain__width(const struct plan *plan);
/** "Insert", "Update" or "Delete". */
const char *explain__change_word(const struct planned *planned);
MUST_CHECK enum status explain__json(struct explain *explain);

#endif
