/*
 * The workload of the mode rows: transactions over several trees, drawn from the seed; see crash_rows.h.
 * Every refusal but a full disk, and every answer that is not the model's, is wrong at once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-crash/crash_rows.h"

enum {
    FEW_MAX = 24,
    SCATTER = 900,
    RUN_MIN = 1800,          /* Rows at the tree's end that fill more than 32 leaves. */
    POOL_PAGES = 160,        /* Most transactions are big commits, or ... */
    POOL_PAGES_LARGE = 1024, /* ... few, and one commit goes over many segments. */
    VALUE_SPAN = 1 << 30,
    WRONG_SIZE = 512,
};

/* The kinds of steps, by weight. */
enum kind {
    FEW,    /* Puts and deletes over all trees. */
    FORGET, /* The same, rolled back. */
    APPEND, /* Rows at the end of a tree, few or a long run. */
    SCATTER_ROWS,
    CLEAR, /* Deletes all rows of half a tree. */
    TREES, /* Drops a tree, or makes it again. */
    NUMBERS,
    CHECKPOINT,
    SYNC,
    FULL, /* A disk too small for a transaction. */
    CLOSE,
    KIND_COUNT,
};
static const uint32_t weights[KIND_COUNT] = {60, 6, 6, 5, 4, 5, 4, 6, 4, 3, 2};

struct qtdb_options
rows_options(const struct crash_id *id)
{
    return (struct qtdb_options){
        .size = sizeof(struct qtdb_options),
        .create = true,
        .no_threads = true,
        .policy = id->policy == PAGER_POLICY_RANGE ? QTDB_POLICY_RANGE : QTDB_POLICY_IMAGE,
        .pool_size = (uint64_t)(id->seed % 2 == 0 ? POOL_PAGES : POOL_PAGES_LARGE) * 4096,
        .log_limit = 8 * (uint64_t)CRASH_SEGMENT_SIZE,
        .segment_size = CRASH_SEGMENT_SIZE,
        .write_set_limit = 160 << 10, /* Some transactions spill. */
    };
}

void
rows_wrong(struct rows_history *history, enum crash_violation violation, const char *format, ...)
{
    char text[WRONG_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    history->failed = true;
    history->wrong(history->context, violation, text);
}

/* What must succeed. */
static bool
is_ok(struct rows_history *history, enum qtdb_code code, const char *what)
{
    if (code != QTDB_OK)
        rows_wrong(history, CRASH_STATUS, "%s: %s: %s", what, qtdb_code_name(code),
                   qtdb_error_last()->message);
    return code == QTDB_OK;
}

static uint32_t
draw(struct rows_history *history, uint64_t below)
{
    return (uint32_t)random_below(&history->random, below);
}

/* ---- One transaction -------------------------------------------------------------------------- */

struct work {
    struct rows_history *history;
    struct qtdb_txn *txn;
    struct qtdb_tree *trees[ROWS_TREES];
    uint32_t step_count; /* Of the model when it began. */
};

static bool
work_tree(struct work *work, uint32_t tree)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .key_kind = rows_key_kind(tree)};

    options.create = !work->history->model.now.exists[tree];
    if (!is_ok(work->history,
               qtdb_tree_open(work->txn, rows_tree_name(tree), &options, &work->trees[tree]),
               "open a tree"))
        return false;
    if (options.create)
        rows_model_note(&work->history->model, tree, ROWS_STEP_CREATE, 0);
    return true;
}

static bool
work_begin(struct work *work, struct rows_history *history, enum qtdb_durability durability)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = durability};

    *work = (struct work){.history = history, .step_count = history->model.step_count};
    return is_ok(history, qtdb_begin(history->db, &options, &work->txn), "begin");
}

/* Writes one row, and reads it back first. */
static bool
work_write(struct work *work, uint32_t tree, uint32_t number, uint32_t value)
{
    struct rows_model *model = &work->history->model;
    uint8_t key[ROWS_KEY_SIZE_MAX];
    uint8_t bytes[ROWS_VALUE_SIZE_MAX];
    enum qtdb_code expected = QTDB_OK;
    enum qtdb_code code;

    if (work->trees[tree] == NULL && !work_tree(work, tree))
        return false;
    size_t key_size = rows_key(tree, number, key);

    if (value == 0) {
        expected = model->now.values[tree][number] == 0 ? QTDB_NOT_FOUND : QTDB_OK;
        code = qtdb_delete(work->txn, work->trees[tree], key, key_size);
    } else {
        size_t size = rows_value(value, bytes);

        code = qtdb_put(work->txn, work->trees[tree], key, key_size, bytes, size, QTDB_PUT_ANY);
    }
    if (code != expected) {
        rows_wrong(work->history, CRASH_STATUS, "row %u of tree %s: %s: %s", number,
                   rows_tree_name(tree), qtdb_code_name(code), qtdb_error_last()->message);
        return false;
    }
    rows_model_note(model, tree, number, value);
    return true;
}

