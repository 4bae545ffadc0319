/*
 * Goal: transactions of several threads show no anomaly under SERIALIZABLE, none but write skew under
 * REPEATABLE READ, and under READ COMMITTED neither dirty writes nor dirty or aborted reads.
 * Method: list-append histories (tests/support/history.h) over a few keys at a time, which are left for
 * fresh ones when their lists are long; reads by get and by scans in both directions, appends, rollbacks,
 * read-only transactions; then the checker. Write skew and unrepeatable reads must come up where they
 * may, or the threads never met. QTDB_HISTORY_TXNS sets how many transactions each level gets.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"
#include "tests/support/history.h"

enum { THREADS = 4, EPOCH_KEYS = 6, EPOCH_TXNS = 150, OPS_MAX = 5 * EPOCH_KEYS, LIST_MAX = 800 };

#ifdef QTDB_TSAN
enum { TXNS_DEFAULT = 2500 };
#else
enum { TXNS_DEFAULT = 34000 };
#endif

static struct db_rig rig;
static struct qtdb_tree *tree;
static enum qtdb_isolation isolation;
static uint32_t txn_limit;
static _Atomic uint32_t txn_next;
static _Atomic uint32_t value_next;
static struct history_txn *history;
static _Atomic uint32_t refused_count;

/* A transaction under way. */
struct actor {
    struct random random;
    struct qtdb_txn *txn;
    struct history_op *ops;
    uint32_t op_count;
    uint32_t epoch;
    bool failed;
};

static size_t
key_of(uint32_t key, char *out)
{
    return (size_t)snprintf(out, 16, "%08u", key);
}

/* True when it went through; refusals that are allowed mark the transaction as failed. */
static bool
fine(struct actor *actor, enum qtdb_code code)
{
    if (code == QTDB_OK || code == QTDB_NOT_FOUND)
        return true;
    if (code != QTDB_CONFLICT)
        printf("%s: %s\n", qtdb_code_name(code), qtdb_error_last()->message);
    CHECK(code == QTDB_CONFLICT);
    actor->failed = true;
    return false;
}

static struct history_op *
op_new(struct actor *actor, uint32_t key)
{
    CHECK(actor->op_count < OPS_MAX);
    struct history_op *op = &actor->ops[actor->op_count++];

    *op = (struct history_op){.key = key};
    return op;
}

static void
note_read(struct actor *actor, uint32_t key, const void *bytes, size_t size, bool is_scan)
{
    struct history_op *op = op_new(actor, key);
    uint32_t *values = malloc(size + 1);

    CHECK(values != NULL && size % sizeof(uint32_t) == 0);
    if (size > 0)
        memcpy(values, bytes, size);
    op->values = values;
    op->count = (uint32_t)(size / sizeof(uint32_t));
    op->is_scan = is_scan;
}

static void
refresh(struct actor *actor)
{
    if (isolation == QTDB_READ_COMMITTED)
        DB(qtdb_refresh(actor->txn));
}

/* Reads a list; `list` has room for LIST_MAX values. Reads of a transaction never fail. */
static uint32_t
read_list(struct actor *actor, uint32_t key, uint32_t *list)
{
    size_t size = LIST_MAX * sizeof(*list);
    char name[16];
    enum qtdb_code code = qtdb_get(actor->txn, tree, name, key_of(key, name), list, &size);

    CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND);
    if (code == QTDB_NOT_FOUND)
        size = 0;
    note_read(actor, key, list, size, false);
    return (uint32_t)(size / sizeof(*list));
}

static void
append(struct actor *actor, uint32_t key)
{
    uint32_t list[LIST_MAX + 1];
    char name[16];
    enum qtdb_code code;

    for (;;) {
        uint32_t count = read_list(actor, key, list);

        CHECK(count < LIST_MAX);
        list[count] = atomic_fetch_add(&value_next, 1);
        code = qtdb_put(actor->txn, tree, name, key_of(key, name), list,
                        (count + 1) * sizeof(*list), QTDB_PUT_ANY);
        if (code == QTDB_OK)
            op_new(actor, key)->value = list[count];
        if (code != QTDB_CONFLICT || isolation != QTDB_READ_COMMITTED ||
            strcmp(qtdb_error_last()->sqlstate, "40001") != 0)
            break;
        /* The statement again, on the newer row; its lock is kept. */
        free((void *)(uintptr_t)actor->ops[--actor->op_count].values);
        refresh(actor);
    }
    (void)fine(actor, code);
}

/* Reads all lists of the epoch by a scan. */
static void
scan(struct actor *actor)
{
    bool backward = random_chance(&actor->random, 1, 2);
    uint32_t low = actor->epoch * EPOCH_KEYS;
    bool seen[EPOCH_KEYS] = {false};
    struct qtdb_cursor *cursor;
    char name[16];
    enum qtdb_code code;

    DB(qtdb_cursor_open(actor->txn, tree, &cursor));
    code = backward ? qtdb_cursor_seek_last(cursor, name, key_of(low + EPOCH_KEYS - 1, name))
                    : qtdb_cursor_seek(cursor, name, key_of(low, name));
    for (;;) {
        const void *key, *value;
        size_t key_size, value_size;

        CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND);
        if (code == QTDB_NOT_FOUND)
            break;
        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        memcpy(name, key, key_size);
        name[key_size] = '\0';
        uint32_t number = (uint32_t)strtoul(name, NULL, 10);

        if (number < low || number >= low + EPOCH_KEYS)
            break;
        CHECK(!seen[number - low]);
        seen[number - low] = true;
        note_read(actor, number, value, value_size, true);
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    qtdb_cursor_close(cursor);
    for (uint32_t i = 0; i < EPOCH_KEYS; i++)
        if (!seen[i])
            note_read(actor, low + i, NULL, 0, true);
}

