/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deployments (emu/deploy/deployment.h, emu/deploy/render.h): what is written is read back with the readers that daemons
 * use; modes, ports and who has which secret are as docs/live.md says. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/deploy/config.h"
#include "emu/deploy/render.h"
#include "emu/deploy/secrets.h"
#include "emu/net/pki.h"
#include "emu/store/unlock.h"

static char top[64], folder[80];
static struct scn_scenario *scenario;
static struct emu_deployment *deployment;
static struct emu_why why;

static void scenario_load(const char *path)
{
    struct scn_errors errors;
    scn_free(scenario);
    ck_assert_int_eq(scn_load(path, NULL, &scenario, &errors), 0);
    scn_errors_fini(&errors);
}

static void setup(void)
{
    snprintf(top, sizeof top, "/tmp/qkdn_render_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(folder, sizeof folder, "%s/d", top);
    scenario_load("scenarios/line-3.yaml");
}

static void teardown(void)
{
    ck_assert_int_eq(emu_folder_remove(top, &why), 0);
    emu_deployment_free(deployment);
    deployment = NULL;
    scn_free(scenario);
    scenario = NULL;
}

static int make(struct emu_render how)
{
    how.folder = folder;
    emu_deployment_free(deployment);
    deployment = NULL;
    return emu_render(scenario, &how, &deployment, &why);
}

static const struct emu_render usual = {.epoch_ns = EMU_EPOCH_NONE};

/* How many names are in a folder. */
static size_t entries(const char *path)
{
    DIR *list = opendir(path);
    ck_assert_ptr_nonnull(list);
    size_t count = 0;
    while (readdir(list) != NULL) {
        count++;
    }
    (void)closedir(list);
    return count - 2;
}

static struct emu_config *config_of(const struct emu_deployed *daemon)
{
    char path[512];
    struct emu_config *config = NULL;
    struct scn_errors errors;
    snprintf(path, sizeof path, "%s/%s/daemon.yaml", folder, daemon->folder);
    int err = emu_config_load(path, &config, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "?");
    scn_errors_fini(&errors);
    return config;
}

static struct emu_secrets *secrets_of(size_t number)
{
    char path[512];
    struct emu_secrets *secrets = NULL;
    snprintf(path, sizeof path, "%s/%s/secrets", folder, deployment->daemons[number].folder);
    ck_assert_msg(emu_secrets_load(path, &secrets, &why) == 0, "%s", why.text);
    return secrets;
}

/* Every daemon can read what was made for it, and agrees with the plan. */
static void daemons_check(void)
{
    char hash[65];
    char own[65];
    ck_assert_int_eq(scn_hash(scenario, hash), 0);
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        struct emu_config *config = config_of(daemon);
        struct emu_unlock unlock;
        ck_assert_str_eq(config->daemon, daemon->name);
        ck_assert_uint_eq(config->number, i);
        ck_assert_str_eq(config->listen, daemon->listen);
        ck_assert_str_eq(config->status, daemon->status);
        ck_assert_str_eq(config->etsi014.listen, daemon->etsi014);
        ck_assert_int_eq(scn_hash(config->scenario, own), 0);
        ck_assert_str_eq(own, hash);
        ck_assert_int_eq(emu_unlock_read(&unlock, config->unlock.file, NULL, &why), 0);
        ck_assert_uint_eq(unlock.len, 64);
        ck_assert_int_eq(access(config->certificates.authority, R_OK), 0);
        ck_assert_int_eq(access(config->certificates.certificate, R_OK), 0);
        ck_assert_int_eq(access(config->certificates.key, R_OK), 0);
        for (size_t p = 0; p < config->peer_count; p++) {
            ck_assert_str_eq(config->peers[p].address,
                             deployment->daemons[config->peers[p].number].listen);
            ck_assert(emu_place_talk(scenario, (uint32_t)i, config->peers[p].number));
        }
        emu_config_free(config);
    }
}

