/*
 * What asks PostgreSQL's catalog for names: casts to regclass, regtype, regnamespace, oid and name, and functions
 * such as pg_get_indexdef. A literal becomes the number of what it names when it is bound; everything else becomes
 * an expression over the views of bind_pg_class.c and bind_pg_type.c, written as SQL and parsed here, with the
 * arguments in place of its parameters. Its own names begin with ? so that they hide none of the arguments'.
 *
 * A number cast to regclass is the relation's name as text, and a name cast to it the number as bigint: there is
 * no type that is both.
 */
#include <string.h>

#include "executor/bind_catalog.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

#define RELATION \
    "FROM pg_catalog.\"?relations\" \"?t\"(\"?o\", \"?n\", \"?v\", \"?d\") WHERE \"?o\" = $1"
#define CONSTRAINT "FROM pg_catalog.\"?constraints\" \"?t\"(\"?o\", \"?d\") WHERE \"?o\" = $1"
#define TYPE "FROM pg_catalog.\"?types\" \"?t\"(\"?o\", \"?n\") WHERE \"?o\" = $1"
#define COMMENT                                                                                    \
    "FROM pg_catalog.pg_description \"?t\"(\"?o\", \"?k\", \"?s\", \"?d\") WHERE \"?o\" = $1 AND " \
    "\"?s\" = "

/* By number, and by name where the number is none. */
#define SIZE(call, fork)                                                                  \
    "coalesce((SELECT \"" call "\"(\"?n\", true" fork ") FROM pg_catalog.\"?relations\" " \
    "\"?t\"(\"?o\", \"?n\", \"?v\", \"?d\") WHERE \"?o\"::text = ($1)::text), \"" call    \
    "\"(($1)::text, false" fork "))"

static const struct rule {
    const char *name;
    uint32_t least;
    uint32_t most;
    const char *sql;
} functions[] = {
    {"pg_get_indexdef", 1, 1, "(SELECT \"?d\" " RELATION ")"},
    {"pg_get_viewdef", 1, 2, "(SELECT \"?d\" " RELATION ")"},
    {"pg_get_constraintdef", 1, 2, "(SELECT \"?d\" " CONSTRAINT ")"},
    {"pg_get_expr", 2, 3, "$1"},
    {"pg_get_userbyid", 1, 1, "'qtdb'::text"},
    {"pg_table_is_visible", 1, 1, "(SELECT \"?v\" " RELATION ")"},
    {"pg_type_is_visible", 1, 1, "true"},
    {"obj_description", 1, 2, "(SELECT \"?d\" " COMMENT "0)"},
    {"col_description", 2, 2, "(SELECT \"?d\" " COMMENT "$2)"},
    {"shobj_description", 2, 2, "NULL::text"},
    {"format_type", 2, 2, "(SELECT \"format type\"(\"?n\", $2) " TYPE ")"},
    {"has_table_privilege", 2, 3, "true"},
    {"has_schema_privilege", 2, 3, "true"},
    {"has_column_privilege", 3, 4, "true"},
    {"has_sequence_privilege", 2, 3, "true"},
    {"has_database_privilege", 2, 3, "true"},
    {"pg_encoding_to_char", 1, 1, "CASE $1 WHEN 6 THEN 'UTF8' ELSE '' END"},
    {"pg_client_encoding", 0, 0, "'UTF8'::text"},
    {"pg_is_in_recovery", 0, 0, "false"},
    {"pg_relation_is_publishable", 1, 1, "false"},
    {"pg_relation_size", 1, 1, SIZE("relation size", ", 'main'")},
    {"pg_relation_size", 2, 2, SIZE("relation size", ", $2")},
    {"pg_table_size", 1, 1, SIZE("table size", "")},
    {"pg_indexes_size", 1, 1, SIZE("indexes size", "")},
    {"pg_total_relation_size", 1, 1, SIZE("total size", "")},
    {"pg_database_size", 1, 1, "\"database size\"(($1)::text)"},
};

static const struct rule casts[] = {
    {"regclass", 1, 1, "coalesce((SELECT \"?n\" " RELATION "), ($1)::text)"},
    {"regtype", 1, 1, "coalesce((SELECT \"?n\" " TYPE "), ($1)::text)"},
    {"regnamespace", 1, 1,
     "coalesce((SELECT quote_ident(\"?n\") FROM pg_catalog.pg_namespace \"?t\"(\"?o\", \"?n\") "
     "WHERE \"?o\" = $1), ($1)::text)"},
    {"oid", 1, 1, "($1)::int8"},
    {"name", 1, 1, "($1)::text"},
};

