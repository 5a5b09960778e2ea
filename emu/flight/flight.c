/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writer of a flight record: one growing buffer, one write(2) per flush. */
#include "emu/flight/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/base/file.h"

enum { BUFFER_FIRST = 1 << 16, BUFFER_FULL = 1 << 24 };

struct emu_flight {
    int fd;
    char *path;
    uint8_t *buffer;
    size_t len, cap;
    int failed; /* 0, or the error that ended the record */
    int system; /* errno of that moment */
};

/* ---- opening ---- */

/* Reads an existing record through; *end is where entries go on. */
static int find_end(struct emu_flight *flight, const char *name, uint64_t *end, struct emu_why *why)
{
    struct emu_flight_reader *reader;
    struct emu_flight_entry entry;
    int err = emu_flight_reader_open(flight->path, &reader, why);
    if (err != 0) {
        return err;
    }
    if (strcmp(emu_flight_reader_name(reader), name) != 0) {
        err = emu_fail(why, QKD_ERR_EXISTS, "%s: it is the flight record of %s, not of %s",
                       flight->path, emu_flight_reader_name(reader), name);
    }
    int step = 1;
    while (err == 0 && step == 1) {
        step = emu_flight_next(reader, &entry, why);
        err = step < 0 ? step : 0;
    }
    *end = emu_flight_whole(reader);
    emu_flight_reader_free(reader);
    return err;
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
    if (emu_file_put(fd, bytes, len)) {
        return 0;
    }
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? QKD_ERR_LIMIT : QKD_ERR_IO;
}

static int write_head(struct emu_flight *flight, const char *name, struct emu_why *why)
{
    char head[EMU_FLIGHT_HEAD_LEN + 1 + EMU_FLIGHT_NAME_MAX + 1];
    int len = snprintf(head, sizeof head, "%s%c%s", EMU_FLIGHT_HEAD, (int)strlen(name), name);
    int err = write_all(flight->fd, (const uint8_t *)head, (size_t)len);
    return err == 0
               ? 0
               : emu_fail(why, err, "%s: cannot be written: %s", flight->path, strerror(errno));
}

static int go_on(struct emu_flight *flight, const char *name, struct emu_why *why)
{
    struct stat about;
    uint64_t end = 0;
    if (fstat(flight->fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return emu_fail(why, QKD_ERR_IO, "%s: not a regular file", flight->path);
    }
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return emu_fail(why, QKD_ERR_DENIED,
                        "%s: a flight record contains keys and must be closed to group and others",
                        flight->path);
    }
    if (about.st_size == 0) { /* killed before its first write */
        return write_head(flight, name, why);
    }
    int err = find_end(flight, name, &end, why);
    if (err == 0 && ftruncate(flight->fd, (off_t)end) != 0) {
        err = emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", flight->path, strerror(errno));
    }
    return err;
}

int emu_flight_open(const char *path, const char *name, struct emu_flight **flight,
                    struct emu_why *why)
{
    QKD_ASSERT(name[0] != '\0' && strlen(name) <= EMU_FLIGHT_NAME_MAX);
    struct emu_flight *opened = calloc(1, sizeof *opened);
    *flight = NULL;
    if (opened != NULL) {
        opened->fd = -1;
        opened->path = malloc(strlen(path) + 1);
    }
    if (opened == NULL || opened->path == NULL) {
        free(opened);
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    memcpy(opened->path, path, strlen(path) + 1);
    opened->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                      S_IRUSR | S_IWUSR);
    int err = opened->fd < 0
                  ? emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno))
                  : go_on(opened, name, why);
    if (err != 0) {
        emu_flight_close(opened);
        return err;
    }
    *flight = opened;
    return 0;
}

void emu_flight_close(struct emu_flight *flight)
{
    if (flight == NULL) {
        return;
    }
    (void)emu_flight_flush(flight, NULL);
    if (flight->fd >= 0) {
        (void)close(flight->fd);
    }
    if (flight->buffer != NULL) {
        crypto_wipe(flight->buffer, flight->cap);
    }
    free(flight->buffer);
    free(flight->path);
    free(flight);
}

/* ---- entries ---- */

