/*
 * See load_queue.h. The batches are a ring: `first` is the next that the thread takes, `waiting` of them are handed
 * over, the one behind those (`filling`) is being filled. Their content belongs to who has them; everything else is guarded by the
 * mutex, but for `table` and the batches' sizes, which change only while nothing is under way.
 */
#include "tools/qtdb-migrate/load_queue.h"

#include <pthread.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/memory.h"

enum {
    BATCHES = 4,
    BATCH_BYTES = 256 * 1024, /* Of texts. */
    BATCH_VALUES = 8192,
    BATCH_ROWS = 512,
};

struct batch {
    uint32_t row_count;
    size_t used; /* Of `bytes`. */
    struct qtdb_value values[BATCH_VALUES];
    uint64_t indexes[BATCH_ROWS];
    char bytes[BATCH_BYTES];
};

struct load_queue {
    struct env env;
    struct migrate_target *target;
    const struct migrate_table *table;
    uint32_t rows_most;    /* Of a batch of this table. */
    struct batch *filling; /* Of the calling thread. */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t handed;   /* To the thread. */
    pthread_cond_t finished; /* By it. */
    uint32_t first;
    uint32_t waiting;
    bool ending;
    enum target_result result; /* Of the row that was refused; what follows is dropped. */
    uint64_t refused;
    struct batch *batches[BATCHES];
};

/* The thread. */

static enum target_result
put_batch(struct load_queue *queue, const struct batch *batch, uint64_t *refused_out)
{
    uint32_t taken = 0;
    enum target_result result =
        target_insert(queue->target, queue->table, batch->values, batch->row_count, &taken);

    if (result != TARGET_OK)
        *refused_out = batch->indexes[taken < batch->row_count ? taken : batch->row_count - 1];
    return result;
}

static void *
put_batches(void *context)
{
    struct load_queue *queue = context;

    CHECK(pthread_mutex_lock(&queue->mutex) == 0);
    for (;;) {
        while (queue->waiting == 0 && !queue->ending)
            CHECK(pthread_cond_wait(&queue->handed, &queue->mutex) == 0);
        if (queue->waiting == 0)
            break;
        const struct batch *batch = queue->batches[queue->first];
        bool wanted = queue->result == TARGET_OK && !queue->ending;
        enum target_result result = TARGET_OK;
        uint64_t refused = 0;

        CHECK(pthread_mutex_unlock(&queue->mutex) == 0);
        if (wanted)
            result = put_batch(queue, batch, &refused);
        CHECK(pthread_mutex_lock(&queue->mutex) == 0);
        if (result != TARGET_OK) {
            queue->result = result;
            queue->refused = refused;
        }
        queue->first = (queue->first + 1) % BATCHES;
        queue->waiting--;
        CHECK(pthread_cond_signal(&queue->finished) == 0);
    }
    CHECK(pthread_mutex_unlock(&queue->mutex) == 0);
    return NULL;
}

/* Its life. */

static void
free_all(struct load_queue *queue)
{
    struct memory *memory = queue->env.memory;

    for (uint32_t i = 0; i < BATCHES; i++)
        memory_free(memory, MEMORY_OTHER, queue->batches[i], sizeof(struct batch));
    memory_free(memory, MEMORY_OTHER, queue, sizeof(*queue));
}

enum status
queue_open(const struct env *env, struct migrate_target *target, struct load_queue **out)
{
    struct load_queue *queue = memory_alloc(env->memory, MEMORY_OTHER, sizeof(*queue));
    bool whole = queue != NULL;

    if (queue == NULL)
        return STATUS_NO_MEMORY;
    *queue = (struct load_queue){.env = *env, .target = target};
    for (uint32_t i = 0; i < BATCHES; i++) {
        queue->batches[i] = memory_alloc(env->memory, MEMORY_OTHER, sizeof(struct batch));
        whole = whole && queue->batches[i] != NULL;
    }
    if (!whole) {
        free_all(queue);
        return STATUS_NO_MEMORY;
    }
    queue->filling = queue->batches[0];
    queue->filling->row_count = 0;
    queue->filling->used = 0;
    CHECK(pthread_mutex_init(&queue->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&queue->handed, NULL) == 0);
    CHECK(pthread_cond_init(&queue->finished, NULL) == 0);
    if (pthread_create(&queue->thread, NULL, put_batches, queue) != 0) {
        free_all(queue);
        return STATUS_FAILED;
    }
    *out = queue;
    return STATUS_OK;
}

void
queue_close(struct load_queue *queue)
{
    if (queue == NULL)
        return;
    CHECK(pthread_mutex_lock(&queue->mutex) == 0);
    queue->ending = true;
    CHECK(pthread_cond_signal(&queue->handed) == 0);
    CHECK(pthread_mutex_unlock(&queue->mutex) == 0);
    CHECK(pthread_join(queue->thread, NULL) == 0);
    CHECK(pthread_mutex_destroy(&queue->mutex) == 0);
    CHECK(pthread_cond_destroy(&queue->handed) == 0);
    CHECK(pthread_cond_destroy(&queue->finished) == 0);
    free_all(queue);
}

