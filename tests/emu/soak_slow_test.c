/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A soak of the live world: a line of three nodes under load for ten minutes (QKDN_SOAK_S=180: as many seconds).
 * After a first part, in which tables and stores fill, the memory of each daemon, its store and
 * its open descriptors have to stay where they are; no message is refused, nobody loses contact. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/emu_live.h"
#include "tests/lib/emu_sae_load.h"

enum {
    BASE_PORT = 24100,
    DAEMONS = 7,
    SAMPLES = 60,
    CLIENTS = 4,
    EVERY_MS = 20,
    READY_MS = 60000,
    WAL_MOST_KIB = 8192
};

/* Blocks age out and the manager's table of records is full well before the first quarter is over. */
static const char scenario[] =
    "scenario: soak\nseed: 1\nduration: 1 h\nnetwork:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], qkd: {rate: 2 Mbit/s, block: 1 Mbit}}\n"
    "    - {id: BC, ends: [B, C], qkd: {rate: 2 Mbit/s, block: 1 Mbit}}\n"
    "key_management: {lease: 64 kbit, expiry: 20 s, timer: 20 s, store: 16 Mbit}\n"
    "control: {routing: fewest-hops, route_validity: 10 s}\n"
    "applications:\n"
    "  - {id: app0, from: A, to: C, rate: 1 /s}\n"
    "  - {id: app1, from: A, to: C, rate: 1 /s}\n"
    "  - {id: app2, from: A, to: C, rate: 1 /s}\n"
    "  - {id: app3, from: A, to: C, rate: 1 /s}\n";

/* Highest values of a part of the run. */
struct part {
    double memory_kib, store_kib, wal_kib;
    unsigned files_least, files_most;
};

static struct live_usage samples[SAMPLES][DAEMONS];

static struct part part_of(uint32_t daemon, unsigned from, unsigned to)
{
    struct part part = {.files_least = UINT32_MAX};
    for (unsigned i = from; i < to; i++) {
        const struct live_usage *sample = &samples[i][daemon];
        part.memory_kib = sample->anonymous_kib > part.memory_kib ? sample->anonymous_kib
                                                                  : part.memory_kib;
        part.store_kib = sample->store_kib > part.store_kib ? sample->store_kib : part.store_kib;
        part.wal_kib = sample->wal_kib > part.wal_kib ? sample->wal_kib : part.wal_kib;
        part.files_least = sample->files < part.files_least ? sample->files : part.files_least;
        part.files_most = sample->files > part.files_most ? sample->files : part.files_most;
    }
    return part;
}

static void daemon_print(const char *name, uint32_t daemon)
{
    enum { PARTS = 10 };
    (void)printf("%-9s CPU %.1f s; in each tenth: memory", name,
                 samples[SAMPLES - 1][daemon].cpu_s);
    for (unsigned i = 0; i < PARTS; i++) {
        (void)printf(" %.0f",
                     part_of(daemon, i * SAMPLES / PARTS, (i + 1) * SAMPLES / PARTS).memory_kib);
    }
    (void)printf(" KiB; store");
    for (unsigned i = 0; i < PARTS; i++) {
        (void)printf(" %.0f",
                     part_of(daemon, i * SAMPLES / PARTS, (i + 1) * SAMPLES / PARTS).store_kib);
    }
    struct part all = part_of(daemon, 0, SAMPLES);
    (void)printf(" KiB; its log at most %.0f KiB; %u to %u files\n", all.wal_kib, all.files_least,
                 all.files_most);
}

static void daemon_check(const struct live *live, uint32_t daemon)
{
    const char *name = live->deployment->daemons[daemon].name;
    struct part before = part_of(daemon, SAMPLES / 4, SAMPLES / 2);
    struct part after = part_of(daemon, SAMPLES * 3 / 4, SAMPLES);
    ck_assert_msg(after.memory_kib <= 1.02 * before.memory_kib + 256, "%s: memory grows", name);
    ck_assert_msg(after.store_kib <= 1.02 * before.store_kib + 256, "%s: its store grows", name);
    ck_assert_msg(after.wal_kib <= WAL_MOST_KIB, "%s: its store's log is too long", name);
    ck_assert_msg(after.files_most <= before.files_most, "%s: more and more files are open", name);
    static const char *const zero[] = {
        "qkdn_tag_failures_total",   "qkdn_bad_bytes_total", "qkdn_authentication_failures_total",
        "qkdn_frames_spoofed_total", "qkdn_dropped_total",   "qkdn_store_refused_total",
        "qkdn_channels_missing"};
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        double value = live_metric(live, daemon, zero[i]);
        ck_assert_msg(value == 0, "%s: %s is %.0f", name, zero[i], value);
    }
}

/* At a rate of its own, so that tables are not larger whenever the machine has more time.
 * Works for half of a sample's time and rests for the other: both count. */
static void work(const struct live *live, struct sae_load *load, double seconds)
{
    struct sae_load_figures figures;
    uint64_t keys = 0;
    uint64_t refused = 0;
    for (unsigned i = 0; i < 60 && keys == 0; i++) { /* the first blocks */
        ck_assert(sae_load_run(load, 0.5, &figures));
        keys += figures.keys;
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        double rest_s = seconds / SAMPLES / 2;
        ck_assert(sae_load_run(load, seconds / SAMPLES / 2, &figures));
        (void)nanosleep(&(struct timespec){(time_t)rest_s,
                                           (long)((rest_s - (double)(time_t)rest_s) * 1e9)},
                        NULL);
        for (uint32_t k = 0; k < DAEMONS; k++) {
            ck_assert(live_usage(live, k, &samples[i][k]));
        }
        keys += figures.keys;
        refused += i < SAMPLES / 4 ? 0 : figures.refused;
        ck_assert_msg(figures.keys > 0, "no key in sample %u", i);
    }
    (void)printf("%.0f s: %llu keys, compared at both ends; %llu requests refused after the first "
                 "quarter\n",
                 seconds, (unsigned long long)keys, (unsigned long long)refused);
    ck_assert_uint_eq(refused, 0);
}

START_TEST(nothing_grows)
{
    struct live live;
    char pki[256];
    const char *text = getenv("QKDN_SOAK_S");
    ck_assert(live_start(&live, scenario, BASE_PORT));
    ck_assert_uint_eq(live.deployment->count, DAEMONS);
    ck_assert(live_ready(&live, READY_MS));
    (void)snprintf(pki, sizeof pki, "%s/pki", live.folder);
    struct sae_load_config config = {
        .pki = pki,
        .master_kme = live.deployment->daemons[live_find(&live, "kmd.A")].etsi014,
        .slave_kme = live.deployment->daemons[live_find(&live, "kmd.C")].etsi014,
        .prefix = "app",
        .master_site = "A",
        .slave_site = "C",
        .clients = CLIENTS,
        .number = 1,
        .every_ms = EVERY_MS};
    struct sae_load *load = sae_load_open(&config);
    ck_assert_ptr_nonnull(load);
    work(&live, load, text != NULL ? strtod(text, NULL) : 600);
    for (uint32_t i = 0; i < DAEMONS; i++) {
        daemon_print(live.deployment->daemons[i].name, i);
    }
    for (uint32_t i = 0; i < DAEMONS; i++) {
        daemon_check(&live, i);
    }
    sae_load_close(load);
    ck_assert(live_stop(&live));
}
END_TEST

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* also when an assertion ends the child */
    Suite *suite = suite_create("soak");
    TCase *tcase = tcase_create("live");
    tcase_set_timeout(tcase, 1700);
    tcase_add_test(tcase, nothing_grows);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
