/*
 * Queries.
 *
 *   FROM -> [filter WHERE] -> [aggregate -> filter HAVING] -> project (targets, then what ORDER BY
 *        and DISTINCT ON need) -> [distinct] -> [sort] -> [distinct on] -> [lock] -> [limit]
 *
 * The result is the leading columns of the projection.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

/* Targets: stars expanded, hidden ones at the end. */
struct target_list {
    uint32_t count;
    uint32_t capacity;
    struct expr **exprs;
    struct rel_column *columns;
};

static const char *
derived_name(const struct ast_expr *expr)
{
    const char *inner;

    switch (expr->kind) {
    case AST_COLUMN:
    case AST_FUNCTION:
        return expr->names[expr->name_count - 1];
    case AST_CAST:
        inner = derived_name(expr->arguments[0]);
        return strcmp(inner, "?column?") == 0 ? expr->type.name : inner;
    case AST_CASE:
        inner = expr->has_else ? derived_name(expr->arguments[expr->argument_count - 1]) : "case";
        return strcmp(inner, "?column?") == 0 ? "case" : inner;
    case AST_COALESCE:
        return "coalesce";
    case AST_NULLIF:
        return "nullif";
    case AST_GROUPING:
        return "grouping";
    case AST_GREATEST:
        return expr->negated ? "least" : "greatest";
    case AST_SUBQUERY:
        if (strcmp(expr->text, "exists") == 0)
            return "exists";
        if (strcmp(expr->text, "scalar") == 0 && expr->query->target_count == 1)
            return expr->query->targets[0].name != NULL
                       ? expr->query->targets[0].name
                       : derived_name(expr->query->targets[0].expr);
        return "?column?";
    default:
        return "?column?";
    }
}

static void
add_target(struct target_list *list, struct expr *expr, const char *name)
{
    CHECK(list->count < list->capacity);
    list->exprs[list->count] = expr;
    list->columns[list->count++] = (struct rel_column){name, expr->type};
}

static enum status
add_star(struct bind *bind, const struct bind__scope *scope, struct target_list *list,
         const struct ast_expr *ast)
{
    struct bind__name *names = NULL;
    uint32_t count = 0;

    TRY(bind__star(bind, scope, ast, &names, &count));
    for (uint32_t i = 0; i < count; i++)
        add_target(list, names[i].expr, names[i].name);
    return STATUS_OK;
}

static uint32_t
star_room(const struct bind__scope *scope)
{
    uint32_t room = scope->name_count + 1;

    for (const struct bind__table *table = scope->tables; table != NULL; table = table->next)
        room += table->column_count;
    return room;
}

enum status
bind__targets(struct bind *bind, struct bind__scope *scope, const struct ast_target *targets,
              uint32_t target_count, uint32_t room, struct expr ***exprs_out,
              struct rel_column **columns_out, uint32_t *count_out)
{
    uint32_t width = star_room(scope);
    struct target_list list = {.capacity = target_count + room};

    for (uint32_t i = 0; i < target_count; i++)
        list.capacity += targets[i].expr->kind == AST_STAR ? width : 0;
    list.exprs = bind__take(bind, list.capacity * sizeof(struct expr *));
    list.columns = bind__take(bind, list.capacity * sizeof(*list.columns));
    if (list.exprs == NULL || list.columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < target_count; i++) {
        const struct ast_target *target = &targets[i];
        struct expr *expr = NULL;

        if (target->expr->kind == AST_STAR) {
            TRY(add_star(bind, scope, &list, target->expr));
            continue;
        }
        TRY(bind__expr(bind, scope, target->expr, &expr));
        add_target(&list, expr, target->name != NULL ? target->name : derived_name(target->expr));
    }
    *exprs_out = list.exprs;
    *columns_out = list.columns;
    *count_out = list.count;
    return STATUS_OK;
}

/* Order: a position, a target's name, or an expression that becomes a hidden target. */

