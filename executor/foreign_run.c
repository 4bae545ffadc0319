/*
 * Foreign keys (change.h): the events of a statement, worked off at its end in their order; a cascade adds
 * further ones behind, so nothing recurses. Before children are looked for the snapshot is renewed (READ
 * COMMITTED), so that those committed while we waited for the parent's lock are seen; REPEATABLE READ
 * refuses those it does not see, and what SERIALIZABLE read is validated when it commits.
 */
#include <string.h>

#include "executor/foreign_queue.h"

/* Children of a key. */

struct children {
    struct foreign_queue *queue;
    struct opened *child;
    const struct table_foreign *foreign;
    struct value values[TABLE_KEY_COLUMNS_MAX]; /* The key, in the child's types. */
    struct exec_rows rows;                      /* The row's key, then the row. */
    uint32_t index;                             /* Looked in; UINT32_MAX: the rows. */
    bool only_one;
};

/* The columns lead an index or the primary key: what their entries begin with. False: they do not. */
static bool
encode_prefix(const struct children *children, const uint32_t *columns, const uint8_t *orders,
              uint32_t count, struct key_bytes *out)
{
    const struct table_foreign *foreign = children->foreign;
    struct byte_writer writer = byte_writer_init(out->bytes, sizeof(out->bytes));

    if (count < foreign->column_count ||
        !foreign_same_columns(foreign->columns, columns, foreign->column_count))
        return false;
    for (uint32_t i = 0; i < foreign->column_count; i++) {
        uint32_t k = 0;

        while (foreign->columns[k] != columns[i])
            k++;
        if (!key_encode_in(&children->values[k], orders[i], &writer))
            return false;
    }
    out->size = writer.offset;
    return true;
}

/* The tree to look in and what its keys begin with; size 0: all of them. */
static struct qtdb_tree *
choose_tree(struct children *children, struct key_bytes *prefix)
{
    const struct table *table = children->child->table;
    static const uint8_t ascending[TABLE_KEY_COLUMNS_MAX] = {KEY_ASCENDING};
    const struct change *change = &children->child->change;

    prefix->size = 0;
    children->index = UINT32_MAX;
    if (table->key_count > 0 && !table_key_is_integer(table) &&
        encode_prefix(children, table->keys, ascending, table->key_count, prefix))
        return change->rows;
    if (table->key_count == 1 && table_key_is_integer(table) &&
        children->foreign->column_count == 1 && children->foreign->columns[0] == table->keys[0]) {
        qtdb_key_i64(children->values[0].integer, prefix->bytes);
        prefix->size = sizeof(uint64_t);
        return change->rows;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        if (index->predicate == 0 &&
            encode_prefix(children, index->columns, index->orders, index->column_count, prefix)) {
            children->index = i;
            return change->indexes[i];
        }
    }
    prefix->size = 0;
    return change->rows;
}

/* Keeps the row when it has the key. */
static enum status
take_child(struct children *children, const struct key_bytes *key)
{
    struct change *change = &children->child->change;
    const struct table *table = change->table;
    struct value *row =
        arena_alloc(&change->arena, ((size_t)table->column_count + 1) * sizeof(*row));
    bool found = false;

    if (row == NULL)
        return STATUS_NO_MEMORY;
    TRY(change_read(change, key, row + 1, &found));
    for (uint32_t i = 0; i < children->foreign->column_count && found; i++) {
        const struct value *value = &row[1 + children->foreign->columns[i]];

        found = !value->null && value_compare(value, &children->values[i]) == 0;
    }
    if (!found)
        return STATUS_OK;
    row[0] = value_bytes(QTDB_TYPE_BYTEA, key->bytes, key->size);
    TRY(exec__rows_add(&children->rows, row));
    return change_check_memory(children->queue->context, &children->rows.arena);
}

