#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# docs/spec-map.md is complete: each requirement of d23_ids.txt has a table row `| id | code | tests |`
# that names existing sources and existing tests, or says `later: <issue>`; and it invents no id.
. "$(dirname "$0")/common.sh"
map=docs/spec-map.md

if [ ! -f "$map" ]; then
    echo "$map:1: there is no such file" >"$faults"
    verdict 1
fi
awk -v ids="$tidy_dir/d23_ids.txt" -v map="$map" '
    function exists(path,   line, ok) {
        ok = (getline line < path) >= 0
        close(path)
        if (!ok) ok = system("test -e " path) == 0
        return ok
    }
    BEGIN {
        while ((getline line < ids) > 0) if (line !~ /^#/ && line != "") wanted[line] = 1
    }
    /^\| *D23-/ {
        id = $0
        sub(/^\| */, "", id)
        sub(/[ |].*$/, "", id)
        if (!(id in wanted)) { print map ":" FNR ": " id " is not in d23_ids.txt"; next }
        seen[id] = FNR
        if ($0 ~ /later: *[^ |]/) { later[id] = 1; next }
        rest = $0
        while (match(rest, /(core|models|scenarios|sim|emu|analysis|cli|tests|docs)\/[A-Za-z0-9_.\/-]+/)) {
            path = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            sub(/[.\/]+$/, "", path)
            if (!exists(path)) print map ":" FNR ": " id ": there is no " path
            else if (path ~ /^tests\//) tests[id] = 1
            else if (path !~ /^docs\//) code[id] = 1
        }
    }
    END {
        for (id in wanted) {
            if (!(id in seen)) print map ":1: " id " has no row"
            else if (id in later) continue
            else if (!(id in code)) print map ":" seen[id] ": " id " names no code"
            else if (!(id in tests)) print map ":" seen[id] ": " id " names no test"
        }
    }' "$map" | sort >"$faults"
verdict 1
