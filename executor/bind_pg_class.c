/*
 * PostgreSQL's catalog of relations over ours: pg_class, pg_attribute, pg_attrdef, pg_index, pg_constraint,
 * pg_description, pg_tables, pg_indexes, pg_views, pg_sequences, and the always empty pg_inherits and pg_trigger. "?relations" and
 * "?constraints" have what functions such as pg_get_indexdef tell of an oid (bind_regclass.c). A primary key is
 * a unique index here, as there, though its rows are the table itself. The catalog does not list itself.
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
#define INT2S ((enum qtdb_type)(QTDB_TYPE_INT2 | VALUE_ARRAY))
#define TEXTS ((enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY))

enum { AM_HEAP = 2, AM_BTREE = 403, AM_RMI = 16000, OWNER = 10 };

static const char *
oid_text(struct listing *listing, enum catalog_oid_kind kind, const char *schema, const char *name)
{
    return listing__digits(listing, catalog__oid(kind, schema, name));
}

static const char *
yes(bool is)
{
    return is ? "t" : "f";
}

static const char *
key_name(struct listing *listing, const struct table *table)
{
    const char *name = table_key_name(table, listing->bind->arena);

    listing->failed = listing->failed || name == NULL;
    return name == NULL ? "" : name;
}

/* (a, b) */
static void
add_columns(struct sql_text *text, const struct table *table, const uint32_t *columns,
            uint32_t count)
{
    sql_text_add(text, "(");
    for (uint32_t i = 0; i < count; i++) {
        sql_text_add(text, i > 0 ? ", " : "");
        sql_text_add_name(text, table->columns[columns[i]].name);
    }
    sql_text_add(text, ")");
}

/* {1,2}; expressions are 0. */
static const char *
positions(struct listing *listing, const uint32_t *columns, uint32_t count, const char *lower)
{
    struct sql_text text;

    sql_text_init(&text, listing->bind->arena);
    sql_text_print(&text, lower, count - 1);
    sql_text_add(&text, "{");
    for (uint32_t i = 0; i < count; i++)
        sql_text_print(&text, "%s%u", i > 0 ? "," : "",
                       columns[i] < TABLE_EXPR_BASE ? columns[i] + 1 : 0);
    sql_text_add(&text, "}");
    return listing__text(listing, &text);
}

/* CREATE INDEX with its method said, as PostgreSQL does. `index` UINT32_MAX: the primary key. */
static const char *
index_text(struct listing *listing, const struct table *table, uint32_t index)
{
    struct sql_text text, whole;

    sql_text_init(&text, listing->bind->arena);
    if (index == UINT32_MAX) {
        sql_text_add(&text, "CREATE UNIQUE INDEX ");
        sql_text_add_name(&text, key_name(listing, table));
        sql_text_add(&text, " ON ");
        definition_name(&text, table->schema, table->name);
        sql_text_add(&text, " USING btree ");
        add_columns(&text, table, table->keys, table->key_count);
        return listing__text(listing, &text);
    }
    definition_index(&text, table, index);
    if (table->indexes[index].learned || text.status != STATUS_OK)
        return listing__text(listing, &text);
    sql_text_init(&whole, listing->bind->arena);
    sql_text_print(&whole, "CREATE %sINDEX ", table->indexes[index].unique ? "UNIQUE " : "");
    sql_text_add_name(&whole, table->indexes[index].name);
    sql_text_add(&whole, " ON ");
    definition_name(&whole, table->schema, table->name);
    size_t size = whole.size;
    sql_text_add(&whole, " USING btree");
    if (whole.status == STATUS_OK)
        sql_text_add(&whole, text.bytes + size);
    return listing__text(listing, &whole);
}

/* pg_class, ?relations. */

struct relation {
    const char *schema;
    const char *name;
    const char *kind;
    int32_t method;
    uint32_t column_count;
    const struct table *table; /* Of a table; NULL: of anything else. */
    const char *definition;
};

