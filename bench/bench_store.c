/*
 * The page store's figures, one row of docs/targets.md a case, each verified:
 *
 *   append     durable appends whose frame fills one 4,096-byte block, one thread, against the same
 *              file written with O_DIRECT and O_DSYNC, in turns (A B A B); the median ratio
 *   written    bytes passed to write for 1 M in-place changes of 100 bytes over 30,000 pages, 1,000 a
 *              commit, final checkpoint included, segments already recycled; image and range
 *   recovery   a log of 1 GB of such changes, the process gone, page cache dropped: seconds until the
 *              first page is read and right
 *
 *   bench_store [append|written|recovery]... [--dir DIR] [--scale N]   N divides the amounts (smoke)
 *
 * Rows of pages are 33 of 108 bytes, half of each row's bytes compressible, as key-value stores are
 * measured. Exit 1 when a result is wrong.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "kernel/base/log_sink.h"
#include "kernel/base/random.h"
#include "pager/page.h"
#include "pager/pager.h"
#include "wal/wal.h"

enum {
    PAGES = 30000,
    ROW_SIZE = 108,
    ROWS_A_PAGE = 33,
    CHANGE_SIZE = 100,
    CHANGES_A_COMMIT = 1000,
    APPEND_ROUNDS = 21,
    APPENDS_A_ROUND = 400,
};

struct bench_store {
    struct env env;
    char dir[512];
    char path[600];
    uint64_t scale;
    struct random random;
    uint32_t page_count;
    uint32_t pages[PAGES];
    uint32_t versions[PAGES]; /* Of each page's rows, all changed together with one counter. */
};

static void
must(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "bench_store: %s: %s: %s\n", what, status_name(status), error_message());
    exit(1);
}

static void
show_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static double
seconds(const struct bench_store *bench)
{
    return (double)io_clock_ns(bench->env.io) / 1e9;
}

static int
compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

/* Appends. */

static double
raw_round(struct bench_store *bench, struct io_file *file, uint8_t *block, uint64_t *offset)
{
    double start = seconds(bench);

    for (int i = 0; i < APPENDS_A_ROUND; i++) {
        memset(block, i, 64);
        must(io_write(file, block, IO_BLOCK_SIZE, *offset, IO_DURABLE), "raw write");
        *offset += IO_BLOCK_SIZE;
    }
    return APPENDS_A_ROUND / (seconds(bench) - start);
}

static double
wal_round(struct bench_store *bench, struct wal *wal, const uint8_t *records, size_t size)
{
    double start = seconds(bench);

    for (int i = 0; i < APPENDS_A_ROUND; i++) {
        struct wal_commit commit = {
            .csn = wal_csn_appended(wal) + 1, .time_ms = 1, .records = records, .size = size};
        enum status status = wal_reserve(wal, size, false);

        while (status == STATUS_MISSING) {
            must(wal_make_room(wal, size, false), "room in the log");
            status = wal_reserve(wal, size, false);
        }
        must(status, "reserve");
        wal_append(wal, &commit);
        must(wal_flush(wal, commit.csn), "flush");
    }
    return APPENDS_A_ROUND / (seconds(bench) - start);
}

/* A file whose blocks have all been written, as the log's are. */
static struct io_file *
make_raw_file(struct bench_store *bench, uint64_t size)
{
    struct io_file *file;
    uint8_t *zeros = memory_alloc_aligned(bench->env.memory, MEMORY_OTHER, 1 << 20, IO_BLOCK_SIZE);

    must(io_open(bench->env.io, bench->path, IO_WRITE | IO_CREATE | IO_DIRECT, &file), "raw file");
    must(io_allocate(file, 0, size), "raw file's space");
    for (uint64_t offset = 0; offset < size; offset += 1 << 20)
        must(io_write(file, zeros, 1 << 20, offset, 0), "raw fill");
    must(io_sync(file), "raw sync");
    memory_free(bench->env.memory, MEMORY_OTHER, zeros, 1 << 20);
    return file;
}

static size_t
make_records(uint8_t *out)
{
    uint8_t body[WAL_BLOCK_SIZE];
    struct byte_writer writer = byte_writer_init(out, 2 * WAL_BLOCK_SIZE);
    /* Frame header, part header (delta 1, flags 1, time 1, size 2), record header (1, 1, 2). */
    size_t size = WAL_BLOCK_SIZE - sizeof(struct wal_frame_header) - 5 - 4;

    memset(body, 'x', sizeof(body));
    wal_record_put(&writer, WAL_RECORD_NOTE, 1, body, size);
    return writer.offset;
}

