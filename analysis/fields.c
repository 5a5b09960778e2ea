/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of the summary's figures; their meaning and units are in docs/cli.md. */
#include "analysis/fields.h"

#include <string.h>

#include "core/base/err.h"

#define RUN(name, kind, member)                                                                    \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_summary, member)                                \
    }
#define LINK(name, kind, member)                                                                   \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_link_summary, member)                           \
    }
#define APP(name, kind, member)                                                                    \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_application_summary, member)                    \
    }
#define ROUTE(name, kind, member)                                                                  \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_route_use, member)                              \
    }
#define EVENT(name, kind, member)                                                                  \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_event_summary, member)                          \
    }
#define ATTACK(name, kind, member)                                                                 \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_attack_summary, member)                         \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, ANA_KIND_COUNT, 0                                                                    \
    }
/* clang-format off */
#define SPREAD(ROW, name, member)                                                                  \
    ROW(name ".mean", REAL, member.mean), ROW(name ".p50", REAL, member.p50),                      \
    ROW(name ".p95", REAL, member.p95), ROW(name ".p99", REAL, member.p99),                        \
    ROW(name ".max", REAL, member.max)
#define REQUESTS(ROW)                                                                              \
    ROW("requests.total", COUNT, requests.total), ROW("requests.served", COUNT, requests.served),  \
    ROW("requests.refused", COUNT, requests.refused),                                              \
    ROW("requests.timed_out", COUNT, requests.timed_out),                                          \
    ROW("requests.failed", COUNT, requests.failed),                                                \
    ROW("requests.pending", COUNT, requests.pending)
#define SESSIONS(ROW)                                                                              \
    ROW("sessions.offered", COUNT, sessions.offered),                                              \
    ROW("sessions.admitted", COUNT, sessions.admitted),                                            \
    ROW("sessions.refused", COUNT, sessions.refused),                                              \
    ROW("sessions.closed", COUNT, sessions.closed),                                                \
    ROW("sessions.broken", COUNT, sessions.broken), ROW("sessions.open", COUNT, sessions.open)
#define BITS(ROW)                                                                                  \
    ROW("bits.generated", COUNT, bits.generated), ROW("bits.bootstrap", COUNT, bits.bootstrap),    \
    ROW("bits.stored", COUNT, bits.stored), ROW("bits.pads", COUNT, bits.pads),                    \
    ROW("bits.tags", COUNT, bits.tags), ROW("bits.hash_keys", COUNT, bits.hash_keys),              \
    ROW("bits.fallback_keys", COUNT, bits.fallback_keys),                                          \
    ROW("bits.postproc_auth", COUNT, bits.postproc_auth),                                          \
    ROW("bits.relayed_as_key", COUNT, bits.relayed_as_key),                                        \
    ROW("bits.expired", COUNT, bits.expired), ROW("bits.discarded", COUNT, bits.discarded),        \
    ROW("bits.in_flight", COUNT, bits.in_flight)
/* clang-format on */

const struct ana_field ana_head_fields[] = {
    RUN("interrupted", BOOL, interrupted),
    RUN("sim_s", REAL, sim_s),
    RUN("wall_s", REAL, wall_s),
    RUN("cpu_s", REAL, cpu_s),
    RUN("events", COUNT, events),
    RUN("messages", COUNT, messages),
    END,
};

