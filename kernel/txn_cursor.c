/*
 * A transaction's cursor: the tree's rows, earlier states of them, and the transaction's own writes,
 * merged.
 *
 * Where the cursor stands is a copied key, so nothing that happens to the tree or to the writes can
 * take the ground away. A step forward (backward is its mirror image) asks all sides for the first
 * key after that place: the tree's cursor, which is usually there already, the version store, and the
 * map of writes. The smallest key wins; of equal ones the own write, then the version; a deletion hides
 * the row and the step goes on from there.
 *
 * The tree's leaves may be younger than the snapshot. Then the version store is asked for the next key
 * of which the snapshot had something else (T1): a row that was changed or deleted since comes from
 * there, and one that was inserted since is passed over. The answer holds until the next commit is
 * announced, which version_epoch says, or until the cursor has come past it.
 *
 * The range passed is what a serializable transaction relies on. It is kept here while the cursor goes
 * on, and noted when it jumps or ends.
 *
 * Nearly every step of a scan is to the next row of a leaf that is as the snapshot has it, in a tree that
 * the transaction has not written. Then there is nothing to merge: the row is taken where it lies in the
 * tree cursor's copy of the leaf, and place and range lag behind it until somebody asks for them.
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
    uint64_t rows_csn; /* Highest CSN of the leaves from where `rows` came to where it is. */

    struct version_row old;       /* The next key in the version store, when `rows` is too young. */
    enum direction old_direction; /* NOWHERE: not asked. */
    bool old_counts;              /* At the present step. */

    struct btree_cursor spilled; /* Own writes that are not in memory. */
    bool spilled_open;
    bool spilled_ended;
    enum direction spilled_direction; /* As rows_direction. */

    struct key_buffer place; /* Size 0: before all rows, or behind all. */
    bool has_row;
    bool plain;         /* The row is the tree's, in a leaf that is as the snapshot has it. */
    enum direction lag; /* Place and range are behind the row, which lies that way of them. */
    bool row_is_own;    /* It lies in the memory of the transaction's writes ... */
    uint8_t *kept;      /* ... or lay there, and was copied. */
    size_t kept_size;
    const uint8_t *key;
    const uint8_t *value;
    size_t key_size;
    size_t value_size;
    uint8_t *large; /* A large value that is not the tree's row; large_size bytes. */
    size_t large_size;

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

/* ---- The tree's side ---------------------------------------------------------------------------- */

