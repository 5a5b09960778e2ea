/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Queue of QKD-key files: see module/files.h. */
#include "core/module/files.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"

enum { CHUNK_FILES = 8 };

void mod_files_init(struct mod_files *files, uint32_t limit)
{
    *files = (struct mod_files){
        .limit = limit, .first = MOD_FILE_NONE, .last = MOD_FILE_NONE, .spare = MOD_FILE_NONE};
    qkd_slab_init(&files->slab, sizeof(struct mod_file), CHUNK_FILES, limit);
}

void mod_files_fini(struct mod_files *files)
{
    for (uint32_t slot = 0; slot < files->slab.top; slot++) {
        struct mod_file *file = mod_files_at(files, slot);
        if (file->key != NULL) {
            crypto_wipe(file->key, file->key_cap);
            free(file->key);
        }
    }
    qkd_slab_fini(&files->slab);
    mod_files_init(files, files->limit);
}

struct mod_file *mod_files_at(const struct mod_files *files, uint32_t slot)
{
    return qkd_slab_at(&files->slab, slot);
}

/* A done file to use again, else a new one. */
static uint32_t take(struct mod_files *files)
{
    uint32_t slot = files->spare;
    if (slot != MOD_FILE_NONE) {
        files->spare = mod_files_at(files, slot)->next;
        return slot;
    }
    return qkd_slab_take(&files->slab);
}

static void give(struct mod_files *files, uint32_t slot)
{
    mod_files_at(files, slot)->next = files->spare;
    files->spare = slot;
}

/* Makes the file's key memory at least `len` bytes; it holds nothing secret at this time. */
static bool reserve(struct mod_file *file, size_t len)
{
    if (len <= file->key_cap) {
        return true;
    }
    uint8_t *key = realloc(file->key, len);
    if (key == NULL) {
        return false;
    }
    file->key = key;
    file->key_cap = (uint32_t)len;
    return true;
}

uint32_t mod_files_push(struct mod_files *files, struct wire_bytes key)
{
    QKD_ASSERT(key.len > 0 && key.len <= WIRE_MAX_MESSAGE);
    if (files->count >= files->limit) {
        return MOD_FILE_NONE;
    }
    uint32_t slot = take(files);
    if (slot == QKD_SLAB_NONE) {
        return MOD_FILE_NONE;
    }
    struct mod_file *file = mod_files_at(files, slot);
    if (!reserve(file, key.len)) {
        give(files, slot);
        return MOD_FILE_NONE;
    }
    memcpy(file->key, key.at, key.len);
    *file = (struct mod_file){.key = file->key,
                              .key_cap = file->key_cap,
                              .key_len = (uint32_t)key.len,
                              .timer = QKD_TIMER_NONE,
                              .state = MOD_FILE_WAITING,
                              .prev = files->last,
                              .next = MOD_FILE_NONE};
    if (files->last != MOD_FILE_NONE) {
        mod_files_at(files, files->last)->next = slot;
    } else {
        files->first = slot;
    }
    files->last = slot;
    files->count++;
    return slot;
}

uint32_t mod_files_next(const struct mod_files *files)
{
    if (files->sent >= MOD_WINDOW || files->sent == files->count) {
        return MOD_FILE_NONE;
    }
    for (uint32_t i = files->first; i != MOD_FILE_NONE; i = mod_files_at(files, i)->next) {
        if (mod_files_at(files, i)->state == MOD_FILE_WAITING) {
            return i;
        }
    }
    return MOD_FILE_NONE;
}

uint32_t mod_files_find(const struct mod_files *files, uint64_t message_id)
{
    uint32_t left = files->sent;
    for (uint32_t i = files->first; i != MOD_FILE_NONE && left > 0;) {
        const struct mod_file *file = mod_files_at(files, i);
        if (file->state == MOD_FILE_SENT) {
            if (file->message_id == message_id) {
                return i;
            }
            left--;
        }
        i = file->next;
    }
    return MOD_FILE_NONE;
}

bool mod_files_has(const struct mod_files *files, const struct qkd_id *id)
{
    for (uint32_t i = files->first; i != MOD_FILE_NONE; i = mod_files_at(files, i)->next) {
        if (qkd_id_eq(&mod_files_at(files, i)->id, id)) {
            return true;
        }
    }
    return false;
}

/* Takes a file out of the order of arrival. */
static void unlink_file(struct mod_files *files, const struct mod_file *file)
{
    if (file->prev != MOD_FILE_NONE) {
        mod_files_at(files, file->prev)->next = file->next;
    } else {
        files->first = file->next;
    }
    if (file->next != MOD_FILE_NONE) {
        mod_files_at(files, file->next)->prev = file->prev;
    } else {
        files->last = file->prev;
    }
}

void mod_files_set(struct mod_files *files, uint32_t slot, enum mod_file_state state)
{
    struct mod_file *file = mod_files_at(files, slot);
    files->sent -= file->state == MOD_FILE_SENT;
    files->held -= file->state == MOD_FILE_HELD;
    files->sent += state == MOD_FILE_SENT;
    files->held += state == MOD_FILE_HELD;
    file->state = (uint8_t)state;
    if (state == MOD_FILE_DONE) {
        crypto_wipe(file->key, file->key_len);
        unlink_file(files, file);
        give(files, slot);
        files->count--;
    }
}
