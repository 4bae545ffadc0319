/*
 * Regular expressions (regex.h): a recursive-descent compiler to a program of few instructions, and a
 * matcher that backtracks with a table of (instruction, position) already refused, so that each pair is
 * tried once; the table makes it linear. Every branch is tried and the longest end kept, because POSIX
 * wants the longest match: a pass without captures finds the end, a second one the groups for that end.
 */
#include "executor/regex.h"

#include <ctype.h>
#include <string.h>

#include "kernel/base/check.h"

enum {
    PROGRAM_MAX = 4000,
    DEPTH_MAX = 200,
    RANGES_MAX = 64,
    REPEAT_MAX = 255,
    PAIRS_MAX = 1 << 28, /* Bits of the table. */
};

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
    struct range ranges[RANGES_MAX];
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

/* Compiling. */

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

static void
fail(struct compiler *compiler, const char *what)
{
    if (compiler->status == STATUS_OK)
        compiler->status =
            sql_error_set(compiler->error, "2201B", -1, "invalid regular expression: %s", what);
}

static uint32_t
emit(struct compiler *compiler, enum op op, uint32_t c)
{
    struct regex *regex = compiler->regex;

    if (regex->count == PROGRAM_MAX) {
        if (compiler->status == STATUS_OK)
            compiler->status =
                sql_error_set(compiler->error, "2201B", -1,
                              "invalid regular expression: regular expression is too "
                              "complex");
        return 0;
    }
    if (regex->count == regex->capacity) {
        uint32_t capacity = regex->capacity == 0 ? 32 : 2 * regex->capacity;
        struct instruction *grown = arena_alloc(compiler->arena, capacity * sizeof(*grown));

        if (grown == NULL) {
            compiler->status = STATUS_NO_MEMORY;
            return 0;
        }
        if (regex->count > 0)
            memcpy(grown, regex->program, regex->count * sizeof(*grown));
        regex->program = grown;
        regex->capacity = capacity;
    }
    regex->program[regex->count] = (struct instruction){.op = op, .c = c};
    return regex->count++;
}

static void
emit_set(struct compiler *compiler, struct set *set)
{
    uint32_t at = emit(compiler, OP_SET, 0);

    if (compiler->status == STATUS_OK)
        compiler->regex->program[at].set = set;
}

static uint32_t
take_utf8(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    uint32_t c = bytes[0], size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (size > (size_t)(end - *at))
        size = 1;
    if (size > 1)
        c &= 0x7fu >> size;
    for (uint32_t i = 1; i < size; i++)
        c = c << 6 | (bytes[i] & 63);
    *at += size;
    return c;
}

static void
add_range(struct compiler *compiler, struct set *set, uint32_t low, uint32_t high)
{
    if (set->count == RANGES_MAX)
        fail(compiler, "too many ranges in a bracket expression");
    else
        set->ranges[set->count++] = (struct range){low, high};
}

/* \d \w \s and the classes of brackets, of ASCII and, for letters, everything above. */
static bool
add_class(struct compiler *compiler, struct set *set, const char *name, size_t size)
{
    static const struct {
        const char *name;
        const char *ranges; /* Pairs. */
        bool wide;
    } classes[] = {
        {"alpha", "azAZ", true},
        {"alnum", "azAZ09", true},
        {"digit", "09", false},
        {"space", "\t\r  ", false},
        {"upper", "AZ", false},
        {"lower", "az", false},
        {"punct", "!/:@[`{~", false},
        {"xdigit", "09afAF", false},
        {"word", "azAZ09__", true},
        {"blank", "  \t\t", false},
        {"cntrl", "\001\037\177\177", false},
        {"graph", "!~", true},
        {"print", " ~", true},
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strlen(classes[i].name) != size || memcmp(classes[i].name, name, size) != 0)
            continue;
        for (const char *range = classes[i].ranges; *range != '\0'; range += 2)
            add_range(compiler, set, (unsigned char)range[0], (unsigned char)range[1]);
        if (classes[i].wide)
            add_range(compiler, set, 0xaa, 0x10ffff);
        return true;
    }
    return false;
}

