/*
 * Goal: one place for what the tests of the log share.
 * Method: see wal_help.h.
 */
#include "tests/unit/wal/wal_help.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"

enum { RECORD_SIZE_MAX = 5000 };

void
help_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (last error: %s)\n", error_message());
    abort();
}

static void
must(enum status status, const char *what)
{
    if (status != STATUS_OK)
        help_fail("%s: %s", what, status_name(status));
}

static void
init_common(struct help_log *log)
{
    log->env = (struct env){.memory = log->memory, .io = log->io};
    log->dir = HELP_DIR;
    log->options = (struct wal_options){
        .file_id = HELP_FILE_ID,
        .log_id = HELP_LOG_ID,
        .segment_size = HELP_SEGMENT_SIZE,
        .buffer_count = 4,
        .frame_size_max = 8000,
        .spare_count = 1,
    };
    log->generation = 1;
    log->scratch = malloc(HELP_COMMIT_SIZE_MAX);
    if (log->scratch == NULL)
        help_fail("no memory");
}

void
help_init_sim(struct help_log *log, const struct io_sim_options *options)
{
    memset(log, 0, sizeof(*log));
    log->memory = memory_new();
    log->disk_memory = memory_new();
    must(io_sim_open(log->disk_memory, options, &log->io), "io_sim_open");
    init_common(log);
    must(io_make_dir(log->io, log->dir), "io_make_dir");
    must(io_sync_dir(log->io, "/"), "io_sync_dir");
}

void
help_init_fork(struct help_log *log, const struct help_log *from, struct io *io)
{
    *log = *from;
    log->io = io;
    log->env.io = io;
    log->wal = NULL;
    log->generation = (uint16_t)(from->generation + 1);
    log->scratch = malloc(HELP_COMMIT_SIZE_MAX);
    if (log->scratch == NULL)
        help_fail("no memory");
}

void
help_init_posix(struct help_log *log, bool use_uring)
{
    static char dir[256];
    static int count;
    const char *base = getenv("TMPDIR");

    memset(log, 0, sizeof(*log));
    log->memory = memory_new();
    log->disk_memory = memory_new();
    must(io_posix_open(log->disk_memory, use_uring, &log->io), "io_posix_open");
    init_common(log);
    snprintf(dir, sizeof(dir), "%s/qtdb-wal-%d-%d", base == NULL ? "/tmp" : base, (int)getpid(),
             count++);
    log->dir = dir;
    must(io_make_dir(log->io, log->dir), "io_make_dir");
}

void
help_close(struct help_log *log)
{
    wal_close(log->wal);
    log->wal = NULL;
}

void
help_deinit(struct help_log *log)
{
    help_close(log);
    free(log->scratch);
    if (log->dir != NULL && strcmp(log->dir, HELP_DIR) != 0)
        must(wal_remove(&log->env, log->dir), "wal_remove");
    io_close_all(log->io);
    memory_delete(log->disk_memory);
    memory_delete(log->memory);
}

void
help_create(struct help_log *log)
{
    must(wal_create(&log->env, log->dir, &log->options, log->history.appended, &log->wal),
         "wal_create");
    log->start = wal_mark(log->wal);
    log->newer = log->start;
}

enum status
help_open(struct help_log *log)
{
    return wal_open(&log->env, log->dir, &log->options, log->start, &log->wal);
}

void
help_reopen(struct help_log *log)
{
    must(help_open(log), "wal_open");
    log->newer = log->start; /* Who opens from the older slot has lost the newer one. */
    const char *wrong = help_verify(log);
    if (wrong != NULL)
        help_fail("%s", wrong);
    must(wal_start(log->wal), "wal_start");
    help_adopt_end(log);
}

