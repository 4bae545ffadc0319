/*
 * One fault in one run: a reference workload is carried out with one operation or one allocation
 * failing, once or for ever; then it is closed, and what is on the disk is opened without faults.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_FAULT_H
#define TOOLS_QTDB_CRASH_CRASH_FAULT_H

#include "tools/qtdb-crash/crash.h"

/* What fails. */
struct crash_fault {
    enum io_sim_fault io; /* IO_SIM_FAULT_NONE: an allocation. */
    uint64_t index;       /* From where the reference begins to count. */
    bool for_ever;
};

/* A reference run without faults: how much there is to fail. */
struct crash_reference {
    struct crash_id id;
    uint64_t step_count;
    uint64_t io_count;
    uint64_t memory_count;
    uint8_t *kinds; /* io_count of enum crash_operation. */
    uint64_t capacity;
};

enum crash_operation {
    CRASH_OPERATION_OTHER = 0,
    CRASH_OPERATION_WRITE = 1, /* Of the database file. */
    CRASH_OPERATION_LOG_WRITE = 2,
    CRASH_OPERATION_DURABLE = 3, /* A write that carries its own sync. */
    CRASH_OPERATION_SYNC = 4,
};

/* What became of a run. */
struct crash_outcome {
    bool injected;
    bool detected; /* A page or the file was refused, or a page repaired. */
};

void crash_reference_run(struct crash_session *session, const struct crash_id *id,
                         struct crash_reference *out);
void crash_reference_free(struct crash_session *session, struct crash_reference *reference);

/** Runs with the fault and judges everything; what is wrong goes to the session's report. */
void crash_fault_run(struct crash_session *session, const struct crash_reference *reference,
                     const struct crash_fault *fault, struct crash_outcome *out);

/** Whether the fault means anything to an operation of that kind. */
bool crash_fault_fits(enum io_sim_fault fault, enum crash_operation operation);
/** "KIND:INDEX" or "KIND:INDEX:ever". */
void crash_fault_print(const struct crash_fault *fault, char out[CRASH_FAULT_TEXT_SIZE]);
bool crash_fault_parse(const char *text, struct crash_fault *out);

#endif
