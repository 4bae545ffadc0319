/*
 * Goal: names are made, moved, removed, listed and resolved as io.h says, and every message names
 * its path.
 * Method: a real folder below $TMPDIR with files, folders and links.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <sys/stat.h>

#include "kernel/base/error.h"
#include "tests/unit/base/between.h"
#include "tests/unit/base/fake_calls.h"
#include "tests/unit/base/temp_dir.h"

static struct temp_dir dir;

static void
open_dir(void)
{
    temp_dir_open(&dir, false);
}

static void
close_dir(void)
{
    temp_dir_close(&dir);
}

#define IO_POSIX_NAMES_TEST(name) TEST_BETWEEN(open_dir, close_dir, io_posix_names, name)

static void
make_file(const char *name)
{
    io_close(temp_dir_file(&dir, name, IO_WRITE | IO_CREATE));
}

static bool
exists(const char *name)
{
    struct stat info;

    return lstat(temp_dir_name(&dir, name), &info) == 0;
}

static enum status
rename_to(const char *from, const char *to)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s", temp_dir_name(&dir, from));
    return io_rename(dir.io, path, temp_dir_name(&dir, to));
}

IO_POSIX_NAMES_TEST(rename_moves_and_replaces)
{
    make_file("a");
    cr_assert_eq(rename_to("a", "b"), STATUS_OK);
    cr_assert(!exists("a") && exists("b"));
    make_file("a");
    cr_assert_eq(rename_to("a", "b"), STATUS_OK);
    cr_assert(!exists("a") && exists("b"));
    cr_assert_eq(rename_to("absent", "b"), STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(error_message(), "absent"));
    cr_assert(exists("b"));
}

IO_POSIX_NAMES_TEST(remove_removes_files_only)
{
    make_file("a");
    cr_assert_eq(io_remove(dir.io, temp_dir_name(&dir, "a")), STATUS_OK);
    cr_assert_not(exists("a"));
    cr_assert_eq(io_remove(dir.io, temp_dir_name(&dir, "a")), STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(error_message(), dir.name));
    cr_assert_eq(io_make_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_OK);
    cr_assert_neq(io_remove(dir.io, temp_dir_name(&dir, "d")), STATUS_OK);
    cr_assert(exists("d"));
}

IO_POSIX_NAMES_TEST(folders_are_made_once_and_removed_when_empty)
{
    cr_assert_eq(io_make_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_OK);
    cr_assert_eq(io_make_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_EXISTS);
    cr_assert_eq(io_make_dir(dir.io, temp_dir_name(&dir, "x/y")), STATUS_NOT_FOUND);
    make_file("d/f");
    cr_assert_eq(io_remove_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_EXISTS);
    cr_assert_eq(io_remove(dir.io, temp_dir_name(&dir, "d/f")), STATUS_OK);
    cr_assert_eq(io_remove_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_OK);
    cr_assert_eq(io_remove_dir(dir.io, temp_dir_name(&dir, "d")), STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(error_message(), dir.name));
}

IO_POSIX_NAMES_TEST(a_directory_is_synced)
{
    fake_failure(FAKE_FSYNC, EINTR, 2);
    fake_failure(FAKE_OPEN, EINTR, 2);
    cr_assert_eq(io_sync_dir(dir.io, dir.path), STATUS_OK);
    cr_assert_eq(fake[FAKE_FSYNC].calls, 3);
    cr_assert_eq(io_sync_dir(dir.io, temp_dir_name(&dir, "absent")), STATUS_NOT_FOUND);
}

IO_POSIX_NAMES_TEST(a_directory_that_cannot_be_synced_is_taken_at_its_word)
{
    fake_failure(FAKE_FSYNC, EINVAL, 1);
    cr_assert_eq(io_sync_dir(dir.io, dir.path), STATUS_OK);
}

/* covers: F18 */
IO_POSIX_NAMES_TEST(a_failed_directory_sync_is_an_io_error_and_not_repeated)
{
    fake_failure(FAKE_FSYNC, ENOSPC, 1);
    cr_assert_eq(io_sync_dir(dir.io, dir.path), STATUS_IO);
    cr_assert_eq(fake[FAKE_FSYNC].calls, 1);
    cr_assert_not_null(strstr(error_message(), dir.path));
}

struct listed {
    int files;
    int folders;
    bool odd;
};

static void
count_entry(void *context, const char *name, bool is_directory)
{
    struct listed *listed = context;

    if (is_directory)
        listed->folders++;
    else
        listed->files++;
    if (strcmp(name, is_directory ? "folder" : "file") != 0 && strcmp(name, "link") != 0)
        listed->odd = true;
}

IO_POSIX_NAMES_TEST(a_list_has_every_name_once)
{
    struct listed listed = {0};

    cr_assert_eq(io_list(dir.io, dir.path, count_entry, &listed), STATUS_OK);
    cr_assert(listed.files == 0 && listed.folders == 0);
    make_file("file");
    cr_assert_eq(io_make_dir(dir.io, temp_dir_name(&dir, "folder")), STATUS_OK);
    cr_assert_eq(symlink("folder", temp_dir_name(&dir, "link")), 0);
    cr_assert_eq(io_list(dir.io, dir.path, count_entry, &listed), STATUS_OK);
    cr_assert(listed.files == 2 && listed.folders == 1 && !listed.odd);
    cr_assert_eq(io_list(dir.io, temp_dir_name(&dir, "absent"), count_entry, &listed),
                 STATUS_NOT_FOUND);
    cr_assert_eq(io_list(dir.io, temp_dir_name(&dir, "file"), count_entry, &listed),
                 STATUS_NOT_FOUND);
}

