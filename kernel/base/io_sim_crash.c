/*
 * Crashes: a new disk that holds what a crash at this moment could leave.
 *
 * Every inode gets a twin in the new disk whose durable view is the old one's, shared. One pass over
 * the pending records, in order of issue, lays what the crash keeps over the twins' views and over
 * the copy of the durable names; the kept subset in order gives each sector its latest kept version.
 * Then files are cut at the size that survived, what no name leads to is dropped, and the current
 * state is the durable one. Untouched files stay shared as a whole, whole chunks as chunks, and the
 * sums that the image's hash is made of are carried over for them.
 *
 * A killed process is different: what is pending stays pending, because the kernel still has it, and a
 * power cut may yet follow.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

enum { ODDS = 8, GARBAGE_ODDS_HIGH = 4, GARBAGE_ODDS_LOW = 32 };

/* Marks operations of the killed process, so that those of its successor are told from them. */
static const uint64_t OP_BEFORE_KILL = UINT64_C(1) << 63;

/* What happens to a write as a whole; most real crashes leave most writes whole. */
enum fate { FATE_LOST = 0, FATE_KEPT = 1, FATE_TORN = 2 };

struct settle {
    struct io_sim *sim;
    struct io_sim *fork;
    const struct io_sim_crash *crash;
    struct random random;
    uint64_t unit; /* Number of the next unit. */
    uint64_t odds; /* Of a unit to survive, of ODDS. */
    uint64_t garbage_odds;
    uint64_t op; /* The operation that `fate` was drawn for. */
    enum fate fate;
};

static void
settle_init(struct settle *settle, struct io_sim *sim, struct io_sim *fork,
            const struct io_sim_crash *crash)
{
    static const uint64_t odds[] = {1, 4, 4, 7};

    *settle = (struct settle){.sim = sim, .fork = fork, .crash = crash, .op = UINT64_MAX};
    if (crash->mode < IO_SIM_CRASH_RANDOM)
        return;
    random_init(&settle->random, crash->seed);
    settle->odds = odds[random_below(&settle->random, sizeof(odds) / sizeof(odds[0]))];
    settle->garbage_odds =
        random_chance(&settle->random, 1, 2) ? GARBAGE_ODDS_HIGH : GARBAGE_ODDS_LOW;
}

static enum fate
fate_draw(struct settle *settle)
{
    if (random_chance(&settle->random, 1, 2))
        return FATE_TORN;
    return random_chance(&settle->random, settle->odds, ODDS) ? FATE_KEPT : FATE_LOST;
}

/* Does the next unit, of operation `op`, survive? */
static bool
unit_survives(struct settle *settle, uint64_t op)
{
    uint64_t unit = settle->unit++;
    uint64_t index = settle->crash->index;

    switch (settle->crash->mode) {
    case IO_SIM_CRASH_LOST:
        return false;
    case IO_SIM_CRASH_KEPT:
        return true;
    case IO_SIM_CRASH_PREFIX:
        return unit < index;
    case IO_SIM_CRASH_DROP_ONE:
        return unit != index;
    case IO_SIM_CRASH_KEEP_ONE:
        return unit == index;
    case IO_SIM_CRASH_MASK:
        return unit < 64 && (index >> unit & 1) != 0;
    case IO_SIM_CRASH_RANDOM:
    case IO_SIM_CRASH_GARBAGE:
    case IO_SIM_CRASH_PROCESS:
        break;
    }
    if (settle->op != op) {
        settle->op = op;
        settle->fate = fate_draw(settle);
    }
    if (settle->fate != FATE_TORN)
        return settle->fate == FATE_KEPT;
    return random_chance(&settle->random, settle->odds, ODDS);
}

/* The sectors of a data record that survive, and those that hold garbage. */
static uint32_t
sectors_survive(struct settle *settle, const struct sim_record *record, uint32_t *garbage_out)
{
    bool may_garble = settle->crash->mode == IO_SIM_CRASH_GARBAGE;
    uint32_t kept = 0;
    uint32_t garbage = 0;

    for (uint32_t sector = 0; sector < SIM_CHUNK_SECTORS; sector++) {
        uint32_t bit = 1u << sector;

        if ((record->mask & bit) == 0)
            continue;
        if (unit_survives(settle, record->op))
            kept |= bit;
        if (may_garble && random_chance(&settle->random, 1, settle->garbage_odds))
            garbage |= bit;
    }
    *garbage_out = garbage;
    return kept & ~garbage;
}

