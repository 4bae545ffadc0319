/*
 * Goal: the simulated disk equals a model that is too simple to be wrong.
 * Method: random operations on four names in two directories run on the disk and on flat arrays. After
 * each operation crashes are taken in every mode that names its units, and the whole image is compared;
 * random and garbage crashes are checked sector by sector against the versions the model allows. Now
 * and then the run goes on with a crashed or killed copy. Seeds are printed.
 */
#include "tests/unit/base/sim_help.h"

#include <stdlib.h>

#include "kernel/base/io_sim_private.h"

enum {
    FILES = 16,
    SLOTS = 4,
    SECTORS = 18,
    FILE_SIZE = SECTORS * SECTOR,
    UNITS_MAX = 2000,
    OPERATIONS = 400,
    CRASHES = 12,
    RUNS = 25,
};

static const char *const slot_paths[SLOTS] = {"/a", "/b", "/d/a", "/d/b"};

enum kind { DATA, SIZE, NAME };

struct unit {
    enum kind kind;
    int file;
    uint32_t sector;
    uint32_t size;
    bool is_cut;
    int dir;
    int from; /* Slots, -1 none. */
    int to;
    uint8_t bytes[SECTOR];
};

struct version {
    uint32_t size;
    uint8_t bytes[FILE_SIZE];
};

struct image {
    int names[SLOTS]; /* File, -1 none. */
    struct version files[FILES];
};

struct model {
    struct image current;
    struct image durable;
    struct unit units[UNITS_MAX];
    uint32_t unit_count;
};

static int
dir_of(int slot)
{
    return slot / 2;
}

static void
version_resize(struct version *version, uint32_t size)
{
    memset(version->bytes + size, 0, FILE_SIZE - size);
    version->size = size;
}

static void
names_apply(int *names, const struct unit *unit)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (unit->from < 0 || dir_of(slot) != unit->dir || names[slot] != unit->file)
            continue;
        if (unit->to >= 0 || slot == unit->from)
            names[slot] = -1;
    }
    if (unit->to >= 0)
        names[unit->to] = unit->file;
}

static void
unit_apply(struct image *image, const struct unit *unit)
{
    struct version *file = &image->files[unit->file];

    if (unit->kind == DATA)
        memcpy(file->bytes + unit->sector * SECTOR, unit->bytes, SECTOR);
    else if (unit->kind == SIZE)
        version_resize(file, unit->size);
    else
        names_apply(image->names, unit);
}

static struct unit *
unit_add(struct model *model, enum kind kind, int file)
{
    struct unit *unit = &model->units[model->unit_count++];

    cr_assert_leq(model->unit_count, UNITS_MAX);
    memset(unit, 0, sizeof(*unit));
    unit->kind = kind;
    unit->file = file;
    unit->from = unit->to = -1;
    return unit;
}

static void
unit_drop(struct model *model, uint32_t index)
{
    model->unit_count--;
    memmove(&model->units[index], &model->units[index + 1],
            (model->unit_count - index) * sizeof(struct unit));
}

static bool
file_is_known(const struct model *model, int file)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (model->current.names[slot] == file || model->durable.names[slot] == file)
            return true;
    }
    for (uint32_t i = 0; i < model->unit_count; i++) {
        if (model->units[i].kind == NAME && model->units[i].file == file)
            return true;
    }
    return false;
}

static void
forget_unknown(struct model *model)
{
    for (uint32_t i = model->unit_count; i-- > 0;) {
        if (model->units[i].kind != NAME && !file_is_known(model, model->units[i].file))
            unit_drop(model, i);
    }
}

/* Makes the file's first `count` units of the list durable. */
static void
file_flush(struct model *model, int file, uint32_t count)
{
    uint32_t kept = 0;
    uint32_t all = model->unit_count;

    for (uint32_t i = 0; i < all; i++) {
        struct unit unit = model->units[i];

        if (i < count && unit.kind != NAME && unit.file == file)
            unit_apply(&model->durable, &unit);
        else
            model->units[kept++] = unit;
    }
    model->unit_count = kept;
}

