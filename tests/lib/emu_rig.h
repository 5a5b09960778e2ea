/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Daemons' connections for tests: several nets in one loop, certificates in a folder of their own, and
 * a TLS client that does what no daemon would. */
#ifndef QKD_TESTS_EMU_RIG_H
#define QKD_TESTS_EMU_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "emu/net/net.h"
#include "emu/net/pki.h"

#define RIG_NETS 4
#define RIG_LOG 8192

/* The folder of the certificates: a good CA with daemons n0 .. n3 and x, an SAE "n1", `old.n1` (expired),
 * and in `other` the same n1 of another CA. Made at the first call, taken away by rig_folder_remove(). */
const char *rig_folder(void);
void rig_folder_remove(void);

/* A frame that came. */
struct rig_frame {
    size_t peer, len;
    uint64_t hash;
};

struct rig_net {
    struct rig *rig;
    struct emu_net *net;
    char address[64]; /* where it listens */
    bool stopped;
    struct rig_frame log[RIG_LOG];
    size_t frames;
    size_t ups, downs, faults;
    size_t stop_after; /* so many frames it stops, from within the call; 0: no */
    char fault[160];   /* the last one's text */
};

struct rig {
    uv_loop_t loop;
    struct rig_net nets[RIG_NETS];
    size_t count;
    struct emu_net_times times;
    uint32_t queue_bytes, frame_bytes;
};

/* Quick times, a loop; then `count` nets that know each other's addresses. */
void rig_init(struct rig *rig);
void rig_start(struct rig *rig, size_t count);
void rig_fini(struct rig *rig);

/* One net with certificate files `who` (such as "n1") of `folder`; at its old address, if it had one. */
void rig_net_start(struct rig *rig, size_t number, const char *folder, const char *who);
void rig_net_stop(struct rig *rig, size_t number);

/* Runs the loop until it is true, or for so long; whether it is. */
bool rig_until(struct rig *rig, bool (*done)(void *ctx), void *ctx, unsigned ms);
void rig_for(struct rig *rig, unsigned ms);

/* Sends a frame of `len` bytes made of `seed`. */
int rig_send(struct rig *rig, size_t from, size_t to, struct rig_frame what);
uint64_t rig_frame_hash(uint64_t seed, size_t len); /* of such a frame */

/* A client by itself; who NULL: no certificate. */
struct rig_client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL: bare TCP */
    bool up, over;
};
void rig_client_init(struct rig *rig, struct rig_client *client, size_t to);
void rig_client_tls(struct rig_client *client, const char *who, int version);
/* Goes on with what it can do now: shakes hands, reads. */
void rig_client_turn(struct rig_client *client);
void rig_client_fini(struct rig_client *client);

#endif
