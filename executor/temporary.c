/* Making and clearing schemas of temporary tables (temporary.h). */
#include "executor/temporary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "executor/define.h"
#include "executor/exec_define.h"
#include "kernel/base/check.h"
#include "kernel/base/io.h"
#include "kernel/database.h"

enum { PREFIX_SIZE = 24 }; /* pg_temp_, 16 digits. */

void
temporary_name(struct qtdb *db, struct io *io, char out[TEMPORARY_NAME_SIZE])
{
    uint64_t number = 0;

    io_random(io, &number, sizeof(number));
    (void)snprintf(out, TEMPORARY_NAME_SIZE, "pg_temp_%016" PRIx64 "_%016" PRIx64,
                   database_instance(db), number);
}

bool
exec_makes_temporary(const struct ast_statement *statement)
{
    const char *schema = NULL;

    if (statement->kind == AST_CREATE_TABLE)
        schema = statement->create_table->table.schema;
    else if (statement->kind == AST_CREATE_TABLE_AS)
        schema = statement->create_table_as->table.schema;
    else if (statement->kind == AST_CREATE_VIEW)
        schema = statement->create_view->name.schema;
    else if (statement->kind == AST_CREATE_SEQUENCE)
        schema = statement->sequence->name.schema;
    return schema != NULL && strcmp(schema, "pg_temp") == 0;
}

/* Schemas of other openings of the file: their sessions are gone. */

struct leftovers {
    struct arena *arena;
    const char *own;
    uint32_t count;
    uint32_t capacity;
    struct ast_name *names;
};

static enum status
note_leftover(void *context, const char *schema, const char *name, const uint8_t *value,
              size_t size)
{
    struct leftovers *leftovers = context;

    (void)name;
    (void)value;
    (void)size;
    if (!search_path_is_temporary(schema) || strncmp(schema, leftovers->own, PREFIX_SIZE) == 0)
        return STATUS_OK;
    if (leftovers->count == leftovers->capacity) {
        uint32_t capacity = 2 * leftovers->capacity + 8;
        struct ast_name *names = arena_alloc(leftovers->arena, capacity * sizeof(*names));

        if (names == NULL)
            return STATUS_NO_MEMORY;
        if (leftovers->count > 0)
            memcpy(names, leftovers->names, leftovers->count * sizeof(*names));
        leftovers->names = names;
        leftovers->capacity = capacity;
    }
    const char *copy = arena_copy_text(leftovers->arena, schema, strlen(schema));
    leftovers->names[leftovers->count++] = (struct ast_name){.name = copy, .location = -1};
    return copy == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
drop_leftovers(struct exec_context *context, struct arena *arena)
{
    struct leftovers leftovers = {.arena = arena, .own = context->path->temporary};

    TRY(catalog_each(context->txn, CATALOG_SCHEMA, note_leftover, &leftovers, context->error));
    for (uint32_t i = 0; i < leftovers.count; i++) {
        struct ast_drop drop = {.kind = AST_DROP_SCHEMA,
                                .cascade = true,
                                .name_count = 1,
                                .names = &leftovers.names[i]};
        struct search_path path = *context->path;
        struct exec_context run = *context;

        path.temporary = leftovers.names[i].name; /* As its own session would. */
        run.path = &path;
        TRY(exec__drop(&run, &drop, arena));
    }
    return STATUS_OK;
}

enum status
temporary_make_schema(struct exec_context *context, struct arena *arena)
{
    CHECK(context->path != NULL && context->path->temporary != NULL);
    enum status status = schema_find(context->txn, context->path->temporary, context->error);

    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(drop_leftovers(context, arena));
    return schema_create(context->txn, context->path->temporary, context->error);
}

/* The context's own plan is none: a run of its own is made. */
enum status
temporary_delete_rows(const struct exec_context *context, const struct ast_name *table,
                      struct arena *arena)
{
    struct bind bind = define_bind(context, arena);
    struct plan_context planning = {.txn = context->txn, .arena = arena, .error = context->error};
    struct ast_delete delete_from = {.table = *table};
    struct ast_statement statement = {.kind = AST_DELETE, .delete_from = &delete_from};
    struct exec_context run = *context;
    struct exec_rows returned = {.width = 0};
    struct planned *planned = NULL;
    struct bound *bound = NULL;
    uint64_t row_count = 0;

    TRY(bind_statement(&bind, &statement, &bound));
    TRY(plan_statement(&planning, bound, &planned));
    arena_init(&returned.arena, context->memory, MEMORY_SQL);
    enum status status = exec_context_open(&run, planned);
    if (status == STATUS_OK)
        status = exec_change(&run, &returned, &row_count);
    exec_context_close(&run);
    arena_deinit(&returned.arena);
    return status;
}
