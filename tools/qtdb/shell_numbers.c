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
    size_t offset; /* In struct counted. */
};

struct counted {
    struct qtdb_statistics store;
    struct qtdb_session_statistics session;
};

#define NUMBER(name, level, help, field)                         \
    {                                                            \
        name, level, help, offsetof(struct counted, store.field) \
    }
#define SESSION_NUMBER(name, level, help, field)                   \
    {                                                              \
        name, level, help, offsetof(struct counted, session.field) \
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
    SESSION_NUMBER("cache_hits", false, "Statements that the cache had.", cache_hit_count),
    SESSION_NUMBER("cache_misses", false, "Statements that it had not.", cache_miss_count),
    SESSION_NUMBER("cache_evictions", false, "Statements that left it.", cache_eviction_count),
    SESSION_NUMBER("cached", true, "Statements in the cache.", cached_count),
    SESSION_NUMBER("prepared", false, "Plans made.", prepared_count),
    SESSION_NUMBER("preparation_ns", false, "Time that plans took, in nanoseconds.",
                   preparation_ns),
    SESSION_NUMBER("scans_all", false, "Scans of all rows.", scan_all_count),
    SESSION_NUMBER("scans_key", false, "Scans by whole primary keys.", scan_key_count),
    SESSION_NUMBER("scans_key_range", false, "Scans by a range of them.", scan_key_range_count),
    SESSION_NUMBER("scans_index", false, "Scans by an index, then its rows.", scan_index_count),
    SESSION_NUMBER("scans_index_only", false, "Scans by an index alone.", scan_index_only_count),
    SESSION_NUMBER("scan_span_rows", false, "Rows taken together with others of their leaf.",
                   scan_span_row_count),
    SESSION_NUMBER("scan_counted_leaves", false, "Leaves whose rows were only counted.",
                   scan_counted_leaf_count),
};
enum { NUMBER_COUNT = sizeof(numbers) / sizeof(numbers[0]) };

static struct counted
ask(struct shell *shell)
{
    struct counted counted = {.store.size = sizeof(counted.store),
                              .session.size = sizeof(counted.session)};

    qtdb_get_statistics(shell->db, &counted.store);
    qtdb_session_get_statistics(shell->session, &counted.session);
    return counted;
}

static unsigned long long
value_of(const struct number *number, const struct counted *counted)
{
    return *(const uint64_t *)((const char *)counted + number->offset);
}

bool
shell_print_stats(struct shell *shell, const char *argument)
{
    struct counted counted = ask(shell);
    bool json = shell->output.mode == OUTPUT_JSON;

    (void)argument;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        printf(json ? "%s\"%s\": %llu" : "%s%-16s %llu\n",
               !json    ? ""
               : i == 0 ? "{"
                        : ", ",
               numbers[i].name, value_of(&numbers[i], &counted));
    if (json)
        printf("}\n");
    else if (counted.session.prepared_count > 0)
        printf(
            "%-16s %llu\n", "ns_a_preparation",
            (unsigned long long)(counted.session.preparation_ns / counted.session.prepared_count));
    return true;
}

bool
shell_print_metrics(struct shell *shell, const char *argument)
{
    struct counted counted = ask(shell);

    (void)argument;
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const struct number *number = &numbers[i];
        const char *end = number->level ? "" : "_total";

        printf("# HELP qtdb_%s%s %s\n# TYPE qtdb_%s%s %s\nqtdb_%s%s %llu\n", number->name, end,
               number->help, number->name, end, number->level ? "gauge" : "counter", number->name,
               end, value_of(number, &counted));
    }
    return true;
}

/* Write amplification. */

/* What write amplification is made of, and no more: it is asked around each statement. */
static struct qtdb_statistics
ask_written(struct shell *shell)
{
    struct qtdb_statistics statistics = {.size = offsetof(struct qtdb_statistics, pin_count)};

    qtdb_get_statistics(shell->db, &statistics);
    return statistics;
}

static uint64_t
written(const struct qtdb_statistics *statistics)
{
    return statistics->log_size + statistics->page_write_size + statistics->meta_write_size;
}

void
shell_count_begin(struct shell *shell)
{
    shell->before = ask_written(shell);
    shell->counting = true;
}

void
shell_count_end(struct shell *shell)
{
    struct qtdb_statistics now = ask_written(shell);

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
    struct qtdb_statistics statistics = ask_written(shell);

    (void)argument;
    printf("last statement: logged %llu ", (unsigned long long)shell->last_logged);
    print_ratio(shell->last_written, shell->last_user);
    print_ratio(written(&statistics), statistics.user_size);
    return true;
}
