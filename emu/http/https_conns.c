/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of the HTTP server (emu/http/https.h): whom a certificate names, who is let in, who gives way to others,
 * and who is cut off. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/http/https_state.h"

/* Whether TLS is agreed. The library does not say; of channel bindings (RFC 5929), which we have no use for,
 * GnuTLS does: there is none before the handshake is done. */
static bool is_shaken(struct emu_https_conn *conn)
{
    if (!conn->shaken) {
        gnutls_datum_t binding = {0};
        conn->shaken = conn->tls == NULL ||
                       gnutls_session_channel_binding(conn->tls, GNUTLS_CB_TLS_SERVER_END_POINT,
                                                      &binding) !=
                           GNUTLS_E_CHANNEL_BINDING_NOT_AVAILABLE;
        gnutls_free(binding.data);
    }
    return conn->shaken;
}

/* Whom the certificate of a finished handshake names: one of the authority, in its time, for clients; else
 * nobody. The handshake asks for a certificate and does not look at it: who has none that is good gets an answer
 * to each request, 401, not a broken connection (ETSI GS QKD 014, Tables 4, 6, 8). */
static void peer_look(struct emu_https_conn *conn)
{
    static const char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st want = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                  .data = (unsigned char *)(uintptr_t)purpose};
    unsigned status = 1;
    unsigned count = 0;
    conn->looked = true;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(conn->tls, &count);
    if (der == NULL || count == 0 ||
        gnutls_certificate_verify_peers(conn->tls, &want, 1, &status) != GNUTLS_E_SUCCESS ||
        status != 0 ||
        emu_identity_get_der(der[0].data, der[0].size, conn->https->config.identity, conn->peer) !=
            QKD_OK) {
        conn->peer[0] = '\0';
    }
}

/* The oldest of a client's other connections on which nothing is under way is closed. */
static void oldest_close(const struct emu_https_conn *conn)
{
    struct emu_https_conn *oldest = NULL;
    for (struct emu_https_conn *other = conn->next; other != NULL; other = other->next) {
        oldest = other->client == conn->client && !other->waiting && !other->cut ? other : oldest;
    }
    if (oldest != NULL) {
        oldest->cut = true;
        (void)shutdown(oldest->fd, SHUT_RDWR);
    } else {
        (void)shutdown(conn->fd, SHUT_RDWR);
    }
    conn->https->refused++;
}

/* Joins a connection with the others of the same name. Without memory it is nobody's. */
static void client_join(struct emu_https_conn *conn)
{
    struct emu_https *https = conn->https;
    struct emu_https_client *client = https->clients;
    while (client != NULL && strcmp(client->name, conn->peer) != 0) {
        client = client->next;
    }
    if (client == NULL) {
        client = calloc(1, sizeof *client);
        if (client == NULL) {
            conn->peer[0] = '\0';
            return;
        }
        memcpy(client->name, conn->peer, sizeof client->name);
        client->next = https->clients;
        https->clients = client;
    }
    conn->client = client;
    if (++client->conns > https->config.per_client_most) {
        oldest_close(conn);
    }
}

static void client_leave(struct emu_https_conn *conn)
{
    struct emu_https_client *client = conn->client;
    if (client == NULL || --client->conns > 0) {
        return;
    }
    struct emu_https_client **at = &conn->https->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    free(client);
}

bool emu_https_is_somebody(struct emu_https_conn *conn)
{
    if (conn->tls == NULL) {
        return true;
    }
    if (!is_shaken(conn)) {
        return false;
    }
    if (!conn->looked) {
        peer_look(conn);
        if (conn->peer[0] != '\0') {
            client_join(conn);
        }
    }
    return conn->peer[0] != '\0';
}

/* Whether a connection from there may come in. When all places are taken, the oldest of those who are nobody, in
 * the handshake or behind it, goes: silence must not keep out who has a certificate. */
enum MHD_Result emu_https_on_accept(void *cls, const struct sockaddr *from, socklen_t len)
{
    struct emu_https *https = cls;
    struct emu_https_conn *oldest = NULL;
    unsigned of_host = 0;
    unsigned places = 0;
    struct sockaddr_storage host = {0};
    memcpy(&host, from, len < sizeof host ? len : sizeof host);
    for (struct emu_https_conn *conn = https->conns; conn != NULL; conn = conn->next) {
        if (!conn->cut) {
            places++;
            of_host += emu_same_host(&conn->from, &host);
            oldest = emu_https_is_somebody(conn) ? oldest : conn;
        }
    }
    bool full = places >= https->config.connections_most;
    if (of_host >= https->config.per_address_most || (full && oldest == NULL)) {
        https->refused++;
        return MHD_NO;
    }
    if (full) {
        https->refused++;
        oldest->cut = true;
        (void)shutdown(oldest->fd, SHUT_RDWR);
    }
    return MHD_YES;
}

static void conn_open(struct emu_https *https, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct emu_https_conn *conn = calloc(1, sizeof *conn);
    gnutls_session_t session = NULL;
    *context = conn;
    if (https->config.certificate != NULL) {
        const union MHD_ConnectionInfo *tls =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (tls != NULL && tls->tls_session != NULL) {
            session = tls->tls_session;
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        }
    }
    if (conn == NULL || fd == NULL) {
        return; /* its requests are refused */
    }
    conn->https = https;
    conn->fd = fd->connect_fd;
    conn->tls = session;
    if (from != NULL && from->client_addr != NULL) {
        memcpy(&conn->from, from->client_addr,
               from->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                        : sizeof(struct sockaddr_in));
    }
    conn->since_ms = uv_now(https->config.loop);
    conn->next = https->conns;
    if (conn->next != NULL) {
        conn->next->prev = conn;
    }
    https->conns = conn;
    https->conn_count++;
}

static void conn_close(struct emu_https *https, struct emu_https_conn *conn)
{
    if (conn == NULL || conn->https == NULL) {
        free(conn);
        return;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    *(conn->prev != NULL ? &conn->prev->next : &https->conns) = conn->next;
    https->conn_count--;
    client_leave(conn);
    free(conn);
}

void emu_https_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_open(cls, connection, context);
    } else {
        conn_close(cls, *context);
        *context = NULL;
    }
}

void emu_https_conns_sweep(struct emu_https *https, uint64_t now_ms)
{
    for (struct emu_https_conn *conn = https->conns; conn != NULL; conn = conn->next) {
        uint64_t most_s = emu_https_is_somebody(conn) ? https->config.idle_s
                                                      : https->config.handshake_s;
        if (!conn->waiting && now_ms - conn->since_ms > 1000 * most_s) {
            (void)shutdown(conn->fd, SHUT_RDWR);
        }
    }
}
