/* The order rules of the database file: pages, meta slots, and what is claimed. See crash_order.h. */
#include "tools/qtdb-crash/crash_order.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pager/page.h"

void
crash_order_init(struct crash_order *order, struct memory *memory,
                 void (*broken)(void *context, const char *text), void *context)
{
    *order = (struct crash_order){
        .memory = memory, .broken = broken, .context = context, .csn_proven = UINT64_MAX};
}

void
crash_order_deinit(struct crash_order *order)
{
    crash_free(order->memory, order->frames, order->frame_capacity * sizeof(*order->frames));
}

void
crash_order_broken(struct crash_order *order, const struct io_sim_event *event, const char *format,
                   ...)
{
    char text[ORDER_TEXT_SIZE];
    int used;
    va_list arguments;

    if (order->broken == NULL)
        return;
    used = snprintf(text, sizeof(text), "operation %" PRIu64 " on %s: ", event->index, event->path);
    CHECK(used > 0 && used < ORDER_TEXT_SIZE);
    va_start(arguments, format);
    (void)vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
    va_end(arguments);
    order->broken(order->context, text);
}

static struct order_meta
meta_of(const uint8_t *bytes, uint32_t slot)
{
    struct meta meta;
    const char *reason;

    if (meta_decode((const struct meta_slot *)(const void *)bytes, slot, &meta, &reason) !=
        STATUS_OK)
        return (struct order_meta){.valid = false};
    return (struct order_meta){.valid = true,
                               .needs_log = meta.state == META_NEEDS_LOG,
                               .redo_lsn = meta.redo_lsn,
                               .page_count = meta.page_count};
}

/* What the slots hold counts as durable. */
static void
slots_load(struct crash_order *order)
{
    uint8_t bytes[PAGE_SIZE];

    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        if (io_sim_peek(order->io, CRASH_FILE, (uint64_t)slot * PAGE_SIZE, bytes, PAGE_SIZE) ==
            STATUS_OK)
            order->slots[slot].durable = meta_of(bytes, slot);
    }
}

void
crash_order_begin(struct crash_order *order, struct io *io)
{
    order->io = io;
    memset(order->pages, 0, sizeof(order->pages));
    memset(order->segments, 0, sizeof(order->segments));
    memset(order->slots, 0, sizeof(order->slots));
    order->file_name_pending = false;
    order->log_dir_pending = false;
    order->has_header = false;
    order->old_last = order->new_first = order->new_last = 0;
    order->frame_count = 0;
    order->csn_proven = UINT64_MAX;
    slots_load(order);
}

uint64_t
crash_order_redo(const struct crash_order *order)
{
    uint64_t redo = UINT64_MAX;

    for (uint32_t index = 0; index < META_SLOT_COUNT; index++) {
        const struct order_slot *slot = &order->slots[index];

        if (slot->durable.valid && slot->durable.needs_log && slot->durable.redo_lsn < redo)
            redo = slot->durable.redo_lsn;
        if (slot->progress != ORDER_SYNCED && slot->pending.valid && slot->pending.needs_log &&
            slot->pending.redo_lsn < redo)
            redo = slot->pending.redo_lsn;
    }
    return redo;
}

/* O4 */
static void
check_needs_log(struct crash_order *order, const struct io_sim_event *event, const char *what)
{
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        const struct order_meta *durable = &order->slots[slot].durable;

        if (durable->valid && !durable->needs_log)
            crash_order_broken(order, event, "O4: %s is written while slot %" PRIu32 " says clean",
                               what, slot);
    }
}

/* O6 */
static void
check_meta(struct crash_order *order, const struct io_sim_event *event, const uint8_t *bytes,
           uint32_t slot)
{
    struct meta meta;
    const char *reason;

    if (meta_decode((const struct meta_slot *)(const void *)bytes, slot, &meta, &reason) !=
        STATUS_OK) {
        crash_order_broken(order, event, "O6: slot %" PRIu32 " is written wrong: %s", slot, reason);
        return;
    }
    for (uint32_t number = META_SLOT_COUNT; number < CRASH_PAGE_LIMIT; number++) {
        const struct order_page *page = &order->pages[number];

        if (page->progress != ORDER_SYNCED && !page->direct && page->csn <= meta.redo_csn)
            crash_order_broken(order, event,
                               "O6: slot %" PRIu32 " names redo CSN %" PRIu64 ", page %" PRIu32
                               " of CSN %" PRIu64 " is not synced",
                               slot, meta.redo_csn, number, page->csn);
    }
}

static void
page_submit(struct crash_order *order, const struct io_sim_event *event, const uint8_t *bytes,
            uint32_t number)
{
    const struct page_header *header = page_header_const(bytes);
    struct order_page *page = &order->pages[number];
    uint64_t csn = le64_get(header->csn);

    check_needs_log(order, event, "a page");
    if (page->progress == ORDER_IN_FLIGHT)
        crash_order_broken(order, event, "O8: page %" PRIu32 " is in flight already", number);
    page->direct = order->direct;
    page->csn = csn;
    page->progress = ORDER_IN_FLIGHT;
    if (csn > order->csn_proven - order->allowance)
        crash_order_broken(
            order, event, "O1: page %" PRIu32 " of CSN %" PRIu64 " is written, durable is %" PRIu64,
            number, csn, order->csn_proven);
}

