/*
 * Goal: prove that segments are given back only below the released position, after the archive saw
 * them, are used again under new numbers, and that horizon and preparation do what they say.
 * Method: logs of many small segments on a simulated disk; the names in the directory, the archive's
 * diary and the statistics are compared with what must be there.
 */
#include <criterion/criterion.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

struct diary {
    uint64_t numbers[256];
    uint64_t count;
    enum status answer;
};

static enum status
archive(void *context, const char *path, uint64_t segment_number)
{
    struct diary *diary = context;
    struct io_file *file = NULL;

    cr_assert_str_eq(path, help_path(&log, segment_number));
    cr_assert(io_open(log.io, path, 0, &file) == STATUS_OK);
    io_close(file);
    cr_assert(wal_size(log.wal) > 0 || log.wal->started); /* The log may be asked from here. */
    if (diary->answer == STATUS_OK)
        diary->numbers[diary->count++] = segment_number;
    return diary->answer;
}

static void
begin(struct diary *diary)
{
    struct io_sim_options options = {.seed = 2};

    help_init_sim(&log, &options);
    log.options.archive = diary == NULL ? NULL : archive;
    log.options.archive_context = diary;
    help_create(&log);
}

static void
fill_segments(uint64_t count)
{
    uint64_t last = log.wal->kept.last->number + count;

    while (log.wal->kept.last->number < last)
        help_commit(&log, 3000);
}

struct names {
    uint64_t count;
    uint64_t lowest;
    uint64_t highest;
};

static void
take_name(void *context, const char *name, bool is_directory)
{
    struct names *names = context;
    uint64_t number = wal__number_in(name);

    (void)is_directory;
    names->count++;
    if (number < names->lowest)
        names->lowest = number;
    if (number > names->highest)
        names->highest = number;
}

static struct names
list_names(void)
{
    struct names names = {.lowest = UINT64_MAX};

    cr_assert(io_list(log.io, log.dir, take_name, &names) == STATUS_OK);
    return names;
}

/* covers: W2 */
Test(wal_space, gives_back_only_segments_below_the_position)
{
    struct wal_position position;

    begin(NULL);
    fill_segments(4);
    position = wal_mark(log.wal);
    help_flush(&log);
    log.start = log.newer = position;
    fill_segments(1);
    cr_assert(list_names().lowest == 1);
    cr_assert(wal_release(log.wal, position) == STATUS_OK);
    cr_assert(list_names().lowest == position.lsn / log.options.segment_size);
    cr_assert(wal_release(log.wal, position) == STATUS_OK);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_space, uses_released_segments_again_under_new_numbers)
{
    struct wal_statistics before, after;

    begin(NULL);
    log.wal->options.spare_count = 3;
    fill_segments(3);
    for (int i = 0; i < 23; i++) {
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
        fill_segments(1);
        if (i == 2)
            wal_get_statistics(log.wal, &before);
    }
    wal_get_statistics(log.wal, &after);
    cr_assert(after.segment_recycled_count >= 19);
    cr_assert(after.segment_created_count == before.segment_created_count);
    cr_assert(after.fill_size == before.fill_size); /* Written once is enough. */
    cr_assert(list_names().count <= 7);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_space, removes_what_is_more_than_the_spares)
{
    begin(NULL);
    fill_segments(6);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(list_names().count == 2 && log.wal->prepared.count == 1);
    help_deinit(&log);
}