static void
work_forget(struct work *work)
{
    qtdb_rollback(work->txn);
    rows_model_cancel(&work->history->model, work->step_count);
}

/* The transaction's own number goes with it, and a number of the sequence. */
static enum qtdb_code
put_number(struct work *work, uint64_t sequence)
{
    struct rows_history *history = work->history;
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *commits;
    uint64_t numbers[2] = {history->model.commit + 1, sequence};
    enum qtdb_code code = qtdb_tree_open(work->txn, "commits", &options, &commits);

    if (code != QTDB_OK)
        return code;
    return qtdb_put(work->txn, commits, "last", 4, numbers, sizeof(numbers), QTDB_PUT_ANY);
}

static void
work_commit(struct work *work, enum qtdb_durability durability, bool may_be_full)
{
    struct rows_history *history = work->history;
    struct rows_model *model = &history->model;

    if (!is_ok(history, put_number(work, model->sequence), "the number of a commit")) {
        work_forget(work);
        return;
    }
    rows_model_commit(model);
    enum qtdb_code code = qtdb_commit(work->txn);

    if (code == QTDB_FULL && may_be_full) {
        if (model->step_count > work->step_count)
            rows_model_cancel(model, work->step_count);
        else
            model->commit--;
        return;
    }
    if (is_ok(history, code, "commit") && durability == QTDB_SYNC)
        model->acknowledged = model->commit;
}

/* Commits, unless something is wrong already. */
static void
work_end(struct work *work, enum qtdb_durability durability, bool may_be_full)
{
    if (work->history->failed)
        work_forget(work);
    else
        work_commit(work, durability, may_be_full);
}

static void
few(struct rows_history *history, bool forget, bool may_be_full)
{
    enum qtdb_durability durability = draw(history, 3) == 0 ? QTDB_ASYNC : QTDB_SYNC;
    uint32_t count = 1 + draw(history, FEW_MAX);
    struct work work;

    if (!work_begin(&work, history, durability))
        return;
    for (uint32_t index = 0; index < count && !history->failed; index++) {
        uint32_t tree = draw(history, ROWS_TREES);
        uint32_t value = draw(history, 4) == 0 ? 0 : 1 + draw(history, VALUE_SPAN);

        if (!work_write(&work, tree, draw(history, ROWS_KEYS), value))
            break;
    }
    if (forget)
        work_forget(&work);
    else
        work_end(&work, durability, may_be_full);
}

/* Many rows all over a tree: with a large pool one commit of many pages. */
static void
scatter(struct rows_history *history)
{
    struct work work;

    if (!work_begin(&work, history, QTDB_SYNC))
        return;
    for (uint32_t index = 0; index < SCATTER && !history->failed; index++) {
        if (!work_write(&work, ROWS_TEXT, draw(history, ROWS_KEYS), 1 + draw(history, VALUE_SPAN)))
            break;
    }
    work_end(&work, QTDB_SYNC, false);
}

static void
append(struct rows_history *history)
{
    uint32_t tree = draw(history, 2) == 0 ? ROWS_DENSE : ROWS_LONG;
    uint32_t first = 0;
    struct work work;

    for (uint32_t number = 0; number < ROWS_KEYS; number++) {
        if (history->model.now.values[tree][number] != 0)
            first = number + 1;
    }
    uint32_t count = draw(history, 3) == 0 ? 60 : RUN_MIN;

    if (!work_begin(&work, history, QTDB_SYNC))
        return;
    for (uint32_t index = 0; index < count && first + index < ROWS_KEYS; index++) {
        if (!work_write(&work, tree, first + index, 1 + draw(history, VALUE_SPAN)))
            break;
    }
    work_end(&work, QTDB_SYNC, false);
}