/* Random enough for a checksum, at a fraction of what drawing each word costs. */
static void
garbage_fill(struct settle *settle, uint8_t *sector)
{
    uint64_t seed = random_u64(&settle->random);

    for (uint64_t index = 0; index < IO_SECTOR_SIZE / sizeof(uint64_t); index++) {
        uint64_t word = random_mix(seed + index);

        memcpy(sector + index * sizeof(word), &word, sizeof(word));
    }
}

static enum status
lay_garbage(struct settle *settle, const struct sim_record *record, uint32_t mask)
{
    struct sim_family *family = settle->fork->family;
    uint8_t bytes[SIM_CHUNK_SIZE] = {0};

    for (uint32_t sector = 0; sector < SIM_CHUNK_SECTORS; sector++) {
        if ((mask >> sector & 1) != 0)
            garbage_fill(settle, bytes + (size_t)sector * IO_SECTOR_SIZE);
    }
    struct sim_chunk *chunk = io_sim__chunk_make(family, NULL, 0, SIM_CHUNK_SIZE, bytes);

    if (chunk == NULL)
        return STATUS_NO_MEMORY;
    enum status status = io_sim__view_lay(family, &record->inode->twin->durable, record->data.index,
                                          chunk, mask, 0, SIM_CHUNK_SIZE);

    io_sim__chunk_unref(family, chunk);
    return status;
}

static enum status
settle_record(struct settle *settle, struct sim_record *record)
{
    struct sim_inode *twin = record->inode->twin;
    uint32_t garbage = 0;

    if (record->kind == SIM_DATA) {
        record->settled = (uint8_t)sectors_survive(settle, record, &garbage);
        TRY(io_sim__record_apply(settle->fork, record, record->settled, &twin->durable));
        return garbage == 0 ? STATUS_OK : lay_garbage(settle, record, garbage);
    }
    if (!unit_survives(settle, record->op))
        return STATUS_OK;
    if (record->kind == SIM_SIZE)
        return io_sim__record_apply(settle->fork, record, 0, &twin->durable);
    io_sim__table_apply(settle->fork, &settle->fork->durable, twin, record->name.target->twin,
                        record->name.from, record->name.to);
    return STATUS_OK;
}

static enum status
bad_copy(struct io_sim *fork, const struct sim_inode *inode, struct sim_inode *twin)
{
    for (const struct sim_range *range = inode->bad; range != NULL; range = range->next) {
        struct sim_range *copy = io_sim__pool_alloc(fork->family, sizeof(*copy));

        if (copy == NULL)
            return STATUS_NO_MEMORY;
        *copy = (struct sim_range){.next = twin->bad, .offset = range->offset, .size = range->size};
        twin->bad = copy;
    }
    return STATUS_OK;
}

/* Views that two disks hold have their sums computed (S2), so that neither needs to write to them. */
static struct sim_view *
view_share(struct sim_view *view)
{
    io_sim__view_sum(view, NULL);
    return io_sim__view_ref(view);
}

/* Each twin is held once by the fork under way (twins_release lets go), until names hold it. */
static enum status
twins_make(struct io_sim *sim, struct io_sim *fork)
{
    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
        struct sim_inode *twin = fork->root;

        if (inode != sim->root) {
            twin = io_sim__inode_add(fork, inode->is_dir);
            if (twin == NULL)
                return STATUS_NO_MEMORY;
        }
        io_sim__inode_ref(twin);
        inode->twin = twin;
        twin->diverged = inode->diverged;
        if (inode->durable != NULL)
            twin->durable = view_share(inode->durable);
        TRY(bad_copy(fork, inode, twin));
    }
    return STATUS_OK;
}

