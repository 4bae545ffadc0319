/*
 * btree: B+-trees on the pager's pages. Nodes are pure functions on page bytes (node_var.h); the tree
 * finds and changes them, and never touches the log.
 *
 * A tree is named by its root page, which never moves, and its tree id, which is never reused. Keys
 * are byte strings of 1 to BTREE_KEY_SIZE_MAX bytes ordered by memcmp; in the public functions a key
 * of size 0 stands for the edge of the tree. Reading is optimistic: node bytes are untrusted until the
 * view validated, and untrusted for good when they come from disk, so every offset is bounded.
 *
 * Readers may be anywhere beside one change set. Functions that take a change run under the commit
 * latch: they do no I/O and answer STATUS_MISSING (pager.h) when a page is absent. After any status
 * but STATUS_OK and STATUS_NOT_FOUND the change must be abandoned. All others run without the latch.
 *
 * STATUS_CORRUPT names page and tree. A value too large for its page lies in overflow pages, is read
 * and freed with its row, and is bounded by BTREE_PUT_SIZE_MAX. Larger ones are trees of their own
 * (btree_value below): read with their row, but made and freed apart from it.
 */
#ifndef BTREE_BTREE_H
#define BTREE_BTREE_H

#include <string.h>

#include <stdatomic.h>

#include "kernel/base/check.h"
#include "pager/pager.h"

enum {
    BTREE_KEY_SIZE_MAX = 1024,
    BTREE_DEPTH_MAX = 20,
    /* Larger values go to overflow pages; with long keys somewhat smaller ones too. */
    BTREE_INLINE_VALUE_MAX = 1024,
    BTREE_PUT_SIZE_MAX = 16 << 20,  /* Of btree_put. */
    BTREE_VALUE_SIZE_MAX = 1 << 30, /* Of values that are trees of their own (btree_value). */
    BTREE_CHUNK_SIZE = 8 * 4032,    /* Bytes of a chunk of those, but for the last. */
};

/* For the CSN of a leaf that does not know its own: one of a run, until it is next changed. */
#define BTREE_CSN_UNKNOWN UINT64_MAX

enum btree_kind { BTREE_VAR = 0, BTREE_INT = 1 };

/* How leaves of a tree have looked lately, so that a look-up can ask for the lines of a row before the
 * leaf's header has come. A guess that decides nothing. Zero at first; used by all threads at once. */
struct btree_hint {
    _Atomic uint64_t leaf;
};

/* What a change does to the leaves of a tree, counted as it goes; a change that is abandoned counts
 * too. */
struct btree_leaf_tally {
    uint32_t split_count;    /* Came between others. */
    uint32_t appended_count; /* Came behind all others. */
    uint32_t removed_count;
};

/* A value type: copy freely. */
struct btree {
    struct pager *pager;
    uint32_t root;
    uint32_t tree_id;
    enum btree_kind kind;
    struct btree_hint *hint;        /* The caller's, one a tree; NULL: nothing is guessed. */
    struct btree_leaf_tally *tally; /* The caller's, or NULL. */
};

/* One row. Its buffers grow through `memory`. `value` is `buffer`, or lies in a cursor's leaf: it is
 * good until the cursor's next call. */
struct btree_row {
    struct memory *memory;
    uint8_t *key;
    size_t key_size;
    size_t key_capacity;
    const uint8_t *value;
    size_t value_size;
    uint8_t *buffer;
    size_t buffer_capacity;
};
void btree_row_init(struct btree_row *row, struct memory *memory);
void btree_row_deinit(struct btree_row *row);

/** Makes an empty tree whose root is a new page, or (`root` not PAGE_NONE) that page, which is in use
 * and belongs to no tree yet: the catalog. */
MUST_CHECK enum status btree_create(struct pager_change *change, enum btree_kind kind,
                                    uint32_t tree_id, uint32_t root, uint32_t *root_out);

