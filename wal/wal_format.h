/*
 * The log on disk: segments, frames, commit parts, records. Everything is little-endian.
 *
 * Directory NAME-wal/ holds segments named by their number, %016llx.seg, and the pager's `owner`
 * file. Segment number s (from 1) of a log with segment size S covers the log positions (LSN)
 * [s * S, (s + 1) * S): LSN = s * S + offset in the file. LSN 0 is never a frame.
 *
 * Segment:   block 0 header | block 1, 2 horizon slots | frames, each starting on a 4,096-byte block
 *
 *   wal_segment_header (block 0; the rest of the block is zero)
 *   OFFSET  SIZE  FIELD
 *        0     8  magic           "QTDBWALS"
 *        8     4  version         WAL_FORMAT_VERSION
 *       12     4  reserved        0
 *       16     8  file_id         of the database file this log belongs to
 *       24     8  log_id          drawn when the log directory is created, named by the meta slots
 *       32     8  segment_size    S, bytes
 *       40     8  segment_number  s; must equal the file's name
 *       48     8  epoch           drawn anew at each log start and after each crash
 *       56     8  prev_epoch      the preceding segment's epoch; 0 for the first segment of a log
 *       64     8  prev_end_lsn    where the preceding segment's frames end; 0 for the first
 *       72     8  prev_chain      chain value there (header_checksum of the last frame)
 *       80     8  prev_csn        highest CSN before this segment
 *       88     8  checksum        XXH3-64 of bytes [0, 88), seeded with WAL_SEED_SEGMENT
 *
 *   wal_horizon (first bytes of block 1 + sequence % 2, written in turn when the log is idle)
 *        0     8  magic           "QTDBHRZN"
 *        8     8  log_id
 *       16     8  segment_number
 *       24     8  epoch
 *       32     8  sequence        counts up from 1; the valid slot with the higher one counts. 0: a
 *                                 start that is about to copy frames into the segment, before its
 *                                 header; frames up to csn_durable are such copies
 *       40     8  csn_durable
 *       48     8  lsn_durable     end of the last durable frame
 *       56     8  checksum        XXH3-64 of bytes [0, 56), seeded with WAL_SEED_HORIZON
 *
 *   wal_frame_header
 *        0     4  magic           "QFRM"
 *        4     2  version         WAL_FORMAT_VERSION
 *        6     2  flags           0
 *        8     8  lsn             this frame's own position
 *       16     8  epoch
 *       24     4  payload_size    1 to WAL_FRAME_PAYLOAD_MAX bytes after the header
 *       28     4  commit_count    commits whose last part lies in this frame
 *       32     8  first_csn       CSN of the first part in the payload
 *       40     8  csn_durable     highest CSN known durable when the frame was composed
 *       48     8  chain           header_checksum of the frame before; see W4
 *       56     8  payload_checksum XXH3-64 of the payload, seeded with (epoch, lsn)
 *       64     8  header_checksum XXH3-64 of bytes [0, 64), seeded with WAL_SEED_FRAME
 *
 * A frame takes header and payload, zero-padded to a whole number of blocks, and never crosses the
 * end of its segment. The padding has no checksum and is not looked at. Frames follow each other
 * block by block; where the next one does not fit, the next segment's header says where this one's
 * frames end.
 *
 * Payload: commit parts, back to back, each
 *   varint csn_delta   CSN minus the frame's first_csn
 *   u8     flags       enum wal_part_flags
 *   varint time_ms     milliseconds since 1970; only with WAL_PART_FIRST
 *   varint size        bytes of records in this part
 *   records            a piece of the commit's records; one may begin in one part and end in a later
 * A commit's parts are consecutive. It exists if and only if its part with WAL_PART_LAST does.
 * CSNs of consecutive commits are consecutive.
 *
 * Record: u8 type | varint page_number | varint size | body. What a body means is its owner's
 * business (pager/page_delta.h); the log only knows WAL_RECORD_NOTE, which redo ignores.
 *
 * Validity. A frame at position X is valid if and only if (1) magic, version and header_checksum
 * hold, (2) lsn = X, (3) epoch is the segment's, (4) chain is the checksum of the frame before,
 * (5) first_csn is one past the highest complete CSN and csn_durable is not past that,
 * (6) payload_size is in range and fits the segment, (7) payload_checksum holds, (8) its parts decode,
 * follow each other as said above, and account for every byte.
 */
