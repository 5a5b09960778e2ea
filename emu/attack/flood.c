/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Floods of connections, at a rate, to all who are meant where the attacker stands, in turns. Junk: bytes of chance,
 * half of them behind a head that a TLS record could have. Strangers: handshakes that nobody goes on with: a third
 * say hello and nothing more, a third nothing at all, a third say it byte by byte, one a second (slow-loris). Each
 * stays until the other end has had enough. */
#include <string.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"

#define RATE_AUTO 200 /* connections a second */
#define MOST_AT_ONCE 50
#define JUNK_MOST 2048
#define DRIP_MS 1000

static bool bytes_add(struct emu_bytes *to, const uint8_t *bytes, size_t len)
{
    if (emu_bytes_reserve(to, len) != QKD_OK) {
        return false;
    }
    memcpy(to->at + to->tail, bytes, len);
    to->tail += len;
    return true;
}

static bool junk(struct emu_attacker *attacker, struct emu_stranger *stranger)
{
    uint8_t bytes[JUNK_MOST];
    size_t len = TLS_HEAD + (size_t)qkd_rng_below(&attacker->rng, sizeof bytes - TLS_HEAD);
    qkd_rng_bytes(&attacker->rng, bytes, len);
    if ((bytes[0] & 1) == 0) {
        const uint8_t head[TLS_HEAD] = {22, 3, 1, (uint8_t)((len - TLS_HEAD) >> 8),
                                        (uint8_t)(len - TLS_HEAD)};
        memcpy(bytes, head, sizeof head);
    }
    return bytes_add(&stranger->out, bytes, len);
}

/* A hello as a client's, by a session that goes no further. */
static bool hello(const struct emu_attack *attack, struct emu_bytes *to)
{
    uint8_t none[1];
    struct emu_tls *tls = emu_tls_new(attack->contexts[EMU_FALSE_CA], false);
    if (tls == NULL) {
        return false;
    }
    emu_tls_feed(tls, none, 0);
    (void)emu_tls_read(tls, none, sizeof none);
    emu_tls_take_out(tls, to);
    emu_tls_free(tls);
    return to->tail > to->head;
}

static bool handshake(const struct emu_attack *attack, struct emu_attacker *attacker,
                      struct emu_stranger *stranger)
{
    switch (qkd_rng_below(&attacker->rng, 3)) {
    case 0:
        return hello(attack, &stranger->out);
    case 1:
        return hello(attack, &stranger->drip);
    default:
        return true;
    }
}

void emu_flood_drip(struct emu_stranger *stranger)
{
    int64_t now_ms = emu_attack_now_ms();
    if (stranger->drip.tail > stranger->drip.head && now_ms >= stranger->again_ms) {
        stranger->again_ms = now_ms + DRIP_MS;
        stranger->dead = !bytes_add(&stranger->out, stranger->drip.at + stranger->drip.head, 1);
        emu_bytes_drop(&stranger->drip, 1);
    }
}

/* One more, to the next place where he stands. */
static void connect_one(struct emu_attack *attack, struct emu_attacker *attacker, size_t number)
{
    size_t count = attack->options.deployment->tap_count;
    for (size_t k = 0; k < count; k++) {
        const struct emu_attack_place *place = &attack->places[(attacker->tried + k) % count];
        if (!place->stands[number]) {
            continue;
        }
        struct emu_stranger *stranger = emu_stranger_new(attack, attacker,
                                                         emu_attack_dial(place->tap->target, true));
        if (stranger != NULL) {
            stranger->dead = attacker->plan->flood == SCN_FLOOD_JUNK
                                 ? !junk(attacker, stranger)
                                 : !handshake(attack, attacker, stranger);
        }
        return;
    }
}

void emu_floods_tick(struct emu_attack *attack)
{
    int64_t now_ms = emu_attack_now_ms();
    for (size_t i = 0; i < attack->options.scenario->attack_count; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        if (attacker->plan->what != SCN_ATTACK_FLOOD || !emu_attacker_acts(attack, attacker)) {
            continue;
        }
        double rate = attacker->plan->rate == 0 ? RATE_AUTO : attacker->plan->rate;
        attacker->owed += attacker->due_ms == 0 ? 1
                                                : rate * (double)(now_ms - attacker->due_ms) / 1e3;
        attacker->due_ms = now_ms;
        attacker->owed = attacker->owed < MOST_AT_ONCE ? attacker->owed : MOST_AT_ONCE;
        while (attacker->owed >= 1) {
            attacker->owed -= 1;
            connect_one(attack, attacker, i);
        }
    }
}
