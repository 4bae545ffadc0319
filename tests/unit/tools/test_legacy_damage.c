/*
 * Goal: a damaged legacy file is refused with the place of the damage, or read; a rescue always ends; neither takes more
 * than 64 MB whatever lengths the file claims.
 *
 * Method: the sample directories of the four generations, of which one file (the snapshot, or a file of the log) is
 * cut, has bits flipped, a count or length overwritten, or bytes taken out or put in. Each is read twice, strictly and
 * as a rescue, under a limit that the system keeps on the process. What is read strictly must be the same in
 * the rescue. Then a rescue with every allocation failed once. Seeded: QTDB_LEGACY_SEED, and QTDB_LEGACY_FILES for more files (make legacy-damage).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/base/random.h"
#include "tests/unit/tools/legacy_rig.h"

enum { FILES = 400, MEMORY_MAX = 64 * 1024 * 1024, VICTIM_COUNT = 3 };

static const char *const victims[VICTIM_COUNT] = {"server_instance.db", "wal/000000006b000001.wal",
                                                  "wal/000000006b000002.wal"};

struct victim {
    unsigned char *bytes;
    size_t size;
};

/* What the process may hold beyond what it holds now; sanitizers have memory of their own. */
static void
limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    unsigned long pages[6] = {0};
    FILE *file = fopen("/proc/self/statm", "r");

    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%lu %lu %lu %lu %lu %lu", &pages[0], &pages[1], &pages[2], &pages[3],
                        &pages[4], &pages[5]),
                 6);
    fclose(file);
    rlim_t held = (rlim_t)pages[0] * (rlim_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {held + MEMORY_MAX, held + MEMORY_MAX};

    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    void *volatile too_much = malloc(MEMORY_MAX + 4096);
    cr_assert_null(too_much, "the limit does not hold");
#endif
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Breaks a copy; returns its size. There is room for 16 bytes more. */
static size_t
damage(struct random *random, unsigned char *bytes, size_t size)
{
    static const uint64_t claims[] = {
        UINT64_MAX, INT64_MAX, UINT64_C(1) << 40, UINT32_MAX, UINT64_C(1) << 31, 0, 255, 1 << 20};
    uint64_t claim = claims[random_below(random, 8)];
    size_t at = random_below(random, size), count = random_below(random, 16);

    switch (random_below(random, 5)) {
    case 0:
        return at;
    case 1:
        for (uint64_t i = 0; i <= random_below(random, 4); i++)
            bytes[random_below(random, size)] ^= (unsigned char)(1u << random_below(random, 8));
        return size;
    case 2:
        memcpy(bytes + at, &claim, size - at < 8 ? size - at : 8);
        return size;
    case 3:
        count = count < size - at ? count : size - at;
        memmove(bytes + at, bytes + at + count, size - at - count);
        return size - count;
    default:
        memmove(bytes + at + count, bytes + at, size - at);
        return size + count;
    }
}

/* True when the strict reading refused the file. */
static bool
try_damage(struct legacy_rig *rig, struct random *random, const struct victim *victim,
           const char *name, uint64_t number)
{
    static const struct source_options strict = {.no_log = false}, rescue = {.rescue = true};
    unsigned char *bytes = malloc(victim->size + 16);

    memcpy(bytes, victim->bytes, victim->size);
    size_t size = damage(random, bytes, victim->size);
    legacy_rig_write(legacy_rig_path(rig, name), bytes, size);
    char *plain = legacy_rig_dump(rig, rig->folder, &strict);
    char *rescued = legacy_rig_dump(rig, rig->folder, &rescue);

    cr_assert_null(strstr(plain, "memory"), "file %lu: %s", (unsigned long)number, plain);
    cr_assert(rescued[0] != '!' || strstr(rescued, "memory") == NULL, "file %lu: %s",
              (unsigned long)number, rescued);
    if (plain[0] == '!')
        cr_assert(strstr(plain, "byte") != NULL || strstr(plain, "record") != NULL ||
                      strstr(plain, "empty") != NULL || strstr(plain, "the log ") != NULL,
                  "file %lu: no place is named: %s", (unsigned long)number, plain);
    else
        cr_assert_str_eq(plain, rescued, "file %lu: other rows", (unsigned long)number);
    legacy_rig_write(legacy_rig_path(rig, name), victim->bytes, victim->size);
    bool refused = plain[0] == '!';
    free(rescued);
    free(plain);
    free(bytes);
    return refused;
}

static void
try_generation(char generation, uint64_t first, uint64_t count)
{
    uint64_t seed = setting("QTDB_LEGACY_SEED", 1);
    struct victim all[VICTIM_COUNT];
    struct random random;
    struct legacy_rig rig;
    uint64_t refused = 0;

    legacy_rig_init(&rig);
    legacy_rig_sample(&rig, generation, false);
    for (int i = 0; i < VICTIM_COUNT; i++)
        all[i].bytes = legacy_rig_read(legacy_rig_path(&rig, victims[i]), &all[i].size);
    limit_memory();
    for (uint64_t i = 0; i < count; i++) {
        /* The snapshot three times in five. */
        random_init(&random, seed * 1000003 + first + i);
        uint64_t which = random_below(&random, 5);

        which = which < VICTIM_COUNT ? which : 0;
        refused += try_damage(&rig, &random, &all[which], victims[which], first + i);
    }
    for (int i = 0; i < VICTIM_COUNT; i++)
        free(all[i].bytes);
    /* A method that breaks nothing, or everything, would prove nothing. */
    cr_assert(count < 50 || (refused > count / 10 && refused < count));
    printf("generation %c: %lu files, %lu refused and rescued, seed %lu\n", generation,
           (unsigned long)count, (unsigned long)refused, (unsigned long)seed);
    legacy_rig_deinit(&rig);
}

static void
try_share(int number)
{
    uint64_t count = setting("QTDB_LEGACY_FILES", FILES) / 4;

    try_generation((char)('A' + number), (uint64_t)number * count, count);
}

Test(legacy_damage, of_generation_a_is_told_or_read)
{
    try_share(0);
}

Test(legacy_damage, of_generation_b_is_told_or_read)
{
    try_share(1);
}

Test(legacy_damage, of_generation_c_is_told_or_read)
{
    try_share(2);
}

Test(legacy_damage, of_generation_d_is_told_or_read)
{
    try_share(3);
}

Test(legacy_damage, a_rescue_survives_every_allocation_that_fails)
{
    static const struct source_options rescue = {.rescue = true};
    struct legacy_rig rig;
    size_t size = 0;
    uint64_t refused = 0;
    bool failed = true;

    legacy_rig_init(&rig);
    legacy_rig_sample(&rig, 'D', false);
    const char *path = legacy_rig_path(&rig, victims[0]);
    unsigned char *bytes = legacy_rig_read(path, &size);
    memset(bytes + size / 3, 0xff, 16);
    legacy_rig_write(path, bytes, size);
    char *whole = legacy_rig_dump(&rig, rig.folder, &rescue);
    cr_assert_neq(whole[0], '!', "%s", whole);
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig.env.memory, index, false);
        char *text = legacy_rig_dump(&rig, rig.folder, &rescue);

        failed = memory_failed(rig.env.memory);
        memory_fail_at(rig.env.memory, UINT64_MAX, false);
        /* A refusal says so; a note that is lost is found by the caller (plan->notes_failed). */
        cr_assert(strchr(text, '!') != NULL || failed || strcmp(text, whole) == 0, "%lu: %s",
                  (unsigned long)index, text);
        refused += strchr(text, '!') != NULL;
        free(text);
    }
    cr_assert_gt(refused, 10);
    free(whole);
    free(bytes);
    legacy_rig_deinit(&rig);
}

