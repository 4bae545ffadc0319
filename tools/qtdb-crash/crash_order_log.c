/* The order rules of the log: segments, frames, names. See crash_order.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-crash/crash_order.h"
#include "wal/wal_format.h"

bool
crash_order_is_log(const char *path)
{
    return strncmp(path, CRASH_LOG_DIR, sizeof(CRASH_LOG_DIR) - 1) == 0;
}

/* The number in a segment's path; 0 when it is not one. */
static uint64_t
number_in(const char *path)
{
    const char *name = path + sizeof(CRASH_LOG_DIR) - 1;
    char *end;

    if (!crash_order_is_log(path) || name[0] != '/')
        return 0;
    uint64_t number = strtoull(name + 1, &end, 16);

    return strcmp(end, ".seg") == 0 ? number : 0;
}

/* The account of a segment, a new one where there was none. */
static struct order_segment *
segment_of(struct crash_order *order, uint64_t number)
{
    struct order_segment *vacant = NULL;

    for (uint32_t index = 0; index < ORDER_SEGMENT_MAX; index++) {
        struct order_segment *segment = &order->segments[index];

        if (segment->number == number)
            return segment;
        if (vacant == NULL && segment->number == 0)
            vacant = segment;
    }
    CHECK(vacant != NULL);
    *vacant = (struct order_segment){.number = number};
    return vacant;
}

/* What is written or synced is named as it was when it was opened; it may have been renamed since. */
static struct order_segment *
segment_of_event(struct crash_order *order, const struct io_sim_event *event, uint64_t number)
{
    bool is_open_file = event->op == IO_SIM_WRITE || event->op == IO_SIM_SYNC;

    for (uint32_t index = 0; is_open_file && index < ORDER_SEGMENT_MAX; index++) {
        struct order_segment *segment = &order->segments[index];

        if (segment->number != 0 && segment->opened_as == number)
            return segment;
    }
    return segment_of(order, number);
}

/* A frame counts when it, its segment's header and every name on the way are durable. */
void
crash_order_prove(struct crash_order *order)
{
    uint32_t proven = 0;

    if (!order->has_header || order->file_name_pending || order->log_dir_pending)
        return;
    while (proven < order->frame_count) {
        const struct order_frame *frame = &order->frames[proven];
        const struct order_segment *segment = segment_of(order, frame->segment);

        if (frame->progress != ORDER_SYNCED || segment->name_pending || segment->header_pending)
            break;
        order->csn_proven = frame->csn;
        proven++;
    }
    if (proven == 0)
        return;
    order->frame_count -= proven;
    memmove(order->frames, order->frames + proven, order->frame_count * sizeof(*order->frames));
}

static void
frame_add(struct crash_order *order, struct order_frame frame)
{
    if (order->frame_count == order->frame_capacity) {
        uint32_t capacity = order->frame_capacity == 0 ? 16 : order->frame_capacity * 2;

        order->frames =
            crash_resize(order->memory, order->frames, order->frame_capacity * sizeof(frame),
                         capacity * sizeof(frame));
        order->frame_capacity = capacity;
    }
    order->frames[order->frame_count++] = frame;
}

/* O3 */
static void
check_needed(struct crash_order *order, const struct io_sim_event *event, uint64_t number,
             const char *what)
{
    uint64_t redo = crash_order_redo(order);
    bool is_old = number <= order->old_last;
    bool is_new = number >= order->new_first && number <= order->new_last;

    if (!order->has_header || redo == UINT64_MAX || !(is_old || is_new))
        return;
    if (number >= redo / CRASH_SEGMENT_SIZE)
        crash_order_broken(order, event, "O3: segment %" PRIx64 " is %s, a slot needs LSN %" PRIu64,
                           number, what, redo);
}

/* A segment header: the log goes on here. After a crash the frames that nobody had been told of are
 * copied in before it. */
static void
header_submit(struct crash_order *order, const struct io_sim_event *event,
              struct order_segment *segment)
{
    const struct wal_segment_header *header = event->bytes;

