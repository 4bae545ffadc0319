/*
 * Aggregates of pairs (y, x): covariances, correlation, regressions. Sums by Youngs and Cramer's running formula, in
 * PostgreSQL's order of operations, so that the last digits are its own.
 */
#include <math.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct sums {
    double count;
    double x, xx, y, yy, xy;
};

static void
add_pair(struct sums *sums, double y, double x)
{
    double before = sums->count;

    sums->count += 1;
    sums->x += x;
    sums->y += y;
    if (before > 0) {
        double step_x = x * sums->count - sums->x, step_y = y * sums->count - sums->y;
        double scale = 1.0 / (sums->count * before);

        sums->xx += step_x * step_x * scale;
        sums->yy += step_y * step_y * scale;
        sums->xy += step_x * step_y * scale;
        return;
    }
    if (!isfinite(x))
        sums->xx = sums->xy = NAN;
    if (!isfinite(y))
        sums->yy = sums->xy = NAN;
}

/* False: null. */
static bool
finish(enum rel_aggregate_kind kind, const struct sums *sums, double *out)
{
    bool flat_x = sums->xx == 0, flat_y = sums->yy == 0;

    switch (kind) {
    case REL_REGR_SXX:
        *out = sums->xx;
        return true;
    case REL_REGR_SYY:
        *out = sums->yy;
        return true;
    case REL_REGR_SXY:
        *out = sums->xy;
        return true;
    case REL_REGR_AVERAGE_X:
        *out = sums->x / sums->count;
        return true;
    case REL_REGR_AVERAGE_Y:
        *out = sums->y / sums->count;
        return true;
    case REL_COVARIANCE:
        *out = sums->xy / sums->count;
        return true;
    case REL_COVARIANCE_SAMPLE:
        *out = sums->xy / (sums->count - 1);
        return sums->count > 1;
    case REL_CORRELATION:
        *out = sums->xy / sqrt(sums->xx * sums->yy);
        return !flat_x && !flat_y;
    case REL_REGR_R2:
        *out = flat_y ? 1 : (sums->xy * sums->xy) / (sums->xx * sums->yy);
        return !flat_x;
    case REL_REGR_SLOPE:
        *out = sums->xy / sums->xx;
        return !flat_x;
    default:
        CHECK(kind == REL_REGR_INTERCEPT);
        *out = (sums->y - sums->x * sums->xy / sums->xx) / sums->count;
        return !flat_x;
    }
}

enum status
aggregate_of_pairs(const struct rel_aggregate *call, struct eval *eval,
                   const struct exec_rows *rows, struct value *out)
{
    struct sums sums = {.count = 0};
    bool infinite = false;
    double real = 0;

    for (size_t i = 0; i < rows->count; i++) {
        double y = rows->rows[i][0].real, x = rows->rows[i][1].real;

        infinite = infinite || !isfinite(x) || !isfinite(y);
        add_pair(&sums, y, x);
    }
    if (!infinite && !(isfinite(sums.x) && isfinite(sums.y) && isfinite(sums.xx) &&
                       isfinite(sums.yy) && isfinite(sums.xy)))
        return sql_error_set(eval->error, "22003", -1, "value out of range: overflow");
    *out = value_null(QTDB_TYPE_FLOAT8);
    if (finish(call->kind, &sums, &real))
        *out = value_real(QTDB_TYPE_FLOAT8, real);
    return STATUS_OK;
}
