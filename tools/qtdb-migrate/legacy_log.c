/*
 * See legacy_log.h. Both readings go through read_record, the scan with a visitor that has no
 * functions; a create table's rows are handed out one by one, so memory is one record or one row.
 *
 * The generation changes how columns are written (A) and tables end (D). It is the snapshot's, which
 * an empty snapshot leaves open; so a create table or add column that does not end where its length
 * says is tried in the other generations too.
 */
#include "tools/qtdb-migrate/legacy_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { NAME_SIZE = 20, HEADER_SIZE = 8 + 8 + 4 };

static const struct legacy_log_visitor nobody = {.context = NULL};

/* Files. */

static bool
is_log_name(const char *name)
{
    for (size_t i = 0; i < 16; i++) {
        if (name[i] == '\0' || strchr("0123456789abcdef", name[i]) == NULL)
            return false;
    }
    return strcmp(name + 16, ".wal") == 0;
}

struct listing {
    struct legacy_log *log;
    enum status status;
};

static void
take_name(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    struct legacy_log *log = listing->log;

    if (is_directory || !is_log_name(name) || listing->status != STATUS_OK)
        return;
    if (log->file_count == LEGACY_LOG_FILES_MAX) {
        (void)snprintf(log->fault, sizeof(log->fault), "%s: more than %d log files", log->directory,
                       LEGACY_LOG_FILES_MAX);
        listing->status = STATUS_CORRUPT;
        return;
    }
    size_t size = log->file_count * sizeof(*log->files);
    struct legacy_log_file *files =
        memory_resize(log->env.memory, MEMORY_OTHER, log->files, size, size + sizeof(*log->files));
    if (files == NULL) {
        listing->status = STATUS_NO_MEMORY;
        return;
    }
    log->files = files;
    memcpy(files[log->file_count].name, name, NAME_SIZE + 1);
    log->file_count++;
}

static int
compare_names(const void *left, const void *right)
{
    return strcmp(((const struct legacy_log_file *)left)->name,
                  ((const struct legacy_log_file *)right)->name);
}

static enum status
list_files(struct legacy_log *log)
{
    struct listing listing = {.log = log, .status = STATUS_OK};
    enum status status = io_list(log->env.io, log->directory, take_name, &listing);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    TRY(listing.status);
    if (log->file_count > 1)
        qsort(log->files, log->file_count, sizeof(*log->files), compare_names);
    return STATUS_OK;
}

static void
close_file(struct legacy_log *log)
{
    if (log->open_file != UINT32_MAX)
        legacy_stream_close(&log->stream);
    log->open_file = UINT32_MAX;
}

static enum status
use_file(struct legacy_log *log, uint32_t file, uint64_t offset)
{
    CHECK(file < log->file_count);
    if (log->open_file != file) {
        char path[IO_PATH_SIZE];

        close_file(log);
        int size = snprintf(path, sizeof(path), "%s/%s", log->directory, log->files[file].name);
        if (size < 0 || (size_t)size >= sizeof(path))
            return error_raise(STATUS_INVALID, "%s: the path is too long", log->directory);
        TRY(legacy_stream_open(&log->env, path, &log->stream));
        log->open_file = file;
    }
    if (offset > log->stream.size) {
        (void)snprintf(log->fault, sizeof(log->fault),
                       "%s/%s: the file became shorter while it was read", log->directory,
                       log->files[file].name);
        return STATUS_CORRUPT;
    }
    legacy_stream_seek(&log->stream, offset);
    return STATUS_OK;
}

/* Records. */

struct reading {
    struct legacy_log *log;
    const struct legacy_log_visitor *visitor;
    struct legacy_record record;
    uint64_t end;        /* Where the record must end. */
    enum status stopped; /* What the visitor said. */
};

static bool
visited(struct reading *reading, enum status status)
{
    reading->stopped = status;
    return status == STATUS_OK;
}

static bool
hand_out(struct reading *reading)
{
    const struct legacy_log_visitor *visitor = reading->visitor;

    return visitor->record == NULL ||
           visited(reading, visitor->record(visitor->context, &reading->record));
}

static bool
ends_right(struct reading *reading)
{
    struct legacy_stream *stream = &reading->log->stream;
    uint64_t at = legacy_stream_offset(stream);

    return at == reading->end || legacy_stream_fail(stream, at, "the record should end at %llu",
                                                    (unsigned long long)reading->end);
}

