/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The application agent's state, shared by its files: app.c (events), command.c (what is
 * outstanding at Ak), request.c (master), session.c (master, guaranteed rate), fetch.c (slave), sae.c
 * (asked by an SAE from outside).
 * Internal to app/. */
#ifndef QKD_APP_ELEMENT_H
#define QKD_APP_ELEMENT_H

#include "core/app/app.h"
#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/base/timers.h"
#include "core/channel/channel.h"
#include "core/wire/codec.h"

#define APP_COMMANDS_PER_REQUEST 64 /* a notification's key IDs are fetched by one command each */
#define APP_LIMIT_MOST 65536        /* of app_config.limit */

#define APP_TIMER_SESSION (UINT64_C(1) << 32)
#define APP_SAE_NUMBER_MOST 65535 /* keys of one GET or FETCH that the KSA is asked for */

/* FETCH_LIST and STATUS come from an SAE only, REQUEST from it or from the load. */
enum app_kind { APP_REQUEST, APP_FETCH, APP_DELETE, APP_FETCH_LIST, APP_STATUS };

/* A command at Ak that was not answered for good. */
struct app_command {
    uint8_t kind;  /* enum app_kind */
    bool sent;     /* at least once */
    bool unsent;   /* waits in line for the channel */
    bool patient;  /* request: its own timeout passed, the last resort runs */
    uint8_t grade; /* request: weakest enum wire_method of the keys so far */
    uint32_t timer;
    uint32_t tries;    /* fetch: times sent */
    uint32_t count;    /* request: keys asked for */
    uint32_t parts;    /* request: last count_id seen */
    uint32_t key_size; /* bits */
    uint32_t next_unsent;
    uint32_t sae; /* slot of the SAE's question that it serves, QKD_SLAB_NONE: of none */
    uint64_t message_id;
    uint64_t session_id;
    bool reserved;          /* request: within the session that session_id opened */
    uint64_t supplied_bits; /* request: so far */
    struct qkd_time end;    /* when the agent gives up */
    struct qkd_id key_id;   /* fetch, and deletion by a slave */
    uint32_t list;          /* fetch of several keys: slot of their IDs; else QKD_SLAB_NONE */
};

enum { APP_LIST_MOST = 64 }; /* most keys in one fetch: a KSA-key batch has no more */

/* The key IDs of a fetch of several keys. */
struct app_list {
    struct qkd_id ids[APP_LIST_MOST];
};

/* What an SAE asked, and the keys that came for it, until all have come. */
struct app_sae {
    struct qkd_eid front;               /* who asked */
    uint64_t message_id;                /* of the question */
    struct qkd_eid other;               /* the other SAE */
    uint8_t more[8 * WIRE_TARGETS_MAX]; /* GET: further ones, 8 bytes each */
    uint32_t more_len;
    uint32_t timeout_ms;     /* of a GET */
    uint32_t wanted;         /* keys */
    uint32_t count;          /* keys that came */
    uint8_t grade;           /* enum wire_method, the weakest */
    uint8_t *ids;            /* FETCH: `wanted` IDs; freed with the question */
    uint8_t *room;           /* IDs, sizes and keys that came; wiped and freed with the question */
    size_t key_len, key_cap; /* bytes of keys in `room` */
};

enum app_session_state { APP_SESSION_OPENING, APP_SESSION_OPEN, APP_SESSION_CLOSING };

/* A session with a guaranteed rate. */
struct app_session {
    uint64_t session_id;
    uint32_t count; /* keys per request */
    struct qkd_span hold;
    struct qkd_time end;    /* opening, closing: given up; open: closed */
    struct qkd_time say_at; /* SESSION_OPEN or SESSION_CLOSE is said again */
    struct qkd_time ask_at; /* for the next keys */
    uint32_t timer;
    uint8_t state; /* enum app_session_state */
    uint8_t tries;
};

struct app {
    struct app_config config;
    uint8_t *more; /* config.more, 8 bytes each; NULL if there are none */
    struct qkd_eid ksa;
    struct chan_set *chans;
    struct qkd_rng rng;
    struct qkd_slab commands;
    struct qkd_slab lists; /* struct app_list */
    struct qkd_slab saes;
    struct qkd_map by_id; /* message_id -> slot of commands */
    struct qkd_slab sessions;
    struct qkd_map by_session; /* session_id -> slot of sessions */
    struct qkd_timers timers;  /* tag: slot of commands, or APP_TIMER_SESSION | slot of sessions */
    uint64_t next_message_id;
    uint32_t requests; /* commands of kind APP_REQUEST */
    uint32_t first_unsent, last_unsent;
    bool started;
};

