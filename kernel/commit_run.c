/*
 * Long runs of new rows at the end of a tree: loads in order, and appends.
 *
 * Put one by one, each of their pages would be written twice, to the log and to its place. A run goes
 * to its place at once, as whole leaves, before the commit latch is taken; the commit logs only what
 * ties them to the tree (btree.h, btree_build). It pays from RUN_PAGES_MIN pages on.
 *
 * A run is the end of the transaction's writes to a tree: rows that were not there, behind the tree's
 * last key, small enough for a leaf. Whether the tree still ends before them is asked again under
 * the latch; if another commit was faster, the run is given up and its rows are put.
 */
#include "kernel/kernel_private.h"

enum {
    RUN_PAGES_MIN = 32,
    RUN_ROWS_MIN =
        2 * RUN_PAGES_MIN, /* Fewer never fill so many pages: asks nothing of the tree. */
    ROW_OVERHEAD = 8,
    NEAR_SIZE = 64, /* A line of the cache. */
    FETCH_LINES = 4,
};

/* Writes that come to nothing are no hindrance: undone ones, and deletes of what was not there. */
static bool
is_nothing(const struct write_entry *entry)
{
    return entry->kind == WRITE_NONE ||
           (entry->kind == WRITE_DELETE && entry->before_kind == WRITE_DELETE);
}

/* The first entry of the run: behind `last` (size 0: of an empty tree); NULL when none will do. */
static const struct write_entry *
find_first(const struct txn_tree *tree, const uint8_t *last, size_t last_size, uint64_t *size_out)
{
    const struct write_entry *first = tree->writes.head[0];

    if (tree->appended && !tree->mixed &&
        key_compare(first->key, first->key_size, last, last_size) > 0) {
        *size_out = tree->put_size + tree->writes.count * ROW_OVERHEAD;
        return first;
    }
    first = NULL;
    *size_out = 0;
    for (const struct write_entry *entry = tree->writes.tail[0]; entry != NULL;
         entry = entry->previous) {
        if (is_nothing(entry))
            continue;
        if (entry->kind != WRITE_PUT || entry->before_kind != WRITE_DELETE ||
            entry->value_size > BTREE_INLINE_VALUE_MAX)
            break;
        if (last_size > 0 && key_compare(entry->key, entry->key_size, last, last_size) <= 0)
            break;
        *size_out += entry->key_size + entry->value_size + ROW_OVERHEAD;
        first = entry;
    }
    return first;
}

/* Whether entries before `first` will be put. */
static bool
is_whole(const struct txn_tree *tree, const struct write_entry *first)
{
    for (const struct write_entry *entry = tree->writes.head[0]; entry != first;
         entry = entry->next[0])
        if (!is_nothing(entry))
            return false;
    return true;
}

/* While a row is added, the next one's value comes from memory, and an entry to come, with key and value right behind
 * it where they are small: several rows on where the write set was sorted, for the chain gives one at a time.
 * Inlined at once: gcc takes a function that only fetches for one without effects, and drops its calls. */
static inline __attribute__((always_inline)) void
fetch_next(const struct write_entry *entry)
{
    const struct write_entry *next = entry->next[0];

    if (next == NULL)
        return;
    const struct write_entry *later = entry->chunk_next != NULL ? entry->chunk_next : next->next[0];

    __builtin_prefetch(next->value);
    __builtin_prefetch(next->value + NEAR_SIZE);
    for (size_t line = 0; line < FETCH_LINES; line++)
        __builtin_prefetch((const char *)later + line * NEAR_SIZE);
}

/* Gives `first` up when a row of it is refused. */
static enum status
build(struct txn_tree *tree, const struct btree *btree, bool into_empty,
      const struct write_entry *first)
{
    TRY(btree_build_begin(btree, into_empty, &tree->run));
    for (const struct write_entry *entry = first; entry != NULL; entry = entry->next[0]) {
        enum status status = STATUS_OK;

        fetch_next(entry);
        if (!is_nothing(entry))
            status = btree_build_add(tree->run, entry->key, entry->key_size, entry->value,
                                     entry->value_size);
        if (status == STATUS_INVALID) { /* Too large together with its key: a put takes it. */
            commit_run__end(tree, false);
            return STATUS_OK;
        }
        TRY(status);
    }
    tree->run_first = first;
    return btree_build_write(tree->run);
}

enum status
commit_run__prepare(struct qtdb_txn *txn, struct txn_tree *tree)
{
    struct btree btree = tree__btree(tree->tree);
    struct btree_cursor cursor;
    enum status status = STATUS_NOT_FOUND;
    uint64_t size = 0;

    CHECK(tree->run == NULL && tree->run_first == NULL);
    if (tree->tree == txn->db->catalog || tree->writes.count < RUN_ROWS_MIN)
        return STATUS_OK;
    btree_cursor_init(&cursor, &btree, txn->db->env.memory);
    if (btree.root != PAGE_NONE)
        status = btree_cursor_seek_last(&cursor, NULL, 0);
    bool empty = status == STATUS_NOT_FOUND;
    const struct write_entry *first = NULL;

    if (status == STATUS_OK || empty)
        first = find_first(tree, cursor.row.key, empty ? 0 : cursor.row.key_size, &size);
    btree_cursor_deinit(&cursor);
    if (status != STATUS_OK && !empty)
        return status;
    if (size < (uint64_t)RUN_PAGES_MIN * PAGE_SIZE || (empty && !is_whole(tree, first)))
        return STATUS_OK;
    return build(tree, &btree, empty, first);
}

enum status
commit_run__attach(struct pager_change *change, struct txn_tree *tree, const struct btree *btree)
{
    if (tree->run_first == NULL)
        return STATUS_OK;
    enum status status = btree_build_attach(change, tree->run, btree);

    tree->run_attached = status == STATUS_OK;
    if (status != STATUS_CONFLICT)
        return status;
    tree->run_first = NULL; /* The run goes at the end, when no latch is held. */
    return STATUS_MISSING;
}

void
commit_run__announce(const struct write_chunk *chunk)
{
    for (const struct txn_tree *tree = chunk->trees; tree != NULL; tree = tree->next)
        if (tree->run_attached)
            atomic_store_explicit(&tree->tree->csn_run, chunk->csn, memory_order_release);
}

void
commit_run__end(struct txn_tree *tree, bool committed)
{
    btree_build_end(tree->run, committed && tree->run_attached);
    tree->run = NULL;
    tree->run_first = NULL;
    tree->run_attached = false;
}

void
commit_run__end_all(struct qtdb_txn *txn, bool committed)
{
    for (struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        commit_run__end(tree, committed);
}
