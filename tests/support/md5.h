/* MD5 (RFC 1321), for comparing with stored results of sqllogictest files. Pure. */
#ifndef TESTS_SUPPORT_MD5_H
#define TESTS_SUPPORT_MD5_H

#include <stddef.h>
#include <stdint.h>

/** `out` takes 32 hexadecimal digits and a NUL. */
void md5_hex(const void *bytes, size_t size, char out[33]);

#endif
