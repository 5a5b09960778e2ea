/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What peers, and strangers in their names, may cost an element at its channels (base/guard.h): budgets
 * and quarantine by channel, all strangers together another one, and how many of them are remembered.
 * Nothing of this takes memory until something bad arrives. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/guard.h"
#include "core/base/mutant.h"
#include "core/channel/state.h"

enum {
    STRANGERS_FREE =
        8, /* let in before any memory is taken: peers that speak before their secret comes */
    STRANGERS = 64,     /* remembered at once; of new ones in a second, too */
    AHEAD_MOST = 4096,  /* records that may be lost in a row while a peer is in quarantine */
    GUARDS_IN_CHUNK = 4 /* of the slab */
};

enum news { NEWS_NONE, NEWS_BEGAN, NEWS_TOLD, NEWS_ENDED };

struct guard {
    struct qkd_guard guard;
    struct qkd_time muted; /* no record is opened before */
    struct qkd_eid peer;
    uint32_t slot; /* of its channel */
    uint8_t rp;
    uint8_t news; /* enum news: of its quarantine */
};

struct chan_watch {
    struct qkd_slab guards;
    struct guard crowd;            /* of all strangers */
    uint32_t stranger[STRANGERS];  /* slots of channels that strangers made: a ring */
    uint32_t stranger_next;        /* counts on */
    struct qkd_time stranger_time; /* when the present second began */
    uint32_t stranger_count;       /* new ones in it */
    uint32_t untold;               /* guards with news to tell, at least */
    struct qkd_time next;          /* when the next quarantine ends; QKD_NEVER */
};

static struct chan_watch *watch_of(struct chan_set *set)
{
    if (set->watch == NULL && !qkd_guard_is_off(&set->config.guard)) {
        set->watch = calloc(1, sizeof *set->watch);
        if (set->watch != NULL) {
            qkd_slab_init(&set->watch->guards, sizeof(struct guard), GUARDS_IN_CHUNK,
                          set->config.limit);
            set->watch->next = QKD_NEVER;
            for (int i = 0; i < STRANGERS; i++) {
                set->watch->stranger[i] = QKD_SLAB_NONE;
            }
        }
    }
    return set->watch;
}

void chan_watch_free(struct chan_set *set)
{
    if (set->watch != NULL) {
        qkd_slab_fini(&set->watch->guards);
        free(set->watch);
        set->watch = NULL;
    }
}

/* The guard of the call's channel, of strangers if it has none; NULL: none is wanted, or no memory. */
static struct guard *guard_take(const struct chan_call *call)
{
    struct chan_watch *watch = watch_of(call->set);
    struct chan_channel *channel = call->channel;
    if (watch == NULL) {
        return NULL;
    }
    if (channel == NULL || !channel->has_secret) {
        return &watch->crowd;
    }
    if (channel->guard == QKD_SLAB_NONE) {
        channel->guard = qkd_slab_take(&watch->guards);
        if (channel->guard == QKD_SLAB_NONE) {
            return &watch->crowd;
        }
        struct guard *made = qkd_slab_at(&watch->guards, channel->guard);
        made->peer = channel->peer;
        made->rp = channel->rp;
        made->slot = call->slot;
    }
    return qkd_slab_at(&watch->guards, channel->guard);
}

/* The same if it has one already. */
static struct guard *guard_of(const struct chan_call *call)
{
    const struct chan_channel *channel = call->channel;
    struct chan_watch *watch = call->set->watch;
    if (watch == NULL) {
        return NULL;
    }
    if (channel == NULL || !channel->has_secret) {
        return &watch->crowd;
    }
    return channel->guard == QKD_SLAB_NONE ? NULL : qkd_slab_at(&watch->guards, channel->guard);
}

bool chan_guard_may_check(const struct chan_call *call)
{
    struct guard *guard = guard_of(call);
    bool may = guard == NULL ||
               qkd_guard_may_check(&guard->guard, &call->set->config.guard, call->now);
    call->set->stats.limited += !may;
    return may;
}

bool chan_guard_is_strict(const struct chan_call *call)
{
    const struct guard *guard = guard_of(call);
    return guard != NULL && qkd_guard_is_strict(&guard->guard, call->now);
}

bool chan_guard_lets_pass(const struct chan_call *call, const struct chan_session *session,
                          uint64_t counter)
{
    const struct guard *guard = guard_of(call);
    if (guard == NULL) {
        return true;
    }
    bool muted = qkd_time_before(call->now, guard->muted);
    bool far = counter > session->top && counter - session->top > AHEAD_MOST;
    bool shut = chan_guard_is_strict(call) && (far || QKDN_MUTANT(STRICT_SHUT));
    call->set->stats.filtered += muted || shut;
    return !muted && !shut && chan_guard_may_check(call);
}

void chan_guard_good(const struct chan_call *call)
{
    struct guard *guard = guard_of(call);
    if (guard != NULL) {
        qkd_guard_good(&guard->guard, call->now);
    }
}

