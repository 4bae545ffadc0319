/*
 * The pager's inside: the handle, frames, change sets, and what its files call of each other.
 *
 * Locks, in order (a thread takes a later one while holding an earlier one, never the reverse):
 *   commit latch   change sets; csn_last, interval, page_count, allocation; held from
 *                  pager_change_begin to its end and by the checkpoint for its mark. No I/O,
 *                  allocation or wait for anything but page words under it.
 *   flush latch    one flush or checkpoint at a time (flush.c, checkpoint.c); held across I/O. Never
 *                  taken under the commit latch; the commit latch may be taken under it.
 *                  (So the order is: prefetch, flush, grow, commit, page word, pool latch; the log's
 *                  own last.)
 *   page word      one page's lock bit; held for memcpy only; no other word is waited for under it.
 *                  Its in-I/O bit is a claim: the claimant waits for nothing but its own reads and
 *                  the log's (log_read_latch) while it holds one, so claims never form a circle.
 *   pool latch     free list of frames; a few instructions.
 *
 * Frame states. A frame is on the free list; or belongs to a page (word and frame.page_number agree);
 * or is an orphan (its page was freed or evicted while pinned: page_number PAGE_NONE, freed by the
 * last unpin).
 *
 *   absent --load--> clean --publish--> dirty --copy--> flushing --synced, witnessed--> clean
 *                                         ^                |
 *                                         +---publish------+ (dirty and flushing: flushed again)
 *
 * `csn_dirty` is the CSN of the first change since the page was last clean or copied; `csn_flushing`
 * that of the copy under way. The page's oldest unflushed change is the smaller one that is not 0:
 * the redo point may pass it only when both are 0 or younger (P7).
 */
#ifndef PAGER_PAGER_PRIVATE_H
#define PAGER_PAGER_PRIVATE_H

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "kernel/base/log_sink.h"
#include "kernel/base/sync.h"
#include "pager/page.h"
#include "pager/page_delta.h"
#include "pager/pager.h"
#include "pager/pager_view.h"

enum {
    POOL_FRAMES_MIN = 64,
    CHANGE_SHARE = 4,      /* A change may touch one part in so many of the pool. */
    FLUSH_BATCH_MAX = 256, /* Pages copied before their writes are waited for. */
    FLUSH_SYNC_MAX = 4096, /* Pages written before one sync and one witness commit. */
    FRAME_RESERVE = 8,     /* Free frames kept for the flush itself. */
    CHANGE_RESET_MAX =
        2 * sizeof(uint64_t) + WAL_RECORD_OVERHEAD_MAX, /* Logged of an adopted page, */
    CHANGE_ADOPTED_SHARE = 16, /* so many of which count as one page against the limit. */
    CHANGE_WANT_MAX = 16,      /* Unanswered STATUS_MISSING kept; older ones are dropped. */
    /* Frames for map pages beside the pool: four to one of the pool, so that the map of a file of a
     * thousand pools fits twice; at most 8 MiB, which is the map of 4 GiB. */
    MAP_FRAMES_A_FRAME = 4,
    MAP_FRAMES_MAX = 2048,
};

/* Frame 0 is never used, so that a page word of 0 means absent (pager_view.h). Frames that were
 * never taken are all zero. */
struct frame {
    _Atomic uint32_t
        page_number;            /* Written under the page word; PAGE_NONE: free or orphan; 0: never
                                       taken. */
    _Atomic uint32_t pins;      /* FRAME_ORPHAN and the count. */
    _Atomic uint64_t csn_dirty; /* 0: no change since clean or copied. */
    _Atomic uint64_t csn_flushing; /* 0: no copy under way. */
    uint64_t pin_count;            /* Of all times; by relaxed atomics, near enough. */
    uint32_t next_free;            /* Guarded by the pool latch. */
    _Atomic bool is_kept;          /* One of map_frames (P18). Written under the pool latch. */
};

#define FRAME_ORPHAN (UINT32_C(1) << 31)

