/* SET, RESET, SHOW, ALTER DATABASE ... SET, transaction modes, MERGE, ANALYZE, VACUUM, LOCK and DISCARD. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "executor/ast_define.h"
#include "executor/interval.h"
#include "executor/pg_private.h"
#include "executor/text_out.h"
#include "kernel/qtdb.h"

/* Transaction modes. */

static int32_t
isolation_of(struct pg__conversion *conversion, const char *name)
{
    if (strcmp(name, "serializable") == 0)
        return QTDB_SERIALIZABLE;
    if (strcmp(name, "repeatable read") == 0)
        return QTDB_REPEATABLE_READ;
    if (strcmp(name, "read committed") == 0 || strcmp(name, "read uncommitted") == 0)
        return QTDB_READ_COMMITTED;
    (void)pg__fail(conversion, "22023", -1, "there is no such isolation level");
    return -1;
}

void
pg__modes(struct pg__conversion *conversion, List *options, struct ast_transaction_modes *out)
{
    ListCell *cell;

    *out = (struct ast_transaction_modes){-1, -1};
    foreach (cell, options) {
        DefElem *option = lfirst(cell);
        A_Const *value = (A_Const *)option->arg;

        if (strcmp(option->defname, "transaction_isolation") == 0)
            out->isolation = isolation_of(conversion, strVal(&value->val));
        else if (strcmp(option->defname, "transaction_read_only") == 0)
            out->read_only = intVal(&value->val) != 0;
        else if (intVal(&value->val) != 0)
            (void)pg__unsupported(conversion, option->location, "DEFERRABLE");
    }
}

/* SET, RESET, SHOW. */

/* SET TIME ZONE INTERVAL '2' HOUR becomes INTERVAL '02:00:00'. */
static const char *
interval_value_text(struct pg__conversion *conversion, const TypeCast *cast)
{
    A_Const *constant = (A_Const *)cast->arg;
    const List *fields = cast->typeName->typmods;
    struct sql_type type = {QTDB_TYPE_INTERVAL, -1, -1};
    struct text_out text = {.arena = conversion->arena};
    struct value value, quoted;
    size_t size = 0;

    if (fields != NIL)
        type.precision = intVal(&((A_Const *)linitial(fields))->val);
    const char *given = strVal(&constant->val);
    enum status status =
        interval_parse(&type, given, strlen(given), conversion->arena, &value, conversion->error);
    if (status == STATUS_INVALID)
        conversion->error->location = constant->location;
    const char *shown =
        status == STATUS_OK ? interval_print(&value, conversion->arena, &size) : NULL;
    text_out_puts(&text, "INTERVAL '");
    if (shown != NULL)
        text_out_put(&text, shown, size);
    text_out_puts(&text, "'");
    if (status == STATUS_OK)
        status = shown == NULL ? STATUS_NO_MEMORY : text_out_value(&text, QTDB_TYPE_TEXT, &quoted);
    if (status != STATUS_OK)
        conversion->status = status;
    return status == STATUS_OK ? text.bytes : NULL;
}

static const char *
setting_value(struct pg__conversion *conversion, Node *node)
{
    char digits[32];

    if (IsA(node, TypeCast) && IsA(((TypeCast *)node)->arg, A_Const))
        return interval_value_text(conversion, (TypeCast *)node);
    if (!IsA(node, A_Const))
        return pg__unsupported(conversion, -1, "this form of SET");
    A_Const *constant = (A_Const *)node;
    switch (nodeTag(&constant->val)) {
    case T_String:
        return pg__copy(conversion, strVal(&constant->val));
    case T_Float:
        return pg__copy(conversion, constant->val.fval.fval);
    case T_Integer:
        (void)snprintf(digits, sizeof(digits), "%d", intVal(&constant->val));
        return pg__copy(conversion, digits);
    case T_Boolean:
        return pg__copy(conversion, boolVal(&constant->val) ? "on" : "off");
    default:
        return pg__unsupported(conversion, constant->location, "this form of SET");
    }
}

