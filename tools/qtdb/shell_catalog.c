/*
 * .tables and .schema. Until SQL can ask for it (information_schema), the definitions are read from
 * the kernel tree that the executor keeps them in; the format is the one in executor/table.h, and
 * bytes that are not that are refused.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/bytes.h"
#include "tools/qtdb/shell.h"

enum {
    DEFINITION_FORMAT_FIRST = 1,
    DEFINITION_FORMAT = 2,
    COLUMNS_MAX = 1600,
    FLAG_NOT_NULL = 1,
    FLAG_DEFAULT = 2,
    INDEX_UNIQUE = 1,
    INDEX_CONSTRAINT = 2,
};

static const char catalog_name[] = "sql/catalog";

/* A table's key is 't', the schema, a zero byte and the name. */
struct entry {
    char schema[QTDB_NAME_SIZE_MAX + 1];
    char name[QTDB_NAME_SIZE_MAX + 1];
    const void *definition;
    size_t size;
};

typedef bool entry_fn(struct shell *shell, const struct entry *entry, void *context);

static bool
entry_of(const char *key, size_t size, struct entry *out)
{
    const char *zero = size > 1 && key[0] == 't' ? memchr(key + 1, 0, size - 1) : NULL;

    if (zero == NULL)
        return false;
    size_t schema_size = (size_t)(zero - key) - 1, name_size = size - schema_size - 2;
    if (schema_size > QTDB_NAME_SIZE_MAX || name_size > QTDB_NAME_SIZE_MAX)
        return false;
    memcpy(out->schema, key + 1, schema_size);
    memcpy(out->name, zero + 1, name_size);
    out->schema[schema_size] = out->name[name_size] = '\0';
    return true;
}

static bool
walk(struct shell *shell, struct qtdb_cursor *cursor, entry_fn *each, void *context)
{
    enum qtdb_code code = qtdb_cursor_seek(cursor, "t", 1);
    struct entry entry;
    bool ok = true;

    for (; ok && code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key = NULL;
        size_t key_size = 0;

        qtdb_cursor_row(cursor, &key, &key_size, &entry.definition, &entry.size);
        if (!entry_of(key, key_size, &entry))
            break;
        ok = each(shell, &entry, context);
    }
    return ok && (code == QTDB_OK || code == QTDB_NOT_FOUND);
}

/* Calls `each` for every table, in order of schema and name. */
static bool
each_table(struct shell *shell, entry_fn *each, void *context)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct qtdb_tree_options tree_options = {.size = sizeof(tree_options)};
    struct qtdb_txn *txn = NULL;
    struct qtdb_tree *tree = NULL;
    struct qtdb_cursor *cursor = NULL;

    enum qtdb_code code = qtdb_begin(shell->db, &options, &txn);
    if (code == QTDB_OK)
        code = qtdb_tree_open(txn, catalog_name, &tree_options, &tree);
    bool none = code == QTDB_NOT_FOUND; /* No table was ever made. */
    if (code == QTDB_OK)
        code = qtdb_cursor_open(txn, tree, &cursor);
    bool ok = none || (code == QTDB_OK && walk(shell, cursor, each, context));
    if (!ok) {
        tool_error(shell->tool, "the catalog: %s", qtdb_error_last()->message);
        shell->failed = true;
    }
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
    return ok;
}

/* Names that SQL takes only in quotes get them. */
static void
add_name(struct text_buffer *out, const char *name)
{
    bool plain = (name[0] >= 'a' && name[0] <= 'z') || name[0] == '_';

    for (const char *at = name; plain && *at != '\0'; at++)
        plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
    if (plain)
        text_buffer_add_text(out, name);
    else
        text_buffer_add_identifier(out, name);
}

static bool
print_name(struct shell *shell, const struct entry *entry, void *context)
{
    struct text_buffer line;

    (void)context;
    text_buffer_init(&line, shell->env.memory);
    if (strcmp(entry->schema, "public") != 0) {
        add_name(&line, entry->schema);
        text_buffer_add_char(&line, '.');
    }
    add_name(&line, entry->name);
    if (!line.failed)
        printf("%s\n", line.bytes);
    text_buffer_deinit(&line);
    return true;
}

bool
shell_print_tables(struct shell *shell)
{
    return each_table(shell, print_name, NULL);
}

/* Definitions. */

