/*
 * The kernel's inside: handles, transactions, and what its files call of each other.
 *
 * Locks, in order (a thread takes a later one while holding an earlier one, never the reverse):
 *   row locks        row_lock.c; waited for with none of the others held
 *   sequence latch   the sequences in memory; held while a batch of numbers is logged
 *   gate             many committers or one checker (gate.c); held across a whole commit
 *   attempt latch    one attempt of a transaction to commit, from before the commit latch until what
 *                    it announced is taken back or stands; or the attempts of a group
 *   queue latch      who wants to commit (commit_queue.c)
 *   commit latch     the pager's, from pager_change_begin to the end of the change
 *   handle latch     the list of tree handles
 *   router latches   one a tree: its route being replaced or extended (tree_router.h)
 *   snapshot latch   the lists of running transactions, the version store, csn fields of trees
 *   lock partitions  the table of row locks
 * No I/O, no allocation and no wait happens under the last three but what their list needs to grow.
 */
#ifndef KERNEL_KERNEL_PRIVATE_H
#define KERNEL_KERNEL_PRIVATE_H

#include <pthread.h>

#include "btree/btree.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/sync.h"
#include "kernel/catalog_format.h"
#include "kernel/database.h"
#include "kernel/key_map.h"
#include "kernel/row_lock.h"
#include "kernel/tree_router.h"
#include "kernel/write_index.h"

#define CSN_NEVER UINT64_MAX

/* A counter in use (sequence.c). */
struct sequence {
    struct sequence *next_sequence;
    uint64_t next;  /* To be handed out. */
    uint64_t limit; /* Numbers below it may be handed out: that is logged. */
    size_t name_size;
    char name[QTDB_NAME_SIZE_MAX + 1];
};

/* A tree's handle; there is one a tree id, kept until the database is closed. */
struct qtdb_tree {
    /* Fixed when made. */
    struct qtdb *db;
    struct qtdb_tree *next;
    uint32_t tree_id;
    enum qtdb_key_kind kind;
    bool no_compression;
    size_t name_size;
    char name[QTDB_NAME_SIZE_MAX + 1];
    struct tree_router *router; /* NULL: the catalog. */

    /* Written under the snapshot latch, read anywhere. */
    _Atomic uint32_t root;        /* PAGE_NONE until the creating transaction commits. */
    _Atomic uint64_t csn_created; /* CSN_NEVER: by a transaction that has not committed. */
    _Atomic uint64_t csn_dropped; /* CSN_NEVER: it is there. */
    _Atomic uint64_t csn_written; /* Of the last commit that wrote to it, or was about to. */
    _Atomic uint64_t csn_run;     /* The same of those that brought a run of whole leaves. */
    struct btree_hint hint;       /* Derived: changes nothing that the handle says. */

    /* Guarded by the attempt latch: what the commit under way does to it. */
    uint32_t root_new; /* PAGE_NONE: it does not make it. */
    bool dropping;
    uint32_t root_early; /* A big commit made it before its end; 0: no. Gate closed. */

    /* Guarded by the snapshot latch. */
    struct key_map versions; /* Newest entry of each key (versions.c). */
};

/* A range of keys that a transaction has seen: lo <= key <= hi. Sizes 0: the tree's edges. */
struct key_range {
    const uint8_t *low;
    const uint8_t *high;
    size_t low_size;
    size_t high_size;
};

/* What a transaction knows of one tree. In the transaction's arena. */
/* Where a tree ends, as a snapshot sees it (row_absent.c). */
struct txn_tree_end {
    uint64_t snapshot;
    uint64_t look_at; /* How many writes another look takes; 0: there was none. */
    bool known;
    size_t key_size; /* Of its last key; 0: it has no rows. */
    uint8_t key[64];
};

struct txn_tree {
    struct txn_tree *next;
    struct qtdb_tree *tree;
    struct btree btree; /* Its root is PAGE_NONE when this transaction makes the tree. */
    struct key_map writes;
    struct write_index *index; /* Of `writes`, which may lack its last ones; NULL: there is none. */
    size_t value_max;          /* Bytes of the largest value among them, and perhaps more. */
    uint64_t put_size;         /* Bytes of their keys and values, if all are plain. */
    bool mixed;                /* Not all are plain: one put a key, of a value for a leaf. */
    bool appended;             /* Prepared: all are behind the rows that the snapshot may see. */
    struct spill *spill;       /* Below them, when they were too large for memory; or NULL. */
    struct write_entry *merged; /* By chunk_next: writes handed to tree->versions. */
    struct btree_build *run;    /* While committing: the writes from run_first on; or NULL. */
    const struct write_entry *run_first;
    bool run_attached;              /* By the attempt under way. */
    struct btree_leaf_tally leaves; /* What the attempt under way does to leaves. */
    struct txn_tree_end end;
    bool read_whole;         /* Too many ranges: counts as having read everything. */
    struct key_range *reads; /* Only under QTDB_SERIALIZABLE with writing allowed. */
    uint32_t read_count;
    uint32_t read_capacity;
};

