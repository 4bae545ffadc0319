/*
 * From SQL text to our syntax tree: the library's raw parser, then the conversion of statements. The
 * other pg_*.c files convert their parts.
 *
 * The raw tree lives in a memory context of the library that is left before returning; everything
 * kept is copied into the caller's arena. What the grammar accepts and we do not yet execute is
 * refused here by name (0A000), never ignored. The grammar bounds its own stack; the conversion
 * counts its depth (54001 past PARSE_DEPTH_MAX).
 */
#include <stdlib.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"
#include <common/keywords.h>
#include <pg_query.h>
#include <pg_query/pg_query_internal.h>

_Static_assert(T_RawStmt == 235 && T_SelectStmt == 242 && T_A_Expr == 355,
               "node tags of the headers are those of the library (15-4.0.0)");

/* INSERT, UPDATE, DELETE. */

static struct ast_conflict *
convert_conflict(struct pg__conversion *conversion, OnConflictClause *source)
{
    struct ast_conflict *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->location = source->location;
    out->update = source->action == ONCONFLICT_UPDATE;
    out->sets = pg__targets(conversion, source->targetList, &out->set_count);
    out->where = pg__optional(conversion, source->whereClause);
    if (source->infer == NULL)
        return out;
    out->predicate = pg__optional(conversion, source->infer->whereClause);
    if (source->infer->conname != NULL)
        out->constraint = pg__copy(conversion, source->infer->conname);
    size_t count = (size_t)list_length(source->infer->indexElems);
    out->columns = pg__take(conversion, count * sizeof(*out->columns));
    out->exprs = pg__take(conversion, count * sizeof(struct ast_expr *));
    if (out->columns == NULL || out->exprs == NULL)
        return NULL;
    foreach (cell, source->infer->indexElems) {
        IndexElem *element = lfirst(cell);

        if (element->name != NULL)
            out->columns[out->column_count] = pg__copy(conversion, element->name);
        out->exprs[out->column_count++] = pg__optional(conversion, element->expr);
    }
    return out;
}

static struct ast_insert *
convert_insert(struct pg__conversion *conversion, InsertStmt *insert)
{
    struct ast_insert *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->with = pg__with(conversion, insert->withClause);
    conversion->nesting++;
    out->table = pg__range_name(conversion, insert->relation);
    if (insert->relation->alias != NULL)
        out->alias = pg__copy(conversion, insert->relation->alias->aliasname);
    out->overriding = insert->override == OVERRIDING_USER_VALUE     ? AST_OVERRIDING_USER
                      : insert->override == OVERRIDING_SYSTEM_VALUE ? AST_OVERRIDING_SYSTEM
                                                                    : AST_OVERRIDING_NONE;
    if (insert->onConflictClause != NULL)
        out->conflict = convert_conflict(conversion, insert->onConflictClause);
    out->columns = pg__take(conversion, (size_t)list_length(insert->cols) * sizeof(*out->columns));
    if (out->columns == NULL)
        return NULL;
    foreach (cell, insert->cols)
        out->columns[out->column_count++] = pg__copy(conversion, ((ResTarget *)lfirst(cell))->name);
    if (insert->selectStmt != NULL)
        out->source = pg__select(conversion, (SelectStmt *)insert->selectStmt);
    out->returning = pg__targets(conversion, insert->returningList, &out->returning_count);
    conversion->nesting--;
    return out;
}

static struct ast_update *
convert_update(struct pg__conversion *conversion, UpdateStmt *update)
{
    struct ast_update *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->with = pg__with(conversion, update->withClause);
    conversion->nesting++;
    out->table = pg__range_name(conversion, update->relation);
    if (update->relation->alias != NULL)
        out->alias = pg__copy(conversion, update->relation->alias->aliasname);
    out->sets = pg__targets(conversion, update->targetList, &out->set_count);
    out->from = pg__from(conversion, update->fromClause, &out->from_count);
    out->where = pg__optional(conversion, update->whereClause);
    out->returning = pg__targets(conversion, update->returningList, &out->returning_count);
    conversion->nesting--;
    return out;
}

static struct ast_delete *
convert_delete(struct pg__conversion *conversion, DeleteStmt *source)
{
    struct ast_delete *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->with = pg__with(conversion, source->withClause);
    conversion->nesting++;
    out->table = pg__range_name(conversion, source->relation);
    if (source->relation->alias != NULL)
        out->alias = pg__copy(conversion, source->relation->alias->aliasname);
    out->from = pg__from(conversion, source->usingClause, &out->from_count);
    out->where = pg__optional(conversion, source->whereClause);
    out->returning = pg__targets(conversion, source->returningList, &out->returning_count);
    conversion->nesting--;
    return out;
}

