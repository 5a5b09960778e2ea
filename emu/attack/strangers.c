/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of an attacker's own. One that poses has credentials that are good for something else: of an SAE
 * where daemons are asked for, of a daemon where an SAE is or another daemon, and one with the right name by an
 * authority of its own. With these it answers those who dial somebody else, and dials them. One that repeats says
 * again, on a new connection, all that was said on an old one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"
#include "emu/deploy/folder.h"
#include "emu/net/pki.h"

#define LIFE_MS 6000 /* of a connection, longer than what a daemon gives a handshake */
#define EVERY_MS 400 /* a new one */
#define STRANGERS_MOST 800

/* ---- credentials ---- */

static int context_load(struct emu_attack *attack, enum emu_false which, const char *certificate,
                        const char *key, struct emu_why *why)
{
    char ca[EMU_PATH_SIZE];
    int err = emu_path_join(ca, attack->options.folder, "pki/ca.crt", why);
    struct emu_tls_files files = {ca, certificate, key, true};
    return err == QKD_OK ? emu_tls_context_new(&files, &attack->contexts[which], why) : err;
}

/* That of an SAE. */
static int role_load(struct emu_attack *attack, struct emu_why *why)
{
    const struct scn_scenario *scenario = attack->options.scenario;
    char pki[EMU_PATH_SIZE];
    char id[2 * SCN_ID_SIZE];
    struct emu_pki_files files;
    if (scenario->application_count == 0) {
        return QKD_OK; /* none has one */
    }
    (void)snprintf(id, sizeof id, "%s.%s", scenario->applications[0].id,
                   scenario->nodes[scenario->applications[0].from].id);
    struct emu_pki_subject subject = {.kind = EMU_PKI_SAE, .name = id};
    int err = emu_path_join(pki, attack->options.folder, "pki", why);
    err = err == QKD_OK ? emu_pki_files(pki, &subject, &files, why) : err;
    return err == QKD_OK ? context_load(attack, EMU_FALSE_ROLE, files.certificate, files.key, why)
                         : err;
}

/* That of the last daemon: a link's, or the standby controller's. */
static int name_load(struct emu_attack *attack, struct emu_why *why)
{
    const struct emu_deployment *deployment = attack->options.deployment;
    const char *folder = deployment->daemons[deployment->count - 1].folder;
    char in[EMU_PATH_SIZE];
    char certificate[EMU_PATH_SIZE];
    char key[EMU_PATH_SIZE];
    int err = emu_path_join(in, attack->options.folder, folder, why);
    err = err == QKD_OK ? emu_path_join(certificate, in, "daemon.crt", why) : err;
    err = err == QKD_OK ? emu_path_join(key, in, "daemon.key", why) : err;
    return err == QKD_OK ? context_load(attack, EMU_FALSE_NAME, certificate, key, why) : err;
}

/* One in the name of the first daemon that is attacked, by an authority that nobody knows. */
static int authority_make(struct emu_attack *attack, struct emu_why *why)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    const struct emu_deployment *deployment = attack->options.deployment;
    char in[EMU_PATH_SIZE];
    char folder[EMU_PATH_SIZE];
    struct emu_pki_files files;
    struct emu_pki_subject subject = {.kind = EMU_PKI_CA};
    struct emu_pki pki = {.folder = folder, .force = true};
    int err = emu_path_join(in, attack->options.folder, EMU_ATTACK_FOLDER, why);
    err = err == QKD_OK ? emu_path_join(folder, in, "pki", why) : err;
    if (err != QKD_OK) {
        return err;
    }
    (void)emu_folder_make(in, 0700, NULL); /* they may be there */
    (void)emu_folder_make(folder, 0700, NULL);
    err = emu_pki_make(&pki, &subject, why);
    subject = (struct emu_pki_subject){EMU_PKI_DAEMON,
                                       deployment->daemons[deployment->taps[0].to].name, hosts, 3};
    err = err == QKD_OK ? emu_pki_make(&pki, &subject, why) : err;
    err = err == QKD_OK ? emu_pki_files(folder, &subject, &files, why) : err;
    return err == QKD_OK ? context_load(attack, EMU_FALSE_CA, files.certificate, files.key, why)
                         : err;
}

