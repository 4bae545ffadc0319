/*
 * The log's life: create, open, start, close, remove. What happens after a crash is found out in
 * wal_scan.c and made good in wal_fence.c.
 */
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

enum { BUFFERS_MAP_SIZE_MIN = 1024 * 1024 };

static size_t
frames_memory_size(const struct wal *wal)
{
    return wal->slot_count * wal->slot_size + 2 * WAL_BLOCK_SIZE;
}

static void
set_geometry(struct wal *wal)
{
    uint64_t segment_room = wal->segment_size - WAL_FRAMES_OFFSET - sizeof(struct wal_frame_header);
    uint64_t payload_max = wal->options.frame_size_max;

    if (payload_max == 0 || payload_max > WAL_FRAME_PAYLOAD_MAX)
        payload_max = WAL_FRAME_PAYLOAD_MAX;
    if (payload_max > segment_room)
        payload_max = segment_room;
    wal->payload_max = (uint32_t)payload_max;
    uint64_t wanted = wal->options.commit_size_max / payload_max + 2;

    if (wal->options.commit_size_max > 0 && wanted > wal->options.buffer_count)
        wal->options.buffer_count =
            wanted < WAL__BUFFER_COUNT_MAX ? (uint32_t)wanted : WAL__BUFFER_COUNT_MAX;
    /* Some more for small frames in flight, so that a commit that needs all buffers is not kept out
     * for ever by others that need one. */
    wal->slot_count = wal->options.buffer_count;
    wal->slot_count += wal->slot_count < WAL__IN_FLIGHT_MAX ? wal->slot_count : WAL__IN_FLIGHT_MAX;
    wal->slot_size = (size_t)wal__frame_size(wal->payload_max);
    CHECK(wal->payload_max >= WAL__PAYLOAD_MIN);
    CHECK(wal->slot_size <= wal->segment_size - WAL_FRAMES_OFFSET);
    wal->fill_step =
        wal->segment_size < WAL__FILL_STEP ? (size_t)wal->segment_size : WAL__FILL_STEP;
}

static enum status
allocate_buffers(struct wal *wal)
{
    struct memory *memory = wal->env.memory;
    size_t size;
    void *bytes = NULL;

    CHECK(wal->slots == NULL && wal->frames == NULL);
    set_geometry(wal);
    wal->slots = memory_alloc(memory, MEMORY_LOG, wal->slot_count * sizeof(*wal->slots));
    if (wal->slots == NULL)
        return STATUS_NO_MEMORY;
    size = frames_memory_size(wal);
    if (size >= BUFFERS_MAP_SIZE_MIN)
        TRY(memory_map(memory, MEMORY_LOG, size, false, &bytes));
    else
        bytes = memory_alloc_aligned(memory, MEMORY_LOG, size, WAL_BLOCK_SIZE);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    wal->frames = bytes;
    for (uint32_t i = 0; i < wal->slot_count; i++)
        wal->slots[i].frame = wal->frames + i * wal->slot_size;
    wal->header_block = wal->frames + wal->slot_count * wal->slot_size;
    wal->horizon_block = wal->header_block + WAL_BLOCK_SIZE;
    return STATUS_OK;
}

static void
free_buffers(struct wal *wal)
{
    struct memory *memory = wal->env.memory;
    size_t size = frames_memory_size(wal);

    if (wal->frames != NULL && size >= BUFFERS_MAP_SIZE_MIN)
        memory_unmap(memory, MEMORY_LOG, wal->frames, size);
    else
        memory_free(memory, MEMORY_LOG, wal->frames, size);
    memory_free(memory, MEMORY_LOG, wal->slots, wal->slot_count * sizeof(*wal->slots));
    memory_free(memory, MEMORY_LOG, wal->zeros, wal->fill_step);
}

/* The last kept segment is open and takes frames from `end->lsn` on. */
static void
begin_at(struct wal *wal, const struct wal_position *end)
{
    CHECK(wal->kept.last != NULL && wal->kept.last->file != NULL);
    CHECK(wal__number_of(wal, end->lsn) == wal->kept.last->number);
    wal->kept.last->end_lsn = 0;
    wal->size_closed = wal__size_between(wal, wal->released.lsn, end->lsn);
    atomic_store(&wal->size, wal->size_closed);
    wal->number_next = wal->kept.last->number + wal->prepared.count + 1;
    wal->lsn_next = end->lsn;
    wal->lsn_durable = end->lsn;
    wal->chain = end->chain;
    wal->chain_submitted = end->chain;
    wal->csn_submitted = end->csn;
    atomic_store(&wal->csn_appended, end->csn);
    atomic_store(&wal->csn_durable, end->csn);
    wal->started = true;
    DCHECK(wal__invariants_hold(wal));
}

static enum status
new_wal(const struct env *env, const char *dir, const struct wal_options *options, struct wal **out)
{
    TRY(wal__dir_check(dir));
    struct wal *wal = memory_alloc(env->memory, MEMORY_LOG, sizeof(*wal));
    if (wal == NULL)
        return STATUS_NO_MEMORY;
    wal->env = *env;
    wal->dir = dir;
    wal->options = *options;
    wal->hold_ns = WAL__HOLD_NS;
    if (wal->options.buffer_count == 0)
        wal->options.buffer_count = WAL__BUFFER_COUNT_DEFAULT;
    if (wal->options.spare_count == 0)
        wal->options.spare_count = WAL__SPARE_COUNT_DEFAULT;
    CHECK(wal->options.buffer_count >= WAL__BUFFER_COUNT_MIN &&
          wal->options.buffer_count <= WAL__BUFFER_COUNT_MAX);
    CHECK(options->frame_size_max == 0 || (options->frame_size_max >= WAL__PAYLOAD_MIN &&
                                           options->frame_size_max <= WAL_FRAME_PAYLOAD_MAX));
    *out = wal;
    return STATUS_OK;
}

