/*
 * A database on a simulated disk with one big transaction to come: two trees ten times the pool and what
 * they should hold before (generation 0) and after it (generation 1). Each row's bytes tell its number
 * and generation.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_BIG_WORLD_H
#define TOOLS_QTDB_CRASH_CRASH_BIG_WORLD_H

#include "kernel/database.h"
#include "tools/qtdb-crash/crash.h"

enum {
    BIG_POOL_SIZE = 64 * PAGE_SIZE,
    BIG_POOL_SIZE_READ_ONLY = 4096 * PAGE_SIZE, /* Holds all that a log may name. */
    BIG_WRITE_SET_LIMIT = 3 << 20,              /* Holds the locks, not the writes. */
    BIG_MEMORY_ROOM = 16 << 20,                 /* Beside pool and write set. */
    BIG_GENERATION_LIFE = 5,                    /* Of the row that a life after a crash changes. */
    BIG_TEXT_SIZE = 200,
};

#define BIG_PATH "/big.qtdb"

struct big_world {
    struct memory *engine;
    struct io *io;
    struct qtdb *db;
    uint32_t row_count;  /* Numbers below it; in each generation seven of eight are rows. */
    enum qtdb_code code; /* Of the last thing that failed. */
    char what[BIG_TEXT_SIZE];
};

/** Opens the database of the disk. False, with code and what, when that fails. */
bool big_world_open(struct big_world *world, bool read_only);
/** Fills a new database with generation 0. */
bool big_world_fill(struct big_world *world);
/** The transaction from generation 0 to 1: every row updated or deleted, others inserted, one tree
 * made. Not committed yet. */
bool big_world_write(struct big_world *world, struct qtdb_txn **out);
/** Reads all rows as `txn` (NULL: a new read transaction) sees them: 0 or 1, the generation. -1: neither;
 * `what` tells. */
int big_world_generation(struct big_world *world, struct qtdb_txn *txn);
/** The generation of the first row of one tree and of the last row of the other, by get. -1: not read. */
bool big_world_ends(struct big_world *world, int *first_out, int *last_out);
/** Changes one row in a transaction of its own, to BIG_GENERATION_LIFE; asks whether it is so. */
bool big_world_live(struct big_world *world);
bool big_world_has_lived(struct big_world *world);

#endif
