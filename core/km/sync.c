/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key synchronization items: see km/sync.h. */
#include "core/km/sync.h"

#include "core/base/err.h"
#include "core/crypto/crypto.h"

struct wire_bytes km_sync_build(const struct wire_sync_item *own, uint8_t to[KM_SYNC_LEN])
{
    int len = wire_sync_item_encode(own, to, KM_SYNC_LEN);
    QKD_ASSERT(len == KM_SYNC_LEN);
    return (struct wire_bytes){to, KM_SYNC_LEN};
}

int km_sync_read(struct wire_bytes blob, struct wire_sync_item *item)
{
    int len = wire_sync_item_decode(item, blob.at, blob.len);
    if (len < 0) {
        return len;
    }
    if ((size_t)len != blob.len) {
        *item = (struct wire_sync_item){0};
        return QKD_ERR_FORMAT;
    }
    return QKD_OK;
}

enum km_sync_verdict km_sync_judge(const struct wire_sync_item *own,
                                   const struct wire_sync_item *theirs)
{
    if (own == NULL || !qkd_id_eq(&own->id, &theirs->id)) {
        return KM_SYNC_UNKNOWN;
    }
    bool digest_ok = crypto_equal(own->digest.b, theirs->digest.b, sizeof own->digest.b);
    return digest_ok && own->length == theirs->length ? KM_SYNC_MATCH : KM_SYNC_MISMATCH;
}
