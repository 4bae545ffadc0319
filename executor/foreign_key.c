/*
 * Foreign keys (change.h): what a statement's rows ask for.
 *
 * A new child row's parent is looked for at once, under a shared lock of the parent's key that lasts as
 * long as the transaction; within one table it waits for the end of the statement, which may bring the
 * parent. What a parent row took with it - its key is gone or another - waits for the end too, where
 * foreign_run.c works it off.
 */
#include <string.h>

#include "executor/foreign_queue.h"

struct foreign_queue *
foreign_queue_new(struct exec_context *context)
{
    struct foreign_queue *queue = memory_alloc(context->memory, MEMORY_SQL, sizeof(*queue));

    if (queue == NULL)
        return NULL;
    queue->context = context;
    arena_init(&queue->arena, context->memory, MEMORY_SQL);
    return queue;
}

void
foreign_queue_free(struct foreign_queue *queue)
{
    if (queue == NULL)
        return;
    for (struct opened *opened = queue->opened; opened != NULL; opened = opened->next)
        change_close(&opened->change);
    arena_deinit(&queue->arena);
    memory_free(queue->context->memory, MEMORY_SQL, queue, sizeof(*queue));
}

/* Tables. */

enum status
foreign_open(struct foreign_queue *queue, const char *schema, const char *name, struct opened **out)
{
    struct exec_context *context = queue->context;
    struct ast_name place = {.schema = schema, .name = name, .location = -1};
    struct opened *opened = queue->opened;

    while (opened != NULL &&
           (strcmp(opened->table->schema, schema) != 0 || strcmp(opened->table->name, name) != 0))
        opened = opened->next;
    if (opened == NULL) {
        struct bind bind = {.txn = context->txn,
                            .path = context->path,
                            .arena = &queue->arena,
                            .error = context->error};

        opened = arena_alloc(&queue->arena, sizeof(*opened));
        if (opened == NULL)
            return STATUS_NO_MEMORY;
        TRY(catalog_lock(context->txn, schema, name, QTDB_LOCK_SHARED, context->error));
        TRY(table_find(context->txn, &place, &queue->arena, &opened->table, context->error));
        TRY(rules_bind(&bind, opened->table, &opened->rules));
        opened->next = queue->opened;
        queue->opened = opened;
        TRY(change_open(&opened->change, context, &opened->rules, queue));
    }
    *out = opened;
    return STATUS_OK;
}

static bool
is_named(const struct table *table, const char *schema, const char *name)
{
    return strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0;
}

enum status
foreign_damaged(struct foreign_queue *queue, const struct table_foreign *foreign)
{
    return sql_error_set(queue->context->error, "XX001", -1,
                         "the foreign key \"%s\" does not fit table \"%s\": run qtdb-check",
                         foreign->name, foreign->table);
}

static enum status
find_positions(struct foreign_queue *queue, const struct table *parent,
               const struct table_foreign *foreign, uint32_t *out)
{
    for (uint32_t i = 0; i < foreign->column_count; i++) {
        out[i] = table_column_find(parent, foreign->parents[i]);
        if (out[i] == UINT32_MAX)
            return foreign_damaged(queue, foreign);
    }
    return STATUS_OK;
}

/* Every foreign key that points at the table, once. */
static enum status
watch_table(struct foreign_queue *queue, const struct table *table)
{
    for (struct watch *watch = queue->watches; watch != NULL; watch = watch->next) {
        if (is_named(table, watch->schema, watch->table))
            return STATUS_OK;
    }
    for (uint32_t i = 0; i < table->reference_count; i++) {
        struct opened *child = NULL;

        TRY(foreign_open(queue, table->references[i].schema, table->references[i].table, &child));
        for (uint32_t k = 0; k < child->table->foreign_count; k++) {
            const struct table_foreign *foreign = &child->table->foreigns[k];
            struct watch *watch;

            if (!is_named(table, foreign->schema, foreign->table))
                continue;
            watch = arena_alloc(&queue->arena, sizeof(*watch));
            if (watch == NULL)
                return STATUS_NO_MEMORY;
            *watch = (struct watch){.next = queue->watches,
                                    .schema = foreign->schema,
                                    .table = foreign->table,
                                    .child = child,
                                    .foreign = foreign};
            TRY(find_positions(queue, table, foreign, watch->positions));
            queue->watches = watch;
        }
    }
    return STATUS_OK;
}

