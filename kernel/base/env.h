/* What every part of the engine is handed: its allocator and its outside world. Borrowed. */
#ifndef KERNEL_BASE_ENV_H
#define KERNEL_BASE_ENV_H

#include "kernel/base/io.h"
#include "kernel/base/memory.h"

struct env {
    struct memory *memory;
    struct io *io;
};

#endif