static enum status
scan_children(struct children *children, struct qtdb_cursor *cursor, const struct key_bytes *prefix)
{
    struct change *change = &children->child->change;
    enum qtdb_code code = qtdb_cursor_seek(cursor, prefix->bytes, prefix->size);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *bytes, *value;
        size_t size, value_size;
        struct key_bytes key;

        qtdb_cursor_row(cursor, &bytes, &size, &value, &value_size);
        if (size < prefix->size || memcmp(bytes, prefix->bytes, prefix->size) != 0)
            return STATUS_OK;
        if (children->index != UINT32_MAX &&
            !table_entry_row_key(change->table, children->index, value, value_size, &bytes, &size))
            return foreign_damaged(children->queue, children->foreign);
        key.size = size;
        CHECK(size <= sizeof(key.bytes));
        memcpy(key.bytes, bytes, size);
        arena_reset(&change->arena);
        TRY(take_child(children, &key));
        if (children->only_one && children->rows.count > 0)
            return STATUS_OK;
        TRY(exec__check_interrupt(children->queue->context));
    }
    return code == QTDB_NOT_FOUND ? STATUS_OK
                                  : sql_from_code(code, children->queue->context->error);
}

/* A key outside the child's type has none. */
static enum status
find_children(struct children *children, const struct value *key)
{
    struct exec_context *context = children->queue->context;
    const struct table *table = children->child->table;
    struct qtdb_cursor *cursor = NULL;
    struct key_bytes prefix;

    for (uint32_t i = 0; i < children->foreign->column_count; i++) {
        struct sql_error ignored = {.location = -1};
        enum status status = value_cast(&key[i], &table->types[children->foreign->columns[i]],
                                        &children->rows.arena, &children->values[i], &ignored);

        if (status == STATUS_INVALID)
            return STATUS_OK;
        TRY(status);
    }
    struct qtdb_tree *tree = choose_tree(children, &prefix);
    TRY(sql_from_code(qtdb_cursor_open(context->txn, tree, &cursor), context->error));
    enum status status = scan_children(children, cursor, &prefix);
    qtdb_cursor_close(cursor);
    return status;
}

/* REPEATABLE READ: children committed since our snapshot are a conflict (40001). They are found on a new
 * snapshot; locking tells those from rows that we changed ourselves. */
static enum status
refuse_unseen(struct foreign_queue *queue, const struct event *event)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct exec_context *context = queue->context;
    struct qtdb_txn *own = context->txn, *fresh = NULL;
    struct children children = {
        .queue = queue, .child = event->watch->child, .foreign = event->watch->foreign};

    if (context->isolation != QTDB_REPEATABLE_READ)
        return STATUS_OK;
    TRY(sql_from_code(qtdb_begin(context->db, &options, &fresh), context->error));
    children.rows.width = event->watch->child->table->column_count + 1;
    arena_init(&children.rows.arena, context->memory, MEMORY_SQL);
    context->txn = fresh;
    enum status status = find_children(&children, event->before);
    context->txn = own;
    qtdb_rollback(fresh);
    for (size_t i = 0; i < children.rows.count && status == STATUS_OK; i++) {
        const struct value *key = &children.rows.rows[i][0];

        status = sql_from_code(qtdb_lock(own, children.child->change.rows, key->bytes, key->size,
                                         QTDB_LOCK_SHARED, true),
                               context->error);
    }
    arena_deinit(&children.rows.arena);
    return status;
}

/* Actions. */

static enum status
refuse_parent(struct foreign_queue *queue, const struct watch *watch)
{
    return sql_error_set(queue->context->error, "23503", -1,
                         "update or delete on table \"%s\" violates foreign key constraint \"%s\" "
                         "on table \"%s\"",
                         watch->table, watch->foreign->name, watch->child->table->name);
}

