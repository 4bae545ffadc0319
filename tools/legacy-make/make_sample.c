/*
 * A data directory with everything that reading has to cope with, the same in each generation:
 *
 *   database shop   all_types (each type, dead rows, values tagged otherwise than their column),
 *                   odd (hostile names and texts), empty (no columns), notes (changed by the log)
 *   database other  things (also changed by the log; only one database has it)
 *   wal/            two files: what the snapshot already holds, a checkpoint, then every operation,
 *                   and a torn tail
 *
 * What has to come out of it is written down in tests/cli/migrate_sample.sh.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/legacy-make/make.h"

static const char *const moods[] = {"happy", "sad", "so-so"};
static const uint8_t uuid[16] = {0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4,
                                 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0x00, 0x00};

static const struct writer_column all_types[] = {
    {.name = "id", .type = WRITER_SERIAL, .flags = WRITER_PRIMARY_KEY},
    {.name = "si", .type = WRITER_SMALLINT, .flags = WRITER_NULLABLE},
    {.name = "r", .type = WRITER_REAL, .flags = WRITER_NULLABLE},
    {.name = "n", .type = WRITER_NUMERIC, .first = 10, .second = 2, .flags = WRITER_NULLABLE},
    {.name = "t", .type = WRITER_TEXT, .flags = WRITER_NULLABLE},
    {.name = "vc", .type = WRITER_VARCHAR, .first = 5, .flags = WRITER_NULLABLE | WRITER_UNIQUE},
    {.name = "c", .type = WRITER_CHAR, .first = 5, .flags = WRITER_NULLABLE},
    {.name = "b", .type = WRITER_BOOLEAN, .flags = WRITER_NULLABLE},
    {.name = "d", .type = WRITER_DATE, .flags = WRITER_NULLABLE},
    {.name = "ts", .type = WRITER_TIMESTAMP, .flags = WRITER_NULLABLE},
    {.name = "tz", .type = WRITER_TIMESTAMPTZ, .flags = WRITER_NULLABLE},
    {.name = "u", .type = WRITER_UUID, .flags = WRITER_NULLABLE},
    {.name = "j", .type = WRITER_JSON, .flags = WRITER_NULLABLE},
    {.name = "by", .type = WRITER_BYTEA, .flags = WRITER_NULLABLE},
    {.name = "m",
     .type = WRITER_ENUM,
     .first = 3,
     .flags = WRITER_NULLABLE,
     .enum_name = "mood",
     .labels = moods},
};

enum { ALL_TYPES_COUNT = sizeof(all_types) / sizeof(all_types[0]) };

/* Values that follow their columns' types. */
static void
write_plain_row(struct writer *writer, int64_t id, const char *unique, uint64_t xmax)
{
    writer_row_begin(writer, ALL_TYPES_COUNT);
    writer_integer(writer, id);
    writer_smallint(writer, -2);
    writer_real(writer, 0.1);
    writer_tagged(writer, 4, "123.4500");
    writer_tagged(writer, 5, "quote's \"q\"\ttab\nline");
    writer_tagged(writer, 5, unique);
    writer_tagged(writer, 6, "ab   ");
    writer_boolean(writer, true);
    writer_tagged(writer, 8, "-0043-03-15");
    writer_tagged(writer, 9, "2025-01-15T10:30:00.250001");
    writer_tagged(writer, 10, "1969-12-31T23:59:59Z");
    writer_uuid(writer, uuid);
    writer_tagged(writer, 12, "{\"a\": [1, 2]}");
    writer_bytea(writer, "\0\1\2\377", 4);
    writer_label(writer, "mood", "so-so");
    writer_row_end(writer, 1, xmax);
}

/* Values that do not. */
static void
write_crossed_row(struct writer *writer, int64_t id)
{
    writer_row_begin(writer, ALL_TYPES_COUNT);
    writer_smallint(writer, (int16_t)id);
    writer_integer(writer, 7);
    writer_tagged(writer, 4, "1.5");
    writer_smallint(writer, 5);
    writer_tagged(writer, 8, "2025-01-15");
    writer_smallint(writer, 12);
    writer_tagged(writer, 5, "xyz");
    writer_tagged(writer, 5, "false");
    writer_tagged(writer, 5, "2025-02-28");
    writer_tagged(writer, 9, "2025-01-15T10:30:00.123456789");
    writer_tagged(writer, 9, "2025-01-15T10:30:00");
    writer_tagged(writer, 5, "550E8400-E29B-41D4-A716-446655440000");
    writer_tagged(writer, 5, "[true]");
    writer_tagged(writer, 5, "abc");
    writer_tagged(writer, 5, "sad");
    writer_row_end(writer, 9000000000, 0);
}

static void
write_null_row(struct writer *writer, int64_t id)
{
    writer_row_begin(writer, ALL_TYPES_COUNT);
    writer_integer(writer, id);
    for (int i = 1; i < ALL_TYPES_COUNT; i++)
        writer_null(writer);
    writer_row_end(writer, 3, 0);
}

