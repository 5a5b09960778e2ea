/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much key a QKD link makes, and when: a constant rate, or a trace (piecewise constant). Says
 * only at which instant the next block is complete and how noisy it was; what a block holds and
 * what happens to it is core's matter.
 *
 * Regular blocks: complete each time the rate has yielded a block. Exact: progress is counted in
 * bit-nanoseconds, so that the k-th block of a constant rate ends at ceil(k * block / rate), without
 * drift. Poisson blocks: what the rate must yield until the next one is exponentially distributed
 * with the size of a block as its mean; each is as large as the others, and the mean rate is kept.
 *
 * A pause takes the modules off a source that goes on: a block that completes meanwhile is lost, and
 * the block in work goes on. So a pause moves no later block: regular blocks keep to their instants
 * (multiples of block / rate), Poisson blocks stay a Poisson process. Where the light itself is switched
 * off (frozen) there is no progress. */
#ifndef MDL_LINK_H
#define MDL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "models/wide.h"

/* One-way BB84 yields no key at or above this QBER: h(Q) = 1/2 at 11.0 % (Shor and Preskill, Phys.
 * Rev. Lett. 85:441, 2000). */
#define MDL_QBER_LIMIT 0.11

/* From t_ns on (until the next point, or for ever): this rate and QBER. Before the first point of
 * a trace no key is made. */
struct mdl_point {
    int64_t t_ns;
    uint64_t rate_bps; /* at most 10^15 */
    double qber;       /* fraction, 0 to 0.5 */
};

struct mdl_link_params {
    const struct mdl_point *points; /* in increasing time; must live as long as the link */
    size_t count;                   /* at least 1 (a constant rate is one point at 0) */
    uint64_t block_bits;            /* 1 to 10^15 */
    struct qkd_rng *poisson;        /* NULL: regular blocks; else their chance, borrowed */
};

/* A finished block. */
struct mdl_block {
    struct qkd_time done; /* when its last bit is there; QKD_NEVER: no block will be */
    double qber;          /* mean over its bits */
};

struct mdl_link {
    struct mdl_link_params params;
    bool running;             /* false: paused */
    bool frozen;              /* no light: no progress */
    struct mdl_wide whole;    /* progress at which the block in work is complete */
    int64_t now_ns;           /* progress is counted up to here */
    size_t index;             /* point in force at now_ns, or count if none yet */
    struct mdl_wide progress; /* of the block in work: bits * 10^9 */
    double error_bits;        /* sum of QBER * bits of that block */
    struct mdl_block next;    /* the block in work, if nothing is paused */
};

/* Starts making key at `now`. */
void mdl_link_init(struct mdl_link *link, const struct mdl_link_params *params,
                   struct qkd_time now);

/* The block in work: when it will be complete, as things stand. Changes nothing. */
struct mdl_block mdl_link_next_block(const struct mdl_link *link);

/* Moves past the block that mdl_link_next_block announces (there must be one). */
void mdl_link_take_block(struct mdl_link *link);

/* Hands out no block from now on. Does nothing if paused. */
void mdl_link_pause(struct mdl_link *link, struct qkd_time now);

/* Hands out the blocks that complete after `now`; does nothing if running. */
void mdl_link_resume(struct mdl_link *link, struct qkd_time now);

/* The light itself is switched off: key in work stays as it is. Does nothing if it is off. */
void mdl_link_freeze(struct mdl_link *link, struct qkd_time now);

/* It is on again: the block in work goes on. Does nothing if it is on. */
void mdl_link_thaw(struct mdl_link *link, struct qkd_time now);

/* Index of the first point from `from` on at which the light is above MDL_QBER_LIMIT where it was not
 * (`noisy` false), or no longer where it was; count if there is none. */
size_t mdl_link_noise_change(const struct mdl_link_params *params, size_t from, bool noisy);

/* Bits that the link makes from `from` to `to` if it runs all the time, rounded down. */
uint64_t mdl_link_bits(const struct mdl_link_params *params, struct qkd_time from,
                       struct qkd_time to);

#endif
