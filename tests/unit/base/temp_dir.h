/* A folder for one test's files below $TMPDIR, and the operating system's io to go with it. */
#ifndef TESTS_UNIT_BASE_TEMP_DIR_H
#define TESTS_UNIT_BASE_TEMP_DIR_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/io.h"
#include "kernel/base/memory.h"

struct temp_dir {
    char path[512];
    char name[1024]; /* Of the last temp_dir_name. */
    struct memory *memory;
    struct io *io;
    int descriptors; /* Open when the test began. */
};

static inline int
temp_dir_count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (directory == NULL)
        return -1;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static inline void
temp_dir_open(struct temp_dir *dir, bool use_uring)
{
    const char *base = getenv("TMPDIR");

    snprintf(dir->path, sizeof(dir->path), "%s/qtdb-base-XXXXXX", base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(dir->path));
    dir->descriptors = temp_dir_count_descriptors();
    dir->memory = memory_new();
    cr_assert_eq(io_posix_open(dir->memory, use_uring, &dir->io), STATUS_OK);
}

static inline int
temp_dir_remove(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Nothing may be left behind: no memory, no descriptor. */
static inline void
temp_dir_close(struct temp_dir *dir)
{
    io_close_all(dir->io);
    cr_assert_eq(memory_live_count(dir->memory), 0);
    memory_delete(dir->memory);
    cr_assert_eq(temp_dir_count_descriptors(), dir->descriptors);
    cr_assert_eq(nftw(dir->path, temp_dir_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path of a name in the folder; valid until the next call. */
static inline const char *
temp_dir_name(struct temp_dir *dir, const char *name)
{
    snprintf(dir->name, sizeof(dir->name), "%s/%s", dir->path, name);
    return dir->name;
}

static inline struct io_file *
temp_dir_file(struct temp_dir *dir, const char *name, uint32_t flags)
{
    struct io_file *file = NULL;

    cr_assert_eq(io_open(dir->io, temp_dir_name(dir, name), flags, &file), STATUS_OK);
    return file;
}

#endif
