#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A TODO names itself, TODO(name), and a page below docs/ other than the conventions says `TODO(name)`
# and what is missing.
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h' '*.sh' '*.cmake' 'CMakeLists.txt' 'Makefile' '*.yaml' |
    grep -vxF -e tests/tidy/todo.sh -e tests/tidy/planted.sh)
pages=$(files '*.md' | grep '^docs/' | grep -vxF docs/conventions.md)
# shellcheck disable=SC2086
grep -nw TODO $list /dev/null | while IFS= read -r hit; do
    name=$(printf '%s\n' "$hit" | sed -n 's/.*TODO(\([a-z0-9-]*\)).*/\1/p')
    if [ -z "$name" ]; then
        echo "$hit: a TODO without a name"
    elif [ -z "$pages" ] || ! grep -qF "TODO($name)" $pages /dev/null; then
        echo "$hit: no page of docs/ mentions TODO($name)"
    fi
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
