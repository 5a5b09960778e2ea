/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key files of a module agent: from the optics' block to the KMA's acknowledgement (FG QIT4N D2.3
 * clause 7.1.1; Table 7-1 group 1). */
#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/module/element.h"

/* Above this error rate no secret key is left in BB84 with one-way processing (Shor and Preskill,
 * Phys. Rev. Lett. 85, 441 (2000)): whatever block comes with it deserves an alarm. */

enum {
    BACKOFF_LIMIT = 4, /* 2^4 = 16 times the first repetition */
    SEED_LEN = 32,
    OVERDUE_BLOCKS = 3 /* block times without a block that make a fault */
};

static struct qkd_span backoff(const struct mod *mod, uint32_t tries)
{
    uint32_t doublings = tries < BACKOFF_LIMIT ? tries : BACKOFF_LIMIT;
    return qkd_span_ns(mod->config.retransmit.ns * (INT64_C(1) << doublings));
}

/* Seals and sends one file; a channel that is not up will send it when it is. */
static void file_send(struct mod *mod, const struct qkd_event *event, struct mod_file *file,
                      struct qkd_out *out)
{
    struct wire_key_file message = {
        .head = mod_head(mod, QKD_RP_KQ1, 0),
        .has_qkd_key_id = true,
        .qkd_key_id = file->id,
        .has_key_length = true,
        .key_length = file->key_length,
        .has_module_id = true,
        .module_id = mod->config.self,
        .has_matching_module_id = true,
        .matching_module_id = mod->matching,
        .has_generated = true,
        .generated = file->generated,
        .has_hash = true,
        .link = mod->link,
        .form = file->form,
        .key = {file->key, file->key_len},
    };
    if (file->message_id == 0) {
        file->message_id = message.head.message_id;
    } else {
        message.head.message_id = file->message_id; /* a repetition is the same message */
    }
    memcpy(message.hash.b, file->hash, sizeof message.hash.b);
    size_t cap = wire_key_file_size(&message);
    uint8_t *to = qkd_out_scratch(out, cap);
    int len = to == NULL ? QKD_ERR_NOMEM : wire_key_file_encode(&message, to, cap);
    if (len > 0) {
        struct chan_send send = {QKD_RP_KQ1, mod->kma, to, (size_t)len, 0};
        (void)chan_send(mod->chans, event, &send, out); /* lost: the repetition comes */
    }
}

static void file_repeat_later(struct mod *mod, const struct qkd_event *event, uint32_t slot,
                              struct qkd_out *out)
{
    struct mod_file *file = mod_files_at(&mod->files, slot);
    struct qkd_time at = qkd_time_add(event->now, backoff(mod, file->tries));
    file->tries++;
    if (file->timer == QKD_TIMER_NONE) {
        file->timer = qkd_timers_set(&mod->timers, at, slot);
        out->failed |= file->timer == QKD_TIMER_NONE;
    } else {
        qkd_timers_move(&mod->timers, file->timer, at);
    }
}

/* Sends what the window allows. Nothing before the channel is up: its queue holds only a few. */
static void files_send(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    if (mod->files.held > 0 || !chan_is_up(mod->chans, QKD_RP_KQ1, mod->kma)) {
        return;
    }
    for (uint32_t slot = mod_files_next(&mod->files); slot != MOD_FILE_NONE;
         slot = mod_files_next(&mod->files)) {
        struct mod_file *file = mod_files_at(&mod->files, slot);
        file->message_id = 0;
        file->tries = 0;
        mod_files_set(&mod->files, slot, MOD_FILE_SENT);
        file_send(mod, event, file, out);
        file_repeat_later(mod, event, slot, out);
    }
}

static void file_done(struct mod *mod, uint32_t slot)
{
    qkd_timers_cancel(&mod->timers, &mod_files_at(&mod->files, slot)->timer);
    mod_files_set(&mod->files, slot, MOD_FILE_DONE);
}

