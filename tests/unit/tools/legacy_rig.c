#include "tests/unit/tools/legacy_rig.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/qtdb-migrate/migrate_convert.h"

static const struct tool rig_tool = {.name = "test", .help = ""};

void
legacy_rig_init(struct legacy_rig *rig)
{
    const char *temporary = getenv("TMPDIR");

    cr_assert(tool_env_open(&rig_tool, &rig->env));
    snprintf(rig->folder, sizeof(rig->folder), "%s/legacy-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    cr_assert_not_null(mkdtemp(rig->folder));
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void
legacy_rig_deinit(struct legacy_rig *rig)
{
    cr_assert_eq(memory_live_count(rig->env.memory), rig->env.io != NULL ? 1 : 0);
    tool_env_close(&rig->env);
    cr_assert_eq(nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *
legacy_rig_path(const struct legacy_rig *rig, const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", rig->folder, name);
    return path;
}

void
legacy_rig_sample(struct legacy_rig *rig, char generation, bool create)
{
    struct make_options options = {
        .tool = &rig_tool, .env = rig->env, .generation = generation, .create = create};

    cr_assert_eq(make_sample(&options, rig->folder), TOOL_OK);
}

unsigned char *
legacy_rig_read(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");

    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *size_out = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size_out + 1);
    cr_assert_eq(fread(bytes, 1, *size_out, file), *size_out);
    fclose(file);
    return bytes;
}

void
legacy_rig_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

struct dump {
    FILE *file;
    struct arena arena;
};

static enum status
dump_row(void *context, struct plan_table *table, const struct source_row *row)
{
    struct dump *dump = context;

    arena_reset(&dump->arena);
    fprintf(dump->file, "%s.%s: ", table->database->name.bytes, table->name.bytes);
    for (uint32_t i = 0; i < table->column_count; i++) {
        size_t size = 0;
        const char *text = convert_text(row->values[i], &dump->arena, &size);

        fprintf(dump->file, "%s%.*s", i > 0 ? "|" : "", (int)size, text);
    }
    fputc('\n', dump->file);
    return STATUS_OK;
}

char *
legacy_rig_dump(struct legacy_rig *rig, const char *path, const struct source_options *options)
{
    static const struct source_options none;
    struct legacy_source *source = malloc(sizeof(*source));
    struct dump dump;
    struct source_visitor visitor = {.context = &dump, .row = dump_row};
    char *text = NULL;
    size_t size = 0;

    dump.file = open_memstream(&text, &size);
    arena_init(&dump.arena, rig->env.memory, MEMORY_OTHER);
    enum status status =
        legacy_source_open(&rig->env, path, options != NULL ? options : &none, source);
    if (status == STATUS_OK)
        status = legacy_source_read(source, &visitor);
    if (status != STATUS_OK) {
        cr_assert(source->fault[0] != '\0', "%s without a fault", status_name(status));
        fprintf(dump.file, "!%s", source->fault);
    }
    legacy_source_close(source);
    arena_deinit(&dump.arena);
    fclose(dump.file);
    free(source);
    return text;
}
