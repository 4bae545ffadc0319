/* timezone(), which is AT TIME ZONE: by name, abbreviation or offset. */
#include "executor/function.h"
#include "executor/interval.h"
#include "executor/zone.h"

static const int64_t SECOND_US = 1000000;

enum status
function_zone(const struct value *name, struct eval *eval, const struct zone **out)
{
    const char *word = (const char *)name->bytes, *zone = NULL;
    int32_t offset = 0;

    if (!zone_abbreviation(word, name->size, &offset, &zone))
        return zone_get(word, name->size, out, eval->error);
    return zone != NULL ? zone_get(zone, strlen(zone), out, eval->error)
                        : zone_fixed(offset, out, eval->error);
}

static enum status
give(const struct expr *expr, __int128 moment, struct eval *eval, struct value *out)
{
    if (moment > INT64_MAX || moment < INT64_MIN)
        return sql_error_set(eval->error, "22008", expr->location, "timestamp out of range");
    *out = value_integer(expr->type.type, (int64_t)moment);
    return STATUS_OK;
}

/* timezone(zone, timestamp) is a timestamptz, of a timestamptz a timestamp. */
static enum status
call_zone(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    const struct value *from = &arguments[1];
    const struct zone *zone = NULL;

    TRY(function_zone(&arguments[0], eval, &zone));
    bool to_moment = from->type == QTDB_TYPE_TIMESTAMP;
    int32_t offset =
        (to_moment ? zone_of_local(zone, from->integer) : zone_at(zone, from->integer)).offset;
    return give(expr, (__int128)from->integer + (to_moment ? -offset : offset) * SECOND_US, eval,
                out);
}

static enum status
call_offset(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct interval interval = interval_get(&arguments[0]);
    bool to_moment = arguments[1].type == QTDB_TYPE_TIMESTAMP;
    size_t size = 0;

    if (interval.months != 0 || interval.days != 0) {
        const char *text = interval_print(&arguments[0], eval->arena, &size);

        if (text == NULL)
            return STATUS_NO_MEMORY;
        return sql_error_set(eval->error, "22023", expr->location,
                             "interval time zone \"%s\" must not include months or days", text);
    }
    int64_t offset = interval.microseconds / SECOND_US * SECOND_US;
    return give(expr, (__int128)arguments[1].integer + (to_moment ? -offset : offset), eval, out);
}

#define STAMP QTDB_TYPE_TIMESTAMP
#define STAMPTZ QTDB_TYPE_TIMESTAMPTZ
#define SPAN QTDB_TYPE_INTERVAL
#define TEXT QTDB_TYPE_TEXT
#define TWO(left, right, result, call)                              \
    {                                                               \
        "timezone", 2, 2, {left, right}, result, false, false, call \
    }

const struct function function_zone_table[] = {
    TWO(TEXT, STAMPTZ, STAMP, call_zone),     TWO(TEXT, STAMP, STAMPTZ, call_zone),
    TWO(SPAN, STAMPTZ, STAMP, call_offset),   TWO(SPAN, STAMP, STAMPTZ, call_offset),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