enum undo_state {
    UNDO_ACTIVE = 0, /* Its commit is under way, or failed and is not undone yet. */
    UNDO_COMMITTED = 1,
    UNDO_UNDONE = 2,
};

/* The rows of one tree before a big commit, in a tree of their own (undo.c). The struct stays until no
 * snapshot is older than the end of the commit. */
struct undo {
    struct undo *next;
    struct btree of; /* What the commit writes to. */
    struct btree rows;
    uint64_t csn; /* No page was changed by the commit before it; no snapshot lies in the commit. */
    enum undo_state state;
};

/* A tree of the file that holds writes of a transaction (spill.c). */
struct spill {
    struct spill *next;
    struct btree rows;
};

/* One undoable step, kept from the first savepoint on. */
struct journal_step {
    struct txn_tree *tree;
    struct write_entry *entry;
    const uint8_t *value;
    uint32_t value_size;
    enum write_kind kind;
};

/* The rows before one commit, kept until no snapshot is older (versions.c). */
struct write_chunk {
    struct write_chunk *next;
    uint64_t csn;
    bool published;
    bool merging;
    struct arena arena;     /* Holds trees and entries, and this. */
    struct arena writes;    /* More entries. */
    struct txn_tree *trees; /* Their maps serve while the chunk is pending. */
};

struct version_value;
struct version_place;
struct version_row;

struct qtdb_txn {
    struct qtdb *db;
    struct qtdb_txn *next; /* Running ones, or finished ones kept for reuse. */
    struct qtdb_txn *previous;
    struct txn_list *list; /* Of the running ones that it is in. */
    bool running;
    _Atomic bool parked; /* Listed, not running, to be taken up again: txn_park.c. */
    bool keeps_tree;     /* While parked: first_tree is as a new transaction would find it. */
    bool read_only;
    bool track_reads;
    bool has_ddl;
    bool too_big; /* Its commit touches more pages than one change may: commit_big.c. */
    enum qtdb_isolation isolation;
    enum qtdb_durability durability;
    uint64_t lock_timeout_ns;
    uint64_t snapshot;
    struct arena arena;
    struct arena write_arena; /* Writes past a part of the budget: can be spilled and freed. */
    struct txn_tree *trees;
    struct qtdb_cursor *cursors;
    struct value_stream *value_streams;
    bool has_values;                        /* It has tickets. */
    size_t write_size;                      /* Bytes of memory. */
    size_t write_kept;                      /* Of them in `arena`. */
    uint64_t user_size;                     /* Bytes passed to put; the database's when it ends. */
    struct qtdb_txn_statistics *statistics; /* The caller's; NULL: none. */
    struct pager_change_cost cost;          /* Of its commit. */
    uint64_t page_reads_before;             /* Of the thread, when it began. */
    bool journal_on;
    bool broken; /* Rolling back to a savepoint failed half-way: good only to be rolled back. */
    struct journal_step *journal;
    uint64_t journal_base; /* Steps before those in memory: spilled. */
    struct spill *journal_spill;
    uint64_t journal_used;
    uint64_t journal_capacity;

    /* Last: kept when the handle is used again. */
    struct txn_routes routes;
    struct lock_holder locks;
    /* Of a read-only transaction, to spare it the arena. Nothing but what txn__tree sets is ever set. */
    struct txn_tree first_tree;
};

/* A large value under way, or about to be committed (large_value.c). */
struct value_ticket {
    struct value_ticket *next;
    struct qtdb_txn *txn;
    uint32_t tree_id;
};

/* Running transactions, newest first; snapshots never fall from one to the next. */
struct txn_list {
    struct qtdb_txn *newest;
    struct qtdb_txn *oldest;
    uint32_t count;
};

/* Committers shared, a checker alone. */
struct gate {
    struct latch latch;
    struct event event;
    uint32_t committers;
    bool closed;
};

/* Commits that wait for their group's leader (commit_queue.c). */
enum { COMMIT_GROUP_COUNT = 32 };
struct commit_queue {
    struct latch latch;
    struct commit_request *first; /* The leader's; NULL: whoever comes leads. */
    struct commit_request *last;
    uint32_t length;
    uint32_t group;                          /* The one that gathers. */
    struct event events[COMMIT_GROUP_COUNT]; /* By group. */
};