static void
write_all_types(struct writer *writer)
{
    writer_key(writer, "all_types");
    writer_table_begin(writer, "all_types", ALL_TYPES_COUNT);
    for (int i = 0; i < ALL_TYPES_COUNT; i++)
        writer_column(writer, &all_types[i]);
    writer_rows(writer, 4);
    write_plain_row(writer, 1, "one", 0);
    write_plain_row(writer, 2, "one", 5);
    write_null_row(writer, 3);
    write_crossed_row(writer, 4);
    writer_sequences(writer, 1);
    writer_sequence(writer, "id", 5);
    writer_table_end(writer, "alice");
}

/* Names and texts that break careless tools; a constraint and types that the rows break. */
static void
write_odd(struct writer *writer)
{
    static const struct writer_column columns[] = {
        {.name = "select", .type = WRITER_INTEGER, .flags = WRITER_PRIMARY_KEY},
        {.name = "a\"b;--", .type = WRITER_TEXT, .flags = 0},
        {.name = "small", .type = WRITER_VARCHAR, .first = 3, .flags = WRITER_NULLABLE},
        {.name = "whole", .type = WRITER_INTEGER, .flags = WRITER_NULLABLE},
    };

    writer_key(writer, "odd \"table\"");
    writer_table_begin(writer, "odd \"table\"", 4);
    for (int i = 0; i < 4; i++)
        writer_column(writer, &columns[i]);
    writer_rows(writer, 4);
    writer_row_begin(writer, 6); /* Too long. */
    writer_smallint(writer, 4);
    writer_tagged(writer, 5, "");
    writer_null(writer);
    writer_null(writer);
    writer_tagged(writer, 5, "past the last");
    writer_real(writer, 1e300);
    writer_row_end(writer, 1, 0);
    writer_row_begin(writer, 4);
    writer_smallint(writer, 1);
    writer_tagged(writer, 5, "'; DROP TABLE x; --");
    writer_tagged(writer, 5, "abc");
    writer_tagged(writer, 4, "2.5");
    writer_row_end(writer, 1, 0);
    writer_row_begin(writer, 4);
    writer_smallint(writer, 1); /* Twice: the key repeats. */
    writer_null(writer);
    writer_tagged(writer, 5, "abcdef");
    writer_tagged(writer, 5, "not a number");
    writer_row_end(writer, 1, 0);
    writer_row_begin(writer, 2); /* Too short. */
    writer_smallint(writer, 3);
    writer_tagged(writer, 5, "\320\256\320\275\320\270\320\272\320\276\320\264 \360\237\231\202");
    writer_row_end(writer, 1, 0);
    writer_sequences(writer, 0);
    writer_table_end(writer, "alice");
}

static void
write_empty(struct writer *writer)
{
    writer_key(writer, "empty");
    writer_table_begin(writer, "empty", 0);
    writer_rows(writer, 0);
    writer_sequences(writer, 0);
    writer_table_end(writer, "alice");
}

/* Two columns and three rows; the log changes it. */
static void
write_simple(struct writer *writer, const char *name)
{
    static const struct writer_column columns[] = {
        {.name = "id", .type = WRITER_SERIAL, .flags = WRITER_PRIMARY_KEY},
        {.name = "body",
         .type = WRITER_TEXT,
         .flags = WRITER_NULLABLE,
         .foreign_table = "all_types",
         .foreign_column = "t"},
    };

    writer_key(writer, name);
    writer_table_begin(writer, name, 2);
    for (int i = 0; i < 2; i++)
        writer_column(writer, &columns[i]);
    writer_rows(writer, 3);
    for (int i = 1; i <= 3; i++) {
        char body[16];

        (void)snprintf(body, sizeof(body), "old %d", i);
        writer_row_begin(writer, 2);
        writer_integer(writer, i);
        writer_tagged(writer, 5, body);
        writer_row_end(writer, (uint64_t)i, 0);
    }
    writer_sequences(writer, 1);
    writer_sequence(writer, "id", 4);
    writer_table_end(writer, "alice");
}

static void
write_snapshot(struct writer *writer)
{
    static const char *const views[] = {"happy_ones", "SELECT * FROM all_types WHERE m = 'happy'"};

    writer_instance_begin(writer, 2);
    writer_key(writer, "shop");
    writer_database_begin(writer, "shop", 4);
    write_all_types(writer);
    write_odd(writer);
    write_empty(writer);
    write_simple(writer, "notes");
    writer_enums(writer, 1);
    writer_enum(writer, "mood", moods, 3);
    writer_views(writer, views, 1);
    writer_database_end(writer, "notes");
    writer_key(writer, "other");
    writer_database_begin(writer, "other", 1);
    write_simple(writer, "things");
    writer_enums(writer, 0);
    writer_views(writer, NULL, 0);
    writer_database_end(writer, NULL);
    writer_instance_end(writer, "shop");
}

/* The log. */