static const struct rule *
find_rule(const struct rule *rules, size_t count, const char *name, uint32_t arguments)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].name, name) == 0 && arguments >= rules[i].least &&
            arguments <= rules[i].most)
            return &rules[i];
    }
    return NULL;
}

/* Arguments in place of parameters, in expressions and in the conditions of queries in them. Places in the
 * rule's text mean nothing in the statement's. */
static void
put_arguments(struct ast_expr **place, struct ast_expr *const *arguments, int32_t location)
{
    struct ast_expr *expr = *place;

    if (expr == NULL)
        return;
    if (expr->kind == AST_PARAMETER) {
        *place = arguments[expr->integer - 1];
        return;
    }
    expr->location = location;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        put_arguments(&expr->arguments[i], arguments, location);
    if (expr->query == NULL)
        return;
    for (uint32_t i = 0; i < expr->query->target_count; i++)
        put_arguments(&expr->query->targets[i].expr, arguments, location);
    put_arguments(&expr->query->where, arguments, location);
}

static enum status
apply(struct bind *bind, struct bind__scope *scope, const struct rule *rule,
      const struct ast_expr *ast, struct expr **out)
{
    struct ast_statement *statements = NULL;
    struct sql_text text;
    uint32_t count = 0;

    sql_text_init(&text, bind->arena);
    sql_text_add(&text, "SELECT ");
    sql_text_add(&text, rule->sql);
    TRY(text.status);
    TRY(sql_parse(text.bytes, bind->arena, &statements, &count, bind->error));
    CHECK(count == 1 && statements[0].kind == AST_SELECT);
    struct ast_expr **made = &statements[0].select->targets[0].expr;
    put_arguments(made, ast->arguments, ast->location);
    return bind__expr(bind, scope, *made, out);
}

/* Literals. */

static enum status
give_number(struct bind *bind, const struct ast_expr *ast, int64_t number, struct expr **out)
{
    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_INT8, ast->location, 0, out));
    (*out)->constant = value_integer(QTDB_TYPE_INT8, number);
    return STATUS_OK;
}

