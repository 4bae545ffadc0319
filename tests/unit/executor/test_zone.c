/*
 * Goal: TZif files and POSIX TZ strings are read as they say, damaged ones are refused, and a zone finds the offset of
 * moments and of local times, before, within and beyond its table. What statements answer stands in
 * tests/sql/time_zones.test.
 * Method: the file of Europe/Berlin in the fuzz corpus, cut at each length and with each bit turned; rules against years
 * reckoned by hand; the functions of zone.h by name.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/datetime.h"
#include "executor/zone_private.h"

enum { FILE_MAX = 8192 };

static uint8_t bytes[FILE_MAX];
static struct memory *memory;
static struct arena arena;
static struct sql_error error;

static size_t
berlin(void)
{
    FILE *file = fopen("tests/fuzz/corpus/zone/berlin", "rb");

    cr_assert_not_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    cr_assert(size > 100 && size < sizeof(bytes));
    return size;
}

static void
begin(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
}

static void
end(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(zone, .init = begin, .fini = end);

/* Everything that a zone may be asked. */
static void
ask(const struct zone *zone)
{
    for (int64_t year = -4000; year < 12000; year += 37) {
        int64_t moment = datetime_days(year, 6, 1) * INT64_C(86400000000);
        struct zone_clock clock = zone_at(zone, moment);

        cr_assert(clock.offset >= -ZONE_OFFSET_MAX && clock.offset <= ZONE_OFFSET_MAX);
        cr_assert(strlen(clock.word) < ZONE_WORD_SIZE);
        (void)zone_to_moment(zone, moment);
    }
}

Test(zone, a_file_cut_short_is_refused)
{
    size_t size = berlin();

    for (size_t cut = 0; cut < size; cut++) {
        struct zone zone = {.key = ""};
        uint8_t *copy = malloc(cut + 1); /* So that the sanitizer sees a read past the end. */

        memcpy(copy, bytes, cut);
        cr_assert_eq(zone__decode(copy, cut, &arena, &zone), STATUS_CORRUPT, "%zu bytes", cut);
        free(copy);
    }
}

Test(zone, a_turned_bit_is_refused_or_harmless)
{
    size_t size = berlin(), taken = 0;

    for (size_t bit = 0; bit < size * 8; bit++) {
        struct zone zone = {.key = ""};

        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (zone__decode(bytes, size, &arena, &zone) == STATUS_OK) {
            taken++;
            if (bit % 16 == 0)
                ask(&zone);
        }
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit % 1000 == 0)
            arena_reset(&arena);
    }
    cr_assert(taken > 0);
}

Test(zone, leap_seconds_and_disorder_are_refused)
{
    size_t size = berlin();
    struct zone zone = {.key = ""};
    uint8_t first_time[8];

    cr_assert_eq(zone__decode(bytes, size, &arena, &zone), STATUS_OK);
    uint32_t count = (uint32_t)bytes[34] << 8 | bytes[35];
    size_t second =
        44 + (size_t)count * 5 + (size_t)bytes[39] * 6 + bytes[43] + bytes[23] + bytes[27];
    memcpy(first_time, bytes + second + 44, 8);
    memcpy(bytes + second + 44, bytes + second + 52, 8);
    cr_assert_eq(zone__decode(bytes, size, &arena, &zone), STATUS_CORRUPT);
    memcpy(bytes + second + 44, first_time, 8);
    bytes[second + 44 + (size_t)count * 8] = 200; /* A type that is not there. */
    cr_assert_eq(zone__decode(bytes, size, &arena, &zone), STATUS_CORRUPT);
}

