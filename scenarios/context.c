/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory, sources and mistakes of one load, and the reading of files. */
#include "scenarios/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define MISTAKE_BYTES 512

void *scn_ctx_new(struct scn_ctx *ctx, size_t bytes)
{
    void *memory = scn_arena_new(&ctx->arena, bytes);
    ctx->no_memory = ctx->no_memory || memory == NULL;
    return memory;
}

char *scn_ctx_copy(struct scn_ctx *ctx, const char *text, size_t len)
{
    char *copy = scn_arena_copy(&ctx->arena, text, len);
    ctx->no_memory = ctx->no_memory || copy == NULL;
    return copy;
}

/* Room for one more item behind `old`, which holds *cap; false without memory. */
static bool room_make(void **old, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap) {
        return true;
    }
    size_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *grown = scn_mem_resize(*old, wanted, item_bytes);
    if (grown == NULL) {
        return false;
    }
    *old = grown;
    *cap = wanted;
    return true;
}

static bool mistake_known(const struct scn_ctx *ctx, struct scn_place place, const char *text)
{
    for (size_t i = ctx->mistake_count; i-- > 0;) {
        const struct scn_place *other = &ctx->mistakes[i].place;
        if (other->line == place.line && other->column == place.column &&
            other->source == place.source && strcmp(ctx->mistakes[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

void scn_mistake(struct scn_ctx *ctx, struct scn_place place, const char *format, ...)
{
    char text[MISTAKE_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= 0 && mistake_known(ctx, place, text)) {
        return;
    }
    void *mistakes = ctx->mistakes;
    if (len < 0 || ctx->mistake_count >= SCN_MAX_ERRORS ||
        !room_make(&mistakes, ctx->mistake_count, &ctx->mistake_cap, sizeof *ctx->mistakes)) {
        ctx->omitted++;
        return;
    }
    ctx->mistakes = mistakes;
    char *copy = scn_ctx_copy(ctx, text, strlen(text));
    if (copy == NULL) {
        ctx->omitted++;
        return;
    }
    ctx->mistakes[ctx->mistake_count] =
        (struct scn_mistake){.place = place, .order = ctx->mistake_count, .text = copy};
    ctx->mistake_count++;
}

uint32_t scn_source_add(struct scn_ctx *ctx, const char *name)
{
    void *sources = ctx->sources;
    void *folders = ctx->folders;
    size_t cap = ctx->source_cap;
    size_t cap_too = ctx->source_cap;
    char *copy = scn_ctx_copy(ctx, name, strlen(name));
    bool room = room_make(&sources, ctx->source_count, &cap, sizeof *ctx->sources);
    ctx->sources = sources;
    room = room_make(&folders, ctx->source_count, &cap_too, sizeof *ctx->folders) && room;
    ctx->folders = folders;
    if (copy == NULL || !room) {
        ctx->no_memory = true;
        return 0;
    }
    ctx->source_cap = (uint32_t)cap;
    ctx->sources[ctx->source_count] = copy;
    ctx->folders[ctx->source_count] = ctx->folder;
    return ctx->source_count++;
}

const char *scn_folder_of(struct scn_ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == path) {
        return "/";
    }
    return scn_ctx_copy(ctx, path, slash == NULL ? 0 : (size_t)(slash - path));
}

void scn_source_enter(struct scn_ctx *ctx, uint32_t source)
{
    ctx->folders[source] = scn_folder_of(ctx, ctx->sources[source]);
}

/* Reads to the end of the file into a buffer that grows; NULL without memory or over the limit. */
static char *stream_read(struct scn_ctx *ctx, FILE *file, size_t *len)
{
    size_t room = 65536;
    char *text = scn_mem_new(room, 1);
    *len = 0;
    while (text != NULL) {
        *len += fread(text + *len, 1, room - *len, file);
        if (*len < room || room > SCN_MAX_BYTES) {
            break;
        }
        room *= 2;
        char *grown = scn_mem_resize(text, room, 1);
        if (grown == NULL) {
            scn_mem_free(text);
        }
        text = grown;
    }
    char *copy = text == NULL ? NULL : scn_ctx_copy(ctx, text, *len);
    ctx->no_memory = ctx->no_memory || text == NULL;
    scn_mem_free(text);
    return copy;
}

char *scn_file_read(struct scn_ctx *ctx, const char *path, struct scn_place at, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        scn_mistake(ctx, at, "cannot open '%s': %s", path, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *text = stream_read(ctx, file, len);
    if (ferror(file) != 0) {
        scn_mistake(ctx, at, "cannot read '%s': %s", path, strerror(errno));
        text = NULL;
    } else if (*len > SCN_MAX_BYTES) {
        scn_mistake(ctx, at, "'%s' is too large: at most %u MiB are read", path,
                    SCN_MAX_BYTES >> 20);
        text = NULL;
    }
    (void)fclose(file); /* only read from */
    return text;
}

char *scn_data_read(struct scn_ctx *ctx, const char *name, struct scn_place *at, size_t *len)
{
    const char *folder = at->source < ctx->source_count ? ctx->folders[at->source] : NULL;
    if (folder == NULL) {
        scn_mistake(ctx, *at, "the file '%s' cannot be named here: this text has no folder", name);
        return NULL;
    }
    size_t folder_len = name[0] == '/' ? 0 : strlen(folder);
    size_t bytes = folder_len + strlen(name) + 2;
    char *path = scn_ctx_new(ctx, bytes);
    if (path == NULL) {
        return NULL;
    }
    (void)snprintf(path, bytes, "%.*s%s%s", (int)folder_len, folder, folder_len > 0 ? "/" : "",
                   name);
    char *text = scn_file_read(ctx, path, *at, len);
    if (text != NULL) {
        *at = (struct scn_place){.source = scn_source_add(ctx, path), .line = 1, .column = 1};
        ctx->folders[at->source] = folder;
    }
    return text;
}

char *scn_ctx_open(struct scn_ctx *ctx, const char *path, size_t *len)
{
    ctx->folder = scn_folder_of(ctx, path);
    (void)scn_source_add(ctx, path);
    char *text = ctx->no_memory ? NULL : scn_file_read(ctx, path, (struct scn_place){0}, len);
    ctx->io_failed = ctx->io_failed || text == NULL;
    return text;
}

static int mistake_compare(const void *a, const void *b)
{
    const struct scn_mistake *x = a;
    const struct scn_mistake *y = b;
    if (x->place.source != y->place.source) {
        return x->place.source < y->place.source ? -1 : 1;
    }
    if (x->place.line != y->place.line) {
        return x->place.line < y->place.line ? -1 : 1;
    }
    if (x->place.column != y->place.column) {
        return x->place.column < y->place.column ? -1 : 1;
    }
    return x->order < y->order ? -1 : 1;
}

static char *line_make(const struct scn_ctx *ctx, const struct scn_mistake *mistake)
{
    const char *name = ctx->source_count > 0 ? ctx->sources[mistake->place.source] : "";
    size_t room = strlen(name) + strlen(mistake->text) + 32;
    char *line = scn_mem_new(room, 1);
    if (line == NULL) {
        return NULL;
    }
    if (mistake->place.line == 0) {
        (void)snprintf(line, room, "%s: %s", name, mistake->text);
    } else {
        (void)snprintf(line, room, "%s:%u:%u: %s", name, mistake->place.line, mistake->place.column,
                       mistake->text);
    }
    return line;
}

/* Sorts the mistakes and moves them out as lines. */
static void mistakes_take(struct scn_ctx *ctx, struct scn_errors *errors)
{
    if (ctx->mistake_count > 0) {
        qsort(ctx->mistakes, ctx->mistake_count, sizeof *ctx->mistakes, mistake_compare);
        errors->lines = scn_mem_new(ctx->mistake_count, sizeof *errors->lines);
    }
    for (size_t i = 0; i < ctx->mistake_count; i++) {
        char *line = errors->lines == NULL ? NULL : line_make(ctx, &ctx->mistakes[i]);
        if (line == NULL) {
            errors->omitted++;
        } else {
            errors->lines[errors->count++] = line;
        }
    }
    errors->omitted += ctx->omitted;
}

/* Copies the names of what was read; false without memory. */
static bool sources_take(const struct scn_ctx *ctx, struct scn_errors *errors)
{
    errors->sources = scn_mem_new((size_t)ctx->source_count + 1, sizeof *errors->sources);
    for (size_t i = 0; i < ctx->source_count && errors->sources != NULL; i++) {
        size_t size = strlen(ctx->sources[i]) + 1;
        char *copy = scn_mem_new(size, 1);
        if (copy == NULL) {
            return false;
        }
        errors->sources[errors->source_count++] = memcpy(copy, ctx->sources[i], size);
    }
    return errors->sources != NULL;
}

int scn_ctx_finish(struct scn_ctx *ctx, struct scn_errors *errors)
{
    int err = 0;
    if (!sources_take(ctx, errors) || ctx->no_memory) {
        err = QKD_ERR_NOMEM;
        scn_mistake(ctx, (struct scn_place){0}, "out of memory");
    } else if (ctx->mistake_count > 0) {
        err = ctx->io_failed ? QKD_ERR_IO : QKD_ERR_INVALID;
    }
    mistakes_take(ctx, errors);
    scn_mem_free(ctx->mistakes);
    scn_mem_free(ctx->sources);
    scn_mem_free(ctx->folders);
    scn_arena_fini(&ctx->arena);
    *ctx = (struct scn_ctx){0};
    return err;
}

/* Edit distance (insert, delete, replace, swap neighbours) of two words shorter than SCN_ID_SIZE;
 * SIZE_MAX for longer ones. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len >= SCN_ID_SIZE || b_len >= SCN_ID_SIZE) {
        return SIZE_MAX;
    }
    size_t rows[3][SCN_ID_SIZE]; /* of the letters i, i - 1 and i - 2 of a, in turn */
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = before[j - 2] + 1 < best ? before[j - 2] + 1 : best;
            }
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *scn_nearest(const char *text, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = (strlen(text) + 1) / 3 + 1; /* as far or farther is no help */
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(text, words[i]);
        if (distance < best_distance) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}
