/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle: life-cycle records, where KMAs and KSAs hand them to their KMC. Most are of no interest:
 * of each only action and class are looked at, where the codec puts them, and only a KMA-key that
 * expired or was discarded is decoded. */
#include "core/wire/life.h"
#include "watch/oracle_state.h"

enum {
    AT_BITMAP = 4,
    AT_ACTION = 24, /* record length, bitmap, when, at */
    AT_CLASS = 25,
    RECORD_LEAST = 42, /* up to the end of the key's ID */
    HAS_THEN = 1 << 12 /* the thirteenth optional field: further actions */
};

static bool is_end(unsigned action)
{
    return action == WIRE_ACTION_DISCARD || action == WIRE_ACTION_EXPIRY;
}

static bool may_end(const uint8_t *record)
{
    return record[AT_CLASS] == WIRE_CLASS_KMA &&
           (is_end(record[AT_ACTION]) || (wire_get_u32(record + AT_BITMAP) & HAS_THEN) != 0);
}

/* Bytes of the record that `rest` begins with; 0 if it is none. */
static size_t life_read(struct watch_oracle *o, const struct wire_bytes *rest, struct qkd_eid by)
{
    size_t size = rest->len >= RECORD_LEAST ? wire_get_u32(rest->at) : 0;
    if (size < RECORD_LEAST || size > rest->len) {
        return 0;
    }
    if (may_end(rest->at)) {
        struct wire_life life;
        size_t rows = wire_life_decode(&life, rest->at, size) > 0 ? wire_life_rows(&life) : 0;
        for (size_t i = 0; i < rows; i++) {
            struct wire_life row = wire_life_row(&life, i);
            if (is_end(row.action)) {
                bool old = row.action == WIRE_ACTION_EXPIRY;
                watch_orc_key_over(o, &row.id, by,
                                   old ? WATCH_ORC_KEY_EXPIRED : WATCH_ORC_KEY_DISCARDED);
            }
        }
        size = rows > 0 ? size : 0;
    }
    return size;
}

void watch_orc_life(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed)
{
    enum qkd_role role = qkd_eid_role(send->from);
    if (send->rp != QKD_RP_KMI || (role != QKD_ROLE_KMA && role != QKD_ROLE_KSA)) {
        return; /* modules know no such keys; what a KMC forwards was seen before */
    }
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    struct wire_metadata report;
    bool good = wire_metadata_decode(&report, observed, send->observed.len) == 0;
    struct wire_bytes rest = report.records; /* empty if malformed */
    while (good && rest.len > 0) {
        size_t size = life_read(o, &rest, send->from);
        good = size > 0;
        rest.at += size;
        rest.len -= size;
    }
    (void)watch_orc_check(o, good, "rule 6: METADATA malformed", &scene);
}
