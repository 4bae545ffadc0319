/*
 * Values in pages of their own (node_format.h). Written once, in one commit, and never changed: a new
 * value takes new pages, and the old ones are freed with the row that named them.
 *
 * The reference in the leaf names the data pages, or for larger values the first of a chain of pages
 * that list them. So reading can fetch pages side by side, and freeing reads only the lists.
 *
 * A reader without the latch may follow a reference whose row has been changed since. Every page
 * carries the stamp (the CSN of the commit that wrote it) and its place in the value, and the reference
 * carries the same stamp. A page that was freed and taken again has another stamp or another type, or
 * cannot be read; then the reader is told STATUS_CORRUPT and looks at the row again (B8).
 *
 * The pages hold the value as it is, or one zstd frame where its owner found that this takes fewer of
 * them. A reference may also name a tree that holds the value in chunks (tree_value.c): such pages
 * are not this row's to free.
 */
#include "btree/tree_private.h"
#include "kernel/base/compress.h"
#include "pager/page.h"

enum { PREFETCH_COUNT = 64 };

struct reference {
    size_t size;   /* Of the value. */
    size_t packed; /* 0: it is not compressed. */
    size_t stored; /* Bytes in the data pages. */
    bool is_tree;
    struct btree_value value; /* If it is. */
    uint64_t stamp;
    uint32_t data_count; /* Data pages. */
    uint32_t page_count; /* Numbers in the reference. */
    uint32_t page[OVERFLOW_DIRECT_MAX];
};

static uint32_t
data_count_of(size_t size)
{
    return (uint32_t)((size + OVERFLOW_DATA_SIZE - 1) / OVERFLOW_DATA_SIZE);
}

/* The form that names a tree. */
static bool
value_reference_decode(const struct overflow_ref *ref, struct reference *out)
{
    out->is_tree = true;
    out->value.size = le32_get(ref->size);
    out->value.root = le32_get(ref->page[0]);
    out->value.tree_id = le32_get(ref->page[1]);
    return out->packed == 0 && out->stamp == 0 && out->value.root > PAGE_CATALOG_ROOT &&
           out->value.tree_id != 0;
}

static bool
reference_decode(const uint8_t *bytes, size_t bytes_size, struct reference *out)
{
    struct overflow_ref ref;

    if (bytes_size <= OVERFLOW_REF_HEADER_SIZE || bytes_size > OVERFLOW_REF_SIZE_MAX)
        return false;
    memset(&ref, 0, sizeof(ref));
    memcpy(&ref, bytes, bytes_size);
    memset(out, 0, sizeof(*out));
    out->size = le32_get(ref.size);
    out->packed = le32_get(ref.packed);
    out->stored = out->packed != 0 ? out->packed : out->size;
    if (out->size == 0 || out->size > BTREE_VALUE_SIZE_MAX || out->packed >= out->size)
        return false;
    out->stamp = le64_get(ref.stamp);
    out->data_count = data_count_of(out->stored);
    if (out->data_count > OVERFLOW_DIRECT_MAX && bytes_size == VALUE_REF_SIZE)
        return value_reference_decode(&ref, out);
    if (out->size > BTREE_PUT_SIZE_MAX)
        return false;
    out->page_count = out->data_count <= OVERFLOW_DIRECT_MAX ? out->data_count : 1;
    for (uint32_t i = 0; i < OVERFLOW_DIRECT_MAX; i++)
        out->page[i] = le32_get(ref.page[i]);
    return bytes_size == OVERFLOW_REF_HEADER_SIZE + 4 * (size_t)out->page_count;
}

bool
tree__overflow_value(const uint8_t *ref, size_t ref_size, struct btree_value *out)
{
    struct reference reference;

    if (!reference_decode(ref, ref_size, &reference) || !reference.is_tree)
        return false;
    *out = reference.value;
    return true;
}

size_t
tree__overflow_value_encode(const struct btree_value *value, uint8_t *ref)
{
    struct overflow_ref bytes = {.size = le32_of((uint32_t)value->size)};

    CHECK(value->size > (uint64_t)OVERFLOW_DIRECT_MAX * OVERFLOW_DATA_SIZE &&
          value->size <= BTREE_VALUE_SIZE_MAX);
    bytes.page[0] = le32_of(value->root);
    bytes.page[1] = le32_of(value->tree_id);
    memcpy(ref, &bytes, VALUE_REF_SIZE);
    return VALUE_REF_SIZE;
}

