/* qtdb_exec: the text is parsed once, then its statements run one after the other. */
#include <string.h>

#include "executor/session.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

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
    struct qtdb_statement *statement = NULL;
    enum qtdb_code code = qtdb_prepare(session, sql, &statement, NULL);

    if (code != QTDB_OK || statement == NULL)
        return code;
    for (uint32_t i = 0; i < statement->ast_count && code == QTDB_OK; i++) {
        statement__select(statement, i);
        code = exec_one(statement, row, context);
    }
    qtdb_finalize(statement);
    return code;
}
