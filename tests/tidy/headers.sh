#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Each header compiles alone, and does not mind being included twice.
#   headers.sh ROOT CC FLAGS...
# TIDY_SKIP names a room whose libraries are not there.
. "$(dirname "$0")/common.sh"

list=$(files '*.h')
[ -z "${TIDY_SKIP:-}" ] || list=$(echo "$list" | grep -v "^$TIDY_SKIP/")
for header in $list; do
    printf '#include "%s"\n#include "%s"\nextern int tidy_not_empty;\n' "$header" "$header" |
        "$@" -I. -fsyntax-only -x c - 2>&1 | grep -E 'error|warning' | head -n 1 |
        sed "s|^|$header:1: does not compile alone: |"
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