    check_needed(order, event, segment->number, "given a new header");
    segment->header_pending = true;
    if (!order->has_header) {
        order->has_header = true;
        order->csn_proven = le64_get(header->prev_csn);
        order->old_last = le64_get(header->prev_end_lsn) / CRASH_SEGMENT_SIZE;
        order->new_first = segment->number;
        if (le64_get(header->prev_epoch) == le64_get(header->epoch))
            crash_order_broken(order, event, "O10: the log is continued in its old epoch");
    }
    if (segment->number > order->new_last)
        order->new_last = segment->number;
}

static void
horizon_submit(struct crash_order *order, const struct io_sim_event *event)
{
    const struct wal_horizon *horizon = event->bytes;

    if (le64_get(horizon->magic) != WAL_HORIZON_MAGIC)
        return;
    if (le64_get(horizon->csn_durable) > order->csn_proven - order->allowance)
        crash_order_broken(order, event,
                           "O5: a horizon calls CSN %" PRIu64 " durable, %" PRIu64 " is",
                           le64_get(horizon->csn_durable), order->csn_proven);
}

/* O2; `fills`: zeros, which may be written where nothing is yet. */
static void
blocks_submit(struct crash_order *order, const struct io_sim_event *event,
              struct order_segment *segment, bool fills)
{
    for (uint64_t at = 0; at < event->size; at += WAL_BLOCK_SIZE) {
        uint64_t block = (event->offset + at) / WAL_BLOCK_SIZE;

        if (block >= CRASH_SEGMENT_BLOCKS)
            return;
        if ((segment->written >> block & 1) != 0)
            crash_order_broken(order, event, "O2: block %" PRIu64 " holds a frame already", block);
        if (!fills)
            segment->written |= 1u << block;
    }
}

/* O4 and O7 */
static void
check_before_frame(struct crash_order *order, const struct io_sim_event *event)
{
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        if (order->slots[slot].durable.valid && !order->slots[slot].durable.needs_log)
            crash_order_broken(order, event,
                               "O4: a frame is written while slot %" PRIu32 " says clean", slot);
    }
    for (uint32_t number = META_SLOT_COUNT; number < CRASH_PAGE_LIMIT; number++) {
        if (order->pages[number].direct && order->pages[number].progress != ORDER_SYNCED)
            crash_order_broken(order, event,
                               "O7: a frame is written, direct page %" PRIu32 " is not synced",
                               number);
    }
}

static void
frames_submit(struct crash_order *order, const struct io_sim_event *event,
              struct order_segment *segment)
{
    const uint8_t *bytes = event->bytes;
    uint64_t at = 0;

    check_before_frame(order, event);
    while (at + WAL_BLOCK_SIZE <= event->size) {
        const struct wal_frame_header *header = (const void *)(bytes + at);
        uint64_t size = sizeof(*header) + le32_get(header->payload_size);
        uint64_t lsn = segment->number * CRASH_SEGMENT_SIZE + event->offset + at;

        if (le32_get(header->magic) != WAL_FRAME_MAGIC)
            return;
        if (le64_get(header->lsn) != lsn)
            crash_order_broken(order, event, "a frame of LSN %" PRIu64 " at LSN %" PRIu64,
                               le64_get(header->lsn), lsn);
        if (le64_get(header->csn_durable) > order->csn_proven - order->allowance)
            crash_order_broken(order, event,
                               "O5: a frame calls CSN %" PRIu64 " durable, %" PRIu64 " is",
                               le64_get(header->csn_durable), order->csn_proven);
        frame_add(order, (struct order_frame){.segment = segment->number,
                                              .offset = event->offset + at,
                                              .csn = le64_get(header->first_csn) +
                                                     le32_get(header->commit_count) - 1,
                                              .progress = ORDER_IN_FLIGHT});
        at += (size + WAL_BLOCK_SIZE - 1) / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
    }
}

static void
segment_submit(struct crash_order *order, const struct io_sim_event *event,
               struct order_segment *segment)
{
    const le64 *magic = event->bytes;
    bool is_zero = bytes_are_zero(event->bytes, event->size);

    if (event->offset == 0 && le64_get(*magic) == WAL_SEGMENT_MAGIC) {
        header_submit(order, event, segment);
    } else if (is_zero) {
        blocks_submit(order, event, segment, true);
    } else if (event->offset < WAL_FRAMES_OFFSET) {
        horizon_submit(order, event);
    } else {
        blocks_submit(order, event, segment, false);
        frames_submit(order, event, segment);
    }
}

