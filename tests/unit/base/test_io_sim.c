/*
 * Goal: the simulated disk, while nothing goes wrong, is an ordinary file system behind io.h.
 * Method: one small case for each promise; a rig of random operations stands in test_io_sim_model.c.
 */
#include "tests/unit/base/sim_help.h"

#include "kernel/base/bytes.h"
#include "tests/unit/base/aborts.h"

static struct memory *memory;
static struct io *io;

static void
open_disk(void)
{
    memory = memory_new();
    io = sim_new(memory, 1);
}

static void
close_disk(void)
{
    cr_expect_eq(io_sim_open_count(io), 0);
    io_close_all(io);
    cr_expect_eq(memory_live_count(memory), 0);
    memory_delete(memory);
}

TestSuite(io_sim, .init = open_disk, .fini = close_disk);

Test(io_sim, what_is_written_is_read_back_at_any_place)
{
    static const uint64_t offsets[] = {0, 1, 511, 512, 4095, 4096, 5000, 12287, 70000};
    static const size_t sizes[] = {1, 511, 512, 513, 4096, 4097, 9000};
    struct io_file *file = sim_file(io, "/a");
    uint8_t bytes[9000];
    uint8_t back[9000];

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            memset(bytes, (int)(i * 8 + j + 1), sizes[j]);
            ASSERT_OK(io_write(file, bytes, sizes[j], offsets[i], 0));
            ASSERT_OK(io_read(file, back, sizes[j], offsets[i]));
            cr_assert_arr_eq(back, bytes, sizes[j]);
        }
    }
    io_close(file);
}

Test(io_sim, a_hole_reads_as_zeros)
{
    struct io_file *file = sim_file(io, "/a");
    uint8_t bytes[20000];

    ASSERT_OK(io_write(file, "end", 3, 19997, 0));
    ASSERT_OK(io_read(file, bytes, sizeof(bytes), 0));
    cr_assert(bytes_are_zero(bytes, 19997));
    cr_assert_arr_eq(bytes + 19997, "end", 3);
    io_close(file);
}

Test(io_sim, a_read_stops_at_the_end)
{
    struct io_file *file = sim_file(io, "/a");
    uint8_t bytes[100];
    size_t size = 99;

    ASSERT_OK(io_write(file, "0123456789", 10, 0, 0));
    ASSERT_OK(io_read_some(file, bytes, sizeof(bytes), 4, &size));
    cr_assert_eq(size, 6);
    cr_assert_arr_eq(bytes, "456789", 6);
    ASSERT_OK(io_read_some(file, bytes, sizeof(bytes), 10, &size));
    cr_assert_eq(size, 0);
    ASSERT_OK(io_read_some(file, bytes, sizeof(bytes), 1000, &size));
    cr_assert_eq(size, 0);
    ASSERT_STATUS(io_read(file, bytes, 11, 0), STATUS_IO);
    cr_assert(strstr(error_message(), "/a") != NULL);
    io_close(file);
}

Test(io_sim, a_file_cut_and_grown_again_is_zero_past_the_cut)
{
    struct io_file *file = sim_file(io, "/a");
    uint8_t bytes[12288];
    uint64_t size = 0;

    memset(bytes, 'a', sizeof(bytes));
    ASSERT_OK(io_write(file, bytes, sizeof(bytes), 0, 0));
    ASSERT_OK(io_truncate(file, 5000));
    ASSERT_OK(io_size(file, &size));
    cr_assert_eq(size, 5000);
    ASSERT_OK(io_truncate(file, 12288));
    ASSERT_OK(io_read(file, bytes, sizeof(bytes), 0));
    cr_assert_eq(bytes[4999], 'a');
    cr_assert(bytes_are_zero(bytes + 5000, 12288 - 5000));
    io_close(file);
}

