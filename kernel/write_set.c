/*
 * A transaction's own writes: per tree an ordered map in the transaction's arena, and from the first
 * savepoint on a journal of what each write replaced. Rolling back to a mark plays the journal
 * backwards; entries stay linked and say what they said. Values are never overwritten in place, so a row
 * that a cursor shows stays what it was.
 *
 * Once they are many and come in no order, an index finds them and the map learns of them when order is asked
 * for (write_index.c). It comes on top of the budget: 24 to 48 bytes an entry, an eighth of what the entry takes.
 *
 * The first quarter of the budget lies in the transaction's arena with everything else, which the version
 * store takes over at commit. What comes then has an arena of its own, and when the budget is used up
 * all writes go to trees of the file (spill.c) and that arena is freed.
 */
#include "kernel/kernel_private.h"

enum { JOURNAL_FIRST = 64, KEPT_SHARE = 4, INDEX_MIN = 256, FETCH_AHEAD = 512, FETCH_LINES = 4 };

/* ---- Finding ------------------------------------------------------------------------------------ */

struct write_entry *
write_set__find(const struct txn_tree *tree, const void *key, size_t key_size)
{
    return tree->index != NULL ? write_index_find(tree->index, key, key_size)
                               : key_map_find(&tree->writes, key, key_size);
}

uint64_t
write_set__count(const struct txn_tree *tree)
{
    return tree->writes.count + (tree->index != NULL ? write_index_pending(tree->index) : 0);
}

void
write_set__settle(struct txn_tree *tree)
{
    if (tree->index != NULL)
        write_index_settle(tree->index, &tree->writes);
}

static void
drop_index(struct txn_tree *tree)
{
    write_set__settle(tree);
    write_index_free(tree->index);
    tree->index = NULL;
}

void
write_set__settle_all(struct qtdb_txn *txn)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        drop_index(tree);
}

/* A new entry, whose key is looked for first: its place, when there is no index. */
static struct write_entry *
find_place(const struct txn_tree *tree, const void *key, size_t key_size,
           struct key_map_place *place)
{
    if (tree->index == NULL)
        return key_map_find_place(&tree->writes, key, key_size, place);
    place->count = UINT64_MAX;
    place->searched = false;
    return write_index_find(tree->index, key, key_size);
}