/* Parents. */

bool
foreign_same_columns(const uint32_t *left, const uint32_t *right, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < count; k++)
            found = found || left[i] == right[k];
        if (!found)
            return false;
    }
    return true;
}

/* The primary key (UINT32_MAX) or the unique index over these columns. False: there is none. */
static bool
find_constraint(const struct table *parent, const uint32_t *positions, uint32_t count,
                uint32_t *out)
{
    *out = UINT32_MAX;
    if (parent->key_count == count && foreign_same_columns(positions, parent->keys, count))
        return true;
    for (uint32_t i = 0; i < parent->index_count; i++) {
        const struct table_index *index = &parent->indexes[i];

        *out = i;
        if (index->unique && index->predicate == 0 && index->column_count == count &&
            foreign_same_columns(positions, index->columns, count))
            return true;
    }
    return false;
}

/* The tree and key where the parent of these values would stand. Size 0: it cannot exist. */
enum status
foreign_place(struct foreign_queue *queue, struct opened *parent,
              const struct table_foreign *foreign, const struct value *values,
              struct qtdb_tree **tree_out, struct key_bytes *out)
{
    const struct table *table = parent->table;
    struct exec_context *context = queue->context;
    struct change *change = &parent->change;
    uint32_t positions[TABLE_KEY_COLUMNS_MAX], constraint = 0;
    struct value *row = arena_alloc(
        &change->arena, ((size_t)table->column_count + table->expr_count) * sizeof(*row));

    if (row == NULL)
        return STATUS_NO_MEMORY;
    out->size = 0;
    TRY(find_positions(queue, table, foreign, positions));
    if (!find_constraint(table, positions, foreign->column_count, &constraint))
        return foreign_damaged(queue, foreign);
    for (uint32_t i = 0; i < table->column_count; i++)
        row[i] = value_null(table->types[i].type);
    for (uint32_t i = 0; i < foreign->column_count; i++) {
        struct sql_error ignored = {.location = -1};
        enum status status = value_cast(&values[i], &table->types[positions[i]], &change->arena,
                                        &row[positions[i]], &ignored);

        if (status == STATUS_INVALID)
            return STATUS_OK; /* Out of the parent's range. */
        TRY(status);
    }
    if (constraint == UINT32_MAX) {
        *tree_out = change->rows;
        return table_row_key(table, row, out->bytes, &out->size, context->error);
    }
    *tree_out = change->indexes[constraint];
    return table_index_key(table, constraint, row, NULL, 0, out->bytes, &out->size, context->error);
}

enum status
foreign_parent_exists(struct foreign_queue *queue, struct qtdb_tree *tree,
                      const struct key_bytes *key, bool *out)
{
    size_t size = 0;
    enum qtdb_code code = qtdb_get(queue->context->txn, tree, key->bytes, key->size, NULL, &size);

    *out = code == QTDB_FULL || code == QTDB_OK;
    return *out || code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, queue->context->error);
}

static enum status
refuse_child(struct foreign_queue *queue, const struct table *child,
             const struct table_foreign *foreign)
{
    return sql_error_set(queue->context->error, "23503", -1,
                         "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
                         child->name, foreign->name);
}

/* The child's row has its parent, and keeps it while the transaction lasts. */
enum status
foreign_check_parent(struct foreign_queue *queue, const struct table *child,
                     const struct table_foreign *foreign, const struct value *row)
{
    struct exec_context *context = queue->context;
    struct value values[TABLE_KEY_COLUMNS_MAX];
    struct opened *parent = NULL;
    struct qtdb_tree *tree = NULL;
    struct key_bytes key;
    bool exists = false;

    for (uint32_t i = 0; i < foreign->column_count; i++)
        values[i] = row[foreign->columns[i]];
    TRY(foreign_open(queue, foreign->schema, foreign->table, &parent));
    if (!is_named(child, foreign->schema, foreign->table))
        arena_reset(&parent->change.arena);
    TRY(foreign_place(queue, parent, foreign, values, &tree, &key));
    if (key.size == 0)
        return refuse_child(queue, child, foreign);
    if (queue->known == foreign && queue->known_key.size == key.size &&
        memcmp(queue->known_key.bytes, key.bytes, key.size) == 0)
        return STATUS_OK;
    TRY(sql_from_code(qtdb_lock(context->txn, tree, key.bytes, key.size, QTDB_LOCK_SHARED, true),
                      context->error));
    TRY(foreign_parent_exists(queue, tree, &key, &exists));
    if (!exists)
        return refuse_child(queue, child, foreign);
    queue->known = foreign;
    queue->known_key = key;
    return STATUS_OK;
}

