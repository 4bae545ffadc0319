/*
 * pager: pages of one database file, in memory and on disk, and the path of every change.
 *
 * Reading is optimistic and free of locks (pager_view.h); whoever finds a page absent pins it
 * (pager_pin) and repeats. Changing goes through one change set at a time (the commit latch): edit
 * scratch copies, then commit; the pager finds what changed by comparing, logs it, and publishes it.
 * A failure before that leaves no trace. No function between pager_change_begin and its end does I/O,
 * allocates or waits: what is missing is answered with STATUS_MISSING, and the caller abandons the
 * change, calls pager_change_resolve (which does the work), and starts again.
 *
 * Threads: everything may be called from any thread unless said otherwise. The pager starts none but
 * those of a parallel recovery: background work is pager_work, called by a thread of the owner or by
 * a simulator. Errors: STATUS_IO and STATUS_FAILED after a failed write (final for the handle, reads
 * of what is in memory go on); STATUS_CORRUPT names the page; STATUS_FULL disk or pool or log.
 */
#ifndef PAGER_PAGER_H
#define PAGER_PAGER_H

#include "kernel/base/env.h"
#include "pager/page_delta.h"
#include "pager/pager_format.h"
#include "wal/wal.h"

struct pager;
struct pager_change;

enum pager_policy { PAGER_POLICY_IMAGE = 1, PAGER_POLICY_RANGE = 2 };

struct pager_recovery_progress {
    uint64_t log_size; /* Bytes of log to go through, all passes. */
    uint64_t log_done;
    uint64_t page_count; /* Pages redone so far. */
};

struct pager_options {
    bool create;     /* Create when absent. */
    bool read_only;  /* An unclean file is recovered in memory only. */
    bool rescue;     /* Open in spite of a missing or rotten log; says what is lost. */
    bool no_direct;  /* Buffered I/O even where IO_DIRECT is granted. */
    bool background; /* The owner calls pager_work from a thread of its own. */
    bool huge_pages;
    enum pager_policy policy; /* 0: PAGER_POLICY_IMAGE. */
    /* Bytes; at least 64 pages; 0: 64 MiB. Pages of the page map are kept beside it: 8 bytes a page of the
     * file, at most 8 MiB and four pools (P18). */
    uint64_t pool_size;
    uint64_t pool_size_max; /* Bytes that pager_set_pool_size may ask for; 0: pool_size. */
    uint64_t
        log_limit; /* Bytes; 0: 256 MiB. A checkpoint starts at three quarters of it, or earlier while that costs
                                 less than the log's growth (checkpoint.c). */
    uint64_t segment_size;     /* 0: 4 to 16 MiB, a 64th of log_limit between. */
    uint32_t page_limit;       /* Highest page count of this handle; 0: PAGE_COUNT_MAX. */
    uint32_t grow_count;       /* Pages a growth step; 0: 1/16 of the file, 64 to 16,384. */
    uint32_t change_limit;     /* Pages a change set may touch; 0: a quarter of the pool. */
    uint32_t flush_depth;      /* Page writes in flight, 0: 128. */
    uint32_t recovery_threads; /* 0 or 1: none but the caller's. */
    uint32_t log_buffer_count; /* 0: as many as the largest change needs, at most 64. */
    uint32_t log_frame_size;   /* 0: default of wal_options. */
    uint64_t file_id;          /* For a created file; 0: random. */
    uint64_t owner_pid;        /* Named to other processes as the holder; 0: this process. */
    wal_archive_fn archive;
    void *archive_context;
    /* Called now and then during recovery; anything but STATUS_OK stops it (STATUS_STOPPED). */
    enum status (*progress)(void *context, const struct pager_recovery_progress *progress);
    void *progress_context;
};

