/* The steps of the way back in their order; see back.h. */
#include "tools/qtdb-migrate/back.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "tools/common/sql_dump.h"

static const struct back_form *const forms[] = {&back_sqlite, &back_csv, &back_sql};

const struct back_form *
back_form_named(const char *name)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(forms[i]->name, name) == 0)
            return forms[i];
    }
    return NULL;
}

/* For the forms. */

enum status
back_fail(struct back *back, enum status status, const char *format, ...)
{
    va_list arguments;

    CHECK(status != STATUS_OK);
    va_start(arguments, format);
    (void)vsnprintf(back->fault, sizeof(back->fault), format, arguments);
    va_end(arguments);
    return status;
}

enum status
back_count_row(struct back *back)
{
    if (tool_stop_requested())
        return back_fail(back, STATUS_STOPPED, "interrupted; nothing was left behind");
    if (++back->row_count % 256 == 0)
        tool_progress_at(&back->progress, back->row_count);
    return STATUS_OK;
}

enum status
back_select(struct back *back, struct qtdb_session *session, const struct sql_table *table,
            struct qtdb_statement **out)
{
    text_buffer_reset(&back->sql);
    sql_dump_add_select(&back->sql, table);
    if (back->sql.failed)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    if (qtdb_prepare(session, back->sql.bytes, out, NULL) != QTDB_OK)
        return back_fail(back, STATUS_FAILED, "%s.%s: %s", table->schema, table->name,
                         qtdb_error_last()->message);
    return STATUS_OK;
}

enum status
back_sum_texts(struct back *back, const struct sql_table *table, struct qtdb_statement *row,
               struct migrate_sum *sum)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(row, i, &size);

        if (text != NULL)
            migrate_sum_bytes(&back->row, text, size);
        else if (qtdb_column_is_null(row, i))
            migrate_sum_null(&back->row);
        else
            back->row.failed = true;
    }
    if (!migrate_sum_row(sum, &back->row))
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

static struct back_loss *
find_loss(struct back *back, const struct sql_table *table, const char *column, const char *what)
{
    struct back_loss *loss = back->losses;

    while (loss != NULL &&
           !(loss->table == table && loss->column == column && strcmp(loss->what, what) == 0))
        loss = loss->next;
    return loss;
}

enum status
back_lose(struct back *back, const struct sql_table *table, const char *column, const char *what,
          uint64_t row, const char *value, size_t size)
{
    struct back_loss *loss = find_loss(back, table, column, what);

    if (back->options.strict)
        return back_fail(back, STATUS_INVALID, "--strict: %s.%s.%s, row %llu: %s", table->schema,
                         table->name, column, (unsigned long long)row, what);
    back->loss_count++;
    if (loss == NULL) {
        loss = arena_alloc(&back->arena, sizeof(*loss));
        if (loss == NULL)
            return back_fail(back, STATUS_NO_MEMORY, "out of memory");
        *loss = (struct back_loss){
            .table = table, .column = column, .what = what, .first_row = row, .next = back->losses};
        (void)snprintf(loss->first_value, sizeof(loss->first_value), "%.*s",
                       (int)(size < 60 ? size : 60), value);
        back->losses = loss;
    }
    loss->count++;
    return STATUS_OK;
}

enum status
back_note(struct back *back, const char *kind, const char *schema, const char *name,
          const char *format, ...)
{
    struct back_note *note = arena_alloc(&back->arena, sizeof(*note));
    char full[512], why[512];
    va_list arguments;

    (void)snprintf(full, sizeof(full), "%s%s%s", schema, schema[0] != '\0' ? "." : "", name);
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    if (back->options.strict)
        return back_fail(back, STATUS_INVALID, "--strict: %s %s is not carried over: %s", kind,
                         full, why);
    if (note == NULL)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    *note = (struct back_note){.kind = kind,
                               .name = arena_copy_text(&back->arena, full, strlen(full)),
                               .why = arena_copy_text(&back->arena, why, strlen(why))};
    if (note->name == NULL || note->why == NULL)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    *back->notes_end = note;
    back->notes_end = &note->next;
    back->note_count++;
    return STATUS_OK;
}

/* Opening. */

static enum status
open_source(struct back *back)
{
    struct qtdb_options options = {.size = sizeof(options), .read_only = true};

    if (access(back->options.source, F_OK) != 0)
        return back_fail(back, STATUS_NOT_FOUND, "%s: %s", back->options.source, strerror(errno));
    if (qtdb_open(back->options.source, &options, &back->db) != QTDB_OK ||
        qtdb_session_open(back->db, &back->session) != QTDB_OK ||
        qtdb_exec(back->session, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, NULL) !=
            QTDB_OK)
        return back_fail(back, STATUS_FAILED, "%s: %s", back->options.source,
                         qtdb_error_last()->message);
    if (!sql_catalog_load(&back->catalog, back->session, &back->arena))
        return back_fail(back, STATUS_FAILED, "%s: %s", back->options.source, back->catalog.fault);
    back->tables =
        arena_alloc(&back->arena, (back->catalog.table_count + 1) * sizeof(*back->tables));
    if (back->tables == NULL)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    struct sql_table *table = back->catalog.tables;
    for (uint32_t i = 0; i < back->catalog.table_count; i++, table = table->next)
        back->tables[i] = (struct back_table){.table = table, .target = table->name};
    return STATUS_OK;
}

/* The partial target. */

struct removal {
    struct io *io;
    const char *directory;
    bool failed;
};

