#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Relative links of the Markdown pages lead to a file that exists, and their #anchors to a heading.
. "$(dirname "$0")/common.sh"

# anchors FILE: the anchors of its headings, as the usual renderers make them.
anchors() {
    awk '/^```/ { code = !code } !code && /^#+ / {
        sub(/^#+ +/, "")
        t = tolower($0)
        gsub(/[^a-z0-9 _-]/, "", t)
        gsub(/ /, "-", t)
        print t
    }' "$1"
}

list=$(files '*.md')
for file in $list; do
    folder=$(dirname "$file")
    awk '/^[ \t]*```/ { code = !code; next } code { next } {
        line = $0
        gsub(/`[^`]*`/, "", line)
        while (match(line, /\]\([^) ]+/)) {
            print FNR " " substr(line, RSTART + 2, RLENGTH - 2)
            line = substr(line, RSTART + RLENGTH)
        }
    }' "$file" | while read -r line target; do
        case $target in
        http:* | https:* | mailto:*) continue ;;
        esac
        path=${target%%#*}
        [ -n "$path" ] && path=$folder/$path || path=$file
        if [ ! -e "$path" ]; then
            echo "$file:$line: the link to $target leads nowhere"
        elif [ "${target#*#}" != "$target" ] && ! anchors "$path" | grep -qxF "${target#*#}"; then
            echo "$file:$line: the link to $target: no such heading"
        fi
    done
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
