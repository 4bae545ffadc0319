/* Definitions: CREATE TABLE, SCHEMA, INDEX, VIEW, and DROP. The rest is in pg_alter.c. */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"

static enum ast_constraint_kind
constraint_kind(struct pg__conversion *conversion, Constraint *source)
{
    switch (source->contype) {
    case CONSTR_NULL:
        return AST_CONSTRAINT_NULL;
    case CONSTR_NOTNULL:
        return AST_CONSTRAINT_NOT_NULL;
    case CONSTR_PRIMARY:
        return AST_CONSTRAINT_PRIMARY_KEY;
    case CONSTR_UNIQUE:
        return AST_CONSTRAINT_UNIQUE;
    case CONSTR_CHECK:
        return AST_CONSTRAINT_CHECK;
    case CONSTR_DEFAULT:
        return AST_CONSTRAINT_DEFAULT;
    case CONSTR_FOREIGN:
        return AST_CONSTRAINT_REFERENCES;
    case CONSTR_IDENTITY:
        return AST_CONSTRAINT_IDENTITY;
    case CONSTR_GENERATED:
        return AST_CONSTRAINT_GENERATED;
    case CONSTR_ATTR_NOT_DEFERRABLE:
    case CONSTR_ATTR_IMMEDIATE:
        return AST_CONSTRAINT_NULL;
    case CONSTR_ATTR_DEFERRABLE:
    case CONSTR_ATTR_DEFERRED:
        (void)pg__unsupported(conversion, source->location, "a DEFERRABLE constraint");
        return AST_CONSTRAINT_NULL;
    default:
        (void)pg__unsupported(conversion, source->location, "this kind of constraint");
        return AST_CONSTRAINT_NULL;
    }
}

static enum ast_action
convert_action(char action)
{
    switch (action) {
    case FKCONSTR_ACTION_RESTRICT:
        return AST_RESTRICT;
    case FKCONSTR_ACTION_CASCADE:
        return AST_CASCADE;
    case FKCONSTR_ACTION_SETNULL:
        return AST_SET_NULL;
    case FKCONSTR_ACTION_SETDEFAULT:
        return AST_SET_DEFAULT;
    default:
        return AST_NO_ACTION;
    }
}

static void
convert_foreign(struct pg__conversion *conversion, Constraint *source, struct ast_constraint *out)
{
    if (source->fk_matchtype == FKCONSTR_MATCH_FULL)
        (void)pg__unsupported(conversion, source->location, "MATCH FULL");
    if (source->fk_del_set_cols != NIL)
        (void)pg__unsupported(conversion, source->location, "SET NULL of some columns");
    out->foreign_table = pg__range_name(conversion, source->pktable);
    out->foreign_columns = pg__names(conversion, source->pk_attrs, &out->foreign_count);
    out->on_update = convert_action(source->fk_upd_action);
    out->on_delete = convert_action(source->fk_del_action);
}

void
pg__constraint(struct pg__conversion *conversion, Constraint *source, struct ast_constraint *out)
{
    bool foreign = source->contype == CONSTR_FOREIGN;

    out->kind = constraint_kind(conversion, source);
    out->location = source->location;
    out->name = source->conname == NULL ? NULL : pg__copy(conversion, source->conname);
    if (source->deferrable || source->initdeferred)
        (void)pg__unsupported(conversion, source->location, "a DEFERRABLE constraint");
    if (source->including != NIL || source->indexname != NULL)
        (void)pg__unsupported(conversion, source->location,
                              "INCLUDE or USING INDEX in a constraint");
    out->nulls_equal = source->contype == CONSTR_UNIQUE && source->nulls_not_distinct;
    out->columns =
        pg__names(conversion, foreign ? source->fk_attrs : source->keys, &out->column_count);
    out->expr = pg__optional(conversion, source->raw_expr);
    out->not_valid = source->skip_validation;
    out->always = source->generated_when == 'a';
    if (source->contype == CONSTR_IDENTITY)
        out->options = pg__sequence_options(conversion, source->options, &out->option_count);
    if (foreign)
        convert_foreign(conversion, source, out);
}