static enum status
add_class(struct listing *listing, const struct relation *relation)
{
    const struct table *table = relation->table;
    bool indexed = table != NULL && (table->index_count > 0 || table->key_count > 0);
    bool referring = table != NULL && table->foreign_count + table->reference_count > 0;
    const char *const cells[] = {
        oid_text(listing, CATALOG_OID_RELATION, relation->schema, relation->name),
        relation->name,
        oid_text(listing, CATALOG_OID_SCHEMA, relation->schema, ""),
        "0",
        "0",
        listing__digits(listing, OWNER),
        listing__digits(listing, relation->method),
        oid_text(listing, CATALOG_OID_RELATION, relation->schema, relation->name),
        "0",
        "0",
        "-1",
        "0",
        yes(indexed),
        "f",
        search_path_is_temporary(relation->schema) ? "t" : "p",
        relation->kind,
        listing__digits(listing, relation->column_count),
        listing__digits(listing, table != NULL ? table->check_count : 0),
        "f",
        yes(referring),
        "f",
        "f",
        "f",
        "t",
        "d",
        "f",
        NULL,
        NULL,
        NULL,
    };

    return listing__row(listing, cells);
}

/* The name as a text that finds the relation: without a schema where the path leads to it. */
static enum status
add_named(struct listing *listing, const struct relation *relation)
{
    struct bind *bind = listing->bind;
    struct ast_name plain = {.name = relation->name, .location = -1}, found = plain;
    struct sql_text text;

    TRY(search_path_find(bind->txn, bind->path, &plain, "twiq", &found, bind->error));
    bool visible = strcmp(found.schema != NULL ? found.schema : "public", relation->schema) == 0;
    sql_text_init(&text, bind->arena);
    if (visible)
        sql_text_add_name(&text, relation->name);
    else
        definition_name(&text, relation->schema, relation->name);
    const char *const cells[] = {
        oid_text(listing, CATALOG_OID_RELATION, relation->schema, relation->name),
        listing__text(listing, &text),
        yes(visible),
        relation->definition,
    };
    return listing__row(listing, cells);
}

static enum status
add_relation(struct listing *listing, const struct relation *relation)
{
    return listing->view->name[0] == '?' ? add_named(listing, relation)
                                         : add_class(listing, relation);
}

static enum status
class_rows(struct listing *listing, const struct table *table)
{
    struct relation relation = {.schema = table->schema,
                                .name = table->name,
                                .kind = "r",
                                .method = AM_HEAP,
                                .column_count = table->column_count,
                                .table = table};

    TRY(add_relation(listing, &relation));
    relation.kind = "i";
    relation.table = NULL;
    for (uint32_t i = 0; i <= table->index_count; i++) {
        bool key = i == table->index_count;
        const struct table_index *index = key ? NULL : &table->indexes[i];

        if (key && table->key_count == 0)
            break;
        relation.name = key ? key_name(listing, table) : index->name;
        relation.method = !key && index->learned ? AM_RMI : AM_BTREE;
        relation.column_count = key ? table->key_count : index->column_count + index->include_count;
        relation.definition = index_text(listing, table, key ? UINT32_MAX : i);
        TRY(add_relation(listing, &relation));
    }
    return STATUS_OK;
}

/* A view's query: what stands behind AS in the statement that made it. */
static const char *
query_of(const char *sql)
{
    uint32_t depth = 0;

    for (const char *at = sql; *at != '\0'; at++) {
        if (*at == '"' || *at == '\'') {
            const char *end = strchr(at + 1, *at);

            at = end == NULL ? at : end;
        } else if (*at == '(' || *at == ')') {
            depth += *at == '(' ? 1 : UINT32_MAX;
        } else if (depth == 0 && (at[0] == ' ' || at[0] == '\n' || at[0] == ')') &&
                   strncasecmp(at + 1, "as", 2) == 0 &&
                   (at[3] == ' ' || at[3] == '\n' || at[3] == '(')) {
            return at + 3 + strspn(at + 3, " \n\t");
        }
    }
    return sql;
}

static enum status
view_query(struct listing *listing, const uint8_t *value, size_t size, const char **out)
{
    const struct search_path *path = NULL;
    const char *stored = arena_copy_text(listing->bind->arena, (const char *)value, size);

    if (stored == NULL)
        return STATUS_NO_MEMORY;
    TRY(search_path_unstamp(stored, listing->bind->arena, &path, out));
    *out = query_of(*out);
    return STATUS_OK;
}

