/* COPY: what is copied, where from or to, and its options as they were written (copy_options.c reads
 * them). */
#include <stdio.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"

static void
convert_value(struct pg__conversion *conversion, Node *value, struct ast_copy_option *out)
{
    char number[16];

    switch (nodeTag(value)) {
    case T_String:
        out->text = pg__copy(conversion, strVal(value));
        return;
    case T_Float:
        out->text = pg__copy(conversion, castNode(Float, value)->fval);
        return;
    case T_Integer:
        (void)snprintf(number, sizeof(number), "%d", intVal(value));
        out->text = pg__copy(conversion, number);
        return;
    case T_Boolean:
        out->text = boolVal(value) ? "true" : "false";
        return;
    case T_A_Star:
        out->star = true;
        return;
    case T_List:
        out->is_list = true;
        out->names = pg__names(conversion, (List *)value, &out->name_count);
        return;
    default:
        (void)pg__unsupported(conversion, out->location, "this value of an option of COPY");
    }
}

static struct ast_copy_option *
convert_options(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_copy_option *options =
        pg__take(conversion, (size_t)list_length(list) * sizeof(*options));
    ListCell *cell;

    if (options == NULL)
        return NULL;
    foreach (cell, list) {
        const DefElem *source = lfirst(cell);
        struct ast_copy_option *out = &options[(*count_out)++];

        out->location = source->location;
        out->name = pg__copy(conversion, source->defname);
        if (source->arg != NULL)
            convert_value(conversion, source->arg, out);
    }
    return options;
}

struct ast_copy *
pg__copy_statement(struct pg__conversion *conversion, CopyStmt *source)
{
    struct ast_copy *out = pg__take(conversion, sizeof(*out));

    if (source->is_program)
        return pg__unsupported(conversion, -1, "COPY with PROGRAM");
    if (source->query != NULL && !IsA(source->query, SelectStmt))
        return pg__unsupported(conversion, -1, "COPY of a query that is no SELECT");
    if (out == NULL)
        return NULL;
    out->from = source->is_from;
    if (source->filename != NULL)
        out->file = pg__copy(conversion, source->filename);
    if (source->relation != NULL)
        out->table = pg__range_name(conversion, source->relation);
    if (source->query != NULL)
        out->query = pg__select(conversion, (SelectStmt *)source->query);
    if (conversion->changes)
        return pg__unsupported(conversion, -1, "a change in WITH of COPY");
    if (source->whereClause != NULL && !source->is_from)
        return pg__fail(conversion, "42601", -1, "WHERE clause not allowed with COPY TO");
    out->columns = pg__names(conversion, source->attlist, &out->column_count);
    out->options = convert_options(conversion, source->options, &out->option_count);
    out->where = pg__optional(conversion, source->whereClause);
    return out;
}
