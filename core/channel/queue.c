/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages handed over before a channel is UP: a small bounded queue, in order. Only here does a
 * message cost an allocation; a channel that is UP has no queue. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/state.h"
#include "core/crypto/crypto.h"

static void waiting_free(struct chan_waiting *message)
{
    crypto_wipe(message->bytes, message->len);
    free(message->bytes);
}

/* Gives the queue of a channel back; the memory too if it was the last. */
static void queue_give(struct chan_set *set, struct chan_channel *channel)
{
    qkd_slab_give(&set->queues, channel->queue);
    channel->queue = QKD_SLAB_NONE;
    if (set->queues.live == 0) {
        qkd_slab_fini(&set->queues);
    }
}

int chan_queue_add(const struct chan_call *call, const struct chan_send *send)
{
    struct chan_set *set = call->set;
    struct chan_channel *channel = call->channel;
    if (channel->queue == QKD_SLAB_NONE) {
        channel->queue = qkd_slab_take(&set->queues);
        if (channel->queue == QKD_SLAB_NONE) {
            set->stats.queue_drops++;
            return QKD_ERR_LIMIT;
        }
    }
    struct chan_queue *queue = qkd_slab_at(&set->queues, channel->queue);
    bool full = queue->count == CHAN_QUEUE || send->len > CHAN_QUEUE_BYTES - queue->bytes;
    uint8_t *bytes = full ? NULL : malloc(send->len > 0 ? send->len : 1);
    if (bytes == NULL) {
        set->stats.queue_drops++;
        if (queue->count == 0) {
            queue_give(set, channel);
        }
        return QKD_ERR_LIMIT;
    }
    if (send->len > 0) {
        memcpy(bytes, send->message, send->len);
    }
    queue->item[queue->count++] = (struct chan_waiting){bytes, (uint32_t)send->len, send->flags};
    queue->bytes += (uint32_t)send->len;
    return QKD_ERR_AGAIN;
}

void chan_queue_flush(const struct chan_call *call)
{
    struct chan_set *set = call->set;
    struct chan_channel *channel = call->channel;
    if (channel->queue == QKD_SLAB_NONE) {
        return;
    }
    struct chan_queue *queue = qkd_slab_at(&set->queues, channel->queue);
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct chan_waiting *item = &queue->item[i];
        struct chan_send send = {.message = item->bytes, .len = item->len, .flags = item->flags};
        chan_record_send(call, &channel->serving, CHAN_FRAME_DATA, &send);
        waiting_free(&queue->item[i]);
    }
    queue_give(set, channel);
}

uint32_t chan_queue_drop(struct chan_set *set, struct chan_channel *channel)
{
    if (channel->queue == QKD_SLAB_NONE) {
        return 0;
    }
    struct chan_queue *queue = qkd_slab_at(&set->queues, channel->queue);
    uint32_t count = queue->count;
    for (uint32_t i = 0; i < count; i++) {
        waiting_free(&queue->item[i]);
    }
    queue_give(set, channel);
    return count;
}
