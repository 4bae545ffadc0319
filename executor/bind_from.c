/*
 * FROM: tables, joins, subqueries, functions. An item on the right may use the names of those to its
 * left when it is LATERAL; what it uses reaches it through slots that the join fills.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "executor/table_rules.h"
#include "kernel/base/check.h"

/* A FROM item: its rows, its names, and what it takes from items to its left. */
struct item {
    struct rel *rel;
    struct bind__scope scope;
    struct bind__level lateral;
};

static enum status bind_item(struct bind *bind, struct bind__scope *left,
                             const struct ast_from *from, struct item *out);

/* Scopes. */

static enum status
join_scopes(struct bind *bind, const struct bind__scope *left, const struct bind__scope *right,
            struct bind__scope *out)
{
    struct bind__table *tables = left->tables;

    for (const struct bind__table *table = right->tables; table != NULL; table = table->next) {
        struct bind__table *copy = bind__take(bind, sizeof(*copy));

        if (copy == NULL)
            return STATUS_NO_MEMORY;
        for (const struct bind__table *other = left->tables; other != NULL; other = other->next) {
            bool schemas_differ = other->schema != NULL && table->schema != NULL &&
                                  strcmp(other->schema, table->schema) != 0;

            if (strcmp(other->alias, table->alias) == 0 && !schemas_differ)
                return sql_error_set(bind->error, "42712", -1,
                                     "table name \"%s\" specified more than once", table->alias);
        }
        *copy = *table;
        copy->next = tables;
        tables = copy;
    }
    uint32_t left_count = left->name_count, right_count = right->name_count;
    struct bind__name *names = bind__take(bind, (left_count + right_count) * sizeof(*names));
    if (names == NULL)
        return STATUS_NO_MEMORY;
    if (left_count > 0)
        memcpy(names, left->names, left_count * sizeof(*names));
    if (right_count > 0)
        memcpy(names + left_count, right->names, right_count * sizeof(*names));
    out->tables = tables;
    out->names = names;
    out->name_count = left_count + right_count;
    return STATUS_OK;
}

/* Joining, with what the right side takes from the left. */

static bool
scope_has_relation(const struct bind__scope *scope, uint32_t relation)
{
    for (const struct bind__table *table = scope->tables; table != NULL; table = table->next) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (table->exprs[i]->kind == EXPR_COLUMN && table->exprs[i]->relation == relation)
                return true;
        }
    }
    return false;
}

static bool
is_inside(void *context, const struct expr *expr)
{
    return expr->kind != EXPR_COLUMN || scope_has_relation(context, expr->relation);
}

static enum status
pass_on(struct bind *bind, const struct bind__level *from, const struct bind__scope *filled,
        struct bind__level *out)
{
    uint32_t capacity = out->count + from->count;
    struct expr **sources = bind__take(bind, capacity * sizeof(struct expr *));
    uint32_t *slots = bind__take(bind, capacity * sizeof(*slots));

    if (sources == NULL || slots == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->count; i++) {
        sources[i] = out->sources[i];
        slots[i] = out->slots[i];
    }
    for (uint32_t i = 0; i < from->count; i++) {
        if (filled != NULL && expr_visit(from->sources[i], is_inside, (void *)(uintptr_t)filled))
            continue;
        sources[out->count] = from->sources[i];
        slots[out->count++] = from->slots[i];
    }
    out->sources = sources;
    out->slots = slots;
    out->capacity = capacity;
    return STATUS_OK;
}

static enum status
make_join(struct bind *bind, const struct item *left, const struct item *right, enum rel_join kind,
          struct item *out)
{
    struct rel *join = NULL;

    TRY(bind__rel(bind, REL_JOIN, left->rel, &join));
    join->right = right->rel;
    join->join = kind;
    join->slots = bind__take(bind, right->lateral.count * sizeof(*join->slots));
    join->slot_sources = bind__take(bind, right->lateral.count * sizeof(struct expr *));
    if (join->slots == NULL || join->slot_sources == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < right->lateral.count; i++) {
        struct expr *source = right->lateral.sources[i];

        if (!expr_visit(source, is_inside, (void *)(uintptr_t)&left->scope))
            continue;
        join->slot_sources[join->slot_count] = source;
        join->slots[join->slot_count++] = right->lateral.slots[i];
    }
    TRY(pass_on(bind, &left->lateral, NULL, &out->lateral));
    TRY(pass_on(bind, &right->lateral, &left->scope, &out->lateral));
    out->rel = join;
    return STATUS_OK;
}