struct qtdb {
    /* Fixed at open. */
    struct env env;
    bool owns_env;
    bool no_threads;
    bool read_only;
    size_t write_set_limit;
    size_t version_limit;
    size_t route_save_limit; /* Bytes of routers saved at close. */
    uint64_t opening;        /* Tells handles of one process apart, those closed included. */
    /* Follow the size of the pool; read anywhere. */
    _Atomic uint32_t drop_limit; /* Pages of a dropped tree to free in one commit. */
    _Atomic size_t large_min;    /* Bytes; larger values are trees of their own. */

    struct pager *pager;
    struct qtdb_tree *catalog;
    bool has_thread;
    pthread_t thread;

    _Atomic uint64_t route_version; /* Counts routes replaced (tree_router.h). */
    uint64_t route_since; /* Saved routers of this CSN and later are right; CSN_NEVER: none is. */
    bool routes_stale;    /* The file has saved ones that are not right. Fixed at open, as this. */

    _Atomic uint64_t instance; /* Of this opening; 0: not drawn yet. */
    struct database_notes notes;
    _Atomic bool stopping;
    _Atomic bool routers_due; /* Some tree's router is to be looked at. */
    _Atomic bool drops_due;   /* There may be dropped trees to free. */
    _Atomic bool undo_due;    /* A big commit failed and could not be undone yet. */
    _Atomic uint32_t next_tree_id;
    _Atomic uint64_t commit_count;
    _Atomic uint64_t user_size;
    _Atomic uint64_t conflict_count;

    struct lock_table locks;
    struct gate gate;

    /* Guarded by the sequence latch. */
    struct latch sequence_latch;
    struct sequence *sequences;
    struct latch attempt_latch;
    struct commit_queue commit_queue;
    struct latch work_latch; /* One background step at a time. */

    /* Guarded by the handle latch. */
    struct latch handle_latch;
    struct qtdb_tree *trees;

    /* Guarded by the snapshot latch. */
    struct latch snapshot_latch;
    struct value_ticket *value_tickets;
    struct txn_list writers;
    struct txn_list readers; /* Read-only ones: their snapshots are durable, so lie further back. */
    struct qtdb_txn *finished; /* For reuse. */
    struct qtdb_txn *finished_last;
    uint32_t finished_count;
    uint32_t reap_at; /* So many readers listed: parked ones are taken out. */
    /* Read anywhere. */
    _Atomic uint64_t csn_async;  /* Highest CSN of an asynchronous commit: visible at once. */
    _Atomic uint64_t csn_limit;  /* No snapshot lies past it while a big commit is under way;
                                 * CSN_NEVER. */
    struct undo *undos;          /* In ascending order of csn. */
    struct spill *spills;        /* Of running transactions. */
    _Atomic uint32_t undo_count; /* Read anywhere. */
    struct write_chunk *pending; /* About to be published, or published and not yet merged. */
    uint32_t pending_count;
    _Atomic(struct write_chunk *) merged; /* Oldest first; whether there is one is read anywhere. */
    struct write_chunk *merged_last;
    size_t merged_size;             /* Bytes of the merged chunks. */
    size_t swept_size;              /* The same after the last sweep. */
    bool pruning;                   /* By one thread at a time. */
    uint64_t version_floor;         /* Older snapshots have ended: what they need is gone. */
    _Atomic uint64_t version_epoch; /* Counts pushes; read anywhere. */
};

/* txn_park.c: read-only transactions that have ended and begin again without a latch. */
/* A finished handle is used again when as many others have finished since. */
enum { FINISHED_KEPT = 16 };
/** Numbers a handle of a database. */
uint64_t park__opening(void);
/** One of the thread's parked transactions, which nobody else can take any more, still listed, with its
 * old snapshot; NULL: none. */
struct qtdb_txn *park__take(struct qtdb *db);
/** Begins what was taken; false: it needs a new snapshot. */
bool park__resume(struct qtdb_txn *txn, const struct qtdb_txn_options *options);
/** Ends a read-only transaction that holds nothing but its place in the list by parking it; false: not
 * done. From then on another thread may have the handle. */
bool park__put(struct qtdb_txn *txn);
/** Takes a listed transaction from its thread if it is parked. Under the snapshot latch. */
bool park__steal(struct qtdb_txn *txn);

/* Bytes; large_min never exceeds it: 32 pages of data. */
enum { LARGE_MIN_MAX = 32 * 4032 };

/* gate.c */
void gate__enter(struct gate *gate);
/** False where gate__enter would have to wait. */
MUST_CHECK bool gate__try_enter(struct gate *gate);
void gate__leave(struct gate *gate);
void gate__close(struct gate *gate);
void gate__open(struct gate *gate);

