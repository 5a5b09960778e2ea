#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No file above 1000 lines, no function body above 70 lines.
# A function is what stands between a `{` and the next `}` that are alone in column 1.
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h' '*.sh' '*.cmake' 'CMakeLists.txt')
for file in $list; do
    awk -v file="$file" '
        /^\{[ \t]*$/ { start = FNR }
        /^\}/ && start {
            if (FNR - start - 1 > 70) {
                print file ":" start ": function body of " FNR - start - 1 " lines, most is 70"
            }
            start = 0
        }
        END { if (FNR > 1000) print file ":" FNR ": file of " FNR " lines, most is 1000" }
    ' "$file"
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
