/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole files: a new one beside the old one, then renamed over it. */
#include "analysis/outfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"

#define PARTIAL ".partial" /* ending of a file that is not complete */
#define PATH_SIZE 4096

static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int io_failed(struct ana_error *error, const char *path)
{
    return ana_fail(error, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* ---- what may be written ---- */

/* The folder of a path; ".." and links are left to the system. */
static void folder_of(const char *path, char *folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    snprintf(folder, size, "%.*s", len == 0 ? 1 : (int)len, len == 0 ? "." : path);
}

/* A file beside the named one, where it grows: nothing there, or what is left of an earlier try. */
static int partial_check(const char *path, struct ana_error *error)
{
    char partial[PATH_SIZE];
    struct stat st;
    snprintf(partial, sizeof partial, "%s" PARTIAL, path);
    if (lstat(partial, &st) == 0 && !S_ISREG(st.st_mode)) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: is in the way and not a regular file",
                        partial);
    }
    return QKD_OK;
}

int ana_outfile_check(const char *path, bool force, struct ana_error *error)
{
    struct stat st;
    if (strlen(path) + sizeof PARTIAL > PATH_SIZE) {
        errno = ENAMETOOLONG;
        return io_failed(error, path);
    }
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) {
        return ana_fail(error, QKD_ERR_INVALID, "%s: is a folder; expected the name of a file",
                        path);
    }
    if (is_special(path)) {
        return QKD_OK;
    }
    if (!force && (there || lstat(path, &st) == 0)) {
        return ana_fail(error, QKD_ERR_EXISTS,
                        "%s: exists already; --force overwrites it, or choose another name", path);
    }
    char folder[PATH_SIZE];
    folder_of(path, folder, sizeof folder);
    return access(folder, W_OK | X_OK) == 0 ? partial_check(path, error) : io_failed(error, path);
}

int ana_outfile_replace_check(const char *path, bool force, struct ana_error *error)
{
    if (is_special(path)) {
        return ana_fail(error, QKD_ERR_INVALID,
                        "%s: is not a regular file and cannot be replaced by one", path);
    }
    return ana_outfile_check(path, force, error);
}

/* ---- what may not be the same ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_input(const char *output, const char *input)
{
    struct stat out, in, partial;
    char beside[PATH_SIZE];
    if (stat(input, &in) != 0) {
        return false;
    }
    snprintf(beside, sizeof beside, "%s" PARTIAL, output);
    return (stat(output, &out) == 0 && is_same(&out, &in)) ||
           (stat(beside, &partial) == 0 && is_same(&partial, &in));
}

/* Files that are not there yet are the same if they will be: in one folder, of one name. */
static bool will_be_same(const char *a, const char *b)
{
    char folder[PATH_SIZE];
    struct stat first, second;
    const char *a_slash = strrchr(a, '/');
    const char *b_slash = strrchr(b, '/');
    if (strcmp(a_slash == NULL ? a : a_slash + 1, b_slash == NULL ? b : b_slash + 1) != 0) {
        return false;
    }
    folder_of(a, folder, sizeof folder);
    if (stat(folder, &first) != 0) {
        return false;
    }
    folder_of(b, folder, sizeof folder);
    return stat(folder, &second) == 0 && is_same(&first, &second);
}

/* Two texts for the same device are no loss. */
static bool are_same_output(const char *a, const char *b)
{
    struct stat first, second;
    bool a_there = stat(a, &first) == 0;
    bool b_there = stat(b, &second) == 0;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0) {
        return strcmp(a, b) == 0;
    }
    if (a_there && b_there) {
        return is_same(&first, &second) && S_ISREG(first.st_mode);
    }
    return !a_there && !b_there && will_be_same(a, b);
}

int ana_outfile_apart(const struct ana_files *files, struct ana_error *error)
{
    for (size_t i = 0; i < files->output_count; i++) {
        const char *output = files->outputs[i];
        if (output == NULL) {
            continue;
        }
        for (size_t j = 0; j < files->input_count && strcmp(output, "-") != 0; j++) {
            if (files->inputs[j] != NULL && is_input(output, files->inputs[j])) {
                return ana_fail(error, QKD_ERR_INVALID,
                                "%s: would be written over, and is read as %s; choose another name",
                                output, files->inputs[j]);
            }
        }
        for (size_t j = 0; j < i; j++) {
            if (files->outputs[j] != NULL && are_same_output(files->outputs[j], output)) {
                return ana_fail(error, QKD_ERR_INVALID,
                                "%s: two outputs in the same place; choose another name for one",
                                strcmp(output, "-") == 0 ? "standard output" : output);
            }
        }
    }
    return QKD_OK;
}

/* ---- writing ---- */

static int outfile_open(struct ana_outfile *out, struct ana_error *error)
{
    const char *name = out->partial != NULL ? out->partial : out->path;
    if (strcmp(out->path, "-") == 0) {
        out->file = stdout;
        return QKD_OK;
    }
    out->file = fopen(name, "wb");
    return out->file == NULL ? io_failed(error, out->path) : QKD_OK;
}

int ana_outfile_begin(struct ana_outfile *out, const char *path, bool force,
                      struct ana_error *error)
{
    *out = (struct ana_outfile){0};
    bool direct = strcmp(path, "-") == 0 || is_special(path);
    int err = direct ? QKD_OK : ana_outfile_check(path, force, error);
    if (err != QKD_OK) {
        return err;
    }
    size_t size = strlen(path) + sizeof PARTIAL;
    out->path = malloc(size);
    out->partial = direct ? NULL : malloc(size);
    if (out->path == NULL || (!direct && out->partial == NULL)) {
        err = ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    } else {
        snprintf(out->path, size, "%s", path);
        if (!direct) {
            snprintf(out->partial, size, "%s" PARTIAL, path);
        }
        err = outfile_open(out, error);
    }
    if (err != QKD_OK) {
        free(out->path);
        free(out->partial);
    }
    return err;
}

int ana_outfile_end(struct ana_outfile *out, bool keep, struct ana_error *error)
{
    bool ok = fflush(out->file) == 0 && !ferror(out->file);
    int saved = errno;
    if (out->file != stdout && fclose(out->file) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok && keep && out->partial != NULL && rename(out->partial, out->path) != 0) {
        ok = false;
        saved = errno;
    }
    errno = saved;
    int err = ok || !keep ? QKD_OK : io_failed(error, out->path);
    if (out->partial != NULL && (!ok || !keep)) {
        (void)remove(out->partial);
    }
    free(out->path);
    free(out->partial);
    *out = (struct ana_outfile){0};
    return err;
}

int ana_outfile_write(const char *path, bool force, struct ana_bytes bytes, struct ana_error *error)
{
    struct ana_outfile out;
    int err = ana_outfile_begin(&out, path, force, error);
    if (err != QKD_OK) {
        return err;
    }
    (void)fwrite(bytes.bytes, 1, bytes.len, out.file); /* the end looks for errors */
    return ana_outfile_end(&out, true, error);
}