static enum status
table_copy(struct io_sim *fork, const struct sim_table *from, struct sim_table *to, uint32_t more)
{
    TRY(io_sim__table_room(fork, to, from->count + more));
    for (uint32_t index = 0; index < from->count; index++) {
        const struct sim_entry *entry = &from->entries[index];
        struct sim_inode *dir = entry->dir->twin == NULL ? entry->dir : entry->dir->twin;
        struct sim_inode *inode = entry->inode->twin == NULL ? entry->inode : entry->inode->twin;

        to->entries[to->count++] =
            (struct sim_entry){.dir = dir, .name = io_sim__name_ref(entry->name), .inode = inode};
        io_sim__inode_ref(dir);
        io_sim__inode_ref(inode);
        inode->links += (uint32_t)(to == &fork->current);
    }
    return STATUS_OK;
}

/* With `size_with_data`, a file ends before the first sector past its durable size of which no version
 * survived. `hit` has a byte a chunk from the durable size on: the sectors that did survive. */
static uint64_t
size_reached(const struct sim_inode *inode, uint64_t size, uint8_t *hit)
{
    uint64_t start = inode->durable->size;
    uint64_t first = start / SIM_CHUNK_SIZE;

    for (struct sim_record *record = inode->first; record != NULL; record = record->inode_next) {
        if (record->kind == SIM_DATA && record->data.index >= first)
            hit[record->data.index - first] |= record->settled;
    }
    for (struct sim_record *record = inode->first; record != NULL; record = record->inode_next) {
        uint32_t lost = 0;

        if (record->kind == SIM_DATA && record->data.index >= first)
            lost = record->mask & ~(uint32_t)hit[record->data.index - first];
        for (; lost != 0; lost &= lost - 1) {
            uint64_t at = record->data.index * SIM_CHUNK_SIZE +
                          (uint64_t)__builtin_ctz(lost) * IO_SECTOR_SIZE;

            if (at + IO_SECTOR_SIZE > start && at < size)
                size = at > start ? at : start;
        }
    }
    return size;
}

static enum status
size_settle(struct io_sim *sim, const struct sim_inode *inode, uint64_t *size)
{
    uint64_t first = inode->durable->size / SIM_CHUNK_SIZE;
    uint64_t last = first;

    if (!sim->size_with_data || *size <= inode->durable->size)
        return STATUS_OK;
    for (struct sim_record *record = inode->first; record != NULL; record = record->inode_next) {
        if (record->kind == SIM_DATA && record->data.index > last)
            last = record->data.index;
    }
    uint8_t *hit = io_sim__pool_alloc(sim->family, last - first + 1);

    if (hit == NULL)
        return STATUS_NO_MEMORY;
    memset(hit, 0, last - first + 1);
    *size = size_reached(inode, *size, hit);
    io_sim__pool_free(sim->family, hit, last - first + 1);
    return STATUS_OK;
}

/* Takes over the hold on `view`. */
static void
current_set(struct io_sim *fork, struct sim_inode *twin, struct sim_view *view)
{
    twin->current = view;
    fork->used += view->allocated;
}

/* The settled files become the current ones. */
static enum status
files_finish(struct io_sim *sim, struct io_sim *fork)
{
    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
        struct sim_inode *twin = inode->twin;

        if (inode->is_dir)
            continue;
        if (twin->durable != inode->durable || inode->uncut) {
            uint64_t size = twin->durable->size;

            TRY(size_settle(sim, inode, &size));
            TRY(io_sim__view_resize(sim->family, &twin->durable, size));
            io_sim__view_sum(twin->durable, inode->durable);
        }
        twin->diverged = false;
        current_set(fork, twin, io_sim__view_ref(twin->durable));
    }
    return STATUS_OK;
}

static void
unreachable_remove(struct io_sim *fork, struct sim_table *table)
{
    uint32_t index = table->count;

    io_sim__table_mark(fork, table);
    while (index-- > 0) {
        if (!table->entries[index].dir->reachable)
            io_sim__table_remove(fork, table, &table->entries[index]);
    }
}

