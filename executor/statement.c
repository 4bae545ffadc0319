/*
 * Statements: prepare parses the first statement of a text; the first step binds it (with the
 * parameters as they are then), runs changes to their end, and opens queries, whose rows the further
 * steps hand out.
 *
 * Memory: `parsed` lives as long as the statement, `bound` from the first step to the reset, `row` to
 * the next step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/session.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

enum { PARAMETERS_MAX = 65535 };

enum phase { PHASE_READY = 0, PHASE_BOUND = 1, PHASE_ROWS = 2, PHASE_DONE = 3 };

struct line {
    struct line *next;
    const char *text;
};

struct qtdb_statement {
    struct qtdb_session *session;
    char *sql; /* Whole text, for positions. */
    struct arena parsed;
    struct arena bound;
    struct arena row;
    struct ast_statement *ast;
    struct value *parameters;
    uint32_t parameter_count;
    enum phase phase;
    struct sql_error error;
    struct exec_context context;
    bool own_txn; /* Its transaction ends with it. */
    struct plan *plan;
    uint32_t visible;
    struct exec *exec;
    const struct batch *batch;
    uint32_t batch_index;
    struct line *lines; /* EXPLAIN. */
    struct line *last_line;
    uint64_t row_count;
    const char *tag;
    char tag_text[64];
};

/* Life. */

static enum status
parse_first(struct qtdb_statement *statement, const char *sql, const char **rest_out)
{
    struct ast_statement *statements = NULL;
    uint32_t count = 0;

    TRY(sql_parse(sql, &statement->parsed, &statements, &count, &statement->error));
    if (count == 0) {
        *rest_out = sql + strlen(sql);
        return STATUS_OK;
    }
    statement->ast = &statements[0];
    const char *end = sql + statements[0].location + statements[0].size;
    *rest_out = count > 1 ? end + (*end == ';') : sql + strlen(sql);
    return STATUS_OK;
}

enum qtdb_code
qtdb_prepare(struct qtdb_session *session, const char *sql, struct qtdb_statement **out,
             const char **rest_out)
{
    struct qtdb_statement *statement =
        memory_alloc(session->memory, MEMORY_SQL, sizeof(*statement));
    const char *rest = sql;

    if (statement == NULL)
        return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
    statement->session = session;
    arena_init(&statement->parsed, session->memory, MEMORY_SQL);
    arena_init(&statement->bound, session->memory, MEMORY_SQL);
    arena_init(&statement->row, session->memory, MEMORY_SQL);
    enum status status = parse_first(statement, sql, &rest);
    if (status == STATUS_OK && statement->ast != NULL) {
        statement->sql = arena_copy_text(&statement->parsed, sql, strlen(sql));
        status = statement->sql == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (status != STATUS_OK || statement->ast == NULL) {
        enum qtdb_code code =
            status == STATUS_OK ? QTDB_OK : session_report(status, &statement->error, sql);

        qtdb_finalize(statement);
        if (code != QTDB_OK)
            return code;
        statement = NULL;
    }
    *out = statement;
    if (rest_out != NULL)
        *rest_out = rest;
    return QTDB_OK;
}

void
qtdb_finalize(struct qtdb_statement *statement)
{
    if (statement == NULL)
        return;
    struct memory *memory = statement->session->memory;
    qtdb_reset(statement);
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        struct value *value = &statement->parameters[i];

        if (!value->null && value->type != QTDB_TYPE_INT8 && value->type != QTDB_TYPE_FLOAT8)
            memory_free(memory, MEMORY_SQL, (void *)(uintptr_t)value->bytes,
                        (size_t)value->size + 1);
    }
    memory_free(memory, MEMORY_SQL, statement->parameters,
                statement->parameter_count * sizeof(struct value));
    arena_deinit(&statement->row);
    arena_deinit(&statement->bound);
    arena_deinit(&statement->parsed);
    memory_free(memory, MEMORY_SQL, statement, sizeof(*statement));
}

/* Parameters. */

