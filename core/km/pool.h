/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key of one QKD link at one end (FG QIT4N D2.3 clause 7.1.2): blocks (QKD-keys) cut into chunks,
 * each owned by one of the two KMAs. The owner alone allocates from a chunk, front to back; the
 * other end accepts ranges of it in any order, each byte once. What is used is never used again:
 * both directions work ahead of a persisted lease, and after a restart begin at its end (rule 2).
 *
 *        owner's chunk   start ... used ... next ... lease ... end     allocate at next
 *        peer's chunk    start ... done ... next (done ranges) lease ... end
 *
 * This is storage only: no messages, no time-outs. Offsets and lengths are bytes of the block. */
#ifndef QKD_KM_POOL_H
#define QKD_KM_POOL_H

#include "core/base/map.h"
#include "core/base/out.h"
#include "core/base/slab.h"
#include "core/wire/codec.h"

#define KM_POOL_RANGES 8    /* disjoint done ranges above `next` in a peer's chunk */
#define KM_POOL_RESERVE 256 /* bytes per side that payload never takes: 16 tags */
#define KM_POOL_WINDOW 1024 /* bytes of expanded key kept per direction while in use */
#define KM_BOOT_KEYS 64     /* bytes of block 0 before its pads: 2 hash keys, HELLO key */
#define KM_POOL_PIECES 4    /* lengths for which it is kept how much of the pool they can use */
#define KM_POOL_ASKS 8      /* tags of questions that a block pays before it is confirmed */

struct km_range {
    uint32_t start, end;
};

/* A QKD-key. */
struct km_block {
    struct qkd_id id;
    uint32_t number; /* chosen by the lower KMA; 0 is the bootstrap */
    uint32_t bytes;
    uint8_t form; /* 0 bits, 1 seed */
    bool confirmed;
    uint32_t asked[2]; /* bytes at the start of the lower half that are no more of use before it was
                              confirmed, as questions took them for their tags or the peer says that
                              they are void: by the peer, by us (one of them is 0) */
    uint32_t chunks;   /* live chunks of it */
    struct qkd_time since; /* stored or asked about, then confirmed: monotonic */
    struct qkd_time stored;
    bool let_go; /* the lower KMA: the peer does not have it; it is not asked about any more */
    struct qkd_time stored_wall;
    uint8_t seed[32];
    uint8_t *bits; /* form 0: `bytes` bytes, owned */
};

struct km_chunk {
    uint32_t block; /* number */
    uint32_t block_slot;
    uint32_t start, end;
    uint32_t next;
    uint32_t lease;
    uint32_t turn; /* how often it changed hands */
    bool mine;
    uint8_t range_count;
    struct km_range range[KM_POOL_RANGES]; /* sorted, disjoint, above next */
};

/* Blocks and chunks of all links of one KMA. */
struct km_store {
    struct qkd_slab blocks;
    struct qkd_slab chunks;
    struct qkd_map by_id; /* link, QKD-key ID -> slot in blocks */
};

struct km_pool {
    struct km_store *store; /* shared, borrowed */
    struct qkd_eid owner;   /* the KMA: persist entries carry it */
    uint32_t link;
    uint32_t lease_bytes;
    uint32_t spare_bytes; /* beyond the reserve, payload leaves them to AES-256 frames */
    uint32_t key_bytes;   /* the least that payload takes; 0: not known */
    uint32_t *order;      /* chunk slots by (block, start) */
    uint32_t count, cap;
    uint32_t near[2]; /* where in `order` the last chunk used lies: of the peer's, own */
    uint32_t *own;    /* those of them that are own, in the same order; room for cap */
    uint32_t own_count;
    uint32_t *waiting; /* block slots not yet confirmed, oldest first */
    uint32_t waiting_count, waiting_cap;
    uint64_t own_free, peer_free; /* bytes */
    uint64_t crumbs[2];           /* of them, what is over in each chunk after whole tags: of the
                                     peer's, of own ones */
    uint64_t waiting_bytes;
    struct
        km_usable { /* own bytes that pieces of a length can use: a ring of the last asked about */
        uint64_t piece, bytes;
    } usable[KM_POOL_PIECES];
    uint32_t usable_next;
    struct km_window {
        uint32_t block_slot, base;
        uint8_t *bytes; /* KM_POOL_WINDOW, made on first use */
    } window[2];        /* 0: peer's, 1: mine */
};

