/* SPDX-License-Identifier: GPL-3.0-or-later */
/* User networks that a KM serves (FG QIT4N D2.3 clause 7.2.2.1 (1)): names and address prefixes, as
 * wire_user_network records in a row. */
#ifndef WIRE_USER_NETWORK_H
#define WIRE_USER_NETWORK_H

#include "core/wire/codec.h"

#define WIRE_NETWORK_NAMED 129 /* more than any prefix: the network is the one of this name */

/* Whether a blob holds whole, good records and nothing else: 0 or a negative error. */
int wire_networks_check(struct wire_bytes networks);

/* How well the networks hold what is asked for, an address or the name of a network: bits of the longest
 * prefix (RFC 4632 clause 3.1) that the address is in, or WIRE_NETWORK_NAMED; -1: not at all. */
int wire_networks_match(struct wire_bytes networks, const struct wire_user_network *what);

#endif