/* tree_handle.c, catalog.c */
struct btree tree__btree(const struct qtdb_tree *tree);
/** The handle of a tree id, made when there is none. `name` has `name_size` bytes. */
MUST_CHECK enum status tree__handle(struct qtdb *db, uint32_t tree_id, const void *name,
                                    size_t name_size, const struct catalog_record *record,
                                    struct qtdb_tree **out);
struct qtdb_tree *tree__find(struct qtdb *db, uint32_t tree_id);
void tree__free_all(struct qtdb *db);
/** Makes the catalog in a new file; reads the next tree id and the dropped trees of an old one. */
MUST_CHECK enum status catalog__open(struct qtdb *db);
MUST_CHECK enum status catalog__record_decode(const void *bytes, size_t size,
                                              struct catalog_record *out);
size_t catalog__name_key(const void *name, size_t name_size, uint8_t *out);
void catalog__dropped_key(uint32_t tree_id, uint8_t out[5]);
void catalog__router_key(uint32_t tree_id, uint8_t out[5]);
/** Applies the transaction's writes to the catalog: makes and drops trees. Under the change. */
MUST_CHECK enum status catalog__apply(struct pager_change *change, struct qtdb_txn *txn,
                                      struct txn_tree *catalog);
/** Makes known which trees the commit under way makes and drops, before it is published; and takes
 * that back. Under the attempt latch. */
void catalog__announce(struct qtdb *db, uint64_t csn);
/** Stores the next tree id: with everything that makes a tree. Under the change. */
MUST_CHECK enum status catalog__store_next(struct pager_change *change, struct qtdb *db);
void catalog__retract(struct qtdb *db, uint64_t csn);

/* sequence.c */
/** Stores where the sequences are, so that a clean close leaves no gaps. */
MUST_CHECK enum status sequence__store_all(struct qtdb *db);
void sequence__free_all(struct qtdb *db);

/* drop.c: freeing the pages of dropped trees. */
/** Frees some pages of a tree that nobody can see any more; `*more_out`: call again. */
MUST_CHECK enum status drop__step(struct qtdb *db, bool *more_out);

/* txn.c */
MUST_CHECK enum status txn__usable(const struct qtdb_txn *txn);
/** Takes the transaction out of the list of running ones. Under the snapshot latch. */
void txn__unlist(struct qtdb_txn *txn);
/** The transaction's statistics into the caller's struct. */
void txn__report(const struct qtdb_txn *txn);
/** What a new transaction sees. Without the snapshot latch it is what one would have seen at some moment
 * of the call, or less while a big commit ends. */
uint64_t txn__new_snapshot(const struct qtdb *db, bool read_only);
/** Of parked ones none is left. Takes the snapshot latch. */
bool txn__any_running(struct qtdb *db);
/** Takes all parked transactions out of the list. Under the snapshot latch. */
void txn__reap(struct qtdb *db);
/** Gives everything back and keeps the handle for reuse. Unlisted before. */
void txn__finish(struct qtdb_txn *txn);
void txn__free_all(struct qtdb *db);
/** The oldest running snapshot or what a new one would be; older ones that are parked are taken out of the
 * list. Under the snapshot latch. */
uint64_t txn__oldest_snapshot(struct qtdb *db);
/** What the transaction knows of the tree; refuses trees it cannot see. */
MUST_CHECK enum status txn__tree(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                 struct txn_tree **out);
/** Does the tree exist as the transaction sees it? STATUS_NOT_FOUND, STATUS_CONFLICT. */
MUST_CHECK enum status txn__tree_visible(struct qtdb_txn *txn, const struct qtdb_tree *tree);

/* write_set.c */
MUST_CHECK enum status write_set__put(struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                                      size_t key_size, const void *value, size_t value_size,
                                      enum write_kind kind);
/** Makes the own write of a key what it was, for a savepoint; not journaled. */
/** The tree's write of exactly this key, or NULL. */
struct write_entry *write_set__find(const struct txn_tree *tree, const void *key, size_t key_size);
/** How many keys have one. */
uint64_t write_set__count(const struct txn_tree *tree);
/** All of them are in `writes` now: before whatever asks for their order. */
void write_set__settle(struct txn_tree *tree);
/** The same of all trees, and for good: the index goes. */
void write_set__settle_all(struct qtdb_txn *txn);
MUST_CHECK enum status write_set__restore(struct qtdb_txn *txn, struct txn_tree *tree,
                                          const void *key, size_t key_size, const void *value,
                                          size_t value_size, enum write_kind kind);

