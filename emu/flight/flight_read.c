/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers of flight records: one file, and many files merged by instant. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/flight/flight.h"

enum { ENTRY_HEAD = 8, ENTRY_FIRST = 4096 };

struct emu_flight_reader {
    FILE *file;
    bool own; /* the file is closed with the reader */
    char *path;
    char name[EMU_FLIGHT_NAME_MAX + 1];
    uint8_t *bytes; /* the entry read last */
    size_t cap;
    uint64_t whole;
    bool torn, ended;
};

/* ---- one file ---- */

static int not_ours(const struct emu_flight_reader *reader, struct emu_why *why)
{
    return ferror(reader->file) ? emu_fail(why, QKD_ERR_IO, "%s: cannot be read", reader->path)
                                : emu_fail(why, QKD_ERR_FORMAT,
                                           "%s: not a flight record of this version", reader->path);
}

static int read_head(struct emu_flight_reader *reader, struct emu_why *why)
{
    char head[EMU_FLIGHT_HEAD_LEN];
    uint8_t len;
    if (fread(head, 1, sizeof head, reader->file) != sizeof head ||
        memcmp(head, EMU_FLIGHT_HEAD, sizeof head) != 0 || fread(&len, 1, 1, reader->file) != 1 ||
        len == 0 || len > EMU_FLIGHT_NAME_MAX || fread(reader->name, 1, len, reader->file) != len ||
        memchr(reader->name, 0, len) != NULL) {
        return not_ours(reader, why);
    }
    reader->whole = sizeof head + 1 + len;
    return 0;
}

int emu_flight_reader_new(FILE *file, const char *path, struct emu_flight_reader **reader,
                          struct emu_why *why)
{
    struct emu_flight_reader *made = calloc(1, sizeof *made);
    *reader = NULL;
    if (made != NULL) {
        made->file = file;
        made->path = malloc(strlen(path) + 1);
        made->bytes = malloc(ENTRY_FIRST);
        made->cap = ENTRY_FIRST;
    }
    if (made == NULL || made->path == NULL || made->bytes == NULL) {
        emu_flight_reader_free(made);
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    memcpy(made->path, path, strlen(path) + 1);
    int err = read_head(made, why);
    if (err != 0) {
        emu_flight_reader_free(made);
        return err;
    }
    *reader = made;
    return 0;
}

int emu_flight_reader_open(const char *path, struct emu_flight_reader **reader, struct emu_why *why)
{
    FILE *file = fopen(path, "rb");
    *reader = NULL;
    if (file == NULL) {
        return emu_fail(why, errno == ENOENT ? QKD_ERR_UNKNOWN : QKD_ERR_IO,
                        "%s: cannot be read: %s", path, strerror(errno));
    }
    int err = emu_flight_reader_new(file, path, reader, why);
    if (*reader == NULL) {
        (void)fclose(file);
        return err;
    }
    (*reader)->own = true;
    return 0;
}

void emu_flight_reader_free(struct emu_flight_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->own) {
        (void)fclose(reader->file);
    }
    if (reader->bytes != NULL) {
        crypto_wipe(reader->bytes, reader->cap);
    }
    free(reader->bytes);
    free(reader->path);
    free(reader);
}

const char *emu_flight_reader_name(const struct emu_flight_reader *reader)
{
    return reader->name;
}

uint64_t emu_flight_whole(const struct emu_flight_reader *reader)
{
    return reader->whole;
}

bool emu_flight_torn(const struct emu_flight_reader *reader)
{
    return reader->torn;
}

/* Twice the room, `most` at most. */
static bool room_grow(struct emu_flight_reader *reader, size_t got, size_t most)
{
    size_t cap = 2 * reader->cap < most ? 2 * reader->cap : most;
    uint8_t *bytes = malloc(cap);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, reader->bytes, got);
    crypto_wipe(reader->bytes, reader->cap);
    free(reader->bytes);
    reader->bytes = bytes;
    reader->cap = cap;
    return true;
}

/* Reads on; memory follows what the file really has, not what a length claims. */
static int read_body(struct emu_flight_reader *reader, size_t body, size_t *got,
                     struct emu_why *why)
{
    size_t total = ENTRY_HEAD + body;
    *got = ENTRY_HEAD;
    while (*got < total) {
        if (*got == reader->cap && !room_grow(reader, *got, total)) {
            return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
        }
        size_t upto = total < reader->cap ? total : reader->cap;
        size_t n = fread(reader->bytes + *got, 1, upto - *got, reader->file);
        *got += n;
        if (n == 0) {
            break;
        }
    }
    return 0;
}

/* The end of the file was reached behind `got` bytes of an entry. */
static int at_end(struct emu_flight_reader *reader, size_t got, struct emu_why *why)
{
    if (ferror(reader->file)) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be read", reader->path);
    }
    reader->torn = got > 0;
    reader->ended = true;
    return 0;
}

