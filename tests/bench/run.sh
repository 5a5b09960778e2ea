#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the benches one after the other and prints the rows of all of them as one table at the end.
#   run.sh BUILD [NAME...]   NAME: keys, peer ... (default: all of tests/bench)
# The figures are CPU time on a machine that may be busy: compare ratios, not seconds.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 3
build=$1
shift
cd "$here/../.." || exit 3
QKDN_BENCH_TABLE=$(mktemp) || exit 3
QKDN=$build/qkdn
export QKDN_BENCH_TABLE QKDN
trap 'rm -f "$QKDN_BENCH_TABLE"' EXIT
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*_bench.c | sed 's/^\.\///; s/_bench\.c$//')
failed=0
for name in "$@"; do
    echo "== $name"
    "$build/bench_${name}_bench" || { echo "run.sh: $name failed" && failed=1; }
done
echo "== table"
printf '  %-44s %10s %-12s %10s %-10s %8s  %s\n' what value unit reference of ratio 'goal'
sed 's/^/  /' "$QKDN_BENCH_TABLE"
exit $failed
