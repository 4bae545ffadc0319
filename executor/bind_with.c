/*
 * WITH. An entry of the outermost query is bound once, in the scope it was written in, and all its uses
 * share it (rel.h: REL_SHARED). One of a query that reads rows around it, or that is first used in the
 * second half of a recursion, has different rows each time: it is bound anew wherever its name stands, as
 * if its text stood there; so is one that says NOT MATERIALIZED. A recursive one becomes a recursion over
 * a work table. A change is bound where it is written, for it runs whether it is named or not.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

/* INSERT, UPDATE or DELETE: a part of the statement, at its outermost level alone. */
static enum status
bind_part(struct bind *bind, struct bind__cte *cte, uint32_t count_max)
{
    struct bound *part = bind__take(bind, sizeof(*part));

    if (bind->parts == NULL)
        bind->parts = bind__take(bind, count_max * sizeof(*bind->parts));
    cte->returned = bind__take(bind, sizeof(*cte->returned));
    if (part == NULL || bind->parts == NULL || cte->returned == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__change(bind, cte->ast->change, cte->recursive ? cte : cte->next, part));
    *cte->returned = (struct rel_shared){.name = cte->ast->name,
                                         .index = bind->shared_count++,
                                         .always = true,
                                         .is_change = true,
                                         .part = bind->part_count};
    part->name = cte->ast->name;
    bind->parts[bind->part_count++] = part;
    cte->part = part;
    return STATUS_OK;
}

/* What RETURNING of a change gives. */
static enum status
use_part(struct bind *bind, const struct bind__cte *cte, const struct ast_name *name,
         struct bind__query *out)
{
    const struct bound *part = cte->part;
    struct rel *rel = NULL;

    if (part->returning_count == 0)
        return sql_error_set(bind->error, "0A000", name->location,
                             "WITH query \"%s\" does not have a RETURNING clause", name->name);
    TRY(bind__defining(bind, REL_SHARED, NULL, part->returning_count, &rel));
    memcpy(rel->columns, part->returning_columns, part->returning_count * sizeof(*rel->columns));
    rel->shared = cte->returned;
    rel->shared->use_count++;
    *out = (struct bind__query){rel, rel->relation, rel->column_count, rel->columns};
    return STATUS_OK;
}

enum status
bind__with(struct bind *bind, struct bind__level *level, const struct ast_select *ast,
           struct bind__cte **ctes)
{
    for (uint32_t i = 0; i < ast->cte_count; i++) {
        struct bind__cte *cte = bind__take(bind, sizeof(*cte));

        if (cte == NULL)
            return STATUS_NO_MEMORY;
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(ast->ctes[k].name, ast->ctes[i].name) == 0)
                return sql_error_set(bind->error, "42712", ast->ctes[i].location,
                                     "WITH query name \"%s\" specified more than once",
                                     ast->ctes[i].name);
        }
        *cte = (struct bind__cte){
            .ast = &ast->ctes[i], .recursive = ast->recursive, .level = level, .next = *ctes};
        if (cte->ast->change != NULL)
            TRY(bind_part(bind, cte, ast->cte_count));
        *ctes = cte;
    }
    return STATUS_OK;
}

static enum status
rename_columns(struct bind *bind, const struct ast_cte *ast, struct bind__query *query)
{
    struct rel_column *columns = bind__take(bind, query->column_count * sizeof(*columns));

    if (columns == NULL)
        return STATUS_NO_MEMORY;
    if (ast->column_name_count > query->column_count)
        return sql_error_set(bind->error, "42P10", ast->location,
                             "WITH query \"%s\" has %u columns available but %u columns specified",
                             ast->name, query->column_count, ast->column_name_count);
    for (uint32_t i = 0; i < query->column_count; i++) {
        columns[i] = query->columns[i];
        if (i < ast->column_name_count)
            columns[i].name = ast->column_names[i];
    }
    query->columns = columns;
    return STATUS_OK;
}

/* A reference to the entry inside its own second half. */
static enum status
bind_work(struct bind *bind, const struct bind__cte *cte, struct bind__query *out)
{
    struct rel *work = NULL;

    TRY(bind__defining(bind, REL_WORK, NULL, cte->work->column_count, &work));
    work->columns = cte->work->columns;
    work->work_index = cte->work->work_index;
    cte->work->row_count++; /* Counts references. */
    *out = (struct bind__query){work, work->relation, work->column_count, work->columns};
    return STATUS_OK;
}

static enum status
check_recursive_types(struct bind *bind, const struct bind__cte *cte,
                      const struct bind__query *before, const struct bind__query *after)
{
    for (uint32_t i = 0; i < before->column_count; i++) {
        enum qtdb_type first = before->columns[i].type.type, all = after->columns[i].type.type;

        if (first != all)
            return sql_error_set(bind->error, "42804", cte->ast->location,
                                 "recursive query \"%s\" column %u has type %s in non-recursive "
                                 "term but type %s overall",
                                 cte->ast->name, i + 1, value_type_name(first),
                                 value_type_name(all));
    }
    return STATUS_OK;
}

