/* Whether a text is one JSON value (RFC 8259). Without recursion; pure. */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_JSON_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum { MIGRATE_JSON_DEPTH_MAX = 512 };

bool migrate_json_is_valid(const char *text, size_t size);

#endif
