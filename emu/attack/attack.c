/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The turn of attackers: who dials is accepted and led on, bytes are read and passed by emu_lane_take(). */
#include "emu/attack/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"
#include "emu/base/address.h"
#include "emu/deploy/folder.h"
#include "emu/deploy/tap.h"

#define READ_SIZE 65536
#define OWN_HOST 65 /* 127.0.0.66 */

int64_t emu_attack_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- time ---- */

void emu_attack_begin(struct emu_attack *attack)
{
    attack->epoch_ns = wall_ns();
}

bool emu_attacker_acts(const struct emu_attack *attack, const struct emu_attacker *attacker)
{
    if (attack->epoch_ns == EMU_EPOCH_NONE) {
        return false;
    }
    int64_t now_ns = wall_ns() - attack->epoch_ns;
    int64_t since_ns = now_ns - attacker->plan->at_ns;
    return since_ns >= 0 &&
           (attacker->plan->for_ns == SCN_FOREVER || since_ns < attacker->plan->for_ns);
}

void emu_attacker_first(const struct emu_attack *attack, struct emu_attacker *attacker)
{
    if (isnan(attacker->sum.first_s)) {
        attacker->sum.first_s = (double)(wall_ns() - attack->epoch_ns) / 1e9;
    }
}

const struct scn_attack_summary *emu_attack_summary(const struct emu_attack *attack, size_t number)
{
    return &attack->attackers[number].sum;
}

/* ---- making ---- */

static int file_open(struct emu_attack *attack, struct emu_attacker *attacker, struct emu_why *why)
{
    char in[EMU_PATH_SIZE];
    char path[EMU_PATH_SIZE];
    attacker->file = -1;
    if (attacker->plan->what != SCN_ATTACK_LISTEN) {
        return QKD_OK;
    }
    int err = emu_path_join(in, attack->options.folder, EMU_ATTACK_FOLDER, why);
    err = err == QKD_OK ? emu_path_join(path, in, attacker->plan->id, why) : err;
    if (err == QKD_OK) {
        int made = emu_folder_make(in, 0700, NULL); /* it may be there */
        attacker->file = made == QKD_OK || made == QKD_ERR_EXISTS
                             ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                             : -1;
        if (attacker->file < 0) {
            err = emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
        }
    }
    return err;
}

static int attackers_make(struct emu_attack *attack, struct emu_why *why)
{
    const struct scn_scenario *scenario = attack->options.scenario;
    int err = QKD_OK;
    attack->attackers = calloc(scenario->attack_count + 1, sizeof *attack->attackers);
    if (attack->attackers == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    for (size_t i = 0; i < scenario->attack_count; i++) {
        attack->attackers[i].file = -1;
    }
    for (size_t i = 0; i < scenario->attack_count && err == QKD_OK; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        attacker->plan = &scenario->attacks[i];
        attacker->sum.first_s = attacker->sum.detect_s = attacker->sum.alarm_s = NAN;
        qkd_rng_init_named(&attacker->rng, scenario->seed, "live attack", i);
        err = file_open(attack, attacker, why);
    }
    return err;
}

static int places_make(struct emu_attack *attack, struct emu_why *why)
{
    const struct emu_deployment *deployment = attack->options.deployment;
    const struct scn_scenario *scenario = attack->options.scenario;
    int err = QKD_OK;
    attack->places = calloc(deployment->tap_count + 1, sizeof *attack->places);
    if (attack->places == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    for (size_t i = 0; i < deployment->tap_count; i++) {
        attack->places[i].fd = -1;
    }
    for (size_t i = 0; i < deployment->tap_count && err == QKD_OK; i++) {
        struct emu_attack_place *place = &attack->places[i];
        place->tap = &deployment->taps[i];
        place->stands = calloc(scenario->attack_count + 1, 1);
        if (place->stands == NULL) {
            return emu_fail(why, QKD_ERR_NOMEM, "no memory");
        }
        for (size_t k = 0; k < scenario->attack_count; k++) {
            place->stands[k] = emu_attack_stands(scenario, &scenario->attacks[k], place->tap->from,
                                                 place->tap->to);
        }
        err = emu_listen(place->tap->listen, &place->fd, why);
    }
    return err;
}

int emu_attack_new(const struct emu_attack_options *options, struct emu_attack **out,
                   struct emu_why *why)
{
    *out = NULL;
    struct emu_attack *attack = calloc(1, sizeof *attack);
    if (attack == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    attack->options = *options;
    attack->epoch_ns = options->epoch_ns;
    int err = attackers_make(attack, why);
    err = err == QKD_OK ? places_make(attack, why) : err;
    err = err == QKD_OK ? emu_strangers_prepare(attack, why) : err;
    if (err != QKD_OK) {
        emu_attack_free(attack);
        return err;
    }
    *out = attack;
    return QKD_OK;
}

/* ---- connections ---- */

static void tapped_free(struct emu_tapped *tapped)
{
    for (unsigned side = 0; side < 2; side++) {
        if (tapped->fds[side] >= 0) {
            (void)close(tapped->fds[side]);
        }
        emu_lane_fini(&tapped->lanes[side]);
    }
    emu_bytes_fini(&tapped->said);
    free(tapped);
}

void emu_attack_free(struct emu_attack *attack)
{
    if (attack == NULL) {
        return;
    }
    while (attack->tapped != NULL) {
        struct emu_tapped *next = attack->tapped->next;
        tapped_free(attack->tapped);
        attack->tapped = next;
    }
    while (attack->strangers != NULL) {
        struct emu_stranger *next = attack->strangers->next;
        emu_stranger_free(attack->strangers);
        attack->strangers = next;
    }
    for (size_t i = 0; attack->places != NULL && i < attack->options.deployment->tap_count; i++) {
        if (attack->places[i].fd >= 0) {
            (void)close(attack->places[i].fd);
        }
        free(attack->places[i].stands);
    }
    for (size_t i = 0; attack->attackers != NULL && i < attack->options.scenario->attack_count;
         i++) {
        if (attack->attackers[i].file >= 0) {
            (void)close(attack->attackers[i].file);
        }
        qkd_rng_fini(&attack->attackers[i].rng);
    }
    for (size_t i = 0; i < EMU_FALSE_COUNT; i++) {
        emu_tls_context_free(attack->contexts[i]);
    }
    free(attack->places);
    free(attack->attackers);
    free(attack);
}

/* Where own connections come from, if the machine is dialled by its inner address. */
static void own_bind(int fd)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK + OWN_HOST)}};
    (void)bind(fd, (const struct sockaddr *)&from, sizeof from); /* else from the usual one */
}

