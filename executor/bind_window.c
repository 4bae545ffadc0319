/*
 * Calls over windows. A call becomes a column of its window's relation at once; the window itself is
 * put on top of the query's rows when all of its expressions are known, after grouping. Calls whose
 * windows have the same partition and order share one node, whatever their frames.
 *
 * RANGE with an offset is turned into expressions over the current row: the key that the frame starts
 * and ends at. Integers are compared as bigints, so a bound past them is an error, not infinity.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

static const struct sql_type bigint = {QTDB_TYPE_INT8, -1, -1};

/* The functions that need OVER. */
static const struct {
    const char *name;
    enum rel_window_kind kind;
    uint32_t least;
    uint32_t most;
    enum qtdb_type type; /* QTDB_TYPE_NULL: that of the first argument. */
} functions[] = {
    {"row_number", REL_ROW_NUMBER, 0, 0, QTDB_TYPE_INT8},
    {"rank", REL_RANK, 0, 0, QTDB_TYPE_INT8},
    {"dense_rank", REL_DENSE_RANK, 0, 0, QTDB_TYPE_INT8},
    {"percent_rank", REL_PERCENT_RANK, 0, 0, QTDB_TYPE_FLOAT8},
    {"cume_dist", REL_CUME_DIST, 0, 0, QTDB_TYPE_FLOAT8},
    {"ntile", REL_NTILE, 1, 1, QTDB_TYPE_INT4},
    {"lag", REL_LAG, 1, 3, QTDB_TYPE_NULL},
    {"lead", REL_LEAD, 1, 3, QTDB_TYPE_NULL},
    {"first_value", REL_FIRST_VALUE, 1, 1, QTDB_TYPE_NULL},
    {"last_value", REL_LAST_VALUE, 1, 1, QTDB_TYPE_NULL},
    {"nth_value", REL_NTH_VALUE, 2, 2, QTDB_TYPE_NULL},
};

enum { FUNCTION_COUNT = sizeof(functions) / sizeof(functions[0]) };

static size_t
find_function(const char *name)
{
    size_t i = 0;

    while (i < FUNCTION_COUNT && strcmp(functions[i].name, name) != 0)
        i++;
    return i;
}

bool
bind__is_window_function(const char *name)
{
    return find_function(name) < FUNCTION_COUNT;
}

/* Windows as they are written. */

static enum status
find_named(struct bind *bind, const struct ast_select *ast, const char *name, int32_t location,
           const struct ast_window *before, const struct ast_window **out)
{
    for (uint32_t i = 0; i < ast->window_count; i++) {
        if (&ast->windows[i] == before)
            break;
        if (strcmp(ast->windows[i].name, name) == 0) {
            *out = &ast->windows[i];
            return STATUS_OK;
        }
    }
    return sql_error_set(bind->error, "42704", location, "window \"%s\" does not exist", name);
}

static enum status
check_override(struct bind *bind, const struct ast_window *window, const struct ast_window *base)
{
    const char *what = window->partition_count > 0                        ? "PARTITION BY"
                       : window->order_count > 0 && base->order_count > 0 ? "ORDER BY"
                                                                          : NULL;

    if (what != NULL)
        return sql_error_set(bind->error, "42P20", window->location,
                             "cannot override %s clause of window \"%s\"", what, window->reference);
    if (base->has_frame)
        return sql_error_set(bind->error, "42P20", window->location,
                             "cannot copy window \"%s\" because it has a frame clause",
                             window->reference);
    return STATUS_OK;
}

/* The window with what it takes over from those it names. A chain is as long as the WINDOW clause. */
static enum status
complete_window(struct bind *bind, const struct ast_select *ast, const struct ast_window *window,
                struct ast_window *out)
{
    const struct ast_window *base = NULL, *last = NULL;

