/*
 * PostgreSQL's catalog of what is no relation: pg_type, pg_enum, pg_namespace, pg_database, pg_roles, pg_user,
 * pg_am, pg_collation's share that we have, and the always empty pg_extension; and the numbers all of
 * pg_catalog goes by. Built-in types have PostgreSQL's.
 */
#include <string.h>

#include "executor/bind_catalog.h"
#include "executor/definition_text.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

#define BOOL QTDB_TYPE_BOOL
#define INT2 QTDB_TYPE_INT2
#define INT4 QTDB_TYPE_INT4
#define OID QTDB_TYPE_INT8
#define TEXT QTDB_TYPE_TEXT

enum { OID_FIRST = 16384, OID_PG_CATALOG = 11, OID_PUBLIC = 2200, OID_INFORMATION = 13000 };

static const struct {
    enum qtdb_type type;
    int32_t oid;
    int32_t array_oid;
    int32_t length; /* -1: variable. */
    const char *category;
} types[] = {
    {QTDB_TYPE_BOOL, 16, 1000, 1, "B"},          {QTDB_TYPE_BYTEA, 17, 1001, -1, "U"},
    {QTDB_TYPE_INT8, 20, 1016, 8, "N"},          {QTDB_TYPE_INT2, 21, 1005, 2, "N"},
    {QTDB_TYPE_INT4, 23, 1007, 4, "N"},          {QTDB_TYPE_TEXT, 25, 1009, -1, "S"},
    {QTDB_TYPE_JSON, 114, 199, -1, "U"},         {QTDB_TYPE_FLOAT4, 700, 1021, 4, "N"},
    {QTDB_TYPE_FLOAT8, 701, 1022, 8, "N"},       {QTDB_TYPE_CHAR, 1042, 1014, -1, "S"},
    {QTDB_TYPE_VARCHAR, 1043, 1015, -1, "S"},    {QTDB_TYPE_DATE, 1082, 1182, 4, "D"},
    {QTDB_TYPE_TIME, 1083, 1183, 8, "D"},        {QTDB_TYPE_TIMESTAMP, 1114, 1115, 8, "D"},
    {QTDB_TYPE_TIMESTAMPTZ, 1184, 1185, 8, "D"}, {QTDB_TYPE_INTERVAL, 1186, 1187, 16, "T"},
    {QTDB_TYPE_NUMERIC, 1700, 1231, -1, "N"},    {QTDB_TYPE_UUID, 2950, 2951, 16, "U"},
    {QTDB_TYPE_JSONB, 3802, 3807, -1, "U"},
};
enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

/* Numbers. */

static uint64_t
hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u; /* An end that no text has inside. */
}

int64_t
catalog__oid(enum catalog_oid_kind kind, const char *schema, const char *name)
{
    const char letter[] = {(char)kind, '\0'};
    uint64_t hash = hash_text(14695981039346656037u, letter);

    if (kind == CATALOG_OID_SCHEMA && strcmp(schema, "pg_catalog") == 0)
        return OID_PG_CATALOG;
    if (kind == CATALOG_OID_SCHEMA && strcmp(schema, "public") == 0)
        return OID_PUBLIC;
    if (kind == CATALOG_OID_SCHEMA && strcmp(schema, "information_schema") == 0)
        return OID_INFORMATION;
    hash = hash_text(hash_text(hash, schema), name);
    return OID_FIRST + (int64_t)(value_hash_word(hash) % (INT32_MAX - OID_FIRST));
}

int64_t
catalog__type_oid(const struct table_column *column)
{
    enum qtdb_type type = column->type.type;
    bool array = value_is_array(type);

    if (column->enumeration != NULL)
        return catalog__oid(array ? CATALOG_OID_ARRAY : CATALOG_OID_TYPE,
                            column->enumeration->schema, column->enumeration->name);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].type == value_element(type))
            return array ? types[i].array_oid : types[i].oid;
    }
    return 0;
}

int32_t
catalog__type_modifier(const struct sql_type *type)
{
    enum qtdb_type element = value_element(type->type);

    if (type->precision < 0 || element == QTDB_TYPE_INTERVAL)
        return -1;
    if (element == QTDB_TYPE_NUMERIC)
        return (type->precision << 16 | (type->scale > 0 ? type->scale : 0)) + 4;
    return element == QTDB_TYPE_VARCHAR || element == QTDB_TYPE_CHAR ? type->precision + 4
                                                                     : type->precision;
}

/* pg_type, pg_enum. */

struct type_row {
    const char *name;
    const char *schema;
    int64_t oid;
    int64_t element;
    int64_t array;
    int32_t length;
    const char *type;
    const char *category;
    const char *shown; /* What format_type says. */
};

