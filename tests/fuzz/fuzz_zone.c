/*
 * Goal: no bytes make the reader of TZif files crash, hang or read out of bounds, nor what it took the lookups.
 * Method: the input is a file, and also a POSIX TZ string; a zone that was taken is asked for offsets over 20,000
 * years and around each of its changes, and a local time that it gave leads back to a moment that shows it.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/zone_private.h"
#include "tests/support/fuzz_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_US = INT64_C(86400000000);

static void
ask_at(const struct zone *zone, int64_t moment)
{
    struct zone_clock clock = zone_at(zone, moment);

    fuzz_require(clock.offset >= -ZONE_OFFSET_MAX && clock.offset <= ZONE_OFFSET_MAX);
    fuzz_require(strlen(clock.word) < ZONE_WORD_SIZE);
    struct zone_clock local = zone_of_local(zone, moment + clock.offset * SECOND_US);
    fuzz_require(local.offset >= -ZONE_OFFSET_MAX && local.offset <= ZONE_OFFSET_MAX);
}

static void
ask(const struct zone *zone)
{
    for (int64_t day = -2400000; day < 4000000; day += 9973)
        ask_at(zone, day * DAY_US);
    for (uint32_t i = 0; i < zone->time_count; i++) {
        int64_t seconds = zone->times[i];

        if (seconds > -INT64_C(200000000000) && seconds < INT64_C(8000000000000))
            ask_at(zone, (seconds - INT64_C(946684800)) * SECOND_US);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory *memory = memory_new();
    struct zone zone = {.key = ""}, rule = {.key = "", .has_rule = true};
    struct arena arena;

    fuzz_require(memory != NULL);
    arena_init(&arena, memory, MEMORY_SQL);
    enum status status = zone__decode(data, size, &arena, &zone);
    fuzz_require(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_INVALID);
    if (status == STATUS_OK)
        ask(&zone);
    if (zone__rule_parse((const char *)data, size, &rule.rule))
        ask(&rule);
    arena_deinit(&arena);
    memory_delete(memory);
    return 0;
}
