/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of a run to judge it. For fuzz_judge.c and fuzz_live.c only. */
#ifndef SIM_FUZZ_RECORD_H
#define SIM_FUZZ_RECORD_H

#include "scenarios/outcome.h"
#include "sim/fuzz.h"

/* A request without its keys and route. */
struct sim_fuzz_request {
    uint64_t number;
    uint32_t application;
    int64_t start_ns, end_ns, fetched_ns;
    const char *outcome, *reason; /* fixed texts */
    uint32_t keys_asked, keys_supplied;
};

/* A session with a guaranteed rate that ended, or was open at the end. */
struct sim_fuzz_session {
    uint64_t number;
    uint32_t application;
    int64_t start_ns;
    const char *outcome, *reason; /* fixed texts */
};

struct sim_fuzz_note {
    int64_t time_ns;
    enum { SIM_FUZZ_NOTE_CRASH, SIM_FUZZ_NOTE_RESTART, SIM_FUZZ_NOTE_ALARM } kind;
    uint32_t node; /* crash, restart */
    struct qkd_eid at;
    const char *fault; /* fixed text */
    uint64_t object;
    bool raised;
};

/* The last two pool samples of one end of a link, the last first. */
struct sim_fuzz_pool {
    struct scn_pool_sample last[2];
    uint32_t count;
    uint64_t most_bits; /* ever stored */
};

struct sim_fuzz_record {
    const struct scn_scenario *scenario;
    struct scn_summary summary;
    struct sim_fuzz_request *requests;
    size_t request_count, request_cap;
    struct sim_fuzz_session *sessions;
    size_t session_count, session_cap;
    struct sim_fuzz_note *notes;
    size_t note_count, note_cap;
    struct sim_fuzz_pool *pools; /* link * 2 + end */
    bool no_memory;
};

/* Whether the access rules deny this pair. */
bool sim_fuzz_denied(const struct scn_scenario *scenario, uint32_t application);

/* Judges what must come back; sets phase and why if something does not, and counts. */
void sim_fuzz_live(const struct sim_fuzz_record *record, struct sim_fuzz_verdict *verdict);

/* Phase and text of a failure; the first one counts. */
void sim_fuzz_fail(struct sim_fuzz_verdict *verdict, enum sim_fuzz_phase phase, const char *format,
                   ...);

#endif
