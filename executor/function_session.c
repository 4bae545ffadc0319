/*
 * Functions of the session: its settings, and pauses. A pause is cut into short ones, between which an interrupt, the
 * progress function and statement_timeout are looked for.
 */
#include <string.h>
#include <unistd.h>

#include "executor/exec_private.h"
#include "executor/function.h"
#include "executor/interval.h"
#include "executor/settings.h"
#include "kernel/base/io.h"
#include "kernel/base/sync.h"

enum { SLICE_NS = 2000000 };

/* A name or a value of set_config and current_setting, with its NUL. */
static enum status
read_text(const struct value *value, struct eval *eval, const char **out)
{
    char *text = arena_copy_text(eval->arena, (const char *)value->bytes, value->size);

    *out = text;
    return text == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
give_text(const char *text, struct eval *eval, struct value *out)
{
    char *copy = arena_copy_text(eval->arena, text, strlen(text));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(QTDB_TYPE_TEXT, copy, strlen(text));
    return STATUS_OK;
}

/* What the transaction has, not the session; NULL: no such thing. */
static const char *
of_transaction(const struct exec_context *context, const char *name)
{
    if (strcasecmp(name, "transaction_isolation") == 0)
        return context->isolation == QTDB_SERIALIZABLE      ? "serializable"
               : context->isolation == QTDB_REPEATABLE_READ ? "repeatable read"
                                                            : "read committed";
    if (strcasecmp(name, "transaction_read_only") == 0)
        return context->read_only ? "on" : "off";
    return strcasecmp(name, "transaction_deferrable") == 0 ? "off" : NULL;
}

static enum status
refuse_here(const struct expr *expr, struct eval *eval)
{
    return sql_error_set(eval->error, "0A000", expr->location, "%s has no session here",
                         expr->function->name);
}

static bool
has_session(const struct eval *eval)
{
    return eval->context != NULL && eval->context->settings != NULL;
}

/* current_setting(name [, missing_ok]) */
static enum status
call_current(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const char *name = NULL, *shown = NULL, *value = NULL;

    if (!has_session(eval))
        return refuse_here(expr, eval);
    TRY(read_text(&arguments[0], eval, &name));
    value = of_transaction(eval->context, name);
    if (value != NULL)
        return give_text(value, eval, out);
    enum status status = settings_get(eval->context->settings, name, &shown, &value, eval->error);
    if (status == STATUS_INVALID && expr->argument_count > 1 && arguments[1].integer != 0) {
        eval->error->sqlstate[0] = '\0';
        *out = value_null(QTDB_TYPE_TEXT);
        return STATUS_OK;
    }
    TRY(status);
    return give_text(value, eval, out);
}

/* set_config(name, value, is_local); a null value is the default. */
static enum status
call_set(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    const char *name = NULL, *shown = NULL, *value = NULL;
    bool local = !arguments[2].null && arguments[2].integer != 0;

    if (!has_session(eval))
        return refuse_here(expr, eval);
    struct settings *settings = eval->context->settings;
    bool in_block = eval->context->in_block;

    if (arguments[0].null)
        return sql_error_set(eval->error, "22004", -1, "SET requires parameter name");
    TRY(read_text(&arguments[0], eval, &name));
    if (arguments[1].null) {
        TRY(settings_reset(settings, name, local, in_block, eval->error));
    } else {
        TRY(read_text(&arguments[1], eval, &value));
        TRY(settings_set_text(settings, name, value, local, in_block, eval->error));
    }
    (void)zone_enter(settings_zone(settings));
    if (local && !in_block && value != NULL)
        return give_text(value, eval, out); /* It lasts as long as the statement: nobody sees it. */
    TRY(settings_get(settings, name, &shown, &value, eval->error));
    return give_text(value, eval, out);
}

/* Pauses. */

static enum status
pause_ns(const struct eval *eval, uint64_t left_ns)
{
    const struct exec_context *context = eval->context;
    uint64_t timeout_ns = UINT64_MAX;
    struct event never = {0}; /* Nobody signals it. */

    if (context->deadline_ns != 0) {
        uint64_t now_ns = io_clock_ns(context->io);

        timeout_ns = context->deadline_ns > now_ns ? context->deadline_ns - now_ns : 0;
    }
    for (uint64_t slept_ns = 0; slept_ns < left_ns; slept_ns += SLICE_NS) {
        uint64_t slice_ns = left_ns - slept_ns < SLICE_NS ? left_ns - slept_ns : SLICE_NS;

        TRY(exec__check_interrupt(context));
        if (slept_ns >= timeout_ns)
            return exec__timed_out(context);
        (void)event_wait_for(&never, event_count(&never), slice_ns);
    }
    return exec__check_interrupt(context);
}

/* pg_sleep(seconds), pg_sleep_for(interval), pg_sleep_until(timestamptz): nothing, as an empty text. */
static enum status
call_sleep(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    static const double SECONDS_MAX = 1e9;
    static const int64_t EPOCH_US = INT64_C(946684800000000);
    double seconds = 0;

    if (eval->context == NULL)
        return refuse_here(expr, eval);
    if (arguments[0].type == QTDB_TYPE_INTERVAL)
        seconds = (double)interval_span(&arguments[0]) / 1e6;
    else if (arguments[0].type == QTDB_TYPE_TIMESTAMPTZ)
        seconds = (double)(arguments[0].integer + EPOCH_US -
                           (int64_t)(io_time_ns(eval->context->io) / 1000)) /
                  1e6;
    else
        seconds = arguments[0].real;
    if (seconds > SECONDS_MAX)
        seconds = SECONDS_MAX;
    if (seconds > 0)
        TRY(pause_ns(eval, (uint64_t)(seconds * 1e9)));
    *out = value_bytes(QTDB_TYPE_TEXT, "", 0);
    return STATUS_OK;
}

static enum status
call_pid(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    (void)expr, (void)arguments, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, getpid());
    return STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT
#define BOOL QTDB_TYPE_BOOL

const struct function function_session_table[] = {
    {"current_setting", 1, 2, {TEXT, BOOL}, TEXT, false, false, call_current},
    {"set_config", 3, 3, {TEXT, TEXT, BOOL}, TEXT, true, false, call_set},
    {"pg_sleep", 1, 1, {QTDB_TYPE_FLOAT8}, TEXT, false, false, call_sleep},
    {"pg_sleep_for", 1, 1, {QTDB_TYPE_INTERVAL}, TEXT, false, false, call_sleep},
    {"pg_sleep_until", 1, 1, {QTDB_TYPE_TIMESTAMPTZ}, TEXT, false, false, call_sleep},
    {"pg_backend_pid", 0, 1, {TEXT}, QTDB_TYPE_INT4, true, false, call_pid},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
