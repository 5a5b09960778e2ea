/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A KME for tests: see emu_kme.h. Keys come from the operating system; answers come a moment later, from a
 * timer, or for every third question at once. */
#include "tests/lib/emu_kme.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "emu/etsi014/etsi014.h"
#include "emu/http/health.h"
#include "emu/net/pki.h"

enum { KEYS = 4096, KEY_BYTES = 128, WAITING = 256, PEM = 16384, ANSWER_MS = 2, LATE_MS = 3000 };

struct key {
    struct qkd_id id;
    uint32_t bits;
    uint8_t bytes[KEY_BYTES];
    char master[EMU_E14_SAE_SIZE], slave[EMU_E14_SAE_SIZE];
    bool waits;
};

/* A completion that comes a moment later. */
struct later {
    uv_timer_t timer;
    uint64_t ticket;
    enum wire_reason reason;
    uint32_t count;
    uint32_t first[EMU_E14_IDS_MOST]; /* places of the keys */
    bool status, busy;
};

static struct {
    uv_loop_t loop;
    uv_signal_t term;
    struct emu_etsi014 *server;
    struct emu_health *health;
    struct key keys[KEYS];
    uint32_t made, stored, questions;
    struct later later[WAITING];
} w;

static const char *const names[] = {"alice", "bob", "mallory", "slow", "few", KME_ODD};

