/*
 * Goal: an index finds every write by its key, and the map that it settles into is the sorted map of all of
 * them; a transaction with thousands of writes in no order reads them, scans them, rolls back to savepoints
 * and commits like one with few, also when it gets no memory for an index.
 * Method: keys of 3 to 40 bytes, of which many begin with the same eight, from a shuffle, against what was
 * put; each allocation fails once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "kernel/write_index.h"
#include "tests/support/db_rig.h"

enum { KEYS = 3000 };

/* Short ones, some of 8 bytes, and long ones that begin alike. */
static size_t
key_of(uint32_t number, uint8_t out[40])
{
    memset(out, 'k', 40);
    out[0] = (uint8_t)(number % 3 + 1);
    uint32_t rest = number / 3;
    size_t size = number % 3 == 0 ? 3 : number % 3 == 1 ? 8 : 40;

    out[size - 2] = (uint8_t)(rest >> 8);
    out[size - 1] = (uint8_t)rest;
    return size;
}

struct fixture {
    struct memory *memory;
    struct arena arena;
    struct key_map map;
    struct write_index *index;
    struct write_entry *entry[KEYS];
};

static struct write_entry *
entry_of(struct fixture *fixture, uint32_t number)
{
    uint8_t key[40];
    size_t size = key_of(number, key);

    fixture->entry[number] = key_map_entry_new(&fixture->arena, &fixture->map, key, size, 0);
    cr_assert_not_null(fixture->entry[number]);
    return fixture->entry[number];
}

static void
compare(const struct fixture *fixture, uint64_t count)
{
    const struct write_entry *before = NULL;
    uint64_t linked = 0;

    for (const struct write_entry *entry = fixture->map.head[0]; entry != NULL;
         entry = entry->next[0]) {
        cr_assert(before == NULL ||
                  key_compare(before->key, before->key_size, entry->key, entry->key_size) < 0);
        cr_assert_eq(entry->previous, before);
        before = entry;
        linked++;
    }
    cr_assert_eq(linked, fixture->map.count);
    cr_assert_eq(linked + write_index_pending(fixture->index), count);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[40];
        size_t size = key_of(i, key);

        cr_assert_eq(write_index_find(fixture->index, key, size), fixture->entry[i], "key %u", i);
    }
}

static void
fill(uint32_t step)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    uint32_t number = 0, i = 0;

    fixture->memory = memory_new();
    arena_init(&fixture->arena, fixture->memory, MEMORY_WRITE_SET);
    for (; i < 10; i++, number = (number + step) % KEYS)
        key_map_insert(&fixture->map, entry_of(fixture, number));
    fixture->index = write_index_new(fixture->memory, &fixture->map);
    cr_assert_not_null(fixture->index);
    for (; i < KEYS; i++, number = (number + step) % KEYS) {
        if (i % 700 == 0 || i == 20)
            write_index_settle(fixture->index, &fixture->map);
        if (i % 500 == 0)
            compare(fixture, i);
        struct write_entry *entry = entry_of(fixture, number);

        if (i % 2 == 0) /* Whose place is known then, unless the table grows. */
            cr_assert_null(write_index_find(fixture->index, entry->key, entry->key_size));
        cr_assert(write_index_add(fixture->index, entry));
    }
    write_index_settle(fixture->index, &fixture->map);
    cr_assert_eq(write_index_pending(fixture->index), 0);
    compare(fixture, KEYS);
    write_index_free(fixture->index);
    arena_deinit(&fixture->arena);
    memory_delete(fixture->memory);
    free(fixture);
}

Test(write_index, finds_all_and_settles_in_order)
{
    static const uint32_t steps[] = {1, 7, 1999, KEYS - 1}; /* Without a factor of KEYS. */

    for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        fill(steps[i]);
}

Test(write_index, is_not_there_without_memory)
{
    struct memory *memory = memory_new();
    struct key_map map = {.count = 0};
    uint32_t made = 0, refused = 0;

    for (uint64_t index = 0; index < 3; index++) {
        memory_fail_at(memory, index, false);
        struct write_index *fresh = write_index_new(memory, &map);

        made += fresh != NULL;
        refused += fresh == NULL;
        write_index_free(fresh);
    }
    cr_assert(refused == 3 && made == 0);
    memory_fail_at(memory, UINT64_MAX, false);
    memory_delete(memory);
}

/* ---- In transactions ---------------------------------------------------------------------------- */

static void
name_of(uint32_t number, char out[16])
{
    snprintf(out, 16, "row-%07u", number);
}

static uint64_t
put_some(struct qtdb_txn *txn, struct qtdb_tree *tree, uint32_t first, uint32_t end,
         const char *value)
{
    uint64_t count = 0;

    for (uint32_t i = first; i < end; i++) {
        char name[16];

        name_of(i * 1999 % KEYS, name);
        enum qtdb_code code = db_put(txn, tree, name, value);
        cr_assert(code == QTDB_OK || code == QTDB_NO_MEMORY);
        if (code != QTDB_OK)
            break;
        count++;
    }
    return count;
}

/* Rows that the transaction sees, each behind the one before and with the value. */
static uint32_t
scan(struct qtdb_txn *txn, struct qtdb_tree *tree, bool backward)
{
    struct qtdb_cursor *cursor = NULL;
    char last[16] = "";
    uint32_t count = 0;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code =
        backward ? qtdb_cursor_seek_last(cursor, NULL, 0) : qtdb_cursor_seek(cursor, NULL, 0);
    for (; code == QTDB_OK;
         code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor)) {
        const void *key, *value;
        size_t key_size, value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        cr_assert(key_size < sizeof(last));
        int order = count == 0 ? 1 : memcmp(key, last, key_size);
        cr_assert(count == 0 || (backward ? order < 0 : order > 0));
        memcpy(last, key, key_size);
        count++;
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    return count;
}

