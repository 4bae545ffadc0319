/*
 * The catalog of schemas and tables: one kernel tree, read and written in the statement's own
 * transaction.
 */
#include <stdio.h>
#include <string.h>

#include "executor/statistics.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

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
        if (code == QTDB_FULL && room > size && room <= TABLE_DEFINITION_SIZE_MAX) {
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
    status = table_decode(bytes, size, arena, table);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        return sql_error_set(error, "XX001", name->location,
                             "the definition of table \"%s\" is damaged: run qtdb-check",
                             name->name);
    table->schema = arena_copy_text(arena, schema, strlen(schema));
    table->name = arena_copy_text(arena, name->name, strlen(name->name));
    if (table->schema == NULL || table->name == NULL)
        return STATUS_NO_MEMORY;
    *out = table;
    return table_link_enums(txn, table, arena, error);
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

enum status
catalog_version_seen(struct qtdb_txn *txn, struct catalog_seen *seen, uint64_t *out,
                     struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;
    uint64_t version = 0;

    if (seen->tree != NULL && database_is_as_of(txn, seen->tree, seen->csn)) {
        *out = seen->version;
        return STATUS_OK;
    }
    TRY(catalog_version(txn, &version, error));
    enum status status = catalog_open(txn, false, &tree, error);
    if (status == STATUS_OK)
        *seen = (struct catalog_seen){tree, database_snapshot(txn), version};
    else if (status != STATUS_NOT_FOUND)
        return status;
    *out = version;
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
    uint8_t *bytes = arena_alloc(arena, TABLE_DEFINITION_SIZE_MAX / 16);
    struct catalog_key key;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, TABLE_DEFINITION_SIZE_MAX / 16);
    TRY(next_version(txn, catalog, error));
    TRY(make_key('t', table->schema, table->name, &key, error));
    if (!table_encode(table, &writer))
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
    static const char kinds[] = {CATALOG_TABLE, CATALOG_INDEX, CATALOG_VIEW, CATALOG_SEQUENCE};

    if (kind == CATALOG_ENUM)
        return STATUS_OK; /* Types have names of their own. */

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
catalog_find_bytes(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
                   struct arena *arena, const uint8_t **out, size_t *size_out,
                   struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(make_key((char)kind, name->schema != NULL ? name->schema : "public", name->name, &key,
                 error));
    TRY(catalog_open(txn, false, &catalog, error));
    return catalog_get(txn, catalog, &key, arena, out, size_out, error);
}

enum status
catalog_find(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
             struct arena *arena, const char **text_out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(catalog_find_bytes(txn, kind, name, arena, &bytes, &size, error));
    *text_out = arena_copy_text(arena, (const char *)bytes, size);
    return *text_out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status
catalog_has(struct qtdb_txn *txn, enum catalog_kind kind, const char *schema, const char *name,
            struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    size_t size = 0;

    TRY(make_key((char)kind, schema, name, &key, error));
    TRY(catalog_open(txn, false, &catalog, error));
    enum qtdb_code code = qtdb_get(txn, catalog, key.bytes, key.size, NULL, &size);
    return code == QTDB_FULL ? STATUS_OK : sql_from_code(code, error);
}

enum status
catalog_put_bytes(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
                  const void *bytes, size_t size, bool replace, struct sql_error *error)
{
    const char *schema = name->schema != NULL ? name->schema : "public";
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    if (kind != CATALOG_COMMENT && kind != CATALOG_SETTING) {
        TRY(require_schema(txn, catalog, schema, error));
        TRY(refuse_taken(txn, catalog, schema, name->name, replace ? (char)kind : 0, error));
    }
    TRY(next_version(txn, catalog, error));
    TRY(make_key((char)kind, schema, name->name, &key, error));
    return sql_from_code(qtdb_put(txn, catalog, key.bytes, key.size, bytes, size, QTDB_PUT_ANY),
                         error);
}

enum status
catalog_put(struct qtdb_txn *txn, enum catalog_kind kind, const struct ast_name *name,
            const char *text, bool replace, struct sql_error *error)
{
    return catalog_put_bytes(txn, kind, name, text, strlen(text), replace, error);
}

enum status
catalog_next_id(struct qtdb_txn *txn, uint32_t *out, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;

    TRY(catalog_open(txn, true, &catalog, error));
    return next_id(txn, catalog, out, error);
}

enum status
catalog_try_lock(struct qtdb_txn *txn, const char *schema, const char *name,
                 enum qtdb_lock_mode mode, bool wait, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(make_key(CATALOG_TABLE, schema, name, &key, error));
    return sql_from_code(qtdb_lock(txn, catalog, key.bytes, key.size, mode, wait), error);
}

enum status
catalog_lock(struct qtdb_txn *txn, const char *schema, const char *name, enum qtdb_lock_mode mode,
             struct sql_error *error)
{
    return catalog_try_lock(txn, schema, name, mode, true, error);
}

enum status
catalog_lock_all(struct qtdb_txn *txn, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;

    TRY(catalog_open(txn, true, &catalog, error));
    return sql_from_code(qtdb_lock(txn, catalog, "v", 1, QTDB_LOCK_EXCLUSIVE, true), error);
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
table_drop_index_tree(struct qtdb_txn *txn, const struct table *table, struct sql_error *error)
{
    char name[48];

    (void)snprintf(name, sizeof(name), "sql/u%u.%u", table->id, table->indexes[0].id);
    return sql_from_code(qtdb_tree_drop(txn, name), error);
}

enum status
table_drop_trees(struct qtdb_txn *txn, const struct table *table, struct sql_error *error)
{
    char name[48];

    (void)snprintf(name, sizeof(name), "sql/t%u", table->id);
    TRY(sql_from_code(qtdb_tree_drop(txn, name), error));
    TRY(statistics_drop(txn, table, error));
    for (uint32_t i = 0; i < table->index_count; i++) {
        (void)snprintf(name, sizeof(name), "sql/u%u.%u", table->id, table->indexes[i].id);
        TRY(sql_from_code(qtdb_tree_drop(txn, name), error));
    }
    return STATUS_OK;
}

enum status
table_renew(struct qtdb_txn *txn, struct table *table, struct sql_error *error)
{
    struct qtdb_tree *tree = NULL;

    TRY(catalog_next_id(txn, &table->id, error));
    TRY(table_tree(txn, table, UINT32_MAX, &tree, error));
    for (uint32_t i = 0; i < table->index_count; i++)
        TRY(table_tree(txn, table, i, &tree, error));
    return STATUS_OK;
}

enum status
table_drop(struct qtdb_txn *txn, const struct table *table, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(next_version(txn, catalog, error));
    TRY(make_key('t', table->schema, table->name, &key, error));
    TRY(sql_from_code(qtdb_delete(txn, catalog, key.bytes, key.size), error));
    TRY(table_drop_trees(txn, table, error));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!table->indexes[i].constraint)
            TRY(catalog_remove(txn, CATALOG_INDEX, table->schema, table->indexes[i].name, error));
    }
    return STATUS_OK;
}

enum status
table_move(struct qtdb_txn *txn, const struct table *table, const char *schema, const char *name,
           struct arena *arena, struct sql_error *error)
{
    struct table moved = *table;
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    moved.schema = schema;
    moved.name = name;
    TRY(catalog_open(txn, true, &catalog, error));
    TRY(require_schema(txn, catalog, schema, error));
    TRY(refuse_taken(txn, catalog, schema, name, 0, error));
    TRY(make_key('t', table->schema, table->name, &key, error));
    TRY(sql_from_code(qtdb_delete(txn, catalog, key.bytes, key.size), error));
    TRY(put_definition(txn, catalog, &moved, arena, QTDB_PUT_INSERT, error));
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct ast_name index = {.schema = schema, .name = table->indexes[i].name};

        if (table->indexes[i].constraint)
            continue;
        TRY(catalog_remove(txn, CATALOG_INDEX, table->schema, index.name, error));
        TRY(catalog_put(txn, CATALOG_INDEX, &index, name, false, error));
    }
    return STATUS_OK;
}