static void
model_resize(struct model *model, int file, uint32_t size)
{
    struct version *now = &model->current.files[file];
    struct unit *unit;

    if (size == now->size)
        return;
    unit = unit_add(model, SIZE, file);
    unit->size = size;
    unit->is_cut = size < now->size;
    version_resize(now, size);
}

/* What is durable after a durable write: its sectors, and the size they need. */
static void
model_write_durable(struct model *model, int file, uint32_t offset, uint32_t size, uint32_t before)
{
    uint32_t end = offset + size;
    uint32_t flushed = 0;
    struct version *durable = &model->durable.files[file];

    /* The last sector is written whole. */
    end = (end + SECTOR - 1) / SECTOR * SECTOR;
    if (end > model->current.files[file].size)
        end = model->current.files[file].size;
    for (uint32_t i = 0; i < before; i++) {
        const struct unit *unit = &model->units[i];

        if (unit->kind == SIZE && unit->file == file && unit->is_cut && unit->size <= end)
            flushed = i + 1;
    }
    file_flush(model, file, flushed);
    if (durable->size < end)
        version_resize(durable, end);
    for (uint32_t i = model->unit_count; i-- > 0;) {
        const struct unit *unit = &model->units[i];
        bool is_data =
            unit->kind == DATA && unit->sector >= offset / SECTOR && unit->sector * SECTOR < end;

        if (unit->kind != NAME && unit->file == file &&
            (is_data || (unit->kind == SIZE && unit->size <= end)))
            unit_drop(model, i);
    }
    for (uint32_t sector = offset / SECTOR; sector * SECTOR < end; sector++)
        memcpy(durable->bytes + sector * SECTOR, model->current.files[file].bytes + sector * SECTOR,
               SECTOR);
}

static void
model_write(struct model *model, int file, const uint8_t *bytes, uint32_t offset, uint32_t size,
            bool durable)
{
    struct version *now = &model->current.files[file];
    uint32_t before = model->unit_count;
    uint32_t end = offset + size;

    if (end > now->size)
        model_resize(model, file, end);
    memcpy(now->bytes + offset, bytes, size);
    for (uint32_t sector = offset / SECTOR; sector * SECTOR < end; sector++) {
        struct unit *unit = unit_add(model, DATA, file);

        unit->sector = sector;
        memcpy(unit->bytes, now->bytes + sector * SECTOR, SECTOR);
    }
    if (durable)
        model_write_durable(model, file, offset, size, before);
}

static void
model_name(struct model *model, int dir, int file, int from, int to)
{
    struct unit *unit = unit_add(model, NAME, file);

    unit->dir = dir;
    unit->from = from;
    unit->to = to;
    names_apply(model->current.names, unit);
}

static void
model_sync_dir(struct model *model, int dir)
{
    for (uint32_t i = 0; i < model->unit_count;) {
        if (model->units[i].kind == NAME && model->units[i].dir == dir) {
            names_apply(model->durable.names, &model->units[i]);
            unit_drop(model, i);
        } else {
            i++;
        }
    }
}

/* One random operation on both. */

struct pair {
    struct model *model;
    struct io *io;
    struct random random;
};

/* The number of a new, empty file. */
static int
file_make(struct model *model)
{
    int file = 0;

    while (file < FILES && file_is_known(model, file))
        file++;
    cr_assert_lt(file, FILES);
    version_resize(&model->current.files[file], 0);
    version_resize(&model->durable.files[file], 0);
    return file;
}

static struct io_file *
open_slot(struct pair *pair, int slot)
{
    struct io_file *file = NULL;

    if (pair->model->current.names[slot] < 0) {
        int made = file_make(pair->model);

        model_name(pair->model, dir_of(slot), made, -1, slot);
    }
    ASSERT_OK(io_open(pair->io, slot_paths[slot], IO_WRITE | IO_CREATE, &file));
    return file;
}