    *out = *window;
    if (window->name != NULL)
        TRY(find_named(bind, ast, window->name, window->location, NULL, &base));
    if (base != NULL) {
        *out = *base;
        last = base;
    }
    while (out->reference != NULL) {
        TRY(find_named(bind, ast, out->reference, out->location, last, &base));
        CHECK(base != NULL);
        TRY(check_override(bind, out, base));
        out->partition_count = base->partition_count;
        out->partitions = base->partitions;
        if (out->order_count == 0) {
            out->order_count = base->order_count;
            out->orders = base->orders;
        }
        out->reference = base->reference;
        last = base;
    }
    return STATUS_OK;
}

/* The nodes. */

static enum status
bind_keys(struct bind *bind, struct bind__scope *scope, const struct ast_window *ast,
          struct bind__window *window)
{
    uint32_t count = ast->partition_count + ast->order_count;

    window->partition_count = ast->partition_count;
    window->sort_count = count;
    window->sort_keys = bind__take(bind, count * sizeof(*window->sort_keys));
    if (window->sort_keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        struct rel_sort_key *key = &window->sort_keys[i];
        const struct ast_order *order =
            i < ast->partition_count ? NULL : &ast->orders[i - ast->partition_count];

        TRY(bind__expr(bind, scope, order == NULL ? ast->partitions[i] : order->expr, &key->expr));
        TRY(bind__settle(bind, &key->expr));
        key->descending = order != NULL && order->descending;
        key->nulls_first = order != NULL && order->nulls_first;
    }
    return STATUS_OK;
}

static bool
same_keys(const struct bind__window *left, const struct bind__window *right)
{
    if (left->partition_count != right->partition_count || left->sort_count != right->sort_count)
        return false;
    for (uint32_t i = 0; i < left->sort_count; i++) {
        const struct rel_sort_key *a = &left->sort_keys[i], *b = &right->sort_keys[i];

        if (!expr_same(a->expr, b->expr) || a->descending != b->descending ||
            a->nulls_first != b->nulls_first)
            return false;
    }
    return true;
}

static enum status
window_for(struct bind *bind, struct bind__scope *scope, const struct ast_window *ast,
           struct bind__window **out)
{
    struct bind__windows *windows = scope->windows;
    struct bind__window *window = bind__take(bind, sizeof(*window)), *found = windows->first;

    if (window == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind_keys(bind, scope, ast, window));
    while (found != NULL && !same_keys(found, window))
        found = found->next;
    *out = found;
    if (found != NULL)
        return STATUS_OK;
    TRY(bind__relation(bind, &window->relation));
    if (windows->last != NULL)
        windows->last->next = window;
    else
        windows->first = window;
    windows->last = window;
    *out = window;
    return STATUS_OK;
}

/* Frames. */

static bool
has_column(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind != EXPR_COLUMN;
}

static enum status
bind_offset(struct bind *bind, struct bind__scope *scope, const struct ast_window *ast,
            const struct ast_expr *offset, struct expr **out)
{
    const char *clause = ast->mode == AST_FRAME_ROWS     ? "ROWS"
                         : ast->mode == AST_FRAME_GROUPS ? "GROUPS"
                                                         : "RANGE";

    if (offset == NULL)
        return STATUS_OK;
    if (ast->mode == AST_FRAME_RANGE)
        TRY(bind__expr(bind, scope, offset, out));
    else
        TRY(bind__expr_as(bind, scope, offset, &bigint, out));
    if (!expr_visit(*out, has_column, NULL))
        return sql_error_set(bind->error, "42P10", offset->location,
                             "argument of %s must not contain variables", clause);
    return STATUS_OK;
}

/* The type in which the key and the offset are taken together. */
static struct sql_type
offset_type(enum qtdb_type key)
{
    switch (key) {
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
        return bigint;
    case QTDB_TYPE_NUMERIC:
        return (struct sql_type){QTDB_TYPE_NUMERIC, -1, -1};
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        return (struct sql_type){QTDB_TYPE_FLOAT8, -1, -1};
    case QTDB_TYPE_DATE:
    case QTDB_TYPE_TIME:
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ:
        return (struct sql_type){QTDB_TYPE_INTERVAL, -1, -1};
    default:
        return (struct sql_type){QTDB_TYPE_NULL, -1, -1};
    }
}

