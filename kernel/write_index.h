/*
 * Finding a transaction's writes by key, once they are many and come in no order: a hash table beside the
 * ordered map (key_map.h), which learns of new entries only when somebody asks for order. Not thread-safe.
 */
#ifndef KERNEL_WRITE_INDEX_H
#define KERNEL_WRITE_INDEX_H

#include "kernel/key_map.h"

struct write_index;

/** Knows all entries of the map. NULL: out of memory, which is no error: the map goes on by itself. */
struct write_index *write_index_new(struct memory *memory, const struct key_map *map);
/** Forgets what is not linked: settle before. NULL is fine. */
void write_index_free(struct write_index *index);
/** The entry of exactly this key, or NULL. */
struct write_entry *write_index_find(struct write_index *index, const void *key, size_t key_size);
/** Takes an entry whose key is not there yet. False: out of memory; it was not taken. */
bool write_index_add(struct write_index *index, struct write_entry *entry);
/** Entries that the map does not have yet. */
uint64_t write_index_pending(const struct write_index *index);
/** Links them into the map. Cannot fail: without memory to sort them in they are linked one by one. */
void write_index_settle(struct write_index *index, struct key_map *map);

#endif
