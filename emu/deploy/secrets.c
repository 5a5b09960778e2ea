/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads and derives. */
#include "emu/deploy/secrets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/base/file.h"
#include "emu/deploy/place.h"

#define MAX_BYTES (16U << 20)

struct pair {
    char name[EMU_PLACE_NAME_SIZE];
    uint8_t secret[EMU_SECRET_LEN];
};

struct emu_secrets {
    struct pair *pairs; /* in order of their names */
    size_t count, room;
};

/* The text of a file under way. */
struct text {
    const char *file;
    const uint8_t *bytes;
    size_t len;
    struct emu_why *why;
};

/* ---- lines ---- */

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_read(const uint8_t *at, size_t len, uint8_t to[EMU_SECRET_LEN])
{
    bool good = len == (size_t)2 * EMU_SECRET_LEN;
    for (size_t i = 0; i < EMU_SECRET_LEN && good; i++) {
        int high = digit(at[2 * i]);
        int low = digit(at[2 * i + 1]);
        good = high >= 0 && low >= 0;
        to[i] = good ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : 0;
    }
    return good;
}

static struct pair *pair_new(struct emu_secrets *secrets)
{
    if (secrets->count == secrets->room) {
        size_t room = secrets->room == 0 ? 16 : 2 * secrets->room;
        struct pair *pairs = calloc(room, sizeof *pairs);
        if (pairs == NULL) {
            return NULL;
        }
        if (secrets->count > 0) {
            memcpy(pairs, secrets->pairs, secrets->count * sizeof *pairs);
            crypto_wipe(secrets->pairs, secrets->count * sizeof *pairs);
        }
        free(secrets->pairs);
        secrets->pairs = pairs;
        secrets->room = room;
    }
    return &secrets->pairs[secrets->count++];
}

static int line_read(struct emu_secrets *secrets, const struct text *text, size_t number,
                     const uint8_t *line, size_t len)
{
    if (len == 0 || line[0] == '#') {
        return 0;
    }
    const uint8_t *blank = memchr(line, ' ', len);
    size_t name_len = blank == NULL ? 0 : (size_t)(blank - line);
    if (name_len == 0 || name_len >= EMU_PLACE_NAME_SIZE) {
        return emu_fail(text->why, QKD_ERR_FORMAT,
                        "%s:%zu:1: expected the name of a daemon, a blank and a secret", text->file,
                        number);
    }
    struct pair *pair = pair_new(secrets);
    if (pair == NULL) {
        return emu_fail(text->why, QKD_ERR_NOMEM, "no memory for %s", text->file);
    }
    memcpy(pair->name, line, name_len);
    if (!hex_read(blank + 1, len - name_len - 1, pair->secret)) {
        return emu_fail(text->why, QKD_ERR_FORMAT, "%s:%zu:%zu: expected %d hexadecimal digits",
                        text->file, number, name_len + 2, 2 * EMU_SECRET_LEN);
    }
    return 0;
}

static int pair_compare(const void *one, const void *other)
{
    return strcmp(((const struct pair *)one)->name, ((const struct pair *)other)->name);
}

static int lines_read(struct emu_secrets *secrets, const struct text *text)
{
    size_t number = 1;
    int err = 0;
    for (size_t at = 0; at < text->len && err == 0; number++) {
        const uint8_t *line = text->bytes + at;
        const uint8_t *end = memchr(line, '\n', text->len - at);
        size_t len = end == NULL ? text->len - at : (size_t)(end - line);
        err = line_read(secrets, text, number, line, len);
        at += len + 1;
    }
    if (err != 0 || secrets->count == 0) {
        return err;
    }
    qsort(secrets->pairs, secrets->count, sizeof *secrets->pairs, pair_compare);
    for (size_t i = 1; i < secrets->count; i++) {
        if (pair_compare(&secrets->pairs[i - 1], &secrets->pairs[i]) == 0) {
            return emu_fail(text->why, QKD_ERR_FORMAT, "%s: two secrets of %s", text->file,
                            secrets->pairs[i].name);
        }
    }
    return 0;
}

int emu_secrets_load(const char *file, struct emu_secrets **out, struct emu_why *why)
{
    *out = NULL;
    const struct emu_file_rule rule = {"secrets", MAX_BYTES};
    struct emu_file read = {.bytes = NULL};
    struct emu_secrets *secrets = calloc(1, sizeof *secrets);
    if (secrets == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory for %s", file);
    }
    int err = emu_file_read(file, &rule, &read, why);
    if (err == 0) {
        struct text text = {file, read.bytes, read.len, why};
        err = lines_read(secrets, &text);
    }
    emu_file_wipe(&read);
    if (err != 0) {
        emu_secrets_free(secrets);
        return err;
    }
    *out = secrets;
    return 0;
}

void emu_secrets_free(struct emu_secrets *secrets)
{
    if (secrets == NULL) {
        return;
    }
    if (secrets->pairs != NULL) {
        crypto_wipe(secrets->pairs, secrets->count * sizeof *secrets->pairs);
    }
    free(secrets->pairs);
    free(secrets);
}

size_t emu_secrets_count(const struct emu_secrets *secrets)
{
    return secrets->count;
}

/* ---- derivation ---- */

static const struct pair *pair_find(const struct emu_secrets *secrets, const char *name)
{
    size_t low = 0;
    size_t high = secrets->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(secrets->pairs[middle].name, name);
        if (order == 0) {
            return &secrets->pairs[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

int emu_secrets_pair(const struct emu_secrets *secrets, const char *peer,
                     const struct emu_secrets_ends *ends, uint8_t to[EMU_SECRET_LEN])
{
    static const char label[] = "qkdn element pair 1";
    const struct pair *pair = pair_find(secrets, peer);
    if (pair == NULL) {
        return QKD_ERR_UNKNOWN;
    }
    uint8_t text[17];
    bool ordered = ends->one.v < ends->other.v;
    text[0] = (uint8_t)ends->rp;
    wire_put_u64(text + 1, ordered ? ends->one.v : ends->other.v);
    wire_put_u64(text + 9, ordered ? ends->other.v : ends->one.v);
    struct crypto_part parts[2] = {{label, sizeof label - 1}, {text, sizeof text}};
    crypto_hmac(pair->secret, parts, 2, to);
    return 0;
}

int emu_secrets_bootstrap(const struct emu_secrets *secrets, const char *peer, const char *link_id,
                          uint8_t *to, size_t len)
{
    static const char label[] = "qkdn bootstrap 1";
    const struct pair *pair = pair_find(secrets, peer);
    if (pair == NULL) {
        return QKD_ERR_UNKNOWN;
    }
    uint8_t seed[32];
    struct crypto_part parts[2] = {{label, sizeof label - 1}, {link_id, strlen(link_id)}};
    crypto_hmac(pair->secret, parts, 2, seed);
    crypto_expand(to, seed, 0, len);
    crypto_wipe(seed, sizeof seed);
    return 0;
}
