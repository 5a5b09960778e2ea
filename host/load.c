/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Load: arrivals of a model as messages to an agent. */
#include "host/load.h"

#include "core/base/err.h"
#include "core/wire/codec.h"

enum { MESSAGE_BYTES = 256 };

void host_load_init(struct host_load *load, const struct host_plan *plan, uint32_t application)
{
    const struct scn_application *app = &plan->scenario->applications[application];
    *load = (struct host_load){.plan = plan, .application = application};
    static const enum mdl_arrivals_kind kinds[] = {[SCN_ARRIVALS_POISSON] = MDL_ARRIVALS_POISSON,
                                                   [SCN_ARRIVALS_PERIODIC] = MDL_ARRIVALS_PERIODIC,
                                                   [SCN_ARRIVALS_TRACE] = MDL_ARRIVALS_TRACE,
                                                   [SCN_ARRIVALS_ON_OFF] = MDL_ARRIVALS_ON_OFF,
                                                   [SCN_ARRIVALS_DIURNAL] = MDL_ARRIVALS_DIURNAL};
    struct mdl_arrivals_params params = {
        .kind = app->of > 0 ? MDL_ARRIVALS_TRACE : kinds[app->arrivals], /* it does not ask */
        .rate_per_s = app->rate_per_s,
        .offset_ns = app->offset_ns,
        .times_ns = app->times_ns,
        .times_count = app->of > 0 ? 0 : app->times_count,
        .on_ns = app->on_ns,
        .off_ns = app->off_ns,
        .fixed = app->periods == SCN_PERIODS_FIXED,
        .trough_per_s = app->trough_per_s,
        .peak_ns = app->peak_ns,
        .day_ns = app->day_ns,
        .levels = app->profile,
        .level_count = app->profile_count,
        .start = {app->start_ns},
        .stop = {app->stop_ns},
    };
    mdl_arrivals_init(&load->arrivals, &params);
    qkd_rng_init_named(&load->rng, scn_application_seed(plan->scenario, application), "application",
                       application);
    qkd_rng_init_named(&load->holds, scn_application_seed(plan->scenario, application), "session",
                       application);
}

void host_load_fini(struct host_load *load)
{
    qkd_rng_fini(&load->rng);
    qkd_rng_fini(&load->holds);
}

struct qkd_time host_load_next(struct host_load *load)
{
    return mdl_arrivals_next(&load->arrivals, &load->rng);
}

void host_load_ask(struct host_load *load, const struct host_sender *sender)
{
    const struct scn_application *app = &load->plan->scenario->applications[load->application];
    struct wire_load ask = {.head = {.rp = QKD_RP_LOAD,
                                     .message_id = ++*sender->message_id,
                                     .sender = qkd_eid_make(QKD_ROLE_LOAD, 0, app->from)},
                            .count = app->count};
    if (app->session.rate_bps > 0) {
        struct mdl_hold hold = {.fixed = app->session.hold_law == SCN_PERIODS_FIXED,
                                .mean_ns = app->session.hold_ns};
        ask.has_hold = true;
        ask.hold = mdl_hold_next(&hold, &load->holds);
    }
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_load_encode(&ask, bytes, sizeof(bytes));
    QKD_ASSERT(len > 0);
    sender->give(sender->ctx,
                 &(struct host_message){.rp = QKD_RP_LOAD,
                                        .from = ask.head.sender,
                                        .to = host_agent_eid(load->plan, 2 * load->application),
                                        .bytes = bytes,
                                        .len = (size_t)len});
}
