/* Calls: aggregates are collected in the scope, other functions are found by name and types. */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "kernel/base/check.h"

static const struct {
    const char *name;
    enum rel_aggregate_kind kind;
} aggregates[] = {
    {"count", REL_COUNT},
    {"sum", REL_SUM},
    {"min", REL_MIN},
    {"max", REL_MAX},
    {"avg", REL_AVERAGE},
    {"string_agg", REL_STRING_AGG},
    {"bool_and", REL_BOOL_AND},
    {"every", REL_BOOL_AND},
    {"bool_or", REL_BOOL_OR},
    {"array_agg", REL_ARRAY_AGG},
    {"json_agg", REL_JSON_ARRAY},
    {"jsonb_agg", REL_JSON_ARRAY},
    {"json_object_agg", REL_JSON_OBJECT},
    {"jsonb_object_agg", REL_JSON_OBJECT},
    {"variance", REL_VARIANCE},
    {"var_samp", REL_VARIANCE},
    {"var_pop", REL_VARIANCE},
    {"stddev", REL_VARIANCE},
    {"stddev_samp", REL_VARIANCE},
    {"stddev_pop", REL_VARIANCE},
    {"percentile_cont", REL_PERCENTILE_CONT},
    {"percentile_disc", REL_PERCENTILE_DISC},
    {"mode", REL_MODE},
    {"regr_count", REL_REGR_COUNT},
    {"regr_sxx", REL_REGR_SXX},
    {"regr_syy", REL_REGR_SYY},
    {"regr_sxy", REL_REGR_SXY},
    {"regr_avgx", REL_REGR_AVERAGE_X},
    {"regr_avgy", REL_REGR_AVERAGE_Y},
    {"regr_r2", REL_REGR_R2},
    {"regr_slope", REL_REGR_SLOPE},
    {"regr_intercept", REL_REGR_INTERCEPT},
    {"covar_pop", REL_COVARIANCE},
    {"covar_samp", REL_COVARIANCE_SAMPLE},
    {"corr", REL_CORRELATION},
    {"bit_and", REL_BIT_AND},
    {"bit_or", REL_BIT_OR},
    {"bit_xor", REL_BIT_XOR},
};

static enum rel_aggregate_kind
aggregate_kind(const struct ast_expr *ast)
{
    const char *name = ast->names[ast->name_count - 1];

    for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]); i++) {
        if (strcmp(aggregates[i].name, name) == 0)
            return aggregates[i].kind;
    }
    return 0;
}

bool
bind__is_aggregate(const struct ast_expr *ast)
{
    return ast->kind == AST_FUNCTION && aggregate_kind(ast) != 0;
}

/* Aggregates. */

static enum status
no_function(struct bind *bind, const char *called, int32_t location, struct expr **arguments,
            uint32_t count)
{
    char types[200] = "";
    size_t size = 0;

    for (uint32_t i = 0; i < count && size < sizeof(types) - 40; i++) {
        const char *name = bind__type_name(bind, arguments[i]->type.type);
        size_t name_size = strlen(name) < 30 ? strlen(name) : 30;

        if (i > 0) {
            types[size++] = ',';
            types[size++] = ' ';
        }
        memcpy(types + size, name, name_size);
        size += name_size;
        types[size] = '\0';
    }
    return sql_error_set(bind->error, "42883", location, "function %s(%s) does not exist", called,
                         types);
}

static enum status
no_aggregate(struct bind *bind, const struct ast_expr *ast, struct rel_aggregate *call)
{
    return no_function(bind, ast->names[ast->name_count - 1], ast->location, call->arguments,
                       call->argument_count);
}

/* The aggregates that collect their values. */
static enum status
type_collected(struct bind *bind, const struct ast_expr *ast, struct rel_aggregate *call,
               enum qtdb_type type)
{
    static const struct sql_type real = {QTDB_TYPE_FLOAT8, -1, -1};
    const char *name = ast->names[ast->name_count - 1];
    int rank = bind__number_rank(type);

