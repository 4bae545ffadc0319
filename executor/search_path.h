/*
 * Where a name without a schema is looked for: the session's temporary schema, then those of its
 * search_path, in order. "pg_temp" stands for the session's own; others' are refused (0A000).
 * Thread-safe as long as the path is not changed.
 */
#ifndef EXECUTOR_SEARCH_PATH_H
#define EXECUTOR_SEARCH_PATH_H

#include "executor/table.h"

struct search_path {
    uint32_t count;
    const char *const *names;
    const char
        *temporary; /* The session's schema of temporary tables, looked in first; NULL: none. */
};

/** "pg_temp", and the names of the sessions' schemas. */
bool search_path_is_temporary(const char *schema);
/** The same name with the first schema of the path that has something of `kinds` (catalog_kind letters)
 * so called. Without one the name comes back as it is, unless "public" is not on the path: then it gets
 * the path's first schema. `path` NULL: "public" alone. */
MUST_CHECK enum status search_path_find(struct qtdb_txn *txn, const struct search_path *path,
                                        const struct ast_name *name, const char *kinds,
                                        struct ast_name *out, struct sql_error *error);
/** Where a new name goes: the first schema of the path that exists. 3F000 when there is none. */
MUST_CHECK enum status search_path_new(struct qtdb_txn *txn, const struct search_path *path,
                                       const struct ast_name *name, struct ast_name *out,
                                       struct sql_error *error);

/** A view's text with the path in front that its names are to be looked up along: 0x01, names with a
 * 0x01 behind each, 0x02, and the text; just the text where the path is "public" alone. */
MUST_CHECK enum status search_path_stamp(const struct search_path *path, const char *text,
                                         size_t size, struct arena *arena, char **out);
/** Takes such a text apart. */
MUST_CHECK enum status search_path_unstamp(const char *stamped, struct arena *arena,
                                           const struct search_path **path_out,
                                           const char **text_out);

/** A name as people write it in a text: parts in quotes or folded to lower case. 42602. */
MUST_CHECK enum status search_path_parse(const char *text, size_t size, struct arena *arena,
                                         struct ast_name *out, struct sql_error *error);

#endif
