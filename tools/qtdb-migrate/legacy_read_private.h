/* What legacy_read.c and legacy_row.c share. */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_READ_PRIVATE_H
#define TOOLS_QTDB_MIGRATE_LEGACY_READ_PRIVATE_H

#include "tools/qtdb-migrate/legacy_read.h"

/** The fault for memory that could not be had; always false. */
bool legacy__no_memory(struct legacy_stream *stream);
/** A tag of at most `last`; `what` names it in the fault. */
bool legacy__variant(struct legacy_stream *stream, uint32_t last, const char *what, uint32_t *out);

#endif
