/*
 * Goal: exactly the texts of RFC 8259 are taken.
 * Method: lists of good and bad texts, and the depth limit from both sides.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "executor/json.h"

static enum status
validate(const char *text)
{
    struct sql_error error;

    return json_validate(text, strlen(text), &error);
}

Test(json, takes_well_formed_texts)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        " 1 ",
                                        "-0.5e+10",
                                        "\"a\\u00e9\\n\"",
                                        "[]",
                                        "{}",
                                        "[1,[2,{}],\"x\"]",
                                        "{\"a\":1,\"b\":[null,false]}",
                                        "1e5",
                                        "0"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(validate(texts[i]), STATUS_OK, "%s", texts[i]);
}

Test(json, refuses_everything_else)
{
    static const char *const texts[] = {
        "",      "nul",   "01",         "1.",        ".5",     "[1,]", "{\"a\"}", "{\"a\":}",
        "{1:2}", "[1 2]", "\"\\x\"",    "\"\\u12\"", "\"\n\"", "1 2",  "[",       "{\"a\":1",
        "[1}",   "{]",    "{\"a\":1,}", "+1",        "'a'",    "\"a",  "[[]",     "tru e"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(validate(texts[i]), STATUS_INVALID, "%s", texts[i]);
}

Test(json, bounds_the_depth)
{
    static char text[2 * JSON_DEPTH_MAX + 4];

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    cr_assert_eq(validate(text), STATUS_OK);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    cr_assert_eq(validate(text), STATUS_INVALID);
}
