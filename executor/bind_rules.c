/* Binding and applying a table's rules (table_rules.h). */
#include <string.h>

#include "executor/ast_print.h"
#include "executor/bind_private.h"
#include "executor/table_rules.h"
#include "executor/zone.h"
#include "kernel/base/check.h"

/* Binding. */

/* A column of the table becomes its position. */
static enum status
place_column(void *context, struct expr *expr, struct expr **out)
{
    struct bind *bind = context;

    if (expr->kind != EXPR_COLUMN)
        return STATUS_OK;
    *out = bind__take(bind, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = *expr;
    (*out)->relation = 0;
    return STATUS_OK;
}

/* What asks the catalog becomes a subquery when it is bound (bind_regclass.c). */
static bool
is_no_subquery(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind != EXPR_SUBQUERY;
}

enum status
rules_bind_one(struct bind *bind, const struct table *table, const struct ast_expr *ast,
               const char *clause, const struct sql_type *type, struct expr **out)
{
    struct bind__level level = {.outer = NULL};
    struct bind__scope scope;
    struct rel *rel = NULL;
    struct expr *expr = NULL;

    bind__scope_init(&scope, &level, NULL);
    scope.clause = clause;
    TRY(bind__table_rel(bind, (struct table *)(uintptr_t)table, &rel));
    TRY(bind__add_table(bind, &scope, rel, table->column_count, table->name, table->schema, NULL));
    TRY(bind__expr(bind, &scope, ast, &expr));
    if (!expr_visit(expr, is_no_subquery, NULL))
        return sql_error_set(bind->error, "0A000", ast->location,
                             "cannot use a subquery, or what asks the catalog, in %s", clause);
    if (type == NULL)
        TRY(bind__settle(bind, &expr));
    else if (!value_assigns(expr->type.type, type->type))
        return sql_error_set(bind->error, "42804", ast->location,
                             type->type == QTDB_TYPE_BOOL
                                 ? "argument of %s must be type %s, not type %s"
                                 : "%s is of type %s but expression is of type %s",
                             clause, value_type_name(type->type), value_type_name(expr->type.type));
    else
        TRY(bind__cast(bind, expr, type, &expr));
    return expr_rewrite(bind->arena, expr, place_column, bind, out);
}

static bool is_zoneless(void *context, const struct expr *expr);

/* An index of earlier versions may have an expression that goes by clocks: they are those of UTC, and a session with
 * others does not find it. */
static enum status
hide_zoned(struct bind *bind, struct expr **expr)
{
    if (zone_session() == zone_utc() || expr_visit(*expr, is_zoneless, NULL))
        return STATUS_OK;
    struct expr *hidden = bind__take(bind, sizeof(*hidden));

    if (hidden == NULL)
        return STATUS_NO_MEMORY;
    *hidden = (struct expr){.kind = EXPR_CONSTANT,
                            .type = (*expr)->type,
                            .location = -1,
                            .constant = value_null((*expr)->type.type)};
    *expr = hidden;
    return STATUS_OK;
}

enum status
rules_bind_exprs(struct bind *bind, struct rel *rel)
{
    const struct table *table = rel->table;
    struct bind__level level = {.outer = NULL};
    struct bind__scope scope;

    if (table->expr_count == 0)
        return STATUS_OK;
    bind__scope_init(&scope, &level, NULL);
    rel->index_exprs = bind__take(bind, table->expr_count * sizeof(struct expr *));
    if (rel->index_exprs == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__add_table(bind, &scope, rel, table->column_count, table->name, table->schema, NULL));
    for (uint32_t i = 0; i < table->expr_count; i++) {
        struct ast_expr *ast = NULL;

        TRY(ast_read(table->exprs[i].text, bind->arena, &ast, bind->error));
        const struct zone *zone = zone_enter(NULL);
        enum status status = bind__expr(bind, &scope, ast, &rel->index_exprs[i]);
        (void)zone_enter(zone);
        if (status == STATUS_INVALID)
            bind->error->location = -1;
        TRY(status);
        TRY(bind__settle(bind, &rel->index_exprs[i]));
        TRY(hide_zoned(bind, &rel->index_exprs[i]));
    }
    return STATUS_OK;
}

static enum status
bind_text(struct bind *bind, const struct table *table, const char *text, const char *clause,
          const struct sql_type *type, struct expr **out)
{
    struct ast_expr *ast = NULL;

    TRY(ast_read(text, bind->arena, &ast, bind->error));
    const struct zone *zone = zone_enter(NULL);
    enum status status = rules_bind_one(bind, table, ast, clause, type, out);
    (void)zone_enter(zone);
    if (status == STATUS_INVALID)
        bind->error->location = -1; /* Places in the stored text mean nothing in the statement. */
    return status;
}

enum status
rules_bind(struct bind *bind, const struct table *table, struct table_rules *out)
{
    static const struct sql_type boolean = {QTDB_TYPE_BOOL, -1, -1};

    *out = (struct table_rules){.table = table};
    out->generated = bind__take(bind, table->column_count * sizeof(struct expr *));
    out->checks = bind__take(bind, table->check_count * sizeof(struct expr *));
    out->exprs = bind__take(bind, table->expr_count * sizeof(struct expr *));
    if (out->generated == NULL || out->checks == NULL || out->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];

        if (column->generated != TABLE_STORED)
            continue;
        out->generates = true;
        TRY(bind_text(bind, table, column->expr, column->name, &column->type, &out->generated[i]));
    }
    for (uint32_t i = 0; i < table->check_count; i++)
        TRY(bind_text(bind, table, table->checks[i].text, "CHECK", &boolean, &out->checks[i]));
    for (uint32_t i = 0; i < table->expr_count; i++)
        TRY(bind_text(bind, table, table->exprs[i].text, "index expressions", &table->exprs[i].type,
                      &out->exprs[i]));
    return STATUS_OK;
}