/* spill.c: write sets larger than their budget. Neither latch nor gate is held. */
/** Moves all writes, and the journal, from memory to trees of the file. On failure all is as it was. */
MUST_CHECK enum status spill__all(struct qtdb_txn *txn);
bool spill__exists(const struct qtdb_txn *txn);
/** The own write of a key below the map; `value` as for versions__get. */
MUST_CHECK enum status spill__get(struct qtdb_txn *txn, const struct txn_tree *tree,
                                  const void *key, size_t key_size, struct version_value *value,
                                  bool *found_out);
/** Undoes the spilled steps of the journal from `mark` on; there are none in memory. On failure some
 * have been undone. */
MUST_CHECK enum status spill__roll_back_to(struct qtdb_txn *txn, uint64_t mark);
/** Gives the trees up; their pages are freed later. */
void spill__free_all(struct qtdb_txn *txn);
/** Is it the tree of a running transaction? Takes the snapshot latch. */
bool spill__is_in_use(struct qtdb *db, uint32_t tree_id);

/* undo.c: the rows before big commits, in trees of the file. */
/** Finds what an unfinished big commit left behind, and undoes it unless the handle is read-only: then
 * its snapshots are from before. A full disk puts that off (undo_due). */
MUST_CHECK enum status undo__open(struct qtdb *db);
/** Frees the structs; no transaction is running. */
void undo__free_all(struct qtdb *db);
MUST_CHECK enum status undo__record_decode(const void *bytes, size_t size,
                                           struct catalog_undo *out);
void undo__key(uint32_t tree_id, uint8_t out[5]);
/** Within a change: makes the undo tree and its row in the catalog; `undo->csn` is set before. */
MUST_CHECK enum status undo__create(struct pager_change *change, struct qtdb *db,
                                    struct undo *undo);
/** Lists it. Under the snapshot latch. */
void undo__push(struct qtdb *db, struct undo *undo);
/** Within the change that ends the big commit, or its undoing: takes the rows out of the catalog and
 * hands the undo trees to the dropped ones. */
MUST_CHECK enum status undo__finish(struct pager_change *change, struct qtdb *db);
/** After that change, durable: snapshots may be taken again. Takes the latch. */
void undo__settle(struct qtdb *db, enum undo_state state);
/** Puts the rows before back, durably. The gate is closed, or nobody else is there yet. */
MUST_CHECK enum status undo__roll_back(struct qtdb *db);
/** Whether a big commit is under way or has still to be undone. Takes the latch. */
bool undo__is_unfinished(struct qtdb *db);
/** Frees the structs that no snapshot needs. Inside the gate, or with it closed. Takes the latch. */
void undo__prune(struct qtdb *db);

/** What an undo row says: WRITE_PUT (the value is what follows the first byte), WRITE_DELETE, or
 * WRITE_LARGE. STATUS_CORRUPT. */
MUST_CHECK enum status undo__decode(const struct btree *rows, const uint8_t *bytes, size_t size,
                                    enum write_kind *kind_out, struct btree_value *large_out);

/* undo_search.c. Without latches; they may read pages. */
/** For versions__get: an entry of a big commit younger than the snapshot and older than `csn` is taken
 * instead of what was found. `room` is that of `value`. */
MUST_CHECK enum status undo__get(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                 const void *key, size_t key_size, uint64_t csn, size_t room,
                                 struct version_value *value, bool *found_out);
/** A row of a tree whose values begin with a byte, 1: the row is what follows, 2: there is none. `room`
 * bytes of it are copied at most. */
MUST_CHECK enum status undo__get_tagged(struct memory *memory, const struct btree *rows,
                                        const void *key, size_t key_size, size_t room,
                                        struct version_value *value, bool *found_out);
/** For versions__seek: takes a nearer row, or an older one of the same key, into `row`. */
MUST_CHECK enum status undo__seek(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                  const struct version_place *place, struct version_row *row);
/** Did a big commit that is done write a key of the range after the snapshot? */
MUST_CHECK enum status undo__is_changed(struct qtdb *db, const struct qtdb_tree *tree,
                                        const struct key_range *range, uint64_t snapshot,
                                        bool *out);

/* commit_big.c */
/** Commits what does not fit one change, durably. Neither latch nor gate is held. `*csn_out` is its
 * CSN. STATUS_IO and STATUS_FAILED: see qtdb_commit. */
MUST_CHECK enum status commit_big__run(struct qtdb_txn *txn, uint64_t *csn_out);
/** Enters the gate once no failed big commit is left to be undone; not entered on failure. */
MUST_CHECK enum status commit_big__enter(struct qtdb *db);

