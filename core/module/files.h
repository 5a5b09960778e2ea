/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Queue of QKD-key files on their way from a module agent to its KMA at Kq-1 (FG QIT4N D2.3 clause
 * 7.1.1). Internal to module/.
 *
 *            push           send            ACK stored, refused
 *   block ───────▶ WAITING ──────▶ SENT ──────────────────────▶ gone
 *                     ▲              │ ACK full
 *                     │   resume     ▼
 *                     └──────────── HELD (device stopped)
 *
 * A sent file is repeated under the same Message ID until it is acknowledged; a held one is sent
 * anew, under a new Message ID, when the KMA has room. At most MOD_WINDOW files are SENT. */
#ifndef QKD_MODULE_FILES_H
#define QKD_MODULE_FILES_H

#include "core/base/slab.h"
#include "core/base/timers.h"
#include "core/wire/codec.h"

#define MOD_FILE_NONE UINT32_MAX
#define MOD_WINDOW 8 /* files sent and not acknowledged */

enum mod_file_state { MOD_FILE_DONE, MOD_FILE_WAITING, MOD_FILE_SENT, MOD_FILE_HELD };

struct mod_file {
    struct qkd_id id;
    struct qkd_time generated; /* UTC */
    uint8_t hash[32];          /* SHA-256 of key */
    uint64_t message_id;       /* 0: none yet */
    uint32_t timer;            /* of its repetition */
    uint32_t tries;            /* times sent under this Message ID */
    uint32_t key_length;       /* bits of the key */
    uint8_t form;              /* 0: bits, 1: seed */
    uint8_t state;             /* enum mod_file_state */
    uint8_t *key;              /* secret, wiped when done; the memory is kept for the next file */
    uint32_t key_len, key_cap; /* bytes */
    uint32_t prev, next;       /* neighbours by arrival, MOD_FILE_NONE at the ends */
};

/* Files in order of arrival; slot numbers stay valid until the file is done. */
struct mod_files {
    struct qkd_slab slab; /* done files stay in it, on the spare list, with their key memory */
    uint32_t limit;       /* most files not done */
    uint32_t count, sent, held;
    uint32_t first, last; /* oldest and newest, MOD_FILE_NONE: empty */
    uint32_t spare;       /* done files, chained by next */
};

void mod_files_init(struct mod_files *files, uint32_t limit);
void mod_files_fini(struct mod_files *files);

struct mod_file *mod_files_at(const struct mod_files *files, uint32_t slot);

/* Appends a file in state WAITING with a copy of key: its slot, or MOD_FILE_NONE when full. */
uint32_t mod_files_push(struct mod_files *files, struct wire_bytes key);

/* The next file to send, MOD_FILE_NONE if none waits or the window is full. */
uint32_t mod_files_next(const struct mod_files *files);

/* The file sent under a Message ID, MOD_FILE_NONE if there is none. */
uint32_t mod_files_find(const struct mod_files *files, uint64_t message_id);

/* Whether a file of this QKD-key ID is in the queue. */
bool mod_files_has(const struct mod_files *files, const struct qkd_id *id);

/* Moves a file to another state; DONE wipes its key. The caller cares for its timer. */
void mod_files_set(struct mod_files *files, uint32_t slot, enum mod_file_state state);

#endif
