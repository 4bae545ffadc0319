/*
 * The matcher of regular expressions (regex.h): it backtracks with a table of (instruction, position)
 * already refused, so that each pair is tried once; the table makes it linear. Every branch is tried and the
 * longest end kept, because POSIX wants the longest match: a pass without captures finds the end, a second
 * one the groups for that end.
 */
#include <ctype.h>
#include <string.h>

#include "executor/regex_program.h"
#include "kernel/base/check.h"

enum { PAIRS_MAX = 1 << 28 }; /* Bits of the table. */

/* A place to come back to, or (op OP_SAVE) a slot to put back. */
struct pending {
    uint32_t at;
    uint32_t slot;
    size_t position;
    bool restores;
};

struct matcher {
    const struct regex *regex;
    const char *text;
    size_t size;
    size_t base; /* Positions of the table count from here. */
    uint8_t *seen;
    size_t seen_size;
    struct pending *stack;
    size_t stack_count;
    size_t stack_capacity;
    struct arena *arena;
    struct sql_error *error;
    uint64_t steps;
    uint32_t look_depth;
    size_t slots[2 * REGEX_GROUPS_MAX];
};

static bool
is_word(uint32_t c)
{
    return c == '_' || c >= 0xaa || isalnum((int)(c & 0x7f)) != 0;
}

static bool
word_at(const struct matcher *matcher, size_t position, bool before)
{
    if (before ? position == 0 : position == matcher->size)
        return false;
    unsigned char c = (unsigned char)matcher->text[before ? position - 1 : position];
    return c >= 0x80 || is_word(c);
}

static uint32_t
fold(uint32_t c)
{
    return c < 0x80 ? (uint32_t)tolower((int)c) : c;
}

static bool
in_set(const struct set *set, uint32_t c, bool insensitive)
{
    uint32_t other = insensitive && c < 0x80
                         ? (uint32_t)(isupper((int)c) ? tolower((int)c) : toupper((int)c))
                         : c;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct range *range = &set->ranges[i];

        if ((c >= range->low && c <= range->high) || (other >= range->low && other <= range->high))
            return !set->negated;
    }
    return set->negated;
}

static bool
word_holds(const struct matcher *matcher, uint32_t kind, size_t position)
{
    bool before = word_at(matcher, position, true), after = word_at(matcher, position, false);

    if (kind == '<')
        return !before && after;
    if (kind == '>')
        return before && !after;
    return (before != after) == (kind == 'y');
}

static enum status
push(struct matcher *matcher, struct pending pending)
{
    if (matcher->stack_count == matcher->stack_capacity) {
        size_t capacity = matcher->stack_capacity == 0 ? 64 : 2 * matcher->stack_capacity;
        struct pending *grown = arena_alloc(matcher->arena, capacity * sizeof(*grown));

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        if (matcher->stack_count > 0)
            memcpy(grown, matcher->stack, matcher->stack_count * sizeof(*grown));
        matcher->stack = grown;
        matcher->stack_capacity = capacity;
    }
    matcher->stack[matcher->stack_count++] = pending;
    return STATUS_OK;
}

/* True once a pair: the second time it cannot give anything new, unless groups are compared. */
static bool
is_new(struct matcher *matcher, uint32_t at, size_t position)
{
    size_t pair = (position - matcher->base) * matcher->regex->count + at;

    if (matcher->regex->has_back)
        return true;
    if ((matcher->seen[pair / 8] >> (pair % 8) & 1) != 0)
        return false;
    matcher->seen[pair / 8] = (uint8_t)(matcher->seen[pair / 8] | 1u << (pair % 8));
    return true;
}

static enum status run(struct matcher *matcher, uint32_t at, size_t from, size_t wanted,
                       size_t *end_out);

/* A look-ahead is a match of its own. */
static enum status
look(struct matcher *matcher, uint32_t at, size_t position, bool *out)
{
    struct matcher inner = *matcher;
    size_t end = SIZE_MAX;

    if (matcher->look_depth > 16)
        return sql_error_set(matcher->error, "2201B", -1,
                             "invalid regular expression: look-aheads nest too deep");
    inner.look_depth++;
    inner.stack = NULL;
    inner.stack_count = inner.stack_capacity = 0;
    inner.seen = arena_alloc(matcher->arena, matcher->seen_size);
    if (inner.seen == NULL)
        return STATUS_NO_MEMORY;
    memset(inner.seen, 0, matcher->seen_size);
    TRY(run(&inner, at + 1, position, SIZE_MAX - 1, &end));
    matcher->steps = inner.steps;
    *out = (end != SIZE_MAX) != (matcher->regex->program[at].c != 0);
    return STATUS_OK;
}

static bool
same_group(const struct matcher *matcher, uint32_t group, size_t *position)
{
    size_t from = matcher->slots[2 * group], to = matcher->slots[2 * group + 1];

    if (from == SIZE_MAX || to == SIZE_MAX || to - from > matcher->size - *position ||
        memcmp(matcher->text + from, matcher->text + *position, to - from) != 0)
        return false;
    *position += to - from;
    return true;
}

