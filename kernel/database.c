/*
 * The database handle: opening, closing, checkpoints, statistics.
 *
 * Opening: the pager opens (and recovers) the file; the catalog is made in a new file; then the
 * background thread starts, last, so that nothing runs beside the opening. Closing goes backwards, and
 * is refused while transactions are running: their handles would be left without a database.
 */
#include "kernel/database.h"

#include "kernel/kernel_private.h"

#define WRITE_SET_LIMIT_DEFAULT ((uint64_t)64 << 20)
#define VERSION_LIMIT_DEFAULT ((uint64_t)64 << 20)

const char *
qtdb_version(void)
{
    return QTDB_VERSION_STRING;
}

struct memory *
database_memory(const struct qtdb *db)
{
    return db->env.memory;
}

struct io *
database_io(const struct qtdb *db)
{
    return db->env.io;
}

const char *
database_path(const struct qtdb *db)
{
    return pager_path(db->pager);
}

uint64_t
database_instance(struct qtdb *db)
{
    uint64_t none = 0, drawn = 0;

    if (atomic_load(&db->instance) == 0) {
        io_random(db->env.io, &drawn, sizeof(drawn));
        drawn |= 1; /* Not 0. */
        (void)atomic_compare_exchange_strong(&db->instance, &none, drawn);
    }
    return atomic_load(&db->instance);
}

struct database_notes *
database_notes(struct qtdb *db)
{
    return &db->notes;
}

struct pager *
database_pager(const struct qtdb *db)
{
    return db->pager;
}

static enum status
take_options(const struct qtdb_options *options, struct qtdb_options *out)
{
    memset(out, 0, sizeof(*out));
    if (options == NULL)
        return STATUS_OK;
    if (options->size == 0)
        return error_raise(STATUS_INVALID, "qtdb_options.size is not set: set it to sizeof");
    memcpy(out, options, options->size < sizeof(*out) ? options->size : sizeof(*out));
    if (out->policy != 0 && out->policy != QTDB_POLICY_IMAGE && out->policy != QTDB_POLICY_RANGE)
        return error_raise(STATUS_INVALID, "unknown log policy %d", (int)out->policy);
    return STATUS_OK;
}

static struct pager_options
pager_options_of(const struct qtdb_options *options)
{
    return (struct pager_options){
        .create = options->create,
        .read_only = options->read_only,
        .rescue = options->rescue,
        .background = !options->no_threads,
        .huge_pages = !options->no_threads,
        .policy = (enum pager_policy)options->policy,
        .pool_size = options->pool_size,
        .pool_size_max = options->pool_size_max,
        .log_limit = options->log_limit,
        .segment_size = options->segment_size,
        .recovery_threads = options->recovery_threads != 0 ? options->recovery_threads
                            : options->no_threads          ? 1
                                                           : 2,
    };
}

/* What depends on the size of the pool, of which a change may touch a quarter: freeing stays well below
 * that, and larger values are written past the log and apart from their row, from 32 pages on, or what
 * a change of this pool can well hold. */
static void
fit_to_pool(struct qtdb *db)
{
    uint32_t limit = pager_change_limit(db->pager);
    size_t size = (size_t)limit / 4 * 4032;

    atomic_store(&db->drop_limit, limit > 4 * 64 ? 64 : limit < 4 * 4 ? 4 : limit / 4);
    atomic_store(&db->large_min, size > LARGE_MIN_MAX      ? LARGE_MIN_MAX
                                 : size < BTREE_CHUNK_SIZE ? BTREE_CHUNK_SIZE
                                                           : size);
}

enum qtdb_code
qtdb_set_pool_size(struct qtdb *db, uint64_t size)
{
    enum status status = pager_set_pool_size(db->pager, size);

    fit_to_pool(db);
    return api_error(status);
}

/* A sixteenth of the pool, so that a change has room for it. */
static size_t
route_save_limit_of(const struct qtdb_options *options)
{
    return (size_t)(options->pool_size == 0 ? UINT64_C(4) << 20 : options->pool_size / 16);
}

/* The catalog's handle; it is in no list, for nobody opens it by name. */
static enum status
catalog_handle_new(struct qtdb *db)
{
    struct qtdb_tree *catalog = memory_alloc(db->env.memory, MEMORY_OTHER, sizeof(*catalog));
    static const char name[] = "catalog";

    if (catalog == NULL)
        return STATUS_NO_MEMORY;
    catalog->db = db;
    catalog->tree_id = CATALOG_TREE_ID;
    catalog->kind = QTDB_KEY_BYTES;
    memcpy(catalog->name, name, sizeof(name));
    catalog->name_size = sizeof(name) - 1;
    catalog->root_new = PAGE_NONE;
    atomic_store(&catalog->root, PAGE_CATALOG_ROOT);
    atomic_store(&catalog->csn_dropped, CSN_NEVER);
    db->catalog = catalog;
    return STATUS_OK;
}

/* Frees the handle; the pager is closed. */
static void
database_free(struct qtdb *db)
{
    struct env env = db->env;
    bool owns_env = db->owns_env;

    CHECK(!txn__any_running(db) && db->value_tickets == NULL && db->pending == NULL &&
          db->merged == NULL);
    txn__free_all(db);
    undo__free_all(db);
    lock_table_deinit(&db->locks);
    sequence__free_all(db);
    tree__free_all(db);
    memory_free(env.memory, MEMORY_OTHER, db->catalog, sizeof(*db->catalog));
    memory_free(env.memory, MEMORY_OTHER, db, sizeof(*db));
    if (owns_env) {
        io_close_all(env.io);
        memory_delete(env.memory);
    }
}

