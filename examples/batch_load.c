/*
 * A batch load: numbers and lines of standard input into a tree of integer keys, 10,000 rows a
 * transaction. Rows that come in order behind the tree's last key are written about once.
 *
 *   seq 1000000 | batch_load FILE
 */
#include <qtdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 10000 };

static void
must(enum qtdb_code code)
{
    if (code == QTDB_OK)
        return;
    fprintf(stderr, "batch_load: %s\n", qtdb_error_last()->message);
    exit(1);
}

/* What is lost when the power fails is at most the last transactions: the end syncs them all. */
static struct qtdb_txn *
begin(struct qtdb *db)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = QTDB_ASYNC};
    struct qtdb_txn *txn;

    must(qtdb_begin(db, &options, &txn));
    return txn;
}

int
main(int count, char **words)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree_options tree_options = {
        .size = sizeof(tree_options), .create = true, .key_kind = QTDB_KEY_INT};
    struct qtdb_tree *tree;
    struct qtdb *db;
    unsigned long long rows = 0;
    char line[4096];

    if (count != 2) {
        fprintf(stderr, "usage: batch_load FILE < LINES\n");
        return 2;
    }
    must(qtdb_open(words[1], &options, &db));
    struct qtdb_txn *txn = begin(db);

    must(qtdb_tree_open(txn, "lines", &tree_options, &tree));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        uint8_t key[8];

        qtdb_key_u64(++rows, key);
        must(qtdb_put(txn, tree, key, sizeof(key), line, strcspn(line, "\n"), QTDB_PUT_ANY));
        if (rows % BATCH_ROWS == 0) {
            must(qtdb_commit(txn));
            txn = begin(db);
        }
    }
    must(qtdb_commit(txn));
    must(qtdb_sync(db));
    must(qtdb_close(db));
    printf("%llu rows\n", rows);
    return 0;
}
