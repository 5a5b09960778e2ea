/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS 1.3 over bytes in memory. OpenSSL reads from where the caller's bytes are and writes into our
 * queue through a BIO of our own: its memory BIO would copy both once more and wipe its whole buffer at
 * each turn. */
#include "emu/net/tls.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/base/err.h"
#include "emu/base/bytes.h"
#include "emu/base/file.h"

/* RFC 8446, 5.5: at most 2^24.5 full records under one key of AES-GCM; we change it long before. */
#define RECORDS_PER_KEY (UINT32_C(1) << 20)
#define RECORD_MAX 16384
#define KEY_MOST (1U << 20) /* bytes of a private key's file */

struct emu_tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *method;
    char name[EMU_IDENTITY_SIZE];
};

struct emu_tls {
    SSL *ssl;
    const uint8_t *in; /* what was fed and is not used up */
    size_t in_len;
    struct emu_bytes out;
    uint32_t records; /* under the present key */
    bool out_failed;  /* no memory for what is to be sent */
    char error[160];
};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *done)
{
    struct emu_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *done = size < tls->in_len ? size : tls->in_len;
    memcpy(bytes, tls->in, *done);
    tls->in += *done;
    tls->in_len -= *done;
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *done)
{
    struct emu_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (emu_bytes_reserve(&tls->out, len) != QKD_OK) {
        tls->out_failed = true;
        return 0;
    }
    memcpy(tls->out.at + tls->out.tail, bytes, len);
    tls->out.tail += len;
    *done = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int what, long number, void *at)
{
    (void)bio;
    (void)number;
    (void)at;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "qkdn");
    if (method != NULL && (BIO_meth_set_read_ex(method, bio_read) != 1 ||
                           BIO_meth_set_write_ex(method, bio_write) != 1 ||
                           BIO_meth_set_ctrl(method, bio_ctrl) != 1 ||
                           BIO_meth_set_create(method, bio_create) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

/* ---- the context ---- */

static int no_password(char *buffer, int size, int writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static int file_failed(struct emu_why *why, const char *path, const char *expected)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    (void)emu_fail(why, QKD_ERR_INVALID, "%s: %s: expected %s", path,
                   reason == NULL ? "not usable" : reason, expected);
    ERR_clear_error();
    return QKD_ERR_INVALID;
}

/* Out of memory that is wiped, and only from a file that is closed to others. */
static int key_load(SSL_CTX *ctx, const char *path, struct emu_why *why)
{
    const struct emu_file_rule rule = {"a private key", KEY_MOST};
    struct emu_file file;
    int err = emu_file_read(path, &rule, &file, why);
    if (err != QKD_OK) {
        return err == QKD_ERR_UNKNOWN ? QKD_ERR_INVALID : err; /* none there: as the other files */
    }
    BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    bool good = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
                SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    emu_file_wipe(&file);
    return good ? QKD_OK : file_failed(why, path, "the certificate's key, PEM, without a password");
}

static int files_load(struct emu_tls_context *context, const struct emu_tls_files *files,
                      struct emu_why *why)
{
    SSL_CTX *ctx = context->ctx;
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx, files->ca) != 1) {
        return file_failed(why, files->ca, "the CA's certificate, PEM");
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1) {
        return file_failed(why, files->certificate, "a certificate, PEM");
    }
    int err = key_load(ctx, files->key, why);
    if (err != QKD_OK) {
        return err;
    }
    if (files->attacks) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return QKD_OK;
    }
    if (emu_identity_get(SSL_CTX_get0_certificate(ctx), &emu_identity_daemon, context->name) !=
        QKD_OK) {
        return emu_fail(why, QKD_ERR_INVALID,
                        "%s: names no daemon: expected one URI urn:qkdn:daemon:NAME",
                        files->certificate);
    }
    return QKD_OK;
}

static int settings_make(SSL_CTX *ctx)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(ctx,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
                   SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1
               ? QKD_OK
               : QKD_ERR_CRYPTO;
}

