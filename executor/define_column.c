/* Columns of definitions: types, serial, defaults, identity, generated expressions (define.h). */
#include <stdio.h>
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "executor/definition_text.h"
#include "executor/enumeration.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

struct bind
define_bind(const struct exec_context *context, struct arena *arena)
{
    return (struct bind){
        .txn = context->txn,
        .path = context->path,
        .settings = context->settings,
        .arena = arena,
        .error = context->error,
    };
}

enum status
define_find_column(const struct define *define, const char *name, uint32_t *out)
{
    uint32_t column = table_column_find(define->table, name);

    if (column == UINT32_MAX)
        return sql_error_set(define->context->error, "42703", -1,
                             "column \"%s\" of relation \"%s\" does not exist", name,
                             define->table->name);
    *out = column;
    return STATUS_OK;
}

/* Sequences of columns. */

/* TABLE_COLUMN_seq, and a number when that is taken. */
static enum status
name_sequence(struct define *define, const struct table_column *column, const char **out)
{
    static const char kinds[] = "tiwq";
    const struct exec_context *context = define->context;
    char name[QTDB_NAME_SIZE_MAX];

    for (uint32_t number = 0;; number++) {
        bool taken = false;

        (void)snprintf(name, sizeof(name), number == 0 ? "%.55s_%.55s_seq" : "%.55s_%.55s_seq%u",
                       define->table->name, column->name, number);
        for (const char *kind = kinds; *kind != '\0' && !taken; kind++) {
            enum status status = catalog_has(context->txn, (enum catalog_kind) * kind,
                                             define->table->schema, name, context->error);

            if (status != STATUS_OK && status != STATUS_NOT_FOUND)
                return status;
            taken = status == STATUS_OK;
        }
        if (!taken)
            break;
    }
    *out = arena_copy_text(define->arena, name, strlen(name));
    return *out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
own_sequence(struct define *define, struct table_column *column,
             const struct ast_sequence_option *options, uint32_t count)
{
    struct exec_context *context = define->context;
    struct sequence_definition sequence = {.increment = 1};
    struct ast_name name = {.schema = define->table->schema, .location = -1};

    TRY(name_sequence(define, column, &name.name));
    TRY(sequence_define(column->type.type, options, count, &sequence, true, context->error));
    sequence.owner_table = define->table->name;
    sequence.owner_column = column->name;
    column->sequence = name.name;
    return sequence_create(context->txn, context->db, &name, &sequence, context->error);
}

enum status
define_identity(struct define *define, uint32_t column, const struct ast_constraint *ast)
{
    struct table_column *target = &define->table->columns[column];

    if (target->type.type < QTDB_TYPE_INT2 || target->type.type > QTDB_TYPE_INT8)
        return sql_error_set(define->context->error, "22023", -1,
                             "identity column type must be smallint, integer, or bigint");
    if (target->generated >= TABLE_IDENTITY_DEFAULT)
        return sql_error_set(define->context->error, "55000", ast->location,
                             "column \"%s\" of relation \"%s\" is already an identity column",
                             target->name, define->table->name);
    if (target->default_text != NULL || target->expr != NULL)
        return sql_error_set(define->context->error, "42601", ast->location,
                             "both default and identity specified for column \"%s\" of table "
                             "\"%s\"",
                             target->name, define->table->name);
    TRY(own_sequence(define, target, ast->options, ast->option_count));
    target->generated = ast->always ? TABLE_IDENTITY_ALWAYS : TABLE_IDENTITY_DEFAULT;
    target->not_null = true;
    return STATUS_OK;
}

enum status
define_serial_text(struct arena *arena, const char *schema, const char *sequence,
                   const char **expr_out)
{
    struct sql_text name, text;

    sql_text_init(&name, arena);
    definition_name(&name, schema, sequence);
    TRY(name.status);
    sql_text_init(&text, arena);
    sql_text_add(&text, "nextval(");
    sql_text_add_literal(&text, name.bytes);
    sql_text_add(&text, ")");
    *expr_out = text.bytes;
    return text.status;
}

static enum status
serial_default(struct define *define, struct table_column *column)
{
    TRY(own_sequence(define, column, NULL, 0));
    column->not_null = true;
    return define_serial_text(define->arena, define->table->schema, column->sequence,
                              &column->expr);
}

/* Types. */

static enum qtdb_type
serial_type(const struct ast_type *type)
{
    static const struct {
        const char *name;
        enum qtdb_type type;
    } names[] = {
        {"serial", QTDB_TYPE_INT4},  {"serial4", QTDB_TYPE_INT4},     {"bigserial", QTDB_TYPE_INT8},
        {"serial8", QTDB_TYPE_INT8}, {"smallserial", QTDB_TYPE_INT2}, {"serial2", QTDB_TYPE_INT2},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (type->name != NULL && strcmp(names[i].name, type->name) == 0)
            return names[i].type;
    }
    return QTDB_TYPE_NULL;
}

enum status
define_column(struct define *define, const struct ast_column_definition *ast, uint32_t *out)
{
    struct exec_context *context = define->context;
    struct table *table = define->table;
    enum qtdb_type serial = serial_type(&ast->type);
    struct bind bind = define_bind(context, define->arena);
    struct table_column *column = &table->columns[table->column_count];

    if (table->slot_count >= ROW_COLUMNS_MAX)
        return sql_error_set(context->error, "54011", ast->location,
                             "tables can have at most %d columns", ROW_COLUMNS_MAX);
    if (table_column_find(table, ast->name) != UINT32_MAX)
        return sql_error_set(context->error, "42701", ast->location,
                             "column \"%s\" specified more than once", ast->name);
    *column = (struct table_column){
        .name = ast->name, .comment = ast->comment, .slot = table->slot_count};
    if (serial != QTDB_TYPE_NULL)
        column->type = (struct sql_type){serial, -1, -1};
    else
        TRY(bind_type(&bind, &ast->type, &column->type));
    if (value_is_enum(value_element(column->type.type)))
        TRY(enumeration_find_id(context->txn, value_enum_id(column->type.type), define->arena,
                                &column->enumeration, context->error));
    *out = table->column_count++;
    table->slot_count++;
    TRY(table_settle(table, define->arena));
    if (serial != QTDB_TYPE_NULL)
        TRY(serial_default(define, column));
    for (uint32_t i = 0; i < ast->constraint_count; i++) {
        if (ast->constraints[i].kind == AST_CONSTRAINT_NOT_NULL)
            column->not_null = true;
    }
    return STATUS_OK;
}

/* Expressions. */

/* Built of literals alone, so that its value can be kept instead of its text. */
static bool
is_constant(const struct ast_expr *ast)
{
    bool constant = ast->kind == AST_NULL || ast->kind == AST_INTEGER || ast->kind == AST_DECIMAL ||
                    ast->kind == AST_STRING || ast->kind == AST_BOOLEAN || ast->kind == AST_CAST ||
                    ast->kind == AST_OPERATOR;

    for (uint32_t i = 0; i < ast->argument_count && constant; i++)
        constant = is_constant(ast->arguments[i]);
    return constant;
}

static bool
names_columns(const struct ast_expr *ast)
{
    bool found = ast->kind == AST_COLUMN;

    for (uint32_t i = 0; i < ast->argument_count && !found; i++)
        found = names_columns(ast->arguments[i]);
    return found;
}

enum status
define_default(struct define *define, uint32_t column, const struct ast_expr *ast)
{
    struct table_column *target = &define->table->columns[column];
    struct bind bind = define_bind(define->context, define->arena);
    struct expr *expr = NULL;
    struct value value;
    size_t size = 0;

    target->default_text = NULL;
    target->expr = NULL;
    if (ast == NULL)
        return STATUS_OK;
    if (names_columns(ast))
        return sql_error_set(define->context->error, "0A000", ast->location,
                             "cannot use column reference in DEFAULT expression");
    if (is_constant(ast)) {
        TRY(bind_constant(&bind, ast, &target->type, &value));
        if (value.null)
            return STATUS_OK;
        target->default_text = value_print(&value, define->arena, &size);
        return target->default_text == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    TRY(ast_print(ast, define->arena, &target->expr, define->context->error));
    enum status status = rules_default(&bind, define->table, column, &expr);
    if (status == STATUS_INVALID && ast->location >= 0)
        define->context->error->location = ast->location;
    return status;
}

static enum status
define_generated(struct define *define, uint32_t column, const struct ast_constraint *ast)
{
    struct table *table = define->table;
    struct table_column *target = &table->columns[column];
    struct bind bind = define_bind(define->context, define->arena);
    struct expr *expr = NULL;

    if (target->default_text != NULL || target->expr != NULL || target->sequence != NULL)
        return sql_error_set(
            define->context->error, "42601", ast->location,
            "both default and generation expression specified for column \"%s\" of "
            "table \"%s\"",
            target->name, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool generated = i == column || table->columns[i].generated == TABLE_STORED;

        if (generated && ast_names_column(ast->expr, table->columns[i].name))
            return sql_error_set(define->context->error, "42P17", ast->expr->location,
                                 "cannot use generated column \"%s\" in column generation "
                                 "expression",
                                 table->columns[i].name);
    }
    TRY(rules_check_immutable(ast->expr, "generation expression is not immutable",
                              define->context->error));
    TRY(rules_bind_one(&bind, table, ast->expr, target->name, &target->type, &expr));
    TRY(rules_check_zoneless(expr, "generation expression is not immutable",
                             define->context->error));
    TRY(ast_print(ast->expr, define->arena, &target->expr, define->context->error));
    target->generated = TABLE_STORED;
    return STATUS_OK;
}

enum status
define_column_exprs(struct define *define, const struct ast_column_definition *ast, uint32_t column)
{
    const struct table_column *target = &define->table->columns[column];

    for (uint32_t i = 0; i < ast->constraint_count; i++) {
        const struct ast_constraint *constraint = &ast->constraints[i];

        switch (constraint->kind) {
        case AST_CONSTRAINT_DEFAULT:
            if (target->default_text != NULL || target->expr != NULL || target->sequence != NULL)
                return sql_error_set(define->context->error, "42601", constraint->location,
                                     "multiple default values specified for column \"%s\" of table "
                                     "\"%s\"",
                                     target->name, define->table->name);
            TRY(define_default(define, column, constraint->expr));
            break;
        case AST_CONSTRAINT_IDENTITY:
            TRY(define_identity(define, column, constraint));
            break;
        case AST_CONSTRAINT_GENERATED:
            TRY(define_generated(define, column, constraint));
            break;
        default:
            break;
        }
    }
    return STATUS_OK;
}
