/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes through an attacker's lane (emu/attack/lane.c), as they come from a connection: the first byte says
 * what he does, the second how many bytes come at once. Properties: who listens passes on exactly what comes, but a
 * record that is not whole; who flips changes at most one byte of each record and no length; no attacker makes
 * more than twice of what came. And any bytes as text and as what it is searched in (emu/attack/find.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"
#include "emu/attack/find.h"

#define PROPERTY(cond) ((cond) ? (void)0 : property_fail(#cond, __LINE__))
#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void property_fail(const char *cond, int line)
{
    (void)fprintf(stderr, "emu_attack_fuzz.c:%d: %s\n", line, cond);
    abort();
}

static const enum scn_attack_what whats[] = {SCN_ATTACK_LISTEN, SCN_ATTACK_FLIP,
                                             SCN_ATTACK_DROP,   SCN_ATTACK_DELAY,
                                             SCN_ATTACK_REPLAY, SCN_ATTACK_SPLICE,
                                             SCN_ATTACK_FORGE};

/* What waits in a list of pieces, in a row. */
static size_t gather(const struct emu_piece *piece, uint8_t *to, size_t room)
{
    size_t len = 0;
    for (; piece != NULL; piece = piece->next) {
        PROPERTY(piece->len > 0 && len + piece->len <= room);
        memcpy(to + len, piece->bytes, piece->len);
        len += piece->len;
    }
    return len;
}

static void check_passed(const struct emu_lane *lane, enum scn_attack_what what,
                         const uint8_t *data, size_t size)
{
    size_t room = 2 * size + 1;
    uint8_t *out = malloc(room);
    PROPERTY(out != NULL);
    size_t waits = lane->in.tail - lane->in.head;
    size_t len = gather(lane->first, out, room);
    PROPERTY(lane->queued == len);
    size_t later = gather(lane->late, out + len, room - len);
    PROPERTY(waits <= size && waits < TLS_HEAD + RECORD_MOST);
    if (what == SCN_ATTACK_LISTEN || what == SCN_ATTACK_DELAY) {
        PROPERTY(len + waits == size && memcmp(out, data, len) == 0 && later == 0);
    } else if (what == SCN_ATTACK_FLIP || what == SCN_ATTACK_SPLICE) {
        PROPERTY(len + waits == size && later == 0);
    } else if (what == SCN_ATTACK_DROP) {
        PROPERTY(len + waits <= size && later == 0);
    } else {
        PROPERTY(len + waits == size && later <= len && memcmp(out, data, len) == 0);
    }
    free(out);
}

static void check_lane(const uint8_t *data, size_t size, enum scn_attack_what what, size_t at_once)
{
    struct scn_attack plan = {.what = what,
                              .for_ns = SCN_FOREVER,
                              .probability = 1,
                              .delay_ns = 1000000,
                              .mask = 1,
                              .bytes = 1};
    struct scn_scenario scenario = {.attacks = &plan, .attack_count = 1};
    struct emu_attacker attacker = {.plan = &plan, .file = -1};
    uint8_t stands = 1;
    struct emu_attack_place place = {.stands = &stands};
    struct emu_attack attack = {.options = {.scenario = &scenario}, .attackers = &attacker};
    struct emu_tapped tapped = {.place = &place, .fds = {-1, -1}};
    qkd_rng_init_named(&attacker.rng, size, "fuzz", what);
    for (size_t at = 0; at < size;) {
        struct emu_lane *lane = &tapped.lanes[0];
        size_t len = size - at < at_once ? size - at : at_once;
        PROPERTY(emu_bytes_reserve(&lane->in, len) == QKD_OK);
        memcpy(lane->in.at + lane->in.tail, data + at, len);
        lane->in.tail += len;
        at += len;
        PROPERTY(emu_lane_take(&attack, &tapped, 0) == QKD_OK);
    }
    check_passed(&tapped.lanes[0], what, data, size);
    PROPERTY(attacker.sum.touched <= attacker.sum.seen);
    emu_lane_fini(&tapped.lanes[0]);
    emu_lane_fini(&tapped.lanes[1]);
    emu_bytes_fini(&tapped.said);
    qkd_rng_fini(&attacker.rng);
}

/* A text that can be looked for is found in itself. */
static void check_find(const uint8_t *data, size_t size)
{
    struct emu_find *find = emu_find_new();
    PROPERTY(find != NULL);
    PROPERTY(emu_find_add(find, data, size) == QKD_OK);
    PROPERTY(emu_find_in(find, data, size) == emu_find_sought(find));
    emu_find_free(find);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    check_lane(data + 2, size - 2, whats[data[0] % (sizeof whats / sizeof whats[0])],
               (size_t)1 + 37 * (size_t)data[1]);
    check_find(data + 2, size - 2);
    return 0;
}
