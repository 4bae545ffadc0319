/* UNION, INTERSECT, EXCEPT: both sides get the same column types. */
#include "executor/bind_private.h"
#include "kernel/base/check.h"

static const char *
set_name(enum ast_set_kind kind)
{
    return kind == AST_UNION ? "UNION" : kind == AST_INTERSECT ? "INTERSECT" : "EXCEPT";
}

/* A projection of the query's columns as the given types. */
static enum status
cast_columns(struct bind *bind, const struct sql_type *types, struct bind__query *query)
{
    struct rel view = {.relation = query->relation,
                       .column_count = query->column_count,
                       .columns = query->columns};
    struct rel *project = NULL;

    TRY(bind__defining(bind, REL_PROJECT, query->rel, query->column_count, &project));
    for (uint32_t i = 0; i < query->column_count; i++) {
        struct expr *column = NULL;

        TRY(bind__column(bind, &view, i, &column));
        TRY(bind__cast(bind, column, &types[i], &project->exprs[i]));
        project->columns[i] = (struct rel_column){query->columns[i].name, types[i]};
    }
    *query =
        (struct bind__query){project, project->relation, query->column_count, project->columns};
    return STATUS_OK;
}

static enum status
settle_column(struct bind *bind, struct bind__query *query, uint32_t column,
              const struct sql_type *type)
{
    return query->columns[column].type.type == QTDB_TYPE_NULL
               ? bind__retype(bind, query, column, type)
               : STATUS_OK;
}

enum status
bind__match(struct bind *bind, const char *what, struct bind__query *left,
            struct bind__query *right)
{
    struct sql_type *types = bind__take(bind, left->column_count * sizeof(*types));

    if (types == NULL)
        return STATUS_NO_MEMORY;
    if (left->column_count != right->column_count)
        return sql_error_set(bind->error, "42601", -1,
                             "each %s query must have the same number of columns", what);
    for (uint32_t i = 0; i < left->column_count; i++) {
        enum qtdb_type a = left->columns[i].type.type, b = right->columns[i].type.type;
        enum qtdb_type common = bind__common_type(a, b);

        if (common == QTDB_TYPE_NULL && (a != QTDB_TYPE_NULL || b != QTDB_TYPE_NULL))
            return sql_error_set(bind->error, "42804", -1, "%s types %s and %s cannot be matched",
                                 what, value_type_name(a), value_type_name(b));
        types[i] = (struct sql_type){common == QTDB_TYPE_NULL ? QTDB_TYPE_TEXT : common, -1, -1};
        TRY(settle_column(bind, left, i, &types[i]));
        TRY(settle_column(bind, right, i, &types[i]));
    }
    TRY(cast_columns(bind, types, left));
    return cast_columns(bind, types, right);
}

enum status
bind__set(struct bind *bind, struct bind__level *level, struct bind__cte *ctes,
          const struct ast_select *ast, struct rel **out)
{
    struct bind__query left, right;
    struct rel *set = NULL;

    TRY(bind__select_open(bind, level, ctes, ast->set_left, &left));
    TRY(bind__select_open(bind, level, ctes, ast->set_right, &right));
    TRY(bind__match(bind, set_name(ast->set), &left, &right));
    TRY(bind__defining(bind, REL_SET, left.rel, left.column_count, &set));
    set->right = right.rel;
    set->set = ast->set;
    set->all = ast->set_all;
    for (uint32_t i = 0; i < left.column_count; i++)
        set->columns[i] = left.columns[i];
    *out = set;
    return STATUS_OK;
}
