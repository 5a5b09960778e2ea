/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Application agent (SAE): authenticates at Ak, asks for keys, hands the KSA-key IDs to its partner,
 * fetches by ID, deletes. Load in every world speaks Ak through it (Tables 7-2 ... 7-7).
 * A master opens one request per LOAD message and reports REQUEST, KEY and OUTCOME; or, if the LOAD
 * says how long, a session with a guaranteed rate, of which it reports SESSION. A slave fetches on
 * APP_NOTIFY and reports FETCHED or FETCH_FAILED. Keys received for the load are wiped at once.
 * An SAE outside asks at QKD_RP_SAE (SAE_GET, SAE_FETCH, SAE_STATUS from QKD_ROLE_LOAD of the agent's
 * node) and gets the keys themselves; either agent of an application may ask as a master. */
#ifndef QKD_APP_APP_H
#define QKD_APP_APP_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"

struct app;

struct app_config {
    struct qkd_eid self;        /* role APP; even instance: the load's master, odd: its slave */
    struct qkd_eid partner;     /* the agent at the other end */
    const struct qkd_eid *more; /* multicast: further ones that get the same keys; copied */
    uint32_t more_count;
    bool by_address;     /* the load's requests name the partner by `address`, or by `network` */
    uint8_t address[16]; /* in a user network, IPv4 mapped */
    const char *network; /* the host's; NULL: by address */
    uint32_t key_bits;   /* size asked for by the load, and by an SAE that names none */
    uint8_t level;       /* enum wire_level */
    bool wait;           /* queue when short of key, up to the timeout */
    struct qkd_span timeout; /* of a request; the agent gives up a little later by itself */
    struct qkd_span retransmit;
    uint32_t limit;            /* most requests under way */
    bool delete_after;         /* send key deletion (Table 7-6) after each served request */
    uint64_t session_rate_bps; /* of application key, guaranteed to each session; 0: no sessions */
    bool session_keys;         /* ask for keys at that rate while a session is open */
    struct qkd_span session_timeout; /* the KM ends a session that is silent for so long */
    uint32_t measures_off;           /* base/measure.h; 0 outside experiments */
    struct qkd_span retry; /* an unanswered request is asked again, in the same bytes; 0: never */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
};

int app_new(const struct app_config *config, struct app **app);
void app_free(struct app *app);
int app_step(struct app *app, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time app_deadline(const struct app *app);

#endif
