/*
 * A B+-tree as textbooks have it, for `learned` to be compared with: nodes of 4 KB, sorted arrays of keys,
 * a binary search in each node, everything in memory, no transactions. It takes rows in order only, in
 * one session, and forgets them at close; values have 8 bytes. Nodes are filled to the last entry.
 *
 * It pays for no page table, no consistency and no copy past 8 bytes: what it loses, it loses by the
 * search alone.
 */
#include <assert.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engines.h"

enum { NODE_SIZE = 4096, FAN = (NODE_SIZE - 16) / 16, LEVELS_MAX = 8, CHUNK_NODES = 4096 };

struct textbook_node {
    uint32_t count;
    uint32_t level;
    uint64_t unused;
    uint64_t keys[FAN];
    union {
        uint64_t value;
        struct textbook_node *child;
    } entry[FAN];
};
static_assert(sizeof(struct textbook_node) <= NODE_SIZE, "a node is a page");

struct chunk {
    struct chunk *next;
    uint32_t used;
    struct textbook_node *nodes;
};

struct bench_db {
    struct memory *memory;
    struct chunk *chunks;
    uint32_t height;
    struct textbook_node *edge[LEVELS_MAX]; /* The last node of each level. */
};

struct bench_session {
    struct bench_db *db;
    uint64_t value;
};

static const char *
version(void)
{
    return "1";
}

static struct textbook_node *
new_node(struct bench_db *db, uint32_t level)
{
    struct chunk *chunk = db->chunks;

    if (chunk == NULL || chunk->used == CHUNK_NODES) {
        chunk = memory_alloc(db->memory, MEMORY_OTHER, sizeof(*chunk));
        if (chunk == NULL)
            return NULL;
        chunk->nodes =
            memory_alloc_aligned(db->memory, MEMORY_OTHER, (size_t)CHUNK_NODES * NODE_SIZE, 4096);
        if (chunk->nodes == NULL) {
            memory_free(db->memory, MEMORY_OTHER, chunk, sizeof(*chunk));
            return NULL;
        }
        chunk->next = db->chunks;
        db->chunks = chunk;
    }
    struct textbook_node *node =
        (struct textbook_node *)(void *)((uint8_t *)chunk->nodes +
                                         (size_t)chunk->used++ * NODE_SIZE);

    *node = (struct textbook_node){.level = level};
    return node;
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = memory_alloc(config->memory, MEMORY_OTHER, sizeof(*db));

    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->memory = config->memory;
    db->edge[0] = new_node(db, 0);
    db->height = 1;
    *out = db;
    return db->edge[0] == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
close_db(struct bench_db *db)
{
    struct memory *memory = db->memory;

    while (db->chunks != NULL) {
        struct chunk *chunk = db->chunks;

        db->chunks = chunk->next;
        memory_free(memory, MEMORY_OTHER, chunk->nodes, (size_t)CHUNK_NODES * NODE_SIZE);
        memory_free(memory, MEMORY_OTHER, chunk, sizeof(*chunk));
    }
    memory_free(memory, MEMORY_OTHER, db, sizeof(*db));
    return STATUS_OK;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = memory_alloc(db->memory, MEMORY_OTHER, sizeof(*session));

    if (session == NULL)
        return STATUS_NO_MEMORY;
    session->db = db;
    *out = session;
    return STATUS_OK;
}

static void
session_close(struct bench_session *session)
{
    memory_free(session->db->memory, MEMORY_OTHER, session, sizeof(*session));
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    (void)session;
    (void)kind;
    return STATUS_OK;
}

static enum status
commit(struct bench_session *session)
{
    (void)session;
    return STATUS_OK;
}

static void
rollback(struct bench_session *session)
{
    (void)session;
}

/* A node that is full gets a right neighbour, whose first key goes to the level above. */
static enum status
append(struct bench_db *db, uint32_t level, uint64_t key, uint64_t value,
       struct textbook_node *child)
{
    for (;; level++) {
        struct textbook_node *node = db->edge[level];
        bool full = node->count == FAN;

        CHECK(node->count == 0 || node->keys[node->count - 1] < key);
        if (full) {
            node = new_node(db, level);
            if (node == NULL)
                return STATUS_NO_MEMORY;
        }
        node->keys[node->count] = key;
        if (level == 0)
            node->entry[node->count].value = value;
        else
            node->entry[node->count].child = child;
        node->count++;
        if (!full)
            return STATUS_OK;
        if (level + 1 == db->height) {
            struct textbook_node *root = new_node(db, level + 1);

            if (root == NULL || level + 1 == LEVELS_MAX)
                return STATUS_NO_MEMORY;
            root->keys[0] = 0; /* Below all. */
            root->entry[0].child = db->edge[level];
            root->count = 1;
            db->edge[db->height++] = root;
        }
        db->edge[level] = node;
        child = node;
    }
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint64_t number;

    if (size != sizeof(number) || how != BENCH_PUT_APPEND)
        return error_raise(STATUS_INVALID, "textbook: values of 8 bytes, in order");
    memcpy(&number, value, sizeof(number));
    return append(session->db, 0, key, number, NULL);
}

/* First of `count` keys that is above `key`. */
static uint32_t
upper_bound(const uint64_t *keys, uint32_t count, uint64_t key)
{
    uint32_t low = 0;

    while (low < count) {
        uint32_t middle = (low + count) / 2;

        if (keys[middle] <= key)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    const struct bench_db *db = session->db;
    const struct textbook_node *node = db->edge[db->height - 1];

    for (; node->level > 0;) {
        uint32_t index = upper_bound(node->keys, node->count, key);

        node = node->entry[index > 0 ? index - 1 : 0].child;
    }
    uint32_t index = upper_bound(node->keys, node->count, key);

    if (index == 0 || node->keys[index - 1] != key)
        return STATUS_NOT_FOUND;
    session->value = node->entry[index - 1].value;
    *value_out = &session->value;
    *size_out = sizeof(session->value);
    return STATUS_OK;
}

static enum status
settle(struct bench_db *db)
{
    (void)db;
    return STATUS_OK;
}

const struct bench_engine bench_textbook = {
    .name = "textbook",
    .settings = "B+-tree of 4 KB nodes in memory, binary search, full nodes, no transactions",
    .flags = BENCH_VOLATILE,
    .version = version,
    .open = open_db,
    .close = close_db,
    .session_open = session_open,
    .session_close = session_close,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .put = put,
    .get = get,
    .settle = settle,
};
