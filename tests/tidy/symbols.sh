#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Core is sans-IO and has no global state: what its archive leaves undefined is in symbols.txt, and
# no object has writable data.
#   symbols.sh ROOT ARCHIVE
. "$(dirname "$0")/common.sh"
archive=$1

[ -f "$archive" ] || { echo "symbols: no $archive"; exit 3; }
nm "$archive" | awk -v table="$tidy_dir/symbols.txt" '
    function pattern(text) {
        gsub(/\./, "\\.", text)
        gsub(/\*/, ".*", text)
        return "^" text "$"
    }
    BEGIN {
        while ((getline line < table) > 0) {
            if (line ~ /^#/ || line == "") continue
            if (line ~ /^!/) deny[++denied] = pattern(substr(line, 2))
            else allow[++allowed] = pattern(line)
        }
    }
    NF == 1 && /:$/ { object = $1 }
    NF == 2 && $1 == "U" { asked[$2] = object }
    NF == 3 { defined[$3] = 1 }
    END {
        for (name in asked) {
            if (name in defined) continue
            ok = 0
            for (i = 1; i <= allowed && !ok; i++) ok = name ~ allow[i]
            for (i = 1; i <= denied && ok; i++) if (name ~ deny[i]) ok = 0
            if (!ok) print asked[name] " core may not use " name "()"
        }
    }' | sort >"$faults"
# Writable sections; .data.rel.ro is constant once loaded.
nm -f sysv "$archive" | awk -F'|' '
    /^Symbols from / { object = $0; sub(/^.*\[/, "", object); sub(/\].*$/, "", object) }
    NF >= 7 {
        gsub(/ /, "", $1); gsub(/ /, "", $4); gsub(/ /, "", $7)
        if ($4 == "SECTION" || $4 == "FILE" || $4 == "FUNC") next
        if ($7 ~ /^\.(data|bss|tdata|tbss)/ && $7 !~ /^\.data\.rel\.ro/ || $7 ~ /COM/) {
            print object ": writable global data: " $1 " in " $7
        }
    }' | sort -u >>"$faults"
verdict "$(ar t "$archive" | wc -l)"
