/*
 * Large values as trees of their own. Value i of such a tree of integer keys is the i-th chunk of
 * BTREE_CHUNK_SIZE bytes; a row of another tree names it by a value reference (node_format.h).
 *
 *   row --> root --> leaves: chunk number -> overflow reference --> at most 8 data pages
 *
 * So a value is written and freed a piece at a time, in changes that are small whatever its size, and
 * read from any offset. A chunk's data pages go to their place at once (rule L4), many chunks with one
 * sync; the log gets the rows of the tree and the pages' adoption. Each chunk is compressed by itself
 * where that saves a page.
 *
 * Tree ids are never used twice and a tree holds one value, so a page is known by tree id, chunk and
 * place in the chunk: the stamp (B8) is the chunk's number plus one.
 *
 * Who makes such a tree sees to it that it is named by exactly one row or will be freed.
 */
#include "btree/tree_private.h"
#include "kernel/base/compress.h"
#include "pager/page.h"

enum { CHUNK_PAGES = 8, ZSTD_LEVEL = 1 };
static_assert(BTREE_CHUNK_SIZE == CHUNK_PAGES * OVERFLOW_DATA_SIZE, "a chunk fills its pages");
static_assert((int)CHUNK_PAGES == (int)OVERFLOW_DIRECT_MAX, "a chunk needs no list");

struct staged_chunk {
    uint64_t number;
    struct overflow_ref ref;
    size_t ref_size;
    uint32_t first; /* Of its pages in the stage. */
    uint32_t page_count;
};

struct btree_value_stage {
    struct btree tree;
    struct memory *memory;
    struct compress *codec; /* NULL: nothing is compressed. */
    uint32_t page_limit;
    uint32_t page_count;
    uint32_t chunk_count;
    uint64_t chunk_next;         /* Number of the next chunk. */
    bool written;                /* The pages are in the file. */
    bool reserved;               /* Their numbers are ours. */
    uint8_t *pages;              /* page_limit of them */
    uint32_t *numbers;           /* page_limit */
    void **pointers;             /* page_limit */
    struct staged_chunk *chunks; /* page_limit */
    uint8_t frame[BTREE_CHUNK_SIZE];
};

/* ---- Writing ------------------------------------------------------------------------------------ */

enum status
btree_value_stage_new(struct pager *pager, uint32_t tree_id, uint32_t page_limit, bool compress,
                      struct btree_value_stage **out)
{
    struct memory *memory = pager_env(pager).memory;
    struct btree_value_stage *stage = memory_alloc(memory, MEMORY_WRITE_SET, sizeof(*stage));
    enum status status = STATUS_NO_MEMORY;

    CHECK(page_limit >= CHUNK_PAGES);
    if (stage == NULL)
        return STATUS_NO_MEMORY;
    stage->tree =
        (struct btree){.pager = pager, .root = PAGE_NONE, .tree_id = tree_id, .kind = BTREE_INT};
    stage->memory = memory;
    stage->page_limit = page_limit;
    stage->pages =
        memory_alloc_aligned(memory, MEMORY_WRITE_SET, (size_t)page_limit * PAGE_SIZE, PAGE_SIZE);
    stage->numbers = memory_alloc(memory, MEMORY_WRITE_SET, page_limit * sizeof(*stage->numbers));
    stage->pointers = memory_alloc(memory, MEMORY_WRITE_SET, page_limit * sizeof(*stage->pointers));
    stage->chunks = memory_alloc(memory, MEMORY_WRITE_SET, page_limit * sizeof(*stage->chunks));
    if (stage->pages == NULL || stage->numbers == NULL || stage->pointers == NULL ||
        stage->chunks == NULL)
        goto out;
    if (compress)
        TRY_OUT(compress_new(memory, &stage->codec));
    for (uint32_t i = 0; i < page_limit; i++)
        stage->pointers[i] = stage->pages + (size_t)i * PAGE_SIZE;
    *out = stage;
    return STATUS_OK;
out:
    btree_value_stage_free(stage);
    return status;
}

void
btree_value_stage_reset(struct btree_value_stage *stage, bool committed)
{
    CHECK(!committed || stage->written);
    if (stage->reserved && !committed)
        pager_direct_release(stage->tree.pager, stage->page_count, stage->numbers);
    stage->reserved = false;
    stage->written = false;
    stage->page_count = 0;
    stage->chunk_count = 0;
}

