/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a resolved scenario that are items of a list begin with blanks and "- {". One is left out,
 * and with it every item that names its id, and so on; what does not load then does not fail alike
 * and is not taken. From the last item to the first, again and again until nothing more can go. */
#include "cli/fuzz_text.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 130 }; /* with its quotes */

struct lines {
    char *text;      /* cut into lines: a zero for each line feed */
    const char **at; /* where each begins */
    bool *out;       /* left out */
    bool *closed;    /* whoever names it was left out, too */
    size_t count;
    char *joined; /* what is left, as a text */
};

static bool is_item(const char *line)
{
    return strncmp(line + strspn(line, " "), "- {", 3) == 0;
}

/* The id of an item with its quotes, "" if it has none. */
static void id_of(const char *line, char id[ID_BYTES])
{
    const char *at = strstr(line, "{id: \"");
    id[0] = '\0';
    if (at != NULL) {
        at += strlen("{id: ");
        size_t len = strcspn(at + 1, "\"") + 2;
        if (len < ID_BYTES) {
            memcpy(id, at, len);
            id[len] = '\0';
        }
    }
}

static void lines_free(struct lines *l)
{
    free(l->text);
    free(l->at);
    free(l->out);
    free(l->closed);
    free(l->joined);
}

static bool lines_init(struct lines *l, const char *text)
{
    size_t len = strlen(text);
    *l = (struct lines){.text = malloc(len + 1), .joined = malloc(len + 1)};
    for (const char *c = text; *c != '\0'; c++) {
        l->count += *c == '\n';
    }
    l->at = calloc(l->count + 1, sizeof *l->at);
    l->out = calloc(l->count + 1, sizeof *l->out);
    l->closed = calloc(l->count + 1, sizeof *l->closed);
    if (l->text == NULL || l->joined == NULL || l->at == NULL || l->out == NULL ||
        l->closed == NULL) {
        return false;
    }
    memcpy(l->text, text, len + 1);
    char *line = l->text;
    for (size_t i = 0; i < l->count; i++) {
        l->at[i] = line;
        line += strcspn(line, "\n");
        *line++ = '\0';
    }
    return true;
}

static const char *lines_join(struct lines *l)
{
    char *to = l->joined;
    for (size_t i = 0; i < l->count; i++) {
        if (!l->out[i]) {
            size_t len = strlen(l->at[i]);
            memcpy(to, l->at[i], len);
            to[len] = '\n';
            to += len + 1;
        }
    }
    *to = '\0';
    return l->joined;
}

/* Leaves out all items that name what is left out already. */
static void lines_close(struct lines *l)
{
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < l->count; i++) {
            char id[ID_BYTES];
            if (!l->out[i] || l->closed[i]) {
                continue;
            }
            l->closed[i] = again = true;
            id_of(l->at[i], id);
            for (size_t k = 0; id[0] != '\0' && k < l->count; k++) {
                l->out[k] = l->out[k] || (is_item(l->at[k]) && strstr(l->at[k], id) != NULL);
            }
        }
    }
}

/* Tries without item i; true if that fails too, and then it stays out. */
static bool lines_try(struct lines *l, size_t i, const struct cli_fuzz_text_shrink *how)
{
    bool *before = malloc(2 * l->count * sizeof *before);
    if (before == NULL) {
        return false;
    }
    memcpy(before, l->out, l->count * sizeof *before);
    memcpy(before + l->count, l->closed, l->count * sizeof *before);
    l->out[i] = true;
    lines_close(l);
    bool fails = how->fails(how->ctx, lines_join(l));
    if (!fails) {
        memcpy(l->out, before, l->count * sizeof *before);
        memcpy(l->closed, before + l->count, l->count * sizeof *before);
    }
    free(before);
    return fails;
}

uint32_t cli_fuzz_text_shrink(char *text, const struct cli_fuzz_text_shrink *how)
{
    struct lines l;
    uint32_t tried = 0;
    bool again = lines_init(&l, text);
    while (again) {
        again = false;
        for (size_t i = l.count; i-- > 0 && !how->stop(how->ctx);) {
            if (!l.out[i] && is_item(l.at[i])) {
                tried++;
                again = lines_try(&l, i, how) || again;
            }
        }
        again = again && !how->stop(how->ctx);
    }
    if (tried > 0) {
        const char *left = lines_join(&l);
        memcpy(text, left, strlen(left) + 1);
    }
    lines_free(&l);
    return tried;
}