struct ast_statement *
pg__change(struct pg__conversion *conversion, Node *node)
{
    struct ast_statement *out = pg__take(conversion, sizeof(*out));

    if (out == NULL || !pg__enter(conversion, -1))
        return NULL;
    if (IsA(node, InsertStmt)) {
        out->kind = AST_INSERT;
        out->insert = convert_insert(conversion, (InsertStmt *)node);
    } else if (IsA(node, UpdateStmt)) {
        out->kind = AST_UPDATE;
        out->update = convert_update(conversion, (UpdateStmt *)node);
    } else {
        out->kind = AST_DELETE;
        out->delete_from = convert_delete(conversion, (DeleteStmt *)node);
    }
    pg__leave(conversion);
    return out;
}

/* Statements. */

static void
convert_transaction(struct pg__conversion *conversion, TransactionStmt *source,
                    struct ast_statement *out)
{
    out->kind = AST_TRANSACTION;
    if (source->kind == TRANS_STMT_BEGIN || source->kind == TRANS_STMT_START)
        out->transaction = AST_BEGIN;
    else if (source->kind == TRANS_STMT_COMMIT)
        out->transaction = AST_COMMIT;
    else if (source->kind == TRANS_STMT_ROLLBACK)
        out->transaction = AST_ROLLBACK;
    else if (source->kind == TRANS_STMT_SAVEPOINT)
        out->transaction = AST_SAVEPOINT;
    else if (source->kind == TRANS_STMT_ROLLBACK_TO)
        out->transaction = AST_ROLLBACK_TO;
    else if (source->kind == TRANS_STMT_RELEASE)
        out->transaction = AST_RELEASE;
    else
        (void)pg__unsupported(conversion, -1, "this transaction statement");
    pg__modes(conversion, source->options, &out->modes);
    out->chain = source->chain;
    if (source->savepoint_name != NULL)
        out->savepoint = pg__copy(conversion, source->savepoint_name);
}

static void convert_statement(struct pg__conversion *conversion, Node *node,
                              struct ast_statement *out);

static void
convert_explain(struct pg__conversion *conversion, ExplainStmt *source, struct ast_statement *out)
{
    struct ast_explain options = pg__explain(conversion, source->options);
    struct ast_statement *other = pg__take(conversion, sizeof(*other));

    if (other == NULL)
        return;
    if (IsA(source->query, ExplainStmt)) {
        (void)pg__unsupported(conversion, -1, "EXPLAIN of EXPLAIN");
    } else if (IsA(source->query, ExecuteStmt)) {
        *other = (struct ast_statement){.kind = AST_EXPLAIN, .explain = options};
        convert_statement(conversion, source->query, out);
        out->explained = other;
    } else {
        convert_statement(conversion, source->query, other);
        out->kind = AST_EXPLAIN;
        out->explain = options;
        out->explained = other;
    }
}

static struct ast_prepare *
convert_prepare(struct pg__conversion *conversion, PrepareStmt *source)
{
    struct ast_prepare *out = pg__take(conversion, sizeof(*out));
    uint32_t parameter_max = conversion->parameter_max;
    ListCell *cell;

    if (out == NULL)
        return NULL;
    out->name = pg__copy(conversion, source->name);
    out->types = pg__take(conversion, (size_t)list_length(source->argtypes) * sizeof(*out->types));
    out->query = pg__take(conversion, sizeof(*out->query));
    if (out->types == NULL || out->query == NULL)
        return NULL;
    foreach (cell, source->argtypes)
        out->types[out->type_count++] = pg__type(conversion, lfirst(cell));
    conversion->parameter_max = 0;
    convert_statement(conversion, source->query, out->query);
    out->parameter_count = conversion->parameter_max;
    conversion->parameter_max = parameter_max;
    return out;
}

