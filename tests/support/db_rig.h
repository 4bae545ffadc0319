/*
 * A database on a simulated disk, without threads, with a small pool and log, for tests of any kind.
 * What must succeed and does not stops the test with message and place.
 */
#ifndef TESTS_SUPPORT_DB_RIG_H
#define TESTS_SUPPORT_DB_RIG_H

#include <string.h>

#include "kernel/base/io_sim.h"
#include "kernel/database.h"

#define DB_RIG_PATH "/rig.qtdb"

struct db_rig {
    struct memory *memory;      /* The engine's. */
    struct memory *disk_memory; /* The disk's own. */
    struct io *io;
    struct env env;
    struct qtdb_options options; /* For the next open. */
    struct qtdb *db;             /* NULL while closed. */
};

void db_must(enum qtdb_code code, const char *what, const char *file, int line);
#define DB(expr) db_must(expr, #expr, __FILE__, __LINE__)
/** Asserts a code other than QTDB_OK, and that the thread's last error has it with a message. */
void db_refused(enum qtdb_code code, enum qtdb_code expected, const char *what, const char *file,
                int line);
#define DB_REFUSED(expr, expected) db_refused(expr, expected, #expr, __FILE__, __LINE__)

/** Memory, disk, an open database with default options. */
void db_rig_init(struct db_rig *rig, uint64_t seed);
void db_rig_open(struct db_rig *rig);
void db_rig_close(struct db_rig *rig);
/** A kill: the handle is dropped; everything written is on the disk. */
void db_rig_kill(struct db_rig *rig);
/** A power cut now: the disk becomes one of the states it may be left in. */
void db_rig_crash(struct db_rig *rig, const struct io_sim_crash *crash);
/** Closes what is open, frees everything; a leak stops the test. */
void db_rig_deinit(struct db_rig *rig);

struct qtdb_txn *db_begin(struct qtdb *db);
struct qtdb_txn *db_begin_read(struct qtdb *db);
/** This one does not wait for row locks: there is nobody else to give them up. */
struct qtdb_txn *db_begin_as(struct qtdb *db, enum qtdb_isolation isolation);
/** Opens or creates the tree in a transaction of its own. */
struct qtdb_tree *db_tree(struct qtdb *db, const char *name);
/** Short forms for texts as keys and values. */
enum qtdb_code db_put(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key,
                      const char *value);
enum qtdb_code db_delete(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key);
/** The value as text in a buffer of its own, "(none)" when absent; asserts that it could be read. */
const char *db_get(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key);
/** The same in a read transaction of its own. */
const char *db_look(struct qtdb *db, struct qtdb_tree *tree, const char *key);
/** qtdb_check finds nothing. */
void db_check(struct qtdb *db);

#endif
