/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults of further kinds for the fuzzer: worse light, modules, elements, lost key stores, bad channels,
 * a management network in parts, links that fail together or at random. Drawn from a stream of chance of their own,
 * after all else, so that older seeds mean what they meant but for what is added here. All of it ends
 * by chaos_end_ms, but the last repair of a random failure may end a little later. */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/rng.h"
#include "sim/fuzz_plan.h"

enum {
    DENSITY = 3, /* of DICE: as in fuzz_extra.c */
    DICE = 12,
    LONGEST_MS = 4000,
    TEXT = 512,
    LIST = 128 /* 20 links of two letters */
};

struct trouble {
    struct sim_fuzz_plan *plan;
    struct qkd_rng rng;
};

/* Uniform in [low, high]. */
static uint32_t between(struct trouble *m, uint32_t low, uint32_t high)
{
    return low + (uint32_t)qkd_rng_below(&m->rng, (uint64_t)high - low + 1);
}

/* One or two of a kind; what x, y and z are is said by the printer. */
static void add(struct trouble *m, enum sim_fuzz_feature kind)
{
    struct sim_fuzz_plan *p = m->plan;
    for (uint32_t n = between(m, 1, 2); n > 0 && p->trouble_count < SIM_FUZZ_TROUBLES; n--) {
        uint32_t i = p->trouble_count++;
        p->trouble[i].kind = kind;
        p->trouble[i].at_ms = between(m, 0, p->chaos_end_ms - 50);
        uint32_t left_ms = p->chaos_end_ms - p->trouble[i].at_ms;
        uint32_t most_ms = left_ms < LONGEST_MS ? left_ms : LONGEST_MS;
        p->trouble[i].for_ms = between(m, 1, most_ms);
        uint32_t things = kind == SIM_FUZZ_ELEMENT      ? 2
                          : kind == SIM_FUZZ_STORE_LOST ? p->node_count
                                                        : p->link_count;
        p->trouble[i].index = between(m, 0, things - 1);
        uint32_t of = kind == SIM_FUZZ_PARTITION ? p->node_count : p->link_count;
        p->trouble[i].some = between(m, 1, (1U << of) - 1);
        p->trouble[i].x = between(m, 0, 100);
        p->trouble[i].y = between(m, 0, 100);
        p->trouble[i].z = between(m, 0, 100);
    }
}

void sim_fuzz_plan_trouble(struct sim_fuzz_plan *plan, struct sim_fuzz_set allowed)
{
    struct trouble m = {.plan = plan};
    qkd_rng_init_named(&m.rng, plan->seed, "fuzz trouble", 0);
    uint32_t density = between(&m, 0, DENSITY);
    for (uint32_t f = SIM_FUZZ_TROUBLE; f < SIM_FUZZ_TROUBLE_END; f++) {
        bool on = between(&m, 1, DICE) <= density && sim_fuzz_set_has(allowed, f);
        sim_fuzz_set_add(&plan->features, f, on);
        if (on) {
            add(&m, (enum sim_fuzz_feature)f);
        }
    }
    qkd_rng_fini(&m.rng);
}

/* ---- as text ---- */

static char node_name(uint32_t node)
{
    return (char)('A' + node);
}

/* "AB, BC" for the links or nodes of `some` that are there. */
static void list_print(const struct sim_fuzz_plan *p, uint32_t number, bool nodes, char text[LIST])
{
    size_t len = 0;
    uint32_t count = nodes ? p->node_count : p->link_count;
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        bool off = nodes ? p->node[i].off : p->link[i].off;
        if (off || (p->trouble[number].some >> i & 1) == 0) {
            continue;
        }
        const char *comma = len > 0 ? ", " : "";
        int made = nodes ? snprintf(text + len, LIST - len, "%s%c", comma, node_name(i))
                         : snprintf(text + len, LIST - len, "%s%c%c", comma,
                                    node_name(p->link[i].a), node_name(p->link[i].b));
        len += made > 0 ? (size_t)made : 0;
    }
}

/* The agent of a switch or relay point, if the link has one. */
static const char *light_fault(const struct sim_fuzz_plan *p, uint32_t number)
{
    uint32_t link = UINT32_C(1) << p->trouble[number].index;
    bool is_alone = sim_fuzz_is_alone(p);
    if (p->trouble[number].kind == SIM_FUZZ_SWITCH && (p->optical.links & link) != 0 && !is_alone) {
        return "optical-switch";
    }
    if (p->trouble[number].kind == SIM_FUZZ_POINT && (p->points & link) != 0 && !is_alone) {
        return "relay-point";
    }
    bool known = p->node[p->controller].offset_s == 0 && !is_alone;
    return known ? "maintenance" : "quantum";
}

