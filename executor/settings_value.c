/*
 * What settings there are, and what their values may be: read, refused, and put as SHOW gives them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/interval.h"
#include "executor/settings_private.h"

/* PostgreSQL's bounds of work_mem, in kB. */
enum { WORK_MEM_MIN = 64, WORK_MEM_MAX = INT32_MAX };

const struct settings__entry settings__table[SETTING_COUNT] = {
    {"application_name", SETTING_FREE, "", NULL, "Reporting and Logging / What to Log",
     "The name that a client gives itself."},
    {"array_nulls", SETTING_FIXED, "on", ",on,true,1,",
     "Version and Platform Compatibility / Previous PostgreSQL Versions",
     "NULL in an array's text is a null."},
    {"backslash_quote", SETTING_FIXED, "safe_encoding", ",safe_encoding,",
     "Version and Platform Compatibility / Previous PostgreSQL Versions",
     "Whether \\' stands for a quote in texts."},
    {"bytea_output", SETTING_FIXED, "hex", ",hex,",
     "Client Connection Defaults / Statement Behavior", "How a bytea is written."},
    {"check_function_bodies", SETTING_BOOLEAN, "on", NULL,
     "Client Connection Defaults / Statement Behavior",
     "Functions are checked when they are made: there are none."},
    {"client_encoding", SETTING_FIXED, "UTF8", ",utf8,utf-8,unicode,",
     "Client Connection Defaults / Locale and Formatting", "The client's encoding."},
    {"client_min_messages", SETTING_CHOICE, "notice",
     ",debug5,debug4,debug3,debug2,debug1,debug,log,notice,warning,error,",
     "Client Connection Defaults / Statement Behavior", "The least message that a client is sent."},
    {"DateStyle", SETTING_FIXED, "ISO, MDY", ",iso,iso; mdy,mdy; iso,iso; us,mdy,us,",
     "Client Connection Defaults / Locale and Formatting",
     "How dates are written, and read where it is not clear."},
    {"default_table_access_method", SETTING_FREE, "heap", NULL,
     "Client Connection Defaults / Statement Behavior", "How new tables are kept: in one way."},
    {"default_tablespace", SETTING_FREE, "", NULL,
     "Client Connection Defaults / Statement Behavior",
     "Where new tables are kept: in the one file."},
    {"default_transaction_deferrable", SETTING_FIXED, "off", ",off,false,0,",
     "Client Connection Defaults / Statement Behavior",
     "Whether new transactions wait until they cannot fail."},
    [SETTING_DEFAULT_ISOLATION] = {"default_transaction_isolation", SETTING_ISOLATION,
                                   "read committed", NULL,
                                   "Client Connection Defaults / Statement Behavior",
                                   "The isolation of new transactions."},
    [SETTING_DEFAULT_READ_ONLY] = {"default_transaction_read_only", SETTING_BOOLEAN, "off", NULL,
                                   "Client Connection Defaults / Statement Behavior",
                                   "Whether new transactions only read."},
    [SETTING_HASH_JOIN] = {"enable_hashjoin", SETTING_BOOLEAN, "on", NULL,
                           "Query Tuning / Planner Method Configuration",
                           "Whether plans may have hash joins."},
    [SETTING_MERGE_JOIN] = {"enable_mergejoin", SETTING_BOOLEAN, "on", NULL,
                            "Query Tuning / Planner Method Configuration",
                            "Whether plans may have merge joins."},
    [SETTING_LOOP_JOIN] = {"enable_nestloop", SETTING_BOOLEAN, "on", NULL,
                           "Query Tuning / Planner Method Configuration",
                           "Whether plans may have nested loops."},
    {"escape_string_warning", SETTING_BOOLEAN, "on", NULL,
     "Version and Platform Compatibility / Previous PostgreSQL Versions",
     "Warnings of backslashes in plain texts: none are given."},
    {"extra_float_digits", SETTING_DIGITS, "1", NULL,
     "Client Connection Defaults / Locale and Formatting",
     "Digits of floats: the shortest that read back."},
    {"idle_in_transaction_session_timeout", SETTING_FIXED, "0", ",0,",
     "Client Connection Defaults / Statement Behavior",
     "The longest that a block may wait for its next statement."},
    {"idle_session_timeout", SETTING_FIXED, "0", ",0,",
     "Client Connection Defaults / Statement Behavior",
     "The longest that a session may wait for its next statement."},
    {"integer_datetimes", SETTING_READ_ONLY, "on", NULL, "Preset Options", "Moments are integers."},
    {"IntervalStyle", SETTING_FIXED, "postgres", ",postgres,",
     "Client Connection Defaults / Locale and Formatting", "How intervals are written."},
    {"lc_collate", SETTING_READ_ONLY, "C", NULL,
     "Client Connection Defaults / Locale and Formatting", "The order of texts."},
    {"lc_ctype", SETTING_READ_ONLY, "C.UTF-8", NULL,
     "Client Connection Defaults / Locale and Formatting", "Letters and their cases."},
    {"lc_messages", SETTING_READ_ONLY, "C", NULL,
     "Client Connection Defaults / Locale and Formatting", "The language of messages."},
    {"lc_monetary", SETTING_READ_ONLY, "C", NULL,
     "Client Connection Defaults / Locale and Formatting", "How amounts of money are written."},
    {"lc_numeric", SETTING_READ_ONLY, "C", NULL,
     "Client Connection Defaults / Locale and Formatting", "How numbers are written."},
    {"lc_time", SETTING_READ_ONLY, "C", NULL, "Client Connection Defaults / Locale and Formatting",
     "The names of months and days."},
    [SETTING_LOCK_TIMEOUT] = {"lock_timeout", SETTING_MILLISECONDS, "0", NULL,
                              "Client Connection Defaults / Statement Behavior",
                              "The longest wait for one lock."},
    {"maintenance_work_mem", SETTING_FREE, "64MB", NULL, "Resource Usage / Memory",
     "Memory for definitions."},
    {"max_identifier_length", SETTING_READ_ONLY, "63", NULL, "Preset Options",
     "The longest name, in bytes."},
    {"quote_all_identifiers", SETTING_FIXED, "off", ",off,false,0,",
     "Version and Platform Compatibility / Previous PostgreSQL Versions",
     "Whether all names get quotes."},
    {"row_security", SETTING_BOOLEAN, "on", NULL, "Client Connection Defaults / Statement Behavior",
     "Policies of rows: there are none."},
    [SETTING_SEARCH_PATH] = {"search_path", SETTING_PATH, "\"$user\", public", NULL,
                             "Client Connection Defaults / Statement Behavior",
                             "The schemas in which names without one are looked for."},
    {"server_encoding", SETTING_READ_ONLY, "UTF8", NULL, "Preset Options",
     "The encoding of the file."},
    {"server_version", SETTING_READ_ONLY, "15.0 (qtdb " QTDB_VERSION_STRING ")", NULL,
     "Preset Options", "The version."},
    {"server_version_num", SETTING_READ_ONLY, "150000", NULL, "Preset Options",
     "The version as a number."},
    {"session_replication_role", SETTING_FIXED, "origin", ",origin,",
     "Client Connection Defaults / Statement Behavior", "Whether triggers and rules run."},
    {"standard_conforming_strings", SETTING_FIXED, "on", ",on,true,1,",
     "Version and Platform Compatibility / Previous PostgreSQL Versions",
     "Backslashes in plain texts are themselves."},
    [SETTING_STATEMENT_TIMEOUT] = {"statement_timeout", SETTING_MILLISECONDS, "0", NULL,
                                   "Client Connection Defaults / Statement Behavior",
                                   "The longest that a statement may take."},
    [SETTING_SYNCHRONOUS_COMMIT] = {"synchronous_commit", SETTING_BOOLEAN, "on", NULL,
                                    "Write-Ahead Log / Settings",
                                    "Whether COMMIT waits for the disk."},
    [SETTING_TIME_ZONE] = {"TimeZone", SETTING_ZONE, "UTC", NULL,
                           "Client Connection Defaults / Locale and Formatting",
                           "The zone whose clocks show moments."},
    {"transform_null_equals", SETTING_FIXED, "off", ",off,false,0,",
     "Version and Platform Compatibility / Other Platforms and Clients",
     "Whether = NULL means IS NULL."},
    {"vacuum_cost_delay", SETTING_FREE, "0", NULL, "Resource Usage / Cost-Based Vacuum Delay",
     "A pause of VACUUM: it makes none."},
    [SETTING_WORK_MEM] = {"work_mem", SETTING_MEMORY, "64MB", NULL, "Resource Usage / Memory",
                          "Memory of a sort or a hash table before it goes on in a file."},
    {"xmloption", SETTING_FREE, "content", NULL, "Client Connection Defaults / Statement Behavior",
     "How XML is read: it is not."},
};

