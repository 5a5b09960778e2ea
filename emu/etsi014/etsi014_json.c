/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies of ETSI GS QKD 014: see emu/etsi014/etsi014_json.h. JSON is read by Jansson; the key container is written
 * by hand, so that no copy of a key is left in a library's heap. */
#include "emu/etsi014/etsi014_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

static bool refuse(struct emu_e14_error *error, const char *message)
{
    *error = (struct emu_e14_error){.code = 400};
    (void)snprintf(error->message, sizeof error->message, "%s", message);
    return false;
}

/* ---- the JSON of a request ---- */

/* An object, or NULL and no error for a body of nothing. False: neither. */
static bool body_load(const char *body, size_t len, json_t **root, struct emu_e14_error *error)
{
    size_t blank = 0;
    *root = NULL;
    while (blank < len && strchr(" \t\r\n", body[blank]) != NULL && body[blank] != '\0') {
        blank++;
    }
    if (blank == len) {
        return true;
    }
    json_error_t why;
    *root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &why);
    if (*root == NULL) {
        refuse(error, "the request body is not valid JSON");
        (void)snprintf(error->name, sizeof error->name, "%s", "position");
        (void)snprintf(error->value, sizeof error->value, "line %d column %d", why.line,
                       why.column);
        return false;
    }
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return refuse(error, "the request body shall be a JSON object");
    }
    return true;
}

/* A member that is there: not absent, not null, not an empty list. */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    bool nothing = value == NULL || json_is_null(value) ||
                   (json_is_array(value) && json_array_size(value) == 0);
    return nothing ? NULL : value;
}

static bool not_a(struct emu_e14_error *error, const char *name, const char *type)
{
    refuse(error, "");
    (void)snprintf(error->message, sizeof error->message, "%s shall be %s", name, type);
    return false;
}

/* ---- Get key ---- */

#define NO_SIZE INT64_MIN /* of a request that gives none */

/* The limits of Table 9. */
static bool enc_check(const struct emu_e14_limits *limits, int64_t number, int64_t size,
                      struct emu_e14_enc *enc, struct emu_e14_error *error)
{
    refuse(error, "");
    if (number < 1 || number > limits->max_key_per_request) {
        (void)snprintf(error->message, sizeof error->message, "number shall be 1 to %u",
                       (unsigned)limits->max_key_per_request);
    } else if (size == NO_SIZE) {
        *enc = (struct emu_e14_enc){.number = (uint32_t)number, .size = limits->key_size};
        *error = (struct emu_e14_error){0};
        return true;
    } else if (size > 0 && size % 8 != 0) {
        (void)snprintf(error->message, sizeof error->message, "%s", EMU_E14_TEXT_MULTIPLE);
    } else if (size < limits->min_key_size || size > limits->max_key_size) {
        (void)snprintf(error->message, sizeof error->message, "size shall be %u to %u",
                       (unsigned)limits->min_key_size, (unsigned)limits->max_key_size);
    } else {
        *enc = (struct emu_e14_enc){.number = (uint32_t)number, .size = (uint32_t)size};
        *error = (struct emu_e14_error){0};
        return true;
    }
    return false;
}

static bool integer_read(const json_t *root, const char *name, int64_t *value,
                         struct emu_e14_error *error)
{
    const json_t *found = member(root, name);
    if (found == NULL) {
        return true;
    }
    if (!json_is_integer(found)) {
        return not_a(error, name, "an integer");
    }
    *value = json_integer_value(found);
    return true;
}

/* A list whose items are all of one type. */
static bool list_of(const json_t *list, json_type type)
{
    if (!json_is_array(list)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_typeof(json_array_get(list, i)) != type) {
            return false;
        }
    }
    return true;
}

/* The further slaves that get the same keys, as many as max_SAE_ID_count. */
static bool slaves_read(const json_t *root, const struct emu_e14_limits *limits,
                        struct emu_e14_enc *enc, struct emu_e14_error *error)
{
    const json_t *slaves = member(root, "additional_slave_SAE_IDs");
    if (slaves == NULL) {
        return true;
    }
    if (!list_of(slaves, JSON_STRING)) {
        return not_a(error, "additional_slave_SAE_IDs", "an array of strings");
    }
    size_t count = json_array_size(slaves);
    if (count > limits->max_sae_id_count || count > EMU_E14_SLAVES_MOST) {
        refuse(error, "");
        (void)snprintf(error->message, sizeof error->message,
                       "additional_slave_SAE_IDs: max_SAE_ID_count is %u",
                       (unsigned)limits->max_sae_id_count);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(slaves, i));
        size_t len = strlen(id);
        if (len == 0 || len >= sizeof enc->slaves[i]) {
            return refuse(error, "additional_slave_SAE_IDs: an SAE ID is empty or too long");
        }
        memcpy(enc->slaves[i], id, len + 1);
    }
    enc->slave_count = (uint32_t)count;
    return true;
}

/* Bytes of a UTF-8 text that are not more than `most` and end with a whole character. */
static int cut(const char *text, int most)
{
    int len = (int)strnlen(text, (size_t)most + 1);
    if (len <= most) {
        return len;
    }
    while (most > 0 && ((unsigned char)text[most] & 0xc0U) == 0x80U) {
        most--;
    }
    return most;
}