void
btree_value_stage_free(struct btree_value_stage *stage)
{
    if (stage == NULL)
        return;
    struct memory *memory = stage->memory;
    uint32_t limit = stage->page_limit;

    btree_value_stage_reset(stage, false);
    compress_free(stage->codec);
    memory_free(memory, MEMORY_WRITE_SET, stage->pages, (size_t)limit * PAGE_SIZE);
    memory_free(memory, MEMORY_WRITE_SET, stage->numbers, limit * sizeof(*stage->numbers));
    memory_free(memory, MEMORY_WRITE_SET, stage->pointers, limit * sizeof(*stage->pointers));
    memory_free(memory, MEMORY_WRITE_SET, stage->chunks, limit * sizeof(*stage->chunks));
    memory_free(memory, MEMORY_WRITE_SET, stage, sizeof(*stage));
}

bool
btree_value_stage_is_full(const struct btree_value_stage *stage)
{
    return stage->page_limit - stage->page_count < CHUNK_PAGES;
}

bool
btree_value_stage_is_empty(const struct btree_value_stage *stage)
{
    return stage->chunk_count == 0;
}

static uint32_t
pages_of(size_t size)
{
    return (uint32_t)((size + OVERFLOW_DATA_SIZE - 1) / OVERFLOW_DATA_SIZE);
}

/* Lays `size` bytes into the stage's next pages, which have no numbers yet. */
static void
lay_out(struct btree_value_stage *stage, const uint8_t *bytes, size_t size, uint64_t stamp)
{
    for (uint32_t index = 0; size > 0; index++) {
        struct overflow_page *page = stage->pointers[stage->page_count++];
        size_t part = size < OVERFLOW_DATA_SIZE ? size : OVERFLOW_DATA_SIZE;

        page_init(page, 0, stage->tree.tree_id, PAGE_TYPE_OVERFLOW, 0);
        page->stamp = le64_of(stamp);
        page->index = le32_of(index);
        page->size = le32_of((uint32_t)part);
        memcpy(page->data, bytes, part);
        bytes += part;
        size -= part;
    }
}

void
btree_value_stage_add(struct btree_value_stage *stage, const void *chunk, size_t size)
{
    struct staged_chunk *staged = &stage->chunks[stage->chunk_count];
    uint32_t plain = pages_of(size);
    size_t packed = 0;

    CHECK(size > 0 && size <= BTREE_CHUNK_SIZE && !stage->written);
    CHECK(!btree_value_stage_is_full(stage));
    if (stage->codec != NULL && plain > 1)
        packed = compress_encode(stage->codec, chunk, size, stage->frame,
                                 (size_t)(plain - 1) * OVERFLOW_DATA_SIZE, ZSTD_LEVEL);
    *staged = (struct staged_chunk){
        .number = stage->chunk_next,
        .ref = {.size = le32_of((uint32_t)size),
                .packed = le32_of((uint32_t)packed),
                .stamp = le64_of(stage->chunk_next + 1)},
        .first = stage->page_count,
    };
    lay_out(stage, packed > 0 ? stage->frame : chunk, packed > 0 ? packed : size,
            stage->chunk_next + 1);
    staged->page_count = stage->page_count - staged->first;
    staged->ref_size = OVERFLOW_REF_HEADER_SIZE + 4 * (size_t)staged->page_count;
    stage->chunk_count++;
    stage->chunk_next++;
}

enum status
btree_value_stage_write(struct btree_value_stage *stage)
{
    struct pager *pager = stage->tree.pager;

    CHECK(stage->chunk_count > 0 && !stage->written && !stage->reserved);
    TRY(pager_direct_reserve(pager, stage->page_count, stage->numbers));
    stage->reserved = true;
    for (uint32_t i = 0; i < stage->page_count; i++)
        page_header(stage->pointers[i])->page_number = le32_of(stage->numbers[i]);
    for (uint32_t i = 0; i < stage->chunk_count; i++) {
        struct staged_chunk *chunk = &stage->chunks[i];

        for (uint32_t page = 0; page < chunk->page_count; page++)
            chunk->ref.page[page] = le32_of(stage->numbers[chunk->first + page]);
    }
    TRY(pager_direct_write(pager, stage->page_count, stage->numbers, stage->pointers));
    stage->written = true;
    return STATUS_OK;
}

