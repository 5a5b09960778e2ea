/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: planted mistakes. Each case replaces one line of a good scenario; a caret in it marks
 * the character at which the mistake must be reported (and is taken out before loading). Exactly
 * one mistake must come out, at that place, with those words. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"
#include "tests/lib/json_schema.h"
#include "tests/lib/schema_rules.h"

static const char *const base[] = {
    "scenario: base",                                      /* 1 */
    "seed: 1",                                             /* 2 */
    "duration: 10 min",                                    /* 3 */
    "warmup: 1 min",                                       /* 4 */
    "engine: fast",                                        /* 5 */
    "network:",                                            /* 6 */
    "  nodes:",                                            /* 7 */
    "    - {id: A}",                                       /* 8 */
    "    - {id: B}",                                       /* 9 */
    "    - {id: C}",                                       /* 10 */
    "    - {id: D}",                                       /* 11 */
    "  links:",                                            /* 12 */
    "    - {id: AB, ends: [A, B], qkd: {rate: 9 kbit/s}}", /* 13 */
    "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s}}", /* 14 */
    "  classical: {latency: auto}",                        /* 15 */
    "key_management: {unit: 256 bit}",                     /* 16 */
    "control: {routing: widest}",                          /* 17 */
    "applications:",                                       /* 18 */
    "  - {id: v, from: A, to: C, rate: 1 /s}",             /* 19 */
    "faults:",                                             /* 20 */
    "  - {at: 1 min, link: AB, for: 1 s}",                 /* 21 */
    "expect:",                                             /* 22 */
    "  - served_fraction >= 0.5",                          /* 23 */
};

#define BASE_LINES (sizeof base / sizeof base[0])

struct planted {
    unsigned line;
    const char *text;   /* instead of that line, with a caret */
    const char *expect; /* part of the message */
};

