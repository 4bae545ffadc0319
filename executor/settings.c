/*
 * Settings (settings.h). For each one three texts: what counts now, what will after COMMIT, and what
 * will after ROLLBACK; NULL is the default. Outside a block they are one. Behind those of settings__table stand the
 * session's own ones, whose names have a dot; they are made when they are first set, and their default is "".
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/plan.h"
#include "executor/settings_private.h"
#include "kernel/base/check.h"

enum { SLOTS_MAX = SETTING_COUNT + 1000, NAME_MAX_SIZE = 64 };

struct slot {
    char *name; /* NULL: of settings__table. */
    char *now;
    char *committed; /* Where `changed`. */
    char *before;
    bool changed; /* In the block. */
};

struct settings {
    struct memory *memory;
    struct slot *slots; /* SETTING_COUNT and the session's own. */
    uint32_t slot_count;
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
default_of(const struct settings *settings, uint32_t index)
{
    if (index >= SETTING_COUNT)
        return "";
    return index == SETTING_SEARCH_PATH && settings->file_path != NULL
               ? settings->file_path
               : settings__table[index].value;
}

static const char *
value_of(const struct settings *settings, uint32_t index)
{
    const char *now = settings->slots[index].now;

    return now != NULL ? now : default_of(settings, index);
}

static const char *
name_of(const struct settings *settings, uint32_t index)
{
    return index < SETTING_COUNT ? settings__table[index].name : settings->slots[index].name;
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
    enum status status = read_path(value_of(settings, SETTING_SEARCH_PATH), &arena, &path);
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
    const char *name = value_of(settings, SETTING_TIME_ZONE);
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
    settings->slots = memory_alloc(memory, MEMORY_SQL, SETTING_COUNT * sizeof(struct slot));
    settings->slot_count = settings->slots != NULL ? SETTING_COUNT : 0;
    if (settings->slots == NULL || renew_path(settings) != STATUS_OK) {
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
    for (uint32_t i = 0; i < settings->slot_count; i++) {
        struct slot *slot = &settings->slots[i];

        drop(settings, &slot->name);
        drop(settings, &slot->now);
        drop(settings, &slot->committed);
        drop(settings, &slot->before);
    }
    memory_free(settings->memory, MEMORY_SQL, settings->slots,
                settings->slot_count * sizeof(struct slot));
    drop(settings, &settings->file_path);
    arena_deinit(&settings->path_arena);
    memory_free(settings->memory, MEMORY_SQL, settings, sizeof(*settings));
}

/* Changing. */

/* UINT32_MAX: there is none. */
static uint32_t
find(const struct settings *settings, const char *name)
{
    for (uint32_t i = 0; i < settings->slot_count; i++) {
        if (strcasecmp(name_of(settings, i), name) == 0)
            return i;
    }
    return UINT32_MAX;
}

static enum status
unknown(const char *name, struct sql_error *error)
{
    return sql_error_set(error, "42704", -1, "unrecognized configuration parameter \"%s\"", name);
}

/* Names between dots, two at least. */
static bool
is_own_name(const char *name)
{
    bool begins = true, dot = false;

    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '.' && !begins) {
            begins = dot = true;
            continue;
        }
        bool letter = isalpha((unsigned char)*at) || *at == '_' || (*at & 0x80) != 0;
        if (!letter && (begins || (!isdigit((unsigned char)*at) && *at != '$')))
            return false;
        begins = false;
    }
    return dot && !begins;
}

/* A setting of the session's own. */
static enum status
add(struct settings *settings, const char *name, uint32_t *out, struct sql_error *error)
{
    uint32_t count = settings->slot_count;

    if (strchr(name, '.') == NULL)
        return unknown(name, error);
    if (!is_own_name(name) || strlen(name) >= 2 * NAME_MAX_SIZE)
        return sql_error_set(error, "42602", -1, "invalid configuration parameter name \"%s\"",
                             name);
    if (count == SLOTS_MAX)
        return sql_error_set(error, "54000", -1, "too many settings");
    char *kept = copy(settings, name);
    if (kept == NULL)
        return STATUS_NO_MEMORY;
    struct slot *slots = memory_resize(settings->memory, MEMORY_SQL, settings->slots,
                                       count * sizeof(*slots), (count + 1) * sizeof(*slots));
    if (slots == NULL) {
        drop(settings, &kept);
        return STATUS_NO_MEMORY;
    }
    settings->slots = slots;
    slots[count].name = kept;
    settings->slot_count = count + 1;
    *out = count;
    return STATUS_OK;
}