/* Lets go of the twins; those that no name leads to go, with the space they take. */
static void
twins_release(struct io_sim *sim, struct io_sim *fork)
{
    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
        struct sim_inode *twin = inode->twin;

        inode->twin = NULL;
        if (twin == NULL)
            continue;
        io_sim__inode_forget(fork, twin);
        io_sim__inode_unref(fork, twin);
    }
}

static uint32_t
name_record_count(const struct io_sim *sim)
{
    uint32_t count = 0;

    for (const struct sim_record *record = sim->first; record != NULL; record = record->next)
        count += (uint32_t)(record->kind == SIM_NAME);
    return count;
}

static enum status
settle_power(struct settle *settle)
{
    struct io_sim *sim = settle->sim;
    struct io_sim *fork = settle->fork;

    TRY(table_copy(fork, &sim->durable, &fork->durable, name_record_count(sim)));
    for (struct sim_record *record = sim->first; record != NULL; record = record->next)
        TRY(settle_record(settle, record));
    TRY(files_finish(sim, fork));
    unreachable_remove(fork, &fork->durable);
    return table_copy(fork, &fork->durable, &fork->current, 0);
}

/* A copy of the record in the fork, where nothing is in flight any more. */
static enum status
record_copy(struct io_sim *fork, const struct sim_record *record, struct sim_chunk *chunk)
{
    struct sim_inode *twin = record->inode->twin;
    struct sim_record *copy = io_sim__record_new(fork, twin, (enum sim_record_kind)record->kind, 0);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    copy->op = record->op | OP_BEFORE_KILL;
    copy->mask = record->mask;
    copy->from = record->from;
    copy->to = record->to;
    if (record->kind == SIM_DATA) {
        copy->data.index = record->data.index;
        copy->data.chunk = io_sim__chunk_ref(chunk);
    } else if (record->kind == SIM_SIZE) {
        copy->size = record->size;
    } else {
        copy->name.target = record->name.target->twin;
        copy->name.from = record->name.from == NULL ? NULL : io_sim__name_ref(record->name.from);
        copy->name.to = record->name.to == NULL ? NULL : io_sim__name_ref(record->name.to);
        io_sim__inode_ref(twin);
        io_sim__inode_ref(copy->name.target);
    }
    io_sim__record_add(fork, copy);
    return STATUS_OK;
}

/* What a write stored past the end of the file brings the size that it needs. */
static enum status
kill_size(struct io_sim *fork, const struct sim_record *record, uint64_t end)
{
    struct sim_inode *twin = record->inode->twin;

    if (end <= twin->current->size)
        return STATUS_OK;
    struct sim_record *grown =
        io_sim__record_new(fork, twin, SIM_SIZE, record->op | OP_BEFORE_KILL);

    if (grown == NULL)
        return STATUS_NO_MEMORY;
    grown->size.size = end;
    grown->size.size_before = twin->current->size;
    io_sim__record_add(fork, grown);
    TRY(io_sim__view_own(fork->family, &twin->current, 0));
    twin->current->size = end;
    return STATUS_OK;
}

/* A request in flight when its process is killed: the device may carry it out, in part, or not. */
static enum status
kill_in_flight(struct settle *settle, const struct sim_record *record)
{
    struct sim_inode *twin = record->inode->twin;
    struct sim_record part = *record;
    uint32_t garbage = 0;

    if (twin->current == NULL || record->kind != SIM_DATA)
        return STATUS_OK;
    part.mask = (uint8_t)sectors_survive(settle, record, &garbage);
    if (part.mask == 0)
        return STATUS_OK;
    uint64_t before = twin->current->allocated;
    uint64_t end = 32 - (uint64_t)__builtin_clz(part.mask);

    end = end * IO_SECTOR_SIZE < record->to ? end * IO_SECTOR_SIZE : record->to;
    TRY(kill_size(settle->fork, record, record->data.index * SIM_CHUNK_SIZE + end));
    enum status status = io_sim__record_apply(settle->fork, record, part.mask, &twin->current);

    settle->fork->used += twin->current->allocated - before;
    TRY(status);
    return record_copy(settle->fork, &part, io_sim__view_chunk(twin->current, record->data.index));
}