static enum qtdb_code
parameter_at(struct qtdb_statement *statement, uint32_t index, struct value **out)
{
    struct memory *memory = statement->session->memory;

    if (index == 0 || index > PARAMETERS_MAX || statement->phase == PHASE_ROWS)
        return api_error_set(QTDB_INVALID, "42P02", 0, false,
                             statement->phase == PHASE_ROWS
                                 ? "reset the statement before binding $%u"
                                 : "there is no parameter $%u",
                             index);
    if (index > statement->parameter_count) {
        size_t old_size = statement->parameter_count * sizeof(struct value);
        struct value *grown = statement->parameters == NULL
                                  ? memory_alloc(memory, MEMORY_SQL, index * sizeof(struct value))
                                  : memory_resize(memory, MEMORY_SQL, statement->parameters,
                                                  old_size, index * sizeof(struct value));
        if (grown == NULL)
            return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
        for (uint32_t i = statement->parameter_count; i < index; i++)
            grown[i] = value_null(QTDB_TYPE_NULL);
        statement->parameters = grown;
        statement->parameter_count = index;
    }
    if (statement->phase != PHASE_READY)
        qtdb_reset(statement);
    struct value *value = &statement->parameters[index - 1];
    if (!value->null && value->type != QTDB_TYPE_INT8 && value->type != QTDB_TYPE_FLOAT8)
        memory_free(memory, MEMORY_SQL, (void *)(uintptr_t)value->bytes, (size_t)value->size + 1);
    *value = value_null(QTDB_TYPE_NULL);
    *out = value;
    return QTDB_OK;
}

enum qtdb_code
qtdb_bind_null(struct qtdb_statement *statement, uint32_t index)
{
    struct value *value = NULL;

    return parameter_at(statement, index, &value);
}

enum qtdb_code
qtdb_bind_i64(struct qtdb_statement *statement, uint32_t index, int64_t integer)
{
    struct value *value = NULL;
    enum qtdb_code code = parameter_at(statement, index, &value);

    if (code == QTDB_OK)
        *value = value_integer(QTDB_TYPE_INT8, integer);
    return code;
}

enum qtdb_code
qtdb_bind_f64(struct qtdb_statement *statement, uint32_t index, double real)
{
    struct value *value = NULL;
    enum qtdb_code code = parameter_at(statement, index, &value);

    if (code == QTDB_OK)
        *value = value_real(QTDB_TYPE_FLOAT8, real);
    return code;
}

static enum qtdb_code
bind_copy(struct qtdb_statement *statement, uint32_t index, enum qtdb_type type, const void *bytes,
          size_t size)
{
    struct value *value = NULL;
    enum qtdb_code code = parameter_at(statement, index, &value);

    if (code != QTDB_OK)
        return code;
    if (size >= UINT32_MAX)
        return api_error_set(QTDB_INVALID, "54000", 0, false, "a parameter is too long");
    CHECK(value != NULL);
    uint8_t *copy = memory_alloc(statement->session->memory, MEMORY_SQL, size + 1);
    if (copy == NULL)
        return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
    if (size > 0)
        memcpy(copy, bytes, size);
    *value = value_bytes(type, copy, size);
    return QTDB_OK;
}

/* A text is an untyped literal: it takes the type of what it stands beside. */
enum qtdb_code
qtdb_bind_text(struct qtdb_statement *statement, uint32_t index, const char *text, size_t size)
{
    return bind_copy(statement, index, QTDB_TYPE_NULL, text, size);
}

enum qtdb_code
qtdb_bind_bytes(struct qtdb_statement *statement, uint32_t index, const void *bytes, size_t size)
{
    return bind_copy(statement, index, QTDB_TYPE_BYTEA, bytes, size);
}

/* Transactions around a statement. */

static bool
is_query(const struct ast_statement *ast)
{
    return ast->kind == AST_SELECT || ast->kind == AST_EXPLAIN;
}