struct change_page {
    uint32_t page_number;
    uint32_t frame;        /* Pinned for the change; for a new page taken from the free list. */
    const uint8_t *before; /* The frame's bytes; NULL for new, freed and adopted pages. */
    uint8_t *after;        /* Scratch; for a new page its frame; NULL while only read. */
    bool is_new;
    bool is_freed;
    bool is_adopted;
    bool is_logged;  /* A record of it is in this commit. */
    bool from_stack; /* New, and its number came off the stack of free pages. */
    uint8_t move_count;
    uint32_t next_hash;
    uint32_t record_size; /* Of the record, when logged ... */
    size_t record_begin;  /* ... and where it is in `records`. */
    uint64_t blocks;      /* Of a logged edit: a bit for each block of 64 bytes that changed. */
    struct page_move moves[PAGE_DELTA_MOVE_MAX];
};

/* What the last STATUS_MISSING lacked; pager_change_resolve provides it. */
enum change_need {
    NEED_NOTHING = 0,
    NEED_PAGE = 1,     /* page_number must be resident. */
    NEED_FRAMES = 2,   /* Free frames: evict, flush. */
    NEED_SPACE = 3,    /* The file must grow to page_number pages. */
    NEED_LOG = 4,      /* wal_make_room of size. */
    NEED_SCRATCH = 5,  /* Larger buffers; record bytes for size. */
    NEED_MAP_SCAN = 6, /* Look for free pages in map pages not seen yet. */
};

/* What an unsuccessful change was missing, until pager_change_resolve takes it. */
struct change_want {
    enum change_need need;
    uint32_t page_number;
    size_t size;
    const char *thread; /* Whose it is; not dereferenced. */
};

/* Guarded by the commit latch; the buffers grow between changes only. */
struct pager_change {
    struct pager *pager;
    bool active;
    enum status doomed; /* Why it can no longer be committed; STATUS_OK: it can. */
    bool system;        /* The pager's own: may use emergency log space. */
    bool full;          /* It met change_limit. */
    uint64_t csn;
    uint32_t page_count; /* The file's, as this change sees it. */
    uint32_t used;       /* Of pages. */
    uint32_t adopted;    /* Of those. */
    uint32_t capacity;
    struct change_page *pages;
    uint32_t *hash; /* Heads, hash_size of them; UINT32_MAX ends a chain. */
    uint32_t hash_size;
    uint8_t *scratch; /* scratch_capacity pages */
    uint32_t scratch_capacity;
    uint32_t scratch_used;
    uint8_t *records; /* The commit's encoded records. */
    size_t records_capacity;
    size_t records_size;
    uint32_t edited;                /* Index of the leaf first edited last; PAGE_NONE. */
    uint32_t rested;                /* The same when the caller last rested; PAGE_NONE. */
    struct pager_change_cost *cost; /* NULL: nobody asks. */
    struct change_want want;        /* need NEED_NOTHING: nothing was missing so far. */
    struct change_want wants[CHANGE_WANT_MAX]; /* Of changes that ended, newest last. */
    uint32_t want_count;
    struct change_want want_system; /* The same for the pager's own change. */
    uint32_t pinned_count;          /* Pages resolve keeps pinned until a change misses nothing. */
    struct pager_pin pinned[64];
};

enum checkpoint_state { CHECKPOINT_IDLE = 0, CHECKPOINT_FLUSHING = 1, CHECKPOINT_PUBLISHING = 2 };

/* Reserved pages by number, open addressing; PAGE_NONE: empty. direct.c. */
struct direct_page {
    uint32_t page_number;
    bool written;       /* And synced. */
    uint64_t csn_least; /* It has to be written with this one or a later one. */
    uint64_t csn;       /* 0: nobody has begun to write it. */
    uint64_t checksum;
};
struct direct_set {
    struct direct_page *slots; /* capacity of them, a power of two or 0 */
    uint32_t capacity;
    uint32_t used;
    uint32_t end;          /* One past the highest page reserved since the set was empty. */
    uint64_t csn_released; /* The highest of pages that were written and given back. */
};

/* Codecs that nobody uses (codec.c). */
enum { CODECS_KEPT = 4 };
struct codec_pool {
    struct latch latch;
    struct compress *idle[CODECS_KEPT];
    uint32_t count;
};

struct pager {
    struct page_table table; /* First: pager_view.h. */

