/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: life-cycle records of QKD-keys and KMA-keys (7.1.6, Table 7-1), for the manager. */
#include "core/km/kma_internal.h"

void kma_life(const struct kma_step *s, const struct kma_life *life)
{
    struct wire_life record = {.when = s->event->wall,
                               .at = s->kma->self,
                               .action = life->action,
                               .key_class = life->key_class,
                               .id = life->id,
                               .has_parent = !qkd_id_is_zero(&life->parent),
                               .parent = life->parent,
                               .has_key_length = life->length_bits != 0,
                               .key_length = life->length_bits,
                               .has_source = life->source.v != 0,
                               .source = life->source,
                               .has_destination = life->destination.v != 0,
                               .destination = life->destination,
                               .has_method = life->method != 0,
                               .method = life->method,
                               .has_link = life->link != NULL,
                               .link = life->link == NULL ? 0 : life->link->id,
                               .has_hop = life->hop != 0,
                               .hop = life->hop,
                               .has_reason = life->reason != 0,
                               .reason = life->reason};
    chan_report_life(&s->kma->reports, s->event, &record, s->out);
}
