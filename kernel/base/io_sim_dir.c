/*
 * Operations on names of the simulated disk. Each change is made in the current table at once and
 * recorded as pending on its directory; io_sync_dir carries the directory's records over to the
 * durable table. A rename inside a directory is one record; between two directories it is two, one
 * on each, because a disk that promises nothing may keep either half.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim_private.h"

/* A path operation: normalised paths live as long as its event. */
struct path_op {
    struct sim_op op;
    char path[IO_PATH_SIZE];
    char path_to[IO_PATH_SIZE];
};

static enum status
path_op_begin(struct io_sim *sim, struct path_op *op, enum io_sim_op kind, const char *path,
              const char *path_to)
{
    op->op = (struct sim_op){.event = {.op = kind, .path = op->path}};
    TRY(io_sim__path_normal(path, op->path, sizeof(op->path)));
    if (path_to != NULL) {
        TRY(io_sim__path_normal(path_to, op->path_to, sizeof(op->path_to)));
        op->op.event.path_to = op->path_to;
    }
    io_sim__op_begin(sim, &op->op);
    return STATUS_OK;
}

/* A record of a name change in `dir`, in no list yet. NULL on refusal. */
static struct sim_record *
change_new(struct io_sim *sim, const struct sim_op *op, struct sim_inode *dir,
           struct sim_inode *target, struct sim_name *from, struct sim_name *to)
{
    struct sim_record *record = io_sim__record_new(sim, dir, SIM_NAME, op->event.index);

    if (record == NULL)
        return NULL;
    io_sim__inode_ref(dir);
    io_sim__inode_ref(target);
    record->name.target = target;
    record->name.from = from == NULL ? NULL : io_sim__name_ref(from);
    record->name.to = to == NULL ? NULL : io_sim__name_ref(to);
    return record;
}

/* Makes the change current and pending; the table has room for one more entry. */
static void
change_commit(struct io_sim *sim, struct sim_record *record)
{
    io_sim__record_add(sim, record);
    io_sim__table_apply(sim, &sim->current, record->inode, record->name.target, record->name.from,
                        record->name.to);
}

static enum status
change(struct io_sim *sim, const struct sim_op *op, struct sim_inode *dir, struct sim_inode *target,
       struct sim_name *from, struct sim_name *to)
{
    TRY(io_sim__table_room(sim, &sim->current, 1));
    struct sim_record *record = change_new(sim, op, dir, target, from, to);

    if (record == NULL)
        return STATUS_NO_MEMORY;
    change_commit(sim, record);
    return STATUS_OK;
}

/* A new file or directory called `last`. */
static enum status
create(struct io_sim *sim, const struct sim_op *op, struct sim_inode *dir, const char *last,
       bool is_dir, struct sim_inode **out)
{
    struct sim_inode *inode = NULL;
    struct sim_name *name = NULL;
    enum status status;

    TRY(io_sim__inode_new(sim, is_dir, &inode));
    io_sim__inode_ref(inode);
    name = io_sim__name_new(sim->family, last, strlen(last));
    if (name == NULL) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    TRY_OUT(change(sim, op, dir, inode, NULL, name));
    *out = inode;
out:
    io_sim__name_unref(sim->family, name);
    io_sim__inode_unref(sim, inode);
    return status;
}

enum status
io_sim__create(struct io_sim *sim, struct sim_op *op, struct sim_inode *dir, const char *last,
               struct sim_inode **out)
{
    return create(sim, op, dir, last, false, out);
}

static bool
dir_is_empty(const struct io_sim *sim, const struct sim_inode *dir)
{
    for (uint32_t index = 0; index < sim->current.count; index++) {
        if (sim->current.entries[index].dir == dir)
            return false;
    }
    return true;
}

static bool
is_inside(const char *path, const char *dir_path)
{
    size_t size = strlen(dir_path);

    return strncmp(path, dir_path, size) == 0 && path[size] == '/';
}

/* May `target` take the place of what `path_to` names now (`entry`, NULL: nothing)? */
static enum status
rename_validate(const struct io_sim *sim, const struct path_op *op, const struct sim_inode *target,
                const struct sim_entry *entry)
{
    if (target->is_dir && is_inside(op->path_to, op->path))
        return error_raise(STATUS_IO, "%.200s: cannot be moved into itself", op->path);
    if (entry == NULL)
        return STATUS_OK;
    if (entry->inode->is_dir != target->is_dir)
        return error_raise(STATUS_IO, "%.200s: a file and a directory cannot replace each other",
                           op->path_to);
    if (entry->inode->is_dir && !dir_is_empty(sim, entry->inode))
        return error_raise(STATUS_EXISTS, "%.200s: directory not empty", op->path_to);
    return STATUS_OK;
}

