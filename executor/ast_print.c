/*
 * Expressions as text (ast_print.h). Every operator stands in parentheses, so that precedence never
 * matters; the depth is bounded by the parser's limit. The first failure sticks in the printer.
 */
#include "executor/ast_print.h"

#include <stdio.h>
#include <string.h>

#include "executor/interval.h"
#include "executor/sql_text.h"
#include "kernel/base/check.h"

struct printer {
    struct sql_text text;
    struct sql_error *error;
    enum status status; /* Of what may not stand in a definition. */
};

static void print(struct printer *printer, const struct ast_expr *expr);

static void
put(struct printer *printer, const char *text)
{
    sql_text_add(&printer->text, text);
}

static void
put_name(struct printer *printer, const char *name)
{
    sql_text_add_name(&printer->text, name);
}

static void
refuse(struct printer *printer, const struct ast_expr *expr, const char *what)
{
    if (printer->status == STATUS_OK)
        printer->status = sql_error_set(printer->error, "0A000", expr->location,
                                        "%s in a definition is not supported yet", what);
}

static void
put_list(struct printer *printer, const struct ast_expr *expr, uint32_t first)
{
    for (uint32_t i = first; i < expr->argument_count; i++) {
        if (i > first)
            put(printer, ", ");
        print(printer, expr->arguments[i]);
    }
}

static void
put_call(struct printer *printer, const char *name, const struct ast_expr *expr)
{
    put(printer, name);
    put(printer, "(");
    put_list(printer, expr, 0);
    put(printer, ")");
}

/* (a WORD b WORD c) */
static void
put_infix(struct printer *printer, const struct ast_expr *expr, const char *word)
{
    put(printer, "(");
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (i > 0) {
            put(printer, " ");
            put(printer, word);
            put(printer, " ");
        }
        print(printer, expr->arguments[i]);
    }
    put(printer, ")");
}

static void
put_suffix(struct printer *printer, const struct ast_expr *expr, const char *word)
{
    put(printer, "(");
    print(printer, expr->arguments[0]);
    put(printer, word);
    put(printer, ")");
}

/* array[i][j], and array[low:high] with two bounds a dimension; the parser's bounds for those left out
 * are left out. */
static void
put_element(struct printer *printer, const struct ast_expr *expr, bool slice)
{
    put(printer, "(");
    print(printer, expr->arguments[0]);
    put(printer, ")");
    for (uint32_t i = 1; i < expr->argument_count; i += slice ? 2 : 1) {
        const struct ast_expr *low = expr->arguments[i];
        const struct ast_expr *high = slice ? expr->arguments[i + 1] : NULL;

        put(printer, "[");
        if (!slice || low->kind != AST_INTEGER || low->integer != INT32_MIN)
            print(printer, low);
        if (slice) {
            put(printer, ":");
            if (high->kind != AST_INTEGER || high->integer != INT32_MAX)
                print(printer, high);
        }
        put(printer, "]");
    }
}

/* What has a syntax of its own rather than name and parentheses. */
static bool
put_special(struct printer *printer, const struct ast_expr *expr)
{
    static const char *const words[][2] = {
        {"current_date", "CURRENT_DATE"},     {"current_timestamp", "CURRENT_TIMESTAMP"},
        {"localtimestamp", "LOCALTIMESTAMP"}, {"localtime", "LOCALTIME"},
        {"current_user", "CURRENT_USER"},     {"current_schema", "CURRENT_SCHEMA"},
    };
    const char *name = expr->names[0];

    if (expr->name_count != 1)
        return false;
    if (strcmp(name, "[]") == 0 || strcmp(name, "[:]") == 0) {
        put_element(printer, expr, name[1] == ':');
        return true;
    }
    for (size_t i = 0; expr->argument_count == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(name, words[i][0]) == 0) {
            put(printer, words[i][1]);
            return true;
        }
    }
    return false;
}

static void
put_function(struct printer *printer, const struct ast_expr *expr)
{
    if (expr->over != NULL) {
        if (printer->status == STATUS_OK)
            printer->status = sql_error_set(printer->error, "42P20", expr->location,
                                            "window functions are not allowed in definitions");
        return;
    }
    if (expr->star || expr->distinct || expr->filter != NULL || expr->order_count > 0) {
        refuse(printer, expr, "an aggregate");
        return;
    }
    if (put_special(printer, expr))
        return;
    for (uint32_t i = 0; i + 1 < expr->name_count; i++) {
        put_name(printer, expr->names[i]);
        put(printer, ".");
    }
    put_name(printer, expr->names[expr->name_count - 1]);
    put_call(printer, "", expr);
}

/* interval year to month (2): the fields, then digits of a second. */
static void
put_interval(struct printer *printer, const struct ast_type *type)
{
    char digits[40];

    put(printer, "interval");
    if (type->modifier_count > 0)
        put(printer, interval_fields_text(type->modifiers[0]));
    if (type->modifier_count > 1) {
        (void)snprintf(digits, sizeof(digits), "(%d)", type->modifiers[1]);
        put(printer, digits);
    }
    for (uint32_t i = 0; i < type->array_depth; i++)
        put(printer, "[]");
    put(printer, ")");
}

