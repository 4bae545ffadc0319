/* An environment, a folder for files, and the sample directory of legacy-make, for tests of the reader. */
#ifndef TESTS_UNIT_TOOLS_LEGACY_RIG_H
#define TESTS_UNIT_TOOLS_LEGACY_RIG_H

#include "tools/legacy-make/make.h"
#include "tools/qtdb-migrate/legacy_source.h"

struct legacy_rig {
    struct env env;
    char folder[512];
};

void legacy_rig_init(struct legacy_rig *rig);
/** Removes the folder; a leak stops the test. */
void legacy_rig_deinit(struct legacy_rig *rig);

/** FOLDER/NAME, in a buffer that the fourth next call takes again. */
const char *legacy_rig_path(const struct legacy_rig *rig, const char *name);
/** Makes the sample directory of one generation in FOLDER. */
void legacy_rig_sample(struct legacy_rig *rig, char generation, bool create);
/** Whole files, from malloc. */
unsigned char *legacy_rig_read(const char *path, size_t *size_out);
void legacy_rig_write(const char *path, const void *bytes, size_t size);

/** All live rows, "schema.table: value|value" a line, in order, from malloc; "!FAULT" when refused. */
char *legacy_rig_dump(struct legacy_rig *rig, const char *path,
                      const struct source_options *options);

#endif