/* covers: T1 T9 */
Test(write_index, transactions_do_not_notice_it)
{
    struct db_rig rig;
    uint64_t mark = 0;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");
    struct qtdb_txn *txn = db_begin(rig.db);
    put_some(txn, tree, 0, 1000, "one");
    cr_assert_eq(scan(txn, tree, false), 1000);
    put_some(txn, tree, 1000, 2000, "two");
    DB(qtdb_savepoint(txn, &mark));
    put_some(txn, tree, 1500, KEYS, "three");
    cr_assert_eq(scan(txn, tree, true), KEYS);
    cr_assert_str_eq(db_get(txn, tree, "row-0000000"), "one");
    DB(db_delete(txn, tree, "row-0000000"));
    cr_assert_eq(scan(txn, tree, false), KEYS - 1);
    put_some(txn, tree, 0, 3, "four");
    DB(qtdb_rollback_to(txn, mark));
    cr_assert_eq(scan(txn, tree, false), 2000);
    cr_assert_str_eq(db_get(txn, tree, "row-0001999"), "one");
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    cr_assert_eq(scan(txn, tree, false), 2000);
    put_some(txn, tree, 0, KEYS, "five");
    qtdb_rollback(txn);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T9 */
Test(write_index, savepoints_that_are_forgotten_are_no_marks)
{
    struct db_rig rig;
    uint64_t first = 0, second = 0;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");
    struct qtdb_txn *txn = db_begin(rig.db);
    DB(qtdb_savepoint(txn, &first));
    put_some(txn, tree, 0, 300, "one");
    database_forget_savepoints(txn);
    DB_REFUSED(qtdb_rollback_to(txn, first), QTDB_INVALID);
    DB(qtdb_savepoint(txn, &second));
    put_some(txn, tree, 299, 600, "two");
    DB(qtdb_rollback_to(txn, second));
    cr_assert_eq(scan(txn, tree, false), 300);
    DB(qtdb_commit(txn));
    txn = db_begin_read(rig.db);
    cr_assert_eq(scan(txn, tree, false), 300);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

/* covers: T4 */
Test(write_index, each_allocation_that_fails_loses_nothing)
{
    bool failed = true;
    uint32_t whole = 0;

    for (uint64_t index = 0; failed; index += 1 + index / 8) {
        struct db_rig rig;

        db_rig_init(&rig, 1);
        struct qtdb_tree *tree = db_tree(rig.db, "t");
        struct qtdb_txn *txn = db_begin(rig.db);

        memory_fail_at(rig.memory, index, false);
        uint64_t count = put_some(txn, tree, 0, 2500, "value");
        enum qtdb_code code = qtdb_commit(txn);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || failed);
        whole += failed && count == 2500 && code == QTDB_OK;
        struct qtdb_txn *after = db_begin_read(rig.db);
        cr_assert_eq(scan(after, tree, false), code == QTDB_OK ? count : 0);
        DB(qtdb_commit(after));
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
    cr_assert_gt(whole, 2, "no failure was lived with: the index's own");
}

/* ---- Tables of megabytes ------------------------------------------------------------------------ */

enum { MANY = 70000 };

/* Numbers in no order: anywhere, or close together in a few places far from each other. */
static void
many_key(uint32_t i, bool clustered, uint8_t out[8])
{
    int64_t far = (int64_t)(random_mix(i) >> 1), near = (int64_t)(i * UINT64_C(7919) % MANY);

    qtdb_key_i64(clustered ? (far % 50 << 48) | near : far, out);
}

/* Adds until memory is refused; returns how many it took, all of which are found and settle in order. */
static uint32_t
fill_many(uint64_t refused, bool clustered)
{
    struct memory *memory = memory_new();
    struct arena arena;
    struct key_map map = {.count = 0};
    struct write_index *index = write_index_new(memory, &map);
    uint32_t taken = 0, found = 0;
    uint8_t key[8];

    arena_init_raw(&arena, memory, MEMORY_WRITE_SET);
    memory_fail_at(memory, refused, true);
    for (uint32_t i = 0; i < MANY; i++, taken++) {
        many_key(i, clustered, key);
        struct write_entry *entry = key_map_entry_new(&arena, &map, key, sizeof(key), 100);

        if (entry == NULL || !write_index_add(index, entry))
            break;
    }
    for (uint32_t i = 0; i < MANY; i++) {
        many_key(i, clustered, key);
        found += write_index_find(index, key, sizeof(key)) != NULL;
    }
    cr_assert_eq(found, taken);
    write_index_settle(index, &map);
    cr_assert_eq(map.count, taken);
    for (struct write_entry *entry = map.head[0]; entry != NULL; entry = entry->next[0])
        cr_assert(entry->previous == NULL ||
                  key_compare(entry->previous->key, 8, entry->key, 8) < 0);
    write_index_free(index);
    arena_deinit(&arena);
    memory_delete(memory);
    return taken;
}

Test(write_index, tables_of_megabytes_fail_and_settle_like_small_ones)
{
    uint32_t least = MANY;

    cr_assert_eq(fill_many(UINT64_MAX, false), MANY);
    cr_assert_eq(fill_many(UINT64_MAX, true), MANY);
    for (uint64_t refused = 0; refused < 40; refused += 3) {
        uint32_t taken = fill_many(refused, refused % 2 == 0);

        least = taken < least ? taken : least;
    }
    cr_assert_lt(least, MANY / 2);
}