static const char *
class_of_escape(char c)
{
    switch (c) {
    case 'd':
    case 'D':
        return "digit";
    case 'w':
    case 'W':
        return "word";
    case 's':
    case 'S':
        return "space";
    default:
        return NULL;
    }
}

static uint32_t
take_hex(struct compiler *compiler, int most)
{
    uint32_t c = 0;
    int count = 0;

    while (count < most && compiler->next < compiler->end &&
           isxdigit((unsigned char)*compiler->next)) {
        char digit = *compiler->next++;

        c = c << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
        count++;
    }
    if (count == 0 || c > 0x10ffff)
        fail(compiler, "invalid escape \\ sequence");
    return c;
}

/* The character that the escape's letter stands for; the letter itself for others. */
static uint32_t
escaped(struct compiler *compiler, char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case 'a':
        return '\a';
    case 'e':
        return 27;
    case 'u':
        return take_hex(compiler, 4);
    case 'U':
        return take_hex(compiler, 8);
    case 'x':
        return take_hex(compiler, 8);
    default:
        if (isalnum((unsigned char)c))
            fail(compiler, "invalid escape \\ sequence");
        return (unsigned char)c;
    }
}

static bool
take(struct compiler *compiler, char c)
{
    if (compiler->next == compiler->end || *compiler->next != c)
        return false;
    compiler->next++;
    return true;
}

/* One end of a range; a class adds itself and gives UINT32_MAX. */
static uint32_t
take_member(struct compiler *compiler, struct set *set)
{
    const char *from = compiler->next;

    if (compiler->end - from >= 2 && from[0] == '[' &&
        (from[1] == ':' || from[1] == '.' || from[1] == '=')) {
        const char *close = from + 2;

        while (close + 1 < compiler->end && !(close[0] == from[1] && close[1] == ']'))
            close++;
        if (from[1] != ':' || close + 1 >= compiler->end ||
            !add_class(compiler, set, from + 2, (size_t)(close - from - 2)))
            fail(compiler, "invalid character class");
        compiler->next = close + 1 < compiler->end ? close + 2 : compiler->end;
        return UINT32_MAX;
    }
    if (take(compiler, '\\')) {
        if (compiler->next == compiler->end) {
            fail(compiler, "invalid escape \\ sequence");
            return UINT32_MAX;
        }
        char c = *compiler->next++;
        const char *class = class_of_escape(c);
        if (class == NULL)
            return escaped(compiler, c);
        if (isupper((unsigned char)c))
            fail(compiler, "invalid escape \\ sequence");
        else
            (void)add_class(compiler, set, class, strlen(class));
        return UINT32_MAX;
    }
    return take_utf8(&compiler->next, compiler->end);
}

static void
compile_set(struct compiler *compiler)
{
    struct set *set = arena_alloc(compiler->arena, sizeof(*set));
    bool first = true;

    if (set == NULL) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    set->count = 0;
    set->negated = take(compiler, '^');
    while (compiler->status == STATUS_OK && (first || !take(compiler, ']'))) {
        if (compiler->next == compiler->end) {
            fail(compiler, "brackets [] not balanced");
            return;
        }
        first = false;
        uint32_t low = take_member(compiler, set), high = low;
        if (compiler->end - compiler->next >= 2 && compiler->next[0] == '-' &&
            compiler->next[1] != ']' && low != UINT32_MAX) {
            compiler->next++;
            high = take_member(compiler, set);
        }
        if (low == UINT32_MAX)
            continue;
        if (high == UINT32_MAX || high < low)
            fail(compiler, "invalid character range");
        else
            add_range(compiler, set, low, high);
    }
    emit_set(compiler, set);
}

static void compile_branches(struct compiler *compiler);

