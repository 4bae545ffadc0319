/*
 * Segment files: names, lists, making new ones and giving old ones a new number.
 *
 * A segment comes to life in three durable steps, in this order: the file has its full size; its name
 * is durable; its header is written. Only then may a frame go into it (W1). The first two are done
 * ahead (prepared), so that the switch inside a commit costs one block. A recycled file has the first
 * step behind it and gets its new name by rename; until its header is written, the old one in it does
 * not match the name and the file counts as prepared.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

void
wal__draw_epoch(struct wal *wal, uint64_t last_epoch)
{
    do {
        io_random(wal->env.io, &wal->epoch, sizeof(wal->epoch));
    } while (wal->epoch == 0 || wal->epoch == last_epoch);
    CHECK(wal->epoch != 0);
}

uint64_t
wal__number_of(const struct wal *wal, uint64_t lsn)
{
    CHECK(lsn > 0);
    CHECK(wal->segment_size >= WAL_SEGMENT_SIZE_MIN);
    return (lsn - 1) / wal->segment_size;
}

uint64_t
wal__first_lsn(const struct wal *wal, uint64_t number)
{
    CHECK(number > 0);
    CHECK(wal->segment_size >= WAL_SEGMENT_SIZE_MIN);
    return number * wal->segment_size + WAL_FRAMES_OFFSET;
}

uint64_t
wal__offset_of(const struct wal *wal, uint64_t number, uint64_t lsn)
{
    uint64_t offset = lsn - number * wal->segment_size;

    CHECK(lsn >= number * wal->segment_size);
    CHECK(offset >= WAL_FRAMES_OFFSET && offset <= wal->segment_size);
    return offset;
}

enum status
wal__dir_check(const char *dir)
{
    if (strlen(dir) + 1 + WAL__NAME_SIZE > IO_PATH_SIZE)
        return error_raise(STATUS_INVALID, "the log's directory name is too long: %.200s...", dir);
    return STATUS_OK;
}

struct wal__path
wal__path_of(const char *dir, uint64_t number)
{
    struct wal__path path;
    int length = snprintf(path.text, sizeof(path.text), "%s/" WAL__FILE_NAME, dir, number);

    CHECK(number > 0);
    CHECK(length > 0 && (size_t)length < sizeof(path.text));
    return path;
}

uint64_t
wal__number_in(const char *name)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number = 0;

    if (strlen(name) != WAL__NAME_SIZE - 1 || strcmp(name + 16, ".seg") != 0)
        return 0;
    for (size_t i = 0; i < 16; i++) {
        const char *digit = strchr(digits, name[i]);

        if (digit == NULL)
            return 0;
        number = number << 4 | (uint64_t)(digit - digits);
    }
    return number;
}

void
wal__segments_push(struct wal__segments *list, struct wal__segment *segment)
{
    CHECK(segment->next == NULL);
    CHECK(list->last == NULL || list->last->number < segment->number);
    if (list->last == NULL)
        list->first = segment;
    else
        list->last->next = segment;
    list->last = segment;
    list->count++;
    CHECK(list->first->number <= segment->number);
}

struct wal__segment *
wal__segments_pop(struct wal__segments *list)
{
    struct wal__segment *segment = list->first;

    CHECK((segment == NULL) == (list->count == 0));
    if (segment == NULL)
        return NULL;
    list->first = segment->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    segment->next = NULL;
    CHECK((list->first == NULL) == (list->count == 0));
    return segment;
}

void
wal__segment_free(struct wal *wal, struct wal__segment *segment)
{
    if (segment == NULL)
        return;
    CHECK(segment->next == NULL && !segment->archiving);
    io_close(segment->file);
    memory_free(wal->env.memory, MEMORY_LOG, segment, sizeof(*segment));
}

void
wal__segments_free(struct wal *wal, struct wal__segments *list)
{
    struct wal__segment *segment;

    while ((segment = wal__segments_pop(list)) != NULL)
        wal__segment_free(wal, segment);
}

uint64_t
wal__size_between(const struct wal *wal, uint64_t from, uint64_t to)
{
    uint64_t size = 0;

    CHECK(from <= to);
    CHECK(wal->kept.last != NULL);
    for (const struct wal__segment *s = wal->kept.first; s != NULL; s = s->next) {
        uint64_t low = wal__first_lsn(wal, s->number);
        uint64_t high = s == wal->kept.last ? to : s->end_lsn;

        low = low > from ? low : from;
        high = high < to ? high : to;
        size += high > low ? high - low : 0;
    }
    return size;
}

enum status
wal__sync_dir(struct wal *wal)
{
    if (BUG(SEGMENT_DIR_NOT_SYNCED))
        return STATUS_OK;
    enum status status = io_sync_dir(wal->env.io, wal->dir);
    return status == STATUS_OK ? STATUS_OK
                               : wal__fail_unlatched(wal, status, "sync of the log's directory");
}

enum status
wal__segment_open_file(struct wal *wal, struct wal__segment *segment)
{
    struct wal__path path = wal__path_of(wal->dir, segment->number);

    CHECK(segment->file == NULL);
    CHECK(!wal->options.read_only);
    return io_open(wal->env.io, path.text, IO_WRITE | IO_DIRECT, &segment->file);
}

/* Creates the file; one that a failed attempt of ours left behind goes first. */
static enum status
create_file(struct wal *wal, const char *path, struct io_file **out)
{
    const uint32_t flags = IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_DIRECT;
    enum status status = io_open(wal->env.io, path, flags, out);

    if (status != STATUS_EXISTS || !wal->started)
        return status;
    TRY(io_remove(wal->env.io, path));
    return io_open(wal->env.io, path, flags, out);
}

