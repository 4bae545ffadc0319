/* See shell_words.h. */
#include "tools/qtdb/shell_words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const keywords[] = {
    "ADD",        "ALL",       "ALTER",     "ANALYZE",   "AND",      "ANY",        "AS",
    "ASC",        "BEGIN",     "BETWEEN",   "BY",        "CASCADE",  "CASE",       "CAST",
    "CHECK",      "COLUMN",    "COMMENT",   "COMMIT",    "CONFLICT", "CONSTRAINT", "COPY",
    "CREATE",     "CROSS",     "DEFAULT",   "DELETE",    "DESC",     "DISTINCT",   "DO",
    "DROP",       "ELSE",      "END",       "EXCEPT",    "EXECUTE",  "EXISTS",     "EXPLAIN",
    "FALSE",      "FILTER",    "FIRST",     "FOREIGN",   "FROM",     "FULL",       "GENERATED",
    "GROUP",      "HAVING",    "IDENTITY",  "IF",        "ILIKE",    "IN",         "INDEX",
    "INNER",      "INSERT",    "INTERSECT", "INTO",      "IS",       "JOIN",       "KEY",
    "LAST",       "LATERAL",   "LEFT",      "LIKE",      "LIMIT",    "MERGE",      "NATURAL",
    "NOT",        "NOTHING",   "NULL",      "NULLS",     "OFFSET",   "ON",         "OR",
    "ORDER",      "OUTER",     "OVER",      "PARTITION", "PREPARE",  "PRIMARY",    "RECURSIVE",
    "REFERENCES", "RETURNING", "RIGHT",     "ROLLBACK",  "ROWS",     "SAVEPOINT",  "SCHEMA",
    "SELECT",     "SEQUENCE",  "SET",       "SHOW",      "TABLE",    "TEMPORARY",  "THEN",
    "TO",         "TRUE",      "TRUNCATE",  "UNION",     "UNIQUE",   "UPDATE",     "USING",
    "VACUUM",     "VALUES",    "VIEW",      "WHEN",      "WHERE",    "WINDOW",     "WITH",
};
enum { KEYWORD_COUNT = sizeof(keywords) / sizeof(keywords[0]) };

/* Completion. */

struct gathering {
    const char *word; /* What has been typed of it. */
    size_t size;
    struct text_buffer common; /* What all ways have so far. */
    struct text_buffer *list;
    uint32_t count;
};

static void
offer(struct gathering *gathering, const char *way)
{
    if (strncasecmp(way, gathering->word, gathering->size) != 0)
        return;
    if (gathering->count == 0) {
        text_buffer_add_text(&gathering->common, way);
    } else {
        size_t same = gathering->size;

        while (same < gathering->common.size && way[same] != '\0' &&
               way[same] == gathering->common.bytes[same])
            same++;
        gathering->common.size = same;
    }
    if (gathering->count++ > 0)
        text_buffer_add_char(gathering->list, ' ');
    text_buffer_add_text(gathering->list, way);
}

/* A keyword in the case in which it was begun. */
static void
offer_keyword(struct gathering *gathering, const char *keyword)
{
    char lower[16];
    size_t size = strlen(keyword) + 1;

    if (gathering->size == 0 || !islower((unsigned char)gathering->word[0])) {
        offer(gathering, keyword);
        return;
    }
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)tolower((unsigned char)keyword[i]);
    offer(gathering, lower);
}

static bool
offer_name(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    (void)count;
    (void)names;
    offer(context, values[0]);
    return true;
}

/* A session of its own: a failed block of the shell's does not stand in the way. */
static void
offer_names(struct shell *shell, struct gathering *gathering)
{
    struct qtdb_session *session = NULL;

    if (qtdb_session_open(shell->db, &session) != QTDB_OK)
        return;
    if (qtdb_exec(session,
                  "SELECT table_name FROM information_schema.tables UNION SELECT column_name FROM "
                  "information_schema.columns UNION SELECT schema_name FROM "
                  "information_schema.schemata ORDER BY 1",
                  offer_name, gathering) != QTDB_OK) {
        /* Without names there are still keywords. */
        gathering->count = 0;
        text_buffer_reset(&gathering->common);
        text_buffer_reset(gathering->list);
    }
    qtdb_session_close(session);
}

static bool
is_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

void
shell_complete(struct shell *shell, const char *line, size_t size, struct text_buffer *insert,
               struct text_buffer *list)
{
    struct gathering gathering = {.list = list};
    size_t begin = size;

    while (begin > 0 && is_part(line[begin - 1]))
        begin--;
    bool command =
        strspn(line, " ") + 1 == begin && (line[begin - 1] == '.' || line[begin - 1] == '\\');
    begin -= command;
    gathering.word = line + begin;
    gathering.size = size - begin;
    if (gathering.size == 0)
        return;
    text_buffer_init(&gathering.common, shell->env.memory);
    const char *name;
    for (size_t i = 0; command && (name = shell_command_name(i)) != NULL; i++)
        offer(&gathering, name);
    if (!command)
        offer_names(shell, &gathering);
    for (uint32_t i = 0; i < KEYWORD_COUNT && !command; i++)
        offer_keyword(&gathering, keywords[i]);
    if (gathering.count > 0 && !gathering.common.failed) {
        text_buffer_add(insert, gathering.common.bytes + gathering.size,
                        gathering.common.size - gathering.size);
        if (gathering.count == 1)
            text_buffer_add_char(insert, ' ');
    }
    if (gathering.count < 2 || insert->size > 0)
        text_buffer_reset(list);
    text_buffer_deinit(&gathering.common);
}

/* Colours. */

static bool
is_keyword(const char *word, size_t size)
{
    for (uint32_t i = 0; i < KEYWORD_COUNT; i++) {
        if (strlen(keywords[i]) == size && strncasecmp(keywords[i], word, size) == 0)
            return true;
    }
    return false;
}

/* The bytes of what begins at `at`, and its colour; NULL: none. */
static size_t
take(const char *at, const char *end, const char **colour_out)
{
    const char *next = at + 1;

    *colour_out = NULL;
    if (*at == '\'') {
        while (next < end && *next != '\'')
            next++;
        *colour_out = "\033[32m";
        next += next < end;
    } else if (*at == '-' && next < end && *next == '-') {
        *colour_out = "\033[90m";
        next = end;
    } else if (isdigit((unsigned char)*at)) {
        while (next < end && (isalnum((unsigned char)*next) || *next == '.'))
            next++;
        *colour_out = "\033[36m";
    } else if (is_part(*at)) {
        while (next < end && is_part(*next))
            next++;
        if (is_keyword(at, (size_t)(next - at)))
            *colour_out = "\033[1;34m";
    }
    return (size_t)(next - at);
}

void
shell_colour(const char *line, size_t size, struct text_buffer *out)
{
    const char *end = line + size;

    while (line < end) {
        const char *colour;
        size_t taken = take(line, end, &colour);

        if (colour != NULL)
            text_buffer_add_text(out, colour);
        text_buffer_add(out, line, taken);
        if (colour != NULL)
            text_buffer_add_text(out, "\033[0m");
        line += taken;
    }
}
