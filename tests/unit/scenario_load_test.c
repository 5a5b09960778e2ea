/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: what a good scenario becomes: values, defaults that depend on other keys, overrides,
 * JSON, aliases; printing and loading again gives the same scenario. Expected values are worked
 * out in the comments from docs/scenario.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

/* Loads a text that must be good. */
static struct scn_scenario *load(const char *text, const struct scn_sets *sets)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t.yaml", .text = text, .len = strlen(text)};
    int err = scn_load_text(&input, sets, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    return scenario;
}

static const char small[] = "scenario: small\n"
                            "duration: 2 min\n"
                            "network:\n"
                            "  nodes: [{id: A}, {id: B}, {id: C}]\n"
                            "  links:\n"
                            "    - {id: AB, ends: [A, B], qkd: {rate: 304 kbit/s}}\n"
                            "    - {id: BC, ends: [C, B], length: 12.5 km, qkd: {rate: 3 bit/s}}\n"
                            "applications: [{id: v, from: A, to: C, rate: 2 /s}]\n";

START_TEST(defaults)
{
    struct scn_scenario *s = load(small, NULL);
    ck_assert_str_eq(s->name, "small");
    ck_assert_uint_eq(s->seed, 1);
    ck_assert_int_eq(s->duration_ns, 120 * S);
    ck_assert_int_eq(s->warmup_ns, 0);
    ck_assert_int_eq(s->engine, SCN_ENGINE_SIMGRID);
    ck_assert_uint_eq(s->node_count, 3);
    ck_assert_str_eq(s->nodes[1].name, "B");
    ck_assert_str_eq(s->nodes[1].operator_id, "default");
    ck_assert(!s->nodes[1].has_geo && !s->nodes[1].has_mac);
    ck_assert_int_eq(s->nodes[0].boundary, SCN_BOUNDARY_INSIDE);
    ck_assert_uint_eq(s->nodes[0].user_network_count, 0);
    ck_assert_int_eq(s->nodes[0].role, SCN_ROLE_USER);
    ck_assert_int_eq(s->nodes[1].role, SCN_ROLE_RELAY);
    ck_assert_int_eq(s->nodes[2].role, SCN_ROLE_USER);
    const struct scn_link *ab = &s->links[0];
    const struct scn_link *bc = &s->links[1];
    ck_assert_uint_eq(bc->a, 2);
    ck_assert_uint_eq(bc->b, 1);
    ck_assert_int_eq(ab->length_m, 0);
    ck_assert_int_eq(bc->length_m, 12500);
    ck_assert_double_eq_tol(bc->loss_db, 2.5, 1e-12);  /* 12.5 km * 0.2 dB/km */
    ck_assert_int_eq(bc->classical_latency_ns, 62500); /* 12.5 km * 5 us/km */
    ck_assert_int_eq(ab->classical_latency_ns, 5000);  /* the least */
    ck_assert_uint_eq(ab->classical_bandwidth_bps, 1000000000);
    ck_assert_uint_eq(ab->qkd.block_bits, 3040000); /* 10 s * 304 kbit/s */
    ck_assert_uint_eq(bc->qkd.block_bits, 512);     /* 30 bit: less than the least, two units */
    ck_assert_uint_eq(ab->qkd.mean_bps, 304000);
    ck_assert_uint_eq(ab->store_bits, 64000000);
    const struct scn_key_management *km = &s->key_management;
    ck_assert_uint_eq(km->unit_bits, 256);
    ck_assert_uint_eq(km->bootstrap_bits, 4000);
    ck_assert_uint_eq(km->lease_bits, 16000);
    ck_assert_uint_eq(km->batch, 1);
    ck_assert_int_eq(km->retransmit_ns, 200 * MS);
    ck_assert_uint_eq(km->retries, 5);
    ck_assert_int_eq(km->expiry_ns, 3600 * S);
    ck_assert_int_eq(km->fetch_within_ns, 60 * S);
    ck_assert_int_eq(km->timer_ns, 600 * S);
    ck_assert_int_eq(km->fallback, SCN_FALLBACK_NONE);
    ck_assert_int_eq(km->deployment, SCN_DEPLOYMENT_ONE);
    ck_assert_int_eq(s->control.routing, SCN_ROUTING_WIDEST);
    ck_assert_int_eq(s->control.route_validity_ns, 10 * S);
    ck_assert_int_eq(s->control.status_period_ns, S);
    ck_assert_uint_eq(s->control.at, 0);
    ck_assert_uint_eq(s->management.at, 0);
    ck_assert_uint_eq(s->classical.queue_bytes, 1048576);
    ck_assert_int_eq(s->classical.latency_ns, SCN_AUTO);
    ck_assert_int_eq(s->classical.management, SCN_MANAGEMENT_SEPARATE);
    ck_assert_int_eq(s->classical.management_latency_ns, MS);
    const struct scn_application *v = &s->applications[0];
    ck_assert_uint_eq(v->key_bits, 256);
    ck_assert_uint_eq(v->count, 1);
    ck_assert_int_eq(v->arrivals, SCN_ARRIVALS_POISSON);
    ck_assert_double_eq_tol(v->rate_per_s, 2, 1e-12);
    ck_assert_int_eq(v->level, SCN_LEVEL_OTP_PREFERRED);
    ck_assert_int_eq(v->timeout_ns, 5 * S);
    ck_assert(!v->wait);
    ck_assert_int_eq(v->stop_ns, 120 * S);
    scn_free(s);
}
END_TEST

