/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One direction of a connection with attackers in its middle: bytes are cut into TLS records (RFC 8446, 5.1),
 * each attacker on the way sees each record and, by chance, does to those with data what it is there for. Bytes
 * that are no TLS are passed on as they come, each read as one message. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/attack/attack_internal.h"
#include "emu/base/file.h"

/* ---- queues ---- */

static struct emu_piece *piece_new(const uint8_t *bytes, size_t len)
{
    struct emu_piece *piece = calloc(1, sizeof *piece + len);
    if (piece != NULL) {
        memcpy(piece->bytes, bytes, len);
        piece->len = len;
    }
    return piece;
}

static void piece_append(struct emu_lane *lane, struct emu_piece *piece)
{
    struct emu_piece **at = &lane->first;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    piece->next = NULL;
    *at = piece;
    lane->queued += piece->len;
}

static void piece_delay(struct emu_lane *lane, struct emu_piece *piece)
{
    piece->next = lane->late;
    lane->late = piece;
}

/* Repetitions that are due go to the end of what waits. */
static void late_move(struct emu_lane *lane, int64_t now_ms)
{
    struct emu_piece **at = &lane->late;
    while (*at != NULL) {
        struct emu_piece *piece = *at;
        if (piece->due_ms <= now_ms) {
            *at = piece->next;
            piece_append(lane, piece);
        } else {
            at = &piece->next;
        }
    }
}

bool emu_lane_send(struct emu_lane *lane, int fd, int64_t now_ms)
{
    late_move(lane, now_ms);
    while (lane->first != NULL && lane->first->due_ms <= now_ms) {
        struct emu_piece *piece = lane->first;
        ssize_t n = send(fd, piece->bytes + piece->at, piece->len - piece->at, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        }
        piece->at += (size_t)n;
        lane->queued -= (size_t)n;
        if (piece->at == piece->len) {
            lane->first = piece->next;
            free(piece);
        }
    }
    return true;
}

int64_t emu_lane_due(const struct emu_lane *lane)
{
    int64_t due_ms = lane->first != NULL ? lane->first->due_ms : INT64_MAX;
    for (const struct emu_piece *piece = lane->late; piece != NULL; piece = piece->next) {
        due_ms = piece->due_ms < due_ms ? piece->due_ms : due_ms;
    }
    return due_ms;
}

static void pieces_free(struct emu_piece *piece)
{
    while (piece != NULL) {
        struct emu_piece *next = piece->next;
        free(piece);
        piece = next;
    }
}

void emu_lane_fini(struct emu_lane *lane)
{
    pieces_free(lane->first);
    pieces_free(lane->late);
    emu_bytes_fini(&lane->in);
    free(lane->before);
}

/* ---- what attackers do ---- */

static void listen_to(struct emu_attacker *attacker, const uint8_t *bytes, size_t len)
{
    if (attacker->file >= 0 && attacker->kept + len <= EMU_ATTACK_SEEN_MAX &&
        emu_file_put(attacker->file, bytes, len)) {
        attacker->kept += len;
    }
}

/* Where a flip may begin in a record, and before what it ends. */
static void part_of(const struct emu_lane *lane, enum scn_part part, size_t len, size_t *from,
                    size_t *to)
{
    *from = 0;
    *to = len;
    if (lane->plain || len <= TLS_HEAD + TLS_TAG) {
        return;
    }
    *from = part == SCN_PART_HEAD ? 0 : part == SCN_PART_TAG ? len - TLS_TAG : TLS_HEAD;
    *to = part == SCN_PART_HEAD                          ? TLS_HEAD
          : part == SCN_PART_ANY || part == SCN_PART_TAG ? len
                                                         : len - TLS_TAG;
}

static void flip(const struct emu_lane *lane, struct emu_attacker *attacker,
                 struct emu_piece *piece)
{
    size_t from = 0;
    size_t to = 0;
    part_of(lane, attacker->plan->part, piece->len, &from, &to);
    size_t at = from + qkd_rng_below(&attacker->rng, to - from);
    for (size_t i = at; i < to && i < at + attacker->plan->bytes; i++) {
        piece->bytes[i] ^= (uint8_t)attacker->plan->mask;
    }
}

/* The head of this one goes on with the body of the last one. */
static bool splice(const struct emu_lane *lane, struct emu_piece *piece)
{
    if (lane->before_len <= TLS_HEAD || piece->len <= TLS_HEAD) {
        return false;
    }
    size_t body = (piece->len < lane->before_len ? piece->len : lane->before_len) - TLS_HEAD;
    memcpy(piece->bytes + TLS_HEAD, lane->before + TLS_HEAD, body);
    return true;
}

