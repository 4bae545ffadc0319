/* The steps in their order; see migrate.h. */
#include "tools/qtdb-migrate/migrate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum status
migrate_fail(struct migration *migration, enum status status, const char *format, ...)
{
    va_list arguments;

    CHECK(status != STATUS_OK);
    va_start(arguments, format);
    (void)vsnprintf(migration->fault, sizeof(migration->fault), format, arguments);
    va_end(arguments);
    return status;
}

enum status
migrate_check_stop(struct migration *migration)
{
    if (!tool_stop_requested())
        return STATUS_OK;
    return migrate_fail(migration, STATUS_STOPPED,
                        migration->resume.file != NULL
                            ? "interrupted; the same command goes on with what is done"
                            : "interrupted; nothing was left behind");
}

static bool
is_wanted(const struct migration *migration, const char *schema)
{
    const char *only = migration->options.only_schema;

    return only == NULL || strcmp(only, schema) == 0;
}

/* Sources without the one schema that is wanted go. */
static void
keep_wanted(struct migration *migration)
{
    struct source_list *list = &migration->sources;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct plan_database *database = list->sources[i]->plan->databases;
        char schema[MIGRATE_NAME_SIZE] = "";
        bool wanted = false;

        for (; database != NULL && !wanted; database = database->next) {
            (void)migrate_name(&database->name, schema);
            wanted = is_wanted(migration, schema);
        }
        if (wanted || migration->options.only_schema == NULL)
            list->sources[kept++] = list->sources[i];
        else
            source_close(list->sources[i]);
    }
    list->count = kept;
}

static bool
has_pages(const struct source_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->sources[i]->kind == &source_pages)
            return true;
    }
    return false;
}

static enum status
open_sources(struct migration *migration)
{
    struct source_list *list = &migration->sources;

    for (int i = 0; i < migration->options.path_count; i++) {
        enum status status =
            source_find(&migration->env, &migration->arena, migration->options.paths[i],
                        &migration->options.from, list);

        if (status != STATUS_OK)
            return migrate_fail(migration, status, "%s", list->fault);
    }
    if (migration->options.from.schema != NULL && !has_pages(list))
        return migrate_fail(migration, STATUS_INVALID,
                            "--schema is for page folders, and no source is one");
    for (uint32_t i = 0; i < list->count; i++) {
        struct source *source = list->sources[i];
        bool can_rescue = source->kind == &source_legacy || source->kind == &source_sqlite ||
                          source->kind == &source_pages;

        if (migration->options.from.rescue && !can_rescue)
            return migrate_fail(migration, STATUS_INVALID,
                                "%s: --rescue is for legacy files, page folders and SQLite files",
                                source->path);
        enum status status = source_open(source);
        if (status != STATUS_OK)
            return migrate_fail(migration, status, "%s",
                                source->fault[0] != '\0' ? source->fault : status_name(status));
        migration->source_size += source->size;
        TRY(migrate_check_stop(migration));
    }
    return STATUS_OK;
}

static enum status
make_tables_of(struct migration *migration, struct source *source)
{
    struct plan_database *database = source->plan->databases;

    for (; database != NULL; database = database->next) {
        for (struct plan_table *table = database->tables; table != NULL; table = table->next) {
            table->number = migration->table_count++;
            struct migrate_table *made = migrate_table_of(migration, table);

            if (!migrate_table_init(made, table, &migration->arena))
                return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
            made->widens = source->kind->widens;
            if (!is_wanted(migration, made->schema))
                table->dropped = true;
        }
    }
    return STATUS_OK;
}

static int
compare_tables(const void *left, const void *right)
{
    const struct migrate_table *a = *(struct migrate_table *const *)left;
    const struct migrate_table *b = *(struct migrate_table *const *)right;
    int order = strcmp(a->schema, b->schema);

    return order != 0 ? order : strcmp(a->name, b->name);
}

