/*
 * Sequences: counters in memory, whose rows in the catalog say up to where numbers may have been handed
 * out. When a batch is used up, the next limit is committed first, in a change of its own; so what is
 * handed out lies always below a limit that comes earlier in the log than any commit that uses it
 * (T14). The row is not flushed: if it is lost, so are those commits. After a crash a sequence goes on
 * at its limit; a clean close stores where it is.
 *
 * Nothing of this is part of a transaction, and no snapshot shows it.
 */
#include "kernel/kernel_private.h"

enum { BATCH = 256 };

struct row {
    struct btree catalog;
    uint8_t key[QTDB_NAME_SIZE_MAX + 1];
    size_t key_size;
    le64 limit;
};

static struct row
row_of(struct qtdb *db, const struct sequence *sequence)
{
    struct row row = {.catalog = tree__btree(db->catalog), .key_size = sequence->name_size + 1};

    row.key[0] = CATALOG_KEY_SEQUENCE;
    memcpy(row.key + 1, sequence->name, sequence->name_size);
    return row;
}

static enum status
store_body(struct pager_change *change, void *context)
{
    struct row *row = context;

    return btree_put(change, &row->catalog, row->key, row->key_size, row->limit.byte,
                     sizeof(row->limit), NULL);
}

static enum status
remove_body(struct pager_change *change, void *context)
{
    struct row *row = context;

    return btree_delete(change, &row->catalog, row->key, row->key_size);
}

static enum status
run(struct qtdb *db, enum status (*body)(struct pager_change *change, void *context),
    struct row *row)
{
    uint64_t csn;

    gate__enter(&db->gate);
    enum status status = commit__change(db, body, row, &csn);

    gate__leave(&db->gate);
    return status;
}

/* Commits a limit; then it counts. */
static enum status
store(struct qtdb *db, struct sequence *sequence, uint64_t limit)
{
    struct row row = row_of(db, sequence);

    row.limit = le64_of(limit);
    TRY(run(db, store_body, &row));
    sequence->limit = limit;
    return STATUS_OK;
}

/* Where the sequence goes on, from its row. */
static enum status
load(struct qtdb *db, struct sequence *sequence)
{
    struct row row = row_of(db, sequence);
    size_t size = sizeof(row.limit);
    uint64_t csn;
    enum status status =
        btree_get(&row.catalog, row.key, row.key_size, row.limit.byte, &size, &csn);

    if (status == STATUS_NOT_FOUND) {
        sequence->next = 1;
        sequence->limit = 0; /* There is no row yet. */
        return STATUS_OK;
    }
    if (status == STATUS_FULL ||
        (status == STATUS_OK && (size != sizeof(row.limit) || le64_get(row.limit) == 0)))
        return error_raise(STATUS_CORRUPT, "catalog: the row of sequence '%s' is damaged",
                           sequence->name);
    TRY(status);
    sequence->next = le64_get(row.limit);
    sequence->limit = sequence->next;
    return STATUS_OK;
}

/* The sequence of the name, from its row when it is first asked for. Under the sequence latch. */
static enum status
find(struct qtdb *db, const char *name, struct sequence **out)
{
    size_t name_size = strnlen(name, QTDB_NAME_SIZE_MAX + 1);
    struct sequence *sequence = db->sequences;

    if (db->read_only)
        return error_raise(STATUS_READONLY, "the database is open read-only");
    if (name_size == 0 || name_size > QTDB_NAME_SIZE_MAX)
        return error_raise(STATUS_INVALID, "the name of a sequence has 1 to %d bytes",
                           QTDB_NAME_SIZE_MAX);
    while (sequence != NULL && strcmp(sequence->name, name) != 0)
        sequence = sequence->next_sequence;
    if (sequence == NULL) {
        sequence = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*sequence));
        if (sequence == NULL)
            return STATUS_NO_MEMORY;
        memcpy(sequence->name, name, name_size);
        sequence->name_size = name_size;
        enum status status = load(db, sequence);

        if (status != STATUS_OK) {
            memory_free(db->env.memory, MEMORY_OTHER, sequence, sizeof(*sequence));
            return status;
        }
        sequence->next_sequence = db->sequences;
        db->sequences = sequence;
    }
    *out = sequence;
    return STATUS_OK;
}

