/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processing time of a key manager: what one of its steps puts out, commit included, waits for
 * `key_management.processing` before anybody sees it, as disk delay would make it wait. All batches
 * of a node wait equally long, so their order stays. A batch keeps the memory it was written to: the
 * world swaps what its own `out` holds with an empty batch, and nothing is copied; the working memory
 * of the step, which no output needs, stays with the world. A crash drops what waits: it
 * was never committed. */
#include "sim/late.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "sim/world.h"

enum { KEEP_BYTES = 8192 /* of an empty batch */ };

struct sim_late {
    struct sim_late *next;
    struct qkd_out out;
    int64_t due_ns;
    uint64_t cause; /* request that the step served */
};

static struct sim_late *batch_take(struct sim_world *world)
{
    struct sim_late *batch = world->late_free;
    if (batch != NULL) {
        world->late_free = batch->next;
        return batch;
    }
    batch = calloc(1, sizeof(*batch));
    if (batch != NULL) {
        qkd_out_init(&batch->out, world->out.arena_limit);
    }
    return batch;
}

static void batch_give(struct sim_world *world, struct sim_late *batch)
{
    qkd_out_reset(&batch->out);
    if (batch->out.arena_cap > KEEP_BYTES) {
        qkd_out_fini(&batch->out); /* a long report: few batches need so much */
    }
    batch->next = world->late_free;
    world->late_free = batch;
}

static void wait(struct sim_world *world, uint32_t number, const struct sim_late *batch)
{
    sim_world_post(world, number, batch->due_ns, sim_world_tag(SIM_TIMER_LATE, 0, number));
}

bool sim_late_hold(struct sim_world *world, uint32_t unit)
{
    const struct qkd_out *out = &world->out;
    if (world->plan->units[unit].kind != HOST_UNIT_KM ||
        world->scenario->key_management.processing_ns == 0) {
        return false;
    }
    if (out->persist_count + out->send_count + out->report_count == 0) {
        return true;
    }
    uint32_t number = world->plan->units[unit].node;
    struct sim_node *node = &world->nodes[number];
    struct sim_late *batch = batch_take(world);
    if (batch == NULL) {
        qkd_out_reset(&world->out);
        sim_world_fail(world, QKD_ERR_NOMEM, "outputs of a key manager");
        return true;
    }
    qkd_out_swap(&world->out, &batch->out);
    batch->cause = world->cause;
    batch->due_ns = sim_world_now(world) + world->scenario->key_management.processing_ns;
    batch->next = NULL;
    if (node->late_first == NULL) {
        node->late_first = batch;
        wait(world, number, batch);
    } else {
        node->late_last->next = batch;
    }
    node->late_last = batch;
    return true;
}

void sim_late_timer(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    int64_t now_ns = sim_world_now(world);
    /* Nothing may be due: the timer of a batch that a crash dropped comes all the same. */
    while (node->late_first != NULL && node->late_first->due_ns <= now_ns) {
        struct sim_late *batch = node->late_first;
        node->late_first = batch->next;
        world->cause = batch->cause;
        qkd_out_swap(&world->out, &batch->out);
        sim_node_execute(world, number);
        qkd_out_swap(&world->out, &batch->out);
        batch_give(world, batch);
        world->cause = 0;
        if (node->late_first != NULL && node->late_first->due_ns > now_ns) {
            wait(world, number, node->late_first);
        }
    }
}

void sim_late_forget(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    while (node->late_first != NULL) {
        struct sim_late *batch = node->late_first;
        node->late_first = batch->next;
        batch_give(world, batch);
    }
}

void sim_late_free(struct sim_world *world)
{
    for (uint32_t i = 0; world->nodes != NULL && i < world->scenario->node_count; i++) {
        sim_late_forget(world, i);
    }
    while (world->late_free != NULL) {
        struct sim_late *batch = world->late_free;
        world->late_free = batch->next;
        qkd_out_fini(&batch->out);
        free(batch);
    }
}
