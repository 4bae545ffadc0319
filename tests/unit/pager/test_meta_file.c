/*
 * Goal: prove that one valid meta slot is enough to open a file, that a valid one is on the disk at
 * every moment of a write, and that a file that is not ours, damaged or newer is refused with the
 * right status and a message that says what it is.
 * Method: two slots in a file on the simulated disk, without the rest of a database. Each crash the
 * disk allows is taken at each operation of a write, starting from two good slots or one.
 */
#include <criterion/criterion.h>

#include "kernel/base/checksum.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { SIZE = 4 * PAGE_SIZE };

/* A handle that has a file and nothing else. */
struct slots {
    struct pager_rig rig;
    struct pager *pager;
};

static void
slots_open_file(struct slots *slots, struct io *io)
{
    struct pager *pager = slots->pager;

    pager->env.io = io;
    MUST(io_open(io, RIG_PATH, IO_WRITE | IO_DIRECT, &pager->file));
}

static void
slots_init(struct slots *slots)
{
    struct io_file *file;
    uint8_t zeros[SIZE] __attribute__((aligned(PAGE_SIZE))) = {0};

    pager_rig_init(&slots->rig, 1);
    MUST(io_open(slots->rig.io, RIG_PATH, IO_WRITE | IO_CREATE | IO_DIRECT, &file));
    MUST(io_write(file, zeros, SIZE, 0, 0));
    MUST(io_sync(file));
    MUST(io_sync_dir(slots->rig.io, "/"));
    io_close(file);
    struct pager *pager = memory_alloc(slots->rig.memory, MEMORY_OTHER, sizeof(*pager));
    slots->pager = pager;
    pager->env = slots->rig.env;
    memcpy(pager->path, RIG_PATH, sizeof(RIG_PATH));
    pager->file_id = 77;
    pager->log_id = 88;
    pager->created_ms = 99;
    pager->options.segment_size = 1 << 16;
    pager->redo = (struct wal_position){.lsn = 111, .chain = 222, .csn = 333};
    pager->redo_page_count = 44;
    pager->page_count = 55;
    pager->csn_last = 666;
    pager->map_count = 2;
    pager->meta_map_csn[0] = 7;
    pager->meta_map_csn[1] = 8;
    slots_open_file(slots, slots->rig.io);
}

static void
slots_deinit(struct slots *slots)
{
    io_close(slots->pager->file);
    memory_free(slots->rig.memory, MEMORY_OTHER, slots->pager, sizeof(*slots->pager));
    pager_rig_deinit(&slots->rig);
}

static enum status
slots_write(struct slots *slots, enum meta_state state)
{
    enum status status;

    latch_lock(&slots->pager->flush_latch);
    status = pager__meta_write(slots->pager, state);
    latch_unlock(&slots->pager->flush_latch);
    return status;
}

static void
slot_peek(struct slots *slots, uint32_t slot, struct meta_slot *out)
{
    MUST(io_sim_peek(slots->rig.io, RIG_PATH, slot * PAGE_SIZE, out, PAGE_SIZE));
}

static void
slot_poke(struct slots *slots, uint32_t slot, const void *bytes)
{
    MUST(io_sim_overwrite(slots->rig.io, RIG_PATH, slot * PAGE_SIZE, bytes, PAGE_SIZE));
}

static void
slot_flip(struct slots *slots, uint32_t slot)
{
    MUST(io_sim_flip_bit(slots->rig.io, RIG_PATH, slot * PAGE_SIZE * 8 + 5000));
}

static void
slot_seal(struct meta_slot *slot_bytes, uint32_t slot)
{
    slot_bytes->checksum = le64_of(
        checksum64((const uint8_t *)slot_bytes + 8, PAGE_SIZE - 8, checksum_seed(META_SEED, slot)));
}

static void
expect_refused(struct slots *slots, enum status status, const char *text)
{
    struct meta meta;

    cr_assert_eq(pager__meta_read(slots->pager, &meta), status, "%s", error_message());
    cr_assert_not_null(strstr(error_message(), text), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), RIG_PATH), "%s", error_message());
}

