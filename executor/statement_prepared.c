/*
 * PREPARE, EXECUTE, DEALLOCATE. A session keeps the text of each PREPARE; EXECUTE takes a statement of that
 * text from the session's statement cache, so that its plan is kept as any other's, and runs the query
 * inside. Names are the session's and no part of transactions.
 *
 * A parameter with a declared type gets a value of that type by assignment; one without gets the
 * value's text, which takes the type of what it stands beside, as an untyped literal does.
 */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/session.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

/* Names. */

static struct session_prepared **
find_link(struct qtdb_session *session, const char *name)
{
    struct session_prepared **link = &session->prepared;

    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static void
forget(struct qtdb_session *session, struct session_prepared **link)
{
    struct session_prepared *prepared = *link;

    *link = prepared->next;
    memory_free(session->memory, MEMORY_SQL, prepared, prepared->size);
}

void
session_forget_prepared(struct qtdb_session *session)
{
    while (session->prepared != NULL)
        forget(session, &session->prepared);
}

static enum status
refuse_unknown(struct qtdb_statement *statement, const char *name)
{
    return sql_error_set(&statement->error, "26000", -1, "prepared statement \"%s\" does not exist",
                         name);
}

/* A failure inside a block aborts it. */
static enum status
note_failure(const struct qtdb_statement *statement, enum status status)
{
    if (status != STATUS_OK && statement->session->txn != NULL)
        statement->session->aborted = true;
    return status;
}

/* PREPARE. */

/* One block: the struct, types, name, text. */
static enum status
make_prepared(struct qtdb_statement *statement, struct session_prepared **out)
{
    const struct ast_prepare *ast = statement->ast->prepare;
    const char *text = statement->sql + statement->ast->location;
    size_t text_size = (size_t)statement->ast->size, name_size = strlen(ast->name) + 1;
    uint32_t count =
        ast->type_count > ast->parameter_count ? ast->type_count : ast->parameter_count;
    size_t size = sizeof(struct session_prepared) + count * sizeof(enum qtdb_type) + name_size +
                  text_size + 1;
    struct session_prepared *prepared = memory_alloc(statement->session->memory, MEMORY_SQL, size);

    if (prepared == NULL)
        return STATUS_NO_MEMORY;
    enum qtdb_type *types = (enum qtdb_type *)(prepared + 1);
    char *name = (char *)(types + count);
    memcpy(name, ast->name, name_size);
    memcpy(name + name_size, text, text_size);
    *prepared = (struct session_prepared){.size = size,
                                          .name = name,
                                          .text = name + name_size,
                                          .parameter_count = count,
                                          .types = types};
    *out = prepared;
    struct bind bind = {.error = &statement->error}; /* Without enums: there is no transaction. */
    for (uint32_t i = 0; i < ast->type_count; i++) {
        struct sql_type type = {QTDB_TYPE_NULL, -1, -1};

        if (strcmp(ast->types[i].name, "unknown") != 0)
            TRY(bind_type(&bind, &ast->types[i], &type));
        types[i] = type.type;
    }
    return STATUS_OK;
}

/* What was reported for the thread, as a status with its error; places are in the PREPARE's text. */
static enum status
take_report(struct qtdb_statement *statement, enum qtdb_code code,
            const struct qtdb_statement *inner)
{
    const struct qtdb_error *error = qtdb_error_last();

    if (error->sqlstate[0] == '\0')
        return (enum status)code;
    (void)sql_error_set(&statement->error, error->sqlstate, -1, "%s", error->message);
    if (inner != NULL && inner->error.location >= 0)
        statement->error.location = inner->error.location + statement->ast->location;
    return (enum status)code;
}

static enum status
open_inner(struct qtdb_statement *statement, const struct session_prepared *prepared,
           struct qtdb_statement **out)
{
    enum qtdb_code code = qtdb_prepare(statement->session, prepared->text, out, NULL);

    if (code != QTDB_OK)
        return take_report(statement, code, NULL);
    CHECK(*out != NULL && (*out)->asts[0].kind == AST_PREPARE);
    (*out)->ast = (*out)->asts[0].prepare->query;
    if (statement->ast->kind == AST_EXECUTE && statement->ast->explained != NULL) {
        statement->ast->explained->explained = (*out)->ast;
        (*out)->ast = statement->ast->explained;
    }
    return STATUS_OK;
}

/* Binds it once with nulls, so that what is wrong is told now. */
static enum status
try_out(struct qtdb_statement *statement, const struct session_prepared *prepared)
{
    struct qtdb_statement *inner = NULL;
    enum status status = open_inner(statement, prepared, &inner);
    enum qtdb_code code = QTDB_OK;

    TRY(status);
    for (uint32_t i = 0; i < prepared->parameter_count && code == QTDB_OK; i++) {
        struct value null = value_null(prepared->types[i]);

        code = statement__bind_value(inner, i + 1, &null);
    }
    if (code != QTDB_OK)
        status = take_report(statement, code, NULL);
    else if (!statement__prepare_rows(inner))
        status = take_report(statement, qtdb_error_last()->code, inner);
    qtdb_reset(inner);
    inner->planned = NULL; /* A plan for nulls is not kept. */
    qtdb_finalize(inner);
    return status;
}

enum status
statement__prepare(struct qtdb_statement *statement)
{
    const struct ast_prepare *ast = statement->ast->prepare;
    struct qtdb_session *session = statement->session;
    struct session_prepared *prepared = NULL;
    enum status status = STATUS_OK;

    statement->tag = "PREPARE";
    TRY(session_refuse_aborted(statement->session, &statement->error));
    if (*find_link(session, ast->name) != NULL)
        status = sql_error_set(&statement->error, "42P05", -1,
                               "prepared statement \"%s\" already exists", ast->name);
    if (status == STATUS_OK)
        status = make_prepared(statement, &prepared);
    if (status == STATUS_OK)
        status = try_out(statement, prepared);
    if (status != STATUS_OK) {
        if (prepared != NULL)
            memory_free(session->memory, MEMORY_SQL, prepared, prepared->size);
        return note_failure(statement, status);
    }
    prepared->next = session->prepared;
    session->prepared = prepared;
    return STATUS_OK;
}

enum status
statement__deallocate(struct qtdb_statement *statement)
{
    const struct ast_prepare *ast = statement->ast->prepare;
    struct qtdb_session *session = statement->session;

    TRY(session_refuse_aborted(statement->session, &statement->error));
    statement->tag = ast->name != NULL ? "DEALLOCATE" : "DEALLOCATE ALL";
    if (ast->name == NULL) {
        session_forget_prepared(session);
        return STATUS_OK;
    }
    struct session_prepared **link = find_link(session, ast->name);
    if (*link == NULL)
        return note_failure(statement, refuse_unknown(statement, ast->name));
    forget(session, link);
    return STATUS_OK;
}

/* EXECUTE. */

/* The argument as the parameter takes it, in memory of the row. */
static enum status
convert_argument(struct qtdb_statement *statement, const struct ast_expr *ast,
                 enum qtdb_type wanted, uint32_t index, struct value *out)
{
    const struct value *from = &statement->row_values[index];
    struct sql_type type = {wanted, -1, -1};
    struct sql_error *error = &statement->error;
    bool untyped = ast->kind == AST_STRING || ast->kind == AST_NULL;
    enum status status = STATUS_OK;
    size_t size = 0;

    *out = value_null(type.type);
    if (type.type != QTDB_TYPE_NULL && !untyped && !value_assigns(from->type, type.type))
        return sql_error_set(error, "42804", ast->location,
                             "parameter $%u of type %s cannot be coerced to the expected type %s",
                             index + 1, value_type_name(from->type), value_type_name(type.type));
    if (from->null)
        return STATUS_OK;
    if (type.type == QTDB_TYPE_NULL) {
        const char *text = value_print(from, &statement->row, &size);

        *out = value_bytes(QTDB_TYPE_NULL, text, size);
        return text == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (untyped)
        status =
            value_parse(&type, (const char *)from->bytes, from->size, &statement->row, out, error);
    else
        status = value_cast(from, &type, &statement->row, out, error);
    if (status == STATUS_INVALID)
        error->location = ast->location;
    return status;
}

static enum status
give_arguments(struct qtdb_statement *statement, struct qtdb_statement *inner,
               const struct session_prepared *prepared)
{
    for (uint32_t i = 0; i < prepared->parameter_count; i++) {
        struct value value;

        const struct ast_expr *ast = statement->ast->select->targets[i].expr;

        TRY(convert_argument(statement, ast, prepared->types[i], i, &value));
        enum qtdb_code code = statement__bind_value(inner, i + 1, &value);
        if (code != QTDB_OK)
            return take_report(statement, code, NULL);
    }
    return STATUS_OK;
}

static enum status
check_arguments(struct qtdb_statement *statement, const struct session_prepared *prepared)
{
    const struct ast_select *arguments = statement->ast->prepare->arguments;

    if (arguments->target_count != prepared->parameter_count)
        return sql_error_set(&statement->error, "42601", -1,
                             "wrong number of parameters for prepared statement \"%s\": expected "
                             "%u parameters but got %u",
                             prepared->name, prepared->parameter_count, arguments->target_count);
    for (uint32_t i = 0; i < arguments->target_count; i++) {
        if (arguments->targets[i].expr->kind == AST_SUBQUERY)
            return sql_error_set(&statement->error, "0A000", arguments->targets[i].expr->location,
                                 "cannot use subquery in EXECUTE parameter");
    }
    return STATUS_OK;
}

/* One row, which the inner statement gets. */
static enum status
step_arguments(struct qtdb_statement *statement, struct qtdb_statement *inner,
               const struct ast_expr *first, const struct session_prepared *prepared)
{
    enum qtdb_code code = qtdb_step(statement);

    if (code == QTDB_ROW) {
        TRY(give_arguments(statement, inner, prepared));
        code = qtdb_step(statement);
    } else if (code == QTDB_DONE) {
        code = QTDB_ROW;
    }
    if (code == QTDB_ROW)
        return sql_error_set(&statement->error, "0A000", first->location,
                             "set-returning functions are not allowed in EXECUTE parameters");
    return code == QTDB_DONE ? STATUS_OK : (enum status)code;
}

/* The statement runs its arguments as a query of its own; that has ended before the inner one begins. */
static enum status
run_arguments(struct qtdb_statement *statement, const struct session_prepared *prepared)
{
    struct ast_statement *ast = statement->ast;
    struct qtdb_statement *inner = statement->inner;

    statement->ast = ast->prepare->query;
    statement->inner = NULL;
    enum status status =
        step_arguments(statement, inner, ast->prepare->arguments->targets[0].expr, prepared);
    struct sql_error error = statement->error;
    qtdb_reset(statement);
    statement->error = error;
    statement->ast = ast;
    statement->inner = inner;
    return status;
}

static enum status
begin(struct qtdb_statement *statement)
{
    const struct session_prepared *prepared =
        *find_link(statement->session, statement->ast->prepare->name);
    enum status status;

    TRY(session_refuse_aborted(statement->session, &statement->error));
    if (prepared == NULL)
        return note_failure(statement, refuse_unknown(statement, statement->ast->prepare->name));
    status = check_arguments(statement, prepared);
    if (status == STATUS_OK)
        status = open_inner(statement, prepared, &statement->inner);
    if (status == STATUS_OK && prepared->parameter_count > 0)
        status = run_arguments(statement, prepared);
    return note_failure(statement, status);
}

struct qtdb_statement *
statement__target(struct qtdb_statement *statement)
{
    enum status status;

    if (statement->ast->kind != AST_EXECUTE || statement->phase == STATEMENT_DONE)
        return statement->inner != NULL ? statement->inner : statement;
    if (statement->inner != NULL)
        return statement->inner;
    statement->error = (struct sql_error){.location = -1};
    status = begin(statement);
    if (status == STATUS_OK)
        return statement->inner;
    qtdb_finalize(statement->inner);
    statement->inner = NULL;
    (void)statement__fail(statement, status);
    return NULL;
}

enum qtdb_code
statement__step_execute(struct qtdb_statement *statement)
{
    struct qtdb_statement *inner = statement__target(statement);
    enum qtdb_code code;

    if (inner == NULL)
        return qtdb_error_last()->code;
    arena_reset(&statement->row);
    code = qtdb_step(inner);
    if (code == QTDB_ROW)
        return code;
    statement->phase = STATEMENT_DONE;
    if (code == QTDB_DONE)
        return code;
    /* Its places are in another text. */
    struct qtdb_error error = *qtdb_error_last();
    return api_error_set(code, error.sqlstate, 0, error.retryable, "%s", error.message);
}