static void
link_entry(struct qtdb_txn *txn, struct txn_tree *tree, struct write_entry *entry,
           const struct key_map_place *place)
{
    bool fits = place->count == tree->writes.count; /* Else some were spilled meanwhile. */

    if (tree->index == NULL && fits && place->searched && place->count >= INDEX_MIN &&
        tree->tree != txn->db->catalog)
        tree->index = write_index_new(txn->db->env.memory, &tree->writes);
    if (tree->index != NULL && write_index_add(tree->index, entry))
        return;
    drop_index(tree);
    if (fits)
        key_map_insert_at(&tree->writes, entry, place);
    else
        key_map_insert(&tree->writes, entry);
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static enum status
journal_push(struct qtdb_txn *txn, struct txn_tree *tree, struct write_entry *entry)
{
    struct memory *memory = txn->db->env.memory;

    if (!txn->journal_on)
        return STATUS_OK;
    if (txn->journal_used == txn->journal_capacity) {
        uint64_t capacity = txn->journal_capacity == 0 ? JOURNAL_FIRST : txn->journal_capacity * 2;
        struct journal_step *fresh =
            memory_resize(memory, MEMORY_WRITE_SET, txn->journal,
                          txn->journal_capacity * sizeof(*fresh), capacity * sizeof(*fresh));

        if (fresh == NULL)
            return STATUS_NO_MEMORY;
        txn->journal = fresh;
        txn->journal_capacity = capacity;
    }
    txn->journal[txn->journal_used++] = (struct journal_step){
        .tree = tree,
        .entry = entry,
        .value = entry->value,
        .value_size = entry->value_size,
        .kind = entry->kind,
    };
    return STATUS_OK;
}

static enum status
refuse_size(const struct qtdb_txn *txn)
{
    return error_raise(STATUS_FULL,
                       "one write takes more than the %zu bytes of memory that a transaction may "
                       "use (write_set_limit): raise the limit",
                       txn->db->write_set_limit);
}

/* What a write to the key takes. */
static size_t
cost_of(const struct write_entry *entry, size_t key_size, size_t value_size)
{
    return value_size + (entry == NULL ? sizeof(*entry) + 32 + key_size : 0);
}

/* Room for a write in the budget; what is in memory may have to go. */
static enum status
make_room(struct qtdb_txn *txn, const struct txn_tree *tree, const void *key, size_t key_size,
          size_t value_size, struct write_entry **entry_io, size_t *cost_out)
{
    size_t limit = txn->db->write_set_limit;

    *cost_out = cost_of(*entry_io, key_size, value_size);
    if (txn->write_size + *cost_out <= limit)
        return STATUS_OK;
    TRY(spill__all(txn));
    *entry_io = write_set__find(tree, key, key_size);
    *cost_out = cost_of(*entry_io, key_size, value_size);
    return txn->write_size + *cost_out <= limit ? STATUS_OK : refuse_size(txn);
}

/* The arena for a write; accounts for it. The catalog's stay in memory. */
static struct arena *
take_arena(struct qtdb_txn *txn, const struct txn_tree *tree, size_t cost)
{
    bool kept = txn->write_kept + cost <= txn->db->write_set_limit / KEPT_SHARE ||
                tree->tree == txn->db->catalog;

    txn->write_size += cost;
    txn->write_kept += kept ? cost : 0;
    return kept ? &txn->arena : &txn->write_arena;
}

/* What the next rows will be written to: else each waits for the lines of its own. */
static void
fetch_ahead(const uint8_t *end)
{
    for (size_t i = 0; i < FETCH_LINES; i++)
        __builtin_prefetch(end + FETCH_AHEAD + 64 * i, 1);
}

/* The entry with room for its value, which is copied; not yet the entry's. A new entry has it behind its key: a
 * commit reads both. */
static enum status
take_entry(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
           const void *value, size_t value_size, struct write_entry **out, uint8_t **copy_out)
{
    struct key_map_place place;
    struct write_entry *entry = find_place(tree, key, key_size, &place);
    size_t cost = 0;

    TRY(make_room(txn, tree, key, key_size, value_size, &entry, &cost));
    struct arena *arena = take_arena(txn, tree, cost);

    uint8_t *copy = NULL;
    if (entry == NULL) {
        entry = key_map_entry_new(arena, &tree->writes, key, key_size, value_size);
        if (entry == NULL)
            return STATUS_NO_MEMORY;
        copy = key_map_entry_room(entry);
        fetch_ahead(copy + value_size);
        entry->kind = tree->spill != NULL ? WRITE_BELOW : WRITE_NONE;
        link_entry(txn, tree, entry, &place);
    } else if (value_size > 0) {
        copy = arena_alloc_raw(arena, value_size);
        if (copy == NULL)
            return STATUS_NO_MEMORY;
    }
    if (value_size > 0)
        memcpy(copy, value, value_size);
    if (value_size > tree->value_max)
        tree->value_max = value_size;
    *copy_out = value_size > 0 ? copy : NULL;
    *out = entry;
    return STATUS_OK;
}

static void
set_entry(struct write_entry *entry, enum write_kind kind, const uint8_t *value, size_t value_size)
{
    entry->kind = kind;
    entry->value = value;
    entry->value_size = (uint32_t)value_size;
}

/* Before the entry is set: tells commit_run.c what it need not look at one by one. */
static void
tally(struct txn_tree *tree, const struct write_entry *entry, enum write_kind kind,
      size_t value_size)
{
    if (entry->kind != WRITE_NONE || kind != WRITE_PUT || value_size > BTREE_INLINE_VALUE_MAX)
        tree->mixed = true;
    tree->put_size += entry->key_size + value_size;
}

enum status
write_set__put(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
               const void *value, size_t value_size, enum write_kind kind)
{
    struct write_entry *entry = NULL;
    uint8_t *copy = NULL;

    CHECK(txn->running && !txn->read_only);
    CHECK(kind == WRITE_PUT || kind == WRITE_LARGE || (kind == WRITE_DELETE && value_size == 0));
    TRY(take_entry(txn, tree, key, key_size, value, value_size, &entry, &copy));
    tally(tree, entry, kind, value_size);
    TRY(journal_push(txn, tree, entry));
    set_entry(entry, kind, copy, value_size);
    return STATUS_OK;
}

enum status
write_set__restore(struct qtdb_txn *txn, struct txn_tree *tree, const void *key, size_t key_size,
                   const void *value, size_t value_size, enum write_kind kind)
{
    struct write_entry *entry = NULL;
    uint8_t *copy = NULL;

    TRY(take_entry(txn, tree, key, key_size, value, value_size, &entry, &copy));
    tree->mixed = true;
    set_entry(entry, kind, copy, value_size);
    return STATUS_OK;
}

enum qtdb_code
qtdb_savepoint(struct qtdb_txn *txn, uint64_t *mark_out)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    txn->journal_on = true;
    *mark_out = txn->journal_base + txn->journal_used;
    return QTDB_OK;
}

/* Spilled steps stay: they are few and cost nothing. */
void
database_forget_savepoints(struct qtdb_txn *txn)
{
    if (txn->journal_base > 0)
        return;
    txn->journal_on = false;
    txn->journal_used = 0;
}

enum qtdb_code
qtdb_rollback_to(struct qtdb_txn *txn, uint64_t mark)
{
    enum status status = txn__usable(txn);

    if (status != STATUS_OK)
        return api_error(status);
    if (!txn->journal_on || mark > txn->journal_base + txn->journal_used)
        return api_error_set(QTDB_INVALID, "3B001", 0, false,
                             "there is no such savepoint: the transaction rolled back past it");
    while (txn->journal_used > 0 && txn->journal_base + txn->journal_used > mark) {
        const struct journal_step *step = &txn->journal[--txn->journal_used];

        step->tree->mixed = true;
        set_entry(step->entry, step->kind, step->value, step->value_size);
    }
    if (mark < txn->journal_base)
        status = spill__roll_back_to(txn, mark);
    txn->broken = status != STATUS_OK;
    return api_error(status);
}