static struct ast_set *
convert_multi(struct pg__conversion *conversion, VariableSetStmt *source, struct ast_set *out)
{
    out->what = strcmp(source->name, "TRANSACTION") == 0               ? AST_SET_TRANSACTION
                : strcmp(source->name, "SESSION CHARACTERISTICS") == 0 ? AST_SET_SESSION
                                                                       : 0;
    if (out->what == 0)
        return pg__unsupported(conversion, -1, "SET TRANSACTION SNAPSHOT");
    pg__modes(conversion, source->args, &out->modes);
    return out;
}

static struct ast_set *
convert_set(struct pg__conversion *conversion, VariableSetStmt *source)
{
    struct ast_set *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->local = source->is_local;
    if (source->kind == VAR_SET_MULTI)
        return convert_multi(conversion, source, out);
    if (source->kind == VAR_SET_CURRENT)
        return pg__unsupported(conversion, -1, "SET ... FROM CURRENT");
    out->what = source->kind == VAR_SET_VALUE ? AST_SET_VALUE : AST_SET_RESET;
    out->to_default = source->kind == VAR_SET_DEFAULT;
    out->name = source->name == NULL ? NULL : pg__copy(conversion, source->name);
    out->values = pg__take(conversion, (size_t)list_length(source->args) * sizeof(*out->values));
    if (out->values == NULL)
        return NULL;
    foreach (cell, source->args)
        out->values[out->value_count++] = setting_value(conversion, lfirst(cell));
    return out;
}

static struct ast_set *
convert_database(struct pg__conversion *conversion, AlterDatabaseSetStmt *source)
{
    struct ast_set *out = convert_set(conversion, source->setstmt);

    if (out != NULL)
        out->database = pg__copy(conversion, source->dbname);
    return out;
}

static struct ast_set *
convert_show(struct pg__conversion *conversion, VariableShowStmt *source)
{
    struct ast_set *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    if (strcmp(source->name, "all") != 0)
        out->name = pg__copy(conversion, source->name);
    return out;
}

/* MERGE. */

static void
convert_insert_columns(struct pg__conversion *conversion, MergeWhenClause *source,
                       struct ast_merge_when *out)
{
    ListCell *cell;

    out->columns =
        pg__take(conversion, (size_t)list_length(source->targetList) * sizeof(*out->columns));
    if (out->columns == NULL)
        return;
    foreach (cell, source->targetList)
        out->columns[out->column_count++] = pg__copy(conversion, ((ResTarget *)lfirst(cell))->name);
    out->values = pg__exprs(conversion, source->values, &out->value_count);
}

static void
convert_when(struct pg__conversion *conversion, MergeWhenClause *source, struct ast_merge_when *out)
{
    out->matched = source->matched;
    out->location = -1;
    out->condition = pg__optional(conversion, source->condition);
    if (source->override != OVERRIDING_NOT_SET)
        (void)pg__unsupported(conversion, -1, "OVERRIDING in MERGE");
    switch (source->commandType) {
    case CMD_INSERT:
        out->action = AST_INSERT;
        convert_insert_columns(conversion, source, out);
        return;
    case CMD_UPDATE:
        out->action = AST_UPDATE;
        out->sets = pg__targets(conversion, source->targetList, &out->set_count);
        return;
    case CMD_DELETE:
        out->action = AST_DELETE;
        return;
    default:
        return;
    }
}

static struct ast_merge *
convert_merge(struct pg__conversion *conversion, MergeStmt *source)
{
    struct ast_merge *out = pg__take(conversion, sizeof(*out));
    struct ast_from **sources = NULL;
    uint32_t count = 0;
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->with = pg__with(conversion, source->withClause);
    conversion->nesting++;
    sources = pg__from(conversion, list_make1(source->sourceRelation), &count);
    if (sources == NULL)
        return NULL;
    out->table = pg__range_name(conversion, source->relation);
    if (source->relation->alias != NULL)
        out->alias = pg__copy(conversion, source->relation->alias->aliasname);
    out->source = sources[0];
    out->on = pg__expr(conversion, source->joinCondition);
    out->whens =
        pg__take(conversion, (size_t)list_length(source->mergeWhenClauses) * sizeof(*out->whens));
    if (out->whens == NULL)
        return NULL;
    foreach (cell, source->mergeWhenClauses)
        convert_when(conversion, lfirst(cell), &out->whens[out->when_count++]);
    conversion->nesting--;
    return out;
}

