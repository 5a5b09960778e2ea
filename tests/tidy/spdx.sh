#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# C sources: line 1 is the SPDX comment, line 2 opens the paragraph that says what the file is.
# Scripts and CMake files: the SPDX comment is line 1, or line 2 after #!.
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h')
for file in $list; do
    awk -v file="$file" '
        FNR == 1 && $0 != "/* SPDX-License-Identifier: GPL-3.0-or-later */" {
            print file ":1: line 1 is not the SPDX comment"
        }
        FNR == 2 && $0 !~ /^\/\* [A-Z0-9`]?./ { print file ":2: no paragraph that says what this file is" }
        FNR == 2 { exit }
        END { if (FNR < 2) print file ":1: empty file" }
    ' "$file"
done >"$faults"
scripts=$(files '*.sh' '*.cmake' 'CMakeLists.txt' 'Makefile')
for file in $scripts; do
    head -n 2 "$file" | grep -q '^# SPDX-License-Identifier: GPL-3.0-or-later$' ||
        echo "$file:1: no SPDX comment in the first two lines"
done >>"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list $scripts; echo $#)"