static enum status
bind_range_end(struct bind *bind, struct rel_frame *frame, enum ast_frame_bound bound,
               struct expr **offset, int32_t location, struct expr **out)
{
    struct sql_type type = offset_type(frame->range_key->type.type);
    bool below = (bound == AST_BOUND_PRECEDING) != frame->descending;

    if (*offset == NULL)
        return STATUS_OK;
    if (type.type == QTDB_TYPE_NULL)
        return sql_error_set(bind->error, "0A000", location,
                             "RANGE with offset PRECEDING/FOLLOWING is not supported for column "
                             "type %s",
                             value_type_name(frame->range_key->type.type));
    TRY(bind__cast(bind, *offset, &type, offset));
    return bind__operator(bind, below ? "-" : "+", location, frame->range_key, *offset, out);
}

/* A key of a narrow type, or a date, is brought to the type of the bounds. */
static enum status
bind_range(struct bind *bind, const struct ast_window *ast, const struct bind__window *window,
           struct rel_frame *frame)
{
    const struct rel_sort_key *key = &window->sort_keys[window->partition_count];
    struct sql_type type;

    if (window->sort_count != window->partition_count + 1)
        return sql_error_set(bind->error, "42P20", ast->location,
                             "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY "
                             "column");
    frame->descending = key->descending;
    frame->nulls_first = key->nulls_first;
    frame->range_key = key->expr;
    type = offset_type(key->expr->type.type);
    if (bind__number_rank(key->expr->type.type) > 0)
        TRY(bind__cast(bind, key->expr, &type, &frame->range_key));
    TRY(bind_range_end(bind, frame, frame->start, &frame->start_offset, ast->location,
                       &frame->range_start));
    TRY(bind_range_end(bind, frame, frame->end, &frame->end_offset, ast->location,
                       &frame->range_end));
    type = frame->range_start != NULL ? frame->range_start->type : frame->range_end->type;
    return bind__cast(bind, frame->range_key, &type, &frame->range_key);
}

static enum status
bind_frame(struct bind *bind, struct bind__scope *scope, const struct ast_window *ast,
           const struct bind__window *window, struct rel_frame *frame)
{
    *frame = (struct rel_frame){
        .mode = ast->mode, .start = ast->start, .end = ast->end, .exclusion = ast->exclusion};
    if (ast->mode == AST_FRAME_GROUPS && window->sort_count == window->partition_count)
        return sql_error_set(bind->error, "42P20", ast->location,
                             "GROUPS mode requires an ORDER BY clause");
    TRY(bind_offset(bind, scope, ast, ast->start_offset, &frame->start_offset));
    TRY(bind_offset(bind, scope, ast, ast->end_offset, &frame->end_offset));
    if (ast->mode != AST_FRAME_RANGE || (ast->start_offset == NULL && ast->end_offset == NULL))
        return STATUS_OK;
    return bind_range(bind, ast, window, frame);
}

/* Calls. */

static enum status
wrong_arguments(struct bind *bind, const struct ast_expr *ast)
{
    return sql_error_set(bind->error, "42883", ast->location,
                         "function %s with %u arguments does not exist",
                         ast->names[ast->name_count - 1], ast->argument_count);
}

/* lag and lead: the default has the type of the value. */
static enum status
type_shift(struct bind *bind, const struct ast_expr *ast, struct rel_window *call)
{
    static const struct sql_type integer = {QTDB_TYPE_INT4, -1, -1};
    struct expr *pair[2] = {call->arguments[0], call->arguments[2]};

    if (call->argument_count > 1)
        TRY(bind__cast(bind, call->arguments[1], &integer, &call->arguments[1]));
    if (call->argument_count < 3) {
        TRY(bind__settle(bind, &call->arguments[0]));
        call->type = call->arguments[0]->type;
        return STATUS_OK;
    }
    TRY(bind__unify(bind, ast->location, pair, 2, ast->names[ast->name_count - 1], &call->type));
    call->arguments[0] = pair[0];
    call->arguments[2] = pair[1];
    return STATUS_OK;
}