static void life_generated(struct mod *mod, const struct qkd_event *event,
                           const struct wire_q_block *block, struct qkd_out *out)
{
    struct wire_life life = {
        .when = event->wall,
        .at = mod->config.self,
        .action = WIRE_ACTION_GENERATION,
        .key_class = WIRE_CLASS_QKD,
        .id = block->qkd_key_id,
        .has_key_length = true,
        .key_length = block->key_length,
        .has_source = true,
        .source = mod->config.self,
        .has_destination = true,
        .destination = mod->matching,
        .has_link = true,
        .link = mod->link,
    };
    chan_report_life(&mod->reports, event, &life, out);
}

static bool block_good(const struct wire_q_block *block)
{
    bool length_ok = block->form == 1 ? block->key.len == SEED_LEN
                                      : block->key.len == ((size_t)block->key_length + 7) / 8;
    return block->form <= 1 && block->key_length > 0 && length_ok;
}

void mod_expect_block(struct mod *mod, const struct qkd_event *event, bool run)
{
    struct qkd_span wait = qkd_span_ns(OVERDUE_BLOCKS * mod->block_time.ns);
    mod->silent_at = run && wait.ns > 0 ? qkd_time_add(event->now, wait) : QKD_NEVER;
}

void mod_silence_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    if (!qkd_time_before(event->now, mod->silent_at)) {
        mod->silent_at = QKD_NEVER;
        mod->rate_bps = 0;
        (void)chan_report_raise(&mod->reports, event, WIRE_FAULT_NO_KEY, mod->link, out);
    }
}

/* A block came: how long the next may take. */
static void block_seen(struct mod *mod, const struct qkd_event *event,
                       const struct wire_q_block *block, struct qkd_out *out)
{
    mod->blocks++;
    mod->rate_bps = block->rate_bps;
    uint64_t ns = (uint64_t)block->key_length * (uint64_t)QKD_NS_PER_S; /* below 2^62 */
    ns = block->rate_bps > 0 ? ns / block->rate_bps : 0;
    mod->block_time = qkd_span_ns(ns < INT64_MAX / OVERDUE_BLOCKS ? (int64_t)ns : 0);
    mod_expect_block(mod, event, mod->told_run);
    (void)chan_report_clear(&mod->reports, event, WIRE_FAULT_NO_KEY, mod->link, out);
}

/* Of light that it does not ask for it knows nothing, nor will it be told that the noise is over. */
static void noise_seen(struct mod *mod, const struct qkd_event *event, uint32_t qber_ppm,
                       struct qkd_out *out)
{
    if (!mod->told_run && qber_ppm > WIRE_QBER_LIMIT_PPM) {
        qber_ppm = 0;
    }
    mod->qber_ppm = qber_ppm;
    if (qber_ppm > WIRE_QBER_LIMIT_PPM) {
        (void)chan_report_raise(&mod->reports, event, WIRE_FAULT_QBER_HIGH, mod->link, out);
    } else {
        (void)chan_report_clear(&mod->reports, event, WIRE_FAULT_QBER_HIGH, mod->link, out);
    }
}

void mod_noise_forget(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    noise_seen(mod, event, mod->qber_ppm, out);
}

static void bad_bytes(const struct mod *mod, const struct qkd_event *event, int err,
                      struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                             .who = mod->config.self,
                                             .peer = event->u.recv.from,
                                             .a = QKD_RP_Q,
                                             .b = (uint64_t) - (err ? err : QKD_ERR_FORMAT)});
}

void mod_noise(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_q_noise noise;
    int err = wire_q_noise_decode(&noise, event->u.recv.bytes, event->u.recv.len);
    if (err != QKD_OK) {
        bad_bytes(mod, event, err, out);
    } else if (mod->linked) {
        noise_seen(mod, event, noise.qber_ppm, out);
        mod_watchers_tell(mod, event, out);
    }
}