/* read_set.c */
/** Notes that the transaction relies on what it saw of these keys; low and high are copied. */
MUST_CHECK enum status read_set__add(struct qtdb_txn *txn, struct txn_tree *tree,
                                     const struct key_range *range);
/** STATUS_CONFLICT: something the transaction read was changed since its snapshot. What it writes is
 * locked, and was seen to be unchanged when it was. Under commit and snapshot latch. */
MUST_CHECK enum status read_set__validate(struct qtdb_txn *txn);
/** The same against big commits, which may read pages: inside the gate, without latches. */
MUST_CHECK enum status read_set__validate_undo(struct qtdb_txn *txn);
MUST_CHECK enum status read_set__conflict(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                          const char *what);

/* versions.c. Push, withdraw and publish: under the snapshot latch. */
/** Before the commit's pages are published (T2). */
void versions__push(struct qtdb *db, struct write_chunk *chunk);
/** The commit failed. */
void versions__withdraw(struct qtdb *db, struct write_chunk *chunk);
/** After publication: the chunk is complete and from here on the store's. */
void versions__publish(struct qtdb *db, struct write_chunk *chunk);
/** The commit `csn` is acknowledged: keeps the chunk or frees it. Takes the latch; prunes. */
void versions__retire(struct qtdb *db, struct write_chunk *chunk, uint64_t csn);
/** Is there anything that nobody needs? Under the latch. */
bool versions__prune_is_due(struct qtdb *db);
/** Frees what nobody needs. Takes the latch. */
void versions__prune(struct qtdb *db);
/** Frees all; no transaction is running. */
void versions__free_all(struct qtdb *db);

/** Bytes of memory that the chunk holds. */
size_t versions__chunk_size(const struct write_chunk *chunk);
/** Takes the entry out of the tree's map. Under the latch. */
void versions__unlink(struct txn_tree *part, struct write_entry *entry);

/* version_sweep.c */
/** Takes out what no snapshot needs, wherever it is; returns the chunks that are empty now. Under the
 * latch, which it lets go now and then; the caller is the one that prunes. */
struct write_chunk *versions__sweep(struct qtdb *db);

/* version_search.c */

/* A row's state before: `bytes` has room for `size` bytes; then `size` is the row's. */
struct version_value {
    uint8_t *bytes;
    size_t size;
    enum write_kind kind;
    struct btree_value large; /* Of WRITE_LARGE; then size is 0. */
};

/** What the snapshot has of a key whose page is younger; `*found_out` false: what the tree says.
 * STATUS_CONFLICT: the snapshot has ended (T6). Takes the latch. */
MUST_CHECK enum status versions__get(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                     const void *key, size_t key_size, struct version_value *value,
                                     bool *found_out);

/* From where to look for the next one; size 0: from the edge. */
struct version_place {
    const uint8_t *key;
    size_t key_size;
    bool backward;
    bool inclusive;
};

/* The next key of which the store has something for a snapshot. Key and value follow each other. */
struct version_row {
    struct memory *memory;
    uint8_t *bytes;
    size_t capacity;
    size_t key_size;
    size_t value_size;
    enum write_kind kind; /* WRITE_NONE: only that there is nothing before this key. */
    bool ended;           /* There is no further one. */
    uint64_t epoch;       /* db->version_epoch when this was so. */
    uint64_t csn;         /* Of the commit that the row was before. */
};

/** `place` must not point into `out`. Takes the latch. STATUS_CONFLICT as versions__get. */
MUST_CHECK enum status versions__seek(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                      const struct version_place *place, struct version_row *out);
void version_row__deinit(struct version_row *row);
/** Makes the buffer at least so large; what is in it is lost. */
MUST_CHECK enum status version_row__reserve(struct version_row *row, size_t room);
/** Was a key of the range written after the snapshot? Under the latch. */
bool versions__is_changed(const struct qtdb *db, const struct qtdb_tree *tree,
                          const struct key_range *range, uint64_t snapshot);

/* row_absent.c */
/** Puts the cursor on the last row of the tree that the snapshot may see; its key has size 0: it sees none.
 * `*known_out` false: it is not so simple. */
MUST_CHECK enum status row_absent__find_last(const struct qtdb_txn *txn,
                                             const struct qtdb_tree *tree,
                                             struct btree_cursor *cursor, bool *known_out);
/** Is there no such row because it would be behind all others? Of a row that the transaction has claimed and
 * not written. False: perhaps. */
bool row_absent__is_behind_all(const struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                               size_t key_size);

/* access.c */
/** The row as the transaction's snapshot has it, own writes not counted. */
MUST_CHECK enum status access__get_committed(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                             const void *key, size_t key_size, void *value,
                                             size_t *size_io);
