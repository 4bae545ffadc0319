/*
 * The insides of the simulated disk, shared by the io_sim*.c files only.
 *
 *   struct io_sim          one disk: names, files, what is pending, faults
 *     struct sim_table       names: {directory, name, inode}, one table current and one durable
 *     struct sim_inode       a file or a directory
 *       struct sim_view        the bytes of a file in one version: an array of chunks
 *         struct sim_chunk       4,096 bytes, immutable while more than one view holds it
 *     struct sim_record      one pending thing: sectors of one chunk, a size, or a name
 *   struct sim_family      a disk and all its copies: the pool of memory they share
 *
 * A write makes a new version of each chunk it touches; the current view holds it, and so does the
 * pending record, which adds only the mask of the sectors it stands for. Keeping a whole chunk in a
 * crash is therefore one pointer, and only chunks that tear are copied.
 *
 * Invariants:
 *   S1  A view has no byte other than zero at or past its size.
 *   S2  A view or a chunk with more than one holder is not written to; a view held by two disks has
 *       its sum computed.
 *   S3  A file's durable view with all its records applied in order of issue equals its current view,
 *       unless a late sync error dropped records (`diverged`) or writes are in flight.
 *   S4  units = the sum of record_units over the disk's list, which is in order of issue.
 *   S5  An inode's refs = its handles + table entries naming it or lying in it + name records.
 *
 * Names that begin with io_sim__ are used across these files; all of them expect the disk's latch to
 * be held unless they say otherwise.
 */
#ifndef KERNEL_BASE_IO_SIM_PRIVATE_H
#define KERNEL_BASE_IO_SIM_PRIVATE_H

#include <stdatomic.h>

#include "kernel/base/io_sim.h"
#include "kernel/base/random.h"
#include "kernel/base/sync.h"

enum {
    SIM_CHUNK_SIZE = 4096,
    SIM_CHUNK_SECTORS = SIM_CHUNK_SIZE / IO_SECTOR_SIZE,
    SIM_MASK_ALL = 0xff,
    SIM_NAME_MAX = 255,
    SIM_RECORDS_MAX = 8192, /* A file's pending records; past it the oldest are written back. */
    SIM_POOL_CLASSES = 12,  /* 64 bytes to 64 KB in powers of two, and the chunk. */
    SIM_PID_FIRST = 1000,
    SIM_TICK_NS = 1000,
};

/* Memory. A NULL chunk is a hole: zeros that take no space. */

struct sim_chunk {
    _Atomic uint32_t refs;
    bool shared_zero;      /* The one zero chunk: allocated space without bytes of its own. */
    _Atomic uint64_t hash; /* 0: not computed; 1: all zero. */
    _Alignas(64) uint8_t bytes[SIM_CHUNK_SIZE];
};

struct sim_free {
    struct sim_free *next;
};

struct sim_slab {
    struct sim_slab *next;
    size_t size;
};

struct sim_family {
    struct memory *memory; /* Fixed at open. */
    struct sim_chunk zero; /* Never written, never freed. */
    struct latch latch;
    /* Guarded by latch. */
    uint32_t disk_count;
    uint64_t live_count;  /* Objects given out; 0 when the last disk has closed. */
    uint64_t alloc_count; /* Objects asked for so far. */
    uint64_t refuse_from; /* Those with numbers in this range are refused: for tests, because the */
    uint64_t refuse_to;   /* free lists hide most allocations from memory_fail_at. */
    struct sim_slab *slabs;
    struct sim_free *free[SIM_POOL_CLASSES];
};

MUST_CHECK enum status io_sim__family_new(struct memory *memory, struct sim_family **out);
/** Each disk of the family holds it once; the last one frees it. */
void io_sim__family_join(struct sim_family *family);
void io_sim__family_leave(struct sim_family *family);
/** Not zeroed, 64-byte aligned; NULL on refusal (the message is raised). */
void *io_sim__pool_alloc(struct sim_family *family, size_t size);
/** `pointer` may be NULL; `size` is what was asked for. */
void io_sim__pool_free(struct sim_family *family, void *pointer, size_t size);

