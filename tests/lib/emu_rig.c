/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nets in one loop, for tests. */
#include "tests/lib/emu_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/address.h"

/* ---- certificates ---- */

static char folder[64];

static void make(const char *where, struct emu_pki_subject subject, int64_t from_s)
{
    struct emu_why why = {""};
    const struct emu_pki pki = {.folder = where,
                                .from_s = from_s,
                                .for_s = from_s < 0 ? -from_s / 2 : 0};
    int err = emu_pki_make(&pki, &subject, &why);
    if (err != QKD_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    QKD_ASSERT(err == QKD_OK);
}

static void move(const char *from, const char *to)
{
    char a[128], b[128];
    for (int i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "%s/%s.%s", folder, from, i == 0 ? "crt" : "key");
        snprintf(b, sizeof b, "%s/%s.%s", folder, to, i == 0 ? "crt" : "key");
        QKD_ASSERT(rename(a, b) == 0);
    }
}

const char *rig_folder(void)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "x"};
    char other[80];
    if (folder[0] != '\0') {
        return folder;
    }
    snprintf(folder, sizeof folder, "/tmp/qkdn_rig_XXXXXX");
    QKD_ASSERT(mkdtemp(folder) != NULL);
    make(folder, (struct emu_pki_subject){.kind = EMU_PKI_CA}, 0);
    make(folder, (struct emu_pki_subject){.kind = EMU_PKI_DAEMON, .name = "n1"}, -7200);
    move("n1", "old.n1");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make(folder, (struct emu_pki_subject){.kind = EMU_PKI_DAEMON, .name = names[i]}, 0);
    }
    make(folder, (struct emu_pki_subject){.kind = EMU_PKI_SAE, .name = "n1"}, 0);
    snprintf(other, sizeof other, "%s/other", folder);
    QKD_ASSERT(mkdir(other, 0700) == 0);
    make(other, (struct emu_pki_subject){.kind = EMU_PKI_CA}, 0);
    make(other, (struct emu_pki_subject){.kind = EMU_PKI_DAEMON, .name = "n1"}, 0);
    move("other/n1", "other.n1");
    return folder;
}

void rig_folder_remove(void)
{
    char command[128];
    if (folder[0] != '\0') {
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        QKD_ASSERT(system(command) == 0);
        folder[0] = '\0';
    }
}

/* ---- frames ---- */

static uint64_t next_word(uint64_t *state) /* xorshift64, Marsaglia 2003 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t hash_of(const uint8_t *bytes, size_t len) /* FNV-1a */
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint8_t *frame_make(uint64_t seed, size_t len)
{
    uint64_t state = seed * 2 + 1;
    uint8_t *bytes = malloc(len + 8);
    QKD_ASSERT(bytes != NULL);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = next_word(&state);
        memcpy(bytes + i, &word, 8);
    }
    return bytes;
}

uint64_t rig_frame_hash(uint64_t seed, size_t len)
{
    uint8_t *bytes = frame_make(seed, len);
    uint64_t hash = hash_of(bytes, len);
    free(bytes);
    return hash;
}

int rig_send(struct rig *rig, size_t from, size_t to, struct rig_frame what)
{
    uint8_t *bytes = frame_make(what.hash, what.len);
    size_t first = what.len / 3;
    const struct emu_net_part parts[] = {{bytes, first},
                                         {NULL, 0},
                                         {bytes + first, what.len - first}};
    int err = emu_net_send(rig->nets[from].net, to, parts, 3);
    free(bytes);
    return err;
}

/* ---- nets ---- */

static void on_stopped(void *ctx)
{
    ((struct rig_net *)ctx)->stopped = true;
}

static void on_recv(void *ctx, size_t peer, const uint8_t *bytes, size_t len)
{
    struct rig_net *net = ctx;
    QKD_ASSERT(net->frames < RIG_LOG);
    net->log[net->frames++] = (struct rig_frame){peer, len, hash_of(bytes, len)};
    if (net->frames == net->stop_after) {
        emu_net_stop(net->net, on_stopped, net);
    }
}

static void on_up(void *ctx, size_t peer, bool up)
{
    struct rig_net *net = ctx;
    (void)peer;
    net->ups += up;
    net->downs += !up;
}

static void on_fault(void *ctx, size_t peer, enum emu_net_fault fault, const char *text)
{
    struct rig_net *net = ctx;
    net->faults++;
    snprintf(net->fault, sizeof net->fault, "%zd %s: %s", (ssize_t)peer, emu_net_fault_text(fault),
             text);
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    QKD_ASSERT(uv_loop_init(&rig->loop) == 0);
    rig->times = (struct emu_net_times){.handshake_ms = 800,
                                        .ping_ms = 100,
                                        .dead_ms = 600,
                                        .hold_ms = 1000,
                                        .pause_ms = 10,
                                        .pause_max_ms = 80};
}