void km_store_init(struct km_store *store, uint32_t block_limit, uint32_t chunk_limit);
void km_store_fini(struct km_store *store);

void km_pool_init(struct km_pool *pool, struct km_store *store, struct qkd_eid owner, uint32_t link,
                  uint32_t lease_bytes);
void km_pool_fini(struct km_pool *pool);

/* Adds an unconfirmed block from a key file (number may be 0 when the peer will choose it) and
 * persists it; its slot, or QKD_SLAB_NONE (limit, memory). */
uint32_t km_pool_add(struct km_pool *pool, const struct km_block *block, const uint8_t *key,
                     struct qkd_out *out);

/* Whether a chunk of a block with this number is still here. */
bool km_pool_numbered(const struct km_pool *pool, uint32_t number);

/* The slot of the block with this QKD-key ID, confirmed or not; QKD_SLAB_NONE. */
uint32_t km_pool_find(const struct km_pool *pool, const struct qkd_id *id);

/* Drops an unconfirmed block. */
void km_pool_drop(struct km_pool *pool, uint32_t slot, struct qkd_out *out);

/* Both ends have it: halves become chunks, mid bytes for the lower KMA. 0 or an error (the block
 * then stays unconfirmed). */
struct km_confirm {
    uint32_t slot;
    uint32_t number;
    uint32_t first; /* first usable byte (bootstrap: KM_BOOT_KEYS) */
    uint32_t mid;
    bool lower; /* this KMA is the lower one */
    struct qkd_time now;
};
int km_pool_confirm(struct km_pool *pool, const struct km_confirm *confirm, struct qkd_out *out);

/* Own bytes that payload may take now (reserve kept back). */
uint64_t km_pool_payload_free(const struct km_pool *pool);
/* Of them, what pieces of a length can use: what is left of each chunk is too short. */
uint64_t km_pool_usable(struct km_pool *pool, uint64_t piece);
/* The same of the peer's, as seen here. */
uint64_t km_pool_peer_usable(const struct km_pool *pool, uint64_t piece);
/* Of that, what payload of `len` bytes takes away when it is taken now. */
uint64_t km_pool_usable_lost(const struct km_pool *pool, uint32_t len, uint64_t piece);
/* The same for AES-256 frames, which may take what payload leaves them. */
uint64_t km_pool_fallback_free(const struct km_pool *pool);
/* Own bytes that tags may take: all but crumbs. */
uint64_t km_pool_tag_bytes(const struct km_pool *pool);
/* Payload of the peer, as seen here. */
uint64_t km_pool_peer_payload(const struct km_pool *pool);
/* Whether a frame of so many bytes finds them in a row: in an own chunk, or in one of the peer's, who
 * may grant it because that is less than half of what it has. */
bool km_pool_has_run(const struct km_pool *pool, uint32_t len);
/* Bytes stored on the link: both sides' free bytes and unconfirmed blocks. */
uint64_t km_pool_stored(const struct km_pool *pool);

/* Allocates `len` contiguous own bytes, persisting the lease first if it must grow. `control`:
 * tags, may take block 0 and the reserve, and are taken where they leave as much payload as before,
 * if there is such a place. QKD_ERR_INSUFFICIENT if there are none. */
struct km_take {
    uint32_t block; /* number */
    uint32_t block_slot;
    uint32_t offset;
    struct qkd_id key_id; /* QKD-key ID of the block: for the life cycle */
};
int km_pool_take(struct km_pool *pool, uint32_t len, bool control, struct qkd_out *out,
                 struct km_take *take);

/* The same for the tag of an AES-256 frame, and its key. */
int km_pool_take_fallback(struct km_pool *pool, uint32_t len, struct qkd_out *out,
                          struct km_take *take);

/* The lower KMA: a tag for the question about a block that is not confirmed yet, from the start of its
 * own half [0, mid), persisted first; each byte once. QKD_ERR_INSUFFICIENT after KM_POOL_ASKS. */