    /* Fixed at open. */
    struct env env;
    struct pager_options options;
    char path[IO_PATH_SIZE]; /* Real path. */
    char log_dir[IO_PATH_SIZE];
    struct io_file *file;
    struct io_queue *queue; /* Writes of the flush; guarded by the flush latch. */
    uint64_t file_id;
    bool read_only;
    struct frame *frame;        /* frame_count */
    struct compress *compress;  /* Guarded by the commit latch. */
    uint32_t change_limit_open; /* options.change_limit as it was at open. */

    /* Guarded by the resize latch, which is taken before all others. */
    struct latch resize_latch;
    uint32_t parked_head;         /* Frames out of circulation (pool_resize.c), by next_free. */
    _Atomic uint32_t pool_frames; /* In circulation; read anywhere. */
    uint32_t map_frames;          /* Beside them, for map pages. Fixed at open. */

    /* Guarded by the commit latch. */
    struct latch commit_latch;
    struct pager_change change;
    struct wal *wal;       /* NULL until the first change of a clean file. */
    uint64_t csn_interval; /* Highest CSN before the current interval: a page whose csn is not
                                    above it has its first change of the interval before it. */
    uint32_t *free_stack;  /* Page numbers known free; a hint, checked against the map. */
    uint32_t free_stack_used;
    uint32_t free_stack_capacity;
    uint32_t map_scan_next;      /* Map group whose free pages were not collected yet. */
    uint32_t map_scan_pause;     /* Pages the file may grow before the next look. */
    struct direct_set direct;    /* Pages reserved for direct writes. */
    uint32_t direct_floor;       /* Pages from here on have no record since R ... */
    uint64_t direct_floor_csn;   /* ... as long as R has not passed this (L4); then no page has. */
    _Atomic uint64_t direct_csn; /* Direct writes up to this CSN may be on the disk. */
    struct pager_direct
        *_Atomic direct_idle; /* direct_write.c; a writer that nobody uses, or NULL. */
    _Atomic uint64_t meta_map_csn[META_MAP_COUNT]; /* Read anywhere. */
    uint32_t map_count;                            /* Level-1 map pages. */

    /* Written under the commit latch, read anywhere. */
    _Atomic uint64_t csn_last;
    _Atomic uint32_t page_count;
    _Atomic uint32_t page_allocated; /* Pages the file has space for. */
    uint32_t page_file_end;          /* Where the file ends, in pages, space or not: grow latch. */
    _Atomic bool failed;

    struct latch grow_latch;     /* The file's size: pager__grow, pager__cut. After the flush latch,
                                    before the commit latch; held across I/O. */
    struct latch log_read_latch; /* Held while a repair reads the log, and by the checkpoint around
                                    wal_release. After the flush latch; nothing else under it. */

    /* Guarded by the pool latch. */
    struct latch pool_latch;
    uint32_t free_head;
    uint32_t free_frames; /* Of the pool's, in the list and never taken. */
    uint32_t map_free;    /* Of map_frames. */

    _Atomic uint32_t frames_used; /* Frames from here on were never taken. */
    /* evict.c */
    _Atomic uint32_t clock_hand;  /* Of probation, */
    _Atomic uint32_t main_hand;   /* and of main pages, */
    _Atomic uint32_t main_count;  /* of which there are so many. */
    _Atomic uint32_t gone_clock;  /* Pages that left probation, by time. */
    _Atomic uint8_t *place;       /* frame_count; fixed at open, as are these: */
    _Atomic uint64_t *gone;       /* Page number and gone_clock, by hash; */
    size_t gone_room;             /* a power of two of them. */
    _Atomic uint32_t flush_count; /* Batches flushed: who waited for a flush sees that it came. */

    struct latch prefetch_latch; /* One prefetch at a time. */
    struct prefetch *prefetch;   /* prefetch.c; NULL until the first. */

