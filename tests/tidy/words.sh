#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# None of the expressions of words.txt occurs in a text file of the project.
. "$(dirname "$0")/common.sh"

grep -v '^#' "$tidy_dir/words.txt" >"$faults.words"
trap 'rm -f "$faults" "$faults.words"' EXIT
list=$(files '*' | grep -vxF -e tests/tidy/words.txt -e LICENSE)
# shellcheck disable=SC2086
grep -nIE -f "$faults.words" $list /dev/null | sed 's/^\([^:]*:[0-9]*:\)/\1 forbidden word: /' >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
