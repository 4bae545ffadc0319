/*
 * Goal: under the thread sanitizer and in memory that is checked: rows that one thread adds and another puts into the
 * target all arrive, in their order; the row that is refused is the one named, whichever was added meanwhile;
 * what came after it is dropped, the queue goes on with another table, and may be closed with rows under way.
 * Method: a database in a folder for files; rows of numbers and texts, some larger than a batch; a key given twice
 * at the first row of a batch, within one, and at the last row before a settle; a queue refused every allocation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/common/tool.h"
#include "tools/qtdb-migrate/load_queue.h"

enum { COLUMNS = 3, LARGE = 300 * 1000, LARGE_EACH = 4999 };

static const struct tool test_tool = {.name = "thread_load_queue", .help = ""};
static struct legacy_column definitions[COLUMNS] = {
    {.primary_key = true}, {.nullable = true}, {.nullable = true}};
static struct migrate_column columns[COLUMNS] = {
    {.legacy = &definitions[0], .name = "id", .type = {.type = QTDB_TYPE_INT8}},
    {.legacy = &definitions[1], .name = "text", .type = {.type = QTDB_TYPE_TEXT}},
    {.legacy = &definitions[2], .name = "bytes", .type = {.type = QTDB_TYPE_BYTEA}},
};

static struct migrate_table
table_of(const char *name)
{
    struct migrate_table table = {.schema = "public", .column_count = COLUMNS, .has_key = true};

    snprintf(table.name, sizeof(table.name), "%s", name);
    table.columns = columns;
    return table;
}

/* The texts lie in memory that the next row takes again. */
static enum target_result
add(struct load_queue *queue, int64_t id, uint64_t index, uint64_t *refused_out)
{
    static char text[32], large[LARGE];
    bool is_large = index % LARGE_EACH == LARGE_EACH - 1;
    struct converted row[COLUMNS] = {
        {.form = CONVERT_INTEGER, .integer = id},
        {.form = CONVERT_TEXT, .bytes = text},
        {.form = index % 3 == 0 ? CONVERT_NULL : CONVERT_BYTES, .bytes = text, .size = index % 5},
    };

    memset(large, 'x', sizeof(large));
    row[1].size = (size_t)snprintf(text, sizeof(text), "row %llu", (unsigned long long)index);
    if (is_large) {
        row[1].bytes = large;
        row[1].size = sizeof(large);
    }
    return queue_add(queue, row, index, refused_out);
}

/* One row of one column. */
static int64_t
ask(struct migrate_target *target, const char *sql)
{
    struct qtdb_statement *statement = NULL;

    CHECK(qtdb_prepare(target->session, sql, &statement, NULL) == QTDB_OK);
    CHECK(qtdb_step(statement) == QTDB_ROW);
    int64_t value = qtdb_column_i64(statement, 0);
    qtdb_finalize(statement);
    return value;
}

static void
all_arrive(struct load_queue *queue, struct migrate_target *target)
{
    enum { ROWS = 12000 };
    struct migrate_table table = table_of("arrive");
    uint64_t refused = 0;

    CHECK(target_create_table(target, &table) == STATUS_OK);
    queue_table(queue, &table);
    for (uint64_t i = 0; i < ROWS; i++)
        CHECK(add(queue, (int64_t)i * 7, i, &refused) == TARGET_OK);
    CHECK(queue_settle(queue, &refused) == TARGET_OK);
    CHECK(target_end_table(target, &table) == TARGET_OK);
    CHECK(ask(target, "SELECT count(*) FROM arrive") == ROWS);
    CHECK(ask(target, "SELECT sum(id)::bigint FROM arrive") == (int64_t)ROWS * (ROWS - 1) / 2 * 7);
    CHECK(ask(target, "SELECT count(*) FROM arrive WHERE length(text) = 300000") ==
          ROWS / LARGE_EACH);
    CHECK(ask(target, "SELECT count(*) FROM arrive WHERE text = 'row ' || id / 7") ==
          ROWS - ROWS / LARGE_EACH);
}

/* The row `at` has the key of the row before; some rows follow it. */
static void
refused_row_is_named(struct load_queue *queue, struct migrate_target *target, uint64_t at,
                     uint64_t after)
{
    struct migrate_table table = table_of("refused");
    enum target_result result = TARGET_OK;
    uint64_t refused = 0;

    CHECK(target_create_table(target, &table) == STATUS_OK);
    queue_table(queue, &table);
    for (uint64_t i = 0; i <= at + after && result == TARGET_OK; i++)
        result = add(queue, (int64_t)(i == at ? i - 1 : i), i, &refused);
    if (result == TARGET_OK)
        result = queue_settle(queue, &refused);
    CHECK(result == TARGET_BROKEN_CONSTRAINT);
    CHECK(refused == at);
    CHECK(strcmp(target->sqlstate, "23505") == 0);
    /* It is said once. */
    CHECK(queue_settle(queue, &refused) == TARGET_OK);
    CHECK(target_drop_table(target, &table) == STATUS_OK);
}

static void
allocations_fail(const struct env *env, struct migrate_target *target)
{
    struct load_queue *queue = NULL;
    enum status status = STATUS_NO_MEMORY;

    for (uint64_t index = 0; status != STATUS_OK; index++) {
        memory_fail_at(env->memory, index, false);
        status = queue_open(env, target, &queue);
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
        memory_fail_at(env->memory, UINT64_MAX, false);
    }
    queue_close(queue);
}

int
main(void)
{
    const char *temporary = getenv("TMPDIR");
    char folder[512], path[600];
    struct load_queue *queue = NULL;
    struct migrate_target target;
    struct env env;
    uint64_t refused = 0;

    snprintf(folder, sizeof(folder), "%s/queue-XXXXXX", temporary != NULL ? temporary : "/tmp");
    CHECK(mkdtemp(folder) != NULL && tool_env_open(&test_tool, &env));
    snprintf(path, sizeof(path), "%s/target.qtdb", folder);
    CHECK(target_open(&env, path, false, &target) == STATUS_OK);
    allocations_fail(&env, &target);
    CHECK(queue_open(&env, &target, &queue) == STATUS_OK);
    all_arrive(queue, &target);
    refused_row_is_named(queue, &target, 1, 0);
    refused_row_is_named(queue, &target, 100, 20000);
    refused_row_is_named(queue, &target, 512, 20000);
    refused_row_is_named(queue, &target, 4999, 3000);
    refused_row_is_named(queue, &target, 9000, 1);
    struct migrate_table table = table_of("dropped");
    CHECK(target_create_table(&target, &table) == STATUS_OK);
    queue_table(queue, &table);
    for (uint64_t i = 0; i < 3000; i++)
        CHECK(add(queue, (int64_t)i, i, &refused) == TARGET_OK);
    queue_close(queue);
    target_discard(&target);
    CHECK(memory_live_count(env.memory) == 1); /* The door. */
    tool_env_close(&env);
    CHECK(remove(folder) == 0);
    printf("thread_load_queue: ok\n");
    return 0;
}