/** Is a leaf's state the snapshot's? `csn` is what the tree said of the leaf. */
static inline bool
access__is_of_snapshot(const struct qtdb_txn *txn, const struct qtdb_tree *tree, uint64_t csn)
{
    if (csn == BTREE_CSN_UNKNOWN) /* A leaf of a run says only that it is not younger than that. */
        csn = atomic_load_explicit(&tree->csn_run, memory_order_acquire);
    return csn <= txn->snapshot;
}

/** As access__get, of a read that is noted already. */
MUST_CHECK enum status access__get_unnoted(struct qtdb_txn *txn, const struct txn_tree *tree,
                                           const void *key, size_t key_size, void *value,
                                           size_t *size_io);
/** As the transaction sees it: its own writes, then its snapshot. */
MUST_CHECK enum status access__get(struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                                   size_t key_size, void *value, size_t *size_io);
/** Locks the row and makes sure that it is as the snapshot has it: STATUS_CONFLICT. */
MUST_CHECK enum status access__claim(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                     const void *key, size_t key_size, enum lock_mode mode,
                                     uint64_t timeout_ns);
MUST_CHECK enum status access__refuse_key(const struct qtdb_tree *tree, size_t key_size);
/** Locks the row and answers for the mode of a put: STATUS_EXISTS, STATUS_NOT_FOUND. */
MUST_CHECK enum status access__may_put(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                       const void *key, size_t key_size, enum qtdb_put_mode mode,
                                       struct txn_tree **out);

/* large_value.c: large values. */
struct value_write {
    struct qtdb *db;
    struct btree_value_stage *stage;
    struct btree_value value;
    uint32_t root_new; /* Of the batch under way. */
};
MUST_CHECK enum status value_write__begin(struct value_write *write, struct qtdb_txn *txn,
                                          const struct qtdb_tree *tree);
/** BTREE_CHUNK_SIZE bytes, or fewer for the last. */
MUST_CHECK enum status value_write__chunk(struct value_write *write, const uint8_t *bytes,
                                          size_t size);
/** After it `write->value` can be put; more than BTREE_CHUNK_SIZE bytes were written. */
MUST_CHECK enum status value_write__finish(struct value_write *write);
/** Of a zeroed one: nothing. */
void value_write__end(struct value_write *write);
/** A whole value of more than large_min bytes. */
MUST_CHECK enum status value__put(struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                                  size_t key_size, const uint8_t *bytes, size_t size);
MUST_CHECK enum status value__refuse_size(uint64_t size);
/** The row as the transaction sees it; `*is_large_out` false: its value is not a tree. */
MUST_CHECK enum status value__find(struct qtdb_txn *txn, struct txn_tree *tree, const void *key,
                                   size_t key_size, struct btree_value *out, bool *is_large_out);
/** The same without its own writes. */
MUST_CHECK enum status value__find_committed(struct qtdb_txn *txn, const struct qtdb_tree *tree,
                                             const void *key, size_t key_size,
                                             struct btree_value *out, bool *is_large_out);
/** Copies out what the bytes of a WRITE_LARGE name, like a get. */
MUST_CHECK enum status value__read(struct qtdb *db, const uint8_t *bytes, size_t bytes_size,
                                   void *out, size_t *size_io);
size_t value__size(const uint8_t *bytes, size_t bytes_size);
/** Compresses what a commit will write, where that saves a page. While it is prepared. */
MUST_CHECK enum status value__pack_tree(struct qtdb_txn *txn, struct txn_tree *tree);
/** Does what is special about the write: frees the large value that was the row's, puts a large or
 * compressed one. An ordinary put or delete is left to be done. */
MUST_CHECK enum status value__apply(struct pager_change *change, struct qtdb *db,
                                    const struct btree *tree, const struct write_entry *entry);
/** Parts of that for big commits. A value that is put stays among the dropped ones until it is adopted. */
MUST_CHECK enum status value__put_as(struct pager_change *change, const struct btree *tree,
                                     enum write_kind kind, const void *key, size_t key_size,
                                     const uint8_t *bytes, size_t size);
MUST_CHECK enum status value__adopt(struct pager_change *change, struct qtdb *db,
                                    const uint8_t *bytes, size_t size);
/** The struct undo_value will be freed when no snapshot is older than the change. */
MUST_CHECK enum status value__drop(struct pager_change *change, struct qtdb *db,
                                   const uint8_t *bytes, size_t size);
/** btree_value_fn with the database as context: the value will be freed. */
MUST_CHECK enum status value__inherit(struct pager_change *change, const struct btree_value *value,
                                      void *context);
