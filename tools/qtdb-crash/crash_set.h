/* A set of 64-bit hashes that many threads add to: which states have been seen. */
#ifndef TOOLS_QTDB_CRASH_CRASH_SET_H
#define TOOLS_QTDB_CRASH_CRASH_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/base/memory.h"

struct crash_set;

struct crash_set *crash_set_new(struct memory *memory);
void crash_set_delete(struct crash_set *set);
/** True when `hash` was not in the set yet. */
bool crash_set_add(struct crash_set *set, uint64_t hash);
uint64_t crash_set_count(struct crash_set *set);

#endif