static bool
read_created_rows(struct reading *reading, const struct legacy_log_visitor *visitor)
{
    struct legacy_log *log = reading->log;
    struct arena arena;
    bool ok = true;

    arena_init(&arena, log->env.memory, MEMORY_OTHER);
    for (uint64_t i = 0; ok && i < reading->record.created.row_count; i++) {
        struct legacy_row row;
        uint64_t offset = legacy_stream_offset(&log->stream);

        arena_reset(&arena);
        ok = legacy_read_row(&log->stream, &arena, &row);
        row.index = i;
        if (ok && visitor->created_row != NULL)
            ok = visited(reading,
                         visitor->created_row(visitor->context, &reading->record, &row, offset));
    }
    arena_deinit(&arena);
    return ok;
}

static bool
read_created_sequences(struct reading *reading, const struct legacy_log_visitor *visitor)
{
    struct legacy_log *log = reading->log;
    uint64_t count = 0;
    bool ok = legacy_stream_count(&log->stream, 8 + 8, "sequences", &count);
    struct arena arena;

    arena_init(&arena, log->env.memory, MEMORY_OTHER);
    for (uint64_t i = 0; ok && i < count; i++) {
        struct legacy_text name;
        uint64_t next = 0;

        arena_reset(&arena);
        ok = legacy_stream_text(&log->stream, &arena, &name) &&
             legacy_stream_u64(&log->stream, &next);
        if (ok && visitor->created_sequence != NULL)
            ok = visited(reading, visitor->created_sequence(visitor->context, &reading->record,
                                                            &name, (int64_t)next));
    }
    arena_deinit(&arena);
    return ok;
}

/* Rows, sequences and, in generation D, the owner. */
static bool
read_created_rest(struct reading *reading, const struct legacy_log_visitor *visitor,
                  enum legacy_generation generation)
{
    struct legacy_text owner;

    return read_created_rows(reading, visitor) && read_created_sequences(reading, visitor) &&
           (generation < LEGACY_D ||
            legacy_stream_text(&reading->log->stream, &reading->log->item, &owner)) &&
           ends_right(reading);
}

static bool
read_schema_as(struct reading *reading, enum legacy_generation generation)
{
    struct legacy_log *log = reading->log;
    struct legacy_record *record = &reading->record;

    if (record->operation == LEGACY_ADD_COLUMN)
        return legacy_read_column(&log->stream, &log->item, generation, &record->column) &&
               ends_right(reading);
    return legacy_read_table_head(&log->stream, &log->item, generation, &record->created) &&
           read_created_rest(reading, &nobody, generation);
}

/* Finds the generation that fits, silently; then a create table is read again for the visitor. */
static bool
read_schema(struct reading *reading)
{
    struct legacy_log *log = reading->log;
    struct legacy_record *record = &reading->record;
    enum legacy_generation generation = log->generation;
    uint64_t begin = legacy_stream_offset(&log->stream);
    bool fits = read_schema_as(reading, generation);
    struct legacy_fault fault = log->stream.fault;

    for (int other = LEGACY_A; !fits && other <= LEGACY_D; other++) {
        generation = (enum legacy_generation)other;
        legacy_stream_seek(&log->stream, begin);
        fits = read_schema_as(reading, generation);
    }
    if (!fits) {
        log->stream.fault = fault;
        return false;
    }
    if (record->operation == LEGACY_ADD_COLUMN || reading->visitor == &nobody)
        return hand_out(reading);
    legacy_stream_seek(&log->stream, begin);
    return legacy_read_table_head(&log->stream, &log->item, generation, &record->created) &&
           hand_out(reading) && read_created_rest(reading, reading->visitor, generation);
}

static bool
read_row_at(struct reading *reading)
{
    struct legacy_log *log = reading->log;

    reading->record.row_offset = legacy_stream_offset(&log->stream);
    return legacy_read_row(&log->stream, &log->item, &reading->record.row);
}

