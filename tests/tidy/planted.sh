#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A check that never fails proves nothing: plants faults one by one in a temporary copy of the
# project and demands that the check reports each at the right place, and that it leaves alone some
# text that only looks like a fault.
#   planted.sh ROOT CHECK [arguments of the check]
set -u
LC_ALL=C
export LC_ALL
tidy=$(cd "$(dirname "$0")" && pwd) || exit 3
root=$1
check=$2
shift 2
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir "$tree"
(cd "$root" && tar --exclude=./build --exclude=./out --exclude=./.git -cf - .) |
    tar -xf - -C "$tree" || exit 3
# One line per fault planted, text left alone, and failure: files, since pipes run in subshells.
: >"$work/planted"
: >"$work/left"
: >"$work/bad"
spdx='/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A planted file. */'

# run ARGUMENTS: the check on the copy; its report in $work/report, its exit code in $status.
run() {
    sh "$tidy/$check.sh" "$tree" "$@" >"$work/report" 2>&1
    status=$?
}

# put PATH: standard input becomes that file of the copy; the old one is kept for `restore`.
put() {
    mkdir -p "$(dirname "$tree/$1")"
    rm -f "$work/old"
    [ -f "$tree/$1" ] && cp "$tree/$1" "$work/old"
    cat >"$tree/$1"
}
restore() {
    if [ -f "$work/old" ]; then cp "$work/old" "$tree/$1"; else rm -f "$tree/$1"; fi
}

# fault PATH EXPECTED: plants standard input as PATH; a report line that starts with PATH must match.
fault() {
    put "$1"
    run $arguments
    echo "$check" >>"$work/planted"
    if [ $status -eq 0 ] || ! grep "^$1:" "$work/report" | grep -qE -e "$2"; then
        echo "$check: a fault planted in $1 is not reported ($2)"
        cat "$work/report"
        echo fault >>"$work/bad"
    fi
    restore "$1"
}

# missing PATH EXPECTED: takes the file away; a report line that starts with PATH must match.
missing() {
    put "$1" </dev/null
    rm -f "$tree/$1"
    run $arguments
    echo "$check" >>"$work/planted"
    if [ $status -eq 0 ] || ! grep "^$1:" "$work/report" | grep -qE -e "$2"; then
        echo "$check: that $1 is missing is not reported ($2)"
        cat "$work/report"
        echo missing >>"$work/bad"
    fi
    restore "$1"
}

# fine PATH: plants standard input as PATH; no report line may start with PATH.
fine() {
    put "$1"
    run $arguments
    echo "$check" >>"$work/left"
    if grep "^$1:" "$work/report"; then
        echo "$check: reports what is no fault"
        echo fine >>"$work/bad"
    fi
    restore "$1"
}

# Lines of text: line COUNT TEXT.
lines() {
    awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'
}

# prune: leaves of the rooms only core/base, for checks that judge each file alone.
prune() {
    find "$tree" -name '*.[ch]' ! -path "$tree/core/base/*" -exec rm -f {} +
}

plant_arrows() {
    echo '#include "sim/zz-none.h"' | fault core/km/zz.c 'path of a project header'
    put sim/zz.h </dev/null
    echo '#include "sim/zz.h"' | fault core/km/zz.c 'core/km may not include "sim/zz.h"'
    echo '#include "sim/zz.h"' | fault analysis/zz.c 'analysis may not include "sim/zz.h"'
    rm -f "$tree/sim/zz.h"
    put core/km/zz.h </dev/null
    echo '#include "core/km/zz.h"' | fault core/controller/zz.c 'may not include "core/km/zz.h"'
    echo '#include "core/km/zz.h"' | fault core/base/zz.c 'may not include "core/km/zz.h"'
    echo '#include "core/km/zz.h"' | fault models/zz.h 'may not include "core/km/zz.h"'
    echo '#include "zz.h"' | fault core/km/zz.c 'path of a project header'
    echo '#include "core/km/zz.h"' | fine sim/zz.c
    echo '#include "core/km/zz.h"' | fine core/km/zy.c
    rm -f "$tree/core/km/zz.h"
    for header in stdio.h time.h sys/socket.h threads.h gsl/gsl_rng.h; do
        echo "  #  include <$header>" | fault core/wire/zz.c "may not include <$header>"
    done
    echo '#include <simgrid/engine.h>' | fault sim/zz.c 'may not include <simgrid'
    echo '#include <simgrid/engine.h>' | fine sim/engine_simgrid.c
    for part in kma ksa kmc; do
        [ -f "$tree/core/km/$part.h" ] || : >"$tree/core/km/$part.h"
    done
    echo '#include "core/km/kma.h"' | fault core/km/ksa_zz.c 'closed to this part'
    echo '#include "core/km/ksa.h"' | fault core/km/kma_zz.c 'closed to this part'
    echo '#include "core/km/ksa.h"' | fault core/km/relay_zz.c 'closed to this part'
    echo '#include "core/km/kma.h"' | fault core/km/kmc_zz.c 'closed to this part'
    echo '#include "core/km/kma.h"' | fine core/km/relay_zz.c
    echo '#include "core/km/ksa.h"' | fine core/km/km.c
    echo '#include HEADER' | fault core/base/zz.c 'neither'
    echo '#include <stdio.h>' | fault newroom/zz.c 'no line of arrows.txt'
    put cli/zz.h </dev/null
    echo '#include "cli/zz.h"' | fault sim/zz.c 'may not include "cli/zz.h"'
    rm -f "$tree/cli/zz.h"
}

