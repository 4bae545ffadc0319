/*
 * The insides of the log, shared by its sources.
 *
 * A frame has a running number (sequence) since the log was started; its buffer is slot
 * `sequence % buffer_count` of the ring. Four marks divide the sequences:
 *
 *     finished <= submitted <= sealed <= open
 *     [finished, submitted)  being written; those done out of order say `finished` in their slot
 *     [submitted, sealed)    header complete, waiting for a thread to write it
 *     [sealed, open)         closed: position known, checksums not yet
 *     open                   gathers commits; its slot may still be in flight while it is empty
 *
 * A frame's position is settled when it is closed, its chain and durable CSN when it is sealed.
 */
#ifndef WAL_WAL_PRIVATE_H
#define WAL_WAL_PRIVATE_H

#include <inttypes.h>
#include <stdatomic.h>

#include "kernel/base/sync.h"
#include "wal/wal.h"

enum {
    WAL__IN_FLIGHT_MAX = 4,
    WAL__BUFFER_COUNT_DEFAULT = 8,
    WAL__BUFFER_COUNT_MIN = 2,
    WAL__BUFFER_COUNT_MAX = 64,
    WAL__PAYLOAD_MIN = 256,
    WAL__SPARE_COUNT_DEFAULT = 2,
    WAL__PART_ROOM_MIN = 64,           /* With less room a frame is closed. */
    WAL__SEAL_LATCHED_MAX = 16 * 1024, /* Larger payloads are summed without the latch. */
    WAL__FILL_STEP = 256 * 1024,
    WAL__FILL_AHEAD = 1024 * 1024,
    WAL__FILL_AHEAD_MIN = 16 * 1024, /* At first; then as much as has been logged. */
    WAL__FILL_FRAME_MAX = 64 * 1024, /* Larger frames may use unwritten extents. */
    WAL__READ_STEP_MIN = 64 * 1024,
    WAL__READ_STEP_MAX = 1024 * 1024,
    WAL__HOLD_NS = 100 * 1000, /* Longest time that a frame is held back for clients to come. */
    WAL__FAILURE_SIZE = 256,
    WAL__NAME_SIZE = 20 + 1, /* %016llx.seg and NUL. */
};

#define WAL__FILE_NAME "%016" PRIx64 ".seg"

/* A segment file: of the log, or prepared for it. */
struct wal__segment {
    struct wal__segment *next;
    uint64_t number;
    uint64_t epoch;      /* 0: its header is not valid. */
    uint64_t prev_epoch; /* As its header says; of those found at open. */
    struct wal_position prev_end;
    uint64_t end_lsn; /* Where its frames end; 0: still written, or not known. */
    uint64_t file_size;
    uint64_t filled;      /* Bytes from the file's start that were written once. */
    struct io_file *file; /* Current and prepared segments only. */
    bool archiving;       /* A thread is inside the archive hook with it. */
    bool archived;
};

/* First in, first out. */
struct wal__segments {
    struct wal__segment *first;
    struct wal__segment *last;
    uint64_t count;
};

/* Every segment file of the directory, by number. */
struct wal__files {
    struct wal__segment **items;
    uint64_t count;
    uint64_t capacity;
    enum status status; /* Of the listing so far. */
};

struct wal__slot {
    uint8_t *frame; /* Header, payload, zeros up to a block. */
    uint32_t payload_size;
    uint32_t commit_count;
    uint32_t client_count; /* Who wait for it. */
    uint64_t first_csn;
    uint64_t csn; /* Highest complete CSN at its end. */
    uint64_t lsn;
    bool finished;
    bool has_candidate; /* A waiter stands by to write it. */
    struct event done;  /* Counts up when its frame is durable, or the log failed. */
};

/* Where a frame walk stands. */
struct wal__cursor {
    struct wal_position at;
    bool in_commit; /* The last part was not a commit's last. */
};

/* What wal_start has to save from the end of the log; see wal_fence.c. */
struct wal__tail {
    struct wal__cursor from;     /* Frames from here to the end are not known durable. */
    struct wal_position claim;   /* Where the new segment continues the log. */
    struct wal__segment *behind; /* The segment that it continues. */
};

struct wal {
    /* Fixed at open. */
    struct env env;
    const char *dir;
    struct wal_options options;
    uint64_t segment_size;
    struct wal_position start;
    struct wal_scan_result scan;
    struct wal__files files; /* During wal_open only. */
    struct wal__tail tail;

