/*
 * Memory beyond the pool: rows are updated at random by two threads, snapshots are kept open beside
 * them, and the process's peak of resident memory is held against what was configured:
 *
 *   pool + 8 bytes a page of the file + version_limit + write_set_limit + 16 MB
 *
 *   bench_memory [--rows N] [--seconds N] [--snapshot N] [--dir DIR]     10,000,000 rows, 60 s, 60 s
 *
 * Each value names its key and counts its updates, and every read is compared with that. A snapshot reads
 * the same rows at its beginning and at its end: what it saw has to be the same, unless the version store
 * has ended it (version_limit), which is counted. Exit 1 when anything is wrong.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/random.h"
#include "kernel/qtdb.h"
#include "tools/common/tool.h"

enum { WRITERS = 2, VALUE_SIZE = 100, LOAD_BATCH = 10000, BATCH = 100, SEEN = 1000 };

#define POOL_SIZE (UINT64_C(64) << 20)
#define VERSION_LIMIT (UINT64_C(64) << 20)
#define WRITE_SET_LIMIT (UINT64_C(64) << 20)
#define ALLOWANCE (UINT64_C(16) << 20)

static const struct tool tool = {
    .name = "bench_memory",
    .help =
        "Usage: bench_memory [--rows N] [--seconds N] [--snapshot N] [--dir DIR]\n"
        "Updates rows beside snapshots that stay open, and holds the peak of memory against what\n"
        "is configured.\n"};

struct bench {
    struct qtdb *db;
    struct qtdb_tree *tree;
    uint64_t rows;
    uint64_t snapshot_seconds;
    uint64_t end_ns;
    _Atomic uint64_t update_count;
    _Atomic uint64_t conflict_count;
    _Atomic uint64_t snapshot_count;
    _Atomic uint64_t ended_count; /* Snapshots that the version store ended. */
};

static void
must(enum qtdb_code code, const char *what)
{
    if (code == QTDB_OK)
        return;
    tool_error(&tool, "%s: %s: %s", what, qtdb_code_name(code), qtdb_error_last()->message);
    exit(1);
}

static bool
is_over(const struct bench *bench)
{
    return tool_clock_ns() >= bench->end_ns || tool_stop_requested();
}

/* A field of /proc/self/status, in bytes. */
static uint64_t
status_field(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t kilobytes = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = strtoull(line + strlen(name) + 1, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kilobytes * 1024;
}

static void
make_value(uint64_t number, uint64_t count, uint8_t value[VALUE_SIZE])
{
    uint64_t words[2] = {number, count};

    memset(value, (int)(number + count), VALUE_SIZE);
    memcpy(value, words, sizeof(words));
}

/* How often the row was updated; stops the program when it is not the row. */
static uint64_t
check_value(uint64_t number, const uint8_t *value, size_t size)
{
    uint8_t expected[VALUE_SIZE];
    uint64_t count = 0;

    if (size == VALUE_SIZE)
        memcpy(&count, value + sizeof(count), sizeof(count));
    make_value(number, count, expected);
    if (size == VALUE_SIZE && memcmp(value, expected, VALUE_SIZE) == 0)
        return count;
    tool_error(&tool, "row %lu is not what was written", (unsigned long)number);
    exit(1);
}

static enum qtdb_code
get_count(struct bench *bench, struct qtdb_txn *txn, uint64_t number, uint64_t *out)
{
    uint8_t key[8];
    uint8_t value[VALUE_SIZE];
    size_t size = sizeof(value);

    qtdb_key_u64(number, key);
    enum qtdb_code code = qtdb_get(txn, bench->tree, key, sizeof(key), value, &size);

    if (code == QTDB_OK)
        *out = check_value(number, value, size);
    return code;
}

static enum qtdb_code
put_count(struct bench *bench, struct qtdb_txn *txn, uint64_t number, uint64_t count)
{
    uint8_t key[8];
    uint8_t value[VALUE_SIZE];

    qtdb_key_u64(number, key);
    make_value(number, count, value);
    return qtdb_put(txn, bench->tree, key, sizeof(key), value, sizeof(value), QTDB_PUT_ANY);
}

static void
load(struct bench *bench)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .key_kind = QTDB_KEY_INT};

    for (uint64_t number = 0; number < bench->rows && !tool_stop_requested();) {
        struct qtdb_txn *txn;

        must(qtdb_begin(bench->db, NULL, &txn), "begin");
        must(qtdb_tree_open(txn, "rows", &options, &bench->tree), "tree");
        for (int row = 0; row < LOAD_BATCH && number < bench->rows; row++, number++)
            must(put_count(bench, txn, number, 0), "load");
        must(qtdb_commit(txn), "commit");
    }
}

static enum qtdb_code
update_batch(struct bench *bench, struct qtdb_txn *txn, struct random *random)
{
    for (int row = 0; row < BATCH; row++) {
        uint64_t number = random_below(random, bench->rows);
        uint64_t count = 0;
        enum qtdb_code code = get_count(bench, txn, number, &count);

        if (code == QTDB_OK)
            code = put_count(bench, txn, number, count + 1);
        if (code != QTDB_OK)
            return code;
    }
    return QTDB_OK;
}

