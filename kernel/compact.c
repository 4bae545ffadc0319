/*
 * qtdb_compact: the rows of one snapshot, written in order into a new file, tree by tree, so that its
 * leaves are full and no page is free. qtdb_shrink: gives free pages at the end of the file back to the
 * file system.
 *
 * The new file is built under a name of its own and appears complete and durable, or not at all. Rows
 * come through a cursor and go through ordinary transactions, which write long runs of them as whole
 * leaves (commit_run.c). Trees keep their names, kinds and options; sequences keep their place, but for
 * numbers logged ahead. What this needs of memory is one transaction's writes and the largest value.
 */
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "wal/wal.h"

enum { BATCH_SIZE = 8 << 20, ROW_COST = 128, PROGRESS_ROWS = 1024 };

#define NEW_SUFFIX "-new"
#define NEW_LOG_SUFFIX "-new-wal"

struct compact {
    struct qtdb *from;
    struct qtdb *to;
    struct qtdb_txn *snapshot;
    struct qtdb_compact_options options;
    uint64_t row_count;
    struct qtdb_tree *tree; /* Of `to`. */
    struct qtdb_txn *txn;   /* Of `to`; NULL: none is open. */
    size_t batch_size;      /* Bytes in it. */
};

/* A code of the public functions as the status it came from; the message stays. */
static enum status
status_of(enum qtdb_code code)
{
    if (code == QTDB_OK)
        return STATUS_OK;
    return error_raise((enum status)code, "%s", qtdb_error_last()->message);
}

static enum status
batch_begin(struct compact *compact)
{
    struct qtdb_txn_options options = {
        .size = sizeof(options),
        .isolation = QTDB_REPEATABLE_READ,
        .durability = QTDB_ASYNC,
    };

    compact->batch_size = 0;
    return status_of(qtdb_begin(compact->to, &options, &compact->txn));
}

static enum status
batch_end(struct compact *compact)
{
    struct qtdb_txn *txn = compact->txn;

    compact->txn = NULL;
    return status_of(qtdb_commit(txn));
}

static enum status
tell(struct compact *compact)
{
    if (compact->options.progress == NULL ||
        compact->options.progress(compact->options.context, compact->row_count))
        return STATUS_OK;
    return error_raise(STATUS_STOPPED, "the compaction was interrupted; nothing was written under "
                                       "its name");
}

static enum status
copy_row(struct compact *compact, struct qtdb_cursor *cursor)
{
    const void *key;
    const void *value;
    size_t key_size;
    size_t value_size;

    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    if (compact->batch_size > BATCH_SIZE) {
        TRY(batch_end(compact));
        TRY(batch_begin(compact));
    }
    TRY(status_of(
        qtdb_put(compact->txn, compact->tree, key, key_size, value, value_size, QTDB_PUT_ANY)));
    compact->batch_size += ROW_COST + key_size;
    if (value_size <= compact->to->large_min)
        compact->batch_size += value_size;
    compact->row_count++;
    return compact->row_count % PROGRESS_ROWS == 0 ? tell(compact) : STATUS_OK;
}

static enum status
copy_rows(struct compact *compact, struct qtdb_tree *from)
{
    struct qtdb_cursor *cursor;

    TRY(cursor__open(compact->snapshot, from, &cursor));
    enum status status = cursor__seek(cursor, NULL, 0);

    while (status == STATUS_OK) {
        status = copy_row(compact, cursor);
        if (status == STATUS_OK)
            status = cursor__next(cursor);
    }
    qtdb_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
copy_tree(struct compact *compact, const char *name, const struct catalog_record *record)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options),
        .create = true,
        .key_kind = (enum qtdb_key_kind)record->kind,
        .router = (enum qtdb_router)record->router,
        .no_compression = (record->flags & CATALOG_FLAG_NO_COMPRESSION) != 0,
    };
    struct qtdb_tree *from;

    TRY(status_of(qtdb_tree_open(compact->snapshot, name, NULL, &from)));
    TRY(batch_begin(compact));
    TRY(status_of(qtdb_tree_open(compact->txn, name, &options, &compact->tree)));
    TRY(batch_end(compact)); /* Runs need a tree that is there. */
    TRY(batch_begin(compact));
    TRY(copy_rows(compact, from));
    return batch_end(compact);
}