static void
do_write(struct pair *pair, int slot, bool durable)
{
    struct io_file *file = open_slot(pair, slot);
    uint32_t offset = (uint32_t)random_below(&pair->random, FILE_SIZE - 1);
    uint32_t size = 1 + (uint32_t)random_below(&pair->random, 4 * SECTOR);
    static uint8_t bytes[4 * SECTOR];

    if (random_chance(&pair->random, 1, 2)) {
        offset -= offset % SECTOR;
        size = (size + SECTOR - 1) / SECTOR * SECTOR;
    }
    if (size > FILE_SIZE - offset)
        size = FILE_SIZE - offset;
    random_bytes(&pair->random, bytes, size);
    if (random_chance(&pair->random, 1, 8))
        memset(bytes, 0, size);
    ASSERT_OK(io_write(file, bytes, size, offset, durable ? IO_DURABLE : 0));
    model_write(pair->model, pair->model->current.names[slot], bytes, offset, size, durable);
    io_close(file);
}

static void
do_size(struct pair *pair, int slot, bool allocate)
{
    struct io_file *file = open_slot(pair, slot);
    int id = pair->model->current.names[slot];
    uint32_t size = (uint32_t)random_below(&pair->random, FILE_SIZE) + 1;
    uint32_t before = pair->model->current.files[id].size;

    if (allocate && size <= before) {
        /* Filling holes is a unit without effect on bytes; the model does not know holes. */
        io_close(file);
        return;
    }
    if (allocate)
        ASSERT_OK(io_allocate(file, 0, size));
    else
        ASSERT_OK(io_truncate(file, size));
    model_resize(pair->model, id, size);
    io_close(file);
}

static void
do_sync(struct pair *pair, int slot)
{
    struct io_file *file = open_slot(pair, slot);

    ASSERT_OK(io_sync(file));
    file_flush(pair->model, pair->model->current.names[slot], pair->model->unit_count);
    io_close(file);
}

static void
do_rename(struct pair *pair, int from, int to)
{
    int file = pair->model->current.names[from];

    if (file < 0) {
        ASSERT_STATUS(io_rename(pair->io, slot_paths[from], slot_paths[to]), STATUS_NOT_FOUND);
        return;
    }
    ASSERT_OK(io_rename(pair->io, slot_paths[from], slot_paths[to]));
    if (pair->model->current.names[to] == file)
        return;
    if (dir_of(from) == dir_of(to)) {
        model_name(pair->model, dir_of(from), file, from, to);
        return;
    }
    model_name(pair->model, dir_of(to), file, -1, to);
    model_name(pair->model, dir_of(from), file, from, -1);
}

static void
do_remove(struct pair *pair, int slot)
{
    int file = pair->model->current.names[slot];

    ASSERT_STATUS(io_remove(pair->io, slot_paths[slot]), file < 0 ? STATUS_NOT_FOUND : STATUS_OK);
    if (file >= 0)
        model_name(pair->model, dir_of(slot), file, slot, -1);
}

static void
do_operation(struct pair *pair)
{
    int slot = (int)random_below(&pair->random, SLOTS);
    uint64_t choice = random_below(&pair->random, 100);

    if (choice < 40)
        do_write(pair, slot, false);
    else if (choice < 52)
        do_write(pair, slot, true);
    else if (choice < 67)
        do_size(pair, slot, choice < 57);
    else if (choice < 77)
        do_sync(pair, slot);
    else if (choice < 82)
        do_rename(pair, slot, (int)random_below(&pair->random, SLOTS));
    else if (choice < 85)
        do_remove(pair, slot);
    else if (choice < 95) {
        ASSERT_OK(io_sync_dir(pair->io, dir_of(slot) == 0 ? "/" : "/d"));
        model_sync_dir(pair->model, dir_of(slot));
    }
    forget_unknown(pair->model);
}

