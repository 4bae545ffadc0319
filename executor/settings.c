/*
 * Settings (settings.h). For each one three texts: what counts now, what will after COMMIT, and what
 * will after ROLLBACK; NULL is the default. Outside a block they are one.
 */
#include "executor/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/interval.h"
#include "executor/plan.h"
#include "kernel/base/check.h"

enum kind {
    FREE = 1,      /* Any text; nothing depends on it. */
    FIXED = 2,     /* One of the texts in `accepted`, which all mean what we do. */
    READ_ONLY = 3, /* Shown only. */
    PATH = 4,
    BOOLEAN = 5,
    ISOLATION = 6,
    MILLISECONDS = 7,
    MEMORY = 8, /* In kB, at least WORK_MEM_MIN. */
    ZONE = 9,   /* Its name, canonical. */
};

/* PostgreSQL's bounds of work_mem, in kB. */
enum { WORK_MEM_MIN = 64, WORK_MEM_MAX = INT32_MAX };

enum {
    DEFAULT_ISOLATION = 6,
    DEFAULT_READ_ONLY = 7,
    ENABLE_HASH_JOIN = 10,
    ENABLE_MERGE_JOIN = 11,
    ENABLE_LOOP_JOIN = 12,
    LOCK_TIMEOUT = 17,
    SEARCH_PATH = 20,
    SYNCHRONOUS_COMMIT = 26,
    TIME_ZONE = 27,
    WORK_MEM = 28,
    SETTING_COUNT = 30,
};

/* In order of names. */
static const struct setting {
    const char *name;
    enum kind kind;
    const char *value;    /* The default. */
    const char *accepted; /* FIXED: lower case, with commas around each. */
} table[SETTING_COUNT] = {
    {"application_name", FREE, "", NULL},
    {"bytea_output", FIXED, "hex", ",hex,"},
    {"check_function_bodies", FREE, "on", NULL},
    {"client_encoding", FIXED, "UTF8", ",utf8,utf-8,unicode,"},
    {"client_min_messages", FREE, "notice", NULL},
    {"DateStyle", FIXED, "ISO, MDY", ",iso,iso; mdy,"},
    [DEFAULT_ISOLATION] = {"default_transaction_isolation", ISOLATION, "read committed", NULL},
    [DEFAULT_READ_ONLY] = {"default_transaction_read_only", BOOLEAN, "off", NULL},
    {"default_table_access_method", FREE, "heap", NULL},
    {"default_tablespace", FREE, "", NULL},
    [ENABLE_HASH_JOIN] = {"enable_hashjoin", BOOLEAN, "on", NULL},
    [ENABLE_MERGE_JOIN] = {"enable_mergejoin", BOOLEAN, "on", NULL},
    [ENABLE_LOOP_JOIN] = {"enable_nestloop", BOOLEAN, "on", NULL},
    {"extra_float_digits", FIXED, "1", ",1,2,3,"},
    {"idle_in_transaction_session_timeout", FIXED, "0", ",0,"},
    {"IntervalStyle", FIXED, "postgres", ",postgres,"},
    {"lc_messages", READ_ONLY, "C", NULL},
    [LOCK_TIMEOUT] = {"lock_timeout", MILLISECONDS, "0", NULL},
    {"maintenance_work_mem", FREE, "64MB", NULL},
    {"row_security", FREE, "on", NULL},
    [SEARCH_PATH] = {"search_path", PATH, "\"$user\", public", NULL},
    {"server_encoding", READ_ONLY, "UTF8", NULL},
    {"server_version", READ_ONLY, "15.0 (qtdb " QTDB_VERSION_STRING ")", NULL},
    {"server_version_num", READ_ONLY, "150000", NULL},
    {"standard_conforming_strings", FIXED, "on", ",on,true,1,"},
    {"statement_timeout", FIXED, "0", ",0,"},
    [SYNCHRONOUS_COMMIT] = {"synchronous_commit", BOOLEAN, "on", NULL},
    [TIME_ZONE] = {"TimeZone", ZONE, "UTC", NULL},
    [WORK_MEM] = {"work_mem", MEMORY, "64MB", NULL},
    {"xmloption", FREE, "content", NULL},
};

struct settings {
    struct memory *memory;
    char *now[SETTING_COUNT];
    char *committed[SETTING_COUNT]; /* Of settings changed in the block. */
    char *before[SETTING_COUNT];
    bool changed[SETTING_COUNT];
    bool any_changed;
    struct search_path path;
    struct arena path_arena;
    uint64_t path_epoch;
    char *file_path; /* The path's default; NULL: that of the table. */
    const struct zone *zone;
};

