/*
 * Exact decimal arithmetic on base-10,000 digits, schoolbook methods.
 *
 * Work goes through `struct numeric`: digits in an array of the arena, weight of the first digit,
 * sign, display scale. `numeric__pack` strips zero digits at both ends and encodes; `numeric__unpack` takes validated
 * bytes. Values from disk are validated by numeric_is_valid before anything else sees them.
 */
#include "executor/numeric_private.h"

#include <math.h>
#include <stdlib.h>

#include "kernel/base/check.h"

enum { BASE = NUMERIC__BASE, BASE_DIGITS = NUMERIC__BASE_DIGITS };

static uint16_t
digit_at(const uint8_t *bytes, int32_t index)
{
    le16 digit;

    memcpy(digit.byte, bytes + sizeof(struct numeric_header) + 2 * (size_t)index, 2);
    return le16_get(digit);
}

static struct numeric
head_of(const uint8_t *bytes, uint32_t size)
{
    struct numeric_header header;

    CHECK(size >= sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    return (struct numeric){
        .digit_count = le16_get(header.digit_count),
        .weight = (int16_t)le16_get(header.weight),
        .sign = le16_get(header.sign),
        .scale = le16_get(header.scale),
    };
}

/* One to four digits at once, the first in the low 16 bits: each below the base, the outer ones not zero. */
static bool
few_are_valid(const uint8_t *bytes, uint32_t size, uint32_t count)
{
    const uint64_t each = 0x0001000100010001u;
    uint64_t word;

    /* The header lies in front, so eight bytes do. */
    memcpy(&word, bytes + size - sizeof(word), sizeof(word));
    word >>= 16 * (4 - count);
    return ((word | (word + each * (0x8000 - BASE))) & each * 0x8000) == 0 &&
           (word & 0xffff) != 0 && word >> 16 * (count - 1) != 0;
}

bool
numeric_is_valid(const uint8_t *bytes, uint32_t size)
{
    if (size < sizeof(struct numeric_header))
        return false;
    struct numeric number = head_of(bytes, size);
    if (size != sizeof(struct numeric_header) + 2 * (size_t)number.digit_count ||
        number.digit_count > NUMERIC_DIGITS_MAX || number.scale > NUMERIC_SCALE_MAX)
        return false;
    if (number.sign == NUMERIC_NAN)
        return number.digit_count == 0;
    if (number.sign != NUMERIC_POSITIVE && number.sign != NUMERIC_NEGATIVE)
        return false;
    if (number.digit_count > 0 && number.digit_count <= 4)
        return few_are_valid(bytes, size, (uint32_t)number.digit_count);
    for (int32_t i = 0; i < number.digit_count; i++) {
        if (digit_at(bytes, i) >= BASE)
            return false;
    }
    return number.digit_count == 0 ||
           (digit_at(bytes, 0) != 0 && digit_at(bytes, number.digit_count - 1) != 0);
}

enum status
numeric__unpack(const uint8_t *bytes, uint32_t size, struct arena *arena, struct numeric *out)
{
    struct numeric number = head_of(bytes, size);

    number.digits = arena_alloc(arena, (size_t)number.digit_count * sizeof(uint16_t));
    if (number.digits == NULL)
        return STATUS_NO_MEMORY;
    for (int32_t i = 0; i < number.digit_count; i++)
        number.digits[i] = digit_at(bytes, i);
    *out = number;
    return STATUS_OK;
}

enum status
numeric__pack(const struct numeric *number, struct arena *arena, const uint8_t **out,
              uint32_t *size_out)
{
    int32_t first = 0, end = number->digit_count;

    while (end > first && number->digits[end - 1] == 0)
        end--;
    while (first < end && number->digits[first] == 0)
        first++;
    int32_t count = end - first;
    int32_t weight = count == 0 ? 0 : number->weight - first;
    if (count > NUMERIC_DIGITS_MAX || weight > INT16_MAX || weight < INT16_MIN)
        return STATUS_FULL;
    uint32_t size = (uint32_t)sizeof(struct numeric_header) + 2 * (uint32_t)count;
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct numeric_header header = {
        .digit_count = le16_of((uint16_t)count),
        .weight = le16_of((uint16_t)(int16_t)weight),
        .sign =
            le16_of(count == 0 && number->sign != NUMERIC_NAN ? NUMERIC_POSITIVE : number->sign),
        .scale = le16_of(number->scale),
    };
    memcpy(bytes, &header, sizeof(header));
    for (int32_t i = 0; i < count; i++) {
        le16 digit = le16_of(number->digits[first + i]);

        memcpy(bytes + sizeof(header) + 2 * (size_t)i, digit.byte, 2);
    }
    *out = bytes;
    *size_out = size;
    return STATUS_OK;
}

/* Parsing. */

struct decimal_text {
    const char *digits; /* Integer part, fraction part, each without the point. */
    int32_t integer_count;
    const char *fraction;
    int32_t fraction_count;
    int32_t exponent;
    bool negative;
};

static const char *
skip_digits(const char *next, const char *end)
{
    while (next < end && *next >= '0' && *next <= '9')
        next++;
    return next;
}

static bool
split_exponent(const char *next, const char *end, int32_t *exponent_out)
{
    bool negative = false;
    int32_t value = 0;

    if (next < end && (*next == '+' || *next == '-'))
        negative = *next++ == '-';
    if (next == end)
        return false;
    for (; next < end; next++) {
        if (*next < '0' || *next > '9')
            return false;
        if (value < 1000000)
            value = value * 10 + (*next - '0');
    }
    *exponent_out = negative ? -value : value;
    return true;
}

static bool
split_text(const char *next, const char *end, struct decimal_text *out)
{
    *out = (struct decimal_text){.exponent = 0};
    if (next < end && (*next == '+' || *next == '-'))
        out->negative = *next++ == '-';
    out->digits = next;
    next = skip_digits(next, end);
    out->integer_count = (int32_t)(next - out->digits);
    out->fraction = next;
    if (next < end && *next == '.') {
        out->fraction = ++next;
        next = skip_digits(next, end);
        out->fraction_count = (int32_t)(next - out->fraction);
    }
    if (out->integer_count + out->fraction_count == 0)
        return false;
    if (next < end && (*next == 'e' || *next == 'E'))
        return split_exponent(next + 1, end, &out->exponent);
    return next == end;
}

static uint16_t
decimal_digit(const struct decimal_text *text, int32_t index)
{
    if (index < 0 || index >= text->integer_count + text->fraction_count)
        return 0;
    return (uint16_t)((index < text->integer_count ? text->digits[index]
                                                   : text->fraction[index - text->integer_count]) -
                      '0');
}

enum status
numeric_parse(const char *text, size_t size, struct arena *arena, const uint8_t **out,
              uint32_t *size_out)
{
    struct decimal_text parts;
    struct numeric number = {.sign = NUMERIC_POSITIVE};

    while (size > 0 && *text == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (size == 3 && (text[0] | 32) == 'n' && (text[1] | 32) == 'a' && (text[2] | 32) == 'n') {
        number.sign = NUMERIC_NAN;
        return numeric__pack(&number, arena, out, size_out);
    }
    if (size > 4 * NUMERIC_DIGITS_MAX || !split_text(text, text + size, &parts))
        return STATUS_INVALID;
    /* The point stands after `point` decimal digits; base digits are aligned to it. */
    int32_t point = parts.integer_count + parts.exponent;
    int32_t scale = parts.fraction_count - parts.exponent;
    if (abs(point) > 4 * INT16_MAX || scale > NUMERIC_SCALE_MAX)
        return STATUS_FULL;
    int32_t total = parts.integer_count + parts.fraction_count;
    int32_t before = point > 0 ? (point + BASE_DIGITS - 1) / BASE_DIGITS : -(-point / BASE_DIGITS);
    int32_t start = point - before * BASE_DIGITS; /* Decimal index of the first base digit. */
    number.digit_count = (total - start + BASE_DIGITS - 1) / BASE_DIGITS;
    number.weight = before - 1;
    number.sign = parts.negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
    number.scale = (uint16_t)(scale > 0 ? scale : 0);
    number.digits = arena_alloc(arena, (size_t)number.digit_count * sizeof(uint16_t));
    if (number.digits == NULL)
        return STATUS_NO_MEMORY;
    for (int32_t i = 0; i < number.digit_count; i++) {
        for (int32_t k = 0; k < BASE_DIGITS; k++)
            number.digits[i] = (uint16_t)(number.digits[i] * 10 +
                                          decimal_digit(&parts, start + i * BASE_DIGITS + k));
    }
    return numeric__pack(&number, arena, out, size_out);
}

/* Printing. */

/* Base digit of weight `weight`; 0 outside. */
static uint16_t
digit_of_weight(const struct numeric *number, int32_t weight)
{
    int32_t index = number->weight - weight;

    return index >= 0 && index < number->digit_count ? number->digits[index] : 0;
}

static char *
print_base_digit(char *next, uint16_t digit)
{
    next[0] = (char)('0' + digit / 1000);
    next[1] = (char)('0' + digit / 100 % 10);
    next[2] = (char)('0' + digit / 10 % 10);
    next[3] = (char)('0' + digit % 10);
    return next + BASE_DIGITS;
}

static size_t
print_into(const struct numeric *number, char *out)
{
    char *next = out;

    if (number->sign == NUMERIC_NEGATIVE)
        *next++ = '-';
    char *integer = next;
    for (int32_t weight = number->weight; weight >= 0 && number->digit_count > 0; weight--)
        next = print_base_digit(next, digit_of_weight(number, weight));
    char *first = integer;
    while (first < next && *first == '0')
        first++;
    if (first == next) {
        *integer = '0';
        next = integer + 1;
    } else {
        memmove(integer, first, (size_t)(next - first));
        next -= first - integer;
    }
    if (number->scale > 0) {
        *next++ = '.';
        char *fraction = next;
        for (int32_t weight = -1; next - fraction < number->scale; weight--)
            next = print_base_digit(next, digit_of_weight(number, weight));
        next = fraction + number->scale;
    }
    *next = '\0';
    return (size_t)(next - out);
}

char *
numeric_print(const uint8_t *bytes, uint32_t size, struct arena *arena, size_t *size_out)
{
    struct numeric number;

    if (numeric__unpack(bytes, size, arena, &number) != STATUS_OK)
        return NULL;
    size_t integer_count = number.weight >= 0 ? (size_t)(number.weight + 1) * BASE_DIGITS : 1;
    char *text = arena_alloc(arena, integer_count + number.scale + 2 * BASE_DIGITS + 4);
    if (text == NULL)
        return NULL;
    if (number.sign == NUMERIC_NAN) {
        memcpy(text, "NaN", 4);
        *size_out = 3;
        return text;
    }
    *size_out = print_into(&number, text);
    return text;
}

/* Comparing. */

static int
compare_magnitude(const struct numeric *left, const uint8_t *left_bytes,
                  const struct numeric *right, const uint8_t *right_bytes)
{
    if (left->digit_count == 0 || right->digit_count == 0)
        return (left->digit_count > 0) - (right->digit_count > 0);
    if (left->weight != right->weight)
        return left->weight < right->weight ? -1 : 1;
    for (int32_t i = 0; i < left->digit_count || i < right->digit_count; i++) {
        uint16_t a = i < left->digit_count ? digit_at(left_bytes, i) : 0;
        uint16_t b = i < right->digit_count ? digit_at(right_bytes, i) : 0;

        if (a != b)
            return a < b ? -1 : 1;
    }
    return 0;
}

int
numeric_compare(const uint8_t *left, uint32_t left_size, const uint8_t *right, uint32_t right_size)
{
    struct numeric a = head_of(left, left_size);
    struct numeric b = head_of(right, right_size);

    if (a.sign == NUMERIC_NAN || b.sign == NUMERIC_NAN)
        return (a.sign == NUMERIC_NAN) - (b.sign == NUMERIC_NAN);
    if (a.sign != b.sign)
        return a.sign == NUMERIC_NEGATIVE ? -1 : 1;
    int order = compare_magnitude(&a, left, &b, right);
    return a.sign == NUMERIC_NEGATIVE ? -order : order;
}

/* Conversion. */

double
numeric_to_real(const uint8_t *bytes, uint32_t size, struct arena *arena)
{
    size_t text_size = 0;
    char *text = numeric_print(bytes, size, arena, &text_size);

    return text == NULL ? NAN : strtod(text, NULL);
}

bool
numeric_to_integer(const uint8_t *bytes, uint32_t size, int64_t *out)
{
    struct numeric number = head_of(bytes, size);
    __int128 value = 0;

    if (number.sign == NUMERIC_NAN || number.weight > 4)
        return false;
    for (int32_t i = 0; i < number.digit_count && i <= number.weight; i++)
        value = value * BASE + digit_at(bytes, i);
    for (int32_t i = number.digit_count; i <= number.weight; i++)
        value *= BASE;
    int32_t half = number.weight + 1; /* Index of the first digit after the point. */
    if (half >= 0 && half < number.digit_count && digit_at(bytes, half) >= BASE / 2)
        value++;
    value = number.sign == NUMERIC_NEGATIVE ? -value : value;
    if (value > INT64_MAX || value < INT64_MIN)
        return false;
    *out = (int64_t)value;
    return true;
}

enum status
numeric_from_wide(__int128 integer, struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    enum { WIDE_DIGITS = 10 };
    uint16_t digits[WIDE_DIGITS];
    unsigned __int128 left =
        integer < 0 ? 0 - (unsigned __int128)integer : (unsigned __int128)integer;
    struct numeric number = {.digit_count = WIDE_DIGITS,
                             .weight = WIDE_DIGITS - 1,
                             .sign = integer < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE,
                             .digits = digits};

    for (int i = WIDE_DIGITS - 1; i >= 0; i--) {
        digits[i] = (uint16_t)(left % BASE);
        left /= BASE;
    }
    return numeric__pack(&number, arena, out, size_out);
}

enum status
numeric_from_integer(int64_t integer, struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    return numeric_from_wide(integer, arena, out, size_out);
}

/* Rounding. */

void
numeric__round_digits(struct numeric *number, int32_t scale)
{
    static const uint16_t powers[] = {1000, 100, 10, 1};
    int32_t last =
        number->weight + (scale + BASE_DIGITS) / BASE_DIGITS; /* Index of the digit cut. */
    uint16_t unit = powers[(scale + BASE_DIGITS - 1) % BASE_DIGITS];
    uint32_t carry = 0;

    if (scale % BASE_DIGITS == 0) {
        last = number->weight + 1 + scale / BASE_DIGITS - 1;
        carry =
            last + 1 < number->digit_count && last + 1 >= 0 && number->digits[last + 1] >= BASE / 2;
    } else if (last >= 0 && last < number->digit_count) {
        uint16_t rest = number->digits[last] % unit;

        carry = rest * 2 >= unit ? unit : 0;
        number->digits[last] = (uint16_t)(number->digits[last] - rest);
    }
    if (last + 1 < number->digit_count)
        number->digit_count = last + 1 > 0 ? last + 1 : 0;
    if (last < 0 && carry > 0) {
        CHECK(last == -1);
        number->digits[-1] = 1;
        number->digits--;
        number->digit_count = 1;
        number->weight++;
        return;
    }
    for (int32_t i = last; carry > 0 && i >= 0; i--) {
        uint32_t sum = number->digits[i] + carry;

        number->digits[i] = (uint16_t)(sum % BASE);
        carry = sum / BASE;
    }
    if (carry > 0) {
        number->digits[-1] = (uint16_t)carry;
        number->digits--;
        number->digit_count++;
        number->weight++;
    }
}

static int32_t
integer_digit_count(const struct numeric *number)
{
    int32_t count = 0;

    for (int32_t i = 0; i < number->digit_count; i++) {
        if (number->digits[i] == 0)
            continue;
        if (number->weight - i < 0)
            return 0;
        for (uint32_t digit = number->digits[i]; digit > 0; digit /= 10)
            count++;
        return count + (number->weight - i) * BASE_DIGITS;
    }
    return 0;
}

enum status
numeric_round(const uint8_t *bytes, uint32_t size, int32_t precision, int32_t scale,
              struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    struct numeric number = head_of(bytes, size);
    uint16_t *digits = arena_alloc(arena, (size_t)(number.digit_count + 1) * sizeof(*digits));

    CHECK(scale >= 0 && scale <= NUMERIC_SCALE_MAX);
    if (digits == NULL)
        return STATUS_NO_MEMORY;
    number.digits = digits + 1;
    for (int32_t i = 0; i < number.digit_count; i++)
        number.digits[i] = digit_at(bytes, i);
    if (number.sign != NUMERIC_NAN) {
        if (number.digit_count > 0 && scale < number.scale)
            numeric__round_digits(&number, scale);
        number.scale = (uint16_t)scale;
        if (precision > 0 && integer_digit_count(&number) > precision - scale)
            return STATUS_FULL;
    }
    return numeric__pack(&number, arena, out, size_out);
}

/* Arithmetic. */

static enum status
new_number(struct numeric *number, int32_t weight, int32_t digit_count, struct arena *arena)
{
    *number = (struct numeric){.digit_count = digit_count, .weight = weight};
    if (digit_count > 2 * NUMERIC_DIGITS_MAX)
        return STATUS_FULL;
    number->digits = arena_alloc(arena, (size_t)digit_count * sizeof(uint16_t));
    return number->digits == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

/* |left| +/- |right| for |left| >= |right|; digits aligned by weight. */
static enum status
combine(const struct numeric *left, const struct numeric *right, bool subtract, struct arena *arena,
        struct numeric *out)
{
    int32_t top = (left->weight > right->weight ? left->weight : right->weight) + 1;
    int32_t left_last = left->weight - left->digit_count + 1;
    int32_t right_last = right->weight - right->digit_count + 1;
    int32_t bottom = left_last < right_last ? left_last : right_last;
    int32_t carry = 0;

    TRY(new_number(out, top, top - bottom + 1, arena));
    for (int32_t weight = bottom; weight <= top; weight++) {
        int32_t other = digit_of_weight(right, weight);
        int32_t sum = digit_of_weight(left, weight) + (subtract ? -other : other) + carry;

        carry = sum < 0 ? -1 : sum / BASE;
        out->digits[top - weight] = (uint16_t)(sum < 0 ? sum + BASE : sum % BASE);
    }
    CHECK(carry == 0);
    return STATUS_OK;
}

static enum status
multiply(const struct numeric *left, const struct numeric *right, struct arena *arena,
         struct numeric *out)
{
    TRY(new_number(out, left->weight + right->weight + 1, left->digit_count + right->digit_count,
                   arena));
    for (int32_t i = left->digit_count - 1; i >= 0; i--) {
        uint32_t carry = 0;

        for (int32_t j = right->digit_count - 1; j >= 0; j--) {
            uint32_t sum =
                (uint32_t)left->digits[i] * right->digits[j] + out->digits[i + j + 1] + carry;

            out->digits[i + j + 1] = (uint16_t)(sum % BASE);
            carry = sum / BASE;
        }
        out->digits[i] = (uint16_t)(out->digits[i] + carry);
    }
    out->sign = left->sign == right->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE;
    return STATUS_OK;
}

static enum status
add(const struct numeric *left, const struct numeric *right, int order, struct arena *arena,
    struct numeric *out)
{
    bool subtract = left->sign != right->sign;
    const struct numeric *larger = order >= 0 ? left : right;

    TRY(combine(larger, larger == left ? right : left, subtract, arena, out));
    out->sign = larger->sign;
    return STATUS_OK;
}

/* left - quotient * right; the quotient comes in through `out`. */
static enum status
remainder_of(const uint8_t *left, uint32_t left_size, const uint8_t *right, uint32_t right_size,
             struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    const uint8_t *product = NULL;
    uint32_t product_size = 0;

    TRY(numeric_calculate(NUMERIC_MULTIPLY, *out, *size_out, right, right_size, arena, &product,
                          &product_size));
    return numeric_calculate(NUMERIC_SUBTRACT, left, left_size, product, product_size, arena, out,
                             size_out);
}

enum status
numeric_calculate(enum numeric_operation operation, const uint8_t *left, uint32_t left_size,
                  const uint8_t *right, uint32_t right_size, struct arena *arena,
                  const uint8_t **out, uint32_t *size_out)
{
    struct numeric a, b, result = {.sign = NUMERIC_NAN};
    enum status status = numeric__calculate_small(operation, left, left_size, right, right_size,
                                                  arena, out, size_out);

    if (status != STATUS_MISSING)
        return status;
    TRY(numeric__unpack(left, left_size, arena, &a));
    TRY(numeric__unpack(right, right_size, arena, &b));
    if (a.sign == NUMERIC_NAN || b.sign == NUMERIC_NAN)
        return numeric__pack(&result, arena, out, size_out);
    if (operation == NUMERIC_DIVIDE || operation == NUMERIC_MODULO) {
        if (b.digit_count == 0)
            return STATUS_INVALID;
        TRY(numeric__divide(&a, &b, operation == NUMERIC_MODULO, arena, out, size_out));
        return operation == NUMERIC_DIVIDE
                   ? STATUS_OK
                   : remainder_of(left, left_size, right, right_size, arena, out, size_out);
    }
    int order = compare_magnitude(&a, left, &b, right);
    if (operation == NUMERIC_SUBTRACT)
        b.sign = b.sign == NUMERIC_NEGATIVE ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE;
    if (operation == NUMERIC_MULTIPLY)
        TRY(multiply(&a, &b, arena, &result));
    else
        TRY(add(&a, &b, order, arena, &result));
    uint32_t scale = operation == NUMERIC_MULTIPLY ? (uint32_t)a.scale + b.scale
                     : a.scale > b.scale           ? a.scale
                                                   : b.scale;
    result.scale = (uint16_t)(scale < NUMERIC_SCALE_MAX ? scale : NUMERIC_SCALE_MAX);
    return numeric__pack(&result, arena, out, size_out);
}