static enum status
enter_transaction(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .read_only = is_query(statement->ast)};

    if (session->aborted)
        return sql_error_set(&statement->error, "25P02", -1,
                             "current transaction is aborted, commands ignored until end of "
                             "transaction block");
    statement->context = (struct exec_context){
        .txn = session->txn,
        .memory = session->memory,
        .error = &statement->error,
        .interrupted = &session->interrupted,
    };
    statement->own_txn = session->txn == NULL;
    if (!statement->own_txn)
        return STATUS_OK;
    return sql_from_code(qtdb_begin(session->db, &options, &statement->context.txn),
                         &statement->error);
}

/* Ends the statement's own transaction; inside a block a failure aborts the block. */
static enum status
leave_transaction(struct qtdb_statement *statement, enum status status)
{
    struct qtdb_txn *txn = statement->context.txn;

    exec_close(statement->exec);
    statement->exec = NULL;
    statement->context.txn = NULL;
    if (!statement->own_txn) {
        statement->session->aborted = statement->session->txn != NULL && status != STATUS_OK;
        return status;
    }
    statement->own_txn = false;
    if (txn == NULL)
        return status;
    if (status != STATUS_OK) {
        qtdb_rollback(txn);
        return status;
    }
    return sql_from_code(qtdb_commit(txn), &statement->error);
}

/* Running. */

static enum status
bind_ast(struct qtdb_statement *statement, const struct ast_statement *ast)
{
    struct bind bind = {
        .txn = statement->context.txn,
        .arena = &statement->bound,
        .parameters = statement->parameters,
        .parameter_count = statement->parameter_count,
        .error = &statement->error,
    };

    return bind_statement(&bind, ast, &statement->plan, &statement->visible);
}

static void
add_line(void *context, const char *text)
{
    struct qtdb_statement *statement = context;
    struct line *line = arena_alloc(&statement->bound, sizeof(*line));

    if (line == NULL)
        return;
    line->text = text;
    if (statement->last_line != NULL)
        statement->last_line->next = line;
    else
        statement->lines = line;
    statement->last_line = line;
}

static enum status
start_explain(struct qtdb_statement *statement)
{
    const struct ast_statement *ast = statement->ast->explained;

    if (statement->ast->analyze)
        return sql_error_set(&statement->error, "0A000", -1,
                             "EXPLAIN ANALYZE is not supported yet");
    if (ast->kind != AST_SELECT && ast->kind != AST_INSERT && ast->kind != AST_UPDATE &&
        ast->kind != AST_DELETE)
        return sql_error_set(&statement->error, "0A000", -1, "this cannot be explained");
    TRY(bind_ast(statement, ast));
    exec_explain(statement->plan, &statement->bound, add_line, statement);
    statement->visible = 1;
    return STATUS_OK;
}

static enum status
start_query(struct qtdb_statement *statement)
{
    if (statement->ast->kind == AST_EXPLAIN)
        return start_explain(statement);
    return bind_ast(statement, statement->ast);
}

static enum status
run_change(struct qtdb_statement *statement)
{
    static const char *const words[] = {
        [AST_INSERT] = "INSERT 0", [AST_UPDATE] = "UPDATE", [AST_DELETE] = "DELETE"};

    TRY(bind_ast(statement, statement->ast));
    TRY(exec_change(&statement->context, statement->plan, &statement->row_count));
    (void)snprintf(statement->tag_text, sizeof(statement->tag_text), "%s %llu",
                   words[statement->ast->kind], (unsigned long long)statement->row_count);
    statement->tag = statement->tag_text;
    return STATUS_OK;
}

/* Everything but queries: runs to its end. */
static enum status
run_whole(struct qtdb_statement *statement)
{
    enum ast_statement_kind kind = statement->ast->kind;
    enum status status;

    if (kind == AST_TRANSACTION)
        return session_transaction(statement->session, statement->ast->transaction, &statement->tag,
                                   &statement->error);
    status = enter_transaction(statement);
    if (status == STATUS_OK && (kind == AST_INSERT || kind == AST_UPDATE || kind == AST_DELETE))
        status = run_change(statement);
    else if (status == STATUS_OK)
        status =
            exec_define(&statement->context, statement->ast, &statement->bound, &statement->tag);
    return leave_transaction(statement, status);
}

