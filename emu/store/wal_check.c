/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Follows the checksums of a write-ahead log, frame by frame, and looks at what lies behind the
 * first that is wrong. Commits are flushed one by one: behind a commit that was cut off lies no
 * other commit of the same generation (the salts tell generations apart). */
#include "emu/store/wal_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum {
    HEAD_LEN = 32,
    FRAME_HEAD_LEN = 24,
    CHECKED_HEAD = 24,      /* bytes of the head below its checksum */
    CHECKED_FRAME_HEAD = 8, /* bytes of a frame's head below its checksum */
};
#define MAGIC 0x377f0682U /* the last bit says that checksums add big-endian words */

struct wal {
    FILE *file;
    uint8_t head[HEAD_LEN];
    uint8_t *frame; /* head and page */
    size_t frame_len;
    uint32_t sum[2];
    bool big; /* words of checksums are big-endian */
};

static uint32_t big_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t little_u32(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* The checksum goes on over bytes, a multiple of 8. */
static void sum_add(struct wal *wal, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint32_t a = wal->big ? big_u32(bytes + i) : little_u32(bytes + i);
        uint32_t b = wal->big ? big_u32(bytes + i + 4) : little_u32(bytes + i + 4);
        wal->sum[0] += a + wal->sum[1];
        wal->sum[1] += b + wal->sum[0];
    }
}

static bool sum_is(const struct wal *wal, const uint8_t *at)
{
    return wal->sum[0] == big_u32(at) && wal->sum[1] == big_u32(at + 4);
}

static bool head_is_good(struct wal *wal, size_t page_bytes)
{
    uint32_t magic = big_u32(wal->head);
    wal->big = (magic & 1) != 0;
    sum_add(wal, wal->head, CHECKED_HEAD);
    return (magic & ~1U) == MAGIC && big_u32(wal->head + 8) == page_bytes &&
           sum_is(wal, wal->head + CHECKED_HEAD);
}

/* Whether the next frame could be read whole. */
static bool frame_read(struct wal *wal)
{
    return fread(wal->frame, 1, wal->frame_len, wal->file) == wal->frame_len;
}

/* Whether the checksum goes on with this frame. It does not cover the frame's salts. */
static bool frame_follows(struct wal *wal)
{
    sum_add(wal, wal->frame, CHECKED_FRAME_HEAD);
    sum_add(wal, wal->frame + FRAME_HEAD_LEN, wal->frame_len - FRAME_HEAD_LEN);
    return sum_is(wal, wal->frame + 16);
}

/* Whether the frame is of this generation, as far as its salts say. */
static bool frame_is_new(const struct wal *wal)
{
    return memcmp(wal->frame + 8, wal->head + 16, 8) == 0;
}

/* A frame of this generation that ends a commit, if its head can be believed. */
static bool frame_commits(const struct wal *wal)
{
    return frame_is_new(wal) && big_u32(wal->frame + 4) != 0;
}

/* With a bad head: whether the first frame belongs to it. Then the head was whole once, since it
 * is flushed before the first frame; one of the salts may be what is damaged. */
static bool head_was_good(struct wal *wal)
{
    return frame_read(wal) && (memcmp(wal->frame + 8, wal->head + 16, 4) == 0 ||
                               memcmp(wal->frame + 12, wal->head + 20, 4) == 0);
}

static bool damaged(struct wal *wal, size_t page_bytes)
{
    if (fread(wal->head, 1, HEAD_LEN, wal->file) != HEAD_LEN) {
        return false;
    }
    if (!head_is_good(wal, page_bytes)) {
        return head_was_good(wal);
    }
    bool more = frame_read(wal);
    while (more && frame_follows(wal)) {
        if (!frame_is_new(wal)) {
            return true; /* only its salts are wrong: nothing that was cut off looks so */
        }
        more = frame_read(wal);
    }
    unsigned commits = 0;
    for (; more; more = frame_read(wal)) {
        commits += frame_commits(wal);
    }
    return commits > 1;
}

int emu_wal_check(const char *database, size_t page_bytes, struct emu_why *why)
{
    size_t room = strlen(database) + sizeof "-wal";
    struct wal wal = {.frame_len = FRAME_HEAD_LEN + page_bytes};
    char *path = malloc(room);
    wal.frame = malloc(wal.frame_len);
    int err = 0;
    if (path == NULL || wal.frame == NULL) {
        err = emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    } else {
        (void)snprintf(path, room, "%s-wal", database);
        wal.file = fopen(path, "rb");
        if (wal.file == NULL && errno != ENOENT) {
            err = emu_fail(why, QKD_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        }
    }
    if (wal.file != NULL) {
        if (damaged(&wal, page_bytes)) {
            err = emu_fail(why, QKD_ERR_FORMAT,
                           "%s: damaged: commits behind the damage would be lost", path);
        } else if (ferror(wal.file)) {
            err = emu_fail(why, QKD_ERR_IO, "%s: cannot be read", path);
        }
        (void)fclose(wal.file);
    }
    free(wal.frame);
    free(path);
    return err;
}
