/*
 * The rows of bench_trees.h. Rows that only read come first, by value size: what was loaded for one serves the next
 * (bench_stores). Each row is what is measured (CASE), how it is judged, and what is special.
 */
#include "tools/qtdb-bench/bench_trees.h"

#define ISSUE_ROWS 1000000 /* What the targets ask of rows that count bytes written. */

#define CASE(workload_, value_size_, batch_) \
    .workload = (workload_), .value_size = (value_size_), .batch = (batch_)
/* Fixed numbers: at most for times and bytes, at least for rates. */
#define IS(figure_, least_, aim_) .figure = (figure_), .least = (least_), .aim = (aim_)
/* Ratios to peers, to the best of them, to the engine itself with one client, to the device. */
#define TO(figure_, peers_, least_, least_two_, aim_)                                           \
    .figure = (figure_), .against = PEERS, .peers = (peers_), .least = (least_), .aim = (aim_), \
    .least_two = (least_two_)
#define TO_BEST(figure_, least_, aim_) \
    .figure = (figure_), .against = BEST, .least = (least_), .aim = (aim_)
#define TO_ITSELF(least_, aim_) .against = ITSELF, .least = (least_), .aim = (aim_)
#define BELOW_ALL(figure_, least_, aim_)                                                          \
    .figure = (figure_), .against = BELOW, .peers = "lmdb sqlite bdb leveldb", .least = (least_), \
    .aim = (aim_)
#define LEGACY_INSERT(count_text, count_)                                                     \
    {                                                                                         \
        .name = "insert, storage API, against legacy in memory at " count_text " rows",       \
        CASE("insert", 100, 1000), TO(ROWS, "legacy-memory legacy-copy legacy", 1.0, 1.0, 0), \
        .rows = (count_), .note = legacy_writes                                               \
    }
#define LEGACY_SCAN(count_text, count_)                                                    \
    {                                                                                      \
        .name = "full scan, storage API, against legacy in memory at " count_text " rows", \
        CASE("scan", 100, 1), TO(ROWS, "legacy-memory legacy-copy", 1.0, 1.0, 0),          \
        .rows = (count_), .note = legacy_reads                                             \
    }
/* By another program of ours, which may not be there. */
#define BY(program_, arguments_, before_) \
    .program = (program_), .arguments = (arguments_), .before = (before_)

static const char legacy_writes[] =
    "(memory: a vector, nothing durable, no transaction; copy: the same with its transactions; "
    "legacy: with its log and "
    "file, without fsync; qtdb: pages, transactions, log, without waiting for the disk)";
static const char legacy_reads[] = "(memory: its own rows handed out, no transaction; copy: a "
                                   "snapshot of its kind; qtdb: verified pages, in a snapshot)";

