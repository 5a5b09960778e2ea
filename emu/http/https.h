/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small HTTP/1.1 server on the daemon's libuv loop (libmicrohttpd, one epoll descriptor, no threads): TLS 1.2
 * or 1.3 with a certificate of each client (RFC 8446, RFC 5246), or plain. Who shows none that is good may
 * finish the handshake, and gets 401 for each request, whatever it is; none of them is handed over. A request is
 * handed over when it is whole and may be answered later; connections are kept alive. Sizes, connections and times are limited:
 * whoever has not sent a whole request in the idle time is cut off, however slowly it sends, and whoever has
 * not finished TLS, or has no good certificate, much sooner. When all places are taken, the oldest of these gives
 * way. Handshakes
 * begin at a limited rate, and hosts take turns. Of one client (one name in certificates, on however many
 * connections) only so many requests are handed over at once; its further ones wait for their turn, so that others
 * do not wait for them. */
#ifndef EMU_HTTPS_H
#define EMU_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "emu/base/why.h"
#include "emu/net/identity.h"

struct emu_https;
struct emu_https_call; /* a request that waits for its answer */

struct emu_https_request {
    const char *method; /* "GET" */
    const char *uri;    /* the request target as it came: path and query, not decoded */
    const char *body;   /* not terminated */
    size_t body_len;
    const char *peer; /* whom the client's certificate names; "": plain HTTP */
};

/* All strings are the caller's and needed during emu_https_new() only; `identity` stays. */
struct emu_https_config {
    uv_loop_t *loop;
    const char *listen;      /* "127.0.0.1:8443"; port 0: any, see emu_https_port() */
    const char *certificate; /* PEM text, then key and trust too; NULL: plain HTTP */
    const char *key;         /* PEM text */
    const char *trust;       /* PEM text: who signs clients' certificates */
    const struct emu_identity_rule *identity;
    size_t body_most; /* bytes */
    unsigned connections_most;
    unsigned per_address_most; /* connections from one address; 0: half of all */
    unsigned per_client_most;  /* connections of one name in certificates; 0: half of all */
    unsigned
        open_most; /* requests of one name that are with handle() at once, others wait; 0: 64 */
    unsigned idle_s;
    unsigned handshake_s; /* to finish TLS, and to ask for who is nobody; 0: 5, at most idle_s */
    unsigned
        handshakes_per_s; /* to begin TLS with, see emu/base/door.h; 0: 25; plain HTTP: no limit */
    /* Called with each whole request; valid during the call. The call is to be answered once. */
    void (*handle)(void *ctx, struct emu_https_call *call, const struct emu_https_request *request);
    void *ctx;
};

/* Listens. The errors of emu_listen(), QKD_ERR_INVALID (certificates), QKD_ERR_NOMEM. */
int emu_https_new(const struct emu_https_config *config, struct emu_https **https,
                  struct emu_why *why);

/* Stops listening and answers open calls 503. The loop must run on until its handles are closed. */
void emu_https_free(struct emu_https *https);

uint16_t emu_https_port(const struct emu_https *https);

/* Connections open now. */
unsigned emu_https_connections(const struct emu_https *https);

/* Connections so far that found no place or were not let in in time, and those of nobody that gave way to
 * others. */
uint64_t emu_https_refused(const struct emu_https *https);

/* Requests so far of those who are nobody, each answered 401. */
uint64_t emu_https_strangers(const struct emu_https *https);

/* Handshakes begun so far (plain: connections). */
uint64_t emu_https_begun(const struct emu_https *https);

struct emu_https_answer {
    int code;
    const char *type;  /* Content-Type; NULL: none */
    const char *allow; /* Allow; NULL: none */
    char *body;        /* malloc'd: taken over, wiped when it was sent, and freed; NULL: empty */
    size_t len;
    bool close; /* the connection, too */
};

/* Answers a call, at once or later; the call is gone then. */
void emu_https_answer(struct emu_https_call *call, const struct emu_https_answer *answer);

#endif