/* ANALYZE and VACUUM. */

/* An option is given by its name alone, or with a value that says yes or no. */
static bool
is_off(const DefElem *option)
{
    if (option->arg == NULL)
        return false;
    if (IsA(option->arg, Integer))
        return intVal(option->arg) == 0;
    return IsA(option->arg, String) && (strcasecmp(strVal(option->arg), "off") == 0 ||
                                        strcasecmp(strVal(option->arg), "false") == 0);
}

static struct ast_analyze *
convert_vacuum(struct pg__conversion *conversion, VacuumStmt *source)
{
    struct ast_analyze *out = pg__take(conversion, sizeof(*out));
    struct ast_analyze_table *tables =
        pg__take(conversion, (size_t)list_length(source->rels) * sizeof(*tables));
    ListCell *cell;

    if (out == NULL || tables == NULL)
        return NULL;
    foreach (cell, source->options) {
        const DefElem *option = lfirst(cell);

        if (is_off(option))
            continue;
        if (strcmp(option->defname, "full") == 0)
            return pg__unsupported(conversion, option->location,
                                   "VACUUM FULL (qtdb_compact writes a file without gaps)");
        if (strcmp(option->defname, "analyze") != 0 || !source->is_vacuumcmd)
            return pg__unsupported(conversion, option->location,
                                   "this option of VACUUM or ANALYZE");
        out->analyzes = true;
    }
    foreach (cell, source->rels) {
        const VacuumRelation *from = lfirst(cell);
        struct ast_analyze_table *table = &tables[out->count++];

        table->name = pg__range_name(conversion, from->relation);
        table->columns = pg__names(conversion, from->va_cols, &table->column_count);
    }
    out->tables = tables;
    return out;
}

/* LOCK, DISCARD. */

/* Modes up to ROW EXCLUSIVE let others change rows. */
static struct ast_lock *
convert_lock(struct pg__conversion *conversion, LockStmt *source)
{
    enum { ROW_EXCLUSIVE = 3 };
    struct ast_lock *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->tables =
        pg__take(conversion, (size_t)list_length(source->relations) * sizeof(*out->tables));
    if (out->tables == NULL)
        return NULL;
    foreach (cell, source->relations)
        out->tables[out->count++] = pg__range_name(conversion, lfirst(cell));
    out->exclusive = source->mode > ROW_EXCLUSIVE;
    out->wait = !source->nowait;
    return out;
}

static enum ast_discard
discard_of(const DiscardStmt *source)
{
    return source->target == DISCARD_ALL         ? AST_DISCARD_ALL
           : source->target == DISCARD_PLANS     ? AST_DISCARD_PLANS
           : source->target == DISCARD_SEQUENCES ? AST_DISCARD_SEQUENCES
                                                 : AST_DISCARD_TEMPORARY;
}

bool
pg__setting(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    switch (nodeTag(node)) {
    case T_VariableSetStmt:
        out->kind = AST_SET;
        out->set = convert_set(conversion, (VariableSetStmt *)node);
        return true;
    case T_AlterDatabaseSetStmt:
        out->kind = AST_ALTER_DATABASE;
        out->set = convert_database(conversion, (AlterDatabaseSetStmt *)node);
        return true;
    case T_VariableShowStmt:
        out->kind = AST_SHOW;
        out->set = convert_show(conversion, (VariableShowStmt *)node);
        return true;
    case T_VacuumStmt:
        out->kind = ((VacuumStmt *)node)->is_vacuumcmd ? AST_VACUUM : AST_ANALYZE;
        out->analyze = convert_vacuum(conversion, (VacuumStmt *)node);
        return true;
    case T_LockStmt:
        out->kind = AST_LOCK;
        out->lock = convert_lock(conversion, (LockStmt *)node);
        return true;
    case T_CheckPointStmt:
        out->kind = AST_CHECKPOINT;
        return true;
    case T_DiscardStmt:
        out->kind = AST_DISCARD;
        out->discard = discard_of((DiscardStmt *)node);
        return true;
    case T_MergeStmt:
        out->kind = AST_MERGE;
        out->merge = convert_merge(conversion, (MergeStmt *)node);
        return true;
    default:
        return false;
    }
}