#ifndef WAL_WAL_FORMAT_H
#define WAL_WAL_FORMAT_H

#include "kernel/base/bytes.h"

enum {
    WAL_FORMAT_VERSION = 1,
    WAL_BLOCK_SIZE = 4096,
    WAL_FRAMES_OFFSET = 3 * WAL_BLOCK_SIZE,
    WAL_FRAME_PAYLOAD_MAX = 1024 * 1024 - 72,
    WAL_SEGMENT_SIZE_MIN = 64 * 1024,
    WAL_SEGMENT_SIZE_MAX = 1024 * 1024 * 1024,
    WAL_PART_OVERHEAD_MAX = 10 + 1 + 10 + 10,
    WAL_RECORD_OVERHEAD_MAX = 1 + 10 + 10,
};

#define WAL_SEGMENT_MAGIC 0x534c415742445451ull /* "QTDBWALS" */
#define WAL_HORIZON_MAGIC 0x4e5a524842445451ull /* "QTDBHRZN" */
#define WAL_FRAME_MAGIC 0x4d524651u             /* "QFRM" */
#define WAL_SEED_SEGMENT 0x7365676d656e7431ull
#define WAL_SEED_HORIZON 0x686f72697a6f6e31ull
#define WAL_SEED_FRAME 0x6672616d65303031ull

struct wal_segment_header {
    le64 magic;
    le32 version;
    le32 reserved;
    le64 file_id;
    le64 log_id;
    le64 segment_size;
    le64 segment_number;
    le64 epoch;
    le64 prev_epoch;
    le64 prev_end_lsn;
    le64 prev_chain;
    le64 prev_csn;
    le64 checksum;
};
static_assert(sizeof(struct wal_segment_header) == 96, "on-disk size");
static_assert(offsetof(struct wal_segment_header, checksum) == 88, "on-disk offset");

struct wal_horizon {
    le64 magic;
    le64 log_id;
    le64 segment_number;
    le64 epoch;
    le64 sequence;
    le64 csn_durable;
    le64 lsn_durable;
    le64 checksum;
};
static_assert(sizeof(struct wal_horizon) == 64, "on-disk size");
static_assert(offsetof(struct wal_horizon, checksum) == 56, "on-disk offset");

struct wal_frame_header {
    le32 magic;
    le16 version;
    le16 flags;
    le64 lsn;
    le64 epoch;
    le32 payload_size;
    le32 commit_count;
    le64 first_csn;
    le64 csn_durable;
    le64 chain;
    le64 payload_checksum;
    le64 header_checksum;
};
static_assert(sizeof(struct wal_frame_header) == 72, "on-disk size");
static_assert(offsetof(struct wal_frame_header, first_csn) == 32, "on-disk offset");
static_assert(offsetof(struct wal_frame_header, header_checksum) == 64, "on-disk offset");
static_assert(_Alignof(struct wal_frame_header) == 1, "may be laid over any byte");

enum wal_part_flags {
    WAL_PART_FIRST = 1,
    WAL_PART_LAST = 2,
    WAL_PART_SYSTEM = 4, /* The engine's own commit (page map, checkpoint), not a transaction. */
};

enum wal_record_type {
    WAL_RECORD_IMAGE = 1,  /* The page's used bytes: the base for what follows. */
    WAL_RECORD_RANGES = 2, /* Moves and byte ranges on the page as it was. */
    WAL_RECORD_FREE = 3,   /* The page is free; its content is gone. */
    WAL_RECORD_RESET = 4,  /* The page's content on disk is the base here. */
    WAL_RECORD_SIZE = 5,   /* The file's page count from here on; page_number is the count. */
    WAL_RECORD_NOTE = 6,   /* Opaque; redo ignores it, readers and the archive hand it on. */
};

#endif
