/*
 * A router as bytes. Only what cannot be had from the directory is saved: the first stage and the lines.
 * The radix table and the first keys of pieces are made again, and the figures are
 * measured again, so nothing a file says is believed but the lines, and those only guess.
 */
#include <math.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "learned/learned_format.h"
#include "learned/router_private.h"

struct model_bytes {
    le32 base;
    le32 slope; /* IEEE bits. */
};
static_assert(sizeof(struct model_bytes) == 8, "format");

static uint64_t
directory_sum(const struct leaf_directory *directory, uint32_t count)
{
    return checksum64(directory->keys, count * sizeof(uint64_t), count);
}

/* Lines that are saved, the last one being the end of the one before. */
static uint64_t
saved_models(enum router_kind kind, uint32_t model_count)
{
    return kind == ROUTER_RMI || kind == ROUTER_PLA ? model_count + UINT64_C(1) : 0;
}

static uint64_t
saved_cells(uint32_t cell_count)
{
    return cell_count > 0 ? cell_count + UINT64_C(1) : 0;
}

static void
write_arrays(const struct router *router, uint64_t cell_count, uint64_t model_count, void *out)
{
    le32 *cells = out;
    struct model_bytes *models = (struct model_bytes *)(void *)(cells + cell_count);

    for (uint64_t i = 0; i < cell_count; i++)
        cells[i] = le32_of(router->stage.cells[i]);
    for (uint64_t i = 0; i < model_count; i++) {
        uint32_t bits;

        memcpy(&bits, &router->models[i].slope, sizeof(bits));
        models[i] = (struct model_bytes){le32_of(router->models[i].base), le32_of(bits)};
    }
}