/* command.c */
static inline struct app_command *app_command_at(const struct app *app, uint32_t slot)
{
    return qkd_slab_at(&app->commands, slot);
}

/* The key IDs of a fetch, one after the other. */
static inline struct wire_bytes app_command_ids(const struct app *app,
                                                const struct app_command *command)
{
    const uint8_t *ids = command->list == QKD_SLAB_NONE ? command->key_id.b
                                                        : qkd_slab_at(&app->lists, command->list);
    return (struct wire_bytes){ids, (size_t)command->count * sizeof(struct qkd_id)};
}

/* A new command with a new Message ID that is given up after `life`; QKD_SLAB_NONE: no room. */
uint32_t app_command_begin(struct app *app, const struct qkd_event *event, enum app_kind kind,
                           struct qkd_span life);

/* Forgets a command. */
void app_command_end(struct app *app, uint32_t slot);

/* The outstanding command of a Message ID or QKD_SLAB_NONE. */
uint32_t app_command_find(const struct app *app, uint64_t message_id);

/* Sends a command, now or when the channel comes up; a repetition is the same message. */
void app_command_send(struct app *app, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out);

/* The channel is up, again perhaps: repeats what has no answer, then sends what waited, in order. */
void app_connected(struct app *app, const struct qkd_event *event, struct qkd_out *out);

/* What the other agent of a command is: the partner, or whom an SAE named. */
static inline struct qkd_eid app_command_other(const struct app *app,
                                               const struct app_command *command)
{
    const struct app_sae *sae = command->sae == QKD_SLAB_NONE
                                    ? NULL
                                    : qkd_slab_at(&app->saes, command->sae);
    return sae == NULL ? app->config.partner : sae->other;
}

/* The further slaves of a request: those of the load, or whom an SAE named; 8 bytes each. */
static inline struct wire_bytes app_command_more(const struct app *app,
                                                 const struct app_command *command)
{
    const struct app_sae *sae = command->sae == QKD_SLAB_NONE
                                    ? NULL
                                    : qkd_slab_at(&app->saes, command->sae);
    return sae == NULL ? (struct wire_bytes){app->more, (size_t)8 * app->config.more_count}
                       : (struct wire_bytes){sae->more, sae->more_len};
}

/* request.c */

/* A new request of `count` keys for so many slaves, not yet sent; QKD_SLAB_NONE: refused and reported so. */
uint32_t app_request_begin(struct app *app, const struct qkd_event *event, uint32_t count,
                           uint32_t key_size, uint32_t slaves, struct qkd_out *out);

/* Ends a request that was not sent. */
void app_request_refuse(struct app *app, const struct qkd_event *event, uint32_t slot,
                        enum wire_reason reason, struct qkd_out *out);

/* The weaker of two relay methods end to end: AES under OTP under pool units of neighbours. */
uint8_t app_grade_weaker(uint8_t a, uint8_t b);

/* session_id: of the open session within which it asks; 0: none. */
void app_request_open(struct app *app, const struct qkd_event *event, uint32_t count,
                      uint64_t session_id, struct qkd_out *out);
void app_request_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                          const struct wire_key_supply_rsp *answer, struct qkd_out *out);
void app_request_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);

/* session.c */
void app_session_open(struct app *app, const struct qkd_event *event, const struct wire_load *load,
                      struct qkd_out *out);
/* SESSION_OPEN_RSP and SESSION_CLOSE_RSP. */
void app_session_answered(struct app *app, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out);
void app_session_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);

/* fetch.c */
void app_fetch_notified(struct app *app, const struct qkd_event *event,
                        const struct wire_app_notify *notify, struct qkd_out *out);
void app_fetch_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                        const struct wire_key_supply_rsp *answer, struct qkd_out *out);
void app_fetch_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                       struct qkd_out *out);

/* sae.c */

/* What came at QKD_RP_SAE; false: no question, or not from somebody who may ask. */
bool app_sae_asked(struct app *app, const struct qkd_event *event, struct qkd_out *out);

/* Takes the keys of a sub-session in; false: memory ended. */
bool app_sae_keys(struct app *app, const struct app_command *command,
                  const struct wire_key_supply_rsp *answer);

/* Answers the question of a command for good, with all keys that came or with a reason. */
void app_sae_answer(struct app *app, const struct app_command *command, enum wire_reason reason,
                    struct qkd_out *out);
void app_sae_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                      const struct wire_key_supply_rsp *answer, struct qkd_out *out);
void app_sae_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                     struct qkd_out *out);

/* Frees the questions that are left. */
void app_sae_fini(struct app *app);

/* The question is over: wipes what came for it. */
void app_sae_end(struct app *app, uint32_t slot);

#endif
