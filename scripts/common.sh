# Shell functions that the scripts share; sourced, never run.

# Milliseconds since some fixed instant.
now_ms()
{
    date +%s%3N
}

# "1.23" from 1234 milliseconds.
seconds()
{
    printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10))
}

# The folders that hold C sources, lowest layer first, as far as they exist.
source_folders()
{
    for folder in kernel wal pager btree learned executor tools tests bench; do
        [ -d "$folder" ] && echo "$folder"
    done
    return 0
}

# All C sources and headers, or only those in the named folders.
c_files()
{
    [ $# -gt 0 ] || set -- $(source_folders)
    [ $# -gt 0 ] || return 0
    find "$@" -name '*.[ch]' -type f | sort
}

# All text files of the tree that people write.
text_files()
{
    find . \( -path ./build -o -path ./.git -o -path './tests/*/corpus' -o -path ./tests/sql \) \
        -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.md' -o -name '*.sh' -o -name '*.mk' -o -name Makefile \
        -o -name '*.map' -o -path './scripts/*' -o -path './.ci/*' \) -print | sort
}

# Stops a check: prints the report, if there is one, and exits 1.
finish()
{
    if [ -n "$1" ]; then
        printf '%s\n' "$1"
        exit 1
    fi
    exit 0
}

# The first of the named programs that is installed.
first_program()
{
    for program in "$@"; do
        if command -v "$program" >/dev/null 2>&1; then
            echo "$program"
            return 0
        fi
    done
    echo "$1 is not installed: run 'make deps-check'" >&2
    return 1
}