size_t
help_commit_bytes(uint8_t *out, uint64_t csn, uint16_t generation, uint32_t size)
{
    struct byte_writer writer = byte_writer_init(out, HELP_COMMIT_SIZE_MAX);
    static uint8_t body[RECORD_SIZE_MAX];
    struct random random;

    random_init(&random, csn * 0x10001 + generation);
    do {
        size_t left = size > writer.offset ? size - writer.offset : 0;
        size_t body_size = left < 8 ? left : 1 + random_below(&random, left);
        uint64_t word = random_u64(&random);

        body_size = body_size < RECORD_SIZE_MAX ? body_size : RECORD_SIZE_MAX;
        for (size_t i = 0; i < body_size; i++)
            body[i] = (uint8_t)(word >> (i % 8 * 8)) ^ (uint8_t)(i >> 3);
        wal_record_put(&writer, (enum wal_record_type)(1 + word % 6), random_u64(&random) >> 40,
                       body, body_size);
    } while (writer.offset < size);
    if (writer.overflow)
        help_fail("a commit of %u bytes is too large for the test", size);
    return writer.offset;
}

enum status
help_try_append(struct help_log *log, uint32_t size, bool emergency)
{
    uint64_t csn = log->history.appended + 1;
    size_t bytes = help_commit_bytes(log->scratch, csn, log->generation, size);
    enum status status;

    if (csn >= HELP_CSN_MAX)
        help_fail("too many commits for the test");
    while ((status = wal_reserve(log->wal, bytes, emergency)) == STATUS_MISSING)
        TRY(wal_make_room(log->wal, bytes, emergency));
    TRY(status);
    struct wal_commit commit = {.csn = csn,
                                .time_ms = csn * 1000,
                                .system = csn % 3 == 0,
                                .records = log->scratch,
                                .size = bytes};
    log->history.appended = csn;
    log->history.generation[csn] = log->generation;
    log->history.size[csn] = size;
    wal_append(log->wal, &commit);
    return STATUS_OK;
}

void
help_append(struct help_log *log, uint32_t size)
{
    must(help_try_append(log, size, false), "append");
}

enum status
help_try_flush(struct help_log *log, uint64_t csn)
{
    TRY(wal_flush(log->wal, csn));
    if (wal_csn_durable(log->wal) < csn)
        help_fail("flushed, but not durable");
    if (csn > log->history.acked)
        log->history.acked = csn;
    return STATUS_OK;
}

void
help_flush(struct help_log *log)
{
    must(help_try_flush(log, log->history.appended), "flush");
}

void
help_commit(struct help_log *log, uint32_t size)
{
    help_append(log, size);
    help_flush(log);
}

enum status
help_try_checkpoint(struct help_log *log)
{
    struct wal_position position = wal_mark(log->wal);

    TRY(help_try_flush(log, position.csn));
    log->start = log->newer; /* The slots are durable now. */
    log->newer = position;
    return wal_release(log->wal, log->start);
}

struct verify {
    struct help_log *log;
    uint8_t *bytes; /* Records of the commit at hand, as read. */
    size_t size;
    uint64_t csn;
};

static const char *
compare_commit(struct verify *verify, const struct wal_record *last)
{
    const struct help_history *history = &verify->log->history;
    uint64_t csn = verify->csn;

    if (csn > history->appended)
        return "a commit that was never appended";
    size_t size =
        help_commit_bytes(verify->log->scratch, csn, history->generation[csn], history->size[csn]);
    if (verify->size != size || memcmp(verify->bytes, verify->log->scratch, size) != 0)
        return "a commit with other bytes";
    if (last->time_ms != csn * 1000)
        return "a commit with another time";
    if ((last->commit_flags == WAL_PART_SYSTEM) != (csn % 3 == 0))
        return "a commit with other flags";
    return NULL;
}

static const char *
take_record(struct verify *verify, const struct wal_record *record)
{
    struct byte_writer writer =
        byte_writer_init(verify->bytes + verify->size, HELP_COMMIT_SIZE_MAX - verify->size);

    if (record->csn != verify->csn)
        return "a record of another commit";
    wal_record_put(&writer, record->type, record->page_number, record->body, record->size);
    if (writer.overflow)
        return "a commit that is too large";
    verify->size += writer.offset;
    if (!record->commit_last)
        return NULL;
    const char *wrong = compare_commit(verify, record);
    verify->csn++;
    verify->size = 0;
    return wrong;
}