/* What a change of the value means to others. STATUS_NO_MEMORY: nothing. */
static enum status
renew(struct settings *settings, uint32_t index)
{
    if (index == SETTING_SEARCH_PATH)
        return renew_path(settings);
    if (index == SETTING_TIME_ZONE)
        renew_zone(settings);
    return STATUS_OK;
}

/* `out` is what counts from here on; the texts of a block are kept beside. */
static enum status
store(struct settings *settings, uint32_t index, const char *value, bool local, bool in_block)
{
    struct slot *slot = &settings->slots[index];
    char *now = NULL, *committed = NULL, *before = NULL;

    if (value != NULL && (now = copy(settings, value)) == NULL)
        return STATUS_NO_MEMORY;
    if (in_block && value != NULL && !local && (committed = copy(settings, value)) == NULL)
        goto no_memory;
    if (in_block && !slot->changed && slot->now != NULL &&
        (before = copy(settings, slot->now)) == NULL)
        goto no_memory;
    if (in_block && local && !slot->changed && slot->now != NULL &&
        (committed = copy(settings, slot->now)) == NULL)
        goto no_memory;
    char *old = slot->now;
    slot->now = now;
    if (renew(settings, index) != STATUS_OK) {
        slot->now = old;
        goto no_memory;
    }
    drop(settings, &old);
    if (!in_block)
        return STATUS_OK;
    if (!slot->changed)
        slot->before = before;
    if (!local || !slot->changed) {
        drop(settings, &slot->committed);
        slot->committed = committed;
    }
    slot->changed = settings->any_changed = true;
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
    bool path = settings->slots[SETTING_SEARCH_PATH].changed;
    bool zone = settings->slots[SETTING_TIME_ZONE].changed;

    if (!settings->any_changed)
        return;
    for (uint32_t i = 0; i < settings->slot_count; i++) {
        struct slot *slot = &settings->slots[i];

        if (!slot->changed)
            continue;
        char **kept = committed ? &slot->committed : &slot->before;

        drop(settings, &slot->now);
        slot->now = *kept;
        *kept = NULL;
        drop(settings, &slot->committed);
        drop(settings, &slot->before);
        slot->changed = false;
    }
    settings->any_changed = false;
    if (zone)
        renew_zone(settings);
    if (path && renew_path(settings) != STATUS_OK)
        settings->path.count =
            0; /* Names without a schema are then not found, rather than wrong. */
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
    bool names = strcasecmp(name, settings__table[SETTING_SEARCH_PATH].name) == 0;

    if (join(values, count, names, out, SETTINGS_TEXT_SIZE) == STATUS_OK)
        return STATUS_OK;
    return sql_error_set(error, "22023", -1, "the value of \"%s\" is too long", name);
}

enum status
settings_set_text(struct settings *settings, const char *name, const char *value, bool local,
                  bool in_block, struct sql_error *error)
{
    uint32_t index = find(settings, name);
    char text[SETTINGS_TEXT_SIZE];

    if (strlen(value) >= sizeof(text))
        return sql_error_set(error, "22023", -1, "the value of \"%s\" is too long", name);
    memcpy(text, value, strlen(value) + 1);
    if (index == UINT32_MAX)
        TRY(add(settings, name, &index, error));
    if (index < SETTING_COUNT)
        TRY(settings__take(&settings__table[index], text, settings->memory, error));
    if (local && !in_block)
        return STATUS_OK; /* PostgreSQL warns that it has no effect. */
    return store(settings, index, text, local, in_block);
}

enum status
settings_set(struct settings *settings, const char *name, const char *const *values, uint32_t count,
             bool local, bool in_block, struct sql_error *error)
{
    char text[SETTINGS_TEXT_SIZE];

    TRY(settings_join(name, values, count, text, error));
    return settings_set_text(settings, name, text, local, in_block, error);
}

enum status
settings_reset(struct settings *settings, const char *name, bool local, bool in_block,
               struct sql_error *error)
{
    uint32_t index = name == NULL ? 0 : find(settings, name);

    if (index == UINT32_MAX)
        return unknown(name, error);
    if (local && !in_block)
        return STATUS_OK;
    if (name != NULL && index < SETTING_COUNT && settings__table[index].kind == SETTING_READ_ONLY)
        return sql_error_set(error, "55P02", -1, "parameter \"%s\" cannot be changed", name);
    for (uint32_t i = index; i < (name == NULL ? settings->slot_count : index + 1); i++)
        TRY(store(settings, i, NULL, local, in_block));
    return STATUS_OK;
}

