/*
 * Goal: the predecessor's own files read as it wrote down their contents itself.
 *
 * Method: $QTDB_SHARED/legacy has files of generations A to C with their contents as JSON. Every record
 * of each file is compared with it: names, types, flags, each value with its tag, dead rows, sequences,
 * enums, views, users. What has no JSON (the log to be replayed) is compared with what its bytes say.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/json_tree.h"
#include "tests/unit/tools/legacy_rig.h"

struct comparison {
    const struct json_node *root;
    const struct json_node *database;
    const struct json_node *table;
    size_t database_count, table_count, sequence_count, enum_count, view_count, user_count;
};

static bool
text_is(const struct legacy_text *text, const struct json_node *node)
{
    return node != NULL && node->kind == JSON_STRING && node->size == text->size &&
           memcmp(node->text, text->bytes, text->size) == 0;
}

static enum status
on_database(void *context, const struct legacy_text *name)
{
    struct comparison *comparison = context;
    const struct json_node *all = json_node_member(comparison->root, "databases");

    comparison->database = all != NULL ? json_node_member(all, name->bytes) : comparison->root;
    cr_assert(text_is(name, json_node_member(comparison->database, "name")));
    comparison->database_count++;
    return STATUS_OK;
}

static long
number_of(const struct json_node *node)
{
    return node != NULL && node->text != NULL ? strtol(node->text, NULL, 10) : -1;
}

/* {"Varchar": {"max_length": 20}}, "Integer", {"Enum": {"name": "mood", "values": [...]}} */
static bool
type_is(const struct legacy_column *column, const struct json_node *node)
{
    static const char *const names[] = {
        "SmallInt",    "Integer", "Real", "Numeric", "Serial", "BigSerial",
        "Text",        "Varchar", "Char", "Boolean", "Date",   "Timestamp",
        "TimestampTz", "Uuid",    "Json", "Jsonb",   "Bytea",  "Enum"};
    const char *name = names[column->kind];

    if (node->kind == JSON_STRING)
        return json_is(node, name);
    const struct json_node *fields = json_node_member(node, name);
    if (fields == NULL)
        return false;
    switch (column->kind) {
    case LEGACY_COLUMN_NUMERIC:
        return number_of(json_node_member(fields, "precision")) == column->precision &&
               number_of(json_node_member(fields, "scale")) == column->scale;
    case LEGACY_COLUMN_VARCHAR:
    case LEGACY_COLUMN_CHAR:
        return strtoull(fields->first->text, NULL, 10) == column->size;
    default:
        break;
    }
    const struct json_node *labels = json_node_member(fields, "values");
    bool same = text_is(&column->enum_name, json_node_member(fields, "name")) &&
                labels->count == column->label_count;
    for (uint64_t i = 0; same && i < column->label_count; i++)
        same = text_is(&column->labels[i], json_item(labels, i));
    return same;
}

static void
check_column(const struct legacy_column *column, const struct json_node *node)
{
    const struct json_node *foreign = json_node_member(node, "foreign_key");

    cr_assert(text_is(&column->name, json_node_member(node, "name")));
    cr_assert(type_is(column, json_node_member(node, "data_type")), "%s", column->name.bytes);
    cr_assert_eq(column->nullable, json_is_true(json_node_member(node, "nullable")));
    cr_assert_eq(column->primary_key, json_is_true(json_node_member(node, "primary_key")));
    cr_assert_eq(column->unique, json_is_true(json_node_member(node, "unique")));
    cr_assert_eq(column->has_foreign_key, foreign != NULL && foreign->kind == JSON_OBJECT);
    if (column->has_foreign_key) {
        cr_assert(text_is(&column->foreign_table, json_node_member(foreign, "referenced_table")));
        cr_assert(text_is(&column->foreign_column, json_node_member(foreign, "referenced_column")));
    }
}

static enum status
on_table(void *context, const struct legacy_table *table)
{
    struct comparison *comparison = context;

    comparison->table =
        json_node_member(json_node_member(comparison->database, "tables"), table->name.bytes);
    cr_assert_not_null(comparison->table, "%s", table->name.bytes);
    comparison->table_count++;
    const struct json_node *columns = json_node_member(comparison->table, "columns");
    cr_assert_eq(table->column_count, columns->count);
    for (uint64_t i = 0; i < table->column_count; i++)
        check_column(&table->columns[i], json_item(columns, i));
    cr_assert_eq(table->row_count, json_node_member(comparison->table, "rows")->count);
    return STATUS_OK;
}