/* Room for len more bytes; not realloc: old bytes are wiped before their memory goes back. */
static bool buffer_grow(struct emu_flight *flight, size_t len)
{
    size_t cap = flight->cap == 0 ? BUFFER_FIRST : flight->cap;
    while (cap - flight->len < len) {
        cap *= 2;
    }
    uint8_t *buffer = malloc(cap);
    if (buffer == NULL) {
        return false;
    }
    if (flight->buffer != NULL) {
        memcpy(buffer, flight->buffer, flight->len);
        crypto_wipe(flight->buffer, flight->len);
        free(flight->buffer);
    }
    flight->buffer = buffer;
    flight->cap = cap;
    return true;
}

int emu_flight_flush(struct emu_flight *flight, struct emu_why *why)
{
    if (flight->failed == 0 && flight->len > 0) {
        flight->failed = write_all(flight->fd, flight->buffer, flight->len);
        flight->system = errno;
    }
    if (flight->len > 0) {
        crypto_wipe(flight->buffer, flight->len);
        flight->len = 0;
    }
    return flight->failed == 0
               ? 0
               : emu_fail(why, flight->failed, "%s: the flight record ends here: %s", flight->path,
                          flight->failed == QKD_ERR_NOMEM ? "out of memory"
                                                          : strerror(flight->system));
}

void emu_flight_put(struct emu_flight *flight, const struct emu_flight_entry *entry)
{
    size_t size = emu_flight_size(entry);
    QKD_ASSERT(size <= EMU_FLIGHT_ENTRY_MAX);
    if (flight->len >= BUFFER_FULL) {
        (void)emu_flight_flush(flight, NULL);
    }
    if (flight->failed != 0) {
        return;
    }
    if (flight->cap - flight->len < size && !buffer_grow(flight, size)) {
        flight->failed = QKD_ERR_NOMEM;
        return;
    }
    emu_flight_encode(entry, flight->buffer + flight->len);
    flight->len += size;
}

/* ---- batches ---- */

static struct emu_flight_bytes slice(const struct qkd_out *out, struct qkd_slice from)
{
    return (struct emu_flight_bytes){from.len > 0 ? qkd_out_at(out, from) : NULL, from.len};
}

static void persists_put(struct emu_flight *flight, struct qkd_time at, const struct qkd_out *out,
                         size_t from)
{
    for (size_t i = from; i < out->persist_count; i++) {
        const struct qkd_persist *put = &out->persist[i];
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_PERSIST, .at = at};
        entry.u.persist.owner = put->owner;
        entry.u.persist.del = put->del ? 1 : 0;
        entry.u.persist.kind = put->kind;
        entry.u.persist.key_len = put->key_len;
        memcpy(entry.u.persist.key, put->key, put->key_len);
        entry.u.persist.value = slice(out, put->value);
        emu_flight_put(flight, &entry);
    }
}

static void sends_put(struct emu_flight *flight, struct qkd_time at, const struct qkd_out *out,
                      size_t from)
{
    for (size_t i = from; i < out->send_count; i++) {
        const struct qkd_send *send = &out->send[i];
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_SEND, .at = at};
        entry.u.message.rp = (uint8_t)send->rp;
        entry.u.message.flags = send->flags;
        entry.u.message.from = send->from;
        entry.u.message.to = send->to;
        entry.u.message.bytes = slice(out, send->bytes);
        entry.u.message.observed = slice(out, send->observed);
        emu_flight_put(flight, &entry);
    }
}

static void reports_put(struct emu_flight *flight, struct qkd_time at, const struct qkd_out *out,
                        size_t from)
{
    for (size_t i = from; i < out->report_count; i++) {
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_REPORT, .at = at};
        entry.u.report.report = out->report[i];
        entry.u.report.bytes = slice(out, out->report[i].bytes);
        emu_flight_put(flight, &entry);
    }
}

void emu_flight_step(struct emu_flight *flight, struct qkd_time at, const struct qkd_out *out,
                     const struct qkd_out *before)
{
    persists_put(flight, at, out, before->persist_count);
    sends_put(flight, at, out, before->send_count);
    reports_put(flight, at, out, before->report_count);
}