static bool known(const char *sae)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(sae, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- completions ---- */

static void complete_keys(const struct later *later)
{
    static uint8_t bytes[EMU_E14_IDS_MOST * KEY_BYTES];
    struct qkd_id ids[EMU_E14_IDS_MOST];
    uint32_t sizes[EMU_E14_IDS_MOST];
    size_t len = 0;
    for (uint32_t i = 0; i < later->count; i++) {
        const struct key *key = &w.keys[later->first[i]];
        ids[i] = key->id;
        sizes[i] = key->bits;
        memcpy(bytes + len, key->bytes, key->bits / 8);
        len += key->bits / 8;
    }
    struct emu_e14_keys keys = {later->count, ids, sizes, bytes};
    (void)emu_etsi014_keys(w.server, later->ticket, later->reason,
                           later->reason == WIRE_REASON_NONE ? &keys : NULL);
}

static void complete_status(const struct later *later)
{
    struct emu_e14_status status = {.source_kme = "kmd.A",
                                    .target_kme = "kmd.A",
                                    .key_size = 256,
                                    .stored_key_count = w.stored,
                                    .max_key_count = KME_STORED,
                                    .max_key_per_request = KME_MOST,
                                    .max_key_size = 8 * KEY_BYTES,
                                    .min_key_size = 64};
    (void)emu_etsi014_status(w.server, later->ticket, later->reason, &status);
}

static void on_later(uv_timer_t *timer)
{
    struct later *later = timer->data;
    later->busy = false;
    if (later->status) {
        complete_status(later);
    } else {
        complete_keys(later);
    }
}

static void complete_in(const struct later *given, unsigned ms)
{
    for (size_t i = 0; i < WAITING; i++) {
        if (!w.later[i].busy) {
            uv_timer_t timer = w.later[i].timer;
            w.later[i] = *given;
            w.later[i].timer = timer;
            w.later[i].busy = true;
            (void)uv_timer_start(&w.later[i].timer, on_later, ms, 0);
            return;
        }
    }
    abort();
}

static void complete(const struct later *given)
{
    if (++w.questions % 3 != 0) {
        complete_in(given, ANSWER_MS);
    } else if (given->status) {
        complete_status(given);
    } else {
        complete_keys(given);
    }
}

/* ---- the backend ---- */

static void key_make(uint32_t place, const struct emu_e14_question *question, uint32_t bits)
{
    struct key *key = &w.keys[place];
    randombytes_buf(key->id.b, sizeof key->id.b);
    key->id.b[6] = (uint8_t)((key->id.b[6] & 0x0fU) | 0x40U);
    key->id.b[8] = (uint8_t)((key->id.b[8] & 0x3fU) | 0x80U);
    randombytes_buf(key->bytes, bits / 8);
    key->bits = bits;
    key->waits = true;
    (void)snprintf(key->master, sizeof key->master, "%s", question->sae);
    (void)snprintf(key->slave, sizeof key->slave, "%s", question->other);
}

static void get(void *ctx, const struct emu_e14_question *question, const struct emu_e14_enc *enc)
{
    struct later later = {.ticket = question->ticket, .reason = WIRE_REASON_NONE};
    (void)ctx;
    if (!known(question->sae)) {
        later.reason = WIRE_REASON_UNAUTHORIZED;
    } else if (!known(question->other)) {
        later.reason = WIRE_REASON_UNKNOWN_APPLICATION;
    } else if (enc->number > w.stored || w.made + enc->number > KEYS) {
        later.reason = WIRE_REASON_INSUFFICIENT_KEY;
    }
    for (uint32_t i = 0; later.reason == WIRE_REASON_NONE && i < enc->number; i++) {
        key_make(w.made, question, enc->size);
        later.first[later.count++] = w.made++;
        w.stored--;
    }
    if (strcmp(question->other, "slow") == 0) {
        complete_in(&later, LATE_MS);
        return;
    }
    later.count -= strcmp(question->other, "few") == 0;
    complete(&later);
}

static void fetch(void *ctx, const struct emu_e14_question *question, const struct emu_e14_dec *dec)
{
    struct later later = {.ticket = question->ticket, .reason = WIRE_REASON_NONE};
    (void)ctx;
    for (uint32_t i = 0; i < dec->count; i++) {
        enum wire_reason reason = WIRE_REASON_UNKNOWN_KEY;
        for (uint32_t k = 0; k < w.made && reason != WIRE_REASON_NONE; k++) {
            struct key *key = &w.keys[k];
            bool twice = false;
            for (uint32_t j = 0; j < later.count; j++) {
                twice = twice || later.first[j] == k;
            }
            if (!qkd_id_eq(&key->id, &dec->ids[i]) || !key->waits || twice) {
                continue;
            }
            reason = strcmp(key->slave, question->sae) != 0      ? WIRE_REASON_UNAUTHORIZED
                     : strcmp(key->master, question->other) != 0 ? WIRE_REASON_UNKNOWN_KEY
                                                                 : WIRE_REASON_NONE;
            later.first[later.count] = k;
        }
        later.count += reason == WIRE_REASON_NONE;
        if (reason != WIRE_REASON_NONE && later.reason != WIRE_REASON_UNAUTHORIZED) {
            later.reason = reason;
        }
    }
    for (uint32_t i = 0; later.reason == WIRE_REASON_NONE && i < later.count; i++) {
        w.keys[later.first[i]].waits = false;
    }
    complete(&later);
}

static void status(void *ctx, const struct emu_e14_question *question)
{
    struct later later = {.ticket = question->ticket, .reason = WIRE_REASON_NONE, .status = true};
    (void)ctx;
    if (!known(question->other)) {
        later.reason = WIRE_REASON_UNKNOWN_APPLICATION;
    }
    complete(&later);
}

/* ---- the process ---- */

static bool healthy(void *ctx, struct emu_why *why)
{
    (void)ctx;
    return w.stored > 0 || emu_fail(why, -1, "no key left") == 0;
}

static char *metrics(void *ctx, size_t *len)
{
    char *text = malloc(256);
    struct emu_e14_counts counts;
    (void)ctx;
    emu_etsi014_count(w.server, &counts);
    int n =
        snprintf(text, 256,
                 "kme_keys %llu\nkme_lost %llu\nkme_refused %llu\nkme_open %u\nkme_connections %u\n"
                 "kme_handshakes %llu\n",
                 (unsigned long long)counts.keys, (unsigned long long)counts.keys_lost,
                 (unsigned long long)counts.refused, counts.open, counts.connections,
                 (unsigned long long)counts.handshakes);
    *len = (size_t)n;
    return text;
}

static void on_term(uv_signal_t *signal, int number)
{
    (void)number;
    emu_etsi014_free(w.server);
    emu_health_free(w.health);
    for (size_t i = 0; i < WAITING; i++) {
        uv_close((uv_handle_t *)&w.later[i].timer, NULL);
    }
    uv_close((uv_handle_t *)signal, NULL);
}

static char *file_read(const char *path)
{
    char *text = calloc(1, PEM);
    FILE *file = fopen(path, "r");
    if (file == NULL || fread(text, 1, PEM - 1, file) == 0) {
        abort();
    }
    (void)fclose(file);
    return text;
}

static void serve(const char *folder, int port_to)
{
    char path[128];
    struct emu_why why;
    struct emu_etsi014_config config = {
        .https = {.loop = &w.loop,
                  .listen = "127.0.0.1:0",
                  .identity = &emu_identity_sae,
                  .body_most = KME_BODY,
                  .connections_most = KME_CONNECTIONS,
                  .per_address_most = KME_PER_ADDRESS,
                  .open_most = KME_OPEN,
                  .idle_s = KME_IDLE_S,
                  .handshake_s = KME_HANDSHAKE_S,
                  .handshakes_per_s = KME_HANDSHAKES_PER_S},
        .limits = {256, 64, 8 * KEY_BYTES, KME_MOST, KME_STORED, 0},
        .backend = {NULL, get, fetch, status},
        .answer_within_s = 1,
    };
    (void)snprintf(path, sizeof path, "%s/kmd.A.crt", folder);
    config.https.certificate = file_read(path);
    (void)snprintf(path, sizeof path, "%s/kmd.A.key", folder);
    config.https.key = file_read(path);
    (void)snprintf(path, sizeof path, "%s/ca.crt", folder);
    config.https.trust = file_read(path);
    (void)uv_loop_init(&w.loop);
    (void)uv_signal_init(&w.loop, &w.term);
    (void)uv_signal_start(&w.term, on_term, SIGTERM);
    for (size_t i = 0; i < WAITING; i++) {
        (void)uv_timer_init(&w.loop, &w.later[i].timer);
        w.later[i].timer.data = &w.later[i];
    }
    w.stored = KME_STORED;
    struct emu_health_config health = {
        .loop = &w.loop, .listen = "127.0.0.1:0", .healthy = healthy, .metrics = metrics};
    if (emu_etsi014_new(&config, &w.server, &why) != 0 ||
        emu_health_new(&health, &w.health, &why) != 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        _exit(1);
    }
    free((char *)(uintptr_t)config.https.certificate);
    free((char *)(uintptr_t)config.https.key);
    free((char *)(uintptr_t)config.https.trust);
    uint16_t ports[] = {emu_etsi014_port(w.server), emu_health_port(w.health)};
    if (write(port_to, ports, sizeof ports) != sizeof ports) {
        _exit(1);
    }
    (void)close(port_to);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    _exit(uv_loop_close(&w.loop) == 0 ? 0 : 1);
}

static void certificate(const char *folder, enum emu_pki_kind kind, const char *name)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct emu_pki pki = {.folder = folder};
    struct emu_pki_subject subject = {.kind = kind, .name = name};
    struct emu_why why = {""};
    if (kind == EMU_PKI_DAEMON) {
        subject.hosts = hosts;
        subject.host_count = 2;
    }
    ck_assert_msg(emu_pki_make(&pki, &subject, &why) == 0, "%s", why.text);
}

