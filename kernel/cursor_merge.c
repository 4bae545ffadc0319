/*
 * What a transaction's cursor may come to next: the sides that txn_cursor.c merges, and which is nearest.
 *
 * The tree's cursor, which is usually there already, the version store, and the transaction's own writes, in memory and
 * spilled, are each asked for the first key past the cursor's place. The smallest key wins; of equal
 * ones the own write, then the version.
 *
 * The tree's leaves may be younger than the snapshot. Then the version store is asked for the next key
 * of which the snapshot had something else (T1): a row that was changed or deleted since comes from
 * there, and one that was inserted since is passed over. The answer holds until the next commit is
 * announced, which version_epoch says, or until the cursor has come past it.
 */
#include "kernel/cursor_private.h"

/* ---- The tree's side ---------------------------------------------------------------------------- */

enum status
cursor__rows_moved(struct qtdb_cursor *cursor, enum direction direction, enum status status)
{
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    cursor->rows_csn = cursor->rows.csn;
    if (cursor->rows_csn == BTREE_CSN_UNKNOWN) /* Hides those of other leaves, if there were any. */
        cursor->rows_csn = atomic_load_explicit(&cursor->handle->csn_written, memory_order_acquire);
    cursor->rows_ended = status == STATUS_NOT_FOUND;
    cursor->rows_direction = direction;
    return STATUS_OK;
}

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
    return cursor__rows_moved(cursor, direction, status);
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

/* ---- All of them ----------------------------------------------------------------------------- */

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

enum status
cursor__find(struct qtdb_cursor *cursor, enum direction direction, bool inclusive,
             struct candidate *out)
{
    struct candidate own;

    TRY(rows_settle(cursor, direction, inclusive));
    TRY(old_settle(cursor, direction, inclusive));
    TRY(own_settle(cursor, direction, inclusive, &own));
    *out = choose(cursor, direction, &own);
    return STATUS_OK;
}