/* Two daemons that talk derive the same secret of two elements, others none. */
static void secrets_check(void)
{
    struct emu_secrets_ends ends = {QKD_RP_KX1, {1}, {2}};
    struct emu_secrets *all[64];
    ck_assert_uint_le(deployment->count, 64);
    for (size_t i = 0; i < deployment->count; i++) {
        all[i] = secrets_of(i);
    }
    for (size_t i = 0; i < deployment->count; i++) {
        for (size_t k = 0; k < deployment->count; k++) {
            uint8_t one[32] = {0};
            uint8_t other[32] = {0};
            bool talk = i == k || emu_place_talk(scenario, (uint32_t)i, (uint32_t)k);
            int err = emu_secrets_pair(all[i], deployment->daemons[k].name, &ends, one);
            ck_assert_int_eq(err, talk ? 0 : QKD_ERR_UNKNOWN);
            err = emu_secrets_pair(all[k], deployment->daemons[i].name, &ends, other);
            ck_assert_int_eq(err, talk ? 0 : QKD_ERR_UNKNOWN);
            ck_assert_mem_eq(one, other, 32);
        }
    }
    for (size_t i = 0; i < deployment->count; i++) {
        emu_secrets_free(all[i]);
    }
}

START_TEST(line)
{
    ck_assert_msg(make(usual) == 0, "%s", why.text);
    ck_assert_uint_eq(deployment->count, 7);
    daemons_check();
    secrets_check();
    ck_assert_str_eq(deployment->daemons[2].listen, "127.0.0.1:7120");
    ck_assert_str_eq(deployment->daemons[2].status, "127.0.0.1:7121");
    ck_assert_str_eq(deployment->daemons[2].etsi014, "127.0.0.1:7122");
    ck_assert_str_eq(deployment->daemons[6].name, "linkd.BC");
    ck_assert_str_eq(deployment->daemons[6].listen, "127.0.0.1:7160");
    ck_assert_str_eq(deployment->daemons[6].etsi014, "");
    ck_assert_uint_eq(entries(top), 1);
    /* Seven daemons; README, deployment.json, pki, scenario.yaml, start.sh. */
    ck_assert_uint_eq(entries(folder), 12);
    char path[128];
    snprintf(path, sizeof path, "%s/pki", folder);
    ck_assert_uint_eq(entries(path), 2 + 2 * 2); /* the authority, two SAEs */
}
END_TEST

START_TEST(tokyo)
{
    scenario_load("scenarios/tokyo-2010.yaml");
    ck_assert_msg(make(usual) == 0, "%s", why.text);
    ck_assert_uint_eq(deployment->count, scenario->node_count + 2 + scenario->link_count);
    daemons_check();
    secrets_check();
}
END_TEST

START_TEST(choices)
{
    struct emu_render how = {.epoch_ns = 1795369860250000000,
                             .keys = EMU_KEYS_SCENARIO,
                             .load = EMU_LOAD_SCENARIO,
                             .flight = true,
                             .hosts = {.base_port = 20000}};
    ck_assert_int_eq(make(how), 0);
    struct emu_config *kmd = config_of(&deployment->daemons[0]);
    struct emu_config *linkd = config_of(&deployment->daemons[5]);
    char path[128];
    snprintf(path, sizeof path, "%s/linkd.AB/flight", folder);
    ck_assert_str_eq(deployment->daemons[0].listen, "127.0.0.1:20000");
    ck_assert_int_eq(kmd->load, EMU_LOAD_SCENARIO);
    ck_assert_int_eq(linkd->keys, EMU_KEYS_SCENARIO);
    ck_assert_int_eq(linkd->epoch_ns, 1795369860250000000);
    ck_assert_str_eq(linkd->flight, path);
    emu_config_free(kmd);
    emu_config_free(linkd);
}
END_TEST

static unsigned mode_of(const char *name)
{
    struct stat about;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg(stat(path, &about) == 0, "%s", path);
    return about.st_mode & 07777;
}