static void *
write_rows(void *argument)
{
    struct qtdb_txn_options options = {
        .size = sizeof(options), .isolation = QTDB_REPEATABLE_READ, .durability = QTDB_ASYNC};
    struct bench *bench = argument;
    struct random random;

    random_init(&random, (uintptr_t)&options);
    while (!is_over(bench)) {
        struct qtdb_txn *txn;

        must(qtdb_begin(bench->db, &options, &txn), "begin");
        enum qtdb_code code = update_batch(bench, txn, &random);

        if (code == QTDB_OK)
            code = qtdb_commit(txn);
        else
            qtdb_rollback(txn);
        if (code == QTDB_OK)
            atomic_fetch_add(&bench->update_count, BATCH);
        else if (code == QTDB_CONFLICT)
            atomic_fetch_add(&bench->conflict_count, 1);
        else
            must(code, "update");
    }
    return NULL;
}

/* What the snapshot has of some rows; false: it was ended. */
static bool
look(struct bench *bench, struct qtdb_txn *txn, uint64_t counts[SEEN])
{
    for (uint64_t index = 0; index < SEEN; index++) {
        enum qtdb_code code = get_count(bench, txn, index * (bench->rows / SEEN), &counts[index]);

        if (code == QTDB_CONFLICT)
            return false;
        must(code, "a snapshot's read");
    }
    return true;
}

static void
keep_snapshot(struct bench *bench)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    uint64_t end_ns = tool_clock_ns() + bench->snapshot_seconds * UINT64_C(1000000000);
    static uint64_t before[SEEN];
    static uint64_t after[SEEN];
    struct qtdb_txn *txn;

    must(qtdb_begin(bench->db, &options, &txn), "begin");
    bool lives = look(bench, txn, before);

    while (lives && tool_clock_ns() < end_ns && !is_over(bench))
        usleep(100000);
    lives = lives && look(bench, txn, after);
    qtdb_rollback(txn);
    atomic_fetch_add(lives ? &bench->snapshot_count : &bench->ended_count, 1);
    if (lives && memcmp(before, after, sizeof(before)) != 0) {
        tool_error(&tool, "a snapshot changed");
        exit(1);
    }
}

static void
update(struct bench *bench, uint64_t seconds)
{
    pthread_t threads[WRITERS];

    bench->end_ns = tool_clock_ns() + seconds * UINT64_C(1000000000);
    for (int index = 0; index < WRITERS; index++)
        if (pthread_create(&threads[index], NULL, write_rows, bench) != 0)
            exit(1);
    while (!is_over(bench))
        keep_snapshot(bench);
    for (int index = 0; index < WRITERS; index++)
        if (pthread_join(threads[index], NULL) != 0)
            exit(1);
}

static int
verdict(struct bench *bench, uint64_t seconds)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};
    uint64_t peak = status_field("VmHWM");

    qtdb_get_statistics(bench->db, &statistics);
    uint64_t beyond = peak > POOL_SIZE ? peak - POOL_SIZE : 0;
    uint64_t allowed = 8 * statistics.page_count + VERSION_LIMIT + WRITE_SET_LIMIT + ALLOWANCE;

    printf("%lu rows, %lu s: %lu updates (%lu transactions again), %lu snapshots kept %lu s, %lu "
           "ended\n",
           (unsigned long)bench->rows, (unsigned long)seconds,
           (unsigned long)atomic_load(&bench->update_count),
           (unsigned long)atomic_load(&bench->conflict_count),
           (unsigned long)atomic_load(&bench->snapshot_count),
           (unsigned long)bench->snapshot_seconds, (unsigned long)atomic_load(&bench->ended_count));
    printf("memory beyond the pool: %.1f MB of %.1f MB allowed: %s\n", (double)beyond / 1048576.0,
           (double)allowed / 1048576.0, beyond <= allowed ? "holds" : "WRONG");
    return beyond <= allowed ? TOOL_OK : TOOL_FAILED;
}

int
main(int argc, char **argv)
{
    struct qtdb_options options = {.size = sizeof(options),
                                   .create = true,
                                   .pool_size = POOL_SIZE,
                                   .version_limit = VERSION_LIMIT,
                                   .write_set_limit = WRITE_SET_LIMIT};
    static struct bench bench = {.rows = 10000000, .snapshot_seconds = 60};
    const char *dir = "build/bench";
    uint64_t seconds = 60;
    char path[1024];
    int first = 0;
    const struct tool_option given[] = {
        {"rows", 0, TOOL_NUMBER, &bench.rows, UINT64_MAX / 2},
        {"seconds", 0, TOOL_NUMBER, &seconds, 1000000},
        {"snapshot", 0, TOOL_NUMBER, &bench.snapshot_seconds, 1000000},
        {"dir", 0, TOOL_TEXT, &dir, 0},
    };
    enum tool_command command =
        tool_parse(&tool, argc, argv, given, sizeof(given) / sizeof(given[0]), &first);

    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (bench.rows < SEEN)
        return tool_usage_error(&tool, "at least %d rows", SEEN);
    (void)snprintf(path, sizeof(path), "%s/memory-%d.qtdb", dir, (int)getpid());
    tool_catch_stop();
    must(qtdb_open(path, &options, &bench.db), "open");
    load(&bench);
    update(&bench, seconds);
    int status = verdict(&bench, seconds);

    must(qtdb_close(bench.db), "close");
    if (unlink(path) != 0)
        return TOOL_FAILED;
    return status;
}
