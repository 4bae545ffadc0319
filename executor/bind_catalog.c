/*
 * The catalog as tables: information_schema.tables, .columns, .schemata, .sequences, .views,
 * .table_constraints, .key_column_usage; pg_catalog.qtdb_trees; and pg_catalog.qtdb_definitions, whose rows in order are the
 * statements that make everything anew. PostgreSQL's own pg_catalog is in bind_pg_class.c and
 * bind_pg_type.c. Their rows are constants of the plan, which is made anew when a
 * definition changes.
 */
#include <string.h>

#include "executor/bind_catalog.h"
#include "executor/definition_text.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

/* Rows. A cell is a text, NULL for null; those of integer columns are written as digits. */

static enum status
add_cell(struct listing *listing, uint32_t column, const char *text, struct expr **out)
{
    struct bind *bind = listing->bind;
    struct sql_type type = listing->rel->columns[column].type;

    TRY(bind__new_expr(bind, EXPR_CONSTANT, type.type, -1, 0, out));
    (*out)->constant = value_null(type.type);
    return text == NULL ? STATUS_OK
                        : value_parse(&type, text, strlen(text), bind->arena, &(*out)->constant,
                                      bind->error);
}

enum status
listing__row(struct listing *listing, const char *const *cells)
{
    struct rel *rel = listing->rel;
    uint32_t width = rel->column_count;

    if (listing->failed)
        return STATUS_NO_MEMORY;

    if (rel->row_count == listing->capacity) {
        uint32_t capacity = 2 * listing->capacity + 8;
        struct expr **exprs =
            bind__take(listing->bind, (size_t)capacity * width * sizeof(struct expr *));

        if (exprs == NULL)
            return STATUS_NO_MEMORY;
        if (rel->row_count > 0)
            memcpy(exprs, rel->exprs, (size_t)rel->row_count * width * sizeof(struct expr *));
        rel->exprs = exprs;
        listing->capacity = capacity;
    }
    for (uint32_t i = 0; i < width; i++)
        TRY(add_cell(listing, i, cells[i], &rel->exprs[(size_t)rel->row_count * width + i]));
    rel->row_count++;
    return STATUS_OK;
}

const char *
listing__digits(struct listing *listing, int64_t number)
{
    struct sql_text text;

    sql_text_init(&text, listing->bind->arena);
    sql_text_print(&text, "%lld", (long long)number);
    listing->failed = listing->failed || text.status != STATUS_OK;
    return text.bytes;
}

const char *
listing__text(struct listing *listing, const struct sql_text *text)
{
    listing->failed = listing->failed || text->status != STATUS_OK;
    return text->bytes;
}

/* Walking: temporary tables are told of to their own session alone, and belong to no definition that
 * could be run again. */

struct walk {
    struct listing *listing;
    listing__entry *each;
};

static enum status
each_shown(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    const struct walk *walk = context;
    const struct search_path *path = walk->listing->bind->path;
    const char *own = path != NULL ? path->temporary : NULL;

    if (search_path_is_temporary(schema) &&
        (walk->listing->pass != NULL || own == NULL || strcmp(schema, own) != 0))
        return STATUS_OK;
    return walk->each(walk->listing, schema, name, value, size);
}

enum status
listing__walk(struct listing *listing, enum catalog_kind kind, listing__entry *each)
{
    struct walk walk = {listing, each};

    return catalog_each(listing->bind->txn, kind, each_shown, &walk, listing->bind->error);
}

static enum status
each_table(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    struct bind *bind = listing->bind;
    struct table *table = bind__take(bind, sizeof(*table));

    if (table == NULL)
        return STATUS_NO_MEMORY;
    enum status status = table_decode(value, size, bind->arena, table);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        return sql_error_set(bind->error, "XX001", -1,
                             "the definition of table \"%s\" is damaged: run qtdb-check", name);
    table->schema = arena_copy_text(bind->arena, schema, strlen(schema));
    table->name = arena_copy_text(bind->arena, name, strlen(name));
    if (table->schema == NULL || table->name == NULL)
        return STATUS_NO_MEMORY;
    TRY(table_link_enums(bind->txn, table, bind->arena, bind->error));
    return listing->view->each_table(listing, table);
}