static void
log_row(struct writer *writer, const char *table, enum writer_operation operation,
        uint64_t old_index, int64_t id, const char *body)
{
    writer_record_begin(writer, operation);
    writer_text(writer, table);
    if (operation == WRITER_LOG_UPDATE)
        writer_u64(writer, old_index);
    writer_row_begin(writer, 2);
    writer_integer(writer, id);
    writer_tagged(writer, 5, body);
    writer_row_end(writer, 7, 0);
    writer_record_end(writer);
}

static void
log_name(struct writer *writer, enum writer_operation operation, const char *table,
         const char *first, const char *second)
{
    writer_record_begin(writer, operation);
    writer_text(writer, table);
    if (first != NULL)
        writer_text(writer, first);
    if (second != NULL)
        writer_text(writer, second);
    writer_record_end(writer);
}

static void
log_delete(struct writer *writer, const char *table, uint64_t index)
{
    writer_record_begin(writer, WRITER_LOG_DELETE);
    writer_text(writer, table);
    writer_u64(writer, index);
    writer_record_end(writer);
}

/* Already in the snapshot: applying it would double rows. */
static void
write_old_log(struct writer *writer)
{
    for (int i = 1; i <= 3; i++)
        log_row(writer, "notes", WRITER_LOG_INSERT, 0, i, "doubled");
    writer_checkpoint(writer);
    log_row(writer, "notes", WRITER_LOG_INSERT, 0, 4, "new 4"); /* Row 3. */
}

static void
write_new_log(struct writer *writer)
{
    static const struct writer_column added = {
        .name = "extra", .type = WRITER_INTEGER, .flags = WRITER_NULLABLE};

    log_row(writer, "notes", WRITER_LOG_UPDATE, 0, 1, "new 1"); /* Row 4. */
    log_delete(writer, "notes", 1);
    log_row(writer, "notes", WRITER_LOG_UPDATE, 4, 1, "newer 1"); /* Row 5. */
    log_row(writer, "notes", WRITER_LOG_INSERT, 0, 90, "gone");   /* Row 6. */
    log_delete(writer, "notes", 6);
    writer_record_begin(writer, WRITER_LOG_ADD_COLUMN);
    writer_text(writer, "things");
    writer_column(writer, &added);
    writer_record_end(writer);
    writer_record_begin(writer, WRITER_LOG_INSERT);
    writer_text(writer, "things");
    writer_row_begin(writer, 3);
    writer_integer(writer, 4);
    writer_tagged(writer, 5, "with extra");
    writer_integer(writer, 44);
    writer_row_end(writer, 8, 0);
    writer_record_end(writer);
    log_name(writer, WRITER_LOG_RENAME_COLUMN, "things", "body", "text");
    log_name(writer, WRITER_LOG_RENAME_TABLE, "things", "stuff", NULL);
    log_row(writer, "notes", WRITER_LOG_INSERT, 0, 100, "last");
}

/* A table made, filled and given up, where --log-database says to what it belongs. */
static void
write_create(struct writer *writer)
{
    static const struct writer_column column = {
        .name = "id", .type = WRITER_INTEGER, .flags = WRITER_PRIMARY_KEY};

    writer_record_begin(writer, WRITER_LOG_CREATE);
    writer_text(writer, "made");
    writer_table_begin(writer, "made", 1);
    writer_column(writer, &column);
    writer_rows(writer, 0);
    writer_sequences(writer, 0);
    writer_table_end(writer, "alice");
    writer_record_end(writer);
    log_name(writer, WRITER_LOG_DROP, "made", NULL, NULL);
}

static bool
write_file(const struct make_options *options, const char *directory, const char *name,
           void (*write)(struct writer *writer), uint64_t sequence, const char *tail,
           size_t tail_size)
{
    char path[IO_PATH_SIZE];
    struct writer writer;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL;
    if (ok) {
        writer_init(&writer, options->env.memory, file, options->generation);
        writer.sequence = sequence;
        write(&writer);
        writer_bytes(&writer, tail, tail_size);
        ok = writer_end(&writer);
        ok = fclose(file) == 0 && ok;
    }
    if (!ok)
        tool_error(options->tool, "%s: %s", path, strerror(errno));
    return ok;
}

int
make_sample(const struct make_options *options, const char *directory)
{
    static const char torn[] = {64, 0, 0, 0, 1, 2, 3};
    char log[IO_PATH_SIZE];

    (void)snprintf(log, sizeof(log), "%s/wal", directory);
    if ((mkdir(directory, 0777) != 0 && errno != EEXIST) ||
        (mkdir(log, 0777) != 0 && errno != EEXIST)) {
        tool_error(options->tool, "%s: %s", directory, strerror(errno));
        return TOOL_FAILED;
    }
    bool ok =
        write_file(options, directory, "server_instance.db", write_snapshot, 0, NULL, 0) &&
        write_file(options, log, "000000006b000001.wal", write_old_log, 0, NULL, 0) &&
        write_file(options, log, "000000006b000002.wal", write_new_log, 5, torn, sizeof(torn)) &&
        (!options->create ||
         write_file(options, log, "000000006b000003.wal", write_create, 50, NULL, 0));
    return ok ? TOOL_OK : TOOL_FAILED;
}
