/*
 * A transaction's cursor: the tree's rows, earlier states of them, and the transaction's own writes,
 * merged.
 *
 * Where the cursor stands is a copied key, so nothing that happens to the tree or to the writes can
 * take the ground away. A step forward (backward is its mirror image) asks all sides for the first
 * key after that place (cursor_merge.c); a deletion hides the row and the step goes on from there.
 *
 * The range passed is what a serializable transaction relies on. It is kept here while the cursor goes
 * on, and noted when it jumps or ends.
 *
 * Nearly every step of a scan is to the next row of a leaf that is as the snapshot has it, in a tree that
 * the transaction has not written. Then there is nothing to merge: the row is taken where it lies in the
 * tree cursor's copy of the leaf, and place and range lag behind it until somebody asks for them.
 */
#include "kernel/cursor_private.h"

static enum status
buffer_set(struct qtdb_cursor *cursor, struct key_buffer *buffer, const uint8_t *bytes, size_t size)
{
    CHECK(size <= BTREE_KEY_SIZE_MAX);
    if (size > buffer->capacity) {
        size_t capacity = size <= 64 ? 64 : BTREE_KEY_SIZE_MAX;
        uint8_t *fresh = memory_alloc(cursor->memory, MEMORY_OTHER, capacity);

        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        memory_free(cursor->memory, MEMORY_OTHER, buffer->bytes, buffer->capacity);
        buffer->bytes = fresh;
        buffer->capacity = capacity;
    }
    if (size > 0)
        memmove(buffer->bytes, bytes, size);
    buffer->size = size;
    return STATUS_OK;
}

static void
buffer_free(struct qtdb_cursor *cursor, struct key_buffer *buffer)
{
    memory_free(cursor->memory, MEMORY_OTHER, buffer->bytes, buffer->capacity);
    *buffer = (struct key_buffer){NULL, 0, 0};
}

/* ---- Life --------------------------------------------------------------------------------------- */

enum status
cursor__open(struct qtdb_txn *txn, struct qtdb_tree *tree, struct qtdb_cursor **out)
{
    struct btree btree = tree__btree(tree);
    struct txn_tree *known;
    struct qtdb_cursor *cursor;

    TRY(txn__tree(txn, tree, &known));
    cursor = memory_alloc(txn->db->env.memory, MEMORY_OTHER, sizeof(*cursor));
    if (cursor == NULL)
        return STATUS_NO_MEMORY;
    cursor->txn = txn;
    cursor->memory = txn->db->env.memory;
    cursor->handle = tree;
    cursor->tree = known;
    btree_cursor_init(&cursor->rows, &btree, cursor->memory);
    cursor->old.memory = cursor->memory;
    cursor->next = txn->cursors;
    if (cursor->next != NULL)
        cursor->next->previous = cursor;
    txn->cursors = cursor;
    *out = cursor;
    return STATUS_OK;
}

enum qtdb_code
qtdb_cursor_open(struct qtdb_txn *txn, struct qtdb_tree *tree, struct qtdb_cursor **out)
{
    return api_error(cursor__open(txn, tree, out));
}

/* The range passed since the last jump grows by one that touches it. */
static enum status
extend_range(struct qtdb_cursor *cursor, const struct key_range *range)
{
    const struct key_buffer *low = &cursor->low;
    const struct key_buffer *high = &cursor->high;
    bool lower =
        !cursor->has_range || key_compare(range->low, range->low_size, low->bytes, low->size) < 0;
    bool higher =
        !cursor->has_range || range->high_size == 0 ||
        (high->size > 0 && key_compare(range->high, range->high_size, high->bytes, high->size) > 0);

    if (lower)
        TRY(buffer_set(cursor, &cursor->low, range->low, range->low_size));
    if (higher)
        TRY(buffer_set(cursor, &cursor->high, range->high, range->high_size));
    cursor->has_range = true;
    return STATUS_OK;
}

/* The range from the place to `key` (size 0: to the edge) was passed: remember it. */
static enum status
pass(struct qtdb_cursor *cursor, enum direction direction, const uint8_t *key, size_t key_size)
{
    const struct key_buffer *place = &cursor->place;
    struct key_range range = {place->bytes, key, place->size, key_size};

    if (!cursor->txn->track_reads)
        return STATUS_OK;
    if (direction == BACKWARD)
        range = (struct key_range){key, place->bytes, key_size, place->size};
    return extend_range(cursor, &range);
}

/* Brings place and range to the row. */
static enum status
catch_up(struct qtdb_cursor *cursor)
{
    if (cursor->lag == NOWHERE)
        return STATUS_OK;
    TRY(pass(cursor, cursor->lag, cursor->key, cursor->key_size));
    TRY(buffer_set(cursor, &cursor->place, cursor->key, cursor->key_size));
    cursor->lag = NOWHERE;
    return STATUS_OK;
}

