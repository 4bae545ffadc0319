/*
 * The predecessor's way of keeping rows, implemented again to measure it: all rows in memory, a log
 * record for each operation, and after every `batch` operations the whole instance written anew, with
 * a checkpoint record in the log. Updates leave the old row behind as a dead one. What is counted is
 * what it passes to write.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/legacy-make/make.h"

struct kept {
    size_t city;
    uint64_t change; /* The number of the change it is of, from 1; 0: as it was loaded. */
    bool dead;
};

struct rewrite {
    const struct make_options *options;
    const struct cities *cities;
    char snapshot_path[IO_PATH_SIZE];
    FILE *log_file;
    struct writer log;
    struct kept *rows;
    size_t row_count;
    size_t row_room;
    size_t *place;          /* Where each city's live row is. */
    uint64_t operations;    /* Since the last snapshot. */
    uint64_t snapshot_size; /* Bytes of all snapshots. */
    bool failed;
};

static void
write_kept(const struct rewrite *rewrite, struct writer *writer, const struct kept *kept)
{
    struct city_change change = {.row = 0};

    if (kept->change > 0)
        change = cities_change(rewrite->options, rewrite->cities, kept->change - 1);
    cities_write_row(writer, rewrite->cities, &rewrite->cities->rows[kept->city],
                     kept->change > 0 ? change.value : NULL);
}

static void
write_snapshot(struct rewrite *rewrite)
{
    FILE *file = fopen(rewrite->snapshot_path, "wb");
    struct writer writer;

    rewrite->operations = 0;
    if (file == NULL) {
        rewrite->failed = true;
        return;
    }
    writer_init(&writer, rewrite->options->env.memory, file, rewrite->options->generation);
    cities_write_begin(&writer, rewrite->cities, rewrite->row_count);
    for (size_t i = 0; i < rewrite->row_count; i++) {
        write_kept(rewrite, &writer, &rewrite->rows[i]);
        writer_row_end(&writer, i + 1, rewrite->rows[i].dead ? i + 2 : 0);
    }
    cities_write_end(&writer, rewrite->cities);
    rewrite->failed = !writer_end(&writer) || rewrite->failed;
    rewrite->snapshot_size += writer.size;
    if (rewrite->options->sync && fsync(fileno(file)) != 0)
        rewrite->failed = true;
    rewrite->failed = fclose(file) != 0 || rewrite->failed;
    writer_checkpoint(&rewrite->log);
}

static void
count_operation(struct rewrite *rewrite)
{
    if (++rewrite->operations >= rewrite->options->batch)
        write_snapshot(rewrite);
}

static void
insert(struct rewrite *rewrite, size_t city)
{
    struct kept *kept = &rewrite->rows[rewrite->row_count];

    *kept = (struct kept){.city = city};
    rewrite->place[city] = rewrite->row_count++;
    writer_record_begin(&rewrite->log, WRITER_LOG_INSERT);
    writer_text(&rewrite->log, rewrite->cities->table);
    write_kept(rewrite, &rewrite->log, kept);
    writer_row_end(&rewrite->log, rewrite->row_count, 0);
    writer_record_end(&rewrite->log);
    count_operation(rewrite);
}

static void
update(struct rewrite *rewrite, uint64_t index)
{
    size_t city = cities_change(rewrite->options, rewrite->cities, index).row;
    size_t old = rewrite->place[city];
    struct kept *kept = &rewrite->rows[rewrite->row_count];

    rewrite->rows[old].dead = true;
    *kept = (struct kept){.city = city, .change = index + 1};
    rewrite->place[city] = rewrite->row_count++;
    writer_record_begin(&rewrite->log, WRITER_LOG_UPDATE);
    writer_text(&rewrite->log, rewrite->cities->table);
    writer_u64(&rewrite->log, old);
    write_kept(rewrite, &rewrite->log, kept);
    writer_row_end(&rewrite->log, rewrite->row_count, 0);
    writer_record_end(&rewrite->log);
    count_operation(rewrite);
}

static uint64_t
written(const struct rewrite *rewrite)
{
    return rewrite->snapshot_size + rewrite->log.size;
}

static void
run(struct rewrite *rewrite)
{
    const struct make_options *options = rewrite->options;
    const struct cities *cities = rewrite->cities;
    uint64_t loaded_user = 0, updated_user = 0;

    for (size_t i = 0; i < cities->count; i++) {
        insert(rewrite, i);
        loaded_user += cities->rows[i].line_size;
    }
    uint64_t loaded = written(rewrite);
    for (uint64_t i = 0; i < options->updates; i++) {
        update(rewrite, i);
        updated_user += cities->rows[cities_change(options, cities, i).row].line_size;
    }
    printf("load %llu %llu update %llu %llu\n", (unsigned long long)loaded_user,
           (unsigned long long)loaded, (unsigned long long)updated_user,
           (unsigned long long)(written(rewrite) - loaded));
}

static bool
open_files(struct rewrite *rewrite, const char *directory)
{
    char path[IO_PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/rewrite.wal", directory);
    (void)snprintf(rewrite->snapshot_path, IO_PATH_SIZE, "%s/rewrite.db", directory);
    rewrite->log_file = fopen(path, "wb");
    if (rewrite->log_file != NULL)
        return true;
    tool_error(rewrite->options->tool, "%s: %s", path, strerror(errno));
    return false;
}

int
make_rewrite(const struct make_options *options, const char *csv, const char *directory)
{
    struct cities cities;
    struct rewrite rewrite = {.options = options, .cities = &cities};
    struct memory *memory = options->env.memory;

    if (!cities_load(options, csv, &cities))
        return TOOL_FAILED;
    rewrite.row_room = cities.count + (size_t)options->updates;
    rewrite.rows = memory_alloc(memory, MEMORY_OTHER, rewrite.row_room * sizeof(*rewrite.rows));
    rewrite.place = memory_alloc(memory, MEMORY_OTHER, cities.count * sizeof(*rewrite.place));
    bool ok = rewrite.rows != NULL && rewrite.place != NULL && open_files(&rewrite, directory);
    if (ok) {
        writer_init(&rewrite.log, memory, rewrite.log_file, options->generation);
        run(&rewrite);
        ok = writer_end(&rewrite.log) && !rewrite.failed;
        ok = fclose(rewrite.log_file) == 0 && ok;
    }
    if (!ok)
        tool_error(options->tool, "%s: the files cannot be written", directory);
    memory_free(memory, MEMORY_OTHER, rewrite.place, cities.count * sizeof(*rewrite.place));
    memory_free(memory, MEMORY_OTHER, rewrite.rows, rewrite.row_room * sizeof(*rewrite.rows));
    cities_free(&cities);
    return ok ? TOOL_OK : TOOL_FAILED;
}