Test(io_sim, allocation_extends_with_zeros_and_leaves_bytes_alone)
{
    struct io_file *file = sim_file(io, "/a");
    uint8_t bytes[8192];
    uint64_t size = 0;

    ASSERT_OK(io_write(file, "abc", 3, 0, 0));
    ASSERT_OK(io_allocate(file, 0, 8192));
    ASSERT_OK(io_size(file, &size));
    cr_assert_eq(size, 8192);
    ASSERT_OK(io_read(file, bytes, sizeof(bytes), 0));
    cr_assert_arr_eq(bytes, "abc", 3);
    cr_assert(bytes_are_zero(bytes + 3, 8189));
    ASSERT_OK(io_allocate(file, 0, 100));
    ASSERT_OK(io_size(file, &size));
    cr_assert_eq(size, 8192, "allocation never shortens");
    io_close(file);
}

Test(io_sim, opening_says_what_is_wrong_and_names_the_path)
{
    struct io_file *file = NULL;

    ASSERT_STATUS(io_open(io, "/no", 0, &file), STATUS_NOT_FOUND);
    cr_assert(strstr(error_message(), "/no") != NULL);
    ASSERT_STATUS(io_open(io, "/no/file", IO_WRITE | IO_CREATE, &file), STATUS_NOT_FOUND);
    ASSERT_OK(io_make_dir(io, "/dir"));
    ASSERT_STATUS(io_open(io, "/dir", 0, &file), STATUS_IO);
    ASSERT_STATUS(io_open(io, "/", 0, &file), STATUS_IO);
    io_close(sim_file(io, "/file"));
    ASSERT_STATUS(io_open(io, "/file", IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &file), STATUS_EXISTS);
    ASSERT_STATUS(io_open(io, "/file/below", IO_WRITE | IO_CREATE, &file), STATUS_NOT_FOUND);
    cr_assert_null(file);
}

Test(io_sim, paths_lead_to_the_same_file_however_they_are_written)
{
    char path[IO_PATH_SIZE];
    char small[4];

    ASSERT_OK(io_make_dir(io, "dir"));
    io_close(sim_file(io, "dir/file"));
    cr_assert(sim_exists(io, "/dir/file"));
    cr_assert(sim_exists(io, "//dir/./file"));
    cr_assert(sim_exists(io, "/dir/../dir//file"));
    cr_assert(sim_exists(io, "../../dir/file"));
    ASSERT_OK(io_real_path(io, "dir/../dir/./new", path, sizeof(path)));
    cr_assert_str_eq(path, "/dir/new");
    ASSERT_OK(io_real_path(io, "/", path, sizeof(path)));
    cr_assert_str_eq(path, "/");
    ASSERT_STATUS(io_real_path(io, "no/new", path, sizeof(path)), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_real_path(io, "/dir/new", small, sizeof(small)), STATUS_INVALID);
}

Test(io_sim, names_that_are_too_long_are_refused)
{
    struct io_file *file = NULL;
    char name[300] = "/";

    memset(name + 1, 'n', 255);
    io_close(sim_file(io, name));
    memset(name + 1, 'n', 256);
    ASSERT_STATUS(io_open(io, name, IO_WRITE | IO_CREATE, &file), STATUS_IO);
}

struct names {
    char text[200];
    uint32_t count;
};

static void
add_name(void *context, const char *name, bool is_directory)
{
    struct names *names = context;

    sim_append(names->text, sizeof(names->text), name);
    sim_append(names->text, sizeof(names->text), is_directory ? "/ " : " ");
    names->count++;
    cr_assert(sim_exists(io, "/dir/b"), "the callback may use the disk");
}

Test(io_sim, a_list_has_the_directorys_own_names)
{
    struct names names = {0};

    ASSERT_OK(io_make_dir(io, "/dir"));
    ASSERT_OK(io_make_dir(io, "/dir/sub"));
    io_close(sim_file(io, "/dir/b"));
    io_close(sim_file(io, "/dir/sub/c"));
    io_close(sim_file(io, "/other"));
    ASSERT_OK(io_list(io, "/dir", add_name, &names));
    cr_assert_eq(names.count, 2);
    cr_assert(strstr(names.text, "sub/ ") != NULL && strstr(names.text, "b ") != NULL);
    ASSERT_STATUS(io_list(io, "/no", add_name, &names), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_list(io, "/other", add_name, &names), STATUS_NOT_FOUND);
}

