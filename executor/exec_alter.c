/*
 * ALTER TABLE. Each subcommand is done whole before the next: the definition is changed and stored, and
 * rows that are there are checked, or written anew where their bytes or their key change.
 */
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

static enum status
store(struct define *define)
{
    return table_replace(define->context->txn, define->table, define->arena,
                         define->context->error);
}

/* A copy to change while the rows are still in the old shape. */
static enum status
copy_table(struct define *define, struct table **out)
{
    const struct table *from = define->table;
    struct table *table = arena_alloc(define->arena, sizeof(*table));
    struct table_column *columns =
        arena_alloc(define->arena, (from->column_count + 1) * sizeof(*columns));
    struct table_index *indexes = arena_alloc(define->arena, TABLE_INDEX_MAX * sizeof(*indexes));

    if (table == NULL || columns == NULL || indexes == NULL)
        return STATUS_NO_MEMORY;
    *table = *from;
    memcpy(columns, from->columns, from->column_count * sizeof(*columns));
    memcpy(indexes, from->indexes, from->index_count * sizeof(*indexes));
    table->columns = columns;
    table->indexes = indexes;
    *out = table;
    return STATUS_OK;
}

/* Each column of the new shape is that of the old one, but `column`, which is `expr`. */
static enum status
rewrite(struct define *define, const struct table *from, uint32_t column, struct expr *expr)
{
    struct table *to = define->table;
    struct expr **exprs = arena_alloc(define->arena, (to->column_count + 1) * sizeof(*exprs));

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < to->column_count; i++) {
        uint32_t place = table_column_find(from, to->columns[i].name);

        exprs[i] = expr;
        if (i == column || place == UINT32_MAX)
            continue;
        exprs[i] = arena_alloc(define->arena, sizeof(struct expr));
        if (exprs[i] == NULL)
            return STATUS_NO_MEMORY;
        *exprs[i] = (struct expr){.kind = EXPR_COLUMN, .type = from->types[place], .index = place};
    }
    return define_rewrite(define, from, to, exprs);
}

/* ADD COLUMN. */

static enum status add_constraint(struct define *define, const struct ast_constraint *ast,
                                  uint32_t column);

/* Rows that are there get the value once, kept in the definition, or each its own. */
static enum status
fill_column(struct define *define, const struct table *before, uint32_t column)
{
    struct table_column *target = &define->table->columns[column];
    struct exec_context *context = define->context;
    struct bind bind = define_bind(context, define->arena);
    struct eval eval = {.arena = define->arena, .error = context->error, .context = context};
    struct ast_expr *ast = NULL;
    struct expr *expr = NULL;
    struct value value;
    bool empty = false;
    size_t size = 0;

    TRY(define_is_empty(define, before, &empty));
    target->missing = target->default_text;
    TRY(rules_default(&bind, define->table, column, &expr));
    if (empty)
        return store(define);
    if (target->expr != NULL)
        TRY(ast_read(target->expr, define->arena, &ast, context->error));
    if (target->generated != TABLE_PLAIN || (ast != NULL && rules_is_volatile(ast)))
        return rewrite(define, before, column, expr);
    TRY(expr_eval(expr, NULL, &eval, &value));
    if (value.null && target->not_null)
        return sql_error_set(context->error, "23502", -1,
                             "column \"%s\" of relation \"%s\" contains null values", target->name,
                             define->table->name);
    target->missing = value.null ? NULL : value_print(&value, define->arena, &size);
    if (!value.null && target->missing == NULL)
        return STATUS_NO_MEMORY;
    return store(define);
}

static enum status
add_column(struct define *define, const struct ast_alter *ast)
{
    const struct ast_column_definition *definition = ast->column;
    struct table *before = define->table;
    uint32_t column = 0;

    if (table_column_find(before, definition->name) != UINT32_MAX)
        return ast->if_exists ? STATUS_OK
                              : sql_error_set(define->context->error, "42701", -1,
                                              "column \"%s\" of relation \"%s\" already exists",
                                              definition->name, before->name);
    TRY(copy_table(define, &define->table));
    TRY(define_column(define, definition, &column));
    TRY(define_column_exprs(define, definition, column));
    TRY(fill_column(define, before, column));
    for (uint32_t i = 0; i < definition->constraint_count; i++)
        TRY(add_constraint(define, &definition->constraints[i], column));
    return STATUS_OK;
}