static void
compile_group(struct compiler *compiler)
{
    struct regex *regex = compiler->regex;
    uint32_t group = 0, look = 0;
    bool capture = true, ahead = false, negated = false;

    if (compiler->end - compiler->next >= 2 && compiler->next[0] == '?') {
        char c = compiler->next[1];

        capture = false;
        ahead = c == '=' || c == '!';
        negated = c == '!';
        if (c != ':' && !ahead)
            fail(compiler, "invalid regexp: this form of (? is not supported yet");
        compiler->next += 2;
    }
    if (capture) {
        group = ++regex->group_count;
        if (group >= REGEX_GROUPS_MAX) {
            fail(compiler, "more than 31 groups are not supported yet");
            return;
        }
        (void)emit(compiler, OP_SAVE, 2 * group);
    } else if (ahead) {
        look = emit(compiler, OP_LOOK, negated);
    }
    compile_branches(compiler);
    if (!take(compiler, ')'))
        fail(compiler, "parentheses () not balanced");
    if (capture)
        (void)emit(compiler, OP_SAVE, 2 * group + 1);
    if (ahead) {
        (void)emit(compiler, OP_MATCH, 0);
    }
    if (ahead && compiler->status == STATUS_OK) {
        regex->program[look].next = regex->count;
    }
}

static void
compile_class_escape(struct compiler *compiler, char c, const char *class)
{
    struct set *set = arena_alloc(compiler->arena, sizeof(*set));

    if (set == NULL) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    set->count = 0;
    set->negated = isupper((unsigned char)c) != 0;
    (void)add_class(compiler, set, class, strlen(class));
    emit_set(compiler, set);
}

static void
compile_escape(struct compiler *compiler)
{
    if (compiler->next == compiler->end) {
        fail(compiler, "invalid escape \\ sequence");
        return;
    }
    char c = *compiler->next++;
    const char *class = class_of_escape(c);
    if (class != NULL) {
        compile_class_escape(compiler, c, class);
    } else if (c == 'm' || c == 'M') {
        (void)emit(compiler, OP_WORD, c == 'm' ? '<' : '>');
    } else if (c == 'y' || c == 'Y') {
        (void)emit(compiler, OP_WORD, (uint32_t)c);
    } else if (c == 'A' || c == 'Z') {
        (void)emit(compiler, c == 'A' ? OP_BEGIN : OP_END, 0);
    } else if (c >= '1' && c <= '9') {
        uint32_t group = (uint32_t)(c - '0');

        if (group > compiler->regex->group_count)
            fail(compiler, "invalid backreference number");
        compiler->regex->has_back = true;
        (void)emit(compiler, OP_BACK, group);
    } else {
        uint32_t character = escaped(compiler, c);

        (void)emit(compiler, OP_CHAR, character);
    }
}

static void
compile_atom(struct compiler *compiler)
{
    char c = *compiler->next;

    if (c == '(') {
        compiler->next++;
        compile_group(compiler);
    } else if (c == '[') {
        compiler->next++;
        if (compiler->end - compiler->next >= 6 && memcmp(compiler->next, "[:<:]]", 6) == 0) {
            compiler->next += 6;
            (void)emit(compiler, OP_WORD, '<');
        } else if (compiler->end - compiler->next >= 6 &&
                   memcmp(compiler->next, "[:>:]]", 6) == 0) {
            compiler->next += 6;
            (void)emit(compiler, OP_WORD, '>');
        } else {
            compile_set(compiler);
        }
    } else if (c == '\\') {
        compiler->next++;
        compile_escape(compiler);
    } else if (c == '*' || c == '+' || c == '?') {
        fail(compiler, "quantifier operand invalid");
    } else if (c == '.' || c == '^' || c == '$') {
        compiler->next++;
        (void)emit(compiler, c == '.' ? OP_ANY : c == '^' ? OP_BEGIN : OP_END, 0);
    } else {
        uint32_t character = take_utf8(&compiler->next, compiler->end);

        (void)emit(compiler, OP_CHAR, character);
    }
}

