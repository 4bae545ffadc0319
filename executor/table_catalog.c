/*
 * The catalog of schemas and tables: one kernel tree, read and written in the statement's own
 * transaction. Definition bytes come from disk and are validated as they are decoded.
 */
#include <stdio.h>
#include <string.h>

#include "executor/table.h"
#include "kernel/base/check.h"

enum {
    DEFINITION_FORMAT_FIRST = 1,
    DEFINITION_FORMAT = 2,
    DEFINITION_SIZE_MAX = 1 << 20,
    COLUMN_NOT_NULL = 1,
    COLUMN_DEFAULT = 2,
    INDEX_UNIQUE = 1,
    INDEX_CONSTRAINT = 2
};

struct catalog_key {
    uint8_t bytes[2 + 2 * QTDB_NAME_SIZE_MAX];
    size_t size;
};

/* STATUS_NOT_FOUND without `create`: no table was ever made. */
static enum status
catalog_open(struct qtdb_txn *txn, bool create, struct qtdb_tree **out, struct sql_error *error)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = create};

    return sql_from_code(qtdb_tree_open(txn, "sql/catalog", &options, out), error);
}

static enum status
make_key(char kind, const char *schema, const char *name, struct catalog_key *out,
         struct sql_error *error)
{
    struct byte_writer writer = byte_writer_init(out->bytes, sizeof(out->bytes));

    if (strlen(schema) > QTDB_NAME_SIZE_MAX / 2 ||
        (name != NULL && strlen(name) > QTDB_NAME_SIZE_MAX / 2))
        return sql_error_set(error, "42622", -1, "a name is longer than %d bytes",
                             QTDB_NAME_SIZE_MAX / 2);
    byte_writer_put_u8(&writer, (uint8_t)kind);
    byte_writer_put(&writer, schema, strlen(schema));
    if (name != NULL) {
        byte_writer_put_u8(&writer, 0);
        byte_writer_put(&writer, name, strlen(name));
    }
    CHECK(!writer.overflow);
    out->size = writer.offset;
    return STATUS_OK;
}

/* Encoding. */

static void
put_text(struct byte_writer *out, const char *text)
{
    byte_writer_put_varint(out, strlen(text));
    byte_writer_put(out, text, strlen(text));
}

static void
put_column(struct byte_writer *out, const struct table_column *column)
{
    put_text(out, column->name);
    byte_writer_put_u8(out, (uint8_t)column->type.type);
    byte_writer_put_u32(out, (uint32_t)column->type.precision);
    byte_writer_put_u32(out, (uint32_t)column->type.scale);
    byte_writer_put_u8(out, (uint8_t)((column->not_null ? COLUMN_NOT_NULL : 0) |
                                      (column->default_text != NULL ? COLUMN_DEFAULT : 0)));
    if (column->default_text != NULL)
        put_text(out, column->default_text);
}

static void
put_indexes(struct byte_writer *out, const uint32_t *indexes, uint32_t count)
{
    byte_writer_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++)
        byte_writer_put_varint(out, indexes[i]);
}

static bool
definition_encode(const struct table *table, struct byte_writer *out)
{
    byte_writer_put_u8(out, DEFINITION_FORMAT);
    byte_writer_put_u32(out, table->id);
    byte_writer_put_varint(out, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++)
        put_column(out, &table->columns[i]);
    put_indexes(out, table->keys, table->key_count);
    byte_writer_put_varint(out, table->next_index);
    byte_writer_put_varint(out, table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        put_text(out, index->name);
        put_indexes(out, index->columns, index->column_count);
        byte_writer_put_varint(out, index->id);
        byte_writer_put_u8(out, (uint8_t)((index->unique ? INDEX_UNIQUE : 0) |
                                          (index->constraint ? INDEX_CONSTRAINT : 0)));
    }
    return !out->overflow;
}

/* Decoding: false for anything but what definition_encode wrote, or without memory. */

static bool
get_text(struct byte_reader *reader, struct arena *arena, const char **out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(reader, &size) || size > byte_reader_left(reader) ||
        !byte_reader_skip(reader, (size_t)size, &bytes))
        return false;
    *out = arena_copy_text(arena, (const char *)bytes, (size_t)size);
    return *out != NULL;
}

static bool
get_column(struct byte_reader *reader, struct arena *arena, struct table_column *out)
{
    uint32_t precision = 0, scale = 0;
    uint8_t type = 0, flags = 0;

    if (!get_text(reader, arena, &out->name) || !byte_reader_get_u8(reader, &type) ||
        !byte_reader_get_u32(reader, &precision) || !byte_reader_get_u32(reader, &scale) ||
        !byte_reader_get_u8(reader, &flags) || type > QTDB_TYPE_ARRAY)
        return false;
    out->type = (struct sql_type){(enum qtdb_type)type, (int32_t)precision, (int32_t)scale};
    out->not_null = (flags & COLUMN_NOT_NULL) != 0;
    return (flags & COLUMN_DEFAULT) == 0 || get_text(reader, arena, &out->default_text);
}