/* DROP COLUMN: its slot stays, and what stood on it goes. */

static bool
has(const uint32_t *positions, uint32_t count, uint32_t column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (positions[i] == column)
            return true;
    }
    return false;
}

static enum status
text_names(struct define *define, const char *text, const char *name, bool *out)
{
    struct ast_expr *ast = NULL;

    TRY(ast_read(text, define->arena, &ast, define->context->error));
    *out = ast_names_column(ast, name);
    return STATUS_OK;
}

static enum status
index_uses(struct define *define, const struct table_index *index, uint32_t column, bool *out)
{
    const struct table *table = define->table;

    *out = has(index->columns, index->column_count, column) ||
           has(index->includes, index->include_count, column);
    for (uint32_t i = 0; i <= index->column_count && !*out; i++) {
        uint32_t place = i < index->column_count ? index->columns[i]
                         : index->predicate > 0  ? TABLE_EXPR_BASE + index->predicate - 1
                                                 : 0;

        if (place >= TABLE_EXPR_BASE)
            TRY(text_names(define, table->exprs[place - TABLE_EXPR_BASE].text,
                           table->columns[column].name, out));
    }
    return STATUS_OK;
}

static enum status
drop_index_at(struct define *define, uint32_t position)
{
    struct exec_context *context = define->context;
    struct table *table = define->table;
    struct table only = *table;

    if (!table->indexes[position].constraint)
        TRY(catalog_remove(context->txn, CATALOG_INDEX, table->schema,
                           table->indexes[position].name, context->error));
    only.index_count = 1;
    only.indexes = &table->indexes[position];
    TRY(table_drop_index_tree(context->txn, &only, context->error));
    table->index_count--;
    memmove(&table->indexes[position], &table->indexes[position + 1],
            (table->index_count - position) * sizeof(*table->indexes));
    table_prune(table);
    return STATUS_OK;
}

/* Indexes, checks and foreign keys of the table itself. */
static enum status
drop_rules_of(struct define *define, uint32_t column)
{
    struct table *table = define->table;
    const char *name = table->columns[column].name;
    uint32_t kept = 0;

    for (uint32_t i = table->index_count; i-- > 0;) {
        bool uses = false;

        TRY(index_uses(define, &table->indexes[i], column, &uses));
        if (uses)
            TRY(drop_index_at(define, i));
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        bool uses = false;

        TRY(text_names(define, table->checks[i].text, name, &uses));
        if (!uses)
            table->checks[kept++] = table->checks[i];
    }
    table->check_count = kept;
    for (uint32_t i = table->foreign_count; i-- > 0;) {
        struct table_foreign foreign = table->foreigns[i];

        if (!has(foreign.columns, foreign.column_count, column))
            continue;
        table->foreign_count--;
        memmove(&table->foreigns[i], &table->foreigns[i + 1],
                (table->foreign_count - i) * sizeof(foreign));
        TRY(define_unlink(define, table, foreign.schema, foreign.table));
    }
    return STATUS_OK;
}

static void
shift(uint32_t *positions, uint32_t count, uint32_t column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (positions[i] < TABLE_EXPR_BASE && positions[i] > column)
            positions[i]--;
    }
}

/* The positions behind the column move up. */
static enum status
take_out(struct define *define, uint32_t column)
{
    struct table *table = define->table;

    table->column_count--;
    memmove(&table->columns[column], &table->columns[column + 1],
            (table->column_count - column) * sizeof(*table->columns));
    shift(table->keys, table->key_count, column);
    for (uint32_t i = 0; i < table->index_count; i++) {
        shift(table->indexes[i].columns, table->indexes[i].column_count, column);
        shift(table->indexes[i].includes, table->indexes[i].include_count, column);
    }
    for (uint32_t i = 0; i < table->foreign_count; i++)
        shift(table->foreigns[i].columns, table->foreigns[i].column_count, column);
    return table_settle(table, define->arena);
}