/* A copy of the instructions [from, to) at the end; targets inside move along. */
static void
repeat_code(struct compiler *compiler, uint32_t from, uint32_t to)
{
    struct regex *regex = compiler->regex;
    uint32_t shift = regex->count - from;

    for (uint32_t i = from; i < to && compiler->status == STATUS_OK; i++) {
        uint32_t at = emit(compiler, regex->program[i].op, regex->program[i].c);
        if (compiler->status != STATUS_OK)
            return;
        struct instruction *copy = &regex->program[at];

        *copy = regex->program[i];
        if (copy->op == OP_SPLIT || copy->op == OP_JUMP || copy->op == OP_LOOK)
            copy->next += shift;
        if (copy->op == OP_SPLIT)
            copy->other += shift;
    }
}

/* Room for one instruction before `at`. */
static void
insert_split(struct compiler *compiler, uint32_t at)
{
    struct regex *regex = compiler->regex;

    (void)emit(compiler, OP_SPLIT, 0);
    if (compiler->status != STATUS_OK)
        return;
    memmove(&regex->program[at + 1], &regex->program[at],
            (regex->count - 1 - at) * sizeof(*regex->program));
    for (uint32_t i = at + 1; i < regex->count; i++) {
        struct instruction *moved = &regex->program[i];

        if (moved->op == OP_SPLIT || moved->op == OP_JUMP || moved->op == OP_LOOK)
            moved->next++;
        if (moved->op == OP_SPLIT)
            moved->other++;
    }
    regex->program[at] = (struct instruction){.op = OP_SPLIT};
}

static void
set_split(struct instruction *split, uint32_t first, uint32_t second, bool lazy)
{
    split->next = lazy ? second : first;
    split->other = lazy ? first : second;
}

/* The atom at [from, count) between `least` and `most` (UINT32_MAX: any number of) times. */
static void
compile_repeat(struct compiler *compiler, uint32_t from, uint32_t least, uint32_t most, bool lazy)
{
    struct regex *regex = compiler->regex;
    uint32_t size = regex->count - from;

    if (most == 0) {
        regex->count = from;
        return;
    }
    for (uint32_t i = 1; i < least; i++)
        repeat_code(compiler, from, from + size);
    if (most == UINT32_MAX && least > 0) { /* Once more, or on. */
        uint32_t split = emit(compiler, OP_SPLIT, 0);

        if (compiler->status == STATUS_OK)
            set_split(&regex->program[split], split - size, split + 1, lazy);
        return;
    }
    if (least > 0 && most > least) /* The optional ones stand behind. */
        repeat_code(compiler, from, from + size);
    uint32_t optional = least > 0 ? regex->count - size : from;
    for (uint32_t i = least; i < most && compiler->status == STATUS_OK; i++) {
        bool last = most == UINT32_MAX || i + 1 == most;

        insert_split(compiler, optional);
        if (compiler->status != STATUS_OK)
            return;
        if (most == UINT32_MAX) {
            uint32_t jump = emit(compiler, OP_JUMP, 0);

            if (compiler->status != STATUS_OK)
                return;
            regex->program[jump].next = optional;
        }
        set_split(&regex->program[optional], optional + 1, regex->count, lazy);
        if (last)
            return;
        uint32_t body = optional + 1;
        optional = regex->count;
        repeat_code(compiler, body, body + size);
    }
}

static uint32_t
take_count(struct compiler *compiler)
{
    uint32_t count = 0;
    bool any = false;

    while (compiler->next < compiler->end && isdigit((unsigned char)*compiler->next)) {
        count = count * 10 + (uint32_t)(*compiler->next++ - '0');
        any = true;
        if (count > REPEAT_MAX)
            break;
    }
    if (!any || count > REPEAT_MAX)
        fail(compiler, "invalid repetition count(s)");
    return count;
}

