/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small world for unit tests of elements: virtual time, delivery in order with optional loss,
 * duplication and reordering drawn from a seed, persisted entries per element (so that an element
 * can crash and come back), and provisioning: WANT_SECRET is answered at both ends with a secret
 * derived from the seed, the reference point and the pair.
 *
 *   PUMP_ELEMENT(ctl)                                   adapters pump_ctl_step, pump_ctl_deadline
 *   struct pump *p = pump_new(&(struct pump_config){.seed = 1});
 *   pump_add(p, eid, (struct pump_element){.self = c, .step = pump_ctl_step,
 *                                          .deadline = pump_ctl_deadline});
 *   pump_start(p, eid);
 *   pump_run(p, qkd_span_s(5));
 *
 * Errors of the test itself, of an element's step() and of a failed out batch end the test. */
#ifndef QKD_TESTS_PUMP_H
#define QKD_TESTS_PUMP_H

#include "core/base/event.h"
#include "core/base/out.h"

struct pump;

/* One element, or a host that serves several: then add it once per element with the same `self`. */
struct pump_element {
    void *self;
    int (*step)(void *self, const struct qkd_event *event, struct qkd_out *out);
    struct qkd_time (*deadline)(const void *self);
    /* START of one part of a host; NULL: step() takes START too. */
    int (*start)(void *self, struct qkd_eid part, const struct qkd_event *event,
                 struct qkd_out *out);
};

/* Adapters for `struct name` with name_step() and name_deadline(). */
#define PUMP_ELEMENT(name)                                                                         \
    static int pump_##name##_step(void *self, const struct qkd_event *event, struct qkd_out *out)  \
    {                                                                                              \
        return name##_step(self, event, out);                                                      \
    }                                                                                              \
    static struct qkd_time pump_##name##_deadline(const void *self)                                \
    {                                                                                              \
        return name##_deadline(self);                                                              \
    }

struct pump_config {
    uint64_t seed;
    struct qkd_span latency; /* between nodes; 0: 1 ms. Inside a node nothing takes time */
    unsigned loss_percent;   /* each message between nodes */
    unsigned dup_percent;
    unsigned reorder_percent; /* delayed by up to 5 latencies more */
};

struct pump *pump_new(const struct pump_config *config);
void pump_free(struct pump *p);

/* Changes the chances of the messages sent from now on. */
void pump_set_chances(struct pump *p, unsigned loss_percent, unsigned dup_percent,
                      unsigned reorder_percent);

void pump_add(struct pump *p, struct qkd_eid eid, struct pump_element element);

/* START with what the element persisted so far and the next incarnation (1 at first). */
void pump_start(struct pump *p, struct qkd_eid eid);

/* All elements have been started so many times more. */
void pump_age(struct pump *p, uint32_t incarnations);

/* The element is gone (the test frees it); what it persisted stays. pump_add() with a new one and
 * pump_start() bring it back. Messages to it are lost meanwhile. */
void pump_crash(struct pump *p, struct qkd_eid eid);

struct qkd_time pump_now(const struct pump *p);

/* Encoded WIRE_CFG_* message to one element, now. */
void pump_configure(struct pump *p, struct qkd_eid to, const void *bytes, size_t len);

/* Raw bytes that claim to come from `from`: what an attacker can do. Delivered like any message. */
struct pump_message {
    enum qkd_rp rp;
    struct qkd_eid from, to;
    const uint8_t *bytes;
    size_t len;
    const uint8_t *observed; /* before sealing; NULL if none (only seen by a tap) */
    size_t observed_len;
};
void pump_inject(struct pump *p, const struct pump_message *message);

/* Runs for `span` of virtual time. */
void pump_run(struct pump *p, struct qkd_span span);

/* Runs until done(ctx) or `limit` has passed; whether it was done. */
bool pump_until(struct pump *p, bool (*done)(void *ctx), void *ctx, struct qkd_span limit);

/* Called for every message sent, before loss is drawn; false: it is lost. */
void pump_tap(struct pump *p, bool (*tap)(void *ctx, const struct pump_message *message),
              void *ctx);

/* Cuts or mends all messages between two elements (both ways). */
void pump_cut(struct pump *p, struct qkd_eid a, struct qkd_eid b, bool cut);

/* Reports so far of `who` (QKD_NOBODY: of all) with `code`; the n-th of them in order. `bytes` of a
 * kept report names pump_report_bytes(). */
size_t pump_report_count(const struct pump *p, enum qkd_report_code code, struct qkd_eid who);
const struct qkd_report *pump_report(const struct pump *p, enum qkd_report_code code,
                                     struct qkd_eid who, size_t n);
const uint8_t *pump_report_bytes(const struct pump *p, const struct qkd_report *report);

/* Entries that `owner` has persisted and not deleted; the n-th in (kind, key) order. */
size_t pump_persisted_count(const struct pump *p, struct qkd_eid owner);
const struct qkd_record *pump_persisted(const struct pump *p, struct qkd_eid owner, size_t n);

/* Messages sent so far at a reference point (QKD_RP_NONE: at all). */
uint64_t pump_sent(const struct pump *p, enum qkd_rp rp);

#endif
