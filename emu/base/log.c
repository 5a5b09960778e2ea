/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines. The writer is our own and allocates nothing: a line has a bounded length, and escaping
 * (RFC 8259 clause 7) is ten lines; a JSON library would build a tree for each. */
#include "emu/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/file.h"
#include "emu/base/utf8.h"

enum {
    DAEMON_MAX = 63,
    NAME_MAX_BYTES = 64, /* of a field's name or an event that are kept */
    ESCAPE_MAX = 6,      /* bytes that one byte of text becomes at most */
    LINE_CAP = (EMU_LOG_FIELDS_MAX + 2) * (EMU_LOG_TEXT_MAX + NAME_MAX_BYTES + 8) * ESCAPE_MAX
};

struct emu_log {
    int fd;
    char *path; /* NULL: standard error */
    char daemon[DAEMON_MAX + 1];
    enum emu_log_level level;
    uint64_t lost;
    size_t len;
    char line[LINE_CAP];
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

const char *emu_log_level_name(enum emu_log_level level)
{
    return level_names[level];
}

bool emu_log_level_parse(const char *text, enum emu_log_level *level)
{
    for (int i = EMU_LOG_ERROR; i <= EMU_LOG_DEBUG; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum emu_log_level)i;
            return true;
        }
    }
    return false;
}

/* ---- open and close ---- */

static int file_open(const char *path, struct emu_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR | S_IRGRP);
    if (fd < 0) {
        (void)emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    return fd;
}

int emu_log_open(const struct emu_log_options *options, struct emu_log **log, struct emu_why *why)
{
    struct emu_log *opened = calloc(1, sizeof *opened);
    *log = NULL;
    if (opened == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    opened->fd = STDERR_FILENO;
    opened->level = options->level;
    (void)snprintf(opened->daemon, sizeof opened->daemon, "%s", options->daemon);
    if (options->path != NULL) {
        opened->path = malloc(strlen(options->path) + 1);
        if (opened->path == NULL) {
            free(opened);
            return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
        }
        memcpy(opened->path, options->path, strlen(options->path) + 1);
        opened->fd = file_open(opened->path, why);
    }
    if (opened->fd < 0) {
        emu_log_close(opened);
        return QKD_ERR_IO;
    }
    *log = opened;
    return 0;
}

void emu_log_close(struct emu_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->path != NULL && log->fd >= 0) {
        (void)close(log->fd);
    }
    free(log->path);
    free(log);
}

int emu_log_reopen(struct emu_log *log, struct emu_why *why)
{
    if (log->path == NULL) {
        return 0;
    }
    int fd = file_open(log->path, why);
    if (fd < 0) {
        return QKD_ERR_IO;
    }
    (void)close(log->fd);
    log->fd = fd;
    return 0;
}

void emu_log_set_level(struct emu_log *log, enum emu_log_level level)
{
    log->level = level;
}

bool emu_log_wants(const struct emu_log *log, enum emu_log_level level)
{
    return level <= log->level;
}

uint64_t emu_log_lost(const struct emu_log *log)
{
    return log->lost;
}

/* ---- a line ---- */

/* LINE_CAP is enough for every line that the limits allow. */
static void add(struct emu_log *log, const char *text, size_t len)
{
    QKD_ASSERT(len < LINE_CAP - log->len);
    memcpy(log->line + log->len, text, len);
    log->len += len;
}

static void add_plain(struct emu_log *log, const char *text)
{
    add(log, text, strlen(text));
}

static void add_char(struct emu_log *log, const unsigned char *at, size_t len)
{
    char text[8];
    if (len == 0) {
        add_plain(log, "\\ufffd");
    } else if (*at == '"' || *at == '\\') {
        (void)snprintf(text, sizeof text, "\\%c", *at);
        add_plain(log, text);
    } else if (*at < 0x20 || *at == 0x7f) {
        (void)snprintf(text, sizeof text, "\\u%04x", *at);
        add_plain(log, text);
    } else {
        add(log, (const char *)at, len);
    }
}

/* A string with its quotes, cut after `most` bytes of text. */
static void add_string(struct emu_log *log, const char *text, size_t most)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t len = strlen(text);
    size_t done = 0;
    add_plain(log, "\"");
    while (done < len) {
        size_t n = emu_utf8_length(at + done, len - done);
        if (done + (n > 0 ? n : 1) > most) {
            add_plain(log, "...");
            break;
        }
        add_char(log, at + done, n);
        done += n > 0 ? n : 1;
    }
    add_plain(log, "\"");
}

static void add_eid(struct emu_log *log, struct qkd_eid eid)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s %" PRIu32 "@%" PRIu32, qkd_role_name(qkd_eid_role(eid)),
                   qkd_eid_instance(eid), qkd_eid_node(eid));
    add_string(log, text, sizeof text);
}

static void add_number(struct emu_log *log, const struct emu_log_field *field)
{
    char text[40] = "null";
    if (field->type == EMU_LOG_INT) {
        (void)snprintf(text, sizeof text, "%" PRId64, field->u.i);
    } else if (field->type == EMU_LOG_UINT) {
        (void)snprintf(text, sizeof text, "%" PRIu64, field->u.u);
    } else if (isfinite(field->u.real)) {
        (void)snprintf(text, sizeof text, "%.9g", field->u.real);
    }
    add_plain(log, text);
}

static void add_field(struct emu_log *log, const struct emu_log_field *field)
{
    char uuid[37];
    add_plain(log, ",");
    add_string(log, field->name, NAME_MAX_BYTES);
    add_plain(log, ":");
    switch (field->type) {
    case EMU_LOG_BOOL:
        add_plain(log, field->u.truth ? "true" : "false");
        break;
    case EMU_LOG_TEXT:
        if (field->u.text == NULL) {
            add_plain(log, "null");
        } else {
            add_string(log, field->u.text, EMU_LOG_TEXT_MAX);
        }
        break;
    case EMU_LOG_EID:
        add_eid(log, field->u.eid);
        break;
    case EMU_LOG_ID:
        qkd_id_format(&field->u.id, uuid);
        add_string(log, uuid, sizeof uuid);
        break;
    default:
        add_number(log, field);
        break;
    }
}

/* RFC 3339 in UTC, to the microsecond. */
static void add_time(struct emu_log *log)
{
    struct timespec now;
    struct tm parts;
    char text[64];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + len, sizeof text - len, ".%06ldZ", now.tv_nsec / 1000);
    add_string(log, text, sizeof text);
}

void emu_log(struct emu_log *log, enum emu_log_level level, const char *event,
             const struct emu_log_field *fields, size_t count)
{
    QKD_ASSERT(count <= EMU_LOG_FIELDS_MAX);
    if (!emu_log_wants(log, level)) {
        return;
    }
    log->len = 0;
    add_plain(log, "{\"time\":");
    add_time(log);
    add_plain(log, ",\"level\":");
    add_string(log, level_names[level], NAME_MAX_BYTES);
    add_plain(log, ",\"daemon\":");
    add_string(log, log->daemon, DAEMON_MAX);
    add_plain(log, ",\"event\":");
    add_string(log, event, NAME_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        add_field(log, &fields[i]);
    }
    add_plain(log, "}\n");
    log->lost += !emu_file_put(log->fd, log->line, log->len);
}
