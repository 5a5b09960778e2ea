/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records with a measure off, for experiments alone (base/measure.h): without encryption the text
 * travels as it is, under a tag that covers it (GMAC); without authentication the tag is not looked at, so
 * that who flips a bit of a record flips that bit of the message. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/channel/state.h"

/* The tag over header and clear text: AES-256-GCM of nothing, with both as associated data. */
static int clear_tag(const uint8_t key[32], const uint8_t nonce[12],
                     const struct crypto_gcm_text *text, size_t len,
                     uint8_t tag[CRYPTO_GCM_TAG_LEN])
{
    size_t total = text->aad_len + len;
    uint8_t *both = malloc(total > 0 ? total : 1);
    if (both == NULL) {
        return QKD_ERR_NOMEM;
    }
    memcpy(both, text->aad, text->aad_len);
    if (len > 0) {
        memcpy(both + text->aad_len, text->from, len);
    }
    struct crypto_gcm_text covered = {both, total, both, 0};
    int err = crypto_gcm_seal(key, nonce, &covered, tag);
    crypto_wipe(both, total);
    free(both);
    return err;
}

int chan_weak_seal(const struct chan_set *set, const uint8_t key[32], const uint8_t nonce[12],
                   const struct crypto_gcm_text *text, uint8_t *to)
{
    if (!chan_is_off(set, QKD_MEASURE_RECORD_ENCRYPTION)) {
        return crypto_gcm_seal(key, nonce, text, to);
    }
    if (text->len > 0) {
        memcpy(to, text->from, text->len);
    }
    return clear_tag(key, nonce, text, text->len, to + text->len);
}

int chan_weak_open(const struct chan_set *set, const uint8_t key[32], const uint8_t nonce[12],
                   const struct crypto_gcm_text *text, uint8_t *to)
{
    bool blind = chan_is_off(set, QKD_MEASURE_RECORD_AUTHENTICATION);
    if (text->len < CRYPTO_GCM_TAG_LEN) {
        return QKD_ERR_AUTH;
    }
    if (!chan_is_off(set, QKD_MEASURE_RECORD_ENCRYPTION)) {
        return blind ? crypto_gcm_peel(key, nonce, text, to)
                     : crypto_gcm_open(key, nonce, text, to);
    }
    size_t len = text->len - CRYPTO_GCM_TAG_LEN;
    uint8_t tag[CRYPTO_GCM_TAG_LEN];
    int err = clear_tag(key, nonce, text, len, tag);
    if (err == QKD_OK && !blind && !crypto_equal(tag, text->from + len, sizeof tag)) {
        err = QKD_ERR_AUTH;
    }
    if (err == QKD_OK && len > 0) {
        memcpy(to, text->from, len);
    }
    return err;
}