static enum status
refuse_dependent(const struct define *define, const char *what, const char *name)
{
    return sql_error_set(define->context->error, "2BP01", -1,
                         "cannot drop %s %s of table %s because other objects depend on it", what,
                         name, define->table->name);
}

/* Foreign keys of other tables on the column go with CASCADE. */
static enum status
drop_references(struct define *define, const char *const *columns, uint32_t count, const char *what,
                const char *name, bool cascade)
{
    struct exec_context *context = define->context;

    for (uint32_t i = define->table->reference_count; i-- > 0;) {
        const struct table_reference reference = define->table->references[i];
        struct ast_name place = {.schema = reference.schema, .name = reference.table};
        struct table *child = define->table;
        uint32_t kept = 0;

        if (!define_is_name(define->table, reference.schema, reference.table))
            TRY(define_open(context, &place, define->arena, &child));
        for (uint32_t k = 0; k < child->foreign_count; k++) {
            const struct table_foreign *foreign = &child->foreigns[k];
            bool uses = false;

            for (uint32_t m = 0; m < foreign->column_count &&
                                 define_is_name(define->table, foreign->schema, foreign->table);
                 m++) {
                for (uint32_t n = 0; n < count; n++)
                    uses = uses || strcmp(foreign->parents[m], columns[n]) == 0;
            }
            if (!uses)
                child->foreigns[kept++] = *foreign;
        }
        if (kept == child->foreign_count)
            continue;
        if (!cascade)
            return refuse_dependent(define, what, name);
        child->foreign_count = kept;
        TRY(table_replace(context->txn, child, define->arena, context->error));
        TRY(define_unlink(define, child, define->table->schema, define->table->name));
    }
    return STATUS_OK;
}

static enum status
drop_generated(struct define *define, const char *name, bool cascade)
{
    struct table *table = define->table;

    for (uint32_t i = table->column_count; i-- > 0;) {
        bool uses = false;

        if (table->columns[i].generated != TABLE_STORED)
            continue;
        TRY(text_names(define, table->columns[i].expr, name, &uses));
        if (!uses)
            continue;
        if (!cascade)
            return refuse_dependent(define, "column", name);
        TRY(drop_rules_of(define, i));
        TRY(take_out(define, i));
    }
    return STATUS_OK;
}

static enum status
drop_column(struct define *define, const struct ast_alter *ast)
{
    struct table *before = define->table;
    uint32_t column = table_column_find(before, ast->name);

    if (column == UINT32_MAX && ast->if_exists)
        return STATUS_OK;
    TRY(define_find_column(define, ast->name, &column));
    TRY(drop_references(define, &ast->name, 1, "column", ast->name, ast->cascade));
    TRY(drop_generated(define, ast->name, ast->cascade));
    TRY(define_find_column(define, ast->name, &column));
    bool key = has(define->table->keys, define->table->key_count, column);
    TRY(drop_rules_of(define, column));
    TRY(define_drop_sequences(define, column));
    if (!key) {
        TRY(take_out(define, column));
        return store(define);
    }
    before = define->table;
    TRY(copy_table(define, &define->table));
    define->table->key_count = 0;
    define->table->key_name = NULL;
    TRY(take_out(define, column));
    return rewrite(define, before, UINT32_MAX, NULL);
}

/* Constraints. */

static enum status
add_primary_key(struct define *define, const struct ast_constraint *ast, uint32_t column)
{
    struct table *before = define->table;

    TRY(copy_table(define, &define->table));
    TRY(define_constraint(define, ast, column));
    return rewrite(define, before, UINT32_MAX, NULL);
}