static void
bench_append(struct bench_store *bench)
{
    uint64_t raw_offset = 0;
    uint64_t raw_size =
        ((uint64_t)(APPEND_ROUNDS + 1) * APPENDS_A_ROUND * IO_BLOCK_SIZE | 0xfffff) + 1;
    struct wal_options options = {.file_id = 1, .log_id = 2, .segment_size = 64 << 20};
    char log_dir[700];
    uint8_t records[2 * WAL_BLOCK_SIZE];
    size_t size = make_records(records);
    uint8_t *block =
        memory_alloc_aligned(bench->env.memory, MEMORY_OTHER, IO_BLOCK_SIZE, IO_BLOCK_SIZE);
    double ratios[APPEND_ROUNDS], raw[APPEND_ROUNDS], log[APPEND_ROUNDS];
    struct wal_statistics before, after;
    struct wal *wal;

    (void)snprintf(log_dir, sizeof(log_dir), "%s/append-wal", bench->dir);
    struct io_file *file = make_raw_file(bench, raw_size);
    must(io_make_dir(bench->env.io, log_dir), "log directory");
    must(wal_create(&bench->env, log_dir, &options, 0, &wal), "log");
    (void)raw_round(bench, file, block, &raw_offset);
    (void)wal_round(bench, wal, records, size);
    wal_get_statistics(wal, &before);
    for (int i = 0; i < APPEND_ROUNDS; i++) {
        raw[i] = raw_round(bench, file, block, &raw_offset);
        log[i] = wal_round(bench, wal, records, size);
        ratios[i] = log[i] / raw[i];
    }
    wal_get_statistics(wal, &after);
    if (after.frame_size - before.frame_size !=
        (after.frame_count - before.frame_count) * WAL_BLOCK_SIZE) {
        fprintf(stderr, "bench_store: a frame did not fill exactly one block\n");
        exit(1);
    }
    qsort(ratios, APPEND_ROUNDS, sizeof(double), compare_doubles);
    qsort(raw, APPEND_ROUNDS, sizeof(double), compare_doubles);
    qsort(log, APPEND_ROUNDS, sizeof(double), compare_doubles);
    printf("append    %.0f/s against %.0f/s O_DSYNC: ratio %.3f (%.3f to %.3f)\n",
           log[APPEND_ROUNDS / 2], raw[APPEND_ROUNDS / 2], ratios[APPEND_ROUNDS / 2], ratios[0],
           ratios[APPEND_ROUNDS - 1]);
    wal_close(wal);
    must(wal_remove(&bench->env, log_dir), "removing the log");
    io_close(file);
    must(io_remove(bench->env.io, bench->path), "removing the raw file");
    memory_free(bench->env.memory, MEMORY_OTHER, block, IO_BLOCK_SIZE);
}

/* Pages of rows. */

static void
fill_row(uint8_t *row, uint32_t page, uint32_t index, uint32_t version)
{
    struct random random;

    random_init(&random, (uint64_t)page << 32 | (uint64_t)index << 24 | version);
    random_bytes(&random, row, CHANGE_SIZE / 2);
    memset(row + CHANGE_SIZE / 2, 'a' + (int)(version % 26), ROW_SIZE - CHANGE_SIZE / 2);
}

static uint8_t *
row_of(uint8_t *page, uint32_t index)
{
    return page + PAGE_HEADER_SIZE + (size_t)index * ROW_SIZE;
}

static enum status
try_load(struct bench_store *bench, struct pager *pager, uint32_t first, uint32_t count)
{
    struct pager_change *change;
    uint64_t csn;

    TRY(pager_change_begin(pager, &change));
    for (uint32_t i = first; i < first + count; i++) {
        uint8_t *page;
        enum status status =
            pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &bench->pages[i], &page);

        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
        for (uint32_t k = 0; k < ROWS_A_PAGE; k++)
            fill_row(row_of(page, k), i, k, 0);
    }
    return pager_change_commit(change, &csn);
}

static void
load(struct bench_store *bench, struct pager *pager)
{
    bench->page_count = (uint32_t)(PAGES / bench->scale);
    for (uint32_t first = 0; first < bench->page_count; first += 250) {
        uint32_t left = bench->page_count - first;
        enum status status;

        while ((status = try_load(bench, pager, first, left < 250 ? left : 250)) == STATUS_MISSING)
            must(pager_change_resolve(pager), "resolve");
        must(status, "load");
    }
    memset(bench->versions, 0, sizeof(bench->versions));
    must(pager_checkpoint(pager), "checkpoint");
}

