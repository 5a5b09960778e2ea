/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one source may cost its receiver before it has shown who it is (X.1712 clause 9.4: controlled access with
 * filtering). Whoever can send bytes in the name of a peer can make the receiver look at tags, and a look is the
 * dearest thing that a stranger gets. So failing looks have a budget: so many in a second for nothing, and so many more
 * for each good message of the same second or the one before, whose sender thereby pays for the noise
 * around it. A flood of sixteen times the honest load is still looked at in full; a larger one costs
 * no more than that.
 *
 * More bad frames in a second than an honest peer ever causes put the source into quarantine: what
 * cannot be from the peer by its head is dropped unseen and unreported, while what may be its next message is
 * still looked at. So a flood in the name of an honest peer does not shut the peer out. */
#ifndef QKD_BASE_GUARD_H
#define QKD_BASE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

struct qkd_guard_config {
    uint32_t bad_most; /* bad frames in a second until quarantine; 0: any number (peer_filter) */
    struct qkd_span quarantine; /* from the last second that had so many */
    uint32_t checks; /* failing checks in a second for nothing; 0: any number (rate_limit) */
};

enum { QKD_GUARD_PER_GOOD = 16 }; /* failing checks that a good message pays for */

struct qkd_guard {
    struct qkd_time second; /* when the second that is counted began */
    struct qkd_time until;  /* of the quarantine, if one began */
    uint32_t bad, failed;   /* frames, and checks, in this second */
    uint32_t good, good_before;
    bool strict; /* a quarantine began */
};

static inline bool qkd_guard_is_off(const struct qkd_guard_config *config)
{
    return config->bad_most == 0 && config->checks == 0;
}

/* Whether a tag may be looked at now. */
bool qkd_guard_may_check(struct qkd_guard *guard, const struct qkd_guard_config *config,
                         struct qkd_time now);

/* A look at a tag found it right. */
void qkd_guard_good(struct qkd_guard *guard, struct qkd_time now);

/* A bad frame; checked: it took a look at its tag. True: with it a quarantine begins. */
bool qkd_guard_bad(struct qkd_guard *guard, const struct qkd_guard_config *config,
                   struct qkd_time now, bool checked);

static inline bool qkd_guard_is_strict(const struct qkd_guard *guard, struct qkd_time now)
{
    return guard->strict && qkd_time_before(now, guard->until);
}

#endif
