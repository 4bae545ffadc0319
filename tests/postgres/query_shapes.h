/*
 * Shapes of expressions for query_maker.c. Capital letters stand for operands, by the order of enum
 * query_type in "INTBDSPAJFEZHLW"; inside single quotes they are themselves.
 */
#ifndef TESTS_POSTGRES_QUERY_SHAPES_H
#define TESTS_POSTGRES_QUERY_SHAPES_H

#include <stddef.h>

enum query_type {
    INT,
    NUM,
    TEXT,
    BOOL,
    DATE,
    STAMP,
    SPAN,
    INTS,
    JSON,
    REAL,
    MOOD,
    ZONED,
    HOUR,
    LONG,
    TEXTS,
    TYPE_COUNT
};

struct query_shapes {
    const char *const *shapes;
    size_t count;
};
/* By type. */
extern const struct query_shapes query_shapes[TYPE_COUNT];

#endif