plant_sizes() {
    prune
    { echo "$spdx"; lines 999 "int x;"; } | fault core/base/zz.c 'file of 1001 lines'
    { echo "$spdx"; lines 998 "int x;"; } | fine core/base/zz.c
    { echo "void f(void)"; echo "{"; lines 71 "    g();"; echo "}"; } |
        fault sim/zz.c 'function body of 71 lines'
    { echo "void f(void)"; echo "{"; lines 70 "    g();"; echo "}"; } | fine sim/zz.c
}

plant_spdx() {
    prune
    printf '/* A file. */\nint x;\n' | fault cli/zz.c 'line 1 is not'
    printf '/* SPDX-License-Identifier: MIT */\n/* A file. */\n' | fault core/base/zz.h 'line 1 is not'
    printf '%s\nint x;\n' '/* SPDX-License-Identifier: GPL-3.0-or-later */' |
        fault sim/zz.c 'no paragraph'
    printf '' | fault sim/zz.c 'empty'
    printf '#!/bin/sh\necho\n' | fault cmake/zz.sh 'no SPDX'
    printf 'set(x 1)\n' | fault cmake/zz.cmake 'no SPDX'
    printf '%s\nint x;\n' "$spdx" | fine sim/zz.c
}

plant_comments() {
    prune
    echo '/* km_store_take(store, &id); */' | fault core/km/zz.c 'commented-out'
    echo '    // return 0;' | fault core/km/zz.c 'commented-out'
    echo '    //x->count++;' | fault core/km/zz.c 'commented-out'
    printf '/* if (a > b) {\n *     c = d;\n * } else {\n */\n' | fault sim/zz.c 'commented-out'
    printf '/*\nint left = 3;\n*/\n' | fault sim/zz.c 'commented-out'
    printf '#if 0\nint x;\n#endif\n' | fault cli/zz.c '#if 0'
    printf '/* Use it like this:\n *\n *     qkd_out_init(&out, limit);\n */\n' | fine core/km/zz.c
    printf '/* Waits for the peer (see clause 7);\n * the tag = poly + pad, after that\n * returns. */\n' |
        fine core/km/zz.c
    printf 'int x; /* bytes of f(x); */\n' | fine core/km/zz.c
}

plant_words() {
    # The words are put together here, so that this file does not contain them.
    printf 'See /wo%s/main/README.md\n' rk | fault docs/zz.md 'forbidden'
    printf 'x: /ho%s/user/file\n' me | fault scenarios/zz.yaml 'forbidden'
    printf '/* FIX%s later */\n' ME | fault core/km/zz.c 'forbidden'
    printf 'not %s\n' implemented | fault cli/zz.c 'forbidden'
    printf 'A network, homework and the /worked/ example\n' | fine docs/zz.md
}

plant_todo() {
    echo '/* TODO: later */' | fault core/km/zz.c 'without a name'
    echo '/* TODO(zz-name): later */' | fault core/km/zz.c 'no page of docs'
    echo '/* TODO(zz-name): later */' >"$tree/core/km/zy.c"
    echo 'TODO(zz-name): what is missing' | fine docs/zz.md
    mkdir -p "$tree/docs"
    echo 'TODO(zz-name): what is missing' >"$tree/docs/zz.md"
    echo '/* TODO(zz-name): later */' | fine core/km/zy.c
    rm -f "$tree/docs/zz.md" "$tree/core/km/zy.c"
}

plant_headers() {
    prune
    printf '%s\nsize_t f(void);\n' "$spdx" | fault core/base/zz.h 'does not compile alone'
    printf '%s\nstruct zz {\n    int a;\n};\n' "$spdx" | fault sim/zz.h 'redefinition'
    printf '#ifndef ZZ_H\n#define ZZ_H\n#include <stddef.h>\nsize_t f(void);\n#endif\n' |
        fine core/base/zz.h
}

plant_links() {
    echo 'See [this](zz-missing.md).' | fault docs/zz.md 'leads nowhere'
    printf '# Title\n\n[a](#other)\n' | fault docs/zz.md 'no such heading'
    printf 'line\n[b](docs/none.md#x)\n' | fault ZZ.md 'leads nowhere'
    printf '# A `title`, twice\n[a](#a-title-twice) [b](https://example.org/x) `[c](none.md)`\n' |
        fine docs/zz.md
    printf '```\n[a](none.md)\n```\n' | fine docs/zz.md
}

