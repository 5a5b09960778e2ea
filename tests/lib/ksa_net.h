/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two KSAs in a pump with everything around them played by the test: KMAs, KMCs, applications and a
 * third KSA. The test says what each KMA answers, so that keys may be equal or not on both sides. */
#ifndef QKD_TESTS_KSA_NET_H
#define QKD_TESTS_KSA_NET_H

#include "core/km/ksa.h"
#include "tests/lib/puppet.h"

enum { NET_A = 1, NET_B = 2, NET_C = 3 };

#define NET_MASTER qkd_eid_make(QKD_ROLE_APP, 0, NET_A)
#define NET_SLAVE qkd_eid_make(QKD_ROLE_APP, 1, NET_B)
#define NET_OTHER_MASTER qkd_eid_make(QKD_ROLE_APP, 2, NET_A)
#define NET_OTHER_SLAVE qkd_eid_make(QKD_ROLE_APP, 3, NET_B)
#define NET_UNLISTED qkd_eid_make(QKD_ROLE_APP, 8, NET_A) /* in nobody's directory */
#define NET_KSA(node) qkd_eid_make(QKD_ROLE_KSA, 0, (node))
#define NET_KMA(node) qkd_eid_make(QKD_ROLE_KMA, 0, (node))
#define NET_KMC(node) qkd_eid_make(QKD_ROLE_KMC, 0, (node))

struct ksa_net {
    struct pump *p;
    struct km_config config[2]; /* of A and B */
    int (*step)(void *ksa, const struct qkd_event *event, struct qkd_out *out);
    struct ksa *ksa[2];
    struct puppet *kma[2], *kmc[2];
    struct puppet *master, *slave, *other_slave, *unlisted, *ksa_c;
};

/* Usual limits, times and ksa_step(); change them before ksn_start(). */
void ksn_init(struct ksa_net *net, uint64_t seed);

/* Elements, directory and open channels. */
void ksn_start(struct ksa_net *net);
void ksn_free(struct ksa_net *net);

/* Crashes KSA 0 (A) or 1 (B) and brings it back from what it persisted, reconnected. */
void ksn_restart(struct ksa_net *net, int which);

/* Runs for some milliseconds. */
void ksn_run(struct ksa_net *net, int64_t ms);

/* KEY_SUPPLY for encryption by the master, or for decryption by `app`; its Message ID. */
uint64_t ksn_ask(struct ksa_net *net, uint32_t amount, uint32_t key_size, uint64_t session);
uint64_t ksn_fetch(struct ksa_net *net, struct puppet *app, const struct qkd_id *key_id,
                   uint64_t session);

/* What KSA `which` is told of an application whose partner is `peer` and may be others, too. */
void ksn_directory(struct ksa_net *net, int which, const struct wire_cfg_app *entry);

/* Fills `message` as ksn_ask() does, without sending it. */
struct wire_key_supply ksn_command(const struct ksa_net *net, uint32_t amount, uint32_t key_size,
                                   uint64_t session);

/* The key and compare bytes that the piece `tag` carries: a fixed pattern. */
void ksn_pattern(uint8_t tag, uint8_t *to, size_t len);

/* A piece of keys from KMA `which` in answer to the NEED or FETCH `orig`. */
struct ksn_piece {
    uint64_t orig;
    uint8_t tag;       /* pattern of keys, compare key and KMA-key ID */
    uint32_t count;    /* keys */
    uint32_t key_size; /* bits */
    uint32_t count_id; /* 0: none */
    bool last;
    uint8_t flip; /* XORed into the first key byte */
    bool bare;    /* without a mandatory metadata item */
    uint32_t to;  /* multicast: node that it is for, from `place` on; 0: none */
    uint8_t place;
    uint8_t keys;  /* multicast: pattern of the keys, where it is not `tag` */
    uint8_t grade; /* 0: one-time pad */
};
void ksn_piece(struct ksa_net *net, int which, const struct ksn_piece *piece);

/* KMA `which` refuses the NEED or FETCH `orig`. */
void ksn_refuse(struct ksa_net *net, int which, uint64_t orig, uint8_t reason);

/* Message ID of the newest NEED at A (FETCH at B). */
uint64_t ksn_need(const struct ksa_net *net);
uint64_t ksn_fetch_of_kma(const struct ksa_net *net);

/* The newest answer a puppet got at Ak; it must exist. */
struct wire_key_supply_rsp ksn_answer(const struct puppet *app);

/* Whole supply of `count` keys in one piece; the KSA-key IDs in ids[count]. */
void ksn_supply(struct ksa_net *net, uint8_t tag, uint32_t count, uint64_t session,
                struct qkd_id *ids);

/* Life-cycle records of an action that KMC `which` got so far. */
size_t ksn_life_count(const struct ksa_net *net, int which, uint8_t action);

/* The n-th of them. */
struct wire_life ksn_life(const struct ksa_net *net, int which, uint8_t action, size_t n);

/* Security events of a kind that KMC `which` got so far (sum of their counts). */
uint64_t ksn_security(const struct ksa_net *net, int which, uint8_t fault);

#endif
