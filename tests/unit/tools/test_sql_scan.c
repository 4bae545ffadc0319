/*
 * Goal: statements end where PostgreSQL's grammar says, whatever stands in texts, names and comments.
 *
 * Method: texts with the number of statements in them; each is fed whole and byte by byte.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tools/common/sql_scan.h"

struct example {
    const char *text;
    int ends;
    bool blank_after;
};

static const struct example examples[] = {
    {"select 1;", 1, true},
    {"select 1; select 2;", 2, true},
    {"select ';'", 0, false},
    {"select ';;''; ';", 1, true},
    {"select E'\\'; ';", 1, true},
    {"select E'a''\\'; ';", 1, true},
    {"select te'\\'; ';", 1, false},
    {"select '\\'; ", 1, true},
    {"select \"a;\"\"b;\";", 1, true},
    {"select $$ ; ' $$;", 1, true},
    {"select $a$ ; $$ ; $b$ $a$;", 1, true},
    {"select $1; select $2;", 2, true},
    {"select a$b$; select 1;", 2, true},
    {"-- a; b\nselect 1;", 1, true},
    {"select 1 -- ;\n;", 1, true},
    {"/* ; /* ; */ ; */ select 1;", 1, true},
    {"/*/ ; */ select 1;", 1, true},
    {"  \n-- only a comment\n", 0, true},
    {"/* open ;", 0, false},
    {"select 4/2; select 1-1;", 2, true},
    {";;", 2, true},
};

static int
feed(struct sql_scan *scan, const char *text, size_t step)
{
    int ends = 0;
    size_t size = strlen(text);

    while (size > 0) {
        bool ended = false;
        size_t taken = sql_scan_feed(scan, text, size < step ? size : step, &ended);

        ends += ended;
        text += taken;
        size -= taken;
    }
    return ends;
}

Test(sql_scan, statements_end_at_semicolons_that_count)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        for (size_t step = 1; step < 40; step += 13) {
            struct sql_scan scan;

            sql_scan_init(&scan);
            cr_assert_eq(feed(&scan, examples[i].text, step), examples[i].ends, "%s",
                         examples[i].text);
            cr_assert_eq(sql_scan_is_blank(&scan), examples[i].blank_after, "%s", examples[i].text);
        }
    }
}