/* Its columns; none where it cannot be bound any more. */
static enum status
view_columns(struct listing *listing, const char *schema, const char *name, struct bind__query *out)
{
    struct ast_name place = {.schema = schema, .name = name, .location = -1};
    struct bind *bind = listing->bind;
    const struct bind before = *bind;
    enum status status = bind__view(bind, &place, out);

    bind->relation_count = before.relation_count; /* Only the columns are looked at. */
    bind->slot_count = before.slot_count;
    bind->work_count = before.work_count;
    bind->shared_count = before.shared_count;
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        *out = (struct bind__query){.column_count = 0};
    return STATUS_OK;
}

static enum status
class_view(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    struct relation relation = {.schema = schema, .name = name, .kind = "v"};
    struct bind__query query = {.column_count = 0};

    TRY(view_query(listing, value, size, &relation.definition));
    TRY(view_columns(listing, schema, name, &query));
    relation.column_count = query.column_count;
    return add_relation(listing, &relation);
}

static enum status
class_sequence(void *context, const char *schema, const char *name, const uint8_t *value,
               size_t size)
{
    const struct relation relation = {
        .schema = schema, .name = name, .kind = "S", .column_count = 3};

    (void)value, (void)size;
    return add_relation(context, &relation);
}

static enum status
fill_class(struct listing *listing)
{
    TRY(listing__tables(listing));
    TRY(listing__walk(listing, CATALOG_VIEW, class_view));
    return listing__walk(listing, CATALOG_SEQUENCE, class_sequence);
}

/* pg_attribute, pg_attrdef, pg_description. */

static enum status
add_attribute(struct listing *listing, const char *schema, const char *relation, uint32_t number,
              const struct table_column *column)
{
    bool text = column->type.type == QTDB_TYPE_TEXT || column->type.type == QTDB_TYPE_VARCHAR ||
                column->type.type == QTDB_TYPE_CHAR;
    bool stored = column->generated == TABLE_STORED;
    const char *const cells[] = {
        oid_text(listing, CATALOG_OID_RELATION, schema, relation),
        column->name,
        listing__digits(listing, catalog__type_oid(column)),
        "-1",
        listing__digits(listing, number),
        value_is_array(column->type.type) ? "1" : "0",
        listing__digits(listing, catalog__type_modifier(&column->type)),
        yes(column->not_null),
        yes(stored || column->expr != NULL || column->default_text != NULL),
        "f",
        column->generated == TABLE_IDENTITY_ALWAYS    ? "a"
        : column->generated == TABLE_IDENTITY_DEFAULT ? "d"
                                                      : "",
        stored ? "s" : "",
        "f",
        "t",
        "0",
        text ? "100" : "0",
        NULL,
        NULL,
    };

    return listing__row(listing, cells);
}

/* As an index has it: rules and defaults are the table's. */
static struct table_column
key_column(const struct table_column *column)
{
    return (struct table_column){
        .name = column->name, .type = column->type, .enumeration = column->enumeration};
}

static enum status
attribute_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(add_attribute(listing, table->schema, table->name, i + 1, &table->columns[i]));
    for (uint32_t i = 0; i < table->key_count; i++) {
        struct table_column key = key_column(&table->columns[table->keys[i]]);

        TRY(add_attribute(listing, table->schema, key_name(listing, table), i + 1, &key));
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        for (uint32_t k = 0; k < index->column_count + index->include_count; k++) {
            uint32_t place = k < index->column_count ? index->columns[k]
                                                     : index->includes[k - index->column_count];
            struct table_column column = {.name = "expr"};

            if (place < TABLE_EXPR_BASE)
                column = key_column(&table->columns[place]);
            else
                column.type = table->exprs[place - TABLE_EXPR_BASE].type;
            TRY(add_attribute(listing, table->schema, index->name, k + 1, &column));
        }
    }
    return STATUS_OK;
}

