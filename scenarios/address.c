/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses in user networks: where a KSA is (`ksa_address` of a node), and by which address a master names
 * its partner (`address` of an application), as in D23-KR-07 and -13. */
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

#define EXPECTED_ADDRESS "expected an address, such as 10.1.0.5, or the name of a user network"
#define EXPECTED_KSA                                                                               \
    "ksa_address: expected an address, such as 10.9.0.3, or a prefix, such as 10.9.0.0/24"

/* The text of a scalar, to be freed; NULL after a mistake. */
static char *text_take(struct scn_ctx *ctx, const struct scn_tree *value, const char *expected)
{
    bool good = value->kind == SCN_TREE_SCALAR && !scn_tree_is_null(value) &&
                strlen(value->text) < SCN_ID_SIZE;
    if (!good) {
        scn_mistake(ctx, value->place, "%s", expected);
        return NULL;
    }
    size_t size = strlen(value->text) + 1;
    char *text = scn_mem_new(size, 1);
    if (text == NULL) {
        ctx->no_memory = true;
        return NULL;
    }
    memcpy(text, value->text, size);
    return text;
}

static bool text_print(struct scn_buffer *out, const char *text)
{
    if (text != NULL) {
        scn_buffer_quoted(out, text);
    }
    return text != NULL;
}

static void address_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_application *application = base;
    uint8_t bytes[16];
    if (value == NULL) {
        return;
    }
    application->address = text_take(ctx, value, "address: " EXPECTED_ADDRESS);
    bool good = application->address == NULL || scn_id_valid(application->address) ||
                scn_address_read(application->address, bytes);
    if (!good) {
        scn_mistake(ctx, value->place, "address '%.64s': " EXPECTED_ADDRESS, application->address);
        scn_mem_free(application->address);
        application->address = NULL;
    }
}

static bool address_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                          const void *base)
{
    (void)scenario;
    return text_print(out, ((const struct scn_application *)base)->address);
}

const struct scn_special scn_special_address = {address_decode, address_print,
                                                "\"type\": [\"string\", \"number\"]"};

static void ksa_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_node *node = base;
    uint8_t bytes[16];
    if (value == NULL) {
        return;
    }
    node->ksa_address = text_take(ctx, value, EXPECTED_KSA);
    bool good = node->ksa_address == NULL || scn_prefix_read(node->ksa_address, bytes) >= 0 ||
                scn_address_read(node->ksa_address, bytes);
    if (!good) {
        scn_mistake(ctx, value->place, EXPECTED_KSA);
    }
}

static bool ksa_print(struct scn_buffer *out, const struct scn_scenario *scenario, const void *base)
{
    (void)scenario;
    return text_print(out, ((const struct scn_node *)base)->ksa_address);
}

const struct scn_special scn_special_ksa_address = {ksa_decode, ksa_print, "\"type\": \"string\""};

/* Bits of the longest prefix of a node's user networks that an address is in; 129: the network of that
 * name; -1: none. The same reading as that of the key managers. */
static int held_by(const struct scn_node *node, const char *address)
{
    uint8_t what[16];
    uint8_t bytes[16];
    bool is_address = scn_address_read(address, what);
    int best = -1;
    for (size_t i = 0; i < node->user_network_count; i++) {
        const char *name = node->user_networks[i].name;
        int bits = scn_prefix_read(name, bytes);
        bool in = bits < 0 ? !is_address && strcmp(name, address) == 0 : is_address;
        for (int b = 0; b < bits; b++) {
            in = in && ((bytes[b / 8] ^ what[b / 8]) >> (7 - b % 8) & 1) == 0;
        }
        bits = bits < 0 ? 129 : bits;
        best = in && bits > best ? bits : best;
    }
    return best;
}

void scn_address_resolve(struct scn_ctx *ctx, size_t i)
{
    const struct scn_scenario *s = ctx->scenario;
    const struct scn_application *a = &s->applications[i];
    if (a->address == NULL || a->to >= s->node_count) {
        return;
    }
    struct scn_place at = scn_place_of(ctx, SCN_KIND_APPLICATION, i, "address");
    int own = held_by(&s->nodes[a->to], a->address);
    if (own < 0) {
        scn_mistake(ctx, at, "address '%s' is in no user network of node '%s'", a->address,
                    s->nodes[a->to].id);
    }
    for (size_t n = 0; own >= 0 && n < s->node_count; n++) {
        int bits = held_by(&s->nodes[n], a->address);
        if (bits > own || (bits == own && n < a->to)) {
            scn_mistake(ctx, at,
                        "address '%s' leads to node '%s', which serves it more closely than '%s'",
                        a->address, s->nodes[n].id, s->nodes[a->to].id);
            return;
        }
    }
    if (a->session.rate_bps > 0 || a->members > 0 || a->of > 0) {
        scn_mistake(ctx, at,
                    "sessions and requests for several nodes name applications and no address");
    }
}
