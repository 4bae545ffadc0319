/* A key-value store in 40 lines: kv FILE get KEY, kv FILE put KEY VALUE, kv FILE delete KEY. */
#include <qtdb.h>
#include <stdio.h>
#include <string.h>
static enum qtdb_code
run(struct qtdb_txn *txn, const char *what, const char *key, const char *value)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct qtdb_tree *tree;
    char found[65536];
    size_t size = sizeof(found);
    enum qtdb_code code = qtdb_tree_open(txn, "kv", &options, &tree);
    if (code == QTDB_OK && strcmp(what, "put") == 0 && value != NULL)
        return qtdb_put(txn, tree, key, strlen(key), value, strlen(value), QTDB_PUT_ANY);
    if (code == QTDB_OK && strcmp(what, "delete") == 0)
        return qtdb_delete(txn, tree, key, strlen(key));
    if (code == QTDB_OK)
        code = qtdb_get(txn, tree, key, strlen(key), found, &size);
    if (code == QTDB_OK)
        printf("%.*s\n", (int)size, found);
    return code;
}
int
main(int count, char **words)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true};
    struct qtdb *db = NULL;
    struct qtdb_txn *txn = NULL;
    enum qtdb_code code = count < 4 ? QTDB_INVALID : qtdb_open(words[1], &options, &db);

    if (code == QTDB_OK)
        code = qtdb_begin(db, NULL, &txn);
    if (code == QTDB_OK && (code = run(txn, words[2], words[3], words[4])) == QTDB_OK)
        code = qtdb_commit(txn);
    else
        qtdb_rollback(txn);
    if (code != QTDB_OK)
        fprintf(stderr, "kv: %s\n", count < 4 ? "FILE, what, KEY" : qtdb_error_last()->message);
    return qtdb_close(db) != QTDB_OK || code != QTDB_OK;
}
