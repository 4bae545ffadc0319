/*
 * GROUP BY with its grouping sets. Every expression in it is one group, however often it stands there;
 * a grouping set is the bits of the groups in it, and several items of GROUP BY multiply. GROUPING()
 * is collected as an aggregate whose value depends on nothing but the set.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

enum { SETS_MAX = 4096, CUBE_MAX = 12, GROUPING_ARGUMENTS_MAX = 31, GROUPS_MAX = 64 };

struct set_list {
    uint32_t count;
    uint64_t *sets; /* Room for SETS_MAX. */
};

struct expansion {
    struct bind *bind;
    struct bind__scope *scope;
    const struct ast_select *ast;
    struct rel *aggregate; /* Its groups grow. */
};

static enum status
new_list(struct bind *bind, struct set_list *list)
{
    list->count = 0;
    list->sets = bind__take(bind, SETS_MAX * sizeof(*list->sets));
    return list->sets == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
add_set(struct bind *bind, struct set_list *list, uint64_t set)
{
    if (list->count == SETS_MAX)
        return sql_error_set(bind->error, "54001", -1,
                             "too many grouping sets present (maximum %d)", SETS_MAX);
    list->sets[list->count++] = set;
    return STATUS_OK;
}

/* The bit of one expression, or of all in a row of them. */
static enum status
mask_of(struct expansion *expansion, const struct ast_expr *item, uint64_t *out)
{
    struct rel *aggregate = expansion->aggregate;
    struct expr *bound = NULL;
    uint32_t index = 0;

    if (item->kind == AST_ROW) {
        for (uint32_t i = 0; i < item->argument_count; i++)
            TRY(mask_of(expansion, item->arguments[i], out));
        return STATUS_OK;
    }
    TRY(bind__group(expansion->bind, expansion->scope, expansion->ast, item, &bound));
    while (index < aggregate->group_count && !expr_same(aggregate->exprs[index], bound))
        index++;
    if (index == GROUPS_MAX)
        return bind__unsupported(expansion->bind, item->location,
                                 "more than 64 expressions in grouping sets");
    if (index == aggregate->group_count)
        aggregate->exprs[aggregate->group_count++] = bound;
    *out |= UINT64_C(1) << index;
    return STATUS_OK;
}

static enum status
expand_rollup(struct expansion *expansion, const struct ast_expr *item, struct set_list *out)
{
    uint64_t *masks = bind__take(expansion->bind, item->argument_count * sizeof(*masks));
    uint64_t all = 0;

    if (masks == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < item->argument_count; i++) {
        TRY(mask_of(expansion, item->arguments[i], &all));
        masks[i] = all;
    }
    for (uint32_t i = item->argument_count; i > 0; i--)
        TRY(add_set(expansion->bind, out, masks[i - 1]));
    return add_set(expansion->bind, out, 0);
}

static enum status
expand_cube(struct expansion *expansion, const struct ast_expr *item, struct set_list *out)
{
    uint64_t masks[CUBE_MAX] = {0};

    if (item->argument_count > CUBE_MAX)
        return sql_error_set(expansion->bind->error, "54011", item->location,
                             "CUBE is limited to %d elements", CUBE_MAX);
    for (uint32_t i = 0; i < item->argument_count; i++)
        TRY(mask_of(expansion, item->arguments[i], &masks[i]));
    for (uint32_t left_out = 0; left_out < 1u << item->argument_count; left_out++) {
        uint64_t set = 0;

        for (uint32_t i = 0; i < item->argument_count; i++)
            set |= (left_out >> i & 1) == 0 ? masks[i] : 0;
        TRY(add_set(expansion->bind, out, set));
    }
    return STATUS_OK;
}

static enum status
expand_item(struct expansion *expansion, const struct ast_expr *item, struct set_list *out)
{
    uint64_t mask = 0;

    if (item->kind != AST_GROUPING_SETS) {
        TRY(mask_of(expansion, item, &mask));
        return add_set(expansion->bind, out, mask);
    }
    switch (item->integer) {
    case AST_GROUPING_ROLLUP:
        return expand_rollup(expansion, item, out);
    case AST_GROUPING_CUBE:
        return expand_cube(expansion, item, out);
    case AST_GROUPING_LIST:
        for (uint32_t i = 0; i < item->argument_count; i++)
            TRY(expand_item(expansion, item->arguments[i], out));
        return STATUS_OK;
    default:
        return add_set(expansion->bind, out, 0);
    }
}

/* Every set of `all` with every one of `more`. */
static enum status
multiply(struct bind *bind, const struct set_list *more, struct set_list *all)
{
    struct set_list product;

    TRY(new_list(bind, &product));
    for (uint32_t i = 0; i < all->count; i++) {
        for (uint32_t k = 0; k < more->count; k++)
            TRY(add_set(bind, &product, all->sets[i] | more->sets[k]));
    }
    *all = product;
    return STATUS_OK;
}

static void
remove_duplicates(struct set_list *list)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        bool is_new = true;

        for (uint32_t k = 0; k < kept && is_new; k++)
            is_new = list->sets[k] != list->sets[i];
        if (is_new)
            list->sets[kept++] = list->sets[i];
    }
    list->count = kept;
}