/* Every key with a value that is not its default; printing gives it back, so each is read. */
static const char full[] =
    "# {\"scenario\" below is YAML; the same keys work in JSON}\n"
    "expect: [served_fraction >= 0.5, 'link[AB].pool_min_bits>0', 'application[p].failed != 1e3']\n"
    "scenario: \"full: \\\"all\\\" \\u00b5\"\n"
    "seed: 9223372036854770000\n"
    "duration: 1.5 h\n"
    "warmup: 90 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes:\n"
    "    - {id: A, name: 'Site A', lat: 35.71, lon: -139.488, role: border, operator: NICT,\n"
    "       address: 'Koganei 4-2-1', mac: 02:00:00:ab:CD:01, boundary: outside,\n"
    "       user_networks: [lan-a, 10.1.0.0/16, 0.0.0.0/0, '2001:db8::/32', ::/0, '::1/128',\n"
    "                       '1:2:3:4:5:6:7:8/128', 'fe80::a:0:0/96'],\n"
    "       clock: {offset: -3 ms, drift: 2.5 ppm}}\n"
    "    - {id: B}\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 10.6 km, loss: 3.9 dB, store: 2 Mbit,\n"
    "       qkd: {model: trace, block: 8 kbit, key_form: bits,\n"
    "             trace: [[0 s, 100 bit/s, 1 %], [30 min, 0, 0.5], [1 h, 50 bit/s, 0.02]]},\n"
    "       classical: {latency: 7 us, bandwidth: 10 Mbit/s}}\n"
    "  classical: {bandwidth: 2 Gbit/s, latency: 3 ms, queue: 64 KiB, management: in-band,\n"
    "              management_latency: 2 ms, management_bandwidth: 3 Mbit/s, loss: 1 %,\n"
    "              duplicate: 0.002, reorder: 3e-3, reorder_jitter: 4 ms}\n"
    "key_management: {unit: 128 bit, store: 32 Mbit, fallback: none, bootstrap: 8 kbit,\n"
    "                 lease: 4 kbit, batch: 16, retransmit: 100 ms, retries: 3, expiry: 2 h,\n"
    "                 fetch_within: 10 s, retention: preserve, timer: 5 min,\n"
    "                 relay_metadata: otp, deployment: two, processing: 15 ms}\n"
    "control: {routing: fewest-hops, route_validity: 1 s, status_period: 500 ms, at: B}\n"
    "management: {at: A}\n"
    "applications:\n"
    "  - {id: p, from: A, to: B, key: 1 kbit, count: 4, arrivals: periodic, rate: 30 /min,\n"
    "     offset: 100 ms, level: otp-only, timeout: 1 s, wait: true, start: 1 s, stop: 1 h}\n"
    "  - {id: t, from: B, to: A, arrivals: trace, times: [1 s, 1 s, 2.5 s], level: any}\n"
    "  - {id: q, from: B, to: A, arrivals: periodic, rate: 3 /s}\n"
    "faults:\n"
    "  - {at: 10 min, link: AB, what: quantum, for: 5 min}\n"
    "  - {at: 10 min, node: B, for: forever}\n"
    "  - {at: 11 min, node: A, what: down, for: 1 s}\n"
    "attacks: []\n"
    "measures: {}\n";