static bool
get_text(struct byte_reader *reader, const char **out, size_t *size_out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(reader, &size) || size > byte_reader_left(reader) ||
        !byte_reader_skip(reader, (size_t)size, &bytes))
        return false;
    *out = (const char *)bytes;
    *size_out = (size_t)size;
    return true;
}

static void
add_type(struct text_buffer *out, uint8_t type, int32_t precision, int32_t scale)
{
    static const char *const names[] = {
        "null",        "boolean", "smallint", "integer", "bigint", "real",     "double precision",
        "numeric",     "text",    "varchar",  "char",    "bytea",  "date",     "timestamp",
        "timestamptz", "uuid",    "json",     "jsonb",   "time",   "interval", "enum",
        "array",
    };

    text_buffer_add_text(out, type < sizeof(names) / sizeof(names[0]) ? names[type] : "?");
    if (precision >= 0 && type == QTDB_TYPE_NUMERIC)
        text_buffer_print(out, "(%d,%d)", precision, scale > 0 ? scale : 0);
    else if (precision >= 0 && (type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR))
        text_buffer_print(out, "(%d)", precision);
}

/* Names of the columns, for the keys that follow them. */
struct columns {
    uint64_t count;
    char names[COLUMNS_MAX][QTDB_NAME_SIZE_MAX + 1];
};

static bool
add_column(struct byte_reader *reader, struct text_buffer *out, char *name)
{
    const char *text = NULL;
    size_t size = 0;
    uint8_t type = 0, flags = 0;
    uint32_t precision = 0, scale = 0;

    if (!get_text(reader, &text, &size) || size > QTDB_NAME_SIZE_MAX ||
        !byte_reader_get_u8(reader, &type) || !byte_reader_get_u32(reader, &precision) ||
        !byte_reader_get_u32(reader, &scale) || !byte_reader_get_u8(reader, &flags))
        return false;
    memcpy(name, text, size);
    name[size] = '\0';
    text_buffer_add_text(out, "\n    ");
    add_name(out, name);
    text_buffer_add_char(out, ' ');
    add_type(out, type, (int32_t)precision, (int32_t)scale);
    if ((flags & FLAG_NOT_NULL) != 0)
        text_buffer_add_text(out, " NOT NULL");
    if ((flags & FLAG_DEFAULT) == 0)
        return true;
    if (!get_text(reader, &text, &size))
        return false;
    text_buffer_add_text(out, " DEFAULT ");
    text_buffer_add_literal(out, text, size);
    return true;
}

/* "(a, b)"; nothing when there is no column. */
static bool
add_column_list(struct byte_reader *reader, struct text_buffer *out, const struct columns *columns)
{
    uint64_t count = 0, index = 0;

    if (!byte_reader_get_varint(reader, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!byte_reader_get_varint(reader, &index) || index >= columns->count)
            return false;
        text_buffer_add_text(out, i > 0 ? ", " : "(");
        add_name(out, columns->names[index]);
    }
    if (count > 0)
        text_buffer_add_char(out, ')');
    return true;
}

/* A definition being printed: the table, and the statements of its indexes after it. */
struct printing {
    const struct entry *entry;
    struct columns *columns;
    uint8_t format;
    struct text_buffer *table;
    struct text_buffer indexes;
    struct text_buffer list; /* Of one key's columns. */
};

static bool
add_index(struct byte_reader *reader, struct printing *printing)
{
    uint64_t id = 0;
    uint8_t flags = INDEX_UNIQUE | INDEX_CONSTRAINT;
    const char *name = NULL;
    size_t size = 0;
    char text[QTDB_NAME_SIZE_MAX + 1];

    text_buffer_reset(&printing->list);
    if (!get_text(reader, &name, &size) || size > QTDB_NAME_SIZE_MAX ||
        !add_column_list(reader, &printing->list, printing->columns))
        return false;
    if (printing->format != DEFINITION_FORMAT_FIRST &&
        (!byte_reader_get_varint(reader, &id) || !byte_reader_get_u8(reader, &flags)))
        return false;
    if (printing->list.failed)
        return false;
    if ((flags & INDEX_CONSTRAINT) != 0) {
        text_buffer_print(printing->table, ",\n    UNIQUE %s", printing->list.bytes);
        return true;
    }
    memcpy(text, name, size);
    text[size] = '\0';
    text_buffer_print(&printing->indexes, "CREATE %sINDEX ",
                      (flags & INDEX_UNIQUE) != 0 ? "UNIQUE " : "");
    add_name(&printing->indexes, text);
    text_buffer_add_text(&printing->indexes, " ON ");
    add_name(&printing->indexes, printing->entry->schema);
    text_buffer_add_char(&printing->indexes, '.');
    add_name(&printing->indexes, printing->entry->name);
    text_buffer_print(&printing->indexes, " %s;\n", printing->list.bytes);
    return true;
}

