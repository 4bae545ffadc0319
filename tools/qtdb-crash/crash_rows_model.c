/* The model of the mode rows: a list of changes, and the rows after any commit; see crash_rows.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-crash/crash_rows.h"

enum {
    DENSE_BASE = 1000,
    LARGE_ODDS = 60, /* One value in so many takes pages of its own, ... */
    LARGE_SIZE = 12000,
    HUGE_ODDS = 12, /* ... and one of these so many that it is a tree of its own. */
    SMALL_SIZE = 120,
    NUMBER_SIZE = 8,
};

#define SPREAD_SALT UINT64_C(0x9e3779b97f4a7c15)
#define LONG_PREFIX "a beginning that all of these keys have in common, as paths do/"

const char *
rows_tree_name(uint32_t tree)
{
    static const char *const names[ROWS_TREES] = {"spread", "dense", "text", "long"};

    return names[tree];
}

enum qtdb_key_kind
rows_key_kind(uint32_t tree)
{
    return tree <= ROWS_DENSE ? QTDB_KEY_INT : QTDB_KEY_BYTES;
}

size_t
rows_key(uint32_t tree, uint32_t number, uint8_t out[ROWS_KEY_SIZE_MAX])
{
    switch (tree) {
    case ROWS_SPREAD:
        /* An odd factor: no two numbers meet. */
        qtdb_key_u64((number + 1) * SPREAD_SALT, out);
        return NUMBER_SIZE;
    case ROWS_DENSE:
        qtdb_key_u64(DENSE_BASE + number, out);
        return NUMBER_SIZE;
    case ROWS_TEXT:
        return (size_t)snprintf((char *)out, ROWS_KEY_SIZE_MAX, "k%05u", number);
    default:
        return (size_t)snprintf((char *)out, ROWS_KEY_SIZE_MAX, LONG_PREFIX "%05u", number);
    }
}

static uint64_t
read_u64(const uint8_t *key)
{
    uint64_t number = 0;

    for (int index = 0; index < NUMBER_SIZE; index++)
        number = number << 8 | key[index];
    return number;
}

/* The factor's inverse modulo 2^64, by Newton's method: each round doubles the bits that are right. */
static uint64_t
spread_inverse(void)
{
    uint64_t inverse = SPREAD_SALT;

    for (int round = 0; round < 5; round++)
        inverse *= 2 - SPREAD_SALT * inverse;
    return inverse;
}

uint32_t
rows_number(uint32_t tree, const uint8_t *key, size_t size)
{
    uint8_t again[ROWS_KEY_SIZE_MAX];
    uint64_t number = ROWS_KEYS;

    if (rows_key_kind(tree) == QTDB_KEY_INT && size == NUMBER_SIZE) {
        number =
            tree == ROWS_DENSE ? read_u64(key) - DENSE_BASE : read_u64(key) * spread_inverse() - 1;
    } else if (size > 5 && size < ROWS_KEY_SIZE_MAX) {
        char digits[6] = "";

        memcpy(digits, key + size - 5, 5);
        number = strtoull(digits, NULL, 10);
    }
    if (number >= ROWS_KEYS || rows_key(tree, (uint32_t)number, again) != size ||
        memcmp(key, again, size) != 0)
        return ROWS_KEYS;
    return (uint32_t)number;
}

size_t
rows_value(uint32_t value, uint8_t out[ROWS_VALUE_SIZE_MAX])
{
    uint64_t mixed = random_mix(value);
    size_t size = mixed % SMALL_SIZE;

    if (mixed / SMALL_SIZE % LARGE_ODDS == 0)
        size = mixed / 7 % (mixed / 11 % HUGE_ODDS == 0 ? ROWS_VALUE_SIZE_MAX : LARGE_SIZE);
    for (size_t at = 0; at < size; at += sizeof(mixed)) {
        size_t part = size - at < sizeof(mixed) ? size - at : sizeof(mixed);

        /* Half of it repeats, so that compression has something to do. */
        if (at % 32 < 16)
            mixed = random_mix(mixed);
        memcpy(out + at, &mixed, part);
    }
    return size;
}

void
rows_model_init(struct rows_model *model, struct memory *memory)
{
    memset(model, 0, sizeof(*model));
    model->steps = crash_alloc(memory, ROWS_STEP_MAX * sizeof(*model->steps));
}

void
rows_model_deinit(struct rows_model *model, struct memory *memory)
{
    crash_free(memory, model->steps, ROWS_STEP_MAX * sizeof(*model->steps));
    model->steps = NULL;
}

static void
apply(struct rows_state *state, const struct rows_step *step)
{
    if (step->number < ROWS_KEYS) {
        state->values[step->tree][step->number] = step->value;
        return;
    }
    state->exists[step->tree] = step->number == ROWS_STEP_CREATE;
    memset(state->values[step->tree], 0, sizeof(state->values[step->tree]));
}

bool
rows_model_has_room(const struct rows_model *model)
{
    return model->step_count + ROWS_KEYS + ROWS_TREES < ROWS_STEP_MAX;
}

void
rows_model_note(struct rows_model *model, uint32_t tree, uint32_t number, uint32_t value)
{
    CHECK(model->step_count < ROWS_STEP_MAX);
    struct rows_step *step = &model->steps[model->step_count++];

    *step = (struct rows_step){model->commit + 1, (uint16_t)tree, (uint16_t)number, value};
    apply(&model->now, step);
}

void
rows_model_commit(struct rows_model *model)
{
    model->commit++;
}

void
rows_model_state(const struct rows_model *model, uint32_t commit, struct rows_state *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t index = 0; index < model->step_count && model->steps[index].commit <= commit;
         index++)
        apply(out, &model->steps[index]);
}

void
rows_model_cancel(struct rows_model *model, uint32_t step_count)
{
    if (step_count < model->step_count && model->steps[step_count].commit == model->commit)
        model->commit--;
    model->step_count = step_count;
    rows_model_state(model, model->commit, &model->now);
}

void
rows_model_cut(struct rows_model *model, uint32_t commit)
{
    while (model->step_count > 0 && model->steps[model->step_count - 1].commit > commit)
        model->step_count--;
    model->commit = commit;
    model->acknowledged = commit;
    rows_model_state(model, commit, &model->now);
}