static enum status
add_constraint(struct define *define, const struct ast_constraint *ast, uint32_t column)
{
    struct table *table = define->table;

    if (ast->kind == AST_CONSTRAINT_PRIMARY_KEY)
        return add_primary_key(define, ast, column);
    TRY(define_constraint(define, ast, column));
    switch (ast->kind) {
    case AST_CONSTRAINT_UNIQUE:
        TRY(store(define));
        return exec__fill_index(define->context, table, table->index_count - 1);
    case AST_CONSTRAINT_CHECK:
        if (!ast->not_valid)
            TRY(define_validate(define, table->check_count - 1, 0));
        return store(define);
    case AST_CONSTRAINT_REFERENCES:
        TRY(store(define));
        TRY(define_link(define, &table->foreigns[table->foreign_count - 1]));
        return ast->not_valid ? STATUS_OK
                              : foreign_validate(define->context, table,
                                                 &table->foreigns[table->foreign_count - 1]);
    default:
        return STATUS_OK;
    }
}

static enum status
drop_primary_key(struct define *define, const struct ast_alter *ast)
{
    struct table *before = define->table;
    const char *columns[TABLE_KEY_COLUMNS_MAX];

    for (uint32_t i = 0; i < before->key_count; i++)
        columns[i] = before->columns[before->keys[i]].name;
    TRY(drop_references(define, columns, before->key_count, "constraint", ast->name, ast->cascade));
    TRY(copy_table(define, &define->table));
    define->table->key_count = 0;
    define->table->key_name = NULL;
    return rewrite(define, before, UINT32_MAX, NULL);
}

static enum status
drop_unique(struct define *define, const struct ast_alter *ast, uint32_t position)
{
    const struct table_index *index = &define->table->indexes[position];
    const char *columns[TABLE_KEY_COLUMNS_MAX];

    for (uint32_t i = 0; i < index->column_count; i++)
        columns[i] = define->table->columns[index->columns[i]].name;
    TRY(drop_references(define, columns, index->column_count, "constraint", ast->name,
                        ast->cascade));
    TRY(drop_index_at(define, position));
    return store(define);
}

static enum status
drop_constraint(struct define *define, const struct ast_alter *ast)
{
    struct table *table = define->table;
    const char *key = table->key_count > 0 ? table_key_name(table, define->arena) : "";

    if (key == NULL)
        return STATUS_NO_MEMORY;
    if (strcmp(key, ast->name) == 0)
        return drop_primary_key(define, ast);
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].constraint && strcmp(table->indexes[i].name, ast->name) == 0)
            return drop_unique(define, ast, i);
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        if (strcmp(table->checks[i].name, ast->name) != 0)
            continue;
        table->check_count--;
        memmove(&table->checks[i], &table->checks[i + 1],
                (table->check_count - i) * sizeof(*table->checks));
        return store(define);
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        struct table_foreign foreign = table->foreigns[i];

        if (strcmp(foreign.name, ast->name) != 0)
            continue;
        table->foreign_count--;
        memmove(&table->foreigns[i], &table->foreigns[i + 1],
                (table->foreign_count - i) * sizeof(foreign));
        TRY(store(define));
        return define_unlink(define, table, foreign.schema, foreign.table);
    }
    if (ast->if_exists)
        return STATUS_OK;
    return sql_error_set(define->context->error, "42704", -1,
                         "constraint \"%s\" of relation \"%s\" does not exist", ast->name,
                         table->name);
}

static enum status
validate(struct define *define, const struct ast_alter *ast)
{
    struct table *table = define->table;

    for (uint32_t i = 0; i < table->check_count; i++) {
        if (strcmp(table->checks[i].name, ast->name) != 0)
            continue;
        TRY(define_validate(define, i, 0));
        table->checks[i].not_valid = false;
        return store(define);
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        if (strcmp(table->foreigns[i].name, ast->name) != 0)
            continue;
        TRY(foreign_validate(define->context, table, &table->foreigns[i]));
        table->foreigns[i].not_valid = false;
        return store(define);
    }
    return sql_error_set(define->context->error, "42704", -1,
                         "constraint \"%s\" of relation \"%s\" does not exist", ast->name,
                         table->name);
}

/* Columns. */