static const struct planted planted[] = {
    /* the file as a whole */
    {1, "^scenaro: base", "*unknown key 'scenaro' in scenario: did you mean 'scenario'?"},
    {1, "^scenario:", "scenario has no value"},
    {1, "scenario: ^''", "scenario is empty"},
    {1, "scenario: ^\"two\\nlines\"", "must be one line"},
    {1, "scenario: ^[a]", "expected one value"},
    {2, "seed: ^-1", "out of range"},
    {2, "seed: ^0x10", "has an unknown unit"},
    {2, "seed: ^one", "is not a number: expected a whole number"},
    {2, "seed: ^1.5", "finer than the smallest unit"},
    {2, "seed: ^99999999999999999999999", "too many digits"},
    {2, "seeds: {arrivals: ^-1}", "arrivals '-1' is out of range"},
    {2, "seeds: {^arrival: 1}", "unknown key 'arrival' in seeds: did you mean 'arrivals'?"},
    {2, "seeds: ^[1]", "seeds: expected a mapping of keys to values"},
    {3, "duration: ^0 s", "duration '0 s' is out of range: expected 1 ns to 3650 d"},
    {3, "duration: ^-5 s", "out of range"},
    {3, "duration: ^10", "has no unit: expected a time such as '5 s'"},
    {3, "duration: ^10 minutes", "has an unknown unit"},
    {3, "duration: ^20 y", "has an unknown unit"},
    {3, "duration: ^4000 d", "out of range"},
    {3, "duration: ^1e30 s", "is too large"},
    {3, "duration: ^0.1 ns", "finer than the smallest unit"},
    {4, "warmup: ^10 min", "warmup is not shorter than duration"},
    {5, "engine: ^slow", "unknown engine 'slow': expected one of simgrid, fast"},
    {5, "engine: ^fats", "did you mean 'fast'?"},
    {5, "^seed: 2\nengine: fast", "the key 'seed' is given twice: first on line 2"},
    {5, "^xyzzy: 1", "unknown key 'xyzzy' in scenario: expected one of scenario, seed"},
    {5, "include: ^other.yaml", "the file 'other.yaml' cannot be named here"},
    {5, "extends: ^other.yaml", "the file 'other.yaml' cannot be named here"},
    {5, "include: [^7.yaml]", "the file '7.yaml' cannot be named here"},
    {5, "remove: [^faults]", "nothing to remove: no file lies under this one"},
    {5, "attacks: [^{at: 1 s}]", "expected a cell, or surface and what"},
    {5, "measures: {^tags: off}", "unknown key 'tags' in measures: expected one of"},
    /* nodes */
    {8, "    - {^ide: A, id: A}", "unknown key 'ide' in node: did you mean 'id'?"},
    {10, "    - {id: C, ^id: X}", "the key 'id' is given twice: first on line 10"},
    {11, "    - ^{name: x}", "the key 'id' is missing in node: expected a unique name"},
    {11, "    - {id: ^A}", "the node id 'A' is used twice: first on line 8"},
    {11, "    - {id: ^'D D'}", "is no identifier"},
    {11, "    - {id: ^''}", "is no identifier"},
    {11, "    - {id: ^+5}", "is no identifier"},
    {11, "    - ^D", "node: expected a mapping of keys to values"},
    {11, "    - {id: D, lat: ^91, lon: 0}", "lat '91' is out of range: expected -90 to 90"},
    {11, "    - {id: D, lat: ^91 N, lon: 0}", "has an unknown unit"},
    {11, "    - {id: D, lat: ^nan, lon: 0}", "is not a number"},
    {11, "    - {id: D, lat: ^35}", "lat and lon go together"},
    {11, "    - {id: D, mac: ^02:00:00:00:01}", "mac: expected six pairs of digits"},
    {11, "    - {id: D, role: ^relais}", "unknown role 'relais': expected one of user, relay"},
    {11, "    - {id: D, clock: {drift: ^1}}", "has no unit: expected a drift such as '20 ppm'"},
    {11, "    - {id: D, clock: {^skew: 1 ppm}}", "unknown key 'skew' in clock"},
    {11, "    - {id: D, boundary: ^x}", "unknown boundary 'x': expected one of inside, outside"},
    {11, "    - {id: D, user_networks: [a, ^b c]}", "user network 'b c' is no name"},
    {11, "    - {id: D, user_networks: [a, ^a]}", "user network 'a' is given twice"},
    {11, "    - {id: D, user_networks: [^10.0.0/8]}", "'10.0.0/8' is no prefix"},
    {11, "    - {id: D, user_networks: [^10.0.0.256/8]}", "is no prefix"},
    {11, "    - {id: D, user_networks: ^10.0.0.0/33}", "has no length that fits"},
    {11, "    - {id: D, user_networks: ^10.0.0.0/}", "has no length that fits"},
    {11, "    - {id: D, user_networks: [^10.0.0.1/24]}", "has bits behind its length"},
    {11, "    - {id: D, user_networks: [^'2001::1::/48']}", "is no prefix"},
    {11, "    - {id: D, user_networks: [^'1:2:3:4:5:6:7/48']}", "is no prefix"},
    {11, "    - {id: D, user_networks: [^'1:2:3:4:5:6:7:8:9/48']}", "is no prefix"},
    {11, "    - {id: D, user_networks: [^'2001:db8::1/64']}", "has bits behind its length"},
    {11, "    - {id: D, user_networks: ^{a: b}}", "user_networks: expected names and prefixes"},
    /* links */
    {14, "    - {id: BC, ends: [B, ^X], qkd: {rate: 9 kbit/s}}", "*unknown node 'X'"},
    {14, "    - {id: ^AB, ends: [B, C], qkd: {rate: 9 kbit/s}}",
     "the link id 'AB' is used twice: first on line 13"},
    {14, "    - {id: BC, ends: [B, C], length: ^-1 km, qkd: {rate: 9 kbit/s}}", "out of range"},
    {14, "    - {id: BC, ends: [B, C], length: ^25, qkd: {rate: 9 kbit/s}}", "has no unit"},
    {14, "    - {id: BC, ends: [B, C], loss: ^3 db, qkd: {rate: 9 kbit/s}}", "unknown unit"},
    {14, "    - {id: BC, ends: [B, C], qkd: ^{}}", "the key 'rate' is missing in qkd"},
    {14, "    - ^{id: BC, ends: [B, C]}", "the key 'qkd' is missing in link"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: ^0 bit/s}}", "rate '0 bit/s' is out of range"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: ^-3 kbit/s}}", "out of range"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: ^3 kbps}}", "has an unknown unit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: ^0.5 bit/s}}", "finer than the smallest unit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s, qber: ^11 %}}",
     "no key at this QBER: expected less than 11 %"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s, qber: ^60 %}}", "out of range"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s, block: ^12 bit}}",
     "is not a multiple of 8 bit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s, block: ^504 bit}}",
     "does not pay for its own confirmation (128 bit at each end): expected at least 512 bit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 Mbit/s, block: ^8000008 bit, key_form: bits}}",
     "does not fit in a message with key_form bits: expected at most 8000000 bit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s, block: ^65 Mbit}}",
     "a block of 65000000 bit never fits in the store"},
    {14, "    - {id: BC, ends: [B, C], initial: ^504 bit, qkd: {rate: 9 kbit/s}}",
     "an initial key of 504 bit does not pay for its own confirmation"},
    {14, "    - {id: BC, ends: [B, C], initial: ^65 Mbit, qkd: {rate: 9 kbit/s}}",
     "an initial key of 65000000 bit never fits in the store"},
    {14, "    - {id: BC, ends: [B, C], initial: ^2 MiB, qkd: {rate: 9 kbit/s, key_form: bits}}",
     "an initial key of 16777216 bit does not fit in a message with key_form bits"},
    {14, "    - {id: BC, ends: [B, C], initial: ^1001 bit, qkd: {rate: 9 kbit/s}}",
     "is not a multiple of 8 bit"},
    {14, "    - {id: BC, ends: [B, C], store: 6 Gbit, initial: ^5 Gbit, qkd: {rate: 9 kbit/s}}",
     "an initial key of 5000000000 bit is too long for one QKD-key file: expected at most "
     "4000000000 bit"},
    {14, "    - {id: BC, ends: [B, C], store: 6 Gbit, qkd: {rate: 9 kbit/s, block: ^5 Gbit}}",
     "a block of 5000000000 bit is too long for one QKD-key file"},
    {14, "    - {id: BC, ends: [B, C], initial: ^6.6 MiB, qkd: {rate: 9 kbit/s}}",
     "initial '6.6 MiB' is finer than the smallest unit"},
    {14, "    - {id: BC, ends: [B, C], qkd: {model: ^decoy-bb84, rate: 9 kbit/s}}",
     "model 'decoy-bb84' is not available in this version: expected one of rate, trace"},
    {14, "    - {id: BC, ends: [B, C], qkd: ^{model: trace}}", "the key 'trace' is missing"},
    {14, "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: [[^x, 1 bit/s, 0]]}}",
     "expected a time such as '5 s'"},
    {14, "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: [^[0 s, 1 bit/s]]}}",
     "expected [time, rate, QBER]"},
    {14,
     "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: [[1 s, 1 bit/s, 0], [^1 s, 0, 0]]}}",
     "unsorted: expected a time after the one before"},
    {14, "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: ^[]}}", "the series is empty"},
    {14, "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: ^none.csv}}",
     "the file 'none.csv' cannot be named here"},
    {14,
     "    - {id: BC, ends: [B, C], qkd: {model: trace, rate: ^9 bit/s, trace: [[0, 9 bit/s, 0]]}}",
     "rate is given, but the model is trace"},
    {14, "    - {id: BC, ends: ^[B], qkd: {rate: 9 kbit/s}}", "*expected the ids of two nodes"},
    {14, "    - {id: BC, ends: ^[B, B], qkd: {rate: 9 kbit/s}}", "*joins node 'B' to itself"},
    {14,
     "    - {id: BC, ends: [B, C], qkd: {rate: 9 kbit/s}}\n"
     "    - {id: CB, ends: ^[C, B], qkd: {rate: 9 kbit/s}}",
     "link 'BC' joins these nodes already"},
    /* classical network, key management, control */
    {15, "  classical: {latency: ^soon}", "latency 'soon' is not a number"},
    {15, "  classical: {bandwidth: ^0 bit/s}", "out of range"},
    {15, "  classical: {loss: ^1.5}", "out of range: expected 0 to 1"},
    {15, "  classical: {queue: ^1 Mbit}", "has an unknown unit"},
    {15, "  classical: {links: [^x]}", "classical link: expected a mapping"},
    {15, "  classical: {links: [{ends: [A, ^hub]}, {ends: [A, B]}, {ends: [B, C]}]}",
     "unknown node or switch 'hub'"},
    {15, "  generate: {kind: ^rign, link: {qkd: {rate: 1 bit/s}}}",
     "unknown kind 'rign': expected one of line, ring, grid"},
    {15, "  generate: ^{kind: ring}", "the key 'link' is missing in generate"},
    {15, "  scale: ^0", "scale '0' is out of range"},
    {15, "  max_span: ^20 dB", "max_span '20 dB' has an unknown unit"},
    {16, "key_management: {unit: ^100 bit}", "unit '100 bit' is not a multiple of 8 bit"},
    {16, "key_management: {unit: ^8 kbit}", "out of range"},
    {16, "key_management: {supply: ^pool}", "unknown supply 'pool': expected one of on-demand"},
    {16, "key_management: {pool_high: ^15}", "pool_high 15 is less than pool_low 16"},
    {16, "key_management: {pool_low: ^0}", "out of range: expected 1 to 10000"},
    {16, "key_management: {pool_batch: ^33}", "out of range: expected 1 to 32"},
    {16, "key_management: {fallback: ^aes}", "unknown fallback 'aes': expected one of none, aes"},
    {16, "key_management: {fallback_reserve: ^512 bit}", "out of range"},
    {16, "key_management: {fallback_reserve: ^2 Gbit}", "out of range"},
    {16, "key_management: {fallback_rekey: ^999 ms}", "fallback_rekey '999 ms' is out of range"},
    {16, "key_management: {relay_metadata: ^clear}", "is not available in this version"},
    {16, "key_management: {batch: ^65}", "out of range: expected 1 to 64"},
    {16, "key_management: {retransmit: ^999 us}", "retransmit '999 us' is out of range"},
    {16, "key_management: {bootstrap: ^64 kbit}", "out of range"},
    {16, "key_management: {relay: ^multi}", "unknown relay 'multi': expected one of hop-by-hop"},
    {16, "key_management: {relay: multipath, paths: ^1}", "out of range: expected 2 to 4"},
    {16, "key_management: ^[]", "key_management: expected a mapping"},
    {17, "control: {routing: ^widset}", "did you mean 'widest'?"},
    {17, "control: {routing: k-shortest, paths: ^9}", "out of range: expected 2 to 8"},
    {17, "control: {mode: ^distribted}", "did you mean 'distributed'?"},
    {17, "control: {at: ^Z}", "unknown node 'Z'"},
    {17, "control: {status_period: ^0 s}", "out of range"},
    /* applications */
    {19, "  - {id: v, from: A, to: ^D, rate: 1 /s}", "no chain of QKD links joins 'A' and 'D'"},
    {19, "  - {id: v, from: A, to: ^A, rate: 1 /s}", "at one node, 'A': expected two nodes"},
    {19, "  - {id: v, from: ^nobody, to: C, rate: 1 /s}", "unknown node 'nobody'"},
    {19, "  - {id: v, from: A, to: C, key: ^255 bit, rate: 1 /s}", "not a multiple of 8 bit"},
    {19, "  - {id: v, from: A, to: C, key: ^2 Mbit, rate: 1 /s}", "out of range"},
    {19, "  - {id: v, from: A, to: C, key: ^56 bit, rate: 1 /s}", "out of range"},
    {19, "  - {id: v, from: A, to: C, rate: ^0 /s}", "rate '0 /s' is out of range"},
    {19, "  - {id: v, from: A, to: C, rate: ^-1 /s}", "out of range"},
    {19, "  - {id: v, from: A, to: C, rate: ^2}", "has no unit: expected a frequency"},
    {19, "  - ^{id: v, from: A, to: C}", "the key 'rate' is missing: arrivals poisson needs it"},
    {19, "  - {id: v, from: A, to: C, arrivals: ^trace}", "the key 'times' is missing"},
    {19, "  - {id: v, from: A, to: C, arrivals: trace, times: [2 s, ^1 s]}",
     "unsorted: expected a time not before the one before"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, times: ^[1 s]}",
     "no meaning for arrivals poisson"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, offset: ^1 s}",
     "no meaning for arrivals poisson"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, timeout: ^0 s}", "out of range"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, wait: ^maybe}", "expected true or false"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, count: ^0}", "out of range: expected 1 to 128"},
    {19, "  - {id: v, from: A, to: C, also: ^B, rate: 1 /s}", "also: expected a list of the ids"},
    {19, "  - {id: v, from: A, to: C, also: ^[], rate: 1 /s}", "also: expected a list of the ids"},
    {19, "  - {id: v, from: A, to: C, also: [^X], rate: 1 /s}", "unknown node 'X'"},
    {19, "  - {id: v, from: A, to: C, also: [^C], rate: 1 /s}", "go to node 'C' twice"},
    {19, "  - {id: v, from: A, to: C, also: [^A], rate: 1 /s}", "is at one node, 'A'"},
    {19, "  - {id: v, from: A, to: C, also: [B], rate: 1 /s, relay: ^destination}",
     "a key for several nodes is drawn, and relay: destination takes a link's"},
    {19, "  - {id: v, from: A, to: C, also: [B], rate: 1 /s, count: ^65}", "of at most 64 keys"},
    {19, "  - {id: v, from: A, to: C, also: [B], rate: 1 /s, timeout: ^61 s}",
     "may take no longer than fetch_within, 60 s"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s}\n  - {id: w, from: A, to: B, of: ^x}",
     "unknown application 'x'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s}\n  - {id: w, from: ^B, to: A, of: v}",
     "which are asked for at 'A'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s}\n  - {id: w, from: A, to: B, of: v, rate: ^1 /s}",
     "rate is given, but 'v' asks for the keys"},
    {19, "  - {id: w, from: A, to: B, of: ^v}\n  - {id: v, from: A, to: C, rate: 1 /s}",
     "of: 'v' is not above: expected an application above"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, address: ^10.0.0.1}",
     "address '10.0.0.1' is in no user network of node 'C'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, address: ^10.0.0/8}", "expected an address"},
    {11, "    - {id: D, ksa_address: ^lan}", "ksa_address: expected an address, such as 10.9.0.3"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, start: 2 s, stop: ^1 s}", "not after start"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, start: ^10 min}",
     "not before the end of the run"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, arrivals: ^on-off, on_time: 1 s}",
     "the key 'off_time' is missing: arrivals on-off needs it, such as '1 min'"},
    {19, "  - {id: v, from: A, to: C, arrivals: ^on-off, on_time: 1 s, off_time: 2 s}",
     "the key 'rate' is missing: arrivals on-off needs it"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, arrivals: on-off, on_time: ^0 s, off_time: 2 s}",
     "on_time '0 s' is out of range"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s, arrivals: on-off, on_time: 1 s, off_time: 2 s, "
     "offset: ^1 s}",
     "offset has no meaning for exponential periods: expected 'periods: fixed'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, on_time: ^1 s}",
     "on_time has no meaning for arrivals poisson"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, arrivals: ^onoff}", "did you mean 'on-off'?"},
    {19, "  - {id: v, from: A, to: C, arrivals: ^diurnal}",
     "the key 'rate' is missing: arrivals diurnal needs it, such as '2 /s' (or key_rate, or "
     "profile)"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, rate: 1 /s, trough: ^2 /s}",
     "trough is above rate"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, rate: 1 /s, peak: ^24 h}",
     "peak is not within the day"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, rate: ^1 /s, profile: [[0, 1 /s]]}",
     "rate is given, but the profile says it"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, profile: ^[[0 h, 0]]}",
     "the profile has no rate above 0"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, day: 9 h, profile: ^[[9 h, 1 /s]]}",
     "the profile goes on after the end of the day"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, profile: [[0 h, ^1 kbit/s]]}",
     "expected a rate such as '2 /s', or 0"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, profile: [[1 h, 1 /s], [^1 h, 2 /s]]}",
     "unsorted: expected a time after the one before"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, profile: [^[1 h]]}",
     "expected [time of day, rate]"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s, relay: ^multipath, session: {rate: 1 kbit/s, hold: 5 "
     "s}}",
     "a session reserves one route"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, session: ^5}",
     "session: expected a mapping of keys to values"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, session: ^{rate: 1 kbit/s}}",
     "the key 'hold' is missing in session"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, session: ^{hold: 5 s}}",
     "the key 'rate' is missing in session"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, session: {rate: ^0 bit/s, hold: 5 s}}",
     "rate '0 bit/s' is out of range: expected 1 bit/s to"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s, session: {rate: 1 kbit/s, hold: 5 s, hold_law: "
     "^normal}}",
     "unknown hold_law 'normal': expected one of exponential, fixed"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s, session: {rate: 1 kbit/s, hold: 5 s, ^key: none}}",
     "*unknown key 'key' in session: did you mean 'keys'?"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s, session: {rate: 1 kbit/s, hold: 5 s, timeout: ^9 "
     "ms}}",
     "timeout '9 ms' is out of range: expected 1 s to"},
    {17, "control: {reservable: ^1.5}", "reservable '1.5' is out of range: expected 0 to 1"},
    {18, "applications: ^video.csv\nx:", "*the file 'video.csv' cannot be named here"},
    {18, "applications: ^{}\nx:", "*applications: expected a list of mappings"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, key_rate: ^1 kbit/s}",
     "rate and key_rate are both given: expected one of them"},
    {19, "  - {id: v, from: A, to: C, key_rate: ^1 /s}", "has an unknown unit"},
    {19, "  - {id: v, from: A, to: C, volume: ^0 bit}", "volume '0 bit' is out of range"},
    {19, "  - {id: v, from: A, to: C, arrivals: diurnal, volume: ^1 Mbit}",
     "volume has no meaning for arrivals diurnal"},
    {19, "  - {id: v, from: A, to: C, key: 64 bit, key_rate: ^1 Tbit/s}", "has an unknown unit"},
    {19, "  - {id: v, from: A, to: C, key: 64 bit, key_rate: ^1000000 Gbit/s}",
     "key_rate makes 1.5625e+13 requests per second: expected 1e-9 to 1e9"},
    /* what could never do anything */
    {18,
     "classes: [{id: c, min_rate: 2 kbit/s, max_rate: ^1 kbit/s}]\napplications:\n  - {id: s, "
     "from: A, to: B, rate: 1 /h, class: c, session: {hold: 1 s}}",
     "max_rate is less than min_rate: expected at least that"},
    {18, "classes: [{id: c, min_rate: ^2 kbit/s}]\napplications:",
     "nothing has this min_rate: expected an application of class 'c' with a session"},
    {18,
     "classes: [{id: c, min_rate: ^2 kbit/s}]\napplications:\n  - {id: s, from: A, to: B, rate: "
     "1 /s, class: c}",
     "nothing has this min_rate"},
    {18, "classes: [{id: c, reserve: ^5 Mbit}]\napplications:",
     "reserve of 5000000 bit is more than can be: expected at most 4000000 bit, a sixteenth of the "
     "smallest store"},
    {17, "control: {low_mark: ^54 Mbit}", "no route would ever lead over a link with a store of"},
    {17, "control: {forecast: ^0 s}", "forecast '0 s' is out of range: expected 1 ms to"},
    {17, "control: {controller: false, mode: distributed, forecast: ^1 s}", "nobody looks ahead"},
    {17, "control: {controller: false, mode: distributed, keep_route: ^true}",
     "nobody keeps routes"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, BC], dwell: ^1 s}]",
     "dwell, 1 s, is not longer than switching, 1 s: no light would pass"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, BC], switching: ^30 s}]",
     "is not longer than switching, 30 s"},
    {17,
     "control: {controller: false, mode: distributed}\napplications:\n  - {id: s, from: A, to: B, "
     "rate: 1 /s, session: ^{rate: 1 bit/s, hold: 1 s}}\nx:",
     "*nobody admits sessions"},
    {17,
     "control: {reservable: 0}\napplications:\n  - {id: s, from: A, to: B, rate: 1 /s, session: "
     "^{rate: 1 bit/s, hold: 1 s}}\nx:",
     "*no session is ever admitted: expected 'control.reservable' above 0"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, paths: ^3}", "paths has no meaning without"},
    {19, "  - {id: v, from: A, to: C, arrivals: trace, times: ^[10 min, 11 min]}",
     "none of the times is between start and stop"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s}\n  - {id: w, from: A, to: B, of: v, level: "
     "^otp-only}",
     "level is not that of 'v', which asks for the keys"},
    {19,
     "  - {id: v, from: A, to: C, rate: 1 /s}\n  - {id: w, from: A, to: B, of: v, timeout: ^1 s}",
     "timeout is not that of 'v'"},
    {16,
     "key_management: {store: 100 kbit}\napplications: [{id: w, from: A, to: C, rate: 1 /s, key: "
     "1 kbit, count: ^101}]\nx:",
     "*a request for 101000 bit never fits in the stores of node 'A': expected at most 100000 bit"},
    {11, "    - {id: D, ksa_address: 10.9.0.3}\n    - {id: E, ksa_address: ^10.9.0.3}",
     "ksa_address '10.9.0.3' is that of node 'D': expected another one"},
    {20, "access: [{rule: deny}, ^{rule: allow, application: v}]\nfaults:",
     "no request comes to this rule: rule 1 of the list fits all of its"},
    {20,
     "access: [{rule: deny, from: {node: A}}, ^{rule: allow, from: {node: A}, to: {node: B}}]\n"
     "faults:",
     "no request comes to this rule"},
    {20, "access: [^{rule: deny, application: v, from: {node: B}}]\nfaults:",
     "the rule names application 'v' and does not fit it"},
    {20, "access: [^{rule: deny, application: v, level: otp-only}]\nfaults:",
     "the rule names application 'v' and does not fit it"},
    {20, "access: [^{rule: deny, from: {node: A}, to: {node: A}}]\nfaults:",
     "the rule is for applications at one node"},
    {21, "  - {at: 1 min, link: AB, what: ^degraded, loss: 0 dB, rate: 1}",
     "what 'degraded' with these values changes nothing"},
    {21, "  - {at: 1 min, link: AB, what: ^impaired, frame_loss: 0}", "changes nothing"},
    {21, "  - {at: 2 min, link: AB, every: 10 s, for: 1 s, until: ^2 min}",
     "until is not after at"},
    {21, "  - {at: 1 min, node: ^[A, B, C, D], what: partition}",
     "a partition of all nodes parts nobody"},
    {21, "  - {mtbf: 1 min, mttr: 1 s, link: AB, what: ^maintenance}", "maintenance is planned"},
    {17,
     "control: {controller: false, mode: distributed}\nfaults: [{at: 1 s, link: AB, what: "
     "^maintenance}]\nx:",
     "*there is no controller that knows of the maintenance"},
    /* demands */
    {20, "demands: [{id: d, pairs: all, nodes: ^[A], application: {rate: 1 /s}}]\nfaults:",
     "nodes: expected at least two, which make a pair"},
    {20, "demands: ^x\nfaults:", "demands: expected a list of mappings"},
    {20, "demands: [^{pairs: all, application: {rate: 1 /s}}]\nfaults:",
     "*the key 'id' is missing in demand"},
    {20, "demands: [{id: ^'a b', pairs: once, nodes: [A, B], application: {rate: 1 /s}}]\nfaults:",
     "is no identifier"},
    {20, "demands: [^{id: d}]\nfaults:", "expected one of table, matrix, pairs, gravity"},
    {20, "demands: [^{id: d, pairs: all, gravity: 1 kbit/s}]\nfaults:",
     "expected one of table, matrix, pairs, gravity: several are given"},
    {20, "demands: [{id: d, pairs: ^twice}]\nfaults:", "unknown pairs 'twice'"},
    {20, "demands: [{id: d, pairs: once, nodes: [A, ^Q], application: {rate: 1 /s}}]\nfaults:",
     "*unknown node 'Q'"},
    {20, "demands: [{id: d, pairs: once, nodes: [A, B], application: {rate: ^1}}]\nfaults:",
     "has no unit: expected a frequency"},
    {20, "demands: [{id: d, pairs: once, nodes: [A, B], application: {^rat: 1 /s}}]\nfaults:",
     "*unknown key 'rat' in application"},
    {20,
     "demands: [{id: d, pairs: once, nodes: [A, B], application: {rate: 1 /s, ^id: x}}]\nfaults:",
     "*unknown key 'id' in application of a demand"},
    {20, "demands: [^{id: d, pairs: once, nodes: [A, B, C]}]\nfaults:",
     "the key 'rate' is missing: arrivals poisson needs it"},
    {20,
     "demands: [{id: d, pairs: once, weights: ^{A: 1}, nodes: [A, B], application: {rate: 1 "
     "/s}}]\nfaults:",
     "weights has no meaning without gravity"},
    {20, "demands: [^{id: d, gravity: 1 kbit/s}]\nfaults:", "the key 'weights' is missing"},
    {20, "demands: [{id: d, gravity: 1 kbit/s, weights: ^{A: 1}}]\nfaults:",
     "expected weights above 0 for at least two nodes"},
    {20, "demands: [{id: d, gravity: 1 kbit/s, weights: {A: 1, B: ^-1, C: 1}}]\nfaults:",
     "the weight of node 'B': expected a number from 0"},
    {20, "demands: [{id: d, gravity: ^0 bit/s, weights: {A: 1, B: 1}}]\nfaults:",
     "gravity '0 bit/s' is out of range: expected 1 bit/s to 1000000 Gbit/s"},
    {20, "demands: [{id: d, table: ^d.csv}]\nfaults:", "the file 'd.csv' cannot be named here"},
    {20, "demands: [{id: d, matrix: ^[1]}]\nfaults:", "matrix: expected the name of a CSV file"},
    {20, "demands: [^{id: d, pairs: all, nodes: [A, A], application: {rate: 1 /s}}]\nfaults:",
     "*the application id 'd:A-A' is used twice"},
    /* classes: */
    {20, "classes: [{id: gold, priority: ^8}]\nfaults:", "out of range"},
    {20, "classes: [^{priority: 1}]\nfaults:", "the key 'id' is missing in class"},
    {20, "classes: [{id: gold, ^weight: 2}]\nfaults:", "unknown key 'weight' in class"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, class: ^gold}", "unknown class 'gold'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, session: ^{hold: 1 min}}",
     "the key 'rate' is missing in session"},
    /* access rules */
    {20,
     "access: [{rule: ^forbid}]\nfaults:", "unknown rule 'forbid': expected one of allow, deny"},
    {20, "access: [^{from: {node: A}}]\nfaults:", "the key 'rule' is missing in access rule"},
    {20, "access: [{rule: deny, from: {node: ^Q}}]\nfaults:", "unknown node 'Q'"},
    {20, "access: [{rule: deny, to: {operator: ^defalt}}]\nfaults:",
     "no node has the operator 'defalt': did you mean 'default'?"},
    {20, "access: [{rule: deny, to: {community: ^banks}}]\nfaults:",
     "no node has the community 'banks'"},
    {20, "access: [{rule: deny, to: {role: ^boss}}]\nfaults:", "unknown role 'boss'"},
    {20, "access: [{rule: deny, level: ^best}]\nfaults:", "unknown level 'best'"},
    {19, "  - {id: v, from: A, to: C, rate: 1 /s, max_rate: ^0 bit/s}", "out of range"},
    {20, "access: [{rule: deny, application: ^w}]\nfaults:", "unknown application 'w'"},
    {20, "access: [{rule: deny, ^node: A}]\nfaults:", "unknown key 'node' in access rule"},
    {20, "access: [{rule: deny, from: {^nod: A}}]\nfaults:",
     "unknown key 'nod' in side of an access rule: did you mean 'node'?"},
    {20, "access: [^deny]\nfaults:", "access rule: expected a mapping of keys to values"},
    /* faults and expectations */
    {21, "  - {at: 1 min, link: ^AX, for: 1 s}", "unknown link 'AX': did you mean 'AB'?"},
    {21, "  - {at: 1 min, node: ^E, for: 1 s}", "unknown node 'E'"},
    {21, "  - {at: 1 min, link: AB, node: ^B}",
     "expected a link, a node, a classical link, an element or a group: more than one is given"},
    {21, "  - ^{at: 1 min}",
     "expected a link, a node, a classical link, an element or a group: none is given"},
    {21, "  - {at: 1 min, element: ^agent}", "unknown element 'agent': expected one of controller"},
    {21, "  - {at: 1 min, element: ^standby}", "there is no standby controller"},
    {17, "control: {at: B, standby: ^B}", "the standby controller is where the controller is"},
    {17, "control: {controller: ^false}", "there is no controller: expected mode distributed"},
    {17, "control: {mode: distributed, standby: B, controller: ^false}",
     "there is no controller: expected mode distributed, and no standby"},
    {17, "control: {standby: ^Q}", "unknown node 'Q'"},
    {21, "  - {at: 1 min, element: manager, what: ^down}", "'down' is not for an element"},
    {21, "  - {at: 1 min, group: ^duct}", "unknown risk group 'duct'"},
    {21, "  - {at: 1 min, group: ^[duct]}", "expected the id of a risk group"},
    {21, "  - {at: 1 min, link: ^[]}", "expected a list of ids of links"},
    {21, "  - {at: 1 min, link: [AB, ^AX]}", "unknown link 'AX': did you mean 'AB'?"},
    {21, "  - {at: 1 min, node: [B, C, ^B]}", "'B' is given twice"},
    {21, "  - {at: 1 min, link: ^'*'}", "the pattern '*': expected with mtbf only"},
    {21, "  - {mtbf: 1 min, mttr: 1 s, link: ^'X*'}", "no link is called like 'X*'"},
    {21, "  - {mtbf: ^1 min, link: AB}", "mtbf and mttr: expected both or none"},
    {21, "  - {at: 0, mttr: ^1 min, link: AB}", "mtbf and mttr: expected both or none"},
    {21, "  - {mtbf: 1 min, mttr: 1 s, for: ^1 s, link: AB}", "for has no meaning with mtbf"},
    {21, "  - {mtbf: 1 min, mttr: 1 s, every: ^9 s, link: AB}", "every has no meaning with mtbf"},
    {21, "  - {mtbf: 1 min, mttr: 1 s, node: A, output: ^2}", "output has no meaning with mtbf"},
    {21, "  - {at: 0, every: 1 min, for: 1 s, node: A, output: ^2}",
     "output has no meaning with every"},
    {21, "  - {at: 1 min, link: AB, every: ^2 min}", "every: expected `for`, shorter than it"},
    {21, "  - {at: 0, link: AB, every: ^2 s, for: 2 s}", "every: expected `for`, shorter than it"},
    {21, "  - {at: 0, link: AB, until: ^2 s}", "until: expected with every or mtbf only"},
    {21, "  - {at: 0, link: AB, what: ^degraded}", "needs at least one of loss, qber, rate"},
    {21, "  - {at: 0, link: AB, what: ^impaired}", "needs at least one of delay, frame_loss"},
    {21, "  - {at: 0, link: AB, loss: ^3 dB}", "loss: expected with degraded only"},
    {21, "  - {at: 0, link: AB, what: quantum, qber: ^3 %}", "qber: expected with degraded only"},
    {21, "  - {at: 0, link: AB, what: impaired, rate: ^0.5, delay: 1 ms}",
     "rate: expected with degraded only"},
    {21, "  - {at: 0, link: AB, what: degraded, rate: ^1.5}", "out of range"},
    {21, "  - {at: 0, node: A, delay: ^3 ms}", "delay: expected with impaired only"},
    {21, "  - {at: 0, link: AB, frame_loss: ^3 %}", "frame_loss: expected with impaired only"},
    {21, "  - {at: 0, link: AB, frame_corruption: ^1}",
     "frame_corruption: expected with impaired only"},
    {21, "  - {at: 0, link: AB, end: ^A}", "end: expected with module only"},
    {21, "  - {at: 0, link: AB, what: ^module}", "the key 'end' is missing"},
    {21, "  - {at: 0, link: AB, what: module, end: ^C}", "node 'C' is no end of link 'AB'"},
    {21, "  - {at: 0, link: [AB, BC], what: module, end: ^B}",
     "end: expected one link, not several"},
    {21, "  - {at: 0, node: A, what: ^impaired, delay: 1 s}", "'impaired' is not for a node"},
    {21, "  - {at: 0, link: AB, event: ^'a b'}", "is no identifier"},
    {15, "  risk_groups: [{id: d, links: [AB]}, {id: ^d, nodes: [A]}]",
     "the risk group id 'd' is used twice"},
    {15, "  optical_switches: [{id: s, at: B, links: ^[AB]}]", "expected the ids of 2 to 64 links"},
    {15, "  optical_switches: [{id: s, at: A, links: ^[AB, BC]}]",
     "link 'BC' does not end at node 'A', where the switch is"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, ^AB]}]", "'AB' is given twice"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, ^XY]}]", "unknown link 'XY'"},
    {15, "  optical_switches: [^{id: s, links: [AB, BC]}]", "the key 'at' is missing"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, BC], by: ^chance}]", "'chance'"},
    {15, "  optical_switches: [{id: s, at: B, links: [AB, BC], dwell: ^1 us}]", "out of range"},
    {15, "  relay_points: [{id: m, link: ^[AB]}]", "expected the id of a link"},
    {15, "  relay_points: [{id: m, link: AB}, {id: n, link: ^AB}]",
     "link 'AB' has another relay point already"},
    {21, "  - {at: 0, link: AB, what: ^relay-point}", "link 'AB' has no relay point"},
    {21, "  - {at: 0, link: AB, what: ^optical-switch}", "link 'AB' has no optical switch"},
    {21, "  - {at: 0, node: A, what: ^maintenance}", "'maintenance' is not for a node"},
    {15, "  risk_groups: [^{id: d}]", "the risk group has no members"},
    {15, "  risk_groups: [{id: d, links: ^AB}]", "expected a list of ids of links"},
    {15, "  risk_groups: [{id: d, nodes: [^AB]}]", "unknown node 'AB'"},
    {15, "  risk_groups: [{id: d, ^link: [AB]}]", "unknown key 'link' in risk group"},
    {21, "  - ^{link: AB}", "the key 'at' is missing in fault"},
    {21, "  - {at: 1 min, link: AB, what: ^crash}", "'crash' is not for a link"},
    {21, "  - {at: 1 min, node: B, what: ^quantum}", "'quantum' is not for a node"},
    {21, "  - {at: 1 min, link: AB, for: ^0 s}", "out of range"},
    {21, "  - {at: ^11 min, link: AB}", "not before the end of the run"},
    {23, "  - ^served_fraction", "expected 'figure operator number'"},
    {23, "  - ^served_fraction >= all", "expected 'figure operator number'"},
    {23, "  - ^link[XX].pool_min_bits > 0", "unknown link 'XX'"},
    {23, "  - ^node[A].x > 0",
     "only link[ID], application[ID], event[NAME], attack[ID] and via[ID] have brackets"},
    {23, "  - ^event[cut].healed_s > 0", "unknown event 'cut'"},
    {23, "  - ^event[cut].healed_s from 1 min > 0", "an event has no window"},
    {22, "expect: ^x\ny:", "*expect: expected a list"},
};

