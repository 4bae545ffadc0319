/*
 * The predecessor's log: files %016x.wal beside the snapshot, read in name order. A record is a u32
 * length, then sequence u64, timestamp u64 and an operation; nothing carries a checksum.
 *
 *  - Only the records after the last checkpoint record count: the snapshot holds what came before.
 *  - A record that the end of its file cuts off, or a last record that does not parse, is a torn tail:
 *    it is left out and said. A bad record with others behind it is damage, and refused.
 *
 * legacy_log_open reads all files once to find these two places; legacy_log_each then hands out the
 * records that count. One file is open at a time. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_LOG_H
#define TOOLS_QTDB_MIGRATE_LEGACY_LOG_H

#include "tools/qtdb-migrate/legacy_read.h"

enum { LEGACY_LOG_FILES_MAX = 4096 };

enum legacy_operation {
    LEGACY_CREATE_TABLE = 0,
    LEGACY_DROP_TABLE = 1,
    LEGACY_INSERT = 2,
    LEGACY_UPDATE = 3,
    LEGACY_DELETE = 4,
    LEGACY_CHECKPOINT = 5,
    LEGACY_ADD_COLUMN = 6,
    LEGACY_DROP_COLUMN = 7,
    LEGACY_RENAME_COLUMN = 8,
    LEGACY_RENAME_TABLE = 9,
};

struct legacy_record {
    enum legacy_operation operation;
    uint64_t sequence;
    uint32_t file;               /* Number of the log file. */
    uint64_t offset;             /* Of the record in it. */
    struct legacy_text table;    /* All but CHECKPOINT; RENAME_TABLE: the old name. */
    struct legacy_text old_name; /* DROP_COLUMN, RENAME_COLUMN. */
    struct legacy_text new_name; /* RENAME_COLUMN, RENAME_TABLE. */
    uint64_t row_index;          /* UPDATE, DELETE. */
    uint64_t row_offset;         /* INSERT, UPDATE: of the row in the file. */
    struct legacy_row row;       /* INSERT, UPDATE. */
    struct legacy_column column; /* ADD_COLUMN. */
    struct legacy_table created; /* CREATE_TABLE; its rows and sequences follow by other calls. */
};

/* Each member may be NULL; anything but STATUS_OK stops. What is handed out lives during the call. */
struct legacy_log_visitor {
    void *context;
    enum status (*record)(void *context, const struct legacy_record *record);
    enum status (*created_row)(void *context, const struct legacy_record *record,
                               const struct legacy_row *row, uint64_t row_offset);
    enum status (*created_sequence)(void *context, const struct legacy_record *record,
                                    const struct legacy_text *name, int64_t next);
};

struct legacy_log_file {
    char name[24];
    uint64_t size;
    uint64_t end; /* Of the last whole record. */
};

struct legacy_log {
    struct env env;
    const char *directory; /* Borrowed. */
    enum legacy_generation generation;
    uint32_t file_count;
    struct legacy_log_file *files;
    struct legacy_stream stream; /* Of file `open_file`. */
    uint32_t open_file;          /* UINT32_MAX: none. */
    struct arena item;
    uint64_t record_count; /* Whole ones, checkpoints included. */
    uint64_t after_count;  /* After the last checkpoint. */
    bool has_checkpoint;
    uint64_t first_sequence;
    uint32_t begin_file; /* Where reading begins: behind the last checkpoint. */
    uint64_t begin_offset;
    /* A rescue: records that do not parse are told, then passed over by their length; NULL: refused. */
    void (*damage)(void *context, const char *words);
    void *damage_context;
    uint32_t torn_count;
    char torn[256];  /* The last torn tail, in words. */
    char fault[512]; /* Why opening or reading failed. */
};

/**
 * `directory` is borrowed and must outlive the log. No such directory, or no file in it: a log of no
 * records. On failure `fault` says why; the log is to be closed all the same.
 */
MUST_CHECK enum status legacy_log_open(const struct env *env, const char *directory,
                                       enum legacy_generation generation, struct legacy_log *out);
/** The same of a log that may be damaged; `damage` is called for each record that does not parse. */
MUST_CHECK enum status legacy_log_rescue(const struct env *env, const char *directory,
                                         enum legacy_generation generation,
                                         void (*damage)(void *context, const char *words),
                                         void *context, struct legacy_log *out);
void legacy_log_close(struct legacy_log *log);

MUST_CHECK enum status legacy_log_each(struct legacy_log *log,
                                       const struct legacy_log_visitor *visitor);

/** Reads again a row whose place a record told. */
MUST_CHECK enum status legacy_log_row(struct legacy_log *log, uint32_t file, uint64_t offset,
                                      struct arena *arena, struct legacy_row *out);

#endif