enum status
tree__overflow_size(const uint8_t *ref, size_t ref_size, size_t *out)
{
    struct reference reference;

    if (!reference_decode(ref, ref_size, &reference))
        return STATUS_CORRUPT;
    *out = reference.size;
    return STATUS_OK;
}

static size_t
data_size_of(const struct reference *reference, uint32_t index)
{
    size_t left = reference->stored - (size_t)index * OVERFLOW_DATA_SIZE;

    return left < OVERFLOW_DATA_SIZE ? left : OVERFLOW_DATA_SIZE;
}

/* Is this the page of the value that `index` and `size` say? */
static bool
page_is(const struct btree *tree, const struct reference *reference, const uint8_t *page,
        uint32_t index, size_t size)
{
    const struct overflow_page *overflow = (const struct overflow_page *)page;

    return overflow->page.type == PAGE_TYPE_OVERFLOW &&
           le32_get(overflow->page.tree_id) == tree->tree_id &&
           le64_get(overflow->stamp) == reference->stamp && le32_get(overflow->index) == index &&
           le32_get(overflow->size) == size;
}

static size_t
list_size_of(const struct reference *reference, uint32_t list_index)
{
    size_t left = reference->data_count - (size_t)list_index * OVERFLOW_LIST_MAX;

    return left < OVERFLOW_LIST_MAX ? left : OVERFLOW_LIST_MAX;
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static enum status
page_new(struct pager_change *change, const struct btree *tree, uint32_t index, size_t size,
         uint32_t *number_out, struct overflow_page **out)
{
    uint8_t *page;

    TRY(pager_change_allocate(change, tree->tree_id, PAGE_TYPE_OVERFLOW, 0, number_out, &page));
    *out = (struct overflow_page *)page;
    (*out)->stamp = le64_of(pager_change_csn(change));
    (*out)->index = le32_of(index);
    (*out)->size = le32_of((uint32_t)size);
    return STATUS_OK;
}

static enum status
data_write(struct pager_change *change, const struct btree *tree, const struct reference *reference,
           uint32_t index, const uint8_t *value, uint32_t *number_out)
{
    size_t size = data_size_of(reference, index);
    struct overflow_page *page;

    CHECK(index < reference->data_count && size > 0 && size <= OVERFLOW_DATA_SIZE);
    TRY(page_new(change, tree, index, size, number_out, &page));
    memcpy(page->data, value + (size_t)index * OVERFLOW_DATA_SIZE, size);
    return STATUS_OK;
}

/* The chain of lists and the data pages they name. */
static enum status
lists_write(struct pager_change *change, const struct btree *tree,
            const struct reference *reference, const uint8_t *value, uint32_t *first_out)
{
    struct overflow_list *before = NULL;
    uint32_t index = 0;

    for (uint32_t list_index = 0; index < reference->data_count; list_index++) {
        size_t count = list_size_of(reference, list_index);
        struct overflow_page *page;
        struct overflow_list *list;
        uint32_t number;

        TRY(page_new(change, tree, OVERFLOW_INDEX_LIST | list_index, count, &number, &page));
        list = (struct overflow_list *)page->data;
        list->next = le32_of(PAGE_NONE);
        if (before != NULL)
            before->next = le32_of(number);
        else
            *first_out = number;
        before = list;
        for (size_t i = 0; i < count; i++, index++) {
            TRY(data_write(change, tree, reference, index, value, &number));
            list->page[i] = le32_of(number);
        }
    }
    CHECK(index == reference->data_count && before != NULL);
    return STATUS_OK;
}

enum status
tree__overflow_write(struct pager_change *change, const struct btree *tree, const uint8_t *value,
                     size_t size, size_t unpacked_size, uint8_t *ref, size_t *ref_size_out)
{
    struct reference reference = {.stored = size, .data_count = data_count_of(size)};
    struct overflow_ref bytes = {.size = le32_of((uint32_t)size)};
    uint32_t number = PAGE_NONE;

    CHECK(size > 0 && size <= BTREE_PUT_SIZE_MAX);
    if (unpacked_size > 0) {
        CHECK(size < unpacked_size && unpacked_size <= BTREE_PUT_SIZE_MAX);
        bytes.size = le32_of((uint32_t)unpacked_size);
        bytes.packed = le32_of((uint32_t)size);
    }
    bytes.stamp = le64_of(pager_change_csn(change));
    reference.page_count = 1;
    if (reference.data_count <= OVERFLOW_DIRECT_MAX) {
        reference.page_count = reference.data_count;
        for (uint32_t i = 0; i < reference.page_count; i++) {
            TRY(data_write(change, tree, &reference, i, value, &number));
            bytes.page[i] = le32_of(number);
        }
    } else {
        TRY(lists_write(change, tree, &reference, value, &number));
        bytes.page[0] = le32_of(number);
    }
    CHECK(number != PAGE_NONE);
    *ref_size_out = OVERFLOW_REF_HEADER_SIZE + 4 * (size_t)reference.page_count;
    CHECK(*ref_size_out <= OVERFLOW_REF_SIZE_MAX);
    memcpy(ref, &bytes, *ref_size_out);
    return STATUS_OK;
}

/* ---- Under a change ----------------------------------------------------------------------------- */

static enum status
refuse_reference(const struct btree *tree)
{
    return error_raise(STATUS_CORRUPT, "tree %u: a row names its large value in an impossible way",
                       tree->tree_id);
}

static enum status
change_page(struct pager_change *change, const struct btree *tree,
            const struct reference *reference, uint32_t number, uint32_t index, size_t size,
            const struct overflow_page **out)
{
    const uint8_t *page;

    TRY(pager_change_read(change, number, &page));
    if (!page_is(tree, reference, page, index, size))
        return tree__corrupt(tree, number, "it is not the part of the large value it should be");
    *out = (const struct overflow_page *)page;
    return STATUS_OK;
}

/* Frees or reads one data page. */
static enum status
change_data(struct pager_change *change, const struct btree *tree,
            const struct reference *reference, uint32_t number, uint32_t index, uint8_t *out)
{
    const struct overflow_page *page = NULL;
    size_t size = data_size_of(reference, index);

    if (out == NULL)
        return pager_change_free(change, number);
    TRY(change_page(change, tree, reference, number, index, size, &page));
    CHECK(page != NULL);
    memcpy(out + (size_t)index * OVERFLOW_DATA_SIZE, page->data, size);
    return STATUS_OK;
}

/* `out` NULL: frees the value's pages. */
static enum status
change_run(struct pager_change *change, const struct btree *tree, const uint8_t *ref,
           size_t ref_size, uint8_t *out)
{
    struct reference reference;
    uint32_t number;
    uint32_t index = 0;

    if (!reference_decode(ref, ref_size, &reference))
        return refuse_reference(tree);
    if (reference.is_tree && out == NULL)
        return STATUS_OK; /* The caller's to free (btree.h). */
    if (reference.is_tree || (reference.packed != 0 && out != NULL))
        return error_raise(STATUS_INVALID, "tree %u: the value is not read within a change",
                           tree->tree_id);
    if (reference.data_count <= OVERFLOW_DIRECT_MAX) {
        for (; index < reference.data_count; index++)
            TRY(change_data(change, tree, &reference, reference.page[index], index, out));
        return STATUS_OK;
    }
    number = reference.page[0];
    for (uint32_t list_index = 0; index < reference.data_count; list_index++) {
        size_t count = list_size_of(&reference, list_index);
        const struct overflow_page *page = NULL;
        const struct overflow_list *list;
        uint32_t own = number;

        TRY(change_page(change, tree, &reference, number, OVERFLOW_INDEX_LIST | list_index, count,
                        &page));
        CHECK(page != NULL);
        list = (const struct overflow_list *)page->data;
        number = le32_get(list->next);
        for (size_t i = 0; i < count; i++, index++)
            TRY(change_data(change, tree, &reference, le32_get(list->page[i]), index, out));
        if (out == NULL)
            TRY(pager_change_free(change, own));
    }
    return STATUS_OK;
}

enum status
tree__overflow_free(struct pager_change *change, const struct btree *tree, const uint8_t *ref,
                    size_t ref_size)
{
    return change_run(change, tree, ref, ref_size, NULL);
}

enum status
tree__overflow_change_read(struct pager_change *change, const struct btree *tree,
                           const uint8_t *ref, size_t ref_size, uint8_t *out)
{
    CHECK(out != NULL);
    return change_run(change, tree, ref, ref_size, out);
}

/* ---- Without the latch -------------------------------------------------------------------------- */

/* What to do with each page of a value. */
struct visit {
    const struct btree *tree;
    struct reference reference;
    uint8_t *out; /* NULL: only `each`. */
    bool (*each)(void *context, uint32_t page_number);
    void *context;
};

static enum status
copy_page(const struct visit *visit, uint32_t number, uint32_t index, size_t size, uint8_t *page)
{
    if (visit->each != NULL && !visit->each(visit->context, number))
        return STATUS_STOPPED;
    TRY(pager_copy(visit->tree->pager, number, page));
    if (!page_is(visit->tree, &visit->reference, page, index, size))
        return tree__corrupt(visit->tree, number,
                             "it is not the part of the large value it should be");
    return STATUS_OK;
}

/* Data pages `numbers`, which begin at place `index`. */
static enum status
visit_data(const struct visit *visit, const uint32_t *numbers, uint32_t count, uint32_t index)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];

    for (uint32_t i = 0; i < count; i++, index++) {
        size_t size = data_size_of(&visit->reference, index);

        if (i % PREFETCH_COUNT == 0 && count > 1)
            pager_prefetch(visit->tree->pager, numbers + i,
                           count - i < PREFETCH_COUNT ? count - i : PREFETCH_COUNT);
        TRY(copy_page(visit, numbers[i], index, size, page));
        if (visit->out != NULL)
            memcpy(visit->out + (size_t)index * OVERFLOW_DATA_SIZE,
                   ((const struct overflow_page *)page)->data, size);
    }
    return STATUS_OK;
}

