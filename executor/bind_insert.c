/*
 * INSERT: the source's rows in the table's order with defaults for what it does not give, and ON
 * CONFLICT over the row that is there and the one that was to be inserted.
 */
#include <string.h>

#include "executor/bind_private.h"

static bool
ignores_given(const struct table *table, uint32_t column, enum ast_overriding overriding)
{
    return overriding == AST_OVERRIDING_USER &&
           table->columns[column].generated >= TABLE_IDENTITY_DEFAULT;
}

struct insert {
    struct bind *bind;
    const struct ast_insert *ast;
    struct table *table;
    const struct bind__view *view; /* NULL: none. */
    struct bind__cte *ctes;        /* Those of WITH. */
    uint32_t given;                /* Columns that the source has. */
    uint32_t *columns;
};

static enum status
name_targets(struct insert *insert, uint32_t width)
{
    struct bind *bind = insert->bind;
    const struct ast_insert *ast = insert->ast;
    const struct table *table = insert->table;
    uint32_t named = ast->column_count > 0  ? ast->column_count
                     : insert->view != NULL ? insert->view->column_count
                                            : table->column_count;
    bool *seen = bind__take(bind, table->column_count * sizeof(*seen));

    insert->columns = bind__take(bind, (named + 1) * sizeof(*insert->columns));
    if (seen == NULL || insert->columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < named && (ast->column_count > 0 || i < width); i++) {
        uint32_t column = i;

        if (ast->column_count > 0)
            TRY(bind__find_target(bind, table, insert->view, ast->columns[i], "insert into",
                                  ast->table.location, &column));
        else if (insert->view != NULL)
            TRY(bind__place_value(bind, insert->view, i, "insert into", &column));
        if (seen[column])
            return sql_error_set(bind->error, "42701", ast->table.location,
                                 "column \"%s\" specified more than once",
                                 table->columns[column].name);
        seen[column] = true;
        insert->columns[i] = column;
    }
    if (width > named)
        return sql_error_set(bind->error, "42601", ast->table.location,
                             "INSERT has more expressions than target columns");
    if (ast->column_count > 0 && width < named && ast->source != NULL)
        return sql_error_set(bind->error, "42601", ast->table.location,
                             "INSERT has more target columns than expressions");
    insert->given = width;
    return STATUS_OK;
}

/* A plain VALUES list takes the columns' types, so that untyped literals are read as those. */
static enum status
bind_typed_values(struct insert *insert, struct rel **out)
{
    const struct ast_select *source = insert->ast->source;
    struct bind *bind = insert->bind;
    struct bind__level level = {.outer = NULL};
    struct bind__scope nothing;
    struct rel *values = NULL;
    size_t count = (size_t)source->row_count * source->row_width;

    bind__scope_init(&nothing, &level, insert->ctes);
    nothing.clause = "VALUES";
    TRY(name_targets(insert, source->row_width));
    TRY(bind__defining(bind, REL_VALUES, NULL, source->row_width, &values));
    values->row_count = source->row_count;
    values->exprs = bind__take(bind, count * sizeof(struct expr *));
    if (values->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < source->row_width; i++) {
        const struct table_column *column = &insert->table->columns[insert->columns[i]];

        values->columns[i] = (struct rel_column){column->name, column->type};
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t column = insert->columns[i % source->row_width];

        if (source->rows[i]->kind != AST_DEFAULT)
            TRY(bind__check_given(bind, insert->table, column, insert->ast->overriding));
        if (ignores_given(insert->table, column, insert->ast->overriding))
            TRY(bind__default(bind, insert->table, column, &values->exprs[i]));
        else
            TRY(bind__assign(bind, &nothing, insert->table, column, source->rows[i],
                             &values->exprs[i]));
    }
    *out = values;
    return STATUS_OK;
}

static enum status
bind_insert_query(struct insert *insert, struct bind__query *out)
{
    struct bind *bind = insert->bind;
    struct bind__level *level = bind__take(bind, sizeof(*level));

    if (level == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__select_open(bind, level, insert->ctes, insert->ast->source, out));
    TRY(name_targets(insert, out->column_count));
    for (uint32_t i = 0; i < out->column_count; i++) {
        const struct table_column *column = &insert->table->columns[insert->columns[i]];

        TRY(bind__check_given(bind, insert->table, insert->columns[i], insert->ast->overriding));
        if (out->columns[i].type.type == QTDB_TYPE_NULL)
            TRY(bind__retype(bind, out, i, &column->type));
        if (!value_assigns(out->columns[i].type.type, column->type.type))
            return sql_error_set(bind->error, "42804", -1,
                                 "column \"%s\" is of type %s but expression is of type %s",
                                 column->name, value_type_name(column->type.type),
                                 value_type_name(out->columns[i].type.type));
    }
    return STATUS_OK;
}

