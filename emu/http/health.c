/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /healthz (200 "ok", or 503 and why not) and /metrics: see emu/http/health.h. */
#include "emu/http/health.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { CONNECTIONS = 32, BODY = 1024, IDLE_S = 30 };

struct emu_health {
    struct emu_health_config config;
    struct emu_https *https;
};

static void answer_text(struct emu_https_call *call, int code, const char *text)
{
    struct emu_https_answer answer = {.code = code,
                                      .type = "text/plain; charset=utf-8",
                                      .body = strdup(text),
                                      .len = strlen(text)};
    answer.len = answer.body == NULL ? 0 : answer.len;
    emu_https_answer(call, &answer);
}

static void healthz(const struct emu_health *health, struct emu_https_call *call)
{
    struct emu_why why = {""};
    if (health->config.healthy(health->config.ctx, &why)) {
        answer_text(call, 200, "ok\n");
        return;
    }
    size_t len = strlen(why.text);
    why.text[len < sizeof why.text - 1 ? len : len - 1] = '\n';
    why.text[len < sizeof why.text - 1 ? len + 1 : len] = '\0';
    answer_text(call, 503, why.text);
}

static void metrics(const struct emu_health *health, struct emu_https_call *call)
{
    size_t len = 0;
    char *text = health->config.metrics(health->config.ctx, &len);
    if (text == NULL) {
        answer_text(call, 503, "out of memory\n");
        return;
    }
    emu_https_answer(call, &(struct emu_https_answer){.code = 200,
                                                      .type = "text/plain; version=0.0.4; "
                                                              "charset=utf-8",
                                                      .body = text,
                                                      .len = len});
}

static void on_request(void *ctx, struct emu_https_call *call,
                       const struct emu_https_request *request)
{
    size_t len = strcspn(request->uri, "?");
    bool is_health = len == 8 && memcmp(request->uri, "/healthz", len) == 0;
    bool is_metrics = len == 8 && memcmp(request->uri, "/metrics", len) == 0;
    if (!is_health && !is_metrics) {
        answer_text(call, 404, "only /healthz and /metrics are here\n");
    } else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        static const char text[] = "only GET and HEAD\n";
        emu_https_answer(call, &(struct emu_https_answer){.code = 405,
                                                          .type = "text/plain; charset=utf-8",
                                                          .allow = "GET, HEAD",
                                                          .body = strdup(text),
                                                          .len = sizeof text - 1});
    } else if (is_health) {
        healthz(ctx, call);
    } else {
        metrics(ctx, call);
    }
}

int emu_health_new(const struct emu_health_config *config, struct emu_health **health,
                   struct emu_why *why)
{
    struct emu_health *made = calloc(1, sizeof *made);
    *health = NULL;
    if (made == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    made->config = *config;
    struct emu_https_config https = {.loop = config->loop,
                                     .listen = config->listen,
                                     .body_most = BODY,
                                     .connections_most = CONNECTIONS,
                                     .idle_s = IDLE_S,
                                     .handle = on_request,
                                     .ctx = made};
    int err = emu_https_new(&https, &made->https, why);
    if (err != QKD_OK) {
        free(made);
        return err;
    }
    *health = made;
    return QKD_OK;
}

void emu_health_free(struct emu_health *health)
{
    if (health != NULL) {
        emu_https_free(health->https); /* answers nothing more */
        free(health);
    }
}

uint16_t emu_health_port(const struct emu_health *health)
{
    return emu_https_port(health->https);
}