static enum status
set_default(struct define *define, const struct ast_alter *ast)
{
    uint32_t column = 0;

    TRY(define_find_column(define, ast->name, &column));
    const struct table_column *target = &define->table->columns[column];
    if (target->generated != TABLE_PLAIN)
        return sql_error_set(define->context->error, "42601", -1,
                             "column \"%s\" of relation \"%s\" is %s column", target->name,
                             define->table->name,
                             target->generated == TABLE_STORED ? "a generated" : "an identity");
    TRY(define_default(define, column, ast->expr));
    return store(define);
}

static enum status
set_not_null(struct define *define, const struct ast_alter *ast)
{
    struct table *table = define->table;
    bool on = ast->kind == AST_SET_NOT_NULL;
    uint32_t column = 0;

    TRY(define_find_column(define, ast->name, &column));
    if (!on && has(table->keys, table->key_count, column))
        return sql_error_set(define->context->error, "42P16", -1,
                             "column \"%s\" is in a primary key", ast->name);
    if (!on && table->columns[column].generated >= TABLE_IDENTITY_DEFAULT)
        return sql_error_set(define->context->error, "42601", -1,
                             "column \"%s\" of relation \"%s\" is an identity column", ast->name,
                             table->name);
    if (on && !table->columns[column].not_null)
        TRY(define_validate(define, UINT32_MAX, column));
    table->columns[column].not_null = on;
    return store(define);
}

/* A wider text of the same bytes. */
static bool
keeps_bytes(const struct sql_type *from, const struct sql_type *to)
{
    bool texts = (from->type == QTDB_TYPE_VARCHAR || from->type == QTDB_TYPE_TEXT) &&
                 (to->type == QTDB_TYPE_VARCHAR || to->type == QTDB_TYPE_TEXT);

    return texts &&
           (to->precision < 0 || (from->precision >= 0 && from->precision <= to->precision));
}

