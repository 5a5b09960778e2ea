/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The optics of one QKD link: a key-rate model, the key bits themselves, and what both modules are
 * told at RP_Q. Time is ns since the start of the run; whoever owns it calls when something is due. */
#ifndef HOST_OPTICS_H
#define HOST_OPTICS_H

#include "core/base/rng.h"
#include "host/message.h"
#include "host/plan.h"
#include "models/link.h"

struct wire_q_block;

struct host_optics {
    const struct host_plan *plan;
    uint32_t link;
    struct mdl_link model;
    struct mdl_point *points; /* of the model, degradations included */
    size_t point_count;
    struct qkd_rng rng;
    struct qkd_rng instants; /* of Poisson blocks: a stream of its own */
    bool run[2];             /* what each end's module wants */
    uint32_t broken;         /* faults on the light, ends that are down */
    bool commanded;          /* its modules wait for the controller */
    uint8_t dark;            /* enum host_dark: why no light passes */
    bool told[2];            /* each end's module has said something */
    bool lost;               /* the block in work was lost: start anew */
    bool stocked;            /* the initial key was handed over */
    bool noisy;              /* too noisy for key */
    bool was_noisy;          /* it has been so at least once */
    double qber;             /* since that changed last */
    size_t noise_at;         /* the point at which it changes next */
};

/* What may keep the light of a link from passing, beside faults. */
enum host_dark {
    HOST_DARK_SWITCH = 1, /* its optical switch stands elsewhere */
    HOST_DARK_POINT = 2   /* its quantum relay point is not active */
};

/* Whether the modules of a link wait for the controller before they run: it has a switch or relay point. */
bool host_optics_commanded(const struct scn_scenario *scenario, uint32_t link);

struct host_optics_calls {
    struct host_sender sender;
    /* Sees each block as it is handed to `to`; NULL: nobody wants to. */
    void (*block)(void *ctx, uint32_t link, const struct wire_q_block *block, struct qkd_eid to);
};

/* 0 or QKD_ERR_NOMEM; fini is safe after zeroing. */
int host_optics_init(struct host_optics *optics, const struct host_plan *plan, uint32_t link);
void host_optics_fini(struct host_optics *optics);

/* Bits and IDs of blocks come from this seed from now on, instead of the scenario's. */
void host_optics_reseed(struct host_optics *optics, const uint8_t seed[32]);

/* When the block in work will be complete, when the light becomes too noisy for key or quiet again;
 * QKD_NEVER: not as things stand. */
struct qkd_time host_optics_block_due(const struct host_optics *optics);
struct qkd_time host_optics_noise_due(const struct host_optics *optics);

/* What is due now happens. 0 or a negative error, as all of these. */
int host_optics_block(struct host_optics *optics, const struct host_optics_calls *calls);
void host_optics_noise(struct host_optics *optics, const struct host_optics_calls *calls);

/* A module commands its device (WIRE_Q_CONTROL; other bytes do nothing). */
int host_optics_control(struct host_optics *optics, struct qkd_time now,
                        const struct host_message *message, const struct host_optics_calls *calls);

/* Light passes from now on (on), or does not: a switch or relay point says so. Key in work stays as it is. */
void host_optics_light(struct host_optics *optics, struct qkd_time now, enum host_dark why,
                       bool on);

/* What the agent of switch or relay point `number` commands (WIRE_Q_LIGHT): the link, HOST_NO_LINK if
 * none, and whether its light may pass. */
#define HOST_NO_LINK UINT32_MAX
uint32_t host_optics_light_read(const struct host_plan *plan, uint32_t number,
                                const struct host_message *message, bool *on);

/* The light fails (nests), comes back; the module of an end is gone. */
void host_optics_break(struct host_optics *optics, struct qkd_time now);
void host_optics_mend(struct host_optics *optics, struct qkd_time now,
                      const struct host_optics_calls *calls);
void host_optics_stop(struct host_optics *optics, struct qkd_time now, uint8_t end);

#endif
