#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Include arrows: every #include goes where arrows.txt allows, and project headers are named by
# their path from the root.
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h')
# shellcheck disable=SC2086 # paths of this project hold no blanks
[ -z "$list" ] || grep -nE '^[[:space:]]*#[[:space:]]*include' $list /dev/null |
    awk -v table="$tidy_dir/arrows.txt" '
    function fail(text) { print place ": " text }
    # The room of a path: the longest line of the table that is the path or a folder above it.
    function room_of(path,   r, best) {
        best = ""
        for (r in may) {
            if ((path == r || index(path, r "/") == 1) && length(r) > length(best)) best = r
        }
        return best
    }
    # Shell pattern against text: only * at the end or alone.
    function matches(text, pattern,   head) {
        if (pattern == text || pattern == "*") return 1
        if (substr(pattern, length(pattern)) != "*") return 0
        head = substr(pattern, 1, length(pattern) - 1)
        return index(text, head) == 1
    }
    function allowed_library(room, header,   n, i, list) {
        n = split(also[room], list, " ")
        for (i = 1; i <= n; i++) {
            if (list[i] == "libc" && (header in libc)) return 1
            if (list[i] != "libc" && matches(header, list[i])) return 1
        }
        return 0
    }
    function allowed_room(room, path,   n, i, list, base) {
        if (index(path, room "/") == 1 || room == path) return 1
        base = room
        sub(/\/[^\/]*\.c$/, "", base)
        if (index(path, base "/") == 1) return 1
        n = split(may[room], list, " ")
        for (i = 1; i <= n; i++) if (index(path, list[i] "/") == 1 || path == list[i]) return 1
        return 0
    }
    # Whether a header is closed to a file of core.
    function closed_to(header, file,   n, i, list, ok) {
        if (!(header in closed) || index(file, "core/") != 1) return 0
        ok = header == file
        n = split(closed[header], list, " ")
        for (i = 1; i <= n; i++) {
            if (list[i] ~ /^!/) {
                if (matches(file, substr(list[i], 2))) return 1
            } else if (matches(file, list[i])) {
                ok = 1
            }
        }
        return !ok
    }
    function exists(path,   line, ok) {
        ok = (getline line < path) >= 0
        close(path)
        return ok
    }
    BEGIN {
        n = split("assert.h ctype.h errno.h float.h inttypes.h limits.h stdalign.h stdarg.h " \
                  "stdbool.h stddef.h stdint.h stdlib.h stdnoreturn.h string.h", names, " ")
        for (i = 1; i <= n; i++) libc[names[i]] = 1
        while ((getline line < table) > 0) {
            if (line ~ /^#/ || line !~ /\|/) continue
            split(line, part, "|")
            if (part[1] ~ /^closed /) {
                split(part[1], word, " ")
                closed[word[2]] = part[2]
                continue
            }
            gsub(/[ \t]/, "", part[1])
            may[part[1]] = part[2]
            also[part[1]] = part[3]
        }
    }
    {
        split($0, bit, ":")
        file = bit[1]
        place = bit[1] ":" bit[2]
        rest = substr($0, length(place) + 2)
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", rest)
        room = room_of(file)
        if (room == "") {
            fail("no line of arrows.txt names the room of this file")
        } else if (rest ~ /^</) {
            header = substr(rest, 2, index(rest, ">") - 2)
            if (!allowed_library(room, header)) fail(room " may not include <" header ">")
        } else if (rest ~ /^"/) {
            rest = substr(rest, 2)
            header = substr(rest, 1, index(rest, "\"") - 1)
            if (header !~ /\// || !exists(header)) {
                fail("\"" header "\" is not the path of a project header from the root")
            } else if (!allowed_room(room, header)) {
                fail(room " may not include \"" header "\"")
            } else if (closed_to(header, file)) {
                fail("\"" header "\" is closed to this part of the key manager")
            }
        } else {
            fail("an #include that is neither <> nor \"\"")
        }
    }' >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
