#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make lint` does: layout (clang-format), static analysis (clang-tidy), tidy tests (CTest).
# Every step runs even if an earlier one fails. A source that clang-tidy found clean is not looked
# at again until it, any header or the settings change (marks in build/lint).
#   lint.sh            all of it
#   lint.sh FILE MARK  clang-tidy on one source; MARK is created if it is clean
set -u
cd "$(dirname "$0")/.." || exit 3
rooms="core models scenarios host watch sim emu analysis cli"

if [ $# -eq 2 ]; then
    report=$(clang-tidy --quiet -p build/dev "$1" 2>/dev/null)
    status=$?
    if [ $status -eq 0 ]; then
        : >"$2"
    else
        printf '%s\n' "$report"
    fi
    exit $status
fi

bad=0
# Sources in rooms that the build leaves out (SimGrid is absent, say) have no compile command.
cmake --preset dev --log-level=WARNING >/dev/null || exit 3

echo "lint: clang-format"
# shellcheck disable=SC2086 # a list of words
find $rooms tests -name '*.[ch]' 2>/dev/null | sort |
    xargs clang-format --dry-run -Werror || bad=1

echo "lint: clang-tidy"
mkdir -p build/lint
headers=$(find . -path ./build -prune -o -name '*.h' -print | sort | xargs cat .clang-tidy | cksum)
# shellcheck disable=SC2086
find $rooms -name '*.c' 2>/dev/null | sort | while read -r file; do
    grep -q "/$file\"" build/dev/compile_commands.json || continue
    sum=$(echo "$headers $(cksum <"$file")" | cksum | cut -d ' ' -f 1)
    mark=build/lint/$(echo "$file" | tr / _).$sum
    [ -f "$mark" ] || printf '%s %s\n' "$file" "$mark"
done | xargs -r -n 2 -P "$(nproc)" sh cmake/lint.sh || bad=1

echo "lint: tidy tests"
{ cmake --build --preset dev --target qkdn_core >/dev/null &&
    ctest --preset dev -L tidy; } || bad=1

if [ $bad -ne 0 ]; then
    echo "lint: faults found, see above"
    exit 1
fi
echo "lint: clean"