const struct ana_field ana_run_fields[] = {
    REQUESTS(RUN),
    RUN("served_fraction", FRACTION, requests),
    SESSIONS(RUN),
    RUN("supplied_bits", COUNT, supplied_bits),
    RUN("supplied_unanswered", COUNT, supplied_unanswered),
    RUN("supplied_by_grade.otp", COUNT, supplied_otp_bits),
    RUN("supplied_by_grade.aes", COUNT, supplied_aes_bits),
    RUN("mismatched_pairs", COUNT, mismatched_pairs),
    SPREAD(RUN, "latency_s", latency),
    SPREAD(RUN, "fetch_latency_s", fetch_latency),
    RUN("relay.hops_mean", REAL, relay.hops_mean),
    RUN("relay.frames", COUNT, relay.frames),
    RUN("relay.retransmissions", COUNT, relay.retransmissions),
    RUN("relay.reroutes", COUNT, relay.reroutes),
    RUN("relay.fallback_frames", COUNT, relay.fallback_frames),
    RUN("relay.kept_routes", COUNT, relay.kept_routes),
    RUN("relay.kept_oldest_s", REAL, relay.kept_oldest_s),
    RUN("fairness.jain_bits", REAL, fairness.jain_bits),
    RUN("fairness.jain_served", REAL, fairness.jain_served),
    RUN("pools.exhaustions", COUNT, pools.exhaustions),
    RUN("pools.fallbacks", COUNT, pools.fallbacks),
    RUN("pools.empty_s", REAL, pools.empty_s),
    RUN("pools.min_bits", COUNT, pools.min_bits),
    RUN("healing.events", COUNT, healing.events),
    RUN("healing.detect_s", REAL, healing.detect_s),
    RUN("healing.first_key_s", REAL, healing.first_key_s),
    BITS(RUN),
    RUN("keys.drawn", COUNT, keys.drawn),
    RUN("keys.relayed_as_key", COUNT, keys.relayed_as_key),
    RUN("keys.supplied", COUNT, keys.supplied),
    RUN("keys.pooled", COUNT, keys.pooled),
    RUN("keys.expired", COUNT, keys.expired),
    RUN("keys.discarded", COUNT, keys.discarded),
    RUN("keys.in_flight", COUNT, keys.in_flight),
    RUN("alarms.raised", COUNT, alarms.raised),
    RUN("alarms.cleared", COUNT, alarms.cleared),
    RUN("security.auth_failures", COUNT, security.auth_failures),
    RUN("security.forgeries_rejected", COUNT, security.forgeries_rejected),
    RUN("security.forgeries_accepted", COUNT, security.forgeries_accepted),
    RUN("security.leaked_bits", COUNT, security.leaked_bits),
    RUN("security.leaked_fraction", REAL, security.leaked_fraction),
    RUN("security.violations", COUNT, security.violations),
    RUN("oracle.checks", COUNT, oracle.checks),
    RUN("oracle.violations", COUNT, oracle.violations),
    RUN("oracle.cost_s", REAL, oracle.cost_s),
    END,
};

const struct ana_field ana_link_fields[] = {
    LINK("rate_bps", COUNT, rate_bps),
    LINK("pool_min_bits", COUNT, pool_min_bits),
    LINK("pool_mean_bits", REAL, pool_mean_bits),
    LINK("pool_end_bits", COUNT, pool_end_bits),
    LINK("exhaustions", COUNT, exhaustions),
    LINK("empty_s", REAL, empty_s),
    LINK("down_s", REAL, down_s),
    LINK("up_end", BOOL, up_end),
    LINK("frames", COUNT, frames),
    LINK("retransmissions", COUNT, retransmissions),
    LINK("tag_failures", COUNT, tag_failures),
    LINK("fallbacks", COUNT, fallbacks),
    LINK("fallback_frames", COUNT, fallback_frames),
    LINK("relayed_keys", COUNT, relayed_keys),
    LINK("reserved_mean_bps", REAL, reserved_mean_bps),
    LINK("reserved_max_bps", COUNT, reserved_max_bps),
    LINK("reserved_end_bps", COUNT, reserved_end_bps),
    BITS(LINK),
    END,
};

const struct ana_field ana_application_fields[] = {
    REQUESTS(APP),
    APP("served_fraction", FRACTION, requests),
    SESSIONS(APP),
    APP("supplied_keys", COUNT, supplied_keys),
    APP("supplied_bits", COUNT, supplied_bits),
    APP("leaked_bits", COUNT, leaked_bits),
    APP("leaked_fraction", REAL, leaked_fraction),
    APP("hops_mean", REAL, hops_mean),
    APP("reroutes", COUNT, reroutes),
    SPREAD(APP, "latency_s", latency),
    SPREAD(APP, "fetch_latency_s", fetch_latency),
    APP("other_routes", COUNT, other_routes),
    END,
};

