/*
 * Meta slots: encoding, and validation of bytes from the disk.
 *
 * A slot is valid if and only if (1) its magic is ours, (2) its checksum, seeded with META_SEED and
 * the slot's number, holds, (3) its version is PAGER_FORMAT_VERSION, (4) every field is in the range
 * that values_reason states and every byte not in use is zero. Magic, version and checksum keep
 * their places and meaning in all versions, so that a newer file is told from a damaged one.
 *
 * What meta_decode refuses meta_encode CHECKs: both ask values_reason.
 */
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "pager/page.h"

static uint64_t
slot_checksum(const struct meta_slot *slot_bytes, uint32_t slot)
{
    const uint8_t *bytes = (const uint8_t *)slot_bytes;

    return checksum64(bytes + 8, PAGE_SIZE - 8, checksum_seed(META_SEED, slot));
}

/* Why the values cannot stand in a slot; NULL if they can. */
static const char *
values_reason(const struct meta *meta)
{
    uint64_t csn_beyond = 0;

    if (meta->file_id == 0)
        return "the file id is 0";
    if (meta->state != META_CLEAN && meta->state != META_NEEDS_LOG)
        return "the state is unknown";
    if ((meta->state == META_CLEAN) != (meta->log_id == 0))
        return "state and log id do not fit each other";
    if (meta->page_count < PAGE_COUNT_MIN || meta->page_count > PAGE_COUNT_MAX)
        return "the page count is out of range";
    if (meta->map_count > META_MAP_COUNT)
        return "the map count is out of range";
    for (uint32_t index = meta->map_count; index < META_MAP_COUNT; index++)
        csn_beyond |= meta->map_csn[index];
    if (csn_beyond != 0)
        return "a map page past the map count has a CSN";
    return NULL;
}

void
meta_encode(const struct meta *meta, uint32_t slot, struct meta_slot *out)
{
    CHECK(slot < META_SLOT_COUNT);
    CHECK(values_reason(meta) == NULL);
    memset(out, 0, sizeof(*out));
    out->magic = le64_of(META_MAGIC);
    out->version = le32_of(PAGER_FORMAT_VERSION);
    out->page_size = le32_of(PAGE_SIZE);
    out->file_id = le64_of(meta->file_id);
    out->sequence = le64_of(meta->sequence);
    out->state = le32_of((uint32_t)meta->state);
    out->slot = le32_of(slot);
    out->log_id = le64_of(meta->log_id);
    out->redo_lsn = le64_of(meta->redo_lsn);
    out->redo_chain = le64_of(meta->redo_chain);
    out->redo_csn = le64_of(meta->redo_csn);
    out->page_count = le64_of(meta->page_count);
    out->segment_size = le64_of(meta->segment_size);
    out->map_count = le32_of(meta->map_count);
    out->created_ms = le64_of(meta->created_ms);
    for (uint32_t index = 0; index < META_MAP_COUNT; index++)
        out->map_csn[index] = le64_of(meta->map_csn[index]);
    out->checksum = le64_of(slot_checksum(out, slot));
}

/* What a slot holds besides the values of struct meta. */
static const char *
frame_reason(const struct meta_slot *slot_bytes, uint32_t slot)
{
    if (le32_get(slot_bytes->version) == 0)
        return "the format version is 0";
    if (le32_get(slot_bytes->page_size) != PAGE_SIZE)
        return "the page size is not 4096";
    if (le32_get(slot_bytes->slot) != slot)
        return "the slot carries another slot's number";
    if (le32_get(slot_bytes->reserved_size) != 0)
        return "the reserved size is not 0";
    if (!bytes_are_zero(slot_bytes->reserved, sizeof(slot_bytes->reserved)))
        return "reserved bytes are not zero";
    return NULL;
}

static void
values_get(const struct meta_slot *slot_bytes, struct meta *out)
{
    out->file_id = le64_get(slot_bytes->file_id);
    out->sequence = le64_get(slot_bytes->sequence);
    out->state = (enum meta_state)le32_get(slot_bytes->state);
    out->log_id = le64_get(slot_bytes->log_id);
    out->redo_lsn = le64_get(slot_bytes->redo_lsn);
    out->redo_chain = le64_get(slot_bytes->redo_chain);
    out->redo_csn = le64_get(slot_bytes->redo_csn);
    out->page_count = le64_get(slot_bytes->page_count);
    out->segment_size = le64_get(slot_bytes->segment_size);
    out->map_count = le32_get(slot_bytes->map_count);
    out->created_ms = le64_get(slot_bytes->created_ms);
    for (uint32_t index = 0; index < META_MAP_COUNT; index++)
        out->map_csn[index] = le64_get(slot_bytes->map_csn[index]);
}

enum status
meta_decode(const struct meta_slot *slot_bytes, uint32_t slot, struct meta *out,
            const char **reason_out)
{
    struct meta meta;
    const char *reason;

    CHECK(slot < META_SLOT_COUNT);
    if (le64_get(slot_bytes->magic) != META_MAGIC) {
        *reason_out = "the magic number is not that of a qtdb file";
        return STATUS_INVALID;
    }
    if (le64_get(slot_bytes->checksum) != slot_checksum(slot_bytes, slot)) {
        *reason_out = "the checksum does not match";
        return STATUS_CORRUPT;
    }
    if (le32_get(slot_bytes->version) > PAGER_FORMAT_VERSION) {
        *reason_out = "the file was written by a newer version";
        return STATUS_VERSION;
    }
    values_get(slot_bytes, &meta);
    reason = frame_reason(slot_bytes, slot);
    if (reason == NULL)
        reason = values_reason(&meta);
    if (reason != NULL) {
        *reason_out = reason;
        return STATUS_CORRUPT;
    }
    *out = meta;
    return STATUS_OK;
}