static struct ast_constraint *
convert_constraints(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_constraint *constraints =
        pg__take(conversion, (size_t)list_length(list) * sizeof(*constraints));
    uint32_t next = 0;
    ListCell *cell;

    if (constraints == NULL)
        return NULL;
    foreach (cell, list)
        pg__constraint(conversion, lfirst(cell), &constraints[next++]);
    *count_out = next;
    return constraints;
}

void
pg__column_definition(struct pg__conversion *conversion, ColumnDef *source,
                      struct ast_column_definition *out)
{
    pg__collation(conversion, source->collClause);
    out->location = source->location;
    out->name = pg__copy(conversion, source->colname);
    out->type = pg__type(conversion, source->typeName);
    out->constraints = convert_constraints(conversion, source->constraints, &out->constraint_count);
}

/* Storage, compression and extended statistics are nothing that a table of ours has. */
static void
convert_like(struct pg__conversion *conversion, TableLikeClause *source, uint32_t column,
             struct ast_like *out)
{
    static const struct {
        uint32_t theirs;
        enum ast_like_option ours;
    } options[] = {
        {CREATE_TABLE_LIKE_COMMENTS, AST_LIKE_COMMENTS},
        {CREATE_TABLE_LIKE_CONSTRAINTS, AST_LIKE_CHECKS},
        {CREATE_TABLE_LIKE_DEFAULTS, AST_LIKE_DEFAULTS},
        {CREATE_TABLE_LIKE_GENERATED, AST_LIKE_GENERATED},
        {CREATE_TABLE_LIKE_IDENTITY, AST_LIKE_IDENTITY},
        {CREATE_TABLE_LIKE_INDEXES, AST_LIKE_INDEXES},
    };

    *out =
        (struct ast_like){.table = pg__range_name(conversion, source->relation), .column = column};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        out->options |= (source->options & options[i].theirs) != 0 ? options[i].ours : 0;
}

static struct ast_create_table *
convert_create_table(struct pg__conversion *conversion, CreateStmt *source)
{
    struct ast_create_table *out = pg__take(conversion, sizeof(*out));
    List *constraints = NIL;
    ListCell *cell;

    if (source->inhRelations != NIL || source->partspec != NULL || source->ofTypename != NULL ||
        source->options != NIL)
        return pg__unsupported(conversion, source->relation->location,
                               "INHERITS, PARTITION, OF or WITH in CREATE TABLE");
    if (out == NULL)
        return NULL;
    out->table = pg__range_name(conversion, source->relation);
    out->if_not_exists = source->if_not_exists;
    out->on_commit = pg__on_commit(conversion, source->relation, source->oncommit);
    out->columns =
        pg__take(conversion, (size_t)list_length(source->tableElts) * sizeof(*out->columns));
    out->likes = pg__take(conversion, (size_t)list_length(source->tableElts) * sizeof(*out->likes));
    if (out->columns == NULL || out->likes == NULL)
        return NULL;
    foreach (cell, source->tableElts) {
        if (IsA(lfirst(cell), ColumnDef))
            pg__column_definition(conversion, lfirst(cell), &out->columns[out->column_count++]);
        else if (IsA(lfirst(cell), Constraint))
            constraints = lappend(constraints, lfirst(cell));
        else if (IsA(lfirst(cell), TableLikeClause))
            convert_like(conversion, lfirst(cell), out->column_count,
                         &out->likes[out->like_count++]);
        else
            return pg__unsupported(conversion, -1, "this element of CREATE TABLE");
    }
    out->constraints = convert_constraints(conversion, constraints, &out->constraint_count);
    return out;
}