static enum status
add_type(struct listing *listing, const struct type_row *row)
{
    bool text = row->category[0] == 'S';
    const char *const shown[] = {listing__digits(listing, row->oid), row->shown};
    const char *const cells[] = {
        listing__digits(listing, row->oid),
        row->name,
        listing__digits(listing, catalog__oid(CATALOG_OID_SCHEMA, row->schema, "")),
        "10",
        listing__digits(listing, row->length),
        row->length > 0 && row->length <= 8 ? "t" : "f",
        row->type,
        row->category,
        strcmp(row->name, "text") == 0 || strcmp(row->name, "float8") == 0 ||
                strcmp(row->name, "bool") == 0 || strcmp(row->name, "timestamptz") == 0 ||
                strcmp(row->name, "interval") == 0
            ? "t"
            : "f",
        "t",
        ",",
        "0",
        listing__digits(listing, row->element),
        listing__digits(listing, row->array),
        "f",
        "0",
        "-1",
        "0",
        text ? "100" : "0",
        NULL,
    };

    return listing__row(listing, listing->view->name[0] == '?' ? shown : cells);
}

static const char *
join(struct listing *listing, const char *first, const char *second)
{
    struct sql_text text;

    sql_text_init(&text, listing->bind->arena);
    sql_text_add(&text, first);
    sql_text_add(&text, second);
    return listing__text(listing, &text);
}

/* A type and its array. */
static enum status
add_types(struct listing *listing, struct type_row row, int64_t array)
{
    struct type_row arrays = row;

    row.array = array;
    TRY(add_type(listing, &row));
    arrays.name = join(listing, "_", row.name);
    arrays.shown = join(listing, row.shown, "[]");
    arrays.oid = array;
    arrays.element = row.oid;
    arrays.length = -1;
    arrays.type = "b";
    arrays.category = "A";
    return listing->failed ? STATUS_NO_MEMORY : add_type(listing, &arrays);
}

static enum status
read_enum(struct listing *listing, const char *schema, const char *name, const uint8_t *value,
          size_t size, struct enumeration **out)
{
    return enumeration_decode(schema, name, value, size, listing->bind->arena, out,
                              listing->bind->error);
}

/* The name as a text that finds the type: without a schema where the path leads to it. */
static enum status
show_enum(struct listing *listing, const char *schema, const char *name, const char **out)
{
    struct bind *bind = listing->bind;
    struct ast_name plain = {.name = name, .location = -1}, found = plain;
    struct sql_text text;

    TRY(search_path_find(bind->txn, bind->path, &plain, "e", &found, bind->error));
    sql_text_init(&text, bind->arena);
    if (strcmp(found.schema != NULL ? found.schema : "public", schema) == 0)
        sql_text_add_name(&text, name);
    else
        definition_name(&text, schema, name);
    *out = listing__text(listing, &text);
    return listing->failed ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
enum_type(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct type_row row = {.name = name,
                           .schema = schema,
                           .oid = catalog__oid(CATALOG_OID_TYPE, schema, name),
                           .length = 4,
                           .type = "e",
                           .category = "E"};

    (void)value, (void)size;
    TRY(show_enum(context, schema, name, &row.shown));
    return add_types(context, row, catalog__oid(CATALOG_OID_ARRAY, schema, name));
}

static enum status
fill_types(struct listing *listing)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct type_row row = {.name = value_type_short_name(types[i].type),
                               .schema = "pg_catalog",
                               .oid = types[i].oid,
                               .length = types[i].length,
                               .type = "b",
                               .category = types[i].category,
                               .shown = value_type_name(types[i].type)};

        TRY(add_types(listing, row, types[i].array_oid));
    }
    return listing__walk(listing, CATALOG_ENUM, enum_type);
}

