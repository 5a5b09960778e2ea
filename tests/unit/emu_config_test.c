/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A daemon's configuration (emu/deploy/config.h). Expected instants are those of GNU date (date -u -d ... +%s);
 * places of mistakes are counted by hand. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/config.h"

static char folder[64], file[96];
static struct emu_config *config;
static struct scn_errors errors;

static const char scenario[] =
    "scenario: pair\nduration: 10 s\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
    "  links: [{id: AB, ends: [A, B], length: 1 km, qkd: {rate: 1 kbit/s}}]\n";

static void put(const char *name, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/qkdn_config_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/c.yaml", folder);
    put("s.yaml", scenario);
}

static void teardown(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    scn_errors_fini(&errors);
    emu_config_free(config);
    config = NULL;
}

static int load(const char *text)
{
    put("c.yaml", text);
    return emu_config_load(file, &config, &errors);
}

#define SHORT                                                                                      \
    "daemon: kmd.A\nscenario: s.yaml\nlisten: 127.0.0.1:7101\n"                                    \
    "certificates: {authority: ca.crt, certificate: kmd.A.crt, key: kmd.A.key}\n"                  \
    "secrets: kmd.A.secrets\nstore: kmd.A.db\nunlock: {file: kmd.A.unlock}\n"

static void line_is(size_t number, const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "%s%s", file, text);
    ck_assert_uint_gt(errors.count, number);
    ck_assert_str_eq(errors.lines[number], line);
}

START_TEST(all_keys)
{
    ck_assert_int_eq(load(SHORT
                          "peers:\n  - {name: kmd.B, address: 'host:7102'}\n"
                          "  - {name: linkd.AB, address: '[::1]:7105'}\n"
                          "etsi014: {listen: 0.0.0.0:8443, identity: cn}\n"
                          "status: 127.0.0.1:9101\nlog: {file: /var/log/k, level: debug}\n"
                          "flight: k.flight\nepoch: 2026-11-22T17:51:00.25Z\nload: scenario\n"),
                     0);
    char path[128];
    snprintf(path, sizeof path, "%s/kmd.A.db", folder);
    ck_assert_str_eq(config->store, path);
    ck_assert_str_eq(config->log.file, "/var/log/k");
    ck_assert_int_eq(config->kind, EMU_KMD);
    ck_assert_uint_eq(config->number, 0);
    ck_assert_uint_eq(config->index, 0);
    ck_assert_uint_eq(config->peer_count, 2);
    ck_assert_uint_eq(config->peers[0].number, 1);
    ck_assert_uint_eq(config->peers[1].number, 4);
    ck_assert_str_eq(config->peers[1].address, "[::1]:7105");
    ck_assert_int_eq(config->etsi014.identity, EMU_IDENTITY_CN);
    ck_assert_int_eq(config->log.level, 3);
    ck_assert_int_eq(config->epoch_ns, INT64_C(1795369860250000000));
    ck_assert_int_eq(config->load, EMU_LOAD_SCENARIO);
    ck_assert_uint_eq(config->scenario->link_count, 1);
}
END_TEST

START_TEST(defaults)
{
    ck_assert_int_eq(load(SHORT), 0);
    ck_assert_uint_eq(config->peer_count, 0);
    ck_assert_str_eq(config->etsi014.listen, "");
    ck_assert_str_eq(config->status, "");
    ck_assert_str_eq(config->log.file, "");
    ck_assert_int_eq(config->log.level, 2);
    ck_assert_int_eq(config->epoch_ns, EMU_EPOCH_NONE);
    ck_assert_int_eq(config->keys, EMU_KEYS_RANDOM);
    ck_assert_int_eq(config->load, EMU_LOAD_NONE);
}
END_TEST

START_TEST(all_mistakes_at_once)
{
    ck_assert_int_eq(load("daemon: kmd.C\nscenario: s.yaml\nlisten: 7101\nlitsen: x\n"
                          "certificates: {authority: ca.crt, key: kmd.A.key}\n"
                          "secrets: s\nstore: d\nunlock: {}\n"
                          "peers:\n  - {name: linkd.AC, address: 'h:1'}\n  - {name: kmd.B}\n"
                          "epoch: tomorrow\nlog: {level: loud}\n"),
                     QKD_ERR_INVALID);
    ck_assert_ptr_null(config);
    size_t n = 0;
    line_is(n++, ":1:9: the scenario has no daemon 'kmd.C': did you mean 'kmd.A'?");
    line_is(n++, ":3:9: listen '7101': expected HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000");
    line_is(n++, ":4:1: unknown key 'litsen' in the configuration of a daemon: did you mean "
                 "'listen'?");
    line_is(n++, ":5:15: the key 'certificate' is missing in certificates: expected the file with "
                 "this daemon's certificate");
    line_is(n++, ":8:9: unlock: expected either file or environment");
    line_is(n++, ":10:12: the scenario has no daemon 'linkd.AC': did you mean 'linkd.AB'?");
    line_is(n++,
            ":11:5: the key 'address' is missing in peer: expected where it listens: HOST:PORT");
    line_is(n++,
            ":12:8: epoch 'tomorrow' is no instant: expected nanoseconds since 1970 UTC, or one "
            "such as 2026-11-22T18:00:00Z");
    line_is(n++, ":13:14: unknown level 'loud': expected one of error, warn, info, debug");
    ck_assert_uint_eq(errors.count, n);
}
END_TEST