static bool
uuid_is(const struct legacy_text *text, const struct json_node *node)
{
    char hex[33] = "", plain[33] = "";

    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text->bytes[i]);
    for (size_t i = 0, k = 0; i < node->size && k < 32; i++) {
        if (node->text[i] != '-')
            plain[k++] = node->text[i];
    }
    return strcmp(hex, plain) == 0;
}

static bool
bytes_are(const struct legacy_text *text, const struct json_node *node)
{
    bool same = node->count == text->size;

    for (size_t i = 0; same && i < text->size; i++)
        same = number_of(json_item(node, i)) == (unsigned char)text->bytes[i];
    return same;
}

static bool
value_is(const struct legacy_value *value, const struct json_node *node)
{
    static const char *const tags[] = {"Null",        "SmallInt", "Integer", "Real",  "Numeric",
                                       "Text",        "Char",     "Boolean", "Date",  "Timestamp",
                                       "TimestampTz", "Uuid",     "Json",    "Bytea", "Enum"};
    if (value->tag == LEGACY_NULL)
        return json_is(node, "Null");
    node = json_node_member(node, tags[value->tag]);
    if (node == NULL)
        return false;
    switch (value->tag) {
    case LEGACY_SMALLINT:
    case LEGACY_INTEGER:
        return strtoll(node->text, NULL, 10) == value->integer;
    case LEGACY_REAL:
        return strtod(node->text, NULL) == value->real;
    case LEGACY_BOOLEAN:
        return json_is_true(node) == (value->integer != 0);
    case LEGACY_UUID:
        return uuid_is(&value->text, node);
    case LEGACY_BYTES:
        return bytes_are(&value->text, node);
    case LEGACY_ENUM:
        return text_is(&value->type_name, json_item(node, 0)) &&
               text_is(&value->text, json_item(node, 1));
    default:
        return text_is(&value->text, node);
    }
}

static enum status
on_row(void *context, const struct legacy_row *row)
{
    struct comparison *comparison = context;
    const struct json_node *node =
        json_item(json_node_member(comparison->table, "rows"), row->index);
    const struct json_node *values = json_node_member(node, "values");

    cr_assert_eq(row->live, json_node_member(node, "xmax")->kind == JSON_NULL);
    cr_assert_eq(row->value_count, values->count);
    for (uint64_t i = 0; i < row->value_count; i++)
        cr_assert(value_is(&row->values[i], json_item(values, i)), "row %d, value %d",
                  (int)row->index, (int)i);
    return STATUS_OK;
}

static enum status
on_sequence(void *context, const struct legacy_text *name, int64_t next)
{
    struct comparison *comparison = context;
    const struct json_node *node =
        json_node_member(json_node_member(comparison->table, "sequences"), name->bytes);

    cr_assert_not_null(node);
    cr_assert_eq(strtoll(node->text, NULL, 10), next);
    comparison->sequence_count++;
    return STATUS_OK;
}

static enum status
on_enum(void *context, const struct legacy_text *name, const struct legacy_text *labels,
        uint64_t label_count)
{
    struct comparison *comparison = context;
    const struct json_node *node =
        json_node_member(json_node_member(comparison->database, "enums"), name->bytes);

    cr_assert(node != NULL && node->count == label_count);
    for (uint64_t i = 0; i < label_count; i++)
        cr_assert(text_is(&labels[i], json_item(node, i)));
    comparison->enum_count++;
    return STATUS_OK;
}

static enum status
on_view(void *context, const struct legacy_text *name, const struct legacy_text *sql)
{
    struct comparison *comparison = context;

    cr_assert(text_is(
        sql, json_node_member(json_node_member(comparison->database, "views"), name->bytes)));
    comparison->view_count++;
    return STATUS_OK;
}

static enum status
on_user(void *context, const struct legacy_user *user)
{
    struct comparison *comparison = context;
    const struct json_node *node =
        json_node_member(json_node_member(comparison->root, "users"), user->name.bytes);

    cr_assert_not_null(node);
    cr_assert_eq(user->is_superuser, json_is_true(json_node_member(node, "is_superuser")));
    cr_assert_eq(user->can_create_db, json_is_true(json_node_member(node, "can_create_db")));
    cr_assert_eq(user->can_create_user, json_is_true(json_node_member(node, "can_create_user")));
    comparison->user_count++;
    return STATUS_OK;
}