/* Crashes. */

static bool
unit_is_kept(const struct io_sim_crash *crash, uint64_t unit)
{
    switch (crash->mode) {
    case IO_SIM_CRASH_LOST:
        return false;
    case IO_SIM_CRASH_PREFIX:
        return unit < crash->index;
    case IO_SIM_CRASH_DROP_ONE:
        return unit != crash->index;
    case IO_SIM_CRASH_KEEP_ONE:
        return unit == crash->index;
    case IO_SIM_CRASH_MASK:
        return unit < 64 && (crash->index >> unit & 1) != 0;
    default:
        return true;
    }
}

static void
model_settle(const struct model *model, const struct io_sim_crash *crash, struct image *out)
{
    *out = model->durable;
    for (uint32_t i = 0; i < model->unit_count; i++) {
        if (unit_is_kept(crash, i))
            unit_apply(out, &model->units[i]);
    }
    for (int file = 0; file < FILES; file++)
        version_resize(&out->files[file], out->files[file].size);
}

static void
assert_image(struct io *disk, const struct image *image, const struct io_sim_crash *crash)
{
    int mode = crash == NULL ? 0 : (int)crash->mode;
    static uint8_t bytes[FILE_SIZE];

    for (int slot = 0; slot < SLOTS; slot++) {
        uint64_t size = sim_size(disk, slot_paths[slot]);

        if (image->names[slot] < 0) {
            cr_assert_eq(size, UINT64_MAX, "%s is there", slot_paths[slot]);
            continue;
        }
        const struct version *file = &image->files[image->names[slot]];

        cr_assert_eq(size, file->size, "%s has %d bytes, not %u", slot_paths[slot], (int)size,
                     file->size);
        ASSERT_OK(io_sim_peek(disk, slot_paths[slot], 0, bytes, size));
        for (uint32_t i = 0; i < size; i++) {
            if (bytes[i] != file->bytes[i])
                cr_assert_fail("%s differs at %u, crash mode %d", slot_paths[slot], i, mode);
        }
    }
}

static bool
images_are_equal(const struct image *a, const struct image *b)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (a->names[slot] < 0 || b->names[slot] < 0) {
            if (a->names[slot] != b->names[slot])
                return false;
            continue;
        }
        const struct version *x = &a->files[a->names[slot]];
        const struct version *y = &b->files[b->names[slot]];

        if (x->size != y->size || memcmp(x->bytes, y->bytes, x->size) != 0)
            return false;
    }
    return true;
}

/* A few crashes that the model can follow; equal images have equal hashes, others do not. */
static void
check_units(struct pair *pair)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST,     IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_PREFIX,   IO_SIM_CRASH_DROP_ONE,
                                                   IO_SIM_CRASH_KEEP_ONE, IO_SIM_CRASH_MASK};
    static struct image image[2];
    uint64_t hash[2] = {0, 0};

    cr_assert_eq(io_sim_pending_count(pair->io), pair->model->unit_count);
    for (uint32_t i = 0; i < CRASHES; i++) {
        struct io_sim_crash crash = {.mode = modes[i % 6]};

        crash.index = crash.mode == IO_SIM_CRASH_MASK
                          ? random_u64(&pair->random)
                          : random_below(&pair->random, pair->model->unit_count + 1);
        struct io *fork = sim_crash(pair->io, crash.mode, crash.index, 0);

        model_settle(pair->model, &crash, &image[i % 2]);
        hash[i % 2] = io_sim_image_hash(fork);
        assert_image(fork, &image[i % 2], &crash);
        if (i > 0)
            cr_assert_eq(images_are_equal(&image[0], &image[1]), hash[0] == hash[1]);
        io_close_all(fork);
    }
}

