/* The machine that a figure belongs to, and how fast its disk acknowledges a write. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tools/qtdb-bench/bench_system.h"

enum { PROBES = 64, BLOCK = 4096, LINE_SIZE = 512 };

static int
compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

/* Median microseconds; 0 when the file refuses. `again` overwrites blocks that were written before. */
static double
probe(const char *path, bool again, uint8_t *block)
{
    uint64_t times[PROBES];
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (again ? O_DIRECT | O_DSYNC : O_APPEND);
    int fd = open(path, flags, 0644);
    bool ok = fd >= 0;

    for (int i = 0; i < PROBES && ok; i++) {
        uint64_t begin = tool_clock_ns();

        ok = again ? pwrite(fd, block, BLOCK, (off_t)i * BLOCK) == BLOCK
                   : write(fd, block, BLOCK) == BLOCK && fdatasync(fd) == 0;
        times[i] = tool_clock_ns() - begin;
    }
    if (fd >= 0)
        (void)close(fd);
    if (!ok)
        return 0;
    qsort(times, PROBES, sizeof(times[0]), compare);
    size_t middle = PROBES / 2;
    return (double)times[middle] / 1e3;
}

static void
read_line(const char *path, const char *key, char *out, size_t size)
{
    char line[LINE_SIZE];
    FILE *file = fopen(path, "r");

    (void)snprintf(out, size, "unknown");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');

        if (strncmp(line, key, strlen(key)) != 0 || colon == NULL)
            continue;
        colon += strspn(colon, ": \t");
        (void)snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    (void)fclose(file);
}

static const char *
file_system_name(const char *dir)
{
    struct statfs info;

    if (statfs(dir, &info) != 0)
        return "unknown";
    switch ((unsigned long)info.f_type) {
    case 0xef53:
        return "ext4";
    case 0x58465342:
        return "xfs";
    case 0x9123683e:
        return "btrfs";
    case 0x01021994:
        return "tmpfs";
    case 0x794c7630:
        return "overlay";
    default:
        return "other";
    }
}

/* The least memory.max on the way from the process's own group to the root (version 2 only). */
static uint64_t
memory_limit(void)
{
    char group[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 64];
    uint64_t least = 0;

    read_line("/proc/self/cgroup", "0:", group, sizeof(group));
    /* "0::/a/b": read_line leaves "/a/b". */
    if (group[0] != '/')
        return 0;
    for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
        unsigned long long limit;

        *end = '\0';
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fscanf(file, "%llu", &limit) == 1 && (least == 0 || limit < least))
            least = limit;
        (void)fclose(file);
    }
    return least;
}

void
bench_machine_read(const char *dir, struct bench_machine *out)
{
    static _Alignas(BLOCK) uint8_t block[BLOCK];
    struct utsname names;
    char path[BENCH_PATH_SIZE];

    *out = (struct bench_machine){.cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN)};
    out->memory_size = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    out->memory_limit = memory_limit();
    if (uname(&names) == 0) {
        (void)snprintf(out->host, sizeof(out->host), "%s", names.nodename);
        (void)snprintf(out->kernel, sizeof(out->kernel), "%s %s", names.sysname, names.release);
    }
    read_line("/proc/cpuinfo", "model name", out->cpu, sizeof(out->cpu));
    (void)snprintf(out->file_system, sizeof(out->file_system), "%s", file_system_name(dir));
    (void)snprintf(path, sizeof(path), "%s/probe", dir);
    out->append_us = probe(path, false, block);
    out->durable_us = probe(path, true, block);
    (void)unlink(path);
}

void
bench_commit_read(char *out, size_t size)
{
    /* A fixed command without any argument from outside. */
    FILE *git = popen("git rev-parse --short=12 HEAD 2>/dev/null", "re"); /* NOLINT(cert-env33-c) */

    if (git == NULL || fgets(out, (int)size, git) == NULL)
        (void)snprintf(out, size, "unknown");
    out[strcspn(out, "\n")] = '\0';
    if (git != NULL)
        (void)pclose(git);
}
