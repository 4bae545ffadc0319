/*
 * The session's cache of statements by text: a finalised statement goes in with its parse and its plan,
 * and a prepare of the same text takes it out again. The least recently used goes when there are too
 * many. Only single queries and changes of moderate size are kept.
 */
#include <string.h>

#include "executor/session.h"
#include "kernel/base/check.h"

enum { KEPT_SIZE_MAX = 64 * 1024 };

struct qtdb_statement *
statement__cache_take(struct qtdb_session *session, const char *sql)
{
    uint64_t hash = statement__hash(sql);
    struct qtdb_statement **link = &session->cache;

    while (*link != NULL && ((*link)->hash != hash || strcmp((*link)->sql, sql) != 0))
        link = &(*link)->cache_next;
    struct qtdb_statement *statement = *link;
    if (statement == NULL) {
        session->cache_miss_count++;
        return NULL;
    }
    *link = statement->cache_next;
    statement->cache_next = NULL;
    session->cache_count--;
    session->cache_hit_count++;
    return statement;
}

static bool
may_keep(const struct qtdb_statement *statement)
{
    return statement->ast_count == 1 && statement->planned != NULL &&
           (statement->ast->kind == AST_SELECT || statement->ast->kind == AST_INSERT ||
            statement->ast->kind == AST_UPDATE || statement->ast->kind == AST_DELETE) &&
           statement->parsed.total_size + statement->bound.total_size <= KEPT_SIZE_MAX;
}

bool
statement__cache_give(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    struct qtdb_statement **link = &session->cache;

    if (!may_keep(statement))
        return false;
    /* Parse and plan are what is kept; the rest would be room that nobody uses. */
    statement__drop_run(statement);
    arena_deinit(&statement->row);
    arena_deinit(&statement->returned.arena);
    arena_init(&statement->row, session->memory, MEMORY_SQL);
    arena_init(&statement->returned.arena, session->memory, MEMORY_SQL);
    statement->cache_next = session->cache;
    session->cache = statement;
    if (++session->cache_count <= STATEMENT_CACHE_MAX)
        return true;
    while ((*link)->cache_next != NULL)
        link = &(*link)->cache_next;
    struct qtdb_statement *oldest = *link;
    *link = NULL;
    session->cache_count--;
    session->cache_eviction_count++;
    statement__free(oldest);
    return true;
}

void
statement__cache_clear(struct qtdb_session *session)
{
    while (session->cache != NULL) {
        struct qtdb_statement *statement = session->cache;

        session->cache = statement->cache_next;
        statement__free(statement);
    }
    session->cache_count = 0;
}

/* FNV-1a. */
uint64_t
statement__hash(const char *sql)
{
    uint64_t hash = 14695981039346656037u;

    for (; *sql != '\0'; sql++)
        hash = (hash ^ (uint8_t)*sql) * 1099511628211u;
    return hash;
}
