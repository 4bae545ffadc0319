/* ALTER, RENAME, sequences, enums, TRUNCATE, CREATE TABLE AS and COMMENT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"

/* Parts. */

void
pg__collation(struct pg__conversion *conversion, CollateClause *source)
{
    if (source == NULL)
        return;
    const char *name = strVal(llast(source->collname));
    if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0 && strcmp(name, "ucs_basic") != 0 &&
        strcmp(name, "default") != 0)
        (void)pg__unsupported(conversion, source->location, "this collation");
}

void
pg__strip_regclass(struct ast_expr *call)
{
    static const char *const names[] = {"nextval", "currval", "setval"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && call->argument_count > 0; i++) {
        struct ast_expr *first = call->arguments[0];

        if (strcmp(call->names[call->name_count - 1], names[i]) == 0 && first->kind == AST_CAST &&
            first->type.name != NULL && strcmp(first->type.name, "regclass") == 0)
            call->arguments[0] = first->arguments[0];
    }
}

/* A name given as a list of its parts. */
static struct ast_name
listed_name(struct pg__conversion *conversion, List *parts)
{
    struct ast_name name = {.location = -1};

    name.name = pg__copy(conversion, strVal(llast(parts)));
    if (list_length(parts) > 1)
        name.schema = pg__copy(conversion, strVal(list_nth(parts, list_length(parts) - 2)));
    return name;
}

static int64_t
integer_of(struct pg__conversion *conversion, const DefElem *option)
{
    char *end = NULL;

    if (option->arg != NULL && IsA(option->arg, Integer))
        return intVal(option->arg);
    if (option->arg != NULL && IsA(option->arg, Float)) {
        const char *digits = ((Float *)option->arg)->fval;

        errno = 0;
        long long value = strtoll(digits, &end, 10);
        if (errno == 0 && *end == '\0')
            return value;
    }
    (void)pg__fail(conversion, "22023", option->location,
                   "an option of the sequence is not an integer of 64 bits");
    return 0;
}

static const struct {
    const char *name;
    enum ast_sequence_option_kind kind;
} sequence_options[] = {
    {"as", AST_SEQUENCE_TYPE},        {"increment", AST_SEQUENCE_INCREMENT},
    {"start", AST_SEQUENCE_START},    {"minvalue", AST_SEQUENCE_MIN},
    {"maxvalue", AST_SEQUENCE_MAX},   {"cycle", AST_SEQUENCE_CYCLE},
    {"cache", AST_SEQUENCE_CACHE},    {"restart", AST_SEQUENCE_RESTART},
    {"owned_by", AST_SEQUENCE_OWNED},
};

static void
convert_option(struct pg__conversion *conversion, DefElem *source, struct ast_sequence_option *out)
{
    out->location = source->location;
    for (size_t i = 0; i < sizeof(sequence_options) / sizeof(sequence_options[0]); i++) {
        if (strcmp(sequence_options[i].name, source->defname) == 0)
            out->kind = sequence_options[i].kind;
    }
    switch (out->kind) {
    case AST_SEQUENCE_TYPE:
        out->text = pg__type(conversion, (TypeName *)source->arg).name;
        return;
    case AST_SEQUENCE_CYCLE:
        out->integer = boolVal(source->arg);
        return;
    case AST_SEQUENCE_OWNED:
        out->names = pg__names(conversion, (List *)source->arg, &out->name_count);
        return;
    case AST_SEQUENCE_MIN:
    case AST_SEQUENCE_MAX:
    case AST_SEQUENCE_RESTART:
        out->none = source->arg == NULL;
        if (out->none)
            return;
        break;
    case AST_SEQUENCE_INCREMENT:
    case AST_SEQUENCE_START:
    case AST_SEQUENCE_CACHE:
        break;
    default:
        (void)pg__unsupported(conversion, source->location, "this option of a sequence");
        return;
    }
    out->integer = integer_of(conversion, source);
}

