/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: sealed messages whose delivery matters, between send and delivery. What arrives is cipher
 * text, so a message is known again by the end of its record, which is part of a GCM tag. */
#include "core/base/time.h"
#include "watch/oracle_state.h"

static struct watch_orc_mail *mail_at(const struct watch_oracle *o, uint32_t slot)
{
    return qkd_slab_at(&o->mails, slot);
}

static void mail_give(struct watch_oracle *o, uint32_t slot)
{
    const struct watch_orc_mail *m = mail_at(o, slot);
    *(m->prev == QKD_SLAB_NONE ? &o->mail_first : &mail_at(o, m->prev)->next) = m->next;
    *(m->next == QKD_SLAB_NONE ? &o->mail_last : &mail_at(o, m->next)->prev) = m->prev;
    if (qkd_map_get(&o->mail_by_tail, &m->tail) == slot) {
        (void)qkd_map_del(&o->mail_by_tail, &m->tail);
    }
    qkd_slab_give(&o->mails, slot);
}

void watch_orc_mail_post(struct watch_oracle *o, const struct watch_orc_mail *mail)
{
    int64_t limit_ns = o->now_ns - o->lost_after_ns;
    while (o->mail_first != QKD_SLAB_NONE && mail_at(o, o->mail_first)->sent_ns < limit_ns) {
        mail_give(o, o->mail_first);
    }
    uint32_t slot = qkd_slab_take(&o->mails);
    if (slot == QKD_SLAB_NONE || qkd_map_put(&o->mail_by_tail, &mail->tail, slot) != 0) {
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&o->mails, slot);
        }
        watch_orc_fail(o, "oracle: out of memory for messages", NULL);
        return;
    }
    struct watch_orc_mail *m = mail_at(o, slot);
    *m = *mail;
    m->sent_ns = o->now_ns;
    m->prev = o->mail_last;
    m->next = QKD_SLAB_NONE;
    *(m->prev == QKD_SLAB_NONE ? &o->mail_first : &mail_at(o, m->prev)->next) = slot;
    o->mail_last = slot;
}

bool watch_orc_mail_take(struct watch_oracle *o, uint64_t tail, struct qkd_eid to,
                         struct watch_orc_mail *mail)
{
    uint32_t slot = qkd_map_get(&o->mail_by_tail, &tail);
    if (slot == QKD_MAP_NONE || mail_at(o, slot)->to.v != to.v) {
        return false;
    }
    *mail = *mail_at(o, slot);
    mail_give(o, slot);
    return true;
}