/* No extension is known; what must be obeyed cannot be, what may be ignored is. */
static bool extensions_read(const json_t *root, struct emu_e14_error *error)
{
    const json_t *optional = member(root, "extension_optional");
    const json_t *mandatory = member(root, "extension_mandatory");
    if (optional != NULL && !list_of(optional, JSON_OBJECT)) {
        return not_a(error, "extension_optional", "an array of objects");
    }
    if (mandatory == NULL) {
        return true;
    }
    if (!list_of(mandatory, JSON_OBJECT)) {
        return not_a(error, "extension_mandatory", "an array of objects");
    }
    for (size_t i = 0; i < json_array_size(mandatory); i++) {
        void *first = json_object_iter(json_array_get(mandatory, i));
        if (first != NULL) {
            refuse(error, EMU_E14_TEXT_MANDATORY);
            (void)snprintf(error->name, sizeof error->name, "%s",
                           "extension_mandatory_unsupported");
            const char *name = json_object_iter_key(first);
            (void)snprintf(error->value, sizeof error->value, "%.*s is not supported",
                           cut(name, 200), name);
            return false;
        }
    }
    return true; /* objects without any parameter ask for nothing */
}

bool emu_e14_enc_body(const char *body, size_t len, const struct emu_e14_limits *limits,
                      struct emu_e14_enc *enc, struct emu_e14_error *error)
{
    int64_t number = 1;
    int64_t size = NO_SIZE;
    json_t *root;
    if (!body_load(body, len, &root, error)) {
        return false;
    }
    bool good = integer_read(root, "number", &number, error) &&
                integer_read(root, "size", &size, error) &&
                enc_check(limits, number, size, enc, error) &&
                slaves_read(root, limits, enc, error) && extensions_read(root, error);
    json_decref(root);
    return good;
}

/* ---- Get key with key IDs ---- */

static bool id_read(const char *text, struct emu_e14_dec *dec, struct emu_e14_error *error)
{
    if (!qkd_id_parse(text, &dec->ids[dec->count])) {
        return refuse(error, "key_ID shall be a UUID");
    }
    dec->count++;
    return true;
}

bool emu_e14_dec_body(const char *body, size_t len, uint32_t most, struct emu_e14_dec *dec,
                      struct emu_e14_error *error)
{
    json_t *root;
    dec->count = 0;
    if (!body_load(body, len, &root, error)) {
        return false;
    }
    const json_t *list = member(root, "key_IDs");
    bool good = true;
    if (list == NULL) {
        good = refuse(error, "key_IDs is missing");
    } else if (!list_of(list, JSON_OBJECT)) {
        good = not_a(error, "key_IDs", "an array of objects");
    } else if (json_array_size(list) > most || json_array_size(list) > EMU_E14_IDS_MOST) {
        refuse(error, "");
        (void)snprintf(error->message, sizeof error->message, "key_IDs: at most %u",
                       (unsigned)most);
        good = false;
    }
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(list, i), "key_ID"));
        good = text != NULL ? id_read(text, dec, error) : not_a(error, "key_ID", "a string");
    }
    json_decref(root);
    return good;
}

/* ---- answers ---- */

/* Bytes of what stands around a key: {"key_ID":"…","key":"…"} and a comma. */
enum { AROUND_KEY = 10 + 1 + 36 + 8 + 1 + 2 + 2, UUID_TEXT = 37 };

static char *text_put(char *to, const char *text)
{
    while (*text != '\0') {
        *to++ = *text++;
    }
    return to;
}

char *emu_e14_keys_write(const struct emu_e14_keys *keys, size_t *len)
{
    size_t room = 16;
    for (uint32_t i = 0; i < keys->count; i++) {
        room += AROUND_KEY +
                sodium_base64_encoded_len(keys->sizes_bits[i] / 8, sodium_base64_VARIANT_ORIGINAL);
    }
    char *text = malloc(room);
    if (text == NULL) {
        return NULL;
    }
    char *at = text_put(text, "{\"keys\":[");
    const uint8_t *key = keys->keys;
    for (uint32_t i = 0; i < keys->count; i++) {
        size_t bytes = keys->sizes_bits[i] / 8;
        char id[UUID_TEXT];
        qkd_id_format(&keys->ids[i], id);
        at = text_put(at, i == 0 ? "{\"key_ID\":\"" : ",{\"key_ID\":\"");
        at = text_put(at, id);
        at = text_put(at, "\",\"key\":\"");
        (void)sodium_bin2base64(at, room - (size_t)(at - text), key, bytes,
                                sodium_base64_VARIANT_ORIGINAL);
        at += strlen(at);
        at = text_put(at, "\"}");
        key += bytes;
    }
    at = text_put(at, "]}");
    *len = (size_t)(at - text);
    return text;
}

/* Prints a document and gives it back; NULL: memory ended. */
static char *document_write(json_t *root, size_t *len)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    *len = text == NULL ? 0 : strlen(text);
    return text;
}

char *emu_e14_status_write(const struct emu_e14_status *status, size_t *len)
{
    return document_write(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                                    "source_KME_ID", status->source_kme, "target_KME_ID",
                                    status->target_kme, "master_SAE_ID", status->master_sae,
                                    "slave_SAE_ID", status->slave_sae, "key_size",
                                    (json_int_t)status->key_size, "stored_key_count",
                                    (json_int_t)status->stored_key_count, "max_key_count",
                                    (json_int_t)status->max_key_count, "max_key_per_request",
                                    (json_int_t)status->max_key_per_request, "max_key_size",
                                    (json_int_t)status->max_key_size, "min_key_size",
                                    (json_int_t)status->min_key_size, "max_SAE_ID_count",
                                    (json_int_t)status->max_sae_id_count),
                          len);
}

char *emu_e14_error_write(const struct emu_e14_error *error, size_t *len)
{
    json_t *root = error->name[0] == '\0' ? json_pack("{s:s}", "message", error->message)
                                          : json_pack("{s:s, s:[{s:s}]}", "message", error->message,
                                                      "details", error->name, error->value);
    return document_write(root, len);
}
