/*
 * wal: the write-ahead log. It turns commits (opaque records under a CSN) into frames, makes them
 * durable in groups, keeps and recycles segments, and after a crash finds out what was durable. It
 * does not know what a page is; its reader hands records back in order.
 *
 * Life:   wal_create | wal_open -> wal_reader* -> wal_start  ... wal_reserve, wal_append, wal_flush
 *         ... wal_release ... wal_close
 *
 * Threads. wal_reserve, wal_append and wal_mark are called under the caller's commit latch, one
 * thread at a time, and do no I/O and no allocation. All else may be called from any thread without
 * that latch. A failed write or sync is final: the handle is FAILED, waiters and later callers get
 * STATUS_FAILED ("outcome unknown" for what was not yet durable), nothing is ever retried.
 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/env.h"
#include "wal/wal_format.h"

struct wal;
struct wal_reader;

/* A place between frames. Durable positions are named by meta slots. */
struct wal_position {
    uint64_t lsn;   /* Where the next frame starts (or its segment's frames end). */
    uint64_t chain; /* Chain value the next frame must carry. */
    uint64_t csn;   /* Highest CSN before it. */
};

/* Called before a segment is recycled or removed, with the file complete; a status other than OK
 * keeps the segment for a later try. Called without locks held. */
typedef enum status (*wal_archive_fn)(void *context, const char *path, uint64_t segment_number);

struct wal_options {
    uint64_t file_id;
    uint64_t log_id;
    uint64_t segment_size; /* Multiple of WAL_BLOCK_SIZE in [MIN, MAX]; wal_create only. */
    uint32_t buffer_count; /* Frame buffers of about 1 MiB, 2 to 64; 0: default 8. A commit must fit
                                them all together. Up to 4 more serve small frames in flight. */
    uint64_t
        commit_size_max; /* Bytes of the largest commit: buffers become more, up to 64, until they
                                 hold it, whatever a segment of this log makes of their size. */
    uint32_t frame_size_max; /* Bytes of payload a frame, 256 to WAL_FRAME_PAYLOAD_MAX, cut to
                                what fits a segment; 0: the most. Smaller for tests. */
    uint32_t spare_count;    /* Segments kept ready; 0: default 2. */
    uint32_t
        segment_count_max;  /* Released segments are kept for use again while the log has no more
                                files than this; 0: as far as spares are wanted. */
    bool read_only;         /* wal_open only: nothing is written, wal_start is refused. */
    bool accept_loss;       /* Rescue: a rotten middle ends the log instead of refusing it. */
    wal_archive_fn archive; /* May be NULL. */
    void *archive_context;
};

/* What the open found; for the recovery line and for tools. */
struct wal_scan_result {
    uint64_t segment_count;
    uint64_t frame_count;
    uint64_t commit_count;
    uint64_t size;           /* Bytes of frames accepted. */
    struct wal_position end; /* After the last complete commit. */
    uint64_t cut_size;       /* Bytes of torn or incomplete frames dropped. */
    const char *cut_reason;  /* Static text: "clean end", "torn frame", "incomplete commit", ... */
};

struct wal_statistics {
    uint64_t frame_count; /* Written since open. */
    uint64_t frame_size;  /* Bytes of frames with padding, as passed to write. */
    uint64_t payload_size;
    uint64_t fill_size;   /* Zero-filling of new segments. */
    uint64_t header_size; /* Segment headers and horizons. */
    uint64_t flush_count; /* wal_flush calls that had to wait or write. */
    uint64_t segment_created_count;
    uint64_t segment_recycled_count;
};

/**
 * Makes a new log in the existing, empty directory `dir` (borrowed until close): first segment,
 * durable with its name. `csn` is the highest CSN before it. It takes appends at once; its start is
 * what wal_mark says now.
 */
MUST_CHECK enum status wal_create(const struct env *env, const char *dir,
                                  const struct wal_options *options, uint64_t csn,
                                  struct wal **out);

/**
 * Opens an existing log to read from `start`: verifies every frame from there, finds the end and
 * classifies what lies beyond (W5, W6). STATUS_NOT_FOUND: no segment holds `start`.
 * STATUS_CORRUPT: a log of another file, or a rotten middle; the message names LSN and CSN.
 * Positions past `start` marked before are void once wal_start has returned.
 */
MUST_CHECK enum status wal_open(const struct env *env, const char *dir,
                                const struct wal_options *options, struct wal_position start,
                                struct wal **out);
const struct wal_scan_result *wal_scan(const struct wal *wal);

/**
 * After wal_open: fences off the old tail with a new segment and a new epoch, durable before it
 * returns, and makes all commits found durable; from then on the log takes appends. A failure leaves
 * the handle good for reading and close only.
 */
MUST_CHECK enum status wal_start(struct wal *wal);

/** Waits for writes in flight; what was not flushed is dropped. NULL is fine. */
void wal_close(struct wal *wal);

