#!/bin/sh
# Goal: the steps of `make demo` work and leave what they promise.
#
# Method: scripts/demo itself, with a small measurement.
set -eu

DEMO_OUT=$TMPDIR/demo DEMO_SIZES=300 scripts/demo >"$TMPDIR/output" 2>&1 || {
    cat "$TMPDIR/output"
    exit 1
}
grep -q "geo.cities: 20000 rows, verified" "$TMPDIR/output"
grep -q "Shanghai" "$TMPDIR/output"
grep -qE '^load 300 rows +[0-9.]+x' "$TMPDIR/output"
grep -q "</svg>" "$TMPDIR/demo/report.html"
grep -q '"verified": true' "$TMPDIR/demo/migrate.json"
