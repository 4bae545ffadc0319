#!/bin/sh
# Goal: what README.md shows is what a newcomer sees: its commands work, in their order, and print what stands
# below them.
#
# Method: every indented line that begins with "$ " is run, in a folder where build/bin and tests are those of this
# tree; the indented lines below it are compared with its output.
set -eu

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}
top=$PWD
cd "$TMPDIR"
mkdir build
ln -s "$(cd "$top" && cd "$QTDB_BIN" && pwd)" build/bin
ln -s "$top/tests" tests
unset NO_COLOR || :
LC_ALL=C
export LC_ALL
# The SQLite file that the README takes for granted, made of a dump so that no program of SQLite's is needed.
printf 'CREATE TABLE bills (id int PRIMARY KEY, amount numeric(8,2));\nINSERT INTO bills VALUES (1, 12.5), (2, 0.25);\n' |
    build/bin/qtdb bills.qtdb
build/bin/qtdb-migrate --quiet --to sqlite bills.qtdb old.sqlite

count=0
compare()
{
    [ -z "$command" ] || {
        sh -c "$command" >got 2>&1 </dev/null || fail "$command: $(cat got)"
        # A blank line ends a block of the README, and an output's own blank lines are indented by nothing.
        grep -v '^$' wanted >wanted.lines || :
        grep -v '^$' got >got.lines || :
        diff wanted.lines got.lines || fail "$command"
        count=$((count + 1))
    }
    command=
    : >wanted
}

command=
: >wanted
while IFS= read -r line; do
    case $line in
    '    $ '*)
        compare
        command=${line#'    $ '}
        ;;
    '    '*) printf '%s\n' "${line#'    '}" >>wanted ;;
    '') ;;
    *) compare ;;
    esac
done <"$top/README.md"
compare
[ "$count" -ge 10 ] || fail "only $count commands were found"
[ -s folder/old.bills.csv ] || fail "no CSV was written: $(ls -R folder)"