int km_pool_take_ask(struct km_pool *pool, uint32_t slot, uint32_t mid, struct qkd_out *out,
                     struct km_take *take);

/* Copies key bytes of an allocation or of a peer's range. The block must be alive. */
void km_pool_read(struct km_pool *pool, uint32_t block_slot, const struct km_range *range,
                  bool mine, uint8_t *to);

/* Frees what an allocation used up: call once the bytes of the take were read. */
void km_pool_settle(struct km_pool *pool, const struct km_take *take, struct qkd_out *out);

/* Whether a peer's frame may consume [start, end) of block `number`: 0, QKD_ERR_UNKNOWN (no such
 * block or chunk here), QKD_ERR_REPLAY (some byte is done already: gone). *block_slot is set when
 * the block is alive, so that a tag can be verified first. */
int km_pool_rx_check(const struct km_pool *pool, uint32_t number, const struct km_range *range,
                     uint32_t *block_slot);

/* Marks the range done after rx_check said 0; persists the receive lease if needed. 0 or
 * QKD_ERR_LIMIT (too many disjoint ranges: the frame must be dropped unacknowledged). */
int km_pool_rx_mark(struct km_pool *pool, uint32_t number, const struct km_range *range,
                    struct qkd_out *out);

/* Whether there is room to note that [start, end) is done; a SKIP that does not fit is dropped
 * unacknowledged. The lowest gap always fits, so that all close in the end. */
bool km_pool_rx_skip_fits(const struct km_pool *pool, uint32_t number,
                          const struct km_range *range);

/* SKIP of the owner: everything in [start, end) of the peer's chunks of the block is done. */
void km_pool_rx_skip(struct km_pool *pool, uint32_t number, const struct km_range *range,
                     struct qkd_out *out);

/* Gives own bytes up to `upto` of the chunk holding `from` up (peer cannot decrypt them any more,
 * expiry): the range given up in *skipped; false if there is nothing to give up. */
bool km_pool_forget(struct km_pool *pool, uint32_t number, uint32_t from, uint32_t upto,
                    struct qkd_out *out, struct km_range *skipped);

/* GRANT, owner's side: cuts `want` bytes or less (whole units), but no less than `piece`, off the tail
 * of the newest own chunk that can; all that is free there if otherwise less than a key or a piece
 * would be left. False if nothing can be given. */
struct km_grant_ask {
    uint32_t want;
    uint32_t piece; /* 0: any; at most `want` */
    uint32_t unit;
};
bool km_pool_grant(struct km_pool *pool, const struct km_grant_ask *ask, struct qkd_out *out,
                   struct wire_grant_body *granted);
/* GRANT, receiver's side: [start, end) of the peer's chunk becomes own. False: stale, ignored. What
 * was void here since a restart, leased for frames that never came, is in *gone (else it is empty):
 * the peer must be told that it is used. */
bool km_pool_granted(struct km_pool *pool, const struct wire_grant_body *grant, struct qkd_out *out,
                     struct km_range *gone);
/* Whether the range is still the peer's by this GRANT, none of it used: it may be sent again. */
bool km_pool_grant_stands(const struct km_pool *pool, const struct wire_grant_body *grant);
/* Whether these bytes have come back since and are the peer's again by a later GRANT. */
bool km_pool_regranted(const struct km_pool *pool, const struct wire_grant_body *grant);

/* START: takes one recovered BLOCK or CHUNK record; leases become the point to go on from. A chunk
 * record that is of no use any more is deleted. */
int km_pool_recover_block(struct km_pool *pool, const struct wire_p_block *record,
                          struct qkd_time now);
int km_pool_recover_chunk(struct km_pool *pool, const struct wire_p_chunk *record,
                          struct qkd_out *out);
/* After all records: drops blocks without chunks, recounts. */
void km_pool_recovered(struct km_pool *pool, struct qkd_out *out);

struct km_chunk *km_pool_chunk(const struct km_pool *pool, uint32_t index);
struct km_chunk *km_pool_own(const struct km_pool *pool, uint32_t index);
struct km_block *km_pool_block(const struct km_pool *pool, uint32_t slot);

#endif