/* Rows. */

void
queue_table(struct load_queue *queue, const struct migrate_table *table)
{
    uint32_t columns = table->column_count;

    CHECK(queue->filling->row_count == 0);
    CHECK(columns > 0 && columns <= BATCH_VALUES); /* The target has taken it. */
    queue->table = table;
    queue->rows_most = BATCH_VALUES / columns < BATCH_ROWS ? BATCH_VALUES / columns : BATCH_ROWS;
}

/* Hands the batch over that was filled, and takes the next; what was refused so far. */
static enum target_result
hand_over(struct load_queue *queue)
{
    CHECK(pthread_mutex_lock(&queue->mutex) == 0);
    queue->waiting++;
    CHECK(pthread_cond_signal(&queue->handed) == 0);
    while (queue->waiting == BATCHES)
        CHECK(pthread_cond_wait(&queue->finished, &queue->mutex) == 0);
    queue->filling = queue->batches[(queue->first + queue->waiting) % BATCHES];
    enum target_result result = queue->result;
    CHECK(pthread_mutex_unlock(&queue->mutex) == 0);
    queue->filling->row_count = 0;
    queue->filling->used = 0;
    return result;
}

enum target_result
queue_settle(struct load_queue *queue, uint64_t *row_out)
{
    if (queue->filling->row_count > 0)
        (void)hand_over(queue);
    CHECK(pthread_mutex_lock(&queue->mutex) == 0);
    while (queue->waiting > 0)
        CHECK(pthread_cond_wait(&queue->finished, &queue->mutex) == 0);
    enum target_result result = queue->result;
    queue->result = TARGET_OK;
    *row_out = queue->refused;
    CHECK(pthread_mutex_unlock(&queue->mutex) == 0);
    return result;
}

/* Its bytes stay where they are. */
static struct qtdb_value
value_of(const struct converted *value)
{
    switch (value->form) {
    case CONVERT_INTEGER:
        return (struct qtdb_value){.type = QTDB_TYPE_INT8, .integer = value->integer};
    case CONVERT_REAL:
        return (struct qtdb_value){.type = QTDB_TYPE_FLOAT8, .real = value->real};
    case CONVERT_TEXT:
        return (struct qtdb_value){
            .type = QTDB_TYPE_TEXT, .size = value->size, .bytes = value->bytes};
    case CONVERT_BYTES:
        return (struct qtdb_value){
            .type = QTDB_TYPE_BYTEA, .size = value->size, .bytes = value->bytes};
    case CONVERT_NULL:
        break;
    }
    return (struct qtdb_value){.type = QTDB_TYPE_NULL};
}

static bool
has_bytes(const struct qtdb_value *value)
{
    return value->type == QTDB_TYPE_TEXT || value->type == QTDB_TYPE_BYTEA;
}

/* Fills in the row at the batch's end; the bytes it has, which are not copied yet. */
static size_t
set_row(const struct load_queue *queue, struct batch *batch, const struct converted *row,
        uint64_t index)
{
    uint32_t columns = queue->table->column_count;
    struct qtdb_value *values = batch->values + (size_t)batch->row_count * columns;
    size_t size = 0;

    for (uint32_t i = 0; i < columns; i++) {
        values[i] = value_of(&row[i]);
        size += has_bytes(&values[i]) ? values[i].size : 0;
    }
    batch->indexes[batch->row_count] = index;
    return size;
}

static void
copy_row(const struct load_queue *queue, struct batch *batch)
{
    uint32_t columns = queue->table->column_count;
    struct qtdb_value *values = batch->values + (size_t)batch->row_count * columns;

    for (uint32_t i = 0; i < columns; i++) {
        struct qtdb_value *value = &values[i];

        if (!has_bytes(value))
            continue;
        if (value->size > 0)
            memcpy(batch->bytes + batch->used, value->bytes, value->size);
        value->bytes = batch->bytes + batch->used;
        batch->used += value->size;
    }
    batch->row_count++;
}

/* A row that no batch holds goes by itself: its bytes stay until it is in. */
static enum target_result
add_large(struct load_queue *queue, const struct converted *row, uint64_t index, uint64_t *row_out)
{
    enum target_result result = queue_settle(queue, row_out);

    if (result != TARGET_OK)
        return result;
    (void)set_row(queue, queue->filling, row, index);
    queue->filling->row_count = 1;
    return queue_settle(queue, row_out);
}

enum target_result
queue_add(struct load_queue *queue, const struct converted *row, uint64_t index, uint64_t *row_out)
{
    enum target_result result = TARGET_OK;
    size_t size = set_row(queue, queue->filling, row, index);

    if (size > BATCH_BYTES)
        return add_large(queue, row, index, row_out);
    if (size > BATCH_BYTES - queue->filling->used) {
        result = hand_over(queue);
        (void)set_row(queue, queue->filling, row, index);
    }
    copy_row(queue, queue->filling);
    if (queue->filling->row_count == queue->rows_most && result == TARGET_OK)
        result = hand_over(queue);
    return result == TARGET_OK ? TARGET_OK : queue_settle(queue, row_out);
}