static void
put_cast(struct printer *printer, const struct ast_expr *expr)
{
    char digits[40];

    put(printer, "CAST(");
    print(printer, expr->arguments[0]);
    put(printer, " AS ");
    if (strcmp(expr->type.name, "interval") == 0) {
        put_interval(printer, &expr->type);
        return;
    }
    if (expr->type.schema != NULL) {
        put_name(printer, expr->type.schema);
        put(printer, ".");
    }
    put_name(printer, expr->type.name);
    for (uint32_t i = 0; i < expr->type.modifier_count; i++) {
        (void)snprintf(digits, sizeof(digits), "%s%d", i == 0 ? "(" : ",", expr->type.modifiers[i]);
        put(printer, digits);
    }
    put(printer, expr->type.modifier_count > 0 ? ")" : "");
    for (uint32_t i = 0; i < expr->type.array_depth; i++)
        put(printer, "[]");
    put(printer, ")");
}

static void
put_in(struct printer *printer, const struct ast_expr *expr)
{
    put(printer, "(");
    print(printer, expr->arguments[0]);
    put(printer, expr->negated ? " NOT IN (" : " IN (");
    put_list(printer, expr, 1);
    put(printer, "))");
}

static void
put_between(struct printer *printer, const struct ast_expr *expr)
{
    put(printer, "(");
    print(printer, expr->arguments[0]);
    put(printer, expr->negated ? " NOT BETWEEN " : " BETWEEN ");
    print(printer, expr->arguments[1]);
    put(printer, " AND ");
    print(printer, expr->arguments[2]);
    put(printer, ")");
}

static void
put_like(struct printer *printer, const struct ast_expr *expr)
{
    bool plain = strcmp(expr->text, "like") == 0;

    if (!plain && strcmp(expr->text, "ilike") != 0) {
        refuse(printer, expr, "this kind of LIKE");
        return;
    }
    put_infix(printer, expr,
              plain ? (expr->negated ? "NOT LIKE" : "LIKE")
                    : (expr->negated ? "NOT ILIKE" : "ILIKE"));
}

static void
put_case(struct printer *printer, const struct ast_expr *expr)
{
    uint32_t next = 0, end = expr->argument_count - (expr->has_else ? 1 : 0);

    put(printer, "CASE");
    if (expr->has_operand) {
        put(printer, " ");
        print(printer, expr->arguments[next++]);
    }
    for (; next + 1 < end; next += 2) {
        put(printer, " WHEN ");
        print(printer, expr->arguments[next]);
        put(printer, " THEN ");
        print(printer, expr->arguments[next + 1]);
    }
    if (expr->has_else) {
        put(printer, " ELSE ");
        print(printer, expr->arguments[end]);
    }
    put(printer, " END");
}

static void
put_is_true(struct printer *printer, const struct ast_expr *expr)
{
    static const char *const words[2][3] = {{" IS UNKNOWN", " IS FALSE", " IS TRUE"},
                                            {" IS NOT UNKNOWN", " IS NOT FALSE", " IS NOT TRUE"}};

    put_suffix(printer, expr, words[expr->negated][expr->integer + 1]);
}

static void
put_quantified(struct printer *printer, const struct ast_expr *expr)
{
    put(printer, "(");
    print(printer, expr->arguments[0]);
    put(printer, " ");
    put(printer, expr->text);
    put(printer, expr->negated ? " ALL (" : " ANY (");
    print(printer, expr->arguments[1]);
    put(printer, "))");
}

static void
put_operator(struct printer *printer, const struct ast_expr *expr)
{
    if (expr->argument_count == 2) {
        put_infix(printer, expr, expr->text);
        return;
    }
    put(printer, "(");
    put(printer, expr->text);
    put(printer, " ");
    print(printer, expr->arguments[0]);
    put(printer, ")");
}

static void
put_leaf(struct printer *printer, const struct ast_expr *expr)
{
    char digits[32];

    switch (expr->kind) {
    case AST_NULL:
        put(printer, "NULL");
        return;
    case AST_INTEGER:
        (void)snprintf(digits, sizeof(digits), expr->integer < 0 ? "(%lld)" : "%lld",
                       (long long)expr->integer);
        put(printer, digits);
        return;
    case AST_DECIMAL:
        put(printer, "(");
        put(printer, expr->text);
        put(printer, ")");
        return;
    case AST_STRING:
        sql_text_add_literal(&printer->text, expr->text);
        return;
    case AST_BOOLEAN:
        put(printer, expr->integer != 0 ? "true" : "false");
        return;
    default:
        CHECK(expr->kind == AST_COLUMN);
        put_name(printer, expr->names[expr->name_count - 1]);
    }
}

