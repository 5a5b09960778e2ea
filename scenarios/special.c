/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values with a form of their own: the ends of a link, hardware addresses, the application of an
 * access rule, the class of an application. */
#include <stdio.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

static void ends_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_link *link = base;
    link->a = UINT32_MAX;
    link->b = UINT32_MAX;
    if (value == NULL) {
        return;
    }
    if (value->kind != SCN_TREE_LIST || value->count != 2 ||
        value->first->kind != SCN_TREE_SCALAR || value->last->kind != SCN_TREE_SCALAR) {
        scn_mistake(ctx, value->place, "ends: expected the ids of two nodes, such as [A, B]");
        return;
    }
    link->a = scn_ref_find(ctx, SCN_KIND_NODE, value->first->text, value->first->place);
    link->b = scn_ref_find(ctx, SCN_KIND_NODE, value->last->text, value->last->place);
    if (link->a == link->b && link->a != UINT32_MAX) {
        scn_mistake(ctx, value->place, "the link joins node '%s' to itself: expected two nodes",
                    value->first->text);
        link->b = UINT32_MAX;
    }
}

static bool ends_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                       const void *base)
{
    const struct scn_link *link = base;
    scn_buffer_text(out, "[");
    scn_buffer_quoted(out, scenario->nodes[link->a].id);
    scn_buffer_text(out, ", ");
    scn_buffer_quoted(out, scenario->nodes[link->b].id);
    scn_buffer_text(out, "]");
    return true;
}

const struct scn_special scn_special_ends = {ends_decode, ends_print,
                                             "\"type\": \"array\", \"items\": {" SCN_SCHEMA_ID
                                             "}, \"minItems\": 2, "
                                             "\"maxItems\": 2"};

/* Six pairs of hexadecimal digits. */
static bool mac_parse(const char *text, uint8_t mac[6])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (strlen(text) != 17) {
        return false;
    }
    for (size_t i = 0; i < 17; i++) {
        const char *digit = strchr(digits, text[i]);
        if (i % 3 == 2) {
            if (text[i] != ':') {
                return false;
            }
            continue;
        }
        if (digit == NULL) {
            return false;
        }
        mac[i / 3] = (uint8_t)((mac[i / 3] << 4) | ((digit - digits) % 16));
    }
    return true;
}

static void mac_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_node *node = base;
    if (value == NULL) {
        return;
    }
    node->has_mac = value->kind == SCN_TREE_SCALAR && mac_parse(value->text, node->mac);
    if (!node->has_mac) {
        scn_mistake(ctx, value->place, "mac: expected six pairs of digits, such as %s",
                    "02:00:00:00:00:01");
        memset(node->mac, 0, sizeof node->mac);
    }
}

static bool mac_print(struct scn_buffer *out, const struct scn_scenario *scenario, const void *base)
{
    const struct scn_node *node = base;
    (void)scenario;
    if (node->has_mac) {
        const uint8_t *m = node->mac;
        scn_buffer_add(out, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", m[0], m[1], m[2], m[3], m[4],
                       m[5]);
    }
    return node->has_mac;
}

const struct scn_special scn_special_mac = {
    mac_decode, mac_print,
    "\"type\": \"string\", \"pattern\": \"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$\""};

static void access_application_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_access *access = base;
    access->application = UINT32_MAX;
    if (value == NULL) {
        return;
    }
    if (value->kind != SCN_TREE_SCALAR || scn_tree_is_null(value)) {
        scn_mistake(ctx, value->place, "expected the id of an application");
        return;
    }
    access->application = scn_ref_find(ctx, SCN_KIND_APPLICATION, value->text, value->place);
}

static bool access_application_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                                     const void *base)
{
    const struct scn_access *access = base;
    if (access->application != UINT32_MAX) {
        scn_buffer_quoted(out, scenario->applications[access->application].id);
    }
    return access->application != UINT32_MAX;
}

const struct scn_special scn_special_access_application = {access_application_decode,
                                                           access_application_print, SCN_SCHEMA_ID};

static void application_class_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_application *application = base;
    application->class_index = UINT32_MAX;
    if (value == NULL) {
        return;
    }
    if (value->kind != SCN_TREE_SCALAR || scn_tree_is_null(value)) {
        scn_mistake(ctx, value->place, "expected the id of a class");
        return;
    }
    application->class_index = scn_ref_find(ctx, SCN_KIND_CLASS, value->text, value->place);
}

static bool application_class_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                                    const void *base)
{
    const struct scn_application *application = base;
    if (application->class_index != UINT32_MAX) {
        scn_buffer_quoted(out, scenario->classes[application->class_index].id);
    }
    return application->class_index != UINT32_MAX;
}

const struct scn_special scn_special_application_class = {application_class_decode,
                                                          application_class_print, SCN_SCHEMA_ID};
