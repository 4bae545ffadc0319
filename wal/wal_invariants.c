/* What must hold whenever the latch is held: the marks of wal_private.h and what follows from them. */
#include "kernel/base/check.h"
#include "wal/wal_private.h"

static bool
marks_hold(const struct wal *wal)
{
    return wal->sequence_finished <= wal->sequence_submitted &&
           wal->sequence_submitted <= wal->sequence_sealed &&
           wal->sequence_sealed <= wal->sequence_open &&
           wal->sequence_submitted - wal->sequence_finished <= WAL__IN_FLIGHT_MAX &&
           wal->sequence_open - wal->sequence_finished <= wal->slot_count;
}

static bool
positions_hold(const struct wal *wal)
{
    uint64_t csn_durable = atomic_load(&wal->csn_durable);

    return csn_durable <= wal->csn_submitted &&
           wal->csn_submitted <= atomic_load(&wal->csn_appended) &&
           wal->released.lsn <= wal->lsn_durable && wal->lsn_durable <= wal->lsn_next &&
           wal->lsn_next % WAL_BLOCK_SIZE == 0 && wal->open_used <= wal->payload_max;
}

/* Closed frames lie one behind the other, each in one segment, with rising CSNs. */
static bool
slots_hold(const struct wal *wal)
{
    uint64_t lsn = wal->lsn_durable, csn = atomic_load(&wal->csn_durable);

    for (uint64_t i = wal->sequence_finished; i < wal->sequence_open; i++) {
        const struct wal__slot *slot = &wal->slots[i % wal->slot_count];
        uint64_t size = wal__frame_size(slot->payload_size);

        if (slot->lsn < lsn || slot->csn < csn ||
            wal__number_of(wal, slot->lsn) != wal__number_of(wal, slot->lsn + size))
            return false;
        lsn = slot->lsn + size;
        csn = slot->csn;
    }
    return lsn == wal->lsn_next;
}

static bool
segments_hold(const struct wal *wal)
{
    const struct wal__segment *current = wal->kept.last;
    uint64_t number = current->number;

    if (current->file == NULL || current->filled > wal->segment_size || current->end_lsn != 0)
        return false;
    for (const struct wal__segment *s = wal->prepared.first; s != NULL; s = s->next)
        if (s->number != ++number || s->file == NULL || s->filled > wal->segment_size)
            return false;
    return wal__number_of(wal, wal->lsn_next) <= number &&
           wal__number_of(wal, wal->lsn_durable) <= current->number;
}

bool
wal__invariants_hold(const struct wal *wal)
{
    CHECK(wal->started && wal->kept.last != NULL);
    return marks_hold(wal) && positions_hold(wal) && slots_hold(wal) && segments_hold(wal);
}
