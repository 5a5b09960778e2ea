#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Workload W2: a line of N sites, pairs of applications N / 2 hops apart.
#
#   sh scenarios/bench/line.sh N [RATE [HOW]] >line.yaml      RATE: of each link, default "100 kbit/s"
#
# As ring.sh (HOW, classical network, blocks, demand of a pair, processing time), but N - 1 links in a
# line and pairs i, i + N/2 (rounded down) for all i that have such a partner. line-10.yaml is N = 10.
set -eu
[ $# -ge 1 ] && [ "$1" -ge 3 ] || { echo "usage: line.sh N [RATE [HOW]]" >&2; exit 2; }
case "${3:-on-demand}" in
on-demand) how='' period='' ask='rate: 10 /s' ;;
ahead) how=', supply: pooled, pool_batch: 32' period=', status_period: 10 s' ask='count: 3, rate: 3.3333 /s' ;;
*) echo "line.sh: HOW is on-demand or ahead" >&2; exit 2 ;;
esac
exec awk -v n="$1" -v rate="${2:-100 kbit/s}" -v how="$how" -v period="$period" -v ask="$ask" '
function site(i) { return sprintf("s%03d", i) }
BEGIN {
    half = int(n / 2)
    printf "# Made by: sh scenarios/bench/line.sh %d \"%s\"%s; see docs/performance.md.\n", n, rate, how == "" ? "" : " ahead"
    printf "scenario: \"W2: line of %d, pairs %d hops apart\"\n", n, half
    print "duration: 151 s\nengine: fast\nnetwork:\n  nodes:"
    for (i = 1; i <= n; i++) printf "    - {id: %s}\n", site(i)
    print "  links:"
    for (i = 1; i < n; i++)
        printf "    - {id: q%03d, ends: [%s, %s], qkd: {rate: %s, block: 65536 bit}}\n",
            i, site(i), site(i + 1), rate
    print "  classical:\n    management: in-band\n    switches: [hub]\n    links:"
    for (i = 1; i <= n; i++)
        printf "      - {id: c%03d, ends: [%s, hub], latency: 2 ms, bandwidth: 100 Mbit/s}\n",
            i, site(i)
    printf "key_management: {processing: 15 ms%s}\n", how
    printf "control: {routing: fewest-hops, route_validity: 1 h%s}\n", period
    print "applications:"
    for (i = 1; i + half <= n; i++)
        printf "  - {id: p%03d, from: %s, to: %s, key: 256 bit, arrivals: periodic, %s,\n" \
            "     offset: %d us, start: 50 s, stop: 150 s}\n",
            i, site(i), site(i + half), ask, int(100000 * (i - 1) / (n - half))
}'
