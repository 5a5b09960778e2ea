/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Budgets of failing checks and quarantine: counts by the second. */
#include "core/base/guard.h"

#include "core/base/mutant.h"

#define SECOND_NS QKD_NS_PER_S

static void second_pass(struct qkd_guard *guard, struct qkd_time now)
{
    int64_t past_ns = now.ns - guard->second.ns;
    if (past_ns >= 0 && past_ns < SECOND_NS) {
        return;
    }
    guard->good_before = past_ns >= 0 && past_ns < 2 * SECOND_NS ? guard->good : 0;
    guard->bad = guard->failed = guard->good = 0;
    guard->second = now;
}

bool qkd_guard_may_check(struct qkd_guard *guard, const struct qkd_guard_config *config,
                         struct qkd_time now)
{
    second_pass(guard, now);
    uint64_t paid = (uint64_t)QKD_GUARD_PER_GOOD * ((uint64_t)guard->good + guard->good_before);
    return config->checks == 0 || guard->failed < config->checks + paid ||
           QKDN_MUTANT(CHECKS_UNBOUND);
}

void qkd_guard_good(struct qkd_guard *guard, struct qkd_time now)
{
    second_pass(guard, now);
    guard->good += !QKDN_MUTANT(GOOD_UNPAID);
}

bool qkd_guard_bad(struct qkd_guard *guard, const struct qkd_guard_config *config,
                   struct qkd_time now, bool checked)
{
    second_pass(guard, now);
    guard->bad++;
    guard->failed += checked;
    if (config->bad_most == 0 || guard->bad <= config->bad_most) {
        return false;
    }
    bool begins = !qkd_guard_is_strict(guard, now);
    guard->strict = true;
    guard->until = qkd_time_add(now, config->quarantine);
    return begins;
}
