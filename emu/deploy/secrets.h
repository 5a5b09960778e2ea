/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairwise secrets of daemons, and what is derived from them. Each pair of daemons that talk shares 32
 * random bytes, made by `qkdn render`; a daemon has a file with its own pairs only, its own name among
 * them (for elements that it hosts both). From a pair's secret both ends derive the same:
 *
 *   of two elements at a reference point   HMAC-SHA-256(secret, "qkdn element pair 1" | rp 1 byte |
 *                                          lower eid 8 bytes | higher eid 8 bytes), big-endian
 *   the bootstrap of a link                ChaCha20 keystream (crypto_expand) of
 *                                          HMAC-SHA-256(secret, "qkdn bootstrap 1" | id of the link)
 *
 * The file: one line `NAME 64 hexadecimal digits` each; empty lines, and lines that begin with `#`, say
 * nothing. It must be closed to group and others. */
#ifndef EMU_SECRETS_H
#define EMU_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"
#include "emu/base/why.h"

#define EMU_SECRET_LEN 32

struct emu_secrets;

/* Reads a file. The errors of emu_file_read(); QKD_ERR_FORMAT: "file:line:column: what". */
int emu_secrets_load(const char *file, struct emu_secrets **out, struct emu_why *why);

/* Wipes them, too. NULL: nothing. */
void emu_secrets_free(struct emu_secrets *secrets);

/* How many pairs there are. */
size_t emu_secrets_count(const struct emu_secrets *secrets);

/* Who shares a secret: two elements, in any order, at a reference point. */
struct emu_secrets_ends {
    enum qkd_rp rp;
    struct qkd_eid one, other;
};

/* The secret of two elements, of which one is here and one at the daemon `peer` (which may be this one).
 * QKD_ERR_UNKNOWN: no secret is shared with that daemon. */
int emu_secrets_pair(const struct emu_secrets *secrets, const char *peer,
                     const struct emu_secrets_ends *ends, uint8_t to[EMU_SECRET_LEN]);

/* The first bytes of key of a link whose other end is at the daemon `peer`. QKD_ERR_UNKNOWN. */
int emu_secrets_bootstrap(const struct emu_secrets *secrets, const char *peer, const char *link_id,
                          uint8_t *to, size_t len);

#endif