/* Frames of the segment in [from, to) get on; see order_progress. */
static void
frames_move(struct crash_order *order, uint64_t number, uint64_t from, uint64_t to,
            enum order_progress before, enum order_progress after)
{
    for (uint32_t index = 0; index < order->frame_count; index++) {
        struct order_frame *frame = &order->frames[index];

        if (frame->segment == number && frame->offset >= from && frame->offset < to &&
            frame->progress == before)
            frame->progress = after;
    }
    crash_order_prove(order);
}

static void
segment_written(struct crash_order *order, const struct io_sim_event *event,
                struct order_segment *segment)
{
    bool is_durable = (event->flags & IO_DURABLE) != 0;

    if (event->status != STATUS_OK)
        return;
    if (event->offset == 0 && is_durable)
        segment->header_pending = false;
    frames_move(order, segment->number, event->offset, event->offset + event->size, ORDER_IN_FLIGHT,
                is_durable ? ORDER_SYNCED : ORDER_WRITTEN);
}

static void
segment_synced(struct crash_order *order, const struct io_sim_event *event,
               struct order_segment *segment)
{
    if (!event->done) {
        frames_move(order, segment->number, 0, UINT64_MAX, ORDER_WRITTEN, ORDER_COVERED);
        return;
    }
    if (event->status != STATUS_OK) {
        frames_move(order, segment->number, 0, UINT64_MAX, ORDER_COVERED, ORDER_WRITTEN);
        return;
    }
    segment->header_pending = false;
    frames_move(order, segment->number, 0, UINT64_MAX, ORDER_COVERED, ORDER_SYNCED);
}

static void
segment_renamed(struct crash_order *order, const struct io_sim_event *event,
                struct order_segment *segment)
{
    uint64_t to = number_in(event->path_to);

    if (!event->done) {
        check_needed(order, event, segment->number, "renamed");
        if (to != 0)
            check_needed(order, event, to, "replaced");
        return;
    }
    if (event->status != STATUS_OK)
        return;
    uint64_t opened_as = segment->opened_as != 0 ? segment->opened_as : segment->number;

    segment->number = 0;
    if (to != 0)
        *segment_of(order, to) =
            (struct order_segment){.number = to, .opened_as = opened_as, .name_pending = true};
}

/* All names in the log's directory became durable. */
static void
dir_synced(struct crash_order *order)
{
    for (uint32_t index = 0; index < ORDER_SEGMENT_MAX; index++)
        order->segments[index].name_pending = false;
    crash_order_prove(order);
}

static void
segment_event(struct crash_order *order, const struct io_sim_event *event,
              struct order_segment *segment)
{
    bool is_done = event->done && event->status == STATUS_OK;

    switch (event->op) {
    case IO_SIM_OPEN:
        if (is_done && (event->flags & IO_EXCLUSIVE) != 0)
            *segment = (struct order_segment){.number = segment->number, .name_pending = true};
        if (is_done && (event->flags & IO_WRITE) != 0)
            segment->opened_as = 0;
        break;
    case IO_SIM_WRITE:
        if (event->done)
            segment_written(order, event, segment);
        else if (!event->in_flight)
            segment_submit(order, event, segment);
        break;
    case IO_SIM_SYNC:
        segment_synced(order, event, segment);
        break;
    case IO_SIM_TRUNCATE:
        if (!event->done)
            check_needed(order, event, segment->number, "cut");
        break;
    case IO_SIM_RENAME:
        segment_renamed(order, event, segment);
        break;
    case IO_SIM_REMOVE:
        if (!event->done)
            check_needed(order, event, segment->number, "removed");
        else if (is_done)
            segment->number = 0;
        break;
    default:
        break;
    }
}

void
crash_order_log_event(struct crash_order *order, const struct io_sim_event *event)
{
    uint64_t number = number_in(event->path);

    if (number != 0)
        segment_event(order, event, segment_of_event(order, event, number));
    else if (event->op == IO_SIM_SYNC_DIR && event->done && event->status == STATUS_OK &&
             strcmp(event->path, CRASH_LOG_DIR) == 0)
        dir_synced(order);
}
