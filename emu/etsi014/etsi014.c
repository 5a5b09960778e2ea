/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ETSI GS QKD 014 server: see emu/etsi014/etsi014.h. Requests are read by emu/etsi014/etsi014_json.h; what they ask for goes
 * to the backend under a ticket: a place in a table that grows, and a number that makes it unique. */
#include "emu/etsi014/etsi014.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"

enum { SWEEP_MS = 1000, WITHIN_S = 30, TICKETS_FIRST = 64, SLOT_BITS = 20 };

struct question {
    struct emu_https_call *call; /* NULL: free */
    uint64_t ticket;
    uint64_t until_ms;
    enum emu_e14_method method;
    uint32_t next_free;
    uint32_t wanted; /* keys */
    char sae[EMU_IDENTITY_SIZE];
    char other[EMU_E14_SAE_SIZE];
};

struct emu_etsi014 {
    struct emu_etsi014_config config;
    struct emu_https *https;
    uv_timer_t sweep;
    struct question *questions;
    uint32_t count, first_free; /* first_free == count: none */
    uint64_t next_number;
    struct emu_e14_counts counts;
};

/* ---- answers ---- */

static void count_answer(struct emu_etsi014 *server, enum emu_e14_method method, int code)
{
    enum emu_e14_code place = code == 200   ? EMU_E14_200
                              : code == 400 ? EMU_E14_400
                              : code == 401 ? EMU_E14_401
                              : code == 503 ? EMU_E14_503
                                            : EMU_E14_OTHER;
    server->counts.answers[method][place]++;
}

/* Answers with JSON, which is taken over; text NULL: memory ended. */
static void answer_json(struct emu_etsi014 *server, struct emu_https_call *call,
                        enum emu_e14_method method, int code, char *text, size_t len)
{
    struct emu_https_answer answer = {
        .code = text == NULL ? 503 : code, .type = "application/json", .body = text, .len = len};
    count_answer(server, method, answer.code);
    emu_https_answer(call, &answer);
}

/* 401 has no body (Tables 4, 6, 8). */
static void answer_error(struct emu_etsi014 *server, struct emu_https_call *call,
                         enum emu_e14_method method, const struct emu_e14_error *error)
{
    size_t len = 0;
    if (error->code == 401) {
        count_answer(server, method, 401);
        emu_https_answer(call, &(struct emu_https_answer){.code = 401});
        return;
    }
    char *text = emu_e14_error_write(error, &len);
    if (error->code == 405) {
        struct emu_https_answer answer = {.code = 405,
                                          .type = "application/json",
                                          .allow = method == EMU_E14_STATUS ? "GET, HEAD"
                                                                            : "GET, POST",
                                          .body = text,
                                          .len = len};
        count_answer(server, method, 405);
        emu_https_answer(call, &answer);
        return;
    }
    answer_json(server, call, method, error->code, text, len);
}

static struct emu_e14_error error_of(enum wire_reason reason)
{
    struct emu_e14_error error = {.code = 503};
    switch (reason) {
    case WIRE_REASON_UNAUTHORIZED:
    case WIRE_REASON_ACCESS_DENIED:
        error.code = 401;
        break;
    case WIRE_REASON_UNKNOWN_KEY:
    case WIRE_REASON_EXPIRED:
    case WIRE_REASON_DELETED:
        error.code = 400;
        (void)snprintf(error.message, sizeof error.message, "%s", EMU_E14_TEXT_NOT_FOUND);
        break;
    case WIRE_REASON_UNKNOWN_APPLICATION:
        error.code = 400;
        (void)snprintf(error.message, sizeof error.message, "%s", "the SAE ID is not known");
        break;
    case WIRE_REASON_BAD_REQUEST:
        error.code = 400;
        (void)snprintf(error.message, sizeof error.message, "%s", "bad request format");
        break;
    case WIRE_REASON_INSUFFICIENT_KEY:
    case WIRE_REASON_NO_ROUTE:
    case WIRE_REASON_POLICY:
        (void)snprintf(error.message, sizeof error.message, "%s", EMU_E14_TEXT_SHORT);
        break;
    default:
        (void)snprintf(error.message, sizeof error.message, "error on KME: %s",
                       wire_reason_text(reason));
        break;
    }
    return error;
}

/* ---- tickets ---- */

static bool questions_grow(struct emu_etsi014 *server)
{
    uint32_t count = server->count == 0 ? TICKETS_FIRST : 2 * server->count;
    if (count > UINT32_C(1) << SLOT_BITS) {
        return false;
    }
    struct question *more = realloc(server->questions, count * sizeof *more);
    if (more == NULL) {
        return false;
    }
    server->questions = more;
    for (uint32_t i = server->count; i < count; i++) {
        more[i] = (struct question){.next_free = i + 1};
    }
    server->count = count;
    return true;
}

