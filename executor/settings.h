/*
 * A session's settings: SET, SET LOCAL, RESET and SHOW. What is set in a transaction goes back with its
 * ROLLBACK; what is set LOCAL goes back at its end. A setting that would change what we do and is not
 * built takes only the value we have (0A000 for others). One thread at a time.
 */
#ifndef EXECUTOR_SETTINGS_H
#define EXECUTOR_SETTINGS_H

#include "executor/search_path.h"
#include "executor/zone.h"

struct settings;

/** NULL: no memory. */
struct settings *settings_new(struct memory *memory);
/** NULL is fine. */
void settings_free(struct settings *settings);

enum { SETTINGS_TEXT_SIZE = 1024 };
/** `values` of SET as one text. 22023: it is too long. */
MUST_CHECK enum status settings_join(const char *name, const char *const *values, uint32_t count,
                                     char out[SETTINGS_TEXT_SIZE], struct sql_error *error);
/** What search_path is where nobody sets it, in place of "$user", public; copied. STATUS_NO_MEMORY. */
MUST_CHECK enum status settings_set_file_path(struct settings *settings, const char *text);
/**
 * `values` of SET; `local` counts within a block alone. A name with a dot that is not known becomes a setting of the
 * session's own. 42704, 22023.
 */
MUST_CHECK enum status settings_set(struct settings *settings, const char *name,
                                    const char *const *values, uint32_t count, bool local,
                                    bool in_block, struct sql_error *error);
/** One text, as settings_join gives it and SHOW does. */
MUST_CHECK enum status settings_set_text(struct settings *settings, const char *name,
                                         const char *value, bool local, bool in_block,
                                         struct sql_error *error);
/** To its default; `name` NULL: all of them. */
MUST_CHECK enum status settings_reset(struct settings *settings, const char *name, bool local,
                                      bool in_block, struct sql_error *error);
/** A block has ended. */
void settings_end(struct settings *settings, bool committed);

/** The value as text, valid until the setting changes. 42704. */
MUST_CHECK enum status settings_get(const struct settings *settings, const char *name,
                                    const char **name_out, const char **out,
                                    struct sql_error *error);
/* What is told of a setting; texts stay until it changes. */
struct settings_fact {
    const char *name;
    const char *value; /* As SHOW gives it. */
    const char *standard;
    const char *category;
    const char *description;
    const char *type; /* bool, enum, integer or string. */
    const char *unit; /* NULL: none, and `number` means nothing. */
    int64_t number;
    bool read_only;
    bool is_set; /* By the session. */
};
/** The setting of this number, in order of names, then the session's own; false past the last one. */
bool settings_at(const struct settings *settings, uint32_t index, struct settings_fact *out);

/* What the executor asks for. */
const struct search_path *settings_path(const struct settings *settings);
/** Names without a schema are looked for in this one first, from now on; the text is the caller's. */
void settings_set_temporary(struct settings *settings, const char *schema);
/** Changes whenever the path or the time zone does: plans made before do not fit. */
uint64_t settings_path_epoch(const struct settings *settings);
const struct zone *settings_zone(const struct settings *settings);
enum qtdb_isolation settings_isolation(const struct settings *settings);
bool settings_read_only(const struct settings *settings);
bool settings_asynchronous(const struct settings *settings);
/* 0: none. */
uint32_t settings_lock_timeout_ms(const struct settings *settings);
uint32_t settings_statement_timeout_ms(const struct settings *settings);
/** enable_hashjoin, enable_mergejoin and enable_nestloop that are off, as enum plan_join_off together. */
unsigned settings_joins_off(const struct settings *settings);
/** work_mem in bytes; 0: not set, the default counts. */
size_t settings_work_mem(const struct settings *settings);

#endif