Test(zone, reads_posix_strings)
{
    static const char *const good[] = {"UTC0",
                                       "EST5EDT",
                                       "<+02>-02",
                                       "CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                       "IST-2IDT,M3.4.4/26,M10.5.0",
                                       "XXX3EDT4,0/0,J365/23",
                                       "A-12:34:56",
                                       "+5"};
    static const char *const bad[] = {"",
                                      "UTC",
                                      "EST5EDT,",
                                      "EST5EDT,M3.2.0",
                                      "EST25",
                                      "<+02-02",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,J0,J365",
                                      "CET-1CEST,M3.5.0,M10.5.0/168",
                                      "CET-1:60",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "EST5 EDT",
                                      "Averyveryveryveryveryverylongword5"};
    struct zone_rule rule;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(zone__rule_parse(good[i], strlen(good[i]), &rule), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(zone__rule_parse(bad[i], strlen(bad[i]), &rule), "%s", bad[i]);
}

static int32_t
offset_at(const struct zone_rule *rule, int64_t year, int64_t month, int64_t day, int64_t hour)
{
    return zone__rule_at(rule, (datetime_days(year, month, day) + 10957) * 86400 + hour * 3600)
        ->offset;
}

Test(zone, rules_change_when_they_say)
{
    static const char berlin_rule[] = "CET-1CEST,M3.5.0,M10.5.0/3";
    static const char julian[] = "AAA0BBB,J60/0,J300/0", plain[] = "AAA0BBB,59/0,300/0";
    static const char whole_year[] = "XXX3EDT4,0/0,J365/23";
    struct zone_rule rule;

    cr_assert(zone__rule_parse(berlin_rule, strlen(berlin_rule), &rule));
    cr_assert_eq(offset_at(&rule, 2040, 3, 25, 0), 3600); /* The last Sunday. */
    cr_assert_eq(offset_at(&rule, 2040, 3, 25, 1), 7200);
    cr_assert_eq(offset_at(&rule, 2040, 10, 28, 0), 7200);
    cr_assert_eq(offset_at(&rule, 2040, 10, 28, 1), 3600);
    cr_assert_eq(offset_at(&rule, 2040, 1, 1, 0), 3600);
    cr_assert(zone__rule_parse(julian, strlen(julian), &rule));
    cr_assert_eq(offset_at(&rule, 2024, 2, 29, 12), 0); /* J60 is always the first of March. */
    cr_assert_eq(offset_at(&rule, 2024, 3, 1, 0), 3600);
    cr_assert(zone__rule_parse(plain, strlen(plain), &rule));
    cr_assert_eq(offset_at(&rule, 2024, 2, 29, 0), 3600); /* 59 is the 29th of a leap year. */
    cr_assert_eq(offset_at(&rule, 2023, 2, 28, 23), 0);
    cr_assert(zone__rule_parse(whole_year, strlen(whole_year), &rule));
    for (int64_t hour = 0; hour < 24; hour++)
        cr_assert_eq(offset_at(&rule, 2024, 1, 1, hour), -14400);
}

Test(zone, utc_needs_no_database_and_others_say_so)
{
    const struct zone *zone = NULL;

    zone__set_database("/nowhere/at/all");
    cr_assert_eq(zone_get("utc", 3, &zone, &error), STATUS_OK);
    cr_assert_eq(zone, zone_utc());
    cr_assert_eq(zone_fixed(-12600, &zone, &error), STATUS_OK);
    cr_assert_str_eq(zone_name(zone), "<-03:30>+03:30");
    cr_assert_eq(zone_at(zone, 0).offset, -12600);
    cr_assert_eq(zone_get("Europe/Berlin", 13, &zone, &error), STATUS_INVALID);
    cr_assert_str_eq(error.sqlstate, "58P01");
    zone__set_database("/usr/share/zoneinfo");
    cr_assert_eq(zone_get("Europe/Berlin", 13, &zone, &error), STATUS_OK);
}

Test(zone, a_name_leads_nowhere_else)
{
    static const char *const names[] = {
        "../zoneinfo/UTC", "/usr/share/zoneinfo/UTC", "Europe",   "Europe/",
        "Europe//Berlin",  "Europe/./Berlin",         "zone.tab", "Europe/Berlin\n"};
    const struct zone *zone = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_assert_eq(zone_get(names[i], strlen(names[i]), &zone, &error), STATUS_INVALID, "%s",
                     names[i]);
        cr_assert_str_eq(error.sqlstate, "22023");
    }
    cr_assert_eq(zone_get("EUROPE/berlin", 13, &zone, &error), STATUS_OK);
    cr_assert_str_eq(zone_name(zone), "Europe/Berlin");
}

Test(zone, there_are_not_more_zones_than_the_cache_keeps)
{
    enum { MORE = 3000 };
    const struct zone *zone = NULL;
    uint32_t refused = 0;

    for (uint32_t i = 0; i < MORE; i++) {
        char name[40];
        int size = snprintf(name, sizeof(name), "X%c%c%c5", 'a' + (int)(i / 676),
                            'a' + (int)(i / 26 % 26), 'a' + (int)(i % 26));

        if (zone_get(name, (size_t)size, &zone, &error) != STATUS_OK) {
            cr_assert_str_eq(error.sqlstate, "54000");
            refused++;
        }
    }
    cr_assert(refused > 0 && refused < MORE);
}

Test(zone, knows_postgresqls_abbreviations)
{
    const char *name = NULL;
    int32_t offset = 0;

    cr_assert(zone_abbreviation("EST", 3, &offset, &name));
    cr_assert(offset == -18000 && name == NULL);
    cr_assert(zone_abbreviation("msk", 3, &offset, &name));
    cr_assert_str_eq(name, "Europe/Moscow");
    cr_assert(zone_abbreviation("acdt", 4, &offset, &name) && offset == 37800);
    cr_assert(zone_abbreviation("z", 1, &offset, &name) && offset == 0);
    cr_assert_not(zone_abbreviation("nope", 4, &offset, &name));
    cr_assert_not(zone_abbreviation("", 0, &offset, &name));
    cr_assert_not(zone_abbreviation("es", 2, &offset, &name));
}