static enum status
attribute_view(void *context, const char *schema, const char *name, const uint8_t *value,
               size_t size)
{
    struct listing *listing = context;
    struct bind__query query = {.column_count = 0};

    (void)value, (void)size;
    TRY(view_columns(listing, schema, name, &query));
    for (uint32_t i = 0; i < query.column_count; i++) {
        struct table_column column = {.name = query.columns[i].name, .type = query.columns[i].type};

        if (value_is_enum(value_element(column.type.type)))
            TRY(bind__enumeration(listing->bind, column.type.type, &column.enumeration));
        TRY(add_attribute(listing, schema, name, i + 1, &column));
    }
    return STATUS_OK;
}

static enum status
fill_attribute(struct listing *listing)
{
    TRY(listing__tables(listing));
    return listing__walk(listing, CATALOG_VIEW, attribute_view);
}

static enum status
default_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct sql_text text, place;

        sql_text_init(&text, listing->bind->arena);
        sql_text_init(&place, listing->bind->arena);
        if (!definition_default(&text, table, i))
            continue;
        sql_text_print(&place, "%s.%u", table->name, i);
        const char *const cells[] = {
            oid_text(listing, CATALOG_OID_DEFAULT, table->schema,
                     place.status == STATUS_OK ? place.bytes : ""),
            oid_text(listing, CATALOG_OID_RELATION, table->schema, table->name),
            listing__digits(listing, i + 1), listing__text(listing, &text)};
        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

static enum status
description_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i <= table->column_count; i++) {
        const char *comment = i == 0 ? table->comment : table->columns[i - 1].comment;
        const char *const cells[] = {
            oid_text(listing, CATALOG_OID_RELATION, table->schema, table->name), "1259",
            listing__digits(listing, i), comment};

        if (comment != NULL)
            TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

/* pg_index, pg_indexes. */

/* 1 descending, 2 nulls first, for each column of the key. */
static const char *
options(struct listing *listing, const struct table_index *index, uint32_t count)
{
    struct sql_text text;

    sql_text_init(&text, listing->bind->arena);
    sql_text_print(&text, "[0:%u]={", count - 1);
    for (uint32_t i = 0; i < count; i++)
        sql_text_print(&text, "%s%u", i > 0 ? "," : "", index == NULL ? 0U : index->orders[i]);
    sql_text_add(&text, "}");
    return listing__text(listing, &text);
}

static enum status
add_index(struct listing *listing, const struct table *table, const struct table_index *index,
          const char *predicate)
{
    uint32_t columns[2 * TABLE_KEY_COLUMNS_MAX];
    uint32_t key_count = index != NULL ? index->column_count : table->key_count;
    uint32_t include_count = index != NULL ? index->include_count : 0;

    memcpy(columns, index != NULL ? index->columns : table->keys, key_count * sizeof(*columns));
    if (index != NULL)
        memcpy(columns + key_count, index->includes, include_count * sizeof(*columns));
    const char *const cells[] = {
        oid_text(listing, CATALOG_OID_RELATION, table->schema,
                 index != NULL ? index->name : key_name(listing, table)),
        oid_text(listing, CATALOG_OID_RELATION, table->schema, table->name),
        listing__digits(listing, key_count + include_count),
        listing__digits(listing, key_count),
        yes(index == NULL || index->unique),
        yes(index != NULL && index->nulls_equal),
        yes(index == NULL),
        "f",
        "t",
        "f",
        "t",
        "f",
        "t",
        "t",
        "f",
        positions(listing, columns, key_count + include_count, "[0:%u]="),
        options(listing, index, key_count),
        NULL,
        predicate,
    };
    return listing__row(listing, cells);
}

static enum status
index_rows(struct listing *listing, const struct table *table)
{
    if (table->key_count > 0)
        TRY(add_index(listing, table, NULL, NULL));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        TRY(add_index(listing, table, index,
                      index->predicate > 0 ? table->exprs[index->predicate - 1].text : NULL));
    }
    return STATUS_OK;
}