START_TEST(every_key_is_read)
{
    struct scn_scenario *s = load(full, NULL);
    ck_assert_str_eq(s->name, "full: \"all\" \xc2\xb5");
    ck_assert_uint_eq(s->seed, UINT64_C(9223372036854770000));
    ck_assert_int_eq(s->duration_ns, 5400 * S);
    ck_assert_int_eq(s->warmup_ns, 90 * S);
    ck_assert_int_eq(s->engine, SCN_ENGINE_FAST);
    const struct scn_node *a = &s->nodes[0];
    static const uint8_t mac[6] = {2, 0, 0, 0xab, 0xcd, 1};
    ck_assert_str_eq(a->name, "Site A");
    ck_assert_str_eq(a->operator_id, "NICT");
    ck_assert_str_eq(a->address, "Koganei 4-2-1");
    ck_assert_int_eq(a->boundary, SCN_BOUNDARY_OUTSIDE);
    ck_assert_uint_eq(a->user_network_count, 8);
    ck_assert_str_eq(a->user_networks[0].name, "lan-a");
    ck_assert_str_eq(a->user_networks[4].name, "::/0");
    ck_assert(a->has_mac && memcmp(a->mac, mac, 6) == 0);
    ck_assert(a->has_geo);
    ck_assert_double_eq_tol(a->lon, -139.488, 1e-12);
    ck_assert_int_eq(a->role, SCN_ROLE_BORDER);
    ck_assert_int_eq(a->clock_offset_ns, -3 * MS);
    ck_assert_double_eq_tol(a->clock_drift_ppm, 2.5, 1e-12);
    const struct scn_link *ab = &s->links[0];
    ck_assert_int_eq(ab->length_m, 10600);
    ck_assert_double_eq_tol(ab->loss_db, 3.9, 1e-12);
    ck_assert_uint_eq(ab->store_bits, 2000000);
    ck_assert_int_eq(ab->qkd.model, SCN_QKD_TRACE);
    ck_assert_int_eq(ab->qkd.key_form, SCN_KEY_BITS);
    ck_assert_uint_eq(ab->qkd.block_bits, 8000);
    ck_assert_uint_eq(ab->qkd.rate_bps, 0);
    /* 30 min at 100 bit/s and 30 min at 50 bit/s in 90 min: 50 bit/s on average. */
    ck_assert_uint_eq(ab->qkd.mean_bps, 50);
    ck_assert_uint_eq(ab->qkd.trace_count, 3);
    ck_assert_int_eq(ab->qkd.trace[1].t_ns, 1800 * S);
    ck_assert_uint_eq(ab->qkd.trace[2].rate_bps, 50);
    ck_assert_double_eq_tol(ab->qkd.trace[0].qber, 0.01, 1e-15);
    ck_assert_int_eq(ab->classical_latency_ns, 7000);
    ck_assert_uint_eq(ab->classical_bandwidth_bps, 10000000);
    scn_free(s);
}
END_TEST

START_TEST(every_key_is_read_2)
{
    struct scn_scenario *s = load(full, NULL);
    ck_assert_int_eq(s->classical.latency_ns, 3 * MS);
    ck_assert_uint_eq(s->classical.queue_bytes, 65536);
    ck_assert_int_eq(s->classical.management, SCN_MANAGEMENT_IN_BAND);
    ck_assert_double_eq_tol(s->classical.loss, 0.01, 1e-15);
    ck_assert_double_eq_tol(s->classical.reorder, 0.003, 1e-15);
    ck_assert_int_eq(s->classical.reorder_jitter_ns, 4 * MS);
    ck_assert_int_eq(s->key_management.fallback, SCN_FALLBACK_NONE);
    ck_assert_int_eq(s->key_management.retention, SCN_RETENTION_PRESERVE);
    ck_assert_int_eq(s->key_management.relay_metadata, SCN_METADATA_OTP);
    ck_assert_int_eq(s->key_management.deployment, SCN_DEPLOYMENT_TWO);
    ck_assert_int_eq(s->key_management.processing_ns, 15 * MS);
    ck_assert_uint_eq(s->control.at, 1);
    ck_assert_int_eq(s->control.routing, SCN_ROUTING_FEWEST_HOPS);
    ck_assert_uint_eq(s->management.at, 0);
    const struct scn_application *p = &s->applications[0];
    ck_assert_uint_eq(p->key_bits, 1000);
    ck_assert_double_eq_tol(p->rate_per_s, 0.5, 1e-15);
    ck_assert_int_eq(p->offset_ns, 100 * MS);
    ck_assert(p->wait);
    ck_assert_int_eq(p->start_ns, S);
    ck_assert_int_eq(p->stop_ns, 3600 * S);
    ck_assert_uint_eq(s->applications[1].times_count, 3);
    ck_assert_int_eq(s->applications[1].times_ns[2], 2500 * MS);
    ck_assert_int_eq(s->applications[1].offset_ns, SCN_AUTO);
    ck_assert_int_eq(s->applications[2].offset_ns, 333333333); /* one period of 3 /s */
    ck_assert_uint_eq(s->fault_count, 3);
    ck_assert_int_eq(s->faults[0].what, SCN_FAULT_QUANTUM);
    ck_assert_int_eq(s->faults[0].for_ns, 300 * S);
    ck_assert_int_eq(s->faults[1].target, SCN_TARGET_NODE);
    ck_assert_uint_eq(s->faults[1].index, 1);
    ck_assert_int_eq(s->faults[1].what, SCN_FAULT_CRASH);
    ck_assert_int_eq(s->faults[1].for_ns, SCN_FOREVER);
    ck_assert_int_eq(s->faults[2].what, SCN_FAULT_DOWN);
    ck_assert_uint_eq(s->expect_count, 3);
    ck_assert_str_eq(s->expects[1].text, "link[AB].pool_min_bits > 0");
    ck_assert_str_eq(s->expects[1].figure, "pool_min_bits");
    ck_assert_str_eq(s->expects[1].where, "t.yaml:2:34");
    ck_assert_int_eq(s->expects[0].compare, SCN_GE);
    ck_assert_int_eq(s->expects[2].compare, SCN_NE);
    ck_assert_double_eq_tol(s->expects[2].number, 1000, 1e-9);
    scn_free(s);
}
END_TEST