/* Chunks. */

struct sim_chunk *io_sim__chunk_ref(struct sim_chunk *chunk);
/** `chunk` may be NULL. */
void io_sim__chunk_unref(struct sim_family *family, struct sim_chunk *chunk);
/** A new chunk: `base` (NULL: zeros) with `bytes` laid over [from, to). NULL on refusal. */
struct sim_chunk *io_sim__chunk_make(struct sim_family *family, const struct sim_chunk *base,
                                     size_t from, size_t to, const void *bytes);
/** True when nobody else holds the chunk, so that it may be changed in place. */
bool io_sim__chunk_is_own(struct sim_chunk *chunk);

/* Views. */

struct sim_view {
    _Atomic uint32_t refs;
    bool summed;        /* `sum` is right. */
    uint64_t size;      /* Of the file, bytes. */
    uint64_t sum;       /* Of the chunks' hashes with their places: equal bytes, equal sum. */
    uint64_t allocated; /* Chunks that are not holes. */
    uint64_t count;     /* Chunks in the array; those past it are holes. */
    uint64_t capacity;
    struct sim_chunk *chunks[];
};

struct sim_view *io_sim__view_new(struct sim_family *family);
struct sim_view *io_sim__view_ref(struct sim_view *view);
/** `view` may be NULL. */
void io_sim__view_unref(struct sim_family *family, struct sim_view *view);
/** Makes *view exclusively owned with room for `count` chunks, and forgets its sum. */
MUST_CHECK enum status io_sim__view_own(struct sim_family *family, struct sim_view **view,
                                        uint64_t count);
/** Takes over the caller's hold on `chunk`. The view is owned and has room. */
void io_sim__view_put(struct sim_family *family, struct sim_view *view, uint64_t index,
                      struct sim_chunk *chunk);
/** Lays `mask`'s sectors of `chunk`, inside bytes [from, to), over the view. */
MUST_CHECK enum status io_sim__view_lay(struct sim_family *family, struct sim_view **view,
                                        uint64_t index, struct sim_chunk *chunk, uint32_t mask,
                                        size_t from, size_t to);
/** Sets the size; everything at or past it becomes zero. */
MUST_CHECK enum status io_sim__view_resize(struct sim_family *family, struct sim_view **view,
                                           uint64_t size);
/** Turns holes among chunks [first, last) into allocated zeros. */
MUST_CHECK enum status io_sim__view_reserve(struct sim_family *family, struct sim_view **view,
                                            uint64_t first, uint64_t last);
struct sim_chunk *io_sim__view_chunk(const struct sim_view *view, uint64_t index);
void io_sim__view_read(const struct sim_view *view, uint64_t offset, void *bytes, size_t size);
/** Computes the sum if it is not known; `base` (or NULL) is a summed view that most chunks share. */
void io_sim__view_sum(struct sim_view *view, const struct sim_view *base);

/* Names, files and directories. */

struct sim_name {
    _Atomic uint32_t refs;
    uint32_t size; /* Without the NUL. */
    uint64_t hash;
    char text[];
};

struct sim_name *io_sim__name_new(struct sim_family *family, const char *text, size_t size);
struct sim_name *io_sim__name_ref(struct sim_name *name);
/** `name` may be NULL. */
void io_sim__name_unref(struct sim_family *family, struct sim_name *name);
bool io_sim__name_is(const struct sim_name *name, const struct sim_name *other);

struct sim_range {
    struct sim_range *next;
    uint64_t offset;
    uint64_t size;
};

