/*
 * Statements: prepare parses the text; the first step binds and plans, runs changes to their end, and
 * opens queries, whose rows the further steps hand out.
 *
 * The plan stays for the next run while the catalog's version and the types of the parameters are the
 * same. Memory: `parsed` lives as long as the statement, `bound` as long as the plan, `row` to the
 * next step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/exec_define.h"
#include "executor/session.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"
#include "kernel/base/io.h"
#include "kernel/database.h"

/* Life. */

/* What it takes to get a statement ready is counted. */
static uint64_t
clock_ns(const struct qtdb_session *session)
{
    return io_clock_ns(database_io(session->db));
}

static enum status
parse_first(struct qtdb_statement *statement, const char *sql, const char **rest_out)
{
    struct qtdb_session *session = statement->session;
    uint64_t begin_ns = clock_ns(session);

    *rest_out = sql + strlen(sql);
    TRY(sql_parse(sql, &statement->parsed, &statement->asts, &statement->ast_count,
                  &statement->error));
    session->preparation_ns += clock_ns(session) - begin_ns;
    if (statement->ast_count == 0)
        return STATUS_OK;
    statement->ast = &statement->asts[0];
    const char *end = sql + statement->ast->location + statement->ast->size;
    if (statement->ast_count > 1)
        *rest_out = end + (*end == ';');
    return STATUS_OK;
}