/* Prints, loads, prints: equal texts and hashes; the structs are compared by what they print, and
 * every key of `full` differs from its default, so nothing can hide. */
START_TEST(print_loads_again)
{
    static const char *const texts[] = {small, full};
    struct scn_scenario *first = load(texts[_i], NULL);
    char *printed = scn_print(first);
    struct scn_scenario *second = load(printed, NULL);
    char *again = scn_print(second);
    ck_assert_str_eq(printed, again);
    char hash[65];
    char hash_again[65];
    ck_assert_int_eq(scn_hash(first, hash), 0);
    ck_assert_int_eq(scn_hash(second, hash_again), 0);
    ck_assert_str_eq(hash, hash_again);
    ck_assert_uint_eq(strlen(hash), 64);
    free(printed);
    free(again);
    scn_free(first);
    scn_free(second);
}
END_TEST

/* What `--show` prints for the small scenario, written down from docs/scenario.md. */
START_TEST(print_is_complete)
{
    static const char *const parts[] = {
        "scenario: \"small\"\nseed: 1\nseeds: {}\nduration: 2 min\nwarmup: 0 ns\nengine: simgrid\n",
        "    - {id: \"B\", name: \"B\", role: relay, operator: \"default\", community: "
        "\"default\", clock: {offset: 0 ns, "
        "drift: 0 ppm}, boundary: inside, compromised: false}\n",
        "    - {id: \"BC\", ends: [\"C\", \"B\"], length: 12500 m, loss: 2.5 dB, qkd: {model: "
        "rate, "
        "rate: 3 bit/s, qber: 0, block: 512 bit, blocks: regular, key_form: seed}, store: 64 Mbit, "
        "initial: 0 bit, "
        "classical: "
        "{latency: 62500 ns, bandwidth: 1 Gbit/s}}\n",
        "  classical: {bandwidth: 1 Gbit/s, latency: auto, queue: 1 MiB, management: separate, "
        "management_latency: 1 ms, management_bandwidth: 1 Gbit/s, loss: 0, duplicate: 0, reorder: "
        "0, reorder_jitter: 1 ms}\n",
        "key_management: {unit: 256 bit, store: 64 Mbit, relay: hop-by-hop, "
        "supply: on-demand, pool_low: 16, pool_high: 64, pool_batch: 16, fallback: none, "
        "fallback_reserve: 8 kbit, fallback_rekey: 10 min, "
        "bootstrap: 4 kbit, lease: 16 kbit, batch: 1, retransmit: 200 ms, retries: 5, expiry: 1 h, "
        "fetch_within: 1 min, retention: delete, timer: 10 min, relay_metadata: otp, deployment: "
        "one, processing: 0 ns}\n",
        "control: {routing: widest, paths: 3, mode: on-request, route_validity: 10 s, "
        "status_period: "
        "1 s, "
        "low_mark: 0 bit, reservable: 0.9, keep_route: false, at: \"A\", controller: "
        "true}\nmanagement: {at: "
        "\"A\"}\n",
        "  - {id: \"v\", from: \"A\", to: \"C\", key: 256 bit, count: 1, arrivals: poisson, rate: "
        "2 "
        "/s, level: otp-preferred, timeout: 5 s, wait: false, start: 0 ns, stop: 2 min}\n"
        "access: []\nfaults: []\n"};
    struct scn_scenario *s = load(small, NULL);
    char *printed = scn_print(s);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(printed, parts[i]) != NULL, "not found: %s\nin: %s", parts[i],
                      printed);
    }
    free(printed);
    scn_free(s);
}
END_TEST

