/* The comparison of a database with the model of the mode rows; see crash_rows.h. */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-crash/crash_rows.h"

enum { LIFE_ODDS = 8, READ_ONLY_ODDS = 16, READ_ONLY_POOL = 16 << 20 };

enum qtdb_code
rows_last(struct qtdb *db, uint64_t out[2])
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    size_t size = 2 * sizeof(out[0]);
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    out[0] = out[1] = 0;
    enum qtdb_code code = qtdb_begin(db, &options, &txn);

    if (code != QTDB_OK)
        return code;
    code = qtdb_tree_open(txn, "commits", NULL, &tree);
    if (code == QTDB_OK)
        code = qtdb_get(txn, tree, "last", 4, out, &size);
    else if (code == QTDB_NOT_FOUND)
        code = QTDB_OK;
    qtdb_rollback(txn);
    return code;
}

struct comparison {
    struct qtdb_txn *txn;
    const struct rows_expect *expect;
    struct rows_state *state;
    struct crash_found *found;
    uint32_t commit;
};

/* An answer that is none. */
static enum crash_violation
refused(struct comparison *c, enum qtdb_code code, const char *what)
{
    if (c->expect->may_refuse && (code == QTDB_CORRUPT || code == QTDB_IO)) {
        c->found->refused_pages++;
        return CRASH_OK;
    }
    return crash_found_wrong(c->found, CRASH_REFUSED, "%s at commit %u: %s: %.200s", what,
                             c->commit, qtdb_code_name(code), qtdb_error_last()->message);
}

/* The row under the cursor is the model's, and is crossed out there. */
static enum crash_violation
compare_row(struct comparison *c, uint32_t tree, struct qtdb_cursor *cursor)
{
    uint8_t bytes[ROWS_VALUE_SIZE_MAX];
    const void *key, *value;
    size_t key_size, value_size;

    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    uint32_t number = rows_number(tree, key, key_size);

    if (number == ROWS_KEYS)
        return crash_found_wrong(c->found, CRASH_SILENT, "tree %s has a key that nobody wrote",
                                 rows_tree_name(tree));
    uint32_t *expected = &c->state->values[tree][number];

    if (*expected == 0)
        return crash_found_wrong(c->found, CRASH_HALF,
                                 "tree %s has row %u, which commit %u has not, or twice",
                                 rows_tree_name(tree), number, c->commit);
    size_t size = rows_value(*expected, bytes);

    if (c->expect->canary == CRASH_CANARY_SILENT && size > 0)
        bytes[0] ^= 1;
    if (size != value_size || memcmp(bytes, value, size) != 0)
        return crash_found_wrong(c->found, CRASH_SILENT,
                                 "row %u of tree %s is not what commit %u wrote", number,
                                 rows_tree_name(tree), c->commit);
    *expected = 0;
    return CRASH_OK;
}

static enum crash_violation
compare_scan(struct comparison *c, uint32_t tree, struct qtdb_tree *handle)
{
    enum crash_violation violation = CRASH_OK;
    struct qtdb_cursor *cursor;
    enum qtdb_code code = qtdb_cursor_open(c->txn, handle, &cursor);

    if (code != QTDB_OK)
        return refused(c, code, "a cursor");
    for (code = qtdb_cursor_seek(cursor, NULL, 0); code == QTDB_OK && violation == CRASH_OK;
         code = qtdb_cursor_next(cursor))
        violation = compare_row(c, tree, cursor);
    qtdb_cursor_close(cursor);
    if (violation != CRASH_OK)
        return violation;
    if (code != QTDB_NOT_FOUND)
        return refused(c, code, rows_tree_name(tree));
    for (uint32_t number = 0; number < ROWS_KEYS; number++) {
        if (c->state->values[tree][number] != 0)
            return crash_found_wrong(c->found, CRASH_HALF,
                                     "row %u of tree %s, in commit %u, is missing", number,
                                     rows_tree_name(tree), c->commit);
    }
    return CRASH_OK;
}