/* Binds, so that columns are known; a query then waits for its rows. */
static enum status
ensure_bound(struct qtdb_statement *statement)
{
    enum status status;

    if (statement->phase != PHASE_READY || !is_query(statement->ast))
        return STATUS_OK;
    statement->error = (struct sql_error){.location = -1};
    status = enter_transaction(statement);
    if (status == STATUS_OK)
        status = start_query(statement);
    if (status != STATUS_OK)
        return leave_transaction(statement, status);
    statement->phase = PHASE_BOUND;
    return STATUS_OK;
}

static enum status
next_row(struct qtdb_statement *statement, bool *out)
{
    if (statement->ast->kind == AST_EXPLAIN) {
        if (statement->row_count > 0)
            statement->lines = statement->lines->next;
        *out = statement->lines != NULL;
        return STATUS_OK;
    }
    if (statement->exec == NULL)
        TRY(exec_open(&statement->context, statement->plan, &statement->exec));
    statement->batch_index++;
    if (statement->batch == NULL || statement->batch_index >= statement->batch->count) {
        TRY(exec_next(statement->exec, &statement->batch));
        statement->batch_index = 0;
    }
    *out = statement->batch->count > 0;
    return STATUS_OK;
}

static enum qtdb_code
fail(struct qtdb_statement *statement, enum status status)
{
    enum qtdb_code code = session_report(status, &statement->error, statement->sql);

    statement->phase = PHASE_DONE;
    return code;
}

static enum qtdb_code
step_query(struct qtdb_statement *statement)
{
    bool row = false;
    enum status status = ensure_bound(statement);

    if (status != STATUS_OK)
        return fail(statement, status);
    arena_reset(&statement->row);
    status = next_row(statement, &row);
    if (status == STATUS_OK && row) {
        statement->phase = PHASE_ROWS;
        statement->row_count++;
        return QTDB_ROW;
    }
    status = leave_transaction(statement, status);
    if (status != STATUS_OK)
        return fail(statement, status);
    (void)snprintf(statement->tag_text, sizeof(statement->tag_text), "%s %llu",
                   statement->ast->kind == AST_EXPLAIN ? "EXPLAIN" : "SELECT",
                   (unsigned long long)statement->row_count);
    statement->tag = statement->tag_text;
    statement->phase = PHASE_DONE;
    return QTDB_DONE;
}

enum qtdb_code
qtdb_step(struct qtdb_statement *statement)
{
    if (statement->phase == PHASE_DONE)
        return QTDB_DONE;
    if (is_query(statement->ast))
        return step_query(statement);
    atomic_store(&statement->session->interrupted, false);
    statement->error = (struct sql_error){.location = -1};
    enum status status = run_whole(statement);
    if (status != STATUS_OK)
        return fail(statement, status);
    statement->phase = PHASE_DONE;
    return QTDB_DONE;
}

void
qtdb_reset(struct qtdb_statement *statement)
{
    if (statement->phase == PHASE_BOUND || statement->phase == PHASE_ROWS) {
        enum status status = leave_transaction(statement, STATUS_OK);

        CHECK(status != STATUS_MISSING); /* Ending a read cannot lose anything. */
    }
    statement->phase = PHASE_READY;
    statement->plan = NULL;
    statement->batch = NULL;
    statement->batch_index = 0;
    statement->lines = statement->last_line = NULL;
    statement->row_count = 0;
    statement->visible = 0;
    arena_reset(&statement->row);
    arena_reset(&statement->bound);
}

/* Results. */

uint32_t
qtdb_column_count(struct qtdb_statement *statement)
{
    enum status status = ensure_bound(statement);

    if (status != STATUS_OK) {
        (void)fail(statement, status);
        return 0;
    }
    return statement->visible;
}

const char *
qtdb_column_name(struct qtdb_statement *statement, uint32_t column)
{
    CHECK(column < qtdb_column_count(statement));
    return statement->ast->kind == AST_EXPLAIN ? "QUERY PLAN"
                                               : statement->plan->columns[column].name;
}