    call->type = (struct sql_type){type, -1, -1};
    switch (call->kind) {
    case REL_ARRAY_AGG:
        call->type.type = value_array_of(type); /* Of arrays: with one dimension more. */
        return STATUS_OK;
    case REL_JSON_ARRAY:
        call->lines = value_is_array(type) || bind__is_row(call->arguments[0]);
        /* fall through */
    case REL_JSON_OBJECT:
        call->type.type = name[4] == 'b' ? QTDB_TYPE_JSONB : QTDB_TYPE_JSON;
        return STATUS_OK;
    case REL_VARIANCE:
        if (rank == 0)
            return no_aggregate(bind, ast, call);
        call->type.type = rank < 5 ? QTDB_TYPE_NUMERIC : QTDB_TYPE_FLOAT8;
        call->sample = strstr(name, "_pop") == NULL;
        call->root = name[0] == 's';
        return bind__cast(bind, call->arguments[0], &call->type, &call->arguments[0]);
    case REL_BIT_AND:
    case REL_BIT_OR:
    case REL_BIT_XOR:
        return rank > 0 && rank < 4 ? STATUS_OK : no_aggregate(bind, ast, call);
    case REL_PERCENTILE_CONT:
        if (rank == 0)
            return bind__unsupported(bind, ast->location,
                                     "percentile_cont of what is not a number");
        call->type = real;
        TRY(bind__cast(bind, call->arguments[0], &real, &call->arguments[0]));
        break;
    default:
        break;
    }
    if (call->sort_count != 1)
        return sql_error_set(bind->error, "42883", ast->location,
                             "%s wants WITHIN GROUP (ORDER BY ...)", name);
    return call->kind == REL_MODE
               ? STATUS_OK
               : bind__cast(bind, call->arguments[1], &real, &call->arguments[1]);
}

/* Only pairs without a null are looked at. */
static enum status
type_pairs(struct bind *bind, const struct ast_expr *ast, struct rel_aggregate *call)
{
    static const struct sql_type real = {QTDB_TYPE_FLOAT8, -1, -1};

    for (uint32_t i = 0; i < 2; i++) {
        struct expr *present = NULL;

        if (bind__number_rank(call->arguments[i]->type.type) == 0)
            return no_aggregate(bind, ast, call);
        TRY(bind__new_expr(bind, EXPR_IS_NULL, QTDB_TYPE_BOOL, ast->location, 1, &present));
        present->negated = true;
        present->arguments[0] = call->arguments[i];
        if (call->filter != NULL)
            TRY(bind__logic(bind, EXPR_AND, ast->location, call->filter, present, &present));
        call->filter = present;
        TRY(bind__cast(bind, call->arguments[i], &real, &call->arguments[i]));
    }
    call->type = real;
    if (call->kind == REL_REGR_COUNT) {
        call->kind = REL_COUNT;
        call->type.type = QTDB_TYPE_INT8;
    }
    return STATUS_OK;
}

static enum status
type_aggregate(struct bind *bind, const struct ast_expr *ast, struct rel_aggregate *call)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};
    static const struct sql_type boolean = {QTDB_TYPE_BOOL, -1, -1};
    enum qtdb_type type = call->argument_count > 0 ? call->arguments[0]->type.type : 0;
    int rank = bind__number_rank(type);

    switch (call->kind) {
    case REL_COUNT:
        call->type = (struct sql_type){QTDB_TYPE_INT8, -1, -1};
        return STATUS_OK;
    case REL_SUM:
    case REL_AVERAGE:
        if (type == QTDB_TYPE_INTERVAL) {
            call->kind = call->kind == REL_SUM ? REL_INTERVAL_SUM : REL_INTERVAL_AVERAGE;
            call->type = (struct sql_type){type, -1, -1};
            return STATUS_OK;
        }
        if (rank == 0)
            return no_aggregate(bind, ast, call);
        if (call->kind == REL_AVERAGE)
            type = rank < 5 ? QTDB_TYPE_NUMERIC : QTDB_TYPE_FLOAT8;
        else if (rank < 4)
            type = rank < 3 ? QTDB_TYPE_INT8 : QTDB_TYPE_NUMERIC;
        call->type = (struct sql_type){type, -1, -1};
        return STATUS_OK;
    case REL_BOOL_AND:
    case REL_BOOL_OR:
        call->type = boolean;
        return type == QTDB_TYPE_BOOL ? STATUS_OK : no_aggregate(bind, ast, call);
    case REL_STRING_AGG:
        call->type = text;
        for (uint32_t i = 0; i < 2; i++) {
            if (!bind__is_text(call->arguments[i]->type.type))
                return no_aggregate(bind, ast, call);
            TRY(bind__cast(bind, call->arguments[i], &text, &call->arguments[i]));
        }
        return STATUS_OK;
    case REL_ARRAY_AGG:
    case REL_JSON_ARRAY:
    case REL_JSON_OBJECT:
    case REL_VARIANCE:
    case REL_PERCENTILE_CONT:
    case REL_PERCENTILE_DISC:
    case REL_MODE:
    case REL_BIT_AND:
    case REL_BIT_OR:
    case REL_BIT_XOR:
        return type_collected(bind, ast, call, type);
    default:
        if (call->kind >= REL_REGR_COUNT)
            return type_pairs(bind, ast, call);
        if (type == QTDB_TYPE_JSON || type == QTDB_TYPE_JSONB || type == QTDB_TYPE_BOOL ||
            type == QTDB_TYPE_UUID || type == QTDB_TYPE_BYTEA)
            return no_aggregate(bind, ast, call);
        call->type = (struct sql_type){type == QTDB_TYPE_VARCHAR ? QTDB_TYPE_TEXT : type, -1, -1};
        return bind__cast(bind, call->arguments[0], &call->type, &call->arguments[0]);
    }
}