static enum status
make_statement(struct qtdb_session *session, const char *sql, struct qtdb_statement *statement,
               const char **rest_out)
{
    statement->session = session;
    arena_init(&statement->parsed, session->memory, MEMORY_SQL);
    arena_init(&statement->bound, session->memory, MEMORY_SQL);
    arena_init(&statement->row, session->memory, MEMORY_SQL);
    arena_init(&statement->returned.arena, session->memory, MEMORY_SQL);
    TRY(parse_first(statement, sql, rest_out));
    if (statement->ast == NULL)
        return STATUS_OK;
    statement->sql = arena_copy_text(&statement->parsed, sql, strlen(sql));
    statement->hash = statement__hash(sql);
    return statement->sql == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

enum qtdb_code
qtdb_prepare(struct qtdb_session *session, const char *sql, struct qtdb_statement **out,
             const char **rest_out)
{
    struct qtdb_statement *statement = statement__cache_take(session, sql);
    const char *rest = sql + strlen(sql);

    if (statement != NULL)
        statement->ast = &statement->asts[0]; /* EXECUTE runs the query inside a PREPARE. */
    if (statement == NULL) {
        statement = memory_alloc(session->memory, MEMORY_SQL, sizeof(*statement));
        if (statement == NULL)
            return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
        enum status status = make_statement(session, sql, statement, &rest);
        if (status != STATUS_OK || statement->ast == NULL) {
            enum qtdb_code code =
                status == STATUS_OK ? QTDB_OK : session_report(status, &statement->error, sql);

            statement__free(statement);
            if (code != QTDB_OK)
                return code;
            statement = NULL;
        }
    }
    *out = statement;
    if (rest_out != NULL)
        *rest_out = rest;
    return QTDB_OK;
}

void
statement__free(struct qtdb_statement *statement)
{
    CHECK(statement->phase == STATEMENT_READY && statement->parameter_count == 0);
    statement__drop_run(statement);
    arena_deinit(&statement->returned.arena);
    arena_deinit(&statement->row);
    arena_deinit(&statement->bound);
    arena_deinit(&statement->parsed);
    memory_free(statement->session->memory, MEMORY_SQL, statement, sizeof(*statement));
}

void
qtdb_finalize(struct qtdb_statement *statement)
{
    if (statement == NULL)
        return;
    qtdb_reset(statement);
    statement__free_parameters(statement);
    statement->tag = NULL;
    if (!statement__cache_give(statement))
        statement__free(statement);
}

/* Transactions around a statement. */

static const char *
change_word(const struct ast_statement *ast)
{
    return ast->kind == AST_INSERT    ? "INSERT"
           : ast->kind == AST_UPDATE  ? "UPDATE"
           : ast->kind == AST_DELETE  ? "DELETE"
           : ast->kind == AST_MERGE   ? "MERGE"
           : ast->kind == AST_COPY    ? "COPY FROM"
           : ast->kind == AST_ANALYZE ? "ANALYZE"
           : ast->kind == AST_VACUUM  ? "VACUUM"
           : ast->kind == AST_LOCK    ? "LOCK TABLE"
           : ast->kind == AST_SELECT  ? ast->locks ? "SELECT FOR UPDATE" : "SELECT"
                                      : "a definition";
}

static bool
is_change(const struct ast_statement *ast)
{
    return ast->kind == AST_INSERT || ast->kind == AST_UPDATE || ast->kind == AST_DELETE ||
           ast->kind == AST_MERGE;
}

static bool
is_analyze(const struct ast_statement *ast)
{
    return ast->kind == AST_EXPLAIN && ast->explain.analyze;
}

/* A query that locks rows, or whose WITH changes some, runs as a change does: to its end, and again where
 * a row was changed. */
static bool
runs_whole(const struct ast_statement *ast)
{
    return ast->kind == AST_SELECT && (ast->locks || ast->changes);
}

static bool
is_query(const struct ast_statement *ast)
{
    return (ast->kind == AST_SELECT && !runs_whole(ast)) || ast->kind == AST_EXPLAIN ||
           ast->kind == AST_SHOW;
}

/* True for what a read-only transaction may do. */
static bool
reads(const struct ast_statement *ast)
{
    return is_query(ast) || (ast->kind == AST_COPY && !ast->copy->from);
}

/* True for what runs in a read-only transaction of its own. */
static bool
changes_nothing(const struct ast_statement *ast)
{
    return reads(ast) &&
           !(is_analyze(ast) && (is_change(ast->explained) || runs_whole(ast->explained)));
}

/* now(): when the block began, or the statement outside of one. Microseconds since 2000-01-01. */
static int64_t
statement_time(struct qtdb_session *session)
{
    static const int64_t epoch_us = INT64_C(946684800000000);

    if (session->txn == NULL || session->block_us == 0)
        session->block_us = (int64_t)(io_time_ns(database_io(session->db)) / 1000) - epoch_us;
    return session->block_us;
}

/* When statement_timeout ends a statement that begins now. */
static uint64_t
deadline(const struct qtdb_session *session)
{
    uint32_t timeout_ms = settings_statement_timeout_ms(session->settings);

    return timeout_ms == 0 ? 0 : clock_ns(session) + timeout_ms * UINT64_C(1000000);
}

enum status
statement__enter(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    bool analyze = is_analyze(statement->ast);
    bool query = changes_nothing(statement->ast), block = session->txn != NULL;

    statement->cost = (struct qtdb_txn_statistics){.size = sizeof(statement->cost)};
    TRY(session_refuse_load(session, &statement->error));
    TRY(session_refuse_aborted(session, &statement->error));
    if (!query && (block ? session->read_only : settings_read_only(session->settings)))
        return sql_error_set(&statement->error, "25006", -1,
                             "cannot execute %s in a read-only transaction",
                             change_word(statement->ast));
    /* A definition outside a block waits for others' rather than failing. */
    enum qtdb_isolation isolation = block ? session->isolation
                                    : exec_is_definition(statement->ast->kind)
                                        ? QTDB_READ_COMMITTED
                                        : settings_isolation(session->settings);
    size_t work_mem = settings_work_mem(session->settings);
    bool sees_new = !block || (isolation == QTDB_READ_COMMITTED &&
                               (is_query(statement->ast) || is_change(statement->ast)));

    statement->stale.count = 0;
    statement->context = (struct exec_context){
        .txn = session->txn,
        .memory = session->memory,
        .error = &statement->error,
        .interrupted = &session->interrupted,
        .progress = &session->progress,
        .parameters = statement->parameters,
        .parameter_count = statement->parameter_count,
        .memory_limit = session->memory_limit,
        .work_limit = work_mem > 0 ? work_mem : session->work_limit,
        .path_counts = session->path_counts,
        .db = session->db,
        .isolation = isolation,
        .path = settings_path(session->settings),
        .path_epoch = settings_path_epoch(session->settings),
        .sequences = session->sequences,
        .settings = session->settings,
        .in_block = block,
        .read_only = block ? session->read_only : settings_read_only(session->settings),
        .deadline_ns = deadline(session),
        .io = database_io(session->db),
        .now_us = statement_time(session),
        .stale = sees_new && !statement->looked ? &statement->stale : NULL,
    };
    statement->own_txn = !block;
    if (!block) {
        enum status status =
            session_begin(session, isolation, query, analyze ? &statement->cost : NULL,
                          &statement->context.txn, &statement->error);

        statement->context.txn_number = session->txn_number;
        return status;
    }
    statement->context.txn_number = session->txn_number;
    session->used = true;
    database_set_lock_timeout(session->txn, session_lock_timeout_ms(session));
    return sql_from_code(qtdb_refresh(session->txn), &statement->error);
}

/* A lock was waited for no longer than the statement might take. */
static void
tell_timeout(struct qtdb_statement *statement)
{
    struct sql_error *error = &statement->error;
    uint64_t deadline_ns = statement->context.deadline_ns;

    if (deadline_ns != 0 && strcmp(error->sqlstate, "55P03") == 0 &&
        clock_ns(statement->session) >= deadline_ns)
        (void)sql_error_set(error, "57014", -1, "canceling statement due to statement timeout");
}

enum status
statement__leave(struct qtdb_statement *statement, enum status status)
{
    struct qtdb_txn *txn = statement->context.txn;

    if (status != STATUS_OK)
        tell_timeout(statement);
    statement__end_run(statement, status);
    statement->context.txn = NULL;
    if (!statement->own_txn) {
        statement->session->aborted = statement->session->txn != NULL && status != STATUS_OK;
        return status;
    }
    statement->own_txn = false;
    if (txn == NULL)
        return status;
    if (status == STATUS_OK && !changes_nothing(statement->ast))
        status = session_end_temporary(statement->session, txn, statement->context.isolation,
                                       &statement->error);
    if (status != STATUS_OK) {
        qtdb_rollback(txn);
        return status;
    }
    return sql_from_code(qtdb_commit(txn), &statement->error);
}

/* Planning. */

static bool
plan_fits(const struct qtdb_statement *statement, uint64_t version)
{
    if (statement->planned == NULL || statement->planned_version != version ||
        statement->planned_statistics !=
            atomic_load(&database_notes(statement->session->db)->version) ||
        statement->planned_type_count != statement->parameter_count ||
        statement->session->catalog_changed ||
        statement->planned_path_epoch != statement->context.path_epoch ||
        statement->planned_joins_off != settings_joins_off(statement->session->settings))
        return false;
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        if (!statement->parameters[i].null &&
            statement->parameters[i].type != statement->planned_types[i])
            return false;
    }
    return true;
}

