/* JSON texts: validation by RFC 8259 with a depth limit. Pure; thread-safe. */
#ifndef EXECUTOR_JSON_H
#define EXECUTOR_JSON_H

#include "executor/parse.h"

enum { JSON_DEPTH_MAX = 1000 };

/** 22P02 with the offset in the message when the text is not one JSON value. */
MUST_CHECK enum status json_validate(const char *text, size_t size, struct sql_error *error);

#endif