static bool
note_place(void *context, const struct expr *expr)
{
    bool *seen = context; /* Own columns, columns of a query around. */

    seen[0] = seen[0] || (expr->kind == EXPR_COLUMN && expr->relation > 0);
    seen[1] = seen[1] || expr->kind == EXPR_SLOT;
    return true;
}

static bool
is_argument(const struct rel_aggregate *call, const struct expr *expr)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (expr_same(call->arguments[i], expr))
            return true;
    }
    return false;
}

static enum status
bind_arguments(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct rel_aggregate *call)
{
    bool seen[2] = {false, false};

    for (uint32_t i = 0; i < ast->argument_count; i++) {
        TRY(bind__argument(bind, scope, ast, i, &call->arguments[i]));
        TRY(bind__settle(bind, &call->arguments[i]));
        (void)expr_visit(call->arguments[i], note_place, seen);
    }
    call->argument_count = ast->argument_count;
    if (seen[1] && !seen[0])
        return bind__unsupported(bind, ast->location, "an aggregate over the outer query");
    if (ast->filter != NULL)
        TRY(bind__condition(bind, scope, ast->filter, "FILTER", &call->filter));
    call->sort_keys = bind__take(bind, (ast->order_count + 2) * sizeof(*call->sort_keys));
    if (call->sort_keys == NULL)
        return STATUS_NO_MEMORY;
    /* PostgreSQL finds duplicates by sorting, which shows in the order of a text. */
    if ((call->kind == REL_STRING_AGG || call->kind >= REL_ARRAY_AGG) && call->distinct &&
        ast->order_count == 0) {
        call->sort_count = ast->argument_count;
        for (uint32_t i = 0; i < ast->argument_count; i++)
            call->sort_keys[i] = (struct rel_sort_key){.expr = call->arguments[i]};
    }
    for (uint32_t i = 0; i < ast->order_count; i++) {
        struct rel_sort_key *key = &call->sort_keys[call->sort_count++];

        *key = (struct rel_sort_key){.descending = ast->orders[i].descending,
                                     .nulls_first = ast->orders[i].nulls_first};
        TRY(bind__expr(bind, scope, ast->orders[i].expr, &key->expr));
        TRY(bind__settle(bind, &key->expr));
        if (call->distinct && !is_argument(call, key->expr))
            return sql_error_set(bind->error, "42P10", ast->orders[i].expr->location,
                                 "in an aggregate with DISTINCT, ORDER BY expressions must appear "
                                 "in argument list");
    }
    return STATUS_OK;
}

static bool
same_call(const struct rel_aggregate *left, const struct rel_aggregate *right)
{
    if (left->kind != right->kind || left->sample != right->sample || left->root != right->root ||
        left->type.type != right->type.type || left->argument_count != right->argument_count ||
        left->distinct != right->distinct || left->sort_count > 0 || right->sort_count > 0 ||
        left->grouped_count != right->grouped_count ||
        (left->filter == NULL) != (right->filter == NULL))
        return false;
    for (uint32_t i = 0; i < left->argument_count; i++) {
        if (!expr_same(left->arguments[i], right->arguments[i]))
            return false;
    }
    for (uint32_t i = 0; i < left->grouped_count; i++) {
        if (!expr_same(left->grouped[i], right->grouped[i]))
            return false;
    }
    return left->filter == NULL || expr_same(left->filter, right->filter);
}