static enum status
visit_lists(const struct visit *visit)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    uint32_t numbers[OVERFLOW_LIST_MAX];
    uint32_t number = visit->reference.page[0];
    uint32_t index = 0;

    for (uint32_t list_index = 0; index < visit->reference.data_count; list_index++) {
        size_t count = list_size_of(&visit->reference, list_index);
        const struct overflow_list *list;

        CHECK(count <= OVERFLOW_LIST_MAX);
        TRY(copy_page(visit, number, OVERFLOW_INDEX_LIST | list_index, count, page));
        list = (const struct overflow_list *)((const struct overflow_page *)page)->data;
        for (size_t i = 0; i < count; i++)
            numbers[i] = le32_get(list->page[i]);
        number = le32_get(list->next);
        TRY(visit_data(visit, numbers, (uint32_t)count, index));
        index += (uint32_t)count;
    }
    return STATUS_OK;
}

static enum status
visit_all(struct visit *visit)
{
    if (visit->reference.data_count <= OVERFLOW_DIRECT_MAX)
        return visit_data(visit, visit->reference.page, visit->reference.data_count, 0);
    return visit_lists(visit);
}

/* Reads the frame and takes the value out of it. */
static enum status
read_packed(struct visit *visit, uint8_t *out)
{
    struct pager *pager = visit->tree->pager;
    struct memory *memory = pager_env(pager).memory;
    size_t packed = visit->reference.packed;
    uint8_t *frame = memory_alloc(memory, MEMORY_OTHER, packed);
    struct compress *codec = NULL;
    enum status status;

    if (frame == NULL)
        return STATUS_NO_MEMORY;
    visit->out = frame;
    TRY_OUT(visit_all(visit));
    TRY_OUT(pager_codec_take(pager, &codec));
    status = compress_decode(codec, frame, packed, out, visit->reference.size);
    pager_codec_give(pager, codec);
    if (status == STATUS_CORRUPT)
        status = error_raise(status,
                             "tree %u: a large value that begins on page %u cannot be "
                             "decompressed; restore it from a backup",
                             visit->tree->tree_id, visit->reference.page[0]);
out:
    memory_free(memory, MEMORY_OTHER, frame, packed);
    return status;
}

enum status
tree__overflow_read(const struct btree *tree, const uint8_t *ref, size_t ref_size, uint8_t *out)
{
    struct visit visit = {.tree = tree, .out = out};

    CHECK(out != NULL);
    if (!reference_decode(ref, ref_size, &visit.reference))
        return refuse_reference(tree);
    if (visit.reference.is_tree)
        return btree_value_read(tree->pager, &visit.reference.value, out);
    return visit.reference.packed != 0 ? read_packed(&visit, out) : visit_all(&visit);
}

enum status
tree__overflow_walk(const struct btree *tree, const uint8_t *ref, size_t ref_size,
                    bool (*each)(void *context, uint32_t page_number), void *context)
{
    struct visit visit = {.tree = tree, .each = each, .context = context};

    if (!reference_decode(ref, ref_size, &visit.reference) || visit.reference.is_tree)
        return refuse_reference(tree);
    return visit_all(&visit);
}
