/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ETSI GS QKD 014 at real daemons: a deployment of line-3 with a second application, as `qkdn render` writes
 * it, and the independent client, who asks kmd.A as a master and kmd.C as a slave: keys are relayed over two
 * hops. E14-01 ... E14-18 as in etsi014_test.c. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT = 8192, PORTS = 1100, PORT_LOW = 20000, ETSI = 2, PER_DAEMON = 10 };

static char folder[64];
static unsigned port; /* of the first daemon */
static pid_t child;

/* What a command prints. */
static const char *shell(const char *command)
{
    static char output[OUTPUT];
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t len = fread(output, 1, OUTPUT - 1, pipe);
    output[len] = '\0';
    while (fgetc(pipe) != EOF) { /* to its end */
    }
    (void)pclose(pipe);
    return output;
}

static void setup(void)
{
    char command[1000];
    (void)snprintf(folder, sizeof folder, "/tmp/qkdn-daemons-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    port = PORT_LOW + (unsigned)getpid() % PORTS * PER_DAEMON;
    (void)snprintf(command, sizeof command,
                   "printf 'extends: %%s/scenarios/line-3.yaml\\napplications:\\n"
                   "  - {id: audio, from: A, to: C, key: 128 bit, rate: 1 /s}\\n"
                   "  - {id: conf, from: A, to: B, also: [C], rate: 1 /h}\\n' \"$PWD\" "
                   "> '%s/two.yaml' && \"$QKDN\" render '%s/two.yaml' -o '%s/dir' --base-port %u "
                   "--quiet 2>&1",
                   folder, folder, folder, port);
    const char *output = shell(command);
    ck_assert_msg(strstr(output, "qkdn:") == NULL, "%s", output);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)snprintf(command, sizeof command,
                       "export QKDN_BIN=\"${QKDN%%/*}\"; exec sh '%s/dir/start.sh' "
                       "> '%s/output' 2>&1",
                       folder, folder);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
}

static void teardown(void)
{
    char command[128];
    int status = -1;
    (void)kill(child, SIGTERM);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    (void)shell(command);
}

START_TEST(independent_client)
{
    char command[2000];
    (void)snprintf(
        command, sizeof command,
        "here=$PWD; cd '%s/dir/pki' || exit 1; for i in $(seq 300); do "
        "curl -fs http://127.0.0.1:%u/healthz && curl -fs http://127.0.0.1:%u/healthz "
        "&& break; sleep 0.2; done; python3 \"$here\"/tests/emu/etsi014_client.py "
        "--must-401 --wait 60 --ca ca.crt --master-kme 127.0.0.1:%u --slave-kme 127.0.0.1:%u "
        "--master video.A:sae.video.A.crt:sae.video.A.key "
        "--slave video.C:sae.video.C.crt:sae.video.C.key "
        "--third audio.C:sae.audio.C.crt:sae.audio.C.key 2>&1 | "
        "{ grep -v '^ok' ; cat '%s/output' ; }",
        folder, port + 1, port + 2 * PER_DAEMON + 1, port + ETSI, port + 2 * PER_DAEMON + ETSI,
        folder);
    const char *output = shell(command);
    ck_assert_msg(strstr(output, "checks passed, 0 failed") != NULL &&
                      strstr(output, "FAIL") == NULL,
                  "%s", output);
}
END_TEST

/* E14-12 with a master whose keys may go to B and C: one KME next to it, one behind that. */
START_TEST(several_slaves)
{
    char command[2000];
    (void)snprintf(
        command, sizeof command,
        "here=$PWD; cd '%s/dir/pki' || exit 1; for i in $(seq 300); do "
        "curl -fs http://127.0.0.1:%u/healthz && curl -fs http://127.0.0.1:%u/healthz "
        "&& break; sleep 0.2; done; python3 \"$here\"/tests/emu/etsi014_client.py "
        "--only E14-12 --wait 60 --ca ca.crt --master-kme 127.0.0.1:%u --slave-kme 127.0.0.1:%u "
        "--master conf.A:sae.conf.A.crt:sae.conf.A.key "
        "--slave conf.B:sae.conf.B.crt:sae.conf.B.key "
        "--also conf.C.C:sae.conf.C.C.crt:sae.conf.C.C.key --also-kme 127.0.0.1:%u 2>&1 | "
        "{ grep -v '^ok' ; cat '%s/output' ; }",
        folder, port + PER_DAEMON + 1, port + 2 * PER_DAEMON + 1, port + ETSI,
        port + PER_DAEMON + ETSI, port + 2 * PER_DAEMON + ETSI, folder);
    const char *output = shell(command);
    ck_assert_msg(strstr(output, "12 checks passed, 0 failed") != NULL, "%s", output);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemons_etsi014");
    TCase *c = tcase_create("line-3");
    tcase_set_timeout(c, 200);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, independent_client);
    tcase_add_test(c, several_slaves);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
