/* OVER (...) and the WINDOW clause. */
#include "executor/pg_private.h"

static void
convert_frame(struct pg__conversion *conversion, const WindowDef *definition,
              struct ast_window *out)
{
    int options = definition->frameOptions;

    out->has_frame = (options & FRAMEOPTION_NONDEFAULT) != 0;
    out->mode = (options & FRAMEOPTION_ROWS) != 0     ? AST_FRAME_ROWS
                : (options & FRAMEOPTION_GROUPS) != 0 ? AST_FRAME_GROUPS
                                                      : AST_FRAME_RANGE;
    out->start = (options & FRAMEOPTION_START_OFFSET_PRECEDING) != 0   ? AST_BOUND_PRECEDING
                 : (options & FRAMEOPTION_START_OFFSET_FOLLOWING) != 0 ? AST_BOUND_FOLLOWING
                 : (options & FRAMEOPTION_START_CURRENT_ROW) != 0      ? AST_BOUND_CURRENT
                                                                       : AST_BOUND_FIRST;
    out->end = (options & FRAMEOPTION_END_OFFSET_PRECEDING) != 0      ? AST_BOUND_PRECEDING
               : (options & FRAMEOPTION_END_OFFSET_FOLLOWING) != 0    ? AST_BOUND_FOLLOWING
               : (options & FRAMEOPTION_END_UNBOUNDED_FOLLOWING) != 0 ? AST_BOUND_LAST
                                                                      : AST_BOUND_CURRENT;
    out->exclusion = (options & FRAMEOPTION_EXCLUDE_CURRENT_ROW) != 0 ? AST_EXCLUDE_CURRENT
                     : (options & FRAMEOPTION_EXCLUDE_GROUP) != 0     ? AST_EXCLUDE_GROUP
                     : (options & FRAMEOPTION_EXCLUDE_TIES) != 0      ? AST_EXCLUDE_TIES
                                                                      : AST_EXCLUDE_NOTHING;
    out->start_offset = pg__optional(conversion, definition->startOffset);
    out->end_offset = pg__optional(conversion, definition->endOffset);
}

static void
convert_window(struct pg__conversion *conversion, WindowDef *definition, struct ast_window *out)
{
    out->location = definition->location;
    if (definition->name != NULL)
        out->name = pg__copy(conversion, definition->name);
    if (definition->refname != NULL)
        out->reference = pg__copy(conversion, definition->refname);
    out->partitions = pg__exprs(conversion, definition->partitionClause, &out->partition_count);
    out->orders = pg__orders(conversion, definition->orderClause, &out->order_count);
    convert_frame(conversion, definition, out);
}

struct ast_window *
pg__window(struct pg__conversion *conversion, WindowDef *definition)
{
    struct ast_window *window = pg__take(conversion, sizeof(*window));

    if (window != NULL)
        convert_window(conversion, definition, window);
    return window;
}

struct ast_window *
pg__windows(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_window *windows = pg__take(conversion, (size_t)list_length(list) * sizeof(*windows));
    uint32_t count = 0;
    ListCell *cell;

    if (windows == NULL)
        return NULL;
    foreach (cell, list)
        convert_window(conversion, lfirst(cell), &windows[count++]);
    *count_out = count;
    return windows;
}