static struct question *question_open(struct emu_etsi014 *server, struct emu_https_call *call,
                                      const char *sae, const struct emu_e14_target *target)
{
    if (server->first_free == server->count && !questions_grow(server)) {
        return NULL;
    }
    uint32_t slot = server->first_free;
    struct question *question = &server->questions[slot];
    uint64_t within_ms = UINT64_C(1000) * server->config.answer_within_s;
    server->first_free = question->next_free;
    server->counts.open++;
    question->call = call;
    question->ticket = ++server->next_number << SLOT_BITS | slot;
    question->until_ms = uv_now(server->config.https.loop) + within_ms;
    question->method = target->method;
    question->wanted = 0;
    (void)snprintf(question->sae, sizeof question->sae, "%s", sae);
    (void)snprintf(question->other, sizeof question->other, "%s", target->sae);
    return question;
}

/* The question of a ticket; NULL: there is none any more. */
static struct question *question_find(struct emu_etsi014 *server, uint64_t ticket)
{
    uint32_t slot = (uint32_t)(ticket & ((UINT64_C(1) << SLOT_BITS) - 1));
    struct question *question = slot < server->count ? &server->questions[slot] : NULL;
    return question != NULL && question->call != NULL && question->ticket == ticket ? question
                                                                                    : NULL;
}

/* Gives the place back; what the answer needs of it. */
static struct question question_close(struct emu_etsi014 *server, struct question *question)
{
    struct question was = *question;
    question->call = NULL;
    question->next_free = server->first_free;
    server->first_free = (uint32_t)(question - server->questions);
    server->counts.open--;
    return was;
}

bool emu_etsi014_keys(struct emu_etsi014 *server, uint64_t ticket, enum wire_reason reason,
                      const struct emu_e14_keys *keys)
{
    struct question *question = question_find(server, ticket);
    uint32_t given = reason == WIRE_REASON_NONE && keys != NULL ? keys->count : 0;
    if (question == NULL) {
        server->counts.keys_lost += given;
        return false;
    }
    struct question was = question_close(server, question);
    if (reason == WIRE_REASON_NONE && (keys == NULL || keys->count != was.wanted)) {
        reason = WIRE_REASON_INSUFFICIENT_KEY; /* never a container with fewer keys */
    }
    if (reason != WIRE_REASON_NONE) {
        struct emu_e14_error error = error_of(reason);
        server->counts.keys_lost += given;
        answer_error(server, was.call, was.method, &error);
        return true;
    }
    size_t len = 0;
    char *text = emu_e14_keys_write(keys, &len);
    *(text == NULL ? &server->counts.keys_lost : &server->counts.keys) += given;
    answer_json(server, was.call, was.method, 200, text, len);
    return true;
}

bool emu_etsi014_status(struct emu_etsi014 *server, uint64_t ticket, enum wire_reason reason,
                        const struct emu_e14_status *status)
{
    struct question *question = question_find(server, ticket);
    if (question == NULL) {
        return false;
    }
    struct question was = question_close(server, question);
    if (reason != WIRE_REASON_NONE || status == NULL) {
        struct emu_e14_error error = error_of(reason);
        answer_error(server, was.call, was.method, &error);
        return true;
    }
    struct emu_e14_status full = *status;
    full.master_sae = was.sae;
    full.slave_sae = was.other;
    size_t len = 0;
    char *text = emu_e14_status_write(&full, &len);
    answer_json(server, was.call, was.method, 200, text, len);
    return true;
}

/* ---- requests ---- */

/* What a request asks for, whichever form it has. */
struct asked {
    struct emu_e14_enc enc;
    struct emu_e14_dec dec;
};

static bool asked_read(const struct emu_etsi014 *server, const struct emu_https_request *request,
                       const struct emu_e14_target *target, struct asked *asked,
                       struct emu_e14_error *error)
{
    const struct emu_e14_limits *limits = &server->config.limits;
    bool get = strcmp(request->method, "GET") == 0;
    switch (target->method) {
    case EMU_E14_ENC_KEYS:
        return get ? emu_e14_enc_query(target->query, limits, &asked->enc, error)
                   : emu_e14_enc_body(request->body, request->body_len, limits, &asked->enc, error);
    case EMU_E14_DEC_KEYS:
        return get ? emu_e14_dec_query(target->query, &asked->dec, error)
                   : emu_e14_dec_body(request->body, request->body_len, limits->max_key_per_request,
                                      &asked->dec, error);
    default:
        return true;
    }
}

