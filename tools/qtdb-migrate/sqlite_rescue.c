/*
 * Rows of damaged SQLite files. A table is read by its rowid upward; where that fails, the smallest rowid from
 * which it goes on is looked for, first with steps that double, then between the last two: a search by rowid
 * needs only the pages on its way. What lies between is told as lost. A table WITHOUT ROWID is read in the order of
 * its key until the first failure, and then backward until the first: what lies between is lost.
 *
 * rowids only go up: a damaged tree that leads back, or around, ends at the first rowid that does not. No table has
 * more rows than the file has bytes.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/sqlite_source.h"

enum { FAILURES_MAX = 1000000 };

struct climb {
    struct source *source;
    const char *table;
    const char *columns; /* "a", "b" */
    const char *rowid;   /* Its name in this table; NULL: it has none. */
    const char *order;   /* Then: ORDER BY of its key; "": as it comes. */
    const struct sqlite_rescue_visitor *visitor;
    int64_t low; /* The smallest rowid that is not read yet. */
    bool ended;  /* INT64_MAX was read. */
    bool broke;  /* Without a rowid: the end was not reached. */
    uint64_t row_count;
    char fault[SQLITE_FAULT_SIZE];
};

static const struct sqlite_source *
sqlite_of(const struct climb *climb)
{
    return climb->source->state;
}

static bool
is_column(const struct climb *climb, const char *name)
{
    const char *at = climb->columns;
    size_t size = strlen(name);

    while ((at = strcasestr(at, name)) != NULL) {
        if (at > climb->columns && at[-1] == '"' && at[size] == '"')
            return true;
        at += size;
    }
    return false;
}

/* With the rowid first, from rowid $1 upward; LIMIT 1 for a probe. */
static enum status
prepare(struct climb *climb, bool probe, struct sqlite_query **out)
{
    struct sqlite_source *sqlite = climb->source->state;
    struct text_buffer *sql = &sqlite->sql;

    text_buffer_reset(sql);
    text_buffer_print(sql, "SELECT %s", climb->rowid != NULL ? climb->rowid : "0");
    if (!probe)
        text_buffer_print(sql, ", %s", climb->columns);
    text_buffer_add_text(sql, " FROM main.");
    text_buffer_add_identifier(sql, climb->table);
    if (climb->rowid != NULL)
        text_buffer_print(sql, " WHERE %s >= ?1 ORDER BY %s%s", climb->rowid, climb->rowid,
                          probe ? " LIMIT 1" : "");
    else
        text_buffer_add_text(sql, climb->order);
    return sqlite_prepare(climb->source, climb->table, out);
}

/* The first of its names that is no column's, if the table has one. */
static void
find_rowid(struct climb *climb)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    struct sqlite_query *query = NULL;

    for (size_t i = 0; i < 3; i++) {
        climb->rowid = names[i];
        if (is_column(climb, names[i]))
            continue;
        if (prepare(climb, true, &query) == STATUS_OK) {
            sqlite_of(climb)->door->finalize(query);
            return;
        }
        break;
    }
    climb->source->fault[0] = '\0';
    climb->rowid = NULL;
}

/* True when a row at or above `rowid` (or none) is found. */
static bool
can_go_on(struct climb *climb, struct sqlite_query *probe, int64_t rowid)
{
    const struct sqlite_door *door = sqlite_of(climb)->door;
    char fault[SQLITE_FAULT_SIZE];

    door->reset(probe);
    if (!door->bind_i64(probe, 1, rowid))
        return false;
    enum sqlite_step step = door->step(probe, fault);
    bool works = step == SQLITE_STEP_DONE ||
                 (step == SQLITE_STEP_ROW && door->column_i64(probe, 0) >= rowid);
    door->reset(probe);
    return works;
}

/* The rowid of the next row, where that can be read: then it is the row's values that cannot. */
static bool
finds_row(struct climb *climb, struct sqlite_query *probe, int64_t *out)
{
    const struct sqlite_door *door = sqlite_of(climb)->door;
    char fault[SQLITE_FAULT_SIZE];

    door->reset(probe);
    bool found = door->bind_i64(probe, 1, climb->low) &&
                 door->step(probe, fault) == SQLITE_STEP_ROW &&
                 door->column_i64(probe, 0) >= climb->low;
    *out = found ? door->column_i64(probe, 0) : 0;
    door->reset(probe);
    return found;
}

/* Rowids may be negative, and steps as long as all of them. */
static int64_t
above(const struct climb *climb, uint64_t step)
{
    return (int64_t)((uint64_t)climb->low + step);
}

/* Moves `low` past a failure at it. False: nothing above it can be read. */
static bool
pass_damage(struct climb *climb, struct sqlite_query *probe)
{
    uint64_t step = 1, room = (uint64_t)INT64_MAX - (uint64_t)climb->low;
    int64_t rowid = 0;

    if (finds_row(climb, probe, &rowid)) {
        climb->low = rowid < INT64_MAX ? rowid + 1 : rowid;
        return rowid < INT64_MAX;
    }
    while (step <= room && !can_go_on(climb, probe, above(climb, step))) {
        if (step > room / 2)
            return false;
        step *= 2;
    }
    if (step > room)
        return false;
    uint64_t bad = step / 2, good = step;
    while (good - bad > 1) {
        uint64_t middle = bad + (good - bad) / 2;

        if (can_go_on(climb, probe, above(climb, middle)))
            good = middle;
        else
            bad = middle;
    }
    climb->low = above(climb, good);
    return true;
}

