/*
 * Goal: dates and times read and print as PostgreSQL's ISO style does, over the whole range.
 * Method: known pairs; every day of 2,000 years there and back; refused texts.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "executor/datetime.h"

static struct sql_error error = {.location = -1};

Test(datetime, every_day_prints_and_parses_back)
{
    char text[DATETIME_TEXT_SIZE];

    for (int64_t day = -400000; day < 400000; day++) {
        int64_t back = 0;
        size_t size = datetime_print_date(day, text);

        cr_assert(datetime_parse_date(text, size, &back, &error), "%s", text);
        cr_assert_eq(back, day, "%s", text);
    }
}

Test(datetime, counts_from_the_year_2000)
{
    int64_t days = 1;

    cr_assert(datetime_parse_date("2000-01-01", 10, &days, &error));
    cr_assert_eq(days, 0);
    cr_assert(datetime_parse_date("1970-01-01", 10, &days, &error));
    cr_assert_eq(days, -10957);
}

Test(datetime, prints_timestamps_with_what_is_not_zero)
{
    static const struct {
        const char *text;
        const char *printed;
        bool with_zone;
    } cases[] = {
        {"2025-01-15T10:30:00", "2025-01-15 10:30:00", false},
        {"2025-01-15 10:30:00.125", "2025-01-15 10:30:00.125", false},
        {"2025-01-15T10:30:00.123456Z", "2025-01-15 10:30:00.123456+00", true},
        {"2025-01-15 10:30:00+02", "2025-01-15 08:30:00+00", true},
        {"2025-01-15 10:30:00-05:30", "2025-01-15 16:00:00+00", true},
        {"-0044-03-15 00:00", "0045-03-15 00:00:00 BC", false},
        {"0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC", false},
        {"0044-03-15 10:30:00+00 BC", "0044-03-15 10:30:00+00 BC", true},
        {"1999-12-31 23:59:59.9999999", "2000-01-01 00:00:00", false},
        {"+12025-01-15", "12025-01-15 00:00:00", false},
    };
    char text[DATETIME_TEXT_SIZE];
    int64_t moment;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert(datetime_parse_timestamp(cases[i].text, strlen(cases[i].text), cases[i].with_zone,
                                           &moment, &error),
                  "%s", cases[i].text);
        datetime_print_timestamp(moment, cases[i].with_zone, text);
        cr_assert_str_eq(text, cases[i].printed);
    }
}

Test(datetime, refuses_days_that_do_not_exist)
{
    static const char *const texts[] = {"2025-02-29", "2025-13-01", "2025-00-10",  "2025-04-31",
                                        "1900-02-29", "25-01-01",   "2025-01-01x", ""};
    int64_t days;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_not(datetime_parse_date(texts[i], strlen(texts[i]), &days, &error), "%s",
                      texts[i]);
    cr_assert(datetime_parse_date("2000-02-29", 10, &days, &error));
}
