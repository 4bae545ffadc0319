/* Binding: making nodes and expressions, and the entry points. */
#include "executor/bind.h"

#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

void *
bind__take(struct bind *bind, size_t size)
{
    return arena_alloc(bind->arena, size);
}

enum status
bind__unsupported(struct bind *bind, int32_t location, const char *what)
{
    return sql_error_set(bind->error, "0A000", location, "%s is not supported yet", what);
}

enum status
bind__relation(struct bind *bind, uint32_t *out)
{
    if (bind->relation_count + 1 >= REL_RELATIONS_MAX)
        return sql_error_set(bind->error, "54000", -1,
                             "the statement has more than %d tables and subqueries",
                             REL_RELATIONS_MAX);
    *out = ++bind->relation_count;
    return STATUS_OK;
}

enum status
bind__rel(struct bind *bind, enum rel_kind kind, struct rel *input, struct rel **out)
{
    struct rel *rel = bind__take(bind, sizeof(*rel));

    if (rel == NULL)
        return STATUS_NO_MEMORY;
    rel->kind = kind;
    rel->input = input;
    *out = rel;
    return STATUS_OK;
}

enum status
bind__check_width(struct bind *bind, uint32_t count, uint32_t most)
{
    if (count <= most)
        return STATUS_OK;
    return sql_error_set(
        bind->error, "54011", -1,
        most == BIND__TARGETS_MAX
            ? "target lists can have at most %u entries"
            : "a query's groups, aggregates and windows can have at most %u entries",
        most);
}

enum status
bind__defining(struct bind *bind, enum rel_kind kind, struct rel *input, uint32_t column_count,
               struct rel **out)
{
    struct rel *rel = NULL;

    TRY(bind__rel(bind, kind, input, &rel));
    TRY(bind__relation(bind, &rel->relation));
    rel->column_count = column_count;
    rel->columns = bind__take(bind, column_count * sizeof(*rel->columns));
    rel->exprs = bind__take(bind, column_count * sizeof(struct expr *));
    if (rel->columns == NULL || rel->exprs == NULL)
        return STATUS_NO_MEMORY;
    *out = rel;
    return STATUS_OK;
}

enum status
bind__new_expr(struct bind *bind, enum expr_kind kind, enum qtdb_type type, int32_t location,
               uint32_t argument_count, struct expr **out)
{
    struct expr *expr = bind__take(bind, sizeof(*expr));
    struct expr **arguments = bind__take(bind, argument_count * sizeof(struct expr *));

    if (expr == NULL || arguments == NULL)
        return STATUS_NO_MEMORY;
    expr->kind = kind;
    expr->type = (struct sql_type){type, -1, -1};
    expr->location = location;
    expr->argument_count = argument_count;
    expr->arguments = arguments;
    *out = expr;
    return STATUS_OK;
}

/* Modifiers are of the storage, not of the expression. */
enum status
bind__column(struct bind *bind, const struct rel *rel, uint32_t index, struct expr **out)
{
    struct expr *expr = NULL;

    CHECK(index < rel->column_count && rel->relation > 0);
    TRY(bind__new_expr(bind, EXPR_COLUMN, rel->columns[index].type.type, -1, 0, &expr));
    expr->relation = rel->relation;
    expr->index = index;
    *out = expr;
    return STATUS_OK;
}

/* A condition of a filter with an AND over what is always null lets no row pass. */
static bool
lets_none_pass(const struct expr *condition)
{
    if (condition->kind != EXPR_AND)
        return bind__is_always_null(condition);
    for (uint32_t i = 0; i < condition->argument_count; i++) {
        if (lets_none_pass(condition->arguments[i]))
            return true;
    }
    return false;
}

enum status
bind__filter(struct bind *bind, struct expr *condition, struct rel **rel)
{
    struct rel *filter = NULL;

    TRY(bind__rel(bind, REL_FILTER, *rel, &filter));
    if (lets_none_pass(condition)) {
        TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_BOOL, condition->location, 0,
                           &condition));
        condition->constant = value_integer(QTDB_TYPE_BOOL, 0);
    }
    filter->condition = condition;
    *rel = filter;
    return STATUS_OK;
}

enum status
bind_constant(struct bind *bind, const struct ast_expr *ast, const struct sql_type *type,
              struct value *out)
{
    struct bind__level level = {.outer = NULL};
    struct bind__scope nothing;
    struct eval eval = {.arena = bind->arena, .error = bind->error};
    struct expr *expr = NULL;

    bind__scope_init(&nothing, &level, NULL);
    nothing.clause = "DEFAULT expressions";
    if (ast->kind == AST_SUBQUERY || ast->kind == AST_PARAMETER)
        return sql_error_set(bind->error, "0A000", ast->location,
                             "cannot use a subquery or a parameter in a DEFAULT expression");
    TRY(bind__expr_as(bind, &nothing, ast, type, &expr));
    return expr_eval(expr, NULL, &eval, out);
}

enum status
bind_type(struct bind *bind, const struct ast_type *ast, struct sql_type *out)
{
    enum qtdb_type type = ast->schema == NULL ? value_type_find(ast->name) : QTDB_TYPE_NULL;
    struct sql_error *error = bind->error;

    if (type == QTDB_TYPE_NULL) {
        enum status status = bind__named_enum(bind, ast, &type);

        if (status == STATUS_NOT_FOUND)
            return sql_error_set(error, "42704", ast->location, "type \"%s%s%s\" does not exist",
                                 ast->schema != NULL ? ast->schema : "",
                                 ast->schema != NULL ? "." : "", ast->name);
        TRY(status);
        if (ast->modifier_count > 0)
            return sql_error_set(error, "42601", ast->location,
                                 "type modifier is not allowed for type \"%s\"", ast->name);
    }
    *out = (struct sql_type){ast->array_depth > 0 ? value_array_of(type) : type, -1, -1};
    if (type == QTDB_TYPE_CHAR && ast->modifier_count == 0)
        out->precision = 1;
    if (ast->modifier_count > 0)
        out->precision = ast->modifiers[0];
    if (ast->modifier_count > 1)
        out->scale = ast->modifiers[1];
    if (value_has_seconds(type) && out->precision > 6)
        out->precision = 6; /* PostgreSQL warns. */
    if (ast->modifier_count > 0 && !value_has_seconds(type) &&
        (out->precision < 1 || out->precision > 10485760))
        return sql_error_set(error, "22023", ast->location, "length for type %s must be 1 or more",
                             value_type_name(type));
    return STATUS_OK;
}