static struct ast_create_schema *
convert_create_schema(struct pg__conversion *conversion, CreateSchemaStmt *source)
{
    struct ast_create_schema *out = pg__take(conversion, sizeof(*out));

    if (source->schemaElts != NIL || source->authrole != NULL || source->schemaname == NULL)
        return pg__unsupported(conversion, -1, "AUTHORIZATION or elements in CREATE SCHEMA");
    if (out == NULL)
        return NULL;
    out->name = pg__copy(conversion, source->schemaname);
    out->if_not_exists = source->if_not_exists;
    return out;
}

static struct ast_drop *
convert_drop(struct pg__conversion *conversion, DropStmt *source)
{
    struct ast_drop *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->kind = source->removeType == OBJECT_TABLE      ? AST_DROP_TABLE
                : source->removeType == OBJECT_SCHEMA   ? AST_DROP_SCHEMA
                : source->removeType == OBJECT_INDEX    ? AST_DROP_INDEX
                : source->removeType == OBJECT_SEQUENCE ? AST_DROP_SEQUENCE
                : source->removeType == OBJECT_TYPE     ? AST_DROP_TYPE
                                                        : AST_DROP_VIEW;
    if (out->kind == AST_DROP_VIEW && source->removeType != OBJECT_VIEW)
        return pg__unsupported(conversion, -1, "this kind of DROP");
    out->if_exists = source->missing_ok;
    out->cascade = source->behavior == DROP_CASCADE;
    out->names = pg__take(conversion, (size_t)list_length(source->objects) * sizeof(*out->names));
    if (out->names == NULL)
        return NULL;
    foreach (cell, source->objects) {
        struct ast_name *name = &out->names[out->name_count++];

        name->location = -1;
        if (out->kind == AST_DROP_SCHEMA) {
            name->name = pg__copy(conversion, strVal(lfirst(cell)));
            continue;
        }
        List *parts = out->kind == AST_DROP_TYPE ? ((TypeName *)lfirst(cell))->names : lfirst(cell);
        name->name = pg__copy(conversion, strVal(llast(parts)));
        if (list_length(parts) > 1)
            name->schema = pg__copy(conversion, strVal(list_nth(parts, list_length(parts) - 2)));
    }
    return out;
}

/* Texts compare by bytes, which is what text_pattern_ops and the collation "C" ask for. */
static void
check_order(struct pg__conversion *conversion, const IndexElem *element, int location)
{
    static const char ending[] = "_pattern_ops";
    CollateClause collation = {.type = T_CollateClause, .collname = element->collation};

    if (element->collation != NIL)
        pg__collation(conversion, &collation);
    if (element->opclass == NIL)
        return;
    const char *name = strVal(llast(element->opclass));
    size_t size = strlen(name);
    if (size < sizeof(ending) || strcmp(name + size - (sizeof(ending) - 1), ending) != 0)
        (void)pg__unsupported(conversion, location, "this operator class in an index");
}

/* Nulls come last, or first where the order is descending. */
static uint8_t
order_of(const IndexElem *element)
{
    bool descending = element->ordering == SORTBY_DESC;
    bool nulls_first = element->nulls_ordering == SORTBY_NULLS_DEFAULT
                           ? descending
                           : element->nulls_ordering == SORTBY_NULLS_FIRST;

    return (uint8_t)((descending ? 1 : 0) | (nulls_first ? 2 : 0));
}

