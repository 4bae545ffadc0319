/*
 * Many rows that are hard on a reader, streamed: a data directory with one table of hostile texts, NUMERIC values
 * under several tags, nulls and dead rows, and a log that updates, deletes and inserts behind a checkpoint and ends
 * in a torn tail. What is to arrive is tallied here and printed, so that it can be compared with what SQL counts:
 *
 *    rows N ids SUM cents SUM bytes SUM nulls N
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/base/random.h"
#include "tools/legacy-make/make.h"

enum { ROWS_A_CHANGE = 1000, DEAD_PLACE = 3, UPDATE_PLACE = 5, DELETE_PLACE = 7 };

static const char *const texts[] = {
    "'; DROP TABLE rows; --",
    "",
    "\"quoted\" and \\backslash\\ and ''both''",
    "tab\tline\nreturn\rend",
    "\xd1\x8e\xd0\xbd\xd0\xb8\xd0\xba\xd0\xbe\xd0\xb4 \xf0\x9f\x99\x82 \xe2\x80\xa8 two lines",
    "NULL",
    "\\N",
    "%s%n%d{}$1",
    "2025-01-15",
    "1e5",
    "{\"json\": [1, null]}",
    "\x01\x1f\x7f control",
    ",,;;||",
    "e\xcc\x81 and \xc3\xa9, \xef\xbb\xbfmark, \xef\xbf\xbf",
};
enum { TEXT_COUNT = sizeof(texts) / sizeof(texts[0]), LONG_EACH = 97, LONG_SIZE = 3000 };

static const struct writer_column columns[] = {
    {.name = "id", .type = WRITER_BIGSERIAL, .flags = WRITER_PRIMARY_KEY},
    {.name = "payload", .type = WRITER_TEXT, .flags = WRITER_NULLABLE},
    {.name = "amount", .type = WRITER_NUMERIC, .first = 14, .second = 2, .flags = WRITER_NULLABLE},
};

struct hostile {
    const struct make_options *options;
    struct writer writer;
    uint64_t row_count; /* Of the snapshot. */
    uint64_t changes;
    /* What is to arrive. */
    uint64_t rows;
    uint64_t ids;
    int64_t cents;
    uint64_t bytes;
    uint64_t nulls;
    char text[LONG_SIZE];
};

static const char *
text_of(struct hostile *hostile, uint64_t word, size_t *size_out)
{
    const char *text = texts[word % TEXT_COUNT];
    size_t size = strlen(text);

    if (word % LONG_EACH == 0) {
        for (*size_out = 0; *size_out + size + 1 < LONG_SIZE; *size_out += size + 1) {
            memcpy(hostile->text + *size_out, text, size);
            hostile->text[*size_out + size] = ' ';
        }
        return hostile->text;
    }
    *size_out = size;
    return text;
}

/* An amount as the predecessor tagged it: a literal with a point numeric, small integers smallint. */
static void
write_amount(struct hostile *hostile, uint64_t word, bool counts)
{
    struct writer *writer = &hostile->writer;
    int64_t cents = (int64_t)(word % 2000001) - 1000000;
    char amount[32];

    if (word % 11 == 0) {
        writer_null(writer);
        return;
    }
    if (word % 11 == 1) {
        cents = (int64_t)(word % 30000) * 100;
        writer_smallint(writer, (int16_t)(cents / 100));
    } else if (word % 11 == 2) {
        cents = (int64_t)(word % 100000000) * 100;
        writer_integer(writer, cents / 100);
    } else {
        uint64_t plain = (uint64_t)(cents < 0 ? -cents : cents);

        (void)snprintf(amount, sizeof(amount), "%s%llu.%02llu", cents < 0 ? "-" : "",
                       (unsigned long long)(plain / 100), (unsigned long long)(plain % 100));
        writer_tagged(writer, 4, amount);
    }
    if (counts)
        hostile->cents += cents;
}

/* `version` 0: as it was inserted first. */
static void
write_row(struct hostile *hostile, uint64_t id, uint64_t version, bool dead, bool counts)
{
    struct writer *writer = &hostile->writer;
    uint64_t word = random_mix(hostile->options->seed * 1000003 + id * 7 + version);
    size_t size = 0;

    writer_row_begin(writer, 3);
    writer_integer(writer, (int64_t)id);
    hostile->rows += counts;
    hostile->ids += counts ? id : 0;
    if (word % 13 == 0) {
        writer_null(writer);
        hostile->nulls += counts;
    } else {
        const char *text = text_of(hostile, word, &size);

        writer_tagged_sized(writer, 5, text, size);
        hostile->bytes += counts ? size : 0;
    }
    write_amount(hostile, word / 13, counts);
    writer_row_end(writer, id, dead ? id + 1 : 0);
}