    /* Fixed at start. */
    bool started;
    uint64_t epoch;
    uint32_t payload_max;
    uint32_t slot_count;
    size_t slot_size;
    struct wal__slot *slots;
    uint8_t *frames;        /* The slots' memory. */
    uint8_t *header_block;  /* Owned by the thread that switches. */
    uint8_t *horizon_block; /* Guarded by space. */
    size_t fill_step;
    uint64_t hold_ns;          /* WAL__HOLD_NS. */
    uint64_t small_frame_size; /* Bytes of frames written that want filled space. */

    /* Taken before `latch`, held across I/O: creating, recycling, horizon. */
    struct latch space;
    uint64_t horizon_sequence;
    uint64_t horizon_segment;
    uint64_t horizon_csn;
    uint64_t horizon_lsn;
    uint64_t number_next; /* Of the next segment to prepare. */

    /* Guarded by latch. */
    struct latch latch;
    struct wal__segments kept;     /* Oldest first; the last one is written. */
    struct wal__segments prepared; /* Numbers follow the last kept one's. */
    struct wal__segments leftover; /* Found at open, not of the log. */
    uint64_t sequence_finished;
    uint64_t sequence_submitted;
    uint64_t sequence_sealed;
    uint64_t sequence_open;
    uint32_t open_used; /* Payload bytes gathered. */
    uint32_t open_commit_count;
    uint32_t clients_expected; /* Small frames wait for so many clients; 0: for none. */
    uint64_t open_first_csn;
    uint64_t lsn_next; /* Where the last closed frame ends. */
    uint64_t lsn_durable;
    struct wal_position released;         /* All before it is given back, or may be. */
    uint64_t size_closed;                 /* Bytes of closed frames past `released`. */
    uint64_t chain;                       /* Of the last sealed frame. */
    uint64_t chain_submitted;             /* Of the last submitted frame. */
    uint64_t csn_submitted;               /* Highest complete CSN of submitted frames. */
    size_t reserved;                      /* Bytes the next append may have ... */
    bool is_reserved;                     /* ... if it may come at all. */
    uint32_t writing_count;               /* Threads inside a write of frames or headers. */
    bool sealing;                         /* A thread sums a payload without the latch. */
    bool switching;                       /* A thread writes the next segment's header. */
    bool filling;                         /* A thread fills a segment ... */
    uint8_t *zeros;                       /* ... with these fill_step bytes. */
    const struct wal__segment *exchanged; /* A thread gives this prepared one another file. */
    struct event turn;                    /* For candidates and for those who wait for the flags. */
    struct wal_statistics statistics;
    char failure[WAL__FAILURE_SIZE];

    /* Written under latch, read by anyone. */
    _Atomic uint64_t csn_appended;
    _Atomic uint64_t csn_durable;
    _Atomic uint64_t size;
    _Atomic bool failed;
    _Atomic bool prepare_due; /* Small frames will soon reach space that was never written. */
};

/* wal_record.c */

struct wal__part {
    uint64_t csn;
    uint8_t flags;
    uint64_t time_ms; /* Only with WAL_PART_FIRST, else 0. */
    const uint8_t *bytes;
    size_t size;
};

/** Bytes that part header and `size` bytes of records take. */
size_t wal__part_size(const struct wal__part *part, uint64_t first_csn, size_t size);
void wal__part_put(struct byte_writer *writer, const struct wal__part *part, uint64_t first_csn);
bool wal__part_get(struct byte_reader *reader, uint64_t first_csn, struct wal__part *out);
/** Encoded size of the record that begins at `bytes`; 0 when `size` bytes do not tell. */
uint64_t wal__record_size(const uint8_t *bytes, size_t size);

/* wal_frame.c: bytes in, bytes out. */

/** Header, payload and padding. */
uint64_t wal__frame_size(uint32_t payload_size);
uint64_t wal__payload_checksum(const struct wal_frame_header *header, const uint8_t *payload);
/** Sets header_checksum from the rest. */
void wal__frame_header_seal(struct wal_frame_header *header);
/** (1) and (6) of validity: the bytes are some frame's header. NULL, or static text saying why not. */
const char *wal__frame_header_check(const struct wal_frame_header *header);
/** (2) to (6): it is the frame that the cursor expects, with `room` bytes left in the segment. */
const char *wal__frame_place_check(const struct wal_frame_header *header,
                                   const struct wal__cursor *cursor, uint64_t epoch, uint64_t room);
/** (7). */
const char *wal__frame_payload_check(const struct wal_frame_header *header, const uint8_t *payload);
/** (8), and moves the cursor past the frame; untouched when not NULL. */
const char *wal__frame_parts_check(const struct wal_frame_header *header, const uint8_t *payload,
                                   struct wal__cursor *cursor);

