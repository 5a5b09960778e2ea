/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers in a plan: some of those of docs/security.md, each for a while before things calm down. All
 * measures stand, so whatever they do no forgery is taken for genuine and no bit is learnt, and when they have
 * gone all comes back. Drawn from a stream of chance of its own, so that a seed means what it meant before but
 * for this. */
#include <stdio.h>

#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum {
    ATTACKED_IN = 8, /* plans with attackers */
    WITHIN = 2,      /* of those where they reach the inside of nodes */
    FIRST_MS = 200,
    LONGEST_MS = 3000,
    DELAY_MOST_MS = 2000
};

/* What there is to draw; `asks`: where an application goes for the keys of others. */
static const struct {
    const char *what, *surface, *message;
    bool delays, at_node, to_the_end;
} kinds[] = {
    {"flip", "K2-1", "any", false, false, false},
    {"flip", "K2-2", "any", false, false, false},
    {"flip", "C", "any", false, false, false},
    {"flip", "M", "any", false, false, false},
    {"flip", "KMA", "any", false, false, false},
    {"flip", "KSA", "any", false, false, false},
    {"drop", "K2-1", "relay", false, false, false},
    {"drop", "K2-2", "any", false, false, false},
    {"drop", "C", "any", false, false, false},
    {"delay", "K2-1", "any", true, false, false},
    {"replay", "K2-1", "any", true, false, false},
    {"replay", "K2-2", "any", true, false, false},
    {"replay", "C", "any", true, false, false},
    {"replay", "KSA", "any", true, false, false},
    {"splice", "K2-1", "relay", false, false, false},
    {"splice", "K1", "key-file", false, false, false},
    {"truncate", "K2-1", "any", false, false, false},
    {"truncate", "KSA", "any", false, false, false},
    {"forge", "K2-1", "relay", false, false, false},
    {"forge", "K2-1", "any", false, false, false},
    {"forge", "C", "any", false, false, false},
    {"forge", "KSA", "any", false, false, false},
    {"reflect", "K2-2", "any", false, false, false},
    {"reflect", "K2-1", "any", false, false, false},
    {"reflect", "KMA", "any", false, false, false},
    {"listen", "KMA", "any", false, false, true},
    {"listen", "KSA", "any", false, false, true},
    {"steal", "KSA", "any", false, true, true},
    {"probe", "KSA", "any", false, true, true},
    {"delete", "KSA", "any", false, true, true},
    {"pose", "K2-2", "any", false, true, true},
    {"usurp", "KMA", "any", false, true, true},
    {"image", "KMA", "any", false, true, true},
    {"rot", "KMA", "any", false, true, false},
    {"destroy", "KSA", "any", false, true, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void draw(struct sim_fuzz_plan *plan, struct qkd_rng *rng)
{
    uint32_t i = plan->attack_count++;
    uint32_t end_ms = plan->chaos_end_ms > FIRST_MS + 2 ? plan->chaos_end_ms : FIRST_MS + 2;
    plan->attack[i].kind = sim_fuzz_between(rng, 0, KINDS - 1);
    plan->attack[i].at_ms = sim_fuzz_between(rng, FIRST_MS, end_ms - 1);
    uint32_t left_ms = end_ms - plan->attack[i].at_ms;
    plan->attack[i].for_ms = sim_fuzz_between(rng, 1, left_ms < LONGEST_MS ? left_ms : LONGEST_MS);
    plan->attack[i].delay_ms = sim_fuzz_between(rng, 1,
                                                left_ms < DELAY_MOST_MS ? left_ms : DELAY_MOST_MS);
    plan->attack[i].percent = sim_fuzz_between(rng, 0, 1) == 0 ? 100 : sim_fuzz_between(rng, 5, 60);
    plan->attack[i].node = sim_fuzz_between(rng, 0, plan->node_count - 1);
}

void sim_fuzz_plan_attack(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, plan->seed, "fuzz attack", 0);
    bool on = qkd_rng_below(&rng, ATTACKED_IN) == 0 && sim_fuzz_set_has(allowed, SIM_FUZZ_ATTACK);
    if (on) {
        sim_fuzz_set_add(&plan->features, SIM_FUZZ_ATTACK, true);
        plan->outside = qkd_rng_below(&rng, WITHIN) == 0;
        uint32_t count = sim_fuzz_between(&rng, 1, SIM_FUZZ_ATTACKS);
        for (uint32_t i = 0; i < count; i++) {
            draw(plan, &rng);
        }
    }
    qkd_rng_fini(&rng);
}

bool sim_fuzz_attack_print(const struct sim_fuzz_plan *plan, uint32_t number, char *text,
                           size_t size)
{
    uint32_t kind = plan->attack[number].kind;
    uint32_t node = plan->attack[number].node;
    if (plan->attack[number].off || (kinds[kind].at_node && plan->node[node].off)) {
        return false;
    }
    int len = snprintf(text, size, "what: %s, surface: %s, message: %s, at: %u ms",
                       kinds[kind].what, kinds[kind].surface, kinds[kind].message,
                       (unsigned)plan->attack[number].at_ms);
    if (!kinds[kind].to_the_end) {
        len += snprintf(text + len, size - (size_t)len, ", for: %u ms",
                        (unsigned)plan->attack[number].for_ms);
    }
    if (kinds[kind].delays) {
        len += snprintf(text + len, size - (size_t)len, ", delay: %u ms",
                        (unsigned)plan->attack[number].delay_ms);
    }
    if (kinds[kind].at_node) {
        len += snprintf(text + len, size - (size_t)len, ", node: %c",
                        "ABCDEFGHIJKL"[node % SIM_FUZZ_NODES]);
    } else {
        len += snprintf(text + len, size - (size_t)len, ", probability: %.2f",
                        plan->attack[number].percent / 100.0);
    }
    return (size_t)len < size;
}