static enum status
default_value(struct foreign_queue *queue, struct opened *child, uint32_t column, struct value *out)
{
    struct exec_context *context = queue->context;
    struct bind bind = {.txn = context->txn,
                        .path = context->path,
                        .arena = &child->change.arena,
                        .error = context->error};
    struct eval eval = {.arena = &child->change.arena,
                        .error = context->error,
                        .slots = context->slots,
                        .context = context};
    struct expr *expr = NULL;

    TRY(rules_default(&bind, child->table, column, &expr));
    return expr_eval(expr, NULL, &eval, out);
}

static enum status
update_child(struct foreign_queue *queue, const struct event *event, enum table_action action,
             const struct value *row, const struct key_bytes *key)
{
    struct opened *child = event->watch->child;
    const struct table_foreign *foreign = event->watch->foreign;
    struct change *change = &child->change;
    const struct table *table = child->table;
    struct value *changed = arena_alloc(&change->arena, table->column_count * sizeof(*changed));
    struct value *old_row = NULL, *new_row = NULL;

    if (changed == NULL)
        return STATUS_NO_MEMORY;
    memcpy(changed, row, table->column_count * sizeof(*changed));
    for (uint32_t i = 0; i < foreign->column_count; i++) {
        uint32_t column = foreign->columns[i];

        if (action == TABLE_SET_NULL)
            changed[column] = value_null(table->types[column].type);
        else if (action == TABLE_SET_DEFAULT)
            TRY(default_value(queue, child, column, &changed[column]));
        else
            TRY(value_cast(&event->after[i], &table->types[column], &change->arena,
                           &changed[column], queue->context->error));
    }
    TRY(change_extend(change, row, &old_row));
    TRY(change_prepare(change, changed, &new_row));
    TRY(change_delete(change, old_row, key));
    TRY(change_put_again(change, key, new_row));
    if (action == TABLE_SET_DEFAULT) /* The default may be the key that has gone. */
        TRY(foreign_note(queue, change, NULL, new_row, key));
    return foreign_note(queue, change, row, new_row, key);
}

static enum status
delete_child(struct foreign_queue *queue, struct opened *child, const struct value *row,
             const struct key_bytes *key)
{
    struct value *old_row = NULL;

    TRY(change_extend(&child->change, row, &old_row));
    TRY(change_delete(&child->change, old_row, key));
    return foreign_note(queue, &child->change, row, NULL, key);
}

static enum status
act(struct foreign_queue *queue, const struct event *event, enum table_action action,
    struct children *children)
{
    for (size_t i = 0; i < children->rows.count; i++) {
        const struct value *row = children->rows.rows[i];
        struct key_bytes key = {.size = row[0].size};

        memcpy(key.bytes, row[0].bytes, key.size);
        arena_reset(&children->child->change.arena);
        TRY(action == TABLE_CASCADE && event->after == NULL
                ? delete_child(queue, children->child, row + 1, &key)
                : update_child(queue, event, action, row + 1, &key));
    }
    return STATUS_OK;
}

/* Another row may have the key by now. */
static enum status
has_parent_again(struct foreign_queue *queue, const struct event *event, bool *out)
{
    struct opened *parent = NULL;
    struct qtdb_tree *tree = NULL;
    struct key_bytes key;

    TRY(foreign_open(queue, event->watch->schema, event->watch->table, &parent));
    arena_reset(&parent->change.arena);
    TRY(foreign_place(queue, parent, event->watch->foreign, event->before, &tree, &key));
    if (key.size == 0) {
        *out = false;
        return STATUS_OK;
    }
    return foreign_parent_exists(queue, tree, &key, out);
}

