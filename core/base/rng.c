/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ChaCha20 keystream with a 64-bit block counter and zero nonce: block 0, 1, 2, ... of the seed,
 * byte for byte the RFC 8439 block function while the counter is below 2^32. */
#include "core/base/rng.h"

#include <sodium.h>
#include <string.h>

#include "core/base/err.h"

enum { BLOCK_BYTES = 64 };

/* Writes the next `blocks` keystream blocks. */
static void make_blocks(struct qkd_rng *rng, uint8_t *to, size_t blocks)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    memset(to, 0, blocks * BLOCK_BYTES);
    crypto_stream_chacha20_xor_ic(to, to, blocks * BLOCK_BYTES, nonce, rng->block, rng->key);
    rng->block += blocks;
}

void qkd_rng_init(struct qkd_rng *rng, const uint8_t seed[32])
{
    memcpy(rng->key, seed, 32);
    memset(rng->buf, 0, sizeof rng->buf);
    rng->block = 0;
    rng->used = QKD_RNG_BLOCK;
}

static void store_u64(uint8_t to[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

void qkd_rng_init_named(struct qkd_rng *rng, uint64_t seed, const char *name, uint64_t index)
{
    static const char domain[16] = "qkdn rng stream";
    uint8_t head[32];
    memcpy(head, domain, 16);
    store_u64(head + 16, seed);
    store_u64(head + 24, index);
    crypto_generichash_state state;
    uint8_t key[32];
    crypto_generichash_init(&state, NULL, 0, sizeof key);
    crypto_generichash_update(&state, head, sizeof head);
    crypto_generichash_update(&state, (const uint8_t *)name, strlen(name));
    crypto_generichash_final(&state, key, sizeof key);
    qkd_rng_init(rng, key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
}

/* Takes up to `len` bytes of the buffer and wipes them there. */
static size_t take_buffered(struct qkd_rng *rng, uint8_t *to, size_t len)
{
    size_t left = QKD_RNG_BLOCK - rng->used;
    size_t n = len < left ? len : left;
    memcpy(to, rng->buf + rng->used, n);
    memset(rng->buf + rng->used, 0, n);
    rng->used += (uint32_t)n;
    return n;
}

void qkd_rng_bytes(struct qkd_rng *rng, void *to, size_t len)
{
    uint8_t *at = to;
    size_t n = take_buffered(rng, at, len);
    at += n;
    len -= n;
    if (len >= QKD_RNG_BLOCK) {
        size_t blocks = len / BLOCK_BYTES;
        make_blocks(rng, at, blocks);
        at += blocks * BLOCK_BYTES;
        len -= blocks * BLOCK_BYTES;
    }
    if (len > 0) {
        make_blocks(rng, rng->buf, QKD_RNG_BLOCK / BLOCK_BYTES);
        rng->used = 0;
        take_buffered(rng, at, len);
    }
}

uint64_t qkd_rng_u64(struct qkd_rng *rng)
{
    uint8_t b[8];
    qkd_rng_bytes(rng, b, sizeof b);
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value |= (uint64_t)b[i] << (8 * i);
    }
    return value;
}

uint64_t qkd_rng_below(struct qkd_rng *rng, uint64_t n)
{
    QKD_ASSERT(n >= 1);
    /* 2^64 mod n values at the top would favour small remainders: draw again. */
    uint64_t excess = (UINT64_MAX % n + 1) % n;
    uint64_t value = qkd_rng_u64(rng);
    while (value > UINT64_MAX - excess) {
        value = qkd_rng_u64(rng);
    }
    return value % n;
}

double qkd_rng_unit(struct qkd_rng *rng)
{
    /* The middle of one of 2^52 equal intervals: exact in binary64, so the same everywhere. */
    return ((double)(qkd_rng_u64(rng) >> 12) + 0.5) * 0x1p-52;
}

void qkd_rng_fini(struct qkd_rng *rng)
{
    sodium_memzero(rng, sizeof *rng);
}