/* Texts. */

static char *
copy(struct settings *settings, const char *text)
{
    size_t size = strlen(text) + 1;
    char *bytes = memory_alloc(settings->memory, MEMORY_SQL, size);

    if (bytes != NULL)
        memcpy(bytes, text, size);
    return bytes;
}

static void
drop(struct settings *settings, char **text)
{
    if (*text != NULL)
        memory_free(settings->memory, MEMORY_SQL, *text, strlen(*text) + 1);
    *text = NULL;
}

static const char *
value_of(const struct settings *settings, uint32_t index)
{
    if (settings->now[index] != NULL)
        return settings->now[index];
    return index == SEARCH_PATH && settings->file_path != NULL ? settings->file_path
                                                               : table[index].value;
}

/* The path. */

/* One name of a list such as: a, "B c", d. False at the end. */
static bool
next_name(const char **at, char *out)
{
    const char *text = *at;
    bool quoted;

    while (*text == ' ' || *text == ',')
        text++;
    if (*text == '\0')
        return false;
    quoted = *text == '"';
    if (quoted)
        text++;
    while (*text != '\0' && (quoted || *text != ',')) {
        if (quoted && *text == '"') {
            text++;
            if (*text != '"')
                break;
        }
        *out++ = *text++;
    }
    *out = '\0';
    *at = text;
    return true;
}

static enum status
read_path(const char *text, struct arena *arena, struct search_path *out)
{
    size_t size = strlen(text) + 1;
    const char **names = arena_alloc(arena, (size / 2 + 1) * sizeof(*names));
    char *bytes = arena_alloc(arena, 2 * size);

    if (names == NULL || bytes == NULL)
        return STATUS_NO_MEMORY;
    out->count = 0;
    while (next_name(&text, bytes)) {
        names[out->count++] = bytes;
        bytes += strlen(bytes) + 1;
    }
    out->names = names;
    return STATUS_OK;
}

/* The path after a change. Without memory the one before stays, and the change is refused. */
static enum status
renew_path(struct settings *settings)
{
    struct search_path path;
    struct arena arena;

    arena_init(&arena, settings->memory, MEMORY_SQL);
    enum status status = read_path(value_of(settings, SEARCH_PATH), &arena, &path);
    if (status != STATUS_OK) {
        arena_deinit(&arena);
        return status;
    }
    path.temporary = settings->path.temporary;
    arena_deinit(&settings->path_arena);
    settings->path_arena = arena;
    settings->path = path;
    settings->path_epoch++;
    return STATUS_OK;
}

enum status
settings_set_file_path(struct settings *settings, const char *text)
{
    drop(settings, &settings->file_path);
    settings->file_path = copy(settings, text);
    return settings->file_path == NULL ? STATUS_NO_MEMORY : renew_path(settings);
}

/* Names that stand in a setting have been found before. */
static void
renew_zone(struct settings *settings)
{
    const char *name = value_of(settings, TIME_ZONE);
    struct sql_error error = {.location = -1};
    const struct zone *zone = NULL;

    CHECK(zone_get(name, strlen(name), &zone, &error) == STATUS_OK);
    settings->path_epoch += zone != settings->zone; /* Constants in plans went by the other. */
    settings->zone = zone;
}

struct settings *
settings_new(struct memory *memory)
{
    struct settings *settings = memory_alloc(memory, MEMORY_SQL, sizeof(*settings));

    if (settings == NULL)
        return NULL;
    settings->memory = memory;
    settings->zone = zone_utc();
    arena_init(&settings->path_arena, memory, MEMORY_SQL);
    if (renew_path(settings) != STATUS_OK) {
        settings_free(settings);
        return NULL;
    }
    return settings;
}

void
settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (uint32_t i = 0; i < SETTING_COUNT; i++) {
        drop(settings, &settings->now[i]);
        drop(settings, &settings->committed[i]);
        drop(settings, &settings->before[i]);
    }
    drop(settings, &settings->file_path);
    arena_deinit(&settings->path_arena);
    memory_free(settings->memory, MEMORY_SQL, settings, sizeof(*settings));
}

/* Changing. */

static uint32_t
find(const char *name)
{
    for (uint32_t i = 0; i < SETTING_COUNT; i++) {
        if (strcasecmp(table[i].name, name) == 0)
            return i;
    }
    return SETTING_COUNT;
}