enum status
bind__add_aggregate(struct bind *bind, struct bind__aggregation *aggregation,
                    const struct rel_aggregate *call, uint32_t *index_out)
{
    for (uint32_t i = 0; i < aggregation->count; i++) {
        if (same_call(&aggregation->calls[i], call)) {
            *index_out = i;
            return STATUS_OK;
        }
    }
    if (aggregation->count == aggregation->capacity) {
        uint32_t capacity = aggregation->capacity == 0 ? 8 : 2 * aggregation->capacity;
        struct rel_aggregate *calls = bind__take(bind, capacity * sizeof(*calls));

        if (calls == NULL)
            return STATUS_NO_MEMORY;
        if (aggregation->count > 0)
            memcpy(calls, aggregation->calls, aggregation->count * sizeof(*calls));
        aggregation->calls = calls;
        aggregation->capacity = capacity;
    }
    aggregation->calls[aggregation->count] = *call;
    *index_out = aggregation->count++;
    return STATUS_OK;
}

enum status
bind__aggregate_call(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                     struct rel_aggregate *call)
{
    enum rel_aggregate_kind kind = aggregate_kind(ast);
    bool pair = kind == REL_STRING_AGG || kind == REL_JSON_OBJECT || kind == REL_PERCENTILE_CONT ||
                kind == REL_PERCENTILE_DISC || kind >= REL_REGR_COUNT;
    uint32_t wanted = pair ? 2 : 1;

    *call = (struct rel_aggregate){.kind = kind, .distinct = ast->distinct};
    if (ast->star ? kind != REL_COUNT : ast->argument_count != wanted)
        return sql_error_set(bind->error, "42883", ast->location,
                             "function %s with %u arguments does not exist",
                             ast->names[ast->name_count - 1], ast->argument_count);
    TRY(bind_arguments(bind, scope, ast, call));
    return type_aggregate(bind, ast, call);
}

static enum status
bind_aggregate(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    struct rel_aggregate call;

    if (scope->inside_aggregate)
        return sql_error_set(bind->error, "42803", ast->location,
                             "aggregate function calls cannot be nested");
    if (scope->aggregation == NULL)
        return sql_error_set(bind->error, "42803", ast->location,
                             "aggregate functions are not allowed in %s", scope->clause);
    scope->inside_aggregate = true;
    enum status status = bind__aggregate_call(bind, scope, ast, &call);
    scope->inside_aggregate = false;
    TRY(status);
    TRY(bind__new_expr(bind, EXPR_AGGREGATE, call.type.type, ast->location, 0, out));
    return bind__add_aggregate(bind, scope->aggregation, &call, &(*out)->index);
}

/* Functions. */

/* The element type that arrays and elements among the arguments agree on. */
static enum status
find_element(struct bind *bind, struct expr *expr, enum qtdb_type *out)
{
    const struct function *function = expr->function;
    bool asked = false;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        enum qtdb_type wanted = function->arguments[i < function->count ? i : function->count - 1];
        enum qtdb_type type = expr->arguments[i]->type.type;
        bool array = wanted == FUNCTION_ANY_ARRAY;

        if ((!array && wanted != FUNCTION_ANY_ELEMENT) || bind__is_unknown(expr->arguments[i])) {
            asked = asked || array || wanted == FUNCTION_ANY_ELEMENT;
            continue;
        }
        asked = true;
        type = array ? value_element(type) : type;
        type = *out == QTDB_TYPE_NULL ? type : bind__common_type(*out, type);
        if (type == QTDB_TYPE_NULL)
            return no_function(bind, function->name, expr->location, expr->arguments,
                               expr->argument_count);
        *out = type;
    }
    if (asked && *out == QTDB_TYPE_NULL)
        *out = QTDB_TYPE_TEXT;
    return STATUS_OK;
}

