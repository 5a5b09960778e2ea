/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses as people write them, "host:port" or "[2001:db8::1]:port", and sockets that listen there. */
#ifndef EMU_ADDRESS_H
#define EMU_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "emu/base/why.h"

#define EMU_HOST_SIZE 254

struct emu_address {
    char host
        [EMU_HOST_SIZE]; /* name or IP address, without brackets; "" stands for all interfaces */
    char port[6];        /* 0 to 65535, decimal */
};

/* Reads one; QKD_ERR_INVALID. */
int emu_address_parse(const char *text, struct emu_address *out, struct emu_why *why);

/* Whether the host is an IP address, and then the address for the socket calls. */
bool emu_address_numeric(const struct emu_address *address, struct sockaddr_storage *out);

/* A socket that listens there (port 0: a free one, see emu_port_of()), close-on-exec and not blocking.
 * The reason names the address; that it is in use is QKD_ERR_EXISTS, else QKD_ERR_IO, or
 * QKD_ERR_INVALID for what is no address. */
int emu_listen(const char *text, int *fd, struct emu_why *why);

/* The port that a socket is bound to; 0 if it is not. */
unsigned emu_port_of(int fd);

#endif