/* Hands the range passed so far to the transaction. */
static enum status
note_range(struct qtdb_cursor *cursor)
{
    TRY(catch_up(cursor));
    struct key_range range = {cursor->low.bytes, cursor->high.bytes, cursor->low.size,
                              cursor->high.size};

    if (!cursor->has_range)
        return STATUS_OK;
    TRY(read_set__add(cursor->txn, cursor->tree, &range));
    cursor->has_range = false;
    return STATUS_OK;
}

enum status
cursor__note_reads(struct qtdb_txn *txn)
{
    for (struct qtdb_cursor *cursor = txn->cursors; cursor != NULL; cursor = cursor->next)
        TRY(note_range(cursor));
    return STATUS_OK;
}

static void
unlink_cursor(struct qtdb_cursor *cursor)
{
    CHECK(cursor->txn != NULL);
    if (cursor->previous != NULL)
        cursor->previous->next = cursor->next;
    else
        cursor->txn->cursors = cursor->next;
    if (cursor->next != NULL)
        cursor->next->previous = cursor->previous;
    cursor->txn = NULL;
    cursor->tree = NULL;
    cursor->has_row = false;
    cursor->plain = false;
    cursor->lag = NOWHERE;
    cursor->next = NULL;
    cursor->previous = NULL;
}

void
cursor__forget_all(struct qtdb_txn *txn)
{
    for (struct qtdb_cursor *cursor = txn->cursors; cursor != NULL; cursor = cursor->next) {
        cursor->rows_direction = NOWHERE;
        cursor->old_direction = NOWHERE;
        cursor->plain = false;
    }
}

static enum status
keep_row(struct qtdb_cursor *cursor)
{
    if (!cursor->has_row || !cursor->row_is_own)
        return STATUS_OK;
    if (cursor->value_size > cursor->kept_size) {
        uint8_t *fresh = memory_alloc(cursor->memory, MEMORY_OTHER, cursor->value_size);

        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        memory_free(cursor->memory, MEMORY_OTHER, cursor->kept, cursor->kept_size);
        cursor->kept = fresh;
        cursor->kept_size = cursor->value_size;
    }
    if (cursor->value_size > 0) {
        memcpy(cursor->kept, cursor->value, cursor->value_size);
        cursor->value = cursor->kept;
    }
    cursor->key = cursor->place.bytes;
    cursor->row_is_own = false;
    return STATUS_OK;
}

enum status
cursor__keep_rows(struct qtdb_txn *txn)
{
    for (struct qtdb_cursor *cursor = txn->cursors; cursor != NULL; cursor = cursor->next) {
        TRY(keep_row(cursor));
        cursor->spilled_direction = NOWHERE;
    }
    return STATUS_OK;
}

void
cursor__detach_all(struct qtdb_txn *txn)
{
    while (txn->cursors != NULL)
        unlink_cursor(txn->cursors);
}

void
qtdb_cursor_close(struct qtdb_cursor *cursor)
{
    if (cursor == NULL)
        return;
    struct memory *memory = cursor->memory;

    if (cursor->txn != NULL) {
        /* Out of memory: then the transaction counts as having read the whole tree. */
        if (note_range(cursor) != STATUS_OK)
            cursor->tree->read_whole = true;
        unlink_cursor(cursor);
    }
    btree_cursor_deinit(&cursor->rows);
    if (cursor->spilled_open)
        btree_cursor_deinit(&cursor->spilled);
    memory_free(memory, MEMORY_OTHER, cursor->kept, cursor->kept_size);
    version_row__deinit(&cursor->old);
    memory_free(memory, MEMORY_OTHER, cursor->large, cursor->large_size);
    buffer_free(cursor, &cursor->place);
    buffer_free(cursor, &cursor->low);
    buffer_free(cursor, &cursor->high);
    memory_free(memory, MEMORY_OTHER, cursor, sizeof(*cursor));
}

/* ---- Steps -------------------------------------------------------------------------------------- */

static enum status
arrive(struct qtdb_cursor *cursor, const struct candidate *row)
{
    static const uint8_t nothing[1];

    cursor->key = row->key;
    cursor->key_size = row->key_size;
    cursor->value = row->value;
    cursor->value_size = row->value_size;
    cursor->row_is_own = row->is_own;
    if (cursor->value_size == 0)
        cursor->value = nothing; /* Never NULL where there is a row. */
    return buffer_set(cursor, &cursor->place, cursor->key, cursor->key_size);
}

