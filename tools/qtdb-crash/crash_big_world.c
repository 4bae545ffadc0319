/* See crash_big_world.h. Even numbers are rows of the tree of texts, odd ones of the tree of integers. */
#include "tools/qtdb-crash/crash_big_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/bytes.h"

enum {
    GROUP = 8, /* Of so many numbers one is missing in each generation. */
    MISSING_BEFORE = 7,
    MISSING_AFTER = 3,
    VALUE_MIN = 60,
    VALUE_SPAN = 90,
    VALUE_MAX = VALUE_MIN + VALUE_SPAN,
    KEY_MAX = 16,
    FILL_STEP = 400,  /* Rows a transaction. */
    MADE_COUNT = 300, /* Rows of the tree that the transaction makes. */
};

static const char *const tree_names[] = {"texts", "integers", "made"};

enum { TEXTS = 0, INTEGERS = 1, MADE = 2, TREES = 3 };

static bool
ok(struct big_world *world, enum qtdb_code code, const char *what)
{
    if (code == QTDB_OK)
        return true;
    world->code = code;
    (void)snprintf(world->what, sizeof(world->what), "%s: %s: %.120s", what, qtdb_code_name(code),
                   qtdb_error_last()->message);
    return false;
}

static bool
wrong(struct big_world *world, const char *what, uint32_t number)
{
    (void)snprintf(world->what, sizeof(world->what), "row %" PRIu32 ": %s", number, what);
    return false;
}

/* ---- Rows --------------------------------------------------------------------------------------- */

static bool
is_row(uint32_t number, int generation)
{
    return number % GROUP != (generation == 0 ? MISSING_BEFORE : MISSING_AFTER);
}

static size_t
make_key(uint32_t number, uint8_t out[KEY_MAX])
{
    if (number % 2 != 0) {
        qtdb_key_u64(number, out);
        return 8;
    }
    return (size_t)snprintf((char *)out, KEY_MAX, "k%08" PRIu32, number);
}

static size_t
make_value(uint32_t number, int generation, uint8_t out[VALUE_MAX])
{
    size_t size = VALUE_MIN + (number * 37 + (uint32_t)generation * 11) % VALUE_SPAN;
    le32 stored = le32_of(number);

    out[0] = (uint8_t)generation;
    memcpy(out + 1, &stored, sizeof(stored));
    for (size_t i = 5; i < size; i++)
        out[i] = (uint8_t)(number * 7 + (uint32_t)generation * 3 + i);
    return size;
}

/* The row's generation; -1 when no generation has these bytes. */
static int
generation_of(uint32_t number, const void *bytes, size_t size)
{
    uint8_t expected[VALUE_MAX];
    int generation = size > 0 ? *(const uint8_t *)bytes : 0;

    if (size == 0 || size != make_value(number, generation, expected) ||
        memcmp(bytes, expected, size) != 0)
        return -1;
    return generation;
}

/* ---- Opening and filling ------------------------------------------------------------------------ */

bool
big_world_open(struct big_world *world, bool read_only)
{
    struct qtdb_options options = {
        .size = sizeof(options),
        .create = !read_only,
        .read_only = read_only,
        .no_threads = true,
        .pool_size = read_only ? BIG_POOL_SIZE_READ_ONLY : BIG_POOL_SIZE,
        .log_limit = 2 << 20,
        .segment_size = 256 << 10,
        .write_set_limit = BIG_WRITE_SET_LIMIT,
    };
    struct env env = {.memory = world->engine, .io = world->io};
    enum status status = database_open_env(&env, BIG_PATH, &options, &world->db);

    if (status == STATUS_OK)
        return true;
    (void)snprintf(world->what, sizeof(world->what), "open: %s", status_name(status));
    return false;
}

static bool
open_trees(struct big_world *world, struct qtdb_txn *txn, bool create,
           struct qtdb_tree *trees[TREES])
{
    for (int i = TEXTS; i <= INTEGERS; i++) {
        struct qtdb_tree_options options = {
            .size = sizeof(options),
            .create = create,
            .key_kind = i == INTEGERS ? QTDB_KEY_INT : QTDB_KEY_BYTES,
        };

        if (!ok(world, qtdb_tree_open(txn, tree_names[i], &options, &trees[i]), "opening a tree"))
            return false;
    }
    return true;
}