/* Between directories: both records exist before either counts. */
static enum status
move(struct io_sim *sim, const struct sim_op *op, struct sim_inode *dir, struct sim_inode *target,
     struct sim_name *from, struct sim_inode *dir_to, struct sim_name *to)
{
    TRY(io_sim__table_room(sim, &sim->current, 1));
    struct sim_record *added = change_new(sim, op, dir_to, target, NULL, to);

    if (added == NULL)
        return STATUS_NO_MEMORY;
    struct sim_record *removed = change_new(sim, op, dir, target, from, NULL);

    if (removed == NULL) {
        io_sim__record_free(sim, added);
        return STATUS_NO_MEMORY;
    }
    /* From here on nothing may fail. */
    change_commit(sim, added);
    change_commit(sim, removed);
    return STATUS_OK;
}

static enum status
rename_run(struct io_sim *sim, const struct path_op *op)
{
    struct sim_inode *dir;
    struct sim_inode *dir_to;
    const char *last;
    const char *last_to;
    enum status status = STATUS_OK;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_parent(sim, op->path, &dir, &last));
    TRY(io_sim__path_parent(sim, op->path_to, &dir_to, &last_to));
    const struct sim_entry *entry = io_sim__table_find(&sim->current, dir, last, strlen(last));
    const struct sim_entry *entry_to =
        io_sim__table_find(&sim->current, dir_to, last_to, strlen(last_to));

    if (entry == NULL)
        return error_raise(STATUS_NOT_FOUND, "%.400s: no such file or directory", op->path);
    if (entry_to != NULL && entry_to->inode == entry->inode)
        return STATUS_OK;
    TRY(rename_validate(sim, op, entry->inode, entry_to));
    struct sim_inode *target = entry->inode;
    struct sim_name *from = io_sim__name_ref(entry->name);
    struct sim_name *to = io_sim__name_new(sim->family, last_to, strlen(last_to));

    if (to == NULL) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    if (dir == dir_to)
        TRY_OUT(change(sim, &op->op, dir, target, from, to));
    else
        TRY_OUT(move(sim, &op->op, dir, target, from, dir_to, to));
out:
    io_sim__name_unref(sim->family, from);
    io_sim__name_unref(sim->family, to);
    return status;
}

enum status
io_sim__rename(struct io *io, const char *from, const char *to)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_RENAME, from, to));
    return io_sim__op_end(sim, &op.op, rename_run(sim, &op));
}

/* A file when `is_dir` is false, else an empty directory. */
static enum status
remove_run(struct io_sim *sim, const struct path_op *op, bool is_dir)
{
    struct sim_inode *dir;
    const char *last;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_parent(sim, op->path, &dir, &last));
    const struct sim_entry *entry = io_sim__table_find(&sim->current, dir, last, strlen(last));

    if (entry == NULL)
        return error_raise(STATUS_NOT_FOUND, "%.400s: no such file or directory", op->path);
    if (entry->inode->is_dir != is_dir)
        return error_raise(is_dir ? STATUS_NOT_FOUND : STATUS_IO, "%.400s: is %s", op->path,
                           is_dir ? "not a directory" : "a directory");
    if (is_dir && !dir_is_empty(sim, entry->inode))
        return error_raise(STATUS_EXISTS, "%.400s: directory not empty", op->path);
    return change(sim, &op->op, dir, entry->inode, entry->name, NULL);
}

enum status
io_sim__remove(struct io *io, const char *path)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_REMOVE, path, NULL));
    return io_sim__op_end(sim, &op.op, remove_run(sim, &op, false));
}

static enum status
make_dir_run(struct io_sim *sim, const struct path_op *op)
{
    struct sim_inode *dir;
    struct sim_inode *made;
    const char *last;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_parent(sim, op->path, &dir, &last));
    if (last[0] == '\0' || io_sim__table_find(&sim->current, dir, last, strlen(last)) != NULL)
        return error_raise(STATUS_EXISTS, "%.400s: exists already", op->path);
    return create(sim, &op->op, dir, last, true, &made);
}

enum status
io_sim__make_dir(struct io *io, const char *path)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_MAKE_DIR, path, NULL));
    return io_sim__op_end(sim, &op.op, make_dir_run(sim, &op));
}

enum status
io_sim__remove_dir(struct io *io, const char *path)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_REMOVE_DIR, path, NULL));
    return io_sim__op_end(sim, &op.op, remove_run(sim, &op, true));
}

/* Marks directories that pending names lead to; true when that reached something new. */
static bool
mark_pending(struct io_sim *sim)
{
    bool changed = false;

    for (struct sim_record *record = sim->first; record != NULL; record = record->next) {
        if (record->kind != SIM_NAME || record->name.to == NULL || !record->inode->reachable ||
            record->name.target->reachable)
            continue;
        record->name.target->reachable = true;
        changed = true;
    }
    return changed;
}

