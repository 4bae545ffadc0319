#!/bin/sh
# Goal: .models lists the tree of each table and index with the router that was asked for and the one there is.
#
# Method: a table with a model index and enough rows for a router; columns that depend on the machine are left out.
set -eu

work=$TMPDIR
db=$work/a.qtdb
unset NO_COLOR || :
LC_ALL=C
export LC_ALL

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

"$QTDB_BIN/qtdb" "$db" "CREATE TABLE t (id int PRIMARY KEY, x bigint);
    CREATE INDEX t_rmi ON t USING rmi (x);
    CREATE INDEX t_tree ON t USING btree (x);
    INSERT INTO t SELECT g, g * 7 FROM generate_series(1, 20000) g;
    CREATE SCHEMA s; CREATE TABLE s.u (a text)"
printf '.models\n' | "$QTDB_BIN/qtdb" --csv "$db" | tr -d '\r' >"$work/all"
head -n 1 "$work/all" | grep -q '^schema,table,index,router,used,reason,keys,leaves,bytes,models,error_p50,error_p99,error_max,routed,by_tree,hops,fallbacks$' ||
    fail "columns: $(head -n 1 "$work/all")"
cut -d, -f1-4 "$work/all" | tail -n +2 >"$work/got"
cat >"$work/expected" <<'END'
public,t,,auto
public,t,t_rmi,rmi
public,t,t_tree,auto
s,u,,auto
END
diff "$work/expected" "$work/got" || fail "the trees"
for field in 5 6; do
    [ -z "$(tail -n +2 "$work/all" | cut -d, -f$field | grep -v '[a-z]')" ] || fail "field $field: $(cat "$work/all")"
done
# In a database without tables there is nothing to list.
printf '.models\n' | "$QTDB_BIN/qtdb" "$work/b.qtdb" >"$work/got"
[ ! -s "$work/got" ] || fail "an empty database: $(cat "$work/got")"
echo "shell_models: ok"