static bool
put_row(struct big_world *world, struct qtdb_txn *txn, struct qtdb_tree *tree, uint32_t number,
        int generation)
{
    uint8_t key[KEY_MAX];
    uint8_t value[VALUE_MAX];
    size_t key_size = make_key(number, key);
    size_t size = make_value(number, generation, value);

    return ok(world, qtdb_put(txn, tree, key, key_size, value, size, QTDB_PUT_ANY), "put");
}

static bool
begin(struct big_world *world, bool read_only, struct qtdb_txn **out)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .read_only = read_only,
                                       .isolation = QTDB_REPEATABLE_READ,
                                       .lock_timeout_ms = QTDB_NO_WAIT};

    return ok(world, qtdb_begin(world->db, &options, out), "begin");
}

static bool
fill_step(struct big_world *world, uint32_t first)
{
    struct qtdb_tree *trees[TREES];
    struct qtdb_txn *txn;
    bool good = begin(world, false, &txn);

    if (!good)
        return false;
    good = open_trees(world, txn, true, trees);
    for (uint32_t number = first; good && number < first + FILL_STEP; number++)
        if (number < world->row_count && is_row(number, 0))
            good = put_row(world, txn, trees[number % 2], number, 0);
    if (good)
        return ok(world, qtdb_commit(txn), "commit");
    qtdb_rollback(txn);
    return false;
}

bool
big_world_fill(struct big_world *world)
{
    for (uint32_t first = 0; first < world->row_count; first += FILL_STEP)
        if (!fill_step(world, first))
            return false;
    return true;
}

/* ---- The transaction ---------------------------------------------------------------------------- */

static bool
write_rows(struct big_world *world, struct qtdb_txn *txn)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *trees[TREES];
    bool good = open_trees(world, txn, false, trees) &&
                ok(world, qtdb_tree_open(txn, tree_names[MADE], &options, &trees[MADE]), "create");

    for (uint32_t number = 0; good && number < MADE_COUNT; number++)
        good = put_row(world, txn, trees[MADE], 2 * number, 1);
    for (uint32_t number = 0; good && number < world->row_count; number++) {
        uint8_t key[KEY_MAX];

        if (is_row(number, 1))
            good = put_row(world, txn, trees[number % 2], number, 1);
        else
            good = ok(world, qtdb_delete(txn, trees[number % 2], key, make_key(number, key)),
                      "delete");
    }
    return good;
}

bool
big_world_write(struct big_world *world, struct qtdb_txn **out)
{
    if (!begin(world, false, out))
        return false;
    if (write_rows(world, *out))
        return true;
    qtdb_rollback(*out);
    return false;
}

/* ---- Comparing ---------------------------------------------------------------------------------- */

/* The rows of one tree against those of a generation: all of those numbers, and no others. -1: the first
 * row says which. */
static bool
compare_rows(struct big_world *world, struct qtdb_cursor *cursor, uint32_t first, uint32_t end,
             int *generation_io)
{
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    const void *key;
    const void *value;
    size_t key_size;
    size_t size;

    for (uint32_t number = first; number < end; number += 2) {
        uint8_t expected[KEY_MAX];

        if (*generation_io >= 0 && !is_row(number, *generation_io))
            continue;
        if (code == QTDB_NOT_FOUND)
            return wrong(world, "is missing", number);
        if (!ok(world, code, "scan"))
            return false;
        qtdb_cursor_row(cursor, &key, &key_size, &value, &size);
        if (key_size != make_key(number, expected) || memcmp(key, expected, key_size) != 0)
            return wrong(world, "is not the next one", number);
        int generation = generation_of(number, value, size);

        if (*generation_io < 0)
            *generation_io = generation;
        if (generation < 0 || generation > 1 || generation != *generation_io)
            return wrong(world, "is of another generation", number);
        code = qtdb_cursor_next(cursor);
    }
    return code == QTDB_NOT_FOUND ? true : wrong(world, "is not the last one", end);
}