struct pager_statistics {
    uint64_t page_read_count;  /* From disk. */
    uint64_t page_write_count; /* To disk, map pages included. */
    uint64_t map_write_count;
    uint64_t meta_write_count;
    uint64_t sync_count; /* Of the data file. */
    uint64_t pin_count;  /* pager_pin calls; misses are page_read_count. */
    uint64_t evict_count;
    uint64_t repair_count;
    uint64_t checkpoint_count;
    uint64_t commit_count;
    uint64_t image_count; /* IMAGE records. */
    uint64_t image_size;  /* Bytes of IMAGE records. */
    uint64_t range_count;
    uint64_t range_size;
    uint64_t csn_opened;   /* Highest CSN that open found; later ones are this handle's. */
    uint64_t opened_clean; /* 1: the file had been closed cleanly. */
    uint64_t page_count;   /* Of the file. */
    uint64_t free_count;   /* Known free pages. */
    uint64_t dirty_count;
    uint64_t frame_count;
    uint64_t map_read_count;   /* Of page_read_count: pages of the page map, */
    uint64_t inner_read_count; /* and others whose level is not 0. */
    uint64_t restart_count;    /* Changes that began again for want of room: file, buffers, log. */
    struct wal_statistics log;
};

/* Life. */

/** `path` may be a link. See the failure list of issue "page store" in pager/README.md. */
MUST_CHECK enum status pager_open(const struct env *env, const char *path,
                                  const struct pager_options *options, struct pager **out);
/** Flushes everything and marks the file clean; then frees the handle, whatever the status. */
MUST_CHECK enum status pager_close(struct pager *pager);
/** Frees the handle as a crash would: nothing is written. NULL is fine. */
void pager_abandon(struct pager *pager);

/** Pages of the file, meta slots included; page numbers are below it. */
uint32_t pager_page_count(const struct pager *pager);
uint64_t pager_file_id(const struct pager *pager);
/** The file's real path. */
const char *pager_path(const struct pager *pager);
/** Highest CSN published to the pool. */
uint64_t pager_csn(const struct pager *pager);
/** Changes how many bytes of pages are kept; all else goes on. Shrinking flushes as needed and lowers what
 * one change may touch (a quarter of the pool); growing raises that up to what it was at open.
 * STATUS_INVALID: below 64 pages or above pool_size_max. STATUS_BUSY, STATUS_FULL: too many pages are in
 * use; then the pool is as before. */
MUST_CHECK enum status pager_set_pool_size(struct pager *pager, uint64_t size);
uint64_t pager_pool_size(const struct pager *pager);
bool pager_is_failed(const struct pager *pager);
bool pager_is_read_only(const struct pager *pager);
void pager_get_statistics(const struct pager *pager, struct pager_statistics *out);
/** The same without a look at each frame: pin_count and dirty_count are 0. */
void pager_get_counts(const struct pager *pager, struct pager_statistics *out);
struct env pager_env(const struct pager *pager);

/* Reading. */

/* A pinned page: its frame stays. The bytes may change under the holder unless it holds the commit
 * latch: read them through a view, or copy. */
struct pager_pin {
    uint32_t page_number;
    uint32_t frame;
    const uint8_t *bytes;
};

/** Brings the page in, verified (and repaired where possible), and pins it. Not under the latch. */
MUST_CHECK enum status pager_pin(struct pager *pager, uint32_t page_number, struct pager_pin *out);
void pager_unpin(struct pager *pager, struct pager_pin *pin);

/** A consistent copy of PAGE_SIZE bytes. Not under the latch. */
MUST_CHECK enum status pager_copy(struct pager *pager, uint32_t page_number, void *out);

/** Brings in those of `count` pages that are absent, with reads side by side; errors show at the pin.
 * Not under the latch. */
void pager_prefetch(struct pager *pager, const uint32_t *page_numbers, uint32_t count);

/** Pages that the calling thread has read from disk so far, of any file. */
uint64_t pager_thread_page_reads(void);

/* Changing. */

/* What a change will need, as far as its caller can tell. */
struct pager_change_room {
    uint32_t edit_count; /* Pages it will edit, map pages aside, */
    uint32_t new_count;  /* and allocate. */
    size_t log_size;     /* Bytes of its records. */
};

/**
 * Provides file space, buffers and log for a change that is about to begin, so that it need not begin
 * again for them. Not under the latch. An estimate: of what is too little, or cannot be had, the change
 * will say itself that it is missing. Nothing happens before a handle's first change.
 */
void pager_change_foresee(struct pager *pager, const struct pager_change_room *room);

/**
 * Takes the commit latch (waits for it, and for the checkpoint where the log is near its limit).
 * One change set exists at a time. STATUS_READONLY, STATUS_FAILED, STATUS_FULL.
 */
MUST_CHECK enum status pager_change_begin(struct pager *pager, struct pager_change **out);

