/*
 * Large values as streams: value_stream FILE put NAME < BYTES, value_stream FILE get NAME > BYTES.
 * However large the value, this takes one buffer, and the library little more.
 */
#include <qtdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char buffer[1 << 16];

static void
must(enum qtdb_code code)
{
    if (code == QTDB_OK)
        return;
    fprintf(stderr, "value_stream: %s\n", qtdb_error_last()->message);
    exit(1);
}

static void
put(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *name)
{
    struct qtdb_value_writer *writer;
    size_t size;

    must(qtdb_value_create(txn, tree, name, strlen(name), QTDB_PUT_ANY, &writer));
    while ((size = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
        must(qtdb_value_write(writer, buffer, size));
    must(qtdb_value_finish(writer));
    qtdb_value_discard(writer);
}

static void
get(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *name)
{
    struct qtdb_value_reader *reader;
    size_t size = 0;

    must(qtdb_value_open(txn, tree, name, strlen(name), &reader));
    for (uint64_t at = 0; at < qtdb_value_size(reader); at += size) {
        must(qtdb_value_read(reader, at, buffer, sizeof(buffer), &size));
        (void)fwrite(buffer, 1, size, stdout);
    }
    qtdb_value_close(reader);
}

int
main(int count, char **words)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree_options tree_options = {.size = sizeof(tree_options), .create = true};
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb *db;

    if (count != 4 || (strcmp(words[2], "put") != 0 && strcmp(words[2], "get") != 0)) {
        fprintf(stderr, "usage: value_stream FILE put|get NAME\n");
        return 2;
    }
    must(qtdb_open(words[1], &options, &db));
    must(qtdb_begin(db, NULL, &txn));
    must(qtdb_tree_open(txn, "values", &tree_options, &tree));
    if (strcmp(words[2], "put") == 0)
        put(txn, tree, words[3]);
    else
        get(txn, tree, words[3]);
    must(qtdb_commit(txn));
    must(qtdb_close(db));
    return fflush(stdout) != 0;
}