static const char *
verify_records(struct verify *verify)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    const char *wrong = NULL;
    enum status status = wal_reader_open(verify->log->wal, &reader);

    if (status != STATUS_OK)
        return "the reader does not open";
    while (wrong == NULL && (status = wal_reader_next(reader, &record)) == STATUS_OK)
        wrong = take_record(verify, &record);
    if (wrong == NULL && status != STATUS_NOT_FOUND)
        wrong = "reading fails";
    if (wrong == NULL && verify->size != 0)
        wrong = "half a commit";
    wal_reader_close(reader);
    return wrong;
}

const char *
help_verify(struct help_log *log)
{
    const struct wal_scan_result *scan = wal_scan(log->wal);
    struct verify verify = {.log = log, .csn = log->start.csn + 1};
    const char *wrong = NULL;

    verify.bytes = malloc(HELP_COMMIT_SIZE_MAX);
    if (verify.bytes == NULL)
        help_fail("no memory");
    wrong = verify_records(&verify);
    free(verify.bytes);
    if (wrong == NULL && verify.csn - 1 != scan->end.csn)
        wrong = "the reader ends elsewhere than the scan";
    if (wrong == NULL && scan->end.csn < log->history.acked)
        wrong = "acknowledged commits are lost";
    if (wrong == NULL && scan->end.csn > log->history.appended)
        wrong = "commits that were never appended";
    return wrong;
}

void
help_adopt_end(struct help_log *log)
{
    log->history.appended = wal_scan(log->wal)->end.csn;
    log->history.acked = log->history.appended;
}

const char *
help_path(const struct help_log *log, uint64_t number)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/" WAL__FILE_NAME, log->dir, number);
    return path;
}

static void
list_frame(void *context, const struct wal_frame_view *view)
{
    struct help_frames *frames = context;

    if (view->status != STATUS_OK) {
        frames->invalid_count++;
        return;
    }
    if (frames->count == sizeof(frames->lsn) / sizeof(frames->lsn[0]))
        help_fail("too many frames for the test");
    frames->lsn[frames->count] = view->lsn;
    frames->header[frames->count++] = view->header;
}

struct help_frames
help_list_frames(const struct help_log *log, uint64_t number)
{
    struct help_frames frames = {0};

    must(wal_dump_segment(&log->env, help_path(log, number), list_frame, &frames),
         "wal_dump_segment");
    return frames;
}

void
help_peek(const struct help_log *log, uint64_t lsn, void *bytes, size_t size)
{
    uint64_t number = lsn / log->options.segment_size;

    must(io_sim_peek(log->io, help_path(log, number), lsn % log->options.segment_size, bytes, size),
         "io_sim_peek");
}

void
help_poke(const struct help_log *log, uint64_t lsn, const void *bytes, size_t size)
{
    uint64_t number = lsn / log->options.segment_size;

    must(io_sim_overwrite(log->io, help_path(log, number), lsn % log->options.segment_size, bytes,
                          size),
         "io_sim_overwrite");
}

void
help_rot(const struct help_log *log, uint64_t lsn)
{
    struct wal_frame_header header;
    uint8_t byte;

    help_peek(log, lsn, &header, sizeof(header));
    lsn += sizeof(header) + le32_get(header.payload_size) / 2;
    help_peek(log, lsn, &byte, 1);
    byte ^= 4;
    help_poke(log, lsn, &byte, 1);
}

void
help_lose(const struct help_log *log, uint64_t lsn)
{
    static const uint8_t zeros[WAL_SEGMENT_SIZE_MIN];
    struct wal_frame_header header;

    help_peek(log, lsn, &header, sizeof(header));
    help_poke(log, lsn, zeros, (size_t)wal__frame_size(le32_get(header.payload_size)));
}