struct ast_sequence_option *
pg__sequence_options(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_sequence_option *options =
        pg__take(conversion, (size_t)list_length(list) * sizeof(*options));
    uint32_t next = 0;
    ListCell *cell;

    if (options == NULL)
        return NULL;
    foreach (cell, list)
        convert_option(conversion, lfirst(cell), &options[next++]);
    *count_out = next;
    return options;
}

/* ALTER TABLE. */

static const struct {
    AlterTableType type;
    enum ast_alter_kind kind;
} alter_kinds[] = {
    {AT_AddColumn, AST_ADD_COLUMN},           {AT_DropColumn, AST_DROP_COLUMN},
    {AT_ColumnDefault, AST_COLUMN_DEFAULT},   {AT_SetNotNull, AST_SET_NOT_NULL},
    {AT_DropNotNull, AST_DROP_NOT_NULL},      {AT_AddConstraint, AST_ADD_CONSTRAINT},
    {AT_DropConstraint, AST_DROP_CONSTRAINT}, {AT_AlterColumnType, AST_COLUMN_TYPE},
    {AT_AddIdentity, AST_ADD_IDENTITY},       {AT_DropIdentity, AST_DROP_IDENTITY},
    {AT_DropExpression, AST_DROP_EXPRESSION}, {AT_ValidateConstraint, AST_VALIDATE},
};

static void
convert_alter(struct pg__conversion *conversion, AlterTableCmd *source, struct ast_alter *out)
{
    for (size_t i = 0; i < sizeof(alter_kinds) / sizeof(alter_kinds[0]); i++) {
        if (alter_kinds[i].type == source->subtype)
            out->kind = alter_kinds[i].kind;
    }
    out->name = source->name == NULL ? NULL : pg__copy(conversion, source->name);
    out->if_exists = source->missing_ok;
    out->cascade = source->behavior == DROP_CASCADE;
    switch (out->kind) {
    case AST_ADD_COLUMN:
        out->column = pg__take(conversion, sizeof(*out->column));
        if (out->column != NULL)
            pg__column_definition(conversion, (ColumnDef *)source->def, out->column);
        return;
    case AST_ADD_CONSTRAINT:
    case AST_ADD_IDENTITY:
        out->constraint = pg__take(conversion, sizeof(*out->constraint));
        if (out->constraint != NULL)
            pg__constraint(conversion, (Constraint *)source->def, out->constraint);
        return;
    case AST_COLUMN_DEFAULT:
        out->expr = pg__optional(conversion, source->def);
        return;
    case AST_COLUMN_TYPE:
        pg__collation(conversion, ((ColumnDef *)source->def)->collClause);
        out->type = pg__type(conversion, ((ColumnDef *)source->def)->typeName);
        out->expr = pg__optional(conversion, ((ColumnDef *)source->def)->raw_default);
        return;
    default:
        if (out->kind == 0)
            (void)pg__unsupported(conversion, -1, "this form of ALTER TABLE");
    }
}

static struct ast_alter_table *
convert_alter_table(struct pg__conversion *conversion, AlterTableStmt *source)
{
    struct ast_alter_table *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (source->objtype != OBJECT_TABLE)
        return pg__unsupported(conversion, source->relation->location,
                               "ALTER of what is not a table");
    if (out == NULL)
        return NULL;
    out->table = pg__range_name(conversion, source->relation);
    out->if_exists = source->missing_ok;
    out->alters = pg__take(conversion, (size_t)list_length(source->cmds) * sizeof(*out->alters));
    if (out->alters == NULL)
        return NULL;
    foreach (cell, source->cmds)
        convert_alter(conversion, lfirst(cell), &out->alters[out->count++]);
    return out;
}

/* RENAME and SET SCHEMA. */

