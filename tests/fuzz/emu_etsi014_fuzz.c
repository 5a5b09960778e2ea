/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a request of ETSI GS QKD 014: as the body of each method, as the request target, as a query.
 * Properties: what is read lies inside the limits; what is refused has a code of the standard or 404 or 405,
 * and an answer that is JSON; the answer to what was read has as many keys as were asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/base/err.h"
#include "emu/etsi014/etsi014_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct emu_e14_limits limits = {.key_size = 256,
                                             .min_key_size = 64,
                                             .max_key_size = 1024,
                                             .max_key_per_request = 16,
                                             .max_key_count = 100};

static void check_json(char *text, size_t len, const char *member)
{
    QKD_ASSERT(text != NULL);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    QKD_ASSERT(root != NULL && json_object_get(root, member) != NULL);
    json_decref(root);
    free(text);
}

static void check_error(const struct emu_e14_error *error)
{
    size_t len = 0;
    QKD_ASSERT(error->code == 400 || error->code == 404 || error->code == 405);
    QKD_ASSERT(error->message[0] != '\0');
    /* A name cut inside a character is no UTF-8 and would not print: it must not happen. */
    char *text = emu_e14_error_write(error, &len);
    check_json(text, len, "message");
}

static void check_enc(bool good, const struct emu_e14_enc *enc, const struct emu_e14_error *error)
{
    static const uint8_t keys[16 * 1024 / 8];
    static const struct qkd_id ids[16];
    uint32_t sizes[16];
    size_t len = 0;
    if (!good) {
        check_error(error);
        return;
    }
    QKD_ASSERT(enc->number >= 1 && enc->number <= 16 && enc->size >= 64 && enc->size <= 1024 &&
               enc->size % 8 == 0);
    for (uint32_t i = 0; i < 16; i++) {
        sizes[i] = enc->size;
    }
    struct emu_e14_keys all = {enc->number, ids, sizes, keys};
    char *text = emu_e14_keys_write(&all, &len);
    check_json(text, len, "keys");
}

static void check_dec(bool good, const struct emu_e14_dec *dec, const struct emu_e14_error *error)
{
    if (good) {
        QKD_ASSERT(dec->count >= 1 && dec->count <= 16);
    } else {
        check_error(error);
    }
}

static void check_target(const char *uri)
{
    static const char *const methods[] = {"GET", "POST", "PUT"};
    for (size_t i = 0; i < 3; i++) {
        struct emu_e14_target target;
        struct emu_e14_error error;
        if (!emu_e14_target_read(uri, methods[i], &target, &error)) {
            check_error(&error);
            continue;
        }
        QKD_ASSERT(i < 2 && target.sae[0] != '\0' && target.method < EMU_E14_METHODS);
        QKD_ASSERT(target.query >= uri && target.query <= uri + strlen(uri));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct emu_e14_dec dec;
    struct emu_e14_enc enc;
    struct emu_e14_error error;
    bool good = emu_e14_enc_body((const char *)bytes, len, &limits, &enc, &error);
    check_enc(good, &enc, &error);
    good = emu_e14_dec_body((const char *)bytes, len, 16, &dec, &error);
    check_dec(good, &dec, &error);
    char *text = calloc(1, len + 1);
    QKD_ASSERT(text != NULL);
    if (len > 0) {
        memcpy(text, bytes, len);
    }
    check_target(text);
    const char *query = strchr(text, '?') != NULL ? strchr(text, '?') + 1 : text;
    good = emu_e14_enc_query(query, &limits, &enc, &error);
    check_enc(good, &enc, &error);
    good = emu_e14_dec_query(query, &dec, &error);
    check_dec(good, &dec, &error);
    free(text);
    return 0;
}