static enum status
enum_labels(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    struct enumeration *type = NULL;

    TRY(read_enum(listing, schema, name, value, size, &type));
    CHECK(type != NULL);
    for (uint32_t i = 0; i < type->count; i++) {
        const char *place = join(listing, name, type->labels[i].text);
        const char *const cells[] = {
            listing__digits(listing,
                            catalog__oid(CATALOG_OID_LABEL, schema, place != NULL ? place : "")),
            listing__digits(listing, catalog__oid(CATALOG_OID_TYPE, schema, name)),
            listing__digits(listing, i + 1), type->labels[i].text};

        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

static enum status
fill_enum(struct listing *listing)
{
    return listing__walk(listing, CATALOG_ENUM, enum_labels);
}

/* The rest. */

static enum status
add_schema(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    const char *const cells[] = {
        listing__digits(listing, catalog__oid(CATALOG_OID_SCHEMA, schema, "")), schema, "10", NULL};

    (void)name, (void)value, (void)size;
    return listing__row(listing, cells);
}

static enum status
fill_namespace(struct listing *listing)
{
    static const char *const always[] = {"pg_catalog", "public", "information_schema"};

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        TRY(add_schema(listing, always[i], "", NULL, 0));
    return listing__walk(listing, CATALOG_SCHEMA, add_schema);
}

static enum status
fill_database(struct listing *listing)
{
    static const char *const cells[] = {"5", "qtdb", "10", "6", "C", "C", "f", "t", "-1", NULL};

    return listing__row(listing, cells);
}

static enum status
fill_roles(struct listing *listing)
{
    static const char *const cells[] = {"10", "qtdb", "t", "t", "t", "t", "t", "-1"};

    return listing__row(listing, cells);
}

static enum status
fill_user(struct listing *listing)
{
    static const char *const cells[] = {"qtdb", "10", "t", "t"};

    return listing__row(listing, cells);
}

static enum status
fill_methods(struct listing *listing)
{
    static const char *const rows[][3] = {
        {"2", "heap", "t"}, {"403", "btree", "i"}, {"16000", "rmi", "i"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        TRY(listing__row(listing, rows[i]));
    return STATUS_OK;
}

static enum status
fill_collations(struct listing *listing)
{
    static const char *const rows[][3] = {
        {"100", "default", "11"}, {"950", "C", "11"}, {"951", "POSIX", "11"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        TRY(listing__row(listing, rows[i]));
    return STATUS_OK;
}

static enum status
fill_nothing(struct listing *listing)
{
    (void)listing;
    return STATUS_OK;
}

const struct catalog_view catalog__type_views[] = {
    {"pg_catalog",
     "pg_type",
     fill_types,
     NULL,
     {{"oid", OID},           {"typname", TEXT},     {"typnamespace", OID},
      {"typowner", OID},      {"typlen", INT2},      {"typbyval", BOOL},
      {"typtype", TEXT},      {"typcategory", TEXT}, {"typispreferred", BOOL},
      {"typisdefined", BOOL}, {"typdelim", TEXT},    {"typrelid", OID},
      {"typelem", OID},       {"typarray", OID},     {"typnotnull", BOOL},
      {"typbasetype", OID},   {"typtypmod", INT4},   {"typndims", INT4},
      {"typcollation", OID},  {"typdefault", TEXT}}},
    {"pg_catalog", "?types", fill_types, NULL, {{"oid", OID}, {"name", TEXT}}},
    {"pg_catalog",
     "pg_enum",
     fill_enum,
     NULL,
     {{"oid", OID}, {"enumtypid", OID}, {"enumsortorder", QTDB_TYPE_FLOAT4}, {"enumlabel", TEXT}}},
    {"pg_catalog",
     "pg_namespace",
     fill_namespace,
     NULL,
     {{"oid", OID},
      {"nspname", TEXT},
      {"nspowner", OID},
      {"nspacl", (enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY)}}},
    {"pg_catalog",
     "pg_database",
     fill_database,
     NULL,
     {{"oid", OID},
      {"datname", TEXT},
      {"datdba", OID},
      {"encoding", INT4},
      {"datcollate", TEXT},
      {"datctype", TEXT},
      {"datistemplate", BOOL},
      {"datallowconn", BOOL},
      {"datconnlimit", INT4},
      {"datacl", (enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY)}}},
    {"pg_catalog",
     "pg_roles",
     fill_roles,
     NULL,
     {{"oid", OID},
      {"rolname", TEXT},
      {"rolsuper", BOOL},
      {"rolinherit", BOOL},
      {"rolcreaterole", BOOL},
      {"rolcreatedb", BOOL},
      {"rolcanlogin", BOOL},
      {"rolconnlimit", INT4}}},
    {"pg_catalog",
     "pg_user",
     fill_user,
     NULL,
     {{"usename", TEXT}, {"usesysid", OID}, {"usecreatedb", BOOL}, {"usesuper", BOOL}}},
    {"pg_catalog", "pg_am", fill_methods, NULL, {{"oid", OID}, {"amname", TEXT}, {"amtype", TEXT}}},
    {"pg_catalog",
     "pg_collation",
     fill_collations,
     NULL,
     {{"oid", OID}, {"collname", TEXT}, {"collnamespace", OID}}},
    {"pg_catalog",
     "pg_extension",
     fill_nothing,
     NULL,
     {{"oid", OID}, {"extname", TEXT}, {"extnamespace", OID}, {"extversion", TEXT}}},
    {.name = NULL},
};
