#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs every libFuzzer target (preset fuzz: clang, address and undefined-behaviour sanitizers) for a while, with
# the corpus of tests/fuzz/corpus as its beginning, and prints a table. Exit code 1: a target found something; its
# input is in FOLDER/NAME.
#
#   tests/fuzz/long.sh [SECONDS [JOBS [FOLDER [TARGET...]]]]
#
#   SECONDS  for each target (600)
#   JOBS     targets at a time (2)
#   FOLDER   where logs, findings and grown corpora go (build/fuzz/long); used again, it goes on from there
#   TARGET   names such as wire (all)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${QKDN_FUZZ_BUILD:-$root/build/fuzz}
seconds=${1:-600}
jobs=${2:-2}
folder=${3:-$build/long}
if [ $# -gt 3 ]; then
    shift 3
else
    set --
fi
if [ $# -eq 0 ]; then
    for source in "$here"/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        set -- "$@" "$name"
    done
fi
for name; do
    if [ ! -x "$build/${name}_libfuzzer" ]; then
        echo "long.sh: $build/${name}_libfuzzer is not there: cmake --preset fuzz &&" \
            "cmake --build --preset fuzz --target fuzzers" >&2
        exit 2
    fi
done
mkdir -p "$folder"
cd "$root"

run_one() {
    name=$1
    own=$folder/$name/corpus
    mkdir -p "$own"
    set -- "$own"
    [ -d "$here/corpus/$name" ] && set -- "$own" "$here/corpus/$name"
    if ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0:allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        LSAN_OPTIONS="suppressions=$root/cmake/lsan.supp:print_suppressions=0" \
        "$build/${name}_libfuzzer" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$folder/$name/" \
        "$@" >"$folder/$name/log" 2>&1; then
        echo good >"$folder/$name/verdict"
    else
        echo FOUND >"$folder/$name/verdict"
    fi
}

# At most so many at a time.
running=0
for name; do
    run_one "$name" &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then
        wait
        running=0
    fi
done
wait

printf '%-14s %8s %12s %10s %8s %8s  %s\n' target seconds inputs "inputs/s" edges corpus verdict
code=0
for name; do
    log=$folder/$name/log
    stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -1; }
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    verdict=$(cat "$folder/$name/verdict")
    printf '%-14s %8s %12s %10s %8s %8s  %s\n' "$name" "$seconds" "$(stat number_of_executed_units)" \
        "$(stat average_exec_per_sec)" "${edges:-?}" "$(find "$folder/$name/corpus" -type f | wc -l)" "$verdict"
    if [ "$verdict" != good ]; then
        code=1
        grep -m 3 -E 'ERROR|SUMMARY|_fuzz\.c:|runtime error' "$log" || tail -3 "$log"
    fi
done
exit $code