enum status
listing__tables(struct listing *listing)
{
    return listing__walk(listing, CATALOG_TABLE, each_table);
}

/* information_schema. */

static enum status
each_view(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    const char *cells[] = {"qtdb", schema, name, "VIEW"};

    (void)value;
    (void)size;
    return listing__row(context, cells);
}

static enum status
table_row(struct listing *listing, const struct table *table)
{
    const char *cells[] = {"qtdb", table->schema, table->name, "BASE TABLE"};

    return listing__row(listing, cells);
}

static enum status
fill_tables(struct listing *listing)
{
    TRY(listing__tables(listing));
    return listing__walk(listing, CATALOG_VIEW, each_view);
}

/* An array's has an underscore in front. */
static const char *
udt_name(struct listing *listing, const struct table_column *column)
{
    struct sql_text text;

    sql_text_init(&text, listing->bind->arena);
    sql_text_add(&text, value_is_array(column->type.type) ? "_" : "");
    sql_text_add(&text, column->enumeration != NULL
                            ? column->enumeration->name
                            : value_type_short_name(value_element(column->type.type)));
    return text.bytes;
}

static enum status
column_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];
        bool text = column->type.type == QTDB_TYPE_VARCHAR || column->type.type == QTDB_TYPE_CHAR;
        bool numeric = column->type.type == QTDB_TYPE_NUMERIC && column->type.precision >= 0;
        bool stored = column->generated == TABLE_STORED;
        struct sql_text given;

        sql_text_init(&given, listing->bind->arena);
        bool has = definition_default(&given, table, i);
        TRY(given.status);
        const char *cells[] = {
            "qtdb",
            table->schema,
            table->name,
            column->name,
            listing__digits(listing, i + 1),
            has && !stored ? given.bytes : NULL,
            column->not_null ? "NO" : "YES",
            value_is_array(column->type.type) ? "ARRAY"
            : column->enumeration != NULL     ? "USER-DEFINED"
                                              : value_type_name(column->type.type),
            text && column->type.precision >= 0 ? listing__digits(listing, column->type.precision)
                                                : NULL,
            numeric ? listing__digits(listing, column->type.precision) : NULL,
            numeric ? listing__digits(listing, column->type.scale > 0 ? column->type.scale : 0)
                    : NULL,
            column->generated >= TABLE_IDENTITY_DEFAULT ? "YES" : "NO",
            stored ? "ALWAYS" : "NEVER",
            stored ? column->expr : NULL,
            column->enumeration != NULL ? column->enumeration->schema : "pg_catalog",
            udt_name(listing, column),
        };

        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

/* NOT NULL is told of in columns alone. */
static enum status
add_constraint(struct listing *listing, const struct table *table, const char *name,
               const char *type)
{
    const char *cells[] = {"qtdb",      table->schema, name, "qtdb", table->schema,
                           table->name, type,          "NO", "NO"};

    return listing__row(listing, cells);
}

static enum status
constraint_rows(struct listing *listing, const struct table *table)
{
    if (table->key_count > 0)
        TRY(add_constraint(listing, table, table_key_name(table, listing->bind->arena),
                           "PRIMARY KEY"));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].constraint)
            TRY(add_constraint(listing, table, table->indexes[i].name, "UNIQUE"));
    }
    for (uint32_t i = 0; i < table->check_count; i++)
        TRY(add_constraint(listing, table, table->checks[i].name, "CHECK"));
    for (uint32_t i = 0; i < table->foreign_count; i++)
        TRY(add_constraint(listing, table, table->foreigns[i].name, "FOREIGN KEY"));
    return STATUS_OK;
}

