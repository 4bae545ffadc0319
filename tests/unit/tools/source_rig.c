/* See source_rig.h. */
#include "tests/unit/tools/source_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-migrate/migrate_convert.h"

static const struct source_options no_options;

struct dump {
    FILE *file;
    struct arena arena;
};

static enum status
dump_table(void *context, struct plan_table *table)
{
    struct dump *dump = context;
    char type[TARGET_TYPE_SIZE];

    fprintf(dump->file, "%s.%s(", table->database->name.bytes, table->name.bytes);
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct target_type wanted = convert_type_of(&table->columns[i].column);

        fprintf(dump->file, "%s%s %s", i > 0 ? ", " : "", table->columns[i].column.name.bytes,
                convert_type_name(&wanted, type));
    }
    fprintf(dump->file, ")\n");
    return STATUS_OK;
}

static void
dump_value(struct dump *dump, const struct legacy_value *value, const char *before)
{
    size_t size = 0;
    const char *text = convert_text(value, &dump->arena, &size);

    fprintf(dump->file, "%s%.*s", before, (int)size, text != NULL ? text : "!");
    if (value->loss != NULL)
        fprintf(dump->file, "[%s]", value->loss);
}

static enum status
dump_row(void *context, struct plan_table *table, const struct source_row *row)
{
    struct dump *dump = context;

    arena_reset(&dump->arena);
    for (uint32_t i = 0; i < table->column_count; i++)
        dump_value(dump, row->values[i], i > 0 ? "|" : "");
    for (uint32_t i = 0; i < row->extra_count; i++)
        dump_value(dump, &row->extras[i], "|+");
    if (row->missing_count > 0)
        fprintf(dump->file, " -%u", row->missing_count);
    fputc('\n', dump->file);
    return STATUS_OK;
}

static enum status
read_source(struct legacy_rig *rig, struct source *source, FILE *file)
{
    struct dump dump = {.file = file};
    const struct source_visitor visitor = {.context = &dump, .table = dump_table, .row = dump_row};

    arena_init(&dump.arena, rig->env.memory, MEMORY_OTHER);
    enum status status = source_read(source, &visitor);
    arena_deinit(&dump.arena);
    return status;
}

/* Opens, reads `times` times, closes. The fault goes to `fault`. */
static enum status
run(struct legacy_rig *rig, const char *path, const struct source_options *options, FILE **files,
    int times, char fault[768])
{
    struct source_list list = {.count = 0};
    struct arena arena;

    arena_init(&arena, rig->env.memory, MEMORY_OTHER);
    enum status status = source_find(&rig->env, &arena, path, options, &list);
    snprintf(fault, 768, "%s", list.fault);
    for (uint32_t i = 0; status == STATUS_OK && i < list.count; i++) {
        struct source *source = list.sources[i];

        status = source_open(source);
        for (int k = 0; status == STATUS_OK && k < times; k++)
            status = read_source(rig, source, files[k]);
        snprintf(fault, 768, "%s", source->fault);
        source_close(source);
    }
    arena_deinit(&arena);
    return status;
}

char *
source_rig_dump(struct legacy_rig *rig, const char *path, const struct source_options *options)
{
    char *texts[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    FILE *files[2];
    char fault[768] = "";

    for (int i = 0; i < 2; i++)
        files[i] = open_memstream(&texts[i], &sizes[i]);
    enum status status = run(rig, path, options != NULL ? options : &no_options, files, 2, fault);
    if (status != STATUS_OK) {
        cr_assert(fault[0] != '\0', "%s without a fault", status_name(status));
        fprintf(files[0], "!%s", fault);
    }
    for (int i = 0; i < 2; i++)
        fclose(files[i]);
    if (status == STATUS_OK)
        cr_assert_str_eq(texts[0], texts[1], "the second reading differs");
    free(texts[1]);
    return texts[0];
}

void
source_rig_expect(struct legacy_rig *rig, const char *name, const char *content,
                  const struct source_options *options, const char *expected)
{
    const char *path = legacy_rig_path(rig, name);

    legacy_rig_write(path, content, strlen(content));
    char *got = source_rig_dump(rig, path, options);
    const char *text = got;

    /* A fault's path is the folder's; what was read before it is left out. */
    if (strstr(got, "!/") != NULL && strstr(strstr(got, "!/"), name) != NULL)
        text = strstr(strstr(got, "!/"), name);
    cr_expect_str_eq(text, expected, "%s", got);
    free(got);
}

void
source_rig_starve(struct legacy_rig *rig, const char *path)
{
    uint64_t live = memory_live_count(rig->env.memory);
    bool failed = true;

    for (uint64_t i = 0; failed; i++) {
        char *text = NULL;
        char fault[768] = "";
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);

        cr_assert(i < 10000);
        memory_fail_at(rig->env.memory, i, false);
        enum status status = run(rig, path, &no_options, &file, 1, fault);
        failed = memory_failed(rig->env.memory);
        memory_fail_at(rig->env.memory, UINT64_MAX, false);
        fclose(file);
        cr_expect(!failed || status != STATUS_OK || strchr(text, '!') != NULL,
                  "allocation %llu: the refusal was passed over", (unsigned long long)i);
        cr_expect(status == STATUS_OK || fault[0] != '\0', "allocation %llu: no fault",
                  (unsigned long long)i);
        cr_expect_eq(memory_live_count(rig->env.memory), live, "allocation %llu: a leak",
                     (unsigned long long)i);
        free(text);
    }
}
