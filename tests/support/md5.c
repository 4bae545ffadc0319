/* MD5: blocks of 64 bytes, the tail padded with a one bit, zeros and the length in bits. */
#include "tests/support/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t
rotate(uint32_t word, int by)
{
    return word << by | word >> (32 - by);
}

static void
mix_block(uint32_t state[4], const uint8_t *block)
{
    static const int shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];

    memcpy(words, block, sizeof(words));
    for (int i = 0; i < 64; i++) {
        uint32_t f = i < 16   ? (b & c) | (~b & d)
                     : i < 32 ? (d & b) | (~d & c)
                     : i < 48 ? b ^ c ^ d
                              : c ^ (b | ~d);
        int index = i < 16 ? i : i < 32 ? (5 * i + 1) % 16 : i < 48 ? (3 * i + 5) % 16 : 7 * i % 16;
        uint32_t constant = (uint32_t)(4294967296.0 * fabs(sin(i + 1)));
        uint32_t next = b + rotate(a + f + constant + words[index], shifts[i / 16][i % 4]);

        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void
md5_hex(const void *bytes, size_t size, char out[33])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint8_t *next = bytes;
    uint64_t bits = (uint64_t)size * 8;
    uint8_t tail[128] = {0};
    size_t left = size % 64, tail_size = left < 56 ? 64 : 128;

    for (size_t i = 0; i < size / 64; i++, next += 64)
        mix_block(state, next);
    if (left > 0)
        memcpy(tail, next, left);
    tail[left] = 0x80;
    memcpy(tail + tail_size - 8, &bits, 8);
    for (size_t i = 0; i < tail_size; i += 64)
        mix_block(state, tail + i);
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned)(state[i / 4] >> (8 * (i % 4)) & 0xff));
}
