/* SCAN, inside: what exec_scan*.c share. */
#ifndef EXECUTOR_EXEC_SCAN_H
#define EXECUTOR_EXEC_SCAN_H

#include "executor/exec_private.h"
#include "executor/row_reader.h"

enum {
    SCAN_ROW_ROOM = 1024,
    SCAN_LOOK_MAX = 64,
    SCAN_LOOK_FEW = 4,
    SCAN_TESTS_MAX = 8,
    SCAN_SPAN_MAX = ROW_SPAN_MAX,
    SCAN_BORROW_MIN = 32,
    SCAN_LEAVES_MAX = 1024, /* Counted at once. */
};

struct scan_key {
    uint8_t bytes[QTDB_KEY_SIZE_MAX];
    size_t size;
};

struct scan {
    struct qtdb_tree *rows;
    struct qtdb_tree *tree; /* Where the keys are: the rows', or an index's. */
    struct qtdb_cursor *cursor;
    struct row_reader reader;
    struct row_test tests[SCAN_TESTS_MAX]; /* Conjuncts of the filter, asked while a row is read. */
    uint32_t test_count;
    const struct expr **rest; /* The others. */
    uint32_t rest_count;
    bool reads_spans;    /* row_reader_span tells all about a row. */
    struct value *whole; /* What was decoded of a row, by column, and its key. */
    struct value *in;    /* IN: values in order, without duplicates. */
    uint32_t in_count;
    uint32_t in_next;
    uint64_t read_count; /* Rows. */
    uint64_t span_count; /* As exec_measure has them. */
    uint64_t leaf_count;
    bool takes_key; /* It is one of the columns asked for. */
    bool started;
    bool in_range; /* The cursor is inside a range. */
    struct scan_key begin;
    struct scan_key end; /* Keys past it, as a prefix, are past the range. Size 0: open. */
    uint8_t *room;       /* For rows read by key. */
    size_t room_size;
    struct scan_look *look; /* NULL: not needed so far. */
    uint32_t look_capacity;
    uint32_t look_wanted;     /* To be gathered next. */
    uint32_t fetch_pause;     /* Batches whose leaves are not brought in beforehand, */
    uint32_t fetch_idle;      /* for so many have nothing to bring. */
    struct scan_prime *prime; /* NULL: not needed so far. */
    bool is_primed;           /* Its rows are among those looked up for many runs. */
};

/* Where a cursor is. */
struct scan_entry {
    const void *key;
    const void *value;
    size_t key_size;
    size_t value_size;
};

/* exec_scan_row.c */
/** Adds the row to the batch when it passes the filter. */
MUST_CHECK enum status scan__take_row(struct exec *exec, const void *key, size_t key_size,
                                      const void *bytes, size_t size);
/** The same, but the row's bytes stay where they are: until scan__keep_rows, or the batch is done with. */
MUST_CHECK enum status scan__borrow_row(struct exec *exec, const void *key, size_t key_size,
                                        const void *bytes, size_t size);
/** The same for rows beside each other, at most SCAN_SPAN_MAX and no more than the batch has room for. */
MUST_CHECK enum status scan__borrow_rows(struct exec *exec, const void *const *bytes,
                                         const uint32_t *sizes, uint32_t count);
/** Copies the bytes of the batch's rows from `first` on. */
MUST_CHECK enum status scan__keep_rows(struct exec *exec, uint32_t first);
/** Reads a row by its key; nothing is added when it does not exist and may be missing. */
MUST_CHECK enum status scan__take_by_key(struct exec *exec, const void *key, size_t key_size,
                                         bool may_miss);

/** XX001: an entry of the index cannot be decoded. */
enum status scan__damaged_entry(struct exec *exec);
/** An entry of an index that has all columns asked for, as a row. */
MUST_CHECK enum status scan__take_entry(struct exec *exec, const struct scan_entry *entry);

/* exec_scan_look.c: keys are gathered and looked up at once. */
/** None gathered yet; room for `wanted` keys, 1 to SCAN_LOOK_MAX. */
MUST_CHECK enum status scan__look_begin(struct exec *exec, uint32_t wanted);
bool scan__look_has_room(const struct scan *scan);
void scan__look_add(struct scan *scan, const void *key, size_t key_size);
uint32_t scan__look_count(const struct scan *scan);
/** Forgets those from number `count` on. */
void scan__look_cut(struct scan *scan, uint32_t count);
/** Looks them up: `rows` among the rows; else only brings in, from where the keys are, the leaves they lead to. */
MUST_CHECK enum status scan__look_fetch(struct exec *exec, bool rows);
/** Adds the rows of some that were looked up, in the order they were gathered. */
MUST_CHECK enum status scan__look_give(struct exec *exec, uint32_t from, uint32_t end,
                                       bool may_miss);
/** Both, for all. */
MUST_CHECK enum status scan__look_up(struct exec *exec, bool may_miss);
void scan__look_free(struct exec *exec);

/* exec_scan.c */
/** To the next range of keys; the node is `done` when there is none. */
MUST_CHECK enum status scan__next_range(struct exec *exec, struct scan *scan);
/** The row key of the next entry of the range into the gathered ones; STATUS_NOT_FOUND at its end. */
MUST_CHECK enum status scan__gather_one(struct exec *exec, struct scan *scan);

/* exec_scan_prime.c; the rest is in exec_private.h */
/** The rows of the run that exec__prime_use named. */
MUST_CHECK enum status scan__take_primed(struct exec *exec);
void scan__prime_free(struct exec *exec);

#endif