static enum status
note_types(struct qtdb_statement *statement)
{
    statement->planned_types = arena_alloc(
        &statement->bound, statement->parameter_count * sizeof(*statement->planned_types));
    if (statement->planned_types == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < statement->parameter_count; i++)
        statement->planned_types[i] = statement->parameters[i].type;
    statement->planned_type_count = statement->parameter_count;
    return STATUS_OK;
}

static void
forget_plan(struct qtdb_statement *statement)
{
    statement__drop_run(statement);
    statement->planned = NULL;
    statement->lines = statement->last_line = NULL;
    arena_reset(&statement->bound);
}

static enum status
plan_anew(struct qtdb_statement *statement, const struct ast_statement *ast, uint64_t version)
{
    struct qtdb_txn *txn = statement->context.txn;
    struct bind bind = {.txn = txn,
                        .path = statement->context.path,
                        .settings = statement->session->settings,
                        .arena = &statement->bound,
                        .parameters = statement->parameters,
                        .parameter_count = statement->parameter_count,
                        .error = &statement->error};
    struct plan_context context = {.txn = txn,
                                   .arena = &statement->bound,
                                   .error = &statement->error,
                                   .notes = database_notes(statement->session->db),
                                   .stale = statement->context.stale,
                                   .joins_off = settings_joins_off(statement->session->settings)};
    struct bound *bound = NULL;
    struct planned *planned = NULL;
    struct qtdb_session *session = statement->session;
    uint64_t statistics = atomic_load(&database_notes(session->db)->version);
    uint64_t begin_ns = clock_ns(session);

    TRY(bind_statement(&bind, ast, &bound));
    TRY(plan_statement(&context, bound, &planned));
    TRY(note_types(statement));
    session->prepared_count++;
    session->preparation_ns += clock_ns(session) - begin_ns;
    planned->keepable = exec_is_keepable(planned);
    statement->planned = planned;
    statement->planned_uses = 0;
    /* What a block that changed definitions has planned, or what has settings in it, fits no later run. */
    statement->planned_version = session->catalog_changed || bind.once ? UINT64_MAX : version;
    statement->planned_statistics = statistics;
    statement->planned_path_epoch = statement->context.path_epoch;
    statement->planned_joins_off = context.joins_off;
    return exec_context_open(&statement->context, planned);
}