static enum status
unknown(const char *name, struct sql_error *error)
{
    return sql_error_set(error, "42704", -1, "unrecognized configuration parameter \"%s\"", name);
}

static enum status
invalid(const char *name, const char *value, struct sql_error *error)
{
    return sql_error_set(error, "22023", -1, "invalid value for parameter \"%s\": \"%s\"", name,
                         value);
}

/* `out` is what counts from here on; the texts of a block are kept beside. */
static enum status
store(struct settings *settings, uint32_t index, const char *value, bool local, bool in_block)
{
    char *now = NULL, *committed = NULL, *before = NULL;

    if (value != NULL && (now = copy(settings, value)) == NULL)
        return STATUS_NO_MEMORY;
    if (in_block && value != NULL && !local && (committed = copy(settings, value)) == NULL)
        goto no_memory;
    if (in_block && !settings->changed[index] && settings->now[index] != NULL &&
        (before = copy(settings, settings->now[index])) == NULL)
        goto no_memory;
    if (in_block && local && !settings->changed[index] && settings->now[index] != NULL &&
        (committed = copy(settings, settings->now[index])) == NULL)
        goto no_memory;
    char *old = settings->now[index];
    settings->now[index] = now;
    if (index == SEARCH_PATH && renew_path(settings) != STATUS_OK) {
        settings->now[index] = old;
        goto no_memory;
    }
    drop(settings, &old);
    if (index == TIME_ZONE)
        renew_zone(settings);
    if (!in_block)
        return STATUS_OK;
    if (!settings->changed[index])
        settings->before[index] = before;
    if (!local || !settings->changed[index]) {
        drop(settings, &settings->committed[index]);
        settings->committed[index] = committed;
    }
    settings->changed[index] = settings->any_changed = true;
    return STATUS_OK;
no_memory:
    drop(settings, &now);
    drop(settings, &committed);
    drop(settings, &before);
    return STATUS_NO_MEMORY;
}

void
settings_end(struct settings *settings, bool committed)
{
    bool path = settings->changed[SEARCH_PATH], zone = settings->changed[TIME_ZONE];

    if (!settings->any_changed)
        return;
    for (uint32_t i = 0; i < SETTING_COUNT; i++) {
        if (!settings->changed[i])
            continue;
        char **kept = committed ? &settings->committed[i] : &settings->before[i];

        drop(settings, &settings->now[i]);
        settings->now[i] = *kept;
        *kept = NULL;
        drop(settings, &settings->committed[i]);
        drop(settings, &settings->before[i]);
        settings->changed[i] = false;
    }
    settings->any_changed = false;
    if (zone)
        renew_zone(settings);
    if (path && renew_path(settings) != STATUS_OK)
        settings->path.count =
            0; /* Names without a schema are then not found, rather than wrong. */
}

static bool
read_boolean(const char *text, bool *out)
{
    static const char *const words[2][4] = {{"off", "false", "no", "0"},
                                            {"on", "true", "yes", "1"}};

    for (uint32_t value = 0; value < 2; value++) {
        for (uint32_t i = 0; i < 4; i++) {
            if (strcasecmp(words[value][i], text) == 0) {
                *out = value != 0;
                return true;
            }
        }
    }
    return false;
}

/* A number with an optional unit. */
static bool
read_milliseconds(const char *text, uint32_t *out)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || value > INT32_MAX || *text == '-')
        return false;
    if (strcmp(end, "s") == 0 && value < INT32_MAX / 1000)
        value *= 1000;
    else if (strcmp(end, "min") == 0 && value < INT32_MAX / 60000)
        value *= 60000;
    else if (*end != '\0' && strcmp(end, "ms") != 0)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* A whole number of kB, or of what its unit says; in kB. */
static bool
read_memory(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t size;
    } units[] = {{"", 1024},
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
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0 && value <= INT64_MAX / units[i].size) {
            *out = value * units[i].size / 1024;
            return true;
        }
    }
    return false;
}

/* In the largest unit that leaves no rest, as PostgreSQL shows it. */
static void
write_memory(uint64_t value, char *out, size_t room)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    uint32_t unit = 0;

    for (; unit < 3 && value % 1024 == 0; unit++)
        value /= 1024;
    (void)snprintf(out, room, "%llu%s", (unsigned long long)value, units[unit]);
}

static bool
is_accepted(const struct setting *setting, const char *value)
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
    return strstr(setting->accepted, wanted) != NULL;
}

