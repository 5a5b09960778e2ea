/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The flight record of a daemon: what its elements were told, persisted, sent and reported, with
 * the instant of each. From the records of all daemons the oracle, the statistics and the recorder
 * of the virtual worlds (room watch) judge a live run afterwards.
 *
 * IT CONTAINS KEY MATERIAL IN THE CLEAR (messages before sealing, persisted values). It is written
 * only when it is asked for, with mode 0600, and its first lines say so. No secret of it is
 * protected by anything but the file's mode.
 *
 * The writer flushes with write(2), never with fsync(2): a record survives the kill of its daemon,
 * not that of the machine. Order in a daemon's turn, so that nothing is missing after a kill:
 *
 *     RECV, PERSIST ..., SEND ..., REPORT ... of each step   flush   commit of the store
 *     COMMIT   flush   the sends leave
 *
 * So a PERSIST without a COMMIT behind it may or may not have become durable: the RECORDs behind
 * the next START tell. A SEND may be recorded and not have left; none leaves without being recorded.
 *
 * File, integers big-endian: "QKDN-FLIGHT 1\n"; a line of warning; name of the daemon (u8 length,
 * bytes); entries. Entry: u32 bytes that follow, u32 check over them, u8 type, i64 instant, then
 * what the type has, in the order of the structs below; byte strings have a u32 length. */
#ifndef EMU_FLIGHT_H
#define EMU_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/out.h"
#include "emu/base/why.h"

#define EMU_FLIGHT_NAME_MAX 63          /* bytes of a daemon's name */
#define EMU_FLIGHT_ENTRY_MAX (1U << 26) /* bytes of an entry */
#define EMU_FLIGHT_HEAD_LEN (sizeof EMU_FLIGHT_HEAD - 1)
#define EMU_FLIGHT_HEAD                                                                            \
    "QKDN-FLIGHT 1\nWARNING: this file contains secret key material in the clear. Keep it from "   \
    "others and delete it after use.\n"

enum emu_flight_type {
    EMU_FLIGHT_START = 1, /* a new incarnation begins: what was open before is void */
    EMU_FLIGHT_RECORD,    /* an entry that the store handed back at this START */
    EMU_FLIGHT_RECV,      /* bytes are handed to an element */
    EMU_FLIGHT_PERSIST,   /* an entry is about to be committed */
    EMU_FLIGHT_COMMIT,    /* all PERSIST since the last COMMIT are durable */
    EMU_FLIGHT_SEND,      /* bytes are about to leave, or went to a sibling */
    EMU_FLIGHT_REPORT,    /* a report of an element */
    EMU_FLIGHT_WALL,      /* UTC at this instant */
    EMU_FLIGHT_STOP       /* the daemon ends in good order */
};

struct emu_flight_bytes {
    const uint8_t *at;
    size_t len;
};

struct emu_flight_entry {
    enum emu_flight_type type;
    struct qkd_time at; /* CLOCK_MONOTONIC: comparable between daemons of one machine */
    union {
        struct {
            uint32_t incarnation;
            struct qkd_time wall; /* UTC */
        } start;
        struct {
            struct qkd_eid owner;
            uint8_t del; /* 0 or 1; 0 in a RECORD */
            uint8_t kind;
            uint8_t key_len; /* at most 32 */
            uint8_t key[32];
            struct emu_flight_bytes value;
        } persist; /* also RECORD */
        struct {
            uint32_t entries; /* PERSIST it covers */
        } commit;
        struct {
            uint8_t rp;     /* enum qkd_rp */
            uint32_t flags; /* of a SEND: enum qkd_send_flags; 0 in a RECV */
            struct qkd_eid from, to;
            struct emu_flight_bytes bytes;
            struct emu_flight_bytes observed; /* of a SEND: before sealing; empty in a RECV */
        } message;                            /* RECV, SEND */
        struct {
            struct qkd_report report; /* its slice `bytes` is void */
            struct emu_flight_bytes bytes;
        } report;
        struct qkd_time wall; /* UTC */
    } u;
};

/* ---- bytes ---- */

/* Bytes of the entry in a file, its two first integers included. */
size_t emu_flight_size(const struct emu_flight_entry *entry);

/* Writes emu_flight_size() bytes. */
void emu_flight_encode(const struct emu_flight_entry *entry, uint8_t *to);

/* The entry at the front of untrusted bytes, pointing into them: how many it takes.
 * QKD_ERR_SHORT: it is cut off; QKD_ERR_FORMAT: it is none. */
int emu_flight_decode(struct emu_flight_entry *entry, const uint8_t *from, size_t len);

/* ---- writing ---- */

struct emu_flight;

/* Makes the record, or goes on in one that is there for the same daemon: a torn end is cut away.
 * QKD_ERR_DENIED: open to others; QKD_ERR_FORMAT: no flight record, or damaged; QKD_ERR_IO. */
int emu_flight_open(const char *path, const char *name, struct emu_flight **flight,
                    struct emu_why *why);

/* Flushes, wipes, closes; NULL is allowed. */
void emu_flight_close(struct emu_flight *flight);

/* Appends to the buffer. What cannot be kept (memory) is an error of the next flush. */
void emu_flight_put(struct emu_flight *flight, const struct emu_flight_entry *entry);

/* What a step has added to `out`, which was as `before` (only its counts are read): what it persists, its
 * sends, its reports, in the order of the port. So the record shows step after step, though their commit
 * is one. */
void emu_flight_step(struct emu_flight *flight, struct qkd_time at, const struct qkd_out *out,
                     const struct qkd_out *before);

/* Hands what is in the buffer to the kernel. After an error (QKD_ERR_IO, QKD_ERR_LIMIT: no room,
 * QKD_ERR_NOMEM) the record ends where it is: later entries are dropped and the error stays. */
int emu_flight_flush(struct emu_flight *flight, struct emu_why *why);

/* ---- reading ---- */

struct emu_flight_reader;

int emu_flight_reader_open(const char *path, struct emu_flight_reader **reader,
                           struct emu_why *why);

/* From an open file, which stays the caller's; path is for messages. */
int emu_flight_reader_new(FILE *file, const char *path, struct emu_flight_reader **reader,
                          struct emu_why *why);
void emu_flight_reader_free(struct emu_flight_reader *reader); /* wipes; NULL is allowed */

const char *emu_flight_reader_name(const struct emu_flight_reader *reader);

/* The next entry, valid until the next call: 1; 0 at the end; QKD_ERR_FORMAT where the file is
 * damaged; QKD_ERR_IO; QKD_ERR_NOMEM. */
int emu_flight_next(struct emu_flight_reader *reader, struct emu_flight_entry *entry,
                    struct emu_why *why);

/* Bytes of whole entries read so far, head included; whether an entry cut off lies behind them
 * (known at the end). */
uint64_t emu_flight_whole(const struct emu_flight_reader *reader);
bool emu_flight_torn(const struct emu_flight_reader *reader);

/* Many records as one, by instant; entries of one file stay in their order, equal instants go by the
 * order of the paths. */
struct emu_flight_merge;

int emu_flight_merge_open(const char *const *paths, size_t count, struct emu_flight_merge **merge,
                          struct emu_why *why);
void emu_flight_merge_free(struct emu_flight_merge *merge); /* NULL is allowed */

/* As emu_flight_next(); *from: number of the path. */
int emu_flight_merge_next(struct emu_flight_merge *merge, struct emu_flight_entry *entry,
                          size_t *from, struct emu_why *why);
const struct emu_flight_reader *emu_flight_merge_reader(const struct emu_flight_merge *merge,
                                                        size_t number);

#endif