    /* Guarded by the flush latch. */
    struct latch flush_latch;
    bool recovering;        /* Set by recover.c until wal_start: what is flushed is kept in
                                    `unwitnessed` until pager__flush_witness. */
    uint32_t flush_batch;   /* Pages copied at once, at most FLUSH_BATCH_MAX. */
    uint32_t flush_depth;   /* Of the queue. */
    uint8_t *flush_buffers; /* flush_batch pages, behind the frames. */
    struct io_request *flush_requests; /* flush_batch */
    struct io_request **flush_submit;  /* flush_batch */
    uint32_t *flush_cold;              /* flush_batch page numbers, for pager__flush_some. */
    uint32_t *flush_list;              /* Page numbers of the checkpoint under way, sorted. */
    uint32_t flush_list_capacity;
    uint32_t flush_list_used;
    uint32_t flush_list_next;
    struct flushed_page *flushed; /* Written, not yet synced and witnessed. */
    uint32_t flushed_capacity;
    uint32_t flushed_used;
    uint32_t flushed_synced;          /* The first so many are synced. */
    struct flushed_page *unwitnessed; /* Flushed during recovery. */
    uint32_t unwitnessed_capacity;
    uint32_t unwitnessed_used;
    uint64_t csn_witness; /* Of the last witness commit. */
    enum checkpoint_state checkpoint_state;
    bool checkpoint_asked;
    struct wal_position checkpoint_position;
    uint32_t checkpoint_page_count; /* At the position. */
    uint64_t checkpoint_log_size;   /* wal_size at the mark. */
    uint64_t log_goal;       /* The log's limit for now: grows towards the one of the options. */
    uint64_t log_goal_spent; /* Bytes of pages written to stay below it since it last grew. */
    _Atomic uint64_t log_size_kept; /* wal_size after the last checkpoint; read anywhere. */
    _Atomic uint64_t work_log_size; /* wal_size at which pager_work is due again; read anywhere. */
    uint64_t horizon_csn;           /* csn_last when pager_work last had nothing to do. */
    uint64_t meta_sequence;
    uint32_t meta_slot;       /* Read or written last: the other one is written first. */
    struct wal_position redo; /* As published in both slots. */
    uint32_t redo_page_count; /* The file's page count there. */
    uint64_t log_id;
    uint64_t created_ms;
    uint64_t truncate_after; /* Checkpoints to go before the file may be cut; 0: nothing to cut. */

    uint64_t
        *backup_changed; /* backup_pages.c; guarded by the commit latch, its bits are atomic. */
    struct codec_pool codecs;           /* codec.c */
    struct event work_event;            /* pager_wait_for_work */
    struct event space_event;           /* Log space freed, frames freed, checkpoint done. */
    struct pager_statistics statistics; /* Fields by relaxed atomics. */
};

struct flushed_page {
    uint32_t page_number;
    uint32_t frame; /* WORD_FRAME_NONE: no frame waits for it. */
    uint64_t csn;   /* Of the copy written. */
};

#define PAGER_COUNT(pager, field, by) \
    __atomic_fetch_add(&(pager)->statistics.field, (uint64_t)(by), __ATOMIC_RELAXED)
#define PAGER_GET(pager, field) __atomic_load_n(&(pager)->statistics.field, __ATOMIC_RELAXED)

/* pool.c: frames and words. */
MUST_CHECK enum status pager__pool_open(struct pager *pager);
void pager__pool_close(struct pager *pager);
/**
 * A free frame, evicting a clean unpinned page if need be; no I/O, may be called under the commit
 * latch. Its csn_dirty and csn_flushing are 0. STATUS_MISSING: none is clean. The last FRAME_RESERVE
 * free ones are left to pager__frame_take_reserve, which serves the flush alone.
 */
MUST_CHECK enum status pager__frame_take(struct pager *pager, uint32_t *frame_out);
MUST_CHECK enum status pager__frame_take_reserve(struct pager *pager, uint32_t *frame_out);
/** A free frame beside the pool, for a map page that then stays (P18). STATUS_MISSING: all are used. */
MUST_CHECK enum status pager__frame_take_map(struct pager *pager, uint32_t *frame_out);
/** Besides the reserve there are frames that hold no page. */
bool pager__has_free_frames(struct pager *pager);
void pager__frame_give(struct pager *pager, uint32_t frame);
uint8_t *pager__frame_bytes(struct pager *pager, uint32_t frame);
/** Locks the page's word (spin, then futex); returns the word as it was, without the lock bit. */
uint64_t pager__word_lock(struct pager *pager, uint32_t page_number);
/** Unlocks; `frame` is the frame it now has (WORD_FRAME_NONE: none); bumps the version. */
void pager__word_unlock(struct pager *pager, uint32_t page_number, uint64_t frame, bool in_io);
/** The word with its version one up and nothing else. */
uint64_t pager__word_next(uint64_t word);
/** Unlocks without a change: version stays. */
void pager__word_unlock_unchanged(struct pager *pager, uint32_t page_number, uint64_t word);
/** Pins the page if it is resident and not in I/O; false otherwise. Never waits for I/O. */
bool pager__pin_resident(struct pager *pager, uint32_t page_number, struct pager_pin *out);
/**
 * Installs `frame` (filled by the caller, csn_dirty set where it is dirty) for an absent page and
 * takes a claim to read it away from whoever has it. A page already there is kept: then false, and
 * the frame is given back.
 */
