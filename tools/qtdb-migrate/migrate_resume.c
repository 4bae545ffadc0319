/*
 * Going on with what an interrupted run left. Beside TARGET.partial stands TARGET.partial-state: a first
 * line that identifies the sources (paths, sizes, times, tables and columns), then a line for each
 * table whose rows are all in and durable, with the definition it got. Each line ends with a checksum, so
 * a torn one is none. A line is written after its table's last commit, so what it says is there.
 *
 * --resume takes the tables of such lines as they are and loads the others anew; everything is verified
 * at the end as always. It begins anew where the sources are others, and for tables that lost something,
 * because the report has to name each loss. What is no row is tried last of all: once that has begun
 * ("extras") there is nothing to go on with.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base/checksum.h"
#include "tools/qtdb-migrate/migrate.h"

enum { LINE_SEED = 7, IDENTITY_SEED = 8, LINE_SIZE_MAX = 16 * 1024 * 1024 };

/* Why a constraint was left out, by number; the texts are the program's own. */
static const char *const reasons[] = {"", "it holds nulls", "its values repeat",
                                      "a value is too long for a key"};

static uint32_t
reason_number(const char *why)
{
    for (uint32_t i = 1; why != NULL && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reasons[i], why) == 0)
            return i;
    }
    return 0;
}

static const char *
reason_of(uint64_t number)
{
    return number > 0 && number < sizeof(reasons) / sizeof(reasons[0]) ? reasons[number] : NULL;
}

/* Identity. */

static uint64_t
identity_of(const struct migration *migration, const struct stat *before)
{
    struct text_buffer text;

    text_buffer_init(&text, migration->env.memory);
    for (uint32_t i = 0; i < migration->sources.count; i++)
        text_buffer_print(&text, "%s %lld %lld.%ld\n", migration->sources.sources[i]->path,
                          (long long)before[i].st_size, (long long)before[i].st_mtim.tv_sec,
                          before[i].st_mtim.tv_nsec);
    for (uint32_t i = 0; i < migration->table_count; i++) {
        const struct migrate_table *table = &migration->tables[i];

        text_buffer_print(&text, "%s.%s\n", table->schema, table->name);
        for (uint32_t k = 0; k < table->column_count; k++)
            text_buffer_print(&text, "%s %d\n", table->columns[k].name,
                              (int)table->columns[k].wanted.type);
    }
    /* 0 is no identity: then there is nothing to go on with. */
    uint64_t identity = text.failed ? 0 : checksum64(text.bytes, text.size, IDENTITY_SEED) | 1;
    text_buffer_deinit(&text);
    return identity;
}

/* Writing. */

static void
put_line(struct migrate_resume *resume, struct text_buffer *line)
{
    if (resume->file == NULL || line->failed)
        return;
    (void)fprintf(resume->file, "%s %016" PRIx64 "\n", line->bytes,
                  checksum64(line->bytes, line->size, LINE_SEED));
    (void)fflush(resume->file);
}

void
resume_note_table(struct migration *migration, const struct migrate_table *table)
{
    struct text_buffer line;

    if (migration->resume.file == NULL ||
        table->loss_count + table->short_count + table->long_count > 0)
        return;
    text_buffer_init(&line, migration->env.memory);
    text_buffer_print(&line, "table %u %" PRIu64 " %u %d %d %u", table->plan->number,
                      table->row_count, table->column_count, table->has_key,
                      table->defaults_left_out, reason_number(table->key_left_out));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct migrate_column *column = &table->columns[i];

        text_buffer_print(&line, " %d %d %d %u %d %d %d %u %u %" PRIu64 " x",
                          (int)column->type.type, column->type.precision, column->type.scale,
                          column->type.size, column->widened, column->not_null, column->unique,
                          reason_number(column->not_null_left_out),
                          reason_number(column->unique_left_out), column->widened_row);
        for (const char *at = column->widened_value; *at != '\0'; at++)
            text_buffer_print(&line, "%02x", (unsigned char)*at);
    }
    put_line(&migration->resume, &line);
    text_buffer_deinit(&line);
}

void
resume_note_extras(struct migration *migration)
{
    struct text_buffer line;

    text_buffer_init(&line, migration->env.memory);
    text_buffer_add_text(&line, "extras");
    put_line(&migration->resume, &line);
    text_buffer_deinit(&line);
}

/* Reading. */

/* The next line without its checksum; false: there is none, or it is torn or wrong. */
static bool
take_line(FILE *file, struct text_buffer *line)
{
    char piece[1024];
    char *end = NULL;
    bool whole = false;

    text_buffer_reset(line);
    while (!whole && line->size < LINE_SIZE_MAX && fgets(piece, sizeof(piece), file) != NULL) {
        text_buffer_add_text(line, piece);
        whole = strchr(piece, '\n') != NULL;
    }
    if (!whole || line->failed || line->size < 18 || line->bytes[line->size - 18] != ' ')
        return false;
    uint64_t wanted = strtoull(line->bytes + line->size - 17, &end, 16);
    bool ended = end == line->bytes + line->size - 1;
    line->size -= 18;
    line->bytes[line->size] = '\0';
    return ended && wanted == checksum64(line->bytes, line->size, LINE_SEED);
}