/* Binds and plans, unless the plan of an earlier run still fits. */
static enum status
ensure_planned(struct qtdb_statement *statement, const struct ast_statement *ast)
{
    struct qtdb_session *session = statement->session;
    uint64_t version = 0;

    TRY(session->catalog_changed
            ? catalog_version(statement->context.txn, &version, &statement->error)
            : catalog_version_seen(statement->context.txn, &session->catalog, &version,
                                   &statement->error));
    statement->context.catalog_version = session->catalog_changed ? 0 : version;
    /* After many uses the tables may have become others than those it was made for. */
    if (plan_fits(statement, version) && statement->planned_uses++ < STATEMENT_USES_MAX)
        return exec_context_open(&statement->context, statement->planned);
    forget_plan(statement);
    return plan_anew(statement, ast, version);
}

const struct rel_column *
statement__columns(const struct qtdb_statement *statement)
{
    if (statement->ast->kind == AST_FETCH)
        return statement->fetched_columns;
    const struct bound *bound = statement->planned->bound;

    return bound->kind == AST_SELECT ? bound->columns : bound->returning_columns;
}

/* Running. */

static enum status
add_line(void *context, const char *text)
{
    struct qtdb_statement *statement = context;
    struct statement_line *line = arena_alloc(&statement->bound, sizeof(*line));

    if (line == NULL)
        return STATUS_NO_MEMORY;
    line->text = text;
    if (statement->last_line != NULL)
        statement->last_line->next = line;
    else
        statement->lines = line;
    statement->last_line = line;
    return STATUS_OK;
}

/* EXPLAIN ANALYZE runs at the first step, and ends its own transaction before the lines are made, so
 * that what was logged is known. */

static enum status
run_rows(struct qtdb_statement *statement)
{
    const struct batch *batch = NULL;

    TRY(exec_open(&statement->context, statement->planned->root, &statement->exec));
    do
        TRY(exec_next(statement->exec, &batch));
    while (batch->count > 0);
    return exec_finish_parts(&statement->context);
}

static enum status
run_explained(struct qtdb_statement *statement, uint64_t *changed_out)
{
    const struct ast_explain *options = &statement->ast->explain;
    struct exec_context *context = &statement->context;
    bool change = is_change(statement->ast->explained);
    struct exec_measure *measures =
        arena_alloc(&statement->bound, statement->planned->node_count * sizeof(*measures));

    if (measures == NULL)
        return STATUS_NO_MEMORY;
    context->measures = measures;
    context->measures_time = options->timing;
    enum status status = statement->ast->explained->kind == AST_MERGE
                             ? exec_merge(context, changed_out)
                         : change ? exec_change(context, &statement->returned, changed_out)
                                  : run_rows(statement);
    return statement->own_txn ? statement__leave(statement, status) : status;
}

static enum status
explain(struct qtdb_statement *statement)
{
    struct io *io = database_io(statement->session->db);
    struct exec_explanation explanation = {.planned = statement->planned,
                                           .options = &statement->ast->explain,
                                           .planning_ns = statement->planning_ns};
    uint64_t begin_ns = io_clock_ns(io);

    if (statement->ast->explain.analyze) {
        explanation.cost = statement->own_txn ? &statement->cost : NULL;
        TRY(run_explained(statement, &explanation.changed_count));
        explanation.measures = statement->context.measures;
        explanation.execution_ns = io_clock_ns(io) - begin_ns;
        explanation.log_size = statement->cost.log_size;
    }
    TRY(exec_explain(&explanation, &statement->bound, add_line, statement));
    statement->explained = true;
    return STATUS_OK;
}

