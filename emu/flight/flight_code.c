/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entries of a flight record as bytes and back. One table of fields per type serves size, encoder
 * and decoder: each walks the entry with its own kind of cursor. */
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/flight/flight.h"

enum { HEAD_LEN = 8, KEY_MAX = 32 };

/* A walk over the fields: counts (to and from NULL), writes or reads. */
struct walk {
    uint8_t *to;
    const uint8_t *from;
    size_t left; /* bytes to read */
    size_t done;
    bool bad; /* reading: the bytes end too early, or say what cannot be */
};

/* Where the next len bytes are read; NULL if they are not there. */
static const uint8_t *take(struct walk *walk, size_t len)
{
    if (walk->bad || len > walk->left) {
        walk->bad = true;
        return NULL;
    }
    const uint8_t *at = walk->from + walk->done;
    walk->left -= len;
    walk->done += len;
    return at;
}

static void walk_u8(struct walk *walk, uint8_t *value)
{
    if (walk->from != NULL) {
        const uint8_t *at = take(walk, 1);
        *value = at != NULL ? *at : 0;
        return;
    }
    if (walk->to != NULL) {
        walk->to[walk->done] = *value;
    }
    walk->done += 1;
}

static void walk_u32(struct walk *walk, uint32_t *value)
{
    if (walk->from != NULL) {
        const uint8_t *at = take(walk, 4);
        *value = at != NULL ? wire_get_u32(at) : 0;
        return;
    }
    if (walk->to != NULL) {
        wire_put_u32(walk->to + walk->done, *value);
    }
    walk->done += 4;
}

static void walk_u64(struct walk *walk, uint64_t *value)
{
    if (walk->from != NULL) {
        const uint8_t *at = take(walk, 8);
        *value = at != NULL ? wire_get_u64(at) : 0;
        return;
    }
    if (walk->to != NULL) {
        wire_put_u64(walk->to + walk->done, *value);
    }
    walk->done += 8;
}

static void walk_time(struct walk *walk, struct qkd_time *time)
{
    uint64_t value = (uint64_t)time->ns;
    walk_u64(walk, &value);
    time->ns = (int64_t)value;
}

static void walk_fixed(struct walk *walk, uint8_t *bytes, size_t len)
{
    if (walk->from != NULL) {
        const uint8_t *at = take(walk, len);
        if (at != NULL && len > 0) {
            memcpy(bytes, at, len);
        }
        return;
    }
    if (walk->to != NULL && len > 0) {
        memcpy(walk->to + walk->done, bytes, len);
    }
    walk->done += len;
}

static void walk_bytes(struct walk *walk, struct emu_flight_bytes *bytes)
{
    uint32_t len = (uint32_t)bytes->len;
    walk_u32(walk, &len);
    if (walk->from != NULL) {
        bytes->at = take(walk, len);
        bytes->len = bytes->at != NULL ? len : 0;
        return;
    }
    if (walk->to != NULL && len > 0) {
        memcpy(walk->to + walk->done, bytes->at, len);
    }
    walk->done += len;
}

static void walk_persist(struct walk *walk, struct emu_flight_entry *entry)
{
    walk_u64(walk, &entry->u.persist.owner.v);
    walk_u8(walk, &entry->u.persist.del);
    walk_u8(walk, &entry->u.persist.kind);
    walk_u8(walk, &entry->u.persist.key_len);
    if (entry->u.persist.key_len > KEY_MAX || entry->u.persist.del > 1) {
        walk->bad = true;
        return;
    }
    walk_fixed(walk, entry->u.persist.key, entry->u.persist.key_len);
    walk_bytes(walk, &entry->u.persist.value);
}

static void walk_message(struct walk *walk, struct emu_flight_entry *entry)
{
    walk_u8(walk, &entry->u.message.rp);
    walk_u32(walk, &entry->u.message.flags);
    walk_u64(walk, &entry->u.message.from.v);
    walk_u64(walk, &entry->u.message.to.v);
    walk_bytes(walk, &entry->u.message.bytes);
    walk_bytes(walk, &entry->u.message.observed);
    if (entry->u.message.rp >= QKD_RP_COUNT) {
        walk->bad = true;
    }
}

