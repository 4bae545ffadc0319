/*
 * Goal: the tables of targets have every row with its verdict, whatever its text holds, and a row that was missed
 * stands like one that was met.
 * Method: few rows, each table looked at as text; a file of rows written and read again, one that is cut off too.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/qtdb-bench/bench_targets.h"

static struct bench_targets targets;

static void
add_three(void)
{
    targets = (struct bench_targets){.count = 0};
    bench_targets_add(&targets, "gets", "1.5 M", "2.0x lmdb\nmore", BENCH_TARGET_MET);
    bench_targets_add(&targets, "sets < 5", "9", "at most 5 & \"less\"", BENCH_TARGET_MISSED);
    bench_targets_add(&targets, "hours", "-", "elsewhere", BENCH_TARGET_OPEN);
}

static const char *
text_of(struct text_buffer *text)
{
    static char copy[1 << 16];

    (void)snprintf(copy, sizeof(copy), "%.*s", (int)text->size, text->bytes);
    return copy;
}

Test(bench_targets, each_table_has_every_row_and_the_counts)
{
    struct memory *memory = memory_new();
    struct text_buffer text;

    add_three();
    text_buffer_init(&text, memory);
    bench_targets_markdown(&text, &targets);
    cr_assert(strstr(text_of(&text), "1 met, 1 NOT met, 1 not measured") != NULL);
    cr_assert(strstr(text_of(&text), "| gets | 1.5 M | met | 2.0x lmdb |\n") != NULL);
    cr_assert(strstr(text_of(&text), "| hours | - | not measured | elsewhere |\n") != NULL);
    text_buffer_reset(&text);
    bench_targets_html(&text, &targets);
    cr_assert(strstr(text_of(&text), "1 met, 1 NOT met, 1 not measured") != NULL);
    cr_assert(strstr(text_of(&text), "sets &lt; 5</td><td class=\"f\">9</td>"
                                     "<td class=\"t v\">NOT met</td>") != NULL);
    cr_assert(strstr(text_of(&text), "<td class=\"t v\">met</td>") != NULL);
    text_buffer_reset(&text);
    bench_targets_json(&text, &targets);
    cr_assert(strstr(text_of(&text),
                     "{\"target\":\"sets < 5\",\"figure\":\"9\",\"verdict\":"
                     "\"NOT met\",\"against\":\"at most 5 & \\\"less\\\"\"}") != NULL);
    text_buffer_reset(&text);
    bench_targets_html(&text, &(struct bench_targets){.count = 0});
    cr_assert_eq(text.size, 0, "no heading without rows");
    text_buffer_deinit(&text);
    memory_delete(memory);
}

Test(bench_targets, rows_of_a_step_are_read_as_they_were_written)
{
    static struct bench_targets again;
    struct memory *memory = memory_new();
    struct bench_options options = {.env = {.memory = memory}};
    char path[] = "/tmp/qtdb-targets.XXXXXX";
    int fd = mkstemp(path);

    cr_assert(fd >= 0 && close(fd) == 0);
    add_three();
    cr_assert(bench_targets_write(&options, &targets, 1, path));
    bench_targets_read(&again, path);
    cr_assert_eq(again.count, 2);
    cr_assert_eq(memcmp(again.list, targets.list + 1, 2 * sizeof(again.list[0])), 0);
    /* A line that lost its end is no row. */
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fputs("1\thalf\n9\ta\tb\tc\n", file) >= 0 && fclose(file) == 0);
    bench_targets_read(&again, path);
    cr_assert_eq(again.count, 2);
    cr_assert_eq(unlink(path), 0);
    bench_targets_read(&again, path);
    cr_assert_eq(again.count, 2);
    memory_delete(memory);
}

Test(bench_targets, what_is_too_much_is_left_out)
{
    add_three();
    for (int i = 0; i < 2 * BENCH_TARGETS_MAX; i++)
        bench_targets_add(&targets, "one more", "1", "", BENCH_TARGET_MET);
    cr_assert_eq(targets.count, BENCH_TARGETS_MAX);
    bench_targets_add(NULL, "nobody", "1", "", BENCH_TARGET_MET);
}