/* Nothing that the document lists may be missing in the file. */
static void
check_counts(const struct comparison *comparison)
{
    const struct json_node *databases = json_node_member(comparison->root, "databases");
    const struct json_node *one = databases != NULL ? databases->first : comparison->root;
    const struct json_node *users = json_node_member(comparison->root, "users");
    size_t database_count = 0, table_count = 0, sequence_count = 0, enum_count = 0, view_count = 0;

    for (; one != NULL; one = databases != NULL ? one->next : NULL) {
        const struct json_node *views = json_node_member(one, "views");
        const struct json_node *tables = json_node_member(one, "tables");

        database_count++;
        table_count += tables->count;
        enum_count += json_node_member(one, "enums")->count;
        view_count += views != NULL ? views->count : 0;
        for (const struct json_node *table = tables->first; table; table = table->next)
            sequence_count += json_node_member(table, "sequences")->count;
    }
    cr_assert_eq(comparison->database_count, database_count);
    cr_assert_eq(comparison->table_count, table_count);
    cr_assert_eq(comparison->sequence_count, sequence_count);
    cr_assert_eq(comparison->enum_count, enum_count);
    cr_assert_eq(comparison->view_count, view_count);
    cr_assert_eq(comparison->user_count, users != NULL ? users->count : 0);
}

static void
compare(const char *generation, const char *file, const char *expected)
{
    const char *shared = getenv("QTDB_SHARED");
    char path[512];
    struct legacy_rig rig;
    struct legacy_stream stream;
    struct legacy_form form;
    struct legacy_fault fault;
    struct comparison comparison = {.database_count = 0};
    const struct legacy_visitor visitor = {&comparison, on_database, on_table, on_row,  on_sequence,
                                           NULL,        on_enum,     on_view,  on_user, NULL};

    snprintf(path, sizeof(path), "%s/legacy/%s/%s", shared ? shared : "", generation, expected);
    struct json_node *root = json_tree_read(path);
    if (root == NULL)
        cr_skip_test("QTDB_SHARED has no %s", path);
    comparison.root = root;
    snprintf(path, sizeof(path), "%s/legacy/%s/%s", shared, generation, file);
    legacy_rig_init(&rig);
    cr_assert_eq(legacy_stream_open(&rig.env, path, &stream), STATUS_OK);
    cr_assert_eq(legacy_detect(&stream, &form, &fault), STATUS_OK);
    cr_assert_str_eq(legacy_generation_name(form.generation), generation + 1);
    cr_assert_eq(legacy_read(&stream, &form, &visitor), STATUS_OK);
    check_counts(&comparison);
    legacy_stream_close(&stream);
    legacy_rig_deinit(&rig);
    json_tree_free(root);
}

Test(legacy_samples, generation_a_reads_as_the_predecessor_says)
{
    compare("gA", "clean/server_instance.db", "expected_snapshot.json");
    compare("gA", "legacy_main/main.db", "expected_legacy_main.json");
}

Test(legacy_samples, generation_b_reads_as_the_predecessor_says)
{
    compare("gB", "clean/server_instance.db", "expected_snapshot.json");
    compare("gB", "legacy_main/main.db", "expected_legacy_main.json");
}

Test(legacy_samples, generation_c_reads_as_the_predecessor_says)
{
    compare("gC", "clean/server_instance.db", "expected_snapshot.json");
    compare("gC", "legacy_main/main.db", "expected_legacy_main.json");
}

/* The log: five records before the checkpoint, five after it, and a torn one. */
static void
replay(const char *generation)
{
    const char *shared = getenv("QTDB_SHARED");
    char path[512];
    struct legacy_rig rig;

    snprintf(path, sizeof(path), "%s/legacy/%s/crash", shared ? shared : "", generation);
    if (shared == NULL || access(path, F_OK) != 0)
        cr_skip_test("QTDB_SHARED has no %s", path);
    legacy_rig_init(&rig);
    char *rows = legacy_rig_dump(&rig, path, NULL);
    cr_assert_str_eq(rows, "postgres.users: 3|u3\n"
                           "postgres.users: 4|u4\n"
                           "postgres.users: 5|u5\n"
                           "postgres.users: 1|u1-new\n"
                           "postgres.users: 6|6.5\n");
    free(rows);
    legacy_rig_deinit(&rig);
}

Test(legacy_samples, a_log_is_replayed_from_its_last_checkpoint)
{
    replay("gA");
    replay("gB");
    replay("gC");
}