Test(io_sim, a_rename_replaces_and_open_files_stay_with_their_bytes)
{
    struct io_file *a = sim_durable_file(io, "/a", 1, 'a');
    struct io_file *b = sim_durable_file(io, "/b", 1, 'b');
    uint8_t byte = 0;

    ASSERT_OK(io_rename(io, "/a", "/b"));
    cr_assert_not(sim_exists(io, "/a"));
    cr_assert_str_eq(sim_text(io, "/b"), "a");
    ASSERT_OK(io_read(b, &byte, 1, 0));
    cr_assert_eq(byte, 'b', "the replaced file lives on while it is open");
    ASSERT_OK(io_read(a, &byte, 1, 0));
    cr_assert_eq(byte, 'a');
    io_close(a);
    ASSERT_OK(io_rename(io, "/b", "/b"));
    ASSERT_OK(io_rename(io, "/b", "/c"));
    ASSERT_OK(io_rename(io, "/c", "/b"));
    cr_assert_str_eq(sim_text(io, "/b"), "a", "no handle is needed to keep the bytes");
    ASSERT_STATUS(io_rename(io, "/no", "/c"), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_rename(io, "/b", "/no/c"), STATUS_NOT_FOUND);
    io_close(b);
}

Test(io_sim, directories_move_with_what_is_in_them)
{
    ASSERT_OK(io_make_dir(io, "/from"));
    ASSERT_OK(io_make_dir(io, "/full"));
    ASSERT_OK(io_make_dir(io, "/empty"));
    io_close(sim_file(io, "/from/file"));
    io_close(sim_file(io, "/full/file"));
    ASSERT_STATUS(io_rename(io, "/from", "/full"), STATUS_EXISTS);
    ASSERT_STATUS(io_rename(io, "/from", "/full/file"), STATUS_IO);
    ASSERT_STATUS(io_rename(io, "/full/file", "/from"), STATUS_IO);
    ASSERT_STATUS(io_rename(io, "/from", "/from/in"), STATUS_IO);
    ASSERT_OK(io_rename(io, "/from", "/empty"));
    cr_assert(sim_exists(io, "/empty/file"));
    cr_assert_not(sim_exists(io, "/from/file"));
}

Test(io_sim, removing_says_what_is_wrong)
{
    ASSERT_OK(io_make_dir(io, "/dir"));
    io_close(sim_file(io, "/dir/file"));
    ASSERT_STATUS(io_remove(io, "/no"), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_remove(io, "/dir"), STATUS_IO);
    ASSERT_STATUS(io_remove_dir(io, "/dir/file"), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_remove_dir(io, "/dir"), STATUS_EXISTS);
    ASSERT_STATUS(io_make_dir(io, "/dir"), STATUS_EXISTS);
    ASSERT_STATUS(io_make_dir(io, "/"), STATUS_EXISTS);
    ASSERT_STATUS(io_make_dir(io, "/no/dir"), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sync_dir(io, "/no"), STATUS_NOT_FOUND);
    ASSERT_STATUS(io_sync_dir(io, "/dir/file"), STATUS_NOT_FOUND);
    ASSERT_OK(io_remove(io, "/dir/file"));
    ASSERT_OK(io_remove_dir(io, "/dir"));
    cr_assert_not(sim_exists(io, "/dir/file"));
}