static struct ast_create_index *
convert_create_index(struct pg__conversion *conversion, IndexStmt *source)
{
    struct ast_create_index *out = pg__take(conversion, sizeof(*out));
    int location = source->relation->location;
    ListCell *cell;

    if (source->options != NIL || source->excludeOpNames != NIL)
        return pg__unsupported(conversion, location, "WITH in CREATE INDEX");
    if (strcmp(source->accessMethod, "btree") != 0 && strcmp(source->accessMethod, "rmi") != 0)
        return pg__fail(conversion, "42704", -1, "access method does not exist: use btree or rmi");
    if (out == NULL)
        return NULL;
    out->name = source->idxname == NULL ? NULL : pg__copy(conversion, source->idxname);
    out->table = pg__range_name(conversion, source->relation);
    out->unique = source->unique;
    out->nulls_equal = source->unique && source->nulls_not_distinct;
    out->if_not_exists = source->if_not_exists;
    out->learned = strcmp(source->accessMethod, "rmi") == 0;
    out->where = pg__optional(conversion, source->whereClause);
    size_t count = (size_t)list_length(source->indexParams);
    out->columns = pg__take(conversion, count * sizeof(*out->columns));
    out->exprs = pg__take(conversion, count * sizeof(*out->exprs));
    out->orders = pg__take(conversion, count * sizeof(*out->orders));
    out->includes = pg__take(conversion, (size_t)list_length(source->indexIncludingParams) *
                                             sizeof(*out->includes));
    if (out->columns == NULL || out->exprs == NULL || out->orders == NULL || out->includes == NULL)
        return NULL;
    foreach (cell, source->indexParams) {
        IndexElem *element = lfirst(cell);

        check_order(conversion, element, location);
        out->orders[out->column_count] = order_of(element);
        if (element->name != NULL)
            out->columns[out->column_count] = pg__copy(conversion, element->name);
        out->exprs[out->column_count++] = pg__optional(conversion, element->expr);
    }
    foreach (cell, source->indexIncludingParams) {
        IndexElem *element = lfirst(cell);

        if (element->name == NULL)
            return pg__unsupported(conversion, location, "an expression in INCLUDE");
        out->includes[out->include_count++] = pg__copy(conversion, element->name);
    }
    return out;
}

static struct ast_create_view *
convert_create_view(struct pg__conversion *conversion, ViewStmt *source)
{
    struct ast_create_view *out = pg__take(conversion, sizeof(*out));

    if (source->options != NIL || !IsA(source->query, SelectStmt))
        return pg__unsupported(conversion, source->view->location, "this form of CREATE VIEW");
    if (out == NULL)
        return NULL;
    out->name = pg__range_name(conversion, source->view);
    out->check = source->withCheckOption == LOCAL_CHECK_OPTION      ? AST_CHECK_LOCAL
                 : source->withCheckOption == CASCADED_CHECK_OPTION ? AST_CHECK_CASCADED
                                                                    : AST_CHECK_NONE;
    out->replace = source->replace;
    out->column_names = pg__names(conversion, source->aliases, &out->column_name_count);
    out->query = pg__select(conversion, (SelectStmt *)source->query);
    if (conversion->locks)
        return pg__unsupported(conversion, source->view->location, "FOR UPDATE in a view");
    if (conversion->changes)
        return pg__fail(conversion, "0A000", -1,
                        "views must not contain data-modifying statements in WITH");
    return out;
}

bool
pg__definition(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    switch (nodeTag(node)) {
    case T_CreateStmt:
        out->kind = AST_CREATE_TABLE;
        out->create_table = convert_create_table(conversion, (CreateStmt *)node);
        return true;
    case T_CreateSchemaStmt:
        out->kind = AST_CREATE_SCHEMA;
        out->create_schema = convert_create_schema(conversion, (CreateSchemaStmt *)node);
        return true;
    case T_IndexStmt:
        out->kind = AST_CREATE_INDEX;
        out->create_index = convert_create_index(conversion, (IndexStmt *)node);
        return true;
    case T_ViewStmt:
        out->kind = AST_CREATE_VIEW;
        out->create_view = convert_create_view(conversion, (ViewStmt *)node);
        return true;
    case T_DropStmt:
        out->kind = AST_DROP;
        out->drop = convert_drop(conversion, (DropStmt *)node);
        return true;
    default:
        return pg__alteration(conversion, node, out) || pg__setting(conversion, node, out);
    }
}