enum status
wal_create(const struct env *env, const char *dir, const struct wal_options *options, uint64_t csn,
           struct wal **out)
{
    struct wal_position before = {.csn = csn};
    struct wal__segment *segment = NULL;
    struct wal *wal = NULL;
    enum status status;

    CHECK(options->segment_size % WAL_BLOCK_SIZE == 0);
    CHECK(options->segment_size >= WAL_SEGMENT_SIZE_MIN &&
          options->segment_size <= WAL_SEGMENT_SIZE_MAX);
    CHECK(!options->read_only);
    TRY(new_wal(env, dir, options, &wal));
    wal->segment_size = options->segment_size;
    TRY_OUT(allocate_buffers(wal));
    wal__draw_epoch(wal, 0);
    TRY_OUT(wal__segment_create(wal, 1, &segment));
    wal__segments_push(&wal->kept, segment);
    TRY_OUT(wal__segment_write_header(wal, segment, 0, &before));
    wal->start = before;
    wal->start.lsn = wal__first_lsn(wal, 1);
    wal->scan =
        (struct wal_scan_result){.segment_count = 1, .end = wal->start, .cut_reason = "clean end"};
    wal->released = wal->start;
    wal->statistics.segment_created_count = 1;
    wal->statistics.header_size = WAL_BLOCK_SIZE;
    begin_at(wal, &wal->start);
    *out = wal;
    return STATUS_OK;
out:
    wal_close(wal);
    return status;
}

enum status
wal_open(const struct env *env, const char *dir, const struct wal_options *options,
         struct wal_position start, struct wal **out)
{
    struct wal *wal = NULL;
    enum status status;

    TRY(new_wal(env, dir, options, &wal));
    wal->start = start;
    wal->released = start;
    TRY_OUT(wal__files_load(wal));
    TRY_OUT(wal__scan_run(wal));
    *out = wal;
    return STATUS_OK;
out:
    wal_close(wal);
    return status;
}

const struct wal_scan_result *
wal_scan(const struct wal *wal)
{
    return &wal->scan;
}

/* The mistake of going on where the old process stopped, for the rig to find. */
static enum status
resume_old_tail(struct wal *wal)
{
    wal->epoch = wal->kept.last->epoch;
    return wal__segment_open_file(wal, wal->kept.last);
}

enum status
wal_start(struct wal *wal)
{
    struct wal_position at = wal->scan.end;

    CHECK(!wal->started && wal->kept.last != NULL);
    if (wal->options.read_only)
        return error_raise(STATUS_READONLY, "log %s is open for reading only", wal->dir);
    TRY(allocate_buffers(wal));
    if (BUG(RECOVERY_RESUMES_OLD_TAIL))
        TRY(resume_old_tail(wal));
    else
        TRY(wal__fence(wal, &at));
    begin_at(wal, &at);
    return STATUS_OK;
}

void
wal_close(struct wal *wal)
{
    if (wal == NULL)
        return;
    latch_lock(&wal->latch);
    while (wal->writing_count > 0) {
        uint32_t seen = event_count(&wal->turn);

        latch_unlock(&wal->latch);
        event_wait(&wal->turn, seen);
        latch_lock(&wal->latch);
    }
    latch_unlock(&wal->latch);
    wal__segments_free(wal, &wal->kept);
    wal__segments_free(wal, &wal->prepared);
    wal__segments_free(wal, &wal->leftover);
    wal__files_free(wal);
    free_buffers(wal);
    memory_free(wal->env.memory, MEMORY_LOG, wal, sizeof(*wal));
}

bool
wal_is_failed(const struct wal *wal)
{
    return atomic_load(&wal->failed);
}

void
wal_get_statistics(const struct wal *wal, struct wal_statistics *out)
{
    /* The latch is no part of what the caller may see change. */
    struct latch *latch = &((union {
                               const struct wal *given;
                               struct wal *taken;
                           }){wal})
                               .taken->latch;

    latch_lock(latch);
    *out = wal->statistics;
    latch_unlock(latch);
}

struct name_list {
    const struct env *env;
    uint64_t *numbers;
    size_t count;
    size_t capacity;
    enum status status;
};

static void
add_number(void *context, const char *name, bool is_directory)
{
    struct name_list *list = context;
    uint64_t number = wal__number_in(name);

    if (number == 0 || is_directory || list->status != STATUS_OK)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        uint64_t *numbers =
            memory_resize(list->env->memory, MEMORY_LOG, list->numbers,
                          list->capacity * sizeof(*numbers), capacity * sizeof(*numbers));

        if (numbers == NULL) {
            list->status = STATUS_NO_MEMORY;
            return;
        }
        list->numbers = numbers;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
}

enum status
wal_remove(const struct env *env, const char *dir)
{
    struct name_list list = {.env = env};
    enum status status;

    TRY(wal__dir_check(dir));
    TRY_OUT(io_list(env->io, dir, add_number, &list));
    TRY_OUT(list.status);
    for (size_t i = 0; i < list.count; i++) {
        struct wal__path path = wal__path_of(dir, list.numbers[i]);

        TRY_OUT(io_remove(env->io, path.text));
    }
    status = io_remove_dir(env->io, dir);
    if (status == STATUS_EXISTS)
        status = error_raise(STATUS_IO,
                             "cannot remove the log's directory %s: files that are not the log's "
                             "lie in it; move them away",
                             dir);
out:
    memory_free(env->memory, MEMORY_LOG, list.numbers, list.capacity * sizeof(*list.numbers));
    return status;
}