static enum status
start(struct qtdb *db, const char *path, const struct qtdb_options *options)
{
    struct pager_options pager_options = pager_options_of(options);

    TRY(lock_table_init(&db->locks, db->env.memory));
    TRY(catalog_handle_new(db));
    TRY(pager_open(&db->env, path, &pager_options, &db->pager));
    db->read_only = pager_is_read_only(db->pager);
    fit_to_pool(db);
    TRY(catalog__open(db));
    TRY(undo__open(db));
    return background__start(db);
}

enum status
database_open_env(const struct env *env, const char *path, const struct qtdb_options *options,
                  struct qtdb **out)
{
    struct qtdb_options given;
    struct qtdb *db;

    TRY(take_options(options, &given));
    db = memory_alloc(env->memory, MEMORY_OTHER, sizeof(*db));
    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->env = *env;
    db->no_threads = given.no_threads;
    db->write_set_limit =
        given.write_set_limit != 0 ? given.write_set_limit : WRITE_SET_LIMIT_DEFAULT;
    db->version_limit = given.version_limit != 0 ? given.version_limit : VERSION_LIMIT_DEFAULT;
    db->route_save_limit = route_save_limit_of(&given);
    db->csn_limit = CSN_NEVER;
    db->opening = park__opening();
    enum status status = start(db, path, &given);

    if (status != STATUS_OK) {
        pager_abandon(db->pager);
        database_free(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

enum qtdb_code
qtdb_open(const char *path, const struct qtdb_options *options, struct qtdb **out)
{
    struct env env = {.memory = memory_new()};

    if (env.memory == NULL)
        return api_error(STATUS_NO_MEMORY);
    enum status status = io_posix_open(env.memory, true, &env.io);

    if (status == STATUS_OK)
        status = database_open_env(&env, path, options, out);
    if (status == STATUS_OK) {
        (*out)->owns_env = true;
        return QTDB_OK;
    }
    if (env.io != NULL)
        io_close_all(env.io);
    memory_delete(env.memory);
    return api_error(status);
}

enum qtdb_code
qtdb_close(struct qtdb *db)
{
    if (db == NULL)
        return QTDB_OK;
    if (txn__any_running(db))
        return api_error_set(QTDB_INVALID, NULL, 0, false,
                             "transactions are still running: end them before closing");
    background__stop(db);
    enum status stored = sequence__store_all(db);

    route__save_all(db);
    versions__free_all(db);
    enum status status = pager_close(db->pager);

    if (status == STATUS_OK)
        status = stored;

    db->pager = NULL;
    database_free(db);
    return api_error(status);
}

void
database_abandon(struct qtdb *db)
{
    if (db == NULL)
        return;
    background__stop(db);
    while (txn__any_running(db))
        qtdb_rollback(db->writers.newest != NULL ? db->writers.newest : db->readers.newest);
    versions__free_all(db);
    pager_abandon(db->pager);
    db->pager = NULL;
    database_free(db);
}

enum qtdb_code
qtdb_checkpoint(struct qtdb *db)
{
    if (db->read_only)
        return api_error_set(QTDB_READONLY, NULL, 0, false, "the database is open read-only");
    return api_error(pager_checkpoint(db->pager));
}

enum qtdb_code
qtdb_sync(struct qtdb *db)
{
    if (db->read_only)
        return QTDB_OK;
    return api_error(pager_flush(db->pager, pager_csn(db->pager)));
}

void
qtdb_get_statistics(struct qtdb *db, struct qtdb_statistics *out)
{
    struct qtdb_statistics now = {.size = sizeof(now)};
    struct pager_statistics pager;
    size_t size = out->size < sizeof(now) ? out->size : sizeof(now);

    if (size > offsetof(struct qtdb_statistics, pin_count))
        pager_get_statistics(db->pager, &pager);
    else
        pager_get_counts(db->pager, &pager);
    now.commit_count = atomic_load(&db->commit_count);
    now.log_size = pager.log.frame_size + pager.log.fill_size + pager.log.header_size;
    now.page_write_size = pager.page_write_count * PAGE_SIZE;
    now.meta_write_size = pager.meta_write_count * PAGE_SIZE;
    now.page_read_count = pager.page_read_count;
    now.map_read_count = pager.map_read_count;
    now.inner_read_count = pager.inner_read_count;
    now.pin_count = pager.pin_count;
    now.page_count = pager.page_count;
    now.free_page_count = pager.free_count;
    now.user_size = atomic_load(&db->user_size);
    now.checkpoint_count = pager.checkpoint_count;
    now.repair_count = pager.repair_count;
    now.conflict_count = atomic_load(&db->conflict_count);
    now.lock_wait_count = atomic_load(&db->locks.wait_count);
    now.pool_size = pager_pool_size(db->pager);
    now.deadlock_count = atomic_load(&db->locks.deadlock_count);
    latch_lock(&db->snapshot_latch);
    now.version_size = db->merged_size;
    latch_unlock(&db->snapshot_latch);
    now.size = size;
    memcpy(out, &now, size);
}