static enum status
convert_default(struct define *define, uint32_t column, const struct table_column *from)
{
    struct table_column *target = &define->table->columns[column];
    struct sql_error *error = define->context->error;
    struct value old, changed;
    size_t size = 0;

    if (target->default_text == NULL)
        return STATUS_OK;
    TRY(table_parse_value(from, target->default_text, strlen(target->default_text), define->arena,
                          &old, error));
    /* The label of an enum may be one of another's: PostgreSQL refuses that too. */
    if (!value_assigns(from->type.type, target->type.type))
        return sql_error_set(error, "42804", -1,
                             "default for column \"%s\" cannot be cast automatically to type %s",
                             target->name, value_type_name(target->type.type));
    TRY(value_cast(&old, &target->type, define->arena, &changed, error));
    target->default_text = value_print(&changed, define->arena, &size);
    return target->default_text == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Expressions over the column mean something else with another type. */
static enum status
refuse_if_used(struct define *define, const char *name)
{
    const struct table *table = define->table;

    for (uint32_t i = 0; i < table->column_count + table->expr_count; i++) {
        const char *text =
            i < table->column_count
                ? (table->columns[i].generated == TABLE_STORED ? table->columns[i].expr : NULL)
                : table->exprs[i - table->column_count].text;
        bool uses = false;

        if (text != NULL)
            TRY(text_names(define, text, name, &uses));
        if (uses)
            return sql_error_set(define->context->error, "0A000", -1,
                                 "cannot alter type of a column used by a generated column or an "
                                 "expression of an index");
    }
    return STATUS_OK;
}

static enum status
set_type(struct define *define, const struct ast_alter *ast)
{
    struct exec_context *context = define->context;
    struct bind bind = define_bind(context, define->arena);
    struct table *before = define->table;
    struct expr *expr = NULL;
    struct sql_type type;
    uint32_t column = 0;

    TRY(define_find_column(define, ast->name, &column));
    TRY(bind_type(&bind, &ast->type, &type));
    const struct sql_type from = before->types[column];
    if (before->columns[column].generated == TABLE_STORED)
        return sql_error_set(context->error, "0A000", -1,
                             "ALTER TYPE of a generated column is not supported yet");
    if (ast->expr == NULL && !value_assigns(from.type, type.type))
        return sql_error_set(context->error, "42804", -1,
                             "column \"%s\" cannot be cast automatically to type %s", ast->name,
                             value_type_name(type.type));
    TRY(refuse_if_used(define, ast->name));
    TRY(copy_table(define, &define->table));
    struct ast_expr self = {
        .kind = AST_COLUMN, .location = -1, .name_count = 1, .names = (const char *[]){ast->name}};
    TRY(rules_bind_one(&bind, before, ast->expr != NULL ? ast->expr : &self, "USING", &type,
                       &expr));
    define->table->columns[column].type = type;
    define->table->columns[column].enumeration = NULL;
    TRY(convert_default(define, column, &before->columns[column]));
    TRY(table_link_enums(context->txn, define->table, define->arena, context->error));
    TRY(table_settle(define->table, define->arena));
    if (ast->expr == NULL && keeps_bytes(&from, &type))
        return store(define);
    return rewrite(define, before, column, expr);
}

static enum status
drop_identity(struct define *define, const struct ast_alter *ast)
{
    bool identity = ast->kind == AST_DROP_IDENTITY;
    uint32_t column = 0;

    TRY(define_find_column(define, ast->name, &column));
    struct table_column *target = &define->table->columns[column];
    if (identity ? target->generated < TABLE_IDENTITY_DEFAULT : target->generated != TABLE_STORED)
        return ast->if_exists ? STATUS_OK
                              : sql_error_set(define->context->error, "55000", -1,
                                              "column \"%s\" of relation \"%s\" is not %s column",
                                              ast->name, define->table->name,
                                              identity ? "an identity" : "a stored generated");
    if (identity)
        TRY(define_drop_sequences(define, column));
    target->generated = TABLE_PLAIN;
    target->sequence = target->expr = NULL;
    return store(define);
}

static enum status
add_identity(struct define *define, const struct ast_alter *ast)
{
    uint32_t column = 0;

    TRY(define_find_column(define, ast->name, &column));
    if (!define->table->columns[column].not_null)
        return sql_error_set(define->context->error, "55000", -1,
                             "column \"%s\" of relation \"%s\" must be declared NOT NULL before "
                             "identity can be added",
                             ast->name, define->table->name);
    TRY(define_identity(define, column, ast->constraint));
    return store(define);
}

static enum status
alter_one(struct define *define, const struct ast_alter *ast)
{
    switch (ast->kind) {
    case AST_ADD_COLUMN:
        return add_column(define, ast);
    case AST_DROP_COLUMN:
        return drop_column(define, ast);
    case AST_COLUMN_DEFAULT:
        return set_default(define, ast);
    case AST_SET_NOT_NULL:
    case AST_DROP_NOT_NULL:
        return set_not_null(define, ast);
    case AST_ADD_CONSTRAINT:
        return add_constraint(define, ast->constraint, UINT32_MAX);
    case AST_DROP_CONSTRAINT:
        return drop_constraint(define, ast);
    case AST_COLUMN_TYPE:
        return set_type(define, ast);
    case AST_ADD_IDENTITY:
        return add_identity(define, ast);
    case AST_DROP_IDENTITY:
    case AST_DROP_EXPRESSION:
        return drop_identity(define, ast);
    default:
        CHECK(ast->kind == AST_VALIDATE);
        return validate(define, ast);
    }
}

enum status
exec__alter_table(struct exec_context *context, const struct ast_alter_table *ast,
                  struct arena *arena)
{
    struct define define = {.context = context, .arena = arena};
    enum status status = define_open(context, &ast->table, arena, &define.table);

    if (status == STATUS_INVALID && ast->if_exists &&
        strcmp(context->error->sqlstate, "42P01") == 0)
        return STATUS_OK;
    TRY(status);
    for (uint32_t i = 0; i < ast->count; i++)
        TRY(alter_one(&define, &ast->alters[i]));
    return STATUS_OK;
}