static enum status
find_output(struct bind *bind, const struct target_list *list, uint32_t visible, const char *name,
            int32_t location, uint32_t *out)
{
    uint32_t found = UINT32_MAX;

    for (uint32_t i = 0; i < visible; i++) {
        if (strcmp(list->columns[i].name, name) != 0)
            continue;
        if (found != UINT32_MAX && !expr_same(list->exprs[found], list->exprs[i]))
            return sql_error_set(bind->error, "42702", location, "ORDER BY \"%s\" is ambiguous",
                                 name);
        found = found == UINT32_MAX ? i : found;
    }
    *out = found;
    return STATUS_OK;
}

static enum status
bind_order(struct bind *bind, struct bind__scope *scope, bool distinct, const struct ast_expr *ast,
           const char *clause, struct target_list *list, uint32_t visible, uint32_t *out)
{
    struct expr *bound = NULL;

    if (ast->kind == AST_INTEGER) {
        if (ast->integer < 1 || ast->integer > visible)
            return sql_error_set(bind->error, "42P10", ast->location,
                                 "%s position %lld is not in select list", clause,
                                 (long long)ast->integer);
        *out = (uint32_t)ast->integer - 1;
        return STATUS_OK;
    }
    if (ast->kind == AST_COLUMN && ast->name_count == 1) {
        TRY(find_output(bind, list, visible, ast->names[0], ast->location, out));
        if (*out != UINT32_MAX)
            return STATUS_OK;
    }
    TRY(bind__expr(bind, scope, ast, &bound));
    TRY(bind__settle(bind, &bound));
    for (uint32_t i = 0; i < list->count; i++) {
        if (expr_same(list->exprs[i], bound)) {
            *out = i;
            break;
        }
    }
    if (*out == UINT32_MAX && distinct)
        return sql_error_set(
            bind->error, "42P10", ast->location,
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    if (*out == UINT32_MAX) {
        *out = list->count;
        add_target(list, bound, "?order?");
    }
    return STATUS_OK;
}

static enum status
bind_orders(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
            struct target_list *list, uint32_t visible, uint32_t *positions)
{
    bool distinct = ast->distinct && ast->distinct_count == 0;

    for (uint32_t i = 0; i < ast->order_count; i++) {
        positions[i] = UINT32_MAX;
        TRY(bind_order(bind, scope, distinct, ast->orders[i].expr, "ORDER BY", list, visible,
                       &positions[i]));
    }
    for (uint32_t i = 0; i < ast->distinct_count; i++) {
        uint32_t *position = &positions[ast->order_count + i];

        *position = UINT32_MAX;
        TRY(bind_order(bind, scope, false, ast->distinct_exprs[i], "DISTINCT ON", list, visible,
                       position));
    }
    return STATUS_OK;
}

/* DISTINCT ON needs its expressions first in ORDER BY. */
static enum status
check_distinct_on(struct bind *bind, const struct ast_select *ast, const uint32_t *positions)
{
    const uint32_t *wanted = positions + ast->order_count;
    uint32_t least =
        ast->order_count < ast->distinct_count ? ast->order_count : ast->distinct_count;

    for (uint32_t i = 0; i < least; i++) {
        bool found = false;

        for (uint32_t k = 0; k < ast->distinct_count; k++)
            found = found || wanted[k] == positions[i];
        if (!found)
            return sql_error_set(bind->error, "42P10", ast->orders[i].expr->location,
                                 "SELECT DISTINCT ON expressions must match initial ORDER BY "
                                 "expressions");
    }
    return STATUS_OK;
}

/* What follows the projection. */

static enum status
add_keyed(struct bind *bind, enum rel_kind kind, const struct rel *columns,
          const uint32_t *positions, uint32_t count, const struct ast_order *orders,
          struct rel **rel)
{
    struct rel *node = NULL;

    TRY(bind__rel(bind, kind, *rel, &node));
    node->sort_keys = bind__take(bind, count * sizeof(*node->sort_keys));
    if (node->sort_keys == NULL)
        return STATUS_NO_MEMORY;
    node->sort_count = count;
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind__column(bind, columns, positions == NULL ? i : positions[i],
                         &node->sort_keys[i].expr));
        node->sort_keys[i].descending = orders != NULL && orders[i].descending;
        node->sort_keys[i].nulls_first = orders != NULL && orders[i].nulls_first;
    }
    *rel = node;
    return STATUS_OK;
}

