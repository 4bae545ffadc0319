/*
 * See db_rig.h. The disk's memory is apart from the engine's, so that failing allocations and leak
 * counts concern the engine alone.
 */
#include "tests/support/db_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

void
db_must(enum qtdb_code code, const char *what, const char *file, int line)
{
    if (code == QTDB_OK)
        return;
    fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, what, qtdb_code_name(code),
            qtdb_error_last()->message);
    abort();
}

void
db_refused(enum qtdb_code code, enum qtdb_code expected, const char *what, const char *file,
           int line)
{
    const struct qtdb_error *error = qtdb_error_last();

    if (code == expected && error->code == code && error->message[0] != '\0' &&
        error->retryable == (code == QTDB_CONFLICT))
        return;
    fprintf(stderr, "%s:%d: %s: %s instead of %s; last error %s: %s\n", file, line, what,
            qtdb_code_name(code), qtdb_code_name(expected), qtdb_code_name(error->code),
            error->message);
    abort();
}

static void
must(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), error_message());
    abort();
}

void
db_rig_open(struct db_rig *rig)
{
    CHECK(rig->db == NULL);
    must(database_open_env(&rig->env, DB_RIG_PATH, &rig->options, &rig->db), "open");
}

void
db_rig_init(struct db_rig *rig, uint64_t seed)
{
    struct io_sim_options options = {.seed = seed};

    *rig = (struct db_rig){.memory = memory_new(), .disk_memory = memory_new()};
    CHECK(rig->memory != NULL && rig->disk_memory != NULL);
    must(io_sim_open(rig->disk_memory, &options, &rig->io), "disk");
    rig->env = (struct env){.memory = rig->memory, .io = rig->io};
    rig->options = (struct qtdb_options){
        .size = sizeof(rig->options),
        .create = true,
        .no_threads = true,
        .pool_size = 256 * 4096,
        .log_limit = 1 << 20,
        .segment_size = 64 << 10,
    };
    db_rig_open(rig);
}

void
db_rig_close(struct db_rig *rig)
{
    DB(qtdb_close(rig->db));
    rig->db = NULL;
    CHECK(io_sim_open_count(rig->io) == 0);
}

void
db_rig_kill(struct db_rig *rig)
{
    database_abandon(rig->db);
    rig->db = NULL;
    CHECK(io_sim_open_count(rig->io) == 0);
}

void
db_rig_crash(struct db_rig *rig, const struct io_sim_crash *crash)
{
    struct io *after;

    must(io_sim_fork(rig->io, crash, rig->disk_memory, &after), "crash");
    db_rig_kill(rig);
    io_close_all(rig->io);
    rig->io = after;
    rig->env.io = after;
}

void
db_rig_deinit(struct db_rig *rig)
{
    if (rig->db != NULL)
        db_rig_close(rig);
    io_close_all(rig->io);
    memory_delete(rig->disk_memory);
    memory_delete(rig->memory);
}

static struct qtdb_txn *
begin(struct qtdb *db, bool read_only, enum qtdb_isolation isolation, uint32_t lock_timeout_ms)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .read_only = read_only,
                                       .isolation = isolation,
                                       .lock_timeout_ms = lock_timeout_ms};
    struct qtdb_txn *txn;

    DB(qtdb_begin(db, &options, &txn));
    return txn;
}

struct qtdb_txn *
db_begin(struct qtdb *db)
{
    return begin(db, false, QTDB_SERIALIZABLE, 0);
}

struct qtdb_txn *
db_begin_read(struct qtdb *db)
{
    return begin(db, true, QTDB_SERIALIZABLE, 0);
}

struct qtdb_txn *
db_begin_as(struct qtdb *db, enum qtdb_isolation isolation)
{
    return begin(db, false, isolation, QTDB_NO_WAIT);
}

struct qtdb_tree *
db_tree(struct qtdb *db, const char *name)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_txn *txn = db_begin(db);
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, name, &options, &tree));
    DB(qtdb_commit(txn));
    return tree;
}

enum qtdb_code
db_put(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key, const char *value)
{
    return qtdb_put(txn, tree, key, strlen(key), value, strlen(value), QTDB_PUT_ANY);
}

enum qtdb_code
db_delete(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key)
{
    return qtdb_delete(txn, tree, key, strlen(key));
}

const char *
db_get(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key)
{
    static char values[4][8192];
    static unsigned next;
    char *value = values[next++ % 4];
    size_t size = sizeof(values[0]) - 1;
    enum qtdb_code code = qtdb_get(txn, tree, key, strlen(key), value, &size);

    if (code == QTDB_NOT_FOUND)
        return "(none)";
    DB(code);
    value[size] = '\0';
    return value;
}

const char *
db_look(struct qtdb *db, struct qtdb_tree *tree, const char *key)
{
    struct qtdb_txn *txn = db_begin_read(db);
    const char *value = db_get(txn, tree, key);

    DB(qtdb_commit(txn));
    return value;
}

static void
print_finding(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "%s\n", line);
}

void
db_check(struct qtdb *db)
{
    DB(qtdb_check(db, print_finding, NULL));
}