enum status
settings__invalid(const char *name, const char *value, struct sql_error *error)
{
    return sql_error_set(error, "22023", -1, "invalid value for parameter \"%s\": \"%s\"", name,
                         value);
}

bool
settings__read_boolean(const char *text, bool *out)
{
    static const struct {
        const char *word;
        size_t least; /* Letters that tell it from others. */
        bool on;
    } words[] = {{"on", 2, true},  {"off", 2, false}, {"true", 1, true}, {"false", 1, false},
                 {"yes", 1, true}, {"no", 1, false},  {"1", 1, true},    {"0", 1, false}};
    size_t size = strlen(text);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (size >= words[i].least && size <= strlen(words[i].word) &&
            strncasecmp(words[i].word, text, size) == 0) {
            *out = words[i].on;
            return true;
        }
    }
    return false;
}

/* Units of time, the largest first. */
static const struct unit {
    const char *name;
    double milliseconds;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000},
             {"s", 1000},     {"ms", 1},      {"us", 0.001}};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]), UNIT_MS = 4 };

bool
settings__read_milliseconds(const char *text, int64_t *out)
{
    char *end = NULL;
    double value = strtod(text, &end), factor = *end == '\0' ? 1 : 0;

    if (end == text || strpbrk(text, "xXnN") == text + 1)
        return false;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(end, units[i].name) == 0)
            factor = units[i].milliseconds;
    }
    if (*end == '\0')
        factor = 1;
    value = rint(value * factor);
    if (factor <= 0 || !(fabs(value) < 1e15))
        return false;
    *out = (int64_t)value;
    return true;
}