/* Comments, order of keys, units and quotes do not change the hash; a value does. */
START_TEST(hash_is_of_the_meaning)
{
    static const char other[] =
        "# the same, written otherwise\n"
        "applications:\n  - from: 'A'\n    to: C\n    rate: 120 /min\n    id: v\n"
        "duration: 120 s\nengine: simgrid\n"
        "network: {links: [{ends: [A, B], id: AB, qkd: {rate: 0.304 Mbit/s, model: rate}},\n"
        "                  {id: BC, ends: [C, B], length: 12500 m, qkd: {rate: 3 bit/s}}],\n"
        "          nodes: [{id: A}, {id: B}, {id: C}]}\n"
        "seed: 1\nscenario: small\n";
    const char *texts[1] = {"seed=2"};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_scenario *a = load(small, NULL);
    struct scn_scenario *b = load(other, NULL);
    struct scn_scenario *c = load(small, &sets);
    char hash[3][65];
    ck_assert_int_eq(scn_hash(a, hash[0]) | scn_hash(b, hash[1]) | scn_hash(c, hash[2]), 0);
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_str_ne(hash[0], hash[2]);
    scn_free(a);
    scn_free(b);
    scn_free(c);
}
END_TEST

START_TEST(json_is_accepted)
{
    struct scn_scenario *s =
        load("{\"scenario\": \"j\", \"seed\": 7, \"duration\": \"1 min\",\n"
             " \"network\": {\"nodes\": [{\"id\": \"A\"}, {\"id\": \"B\", \"lat\": -1.5e1, "
             "\"lon\": 2}],\n"
             "  \"links\": [{\"id\": \"AB\", \"ends\": [\"A\", \"B\"],\n"
             "   \"qkd\": {\"rate\": \"1 Mbit\\/s\", \"qber\": 0.03}}]},\n"
             " \"applications\": [{\"id\": \"v\", \"from\": \"A\", \"to\": \"B\", "
             "\"rate\": \"2 /s\", \"wait\": true}]}",
             NULL);
    ck_assert_uint_eq(s->seed, 7);
    ck_assert_uint_eq(s->links[0].qkd.rate_bps, 1000000);
    ck_assert_double_eq_tol(s->nodes[1].lat, -15, 1e-12);
    ck_assert(s->applications[0].wait);
    scn_free(s);
}
END_TEST

START_TEST(overrides_change_values)
{
    const char *texts[] = {
        "control.routing=fewest-hops",        "applications[v].rate=10 /s",
        "applications[v].level=otp-only",     "network.links[BC].qkd.rate=8 kbit/s",
        "network.links[BC].qkd.block=4 kbit", "network.classical={latency: 1 ms}",
        "key_management.unit=512 bit",        "faults=[{at: 1 s, link: AB}]",
        "key_management.unit=1024 bit"};
    struct scn_sets sets = {.texts = texts, .count = sizeof texts / sizeof texts[0]};
    struct scn_scenario *s = load(small, &sets);
    ck_assert_int_eq(s->control.routing, SCN_ROUTING_FEWEST_HOPS);
    ck_assert_double_eq_tol(s->applications[0].rate_per_s, 10, 1e-12);
    ck_assert_int_eq(s->applications[0].level, SCN_LEVEL_OTP_ONLY);
    ck_assert_uint_eq(s->links[1].qkd.rate_bps, 8000);
    ck_assert_uint_eq(s->links[1].qkd.block_bits, 4000);
    ck_assert_uint_eq(s->links[0].qkd.rate_bps, 304000);
    ck_assert_int_eq(s->links[0].classical_latency_ns, MS);
    ck_assert_uint_eq(s->key_management.unit_bits, 1024);
    ck_assert_uint_eq(s->fault_count, 1);
    scn_free(s);
}
END_TEST