static bool
get_indexes(struct byte_reader *reader, uint32_t limit, uint32_t *out, uint32_t *count_out)
{
    uint64_t count = 0, index = 0;

    if (!byte_reader_get_varint(reader, &count) || count > TABLE_KEY_COLUMNS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!byte_reader_get_varint(reader, &index) || index >= limit)
            return false;
        out[i] = (uint32_t)index;
    }
    *count_out = (uint32_t)count;
    return true;
}

static bool
get_columns(struct byte_reader *reader, struct arena *arena, struct table *out)
{
    uint64_t count = 0;

    if (!byte_reader_get_varint(reader, &count) || count > ROW_COLUMNS_MAX)
        return false;
    out->columns = arena_alloc(arena, (size_t)count * sizeof(*out->columns));
    out->types = arena_alloc(arena, (size_t)count * sizeof(*out->types));
    if (out->columns == NULL || out->types == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!get_column(reader, arena, &out->columns[i]))
            return false;
        out->types[i] = out->columns[i].type;
    }
    out->column_count = (uint32_t)count;
    return true;
}

static bool
get_index(struct byte_reader *reader, uint8_t format, struct arena *arena,
          const struct table *table, uint32_t position, struct table_index *out)
{
    uint64_t id = position;
    uint8_t flags = INDEX_UNIQUE | INDEX_CONSTRAINT;

    if (!get_text(reader, arena, &out->name) ||
        !get_indexes(reader, table->column_count, out->columns, &out->column_count))
        return false;
    if (format != DEFINITION_FORMAT_FIRST &&
        (!byte_reader_get_varint(reader, &id) || !byte_reader_get_u8(reader, &flags)))
        return false;
    out->id = (uint32_t)id;
    out->unique = (flags & INDEX_UNIQUE) != 0;
    out->constraint = (flags & INDEX_CONSTRAINT) != 0;
    return id < UINT32_MAX && flags <= (INDEX_UNIQUE | INDEX_CONSTRAINT);
}

static bool
get_all_indexes(struct byte_reader *reader, uint8_t format, struct arena *arena, struct table *out)
{
    uint64_t count = 0, next = 0;

    if ((format != DEFINITION_FORMAT_FIRST && !byte_reader_get_varint(reader, &next)) ||
        !byte_reader_get_varint(reader, &count) || count > TABLE_INDEX_MAX || next > UINT32_MAX)
        return false;
    /* One more than there are: CREATE INDEX adds to what was read. */
    out->indexes = arena_alloc(arena, ((size_t)count + 1) * sizeof(*out->indexes));
    if (out->indexes == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!get_index(reader, format, arena, out, i, &out->indexes[i]))
            return false;
    }
    out->index_count = (uint32_t)count;
    out->next_index = format == DEFINITION_FORMAT_FIRST ? (uint32_t)count : (uint32_t)next;
    return true;
}

static bool
definition_decode(const uint8_t *bytes, size_t size, struct arena *arena, struct table *out)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    uint8_t format = 0;

    return byte_reader_get_u8(&reader, &format) && format >= DEFINITION_FORMAT_FIRST &&
           format <= DEFINITION_FORMAT && byte_reader_get_u32(&reader, &out->id) &&
           get_columns(&reader, arena, out) &&
           get_indexes(&reader, out->column_count, out->keys, &out->key_count) &&
           get_all_indexes(&reader, format, arena, out) && byte_reader_left(&reader) == 0;
}

/* Looking up. */

static enum status
catalog_get(struct qtdb_txn *txn, struct qtdb_tree *catalog, const struct catalog_key *key,
            struct arena *arena, const uint8_t **out, size_t *size_out, struct sql_error *error)
{
    size_t size = 512;

    for (;;) {
        uint8_t *bytes = arena_alloc(arena, size);
        size_t room = size;

        if (bytes == NULL)
            return STATUS_NO_MEMORY;
        enum qtdb_code code = qtdb_get(txn, catalog, key->bytes, key->size, bytes, &room);
        if (code == QTDB_FULL && room > size && room <= DEFINITION_SIZE_MAX) {
            size = room;
            continue;
        }
        TRY(sql_from_code(code, error));
        *out = bytes;
        *size_out = room;
        return STATUS_OK;
    }
}

enum status
table_find(struct qtdb_txn *txn, const struct ast_name *name, struct arena *arena,
           struct table **out, struct sql_error *error)
{
    const char *schema = name->schema != NULL ? name->schema : "public";
    struct table *table = arena_alloc(arena, sizeof(*table));
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    const uint8_t *bytes = NULL;
    size_t size = 0;

