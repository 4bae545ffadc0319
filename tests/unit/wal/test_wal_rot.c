/*
 * Goal: prove that no flipped bit and no cut file is ever silent: what was acknowledged is read in full,
 * or the log is refused with a message.
 * Method: a small log whose horizon vouches for all of it. Every bit of headers, horizons and
 * frames is flipped alone and each file is cut at every 512 bytes; each time the log is opened and read.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

struct tally {
    uint64_t refused;
    uint64_t harmless;
};

static void
open_and_judge(struct tally *tally, const char *what, uint64_t number, uint64_t offset)
{
    enum status status;

    error_clear();
    status = help_open(&log);
    if (status == STATUS_OK) {
        const char *wrong = help_verify(&log);

        cr_assert_null(wrong, "%s in segment %d at %d: %s", what, (int)number, (int)offset, wrong);
        tally->harmless++;
    } else {
        cr_assert(status == STATUS_CORRUPT || status == STATUS_VERSION, "%s", status_name(status));
        cr_assert(strstr(error_message(), log.dir) != NULL, "%s", error_message());
        tally->refused++;
    }
    help_close(&log);
}

/* Two segments in use, one commit over several frames, the horizon up to date. */
static void
begin(void)
{
    struct io_sim_options options = {.seed = 8};

    help_init_sim(&log, &options);
    log.options.frame_size_max = 3000;
    help_create(&log);
    for (uint32_t i = 0; i < 5; i++)
        help_commit(&log, 30 + i * 10);
    help_commit(&log, 7000);
    while (log.wal->kept.last->number < 2)
        help_commit(&log, 20);
    help_commit(&log, 100);
    help_commit(&log, 100);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    help_close(&log);
}

static void
flip_each(struct tally *tally, uint64_t number, uint64_t offset, uint64_t size)
{
    for (uint64_t bit = offset * 8; bit < (offset + size) * 8; bit++) {
        cr_assert(io_sim_flip_bit(log.io, help_path(&log, number), bit) == STATUS_OK);
        open_and_judge(tally, "bit flipped", number, bit / 8);
        cr_assert(io_sim_flip_bit(log.io, help_path(&log, number), bit) == STATUS_OK);
    }
}

/* covers: W6, W9 */
Test(wal_rot, no_flipped_bit_is_silent)
{
    struct tally tally = {0};
    struct help_frames frames;

    begin();
    for (uint64_t number = 1; number <= 2; number++) {
        frames = help_list_frames(&log, number);
        for (uint64_t block = 0; block < 3; block++)
            flip_each(&tally, number, block * WAL_BLOCK_SIZE, 100);
        for (uint64_t i = 0; i < frames.count; i++) {
            uint64_t size = 72 + le32_get(frames.header[i].payload_size);

            flip_each(&tally, number, frames.lsn[i] - number * log.options.segment_size,
                      size < 200 ? size + 1 : 200);
        }
    }
    printf("%d refused, %d harmless\n", (int)tally.refused, (int)tally.harmless);
    cr_assert(tally.refused > 15000 && tally.harmless > 1000);
    help_deinit(&log);
}

Test(wal_rot, no_damaged_block_is_silent)
{
    struct tally tally = {0};
    struct random random;
    uint8_t before[WAL_BLOCK_SIZE], bytes[WAL_BLOCK_SIZE] = {0};

    begin();
    random_init(&random, 1);
    for (uint64_t number = 1; number <= 2; number++) {
        for (uint64_t block = 0; block < log.options.segment_size / WAL_BLOCK_SIZE; block++) {
            uint64_t lsn = number * log.options.segment_size + block * WAL_BLOCK_SIZE;

            help_peek(&log, lsn, before, sizeof(before));
            for (int kind = 0; kind < 3; kind++) {
                if (kind == 1)
                    random_bytes(&random, bytes, sizeof(bytes));
                if (kind == 2) /* A misdirected or stale write of our own. */
                    help_peek(&log, log.options.segment_size + WAL_FRAMES_OFFSET, bytes,
                              sizeof(bytes));
                help_poke(&log, lsn, bytes, sizeof(bytes));
                open_and_judge(&tally, "block damaged", number, block * WAL_BLOCK_SIZE);
            }
            help_poke(&log, lsn, before, sizeof(before));
            memset(bytes, 0, sizeof(bytes));
        }
    }
    printf("%d refused, %d harmless\n", (int)tally.refused, (int)tally.harmless);
    cr_assert(tally.refused > 40);
    help_deinit(&log);
}

/* covers: W6 */
Test(wal_rot, no_cut_file_is_silent)
{
    struct tally tally = {0};
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    struct io *whole;

    begin();
    whole = log.io;
    for (uint64_t number = 1; number <= 2; number++) {
        /* Without its header the last segment is as good as gone, which only the pages can tell. */
        for (uint64_t size = number == 2 ? 512 : 0; size < log.options.segment_size; size += 512) {
            struct io_file *file = NULL;

            cr_assert(io_sim_fork(whole, &crash, log.disk_memory, &log.io) == STATUS_OK);
            log.env.io = log.io;
            cr_assert(io_open(log.io, help_path(&log, number), IO_WRITE, &file) == STATUS_OK);
            cr_assert(io_truncate(file, size) == STATUS_OK);
            io_close(file);
            open_and_judge(&tally, "file cut", number, size);
            io_close_all(log.io);
        }
    }
    log.io = log.env.io = whole;
    printf("%d refused, %d harmless\n", (int)tally.refused, (int)tally.harmless);
    cr_assert(tally.refused >= 128);
    help_deinit(&log);
}