/* One instruction that consumes or tests; false: this path ends. */
static enum status
step(struct matcher *matcher, const struct instruction *instruction, uint32_t at, size_t *position,
     bool *holds)
{
    const char *next = matcher->text + *position, *end = matcher->text + matcher->size;
    bool insensitive = matcher->regex->insensitive;

    *holds = false;
    switch (instruction->op) {
    case OP_BEGIN:
        *holds = *position == 0;
        return STATUS_OK;
    case OP_END:
        *holds = *position == matcher->size;
        return STATUS_OK;
    case OP_WORD:
        *holds = word_holds(matcher, instruction->c, *position);
        return STATUS_OK;
    case OP_LOOK:
        return look(matcher, at, *position, holds);
    case OP_BACK:
        *holds = same_group(matcher, instruction->c, position);
        return STATUS_OK;
    default:
        break;
    }
    if (next == end)
        return STATUS_OK;
    uint32_t c = regex_take_utf8(&next, end);
    if (instruction->op == OP_CHAR)
        *holds = insensitive ? fold(c) == fold(instruction->c) : c == instruction->c;
    else
        *holds = instruction->op == OP_ANY || in_set(instruction->set, c, insensitive);
    *position = (size_t)(next - matcher->text);
    return STATUS_OK;
}

/* From one instruction until it can go no further. `wanted`: only a match that ends there counts (SIZE_MAX:
 * the longest, or the shortest; SIZE_MAX - 1: any). */
static enum status
run_path(struct matcher *matcher, uint32_t at, size_t position, size_t wanted, size_t *end_out,
         bool *done)
{
    const struct instruction *program = matcher->regex->program;

    while (is_new(matcher, at, position)) {
        const struct instruction *instruction = &program[at];
        bool holds = true;

        if (++matcher->steps > UINT64_C(50000000))
            return sql_error_set(matcher->error, "2201B", -1,
                                 "regular expression failed: it takes too many steps");
        if (instruction->op == OP_MATCH) {
            bool longer = *end_out == SIZE_MAX ||
                          (matcher->regex->shortest ? position < *end_out : position > *end_out);

            if (wanted == SIZE_MAX ? longer : wanted == position || wanted == SIZE_MAX - 1)
                *end_out = position;
            *done = wanted != SIZE_MAX && *end_out != SIZE_MAX;
            return STATUS_OK;
        }
        if (instruction->op == OP_SPLIT) {
            TRY(push(matcher, (struct pending){instruction->other, 0, position, false}));
            at = instruction->next;
        } else if (instruction->op == OP_JUMP) {
            at = instruction->next;
        } else if (instruction->op == OP_SAVE) {
            uint32_t slot = instruction->c;

            TRY(push(matcher, (struct pending){0, slot, matcher->slots[slot], true}));
            matcher->slots[slot] = position;
            at++;
        } else {
            TRY(step(matcher, instruction, at, &position, &holds));
            if (!holds)
                return STATUS_OK;
            at = instruction->op == OP_LOOK ? instruction->next : at + 1;
        }
    }
    return STATUS_OK;
}

static enum status
run(struct matcher *matcher, uint32_t at, size_t from, size_t wanted, size_t *end_out)
{
    bool done = false;

    *end_out = SIZE_MAX;
    TRY(push(matcher, (struct pending){at, 0, from, false}));
    while (!done && matcher->stack_count > 0) {
        struct pending pending = matcher->stack[--matcher->stack_count];

        if (pending.restores)
            matcher->slots[pending.slot] = pending.position;
        else
            TRY(run_path(matcher, pending.at, pending.position, wanted, end_out, &done));
    }
    return STATUS_OK;
}

/* The groups of the match [from, end). */
static enum status
find_groups(struct matcher *matcher, size_t from, size_t end, struct regex_match *out)
{
    size_t found = SIZE_MAX;

    memset(matcher->seen, 0, matcher->seen_size);
    matcher->stack_count = 0;
    memset(matcher->slots, 0xff, sizeof(matcher->slots));
    if (matcher->regex->group_count > 0)
        TRY(run(matcher, 0, from, end, &found));
    for (uint32_t i = 0; i < REGEX_GROUPS_MAX; i++) {
        out->from[i] = matcher->slots[2 * i];
        out->to[i] = matcher->slots[2 * i + 1];
    }
    out->from[0] = from;
    out->to[0] = end;
    return STATUS_OK;
}

enum status
regex_search(const struct regex *regex, const char *text, size_t size, size_t from,
             struct arena *arena, struct regex_match *out, struct sql_error *error)
{
    struct matcher matcher = {
        .regex = regex, .text = text, .size = size, .base = from, .arena = arena, .error = error};
    size_t end = SIZE_MAX;

    if ((size - from + 1) > PAIRS_MAX / regex->count)
        return sql_error_set(error, "54000", -1,
                             "a text is too long for a regular expression of this size");
    matcher.seen_size = (size - from + 1) * regex->count / 8 + 1;
    matcher.seen = arena_alloc(arena, matcher.seen_size);
    if (matcher.seen == NULL)
        return STATUS_NO_MEMORY;
    memset(matcher.seen, 0, matcher.seen_size);
    memset(matcher.slots, 0xff, sizeof(matcher.slots));
    /* What led nowhere from one begin leads nowhere from the next: the table is kept. */
    for (size_t begin = from; begin <= size; begin++) {
        if (begin > from && begin < size && ((unsigned char)text[begin] & 0xc0) == 0x80)
            continue;
        TRY(run(&matcher, 0, begin, SIZE_MAX, &end));
        if (end != SIZE_MAX)
            return find_groups(&matcher, begin, end, out);
    }
    return STATUS_NOT_FOUND;
}
