/*
 * Many made rows, streamed: an instance with one table of id, payload, amount and moment, about 110
 * bytes a row. Every hundredth row is dead. What is to arrive is tallied and printed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tools/legacy-make/make.h"

static const struct writer_column columns[] = {
    {.name = "id", .type = WRITER_SERIAL, .flags = WRITER_PRIMARY_KEY},
    {.name = "payload", .type = WRITER_TEXT, .flags = WRITER_NULLABLE},
    {.name = "amount", .type = WRITER_NUMERIC, .first = 12, .second = 2, .flags = WRITER_NULLABLE},
    {.name = "moment", .type = WRITER_TIMESTAMP, .flags = WRITER_NULLABLE},
};

struct tally {
    uint64_t rows;
    uint64_t ids;
    uint64_t cents;
    uint64_t seconds; /* Of the moments: the last two digits. */
};

static void
write_row(struct writer *writer, uint64_t index, uint64_t seed, struct tally *tally)
{
    bool dead = index % 100 == 99;
    uint64_t word = random_mix(seed * 1000003 + index);
    char payload[32], amount[32], moment[48];

    (void)snprintf(payload, sizeof(payload), "row %016llx", (unsigned long long)word);
    (void)snprintf(amount, sizeof(amount), "%llu.%02llu", (unsigned long long)(word % 1000000),
                   (unsigned long long)(word / 1000000 % 100));
    (void)snprintf(moment, sizeof(moment), "20%02llu-%02llu-%02lluT10:30:%02llu",
                   (unsigned long long)(word % 30), (unsigned long long)(word / 30 % 12 + 1),
                   (unsigned long long)(word / 360 % 28 + 1),
                   (unsigned long long)(word / 10080 % 60));
    writer_row_begin(writer, 4);
    writer_integer(writer, (int64_t)index + 1);
    writer_tagged(writer, 5, payload);
    writer_tagged(writer, 4, amount);
    writer_tagged(writer, 9, moment);
    writer_row_end(writer, index + 1, dead ? index + 2 : 0);
    if (dead)
        return;
    tally->rows++;
    tally->ids += index + 1;
    tally->cents += word % 1000000 * 100 + word / 1000000 % 100;
    tally->seconds += word / 10080 % 60;
}

static void
write_instance(struct writer *writer, uint64_t count, uint64_t seed, struct tally *tally)
{
    writer_instance_begin(writer, 1);
    writer_key(writer, "made");
    writer_database_begin(writer, "made", 1);
    writer_key(writer, "rows");
    writer_table_begin(writer, "rows", sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        writer_column(writer, &columns[i]);
    writer_rows(writer, count);
    for (uint64_t i = 0; i < count; i++)
        write_row(writer, i, seed, tally);
    writer_sequences(writer, 1);
    writer_sequence(writer, "id", (int64_t)count + 1);
    writer_table_end(writer, "alice");
    writer_enums(writer, 0);
    writer_views(writer, NULL, 0);
    writer_database_end(writer, "rows");
    writer_instance_end(writer, "made");
}

int
make_rows(const struct make_options *options, const char *out)
{
    struct writer writer;
    struct tally tally = {.rows = 0};
    FILE *file = fopen(out, "wb");

    if (file == NULL) {
        tool_error(options->tool, "%s: %s", out, strerror(errno));
        return TOOL_FAILED;
    }
    writer_init(&writer, options->env.memory, file, options->generation);
    write_instance(&writer, options->rows, options->seed, &tally);
    bool ok = writer_end(&writer);
    ok = fclose(file) == 0 && ok;
    if (!ok) {
        tool_error(options->tool, "%s: cannot be written", out);
        return TOOL_FAILED;
    }
    printf("rows %llu ids %llu cents %llu seconds %llu\n", (unsigned long long)tally.rows,
           (unsigned long long)tally.ids, (unsigned long long)tally.cents,
           (unsigned long long)tally.seconds);
    return TOOL_OK;
}
