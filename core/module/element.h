/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The module agent's state, shared by its files: module.c (events), control.c (run and stop,
 * status), push.c (key files). Internal to module/. */
#ifndef QKD_MODULE_ELEMENT_H
#define QKD_MODULE_ELEMENT_H

#include "core/channel/channel.h"
#include "core/channel/reports.h"
#include "core/module/files.h"
#include "core/module/module.h"

/* Who commands this module and watches its status: the KM at Kq-2, the controllers at Cq. */
struct mod_watcher {
    enum qkd_rp rp;
    struct qkd_eid peer;         /* QKD_NOBODY: there is none */
    bool run;                    /* KMC: what it wants of the optics */
    uint64_t last_generation_id; /* newest GENERATION obeyed: older ones come late */
    uint64_t last_status_id;     /* newest STATUS obeyed */
    struct qkd_span period;      /* of status pushes; 0: none */
    struct qkd_time next_push;
    uint32_t table; /* enum wire_status_item asked for */
};

/* What the controllers want of the optics (Cq): the newest word of the one with the highest term. */
struct mod_command {
    bool run;
    uint64_t term;
    struct qkd_time resume_at; /* it runs again then, whatever was said; NEVER */
};

enum { MOD_WATCHERS = 3 }; /* KMC, controller, standby controller */

struct mod {
    struct mod_config config;
    struct qkd_eid kma, kmc, device;
    struct chan_set *chans;
    bool started;
    bool linked; /* CFG_LINK came */
    uint32_t link;
    uint64_t next_message_id;
    struct qkd_time silent_at; /* three blocks are overdue then; NEVER: none is expected */
    struct mod_watcher watcher[MOD_WATCHERS];
    struct mod_command command;
    struct qkd_timers timers; /* repetition of key files; tag: slot */
    struct chan_reports reports;
    struct mod_files files;
    struct qkd_rng rng;
    struct qkd_eid matching;    /* module at the other end */
    bool told, told_run;        /* what the device was told last */
    uint64_t rate_bps;          /* of the last block */
    uint32_t qber_ppm;          /* of the last block, or as the optics said since */
    struct qkd_span block_time; /* that a block of the last rate takes; 0: no block came yet */
    uint64_t blocks;            /* received from the device */
    uint64_t dropped;           /* lost for want of room, refused, or malformed */
};

/* Head of a message of this module at `rp`; orig: Message ID answered, or 0. */
struct wire_head mod_head(struct mod *mod, enum qkd_rp rp, uint64_t orig);

/* push.c: the key files. */
void mod_block(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
/* The optics say how noisy the light is. */
void mod_noise(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
/* Where it asks for light no more, what it knew of noise is forgotten. */
void mod_noise_forget(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
/* The next block is expected, or none is (the optics stand). */
void mod_expect_block(struct mod *mod, const struct qkd_event *event, bool run);
void mod_silence_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
void mod_push_acked(struct mod *mod, const struct qkd_event *event,
                    const struct chan_message *message, struct qkd_out *out);
void mod_push_resume(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
void mod_push_connected(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
void mod_push_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);

/* control.c: what the optics shall do, and what is said about them. */
void mod_control(struct mod *mod, const struct qkd_event *event, const struct chan_message *message,
                 struct qkd_out *out);
void mod_device_update(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
void mod_watchers_init(struct mod *mod);
/* Tells KMC and controller the status at once, where they want to be told. */
void mod_watchers_tell(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
/* The KMC authenticated (again): what it said before is forgotten. */
void mod_control_connected(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
void mod_watchers_timeout(struct mod *mod, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time mod_watchers_deadline(const struct mod *mod);

#endif
