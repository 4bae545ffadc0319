#!/bin/sh
# Goal: the steps of `make demo` work and leave what they promise.
#
# Method: scripts/demo itself, with a small measurement.
set -eu

DEMO_OUT=$TMPDIR/demo DEMO_SIZES=300 DEMO_CITIES=200 scripts/demo >"$TMPDIR/output" 2>&1 || {
    cat "$TMPDIR/output"
    exit 1
}
grep -q "geo.cities: 20000 rows, verified" "$TMPDIR/output"
grep -q "Shanghai" "$TMPDIR/output"
number='[0-9.]+x +'
for line in "load 300 rows" "100 updates of 300 rows, singly" "100 updates of 300 rows, together" "load 200 cities"; do
    grep -qE "^$line +${number}([0-9.]+x|-) +([0-9.]+x|-) +${number}[0-9.]+x$" "$TMPDIR/output"
done
# Where root may have a loop device, its bytes stand in a table of their own.
if [ "$(id -u)" = 0 ] && ! grep -q "not measured here" "$TMPDIR/output"; then
    [ "$(grep -cE '^load 300 rows ' "$TMPDIR/output")" = 2 ]
    grep -q "at the block device" "$TMPDIR/demo/report.html"
fi
[ ! -e "$TMPDIR/demo/disk.img" ]
grep -q "</svg>" "$TMPDIR/demo/report.html"
[ "$(grep -c "<svg xmlns" "$TMPDIR/demo/chart.svg")" = 1 ] && [ "$(tail -n 1 "$TMPDIR/demo/chart.svg")" = "</svg>" ]
grep -q '"verified": true' "$TMPDIR/demo/migrate.json"