static void walk_report(struct walk *walk, struct emu_flight_entry *entry)
{
    struct qkd_report *report = &entry->u.report.report;
    uint32_t code = (uint32_t)report->code;
    walk_u32(walk, &code);
    report->code = code < QKD_REPORT_COUNT ? (enum qkd_report_code)code : QKD_REPORT_COUNT;
    walk_u64(walk, &report->who.v);
    walk_u64(walk, &report->peer.v);
    walk_fixed(walk, report->id.b, sizeof report->id.b);
    walk_fixed(walk, report->id2.b, sizeof report->id2.b);
    walk_u64(walk, &report->a);
    walk_u64(walk, &report->b);
    walk_u64(walk, &report->c);
    walk_u64(walk, &report->d);
    walk_u64(walk, &report->e);
    walk_bytes(walk, &entry->u.report.bytes);
    if (code >= QKD_REPORT_COUNT) {
        walk->bad = true;
    }
}

static void walk_entry(struct walk *walk, struct emu_flight_entry *entry)
{
    uint8_t type = (uint8_t)entry->type;
    walk_u8(walk, &type);
    walk_time(walk, &entry->at);
    entry->type = (enum emu_flight_type)type;
    switch (entry->type) {
    case EMU_FLIGHT_START:
        walk_u32(walk, &entry->u.start.incarnation);
        walk_time(walk, &entry->u.start.wall);
        break;
    case EMU_FLIGHT_RECORD:
    case EMU_FLIGHT_PERSIST:
        walk_persist(walk, entry);
        break;
    case EMU_FLIGHT_RECV:
    case EMU_FLIGHT_SEND:
        walk_message(walk, entry);
        break;
    case EMU_FLIGHT_COMMIT:
        walk_u32(walk, &entry->u.commit.entries);
        break;
    case EMU_FLIGHT_REPORT:
        walk_report(walk, entry);
        break;
    case EMU_FLIGHT_WALL:
        walk_time(walk, &entry->u.wall);
        break;
    case EMU_FLIGHT_STOP:
        break;
    default:
        walk->bad = true;
        break;
    }
}

/* Finds a torn or damaged entry; nobody is kept from making one. */
static uint32_t check_of(const uint8_t *bytes, size_t len)
{
    static const uint8_t key[16] = "flight record 1";
    return (uint32_t)crypto_hash64(key, bytes, len);
}

size_t emu_flight_size(const struct emu_flight_entry *entry)
{
    struct emu_flight_entry copy = *entry;
    struct walk walk = {0};
    walk_entry(&walk, &copy);
    QKD_ASSERT(!walk.bad);
    return HEAD_LEN + walk.done;
}

void emu_flight_encode(const struct emu_flight_entry *entry, uint8_t *to)
{
    struct emu_flight_entry copy = *entry;
    struct walk walk = {.to = to + HEAD_LEN};
    walk_entry(&walk, &copy);
    wire_put_u32(to, (uint32_t)walk.done);
    wire_put_u32(to + 4, check_of(to + HEAD_LEN, walk.done));
}

int emu_flight_decode(struct emu_flight_entry *entry, const uint8_t *from, size_t len)
{
    if (len < HEAD_LEN) {
        return QKD_ERR_SHORT;
    }
    size_t body = wire_get_u32(from);
    if (body > EMU_FLIGHT_ENTRY_MAX) {
        return QKD_ERR_FORMAT;
    }
    if (body > len - HEAD_LEN) {
        return QKD_ERR_SHORT;
    }
    if (wire_get_u32(from + 4) != check_of(from + HEAD_LEN, body)) {
        return QKD_ERR_FORMAT;
    }
    struct walk walk = {.from = from + HEAD_LEN, .left = body};
    memset(entry, 0, sizeof *entry);
    walk_entry(&walk, entry);
    return walk.bad || walk.left > 0 ? QKD_ERR_FORMAT : (int)(HEAD_LEN + body);
}
