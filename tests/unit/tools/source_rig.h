/* Sources of any kind in tests: what they hold, as text. */
#ifndef TESTS_UNIT_TOOLS_SOURCE_RIG_H
#define TESTS_UNIT_TOOLS_SOURCE_RIG_H

#include "tests/unit/tools/legacy_rig.h"
#include "tools/qtdb-migrate/source.h"

/**
 * Tables and rows, from malloc: "schema.table(name TYPE, ...)" a line, then its rows "value|value", nulls
 * as NULL and losses in brackets behind their value; "!FAULT" when refused. Every table is read twice
 * and has to be the same.
 */
char *source_rig_dump(struct legacy_rig *rig, const char *path,
                      const struct source_options *options);
/** The same of a file NAME with this content; checks that the result is `expected`. */
void source_rig_expect(struct legacy_rig *rig, const char *name, const char *content,
                       const struct source_options *options, const char *expected);
/** Fails each allocation of opening and reading once: a refusal each time and no leak. */
void source_rig_starve(struct legacy_rig *rig, const char *path);

#endif
