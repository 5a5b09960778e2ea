/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may have the key of a link when there is too little (own definition; FG QIT4N D2.3 names QoS and leaves
 * it open). Accounts of one end of a link: each application that asked of late has a credit, also that whose
 * keys come from another KM and cross this link, each class a reserve, what is over is common; together they
 * are the free key of the pool, less a debt where the pool lost key by other ways:
 *
 *     sum of credits + sum of reserves + common = free + debt
 *
 * Key that comes in pays the debt, then fills level by level, the most important first: the credits of its
 * applications in equal steps up to what each may save, then the reserves of its classes. The rest is common.
 *
 * An application may take what is common (but for what more important ones asked for in a minute and have not
 * saved, as long as the store is not nearly full), its own credit, its class's reserve, and all that less important
 * levels hold: these are preempted. Hence: no level gets key while a more important one lacks it; of two
 * applications of a level that lack key both get the same; nobody is refused while a pool has more than all
 * want to save. Where there is a debt the least important bear it: nobody takes what credits of more important
 * levels are to be paid with. What may be saved is bounded by wants and by parts of the store. Amounts are bytes of the pool. No messages, no time-outs. */
#ifndef QKD_KM_SHARE_H
#define QKD_KM_SHARE_H

#include "core/base/time.h"
#include "core/km/km.h"

enum {
    KM_SHARE_GUARANTEED = 0,                  /* sessions with a guaranteed rate */
    KM_SHARE_PRIORITY = 1,                    /* 1 + priority of a class */
    KM_SHARE_NONE = 1 + KM_PRIORITY_MOST + 1, /* applications without a class */
    KM_SHARE_SAVED = 4,    /* pieces like the largest it asked for may always be saved ... */
    KM_SHARE_PERIOD_S = 60 /* ... and what it asked for in such a time; without a question for so
                              long its account is closed */
};

/* Who asks: an application pair, by the number that the KM where its keys begin gives it; a pair with a session
 * is two. */
struct km_share_who {
    struct qkd_eid source; /* that KM's KMA */
    uint32_t flow;
    bool is_guaranteed; /* within the rate of the session */
};

struct km_account {
    struct km_share_who who;
    uint8_t level;
    uint64_t credit;
    uint64_t largest;      /* piece that it asked for */
    uint64_t wanted[2];    /* in this period so far, and in the one before */
    struct qkd_time since; /* when this period began */
    struct qkd_time asked; /* last */
};

struct km_share {
    const struct km_config *config; /* its classes */
    uint64_t store;                 /* of the link, both ends together */
    struct km_account *accounts;
    uint32_t count, cap;
    uint64_t reserve[KM_CLASSES]; /* by class */
    uint64_t common, debt;
    uint64_t part[KM_SHARE_NONE + 1]; /* of the store: most credit of an account, by level */
};

/* What is asked for, and by whom. */
struct km_share_ask {
    struct km_share_who who;
    uint8_t level;       /* KM_SHARE_... */
    uint32_t class_slot; /* of config->classes; KM_CLASSES: none */
    uint64_t bytes;
    uint64_t free; /* of the pool, as far as a piece of that length can use it */
    bool is_full;  /* the link has little room for more key */
    uint64_t left; /* of it afterwards, as far as pieces of km_share_piece() can use it */
    struct qkd_time now;
};

/* store_bytes: of the link, both ends together. */
void km_share_init(struct km_share *share, const struct km_config *config, uint64_t store_bytes);
void km_share_fini(struct km_share *share);

/* Whether it may take them: then it has. Without memory for a new account: false. */
bool km_share_take(struct km_share *share, const struct km_share_ask *ask);

/* The largest piece that a more important level has asked for; 0: there is none. */
uint64_t km_share_piece(const struct km_share *share, uint8_t level);

/* They were not taken after all. */
void km_share_give(struct km_share *share, const struct km_share_who *who, uint64_t bytes);

/* What accounts of a level and of more important ones may save beside what they have. */
uint64_t km_share_lacks(struct km_share *share, uint8_t level);

/* What an end does not give to the other, for whose needs of a level it asks: the most that may be saved for
 * guaranteed rates, and what more important levels have saved. */
uint64_t km_share_kept(struct km_share *share, uint8_t level, struct qkd_time now);

#endif