void mod_block(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_q_block block;
    int err = wire_q_block_decode(&block, event->u.recv.bytes, event->u.recv.len);
    if (err != QKD_OK || !block_good(&block)) {
        mod->dropped++;
        bad_bytes(mod, event, err, out);
        return;
    }
    block_seen(mod, event, &block, out);
    noise_seen(mod, event, block.qber_ppm, out);
    if (!mod->linked || mod_files_has(&mod->files, &block.qkd_key_id)) {
        mod->dropped++;
        return;
    }
    uint32_t slot = mod_files_push(&mod->files, block.key);
    if (slot == MOD_FILE_NONE) {
        mod->dropped++;
        (void)chan_report_raise(&mod->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        return;
    }
    struct mod_file *file = mod_files_at(&mod->files, slot);
    struct crypto_part part = {file->key, file->key_len};
    file->id = block.qkd_key_id;
    file->key_length = block.key_length;
    file->form = block.form;
    file->generated = event->wall;
    if (crypto_sha256(&part, 1, file->hash) != QKD_OK) {
        mod->dropped++;
        mod_files_set(&mod->files, slot, MOD_FILE_DONE);
        return;
    }
    life_generated(mod, event, &block, out);
    files_send(mod, event, out);
}

void mod_push_acked(struct mod *mod, const struct qkd_event *event,
                    const struct chan_message *message, struct qkd_out *out)
{
    struct wire_key_file_ack ack;
    if (wire_key_file_ack_decode(&ack, message->bytes, message->len) != QKD_OK) {
        return;
    }
    uint32_t slot = mod_files_find(&mod->files, ack.head.orig_message_id);
    if (slot == MOD_FILE_NONE ||
        !qkd_id_eq(&mod_files_at(&mod->files, slot)->id, &ack.qkd_key_id)) {
        return; /* D23-GM-01: no command outstanding that this answers */
    }
    switch (ack.code) {
    case WIRE_FILE_STORED:
        file_done(mod, slot);
        (void)chan_report_clear(&mod->reports, event, WIRE_FAULT_STORE_LIMIT, 0, out);
        break;
    case WIRE_FILE_FULL:
        qkd_timers_cancel(&mod->timers, &mod_files_at(&mod->files, slot)->timer);
        mod_files_set(&mod->files, slot, MOD_FILE_HELD);
        break;
    case WIRE_FILE_REFUSED:
        file_done(mod, slot);
        mod->dropped++;
        break;
    default:
        return;
    }
    mod_device_update(mod, event, out);
    files_send(mod, event, out);
}

void mod_push_resume(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t i = mod->files.first; i != MOD_FILE_NONE;) {
        const struct mod_file *file = mod_files_at(&mod->files, i);
        if (file->state == MOD_FILE_HELD) {
            mod_files_set(&mod->files, i, MOD_FILE_WAITING);
        }
        i = file->next;
    }
    files_send(mod, event, out);
}

/* The KMA authenticated (again): a restarted one knows nothing of files sent or held. */
void mod_push_connected(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t i = mod->files.first; i != MOD_FILE_NONE;) {
        struct mod_file *file = mod_files_at(&mod->files, i);
        if (file->state == MOD_FILE_SENT) {
            file->tries = 0;
            file_send(mod, event, file, out);
            file_repeat_later(mod, event, i, out);
        }
        i = file->next;
    }
    mod_push_resume(mod, event, out);
}

void mod_push_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out)
{
    uint64_t slot;
    while (qkd_timers_pop(&mod->timers, event->now, &slot)) {
        struct mod_file *file = mod_files_at(&mod->files, (uint32_t)slot);
        file->timer = QKD_TIMER_NONE;
        if (chan_is_up(mod->chans, QKD_RP_KQ1, mod->kma)) {
            file_send(mod, event, file, out);
        }
        file_repeat_later(mod, event, (uint32_t)slot, out);
    }
}
