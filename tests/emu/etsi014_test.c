/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ETSI GS QKD 014 server over real TLS, before a KME that invents its keys (tests/lib/emu_kme.h): tried
 * with curl, with the independent client etsi014_client.py (E14-01 ... E14-18), and with what no client
 * would do. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "emu/net/pki.h"
#include "tests/lib/emu_kme.h"

enum { OUTPUT = 8192 };

static struct kme kme;

static void setup(void)
{
    kme_start(&kme);
}

static void teardown(void)
{
    ck_assert_int_eq(kme_stop(&kme), 0);
}

/* Runs a shell command; what it printed, and its exit code. */
static int shell(const char *command, char output[OUTPUT])
{
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t len = fread(output, 1, OUTPUT - 1, pipe);
    output[len] = '\0';
    while (fgetc(pipe) != EOF) { /* to its end */
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static struct emu_pki_files files_of(const char *folder, enum emu_pki_kind kind, const char *name)
{
    struct emu_pki_files files;
    struct emu_pki_subject subject = {.kind = kind, .name = name};
    ck_assert_int_eq(emu_pki_files(folder, &subject, &files, NULL), 0);
    return files;
}

/* The standard's tests, by the independent client. */
START_TEST(independent_client)
{
    char other[96];
    (void)snprintf(other, sizeof other, "%s/other", kme.folder);
    struct emu_pki_files a = files_of(kme.folder, EMU_PKI_SAE, "alice");
    struct emu_pki_files b = files_of(kme.folder, EMU_PKI_SAE, "bob");
    struct emu_pki_files m = files_of(kme.folder, EMU_PKI_SAE, "mallory");
    struct emu_pki_files o = files_of(kme.folder, EMU_PKI_SAE, KME_ODD);
    struct emu_pki_files daemon = files_of(kme.folder, EMU_PKI_DAEMON, "kmd.B");
    struct emu_pki_files foreign = files_of(other, EMU_PKI_SAE, "alice");
    static char command[20000], output[OUTPUT];
    (void)snprintf(
        command, sizeof command,
        "python3 tests/emu/etsi014_client.py --exact --master-kme 127.0.0.1:%u "
        "--ca '%s/ca.crt' --master 'alice:%s:%s' --slave 'bob:%s:%s' "
        "--must-401 --third 'mallory:%s:%s' --odd '%s:%s:%s' --bad '%s:%s' --bad '%s:%s' 2>&1 | "
        "{ grep -v '^ok' ; true ; }",
        kme.port, kme.folder, a.certificate, a.key, b.certificate, b.key, m.certificate, m.key,
        KME_ODD, o.certificate, o.key, daemon.certificate, daemon.key, foreign.certificate,
        foreign.key);
    ck_assert_int_eq(shell(command, output), 0);
    ck_assert_msg(strstr(output, "checks passed, 0 failed") != NULL &&
                      strstr(output, "FAIL") == NULL,
                  "%s", output);
}
END_TEST

/* curl: what it gets for a path; `more` are further options. */
static const char *curl(const char *sae, const char *more, const char *path)
{
    static char command[4000], output[OUTPUT];
    (void)snprintf(command, sizeof command,
                   "curl -sS --max-time 20 -w '|%%{http_code}|%%{content_type}' --cacert "
                   "'%s/ca.crt' --cert '%s/sae.%s.crt' --key '%s/sae.%s.key' %s "
                   "'https://localhost:%u%s' 2>&1",
                   kme.folder, kme.folder, sae, kme.folder, sae, more, kme.port, path);
    (void)shell(command, output);
    return output;
}

/* The text between two others. */
static void between(const char *text, const char *from, char *to, size_t cap)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s", text);
    at += strlen(from);
    size_t len = strcspn(at, "\"");
    ck_assert_uint_lt(len, cap);
    memcpy(to, at, len);
    to[len] = '\0';
}

START_TEST(with_curl)
{
    char id[64], key[64], got[64], path[128], body[160];
    const char *made = curl("alice", "", "/api/v1/keys/bob/enc_keys");
    ck_assert_msg(strstr(made, "|200|application/json") != NULL, "%s", made);
    between(made, "\"key_ID\":\"", id, sizeof id);
    between(made, "\"key\":\"", key, sizeof key);
    (void)snprintf(path, sizeof path, "/api/v1/keys/alice/dec_keys?key_ID=%s", id);
    const char *foreign = curl("mallory", "", path);
    ck_assert_str_eq(foreign, "|401|");
    const char *fetched = curl("bob", "", path);
    ck_assert_msg(strstr(fetched, "|200|") != NULL, "%s", fetched);
    between(fetched, "\"key\":\"", got, sizeof got);
    ck_assert_str_eq(got, key);
    (void)snprintf(body, sizeof body,
                   "-H 'Content-Type: application/json' -d '{\"key_IDs\":[{\"key_ID\":\"%s\"}]}'",
                   id);
    ck_assert_str_eq(curl("bob", body, "/api/v1/keys/alice/dec_keys"),
                     "{\"message\":\"one or more keys specified are not found on KME\"}"
                     "|400|application/json");
    const char *chunked = curl("alice", "-H 'Transfer-Encoding: chunked' -d '{\"number\":2}'",
                               "/api/v1/keys/bob/enc_keys");
    ck_assert_msg(strstr(chunked, "|200|") != NULL, "%s", chunked);
    const char *two = curl("alice", "--http1.0", "/api/v1/keys/bob/status");
    ck_assert_msg(strstr(two, "|200|") != NULL, "%s", two);
}
END_TEST

/* What a client with this certificate ("": none) gets, with its key beside it. */
static const char *stranger(const char *certificate, const char *more, const char *path)
{
    static char command[4000], output[OUTPUT];
    char pair[300] = "";
    if (certificate[0] != '\0') {
        (void)snprintf(pair, sizeof pair, "--cert '%s/%s.crt' --key '%s/%s.key'", kme.folder,
                       certificate, kme.folder, certificate);
    }
    (void)snprintf(command, sizeof command,
                   "curl -sS --max-time 20 -w '|%%{http_code}|' --cacert '%s/ca.crt' %s %s "
                   "'https://localhost:%u%s' 2>&1",
                   kme.folder, pair, more, kme.port, path);
    (void)shell(command, output);
    return output;
}

/* Tables 4, 6, 8: 401, without a body, to whoever is not authenticated, whatever he asks for. TLS itself must
 * not hide it (RFC 8446 clause 4.4.2.4 leaves it to the server to go on without a good certificate). */
START_TEST(strangers_get_401)
{
    static const struct {
        const char *more, *path;
    } questions[] = {{"", "/api/v1/keys/bob/status"},
                     {"", "/api/v1/keys/bob/enc_keys"},
                     {"-d '{\"number\":2}'", "/api/v1/keys/bob/enc_keys"},
                     {"-d x -H 'Content-Length: 1' -H 'Transfer-Encoding: chunked'",
                      "/api/v1/keys/bob/enc_keys"},
                     {"-X DELETE", "/api/v1/keys/bob/enc_keys"},
                     {"-I", "/api/v1/keys/bob/status"},
                     {"", "/"},
                     {"", "/metrics"},
                     {"--tls-max 1.2", "/api/v1/keys/bob/status"}};
    static const char *const certificates[] = {"", "other/sae.alice", "sae.expired", "sae.early",
                                               "kmd.B"};
    static const struct {
        const char *name;
        int64_t from_s, for_s;
    } untimely[] = {{"expired", -7200, 3600}, {"early", 7200, 3600}};
    char id[64], path[128];
    for (size_t i = 0; i < 2; i++) {
        struct emu_pki pki = {.folder = kme.folder,
                              .from_s = untimely[i].from_s,
                              .for_s = untimely[i].for_s};
        struct emu_pki_subject subject = {.kind = EMU_PKI_SAE, .name = untimely[i].name};
        ck_assert_int_eq(emu_pki_make(&pki, &subject, NULL), 0);
    }
    between(curl("alice", "", "/api/v1/keys/bob/enc_keys"), "\"key_ID\":\"", id, sizeof id);
    (void)snprintf(path, sizeof path, "/api/v1/keys/alice/dec_keys?key_ID=%s", id);
    for (size_t c = 0; c < sizeof certificates / sizeof *certificates; c++) {
        for (size_t q = 0; q < sizeof questions / sizeof *questions; q++) {
            const char *got = stranger(certificates[c], questions[q].more, questions[q].path);
            bool head = strcmp(questions[q].more, "-I") == 0;
            ck_assert_msg(head ? strstr(got, "|401|") != NULL : strcmp(got, "|401|") == 0,
                          "'%s' %s %s: %s", certificates[c], questions[q].more, questions[q].path,
                          got);
        }
        ck_assert_str_eq(stranger(certificates[c], "", path), "|401|");
    }
    const char *fetched = curl("bob", "", path);
    ck_assert_msg(strstr(fetched, "|200|") != NULL, "%s", fetched);
    ck_assert_ptr_nonnull(strstr(curl("alice", "", "/api/v1/keys/bob/status"), "|200|"));
}
END_TEST

/* RFC 9110 clause 9.3.2: HEAD is a GET without its content. A GET that hands out a key changes something,
 * so there is none for it: 405, and no key is gone. */
START_TEST(head_requests)
{
    static char before[OUTPUT];
    static const char *const paths[] = {"/api/v1/keys/bob/enc_keys",
                                        "/api/v1/keys/alice/dec_keys?key_ID=x"};
    (void)snprintf(before, sizeof before, "%s", curl("alice", "", "/api/v1/keys/bob/status"));
    const char *head = curl("alice", "-I", "/api/v1/keys/bob/status");
    size_t len = strcspn(before, "|");
    char want[64];
    (void)snprintf(want, sizeof want, "Content-Length: %zu\r\n", len);
    ck_assert_msg(strstr(head, "200 OK") != NULL && strstr(head, want) != NULL &&
                      strstr(head, "\r\n\r\n|200|application/json") != NULL,
                  "%s", head);
    for (size_t i = 0; i < 2; i++) {
        head = curl("alice", "-I", paths[i]);
        ck_assert_msg(strstr(head, "|405|") != NULL && strstr(head, "Allow: GET, POST\r\n") != NULL,
                      "%s", head);
    }
    ck_assert_str_eq(curl("alice", "", "/api/v1/keys/bob/status"), before);
}
END_TEST

/* A backend that does not answer: 503 in time, and the connection lives on. */
START_TEST(backend_is_silent)
{
    ck_assert_str_eq(curl("alice", "", "/api/v1/keys/slow/enc_keys"),
                     "{\"message\":\"error on KME: timeout\"}|503|application/json");
    const char *after = curl("alice", "", "/api/v1/keys/bob/status");
    ck_assert_msg(strstr(after, "|200|") != NULL, "%s", after);
}
END_TEST

/* Bodies that are too long are refused, whether they say so or not; much garbage; then all is well. */
START_TEST(oversize_and_garbage)
{
    static char command[1000], output[OUTPUT];
    (void)snprintf(
        command, sizeof command,
        "head -c 100000 /dev/zero | tr '\\0' ' ' > '%s/long'; head -c 3000 /dev/urandom > "
        "'%s/noise'",
        kme.folder, kme.folder);
    ck_assert_int_eq(shell(command, output), 0);
    (void)snprintf(command, sizeof command, "-H 'Expect:' --data-binary '@%s/long'", kme.folder);
    const char *announced = curl("alice", command, "/api/v1/keys/bob/enc_keys");
    ck_assert_msg(strstr(announced, "|400|application/json") != NULL ||
                      strstr(announced, "|000|") != NULL,
                  "%s", announced);
    (void)snprintf(command, sizeof command,
                   "-H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary '@%s/long'",
                   kme.folder);
    const char *chunked = curl("alice", command, "/api/v1/keys/bob/enc_keys");
    ck_assert_str_eq(chunked,
                     "{\"message\":\"the request body is too long\"}|400|application/json");
    (void)snprintf(command, sizeof command, "--data-binary '@%s/noise'", kme.folder);
    const char *noise = curl("alice", command, "/api/v1/keys/bob/enc_keys");
    ck_assert_msg(strstr(noise, "|400|application/json") != NULL, "%s", noise);
    (void)snprintf(command, sizeof command, "python3 tests/emu/etsi014_rude.py garbage %u",
                   kme.port);
    ck_assert_int_eq(shell(command, output), 0);
    const char *after = curl("alice", "", "/api/v1/keys/bob/status");
    ck_assert_msg(strstr(after, "|200|") != NULL, "%s", after);
}
END_TEST

static const char *metrics(void)
{
    static char command[200], output[OUTPUT];
    (void)snprintf(command, sizeof command, "curl -sS --max-time 20 http://127.0.0.1:%u/metrics",
                   kme.health_port);
    ck_assert_int_eq(shell(command, output), 0);
    return output;
}

/* Keys that come too late, and keys that are too few: the SAE gets none of them, and they are counted. */
START_TEST(lost_keys_are_counted)
{
    static char output[OUTPUT];
    ck_assert_str_eq(curl("alice", "", "/api/v1/keys/few/enc_keys?number=3"),
                     "{\"message\":\"insufficient key material\"}|503|application/json");
    ck_assert_ptr_nonnull(strstr(metrics(), "kme_keys 0\nkme_lost 2\n"));
    ck_assert_str_eq(curl("alice", "", "/api/v1/keys/slow/enc_keys?number=5"),
                     "{\"message\":\"error on KME: timeout\"}|503|application/json");
    for (int i = 0; i < 50 && strstr(metrics(), "kme_lost 2\n") != NULL; i++) {
        (void)shell("sleep 0.2", output);
    }
    ck_assert_ptr_nonnull(strstr(metrics(), "kme_keys 0\nkme_lost 7\n"));
}
END_TEST

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void rude(const char *what)
{
    static char command[4000], output[OUTPUT];
    (void)snprintf(command, sizeof command,
                   "python3 tests/emu/etsi014_rude.py %s %u %d '%s/ca.crt' '%s/sae.alice.crt' "
                   "'%s/sae.alice.key' 2>&1",
                   what, kme.port, KME_IDLE_S, kme.folder, kme.folder, kme.folder);
    int code = shell(command, output);
    ck_assert_msg(code == 0, "%s", output);
}

/* RFC 9112 clause 6.3: where a body ends is said once. */
START_TEST(smuggled_requests)
{
    rude("framing");
}
END_TEST

/* Silent connections, more than there are places: one that asks properly is answered at once. */
START_TEST(crowds_do_not_lock_out)
{
    rude("crowd");
    const char *text = strstr(metrics(), "kme_refused ");
    ck_assert_ptr_nonnull(text);
    ck_assert_int_ge(atoi(text + strlen("kme_refused ")), 5 + 20 + 1);
}
END_TEST

/* Nor does silence behind a handshake without a certificate keep out who has one. */
START_TEST(nobodies_do_not_lock_out)
{
    rude("nobodies");
}
END_TEST

/* Nor do many requests of one SAE keep others waiting. */
START_TEST(greedy_clients_wait_for_themselves)
{
    static char command[4000], output[OUTPUT];
    (void)snprintf(command, sizeof command,
                   "python3 tests/emu/etsi014_rude.py greedy %u %u '%s/ca.crt' '%s/sae.alice.crt' "
                   "'%s/sae.alice.key' 2>&1",
                   kme.port, kme.health_port, kme.folder, kme.folder, kme.folder);
    int code = shell(command, output);
    ck_assert_msg(code == 0, "%s", output);
    (void)printf("%s", output);
}
END_TEST

/* A client that takes its time over the handshake costs no time of the server's. */
START_TEST(half_a_handshake)
{
    clockid_t clock;
    struct timespec before, after;
    ck_assert_int_eq(clock_getcpuclockid(kme.pid, &clock), 0);
    ck_assert_int_eq(clock_gettime(clock, &before), 0);
    rude("half");
    ck_assert_int_eq(clock_gettime(clock, &after), 0);
    double took_s = (double)(after.tv_sec - before.tv_sec) +
                    1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    ck_assert_msg(took_s < 0.2, "%.2f s of CPU time", took_s); /* of 1.5 s; it was all of them */
}
END_TEST

/* Eight threads that shake hands and are told 401, as fast as they can: as many begin as are allowed, and clients from
 * another address neither lose their connection nor wait long for a new one. */
START_TEST(floods_of_handshakes)
{
    static char command[4000], output[OUTPUT];
    double before_s = seconds();
    (void)snprintf(command, sizeof command,
                   "python3 tests/emu/etsi014_rude.py flood %u %d '%s/ca.crt' '%s/sae.alice.crt' "
                   "'%s/sae.alice.key' 2>&1",
                   kme.port, KME_IDLE_S, kme.folder, kme.folder, kme.folder);
    int code = shell(command, output);
    double took_s = seconds() - before_s;
    ck_assert_msg(code == 0, "%s", output);
    const char *text = strstr(metrics(), "kme_handshakes ");
    ck_assert_ptr_nonnull(text);
    int handshakes = atoi(text + strlen("kme_handshakes "));
    (void)printf("%s%d handshakes in %.1f s\n", output, handshakes, took_s);
    ck_assert_int_le(handshakes, (int)((took_s + 1 + 4) * KME_HANDSHAKES_PER_S)); /* 4 s at once */
    ck_assert_int_ge(handshakes, 8 * KME_HANDSHAKES_PER_S); /* the flood was one */
}
END_TEST

/* Clients that open connections and send a byte now and then are cut off, and others are served. */
START_TEST(slow_clients_are_cut_off)
{
    rude("slow");
    const char *after = curl("alice", "", "/api/v1/keys/bob/status");
    ck_assert_msg(strstr(after, "|200|") != NULL, "%s", after);
}
END_TEST

START_TEST(health_and_metrics)
{
    static char command[400], output[OUTPUT];
    static const struct {
        const char *path, *more, *want;
    } cases[] = {
        {"/healthz", "", "ok\n|200|text/plain; charset=utf-8"},
        {"/metrics", "",
         "kme_keys 0\nkme_lost 0\nkme_refused 0\nkme_open 0\nkme_connections 0\nkme_handshakes 0\n"
         "|200|text/plain; version=0.0.4; charset=utf-8"},
        {"/metrics", "-d x", "only GET and HEAD\n|405|text/plain; charset=utf-8"},
        {"/healthz", "-I -o /dev/null", "|200|text/plain; charset=utf-8"},
        {"/metrics", "-I -o /dev/null", "|200|text/plain; version=0.0.4; charset=utf-8"},
        {"/metrics", "-X DELETE -w '%{http_code} %header{allow}'",
         "only GET and HEAD\n405 GET, HEAD"},
        {"/", "", "only /healthz and /metrics are here\n|404|text/plain; charset=utf-8"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(command, sizeof command,
                       "curl -sS --max-time 20 -w '|%%{http_code}|%%{content_type}' %s "
                       "'http://127.0.0.1:%u%s' 2>&1",
                       cases[i].more, kme.health_port, cases[i].path);
        ck_assert_int_eq(shell(command, output), 0);
        ck_assert_str_eq(output, cases[i].want);
    }
}
END_TEST

/* Ended with questions open and clients connected: everything is given back (teardown looks). */
START_TEST(ends_with_open_questions)
{
    static char command[4000], output[OUTPUT];
    (void)snprintf(command, sizeof command,
                   "curl -sS --max-time 20 --cacert '%s/ca.crt' --cert '%s/sae.alice.crt' --key "
                   "'%s/sae.alice.key' 'https://localhost:%u/api/v1/keys/slow/enc_keys' >/dev/null "
                   "2>&1 & sleep 0.3",
                   kme.folder, kme.folder, kme.folder, kme.port);
    ck_assert_int_eq(shell(command, output), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("etsi014");
    TCase *c = tcase_create("server");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, independent_client);
    tcase_add_test(c, with_curl);
    tcase_add_test(c, strangers_get_401);
    tcase_add_test(c, head_requests);
    tcase_add_test(c, backend_is_silent);
    tcase_add_test(c, oversize_and_garbage);
    tcase_add_test(c, lost_keys_are_counted);
    tcase_add_test(c, smuggled_requests);
    tcase_add_test(c, crowds_do_not_lock_out);
    tcase_add_test(c, nobodies_do_not_lock_out);
    tcase_add_test(c, greedy_clients_wait_for_themselves);
    tcase_add_test(c, half_a_handshake);
    tcase_add_test(c, floods_of_handshakes);
    tcase_add_test(c, slow_clients_are_cut_off);
    tcase_add_test(c, health_and_metrics);
    tcase_add_test(c, ends_with_open_questions);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
