/* See back_file.h. */
#include "tools/qtdb-migrate/back_file.h"

#include <errno.h>
#include <string.h>

static void
note_failure(struct back_file *file)
{
    if (file->failed)
        return;
    file->failed = true;
    (void)snprintf(file->fault, sizeof(file->fault), "%s", error_message());
}

/* Called by the stream; 0 says that it failed. */
static ssize_t
write_piece(void *cookie, const char *bytes, size_t size)
{
    struct back_file *file = cookie;

    if (file->failed || io_write(file->file, bytes, size, file->offset, 0) != STATUS_OK) {
        note_failure(file);
        errno = EIO;
        return 0;
    }
    file->offset += size;
    return (ssize_t)size;
}

enum status
back_file_open(struct back *back, const char *path, struct back_file *out)
{
    static const cookie_io_functions_t functions = {.write = write_piece};

    *out = (struct back_file){.back = back};
    enum status status =
        io_open(back->env.io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &out->file);
    if (status != STATUS_OK)
        return back_fail(back, status, "%s", error_message());
    out->stream = fopencookie(out, "w", functions);
    if (out->stream != NULL)
        return STATUS_OK;
    io_close(out->file);
    return back_fail(back, STATUS_NO_MEMORY, "%s: no memory for a stream", path);
}

enum status
back_file_failed(struct back_file *file)
{
    if (!file->failed)
        return back_fail(file->back, STATUS_NO_MEMORY, "out of memory");
    return back_fail(file->back, STATUS_IO, "%s", file->fault);
}

enum status
back_file_close(struct back_file *file, enum status status)
{
    bool flushed = fclose(file->stream) == 0;

    if (status == STATUS_OK && flushed && io_sync(file->file) != STATUS_OK)
        note_failure(file);
    io_close(file->file);
    if (file->failed || (status == STATUS_OK && !flushed))
        return back_file_failed(file);
    return status;
}
