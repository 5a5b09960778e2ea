#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No compiler extensions that -Wpedantic lets pass: attributes, builtins, pragmas of one compiler,
# inline assembler, alloca. (VLAs and the rest are warnings, hence errors: see flags.sh.)
. "$(dirname "$0")/common.sh"

list=$(files '*.c' '*.h')
extensions='__attribute__|__builtin_|__extension__|__typeof|__auto_type|__declspec|\<asm\>|__asm'
extensions="$extensions|\\<alloca *\\(|# *pragma +(GCC|clang)|__int128|\\<_Pragma\\>"
# shellcheck disable=SC2086
[ -z "$list" ] || grep -nE "$extensions" $list /dev/null |
    sed 's/^\([^:]*:[0-9]*:\)/\1 compiler extension: /' >"$faults"
# shellcheck disable=SC2086
verdict "$(set -- $list; echo $#)"