static enum status
check_memory(const struct setting *setting, const char *value, struct sql_error *error)
{
    uint64_t size = 0;

    if (!read_memory(value, &size))
        return invalid(setting->name, value, error);
    if (size < WORK_MEM_MIN || size > WORK_MEM_MAX)
        return sql_error_set(error, "22023", -1,
                             "%llu kB is outside the valid range for parameter \"%s\" (%d .. %d)",
                             (unsigned long long)size, setting->name, WORK_MEM_MIN, WORK_MEM_MAX);
    return STATUS_OK;
}

static enum status
check_value(const struct setting *setting, const char *value, struct sql_error *error)
{
    uint32_t milliseconds = 0;
    bool on = false;

    switch (setting->kind) {
    case FIXED:
        return is_accepted(setting, value)
                   ? STATUS_OK
                   : sql_error_set(error, "0A000", -1,
                                   "setting \"%s\" to \"%s\" is not supported yet", setting->name,
                                   value);
    case READ_ONLY:
        return sql_error_set(error, "55P02", -1, "parameter \"%s\" cannot be changed",
                             setting->name);
    case BOOLEAN:
        return read_boolean(value, &on) ? STATUS_OK : invalid(setting->name, value, error);
    case ISOLATION:
        return strcmp(value, "serializable") == 0 || strcmp(value, "repeatable read") == 0 ||
                       strcmp(value, "read committed") == 0 ||
                       strcmp(value, "read uncommitted") == 0
                   ? STATUS_OK
                   : invalid(setting->name, value, error);
    case MILLISECONDS:
        return read_milliseconds(value, &milliseconds) ? STATUS_OK
                                                       : invalid(setting->name, value, error);
    case MEMORY:
        return check_memory(setting, value, error);
    default:
        return STATUS_OK;
    }
}

/* INTERVAL '...', without months and days. */
static enum status
zone_of_interval(const struct settings *settings, const char *text, const struct zone **out,
                 struct sql_error *error)
{
    static const struct sql_type type = {QTDB_TYPE_INTERVAL, -1, -1};
    const char *from = strchr(text, '\''), *end = strrchr(text, '\'');
    struct interval interval = {0, 0, 0};
    struct value value;
    struct arena arena;

    if (from == end)
        return invalid("TimeZone", text, error);
    arena_init(&arena, settings->memory, MEMORY_SQL);
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
find_zone(const struct settings *settings, const char *text, const struct zone **out,
          struct sql_error *error)
{
    enum status status = STATUS_OK;
    char *end = NULL;

    if (strncasecmp(text, "interval ", 9) == 0)
        return zone_of_interval(settings, text, out, error);
    double hours = strtod(text, &end);
    if (end != text && *end == '\0') {
        if (!(hours >= -167 && hours <= 167))
            return invalid("TimeZone", text, error);
        return zone_fixed((int32_t)(hours * 3600), out, error);
    }
    *out = zone_find(text, strlen(text), error, &status);
    return *out != NULL || status != STATUS_OK ? status : invalid("TimeZone", text, error);
}

/* A list as SHOW gives it; names that are not plain get quotes. */
static enum status
join(const char *const *values, uint32_t count, bool names, char *out, size_t room)
{
    size_t size = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        bool plain = !names || (values[i][0] != '\0' && values[i][0] != '$');

        for (const char *at = values[i]; names && plain && *at != '\0'; at++)
            plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
        if (size + 2 * strlen(values[i]) + 5 > room)
            return STATUS_INVALID;
        size +=
            (size_t)snprintf(out + size, room - size, "%s%s", i > 0 ? ", " : "", plain ? "" : "\"");
        for (const char *at = values[i]; *at != '\0'; at++) {
            if (!plain && *at == '"')
                out[size++] = '"';
            out[size++] = *at;
        }
        if (!plain)
            out[size++] = '"';
        out[size] = '\0';
    }
    return STATUS_OK;
}

enum status
settings_join(const char *name, const char *const *values, uint32_t count,
              char out[SETTINGS_TEXT_SIZE], struct sql_error *error)
{
    uint32_t index = find(name);
    bool names = index != SETTING_COUNT && table[index].kind == PATH;

    if (join(values, count, names, out, SETTINGS_TEXT_SIZE) == STATUS_OK)
        return STATUS_OK;
    return sql_error_set(error, "22023", -1, "the value of \"%s\" is too long", name);
}