Test(meta_file, gives_back_what_was_written)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    MUST(slots_write(&slots, META_NEEDS_LOG));
    MUST(pager__meta_read(slots.pager, &meta));
    cr_assert_eq(meta.file_id, 77);
    cr_assert_eq(meta.state, META_NEEDS_LOG);
    cr_assert_eq(meta.log_id, 88);
    cr_assert_eq(meta.created_ms, 99);
    cr_assert_eq(meta.redo_lsn, 111);
    cr_assert_eq(meta.redo_chain, 222);
    cr_assert_eq(meta.redo_csn, 333);
    cr_assert_eq(meta.page_count, 44, "at R");
    cr_assert_eq(meta.segment_size, 1 << 16);
    cr_assert_eq(meta.map_count, 2);
    cr_assert_eq(meta.map_csn[0], 7);
    cr_assert_eq(meta.map_csn[1], 8);
    slots_deinit(&slots);
}

/* covers: P16 */
Test(meta_file, a_clean_one_names_the_last_commit_and_no_log)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    MUST(slots_write(&slots, META_CLEAN));
    MUST(pager__meta_read(slots.pager, &meta));
    cr_assert_eq(meta.state, META_CLEAN);
    cr_assert_eq(meta.log_id, 0);
    cr_assert_eq(meta.redo_lsn, 0);
    cr_assert_eq(meta.redo_csn, 666);
    cr_assert_eq(meta.page_count, 55, "of now");
    slots_deinit(&slots);
}

Test(meta_file, writes_both_slots_with_rising_sequence)
{
    struct meta_slot first, second;
    struct slots slots;

    slots_init(&slots);
    for (uint64_t round = 0; round < 5; round++) {
        MUST(slots_write(&slots, META_NEEDS_LOG));
        slot_peek(&slots, 0, &first);
        slot_peek(&slots, 1, &second);
        uint64_t low = le64_get(first.sequence), high = le64_get(second.sequence);
        cr_assert_eq(low + high, 2 * (2 * round + 1) + 1);
        cr_assert_eq(slots.pager->meta_sequence, 2 * (round + 1));
    }
    slots_deinit(&slots);
}

Test(meta_file, one_slot_is_enough_and_the_newer_one_counts)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    for (uint32_t damaged = 0; damaged < META_SLOT_COUNT; damaged++) {
        slots.pager->redo.lsn = 1000 + damaged;
        MUST(slots_write(&slots, META_NEEDS_LOG));
        slot_flip(&slots, damaged);
        MUST(pager__meta_read(slots.pager, &meta));
        cr_assert_eq(meta.redo_lsn, 1000 + damaged);
        cr_assert_eq(slots.pager->meta_slot, 1 - damaged);
    }
    MUST(io_sim_bad_range(slots.rig.io, RIG_PATH, 0, PAGE_SIZE));
    expect_refused(&slots, STATUS_CORRUPT, "cannot be read");
    slots_deinit(&slots);
}

Test(meta_file, of_two_valid_slots_the_one_with_the_higher_sequence_counts)
{
    struct meta_slot bytes;
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        MUST(slots_write(&slots, META_NEEDS_LOG));
        slot_peek(&slots, slot, &bytes);
        bytes.sequence = le64_of(1000 * (slot + 1));
        bytes.redo_lsn = le64_of(2000 + slot);
        slot_seal(&bytes, slot);
        slot_poke(&slots, slot, &bytes);
        MUST(pager__meta_read(slots.pager, &meta));
        cr_assert_eq(meta.redo_lsn, 2000 + slot);
        cr_assert_eq(slots.pager->meta_sequence, 1000 * (slot + 1));
    }
    slots_deinit(&slots);
}

Test(meta_file, an_unreadable_slot_is_like_a_damaged_one)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    MUST(slots_write(&slots, META_NEEDS_LOG));
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        MUST(io_sim_bad_range(slots.rig.io, RIG_PATH, slot * PAGE_SIZE, 512));
        MUST(pager__meta_read(slots.pager, &meta));
        cr_assert_eq(slots.pager->meta_slot, 1 - slot);
        MUST(io_sim_bad_range(slots.rig.io, RIG_PATH, 0, 0));
    }
    slots_deinit(&slots);
}

Test(meta_file, refuses_what_is_not_ours)
{
    struct meta_slot bytes;
    struct slots slots;

    slots_init(&slots);
    expect_refused(&slots, STATUS_CORRUPT, "never written");
    memset(&bytes, 'x', sizeof(bytes));
    slot_poke(&slots, 0, &bytes);
    slot_poke(&slots, 1, &bytes);
    expect_refused(&slots, STATUS_INVALID, "not a qtdb database");
    MUST(slots_write(&slots, META_CLEAN));
    slot_flip(&slots, 0);
    slot_flip(&slots, 1);
    expect_refused(&slots, STATUS_CORRUPT, "neither meta slot");
    slots_deinit(&slots);
}