static enum status
settle_kill(struct settle *settle)
{
    struct io_sim *sim = settle->sim;
    struct io_sim *fork = settle->fork;

    TRY(table_copy(fork, &sim->durable, &fork->durable, 0));
    TRY(table_copy(fork, &sim->current, &fork->current, 0));
    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
        inode->twin->uncut = inode->uncut;
        if (inode->current != NULL)
            current_set(fork, inode->twin, view_share(inode->current));
    }
    for (struct sim_record *record = sim->first; record != NULL; record = record->next) {
        if (!record->in_flight)
            TRY(record_copy(fork, record, record->kind == SIM_DATA ? record->data.chunk : NULL));
    }
    /* What was in flight lands last: the current view holds everything else already. */
    for (struct sim_record *record = sim->first; record != NULL; record = record->next) {
        if (record->in_flight)
            TRY(kill_in_flight(settle, record));
    }
    return STATUS_OK;
}

/* What a copy takes over besides its bytes. The random stream goes on, so that an engine that reopens
 * the copy does not draw what it drew before the crash. */
static void
fork_inherit(struct io_sim *sim, struct io_sim *fork)
{
    fork->direct_refused = sim->direct_refused;
    fork->size_with_data = sim->size_with_data;
    fork->disk_size = sim->disk_size;
    fork->random = sim->random;
    fork->random_order = sim->random_order;
    fork->time_base_ns = sim->time_base_ns + sim->op_count * SIM_TICK_NS;
    fork->pid_next = sim->pid_next;
}

static enum status
fork_fill(struct io_sim *sim, const struct io_sim_crash *crash, struct io_sim *fork)
{
    struct settle settle;

    settle_init(&settle, sim, fork, crash);
    fork_inherit(sim, fork);
    TRY(twins_make(sim, fork));
    if (crash->mode == IO_SIM_CRASH_PROCESS)
        return settle_kill(&settle);
    return settle_power(&settle);
}

enum status
io_sim_fork(struct io *io, const struct io_sim_crash *crash, struct memory *memory, struct io **out)
{
    struct io_sim *sim = io_sim__of(io);
    struct io_sim *fork;

    CHECK(crash->mode >= IO_SIM_CRASH_LOST && crash->mode <= IO_SIM_CRASH_PROCESS);
    TRY(io_sim__disk_new(memory, sim->family, &fork));
    latch_lock(&sim->latch);
    enum status status = fork_fill(sim, crash, fork);

    if (status == STATUS_OK)
        twins_release(sim, fork);
    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next)
        inode->twin = NULL;
    DCHECK(io_sim__invariants_hold(sim));
    latch_unlock(&sim->latch);
    if (status != STATUS_OK) {
        io_sim__disk_free(fork);
        return status;
    }
    DCHECK(io_sim__invariants_hold(fork));
    *out = &fork->io;
    return STATUS_OK;
}

/* A name's hash with those of the directories above it. */
static uint64_t
path_hash(struct io_sim *sim, const struct sim_entry *entry)
{
    uint64_t hash = entry->name->hash;
    const struct sim_inode *dir = entry->dir;

    while (dir != sim->root) {
        const struct sim_entry *up = sim->current.entries;

        while (up->inode != dir)
            up++;
        hash = checksum_seed(up->name->hash, hash);
        dir = up->dir;
    }
    return hash;
}

/* A sum, so that the order in which names were made does not matter. */
uint64_t
io_sim_image_hash(const struct io *io)
{
    struct io_sim *sim = (struct io_sim *)(uintptr_t)io;
    uint64_t sum = 0;

    latch_lock(&sim->latch);
    for (uint32_t index = 0; index < sim->current.count; index++) {
        const struct sim_entry *entry = &sim->current.entries[index];
        uint64_t bytes = 1;

        if (!entry->inode->is_dir) {
            io_sim__view_sum(entry->inode->current, NULL);
            bytes = checksum_seed(entry->inode->current->size, entry->inode->current->sum);
        }
        sum += checksum_seed(path_hash(sim, entry), bytes);
    }
    latch_unlock(&sim->latch);
    return random_mix(sum);
}