enum status
settings_set(struct settings *settings, const char *name, const char *const *values, uint32_t count,
             bool local, bool in_block, struct sql_error *error)
{
    uint32_t index = find(name);
    char text[SETTINGS_TEXT_SIZE];

    if (index == SETTING_COUNT)
        return unknown(name, error);
    TRY(settings_join(name, values, count, text, error));
    TRY(check_value(&table[index], text, error));
    uint64_t size = 0;

    if (table[index].kind == MEMORY && read_memory(text, &size))
        write_memory(size, text, sizeof(text));
    if (table[index].kind == ZONE) {
        const struct zone *zone = NULL;

        TRY(find_zone(settings, text, &zone, error));
        (void)snprintf(text, sizeof(text), "%s", zone_name(zone));
    }
    if (local && !in_block)
        return STATUS_OK; /* PostgreSQL warns that it has no effect. */
    return store(settings, index, text, local, in_block);
}

enum status
settings_reset(struct settings *settings, const char *name, bool in_block, struct sql_error *error)
{
    uint32_t index = name == NULL ? 0 : find(name);

    if (index == SETTING_COUNT)
        return unknown(name, error);
    for (uint32_t i = index; i < (name == NULL ? SETTING_COUNT : index + 1); i++)
        TRY(store(settings, i, NULL, false, in_block));
    return STATUS_OK;
}

/* Reading. */

enum status
settings_get(const struct settings *settings, const char *name, const char **name_out,
             const char **out, struct sql_error *error)
{
    uint32_t index = find(name);

    if (index == SETTING_COUNT)
        return unknown(name, error);
    *name_out = table[index].name;
    *out = value_of(settings, index);
    return STATUS_OK;
}

bool
settings_at(const struct settings *settings, uint32_t index, const char **name_out,
            const char **out)
{
    if (index >= SETTING_COUNT)
        return false;
    *name_out = table[index].name;
    *out = value_of(settings, index);
    return true;
}

const struct search_path *
settings_path(const struct settings *settings)
{
    return &settings->path;
}

void
settings_set_temporary(struct settings *settings, const char *schema)
{
    settings->path.temporary = schema;
    settings->path_epoch++;
}

const struct zone *
settings_zone(const struct settings *settings)
{
    return settings->zone;
}

uint64_t
settings_path_epoch(const struct settings *settings)
{
    return settings->path_epoch;
}

enum qtdb_isolation
settings_isolation(const struct settings *settings)
{
    const char *value = settings->now[DEFAULT_ISOLATION];

    /* Here and below: what nobody has set is not read as a text with each transaction. */
    if (value == NULL)
        return QTDB_READ_COMMITTED;
    return strcmp(value, "serializable") == 0      ? QTDB_SERIALIZABLE
           : strcmp(value, "repeatable read") == 0 ? QTDB_REPEATABLE_READ
                                                   : QTDB_READ_COMMITTED;
}

static bool
is_on(const struct settings *settings, uint32_t index)
{
    bool on = false;

    CHECK(read_boolean(value_of(settings, index), &on));
    return on;
}

bool
settings_read_only(const struct settings *settings)
{
    return settings->now[DEFAULT_READ_ONLY] != NULL && is_on(settings, DEFAULT_READ_ONLY);
}

bool
settings_asynchronous(const struct settings *settings)
{
    return settings->now[SYNCHRONOUS_COMMIT] != NULL && !is_on(settings, SYNCHRONOUS_COMMIT);
}

unsigned
settings_joins_off(const struct settings *settings)
{
    static const struct {
        uint32_t index;
        enum plan_join_off off;
    } joins[] = {{ENABLE_HASH_JOIN, PLAN_HASH_JOIN_OFF},
                 {ENABLE_MERGE_JOIN, PLAN_MERGE_JOIN_OFF},
                 {ENABLE_LOOP_JOIN, PLAN_LOOP_JOIN_OFF}};
    unsigned off = 0;

    for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        if (settings->now[joins[i].index] != NULL && !is_on(settings, joins[i].index))
            off |= joins[i].off;
    }
    return off;
}

uint32_t
settings_lock_timeout_ms(const struct settings *settings)
{
    uint32_t milliseconds = 0;

    if (settings->now[LOCK_TIMEOUT] == NULL)
        return 0;
    CHECK(read_milliseconds(settings->now[LOCK_TIMEOUT], &milliseconds));
    return milliseconds;
}

size_t
settings_work_mem(const struct settings *settings)
{
    uint64_t size = 0;

    if (settings->now[WORK_MEM] == NULL)
        return 0;
    CHECK(read_memory(settings->now[WORK_MEM], &size) && size <= WORK_MEM_MAX);
    return (size_t)size * 1024;
}
