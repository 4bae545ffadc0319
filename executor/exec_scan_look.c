/*
 * Many look-ups at once: the keys of IN, and the row keys that index entries lead to, are gathered and
 * given to qtdb_get_batch, which overlaps their waiting for memory and disk. No more are gathered than rows
 * are wanted, so a LIMIT reads what it gives. A row larger than its room is read by itself.
 */
#include <string.h>

#include "executor/exec_scan.h"
#include "kernel/base/check.h"

enum { LOOK_ROOM = 256, LOOK_KEY_ROOM = 32 };

/* One piece of memory: this, the rooms of the rows, then the keys. */
struct scan_look {
    uint32_t wanted;
    uint32_t count;
    uint32_t key_used;
    uint32_t key_size;
    uint8_t *rooms;
    uint8_t *keys;
    struct qtdb_lookup lookups[];
};

static size_t
key_room(uint32_t capacity)
{
    return (size_t)capacity * LOOK_KEY_ROOM + QTDB_KEY_SIZE_MAX;
}

static size_t
look_size(uint32_t capacity)
{
    return sizeof(struct scan_look) + capacity * (sizeof(struct qtdb_lookup) + LOOK_ROOM) +
           key_room(capacity);
}

void
scan__look_free(struct exec *exec)
{
    struct scan *scan = exec->state;

    memory_free(exec->context->memory, MEMORY_SQL, scan->look, look_size(scan->look_capacity));
    scan->look = NULL;
    scan->look_capacity = 0;
}

enum status
scan__look_begin(struct exec *exec, uint32_t wanted)
{
    struct scan *scan = exec->state;

    CHECK(wanted > 0 && wanted <= SCAN_LOOK_MAX);
    if (scan->look == NULL || scan->look_capacity < wanted) {
        scan__look_free(exec);
        scan->look = memory_alloc(exec->context->memory, MEMORY_SQL, look_size(wanted));
        if (scan->look == NULL)
            return STATUS_NO_MEMORY;
        scan->look_capacity = wanted;
        scan->look->rooms = (uint8_t *)&scan->look->lookups[wanted];
        scan->look->keys = scan->look->rooms + (size_t)wanted * LOOK_ROOM;
    }
    scan->look->wanted = wanted;
    scan->look->count = scan->look->key_used = 0;
    return STATUS_OK;
}

/* There is room for one more key of any size. */
bool
scan__look_has_room(const struct scan *scan)
{
    const struct scan_look *look = scan->look;

    return look->count < look->wanted &&
           look->key_used + QTDB_KEY_SIZE_MAX <= key_room(scan->look_capacity);
}

void
scan__look_add(struct scan *scan, const void *key, size_t key_size)
{
    struct scan_look *look = scan->look;
    uint8_t *copy = look->keys + look->key_used;

    CHECK(key_size <= QTDB_KEY_SIZE_MAX && scan__look_has_room(scan));
    memcpy(copy, key, key_size);
    look->key_used += (uint32_t)key_size;
    look->lookups[look->count] = (struct qtdb_lookup){
        .key = copy,
        .key_size = key_size,
        .value = look->rooms + (size_t)look->count * LOOK_ROOM,
        .value_size = LOOK_ROOM,
    };
    look->count++;
}

enum status
scan__look_up(struct exec *exec, bool may_miss)
{
    const struct scan *scan = exec->state;
    struct exec_context *context = exec->context;
    struct scan_look *look = scan->look;

    if (look->count == 0)
        return STATUS_OK;
    if (look->count == 1)
        return scan__take_by_key(exec, look->lookups[0].key, look->lookups[0].key_size, may_miss);
    TRY(sql_from_code(qtdb_get_batch(context->txn, scan->rows, look->lookups, look->count),
                      context->error));
    for (uint32_t i = 0; i < look->count; i++) {
        const struct qtdb_lookup *row = &look->lookups[i];

        if (row->code == QTDB_OK)
            TRY(scan__take_row(exec, row->key, row->key_size, row->value, row->value_size));
        else
            TRY(scan__take_by_key(exec, row->key, row->key_size, may_miss));
    }
    return STATUS_OK;
}