enum status
rules_default(struct bind *bind, const struct table *table, uint32_t column, struct expr **out)
{
    return bind__default(bind, table, column, out);
}

static const char *const volatile_names[] = {
    "nextval",         "currval",   "setval",
    "lastval",         "random",    "gen_random_uuid",
    "clock_timestamp", "timeofday", "qtdb_sequence_next_value",
    "set_config",      "pg_sleep",  "pg_sleep_for",
    "pg_sleep_until",  NULL,
};

static const char *const stable_names[] = {
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "current_setting",
    "current_user",
    "current_schema",
    "current_schemas",
    "current_database",
    "session_user",
    "version",
    "pg_backend_pid",
    "pg_get_serial_sequence",
    "pg_relation_size",
    "pg_table_size",
    "pg_indexes_size",
    "pg_total_relation_size",
    "pg_database_size",
    "age",
    NULL,
};

bool
rules_is_volatile(const struct ast_expr *ast)
{
    return ast_calls(ast, volatile_names);
}

enum status
rules_check_immutable(const struct ast_expr *ast, const char *message, struct sql_error *error)
{
    if (ast_calls(ast, volatile_names) || ast_calls(ast, stable_names))
        return sql_error_set(error, "42P17", ast->location, "%s", message);
    return STATUS_OK;
}

/* By names, where an argument or the result is a timestamptz: the clocks of the session's zone. */
static bool
asks_clocks(const struct expr *expr)
{
    static const char *const names[] = {
        "+",         "-",        "date_trunc",       "extract",      "date_part", "to_char",
        "to_json",   "to_jsonb", "make_timestamptz", "to_timestamp", "age",       "concat",
        "concat_ws", "format",   "overlaps",         "||",           NULL,
    };
    bool moment = expr->type.type == QTDB_TYPE_TIMESTAMPTZ, plain = true;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        enum qtdb_type type = expr->arguments[i]->type.type;

        moment = moment || type == QTDB_TYPE_TIMESTAMPTZ;
        plain = plain && (type == QTDB_TYPE_TIMESTAMPTZ || type == QTDB_TYPE_FLOAT8);
    }
    /* The difference of two, and seconds since 1970, ask for none. */
    if (!moment || (plain && expr->argument_count <= 2))
        return false;
    for (const char *const *name = names; *name != NULL; name++) {
        if (strcmp(*name, expr->function->name) == 0)
            return true;
    }
    return false;
}

/* Stops at what depends on the session's time zone. */
static bool
is_zoneless(void *context, const struct expr *expr)
{
    (void)context;
    if (expr->kind == EXPR_FUNCTION)
        return !asks_clocks(expr);
    if (expr->kind != EXPR_CAST)
        return true;
    enum qtdb_type from = value_element(expr->arguments[0]->type.type);
    enum qtdb_type to = value_element(expr->type.type);
    return from == to || (from != QTDB_TYPE_TIMESTAMPTZ && to != QTDB_TYPE_TIMESTAMPTZ);
}

enum status
rules_check_zoneless(const struct expr *expr, const char *message, struct sql_error *error)
{
    return expr_visit(expr, is_zoneless, NULL) ? STATUS_OK
                                               : sql_error_set(error, "42P17", -1, "%s", message);
}

/* Applying. */

enum status
rules_generate(const struct table_rules *rules, struct eval *eval, struct value *row)
{
    enum status status = STATUS_OK;

    if (!rules->generates)
        return STATUS_OK;
    const struct zone *zone = zone_enter(NULL);
    for (uint32_t i = 0; status == STATUS_OK && i < rules->table->column_count; i++) {
        if (rules->generated[i] != NULL)
            status = expr_eval(rules->generated[i], row, eval, &row[i]);
    }
    (void)zone_enter(zone);
    return status;
}

enum status
rules_check(const struct table_rules *rules, struct eval *eval, const struct value *row)
{
    const struct table *table = rules->table;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (row[i].null && table->columns[i].not_null)
            return sql_error_set(eval->error, "23502", -1,
                                 "null value in column \"%s\" of relation \"%s\" violates "
                                 "not-null constraint",
                                 table->columns[i].name, table->name);
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        struct value holds;

        TRY(expr_eval(rules->checks[i], row, eval, &holds));
        if (!holds.null && holds.integer == 0)
            return sql_error_set(eval->error, "23514", -1,
                                 "new row for relation \"%s\" violates check constraint \"%s\"",
                                 table->name, table->checks[i].name);
    }
    return STATUS_OK;
}

enum status
rules_extend(const struct table_rules *rules, struct eval *eval, struct value *row)
{
    const struct table *table = rules->table;
    enum status status = STATUS_OK;

    if (table->expr_count == 0)
        return STATUS_OK;
    const struct zone *zone = zone_enter(NULL);
    for (uint32_t i = 0; status == STATUS_OK && i < table->expr_count; i++)
        status = expr_eval(rules->exprs[i], row, eval, &row[table->column_count + i]);
    (void)zone_enter(zone);
    return status;
}