static void
tell(struct climb *climb, int64_t from, bool to_end)
{
    char words[SQLITE_FAULT_SIZE + 160];

    if (climb->visitor->lost == NULL)
        return;
    if (climb->rowid == NULL)
        (void)snprintf(words, sizeof(words),
                       "rows behind row %llu of the key's order cannot be read: %s",
                       (unsigned long long)climb->row_count, climb->fault);
    else if (to_end)
        (void)snprintf(words, sizeof(words), "rows from rowid %lld on cannot be read: %s",
                       (long long)from, climb->fault);
    else
        (void)snprintf(words, sizeof(words), "rows of rowids %lld to %lld cannot be read: %s",
                       (long long)from, (long long)(climb->low - 1), climb->fault);
    climb->visitor->lost(climb->visitor->context, words);
}

/* Rows until the end or a failure. */
static enum status
take_rows(struct climb *climb, struct sqlite_query *query, enum sqlite_step *step_out)
{
    const struct sqlite_door *door = sqlite_of(climb)->door;

    for (;;) {
        *step_out = door->step(query, climb->fault);
        if (*step_out != SQLITE_STEP_ROW)
            return STATUS_OK;
        int64_t rowid = door->column_i64(query, 0);
        if (climb->rowid != NULL && (rowid < climb->low || climb->ended)) {
            (void)snprintf(climb->fault, sizeof(climb->fault), "its rowids go down");
            *step_out = SQLITE_STEP_FAILED;
            return STATUS_OK;
        }
        if (climb->row_count > climb->source->size) {
            (void)snprintf(climb->fault, sizeof(climb->fault), "more rows than bytes");
            *step_out = SQLITE_STEP_FAILED;
            return STATUS_OK;
        }
        TRY(climb->visitor->row(climb->visitor->context, query));
        climb->row_count++;
        climb->ended = rowid == INT64_MAX;
        climb->low = climb->ended ? rowid : rowid + 1;
    }
}

static enum status
climb_table(struct climb *climb, struct sqlite_query *query, struct sqlite_query *probe)
{
    const struct sqlite_door *door = sqlite_of(climb)->door;

    /* A row that fails takes bytes of the file. */
    for (uint64_t failures = 0; failures < FAILURES_MAX && failures <= climb->source->size;
         failures++) {
        enum sqlite_step step = SQLITE_STEP_DONE;

        door->reset(query);
        if (climb->rowid != NULL && !door->bind_i64(query, 1, climb->low))
            return sqlite_no_memory(climb->source);
        TRY(take_rows(climb, query, &step));
        if (step == SQLITE_STEP_DONE || climb->ended)
            return STATUS_OK;
        int64_t from = climb->low;
        bool more = climb->rowid != NULL && pass_damage(climb, probe);
        tell(climb, from, !more);
        climb->broke = climb->rowid == NULL;
        if (!more)
            return STATUS_OK;
    }
    (void)snprintf(climb->fault, sizeof(climb->fault), "too much damage");
    tell(climb, climb->low, true);
    return STATUS_OK;
}

/* ORDER BY "a" DESC, "b" DESC of the key; empty where it is not told. */
static enum status
key_order(struct climb *climb, struct text_buffer *out)
{
    struct sqlite_source *sqlite = climb->source->state;
    struct sqlite_query *query = NULL;
    char fault[SQLITE_FAULT_SIZE];
    size_t size = 0;

    text_buffer_reset(&sqlite->sql);
    text_buffer_add_text(&sqlite->sql, "SELECT name FROM pragma_table_xinfo(");
    text_buffer_add_literal(&sqlite->sql, climb->table, strlen(climb->table));
    text_buffer_add_text(&sqlite->sql, ") WHERE pk > 0 ORDER BY pk");
    TRY(sqlite_prepare(climb->source, climb->table, &query));
    while (sqlite->door->step(query, fault) == SQLITE_STEP_ROW) {
        const char *name = sqlite->door->column_text(query, 0, &size);

        text_buffer_add_text(out, out->size == 0 ? " ORDER BY " : ", ");
        text_buffer_add_identifier(out, name != NULL ? name : "");
        text_buffer_add_text(out, " DESC");
    }
    sqlite->door->finalize(query);
    return out->failed ? sqlite_no_memory(climb->source) : STATUS_OK;
}

/* From the other end, what a table WITHOUT ROWID has behind its damage. */
static enum status
climb_down(struct climb *climb)
{
    const struct sqlite_door *door = sqlite_of(climb)->door;
    struct sqlite_query *query = NULL;
    enum sqlite_step step = SQLITE_STEP_DONE;
    struct text_buffer order;

    text_buffer_init(&order, climb->source->env.memory);
    enum status status = key_order(climb, &order);
    if (status == STATUS_OK && order.size > 0) {
        climb->order = order.bytes;
        status = prepare(climb, false, &query);
        if (status == STATUS_OK)
            status = take_rows(climb, query, &step);
        door->finalize(query);
    }
    text_buffer_deinit(&order);
    return status;
}

enum status
sqlite_rescue_rows(struct source *source, const char *table, const char *columns,
                   const struct sqlite_rescue_visitor *visitor)
{
    struct climb climb = {.source = source,
                          .table = table,
                          .columns = columns,
                          .visitor = visitor,
                          .order = "",
                          .low = INT64_MIN};
    struct sqlite_query *query = NULL, *probe = NULL;

    find_rowid(&climb);
    enum status status = prepare(&climb, false, &query);
    if (status == STATUS_OK)
        status = prepare(&climb, true, &probe);
    if (status == STATUS_OK)
        status = climb_table(&climb, query, probe);
    sqlite_of(&climb)->door->finalize(probe);
    sqlite_of(&climb)->door->finalize(query);
    if (status == STATUS_OK && climb.broke)
        status = climb_down(&climb);
    return status;
}
