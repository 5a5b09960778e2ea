/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outward half of the port: arrays of sends, persists and reports beside one arena of bytes.
 * The arena may hold plaintext (`observed`, persisted keys): every byte of it is wiped before its
 * memory is reused or returned. The entries hold no key material. */
#include "core/base/out.h"

#include <sodium.h>
#include <stdlib.h>

#include "core/base/err.h"

enum { ARENA_FIRST = 4096, ENTRIES_FIRST = 16, SCRATCH_FIRST = 16384, SCRATCH_ALIGN = 16 };

struct qkd_scratch {
    struct qkd_scratch *older; /* full */
    size_t len, cap;
    _Alignas(SCRATCH_ALIGN) uint8_t bytes[];
};

void qkd_out_init(struct qkd_out *out, size_t arena_limit)
{
    QKD_ASSERT(arena_limit <= UINT32_MAX);
    *out = (struct qkd_out){.arena_limit = arena_limit};
}

void qkd_out_fini(struct qkd_out *out)
{
    qkd_out_reset(out);
    free(out->scratch);
    free(out->send);
    free(out->persist);
    free(out->report);
    free(out->arena);
    *out = (struct qkd_out){.arena_limit = out->arena_limit};
}

/* A new newest piece; false if memory ends. */
static bool scratch_add(struct qkd_out *out, size_t cap)
{
    struct qkd_scratch *piece = malloc(sizeof *piece + cap);
    if (piece != NULL) {
        *piece = (struct qkd_scratch){.older = out->scratch, .cap = cap};
        out->scratch = piece;
    }
    return piece != NULL;
}

void *qkd_out_scratch(struct qkd_out *out, size_t len)
{
    struct qkd_scratch *piece = out->scratch;
    size_t need = (len + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
    if (need < len || need > out->arena_limit) {
        return NULL;
    }
    if (piece == NULL || need > piece->cap - piece->len) {
        size_t cap = piece == NULL ? SCRATCH_FIRST : 2 * piece->cap; /* soon one piece is enough */
        if (!scratch_add(out, cap > need ? cap : need)) {
            return NULL;
        }
        piece = out->scratch;
    }
    void *at = piece->bytes + piece->len;
    piece->len += need;
    return at;
}

/* Wipes what was used; only the newest and largest piece stays. */
static void scratch_reset(struct qkd_out *out)
{
    struct qkd_scratch *newest = out->scratch;
    if (newest == NULL) {
        return;
    }
    while (newest->older != NULL) {
        struct qkd_scratch *older = newest->older;
        newest->older = older->older;
        sodium_memzero(older->bytes, older->len);
        free(older);
    }
    if (newest->len > 0) {
        sodium_memzero(newest->bytes, newest->len);
        newest->len = 0;
    }
}

void qkd_out_reset(struct qkd_out *out)
{
    scratch_reset(out);
    if (out->arena_len > 0) {
        sodium_memzero(out->arena, out->arena_len);
    }
    out->arena_len = 0;
    out->send_count = 0;
    out->persist_count = 0;
    out->report_count = 0;
    out->checks = 0;
    out->failed = false;
}

void qkd_out_swap(struct qkd_out *a, struct qkd_out *b)
{
    scratch_reset(a);
    scratch_reset(b);
    struct qkd_out kept = *a;
    *a = *b;
    *b = kept;
    b->scratch = a->scratch;
    a->scratch = kept.scratch;
}

/* Makes the arena at least `need` bytes; false if the limit or memory ends. Not realloc: the old
 * bytes must be wiped before their memory goes back. */
static bool arena_grow(struct qkd_out *out, size_t need)
{
    if (need > out->arena_limit) {
        return false;
    }
    size_t cap = out->arena_cap > 0 ? out->arena_cap : ARENA_FIRST;
    while (cap < need) {
        cap *= 2;
    }
    if (cap > out->arena_limit) {
        cap = out->arena_limit;
    }
    uint8_t *arena = malloc(cap);
    if (arena == NULL) {
        return false;
    }
    if (out->arena_len > 0) {
        memcpy(arena, out->arena, out->arena_len);
        sodium_memzero(out->arena, out->arena_len);
    }
    free(out->arena);
    out->arena = arena;
    out->arena_cap = cap;
    return true;
}

struct qkd_slice qkd_out_reserve(struct qkd_out *out, size_t len)
{
    size_t left = out->arena_cap - out->arena_len;
    if (len > left) {
        bool fits = len <= out->arena_limit - out->arena_len;
        if (!fits || !arena_grow(out, out->arena_len + len)) {
            out->failed = true;
            return (struct qkd_slice){(uint32_t)out->arena_len, 0};
        }
    }
    struct qkd_slice slice = {(uint32_t)out->arena_len, (uint32_t)len};
    out->arena_len += len;
    return slice;
}

void qkd_out_shrink(struct qkd_out *out, struct qkd_slice *slice, size_t used)
{
    QKD_ASSERT(used <= slice->len && (size_t)slice->at + slice->len == out->arena_len);
    if (used < slice->len) {
        sodium_memzero(out->arena + slice->at + used, slice->len - used);
    }
    slice->len = (uint32_t)used;
    out->arena_len = slice->at + used;
}

struct qkd_slice qkd_out_copy(struct qkd_out *out, const void *bytes, size_t len)
{
    struct qkd_slice slice = qkd_out_reserve(out, len);
    if (slice.len > 0) {
        memcpy(out->arena + slice.at, bytes, slice.len);
    }
    return slice;
}

/* The array grown so that one more of `item` bytes fits; NULL if memory ends. */
static void *entries_grow(void *array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap) {
        return array;
    }
    size_t more = *cap > 0 ? *cap * 2 : ENTRIES_FIRST;
    void *grown = realloc(array, more * item);
    if (grown != NULL) {
        *cap = more;
    }
    return grown;
}

void qkd_out_send(struct qkd_out *out, const struct qkd_send *send)
{
    struct qkd_send *array = entries_grow(out->send, out->send_count, &out->send_cap, sizeof *send);
    if (array == NULL) {
        out->failed = true;
        return;
    }
    out->send = array;
    array[out->send_count++] = *send;
}

void qkd_out_put(struct qkd_out *out, const struct qkd_persist *entry)
{
    struct qkd_persist *array = entries_grow(out->persist, out->persist_count, &out->persist_cap,
                                             sizeof *entry);
    if (array == NULL) {
        out->failed = true;
        return;
    }
    out->persist = array;
    array[out->persist_count++] = *entry;
}

void qkd_out_report(struct qkd_out *out, const struct qkd_report *report)
{
    struct qkd_report *array = entries_grow(out->report, out->report_count, &out->report_cap,
                                            sizeof *report);
    if (array == NULL) {
        out->failed = true;
        return;
    }
    out->report = array;
    array[out->report_count++] = *report;
}
