/* Reads records line by line, runs each, and compares values as texts (logictest.h). */
#include "tests/support/logictest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tests/support/md5.h"

struct values {
    char **texts;
    size_t count;
    size_t capacity;
    size_t width;
};

struct reader {
    const struct logictest_engine *engine;
    char *next; /* NULL at the end. */
    uint64_t line;
    void (*judge)(void *context, uint64_t line, const char *fault);
    void *context;
    struct logictest_result *result;
};

static char *
next_line(struct reader *reader)
{
    char *line = reader->next;

    if (line == NULL || *line == '\0')
        return NULL;
    char *end = strchr(line, '\n');
    reader->next = end == NULL ? NULL : end + 1;
    if (end != NULL)
        *end = '\0';
    size_t size = strlen(line);
    if (size > 0 && line[size - 1] == '\r')
        line[size - 1] = '\0';
    reader->line++;
    return line;
}

static void
values_add(struct values *values, const char *text)
{
    if (values->count == values->capacity) {
        values->capacity = values->capacity == 0 ? 64 : 2 * values->capacity;
        values->texts = realloc(values->texts, values->capacity * sizeof(char *));
        CHECK(values->texts != NULL);
    }
    values->texts[values->count] = strdup(text);
    CHECK(values->texts[values->count++] != NULL);
}

static void
values_free(struct values *values)
{
    for (size_t i = 0; i < values->count; i++)
        free(values->texts[i]);
    free(values->texts);
}

/* One column's value as the format prints it. */
static void
print_value(const char *text, bool truth, char type, struct values *out)
{
    char buffer[64];

    if (text == NULL) {
        values_add(out, "NULL");
    } else if (type == 'I') {
        long long integer = truth ? text[0] == 't' : (long long)strtod(text, NULL);

        snprintf(buffer, sizeof(buffer), "%lld", integer);
        values_add(out, strspn(text, "-0123456789") == strlen(text) ? text : buffer);
    } else if (type == 'R') {
        snprintf(buffer, sizeof(buffer), "%.3f", strtod(text, NULL));
        values_add(out, buffer);
    } else {
        char *copy = strdup(text[0] == '\0' ? "(empty)" : text);

        CHECK(copy != NULL);
        for (char *at = copy; *at != '\0'; at++) {
            if ((unsigned char)*at < ' ')
                *at = '@';
        }
        values_add(out, copy);
        free(copy);
    }
}

struct typed_values {
    const char *types;
    struct values *values;
};

static void
take_row(void *rows, uint32_t width, const char *const *texts, const bool *truths)
{
    struct typed_values *typed = rows;

    typed->values->width = width;
    for (uint32_t i = 0; i < width; i++)
        print_value(texts[i], truths[i], i < strlen(typed->types) ? typed->types[i] : 'T',
                    typed->values);
}

static int
compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static size_t sort_width;

static int
compare_rows(const void *left, const void *right)
{
    for (size_t i = 0; i < sort_width; i++) {
        int order = strcmp(((char *const *)left)[i], ((char *const *)right)[i]);

        if (order != 0)
            return order;
    }
    return 0;
}

static void
sort_values(struct values *values, const char *how)
{
    if (strcmp(how, "valuesort") == 0 && values->count > 0)
        qsort(values->texts, values->count, sizeof(char *), compare_texts);
    if (strcmp(how, "rowsort") != 0 || values->width == 0)
        return;
    sort_width = values->width;
    qsort(values->texts, values->count / values->width, values->width * sizeof(char *),
          compare_rows);
}

static void
hash_values(const struct values *values, char out[33])
{
    size_t size = 0, used = 0;

    for (size_t i = 0; i < values->count; i++)
        size += strlen(values->texts[i]) + 1;
    char *all = malloc(size + 1);
    CHECK(all != NULL);
    for (size_t i = 0; i < values->count; i++) {
        size_t text_size = strlen(values->texts[i]);

        memcpy(all + used, values->texts[i], text_size);
        all[used + text_size] = '\n';
        used += text_size + 1;
    }
    md5_hex(all, size, out);
    free(all);
}

/* Records. */

static void
note(struct reader *reader, uint64_t line, const char *fault)
{
    if (fault == NULL) {
        reader->result->passed++;
        reader->judge(reader->context, line, NULL);
        return;
    }
    reader->result->failed++;
    reader->judge(reader->context, line, fault);
}

/* Lines up to an empty one or `----`. */
static char *
read_sql(struct reader *reader, bool *has_result)
{
    char *sql = calloc(1, 1);
    size_t size = 0;
    char *line;

    CHECK(sql != NULL);
    *has_result = false;
    while ((line = next_line(reader)) != NULL && line[0] != '\0') {
        size_t line_size = strlen(line);

        if (strcmp(line, "----") == 0) {
            *has_result = true;
            break;
        }
        sql = realloc(sql, size + line_size + 2);
        CHECK(sql != NULL);
        memcpy(sql + size, line, line_size);
        memcpy(sql + size + line_size, "\n", 2);
        size += line_size + 1;
    }
    return sql;
}