/* The source's columns in the table's order, defaults for the rest. */
static enum status
arrange(struct insert *insert, const struct bind__query *query, struct rel **out)
{
    struct bind *bind = insert->bind;
    const struct table *table = insert->table;
    struct rel view = {.relation = query->relation,
                       .column_count = query->column_count,
                       .columns = query->columns};
    struct rel *project = NULL;

    TRY(bind__new_projection(bind, query->rel, table->column_count, &project));
    for (uint32_t i = 0; i < insert->given; i++) {
        uint32_t column = insert->columns[i];
        struct expr *expr = NULL;

        if (insert->ast->source->row_count == 0 &&
            ignores_given(table, column, insert->ast->overriding))
            continue;
        TRY(bind__column(bind, &view, i, &expr));
        TRY(bind__cast(bind, expr, &table->columns[column].type, &project->exprs[column]));
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        project->columns[i] = (struct rel_column){table->columns[i].name, table->columns[i].type};
        if (project->exprs[i] == NULL)
            TRY(bind__default(bind, table, i, &project->exprs[i]));
    }
    *out = project;
    return STATUS_OK;
}

static enum status
bind_conflict(struct bind *bind, struct bind__scope *scope, const struct ast_insert *ast,
              struct table *table, struct bound *bound)
{
    struct bound_conflict *conflict = bind__take(bind, sizeof(*conflict));
    struct bind__scope both = *scope;
    struct rel *excluded = NULL;

    if (conflict == NULL)
        return STATUS_NO_MEMORY;
    if (bound->view != NULL && (ast->conflict->update || ast->conflict->column_count > 0 ||
                                ast->conflict->constraint != NULL))
        return bind__unsupported(bind, ast->conflict->location, "this ON CONFLICT of a view");
    bound->conflict = conflict;
    conflict->update = ast->conflict->update;
    TRY(bind__find_constraint(bind, ast->conflict, table, conflict));
    if (!conflict->update)
        return STATUS_OK;
    TRY(bind__table_rel(bind, table, &excluded));
    conflict->excluded_relation = excluded->relation;
    uint32_t name_count = both.name_count;
    TRY(bind__add_table(bind, &both, excluded, table->column_count, "excluded", NULL, NULL));
    both.name_count = name_count; /* Plain names are the table's. */
    both.clause = "ON CONFLICT";
    conflict->exprs = bind__take(bind, table->column_count * sizeof(struct expr *));
    if (conflict->exprs == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__sets(bind, &both, table, NULL, ast->conflict->sets, ast->conflict->set_count,
                   conflict->exprs));
    return ast->conflict->where == NULL
               ? STATUS_OK
               : bind__condition(bind, &both, ast->conflict->where, "WHERE", &conflict->where);
}

enum status
bind__insert(struct bind *bind, const struct ast_insert *ast, struct bind__cte *ctes,
             struct bound *bound)
{
    struct bind__scope *scope = bind__take(bind, sizeof(*scope));
    struct insert insert = {.bind = bind, .ast = ast};
    struct bind__query query;
    struct rel *target = NULL, *rel = NULL;

    if (scope == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__open_target(bind, &ast->table, ast->alias, ast->with, ctes, scope, &target, bound));
    insert.ctes = scope->ctes;
    insert.table = bound->table;
    insert.view = bound->view;
    if (ast->source == NULL) {
        TRY(bind__rel(bind, REL_RESULT, NULL, &rel));
        TRY(name_targets(&insert, 0));
        query = (struct bind__query){rel, 0, 0, NULL};
    } else if (ast->source->row_count > 0 && ast->source->order_count == 0 &&
               ast->source->limit == NULL && ast->source->offset == NULL &&
               ast->source->cte_count == 0) {
        TRY(bind_typed_values(&insert, &rel));
        query = (struct bind__query){rel, rel->relation, rel->column_count, rel->columns};
    } else {
        TRY(bind_insert_query(&insert, &query));
    }
    TRY(arrange(&insert, &query, &rel));
    if (ast->conflict != NULL)
        TRY(bind_conflict(bind, scope, ast, bound->table, bound));
    TRY(bind__returning(bind, scope, ast->returning, ast->returning_count, rel, bound));
    return bind__finish_change(rel, bound);
}