    if (table == NULL)
        return STATUS_NO_MEMORY;
    TRY(make_key('t', schema, name->name, &key, error));
    enum status status = catalog_open(txn, false, &catalog, error);
    if (status == STATUS_OK)
        status = catalog_get(txn, catalog, &key, arena, &bytes, &size, error);
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(error, "42P01", name->location, "relation \"%s%s%s\" does not exist",
                             name->schema != NULL ? name->schema : "",
                             name->schema != NULL ? "." : "", name->name);
    TRY(status);
    if (!definition_decode(bytes, size, arena, table))
        return sql_error_set(error, "XX001", name->location,
                             "the definition of table \"%s\" is damaged: run qtdb-check",
                             name->name);
    table->schema = arena_copy_text(arena, schema, strlen(schema));
    table->name = arena_copy_text(arena, name->name, strlen(name->name));
    if (table->schema == NULL || table->name == NULL)
        return STATUS_NO_MEMORY;
    *out = table;
    return STATUS_OK;
}

/* Creating and dropping. */

static enum status
next_id(struct qtdb_txn *txn, struct qtdb_tree *catalog, uint32_t *out, struct sql_error *error)
{
    le32 stored = le32_of(1);
    size_t size = sizeof(stored);
    enum status status = sql_from_code(qtdb_get(txn, catalog, "n", 1, &stored, &size), error);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    uint32_t id = le32_get(stored);
    stored = le32_of(id + 1);
    TRY(sql_from_code(qtdb_put(txn, catalog, "n", 1, &stored, sizeof(stored), QTDB_PUT_ANY),
                      error));
    *out = id;
    return STATUS_OK;
}

enum status
catalog_version(struct qtdb_txn *txn, uint64_t *out, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    le64 stored = le64_of(0);
    size_t size = sizeof(stored);
    enum status status = catalog_open(txn, false, &catalog, error);

    if (status == STATUS_OK)
        status = sql_from_code(qtdb_get(txn, catalog, "v", 1, &stored, &size), error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *out = status == STATUS_OK ? le64_get(stored) : 0;
    return STATUS_OK;
}

static enum status
next_version(struct qtdb_txn *txn, struct qtdb_tree *catalog, struct sql_error *error)
{
    uint64_t version = 0;

    TRY(catalog_version(txn, &version, error));
    le64 stored = le64_of(version + 1);
    return sql_from_code(qtdb_put(txn, catalog, "v", 1, &stored, sizeof(stored), QTDB_PUT_ANY),
                         error);
}

static enum status
require_schema(struct qtdb_txn *txn, struct qtdb_tree *catalog, const char *schema,
               struct sql_error *error)
{
    struct catalog_key key;
    uint8_t byte = 0;
    size_t size = sizeof(byte);

    if (strcmp(schema, "public") == 0)
        return STATUS_OK;
    TRY(make_key('s', schema, NULL, &key, error));
    enum status status =
        sql_from_code(qtdb_get(txn, catalog, key.bytes, key.size, &byte, &size), error);
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(error, "3F000", -1, "schema \"%s\" does not exist", schema);
    return status;
}

/* Writes the definition under its name. */
static enum status
put_definition(struct qtdb_txn *txn, struct qtdb_tree *catalog, const struct table *table,
               struct arena *arena, enum qtdb_put_mode mode, struct sql_error *error)
{
    uint8_t *bytes = arena_alloc(arena, DEFINITION_SIZE_MAX / 16);
    struct catalog_key key;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, DEFINITION_SIZE_MAX / 16);
    TRY(next_version(txn, catalog, error));
    TRY(make_key('t', table->schema, table->name, &key, error));
    if (!definition_encode(table, &writer))
        return sql_error_set(error, "54011", -1, "the definition of table \"%s\" is too long",
                             table->name);
    return sql_from_code(qtdb_put(txn, catalog, key.bytes, key.size, bytes, writer.offset, mode),
                         error);
}

/* Tables, views and indexes share their names; `kind` may be there. */
static enum status
refuse_taken(struct qtdb_txn *txn, struct qtdb_tree *catalog, const char *schema, const char *name,
             char kind, struct sql_error *error)
{
    static const char kinds[] = {'t', CATALOG_INDEX, CATALOG_VIEW};

    for (size_t i = 0; i < sizeof(kinds); i++) {
        struct catalog_key key;
        uint8_t byte;
        size_t size = sizeof(byte);

        if (kinds[i] == kind)
            continue;
        TRY(make_key(kinds[i], schema, name, &key, error));
        enum qtdb_code code = qtdb_get(txn, catalog, key.bytes, key.size, &byte, &size);
        if (code == QTDB_OK || code == QTDB_FULL)
            return sql_error_set(error, "42P07", -1, "relation \"%s\" already exists", name);
        if (code != QTDB_NOT_FOUND)
            return sql_from_code(code, error);
    }
    return STATUS_OK;
}