static bool
add_keys(struct byte_reader *reader, struct printing *printing)
{
    uint64_t count = 0, next = 0;

    text_buffer_reset(&printing->list);
    if (!add_column_list(reader, &printing->list, printing->columns) || printing->list.failed)
        return false;
    if (printing->list.size > 0)
        text_buffer_print(printing->table, ",\n    PRIMARY KEY %s", printing->list.bytes);
    if ((printing->format != DEFINITION_FORMAT_FIRST && !byte_reader_get_varint(reader, &next)) ||
        !byte_reader_get_varint(reader, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!add_index(reader, printing))
            return false;
    }
    return byte_reader_left(reader) == 0;
}

static bool
add_table(struct printing *printing)
{
    const struct entry *entry = printing->entry;
    struct byte_reader reader = byte_reader_init(entry->definition, entry->size);
    struct columns *columns = printing->columns;
    struct text_buffer *out = printing->table;
    uint32_t id = 0;

    text_buffer_add_text(out, "CREATE TABLE ");
    add_name(out, entry->schema);
    text_buffer_add_char(out, '.');
    add_name(out, entry->name);
    if (!byte_reader_get_u8(&reader, &printing->format) ||
        printing->format < DEFINITION_FORMAT_FIRST || printing->format > DEFINITION_FORMAT ||
        !byte_reader_get_u32(&reader, &id) || !byte_reader_get_varint(&reader, &columns->count) ||
        columns->count > COLUMNS_MAX)
        return false;
    text_buffer_add_text(out, " (");
    for (uint64_t i = 0; i < columns->count; i++) {
        text_buffer_add_text(out, i > 0 ? "," : "");
        if (!add_column(&reader, out, columns->names[i]))
            return false;
    }
    if (!add_keys(&reader, printing))
        return false;
    text_buffer_add_text(out, "\n);\n");
    if (printing->indexes.size > 0)
        text_buffer_add_text(out, printing->indexes.bytes);
    return !out->failed && !printing->indexes.failed;
}

static bool
add_definition(struct shell *shell, const struct entry *entry, struct text_buffer *out,
               struct columns *columns)
{
    struct printing printing = {.entry = entry, .columns = columns, .table = out};

    text_buffer_init(&printing.indexes, shell->env.memory);
    text_buffer_init(&printing.list, shell->env.memory);
    bool ok = add_table(&printing);
    text_buffer_deinit(&printing.list);
    text_buffer_deinit(&printing.indexes);
    return ok;
}

struct wanted {
    const char *name; /* NULL: all. */
    uint64_t count;
};

/* NAME or SCHEMA.NAME. */
static bool
is_wanted(const struct entry *entry, const char *name)
{
    size_t schema_size = strlen(entry->schema);

    return name == NULL || strcmp(entry->name, name) == 0 ||
           (strncmp(name, entry->schema, schema_size) == 0 && name[schema_size] == '.' &&
            strcmp(name + schema_size + 1, entry->name) == 0);
}

static bool
print_definition(struct shell *shell, const struct entry *entry, void *context)
{
    struct wanted *wanted = context;
    struct columns *columns;
    struct text_buffer out;

    if (!is_wanted(entry, wanted->name))
        return true;
    columns = memory_alloc(shell->env.memory, MEMORY_OTHER, sizeof(*columns));
    text_buffer_init(&out, shell->env.memory);
    if (columns != NULL && add_definition(shell, entry, &out, columns))
        (void)fputs(out.bytes, stdout);
    else
        tool_error(shell->tool, "%s.%s: its definition cannot be read", entry->schema, entry->name);
    wanted->count++;
    text_buffer_deinit(&out);
    memory_free(shell->env.memory, MEMORY_OTHER, columns, sizeof(*columns));
    return true;
}

bool
shell_print_schema(struct shell *shell, const char *name)
{
    struct wanted wanted = {.name = name};

    if (!each_table(shell, print_definition, &wanted))
        return false;
    if (name == NULL || wanted.count > 0)
        return true;
    tool_error(shell->tool, "there is no table %s", name);
    shell->failed = true;
    return false;
}
