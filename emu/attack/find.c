/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A map of pieces, and a window that goes over the bytes. */
#include "emu/attack/find.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/map.h"

enum { PIECES_MAX = 1 << 24, LEAST_DIFFERENT = 6 };

struct emu_find {
    struct qkd_map pieces; /* -> text */
    bool *found;           /* by text */
    size_t count, cap, sought;
};

struct emu_find *emu_find_new(void)
{
    struct emu_find *find = calloc(1, sizeof *find);
    if (find != NULL) {
        qkd_map_init(&find->pieces, EMU_FIND_PIECE, PIECES_MAX, NULL);
    }
    return find;
}

void emu_find_free(struct emu_find *find)
{
    if (find != NULL) {
        qkd_map_fini(&find->pieces);
        free(find->found);
        free(find);
    }
}

static bool says_enough(const uint8_t *piece)
{
    unsigned different = 0;
    for (unsigned i = 0; i < EMU_FIND_PIECE; i++) {
        bool is_new = true;
        for (unsigned k = 0; k < i && is_new; k++) {
            is_new = piece[k] != piece[i];
        }
        different += is_new;
    }
    return different >= LEAST_DIFFERENT;
}

int emu_find_add(struct emu_find *find, const uint8_t *text, size_t len)
{
    if (find->count == find->cap) {
        size_t cap = find->cap == 0 ? 256 : 2 * find->cap;
        bool *grown = realloc(find->found, cap * sizeof *grown);
        if (grown == NULL) {
            return QKD_ERR_NOMEM;
        }
        find->found = grown;
        find->cap = cap;
    }
    find->found[find->count] = false;
    bool any = false;
    int err = QKD_OK;
    for (size_t at = 0; at + EMU_FIND_PIECE <= len && err == QKD_OK; at += EMU_FIND_PIECE) {
        if (says_enough(text + at)) {
            any = true;
            err = qkd_map_put(&find->pieces, text + at, (uint32_t)find->count);
        }
    }
    find->count++;
    find->sought += any;
    return err;
}

size_t emu_find_texts(const struct emu_find *find)
{
    return find->count;
}

size_t emu_find_sought(const struct emu_find *find)
{
    return find->sought;
}

size_t emu_find_in(struct emu_find *find, const uint8_t *bytes, size_t len)
{
    size_t count = 0;
    for (size_t at = 0; at + EMU_FIND_PIECE <= len; at++) {
        uint32_t text = qkd_map_get(&find->pieces, bytes + at);
        if (text != QKD_MAP_NONE && !find->found[text]) {
            find->found[text] = true;
            count++;
        }
    }
    return count;
}