/**
 * Copies the value out: `*size_io` is room, then size. STATUS_NOT_FOUND; STATUS_FULL when the room is
 * too small (the size is set). `*csn_out` is the leaf's CSN (BTREE_CSN_UNKNOWN when it says only a
 * lower bound), also on STATUS_NOT_FOUND and STATUS_FULL: the caller compares it with its snapshot.
 */
MUST_CHECK enum status btree_get(const struct btree *tree, const void *key, size_t key_size,
                                 void *value, size_t *size_io, uint64_t *csn_out);

/* One look-up of a batch; the caller's but for what is said. */
struct btree_get {
    const void *key;
    size_t key_size;
    void *value;
    size_t size;        /* Room, then the value's size. */
    uint64_t csn;       /* Out, as btree_get has it. */
    enum status status; /* Out: STATUS_OK, STATUS_NOT_FOUND, STATUS_FULL. */
    /* The leaf that is believed to have the key, looked at first; 0: none is. */
    uint32_t page_number;
    /* Out, where a leaf is named: links followed from it; UINT32_MAX: the key went down the tree. */
    uint32_t hops;
    uint32_t leaf; /* Out: where it was found or is not; 0: not known. */
};
/**
 * Each as btree_get, with the waiting for memory and disk overlapped; best with 16 or more, and all with
 * a leaf named or none. Any page is fine (btree_get_at). Any status but the three ends the batch and is
 * returned: then the others' are undefined.
 */
MUST_CHECK enum status btree_get_batch(const struct btree *tree, struct btree_get *gets,
                                       size_t count);
/** Brings in the leaves of the keys, or of what they are the start of, side by side; answers nothing, and what
 * cannot be read shows when it is asked for. No leaf is named. How many pages were absent, those of two keys
 * twice. */
uint32_t btree_fetch_batch(const struct btree *tree, struct btree_get *gets, size_t count);

/*
 * Leaves by number: for whoever knows, or believes to know, which leaf has a key, without the inner
 * pages (tree_route.c).
 */

/* Sibling links that a look-up follows from the leaf named. */
enum { BTREE_HOPS_MAX = 2 };

/* Where a row is believed to be: the leaf, and in it (0: unknown) the key and its value, which are
 * fetched together with the page's head. */
struct btree_spot {
    uint32_t page_number;
    uint16_t key_offset;
    uint16_t value_offset;
    uint16_t value_around; /* Bytes to either side of it that the value may be off by. */
    /* They are seldom off by more than a few rows: look there before asking the leaf's hints. */
    bool is_near;
};

/**
 * As btree_get, but begins at a leaf and never descends: STATUS_MISSING (raises no message) when
 * neither that page nor one of BTREE_HOPS_MAX behind it proves to be the key's leaf, or the value is
 * in pages of its own. Any spot is fine. `*hops_out` links were followed.
 */
MUST_CHECK enum status btree_get_at(const struct btree *tree, const struct btree_spot *spot,
                                    const void *key, size_t key_size, void *value, size_t *size_io,
                                    uint64_t *csn_out, uint32_t *hops_out);

/**
 * Tells `leaf` of each leaf below one of the lowest inner pages, the one that holds `key` (size 0: the
 * first one): its low fence (size 0: none) and its number. `key`, BTREE_KEY_SIZE_MAX bytes, then is
 * where the next such page begins (size 0: there is none). A tree of one page is that leaf. What is
 * told may be out of date at once. False from `leaf` stops with STATUS_STOPPED; STATUS_BUSY: the tree
 * kept changing. Without the latch.
 */
MUST_CHECK enum status btree_leaves(const struct btree *tree, uint8_t *key, size_t *key_size_io,
                                    bool (*leaf)(void *context, const uint8_t *low, size_t low_size,
                                                 uint32_t page_number),
                                    void *context);

/**
 * Pages of the tree, leaves and inner ones; those of values in pages of their own are not among them. Reads inner
 * pages only. Exact when nobody changes the tree meanwhile. STATUS_BUSY: it kept changing. Without the latch.
 */