bool pager__install(struct pager *pager, uint32_t page_number, uint32_t frame);
/** Takes the page out of memory; its frame is freed or, when pinned, orphaned. Changes are lost. A
 * read of it that is under way will find nobody to give it to, and starts again. */
void pager__drop(struct pager *pager, uint32_t page_number);
/** Gives a pin back by frame; the last one of an orphan frees it. */
void pager__frame_unpin(struct pager *pager, uint32_t frame);
/** The primitives: on any word of the table; `word` is what it holds afterwards. */
uint64_t pager__word_acquire(_Atomic uint64_t *word);
void pager__word_release(_Atomic uint64_t *word, uint64_t value);
/** Waits until none of `bits` (WORD_LOCKED, WORD_IN_IO) is set. */
void pager__word_wait(_Atomic uint64_t *word, uint64_t bits);
/** Claims an absent page for reading; the word as claimed, 0 when it is not absent any more. */
uint64_t pager__word_claim(struct pager *pager, uint32_t page_number);
/** Ends a claim: with the page in `frame`, pinned once, or absent (WORD_FRAME_NONE). False: it had
 * been taken away, and nothing was done. */
bool pager__word_settle(struct pager *pager, uint32_t page_number, uint64_t claimed,
                        uint32_t frame);
/** Frames in use: those up to this one. */
uint32_t pager__frame_end(const struct pager *pager);

/* evict.c: which page leaves. */
MUST_CHECK enum status pager__evict_open(struct pager *pager);
void pager__evict_close(struct pager *pager);
/** Takes a clean page that nobody holds out of its frame, which is then the caller's;
 * WORD_FRAME_NONE: there is none. Lock-free, no I/O. */
uint32_t pager__evict_one(struct pager *pager);
/** It may be evicted: a clean page that nobody holds, not of the map's share. */
bool pager__frame_is_evictable(const struct frame *state);
/** Its page would be evicted if the hand came by and it was clean. */
bool pager__frame_is_cold(const struct pager *pager, uint32_t frame);
/** The frame has got that page; it was empty. Under the page's word. */
void pager__place_enter(struct pager *pager, uint32_t frame, uint32_t page_number);
/** The page leaves the frame. Under the page's word. */
void pager__place_leave(struct pager *pager, uint32_t frame);

/* load.c: reading pages from disk, verified; pager_pin, pager_copy. prefetch.c: pager_prefetch. */
/** For pager_thread_page_reads. */
void pager__thread_page_reads_add(uint32_t count);
/** pager_pin for the flush itself: takes frames from the reserve, never flushes. */
MUST_CHECK enum status pager__pin_reserve(struct pager *pager, uint32_t page_number,
                                          struct pager_pin *out);
/** For recovery: the page as the disk has it, unverified; zeros past the end of the file, and where the
 * read fails, which `*unreadable_out` tells. A resident page is pinned as it is. */
MUST_CHECK enum status pager__load_raw(struct pager *pager, uint32_t page_number,
                                       struct pager_pin *out, bool *unreadable_out);
/** Counts a page that was read and verified by its kind. */
void pager__count_read(struct pager *pager, uint32_t page_number, const void *page);
/** Why a page with this entry cannot be read; NULL if it can. */
const char *pager__entry_reason(uint32_t page_number, struct map_entry entry);
/** What the map (for level-1 map pages: the meta slots) says of a page; `map` is the pin of its map
 * page, NULL for level 1. */
struct map_entry pager__witness(struct pager *pager, uint32_t page_number,
                                const struct pager_pin *map);
/** As pager__verify, against that. */
MUST_CHECK enum status pager__verify_entry(const struct pager *pager, uint32_t page_number,
                                           const void *page, struct map_entry entry,
                                           const char **reason_out);
