/* The loop device of bench_device.h, made by the system's own programs. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/qtdb-bench/bench_device.h"

extern char **environ;

enum { UNMOUNT_TRIES = 50 };

/* Runs a program with its output thrown away; false unless it ended with 0. */
static bool
run(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    int state = 0;
    pid_t pid;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int code = posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments,
                            environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        return false;
    while (waitpid(pid, &state, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

static bool
make_image(const struct bench_device *device, uint64_t size)
{
    int fd = open(device->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && ftruncate(fd, (off_t)size) == 0;

    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* What a killed run left mounted: with our image beside it, and no longer of the directory's file system. */
static bool
unmount_old(const struct bench_device *device, const char *dir)
{
    const char *const umount[] = {"umount", device->mount, NULL};
    const struct timespec pause = {.tv_nsec = 100000000};
    struct stat above, there;

    for (int tries = 0; tries < UNMOUNT_TRIES; tries++) {
        if (access(device->image, F_OK) != 0 || stat(dir, &above) != 0 ||
            stat(device->mount, &there) != 0 || above.st_dev == there.st_dev)
            return true;
        /* The killed run's last process may still have files open. */
        if (!run(umount))
            (void)nanosleep(&pause, NULL);
    }
    return false;
}

bool
bench_device_may(void)
{
    return geteuid() == 0;
}

bool
bench_device_open(struct bench_device *device, const char *dir, uint64_t size, char *why,
                  size_t why_size)
{
    const char *const format[] = {"mkfs.ext4", "-q", "-F", device->image, NULL};
    const char *const mount[] = {"mount", "-o", "loop", device->image, device->mount, NULL};

    *device = (struct bench_device){.open = false};
    if (!bench_device_may()) {
        (void)snprintf(why, why_size, "a loop device needs root");
        return false;
    }
    if (snprintf(device->image, sizeof(device->image), "%s/device.img", dir) >=
            (int)sizeof(device->image) ||
        snprintf(device->mount, sizeof(device->mount), "%s/device", dir) >=
            (int)sizeof(device->mount)) {
        (void)snprintf(why, why_size, "the name of --dir is too long");
        return false;
    }
    (void)mkdir(device->mount, 0755);
    if (!unmount_old(device, dir)) {
        (void)snprintf(why, why_size, "%s is still mounted and in use", device->mount);
        return false;
    }
    if (!make_image(device, size))
        (void)snprintf(why, why_size, "%s: %s", device->image, strerror(errno));
    else if (!run(format))
        (void)snprintf(why, why_size, "mkfs.ext4 refuses %s", device->image);
    else if (!run(mount))
        (void)snprintf(why, why_size, "mount of a loop device is refused");
    else
        device->open = true;
    if (!device->open)
        bench_device_close(device);
    return device->open;
}

void
bench_device_close(struct bench_device *device)
{
    const char *const umount[] = {"umount", device->mount, NULL};

    if (device->open && !run(umount))
        (void)fprintf(stderr, "%s stays mounted: umount refused it\n", device->mount);
    device->open = false;
    (void)rmdir(device->mount);
    (void)unlink(device->image);
}
