/*
 * qtdb_check: everything that can be found wrong without knowing what the rows mean.
 *
 *   1. the pager's check: each page of the file against map and witness
 *   2. each tree of the catalog, the catalog itself and what is left of dropped ones: btree_verify
 *   3. reachability: each page in use belongs to exactly one tree (T8)
 *
 * Committers wait outside the gate meanwhile; readers do not.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "kernel/kernel_private.h"

struct checker {
    struct qtdb *db;
    void (*finding)(void *context, const char *line);
    void *context;
    uint64_t finding_count;
    const char *tree; /* Name of the tree being walked. */
    uint8_t *owned;   /* One byte a page: it belongs to a tree already. */
    uint32_t page_count;
    bool unfinished; /* A big commit has still to be undone (read-only, or a full disk). */
};

__attribute__((format(printf, 2, 3))) static void
report(struct checker *checker, const char *format, ...)
{
    char line[1024];
    va_list arguments;

    checker->finding_count++;
    if (checker->finding == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    checker->finding(checker->context, line);
}

static void
page_finding(void *context, const struct pager_finding *finding)
{
    report(context, "page %" PRIu32 ": %s: %s", finding->page_number, status_name(finding->status),
           finding->reason);
}

static void
tree_finding(void *context, uint32_t page_number, const char *reason)
{
    struct checker *checker = context;

    report(checker, "tree '%s': page %" PRIu32 ": %s", checker->tree, page_number, reason);
}

static bool
take_page(void *context, uint32_t page_number)
{
    struct checker *checker = context;

    if (page_number >= checker->page_count || checker->owned[page_number] != 0)
        return false;
    checker->owned[page_number] = 1;
    return true;
}

static enum status
check_tree(struct checker *checker, const char *name, const struct btree *tree, bool partial)
{
    struct btree_walk walk = {.finding = tree_finding, .page = take_page, .context = checker};

    checker->tree = name;
    return btree_verify(tree, partial, &walk);
}

/* A row of the catalog that names the rows before an unfinished big commit. */
static enum status
check_undo_row(struct checker *checker, const struct btree_row *row)
{
    struct catalog_undo record = {.version = 0};

    if (undo__record_decode(row->value, row->value_size, &record) != STATUS_OK) {
        report(checker, "catalog: a row is damaged: %s", error_message());
        return STATUS_OK;
    }
    struct btree tree = {
        .pager = checker->db->pager,
        .root = le32_get(record.undo_root),
        .tree_id = le32_get(record.undo_id),
        .kind = record.kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
    };

    return check_tree(checker, "(undo)", &tree, false);
}

/* A row of the catalog that names a tree. */
static enum status
check_row(struct checker *checker, const struct btree_row *row)
{
    char name[QTDB_NAME_SIZE_MAX + 1] = "(dropped)";
    struct catalog_record record;
    uint8_t kind = row->key[0];
    size_t name_size = row->key_size - 1;

    /* Saved routers are derived: what is wrong with one, who reads it finds out. */
    if (kind == CATALOG_KEY_ROUTER && (name_size == 0 || name_size == 4))
        return STATUS_OK;
    if (kind == CATALOG_KEY_NEXT || (kind == CATALOG_KEY_SEQUENCE && name_size > 0 &&
                                     name_size <= QTDB_NAME_SIZE_MAX && row->value_size == 8))
        return STATUS_OK;
    if (kind == CATALOG_KEY_UNDO)
        return check_undo_row(checker, row);
    if (name_size > QTDB_NAME_SIZE_MAX || kind > CATALOG_KEY_DROPPED ||
        catalog__record_decode(row->value, row->value_size, &record) != STATUS_OK) {
        report(checker, "catalog: a row is damaged: %s", error_message());
        return STATUS_OK;
    }
    if (kind == CATALOG_KEY_NAME) {
        memcpy(name, row->key + 1, name_size);
        name[name_size] = '\0';
    }
    struct btree tree = {
        .pager = checker->db->pager,
        .root = le32_get(record.root),
        .tree_id = le32_get(record.tree_id),
        .kind = record.kind == QTDB_KEY_INT ? BTREE_INT : BTREE_VAR,
    };

    /* A new large value of an unfinished big commit: a row names it that will be undone. */
    if (kind == CATALOG_KEY_DROPPED && checker->unfinished && tree.root < checker->page_count &&
        checker->owned[tree.root] != 0)
        return STATUS_OK;
    return check_tree(checker, name, &tree, kind == CATALOG_KEY_DROPPED);
}

static enum status
check_trees(struct checker *checker)
{
    struct btree catalog = tree__btree(checker->db->catalog);
    struct btree_cursor cursor;
    uint64_t before = checker->finding_count;

    TRY(check_tree(checker, "catalog", &catalog, false));
    if (checker->finding_count > before)
        return STATUS_OK; /* The rest would be named by damaged rows. */
    btree_cursor_init(&cursor, &catalog, checker->db->env.memory);
    enum status status = btree_cursor_seek(&cursor, NULL, 0);

    while (status == STATUS_OK) {
        status = check_row(checker, &cursor.row);
        if (status == STATUS_OK)
            status = btree_cursor_next(&cursor);
    }
    btree_cursor_deinit(&cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
check_reachability(struct checker *checker)
{
    for (uint32_t page = PAGE_CATALOG_ROOT; page < checker->page_count; page++) {
        enum page_state state;

        TRY(pager_page_state(checker->db->pager, page, &state));
        bool used = state == PAGE_STATE_USED || state == PAGE_STATE_FENCED;

        if (used && checker->owned[page] == 0)
            report(checker, "page %" PRIu32 ": in use, but no tree has it", page);
        if (!used && checker->owned[page] != 0)
            report(checker, "page %" PRIu32 ": belongs to a tree, but is not in use", page);
    }
    return STATUS_OK;
}

static enum status
check_all(struct checker *checker)
{
    struct pager *pager = checker->db->pager;
    struct memory *memory = checker->db->env.memory;
    struct pager_check_result result;
    uint64_t before;

    TRY(pager_check(pager, page_finding, checker, &result));
    checker->page_count = pager_page_count(pager);
    checker->unfinished = undo__is_unfinished(checker->db);
    checker->owned = memory_alloc(memory, MEMORY_OTHER, checker->page_count);
    if (checker->owned == NULL)
        return STATUS_NO_MEMORY;
    before = checker->finding_count;
    enum status status = check_trees(checker);

    /* A tree that could not be walked to its end would make all its pages findings. */
    if (status == STATUS_OK && checker->finding_count == before)
        status = check_reachability(checker);
    memory_free(memory, MEMORY_OTHER, checker->owned, checker->page_count);
    return status;
}

enum qtdb_code
qtdb_check(struct qtdb *db, void (*finding)(void *context, const char *line), void *context)
{
    struct checker checker = {.db = db, .finding = finding, .context = context};

    gate__close(&db->gate);
    enum status status = check_all(&checker);

    gate__open(&db->gate);
    if (status != STATUS_OK)
        return api_error(status);
    if (checker.finding_count > 0)
        return api_error_set(QTDB_CORRUPT, NULL, 0, false, "the check found %" PRIu64 " faults",
                             checker.finding_count);
    return QTDB_OK;
}
