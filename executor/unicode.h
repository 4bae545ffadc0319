/*
 * Characters of UTF-8 and their case: simple mappings of Latin, Greek, Cyrillic, Armenian and full-width
 * letters; other scripts keep theirs. Pure; thread-safe.
 */
#ifndef EXECUTOR_UNICODE_H
#define EXECUTOR_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/** The character at *next, which is before `end`; moves on. What is not UTF-8 is taken byte by byte. */
uint32_t unicode_next(const char **next, const char *end);
/** Length of the well-formed sequence at `bytes` (no surrogates, nothing longer than needed, no zero
 * byte); 0 when there is none. */
size_t unicode_sequence(const char *bytes, size_t left);
/** Bytes from the start that are UTF-8 without NUL: `size` when all are. */
size_t unicode_valid_prefix(const char *bytes, size_t size);
/** Writes at most 4 bytes; returns how many. */
size_t unicode_put(uint32_t c, char *out);
uint32_t unicode_upper(uint32_t c);
uint32_t unicode_lower(uint32_t c);

#endif