START_TEST(modes)
{
    (void)umask(0);
    ck_assert_int_eq(make(usual), 0);
    ck_assert_uint_eq(mode_of("."), 0700);
    ck_assert_uint_eq(mode_of("pki"), 0700);
    ck_assert_uint_eq(mode_of("kmd.A"), 0700);
    ck_assert_uint_eq(mode_of("pki/ca.key"), 0600);
    ck_assert_uint_eq(mode_of("pki/sae.video.A.key"), 0600);
    ck_assert_uint_eq(mode_of("kmd.A/daemon.key"), 0600);
    ck_assert_uint_eq(mode_of("kmd.A/secrets"), 0600);
    ck_assert_uint_eq(mode_of("kmd.A/unlock"), 0600);
    ck_assert_uint_eq(mode_of("start.sh"), 0755);
    ck_assert_uint_eq(mode_of("kmd.A/daemon.yaml"), 0644);
    (void)umask(0777); /* modes do not hang on it */
    struct emu_render how = usual;
    how.force = true;
    ck_assert_msg(make(how) == 0, "%s", why.text);
    (void)umask(022);
    ck_assert_uint_eq(mode_of("kmd.A/secrets"), 0600);
    ck_assert_uint_eq(mode_of("kmd.A"), 0700);
}
END_TEST

START_TEST(several_hosts)
{
    struct emu_render how = usual;
    const char *nodes[] = {NULL, "fe80::2", "c.example"};
    how.hosts = (struct emu_hosts){.usual = "10.0.0.1", .nodes = nodes};
    ck_assert_msg(make(how) == 0, "%s", why.text);
    ck_assert_uint_eq(deployment->host_count, 3);
    ck_assert_str_eq(deployment->hosts[1].root, "hosts/fe80::2");
    ck_assert_str_eq(deployment->daemons[1].listen, "[fe80::2]:7110");
    ck_assert_str_eq(deployment->daemons[1].status, "127.0.0.1:7111");
    ck_assert_str_eq(deployment->daemons[2].folder, "hosts/c.example/kmd.C");
    ck_assert_str_eq(deployment->daemons[3].folder, "hosts/10.0.0.1/ctld"); /* control at A */
    ck_assert_str_eq(deployment->daemons[6].folder, "hosts/fe80::2/linkd.BC");
    daemons_check();
    secrets_check();
    char path[128];
    snprintf(path, sizeof path, "%s/hosts/c.example", folder);
    ck_assert_uint_eq(entries(path), 3); /* scenario.yaml, start.sh, kmd.C: nothing of others */
}
END_TEST

START_TEST(read_back)
{
    struct emu_render how = usual;
    const char *nodes[] = {"a", "b", "a"};
    how.hosts.nodes = nodes;
    ck_assert_int_eq(make(how), 0);
    struct emu_deployment *again = NULL;
    ck_assert_int_eq(emu_deployment_read(folder, &again, &why), 0);
    ck_assert_str_eq(again->scenario, deployment->scenario);
    ck_assert_uint_eq(again->host_count, 2);
    ck_assert_uint_eq(again->count, deployment->count);
    ck_assert_mem_eq(again->hosts, deployment->hosts, 2 * sizeof *again->hosts);
    for (size_t i = 0; i < again->count; i++) {
        const struct emu_deployed *a = &again->daemons[i];
        const struct emu_deployed *b = &deployment->daemons[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_int_eq(a->kind, b->kind);
        ck_assert_uint_eq(a->host, b->host);
        ck_assert_str_eq(a->folder, b->folder);
        ck_assert_str_eq(a->listen, b->listen);
        ck_assert_str_eq(a->status, b->status);
        ck_assert_str_eq(a->etsi014, b->etsi014);
    }
    const char *near = NULL;
    ck_assert_uint_eq(emu_deployment_find(again, "linkd.AB", &near), 5);
    ck_assert_uint_eq(emu_deployment_find(again, "kmdA", &near), EMU_NOWHERE);
    ck_assert_str_eq(near, "kmd.A");
    emu_deployment_free(again);
}
END_TEST

START_TEST(bad_deployment_files)
{
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        {"{", QKD_ERR_FORMAT},
        {"[]", QKD_ERR_FORMAT},
        {"{\"deployment\": 2, \"scenario\": \"s\", \"hosts\": [], \"daemons\": []}",
         QKD_ERR_FORMAT},
        {"{\"deployment\": 1, \"scenario\": \"s\", \"hosts\": [], \"daemons\": [7]}",
         QKD_ERR_FORMAT},
        {"{\"deployment\": 1, \"scenario\": \"s\", \"daemons\": [], \"hosts\": [{\"host\": \"h\", "
         "\"root\": \"a/../../b\"}]}",
         QKD_ERR_FORMAT},
        {"{\"deployment\": 1, \"scenario\": \"s\", \"hosts\": [], \"daemons\": []}", 0},
    };
    char path[128];
    snprintf(path, sizeof path, "%s/deployment.json", top);
    ck_assert_int_eq(emu_deployment_read(top, &deployment, &why), QKD_ERR_UNKNOWN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)unlink(path);
        ck_assert_int_eq(emu_file_write(path, 0644, rows[i].text, strlen(rows[i].text), &why), 0);
        ck_assert_int_eq(emu_deployment_read(top, &deployment, &why), rows[i].err);
    }
}
END_TEST

