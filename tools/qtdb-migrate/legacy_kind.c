/* The predecessor's files as a kind of source (source.h). */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/legacy_source.h"

static enum status
open_legacy(struct source *source)
{
    struct legacy_source *legacy = memory_alloc(source->env.memory, MEMORY_OTHER, sizeof(*legacy));

    if (legacy == NULL)
        return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
    source->state = legacy;
    enum status status = legacy_source_open(&source->env, source->path, source->options, legacy);
    source->plan = &legacy->plan;
    source->size = legacy->size;
    (void)snprintf(source->remark, sizeof(source->remark), "%s", legacy->remark);
    if (legacy->path[0] != '\0')
        (void)snprintf(source->path, sizeof(source->path), "%s", legacy->path);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s",
                           legacy->fault[0] != '\0' ? legacy->fault : status_name(status));
    return STATUS_OK;
}

static void
close_legacy(struct source *source)
{
    struct legacy_source *legacy = source->state;

    if (legacy == NULL)
        return;
    legacy_source_close(legacy);
    memory_free(source->env.memory, MEMORY_OTHER, legacy, sizeof(*legacy));
    source->plan = &source->own;
    source->state = NULL;
}

static enum status
read_legacy(struct source *source, const struct source_visitor *visitor)
{
    struct legacy_source *legacy = source->state;
    enum status status = legacy_source_read(legacy, visitor);

    if (status != STATUS_OK && legacy->fault[0] != '\0')
        (void)snprintf(source->fault, sizeof(source->fault), "%s", legacy->fault);
    return status;
}

const struct source_kind source_legacy = {
    .name = "legacy",
    .title = "legacy",
    .open = open_legacy,
    .close = close_legacy,
    .read = read_legacy,
};