/* STATUS_NOT_FOUND without an error set: there is no such relation. */
static enum status
relation_number(struct bind *bind, const char *text, int64_t *out)
{
    static const char kinds[] = "twiq";
    struct ast_name name, found;

    TRY(search_path_parse(text, strlen(text), bind->arena, &name, bind->error));
    if (strcmp(name.name, "pg_class") == 0) {
        *out = 1259; /* What pg_description calls the catalog of relations. */
        return STATUS_OK;
    }
    TRY(search_path_find(bind->txn, bind->path, &name, kinds, &found, bind->error));
    if (found.schema == NULL)
        found.schema = "public";
    for (const char *kind = kinds; *kind != '\0'; kind++) {
        enum status status = catalog_has(bind->txn, (enum catalog_kind) * kind, found.schema,
                                         found.name, bind->error);

        if (status == STATUS_OK)
            *out = catalog__oid(CATALOG_OID_RELATION, found.schema, found.name);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_NOT_FOUND;
}

static enum status
type_number(struct bind *bind, const char *text, int64_t *out)
{
    struct ast_statement *statements = NULL;
    struct table_column column = {.name = NULL};
    struct sql_text sql;
    uint32_t count = 0;

    sql_text_init(&sql, bind->arena);
    sql_text_print(&sql, "SELECT NULL::%s", text);
    TRY(sql.status);
    TRY(sql_parse(sql.bytes, bind->arena, &statements, &count, bind->error));
    if (count != 1 || statements[0].kind != AST_SELECT || statements[0].select->target_count != 1 ||
        statements[0].select->targets[0].expr->kind != AST_CAST)
        return STATUS_NOT_FOUND;
    TRY(bind_type(bind, &statements[0].select->targets[0].expr->type, &column.type));
    if (value_is_enum(value_element(column.type.type)))
        TRY(bind__enumeration(bind, column.type.type, &column.enumeration));
    *out = catalog__type_oid(&column);
    return STATUS_OK;
}

static enum status
bind_literal(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    const char *text = ast->arguments[0]->text, *type = ast->type.name;
    enum status status = STATUS_OK;
    int64_t number = 0;

    if (strspn(text, "0123456789") == strlen(text) && text[0] != '\0') {
        struct ast_expr digits = {
            .kind = AST_STRING, .text = text, .location = ast->arguments[0]->location};
        static const struct sql_type wide = {QTDB_TYPE_INT8, -1, -1};

        return bind__expr_as(bind, NULL, &digits, &wide, out);
    }
    if (strcmp(type, "regclass") == 0)
        status = relation_number(bind, text, &number);
    else if (strcmp(type, "regtype") == 0)
        status = type_number(bind, text, &number);
    else
        number = catalog__oid(CATALOG_OID_SCHEMA, text, "");
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(bind->error, type[3] == 'c' ? "42P01" : "42704",
                             ast->arguments[0]->location, "%s \"%s\" does not exist",
                             type[3] == 'c' ? "relation" : "type", text);
    if (status == STATUS_INVALID)
        bind->error->location = ast->arguments[0]->location;
    TRY(status);
    return give_number(bind, ast, number, out);
}

static bool
is_named(const struct ast_type *type, const char *name)
{
    return type->schema == NULL && type->array_depth == 0 && type->name != NULL &&
           strcmp(type->name, name) == 0;
}

enum status
bind__catalog_cast(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                   struct expr **out)
{
    static const struct rule name_again = {"regclass", 1, 1, "(SELECT \"?n\" " RELATION ")"};
    const struct ast_expr *inner = ast->arguments[0];
    const struct rule *rule = NULL;

    /* 'name'::regclass::text is the name again. */
    if (is_named(&ast->type, "text") && inner->kind == AST_CAST &&
        is_named(&inner->type, "regclass") && inner->arguments[0]->kind == AST_STRING)
        return apply(bind, scope, &name_again, ast, out);
    if (ast->type.schema != NULL || ast->type.array_depth > 0 || ast->type.name == NULL)
        return STATUS_NOT_FOUND;
    rule = find_rule(casts, sizeof(casts) / sizeof(casts[0]), ast->type.name, 1);
    if (rule == NULL)
        return STATUS_NOT_FOUND;
    return inner->kind == AST_STRING && rule->name[0] == 'r' ? bind_literal(bind, ast, out)
                                                             : apply(bind, scope, rule, ast, out);
}

/* Functions. */

/* to_regclass, to_regtype, to_regnamespace of a literal: null where the name leads to nothing. STATUS_NOT_FOUND
 * without an error set: the function is another. */
static enum status
bind_to_number(struct bind *bind, const char *name, const struct ast_expr *ast, struct expr **out)
{
    const char *text = ast->arguments[0]->text;
    enum status status = STATUS_NOT_FOUND;
    int64_t number = 0;

    if (strcmp(name, "to_regclass") == 0) {
        status = relation_number(bind, text, &number);
    } else if (strcmp(name, "to_regnamespace") == 0) {
        bool own = strcmp(text, "pg_catalog") == 0 || strcmp(text, "information_schema") == 0;

        status = own ? STATUS_OK : schema_find(bind->txn, text, bind->error);
        number = catalog__oid(CATALOG_OID_SCHEMA, text, "");
    } else if (strcmp(name, "to_regtype") == 0) {
        status = type_number(bind, text, &number);
        if (status == STATUS_INVALID && strcmp(bind->error->sqlstate, "42704") == 0) {
            bind->error->sqlstate[0] = '\0';
            status = STATUS_NOT_FOUND;
        }
    } else {
        return STATUS_NOT_FOUND;
    }
    if (status == STATUS_INVALID)
        bind->error->location = ast->arguments[0]->location;
    if (status != STATUS_NOT_FOUND)
        TRY(status);
    TRY(give_number(bind, ast, number, out));
    if (status == STATUS_NOT_FOUND)
        (*out)->constant = value_null(QTDB_TYPE_INT8);
    return STATUS_OK;
}

/* Those schemas of the path that are there, with what stands before it where that is asked for. */
static enum status
bind_current_schemas(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    static const struct sql_type texts = {(enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY), -1, -1};
    const struct search_path *path = bind->path;
    struct sql_text text;

    sql_text_init(&text, bind->arena);
    sql_text_add(&text, "{");
    if (ast->arguments[0]->integer != 0)
        sql_text_add(&text, "pg_catalog");
    for (uint32_t i = 0; i < (path != NULL ? path->count : 1); i++) {
        const char *name = path != NULL ? path->names[i] : "public";
        enum status status = schema_find(bind->txn, name, bind->error);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        if (status == STATUS_OK) {
            sql_text_add(&text, text.size > 1 ? ",\"" : "\"");
            sql_text_add(&text, name);
            sql_text_add(&text, "\"");
        }
    }
    sql_text_add(&text, "}");
    TRY(text.status);
    TRY(bind__new_expr(bind, EXPR_CONSTANT, texts.type, ast->location, 0, out));
    return value_parse(&texts, text.bytes, text.size, bind->arena, &(*out)->constant, bind->error);
}

/* pg_get_viewdef and the sizes of relations. */
static bool
takes_name(const struct rule *rule)
{
    return strncmp(rule->sql, "coalesce(", 9) == 0 || strcmp(rule->name, "pg_get_viewdef") == 0;
}

/* A literal that is a relation's name is looked up now, so that an error has its place. */
static enum status
bind_by_name(struct bind *bind, struct bind__scope *scope, const struct rule *rule,
             const struct ast_expr *ast, struct expr **out)
{
    struct ast_expr *arguments[2] = {ast->arguments[0],
                                     ast->argument_count > 1 ? ast->arguments[1] : NULL};
    struct ast_expr cast = {.kind = AST_CAST,
                            .location = ast->arguments[0]->location,
                            .arguments = arguments,
                            .argument_count = 1,
                            .type = {.name = "regclass", .location = -1}};
    struct ast_expr *call_arguments[2] = {&cast, arguments[1]};
    struct ast_expr call = *ast;

    call.arguments = call_arguments;
    return apply(bind, scope, rule, &call, out);
}

/* The first schema of the path that is there; null: none is. */
static enum status
bind_current_schema(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    const struct search_path *path = bind->path;

    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_TEXT, ast->location, 0, out));
    (*out)->constant = value_null(QTDB_TYPE_TEXT);
    for (uint32_t i = 0; i < (path != NULL ? path->count : 1); i++) {
        const char *name = path != NULL ? path->names[i] : "public";
        enum status status = schema_find(bind->txn, name, bind->error);

        if (status == STATUS_OK)
            (*out)->constant = value_bytes(QTDB_TYPE_TEXT, name, strlen(name));
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

enum status
bind__catalog_function(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                       struct expr **out)
{
    const char *name = ast->names[ast->name_count - 1];

    if (bind->txn == NULL || ast->star || ast->distinct || ast->order_count > 0 ||
        (ast->name_count > 1 && strcmp(ast->names[0], "pg_catalog") != 0))
        return STATUS_NOT_FOUND;
    if (ast->argument_count == 1 && strncmp(name, "to_reg", 6) == 0 &&
        ast->arguments[0]->kind == AST_STRING)
        return bind_to_number(bind, name, ast, out);
    if (ast->argument_count == 1 && strcmp(name, "current_schemas") == 0 &&
        ast->arguments[0]->kind == AST_BOOLEAN)
        return bind_current_schemas(bind, ast, out);
    if (ast->argument_count == 0 && strcmp(name, "current_schema") == 0)
        return bind_current_schema(bind, ast, out);
    const struct rule *rule =
        find_rule(functions, sizeof(functions) / sizeof(functions[0]), name, ast->argument_count);
    if (rule == NULL && ast->argument_count == 3 && strcmp(name, "pg_get_indexdef") == 0) {
        static const struct rule part = {
            "pg_get_indexdef", 3, 3,
            "CASE $2 WHEN 0 THEN (SELECT \"?d\" " RELATION
            ") ELSE (SELECT quote_ident(\"?c\") FROM (SELECT attrelid, attname, attnum FROM "
            "pg_catalog.pg_attribute) \"?t\"(\"?o\", \"?c\", \"?p\") WHERE \"?o\" = $1 AND "
            "\"?p\" = $2) END"};

        rule = &part;
    }
    if (rule == NULL)
        return STATUS_NOT_FOUND;
    return ast->argument_count > 0 && ast->arguments[0]->kind == AST_STRING && takes_name(rule)
               ? bind_by_name(bind, scope, rule, ast, out)
               : apply(bind, scope, rule, ast, out);
}