static enum status
rows_move(struct qtdb_cursor *cursor, enum direction direction, bool jump)
{
    struct btree_cursor *rows = &cursor->rows;
    const struct key_buffer *place = &cursor->place;
    enum status status;

    cursor->rows_direction = NOWHERE;
    if (jump) /* The direction is new: what was asked of the version store lies the other way. */
        cursor->old_direction = NOWHERE;
    if (jump)
        rows->hint = route__hint(cursor->txn, cursor->handle, place->bytes, place->size);
    bool hinted = jump && rows->hint != PAGE_NONE;

    if (jump)
        status = direction == FORWARD ? btree_cursor_seek(rows, place->bytes, place->size)
                                      : btree_cursor_seek_last(rows, place->bytes, place->size);
    else
        status = direction == FORWARD ? btree_cursor_next(rows) : btree_cursor_previous(rows);
    if (hinted)
        route__hinted(cursor->txn, cursor->handle, rows->hint_hops);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    cursor->rows_csn = cursor->rows.csn;
    if (cursor->rows_csn == BTREE_CSN_UNKNOWN) /* Hides those of other leaves, if there were any. */
        cursor->rows_csn = atomic_load_explicit(&cursor->handle->csn_written, memory_order_acquire);
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

/* ---- The version store's side ------------------------------------------------------------------- */

/* The sign of a key order, seen in the direction of the cursor. */
static int
ahead(enum direction direction, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    int order = key_compare(a, a_size, b, b_size);

    return direction == FORWARD ? order : -order;
}

/* Does the last answer still hold, and is the place not past it? */
static bool
old_is_good(const struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    const struct version_row *old = &cursor->old;
    const struct qtdb *db = cursor->txn->db;

    if (cursor->old_direction != direction ||
        old->epoch != atomic_load_explicit(&db->version_epoch, memory_order_acquire))
        return false;
    if (old->ended || cursor->place.size == 0)
        return true;
    int order =
        ahead(direction, old->bytes, old->key_size, cursor->place.bytes, cursor->place.size);

    return order > 0 || (order == 0 && inclusive);
}

/* The answer is only that nothing lies before a key, and the tree's next row is not before it. */
static bool
old_is_short(const struct qtdb_cursor *cursor, enum direction direction)
{
    const struct version_row *old = &cursor->old;
    const struct btree_row *row = &cursor->rows.row;

    if (old->ended || old->kind != WRITE_NONE)
        return false;
    return cursor->rows_ended ||
           ahead(direction, row->key, row->key_size, old->bytes, old->key_size) >= 0;
}

/* Brings `old` to the first key at or past the place of which the snapshot had something else. */
static enum status
old_settle(struct qtdb_cursor *cursor, enum direction direction, bool inclusive)
{
    struct qtdb_txn *txn = cursor->txn;
    struct version_row *old = &cursor->old;
    struct version_place place = {
        .key = cursor->place.bytes,
        .key_size = cursor->place.size,
        .backward = direction == BACKWARD,
        .inclusive = inclusive,
    };
    uint8_t key[QTDB_KEY_SIZE_MAX];

    cursor->old_counts = cursor->rows_csn > txn->snapshot;
    if (!cursor->old_counts)
        return STATUS_OK;
    if (!old_is_good(cursor, direction, inclusive)) {
        cursor->old_direction = NOWHERE;
        TRY(versions__seek(txn, cursor->handle, &place, old));
        cursor->old_direction = direction;
    }
    while (old_is_short(cursor, direction)) {
        memcpy(key, old->bytes, old->key_size);
        place.key = key;
        place.key_size = old->key_size;
        place.inclusive = false;
        cursor->old_direction = NOWHERE;
        TRY(versions__seek(txn, cursor->handle, &place, old));
        cursor->old_direction = direction;
    }
    cursor->old_counts = !old->ended && old->kind != WRITE_NONE;
    return STATUS_OK;
}

/* ---- The own writes' side ----------------------------------------------------------------------- */

/* A row that the cursor may come to next. */
struct candidate {
    const uint8_t *key; /* NULL: none. */
    const uint8_t *value;
    size_t key_size;
    size_t value_size;
    enum write_kind kind; /* WRITE_NONE: the tree's row. */
    bool is_own;          /* In the memory of the writes. */
};

/* In memory, from the key on; entries that say nothing here are passed over. */
static const struct write_entry *
own_after(const struct qtdb_cursor *cursor, enum direction direction, const uint8_t *key,
          size_t key_size, bool inclusive)
{
    const struct key_map *writes = &cursor->tree->writes;
    bool hides = cursor->tree->spill != NULL; /* Then NONE says something. */
    const struct write_entry *entry;

    if (writes->count == 0)
        return NULL;
    write_set__settle(cursor->tree);
    entry = direction == FORWARD ? key_map_seek(writes, key, key_size, !inclusive)
                                 : key_map_seek_last(writes, key, key_size, !inclusive);
    while (entry != NULL && (entry->kind == WRITE_BELOW || (entry->kind == WRITE_NONE && !hides)))
        entry = direction == FORWARD ? entry->next[0] : entry->previous;
    return entry;
}

/* Whether `spilled` stands at or past the key; it was before it when it was last asked. */
static bool
spilled_is_good(const struct qtdb_cursor *cursor, enum direction direction, const uint8_t *key,
                size_t key_size, bool inclusive)
{
    const struct btree_row *row = &cursor->spilled.row;

    if (cursor->spilled_direction != direction)
        return false;
    if (cursor->spilled_ended || key_size == 0)
        return true;
    int order = ahead(direction, row->key, row->key_size, key, key_size);

    return order > 0 || (order == 0 && inclusive);
}

/* Brings `spilled` to its first row at or past the key. */
static enum status
spilled_settle(struct qtdb_cursor *cursor, enum direction direction, const uint8_t *key,
               size_t key_size, bool inclusive)
{
    struct btree_cursor *spilled = &cursor->spilled;

    if (!cursor->spilled_open)
        btree_cursor_init(spilled, &cursor->tree->spill->rows, cursor->memory);
    cursor->spilled_open = true;
    if (spilled_is_good(cursor, direction, key, key_size, inclusive))
        return STATUS_OK;
    cursor->spilled_direction = NOWHERE;
    enum status status = direction == FORWARD ? btree_cursor_seek(spilled, key, key_size)
                                              : btree_cursor_seek_last(spilled, key, key_size);

    if (status == STATUS_OK && !inclusive && key_size > 0 &&
        key_compare(spilled->row.key, spilled->row.key_size, key, key_size) == 0)
        status = direction == FORWARD ? btree_cursor_next(spilled) : btree_cursor_previous(spilled);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    cursor->spilled_ended = status == STATUS_NOT_FOUND;
    cursor->spilled_direction = direction;
    return STATUS_OK;
}

static struct candidate
candidate_of(const struct write_entry *entry)
{
    return (struct candidate){
        .key = entry->key,
        .value = entry->value,
        .key_size = entry->key_size,
        .value_size = entry->value_size,
        .kind = entry->kind,
        .is_own = true,
    };
}

static enum status
candidate_of_spilled(const struct btree *rows, const struct btree_row *row, struct candidate *out)
{
    struct btree_value large;
    enum write_kind kind = WRITE_NONE;

    TRY(undo__decode(rows, row->value, row->value_size, &kind, &large));
    *out = (struct candidate){
        .key = row->key,
        .value = row->value + 1,
        .key_size = row->key_size,
        .value_size = row->value_size - 1,
        .kind = kind,
    };
    return STATUS_OK;
}

/* The first own write at or past the place, in memory or below it. */
static enum status
own_settle(struct qtdb_cursor *cursor, enum direction direction, bool inclusive,
           struct candidate *out)
{
    const uint8_t *key = cursor->place.bytes;
    size_t key_size = cursor->place.size;
    const struct btree_row *row = &cursor->spilled.row;

    *out = (struct candidate){.key = NULL};
    for (;;) {
        const struct write_entry *entry = own_after(cursor, direction, key, key_size, inclusive);

        if (cursor->tree->spill != NULL)
            TRY(spilled_settle(cursor, direction, key, key_size, inclusive));
        bool below = cursor->tree->spill != NULL && !cursor->spilled_ended;

        if (entry == NULL ||
            (below && ahead(direction, row->key, row->key_size, entry->key, entry->key_size) < 0))
            return below ? candidate_of_spilled(&cursor->tree->spill->rows, row, out) : STATUS_OK;
        if (entry->kind != WRITE_NONE) {
            *out = candidate_of(entry);
            return STATUS_OK;
        }
        key = entry->key; /* Rolled back: hides what is below, and no more. */
        key_size = entry->key_size;
        inclusive = false;
    }
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* Takes the other one when it is not behind: of two of the same key the later offered counts. */
static void
prefer(struct candidate *best, enum direction direction, const struct candidate *other)
{
    if (best->key == NULL ||
        ahead(direction, other->key, other->key_size, best->key, best->key_size) <= 0)
        *best = *other;
}

/* The nearest of the tree's row, the version store's and the own write. */
static struct candidate
choose(const struct qtdb_cursor *cursor, enum direction direction, const struct candidate *own)
{
    const struct btree_row *row = &cursor->rows.row;
    const struct version_row *old = &cursor->old;
    struct candidate best = {.key = NULL};

    if (!cursor->rows_ended)
        best = (struct candidate){.key = row->key,
                                  .value = row->value,
                                  .key_size = row->key_size,
                                  .value_size = row->value_size,
                                  .kind = WRITE_NONE};
    if (cursor->old_counts) {
        struct candidate version = {.key = old->bytes,
                                    .value = old->bytes + old->key_size,
                                    .key_size = old->key_size,
                                    .value_size = old->value_size,
                                    .kind = old->kind};

        prefer(&best, direction, &version);
    }
    if (own->key != NULL)
        prefer(&best, direction, own);
    return best;
}

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
        TRY(rows_settle(cursor, direction, inclusive));
        TRY(old_settle(cursor, direction, inclusive));
        struct candidate own;

        TRY(own_settle(cursor, direction, inclusive, &own));
        struct candidate next = choose(cursor, direction, &own);

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
