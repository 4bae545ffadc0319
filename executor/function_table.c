/* Finding functions, and calling them. */
#include <string.h>

#include "executor/function.h"
#include "kernel/base/check.h"

/* The type wanted for argument `index`; the last one of a variadic function repeats. */
static enum qtdb_type
argument_type(const struct function *function, uint32_t index)
{
    return function->arguments[index < function->count ? index : function->count - 1];
}

/* Arguments that match exactly, or -1 when one cannot be cast. */
static int
match(const struct function *function, const enum qtdb_type *types, uint32_t count,
      bool (*casts)(enum qtdb_type from, enum qtdb_type to))
{
    enum qtdb_type element = QTDB_TYPE_NULL;
    int exact = 0, literal_texts = 0; /* A literal is rather a text than anything else. */

    if (count < function->least || (count > function->count && !function->variadic))
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        enum qtdb_type wanted = argument_type(function, i);

        if (wanted == FUNCTION_ANY_ARRAY) {
            if (types[i] != QTDB_TYPE_NULL && !value_is_array(types[i]))
                return -1;
            if (types[i] != QTDB_TYPE_NULL)
                element = value_element(types[i]);
            exact += types[i] != QTDB_TYPE_NULL;
        } else if (wanted == FUNCTION_ANY_ELEMENT) {
            if (value_is_array(types[i]))
                return -1;
            exact += element == types[i] && element != QTDB_TYPE_NULL;
        } else if (wanted == types[i] && types[i] != QTDB_TYPE_NULL)
            exact++;
        else if (wanted != QTDB_TYPE_NULL && !casts(types[i], wanted))
            return -1;
        else if (types[i] == QTDB_TYPE_NULL && wanted == QTDB_TYPE_TEXT)
            literal_texts++;
    }
    return exact * 100 + literal_texts;
}

const struct function *
function_find(const char *name, const enum qtdb_type *types, uint32_t count,
              bool (*casts)(enum qtdb_type from, enum qtdb_type to))
{
    static const struct function *const tables[] = {
        function_text_table,     function_math_table,   function_array_table,
        function_date_table,     function_format_table, function_json_table,
        function_regex_table,    function_bytes_table,  function_digest_table,
        function_sequence_table, function_power_table,  function_number_table,
        function_moment_table,   function_more_table,   function_zone_table,
        function_session_table,  function_size_table};
    const struct function *best = NULL;
    int best_match = -1;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct function *function = tables[i]; function->name != NULL; function++) {
            if (strcmp(function->name, name) != 0)
                continue;
            int matched = match(function, types, count, casts);
            if (matched > best_match) {
                best_match = matched;
                best = function;
            }
        }
    }
    return best;
}

static bool
casts_never(enum qtdb_type from, enum qtdb_type to)
{
    return from == to;
}

const struct function *
function_find_exact(const char *name, const enum qtdb_type *types, uint32_t count)
{
    return function_find(name, types, count, casts_never);
}

enum status
function_eval(const struct expr *expr, const struct value *row, struct eval *eval,
              struct value *out)
{
    struct value few[FUNCTION_CALL_ARGUMENTS_MAX], *arguments = few;
    bool null = false;

    if (expr->argument_count > FUNCTION_CALL_ARGUMENTS_MAX) { /* ARRAY[...] alone. */
        arguments = arena_alloc(eval->arena, expr->argument_count * sizeof(*arguments));
        if (arguments == NULL)
            return STATUS_NO_MEMORY;
    }
    /* All of them, because one behind a null may fail. */
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        TRY(expr_eval(expr->arguments[i], row, eval, &arguments[i]));
        null = null || arguments[i].null;
    }
    if (null && !expr->function->takes_null) {
        *out = value_null(expr->type.type);
        return STATUS_OK;
    }
    return expr->function->call(expr, arguments, eval, out);
}