/* The arguments are a query of one row. */
static struct ast_prepare *
convert_execute(struct pg__conversion *conversion, ExecuteStmt *source)
{
    struct ast_prepare *out = pg__take(conversion, sizeof(*out));
    uint32_t count = 0;

    if (out == NULL)
        return NULL;
    out->name = pg__copy(conversion, source->name);
    out->query = pg__take(conversion, sizeof(*out->query));
    out->arguments = pg__take(conversion, sizeof(*out->arguments));
    struct ast_expr **exprs = pg__exprs(conversion, source->params, &count);
    struct ast_target *targets = pg__take(conversion, count * sizeof(*targets));
    if (out->query == NULL || out->arguments == NULL || exprs == NULL || targets == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        targets[i] = (struct ast_target){.expr = exprs[i], .location = -1};
    out->arguments->location = -1;
    out->arguments->target_count = count;
    out->arguments->targets = targets;
    *out->query = (struct ast_statement){.kind = AST_SELECT, .select = out->arguments};
    return out;
}

static struct ast_prepare *
convert_deallocate(struct pg__conversion *conversion, DeallocateStmt *source)
{
    struct ast_prepare *out = pg__take(conversion, sizeof(*out));

    if (out != NULL && source->name != NULL)
        out->name = pg__copy(conversion, source->name);
    return out;
}

/* SELECT ... INTO is CREATE TABLE AS. */
static void
convert_query(struct pg__conversion *conversion, SelectStmt *select, struct ast_statement *out)
{
    IntoClause *into = select->intoClause;
    CreateTableAsStmt as = {.type = T_CreateTableAsStmt,
                            .query = (Node *)select,
                            .into = into,
                            .objtype = OBJECT_TABLE};

    if (into != NULL) {
        select->intoClause = NULL;
        convert_statement(conversion, (Node *)&as, out);
        return;
    }
    out->kind = AST_SELECT;
    out->select = pg__select(conversion, select);
}

static void
convert_kind(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
        convert_query(conversion, (SelectStmt *)node, out);
        return;
    case T_InsertStmt:
        out->kind = AST_INSERT;
        out->insert = convert_insert(conversion, (InsertStmt *)node);
        return;
    case T_UpdateStmt:
        out->kind = AST_UPDATE;
        out->update = convert_update(conversion, (UpdateStmt *)node);
        return;
    case T_DeleteStmt:
        out->kind = AST_DELETE;
        out->delete_from = convert_delete(conversion, (DeleteStmt *)node);
        return;
    case T_TransactionStmt:
        convert_transaction(conversion, (TransactionStmt *)node, out);
        return;
    case T_CopyStmt:
        out->kind = AST_COPY;
        out->copy = pg__copy_statement(conversion, (CopyStmt *)node);
        return;
    case T_PrepareStmt:
        out->kind = AST_PREPARE;
        out->prepare = convert_prepare(conversion, (PrepareStmt *)node);
        return;
    case T_ExecuteStmt:
        out->kind = AST_EXECUTE;
        out->prepare = convert_execute(conversion, (ExecuteStmt *)node);
        return;
    case T_DeallocateStmt:
        out->kind = AST_DEALLOCATE;
        out->prepare = convert_deallocate(conversion, (DeallocateStmt *)node);
        return;
    case T_ExplainStmt:
        convert_explain(conversion, (ExplainStmt *)node, out);
        return;
    default:
        if (!pg__cursor(conversion, node, out) && !pg__definition(conversion, node, out))
            (void)pg__unsupported(conversion, -1, "this statement");
    }
}

void
pg__statement(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    convert_statement(conversion, node, out);
}

static void
convert_statement(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    uint32_t nesting = conversion->nesting;

    conversion->locks = conversion->changes = false;
    conversion->nesting = 0;
    convert_kind(conversion, node, out);
    conversion->nesting = nesting;
    out->locks = conversion->locks;
    out->changes = conversion->changes;
}

static struct ast_statement *
convert_statements(struct pg__conversion *conversion, const char *sql, List *tree,
                   uint32_t *count_out)
{
    struct ast_statement *statements =
        pg__take(conversion, (size_t)list_length(tree) * sizeof(*statements));
    uint32_t next = 0;
    ListCell *cell;

    if (statements == NULL)
        return NULL;
    foreach (cell, tree) {
        RawStmt *raw = lfirst(cell);
        struct ast_statement *out = &statements[next++];

        out->location = raw->stmt_location;
        out->size = raw->stmt_len > 0 ? raw->stmt_len : (int32_t)strlen(sql + raw->stmt_location);
        convert_statement(conversion, raw->stmt, out);
    }
    *count_out = next;
    return statements;
}

/* Syntax errors are placed by character, from 1; everything else of the library counts bytes from 0. */
static int32_t
byte_of_character(const char *sql, int character)
{
    const char *at = sql;

    while (character-- > 1 && *at != '\0') {
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
    }
    return (int32_t)(at - sql);
}

/* The library gives no SQLSTATE: what the scanner and the grammar report is a syntax error. */
static enum status
syntax_error(const PgQueryError *source, const char *sql, struct sql_error *error)
{
    bool depth = strstr(source->message, "memory exhausted") != NULL;
    int32_t location = source->cursorpos > 0 ? byte_of_character(sql, source->cursorpos) : -1;

    return sql_error_set(error, depth ? "54001" : "42601", location, "%s", source->message);
}

enum status
sql_parse(const char *sql, struct arena *arena, struct ast_statement **statements_out,
          uint32_t *count_out, struct sql_error *error)
{
    struct pg__conversion conversion = {.arena = arena, .error = error, .status = STATUS_OK};
    struct ast_statement *statements = NULL;
    uint32_t count = 0;
    MemoryContext context = pg_query_enter_memory_context();
    PgQueryInternalParsetreeAndError raw = pg_query_raw_parse(sql);

    free(raw.stderr_buffer);
    if (raw.error != NULL) {
        conversion.status = syntax_error(raw.error, sql, error);
        pg_query_free_error(raw.error);
    } else {
        statements = convert_statements(&conversion, sql, raw.tree, &count);
    }
    pg_query_exit_memory_context(context);
    if (conversion.status != STATUS_OK)
        return conversion.status;
    *statements_out = statements;
    *count_out = count;
    return STATUS_OK;
}

bool
parse_is_keyword(const char *word, size_t size)
{
    char text[64];

    if (size >= sizeof(text) || memchr(word, '\0', size) != NULL)
        return false;
    memcpy(text, word, size);
    text[size] = '\0';
    int keyword = ScanKeywordLookup(text, &ScanKeywords);
    return keyword >= 0 && ScanKeywordCategories[keyword] != UNRESERVED_KEYWORD;
}
