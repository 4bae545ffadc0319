/*
 * The predecessor's way, implemented again to be measured: all rows in one vector in memory, a log
 * record for each operation, and after every 100 operations the whole instance written anew (the
 * bytes of shared/legacy-format.md, generation B). An update leaves the old row behind as a dead one.
 *
 * Rows are held as its file format tells: a vector of rows, each a list of tagged values on the heap, bytes with
 * memory of their own. Whether it copied rows when it read them is not known; here it hands out its own
 * memory, which flatters it.
 *
 * It is given a hash index in memory that the predecessor did not have, so gets flatter it. With
 * durability sync the log is synced at each commit and each snapshot when it is written, which the
 * predecessor did not do; async does neither. Transactions are not undone: rollback is refused.
 * `legacy-memory` is the vector and its index alone: no file, no log, no transaction, nothing kept.
 * `legacy-copy` is that with its transactions: the predecessor had its snapshots by a copy of the database, made here
 * of the rows when a transaction of more than one operation begins, and dropped when it ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tools/qtdb-bench/bench_engines.h"

enum { OPERATIONS_A_SNAPSHOT = 100, LOG_INSERT = 2, LOG_UPDATE = 3, LOG_DELETE = 4 };
enum { TAG_INTEGER = 2, TAG_BYTES = 13, FILE_BUFFER = 1 << 16 };

/* As its file format tells: a row is a list of tagged values, texts and bytes have memory of their own. */
struct value {
    uint32_t tag;
    uint32_t size; /* Of bytes. */
    union {
        uint64_t integer;
        uint8_t *bytes;
    };
};

enum { VALUES = 2 };

struct row {
    struct value *values; /* The key and the value. */
    bool dead;
};

struct bench_db {
    struct bench_config config;
    bool files;  /* False: nothing is written. */
    bool copies; /* Transactions have a copy of all rows. */
    char log_path[4200];
    char path[4200];
    FILE *log;
    uint64_t sequence;
    uint32_t operations; /* Since the last snapshot. */
    bool failed;
    struct row *rows;
    size_t row_count;
    size_t row_room;
    uint64_t *index; /* Row number + 1 by hash; 0: empty. Deleted rows stay, as dead ones. */
    size_t index_room;
};

struct bench_session {
    struct bench_db *db;
    bool writing;
    struct row *copy; /* Of all rows there were when the transaction began. */
    size_t copy_count;
};

/* Writing. */

static void
write_bytes(FILE *file, const void *bytes, size_t size, struct bench_db *db)
{
    db->failed = fwrite(bytes, 1, size, file) != size || db->failed;
}

static void
write_u32(FILE *file, uint32_t value, struct bench_db *db)
{
    write_bytes(file, &value, sizeof(value), db);
}

static void
write_u64(FILE *file, uint64_t value, struct bench_db *db)
{
    write_bytes(file, &value, sizeof(value), db);
}

static void
write_text(FILE *file, const char *text, struct bench_db *db)
{
    write_u64(file, strlen(text), db);
    write_bytes(file, text, strlen(text), db);
}

static uint64_t
key_of(const struct row *row)
{
    return row->values[0].integer;
}

static size_t
row_bytes(const struct row *row)
{
    return 8 + 4 + 8 + 4 + 8 + row->values[1].size + 8 + 1 + (row->dead ? 8u : 0u);
}

static void
write_row(FILE *file, const struct row *row, uint64_t number, struct bench_db *db)
{
    uint8_t dead = row->dead;

    const struct value *value = &row->values[1];

    write_u64(file, VALUES, db);
    write_u32(file, row->values[0].tag, db);
    write_u64(file, key_of(row), db);
    write_u32(file, value->tag, db);
    write_u64(file, value->size, db);
    write_bytes(file, value->bytes, value->size, db);
    write_u64(file, number + 1, db);
    write_bytes(file, &dead, 1, db);
    if (row->dead)
        write_u64(file, number + 2, db);
}

static void
write_column(FILE *file, const char *name, uint32_t type, struct bench_db *db)
{
    write_text(file, name, db);
    write_u32(file, type, db);
    write_bytes(file, "\0\0\0\0", 4, db); /* Not null, no key, not unique, no foreign key. */
}

/* Everything before the rows: an instance of one database of one table. */
static void
write_head(FILE *file, struct bench_db *db)
{
    write_u64(file, 1, db);
    write_text(file, "bench", db);
    write_text(file, "bench", db);
    write_u64(file, 1, db);
    write_text(file, "rows", db);
    write_text(file, "rows", db);
    write_u64(file, 2, db);
    write_column(file, "k", 1, db);
    write_column(file, "v", 16, db);
    write_u64(file, db->row_count, db);
}

