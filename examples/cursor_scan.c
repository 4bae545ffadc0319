/*
 * A cursor scan: the rows of a range, forwards or backwards, in one read transaction, which sees one
 * moment however long it takes and whatever others write.
 *
 *   cursor_scan FILE FROM TO      rows FROM <= number <= TO; backwards when TO is below FROM
 */
#include <inttypes.h>
#include <qtdb.h>
#include <stdio.h>
#include <stdlib.h>

static void
must(enum qtdb_code code)
{
    if (code == QTDB_OK)
        return;
    fprintf(stderr, "cursor_scan: %s\n", qtdb_error_last()->message);
    exit(1);
}

static uint64_t
number_of(const uint8_t *key)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | key[i];
    return number;
}

/* False behind the last row that is wanted. */
static bool
show(const struct qtdb_row *row, uint64_t from, uint64_t to)
{
    uint64_t number = number_of(row->key);

    if (from <= to ? number > to : number < to)
        return false;
    printf("%" PRIu64 " %.*s\n", number, (int)row->value_size, (const char *)row->value);
    return true;
}

/* Rows come as many at a time as are at hand, in the direction of the cursor's moves. */
static void
scan(struct qtdb_cursor *cursor, uint64_t from, uint64_t to)
{
    struct qtdb_row rows[64];
    uint8_t key[8];
    enum qtdb_code code;

    qtdb_key_u64(from, key);
    code = from <= to ? qtdb_cursor_seek(cursor, key, sizeof(key))
                      : qtdb_cursor_seek_last(cursor, key, sizeof(key));
    while (code == QTDB_OK) {
        size_t count = qtdb_cursor_rows(cursor, rows, sizeof(rows) / sizeof(rows[0]));

        for (size_t i = 0; i < count; i++)
            if (!show(&rows[i], from, to))
                return;
        code = from <= to ? qtdb_cursor_next(cursor) : qtdb_cursor_previous(cursor);
    }
    if (code != QTDB_NOT_FOUND)
        must(code);
}

int
main(int count, char **words)
{
    struct qtdb_options options = {.size = sizeof(options), .read_only = true};
    struct qtdb_txn_options txn_options = {.size = sizeof(txn_options), .read_only = true};
    struct qtdb_cursor *cursor;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb *db;

    if (count != 4) {
        fprintf(stderr, "usage: cursor_scan FILE FROM TO\n");
        return 2;
    }
    must(qtdb_open(words[1], &options, &db));
    must(qtdb_begin(db, &txn_options, &txn));
    must(qtdb_tree_open(txn, "lines", NULL, &tree));
    must(qtdb_cursor_open(txn, tree, &cursor));
    scan(cursor, strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10));
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
    must(qtdb_close(db));
    return 0;
}