Test(io_sim, two_opens_of_a_file_conflict_as_two_processes_do)
{
    struct io_file *a = sim_file(io, "/a");
    struct io_file *b = sim_file(io, "/a");
    struct io_file *c = sim_file(io, "/c");
    uint64_t pid = 0;

    ASSERT_OK(io_lock(a, IO_LOCK_SHARED, &pid));
    ASSERT_OK(io_lock(b, IO_LOCK_SHARED, &pid));
    ASSERT_STATUS(io_lock(a, IO_LOCK_EXCLUSIVE, &pid), STATUS_BUSY);
    cr_assert_eq(pid, 1001);
    ASSERT_OK(io_lock(c, IO_LOCK_EXCLUSIVE, &pid));
    cr_assert_eq(io_sim_open_count(io), 6, "three files, three locks");
    io_close(b);
    ASSERT_OK(io_lock(a, IO_LOCK_EXCLUSIVE, &pid));
    b = sim_file(io, "/a");
    pid = 0;
    ASSERT_STATUS(io_lock(b, IO_LOCK_SHARED, &pid), STATUS_BUSY);
    cr_assert_eq(pid, 1000);
    ASSERT_OK(io_lock(a, IO_LOCK_SHARED, &pid));
    ASSERT_OK(io_lock(b, IO_LOCK_SHARED, &pid));
    io_close(a);
    io_close(b);
    io_close(c);
}

Test(io_sim, direct_io_is_granted_or_refused_as_asked_for)
{
    struct io_sim_options options = {.direct_refused = true};
    struct io *refusing = NULL;
    struct io_file *file = NULL;

    ASSERT_OK(io_open(io, "/a", IO_WRITE | IO_CREATE | IO_DIRECT, &file));
    cr_assert(io_is_direct(file));
    io_close(file);
    ASSERT_OK(io_sim_open(memory, &options, &refusing));
    ASSERT_OK(io_open(refusing, "/a", IO_WRITE | IO_CREATE | IO_DIRECT, &file));
    cr_assert_not(io_is_direct(file));
    io_close(file);
    io_close_all(refusing);
}

Test(io_sim, a_full_disk_refuses_and_freed_space_serves_again)
{
    struct io_file *a = sim_file(io, "/a");
    struct io_file *b = sim_file(io, "/b");

    io_sim_set_disk_size(io, 4 * BLOCK);
    sim_fill(a, 0, 16, 'a', 0);
    ASSERT_OK(io_allocate(b, 0, 2 * BLOCK));
    ASSERT_STATUS(io_write(a, "x", 1, 2 * BLOCK, 0), STATUS_FULL);
    cr_assert(strstr(error_message(), "/a") != NULL);
    ASSERT_STATUS(io_allocate(b, 0, 3 * BLOCK), STATUS_FULL);
    cr_assert_eq(sim_size(io, "/b"), 2 * BLOCK, "nothing changed");
    sim_fill(a, 0, 16, 'b', 0);
    sim_fill(b, 0, 16, 'b', 0);
    ASSERT_OK(io_truncate(a, 1 << 20));
    ASSERT_STATUS(io_write(a, "x", 1, 100000, 0), STATUS_FULL);
    ASSERT_OK(io_truncate(a, BLOCK));
    ASSERT_OK(io_write(a, "x", 1, 100000, 0));
    ASSERT_STATUS(io_write(a, "x", 1, 200000, 0), STATUS_FULL);
    ASSERT_OK(io_remove(io, "/b"));
    ASSERT_STATUS(io_write(a, "x", 1, 200000, 0), STATUS_FULL);
    io_close(b);
    ASSERT_OK(io_write(a, "x", 1, 200000, 0));
    ASSERT_OK(io_write(a, "x", 1, 300000, 0));
    ASSERT_STATUS(io_write(a, "x", 1, 400000, 0), STATUS_FULL);
    io_sim_set_disk_size(io, 5 * BLOCK);
    ASSERT_OK(io_write(a, "x", 1, 400000, 0));
    io_close(a);
}

