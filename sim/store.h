/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the elements of one node have persisted: (owner, kind, key) -> value, in memory. It outlives
 * a crash of the elements. Values may be key material: they are wiped when replaced or deleted. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/event.h"
#include "core/base/out.h"

struct sim_store_entry {
    uint64_t owner; /* element ID */
    uint8_t *value; /* kept when the entry is freed, for the next one */
    uint32_t value_len, value_cap;
    uint32_t next_free;
    bool live;
    uint8_t kind, key_len;
    uint8_t key[32];
};

struct sim_store_cell {
    uint32_t number; /* of the entry, + 1; 0: free */
    uint32_t hash;
};

struct sim_store {
    struct sim_store_entry *entries;
    uint32_t entry_count, entry_cap; /* ever used, allocated */
    uint32_t live_count;
    uint32_t free_head;           /* entry number + 1; 0: none */
    struct sim_store_cell *table; /* open addressing */
    uint32_t table_cap;
};

/* Zero-initialise; fini wipes and frees. */
void sim_store_fini(struct sim_store *store);

/* Executes one persist entry; 0 or QKD_ERR_NOMEM. */
int sim_store_apply(struct sim_store *store, const struct qkd_persist *entry, const uint8_t *value);

/* Deletes the entries of an owner; tells of each, if wanted. */
typedef void sim_store_gone_fn(void *ctx, const struct qkd_persist *deletion);
void sim_store_lose(struct sim_store *store, struct qkd_eid owner, sim_store_gone_fn *gone,
                    void *ctx);

/* The live entries of an owner in (kind, key) order; their values lie in the store. *records is to
 * be freed with free(). 0 or QKD_ERR_NOMEM. */
int sim_store_records(const struct sim_store *store, struct qkd_eid owner,
                      struct qkd_record **records, size_t *count);

#endif