/* Changes one row (number version % 33) of each of up to 1,000 pages. */
static enum status
try_change(struct bench_store *bench, struct pager *pager, const uint32_t *chosen, uint32_t count)
{
    struct pager_change *change;
    uint64_t csn;

    TRY(pager_change_begin(pager, &change));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t page = chosen[i];
        uint32_t version = bench->versions[page] + 1;
        uint8_t *bytes;
        enum status status = pager_change_edit(change, bench->pages[page], &bytes);

        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
        fill_row(row_of(bytes, version % ROWS_A_PAGE), page, version % ROWS_A_PAGE, version);
    }
    TRY(pager_change_commit(change, &csn));
    return pager_flush(pager, csn);
}

static void
change_many(struct bench_store *bench, struct pager *pager, uint64_t changes)
{
    uint32_t chosen[CHANGES_A_COMMIT];
    static bool taken[PAGES];

    for (uint64_t done = 0; done < changes; done += CHANGES_A_COMMIT) {
        enum status status;

        for (uint32_t i = 0; i < CHANGES_A_COMMIT; i++) {
            do
                chosen[i] = (uint32_t)random_below(&bench->random, bench->page_count);
            while (taken[chosen[i]]);
            taken[chosen[i]] = true;
        }
        while ((status = try_change(bench, pager, chosen, CHANGES_A_COMMIT)) == STATUS_MISSING)
            must(pager_change_resolve(pager), "resolve");
        must(status, "change");
        for (uint32_t i = 0; i < CHANGES_A_COMMIT; i++) {
            bench->versions[chosen[i]]++;
            taken[chosen[i]] = false;
        }
    }
}

/* Each page's newest row and one other are as they should be. */
static void
verify_page(struct bench_store *bench, struct pager *pager, uint32_t page)
{
    uint8_t bytes[PAGE_SIZE], row[ROW_SIZE];
    uint32_t version = bench->versions[page];

    must(pager_copy(pager, bench->pages[page], bytes), "read");
    for (uint32_t i = 0; i < 2 && version >= i; i++) {
        fill_row(row, page, (version - i) % ROWS_A_PAGE, version - i);
        if (memcmp(row, row_of(bytes, (version - i) % ROWS_A_PAGE), CHANGE_SIZE) != 0) {
            fprintf(stderr, "bench_store: page %u is wrong\n", bench->pages[page]);
            exit(1);
        }
    }
}

static struct pager_options
store_options(const struct bench_store *bench, enum pager_policy policy, uint64_t log_limit)
{
    return (struct pager_options){.create = true,
                                  .policy = policy,
                                  .pool_size = 256u << 20,
                                  .log_limit = log_limit / bench->scale,
                                  .segment_size = bench->scale > 1 ? 1 << 20 : 16 << 20,
                                  .recovery_threads = 2,
                                  .change_limit = 4096};
}

/* Bytes. */

struct bytes_written {
    uint64_t log;
    uint64_t fill;
    uint64_t pages;
    uint64_t meta;
    uint64_t process;
};

static uint64_t
process_bytes(void)
{
    char line[128];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "write_bytes: %llu", &bytes);
    if (file != NULL)
        (void)fclose(file);
    return bytes;
}

static struct bytes_written
written_so_far(struct pager *pager)
{
    struct pager_statistics statistics;

    pager_get_statistics(pager, &statistics);
    return (struct bytes_written){
        .log = statistics.log.frame_size + statistics.log.header_size,
        .fill = statistics.log.fill_size,
        .pages = statistics.page_write_count * PAGE_SIZE,
        .meta = statistics.meta_write_count * PAGE_SIZE,
        .process = process_bytes(),
    };
}

static void
bench_written(struct bench_store *bench, enum pager_policy policy)
{
    struct pager_options options = store_options(bench, policy, 256u << 20);
    uint64_t changes = 1000000 / bench->scale;
    double payload = (double)changes * CHANGE_SIZE;
    struct pager *pager;

    must(pager_open(&bench->env, bench->path, &options, &pager), "open");
    load(bench, pager);
    /* Segments are created and filled once before the measurement. */
    for (int i = 0; i < 3; i++) {
        change_many(bench, pager, changes / 2);
        must(pager_checkpoint(pager), "checkpoint");
    }
    struct bytes_written before = written_so_far(pager);
    double start = seconds(bench);
    change_many(bench, pager, changes);
    must(pager_checkpoint(pager), "checkpoint");
    double taken = seconds(bench) - start;
    struct bytes_written after = written_so_far(pager);

    for (uint32_t page = 0; page < bench->page_count; page++)
        verify_page(bench, pager, page);
    uint64_t log = after.log - before.log, pages = after.pages - before.pages;
    uint64_t meta = after.meta - before.meta, fill = after.fill - before.fill;
    printf("written   %s: %.2fx (log %.2f, pages %.2f, meta %.4f; first fill apart %.2f; process "
           "%.2f), %.0f changes/s\n",
           policy == PAGER_POLICY_IMAGE ? "image" : "range", (double)(log + pages + meta) / payload,
           (double)log / payload, (double)pages / payload, (double)meta / payload,
           (double)fill / payload, (double)(after.process - before.process) / payload,
           (double)changes / taken);
    must(pager_close(pager), "close");
    must(io_remove(bench->env.io, bench->path), "remove");
}

