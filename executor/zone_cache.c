/*
 * Zones by name, once a process (zone.h). The table is of chains that only grow: readers follow them without a lock,
 * who adds a zone holds the lock and looks again. At most ZONES_MAX zones are kept, more than the database has, for
 * names may be POSIX strings of a user's making; the next one is refused (54000).
 *
 * A name of the database is looked for letter by letter of any case, directory by directory, as PostgreSQL does
 * it, so that no name leads out of the database: its parts are letters, digits, '_', '-' and '+'.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/zone_private.h"
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/io.h"

enum { BUCKET_COUNT = 256, ZONES_MAX = 2000 };

/* Where the database is; a test has another, before any thread asks. */
static const char *database = "/usr/share/zoneinfo";

static const struct zone_type utc_type = {0, false, "UTC"}, gmt_type = {0, false, "GMT"};
static const struct zone utc = {.key = "utc", .name = "UTC", .type_count = 1, .kinds = &utc_type};
static const struct zone gmt = {.key = "gmt", .name = "GMT", .type_count = 1, .kinds = &gmt_type};

static struct {
    pthread_mutex_t lock;
    _Atomic(struct zone *) buckets[BUCKET_COUNT];
    /* Guarded by the lock. */
    struct memory *memory;
    struct io *io;
    struct arena arena;
    uint32_t count;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

const struct zone *
zone_utc(void)
{
    return &utc;
}

static uint32_t
bucket_of(const char *key)
{
    return (uint32_t)(checksum64(key, strlen(key), 0) % BUCKET_COUNT);
}

static const struct zone *
look(const char *key)
{
    const struct zone *zone =
        atomic_load_explicit(&cache.buckets[bucket_of(key)], memory_order_acquire);

    while (zone != NULL && strcmp(zone->key, key) != 0)
        zone = zone->next;
    return zone;
}

/* Everything below runs under the lock. */

static enum status
open_cache(void)
{
    if (cache.memory == NULL)
        cache.memory = memory_new();
    if (cache.memory == NULL)
        return STATUS_NO_MEMORY;
    if (cache.io == NULL) {
        TRY(io_posix_open(cache.memory, false, &cache.io));
        arena_init(&cache.arena, cache.memory, MEMORY_SQL);
    }
    return STATUS_OK;
}

/* One part of a name, found in any case. */
struct search {
    const char *wanted;
    size_t size;
    char found[ZONE_NAME_SIZE]; /* "": nothing. */
};

static void
compare_name(void *context, const char *name, bool is_directory)
{
    struct search *search = context;

    (void)is_directory;
    if (strlen(name) != search->size || strncasecmp(name, search->wanted, search->size) != 0)
        return;
    if (search->found[0] == '\0' || strncmp(name, search->wanted, search->size) == 0)
        memcpy(search->found, name, search->size + 1);
}

void
zone__set_database(const char *path)
{
    database = path;
}

static bool
is_plain(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        bool slash = *at == '/' && at != name && at[1] != '/' && at[1] != '\0';

        if (!slash && !isalnum((unsigned char)*at) && strchr("_-+", *at) == NULL)
            return false;
    }
    return name[0] != '\0';
}

/* `name` becomes what the database calls it, `path` its file. STATUS_NOT_FOUND. */
static enum status
find_path(char name[ZONE_NAME_SIZE], char path[IO_PATH_SIZE])
{
    size_t used = (size_t)snprintf(path, IO_PATH_SIZE, "%s", database);
    char *part = name;

    if (!is_plain(name) || used + ZONE_NAME_SIZE + 2 > IO_PATH_SIZE)
        return STATUS_NOT_FOUND;
    for (;;) {
        struct search search = {.wanted = part, .size = strcspn(part, "/")};

        TRY(io_list(cache.io, path, compare_name, &search));
        if (search.found[0] == '\0')
            return STATUS_NOT_FOUND;
        memcpy(part, search.found, search.size);
        used += (size_t)snprintf(path + used, IO_PATH_SIZE - used, "/%s", search.found);
        part += search.size;
        if (*part == '\0')
            return STATUS_OK;
        part++;
    }
}

static enum status
read_zone(const char *path, struct arena *arena, struct zone *out)
{
    struct io_file *file = NULL;
    uint64_t size = 0;
    enum status status = STATUS_OK;

    TRY(io_open(cache.io, path, 0, &file));
    TRY_OUT(io_size(file, &size));
    if (size > ZONE_FILE_MAX) {
        status = STATUS_CORRUPT;
        goto out;
    }
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    TRY_OUT(io_read(file, bytes, size, 0));
    status = zone__decode(bytes, size, arena, out);
out:
    io_close(file);
    return status;
}

/* A copy that stays. */
static enum status
keep(const struct zone *zone, const struct zone **out)
{
    struct arena *arena = &cache.arena;

    if (cache.count == ZONES_MAX)
        return STATUS_FULL;
    struct zone *kept = arena_alloc(arena, sizeof(*kept));
    int64_t *times = arena_alloc(arena, zone->time_count * sizeof(*times));
    uint8_t *types = arena_alloc(arena, zone->time_count);
    struct zone_type *kinds = arena_alloc(arena, zone->type_count * sizeof(*kinds));
    if (kept == NULL || times == NULL || types == NULL || kinds == NULL)
        return STATUS_NO_MEMORY;
    if (zone->time_count > 0) {
        memcpy(times, zone->times, zone->time_count * sizeof(*times));
        memcpy(types, zone->types, zone->time_count);
    }
    if (zone->type_count > 0)
        memcpy(kinds, zone->kinds, zone->type_count * sizeof(*kinds));
    *kept = *zone;
    kept->times = times;
    kept->types = types;
    kept->kinds = kinds;
    _Atomic(struct zone *) *bucket = &cache.buckets[bucket_of(kept->key)];
    kept->next = atomic_load_explicit(bucket, memory_order_relaxed);
    atomic_store_explicit(bucket, kept, memory_order_release);
    cache.count++;
    *out = kept;
    return STATUS_OK;
}