static enum status
bind_tail(struct bind *bind, const struct ast_select *ast, const struct rel *columns,
          uint32_t visible, const uint32_t *positions, struct rel **rel)
{
    if (ast->distinct && ast->distinct_count == 0)
        TRY(add_keyed(bind, REL_DISTINCT, columns, NULL, visible, NULL, rel));
    if (ast->order_count > 0)
        TRY(add_keyed(bind, REL_SORT, columns, positions, ast->order_count, ast->orders, rel));
    if (ast->distinct_count > 0)
        TRY(add_keyed(bind, REL_DISTINCT, columns, positions + ast->order_count,
                      ast->distinct_count, NULL, rel));
    return STATUS_OK;
}

/* WITH TIES goes on while rows are equal in what they are sorted by. */
static enum status
bind_limit(struct bind *bind, struct bind__scope *nothing, const struct ast_select *ast,
           const struct rel *columns, const uint32_t *positions, struct rel **rel)
{
    static const struct sql_type integer = {QTDB_TYPE_INT8, -1, -1};

    if (ast->limit == NULL && ast->offset == NULL)
        return STATUS_OK;
    nothing->clause = "LIMIT";
    TRY(add_keyed(bind, REL_LIMIT, columns, positions, ast->ties ? ast->order_count : 0,
                  ast->orders, rel));
    if (ast->limit != NULL)
        TRY(bind__expr_as(bind, nothing, ast->limit, &integer, &(*rel)->limit));
    return ast->offset == NULL
               ? STATUS_OK
               : bind__expr_as(bind, nothing, ast->offset, &integer, &(*rel)->offset);
}

/* VALUES. */

static const char *
values_name(struct bind *bind, uint32_t index)
{
    char name[16] = "column";
    char digits[8];
    size_t count = 0, size = 6;

    for (uint32_t left = index + 1; left > 0; left /= 10)
        digits[count++] = (char)('0' + left % 10);
    while (count > 0)
        name[size++] = digits[--count];
    return arena_copy_text(bind->arena, name, size);
}

static enum status
bind_values(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
            const struct ast_select *ast, struct rel **out)
{
    struct expr **column = bind__take(bind, ast->row_count * sizeof(struct expr *));
    struct bind__scope nothing;
    struct rel *values = NULL;

    bind__scope_init(&nothing, level, ctes);
    nothing.clause = "VALUES";
    TRY(bind__check_width(bind, ast->row_width, BIND__TARGETS_MAX));
    TRY(bind__defining(bind, REL_VALUES, NULL, ast->row_width, &values));
    values->row_count = ast->row_count;
    values->exprs =
        bind__take(bind, (size_t)ast->row_count * ast->row_width * sizeof(struct expr *));
    if (values->exprs == NULL || column == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t k = 0; k < ast->row_width; k++) {
        struct sql_type type;

        for (uint32_t i = 0; i < ast->row_count; i++)
            TRY(bind__expr(bind, &nothing, ast->rows[(size_t)i * ast->row_width + k], &column[i]));
        TRY(bind__unify(bind, -1, column, ast->row_count, "VALUES", &type));
        for (uint32_t i = 0; i < ast->row_count; i++)
            values->exprs[(size_t)i * ast->row_width + k] = column[i];
        values->columns[k] = (struct rel_column){values_name(bind, k), type};
        if (values->columns[k].name == NULL)
            return STATUS_NO_MEMORY;
    }
    *out = values;
    return STATUS_OK;
}

/* ORDER BY of what has no scope: names and positions of the result only. */
static enum status
output_positions(struct bind *bind, const struct ast_select *ast, const struct rel *rel,
                 uint32_t *positions)
{
    struct target_list list = {.count = rel->column_count, .columns = rel->columns};

    list.exprs = bind__take(bind, rel->column_count * sizeof(struct expr *));
    if (list.exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < rel->column_count; i++)
        TRY(bind__column(bind, rel, i, &list.exprs[i]));
    for (uint32_t i = 0; i < ast->order_count; i++) {
        const struct ast_expr *expr = ast->orders[i].expr;
        struct bind__level none = {.outer = NULL};
        struct bind__scope nothing;

        bind__scope_init(&nothing, &none, NULL);
        positions[i] = UINT32_MAX;
        if (expr->kind != AST_INTEGER && (expr->kind != AST_COLUMN || expr->name_count > 1))
            return sql_error_set(bind->error, "0A000", expr->location,
                                 "invalid UNION/INTERSECT/EXCEPT ORDER BY clause: only result "
                                 "column names can be used");
        TRY(bind_order(bind, &nothing, true, expr, "ORDER BY", &list, list.count, &positions[i]));
    }
    return STATUS_OK;
}