void pager__prefetch_close(struct pager *pager);
/** Verifies a page just read against header and witness; pins map pages as needed. */
MUST_CHECK enum status pager__verify(struct pager *pager, uint32_t page_number, const void *page,
                                     const char **reason_out);

/* flush.c: the flush protocol. Callers hold the flush latch. */
/** Buffers and lists; part of pager__pool_open and pager__pool_close. */
MUST_CHECK enum status pager__flush_open(struct pager *pager);
void pager__flush_close(struct pager *pager);
/** Copies, logs ahead, writes, syncs and witnesses up to `count` given pages (those still dirty). */
MUST_CHECK enum status pager__flush_pages(struct pager *pager, const uint32_t *page_numbers,
                                          uint32_t count);
/** Syncs and witnesses what has been written. */
MUST_CHECK enum status pager__flush_finish(struct pager *pager);
/**
 * Makes clean frames: flushes a batch of cold dirty pages, or finds that another thread has just
 * done so. Takes the flush latch itself. STATUS_FULL: all frames are pinned, or the handle is read
 * only; the message says so.
 */
MUST_CHECK enum status pager__flush_some(struct pager *pager);
/** After wal_start: witness commits for what was flushed while `recovering`. */
MUST_CHECK enum status pager__flush_witness(struct pager *pager);
enum { FLUSH_DATA = 0, FLUSH_MAP0 = 1, FLUSH_MAP1 = 2, FLUSH_ALL = 3 };
/** Puts the dirty pages of a kind (FLUSH_ALL: of all) whose oldest change is not younger than
 * `csn_limit` into flush_list, in the order in which they are to be flushed. */
void pager__flush_collect(struct pager *pager, uint32_t kind, uint64_t csn_limit);
uint32_t pager__flush_kind(uint32_t page_number);
/** witness.c: stores the CSNs of pages written and synced in their map pages, by system commits, and
 * takes them as clean. `*done_out`: so many of them, also when a status ends it. */
MUST_CHECK enum status pager__witness_commit(struct pager *pager,
                                             const struct flushed_page *entries, uint32_t count,
                                             uint32_t *done_out);
/** The page's copy is in the file: it is no longer being flushed. */
void pager__flushed(struct pager *pager, const struct flushed_page *entry);

/* checkpoint.c */
/** Takes the flush latch itself. */
MUST_CHECK enum status pager__checkpoint_step(struct pager *pager, bool *more_out);
/** Before a change: returns at once unless the log is at its limit; then takes part in the
 * checkpoint until it is not. No latch held. */
MUST_CHECK enum status pager__wait_for_log(struct pager *pager);
/** After a commit: wakes the owner's thread when there is work for it. */
void pager__note_commit(struct pager *pager);
/** At close, flush latch held: data pages, then level-0, then level-1 map pages; nothing is dirty
 * after it. */
MUST_CHECK enum status pager__flush_all(struct pager *pager);

/* meta_file.c: the two slots on disk. Flush latch held. */
/** Reads both slots, picks the newest valid; STATUS_INVALID, _VERSION, _CORRUPT with a message. */
MUST_CHECK enum status pager__meta_read(struct pager *pager, struct meta *out);
/** Writes and syncs both slots, one after the other, with the pager's present redo point (`redo` and
 * `redo_page_count`; when clean csn_last and page_count). */
MUST_CHECK enum status pager__meta_write(struct pager *pager, enum meta_state state);

/* change.c, allocate.c: change sets. Commit latch held. */
struct change_page *pager__change_find(struct pager_change *change, uint32_t page_number);
/** STATUS_MISSING with the need recorded. */
MUST_CHECK enum status pager__change_need(struct pager_change *change, enum change_need need,
                                          uint32_t page_number, size_t size);
/** Begins a change of the pager itself (no waiting for log space; emergency reserve). */
MUST_CHECK enum status pager__change_begin_system(struct pager *pager, struct pager_change **out);
/** pager_change_resolve for a change of the pager itself; the flush latch may be held. */
MUST_CHECK enum status pager__change_resolve_system(struct pager *pager);
/** Encodes what the change did; change_commit.c. STATUS_MISSING. */
MUST_CHECK enum status pager__change_encode(struct pager_change *change);
/** Encodes one edited leaf that is likely to stay as it is. STATUS_MISSING. */
MUST_CHECK enum status pager__change_encode_early(struct pager_change *change,
                                                  struct change_page *page);