static enum status
bind_own_function(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                  struct rel_window *call)
{
    static const struct sql_type integer = {QTDB_TYPE_INT4, -1, -1};
    size_t index = find_function(ast->names[ast->name_count - 1]);

    CHECK(index < FUNCTION_COUNT);
    if (ast->star || ast->argument_count < functions[index].least ||
        ast->argument_count > functions[index].most)
        return wrong_arguments(bind, ast);
    if (ast->filter != NULL)
        return sql_error_set(bind->error, "0A000", ast->location,
                             "FILTER is not implemented for non-aggregate window functions");
    call->kind = functions[index].kind;
    call->type = (struct sql_type){functions[index].type, -1, -1};
    call->argument_count = ast->argument_count;
    for (uint32_t i = 0; i < ast->argument_count; i++)
        TRY(bind__expr(bind, scope, ast->arguments[i], &call->arguments[i]));
    if (call->kind == REL_NTILE)
        return bind__cast(bind, call->arguments[0], &integer, &call->arguments[0]);
    if (call->kind == REL_NTH_VALUE)
        TRY(bind__cast(bind, call->arguments[1], &integer, &call->arguments[1]));
    if (functions[index].type == QTDB_TYPE_NULL)
        return type_shift(bind, ast, call);
    return STATUS_OK;
}

static enum status
bind_call(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
          struct rel_window *call)
{
    const char *what = ast->distinct ? "DISTINCT" : ast->order_count > 0 ? "ORDER BY" : NULL;

    if (!bind__is_aggregate(ast) && !bind__is_window_function(ast->names[ast->name_count - 1]))
        return sql_error_set(bind->error, "42809", ast->location,
                             "OVER specified, but %s is not a window function nor an aggregate "
                             "function",
                             ast->names[ast->name_count - 1]);
    if (what != NULL)
        return sql_error_set(bind->error, "0A000", ast->location,
                             "%s is not implemented for window functions", what);
    if (!bind__is_aggregate(ast))
        return bind_own_function(bind, scope, ast, call);
    call->kind = REL_WINDOW_AGGREGATE;
    TRY(bind__aggregate_call(bind, scope, ast, &call->aggregate));
    call->type = call->aggregate.type;
    return STATUS_OK;
}

/* Equal calls are one, so that ORDER BY and DISTINCT find them among the targets. */

static bool
same_optional(const struct expr *left, const struct expr *right)
{
    return (left == NULL) == (right == NULL) && (left == NULL || expr_same(left, right));
}

static bool
same_frame(const struct rel_frame *left, const struct rel_frame *right)
{
    return left->mode == right->mode && left->start == right->start && left->end == right->end &&
           left->exclusion == right->exclusion &&
           same_optional(left->start_offset, right->start_offset) &&
           same_optional(left->end_offset, right->end_offset);
}

static bool
same_call(const struct rel_window *left, const struct rel_window *right)
{
    const struct rel_aggregate *a = &left->aggregate, *b = &right->aggregate;

    if (left->kind != right->kind || left->argument_count != right->argument_count ||
        a->kind != b->kind || a->argument_count != b->argument_count ||
        !same_optional(a->filter, b->filter) || !same_frame(&left->frame, &right->frame))
        return false;
    for (uint32_t i = 0; i < left->argument_count; i++) {
        if (!expr_same(left->arguments[i], right->arguments[i]))
            return false;
    }
    for (uint32_t i = 0; i < a->argument_count; i++) {
        if (!expr_same(a->arguments[i], b->arguments[i]))
            return false;
    }
    return true;
}

static enum status
add_call(struct bind *bind, struct bind__window *window, const struct rel_window *call,
         uint32_t *index_out)
{
    uint32_t index = 0;

    while (index < window->call_count && !same_call(&window->calls[index], call))
        index++;
    *index_out = index;
    if (index < window->call_count)
        return STATUS_OK;
    if (index == window->capacity) {
        uint32_t capacity = index == 0 ? 4 : 2 * index;
        struct rel_window *calls = bind__take(bind, capacity * sizeof(*calls));

        if (calls == NULL)
            return STATUS_NO_MEMORY;
        if (index > 0)
            memcpy(calls, window->calls, index * sizeof(*calls));
        window->calls = calls;
        window->capacity = capacity;
    }
    window->calls[window->call_count++] = *call;
    return STATUS_OK;
}

