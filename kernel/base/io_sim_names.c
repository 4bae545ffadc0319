/*
 * Names of the simulated disk: paths, inodes and the two name tables, current and durable.
 *
 * A table is a flat array of (directory, name, inode); disks of tests hold a dozen names, so looking
 * through it is faster than anything cleverer, and copying it is what a fork does most.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

enum { TABLE_CAPACITY_SMALLEST = 16 };

static enum status
not_found(const char *path)
{
    return error_raise(STATUS_NOT_FOUND, "%s: no such file or directory", path);
}

/* Takes one component off the front of `path`; its size is 0 at the end. */
static const char *
component(const char **path, size_t *size_out)
{
    const char *start = *path;

    while (*start == '/')
        start++;
    size_t size = strcspn(start, "/");

    *path = start + size;
    *size_out = size;
    return start;
}

/* Appends a component to the `used` bytes of `out`; ".." takes the last one away. */
static size_t
path_add(char *out, size_t used, const char *text, size_t size)
{
    if (size == 1 && text[0] == '.')
        return used;
    if (size == 2 && text[0] == '.' && text[1] == '.') {
        while (used > 0 && out[used - 1] != '/')
            used--;
        return used == 0 ? 0 : used - 1;
    }
    out[used] = '/';
    memcpy(out + used + 1, text, size);
    return used + 1 + size;
}

enum status
io_sim__path_normal(const char *path, char *out, size_t out_size)
{
    const char *rest = path;
    size_t used = 0;
    size_t size;

    CHECK(path != NULL && out_size >= 2);
    if (path[0] == '\0')
        return not_found(path);
    for (;;) {
        const char *text = component(&rest, &size);

        if (size == 0)
            break;
        if (size > SIM_NAME_MAX || used + size + 2 > out_size)
            return error_raise(STATUS_IO, "%.200s: the name is too long", path);
        used = path_add(out, used, text, size);
    }
    if (used == 0)
        out[used++] = '/';
    out[used] = '\0';
    return STATUS_OK;
}

struct sim_entry *
io_sim__table_find(struct sim_table *table, const struct sim_inode *dir, const char *text,
                   size_t size)
{
    for (uint32_t index = 0; index < table->count; index++) {
        struct sim_entry *entry = &table->entries[index];

        if (entry->dir == dir && entry->name->size == size &&
            memcmp(entry->name->text, text, size) == 0)
            return entry;
    }
    return NULL;
}

enum status
io_sim__path_parent(struct io_sim *sim, const char *path, struct sim_inode **dir_out,
                    const char **last_out)
{
    struct sim_inode *dir = sim->root;
    const char *rest = path;
    size_t size;
    const char *text = component(&rest, &size);

    while (rest[0] != '\0') {
        const struct sim_entry *entry = io_sim__table_find(&sim->current, dir, text, size);

        if (entry == NULL || !entry->inode->is_dir)
            return not_found(path);
        dir = entry->inode;
        text = component(&rest, &size);
    }
    *dir_out = dir;
    *last_out = text;
    return STATUS_OK;
}

enum status
io_sim__path_inode(struct io_sim *sim, const char *path, struct sim_inode **out)
{
    struct sim_inode *dir = NULL;
    const char *last = "";

    TRY(io_sim__path_parent(sim, path, &dir, &last));
    if (last[0] == '\0') {
        *out = dir;
        return STATUS_OK;
    }
    const struct sim_entry *entry = io_sim__table_find(&sim->current, dir, last, strlen(last));

    if (entry == NULL)
        return not_found(path);
    *out = entry->inode;
    return STATUS_OK;
}

struct sim_inode *
io_sim__inode_add(struct io_sim *sim, bool is_dir)
{
    struct sim_inode *inode = io_sim__pool_alloc(sim->family, sizeof(*inode));

    if (inode == NULL)
        return NULL;
    memset(inode, 0, sizeof(*inode));
    inode->is_dir = is_dir;
    inode->prev = sim->inodes_last;
    if (inode->prev == NULL)
        sim->inodes = inode;
    else
        inode->prev->next = inode;
    sim->inodes_last = inode;
    return inode;
}

enum status
io_sim__inode_new(struct io_sim *sim, bool is_dir, struct sim_inode **out)
{
    struct sim_view *view = NULL;

    if (!is_dir) {
        view = io_sim__view_new(sim->family);
        if (view == NULL)
            return STATUS_NO_MEMORY;
    }
    struct sim_inode *inode = io_sim__inode_add(sim, is_dir);

    if (inode == NULL) {
        io_sim__view_unref(sim->family, view);
        return STATUS_NO_MEMORY;
    }
    inode->current = view;
    inode->durable = view == NULL ? NULL : io_sim__view_ref(view);
    *out = inode;
    return STATUS_OK;
}

void
io_sim__inode_ref(struct sim_inode *inode)
{
    inode->refs++;
}

void
io_sim__inode_forget(struct io_sim *sim, struct sim_inode *inode)
{
    if (inode->is_dir || inode->current == NULL || inode->links > 0 || inode->handles > 0)
        return;
    CHECK(sim->used >= inode->current->allocated);
    sim->used -= inode->current->allocated;
    io_sim__view_unref(sim->family, inode->current);
    inode->current = NULL;
}