static enum status
add_key_columns(struct listing *listing, const struct table *table, const char *name,
                const uint32_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *cells[] = {"qtdb",
                               table->schema,
                               name,
                               "qtdb",
                               table->schema,
                               table->name,
                               table->columns[columns[i]].name,
                               listing__digits(listing, i + 1)};

        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

static enum status
key_column_rows(struct listing *listing, const struct table *table)
{
    TRY(add_key_columns(listing, table, table_key_name(table, listing->bind->arena), table->keys,
                        table->key_count));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        if (index->constraint)
            TRY(add_key_columns(listing, table, index->name, index->columns, index->column_count));
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        const struct table_foreign *foreign = &table->foreigns[i];

        TRY(add_key_columns(listing, table, foreign->name, foreign->columns,
                            foreign->column_count));
    }
    return STATUS_OK;
}

static enum status
each_view_name(void *context, const char *schema, const char *name, const uint8_t *value,
               size_t size)
{
    const char *cells[] = {"qtdb", schema, name};

    (void)value;
    (void)size;
    return listing__row(context, cells);
}

static enum status
fill_views(struct listing *listing)
{
    return listing__walk(listing, CATALOG_VIEW, each_view_name);
}

static enum status
each_schema(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    const char *cells[] = {"qtdb", schema};

    (void)name;
    (void)value;
    (void)size;
    return listing__row(context, cells);
}

static enum status
fill_schemata(struct listing *listing)
{
    static const char *const always[] = {"information_schema", "pg_catalog", "public"};

    for (uint32_t i = 0; i < 3; i++)
        TRY(each_schema(listing, always[i], "", NULL, 0));
    return listing__walk(listing, CATALOG_SCHEMA, each_schema);
}

enum status
listing__sequence(struct listing *listing, const char *schema, const char *name,
                  struct sequence_definition *out)
{
    struct ast_name place = {.schema = schema, .name = name, .location = -1};

    return sequence_find(listing->bind->txn, &place, listing->bind->arena, out,
                         listing->bind->error);
}

static enum status
each_sequence(void *context, const char *schema, const char *name, const uint8_t *value,
              size_t size)
{
    struct listing *listing = context;
    struct sequence_definition sequence;

    (void)value;
    (void)size;
    TRY(listing__sequence(listing, schema, name, &sequence));
    const char *cells[] = {"qtdb",
                           schema,
                           name,
                           value_type_name(sequence.type),
                           listing__digits(listing, sequence.start),
                           listing__digits(listing, sequence.min),
                           listing__digits(listing, sequence.max),
                           listing__digits(listing, sequence.increment),
                           sequence.cycle ? "YES" : "NO"};
    return listing__row(listing, cells);
}

static enum status
fill_sequences(struct listing *listing)
{
    return listing__walk(listing, CATALOG_SEQUENCE, each_sequence);
}

/* qtdb_trees: where rows and entries are kept. */

