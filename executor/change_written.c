/*
 * Rows that a statement with ON CONFLICT DO UPDATE has put: no such clause may change one of them, for what the
 * row became would hang on the order of the rows given. PostgreSQL sees it by a row's command number; rows here
 * have none, so the keys of what the statement puts are kept until it ends. A row's key names it for as long:
 * whatever moves or removes a row that the statement has put is refused.
 */
#include <string.h>

#include "executor/change.h"

void
written_init(struct written *written, struct memory *memory)
{
    arena_init(&written->arena, memory, MEMORY_SQL);
    exec__table_init(&written->rows, &written->arena, 3);
}

void
written_clear(struct written *written)
{
    arena_reset(&written->arena);
    exec__table_init(&written->rows, &written->arena, 3);
}

void
written_deinit(struct written *written)
{
    arena_deinit(&written->arena);
}

/* Tables by their names: a statement's parts may each have a description of their own. */
static void
set_keys(const struct change *change, const struct key_bytes *key, struct value out[3])
{
    out[0] = value_bytes(QTDB_TYPE_TEXT, change->table->schema, strlen(change->table->schema));
    out[1] = value_bytes(QTDB_TYPE_TEXT, change->table->name, strlen(change->table->name));
    out[2] = value_bytes(QTDB_TYPE_BYTEA, key->bytes, key->size);
}

enum status
written_note(struct change *change, const struct key_bytes *key)
{
    struct written *written = change->written;
    struct exec__entry *entry = NULL;
    struct value keys[3];
    bool is_new = false;

    if (written == NULL)
        return STATUS_OK;
    set_keys(change, key, keys);
    TRY(exec__table_get(&written->rows, keys, &entry, &is_new));
    return change_check_memory(change->context, &written->arena);
}

enum status
written_refuse(struct change *change, const struct key_bytes *key)
{
    struct value keys[3];

    if (change->written == NULL)
        return STATUS_OK;
    set_keys(change, key, keys);
    return exec__table_find(&change->written->rows, keys) == NULL
               ? STATUS_OK
               : sql_error_set(change->context->error, "21000", -1,
                               "ON CONFLICT DO UPDATE command cannot affect row a second time");
}
