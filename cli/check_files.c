/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which scenarios and which topologies `qkdn check` takes: files, or all of a folder. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/check.h"
#include "core/base/err.h"

#define DEEPEST 16 /* folders below one another */

/* A list of paths. */
struct paths {
    char **texts;
    size_t count;
    bool failed;
};

static char *text_join(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);
    if (text != NULL) {
        snprintf(text, size, "%s%s%s", a, b, c);
    }
    return text;
}

/* Takes the text over. */
static void paths_add(struct paths *paths, char *text)
{
    char **grown = realloc(paths->texts, (paths->count + 1) * sizeof *grown);
    if (grown != NULL) {
        paths->texts = grown;
    }
    if (grown == NULL || text == NULL) {
        free(text);
        paths->failed = true;
        return;
    }
    paths->texts[paths->count++] = text;
}

static void paths_fini(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->texts[i]);
    }
    free(paths->texts);
    *paths = (struct paths){0};
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* Adds what a folder itself holds to `files` and `folders`; false if it cannot be read. */
static bool folder_list(const char *folder, struct paths *files, struct paths *folders)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat st;
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = text_join(folder, ends_with(folder, "/") ? "" : "/", entry->d_name);
        if (path == NULL || stat(path, &st) != 0) {
            free(path);
            continue;
        }
        paths_add(S_ISDIR(st.st_mode) ? folders : files, path);
    }
    closedir(dir);
    return true;
}

/* All files under a folder, sorted by path. Goes down level by level, not by recursion. */
static int files_below(const char *folder, struct paths *files, struct ana_error *error)
{
    struct paths level = {0};
    int err = QKD_OK;
    paths_add(&level, text_join(folder, "", ""));
    for (unsigned depth = 0; depth < DEEPEST && level.count > 0 && err == QKD_OK; depth++) {
        struct paths below = {0};
        for (size_t i = 0; i < level.count && err == QKD_OK; i++) {
            if (!folder_list(level.texts[i], files, &below)) {
                err = ana_fail(error, QKD_ERR_INVALID, "%s: cannot be read: %s", level.texts[i],
                               strerror(errno));
            }
        }
        files->failed = files->failed || below.failed;
        paths_fini(&level);
        level = below;
    }
    paths_fini(&level);
    if (files->count > 0) {
        qsort(files->texts, files->count, sizeof *files->texts, compare_texts);
    }
    return files->failed ? ana_fail(error, QKD_ERR_NOMEM, "no memory") : err;
}

/* ---- items ---- */

static void item_add(struct cli_check_items *items, const char *file, const char *topology)
{
    struct cli_check_item *grown = realloc(items->items, (items->count + 1) * sizeof *grown);
    if (grown == NULL) {
        items->failed = true;
        return;
    }
    items->items = grown;
    struct cli_check_item *item = &grown[items->count++];
    item->file = text_join(file, "", "");
    item->topology = topology == NULL ? NULL : text_join(topology, "", "");
    items->failed = items->failed || item->file == NULL ||
                    (topology != NULL && item->topology == NULL);
}

void cli_check_items_fini(struct cli_check_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        free(items->items[i].file);
        free(items->items[i].topology);
    }
    free(items->items);
    *items = (struct cli_check_items){0};
}

static int folder_check(const char *path, bool *is_folder, struct ana_error *error)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: %s", path, strerror(errno));
    }
    *is_folder = S_ISDIR(st.st_mode);
    return QKD_OK;
}

int cli_check_files(struct cli_check_items *items, const char *path, struct ana_error *error)
{
    bool is_folder = false;
    int err = folder_check(path, &is_folder, error);
    if (err != QKD_OK) {
        return err;
    }
    if (!is_folder) {
        item_add(items, path, NULL);
        return items->failed ? ana_fail(error, QKD_ERR_NOMEM, "no memory") : QKD_OK;
    }
    struct paths files = {0};
    size_t before = items->count;
    err = files_below(path, &files, error);
    for (size_t i = 0; i < files.count && err == QKD_OK; i++) {
        if (ends_with(files.texts[i], ".yaml")) {
            item_add(items, files.texts[i], NULL);
        }
    }
    paths_fini(&files);
    if (err == QKD_OK && items->failed) {
        err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
    } else if (err == QKD_OK && items->count == before) {
        err = ana_fail(error, QKD_ERR_INVALID, "%s: there is no *.yaml in this folder", path);
    }
    return err;
}

/* ---- topologies ---- */

/* Whether X-nodes.csv has its X-links.csv beside it; then makes it "X". */
static bool pair_cut(char *path, const struct paths *files)
{
    if (!ends_with(path, "-nodes.csv")) {
        return false;
    }
    path[strlen(path) - strlen("-nodes.csv")] = '\0';
    size_t len = strlen(path);
    for (size_t i = 0; i < files->count; i++) {
        if (strncmp(files->texts[i], path, len) == 0 &&
            strcmp(files->texts[i] + len, "-links.csv") == 0) {
            return true;
        }
    }
    return false;
}

static void topologies_keep(struct paths *files, struct paths *topologies)
{
    for (size_t i = 0; i < files->count; i++) {
        char *copy = text_join(files->texts[i], "", "");
        if (copy != NULL && (ends_with(copy, ".yaml") || pair_cut(copy, files))) {
            paths_add(topologies, copy);
        } else {
            topologies->failed = topologies->failed || copy == NULL;
            free(copy);
        }
    }
    if (topologies->count > 0) {
        qsort(topologies->texts, topologies->count, sizeof *topologies->texts, compare_texts);
    }
}

int cli_check_topologies(struct cli_check_items *items, const char *folder, struct ana_error *error)
{
    struct paths files = {0};
    struct paths topologies = {0};
    struct cli_check_items made = {0};
    int err = files_below(folder, &files, error);
    if (err == QKD_OK) {
        topologies_keep(&files, &topologies);
        for (size_t i = 0; i < items->count; i++) {
            for (size_t j = 0; j < topologies.count; j++) {
                item_add(&made, items->items[i].file, topologies.texts[j]);
            }
        }
        if (made.failed || topologies.failed) {
            err = ana_fail(error, QKD_ERR_NOMEM, "no memory");
        } else if (topologies.count == 0) {
            err = ana_fail(error, QKD_ERR_INVALID,
                           "%s: there is no topology in this folder: expected *.yaml, or pairs "
                           "X-nodes.csv and X-links.csv",
                           folder);
        }
    }
    cli_check_items_fini(items);
    *items = made;
    paths_fini(&files);
    paths_fini(&topologies);
    return err;
}
