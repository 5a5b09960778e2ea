/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: no key bits on any link. Of each recent key the 8-byte windows at its first 8 offsets are
 * remembered; whoever puts 15 bytes of the key in a row on a link shows one of them at an offset
 * that is a multiple of 8. A bitmap lets about one look in a hundred through, which a hash chain
 * then decides exactly. */
#include <assert.h>
#include <string.h>

#include "watch/oracle_state.h"

enum { HALF = WATCH_ORC_RECENT / 2, WINDOW = 8, PHASES = 8, SHORT = WINDOW + PHASES - 1 };

static const uint64_t FACTOR = UINT64_C(0x9e3779b97f4a7c15);

static_assert(WATCH_ORC_RECENT == 1 << 13, "the shifts below take 13 bits of a hash");

static uint32_t chain_of(uint64_t hash)
{
    return (uint32_t)(hash >> 20) % WATCH_ORC_RECENT;
}

static void enter(struct watch_orc_leak *leak, uint32_t at)
{
    uint64_t hash = leak->window[at] * FACTOR;
    leak->bits[hash >> 51] |= UINT64_C(1) << (hash >> 45 & 63);
    leak->next[at] = leak->head[chain_of(hash)];
    leak->head[chain_of(hash)] = (uint16_t)(at + 1);
}

/* Forgets the older half of the windows. */
static void rotate(struct watch_orc_leak *leak, uint32_t from)
{
    memset(leak->bits, 0, sizeof leak->bits);
    memset(leak->head, 0, sizeof leak->head);
    for (uint32_t i = from; leak->count > HALF && i < from + HALF; i++) {
        enter(leak, i);
    }
}

void watch_orc_leak_add(struct watch_orc_leak *leak, const uint8_t *key, size_t len)
{
    leak->stride = len >= SHORT && leak->stride != 1 ? PHASES : 1;
    for (size_t phase = 0; phase < PHASES && phase + WINDOW <= len; phase++) {
        uint32_t at = leak->count++ % WATCH_ORC_RECENT;
        if (at % HALF == 0) {
            rotate(leak, at == 0 ? HALF : 0);
        }
        leak->window[at] = watch_orc_word(key + phase);
        enter(leak, at);
    }
}

static bool known(const struct watch_orc_leak *leak, uint64_t word)
{
    uint32_t at = leak->head[chain_of(word * FACTOR)];
    while (at != 0 && leak->window[at - 1] != word) {
        at = leak->next[at - 1];
    }
    return at != 0;
}

bool watch_orc_leak_found(const struct watch_orc_leak *leak, const uint8_t *bytes, size_t len)
{
    size_t stride = leak->stride;
    for (size_t i = 0; stride != 0 && i + WINDOW <= len; i += stride) {
        uint64_t word = watch_orc_word(bytes + i);
        uint64_t hash = word * FACTOR;
        if ((leak->bits[hash >> 51] >> (hash >> 45 & 63) & 1) != 0 && known(leak, word)) {
            return true;
        }
    }
    return false;
}