static void
remove_csv(void *context, const char *name, bool is_directory)
{
    struct removal *removal = context;
    char path[IO_PATH_SIZE];
    size_t size = strlen(name);
    int length = snprintf(path, sizeof(path), "%s/%s", removal->directory, name);

    /* Only what this program makes. */
    if (is_directory || size < 4 || strcmp(name + size - 4, ".csv") != 0 || length < 0 ||
        length >= (int)sizeof(path) || io_remove(removal->io, path) != STATUS_OK)
        removal->failed = true;
}

static enum status
remove_partial(struct back *back)
{
    struct removal removal = {.io = back->env.io, .directory = back->partial};
    struct stat info;

    if (lstat(back->partial, &info) != 0)
        return STATUS_OK;
    if (!S_ISDIR(info.st_mode))
        return io_remove(back->env.io, back->partial);
    TRY(io_list(back->env.io, back->partial, remove_csv, &removal));
    return removal.failed
               ? error_raise(STATUS_INVALID, "%s: there are other files in it", back->partial)
               : io_remove_dir(back->env.io, back->partial);
}

static enum status
clear_way(struct back *back)
{
    struct stat info;
    int size = snprintf(back->partial, sizeof(back->partial), "%s.partial", back->options.out);

    if (size < 0 || size >= IO_PATH_SIZE - 32)
        return back_fail(back, STATUS_INVALID, "%.200s: the path is too long", back->options.out);
    if (lstat(back->options.out, &info) == 0)
        return back_fail(back, STATUS_EXISTS,
                         "%s: exists already; remove it or choose another name", back->options.out);
    enum status status = remove_partial(back);
    if (status != STATUS_OK)
        return back_fail(back, status, "%s", error_message());
    back->made = true;
    return STATUS_OK;
}

static enum status
publish(struct back *back)
{
    char directory[IO_PATH_SIZE];
    const char *slash = strrchr(back->options.out, '/');
    struct stat info;

    if (lstat(back->options.out, &info) == 0)
        return back_fail(back, STATUS_EXISTS, "%s: has come into being meanwhile",
                         back->options.out);
    (void)snprintf(directory, sizeof(directory), "%.*s",
                   slash == NULL                ? 1
                   : slash == back->options.out ? 1
                                                : (int)(slash - back->options.out),
                   slash == NULL ? "." : back->options.out);
    enum status status = io_rename(back->env.io, back->partial, back->options.out);
    if (status != STATUS_OK)
        return back_fail(back, status, "%s", error_message());
    status = io_sync_dir(back->env.io, directory);
    back->made = false;
    if (status == STATUS_OK)
        return status;
    /* A name that a power cut may take back is none: what has failed leaves nothing. */
    (void)back_fail(back, status, "%s", error_message());
    back->made = io_rename(back->env.io, back->options.out, back->partial) == STATUS_OK;
    return status;
}

/* Comparing. */

static enum status
compare(struct back *back)
{
    for (uint32_t i = 0; i < back->catalog.table_count; i++) {
        const struct back_table *table = &back->tables[i];

        if (!migrate_sum_equals(&table->source_sum, &table->target_sum))
            return back_fail(back, STATUS_CORRUPT,
                             "%s.%s: verification failed: %llu rows and sum %016llx%016llx in the "
                             "database, %llu rows and sum %016llx%016llx in the file",
                             table->table->schema, table->table->name,
                             (unsigned long long)table->source_sum.row_count,
                             (unsigned long long)table->source_sum.high,
                             (unsigned long long)table->source_sum.low,
                             (unsigned long long)table->target_sum.row_count,
                             (unsigned long long)table->target_sum.high,
                             (unsigned long long)table->target_sum.low);
    }
    back->verified = true;
    return STATUS_OK;
}

/* The work has failed, and so did cleaning up: both are said. */
static void
note_left(struct back *back)
{
    size_t size = strlen(back->fault);

    (void)snprintf(back->fault + size, sizeof(back->fault) - size, "; and %.300s is left: %.300s",
                   back->partial, error_message());
}

static enum status
work(struct back *back)
{
    TRY(open_source(back));
    TRY(clear_way(back));
    tool_progress_begin(&back->progress, "writing", "rows", 0);
    enum status status = back->form->write(back);
    tool_progress_end(&back->progress);
    TRY(status);
    if (back->options.verify) {
        tool_progress_begin(&back->progress, "reading it again", "rows", back->row_count);
        back->row_count = 0;
        status = back->form->verify(back);
        tool_progress_end(&back->progress);
        TRY(status);
        TRY(compare(back));
    }
    return publish(back);
}

bool
back_run(struct back *back)
{
    back->begin_ns = tool_clock_ns();
    back->notes_end = &back->notes;
    arena_init(&back->arena, back->env.memory, MEMORY_OTHER);
    text_buffer_init(&back->row, back->env.memory);
    text_buffer_init(&back->sql, back->env.memory);
    enum status status = work(back);
    if (back->made && remove_partial(back) != STATUS_OK)
        note_left(back);
    qtdb_session_close(back->session);
    if (back->db != NULL && qtdb_close(back->db) != QTDB_OK && status == STATUS_OK)
        status = back_fail(back, STATUS_FAILED, "%s", qtdb_error_last()->message);
    if (!back_write_report(back) && status == STATUS_OK)
        status =
            back_fail(back, STATUS_IO, "%s: the report could not be written", back->options.report);
    if (status == STATUS_OK && !back->options.quiet)
        back_print_summary(back);
    text_buffer_deinit(&back->sql);
    text_buffer_deinit(&back->row);
    arena_deinit(&back->arena);
    return status == STATUS_OK;
}
