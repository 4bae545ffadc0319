/* The steps in their order; see migrate.h. */
#include "tools/qtdb-migrate/migrate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/base/check.h"

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
    return migrate_fail(migration, STATUS_STOPPED, "interrupted; nothing was left behind");
}

static enum status
open_source(struct migration *migration)
{
    struct legacy_source *source = &migration->source;
    enum status status = legacy_source_open(&migration->env, migration->options.source,
                                            &migration->options.from, source);

    if (status == STATUS_OK)
        return STATUS_OK;
    return migrate_fail(migration, status, "%s",
                        source->fault[0] != '\0' ? source->fault : status_name(status));
}

static enum status
make_tables(struct migration *migration)
{
    const struct legacy_plan *plan = &migration->source.plan;

    migration->tables =
        arena_alloc(&migration->arena, plan->number_count * sizeof(*migration->tables));
    if (migration->tables == NULL)
        return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
    for (struct plan_database *database = plan->databases; database; database = database->next) {
        for (struct plan_table *table = database->tables; table != NULL; table = table->next) {
            if (!migrate_table_init(migrate_table_of(migration, table), table, &migration->arena))
                return migrate_fail(migration, STATUS_NO_MEMORY, "out of memory");
        }
    }
    migration->table_count = plan->number_count;
    return STATUS_OK;
}

/* A source that changed while it was read would give a mixture. */
static enum status
check_unchanged(struct migration *migration, const struct stat *before)
{
    struct stat after;

    if (stat(migration->source.path, &after) == 0 && after.st_size == before->st_size &&
        after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        after.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
        return STATUS_OK;
    return migrate_fail(migration, STATUS_CORRUPT,
                        "%s: the file changed during the migration; stop the server that uses it",
                        migration->source.path);
}

static enum status
make_target(struct migration *migration, const struct stat *before)
{
    struct migrate_target *target = &migration->target;
    struct stat info;

    if (target_open(&migration->env, migration->options.target, target) != STATUS_OK)
        return migrate_fail(migration, STATUS_FAILED, "%s", target->fault);
    TRY(migrate_load(migration));
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

static enum status
work(struct migration *migration)
{
    struct stat before = {.st_size = 0};

    TRY(open_source(migration));
    if (stat(migration->source.path, &before) != 0)
        return migrate_fail(migration, STATUS_IO, "%s: cannot be looked at",
                            migration->source.path);
    TRY(make_tables(migration));
    if (!migration->options.dry_run)
        return make_target(migration, &before);
    TRY(migrate_load(migration));
    return check_unchanged(migration, &before);
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
    target_discard(&migration->target);
    bool reported = report_close(migration);
    if (status == STATUS_OK && !migration->options.quiet)
        migrate_print_summary(migration);
    if (!reported && migration->fault[0] == '\0')
        status = migrate_fail(migration, STATUS_IO, "%s: the report could not be written",
                              migration->options.report);
    legacy_source_close(&migration->source);
    arena_deinit(&migration->arena);
    return status == STATUS_OK;
}