static bool
has_sets(const struct ast_select *ast)
{
    for (uint32_t i = 0; i < ast->group_count; i++) {
        if (ast->groups[i]->kind == AST_GROUPING_SETS)
            return true;
    }
    return false;
}

/* GROUP BY (a, b) is GROUP BY a, b. */
static enum status
add_plain(struct expansion *expansion, const struct ast_expr *item)
{
    struct rel *aggregate = expansion->aggregate;

    if (item->kind == AST_ROW) {
        for (uint32_t i = 0; i < item->argument_count; i++)
            TRY(add_plain(expansion, item->arguments[i]));
        return STATUS_OK;
    }
    if (aggregate->group_count == aggregate->column_count)
        return bind__unsupported(expansion->bind, item->location,
                                 "so many expressions in GROUP BY");
    return bind__group(expansion->bind, expansion->scope, expansion->ast, item,
                       &aggregate->exprs[aggregate->group_count++]);
}

enum status
bind__group_by(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
               struct rel *aggregate)
{
    struct expansion expansion = {bind, scope, ast, aggregate};
    struct set_list all, item;

    if (!has_sets(ast)) {
        for (uint32_t i = 0; i < ast->group_count; i++)
            TRY(add_plain(&expansion, ast->groups[i]));
        return STATUS_OK;
    }
    TRY(new_list(bind, &all));
    TRY(add_set(bind, &all, 0));
    for (uint32_t i = 0; i < ast->group_count; i++) {
        TRY(new_list(bind, &item));
        TRY(expand_item(&expansion, ast->groups[i], &item));
        TRY(multiply(bind, &item, &all));
    }
    if (ast->group_distinct)
        remove_duplicates(&all);
    aggregate->set_count = all.count;
    aggregate->sets = all.sets;
    return STATUS_OK;
}

/* GROUPING. */

enum status
bind__grouping_call(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                    struct expr **out)
{
    struct rel_aggregate call = {.kind = REL_GROUPING, .type = {QTDB_TYPE_INT4, -1, -1}};

    if (scope->aggregation == NULL || scope->inside_aggregate)
        return sql_error_set(bind->error, "42803", ast->location,
                             "grouping operations are not allowed in %s",
                             scope->inside_aggregate ? "aggregate functions" : scope->clause);
    if (ast->argument_count > GROUPING_ARGUMENTS_MAX)
        return sql_error_set(bind->error, "54023", ast->location,
                             "GROUPING must have fewer than 32 arguments");
    call.grouped_count = ast->argument_count;
    call.grouped = bind__take(bind, ast->argument_count * sizeof(struct expr *));
    if (call.grouped == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->argument_count; i++)
        TRY(bind__expr(bind, scope, ast->arguments[i], &call.grouped[i]));
    TRY(bind__new_expr(bind, EXPR_AGGREGATE, call.type.type, ast->location, 0, out));
    return bind__add_aggregate(bind, scope->aggregation, &call, &(*out)->index);
}

enum status
bind__grouping_values(struct bind *bind, const struct rel *aggregate, struct rel_aggregate *call)
{
    uint32_t set_count = aggregate->set_count > 0 ? aggregate->set_count : 1;

    call->groupings = bind__take(bind, set_count * sizeof(*call->groupings));
    if (call->groupings == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < call->grouped_count; i++) {
        uint32_t index = 0;

        while (index < aggregate->group_count &&
               !expr_same(aggregate->exprs[index], call->grouped[i]))
            index++;
        if (index == aggregate->group_count)
            return sql_error_set(bind->error, "42803", call->grouped[i]->location,
                                 "arguments to GROUPING must be grouping expressions of the "
                                 "associated query level");
        for (uint32_t k = 0; k < aggregate->set_count; k++)
            call->groupings[k] =
                2 * call->groupings[k] + ((aggregate->sets[k] >> index & 1) == 0 ? 1 : 0);
    }
    return STATUS_OK;
}