static bool
version_is_allowed(const struct model *model, int file, uint32_t sector, const uint8_t *bytes,
                   uint32_t size)
{
    bool sizes_pending = false;

    if (memcmp(model->durable.files[file].bytes + sector * SECTOR, bytes, size) == 0)
        return true;
    for (uint32_t i = 0; i < model->unit_count; i++) {
        const struct unit *unit = &model->units[i];

        if (unit->file != file || unit->kind == NAME)
            continue;
        sizes_pending |= unit->kind == SIZE;
        if (unit->kind == DATA && unit->sector == sector && memcmp(unit->bytes, bytes, size) == 0)
            return true;
    }
    /* Cut inside the sector, or cut and grown again: some head of a version, then zeros. */
    return sizes_pending && size > 0 && bytes[size - 1] == 0;
}

/* Random crashes: each sector is a version that was written since the last sync, or was durable. */
static void
check_random(struct pair *pair)
{
    struct io *fork = sim_crash(pair->io, IO_SIM_CRASH_RANDOM, 0, random_u64(&pair->random));
    uint8_t bytes[SECTOR];

    for (int slot = 0; slot < SLOTS; slot++) {
        uint64_t size = sim_size(fork, slot_paths[slot]);

        for (uint32_t sector = 0; size != UINT64_MAX && sector * SECTOR < size; sector++) {
            uint32_t part = size - sector * SECTOR < SECTOR ? (uint32_t)(size % SECTOR) : SECTOR;
            bool allowed = false;

            ASSERT_OK(io_sim_peek(fork, slot_paths[slot], (uint64_t)sector * SECTOR, bytes, part));
            for (int file = 0; file < FILES; file++)
                allowed |= version_is_allowed(pair->model, file, sector, bytes, part);
            cr_assert(allowed, "%s sector %u", slot_paths[slot], sector);
        }
    }
    io_close_all(fork);
}

/* The run goes on with a copy: killed, when nothing changes for the model, or after a power cut. */
static void
change_disks(struct pair *pair)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_PROCESS};
    struct io *fork;

    if (random_chance(&pair->random, 1, 3)) {
        static struct image image;

        crash.mode = IO_SIM_CRASH_MASK;
        crash.index = random_u64(&pair->random);
        model_settle(pair->model, &crash, &image);
        pair->model->current = pair->model->durable = image;
        pair->model->unit_count = 0;
    }
    fork = sim_crash(pair->io, crash.mode, crash.index, random_u64(&pair->random));
    io_close_all(pair->io);
    pair->io = fork;
}

static void
run_seed(struct memory *memory, uint64_t seed)
{
    struct pair pair = {.model = calloc(1, sizeof(struct model)), .io = sim_new(memory, seed)};

    printf("%s%d", seed == 1 ? "seed " : " ", (int)seed);
    fflush(stdout);
    random_init(&pair.random, seed);
    for (int slot = 0; slot < SLOTS; slot++)
        pair.model->current.names[slot] = pair.model->durable.names[slot] = -1;
    ASSERT_OK(io_make_dir(pair.io, "/d"));
    ASSERT_OK(io_sync_dir(pair.io, "/"));
    for (int i = 0; i < OPERATIONS; i++) {
        do_operation(&pair);
        cr_assert(io_sim__invariants_hold(io_sim__of(pair.io)));
        assert_image(pair.io, &pair.model->current, NULL);
        check_units(&pair);
        check_random(&pair);
        if (random_chance(&pair.random, 1, 25))
            change_disks(&pair);
    }
    cr_assert_eq(io_sim_open_count(pair.io), 0);
    io_close_all(pair.io);
    free(pair.model);
}

Test(io_sim_model, random_operations_and_crashes_equal_the_model)
{
    struct memory *memory = memory_new();

    for (uint64_t seed = 1; seed <= RUNS; seed++)
        run_seed(memory, seed);
    printf("\n");
    memory_delete(memory);
}