bool value__has_ticket(struct qtdb *db, uint32_t tree_id);
/** What the transaction wrote and did not commit will be freed; its streams are without it. */
void value__end_txn(struct qtdb_txn *txn);

/* backup.c */
/** STATUS_EXISTS when there is a file of that name. */
MUST_CHECK enum status database__refuse_existing(struct qtdb *db, const char *path);
/** `path` with `suffix` behind it; `out` has IO_PATH_SIZE bytes. STATUS_INVALID: too long. */
MUST_CHECK enum status database__path_with(const char *path, const char *suffix, char *out);
/** Gives a complete file its name, durably. `path` is absolute. */
MUST_CHECK enum status database__appear(struct qtdb *db, const char *from, const char *path);

/* value_stream.c */
void value_stream__detach_all(struct qtdb_txn *txn);

/* commit.c */
/** Commits and unlists the transaction; what is left to do is txn__finish. */
MUST_CHECK enum status commit__run(struct qtdb_txn *txn);
/** commit_capture.c: reads the rows before of a tree's writes, adding their bytes. STATUS_FULL: they do not
 * fit one change (too_big). Without the latch. */
MUST_CHECK enum status commit__capture(struct qtdb_txn *txn, struct txn_tree *tree,
                                       size_t *size_io);
/** commit_room.c: has the pager provide the room that the prepared writes will take. Without the latch. */
void commit_room__foresee(const struct qtdb_txn *txn);
/** One attempt: validate, apply, announce, publish. Under the attempt latch, in any thread while the
 * transaction's own sleeps. STATUS_MISSING: pager_change_resolve. On failure nothing has changed. */
MUST_CHECK enum status commit__attempt(struct qtdb_txn *txn, struct write_chunk *chunk,
                                       uint64_t *csn_out);

/* commit_queue.c */
/** Whether the transaction may be committed in a group. */
bool commit_queue__takes(const struct qtdb_txn *txn);
/** Commits it in one attempt, its own or the group's leader's; false when that failed: nothing has
 * changed, make the attempt with attempt latch and by itself. Raises no message. In a group of several
 * it is durable when this returns, unless the log has failed. */
bool commit_queue__run(struct qtdb_txn *txn, struct write_chunk *chunk, uint64_t *csn_out);

/** Waits until what a transaction wrote (`wrote`) or saw is durable, when it is to be. */
MUST_CHECK enum status commit__flush(const struct qtdb *db, enum qtdb_durability durability,
                                     uint64_t csn, bool wrote);

/* Runs of new rows at the end of a tree (commit_run.c). */
/** Builds and writes the run of the tree's writes, if there is one worth it. Without latches, once the
 * rows before are known. */
MUST_CHECK enum status commit_run__prepare(struct qtdb_txn *txn, struct txn_tree *tree);
/** After the tree's other writes. STATUS_MISSING also when the run was given up: the next attempt puts its
 * rows. */
MUST_CHECK enum status commit_run__attach(struct pager_change *change, struct txn_tree *tree,
                                          const struct btree *btree);
/** Before the commit's pages are published. */
void commit_run__announce(const struct write_chunk *chunk);
/** Frees what was built; its pages go back unless they were committed. */
void commit_run__end(struct txn_tree *tree, bool committed);
void commit_run__end_all(struct qtdb_txn *txn, bool committed);
/** Runs `body` in a change of its own until nothing is missing. Without the latch, inside the gate. */
MUST_CHECK enum status commit__change(struct qtdb *db,
                                      enum status (*body)(struct pager_change *change,
                                                          void *context),
                                      void *context, uint64_t *csn_out);

/* txn_cursor.c */
MUST_CHECK enum status cursor__open(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                    struct qtdb_cursor **out);
MUST_CHECK enum status cursor__seek(struct qtdb_cursor *cursor, const void *key, size_t key_size);
MUST_CHECK enum status cursor__next(struct qtdb_cursor *cursor);
/** Notes what open cursors have read; then they are without a transaction. */
MUST_CHECK enum status cursor__note_reads(struct qtdb_txn *txn);
void cursor__detach_all(struct qtdb_txn *txn);
/** The snapshot is another: open cursors forget what they have looked at ahead. */
void cursor__forget_all(struct qtdb_txn *txn);
/** Before the own writes go from memory: shown rows are copied. On failure nothing has changed. */
MUST_CHECK enum status cursor__keep_rows(struct qtdb_txn *txn);

/* background.c */
MUST_CHECK enum status background__start(struct qtdb *db);
void background__stop(struct qtdb *db);
/** One round of what is due, for handles without threads. */
MUST_CHECK enum status background__step(struct qtdb *db, bool *more_out);

#endif