/* What comes besides the record itself: itself again, or one made up that is as long. */
static int extra(struct emu_lane *lane, struct emu_attacker *attacker,
                 const struct emu_piece *piece)
{
    struct emu_piece *more = piece_new(piece->bytes, piece->len);
    if (more == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (attacker->plan->what == SCN_ATTACK_FORGE) {
        size_t head = lane->plain || piece->len <= TLS_HEAD ? 0 : TLS_HEAD;
        qkd_rng_bytes(&attacker->rng, more->bytes + head, more->len - head);
        more->due_ms = emu_attack_now_ms();
    } else {
        more->due_ms = emu_attack_now_ms() + attacker->plan->delay_ns / 1000000;
    }
    piece_delay(lane, more);
    return QKD_OK;
}

/* Does it; the piece is NULL if it does not go on. */
static int act(struct emu_lane *lane, struct emu_attacker *attacker, struct emu_piece **piece)
{
    bool arrives = true;
    switch (attacker->plan->what) {
    case SCN_ATTACK_FLIP:
        flip(lane, attacker, *piece);
        break;
    case SCN_ATTACK_SPLICE:
        if (!splice(lane, *piece)) {
            return QKD_OK;
        }
        break;
    case SCN_ATTACK_DROP:
        free(*piece);
        *piece = NULL;
        arrives = false;
        break;
    case SCN_ATTACK_DELAY:
        (*piece)->due_ms = emu_attack_now_ms() + attacker->plan->delay_ns / 1000000;
        arrives = false;
        break;
    case SCN_ATTACK_REPLAY:
    case SCN_ATTACK_FORGE:
        if (extra(lane, attacker, *piece) != QKD_OK) {
            return QKD_ERR_NOMEM;
        }
        break;
    default: /* the others have connections of their own */
        return QKD_OK;
    }
    attacker->sum.touched++;
    attacker->sum.forged += arrives;
    return QKD_OK;
}

static int keep_last(struct emu_lane *lane, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len);
    if (copy == NULL) {
        return QKD_ERR_NOMEM;
    }
    memcpy(copy, bytes, len);
    free(lane->before);
    lane->before = copy;
    lane->before_len = len;
    return QKD_OK;
}

static int record_pass(struct emu_attack *attack, struct emu_tapped *tapped, struct emu_lane *lane,
                       const uint8_t *bytes, size_t len)
{
    struct emu_piece *piece = piece_new(bytes, len);
    bool has_data = lane->plain || bytes[0] == TLS_DATA;
    int err = piece == NULL ? QKD_ERR_NOMEM : QKD_OK;
    for (size_t i = 0; i < attack->options.scenario->attack_count && err == QKD_OK; i++) {
        struct emu_attacker *attacker = &attack->attackers[i];
        if (!tapped->place->stands[i] || !emu_attacker_acts(attack, attacker)) {
            continue;
        }
        attacker->bytes += len;
        attacker->sum.seen += has_data;
        if (attacker->plan->what == SCN_ATTACK_LISTEN) {
            listen_to(attacker, bytes, len);
            emu_attacker_first(attack, attacker);
        } else if (has_data && piece != NULL &&
                   qkd_rng_unit(&attacker->rng) < attacker->plan->probability) {
            uint64_t before = attacker->sum.touched;
            err = act(lane, attacker, &piece);
            if (attacker->sum.touched > before) {
                emu_attacker_first(attack, attacker);
                tapped->touched = tapped->touched == NULL ? attacker : tapped->touched;
            }
        }
    }
    if (piece != NULL) {
        piece_append(lane, piece);
    }
    return err == QKD_OK && has_data ? keep_last(lane, bytes, len) : err;
}

/* Bytes of the record at the front; 0: it is not whole. */
static size_t record_len(struct emu_lane *lane, const uint8_t *at, size_t len)
{
    if (!lane->plain && len >= 3 && (at[0] < 20 || at[0] > 24 || at[1] != 3)) {
        lane->plain = true;
    }
    if (lane->plain) {
        return len;
    }
    if (len < TLS_HEAD) {
        return 0;
    }
    size_t body = (size_t)at[3] << 8 | at[4];
    if (body > RECORD_MOST) {
        lane->plain = true;
        return len;
    }
    return len < TLS_HEAD + body ? 0 : TLS_HEAD + body;
}

static int said_keep(struct emu_tapped *tapped, const uint8_t *bytes, size_t len)
{
    size_t room = SAID_MOST - (tapped->said.tail - tapped->said.head);
    len = len < room ? len : room;
    int err = emu_bytes_reserve(&tapped->said, len);
    if (err == QKD_OK && len > 0) {
        memcpy(tapped->said.at + tapped->said.tail, bytes, len);
        tapped->said.tail += len;
    }
    return err;
}

int emu_lane_take(struct emu_attack *attack, struct emu_tapped *tapped, unsigned side)
{
    struct emu_lane *lane = &tapped->lanes[side];
    int err = QKD_OK;
    while (err == QKD_OK && lane->in.tail > lane->in.head) {
        const uint8_t *at = lane->in.at + lane->in.head;
        size_t len = record_len(lane, at, lane->in.tail - lane->in.head);
        if (len == 0) {
            break;
        }
        err = record_pass(attack, tapped, lane, at, len);
        if (err == QKD_OK && side == 0) {
            err = said_keep(tapped, at, len);
        }
        emu_bytes_drop(&lane->in, len);
    }
    return err;
}