static bool is_inner(const struct sockaddr_storage *to)
{
    const struct sockaddr_in *inet = (const struct sockaddr_in *)(const void *)to;
    return to->ss_family == AF_INET && ntohl(inet->sin_addr.s_addr) >> 24 == 127;
}

int emu_attack_dial(const char *address, bool own)
{
    struct emu_address parts;
    struct sockaddr_storage to;
    int on = 1;
    if (emu_address_parse(address, &parts, NULL) != QKD_OK || !emu_address_numeric(&parts, &to)) {
        return -1;
    }
    socklen_t size = to.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                             : sizeof(struct sockaddr_in6);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && own && is_inner(&to)) {
        own_bind(fd);
    }
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, size) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd;
}

/* The attacker that answers in the name of who was meant; NULL: none does this time. */
static struct emu_attacker *poser_of(struct emu_attack *attack,
                                     const struct emu_attack_place *place)
{
    for (size_t i = 0; i < attack->options.scenario->attack_count; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        if (place->stands[i] && attacker->plan->what == SCN_ATTACK_POSE &&
            emu_attacker_acts(attack, attacker) &&
            qkd_rng_unit(&attacker->rng) < attacker->plan->probability) {
            return attacker;
        }
    }
    return NULL;
}

static void count_connection(struct emu_attack *attack, const struct emu_attack_place *place)
{
    for (size_t i = 0; i < attack->options.scenario->attack_count; i++) {
        attack->attackers[i].connections += place->stands[i] &&
                                            emu_attacker_acts(attack, &attack->attackers[i]);
    }
}

