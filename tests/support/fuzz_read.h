/* What fuzz targets of migration's readers share: files, and reading a source twice. */
#ifndef TESTS_SUPPORT_FUZZ_READ_H
#define TESTS_SUPPORT_FUZZ_READ_H

#include "tools/qtdb-migrate/source.h"

/** Aborts unless it holds. */
void fuzz_require(bool holds);
void fuzz_write(struct io *io, const char *path, const uint8_t *bytes, size_t size);
/** Reads an open source twice and converts every value to a type that holds it without a loss; aborts when the
 * readings differ, or when one fails without saying why. */
void fuzz_read_twice(struct source *source);

#endif