static enum status
bind_scopeless(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
               const struct ast_select *ast, struct bind__query *out)
{
    uint32_t *positions = bind__take(bind, ast->order_count * sizeof(*positions));
    struct bind__scope nothing;
    struct rel *rel = NULL;

    if (positions == NULL)
        return STATUS_NO_MEMORY;
    if (ast->row_count > 0)
        TRY(bind_values(bind, level, ctes, ast, &rel));
    else
        TRY(bind__set(bind, level, ctes, ast, &rel));
    TRY(output_positions(bind, ast, rel, positions));
    TRY(bind__refuse_locks(bind, ast, ast->row_count > 0 ? "VALUES" : "UNION/INTERSECT/EXCEPT"));
    *out = (struct bind__query){rel, rel->relation, rel->column_count, rel->columns};
    TRY(bind_tail(bind, ast, rel, rel->column_count, positions, &out->rel));
    bind__scope_init(&nothing, level, ctes);
    return bind_limit(bind, &nothing, ast, rel, positions, &out->rel);
}

/* SELECT. */

static enum status
bind_project(struct bind *bind, struct target_list *list, struct rel **rel)
{
    struct rel *project = NULL;

    TRY(bind__check_width(bind, list->count, BIND__TARGETS_MAX));
    TRY(bind__defining(bind, REL_PROJECT, *rel, list->count, &project));
    project->exprs = list->exprs;
    project->columns = list->columns;
    *rel = project;
    return STATUS_OK;
}

/* Targets, conditions and windows over the groups instead of the rows. */
static enum status
bind_groups(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
            struct target_list *list, struct expr **having, struct rel **rel)
{
    uint32_t place_count = bind__window_places(scope->windows, NULL);
    uint32_t count = list->count + place_count;
    struct expr ***places = bind__take(bind, place_count * sizeof(*places));
    struct expr **exprs = bind__take(bind, count * sizeof(struct expr *));
    const struct bind__windows *windows = scope->windows;

    if (places == NULL || exprs == NULL)
        return STATUS_NO_MEMORY;
    (void)bind__window_places(windows, places);
    memcpy(exprs, list->exprs, list->count * sizeof(struct expr *));
    for (uint32_t i = 0; i < place_count; i++)
        exprs[list->count + i] = *places[i];
    scope->windows = NULL;
    scope->clause = "GROUP BY";
    TRY(bind__grouping(bind, scope, ast, exprs, count, having, windows, rel));
    memcpy(list->exprs, exprs, list->count * sizeof(struct expr *));
    for (uint32_t i = 0; i < place_count; i++)
        *places[i] = exprs[list->count + i];
    return STATUS_OK;
}

static enum status
bind_having(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
            struct expr **out)
{
    struct bind__windows *windows = scope->windows;

    if (ast->having == NULL)
        return STATUS_OK;
    scope->windows = NULL;
    scope->clause = "HAVING";
    enum status status = bind__condition(bind, scope, ast->having, "HAVING", out);
    scope->windows = windows;
    return status;
}

/* The keys of rows to be locked are the last columns of the projection. */
static void
add_lock_keys(const struct bind__locks *locks, struct target_list *list)
{
    for (uint32_t i = 0; i < locks->count; i++)
        add_target(list, locks->keys[i], "?key?");
}

