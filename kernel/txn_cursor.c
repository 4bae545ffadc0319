/*
 * A transaction's cursor: the tree's rows and the transaction's own writes, merged.
 *
 * Where the cursor stands is a copied key, so nothing that happens to the tree or to the writes can
 * take the ground away. A step forward (backward is its mirror image) asks both sides for the first
 * key after that place: the tree's cursor, which is usually there already, and the map of writes. The
 * smaller key wins; of two equal ones the own write; an own deletion hides the row and the step goes
 * on from there.
 *
 * The tree's leaves may be younger than the snapshot. So each step holds the range it passed (from
 * the place to the row it found, or to the edge) against the recent writes, once any leaf younger than
 * the snapshot has been seen; a hit is a conflict (T1). The same range is what a serializable
 * transaction relies on. It is kept here while the cursor goes on, and noted when it jumps or ends.
 */
#include "kernel/kernel_private.h"

enum direction { NOWHERE = 0, FORWARD = 1, BACKWARD = 2 };

struct key_buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

struct qtdb_cursor {
    struct qtdb_txn *txn; /* NULL: it has ended. */
    struct qtdb_cursor *next;
    struct qtdb_cursor *previous;
    struct memory *memory;
    struct qtdb_tree *handle;
    struct txn_tree *tree;

    struct btree_cursor rows;
    enum direction rows_direction; /* In which `rows` stands at or past the place. */
    bool rows_ended;
    uint64_t rows_csn; /* Highest CSN of a leaf seen. */

    struct key_buffer place; /* Size 0: before all rows, or behind all. */
    bool has_row;
    const uint8_t *key;
    const uint8_t *value;
    size_t key_size;
    size_t value_size;

    bool has_range; /* Passed since the last jump. */
    struct key_buffer low;
    struct key_buffer high;
};

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

/* Hands the range passed so far to the transaction. */
static enum status
note_range(struct qtdb_cursor *cursor)
{
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
    cursor->next = NULL;
    cursor->previous = NULL;
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
    buffer_free(cursor, &cursor->place);
    buffer_free(cursor, &cursor->low);
    buffer_free(cursor, &cursor->high);
    memory_free(memory, MEMORY_OTHER, cursor, sizeof(*cursor));
}

/* ---- The tree's side ---------------------------------------------------------------------------- */

static void
rows_note(struct qtdb_cursor *cursor)
{
    if (cursor->rows.csn > cursor->rows_csn)
        cursor->rows_csn = cursor->rows.csn;
}

static enum status
rows_move(struct qtdb_cursor *cursor, enum direction direction, bool jump)
{
    struct btree_cursor *rows = &cursor->rows;
    const struct key_buffer *place = &cursor->place;
    enum status status;

    cursor->rows_direction = NOWHERE;
    if (jump)
        status = direction == FORWARD ? btree_cursor_seek(rows, place->bytes, place->size)
                                      : btree_cursor_seek_last(rows, place->bytes, place->size);
    else
        status = direction == FORWARD ? btree_cursor_next(rows) : btree_cursor_previous(rows);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    rows_note(cursor);
    cursor->rows_ended = status == STATUS_NOT_FOUND;
    cursor->rows_direction = direction;
    return STATUS_OK;
}

static bool
rows_at_place(const struct qtdb_cursor *cursor)
{
    return !cursor->rows_ended && cursor->place.size > 0 &&
           key_compare(cursor->rows.row.key, cursor->rows.row.key_size, cursor->place.bytes,
                       cursor->place.size) == 0;
}

/* Brings `rows` to its first row at (`inclusive`) or past the place. */
static enum status
rows_settle(struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    if (cursor->rows.tree.root == PAGE_NONE) {
        cursor->rows_ended = true;
        return STATUS_OK;
    }
    if (cursor->rows_direction != direction)
        TRY(rows_move(cursor, direction, true));
    if (!inclusive && rows_at_place(cursor))
        TRY(rows_move(cursor, direction, false));
    return STATUS_OK;
}

/* ---- The own writes' side ----------------------------------------------------------------------- */