/** Pages that one change may touch (pager_options.change_limit); of adopted ones sixteen count as one. */
uint32_t pager_change_limit(const struct pager *pager);
/** Whether a STATUS_FULL of this change was for that limit. */
bool pager_change_is_full(const struct pager_change *change);

/** The CSN that the commit will have. */
uint64_t pager_change_csn(const struct pager_change *change);

/* What a commit cost. */
struct pager_change_cost {
    uint64_t log_size;   /* Bytes of its records. */
    uint64_t page_count; /* Pages changed, made and freed, map pages included. */
};
/** Asks for what the commit will have cost: `out` is filled when it succeeds. */
void pager_change_measure(struct pager_change *change, struct pager_change_cost *out);

/** The page as this change sees it: its scratch copy or the published bytes. STATUS_MISSING. Valid
 * until the change ends. */
MUST_CHECK enum status pager_change_read(struct pager_change *change, uint32_t page_number,
                                         const uint8_t **out);

/** The page's scratch copy, for editing; bytes [0, 24) are the pager's. STATUS_MISSING. */
MUST_CHECK enum status pager_change_edit(struct pager_change *change, uint32_t page_number,
                                         uint8_t **out);

/** Says that the caller will not write through any pointer it was given so far without asking for the
 * page again. Lets the pager encode finished leaves while they are in the processor's cache. */
void pager_change_rest(struct pager_change *change);

/** Announces that scratch bytes were moved inside the page: a hint that makes records smaller. */
void pager_change_move(struct pager_change *change, uint32_t page_number, uint32_t from,
                       uint32_t to, uint32_t size);

/** A new page, initialised (page_init) in scratch. STATUS_MISSING, STATUS_FULL. */
MUST_CHECK enum status pager_change_allocate(struct pager_change *change, uint32_t tree_id,
                                             enum page_type type, uint8_t level,
                                             uint32_t *page_number_out, uint8_t **out);

/** Frees the page at commit. STATUS_MISSING; STATUS_CORRUPT when it is not in use. */
MUST_CHECK enum status pager_change_free(struct pager_change *change, uint32_t page_number);

/** Adds an opaque note to the commit; copied. STATUS_MISSING when there is no room yet. */
MUST_CHECK enum status pager_change_note(struct pager_change *change, const void *bytes,
                                         size_t size);

/**
 * Logs and publishes; releases the latch whatever the status. On any status but STATUS_OK nothing
 * has changed. The commit is visible at once, durable after pager_flush. STATUS_MISSING: resolve and
 * repeat the whole change. A change that alters nothing takes no CSN; `*csn_out` is then the last one.
 */
MUST_CHECK enum status pager_change_commit(struct pager_change *change, uint64_t *csn_out);

/** Drops the change; releases the latch. */
void pager_change_abandon(struct pager_change *change);

/**
 * After STATUS_MISSING and the end of that change: does what was missing (reads the page and pins it
 * until the next change ends, grows the file, flushes pages, makes room in the log). Not under latch.
 */
MUST_CHECK enum status pager_change_resolve(struct pager *pager);

/** Returns once `csn` is durable. */
MUST_CHECK enum status pager_flush(struct pager *pager, uint64_t csn);
/** The same for as many clients as wait for this call; see wal_flush_for. */
MUST_CHECK enum status pager_flush_for(struct pager *pager, uint64_t csn, uint32_t client_count);
uint64_t pager_csn_durable(const struct pager *pager);

/* Direct writes (rule L4): pages that no record since the redo point touches. */

/** Pages for direct writing: space allocated, numbers handed out to the caller until they are used in
 * a commit or given back. In memory only until then. Not under the latch. STATUS_FULL. */
MUST_CHECK enum status pager_direct_reserve(struct pager *pager, uint32_t count,
                                            uint32_t *page_numbers_out);
/** Writes reserved pages while its user makes the next ones; of one thread at a time. */
struct pager_direct;
/** STATUS_READONLY, STATUS_FAILED, STATUS_NO_MEMORY, what the log and its directory may say. */
MUST_CHECK enum status pager_direct_begin(struct pager *pager, struct pager_direct **out);
/** Takes a copy of a page image (header from page_init; sealed here) for a reserved page. What is put
 * in the order of the page numbers goes out in large pieces. After a failed write the handle is FAILED. */