START_TEST(keys_of_other_kinds)
{
    ck_assert_int_eq(load("daemon: linkd.AB\nscenario: s.yaml\nlisten: h:1\nsecrets: s\nstore: d\n"
                          "certificates: {authority: a, certificate: b, key: c}\n"
                          "unlock: {environment: UNLOCK}\nkeys: scenario\nload: scenario\n"
                          "peers: [{name: linkd.AB, address: 'h:1'}]\n"),
                     QKD_ERR_INVALID);
    line_is(0, ":9:1: the key 'load' is for a kmd: 'linkd.AB' is none");
    line_is(1, ":10:16: the daemon 'linkd.AB' is its own peer: expected others only");
    ck_assert_uint_eq(errors.count, 2);
}
END_TEST

/* What is wrong in the scenario comes with what is wrong here. */
START_TEST(bad_scenario)
{
    put("s.yaml", "scenario: s\nduration: no\nnetwork: {nodes: [{id: A}]}\n");
    ck_assert_int_eq(load(SHORT "peers: [{name: kmd.B, address: x}]\n"), QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, 2);
    line_is(0, ":8:32: address 'x': expected HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000");
    ck_assert_ptr_nonnull(strstr(errors.lines[1], "/s.yaml:2:11: duration 'no'"));
}
END_TEST

START_TEST(missing_files)
{
    ck_assert_int_eq(emu_config_load(file, &config, &errors), QKD_ERR_IO);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_ptr_nonnull(strstr(errors.lines[0], "/c.yaml: cannot open '"));
}
END_TEST

START_TEST(missing_scenario)
{
    ck_assert_int_eq(load("daemon: ctld\nscenario: none.yaml\nlisten: h:1\nsecrets: s\nstore: d\n"
                          "certificates: {authority: a, certificate: b, key: c}\n"
                          "unlock: {environment: UNLOCK}\n"),
                     QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_ptr_nonnull(strstr(errors.lines[0], "/none.yaml: cannot open"));
}
END_TEST

START_TEST(instants)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: none */
    } rows[] = {
        {"0", 0},
        {"1795369860250000000", INT64_C(1795369860250000000)},
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T12:00:00Z", INT64_C(951825600000000000)},
        {"2100-03-01T00:00:00Z", INT64_C(4107542400000000000)},
        {"2026-11-22T17:51:00.000000001+01:00", INT64_C(1795366260000000001)},
        {"2026-11-22 17:51:00z", INT64_C(1795369860000000000)},
        {"1970-01-01T00:00:00-00:30", INT64_C(1800000000000)},
        {"2261-12-31T23:59:59.999999999Z", INT64_C(9214646399999999999)},
        {"", -1},
        {"-1", -1},
        {"9214646400000000000", -1},
        {"99999999999999999999", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"2262-01-01T00:00:00Z", -1},
        {"2026-02-29T00:00:00Z", -1},
        {"2100-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-11-22T24:00:00Z", -1},
        {"2026-11-22T17:51:60Z", -1},
        {"2026-11-22T17:51:00", -1},
        {"2026-11-22T17:51:00.Z", -1},
        {"2026-11-22T17:51:00.0000000001Z", -1},
        {"2026-11-22T17:51:00Zx", -1},
        {"2026-11-22", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = -2;
        bool good = emu_epoch_parse(rows[i].text, &ns);
        ck_assert_msg(good == (rows[i].ns >= 0) && (!good || ns == rows[i].ns), "%s: %lld",
                      rows[i].text, (long long)ns);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, all_keys);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, all_mistakes_at_once);
    tcase_add_test(tests, keys_of_other_kinds);
    tcase_add_test(tests, bad_scenario);
    tcase_add_test(tests, missing_files);
    tcase_add_test(tests, missing_scenario);
    tcase_add_test(tests, instants);
    Suite *suite = suite_create("emu_config");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
