/*
 * Goal: the checker of histories finds each kind of anomaly, calls it by its name, and finds none where
 * there is none.
 * Method: the smallest history of each of nine anomalies is planted, alone and among thousands of
 * serial transactions; and the serial ones by themselves.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tests/support/history.h"

enum { SERIAL = 3000, SERIAL_KEYS = 50, FIRST_KEY = 100, FIRST_VALUE = 100000, OPS_MAX = 8 };

static struct history_txn txns[SERIAL + 8];
static struct history_op ops[SERIAL + 8][OPS_MAX];
static uint32_t txn_count;

/* A planted history in a line: transactions apart by '|', a '!' at the end of an aborted one; "Ax1"
 * appends 1 to x, "Rx12" reads [1, 2], "Sx" reads an absent x in a scan. */
static void
plant(const char *text)
{
    struct history_txn *txn = &txns[txn_count];
    struct history_op *op = ops[txn_count];

    *txn = (struct history_txn){.committed = true, .ops = op};
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        if (*text == '|') {
            txn_count++;
            txn = &txns[txn_count];
            op = ops[txn_count];
            *txn = (struct history_txn){.committed = true, .ops = op};
            continue;
        }
        if (*text == '!') {
            txn->committed = false;
            continue;
        }
        static uint32_t lists[64][8];
        static uint32_t lists_used;
        char kind = text[0];

        cr_assert(kind == 'A' || kind == 'R' || kind == 'S');
        *op = (struct history_op){.key = FIRST_KEY + (uint32_t)(text[1] - 'x'),
                                  .is_scan = kind == 'S'};
        uint32_t *list = lists[lists_used++ % 64];

        for (text++; text[1] >= '0' && text[1] <= '9'; text++)
            list[op->count++] = FIRST_VALUE + (uint32_t)(text[1] - '0');
        if (kind == 'A') {
            op->value = list[0];
            op->count = 0;
        }
        op->values = list;
        op++;
        txn->op_count++;
    }
    txn_count++;
}

/* Transactions one after the other over keys of their own. */
static void
fill_serial(void)
{
    static uint32_t lists[SERIAL_KEYS][SERIAL];
    static uint32_t counts[SERIAL_KEYS];
    struct random random;
    uint32_t value = 1;

    memset(counts, 0, sizeof(counts));
    random_init(&random, 1);
    for (txn_count = 0; txn_count < SERIAL; txn_count++) {
        struct history_txn *txn = &txns[txn_count];

        *txn = (struct history_txn){.committed = true, .ops = ops[txn_count], .op_count = OPS_MAX};
        for (uint32_t o = 0; o < OPS_MAX; o++) {
            uint32_t key = (uint32_t)random_below(&random, SERIAL_KEYS);
            struct history_op *op = &ops[txn_count][o];

            *op = (struct history_op){.key = key};
            if (random_chance(&random, 1, 4)) {
                op->value = value;
                lists[key][counts[key]++] = value++;
            } else {
                op->values = lists[key];
                op->count = counts[key];
                op->is_scan = random_chance(&random, 1, 2);
            }
        }
    }
    static struct history_op last[SERIAL_KEYS];

    for (uint32_t key = 0; key < SERIAL_KEYS; key++)
        last[key] = (struct history_op){.key = key, .values = lists[key], .count = counts[key]};
    txns[txn_count++] =
        (struct history_txn){.committed = true, .ops = last, .op_count = SERIAL_KEYS};
}

struct planted {
    enum anomaly anomaly;
    const char *history;
};

static const struct planted planted[] = {
    {ANOMALY_DIRTY_WRITE, "Ax1 Ay2 | Ax3 Ay4 | Rx13 Ry42"},
    {ANOMALY_DIRTY_READ, "Ax1 Ax2 | Rx1 | Rx12"},
    {ANOMALY_DIRTY_READ, "Ax1 Ry2 | Ay2 Rx1 | Rx1 Ry2"},
    {ANOMALY_ABORTED_READ, "Ax1 ! | Rx1 | Rx1"},
    {ANOMALY_LOST_UPDATE, "Rx Ax1 | Rx Ax2 | Rx2"},
    {ANOMALY_LOST_UPDATE, "Rx Ax1 | Rx Ax2 | Rx12"},
    {ANOMALY_READ_SKEW, "Rx Ry2 | Ax1 | Rx1 Ay2 | Rx1 Ry2"},
    {ANOMALY_FRACTURED_READ, "Rx Ry2 | Ax1 Ay2 | Rx1 Ry2"},
    {ANOMALY_NON_REPEATABLE_READ, "Ax1 | Rx Rx1 | Rx1"},
    {ANOMALY_PHANTOM, "Ax1 | Sx Sx1 | Rx1"},
    {ANOMALY_WRITE_SKEW, "Rx Ry Ax1 | Rx Ry Ay2 | Rx1 Ry2"},
    {ANOMALY_WRITE_SKEW, "Sx Sy Ax1 | Sx Sy Ay2 | Rx1 Ry2"},
};

static void
expect(enum anomaly expected)
{
    uint64_t found[ANOMALY_COUNT];

    history_check(txns, txn_count, found);
    for (enum anomaly a = 0; a < ANOMALY_COUNT; a++)
        if (a == expected)
            cr_assert_gt(found[a], 0, "%s was not found", anomaly_name(a));
    /* What else a planted one may be called: the same fault seen from its reader. */
    for (enum anomaly a = 0; a < ANOMALY_COUNT; a++)
        if (a != expected && expected != ANOMALY_NON_REPEATABLE_READ &&
            expected != ANOMALY_PHANTOM && expected != ANOMALY_DIRTY_READ)
            cr_assert_eq(found[a], 0, "%s in place of %s", anomaly_name(a),
                         expected < ANOMALY_COUNT ? anomaly_name(expected) : "nothing");
}

Test(history, serial_transactions_have_no_anomaly)
{
    fill_serial();
    expect(ANOMALY_COUNT);
}

Test(history, each_planted_anomaly_is_found)
{
    for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
        txn_count = 0;
        plant(planted[i].history);
        expect(planted[i].anomaly);
        fill_serial();
        plant(planted[i].history);
        expect(planted[i].anomaly);
    }
}

Test(history, values_from_nowhere_and_lists_out_of_order_are_nonsense)
{
    txn_count = 0;
    plant("Ax1 | Rx2 | Rx1");
    uint64_t found[ANOMALY_COUNT];

    history_check(txns, txn_count, found);
    cr_assert_gt(found[ANOMALY_NONSENSE], 0);
    txn_count = 0;
    plant("Ax1 | Ax2 | Rx21 | Rx12");
    history_check(txns, txn_count, found);
    cr_assert_gt(found[ANOMALY_NONSENSE], 0);
}