static enum status
refuse_locked(struct bind *bind, const struct ast_select *ast,
              const struct bind__aggregation *aggregation, const struct bind__windows *windows)
{
    const char *clause = ast->distinct            ? "DISTINCT"
                         : ast->group_count > 0   ? "GROUP BY"
                         : ast->having != NULL    ? "HAVING"
                         : aggregation->count > 0 ? "aggregate functions"
                         : windows->first != NULL ? "window functions"
                                                  : NULL;

    return clause == NULL ? STATUS_OK : bind__refuse_locks(bind, ast, clause);
}

static enum status
bind_plain(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
           const struct ast_select *ast, struct bind__query *out)
{
    TRY(bind__lift_sets(bind, ast, &ast));
    uint32_t order_count = ast->order_count + ast->distinct_count;
    uint32_t *positions = bind__take(bind, order_count * sizeof(*positions));
    struct bind__aggregation aggregation = {.count = 0};
    struct bind__windows windows = {.ast = ast};
    struct target_list list = {.count = 0};
    struct bind__locks locks = {.count = 0};
    struct bind__scope *scope = bind__take(bind, sizeof(*scope));
    struct expr *where = NULL, *having = NULL;
    struct rel *rel = NULL;

    if (positions == NULL || scope == NULL)
        return STATUS_NO_MEMORY;
    bind__scope_init(scope, level, ctes);
    bool locking = bind->locking;
    bind->locking = ast->locking_count > 0;
    enum status status = bind__from(bind, scope, ast->from, ast->from_count, &rel);
    bind->locking = locking;
    TRY(status);
    TRY(bind__find_locks(bind, scope, ast, &locks));
    scope->clause = "WHERE";
    if (ast->where != NULL) {
        TRY(bind__condition(bind, scope, ast->where, "WHERE", &where));
        TRY(bind__filter(bind, where, &rel));
    }
    scope->aggregation = &aggregation;
    scope->windows = &windows;
    TRY(bind__targets(bind, scope, ast->targets, ast->target_count, order_count + locks.count,
                      &list.exprs, &list.columns, &list.count));
    list.capacity = list.count + order_count + locks.count;
    uint32_t visible = list.count;
    TRY(bind_orders(bind, scope, ast, &list, visible, positions));
    TRY(check_distinct_on(bind, ast, positions));
    TRY(bind_having(bind, scope, ast, &having));
    TRY(refuse_locked(bind, ast, &aggregation, &windows));
    uint32_t first_key = list.count;
    add_lock_keys(&locks, &list);
    if (aggregation.count > 0 || ast->group_count > 0 || having != NULL)
        TRY(bind_groups(bind, scope, ast, &list, &having, &rel));
    TRY(bind__windows(bind, &windows, &rel));
    TRY(bind_project(bind, &list, &rel));
    struct rel *project = rel;
    TRY(bind_tail(bind, ast, project, visible, positions, &rel));
    TRY(bind__add_locks(bind, &locks, project, first_key, &rel));
    struct bind__scope nothing;
    bind__scope_init(&nothing, level, ctes);
    TRY(bind_limit(bind, &nothing, ast, project, positions, &rel));
    *out = (struct bind__query){rel, project->relation, visible, project->columns};
    return STATUS_OK;
}

enum status
bind__select_open(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
                  const struct ast_select *ast, struct bind__query *out)
{
    TRY(bind__with(bind, level, ast, &ctes));
    if (ast->row_count > 0 || ast->set != 0)
        return bind_scopeless(bind, level, ctes, ast, out);
    return bind_plain(bind, level, ctes, ast, out);
}

enum status
bind__retype(struct bind *bind, const struct bind__query *query, uint32_t column,
             const struct sql_type *type)
{
    struct rel *rel = query->rel;

    while (rel->relation != query->relation)
        rel = rel->input;
    CHECK(rel->kind == REL_PROJECT);
    TRY(bind__cast(bind, rel->exprs[column], type, &rel->exprs[column]));
    rel->columns[column].type = *type;
    return STATUS_OK;
}

enum status
bind__select(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
             const struct ast_select *ast, struct bind__query *out)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};

    TRY(bind__select_open(bind, level, ctes, ast, out));
    for (uint32_t i = 0; i < out->column_count; i++) {
        if (out->columns[i].type.type == QTDB_TYPE_NULL)
            TRY(bind__retype(bind, out, i, &text));
    }
    return STATUS_OK;
}