#define PLANTED_COUNT ((int)(sizeof planted / sizeof planted[0]))

/* The base text with one line replaced; line and column of the caret in it. */
static char *text_build(const struct planted *p, unsigned *line, unsigned *column)
{
    static char text[8192];
    size_t used = 0;
    for (unsigned i = 0; i < BASE_LINES; i++) {
        const char *add = i + 1 == p->line ? p->text : base[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", add);
    }
    char *caret = strchr(text, '^');
    ck_assert_ptr_nonnull(caret);
    *line = 1;
    *column = 1;
    for (const char *c = text; c < caret; c++) {
        *column = *c == '\n' ? 1 : *column + 1;
        *line += *c == '\n' ? 1 : 0;
    }
    memmove(caret, caret + 1, strlen(caret));
    return text;
}

static int load(const char *text, const struct scn_sets *sets, struct scn_errors *errors)
{
    struct scn_scenario *scenario = NULL;
    struct scn_text input = {.name = "t.yaml", .text = text, .len = strlen(text)};
    int err = scn_load_text(&input, sets, &scenario, errors);
    ck_assert((err == 0) == (scenario != NULL));
    ck_assert((err == 0) == (errors->count == 0));
    scn_free(scenario);
    return err;
}

START_TEST(base_is_good)
{
    static const struct planted none = {1, "scenario: ^base", ""};
    unsigned line = 0;
    unsigned column = 0;
    struct scn_errors errors;
    int err = load(text_build(&none, &line, &column), NULL, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
}
END_TEST

/* A message that begins with * may be followed by others (a cause with consequences). */
START_TEST(mistake_is_found_in_its_place)
{
    const struct planted *p = &planted[_i];
    bool several = p->expect[0] == '*';
    unsigned line = 0;
    unsigned column = 0;
    char *text = text_build(p, &line, &column);
    char place[64];
    (void)snprintf(place, sizeof place, "t.yaml:%u:%u: ", line, column);
    struct scn_errors errors;
    ck_assert_int_eq(load(text, NULL, &errors), QKD_ERR_INVALID);
    bool found = false;
    for (size_t i = 0; i < errors.count; i++) {
        found = found || (strncmp(errors.lines[i], place, strlen(place)) == 0 &&
                          strstr(errors.lines[i], p->expect + (several ? 1 : 0)) != NULL);
    }
    ck_assert_msg(found, "case %d '%s': wanted '%s%s', got '%s'", _i, p->text, place, p->expect,
                  errors.lines[0]);
    ck_assert_msg(several || errors.count == 1, "case %d '%s': %zu mistakes, second '%s'", _i,
                  p->text, errors.count, errors.lines[errors.count - 1]);
    scn_errors_fini(&errors);
}
END_TEST

/* The published schema, read by a validator of its own, refuses what is planted, or what the loader
 * says is a rule of those that a schema does not state. It accepts the base. */
START_TEST(schema_agrees_on_what_is_planted)
{
    char *published = scn_schema();
    struct js_value *schema = js_parse(published, strlen(published));
    ck_assert_ptr_nonnull(schema);
    size_t refused = 0;
    size_t used[32] = {0};
    size_t wrong = 0;
    size_t rules = 0;
    for (int i = -1; i < PLANTED_COUNT; i++) {
        static const struct planted none = {1, "scenario: ^base", ""};
        unsigned line = 0;
        unsigned column = 0;
        char why[200];
        char *text = text_build(i < 0 ? &none : &planted[i], &line, &column);
        struct js_value *value = js_parse(text, strlen(text));
        bool good = value != NULL && js_valid(schema, value, why);
        js_free(value);
        refused += good ? 0 : 1;
        if (i < 0) {
            ck_assert_msg(good, "%s", why);
            continue;
        }
        struct scn_errors errors;
        ck_assert_int_ne(load(text, NULL, &errors), 0);
        for (size_t k = 0; good && k < errors.count; k++) {
            size_t rule = schema_rule_of(errors.lines[k]);
            if (rule == SIZE_MAX) {
                fprintf(stderr, "case %d '%s': the schema accepts it, the loader says: %s\n", i,
                        planted[i].text, errors.lines[k]);
                wrong++;
            } else {
                used[rule]++;
            }
        }
        scn_errors_fini(&errors);
    }
    for (size_t i = 0; schema_rule_name(i) != NULL; i++) {
        printf("%3zu  %s\n", used[i], schema_rule_name(i));
        rules += used[i] > 0 ? 1 : 0;
    }
    printf("%3zu  refused by the schema\n", refused);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_ge(refused, 130); /* ranges with units too */
    ck_assert_uint_ge(rules, 15);    /* the others: scenario_trust_test.c */
    js_free(schema);
    free(published);
}
END_TEST

/* All mistakes in one go, in the order of the file. */
START_TEST(all_mistakes_in_order)
{
    static const char text[] = "applications:\n"
                               "  - {id: v, from: A, to: B, rate: 0 /s}\n"
                               "duration: 0 s\n"
                               "seed: 1\n"
                               "seed: 2\n"
                               "network:\n"
                               "  nodes: [{id: A}, {id: B, lat: 1}]\n"
                               "  links: [{id: AB, ends: [A, B], qkd: {rat: 1 kbit/s}}]\n";
    static const char *const want[] = {
        "t.yaml:1:1: the key 'scenario' is missing", "t.yaml:2:35: rate '0 /s' is out of range",
        "t.yaml:3:11: duration '0 s' is out",        "t.yaml:5:1: the key 'seed' is given twice",
        "t.yaml:7:33: lat and lon go together",      "t.yaml:8:39: the key 'rate' is missing",
        "t.yaml:8:40: unknown key 'rat' in qkd"};
    struct scn_errors errors;
    ck_assert_int_eq(load(text, NULL, &errors), QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < errors.count; i++) {
        ck_assert_msg(strncmp(errors.lines[i], want[i], strlen(want[i])) == 0, "%s, not %s",
                      errors.lines[i], want[i]);
    }
    scn_errors_fini(&errors);
}
END_TEST

struct broken {
    const char *text;
    const char *expect;
};

/* Not YAML, or no scenario at all. */
static const struct broken broken[] = {
    {"", "t.yaml:1:1: the file is empty"},
    {"# only a comment\n", "t.yaml:1:1: the file is empty"},
    {"- 1\n- 2\n", "t.yaml:1:1: expected a mapping"},
    {"just words\n", "t.yaml:1:1: expected a mapping"},
    {"scenario: a: b\n", "t.yaml:1:"},
    {"scenario: [a\n", "not YAML: "},
    {"scenario: \"a\n", "not YAML: "},
    {"scenario: a\n\tseed: 1\n", "t.yaml:"},
    {"a: b\n---\nc: d\n", "only one document per file is read"},
    {"scenario: a\nduration: 1 s\nnetwork: # nothing\n",
     "t.yaml:3:1: no nodes: expected at least one, in 'nodes' or by 'generate'"},
    {"scenario: a\nduration: 1 s\nnetwork: {nodes: []}\n", "t.yaml:3:18: no nodes"},
    {"scenario: a\nduration: 1 s\nnetwork: {nodes: }\n", "t.yaml:3:11: no nodes"},
    {"seed: *one\n", "t.yaml:1:7: unknown alias '*one'"},
    {"a: &x [*x]\n", "t.yaml:1:8: unknown alias '*x'"},
    {"{a: 1}: 2\n", "a key must be a word"},
    {"scenario: a\xff\n", "t.yaml:1:12: byte 0xff is not allowed"},
    {"scenario: a\n \xc0\x80\n", "t.yaml:2:2: byte 0xc0 is not allowed"},
    {"scenario: \x01\n", "t.yaml:1:11: byte 0x01 is not allowed"},
    {"scenario: \"a\\0b\"\n", "a text cannot contain the character 0"},
    {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "nested too deeply"},
};

START_TEST(broken_text_is_refused)
{
    const struct broken *b = &broken[_i];
    struct scn_errors errors;
    ck_assert_int_eq(load(b->text, NULL, &errors), QKD_ERR_INVALID);
    ck_assert_msg(strstr(errors.lines[0], b->expect) != NULL, "%s, not %s", errors.lines[0],
                  b->expect);
    scn_errors_fini(&errors);
}
END_TEST

/* A file that ends in the middle is an error wherever it is cut (or lacks something). */
START_TEST(truncated_anywhere)
{
    static const struct planted none = {1, "scenario: ^base", ""};
    unsigned line = 0;
    unsigned column = 0;
    char *whole = text_build(&none, &line, &column);
    size_t len = (size_t)(strstr(whole, "  classical") - whole) - 3;
    for (size_t cut = 0; cut < len; cut++) {
        struct scn_scenario *scenario = NULL;
        struct scn_errors errors;
        struct scn_text input = {.name = "t.yaml", .text = whole, .len = cut};
        int err = scn_load_text(&input, NULL, &scenario, &errors);
        /* Cut between the nodes, it is a smaller scenario. */
        ck_assert(err == 0 || (err == QKD_ERR_INVALID && errors.count > 0));
        ck_assert((err == 0) == (scenario != NULL));
        ck_assert(cut > 60 || err != 0);
        scn_free(scenario);
        scn_errors_fini(&errors);
    }
}
END_TEST

static const struct broken bad_sets[] = {
    {"control.routing", "--set: control.routing: expected path=value"},
    {"=1", "expected path=value"},
    {"control.routing=wides", "--set: control.routing=wides: unknown routing 'wides'"},
    {"control.rooting=widest", "unknown key 'rooting' in control: did you mean 'routing'?"},
    {"applications[w].rate=1 /s", "no item with the id 'w'"},
    {"applications[v.rate=1 /s", "a '[' needs its ']'"},
    {"applications[v]rate=1 /s", "a '[' needs its ']'"},
    {"control..at=A", "the path has an empty part"},
    {"seed.x=1", "'x' is looked for in something that has no keys"},
    {"seed=", "the value is empty"},
    {"seed=[", "not YAML"},
    {"duration=0 s", "--set: duration=0 s: duration '0 s' is out of range"},
    {"network.links[AB].qkd.rate=0", "rate '0' is out of range"},
};

START_TEST(bad_override)
{
    static const struct planted none = {1, "scenario: ^base", ""};
    unsigned line = 0;
    unsigned column = 0;
    const char *texts[1] = {bad_sets[_i].text};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_errors errors;
    ck_assert_int_eq(load(text_build(&none, &line, &column), &sets, &errors), QKD_ERR_INVALID);
    ck_assert_msg(strstr(errors.lines[0], bad_sets[_i].expect) != NULL, "%s", errors.lines[0]);
    ck_assert_msg(strncmp(errors.lines[0], "--set: ", 7) == 0, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
}
END_TEST

START_TEST(missing_files)
{
    static const char *const paths[] = {"/nowhere/at/all.yaml", "/"};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load(paths[_i], NULL, &scenario, &errors), QKD_ERR_IO);
    ck_assert_ptr_null(scenario);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_ptr_nonnull(strstr(errors.lines[0], _i == 0 ? "cannot open" : "cannot "));
    scn_errors_fini(&errors);
}
END_TEST

/* More mistakes than anyone reads: counted, not kept. */
START_TEST(mistakes_are_bounded)
{
    static char text[200000] = "scenario: many\nengine: fast\nduration: 1 s\nnetwork:\n  nodes:\n";
    size_t used = strlen(text);
    for (int i = 0; i < 5000; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "    - {id: n%d, x: 1}\n", i);
    }
    struct scn_errors errors;
    ck_assert_int_eq(load(text, NULL, &errors), QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, SCN_MAX_ERRORS);
    ck_assert_uint_eq(errors.omitted, 5000 - SCN_MAX_ERRORS);
    scn_errors_fini(&errors);
}
END_TEST

/* What one engine cannot run is found before the run; 1000 nodes are not too many for it. */
START_TEST(nodes_for_the_engine)
{
    static char text[100000];
    for (int engine = 0; engine < 3; engine++) {
        size_t nodes = engine == 2 ? 1000 : 1001;
        size_t used = (size_t)snprintf(
            text, sizeof text, "scenario: many\nengine: %s\nduration: 1 s\nnetwork:\n  nodes:\n",
            engine == 1 ? "fast" : "simgrid");
        for (size_t i = 0; i < nodes; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "    - {id: n%zu}\n", i);
        }
        struct scn_errors errors;
        ck_assert_int_eq(load(text, NULL, &errors), engine == 0 ? QKD_ERR_INVALID : QKD_OK);
        ck_assert(engine != 0 || strcmp(errors.lines[0],
                                        "t.yaml:2:9: engine simgrid takes at most 1000 nodes, not "
                                        "1001: expected 'engine: fast'") == 0);
        scn_errors_fini(&errors);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario errors");
    TCase *tc = tcase_create("errors");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, base_is_good);
    tcase_add_loop_test(tc, mistake_is_found_in_its_place, 0, PLANTED_COUNT);
    tcase_add_test(tc, schema_agrees_on_what_is_planted);
    tcase_add_test(tc, all_mistakes_in_order);
    tcase_add_loop_test(tc, broken_text_is_refused, 0, (int)(sizeof broken / sizeof broken[0]));
    tcase_add_test(tc, truncated_anywhere);
    tcase_add_loop_test(tc, bad_override, 0, (int)(sizeof bad_sets / sizeof bad_sets[0]));
    tcase_add_loop_test(tc, missing_files, 0, 2);
    tcase_add_test(tc, mistakes_are_bounded);
    tcase_add_test(tc, nodes_for_the_engine);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