static enum status
tree_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i <= table->index_count; i++) {
        const struct table_index *index = i > 0 ? &table->indexes[i - 1] : NULL;
        struct sql_text text;

        sql_text_init(&text, listing->bind->arena);
        if (index == NULL)
            sql_text_print(&text, "sql/t%u", table->id);
        else
            sql_text_print(&text, "sql/u%u.%u", table->id, index->id);
        TRY(text.status);
        const char *cells[] = {table->schema, table->name, index != NULL ? index->name : NULL,
                               text.bytes};
        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

/* qtdb_definitions. */

static enum status
add_definition(struct listing *listing, const char *schema, const char *name, const char *kind,
               struct sql_text *text)
{
    const char *cells[] = {schema, name, kind, text->bytes};

    TRY(text->status);
    return listing__row(listing, cells);
}

static enum status
define_schema(void *context, const char *schema, const char *name, const uint8_t *value,
              size_t size)
{
    struct listing *listing = context;
    struct sql_text text;

    (void)name;
    (void)value;
    (void)size;
    sql_text_init(&text, listing->bind->arena);
    sql_text_add(&text, "CREATE SCHEMA ");
    sql_text_add_name(&text, schema);
    return add_definition(listing, schema, schema, "schema", &text);
}

static enum status
define_enum_text(void *context, const char *schema, const char *name, const uint8_t *value,
                 size_t size)
{
    struct listing *listing = context;
    struct enumeration *type = NULL;
    struct sql_text text;

    TRY(enumeration_decode(schema, name, value, size, listing->bind->arena, &type,
                           listing->bind->error));
    CHECK(type != NULL);
    sql_text_init(&text, listing->bind->arena);
    definition_enum(&text, type);
    return add_definition(listing, schema, name, "type", &text);
}

/* An identity column makes its own. */
static enum status
is_identity(struct listing *listing, const char *schema, const struct sequence_definition *sequence,
            bool *out)
{
    struct ast_name place = {.schema = schema, .name = sequence->owner_table, .location = -1};
    struct table *table = NULL;

    *out = false;
    if (sequence->owner_table == NULL)
        return STATUS_OK;
    TRY(table_find(listing->bind->txn, &place, listing->bind->arena, &table, listing->bind->error));
    uint32_t column = table_column_find(table, sequence->owner_column);
    *out = column != UINT32_MAX && table->columns[column].generated >= TABLE_IDENTITY_DEFAULT;
    return STATUS_OK;
}

static enum status
define_sequence_text(void *context, const char *schema, const char *name, const uint8_t *value,
                     size_t size)
{
    struct listing *listing = context;
    struct sequence_definition sequence;
    struct sql_text text;
    bool identity = false, owned = strcmp(listing->pass, "owner") == 0;

    (void)value;
    (void)size;
    TRY(listing__sequence(listing, schema, name, &sequence));
    TRY(is_identity(listing, schema, &sequence, &identity));
    if (identity || (owned && sequence.owner_table == NULL))
        return STATUS_OK;
    sql_text_init(&text, listing->bind->arena);
    if (!owned) {
        definition_sequence(&text, schema, name, &sequence);
        return add_definition(listing, schema, name, "sequence", &text);
    }
    sql_text_add(&text, "ALTER SEQUENCE ");
    definition_name(&text, schema, name);
    sql_text_add(&text, " OWNED BY ");
    definition_name(&text, schema, sequence.owner_table);
    sql_text_add(&text, ".");
    sql_text_add_name(&text, sequence.owner_column);
    return add_definition(listing, schema, name, "owner", &text);
}

static enum status
add_comments(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i <= table->column_count; i++) {
        bool column = i < table->column_count;
        const char *comment = column ? table->columns[i].comment : table->comment;
        struct sql_text text;

        if (comment == NULL)
            continue;
        sql_text_init(&text, listing->bind->arena);
        sql_text_add(&text, column ? "COMMENT ON COLUMN " : "COMMENT ON TABLE ");
        definition_name(&text, table->schema, table->name);
        if (column) {
            sql_text_add(&text, ".");
            sql_text_add_name(&text, table->columns[i].name);
        }
        sql_text_add(&text, " IS ");
        sql_text_add_literal(&text, comment);
        TRY(add_definition(listing, table->schema, table->name, "comment", &text));
    }
    return STATUS_OK;
}

static enum status
define_table_text(struct listing *listing, const struct table *table)
{
    struct sql_text text;

    if (strcmp(listing->pass, "comment") == 0)
        return add_comments(listing, table);
    if (strcmp(listing->pass, "table") == 0) {
        sql_text_init(&text, listing->bind->arena);
        definition_table(&text, table);
        return add_definition(listing, table->schema, table->name, "table", &text);
    }
    bool index = strcmp(listing->pass, "index") == 0;
    for (uint32_t i = 0; i < (index ? table->index_count : table->foreign_count); i++) {
        sql_text_init(&text, listing->bind->arena);
        if (index && table->indexes[i].constraint)
            continue;
        if (index) {
            definition_index(&text, table, i);
        } else {
            sql_text_add(&text, "ALTER TABLE ");
            definition_name(&text, table->schema, table->name);
            sql_text_add(&text, " ADD CONSTRAINT ");
            sql_text_add_name(&text, table->foreigns[i].name);
            sql_text_add(&text, " ");
            definition_foreign(&text, table, &table->foreigns[i]);
        }
        TRY(add_definition(listing, table->schema, table->name, listing->pass, &text));
    }
    return STATUS_OK;
}

