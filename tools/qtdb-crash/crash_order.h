/*
 * The order rules, asserted live: a watcher of one disk and one handle that decodes what is written,
 * by wal_format.h and pager_format.h, and keeps its own account of what is durable.
 *
 *   O1  a page is written only when its CSN is durable in the log
 *   O2  a block with frame bytes is not written again while its segment has its number
 *   O3  a segment is renamed, removed or cut only when no meta slot, durable or pending, needs it
 *   O4  both meta slots say needs-log, durably, before the first frame or page is written
 *   O5  nothing is called durable whose frame is not durable, under names that are durable
 *   O6  a redo point is published only when every page written up to it is synced
 *   O7  a frame is written only when every direct write before it is synced
 *   O8  one write of a page is in flight at a time
 *   O9  the file is cut only to what both slots have already published
 *   O10 a log that is found is continued in a new epoch
 *
 * The account is by operations as the disk reports them: a write is durable when it was done before
 * a sync was issued that succeeded, or carried IO_DURABLE; a name, when its directory was synced
 * after. What was on the disk before the watcher began counts as durable.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_ORDER_H
#define TOOLS_QTDB_CRASH_CRASH_ORDER_H

#include "tools/qtdb-crash/crash.h"

enum { ORDER_SEGMENT_MAX = 256, ORDER_TEXT_SIZE = 240 };

/* How far a write has come. */
enum order_progress {
    ORDER_SYNCED = 0,
    ORDER_IN_FLIGHT = 1, /* Submitted. */
    ORDER_WRITTEN = 2,   /* Done, not synced. */
    ORDER_COVERED = 3,   /* Done before the sync that is under way. */
};

struct order_page {
    enum order_progress progress;
    bool direct;
    uint64_t csn; /* Of the write that is not synced. */
};

struct order_meta {
    bool valid;
    bool needs_log;
    uint64_t redo_lsn;
    uint64_t page_count;
};

struct order_slot {
    struct order_meta durable;
    struct order_meta pending; /* Valid while progress is not ORDER_SYNCED. */
    enum order_progress progress;
};

struct order_segment {
    uint64_t number;    /* 0: this place is free. */
    uint64_t opened_as; /* It had this number when it was opened; 0: not renamed. */
    bool name_pending;
    bool header_pending;
    uint32_t written; /* A bit a block: frame bytes. */
};

struct order_frame {
    uint64_t segment;
    uint64_t offset;
    uint64_t csn; /* Highest CSN complete at its end. */
    enum order_progress progress;
};

struct crash_order {
    struct memory *memory;
    void (*broken)(void *context, const char *text); /* NULL: nobody listens. */
    void *context;
    struct io *io;      /* Looked at, never used for operations. */
    bool direct;        /* The handle is writing pages directly (L4): they precede their commit. */
    uint64_t allowance; /* Subtracted from what is durable: the canary's. */

    struct order_page pages[CRASH_PAGE_LIMIT];
    struct order_slot slots[META_SLOT_COUNT];
    bool file_name_pending;
    bool log_dir_pending;

    struct order_segment segments[ORDER_SEGMENT_MAX];
    bool has_header;    /* A segment header was written: the log takes appends. */
    uint64_t old_last;  /* Last segment of the log as it was found. */
    uint64_t new_first; /* First and last one of the log as it is continued. */
    uint64_t new_last;

    struct order_frame *frames; /* Not yet proven durable, in order. */
    uint32_t frame_count;
    uint32_t frame_capacity;
    uint64_t csn_proven; /* UINT64_MAX until the log takes appends. */
};

void crash_order_init(struct crash_order *order, struct memory *memory,
                      void (*broken)(void *context, const char *text), void *context);
void crash_order_deinit(struct crash_order *order);
/** A handle is about to be opened: looks at the slots and forgets all else. */
void crash_order_begin(struct crash_order *order, struct io *io);
/** One operation; `csn_claimed` is what the handle calls durable (0: there is no handle yet). */
void crash_order_event(struct crash_order *order, const struct io_sim_event *event,
                       uint64_t csn_claimed);

/* crash_order_log.c: the log's half. */
void crash_order_broken(struct crash_order *order, const struct io_sim_event *event,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));
void crash_order_log_event(struct crash_order *order, const struct io_sim_event *event);
/** The lowest redo point that a slot may have after a crash now; UINT64_MAX: none. */
uint64_t crash_order_redo(const struct crash_order *order);
/** Counts frames as durable from the front as far as they are. */
void crash_order_prove(struct crash_order *order);
bool crash_order_is_log(const char *path);

#endif