enum status
table_create(struct qtdb_txn *txn, struct table *table, struct arena *arena,
             struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL, *tree = NULL;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(require_schema(txn, catalog, table->schema, error));
    TRY(refuse_taken(txn, catalog, table->schema, table->name, 0, error));
    TRY(next_id(txn, catalog, &table->id, error));
    TRY(put_definition(txn, catalog, table, arena, QTDB_PUT_INSERT, error));
    TRY(table_tree(txn, table, UINT32_MAX, &tree, error));
    for (uint32_t i = 0; i < table->index_count; i++)
        TRY(table_tree(txn, table, i, &tree, error));
    return STATUS_OK;
}

enum status
table_replace(struct qtdb_txn *txn, const struct table *table, struct arena *arena,
              struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;

    TRY(catalog_open(txn, true, &catalog, error));
    return put_definition(txn, catalog, table, arena, QTDB_PUT_REPLACE, error);
}

enum status
catalog_find(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
             struct arena *arena, const char **text_out, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(make_key((char)kind, name->schema != NULL ? name->schema : "public", name->name, &key,
                 error));
    TRY(catalog_open(txn, false, &catalog, error));
    TRY(catalog_get(txn, catalog, &key, arena, &bytes, &size, error));
    *text_out = arena_copy_text(arena, (const char *)bytes, size);
    return *text_out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status
catalog_put(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
            const char *text, bool replace, struct sql_error *error)
{
    const char *schema = name->schema != NULL ? name->schema : "public";
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(require_schema(txn, catalog, schema, error));
    TRY(refuse_taken(txn, catalog, schema, name->name, replace ? (char)kind : 0, error));
    TRY(next_version(txn, catalog, error));
    TRY(make_key((char)kind, schema, name->name, &key, error));
    return sql_from_code(
        qtdb_put(txn, catalog, key.bytes, key.size, text, strlen(text), QTDB_PUT_ANY), error);
}

enum status
catalog_remove(struct qtdb_txn *txn, enum catalog_kind kind, const char *schema, const char *name,
               struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(next_version(txn, catalog, error));
    TRY(make_key((char)kind, schema, name, &key, error));
    return sql_from_code(qtdb_delete(txn, catalog, key.bytes, key.size), error);
}

enum status
table_drop(struct qtdb_txn *txn, const struct table *table, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    char name[48];

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(next_version(txn, catalog, error));
    TRY(make_key('t', table->schema, table->name, &key, error));
    TRY(sql_from_code(qtdb_delete(txn, catalog, key.bytes, key.size), error));
    (void)snprintf(name, sizeof(name), "sql/t%u", table->id);
    TRY(sql_from_code(qtdb_tree_drop(txn, name), error));
    for (uint32_t i = 0; i < table->index_count; i++) {
        (void)snprintf(name, sizeof(name), "sql/u%u.%u", table->id, table->indexes[i].id);
        TRY(sql_from_code(qtdb_tree_drop(txn, name), error));
        if (!table->indexes[i].constraint)
            TRY(catalog_remove(txn, CATALOG_INDEX, table->schema, table->indexes[i].name, error));
    }
    return STATUS_OK;
}

enum status
schema_create(struct qtdb_txn *txn, const char *name, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    enum qtdb_code code = QTDB_EXISTS;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(make_key('s', name, NULL, &key, error));
    if (strcmp(name, "public") != 0)
        code = qtdb_put(txn, catalog, key.bytes, key.size, "\1", 1, QTDB_PUT_INSERT);
    if (code == QTDB_EXISTS)
        return sql_error_set(error, "42P06", -1, "schema \"%s\" already exists", name);
    return sql_from_code(code, error);
}

enum status
table_list(struct qtdb_txn *txn, void (*each)(void *context, const char *schema, const char *name),
           void *context, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct qtdb_cursor *cursor = NULL;

    enum status status = catalog_open(txn, false, &catalog, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    TRY(sql_from_code(qtdb_cursor_open(txn, catalog, &cursor), error));
    enum qtdb_code code = qtdb_cursor_seek(cursor, "t", 1);
    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key, *value;
        size_t key_size, value_size;
        char text[sizeof(struct catalog_key)];

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        if (key_size == 0 || *(const char *)key != 't')
            break;
        CHECK(key_size < sizeof(text));
        memcpy(text, (const char *)key + 1, key_size - 1);
        text[key_size - 1] = '\0';
        each(context, text, text + strlen(text) + 1);
    }
    qtdb_cursor_close(cursor);
    return code == QTDB_OK || code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, error);
}