static enum status
cast_arguments(struct bind *bind, struct expr *expr)
{
    const struct function *function = expr->function;
    enum qtdb_type element = QTDB_TYPE_NULL;

    TRY(find_element(bind, expr, &element));
    if (function->result == FUNCTION_ANY_ARRAY)
        expr->type.type = value_array_of(element);
    else if (function->result == FUNCTION_ANY_ELEMENT)
        expr->type.type = element;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        uint32_t place = i < function->count ? i : function->count - 1;
        struct sql_type type = {function->arguments[place], -1, -1};

        if (type.type == FUNCTION_ANY_ARRAY)
            type.type = value_array_of(element);
        else if (type.type == FUNCTION_ANY_ELEMENT)
            type.type = element;
        if (type.type == QTDB_TYPE_NULL)
            TRY(bind__settle(bind, &expr->arguments[i]));
        else
            TRY(bind__cast(bind, expr->arguments[i], &type, &expr->arguments[i]));
    }
    return STATUS_OK;
}

bool
bind__is_symbol(const char *name)
{
    return strchr("+-*/<>=~!@#%^&|`?[", name[0]) != NULL;
}

enum status
bind__call(struct bind *bind, const char *name, int32_t location, struct expr **arguments,
           uint32_t count, struct expr **out)
{
    enum qtdb_type types[FUNCTION_CALL_ARGUMENTS_MAX];
    struct expr *expr = NULL;

    if (count > FUNCTION_CALL_ARGUMENTS_MAX)
        return sql_error_set(bind->error, "54023", location,
                             "cannot pass more than %d arguments to a function",
                             FUNCTION_CALL_ARGUMENTS_MAX);
    for (uint32_t i = 0; i < count; i++)
        types[i] = bind__is_unknown(arguments[i]) ? QTDB_TYPE_NULL : arguments[i]->type.type;
    const struct function *function = function_find(name, types, count, bind__casts_implicitly);
    if (function == NULL && !bind__is_symbol(name))
        return no_function(bind, name, location, arguments, count);
    if (function == NULL && count == 2)
        return sql_error_set(bind->error, "42883", location, "operator does not exist: %s %s %s",
                             bind__type_name(bind, arguments[0]->type.type), name,
                             bind__type_name(bind, arguments[1]->type.type));
    if (function == NULL)
        return sql_error_set(bind->error, "42883", location, "operator does not exist: %s %s", name,
                             value_type_name(arguments[0]->type.type));
    TRY(bind__new_expr(bind, EXPR_FUNCTION, function->result, location, count, &expr));
    expr->function = function;
    for (uint32_t i = 0; i < count; i++)
        expr->arguments[i] = arguments[i];
    TRY(cast_arguments(bind, expr));
    if (function->result == QTDB_TYPE_NULL)
        expr->type.type = expr->arguments[0]->type.type;
    *out = expr;
    return STATUS_OK;
}

enum status
bind__function(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    const char *name = ast->names[ast->name_count - 1];
    enum rel_aggregate_kind kind = aggregate_kind(ast);
    struct expr **arguments = bind__take(bind, ast->argument_count * sizeof(struct expr *));

    if (arguments == NULL)
        return STATUS_NO_MEMORY;
    if (ast->over != NULL)
        return bind__window_call(bind, scope, ast, out);
    enum status asked = bind__catalog_function(bind, scope, ast, out);
    if (asked != STATUS_NOT_FOUND)
        return asked;
    if (kind != 0)
        return bind_aggregate(bind, scope, ast, out);
    if (ast->star || ast->distinct || ast->filter != NULL || ast->order_count > 0)
        return sql_error_set(bind->error, "42809", ast->location, "%s is not an aggregate function",
                             name);
    if (bind__is_window_function(name))
        return sql_error_set(bind->error, "42809", ast->location,
                             "window function %s requires an OVER clause", name);
    for (uint32_t i = 0; i < ast->argument_count; i++)
        TRY(bind__argument(bind, scope, ast, i, &arguments[i]));
    if (strcmp(name, "row_to_json") == 0 && ast->argument_count == 1 &&
        bind__is_row(arguments[0])) {
        arguments[0]->function = &function_json_of_row;
        *out = arguments[0];
        return STATUS_OK;
    }
    enum status status = bind__enum_function(bind, ast, arguments, out);
    if (status != STATUS_NOT_FOUND)
        return status;
    return bind__call(bind, name, ast->location, arguments, ast->argument_count, out);
}