enum qtdb_type
qtdb_column_type(struct qtdb_statement *statement, uint32_t column)
{
    CHECK(column < qtdb_column_count(statement));
    return statement->ast->kind == AST_EXPLAIN ? QTDB_TYPE_TEXT
                                               : statement->plan->columns[column].type.type;
}

static struct value
value_at(const struct qtdb_statement *statement, uint32_t column)
{
    CHECK(statement->phase == PHASE_ROWS && column < statement->visible);
    if (statement->ast->kind == AST_EXPLAIN)
        return value_bytes(QTDB_TYPE_TEXT, statement->lines->text, strlen(statement->lines->text));
    return statement->batch
        ->values[(size_t)statement->batch_index * statement->batch->width + column];
}

bool
qtdb_column_is_null(struct qtdb_statement *statement, uint32_t column)
{
    return value_at(statement, column).null;
}

static bool
cast_column(struct qtdb_statement *statement, uint32_t column, enum qtdb_type type,
            struct value *out)
{
    struct sql_type wanted = {type, -1, -1};
    struct value value = value_at(statement, column);
    struct sql_error ignored;

    return !value.null && value_cast(&value, &wanted, &statement->row, out, &ignored) == STATUS_OK;
}

int64_t
qtdb_column_i64(struct qtdb_statement *statement, uint32_t column)
{
    struct value value;

    return cast_column(statement, column, QTDB_TYPE_INT8, &value) ? value.integer : 0;
}

double
qtdb_column_f64(struct qtdb_statement *statement, uint32_t column)
{
    struct value value;

    return cast_column(statement, column, QTDB_TYPE_FLOAT8, &value) ? value.real : 0;
}

const char *
qtdb_column_text(struct qtdb_statement *statement, uint32_t column, size_t *size_out)
{
    struct value value = value_at(statement, column);
    size_t size = 0;

    if (value.null)
        return NULL;
    const char *text = value_print(&value, &statement->row, &size);
    if (text != NULL && size_out != NULL)
        *size_out = size;
    return text;
}

uint64_t
qtdb_row_count(struct qtdb_statement *statement)
{
    return statement->row_count;
}

const char *
qtdb_command_tag(struct qtdb_statement *statement)
{
    return statement->tag != NULL ? statement->tag : "";
}

/* Whole texts. */

static enum qtdb_code
exec_one(struct qtdb_statement *statement,
         bool (*row)(void *context, uint32_t column_count, const char *const *values,
                     const char *const *names),
         void *context)
{
    uint32_t width = 0;
    const char **texts = NULL;
    enum qtdb_code code;

    for (code = qtdb_step(statement); code == QTDB_ROW; code = qtdb_step(statement)) {
        if (row == NULL)
            continue;
        width = qtdb_column_count(statement);
        texts = arena_alloc(&statement->row, 2 * (size_t)(width + 1) * sizeof(*texts));
        if (texts == NULL)
            return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
        for (uint32_t i = 0; i < width; i++) {
            texts[i] = qtdb_column_text(statement, i, NULL);
            texts[width + i] = qtdb_column_name(statement, i);
        }
        if (!row(context, width, texts, texts + width))
            return api_error_set(QTDB_STOPPED, "57014", 0, false, "stopped by the caller");
    }
    return code == QTDB_DONE ? QTDB_OK : code;
}

enum qtdb_code
qtdb_exec(struct qtdb_session *session, const char *sql,
          bool (*row)(void *context, uint32_t column_count, const char *const *values,
                      const char *const *names),
          void *context)
{
    while (*sql != '\0') {
        struct qtdb_statement *statement = NULL;
        enum qtdb_code code = qtdb_prepare(session, sql, &statement, &sql);

        if (code != QTDB_OK)
            return code;
        if (statement == NULL)
            break;
        code = exec_one(statement, row, context);
        qtdb_finalize(statement);
        if (code != QTDB_OK)
            return code;
    }
    return QTDB_OK;
}
