/*
 * Sequences: definitions in the catalog, counters in the kernel.
 *
 * The kernel hands out numbers from 1 that are never taken back. The counter of an ascending sequence
 * stands for value - min + 1, of a descending one for max - value + 1, so that one call takes a value
 * and steps over the increment. The counter's name is "sql/qID" with an id of the catalog; RESTART takes
 * a new id, and is undone with its transaction as every other definition.
 *
 * Definition bytes: u8 format (1) | u32 id | u8 type | u64 start | u64 increment | u64 min | u64 max |
 * u8 cycle | varint size, table that owns it | varint size, column.
 */
#ifndef EXECUTOR_SQL_SEQUENCE_H
#define EXECUTOR_SQL_SEQUENCE_H

#include "executor/ast_define.h"
#include "executor/search_path.h"

struct sequence_definition {
    uint32_t id;
    enum qtdb_type type; /* int2, int4 or int8 */
    int64_t start;
    int64_t increment;
    int64_t min;
    int64_t max;
    bool cycle;
    const char *owner_table; /* In its own schema; NULL: none. */
    const char *owner_column;
};

/* What a session remembers: definitions by the text they were called by, and last values. */
struct sequence_memory;

/** 42P01 when there is none. */
MUST_CHECK enum status sequence_find(struct qtdb_txn *txn, const struct ast_name *name,
                                     struct arena *arena, struct sequence_definition *out,
                                     struct sql_error *error);
/** Defaults for the type and options on top; 22023 where they contradict each other. */
MUST_CHECK enum status sequence_define(enum qtdb_type type,
                                       const struct ast_sequence_option *options, uint32_t count,
                                       struct sequence_definition *io, bool is_new,
                                       struct sql_error *error);
/** Gives it an id and a counter that begins at `start` and stores it. */
MUST_CHECK enum status sequence_create(struct qtdb_txn *txn, struct qtdb *db,
                                       const struct ast_name *name,
                                       struct sequence_definition *definition,
                                       struct sql_error *error);
MUST_CHECK enum status sequence_store(struct qtdb_txn *txn, const struct ast_name *name,
                                      const struct sequence_definition *definition, bool replace,
                                      struct sql_error *error);
/** Goes on with `value` under a new id; the caller stores the definition. */
MUST_CHECK enum status sequence_restart(struct qtdb_txn *txn, struct qtdb *db,
                                        struct sequence_definition *io, int64_t value,
                                        struct sql_error *error);
/** 2200H past the end. */
MUST_CHECK enum status sequence_next(struct qtdb *db, const char *name,
                                     const struct sequence_definition *definition, int64_t *out,
                                     struct sql_error *error);

/** The next value is `value`, or what follows it when `called`. 22003 out of bounds. */
MUST_CHECK enum status sequence_set(struct qtdb *db, const char *name,
                                    const struct sequence_definition *definition, int64_t value,
                                    bool called, struct sql_error *error);

/** What sequence_next would give, which stays; false in `*some_out`: nothing more (or, of a cycle, its begin). */
MUST_CHECK enum status sequence_look(struct qtdb *db, const struct sequence_definition *definition,
                                     int64_t *out, bool *some_out, struct sql_error *error);

/** Memory of a session; NULL: none. */
struct sequence_memory *sequence_memory_new(struct memory *memory);
void sequence_memory_free(struct sequence_memory *memory);
/** currval and lastval have nothing to tell from here on. */
void sequence_memory_forget(struct sequence_memory *memory);

#endif