static void
clear(struct rows_history *history)
{
    uint32_t tree = draw(history, ROWS_TREES);
    uint32_t from = draw(history, ROWS_KEYS / 2);
    uint32_t left = 400; /* A change may touch a quarter of the pool. */
    struct work work;

    if (!work_begin(&work, history, QTDB_SYNC))
        return;
    for (uint32_t number = from; number < from + ROWS_KEYS / 2 && left > 0; number++) {
        if (history->model.now.values[tree][number] == 0)
            continue;
        left--;
        if (!work_write(&work, tree, number, 0))
            break;
    }
    work_end(&work, QTDB_SYNC, false);
}

/* Drops a tree; half of the time it is made again in the same transaction. */
static void
trees(struct rows_history *history)
{
    uint32_t tree = draw(history, ROWS_TREES);
    struct work work;

    if (!work_begin(&work, history, QTDB_SYNC))
        return;
    if (history->model.now.exists[tree] &&
        is_ok(history, qtdb_tree_drop(work.txn, rows_tree_name(tree)), "drop a tree"))
        rows_model_note(&history->model, tree, ROWS_STEP_DROP, 0);
    if (draw(history, 2) == 0 && !history->failed)
        (void)work_write(&work, tree, draw(history, ROWS_KEYS), 1 + draw(history, VALUE_SPAN));
    work_end(&work, QTDB_SYNC, false);
}

/* A number of a durable commit never comes again. */
static void
numbers(struct rows_history *history)
{
    uint64_t first = 0;

    if (!is_ok(history, qtdb_sequence_next(history->db, "numbers", 1 + draw(history, 40), &first),
               "a sequence"))
        return;
    if (first <= history->model.sequence)
        rows_wrong(history, CRASH_LOST, "the sequence gave %lu after %lu", (unsigned long)first,
                   (unsigned long)history->model.sequence);
    history->model.sequence = first;
    few(history, false, false);
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static void
acknowledge(struct rows_history *history, enum qtdb_code code, const char *what)
{
    if (is_ok(history, code, what))
        history->model.acknowledged = history->model.commit;
}

static void
full(struct rows_history *history)
{
    io_sim_set_disk_size(history->io, 1);
    few(history, false, true);
    few(history, false, true);
    io_sim_set_disk_size(history->io, 0);
}

void
rows_open(struct rows_history *history)
{
    if (database_open_env(&history->env, CRASH_FILE, &history->options, &history->db) ==
        STATUS_OK) {
        history->opened = true;
        return;
    }
    history->db = NULL;
    rows_wrong(history, CRASH_STATUS, "open: %s", qtdb_error_last()->message);
}

/* After a kill: what was not acknowledged may be gone, and what is there is durable. */
static void
go_on(struct rows_history *history)
{
    struct rows_model *model = &history->model;
    uint64_t last[2];

    if (!is_ok(history, rows_last(history->db, last), "the last commit"))
        return;
    if (last[0] < model->acknowledged || last[0] > model->commit) {
        rows_wrong(history, CRASH_LOST, "commit %lu after a kill, %u of %u were acknowledged",
                   (unsigned long)last[0], model->acknowledged, model->commit);
        return;
    }
    rows_model_cut(model, (uint32_t)last[0]);
    model->sequence = last[1];
}

static void
reopen(struct rows_history *history)
{
    struct qtdb *db = history->db;
    bool kill = draw(history, 2) == 0;

    history->db = NULL;
    if (kill)
        database_abandon(db);
    else
        acknowledge(history, qtdb_close(db), "close");
    rows_open(history);
    if (kill && history->db != NULL)
        go_on(history);
}

static enum kind
draw_kind(struct rows_history *history)
{
    uint32_t sum = 0;
    enum kind kind = FEW;

    for (uint32_t index = 0; index < KIND_COUNT; index++)
        sum += weights[index];
    uint32_t at = draw(history, sum);

    while (at >= weights[kind]) {
        at -= weights[kind];
        kind = (enum kind)(kind + 1);
    }
    return kind;
}

void
rows_step(struct rows_history *history)
{
    history->step_count++;
    switch (draw_kind(history)) {
    case FORGET:
        few(history, true, false);
        break;
    case APPEND:
        append(history);
        break;
    case SCATTER_ROWS:
        scatter(history);
        break;
    case CLEAR:
        clear(history);
        break;
    case TREES:
        trees(history);
        break;
    case NUMBERS:
        numbers(history);
        break;
    case CHECKPOINT:
        acknowledge(history, qtdb_checkpoint(history->db), "checkpoint");
        break;
    case SYNC:
        acknowledge(history, qtdb_sync(history->db), "sync");
        break;
    case FULL:
        full(history);
        break;
    case CLOSE:
        reopen(history);
        break;
    default:
        few(history, false, false);
        break;
    }
}
