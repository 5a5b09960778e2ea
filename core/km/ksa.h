/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key supply agent: one of the three elements of a key manager; see docs/protocol.md. */
#ifndef QKD_KM_KSA_H
#define QKD_KM_KSA_H

#include "core/km/km.h"

struct ksa;

/* The host's configuration; what it points to must outlive the element. */
int ksa_new(const struct km_config *config, struct ksa **ksa);
void ksa_free(struct ksa *ksa);
int ksa_step(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time ksa_deadline(const struct ksa *ksa);

#endif
