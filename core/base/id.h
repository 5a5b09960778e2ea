/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Identifiers: elements (who), reference points (where), and 128-bit key identifiers (what). */
#ifndef QKD_BASE_ID_H
#define QKD_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What an element is; part of its identity and of every record's associated data. */
enum qkd_role {
    QKD_ROLE_NONE = 0,
    QKD_ROLE_KMA = 1,        /* key management agent */
    QKD_ROLE_KSA = 2,        /* key supply agent */
    QKD_ROLE_KMC = 3,        /* the KM's control and management function */
    QKD_ROLE_MODULE = 4,     /* QKD module agent */
    QKD_ROLE_CONTROLLER = 5, /* QKDN controller */
    QKD_ROLE_MANAGER = 6,    /* QKDN manager */
    QKD_ROLE_APP = 7,        /* cryptographic application (SAE) */
    QKD_ROLE_DEVICE = 8,     /* optics behind a module agent: the world or real hardware */
    QKD_ROLE_LOAD = 9, /* whoever asks an application agent to ask for keys, or acts for an SAE */
    QKD_ROLE_SWITCH = 10,      /* agent of an optical switch (Cops) */
    QKD_ROLE_RELAY_POINT = 11, /* agent of a quantum relay point (Cqrp) */
    QKD_ROLE_COUNT = 12
};

/* Reference points of ITU-T Y.3802 as FG QIT4N D2.3 clause 11 lists them, then the inner points
 * that the standards leave unnamed (KMI) or outside (Q, LOAD, APP). */
enum qkd_rp {
    QKD_RP_NONE = 0,
    QKD_RP_AK = 1,   /* KSA - application */
    QKD_RP_KQ1 = 2,  /* KMA - QKD module: key files */
    QKD_RP_KQ2 = 3,  /* KM control and management - QKD module: status */
    QKD_RP_KX1 = 4,  /* KMA - KMA */
    QKD_RP_KX2 = 5,  /* KSA - KSA */
    QKD_RP_CK = 6,   /* controller - KM */
    QKD_RP_CQ = 7,   /* controller - QKD module */
    QKD_RP_CQRP = 8, /* controller - quantum relay point */
    QKD_RP_COPS = 9, /* controller - optical switch */
    QKD_RP_CX = 10,
    QKD_RP_MC = 11, /* manager - controller */
    QKD_RP_MK = 12, /* manager - KM */
    QKD_RP_MQ = 13, /* manager - QKD module */
    QKD_RP_MQRP = 14,
    QKD_RP_MOPS = 15,
    QKD_RP_MU = 16,
    QKD_RP_KMI = 17, /* inside the KM: KMA - KSA, KMA - KMC, KSA - KMC (X.1712 surface T_K3) */
    QKD_RP_Q =
        18, /* optics - agent of a module, switch or relay point (not a reference point of the standards) */
    QKD_RP_LOAD = 19, /* load generator - application agent */
    QKD_RP_APP = 20,  /* application - application: the key ID handed over (out of scope of Ak) */
    QKD_RP_SAE = 21,  /* an SAE's own code, or a server that acts for it - application agent */
    QKD_RP_COUNT = 22
};

/* Name of a reference point or role as the standards print it ("Kx-1", "KMA"); never NULL. */
const char *qkd_rp_name(enum qkd_rp rp);
const char *qkd_role_name(enum qkd_role role);

/* An element's network-wide identity: role (8 bit), instance at the node (24 bit), node (32 bit).
 * Value 0 is "nobody". */
struct qkd_eid {
    uint64_t v;
};

#define QKD_NOBODY ((struct qkd_eid){0})

static inline struct qkd_eid qkd_eid_make(enum qkd_role role, uint32_t instance, uint32_t node)
{
    return (struct qkd_eid){((uint64_t)role << 56) | ((uint64_t)(instance & 0xffffffU) << 32) |
                            node};
}

static inline enum qkd_role qkd_eid_role(struct qkd_eid e)
{
    return (enum qkd_role)(e.v >> 56);
}

static inline uint32_t qkd_eid_instance(struct qkd_eid e)
{
    return (uint32_t)(e.v >> 32) & 0xffffffU;
}

static inline uint32_t qkd_eid_node(struct qkd_eid e)
{
    return (uint32_t)e.v;
}

static inline bool qkd_eid_eq(struct qkd_eid a, struct qkd_eid b)
{
    return a.v == b.v;
}

/* The sibling element with another role at the same node (instance 0). */
static inline struct qkd_eid qkd_eid_sibling(struct qkd_eid e, enum qkd_role role)
{
    return qkd_eid_make(role, 0, qkd_eid_node(e));
}

/* A 128-bit identifier: QKD-key ID, KMA-key ID, KSA-key ID (UUIDv4). */
struct qkd_id {
    uint8_t b[16];
};

static inline bool qkd_id_eq(const struct qkd_id *a, const struct qkd_id *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

static inline bool qkd_id_is_zero(const struct qkd_id *a)
{
    static const struct qkd_id zero;
    return memcmp(a->b, zero.b, 16) == 0;
}

/* 8-4-4-4-12 lower-case text of an id into text[37]; and back (false if malformed). */
void qkd_id_format(const struct qkd_id *id, char text[37]);
bool qkd_id_parse(const char *text, struct qkd_id *id);

#endif