MUST_CHECK enum status btree_page_count(const struct btree *tree, uint64_t *out);

/**
 * One guess at the number of rows, from the way down that lies `share` (0 to 1) into the tree: the mean
 * over shares spread evenly is the number. `low_out`, BTREE_KEY_SIZE_MAX bytes, is the low fence of the
 * leaf there (size 0: it is the first). STATUS_BUSY: the tree kept changing. Without the latch.
 */
MUST_CHECK enum status btree_sample(const struct btree *tree, double share, double *rows_out,
                                    uint8_t *low_out, size_t *low_size_out);
enum { BTREE_SAMPLE_FETCH_MAX = 32 };
/** Brings in the leaves that btree_sample will look at, side by side; a hint. */
void btree_sample_fetch(const struct btree *tree, const double *shares, uint32_t count);

/* How a leaf is filled, and where its rows are. */
struct btree_leaf_shape {
    uint32_t row_count;
    /* Integer keys: where the first key and the first value are, and how far the values are apart; 0
     * where values lie in no array. */
    uint32_t keys;
    uint32_t values;
    uint32_t value_step;
    uint32_t near_count; /* Rows that an even spread of keys between the fences finds nearly. */
};
/** STATUS_MISSING (raises no message): it is no leaf of this tree. */
MUST_CHECK enum status btree_leaf_look(const struct btree *tree, uint32_t page_number,
                                       struct btree_leaf_shape *out);
/** Whether the page is in memory now. */
bool btree_page_is_resident(const struct btree *tree, uint32_t page_number);

/** Under a change: as the change sees the tree. */
MUST_CHECK enum status btree_change_get(struct pager_change *change, const struct btree *tree,
                                        const void *key, size_t key_size, void *value,
                                        size_t *size_io);
/** Brings in what a put or delete of the key will read, and says up to where the same leaf goes: the
 * leaf's high fence (size 0: to the end) in `high_out`, BTREE_KEY_SIZE_MAX bytes. Without the latch. */
MUST_CHECK enum status btree_warm(const struct btree *tree, const void *key, size_t key_size,
                                  uint8_t *high_out, size_t *high_size_out);
/** Inserts or replaces. `*existed_out` (may be NULL). STATUS_INVALID: key or value too large. */
MUST_CHECK enum status btree_put(struct pager_change *change, const struct btree *tree,
                                 const void *key, size_t key_size, const void *value,
                                 size_t value_size, bool *existed_out);
/** The same from a page that is believed to be the key's leaf (0: none is; any page is fine) and proves
 * itself. The change has deleted nothing from the tree before, for that may have freed the page. */
MUST_CHECK enum status btree_put_near(struct pager_change *change, const struct btree *tree,
                                      uint32_t leaf, const void *key, size_t key_size,
                                      const void *value, size_t value_size, bool *existed_out);
/** Asks memory for a leaf that a change is about to edit, and for the way to the one after; 0: none. */
void btree_fetch_leaf(const struct btree *tree, uint32_t leaf, uint32_t leaf_after);
/** The same of a value that takes fewer pages as the zstd frame given, which is what is stored; one that
 * is too large for a leaf, of at most BTREE_PUT_SIZE_MAX bytes. */
MUST_CHECK enum status btree_put_packed(struct pager_change *change, const struct btree *tree,
                                        const void *key, size_t key_size, const void *frame,
                                        size_t frame_size, size_t value_size);
/** STATUS_NOT_FOUND when absent. Underfull pages merge with a neighbour. */
MUST_CHECK enum status btree_delete(struct pager_change *change, const struct btree *tree,
                                    const void *key, size_t key_size);
struct btree_value;
/* Takes over a value tree whose row is being freed, within the change. */
typedef enum status (*btree_value_fn)(struct pager_change *change, const struct btree_value *value,
                                      void *context);
