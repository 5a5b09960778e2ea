/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS 1.3 (RFC 8446) between daemons, with certificates on both sides, over bytes in memory: it knows
 * neither sockets nor time. OpenSSL does the work; nothing but TLS 1.3 is spoken, no session is resumed.
 * Who the peer is comes from its certificate (emu/net/identity.h) and is for the caller to judge. */
#ifndef EMU_TLS_H
#define EMU_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/base/bytes.h"
#include "emu/base/why.h"
#include "emu/net/identity.h"

/* PEM files. */
struct emu_tls_files {
    const char *ca;          /* whom to believe */
    const char *certificate; /* who we are; with what stands between it and the CA, if anything */
    const char *key;
    bool attacks; /* for attackers: our certificate may name anybody, and every peer's is believed */
};

/* Certificates and settings, shared by the sessions of a daemon. */
struct emu_tls_context;

/* QKD_ERR_INVALID: a file cannot be read, or key and certificate do not belong together; QKD_ERR_NOMEM.
 * A key behind a password is refused, never asked for. */
int emu_tls_context_new(const struct emu_tls_files *files, struct emu_tls_context **out,
                        struct emu_why *why);
void emu_tls_context_free(struct emu_tls_context *context);

/* The name in our own certificate. */
const char *emu_tls_context_name(const struct emu_tls_context *context);

/* One connection. */
struct emu_tls;

/* NULL: no memory. The session keeps the context. */
struct emu_tls *emu_tls_new(const struct emu_tls_context *context, bool is_server);
void emu_tls_free(struct emu_tls *tls);

/* Bytes that came from the peer. They are not copied: call emu_tls_read() until it gives
 * QKD_ERR_AGAIN before they go away. */
void emu_tls_feed(struct emu_tls *tls, const uint8_t *bytes, size_t len);

/* Plain bytes, as many as there are and fit: 1 to `size`; goes on with the handshake until it is done.
 * QKD_ERR_AGAIN: all that was fed is used up. QKD_ERR_STATE: the peer said good-bye. QKD_ERR_AUTH: it
 * has no certificate that we believe, or does not believe ours. QKD_ERR_FORMAT: this is not TLS 1.3, or
 * was changed on the way. After an error that is not QKD_ERR_AGAIN the session is over. */
int emu_tls_read(struct emu_tls *tls, uint8_t *bytes, size_t size);

/* Whether the handshake is done on our side. */
bool emu_tls_ready(const struct emu_tls *tls);

/* The daemon that the peer's certificate names, once ready; QKD_ERR_DENIED as emu_identity_get(). */
int emu_tls_peer_name(const struct emu_tls *tls, char name[EMU_IDENTITY_SIZE]);

/* Seals plain bytes into what is to be sent, in records of up to 16 KiB; ready only. 0 or
 * QKD_ERR_CRYPTO, QKD_ERR_NOMEM. */
int emu_tls_write(struct emu_tls *tls, const uint8_t *bytes, size_t len);

/* Says good-bye into what is to be sent. */
void emu_tls_close(struct emu_tls *tls);

/* Whether something is to be sent. */
bool emu_tls_has_out(const struct emu_tls *tls);

/* Moves all that is to be sent into an empty queue, whose memory the session uses from now on: two
 * queues that take turns, one grows while the other is being sent. */
void emu_tls_take_out(struct emu_tls *tls, struct emu_bytes *empty);

/* What OpenSSL says about the last error, for logs. */
const char *emu_tls_error(const struct emu_tls *tls);

#endif