/* Recovery. */

static void
drop_caches(void)
{
    int file = open("/proc/sys/vm/drop_caches", O_WRONLY);

    sync();
    if (file < 0 || write(file, "1\n", 2) != 2)
        fprintf(stderr, "bench_store: the page cache could not be dropped: not root\n");
    if (file >= 0)
        (void)close(file);
}

static void
bench_recovery(struct bench_store *bench, enum pager_policy policy)
{
    struct pager_options options = store_options(bench, policy, UINT64_C(4) << 30);
    struct pager_statistics statistics;
    struct pager *pager;

    must(pager_open(&bench->env, bench->path, &options, &pager), "open");
    load(bench, pager);
    pager_get_statistics(pager, &statistics);
    uint64_t start_size = statistics.log.frame_size;
    do {
        change_many(bench, pager, 100000 / bench->scale);
        pager_get_statistics(pager, &statistics);
    } while (statistics.log.frame_size - start_size < (UINT64_C(1) << 30) / bench->scale);
    pager_abandon(pager);
    drop_caches();

    double start = seconds(bench);
    must(pager_open(&bench->env, bench->path, &options, &pager), "recover");
    verify_page(bench, pager, 0);
    double taken = seconds(bench) - start;
    for (uint32_t page = 0; page < bench->page_count; page++)
        verify_page(bench, pager, page);
    printf("recovery  %s: %.2f s for %.0f MB of log\n",
           policy == PAGER_POLICY_IMAGE ? "image" : "range", taken,
           (double)(statistics.log.frame_size - start_size) / 1e6);
    must(pager_close(pager), "close");
    must(io_remove(bench->env.io, bench->path), "remove");
}

static void
run(struct bench_store *bench, const char *name)
{
    if (strcmp(name, "append") == 0) {
        bench_append(bench);
    } else if (strcmp(name, "written") == 0) {
        bench_written(bench, PAGER_POLICY_IMAGE);
        bench_written(bench, PAGER_POLICY_RANGE);
    } else if (strcmp(name, "recovery") == 0) {
        bench_recovery(bench, PAGER_POLICY_IMAGE);
        bench_recovery(bench, PAGER_POLICY_RANGE);
    } else {
        fprintf(stderr, "bench_store: no case '%s': append, written, recovery\n", name);
        exit(2);
    }
    (void)fflush(stdout);
}

int
main(int argc, char **argv)
{
    static const char *const all[] = {"append", "written", "recovery"};
    static struct bench_store bench = {.dir = "build/bench/store", .scale = 1};
    const char *names[16];
    int name_count = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            (void)snprintf(bench.dir, sizeof(bench.dir), "%s", argv[++i]);
        else if (strcmp(argv[i], "--scale") == 0 && i + 1 < argc)
            bench.scale = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--smoke") == 0)
            bench.scale = 20;
        else if (argv[i][0] != '-' && name_count < 16)
            names[name_count++] = argv[i];
        else
            bench.scale = 0;
    }
    if (bench.scale < 1 || bench.scale > 25) {
        fprintf(stderr, "usage: bench_store [append|written|recovery]... [--dir DIR] "
                        "[--scale 1..25] [--smoke]\n");
        return 2;
    }
    log_sink_set(show_log, NULL, LOG_WARN);
    bench.env.memory = memory_new();
    must(io_posix_open(bench.env.memory, true, &bench.env.io), "the operating system");
    (void)mkdir(bench.dir, 0777);
    (void)snprintf(bench.path, sizeof(bench.path), "%s/store.qtdb", bench.dir);
    random_init(&bench.random, 1);
    for (int i = 0; i < (name_count > 0 ? name_count : 3); i++)
        run(&bench, name_count > 0 ? names[i] : all[i]);
    io_close_all(bench.env.io);
    memory_delete(bench.env.memory);
    return 0;
}