/* An override of one user of an anchor leaves the others alone. */
START_TEST(override_does_not_follow_aliases)
{
    static const char text[] = "scenario: alias\nduration: 1 s\nnetwork:\n"
                               "  nodes: [{id: A}, {id: B}, {id: C}]\n"
                               "  links:\n"
                               "    - {id: AB, ends: [A, B], qkd: &fast {rate: 9 kbit/s}}\n"
                               "    - {id: BC, ends: [B, C], qkd: *fast}\n";
    const char *texts[] = {"network.links[BC].qkd.rate=1 kbit/s"};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_scenario *s = load(text, &sets);
    ck_assert_uint_eq(s->links[0].qkd.rate_bps, 9000);
    ck_assert_uint_eq(s->links[1].qkd.rate_bps, 1000);
    scn_free(s);
}
END_TEST

/* A large default block is a quarter of the store: 304 Mbit/s make 3.04 Gbit in 10 s. One that comes
 * as bits fits in a message, and each pays for its confirmation. */
START_TEST(block_is_bounded_by_the_store)
{
    const char *texts[] = {"network.links[AB].qkd.rate=304 Mbit/s",
                           "network.links[BC].store=2201 bit",
                           "network.links[BC].qkd.rate=900 bit/s"};
    struct scn_sets sets = {.texts = texts, .count = 3};
    struct scn_scenario *s = load(small, &sets);
    ck_assert_uint_eq(s->links[0].qkd.block_bits, 16000000);
    ck_assert_uint_eq(s->links[1].qkd.block_bits, 544); /* 550, whole bytes */
    scn_free(s);
    texts[1] = "network.links[BC].store=1001 bit";
    texts[2] = "network.links[AB].qkd.key_form=bits";
    s = load(small, &sets);
    ck_assert_uint_eq(s->links[0].qkd.block_bits, 8000000);
    ck_assert_uint_eq(s->links[1].qkd.block_bits, 512);
    scn_free(s);
}
END_TEST

START_TEST(find_by_id)
{
    struct scn_scenario *s = load(small, NULL);
    ck_assert_uint_eq(scn_link_find(s, "BC"), 1);
    ck_assert_uint_eq(scn_link_find(s, ""), UINT32_MAX);
    ck_assert_str_eq(scn_engine_name(s->engine), "simgrid");
    ck_assert_str_eq(scn_level_name(SCN_LEVEL_OTP_ONLY), "otp-only");
    ck_assert_str_eq(scn_role_name(SCN_ROLE_BORDER), "border");
    ck_assert_str_eq(scn_fault_name(SCN_FAULT_CRASH), "crash");
    scn_free(s);
}
END_TEST

/* A network of 10,000 nodes: nothing in the loader is quadratic. */
START_TEST(large_network)
{
    enum { N = 10000 };
    size_t room = (size_t)N * 128 + 200;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    size_t used = (size_t)snprintf(
        text, room, "scenario: big\nengine: fast\nduration: 1 s\nnetwork:\n  nodes:\n");
    for (int i = 0; i < N; i++) {
        used += (size_t)snprintf(text + used, room - used, "    - {id: n%d}\n", i);
    }
    used += (size_t)snprintf(text + used, room - used, "  links:\n");
    for (int i = 1; i < N; i++) {
        used += (size_t)snprintf(text + used, room - used,
                                 "    - {id: l%d, ends: [n%d, n0], qkd: {rate: 9 kbit/s}}\n", i, i);
    }
    struct scn_scenario *s = load(text, NULL);
    ck_assert_uint_eq(s->node_count, N);
    ck_assert_uint_eq(s->link_count, N - 1);
    ck_assert_uint_eq(s->links[N - 2].a, N - 1);
    scn_free(s);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario load");
    TCase *tc = tcase_create("load");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, every_key_is_read);
    tcase_add_test(tc, every_key_is_read_2);
    tcase_add_loop_test(tc, print_loads_again, 0, 2);
    tcase_add_test(tc, print_is_complete);
    tcase_add_test(tc, hash_is_of_the_meaning);
    tcase_add_test(tc, json_is_accepted);
    tcase_add_test(tc, overrides_change_values);
    tcase_add_test(tc, override_does_not_follow_aliases);
    tcase_add_test(tc, block_is_bounded_by_the_store);
    tcase_add_test(tc, find_by_id);
    tcase_add_test(tc, large_network);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