/* A full disk is said as such and leaves the log usable: the file was of no use to anyone yet. */
static enum status
allocate_file(struct wal *wal, struct io_file *file)
{
    TRY(io_allocate(file, 0, wal->segment_size));
    enum status status = io_sync(file);
    if (status == STATUS_OK || status == STATUS_FULL)
        return status;
    return wal__fail_unlatched(wal, status, "sync of a new segment");
}

enum status
wal__segment_create(struct wal *wal, uint64_t number, struct wal__segment **out)
{
    struct wal__path path = wal__path_of(wal->dir, number);
    struct wal__segment *segment =
        memory_alloc(wal->env.memory, MEMORY_LOG, sizeof(struct wal__segment));
    enum status status;

    if (segment == NULL)
        return STATUS_NO_MEMORY;
    CHECK(wal->kept.last == NULL || number > wal->kept.last->number);
    CHECK(!wal->options.read_only);
    segment->number = number;
    segment->file_size = wal->segment_size;
    status = create_file(wal, path.text, &segment->file);
    if (status != STATUS_OK)
        goto out;
    TRY_OUT(allocate_file(wal, segment->file));
    TRY_OUT(wal__sync_dir(wal));
    *out = segment;
    return STATUS_OK;
out:
    if (segment->file != NULL) {
        io_close(segment->file);
        segment->file = NULL;
        enum status removed = io_remove(wal->env.io, path.text);
        (void)removed; /* The first failure is what counts; the next attempt removes it again. */
    }
    wal__segment_free(wal, segment);
    return status;
}

enum status
wal__segment_move_file(struct wal *wal, const struct wal__segment *segment, uint64_t number)
{
    struct wal__path from = wal__path_of(wal->dir, segment->number);
    struct wal__path to = wal__path_of(wal->dir, number);

    CHECK(segment->file == NULL);
    CHECK(number > segment->number);
    CHECK(!segment->archiving);
    return io_rename(wal->env.io, from.text, to.text);
}

void
wal__segment_renumber(struct wal__segment *segment, uint64_t number)
{
    CHECK(segment->next == NULL && number > segment->number);
    segment->number = number;
    segment->epoch = 0;
    segment->end_lsn = 0;
    segment->archived = false;
}

enum status
wal__segment_rename(struct wal *wal, struct wal__segment *segment, uint64_t number)
{
    TRY(wal__segment_move_file(wal, segment, number));
    wal__segment_renumber(segment, number);
    return STATUS_OK;
}

enum status
wal__segment_write_header(struct wal *wal, struct wal__segment *segment, uint64_t prev_epoch,
                          const struct wal_position *prev_end)
{
    struct wal_segment_header *header = (struct wal_segment_header *)wal->header_block;

    CHECK(segment->file != NULL);
    CHECK(segment->filled <= wal->segment_size);
    CHECK(prev_epoch == 0 || wal__number_of(wal, prev_end->lsn) < segment->number);
    header->file_id = le64_of(wal->options.file_id);
    header->log_id = le64_of(wal->options.log_id);
    header->segment_size = le64_of(wal->segment_size);
    header->segment_number = le64_of(segment->number);
    header->epoch = le64_of(wal->epoch);
    header->prev_epoch = le64_of(prev_epoch);
    header->prev_end_lsn = le64_of(prev_epoch == 0 ? 0 : prev_end->lsn);
    header->prev_chain = le64_of(prev_end->chain);
    header->prev_csn = le64_of(prev_end->csn);
    wal__segment_header_seal(header);
    TRY(io_write(segment->file, wal->header_block, WAL_BLOCK_SIZE, 0, IO_DURABLE));
    segment->epoch = wal->epoch;
    if (segment->filled < WAL_FRAMES_OFFSET)
        segment->filled = WAL_FRAMES_OFFSET;
    return STATUS_OK;
}
