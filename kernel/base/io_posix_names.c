/*
 * Names of the operating system's backend: rename, remove, directories, real paths.
 *
 * A name is durable only after its directory is synced; the caller says when. A file system that
 * cannot sync a directory at all (EINVAL) is taken at its word: it keeps names by itself or not,
 * and there is nothing more to ask of it.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"

enum { DIR_MODE = 0755, LINKS_MAX = 40 };
static_assert(IO_PATH_SIZE >= PATH_MAX, "realpath fits");

enum status
io_posix__rename(struct io *io, const char *from, const char *to)
{
    (void)io;
    if (rename(from, to) == 0)
        return STATUS_OK;
    enum status status = io_posix__status(errno);
    return error_raise(status, "cannot rename %.200s to %.200s: %m", from, to);
}

enum status
io_posix__remove(struct io *io, const char *path)
{
    (void)io;
    return unlink(path) == 0 ? STATUS_OK : io_posix__raise(errno, "remove", path);
}

enum status
io_posix__make_dir(struct io *io, const char *path)
{
    (void)io;
    return mkdir(path, DIR_MODE) == 0 ? STATUS_OK : io_posix__raise(errno, "create", path);
}

enum status
io_posix__remove_dir(struct io *io, const char *path)
{
    (void)io;
    return rmdir(path) == 0 ? STATUS_OK : io_posix__raise(errno, "remove", path);
}

static int
open_dir(const char *path)
{
    int descriptor;

    do {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

enum status
io_posix__sync_dir(struct io *io, const char *path)
{
    int descriptor = open_dir(path);
    int result;

    (void)io;
    if (descriptor < 0)
        return io_posix__raise(errno, "open", path);
    do {
        result = fsync(descriptor);
    } while (result != 0 && errno == EINTR);
    int error = result == 0 ? 0 : errno;
    close(descriptor);
    if (error == 0 || error == EINVAL)
        return STATUS_OK;
    errno = error;
    return error_raise(STATUS_IO, "cannot sync the directory %.400s: %m", path);
}

static bool
entry_is_directory(DIR *directory, const struct dirent *entry)
{
    struct stat info;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(info.st_mode);
}

enum status
io_posix__list(struct io *io, const char *path, io_list_fn each, void *context)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    (void)io;
    if (directory == NULL)
        return io_posix__raise(errno, "list", path);
    /* readdir tells its end from an error by errno alone, so it is cleared before each call. */
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        each(context, entry->d_name, entry_is_directory(directory, entry));
    }
    int error = errno;
    closedir(directory);
    return error == 0 ? STATUS_OK : io_posix__raise(error, "list", path);
}

/* The length of the directory part of a path with its slash, 0 when there is none. */
static size_t
directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/*
 * Replaces a path that is a link by what the link says, seen from the link's directory. False when
 * it is no link, or the result is too long.
 */
static bool
follow_link(char path[IO_PATH_SIZE])
{
    char target[IO_PATH_SIZE];
    ssize_t target_length = readlink(path, target, sizeof(target));
    size_t kept = directory_length(path);

    if (target_length <= 0 || (size_t)target_length >= sizeof(target))
        return false;
    if (target[0] == '/')
        kept = 0;
    if (kept + (size_t)target_length >= IO_PATH_SIZE)
        return false;
    memcpy(path + kept, target, (size_t)target_length);
    path[kept + (size_t)target_length] = '\0';
    return true;
}

/* The real path of a directory and one name in it that does not exist. */
static enum status
resolve_absent(const char *path, char resolved[IO_PATH_SIZE])
{
    size_t length = directory_length(path);
    const char *name = path + length;
    size_t name_size = strlen(name) + 1;
    char directory[IO_PATH_SIZE] = "."; /* The rest is zero. */

    if (name[0] == '\0')
        return io_posix__raise(ENOENT, "find", path);
    memcpy(directory, path, length);
    if (realpath(directory, resolved) == NULL)
        return io_posix__raise(errno, "find", path);
    size_t used = strlen(resolved);
    if (used + 1 + name_size > IO_PATH_SIZE)
        return io_posix__raise(ENAMETOOLONG, "find", path);
    if (resolved[used - 1] != '/') /* As it does in the root. */
        resolved[used++] = '/';
    memcpy(resolved + used, name, name_size);
    return STATUS_OK;
}

/* A link may point at a file that is not there yet: the file will be created where it points. */
static enum status
resolve(const char *path, char resolved[IO_PATH_SIZE])
{
    char current[IO_PATH_SIZE];

    if (strlen(path) >= sizeof(current))
        return io_posix__raise(ENAMETOOLONG, "find", path);
    memcpy(current, path, strlen(path) + 1);
    for (int i = 0; i < LINKS_MAX; i++) {
        if (realpath(current, resolved) != NULL)
            return STATUS_OK;
        if (errno != ENOENT)
            return io_posix__raise(errno, "find", path);
        if (!follow_link(current))
            return resolve_absent(current, resolved);
    }
    return io_posix__raise(ELOOP, "find", path);
}

enum status
io_posix__real_path(struct io *io, const char *path, char *out, size_t out_size)
{
    char resolved[IO_PATH_SIZE];

    (void)io;
    TRY(resolve(path, resolved));
    size_t size = strlen(resolved) + 1;
    if (size > out_size)
        return error_raise(STATUS_INVALID, "the real path of %.400s is longer than %zu bytes", path,
                           out_size - 1);
    memcpy(out, resolved, size);
    return STATUS_OK;
}
