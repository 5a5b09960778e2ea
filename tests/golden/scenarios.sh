#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Our own CI on our own scenarios: `qkdn check` on everything under scenarios/.
#
#   scenarios.sh QKDN [OPTIONS of qkdn check...]
#
# A scenario that is too large for every build says so in a comment of its own,
#   # check: --until '1 min' --set 'expect=[]'
# whose options are then used for it alone.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 3
qkdn=$1
shift
cd "$root" || exit 3
exit_code=0
set -- check "$@"
plain=$(find scenarios -name '*.yaml' -exec grep -L '^# check: ' {} + | LC_ALL=C sort)
own=$(find scenarios -name '*.yaml' -exec grep -l '^# check: ' {} + | LC_ALL=C sort)
[ -n "$plain" ] || { echo "no scenarios under $root/scenarios"; exit 3; }
# File names hold no blanks: the identifiers of our scenarios do not.
# shellcheck disable=SC2086
"$qkdn" "$@" $plain || exit_code=$?
for file in $own; do
    options=$(sed -n 's/^# check: //p' "$file" | head -1)
    eval "\"\$qkdn\" \"\$@\" \"\$file\" $options" || exit_code=$?
done
exit $exit_code
