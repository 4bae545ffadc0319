/*
 * The mode rows: the same crashes one floor up. A history is one life of a database of several trees,
 * changed through qtdb.h by transactions; the model knows the rows after each commit.
 *
 * Every transaction writes its own number into the tree "commits". What is found there after a crash says
 * which commit was the last, and all trees must then hold exactly what that commit left: nothing
 * acknowledged is missing, nothing of a later commit is there, no transaction is there in part.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_ROWS_H
#define TOOLS_QTDB_CRASH_CRASH_ROWS_H

#include "kernel/base/random.h"
#include "kernel/database.h"
#include "tools/qtdb-crash/crash.h"
#include "tools/qtdb-crash/crash_verify.h"

enum {
    ROWS_TREES = 4,
    ROWS_KEYS = 2600,        /* A tree's universe of keys. */
    ROWS_STEP_MAX = 1 << 16, /* Changes of a history. */
    ROWS_KEY_SIZE_MAX = 80,
    ROWS_VALUE_SIZE_MAX = 100000,
};

/* The trees: integer keys in any order and at the end, short texts, texts with much in common. */
enum rows_tree { ROWS_SPREAD = 0, ROWS_DENSE = 1, ROWS_TEXT = 2, ROWS_LONG = 3 };

/* A row with value 0 is absent. Step numbers of whole trees are above ROWS_KEYS. */
enum { ROWS_STEP_CREATE = ROWS_KEYS, ROWS_STEP_DROP = ROWS_KEYS + 1 };

struct rows_step {
    uint32_t commit;
    uint16_t tree;
    uint16_t number;
    uint32_t value; /* What the value is made from; 0: deleted. */
};

struct rows_state {
    uint32_t values[ROWS_TREES][ROWS_KEYS];
    bool exists[ROWS_TREES];
};

struct rows_model {
    uint32_t commit;         /* The last one handed to the engine. */
    uint32_t acknowledged;   /* The last one that has to survive. */
    struct rows_step *steps; /* ROWS_STEP_MAX. */
    uint32_t step_count;
    struct rows_state now; /* After `commit`. */
    uint64_t sequence;     /* The last number that a sequence gave. */
};

const char *rows_tree_name(uint32_t tree);
enum qtdb_key_kind rows_key_kind(uint32_t tree);
/** Key `number` of a tree. Except in the tree SPREAD, a higher number is a higher key. */
size_t rows_key(uint32_t tree, uint32_t number, uint8_t out[ROWS_KEY_SIZE_MAX]);
/** The number of a key, ROWS_KEYS when there is no such key. */
uint32_t rows_number(uint32_t tree, const uint8_t *key, size_t size);
size_t rows_value(uint32_t value, uint8_t out[ROWS_VALUE_SIZE_MAX]);

void rows_model_init(struct rows_model *model, struct memory *memory);
void rows_model_deinit(struct rows_model *model, struct memory *memory);
/** Whether there is room for another transaction. */
bool rows_model_has_room(const struct rows_model *model);
/** Notes a change of commit `model->commit + 1`. */
void rows_model_note(struct rows_model *model, uint32_t tree, uint32_t number, uint32_t value);
/** The noted changes are commit `commit + 1` from here on, whatever becomes of it. */
void rows_model_commit(struct rows_model *model);
/** Forgets noted changes, or, after rows_model_commit, the last commit. */
void rows_model_cancel(struct rows_model *model, uint32_t step_count);
/** The rows after `commit`. */
void rows_model_state(const struct rows_model *model, uint32_t commit, struct rows_state *out);
/** A life that ended at `commit` goes on from there. */
void rows_model_cut(struct rows_model *model, uint32_t commit);

/* One life. */
struct rows_history {
    const struct crash_session *session;
    struct crash_id id;
    struct io *io;
    struct env env;
    struct qtdb_options options;
    struct qtdb *db; /* NULL while it is being opened. */
    struct rows_model model;
    struct random random;
    uint64_t step_count;
    uint64_t point;
    bool opened; /* The database was there: from now on it has to be. */
    bool failed; /* Something is wrong; it was told. */
    void *context;
    /* Told at once. */
    void (*wrong)(void *context, enum crash_violation violation, const char *text);
};

struct qtdb_options rows_options(const struct crash_id *id);
/** One step of the workload: a transaction, a checkpoint, a close. */
void rows_step(struct rows_history *history);
/** Opens the database and its trees. */
void rows_open(struct rows_history *history);
void rows_wrong(struct rows_history *history, enum crash_violation violation, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

/** The number of the last commit, and the last number of the sequence in it; 0, 0 without one. */
enum qtdb_code rows_last(struct qtdb *db, uint64_t out[2]);

/* What a state may be. */
struct rows_expect {
    const struct rows_model *model;
    uint32_t acknowledged;
    bool may_be_absent;
    bool may_refuse; /* Single pages may be refused by name. */
    enum crash_canary canary;
};

/** Compares all rows of an open database with the model, and checks the file. */
enum crash_violation rows_verify(struct qtdb *db, const struct rows_expect *expect,
                                 struct memory *rig, struct crash_found *found);
/** Opens the database on `io`, compares, and sees that everything is given back. By `seed` it is now and
 * then opened read-only first, and lives on for a transaction and a clean close; 0: it does neither. */
enum crash_violation rows_verify_disk(struct io *io, struct memory *engine, struct memory *rig,
                                      const struct crash_id *id, const struct rows_expect *expect,
                                      uint64_t seed, struct crash_found *found);

#endif
