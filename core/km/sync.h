/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key synchronization: the one mechanism that tells two KMs that they hold the same key, used at
 * Kx-1 for QKD-key blocks and at Kx-2 for KSA-keys (FG QIT4N D2.3 clause 11c, D23-RP-06). One side
 * sends a wire_sync_item (ID, length, digest); the other judges it against its own.
 *
 * The digest is the caller's: zero at Kx-1, where the whole frame carries a Wegman-Carter tag; at
 * Kx-2 the Wegman-Carter tag of the key data under the one-time compare key. How an item is carried
 * and answered is the caller's too. */
#ifndef QKD_KM_SYNC_H
#define QKD_KM_SYNC_H

#include "core/wire/codec.h"

#define KM_SYNC_LEN 44 /* bytes of one encoded wire_sync_item */

enum km_sync_verdict {
    KM_SYNC_MATCH,    /* same ID, length and digest */
    KM_SYNC_MISMATCH, /* the ID is known here, but length or digest differ */
    KM_SYNC_UNKNOWN   /* no key of this ID here (yet) */
};

/* Encodes one item into `to`; the view of it, for the blob field of a message. */
struct wire_bytes km_sync_build(const struct wire_sync_item *own, uint8_t to[KM_SYNC_LEN]);

/* Reads the blob of a received message: exactly one item. 0, QKD_ERR_SHORT or QKD_ERR_FORMAT. */
int km_sync_read(struct wire_bytes blob, struct wire_sync_item *item);

/* Compares a received item with the own one, in constant time in the digest. `own` is NULL when the
 * caller has no key of that ID; an own item of another ID is the same as none. */
enum km_sync_verdict km_sync_judge(const struct wire_sync_item *own,
                                   const struct wire_sync_item *theirs);

#endif