void wal__segment_header_seal(struct wal_segment_header *header);
/** STATUS_CORRUPT: not a header; STATUS_VERSION: of a newer format. Raises no message. */
MUST_CHECK enum status wal__segment_header_check(const struct wal_segment_header *header);
void wal__horizon_seal(struct wal_horizon *horizon);
bool wal__horizon_is_sound(const struct wal_horizon *horizon);

/* wal_segment.c: files and lists of them. */

/** The segment that holds `lsn`; the very end of a segment belongs to it. */
uint64_t wal__number_of(const struct wal *wal, uint64_t lsn);
/** Position of the first frame of segment `number`. */
uint64_t wal__first_lsn(const struct wal *wal, uint64_t number);
uint64_t wal__offset_of(const struct wal *wal, uint64_t number, uint64_t lsn);

struct wal__path {
    char text[IO_PATH_SIZE];
};
/** `dir` is known to be short enough (wal__dir_check). */
struct wal__path wal__path_of(const char *dir, uint64_t number);
MUST_CHECK enum status wal__dir_check(const char *dir);
/** The number in a segment's file name; 0 when it is not one. */
uint64_t wal__number_in(const char *name);

/** Frame bytes between two positions in kept segments. Latch held. */
uint64_t wal__size_between(const struct wal *wal, uint64_t from, uint64_t to);
/** A random number other than 0 and the last. */
void wal__draw_epoch(struct wal *wal, uint64_t last_epoch);

void wal__segments_push(struct wal__segments *list, struct wal__segment *segment);
struct wal__segment *wal__segments_pop(struct wal__segments *list);
void wal__segments_free(struct wal *wal, struct wal__segments *list);
void wal__segment_free(struct wal *wal, struct wal__segment *segment);

/** A new file of full size, its name durable. */
MUST_CHECK enum status wal__segment_create(struct wal *wal, uint64_t number,
                                           struct wal__segment **out);
/** Gives a file that is no longer needed a new number; the name is not durable yet. In two steps where the
 * segment is in a list that others look at: it is out of it when its own number changes. */
MUST_CHECK enum status wal__segment_move_file(struct wal *wal, const struct wal__segment *segment,
                                              uint64_t number);
void wal__segment_renumber(struct wal__segment *segment, uint64_t number);
MUST_CHECK enum status wal__segment_rename(struct wal *wal, struct wal__segment *segment,
                                           uint64_t number);
MUST_CHECK enum status wal__segment_open_file(struct wal *wal, struct wal__segment *segment);
/** Writes the header that makes a prepared segment part of the log. */
MUST_CHECK enum status wal__segment_write_header(struct wal *wal, struct wal__segment *segment,
                                                 uint64_t prev_epoch,
                                                 const struct wal_position *prev_end);
MUST_CHECK enum status wal__sync_dir(struct wal *wal);

/* wal_invariants.c */

/** Latch held, log started: for DCHECK after transitions. */
bool wal__invariants_hold(const struct wal *wal);

/* wal_append.c */

/** Latch held. The open frame, if it holds anything, gets its position. */
void wal__close_open(struct wal *wal);
/** Latch held. Whether `size` bytes of records find buffers and segments. */
bool wal__has_room(const struct wal *wal, size_t size, bool emergency, bool *buffers_lack_out);
/** Latch held. Where the frame after `lsn` goes, given its size in blocks. */
uint64_t wal__place(const struct wal *wal, uint64_t lsn, uint64_t frame_size);
/** Frames that `size` bytes of records may take in empty buffers. */
uint64_t wal__frame_count_of(const struct wal *wal, size_t size);

/* wal_flush.c */

/** Latch held; released for a while. Seals all closed frames. */
void wal__seal_closed(struct wal *wal);
/** Latch held; released for a while. Writes a step's worth of zeros where the segment ends being
 * filled. A failure makes the log FAILED. */
void wal__fill(struct wal *wal, struct wal__segment *segment);
/** How far ahead of the frames space is filled: as far as small frames have come since the log was opened,
 * within limits, so that a short life writes few zeros. A multiple of WAL_BLOCK_SIZE. Latch held. */
uint64_t wal__fill_ahead(const struct wal *wal);
/** After a small frame: notes whether half of the space filled ahead is used up. Latch held. (wal_space.c) */
void wal__note_fill(struct wal *wal);
/** Latch held, and released on return. Returns once frame `sequence` is durable; `csn` is the last that
 * the caller cares for (UINT64_MAX: the frame itself). */
MUST_CHECK enum status wal__flush_until(struct wal *wal, uint64_t sequence, uint64_t csn);

/* wal_failure.c */

