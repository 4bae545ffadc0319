/*
 * A pager on a simulated disk, for tests of any kind: small pool, small log, and short ways to make,
 * change and read pages that hold one number. What must succeed and does not stops the test.
 */
#ifndef TESTS_SUPPORT_PAGER_RIG_H
#define TESTS_SUPPORT_PAGER_RIG_H

#include "kernel/base/io_sim.h"
#include "pager/pager.h"

#define RIG_PATH "/rig.qtdb"

enum { RIG_VALUE_OFFSET = 1000, RIG_TREE_ID = 7 };

struct pager_rig {
    struct memory *memory;      /* The engine's. */
    struct memory *disk_memory; /* What stands for the disk, so that injected failures spare it. */
    struct io *io;
    struct env env;
    struct pager_options options; /* For the next open. */
    struct pager *pager;          /* NULL while closed. */
};

/** Stops the test with status, message and place unless `status` is STATUS_OK. */
void rig_must(enum status status, const char *what, const char *file, int line);
#define MUST(expr) rig_must(expr, #expr, __FILE__, __LINE__)

/** Memory, disk and default options: 64 pages of pool, 1 MiB of log in segments of 64 KiB. */
void pager_rig_init(struct pager_rig *rig, uint64_t seed);
void pager_rig_open(struct pager_rig *rig);
/** Closes cleanly; nothing is open on the disk afterwards. */
void pager_rig_close(struct pager_rig *rig);
/** As a kill: everything written is there, nothing else. */
void pager_rig_kill(struct pager_rig *rig);
/** Frees everything; a leak stops the test. */
void pager_rig_deinit(struct pager_rig *rig);

/** A rig whose pager is a pool of so many frames and nothing else: no file, no log. */
struct pager *pager_rig_pool_new(struct pager_rig *rig, uint32_t frames);
/** Frees pool and rig. */
void pager_rig_pool_free(struct pager_rig *rig, struct pager *pager);

/** A new page that holds `value`, committed; resolves what is missing. */
enum status pager_rig_try_allocate(struct pager_rig *rig, uint64_t value, uint32_t *page_out);
uint32_t pager_rig_allocate(struct pager_rig *rig, uint64_t value);
enum status pager_rig_try_set(struct pager_rig *rig, uint32_t page_number, uint64_t value);
/** Commits; returns the CSN. */
uint64_t pager_rig_set(struct pager_rig *rig, uint32_t page_number, uint64_t value);
void pager_rig_free(struct pager_rig *rig, uint32_t page_number);
/** The value as a pin sees it; brings the page in. */
uint64_t pager_rig_get(struct pager_rig *rig, uint32_t page_number);
/** Makes the page absent: changes are flushed first. */
void pager_rig_evict(struct pager_rig *rig, uint32_t page_number);

#endif
