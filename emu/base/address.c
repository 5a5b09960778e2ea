/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses and listening sockets. */
#include "emu/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"

#define BACKLOG 511

int emu_address_parse(const char *text, struct emu_address *out, struct emu_why *why)
{
    const char *colon = strrchr(text, ':');
    const char *from = text;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    bool good = colon != NULL;
    if (good && text[0] == '[') {
        good = len >= 2 && text[len - 1] == ']';
        from++;
        len -= good ? 2 : 0;
    } else if (good) {
        good = memchr(text, ':', len) == NULL;
    }
    const char *port = good ? colon + 1 : "";
    size_t port_len = strlen(port);
    good = good && len < EMU_HOST_SIZE && port_len > 0 && port_len < sizeof out->port &&
           strspn(port, "0123456789") == port_len && strtol(port, NULL, 10) <= 65535;
    if (!good) {
        return emu_fail(why, QKD_ERR_INVALID,
                        "'%.80s': expected HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000", text);
    }
    memcpy(out->host, from, len);
    out->host[len] = '\0';
    memcpy(out->port, port, port_len + 1);
    return QKD_OK;
}

bool emu_address_numeric(const struct emu_address *address, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    uint16_t port = htons((uint16_t)strtol(address->port, NULL, 10));
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, address->host, &v4.sin_addr) == 1) {
        v4.sin_port = port;
        memcpy(out, &v4, sizeof v4);
        return true;
    }
    if (inet_pton(AF_INET6, address->host, &v6.sin6_addr) == 1) {
        v6.sin6_port = port;
        memcpy(out, &v6, sizeof v6);
        return true;
    }
    return false;
}

/* One of the addresses that a name stands for; -1 and errno on failure. */
static int listen_at(const struct addrinfo *info)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                    bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        fd = -1;
    }
    return fd;
}

int emu_listen(const char *text, int *fd, struct emu_why *why)
{
    struct emu_address address = {"", ""};
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int err = emu_address_parse(text, &address, why);
    if (err != QKD_OK) {
        return err;
    }
    int looked = getaddrinfo(address.host[0] == '\0' ? NULL : address.host, address.port, &wanted,
                             &found);
    if (looked != 0) {
        return emu_fail(why, QKD_ERR_INVALID, "%s: cannot listen there: %s", text,
                        gai_strerror(looked));
    }
    *fd = -1;
    for (const struct addrinfo *info = found; info != NULL && *fd < 0; info = info->ai_next) {
        *fd = listen_at(info);
        if (*fd < 0 && errno == EADDRINUSE) {
            break; /* what is meant by the name is taken: do not settle for less */
        }
    }
    int saved = errno;
    freeaddrinfo(found);
    if (*fd >= 0) {
        return QKD_OK;
    }
    return saved == EADDRINUSE
               ? emu_fail(why, QKD_ERR_EXISTS,
                          "%s: cannot listen there: the address is in use by another process", text)
               : emu_fail(why, QKD_ERR_IO, "%s: cannot listen there: %s", text, strerror(saved));
}

unsigned emu_port_of(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        return 0;
    }
    if (at.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &at, sizeof v6);
        return ntohs(v6.sin6_port);
    }
    struct sockaddr_in v4;
    memcpy(&v4, &at, sizeof v4);
    return at.ss_family == AF_INET ? ntohs(v4.sin_port) : 0;
}