/** Latch held. The log is FAILED from here on; the first cause is kept. */
void wal__fail(struct wal *wal, const char *what);
/** The same for callers without the latch; before the start it returns `status`. */
MUST_CHECK enum status wal__fail_unlatched(struct wal *wal, enum status status, const char *what);
/** Raises STATUS_FAILED with the first cause. */
MUST_CHECK enum status wal__raise_failed(struct wal *wal);

/* wal_stream.c: a file read through a bounded window, best from front to back. */

struct wal__stream {
    struct memory *memory;
    struct io *io;
    struct io_file *file;
    uint64_t file_size;
    size_t slack_size;
    size_t chunk_size;
    uint8_t *windows[2]; /* The second only where reading ahead pays. */
    uint32_t current;
    uint8_t *data;           /* In the current window: the file's bytes ... */
    uint64_t base;           /* ... from here on ... */
    size_t size;             /* ... so many. */
    size_t step;             /* Bytes to read at once; grows. */
    struct io_queue *queue;  /* NULL until something is read ahead. */
    struct io_request ahead; /* On its way into the other window's chunk. */
    bool ahead_is_active;
};

/** Windows are made for files of `size_max` bytes and serve one file after the other. */
MUST_CHECK enum status wal__stream_init(struct wal__stream *stream, const struct env *env,
                                        uint64_t size_max);
MUST_CHECK enum status wal__stream_open(struct wal__stream *stream, const char *path);
void wal__stream_close(struct wal__stream *stream);
void wal__stream_deinit(struct wal__stream *stream);
/** Bytes [offset, offset + size), `size` at most a frame's, valid until the next call; NULL in `*out`
 * where the file ends before. */
MUST_CHECK enum status wal__stream_get(struct wal__stream *stream, uint64_t offset, size_t size,
                                       const uint8_t **out);

/* wal_walk.c: from frame to frame of one segment. */

struct wal__walk {
    struct wal *wal;
    struct wal__segment *segment;
    uint64_t end_lsn; /* Where its frames end; 0: not known. */
    struct wal__cursor cursor;
    struct wal__stream stream;
    struct wal_frame_header header; /* Last looked at. */
    const uint8_t *payload;         /* Of the frame last accepted. */
};

MUST_CHECK enum status wal__walk_init(struct wal__walk *walk, struct wal *wal);
void wal__walk_deinit(struct wal__walk *walk);
/** Goes on in `segment`, to `end_lsn` (0: to the segment's end); the cursor is the caller's. */
MUST_CHECK enum status wal__walk_enter(struct wal__walk *walk, struct wal__segment *segment,
                                       uint64_t end_lsn);
/** Takes the frame at the cursor and moves past it. `*reason_out` is NULL, or says why the bytes there
 * are not it (static text; the cursor stays). Another status only when they could not be read. */
MUST_CHECK enum status wal__walk_frame(struct wal__walk *walk, const char **reason_out);
/** Whether a frame stands complete and valid in itself at `offset` of the file, which is `lsn`. */
MUST_CHECK enum status wal__frame_at(struct wal__stream *stream, uint64_t offset, uint64_t lsn,
                                     struct wal_frame_header *header_out, bool *valid_out);

/* wal_witness.c */

struct wal__proof {
    const char *text;     /* NULL: none found. */
    uint64_t lsn;         /* Where it stands. */
    uint64_t csn_durable; /* What the horizon says, 0 if there is none. */
    uint64_t lsn_durable;
};

/** Looks for proof that the frame missing at the walk's cursor had been durable. */
MUST_CHECK enum status wal__witness_find(struct wal__walk *walk, struct wal__proof *out);

/* wal_files.c: what a directory holds. */

/** Lists and reads the headers into wal->files; learns the segment size. */
MUST_CHECK enum status wal__files_load(struct wal *wal);
struct wal__segment *wal__files_find(const struct wal *wal, uint64_t number);
/** The segment that continues `segment`, NULL if none. */
struct wal__segment *wal__files_successor(const struct wal *wal,
                                          const struct wal__segment *segment);
void wal__files_free(struct wal *wal);

/** The newer sound horizon slot of segment `number` in the stream's file. */
MUST_CHECK enum status wal__horizon_read(struct wal__stream *stream, uint64_t log_id,
                                         uint64_t number, struct wal_horizon *out, bool *found_out);

/* wal_fence.c */

/** A new segment that continues the log, with what was not known durable copied into it. `*at_out`
 * is where it takes frames. */
MUST_CHECK enum status wal__fence(struct wal *wal, struct wal_position *at_out);

/* wal_scan.c */

/** Reads the log from wal->start to its end: fills wal->scan, `kept` and `leftover`. */
MUST_CHECK enum status wal__scan_run(struct wal *wal);

#endif
