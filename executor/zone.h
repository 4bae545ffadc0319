/*
 * Time zones: the offsets from UTC that a place has had and will have, as the system's tz database tells
 * them (TZif files, RFC 8536; below /usr/share/zoneinfo), or a POSIX TZ string does.
 *
 * A zone is made once a process and then only read, by any thread, to the process's end. UTC and GMT need no
 * database. Moments are microseconds since 2000-01-01 UTC, or of a clock on the wall; offsets are seconds
 * east of Greenwich. Thread-safe.
 */
#ifndef EXECUTOR_ZONE_H
#define EXECUTOR_ZONE_H

#include "executor/parse.h"

struct zone;

enum {
    ZONE_NAME_SIZE = 256,
    ZONE_WORD_SIZE = 32, /* Of an abbreviation, with its NUL. */
    ZONE_OFFSET_MAX = 26 * 3600,
    ZONE_SHOWN_MAX = 16 * 3600 - 1, /* What a text may give, as PostgreSQL has it. */
};

/* What a zone says of a moment. */
struct zone_clock {
    int32_t offset;
    bool summer;
    const char *word; /* As long as the zone. */
};

/** UTC. */
const struct zone *zone_utc(void);
/**
 * By a name of the database in any case, or a POSIX TZ string such as EST5EDT or <+02>-02. NULL: there is none, or
 * `*status_out` is not OK: STATUS_NO_MEMORY; STATUS_INVALID with 22023 or 58P01 in `error` where it is
 * there but cannot be used, or the whole database is missing.
 */
const struct zone *zone_find(const char *name, size_t size, struct sql_error *error,
                             enum status *status_out);
/** The same, and what is not there is 22023 too: time zone "..." not recognized. */
MUST_CHECK enum status zone_get(const char *name, size_t size, const struct zone **out,
                                struct sql_error *error);
/** A zone of one offset, named as PostgreSQL does: <+02>-02. STATUS_NO_MEMORY. */
MUST_CHECK enum status zone_fixed(int32_t offset, const struct zone **out, struct sql_error *error);
const char *zone_name(const struct zone *zone);

/** What the clocks show at a moment. */
struct zone_clock zone_at(const struct zone *zone, int64_t moment);
/**
 * What they showed when they stood at `local`. A time left out when clocks went forward counts as before that, one
 * that came twice as the second: PostgreSQL's rule.
 */
struct zone_clock zone_of_local(const struct zone *zone, int64_t local);
int64_t zone_to_local(const struct zone *zone, int64_t moment);
int64_t zone_to_moment(const struct zone *zone, int64_t local);

/** A word such as EST or MSK, in any case. `zone_out` NULL: it is an offset. False: unknown. */
bool zone_abbreviation(const char *word, size_t size, int32_t *offset_out, const char **zone_out);

/* The zone of the session that runs in this thread. */

/** UTC where nothing was set. */
const struct zone *zone_session(void);
/** Gives what was before. NULL: UTC. */
const struct zone *zone_enter(const struct zone *zone);

#endif
