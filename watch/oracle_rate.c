/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: highest rates. What an application was supplied outside sessions, since the beginning, is what its
 * highest rate gives in that time, one second of it in advance, and one request: again for each start of its
 * KM, which forgets. */
#include <stdlib.h>

#include "watch/oracle_state.h"

#define DRIFT 1.01 /* KMs' clocks may be fast: a hundredth is more than any scenario has */

int watch_orc_rate_init(struct watch_oracle *o)
{
    bool has_any = false;
    for (size_t i = 0; i < o->scenario->application_count; i++) {
        has_any = has_any || o->scenario->applications[i].max_bps > 0;
    }
    o->rates = has_any ? calloc(o->scenario->application_count, sizeof *o->rates) : NULL;
    return has_any && o->rates == NULL ? QKD_ERR_NOMEM : 0;
}

void watch_orc_rate_crash(struct watch_oracle *o, uint32_t node)
{
    for (size_t i = 0; o->rates != NULL && i < o->scenario->application_count; i++) {
        o->rates[i].starts += o->scenario->applications[i].from == node ? 1 : 0;
    }
}

void watch_orc_rate(struct watch_oracle *o, const struct qkd_send *send, uint64_t bits)
{
    uint32_t application = qkd_eid_instance(send->to) / 2;
    if (o->rates == NULL || application >= o->scenario->application_count) {
        return;
    }
    const struct scn_application *app = &o->scenario->applications[application];
    if (app->max_bps == 0 || app->session.rate_bps > 0) {
        return; /* what comes within sessions has a rate of its own */
    }
    o->rates[application].bits += bits;
    double request = (double)app->key_bits * app->count;
    double burst = (double)app->max_bps > request ? (double)app->max_bps : request;
    double most = (double)app->max_bps * DRIFT * (double)o->now_ns * 1e-9 +
                  burst * (1 + o->rates[application].starts);
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    (void)watch_orc_check(o, (double)o->rates[application].bits <= most,
                          "access: more key than the application's highest rate", &scene);
}
