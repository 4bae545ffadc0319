/*
 * Many look-ups at once: the keys of IN, and the row keys that index entries lead to, are gathered and
 * given to qtdb_get_batch, which overlaps their waiting for memory and disk. No more are gathered than rows
 * are wanted, so a LIMIT reads what it gives. A row larger than its room is read by itself.
 */
#include <string.h>

#include "executor/exec_scan.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

enum { LOOK_ROOM = 256, LOOK_KEY_ROOM = 32, PAUSE_MAX = 16 };

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

uint32_t
scan__look_count(const struct scan *scan)
{
    return scan->look->count;
}

void
scan__look_cut(struct scan *scan, uint32_t count)
{
    struct scan_look *look = scan->look;

    CHECK(count <= look->count);
    if (count < look->count)
        look->key_used = (uint32_t)((const uint8_t *)look->lookups[count].key - look->keys);
    look->count = count;
}

/* Where all leaves are in memory the way to them is not gone twice: ever more batches are left out. */
static enum status
fetch_leaves(struct exec *exec)
{
    struct scan *scan = exec->state;
    uint32_t absent_count = 0;

    if (scan->fetch_pause > 0) {
        scan->fetch_pause--;
        return STATUS_OK;
    }
    TRY(database_fetch(exec->context->txn, scan->tree, scan->look->lookups, scan->look->count,
                       &absent_count));
    scan->fetch_idle = absent_count > 0                   ? 0
                       : 2 * scan->fetch_idle < PAUSE_MAX ? 2 * scan->fetch_idle + 1
                                                          : PAUSE_MAX;
    scan->fetch_pause = scan->fetch_idle;
    return STATUS_OK;
}

/* One by itself is read where it is asked for. */
enum status
scan__look_fetch(struct exec *exec, bool rows)
{
    const struct scan *scan = exec->state;
    struct scan_look *look = scan->look;

    if (look->count < 2)
        return STATUS_OK;
    if (!rows)
        return fetch_leaves(exec);
    return sql_from_code(qtdb_get_batch(exec->context->txn, scan->rows, look->lookups, look->count),
                         exec->context->error);
}

enum status
scan__look_give(struct exec *exec, uint32_t from, uint32_t end, bool may_miss)
{
    const struct scan *scan = exec->state;
    const struct scan_look *look = scan->look;

    for (uint32_t i = from; i < end; i++) {
        const struct qtdb_lookup *row = &look->lookups[i];

        if (look->count > 1 && row->code == QTDB_OK)
            TRY(scan__take_row(exec, row->key, row->key_size, row->value, row->value_size));
        else if (look->count > 1 && row->code == QTDB_NOT_FOUND && may_miss)
            continue;
        else
            TRY(scan__take_by_key(exec, row->key, row->key_size, may_miss));
    }
    return STATUS_OK;
}

enum status
scan__look_up(struct exec *exec, bool may_miss)
{
    const struct scan *scan = exec->state;

    TRY(scan__look_fetch(exec, true));
    return scan__look_give(exec, 0, scan->look->count, may_miss);
}