static const struct write_entry *
own_after(const struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    const struct key_map *writes = &cursor->tree->writes;
    const struct key_buffer *place = &cursor->place;
    const struct write_entry *entry;

    if (writes->count == 0)
        return NULL;
    if (direction == FORWARD) {
        entry = key_map_seek(writes, place->bytes, place->size, !inclusive);
        while (entry != NULL && entry->kind == WRITE_NONE)
            entry = entry->next[0];
        return entry;
    }
    entry = key_map_seek_last(writes, place->bytes, place->size, !inclusive);
    while (entry != NULL && entry->kind == WRITE_NONE)
        entry = entry->previous;
    return entry;
}

/* ---- Steps -------------------------------------------------------------------------------------- */

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

/* The range from the place to `key` (size 0: to the edge) was passed: does it hold, and remember it. */
static enum status
pass(struct qtdb_cursor *cursor, enum direction direction, const uint8_t *key, size_t key_size)
{
    struct qtdb_txn *txn = cursor->txn;
    const struct key_buffer *place = &cursor->place;
    struct key_range range = {place->bytes, key, place->size, key_size};

    if (direction == BACKWARD)
        range = (struct key_range){key, place->bytes, key_size, place->size};
    if (cursor->rows_csn > txn->snapshot)
        TRY(recent__check(txn, cursor->handle, &range));
    if (!txn->track_reads)
        return STATUS_OK;
    return extend_range(cursor, &range);
}

/* Which side is next: negative the tree, 0 both, positive the own write. */
static int
choose(const struct qtdb_cursor *cursor, enum direction direction, const struct write_entry *own)
{
    const struct btree_row *row = &cursor->rows.row;

    if (own == NULL)
        return -1;
    if (cursor->rows_ended)
        return 1;
    CHECK(cursor->rows.valid);
    int order = key_compare(row->key, row->key_size, own->key, own->key_size);

    return direction == FORWARD ? order : -order;
}

static enum status
arrive(struct qtdb_cursor *cursor, const struct write_entry *own)
{
    static const uint8_t nothing[1];
    const struct btree_row *row = &cursor->rows.row;

    cursor->key = own != NULL ? own->key : row->key;
    cursor->key_size = own != NULL ? own->key_size : row->key_size;
    cursor->value = own != NULL ? own->value : row->value;
    cursor->value_size = own != NULL ? own->value_size : row->value_size;
    if (cursor->value_size == 0)
        cursor->value = nothing; /* Never NULL where there is a row. */
    return buffer_set(cursor, &cursor->place, cursor->key, cursor->key_size);
}

/* On to the first row at (`inclusive`) or past the place. */
static enum status
step(struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    cursor->has_row = false;
    for (;;) {
        TRY(rows_settle(cursor, direction, inclusive));
        const struct write_entry *own = own_after(cursor, direction, inclusive);

        if (cursor->rows_ended && own == NULL) {
            TRY(pass(cursor, direction, NULL, 0));
            return STATUS_NOT_FOUND;
        }
        if (choose(cursor, direction, own) < 0)
            own = NULL;
        if (own != NULL)
            TRY(pass(cursor, direction, own->key, own->key_size));
        else
            TRY(pass(cursor, direction, cursor->rows.row.key, cursor->rows.row.key_size));
        TRY(arrive(cursor, own));
        if (own == NULL || own->kind == WRITE_PUT) {
            cursor->has_row = true;
            return STATUS_OK;
        }
        inclusive = false;
    }
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
    TRY(note_range(cursor));
    TRY(buffer_set(cursor, &cursor->place, key, key_size));
    return step(cursor, direction, true);
}

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
    return advance(cursor, FORWARD);
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
    return api_error(advance(cursor, FORWARD));
}

enum qtdb_code
qtdb_cursor_previous(struct qtdb_cursor *cursor)
{
    return api_error(advance(cursor, BACKWARD));
}

void
qtdb_cursor_row(struct qtdb_cursor *cursor, const void **key_out, size_t *key_size_out,
                const void **value_out, size_t *value_size_out)
{
    *key_out = cursor->has_row ? cursor->key : NULL;
    *key_size_out = cursor->has_row ? cursor->key_size : 0;
    *value_out = cursor->has_row ? cursor->value : NULL;
    *value_size_out = cursor->has_row ? cursor->value_size : 0;
}