static char real_dir[IO_PATH_SIZE];

static void
assert_resolves(const char *path, const char *name)
{
    char resolved[IO_PATH_SIZE] = "";
    char expected[IO_PATH_SIZE + 100];

    cr_assert_not_null(realpath(dir.path, real_dir));
    snprintf(expected, sizeof(expected), "%s%s", real_dir, name);
    cr_assert_eq(io_real_path(dir.io, path, resolved, sizeof(resolved)), STATUS_OK, "%s: %s", path,
                 error_message());
    cr_assert_str_eq(resolved, expected);
}

IO_POSIX_NAMES_TEST(real_paths_are_absolute)
{
    make_file("file");
    assert_resolves(temp_dir_name(&dir, "file"), "/file");
    cr_assert_eq(chdir(dir.path), 0);
    assert_resolves("file", "/file");
    assert_resolves("./absent", "/absent");
    assert_resolves("absent", "/absent");
    assert_resolves(".", "");
    cr_assert_eq(chdir("/"), 0);
}

IO_POSIX_NAMES_TEST(a_name_in_the_root_has_one_slash)
{
    char resolved[IO_PATH_SIZE];

    cr_assert_eq(io_real_path(dir.io, "/no-such-name-here", resolved, sizeof(resolved)), STATUS_OK);
    cr_assert_str_eq(resolved, "/no-such-name-here");
}

IO_POSIX_NAMES_TEST(links_are_resolved)
{
    make_file("file");
    cr_assert_eq(mkdir(temp_dir_name(&dir, "folder"), 0700), 0);
    cr_assert_eq(symlink("file", temp_dir_name(&dir, "link")), 0);
    cr_assert_eq(symlink("..", temp_dir_name(&dir, "folder/up")), 0);
    assert_resolves(temp_dir_name(&dir, "link"), "/file");
    assert_resolves(temp_dir_name(&dir, "folder/up/link"), "/file");
    assert_resolves(temp_dir_name(&dir, "folder/up/folder/absent"), "/folder/absent");
}

IO_POSIX_NAMES_TEST(a_link_to_an_absent_file_gives_where_it_will_be)
{
    cr_assert_eq(mkdir(temp_dir_name(&dir, "folder"), 0700), 0);
    cr_assert_eq(symlink("folder/new", temp_dir_name(&dir, "a")), 0);
    cr_assert_eq(symlink("../a", temp_dir_name(&dir, "folder/b")), 0);
    assert_resolves(temp_dir_name(&dir, "a"), "/folder/new");
    assert_resolves(temp_dir_name(&dir, "folder/b"), "/folder/new");
    make_file("a");
    assert_resolves(temp_dir_name(&dir, "a"), "/folder/new");
    cr_assert_eq(symlink("c", temp_dir_name(&dir, "longer-than-what-it-says")), 0);
    assert_resolves(temp_dir_name(&dir, "longer-than-what-it-says"), "/c");
}

IO_POSIX_NAMES_TEST(an_absolute_link_to_an_absent_file_is_followed)
{
    char target[1024];

    snprintf(target, sizeof(target), "%s/there", dir.path);
    cr_assert_eq(symlink(target, temp_dir_name(&dir, "a")), 0);
    assert_resolves(temp_dir_name(&dir, "a"), "/there");
}

static enum status
resolve_into(const char *path, size_t size)
{
    char resolved[IO_PATH_SIZE];

    return io_real_path(dir.io, path, resolved, size);
}

IO_POSIX_NAMES_TEST(paths_that_lead_nowhere_are_refused)
{
    cr_assert_eq(symlink("round", temp_dir_name(&dir, "round")), 0);
    cr_assert_eq(resolve_into(temp_dir_name(&dir, "round"), IO_PATH_SIZE), STATUS_IO);
    cr_assert_not_null(strstr(error_message(), dir.name));
    cr_assert_eq(resolve_into(temp_dir_name(&dir, "absent/file"), IO_PATH_SIZE), STATUS_NOT_FOUND);
    cr_assert_eq(resolve_into(temp_dir_name(&dir, "absent/"), IO_PATH_SIZE), STATUS_NOT_FOUND);
    cr_assert_eq(resolve_into(temp_dir_name(&dir, "absent/.."), IO_PATH_SIZE), STATUS_NOT_FOUND);
    cr_assert_eq(resolve_into("", IO_PATH_SIZE), STATUS_NOT_FOUND);
}

IO_POSIX_NAMES_TEST(paths_that_are_too_long_are_refused)
{
    char path[IO_PATH_SIZE + 10];
    size_t length;

    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    cr_assert_neq(resolve_into(path, IO_PATH_SIZE), STATUS_OK);
    cr_assert_not_null(realpath(dir.path, real_dir));
    length = strlen(real_dir);
    cr_assert_eq(resolve_into(dir.path, length + 1), STATUS_OK);
    cr_assert_eq(resolve_into(dir.path, length), STATUS_INVALID);
    cr_assert_eq(resolve_into(dir.path, 1), STATUS_INVALID);
}