/* Noting what happened. */

static enum status
add_event(struct foreign_queue *queue, const struct event *event)
{
    struct event *copy = arena_alloc(&queue->arena, sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *copy = *event;
    if (queue->last != NULL)
        queue->last->next = copy;
    else
        queue->first = copy;
    queue->last = copy;
    return change_check_memory(queue->context, &queue->arena);
}

static bool
is_same(const struct value *left, const struct value *right)
{
    if (left->null || right->null)
        return left->null && right->null;
    return value_compare(left, right) == 0;
}

static enum status
note_child(struct foreign_queue *queue, struct change *change, const struct table_foreign *foreign,
           const struct value *old_row, const struct value *new_row, const struct key_bytes *key)
{
    const struct table *table = change->table;
    bool any_null = false, same = old_row != NULL;

    for (uint32_t i = 0; i < foreign->column_count; i++) {
        uint32_t column = foreign->columns[i];

        any_null = any_null || new_row[column].null;
        same = same && is_same(&old_row[column], &new_row[column]);
    }
    if (any_null || same)
        return STATUS_OK;
    if (!is_named(table, foreign->schema, foreign->table))
        return foreign_check_parent(queue, table, foreign, new_row);
    struct event event = {.key = *key};
    if (table->key_count > 0)
        TRY(table_row_key(table, new_row, event.key.bytes, &event.key.size, queue->context->error));
    TRY(foreign_open(queue, table->schema, table->name, &event.child));
    event.foreign = &event.child->table->foreigns[foreign - table->foreigns];
    return add_event(queue, &event);
}

static enum status
keep_key(struct foreign_queue *queue, const struct watch *watch, const struct value *row,
         struct value **out)
{
    uint32_t count = watch->foreign->column_count;
    struct value *values = arena_alloc(&queue->arena, count * sizeof(*values));

    if (values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        TRY(exec__keep_value(&row[watch->positions[i]], &queue->arena, &values[i]));
    *out = values;
    return STATUS_OK;
}

static enum status
note_parent(struct foreign_queue *queue, struct watch *watch, const struct value *old_row,
            const struct value *new_row)
{
    struct event event = {.watch = watch};
    bool any_null = false, same = new_row != NULL;

    for (uint32_t i = 0; i < watch->foreign->column_count; i++) {
        uint32_t column = watch->positions[i];

        any_null = any_null || old_row[column].null;
        same = same && is_same(&old_row[column], &new_row[column]);
    }
    if (any_null || same)
        return STATUS_OK;
    TRY(keep_key(queue, watch, old_row, &event.before));
    if (new_row != NULL)
        TRY(keep_key(queue, watch, new_row, &event.after));
    return add_event(queue, &event);
}

enum status
foreign_note(struct foreign_queue *queue, struct change *change, const struct value *old_row,
             const struct value *new_row, const struct key_bytes *key)
{
    const struct table *table = change->table;

    for (uint32_t i = 0; i < table->foreign_count && new_row != NULL; i++)
        TRY(note_child(queue, change, &table->foreigns[i], old_row, new_row, key));
    if (table->reference_count == 0 || old_row == NULL)
        return STATUS_OK;
    queue->known = NULL; /* What was a parent may be none now. */
    TRY(watch_table(queue, table));
    for (struct watch *watch = queue->watches; watch != NULL; watch = watch->next) {
        if (is_named(table, watch->schema, watch->table))
            TRY(note_parent(queue, watch, old_row, new_row));
    }
    return STATUS_OK;
}
