/* Options of EXPLAIN. */
#include <string.h>

#include "executor/pg_private.h"

/* An option without a value is on. */
static bool
is_on(struct pg__conversion *conversion, const DefElem *option)
{
    static const char *const words[] = {"off", "on", "false", "true"};

    if (option->arg == NULL)
        return true;
    if (IsA(option->arg, Integer))
        return intVal(option->arg) != 0;
    if (IsA(option->arg, Boolean))
        return boolVal(option->arg);
    for (size_t i = 0; IsA(option->arg, String) && i < 4; i++) {
        if (strcasecmp(strVal(option->arg), words[i]) == 0)
            return i % 2 == 1;
    }
    (void)pg__fail(conversion, "42601", option->location,
                   "an option of EXPLAIN requires a Boolean value");
    return false;
}

static bool
is_json(struct pg__conversion *conversion, const DefElem *option)
{
    const char *format = option->arg != NULL && IsA(option->arg, String) ? strVal(option->arg) : "";

    if (strcasecmp(format, "json") == 0)
        return true;
    if (strcasecmp(format, "xml") == 0 || strcasecmp(format, "yaml") == 0)
        (void)pg__unsupported(conversion, option->location, "this format of EXPLAIN");
    else if (strcasecmp(format, "text") != 0)
        (void)pg__fail(conversion, "22023", option->location,
                       "unrecognized value for EXPLAIN option \"format\"");
    return false;
}

struct ast_explain
pg__explain(struct pg__conversion *conversion, List *options)
{
    struct ast_explain out = {.costs = true, .timing = true, .summary = true};
    ListCell *cell;

    foreach (cell, options) {
        DefElem *option = lfirst(cell);
        const char *name = option->defname;

        if (strcmp(name, "format") == 0)
            out.json = is_json(conversion, option);
        else if (strcmp(name, "analyze") == 0)
            out.analyze = is_on(conversion, option);
        else if (strcmp(name, "buffers") == 0)
            out.buffers = is_on(conversion, option);
        else if (strcmp(name, "costs") == 0)
            out.costs = is_on(conversion, option);
        else if (strcmp(name, "timing") == 0)
            out.timing = is_on(conversion, option);
        else if (strcmp(name, "summary") == 0)
            out.summary = is_on(conversion, option);
        else if (strcmp(name, "verbose") == 0 || strcmp(name, "wal") == 0)
            (void)is_on(conversion, option); /* Changes nothing: bytes logged are always told. */
        else
            (void)pg__unsupported(conversion, option->location, "this option of EXPLAIN");
    }
    return out;
}