bool chan_guard_bad(const struct chan_call *call, bool checked)
{
    struct guard *guard = guard_take(call);
    if (guard == NULL) {
        return true;
    }
    if (qkd_guard_bad(&guard->guard, &call->set->config.guard, call->now, checked)) {
        guard->news = guard->news == NEWS_TOLD || guard->news == NEWS_ENDED ? NEWS_TOLD
                                                                            : NEWS_BEGAN;
        call->set->watch->untold++;
        call->set->stats.quarantines++;
    }
    if (guard->guard.strict) {
        call->set->watch->next = qkd_time_min(call->set->watch->next, guard->guard.until);
    }
    bool strict = qkd_guard_is_strict(&guard->guard, call->now) && !QKDN_MUTANT(STRICT_NEVER);
    call->set->stats.filtered += strict;
    return !strict;
}

/* ---- the element's own wishes ---- */

void chan_mute(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
               struct qkd_eid peer, struct qkd_time until)
{
    struct chan_call call = {.set = set, .now = event->now};
    if (chan_find(&call, rp, peer)) {
        struct guard *guard = guard_take(&call);
        if (guard != NULL && call.channel->has_secret) {
            guard->muted = until;
        }
    }
}

/* ---- strangers ---- */

bool chan_stranger_may_come(const struct chan_call *call)
{
    if (call->set->watch == NULL && call->set->first_strangers < STRANGERS_FREE) {
        call->set->first_strangers++;
        return true;
    }
    struct chan_watch *watch = call->set->config.guard.bad_most > 0 ? watch_of(call->set) : NULL;
    if (watch == NULL || QKDN_MUTANT(STRANGERS_ALL)) {
        return true;
    }
    int64_t past_ns = call->now.ns - watch->stranger_time.ns;
    if (past_ns < 0 || past_ns >= QKD_NS_PER_S) {
        watch->stranger_time = call->now;
        watch->stranger_count = 0;
    }
    bool may = watch->stranger_count < STRANGERS;
    watch->stranger_count += may;
    call->set->stats.filtered += !may;
    return may;
}

uint32_t chan_stranger_came(const struct chan_call *call)
{
    struct chan_watch *watch = call->set->watch;
    if (watch == NULL) {
        return QKD_SLAB_NONE;
    }
    uint32_t *place = &watch->stranger[watch->stranger_next++ % STRANGERS];
    uint32_t oldest = *place;
    *place = call->slot;
    return oldest;
}

/* ---- news of quarantines ---- */

static void guard_end(struct chan_set *set, uint32_t slot)
{
    struct chan_watch *watch = set->watch;
    const struct guard *guard = qkd_slab_at(&watch->guards, slot);
    struct chan_channel *channel = qkd_slab_at(&set->channels, guard->slot);
    channel->guard = QKD_SLAB_NONE;
    qkd_slab_give(&watch->guards, slot);
}

/* One guard's quarantine may be over now; next: when the earliest of the others is. */
static void end_look(struct chan_watch *watch, struct guard *guard, struct qkd_time now)
{
    bool stands = guard->news == NEWS_BEGAN || guard->news == NEWS_TOLD;
    if (!guard->guard.strict) {
        return;
    }
    if (qkd_guard_is_strict(&guard->guard, now)) {
        watch->next = qkd_time_min(watch->next, guard->guard.until);
    } else if (stands) {
        guard->guard.strict = false;
        guard->news = guard->news == NEWS_TOLD ? NEWS_ENDED : NEWS_NONE;
        watch->untold++;
    }
}

void chan_guard_timeout(struct chan_set *set, struct qkd_time now)
{
    struct chan_watch *watch = set->watch;
    if (watch == NULL || qkd_time_before(now, watch->next)) {
        return;
    }
    watch->next = QKD_NEVER;
    end_look(watch, &watch->crowd, now);
    for (uint32_t i = 0; i < watch->guards.top; i++) {
        if (qkd_slab_live(&watch->guards, i)) {
            end_look(watch, qkd_slab_at(&watch->guards, i), now);
        }
    }
}

struct qkd_time chan_guard_deadline(const struct chan_set *set)
{
    return set->watch == NULL ? QKD_NEVER : set->watch->next;
}

/* Tells of one guard, if there is something. */
static bool news_of(struct guard *guard, struct chan_quarantine *what)
{
    if (guard->news != NEWS_BEGAN && guard->news != NEWS_ENDED) {
        return false;
    }
    *what = (struct chan_quarantine){guard->peer, guard->news == NEWS_BEGAN};
    guard->news = guard->news == NEWS_BEGAN ? NEWS_TOLD : NEWS_NONE;
    return true;
}

bool chan_quarantine_next(struct chan_set *set, struct chan_quarantine *what)
{
    struct chan_watch *watch = set->watch;
    if (watch == NULL || watch->untold == 0) {
        return false;
    }
    if (news_of(&watch->crowd, what)) {
        return true;
    }
    for (uint32_t i = 0; i < watch->guards.top; i++) {
        if (qkd_slab_live(&watch->guards, i) && news_of(qkd_slab_at(&watch->guards, i), what)) {
            if (!what->begins) {
                guard_end(set, i);
            }
            return true;
        }
    }
    watch->untold = 0;
    return false;
}
