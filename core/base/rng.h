/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only source of chance: ChaCha20 (RFC 8439) keystream from a 32-byte seed, so that a run is
 * replayed by its seed and the same code serves real elements. */
#ifndef QKD_BASE_RNG_H
#define QKD_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define QKD_RNG_BLOCK 64

struct qkd_rng {
    uint8_t key[32];            /* secret */
    uint64_t block;             /* next keystream block to make */
    uint8_t buf[QKD_RNG_BLOCK]; /* keystream not yet used, wiped as it is used */
    uint32_t used;              /* bytes of buf already used */
};

/* Starts the stream of `seed`. */
void qkd_rng_init(struct qkd_rng *rng, const uint8_t seed[32]);

/* Starts the stream that (run seed, name, index) determines: one per link, application, ... so
 * that adding one does not change another's. */
void qkd_rng_init_named(struct qkd_rng *rng, uint64_t seed, const char *name, uint64_t index);

void qkd_rng_bytes(struct qkd_rng *rng, void *to, size_t len);
uint64_t qkd_rng_u64(struct qkd_rng *rng);

/* Uniform integer in [0, n), n >= 1, without modulo bias. */
uint64_t qkd_rng_below(struct qkd_rng *rng, uint64_t n);

/* Uniform double in (0, 1): never 0, never 1. */
double qkd_rng_unit(struct qkd_rng *rng);

/* Wipes the state. */
void qkd_rng_fini(struct qkd_rng *rng);

#endif