/* The first of each ROWS_A_CHANGE rows that stand at the place are changed by the log. */
static bool
is_changed(const struct hostile *hostile, uint64_t index, uint64_t place)
{
    return index % ROWS_A_CHANGE == place && index / ROWS_A_CHANGE < hostile->changes;
}

static void
write_snapshot(struct hostile *hostile)
{
    struct writer *writer = &hostile->writer;

    writer_instance_begin(writer, 1);
    writer_key(writer, "made");
    writer_database_begin(writer, "made", 1);
    writer_key(writer, "hostile");
    writer_table_begin(writer, "hostile", sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        writer_column(writer, &columns[i]);
    writer_rows(writer, hostile->row_count);
    for (uint64_t i = 0; i < hostile->row_count; i++) {
        bool dead = i % 10 == DEAD_PLACE;

        write_row(hostile, i + 1, 0, dead,
                  !dead && !is_changed(hostile, i, UPDATE_PLACE) &&
                      !is_changed(hostile, i, DELETE_PLACE));
    }
    writer_sequences(writer, 1);
    writer_sequence(writer, "id", (int64_t)hostile->row_count + 1);
    writer_table_end(writer, "alice");
    writer_enums(writer, 0);
    writer_views(writer, NULL, 0);
    writer_database_end(writer, "hostile");
    writer_instance_end(writer, "made");
}

static void
begin_record(struct hostile *hostile, enum writer_operation operation)
{
    writer_record_begin(&hostile->writer, operation);
    writer_text(&hostile->writer, "hostile");
}

static void
write_log(struct hostile *hostile)
{
    struct writer *writer = &hostile->writer;
    static const char torn[] = {64, 0, 0, 0, 1, 2, 3};

    /* Before the checkpoint: it is in the snapshot already and must not come again. */
    begin_record(hostile, WRITER_LOG_INSERT);
    write_row(hostile, 1, 0, false, false);
    writer_record_end(writer);
    writer_checkpoint(writer);
    for (uint64_t i = 0; i < hostile->changes; i++) {
        uint64_t first = i * ROWS_A_CHANGE;

        begin_record(hostile, WRITER_LOG_UPDATE);
        writer_u64(writer, first + UPDATE_PLACE);
        write_row(hostile, first + UPDATE_PLACE + 1, 1, false, true);
        writer_record_end(writer);
        begin_record(hostile, WRITER_LOG_DELETE);
        writer_u64(writer, first + DELETE_PLACE);
        writer_record_end(writer);
        begin_record(hostile, WRITER_LOG_INSERT);
        write_row(hostile, hostile->row_count + 1 + i, 0, false, true);
        writer_record_end(writer);
    }
    writer_bytes(writer, torn, sizeof(torn));
}

static bool
write_file(struct hostile *hostile, const char *path, void (*write)(struct hostile *hostile))
{
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL;

    if (ok) {
        writer_init(&hostile->writer, hostile->options->env.memory, file,
                    hostile->options->generation);
        write(hostile);
        ok = writer_end(&hostile->writer);
        ok = fclose(file) == 0 && ok;
    }
    if (!ok)
        tool_error(hostile->options->tool, "%s: %s", path, strerror(errno));
    return ok;
}

int
make_hostile(const struct make_options *options, const char *directory)
{
    struct hostile hostile = {.options = options, .row_count = options->rows};
    char snapshot[IO_PATH_SIZE], folder[IO_PATH_SIZE], log[IO_PATH_SIZE + 32];

    hostile.changes = options->rows / ROWS_A_CHANGE;
    (void)snprintf(snapshot, sizeof(snapshot), "%.4000s/server_instance.db", directory);
    (void)snprintf(folder, sizeof(folder), "%.4000s/wal", directory);
    (void)snprintf(log, sizeof(log), "%s/000000006b000001.wal", folder);
    if ((mkdir(directory, 0777) != 0 && errno != EEXIST) ||
        (mkdir(folder, 0777) != 0 && errno != EEXIST)) {
        tool_error(options->tool, "%s: %s", directory, strerror(errno));
        return TOOL_FAILED;
    }
    if (!write_file(&hostile, snapshot, write_snapshot) || !write_file(&hostile, log, write_log))
        return TOOL_FAILED;
    printf("rows %llu ids %llu cents %lld bytes %llu nulls %llu\n",
           (unsigned long long)hostile.rows, (unsigned long long)hostile.ids,
           (long long)hostile.cents, (unsigned long long)hostile.bytes,
           (unsigned long long)hostile.nulls);
    return TOOL_OK;
}