static enum crash_violation
compare_tree(struct comparison *c, uint32_t tree)
{
    struct qtdb_tree *handle;
    enum qtdb_code code = qtdb_tree_open(c->txn, rows_tree_name(tree), NULL, &handle);

    if (code == QTDB_NOT_FOUND && !c->state->exists[tree])
        return CRASH_OK;
    if (code != QTDB_OK && code != QTDB_NOT_FOUND)
        return refused(c, code, rows_tree_name(tree));
    if (code != QTDB_OK || !c->state->exists[tree])
        return crash_found_wrong(c->found, CRASH_HALF, "tree %s is %s, unlike at commit %u",
                                 rows_tree_name(tree), code == QTDB_OK ? "there" : "not there",
                                 c->commit);
    return compare_scan(c, tree, handle);
}

static void
note_finding(void *context, const char *line)
{
    struct crash_found *found = context;

    if (found->text[0] == '\0')
        (void)crash_found_wrong(found, CRASH_UNCLEAN, "%.300s", line);
}

static enum crash_violation
compare_all(struct comparison *c, struct qtdb *db)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    enum crash_violation violation = CRASH_OK;
    enum qtdb_code code = qtdb_begin(db, &options, &c->txn);

    if (code != QTDB_OK)
        return refused(c, code, "begin");
    for (uint32_t tree = 0; tree < ROWS_TREES && violation == CRASH_OK; tree++)
        violation = compare_tree(c, tree);
    qtdb_rollback(c->txn);
    return violation;
}

enum crash_violation
rows_verify(struct qtdb *db, const struct rows_expect *expect, struct memory *rig,
            struct crash_found *found)
{
    struct comparison c = {.expect = expect, .found = found};
    uint32_t acknowledged = expect->acknowledged + (expect->canary == CRASH_CANARY_LOST);
    uint64_t last[2];
    enum qtdb_code code = rows_last(db, last);

    if (code != QTDB_OK)
        return refused(&c, code, "the last commit");
    found->commit = last[0];
    if (last[0] < acknowledged)
        return crash_found_wrong(found, CRASH_LOST,
                                 "commit %" PRIu64 " is the last; %u was acknowledged", last[0],
                                 acknowledged);
    if (last[0] > expect->model->commit)
        return crash_found_wrong(found, CRASH_SILENT, "commit %" PRIu64 " of %u", last[0],
                                 expect->model->commit);
    c.commit = (uint32_t)last[0];
    c.state = crash_alloc(rig, sizeof(*c.state));
    rows_model_state(expect->model,
                     expect->canary == CRASH_CANARY_HALF && c.commit > 0 ? c.commit - 1 : c.commit,
                     c.state);
    enum crash_violation violation = compare_all(&c, db);

    crash_free(rig, c.state, sizeof(*c.state));
    if (violation != CRASH_OK || found->refused_pages > 0)
        return violation;
    code = qtdb_check(db, note_finding, found);
    if (code == QTDB_OK)
        return CRASH_OK;
    return found->text[0] != '\0' && !expect->may_refuse ? CRASH_UNCLEAN
                                                         : refused(&c, code, "the check");
}

/* ---- A state ---------------------------------------------------------------------------------- */

/* Opens, compares and leaves again without a word, as a reader does. */
static enum crash_violation
verify_read_only(const struct env *env, struct qtdb_options options,
                 const struct rows_expect *expect, struct memory *rig, struct crash_found *found)
{
    uint64_t before = io_sim_image_hash(env->io);
    struct qtdb *db;

    options.read_only = true;
    options.create = false;
    options.pool_size = READ_ONLY_POOL; /* The log's pages stay in memory. */
    if (database_open_env(env, CRASH_FILE, &options, &db) != STATUS_OK)
        return crash_found_wrong(found, CRASH_REFUSED, "read-only open: %.200s", error_message());
    enum crash_violation violation = rows_verify(db, expect, rig, found);

    database_abandon(db);
    if (violation == CRASH_OK && io_sim_image_hash(env->io) != before)
        return crash_found_wrong(found, CRASH_STATUS, "a read-only open changed the disk");
    return violation;
}

