/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: no key bits on any link. The first 8 bytes of each recent key are looked for at every
 * byte offset of what leaves a node: a bitmap of 16-bit hashes lets about one offset in a hundred
 * through, which a hash chain then decides exactly. */
#include <string.h>

#include "sim/oracle_state.h"

enum { HALF = SIM_ORC_RECENT / 2, HEADS = 4096 };

static const uint64_t FACTOR = UINT64_C(0x9e3779b97f4a7c15);

static void enter(struct sim_orc_leak *leak, uint32_t at)
{
    uint64_t hash = leak->key[at] * FACTOR;
    uint32_t chain = (uint32_t)(hash >> 20) % HEADS;
    leak->bits[hash >> 54] |= UINT64_C(1) << (hash >> 48 & 63);
    leak->next[at] = leak->head[chain];
    leak->head[chain] = (uint16_t)(at + 1);
}

void sim_orc_leak_add(struct sim_orc_leak *leak, const uint8_t *key, size_t len)
{
    if (len < 8) {
        return;
    }
    uint32_t at = leak->count++ % SIM_ORC_RECENT;
    if (at % HALF == 0) { /* keep the younger half */
        memset(leak->bits, 0, sizeof leak->bits);
        memset(leak->head, 0, sizeof leak->head);
        uint32_t from = at == 0 ? HALF : 0;
        for (uint32_t i = from; leak->count > 1 && i < from + HALF; i++) {
            enter(leak, i);
        }
    }
    leak->key[at] = sim_orc_word(key);
    enter(leak, at);
}

static bool known(const struct sim_orc_leak *leak, uint64_t word)
{
    uint32_t at = leak->head[(uint32_t)(word * FACTOR >> 20) % HEADS];
    while (at != 0 && leak->key[at - 1] != word) {
        at = leak->next[at - 1];
    }
    return at != 0;
}

bool sim_orc_leak_found(const struct sim_orc_leak *leak, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 8 <= len; i++) {
        uint64_t word = sim_orc_word(bytes + i);
        uint64_t hash = word * FACTOR;
        if ((leak->bits[hash >> 54] >> (hash >> 48 & 63) & 1) != 0 && known(leak, word)) {
            return true;
        }
    }
    return false;
}
