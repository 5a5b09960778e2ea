/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A KME for tests of the ETSI GS QKD 014 server: the server in a process of its own, before a backend that
 * invents keys and keeps the rules of the standard by itself. SAEs alice, bob, mallory, "slow" (keys for
 * it come too late), "few" (keys for it are one too few) and KME_ODD; any of them may ask keys for any
 * other. */
#ifndef QKD_TESTS_EMU_KME_H
#define QKD_TESTS_EMU_KME_H

#include <stdint.h>
#include <sys/types.h>

#define KME_ODD "a/b c?#%\xc3\xbc"

enum {
    KME_MOST = 10,
    KME_STORED = 400,
    KME_IDLE_S = 3,
    KME_HANDSHAKE_S = 2,
    KME_HANDSHAKES_PER_S = 15,
    KME_BODY = 20000,
    KME_CONNECTIONS = 40,
    KME_PER_ADDRESS = 30,
    KME_OPEN = 8
};

struct kme {
    char folder[64]; /* certificates: see emu/net/pki.h; `other` in it holds another CA */
    pid_t pid;
    uint16_t port;        /* of the key delivery API */
    uint16_t health_port; /* of /healthz and /metrics */
};

/* Makes certificates and starts the process. */
void kme_start(struct kme *kme);

/* Ends it: 0 if it left nothing open and nothing behind. Takes the certificates away. */
int kme_stop(struct kme *kme);

#endif