static void ask(struct emu_etsi014 *server, struct question *question, const struct asked *asked)
{
    const struct emu_e14_backend *backend = &server->config.backend;
    struct question copy = *question; /* the table may move, the question be answered meanwhile */
    struct emu_e14_question as = {copy.sae, copy.other, copy.ticket};
    switch (copy.method) {
    case EMU_E14_ENC_KEYS:
        question->wanted = asked->enc.number;
        backend->get(backend->ctx, &as, &asked->enc);
        break;
    case EMU_E14_DEC_KEYS:
        question->wanted = asked->dec.count;
        backend->fetch(backend->ctx, &as, &asked->dec);
        break;
    default:
        backend->status(backend->ctx, &as);
        break;
    }
}

/* E14-T6: each request is the caller's whom the certificate of its connection names. The HTTPS side answers who is
 * nobody, before it looks at what is asked. */
static void on_request(void *ctx, struct emu_https_call *call,
                       const struct emu_https_request *request)
{
    struct emu_etsi014 *server = ctx;
    struct emu_e14_target target = {.method = EMU_E14_METHODS};
    struct emu_e14_error error;
    struct asked asked;
    asked.enc.number = 0;
    asked.dec.count = 0;
    QKD_ASSERT(request->peer[0] != '\0');
    if (!emu_e14_target_read(request->uri, request->method, &target, &error)) {
        answer_error(server, call, error.code == 404 ? EMU_E14_METHODS : target.method, &error);
        return;
    }
    if (!asked_read(server, request, &target, &asked, &error)) {
        answer_error(server, call, target.method, &error);
        return;
    }
    struct question *question = question_open(server, call, request->peer, &target);
    if (question == NULL) {
        error = error_of(WIRE_REASON_OVERLOAD);
        answer_error(server, call, target.method, &error);
        return;
    }
    ask(server, question, &asked);
}

/* ---- life ---- */

static void on_sweep(uv_timer_t *timer)
{
    struct emu_etsi014 *server = timer->data;
    uint64_t now_ms = uv_now(server->config.https.loop);
    struct emu_e14_error error = error_of(WIRE_REASON_TIMEOUT);
    for (uint32_t i = 0; i < server->count; i++) {
        struct question *question = &server->questions[i];
        if (question->call != NULL && now_ms >= question->until_ms) {
            struct question was = question_close(server, question);
            answer_error(server, was.call, was.method, &error);
        }
    }
}

int emu_etsi014_new(const struct emu_etsi014_config *config, struct emu_etsi014 **server,
                    struct emu_why *why)
{
    const struct emu_e14_limits *limits = &config->limits;
    *server = NULL;
    if (limits->max_key_per_request == 0 || limits->max_key_per_request > EMU_E14_IDS_MOST ||
        limits->min_key_size == 0 || limits->min_key_size > limits->max_key_size ||
        config->https.certificate == NULL) {
        return emu_fail(why, QKD_ERR_INVALID, "the limits of the key delivery API are no good");
    }
    struct emu_etsi014 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    made->config = *config;
    made->config.answer_within_s = config->answer_within_s == 0 ? WITHIN_S
                                                                : config->answer_within_s;
    made->config.https.handle = on_request;
    made->config.https.ctx = made;
    int err = emu_https_new(&made->config.https, &made->https, why);
    if (err != QKD_OK) {
        free(made);
        return err;
    }
    (void)uv_timer_init(config->https.loop, &made->sweep);
    made->sweep.data = made;
    (void)uv_timer_start(&made->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *server = made;
    return QKD_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct emu_etsi014 *server = handle->data;
    free(server->questions);
    free(server);
}

void emu_etsi014_free(struct emu_etsi014 *server)
{
    if (server == NULL) {
        return;
    }
    struct emu_e14_error error = error_of(WIRE_REASON_RESTARTED);
    for (uint32_t i = 0; i < server->count; i++) {
        if (server->questions[i].call != NULL) {
            struct question was = question_close(server, &server->questions[i]);
            answer_error(server, was.call, was.method, &error);
        }
    }
    emu_https_free(server->https);
    uv_close((uv_handle_t *)&server->sweep, on_closed);
}

uint16_t emu_etsi014_port(const struct emu_etsi014 *server)
{
    return emu_https_port(server->https);
}

void emu_etsi014_count(const struct emu_etsi014 *server, struct emu_e14_counts *counts)
{
    *counts = server->counts;
    counts->connections = emu_https_connections(server->https);
    counts->refused = emu_https_refused(server->https);
    counts->handshakes = emu_https_begun(server->https);
    counts->answers[EMU_E14_METHODS][EMU_E14_401] += emu_https_strangers(server->https);
}
