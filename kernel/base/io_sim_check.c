/*
 * The invariants of io_sim_private.h as code: S1, S4 and S5, and the counters kept beside them. Called
 * where everything is looked at anyway, in debug builds, and by tests after every operation.
 */
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"
#include "kernel/base/io_sim_private.h"

/* S1, and the count of chunks that are not holes. */
static bool
view_holds(const struct sim_view *view, bool uncut)
{
    uint64_t whole = view->size / SIM_CHUNK_SIZE;
    size_t part = view->size % SIM_CHUNK_SIZE;
    uint64_t allocated = 0;

    if (view->count > view->capacity)
        return false;
    for (uint64_t index = 0; index < view->count; index++) {
        const struct sim_chunk *chunk = view->chunks[index];

        allocated += (uint64_t)(chunk != NULL);
        if (chunk == NULL || index < whole || uncut)
            continue;
        if (index > whole || part == 0 ||
            !bytes_are_zero(chunk->bytes + part, SIM_CHUNK_SIZE - part))
            return false;
    }
    return allocated == view->allocated;
}

/* S4: the list is in order and its units are counted. */
static bool
records_hold(const struct io_sim *sim)
{
    const struct sim_record *record;
    uint64_t units = 0;
    uint64_t seq = 0;

    for (record = sim->first; record != NULL; record = record->next) {
        if (record->seq <= seq || (record->next == NULL) != (record == sim->last) ||
            io_sim__record_units(record) == 0)
            return false;
        seq = record->seq;
        units += io_sim__record_units(record);
    }
    return units == sim->units && seq <= sim->seq;
}

static uint32_t
table_refs(const struct sim_table *table, const struct sim_inode *inode, uint32_t *links)
{
    uint32_t refs = 0;

    for (uint32_t index = 0; index < table->count; index++) {
        refs += (uint32_t)(table->entries[index].dir == inode);
        *links += (uint32_t)(table->entries[index].inode == inode);
    }
    return refs;
}

/* S5, and the counters of names, handles and records. */
static bool
refs_hold(const struct io_sim *sim, const struct sim_inode *inode)
{
    uint32_t links = (uint32_t)(inode == sim->root);
    uint32_t links_durable = 0;
    uint32_t handles = 0;
    uint32_t refs = table_refs(&sim->current, inode, &links);
    uint64_t records = 0;

    refs += table_refs(&sim->durable, inode, &links_durable);
    for (const struct sim_file *file = sim->files; file != NULL; file = file->next)
        handles += (uint32_t)(file->inode == inode);
    for (const struct sim_record *record = sim->first; record != NULL; record = record->next) {
        records += (uint64_t)(record->inode == inode);
        if (record->kind == SIM_NAME)
            refs += (uint32_t)(record->inode == inode) + (uint32_t)(record->name.target == inode);
    }
    return inode->links == links && inode->handles == handles && inode->record_count == records &&
           inode->refs == refs + links + links_durable + handles;
}

bool
io_sim__invariants_hold(const struct io_sim *sim)
{
    uint64_t used = 0;

    if (!records_hold(sim))
        return false;
    for (const struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
        if (!refs_hold(sim, inode) || inode->twin != NULL)
            return false;
        if (inode->current != NULL) {
            used += inode->current->allocated;
            if (!view_holds(inode->current, false))
                return false;
        }
        if (inode->durable != NULL && !view_holds(inode->durable, inode->uncut))
            return false;
    }
    return used == sim->used;
}
