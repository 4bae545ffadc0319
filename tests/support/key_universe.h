/*
 * A fixed set of keys to draw from, so that a model of a tree is two arrays: what is there, and which
 * value. Key number i is always the same bytes; `order` lists the numbers by key order.
 */
#ifndef TESTS_SUPPORT_KEY_UNIVERSE_H
#define TESTS_SUPPORT_KEY_UNIVERSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum universe_shape {
    UNIVERSE_INT,   /* 8 bytes, big-endian, spread by a mix */
    UNIVERSE_DENSE, /* 8 bytes, big-endian, consecutive */
    UNIVERSE_TEXT,  /* 1 to 40 bytes with beginnings in common */
    UNIVERSE_LONG,  /* up to 1,024 bytes, nearly all of it in common */
};

enum { UNIVERSE_VALUE_MAX = 50000 };

struct universe {
    uint32_t count;
    enum universe_shape shape;
    uint32_t *order; /* order[rank] = number */
    uint32_t *rank;  /* rank[number] */
};

void universe_init(struct universe *universe, enum universe_shape shape, uint32_t count);
void universe_deinit(struct universe *universe);
/** Writes the key to `out` (1,024 bytes) and returns its size. */
size_t universe_key(const struct universe *universe, uint32_t number, uint8_t *out);
/** The value that goes with a seed: mostly small, now and then large. Returns its size. */
size_t universe_value(uint32_t seed, uint8_t *out);

#endif