/** Frees all pages of the tree but about `page_limit` a call; `*done_out` when none is left. Between
 * calls the tree is good for nothing but more of them. `value` (NULL: there must be none) gets the
 * values that are trees of their own. */
MUST_CHECK enum status btree_free(struct pager_change *change, const struct btree *tree,
                                  uint32_t page_limit, btree_value_fn value, void *context,
                                  bool *done_out);

/*
 * Values that are trees of their own (tree_value.c), for sizes over BTREE_CHUNK_SIZE up to
 * BTREE_VALUE_SIZE_MAX. btree_get and cursors read them like others. They are written in batches before
 * the row that names them:
 *
 *   btree_value_stage_add, until the stage is full or the value ends; btree_value_stage_write; within
 *   a change btree_create (the first time) and btree_value_stage_attach; btree_value_stage_reset
 *
 * and then named by btree_put_value. A row that is replaced or deleted leaves the tree that it named;
 * btree_free (with kind BTREE_INT) frees it.
 */
struct btree_value {
    uint64_t size;
    uint32_t root;
    uint32_t tree_id; /* Of no other tree and no other value, ever. */
};
struct btree_value_stage;
/** Room for `page_limit` pages, at least 8, which a change must be able to touch, and some more. */
MUST_CHECK enum status btree_value_stage_new(struct pager *pager, uint32_t tree_id,
                                             uint32_t page_limit, bool compress,
                                             struct btree_value_stage **out);
/** NULL is fine. */
void btree_value_stage_free(struct btree_value_stage *stage);
bool btree_value_stage_is_full(const struct btree_value_stage *stage);
bool btree_value_stage_is_empty(const struct btree_value_stage *stage);
/** The next chunk; BTREE_CHUNK_SIZE bytes unless it is the last. The stage is not full. */
void btree_value_stage_add(struct btree_value_stage *stage, const void *chunk, size_t size);
/** Data pages go to the file, synced. STATUS_FULL. Not under the latch. */
MUST_CHECK enum status btree_value_stage_write(struct btree_value_stage *stage);
/** Makes the chunks part of the tree with that root. STATUS_MISSING: as ever. */
MUST_CHECK enum status btree_value_stage_attach(struct pager_change *change,
                                                const struct btree_value_stage *stage,
                                                uint32_t root);
/** Empties it; its pages go back unless `committed`. */
void btree_value_stage_reset(struct btree_value_stage *stage, bool committed);

/** Inserts or replaces a row whose value is a tree. */
MUST_CHECK enum status btree_put_value(struct pager_change *change, const struct btree *tree,
                                       const void *key, size_t key_size,
                                       const struct btree_value *value);
/** What the row names; `*is_value_out` false: its value lies with it. STATUS_NOT_FOUND. */
MUST_CHECK enum status btree_get_value(const struct btree *tree, const void *key, size_t key_size,
                                       struct btree_value *out, bool *is_value_out,
                                       uint64_t *csn_out);
uint64_t btree_value_chunk_count(const struct btree_value *value);
/** One chunk into BTREE_CHUNK_SIZE bytes of room. STATUS_CORRUPT also when it has been freed. */
MUST_CHECK enum status btree_value_read_chunk(struct pager *pager, const struct btree_value *value,
                                              uint64_t number, uint8_t *out, size_t *size_out);
/** All `value->size` bytes. */
MUST_CHECK enum status btree_value_read(struct pager *pager, const struct btree_value *value,
                                        uint8_t *out);

/*
 * A run of rows in ascending order, all behind the tree's last key, written as whole leaves straight
 * to their places in the file (pager.h: direct writes); the change that takes them in logs the spine
 * alone. For 32 pages and more: below that btree_put costs less.
 *
 *   begin, add ..., write     without the latch
 *   attach                    within a change; again after STATUS_MISSING. The last of the change that
 *                             touches the tree: new leaves cannot be read or changed before its commit
 *   end                       after the commit, or instead of it
 *
 * One thread at a time. After a failure nothing but end.
 */