/* The operation's own fields, but for those with columns. */
static bool
read_fields(struct reading *reading)
{
    struct legacy_stream *stream = &reading->log->stream;
    struct arena *item = &reading->log->item;
    struct legacy_record *record = &reading->record;
    uint64_t timestamp;

    switch (record->operation) {
    case LEGACY_CHECKPOINT:
        return legacy_stream_u64(stream, &timestamp);
    case LEGACY_INSERT:
        return read_row_at(reading);
    case LEGACY_UPDATE:
        return legacy_stream_u64(stream, &record->row_index) && read_row_at(reading);
    case LEGACY_DELETE:
        return legacy_stream_u64(stream, &record->row_index);
    case LEGACY_DROP_COLUMN:
        return legacy_stream_text(stream, item, &record->old_name);
    case LEGACY_RENAME_COLUMN:
        return legacy_stream_text(stream, item, &record->old_name) &&
               legacy_stream_text(stream, item, &record->new_name);
    case LEGACY_RENAME_TABLE:
        return legacy_stream_text(stream, item, &record->new_name);
    case LEGACY_DROP_TABLE:
    case LEGACY_CREATE_TABLE:
    case LEGACY_ADD_COLUMN:
        break;
    }
    return true;
}

/* What stands between the length and the end. */
static bool
read_record(struct reading *reading)
{
    struct legacy_stream *stream = &reading->log->stream;
    struct legacy_record *record = &reading->record;
    uint64_t timestamp = 0, at = 0;
    uint32_t operation = 0;

    if (!legacy_stream_u64(stream, &record->sequence) || !legacy_stream_u64(stream, &timestamp))
        return false;
    at = legacy_stream_offset(stream);
    if (!legacy_stream_u32(stream, &operation))
        return false;
    if (operation > LEGACY_RENAME_TABLE)
        return legacy_stream_fail(stream, at, "operation %u, the last is %d", operation,
                                  LEGACY_RENAME_TABLE);
    record->operation = (enum legacy_operation)operation;
    if (record->operation != LEGACY_CHECKPOINT &&
        !legacy_stream_text(stream, &reading->log->item, &record->table))
        return false;
    if (record->operation == LEGACY_CREATE_TABLE || record->operation == LEGACY_ADD_COLUMN)
        return read_schema(reading);
    return read_fields(reading) && ends_right(reading) && hand_out(reading);
}

/* Scan. */

static void
note_torn(struct legacy_log *log, uint32_t file, uint64_t offset, const char *why)
{
    log->files[file].end = offset;
    log->torn_count++;
    (void)snprintf(log->torn, sizeof(log->torn), "%s: torn tail at byte %llu of %llu (%s)",
                   log->files[file].name, (unsigned long long)offset,
                   (unsigned long long)log->files[file].size, why);
}

static enum status
note_damage(struct legacy_log *log, uint32_t file, uint64_t record)
{
    if (log->stream.fault.set && log->stream.fault.status != STATUS_CORRUPT)
        return log->stream.fault.status;
    (void)snprintf(log->fault, sizeof(log->fault),
                   "%s/%s: the record at byte %llu is damaged (byte %llu: %s)", log->directory,
                   log->files[file].name, (unsigned long long)record,
                   (unsigned long long)log->stream.fault.offset, log->stream.fault.message);
    return STATUS_CORRUPT;
}

static void
count_record(struct legacy_log *log, const struct reading *reading, uint32_t file)
{
    if (log->record_count++ == 0)
        log->first_sequence = reading->record.sequence;
    log->after_count++;
    if (reading->record.operation != LEGACY_CHECKPOINT)
        return;
    log->has_checkpoint = true;
    log->after_count = 0;
    log->begin_file = file;
    log->begin_offset = reading->end;
}

/* True while there is a whole record at `offset`; sets `reading->end`. */
static bool
frame(struct legacy_log *log, uint64_t offset, uint64_t size, struct reading *reading,
      const char **torn_out)
{
    uint32_t length = 0;

    *torn_out = NULL;
    if (offset == size)
        return false;
    if (size - offset < sizeof(length) || !legacy_stream_u32(&log->stream, &length))
        *torn_out = "not even a length";
    else if (length > size - offset - sizeof(length))
        *torn_out = "the file ends inside the record";
    else if (length < HEADER_SIZE)
        *torn_out = "the length is too small for a record";
    reading->end = offset + sizeof(length) + length;
    return *torn_out == NULL;
}