enum status
btree_value_stage_attach(struct pager_change *change, const struct btree_value_stage *stage,
                         uint32_t root)
{
    struct btree tree = stage->tree;

    CHECK(stage->written && root != PAGE_NONE);
    tree.root = root;
    for (uint32_t i = 0; i < stage->page_count; i++)
        TRY(pager_change_adopt(change, stage->numbers[i]));
    for (uint32_t i = 0; i < stage->chunk_count; i++) {
        const struct staged_chunk *chunk = &stage->chunks[i];
        uint64_t key = __builtin_bswap64(chunk->number);
        struct node_entry entry = {
            .key = (const uint8_t *)&key,
            .key_size = sizeof(key),
            .value = (const uint8_t *)&chunk->ref,
            .value_size = chunk->ref_size,
            .is_overflow = true,
        };

        TRY(tree__put_entry(change, &tree, &entry, NULL));
    }
    return STATUS_OK;
}

/* ---- Rows that name values ---------------------------------------------------------------------- */

enum status
btree_put_value(struct pager_change *change, const struct btree *tree, const void *key,
                size_t key_size, const struct btree_value *value)
{
    uint8_t ref[VALUE_REF_SIZE];
    struct node_entry entry = {
        .key = key,
        .key_size = key_size,
        .value = ref,
        .is_overflow = true,
    };

    TRY(tree__refuse_key(tree, key_size));
    entry.value_size = tree__overflow_value_encode(value, ref);
    return tree__put_entry(change, tree, &entry, NULL);
}

enum status
btree_get_value(const struct btree *tree, const void *key, size_t key_size, struct btree_value *out,
                bool *is_value_out, uint64_t *csn_out)
{
    struct tree_cell cell;
    uint8_t nothing;

    if (key_size == 0 || key_size > BTREE_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has 1 to %d bytes, not %zu", BTREE_KEY_SIZE_MAX,
                           key_size);
    TRY(tree__look(tree, key, key_size, &nothing, 0, &cell));
    *csn_out = cell.csn;
    if (!cell.equal)
        return STATUS_NOT_FOUND;
    *is_value_out = cell.is_overflow && tree__overflow_value(cell.ref, cell.ref_size, out);
    return STATUS_OK;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

uint64_t
btree_value_chunk_count(const struct btree_value *value)
{
    return (value->size + BTREE_CHUNK_SIZE - 1) / BTREE_CHUNK_SIZE;
}

/* A whole chunk, `size` bytes. */
static enum status
read_chunk(const struct btree *tree, uint64_t number, size_t size, uint8_t *out)
{
    uint64_t key = __builtin_bswap64(number);
    struct tree_cell cell;
    struct btree_value nested;

    TRY(tree__look(tree, (const uint8_t *)&key, sizeof(key), out, 0, &cell));
    if (!cell.equal || !cell.is_overflow || cell.size != size ||
        tree__overflow_value(cell.ref, cell.ref_size, &nested))
        return error_raise(STATUS_CORRUPT,
                           "tree %u: chunk %llu of a large value is missing or of the wrong size; "
                           "restore it from a backup",
                           tree->tree_id, (unsigned long long)number);
    return tree__overflow_read(tree, cell.ref, cell.ref_size, out);
}

enum status
btree_value_read_chunk(struct pager *pager, const struct btree_value *value, uint64_t number,
                       uint8_t *out, size_t *size_out)
{
    struct btree tree = {
        .pager = pager, .root = value->root, .tree_id = value->tree_id, .kind = BTREE_INT};
    uint64_t offset = number * BTREE_CHUNK_SIZE;
    uint64_t left = value->size - offset;

    CHECK(number < btree_value_chunk_count(value));
    *size_out = left < BTREE_CHUNK_SIZE ? (size_t)left : BTREE_CHUNK_SIZE;
    return read_chunk(&tree, number, *size_out, out);
}

enum status
btree_value_read(struct pager *pager, const struct btree_value *value, uint8_t *out)
{
    for (uint64_t number = 0; number < btree_value_chunk_count(value); number++) {
        size_t size = 0;

        TRY(btree_value_read_chunk(pager, value, number, out, &size));
        out += size;
    }
    return STATUS_OK;
}