enum status
schema_find(struct qtdb_txn *txn, const char *name, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;
    uint8_t byte = 0;
    size_t size = sizeof(byte);

    if (strcmp(name, "public") == 0)
        return STATUS_OK;
    TRY(catalog_open(txn, false, &catalog, error));
    TRY(make_key('s', name, NULL, &key, error));
    return sql_from_code(qtdb_get(txn, catalog, key.bytes, key.size, &byte, &size), error);
}

enum status
schema_drop(struct qtdb_txn *txn, const char *name, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct catalog_key key;

    TRY(catalog_open(txn, true, &catalog, error));
    TRY(next_version(txn, catalog, error));
    TRY(make_key('s', name, NULL, &key, error));
    return sql_from_code(qtdb_delete(txn, catalog, key.bytes, key.size), error);
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

/* Walking. */

static enum status
walk(struct qtdb_cursor *cursor, enum catalog_kind kind,
     enum status (*each)(void *context, const char *schema, const char *name, const uint8_t *value,
                         size_t size),
     void *context, struct sql_error *error)
{
    uint8_t first = (uint8_t)kind;
    enum qtdb_code code = qtdb_cursor_seek(cursor, &first, 1);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key, *value;
        size_t key_size, value_size;
        char text[sizeof(struct catalog_key)];

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        if (key_size == 0 || *(const uint8_t *)key != first)
            return STATUS_OK;
        CHECK(key_size < sizeof(text));
        memcpy(text, (const char *)key + 1, key_size - 1);
        text[key_size - 1] = '\0';
        size_t schema_size = strlen(text);
        TRY(each(context, text, schema_size + 1 < key_size ? text + schema_size + 1 : "", value,
                 value_size));
    }
    return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, error);
}

enum status
catalog_each(struct qtdb_txn *txn, enum catalog_kind kind,
             enum status (*each)(void *context, const char *schema, const char *name,
                                 const uint8_t *value, size_t size),
             void *context, struct sql_error *error)
{
    struct qtdb_tree *catalog = NULL;
    struct qtdb_cursor *cursor = NULL;

    enum status status = catalog_open(txn, false, &catalog, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    TRY(sql_from_code(qtdb_cursor_open(txn, catalog, &cursor), error));
    status = walk(cursor, kind, each, context, error);
    qtdb_cursor_close(cursor);
    return status;
}

struct listing {
    void (*each)(void *context, const char *schema, const char *name);
    void *context;
};

static enum status
list_one(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    const struct listing *listing = context;

    (void)value;
    (void)size;
    listing->each(listing->context, schema, name);
    return STATUS_OK;
}

enum status
table_list(struct qtdb_txn *txn, void (*each)(void *context, const char *schema, const char *name),
           void *context, struct sql_error *error)
{
    struct listing listing = {each, context};

    return catalog_each(txn, CATALOG_TABLE, list_one, &listing, error);
}