int emu_strangers_prepare(struct emu_attack *attack, struct emu_why *why)
{
    const struct scn_scenario *scenario = attack->options.scenario;
    for (size_t i = 0; i < scenario->attack_count; i++) {
        if ((scenario->attacks[i].what == SCN_ATTACK_POSE ||
             scenario->attacks[i].what == SCN_ATTACK_FLOOD) &&
            attack->options.deployment->tap_count > 0) {
            int err = role_load(attack, why);
            err = err == QKD_OK ? name_load(attack, why) : err;
            return err == QKD_OK ? authority_make(attack, why) : err;
        }
    }
    return QKD_OK;
}

/* ---- beginning ---- */

struct emu_stranger *emu_stranger_new(struct emu_attack *attack, struct emu_attacker *attacker,
                                      int fd)
{
    struct emu_stranger *stranger = attack->stranger_count < STRANGERS_MOST
                                        ? calloc(1, sizeof *stranger)
                                        : NULL;
    if (stranger == NULL || fd < 0) {
        free(stranger);
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    *stranger = (struct emu_stranger){.next = attack->strangers,
                                      .of = attacker,
                                      .fd = fd,
                                      .until_ms = emu_attack_now_ms() + LIFE_MS};
    attack->strangers = stranger;
    attack->stranger_count++;
    attacker->tried++;
    if (attacker->plan->what == SCN_ATTACK_FLOOD) {
        attacker->sum.sent++;
    } else {
        attacker->sum.forged++;
    }
    emu_attacker_first(attack, attacker);
    return stranger;
}

void emu_stranger_free(struct emu_stranger *stranger)
{
    (void)close(stranger->fd);
    emu_tls_free(stranger->tls);
    emu_bytes_fini(&stranger->out);
    emu_bytes_fini(&stranger->drip);
    free(stranger);
}

/* Speaks TLS with one of the false credentials from `from` on. */
static void pose(struct emu_attack *attack, struct emu_attacker *attacker, int fd, bool serves,
                 enum emu_false from)
{
    enum emu_false which = from + (enum emu_false)qkd_rng_below(&attacker->rng,
                                                                EMU_FALSE_COUNT - (uint64_t)from);
    which = attack->contexts[which] == NULL ? EMU_FALSE_CA : which;
    struct emu_stranger *stranger = emu_stranger_new(attack, attacker, fd);
    if (stranger != NULL) {
        stranger->serves = serves;
        attacker->served += serves;
        stranger->tls = emu_tls_new(attack->contexts[which], serves);
        stranger->dead = stranger->tls == NULL;
    }
}

void emu_stranger_serve(struct emu_attack *attack, struct emu_attacker *attacker, int fd)
{
    pose(attack, attacker, fd, true, EMU_FALSE_ROLE);
}

void emu_stranger_repeat(struct emu_attack *attack, struct emu_attacker *attacker,
                         const struct emu_tap *tap, const struct emu_bytes *said)
{
    size_t len = said->tail - said->head;
    struct emu_stranger *stranger = emu_stranger_new(attack, attacker,
                                                     emu_attack_dial(tap->target, true));
    if (stranger == NULL || len == 0 || emu_bytes_reserve(&stranger->out, len) != QKD_OK) {
        return;
    }
    memcpy(stranger->out.at, said->at + said->head, len);
    stranger->out.tail = len;
}

/* Dials whoever is meant, at each place in turn. A daemon's credential in its own name is refused by SAEs' servers
 * only: other daemons know it. */
static void dial_places(struct emu_attack *attack, struct emu_attacker *attacker, size_t number)
{
    for (size_t i = 0; i < attack->options.deployment->tap_count; i++) {
        const struct emu_attack_place *place = &attack->places[i];
        bool to_sae_port = place->tap->from == EMU_NOWHERE;
        if (place->stands[number]) {
            int fd = emu_attack_dial(place->tap->target, true);
            if (fd >= 0 && to_sae_port) {
                pose(attack, attacker, fd, false, EMU_FALSE_NAME);
            } else if (fd >= 0 && attack->contexts[EMU_FALSE_ROLE] != NULL &&
                       qkd_rng_below(&attacker->rng, 2) == 0) {
                struct emu_stranger *stranger = emu_stranger_new(attack, attacker, fd);
                if (stranger != NULL) {
                    stranger->tls = emu_tls_new(attack->contexts[EMU_FALSE_ROLE], false);
                    stranger->dead = stranger->tls == NULL;
                }
            } else {
                pose(attack, attacker, fd, false, EMU_FALSE_CA);
            }
        }
    }
}

/* Who is there already would not dial again: its connections end. */
static void connections_reset(struct emu_attack *attack, size_t number)
{
    for (struct emu_tapped *tapped = attack->tapped; tapped != NULL; tapped = tapped->next) {
        tapped->dead = tapped->dead || tapped->place->stands[number];
    }
}

void emu_strangers_tick(struct emu_attack *attack)
{
    int64_t now_ms = emu_attack_now_ms();
    for (size_t i = 0; i < attack->options.scenario->attack_count; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        if (attacker->plan->what == SCN_ATTACK_POSE && emu_attacker_acts(attack, attacker) &&
            now_ms >= attacker->due_ms) {
            if (attacker->due_ms == 0) {
                connections_reset(attack, i);
            }
            attacker->due_ms = now_ms + EVERY_MS;
            dial_places(attack, attacker, i);
        }
    }
}

/* ---- what comes ---- */

/* What it says once its handshake is done: it lets a daemon believe that it has been let in, or asks as an SAE. */
static void ask(struct emu_stranger *stranger)
{
    static const uint8_t come_in[4] = {0};
    static const char question[] = "GET /api/v1/keys/somebody/status HTTP/1.1\r\n"
                                   "Host: localhost\r\n\r\n";
    stranger->asked = true;
    bool at_a1 = stranger->of->plan->surface == SCN_SURFACE_A1;
    if (stranger->serves && !at_a1) {
        stranger->dead = emu_tls_write(stranger->tls, come_in, sizeof come_in) != QKD_OK;
    } else if (!stranger->serves && at_a1) {
        stranger->dead = emu_tls_write(stranger->tls, (const uint8_t *)question,
                                       sizeof question - 1) != QKD_OK;
    }
}

/* Plain bytes from the other end: it has been taken for who it is not. Only 401 is another no (ETSI GS QKD 014,
 * table 4). */
static void told(struct emu_stranger *stranger, const uint8_t *bytes, size_t len)
{
    static const char no[] = "HTTP/1.1 401";
    bool refused = !stranger->serves && stranger->of->plan->surface == SCN_SURFACE_A1 &&
                   len >= sizeof no - 1 && memcmp(bytes, no, sizeof no - 1) == 0;
    stranger->dead = true;
    if (!refused && !stranger->let_in) {
        stranger->let_in = true;
        stranger->of->sum.accepted++;
    }
}

static void fed(struct emu_stranger *stranger, const uint8_t *bytes, size_t len)
{
    uint8_t plain[4096];
    int n = 1;
    emu_tls_feed(stranger->tls, bytes, len);
    while (n > 0 && !stranger->dead) {
        n = emu_tls_read(stranger->tls, plain, sizeof plain);
        if (n > 0) {
            told(stranger, plain, (size_t)n);
        } else if (n != QKD_ERR_AGAIN) {
            stranger->dead = true;
        }
    }
    if (!stranger->dead && !stranger->asked && emu_tls_ready(stranger->tls)) {
        ask(stranger);
    }
}

static void out_send(struct emu_stranger *stranger)
{
    struct emu_bytes *out = &stranger->out;
    if (out->head == out->tail && stranger->tls != NULL && emu_tls_has_out(stranger->tls)) {
        emu_tls_take_out(stranger->tls, out);
    }
    if (out->tail > out->head) {
        ssize_t n = send(stranger->fd, out->at + out->head, out->tail - out->head, MSG_NOSIGNAL);
        if (n > 0) {
            emu_bytes_drop(out, (size_t)n);
        } else if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
            stranger->dead = true;
        }
    }
}

void emu_stranger_turn(struct emu_attack *attack, struct emu_stranger *stranger)
{
    uint8_t bytes[4096];
    (void)attack;
    ssize_t n = recv(stranger->fd, bytes, sizeof bytes, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)) {
        stranger->dead = true;
        return;
    }
    if (stranger->tls != NULL) {
        fed(stranger, bytes, n > 0 ? (size_t)n : 0); /* nothing: a client begins so */
    }
    emu_flood_drip(stranger);
    out_send(stranger);
    stranger->dead = stranger->dead || emu_attack_now_ms() >= stranger->until_ms;
}