static void
put_word(struct printer *printer, const struct ast_expr *expr)
{
    switch (expr->kind) {
    case AST_AND:
        put_infix(printer, expr, "AND");
        return;
    case AST_OR:
        put_infix(printer, expr, "OR");
        return;
    case AST_NOT:
        put(printer, "(NOT ");
        print(printer, expr->arguments[0]);
        put(printer, ")");
        return;
    case AST_IS_NULL:
        put_suffix(printer, expr, " IS NULL");
        return;
    case AST_IS_NOT_NULL:
        put_suffix(printer, expr, " IS NOT NULL");
        return;
    case AST_DISTINCT_FROM:
        put_infix(printer, expr, expr->negated ? "IS NOT DISTINCT FROM" : "IS DISTINCT FROM");
        return;
    case AST_COALESCE:
        put_call(printer, "COALESCE", expr);
        return;
    case AST_NULLIF:
        put_call(printer, "NULLIF", expr);
        return;
    case AST_GREATEST:
        put_call(printer, expr->negated ? "LEAST" : "GREATEST", expr);
        return;
    case AST_ROW:
        put_call(printer, "ROW", expr);
        return;
    default:
        refuse(printer, expr,
               expr->kind == AST_SUBQUERY    ? "a subquery"
               : expr->kind == AST_PARAMETER ? "a parameter"
               : expr->kind == AST_GROUPING  ? "GROUPING"
                                             : "this kind of expression");
    }
}

static void
print(struct printer *printer, const struct ast_expr *expr)
{
    switch (expr->kind) {
    case AST_NULL:
    case AST_INTEGER:
    case AST_DECIMAL:
    case AST_STRING:
    case AST_BOOLEAN:
    case AST_COLUMN:
        put_leaf(printer, expr);
        return;
    case AST_OPERATOR:
        put_operator(printer, expr);
        return;
    case AST_FUNCTION:
        put_function(printer, expr);
        return;
    case AST_CAST:
        put_cast(printer, expr);
        return;
    case AST_IN:
        put_in(printer, expr);
        return;
    case AST_BETWEEN:
        put_between(printer, expr);
        return;
    case AST_LIKE:
        put_like(printer, expr);
        return;
    case AST_CASE:
        put_case(printer, expr);
        return;
    case AST_IS_TRUE:
        put_is_true(printer, expr);
        return;
    case AST_QUANTIFIED:
        put_quantified(printer, expr);
        return;
    case AST_ARRAY:
        put(printer, "ARRAY[");
        put_list(printer, expr, 0);
        put(printer, "]");
        return;
    default:
        put_word(printer, expr);
    }
}

enum status
ast_print(const struct ast_expr *expr, struct arena *arena, const char **out,
          struct sql_error *error)
{
    struct printer printer = {.error = error, .status = STATUS_OK};

    sql_text_init(&printer.text, arena);
    print(&printer, expr);
    TRY(printer.status);
    TRY(printer.text.status);
    *out = printer.text.bytes;
    return STATUS_OK;
}

enum status
ast_read(const char *text, struct arena *arena, struct ast_expr **out, struct sql_error *error)
{
    static const char lead[] = "SELECT ";
    struct ast_statement *statements = NULL;
    uint32_t count = 0;
    size_t size = strlen(text);
    char *sql = arena_alloc(arena, sizeof(lead) + size);

    if (sql == NULL)
        return STATUS_NO_MEMORY;
    memcpy(sql, lead, sizeof(lead) - 1);
    memcpy(sql + sizeof(lead) - 1, text, size + 1);
    enum status status = sql_parse(sql, arena, &statements, &count, error);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK || count != 1 || statements[0].kind != AST_SELECT ||
        statements[0].select->target_count != 1)
        return sql_error_set(error, "XX001", -1,
                             "an expression of the catalog is damaged: run qtdb-check");
    *out = statements[0].select->targets[0].expr;
    return STATUS_OK;
}

/* Walking. */

static bool
is_column(const struct ast_expr *expr, const char *name)
{
    return expr->kind == AST_COLUMN && strcmp(expr->names[expr->name_count - 1], name) == 0;
}

bool
ast_names_column(const struct ast_expr *expr, const char *name)
{
    bool found = is_column(expr, name);

    for (uint32_t i = 0; i < expr->argument_count && !found; i++)
        found = ast_names_column(expr->arguments[i], name);
    return found;
}

void
ast_rename_column(struct ast_expr *expr, const char *from, const char *to)
{
    if (is_column(expr, from))
        expr->names[expr->name_count - 1] = to;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        ast_rename_column(expr->arguments[i], from, to);
}

bool
ast_calls(const struct ast_expr *expr, const char *const *names)
{
    bool found = false;

    for (size_t i = 0; expr->kind == AST_FUNCTION && names[i] != NULL; i++)
        found = found || strcmp(expr->names[expr->name_count - 1], names[i]) == 0;
    for (uint32_t i = 0; i < expr->argument_count && !found; i++)
        found = ast_calls(expr->arguments[i], names);
    return found;
}