START_TEST(there_already)
{
    ck_assert_int_eq(make(usual), 0);
    struct emu_render how = usual;
    ck_assert_int_eq(make(how), QKD_ERR_EXISTS);
    how.force = true;
    ck_assert_int_eq(make(how), 0);
    daemons_check();
    ck_assert_uint_eq(entries(top), 1);
    /* A folder of somebody else is never replaced, nor is a file. */
    snprintf(folder, sizeof folder, "%s/other", top);
    ck_assert_int_eq(emu_folder_make(folder, 0700, &why), 0);
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    snprintf(folder, sizeof folder, "%s/file", top);
    ck_assert_int_eq(emu_file_write(folder, 0600, "x", 1, &why), 0);
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    ck_assert_uint_eq(entries(top), 3);
}
END_TEST

/* What cannot be made leaves nothing. */
START_TEST(refused)
{
    struct emu_render how = usual;
    const char *mixed[] = {"10.0.0.1", NULL, "10.0.0.2"};
    const char *bad[] = {"a b", "a", "a"};
    const char *dots[] = {"..", "..", ".."};
    how.hosts.nodes = mixed;
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    ck_assert_str_eq(why.text, "node 'B' is on this machine (127.0.0.1), which other hosts cannot "
                               "reach: expected a host for each node");
    how.hosts.nodes = bad;
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    how.hosts.nodes = dots;
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    how.hosts = (struct emu_hosts){.base_port = 65500};
    ck_assert_int_eq(make(how), QKD_ERR_RANGE);
    ck_assert_str_eq(why.text,
                     "mgrd: its ports lie beyond 65535: expected a base port below 65474");
    how.hosts.base_port = 65473;
    ck_assert_int_eq(make(how), 0);
    ck_assert_int_eq(emu_folder_remove(folder, &why), 0);
    how.hosts.base_port = 65474;
    ck_assert_int_eq(make(how), QKD_ERR_RANGE);
    /* An SAE whose name no certificate can carry: found late, after much was written. */
    how = usual;
    memset(scenario->applications[0].id, 'v', 63);
    ck_assert_int_eq(make(how), QKD_ERR_INVALID);
    ck_assert_uint_eq(entries(top), 0);
    snprintf(folder, sizeof folder, "%s/no/where", top);
    ck_assert_int_eq(make(usual), QKD_ERR_IO);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("render");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, line);
    tcase_add_test(tests, tokyo);
    tcase_add_test(tests, choices);
    tcase_add_test(tests, modes);
    tcase_add_test(tests, several_hosts);
    tcase_add_test(tests, read_back);
    tcase_add_test(tests, bad_deployment_files);
    tcase_add_test(tests, there_already);
    tcase_add_test(tests, refused);
    Suite *suite = suite_create("emu_render");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
