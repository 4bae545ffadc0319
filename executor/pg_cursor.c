/* DECLARE, FETCH, MOVE and CLOSE. */
#include <limits.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"

static struct ast_cursor *
convert_declare(struct pg__conversion *conversion, DeclareCursorStmt *source)
{
    struct ast_cursor *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    if ((source->options & CURSOR_OPT_BINARY) != 0)
        return pg__unsupported(conversion, -1, "DECLARE ... BINARY");
    out->name = pg__copy(conversion, source->portalname);
    out->hold = (source->options & CURSOR_OPT_HOLD) != 0;
    out->no_scroll = (source->options & CURSOR_OPT_NO_SCROLL) != 0;
    out->query = pg__take(conversion, sizeof(*out->query));
    if (out->query != NULL)
        pg__statement(conversion, source->query, out->query);
    if (out->query != NULL && out->query->locks && (source->options & CURSOR_OPT_SCROLL) != 0)
        return pg__fail(conversion, "0A000", -1,
                        "DECLARE SCROLL CURSOR ... FOR UPDATE is not supported");
    if (out->query != NULL && out->query->locks && (source->options & CURSOR_OPT_INSENSITIVE) != 0)
        return pg__fail(conversion, "42P11", -1,
                        "DECLARE INSENSITIVE CURSOR ... FOR UPDATE is not valid");
    return out;
}

static struct ast_cursor *
convert_fetch(struct pg__conversion *conversion, FetchStmt *source)
{
    struct ast_cursor *out = pg__take(conversion, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->name = pg__copy(conversion, source->portalname);
    out->moves = source->ismove;
    out->count = source->howMany == LONG_MAX ? INT64_MAX : source->howMany;
    out->direction = source->direction == FETCH_ABSOLUTE   ? AST_FETCH_ABSOLUTE
                     : source->direction == FETCH_RELATIVE ? AST_FETCH_RELATIVE
                     : source->direction == FETCH_BACKWARD ? AST_FETCH_BACKWARD
                                                           : AST_FETCH_FORWARD;
    return out;
}

static struct ast_cursor *
convert_close(struct pg__conversion *conversion, ClosePortalStmt *source)
{
    struct ast_cursor *out = pg__take(conversion, sizeof(*out));

    if (out != NULL && source->portalname != NULL)
        out->name = pg__copy(conversion, source->portalname);
    return out;
}

bool
pg__cursor(struct pg__conversion *conversion, Node *node, struct ast_statement *out)
{
    switch (nodeTag(node)) {
    case T_DeclareCursorStmt:
        out->kind = AST_DECLARE;
        out->cursor = convert_declare(conversion, (DeclareCursorStmt *)node);
        return true;
    case T_FetchStmt:
        out->kind = AST_FETCH;
        out->cursor = convert_fetch(conversion, (FetchStmt *)node);
        return true;
    case T_ClosePortalStmt:
        out->kind = AST_CLOSE;
        out->cursor = convert_close(conversion, (ClosePortalStmt *)node);
        return true;
    default:
        return false;
    }
}
