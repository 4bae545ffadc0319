/*
 * A small world for the pager's tests: a database on the simulated disk, a model of what it must
 * hold after each commit, random steps, and crashes whose outcome is compared with the model.
 *
 * The model keeps one hash a page for every commit made, so that whatever CSN a crash leaves, the
 * whole file can be compared with the state at exactly that CSN: nothing lost, no holes, no halves.
 *
 * All failures print the seed and stop the process.
 */
#ifndef TESTS_SUPPORT_PAGER_WORLD_H
#define TESTS_SUPPORT_PAGER_WORLD_H

#include "kernel/base/error.h"
#include "kernel/base/io_sim.h"
#include "kernel/base/random.h"
#include "pager/page.h"
#include "pager/pager.h"

enum { WORLD_PAGES = 1536 };

#define WORLD_DIR "/w"
#define WORLD_PATH WORLD_DIR "/x.qtdb"
#define WORLD_LOG WORLD_DIR "/x.qtdb-wal"

/* The state after the commit `csn`: a hash a page, 0 where no page is in use. */
struct world_snapshot {
    uint64_t csn;
    uint64_t *hashes;
};

struct world {
    uint64_t seed;
    struct random random;
    struct memory *memory;      /* The pager's. */
    struct memory *disk_memory; /* The simulated disk's; a branch borrows it. */
    bool is_branch;
    struct io *io;
    struct env env;
    struct pager_options options;
    struct pager *pager;
    bool direct;      /* Steps may write pages directly. */
    uint64_t *hashes; /* WORLD_PAGES: the state now. */
    struct world_snapshot *snapshots;
    uint32_t snapshot_count;
    uint32_t snapshot_capacity;
    uint64_t csn_acked;
    uint64_t step_count;
};

/** Options for small files: 64 pages of pool, small segments, deterministic. */
struct pager_options world_options(enum pager_policy policy);
/** A disk with an empty directory WORLD_DIR; nothing is opened. */
void world_init(struct world *world, uint64_t seed, const struct pager_options *options);
void world_deinit(struct world *world);
/** Drops the model's states: the next open takes what it finds. */
void world_forget(struct world *world);
/** The same moment on another disk (io_sim_fork); takes the disk. */
void world_branch(const struct world *world, struct io *io, struct world *out);

/** Opens; the state in the file must be one of the model's, and becomes the present one. */
void world_open(struct world *world);
enum status world_try_open(struct world *world);
void world_close(struct world *world);
enum status world_try_close(struct world *world);

/** One random step. The status is that of the step; STATUS_OK unless faults are about. */
enum status world_step(struct world *world);
/** One random commit of up to `actions` actions. */
enum status world_change(struct world *world, uint32_t actions);
enum status world_flush(struct world *world);
enum status world_direct(struct world *world, uint32_t count);

/** Compares every page with the model at the handle's CSN and verifies the file. */
void world_verify(struct world *world);
/** Forks the disk with `crash`, opens the fork, verifies it, works a little on, closes, verifies. */
void world_crash(const struct world *world, const struct io_sim_crash *crash, uint32_t steps);
/** One step, with a crash at a random operation inside it, treated as in world_crash. */
enum status world_crash_inside(struct world *world, const struct io_sim_crash *crash,
                               uint32_t steps);
/** As world_crash, with a second crash at a random operation of the recovery. */
void world_crash_twice(const struct world *world, const struct io_sim_crash *crash);

/* Single changes, for tests of one thing. Each repeats the change until nothing is missing. */
uint32_t world_allocate(struct world *world, uint8_t fill);
void world_fill(struct world *world, uint32_t page_number, uint32_t offset, uint8_t fill,
                uint32_t size);
void world_free(struct world *world, uint32_t page_number);

__attribute__((noreturn, format(printf, 2, 3))) void world_fail(const struct world *world,
                                                                const char *format, ...);
#define WORLD_OK(world, expr)                                                     \
    do {                                                                          \
        enum status world_status_ = (expr);                                       \
        if (world_status_ != STATUS_OK)                                           \
            world_fail((world), "%s:%d: %s is %s: %s", __FILE__, __LINE__, #expr, \
                       status_name(world_status_), error_message());              \
    } while (0)

#endif