Test(meta_file, refuses_a_newer_file_even_beside_a_slot_of_ours)
{
    struct meta_slot bytes;
    struct slots slots;

    slots_init(&slots);
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        MUST(slots_write(&slots, META_CLEAN));
        slot_peek(&slots, slot, &bytes);
        bytes.version = le32_of(PAGER_FORMAT_VERSION + 1);
        slot_seal(&bytes, slot);
        slot_poke(&slots, slot, &bytes);
        expect_refused(&slots, STATUS_VERSION, "newer");
    }
    slots_deinit(&slots);
}

Test(meta_file, refuses_slots_of_two_files)
{
    struct meta_slot bytes;
    struct slots slots;

    slots_init(&slots);
    MUST(slots_write(&slots, META_CLEAN));
    slot_peek(&slots, 1, &bytes);
    bytes.file_id = le64_of(78);
    slot_seal(&bytes, 1);
    slot_poke(&slots, 1, &bytes);
    expect_refused(&slots, STATUS_CORRUPT, "different files");
    slots_deinit(&slots);
}

Test(meta_file, a_slot_past_the_files_end_is_cut_off)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    MUST(slots_write(&slots, META_CLEAN));
    MUST(io_truncate(slots.pager->file, PAGE_SIZE));
    MUST(pager__meta_read(slots.pager, &meta));
    cr_assert_eq(slots.pager->meta_slot, 0);
    MUST(io_truncate(slots.pager->file, 0));
    expect_refused(&slots, STATUS_CORRUPT, "cut off");
    slots_deinit(&slots);
}

Test(meta_file, a_failed_write_is_final)
{
    struct slots slots;

    for (uint64_t index = 0; index < 2; index++) {
        slots_init(&slots);
        io_sim_fail_at(slots.rig.io, io_sim_op_count(slots.rig.io) + index, IO_SIM_FAULT_EIO,
                       false);
        cr_assert_eq(slots_write(&slots, META_CLEAN), STATUS_IO);
        cr_assert(pager_is_failed(slots.pager));
        slots_deinit(&slots);
    }
}

/* Crashes: whatever the disk makes of a write under way, a valid slot is there. */

struct crash {
    struct slots *slots;
    uint64_t old_lsn, new_lsn;
    uint64_t state_count;
    bool new_seen, old_seen;
};

static void
crash_check(struct crash *crash, struct io *disk)
{
    struct slots *slots = crash->slots;
    struct pager other = {.env = {.memory = slots->rig.memory, .io = disk}};
    struct meta meta;

    memcpy(other.path, RIG_PATH, sizeof(RIG_PATH));
    MUST(io_open(disk, RIG_PATH, IO_DIRECT, &other.file));
    MUST(pager__meta_read(&other, &meta));
    cr_assert(meta.redo_lsn == crash->old_lsn || meta.redo_lsn == crash->new_lsn);
    crash->old_seen |= meta.redo_lsn == crash->old_lsn;
    crash->new_seen |= meta.redo_lsn == crash->new_lsn;
    crash->state_count++;
    io_close(other.file);
}

static void
crash_event(void *context, const struct io_sim_event *event)
{
    enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT, IO_SIM_CRASH_RANDOM,
                                      IO_SIM_CRASH_GARBAGE};
    struct crash *crash = context;
    struct io *disk;

    (void)event;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct io_sim_crash how = {.mode = modes[i], .seed = seed};
            MUST(io_sim_fork(crash->slots->rig.io, &how, crash->slots->rig.disk_memory, &disk));
            crash_check(crash, disk);
            io_close_all(disk);
        }
    }
}

Test(meta_file, a_crash_at_any_moment_leaves_a_valid_slot)
{
    struct slots slots;
    struct meta meta;

    slots_init(&slots);
    MUST(slots_write(&slots, META_NEEDS_LOG));
    for (uint32_t round = 0; round < 6; round++) {
        struct crash crash = {.slots = &slots, .old_lsn = slots.pager->redo.lsn};
        if (round > 0)
            slot_flip(&slots, round % 2); /* One was damaged before. */
        MUST(pager__meta_read(slots.pager, &meta));
        crash.old_lsn = meta.redo_lsn;
        crash.new_lsn = slots.pager->redo.lsn = 5000 + round;
        io_sim_watch(slots.rig.io, crash_event, &crash);
        MUST(slots_write(&slots, META_NEEDS_LOG));
        io_sim_watch(slots.rig.io, NULL, NULL);
        cr_assert(crash.old_seen && crash.new_seen);
        cr_assert_geq(crash.state_count, 4 * 80);
    }
    slots_deinit(&slots);
}