static enum status
bind_recursive(struct bind *bind, struct bind__cte *cte, struct bind__query *out)
{
    const struct ast_select *ast = cte->ast->query;
    struct rel work = {.work_index = bind->work_count++};
    struct bind__query first, further;
    struct rel *rel = NULL;

    if (ast->order_count > 0 || ast->limit != NULL || ast->offset != NULL || ast->cte_count > 0)
        return bind__unsupported(bind, cte->ast->location,
                                 "ORDER BY, LIMIT or WITH in a recursive query");
    TRY(bind__select(bind, cte->level, cte->next, ast->set_left, &first));
    struct bind__query before = first;
    TRY(rename_columns(bind, cte->ast, &first));
    work.column_count = first.column_count;
    work.columns = first.columns;
    cte->work = &work;
    bind->recursion_depth++;
    enum status status = bind__select_open(bind, cte->level, cte, ast->set_right, &further);
    bind->recursion_depth--;
    cte->work = NULL;
    TRY(status);
    TRY(bind__match(bind, "UNION", &first, &further));
    TRY(check_recursive_types(bind, cte, &before, &first));
    /* Without a reference to itself it is a plain UNION. */
    TRY(bind__defining(bind, work.row_count > 0 ? REL_RECURSIVE : REL_SET, first.rel,
                       first.column_count, &rel));
    rel->right = further.rel;
    rel->all = ast->set_all;
    rel->set = AST_UNION;
    rel->work_index = work.work_index;
    rel->columns = first.columns;
    *out = (struct bind__query){rel, rel->relation, rel->column_count, rel->columns};
    return STATUS_OK;
}

/* What the body reads of queries around it has to reach the place where it is used. */
static enum status
lend_slots(struct bind *bind, const struct bind__cte *cte, struct bind__scope *scope)
{
    struct bind__level *level = scope->level;

    while (level != cte->level && level->outer != NULL) {
        for (uint32_t i = 0; i < cte->level->count; i++) {
            const struct expr *source = cte->level->sources[i];
            struct expr *slot = NULL;

            TRY(bind__new_expr(bind, EXPR_SLOT, source->type.type, -1, 0, &slot));
            slot->index = cte->level->slots[i];
            TRY(bind__borrow(bind, level, slot, slot->index));
        }
        level = level->outer->level;
    }
    return STATUS_OK;
}

/* Sharing. */

static bool
can_share(const struct bind *bind, const struct bind__cte *cte)
{
    return cte->level->outer == NULL && bind->recursion_depth == 0 &&
           cte->ast->materialize != AST_MATERIALIZE_NEVER;
}

/* The first use: the query, with a node on top that others can be made from. */
static enum status
share(struct bind *bind, struct bind__cte *cte, struct bind__query *query)
{
    struct rel *rel = NULL;

    TRY(bind__rel(bind, REL_SHARED, query->rel, &rel));
    rel->shared = bind__take(bind, sizeof(*rel->shared));
    if (rel->shared == NULL)
        return STATUS_NO_MEMORY;
    *rel->shared = (struct rel_shared){.name = cte->ast->name,
                                       .index = bind->shared_count++,
                                       .relation = query->relation,
                                       .use_count = 1,
                                       .always = cte->ast->materialize == AST_MATERIALIZE_ALWAYS};
    rel->relation = query->relation;
    rel->column_count = query->column_count;
    rel->columns = query->columns;
    cte->shared = query->rel = rel;
    return STATUS_OK;
}

static enum status
use_again(struct bind *bind, const struct bind__cte *cte, struct bind__query *out)
{
    const struct rel *first = cte->shared;
    struct rel *rel = NULL;

    TRY(bind__defining(bind, REL_SHARED, first->input, first->column_count, &rel));
    rel->columns = first->columns;
    rel->shared = first->shared;
    rel->shared->use_count++;
    *out = (struct bind__query){rel, rel->relation, rel->column_count, rel->columns};
    return STATUS_OK;
}

enum status
bind__cte(struct bind *bind, struct bind__scope *scope, const struct ast_name *name,
          struct bind__query *out)
{
    struct bind__cte *cte = scope->ctes;

    if (name->schema != NULL)
        return STATUS_NOT_FOUND;
    while (cte != NULL && strcmp(cte->ast->name, name->name) != 0)
        cte = cte->next;
    if (cte == NULL)
        return STATUS_NOT_FOUND;
    if (cte->work != NULL)
        return bind_work(bind, cte, out);
    if (cte->ast->change != NULL && cte->part == NULL)
        return sql_error_set(bind->error, "42P19", cte->ast->location,
                             "recursive query \"%s\" must not contain data-modifying statements",
                             cte->ast->name);
    if (cte->part != NULL) {
        TRY(use_part(bind, cte, name, out));
        return rename_columns(bind, cte->ast, out);
    }
    if (cte->shared != NULL)
        return use_again(bind, cte, out);
    if (cte->recursive && cte->ast->query->set == AST_UNION)
        TRY(bind_recursive(bind, cte, out));
    else
        TRY(bind__select(bind, cte->level, cte->next, cte->ast->query, out));
    TRY(rename_columns(bind, cte->ast, out));
    return can_share(bind, cte) ? share(bind, cte, out) : lend_slots(bind, cte, scope);
}