static enum status
index_text_rows(struct listing *listing, const struct table *table)
{
    for (uint32_t i = 0; i <= table->index_count; i++) {
        bool key = i == table->index_count;

        if (key && table->key_count == 0)
            break;
        const char *const cells[] = {table->schema, table->name,
                                     key ? key_name(listing, table) : table->indexes[i].name, NULL,
                                     index_text(listing, table, key ? UINT32_MAX : i)};
        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

/* pg_constraint, ?constraints. */

struct constraint {
    const char *name;
    const char *type;
    bool valid;
    const char *index;        /* Behind it; NULL: none. */
    const char *parent;       /* FOREIGN KEY: the table referred to, */
    const char *parent_place; /* its schema. */
    const char *on_update;
    const char *on_delete;
    const char *columns; /* Positions; NULL: none. */
    const char *check;
    struct sql_text text; /* What pg_get_constraintdef says. */
};

static enum status
add_constraint(struct listing *listing, const struct table *table,
               const struct constraint *constraint)
{
    struct sql_text name;

    sql_text_init(&name, listing->bind->arena);
    sql_text_print(&name, "%s.%s", table->name, constraint->name);
    const char *oid = oid_text(listing, CATALOG_OID_CONSTRAINT, table->schema,
                               name.status == STATUS_OK ? name.bytes : "");
    const char *const cells[] = {
        oid,
        constraint->name,
        oid_text(listing, CATALOG_OID_SCHEMA, table->schema, ""),
        constraint->type,
        "f",
        "f",
        yes(constraint->valid),
        oid_text(listing, CATALOG_OID_RELATION, table->schema, table->name),
        "0",
        constraint->index == NULL
            ? "0"
            : oid_text(listing, CATALOG_OID_RELATION, table->schema, constraint->index),
        "0",
        constraint->parent == NULL
            ? "0"
            : oid_text(listing, CATALOG_OID_RELATION, constraint->parent_place, constraint->parent),
        constraint->on_update,
        constraint->on_delete,
        constraint->parent == NULL ? " " : "s",
        "t",
        "0",
        "f",
        constraint->columns,
        NULL,
        constraint->check,
    };
    const char *const told[] = {oid, listing__text(listing, &constraint->text)};

    return listing__row(listing, listing->view->name[0] == '?' ? told : cells);
}

static struct constraint
new_constraint(struct listing *listing, const char *name, const char *type)
{
    struct constraint constraint = {
        .name = name, .type = type, .valid = true, .on_update = " ", .on_delete = " "};

    sql_text_init(&constraint.text, listing->bind->arena);
    return constraint;
}

static enum status
add_unique(struct listing *listing, const struct table *table, const char *name,
           const uint32_t *columns, uint32_t count, const char *words)
{
    struct constraint constraint = new_constraint(listing, name, words[0] == 'P' ? "p" : "u");

    constraint.index = name;
    constraint.columns = positions(listing, columns, count, "");
    sql_text_add(&constraint.text, words);
    add_columns(&constraint.text, table, columns, count);
    return add_constraint(listing, table, &constraint);
}

static enum status
add_foreign(struct listing *listing, const struct table *table, const struct table_foreign *foreign)
{
    static const char *const actions[] = {[TABLE_NO_ACTION] = "a",
                                          [TABLE_RESTRICT] = "r",
                                          [TABLE_CASCADE] = "c",
                                          [TABLE_SET_NULL] = "n",
                                          [TABLE_SET_DEFAULT] = "d"};
    struct constraint constraint = new_constraint(listing, foreign->name, "f");

    constraint.valid = !foreign->not_valid;
    constraint.parent = foreign->table;
    constraint.parent_place = foreign->schema;
    constraint.on_update = actions[foreign->on_update];
    constraint.on_delete = actions[foreign->on_delete];
    constraint.columns = positions(listing, foreign->columns, foreign->column_count, "");
    definition_foreign(&constraint.text, table, foreign);
    return add_constraint(listing, table, &constraint);
}

static enum status
constraint_rows(struct listing *listing, const struct table *table)
{
    if (table->key_count > 0)
        TRY(add_unique(listing, table, key_name(listing, table), table->keys, table->key_count,
                       "PRIMARY KEY "));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        if (index->constraint)
            TRY(add_unique(listing, table, index->name, index->columns, index->column_count,
                           index->nulls_equal ? "UNIQUE NULLS NOT DISTINCT " : "UNIQUE "));
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        struct constraint constraint = new_constraint(listing, table->checks[i].name, "c");

        constraint.valid = !table->checks[i].not_valid;
        constraint.check = table->checks[i].text;
        sql_text_print(&constraint.text, "CHECK (%s)%s", table->checks[i].text,
                       constraint.valid ? "" : " NOT VALID");
        TRY(add_constraint(listing, table, &constraint));
    }
    for (uint32_t i = 0; i < table->foreign_count; i++)
        TRY(add_foreign(listing, table, &table->foreigns[i]));
    return STATUS_OK;
}

/* pg_tables, pg_views, pg_sequences. */

static enum status
table_rows(struct listing *listing, const struct table *table)
{
    const char *const cells[] = {table->schema,
                                 table->name,
                                 "qtdb",
                                 NULL,
                                 yes(table->index_count > 0 || table->key_count > 0),
                                 "f",
                                 yes(table->foreign_count + table->reference_count > 0),
                                 "f"};

    return listing__row(listing, cells);
}

static enum status
view_row(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    const char *cells[] = {schema, name, "qtdb", NULL};

    TRY(view_query(listing, value, size, &cells[3]));
    return listing__row(listing, cells);
}

static enum status
fill_views(struct listing *listing)
{
    return listing__walk(listing, CATALOG_VIEW, view_row);
}

static enum status
sequence_row(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct listing *listing = context;
    struct sequence_definition sequence;

    (void)value, (void)size;
    TRY(listing__sequence(listing, schema, name, &sequence));
    const char *const cells[] = {schema,
                                 name,
                                 "qtdb",
                                 value_type_name(sequence.type),
                                 listing__digits(listing, sequence.start),
                                 listing__digits(listing, sequence.min),
                                 listing__digits(listing, sequence.max),
                                 listing__digits(listing, sequence.increment),
                                 yes(sequence.cycle),
                                 "1"};
    return listing__row(listing, cells);
}

static enum status
fill_sequences(struct listing *listing)
{
    return listing__walk(listing, CATALOG_SEQUENCE, sequence_row);
}

static enum status
fill_nothing(struct listing *listing)
{
    (void)listing;
    return STATUS_OK;
}

const struct catalog_view catalog__class_views[] = {
    {"pg_catalog",
     "pg_class",
     fill_class,
     class_rows,
     {{"oid", OID},
      {"relname", TEXT},
      {"relnamespace", OID},
      {"reltype", OID},
      {"reloftype", OID},
      {"relowner", OID},
      {"relam", OID},
      {"relfilenode", OID},
      {"reltablespace", OID},
      {"relpages", INT4},
      {"reltuples", QTDB_TYPE_FLOAT4},
      {"reltoastrelid", OID},
      {"relhasindex", BOOL},
      {"relisshared", BOOL},
      {"relpersistence", TEXT},
      {"relkind", TEXT},
      {"relnatts", INT2},
      {"relchecks", INT2},
      {"relhasrules", BOOL},
      {"relhastriggers", BOOL},
      {"relhassubclass", BOOL},
      {"relrowsecurity", BOOL},
      {"relforcerowsecurity", BOOL},
      {"relispopulated", BOOL},
      {"relreplident", TEXT},
      {"relispartition", BOOL},
      {"relacl", TEXTS},
      {"reloptions", TEXTS},
      {"relpartbound", TEXT}}},
    {"pg_catalog",
     "?relations",
     fill_class,
     class_rows,
     {{"oid", OID}, {"name", TEXT}, {"visible", BOOL}, {"definition", TEXT}}},
    {"pg_catalog",
     "pg_attribute",
     fill_attribute,
     attribute_rows,
     {{"attrelid", OID},
      {"attname", TEXT},
      {"atttypid", OID},
      {"attstattarget", INT4},
      {"attnum", INT2},
      {"attndims", INT4},
      {"atttypmod", INT4},
      {"attnotnull", BOOL},
      {"atthasdef", BOOL},
      {"atthasmissing", BOOL},
      {"attidentity", TEXT},
      {"attgenerated", TEXT},
      {"attisdropped", BOOL},
      {"attislocal", BOOL},
      {"attinhcount", INT4},
      {"attcollation", OID},
      {"attacl", TEXTS},
      {"attoptions", TEXTS}}},
    {"pg_catalog",
     "pg_attrdef",
     listing__tables,
     default_rows,
     {{"oid", OID}, {"adrelid", OID}, {"adnum", INT2}, {"adbin", TEXT}}},
    {"pg_catalog",
     "pg_description",
     listing__tables,
     description_rows,
     {{"objoid", OID}, {"classoid", OID}, {"objsubid", INT4}, {"description", TEXT}}},
    {"pg_catalog",
     "pg_index",
     listing__tables,
     index_rows,
     {{"indexrelid", OID},
      {"indrelid", OID},
      {"indnatts", INT2},
      {"indnkeyatts", INT2},
      {"indisunique", BOOL},
      {"indnullsnotdistinct", BOOL},
      {"indisprimary", BOOL},
      {"indisexclusion", BOOL},
      {"indimmediate", BOOL},
      {"indisclustered", BOOL},
      {"indisvalid", BOOL},
      {"indcheckxmin", BOOL},
      {"indisready", BOOL},
      {"indislive", BOOL},
      {"indisreplident", BOOL},
      {"indkey", INT2S},
      {"indoption", INT2S},
      {"indexprs", TEXT},
      {"indpred", TEXT}}},
    {"pg_catalog",
     "pg_constraint",
     listing__tables,
     constraint_rows,
     {{"oid", OID},           {"conname", TEXT},       {"connamespace", OID},
      {"contype", TEXT},      {"condeferrable", BOOL}, {"condeferred", BOOL},
      {"convalidated", BOOL}, {"conrelid", OID},       {"contypid", OID},
      {"conindid", OID},      {"conparentid", OID},    {"confrelid", OID},
      {"confupdtype", TEXT},  {"confdeltype", TEXT},   {"confmatchtype", TEXT},
      {"conislocal", BOOL},   {"coninhcount", INT4},   {"connoinherit", BOOL},
      {"conkey", INT2S},      {"confkey", INT2S},      {"conbin", TEXT}}},
    {"pg_catalog",
     "?constraints",
     listing__tables,
     constraint_rows,
     {{"oid", OID}, {"definition", TEXT}}},
    {"pg_catalog",
     "pg_tables",
     listing__tables,
     table_rows,
     {{"schemaname", TEXT},
      {"tablename", TEXT},
      {"tableowner", TEXT},
      {"tablespace", TEXT},
      {"hasindexes", BOOL},
      {"hasrules", BOOL},
      {"hastriggers", BOOL},
      {"rowsecurity", BOOL}}},
    {"pg_catalog",
     "pg_indexes",
     listing__tables,
     index_text_rows,
     {{"schemaname", TEXT},
      {"tablename", TEXT},
      {"indexname", TEXT},
      {"tablespace", TEXT},
      {"indexdef", TEXT}}},
    {"pg_catalog",
     "pg_views",
     fill_views,
     NULL,
     {{"schemaname", TEXT}, {"viewname", TEXT}, {"viewowner", TEXT}, {"definition", TEXT}}},
    {"pg_catalog",
     "pg_sequences",
     fill_sequences,
     NULL,
     {{"schemaname", TEXT},
      {"sequencename", TEXT},
      {"sequenceowner", TEXT},
      {"data_type", TEXT},
      {"start_value", QTDB_TYPE_INT8},
      {"min_value", QTDB_TYPE_INT8},
      {"max_value", QTDB_TYPE_INT8},
      {"increment_by", QTDB_TYPE_INT8},
      {"cycle", BOOL},
      {"cache_size", QTDB_TYPE_INT8}}},
    {"pg_catalog",
     "pg_inherits",
     fill_nothing,
     NULL,
     {{"inhrelid", OID}, {"inhparent", OID}, {"inhseqno", INT4}, {"inhdetachpending", BOOL}}},
    {"pg_catalog",
     "pg_trigger",
     fill_nothing,
     NULL,
     {{"oid", OID},
      {"tgrelid", OID},
      {"tgname", TEXT},
      {"tgfoid", OID},
      {"tgtype", INT2},
      {"tgenabled", TEXT},
      {"tgisinternal", BOOL}}},
    {.name = NULL},
};