struct sim_inode {
    struct sim_inode *next; /* The disk's list, in order of creation. */
    struct sim_inode *prev;
    struct sim_inode *twin; /* Scratch: the copy of this inode while a fork is taken. */
    bool is_dir;
    bool reachable; /* Scratch. */
    bool diverged;  /* See S3. */
    bool uncut;     /* The durable view may break S1: a sync stopped half-way for want of memory. */
    uint32_t refs;  /* See S5. */
    uint32_t links; /* Current names. */
    uint32_t handles;
    uint32_t in_flight;       /* Records in flight. */
    struct sim_view *current; /* NULL for directories and once nobody can read it. */
    struct sim_view *durable; /* NULL for directories. */
    struct sim_record
        *first; /* Pending, in order of issue: a file's data or a directory's names. */
    struct sim_record *last;
    uint64_t record_count;
    struct sim_range *bad; /* Unreadable ranges. */
};

struct sim_entry {
    struct sim_inode *dir;
    struct sim_name *name;
    struct sim_inode *inode;
};

struct sim_table {
    struct sim_entry *entries;
    uint32_t count;
    uint32_t capacity;
};

enum sim_record_kind { SIM_DATA = 1, SIM_SIZE = 2, SIM_NAME = 3 };

struct sim_record {
    struct sim_record *next; /* The disk's list, in order of issue. */
    struct sim_record *prev;
    struct sim_record *inode_next; /* The file's or directory's own part of it. */
    struct sim_record *inode_prev;
    struct sim_inode *inode;
    uint64_t seq; /* Order of issue. */
    uint64_t op;  /* The operation that made it. */
    uint8_t kind; /* enum sim_record_kind */
    bool in_flight;
    uint8_t mask;    /* Data: the sectors still pending. */
    uint8_t settled; /* Scratch: what the fork being taken kept of them. */
    uint16_t from;   /* Data: the bytes of the chunk that were written. */
    uint16_t to;
    union {
        struct {
            struct sim_chunk *chunk;
            uint64_t index;
        } data;
        struct {
            uint64_t size;
            uint64_t size_before;
            uint64_t reserve_first; /* Chunks allocated with it. */
            uint64_t reserve_last;
        } size;
        struct {
            struct sim_inode *target;
            struct sim_name *from; /* Goes away if it names the target; NULL: none. */
            struct sim_name *to;   /* Comes to name the target; NULL: none. */
        } name;
    };
};

struct sim_file {
    struct io_file file;
    struct sim_file *next;
    struct sim_file *prev;
    struct sim_inode *inode;
    struct sim_name *path;
    uint32_t flags;
    uint32_t lock;      /* enum io_lock_mode, 0: none */
    uint32_t in_flight; /* Requests submitted and not reaped. */
    uint64_t pid;
};

struct io_sim {
    struct io io;

    /* Fixed at open. */
    struct sim_family *family;
    bool direct_refused;
    bool size_with_data;

    struct latch latch;
    /* Guarded by latch. */
    struct sim_inode *root;
    struct sim_inode *inodes;
    struct sim_inode *inodes_last;
    struct sim_table current;
    struct sim_table durable;
    struct sim_record *first; /* Everything pending, in order of issue. */
    struct sim_record *last;
    uint64_t units;
    uint64_t seq;
    uint64_t disk_size;
    uint64_t used; /* Chunks that current files hold. */
    struct sim_file *files;
    uint64_t file_count;
    uint64_t queue_count;
    uint64_t lock_count;
    uint64_t pid_next;
    uint64_t op_count;
    uint64_t time_base_ns;
    struct random random;       /* What io_random gives. */
    struct random random_order; /* Completions, short writes. */

    /* Faults. */
    enum io_sim_fault fault;
    bool fault_for_ever;
    bool fault_injected;
    uint64_t fault_index;

    void (*watch)(void *context, const struct io_sim_event *event);
    void *watch_context;
};

/* One operation under way: its event, and the fault it is to suffer. */
struct sim_op {
    struct io_sim_event event;
    enum io_sim_fault fault;
};

static inline struct io_sim *
io_sim__of(struct io *io)
{
    return (struct io_sim *)(void *)io;
}

/* io_sim_fault.c */