static int64_t
number(char **at)
{
    return strtoll(*at, at, 10);
}

static void
take_sample(char **at, char out[MIGRATE_SAMPLE_SIZE])
{
    size_t used = 0;
    unsigned byte = 0;

    *at += strspn(*at, " ");
    *at += **at == 'x';
    while (used + 1 < MIGRATE_SAMPLE_SIZE && sscanf(*at, "%2x", &byte) == 1 && **at != ' ') {
        out[used++] = (char)byte;
        *at += 2;
    }
    out[used] = '\0';
}

static void
take_table(struct migration *migration, char *at)
{
    uint64_t index = (uint64_t)number(&at);
    uint64_t row_count = (uint64_t)number(&at);

    if (index >= migration->table_count)
        return;
    struct migrate_table *table = &migration->tables[index];
    if ((uint64_t)number(&at) != table->column_count || table->left_out)
        return;
    table->row_count = row_count;
    table->has_key = number(&at) != 0;
    table->defaults_left_out = number(&at) != 0;
    table->key_left_out = reason_of((uint64_t)number(&at));
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct migrate_column *column = &table->columns[i];

        column->type.type = (enum qtdb_type)number(&at);
        column->type.precision = (int32_t)number(&at);
        column->type.scale = (int32_t)number(&at);
        column->type.size = (uint32_t)number(&at);
        column->widened = number(&at) != 0;
        column->not_null = number(&at) != 0;
        column->unique = number(&at) != 0;
        column->not_null_left_out = reason_of((uint64_t)number(&at));
        column->unique_left_out = reason_of((uint64_t)number(&at));
        column->widened_row = (uint64_t)number(&at);
        take_sample(&at, column->widened_value);
    }
    table->loaded = true;
    migration->resume.table_count++;
}

/* Whether the state is of these sources and its tables are all there is to it. */
static bool
is_usable(FILE *file, uint64_t identity, struct text_buffer *line)
{
    char first[64];

    (void)snprintf(first, sizeof(first), "state 1 %016" PRIx64, identity);
    if (identity == 0 || !take_line(file, line) || strcmp(line->bytes, first) != 0)
        return false;
    while (take_line(file, line)) {
        if (strcmp(line->bytes, "extras") == 0)
            return false;
    }
    return !line->failed;
}

static void
take_state(struct migration *migration, uint64_t identity)
{
    FILE *file = fopen(migration->resume.path, "r");
    struct text_buffer line;

    if (file == NULL)
        return;
    text_buffer_init(&line, migration->env.memory);
    migration->resume.going_on = is_usable(file, identity, &line);
    rewind(file);
    while (migration->resume.going_on && take_line(file, &line)) {
        if (strncmp(line.bytes, "table ", 6) == 0)
            take_table(migration, line.bytes + 6);
    }
    text_buffer_deinit(&line);
    (void)fclose(file);
}

void
resume_find(struct migration *migration, const struct stat *before)
{
    struct migrate_resume *resume = &migration->resume;
    char partial[IO_PATH_SIZE + 16];

    (void)snprintf(partial, sizeof(partial), "%s.partial", migration->options.target);
    (void)snprintf(resume->path, sizeof(resume->path), "%s-state", partial);
    resume->identity = identity_of(migration, before);
    if (migration->options.resume && access(partial, F_OK) == 0)
        take_state(migration, resume->identity);
}

enum status
resume_begin(struct migration *migration)
{
    struct migrate_resume *resume = &migration->resume;
    struct text_buffer line;

    if (!migration->options.resume)
        return STATUS_OK;
    resume->file = fopen(resume->path, "w");
    if (resume->file == NULL)
        return migrate_fail(migration, STATUS_IO, "%s: %s", resume->path, strerror(errno));
    text_buffer_init(&line, migration->env.memory);
    text_buffer_print(&line, "state 1 %016" PRIx64, resume->identity);
    put_line(resume, &line);
    text_buffer_deinit(&line);
    for (uint32_t i = 0; i < migration->table_count; i++) {
        if (migration->tables[i].loaded)
            resume_note_table(migration, &migration->tables[i]);
    }
    return STATUS_OK;
}

void
resume_end(struct migration *migration, bool keep)
{
    struct migrate_resume *resume = &migration->resume;

    if (resume->file != NULL)
        (void)fclose(resume->file);
    resume->file = NULL;
    if (!keep && resume->path[0] != '\0')
        (void)unlink(resume->path);
}