/* Reading. */

enum status
settings_get(const struct settings *settings, const char *name, const char **name_out,
             const char **out, struct sql_error *error)
{
    uint32_t index = find(settings, name);

    if (index == UINT32_MAX)
        return unknown(name, error);
    *name_out = name_of(settings, index);
    *out = value_of(settings, index);
    return STATUS_OK;
}

/* pg_settings gives numbers in the unit of the setting. */
static void
tell_number(struct settings_fact *fact, enum settings__kind kind)
{
    int64_t milliseconds = 0;
    uint64_t size = 0;

    fact->unit = kind == SETTING_MEMORY ? "kB" : "ms";
    fact->type = "integer";
    if (kind == SETTING_MILLISECONDS && settings__read_milliseconds(fact->value, &milliseconds))
        fact->number = milliseconds;
    else if (settings__read_memory(fact->value, &size))
        fact->number = (int64_t)size;
}

bool
settings_at(const struct settings *settings, uint32_t index, struct settings_fact *out)
{
    if (index >= settings->slot_count)
        return false;
    const struct settings__entry *entry = index < SETTING_COUNT ? &settings__table[index] : NULL;
    enum settings__kind kind = entry != NULL ? entry->kind : SETTING_FREE;

    *out = (struct settings_fact){
        .name = name_of(settings, index),
        .value = value_of(settings, index),
        .standard = default_of(settings, index),
        .category = entry != NULL ? entry->category : "Customized Options",
        .description = entry != NULL ? entry->description : "",
        .type = kind == SETTING_BOOLEAN                               ? "bool"
                : kind == SETTING_CHOICE || kind == SETTING_ISOLATION ? "enum"
                                                                      : "string",
        .read_only = kind == SETTING_READ_ONLY,
        .is_set = settings->slots[index].now != NULL,
    };
    if (kind == SETTING_MEMORY || kind == SETTING_MILLISECONDS)
        tell_number(out, kind);
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
    const char *value = settings->slots[SETTING_DEFAULT_ISOLATION].now;

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

    CHECK(settings__read_boolean(value_of(settings, index), &on));
    return on;
}

bool
settings_read_only(const struct settings *settings)
{
    return settings->slots[SETTING_DEFAULT_READ_ONLY].now != NULL &&
           is_on(settings, SETTING_DEFAULT_READ_ONLY);
}

bool
settings_asynchronous(const struct settings *settings)
{
    return settings->slots[SETTING_SYNCHRONOUS_COMMIT].now != NULL &&
           !is_on(settings, SETTING_SYNCHRONOUS_COMMIT);
}

static uint32_t
milliseconds_of(const struct settings *settings, uint32_t index)
{
    int64_t milliseconds = 0;

    if (settings->slots[index].now == NULL)
        return 0;
    CHECK(settings__read_milliseconds(settings->slots[index].now, &milliseconds));
    return (uint32_t)milliseconds;
}

unsigned
settings_joins_off(const struct settings *settings)
{
    static const struct {
        uint32_t index;
        enum plan_join_off off;
    } joins[] = {{SETTING_HASH_JOIN, PLAN_HASH_JOIN_OFF},
                 {SETTING_MERGE_JOIN, PLAN_MERGE_JOIN_OFF},
                 {SETTING_LOOP_JOIN, PLAN_LOOP_JOIN_OFF}};
    unsigned off = 0;

    for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        if (settings->slots[joins[i].index].now != NULL && !is_on(settings, joins[i].index))
            off |= joins[i].off;
    }
    return off;
}

uint32_t
settings_lock_timeout_ms(const struct settings *settings)
{
    return milliseconds_of(settings, SETTING_LOCK_TIMEOUT);
}

uint32_t
settings_statement_timeout_ms(const struct settings *settings)
{
    return milliseconds_of(settings, SETTING_STATEMENT_TIMEOUT);
}

size_t
settings_work_mem(const struct settings *settings)
{
    uint64_t size = 0;

    if (settings->slots[SETTING_WORK_MEM].now == NULL)
        return 0;
    CHECK(settings__read_memory(settings->slots[SETTING_WORK_MEM].now, &size));
    return (size_t)size * 1024;
}
