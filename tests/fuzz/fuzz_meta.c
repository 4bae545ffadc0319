/*
 * Goal: prove that meta_decode takes any bytes, says why it refuses, and that a slot it accepts holds
 * values in range and has exactly one form on disk.
 * Method: the first byte names the slot and says whether magic and checksum are made to hold; the
 * rest is the slot, filled up with zeros. What decodes is encoded again: the same bytes.
 */

#include <stdint.h>
#include <stdlib.h>

#include "kernel/base/checksum.h"
#include "pager/page.h"

enum { SLOT_ONE = 1, FIX_MAGIC = 2, FIX_CHECKSUM = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static void
require_promises(const struct meta *meta, const struct meta_slot *slot_bytes, uint32_t slot)
{
    struct meta_slot again;

    require(meta->file_id != 0);
    require(meta->state == META_CLEAN || meta->state == META_NEEDS_LOG);
    require((meta->state == META_CLEAN) == (meta->log_id == 0));
    require(meta->page_count >= PAGE_COUNT_MIN && meta->page_count <= PAGE_COUNT_MAX);
    require(meta->map_count <= META_MAP_COUNT);
    meta_encode(meta, slot, &again);
    require(memcmp(&again, slot_bytes, PAGE_SIZE) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct meta_slot *slot_bytes;
    struct meta meta;
    uint32_t slot;
    const char *reason = NULL;
    enum status status;

    if (size == 0 || size > 1 + PAGE_SIZE)
        return 0;
    slot_bytes = calloc(1, sizeof(*slot_bytes));
    require(slot_bytes != NULL);
    memcpy(slot_bytes, data + 1, size - 1);
    slot = data[0] & SLOT_ONE;
    if ((data[0] & FIX_MAGIC) != 0)
        slot_bytes->magic = le64_of(META_MAGIC);
    if ((data[0] & FIX_CHECKSUM) != 0)
        slot_bytes->checksum = le64_of(checksum64((const uint8_t *)slot_bytes + 8, PAGE_SIZE - 8,
                                                  checksum_seed(META_SEED, slot)));
    status = meta_decode(slot_bytes, slot, &meta, &reason);
    require(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION ||
            status == STATUS_INVALID);
    require((status == STATUS_OK) == (reason == NULL));
    if (status == STATUS_OK)
        require_promises(&meta, slot_bytes, slot);
    free(slot_bytes);
    return 0;
}
