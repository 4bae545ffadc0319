/*
 * A checker of histories of transactions that append to lists and read them (after Kingsbury and
 * Alvaro, "Elle", 2020): from the values in the lists it follows who wrote before whom, and what
 * cannot be explained by any order of whole transactions is an anomaly with a name.
 */
#ifndef TESTS_SUPPORT_HISTORY_H
#define TESTS_SUPPORT_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum anomaly {
    ANOMALY_DIRTY_WRITE, /* The writes of two transactions interleave. */
    ANOMALY_DIRTY_READ,  /* A part of another's writes was read, or two read from each other. */
    ANOMALY_ABORTED_READ,
    ANOMALY_LOST_UPDATE,
    ANOMALY_READ_SKEW,
    ANOMALY_FRACTURED_READ, /* Read skew within the writes of one transaction. */
    ANOMALY_NON_REPEATABLE_READ,
    ANOMALY_PHANTOM,
    ANOMALY_WRITE_SKEW,
    ANOMALY_NONSENSE, /* Reads of one list that no order of appends explains. */
    ANOMALY_COUNT,
};

/* Keys and values are small numbers; no value is appended twice in a history, and none is 0. */
struct history_op {
    uint32_t key;
    uint32_t value; /* Appended; 0: this is a read. */
    bool is_scan;   /* The read was part of a scan: an empty list is an absent row. */
    uint32_t count;
    const uint32_t *values; /* Read. */
};

struct history_txn {
    bool committed;
    uint32_t op_count;
    const struct history_op *ops;
};

const char *anomaly_name(enum anomaly anomaly);
/** Counts the anomalies among the transactions. One of them should read every list at the end. */
void history_check(const struct history_txn *txns, uint32_t txn_count, uint64_t out[ANOMALY_COUNT]);

#endif