/** Takes the record of a page encoded early out again, before the page changes. */
void pager__change_reopen(struct pager_change *change, struct change_page *page);
/** Publishes an encoded and logged change. */
void pager__change_publish(struct pager_change *change);
/** Takes the newest want of this thread. Commit latch held. */
struct change_want pager__want_take(struct pager_change *change);
/** The change can no longer be committed when `status` is not OK; returns it. */
enum status pager__change_doom(struct pager_change *change, enum status status);
/** Larger buffers for changes, the first ones if there are none; not under the latch. */
MUST_CHECK enum status pager__change_buffers_grow(struct pager *pager, size_t records_size);
/** Buffers for a change of `pages`, `scratch` of them with a scratch copy, if they are smaller now. */
MUST_CHECK enum status pager__change_buffers_foresee(struct pager *pager, uint32_t pages,
                                                     uint32_t scratch);
/** Frees the buffers at close. */
void pager__change_close(struct pager *pager);
/** Adds an entry for a page the change did not touch yet: no pin, all else zero. STATUS_MISSING. */
MUST_CHECK enum status pager__change_add(struct pager_change *change, uint32_t page_number,
                                         struct change_page **out);
/** A new page in a frame of its own, initialised, not in the map yet. STATUS_MISSING. */
MUST_CHECK enum status pager__change_new_page(struct pager_change *change, uint32_t page_number,
                                              uint32_t tree_id, enum page_type type, uint8_t level,
                                              struct change_page **out);
/** Makes the file longer within the change, with the map pages on the way. STATUS_MISSING. */
MUST_CHECK enum status pager__change_extend(struct pager_change *change, uint32_t page_count);
/** Remembers a free page's number as a hint. */
void pager__free_push(struct pager *pager, uint32_t page_number);
void pager__free_close(struct pager *pager);
/** The work behind NEED_MAP_SCAN. */
MUST_CHECK enum status pager__map_scan(struct pager *pager);
/** Space for pages below `page_count`. Not under the commit latch. */
MUST_CHECK enum status pager__grow(struct pager *pager, uint32_t page_count);
/** The file has space for so many pages. Grow latch held, or nobody else there yet. */
void pager__set_allocated(struct pager *pager, uint32_t page_count);
/** Cuts the file behind its last page; when the checkpoint says that it may (P11). */
MUST_CHECK enum status pager__cut(struct pager *pager);
/** Level-1 map pages of a file of that many pages. */
uint32_t pager__map_count_of(uint32_t page_count);

/* backup_pages.c */
/** The page was changed by the commit just published. Commit latch held, a backup under way. */
void pager__backup_note(struct pager *pager, uint32_t page_number);

/* codec.c */
void pager__codec_close(struct pager *pager);

/* direct.c: reserved pages. Commit latch held. */
struct direct_page *pager__direct_find(struct pager *pager, uint32_t page_number);
void pager__direct_forget(struct pager *pager, uint32_t page_number);
void pager__direct_close(struct pager *pager);
/** direct_write.c: frees the writer kept for the next user. */
void pager__direct_write_close(struct pager *pager);

/* open.c, recover.c, repair.c */
/** Before the first change: log directory, log, needs-log in both slots, all durable. */
MUST_CHECK enum status pager__begin_writing(struct pager *pager);
/** The codec for images, once there is something to log. No latch held that comes after the commit
 * latch, and not that one. */
MUST_CHECK enum status pager__compress_ensure(struct pager *pager);
/** After wal_open: redoes into the pool; then wal_start unless read-only. */
MUST_CHECK enum status pager__recover(struct pager *pager);
/** Rebuilds a damaged page from the log into `page`. STATUS_NOT_FOUND: the log has no base for it.
 * Called with a claim held, perhaps the flush latch, never the commit latch: takes log_read_latch only. */
MUST_CHECK enum status pager__repair(struct pager *pager, uint32_t page_number, void *page);
/** Makes the handle fail for good; wakes all waiters; returns STATUS_FAILED or the cause. */
MUST_CHECK enum status pager__fail(struct pager *pager, enum status cause, const char *what);
/** Frames whose page has changes that are not in the file yet. */
uint64_t pager__count_dirty(const struct pager *pager);

#endif
