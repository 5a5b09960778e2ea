/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KM's control and management function: one of the three elements of a key manager; see docs/protocol.md. */
#ifndef QKD_KM_KMC_H
#define QKD_KM_KMC_H

#include "core/km/km.h"

struct kmc;

/* The host's configuration; what it points to must outlive the element. */
int kmc_new(const struct km_config *config, struct kmc **result);
void kmc_free(struct kmc *kmc);
int kmc_step(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time kmc_deadline(const struct kmc *kmc);

#endif