static enum status
start_explain(struct qtdb_statement *statement)
{
    const struct ast_statement *ast = statement->ast->explained;
    struct io *io = database_io(statement->session->db);
    uint64_t begin_ns = io_clock_ns(io);

    if (ast->kind != AST_SELECT && !is_change(ast))
        return sql_error_set(&statement->error, "0A000", -1, "this cannot be explained");
    forget_plan(statement);
    TRY(ensure_planned(statement, ast));
    statement->planning_ns = io_clock_ns(io) - begin_ns;
    statement->explained = false;
    statement->visible = 1;
    return STATUS_OK;
}

static enum status
start_show(struct qtdb_statement *statement)
{
    struct ast_statement shown;

    forget_plan(statement);
    TRY(session_show(statement->session, statement->ast, &statement->bound, &shown,
                     &statement->error));
    TRY(plan_anew(statement, &shown, 0));
    statement->visible = statement->planned->bound->column_count;
    return STATUS_OK;
}

static enum status
start_rows(struct qtdb_statement *statement)
{
    if (statement->ast->kind == AST_EXPLAIN)
        return start_explain(statement);
    if (statement->ast->kind == AST_SHOW)
        return start_show(statement);
    TRY(ensure_planned(statement, statement->ast));
    const struct bound *bound = statement->planned->bound;
    statement->visible = bound->kind == AST_SELECT ? bound->column_count : bound->returning_count;
    return STATUS_OK;
}

/* Binds, so that columns are known; the statement then waits for its first step. */
static enum status
ensure_bound(struct qtdb_statement *statement)
{
    enum status status;

    if (statement->phase == STATEMENT_READY && statement->ast->kind == AST_FETCH)
        return statement__find_cursor(statement);
    if (statement->phase != STATEMENT_READY ||
        (!is_query(statement->ast) && !is_change(statement->ast) && !runs_whole(statement->ast)))
        return STATUS_OK;
    atomic_store(&statement->session->interrupted, false);
    statement->session->progress.row_count = 0;
    statement->error = (struct sql_error){.location = -1};
    statement->looked = false;
    do {
        status = statement__enter(statement);
        if (status == STATUS_OK)
            status = start_rows(statement);
    } while (status == STATUS_OK && statement__look_first(statement));
    if (status != STATUS_OK)
        return statement__leave(statement, status);
    statement->phase = STATEMENT_BOUND;
    return STATUS_OK;
}

enum qtdb_code
statement__fail(struct qtdb_statement *statement, enum status status)
{
    enum qtdb_code code = session_report(status, &statement->error, statement->sql);

    statement->phase = STATEMENT_DONE;
    return code;
}

bool
statement__prepare_rows(struct qtdb_statement *statement)
{
    session_use_zone(statement->session);
    enum status status = ensure_bound(statement);

    if (status != STATUS_OK)
        (void)statement__fail(statement, status);
    return status == STATUS_OK;
}

/* Changes run whole, and their transaction ends, before the first row of RETURNING is given. */

/* Rows of a query that locks are given once all are locked, and those of one that changes once all is
 * written. */
static enum status
run_query_whole(struct qtdb_statement *statement)
{
    TRY(statement__open_rows(statement));
    TRY(exec_collect(statement->exec, &statement->returned));
    TRY(exec_finish_parts(&statement->context));
    statement->row_count = statement->returned.count;
    return STATUS_OK;
}

static enum status
run_change(struct qtdb_statement *statement)
{
    static const char *const words[] = {[AST_SELECT] = "SELECT",
                                        [AST_INSERT] = "INSERT 0",
                                        [AST_UPDATE] = "UPDATE",
                                        [AST_DELETE] = "DELETE",
                                        [AST_MERGE] = "MERGE"};

    TRY(statement->ast->kind == AST_MERGE ? exec_merge(&statement->context, &statement->row_count)
        : runs_whole(statement->ast)      ? run_query_whole(statement)
                                          : statement__run_rows_changed(statement));
    statement__set_tag(statement, words[statement->ast->kind], statement->row_count);
    return STATUS_OK;
}

/* READ COMMITTED: a row that was changed since the statement began is met by going back to its start
 * and running it again on a new snapshot; the row's lock is kept. */
