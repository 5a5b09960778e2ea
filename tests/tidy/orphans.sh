#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Tests are found by name, so a wrong name would be a test that never runs: no file of tests/ is
# left aside by cmake/tests.cmake, and every golden case has both halves.
. "$(dirname "$0")/common.sh"

list=$(files '*' | grep '^tests/')
for file in $list; do
    case $file in
    tests/unit/*_test.c | tests/sim/*_test.c | tests/threat/*_test.c | tests/emu/*_test.c) ;;
    tests/unit/*.c | tests/sim/*.c | tests/threat/*.c | tests/emu/*.c)
        echo "$file:1: not named *_test.c, so it never runs" ;;
    tests/fuzz/driver.c | tests/fuzz/*_fuzz.c) ;;
    tests/fuzz/corpus/*/*)
        name=${file#tests/fuzz/corpus/}
        name=${name%%/*}
        [ -f "tests/fuzz/${name}_fuzz.c" ] || echo "$file:1: no tests/fuzz/${name}_fuzz.c" ;;
    tests/fuzz/*.c) echo "$file:1: not named *_fuzz.c, so it never runs" ;;
    tests/golden/*.cmd)
        [ -f "${file%.cmd}.out" ] || echo "$file:1: a golden case without its .out" ;;
    tests/golden/*.out)
        [ -f "${file%.out}.cmd" ] || echo "$file:1: a golden text without its .cmd" ;;
    esac
done >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