MUST_CHECK enum status pager_direct_put(struct pager_direct *direct, uint32_t page_number,
                                        const void *page);
/** Waits for what was put, all of which `page_numbers` names, and syncs it: it may be adopted. */
MUST_CHECK enum status pager_direct_finish(struct pager_direct *direct, uint32_t count,
                                           const uint32_t *page_numbers);
/** Waits for writes under way; NULL is fine. What was not finished must not be adopted. */
void pager_direct_end(struct pager_direct *direct);
/** All of these for `count` page images that are there already. */
MUST_CHECK enum status pager_direct_write(struct pager *pager, uint32_t count,
                                          const uint32_t *page_numbers, void *const *pages);
/** Within a change: the page becomes part of the file as it was written (RESET). STATUS_MISSING. */
MUST_CHECK enum status pager_change_adopt(struct pager_change *change, uint32_t page_number);
/** Gives back reserved pages that were not adopted. */
void pager_direct_release(struct pager *pager, uint32_t count, const uint32_t *page_numbers);

/* Codecs (kernel/base/compress.h), one a thread at a time, kept for the next user. */
struct compress;
MUST_CHECK enum status pager_codec_take(struct pager *pager, struct compress **out);
void pager_codec_give(struct pager *pager, struct compress *codec);

/* Background and maintenance. Not under the latch. */

/** One step of whatever is due: checkpoint, segment preparation, horizon. `*more_out`: another is. */
MUST_CHECK enum status pager_work(struct pager *pager, bool *more_out);
/** For the owner's thread: sleeps until work is due, pager_wake is called, or `timeout_ns` passed. */
void pager_wait_for_work(struct pager *pager, uint64_t timeout_ns);
void pager_wake(struct pager *pager);
/** A whole checkpoint: everything committed so far is in the file when it returns. */
MUST_CHECK enum status pager_checkpoint(struct pager *pager);
/** Cuts free pages off the file's end (logged; the file gets shorter at the second checkpoint after). */
MUST_CHECK enum status pager_shrink(struct pager *pager, uint32_t *page_count_out);

/*
 * Online backup (backup_pages.c): begin, passes until few changed pages are left, finish while nobody commits
 * but the pager itself, publish. The copy has the file's id and opens like a file closed clean.
 */
struct pager_backup;
struct pager_backup_progress {
    uint32_t pass;       /* From 1. */
    uint64_t page_count; /* Of all passes so far and the rest of this one; it may grow. */
    uint64_t page_done;
};
/** `progress` (may be NULL) is called often, but not by finish, and may commit; anything but STATUS_OK
 * stops the backup with it.
 * STATUS_EXISTS: there is a file of that name. STATUS_BUSY: one backup at a time. */
MUST_CHECK enum status pager_backup_begin(
    struct pager *pager, const char *path,
    enum status (*progress)(void *context, const struct pager_backup_progress *progress),
    void *context, struct pager_backup **out);
/** Frees it; removes what was not published. NULL is fine. */
void pager_backup_end(struct pager_backup *backup);
/** Pages changed since they were copied. */
uint32_t pager_backup_left(const struct pager_backup *backup);
/** Copies all pages in use, or those that are left. STATUS_CORRUPT names a page that cannot be read. */
MUST_CHECK enum status pager_backup_pass(struct pager_backup *backup);
/** At least one pass was made, and no other thread commits until it returns. */
MUST_CHECK enum status pager_backup_finish(struct pager_backup *backup);
/** Makes the copy durable under its name. */
MUST_CHECK enum status pager_backup_publish(struct pager_backup *backup);

/* Verification, for qtdb-check: each page of the file by the map, against its witness. */
struct pager_finding {
    uint32_t page_number;
    enum status status;
    const char *reason;
};
struct pager_check_result {
    uint64_t page_count;
    uint64_t used_count;
    uint64_t free_count;
    uint64_t map_count;
    uint64_t finding_count;
};
MUST_CHECK enum status pager_check(struct pager *pager,
                                   void (*finding)(void *context,
                                                   const struct pager_finding *finding),
                                   void *context, struct pager_check_result *out);
/** The map's entry of a page, for reachability checks. Not under the latch. */
MUST_CHECK enum status pager_page_state(struct pager *pager, uint32_t page_number,
                                        enum page_state *out);

#endif