static enum status
run_change_again(struct qtdb_statement *statement)
{
    struct qtdb_txn *txn = statement->context.txn;
    struct sql_error *error = &statement->error;
    uint64_t mark = 0;

    if (statement->context.isolation != QTDB_READ_COMMITTED)
        return run_change(statement);
    TRY(sql_from_code(qtdb_savepoint(txn, &mark), error));
    for (;;) {
        enum status status = run_change(statement);

        if (status == STATUS_OK && !statement->own_txn && statement->session->savepoints == NULL)
            database_forget_savepoints(txn);
        if (status != STATUS_CONFLICT || strcmp(error->sqlstate, "40001") != 0)
            return status;
        if (atomic_load(&statement->session->interrupted))
            return sql_error_set(error, "57014", -1, "canceling statement due to user request");
        if (runs_whole(statement->ast))
            statement__drop_run(statement);
        exec_context_close(&statement->context);
        arena_reset(&statement->returned.arena);
        statement->returned.count = statement->returned.capacity = 0;
        statement->returned.rows = NULL;
        *error = (struct sql_error){.location = -1};
        TRY(sql_from_code(qtdb_rollback_to(txn, mark), error));
        TRY(sql_from_code(qtdb_refresh(txn), error));
        TRY(ensure_planned(statement, statement->ast));
    }
}

static void
note_changes(struct qtdb_statement *statement)
{
    const struct planned *planned = statement->planned;

    if (planned->bound->table != NULL)
        session_note_changes(statement->session, planned->bound->table, statement->row_count);
    for (uint32_t i = 0; i < planned->part_count; i++)
        session_note_changes(statement->session, planned->parts[i]->bound->table,
                             exec_part_count(&statement->context, i));
}

static bool
next_returned(struct qtdb_statement *statement)
{
    if (statement->batch_index >= statement->returned.count)
        return false;
    statement->row_values = statement->returned.rows[statement->batch_index++];
    return true;
}

static enum qtdb_code
step_change(struct qtdb_statement *statement)
{
    enum status status = ensure_bound(statement);

    if (status != STATUS_OK)
        return statement__fail(statement, status);
    if (statement->phase == STATEMENT_BOUND) {
        status = run_change_again(statement);
        if (status == STATUS_OK)
            note_changes(statement);
        status = statement__leave(statement, status);
        session_settle_changes(statement->session, status == STATUS_OK);
        if (status != STATUS_OK)
            return statement__fail(statement, status);
    }
    arena_reset(&statement->row);
    bool row = next_returned(statement);
    statement->phase = row ? STATEMENT_ROWS : STATEMENT_DONE;
    return row ? QTDB_ROW : QTDB_DONE;
}

/* Queries. */

static enum status
next_row(struct qtdb_statement *statement, bool *out)
{
    if (statement->ast->kind == AST_EXPLAIN) {
        if (!statement->explained)
            TRY(explain(statement));
        if (statement->row_count > 0)
            statement->lines = statement->lines->next;
        *out = statement->lines != NULL;
        return STATUS_OK;
    }
    if (statement->batch == NULL)
        TRY(statement__open_rows(statement));
    statement->batch_index++;
    if (statement->batch == NULL || statement->batch_index >= statement->batch->count) {
        TRY(exec_next(statement->exec, &statement->batch));
        statement->batch_index = 0;
    }
    *out = statement->batch->count > 0;
    if (*out)
        statement->row_values =
            statement->batch->values + (size_t)statement->batch_index * statement->batch->width;
    return STATUS_OK;
}

static enum qtdb_code
step_query(struct qtdb_statement *statement)
{
    bool row = false;
    enum status status = ensure_bound(statement);

    if (status != STATUS_OK)
        return statement__fail(statement, status);
    arena_reset(&statement->row);
    status = next_row(statement, &row);
    if (status == STATUS_OK && row) {
        statement->phase = STATEMENT_ROWS;
        statement->row_count++;
        return QTDB_ROW;
    }
    status = statement__leave(statement, status);
    if (status != STATUS_OK)
        return statement__fail(statement, status);
    statement__set_tag(statement, statement->ast->kind == AST_EXPLAIN ? "EXPLAIN" : "SELECT",
                       statement->row_count);
    if (statement->ast->kind == AST_SHOW)
        statement->tag = "SHOW", statement->tag_counts = false;
    statement->phase = STATEMENT_DONE;
    return QTDB_DONE;
}