Test(io_sim, time_moves_with_operations_and_random_bytes_with_the_seed)
{
    struct io *same = sim_new(memory, 1);
    struct io *other = sim_new(memory, 2);
    uint64_t clock = io_clock_ns(io);
    uint64_t time = io_time_ns(io);
    uint8_t a[40];
    uint8_t b[40];

    (void)sim_exists(io, "/a");
    (void)sim_exists(io, "/b");
    cr_assert_eq(io_clock_ns(io) - clock, 2000);
    cr_assert_eq(io_time_ns(io) - time, 2000);
    io_random(io, a, sizeof(a));
    io_random(same, b, sizeof(b));
    cr_assert_arr_eq(a, b, sizeof(a));
    io_random(other, b, sizeof(b));
    cr_assert_arr_neq(a, b, sizeof(a));
    io_close_all(same);
    io_close_all(other);
}

struct seen {
    char text[400];
    uint64_t next;
    bool open;
};

/* One word an event: before "(", a durable write between its halves "~", after ")". */
static void
note_event(void *context, const struct io_sim_event *event)
{
    struct seen *seen = context;
    char word[40];

    cr_assert_eq(event->index, seen->next);
    cr_assert_eq(event->done, seen->open && !event->in_flight);
    snprintf(word, sizeof(word), "%s%d%s", event->done || event->in_flight ? "" : "(", event->op,
             event->done        ? ")"
             : event->in_flight ? "~"
                                : " ");
    sim_append(seen->text, sizeof(seen->text), word);
    seen->open = !event->done;
    seen->next += event->done;
    if (event->op == IO_SIM_RENAME)
        cr_assert_str_eq(event->path_to, "/b");
    if (event->op == IO_SIM_WRITE)
        cr_assert(event->offset == 7 && event->size == 3 && memcmp(event->bytes, "abc", 3) == 0);
    if (event->op != IO_SIM_SYNC_DIR)
        cr_assert_str_eq(event->path, "/a");
}

Test(io_sim, a_watcher_sees_each_operation_before_and_after)
{
    struct seen seen = {0};
    struct io_file *file = NULL;

    io_sim_watch(io, note_event, &seen);
    ASSERT_STATUS(io_open(io, "a", 0, &file), STATUS_NOT_FOUND);
    file = sim_file(io, "./a");
    ASSERT_OK(io_write(file, "abc", 3, 7, 0));
    ASSERT_OK(io_write(file, "abc", 3, 7, IO_DURABLE));
    ASSERT_OK(io_sync(file));
    io_close(file);
    ASSERT_OK(io_rename(io, "a", "b"));
    ASSERT_OK(io_sync_dir(io, "/"));
    cr_assert_str_eq(seen.text, "(1 1)(1 1)(3 3)(3 3~3)(4 4)(9 9)(13 13)");
    cr_assert_eq(io_sim_op_count(io), 7);
    io_sim_watch(io, NULL, NULL);
}

static void
disturb_message(void *context, const struct io_sim_event *event)
{
    (void)context;
    (void)event;
    cr_assert_eq(error_raise(STATUS_IO, "the watcher's own"), STATUS_IO);
}

Test(io_sim, a_watcher_does_not_take_the_message_away)
{
    struct io_file *file = NULL;

    io_sim_watch(io, disturb_message, NULL);
    ASSERT_STATUS(io_open(io, "/no", 0, &file), STATUS_NOT_FOUND);
    cr_assert(strstr(error_message(), "/no") != NULL);
    io_sim_watch(io, NULL, NULL);
}

static void
close_with_open_file(void *argument)
{
    (void)sim_file(argument, "/a");
    io_close_all(argument);
}

static void
write_read_only(void *argument)
{
    cr_assert_eq(io_write(argument, "x", 1, 0, 0), STATUS_OK);
}

Test(io_sim, misuse_is_stopped)
{
    struct io_file *file = NULL;

    cr_assert(aborts(close_with_open_file, io));
    io_close(sim_file(io, "/a"));
    ASSERT_OK(io_open(io, "/a", 0, &file));
    cr_assert(aborts(write_read_only, file));
    io_close(file);
}