#define CLASS(name, kind, member)                                                                  \
    {                                                                                              \
        name, ANA_KIND_##kind, offsetof(struct scn_class_summary, member)                          \
    }
const struct ana_field ana_class_fields[] = {
    CLASS("applications", COUNT, applications),   REQUESTS(CLASS),
    CLASS("served_fraction", FRACTION, requests), CLASS("asked_bits", COUNT, asked_bits),
    CLASS("supplied_bits", COUNT, supplied_bits), CLASS("jain_bits", REAL, jain_bits),
    CLASS("jain_served", REAL, jain_served),      END,
};

const struct ana_field ana_route_fields[] = {
    ROUTE("served", COUNT, served),  ROUTE("periods", COUNT, periods),
    ROUTE("first_s", REAL, first_s), ROUTE("last_s", REAL, last_s),
    ROUTE("span_s", REAL, span_s),   END,
};

const struct ana_field ana_event_fields[] = {
    EVENT("at_s", REAL, at_s),
    EVENT("end_s", REAL, end_s),
    EVENT("detect_s", REAL, detect_s),
    EVENT("first_key_s", REAL, first_key_s),
    EVENT("healed_s", REAL, healed_s),
    EVENT("applications", COUNT, applications),
    EVENT("healed", COUNT, healed),
    EVENT("lost.total", COUNT, lost.total),
    EVENT("lost.refused", COUNT, lost.refused),
    EVENT("lost.timed_out", COUNT, lost.timed_out),
    EVENT("lost.failed", COUNT, lost.failed),
    EVENT("lost.pending", COUNT, lost.pending),
    EVENT("lost_bits", COUNT, lost_bits),
    EVENT("discarded_bits", REAL, discarded_bits),
    END,
};

const struct ana_field ana_attack_fields[] = {
    ATTACK("seen", COUNT, seen),
    ATTACK("shielded", COUNT, shielded),
    ATTACK("read", COUNT, read),
    ATTACK("leaked_keys", COUNT, leaked_keys),
    ATTACK("leaked_bits", COUNT, leaked_bits),
    ATTACK("marked_bits", COUNT, marked_bits),
    ATTACK("touched", COUNT, touched),
    ATTACK("forged", COUNT, forged),
    ATTACK("accepted", COUNT, accepted),
    ATTACK("rejected", COUNT, rejected),
    ATTACK("first_s", REAL, first_s),
    ATTACK("detect_s", REAL, detect_s),
    ATTACK("alarm_s", REAL, alarm_s),
    ATTACK("sent", COUNT, sent),
    ATTACK("missed", COUNT, missed),
    ATTACK("backlog", COUNT, backlog),
    ATTACK("restore_s", REAL, restore_s),
    END,
};

const struct ana_field *ana_field_find(const struct ana_field *table, const char *name)
{
    for (const struct ana_field *field = table; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

uint64_t ana_field_count(const struct ana_field *field, const void *base)
{
    QKD_ASSERT(field->kind == ANA_KIND_COUNT);
    uint64_t value;
    memcpy(&value, (const char *)base + field->offset, sizeof value);
    return value;
}

bool ana_field_bool(const struct ana_field *field, const void *base)
{
    QKD_ASSERT(field->kind == ANA_KIND_BOOL);
    bool value;
    memcpy(&value, (const char *)base + field->offset, sizeof value);
    return value;
}

double ana_field_number(const struct ana_field *field, const void *base)
{
    const char *place = (const char *)base + field->offset;
    if (field->kind == ANA_KIND_REAL) {
        double value;
        memcpy(&value, place, sizeof value);
        return value;
    }
    if (field->kind == ANA_KIND_FRACTION) {
        struct scn_requests requests;
        memcpy(&requests, place, sizeof requests);
        return scn_served_fraction(&requests);
    }
    if (field->kind == ANA_KIND_BOOL) {
        return ana_field_bool(field, base) ? 1 : 0;
    }
    return (double)ana_field_count(field, base);
}