struct btree_build;

/** `into_empty`: for a tree that will be empty, its root a leaf without rows; the run then has no
 * bound on its left, and leaves no empty leaf there. `tree->root` is not looked at. */
MUST_CHECK enum status btree_build_begin(const struct btree *tree, bool into_empty,
                                         struct btree_build **out);
/** STATUS_INVALID: not above the key before, or key or value out of bounds. A value too large for a
 * leaf (over BTREE_INLINE_VALUE_MAX) is refused too: put it with btree_put. STATUS_FULL: no space. */
MUST_CHECK enum status btree_build_add(struct btree_build *build, const void *key, size_t key_size,
                                       const void *value, size_t value_size);
/** Ends the run: all its pages are written and synced. At least one row. */
MUST_CHECK enum status btree_build_write(struct btree_build *build);
/** Leaves so far: what a change that attaches them counts against pager_options.change_limit. */
uint32_t btree_build_page_count(const struct btree_build *build);
/** Makes the run part of the tree. STATUS_CONFLICT when the tree has a row at or behind the run's
 * first key, or was to be empty and is not: put the rows with btree_put. */
MUST_CHECK enum status btree_build_attach(struct pager_change *change, struct btree_build *build,
                                          const struct btree *tree);
/** Frees it; its pages go back unless `committed`. NULL is fine. */
void btree_build_end(struct btree_build *build, bool committed);

/*
 * A cursor copies one leaf at a time and goes on by keys, so that changes to the tree cannot hurt it.
 * After STATUS_NOT_FOUND (or a failure) it has no row and must seek again.
 *
 * `csn` is the highest CSN of the leaves that the last call looked at, on STATUS_OK and
 * STATUS_NOT_FOUND: when it is not above a snapshot's, then neither the row nor the absence of others
 * between it and where the call began has changed since.
 */
struct btree_cursor {
    struct btree tree;
    uint32_t hint;      /* Leaf to look at first in the next seek by a key; PAGE_NONE: none. */
    uint32_t hint_hops; /* Links followed from there; UINT32_MAX: it was of no use. */
    uint8_t *leaf; /* A copied page and what was loaded of it, or NULL before the first seek. */
    uint64_t leaf_csn;
    uint32_t index; /* Of the present row in it. */
    uint32_t turns; /* From leaf to leaf since the last seek. */
    bool valid;
    uint64_t csn;
    /* Of a copied leaf with keys of 8 bytes and values of one size: where the two arrays are. */
    const uint8_t *keys;
    const uint8_t *values;
    uint32_t array_count; /* Rows; 0: the leaf is not of that kind. */
    uint32_t value_size;
    uint8_t *key_room;    /* Keys of btree_cursor_rows; NULL: nobody has asked. */
    struct btree_row row; /* The present row. */
};
void btree_cursor_init(struct btree_cursor *cursor, const struct btree *tree,
                       struct memory *memory);
void btree_cursor_deinit(struct btree_cursor *cursor);
/** First key >= `key` (size 0: first of all). STATUS_NOT_FOUND at the end. */
MUST_CHECK enum status btree_cursor_seek(struct btree_cursor *cursor, const void *key,
                                         size_t key_size);
/** Last key <= `key` (size 0: last of all). */
MUST_CHECK enum status btree_cursor_seek_last(struct btree_cursor *cursor, const void *key,
                                              size_t key_size);
/** The cursor has a row. */
MUST_CHECK enum status btree_cursor_next(struct btree_cursor *cursor);
MUST_CHECK enum status btree_cursor_previous(struct btree_cursor *cursor);
/** The same (next: `forward`) when that row lies in the copied leaf, value and all: nearly every step of
 * a scan. False: nothing has happened. `csn` stays what it was; the row is as of `leaf_csn`. */