static void
file_submit(struct crash_order *order, const struct io_sim_event *event)
{
    const uint8_t *bytes = event->bytes;

    for (uint64_t at = 0; at + PAGE_SIZE <= event->size; at += PAGE_SIZE) {
        uint64_t number = (event->offset + at) / PAGE_SIZE;

        if (number >= META_SLOT_COUNT && number < CRASH_PAGE_LIMIT) {
            page_submit(order, event, bytes + at, (uint32_t)number);
        } else if (number < META_SLOT_COUNT) {
            struct order_slot *slot = &order->slots[number];

            check_meta(order, event, bytes + at, (uint32_t)number);
            slot->pending = meta_of(bytes + at, (uint32_t)number);
            slot->progress = ORDER_IN_FLIGHT;
        }
    }
}

static void
slot_settle(struct order_slot *slot, enum order_progress progress)
{
    slot->progress = progress;
    if (progress == ORDER_SYNCED)
        slot->durable = slot->pending;
}

/* A write is done. One that failed stays pending for ever: what it left is not known. */
static void
file_written(struct crash_order *order, const struct io_sim_event *event)
{
    enum order_progress progress = (event->flags & IO_DURABLE) != 0 ? ORDER_SYNCED : ORDER_WRITTEN;

    for (uint64_t at = 0; at + PAGE_SIZE <= event->size && event->status == STATUS_OK;
         at += PAGE_SIZE) {
        uint64_t number = (event->offset + at) / PAGE_SIZE;

        if (number >= META_SLOT_COUNT && number < CRASH_PAGE_LIMIT)
            order->pages[number].progress = progress;
        else if (number < META_SLOT_COUNT)
            slot_settle(&order->slots[number], progress);
    }
}

static void
file_synced(struct crash_order *order, const struct io_sim_event *event)
{
    enum order_progress from = event->done ? ORDER_COVERED : ORDER_WRITTEN;
    enum order_progress to = event->done ? ORDER_SYNCED : ORDER_COVERED;

    if (event->done && event->status != STATUS_OK)
        to = ORDER_WRITTEN;
    for (uint32_t number = 0; number < CRASH_PAGE_LIMIT; number++) {
        if (order->pages[number].progress == from)
            order->pages[number].progress = to;
    }
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        if (order->slots[slot].progress == from)
            slot_settle(&order->slots[slot], to);
    }
}

/* O9 */
static void
check_cut(struct crash_order *order, const struct io_sim_event *event)
{
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        const struct order_meta *durable = &order->slots[slot].durable;

        if (durable->valid && event->size < durable->page_count * PAGE_SIZE)
            crash_order_broken(order, event,
                               "O9: cut to %" PRIu64 " bytes, slot %" PRIu32 " names %" PRIu64
                               " pages",
                               event->size, slot, durable->page_count);
    }
}

static void
file_event(struct crash_order *order, const struct io_sim_event *event)
{
    if (event->in_flight)
        return;
    switch (event->op) {
    case IO_SIM_WRITE:
        if (event->done)
            file_written(order, event);
        else
            file_submit(order, event);
        break;
    case IO_SIM_SYNC:
        file_synced(order, event);
        break;
    case IO_SIM_TRUNCATE:
        if (!event->done)
            check_cut(order, event);
        break;
    default:
        break;
    }
}

/* Names in the root: the file's and the log directory's. */
static void
name_event(struct crash_order *order, const struct io_sim_event *event)
{
    if (!event->done || event->status != STATUS_OK)
        return;
    switch (event->op) {
    case IO_SIM_RENAME:
        if (strcmp(event->path_to, CRASH_FILE) != 0)
            break;
        order->file_name_pending = true;
        slots_load(order);
        break;
    case IO_SIM_MAKE_DIR:
        order->log_dir_pending |= strcmp(event->path, CRASH_LOG_DIR) == 0;
        break;
    case IO_SIM_SYNC_DIR:
        if (strcmp(event->path, "/") == 0)
            order->file_name_pending = order->log_dir_pending = false;
        crash_order_prove(order);
        break;
    default:
        break;
    }
}

/* Once both slots say clean, the file is all there is, and it is synced (O6). */
static bool
is_clean(const struct crash_order *order)
{
    for (uint32_t index = 0; index < META_SLOT_COUNT; index++) {
        const struct order_slot *slot = &order->slots[index];

        if (!slot->durable.valid || slot->durable.needs_log || slot->progress != ORDER_SYNCED)
            return false;
    }
    return true;
}

void
crash_order_event(struct crash_order *order, const struct io_sim_event *event, uint64_t csn_claimed)
{
    name_event(order, event);
    if (strcmp(event->path, CRASH_FILE) == 0)
        file_event(order, event);
    else if (crash_order_is_log(event->path))
        crash_order_log_event(order, event);
    if (order->has_header && csn_claimed > order->csn_proven - order->allowance && !is_clean(order))
        crash_order_broken(order, event, "O5: CSN %" PRIu64 " is called durable, %" PRIu64 " is",
                           csn_claimed, order->csn_proven);
}
