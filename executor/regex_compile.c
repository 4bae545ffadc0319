/*
 * The compiler of regular expressions (regex.h): recursive descent over branches, pieces and atoms to a
 * program of few instructions (regex_program.h). Bounds copy what they repeat.
 */
#include <ctype.h>
#include <string.h>

#include "executor/regex_program.h"

enum {
    PROGRAM_MAX = 4000,
    DEPTH_MAX = 200,
    REPEAT_MAX = 255,
};

void
regex_fail(struct compiler *compiler, const char *what)
{
    if (compiler->status == STATUS_OK)
        compiler->status =
            sql_error_set(compiler->error, "2201B", -1, "invalid regular expression: %s", what);
}

uint32_t
regex_emit(struct compiler *compiler, enum op op, uint32_t c)
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

uint32_t
regex_take_utf8(const char **at, const char *end)
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

bool
regex_take(struct compiler *compiler, char c)
{
    if (compiler->next == compiler->end || *compiler->next != c)
        return false;
    compiler->next++;
    return true;
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
            regex_fail(compiler, "invalid regexp: this form of (? is not supported yet");
        compiler->next += 2;
    }
    if (capture) {
        group = ++regex->group_count;
        if (group >= REGEX_GROUPS_MAX) {
            regex_fail(compiler, "more than 31 groups are not supported yet");
            return;
        }
        (void)regex_emit(compiler, OP_SAVE, 2 * group);
    } else if (ahead) {
        look = regex_emit(compiler, OP_LOOK, negated);
    }
    compile_branches(compiler);
    if (!regex_take(compiler, ')'))
        regex_fail(compiler, "parentheses () not balanced");
    if (capture)
        (void)regex_emit(compiler, OP_SAVE, 2 * group + 1);
    if (ahead) {
        (void)regex_emit(compiler, OP_MATCH, 0);
    }
    if (ahead && compiler->status == STATUS_OK) {
        regex->program[look].next = regex->count;
    }
}

static void
compile_escape(struct compiler *compiler)
{
    if (compiler->next == compiler->end) {
        regex_fail(compiler, "invalid escape \\ sequence");
        return;
    }
    char c = *compiler->next++;
    const char *class = regex_class_of(c);
    if (class != NULL) {
        regex_compile_class(compiler, c, class);
    } else if (c == 'm' || c == 'M') {
        (void)regex_emit(compiler, OP_WORD, c == 'm' ? '<' : '>');
    } else if (c == 'y' || c == 'Y') {
        (void)regex_emit(compiler, OP_WORD, (uint32_t)c);
    } else if (c == 'A' || c == 'Z') {
        (void)regex_emit(compiler, c == 'A' ? OP_BEGIN : OP_END, 0);
    } else if (c >= '1' && c <= '9') {
        uint32_t group = (uint32_t)(c - '0');

        if (group > compiler->regex->group_count)
            regex_fail(compiler, "invalid backreference number");
        compiler->regex->has_back = true;
        (void)regex_emit(compiler, OP_BACK, group);
    } else {
        uint32_t character = regex_escaped(compiler, c);

        (void)regex_emit(compiler, OP_CHAR, character);
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
            (void)regex_emit(compiler, OP_WORD, '<');
        } else if (compiler->end - compiler->next >= 6 &&
                   memcmp(compiler->next, "[:>:]]", 6) == 0) {
            compiler->next += 6;
            (void)regex_emit(compiler, OP_WORD, '>');
        } else {
            regex_compile_set(compiler);
        }
    } else if (c == '\\') {
        compiler->next++;
        compile_escape(compiler);
    } else if (c == '*' || c == '+' || c == '?') {
        regex_fail(compiler, "quantifier operand invalid");
    } else if (c == '.' || c == '^' || c == '$') {
        compiler->next++;
        (void)regex_emit(compiler, c == '.' ? OP_ANY : c == '^' ? OP_BEGIN : OP_END, 0);
    } else {
        uint32_t character = regex_take_utf8(&compiler->next, compiler->end);

        (void)regex_emit(compiler, OP_CHAR, character);
    }
}

/* A copy of the instructions [from, to) at the end; targets inside move along. */
static void
repeat_code(struct compiler *compiler, uint32_t from, uint32_t to)
{
    struct regex *regex = compiler->regex;
    uint32_t shift = regex->count - from;

    for (uint32_t i = from; i < to && compiler->status == STATUS_OK; i++) {
        uint32_t at = regex_emit(compiler, regex->program[i].op, regex->program[i].c);
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

    (void)regex_emit(compiler, OP_SPLIT, 0);
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
        uint32_t split = regex_emit(compiler, OP_SPLIT, 0);

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
            uint32_t jump = regex_emit(compiler, OP_JUMP, 0);

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
        regex_fail(compiler, "invalid repetition count(s)");
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
        if (regex_take(compiler, ','))
            most = compiler->next < compiler->end && *compiler->next == '}' ? UINT32_MAX
                                                                            : take_count(compiler);
        if (!regex_take(compiler, '}') || most < least)
            regex_fail(compiler, "invalid repetition count(s)");
    }
    bool lazy = regex_take(compiler, '?');
    if (!compiler->preference_known && least != most) {
        regex->shortest = lazy;
        compiler->preference_known = true;
    }
    if (compiler->status == STATUS_OK)
        compile_repeat(compiler, from, least, most, lazy);
    if (compiler->next < compiler->end && strchr("*+?", *compiler->next) != NULL)
        regex_fail(compiler, "quantifier operand invalid");
}

static void
compile_branches(struct compiler *compiler)
{
    struct regex *regex = compiler->regex;
    uint32_t jumps[256], jump_count = 0, from = regex->count;

    if (++compiler->depth > DEPTH_MAX)
        regex_fail(compiler, "it nests too deep");
    while (compiler->status == STATUS_OK) {
        while (compiler->status == STATUS_OK && compiler->next < compiler->end &&
               *compiler->next != '|' && *compiler->next != ')')
            compile_piece(compiler);
        if (compiler->status != STATUS_OK || !regex_take(compiler, '|'))
            break;
        if (jump_count == 256) {
            regex_fail(compiler, "too many branches");
            break;
        }
        insert_split(compiler, from);
        jumps[jump_count++] = regex_emit(compiler, OP_JUMP, 0);
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
            regex_fail(compiler, "invalid embedded option");
    }
    if (!regex_take(compiler, ')'))
        regex_fail(compiler, "invalid embedded option");
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
        regex_fail(&compiler, "parentheses () not balanced");
    (void)regex_emit(&compiler, OP_MATCH, 0);
    if (compiler.status == STATUS_OK)
        *out = regex;
    return compiler.status;
}

uint32_t
regex_group_count(const struct regex *regex)
{
    return regex->group_count;
}
