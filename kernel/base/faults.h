/*
 * Seeded bugs: known mistakes, one line each at the place where a programmer would make it, built
 * only into the `bugs` variant (make VARIANT=bugs) and switched on by number at run time. The rig
 * must find every one. In ordinary builds BUG(name) is the constant 0 and the code vanishes.
 */
#ifndef KERNEL_BASE_FAULTS_H
#define KERNEL_BASE_FAULTS_H

#include <stdint.h>

/* Numbers are stable; names say the mistake. */
#define FAULTS_BUGS(X)                                                                          \
    X(1, ACK_BEFORE_SYNC)            /* a commit is called durable before its frame is */       \
    X(2, SEGMENT_DIR_NOT_SYNCED)     /* a new segment is used before its name is durable */     \
    X(3, CHECKPOINT_LSN_TOO_NEW)     /* R is published one frame too new */                     \
    X(4, SEGMENT_REUSED_EARLY)       /* a segment is recycled one checkpoint early */           \
    X(5, PAGE_BEFORE_LOG)            /* a page is written before its log is durable */          \
    X(6, REUSE_BEFORE_FREE_DURABLE)  /* a page is given out before its free is durable */       \
    X(7, EPOCH_NOT_CHECKED)          /* recovery accepts frames of another epoch */             \
    X(8, CHAIN_NOT_CHECKED)          /* recovery accepts a frame that breaks the chain */       \
    X(9, HORIZON_NOT_CHECKED)        /* recovery ignores the horizon */                         \
    X(10, LSN_NOT_CHECKED)           /* recovery accepts a frame of another position */         \
    X(11, PAYLOAD_NOT_CHECKED)       /* recovery does not verify a frame's payload */           \
    X(12, ROTTEN_MIDDLE_CUT)         /* a rotten middle is cut like a torn tail */              \
    X(13, META_ONE_SLOT)             /* both meta writes go to the same slot */                 \
    X(14, META_BEFORE_PAGES)         /* R is published before the pages' sync */                \
    X(15, NEEDS_LOG_NOT_SYNCED)      /* the first log write goes before needs-log is durable */ \
    X(16, IMAGE_OMITTED)             /* the first change of an interval logs ranges only */     \
    X(17, MOVE_WITHOUT_IMAGE)        /* a move is logged without an image in the interval */    \
    X(18, RANGE_ONE_SHORT)           /* the last byte of a range is not logged */               \
    X(19, DIRTY_CLEARED_AT_WRITE)    /* a page leaves the dirty set before the sync */          \
    X(20, DIRTY_LOST_ON_REDIRTY)     /* a change during a flush is taken as flushed */          \
    X(21, REDO_STOPS_EARLY)          /* the last frame is not redone */                         \
    X(22, REDO_SKIPS_FREE)           /* a logged free is ignored by redo */                     \
    X(23, REDO_PAGES_NOT_DIRTY)      /* redone pages are not flushed before R moves */          \
    X(24, TAIL_NOT_FENCED)           /* no new epoch after a crash */                           \
    X(25, FAILED_SYNC_RETRIED)       /* a failed sync is tried again and believed */            \
    X(26, SHRINK_BEFORE_CHECKPOINT)  /* the file is cut before the checkpoint beyond it */      \
    X(27, DIRECT_WRITE_NOT_SYNCED)   /* a RESET frame goes before its pages are durable */      \
    X(28, PAGE_CHECKSUM_NOT_CHECKED) /* a page's checksum is not verified on read */            \
    X(29, STALE_PAGE_ACCEPTED)       /* a page older than the map's witness is returned */      \
    X(30, PAGE_NUMBER_NOT_CHECKED)   /* a misdirected page is returned */                       \
    X(31, HALF_COMMIT_ACCEPTED)      /* a commit without its last part is redone */             \
    X(32, WRITE_ERROR_IGNORED)       /* a failed page write counts as written */                \
    X(33, LOG_FREED_BEFORE_META)     /* segments are recycled before the meta is durable */     \
    X(34, RECOVERY_RESUMES_OLD_TAIL) /* recovery appends into the cut segment */                \
    X(35, MAP_NOT_UPDATED)           /* a flush leaves the page map's witness as it was */      \
    X(36, CLEAN_CLOSE_NOT_SYNCED)    /* the log is removed before the clean meta is durable */  \
    /* Above the page store; mode big of qtdb-crash finds them. */                              \
    X(37, UNDO_NOT_WRITTEN)       /* a big commit changes rows that are not in its undo */      \
    X(38, UNDO_AFTER_CHANGE)      /* rows go to the undo after they were changed */             \
    X(39, UNDO_NOT_RUN)           /* an unfinished big commit is called undone and is not */    \
    X(40, UNDO_RECORD_KEPT)       /* what has been undone is undone again at the next open */   \
    X(41, BIG_COMMIT_ENDS_EARLY)  /* a big commit is called complete before its last rows */    \
    X(42, SNAPSHOT_IN_BIG_COMMIT) /* snapshots are taken in the middle of a big commit */       \
    X(43, LEFTOVER_IN_ORDER)      /* segments behind the end go from the first one on */

enum fault_bug {
#define FAULTS_ENUM(number, name) BUG_##name = (number),
    FAULTS_BUGS(FAULTS_ENUM)
#undef FAULTS_ENUM
        BUG_LAST_PLUS_ONE,
    BUG_STORE_LAST = 36, /* Up to here the page store's own. */
};

#ifdef QTDB_BUGS
extern int faults_bug_active;
#define BUG(name) __builtin_expect(faults_bug_active == BUG_##name, 0)
#else
#define BUG(name) 0
#endif

/** Chooses the active bug (0: none). False in builds without seeded bugs or for unknown numbers. */
int faults_bug_set(int number);
/** The bug's name, NULL for unknown numbers. Known in every build. */
const char *faults_bug_name(int number);

#endif
