/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: link state of other KMs passes through it between its neighbours (Kx-1) and its KMC (KMI), which
 * judges it (kmc_map.c). Only an adjacent KMA, authenticated and authorised by HELLO, is listened to
 * (D23-KR-09). */
#include "core/km/kma_internal.h"

void kma_state_receive(const struct kma_step *s, struct qkd_eid peer,
                       const struct wire_link_state *state)
{
    struct kma *kma = s->kma;
    const struct kma_link *link = kma_link_of(kma, peer);
    if (link == NULL || !link->up) {
        chan_report_security(&kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return;
    }
    struct wire_link_state onward = *state;
    onward.head = kma_head(kma, QKD_RP_KMI, 0);
    onward.has_neighbour = true;
    onward.neighbour = peer;
    onward.has_only = false;
    KMA_SEND(s, link_state, QKD_RP_KMI, qkd_eid_sibling(kma->self, QKD_ROLE_KMC), &onward);
}

/* Whether an earlier link leads to the same neighbour. */
static bool is_told(const struct kma *kma, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (kma->links[i].up && qkd_eid_eq(kma->links[i].peer, kma->links[index].peer)) {
            return true;
        }
    }
    return false;
}

void kma_state_tell(const struct kma_step *s, const struct wire_link_state *state)
{
    struct kma *kma = s->kma;
    bool is_only = state->has_only && state->only != 0;
    for (uint32_t i = 0; i < kma->link_count; i++) {
        const struct kma_link *link = &kma->links[i];
        bool is_named = state->has_neighbour && qkd_eid_eq(link->peer, state->neighbour);
        if (!link->up || is_named != is_only || is_told(kma, i)) {
            continue;
        }
        struct wire_link_state onward = *state;
        onward.head = kma_head(kma, QKD_RP_KX1, 0);
        onward.has_neighbour = onward.has_only = false;
        KMA_SEND(s, link_state, QKD_RP_KX1, link->peer, &onward);
    }
}