size_t
router_encode(const struct router *router, const struct leaf_directory *directory, void *out,
              size_t size)
{
    const struct router_verdict *verdict = &router->verdict;
    uint64_t cell_count = saved_cells(router->stage.cell_count);
    uint64_t model_count = saved_models(verdict->kind, router->model_count);
    size_t needed = sizeof(struct router_header) + cell_count * sizeof(le32) +
                    model_count * sizeof(struct model_bytes);
    struct router_header *header = out;
    uint64_t scale;

    CHECK(leaf_directory_count(directory) >= router->leaf_count);
    if (size < needed)
        return needed;
    memcpy(&scale, &router->stage.scale, sizeof(scale));
    *header = (struct router_header){
        .magic = le32_of(ROUTER_MAGIC),
        .version = le16_of(ROUTER_VERSION),
        .kind = (uint8_t)verdict->kind,
        .root = (uint8_t)verdict->root,
        .leaf_count = le32_of(router->leaf_count),
        .model_count = le32_of(model_count > 0 ? router->model_count : 0),
        .cell_count = le32_of(router->stage.cell_count),
        .reason = (uint8_t)verdict->reason,
        .low = le64_of(router->stage.low),
        .high = le64_of(router->stage.high),
        .scale = le64_of(scale),
        .directory_sum = le64_of(directory_sum(directory, router->leaf_count)),
    };
    write_arrays(router, cell_count, model_count, header + 1);
    header->checksum =
        le64_of(checksum64((uint8_t *)out + sizeof(le64), needed - sizeof(le64), ROUTER_MAGIC));
    return needed;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static enum status
corrupt(const char *what)
{
    return error_raise(STATUS_CORRUPT, "saved router: %s; it is trained anew", what);
}

static enum status
header_validate(const struct router_header *header, size_t size)
{
    if (size < sizeof(*header))
        return corrupt("shorter than its header");
    if (le32_get(header->magic) != ROUTER_MAGIC)
        return corrupt("not a router");
    if (le16_get(header->version) != ROUTER_VERSION)
        return error_raise(STATUS_VERSION, "saved router: version %u, not %u",
                           le16_get(header->version), ROUTER_VERSION);
    if (le64_get(header->checksum) !=
        checksum64((const uint8_t *)header + sizeof(le64), size - sizeof(le64), ROUTER_MAGIC))
        return corrupt("checksum");
    return STATUS_OK;
}

/* The numbers of the header among themselves, and against the size. */
static enum status
header_validate_shape(const struct router_header *header, size_t size)
{
    uint32_t model_count = le32_get(header->model_count);
    uint32_t cell_count = le32_get(header->cell_count);
    bool is_quantile = header->root == ROUTER_ROOT_QUANTILE;
    bool has_models = header->kind == ROUTER_RMI || header->kind == ROUTER_PLA;

    if (header->kind < ROUTER_TREE || header->kind >= ROUTER_KIND_COUNT ||
        header->reason >= ROUTER_REASON_COUNT || header->root >= ROUTER_ROOT_COUNT ||
        (header->root != ROUTER_ROOT_NONE) != (header->kind == ROUTER_RMI))
        return corrupt("kind, root or reason");
    if (!bytes_are_zero(header->zero, sizeof(header->zero)))
        return corrupt("reserved bytes");
    if ((cell_count > 0) != is_quantile || (model_count > 0) != has_models ||
        cell_count > ROUTER_CELL_MAX || model_count > LEAF_COUNT_MAX)
        return corrupt("counts");
    if (le32_get(header->leaf_count) == 0 && header->kind != ROUTER_TREE)
        return corrupt("a router of no leaf");
    if (size !=
        sizeof(*header) + saved_cells(cell_count) * sizeof(le32) +
            saved_models((enum router_kind)header->kind, model_count) * sizeof(struct model_bytes))
        return corrupt("size");
    return STATUS_OK;
}

static enum status
read_stage(struct router *router, const struct router_header *header, const le32 *cells)
{
    struct router_stage *stage = &router->stage;
    uint32_t cell_count = le32_get(header->cell_count);
    uint64_t bits = le64_get(header->scale);

    stage->kind = (enum router_root)header->root;
    stage->model_last = le32_get(header->model_count) - 1;
    stage->low = le64_get(header->low);
    stage->high = le64_get(header->high);
    memcpy(&stage->scale, &bits, sizeof(bits));
    if (!isfinite(stage->scale) || signbit(stage->scale) || stage->low > stage->high)
        return corrupt("range or scale of the first stage");
    if (cell_count == 0)
        return STATUS_OK;
    stage->cells =
        memory_alloc(router->memory, MEMORY_ROUTER, (cell_count + UINT64_C(1)) * sizeof(uint32_t));
    if (stage->cells == NULL)
        return STATUS_NO_MEMORY;
    stage->cell_count = cell_count;
    for (uint32_t i = 0; i <= cell_count; i++) {
        stage->cells[i] = le32_get(cells[i]);
        if (stage->cells[i] > stage->model_last + 1 ||
            (i > 0 && stage->cells[i] < stage->cells[i - 1]))
            return corrupt("cells of the first stage");
    }
    return STATUS_OK;
}

static enum status
read_models(struct router *router, const struct router_header *header,
            const struct model_bytes *models)
{
    uint32_t count = le32_get(header->model_count);

    router->models = memory_alloc(router->memory, MEMORY_ROUTER,
                                  (count + UINT64_C(1)) * sizeof(struct router_model));
    if (router->models == NULL)
        return STATUS_NO_MEMORY;
    router->model_count = count;
    for (uint32_t i = 0; i <= count; i++) {
        struct router_model *model = &router->models[i];
        uint32_t bits = le32_get(models[i].slope);

        model->base = le32_get(models[i].base);
        memcpy(&model->slope, &bits, sizeof(bits));
        if (model->base >= router->leaf_count || (i > 0 && model->base < model[-1].base))
            return corrupt("a model's first leaf");
        if (!isfinite(model->slope) || signbit(model->slope))
            return corrupt("a model's slope");
    }
    return STATUS_OK;
}

static enum status
read_arrays(struct router *router, const struct leaf_directory *directory,
            const struct router_header *header)
{
    const le32 *cells = (const le32 *)(const void *)(header + 1);
    const struct model_bytes *models =
        (const struct model_bytes *)(const void *)(cells +
                                                   saved_cells(le32_get(header->cell_count)));

    router->leaf_count = le32_get(header->leaf_count);
    router->verdict.kind = (enum router_kind)header->kind;
    router->verdict.root = (enum router_root)header->root;
    router->verdict.reason = (enum router_reason)header->reason;
    if (router->leaf_count > leaf_directory_count(directory) ||
        le64_get(header->directory_sum) != directory_sum(directory, router->leaf_count))
        return error_raise(STATUS_INVALID,
                           "saved router: it belongs to another directory; it is trained anew");
    switch (router->verdict.kind) {
    case ROUTER_RMI:
        TRY(read_stage(router, header, cells));
        return read_models(router, header, models);
    case ROUTER_PLA:
        TRY(read_models(router, header, models));
        return router__pla_index(router, directory->keys);
    default:
        return STATUS_OK;
    }
}

enum status
router_decode(const struct leaf_directory *directory, struct memory *memory, const void *bytes,
              size_t size, struct router **out)
{
    const struct router_header *header = bytes;

    TRY(header_validate(header, size));
    TRY(header_validate_shape(header, size));
    struct router *router = memory_alloc(memory, MEMORY_ROUTER, sizeof(*router));
    if (router == NULL)
        return STATUS_NO_MEMORY;
    router->memory = memory;

    enum status status = read_arrays(router, directory, header);
    if (status != STATUS_OK) {
        router_free(router);
        return status;
    }
    router__measure(router, directory->keys, 1);
    router->verdict.cost_ns[router->verdict.kind] = router__cost(router);
    *out = router;
    return STATUS_OK;
}
