/* The text of a statement's rows. */
#include "tests/support/sql_rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct text {
    size_t used;
    char bytes[65536];
};

static void
add(struct text *text, const char *part)
{
    size_t size = strlen(part);

    cr_assert_lt(text->used + size, sizeof(text->bytes), "more rows than a test can look at");
    memcpy(text->bytes + text->used, part, size + 1);
    text->used += size;
}

static bool
add_row(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct text *text = context;

    (void)names;
    for (uint32_t i = 0; i < count; i++) {
        add(text, i > 0 ? "|" : "");
        add(text, values[i] != NULL ? values[i] : "NULL");
    }
    add(text, "\n");
    return true;
}

const char *
sql_rows(struct qtdb_session *session, const char *sql)
{
    static struct text text;

    text.used = 0;
    text.bytes[0] = '\0';
    cr_assert_eq(qtdb_exec(session, sql, add_row, &text), QTDB_OK, "%s: %s", sql,
                 qtdb_error_last()->message);
    return text.bytes;
}

void
sql_expect(struct qtdb_session *session, const char *sql, const char *rows)
{
    const char *found = sql_rows(session, sql);

    cr_assert_str_eq(found, rows, "%s gave:\n%s", sql, found);
}

void
sql_refuse(struct qtdb_session *session, const char *sql, const char *sqlstate)
{
    cr_assert_neq(qtdb_exec(session, sql, NULL, NULL), QTDB_OK, "%s", sql);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, sqlstate, "%s: %s", sql,
                     qtdb_error_last()->message);
}