static enum status
run_parent(struct foreign_queue *queue, const struct event *event)
{
    const struct watch *watch = event->watch;
    enum table_action action =
        event->after == NULL ? watch->foreign->on_delete : watch->foreign->on_update;
    bool refuses = action == TABLE_NO_ACTION || action == TABLE_RESTRICT;
    struct children children = {
        .queue = queue, .child = watch->child, .foreign = watch->foreign, .only_one = refuses};
    bool again = false;

    if (action == TABLE_NO_ACTION)
        TRY(has_parent_again(queue, event, &again));
    if (again)
        return STATUS_OK;
    TRY(refuse_unseen(queue, event));
    children.rows.width = watch->child->table->column_count + 1;
    arena_init(&children.rows.arena, queue->context->memory, MEMORY_SQL);
    enum status status = find_children(&children, event->before);
    if (status == STATUS_OK && refuses && children.rows.count > 0)
        status = refuse_parent(queue, watch);
    else if (status == STATUS_OK)
        status = act(queue, event, action, &children);
    arena_deinit(&children.rows.arena);
    return status;
}

/* A row of a table that refers to itself, unless it has gone since. */
static enum status
run_child(struct foreign_queue *queue, const struct event *event)
{
    struct change *change = &event->child->change;
    const struct table *table = event->child->table;
    struct value *row;
    bool found = false;

    arena_reset(&change->arena);
    row = arena_alloc(&change->arena, table->column_count * sizeof(*row));
    if (row == NULL)
        return STATUS_NO_MEMORY;
    TRY(change_read(change, &event->key, row, &found));
    for (uint32_t i = 0; i < event->foreign->column_count && found; i++)
        found = !row[event->foreign->columns[i]].null;
    return found ? foreign_check_parent(queue, table, event->foreign, row) : STATUS_OK;
}

enum status
foreign_run(struct foreign_queue *queue)
{
    bool fresh = false;

    queue->known = NULL;
    for (struct event *event = queue->first; event != NULL; event = event->next) {
        if (event->watch != NULL && !fresh) {
            TRY(sql_from_code(qtdb_refresh(queue->context->txn), queue->context->error));
            fresh = true;
        }
        TRY(event->watch != NULL ? run_parent(queue, event) : run_child(queue, event));
    }
    return STATUS_OK;
}

/* ADD CONSTRAINT. */

static enum status
validate_rows(struct foreign_queue *queue, struct opened *child,
              const struct table_foreign *foreign, struct qtdb_cursor *cursor)
{
    struct exec_context *context = queue->context;
    const struct table *table = child->table;
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    struct arena arena;
    enum status status = STATUS_OK;

    arena_init(&arena, context->memory, MEMORY_SQL);
    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key, *bytes;
        size_t key_size, size;
        bool any_null = false;

        arena_reset(&arena);
        struct value *row = arena_alloc(&arena, table->column_count * sizeof(*row));
        if (row == NULL)
            TRY_OUT(STATUS_NO_MEMORY);
        qtdb_cursor_row(cursor, &key, &key_size, &bytes, &size);
        TRY_OUT(table_decode_row(table, bytes, size, &arena, row, context->error));
        for (uint32_t i = 0; i < foreign->column_count; i++)
            any_null = any_null || row[foreign->columns[i]].null;
        if (!any_null)
            TRY_OUT(foreign_check_parent(queue, table, foreign, row));
        TRY_OUT(exec__check_interrupt(context));
    }
    if (code != QTDB_NOT_FOUND)
        status = sql_from_code(code, context->error);
out:
    arena_deinit(&arena);
    return status;
}

enum status
foreign_validate(struct exec_context *context, const struct table *table,
                 const struct table_foreign *foreign)
{
    struct foreign_queue *queue = foreign_queue_new(context);
    struct qtdb_cursor *cursor = NULL;
    struct opened *child = NULL;
    enum status status = STATUS_OK;

    if (queue == NULL)
        return STATUS_NO_MEMORY;
    TRY_OUT(foreign_open(queue, table->schema, table->name, &child));
    TRY_OUT(
        sql_from_code(qtdb_cursor_open(context->txn, child->change.rows, &cursor), context->error));
    status = validate_rows(queue, child, foreign, cursor);
out:
    qtdb_cursor_close(cursor);
    foreign_queue_free(queue);
    return status;
}