static enum ast_rename_kind
rename_kind(ObjectType type)
{
    switch (type) {
    case OBJECT_TABLE:
        return AST_RENAME_TABLE;
    case OBJECT_COLUMN:
        return AST_RENAME_COLUMN;
    case OBJECT_TABCONSTRAINT:
        return AST_RENAME_CONSTRAINT;
    case OBJECT_INDEX:
        return AST_RENAME_INDEX;
    case OBJECT_SEQUENCE:
        return AST_RENAME_SEQUENCE;
    case OBJECT_VIEW:
        return AST_RENAME_VIEW;
    case OBJECT_TYPE:
        return AST_RENAME_TYPE;
    default:
        return 0;
    }
}

static struct ast_rename *
convert_rename(struct pg__conversion *conversion, ObjectType type, RangeVar *relation, Node *object,
               const char *part, const char *to, bool missing_ok)
{
    struct ast_rename *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->kind = rename_kind(type);
    if (out->kind == 0 || (relation == NULL && out->kind != AST_RENAME_TYPE))
        return pg__unsupported(conversion, -1, "ALTER of this kind of object");
    out->name = relation != NULL ? pg__range_name(conversion, relation)
                                 : listed_name(conversion, (List *)object);
    out->part = part == NULL ? NULL : pg__copy(conversion, part);
    out->to = pg__copy(conversion, to);
    out->if_exists = missing_ok;
    return out;
}

/* Sequences, enums, TRUNCATE, CREATE TABLE AS, COMMENT. */

static struct ast_sequence *
convert_sequence(struct pg__conversion *conversion, RangeVar *name, List *options, bool missing_ok)
{
    struct ast_sequence *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->name = pg__range_name(conversion, name);
    out->missing_ok = missing_ok;
    out->options = pg__sequence_options(conversion, options, &out->option_count);
    return out;
}

static struct ast_truncate *
convert_truncate(struct pg__conversion *conversion, TruncateStmt *source)
{
    struct ast_truncate *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->restart = source->restart_seqs;
    out->cascade = source->behavior == DROP_CASCADE;
    out->tables =
        pg__take(conversion, (size_t)list_length(source->relations) * sizeof(*out->tables));
    if (out->tables == NULL)
        return NULL;
    foreach (cell, source->relations)
        out->tables[out->count++] = pg__range_name(conversion, lfirst(cell));
    return out;
}

static struct ast_create_table_as *
convert_create_as(struct pg__conversion *conversion, CreateTableAsStmt *source)
{
    struct ast_create_table_as *out = pg__take(conversion, sizeof(*out));

    if (source->objtype != OBJECT_TABLE || source->into->options != NIL ||
        !IsA(source->query, SelectStmt))
        return pg__unsupported(conversion, source->into->rel->location,
                               "this form of CREATE TABLE AS");
    if (out == NULL)
        return NULL;
    out->table = pg__range_name(conversion, source->into->rel);
    out->if_not_exists = source->if_not_exists;
    out->on_commit = pg__on_commit(conversion, source->into->rel, source->into->onCommit);
    out->no_data = source->into->skipData;
    out->column_names = pg__names(conversion, source->into->colNames, &out->column_name_count);
    out->query = pg__select(conversion, (SelectStmt *)source->query);
    if (conversion->changes)
        return pg__unsupported(conversion, source->into->rel->location,
                               "a change in WITH of CREATE TABLE AS");
    return out;
}

static struct ast_enum *
convert_enum(struct pg__conversion *conversion, CreateEnumStmt *source)
{
    struct ast_enum *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->name = listed_name(conversion, source->typeName);
    out->labels = pg__names(conversion, source->vals, &out->label_count);
    return out;
}

static struct ast_enum *
convert_alter_enum(struct pg__conversion *conversion, AlterEnumStmt *source)
{
    struct ast_enum *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    if (source->oldVal != NULL)
        out->renamed = pg__copy(conversion, source->oldVal);
    out->name = listed_name(conversion, source->typeName);
    out->labels = pg__take(conversion, sizeof(*out->labels));
    if (out->labels == NULL)
        return NULL;
    out->labels[out->label_count++] = pg__copy(conversion, source->newVal);
    if (source->newValNeighbor != NULL)
        out->neighbour = pg__copy(conversion, source->newValNeighbor);
    out->after = source->newValIsAfter;
    out->if_not_exists = source->skipIfNewValExists;
    return out;
}

