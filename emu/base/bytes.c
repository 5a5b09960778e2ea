/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Queues of bytes. */
#include "emu/base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "core/base/err.h"

#define SIZE_MIN 4096

void emu_bytes_fini(struct emu_bytes *bytes)
{
    if (bytes->at != NULL) {
        OPENSSL_cleanse(bytes->at, bytes->size);
    }
    free(bytes->at);
    *bytes = (struct emu_bytes){0};
}

int emu_bytes_reserve(struct emu_bytes *bytes, size_t len)
{
    size_t used = bytes->tail - bytes->head;
    if (bytes->size - bytes->tail >= len) {
        return QKD_OK;
    }
    /* To the front, while that moves no more than is put in between two moves. */
    if (bytes->size - used >= len && used <= bytes->size / 2) {
        memmove(bytes->at, bytes->at + bytes->head, used);
    } else {
        size_t size = bytes->size < SIZE_MIN ? SIZE_MIN : bytes->size;
        while (size < used + len) {
            if (size > SIZE_MAX / 2) {
                return QKD_ERR_NOMEM;
            }
            size *= 2;
        }
        size = size == bytes->size ? size * 2 : size; /* else it would be moved all the time */
        uint8_t *at = malloc(size);
        if (at == NULL) {
            return QKD_ERR_NOMEM;
        }
        if (bytes->at != NULL) {
            memcpy(at, bytes->at + bytes->head, used);
            OPENSSL_cleanse(bytes->at, bytes->size);
            free(bytes->at);
        }
        bytes->at = at;
        bytes->size = size;
    }
    bytes->head = 0;
    bytes->tail = used;
    return QKD_OK;
}

void emu_bytes_drop(struct emu_bytes *bytes, size_t len)
{
    QKD_ASSERT(len <= bytes->tail - bytes->head);
    OPENSSL_cleanse(bytes->at + bytes->head, len);
    bytes->head += len;
    if (bytes->head == bytes->tail) {
        bytes->head = 0;
        bytes->tail = 0;
    }
}