static void
run_statement(struct reader *reader, const char *wanted, const char *sqlstate, bool skip)
{
    const struct logictest_engine *engine = reader->engine;
    uint64_t line = reader->line;
    bool has_result;
    char *sql = read_sql(reader, &has_result), fault[LOGICTEST_FAULT_SIZE] = "no error";

    if (!skip) {
        bool ok = engine->execute(engine->context, sql, fault);
        bool right = ok == (strcmp(wanted, "ok") == 0) &&
                     (ok || sqlstate[0] == '\0' || strncmp(sqlstate, fault, 5) == 0);

        note(reader, line, right ? NULL : fault);
    }
    free(sql);
}

static bool
matches(const struct values *got, const struct values *expected, char *fault, size_t room)
{
    char hash[33], line[80];

    if (expected->count == 1 && strstr(expected->texts[0], " values hashing to ") != NULL) {
        hash_values(got, hash);
        snprintf(line, sizeof(line), "%zu values hashing to %s", got->count, hash);
        snprintf(fault, room, "got %s, not %s", line, expected->texts[0]);
        return strcmp(line, expected->texts[0]) == 0;
    }
    for (size_t i = 0; i < got->count && i < expected->count; i++) {
        if (strcmp(got->texts[i], expected->texts[i]) == 0)
            continue;
        snprintf(fault, room, "value %zu is \"%.200s\", not \"%.200s\"", i + 1, got->texts[i],
                 expected->texts[i]);
        return false;
    }
    snprintf(fault, room, "%zu values, not %zu", got->count, expected->count);
    return got->count == expected->count;
}

static void
run_query(struct reader *reader, const char *types, const char *sort, bool skip)
{
    struct values got = {.count = 0}, expected = {.count = 0};
    uint64_t line = reader->line;
    bool has_result;
    char *sql = read_sql(reader, &has_result), *text, fault[LOGICTEST_FAULT_SIZE];

    while (has_result && (text = next_line(reader)) != NULL && text[0] != '\0')
        values_add(&expected, text);
    if (!skip) {
        struct typed_values typed = {types, &got};
        bool ok = reader->engine->query(reader->engine->context, sql, take_row, &typed, fault);

        sort_values(&got, sort);
        if (ok && has_result)
            ok = matches(&got, &expected, fault, sizeof(fault));
        note(reader, line, ok ? NULL : fault);
    }
    values_free(&got);
    values_free(&expected);
    free(sql);
}

void
logictest_run(const struct logictest_engine *engine, char *text,
              void (*judge)(void *context, uint64_t line, const char *fault), void *context,
              struct logictest_result *result)
{
    struct reader reader = {engine, text, 0, judge, context, result};
    bool skip = false;
    char *line;

    while ((line = next_line(&reader)) != NULL) {
        char word[4][40] = {"", "", "", ""};

        if (sscanf(line, "%39s %39s %39s %39s", word[0], word[1], word[2], word[3]) < 1 ||
            word[0][0] == '#')
            continue;
        bool ours = strcmp(word[1], "postgresql") == 0;
        if (strcmp(word[0], "skipif") == 0) {
            skip = skip || ours;
        } else if (strcmp(word[0], "onlyif") == 0) {
            skip = skip || !ours;
        } else if (strcmp(word[0], "halt") == 0) {
            if (!skip)
                return;
            skip = false;
        } else if (strcmp(word[0], "statement") == 0) {
            run_statement(&reader, word[1], word[2], skip);
            skip = false;
        } else if (strcmp(word[0], "query") == 0) {
            run_query(&reader, word[1], word[2], skip);
            skip = false;
        }
    }
}

/* qtdb as an engine. */

enum { WIDTH_MAX = 256 };

static bool
fail(char fault[LOGICTEST_FAULT_SIZE])
{
    snprintf(fault, LOGICTEST_FAULT_SIZE, "%s %s", qtdb_error_last()->sqlstate,
             qtdb_error_last()->message);
    return false;
}

static bool
qtdb_execute(void *context, const char *sql, char fault[LOGICTEST_FAULT_SIZE])
{
    return qtdb_exec(context, sql, NULL, NULL) == QTDB_OK || fail(fault);
}

static bool
qtdb_query(void *context, const char *sql, logictest_row *row, void *rows,
           char fault[LOGICTEST_FAULT_SIZE])
{
    struct qtdb_statement *statement = NULL;
    enum qtdb_code code = qtdb_prepare(context, sql, &statement, NULL);
    const char *texts[WIDTH_MAX];
    bool truths[WIDTH_MAX];

    if (code == QTDB_OK) {
        for (code = qtdb_step(statement); code == QTDB_ROW; code = qtdb_step(statement)) {
            uint32_t width = qtdb_column_count(statement);

            CHECK(width <= WIDTH_MAX);
            for (uint32_t i = 0; i < width; i++) {
                texts[i] = qtdb_column_text(statement, i, NULL);
                truths[i] = qtdb_column_type(statement, i) == QTDB_TYPE_BOOL;
            }
            row(rows, width, texts, truths);
        }
        qtdb_finalize(statement);
    }
    return code == QTDB_OK || code == QTDB_DONE || fail(fault);
}

struct logictest_engine
logictest_qtdb(struct qtdb_session *session)
{
    return (struct logictest_engine){session, qtdb_execute, qtdb_query};
}