static bool
database_is_missing(void)
{
    struct search none = {.wanted = "", .size = 0};

    return io_list(cache.io, database, compare_name, &none) != STATUS_OK;
}

/* A POSIX string is named as it was written first, in upper case where that is PostgreSQL's way. */
static enum status
make_rule(const char *name, size_t size, struct zone *out)
{
    if (!zone__rule_parse(name, size, &out->rule))
        return STATUS_NOT_FOUND;
    out->has_rule = true;
    for (size_t i = 0; i < size; i++)
        out->name[i] = (char)toupper((unsigned char)name[i]);
    /* Words too come from the name in upper case. */
    return zone__rule_parse(out->name, size, &out->rule) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status
make_zone(const char *name, size_t size, struct zone *zone, struct arena *arena)
{
    char path[IO_PATH_SIZE];

    memcpy(zone->name, name, size);
    enum status status = find_path(zone->name, path);
    if (status == STATUS_OK)
        status = read_zone(path, arena, zone);
    /* A directory cannot be read. */
    return status == STATUS_NOT_FOUND || status == STATUS_IO ? make_rule(name, size, zone) : status;
}

static enum status
add(const char *key, const char *name, size_t size, const struct zone **out)
{
    struct zone zone = {.key = ""};
    struct arena scratch;

    TRY(open_cache());
    *out = look(key);
    if (*out != NULL)
        return STATUS_OK;
    memcpy(zone.key, key, size + 1);
    arena_init(&scratch, cache.memory, MEMORY_SQL);
    enum status status = make_zone(name, size, &zone, &scratch);
    if (status == STATUS_OK)
        status = keep(&zone, out);
    arena_deinit(&scratch);
    if (status == STATUS_NOT_FOUND && database_is_missing())
        return STATUS_MISSING;
    return status;
}

/* From here on without it. */

static const struct zone *
explain(enum status status, const char *name, size_t size, struct sql_error *error,
        enum status *status_out)
{
    int shown = (int)(size < 100 ? size : 100);

    *status_out = STATUS_OK;
    if (status == STATUS_NO_MEMORY)
        *status_out = status;
    else if (status == STATUS_FULL)
        *status_out = sql_error_set(error, "54000", -1, "too many time zones are in use");
    else if (status == STATUS_INVALID)
        *status_out = sql_error_set(error, "22023", -1,
                                    "time zone \"%.*s\" appears to use leap seconds", shown, name);
    else if (status == STATUS_MISSING)
        *status_out = sql_error_set(error, "58P01", -1,
                                    "time zone \"%.*s\" cannot be looked up: there is no time "
                                    "zone database in \"%s\"",
                                    shown, name, database);
    else if (status == STATUS_CORRUPT)
        *status_out = sql_error_set(error, "22023", -1, "the file of time zone \"%.*s\" is damaged",
                                    shown, name);
    return NULL;
}

const struct zone *
zone_find(const char *name, size_t size, struct sql_error *error, enum status *status_out)
{
    char key[ZONE_NAME_SIZE];
    const struct zone *zone = NULL;

    *status_out = STATUS_OK;
    if (size == 0 || size >= sizeof(key) || memchr(name, '\0', size) != NULL)
        return NULL;
    for (size_t i = 0; i < size; i++)
        key[i] = (char)tolower((unsigned char)name[i]);
    key[size] = '\0';
    if (strcmp(key, utc.key) == 0 || strcmp(key, gmt.key) == 0)
        return key[0] == 'u' ? &utc : &gmt;
    zone = look(key);
    if (zone != NULL)
        return zone;
    CHECK(pthread_mutex_lock(&cache.lock) == 0);
    enum status status = add(key, name, size, &zone);
    CHECK(pthread_mutex_unlock(&cache.lock) == 0);
    return status == STATUS_OK ? zone : explain(status, name, size, error, status_out);
}

enum status
zone_get(const char *name, size_t size, const struct zone **out, struct sql_error *error)
{
    enum status status = STATUS_OK;

    *out = zone_find(name, size, error, &status);
    if (*out != NULL || status != STATUS_OK)
        return status;
    return sql_error_set(error, "22023", -1, "time zone \"%.*s\" not recognized",
                         (int)(size < 100 ? size : 100), name);
}

enum status
zone_fixed(int32_t offset, const struct zone **out, struct sql_error *error)
{
    uint32_t seconds = (uint32_t)(offset < 0 ? -offset : offset);
    char shown[40], name[100];
    int size = snprintf(shown, sizeof(shown), "%02u", seconds / 3600);

    if (seconds % 3600 != 0)
        size += snprintf(shown + size, sizeof(shown) - (size_t)size, ":%02u", seconds / 60 % 60);
    if (seconds % 60 != 0)
        (void)snprintf(shown + size, sizeof(shown) - (size_t)size, ":%02u", seconds % 60);
    size = snprintf(name, sizeof(name), "<%c%s>%c%s", offset < 0 ? '-' : '+', shown,
                    offset < 0 ? '+' : '-', shown);
    return zone_get(name, (size_t)size, out, error);
}
