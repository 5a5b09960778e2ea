/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /healthz (HTTP/1.1, RFC 9112) over sockets that do not block. */
#include "emu/deploy/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "emu/base/address.h"

#define MOST 512 /* probes in one turn */

static const char question[] =
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

int64_t emu_probe_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void give_up(struct emu_probe *probe, const char *why)
{
    probe->code = 0;
    (void)snprintf(probe->line, sizeof probe->line, "%s", why);
    emu_probe_end(probe);
}

void emu_probe_end(struct emu_probe *probe)
{
    if (probe->open) {
        (void)close(probe->fd);
    }
    probe->open = false;
}

void emu_probe_begin(struct emu_probe *probe, const char *address, unsigned limit_ms)
{
    struct emu_address parts;
    struct sockaddr_storage to;
    emu_probe_end(probe);
    probe->sent = probe->len = 0;
    probe->code = 0;
    probe->until_ms = emu_probe_now_ms() + limit_ms;
    if (emu_address_parse(address, &parts, NULL) != 0 || !emu_address_numeric(&parts, &to)) {
        give_up(probe, "no address to ask at");
        return;
    }
    socklen_t size = to.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                             : sizeof(struct sockaddr_in6);
    probe->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    probe->open = probe->fd >= 0;
    if (!probe->open ||
        (connect(probe->fd, (const struct sockaddr *)&to, size) != 0 && errno != EINPROGRESS)) {
        give_up(probe, "does not answer");
    }
}

/* Reads what has come: "HTTP/1.1 CODE ...", headers, an empty line, a line. */
static void answer_read(struct emu_probe *probe)
{
    probe->text[probe->len] = '\0';
    const char *body = strstr(probe->text, "\r\n\r\n");
    if (strncmp(probe->text, "HTTP/1.", 7) != 0 || probe->len < 12 || body == NULL) {
        give_up(probe, "its answer is no HTTP");
        return;
    }
    long code = strtol(probe->text + 9, NULL, 10);
    body += 4;
    (void)snprintf(probe->line, sizeof probe->line, "%.*s", (int)strcspn(body, "\r\n"), body);
    probe->code = code < 100 || code > 599 ? 0 : (int)code;
    emu_probe_end(probe);
}

static void turn(struct emu_probe *probe)
{
    if (probe->sent < sizeof question - 1) {
        ssize_t n = send(probe->fd, question + probe->sent, sizeof question - 1 - probe->sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            give_up(probe, "does not answer");
            return;
        }
        probe->sent += n > 0 ? (size_t)n : 0;
    }
    ssize_t n = 1;
    while (n > 0 && probe->len < sizeof probe->text - 1) {
        n = recv(probe->fd, probe->text + probe->len, sizeof probe->text - 1 - probe->len, 0);
        probe->len += n > 0 ? (size_t)n : 0;
    }
    if (n == 0 || probe->len == sizeof probe->text - 1) {
        answer_read(probe);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
        give_up(probe, "does not answer");
    }
}

void emu_probe_turn(struct emu_probe *probes, size_t count, unsigned ms)
{
    struct pollfd fds[MOST];
    struct emu_probe *of[MOST];
    nfds_t open = 0;
    int64_t now = emu_probe_now_ms();
    int64_t until = now + (int64_t)ms;
    for (size_t i = 0; i < count && open < MOST; i++) {
        if (probes[i].open) {
            until = probes[i].until_ms < until ? probes[i].until_ms : until;
            of[open] = &probes[i];
            fds[open++] = (struct pollfd){
                .fd = probes[i].fd,
                .events = POLLIN | (probes[i].sent < sizeof question - 1 ? POLLOUT : 0)};
        }
    }
    (void)poll(fds, open, until > now ? (int)(until - now) : 0);
    now = emu_probe_now_ms();
    for (nfds_t i = 0; i < open; i++) {
        if (fds[i].revents != 0) {
            turn(of[i]);
        }
        if (of[i]->open && now >= of[i]->until_ms) {
            give_up(of[i], "does not answer in time");
        }
    }
}
