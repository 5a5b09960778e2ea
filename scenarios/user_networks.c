/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user networks that a node serves: names, or prefixes of IPv4 (RFC 4632) and IPv6 (RFC 4291)
 * addresses. They are written as a list, or in one text with blanks between them (a CSV cell). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"

#define MOST_NETWORKS 100
#define BLANKS " \t"
#define EXPECTED "user_networks: expected names and prefixes, such as [lan-a, 10.1.0.0/16]"

/* A decimal number of at most `most`, without leading zeros; -1 if it is none. *rest behind it. */
static int32_t number_read(const char *text, int32_t most, const char **rest)
{
    int32_t value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || (digits > 1 && text[0] == '0')) {
        return -1;
    }
    for (size_t i = 0; i < digits; i++) {
        value = 10 * value + (text[i] - '0');
    }
    *rest = text + digits;
    return value <= most ? value : -1;
}

/* Four numbers with dots; false if it is something else. */
static bool ipv4_read(const char *text, uint8_t bytes[16], const char **rest)
{
    for (size_t i = 0; i < 4; i++) {
        int32_t value = number_read(text, 255, &text);
        if (value < 0 || (i < 3 && *text++ != '.')) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    *rest = text;
    return true;
}

/* Eight groups of hexadecimal digits, one run of zero groups may be `::`. */
static bool ipv6_read(const char *text, uint8_t bytes[16], const char **rest)
{
    static const char hex[] = "0123456789abcdef0123456789ABCDEF";
    uint8_t groups[8][2] = {{0}};
    size_t count = 0;
    size_t gap = SIZE_MAX; /* groups before `::` */
    while (*text != '/' && count <= 8) {
        if (strncmp(text, "::", 2) == 0 && gap == SIZE_MAX) {
            gap = count;
            text += 2;
            continue;
        }
        text += count > 0 && gap != count ? (*text == ':' ? 1 : strlen(text)) : 0;
        size_t digits = strspn(text, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 4 || count == 8) {
            return false;
        }
        uint32_t value = 0;
        for (size_t i = 0; i < digits; i++) {
            value = value * 16 + (uint32_t)((strchr(hex, text[i]) - hex) % 16);
        }
        groups[count][0] = (uint8_t)(value >> 8);
        groups[count][1] = (uint8_t)value;
        count++;
        text += digits;
    }
    if (gap == SIZE_MAX ? count != 8 : count > 7) {
        return false;
    }
    gap = gap == SIZE_MAX ? count : gap;
    memset(bytes, 0, 16);
    memcpy(bytes, groups, 2 * gap);
    memcpy(bytes + 16 - 2 * (count - gap), groups + gap, 2 * (count - gap));
    *rest = text;
    return true;
}

/* IPv4 or IPv6 bytes as 16 bytes: the former behind ::ffff. Bits in front of the address; -1: it is none. */
static int mapped_read(const char *text, uint8_t bytes[16], const char **rest)
{
    uint8_t four[16];
    if (ipv4_read(text, four, rest)) {
        memset(bytes, 0, 10);
        memset(bytes + 10, 0xff, 2);
        memcpy(bytes + 12, four, 4);
        return 96;
    }
    char copy[64] = ""; /* ipv6_read() ends at a slash */
    size_t len = strcspn(text, "/");
    if (len + 2 > sizeof copy) {
        return -1;
    }
    memcpy(copy, text, len);
    copy[len] = '/';
    const char *end = copy;
    bool good = strchr(text, ':') != NULL && ipv6_read(copy, bytes, &end);
    *rest = text + len;
    return good ? 0 : -1;
}

bool scn_address_read(const char *text, uint8_t bytes[16])
{
    const char *rest = text;
    return mapped_read(text, bytes, &rest) >= 0 && *rest == '\0';
}

int scn_prefix_read(const char *text, uint8_t bytes[16])
{
    const char *rest = text;
    int before = mapped_read(text, bytes, &rest);
    int32_t len = before >= 0 && *rest == '/' ? number_read(rest + 1, 128 - before, &rest) : -1;
    return len >= 0 && *rest == '\0' ? before + len : -1;
}

/* NULL, or what is wrong with a prefix. */
static const char *prefix_check(const char *text)
{
    uint8_t bytes[16];
    const char *rest = text;
    int32_t bits = 0;
    if (ipv4_read(text, bytes, &rest)) {
        bits = 32;
    } else if (ipv6_read(text, bytes, &rest)) {
        bits = 128;
    }
    if (bits == 0 || *rest != '/') {
        return "is no prefix: expected one such as 10.1.0.0/16 or 2001:db8::/32";
    }
    int32_t len = number_read(rest + 1, bits, &rest);
    if (len < 0 || *rest != '\0') {
        return "has no length that fits: expected at most /32 for IPv4, /128 for IPv6";
    }
    for (int32_t i = len; i < bits; i++) {
        if ((bytes[i / 8] >> (7 - i % 8) & 1) != 0) {
            return "has bits behind its length: expected them to be 0";
        }
    }
    return NULL;
}

static void network_add(struct scn_ctx *ctx, struct scn_node *node, const char *text,
                        struct scn_place place)
{
    if (node->user_network_count == MOST_NETWORKS) {
        scn_mistake(ctx, place, "user_networks: more than %d", MOST_NETWORKS);
        return;
    }
    const char *why = strchr(text, '/') != NULL ? prefix_check(text)
                      : scn_id_valid(text)      ? NULL
                                                : "is no name: expected an identifier or a prefix";
    if (why == NULL && strlen(text) >= SCN_ID_SIZE) {
        why = "is too long";
    }
    for (size_t i = 0; i < node->user_network_count && why == NULL; i++) {
        why = strcmp(node->user_networks[i].name, text) == 0 ? "is given twice" : NULL;
    }
    if (why != NULL) {
        scn_mistake(ctx, place, "user network '%.64s' %s", text, why);
        return;
    }
    struct scn_user_network *grown = scn_mem_resize(node->user_networks,
                                                    node->user_network_count + 1, sizeof *grown);
    if (grown == NULL) {
        ctx->no_memory = true;
        return;
    }
    node->user_networks = grown;
    memset(&grown[node->user_network_count], 0, sizeof *grown);
    memcpy(grown[node->user_network_count++].name, text, strlen(text) + 1);
}

static void networks_decode(struct scn_ctx *ctx, const struct scn_tree *value, void *base)
{
    struct scn_node *node = base;
    if (value == NULL || scn_tree_is_null(value)) {
        return;
    }
    if (value->kind == SCN_TREE_SCALAR) {
        for (const char *at = value->text + strspn(value->text, BLANKS); *at != '\0';
             at += strspn(at, BLANKS)) {
            size_t len = strcspn(at, BLANKS);
            const char *text = scn_ctx_copy(ctx, at, len);
            if (text == NULL) {
                return;
            }
            network_add(ctx, node, text, value->place);
            at += len;
        }
        return;
    }
    bool list = value->kind == SCN_TREE_LIST;
    for (const struct scn_tree *item = value->first; list && item != NULL; item = item->next) {
        if (item->kind != SCN_TREE_SCALAR || scn_tree_is_null(item)) {
            scn_mistake(ctx, item->place, EXPECTED);
        } else {
            network_add(ctx, node, item->text, item->place);
        }
    }
    if (!list) {
        scn_mistake(ctx, value->place, EXPECTED);
    }
}

static bool networks_print(struct scn_buffer *out, const struct scn_scenario *scenario,
                           const void *base)
{
    const struct scn_node *node = base;
    (void)scenario;
    scn_buffer_text(out, "[");
    for (size_t i = 0; i < node->user_network_count; i++) {
        scn_buffer_text(out, i == 0 ? "" : ", ");
        scn_buffer_quoted(out, node->user_networks[i].name);
    }
    scn_buffer_text(out, "]");
    return node->user_network_count > 0;
}

const struct scn_special scn_special_user_networks = {
    networks_decode, networks_print,
    "\"type\": [\"array\", \"string\", \"number\", \"boolean\", \"null\"], \"maxItems\": 100, "
    "\"items\": "
    "{\"type\": [\"string\", \"number\", \"boolean\"]}"};
