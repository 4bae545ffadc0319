/*
 * What the parts of the regular expressions share (regex.h): the program that the compiler (regex_compile.c,
 * its sets and characters in regex_set.c) makes and the matcher (regex_match.c) runs.
 */
#ifndef EXECUTOR_REGEX_PROGRAM_H
#define EXECUTOR_REGEX_PROGRAM_H

#include "executor/regex.h"

enum { REGEX_RANGES_MAX = 64 };

enum op {
    OP_CHAR = 1,  /* `c` */
    OP_ANY = 2,   /* Any character. */
    OP_SET = 3,   /* `set` */
    OP_SPLIT = 4, /* `next`, then `other`. */
    OP_JUMP = 5,  /* `next` */
    OP_SAVE = 6,  /* Slot `c`. */
    OP_BEGIN = 7, /* At the text's begin. */
    OP_END = 8,   /* At its end. */
    OP_WORD = 9,  /* `c`: '<' begin, '>' end, 'y' either, 'Y' neither. */
    OP_LOOK = 10, /* What follows, from here to `next`; `c` 1: must not match. */
    OP_BACK = 11, /* Group `c` again. */
    OP_MATCH = 12,
};

struct range {
    uint32_t low, high;
};

struct set {
    bool negated;
    uint32_t count;
    struct range ranges[REGEX_RANGES_MAX];
};

struct instruction {
    enum op op;
    uint32_t c;
    uint32_t next;
    uint32_t other;
    struct set *set;
};

struct regex {
    struct instruction *program;
    uint32_t count;
    uint32_t capacity;
    uint32_t group_count;
    bool insensitive;
    bool shortest;
    bool has_back;
};

/* The state of one compilation; the first failure stays in `status` and ends it. */
struct compiler {
    const char *next;
    const char *end;
    struct arena *arena;
    struct sql_error *error;
    struct regex *regex;
    uint32_t depth;
    bool preference_known;
    enum status status;
};

/** Failure 2201B with what is wrong, unless one is known already. */
void regex_fail(struct compiler *compiler, const char *what);
/** The place of the new instruction; 0 and a failure when there is no room. */
uint32_t regex_emit(struct compiler *compiler, enum op op, uint32_t c);
/** Moves past `c` when it is next. */
bool regex_take(struct compiler *compiler, char c);
/** The next character; a malformed byte is one of its own. */
uint32_t regex_take_utf8(const char **at, const char *end);

/** The name of the class that \d and its kin stand for, in capitals too. NULL: none. */
const char *regex_class_of(char c);
/** The character that the escape's letter stands for; the letter itself for others. */
uint32_t regex_escaped(struct compiler *compiler, char c);
/** A class named by an escape; a capital letter negates it. */
void regex_compile_class(struct compiler *compiler, char c, const char *class);
/** A bracket expression, from behind its opening bracket. */
void regex_compile_set(struct compiler *compiler);

#endif
