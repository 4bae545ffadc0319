/*
 * The running part of a statement and what is kept of it: nodes, batches and tree handles of a small plan
 * stay with a prepared statement when its run has ended, so that the next one neither takes memory nor
 * looks trees up by name. They go with the plan, with a failure, and when the statement is finalised. What
 * a block's own definitions made is never kept.
 */
#include "executor/session.h"
#include "kernel/base/check.h"

static bool
may_keep(const struct qtdb_statement *statement)
{
    return !statement->session->catalog_changed && statement->context.measures == NULL &&
           statement->context.planned != NULL && statement->context.planned == statement->planned &&
           statement->ast->kind != AST_EXPLAIN && statement->ast->kind != AST_SHOW;
}

enum status
statement__open_rows(struct qtdb_statement *statement)
{
    if (statement->exec == NULL)
        TRY(exec_open(&statement->context, statement->planned->root, &statement->exec));
    else if (statement->parked)
        exec_resume(statement->exec);
    statement->parked = false;
    return STATUS_OK;
}

enum status
statement__run_rows_changed(struct qtdb_statement *statement)
{
    if (statement->change == NULL)
        TRY(exec_change_open(&statement->context, &statement->returned, &statement->change));
    enum status status = exec_change_run(statement->change, &statement->row_count);

    if (status != STATUS_OK) {
        exec_change_close(statement->change);
        statement->change = NULL;
    }
    return status;
}

void
statement__drop_run(struct qtdb_statement *statement)
{
    exec_close(statement->exec);
    statement->exec = NULL;
    statement->parked = false;
    exec_change_close(statement->change);
    statement->change = NULL;
}

void
statement__end_run(struct qtdb_statement *statement, enum status status)
{
    bool keeps = status == STATUS_OK && may_keep(statement);

    if (statement->exec != NULL && !statement->parked) {
        statement->parked = keeps && statement->planned->keepable;
        if (statement->parked)
            exec_park(statement->exec);
    }
    if (!keeps || (statement->exec != NULL && !statement->parked) ||
        (statement->change != NULL && !exec_change_park(statement->change)))
        statement__drop_run(statement);
    exec_context_close(&statement->context);
}
