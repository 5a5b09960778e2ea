/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KSA's access control, by configuration: how much key per second an application may have, and the
 * list which applications may ask for keys with which others, beyond being each other's partner in the
 * directory. The KSA of the asking application checks
 * before anything is spent, the KSA of its partner before it takes the keys: each operator's KMs
 * obey their own list. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/km/ksa_element.h"

#define NS_PER_US 1000U
#define US_PER_S UINT64_C(1000000)

/* Counts the rules and, if `to` is not NULL, fills it. A negative value is an error. */
static int rules_read(struct wire_bytes rules, struct wire_access_rule *to)
{
    int count = 0;
    for (size_t at = 0; at < rules.len; count++) {
        struct wire_access_rule rule;
        int len = wire_access_rule_decode(&rule, rules.at + at, rules.len - at);
        if (len <= 0) {
            return len < 0 ? len : QKD_ERR_FORMAT;
        }
        if (count == KSA_RULES) {
            return QKD_ERR_LIMIT;
        }
        if (to != NULL) {
            to[count] = rule; /* it holds no pointers into the message */
        }
        at += (size_t)len;
    }
    return count;
}

int ksa_access_put(struct ksa *ksa, const struct wire_cfg_access *config)
{
    int count = rules_read(config->rules, NULL);
    if (count < 0) {
        return count; /* the old list stays: half a list is none */
    }
    struct wire_access_rule *rules = NULL;
    if (count > 0) {
        rules = calloc((size_t)count, sizeof *rules);
        if (rules == NULL) {
            return QKD_ERR_NOMEM;
        }
        (void)rules_read(config->rules, rules); /* as before */
    }
    free(ksa->rules);
    ksa->rules = rules;
    ksa->rule_count = (uint32_t)count;
    return QKD_OK;
}

/* What is not stated of an application does not fit a rule that names it. */
static bool rule_fits(const struct wire_access_rule *rule, const struct ksa_app *source,
                      const struct ksa_app *target)
{
    return (!rule->has_source_id || qkd_eid_eq(rule->source_id, source->app)) &&
           (!rule->has_source_node || rule->source_node == qkd_eid_node(source->app)) &&
           (!rule->has_source_operator || rule->source_operator == source->operator_id) &&
           (!rule->has_source_role || rule->source_role == source->role) &&
           (!rule->has_target_id || qkd_eid_eq(rule->target_id, target->app)) &&
           (!rule->has_target_node || rule->target_node == qkd_eid_node(target->app)) &&
           (!rule->has_target_operator || rule->target_operator == target->operator_id) &&
           (!rule->has_target_role || rule->target_role == target->role) &&
           (!rule->has_source_community || rule->source_community == source->community) &&
           (!rule->has_target_community || rule->target_community == target->community) &&
           (!rule->has_level || rule->level == source->level);
}

enum wire_reason ksa_access_check(const struct ksa *ksa, struct qkd_eid source,
                                  struct qkd_eid target)
{
    if (ksa->rule_count == 0) {
        return WIRE_REASON_NONE;
    }
    const struct ksa_app *asks = ksa_directory_find(ksa, source);
    const struct ksa_app *other = ksa_directory_find(ksa, target);
    if (asks == NULL || other == NULL) {
        return WIRE_REASON_ACCESS_DENIED; /* nothing is known that a rule could allow */
    }
    for (uint32_t i = 0; i < ksa->rule_count; i++) {
        if (rule_fits(&ksa->rules[i], asks, other)) {
            return ksa->rules[i].allow != 0 ? WIRE_REASON_NONE : WIRE_REASON_ACCESS_DENIED;
        }
    }
    return WIRE_REASON_NONE;
}

/* ---- highest rates ---- */

/* A request larger than a full bucket is let through by one, and what it took in advance comes back
 * first. */
static void credit_pass(struct ksa_bucket *b, struct qkd_time now)
{
    uint64_t full_s = (b->debt_bits + b->max_bps) / b->max_bps +
                      1; /* all is paid and full by then */
    uint64_t past_ns = now.ns > b->credit_at.ns ? (uint64_t)(now.ns - b->credit_at.ns) : 0;
    if (past_ns / QKD_NS_PER_S >= full_s) {
        b->debt_bits = 0;
        b->credit_bits = b->max_bps;
        b->credit_at = now;
        return;
    }
    uint64_t past_us = past_ns / NS_PER_US;
    uint64_t gained = b->max_bps / US_PER_S * past_us + b->max_bps % US_PER_S * past_us / US_PER_S;
    uint64_t paid = gained < b->debt_bits ? gained : b->debt_bits;
    b->debt_bits -= paid;
    b->credit_bits += gained - paid;
    b->credit_bits = b->credit_bits < b->max_bps ? b->credit_bits : b->max_bps;
    if (b->max_bps < US_PER_S) { /* what is not yet a whole bit counts on */
        past_us = gained * US_PER_S / b->max_bps;
    }
    b->credit_at.ns += (int64_t)(past_us * NS_PER_US);
}

bool ksa_bucket_take(struct ksa_bucket *bucket, struct qkd_time now, uint64_t bits)
{
    credit_pass(bucket, now);
    uint64_t needed = bits < bucket->max_bps ? bits : bucket->max_bps;
    if (bucket->debt_bits > 0 || bucket->credit_bits < needed) {
        return false;
    }
    bucket->credit_bits -= needed;
    bucket->debt_bits = bits - needed;
    return true;
}

enum wire_reason ksa_access_rate(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                                 uint64_t bits)
{
    struct ksa_app *entry = ksa_directory_find(ksa, app);
    bool is_any = entry == NULL || entry->rate.max_bps == 0 || QKDN_MUTANT(RATE_BLIND);
    return is_any || ksa_bucket_take(&entry->rate, event->now, bits) ? WIRE_REASON_NONE
                                                                     : WIRE_REASON_OVER_RATE;
}