/* A row of the catalog. */
static enum status
copy_entry(struct compact *compact, const uint8_t *key, size_t key_size, const void *value,
           size_t value_size)
{
    char name[QTDB_NAME_SIZE_MAX + 1];
    struct catalog_record record;
    le64 next;

    if (key[0] != CATALOG_KEY_NAME && key[0] != CATALOG_KEY_SEQUENCE)
        return STATUS_OK;
    if (key_size < 2 || key_size > QTDB_NAME_SIZE_MAX + 1)
        return error_raise(STATUS_CORRUPT, "catalog: a name has %zu bytes", key_size - 1);
    memcpy(name, key + 1, key_size - 1);
    name[key_size - 1] = '\0';
    if (key[0] == CATALOG_KEY_NAME) {
        TRY(catalog__record_decode(value, value_size, &record));
        return copy_tree(compact, name, &record);
    }
    if (value_size != sizeof(next))
        return error_raise(STATUS_CORRUPT, "catalog: a sequence has %zu bytes", value_size);
    memcpy(&next, value, sizeof(next));
    return status_of(qtdb_sequence_set(compact->to, name, le64_get(next)));
}

static enum status
copy_all(struct compact *compact)
{
    struct qtdb_cursor *cursor;

    TRY(cursor__open(compact->snapshot, compact->from->catalog, &cursor));
    enum status status = cursor__seek(cursor, NULL, 0);

    while (status == STATUS_OK) {
        const void *key;
        const void *value;
        size_t key_size;
        size_t value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        status = copy_entry(compact, key, key_size, value, value_size);
        if (status == STATUS_OK)
            status = cursor__next(cursor);
    }
    qtdb_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? tell(compact) : status;
}

static enum status
fill(struct compact *compact)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};

    TRY(status_of(qtdb_begin(compact->from, &options, &compact->snapshot)));
    enum status status = copy_all(compact);

    qtdb_rollback(compact->txn);
    compact->txn = NULL;
    qtdb_rollback(compact->snapshot);
    return status;
}

/* Removes what an earlier call left that was killed, or this one. */
static void
clear(struct qtdb *db, const char *name, const char *log)
{
    if (io_remove(db->env.io, name) != STATUS_OK)
        error_clear();
    if (wal_remove(&db->env, log) != STATUS_OK)
        error_clear();
}

static enum status
build(struct compact *compact, const char *name)
{
    struct qtdb_options options = {
        .size = sizeof(options),
        .create = true,
        .no_threads = true,
        .pool_size = compact->options.pool_size,
    };

    TRY(database_open_env(&compact->from->env, name, &options, &compact->to));
    enum status status = fill(compact);

    if (status == STATUS_OK)
        return status_of(qtdb_close(compact->to));
    database_abandon(compact->to);
    return status;
}

static enum status
compact_into(struct compact *compact, const char *path)
{
    struct qtdb *db = compact->from;
    char name[IO_PATH_SIZE];
    char log[IO_PATH_SIZE];

    TRY(database__refuse_existing(db, path));
    TRY(database__path_with(path, NEW_SUFFIX, name));
    TRY(database__path_with(path, NEW_LOG_SUFFIX, log));
    clear(db, name, log);
    enum status status = build(compact, name);

    if (status == STATUS_OK)
        status = database__appear(db, name, path);
    if (status != STATUS_OK) {
        char message[ERROR_MESSAGE_SIZE];

        (void)snprintf(message, sizeof(message), "%s", error_message());
        clear(db, name, log);
        return error_raise(status, "%s", message);
    }
    return STATUS_OK;
}

static enum status
run(struct qtdb *db, const char *path, const struct qtdb_compact_options *options)
{
    struct compact compact = {.from = db};
    char real[IO_PATH_SIZE];

    if (options != NULL && options->size == 0)
        return error_raise(STATUS_INVALID,
                           "qtdb_compact_options.size is not set: set it to sizeof");
    if (options != NULL)
        memcpy(&compact.options, options,
               options->size < sizeof(*options) ? options->size : sizeof(*options));
    TRY(io_real_path(db->env.io, path, real, sizeof(real)));
    return compact_into(&compact, real);
}

enum qtdb_code
qtdb_compact(struct qtdb *db, const char *path, const struct qtdb_compact_options *options)
{
    enum status status = run(db, path, options);

    if (status == STATUS_EXISTS)
        return api_error_set(QTDB_EXISTS, NULL, 0, false, "%s exists: nothing is overwritten",
                             path);
    return api_error(status);
}

/* ---- Shrinking ---------------------------------------------------------------------------------- */

static enum status
shrink(struct qtdb *db)
{
    uint32_t page_count;
    bool more = true;

    if (db->read_only)
        return error_raise(STATUS_READONLY, "the database is open read-only");
    while (more)
        TRY(drop__step(db, &more));
    gate__enter(&db->gate);
    enum status status = pager_shrink(db->pager, &page_count);

    gate__leave(&db->gate);
    TRY(status);
    /* The file is cut when no redo point lies before the shrink any more. */
    for (int i = 0; i < 3; i++)
        TRY(pager_checkpoint(db->pager));
    return STATUS_OK;
}

enum qtdb_code
qtdb_shrink(struct qtdb *db)
{
    return api_error(shrink(db));
}