void rig_net_start(struct rig *rig, size_t number, const char *from, const char *who)
{
    static const char *const names[RIG_NETS] = {"n0", "n1", "n2", "n3"};
    struct rig_net *net = &rig->nets[number];
    struct emu_net_peer peers[RIG_NETS];
    struct emu_why why = {""};
    char ca[128], certificate[128], key[128], name[8];
    snprintf(ca, sizeof ca, "%s/ca.crt", from);
    snprintf(certificate, sizeof certificate, "%s/%s.crt", from, who);
    snprintf(key, sizeof key, "%s/%s.key", from, who);
    snprintf(name, sizeof name, "%s", strcmp(who, "x") == 0 ? "x" : names[number]);
    for (size_t i = 0; i < RIG_NETS; i++) {
        peers[i] = (struct emu_net_peer){names[i], NULL};
    }
    struct emu_net_config config = {
        .loop = &rig->loop,
        .name = name,
        .listen = net->address[0] == '\0' ? "127.0.0.1:0" : net->address,
        .files = {ca, certificate, key, false},
        .peers = peers,
        .peer_count = RIG_NETS,
        .queue_bytes = rig->queue_bytes,
        .frame_bytes = rig->frame_bytes,
        .times = rig->times,
        .calls = {net, on_recv, on_up, on_fault},
    };
    int err = emu_net_new(&config, &net->net, &why);
    if (err != QKD_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    QKD_ASSERT(err == QKD_OK);
    net->rig = rig;
    net->stopped = false;
    snprintf(net->address, sizeof net->address, "127.0.0.1:%u", emu_net_port(net->net));
}

static bool is_stopped(void *ctx)
{
    return ((struct rig_net *)ctx)->stopped;
}

void rig_net_stop(struct rig *rig, size_t number)
{
    struct rig_net *net = &rig->nets[number];
    emu_net_stop(net->net, on_stopped, net);
    QKD_ASSERT(rig_until(rig, is_stopped, net, 5000));
    emu_net_free(net->net);
    net->net = NULL;
}

void rig_start(struct rig *rig, size_t count)
{
    char who[32];
    rig->count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(who, sizeof who, "n%zu", i);
        rig_net_start(rig, i, rig_folder(), who);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (i != j) {
                QKD_ASSERT(emu_net_dial(rig->nets[i].net, j, rig->nets[j].address) == QKD_OK);
            }
        }
    }
}

void rig_fini(struct rig *rig)
{
    for (size_t i = 0; i < RIG_NETS; i++) {
        if (rig->nets[i].net != NULL) {
            rig_net_stop(rig, i);
        }
    }
    QKD_ASSERT(uv_run(&rig->loop, UV_RUN_DEFAULT) == 0);
    QKD_ASSERT(uv_loop_close(&rig->loop) == 0);
}

/* ---- time ---- */

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

bool rig_until(struct rig *rig, bool (*done)(void *ctx), void *ctx, unsigned ms)
{
    uv_timer_t timer;
    bool late = false;
    bool good = done != NULL && done(ctx);
    QKD_ASSERT(uv_timer_init(&rig->loop, &timer) == 0);
    timer.data = &late;
    uv_update_time(&rig->loop);
    QKD_ASSERT(uv_timer_start(&timer, on_time, ms, 0) == 0);
    while (!good && !late) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
        good = done != NULL && done(ctx);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&rig->loop, UV_RUN_NOWAIT);
    return good;
}

void rig_for(struct rig *rig, unsigned ms)
{
    (void)rig_until(rig, NULL, NULL, ms);
}

/* ---- a client by itself ---- */

void rig_client_init(struct rig *rig, struct rig_client *client, size_t to)
{
    struct emu_address address;
    struct sockaddr_storage at;
    *client = (struct rig_client){0};
    QKD_ASSERT(emu_address_parse(rig->nets[to].address, &address, NULL) == QKD_OK);
    QKD_ASSERT(emu_address_numeric(&address, &at));
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    QKD_ASSERT(client->fd >= 0);
    QKD_ASSERT(connect(client->fd, (const struct sockaddr *)&at, 16) == 0); /* into the backlog */
    QKD_ASSERT(fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0);
}

void rig_client_tls(struct rig_client *client, const char *who, int version)
{
    char certificate[128], key[128];
    client->ctx = SSL_CTX_new(TLS_client_method());
    QKD_ASSERT(client->ctx != NULL);
    SSL_CTX_set_max_proto_version(client->ctx, version);
    if (who != NULL) {
        snprintf(certificate, sizeof certificate, "%s/%s.crt", rig_folder(), who);
        snprintf(key, sizeof key, "%s/%s.key", rig_folder(), who);
        QKD_ASSERT(SSL_CTX_use_certificate_file(client->ctx, certificate, SSL_FILETYPE_PEM) == 1);
        QKD_ASSERT(SSL_CTX_use_PrivateKey_file(client->ctx, key, SSL_FILETYPE_PEM) == 1);
    }
    client->ssl = SSL_new(client->ctx);
    QKD_ASSERT(client->ssl != NULL && SSL_set_fd(client->ssl, client->fd) == 1);
}

static bool would_block(const struct rig_client *client, int result)
{
    int kind = client->ssl == NULL ? SSL_ERROR_SYSCALL : SSL_get_error(client->ssl, result);
    return client->ssl == NULL ? result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
                               : kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
}

void rig_client_turn(struct rig_client *client)
{
    char bytes[4096];
    int n = 1;
    if (client->ssl != NULL && !client->up && !client->over) {
        n = SSL_connect(client->ssl);
        client->up = n == 1;
    } else if (!client->over) {
        n = client->ssl != NULL ? SSL_read(client->ssl, bytes, sizeof bytes)
                                : (int)recv(client->fd, bytes, sizeof bytes, 0);
    }
    client->over = client->over || (n <= 0 && !would_block(client, n));
}

void rig_client_fini(struct rig_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    (void)close(client->fd);
}
