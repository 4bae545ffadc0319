/* A zone inside: zone.c reads it, zone_file.c and zone_rule.c make it from bytes and texts. */
#ifndef EXECUTOR_ZONE_PRIVATE_H
#define EXECUTOR_ZONE_PRIVATE_H

#include "executor/zone.h"

/* The bounds of the tz project's own reader. */
enum { ZONE_TIMES_MAX = 2000, ZONE_TYPES_MAX = 256, ZONE_FILE_MAX = 256 * 1024 };

struct zone_type {
    int32_t offset;
    bool summer;
    char word[ZONE_WORD_SIZE];
};

enum zone_day { ZONE_JULIAN = 1, ZONE_DAY = 2, ZONE_WEEKDAY = 3 };

/* When clocks change each year: Jn, n or Mm.w.d, and seconds after local midnight. */
struct zone_change {
    enum zone_day kind;
    int32_t day; /* 1 to 365, 0 to 365, or the weekday, 0 Sunday. */
    int32_t week;
    int32_t month;
    int32_t seconds;
};

/* A POSIX TZ string. */
struct zone_rule {
    struct zone_type standard;
    struct zone_type summer;
    bool changes; /* Else standard time all year. */
    struct zone_change to_summer;
    struct zone_change to_standard;
};

/* Seconds since 1970 UTC. */
struct zone {
    struct zone *next;        /* Of its bucket. */
    char key[ZONE_NAME_SIZE]; /* Lower case. */
    char name[ZONE_NAME_SIZE];
    uint32_t time_count;
    uint32_t type_count; /* At least 1 where there is no rule. */
    bool has_rule;       /* For what is not before the last of the times. */
    struct zone_rule rule;
    const int64_t *times; /* Ascending; from each on counts */
    const uint8_t *types; /* this one of */
    const struct zone_type *kinds;
};

/* The offsets around a change. */
struct zone_boundary {
    int64_t time;
    struct zone_type before;
    struct zone_type after;
};

/* zone_file.c */
/**
 * From the bytes of a TZif file, which may be any; arrays in the arena. STATUS_CORRUPT: they are none;
 * STATUS_INVALID: they count leap seconds; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status zone__decode(const uint8_t *bytes, size_t size, struct arena *arena,
                                    struct zone *out);

/* zone_rule.c */
/** False: the text is no POSIX TZ string. Summer time without a rule has that of the United States. */
bool zone__rule_parse(const char *text, size_t size, struct zone_rule *out);
const struct zone_type *zone__rule_at(const struct zone_rule *rule, int64_t seconds);
/** The next change after `seconds`; false: there is none. */
bool zone__rule_next(const struct zone_rule *rule, int64_t seconds, struct zone_boundary *out);

/** For tests: the database's directory, before any thread asks for a zone. The text stays the caller's. */
void zone__set_database(const char *path);

#endif
