/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ETSI GS QKD 014 V1.1.1 (2019-02), the KME's side, over HTTPS with client certificates: Get status, Get key, Get
 * key with key IDs. Who asks is whom the client's certificate names (emu/net/identity.h); nothing else says it.
 * What a key manager does stands behind a backend of three calls, so that the server knows no key manager and
 * is tested without one. Each question has a ticket and is answered once, at once or later, by its completion;
 * one that is not answered in time becomes a 503 and its ticket void.
 *
 * Reasons of a backend (enum wire_reason) and what the SAE gets:
 *   none 200 | unauthorized, access_denied 401, no body | unknown_key, expired, deleted 400 "one or more keys
 *   specified are not found on KME" | unknown_application, bad_request 400 | insufficient_key, no_route, policy
 *   503 "insufficient key material" | all else 503 with the reason's text */
#ifndef EMU_ETSI014_H
#define EMU_ETSI014_H

#include "core/wire/messages.h"
#include "emu/etsi014/etsi014_json.h"
#include "emu/http/https.h"

struct emu_etsi014;

/* Who asks about whom. Valid during the call of the backend only. */
struct emu_e14_question {
    const char *sae; /* the caller, from its certificate */
    const char
        *other; /* the SAE of the path: the slave, or for fetch the master; decoded, not checked */
    uint64_t ticket;
};

/* What stands behind the server. Each call is followed by exactly one completion for its ticket, during the
 * call or later: emu_etsi014_keys() for get and fetch, emu_etsi014_status() for status. */
struct emu_e14_backend {
    void *ctx;
    void (*get)(void *ctx, const struct emu_e14_question *question, const struct emu_e14_enc *enc);
    void (*fetch)(void *ctx, const struct emu_e14_question *question,
                  const struct emu_e14_dec *dec);
    void (*status)(void *ctx, const struct emu_e14_question *question);
};

struct emu_etsi014_config {
    struct emu_https_config https; /* handle and ctx are set by the server */
    struct emu_e14_limits limits;
    struct emu_e14_backend backend;
    unsigned answer_within_s; /* what a backend has; 0: 30 */
};

int emu_etsi014_new(const struct emu_etsi014_config *config, struct emu_etsi014 **server,
                    struct emu_why *why);

/* Open questions are answered 503. The loop must run on until its handles are closed. */
void emu_etsi014_free(struct emu_etsi014 *server);

uint16_t emu_etsi014_port(const struct emu_etsi014 *server);

/* Completions. keys: of exactly what was asked for, with reason NONE; else NULL. The caller's copy stays the
 * caller's, to be wiped. False: nobody waits for it any more (the keys are lost to the SAE). */
bool emu_etsi014_keys(struct emu_etsi014 *server, uint64_t ticket, enum wire_reason reason,
                      const struct emu_e14_keys *keys);

/* status: Table 9 with reason NONE, but master_sae and slave_sae, which the server fills in; else NULL. */
bool emu_etsi014_status(struct emu_etsi014 *server, uint64_t ticket, enum wire_reason reason,
                        const struct emu_e14_status *status);

/* Answers so far, by method (EMU_E14_METHODS: of no method) and code, and keys handed over. */
enum emu_e14_code {
    EMU_E14_200,
    EMU_E14_400,
    EMU_E14_401,
    EMU_E14_503,
    EMU_E14_OTHER,
    EMU_E14_CODES
};
struct emu_e14_counts {
    uint64_t answers[EMU_E14_METHODS + 1][EMU_E14_CODES];
    uint64_t keys;
    uint64_t
        keys_lost; /* supplied by the backend, but too late, in the wrong number or without memory */
    uint64_t refused;    /* connections, see emu_https_refused() */
    uint64_t handshakes; /* begun */
    unsigned open;       /* questions that wait for their answer now */
    unsigned connections;
};
void emu_etsi014_count(const struct emu_etsi014 *server, struct emu_e14_counts *counts);

#endif
