#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs golden cases of the command line.
#
#   run.sh check  QKDN CASE.cmd...   compares; exit 1 and a diff when something differs
#   run.sh update QKDN CASE.cmd...   writes what was printed as the new expectation
#
# A case <name>.cmd is shell text that calls `qkdn` as a user would. It runs in an empty scratch
# folder that contains links to scenarios/ and tests/ of the project, so it may write files freely.
# <name>.out holds its standard output, then its standard error under a line `-- stderr`, if any,
# then a last line `-- exit N`. What differs between two runs or machines is masked by mask.sed and,
# if there is one, by <name>.sed.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 3
root=$(cd "$here/../.." && pwd) || exit 3
mode=$1
qkdn=$2
shift 2
bin=$(mktemp -d) || exit 3
trap 'rm -rf "$bin"' EXIT
trap 'exit 3' INT TERM
ln -s "$qkdn" "$bin/qkdn"

# produce CASE: what the case prints, masked, on stdout.
produce() {
    case_file=$1
    scratch=$bin/scratch
    rm -rf "$scratch" && mkdir "$scratch" || return 3
    ln -s "$root/scenarios" "$scratch/scenarios"
    ln -s "$root/tests" "$scratch/tests"
    (cd "$scratch" && PATH="$bin:$PATH" LC_ALL=C TZ=UTC sh "$case_file" \
        </dev/null >"$bin/stdout" 2>"$bin/stderr")
    status=$?
    own=${case_file%.cmd}.sed
    [ -f "$own" ] || own=/dev/null
    {
        cat "$bin/stdout"
        if [ -s "$bin/stderr" ]; then
            echo "-- stderr"
            cat "$bin/stderr"
        fi
        echo "-- exit $status"
    } | sed -f "$here/mask.sed" | sed -f "$own"
}

failed=0
for given in "$@"; do
    folder=$(cd "$(dirname "$given")" && pwd) || exit 3
    case_file=$folder/$(basename "$given")
    expected=${case_file%.cmd}.out
    produce "$case_file" >"$bin/actual"
    if [ "$mode" = update ]; then
        cp "$bin/actual" "$expected"
    elif [ ! -f "$expected" ]; then
        echo "$given: no $expected; make it with the target golden-update and read it"
        failed=1
    elif ! diff -u "$expected" "$bin/actual"; then
        echo "$given: differs from its golden text (- expected, + now)"
        failed=1
    fi
done
exit $failed