static enum status
next(struct qtdb *db, const char *name, uint64_t count, uint64_t *first_out)
{
    struct sequence *sequence = NULL;

    if (count == 0)
        return error_raise(STATUS_INVALID, "at least one number has to be taken");
    TRY(find(db, name, &sequence));
    CHECK(sequence != NULL);
    if (count > UINT64_MAX - sequence->next)
        return error_raise(STATUS_FULL, "sequence '%s' is used up", name);
    uint64_t end = sequence->next + count;

    if (end > sequence->limit)
        TRY(store(db, sequence, end > UINT64_MAX - BATCH ? UINT64_MAX : end + BATCH));
    *first_out = sequence->next;
    sequence->next = end;
    return STATUS_OK;
}

enum qtdb_code
qtdb_sequence_next(struct qtdb *db, const char *name, uint64_t count, uint64_t *first_out)
{
    latch_lock(&db->sequence_latch);
    enum status status = next(db, name, count, first_out);

    latch_unlock(&db->sequence_latch);
    return api_error(status);
}

static enum status
set(struct qtdb *db, const char *name, uint64_t value)
{
    struct sequence *sequence = NULL;

    if (value == 0)
        return error_raise(STATUS_INVALID, "the numbers of a sequence begin at 1");
    TRY(find(db, name, &sequence));
    CHECK(sequence != NULL);
    TRY(store(db, sequence, value));
    sequence->next = value;
    return STATUS_OK;
}

enum qtdb_code
qtdb_sequence_set(struct qtdb *db, const char *name, uint64_t value)
{
    latch_lock(&db->sequence_latch);
    enum status status = set(db, name, value);

    latch_unlock(&db->sequence_latch);
    return api_error(status);
}

/* Of a sequence that nobody has asked for yet the row is read and nothing kept: a read-only database may be
 * asked too. */
static enum status
look(struct qtdb *db, const char *name, uint64_t *out)
{
    size_t name_size = strnlen(name, QTDB_NAME_SIZE_MAX + 1);
    struct sequence *sequence = db->sequences;

    if (name_size == 0 || name_size > QTDB_NAME_SIZE_MAX)
        return error_raise(STATUS_INVALID, "the name of a sequence has 1 to %d bytes",
                           QTDB_NAME_SIZE_MAX);
    while (sequence != NULL && strcmp(sequence->name, name) != 0)
        sequence = sequence->next_sequence;
    if (sequence != NULL) {
        *out = sequence->next;
        return STATUS_OK;
    }
    struct sequence stored = {.name_size = name_size};
    memcpy(stored.name, name, name_size);
    TRY(load(db, &stored));
    *out = stored.next;
    return STATUS_OK;
}

enum qtdb_code
qtdb_sequence_get(struct qtdb *db, const char *name, uint64_t *next_out)
{
    latch_lock(&db->sequence_latch);
    enum status status = look(db, name, next_out);

    latch_unlock(&db->sequence_latch);
    return api_error(status);
}

static enum status
drop(struct qtdb *db, const char *name)
{
    struct sequence *sequence = NULL;
    struct sequence **link = &db->sequences;

    TRY(find(db, name, &sequence));
    CHECK(sequence != NULL);
    bool has_row = sequence->limit != 0;
    struct row row = row_of(db, sequence);

    if (has_row)
        TRY(run(db, remove_body, &row));
    while (*link != sequence)
        link = &(*link)->next_sequence;
    *link = sequence->next_sequence;
    memory_free(db->env.memory, MEMORY_OTHER, sequence, sizeof(*sequence));
    return has_row ? STATUS_OK : STATUS_NOT_FOUND;
}

enum qtdb_code
qtdb_sequence_drop(struct qtdb *db, const char *name)
{
    latch_lock(&db->sequence_latch);
    enum status status = drop(db, name);

    latch_unlock(&db->sequence_latch);
    return api_error(status);
}

enum status
sequence__store_all(struct qtdb *db)
{
    for (struct sequence *sequence = db->sequences; sequence != NULL;
         sequence = sequence->next_sequence)
        if (sequence->limit > sequence->next)
            TRY(store(db, sequence, sequence->next));
    return STATUS_OK;
}

void
sequence__free_all(struct qtdb *db)
{
    while (db->sequences != NULL) {
        struct sequence *sequence = db->sequences;

        db->sequences = sequence->next_sequence;
        memory_free(db->env.memory, MEMORY_OTHER, sequence, sizeof(*sequence));
    }
}
