#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Determinism across builds: every line of digests.txt gives the same digest in builds by gcc and clang,
# without and with optimisation, for any x86-64 (or what the machine is) and for this very processor,
# and on a processor that has no fused multiplication and addition (or is told so).
#
#   builds.sh WORK [JOBS]   builds below WORK (kept: the next run is quick); exit 1 if one differs
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 3
root=$(cd "$here/../.." && pwd) || exit 3
work=$1
jobs=${2:-2}
failed=0

# judge NAME WHAT: the digests of one build.
judge() {
    if sh "$here/digests.sh" check "$work/$1/qkdn"; then
        echo "builds: $2: every digest as it should be"
    else
        echo "builds: $2: digests differ"
        failed=1
    fi
}

# one COMPILER FLAGS...
one() {
    compiler=$1
    shift
    name=$(echo "$compiler $*" | tr -c 'a-zA-Z0-9\n' -)
    if ! command -v "$compiler" >/dev/null; then
        echo "builds: $compiler is not installed"
        failed=1
        return
    fi
    if ! { cmake -S "$root" -B "$work/$name" -G Ninja -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="$*" --log-level=WARNING &&
        cmake --build "$work/$name" --target qkdn -j "$jobs"; } >"$work/$name.log" 2>&1; then
        echo "builds: $compiler $* does not build; see $work/$name.log"
        failed=1
        return
    fi
    judge "$name" "$compiler $*"
}

mkdir -p "$work" || exit 3
one gcc -O0
one gcc -O2
one gcc -O3 -march=native
one clang -O1
one clang -O3 -march=native
# The C library chooses its mathematics by processor; these are its names for what is masked.
GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable
export GLIBC_TUNABLES
judge gcc--O2 "gcc -O2 on a processor without fused operations"
exit $failed