static struct ast_comment *
convert_comment(struct pg__conversion *conversion, CommentStmt *source)
{
    struct ast_comment *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->text = source->comment == NULL ? NULL : pg__copy(conversion, source->comment);
    switch (source->objtype) {
    case OBJECT_COLUMN: {
        List *parts = (List *)source->object;

        if (list_length(parts) < 2)
            return pg__fail(conversion, "42601", -1, "column name must be qualified");
        out->column = true;
        out->part = pg__copy(conversion, strVal(llast(parts)));
        out->name = listed_name(conversion, list_truncate(parts, list_length(parts) - 1));
        return out;
    }
    case OBJECT_SCHEMA:
        out->kind = AST_DROP_SCHEMA;
        out->name.name = pg__copy(conversion, strVal(source->object));
        return out;
    case OBJECT_TABLE:
        out->kind = AST_DROP_TABLE;
        break;
    case OBJECT_INDEX:
        out->kind = AST_DROP_INDEX;
        break;
    case OBJECT_VIEW:
        out->kind = AST_DROP_VIEW;
        break;
    case OBJECT_SEQUENCE:
        out->kind = AST_DROP_SEQUENCE;
        break;
    case OBJECT_TYPE:
        out->kind = AST_DROP_TYPE;
        out->name = listed_name(conversion, ((TypeName *)source->object)->names);
        return out;
    default:
        return pg__unsupported(conversion, -1, "COMMENT on this kind of object");
    }
    out->name = listed_name(conversion, (List *)source->object);
    return out;
}

bool
pg__alteration(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    switch (nodeTag(node)) {
    case T_AlterTableStmt:
        out->kind = AST_ALTER_TABLE;
        out->alter_table = convert_alter_table(conversion, (AlterTableStmt *)node);
        return true;
    case T_RenameStmt: {
        RenameStmt *source = (RenameStmt *)node;

        out->kind = AST_RENAME;
        out->rename =
            convert_rename(conversion, source->renameType, source->relation, source->object,
                           source->subname, source->newname, source->missing_ok);
        return true;
    }
    case T_AlterObjectSchemaStmt: {
        AlterObjectSchemaStmt *source = (AlterObjectSchemaStmt *)node;

        out->kind = AST_SET_SCHEMA;
        out->rename = convert_rename(conversion, source->objectType, source->relation,
                                     source->object, NULL, source->newschema, source->missing_ok);
        return true;
    }
    case T_CreateSeqStmt: {
        CreateSeqStmt *source = (CreateSeqStmt *)node;

        out->kind = AST_CREATE_SEQUENCE;
        out->sequence =
            convert_sequence(conversion, source->sequence, source->options, source->if_not_exists);
        return true;
    }
    case T_AlterSeqStmt: {
        AlterSeqStmt *source = (AlterSeqStmt *)node;

        out->kind = AST_ALTER_SEQUENCE;
        out->sequence =
            convert_sequence(conversion, source->sequence, source->options, source->missing_ok);
        return true;
    }
    case T_TruncateStmt:
        out->kind = AST_TRUNCATE;
        out->truncate = convert_truncate(conversion, (TruncateStmt *)node);
        return true;
    case T_CreateTableAsStmt:
        out->kind = AST_CREATE_TABLE_AS;
        out->create_table_as = convert_create_as(conversion, (CreateTableAsStmt *)node);
        return true;
    case T_CreateEnumStmt:
        out->kind = AST_CREATE_ENUM;
        out->enumeration = convert_enum(conversion, (CreateEnumStmt *)node);
        return true;
    case T_AlterEnumStmt:
        out->kind = AST_ALTER_ENUM;
        out->enumeration = convert_alter_enum(conversion, (AlterEnumStmt *)node);
        return true;
    case T_CommentStmt:
        out->kind = AST_COMMENT;
        out->comment = convert_comment(conversion, (CommentStmt *)node);
        return true;
    default:
        return false;
    }
}
