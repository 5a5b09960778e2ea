/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who can be reached where (FG QIT4N D2.3 clause 7.2.2.1; D23-KR-07, -13): the user networks that each KM
 * serves and the KSA that does so, as that KM said last. The analogy of the standard is BGP: here the
 * longest prefix decides, and of equals the lower KM. A KM that says nothing any more serves nothing. Used
 * by the controller, and by a KM that has no controller. */
#ifndef CTL_REACH_H
#define CTL_REACH_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/wire/user_network.h"

struct ctl_reach_item {
    struct qkd_eid km; /* KMC */
    struct qkd_time said;
    uint8_t *bytes; /* networks, then the KSA's record */
    uint32_t networks_len, ksa_len;
};

struct ctl_reach {
    struct qkd_slab items;
    struct qkd_map by_km;
};

void ctl_reach_init(struct ctl_reach *reach, uint32_t limit, const uint8_t *salt);
void ctl_reach_fini(struct ctl_reach *reach);

/* What a KM serves, in place of what it served: a withdrawal, where something is missing of it.
 * networks: wire_user_network, ksa: one wire_ksa_status or nothing. 0, QKD_ERR_FORMAT (nothing
 * changed), or QKD_ERR_NOMEM. */
int ctl_reach_put(struct ctl_reach *reach, struct qkd_eid km, struct wire_bytes networks,
                  struct wire_bytes ksa, struct qkd_time said);

/* The KM that serves an address or a named network, as said not before `oldest`; NULL. */
const struct ctl_reach_item *ctl_reach_find(const struct ctl_reach *reach,
                                            const struct wire_user_network *what,
                                            struct qkd_time oldest);

/* Fills in what is known of it, or why it is not (unknown_application). */
void ctl_reach_answer(const struct ctl_reach *reach, const struct wire_resolve *question,
                      struct qkd_time oldest, struct wire_resolve_rsp *answer);

#endif