plant_orphans() {
    echo 'int x;' | fault tests/unit/zz.c 'never runs'
    echo 'int x;' | fault tests/sim/zz_tests.c 'never runs'
    echo 'int x;' | fault tests/fuzz/zz.c 'never runs'
    echo 'qkdn' | fault tests/golden/zz.cmd 'without its .out'
    echo 'text' | fault tests/golden/zz.out 'without its .cmd'
    echo 'x' | fault tests/fuzz/corpus/zz-none/a 'no tests/fuzz'
    echo 'int x;' | fine tests/unit/zz_test.c
}

plant_language() {
    prune
    echo 'int f(void) __attribute__((pure));' | fault core/km/zz.c 'compiler extension'
    echo '    return __builtin_popcount(x);' | fault sim/zz.c 'compiler extension'
    echo '#pragma GCC diagnostic push' | fault cli/zz.c 'compiler extension'
    echo '    char *p = alloca(n);' | fault core/km/zz.c 'compiler extension'
    echo 'int chasm; /* asmodeus */' | fine core/km/zz.c
}

plant_flags() {
    # flags.sh plants its own faults; here: it must notice flags that are off.
    sh "$tidy/flags.sh" "$tree" "$1" -std=gnu17 >"$work/report" 2>&1
    status=$?
    echo "$check" >>"$work/planted"
    if [ $status -eq 0 ] || ! grep -q 'accepts: a variable-length array' "$work/report"; then
        echo "flags: a build without warnings is not reported"
        echo fault >>"$work/bad"
    fi
}

# symbol EXPECTED: compiles standard input; what is expected of it waits for judge_symbols.
symbol() {
    object=zz$(wc -l <"$work/planted").o
    "$cc" -w -c -x c - -o "$work/$object" || exit 3
    printf '%s %s\n' "$object" "$1" >>"$work/planted"
}

# judge_symbols: one copy of the archive with all that was planted, one run, every report looked for.
judge_symbols() {
    cp "$archive" "$work/core.a"
    ar r "$work/core.a" "$work"/zz*.o 2>"$work/ar" || exit 3
    run "$work/core.a"
    while read -r object expected; do
        if [ $status -eq 0 ] || ! grep "^$object:" "$work/report" | grep -qE -e "$expected"; then
            echo "symbols: a planted fault is not reported ($expected)"
            echo fault >>"$work/bad"
        fi
    done <"$work/planted"
}

plant_symbols() {
    archive=$1
    cc=$2
    for name in printf fopen time clock_gettime socket pthread_create getenv rand randombytes_buf \
        RAND_bytes EVP_PKEY_new crypto_kx_keypair; do
        echo "int $name(void); int zz_$name(void); int zz_$name(void) { return $name(); }" |
            symbol "core may not use $name\\(\\)"
    done
    echo 'int zz_count; int zz(void) { return zz_count++; }' | symbol 'zz_count in .bss'
    echo 'int zz2(void) { static int zz_n = 3; return zz_n++; }' | symbol 'zz_n.* in .data'
    judge_symbols
}

plant_spec_map() {
    code=$(cd "$tree" && find core -name '*.c' | sort | head -n 1)
    { echo '| id | code | tests |'; grep -v '^#' "$tidy/d23_ids.txt" |
        sed "s,.*,| & | \`$code\` | tests/tidy/common.sh |,"; } >"$work/map"
    fine docs/spec-map.md <"$work/map"
    missing docs/spec-map.md 'there is no such file'
    grep -v D23-KS-05 "$work/map" | fault docs/spec-map.md 'D23-KS-05 has no row'
    sed "/D23-KS-05/s,$code,core/km/zz.c," "$work/map" |
        fault docs/spec-map.md 'D23-KS-05: there is no core/km/zz.c|D23-KS-05 there is no core/km/zz.c'
    sed '/D23-RP-01/s,tests/tidy/common.sh,,' "$work/map" |
        fault docs/spec-map.md 'D23-RP-01 names no test'
    sed "/D23-RP-01/s,\`$code\`,all," "$work/map" | fault docs/spec-map.md 'D23-RP-01 names no code'
    sed 's,^| D23-CT-01 |.*,| D23-CT-01 | later: | |,' "$work/map" |
        fault docs/spec-map.md 'D23-CT-01 names no'
    { cat "$work/map"; echo '| D23-KS-99 | x | y |'; } |
        fault docs/spec-map.md 'D23-KS-99 is not in'
    sed 's,^| D23-CT-01 |.*,| D23-CT-01 | later: control issue | |,' "$work/map" |
        fine docs/spec-map.md
}

arguments=$*
"plant_$check" "$@"
count() {
    wc -l <"$work/$1"
}
if [ "$(count bad)" -gt 0 ] || [ "$(count planted)" -eq 0 ]; then
    echo "tidy: $check.sh fails its self-test"
    exit 1
fi
echo "tidy: $check.sh reports $(count planted) planted fault(s), leaves $(count left) fine text(s)"