static void
act(struct actor *actor, bool read_only)
{
    uint32_t list[LIST_MAX];
    uint32_t key = actor->epoch * EPOCH_KEYS + (uint32_t)random_below(&actor->random, EPOCH_KEYS);
    uint64_t what = random_below(&actor->random, 10);

    refresh(actor);
    if (what == 0)
        scan(actor);
    else if (what < 5 || read_only)
        (void)read_list(actor, key, list);
    else
        append(actor, key);
}

static void
run_txn(struct actor *actor, struct history_txn *out)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .isolation = isolation};
    uint64_t count = 1 + random_below(&actor->random, 4);

    options.read_only = random_chance(&actor->random, 1, 5);
    options.durability = random_chance(&actor->random, 1, 3) ? QTDB_ASYNC : QTDB_SYNC;
    actor->ops = calloc(OPS_MAX, sizeof(*actor->ops));
    CHECK(actor->ops != NULL);
    actor->op_count = 0;
    actor->failed = false;
    DB(qtdb_begin(rig.db, &options, &actor->txn));
    for (uint64_t i = 0; i < count && !actor->failed; i++)
        act(actor, options.read_only);
    if (actor->failed || random_chance(&actor->random, 1, 20)) {
        qtdb_rollback(actor->txn);
    } else {
        out->committed = fine(actor, qtdb_commit(actor->txn));
        CHECK(out->committed || !options.read_only);
    }
    refused_count += actor->failed;
    out->ops = actor->ops;
    out->op_count = actor->op_count;
}

static void *
work(void *argument)
{
    struct actor actor = {.txn = NULL};

    random_init(&actor.random, (uintptr_t)argument);
    for (;;) {
        uint32_t number = atomic_fetch_add(&txn_next, 1);

        if (number >= txn_limit)
            return NULL;
        actor.epoch = number / EPOCH_TXNS;
        run_txn(&actor, &history[number]);
    }
}

/* One transaction that reads everything at the end. */
static void
read_all(struct history_txn *out)
{
    uint32_t key_count = (txn_limit / EPOCH_TXNS + 1) * EPOCH_KEYS;
    struct history_op *ops = calloc(key_count, sizeof(*ops));
    static uint32_t list[LIST_MAX];
    struct actor actor = {.ops = ops};

    CHECK(ops != NULL);
    actor.txn = db_begin_read(rig.db);
    for (uint32_t key = 0; key < key_count; key++) {
        actor.op_count = 0;
        actor.ops = &ops[key];
        (void)read_list(&actor, key, list);
    }
    DB(qtdb_commit(actor.txn));
    *out = (struct history_txn){.committed = true, .ops = ops, .op_count = key_count};
}

static void
history_free(void)
{
    for (uint32_t t = 0; t <= txn_limit; t++) {
        for (uint32_t o = 0; o < history[t].op_count; o++)
            free((void *)(uintptr_t)history[t].ops[o].values);
        free((void *)(uintptr_t)history[t].ops);
    }
    free(history);
}

static void
run_level(enum qtdb_isolation level, const char *name, uint64_t count[ANOMALY_COUNT])
{
    pthread_t threads[THREADS];
    uint32_t committed = 0;

    isolation = level;
    txn_next = 0;
    value_next = 1;
    refused_count = 0;
    history = calloc(txn_limit + 1, sizeof(*history));
    CHECK(history != NULL);
    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    read_all(&history[txn_limit]);
    history_check(history, txn_limit + 1, count);
    for (uint32_t t = 0; t < txn_limit; t++)
        committed += history[t].committed;
    printf("%s: %u transactions, %u committed, %u refused;", name, txn_limit, committed,
           refused_count);
    for (enum anomaly a = 0; a < ANOMALY_COUNT; a++)
        if (count[a] > 0)
            printf(" %s %lu", anomaly_name(a), (unsigned long)count[a]);
    printf("\n");
    CHECK(committed > txn_limit / 4);
    history_free();
    db_check(rig.db);
    db_rig_deinit(&rig);
}

int
main(void)
{
    const char *wish = getenv("QTDB_HISTORY_TXNS");
    uint64_t count[ANOMALY_COUNT];

    txn_limit = wish != NULL ? (uint32_t)strtoul(wish, NULL, 10) : TXNS_DEFAULT;
    run_level(QTDB_SERIALIZABLE, "serializable", count);
    for (enum anomaly a = 0; a < ANOMALY_COUNT; a++)
        CHECK(count[a] == 0);
    run_level(QTDB_REPEATABLE_READ, "repeatable read", count);
    for (enum anomaly a = 0; a < ANOMALY_COUNT; a++)
        CHECK(count[a] == 0 || a == ANOMALY_WRITE_SKEW);
    CHECK(count[ANOMALY_WRITE_SKEW] > 0);
    run_level(QTDB_READ_COMMITTED, "read committed", count);
    CHECK(count[ANOMALY_DIRTY_WRITE] == 0 && count[ANOMALY_DIRTY_READ] == 0);
    CHECK(count[ANOMALY_ABORTED_READ] == 0 && count[ANOMALY_NONSENSE] == 0);
    CHECK(count[ANOMALY_LOST_UPDATE] == 0 || count[ANOMALY_NON_REPEATABLE_READ] > 0);
    CHECK(count[ANOMALY_NON_REPEATABLE_READ] > 0);
    return 0;
}