Test(wal_space, keeps_as_many_files_as_it_may_have)
{
    struct wal_statistics before, after;

    begin(NULL);
    log.wal->options.segment_count_max = 7;
    fill_segments(6);
    uint64_t count = list_names().count;
    cr_assert(count == 7 || count == 8);
    wal_get_statistics(log.wal, &before);
    for (int i = 0; i < 2; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(list_names().count == 7 && log.wal->prepared.count == 6);
    fill_segments(5);
    wal_get_statistics(log.wal, &after);
    cr_assert(after.segment_created_count == before.segment_created_count);
    cr_assert(after.fill_size <= before.fill_size + HELP_SEGMENT_SIZE);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

/* Three segments are full, the current one begins, and two are prepared that were never written. */
static void
begin_with_two_fresh(void)
{
    bool more;

    begin(NULL);
    log.wal->options.spare_count = 2;
    fill_segments(3);
    for (int i = 0; i < 2 && log.wal->prepared.count < 2; i++)
        cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
    cr_assert(log.wal->prepared.count == 2);
}

/* covers: W2 */
Test(wal_space, a_released_file_takes_the_place_of_one_never_written)
{
    struct wal_statistics before, after;

    begin_with_two_fresh();
    uint64_t number = log.wal->prepared.first->number;
    cr_assert(log.wal->prepared.first->filled == 0);
    wal_get_statistics(log.wal, &before);
    for (int i = 0; i < 2; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    wal_get_statistics(log.wal, &after);
    cr_assert(after.segment_recycled_count == before.segment_recycled_count + 2);
    cr_assert(log.wal->prepared.count == 2 && log.wal->prepared.first->number == number);
    cr_assert(log.wal->prepared.first->filled > 0 && log.wal->prepared.last->filled > 0);
    cr_assert(list_names().lowest == 4 && list_names().highest == number + 1);
    fill_segments(2);
    wal_get_statistics(log.wal, &after);
    cr_assert(after.fill_size <=
              before.fill_size + HELP_SEGMENT_SIZE); /* The current one's rest. */
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_space, a_failed_exchange_leaves_both_files_as_they_were)
{
    begin_with_two_fresh();
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    struct wal_position position = wal_mark(log.wal);
    help_flush(&log);
    struct io_file *file = log.wal->prepared.first->file;

    io_sim_fail_at(log.io, io_sim_op_count(log.io), IO_SIM_FAULT_EIO, false); /* The rename. */
    cr_assert(wal_release(log.wal, position) == STATUS_IO);
    cr_assert(!wal_is_failed(log.wal) && list_names().lowest == 1);
    cr_assert(log.wal->prepared.first->file == file && log.wal->exchanged == NULL);
    cr_assert(wal_release(log.wal, position) == STATUS_OK);
    cr_assert(log.wal->prepared.first->file != file && list_names().lowest == 4);
    log.start = log.newer = position;
    fill_segments(2);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_space, shows_each_segment_to_the_archive_once_and_in_order)
{
    struct diary diary = {0};

    begin(&diary);
    fill_segments(5);
    for (int i = 0; i < 3; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(diary.count == 5);
    for (uint64_t i = 0; i < diary.count; i++)
        cr_assert(diary.numbers[i] == i + 1);
    help_deinit(&log);
}

Test(wal_space, keeps_what_the_archive_refuses)
{
    struct diary diary = {.answer = STATUS_BUSY};

    begin(&diary);
    fill_segments(3);
    for (int i = 0; i < 3; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(diary.count == 0 && list_names().lowest == 1);
    help_close(&log);
    help_reopen(&log); /* Also over a restart: segments before the start are still shown. */
    diary.answer = STATUS_OK;
    help_commit(&log, 10);
    for (int i = 0; i < 3; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(diary.count == 4 && diary.numbers[0] == 1 && diary.numbers[3] == 4);
    cr_assert(list_names().lowest > 4);
    help_deinit(&log);
}

Test(wal_space, size_counts_from_the_released_position)
{
    begin(NULL);
    cr_assert(wal_size(log.wal) == 0);
    help_append(&log, 100);
    cr_assert(wal_size(log.wal) == WAL_BLOCK_SIZE);
    help_append(&log, 5000);
    cr_assert(wal_size(log.wal) == 2 * WAL_BLOCK_SIZE);
    help_flush(&log);
    for (int i = 0; i < 100; i++)
        help_commit(&log, 100);
    cr_assert(wal_size(log.wal) == 102 * WAL_BLOCK_SIZE);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(wal_size(log.wal) == 0);
    help_commit(&log, 100);
    help_commit(&log, 100);
    cr_assert(wal_size(log.wal) == 2 * WAL_BLOCK_SIZE);
    help_close(&log);
    help_reopen(&log);
    cr_assert(wal_size(log.wal) == 2 * WAL_BLOCK_SIZE);
    help_deinit(&log);
}

Test(wal_space, horizon_is_written_when_it_moved_and_only_then)
{
    uint64_t op_count;

    begin(NULL);
    op_count = io_sim_op_count(log.io);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    cr_assert(io_sim_op_count(log.io) == op_count); /* The header says as much. */
    for (int i = 0; i < 4; i++) {
        help_commit(&log, 10);
        op_count = io_sim_op_count(log.io);
        cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
        cr_assert(io_sim_op_count(log.io) == op_count + 1);
        cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
        cr_assert(io_sim_op_count(log.io) == op_count + 1);
    }
    help_deinit(&log);
}

Test(wal_space, horizon_names_the_durable_end_and_the_slots_take_turns)
{
    struct wal_horizon slots[2];

    begin(NULL);
    for (uint64_t csn = 1; csn <= 3; csn++) {
        help_commit(&log, 10);
        cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    }
    help_append(&log, 10); /* Not durable. */
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    for (uint64_t i = 0; i < 2; i++) {
        help_peek(&log, log.options.segment_size + (i + 1) * WAL_BLOCK_SIZE, &slots[i],
                  sizeof(slots[i]));
        cr_assert(wal__horizon_is_sound(&slots[i]));
        uint64_t csn = 2 + i; /* Sequence 2 in the first, 1 and 3 in the second. */
        cr_assert(le64_get(slots[i].csn_durable) == csn && le64_get(slots[i].sequence) == csn);
        cr_assert(le64_get(slots[i].lsn_durable) ==
                  log.options.segment_size + WAL_FRAMES_OFFSET + csn * WAL_BLOCK_SIZE);
    }
    help_deinit(&log);
}

static uint64_t
prepare_all(void)
{
    uint64_t steps = 0;
    bool more = true;

    for (; more; steps++)
        cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
    return steps;
}

Test(wal_space, a_step_is_due_when_half_of_the_filled_space_is_used_up)
{
    struct io_sim_options options = {.seed = 2};
    struct wal_statistics before, after;
    uint64_t commits = 0;

    help_init_sim(&log, &options);
    log.options.segment_size = 4 * 1024 * 1024;
    help_create(&log);
    for (int i = 0; i < 300; i++)
        help_commit(&log, 100);
    prepare_all();
    cr_assert(!wal_prepare_is_due(log.wal));
    wal_get_statistics(log.wal, &before);
    for (; !wal_prepare_is_due(log.wal); commits++)
        help_commit(&log, 100);
    wal_get_statistics(log.wal, &after);
    cr_assert(after.fill_size == before.fill_size); /* Nobody who commits has had to fill. */
    cr_assert(commits * WAL_BLOCK_SIZE >= WAL__FILL_AHEAD / 2);
    cr_assert(commits * WAL_BLOCK_SIZE < WAL__FILL_AHEAD / 2 + 2 * WAL__FILL_STEP);
    prepare_all();
    cr_assert(!wal_prepare_is_due(log.wal));
    help_deinit(&log);
}

Test(wal_space, preparing_goes_in_small_steps_until_nothing_is_due)
{
    struct io_sim_options options = {.seed = 2};
    struct wal_statistics statistics;
    bool more = true;

    help_init_sim(&log, &options);
    log.options.segment_size = 4 * 1024 * 1024;
    log.options.spare_count = 3;
    help_create(&log);
    cr_assert(prepare_all() == 3 + 1);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(log.wal->prepared.count == 3);
    cr_assert(statistics.fill_size == WAL__FILL_AHEAD_MIN); /* Nothing has been logged. */
    for (int i = 0; i < 300; i++)
        help_commit(&log, 100);
    prepare_all();
    wal_get_statistics(log.wal, &statistics);
    uint64_t ahead = statistics.fill_size - statistics.frame_size;
    cr_assert(ahead >= WAL__FILL_AHEAD && ahead < WAL__FILL_AHEAD + WAL__FILL_STEP);
    cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK && !more);
    uint64_t fill_size = statistics.fill_size;
    help_commit(&log, 100);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == fill_size); /* Filled already. */
    help_deinit(&log);
}

Test(wal_space, preparing_fills_the_next_segment_before_it_is_needed)
{
    struct wal_statistics statistics;

    begin(NULL);
    fill_segments(2);
    prepare_all();
    cr_assert(log.wal->prepared.first->filled == HELP_SEGMENT_SIZE);
    wal_get_statistics(log.wal, &statistics);
    uint64_t fill_size = statistics.fill_size;
    fill_segments(1);
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.fill_size == fill_size);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_space, full_disk_while_preparing_is_no_failure)
{
    struct io_sim_options options = {.seed = 2, .disk_size = 2 * HELP_SEGMENT_SIZE};
    bool more = true;

    help_init_sim(&log, &options);
    log.options.spare_count = 4;
    help_create(&log);
    cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
    cr_assert(wal_prepare_step(log.wal, &more) == STATUS_FULL);
    cr_assert(!wal_is_failed(log.wal) && list_names().count == 2);
    help_commit(&log, 100);
    io_sim_set_disk_size(log.io, 0);
    cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
    cr_assert(log.wal->prepared.count == 2);
    help_deinit(&log);
}

/* covers: W10 */
Test(wal_space, failed_sync_of_a_new_segment_or_of_the_directory_is_final)
{
    bool more = true;

    for (uint64_t op = 0; op < 4; op++) {
        begin(NULL);
        help_commit(&log, 10);
        log.wal->options.spare_count = 4;
        io_sim_fail_at(log.io, io_sim_op_count(log.io) + op, IO_SIM_FAULT_EIO, false);
        enum status status = wal_prepare_step(log.wal, &more);
        cr_assert(io_sim_failed(log.io));
        /* Creating and allocating may be tried again, what follows may not. */
        cr_assert(status == (op < 2 ? STATUS_IO : STATUS_FAILED), "%d", (int)op);
        cr_assert(wal_is_failed(log.wal) == (op >= 2));
        if (op < 2)
            cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
        help_close(&log);
        help_reopen(&log);
        help_deinit(&log);
    }
}