/* USING and NATURAL. */

static enum status
find_using(struct bind *bind, const struct bind__scope *scope, const char *name, const char *side,
           uint32_t *out)
{
    uint32_t found = UINT32_MAX;

    for (uint32_t i = 0; i < scope->name_count; i++) {
        if (strcmp(scope->names[i].name, name) != 0)
            continue;
        if (found != UINT32_MAX)
            return sql_error_set(bind->error, "42702", -1,
                                 "common column name \"%s\" appears more than once in %s table",
                                 name, side);
        found = i;
    }
    if (found == UINT32_MAX)
        return sql_error_set(bind->error, "42703", -1,
                             "column \"%s\" specified in USING clause does not exist in %s table",
                             name, side);
    *out = found;
    return STATUS_OK;
}

static enum status
natural_names(struct bind *bind, const struct bind__scope *left, const struct bind__scope *right,
              const char ***names_out, uint32_t *count_out)
{
    const char **names = bind__take(bind, left->name_count * sizeof(*names));
    uint32_t count = 0;

    if (names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < left->name_count; i++) {
        for (uint32_t k = 0; k < right->name_count; k++) {
            if (strcmp(left->names[i].name, right->names[k].name) == 0) {
                names[count++] = left->names[i].name;
                break;
            }
        }
    }
    *names_out = names;
    *count_out = count;
    return STATUS_OK;
}

/* The merged column: the side that always has a row; of FULL whichever is not null. */
static enum status
merge_column(struct bind *bind, enum ast_join_kind kind, const struct expr *equal,
             struct expr **out)
{
    if (kind != AST_JOIN_FULL) {
        *out = equal->arguments[kind == AST_JOIN_RIGHT ? 1 : 0];
        return STATUS_OK;
    }
    TRY(bind__new_expr(bind, EXPR_COALESCE, equal->arguments[0]->type.type, -1, 2, out));
    (*out)->arguments[0] = equal->arguments[0];
    (*out)->arguments[1] = equal->arguments[1];
    return STATUS_OK;
}

