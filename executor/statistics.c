/* Statistics as bytes, and where they are kept (statistics.h). */
#include "executor/statistics.h"

#include <string.h>

enum { FORMAT = 1, KEY_SIZE = 6, ROOM_SIZE = 1024, STALE_ROWS = 1000 };

/* Bytes. */

static void
put_double(struct byte_writer *out, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    byte_writer_put_u64(out, bits);
}

/* False for what no share or count can be. */
static bool
get_double(struct byte_reader *reader, double least, double most, double *out)
{
    uint64_t bits = 0;

    if (!byte_reader_get_u64(reader, &bits))
        return false;
    memcpy(out, &bits, sizeof(*out));
    return *out >= least && *out <= most;
}

bool
statistics_encode(const struct statistics *statistics, enum qtdb_type type, struct byte_writer *out)
{
    byte_writer_put_u8(out, FORMAT);
    byte_writer_put_u8(out, (uint8_t)type);
    put_double(out, statistics->null_share);
    put_double(out, statistics->distinct);
    put_double(out, statistics->width);
    byte_writer_put_varint(out, statistics->common_count);
    for (uint32_t i = 0; i < statistics->common_count; i++)
        put_double(out, statistics->common_shares[i]);
    byte_writer_put_varint(out, statistics->bound_count);
    return row_encode(statistics->values, statistics->common_count + statistics->bound_count, out);
}

static enum status
decode_values(struct byte_reader *reader, const struct sql_type *type, struct arena *arena,
              struct statistics *out)
{
    struct sql_type types[STATISTICS_COMMON_MAX + STATISTICS_BOUNDS_MAX];
    uint32_t count = out->common_count + out->bound_count, found = 0;
    size_t size = byte_reader_left(reader);
    const uint8_t *bytes = NULL;

    out->values = arena_alloc(arena, count * sizeof(*out->values));
    if (out->values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        types[i] = *type;
    if (!byte_reader_skip(reader, size, &bytes))
        return STATUS_CORRUPT;
    TRY(row_decode(bytes, size, types, count, out->values, &found));
    for (uint32_t i = 0; i < found; i++) {
        if (out->values[i].null)
            return STATUS_CORRUPT;
    }
    return found == count ? STATUS_OK : STATUS_CORRUPT;
}

enum status
statistics_decode(const uint8_t *bytes, size_t size, const struct sql_type *type,
                  struct arena *arena, struct statistics *out)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    uint64_t common_count = 0, bound_count = 0;
    uint8_t format = 0, stored = 0;

    if (!byte_reader_get_u8(&reader, &format) || format != FORMAT ||
        !byte_reader_get_u8(&reader, &stored) || stored != (uint8_t)type->type ||
        !get_double(&reader, 0, 1, &out->null_share) ||
        !get_double(&reader, -1, 1e18, &out->distinct) ||
        !get_double(&reader, 0, UINT32_MAX, &out->width) ||
        !byte_reader_get_varint(&reader, &common_count) || common_count > STATISTICS_COMMON_MAX)
        return STATUS_CORRUPT;
    out->common_count = (uint32_t)common_count;
    out->common_shares = arena_alloc(arena, common_count * sizeof(double));
    if (out->common_shares == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < common_count; i++) {
        if (!get_double(&reader, 0, 1, &out->common_shares[i]))
            return STATUS_CORRUPT;
    }
    if (!byte_reader_get_varint(&reader, &bound_count) || bound_count > STATISTICS_BOUNDS_MAX ||
        bound_count == 1)
        return STATUS_CORRUPT;
    out->bound_count = (uint32_t)bound_count;
    return decode_values(&reader, type, arena, out);
}

/* The tree. */

static enum status
open_tree(struct qtdb_txn *txn, bool create, struct qtdb_tree **out, struct sql_error *error)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = create};

    return sql_from_code(qtdb_tree_open(txn, "sql/statistics", &options, out), error);
}

