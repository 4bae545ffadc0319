/*
 * Characters of regular expressions: bracket expressions with ranges and classes, escapes (regex_program.h).
 */
#include <ctype.h>
#include <string.h>

#include "executor/regex_program.h"

static void
emit_set(struct compiler *compiler, struct set *set)
{
    uint32_t at = regex_emit(compiler, OP_SET, 0);

    if (compiler->status == STATUS_OK)
        compiler->regex->program[at].set = set;
}

static void
add_range(struct compiler *compiler, struct set *set, uint32_t low, uint32_t high)
{
    if (set->count == REGEX_RANGES_MAX)
        regex_fail(compiler, "too many ranges in a bracket expression");
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

const char *
regex_class_of(char c)
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
        regex_fail(compiler, "invalid escape \\ sequence");
    return c;
}

uint32_t
regex_escaped(struct compiler *compiler, char c)
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
            regex_fail(compiler, "invalid escape \\ sequence");
        return (unsigned char)c;
    }
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
            regex_fail(compiler, "invalid character class");
        compiler->next = close + 1 < compiler->end ? close + 2 : compiler->end;
        return UINT32_MAX;
    }
    if (regex_take(compiler, '\\')) {
        if (compiler->next == compiler->end) {
            regex_fail(compiler, "invalid escape \\ sequence");
            return UINT32_MAX;
        }
        char c = *compiler->next++;
        const char *class = regex_class_of(c);
        if (class == NULL)
            return regex_escaped(compiler, c);
        if (isupper((unsigned char)c))
            regex_fail(compiler, "invalid escape \\ sequence");
        else
            (void)add_class(compiler, set, class, strlen(class));
        return UINT32_MAX;
    }
    return regex_take_utf8(&compiler->next, compiler->end);
}

void
regex_compile_set(struct compiler *compiler)
{
    struct set *set = arena_alloc(compiler->arena, sizeof(*set));
    bool first = true;

    if (set == NULL) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    set->count = 0;
    set->negated = regex_take(compiler, '^');
    while (compiler->status == STATUS_OK && (first || !regex_take(compiler, ']'))) {
        if (compiler->next == compiler->end) {
            regex_fail(compiler, "brackets [] not balanced");
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
            regex_fail(compiler, "invalid character range");
        else
            add_range(compiler, set, low, high);
    }
    emit_set(compiler, set);
}

void
regex_compile_class(struct compiler *compiler, char c, const char *class)
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
