/* What a path means, and what all kinds of sources share; see source.h. */
#include "tools/qtdb-migrate/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "tools/qtdb-migrate/input.h"
#include "tools/qtdb-migrate/legacy_plan_private.h"

enum { FILES_MAX = 10000 /* In one directory. */, HEAD_SIZE = 512 };

static const struct source_kind *const kinds[] = {&source_legacy, &source_csv, &source_json,
                                                  &source_sqlite, &source_sql, &source_pages};

static const struct {
    const char *end;
    const struct source_kind *kind;
} endings[] = {
    {".csv", &source_csv},   {".tsv", &source_csv},    {".tab", &source_csv},
    {".json", &source_json}, {".jsonl", &source_json}, {".ndjson", &source_json},
    {".db", &source_legacy}, {".sql", &source_sql},    {".dump", &source_sql},
};

enum status
source_fail(struct source *source, enum status status, const char *format, ...)
{
    va_list arguments;

    CHECK(status != STATUS_OK);
    va_start(arguments, format);
    (void)vsnprintf(source->fault, sizeof(source->fault), format, arguments);
    va_end(arguments);
    return status;
}

__attribute__((format(printf, 3, 4))) static enum status
refuse(struct source_list *list, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(list->fault, sizeof(list->fault), format, arguments);
    va_end(arguments);
    return status;
}

/* Kinds. */

static bool
ends_with(const char *text, size_t size, const char *end)
{
    size_t wanted = strlen(end);

    return size > wanted && strncasecmp(text + size - wanted, end, wanted) == 0;
}

static const struct source_kind *
kind_by_ending(const char *path)
{
    size_t size = strlen(path);

    if (ends_with(path, size, ".zst"))
        size -= 4;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (ends_with(path, size, endings[i].end))
            return endings[i].kind;
    }
    return NULL;
}

