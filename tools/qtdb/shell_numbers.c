/*
 * What the store counts: .stats for people or, with --json, programs; .metrics in the text format of
 * Prometheus; .wa, the bytes written for the last statement and since the file was opened. One table has
 * the names.
 *
 * What a statement costs in pages is written later, by a checkpoint or when the pool needs the room, and
 * then counts to the statement that runs meanwhile; its log is written before it ends.
 */
#include <stddef.h>
#include <stdio.h>

#include "tools/qtdb/shell.h"

struct number {
    const char *name; /* As .stats has it. */
    bool level;       /* What there is now; otherwise it only grows. */
    const char *help;
    size_t offset; /* In struct qtdb_statistics. */
};

#define NUMBER(name, level, help, field)                           \
    {                                                              \
        name, level, help, offsetof(struct qtdb_statistics, field) \
    }

static const struct number numbers[] = {
    NUMBER("commits", false, "Transactions that changed something.", commit_count),
    NUMBER("user_bytes", false, "Bytes of keys and values put.", user_size),
    NUMBER("log_bytes", false, "Bytes written to the log, padding included.", log_size),
    NUMBER("page_bytes", false, "Bytes of pages written.", page_write_size),
    NUMBER("meta_bytes", false, "Bytes of meta data written.", meta_write_size),
    NUMBER("pages", true, "Pages of the file.", page_count),
    NUMBER("free_pages", true, "Pages that hold nothing.", free_page_count),
    NUMBER("page_reads", false, "Pages read from the file.", page_read_count),
    NUMBER("map_reads", false, "Of these, pages of the map.", map_read_count),
    NUMBER("inner_reads", false, "Of these, inner pages of trees.", inner_read_count),
    NUMBER("pins", false, "Pages asked for.", pin_count),
    NUMBER("checkpoints", false, "Checkpoints.", checkpoint_count),
    NUMBER("repairs", false, "Pages repaired.", repair_count),
    NUMBER("conflicts", false, "Transactions told to run again.", conflict_count),
    NUMBER("lock_waits", false, "Waits for a lock of a row.", lock_wait_count),
    NUMBER("deadlocks", false, "Transactions that were a deadlock's victim.", deadlock_count),
    NUMBER("version_bytes", true, "Earlier states of rows kept for snapshots.", version_size),
    NUMBER("pool_bytes", true, "Memory for pages.", pool_size),
};
enum { NUMBER_COUNT = sizeof(numbers) / sizeof(numbers[0]) };

static struct qtdb_statistics
ask(struct shell *shell)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(shell->db, &statistics);
    return statistics;
}

static unsigned long long
value_of(const struct number *number, const struct qtdb_statistics *statistics)
{
    return *(const uint64_t *)((const char *)statistics + number->offset);
}

bool
shell_print_stats(struct shell *shell, const char *argument)
{
    struct qtdb_statistics statistics = ask(shell);
    bool json = shell->output.mode == OUTPUT_JSON;

    (void)argument;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        printf(json ? "%s\"%s\": %llu" : "%s%-14s %llu\n",
               !json    ? ""
               : i == 0 ? "{"
                        : ", ",
               numbers[i].name, value_of(&numbers[i], &statistics));
    if (json)
        printf("}\n");
    else if (statistics.pin_count > 0)
        printf("%-14s %.4f\n", "hit_rate",
               1.0 - (double)statistics.page_read_count / (double)statistics.pin_count);
    return true;
}

bool
shell_print_metrics(struct shell *shell, const char *argument)
{
    struct qtdb_statistics statistics = ask(shell);

    (void)argument;
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const struct number *number = &numbers[i];
        const char *end = number->level ? "" : "_total";

        printf("# HELP qtdb_%s%s %s\n# TYPE qtdb_%s%s %s\nqtdb_%s%s %llu\n", number->name, end,
               number->help, number->name, end, number->level ? "gauge" : "counter", number->name,
               end, value_of(number, &statistics));
    }
    return true;
}

/* Write amplification. */

static uint64_t
written(const struct qtdb_statistics *statistics)
{
    return statistics->log_size + statistics->page_write_size + statistics->meta_write_size;
}

void
shell_count_begin(struct shell *shell)
{
    shell->before = ask(shell);
    shell->counting = true;
}

void
shell_count_end(struct shell *shell)
{
    struct qtdb_statistics now = ask(shell);

    if (!shell->counting)
        return;
    shell->counting = false;
    shell->last_logged = now.log_size - shell->before.log_size;
    shell->last_written = written(&now) - written(&shell->before);
    shell->last_user = now.user_size - shell->before.user_size;
}

static void
print_ratio(uint64_t size, uint64_t user)
{
    printf("written %llu user %llu ratio %.2f\n", (unsigned long long)size,
           (unsigned long long)user, user > 0 ? (double)size / (double)user : 0.0);
}

bool
shell_print_wa(struct shell *shell, const char *argument)
{
    struct qtdb_statistics statistics = ask(shell);

    (void)argument;
    printf("last statement: logged %llu ", (unsigned long long)shell->last_logged);
    print_ratio(shell->last_written, shell->last_user);
    print_ratio(written(&statistics), statistics.user_size);
    return true;
}
