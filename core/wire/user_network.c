/* SPDX-License-Identifier: GPL-3.0-or-later */
/* User networks: which of them holds an address. */
#include "core/wire/user_network.h"

#include <string.h>

#include "core/base/err.h"

enum { ADDRESS_BITS = 128, NAME_MOST = 63 };

static bool is_good(const struct wire_user_network *network)
{
    bool prefix = network->has_address && network->has_bits && network->bits <= ADDRESS_BITS;
    bool name = network->has_name && network->name.len > 0 && network->name.len <= NAME_MOST;
    return network->has_name ? name && !network->has_address : prefix;
}

int wire_networks_check(struct wire_bytes networks)
{
    for (size_t at = 0; at < networks.len;) {
        struct wire_user_network network;
        int len = wire_user_network_decode(&network, networks.at + at, networks.len - at);
        if (len <= 0 || !is_good(&network)) {
            return len < 0 ? len : QKD_ERR_FORMAT;
        }
        at += (size_t)len;
    }
    return 0;
}

static bool holds(const struct wire_user_network *network, const struct wire_user_network *what)
{
    if (network->has_name || what->has_name) {
        return network->has_name && what->has_name && network->name.len == what->name.len &&
               memcmp(network->name.at, what->name.at, what->name.len) == 0;
    }
    uint32_t whole = network->bits / 8;
    uint32_t rest = network->bits % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);
    return memcmp(network->address.b, what->address.b, whole) == 0 &&
           (rest == 0 || ((network->address.b[whole] ^ what->address.b[whole]) & mask) == 0);
}

int wire_networks_match(struct wire_bytes networks, const struct wire_user_network *what)
{
    int best = -1;
    for (size_t at = 0; at < networks.len;) {
        struct wire_user_network network;
        int len = wire_user_network_decode(&network, networks.at + at, networks.len - at);
        if (len <= 0 || !is_good(&network)) {
            return best;
        }
        int bits = network.has_name ? WIRE_NETWORK_NAMED : network.bits;
        best = holds(&network, what) && bits > best ? bits : best;
        at += (size_t)len;
    }
    return best;
}