/* Definitions, transaction statements, and what has files of its own. */
static enum status
run_whole(struct qtdb_statement *statement)
{
    struct define_result result = {.tag = NULL};
    struct arena arena;
    enum status status;

    statement->tag_counts = false;
    if (statement->ast->kind == AST_TRANSACTION)
        return session_transaction(statement->session, statement->ast, &statement->tag,
                                   &statement->error);
    if (statement->ast->kind == AST_SET)
        return session_set(statement->session, statement->ast, &statement->tag, &statement->error);
    if (statement->ast->kind == AST_COPY)
        return statement__copy(statement);
    if (statement->ast->kind == AST_ANALYZE || statement->ast->kind == AST_VACUUM)
        return statement__analyze(statement);
    if (statement->ast->kind == AST_PREPARE)
        return statement__prepare(statement);
    if (statement->ast->kind == AST_DEALLOCATE)
        return statement__deallocate(statement);
    if (statement->ast->kind == AST_DECLARE)
        return statement__declare(statement);
    if (statement->ast->kind == AST_CLOSE)
        return statement__close_cursor(statement);
    if (statement->ast->kind >= AST_LOCK && statement->ast->kind <= AST_DISCARD)
        return statement__maintain(statement);
    if (exec_makes_temporary(statement->ast))
        session_begin_temporary(statement->session);
    arena_init(&arena, statement->session->memory, MEMORY_SQL);
    statement->looked = false;
    do {
        status = statement__enter(statement);
        if (status == STATUS_OK)
            status =
                exec_define(&statement->context, statement->sql, statement->ast, &arena, &result);
    } while (status == STATUS_MISSING && statement__look_first(statement));
    if (status == STATUS_OK && result.made && exec_makes_temporary(statement->ast))
        status = session_note_temporary(statement->session, statement->ast);
    statement->tag = result.tag;
    statement->row_count = result.row_count;
    if (result.counts)
        statement__set_tag(statement, result.tag, result.row_count);
    if (!statement->own_txn)
        statement->session->catalog_changed = true;
    arena_deinit(&arena);
    return statement__leave(statement, status);
}

enum qtdb_code
qtdb_step(struct qtdb_statement *statement)
{
    if (statement->phase == STATEMENT_DONE)
        return QTDB_DONE;
    session_use_zone(statement->session);
    if (statement->ast->kind == AST_EXECUTE)
        return statement__step_execute(statement);
    if (statement->ast->kind == AST_FETCH)
        return statement__step_fetch(statement);
    if (is_query(statement->ast))
        return step_query(statement);
    if (is_change(statement->ast) || runs_whole(statement->ast))
        return step_change(statement);
    statement->error = (struct sql_error){.location = -1};
    enum status status = run_whole(statement);
    if (status != STATUS_OK)
        return statement__fail(statement, status);
    statement->phase = STATEMENT_DONE;
    return QTDB_DONE;
}

void
qtdb_reset(struct qtdb_statement *statement)
{
    bool change = is_change(statement->ast) || runs_whole(statement->ast) ||
                  statement->ast->kind == AST_FETCH;

    qtdb_finalize(statement->inner);
    statement->inner = NULL;
    /* A change whose columns were asked for but that never ran ends without a trace; rows of
     * RETURNING have no transaction any more. */
    if ((statement->phase == STATEMENT_BOUND && statement->ast->kind != AST_FETCH) ||
        (statement->phase == STATEMENT_ROWS && !change)) {
        enum status status = statement__leave(statement, STATUS_OK);

        CHECK(status != STATUS_MISSING); /* Ending a read cannot lose anything. */
    }
    statement->phase = STATEMENT_READY;
    statement->batch = NULL;
    statement->batch_index = 0;
    statement->row_values = NULL;
    statement->lines = statement->last_line = NULL;
    statement->row_count = 0;
    statement->visible = 0;
    statement->returned.count = statement->returned.capacity = 0;
    statement->returned.rows = NULL;
    arena_reset(&statement->returned.arena);
    arena_reset(&statement->row);
}

void
statement__select(struct qtdb_statement *statement, uint32_t index)
{
    CHECK(index < statement->ast_count);
    qtdb_reset(statement);
    if (statement->ast != &statement->asts[index])
        forget_plan(statement);
    statement->ast = &statement->asts[index];
}