/* Two tables of one name have no place in one database. */
static enum status
check_names(struct migration *migration)
{
    uint32_t count = 0;
    struct migrate_table **sorted =
        arena_alloc(&migration->arena, migration->table_count * sizeof(struct migrate_table *));

    if (sorted == NULL)
        return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < migration->table_count; i++) {
        if (!migration->tables[i].plan->dropped)
            sorted[count++] = &migration->tables[i];
    }
    qsort(sorted, count, sizeof(struct migrate_table *), compare_tables);
    for (uint32_t i = 1; i < count; i++) {
        if (compare_tables(&sorted[i - 1], &sorted[i]) == 0)
            return migrate_fail(migration, STATUS_INVALID,
                                "two sources have a table %s.%s; migrate them apart or rename one",
                                sorted[i]->schema, sorted[i]->name);
    }
    return STATUS_OK;
}

static enum status
make_tables(struct migration *migration)
{
    const struct source_list *list = &migration->sources;
    size_t count = 0;

    for (uint32_t i = 0; i < list->count; i++)
        count += list->sources[i]->plan->number_count;
    migration->tables = arena_alloc(&migration->arena, count * sizeof(*migration->tables));
    if (migration->tables == NULL)
        return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list->count; i++)
        TRY(make_tables_of(migration, list->sources[i]));
    return check_names(migration);
}

enum status
migrate_read(struct migration *migration, const char *what, const struct source_visitor *visitor)
{
    const struct source_list *list = &migration->sources;
    enum status status = STATUS_OK;

    migration->read_before = 0;
    tool_progress_begin(&migration->progress, what, "B", migration->source_size);
    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        migration->reading = list->sources[i];
        status = source_read(list->sources[i], visitor);
        migration->read_before += list->sources[i]->size;
    }
    tool_progress_end(&migration->progress);
    if (status == STATUS_OK || migration->fault[0] != '\0')
        return status;
    return migrate_fail(migration, status, "%s",
                        migration->reading->fault[0] != '\0' ? migration->reading->fault
                                                             : status_name(status));
}

/* A source that changed while it was read would give a mixture. */
static enum status
check_unchanged(struct migration *migration, const struct stat *before)
{
    for (uint32_t i = 0; i < migration->sources.count; i++) {
        const char *path = migration->sources.sources[i]->path;
        struct stat after;

        if (stat(path, &after) != 0 || after.st_size != before[i].st_size ||
            after.st_mtim.tv_sec != before[i].st_mtim.tv_sec ||
            after.st_mtim.tv_nsec != before[i].st_mtim.tv_nsec)
            return migrate_fail(
                migration, STATUS_CORRUPT,
                "%s: the file changed during the migration; stop the program that uses it", path);
    }
    return STATUS_OK;
}

static enum status
look_at_files(struct migration *migration, struct stat **out)
{
    const struct source_list *list = &migration->sources;
    struct stat *before = arena_alloc(&migration->arena, list->count * sizeof(*before));

    if (before == NULL)
        return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list->count; i++) {
        if (stat(list->sources[i]->path, &before[i]) != 0)
            return migrate_fail(migration, STATUS_IO, "%s: cannot be looked at",
                                list->sources[i]->path);
    }
    *out = before;
    return STATUS_OK;
}

static enum status
make_target(struct migration *migration, const struct stat *before)
{
    struct migrate_target *target = &migration->target;
    struct stat info;

    resume_find(migration, before);
    if (target_open(&migration->env, migration->options.target, migration->resume.going_on,
                    target) != STATUS_OK)
        return migrate_fail(migration, STATUS_FAILED, "%s", target->fault);
    TRY(resume_begin(migration));
    TRY(migrate_load(migration));
    resume_note_extras(migration);
    TRY(migrate_carry_over(migration));
    if (migration->options.verify) {
        if (target_reopen(target) != STATUS_OK)
            return migrate_fail(migration, STATUS_FAILED, "%s", target->fault);
        TRY(migrate_verify(migration));
    }
    TRY(migrate_check_stop(migration));
    TRY(check_unchanged(migration, before));
    if (target_publish(target) != STATUS_OK)
        return migrate_fail(migration, STATUS_FAILED, "%s", target->fault);
    if (stat(migration->options.target, &info) == 0)
        migration->target_size = (uint64_t)info.st_size;
    return STATUS_OK;
}