static const struct tree_row tree_rows[] = {
    {.name = "point get, 100-byte values, inside one read transaction",
     CASE("get", 100, 1000),
     TO(RATE, "lmdb sqlite", 2.5, 4.5, 4)},
    {.name = "one get a transaction", CASE("get", 100, 1), TO(RATE, "lmdb sqlite", 2, 7, 3.5)},
    {.name = "two reader threads against one",
     CASE("get", 100, 1000),
     TO_ITSELF(1.8, 1.9),
     .threads = 2},
    {.name = "cursor scan of 100-byte rows", CASE("scan", 100, 1), TO(ROWS, "lmdb", 1.0, 0, 1.5)},
    {.name = "data 10x the pool, cold random gets: leaf reads each",
     CASE("cold", 100, 100),
     IS(LEAF_READS, 1.05, 1.0)},
    {.name =
         "data 10x the pool, cold random gets, 32 a call: against the device's reads, 32 at once",
     CASE("cold-batch", 100, 32),
     .against = READS,
     .least = 0.8,
     .aim = 0.9},
    {.name = "buffer pool hit rate, zipf 0.99, data 10x the pool, all pages from root to leaf",
     CASE("hits", 100, 1000),
     IS(PAGE_HIT_RATE, 0.8, 0),
     .tenth = true,
     .note = "as PostgreSQL counts: blks_hit / (blks_hit + blks_read)"},
    {.name = "buffer pool hit rate, zipf 0.99, data 10x the pool, leaves alone",
     CASE("hits", 100, 1000),
     .figure = HIT_RATE,
     .against = BOUNDS,
     .least = 0.8,
     .tenth = true},
    {.name = "point get, 8-byte values, in a read transaction (ns)",
     CASE("get", 8, 1000),
     IS(NS, 120, 60),
     .least_ten = 250,
     .least_hundred = 450},
    {.name = "batches of 32 (ns a key)",
     CASE("batchget", 8, 32),
     IS(NS, 90, 45),
     .note = "at least is for 1 M rows"},
    {.name = "cursor scan of 16-byte rows (rows/s)", CASE("scan", 8, 1), IS(ROWS, 0, 100e6)},
    {.name = "readers beside one saturated writer, against readers alone",
     CASE("get-writer", 100, 100),
     TO_ITSELF(0.7, 0.9),
     .writer = true},
    {.name = "ordered load, 100-byte rows",
     CASE("load", 100, 10000),
     TO(ROWS, "lmdb", 0.8, 0, 1.2)},
    {.name = "ordered load: write amplification",
     CASE("load", 100, 10000),
     IS(WRITTEN, 1.15, 1.08)},
    {.name = "ordered load, 16-byte rows (rows/s)",
     CASE("load", 8, 10000),
     IS(ROWS, 0, 10e6),
     .alone = true},
    {.name = "1,000 random rows a durable transaction",
     CASE("insert", 100, 1000),
     TO_BEST(ROWS, 1.0, 2)},
    {.name = "write amplification, random 100-byte rows, 1,000 a transaction",
     CASE("insert", 100, 1000),
     BELOW_ALL(WRITTEN, 4.5, 3.7)},
    {.name = "write amplification, random 100-byte rows, 100 a transaction",
     CASE("insert", 100, 100),
     BELOW_ALL(WRITTEN, 0, 0),
     .as_wa = true,
     .most = ISSUE_ROWS},
    {.name = "1 row a durable transaction, one client",
     CASE("insert", 100, 1),
     TO(RATE, "sqlite", 1.5, 0, 0),
     .divisor = 50},
    {.name = "1 row a durable transaction, one client, ext4 with a journal",
     CASE("insert", 100, 1),
     TO_BEST(RATE, 1.3, 0),
     .divisor = 50,
     .on_device = true},
    {.name = "write amplification at the device, random 100-byte rows, 1 a transaction",
     CASE("insert", 100, 1),
     BELOW_ALL(DEVICE, 0, 0),
     .divisor = 50,
     .on_device = true},
    {.name = "1 row a durable transaction, 8 clients",
     CASE("insert", 100, 1),
     TO_BEST(RATE, 1.5, 2.2),
     .threads = 8,
     .divisor = 20},
    {.name = "1 row a durable transaction, 64 clients (a second)",
     CASE("insert", 100, 1),
     IS(RATE, 150000, 300000),
     .threads = 64,
     .divisor = 5},
    {.name = "write amplification, in-place updates of 100 bytes, 1,000 a transaction",
     CASE("update", 100, 1000),
     IS(WRITTEN, 3.5, 2.6),
     .as_wa = true,
     .most = ISSUE_ROWS},
    {.name =
         "write amplification, rows appended in order to a non-empty tree, 10,000 a transaction",
     CASE("append", 100, 10000),
     IS(WRITTEN, 1.5, 1.2),
     .as_wa = true},
    {.name = "write amplification, random 16-byte rows, 64 clients one row each",
     CASE("insert", 8, 1),
     IS(WRITTEN, 20, 12),
     .alone = true,
     .threads = 64,
     .divisor = 5,
     .most = ISSUE_ROWS},
    {.name = "write amplification, random 16-byte rows, 100 k a transaction",
     CASE("insert", 8, 100000),
     IS(WRITTEN, 10, 6),
     .alone = true,
     .most = ISSUE_ROWS},
    LEGACY_INSERT("1 k", 1000),
    LEGACY_INSERT("10 k", 10000),
    LEGACY_INSERT("50 k", 50000),
    LEGACY_SCAN("1 k", 1000),
    LEGACY_SCAN("10 k", 10000),
    LEGACY_SCAN("50 k", 50000),
    {.name = "one transaction updating every row of a table 10x the pool, crashed at 1,000 points",
     BY("qtdb-crash", "big --states 1000 --seed 7", NULL),
     .most = ISSUE_ROWS},
    {.name = "memory beyond the configured pool, an hour of updates beside snapshots",
     .note = "not measured here: build/bench/bench_memory --rows 10000000 --seconds 3600"},
    /* Of `targets` alone. */
    {.name = "SQL: prepared point select, embedded",
     CASE("sql-get", 100, 1),
     TO(RATE, "sqlite", 2, 0, 3),
     .sql = true},
    {.name = "SQL: aggregates and joins over all rows",
     CASE("sql-query", 100, 1),
     TO(RATE, "sqlite", 3, 0, 5),
     .sql = true},
    {.name = "SQL: inserts, 1,000 a transaction",
     CASE("sql-insert", 100, 1000),
     TO(ROWS, "sqlite", 2, 0, 3),
     .sql = true,
     .most = ISSUE_ROWS},
    {.name = "SQL: durable inserts, one a transaction",
     CASE("sql-insert", 100, 1),
     TO(RATE, "sqlite", 1.5, 0, 0),
     .divisor = 50,
     .sql = true},
    {.name = "crash states of the page store, 20 s: lost, torn or silently wrong",
     BY("qtdb-crash", "sim --seconds 20", NULL),
     .sql = true},
    {.name = "crash states of transactions over several trees, 20 s",
     BY("qtdb-crash", "rows --seconds 20", NULL),
     .sql = true},
    {.name = "recovery of 1 GB of log, policy image (s)",
     BY("bench_store", "recovery", "image: "),
     .figure = NS,
     .least = 5,
     .aim = 3,
     .sql = true},
    {.name = "durable appends of 4,096 bytes against the device's O_DSYNC rate",
     BY("bench_store", "append", "ratio "),
     .least = 0.85,
     .sql = true},
    {.name = "bytes written for 1 M changes in place of 100 bytes, policy image",
     BY("bench_store", "written", "image: "),
     .figure = WRITTEN,
     .least = 3.5,
     .sql = true},
    {.name = "data of 10 MB, 100 MB, 1 GB, 10 GB with one pool: get, update, write amplification",
     .note = "not measured here: qtdb-bench sizes, which a suite ends with",
     .sql = true},
    {.name = "crash states explored a minute, faults, flipped bits, torn pages, seeded bugs",
     .note = "not measured here: make store-report, make soak",
     .sql = true},
    {.name = "bytes written and recovery under policy range",
     .note = "not measured here: build/bench/bench_store written, bench_store recovery",
     .sql = true},
    {.name = "SQL: ten aggregates over 10 M rows, memory of scans and sorts",
     .note = "not measured here: bench/aggregates/aggregates_compare.sh 10000000",
     .sql = true},
    {.name = "sum of an integer column, 400 M rows a second",
     .note = "not measured here: bench/aggregates/aggregates_compare.sh 10000000",
     .sql = true},
    {.name = "routers: rebuild at 1 M, 10 M, 100 M rows; 32 keys a call",
     .note = "not measured here: qtdb-bench learned --rows N",
     .sql = true},
    {.name = "branch coverage of wal and pager",
     .note = "not measured here: make coverage",
     .sql = true},
    {.name = "SQL: rows and pages read by LIMIT, IN and BETWEEN",
     .note = "not measured here: EXPLAIN (ANALYZE, BUFFERS); build/tests/unit-executor",
     .sql = true},
    {.name = "SQL: fuzzed text, expressions of 100,000 terms",
     .note = "not measured here: make fuzz-short, make soak",
     .sql = true},
    {.name = "SQL: the 22 queries of TPC-H",
     .note = "not measured here: bench/tpch/tpch_compare.sh",
     .sql = true},
    {.name = "SQL: PostgreSQL's answers (sqllogictest, generated queries)",
     .note = "not measured here: make test-postgres",
     .sql = true},
    {.name = "migration: speed, memory, write amplification",
     .note = "not measured here: make demo, make legacy-million, make legacy-damage",
     .sql = true},
};

const struct tree_row *
bench_tree_row_at(size_t index)
{
    return index < sizeof(tree_rows) / sizeof(tree_rows[0]) ? &tree_rows[index] : NULL;
}

double
bench_tree_row_least(const struct tree_row *row, uint64_t rows)
{
    enum { TEN = 10 };
    const uint64_t ten = (uint64_t)TEN * ISSUE_ROWS;

    if (rows >= TEN * ten && row->least_hundred > 0)
        return row->least_hundred;
    return rows >= ten && row->least_ten > 0 ? row->least_ten : row->least;
}
