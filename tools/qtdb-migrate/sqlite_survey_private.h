/* Shared by sqlite_survey.c and sqlite_keys.c. */
#ifndef TOOLS_QTDB_MIGRATE_SQLITE_SURVEY_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_SQLITE_SURVEY_PRIVATE_H

#include "tools/qtdb-migrate/sqlite_source.h"

/* Of one table. */
struct columns {
    uint32_t count;
    uint32_t room;
    struct legacy_column *columns;
    const char *table;
};

struct text_buffer *sqlite__begin_sql(struct source *source);
enum status sqlite__ask(struct source *source, const char *before, const char *name,
                        const char *after, struct sqlite_query **out);
enum status sqlite__for_each(struct source *source, struct sqlite_query *query, void *context,
                             enum status (*each)(struct source *source, struct sqlite_query *query,
                                                 void *context));
bool sqlite__copy_text(struct source *source, struct sqlite_query *query, int column,
                       struct legacy_text *out);
int64_t sqlite__number(struct source *source, struct sqlite_query *query, int column);

enum status sqlite__take_index(struct source *source, struct sqlite_query *query, void *context);
enum status sqlite__survey_foreign_keys(struct source *source, struct columns *columns);

#endif