/** Counts the operation, shows it to the watcher, and returns with the latch held. */
void io_sim__op_begin(struct io_sim *sim, struct sim_op *op);
/** Releases the latch, shows the outcome to the watcher and returns it. */
enum status io_sim__op_end(struct io_sim *sim, struct sim_op *op, enum status status);
/** Shows a durable write between its two halves to the watcher. */
void io_sim__op_in_flight(struct io_sim *sim, struct sim_op *op);
/** The status of an operation that fails as a whole, OK when it is to go on. */
MUST_CHECK enum status io_sim__op_fault(const struct sim_op *op);

/* io_sim_names.c */

/** `path` from the root, without ".", ".." and doubled slashes. */
MUST_CHECK enum status io_sim__path_normal(const char *path, char *out, size_t out_size);
/** Finds the directory that holds the path's last component, and that component. */
MUST_CHECK enum status io_sim__path_parent(struct io_sim *sim, const char *path,
                                           struct sim_inode **dir_out, const char **last_out);
MUST_CHECK enum status io_sim__path_inode(struct io_sim *sim, const char *path,
                                          struct sim_inode **out);
/** A new inode that nothing refers to yet. */
MUST_CHECK enum status io_sim__inode_new(struct io_sim *sim, bool is_dir, struct sim_inode **out);
/** An inode in the disk's list, without views. NULL on refusal. */
struct sim_inode *io_sim__inode_add(struct io_sim *sim, bool is_dir);
/** Frees every inode, whatever refers to it. */
void io_sim__inodes_free(struct io_sim *sim);
void io_sim__inode_ref(struct sim_inode *inode);
void io_sim__inode_unref(struct io_sim *sim, struct sim_inode *inode);
/** Drops the current bytes, and the space they take, of a file that nobody can reach any more. */
void io_sim__inode_forget(struct io_sim *sim, struct sim_inode *inode);
struct sim_entry *io_sim__table_find(struct sim_table *table, const struct sim_inode *dir,
                                     const char *text, size_t size);
MUST_CHECK enum status io_sim__table_room(struct io_sim *sim, struct sim_table *table,
                                          uint32_t more);
/** Adds or replaces; there is room. */
void io_sim__table_set(struct io_sim *sim, struct sim_table *table, struct sim_inode *dir,
                       struct sim_name *name, struct sim_inode *inode);
void io_sim__table_remove(struct io_sim *sim, struct sim_table *table, struct sim_entry *entry);
/** Applies a name record's change; there is room for one more entry. */
void io_sim__table_apply(struct io_sim *sim, struct sim_table *table, struct sim_inode *dir,
                         struct sim_inode *target, const struct sim_name *from,
                         struct sim_name *to);
void io_sim__table_deinit(struct io_sim *sim, struct sim_table *table);
/** Sets `reachable` on every inode that a name in `table` leads to. */
void io_sim__table_mark(struct io_sim *sim, const struct sim_table *table);

/* io_sim_dir.c: the name operations of the backend. */
enum status io_sim__rename(struct io *io, const char *from, const char *to);
enum status io_sim__remove(struct io *io, const char *path);
enum status io_sim__make_dir(struct io *io, const char *path);
enum status io_sim__remove_dir(struct io *io, const char *path);
enum status io_sim__sync_dir(struct io *io, const char *path);
enum status io_sim__list(struct io *io, const char *path, io_list_fn each, void *context);
enum status io_sim__real_path(struct io *io, const char *path, char *out, size_t out_size);
/** Creates an empty file called `last` in `dir`: a pending name. */
MUST_CHECK enum status io_sim__create(struct io_sim *sim, struct sim_op *op, struct sim_inode *dir,
                                      const char *last, struct sim_inode **out);

/* io_sim_pending.c */

struct sim_record *io_sim__record_new(struct io_sim *sim, struct sim_inode *inode,
                                      enum sim_record_kind kind, uint64_t op);