static void
inode_free(struct io_sim *sim, struct sim_inode *inode)
{
    CHECK(inode->links == 0 && inode->handles == 0);
    io_sim__inode_forget(sim, inode);
    while (inode->first != NULL)
        io_sim__record_remove(sim, inode->first);
    while (inode->bad != NULL) {
        struct sim_range *range = inode->bad;

        inode->bad = range->next;
        io_sim__pool_free(sim->family, range, sizeof(*range));
    }
    io_sim__view_unref(sim->family, inode->durable);
    if (inode->prev == NULL)
        sim->inodes = inode->next;
    else
        inode->prev->next = inode->next;
    if (inode->next == NULL)
        sim->inodes_last = inode->prev;
    else
        inode->next->prev = inode->prev;
    io_sim__pool_free(sim->family, inode, sizeof(*inode));
}

void
io_sim__inode_unref(struct io_sim *sim, struct sim_inode *inode)
{
    CHECK(inode->refs > 0);
    if (--inode->refs == 0)
        inode_free(sim, inode);
}

void
io_sim__inodes_free(struct io_sim *sim)
{
    while (sim->inodes != NULL) {
        sim->inodes->links = 0;
        inode_free(sim, sim->inodes);
    }
}

enum status
io_sim__table_room(struct io_sim *sim, struct sim_table *table, uint32_t more)
{
    uint32_t capacity = table->capacity * 2;

    if (table->capacity - table->count >= more)
        return STATUS_OK;
    if (capacity < table->count + more)
        capacity = table->count + more;
    if (capacity < TABLE_CAPACITY_SMALLEST)
        capacity = TABLE_CAPACITY_SMALLEST;
    struct sim_entry *entries =
        io_sim__pool_alloc(sim->family, capacity * sizeof(struct sim_entry));

    if (entries == NULL)
        return STATUS_NO_MEMORY;
    if (table->count > 0)
        memcpy(entries, table->entries, table->count * sizeof(struct sim_entry));
    io_sim__pool_free(sim->family, table->entries, table->capacity * sizeof(struct sim_entry));
    table->entries = entries;
    table->capacity = capacity;
    return STATUS_OK;
}

/* Releases what an entry that has left its table held. */
static void
entry_drop(struct io_sim *sim, const struct sim_table *table, const struct sim_entry *entry)
{
    io_sim__name_unref(sim->family, entry->name);
    if (table == &sim->current) {
        CHECK(entry->inode->links > 0);
        entry->inode->links--;
        io_sim__inode_forget(sim, entry->inode);
    }
    io_sim__inode_unref(sim, entry->inode);
    io_sim__inode_unref(sim, entry->dir);
}

void
io_sim__table_set(struct io_sim *sim, struct sim_table *table, struct sim_inode *dir,
                  struct sim_name *name, struct sim_inode *inode)
{
    struct sim_entry *entry = io_sim__table_find(table, dir, name->text, name->size);
    struct sim_entry old = {0};

    if (entry == NULL) {
        CHECK(table->count < table->capacity);
        entry = &table->entries[table->count++];
    } else {
        old = *entry;
    }
    *entry = (struct sim_entry){.dir = dir, .name = io_sim__name_ref(name), .inode = inode};
    io_sim__inode_ref(dir);
    io_sim__inode_ref(inode);
    if (table == &sim->current)
        inode->links++;
    if (old.inode != NULL)
        entry_drop(sim, table, &old);
}

void
io_sim__table_remove(struct io_sim *sim, struct sim_table *table, struct sim_entry *entry)
{
    struct sim_entry old = *entry;
    size_t index = (size_t)(entry - table->entries);

    memmove(entry, entry + 1, (table->count - index - 1) * sizeof(*entry));
    table->count--;
    entry_drop(sim, table, &old);
}

/*
 * The name that goes away does so only if it still names the target: in a crash that kept this change
 * and lost an earlier one, it may name something else. A rename leaves the target no other name in
 * the directory for the same reason: the file never had two.
 */
void
io_sim__table_apply(struct io_sim *sim, struct sim_table *table, struct sim_inode *dir,
                    struct sim_inode *target, const struct sim_name *from, struct sim_name *to)
{
    bool is_rename = from != NULL && to != NULL;
    bool is_current = table == &sim->current;
    uint32_t index = 0;

    /* Held across the moment when a renamed file has no name. */
    io_sim__inode_ref(target);
    target->links += (uint32_t)is_current;
    while (index < table->count) {
        struct sim_entry *entry = &table->entries[index];

        if (from != NULL && entry->dir == dir && entry->inode == target &&
            (is_rename || io_sim__name_is(entry->name, from)))
            io_sim__table_remove(sim, table, entry);
        else
            index++;
    }
    if (to != NULL)
        io_sim__table_set(sim, table, dir, to, target);
    target->links -= (uint32_t)is_current;
    io_sim__inode_forget(sim, target);
    io_sim__inode_unref(sim, target);
}

void
io_sim__table_deinit(struct io_sim *sim, struct sim_table *table)
{
    while (table->count > 0)
        io_sim__table_remove(sim, table, &table->entries[table->count - 1]);
    io_sim__pool_free(sim->family, table->entries, table->capacity * sizeof(struct sim_entry));
    *table = (struct sim_table){0};
}

void
io_sim__table_mark(struct io_sim *sim, const struct sim_table *table)
{
    bool changed = true;

    sim->root->reachable = true;
    while (changed) {
        changed = false;
        for (uint32_t index = 0; index < table->count; index++) {
            const struct sim_entry *entry = &table->entries[index];

            if (entry->dir->reachable && !entry->inode->reachable) {
                entry->inode->reachable = true;
                changed = true;
            }
        }
    }
}