/** Removes every file of the log and the directory (other files in it: left, then STATUS_IO). */
MUST_CHECK enum status wal_remove(const struct env *env, const char *dir);

/* Appending: under the caller's commit latch. */

/**
 * Secures buffer and segment space for one commit of `size` bytes of records, so that the following
 * wal_append cannot fail. STATUS_MISSING: release the latch, call wal_make_room, repeat.
 * `emergency` may use the spare space that is kept for checkpoint, rollback and close.
 */
MUST_CHECK enum status wal_reserve(struct wal *wal, size_t size, bool emergency);

struct wal_commit {
    uint64_t csn; /* The one after the last appended. */
    uint64_t time_ms;
    bool system;
    const void *records; /* Encoded with wal_record_put. */
    size_t size;
};

/** Needs a wal_reserve of at least commit->size. */
void wal_append(struct wal *wal, const struct wal_commit *commit);

/** Ends the open frame, so that the next commit starts one; returns where. No I/O. */
struct wal_position wal_mark(struct wal *wal);

/** Highest CSN appended so far. */
uint64_t wal_csn_appended(const struct wal *wal);

/* Durability and space: no latch held. */

/** Creates, recycles or waits so that wal_reserve of `size` can succeed. STATUS_FULL, _FAILED. */
MUST_CHECK enum status wal_make_room(struct wal *wal, size_t size, bool emergency);

/**
 * Returns once `csn` is durable. The calling thread writes what has gathered when no write is in
 * flight, or when what has gathered fills a block; else it waits for the one in flight.
 */
MUST_CHECK enum status wal_flush(struct wal *wal, uint64_t csn);
/** The same for `client_count` clients who all wait for this call, at least one: a frame is held back for a
 * moment when as many as have just been answered are likely to come back with more for it. */
MUST_CHECK enum status wal_flush_for(struct wal *wal, uint64_t csn, uint32_t client_count);
uint64_t wal_csn_durable(const struct wal *wal);

/** When idle: records the durable CSN in the segment's horizon if it moved. */
MUST_CHECK enum status wal_write_horizon(struct wal *wal);

/** One small step of preparing segments ahead; `*more_out` says whether another is due. */
MUST_CHECK enum status wal_prepare_step(struct wal *wal, bool *more_out);
/** A hint: a step now saves committing threads one soon. Takes no latch. */
bool wal_prepare_is_due(const struct wal *wal);

/** Everything before `position` is no longer needed: whole segments below it are archived, then
 * recycled or removed. Call only after the meta slots that name `position` are durable. */
MUST_CHECK enum status wal_release(struct wal *wal, struct wal_position position);

/** Bytes of frames from the position last released to the end of the last appended one. */
uint64_t wal_size(const struct wal *wal);
bool wal_is_failed(const struct wal *wal);
void wal_get_statistics(const struct wal *wal, struct wal_statistics *out);

/*
 * Reading, from the oldest kept position (`start` of wal_open or wal_create, later that of the last
 * wal_release) to the end: before wal_start the end found by wal_open, afterwards the durable end at
 * the moment of wal_reader_open (for repair while appends run; the caller must not release what the
 * reader still reads). Several readers may run side by side.
 */

struct wal_record {
    enum wal_record_type type;
    uint8_t commit_flags; /* Of its part: WAL_PART_SYSTEM. */
    bool commit_last;     /* The commit's last record. */
    uint64_t page_number;
    const uint8_t *body; /* Valid until the next call on the reader. */
    size_t size;
    uint64_t csn;
    uint64_t time_ms;
    uint64_t lsn; /* Of the frame. */
};

MUST_CHECK enum status wal_reader_open(struct wal *wal, struct wal_reader **out);
/** STATUS_NOT_FOUND at the end; STATUS_CORRUPT when bytes changed since they were verified. */
MUST_CHECK enum status wal_reader_next(struct wal_reader *reader, struct wal_record *out);
/** Bytes of frames read so far, for progress. */
uint64_t wal_reader_offset(const struct wal_reader *reader);
void wal_reader_close(struct wal_reader *reader);

/** Encoded size is at most size + WAL_RECORD_OVERHEAD_MAX. */
void wal_record_put(struct byte_writer *writer, enum wal_record_type type, uint64_t page_number,
                    const void *body, size_t size);
/** Takes one record off hostile bytes; false when they are not one. */
bool wal_record_get(struct byte_reader *reader, struct wal_record *out);

/* For tools and tests: hands on each frame of a segment file as it stands, valid or not. */
struct wal_frame_view {
    uint64_t lsn;
    struct wal_frame_header header;
    enum status status;     /* STATUS_OK, or why it is not valid. */
    const char *reason;     /* Static text when not OK. */
    const uint8_t *payload; /* NULL when not OK. */
};
MUST_CHECK enum status wal_dump_segment(const struct env *env, const char *path,
                                        void (*each)(void *context, const struct wal_frame_view *),
                                        void *context);

#endif
