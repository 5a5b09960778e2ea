/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a daemon is ready: every channel that its elements must have is authenticated both ways
 * (reports PEER_UP and PEER_DOWN), and KMAs of a link have agreed what is left of their key (the adjacency,
 * D23 7.2.2): before, no frame can pass. Channels are: KMAs of a link with each other (Kx-1), each module with
 * its KMA, KMC, the controller and the manager (Kq-1, Kq-2, Cq, Mq), each KMC with controller and
 * manager (Ck, Mk), controller with manager (Mc). */
#ifndef EMU_READY_H
#define EMU_READY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/out.h"
#include "host/plan.h"

struct emu_ready;

/* What the units with these numbers need. NULL: no memory. */
struct emu_ready *emu_ready_new(const struct host_plan *plan, const uint32_t *units,
                                uint32_t count);
void emu_ready_free(struct emu_ready *ready);

/* Takes in a report; others than PEER_UP and PEER_DOWN change nothing. */
void emu_ready_report(struct emu_ready *ready, const struct qkd_report *report);

/* Channels that are needed, and those of them that are not up. */
size_t emu_ready_needed(const struct emu_ready *ready);
size_t emu_ready_missing(const struct emu_ready *ready);

/* The n-th that is missing, as "KMA of A - KMA of B at Kx-1"; false beyond the last. */
bool emu_ready_missing_text(const struct emu_ready *ready, size_t n, char *to, size_t size);

#endif
