/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Optical switches and quantum relay points of the QKD links: which links they serve, and that this can
 * be so. */
#include "scenarios/buffer.h"
#include "scenarios/field.h"

#define SCHEMA_LINKS                                                                               \
    "\"type\": \"array\", \"minItems\": 2, \"maxItems\": 64, \"items\": {" SCN_SCHEMA_ID "}"

static bool is_id(const struct scn_tree *value)
{
    return value->kind == SCN_TREE_SCALAR && !scn_tree_is_null(value);
}

static void link_take(struct scn_ctx *ctx, const struct scn_tree *item, struct scn_optical *optical)
{
    uint32_t link = scn_ref_find(ctx, SCN_KIND_LINK, item->text, item->place);
    for (size_t i = 0; i < optical->link_count; i++) {
        if (optical->links[i] == link && link != UINT32_MAX) {
            scn_mistake(ctx, item->place, "'%.64s' is given twice", item->text);
        }
    }
    optical->links[optical->link_count++] = link;
}

static void links_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_optical *optical = base;
    bool good = value != NULL && value->kind == SCN_TREE_LIST && value->count > 1 &&
                value->count <= SCN_MAX_SWITCH_LINKS;
    if (value == NULL) {
        return; /* it is missing: the table says so */
    }
    for (const struct scn_tree *item = value->first; good && item != NULL; item = item->next) {
        good = is_id(item);
    }
    if (!good) {
        scn_mistake(ctx, value->place, "links: expected the ids of 2 to %d links",
                    SCN_MAX_SWITCH_LINKS);
        return;
    }
    optical->links = scn_mem_new(value->count, sizeof *optical->links);
    if (optical->links == NULL) {
        ctx->no_memory = true;
        return;
    }
    for (const struct scn_tree *item = value->first; item != NULL; item = item->next) {
        link_take(ctx, item, optical);
    }
}

static void link_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_optical *optical = base;
    if (value == NULL) {
        return;
    }
    if (!is_id(value)) {
        scn_mistake(ctx, value->place, "link: expected the id of a link");
        return;
    }
    optical->links = scn_mem_new(1, sizeof *optical->links);
    if (optical->links == NULL) {
        ctx->no_memory = true;
        return;
    }
    link_take(ctx, value, optical);
}

static bool links_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                        const void *base)
{
    const struct scn_optical *optical = base;
    scn_buffer_text(out, "[");
    for (size_t i = 0; i < optical->link_count; i++) {
        scn_buffer_text(out, i == 0 ? "" : ", ");
        scn_buffer_quoted(out, scenario->links[optical->links[i]].id);
    }
    scn_buffer_text(out, "]");
    return true;
}

static bool link_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    const struct scn_optical *optical = base;
    scn_buffer_quoted(out, scenario->links[optical->links[0]].id);
    return true;
}

const struct scn_special scn_special_optical_links = {links_decode, links_print, SCHEMA_LINKS};
const struct scn_special scn_special_optical_link = {link_decode, link_print, SCN_SCHEMA_ID};

/* ---- checks ---- */

const struct scn_optical *scn_optical_at(const struct scn_scenario *scenario, uint32_t number)
{
    return number < scenario->optical_switch_count
               ? &scenario->optical_switches[number]
               : &scenario->relay_points[number - scenario->optical_switch_count];
}

uint32_t scn_optical_count(const struct scn_scenario *scenario)
{
    return (uint32_t)(scenario->optical_switch_count + scenario->relay_point_count);
}

uint32_t scn_optical_of(const struct scn_scenario *scenario, uint32_t link, bool is_switch)
{
    uint32_t first = is_switch ? 0 : (uint32_t)scenario->optical_switch_count;
    uint32_t end = is_switch ? (uint32_t)scenario->optical_switch_count
                             : scn_optical_count(scenario);
    for (uint32_t i = first; i < end; i++) {
        const struct scn_optical *optical = scn_optical_at(scenario, i);
        for (size_t k = 0; k < optical->link_count; k++) {
            if (optical->links[k] == link) {
                return i;
            }
        }
    }
    return SCN_NO_OPTICAL;
}

/* Each link is joined to the module at one node, and by one element of a kind. */
static void optical_check(struct scn_ctx *ctx, enum scn_kind kind, uint32_t number)
{
    struct scn_scenario *s = ctx->scenario;
    bool is_switch = kind == SCN_KIND_OPTICAL_SWITCH;
    size_t item = is_switch ? number : number - s->optical_switch_count;
    struct scn_place here = scn_place_of(ctx, kind, item, is_switch ? "links" : "link");
    struct scn_optical *optical = is_switch ? &s->optical_switches[item] : &s->relay_points[item];
    for (size_t i = 0; i < optical->link_count; i++) {
        uint32_t index = optical->links[i];
        if (index >= s->link_count) {
            continue; /* a mistake already */
        }
        const struct scn_link *link = &s->links[index];
        if (optical->at == SCN_NO_NODE) {
            optical->at = link->a;
        }
        if (is_switch && scn_given(ctx, kind, item, "at") && optical->at < s->node_count &&
            link->a != optical->at && link->b != optical->at) {
            scn_mistake(ctx, here, "link '%s' does not end at node '%s', where the switch is",
                        link->id, s->nodes[optical->at].id);
        }
        if (scn_optical_of(s, index, is_switch) != number) {
            scn_mistake(ctx, here, "link '%s' has another %s already", link->id,
                        is_switch ? "optical switch" : "relay point");
        }
    }
    if (!s->control.is_there) {
        scn_mistake(ctx, here, "nobody commands it: expected 'control.controller' to be true");
    }
}

void scn_opticals_resolve(struct scn_ctx *ctx)
{
    const struct scn_scenario *s = ctx->scenario;
    for (uint32_t i = 0; i < scn_optical_count(s); i++) {
        optical_check(ctx,
                      i < s->optical_switch_count ? SCN_KIND_OPTICAL_SWITCH : SCN_KIND_RELAY_POINT,
                      i);
    }
}