/* In the largest unit that leaves no rest, as PostgreSQL shows it. */
static void
write_milliseconds(int64_t value, char *out, size_t room)
{
    size_t unit = 0;

    while (unit < UNIT_MS && value % (int64_t)units[unit].milliseconds != 0)
        unit++;
    if (value == 0)
        (void)snprintf(out, room, "0");
    else
        (void)snprintf(out, room, "%lld%s", (long long)(value / (int64_t)units[unit].milliseconds),
                       units[unit].name);
}

bool
settings__read_memory(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t size;
    } sizes[] = {{"", 1024},
                 {"B", 1},
                 {"kB", 1024},
                 {"MB", UINT64_C(1) << 20},
                 {"GB", UINT64_C(1) << 30},
                 {"TB", UINT64_C(1) << 40}};
    char *end = NULL;

    if (*text < '0' || *text > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (strcmp(end, sizes[i].name) == 0 && value <= INT64_MAX / sizes[i].size) {
            *out = value * sizes[i].size / 1024;
            return true;
        }
    }
    return false;
}

/* In the largest unit that leaves no rest, as PostgreSQL shows it. */
static void
write_memory(uint64_t value, char *out, size_t room)
{
    static const char *const names[] = {"kB", "MB", "GB", "TB"};
    uint32_t unit = 0;

    for (; unit < 3 && value % 1024 == 0; unit++)
        value /= 1024;
    (void)snprintf(out, room, "%llu%s", (unsigned long long)value, names[unit]);
}

static bool
is_accepted(const struct settings__entry *entry, const char *value)
{
    char wanted[64] = ",";
    size_t size = 1;

    for (; *value != '\0' && size < sizeof(wanted) - 2; value++) {
        char letter = *value;

        if (letter == ',')
            letter = ';';
        else if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter + 32);
        wanted[size++] = letter;
    }
    wanted[size++] = ',';
    wanted[size] = '\0';
    return strstr(entry->accepted, wanted) != NULL;
}

static enum status
take_milliseconds(const struct settings__entry *entry, char text[SETTINGS_TEXT_SIZE],
                  struct sql_error *error)
{
    int64_t value = 0;

    if (!settings__read_milliseconds(text, &value))
        return settings__invalid(entry->name, text, error);
    if (value < 0 || value > INT32_MAX)
        return sql_error_set(error, "22023", -1,
                             "%lld ms is outside the valid range for parameter \"%s\" (0 .. %d)",
                             (long long)value, entry->name, INT32_MAX);
    write_milliseconds(value, text, SETTINGS_TEXT_SIZE);
    return STATUS_OK;
}

static enum status
take_memory(const struct settings__entry *entry, char text[SETTINGS_TEXT_SIZE],
            struct sql_error *error)
{
    uint64_t size = 0;

    if (!settings__read_memory(text, &size))
        return settings__invalid(entry->name, text, error);
    if (size < WORK_MEM_MIN || size > WORK_MEM_MAX)
        return sql_error_set(error, "22023", -1,
                             "%llu kB is outside the valid range for parameter \"%s\" (%d .. %d)",
                             (unsigned long long)size, entry->name, WORK_MEM_MIN, WORK_MEM_MAX);
    write_memory(size, text, SETTINGS_TEXT_SIZE);
    return STATUS_OK;
}

/* INTERVAL '...', without months and days. */
static enum status
zone_of_interval(struct memory *memory, const char *text, const struct zone **out,
                 struct sql_error *error)
{
    static const struct sql_type type = {QTDB_TYPE_INTERVAL, -1, -1};
    const char *from = strchr(text, '\''), *end = strrchr(text, '\'');
    struct interval interval = {0, 0, 0};
    struct value value;
    struct arena arena;

