/*
 * What a log's directory holds: every segment file with what its header says. Files of other names
 * are none of ours. A header counts only if it names this log and its own file; another one makes
 * the file a prepared segment (renamed, its header not yet written), or a rotten one: which of the
 * two it is, is found out where the log seems to end (wal_witness.c).
 */
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "wal/wal_private.h"

static enum status
grow(struct wal *wal)
{
    struct wal__files *files = &wal->files;
    uint64_t capacity = files->capacity == 0 ? 8 : files->capacity * 2;
    size_t old_size = files->capacity * sizeof(*files->items);
    struct wal__segment **items = memory_resize(wal->env.memory, MEMORY_LOG, files->items, old_size,
                                                capacity * sizeof(*items));

    CHECK(files->count == files->capacity);
    if (items == NULL)
        return STATUS_NO_MEMORY;
    files->items = items;
    files->capacity = capacity;
    return STATUS_OK;
}

static enum status
add(struct wal *wal, uint64_t number)
{
    if (wal->files.count == wal->files.capacity)
        TRY(grow(wal));
    struct wal__segment *segment = memory_alloc(wal->env.memory, MEMORY_LOG, sizeof(*segment));
    if (segment == NULL)
        return STATUS_NO_MEMORY;
    CHECK(number > 0 && wal->files.count < wal->files.capacity);
    segment->number = number;
    wal->files.items[wal->files.count++] = segment;
    return STATUS_OK;
}

static void
add_named(void *context, const char *name, bool is_directory)
{
    struct wal *wal = context;
    uint64_t number = wal__number_in(name);

    if (number != 0 && !is_directory && wal->files.status == STATUS_OK)
        wal->files.status = add(wal, number);
}

static int
compare(const void *left, const void *right)
{
    uint64_t a = (*(struct wal__segment *const *)left)->number;
    uint64_t b = (*(struct wal__segment *const *)right)->number;

    return a < b ? -1 : a > b;
}

static enum status
take_header(struct wal *wal, struct wal__segment *segment, const struct wal_segment_header *header)
{
    struct wal__path path = wal__path_of(wal->dir, segment->number);
    enum status status = wal__segment_header_check(header);

    if (status == STATUS_VERSION)
        return error_raise(status,
                           "log segment %s has format version %" PRIu32
                           ", this build reads %d: use a newer build",
                           path.text, le32_get(header->version), WAL_FORMAT_VERSION);
    if (status != STATUS_OK)
        return STATUS_OK;
    if (le64_get(header->file_id) != wal->options.file_id ||
        le64_get(header->log_id) != wal->options.log_id)
        return error_raise(STATUS_CORRUPT,
                           "log segment %s belongs to another database or log: put the right "
                           "log beside the database file",
                           path.text);
    if (le64_get(header->segment_number) != segment->number)
        return STATUS_OK;
    if (wal->segment_size != 0 && wal->segment_size != le64_get(header->segment_size))
        return error_raise(STATUS_CORRUPT, "log segment %s has another size than the rest",
                           path.text);
    wal->segment_size = le64_get(header->segment_size);
    segment->epoch = le64_get(header->epoch);
    segment->prev_epoch = le64_get(header->prev_epoch);
    segment->prev_end.lsn = le64_get(header->prev_end_lsn);
    segment->prev_end.chain = le64_get(header->prev_chain);
    segment->prev_end.csn = le64_get(header->prev_csn);
    return STATUS_OK;
}

static enum status
read_header(struct wal *wal, struct wal__segment *segment, struct wal__stream *stream)
{
    struct wal__path path = wal__path_of(wal->dir, segment->number);
    const uint8_t *bytes = NULL;

    TRY(wal__stream_open(stream, path.text));
    TRY(io_size(stream->file, &segment->file_size));
    enum status status = wal__stream_get(stream, 0, sizeof(struct wal_segment_header), &bytes);
    if (status == STATUS_IO && wal->options.accept_loss) {
        segment->file_size = 0; /* Not to be used again either. */
        return STATUS_OK;
    }
    TRY(status);
    if (bytes == NULL)
        return STATUS_OK;
    return take_header(wal, segment, (const struct wal_segment_header *)bytes);
}

enum status
wal__files_load(struct wal *wal)
{
    struct wal__stream stream;
    enum status status;

    CHECK(wal->files.count == 0 && wal->segment_size == 0);
    TRY(io_list(wal->env.io, wal->dir, add_named, wal));
    TRY(wal->files.status);
    if (wal->files.count > 1)
        qsort(wal->files.items, wal->files.count, sizeof(*wal->files.items), compare);
    status = wal__stream_init(&stream, &wal->env, WAL_BLOCK_SIZE);
    for (uint64_t i = 0; i < wal->files.count && status == STATUS_OK; i++)
        status = read_header(wal, wal->files.items[i], &stream);
    wal__stream_deinit(&stream);
    return status;
}

struct wal__segment *
wal__files_find(const struct wal *wal, uint64_t number)
{
    for (uint64_t i = 0; i < wal->files.count; i++)
        if (wal->files.items[i]->number == number)
            return wal->files.items[i];
    return NULL;
}

/*
 * Two may claim to continue the same segment: one that followed it and, after that was lost and the
 * loss accepted or it held only a cut-off commit, the one that a later start made. The later start
 * counts, and has the higher number.
 */
struct wal__segment *
wal__files_successor(const struct wal *wal, const struct wal__segment *segment)
{
    uint64_t first = wal__first_lsn(wal, segment->number);
    uint64_t last = (segment->number + 1) * wal->segment_size;

    CHECK(segment->epoch != 0);
    CHECK(wal->segment_size >= WAL_SEGMENT_SIZE_MIN);
    for (uint64_t i = wal->files.count; i > 0; i--) {
        struct wal__segment *next = wal->files.items[i - 1];

        if (next->number <= segment->number)
            break;
        if (next->epoch != 0 && next->prev_epoch == segment->epoch && next->prev_end.lsn >= first &&
            next->prev_end.lsn <= last)
            return next;
    }
    return NULL;
}

void
wal__files_free(struct wal *wal)
{
    struct wal__files *files = &wal->files;

    for (uint64_t i = 0; i < files->count; i++)
        wal__segment_free(wal, files->items[i]);
    memory_free(wal->env.memory, MEMORY_LOG, files->items, files->capacity * sizeof(*files->items));
    *files = (struct wal__files){0};
}