static enum status
bind_inside(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
            struct bind__window **window_out, struct rel_window *call)
{
    struct ast_window window;

    TRY(complete_window(bind, scope->windows->ast, ast->over, &window));
    TRY(bind_call(bind, scope, ast, call));
    TRY(window_for(bind, scope, &window, window_out));
    return bind_frame(bind, scope, &window, *window_out, &call->frame);
}

enum status
bind__window_call(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                  struct expr **out)
{
    struct rel_window call = {.kind = 0};
    struct bind__window *window = NULL;

    if (scope->inside_aggregate)
        return sql_error_set(bind->error, "42803", ast->location,
                             "aggregate function calls cannot contain window function calls");
    if (scope->windows == NULL)
        return sql_error_set(bind->error, "42P20", ast->location,
                             "window functions are not allowed in %s", scope->clause);
    if (scope->windows->is_inside)
        return sql_error_set(bind->error, "42P20", ast->location,
                             "window function calls cannot be nested");
    scope->windows->is_inside = true;
    enum status status = bind_inside(bind, scope, ast, &window, &call);
    scope->windows->is_inside = false;
    TRY(status);
    TRY(bind__new_expr(bind, EXPR_COLUMN, call.type.type, ast->location, 0, out));
    (*out)->type = call.type;
    (*out)->relation = window->relation;
    return add_call(bind, window, &call, &(*out)->index);
}

/* On top of the rows. */

struct places {
    struct expr ***places;
    uint32_t count;
};

static void
add_place(struct places *places, struct expr **place)
{
    if (*place == NULL)
        return;
    if (places->places != NULL)
        places->places[places->count] = place;
    places->count++;
}

static void
add_call_places(struct places *places, struct rel_window *call)
{
    for (uint32_t i = 0; i < call->argument_count; i++)
        add_place(places, &call->arguments[i]);
    for (uint32_t i = 0; i < call->aggregate.argument_count; i++)
        add_place(places, &call->aggregate.arguments[i]);
    add_place(places, &call->aggregate.filter);
    add_place(places, &call->frame.range_key);
    add_place(places, &call->frame.range_start);
    add_place(places, &call->frame.range_end);
}

uint32_t
bind__window_places(const struct bind__windows *windows, struct expr ***out)
{
    struct places places = {out, 0};

    for (struct bind__window *window = windows->first; window != NULL; window = window->next) {
        for (uint32_t i = 0; i < window->sort_count; i++)
            add_place(&places, &window->sort_keys[i].expr);
        for (uint32_t i = 0; i < window->call_count; i++)
            add_call_places(&places, &window->calls[i]);
    }
    return places.count;
}

bool
bind__is_window_relation(const struct bind__windows *windows, uint32_t relation)
{
    const struct bind__window *window = windows == NULL ? NULL : windows->first;

    while (window != NULL && window->relation != relation)
        window = window->next;
    return window != NULL;
}

enum status
bind__windows(struct bind *bind, const struct bind__windows *windows, struct rel **rel)
{
    for (const struct bind__window *window = windows->first; window != NULL;
         window = window->next) {
        struct rel *node = NULL;

        TRY(bind__check_width(bind, window->call_count, BIND__COLUMNS_MAX));
        TRY(bind__rel(bind, REL_WINDOW, *rel, &node));
        node->relation = window->relation;
        node->column_count = window->call_count;
        node->columns = bind__take(bind, window->call_count * sizeof(*node->columns));
        if (node->columns == NULL)
            return STATUS_NO_MEMORY;
        for (uint32_t i = 0; i < window->call_count; i++)
            node->columns[i] = (struct rel_column){"window", window->calls[i].type};
        node->group_count = window->partition_count;
        node->sort_count = window->sort_count;
        node->sort_keys = window->sort_keys;
        node->window_count = window->call_count;
        node->windows = window->calls;
        *rel = node;
    }
    return STATUS_OK;
}