/* Bytes that look like a beginning at each turn; the runner's time limit finds what is not linear. */
Test(legacy_damage, a_rescue_of_bytes_that_promise_much_ends)
{
    static const unsigned char head[] = {1,   0,   0,   0, 0, 0, 0, 0, 'n', 1, 0, 0, 0, 0, 0, 0, 0,
                                         'n', 160, 134, 1, 0, 0, 0, 0, 0,   1, 0, 0, 0, 0, 0, 0, 0};
    enum { MORE = 512 * 1024 };
    static const struct source_options rescue = {.rescue = true};
    struct legacy_rig rig;
    size_t size = 0;

    legacy_rig_init(&rig);
    legacy_rig_sample(&rig, 'B', false);
    const char *path = legacy_rig_path(&rig, victims[0]);
    unsigned char *bytes = legacy_rig_read(path, &size);
    unsigned char *grown = malloc(size + MORE);
    for (int way = 0; way < 3; way++) {
        struct random random;

        random_init(&random, 1);
        memcpy(grown, bytes, size);
        for (size_t i = 0; i < MORE; i++)
            grown[size + i] = way == 0   ? (unsigned char)random_below(&random, 256)
                              : way == 1 ? head[i % sizeof(head)]
                                         : (unsigned char)(i % 8 == 0);
        legacy_rig_write(path, grown, size + MORE);
        char *text = legacy_rig_dump(&rig, rig.folder, &rescue);

        cr_assert_neq(text[0], '!', "%s", text);
        cr_assert_not_null(strstr(text, "other."), "the rows before it are there");
        free(text);
    }
    free(grown);
    free(bytes);
    legacy_rig_deinit(&rig);
}