/* Forgets what lies in directories that no name leads to any more, nor can after a crash. */
static void
collect(struct io_sim *sim)
{
    struct sim_record *next;
    uint32_t index = 0;

    for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next)
        inode->reachable = false;
    do {
        io_sim__table_mark(sim, &sim->current);
        io_sim__table_mark(sim, &sim->durable);
    } while (mark_pending(sim));

    for (struct sim_record *record = sim->first; record != NULL; record = next) {
        next = record->next;
        if (record->kind == SIM_NAME && !record->inode->reachable) {
            io_sim__record_remove(sim, record);
            next = sim->first; /* A file that went with it took its own records along. */
        }
    }
    while (index < sim->durable.count) {
        struct sim_entry *entry = &sim->durable.entries[index];

        if (entry->dir->reachable) {
            index++;
            continue;
        }
        io_sim__table_remove(sim, &sim->durable, entry);
        index = 0;
    }
}

static enum status
sync_dir_run(struct io_sim *sim, const struct path_op *op)
{
    struct sim_inode *dir;
    uint32_t count = 0;
    bool dirs_changed = false;
    bool lost = op->op.fault == IO_SIM_FAULT_LATE_SYNC;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_inode(sim, op->path, &dir));
    if (!dir->is_dir)
        return error_raise(STATUS_NOT_FOUND, "%.400s: is not a directory", op->path);
    for (struct sim_record *record = dir->first; record != NULL; record = record->inode_next)
        count++;
    TRY(io_sim__table_room(sim, &sim->durable, count));
    /* From here on nothing may fail. */
    io_sim__inode_ref(dir);
    while (dir->first != NULL) {
        struct sim_record *record = dir->first;

        dirs_changed |= record->name.target->is_dir;
        if (!lost)
            io_sim__table_apply(sim, &sim->durable, dir, record->name.target, record->name.from,
                                record->name.to);
        io_sim__record_remove(sim, record);
    }
    if (dirs_changed)
        collect(sim);
    io_sim__inode_unref(sim, dir);
    if (lost)
        return error_raise(STATUS_IO, "%.400s: injected late sync error", op->path);
    return STATUS_OK;
}

enum status
io_sim__sync_dir(struct io *io, const char *path)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_SYNC_DIR, path, NULL));
    return io_sim__op_end(sim, &op.op, sync_dir_run(sim, &op));
}

struct listed {
    struct sim_name *name;
    bool is_dir;
};

static enum status
list_run(struct io_sim *sim, const struct path_op *op, struct listed **out, uint32_t *count_out)
{
    struct sim_inode *dir;
    uint32_t count = 0;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_inode(sim, op->path, &dir));
    if (!dir->is_dir)
        return error_raise(STATUS_NOT_FOUND, "%.400s: is not a directory", op->path);
    for (uint32_t index = 0; index < sim->current.count; index++)
        count += (uint32_t)(sim->current.entries[index].dir == dir);
    if (count == 0)
        return STATUS_OK;
    struct listed *listed = io_sim__pool_alloc(sim->family, count * sizeof(*listed));

    if (listed == NULL)
        return STATUS_NO_MEMORY;
    count = 0;
    for (uint32_t index = 0; index < sim->current.count; index++) {
        const struct sim_entry *entry = &sim->current.entries[index];

        if (entry->dir == dir)
            listed[count++] = (struct listed){.name = io_sim__name_ref(entry->name),
                                              .is_dir = entry->inode->is_dir};
    }
    *out = listed;
    *count_out = count;
    return STATUS_OK;
}

/* The callback may use the disk, so it runs on a copy of the names, without the latch. */
enum status
io_sim__list(struct io *io, const char *path, io_list_fn each, void *context)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;
    struct listed *listed = NULL;
    uint32_t count = 0;

    TRY(path_op_begin(sim, &op, IO_SIM_LIST, path, NULL));
    enum status status = io_sim__op_end(sim, &op.op, list_run(sim, &op, &listed, &count));

    for (uint32_t index = 0; index < count; index++) {
        each(context, listed[index].name->text, listed[index].is_dir);
        io_sim__name_unref(sim->family, listed[index].name);
    }
    io_sim__pool_free(sim->family, listed, count * sizeof(*listed));
    return status;
}

static enum status
real_path_run(struct io_sim *sim, const struct path_op *op, char *out, size_t out_size)
{
    struct sim_inode *dir;
    const char *last;
    size_t size = strlen(op->path) + 1;

    TRY(io_sim__op_fault(&op->op));
    TRY(io_sim__path_parent(sim, op->path, &dir, &last));
    if (size > out_size)
        return error_raise(STATUS_INVALID, "%.400s: longer than %zu bytes", op->path, out_size - 1);
    memcpy(out, op->path, size);
    return STATUS_OK;
}

enum status
io_sim__real_path(struct io *io, const char *path, char *out, size_t out_size)
{
    struct io_sim *sim = io_sim__of(io);
    struct path_op op;

    TRY(path_op_begin(sim, &op, IO_SIM_REAL_PATH, path, NULL));
    return io_sim__op_end(sim, &op.op, real_path_run(sim, &op, out, out_size));
}