int emu_tls_context_new(const struct emu_tls_files *files, struct emu_tls_context **out,
                        struct emu_why *why)
{
    struct emu_tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory for TLS");
    }
    context->ctx = SSL_CTX_new(TLS_method());
    context->method = method_new();
    int err = context->ctx == NULL || context->method == NULL ? QKD_ERR_NOMEM
                                                              : settings_make(context->ctx);
    if (err != QKD_OK) {
        (void)emu_fail(why, err, "TLS 1.3 with AES-256-GCM cannot be set up: %s",
                       qkd_err_text(err));
    } else {
        err = files_load(context, files, why);
    }
    if (err != QKD_OK) {
        emu_tls_context_free(context);
        return err;
    }
    *out = context;
    return QKD_OK;
}

void emu_tls_context_free(struct emu_tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ctx);
        BIO_meth_free(context->method);
        free(context);
    }
}

const char *emu_tls_context_name(const struct emu_tls_context *context)
{
    return context->name;
}

/* ---- sessions ---- */

struct emu_tls *emu_tls_new(const struct emu_tls_context *context, bool is_server)
{
    struct emu_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return NULL;
    }
    tls->ssl = SSL_new(context->ctx);
    BIO *bio = BIO_new(context->method);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        emu_tls_free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    if (is_server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
    }
    return tls;
}

void emu_tls_free(struct emu_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        emu_bytes_fini(&tls->out);
        free(tls);
    }
}

void emu_tls_feed(struct emu_tls *tls, const uint8_t *bytes, size_t len)
{
    QKD_ASSERT(tls->in_len == 0);
    tls->in = bytes;
    tls->in_len = len;
}

/* Alerts by which a peer says that it does not like certificates. */
static bool is_about_certificates(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
            reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
            reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
            reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
            reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
            reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE ||
            reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
}

static int ssl_failed(struct emu_tls *tls, int result)
{
    int kind = SSL_get_error(tls->ssl, result);
    if (kind == SSL_ERROR_WANT_READ) {
        return QKD_ERR_AGAIN;
    }
    unsigned long error = ERR_peek_error();
    long verified = SSL_get_verify_result(tls->ssl);
    const char *text = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                             : ERR_reason_error_string(error);
    snprintf(tls->error, sizeof tls->error, "%s", text == NULL ? "closed" : text);
    ERR_clear_error();
    tls->in_len = 0;
    if (tls->out_failed) {
        return QKD_ERR_NOMEM;
    }
    if (kind == SSL_ERROR_ZERO_RETURN) {
        return QKD_ERR_STATE;
    }
    return verified != X509_V_OK || is_about_certificates(error) ? QKD_ERR_AUTH : QKD_ERR_FORMAT;
}

int emu_tls_read(struct emu_tls *tls, uint8_t *bytes, size_t size)
{
    ERR_clear_error();
    int n = SSL_read(tls->ssl, bytes, size > INT_MAX ? INT_MAX : (int)size);
    return n > 0 ? n : ssl_failed(tls, n);
}

bool emu_tls_ready(const struct emu_tls *tls)
{
    return SSL_is_init_finished(tls->ssl) == 1;
}

int emu_tls_peer_name(const struct emu_tls *tls, char name[EMU_IDENTITY_SIZE])
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    return certificate == NULL ? QKD_ERR_DENIED
                               : emu_identity_get(certificate, &emu_identity_daemon, name);
}

int emu_tls_write(struct emu_tls *tls, const uint8_t *bytes, size_t len)
{
    ERR_clear_error();
    while (len > 0) {
        if (tls->records++ == RECORDS_PER_KEY) {
            tls->records = 0;
            (void)SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        }
        int n = SSL_write(tls->ssl, bytes, len > RECORD_MAX ? RECORD_MAX : (int)len);
        if (n <= 0) {
            int err = ssl_failed(tls, n);
            return err == QKD_ERR_NOMEM ? err : QKD_ERR_CRYPTO;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return QKD_OK;
}

void emu_tls_close(struct emu_tls *tls)
{
    ERR_clear_error();
    if (emu_tls_ready(tls)) {
        (void)SSL_shutdown(tls->ssl);
    }
    ERR_clear_error();
}

bool emu_tls_has_out(const struct emu_tls *tls)
{
    return tls->out.tail > tls->out.head;
}

void emu_tls_take_out(struct emu_tls *tls, struct emu_bytes *empty)
{
    QKD_ASSERT(empty->tail == empty->head);
    struct emu_bytes out = tls->out;
    tls->out = *empty;
    *empty = out;
}

const char *emu_tls_error(const struct emu_tls *tls)
{
    return tls->error;
}
