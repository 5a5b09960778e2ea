#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The warning flags of the build are on and fatal: a clean file compiles with them, each planted
# fault does not. This is the check and its own planted faults in one.
#   flags.sh ROOT CC FLAGS...
set -u
shift
clean='extern int f(int n);
int f(int n)
{
    return n + 1;
}'
cc=$1
shift
try() {
    printf '%s\n' "$source" | "$cc" "$@" -Werror -fsyntax-only -x c - >/dev/null 2>&1
}
bad=0
rejects() { # what, source, flags...
    what=$1
    source=$2
    shift 2
    if try "$@"; then
        echo "flags: the compiler accepts: $what"
        bad=1
    fi
}
source=$clean
if ! try "$@"; then
    echo "flags: the compiler rejects a clean file"
    bad=1
fi
rejects "a variable-length array" \
    'int f(int n); int f(int n) { int a[n]; a[0] = n; return a[0]; }' "$@"
rejects "a statement expression" 'int f(int n); int f(int n) { return ({ n + 1; }); }' "$@"
rejects "a function without prototype" 'int f(int n) { return n; }' "$@"
rejects "an old-style declaration" 'int f(); int g(void); int g(void) { return f(); }' "$@"
rejects "a narrowing conversion" 'short f(long n); short f(long n) { return n; }' "$@"
rejects "a shadowed variable" \
    'int f(int n); int f(int n) { { int n = 2; (void)n; } return n; }' "$@"
rejects "an unused parameter" 'int f(int n); int f(int n) { return 1; }' "$@"
rejects "a zero-length array" 'struct s { int n; int a[0]; };' "$@"
rejects "a GNU case range" \
    'int f(int n); int f(int n) { switch (n) { case 1 ... 3: return 1; } return 0; }' "$@"
[ $bad -eq 0 ] && echo "flags: 1 clean file accepted, 9 faults rejected"
exit $bad
