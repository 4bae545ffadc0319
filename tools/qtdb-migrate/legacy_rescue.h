/*
 * Damaged legacy files, read as far as they can be. Nothing in the format marks where a record begins, so what
 * follows damage is found by what it is:
 *
 *    strictly, until the first fault     everything: databases, tables, rows, sequences, enum types, views, users
 *    from there on, at each byte         a row of the open table: as many values as it has columns, not all null
 *                                        (right behind a row of a table without damage: any row)
 *                                        a table: its name twice, as key and in the record, and a valid head
 *                                        a database: its name twice, a number of tables, and the first of them
 *
 * What is passed over is told as damage, a stretch of bytes at a time. Behind damage sequences are told where
 * they follow the last row; enum types, views, users and grants are not looked for.
 *
 * A look at a byte reads at most LOOK_SIZE bytes further, and little when looks have cost too much, so that no
 * file makes the work more than linear. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_RESCUE_H
#define TOOLS_QTDB_MIGRATE_LEGACY_RESCUE_H

#include "tools/qtdb-migrate/legacy_read.h"

/** legacy_read for damaged files: `damage` of the visitor is called, and damage is no failure. */
MUST_CHECK enum status legacy_rescue(struct legacy_stream *stream, const struct legacy_form *form,
                                     const struct legacy_visitor *visitor);

/** The form in which most rows can be rescued; STATUS_CORRUPT when no table is found in any. */
MUST_CHECK enum status legacy_rescue_detect(struct legacy_stream *stream, struct legacy_form *out);

#endif
