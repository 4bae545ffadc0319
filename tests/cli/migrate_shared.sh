#!/bin/sh
# Goal: the predecessor's own files, converted, hold what it says they hold.
#
# Method: $QTDB_SHARED/legacy, generations A to C: a clean snapshot, a crash with a log to be replayed,
# and the older one-database file. The contents are those of its expected_*.json (which
# tests/unit/tools/test_legacy_samples.c compares record by record).
set -eu

samples=${QTDB_SHARED:-}/legacy
if [ ! -d "$samples/gA" ]; then
    echo "skip: QTDB_SHARED names no folder with legacy/gA"
    exit 77
fi
work=$TMPDIR
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# @ stands for a tab.
tr @ '\t' >"$work/clean" <<'END'
id,si,i,r,n,t,vc,c,b,d,ts,tz,u,j,jb,by,m,bs
1,-2,-9223372036854775807,-0.1,-12345678901234567890.1200,"quote's, ""q"", tab@, nl
, юникод 🙂",vc,ab   ,t,2025-11-28,2025-01-15 10:30:00.250001,1969-12-31 23:59:59+00,550e8400-e29b-41d4-a716-446655440000,"{""a"": [1,2]}",{},\x000102ff,so-so,1
3,,,,,,,,,,,,,,,,,3
4,-2,7,1.5,5,2025-01-15,vc,ab   ,t,12025-01-15,0044-03-15 00:00:00 BC,1969-12-31 23:59:59+00,550e8400-e29b-41d4-a716-446655440000,"{""a"": [1,2]}",{},\x616263,so-so,4
id,parent
END
cat >"$work/crash" <<'END'
id,name
1,u1-new
3,u3
4,u4
5,u5
6,6.5
END
cat >"$work/legacy_main" <<'END'
id
7
END

for generation in A B C; do
    for kind in clean crash legacy_main; do
        case $kind in
        clean) sql='SELECT * FROM shop.all_types ORDER BY id; SELECT * FROM shop.child;' ;;
        crash) sql='SELECT * FROM postgres.users ORDER BY id;' ;;
        legacy_main) sql='SELECT * FROM main.t;' ;;
        esac
        target=$work/$generation-$kind.qtdb
        "$QTDB_BIN/qtdb-migrate" "$samples/g$generation/$kind" "$target" >"$work/summary"
        grep -q "generation $generation" "$work/summary" || fail "$generation $kind: generation"
        grep -q "every table verified" "$work/summary" || fail "$generation $kind: not verified"
        "$QTDB_BIN/qtdb" --csv --readonly "$target" "$sql" >"$work/got"
        diff "$work/$kind" "$work/got" || fail "$generation $kind: other rows"
    done
    grep -q "torn tail" "$work/summary" && fail "legacy_main has no torn tail"
done
exit 0
