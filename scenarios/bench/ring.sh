#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Workload W1: a ring of N sites, N pairs of applications two hops apart.
#
#   sh scenarios/bench/ring.sh N [RATE [HOW]] >ring.yaml      RATE: of each link, default "20 kbit/s"
#
# Links of RATE hand over blocks of 8,192 bytes from t = 0 on. Every site hangs at one classical
# switch by 100 Mbit/s and 2 ms. Pair i is at sites i and i + 2 and wants 10 keys of 256 bit per
# second from 50 s to 150 s. A key manager takes 15 ms for what it puts out. ring-10.yaml is N = 10
# at 21 kbit/s, which pays for every key.
#
# HOW: on-demand (default): a request is for one key, which is relayed when it is asked for. ahead: the
# same keys in the peer's own arrangement: three in a request, out of buffers that key managers fill
# ahead of need, and no status reports but one in 10 s (docs/performance.md).
set -eu
[ $# -ge 1 ] && [ "$1" -ge 3 ] || { echo "usage: ring.sh N [RATE [HOW]]" >&2; exit 2; }
case "${3:-on-demand}" in
on-demand) how='' period='' ask='rate: 10 /s' ;;
ahead) how=', supply: pooled, pool_batch: 32' period=', status_period: 10 s' ask='count: 3, rate: 3.3333 /s' ;;
*) echo "ring.sh: HOW is on-demand or ahead" >&2; exit 2 ;;
esac
exec awk -v n="$1" -v rate="${2:-20 kbit/s}" -v how="$how" -v period="$period" -v ask="$ask" '
function site(i) { return sprintf("s%03d", (i - 1) % n + 1) }
BEGIN {
    printf "# Made by: sh scenarios/bench/ring.sh %d \"%s\"%s; see docs/performance.md.\n", n, rate, how == "" ? "" : " ahead"
    printf "scenario: \"W1: ring of %d, pairs two hops apart\"\n", n
    print "duration: 151 s\nengine: fast\nnetwork:\n  nodes:"
    for (i = 1; i <= n; i++) printf "    - {id: %s}\n", site(i)
    print "  links:"
    for (i = 1; i <= n; i++)
        printf "    - {id: q%03d, ends: [%s, %s], qkd: {rate: %s, block: 65536 bit}}\n",
            i, site(i), site(i + 1), rate
    print "  classical:\n    management: in-band\n    switches: [hub]\n    links:"
    for (i = 1; i <= n; i++)
        printf "      - {id: c%03d, ends: [%s, hub], latency: 2 ms, bandwidth: 100 Mbit/s}\n",
            i, site(i)
    printf "key_management: {processing: 15 ms%s}\n", how
    printf "control: {routing: fewest-hops, route_validity: 1 h%s}\n", period
    print "applications:"
    for (i = 1; i <= n; i++)
        printf "  - {id: p%03d, from: %s, to: %s, key: 256 bit, arrivals: periodic, %s,\n" \
            "     offset: %d us, start: 50 s, stop: 150 s}\n",
            i, site(i), site(i + 2), ask, int(100000 * (i - 1) / n)
}'
