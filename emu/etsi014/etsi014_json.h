/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ETSI GS QKD 014 V1.1.1 (2019-02) without the network: what a URL and a body ask for (clauses 5, 6), and the
 * bodies that answer. Liberal in what is read: unknown members, empty lists, null and an empty body are as if
 * they were not there. Strict in what is written: compact JSON, integers, padded base64 (RFC 4648), lower-case
 * UUIDs. Multicast and extensions that a KME must obey are refused as the standard says. */
#ifndef EMU_ETSI014_JSON_H
#define EMU_ETSI014_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"

#define EMU_E14_IDS_MOST 128 /* keys of one request; more are refused */
#define EMU_E14_SAE_SIZE                                                                           \
    193 /* bytes of an SAE ID with its final zero: 64 characters of at most 3 */
#define EMU_E14_TEXT_SIZE 256 /* of a message, with its final zero */

#define EMU_E14_SLAVES_MOST 15
#define EMU_E14_TEXT_NOT_FOUND "one or more keys specified are not found on KME"
#define EMU_E14_TEXT_MULTIPLE "size shall be a multiple of 8"
#define EMU_E14_TEXT_MANDATORY "not all extension_mandatory parameters are supported"
#define EMU_E14_TEXT_SHORT "insufficient key material"

enum emu_e14_method { EMU_E14_STATUS, EMU_E14_ENC_KEYS, EMU_E14_DEC_KEYS, EMU_E14_METHODS };

/* What a request line asks for. */
struct emu_e14_target {
    enum emu_e14_method method;
    char sae[EMU_E14_SAE_SIZE]; /* the SAE ID of the path, decoded */
    const char *query;          /* what follows '?', as it came; "" if nothing does */
};

/* What a KME allows (Table 9). */
struct emu_e14_limits {
    uint32_t key_size; /* bits, of a request that names no size; 0: the backend chooses */
    uint32_t min_key_size, max_key_size; /* bits */
    uint32_t max_key_per_request;        /* at most EMU_E14_IDS_MOST */
    uint32_t max_key_count;
    uint32_t max_sae_id_count; /* further slaves, at most EMU_E14_SLAVES_MOST */
};

/* Get key (Table 10), with its defaults filled in. */
struct emu_e14_enc {
    uint32_t number;
    uint32_t size; /* bits; 0: the backend's default */
    uint32_t slave_count;
    char slaves[EMU_E14_SLAVES_MOST][EMU_E14_SAE_SIZE]; /* additional_slave_SAE_IDs */
};

/* Get key with key IDs (Table 12). */
struct emu_e14_dec {
    uint32_t count;
    struct qkd_id ids[EMU_E14_IDS_MOST];
};

/* An error answer (Table 13): the code, the message, and a detail if name is not "". */
struct emu_e14_error {
    int code; /* 400, 401, 404, 405, 503 */
    char message[EMU_E14_TEXT_SIZE];
    char name[64];
    char value[EMU_E14_TEXT_SIZE];
};

/* Status (Table 9); the names are UTF-8. */
struct emu_e14_status {
    const char *source_kme, *target_kme, *master_sae, *slave_sae; /* else: no text is written */
    uint32_t key_size, stored_key_count, max_key_count, max_key_per_request;
    uint32_t max_key_size, min_key_size, max_sae_id_count;
};

/* Keys to be handed over: count IDs, sizes in bits, and the keys one after the other. */
struct emu_e14_keys {
    uint32_t count;
    const struct qkd_id *ids;
    const uint32_t *sizes_bits;
    const uint8_t *keys;
};

/* Readers: true, or false and the error. */

/* The request target (RFC 9112 clause 3.2.1) as it came, and the HTTP method: 404 for another path, 405 for a
 * method that the path has not, 400 for an SAE ID that cannot be one. */
bool emu_e14_target_read(const char *uri, const char *http_method, struct emu_e14_target *target,
                         struct emu_e14_error *error);

/* The form of each method without a body (GET): the query of the target. */
bool emu_e14_enc_query(const char *query, const struct emu_e14_limits *limits,
                       struct emu_e14_enc *enc, struct emu_e14_error *error);
bool emu_e14_dec_query(const char *query, struct emu_e14_dec *dec, struct emu_e14_error *error);

/* The form with a body (POST); len 0: none. */
bool emu_e14_enc_body(const char *body, size_t len, const struct emu_e14_limits *limits,
                      struct emu_e14_enc *enc, struct emu_e14_error *error);
bool emu_e14_dec_body(const char *body, size_t len, uint32_t most, struct emu_e14_dec *dec,
                      struct emu_e14_error *error);

/* Writers: malloc'd text of *len bytes without a final zero, or NULL if memory ended. That of keys holds
 * key material: wipe it. */
char *emu_e14_keys_write(const struct emu_e14_keys *keys, size_t *len);
char *emu_e14_status_write(const struct emu_e14_status *status, size_t *len);
char *emu_e14_error_write(const struct emu_e14_error *error, size_t *len);

#endif
