/* Settings inside: what there is, and what a value may be (settings_value.c), and where they are kept (settings.c). */
#ifndef EXECUTOR_SETTINGS_PRIVATE_H
#define EXECUTOR_SETTINGS_PRIVATE_H

#include "executor/settings.h"

enum settings__kind {
    SETTING_FREE = 1,      /* Any text; nothing depends on it. */
    SETTING_FIXED = 2,     /* One of the texts in `accepted`, which all mean what we do. */
    SETTING_READ_ONLY = 3, /* Shown only. */
    SETTING_PATH = 4,
    SETTING_BOOLEAN = 5,
    SETTING_ISOLATION = 6,
    SETTING_MILLISECONDS = 7,
    SETTING_MEMORY = 8,  /* In kB, at least WORK_MEM_MIN. */
    SETTING_ZONE = 9,    /* Its name, canonical. */
    SETTING_CHOICE = 10, /* One of `accepted`; nothing depends on it. */
    SETTING_DIGITS = 11, /* extra_float_digits: from 1 on all mean what we do. */
};

/* Those that the executor asks for; settings__table has more. */
enum settings__index {
    SETTING_DEFAULT_ISOLATION = 11,
    SETTING_DEFAULT_READ_ONLY = 12,
    SETTING_HASH_JOIN = 13,
    SETTING_MERGE_JOIN = 14,
    SETTING_LOOP_JOIN = 15,
    SETTING_LOCK_TIMEOUT = 28,
    SETTING_SEARCH_PATH = 33,
    SETTING_STATEMENT_TIMEOUT = 39,
    SETTING_SYNCHRONOUS_COMMIT = 40,
    SETTING_TIME_ZONE = 41,
    SETTING_WORK_MEM = 44,
    SETTING_COUNT = 46,
};

/* In order of names, without regard to case. */
struct settings__entry {
    const char *name;
    enum settings__kind kind;
    const char *value;    /* The default. */
    const char *accepted; /* FIXED and CHOICE: lower case, with commas around each. */
    const char *category;
    const char *description;
};
extern const struct settings__entry settings__table[SETTING_COUNT];

/** 22023. */
MUST_CHECK enum status settings__invalid(const char *name, const char *value,
                                         struct sql_error *error);
/** Refuses what is no value of the setting, and makes it what SHOW gives. */
MUST_CHECK enum status settings__take(const struct settings__entry *entry,
                                      char text[SETTINGS_TEXT_SIZE], struct memory *memory,
                                      struct sql_error *error);
/** The words of yes and no, and what they begin with. */
bool settings__read_boolean(const char *text, bool *out);
/** Milliseconds, or with the unit us, ms, s, min, h or d. Below 0 and past the range too. */
bool settings__read_milliseconds(const char *text, int64_t *out);
/** A whole number of kB, or of what its unit says; in kB. */
bool settings__read_memory(const char *text, uint64_t *out);

#endif