/* The row's value is a reference so far. */
static enum status
bring_large(struct qtdb_cursor *cursor)
{
    size_t size = value__size(cursor->value, cursor->value_size);

    if (size > cursor->large_size) {
        uint8_t *fresh = memory_alloc(cursor->memory, MEMORY_OTHER, size);

        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        memory_free(cursor->memory, MEMORY_OTHER, cursor->large, cursor->large_size);
        cursor->large = fresh;
        cursor->large_size = size;
    }
    TRY(value__read(cursor->txn->db, cursor->value, cursor->value_size, cursor->large, &size));
    cursor->value = cursor->large;
    cursor->value_size = size;
    return STATUS_OK;
}

/* On to the first row at (`inclusive`) or past the place. */
static enum status
step(struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    cursor->has_row = false;
    cursor->plain = false;
    TRY(catch_up(cursor));
    for (;;) {
        struct candidate next;

        TRY(cursor__find(cursor, direction, inclusive, &next));
        TRY(pass(cursor, direction, next.key, next.key_size));
        if (next.key == NULL)
            return STATUS_NOT_FOUND;
        TRY(arrive(cursor, &next));
        if (next.kind == WRITE_LARGE)
            TRY(bring_large(cursor));
        if (next.kind != WRITE_DELETE) {
            cursor->has_row = true;
            cursor->plain =
                next.key == cursor->rows.row.key &&
                access__is_of_snapshot(cursor->txn, cursor->handle, cursor->rows.leaf_csn);
            return STATUS_OK;
        }
        inclusive = false;
    }
}

/* With the leaf's rows that lie that way nothing has to be merged. */
static bool
is_plain(const struct qtdb_cursor *cursor, enum direction direction)
{
    return cursor->plain && cursor->rows_direction == direction &&
           cursor->tree->writes.count == 0 && cursor->tree->spill == NULL && !cursor->txn->has_ddl;
}

static void
arrive_plain(struct qtdb_cursor *cursor, enum direction direction)
{
    const struct btree_row *row = &cursor->rows.row;

    cursor->key_size = row->key_size;
    cursor->value = row->value;
    cursor->value_size = row->value_size;
    cursor->lag = direction;
}

/* To the next row of a leaf with which nothing has to be merged; false: step has to look. */
static inline __attribute__((always_inline)) bool
step_plain(struct qtdb_cursor *cursor, enum direction direction)
{
    if (!is_plain(cursor, direction) || !btree_cursor_step(&cursor->rows, direction == FORWARD))
        return false;
    arrive_plain(cursor, direction);
    return true;
}

uint32_t
database_cursor_span(struct qtdb_cursor *cursor, uint32_t count, const void **values,
                     uint32_t *sizes)
{
    uint32_t taken =
        is_plain(cursor, FORWARD) ? btree_cursor_span(&cursor->rows, count, values, sizes) : 0;

    if (taken > 0)
        arrive_plain(cursor, FORWARD);
    return taken;
}

static enum status
usable(const struct qtdb_cursor *cursor)
{
    if (cursor->txn == NULL)
        return error_raise(STATUS_INVALID, "the cursor's transaction has ended");
    if (cursor->txn->has_ddl)
        return txn__tree_visible(cursor->txn, cursor->handle);
    return STATUS_OK;
}

static enum status
jump(struct qtdb_cursor *cursor, enum direction direction, const void *key, size_t key_size)
{
    TRY(usable(cursor));
    if (key_size > QTDB_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has at most %d bytes, not %zu", QTDB_KEY_SIZE_MAX,
                           key_size);
    cursor->has_row = false;
    cursor->rows_direction = NOWHERE;
    cursor->old_direction = NOWHERE;
    cursor->spilled_direction = NOWHERE;
    TRY(note_range(cursor));
    TRY(buffer_set(cursor, &cursor->place, key, key_size));
    return step(cursor, direction, true);
}

/* When step_plain has said no. */
static enum status
advance(struct qtdb_cursor *cursor, enum direction direction)
{
    TRY(usable(cursor));
    if (!cursor->has_row)
        return STATUS_NOT_FOUND;
    return step(cursor, direction, false);
}

enum status
cursor__seek(struct qtdb_cursor *cursor, const void *key, size_t key_size)
{
    return jump(cursor, FORWARD, key, key_size);
}

enum status
cursor__next(struct qtdb_cursor *cursor)
{
    return step_plain(cursor, FORWARD) ? STATUS_OK : advance(cursor, FORWARD);
}

enum qtdb_code
qtdb_cursor_seek(struct qtdb_cursor *cursor, const void *key, size_t key_size)
{
    return api_error(jump(cursor, FORWARD, key, key_size));
}

enum qtdb_code
qtdb_cursor_seek_last(struct qtdb_cursor *cursor, const void *key, size_t key_size)
{
    return api_error(jump(cursor, BACKWARD, key, key_size));
}