int emu_flight_next(struct emu_flight_reader *reader, struct emu_flight_entry *entry,
                    struct emu_why *why)
{
    if (reader->ended) {
        return 0;
    }
    size_t got = fread(reader->bytes, 1, ENTRY_HEAD, reader->file);
    if (got < ENTRY_HEAD) {
        return at_end(reader, got, why);
    }
    size_t body = wire_get_u32(reader->bytes);
    int err = QKD_ERR_FORMAT;
    if (body <= EMU_FLIGHT_ENTRY_MAX) {
        err = read_body(reader, body, &got, why);
        if (err != 0) {
            return err;
        }
        err = emu_flight_decode(entry, reader->bytes, got);
    }
    if (err == QKD_ERR_SHORT) {
        return at_end(reader, got, why);
    }
    if (err < 0) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s: damaged at byte %" PRIu64, reader->path,
                        reader->whole);
    }
    reader->whole += got;
    return 1;
}

/* ---- many files ---- */

struct source {
    struct emu_flight_reader *reader;
    struct emu_flight_entry entry; /* its next one */
};

struct emu_flight_merge {
    struct source *sources;
    size_t count;
    size_t *heap; /* numbers of sources with a next entry, the earliest first */
    size_t heap_len;
    bool advance; /* the first of the heap was handed out: its source goes on */
};

static bool earlier(const struct emu_flight_merge *merge, size_t a, size_t b)
{
    int64_t x = merge->sources[a].entry.at.ns;
    int64_t y = merge->sources[b].entry.at.ns;
    return x != y ? x < y : a < b;
}

static void swap(size_t *a, size_t *b)
{
    size_t kept = *a;
    *a = *b;
    *b = kept;
}

static void sink(struct emu_flight_merge *merge, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_len; child++) {
            if (earlier(merge, merge->heap[child], merge->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        swap(&merge->heap[at], &merge->heap[least]);
        at = least;
    }
}

/* Opens all and reads the first entry of each. */
static int fill(struct emu_flight_merge *merge, const char *const *paths, struct emu_why *why)
{
    for (size_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        int err = emu_flight_reader_open(paths[i], &source->reader, why);
        if (source->reader == NULL) {
            return err;
        }
        int step = emu_flight_next(source->reader, &source->entry, why);
        if (step < 0) {
            return step;
        }
        if (step == 1) {
            merge->heap[merge->heap_len++] = i;
        }
    }
    for (size_t at = merge->heap_len / 2; at-- > 0;) {
        sink(merge, at);
    }
    return 0;
}

int emu_flight_merge_open(const char *const *paths, size_t count, struct emu_flight_merge **merge,
                          struct emu_why *why)
{
    struct emu_flight_merge *made = calloc(1, sizeof *made);
    *merge = NULL;
    if (made != NULL) {
        made->count = count;
        made->sources = calloc(count + 1, sizeof *made->sources);
        made->heap = calloc(count + 1, sizeof *made->heap);
    }
    int err = made == NULL || made->sources == NULL || made->heap == NULL
                  ? emu_fail(why, QKD_ERR_NOMEM, "out of memory")
                  : fill(made, paths, why);
    if (err != 0) {
        emu_flight_merge_free(made);
        return err;
    }
    *merge = made;
    return 0;
}

void emu_flight_merge_free(struct emu_flight_merge *merge)
{
    if (merge == NULL) {
        return;
    }
    for (size_t i = 0; merge->sources != NULL && i < merge->count; i++) {
        emu_flight_reader_free(merge->sources[i].reader);
    }
    free(merge->sources);
    free(merge->heap);
    free(merge);
}

/* Moves the source at the front to its next entry. */
static int front_next(struct emu_flight_merge *merge, struct emu_why *why)
{
    struct source *source = &merge->sources[merge->heap[0]];
    int step = emu_flight_next(source->reader, &source->entry, why);
    if (step < 0) {
        return step;
    }
    if (step == 0) {
        merge->heap[0] = merge->heap[--merge->heap_len];
    }
    sink(merge, 0);
    return 0;
}

int emu_flight_merge_next(struct emu_flight_merge *merge, struct emu_flight_entry *entry,
                          size_t *from, struct emu_why *why)
{
    if (merge->advance) {
        merge->advance = false;
        int err = front_next(merge, why);
        if (err != 0) {
            return err;
        }
    }
    if (merge->heap_len == 0) {
        return 0;
    }
    *from = merge->heap[0];
    *entry = merge->sources[*from].entry;
    merge->advance = true;
    return 1;
}

const struct emu_flight_reader *emu_flight_merge_reader(const struct emu_flight_merge *merge,
                                                        size_t number)
{
    QKD_ASSERT(number < merge->count);
    return merge->sources[number].reader;
}
