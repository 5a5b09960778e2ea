/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs of ETSI GS QKD 014 (clause 5, Tables 2 ... 7): /api/v1/keys/{SAE ID}/{status, enc_keys, dec_keys}, where
 * the SAE ID is URL-encoded (RFC 3986), and the queries of the forms without a body. Declared in
 * emu/etsi014/etsi014_json.h. */
#include <stdio.h>
#include <string.h>

#include "emu/etsi014/etsi014_json.h"

enum { NUMBER_DIGITS = 9, UUID_LEN = 36 };

static const char prefix[] = "/api/v1/keys/";
static const char *const names[EMU_E14_METHODS] = {
    [EMU_E14_STATUS] = "status", [EMU_E14_ENC_KEYS] = "enc_keys", [EMU_E14_DEC_KEYS] = "dec_keys"};

static bool fail(struct emu_e14_error *error, int code, const char *message)
{
    *error = (struct emu_e14_error){.code = code};
    (void)snprintf(error->message, sizeof error->message, "%s", message);
    return false;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX; false if malformed, too long, or with a control character. */
static bool percent_decode(const char *from, size_t len, char *to, size_t cap)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(from[i + 1]) : -1;
            int low = high < 0 ? -1 : hex(from[i + 2]);
            if (low < 0) {
                return false;
            }
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || used + 1 >= cap) {
            return false;
        }
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return used > 0;
}

/* The method that a path names, and where its SAE ID ends; false: no such path. */
static bool path_split(const char *sae, size_t len, enum emu_e14_method *method, size_t *sae_len)
{
    const char *slash = memchr(sae, '/', len);
    if (slash == NULL || slash == sae) {
        return false;
    }
    *sae_len = (size_t)(slash - sae);
    size_t rest = len - *sae_len - 1;
    for (int i = 0; i < EMU_E14_METHODS; i++) {
        if (rest == strlen(names[i]) && memcmp(slash + 1, names[i], rest) == 0) {
            *method = (enum emu_e14_method)i;
            return true;
        }
    }
    return false;
}

bool emu_e14_target_read(const char *uri, const char *http_method, struct emu_e14_target *target,
                         struct emu_e14_error *error)
{
    size_t path_len = strcspn(uri, "?");
    size_t skip = sizeof prefix - 1;
    size_t sae_len = 0;
    if (path_len < skip || memcmp(uri, prefix, skip) != 0 ||
        !path_split(uri + skip, path_len - skip, &target->method, &sae_len)) {
        return fail(error, 404, "no such path");
    }
    /* HEAD, which only looks (RFC 9110 clause 9.3.2), is for what a GET only looks at: not for keys. */
    bool status = target->method == EMU_E14_STATUS;
    bool get = strcmp(http_method, "GET") == 0;
    if (!get && strcmp(http_method, status ? "HEAD" : "POST") != 0) {
        return fail(error, 405, "no such method here");
    }
    if (!percent_decode(uri + skip, sae_len, target->sae, sizeof target->sae)) {
        return fail(error, 400, "the SAE ID in the path is malformed");
    }
    target->query = uri[path_len] == '?' ? uri + path_len + 1 : uri + path_len;
    return true;
}

/* Takes the next name=value of a query; false at its end. */
struct pair {
    const char *name, *value;
    size_t name_len, value_len;
};

static bool pair_next(const char **query, struct pair *pair)
{
    const char *at = *query;
    at += strspn(at, "&");
    if (*at == '\0') {
        return false;
    }
    size_t len = strcspn(at, "&");
    const char *equals = memchr(at, '=', len);
    pair->name = at;
    pair->name_len = equals == NULL ? len : (size_t)(equals - at);
    pair->value = equals == NULL ? at + len : equals + 1;
    pair->value_len = len - (size_t)(pair->value - at);
    *query = at + len;
    return true;
}

static bool is_named(const struct pair *pair, const char *name)
{
    return pair->name_len == strlen(name) && memcmp(pair->name, name, pair->name_len) == 0;
}

static bool number_of(const struct pair *pair, uint32_t *value)
{
    if (pair->value_len == 0 || pair->value_len > NUMBER_DIGITS) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < pair->value_len; i++) {
        if (pair->value[i] < '0' || pair->value[i] > '9') {
            return false;
        }
        *value = *value * 10 + (uint32_t)(pair->value[i] - '0');
    }
    return true;
}

bool emu_e14_enc_query(const char *query, const struct emu_e14_limits *limits,
                       struct emu_e14_enc *enc, struct emu_e14_error *error)
{
    char body[64];
    uint32_t value[2] = {1, 0};
    bool given[2] = {false, false};
    struct pair pair;
    while (pair_next(&query, &pair)) {
        int which = is_named(&pair, "number") ? 0 : is_named(&pair, "size") ? 1 : 2;
        if (which == 2) {
            return fail(error, 400, "only number and size can be given with GET");
        }
        if (given[which] || !number_of(&pair, &value[which])) {
            return fail(error, 400,
                        which == 0 ? "number shall be an integer" : "size shall be an integer");
        }
        given[which] = true;
    }
    /* E14-03: it equals its POST form. */
    int len = given[1] ? snprintf(body, sizeof body, "{\"number\":%u,\"size\":%u}",
                                  (unsigned)value[0], (unsigned)value[1])
                       : snprintf(body, sizeof body, "{\"number\":%u}", (unsigned)value[0]);
    return emu_e14_enc_body(body, (size_t)len, limits, enc, error);
}

bool emu_e14_dec_query(const char *query, struct emu_e14_dec *dec, struct emu_e14_error *error)
{
    char text[UUID_LEN + 1];
    struct pair pair;
    dec->count = 0;
    while (pair_next(&query, &pair)) {
        if (!is_named(&pair, "key_ID") || dec->count == 1) {
            return fail(error, 400, "only one key_ID can be given with GET");
        }
        if (pair.value_len != UUID_LEN) {
            return fail(error, 400, "key_ID shall be a UUID");
        }
        memcpy(text, pair.value, UUID_LEN);
        text[UUID_LEN] = '\0';
        if (!qkd_id_parse(text, &dec->ids[0])) {
            return fail(error, 400, "key_ID shall be a UUID");
        }
        dec->count = 1;
    }
    return dec->count == 1 || fail(error, 400, "key_ID is missing");
}
