/* What fuzz targets of migration's readers share: a disk, files on it, and reading a source twice. */
#ifndef TESTS_SUPPORT_FUZZ_READ_H
#define TESTS_SUPPORT_FUZZ_READ_H

#include "tools/qtdb-migrate/source.h"

/** Aborts unless it holds. */
void fuzz_require(bool holds);
void fuzz_write(struct io *io, const char *path, const uint8_t *bytes, size_t size);
/** Calls `run` with memory and a simulated disk of their own, unless there are no bytes; aborts when it leaves
 * memory behind. */
void fuzz_on_disk(void (*run)(const struct env *env, const uint8_t *data, size_t size),
                  const uint8_t *data, size_t size);
/**
 * Opens the source at `path`, reads it twice and converts every value to a type that holds it without a loss.
 * Aborts when it cannot be opened or read and does not say why, when the readings differ, or when it takes more
 * than 64 MiB, of which decompression may take a window of 32.
 */
void fuzz_source(const struct env *env, const struct source_kind *kind, const char *path,
                 bool rescue);

#endif
