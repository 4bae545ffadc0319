/*
 * Goal: the map of writes is a sorted map.
 * Method: random inserts and removals against an array of flags; every kind of seek for every key.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "kernel/key_map.h"

enum { KEYS = 256 };

struct fixture {
    struct memory *memory;
    struct arena arena;
    struct key_map map;
    struct write_entry *entry[KEYS]; /* NULL: not in the map. */
    uint32_t count;
};

/* Numbers 0 to 255 as keys of one or two bytes, in order. */
static size_t
key_of(uint32_t number, uint8_t out[2])
{
    out[0] = (uint8_t)(number / 2 + 1);
    out[1] = 0;
    return 1 + number % 2;
}

static void
toggle(struct fixture *fixture, uint32_t number)
{
    uint8_t key[2];
    size_t size = key_of(number, key);

    if (fixture->entry[number] != NULL) {
        key_map_remove(&fixture->map, fixture->entry[number]);
        fixture->entry[number] = NULL;
        fixture->count--;
        return;
    }
    fixture->entry[number] = key_map_entry_new(&fixture->arena, &fixture->map, key, size, 0);
    key_map_insert(&fixture->map, fixture->entry[number]);
    fixture->count++;
}

static struct write_entry *
next_of(const struct fixture *fixture, int number, int step)
{
    while (number >= 0 && number < KEYS && fixture->entry[number] == NULL)
        number += step;
    return number >= 0 && number < KEYS ? fixture->entry[number] : NULL;
}

static void
compare(const struct fixture *fixture)
{
    const struct key_map *map = &fixture->map;
    const struct write_entry *entry = map->head[0];
    const struct write_entry *before = NULL;

    cr_assert_eq(map->count, fixture->count);
    for (int number = 0; number < KEYS; number++) {
        uint8_t key[2];
        size_t size = key_of((uint32_t)number, key);

        cr_assert_eq(key_map_find(map, key, size), fixture->entry[number]);
        cr_assert_eq(key_map_seek(map, key, size, false), next_of(fixture, number, 1));
        cr_assert_eq(key_map_seek(map, key, size, true), next_of(fixture, number + 1, 1));
        cr_assert_eq(key_map_seek_last(map, key, size, false), next_of(fixture, number, -1));
        cr_assert_eq(key_map_seek_last(map, key, size, true), next_of(fixture, number - 1, -1));
        if (fixture->entry[number] == NULL)
            continue;
        cr_assert_eq(entry, fixture->entry[number]);
        cr_assert_eq(entry->previous, before);
        before = entry;
        entry = entry->next[0];
    }
    cr_assert_null(entry);
    cr_assert_eq(key_map_seek(map, NULL, 0, false), next_of(fixture, 0, 1));
    cr_assert_eq(key_map_seek_last(map, NULL, 0, false), next_of(fixture, KEYS - 1, -1));
}

Test(key_map, random_changes_equal_a_sorted_list)
{
    struct fixture fixture = {.memory = memory_new()};
    struct random random;

    random_init(&random, 1);
    arena_init(&fixture.arena, fixture.memory, MEMORY_WRITE_SET);
    compare(&fixture);
    for (uint32_t step = 0; step < 1500; step++) {
        toggle(&fixture, (uint32_t)random_below(&random, KEYS));
        if (step % 50 == 0)
            compare(&fixture);
    }
    compare(&fixture);
    arena_deinit(&fixture.arena);
    memory_delete(fixture.memory);
}

Test(key_map, keys_in_order_are_appended)
{
    struct fixture fixture = {.memory = memory_new()};

    arena_init(&fixture.arena, fixture.memory, MEMORY_WRITE_SET);
    for (uint32_t number = 0; number < KEYS; number++)
        toggle(&fixture, number);
    compare(&fixture);
    for (uint32_t number = KEYS; number-- > 0;)
        toggle(&fixture, number);
    compare(&fixture);
    arena_deinit(&fixture.arena);
    memory_delete(fixture.memory);
}

Test(key_map, keys_in_runs_equal_a_sorted_list)
{
    struct fixture fixture = {.memory = memory_new()};
    struct random random;

    random_init(&random, 2);
    arena_init(&fixture.arena, fixture.memory, MEMORY_WRITE_SET);
    /* Runs of numbers that rise by one to three from anywhere, some of them there already, and a removal now and then. */
    for (uint32_t run = 0; run < 400; run++) {
        uint32_t number = (uint32_t)random_below(&random, KEYS);

        for (uint32_t step = 0; step < 12 && number < KEYS; step++) {
            if (fixture.entry[number] == NULL || random_below(&random, 4) == 0)
                toggle(&fixture, number);
            number += 1 + (uint32_t)random_below(&random, 3);
        }
        if (run % 4 == 0)
            compare(&fixture);
    }
    compare(&fixture);
    arena_deinit(&fixture.arena);
    memory_delete(fixture.memory);
}
