/*
 * Goal: prove that a fuzz run can fail.
 * Method: abort on inputs that begin with six given bytes. A fuzzer that is guided by coverage finds
 * them within a second; one that is built without counters, or whose failures nobody reads, does
 * not. `make fuzz-short` fails when this target passes. Its stored inputs do not trip it.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6)
        return 0;
    /* One branch for each byte: each that is right is new coverage, and leads on to the next. */
    if (data[0] == 'c' && data[1] == 'a' && data[2] == 'n')
        if (data[3] == 'a' && data[4] == 'r' && data[5] == 'y')
            abort();
    return 0;
}
