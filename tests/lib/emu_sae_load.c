/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients as state machines on OpenSSL: a connection either waits for a whole answer or has none to wait for. */
#include "tests/lib/emu_sae_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "core/base/err.h"

enum { ANSWER_SIZE = 32768, REQUEST_SIZE = 8192, EVENTS = 64 };

struct end {
    struct client *client;
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    size_t len;
    char answer[ANSWER_SIZE];
};

struct client {
    struct end master, slave;
    bool fetching;
    double since_ms, begun_ms;
    bool resting; /* until begun_ms + every_ms */
    char enc_path[160], dec_path[160];
    size_t keys_len; /* of the master's body, kept until the slave's is there */
    char keys[ANSWER_SIZE];
};

struct times {
    double *ms;
    size_t count, cap;
};

struct sae_load {
    struct sae_load_config config;
    struct client *clients;
    struct times enc, dec;
    struct sae_load_figures figures;
    int epoll;
    bool failed;
};

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static bool fail(struct sae_load *load, const char *what)
{
    (void)fprintf(stderr, "SAE: %s\n", what);
    load->failed = true;
    return false;
}

/* ---- connections ---- */

static SSL_CTX *context_of(const struct sae_load_config *config, const char *sae)
{
    char ca[256], certificate[256], key[256];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    QKD_ASSERT(ctx != NULL);
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", config->pki);
    (void)snprintf(certificate, sizeof certificate, "%s/sae.%s.crt", config->pki, sae);
    (void)snprintf(key, sizeof key, "%s/sae.%s.key", config->pki, sae);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1 ||
        SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        (void)fprintf(stderr, "SAE: no certificate for %s\n", sae);
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static bool end_open(struct sae_load *load, struct end *end, const char *kme, const char *sae)
{
    const char *port = strrchr(kme, ':');
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    end->ctx = context_of(&load->config, sae);
    end->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end->ctx == NULL || connect(end->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        return fail(load, "cannot connect");
    }
    (void)setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    end->ssl = SSL_new(end->ctx);
    QKD_ASSERT(end->ssl != NULL && SSL_set_fd(end->ssl, end->fd) == 1);
    if (SSL_connect(end->ssl) != 1) {
        return fail(load, "no TLS 1.3 handshake");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    QKD_ASSERT(fcntl(end->fd, F_SETFL, O_NONBLOCK) == 0);
    QKD_ASSERT(epoll_ctl(load->epoll, EPOLL_CTL_ADD, end->fd, &event) == 0);
    return true;
}

static bool client_open(struct sae_load *load, unsigned number)
{
    const struct sae_load_config *config = &load->config;
    struct client *client = &load->clients[number];
    char master[64], slave[64];
    (void)snprintf(master, sizeof master, "%s%u.%s", config->prefix, number, config->master_site);
    (void)snprintf(slave, sizeof slave, "%s%u.%s", config->prefix, number, config->slave_site);
    (void)snprintf(client->enc_path, sizeof client->enc_path, "/api/v1/keys/%s/enc_keys?number=%u",
                   slave, config->number);
    (void)snprintf(client->dec_path, sizeof client->dec_path, "/api/v1/keys/%s/dec_keys", master);
    client->master.client = client->slave.client = client;
    return end_open(load, &client->master, config->master_kme, master) &&
           end_open(load, &client->slave, config->slave_kme, slave);
}

struct sae_load *sae_load_open(const struct sae_load_config *config)
{
    struct sae_load *load = calloc(1, sizeof *load);
    QKD_ASSERT(load != NULL);
    load->config = *config;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(config->clients, sizeof *load->clients);
    QKD_ASSERT(load->epoll >= 0 && load->clients != NULL);
    for (unsigned i = 0; i < config->clients; i++) {
        load->clients[i].master.fd = load->clients[i].slave.fd = -1;
    }
    for (unsigned i = 0; i < config->clients && !load->failed; i++) {
        (void)client_open(load, i);
    }
    if (load->failed) {
        sae_load_close(load);
        return NULL;
    }
    return load;
}

static void end_close(struct end *end)
{
    SSL_free(end->ssl);
    SSL_CTX_free(end->ctx);
    if (end->fd >= 0) {
        (void)close(end->fd);
    }
}

void sae_load_close(struct sae_load *load)
{
    for (unsigned i = 0; i < load->config.clients; i++) {
        end_close(&load->clients[i].master);
        end_close(&load->clients[i].slave);
    }
    (void)close(load->epoll);
    free(load->clients);
    free(load->enc.ms);
    free(load->dec.ms);
    free(load);
}

/* ---- requests ---- */

static void send_text(struct sae_load *load, struct end *end, const char *text, size_t len)
{
    end->len = 0;
    if (SSL_write(end->ssl, text, (int)len) != (int)len) { /* a few KiB: there is room */
        (void)fail(load, "a request was not taken");
    }
}

static void enc_ask(struct sae_load *load, struct client *client)
{
    char text[REQUEST_SIZE];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: kme\r\n\r\n", client->enc_path);
    client->fetching = false;
    client->resting = false;
    client->since_ms = client->begun_ms = now_ms();
    send_text(load, &client->master, text, (size_t)len);
}

/* Asks for each key of the master's answer, by GET for one and by POST for more. */
static void dec_ask(struct sae_load *load, struct client *client)
{
    static const char id_mark[] = "\"key_ID\":\"";
    char body[REQUEST_SIZE], text[REQUEST_SIZE + 512];
    size_t len = 0;
    unsigned count = 0;
    int all = 0;
    for (const char *at = client->keys; (at = strstr(at, id_mark)) != NULL; count++) {
        at += sizeof id_mark - 1;
        if (count == 0) {
            all = snprintf(text, sizeof text, "GET %s?key_ID=%.36s HTTP/1.1\r\nHost: kme\r\n\r\n",
                           client->dec_path, at);
        }
        len += (size_t)snprintf(body + len, sizeof body - len, "%s{\"key_ID\":\"%.36s\"}",
                                count == 0 ? "{\"key_IDs\":[" : ",", at);
    }
    if (count != load->config.number) {
        (void)fail(load, "another number of keys than asked for");
        return;
    }
    if (count > 1) {
        all = snprintf(text, sizeof text,
                       "POST %s HTTP/1.1\r\nHost: kme\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s]}",
                       client->dec_path, len + 2, body);
    }
    client->fetching = true;
    client->since_ms = now_ms();
    send_text(load, &client->slave, text, (size_t)all);
}

/* ---- answers ---- */

static void note(struct times *times, double ms)
{
    if (times->count == times->cap) {
        times->cap = times->cap == 0 ? 1024 : 2 * times->cap;
        times->ms = realloc(times->ms, times->cap * sizeof *times->ms);
        QKD_ASSERT(times->ms != NULL);
    }
    times->ms[times->count++] = ms;
}

/* The body of a whole answer, zero-terminated; NULL: it is not whole yet. */
static const char *body_of(struct end *end, size_t *len)
{
    static const char length[] = "\r\nContent-Length: ";
    end->answer[end->len] = '\0';
    const char *head_end = strstr(end->answer, "\r\n\r\n");
    const char *at = head_end == NULL ? NULL : strstr(end->answer, length);
    if (at == NULL || at > head_end) {
        return NULL;
    }
    *len = strtoul(at + sizeof length - 1, NULL, 10);
    return end->len >= (size_t)(head_end + 4 - end->answer) + *len ? head_end + 4 : NULL;
}

static void answered(struct sae_load *load, struct end *end, const char *body, size_t len)
{
    struct client *client = end->client;
    if (strncmp(end->answer, "HTTP/1.1 200 ", 13) != 0) {
        if (load->figures.refused++ < 3) {
            (void)fprintf(stderr, "SAE: %.12s %.200s\n", end->answer, body);
        }
        client->resting = true;
        return;
    }
    note(client->fetching ? &load->dec : &load->enc, now_ms() - client->since_ms);
    if (!client->fetching) {
        memcpy(client->keys, body, len + 1);
        client->keys_len = len;
        dec_ask(load, client);
        return;
    }
    if (len != client->keys_len || memcmp(client->keys, body, len) != 0) {
        (void)fail(load, "master and slave got different keys");
        return;
    }
    load->figures.requests++;
    load->figures.keys += load->config.number;
    client->resting = true;
}

/* Begins anew with who has rested. */
static void begin_due(struct sae_load *load)
{
    double now = now_ms();
    for (unsigned i = 0; i < load->config.clients && !load->failed; i++) {
        struct client *client = &load->clients[i];
        if (client->resting && now - client->begun_ms >= load->config.every_ms) {
            enc_ask(load, client);
        }
    }
}

static void end_read(struct sae_load *load, struct end *end)
{
    int got;
    size_t len = 0;
    do {
        got = SSL_read(end->ssl, end->answer + end->len, (int)(sizeof end->answer - 1 - end->len));
        end->len += got > 0 ? (size_t)got : 0;
    } while (got > 0 && end->len < sizeof end->answer - 1);
    if (got <= 0 && SSL_get_error(end->ssl, got) != SSL_ERROR_WANT_READ) {
        (void)fail(load, "a connection broke");
        return;
    }
    const char *body = body_of(end, &len);
    if (body != NULL) {
        answered(load, end, body, len);
    }
}

/* ---- a stretch of time ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile(struct times *times, double q)
{
    if (times->count == 0) {
        return 0;
    }
    qsort(times->ms, times->count, sizeof *times->ms, compare);
    return times->ms[(size_t)(q * (double)(times->count - 1) + 0.5)];
}

bool sae_load_run(struct sae_load *load, double seconds, struct sae_load_figures *figures)
{
    struct epoll_event events[EVENTS];
    double start = now_ms();
    load->figures = (struct sae_load_figures){0};
    load->enc.count = load->dec.count = 0;
    for (unsigned i = 0; i < load->config.clients; i++) {
        if (load->clients[i].since_ms == 0) { /* the first stretch */
            enc_ask(load, &load->clients[i]);
        }
    }
    while (!load->failed && now_ms() - start < seconds * 1e3) {
        int count = epoll_wait(load->epoll, events, EVENTS, load->config.every_ms > 0 ? 1 : 20);
        for (int i = 0; i < count && !load->failed; i++) {
            end_read(load, events[i].data.ptr);
        }
        begin_due(load);
    }
    *figures = load->figures;
    figures->seconds = (now_ms() - start) * 1e-3;
    figures->enc_p50_ms = quantile(&load->enc, 0.5);
    figures->enc_p99_ms = quantile(&load->enc, 0.99);
    figures->dec_p50_ms = quantile(&load->dec, 0.5);
    figures->dec_p99_ms = quantile(&load->dec, 0.99);
    return !load->failed;
}