/* Takes one that dialled, and dials who was meant. */
static void place_accept(struct emu_attack *attack, struct emu_attack_place *place)
{
    int on = 1;
    int fd = accept(place->fd, NULL, NULL);
    if (fd < 0) {
        return;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct emu_attacker *poser = poser_of(attack, place);
    if (poser != NULL) {
        emu_stranger_serve(attack, poser, fd);
        return;
    }
    struct emu_tapped *tapped = calloc(1, sizeof *tapped);
    int other = tapped == NULL ? -1 : emu_attack_dial(place->tap->target, false);
    if (other < 0) {
        free(tapped);
        (void)close(fd);
        return;
    }
    *tapped = (struct emu_tapped){.next = attack->tapped, .place = place, .fds = {fd, other}};
    attack->tapped = tapped;
    count_connection(attack, place);
}

/* What has come from one side. */
static void tapped_read(struct emu_attack *attack, struct emu_tapped *tapped, unsigned side)
{
    struct emu_lane *lane = &tapped->lanes[side];
    if (emu_bytes_reserve(&lane->in, READ_SIZE) != QKD_OK) {
        tapped->dead = true;
        return;
    }
    ssize_t n = recv(tapped->fds[side], lane->in.at + lane->in.tail, READ_SIZE, 0);
    if (n > 0) {
        lane->in.tail += (size_t)n;
        tapped->dead = emu_lane_take(attack, tapped, side) != QKD_OK;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        lane->over = true;
    }
}

/* Passes on what is due. A connection ends for both when one side has ended it and all it said has arrived. */
static void tapped_turn(struct emu_tapped *tapped, int64_t now_ms)
{
    for (unsigned side = 0; side < 2; side++) {
        if (!emu_lane_send(&tapped->lanes[side], tapped->fds[1 - side], now_ms)) {
            tapped->dead = true;
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        tapped->dead = tapped->dead ||
                       (tapped->lanes[side].over && tapped->lanes[side].first == NULL);
    }
}

/* What an attacker that repeats does with a connection that is over: says it all again to the same one. */
static void tapped_end(struct emu_attack *attack, struct emu_tapped *tapped)
{
    if (tapped->touched != NULL) {
        tapped->touched->ended++;
    }
    for (size_t i = 0; i < attack->options.scenario->attack_count; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        if (tapped->place->stands[i] && attacker->plan->what == SCN_ATTACK_REPLAY &&
            emu_attacker_acts(attack, attacker)) {
            emu_stranger_repeat(attack, attacker, tapped->place->tap, &tapped->said);
        }
    }
    tapped_free(tapped);
}

/* ---- the turn ---- */

struct watched {
    struct pollfd *at;
    size_t count;
};

/* What is not wanted of a socket is not looked at either, else an end that has hung up would be news for ever. */
static void watch(struct watched *watched, int fd, short events)
{
    watched->at[watched->count++] = (struct pollfd){.fd = events == 0 ? -1 : fd, .events = events};
}

static short wanted(const struct emu_lane *from, const struct emu_lane *to, int64_t now_ms)
{
    bool reads = !from->over && from->queued < QUEUED_MOST;
    bool sends = to->first != NULL && to->first->due_ms <= now_ms;
    return (short)((reads ? POLLIN : 0) | (sends ? POLLOUT : 0));
}

/* How long poll(2) may wait. */
static int64_t rest_ms(const struct emu_attack *attack, int64_t now_ms, unsigned ms)
{
    int64_t until_ms = now_ms + ms;
    for (const struct emu_tapped *t = attack->tapped; t != NULL; t = t->next) {
        for (unsigned side = 0; side < 2; side++) {
            int64_t due_ms = emu_lane_due(&t->lanes[side]);
            until_ms = due_ms > now_ms && due_ms < until_ms ? due_ms : until_ms;
        }
    }
    return until_ms - now_ms;
}

static size_t watched_fill(struct emu_attack *attack, struct watched *watched, int64_t now_ms)
{
    size_t places = attack->options.deployment->tap_count;
    for (size_t i = 0; i < places; i++) {
        watch(watched, attack->places[i].fd, POLLIN);
    }
    for (struct emu_tapped *t = attack->tapped; t != NULL; t = t->next) {
        watch(watched, t->fds[0], wanted(&t->lanes[0], &t->lanes[1], now_ms));
        watch(watched, t->fds[1], wanted(&t->lanes[1], &t->lanes[0], now_ms));
    }
    for (struct emu_stranger *s = attack->strangers; s != NULL; s = s->next) {
        bool sends = s->out.tail > s->out.head || (s->tls != NULL && emu_tls_has_out(s->tls));
        watch(watched, s->fd, (short)(POLLIN | (sends ? POLLOUT : 0)));
    }
    return places;
}

static void connections_turn(struct emu_attack *attack, const struct watched *watched, size_t at)
{
    int64_t now_ms = emu_attack_now_ms();
    struct emu_tapped **tapped = &attack->tapped;
    while (*tapped != NULL) {
        struct emu_tapped *t = *tapped;
        for (unsigned side = 0; side < 2; side++, at++) {
            if ((watched->at[at].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
                !t->lanes[side].over && !t->dead) {
                tapped_read(attack, t, side);
            }
        }
        tapped_turn(t, now_ms);
        if (t->dead) {
            *tapped = t->next;
            tapped_end(attack, t);
        } else {
            tapped = &t->next;
        }
    }
    struct emu_stranger **stranger = &attack->strangers;
    while (*stranger != NULL) {
        struct emu_stranger *s = *stranger;
        emu_stranger_turn(attack, s);
        if (s->dead) {
            *stranger = s->next;
            attack->stranger_count--;
            emu_stranger_free(s);
        } else {
            stranger = &s->next;
        }
    }
}

void emu_attack_turn(struct emu_attack *attack, unsigned ms)
{
    size_t places = attack->options.deployment->tap_count;
    size_t most = places + attack->stranger_count;
    for (struct emu_tapped *t = attack->tapped; t != NULL; t = t->next) {
        most += 2;
    }
    struct watched watched = {.at = calloc(most + 1, sizeof *watched.at)};
    if (watched.at == NULL) {
        return;
    }
    int64_t now_ms = emu_attack_now_ms();
    size_t at = watched_fill(attack, &watched, now_ms);
    if (poll(watched.at, watched.count, (int)rest_ms(attack, now_ms, ms)) >= 0) {
        connections_turn(attack, &watched, at);
        for (size_t i = 0; i < places; i++) {
            if ((watched.at[i].revents & POLLIN) != 0) {
                place_accept(attack, &attack->places[i]);
            }
        }
    }
    emu_strangers_tick(attack);
    emu_floods_tick(attack);
    free(watched.at);
}
