/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: optical switches and quantum relay points. A switch lets the light of one of its links pass at a
 * time, after none passed; key is made only on a link whose switch stands at it and whose relay point is
 * active. What they let pass is what their agents last told their optics (RP_Q). */
#include <stdlib.h>

#include "watch/oracle_state.h"

enum { BY_SWITCH = 1, BY_POINT = 2 };

int watch_orc_light_init(struct watch_oracle *o)
{
    bool has_any = scn_optical_count(o->scenario) > 0;
    o->light = has_any ? calloc(o->scenario->link_count, sizeof *o->light) : NULL;
    return has_any && o->light == NULL ? QKD_ERR_NOMEM : 0;
}

/* Which links of a switch are lit besides this one. */
static bool is_other_lit(const struct watch_oracle *o, uint32_t number, uint32_t link)
{
    const struct scn_optical *optical = scn_optical_at(o->scenario, number);
    for (size_t i = 0; i < optical->link_count; i++) {
        if (optical->links[i] != link && (o->light[optical->links[i]] & BY_SWITCH) != 0) {
            return true;
        }
    }
    return false;
}

void watch_orc_light_sent(struct watch_oracle *o, const struct qkd_send *send,
                          const uint8_t *observed)
{
    struct wire_q_light light;
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    if (o->light == NULL || wire_q_light_decode(&light, observed, send->observed.len) != 0 ||
        light.link >= o->scenario->link_count) {
        return;
    }
    scene.link = light.link;
    bool is_switch = qkd_eid_role(send->from) == QKD_ROLE_SWITCH;
    uint32_t number = scn_optical_of(o->scenario, light.link, is_switch);
    if (!watch_orc_check(o, number == qkd_eid_instance(send->from),
                         "light: a switch or relay point speaks of a link that it does not serve",
                         &scene)) {
        return;
    }
    uint8_t bit = is_switch ? BY_SWITCH : BY_POINT;
    o->light[light.link] = (uint8_t)(light.on == 1 ? o->light[light.link] | bit
                                                   : o->light[light.link] & ~bit);
    if (is_switch && light.on == 1) {
        (void)watch_orc_check(o, !is_other_lit(o, number, light.link),
                              "light: an optical switch lets the light of two links pass", &scene);
    }
}

void watch_orc_light_block(struct watch_oracle *o, uint32_t link, const struct wire_q_block *block,
                           struct qkd_eid module)
{
    if (o->light == NULL ||
        block->rate_bps == 0) { /* without a rate: what they hold at the start */
        return;
    }
    struct watch_orc_scene scene = {.to = module, .rp = QKD_RP_Q, .link = link};
    bool has_switch = scn_optical_of(o->scenario, link, true) != SCN_NO_OPTICAL;
    bool has_point = scn_optical_of(o->scenario, link, false) != SCN_NO_OPTICAL;
    (void)watch_orc_check(o, !has_switch || (o->light[link] & BY_SWITCH) != 0,
                          "light: key on a link whose switch stands elsewhere", &scene);
    (void)watch_orc_check(o, !has_point || (o->light[link] & BY_POINT) != 0,
                          "light: key on a link whose relay point is not active", &scene);
}
