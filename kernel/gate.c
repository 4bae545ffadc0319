/*
 * The gate: committers pass it side by side, and a checker of the whole file, or a big commit, closes
 * it, waits for those inside, and has the trees to itself. Readers take no part in it.
 */
#include "kernel/kernel_private.h"

static void
wait_for(struct gate *gate, uint32_t seen)
{
    latch_unlock(&gate->latch);
    event_wait(&gate->event, seen);
    latch_lock(&gate->latch);
}

void
gate__enter(struct gate *gate)
{
    latch_lock(&gate->latch);
    for (;;) {
        uint32_t seen = event_count(&gate->event);

        if (!gate->closed)
            break;
        wait_for(gate, seen);
    }
    gate->committers++;
    latch_unlock(&gate->latch);
}

bool
gate__try_enter(struct gate *gate)
{
    latch_lock(&gate->latch);
    bool entered = !gate->closed;

    if (entered)
        gate->committers++;
    latch_unlock(&gate->latch);
    return entered;
}

void
gate__leave(struct gate *gate)
{
    latch_lock(&gate->latch);
    CHECK(gate->committers > 0);
    gate->committers--;
    bool wake = gate->closed && gate->committers == 0;

    latch_unlock(&gate->latch);
    if (wake)
        event_signal(&gate->event);
}

void
gate__close(struct gate *gate)
{
    latch_lock(&gate->latch);
    for (;;) {
        uint32_t seen = event_count(&gate->event);

        if (!gate->closed)
            break;
        wait_for(gate, seen);
    }
    gate->closed = true;
    for (;;) {
        uint32_t seen = event_count(&gate->event);

        if (gate->committers == 0)
            break;
        wait_for(gate, seen);
    }
    latch_unlock(&gate->latch);
}

void
gate__open(struct gate *gate)
{
    latch_lock(&gate->latch);
    CHECK(gate->closed);
    gate->closed = false;
    latch_unlock(&gate->latch);
    event_signal(&gate->event);
}