/* The names of a view are looked up along the path it was made with. */
static enum status
define_view_text(void *context, const char *schema, const char *name, const uint8_t *value,
                 size_t size)
{
    struct listing *listing = context;
    const struct search_path *path = NULL;
    const char *stored = arena_copy_text(listing->bind->arena, (const char *)value, size);
    const char *sql = NULL;
    struct sql_text text;

    if (stored == NULL)
        return STATUS_NO_MEMORY;
    TRY(search_path_unstamp(stored, listing->bind->arena, &path, &sql));
    sql_text_init(&text, listing->bind->arena);
    for (uint32_t i = 0; path != NULL && i < path->count; i++) {
        sql_text_add(&text, i > 0 ? ", " : "SET search_path TO ");
        sql_text_add_name(&text, path->names[i]);
    }
    sql_text_add(&text, path != NULL ? ";\n" : "");
    sql_text_add(&text, sql);
    sql_text_add(&text, path != NULL ? ";\nRESET search_path" : "");
    return add_definition(listing, schema, name, "view", &text);
}

static enum status
fill_definitions(struct listing *listing)
{
    static const char *const passes[] = {"table", "index", "foreign key"};

    listing->pass = "schema";
    TRY(listing__walk(listing, CATALOG_SCHEMA, define_schema));
    TRY(listing__walk(listing, CATALOG_ENUM, define_enum_text));
    listing->pass = "sequence";
    TRY(listing__walk(listing, CATALOG_SEQUENCE, define_sequence_text));
    for (uint32_t i = 0; i < 3; i++) {
        listing->pass = passes[i];
        TRY(listing__tables(listing));
    }
    listing->pass = "owner";
    TRY(listing__walk(listing, CATALOG_SEQUENCE, define_sequence_text));
    TRY(listing__walk(listing, CATALOG_VIEW, define_view_text));
    listing->pass = "comment";
    return listing__tables(listing);
}