static bool
is_named(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* Merged columns first, then the others of the left, then those of the right. */
static enum status
bind_using(struct bind *bind, const struct ast_from *from, const struct bind__scope *left,
           const struct bind__scope *right, struct item *joined, struct expr **on)
{
    const char **names = from->using_names;
    uint32_t count = from->using_count, next = 0;
    struct bind__scope *scope = &joined->scope;

    if (from->natural)
        TRY(natural_names(bind, left, right, &names, &count));
    struct bind__name *merged =
        bind__take(bind, (scope->name_count + count) * sizeof(*scope->names));
    if (merged == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = 0, b = 0;
        struct expr *equal = NULL;

        TRY(find_using(bind, left, names[i], "left", &a));
        TRY(find_using(bind, right, names[i], "right", &b));
        TRY(bind__operator(bind, "=", -1, left->names[a].expr, right->names[b].expr, &equal));
        merged[next].name = names[i];
        TRY(merge_column(bind, from->join, equal, &merged[next++].expr));
        if (*on != NULL)
            TRY(bind__logic(bind, EXPR_AND, -1, *on, equal, &equal));
        *on = equal;
    }
    for (uint32_t i = 0; i < scope->name_count; i++) {
        if (!is_named(names, count, scope->names[i].name))
            merged[next++] = scope->names[i];
    }
    scope->names = merged;
    scope->name_count = next;
    return STATUS_OK;
}

static void
mark_nullable(const struct bind__scope *scope)
{
    for (struct bind__table *table = scope->tables; table != NULL; table = table->next)
        table->nullable = true;
}

static enum status
bind_join(struct bind *bind, struct bind__scope *visible, const struct ast_from *from,
          struct item *out)
{
    bool swap = from->join == AST_JOIN_RIGHT;
    enum rel_join kind = from->join == AST_JOIN_INNER  ? REL_INNER
                         : from->join == AST_JOIN_FULL ? REL_FULL
                                                       : REL_LEFT;
    struct item left, right;
    struct bind__scope seen;
    struct expr *on = NULL;

    TRY(bind_item(bind, visible, from->left, &left));
    bind__scope_init(&seen, visible->level, visible->ctes);
    TRY(join_scopes(bind, visible, &left.scope, &seen));
    struct bind__scope *kept =
        bind__take(bind, sizeof(*kept)); /* The lateral level points to it. */
    if (kept == NULL)
        return STATUS_NO_MEMORY;
    *kept = seen;
    TRY(bind_item(bind, kept, from->right, &right));
    if (right.lateral.count > 0 && (swap || kind == REL_FULL))
        return sql_error_set(
            bind->error, "42P10", -1,
            "the combining JOIN type must be INNER or LEFT for a LATERAL reference");
    if (kind == REL_FULL || swap)
        mark_nullable(&left.scope);
    if (kind != REL_INNER && !swap)
        mark_nullable(&right.scope);
    TRY(swap ? make_join(bind, &right, &left, kind, out)
             : make_join(bind, &left, &right, kind, out));
    bind__scope_init(&out->scope, visible->level, visible->ctes);
    TRY(join_scopes(bind, &left.scope, &right.scope, &out->scope));
    out->scope.clause = "JOIN conditions";
    if (from->natural || from->using_count > 0)
        TRY(bind_using(bind, from, &left.scope, &right.scope, out, &on));
    else if (from->on != NULL)
        TRY(bind__condition(bind, &out->scope, from->on, "JOIN/ON", &on));
    out->rel->condition = on;
    return STATUS_OK;
}

/* Leaves. */

enum status
bind__table_rel(struct bind *bind, struct table *table, struct rel **out)
{
    struct rel *rel = NULL;

    TRY(bind__defining(bind, REL_TABLE, NULL, table->column_count + 1, &rel));
    rel->table = table;
    for (uint32_t i = 0; i < table->column_count; i++)
        rel->columns[i] =
            (struct rel_column){table->columns[i].name, {table->columns[i].type.type, -1, -1}};
    rel->columns[table->column_count] = (struct rel_column){"?key?", {QTDB_TYPE_BYTEA, -1, -1}};
    *out = rel;
    return rules_bind_exprs(bind, rel);
}

static enum status
bind_query_item(struct bind *bind, const struct bind__query *query, const struct ast_from *from,
                const char *alias, struct item *out)
{
    struct rel view = {.relation = query->relation,
                       .column_count = query->column_count,
                       .columns = query->columns};

    out->rel = query->rel;
    return bind__add_table(bind, &out->scope, &view, query->column_count, alias, NULL, from);
}

/* FOR UPDATE of a view over one table locks the table's rows; of any other view it is refused by name later. */
static enum status
bind_locked_view(struct bind *bind, const struct ast_name *found, const struct ast_from *from,
                 const char *alias, struct item *out)
{
    struct bind__view *view = bind__take(bind, sizeof(*view));

    if (view == NULL)
        return STATUS_NO_MEMORY;
    enum status status = bind__open_view(bind, found, "lock", view);
    if (status == STATUS_INVALID && strcmp(bind->error->sqlstate, "55000") == 0) {
        *bind->error = (struct sql_error){.location = -1};
        return STATUS_NOT_FOUND;
    }
    TRY(status);
    out->rel = view->rel;
    TRY(bind__add_view(bind, &out->scope, view, alias, from));
    out->scope.tables->base = view->base;
    return STATUS_OK;
}

static enum status
bind_table(struct bind *bind, const struct ast_from *from, struct item *out)
{
    struct bind__query query;
    struct table *table = NULL;
    const char *alias = from->alias != NULL ? from->alias : from->table.name;
    enum status status = bind__cte(bind, &out->scope, &from->table, &query);

    struct ast_name found = from->table;
    bool view = false;

    if (status == STATUS_NOT_FOUND) {
        TRY(search_path_find(bind->txn, bind->path, &from->table, "wt", &found, bind->error));
        status = bind__catalog_view(bind, &from->table, &query);
        view = status == STATUS_NOT_FOUND;
        if (view && bind->locking) {
            status = bind_locked_view(bind, &found, from, alias, out);
            if (status != STATUS_NOT_FOUND)
                return status;
        }
        if (view)
            status = bind__view(bind, &found, &query);
    }
    if (status == STATUS_OK) {
        TRY(bind_query_item(bind, &query, from, alias, out));
        out->scope.tables->is_query = view;
        return STATUS_OK;
    }
    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(table_find(bind->txn, &found, bind->arena, &table, bind->error));
    TRY(bind__table_rel(bind, table, &out->rel));
    TRY(bind__add_table(bind, &out->scope, out->rel, table->column_count, alias,
                        from->alias != NULL ? NULL : table->schema, from));
    out->scope.tables->base = out->rel;
    return STATUS_OK;
}

static enum status
bind_derived(struct bind *bind, struct bind__scope *visible, const struct ast_from *from,
             struct item *out)
{
    struct bind__query query;

    if (from->lateral) {
        struct bind__level *level = bind__take(bind, sizeof(*level));

        if (level == NULL)
            return STATUS_NO_MEMORY;
        level->outer = visible;
        TRY(bind__select(bind, level, visible->ctes, from->query, &query));
        out->lateral = *level;
    } else {
        TRY(bind__select(bind, visible->level, visible->ctes, from->query, &query));
    }
    TRY(bind_query_item(bind, &query, from, from->alias, out));
    out->scope.tables->is_query = true;
    return STATUS_OK;
}

/* A function that gives rows. */
static enum status
bind_series(struct bind *bind, struct bind__scope *visible, const struct ast_from *from,
            struct item *out)
{
    const struct ast_expr *call = from->function;
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct bind__scope scope;

    if (level == NULL)
        return STATUS_NO_MEMORY;
    level->outer = visible;
    bind__scope_init(&scope, level, visible->ctes);
    scope.clause = "functions in FROM";
    TRY(bind__set_function(bind, &scope, from, &out->rel));
    out->lateral = *level;
    return bind__add_table(bind, &out->scope, out->rel, out->rel->column_count,
                           from->alias != NULL ? from->alias : call->names[call->name_count - 1],
                           NULL, from);
}

static enum status
bind_item(struct bind *bind, struct bind__scope *visible, const struct ast_from *from,
          struct item *out)
{
    *out = (struct item){.rel = NULL};
    bind__scope_init(&out->scope, visible->level, visible->ctes);
    switch (from->kind) {
    case AST_FROM_TABLE:
        return bind_table(bind, from, out);
    case AST_FROM_JOIN:
        return bind_join(bind, visible, from, out);
    case AST_FROM_QUERY:
        return bind_derived(bind, visible, from, out);
    default:
        CHECK(from->kind == AST_FROM_FUNCTION);
        return bind_series(bind, visible, from, out);
    }
}

enum status
bind__from(struct bind *bind, struct bind__scope *scope, struct ast_from **items, uint32_t count,
           struct rel **out)
{
    struct item all = {.rel = *out}; /* UPDATE and DELETE bring their table. */

    all.scope = *scope;
    for (uint32_t i = 0; i < count; i++) {
        struct bind__scope *visible = bind__take(bind, sizeof(*visible));
        struct item next, joined = {.rel = NULL};

        if (visible == NULL)
            return STATUS_NO_MEMORY;
        *visible = all.scope;
        TRY(bind_item(bind, visible, items[i], &next));
        if (all.rel == NULL) {
            all.rel = next.rel;
            TRY(pass_on(bind, &next.lateral, NULL, &joined.lateral));
        } else {
            TRY(make_join(bind, &all, &next, REL_INNER, &joined));
            all.rel = joined.rel;
        }
        all.lateral = joined.lateral;
        TRY(join_scopes(bind, &all.scope, &next.scope, &all.scope));
    }
    CHECK(all.lateral.count == 0 || scope->level->outer != NULL);
    for (uint32_t i = 0; i < all.lateral.count; i++)
        TRY(bind__borrow(bind, scope->level, all.lateral.sources[i], all.lateral.slots[i]));
    scope->tables = all.scope.tables;
    scope->names = all.scope.names;
    scope->name_count = all.scope.name_count;
    if (all.rel == NULL)
        TRY(bind__rel(bind, REL_RESULT, NULL, &all.rel));
    *out = all.rel;
    return STATUS_OK;
}