static bool
compare_tree(struct big_world *world, struct qtdb_txn *txn, struct qtdb_tree *tree, int which,
             int *generation_io)
{
    uint32_t end = which == MADE ? 2 * MADE_COUNT : world->row_count;
    struct qtdb_cursor *cursor;

    if (!ok(world, qtdb_cursor_open(txn, tree, &cursor), "cursor"))
        return false;
    bool good = compare_rows(world, cursor, which == INTEGERS ? 1 : 0, end, generation_io);

    qtdb_cursor_close(cursor);
    return good;
}

/* The tree that the transaction makes. Its rows were put whatever their numbers. */
static bool
compare_made(struct big_world *world, struct qtdb_txn *txn, int generation)
{
    struct qtdb_tree_options options = {.size = sizeof(options)};
    struct qtdb_tree *tree;
    struct qtdb_cursor *cursor;
    enum qtdb_code code = qtdb_tree_open(txn, tree_names[MADE], &options, &tree);
    uint32_t count = 0;

    if (generation == 0)
        return code == QTDB_NOT_FOUND ? true : wrong(world, "of a tree not made yet", 0);
    if (!ok(world, code, "opening the new tree") ||
        !ok(world, qtdb_cursor_open(txn, tree, &cursor), "cursor"))
        return false;
    for (code = qtdb_cursor_seek(cursor, NULL, 0); code == QTDB_OK; code = qtdb_cursor_next(cursor))
        count++;
    qtdb_cursor_close(cursor);
    return count == MADE_COUNT ? true : wrong(world, "of the new tree is missing", count);
}

int
big_world_generation(struct big_world *world, struct qtdb_txn *txn)
{
    struct qtdb_tree *trees[TREES];
    struct qtdb_txn *own = NULL;
    int generation = -1;

    if (txn == NULL && !begin(world, true, &own))
        return -1;
    struct qtdb_txn *reader = txn != NULL ? txn : own;
    bool good = open_trees(world, reader, false, trees) &&
                compare_tree(world, reader, trees[TEXTS], TEXTS, &generation) &&
                compare_tree(world, reader, trees[INTEGERS], INTEGERS, &generation) &&
                compare_made(world, reader, generation);

    qtdb_rollback(own);
    return good ? generation : -1;
}

static int
get_generation(struct qtdb_txn *txn, struct qtdb_tree *tree, uint32_t number)
{
    uint8_t key[KEY_MAX];
    uint8_t value[VALUE_MAX];
    size_t size = sizeof(value);

    if (qtdb_get(txn, tree, key, make_key(number, key), value, &size) != QTDB_OK)
        return -1;
    return generation_of(number, value, size);
}

/* Numbers that are rows in both generations. */
static uint32_t
last_number(const struct big_world *world)
{
    return world->row_count - GROUP + 1;
}

bool
big_world_ends(struct big_world *world, int *first_out, int *last_out)
{
    struct qtdb_tree *trees[TREES];
    struct qtdb_txn *txn;

    if (!begin(world, true, &txn))
        return false;
    bool good = open_trees(world, txn, false, trees);

    if (good) {
        *first_out = get_generation(txn, trees[TEXTS], 0);
        *last_out = get_generation(txn, trees[INTEGERS], last_number(world));
    }
    qtdb_rollback(txn);
    return good;
}

bool
big_world_live(struct big_world *world)
{
    struct qtdb_tree *trees[TREES];
    struct qtdb_txn *txn;

    if (!begin(world, false, &txn))
        return false;
    if (open_trees(world, txn, false, trees) &&
        put_row(world, txn, trees[TEXTS], 0, BIG_GENERATION_LIFE))
        return ok(world, qtdb_commit(txn), "commit");
    qtdb_rollback(txn);
    return false;
}

bool
big_world_has_lived(struct big_world *world)
{
    int first = -1;
    int last = -1;

    return big_world_ends(world, &first, &last) && first == BIG_GENERATION_LIFE;
}
