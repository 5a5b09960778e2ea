/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key management agent: one of the three elements of a key manager; see docs/protocol.md. */
#ifndef QKD_KM_KMA_H
#define QKD_KM_KMA_H

#include "core/km/km.h"

struct kma;

/* The host's configuration; what it points to must outlive the element. */
int kma_new(const struct km_config *config, struct kma **kma);
void kma_free(struct kma *kma);
int kma_step(struct kma *kma, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time kma_deadline(const struct kma *kma);

#endif
