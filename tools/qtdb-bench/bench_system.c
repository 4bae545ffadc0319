/* Counters, directories and the machine of bench_system.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_system.h"

enum { WALK_FILES = 16, LINE_SIZE = 512, SECTOR_SIZE = 512 };

/* A run is disturbed when others used more than this much of a processor, or wrote this much. */
#define OTHERS_CPU_MAX 0.25
#define OTHERS_DISK_MAX 2e6

static double
read_all_cpu(void)
{
    unsigned long long user, nice, system, idle, wait, irq, soft, steal;
    FILE *file = fopen("/proc/stat", "r");
    double seconds = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
               &wait, &irq, &soft, &steal) == 8)
        seconds =
            (double)(user + nice + system + irq + soft + steal) / (double)sysconf(_SC_CLK_TCK);
    (void)fclose(file);
    return seconds;
}

static double
read_own_cpu(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t
read_disk(const char *dir)
{
    unsigned long long reads, merged, read_sectors, read_ms, writes, write_merged, write_sectors;
    unsigned int major_number, minor_number;
    char line[LINE_SIZE], name[64];
    uint64_t size = 0;
    struct stat info;
    FILE *file = fopen("/proc/diskstats", "r");

    if (file == NULL)
        return 0;
    bool known = stat(dir, &info) == 0;
    while (known && size == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%u %u %63s %llu %llu %llu %llu %llu %llu %llu", &major_number,
                   &minor_number, name, &reads, &merged, &read_sectors, &read_ms, &writes,
                   &write_merged, &write_sectors) == 10 &&
            makedev(major_number, minor_number) == info.st_dev)
            size = write_sectors * SECTOR_SIZE;
    }
    (void)fclose(file);
    return size;
}

void
bench_counters_read(const char *dir, struct bench_counters *out)
{
    out->time_ns = tool_clock_ns();
    out->own_cpu = read_own_cpu();
    out->all_cpu = read_all_cpu();
    out->disk_size = read_disk(dir);
}

void
bench_counters_judge(const struct bench_counters *before, const struct bench_counters *after,
                     bool own_device, struct bench_outcome *outcome)
{
    double seconds = (double)(after->time_ns - before->time_ns) / 1e9;
    double cpu = (after->all_cpu - before->all_cpu) - (after->own_cpu - before->own_cpu);
    double own = (double)outcome->process_size;
    double disk = (double)(after->disk_size - before->disk_size) - own;

    if (seconds <= 0)
        return;
    if (own_device) {
        uint64_t base = outcome->device_base > 0 ? outcome->device_base : before->disk_size;

        outcome->device_size = after->disk_size - base;
        disk = 0;
    }
    outcome->others_cpu = cpu > 0 ? cpu / seconds : 0;
    outcome->others_disk = disk > 0 ? disk / seconds : 0;
    /* The file system's own writing for us is at most about as much again. */
    outcome->disturbed = outcome->others_cpu > OTHERS_CPU_MAX ||
                         (outcome->others_disk > OTHERS_DISK_MAX && disk > own);
}

void
bench_process_written(uint64_t *write_out, uint64_t *process_out)
{
    unsigned long long value;
    char line[LINE_SIZE];
    FILE *file = fopen("/proc/self/io", "r");

    *write_out = 0;
    *process_out = 0;
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "wchar: %llu", &value) == 1)
            *write_out = value;
        else if (sscanf(line, "write_bytes: %llu", &value) == 1)
            *process_out = value;
    }
    (void)fclose(file);
}

/* Directories. nftw has no argument for its callback, hence a thread's own sum. */

static _Thread_local uint64_t walk_size;

static int
add_size(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)path;
    (void)where;
    if (kind == FTW_F)
        walk_size += (uint64_t)info->st_blocks * SECTOR_SIZE;
    return 0;
}

uint64_t
bench_dir_size(const char *dir)
{
    walk_size = 0;
    (void)nftw(dir, add_size, WALK_FILES, FTW_PHYS);
    return walk_size;
}

struct largest {
    uint64_t size;
    char *path;
    size_t room;
};

static _Thread_local struct largest walk_largest;

static int
note_largest(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    struct largest *largest = &walk_largest;

    (void)where;
    if (kind == FTW_F && (uint64_t)info->st_size > largest->size &&
        snprintf(largest->path, largest->room, "%s", path) < (int)largest->room)
        largest->size = (uint64_t)info->st_size;
    return 0;
}

enum status
bench_dir_largest(const char *dir, char *out, size_t size)
{
    walk_largest = (struct largest){.path = out, .room = size};
    (void)nftw(dir, note_largest, WALK_FILES, FTW_PHYS);
    return walk_largest.size > 0 ? STATUS_OK
                                 : error_raise(STATUS_NOT_FOUND, "there is no file in %s", dir);
}

uint64_t
bench_dir_room(const char *dir)
{
    struct statvfs info;

    return statvfs(dir, &info) == 0 ? (uint64_t)info.f_bavail * info.f_frsize : UINT64_MAX;
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

enum status
bench_dir_remove(const char *dir)
{
    if (access(dir, F_OK) != 0)
        return STATUS_OK;
    if (nftw(dir, remove_one, WALK_FILES, FTW_PHYS | FTW_DEPTH) != 0)
        return error_raise(STATUS_IO, "%s cannot be removed: %s", dir, strerror(errno));
    return STATUS_OK;
}

enum status
bench_dir_make(const char *dir)
{
    char path[BENCH_PATH_SIZE];
    int code = 0; /* Of the first that is missing and could not be made: it is the reason. */

    (void)snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0755) != 0 ? errno : 0;

        if (failed != 0 && code == 0 && access(path, F_OK) != 0)
            code = failed;
        *slash = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return error_raise(STATUS_IO, "%s cannot be made: %s", dir,
                           strerror(code != 0 ? code : errno));
    return STATUS_OK;
}

static int
forget_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)where;
    int fd = kind == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fdatasync(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
    }
    return 0;
}

void
bench_dir_forget(const char *dir)
{
    (void)nftw(dir, forget_one, WALK_FILES, FTW_PHYS);
}

void
bench_dir_flush(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)syncfs(fd);
    (void)close(fd);
}