/* One more transaction on what was recovered, and a clean close. */
static enum qtdb_code
live(struct qtdb *db, uint64_t after[2])
{
    struct qtdb_tree_options making = {.size = sizeof(making), .create = true};
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint64_t number = 0;
    enum qtdb_code code = qtdb_sequence_next(db, "numbers", 1, &number);

    if (code != QTDB_OK)
        return code;
    if (number <= after[1])
        return QTDB_EXISTS;
    after[0]++;
    after[1] = number;
    code = qtdb_begin(db, NULL, &txn);
    if (code != QTDB_OK)
        return code;
    code = qtdb_tree_open(txn, "commits", &making, &tree);
    if (code == QTDB_OK)
        code = qtdb_put(txn, tree, "last", 4, after, 2 * sizeof(after[0]), QTDB_PUT_ANY);
    if (code == QTDB_OK)
        return qtdb_commit(txn);
    qtdb_rollback(txn);
    return code;
}

static enum crash_violation
live_on(struct qtdb *db, const struct env *env, const struct qtdb_options *options,
        struct crash_found *found)
{
    uint64_t after[2], again[2];
    enum qtdb_code code = rows_last(db, after);

    if (code == QTDB_OK)
        code = live(db, after);
    enum qtdb_code closed = qtdb_close(db);

    if (code == QTDB_OK)
        code = closed;
    if (code != QTDB_OK)
        return crash_found_wrong(found, CRASH_STATUS, "life after it: %s: %.200s",
                                 qtdb_code_name(code), qtdb_error_last()->message);
    if (crash_log_exists(env->io))
        return crash_found_wrong(found, CRASH_UNCLEAN, "a closed database still has a log");
    if (database_open_env(env, CRASH_FILE, options, &db) != STATUS_OK)
        return crash_found_wrong(found, CRASH_REFUSED, "the open after a close: %.200s",
                                 error_message());
    code = rows_last(db, again);
    database_abandon(db);
    if (code != QTDB_OK || memcmp(after, again, sizeof(after)) != 0)
        return crash_found_wrong(found, CRASH_LOST, "what was committed after it is not there");
    return CRASH_OK;
}

static bool
lives_on(uint64_t seed)
{
    return seed != 0 && seed / READ_ONLY_ODDS % LIFE_ODDS == 0;
}

enum crash_violation
rows_verify_disk(struct io *io, struct memory *engine, struct memory *rig,
                 const struct crash_id *id, const struct rows_expect *expect, uint64_t seed,
                 struct crash_found *found)
{
    struct env env = {.memory = engine, .io = io};
    struct qtdb_options options = rows_options(id);
    enum crash_violation violation;
    struct qtdb *db;

    *found = (struct crash_found){.absent = false};
    options.create = false;
    if (seed != 0 && seed % READ_ONLY_ODDS == 0 && !expect->may_be_absent && !expect->may_refuse) {
        violation = verify_read_only(&env, options, expect, rig, found);
        if (violation != CRASH_OK)
            return violation;
    }
    options.create = expect->may_be_absent;
    if (database_open_env(&env, CRASH_FILE, &options, &db) != STATUS_OK) {
        if (expect->may_refuse)
            return CRASH_OK;
        return crash_found_wrong(found, CRASH_REFUSED, "open: %.250s", error_message());
    }
    violation = rows_verify(db, expect, rig, found);
    if (violation == CRASH_OK && found->refused_pages == 0 && lives_on(seed))
        violation = live_on(db, &env, &options, found);
    else
        database_abandon(db);
    if (violation != CRASH_OK)
        return violation;
    return crash_verify_closed(io, engine, found);
}