/* By the content's first bytes: what no file of another kind begins with. */
static enum status
kind_by_content(const struct env *env, const char *path, const struct source_kind **out)
{
    struct input input;
    const struct source_kind *kind = NULL;
    int byte = INPUT_END;

    enum status status = input_open(env, path, &input);
    if (status == STATUS_OK) {
        byte = input_peek(&input);
        status = input.status;
        if (input.used >= 16 && memcmp(input.bytes, "SQLite format 3", 16) == 0)
            kind = &source_sqlite;
        /* A legacy file begins with a count or a length: a zero byte is among its first eight. */
        else if (input.used >= 8 && memchr(input.bytes, 0, 8) == NULL && byte == '{' &&
                 kind_by_ending(path) == NULL)
            kind = &source_json;
    }
    input_close(&input);
    *out = kind;
    /* What else is wrong with the file its own kind will say. */
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status
kind_of(const struct env *env, const char *path, const struct source_options *options,
        struct source_list *list, const struct source_kind **out)
{
    *out = options->from != NULL ? source_kind_named(options->from) : NULL;
    if (*out == NULL && kind_by_content(env, path, out) != STATUS_OK)
        return refuse(list, STATUS_NO_MEMORY, "out of memory");
    if (*out == NULL)
        *out = kind_by_ending(path);
    return STATUS_OK;
}

const struct source_kind *
source_kind_named(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    return NULL;
}

/* Lists. */

static enum status
add(const struct env *env, struct arena *arena, const char *path, const struct source_kind *kind,
    const struct source_options *options, struct source_list *list)
{
    struct source *source = arena_alloc(arena, sizeof(*source));
    struct source **grown = arena_alloc(arena, (list->count + 1) * sizeof(struct source *));

    if (source == NULL || grown == NULL)
        return refuse(list, STATUS_NO_MEMORY, "out of memory");
    *source = (struct source){.kind = kind, .env = *env, .options = options};
    if (snprintf(source->path, sizeof(source->path), "%s", path) >= (int)sizeof(source->path))
        return refuse(list, STATUS_INVALID, "%.200s: the path is too long", path);
    if (list->count > 0)
        memcpy(grown, list->sources, list->count * sizeof(struct source *));
    grown[list->count++] = source;
    list->sources = grown;
    return STATUS_OK;
}

struct names {
    struct arena *arena;
    uint32_t count;
    const char **all;
    bool legacy; /* There is a legacy instance: the directory is one source. */
    bool pages;  /* There are page folders or pages, the same. */
    bool failed;
};

static void
take_name(void *context, const char *name, bool is_directory)
{
    struct names *names = context;

    if (strcmp(name, "server_instance.db") == 0 || strcmp(name, "main.db") == 0)
        names->legacy = true;
    names->pages = names->pages || source_is_page_name(name, is_directory);
    if (is_directory || name[0] == '.' || names->failed)
        return;
    char *copy = arena_copy_text(names->arena, name, strlen(name));
    names->failed = copy == NULL || names->count == FILES_MAX;
    if (!names->failed)
        names->all[names->count++] = copy;
}

static int
compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static enum status
add_file(const struct env *env, struct arena *arena, const char *directory, const char *name,
         const struct source_options *options, struct source_list *list)
{
    char path[IO_PATH_SIZE];
    int size = snprintf(path, sizeof(path), "%s/%s", directory, name);

    if (size < 0 || size >= (int)sizeof(path))
        return refuse(list, STATUS_INVALID, "%.200s: the path is too long", directory);
    const struct source_kind *kind = NULL;
    TRY(kind_of(env, path, options, list, &kind));
    if (kind == NULL) {
        list->ignored_count++;
        return STATUS_OK;
    }
    return add(env, arena, path, kind, options, list);
}

/* A data directory of the predecessor is one source; any other is as many as it has files. */
static enum status
find_in_directory(const struct env *env, struct arena *arena, const char *path,
                  const struct source_options *options, struct source_list *list)
{
    struct names names = {.arena = arena};
    uint32_t before = list->count;

    names.all = arena_alloc(arena, FILES_MAX * sizeof(*names.all));
    if (names.all == NULL)
        return refuse(list, STATUS_NO_MEMORY, "out of memory");
    if (io_list(env->io, path, take_name, &names) != STATUS_OK)
        return refuse(list, STATUS_IO, "%s", error_message());
    if (names.failed)
        return refuse(list, STATUS_FULL, "%s: more than %d files, or no memory for their names",
                      path, FILES_MAX);
    bool forced = options->from != NULL && strcmp(options->from, source_pages.name) == 0;
    if (forced || (names.pages && !names.legacy && options->from == NULL))
        return add(env, arena, path, &source_pages, options, list);
    if (!names.legacy) {
        qsort(names.all, names.count, sizeof(*names.all), compare_names);
        for (uint32_t i = 0; i < names.count; i++)
            TRY(add_file(env, arena, path, names.all[i], options, list));
    }
    return list->count > before ? STATUS_OK : add(env, arena, path, &source_legacy, options, list);
}

enum status
source_find(const struct env *env, struct arena *arena, const char *path,
            const struct source_options *options, struct source_list *list)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return refuse(list, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return find_in_directory(env, arena, path, options, list);
    if (!S_ISREG(info.st_mode))
        return refuse(list, STATUS_INVALID, "%s: not a file and not a directory", path);
    const struct source_kind *kind = NULL;
    TRY(kind_of(env, path, options, list, &kind));
    return add(env, arena, path, kind != NULL ? kind : &source_legacy, options, list);
}

/* Opening and reading. */

enum status
source_open(struct source *source)
{
    legacy_plan_init(&source->own, source->env.memory);
    source->plan = &source->own;
    TRY(source->kind->open(source));
    if (source->plan->notes_failed)
        return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
    return STATUS_OK;
}

void
source_close(struct source *source)
{
    if (source->plan == NULL)
        return;
    source->kind->close(source);
    legacy_plan_deinit(&source->own);
    source->plan = NULL;
}

enum status
source_read(struct source *source, const struct source_visitor *visitor)
{
    return source->kind->read(source, visitor);
}

/* For the kinds. */

void
source_table_name(const char *path, char out[256])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t size = strlen(name);
    const char *dot;

    if (ends_with(name, size, ".zst"))
        size -= 4;
    dot = memrchr(name, '.', size);
    if (dot != NULL && dot > name)
        size = (size_t)(dot - name);
    (void)snprintf(out, 256, "%.*s", (int)(size < 255 ? size : 255), name);
}

struct plan_database *
source_database(struct source *source, const char *name, size_t size)
{
    struct legacy_plan *plan = source->plan;
    struct legacy_text text = {name, size};
    struct plan_database **end = &plan->databases;

    for (; *end != NULL; end = &(*end)->next) {
        if (plan__text_equals(&(*end)->name, &text))
            return *end;
    }
    struct plan_database *database = arena_alloc(&plan->arena, sizeof(*database));
    if (database == NULL || !plan__copy_text(plan, &text, &database->name))
        return NULL;
    database->tables_end = &database->tables;
    plan->database_count++;
    *end = database;
    return database;
}

struct plan_table *
source_add_table(struct source *source, struct plan_database *database,
                 const struct legacy_table *head)
{
    if (source->plan->table_count >= PLAN_TABLES_MAX)
        return NULL;
    return plan__table_add(source->plan, database, head);
}

bool
source_text(struct arena *arena, const char *bytes, size_t size, struct legacy_value *out)
{
    *out = (struct legacy_value){.tag = LEGACY_TEXT, .text = {bytes, size}};
    if (legacy_utf8_is_valid(bytes, size))
        return true;
    char *copy = arena_alloc(arena, size * 2 + 1);
    size_t used = 0;
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (byte < 0x80) {
            copy[used++] = (char)byte;
        } else {
            copy[used++] = (char)(0xc0 | byte >> 6);
            copy[used++] = (char)(0x80 | (byte & 0x3f));
        }
    }
    copy[used] = '\0';
    out->text = (struct legacy_text){copy, used};
    out->loss = "the text is not UTF-8 and was read as Latin-1";
    return true;
}