    if (from == end)
        return settings__invalid("TimeZone", text, error);
    arena_init(&arena, memory, MEMORY_SQL);
    enum status status =
        interval_parse(&type, from + 1, (size_t)(end - from) - 1, &arena, &value, error);
    if (status == STATUS_OK)
        interval = interval_get(&value);
    arena_deinit(&arena);
    TRY(status);
    if (interval.months != 0)
        return sql_error_set(error, "22023", -1, "Cannot specify months in time zone interval.");
    if (interval.days != 0)
        return sql_error_set(error, "22023", -1, "Cannot specify days in time zone interval.");
    return zone_fixed((int32_t)(interval.microseconds / 1000000), out, error);
}

/* SET TIME ZONE: INTERVAL '...', a number of hours, or a name. */
static enum status
find_zone(struct memory *memory, const char *text, const struct zone **out, struct sql_error *error)
{
    enum status status = STATUS_OK;
    char *end = NULL;

    if (strncasecmp(text, "interval ", 9) == 0)
        return zone_of_interval(memory, text, out, error);
    double hours = strtod(text, &end);
    if (end != text && *end == '\0') {
        if (!(hours >= -167 && hours <= 167))
            return settings__invalid("TimeZone", text, error);
        return zone_fixed((int32_t)(hours * 3600), out, error);
    }
    *out = zone_find(text, strlen(text), error, &status);
    return *out != NULL || status != STATUS_OK ? status
                                               : settings__invalid("TimeZone", text, error);
}

static enum status
take_zone(char text[SETTINGS_TEXT_SIZE], struct memory *memory, struct sql_error *error)
{
    const struct zone *zone = NULL;

    TRY(find_zone(memory, text, &zone, error));
    (void)snprintf(text, SETTINGS_TEXT_SIZE, "%s", zone_name(zone));
    return STATUS_OK;
}

static enum status
take_digits(const struct settings__entry *entry, const char *text, struct sql_error *error)
{
    enum { LEAST = -15, MOST = 3 };
    char *end = NULL;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0')
        return settings__invalid(entry->name, text, error);
    if (value < LEAST || value > MOST)
        return sql_error_set(error, "22023", -1,
                             "%ld is outside the valid range for parameter \"%s\" (%d .. %d)",
                             value, entry->name, LEAST, MOST);
    if (value < 1)
        return sql_error_set(error, "0A000", -1, "setting \"%s\" to \"%s\" is not supported yet",
                             entry->name, text);
    return STATUS_OK;
}

static enum status
take_word(const struct settings__entry *entry, char text[SETTINGS_TEXT_SIZE],
          struct sql_error *error)
{
    if (is_accepted(entry, text)) {
        if (entry->kind == SETTING_FIXED)
            (void)snprintf(text, SETTINGS_TEXT_SIZE, "%s", entry->value);
        return STATUS_OK;
    }
    return entry->kind == SETTING_CHOICE
               ? settings__invalid(entry->name, text, error)
               : sql_error_set(error, "0A000", -1, "setting \"%s\" to \"%s\" is not supported yet",
                               entry->name, text);
}

static bool
is_isolation(const char *text)
{
    return strcmp(text, "serializable") == 0 || strcmp(text, "repeatable read") == 0 ||
           strcmp(text, "read committed") == 0 || strcmp(text, "read uncommitted") == 0;
}

enum status
settings__take(const struct settings__entry *entry, char text[SETTINGS_TEXT_SIZE],
               struct memory *memory, struct sql_error *error)
{
    bool on = false;

    switch (entry->kind) {
    case SETTING_FIXED:
    case SETTING_CHOICE:
        return take_word(entry, text, error);
    case SETTING_READ_ONLY:
        return sql_error_set(error, "55P02", -1, "parameter \"%s\" cannot be changed", entry->name);
    case SETTING_BOOLEAN:
        if (!settings__read_boolean(text, &on))
            return sql_error_set(error, "22023", -1, "parameter \"%s\" requires a Boolean value",
                                 entry->name);
        (void)snprintf(text, SETTINGS_TEXT_SIZE, "%s", on ? "on" : "off");
        return STATUS_OK;
    case SETTING_ISOLATION:
        return is_isolation(text) ? STATUS_OK : settings__invalid(entry->name, text, error);
    case SETTING_MILLISECONDS:
        return take_milliseconds(entry, text, error);
    case SETTING_MEMORY:
        return take_memory(entry, text, error);
    case SETTING_ZONE:
        return take_zone(text, memory, error);
    case SETTING_DIGITS:
        return take_digits(entry, text, error);
    default:
        return STATUS_OK;
    }
}