static const struct catalog_view views[] = {
    {"information_schema",
     "tables",
     fill_tables,
     table_row,
     {{"table_catalog", QTDB_TYPE_TEXT},
      {"table_schema", QTDB_TYPE_TEXT},
      {"table_name", QTDB_TYPE_TEXT},
      {"table_type", QTDB_TYPE_TEXT}}},
    {"information_schema",
     "columns",
     listing__tables,
     column_rows,
     {{"table_catalog", QTDB_TYPE_TEXT},
      {"table_schema", QTDB_TYPE_TEXT},
      {"table_name", QTDB_TYPE_TEXT},
      {"column_name", QTDB_TYPE_TEXT},
      {"ordinal_position", QTDB_TYPE_INT4},
      {"column_default", QTDB_TYPE_TEXT},
      {"is_nullable", QTDB_TYPE_TEXT},
      {"data_type", QTDB_TYPE_TEXT},
      {"character_maximum_length", QTDB_TYPE_INT4},
      {"numeric_precision", QTDB_TYPE_INT4},
      {"numeric_scale", QTDB_TYPE_INT4},
      {"is_identity", QTDB_TYPE_TEXT},
      {"is_generated", QTDB_TYPE_TEXT},
      {"generation_expression", QTDB_TYPE_TEXT},
      {"udt_schema", QTDB_TYPE_TEXT},
      {"udt_name", QTDB_TYPE_TEXT}}},
    {"information_schema",
     "views",
     fill_views,
     NULL,
     {{"table_catalog", QTDB_TYPE_TEXT},
      {"table_schema", QTDB_TYPE_TEXT},
      {"table_name", QTDB_TYPE_TEXT}}},
    {"information_schema",
     "table_constraints",
     listing__tables,
     constraint_rows,
     {{"constraint_catalog", QTDB_TYPE_TEXT},
      {"constraint_schema", QTDB_TYPE_TEXT},
      {"constraint_name", QTDB_TYPE_TEXT},
      {"table_catalog", QTDB_TYPE_TEXT},
      {"table_schema", QTDB_TYPE_TEXT},
      {"table_name", QTDB_TYPE_TEXT},
      {"constraint_type", QTDB_TYPE_TEXT},
      {"is_deferrable", QTDB_TYPE_TEXT},
      {"initially_deferred", QTDB_TYPE_TEXT}}},
    {"information_schema",
     "key_column_usage",
     listing__tables,
     key_column_rows,
     {{"constraint_catalog", QTDB_TYPE_TEXT},
      {"constraint_schema", QTDB_TYPE_TEXT},
      {"constraint_name", QTDB_TYPE_TEXT},
      {"table_catalog", QTDB_TYPE_TEXT},
      {"table_schema", QTDB_TYPE_TEXT},
      {"table_name", QTDB_TYPE_TEXT},
      {"column_name", QTDB_TYPE_TEXT},
      {"ordinal_position", QTDB_TYPE_INT4}}},
    {"information_schema",
     "schemata",
     fill_schemata,
     NULL,
     {{"catalog_name", QTDB_TYPE_TEXT}, {"schema_name", QTDB_TYPE_TEXT}}},
    {"information_schema",
     "sequences",
     fill_sequences,
     NULL,
     {{"sequence_catalog", QTDB_TYPE_TEXT},
      {"sequence_schema", QTDB_TYPE_TEXT},
      {"sequence_name", QTDB_TYPE_TEXT},
      {"data_type", QTDB_TYPE_TEXT},
      {"start_value", QTDB_TYPE_TEXT},
      {"minimum_value", QTDB_TYPE_TEXT},
      {"maximum_value", QTDB_TYPE_TEXT},
      {"increment", QTDB_TYPE_TEXT},
      {"cycle_option", QTDB_TYPE_TEXT}}},
    {"pg_catalog",
     "qtdb_trees",
     listing__tables,
     tree_rows,
     {{"schema", QTDB_TYPE_TEXT},
      {"table", QTDB_TYPE_TEXT},
      {"index", QTDB_TYPE_TEXT},
      {"tree", QTDB_TYPE_TEXT}}},
    {"pg_catalog",
     "qtdb_definitions",
     fill_definitions,
     define_table_text,
     {{"schema", QTDB_TYPE_TEXT},
      {"name", QTDB_TYPE_TEXT},
      {"kind", QTDB_TYPE_TEXT},
      {"definition", QTDB_TYPE_TEXT}}},
    {.name = NULL},
};

static const struct catalog_view *
find_view(const struct catalog_view *all, const struct ast_name *name)
{
    const char *schema = name->schema != NULL ? name->schema : "pg_catalog";

    for (; all->name != NULL; all++) {
        if (strcmp(all->schema, schema) == 0 && strcmp(all->name, name->name) == 0)
            return all;
    }
    return NULL;
}

enum status
bind__catalog_view(struct bind *bind, const struct ast_name *name, struct bind__query *out)
{
    static const struct catalog_view *const families[] = {
        views, catalog__class_views, catalog__type_views, catalog__setting_views};
    const struct catalog_view *view = NULL;
    struct listing listing = {.bind = bind};
    uint32_t count = 0;

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && view == NULL; i++)
        view = find_view(families[i], name);
    if (view == NULL)
        return STATUS_NOT_FOUND;
    while (view->columns[count].name != NULL)
        count++;
    listing.view = view;
    TRY(bind__defining(bind, REL_VALUES, NULL, count, &listing.rel));
    for (uint32_t i = 0; i < count; i++)
        listing.rel->columns[i] = (struct rel_column){
            view->columns[i].name, (struct sql_type){view->columns[i].type, -1, -1}};
    TRY(view->fill(&listing));
    *out = (struct bind__query){listing.rel, listing.rel->relation, count, listing.rel->columns};
    return STATUS_OK;
}