/* In a rescue a record behind which others stand is told and passed over. */
static bool
may_pass_over(struct legacy_log *log, uint32_t file, uint64_t record, uint64_t end, uint64_t size)
{
    if (log->damage == NULL || end == size || log->stream.fault.status != STATUS_CORRUPT)
        return false;
    (void)note_damage(log, file, record);
    log->damage(log->damage_context, log->fault);
    log->fault[0] = '\0';
    return true;
}

static enum status
scan_file(struct legacy_log *log, uint32_t file)
{
    uint64_t offset = 0;

    TRY(use_file(log, file, 0));
    uint64_t size = log->stream.size;
    log->files[file].size = size;
    for (;;) {
        struct reading reading = {.log = log, .visitor = &nobody};
        const char *torn = NULL;

        arena_reset(&log->item);
        legacy_stream_seek(&log->stream, offset);
        if (!frame(log, offset, size, &reading, &torn)) {
            if (log->stream.fault.set)
                return note_damage(log, file, offset);
            if (torn != NULL)
                note_torn(log, file, offset, torn);
            break;
        }
        if (!read_record(&reading)) {
            if (may_pass_over(log, file, offset, reading.end, size)) {
                offset = reading.end;
                continue;
            }
            if (reading.end != size || log->stream.fault.status != STATUS_CORRUPT)
                return note_damage(log, file, offset);
            note_torn(log, file, offset, log->stream.fault.message);
            break;
        }
        count_record(log, &reading, file);
        offset = reading.end;
        log->files[file].end = offset;
    }
    return STATUS_OK;
}

enum status
legacy_log_open(const struct env *env, const char *directory, enum legacy_generation generation,
                struct legacy_log *out)
{
    return legacy_log_rescue(env, directory, generation, NULL, NULL, out);
}

enum status
legacy_log_rescue(const struct env *env, const char *directory, enum legacy_generation generation,
                  void (*damage)(void *context, const char *words), void *context,
                  struct legacy_log *out)
{
    enum status status = STATUS_OK;

    *out = (struct legacy_log){
        .env = *env,
        .directory = directory,
        .generation = generation,
        .open_file = UINT32_MAX,
        .damage = damage,
        .damage_context = context,
    };
    arena_init(&out->item, env->memory, MEMORY_OTHER);
    TRY_OUT(list_files(out));
    for (uint32_t file = 0; file < out->file_count; file++)
        TRY_OUT(scan_file(out, file));
out:
    if (status != STATUS_OK && out->fault[0] == '\0')
        (void)snprintf(out->fault, sizeof(out->fault), "%s", error_message());
    return status;
}

void
legacy_log_close(struct legacy_log *log)
{
    close_file(log);
    arena_deinit(&log->item);
    memory_free(log->env.memory, MEMORY_OTHER, log->files, log->file_count * sizeof(*log->files));
    log->files = NULL;
    log->file_count = 0;
}

/* Reading. */

static enum status
each_in_file(struct legacy_log *log, uint32_t file, const struct legacy_log_visitor *visitor)
{
    uint64_t offset = file == log->begin_file ? log->begin_offset : 0;

    while (offset < log->files[file].end) {
        struct reading reading = {.log = log, .visitor = visitor};
        uint32_t length = 0;

        arena_reset(&log->item);
        TRY(use_file(log, file, offset));
        if (!legacy_stream_u32(&log->stream, &length))
            return note_damage(log, file, offset);
        reading.end = offset + sizeof(length) + length;
        reading.record = (struct legacy_record){.file = file, .offset = offset};
        bool ok = read_record(&reading);
        /* Passed over as it was in the scan. */
        if (!ok && (log->damage == NULL || log->stream.fault.status != STATUS_CORRUPT))
            return log->stream.fault.set ? note_damage(log, file, offset) : reading.stopped;
        offset = reading.end;
    }
    return STATUS_OK;
}

enum status
legacy_log_each(struct legacy_log *log, const struct legacy_log_visitor *visitor)
{
    for (uint32_t file = log->begin_file; file < log->file_count; file++)
        TRY(each_in_file(log, file, visitor));
    return STATUS_OK;
}

enum status
legacy_log_row(struct legacy_log *log, uint32_t file, uint64_t offset, struct arena *arena,
               struct legacy_row *out)
{
    TRY(use_file(log, file, offset));
    if (!legacy_read_row(&log->stream, arena, out))
        return note_damage(log, file, offset);
    return STATUS_OK;
}
