/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log of a daemon: one JSON object per line, {"time", "level", "daemon", "event", fields...}, to
 * standard error or a file. Levels as docs/conventions.md has them.
 *
 * There is no way to log bytes: a field is a number, a truth value, a name of the program, an ID
 * of an element or of a key, or a text that was made for people (a path, a reason). Key material has
 * none of these types. Lines are made in one piece and written by one write(2), so that those of
 * several daemons in one file do not mix. */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"
#include "emu/base/why.h"

#define EMU_LOG_FIELDS_MAX 16 /* fields of a line */
#define EMU_LOG_TEXT_MAX 1024 /* bytes of a text that are kept; "..." stands for the rest */

enum emu_log_level {
    EMU_LOG_ERROR, /* the run is wrong */
    EMU_LOG_WARN,  /* look before you trust the result */
    EMU_LOG_INFO,  /* state changes */
    EMU_LOG_DEBUG  /* the rest */
};

struct emu_log;

struct emu_log_options {
    const char *daemon;       /* name in each line, at most 63 bytes */
    const char *path;         /* a file to append to; NULL: standard error */
    enum emu_log_level level; /* lines of later levels are dropped */
};

/* QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_log_open(const struct emu_log_options *options, struct emu_log **log, struct emu_why *why);

/* NULL is allowed. */
void emu_log_close(struct emu_log *log);

/* Opens the file again under its name, after it was moved away (SIGHUP); on failure the old one
 * stays in use. */
int emu_log_reopen(struct emu_log *log, struct emu_why *why);

void emu_log_set_level(struct emu_log *log, enum emu_log_level level);

/* "error", "warn", "info", "debug"; and back, false if it is none. */
const char *emu_log_level_name(enum emu_log_level level);
bool emu_log_level_parse(const char *text, enum emu_log_level *level);

/* Whether lines of this level are written: for callers with costly fields. */
bool emu_log_wants(const struct emu_log *log, enum emu_log_level level);

/* One field. Make them with the functions below. */
struct emu_log_field {
    const char *name;
    enum {
        EMU_LOG_INT,
        EMU_LOG_UINT,
        EMU_LOG_REAL,
        EMU_LOG_BOOL,
        EMU_LOG_TEXT,
        EMU_LOG_EID,
        EMU_LOG_ID
    } type;
    union {
        int64_t i;
        uint64_t u;
        double real;
        bool truth;
        const char *text;
        struct qkd_eid eid;
        struct qkd_id id;
    } u;
};

static inline struct emu_log_field emu_log_int(const char *name, int64_t value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_INT, .u.i = value};
}

/* Counts, lengths, rates. */
static inline struct emu_log_field emu_log_uint(const char *name, uint64_t value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_UINT, .u.u = value};
}

/* null in the line if it is not finite. */
static inline struct emu_log_field emu_log_real(const char *name, double value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_REAL, .u.real = value};
}

static inline struct emu_log_field emu_log_bool(const char *name, bool value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_BOOL, .u.truth = value};
}

/* Text for people; NULL is null. Bytes that are no UTF-8 become U+FFFD. */
static inline struct emu_log_field emu_log_text(const char *name, const char *value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_TEXT, .u.text = value};
}

/* "KMA 0@3": role, instance, node. */
static inline struct emu_log_field emu_log_eid(const char *name, struct qkd_eid value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_EID, .u.eid = value};
}

/* A key's ID as UUID. */
static inline struct emu_log_field emu_log_id(const char *name, const struct qkd_id *value)
{
    return (struct emu_log_field){.name = name, .type = EMU_LOG_ID, .u.id = *value};
}

/* Writes a line; event is a fixed word of the program ("peer_up"). What cannot be written is counted
 * and otherwise lost: a daemon does not stop for its log. */
void emu_log(struct emu_log *log, enum emu_log_level level, const char *event,
             const struct emu_log_field *fields, size_t count);

/* Lines that could not be written since open. */
uint64_t emu_log_lost(const struct emu_log *log);

#endif