static enum status
write_snapshot(struct bench_db *db)
{
    FILE *file = fopen(db->path, "wb");

    db->operations = 0;
    if (file == NULL)
        return error_raise(STATUS_IO, "%s: %s", db->path, strerror(errno));
    write_head(file, db);
    for (size_t i = 0; i < db->row_count; i++)
        write_row(file, &db->rows[i], i, db);
    for (int i = 0; i < 4; i++) /* Sequences, enums, metadata, users. */
        write_u64(file, 0, db);
    db->failed = fflush(file) != 0 || db->failed;
    if (db->config.sync)
        db->failed = fdatasync(fileno(file)) != 0 || db->failed;
    db->failed = fclose(file) != 0 || db->failed;
    return db->failed ? error_raise(STATUS_IO, "%s cannot be written", db->path) : STATUS_OK;
}

static void
write_record(struct bench_db *db, uint32_t operation, uint64_t old, const struct row *row)
{
    size_t size = 8 + 8 + 4 + 8 + 4 + (operation != LOG_INSERT ? 8u : 0u) +
                  (row != NULL ? row_bytes(row) : 0);

    write_u32(db->log, (uint32_t)size, db);
    write_u64(db->log, ++db->sequence, db);
    write_u64(db->log, 0, db);
    write_u32(db->log, operation, db);
    write_text(db->log, "rows", db);
    if (operation != LOG_INSERT)
        write_u64(db->log, old, db);
    if (row != NULL)
        write_row(db->log, row, db->row_count, db);
}

static enum status
logged(struct bench_db *db, uint32_t operation, uint64_t old, const struct row *row)
{
    if (!db->files || db->config.loading)
        return STATUS_OK;
    write_record(db, operation, old, row);
    return ++db->operations >= OPERATIONS_A_SNAPSHOT ? write_snapshot(db) : STATUS_OK;
}

/* Rows. */

static uint64_t *
find(const struct bench_db *db, uint64_t key)
{
    size_t place = (size_t)random_mix(key) & (db->index_room - 1);

    while (db->index[place] != 0 && key_of(&db->rows[db->index[place] - 1]) != key)
        place = (place + 1) & (db->index_room - 1);
    return &db->index[place];
}

static enum status
grow_index(struct bench_db *db)
{
    struct memory *memory = db->config.memory;
    size_t old_room = db->index_room;
    uint64_t *old = db->index;
    size_t room = old_room == 0 ? 1024 : old_room * 2;
    uint64_t *fresh = memory_alloc(memory, MEMORY_OTHER, room * sizeof(*fresh));

    if (fresh == NULL)
        return STATUS_NO_MEMORY;
    db->index = fresh;
    db->index_room = room;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i] != 0)
            *find(db, key_of(&db->rows[old[i] - 1])) = old[i];
    }
    memory_free(memory, MEMORY_OTHER, old, old_room * sizeof(*old));
    return STATUS_OK;
}

static enum status
add_row(struct bench_db *db, const struct row *row)
{
    if (db->row_count == db->row_room) {
        size_t room = db->row_room == 0 ? 1024 : db->row_room * 2;
        struct row *rows = memory_resize(db->config.memory, MEMORY_OTHER, db->rows,
                                         db->row_room * sizeof(*rows), room * sizeof(*rows));

        if (rows == NULL)
            return STATUS_NO_MEMORY;
        db->rows = rows;
        db->row_room = room;
    }
    if (2 * (db->row_count + 1) > db->index_room)
        TRY(grow_index(db));
    db->rows[db->row_count] = *row;
    *find(db, key_of(row)) = ++db->row_count;
    return STATUS_OK;
}

static void
free_row(struct bench_db *db, struct row *row)
{
    if (row->values != NULL && row->values[1].bytes != NULL)
        memory_free(db->config.memory, MEMORY_OTHER, row->values[1].bytes, row->values[1].size + 1);
    memory_free(db->config.memory, MEMORY_OTHER, row->values, VALUES * sizeof(*row->values));
}

/* Room for a value of `size` bytes; what was taken is freed by free_row, also after a failure. */
static enum status
make_row(struct bench_db *db, uint64_t key, size_t size, struct row *out)
{
    *out = (struct row){.dead = false};
    out->values = memory_alloc(db->config.memory, MEMORY_OTHER, VALUES * sizeof(*out->values));
    if (out->values == NULL)
        return STATUS_NO_MEMORY;
    out->values[0] = (struct value){.tag = TAG_INTEGER, .integer = key};
    out->values[1] = (struct value){.tag = TAG_BYTES, .size = (uint32_t)size};
    out->values[1].bytes = memory_alloc(db->config.memory, MEMORY_OTHER, size + 1);
    return out->values[1].bytes == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    struct bench_db *db = session->db;
    uint64_t old = db->index_room == 0 ? 0 : *find(db, key);
    struct row row;
    enum status status = make_row(db, key, size, &row);

    (void)how;
    if (status == STATUS_OK) {
        memcpy(row.values[1].bytes, value, size);
        if (old != 0)
            db->rows[old - 1].dead = true;
        status = add_row(db, &row);
    }
    if (status != STATUS_OK) {
        free_row(db, &row);
        return status;
    }
    return logged(db, old == 0 ? LOG_INSERT : LOG_UPDATE, old - 1, &row);
}

