/*
 * jsonb_to_record(x) AS t(a int, ...), jsonb_to_recordset(x) AS t(a int, ...) and the same of json: a query that takes
 * each column out of the object by its name. Columns of json and jsonb take the part as it is, the others its
 * text in their type.
 */
#include <string.h>

#include "executor/pg_private.h"

static struct ast_expr *
new_expr(struct pg__conversion *conversion, enum ast_expr_kind kind, uint32_t argument_count)
{
    struct ast_expr *expr = pg__take(conversion, sizeof(*expr));

    if (expr == NULL)
        return NULL;
    expr->kind = kind;
    expr->location = -1;
    expr->argument_count = argument_count;
    expr->arguments = pg__take(conversion, argument_count * sizeof(*expr->arguments));
    return expr->arguments == NULL ? NULL : expr;
}

static struct ast_expr *
named(struct pg__conversion *conversion, enum ast_expr_kind kind, const char *name,
      uint32_t argument_count)
{
    struct ast_expr *expr = new_expr(conversion, kind, argument_count);

    if (expr == NULL)
        return NULL;
    expr->names = pg__take(conversion, sizeof(*expr->names));
    if (expr->names == NULL)
        return NULL;
    expr->names[0] = name;
    expr->name_count = 1;
    return expr;
}

/* (document ->> 'name')::type */
static struct ast_expr *
field(struct pg__conversion *conversion, const ColumnDef *column, struct ast_expr *document)
{
    struct ast_expr *cast = new_expr(conversion, AST_CAST, 1);
    struct ast_expr *part = new_expr(conversion, AST_OPERATOR, 2);
    struct ast_expr *name = new_expr(conversion, AST_STRING, 0);

    if (cast == NULL || part == NULL || name == NULL)
        return NULL;
    cast->type = pg__type(conversion, column->typeName);
    if (conversion->status != STATUS_OK)
        return NULL;
    if (cast->type.array_depth > 0)
        return pg__unsupported(conversion, column->location, "an array as a column of a record");
    bool json = strcmp(cast->type.name, "json") == 0 || strcmp(cast->type.name, "jsonb") == 0;
    name->text = pg__copy(conversion, column->colname);
    part->text = json ? "->" : "->>";
    part->arguments[0] = document;
    part->arguments[1] = name;
    cast->arguments[0] = part;
    return cast;
}

/* json_array_elements(document), for a set. */
static struct ast_from *
elements(struct pg__conversion *conversion, struct ast_expr *call, bool binary)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));
    struct ast_expr *set =
        named(conversion, AST_FUNCTION, binary ? "jsonb_array_elements" : "json_array_elements", 1);
    const char **names = pg__take(conversion, sizeof(*names));

    if (from == NULL || set == NULL || names == NULL)
        return NULL;
    set->location = call->location;
    set->arguments[0] = call->arguments[0];
    names[0] = "?record?";
    *from = (struct ast_from){.kind = AST_FROM_FUNCTION,
                              .alias = "?record?",
                              .column_name_count = 1,
                              .column_names = names,
                              .lateral = true,
                              .function = set};
    return from;
}

struct ast_from *
pg__record(struct pg__conversion *conversion, RangeFunction *range, struct ast_from *from)
{
    struct ast_expr *call = pg__expr(conversion, linitial((List *)linitial(range->functions)));
    struct ast_select *query = pg__take(conversion, sizeof(*query));
    size_t count = (size_t)list_length(range->coldeflist);
    ListCell *cell;

    if (call == NULL || query == NULL)
        return NULL;
    const char *name = call->kind == AST_FUNCTION ? call->names[call->name_count - 1] : "";
    bool binary = strncmp(name, "jsonb_", 6) == 0;
    bool set = strcmp(name, "jsonb_to_recordset") == 0 || strcmp(name, "json_to_recordset") == 0;
    if ((!set && strcmp(name, "jsonb_to_record") != 0 && strcmp(name, "json_to_record") != 0) ||
        call->argument_count != 1 || range->ordinality || range->is_rowsfrom)
        return pg__unsupported(conversion, call->location, "this function with a column list");
    query->location = -1;
    query->targets = pg__take(conversion, count * sizeof(*query->targets));
    query->from = pg__take(conversion, sizeof(*query->from));
    struct ast_expr *document =
        set ? named(conversion, AST_COLUMN, "?record?", 0) : new_expr(conversion, AST_CAST, 1);
    if (query->targets == NULL || query->from == NULL || document == NULL)
        return NULL;
    if (set) {
        query->from[query->from_count++] = elements(conversion, call, binary);
    } else {
        document->type = (struct ast_type){.name = binary ? "jsonb" : "json", .location = -1};
        document->arguments[0] = call->arguments[0];
    }
    foreach (cell, range->coldeflist) {
        const ColumnDef *column = lfirst(cell);
        struct ast_target *target = &query->targets[query->target_count++];

        target->location = -1;
        target->name = pg__copy(conversion, column->colname);
        target->expr = field(conversion, column, document);
    }
    from->kind = AST_FROM_QUERY;
    from->lateral = true;
    from->query = query;
    from->alias = range->alias != NULL ? pg__copy(conversion, range->alias->aliasname) : name;
    return from;
}