static bool
is_listed(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool
add_schemas(const struct source *source, struct arena *arena, const char **names, uint32_t *count)
{
    const struct plan_database *database = source->plan->databases;

    for (; database != NULL; database = database->next) {
        char name[MIGRATE_NAME_SIZE];

        (void)migrate_name(&database->name, name);
        if (is_listed(names, *count, name))
            continue;
        names[*count] = arena_copy_text(arena, name, strlen(name));
        if (names[(*count)++] == NULL)
            return false;
    }
    return true;
}

bool
migrate_list_schemas(struct migration *migration, struct arena *arena,
                     const char *const **names_out, uint32_t *count_out)
{
    struct source_list *list = &migration->sources;
    uint32_t room = 1, count = 0;
    const char **names = NULL;

    arena_init(&migration->arena, migration->env.memory, MEMORY_OTHER);
    enum status status = open_sources(migration);
    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++)
        room += list->sources[i]->plan->database_count;
    if (status == STATUS_OK)
        names = arena_alloc(arena, room * sizeof(*names));
    bool ok = names != NULL;
    for (uint32_t i = 0; ok && i < list->count; i++)
        ok = add_schemas(list->sources[i], arena, names, &count);
    if (!ok && status == STATUS_OK)
        (void)migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list->count; i++)
        source_close(list->sources[i]);
    arena_deinit(&migration->arena);
    *names_out = names;
    *count_out = count;
    return ok;
}

static enum status
work(struct migration *migration)
{
    struct stat *before = NULL;

    TRY(open_sources(migration));
    keep_wanted(migration);
    TRY(look_at_files(migration, &before));
    TRY(make_tables(migration));
    if (!migration->options.dry_run)
        return make_target(migration, before);
    TRY(migrate_load(migration));
    TRY(migrate_carry_over(migration));
    return check_unchanged(migration, before);
}

/* A failed removal after a failure is said with it. */
static void
discard(struct migration *migration)
{
    size_t size = strlen(migration->fault);

    target_discard(&migration->target);
    if (migration->target.made)
        (void)snprintf(migration->fault + size, sizeof(migration->fault) - size,
                       "%s%.300s is left: %.300s", size > 0 ? "; and " : "",
                       migration->target.partial, error_message());
}

bool
migrate_run(struct migration *migration)
{
    migration->begin_ns = tool_clock_ns();
    arena_init(&migration->arena, migration->env.memory, MEMORY_OTHER);
    text_buffer_init(&migration->target.sql, migration->env.memory);
    migration->target.env = migration->env;
    enum status status = report_open(migration);
    if (status == STATUS_OK)
        status = work(migration);
    bool keep = status == STATUS_STOPPED && migration->resume.file != NULL;
    if (keep)
        target_keep(&migration->target);
    else
        discard(migration);
    resume_end(migration, keep);
    for (uint32_t i = 0; i < migration->sources.count; i++) {
        if (migration->sources.sources[i]->plan != NULL)
            migration->lost_count += migration->sources.sources[i]->plan->lost_count;
    }
    bool reported = report_close(migration);
    if (status == STATUS_OK && !migration->options.quiet)
        migrate_print_summary(migration);
    if (!reported && migration->fault[0] == '\0')
        status = migrate_fail(migration, STATUS_IO, "%s: the report could not be written",
                              migration->options.report);
    for (uint32_t i = 0; i < migration->sources.count; i++)
        source_close(migration->sources.sources[i]);
    arena_deinit(&migration->arena);
    return status == STATUS_OK;
}
