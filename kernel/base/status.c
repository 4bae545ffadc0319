/* Names of statuses. They appear in log lines and in tools' output, so they are stable. */
#include "kernel/base/status.h"

#include <stddef.h>

static const char *const names[] = {
    [STATUS_OK] = "ok",
    [STATUS_NOT_FOUND] = "not_found",
    [STATUS_EXISTS] = "exists",
    [STATUS_FULL] = "full",
    [STATUS_BUSY] = "busy",
    [STATUS_CONFLICT] = "conflict",
    [STATUS_NO_MEMORY] = "no_memory",
    [STATUS_IO] = "io",
    [STATUS_CORRUPT] = "corrupt",
    [STATUS_VERSION] = "version",
    [STATUS_INVALID] = "invalid",
    [STATUS_FAILED] = "failed",
    [STATUS_MISSING] = "missing",
    [STATUS_READONLY] = "readonly",
    [STATUS_STOPPED] = "stopped",
};

const char *
status_name(enum status status)
{
    size_t index = (size_t)status;

    if (index >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[index];
}