enum qtdb_code
qtdb_cursor_next(struct qtdb_cursor *cursor)
{
    return step_plain(cursor, FORWARD) ? QTDB_OK : api_error(advance(cursor, FORWARD));
}

/* The rows passed over are as the snapshot has them: they lie in leaves that are. From `key` on nothing is known,
 * so that is the place from where the sides are merged again; the range noted there reaches back to the last one. */
static enum status
skip(struct qtdb_cursor *cursor, struct btree_skip *skip)
{
    TRY(catch_up(cursor));
    cursor->has_row = false;
    cursor->plain = false;
    cursor->rows_direction = NOWHERE;
    enum status status = btree_cursor_skip(&cursor->rows, skip);

    if (status == STATUS_NOT_FOUND && skip->key_size == 0)
        TRY(pass(cursor, FORWARD, NULL, 0));
    if (status == STATUS_NOT_FOUND && skip->key_size == 0)
        return status;
    TRY(cursor__rows_moved(cursor, FORWARD, status));
    TRY(buffer_set(cursor, &cursor->place, skip->key, skip->key_size));
    return step(cursor, FORWARD, true);
}

enum qtdb_code
database_cursor_skip(struct qtdb_cursor *cursor, uint32_t leaf_most, uint64_t *row_count_out,
                     uint32_t *leaf_count_out)
{
    struct btree_skip leaves = {.leaf_most = leaf_most};

    *row_count_out = 0;
    *leaf_count_out = 0;
    if (!is_plain(cursor, FORWARD))
        return qtdb_cursor_next(cursor);
    leaves.csn_most = cursor->txn->snapshot;
    leaves.csn_run = &cursor->handle->csn_run;
    enum status status = skip(cursor, &leaves);
    *row_count_out = leaves.row_count;
    *leaf_count_out = leaves.leaf_count;
    return api_error(status);
}

enum qtdb_code
qtdb_cursor_previous(struct qtdb_cursor *cursor)
{
    return step_plain(cursor, BACKWARD) ? QTDB_OK : api_error(advance(cursor, BACKWARD));
}

void
qtdb_cursor_row(struct qtdb_cursor *cursor, const void **key_out, size_t *key_size_out,
                const void **value_out, size_t *value_size_out)
{
    if (__builtin_expect(!cursor->has_row, 0)) {
        *key_out = NULL;
        *key_size_out = 0;
        *value_out = NULL;
        *value_size_out = 0;
        return;
    }
    *key_out = cursor->key;
    *key_size_out = cursor->key_size;
    *value_out = cursor->value;
    *value_size_out = cursor->value_size;
}

/* The rows of the leaf up to the transaction's next write that way, if the present one is as the snapshot has it. */
static uint32_t
rows_at_hand(struct qtdb_cursor *cursor, struct btree_row_ref *rows, uint32_t max)
{
    const struct key_map *writes = &cursor->tree->writes;
    enum direction direction = cursor->rows_direction;
    const struct write_entry *own = NULL;

    if (!cursor->plain || direction == NOWHERE || cursor->tree->spill != NULL ||
        cursor->txn->has_ddl)
        return 0;
    if (writes->count > 0) {
        write_set__settle(cursor->tree);
        own = direction == FORWARD ? key_map_seek(writes, cursor->key, cursor->key_size, true)
                                   : key_map_seek_last(writes, cursor->key, cursor->key_size, true);
    }
    uint32_t count =
        btree_cursor_rows(&cursor->rows, direction == FORWARD, own != NULL ? own->key : NULL,
                          own != NULL ? own->key_size : 0, rows, max);

    if (count > 0)
        arrive_plain(cursor, direction);
    return count;
}

size_t
qtdb_cursor_rows(struct qtdb_cursor *cursor, struct qtdb_row *rows, size_t max)
{
    static_assert(
        sizeof(struct qtdb_row) == sizeof(struct btree_row_ref) &&
            offsetof(struct qtdb_row, key) == offsetof(struct btree_row_ref, key) &&
            offsetof(struct qtdb_row, key_size) == offsetof(struct btree_row_ref, key_size) &&
            offsetof(struct qtdb_row, value) == offsetof(struct btree_row_ref, value) &&
            offsetof(struct qtdb_row, value_size) == offsetof(struct btree_row_ref, value_size),
        "one may stand for the other");
    uint32_t count;

    if (!cursor->has_row || max == 0)
        return 0;
    count = rows_at_hand(cursor, (struct btree_row_ref *)rows,
                         max < PAGE_SIZE ? (uint32_t)max : PAGE_SIZE);
    if (count > 0)
        return count;
    error_clear();
    rows[0] = (struct qtdb_row){cursor->key, cursor->key_size, cursor->value, cursor->value_size};
    return 1;
}