/** Frees a record that is in no list. */
void io_sim__record_free(struct io_sim *sim, struct sim_record *record);
/** Appends to the disk's and the inode's lists. */
void io_sim__record_add(struct io_sim *sim, struct sim_record *record);
/** Unlinks and frees. */
void io_sim__record_remove(struct io_sim *sim, struct sim_record *record);
uint32_t io_sim__record_units(const struct sim_record *record);
/** Lays a data or size record over `view`: `mask` chooses the sectors of a data record. */
MUST_CHECK enum status io_sim__record_apply(struct io_sim *sim, const struct sim_record *record,
                                            uint32_t mask, struct sim_view **view);

/* Bytes for a file: what a write stores after its fault has been taken into account. */
struct sim_span {
    const uint8_t *bytes;
    size_t size;
    uint64_t offset;
    uint64_t size_min; /* The file is at least this long afterwards, whatever was stored. */
};

/** The sectors of chunk `index` that the span touches. */
uint32_t io_sim__span_mask(const struct sim_span *span, uint64_t index);
/** Makes durable the file's records with seq up to `seq`, except those in flight. */
MUST_CHECK enum status io_sim__file_sync(struct io_sim *sim, struct sim_inode *inode, uint64_t seq);
/** Makes durable what operation `op` wrote: the span. */
MUST_CHECK enum status io_sim__file_sync_span(struct io_sim *sim, struct sim_inode *inode,
                                              uint64_t op, const struct sim_span *span);
/** Drops the records that file_sync would make durable: the late sync error. */
void io_sim__file_sync_lost(struct io_sim *sim, struct sim_inode *inode, uint64_t seq);
/** The same for what operation `op` wrote. */
void io_sim__file_drop(struct io_sim *sim, struct sim_inode *inode, uint64_t op);
/** Keeps the list bounded: makes the oldest operations durable, as a kernel's write-back does. */
void io_sim__file_write_back(struct io_sim *sim, struct sim_inode *inode);

/* io_sim_write.c */

/** Adds the span as records in flight: pending, but not in the current view. */
MUST_CHECK enum status io_sim__write_begin(struct io_sim *sim, const struct sim_op *op,
                                           struct sim_inode *inode, const struct sim_span *span);
/** Takes them away again, before the write is carried out. */
void io_sim__write_end(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode);
/** What a write stores and the status it reports, given its fault. */
enum status io_sim__span_of(struct io_sim *sim, const struct sim_op *op, struct sim_span *out);
/** Carries out a write whose span_of said `reported`. */
enum status io_sim__write_run(struct io_sim *sim, struct sim_op *op, struct sim_inode *inode,
                              const struct sim_span *span, enum status reported);
enum status io_sim__sync_run(struct io_sim *sim, const struct sim_op *op, struct sim_inode *inode,
                             uint64_t seq);
enum status io_sim__read_run(const struct sim_op *op, struct sim_inode *inode, void *bytes,
                             size_t *read_out);
enum status io_sim__truncate_run(struct io_sim *sim, const struct sim_op *op,
                                 struct sim_inode *inode);
enum status io_sim__allocate_run(struct io_sim *sim, const struct sim_op *op,
                                 struct sim_inode *inode);

/* io_sim_queue.c */

enum status io_sim__queue_open(struct io *io, uint32_t depth, struct io_queue **out);
void io_sim__queue_close(struct io_queue *queue);
enum status io_sim__queue_submit(struct io_queue *queue, struct io_request **requests,
                                 uint32_t count);
enum status io_sim__queue_reap(struct io_queue *queue, uint32_t min_count, struct io_request **out,
                               uint32_t max_count, uint32_t *count_out);

/* io_sim_check.c */

/** S1, S4, S5 and the counters that go with them. */
bool io_sim__invariants_hold(const struct io_sim *sim);

/* io_sim.c */

/** A disk without names, in `family` (NULL: a new one). */
MUST_CHECK enum status io_sim__disk_new(struct memory *memory, struct sim_family *family,
                                        struct io_sim **out);
/** Frees a disk, whatever state it is in. */
void io_sim__disk_free(struct io_sim *sim);

#endif