static void link_print(const struct sim_fuzz_plan *p, uint32_t number, char text[TEXT])
{
    uint32_t x = p->trouble[number].x;
    uint32_t y = p->trouble[number].y;
    uint32_t z = p->trouble[number].z;
    char name[32];
    char a = node_name(p->link[p->trouble[number].index].a);
    char b = node_name(p->link[p->trouble[number].index].b);
    switch (p->trouble[number].kind) {
    case SIM_FUZZ_DEGRADED: /* rate, loss, QBER; in half of the cases the light stays good enough */
        (void)snprintf(text, TEXT,
                       "link: %c%c, what: degraded, rate: %.2f, loss: %.1f dB, qber: %.3f", a, b,
                       x / 100.0, y / 5.0, z / 500.0);
        break;
    case SIM_FUZZ_MODULE:
        (void)snprintf(text, TEXT, "link: %c%c, what: module, end: %c", a, b, x < 50 ? a : b);
        break;
    case SIM_FUZZ_SWITCH:
    case SIM_FUZZ_POINT:
    case SIM_FUZZ_MAINTENANCE:
        (void)snprintf(text, TEXT, "link: %c%c, what: %s", a, b, light_fault(p, number));
        break;
    case SIM_FUZZ_RANDOM: /* the same for all links: means of 0.5 to 5.5 s, and 1 to 501 ms */
        (void)snprintf(text, TEXT,
                       "link: '*', mtbf: %" PRIu32 " ms, mttr: %" PRIu32 " ms, until: %" PRIu32
                       " ms, what: %s",
                       500 + 50 * x, 1 + 5 * y, p->chaos_end_ms,
                       z < 50 || p->hub ? "quantum" : "both");
        break;
    default: /* impaired: delay, loss, corruption */
        if (p->hub) {
            (void)snprintf(name, sizeof name, "classical_link: %c-hub", a);
        } else {
            (void)snprintf(name, sizeof name, "link: %c%c", a, b);
        }
        (void)snprintf(text, TEXT,
                       "%s, what: impaired, delay: %" PRIu32
                       " ms, frame_loss: %.3f, frame_corruption: %.3f",
                       name, 3 * x, y / 200.0, z / 300.0);
        break;
    }
}

static uint32_t group_until_ms(const struct sim_fuzz_plan *p, uint32_t for_ms)
{
    return p->chaos_end_ms > for_ms ? p->chaos_end_ms - for_ms : 1;
}

bool sim_fuzz_trouble_is_void(const struct sim_fuzz_plan *p, uint32_t number)
{
    bool all = p->trouble[number].kind == SIM_FUZZ_PARTITION && !p->in_band;
    for (uint32_t i = 0; i < p->node_count; i++) {
        all = all && (p->node[i].off || (p->trouble[number].some >> i & 1) != 0);
    }
    return all || (p->trouble[number].kind == SIM_FUZZ_GROUP &&
                   group_until_ms(p, p->trouble[number].for_ms) <= p->trouble[number].at_ms);
}

void sim_fuzz_trouble_print(const struct sim_fuzz_plan *p, uint32_t number, char *text, size_t size)
{
    char what[TEXT];
    char list[LIST];
    uint32_t at_ms = p->trouble[number].at_ms;
    uint32_t for_ms = p->trouble[number].for_ms;
    enum sim_fuzz_feature kind = p->trouble[number].kind;
    if (kind == SIM_FUZZ_ELEMENT) {
        bool is_standby = p->trouble[number].index == 2 && p->standby > 0;
        (void)snprintf(what, sizeof what, "element: %s",
                       is_standby                                              ? "standby"
                       : p->trouble[number].index == 1 || sim_fuzz_is_alone(p) ? "manager"
                                                                               : "controller");
    } else if (kind == SIM_FUZZ_STORE_LOST) {
        (void)snprintf(what, sizeof what, "node: %c, what: store-lost",
                       node_name(p->trouble[number].index));
    } else if (kind == SIM_FUZZ_PARTITION && p->in_band) { /* there is no such network */
        (void)snprintf(what, sizeof what, "element: manager");
    } else if (kind == SIM_FUZZ_PARTITION) {
        list_print(p, number, true, list);
        (void)snprintf(what, sizeof what, "node: [%s], what: partition", list);
    } else if (kind == SIM_FUZZ_GROUP) { /* twice, if there is time */
        list_print(p, number, false, list);
        uint32_t every_ms = for_ms + 1 + 20 * p->trouble[number].x;
        uint32_t most_ms = group_until_ms(p, for_ms);
        (void)snprintf(what, sizeof what,
                       "link: [%s], every: %" PRIu32 " ms, until: %" PRIu32 " ms, what: %s", list,
                       every_ms, most_ms, p->trouble[number].y < 50 || p->hub ? "quantum" : "both");
    } else {
        link_print(p, number, what);
    }
    if (kind == SIM_FUZZ_RANDOM) {
        (void)snprintf(text, size, "%s", what);
    } else {
        (void)snprintf(text, size, "at: %" PRIu32 " ms, for: %" PRIu32 " ms, %s", at_ms,
                       for_ms > 0 ? for_ms : 1, what);
    }
}

/* ---- smaller ---- */

void sim_fuzz_trouble_drop(struct sim_fuzz_plan *plan, bool node, uint32_t index)
{
    for (uint32_t i = 0; i < plan->trouble_count; i++) {
        enum sim_fuzz_feature kind = plan->trouble[i].kind;
        bool list = kind == SIM_FUZZ_GROUP || kind == SIM_FUZZ_PARTITION;
        if (kind == SIM_FUZZ_STORE_LOST) {
            plan->trouble[i].off = plan->trouble[i].off ||
                                   (node && plan->trouble[i].index == index);
        } else if (list && (kind == SIM_FUZZ_PARTITION) == node) {
            plan->trouble[i].some &= ~(1U << index);
            plan->trouble[i].off = plan->trouble[i].off || plan->trouble[i].some == 0;
        } else if (!list && !node && kind != SIM_FUZZ_ELEMENT && kind != SIM_FUZZ_RANDOM) {
            plan->trouble[i].off = plan->trouble[i].off || plan->trouble[i].index == index;
        }
    }
}
