/*
 * FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE: which tables of FROM, by the keys of their rows.
 * The first two are an exclusive lock of the row, the others a shared one. A clause without names means every
 * table that stands in FROM itself; what gives no table's rows (WITH, functions, the catalog) is passed over,
 * and a query or a view there is refused, for its rows would have to be locked inside.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

enum status
bind__refuse_locks(struct bind *bind, const struct ast_select *ast, const char *where)
{
    if (ast->locking_count == 0)
        return STATUS_OK;
    return sql_error_set(bind->error, "0A000", -1, "%s is not allowed with %s",
                         ast->lockings[0].words, where);
}

/* The stronger of two clauses for one table, and the one that waits less. */
static void
merge(struct rel_lock *lock, const struct ast_locking *clause)
{
    lock->shared = lock->shared && clause->shared;
    if (clause->wait > lock->wait)
        lock->wait = clause->wait;
}

static enum status
add(struct bind *bind, const struct bind__table *table, const struct ast_locking *clause,
    struct bind__locks *out)
{
    struct expr *key = NULL;

    if (table->nullable)
        return sql_error_set(bind->error, "0A000", -1,
                             "%s cannot be applied to the nullable side of an outer join",
                             clause->words);
    TRY(bind__column(bind, table->base, table->base->table->column_count, &key));
    for (uint32_t i = 0; i < out->count; i++) {
        if (expr_same(out->keys[i], key)) {
            merge(&out->locks[i], clause);
            return STATUS_OK;
        }
    }
    out->keys[out->count] = key;
    out->locks[out->count++] = (struct rel_lock){table->base->table, clause->shared, clause->wait};
    return STATUS_OK;
}

static enum status
add_all(struct bind *bind, const struct bind__scope *scope, const struct ast_locking *clause,
        struct bind__locks *out)
{
    for (const struct bind__table *table = scope->tables; table != NULL; table = table->next) {
        if (table->is_query)
            return sql_error_set(
                bind->error, "0A000", -1,
                "%s of a query or view in FROM (\"%s\") is not supported yet: name "
                "the tables with OF",
                clause->words, table->alias);
        if (table->base != NULL)
            TRY(add(bind, table, clause, out));
    }
    return STATUS_OK;
}

static enum status
add_named(struct bind *bind, const struct bind__scope *scope, const struct ast_locking *clause,
          const struct ast_name *name, struct bind__locks *out)
{
    const struct bind__table *table = scope->tables;

    if (name->schema != NULL)
        return sql_error_set(bind->error, "42601", name->location,
                             "%s must specify unqualified relation names", clause->words);
    while (table != NULL && strcmp(table->alias, name->name) != 0)
        table = table->next;
    if (table == NULL)
        return sql_error_set(bind->error, "42P01", name->location,
                             "relation \"%s\" in %s clause not found in FROM clause", name->name,
                             clause->words);
    if (table->base == NULL)
        return sql_error_set(bind->error, "0A000", name->location,
                             "%s of \"%s\", which is no table, is not supported yet", clause->words,
                             name->name);
    return add(bind, table, clause, out);
}

enum status
bind__find_locks(struct bind *bind, const struct bind__scope *scope, const struct ast_select *ast,
                 struct bind__locks *out)
{
    uint32_t count = 0;

    *out = (struct bind__locks){.count = 0};
    if (ast->locking_count == 0)
        return STATUS_OK;
    for (const struct bind__table *table = scope->tables; table != NULL; table = table->next)
        count++;
    out->locks = bind__take(bind, count * sizeof(*out->locks));
    out->keys = bind__take(bind, count * sizeof(struct expr *));
    if (out->locks == NULL || out->keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->locking_count; i++) {
        const struct ast_locking *clause = &ast->lockings[i];

        if (clause->name_count == 0)
            TRY(add_all(bind, scope, clause, out));
        for (uint32_t k = 0; k < clause->name_count; k++)
            TRY(add_named(bind, scope, clause, &clause->names[k], out));
    }
    return STATUS_OK;
}

enum status
bind__add_locks(struct bind *bind, const struct bind__locks *locks, const struct rel *project,
                uint32_t first, struct rel **rel)
{
    struct rel *node = NULL;

    if (locks->count == 0)
        return STATUS_OK;
    TRY(bind__rel(bind, REL_LOCK, *rel, &node));
    node->exprs = bind__take(bind, locks->count * sizeof(struct expr *));
    if (node->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < locks->count; i++)
        TRY(bind__column(bind, project, first + i, &node->exprs[i]));
    node->lock_count = locks->count;
    node->locks = locks->locks;
    *rel = node;
    return STATUS_OK;
}