static const struct row *
live_row(const struct bench_db *db, uint64_t key)
{
    uint64_t number = db->index_room == 0 ? 0 : *find(db, key);

    return number == 0 || db->rows[number - 1].dead ? NULL : &db->rows[number - 1];
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    const struct row *row = live_row(session->db, key);

    if (row == NULL)
        return STATUS_NOT_FOUND;
    *value_out = row->values[1].bytes;
    *size_out = row->values[1].size;
    return STATUS_OK;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    struct bench_db *db = session->db;
    const struct row *row = live_row(db, key);

    if (row == NULL)
        return STATUS_NOT_FOUND;
    size_t number = (size_t)(row - db->rows);
    db->rows[number].dead = true;
    return logged(db, LOG_DELETE, number, NULL);
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    const struct bench_db *db = session->db;

    for (size_t i = 0; i < db->row_count && limit > 0; i++) {
        const struct row *row = &db->rows[i];

        if (row->dead || key_of(row) < first)
            continue;
        limit--;
        if (!visit(context, key_of(row), row->values[1].bytes, row->values[1].size))
            break;
    }
    return STATUS_OK;
}

/* Opening reads the snapshot that closing wrote; this file's own bytes, yet every size is bounded. */

static enum status
read_row(struct bench_db *db, FILE *file)
{
    uint8_t head[8 + 4 + 8 + 4 + 8], tail[8 + 1] = {0}, xmax[8];
    uint64_t key, size;
    struct row row;

    if (fread(head, sizeof(head), 1, file) != 1)
        return error_raise(STATUS_CORRUPT, "%s ends within a row", db->path);
    memcpy(&key, head + 12, 8);
    memcpy(&size, head + 24, 8);
    if (size > UINT32_MAX)
        return error_raise(STATUS_CORRUPT, "%s: a value of %llu bytes", db->path,
                           (unsigned long long)size);
    enum status status = make_row(db, key, (size_t)size, &row);
    if (status == STATUS_OK &&
        ((size > 0 && fread(row.values[1].bytes, (size_t)size, 1, file) != 1) ||
         fread(tail, sizeof(tail), 1, file) != 1 ||
         (tail[8] != 0 && fread(xmax, sizeof(xmax), 1, file) != 1)))
        status = error_raise(STATUS_CORRUPT, "%s ends within a row", db->path);
    if (status == STATUS_OK) {
        row.dead = tail[8] != 0;
        status = add_row(db, &row);
    }
    if (status != STATUS_OK)
        free_row(db, &row);
    return status;
}

static enum status
read_snapshot(struct bench_db *db)
{
    FILE *file = fopen(db->path, "rb");
    /* write_head: five texts and counts, two columns, then the number of rows. */
    long head = 8 + 2 * 13 + 8 + 2 * 12 + 8 + 2 * (9 + 4 + 4);
    uint64_t count = 0;
    enum status status = STATUS_OK;

    if (file == NULL)
        return STATUS_OK;
    if (fseek(file, head, SEEK_SET) != 0 || fread(&count, sizeof(count), 1, file) != 1)
        status = error_raise(STATUS_CORRUPT, "%s: no rows", db->path);
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++)
        status = read_row(db, file);
    (void)fclose(file);
    return status;
}

static void
free_db(struct bench_db *db)
{
    struct memory *memory = db->config.memory;

    if (db->log != NULL)
        (void)fclose(db->log);
    for (size_t i = 0; i < db->row_count; i++)
        free_row(db, &db->rows[i]);
    memory_free(memory, MEMORY_OTHER, db->rows, db->row_room * sizeof(*db->rows));
    memory_free(memory, MEMORY_OTHER, db->index, db->index_room * sizeof(*db->index));
    memory_free(memory, MEMORY_OTHER, db, sizeof(*db));
}

static enum status
open_memory(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = memory_alloc(config->memory, MEMORY_OTHER, sizeof(*db));

    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->config = *config;
    *out = db;
    return STATUS_OK;
}

static enum status
open_copying(const struct bench_config *config, struct bench_db **out)
{
    TRY(open_memory(config, out));
    (*out)->copies = true;
    return STATUS_OK;
}