void kme_start(struct kme *kme)
{
    char other[80];
    int ends[2];
    uint16_t ports[2];
    ck_assert_int_ge(sodium_init(), 0);
    (void)snprintf(kme->folder, sizeof kme->folder, "/tmp/qkdn-kme-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(kme->folder));
    certificate(kme->folder, EMU_PKI_CA, NULL);
    certificate(kme->folder, EMU_PKI_DAEMON, "kmd.A");
    certificate(kme->folder, EMU_PKI_DAEMON, "kmd.B");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        certificate(kme->folder, EMU_PKI_SAE, names[i]);
    }
    (void)snprintf(other, sizeof other, "%s/other", kme->folder);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    certificate(other, EMU_PKI_CA, NULL);
    certificate(other, EMU_PKI_SAE, "alice");
    ck_assert_int_eq(pipe(ends), 0);
    kme->pid = fork();
    ck_assert_int_ge(kme->pid, 0);
    if (kme->pid == 0) {
        (void)close(ends[0]);
        serve(kme->folder, ends[1]);
    }
    (void)close(ends[1]);
    ck_assert_int_eq(read(ends[0], ports, sizeof ports), (int)sizeof ports);
    (void)close(ends[0]);
    kme->port = ports[0];
    kme->health_port = ports[1];
}

int kme_stop(struct kme *kme)
{
    char command[128];
    int status = -1;
    (void)kill(kme->pid, SIGTERM);
    (void)waitpid(kme->pid, &status, 0);
    (void)snprintf(command, sizeof command, "rm -r '%s'", kme->folder);
    return system(command) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
