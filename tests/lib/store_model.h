/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a durable store must hold: random batches of persist entries, and a plain list to which they
 * are applied. A batch follows from its seed alone, so that two processes can agree on it. */
#ifndef QKD_TESTS_STORE_MODEL_H
#define QKD_TESTS_STORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/event.h"
#include "core/base/out.h"

#define STORE_MODEL_OWNERS 3
#define STORE_MODEL_VALUE 300 /* most bytes of a value, and now and then 20 times as many */

struct store_model_entry {
    struct qkd_eid owner;
    uint8_t kind, key_len;
    uint8_t key[32];
    uint8_t *value;
    size_t value_len;
};

struct store_model {
    struct store_model_entry *entries;
    size_t count, cap;
};

/* The n-th owner, n < STORE_MODEL_OWNERS. */
struct qkd_eid store_model_owner(unsigned n);

/* Appends the batch of this seed: 1 to 12 puts and deletes over a small space of keys. */
void store_model_batch(struct qkd_out *out, uint64_t seed);

/* Zero-initialise. */
void store_model_apply(struct store_model *model, const struct qkd_out *out);
void store_model_fini(struct store_model *model);

/* Whether the records are what the owner has, in (kind, key) order. */
bool store_model_is(const struct store_model *model, struct qkd_eid owner,
                    const struct qkd_record *records, size_t count);

/* The next number of a small generator (splitmix64). */
uint64_t store_model_next(uint64_t *state);

#endif