static enum status
open_files(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = NULL;

    TRY(open_memory(config, &db));
    db->files = true;
    (void)snprintf(db->path, sizeof(db->path), "%s/server_instance.db", config->dir);
    (void)snprintf(db->log_path, sizeof(db->log_path), "%s/rows.wal", config->dir);
    enum status status = read_snapshot(db);
    if (status == STATUS_OK) {
        db->log = fopen(db->log_path, "wb");
        if (db->log == NULL)
            status = error_raise(STATUS_IO, "%s: %s", db->log_path, strerror(errno));
    }
    if (status != STATUS_OK) {
        free_db(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
settle(struct bench_db *db)
{
    return db->files && (db->operations > 0 || db->config.loading) ? write_snapshot(db) : STATUS_OK;
}

static enum status
close_db(struct bench_db *db)
{
    enum status status = settle(db);

    free_db(db);
    return status;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    if (db->config.threads > 1)
        return error_raise(STATUS_INVALID, "legacy: one thread only, it has no locks");
    struct bench_session *session = memory_alloc(db->config.memory, MEMORY_OTHER, sizeof(*session));
    if (session == NULL)
        return STATUS_NO_MEMORY;
    session->db = db;
    *out = session;
    return STATUS_OK;
}

static void
drop_copy(struct bench_session *session)
{
    for (size_t i = 0; i < session->copy_count; i++)
        free_row(session->db, &session->copy[i]);
    memory_free(session->db->config.memory, MEMORY_OTHER, session->copy,
                session->copy_count * sizeof(*session->copy));
    session->copy = NULL;
    session->copy_count = 0;
}

static enum status
copy_rows(struct bench_session *session)
{
    struct bench_db *db = session->db;

    if (db->row_count == 0)
        return STATUS_OK;
    session->copy =
        memory_alloc(db->config.memory, MEMORY_OTHER, db->row_count * sizeof(*session->copy));
    if (session->copy == NULL)
        return STATUS_NO_MEMORY;
    session->copy_count = db->row_count;
    for (size_t i = 0; i < db->row_count; i++) {
        const struct value *value = &db->rows[i].values[1];

        TRY(make_row(db, key_of(&db->rows[i]), value->size, &session->copy[i]));
        memcpy(session->copy[i].values[1].bytes, value->bytes, value->size);
    }
    return STATUS_OK;
}

static void
session_close(struct bench_session *session)
{
    drop_copy(session);
    memory_free(session->db->config.memory, MEMORY_OTHER, session, sizeof(*session));
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->writing = bench_txn_writes(kind);
    drop_copy(session);
    if (session->db->copies && !session->db->config.loading &&
        (kind == BENCH_READ || kind == BENCH_WRITE))
        return copy_rows(session);
    return STATUS_OK;
}

static enum status
commit(struct bench_session *session)
{
    struct bench_db *db = session->db;

    drop_copy(session);
    if (!db->files || db->config.loading || !session->writing)
        return STATUS_OK;
    db->failed = fflush(db->log) != 0 || db->failed;
    if (db->config.sync)
        db->failed = fdatasync(fileno(db->log)) != 0 || db->failed;
    return db->failed ? error_raise(STATUS_IO, "%s cannot be written", db->log_path) : STATUS_OK;
}

/* There is nothing to undo with; the driver rolls back only after a failure that ends the run. */
static void
rollback(struct bench_session *session)
{
    drop_copy(session);
}

static const char *
version(void)
{
    return "re-implementation";
}

#define LEGACY_CALLS                                                                        \
    .version = version, .close = close_db, .session_open = session_open,                    \
    .session_close = session_close, .begin = begin, .commit = commit, .rollback = rollback, \
    .put = put, .get = get, .remove = delete_row, .scan = scan, .settle = settle

const struct bench_engine bench_legacy = {
    .name = "legacy",
    .settings =
        "the predecessor's way, re-implemented: rows in a vector, a log record an operation, "
        "the whole file rewritten each 100 operations; a hash index it did not have; sync: "
        "fdatasync of log and snapshot, which it did not do; --pool means nothing to it",
    .flags = BENCH_UNORDERED | BENCH_REWRITES,
    .open = open_files,
    LEGACY_CALLS,
};

const struct bench_engine bench_legacy_memory = {
    .name = "legacy-memory",
    .settings = "legacy without its files: a vector of rows and a hash index in memory, nothing "
                "durable, no transactions",
    .flags = BENCH_UNORDERED | BENCH_VOLATILE,
    .open = open_memory,
    LEGACY_CALLS,
};

const struct bench_engine bench_legacy_copy = {
    .name = "legacy-copy",
    .settings =
        "legacy-memory with the predecessor's transactions: a copy of all rows when one of more "
        "than one operation begins; nothing durable",
    .flags = BENCH_UNORDERED | BENCH_VOLATILE,
    .open = open_copying,
    LEGACY_CALLS,
};
