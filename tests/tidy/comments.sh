#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No commented-out code: a heuristic on comment lines that look like statements, and `#if 0`.
# Examples of use in a comment are indented by at least three blanks, which this check leaves alone.
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h')
for file in $list; do
    awk -v file="$file" '
    function looks_like_code(t) {
        if (t ~ /^(return|goto|break|continue)( .*)?;$/) return 1
        if (t ~ /^[A-Za-z_][A-Za-z0-9_>.\[\]-]*\(.*\);$/) return 1
        if (t ~ /^[A-Za-z_*][A-Za-z0-9_ >.*\[\]-]*[ ]([-+*\/|&^%]|<<|>>)?= [^=].*;$/) return 1
        if (t ~ /^[A-Za-z_][A-Za-z0-9_>.\[\]-]*(\+\+|--);$/) return 1
        if (t ~ /^(if|for|while|switch) \(.*\)( \{)?$/) return 1
        if (t ~ /^\} else( if \(.*\))? \{$/) return 1
        if (t ~ /^(static |const |unsigned )*(int|bool|char|void|size_t|double|u?int[0-9]+_t|struct [a-z_0-9]+) \*?[a-z_0-9]+(\[.*\])?( = .*)?;$/) return 1
        if (t ~ /^# *(include|define|ifdef|ifndef|endif|if) /) return 1
        return 0
    }
    /^[ \t]*#[ \t]*if[ \t]+0/ { print file ":" FNR ": #if 0"; next }
    {
        line = $0
        text = ""
        if (!inside && match(line, /^[ \t]*\/\//)) {
            text = substr(line, RLENGTH + 1)
        } else if (!inside && match(line, /^[ \t]*\/\*/)) {
            text = substr(line, RLENGTH + 1)
            inside = 1
        } else if (inside) {
            text = line
            sub(/^[ \t]*\*?/, "", text)
            if (line !~ /^[ \t]*\*/) text = line
        }
        if (inside && index(line, "*/")) {
            inside = 0
            sub(/[ \t]*\*\/.*$/, "", text)
        }
        if (text ~ /^   /) next
        sub(/^[ \t]+/, "", text)
        sub(/[ \t]+$/, "", text)
        if (looks_like_code(text)) print file ":" FNR ": commented-out code? " text
    }' "$file"
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
