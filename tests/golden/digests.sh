#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Trace digests of the shipped scenarios: the same in every build, on every processor.
#
#   digests.sh check  QKDN [LIST]   runs each line of LIST and compares; exit 1 if one differs
#   digests.sh quick  QKDN [LIST]   the same without the lines that end in `slow`
#   digests.sh planted QKDN         shows that a wrong digest and a missing scenario are found
#   digests.sh update QKDN [LIST]   writes the digests of today
#
# LIST (default: digests.txt beside this script) has lines `scenario engine until digest`. A change
# of behaviour changes digests: `cmake --build build/dev --target golden-update` rewrites them. What
# may never happen is that two builds of one source disagree; builds.sh proves it for many of them.
# Every shipped scenario must have a line for each engine that can run it; a build without SimGrid
# passes over the lines of simgrid.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 3
root=$(cd "$here/../.." && pwd) || exit 3
mode=$1
case $2 in /*) qkdn=$2 ;; *) qkdn=$PWD/$2 ;; esac
list=${3:-$here/digests.txt}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 3

if [ "$mode" = planted ]; then
    sed 's/^\(scenarios.line-3.yaml fast [^ ]* \).*/\10123456789abcdef/; /^scenarios.line-3.yaml fast/!s/[^ ]*$/& slow/' \
        "$list" | grep -v '^scenarios/tokyo-2010.yaml fast' >"$work/planted"
    sh "$here/digests.sh" quick "$qkdn" "$work/planted" >"$work/report" && exit 1
    grep -q '^scenarios/line-3.yaml fast until .*: digest .* expected 0123456789abcdef' "$work/report" &&
        grep -q '^scenarios/tokyo-2010.yaml: no line for fast' "$work/report" &&
        [ "$(wc -l <"$work/report")" -eq 2 ] && exit 0
    cat "$work/report"
    exit 1
fi
failed=0
: >"$work/list"

while read -r scenario engine until digest slow; do
    case $scenario in '' | \#*)
        echo "$scenario $engine $until $digest $slow" | sed 's/ *$//' >>"$work/list"
        continue ;;
    esac
    [ "$mode" = quick ] && [ -n "$slow" ] && continue
    "$qkdn" run "$scenario" --engine "$engine" --until "$until" --json >"$work/json" 2>"$work/errors"
    status=$?
    if grep -q 'not in this build' "$work/errors"; then
        echo "$scenario $engine $until $digest${slow:+ $slow}" >>"$work/list"
        continue
    fi
    now=$(sed -n 's/.*"trace_digest": "\([0-9a-f]*\)".*/\1/p' "$work/json")
    if [ $status -gt 1 ] || [ -z "$now" ]; then # 1: an expectation failed, as after a short run
        echo "$scenario $engine: exit $status"
        cat "$work/errors"
        failed=1
    elif [ "$mode" != update ] && [ "$now" != "$digest" ]; then
        echo "$scenario $engine until $until: digest $now, expected $digest"
        failed=1
    fi
    echo "$scenario $engine $until $now${slow:+ $slow}" >>"$work/list"
done <"$list"

# Nothing that is shipped may be left out.
for scenario in scenarios/*.yaml scenarios/*/*.yaml; do
    grep -q '^scenario:' "$scenario" || continue # a part that others include
    for engine in fast simgrid; do
        if ! grep -q "^$scenario $engine " "$list" && ! grep -q "^# no $engine: $scenario" "$list"; then
            echo "$scenario: no line for $engine in $(basename "$list")"
            failed=1
        fi
    done
done
if [ "$mode" = update ] && [ $failed -eq 0 ]; then
    cp "$work/list" "$list"
fi
exit $failed