static void
compile_piece(struct compiler *compiler)
{
    struct regex *regex = compiler->regex;
    uint32_t from = regex->count, least = 1, most = 1;

    compile_atom(compiler);
    if (compiler->status != STATUS_OK || compiler->next == compiler->end)
        return;
    char c = *compiler->next;
    if (c != '*' && c != '+' && c != '?' &&
        !(c == '{' && compiler->end - compiler->next > 1 &&
          isdigit((unsigned char)compiler->next[1])))
        return;
    compiler->next++;
    least = c == '+' ? 1 : 0;
    most = c == '?' ? 1 : UINT32_MAX;
    if (c == '{') {
        least = most = take_count(compiler);
        if (take(compiler, ','))
            most = compiler->next < compiler->end && *compiler->next == '}' ? UINT32_MAX
                                                                            : take_count(compiler);
        if (!take(compiler, '}') || most < least)
            fail(compiler, "invalid repetition count(s)");
    }
    bool lazy = take(compiler, '?');
    if (!compiler->preference_known && least != most) {
        regex->shortest = lazy;
        compiler->preference_known = true;
    }
    if (compiler->status == STATUS_OK)
        compile_repeat(compiler, from, least, most, lazy);
    if (compiler->next < compiler->end && strchr("*+?", *compiler->next) != NULL)
        fail(compiler, "quantifier operand invalid");
}

static void
compile_branches(struct compiler *compiler)
{
    struct regex *regex = compiler->regex;
    uint32_t jumps[256], jump_count = 0, from = regex->count;

    if (++compiler->depth > DEPTH_MAX)
        fail(compiler, "it nests too deep");
    while (compiler->status == STATUS_OK) {
        while (compiler->status == STATUS_OK && compiler->next < compiler->end &&
               *compiler->next != '|' && *compiler->next != ')')
            compile_piece(compiler);
        if (compiler->status != STATUS_OK || !take(compiler, '|'))
            break;
        if (jump_count == 256) {
            fail(compiler, "too many branches");
            break;
        }
        insert_split(compiler, from);
        jumps[jump_count++] = emit(compiler, OP_JUMP, 0);
        if (compiler->status != STATUS_OK)
            break;
        set_split(&regex->program[from], from + 1, regex->count, false);
        from = regex->count;
    }
    for (uint32_t i = 0; i < jump_count && compiler->status == STATUS_OK; i++)
        regex->program[jumps[i]].next = regex->count;
    compiler->depth--;
}

/* (?i) and its kin in front. */
static void
take_options(struct compiler *compiler)
{
    if (compiler->end - compiler->next < 3 || compiler->next[0] != '(' ||
        compiler->next[1] != '?' || !isalpha((unsigned char)compiler->next[2]))
        return;
    for (compiler->next += 2; compiler->next < compiler->end && *compiler->next != ')';
         compiler->next++) {
        if (*compiler->next == 'i')
            compiler->regex->insensitive = true;
        else if (*compiler->next == 'c')
            compiler->regex->insensitive = false;
        else if (*compiler->next != 's' && *compiler->next != 't')
            fail(compiler, "invalid embedded option");
    }
    if (!take(compiler, ')'))
        fail(compiler, "invalid embedded option");
}

enum status
regex_compile(const char *pattern, size_t size, bool insensitive, struct arena *arena,
              struct regex **out, struct sql_error *error)
{
    struct compiler compiler = {
        .next = pattern, .end = pattern + size, .arena = arena, .error = error};
    struct regex *regex = arena_alloc(arena, sizeof(*regex));

    if (regex == NULL)
        return STATUS_NO_MEMORY;
    *regex = (struct regex){.insensitive = insensitive};
    compiler.regex = regex;
    take_options(&compiler);
    if (compiler.status == STATUS_OK)
        compile_branches(&compiler);
    if (compiler.status == STATUS_OK && compiler.next < compiler.end)
        fail(&compiler, "parentheses () not balanced");
    (void)emit(&compiler, OP_MATCH, 0);
    if (compiler.status == STATUS_OK)
        *out = regex;
    return compiler.status;
}

uint32_t
regex_group_count(const struct regex *regex)
{
    return regex->group_count;
}

/* Matching. */

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
    uint32_t c = take_utf8(&next, end);
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
