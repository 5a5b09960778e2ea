/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many SAEs at once against two KMEs, over HTTP/1.1 with TLS 1.3, client certificates and keep-alive: each
 * client is a master at one KME and a slave at the other. It gets keys, has the slave fetch them by their
 * IDs, compares both answers byte for byte, and begins anew at once. One thread, one epoll. */
#ifndef QKD_TESTS_EMU_SAE_LOAD_H
#define QKD_TESTS_EMU_SAE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sae_load;

/* Whose certificates: files PKI/sae.NAME.crt and .key, PKI/ca.crt. */
struct sae_load_config {
    const char *pki;
    const char *master_kme, *slave_kme; /* "127.0.0.1:PORT" */
    /* SAE IDs of client number i: PREFIX i . SITE, such as "app7.A". */
    const char *prefix, *master_site, *slave_site;
    unsigned clients;
    unsigned number;   /* keys per request */
    unsigned every_ms; /* a client begins anew so long after it began; 0: at once */
};

/* Opens all connections. NULL, and a line on stderr, if that fails. */
struct sae_load *sae_load_open(const struct sae_load_config *config);

/* What happened in a stretch of time. */
struct sae_load_figures {
    double seconds;
    uint64_t requests, keys; /* got and fetched, equal at both ends */
    uint64_t refused;        /* answers other than 200 */
    double enc_p50_ms, enc_p99_ms, dec_p50_ms, dec_p99_ms;
};

/* Goes on for so long. False, and a line on stderr, if a connection breaks or keys differ; a refused
 * request is asked again. */
bool sae_load_run(struct sae_load *load, double seconds, struct sae_load_figures *figures);

void sae_load_close(struct sae_load *load);

#endif