static inline bool btree_cursor_step(struct btree_cursor *cursor, bool forward);
/** The part of it that is not inline: to the row `index` of the copied leaf, which may not be there. */
bool btree_cursor_step_to(struct btree_cursor *cursor, uint32_t index);
/** The next rows of the copied leaf, `count` at most: where their values lie, or only how many there are
 * (`values` NULL). The cursor is at the last of them; they stay until it is at another leaf. 0: as false
 * above. */
uint32_t btree_cursor_span(struct btree_cursor *cursor, uint32_t count, const void **values,
                           uint32_t *sizes);

/* A row where it lies. Laid out as struct qtdb_row, which may stand for it. */
struct __attribute__((may_alias)) btree_row_ref {
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
};
/** The present row and those beside it in the copied leaf that lie in one direction, in that order, `count` at
 * most, none at or past the key `bound` (size 0: none): all but the first have their values in the leaf. The
 * cursor is at the last of them; they stay until it is at another leaf or this is called again. 0: `count` is,
 * or there is no memory; nothing has happened. */
uint32_t btree_cursor_rows(struct btree_cursor *cursor, bool forward, const void *bound,
                           size_t bound_size, struct btree_row_ref *rows, uint32_t count);

/* Passing over rows that are only counted. */
struct btree_skip {
    uint64_t csn_most;               /* Leaves that are younger are not passed over, */
    const _Atomic uint64_t *csn_run; /* nor those of unknown CSN (btree_get) when this is; */
    uint32_t leaf_most;              /* no more leaves than so many. */
    uint64_t row_count;              /* Set: rows passed over behind the cursor's; */
    uint32_t leaf_count;             /* leaves behind the cursor's; */
    size_t key_size; /* what they end at: no row below it is left. 0: the tree's edge. */
    uint8_t key[BTREE_KEY_SIZE_MAX];
};
/** The cursor has a row. Passes over what is behind it in its leaf, and over whole leaves in memory by what their
 * headers say, without copying them; the cursor is then at the first row at or behind `key`, and its `csn` says
 * nothing of what was passed over. STATUS_NOT_FOUND: there is none. */
MUST_CHECK enum status btree_cursor_skip(struct btree_cursor *cursor, struct btree_skip *skip);

static inline bool
btree_cursor_step(struct btree_cursor *cursor, bool forward)
{
    /* Before the first row there is none: the index wraps past the last one. */
    uint32_t index = forward ? cursor->index + 1 : cursor->index - 1;
    struct btree_row *row = &cursor->row;
    uint64_t key;

    CHECK(cursor->valid);
    if (__builtin_expect(index >= cursor->array_count, 0))
        return btree_cursor_step_to(cursor, index);
    memcpy(&key, cursor->keys + (size_t)index * sizeof(key), sizeof(key));
    key = __builtin_bswap64(key);
    memcpy(row->key, &key, sizeof(key));
    row->value = cursor->values + (size_t)index * cursor->value_size;
    row->value_size = cursor->value_size;
    cursor->index = index;
    return true;
}

/** Pages from the root to a leaf, both counted, as of some moment; 0 when the root is not in memory. No I/O. */
uint32_t btree_depth(const struct btree *tree);

/* What a walk over a whole tree tells its caller; either function may be NULL. */
struct btree_walk {
    void (*finding)(void *context, uint32_t page_number, const char *reason);
    /* Each page of the tree once, before its content is looked at; false when the caller knows it to
     * be another's: the walk does not enter it. */
    bool (*page)(void *context, uint32_t page_number);
    void *context;
    uint64_t row_count;
    uint64_t page_count;
    uint64_t finding_count;
};

/**
 * Walks the whole tree: order, fences, levels, tree ids, sibling links, overflow values. One finding a
 * fault; STATUS_OK also with findings. Nobody may change the tree meanwhile. `partial`: the tree is
 * being freed, so only which pages belong to it is asked.
 */
MUST_CHECK enum status btree_verify(const struct btree *tree, bool partial,
                                    struct btree_walk *walk);

#endif