static void
make_key(const struct table *table, uint32_t slot, uint8_t *out)
{
    for (uint32_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(table->id >> (24 - 8 * i));
    out[4] = (uint8_t)(slot >> 8);
    out[5] = (uint8_t)slot;
}

/* What is not there, or longer than any that was written, is STATUS_NOT_FOUND. */
static enum status
get_entry(struct qtdb_txn *txn, struct qtdb_tree *tree, const uint8_t *key, struct arena *arena,
          const uint8_t **out, size_t *size_out, struct sql_error *error)
{
    size_t size = ROOM_SIZE;
    uint8_t *room = arena_alloc(arena, size);

    if (room == NULL)
        return STATUS_NO_MEMORY;
    enum qtdb_code code = qtdb_get(txn, tree, key, KEY_SIZE, room, &size);
    if (code == QTDB_FULL && size <= STATISTICS_ENTRY_MAX) {
        room = arena_alloc(arena, size);
        if (room == NULL)
            return STATUS_NO_MEMORY;
        code = qtdb_get(txn, tree, key, KEY_SIZE, room, &size);
    }
    *out = room;
    *size_out = size;
    return code == QTDB_FULL ? STATUS_NOT_FOUND : sql_from_code(code, error);
}

static enum status
get(struct qtdb_txn *txn, const struct table *table, uint32_t slot, struct arena *arena,
    const uint8_t **out, size_t *size_out, struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;
    uint8_t key[KEY_SIZE];
    enum status status = open_tree(txn, false, &tree, error);

    make_key(table, slot, key);
    if (status == STATUS_OK)
        status = get_entry(txn, tree, key, arena, out, size_out, error);
    if (status == STATUS_NOT_FOUND)
        *error = (struct sql_error){.location = -1};
    return status;
}

enum status
statistics_find(struct qtdb_txn *txn, const struct table *table, uint32_t column,
                struct arena *arena, struct statistics *out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(get(txn, table, table->columns[column].slot, arena, &bytes, &size, error));
    enum status status = statistics_decode(bytes, size, &table->types[column], arena, out);
    return status == STATUS_CORRUPT ? STATUS_NOT_FOUND : status;
}

enum status
statistics_find_rows(struct qtdb_txn *txn, const struct table *table, struct arena *arena,
                     double *out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    uint8_t format = 0;

    TRY(get(txn, table, STATISTICS_ROWS, arena, &bytes, &size, error));
    struct byte_reader reader = byte_reader_init(bytes, size);
    if (!byte_reader_get_u8(&reader, &format) || format != FORMAT ||
        !get_double(&reader, 0, 1e18, out) || byte_reader_left(&reader) > 0)
        return STATUS_NOT_FOUND;
    return STATUS_OK;
}

static enum status
put(struct qtdb_txn *txn, const struct table *table, uint32_t slot,
    const struct byte_writer *writer, const uint8_t *bytes, struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;
    uint8_t key[KEY_SIZE];

    make_key(table, slot, key);
    TRY(open_tree(txn, true, &tree, error));
    return sql_from_code(qtdb_put(txn, tree, key, sizeof(key), bytes, writer->offset, QTDB_PUT_ANY),
                         error);
}

enum status
statistics_put(struct qtdb_txn *txn, const struct table *table, uint32_t column,
               const struct statistics *statistics, struct arena *arena, struct sql_error *error)
{
    uint8_t *bytes = arena_alloc(arena, STATISTICS_ENTRY_MAX);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, STATISTICS_ENTRY_MAX);
    if (!statistics_encode(statistics, table->types[column].type, &writer))
        return sql_error_set(error, "54000", -1, "statistics of column \"%s\" are too long",
                             table->columns[column].name);
    return put(txn, table, table->columns[column].slot, &writer, bytes, error);
}

enum status
statistics_put_rows(struct qtdb_txn *txn, const struct table *table, double rows,
                    struct sql_error *error)
{
    uint8_t bytes[1 + sizeof(uint64_t)];
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));

    byte_writer_put_u8(&writer, FORMAT);
    put_double(&writer, rows);
    return put(txn, table, STATISTICS_ROWS, &writer, bytes, error);
}

enum status
statistics_lock(struct qtdb_txn *txn, const struct table *table, bool wait, struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;
    uint8_t key[KEY_SIZE];

    make_key(table, STATISTICS_ROWS, key);
    TRY(open_tree(txn, true, &tree, error));
    return sql_from_code(qtdb_lock(txn, tree, key, sizeof(key), QTDB_LOCK_EXCLUSIVE, wait), error);
}

enum status
statistics_drop(struct qtdb_txn *txn, const struct table *table, struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;
    struct qtdb_cursor *cursor = NULL;
    uint8_t first[KEY_SIZE];
    enum status status = open_tree(txn, false, &tree, error);

    if (status == STATUS_NOT_FOUND) {
        *error = (struct sql_error){.location = -1};
        return STATUS_OK;
    }
    TRY(status);
    make_key(table, 0, first);
    TRY(sql_from_code(qtdb_cursor_open(txn, tree, &cursor), error));
    enum qtdb_code code = qtdb_cursor_seek(cursor, first, sizeof(first));
    while (code == QTDB_OK) {
        const void *key, *value;
        uint8_t copy[KEY_SIZE];
        size_t key_size, value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        if (key_size != KEY_SIZE || memcmp(key, first, sizeof(uint32_t)) != 0)
            break;
        memcpy(copy, key, KEY_SIZE);
        code = qtdb_delete(txn, tree, copy, sizeof(copy));
        if (code == QTDB_OK)
            code = qtdb_cursor_next(cursor);
    }
    qtdb_cursor_close(cursor);
    return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, error);
}

/* Are they still true? */

static uint64_t
stale_count(const struct database_notes *notes, uint32_t place)
{
    return STALE_ROWS + atomic_load_explicit(&notes->rows[place], memory_order_relaxed) / 2;
}

bool
statistics_note_changes(struct database_notes *notes, uint32_t table_id, uint64_t count)
{
    uint32_t place = table_id % DATABASE_NOTES;
    uint64_t least = stale_count(notes, place);
    uint64_t before = atomic_fetch_add(&notes->changed[place], count);

    return before < least && before + count >= least;
}

bool
statistics_are_stale(const struct database_notes *notes, const struct table *table)
{
    uint32_t place = table->id % DATABASE_NOTES;

    return atomic_load(&notes->changed[place]) >= stale_count(notes, place);
}
